"""A video and a question become answers: the model is run, its game played, and run again without
each frame and each word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from explainers import BilinearGame
from explainers.timing import Progress, or_silence
from hbi_core.answered import MOST_ANSWERS, Answered, LeftOut, ScoredAnswer
from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.encoders import TextFeatures
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.level import Level
from hbi_core.model import LevelTokens
from hbi_core.played import played_level
from hbi_core.predictor import Predictor
from hbi_core.task_model import ANSWERS, task_of
from hbi_core.tasks.question_answering import QuestionAnsweringTask
from hbi_core.worth import Worth


class Answerer:
    """Answers questions about the video of a predictor.

    Args:
        predictor: with a model that was trained for question answering, and a video.

    Raises:
        CheckpointError: its model was trained for something else, or does not fit.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> predictor = Predictor(*choose_model(answerer))  # the file of such a model
        >>> predictor.set_video("assets/clips/cafe.mp4", frames=3)
        >>> Answerer(predictor).answer(parse_caption("what animal is there?")).question
        'what animal is there?'
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._task = task_of(predictor, QuestionAnsweringTask, torch.float64)

    @torch.inference_mode()
    def answer(
        self,
        question: Caption,
        weighting: str = "renormalised",
        progress: Progress | None = None,
        with_video: bool = False,
    ) -> Answered:
        """The likeliest answers, why, and the answers without each frame and each word.

        Args:
            question: of at least one word.
            weighting, progress, with_video: see `Predictor.explain`.

        Returns:
            Everything that is told of the answer.

        Raises:
            CaptionError: the question has no word that can be encoded.
            NotFiniteError: the model computes values that are not finite.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> predictor = Predictor(*choose_model(answerer))
            >>> predictor.set_video("assets/clips/cafe.mp4", frames=3)
            >>> found = Answerer(predictor).answer(parse_caption("what animal is there?"))
            >>> said = sum(level.score for level in found.explanation.levels) / 3
            >>> abs(found.first.bias + said - found.first.logit) < 1e-9
            True
        """
        tell, predictor = or_silence(progress), self._predictor
        video = predictor.video
        assert video is not None, "set_video comes before"
        seconds = dict(predictor.video_seconds) if with_video else {}
        started = time.perf_counter()
        tell(0.7, "Encoding the question, and answering it")
        text = predictor.encode_caption(question)
        levels = predictor.levels(text)
        answers, numbers = self._likeliest(levels)
        seconds["answering"] = time.perf_counter() - started
        tell(0.8, "Playing the game of the answer")
        started = time.perf_counter()
        explanation = Explanation(
            caption=question.text,
            words=text.labels,
            video=video,
            encoder=predictor.encoder.name,
            checkpoint=predictor.heads.name,
            weighting=weighting,
            levels=self._levels(levels, numbers[:1], weighting, text),
            words_left_out=text.left_out,
            words_unreadable=text.unreadable,
            notes=text.notes,
            worth=Worth("bilinear", "logit", f"logit of the answer “{answers[0].text}”"),
        )
        change = None
        if len(answers) > 1:
            first, second = (f"“{answer.text}”" for answer in answers[:2])
            name = f"logit of {first} less that of {second}"
            change = replace(
                explanation,
                levels=self._levels(levels, numbers[:2], weighting, text),
                worth=Worth("bilinear", "logit difference", name),
            )
        seconds["game"] = time.perf_counter() - started
        tell(0.9, "Answering without each frame and each word")
        started = time.perf_counter()
        left_out = self._without_frames(text, numbers[0])
        left_out += self._without_words(question, text, numbers[0])
        seconds["leaving out"] = time.perf_counter() - started
        return Answered(
            explanation=replace(explanation, seconds=seconds),
            change=change,
            answers=answers,
            left_out=tuple(left_out),
            vocabulary=len(self._task.settings.vocabulary),
            limits=_limits(len(self._task.settings.vocabulary), predictor.heads),
        )

    def _likeliest(
        self, levels: Sequence[LevelTokens]
    ) -> tuple[tuple[ScoredAnswer, ...], list[int]]:
        """The first answers, and their places in the vocabulary."""
        logits, bias = self._task.logits(levels)[0], self._task.own.bias
        (ranked,) = self._task.answer(levels, MOST_ANSWERS)
        answers = tuple(
            ScoredAnswer(
                text=answer.text,
                probability=answer.probability,
                logit=float(logits[answer.number]),
                bias=float(bias[answer.number]),
            )
            for answer in ranked
        )
        return answers, [answer.number for answer in ranked]

    def _levels(
        self,
        levels: Sequence[LevelTokens],
        numbers: Sequence[int],
        weighting: str,
        text: TextFeatures,
    ) -> tuple[Level, ...]:
        """The game of an answer, or of one less another, at each level."""
        played = []
        for level in levels:
            values = self._task.pair_values(level, numbers)
            game = BilinearGame(
                values[:, 0] if len(numbers) == 1 else values[:, 0] - values[:, 1],
                level.video.logits,
                level.text.logits,
                level.video.tokens.mask,
                level.text.tokens.mask,
                weighting=weighting,
            )
            played.append(played_level(level, game, text.labels))
        return tuple(played)

    def _without_frames(self, text: TextFeatures, first: int) -> list[LeftOut]:
        """As if the video never had the frame; nothing where it is the only one."""
        predictor = self._predictor
        features, reads = predictor.features, predictor.heads
        count = len(features)
        if count < 2:
            return []
        others = ~torch.eye(count, dtype=torch.bool, device=features.device)
        length = reads.retrieval.frames if reads.config.reads_padding else 0
        videos = predictor.video_players(
            [features[left] for left in others], max(length, count - 1)
        )
        texts = [
            players.map(lambda x: x.expand(count, *x.shape[1:]))
            for players in predictor.text_players(text)
        ]
        logits = self._task.logits(reads.hierarchy.pair(videos, texts))
        return [
            self._left_out("video", index, f"frame {index + 1}", row, first)
            for index, row in enumerate(logits)
        ]

    def _without_words(self, question: Caption, text: TextFeatures, first: int) -> list[LeftOut]:
        """As if the question never had the word; nothing where it is the only one that was read."""
        within = question.first(self._predictor.heads.retrieval.words).words
        read = [
            (index, word) for index, word in enumerate(within) if word.text not in text.unreadable
        ]
        if len(read) < 2:
            return []
        found = []
        for index, word in read:
            rest = parse_caption(question.text[: word.start] + question.text[word.end :])
            shorter = self._predictor.encode_caption(rest)
            (logits,) = self._task.logits(self._predictor.levels(shorter))
            found.append(self._left_out("text", index, word.text, logits, first))
        return found

    def _left_out(self, side: str, index: int, label: str, logits: Tensor, first: int) -> LeftOut:
        probability, number = logits.softmax(-1).max(-1)
        return LeftOut(
            side=side,
            index=index,
            label=label,
            answer=self._task.settings.vocabulary[int(number)],
            probability=float(probability),
            of_first=float(logits.softmax(-1)[first]),
        )


def _limits(vocabulary: int, heads: Checkpoint) -> tuple[str, ...]:
    """What a reader has to know of what a model answers: a sentence each."""
    known = f"{vocabulary:,} answer{'s' * (vocabulary != 1)}"
    told = [
        f"The model always gives one of {known} that it has learnt, also where none of them is "
        "right or the question makes no sense, and it can be sure of what is wrong."
    ]
    right = {  # of the validation that chose the checkpoint
        kind: f"{measured['top-1']:.0f} %"
        for kind, measured in heads.training.get("validation", {}).items()
        if isinstance(measured, dict) and "top-1" in measured
    }
    if right:
        kinds = ", ".join(f"{kind} {share}" for kind, share in right.items() if kind != "all")
        by_kind = f" ({kinds})" if kinds else ""
        told.append(
            f"Of questions about pictures that it was not trained on it answered {right['all']} "
            f"right{by_kind}; of other videos and other questions it may be less."
        )
    if heads.name == ANSWERS.file.name:
        told.append(ANSWERS.limits)
    return tuple(told)
