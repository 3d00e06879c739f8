"""A folder of one's own clips is read as people write it, and what is unclear is refused."""

from __future__ import annotations

import logging
import re

import pytest

from hbi_core.data import read_corpus, shared_with_test
from hbi_core.data.corpus import measured_split
from hbi_core.errors import DataError
from support.releases import ids, texts, touch


@pytest.fixture
def clips(tmp_path):
    """Ten videos, two of them in a folder, and a photograph."""
    touch(tmp_path, *(f"clip{n}.mp4" for n in range(8)), "beach.JPG")
    touch(tmp_path / "snow", "dog.mov", "man.mp4", "notes.txt")
    return tmp_path


def write(root, *lines, encoding="utf-8", end="\n"):
    (root / "captions.csv").write_bytes("".join(line + end for line in lines).encode(encoding))


def test_splits_of_the_table(clips):
    write(
        clips,
        "video,caption,split",
        'clip1.mp4,"A dog, and a cat.",train',
        "clip0.mp4,Rain.,Test",
        "clip1.mp4,Pets.,training",
        "beach.JPG,A beach.,val",
        "snow/dog.mov,Snow.,validation",
    )
    train, validation, test, everything = (
        read_corpus("folder", clips, split, missing="stop")
        for split in ("train", "validation", "test", "all")
    )
    assert texts(train) == {"clip1.mp4": ("A dog, and a cat.", "Pets.")}
    assert texts(validation) == {"beach.JPG": ("A beach.",), "snow/dog.mov": ("Snow.",)}
    assert texts(test) == {"clip0.mp4": ("Rain.",)}
    assert ids(everything) == ["clip1.mp4", "clip0.mp4", "beach.JPG", "snow/dog.mov"]
    assert [clip.files for clip in validation.clips] == [
        (clips / "beach.JPG",),
        (clips / "snow" / "dog.mov",),
    ]
    assert shared_with_test(everything, clips) == ("clip0.mp4",)
    assert shared_with_test(validation, clips) == ()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("clip3", "clip3.mp4"),
        ("clip3.mp4", "clip3.mp4"),
        ("./clip3.mp4", "clip3.mp4"),
        ("dog", "snow/dog.mov"),
        ("dog.mov", "snow/dog.mov"),
        ("snow/dog", "snow/dog.mov"),
        (r"snow\dog.mov", "snow/dog.mov"),
        ("beach", "beach.JPG"),
        ("BEACH.jpg", "beach.JPG"),
        ("Clip3.MP4", "clip3.mp4"),
        ("SNOW/dog", "snow/dog.mov"),
    ],
)
def test_a_name_means_a_file_with_or_without_suffix_and_folder(clips, name, place):
    write(clips, "video,caption", f"{name},A caption.", f"{place},Another one.")
    assert texts(read_corpus("folder", clips, "all", missing="stop")) == {
        place: ("A caption.", "Another one.")
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n")])
@pytest.mark.parametrize(
    "header", ["video,caption", "File,Text", "image,Sentence", "nr,video,caption"]
)
def test_tables_of_spreadsheets(clips, delimiter, encoding, end, header):
    """With empty rows at the end, and columns that say nothing here."""
    columns = header.split(",")
    rows = [
        columns,
        ["7"] * (len(columns) - 2) + ["clip3.mp4", "Ein Hühnchen"],
        [""] * len(columns),
    ]
    write(clips, *(delimiter.join(row) for row in rows), encoding=encoding, end=end)
    assert texts(read_corpus("folder", clips, "all")) == {"clip3.mp4": ("Ein Hühnchen",)}


def test_without_splits_a_fifth_is_validation_and_the_log_says_so(clips, caplog):
    rows = [f"clip{n},Number {n}." for n in range(8)] + ["dog,Snow.", "man,Snow."]
    write(clips, "video,caption", *rows)
    train, validation = (read_corpus("folder", clips, s) for s in ("train", "validation"))
    assert len(validation.clips) == 2
    assert sorted(ids(train) + ids(validation)) == sorted(ids(read_corpus("folder", clips, "all")))
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert re.search(r"has no column split: 2 of its 10 clips.* are validation", told[0])
    write(clips, "video,caption", *rows[::-1])  # another order, the same clips
    assert set(ids(read_corpus("folder", clips, "validation"))) == set(ids(validation))
    assert shared_with_test(validation, clips) == ()
    with pytest.raises(DataError, match="no column split, so there is no test split"):
        read_corpus("folder", clips, "test")


def test_two_clips_have_one_for_validation_and_one_none(clips):
    write(clips, "video,caption", "clip0,One.", "clip1,Two.")
    for split in ("train", "validation"):
        assert len(read_corpus("folder", clips, split).clips) == 1
    write(clips, "video,caption", "clip0,One.")
    assert ids(read_corpus("folder", clips, "train")) == ["clip0.mp4"]
    with pytest.raises(DataError, match=r"'validation' of folder .* is empty"):
        read_corpus("folder", clips, "validation")


def test_missing_files_are_told(clips, caplog):
    write(clips, "video,caption", "clip0,One.", "gone.mp4,Two.", "/elsewhere/clip1.mp4,Three.")
    corpus = read_corpus("folder", clips, "all")
    assert (ids(corpus), corpus.missing) == (["clip0.mp4"], ("gone.mp4", "/elsewhere/clip1.mp4"))
    assert "2 of 3" in caplog.text
    with pytest.raises(DataError, match=r"2 of 3 .*gone\.mp4, /elsewhere/clip1\.mp4"):
        read_corpus("folder", clips, "all", missing="stop")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"line 1: the header has no column video .* it has nothing"),
        (["clip0.mp4,One."], r"no column video \(or file, .*\); it has clip0\.mp4, One\."),
        (["video,words", "clip0,One."], r"no column caption \(or text"),
        (["file,image,caption", "a,b,c"], "file and image may both be the video"),
        (["video,caption,caption", "a,b,c"], "caption and caption may both be the caption"),
        (["video,caption", "clip0,One.", "clip1,"], "line 3: caption is empty"),
        (["video,caption", ",One."], "line 2: video is empty"),
        (["video,caption", "clip0,A dog, a cat."], "line 2: .*a comma needs quotes"),
        (["video;caption", "clip0;A dog; a cat."], "line 2: .*a semicolon needs quotes"),
        (["video,caption,split", "clip0,One.,evaluation"], "line 2: the split 'evaluation' is not"),
        (["video,caption,split", "clip0,One.,"], "line 2: split is empty"),
        (
            ["video,caption,split", "clip0,One.,train", "clip0.mp4,Two.,test"],
            r"line 3: clip0\.mp4 is in test here and in train above",
        ),
        (["video,caption", "twin,One."], r"line 2: 'twin' may be a/twin\.mp4 or b/twin\.avi"),
        (["video,caption", "same.mp4,One."], r"'same\.mp4' may be a/same\.mp4 or b/same\.mp4"),
    ],
)
def test_tables_that_are_refused(clips, lines, message):
    touch(clips / "a", "twin.mp4", "same.mp4", "._dog.mov")
    touch(clips / "b", "twin.avi", "same.mp4")
    write(clips, *lines)
    with pytest.raises(DataError, match=message) as caught:
        read_corpus("folder", clips, "all")
    assert str(clips / "captions.csv") in str(caught.value)


