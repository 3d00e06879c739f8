"""Which players of a figure are chosen, and which links stay then; as coalition_view.js has it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from explainers import player_id
from explainers.coalition_graph import TextPlayer, VideoPlayer
from hbi_core.figures.labels import frames_in_words
from hbi_core.figures.shown_links import ShownLink

_MOST_NAMES = 6
Labels = tuple[Sequence[str], Sequence[str]]  # of video and of text players


class Players(Protocol):
    """Those of a level."""

    @property
    def name(self) -> str:
        """Of the level."""

    @property
    def video_tokens(self) -> Sequence[VideoPlayer]:
        """V players."""

    @property
    def text_tokens(self) -> Sequence[TextPlayer]:
        """T players."""


@dataclass(frozen=True)
class Chosen:
    """Players of a level that a figure brings out.

    Attributes:
        level: its name.
        video, text: indices of video and of text players, increasing; not both empty.
        own: whether they were chosen at this level, or share members with those who were.
    """

    level: str
    video: tuple[int, ...] = ()
    text: tuple[int, ...] = ()
    own: bool = True

    @property
    def alone(self) -> bool:
        """Whether it is one word, whatever frames are with it, or one frame without words."""
        return len(self.text) == 1 or (not self.text and len(self.video) == 1)

    def keeps(self, link: ShownLink) -> bool:
        """Whether a link of the level stays: one between the two sides, where both have some."""
        if link.kind == "cross":
            return all(
                not own or end in own
                for own, end in ((self.video, link.first), (self.text, link.second))
            )
        own = self.video if link.kind == "video" else self.text
        return link.first in own or link.second in own


def players_of(names: Collection[str], level: Players) -> Chosen | None:
    """The players of a level among these names, as `FigureView` has them; None where none is."""
    video, text = (
        tuple(index for index in range(count) if player_id(level.name, side, index) in names)
        for side, count in (("video", len(level.video_tokens)), ("text", len(level.text_tokens)))
    )
    return Chosen(level.name, video, text) if video or text else None


def chosen_of(names: Collection[str], levels: Iterable[Players]) -> Chosen | None:
    """The chosen players of the first level that has some; None where none has.

    Args:
        names: of players, as `FigureView.chosen` has them.
        levels: all of an explanation, whether shown or not.
    """
    return next(filter(None, (players_of(names, level) for level in levels)), None)


def seen_at(level: Players, chosen: Chosen | None, levels: Iterable[Players]) -> Chosen | None:
    """What is brought out at a level: who is chosen there, or shares members with who is elsewhere.

    Args:
        level: which one.
        chosen: of one of the levels.
        levels: all.

    Returns:
        None where it is nobody: all links stay.
    """
    if chosen is None or chosen.level == level.name:
        return chosen
    source = next(one for one in levels if one.name == chosen.level)
    frames = {frame for index in chosen.video for frame in source.video_tokens[index].frames}
    words = {word for index in chosen.text for word in source.text_tokens[index].words}
    video = _sharing(frames, [token.frames for token in level.video_tokens])
    text = _sharing(words, [token.words for token in level.text_tokens])
    return Chosen(level.name, video, text, own=False) if video or text else None


def _sharing(members: set[int], players: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(index for index, own in enumerate(players) if members & set(own))


def labels_of(level: Players) -> Labels:
    """What figures call the video and the text players of a level: "frames 1–4", "“tabby cat”"."""
    frames = [frames_in_words(token.frames) for token in level.video_tokens]
    return frames, [f"“{token.text}”" for token in level.text_tokens]


def named_in_words(players: Chosen, labels: Labels) -> str:
    """Players as a reader lists them, words first; of many, the first ones and how many more.

    Example:
        >>> named_in_words(Chosen("entity", (0, 1), (1,)), (["frame 1", "frame 2"], ["“a”", "“b”"]))
        '“b”, frame 1 and frame 2'
    """
    frames, texts = labels
    names = [*(texts[index] for index in players.text), *(frames[i] for i in players.video)]
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def chosen_in_words(chosen: Chosen, labels: Labels, elsewhere: bool = True) -> str:
    """What is brought out, as a phrase without a capital or a stop.

    Args:
        chosen: the players.
        labels: of all video and of all text players of their level.
        elsewhere: whether there are other levels in the figure.

    Example:
        >>> chosen_in_words(Chosen("entity", (), (1,)), (["frame 1"], ["“a”", "“cat”"]))
        'links of “cat”, and of what shares words with it, stand out'
    """
    words, frames = replace(chosen, video=()), replace(chosen, text=())
    of = named_in_words(chosen, labels)
    if chosen.video and chosen.text:
        of = f"{named_in_words(words, labels)} with {named_in_words(frames, labels)}"
    shared = " or ".join([*["words"] * bool(chosen.text), *["frames"] * bool(chosen.video)])
    them = "them" if len(chosen.video) + len(chosen.text) > 1 else "it"
    related = f", and of what shares {shared} with {them}," if elsewhere else ""
    return f"links of {of}{related} stand out"
