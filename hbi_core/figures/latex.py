"""The figure environment that shows an exported figure in a paper."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from hbi_core.figures.contrast_chosen import said_of_both
from hbi_core.figures.contrast_view import MOST, Contrasted
from hbi_core.figures.explained import Explained, Frames
from hbi_core.figures.print_style import WIDTHS
from hbi_core.figures.view import FigureView, shown_levels
from hbi_core.figures.view_in_words import in_words, players_in_words
from hbi_core.what_ran import model_in_words
from hbi_core.worth import FUNCTION, SIMILARITY

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",  # \textquotedbl needs T1 fonts, and babel makes the letter a command
    "`": r"\textasciigrave{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
}
_CITED = r"~\cite{jin2023hbi,jin2024hbi}"
_MOST = 300  # characters of a caption or a name
_TALLEST = 0.75  # share of a page that a figure may take, which leaves room for its caption


class Clip(Frames, Protocol):
    """Frames of a video that has a name."""

    @property
    def name(self) -> str:
        """Of the file."""


class Told(Explained, Protocol):
    """An explanation and what it was made with."""

    @property
    def video(self) -> Clip:
        """What was looked at."""

    @property
    def title(self) -> str:
        """What its files are named after."""

    @property
    def caption(self) -> str:
        """As it was given."""

    @property
    def encoder(self) -> str:
        """Of frames and words."""

    @property
    def checkpoint(self) -> str:
        """Trained heads."""

    @property
    def weighting(self) -> str:
        """Of the game."""


class ToldContrast(Contrasted, Protocol):
    """A contrast and what it was made with."""

    @property
    def a(self) -> Told:
        """Drawn left."""

    @property
    def b(self) -> Told:
        """Drawn right."""

    @property
    def title(self) -> str:
        """What its files are named after."""


def latex_figure(explanation: Told, view: FigureView, width: str) -> str:
    """A figure environment with figure.pdf in its width, whose caption says what is shown how.

    It wants graphicx and, for its citations, references.bib. In pdfLaTeX some Latin letters are in
    T1 fonts only, and those of most other scripts in none: captions in these ask for LuaLaTeX or
    XeLaTeX.
    """
    worth = explanation.worth
    title = explanation.title if worth == SIMILARITY else f"{explanation.title}-{worth.symbol}"
    return _environment("figure.pdf", title, _caption(explanation, view), view, width)


def latex_contrast(contrast: ToldContrast, view: FigureView, width: str) -> str:
    """Likewise with contrast.pdf, whose caption says what A and B are and what the bars mean."""
    caption = _caption_of_both(contrast, view, width)
    return _environment("contrast.pdf", contrast.title, caption, view, width)


def _environment(file: str, title: str, text: str, view: FigureView, width: str) -> str:
    environment = "figure*" if width == "text" else "figure"
    label = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")
    caption = textwrap.fill(text, 96, break_long_words=False)
    return f"""\
% \\usepackage{{graphicx}}; the entries of the citations are in references.bib. Letters beyond ASCII
% may want \\usepackage[T1]{{fontenc}} and, lest fonts be of Type 3, \\usepackage{{lmodern}}; those
% of other scripts LuaLaTeX or XeLaTeX. A figure that is too tall for the page is made smaller, and
% its letters with it: with fewer levels they are larger.
% View: {view.to_query() or "the default"}
\\begin{{{environment}}}[t]
  \\centering
  \\includegraphics[width={WIDTHS[width]}in,height={_TALLEST}\\textheight,keepaspectratio]{{{file}}}
  \\caption{{%
{textwrap.indent(caption, "    ")}%
  }}
  \\label{{fig:hbi-{label}}}
