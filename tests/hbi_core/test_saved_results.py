"""Contrasts, answers, descriptions and searches are opened again, without their videos."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hbi_core import ask, contrast, describe, search
from hbi_core.answered import Answered
from hbi_core.contrasted import Contrast
from hbi_core.described import Described
from hbi_core.errors import ExplanationError
from hbi_core.explanation import Explanation
from hbi_core.figures.contact_sheet import contact_sheet_page
from hbi_core.figures.view import FigureView
from hbi_core.json_document import opened
from hbi_core.pipeline import search as search_of
from hbi_core.search_result import SearchResult
from support.contrasts import drawn_video, made_up
from support.demo import ROOT

KINDS = {
    "contrast": (Contrast, contrast),
    "answered": (Answered, ask),
    "described": (Described, describe),
}
VIEW = FigureView(levels=("entity",), top=5, sign="positive", fade=True)
DRAWN = Contrast(made_up("a cat", drawn_video()), made_up("a dog", drawn_video(), seed=1))


def files_of(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module", params=KINDS)
def saved(request, tmp_path_factory):
    """A result of the pipeline, and the folder that it was saved to with filters."""
    result = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    result.save(folder, "column", view=VIEW, font="serif")
    return result, folder, KINDS[request.param][1]


def test_the_same_files_are_written_again(saved, tmp_path, capsys):
    """From Python and from a shell: figures, tables, everything, with the same filters."""
    result, folder, command = saved
    file = folder / result.file_name
    again = type(result).from_file(file)
    assert again.to_json() + "\n" == file.read_text(encoding="utf-8")
    again.save(tmp_path / "python", "column", font="serif")
    known = files_of(folder)
    assert files_of(tmp_path / "python") == known
    out = str(tmp_path / "shell")
    assert command.main([str(file), "--out", out, "--width", "column", "--font", "serif"]) == 0
    assert files_of(tmp_path / "shell") == known
    said = capsys.readouterr().out
    assert result.title in said or "figure.pdf" in said or "contrast.pdf" in said


def test_what_was_never_filtered_has_no_view(contrast, answered, described):
    for result in (contrast, answered, described):
        text = result.to_json()
        assert '"view"' not in text
        assert type(result).from_json(text).to_json() == text


def test_other_filters_may_be_chosen(saved, tmp_path):
    result, folder, command = saved
    file = str(folder / result.file_name)
    assert command.main([file, "--out", str(tmp_path), "--view", "levels=event"]) == 0
    expected = FigureView(levels=("event",))
    written = json.loads((tmp_path / result.file_name).read_text(encoding="utf-8"))
    told = written if result.schema == Contrast.schema else written["explanation"]
    assert FigureView.from_dict(told["view"]) == expected


def test_what_is_asked_beside_a_file_is_refused(saved, tmp_path, capsys):
    result, folder, command = saved
    given = [str(folder / result.file_name), "--out", str(tmp_path), "--frames", "3"]
    assert command.main(given) == 2
    assert "is only opened again: leave out --frames" in capsys.readouterr().err


def test_a_file_of_another_kind_is_told(saved, tmp_path, capsys):
    result, folder, _ = saved
    (command,) = [one for kind, one in KINDS.values() if kind is not type(result)][:1]
    assert command.main([str(folder / result.file_name), "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"{result.file_name} cannot be opened: schema ('{result.schema}') is not one of" in told
    assert "Choose a file that this program wrote" in told


@pytest.mark.parametrize("second", [0, 1])
def test_two_videos_stay_two_and_one_stays_one(second):
    """Frames are the same by their pictures, of the files as of the videos."""
    one, other = drawn_video(seed=0), drawn_video(seed=second, name="other.mp4")
    made = Contrast(made_up("a cat", one), made_up("a dog", other, seed=1))
    again = Contrast.from_json(made.to_json())
    assert again.differs == made.differs
    assert again.frames == made.frames
    assert [frame.both for frame in again.frames].count(True) == (0 if second else 3)
    assert again.to_json() == made.to_json()


def test_what_follows_from_a_and_b_is_computed_anew():
    told = json.loads(DRAWN.to_json())
    told |= {"sentence": "<b>B</b>", "levels": [], "frames": 7, "words": None}
    assert Contrast.from_json(json.dumps(told)).to_json() == DRAWN.to_json()


def changed(text, path, value):
    """The document with another value at a place, or without it."""
    data = inner = json.loads(text)
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("kind", "path", "value", "message"),
    [
        ("contrast", ["schema"], "hbi-contrast/2", "schema .* is not one of hbi-contrast/1"),
        ("contrast", ["b"], ..., "b is missing"),
        ("contrast", ["a", "schema"], "hbi-contrast/1", "a.schema .* is not one of hbi-explan"),
        ("contrast", ["b", "levels", 0, "score"], "1", r"b\.levels\[0\]\.score .* is no number"),
        ("contrast", ["view"], {"top": 0}, "view shows no figure: .*top is 0"),
        ("contrast", ["view"], [1], "view shows no figure"),
        ("answered", ["answers"], [], "answers has 0 elements instead of 1 to 5"),
        ("answered", ["answers", 0, "probability"], 1.2, r"answers\[0\]\.probability .* than 1"),
        ("answered", ["answers", 0, "text"], "", r"answers\[0\]\.text .* is empty"),
        ("answered", ["answers", 1, "bias"], True, r"answers\[1\]\.bias .* is no number"),
        ("answered", ["left_out", 1, "side"], "audio", r"left_out\[1\]\.side .* is not one of"),
        ("answered", ["left_out", 1, "index"], -1, r"left_out\[1\]\.index .* is not one of"),
        ("answered", ["limits"], "none", "limits .* is no list"),
        ("answered", ["vocabulary"], 1.5, "vocabulary .* is no whole number"),
        ("answered", ["change"], ..., "change is missing"),
        ("answered", ["change", "video", "frame_times", 2], 99, "change.video has other frames"),
        ("answered", ["change", "words", 0], "why", "change.levels has other words"),
        ("described", ["words", 0, "text"], "dog", "words are not those of the explanation"),
        ("described", ["words", 0, "without_video"], None, "without_video .* is no number"),
        ("described", ["captions"], [], "captions has 0 elements instead of 1 to 32"),
        ("described", ["captions", 0, "text"], "a", r"captions\[0\]\.text .* is not the caption"),
        ("described", ["captions", 0, "score"], 10**400, r"captions\[0\]\.score .* not finite"),
        ("described", ["explanation"], 3, r"explanation \(3\) is no object"),
    ],
)
def test_a_broken_file_is_told_with_its_place(request, kind, path, value, message):
    text = changed(request.getfixturevalue(kind).to_json(), path, value)
    with pytest.raises(ExplanationError, match=f"broken.json cannot be opened: .*{message}"):
        KINDS[kind][0].from_json(text, "broken.json")


def test_two_that_do_not_differ_are_told():
    told = json.loads(DRAWN.to_json())
    with pytest.raises(ExplanationError, match="has no contrast: A and B are the same"):
        Contrast.from_json(json.dumps(told | {"b": told["a"]}))


def test_a_change_needs_a_second_answer(answered):
    told = json.loads(answered.to_json())
    del told["answers"][1:]
    with pytest.raises(ExplanationError, match="change is of the first answer less the second"):
        Answered.from_json(json.dumps(told))
    told["change"] = None
    assert Answered.from_json(json.dumps(told)).change is None


def test_games_that_only_a_model_can_play_are_not_contrasted(described):
    told = json.loads(DRAWN.to_json())
    for name, caption in (("a", "one"), ("b", "two")):
        told[name] = json.loads(replace(described.explanation, caption=caption).to_json())
    with pytest.raises(ExplanationError, match=r"has no contrast: .*only its model can play"):
        Contrast.from_json(json.dumps(told))


@pytest.mark.parametrize("value", [1e100, -1e100, 1e-300])
def test_the_largest_numbers_are_drawn_and_written(value, tmp_path):
    told = json.loads(DRAWN.to_json())
    for name in ("a", "b"):
        level = told[name]["levels"][0]
        level["similarity"] = np.full(np.shape(level["similarity"]), value).tolist()
        level |= {"interactions": level["similarity"], "score": value}
        del level["values"], level["explained"]
    told["b"]["levels"][0]["score"] = -value
    Contrast.from_json(json.dumps(told)).save(tmp_path)
    assert Contrast.from_file(tmp_path / "contrast.json").levels[0].scores == (value, -value)


@pytest.fixture(scope="module")
def found():
    return search_of(ROOT / "assets" / "clips", "a tabby cat", frames=2)


def test_a_search_is_opened_again_with_its_pictures(found, tmp_path, capsys):
    (tmp_path / "search.json").write_text(found.to_json(), encoding="utf-8")
    again = SearchResult.from_file(tmp_path / "search.json")
    assert again.to_json() == found.to_json()
    assert contact_sheet_page(again) == contact_sheet_page(found)
    assert {hit.file for hit in again.hits} == {None}
    sheet, copy = tmp_path / "sheet.html", tmp_path / "copy.json"
    arguments = [str(tmp_path / "search.json"), "--sheet", str(sheet), "--json", str(copy)]
    assert search.main(arguments) == 0
    assert sheet.read_text(encoding="utf-8") == contact_sheet_page(found)
    assert copy.read_text(encoding="utf-8") == found.to_json() + "\n"
    assert found.hits[0].name in capsys.readouterr().out
    assert search.main([*arguments, "--top", "3"]) == 2
    assert "leave out --top" in capsys.readouterr().err
    assert search.main([str(ROOT / "assets" / "clips")]) == 2
    assert "QUERY is missing" in capsys.readouterr().err


def test_older_searches_have_no_pictures_and_no_words(found):
    told = found.to_dict(thumbnails=False)
    del told["words"]
    again = SearchResult.from_json(json.dumps(told))
    assert (again.words, again.hits[0].thumbnail) == ((), "")
    assert again.hits[0].score == found.hits[0].score
    assert "<img" not in contact_sheet_page(again)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["hits", 0, "levels", "action"], ..., r"hits\[0\]\.levels\.action is missing"),
        (["hits", 0, "frame"], 2, r"hits\[0\]\.frame .* is not one of 0 to 1"),
        (["hits", 0, "thumbnail"], "https://example.com/a.jpg", "does not begin with data:"),
        (["hits", 1], 3, r"hits\[1\] \(3\) is no object"),
        (["model", "level_weights"], [1], "level_weights is no object"),
        (["model", "level_weights"], {"": 1}, "a name in model.level_weights .* is empty"),
        (["clips"], -1, "clips .* is not one of"),
    ],
)
def test_a_broken_search_is_told_with_its_place(found, path, value, message):
    with pytest.raises(ExplanationError, match=message):
        SearchResult.from_json(changed(found.to_json(), path, value))


def test_the_schema_says_which_kind_it_is(contrast, answered):
    kinds = [Explanation, Contrast, Answered]
    assert isinstance(opened(contrast.to_json(), kinds, "a.json"), Contrast)
    assert isinstance(opened(answered.to_json(), kinds, "a.json"), Answered)
    with pytest.raises(ExplanationError, match=r"explanation\.json, contrast\.json, answer\.json"):
        opened('{"schema": "hbi-comparison/1"}', kinds, "a.json")
