"""What every figure for print shares: widths, fonts, and files that are the same every time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font

from hbi_core.figures.explained import Explained
from hbi_core.figures.labels import length_in_em

WIDTHS = {"text": 6.875, "column": 3.25}  # inches, of a two-column paper
POINTS = 72.0
EM = {"text": 8.0, "column": 6.0}  # points
_SIZE = 100.0  # points, at which letters are measured
# matplotlib brings DejaVu and STIX, which goes with Times; the others draw the scripts that these
# lack, where they are installed.
_SANS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Segoe UI Symbol",
    "Symbola",
)
FONTS = {
    "sans": _SANS,
    "serif": ("STIXGeneral", "DejaVu Serif", "Noto Serif", "Noto Serif CJK SC", *_SANS),
}


def without_font(explanation: Explained) -> str:
    """Characters of the caption that no installed font can draw; a figure shows boxes for them."""
    fonts = [get_font(findfont(font)) for font in _installed_fonts("sans")]
    characters = sorted(set("".join(explanation.words)))
    return "".join(
        character
        for character in characters
        if not any(font.get_char_index(ord(character)) for font in fonts)
    )


def drawn_in_em(label: str) -> float:
    """Width of a label in em as it is drawn, letter by letter, in the widest of the fonts."""
    font = get_font(findfont(_SANS[0]))
    font.set_size(_SIZE, POINTS)
    return sum(
        font.load_char(ord(c)).linearHoriAdvance / 65536 / _SIZE
        if font.get_char_index(ord(c))
        else length_in_em(c)
        for c in label
    )


def save_figure(figure: Figure, stem: Path, settings: str = "", font: str = "sans") -> list[Path]:
    """Write stem.pdf, stem.svg and stem.png; the same figure gives the same bytes every time.

    Args:
        figure: drawn within `print_style(font)`.
        stem: path without a suffix.
        settings: what the metadata of the files tell as their subject or description; ASCII.
        font: of the figure.
    """
    formats: dict[str, dict[str, Any]] = {
        ".pdf": {
            "metadata": {
                "CreationDate": None,
                "Producer": None,
                "Creator": None,
                "Subject": settings or None,
            }
        },
        ".svg": {"metadata": {"Date": None, "Creator": None, "Description": settings or None}},
        ".png": {
            "dpi": 300,
            "metadata": {"Software": None, **({"Description": settings} if settings else {})},
        },
    }
    written = []
    for suffix, options in formats.items():
        with print_style(font):
            figure.savefig(stem.with_suffix(suffix), facecolor="white", **options)
        written.append(stem.with_suffix(suffix))
    return written


def _installed_fonts(font: str) -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS[font] if name in installed]


@contextmanager
def print_style(font: str = "sans") -> Iterator[None]:
    """Fonts embedded as TrueType in PDF and as outlines in SVG, and nothing random in either.

    Args:
        font: "sans" or "serif".
    """
    style = mpl.rc_context(
        {
            "font.family": _installed_fonts(font),
            "pdf.fonttype": 42,
            "svg.fonttype": "path",
            "svg.hashsalt": "hbi",
        }
    )
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    # `without_font` says it in words.
    with style, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        try:
            yield
        finally:
            log.setLevel(level)
