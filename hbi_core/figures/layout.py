"""Where everything stands in a coalition figure, whatever draws it.

Per level, from the top: a row of words, lines, a row of frame thumbnails; boxes around what was
merged (HBI, Fig. 5), and around the phrases of an entity level that has some. Units are points; the
origin is at the top left, y grows downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from explainers import player_id
from explainers.coalition_graph import GameLevel
from hbi_core.figures.explained import Explained
from hbi_core.figures.labels import length_in_em, shortened
from hbi_core.figures.view import FigureView, shown_levels


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A word or a thumbnail: its rectangle, which word or frame it is, and the player it is."""

    id: str
    index: int
    label: str
    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Token:
    """A player, by its name in the coalition graph: the rectangle around its cells."""

    id: str
    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


@dataclass(frozen=True, kw_only=True)
class LevelLayout:
    """Where the players of one level stand; `lines.links_of` draws lines between them.

    `boxes` are the players that boxes are drawn around; `arcs` is the room above the words and
    below the frames, for links within a side, and `bars` that beyond it, for values.
    """

    name: str
    score: float
    top: float
    bottom: float
    arcs: float
    bars: float
    words: tuple[Cell, ...]
    frames: tuple[Cell, ...]
    text_tokens: tuple[Token, ...]
    video_tokens: tuple[Token, ...]
    boxes: tuple[Token, ...]


