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

WIDTHS = {"text": 6.875, "column": 3.25}  # inches, of a two-column paper
POINTS = 72.0
EM = {"text": 8.0, "column": 6.0}  # points
# matplotlib brings DejaVu; the others draw the scripts that it lacks, where they are installed.
_FONTS = (
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


def without_font(explanation: Explained) -> str:
    """Characters of the caption that no installed font can draw; a figure shows boxes for them."""
    fonts = [get_font(findfont(font)) for font in _installed_fonts()]
    characters = sorted(set("".join(explanation.words)))
    return "".join(
        character
        for character in characters
        if not any(font.get_char_index(ord(character)) for font in fonts)
    )


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write stem.pdf, stem.svg and stem.png; the same figure gives the same bytes every time."""
    formats: dict[str, dict[str, Any]] = {
        ".pdf": {"metadata": {"CreationDate": None, "Producer": None, "Creator": None}},
        ".svg": {"metadata": {"Date": None, "Creator": None}},
        ".png": {"dpi": 300, "metadata": {"Software": None}},
    }
    written = []
    for suffix, options in formats.items():
        with print_style():
            figure.savefig(stem.with_suffix(suffix), facecolor="white", **options)
        written.append(stem.with_suffix(suffix))
    return written


def _installed_fonts() -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return [font for font in _FONTS if font in installed]


@contextmanager
def print_style() -> Iterator[None]:
    """Fonts embedded as TrueType in PDF and as outlines in SVG, and nothing random in either."""
    style = mpl.rc_context(
        {
            "font.family": _installed_fonts(),
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
