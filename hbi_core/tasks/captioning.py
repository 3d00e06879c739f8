"""Captioning: the video tokens of all levels -> a sentence, written word by word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hbi_core.checkpoints.checkpoint import Checkpoint
from hbi_core.data import Clip
from hbi_core.data.batch import Batch
from hbi_core.data.features import Features
from hbi_core.devices import gather
from hbi_core.encoders import Encoder
from hbi_core.errors import SettingsError
from hbi_core.inputs.text import parse_caption
from hbi_core.losses import LossConfig
from hbi_core.model import Tokens
from hbi_core.model.decoder import (
    END,
    LENGTH_PENALTY,
    SPECIAL,
    UNKNOWN,
    Decoder,
    DecoderConfig,
    Memory,
    Written,
)
from hbi_core.settings import COUNT, SHARE_BELOW_ONE, check
from hbi_core.tasks.base import Results, RunSettings, Task
from hbi_core.tasks.captioning_metrics import has_java, measure

_APART = re.compile(r"(?<=\w)\s+'s\b")
_AT_ONCE = 128  # clips that are described together


@dataclass(frozen=True)
class CaptioningSettings(DecoderConfig):
    """The decoder, its words, and how it learns and writes.

    Attributes:
        at_least: The vocabulary has the words that the training captions say so often.
        smoothing: So much of the probability of a word is shared among all words (label smoothing).
        without_video: This share of the training captions is written without the video, so that a
            caption of no frame is one of the language alone.
        beams: Beam search keeps so many beginnings; 1 takes the most probable word each time.
        length_penalty: A caption's log-probability is divided by its length to the power of this.
        vocabulary: The words; those of the training captions, the most frequent first.
    """

    at_least: int = 3
    smoothing: float = 0.1
    without_video: float = 0.05
    beams: int = 5
    length_penalty: float = 1.0
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self,
            "task_settings.",
            **dict.fromkeys(("at_least", "beams"), COUNT),
            **dict.fromkeys(("smoothing", "without_video"), SHARE_BELOW_ONE),
            length_penalty=LENGTH_PENALTY,
        )


class CaptioningTask(Task):
    """Captioning (HBI, version 2): teacher forcing over the tokens of the three levels.

    Words are those of `parse_caption`, in lower case. Text tokens have no part in it.

    Args:
        heads: the model with what it reads.
        loss: not used.
        encoder: one that learns; None where the batches hold frozen features.
        settings: with a vocabulary.
    """

    name = "captioning"
    Settings = CaptioningSettings
    score_name = "CIDEr"
    own: Decoder

    def __init__(
        self,
        heads: Checkpoint,
        loss: LossConfig,
        encoder: Encoder | None = None,
        settings: CaptioningSettings = CaptioningSettings(),
    ) -> None:
        super().__init__(heads, loss, encoder, settings)
        words, config = len(settings.vocabulary), heads.config
        self.own = Decoder(SPECIAL + words, config.width, len(config.levels), settings)
        self.numbers = {word: SPECIAL + n for n, word in enumerate(settings.vocabulary)}

    @property
    def losses(self) -> list[str]:
        """Names of the losses, "total" left out."""
        return ["caption"]

    @classmethod
    def check(cls, config: RunSettings) -> None:
        """Whether clips have captions of their own, and nothing of the model waits for a text.

        Raises:
            SettingsError: montages or a reconstruction are asked for.
        """
        if config.data.montages or config.data.validation_parts > 1:
            raise SettingsError(
                "Captioning describes clips one by one: set data.montages=0 and "
                "data.validation_parts=1."
            )
        if config.model.reconstruction:
            raise SettingsError(
                "A reconstruction rebuilds the tokens of a pair, and a clip that is described has "
                "no text yet: set model.reconstruction=false."
            )

    @classmethod
    def complete(cls, settings: CaptioningSettings, clips: Sequence[Clip]) -> CaptioningSettings:
        """With the vocabulary of the training captions.

        Raises:
            SettingsError: no word is said often enough.
        """
        said = Counter(word for clip in clips for text in clip.captions for word in words_of(text))
        often = [word for word, count in said.items() if count >= settings.at_least]
        if not often:
            raise SettingsError(
                f"No word of the training captions is said {settings.at_least} times: set "
                "task_settings.at_least lower."
            )
        vocabulary = tuple(sorted(often, key=lambda word: (-said[word], word)))
        return replace(settings, vocabulary=vocabulary)

    def prepare(self, clips: Sequence[Clip]) -> None:
        """Number the words of the training captions."""
        captions = [self.encoded(text) for clip in clips for text in clip.captions]
        self._words = torch.stack([words for words, _ in captions])  # [C, longest + 1]
        self._lengths = torch.tensor([length for _, length in captions])

    def encoded(self, caption: str) -> tuple[Tensor, int]:
        """The numbers of a caption's words, and how many of them are to be learnt.

        Returns:
            int64 [longest + 1], filled up with END; and the number of words with END. Of a caption
            that is too long, the first words, without END.
        """
        known = [self.numbers.get(word, UNKNOWN) for word in words_of(caption)]
        longest = self.settings.longest
        row = torch.full((longest + 1,), END)
        row[: len(known[:longest])] = torch.tensor(known[:longest])
        return row, len(known) + 1 if len(known) <= longest else longest

    def text(self, words: Tensor) -> str:
        """The words before the first END, int64 [L], as a text."""
        numbers = words.tolist()
        end = numbers.index(END) if END in numbers else len(numbers)
        return " ".join(self.settings.vocabulary[number - SPECIAL] for number in numbers[:end])

    def memory(self, videos: Tokens) -> Memory:
        """What the decoder reads of clips: their tokens at all levels.

        Args:
            videos: the encoder's features of their frames, [B, F, Dv].
        """
        return self.own.memory([p.tokens for p in self.hierarchy.players("video", videos)])

    def write(self, memory: Memory) -> Written:
        """Captions as the settings have them written."""
        beams = self.settings.beams
        if beams == 1:
            return self.own.greedy(memory)
        return self.own.beam(memory, beams, self.settings.length_penalty)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task`. With several processes, every word of all of them counts alike."""
        memory = self.memory(self.video_tokens(batch))
        if self.training and self.settings.without_video:
            hidden = torch.rand(len(memory), 1) < self.settings.without_video
            mask = memory.mask & ~hidden.to(memory.mask.device)
            mask[:, 0] = True
            memory = replace(memory, mask=mask)
        captions = torch.tensor([sample.captions[0] for sample in batch.samples])
        lengths = self._lengths[captions].to(memory.mask.device)
        words = self._words[captions, : int(lengths.max())].to(memory.mask.device)
        learnt = torch.arange(words.shape[1], device=words.device) < lengths.unsqueeze(-1)
        probable = self.own(memory, words[:, :-1], learnt)  # [P, N]
        right = probable.gather(-1, words[learnt].unsqueeze(-1)).sum()
        smoothing = self.settings.smoothing
        loss = -(1 - smoothing) * right - smoothing * probable.mean(-1).sum()
        mean = loss / gather(lengths.sum().view(1)).float().mean()
        return {"caption": mean, "total": mean}

    def validate(self, features: Features) -> Results:
        """BLEU-4, ROUGE-L and CIDEr of what it writes, without Java.

        So the checkpoint that is chosen does not depend on whether a machine has one.
        """
        return self._measured(features, java=False)

    def evaluate(self, features: Features) -> Results:
        """The same as papers have it, and METEOR, where there is Java."""
        return self._measured(features, java=has_java())

    @torch.no_grad()
    def captions(self, features: Features) -> list[str]:
        """The best caption of each clip."""
        device = self.own.bias.device
        best: list[str] = []
        for start in range(0, len(features.clips), _AT_ONCE):
            videos = features.videos(slice(start, start + _AT_ONCE)).map(lambda x: x.to(device))
            best += map(self.text, self.write(self.memory(videos)).words[:, 0].cpu())
        return best

    def score(self, results: Results) -> float:
        """CIDEr."""
        (metrics,) = results.values()
        return metrics["CIDEr"]

    def _measured(self, features: Features, java: bool) -> Results:
        people = [clip.captions for clip in features.clips]
        scores = measure(self.captions(features), people, java)
        return {scores.name: scores.metrics()}


def words_of(caption: str) -> list[str]:
    """The words of a caption as they are written here: in lower case, without punctuation.

    An 's that stands apart, as in Flickr8k, belongs to the word before.
    """
    return [word.text.lower() for word in parse_caption(_APART.sub("'s", caption)).words]
