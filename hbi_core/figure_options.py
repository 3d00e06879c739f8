"""What the commands that write figures are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from hbi_core.command_line import metavar_of
from hbi_core.figures.print_style import FONTS, WIDTHS
from hbi_core.figures.view import FigureView
from hbi_core.settings import check, one_of


@dataclass(frozen=True)
class FigureOptions:
    """Of the figures that are written."""

    width: Annotated[str, metavar_of(WIDTHS)] = "text"
    """The figure is as wide as a page of text (6.875 in) or as a column (3.25 in)."""
    font: Annotated[str, metavar_of(FONTS)] = "sans"
    """The figure has letters without serifs, or those that go with Times."""
    view: Annotated[str | None, tyro.conf.arg(metavar="QUERY")] = None
    """The figure shows this, written as in the address of the page: "levels=entity&top=10", for
    example. docs/figures.md lists the settings. Without it, all links across the sides are shown,
    and of an explanation.json what it says itself."""

    def __post_init__(self) -> None:
        check(self, width=one_of(tuple(WIDTHS)), font=one_of(tuple(FONTS)))
        _ = self.shown  # refused before the video is read

    @property
    def shown(self) -> FigureView | None:
        """What the figure shows; None leaves it to the explanation.

        Raises:
            SettingsError: there is no such view.
        """
        return None if self.view is None else FigureView.from_query(self.view, strict=True)
