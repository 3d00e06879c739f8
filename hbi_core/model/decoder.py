"""A transformer decoder: the video tokens of all levels -> a caption, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hbi_core.errors import SettingsError
from hbi_core.model.tokens import Tokens
from hbi_core.settings import COUNT, SHARE_BELOW_ONE, check, number

END, UNKNOWN = 0, 1  # END stands before the first word and behind the last
SPECIAL = 2  # the numbers of words begin here
LENGTH_PENALTY = number(least=0, most=10)  # beyond, powers of a length overflow at last


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of the decoder.

    Attributes:
        width: A word has so many features.
        layers: So many blocks read the words before, and the video.
        heads: Each attention has so many heads.
        hidden: The feed-forward networks have so many hidden features.
        dropout: This share of the features is dropped in training.
        longest: A caption has so many words at most.
    """

    width: int = 512
    layers: int = 3
    heads: int = 8
    hidden: int = 2048
    dropout: float = 0.1
    longest: int = 24

    def __post_init__(self) -> None:
        check(
            self,
            "decoder ",
            **dict.fromkeys(("width", "layers", "heads", "hidden", "longest"), COUNT),
            dropout=SHARE_BELOW_ONE,
        )
        if self.width % self.heads:
            raise SettingsError(
                f"A decoder of width {self.width} cannot be split into {self.heads} heads."
            )


@dataclass(frozen=True, eq=False)
class Memory:
    """What the decoder reads of B videos.

    Attributes:
        features: float [B, 1 + M, W]. The first token is learned and always there, so that a
            caption has a probability without any frame too.
        mask: bool [B, 1 + M], True for real tokens.
    """

    features: Tensor
    mask: Tensor

    def repeated(self, times: int) -> Memory:
        """Each video so many times in a row: [B · times, 1 + M, W]."""
        features, mask = (x.repeat_interleave(times, 0) for x in (self.features, self.mask))
        return Memory(features, mask)

    def __getitem__(self, rows: slice) -> Memory:
        return Memory(self.features[rows], self.mask[rows])

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, eq=False)
class Written:
    """Captions of B videos, K of each, the best first.

    Attributes:
        words: int64 [B, K, L], each ends with END, and END fills it up.
        log_probabilities: float [B, K, L], of each word given those before and the video; 0 behind
            the first END.
        scores: float [B, K]: their sum, divided by the number of words and END to the power of the
            length penalty; -inf where the search has found fewer than K captions.
    """

    words: Tensor
    log_probabilities: Tensor
    scores: Tensor