\\end{{{environment}}}
"""


def _caption(explanation: Told, view: FigureView) -> str:
    levels = _levels([level.name for level in shown_levels(explanation.levels, view)])
    worth = explanation.worth
    interactions = f"Lines are {_how(explanation, view)}"
    lines = {
        "interaction": interactions,
        "cosine": f"Lines are {worth.pairs}",
        "difference": f"{interactions} less {worth.pairs}, each in standard deviations of its "
        "level",
    }[view.measure]
    highest = "lowest" if view.sign == "negative" else "highest"
    said = in_words(view, worth)[view.measure != "interaction" :]
    said += players_in_words(view, explanation.levels)
    model = _model(explanation)
    of = "" if worth == SIMILARITY else f", in the game of the {_short(worth.name)},"
    return (
        f"Hierarchical Banzhaf interaction of the video {_short(explanation.video.name)} "
        f"({_frames(explanation)}) and the {worth.text} "
        f"``{_short(explanation.caption)}''{of} at the {levels}. {lines}; colours are shares of "
        f"the {highest} of each {view.scale}.{_filters(said)} {model[0].upper()}{model[1:]}."
    )


def _caption_of_both(contrast: ToldContrast, view: FigureView, width: str) -> str:
    levels = _levels([level.name for level in shown_levels(contrast.levels, view)])
    both = "A, B and their difference" if width == "text" else "The difference of A and B"
    view = replace(view, left_out=())
    shown = _filters(in_words(view, contrast.a.worth) + said_of_both(contrast, view))
    return (
        f"{both} at the {levels} of hierarchical Banzhaf interaction{_CITED}. "
        f"{_what_they_are(contrast)} In the difference, bars are Shapley values in A less those "
        "in B, which add up to the difference of the scores, up where a player speaks for A; lines "
        f"are the {MOST} widest differences of Banzhaf interactions of a level at most, solid "
        f"where they are stronger in A, dashed where in B.{shown}"
    )


def _what_they_are(contrast: ToldContrast) -> str:
    """A and B, in what they differ, and what both have: a sentence."""
    parts = list(zip(_parts(contrast.a), _parts(contrast.b), strict=True))
    worths = contrast.a.worth.name, contrast.b.worth.name
    if worths[0] != worths[1]:  # of two answers, say
        parts.append((f"the {escaped(worths[0])}", f"the {escaped(worths[1])}"))
    differing = [pair for pair in parts if pair[0] != pair[1]] or parts
    a, b = (_listed(list(part)) for part in zip(*differing, strict=True))
    both = [pair[0] for pair in parts if pair not in differing]
    return f"A is {a}; B is {b}{f'; both are with {_listed(both)}' if both else ''}."


def _parts(explanation: Told) -> tuple[str, str, str]:
    """Video, text and model of A or B."""
    return (
        f"the video {_short(explanation.video.name)} ({_frames(explanation)})",
        f"the {explanation.worth.text} ``{_short(explanation.caption)}''",
        f"the {_model(explanation)}",
    )


def _how(explanation: Told, view: FigureView) -> str:
    """Which interactions are drawn, exact or estimated."""
    exact = {n.name: n.interactions.exact for n in shown_levels(explanation.levels, view)}
    estimated = [name for name, sure in exact.items() if not sure]
    if 0 < len(estimated) < len(exact):
        others = len(exact) - len(estimated)
        rest = "the others" if others > 1 else "the other"
        return (
            f"Banzhaf interactions{_CITED} (estimated at the {_levels(estimated)}, exact at {rest})"
        )
    return f"{'estimated' if estimated else 'exact'} Banzhaf interactions{_CITED}"


def _levels(names: list[str]) -> str:
    return f"{_listed(names)} level" + "s" * (len(names) > 1)


def _frames(explanation: Told) -> str:
    frames = len(explanation.video.times)
    return f"{frames} frame" + "s" * (frames != 1)


def _model(explanation: Told) -> str:
    """What ran, and how it weighs."""
    weights = "" if explanation.weighting == FUNCTION else f", {explanation.weighting} weights"
    model = model_in_words(_short(explanation.encoder), _short(explanation.checkpoint))
    return f"{model}{weights}"


def _filters(said: Sequence[str]) -> str:
    """What of a view is not the default, as a sentence."""
    return f" Shown: {escaped('; '.join(said))}." if said else ""


def escaped(text: str) -> str:
    """Text of a user inside LaTeX: one line, without characters that end a run."""
    printable = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return "".join(_ESCAPED.get(c, c) for c in " ".join(printable.split()))


def _short(text: str) -> str:
    return escaped(text if len(text) <= _MOST else text[: _MOST - 1] + "…")


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