def test_everything_is_measured_unless_a_split_is_named():
    assert [measured_split(name) for name in ("folder", "flickr8k", "msrvtt", "synthetic")] == [
        "all",
        "all",
        "test",
        "test",
    ]


def test_names_in_another_unicode_form_and_whole_paths(clips):
    """macOS writes ä as a and a dot sign, other systems as one letter."""
    touch(clips, "b\u00e4r.mp4")
    write(clips, "video,caption", "ba\u0308r.mp4,A bear.", f"{clips / 'clip2.mp4'},Rain.")
    assert texts(read_corpus("folder", clips, "all", missing="stop")) == {
        "b\u00e4r.mp4": ("A bear.",),
        "clip2.mp4": ("Rain.",),
    }


def test_names_that_differ_by_their_case_are_two(clips):
    touch(clips, "CLIP3.mp4")
    write(clips, "video,caption", "clip3.mp4,Rain.", "CLIP3.mp4,Snow.")
    assert texts(read_corpus("folder", clips, "all")) == {
        "clip3.mp4": ("Rain.",),
        "CLIP3.mp4": ("Snow.",),
    }
    write(clips, "video,caption", "Clip3.mp4,Rain.")
    with pytest.raises(DataError, match=r"may be CLIP3\.mp4 or clip3\.mp4"):
        read_corpus("folder", clips, "all")


def test_a_caption_counts_once(clips, caplog):
    write(clips, "video,caption", "clip1,A dog.", "clip1.mp4,A dog.", "clip2,A dog.")
    assert texts(read_corpus("folder", clips, "all")) == {
        "clip1.mp4": ("A dog.",),
        "clip2.mp4": ("A dog.",),
    }
    assert "1 rows repeat a caption of their clip" in caplog.text


def test_what_excel_puts_above_the_header(clips):
    write(clips, "sep=;", "", "video;caption", 'clip1;"A, b, c, d."')
    assert texts(read_corpus("folder", clips, "all")) == {"clip1.mp4": ("A, b, c, d.",)}
    write(clips, "", "", "video,caption", "clip1,")
    with pytest.raises(DataError, match="line 4: caption is empty"):
        read_corpus("folder", clips, "all")


def test_windows_1252(clips):
    write(clips, "video,caption", "clip1,Ein Bär – fünf Euro: 5 €.", encoding="cp1252")
    assert texts(read_corpus("folder", clips, "all")) == {
        "clip1.mp4": ("Ein Bär – fünf Euro: 5 €.",)
    }


def test_the_table_is_no_clip(clips):
    write(clips, "video,caption", "captions.csv,A table.")
    with pytest.raises(DataError, match=r"captions\.csv"):
        read_corpus("folder", clips, "all", missing="stop")
