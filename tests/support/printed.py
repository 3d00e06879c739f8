"""What a figure for papers must be."""

from __future__ import annotations

import pytest
from pypdf import PdfReader


def assert_for_print(stem, inches):
    """STEM.pdf and STEM.svg are as wide as they should be and bring their fonts."""
    page = PdfReader(stem.with_suffix(".pdf")).pages[0]
    assert float(page.mediabox.width) == pytest.approx(72 * inches)
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:  # TrueType (42), with the file of the font inside
        descendant = font["/DescendantFonts"][0].get_object()
        assert descendant["/Subtype"] == "/CIDFontType2"
        assert "/FontFile2" in descendant["/FontDescriptor"]
    svg = stem.with_suffix(".svg").read_text()
    assert f'width="{72 * inches:g}pt"' in svg
    assert "<text" not in svg  # words are outlines: the same everywhere
