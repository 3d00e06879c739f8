"""What can be wrong with a user's input. Each message says what is wrong and what to do."""


class InputError(ValueError):
    """Base of all errors that the user, not the program, can mend."""


class VideoError(InputError):
    """The video cannot be read, or not within the limits."""


class VideoTimeoutError(VideoError):
    """Reading a video takes longer than its limit: the file's fault, or that of a busy machine."""


class CaptionError(InputError):
    """The caption has nothing to explain."""


class WeightsError(InputError):
    """The weights of an encoder are missing or are not the ones expected."""


class CheckpointError(InputError):
    """A checkpoint is missing, broken or made for another encoder."""


class DataError(InputError):
    """A data set is incomplete, broken or not laid out as expected."""


class ExplanationError(InputError):
    """An explanation.json is missing, broken or of another kind."""


class SettingsError(InputError):
    """A setting has a value outside its range, or does not fit the others."""


class NotFiniteError(InputError):
    """A model computes infinity or no number at all: its weights have diverged."""


class TrainingError(InputError):
    """Training cannot go on with these settings: it has diverged."""
