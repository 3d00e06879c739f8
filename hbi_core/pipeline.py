"""explain, contrast, search, ask, describe: one short function each, the one way."""

from __future__ import annotations

import reprlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from explainers import WEIGHTINGS
from explainers.timing import Progress, half_of, or_silence
from hbi_core.answered import Answered
from hbi_core.answering import Answerer
from hbi_core.checks import whole_number
from hbi_core.clip_search import ClipSearch, checked_top
from hbi_core.contrasted import Contrast
from hbi_core.data.clip_set import ClipSet, clips_in_folder
from hbi_core.described import MOST_BEAMS, Described
from hbi_core.describing import Describer
from hbi_core.devices import choose_device
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import VideoLimits, checked_file
from hbi_core.own_predictor import AnyPredictor
from hbi_core.predictor import Predictor, checked_frames
from hbi_core.recent import RecentVideos
from hbi_core.search_result import SearchResult
from hbi_core.task_model import ANSWERS, CAPTIONS


def explain(
    video: str | Path,
    caption: str,
    encoder: str = "auto",
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    weighting: str = "renormalised",
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Explanation:
    """Explain how a video and a caption fit together.

    Args:
        video: a video file.
        caption: a text of at least one word.
        encoder: "lite", "open_clip[:MODEL[:WEIGHTS]]", or "auto": the one that the checkpoint
            was trained with, lite without a checkpoint. Or "own:module:factory": a model of one's
            own, see `hbi_core.own_model`, whose explanation has one level.
        frames: frames to look at, 1 to 64. None takes 12; or, of a checkpoint that reads padding,
            as released ones do, as many as it reads. With another number such a checkpoint gives
            other scores, about which a warning is logged.
        checkpoint: trained heads; None takes the ones we ship for lite and runs other encoders
            without; "untrained" runs every encoder without.
        weighting: of the game, "renormalised" or "fixed".
        device: a torch device; None takes a GPU if there is one.
        limits: on the video, see VideoLimits.
        progress: called with a fraction in [0, 1] and what is being done.
        recent: videos that were looked at before, and their model. One that is among them is
            neither decoded nor encoded again, nor is what was told of it computed again, whose
            `seconds` are empty then; and this one will be among them.

    Returns:
        The levels entity, action and event, with their players and exact interactions.

    Raises:
        InputError: VideoError, CaptionError, WeightsError or CheckpointError, with a message
            for the user.

    Example:
        >>> explanation = explain("assets/clips/cafe.mp4", "A tabby cat, a cup of espresso.")
        >>> [level.name for level in explanation.levels]
        ['entity', 'action', 'event']
        >>> explanation.words
        ('A', 'tabby', 'cat', 'a', 'cup', 'of', 'espresso')
    """
    _check_weighting(weighting)  # all that is cheap to check comes before the costly half
    frames, parsed = checked_frames(frames), parse_caption(caption)
    file = checked_file(video, limits or VideoLimits())
    explanation, new = (recent or RecentVideos(videos=1, models=1)).result(
        ("explanation", parsed.text, weighting),
        lambda predictor, read: predictor.explain(parsed, weighting, progress, with_video=read),
        file,
        frames,
        limits,
        checkpoint,
        encoder,
        choose_device(device),
        progress,
    )
    return explanation if new else _again(explanation)


def contrast(
    video: str | Path,
    caption: str,
    other_caption: str | None = None,
    other_video: str | Path | None = None,
    other_encoder: str | None = None,
    other_checkpoint: str | Path | None = None,
    encoder: str = "auto",
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    weighting: str = "renormalised",
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Contrast:
    """Say which frames and words speak for A, a video and a caption, rather than B.

    Args:
        video, caption: of A.
        other_caption, other_video, other_encoder, other_checkpoint: what is other in B; None is as
            in A. Give one of them: another caption of one video, another video for one caption, or
            another model. With another encoder and no other checkpoint, B takes the heads that go
            with that encoder.
        encoder, frames, checkpoint, weighting, device, limits, recent: see `explain`.
        progress: called with a fraction in [0, 1] and what is being done.

    Returns:
        The two explanations, and the difference of their games.

    Raises:
        InputError: as `explain`; or nothing is other in B.

    Example:
        >>> a_or_b = contrast("assets/clips/cafe.mp4", "a cat", "a rocket", frames=3)
        >>> a_or_b.differs, len(a_or_b.levels)
        (('caption',), 3)
    """
    if other_encoder is None and other_checkpoint is None:
        other_encoder, other_checkpoint = encoder, checkpoint
    explained = partial(
        explain,
        frames=frames,
        weighting=weighting,
        device=device,
        limits=limits,
        recent=recent or RecentVideos(videos=2, models=2),
    )
    a = explained(
        video, caption, encoder, checkpoint=checkpoint, progress=half_of(progress, "A", 0.0)
    )
    b = explained(
        video if other_video is None else other_video,
        caption if other_caption is None else other_caption,
        other_encoder or "auto",
        checkpoint=other_checkpoint,
        progress=half_of(progress, "B", 0.5),
    )
    return Contrast(a, b)


def search(
    clips: str | Path | ClipSet,
    query: str,
    top: int = 10,
    encoder: str = "auto",
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
    cache: Path | None = None,
) -> SearchResult:
    """Rank clips by how well they fit a text.

    What was encoded is kept on disk by its content, so that another query takes moments, and a
    search that was stopped goes on where it was.

    Args:
        clips: a folder with video files, in folders of its own too, which are trusted; or a set
            of files, which are not.
        query: a text of at least one word.
        top: hits at most, 1 to 100.
        encoder, frames, checkpoint, device, limits: see `explain`.
        progress: called with a fraction in [0, 1] and what is being done.
        recent: whose model is taken if it is the one.
        cache: folder of the features; None takes hbi in the user's folder for caches.

    Returns:
        The best clips with their scores at the levels entity, action and event.

    Raises:
        InputError: there is no clip that can be read, or the query, a setting or the model cannot
            be used. A single file that cannot be read is skipped, and told.

    Example:
        >>> result = search("assets/clips", "a cup of coffee", top=1)
        >>> [hit.name for hit in result.hits]
        ['cafe.mp4']
    """
    tell = or_silence(progress)
    parsed = parse_caption(query, kind="query")
    top, frames = checked_top(top), checked_frames(frames)
    found = clips if isinstance(clips, ClipSet) else clips_in_folder(clips)
    predictor = (recent or RecentVideos(models=1)).model(
        checkpoint, encoder, choose_device(device), progress
    )
    searched = ClipSearch(predictor, frames, cache, limits)
    count, step = len(found.files), (0.1, "Reading the clips")
    read = searched.add(found.files, trusted=found is not clips, waiting=lambda: tell(*step))
    for done, name in enumerate(read, 1):
        step = 0.1 + 0.85 * done / count, f"Reading the clips: {done} of {count}, {name}"
        tell(*step)
    tell(0.95, "Ranking the clips")
    result = searched.best(parsed, top)
    return replace(result, skipped=found.skipped | result.skipped)


def ask(
    video: str | Path,
    question: str,
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    weighting: str = "renormalised",
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Answered:
    """Answer a question about a video, and explain the answer.

    The logit of an answer is a game of frames and words, so that their interactions are exact:
    those of the first answer, and those of the change from it to the second. What the answer would
    be without a frame or a word is asked of the model, which is run again.

    Args:
        video: a video file.
        question: a text of at least one word.
        frames: see `explain`.
        checkpoint: of the task question_answering; None takes the one that we ship. It says which
            encoder it reads.
        weighting: of the game; the logit is the same with both.
        device, limits, progress, recent: see `explain`.

    Returns:
        Up to five answers with their probabilities, both explanations, and the answers without
        each frame and each word.

    Raises:
        InputError: as `explain`; or the checkpoint answers no questions.

    Example:
        >>> found = ask("assets/clips/cafe.mp4", "what animal is there?", checkpoint=answerer)
        >>> found.explanation.worth.name == f"logit of the answer “{found.first.text}”"
        True
    """
    _check_weighting(weighting)
    frames, parsed = checked_frames(frames), parse_caption(question, kind="question")
    file = checked_file(video, limits or VideoLimits())
    answered, new = (recent or RecentVideos(videos=1, models=1)).result(
        ("answer", parsed.text, weighting),
        lambda predictor, read: Answerer(_ours(predictor)).answer(
            parsed, weighting, progress, with_video=read
        ),
        file,
        frames,
        limits,
        ANSWERS.chosen(checkpoint),
        device=choose_device(device),
        progress=progress,
    )
    return answered if new else replace(answered, explanation=_again(answered.explanation))


def describe(
    video: str | Path,
    frames: int | None = None,
    checkpoint: str | Path | None = None,
    beams: int | None = None,
    device: str | None = None,
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
) -> Described:
    """Describe a video, and explain which frames carried each word of the caption.

    What frames add to the log-probability of a word is a game, whose values are what the model says
    of sets of frames: of up to 12 frames all sets, so that its interactions are exact; of more, a
    sample.

    Args:
        video: a video file.
        frames: see `explain`.
        checkpoint: of the task captioning; None takes the one that we ship. It says which encoder
            it reads.
        beams: of the search, and alternatives that it finds; None takes those of the checkpoint.
        device, limits, progress, recent: see `explain`.

    Returns:
        The caption with the probabilities of its words, its alternatives, and its explanation.

    Raises:
        InputError: as `explain`; or the checkpoint describes no videos.

    Example:
        >>> found = describe("assets/clips/cafe.mp4", frames=2, checkpoint=captioner)
        >>> found.explanation.worth.name
        'gain in log-probability of the caption'
    """
    frames = checked_frames(frames)
    if beams is not None:
        beams = whole_number(beams, "{} beams were asked for", 1, MOST_BEAMS)
    file = checked_file(video, limits or VideoLimits())
    described, new = (recent or RecentVideos(videos=1, models=1)).result(
        ("description", beams),
        lambda predictor, read: Describer(_ours(predictor)).describe(
            beams, progress, with_video=read
        ),
        file,
        frames,
        limits,
        CAPTIONS.chosen(checkpoint),
        device=choose_device(device),
        progress=progress,
    )
    return described if new else replace(described, explanation=_again(described.explanation))


def _ours(predictor: AnyPredictor) -> Predictor:
    """The predictor of a checkpoint."""
    assert isinstance(predictor, Predictor), "a checkpoint is none of a model of one's own"
    return predictor


def _again(explanation: Explanation) -> Explanation:
    """One that was made before: no time was spent on it now."""
    return replace(explanation, seconds={})


def _check_weighting(weighting: str) -> None:
    if weighting not in WEIGHTINGS:
        raise InputError(
            f"The weighting is {reprlib.repr(weighting)}; use one of {', '.join(WEIGHTINGS)}."
        )
