"""Which frames carried each word of a caption: the game of a decoder.

A word w of a caption is worth to a set S of frames what these make of it,

    g_w(S) = log p(w | frames S, the words before w) - log p(w | no frame, the words before w)

Frames that are left out are left out of the model's input, as if the video never had them, and the
tokens of all levels are merged anew from the others. Without any frame the decoder reads nothing
but a token that it has learnt, with which a share of the training captions was written
(`without_video` of its settings).
Frames A and words B together are worth the sum of g_w(A) over the words of B, which is 0 if A or B
is empty, as the paper asks of φ. So the interaction (Eq. 3) of a frame and a word is the Banzhaf
value of the frame in g_w, and a phrase has the sum of its words. At the levels above the entity
level, players are the clips and segments of the whole video: all frames of one, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from explainers.additive_games import MOST_ENUMERATED, additive_interactions
from explainers.timing import Progress
from hbi_core.errors import NotFiniteError
from hbi_core.inputs.function_words import looks_english
from hbi_core.inputs.phrases import phrases
from hbi_core.inputs.text import Word
from hbi_core.level import Level, TextToken, VideoToken
from hbi_core.model import Tokens
from hbi_core.played import members_in_order
from hbi_core.tasks.captioning import CaptioningTask

SAMPLED = 4096  # coalitions of a level that has too many players for all of them
_AT_ONCE = 3072  # frames that the model reads together


class FrameGame:
    """The games of the words of a caption; see the module.

    Args:
        task: the model that wrote it.
        frames: float [F, Dv], features of the frames.
        words: int64 [L], the numbers of the words, without END.

    Attributes:
        frames: F.
        with_video, without_video: float64 [L], the log-probability of each word given those before
            it and all frames, or none.
    """

    def __init__(self, task: CaptioningTask, frames: Tensor, words: Tensor) -> None:
        self._task, self._features, self._words = task, frames, words
        self.frames = len(frames)
        ends = torch.tensor([[False], [True]]).expand(2, self.frames)
        self.without_video, self.with_video = self.log_probabilities(ends)

    @torch.inference_mode()
    def log_probabilities(
        self, members: Tensor, tell: Callable[[int], object] = lambda read: None
    ) -> Tensor:
        """Of the words, given sets of frames: bool [K, F] -> float64 [K, L], on the CPU.

        `tell` is told how many sets were read, some at a time.

        Raises:
            NotFiniteError: the model computes values that are not finite.
        """
        found = []
        by_size = members.sum(-1).argsort()  # so that sets that are read together need no padding
        for some in members[by_size].split(max(1, _AT_ONCE // self.frames)):
            memory = self._task.memory(self._video(some.to(self._features.device)))
            found.append(self._task.own.log_probabilities(memory, self._words).double().cpu())
            if not found[-1].isfinite().all():
                raise NotFiniteError("The probabilities of words of the model are not finite.")
            tell(len(some))
        values = torch.cat(found)
        return values[by_size.argsort()]

    def _video(self, members: Tensor) -> Tokens:
        """The frames of each set, one after another, as if the video had no others."""
        length = max(1, int(members.sum(-1).max()))
        order = (~members).long().argsort(stable=True)[:, :length]
        return Tokens.original(self._features[order], members.gather(-1, order))

    def gains(self, members: Tensor, tell: Callable[[int], object] = lambda read: None) -> Tensor:
        """g of the words, float64 [K, L]; see `log_probabilities`."""
        return self.log_probabilities(members, tell) - self.without_video


def played_levels(
    levels: Mapping[str, Tokens],
    words: Sequence[str],
    game: FrameGame,
    coalitions: int,
    seed: int,
    progress: Progress,
) -> tuple[Level, ...]:
    """The levels of a game, played: frames and words, clips and phrases, segments and the caption.

    Args:
        levels: the video tokens of each level, by its name, of one video.
        words: of the caption.
        game: of the words.
        coalitions, seed: of a level with more than 12 video tokens.
        progress: told a fraction in [0, 1] and what is being done.

    Returns:
        The levels; exact, where they have up to 12 video tokens.

    Raises:
        NotFiniteError: the model computes values that are not finite.
    """
    video = [_video_tokens(tokens) for tokens in levels.values()]
    total = sum(2 ** len(own) if len(own) <= MOST_ENUMERATED else coalitions for own in video)
    read = 0

    def tell(sets: int) -> None:
        nonlocal read
        read += sets
        progress(min(read / total, 1.0), f"Reading sets of frames: {read:,} of about {total:,}")

    return tuple(
        _played(name, own, said, game, coalitions, seed, tell)
        for name, own, said in zip(levels, video, _text_tokens(words), strict=False)
    )


def _played(
    name: str,
    video: tuple[VideoToken, ...],
    text: tuple[TextToken, ...],
    game: FrameGame,
    coalitions: int,
    seed: int,
    tell: Callable[[int], object],
) -> Level:
    frames = torch.zeros(len(video), game.frames, dtype=torch.bool)
    for row, clip in zip(frames, video, strict=True):
        row[list(clip.frames)] = True
    said = torch.zeros(len(game.with_video), len(text), dtype=torch.float64)
    for column, phrase in enumerate(text):
        said[list(phrase.words), column] = 1.0

    def values(members: Tensor) -> Tensor:
        """Of coalitions of video tokens, bool [K, V] -> float64 [K, T]."""
        return game.gains((members.unsqueeze(-1) & frames).any(1), tell) @ said

    played, explained = additive_interactions(values, len(video), coalitions=coalitions, seed=seed)
    return Level.of_function(
        name,
        video,
        text,
        float((game.with_video - game.without_video).sum()),
        values(torch.eye(len(video), dtype=torch.bool)),
        played,
        explained,
    )


def _video_tokens(tokens: Tokens) -> tuple[VideoToken, ...]:
    return tuple(VideoToken(frames) for frames in members_in_order(tokens).values())


def _text_tokens(words: Sequence[str]) -> list[tuple[TextToken, ...]]:
    """The text players of the three levels: words, phrases where they are English, and all."""
    single: list[tuple[int, ...]] = [(number,) for number in range(len(words))]
    joined = single
    if looks_english(words):
        joined = [phrase.words for phrase in phrases([Word(word, 0, 0, 0) for word in words])]
    return [
        tuple(TextToken(group, " ".join(words[number] for number in group)) for group in level)
        for level in (single, joined, [tuple(range(len(words)))])
    ]
