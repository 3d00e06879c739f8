"""What a figure of a contrast draws: A, B, and the difference of their games, placed alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from explainers.coalition_graph import GameLevel
from hbi_core.figures.explained import Explained
from hbi_core.figures.grades import Grade
from hbi_core.figures.layout import Cell, LevelLayout, Token
from hbi_core.figures.lines import Link, links_of
from hbi_core.figures.shown_links import Beside, OtherLinks, Values
from hbi_core.figures.view import FigureView, faded_words

Pairs = Mapping[str, Tensor]  # by level, as `shown_links` takes them
FOR_A, FOR_B = "#b35806", "#542788"  # told apart in grey and by colour-blind readers
WEAKEST = 0.25  # share of the level's widest difference; weaker lines are not drawn
MOST = 20  # lines of a level
_WIDTHS = ((0.75, 2.2), (0.5, 1.4), (WEAKEST, 0.8))  # of lines of at least such a share, points


class Both(Protocol):
    """A frame or a word of A, of B, or of both."""

    @property
    def a(self) -> int | None:
        """Its index in A."""

    @property
    def b(self) -> int | None:
        """Its index in B."""


class DifferencePlayer(Protocol):
    """A player of the difference game."""

    @property
    def members(self) -> Sequence[int]:
        """The frames or words that it stands for, in the row of both."""

    @property
    def label(self) -> str:
        """Its words, or the numbers of its frames."""

    @property
    def a(self) -> int | None:
        """Its index in A."""

    @property
    def b(self) -> int | None:
        """Its index in B."""

    @property
    def difference(self) -> float:
        """How much it speaks for A rather than B."""


class DifferenceLevel(Protocol):
    """A level of the difference game."""

    @property
    def name(self) -> str:
        """Of the level."""

    @property
    def difference(self) -> float:
        """Of the scores."""

    @property
    def video_players(self) -> Sequence[DifferencePlayer]:
        """V players."""

    @property
    def text_players(self) -> Sequence[DifferencePlayer]:
        """T players."""

    @property
    def interactions(self) -> Tensor:
        """[2, V, T], in A and in B."""


class Contrasted(Protocol):
    """What is drawn."""

    @property
    def a(self) -> Explained:
        """Drawn left."""

    @property
    def b(self) -> Explained:
        """Drawn right."""

    @property
    def frames(self) -> Sequence[Both]:
        """Of both in one row."""

    @property
    def words(self) -> Sequence[Both]:
        """Of both in one row."""

    @property
    def levels(self) -> Sequence[DifferenceLevel]:
        """Of the difference game."""

    @property
    def told(self) -> tuple[str, str]:
        """What A is and what B is."""


@dataclass(frozen=True)
class _Player:
    """As `lay_out` wants to have it."""

    frames: Sequence[int]
    words: Sequence[int]
    text: str


@dataclass(frozen=True)
class _Level:
    name: str
    score: float
    video_tokens: Sequence[_Player]
    text_tokens: Sequence[_Player]


@dataclass(frozen=True)
class _Frames:
    pictures: np.ndarray
    times: Sequence[float]


@dataclass(frozen=True)
class Joined:
    """The players of the difference game, as `hbi_core.figures.layout.lay_out` places them."""

    words: Sequence[str]
    levels: Sequence[_Level]
    video: _Frames


def joined(contrast: Contrasted) -> Joined:
    """The words and frames of both, each once where both have it; pictures in the shape of A's."""
    a, b = contrast.a, contrast.b
    words = [a.words[one.a] if one.a is not None else b.words[one.b or 0] for one in contrast.words]
    height, width = a.video.pictures.shape[1:3]
    pictures, times = [], []
    for one in contrast.frames:
        video, index = (a.video, one.a) if one.a is not None else (b.video, one.b or 0)
        picture = video.pictures[index]
        if picture.shape[:2] != (height, width):
            picture = np.asarray(ImageOps.fit(Image.fromarray(picture), (width, height)))
        pictures.append(picture)
        times.append(video.times[index])
    return Joined(words, levels_of(contrast), _Frames(np.stack(pictures), times))


def levels_of(contrast: Contrasted) -> list[_Level]:
    """The players of the difference game, level by level."""
    return [
        _Level(
            level.name,
            level.difference,
            [_Player(player.members, (), player.label) for player in level.video_players],
            [_Player((), player.members, player.label) for player in level.text_players],
        )
        for level in contrast.levels
    ]


