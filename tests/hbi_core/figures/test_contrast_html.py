"""The document with the contrast that answers; tests/assets uses it in a browser."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

from hbi_core.contrasted import Contrast
from hbi_core.figures.contrast_html import contrast_data, contrast_html
from hbi_core.figures.contrast_view import faded_of_both
from hbi_core.figures.view import FigureView
from support.contrasts import drawn_video, made_up


def test_the_data_are_the_contrast(contrast):
    view = FigureView(top=4)
    document = contrast_html(contrast, view)
    data = json.loads(re.search(r'type="application/json">(.*)</script>', document).group(1))
    assert data == contrast_data(contrast, view)
    assert data["contrast"] == contrast.to_dict()
    assert data["view"] == view.to_dict()


def test_captions_stay_text(contrast):
    text = "</script><script>alert(1)</script>"
    other = Contrast(contrast.a, replace(contrast.b, caption=text))
    document = contrast_html(other)
    assert document.count("</script>") == contrast_html(contrast).count("</script>")


def test_a_notebook_shows_the_same_document(contrast):
    document = html.unescape(re.search(r'srcdoc="([^"]*)"', contrast._repr_html_()).group(1))
    assert document == contrast_html(contrast)


def test_function_words_of_both_are_faded():
    video = drawn_video(2)
    both = Contrast(made_up("the dog is in a house", video), made_up("the cat is here", video))
    words = [(both.a if one.a is not None else both.b).words for one in both.words]
    texts = [
        some[one.a if one.a is not None else one.b]
        for some, one in zip(words, both.words, strict=True)
    ]
    assert [texts[number] for number in faded_of_both(both)] == ["the", "is", "in", "a", "here"]
