"""The contrast that answers: A, B and their difference, drawn in the browser."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from hbi_core.figures.coalition_html import (
    Shown,
    document_of,
    framed,
    script_json,
    view_data,
)
from hbi_core.figures.contrast_view import (
    MOST,
    WEAKEST,
    Contrasted,
    faded_of_both,
    lines_of,
)
from hbi_core.figures.view import FigureView

_DRAW = "hbi.contrastView"
_OF_ONE = ("pairs", "faded_words", "aspect")


class ShownContrast(Contrasted, Protocol):
    """What the browser draws: a contrast."""

    @property
    def a(self) -> Shown:
        """Drawn left."""

    @property
    def b(self) -> Shown:
        """Drawn right."""

    @property
    def title(self) -> str:
        """Of the document."""

    def to_dict(self) -> dict[str, Any]:
        """The contents of contrast.json."""


def contrast_data(contrast: ShownContrast, view: FigureView | None = None) -> dict[str, Any]:
    """All that the scripts draw.

    Returns:
        `contrast`, as in contrast.json; `told`, what A and B are; `grades`, `outlier` and `view` as
        of `view_data`; of `a` and of `b` its `pairs`, `faded_words` and `aspect`; and of the
        `difference` its `faded_words`, how `lines` are drawn that are stronger in A and in B, and
        which ones are: `most` of a level, from the share `weakest` on.
    """
    a, b = (view_data(one, view) for one in (contrast.a, contrast.b))
    return {
        "contrast": contrast.to_dict(),
        "told": list(contrast.told),
        **{name: a[name] for name in ("grades", "outlier", "view")},
        **{name: {key: of[key] for key in _OF_ONE} for name, of in (("a", a), ("b", b))},
        "difference": {
            "faded_words": list(faded_of_both(contrast)),
            "lines": [[asdict(line) for line in lines_of(for_a)] for for_a in (True, False)],
            "most": MOST,
            "weakest": WEAKEST,
        },
    }


def contrast_json(contrast: ShownContrast, view: FigureView | None = None) -> str:
    """`contrast_data` as JSON that may stand inside <script>, whatever the captions say."""
    return script_json(contrast_data(contrast, view))


def contrast_html(contrast: ShownContrast, view: FigureView | None = None) -> str:
    """A document with the contrast that answers, which needs no other file and no network."""
    return document_of(contrast.title, _DRAW, contrast_json(contrast, view))


def contrast_in_notebook(contrast: ShownContrast, view: FigureView | None = None) -> str:
    """The same inside a notebook, apart from its styles and scripts."""
    return framed(contrast_html(contrast, view), "Contrast")
