"""A video becomes a caption, with what else could have been said and which frames carried it."""

from __future__ import annotations

import time

import torch

from explainers.timing import Progress, or_silence
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.described import Described, GeneratedCaption, ScoredWord
from hbi_core.errors import CheckpointError, NotFiniteError
from hbi_core.explanation import Explanation
from hbi_core.frame_game import SAMPLED, FrameGame, played_levels
from hbi_core.level import Level
from hbi_core.model import Tokens
from hbi_core.model.decoder import END, Written
from hbi_core.predictor import Predictor
from hbi_core.task_model import CAPTIONS, task_of
from hbi_core.tasks.captioning import CaptioningTask
from hbi_core.tasks.captioning_metrics import WITH_JAVA
from hbi_core.worth import FUNCTION, Worth

_WORTH = Worth(FUNCTION, "gain", "gain in log-probability of the caption")


class Describer:
    """Describes the video of a predictor.

    Args:
        predictor: with a model that was trained for captioning, and a video.

    Raises:
        CheckpointError: its model was trained for something else, or does not fit.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> predictor = Predictor(*choose_model(captioner))  # the file of such a model
        >>> predictor.set_video("assets/clips/cafe.mp4", frames=3)
        >>> Describer(predictor).describe().caption == described.caption
        True
    """

    def __init__(self, predictor: Predictor) -> None:
        self._task = task_of(predictor, CaptioningTask, torch.float32)
        if predictor.heads.config.reads_padding:
            raise CheckpointError(
                f"{predictor.heads.name} reads padding, so that no frame can be left out of what "
                "it reads. Train a captioner with model.compatibility=paper."
            )
        self._predictor = predictor

    @torch.inference_mode()
    def describe(
        self,
        beams: int | None = None,
        progress: Progress | None = None,
        with_video: bool = False,
        coalitions: int = SAMPLED,
        seed: int = 0,
    ) -> Described:
        """The caption, what else the beam search found, and which frames carried each word.

        Args:
            beams: of the search; None takes those of the model's settings.
            progress, with_video: see `Predictor.explain`.
            coalitions: of frames, that are drawn at a level with more than 12 players.
            seed: of these.

        Returns:
            Everything that is told of the caption.

        Raises:
            SettingsError: there are no so many beams.
            NotFiniteError: the model computes values that are not finite.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model(captioner))
            >>> predictor.set_video("assets/clips/cafe.mp4", frames=2)
            >>> len(Describer(predictor).describe(beams=2).captions)
            2
        """
        tell, task, predictor = or_silence(progress), self._task, self._predictor
        video = predictor.video
        assert video is not None, "set_video comes before"
        seconds = dict(predictor.video_seconds) if with_video else {}
        started = time.perf_counter()
        tell(0.7, "Writing the caption")
        frames = predictor.features.float()  # [F, Dv]
        players = task.hierarchy.players("video", Tokens.original(frames.unsqueeze(0)))
        memory = task.own.memory([level.tokens for level in players])
        settings = task.settings
        width = settings.beams if beams is None else beams
        written = task.own.beam(memory, width, settings.length_penalty)
        captions = self._captions(written)
        seconds["writing"] = time.perf_counter() - started
        started = time.perf_counter()
        numbers = written.words[0, 0]
        game = FrameGame(task, frames, numbers[: int((numbers != END).sum())])
        levels = played_levels(
            dict(zip(predictor.heads.config.levels, (p.tokens for p in players), strict=True)),
            captions[0].text.split(" "),
            game,
            coalitions,
            seed,
            lambda share, step: tell(0.75 + 0.2 * share, step),
        )
        seconds["game"] = time.perf_counter() - started
        texts = captions[0].text.split(" ")
        probable = zip(texts, game.with_video.exp(), game.without_video.exp(), strict=True)
        return Described(
            explanation=Explanation(
                caption=captions[0].text,
                words=tuple(texts),
                video=video,
                encoder=predictor.encoder.name,
                checkpoint=predictor.heads.name,
                weighting=FUNCTION,
                levels=levels,
                notes=(_how(levels),),
                worth=_WORTH,
                seconds=seconds,
            ),
            words=tuple(
                ScoredWord(text=text, probability=float(p), without_video=float(alone))
                for text, p, alone in probable
            ),
            captions=captions,
            limits=_limits(len(settings.vocabulary), predictor.heads),
        )

    def _captions(self, written: Written) -> tuple[GeneratedCaption, ...]:
        """Those that the search has found, the best first."""
        found = [number for number, score in enumerate(written.scores[0]) if score.isfinite()]
        if not found:
            raise NotFiniteError(
                f"The probabilities of words that {self._predictor.heads.name} computes are not "
                "finite."
            )
        return tuple(
            GeneratedCaption(
                text=self._task.text(written.words[0, number]),
                log_probability=float(written.log_probabilities[0, number].sum()),
                score=float(written.scores[0, number]),
            )
            for number in found
        )


def _how(levels: tuple[Level, ...]) -> str:
    """What the game is, and how it was played."""
    sets = ", ".join(
        f"{level.interactions.coalitions_evaluated:,} at the {level.name} level" for level in levels
    )
    errors = {
        level.name: float(level.interactions.standard_error.max())
        for level in levels
        if level.interactions.standard_error is not None
    }
    how = "all that there are, so that the numbers are exact"
    if errors:
        how = "a sample, with standard errors of up to " + ", ".join(
            f"{error:.2g} at the {name} level" for name, error in errors.items()
        )
    return (
        "The caption was generated by the model. What frames are worth to a word is its "
        "log-probability, given them and the words before it, less that without any frame. The "
        f"model read sets of frames, {sets}: {how}."
    )


def _limits(words: int, heads: Checkpoint) -> tuple[str, ...]:
    """What a reader has to know of what a model writes: a sentence each."""
    told = [
        f"The model writes a caption of any video, with the {words:,} words that it has learnt: "
        "fluent, whether it is right or not."
    ]
    if heads.name == CAPTIONS.file.name:
        told.append(CAPTIONS.limits)
    data = heads.training.get("settings", {}).get("data", {}).get("dataset")
    validation = heads.training.get("validation", {}).items()
    name, scores = next(((n, one) for n, one in validation if isinstance(one, dict)), ("", {}))
    if data and scores:
        measured = ", ".join(f"{metric} {value:.1f}" for metric, value in scores.items())
        how = name.removeprefix(WITH_JAVA)
        told.append(
            f"It was trained on {data}; on clips of it that it did not see: {measured}{how}."
        )
    return tuple(told)
