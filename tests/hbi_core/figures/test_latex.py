"""What a paper wants beside a figure, and what it wants of its fonts."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from hbi_core.contrasted import Contrast
from hbi_core.figures.latex import escaped, latex_contrast, latex_figure
from hbi_core.figures.view import FigureView
from support.demo import ROOT

CAPTION = r"""100 % of_it & $5 {x} #1 ~^\ <é> “a|b” "d" `c` \input{/etc/passwd}"""
DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage{graphicx}
\begin{document}
\input{figure}
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""


def test_users_text_is_text():
    assert escaped("50%_a & b") == r"50\%\_a \& b"
    assert escaped("a\n\nb\x00c\ud800") == "a b c"
    assert escaped(r"\end{figure}") == r"\textbackslash{}end\{figure\}"


def test_the_caption_says_what_is_shown(explanation):
    snippet = " ".join(latex_figure(explanation, FigureView(), "text").split())
    for said in (
        r"\begin{figure*}",
        "width=6.875in",
        "cafe.mp4 (12 frames)",
        explanation.caption,
        "entity, action and event levels",
        "highest of each level",
        f"Encoder {explanation.encoder}",
        "renormalised weights",
        "View: the default",
        r"\label{fig:hbi-cafe}",
    ):
        assert said in snippet
    assert "Shown:" not in snippet

    view = FigureView(
        levels=("action",), measure="cosine", top=4, threshold=0.25, sign="negative", scale="word"
    )
    snippet = " ".join(latex_figure(explanation, view, "column").split())
    for said in (
        r"\begin{figure}",
        "width=3.25in",
        "at the action level.",
        "Lines are cosine similarities; colours are shares of the lowest of each word.",
        r"Shown: negative links alone; the 4 strongest of a level; 25 \% of the scale and more",
        f"View: {view.to_query()}",
    ):
        assert said in snippet
    view = FigureView(chosen=("entity/video/0",), left_out=("event/video/0",))
    snippet = " ".join(latex_figure(explanation, view, "text").split())
    assert "links of frame 1, and of what shares frames with it, stand out." in snippet
    assert "Shown: without frame" in snippet


def test_figures_of_one_video_have_labels_of_their_own(explanation, answered, described):
    """So that a paper may have all of them."""
    of = (explanation, answered.explanation, answered.change, described.explanation)
    snippets = [latex_figure(one, FigureView(), "column") for one in of]
    labels = [re.search(r"\\label\{fig:hbi-cafe(.*)\}", snippet).group(1) for snippet in snippets]
    assert labels == ["", "-logit", "-logit-difference", "-gain"]


def test_the_caption_of_a_contrast_says_what_a_and_b_are(contrast):
    snippet = " ".join(latex_contrast(contrast, FigureView(), "text").split())
    for said in (
        r"\begin{figure*}",
        "{contrast.pdf}",
        "A, B and their difference at the entity, action and event levels",
        "A is the caption ``a tabby cat''; B is the caption ``a cup of espresso''; both are with "
        "the video cafe.mp4 (",
        f"and the encoder {contrast.a.encoder}, heads ",
        r"\label{fig:hbi-cafe-contrast}",
    ):
        assert said in snippet
    assert "Shown:" not in snippet
    snippet = " ".join(latex_contrast(contrast, FigureView(("action",), top=4), "column").split())
    assert "The difference of A and B at the action level" in snippet
    assert "Shown: the 4 strongest of a level." in snippet
    (first, *_) = contrast.levels[0].text_players
    snippet = latex_contrast(contrast, FigureView(("entity",), chosen=("entity/text/0",)), "text")
    assert f"Shown: links of “{first.label}” stand out." in " ".join(snippet.split())


def test_a_contrast_of_two_videos_is_told_by_them(contrast):
    video = replace(contrast.b.video, name="other.mp4", times=(9.5,) * len(contrast.b.video.times))
    other = Contrast(contrast.a, replace(contrast.a, video=video))
    snippet = " ".join(latex_contrast(other, FigureView(), "text").split())
    assert "A is the video cafe.mp4 (" in snippet
    assert "; B is the video other.mp4 (" in snippet
    assert f"both are with the caption ``{contrast.a.caption}'' and the encoder" in snippet


def test_the_references_are_those_of_the_citation_file():
    """Titles, authors, years and identifiers of both papers, and the software's version."""
    references = (ROOT / "assets" / "references.bib").read_text()
    plain = " ".join(references.replace("{Banzhaf}", "Banzhaf").split())
    cited = (ROOT / "CITATION.cff").read_text()
    for title in re.findall(r'title: "([^"]+)"', cited):
        if not title.startswith("Proceedings"):
            assert f"{{{title}}}" in plain, title
    for family, given in re.findall(r"family-names: (\w+), given-names: (\w+)", cited):
        assert f"{family}, {given}" in plain
    for number in re.findall(r"arXiv:[\d.]+|10\.1109/\S+|(?<=\nversion: )\S+", cited):
        assert number in plain
    snippet_keys = {"jin2023hbi", "jin2024hbi"}
    assert snippet_keys <= set(re.findall(r"@\w+{(\w+),", references))


@pytest.fixture(params=["sans", "serif"])
def in_a_paper(request, explanation, tmp_path):
    """Saved with letters that are hard to embed, next to a document."""
    words = ("naïve", "日本", "😀", "Ω≥", *explanation.words[4:])
    changed = replace(explanation, words=words, caption=CAPTION)
    view = FigureView(top=10, fade=True, sides=True)
    changed.save(tmp_path, "column", view, request.param)
    (tmp_path / "paper.tex").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def fonts_of(pdf):
    if not shutil.which("pdffonts"):
        pytest.skip("pdffonts is not installed")
    told = subprocess.run(["pdffonts", str(pdf)], capture_output=True, text=True, check=True).stdout
    return told.splitlines()[2:]


def test_the_figure_has_no_type_3_fonts(in_a_paper):
    fonts = fonts_of(in_a_paper / "figure.pdf")
    assert fonts
    for font in fonts:
        assert "Type 3" not in font
        assert re.search(r" yes (yes|no) +(yes|no) ", font), f"not embedded: {font}"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_a_paper_with_the_figure_compiles(in_a_paper):
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    log = subprocess.run(command, cwd=in_a_paper, capture_output=True, check=False)
    assert log.returncode == 0, log.stdout.decode(errors="replace")[-2000:]
    # Of the figure: those of the document depend on which fonts are installed.
    fonts = [line for line in fonts_of(in_a_paper / "paper.pdf") if "CID" in line]
    assert fonts
    assert not any("Type 3" in font for font in fonts)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_a_paper_with_a_contrast_compiles(contrast, tmp_path):
    """On its pages, too: three levels are taller than one."""
    Contrast(replace(contrast.a, caption=CAPTION), contrast.b).save(tmp_path)
    paper = DOCUMENT.replace(r"\input{figure}", r"\input{contrast}")
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    log = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert log.returncode == 0, log.stdout.decode(errors="replace")[-2000:]
    assert b"too large for page" not in log.stdout
