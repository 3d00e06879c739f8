"""Bars beside the players of a figure for print: a value each, on one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from hbi_core.figures.layout import Token

_LABEL = 0.75  # em


@dataclass(frozen=True)
class Scale:
    """How long bars are, and where they begin: the bars of a level share one."""

    values: Sequence[float]
    height: float

    @property
    def per_unit(self) -> float:
        extent = _extent(self.values)
        return self.height / extent if extent > 0 else 0.0

    @property
    def zero(self) -> float:
        """Points from the top of the row of bars to their beginning."""
        return max(0.0, *self.values) * self.per_unit

    def of(self, values: Sequence[float]) -> Scale:
        """The same scale for some of the values, only as high as their bars."""
        return Scale(values, self.per_unit * _extent(values))


def _extent(values: Sequence[float]) -> float:
    return max(0.0, *values) - min(0.0, *values)


def draw_bars(
    axes: Axes,
    tokens: Sequence[Token],
    values: Sequence[float],
    scale: Scale,
    top: float,
    em: float,
    style: Callable[[float], dict[str, Any]],
    opacities: Mapping[str, float] | None = None,
) -> None:
    """A row of bars, positive values up, and the ends of the scale left of it.

    Args:
        axes: in points, y downwards.
        tokens: the players.
        values: of these.
        scale: of the level.
        top: of the row.
        em: the unit of the figure.
        style: of the bar of a value.
        opacities: of the bars of some players, by name.
    """
    zero = top + scale.zero
    ends = min(token.left for token in tokens), max(token.left + token.width for token in tokens)
    axes.plot(ends, (zero, zero), color="0.25", lw=0.5)
    for token, value in zip(tokens, values, strict=True):
        length = value * scale.per_unit
        width = min(0.6 * token.width, 1.6 * em)
        axes.add_patch(
            Rectangle(
                (token.middle - width / 2, zero - max(length, 0.0)),
                width,
                abs(length),
                linewidth=0.7,
                gid=f"{token.id}/bar",
                alpha=(opacities or {}).get(token.id),
                **style(value),
            )
        )
    labelled = sorted({max(0.0, *scale.values), min(0.0, *scale.values)} - {0.0}, key=abs)
    if scale.height < _LABEL * em:
        labelled = labelled[-1:]  # the other would stand on it
    for value in labelled:
        axes.text(
            ends[0] - 0.4 * em,
            zero - value * scale.per_unit,
            f"{value:+.3f}".replace("-", "−"),
            ha="right",
            va="center",
            fontsize=_LABEL * em,
            color="0.25",
        )