@dataclass(frozen=True, kw_only=True)
class FigureLayout:
    """The whole figure: its size, its unit, the size of its words and whether they are turned."""

    width: float
    height: float
    em: float
    font: float
    vertical_words: bool
    levels: tuple[LevelLayout, ...]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How high the rows of a level are, in em.

    Args:
        links: height of the lines from words to frames.
        frames: a thumbnail is no higher.
        cut: thumbnails that would be are strips as wide as before, rather than smaller pictures.
        pad: between a box and its cells.
    """

    links: float = 6.0
    frames: float = inf
    cut: bool = False
    pad: float = 0.35


_MARGIN = 4.0  # em left of the rows, for the name of the level
_GAP = 1.4  # em between the tokens of a row
_PHRASE_GAP = 1.1  # em between those of a row of phrases of the entity level
TURNED_PAD = 0.3  # em below words that are turned, and above the longest of them
_MOST_GAPS = 0.3  # of a row of words that are turned
_BARS = 2.6  # em above words and below frames, where values are shown
_ARCS = 3.2  # em above words and below frames, where links within a side are shown


def lay_out(
    explanation: Explained,
    width: float,
    em: float,
    smallest_font: float,
    view: FigureView | None = None,
    rows: Rows | None = None,
    turned_length: Callable[[str], float] = length_in_em,
) -> FigureLayout:
    """Place the players of an explanation.

    Args:
        explanation: what to draw.
        width: of the figure, points.
        em: the unit of all distances, and the size of the words where they fit, points.
        smallest_font: how small words are set before they are turned by 90 degrees, points. Turned
            words are set as small as they must be.
        view: which levels there are, and whether there is room for links within a side and for
            values; None: all levels and neither.
        rows: how high rows are; None: as `Rows` has them.
        turned_length: of a label in em, which is the height of a row of turned words.

    Raises:
        InputError: the explanation has none of these levels.
    """
    view, rows = view or FigureView(), rows or Rows()
    labels = [shortened(word) for word in explanation.words]
    entity, *_ = explanation.levels
    shown = shown_levels(explanation.levels, view)
    row = width - (_MARGIN + 0.5) * em
    gaps = [_GAP * len(level.text_tokens) for level in shown if level is not entity]
    if entity in shown and len(entity.text_tokens) < len(labels):
        gaps.append(_PHRASE_GAP * len(entity.text_tokens))
    taken = em * max(gaps, default=0.0)
    room = row - taken

    lengths = [length_in_em(label) + 0.9 for label in labels]
    vertical = room / _longest_row(explanation.levels, lengths) < smallest_font
    if vertical:
        lengths = [1.25] * len(labels)
        room = row - min(taken, _MOST_GAPS * row)
    font = min(em, room / _longest_row(explanation.levels, lengths))
    if vertical:
        word_height = max(map(turned_length, labels)) * font + 2 * TURNED_PAD * em
    else:
        word_height = 1.5 * em

    _, pixel_height, pixel_width, _ = explanation.video.pictures.shape
    aspect = min(max(pixel_height / pixel_width, 0.5), 1.2)
    height, levels = 0.4 * em, []
    for level in shown:
        layout = _lay_out_level(
            level,
            level is entity,
            labels,
            explanation.video.times,
            left=_MARGIN * em,
            top=height,
            row=row,
            word_widths=[font * length for length in lengths],
            word_height=word_height,
            frame_aspect=aspect,
            em=em,
            rows=rows,
            tight=(row - room) / taken if taken else 1.0,
            arcs=_ARCS * em if view.shows_sides else 0.0,
            bars=_BARS * em if view.values else 0.0,
        )
        levels.append(layout)
        height = layout.bottom + 1.6 * em
    return FigureLayout(
        width=width,
        height=height + 1.4 * em,
        em=em,
        font=font,
        vertical_words=vertical,
        levels=tuple(levels),
    )


def _longest_row(levels: Sequence[GameLevel], lengths: Sequence[float]) -> float:
    """Of the words of a level; a word may be of several players."""
    return max(
        sum(lengths[word] for token in level.text_tokens for word in token.words)
        for level in levels
    )


def _lay_out_level(
    level: GameLevel,
    is_entity: bool,
    labels: Sequence[str],
    times: Sequence[float],
    *,
    left: float,
    top: float,
    row: float,
    word_widths: Sequence[float],
    word_height: float,
    frame_aspect: float,
    em: float,
    rows: Rows,
    tight: float,
    arcs: float,
    bars: float,
) -> LevelLayout:
    merged = len(level.text_tokens) < len(labels) or len(level.video_tokens) < len(times)
    pad = rows.pad * em if merged else 0.0
    gap = (_PHRASE_GAP if is_entity else _GAP) * em if merged else 0.0
    word_top = top + bars + arcs + pad
    words, text_tokens = _lay_out_row(
        level.name,
        "text",
        [token.words for token in level.text_tokens],
        labels,
        word_widths,
        left,
        word_top,
        row,
        word_height,
        tight * gap,
        tight * pad,
        stretch=True,
    )
    count = sum(len(token.frames) for token in level.video_tokens)
    video_gap, video_pad = (0.0, 0.0) if is_entity else (gap, pad)
    gaps = video_gap * (len(level.video_tokens) - 1) + 2 * video_pad
    cell = (row - gaps) / count
    frame_gap = min(0.2 * em, 0.15 * cell)
    frame_width = min(cell - frame_gap, 9.0 * em)
    if not rows.cut:
        frame_width = min(frame_width, rows.frames * em / frame_aspect)
    frame_height = min(frame_width * frame_aspect, rows.frames * em)
    frame_top = word_top + word_height + pad + rows.links * em + video_pad
    frames, video_tokens = _lay_out_row(
        level.name,
        "video",
        [token.frames for token in level.video_tokens],
        [f"frame {index + 1}, {seconds:.2f} s" for index, seconds in enumerate(times)],
        [frame_width + frame_gap] * len(times),
        left,
        frame_top,
        row,
        frame_height,
        video_gap,
        video_pad,
        inset=frame_gap / 2,
    )
    return LevelLayout(
        name=level.name,
        score=level.score,
        top=top,
        bottom=frame_top + frame_height + video_pad + arcs + bars,
        arcs=arcs,
        bars=bars,
        words=words,
        frames=frames,
        text_tokens=text_tokens,
        video_tokens=video_tokens,
        boxes=(*text_tokens, *(() if is_entity else video_tokens)) if merged else (),
    )


def _lay_out_row(
    level: str,
    modality: str,
    groups: Sequence[Sequence[int]],
    labels: Sequence[str],
    widths: Sequence[float],
    left: float,
    top: float,
    row: float,
    height: float,
    gap: float,
    pad: float,
    *,
    inset: float = 0.0,
    stretch: bool = False,
) -> tuple[tuple[Cell, ...], tuple[Token, ...]]:
    """Place groups of cells side by side; spare room goes between them, or into the words."""
    members = [index for group in groups for index in group]
    spare = row - sum(widths[index] for index in members) - gap * (len(groups) - 1) - 2 * pad
    extra = max(spare, 0.0) / len(members) if stretch else 0.0
    between = gap + (0.0 if stretch else max(spare, 0.0) / max(len(groups) - 1, 1))
    x = left + pad + (max(spare, 0.0) / 2 if not stretch and len(groups) == 1 else 0.0)
    cells, tokens = [], []
    for number, group in enumerate(groups):
        start, id = x, player_id(level, modality, number)
        for index in group:
            width = widths[index] + extra
            cells.append(
                Cell(
                    id=id,
                    index=index,
                    label=labels[index],
                    left=x + inset,
                    top=top,
                    width=width - 2 * inset,
                    height=height,
                )
            )
            x += width
        tokens.append(
            Token(
                id=id,
                left=start - pad,
                top=top - pad,
                width=x - start + 2 * pad,
                height=height + 2 * pad,
            )
        )
        x += between
    return tuple(cells), tuple(tokens)
