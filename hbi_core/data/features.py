"""Frozen features of a corpus, and the montages that can be made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from hbi_core.data.clips import Clip
from hbi_core.data.montage import groups_of, join
from hbi_core.encoders.tokens import TextPlayers, player_tokens
from hbi_core.model import Tokens, pad

_PARTS_OF_PLAYERS = {
    "features": "words",
    "counts": "counts",
    "context": "context",
    "steps": "steps",
}  # of `TextPlayers` -> their names in a file of encoded texts


class FoiledText(NamedTuple):
    """A foil as an encoder reads it.

    Attributes:
        players: in half precision.
        noun: which label the noun that was put in has, its place in the groups of the Tokens.
        replaced: which label the noun has that it replaced, in the true text.
    """

    players: TextPlayers
    noun: int
    replaced: int


@dataclass(frozen=True, eq=False)
class Features:
    """The features of the clips of a corpus.

    Attributes:
        clips: as in the corpus.
        frames: float16 [N, M, Dv]: the frames of each clip, then the views drawn for training.
            Padding is zero, or encoded where a released checkpoint is to read it.
        frame_mask: bool [N, M].
        plain: how many of the M are the clip's frames as they are; the rest are random views.
        words: float16 [W, Dt]: the text players of all captions of all clips, one after another;
            words, if they are no phrases.
        starts: int64 [C + 1], the first player of each caption.
        owners: int64 [C], the clip of each caption.
        padding: float16 [C L - W, Dt], or None: what stands after the words of each caption, for
            released checkpoints, whose texts have L tokens each.
        counts, context, steps: int64 [W], float16 [W, Dc], float16 [W], of the text players, or
            None; see `TextPlayers`.
        foils: by the number of a caption, its foil; of those that have one, if foils were asked
            for.
    """

    clips: tuple[Clip, ...]
    frames: Tensor
    frame_mask: Tensor
    plain: int
    words: Tensor
    starts: Tensor
    owners: Tensor
    padding: Tensor | None = None
    counts: Tensor | None = None
    context: Tensor | None = None
    steps: Tensor | None = None
    foils: Mapping[int, FoiledText] = field(default_factory=dict)

    def caption(self, number: int) -> Tensor:
        """float32 [T, Dt]"""
        return self.players(number).features

    def players(self, number: int) -> TextPlayers:
        """Of a caption, in float32."""
        own = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return TextPlayers(
            features=self.words[own].float(),
            counts=None if self.counts is None else self.counts[own],
            context=None if self.context is None else self.context[own].float(),
            steps=None if self.steps is None else self.steps[own].float(),
        )

    def joined_frames(self, numbers: Sequence[int]) -> Tensor:
        """float32 [at most F of each, Dv]: of a montage, the frames of these clips as they are."""
        shown = [
            self.frames[n, : self.plain][self.frame_mask[n, : self.plain]].float() for n in numbers
        ]
        return torch.cat(shown)

    def videos(self, numbers: slice | list[int]) -> Tokens:
        """The clips as they are, without random views."""
        return Tokens.original(
            self.frames[numbers, : self.plain].float(), self.frame_mask[numbers, : self.plain]
        )

    def texts(self, numbers: slice | list[int], words: int) -> Tokens:
        """These captions, padded to (and cut at) this many words."""
        chosen = torch.arange(len(self.owners))[numbers].tolist()
        padding = None
        if self.padding is not None:
            padding = [self.padding[self._places(n, words)].float() for n in chosen]
        return player_tokens([self.players(number) for number in chosen], words, padding)

    def _places(self, number: int, words: int) -> slice:
        """Where the [words - T] features of a caption lie in `padding`."""
        first, last = (n * words - int(self.starts[n]) for n in (number, number + 1))
        return slice(first, last)


def join_clips(features: Features, parts: int, seed: int) -> Features:
    """Montages: `parts` clips one after another, no clip in two of them.

    The n-th caption of a montage is made of the n-th captions of its clips, so that it has as many
    as the clip with the fewest.
    """
    count = len(features.clips)
    own = [(features.owners == clip).nonzero().flatten().tolist() for clip in range(count)]
    groups = groups_of(count, parts, seed)
    clips: list[Clip] = []
    texts: list[TextPlayers] = []
    for group in groups:
        joined = [features.clips[clip] for clip in group]
        captions = range(min(len(clip.captions) for clip in joined))
        spoken = [[clip.captions[n] for clip in joined] for n in captions]
        clips.append(join(joined, spoken, "+".join(clip.id for clip in joined)))
        texts += [
            TextPlayers.joined([features.players(own[clip][n]) for clip in group]) for n in captions
        ]
    players = TextPlayers.listed(texts)
    frames = pad([features.joined_frames(group) for group in groups], parts * features.plain)
    return Features(
        clips=tuple(clips),
        frames=frames.features.half(),
        frame_mask=frames.mask,
        plain=parts * features.plain,
        words=players.features.half(),
        starts=torch.tensor([0, *map(len, texts)]).cumsum(0),
        owners=torch.tensor([n for n, clip in enumerate(clips) for _ in clip.captions]),
        counts=players.counts,
        context=None if players.context is None else players.context.half(),
        steps=None if players.steps is None else players.steps.half(),
    )


def join_features(
    clips: tuple[Clip, ...],
    encoded: list[dict[str, Tensor]],
    frames: int,
    views: int,
    missing_frame: Tensor | None,
    foils: Sequence[dict[str, Tensor] | None] = (),
) -> Features:
    """The clips' tensors one after another, padded to the same number of frames.

    Args:
        clips: N of them.
        encoded: of each, frames [at most F, Dv], words [T, Dt] of all its captions, the lengths
            [C] of these; views [V, Dv] if there are some; padding [P, Dt] with `missing_frame`;
            counts, context and steps of phrases.
        frames: F.
        views: V.
        missing_frame: [1, Dv], what stands for a frame that a clip does not have; None for zeros.
        foils: of each clip what `encode_foils` gives, or None; nothing where none were asked for.
    """
    width = encoded[0]["frames"].shape[-1]
    frame_features = torch.zeros(len(clips), frames + views, width).half()
    if missing_frame is not None:
        frame_features[:] = missing_frame
    mask = torch.zeros(frame_features.shape[:2], dtype=torch.bool)
    for row, real, tensors in zip(frame_features, mask, encoded, strict=True):
        shown = len(tensors["frames"])
        row[:shown], real[:shown] = tensors["frames"], True
        if views:
            row[frames:], real[frames:] = tensors["views"], True
    lengths = torch.cat([tensors["lengths"] for tensors in encoded])
    return Features(
        clips=clips,
        frames=frame_features,
        frame_mask=mask,
        plain=frames,
        words=torch.cat([tensors["words"] for tensors in encoded]),
        starts=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        owners=torch.tensor([n for n, clip in enumerate(clips) for _ in clip.captions]),
        padding=None if missing_frame is None else torch.cat([t["padding"] for t in encoded]),
        **{
            name: torch.cat([tensors[name] for tensors in encoded])
            for name in ("counts", "context", "steps")
            if name in encoded[0]
        },
        foils=_by_caption(clips, foils) if foils else {},
    )


def _by_caption(
    clips: Sequence[Clip], foils: Sequence[dict[str, Tensor] | None]
) -> dict[int, FoiledText]:
    """The foils of each clip, by the numbers of their captions among those of all clips.

    Those of which it is not known where their noun is are left out.
    """
    known, first = {}, 0
    for clip, tensors in zip(clips, foils, strict=True):
        if tensors is not None:
            lengths = tensors["lengths"].tolist()
            parts = {
                name: tensors[key].split(lengths)
                for name, key in _PARTS_OF_PLAYERS.items()
                if key in tensors
            }
            places = (tensors[name].tolist() for name in ("captions", "nouns", "replaced"))
            for n, (place, noun, replaced) in enumerate(zip(*places, strict=True)):
                if min(noun, replaced) >= 0:
                    players = TextPlayers(**{name: own[n] for name, own in parts.items()})
                    known[first + place] = FoiledText(players, noun, replaced)
        first += len(clip.captions)
    return known