def colours_of(level: DifferenceLevel, placed: LevelLayout) -> dict[str, str]:
    """The colour of each player that A alone or B alone has, by its name in the layout."""
    colours = {}
    for tokens, players in (
        (placed.video_tokens, level.video_players),
        (placed.text_tokens, level.text_players),
    ):
        for token, player in zip(tokens, players, strict=True):
            if player.a is None or player.b is None:
                colours[token.id] = FOR_B if player.a is None else FOR_A
    return colours


def faded_of_both(contrast: Contrasted) -> tuple[int, ...]:
    """The function words of both, as indices into `contrast.words`."""
    a, b = (faded_words(one.words) for one in (contrast.a, contrast.b))
    return tuple(number for number, word in enumerate(contrast.words) if word.a in a or word.b in b)


def difference_view(view: FigureView) -> FigureView:
    """What of a view holds for differences: those of interactions, of both signs, and widest."""
    return replace(
        view,
        top=min(view.top or MOST, MOST),
        threshold=max(view.threshold, WEAKEST),
        measure="interaction",
        sign="both",
        sides=False,
    )


def difference_links(
    level: DifferenceLevel, placed: LevelLayout, view: FigureView | None = None
) -> list[Link]:
    """The widest differences of interactions as lines, the weakest first."""
    differences = level.interactions[0] - level.interactions[1]
    strengths = differences.abs()
    compared = OtherLinks(level.name, strengths, Values(strengths))
    links = []
    for link in links_of(compared, placed, difference_view(view or FigureView())):
        value = float(differences[link.first, link.second])
        grade = line_of(value > 0, link.share)
        links.append(
            replace(link, value=value, interaction=value, similarity=None, rank=None, grade=grade)
        )
    return links


def lines_of(for_a: bool) -> tuple[Grade, ...]:
    """The lines of A or of B, from the widest."""
    name, colour = ("A", FOR_A) if for_a else ("B", FOR_B)
    return tuple(Grade(name, least, colour, width, 0.9, not for_a) for least, width in _WIDTHS)


def line_of(for_a: bool, share: float = 1.0) -> Grade:
    """Solid for A, dotted for B, so that they are told apart in grey."""
    return next(grade for grade in lines_of(for_a) if share >= grade.least)


def graded_alike(
    contrast: Contrasted,
    name: str,
    placed: Sequence[LevelLayout],
    view: FigureView | None = None,
    pairs: Sequence[Pairs] = ({}, {}),
) -> list[tuple[Link, ...]]:
    """The lines of a level in A and in B, whose colours are shares of one highest interaction."""
    difference = next(level for level in contrast.levels if level.name == name)
    both = [_level(one, name) for one in (contrast.a, contrast.b)]
    lines = []
    for which, (level, other) in enumerate(zip(both, reversed(both), strict=True)):
        video, text = (
            _same(players, which) for players in (difference.video_players, difference.text_players)
        )
        beside = Beside(other, video, text, pairs[1 - which].get(name))
        lines.append(links_of(level, placed[which], view, pairs[which].get(name), beside))
    return lines


def _level(explained: Explained, name: str) -> GameLevel:
    return next(level for level in explained.levels if level.name == name)


def _same(players: Sequence[DifferencePlayer], which: int) -> list[int | None]:
    """For each player of A (0) or of B (1) its index in the other, or None."""
    indices = [(player.a, player.b) for player in players]
    known = {pair[which]: pair[1 - which] for pair in indices if pair[which] is not None}
    return [known[index] for index in sorted(index for index in known if index is not None)]


def links_renamed(links: Sequence[Link], prefix: str) -> list[Link]:
    """As `renamed`."""
    return [
        replace(link, ends=(f"{prefix}/{link.ends[0]}", f"{prefix}/{link.ends[1]}"))
        for link in links
    ]


def renamed(placed: LevelLayout, prefix: str) -> LevelLayout:
    """The same level, where names of players begin with `prefix/`: three graphs share a file."""

    def cells(some: Sequence[Cell]) -> tuple[Cell, ...]:
        return tuple(replace(one, id=f"{prefix}/{one.id}") for one in some)

    def tokens(some: Sequence[Token]) -> tuple[Token, ...]:
        return tuple(replace(one, id=f"{prefix}/{one.id}") for one in some)

    return replace(
        placed,
        words=cells(placed.words),
        frames=cells(placed.frames),
        text_tokens=tokens(placed.text_tokens),
        video_tokens=tokens(placed.video_tokens),
        boxes=tokens(placed.boxes),
    )