class Decoder(nn.Module):
    """Words are written one after another, each given those before and a video.

    Pre-norm blocks of torch's own (causal attention over the words, attention over the video's
    tokens, a feed-forward network). The embedding of the words is their classifier too (Press and
    Wolf 2017).

    Args:
        vocabulary: words, END and UNKNOWN among them.
        tokens: features of a token of the video, D.
        levels: that there are.
        config: the shape.
    """

    later: Tensor

    def __init__(self, vocabulary: int, tokens: int, levels: int, config: DecoderConfig) -> None:
        super().__init__()
        self.longest, width = config.longest, config.width
        self.words = nn.Embedding(vocabulary, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.positions = nn.Parameter(torch.zeros(config.longest + 1, width))
        self.levels = nn.Parameter(torch.zeros(levels, width))
        self.nothing = nn.Parameter(torch.zeros(width))
        self.read = nn.Sequential(nn.LayerNorm(tokens), nn.Linear(tokens, width))
        block = nn.TransformerDecoderLayer(
            width,
            config.heads,
            config.hidden,
            dropout=config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.blocks = nn.TransformerDecoder(block, config.layers, nn.LayerNorm(width))
        self.dropout = nn.Dropout(config.dropout)
        for table in (self.words.weight, self.positions, self.levels, self.nothing):
            nn.init.normal_(table, std=width**-0.5)
        later = torch.ones(config.longest + 1, config.longest + 1, dtype=torch.bool).triu(1)
        self.register_buffer("later", later, persistent=False)  # what a word does not see

    def memory(self, levels: Sequence[Tokens]) -> Memory:
        """The video tokens of all levels, entity first, features [B, N, D] each.

        A token that stands for no frame is not read.
        """
        parts = [
            self.read(tokens.without_padding()) + own
            for tokens, own in zip(levels, self.levels, strict=True)
        ]
        nothing = self.nothing.expand(len(parts[0]), 1, -1)
        mask = torch.cat([tokens.mask & tokens.groups.any(-1) for tokens in levels], 1)
        always = mask.new_ones(len(mask), 1)
        return Memory(torch.cat([nothing, *parts], 1), torch.cat([always, mask], 1))

    def forward(self, memory: Memory, words: Tensor, places: Tensor | None = None) -> Tensor:
        """Log-probabilities of the next word: of the first, and behind each word given.

        Args:
            memory: of B videos.
            words: int64 [B, L], at most `longest` of them.
            places: bool [B, 1 + L], where they are wanted; None for everywhere.

        Returns:
            float [B, 1 + L, N]; or [P, N] of the P places.

        Raises:
            SettingsError: there are more words.
        """
        states = self._states(memory, words)
        return self._classified(states if places is None else states[places])

    def log_probabilities(self, memory: Memory, words: Tensor, at_once: int = 256) -> Tensor:
        """How probable given captions are, word by word.

        Args:
            memory: of B videos, such as one video's coalitions of frames.
            words: int64 [L], the same caption for all of them, or [B, L]. Ends with END, unless it
                is the beginning of a caption; END fills up what is shorter.
            at_once: videos that are computed together, to bound memory.

        Returns:
            float [B, L]: of each word given those before; 0 behind the first END.

        Raises:
            SettingsError: there are more words than `longest`, END left out.
        """
        words = words.expand(len(memory), -1)
        found = [
            self(memory[rows], words[rows, :-1]).gather(-1, words[rows].unsqueeze(-1)).squeeze(-1)
            for start in range(0, len(memory), at_once)
            for rows in [slice(start, start + at_once)]
        ]
        return torch.cat(found).masked_fill(_behind_end(words), 0.0)

    @torch.no_grad()
    def greedy(self, memory: Memory) -> Written:
        """The most probable next word each time: one caption of each video."""
        words = memory.mask.new_zeros(len(memory), 0, dtype=torch.long)
        ended = memory.mask.new_zeros(len(memory))
        while words.shape[1] < self.longest and not ended.all():
            chosen = self._allowed(memory, words).argmax(-1).masked_fill(ended, END)
            words, ended = torch.cat([words, chosen.unsqueeze(1)], 1), ended | (chosen == END)
        words, found = self._written(memory, functional.pad(words, (0, 1), value=END).unsqueeze(1))
        return Written(words, found, found.sum(-1))

    @torch.no_grad()
    def beam(self, memory: Memory, beams: int = 5, length_penalty: float = 1.0) -> Written:
        """Beam search: the best K captions that it finds.

        A caption's score is the sum of its words' log-probabilities, END among them, divided by
        their number to the power of the length penalty: 0 prefers short captions, 1 takes the
        mean. It ends when no beginning that is left could still be among the best, so that with
        enough beams it finds the best of all captions.

        Args:
            memory: of B videos.
            beams: K, beginnings that are kept and captions that are returned.
            length_penalty: see above.

        Raises:
            SettingsError: an argument is out of its range.
        """
        if not COUNT.holds(beams) or not LENGTH_PENALTY.holds(length_penalty):
            raise SettingsError(
                f"{beams} beams and a length penalty of {length_penalty}: use {COUNT.says}, and "
                f"{LENGTH_PENALTY.says}."
            )
        many = memory.repeated(beams)
        words = memory.mask.new_zeros(len(memory), beams, 0, dtype=torch.long)
        sums = memory.features.new_full((len(memory), beams), -torch.inf)
        sums[:, 0] = 0.0  # all beginnings are the same yet
        ended = words.new_full((len(memory), beams, self.longest + 1), END)
        scores = torch.full_like(sums, -torch.inf)
        for length in range(1, self.longest + 2):  # END counts
            following = self._allowed(many, words.flatten(0, 1)).unflatten(0, sums.shape)
            totals = sums.unsqueeze(-1) + following  # [B, K, N]
            done = functional.pad(words, (0, self.longest + 2 - length), value=END)
            candidates = torch.cat([scores, totals[..., END] / length**length_penalty], 1)
            scores, best = candidates.topk(beams)
            ended = torch.cat([ended, done], 1).gather(1, _along(best, ended))
            totals[..., END] = -torch.inf
            sums, best = totals.flatten(1).topk(beams)
            last = best % totals.shape[-1]
            words = words.gather(1, _along(best // totals.shape[-1], words))
            words = torch.cat([words, last.unsqueeze(-1)], -1)
            # Nothing is added to a sum but what is negative, and no caption is longer than this.
            if (sums[:, 0] / (self.longest + 1) ** length_penalty <= scores[:, -1]).all():
                break
        return Written(*self._written(memory, ended), scores)

    def _states(self, memory: Memory, words: Tensor) -> Tensor:
        """float [B, 1 + L, W]"""
        if words.shape[1] > self.longest:
            raise SettingsError(
                f"{words.shape[1]} words, but the decoder was made for {self.longest}: use a "
                "shorter caption."
            )
        begun = torch.cat([words.new_full((len(words), 1), END), words], 1)  # [B, 1 + L]
        length = begun.shape[1]
        return self.blocks(
            self.dropout(self.words(begun) + self.positions[:length]),
            memory.features,
            tgt_mask=self.later[:length, :length],
            memory_key_padding_mask=~memory.mask,
            tgt_is_causal=True,
        )

    def _classified(self, states: Tensor) -> Tensor:
        """Log-probabilities of all words, at least in float32: [..., W] -> [..., N]."""
        logits = states @ self.words.weight.mT + self.bias
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)

    def _allowed(self, memory: Memory, words: Tensor) -> Tensor:
        """Log-probabilities of the word behind `words` [B, L], float [B, N].

        -inf of UNKNOWN, and of END where it would be the only word.
        """
        following = self._classified(self._states(memory, words)[:, -1])
        following[:, UNKNOWN] = -torch.inf
        if not words.shape[1]:
            following[:, END] = -torch.inf
        return following

    def _written(self, memory: Memory, words: Tensor) -> tuple[Tensor, Tensor]:
        """Captions [B, K, L] as long as the longest, with its END, and their log-probabilities."""
        words = words[..., : int((~_behind_end(words)).sum(-1).max())]
        many = memory.repeated(words.shape[1])
        found = self.log_probabilities(many, words.flatten(0, 1))
        return words, found.unflatten(0, words.shape[:2])


def _behind_end(words: Tensor) -> Tensor:
    """What stands behind the first END, bool [..., L]."""
    ends = (words == END).cumsum(-1)
    return ends - (words == END).long() > 0


def _along(rows: Tensor, table: Tensor) -> Tensor:
    """Indices [B, K] for `table` [B, N, L].gather(1, ...)."""
    return rows.unsqueeze(-1).expand(-1, -1, table.shape[-1])
