"""Data sets: read as their releases are laid out, and refused with the file and line at fault."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import os
import pickle
import re
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from hbi_core.data import (
    Clip,
    Corpus,
    montages,
    photograph_of_words,
    questions,
    read_corpus,
    read_frames,
    read_questions,
    shared_with_test,
    synthetic_clips,
)
from hbi_core.data.annotations import read_pickle
from hbi_core.data.files import video_stem
from hbi_core.data.frames import open_photograph
from hbi_core.data.readers import DATA_SETS
from hbi_core.errors import DataError, InputError, VideoError
from hbi_core.inputs.text import parse_caption
from support.clips import LEVEL, write_clip

MSRVTT_IDS = [f"video{number}" for number in range(200)]
# As the hash gives them, so that no later version moves a clip from one split to the other.
HELD_OUT_MSRVTT = [f"video{n}" for n in (197, 196, 137, 126, 99, 67, 53, 22, 11, 6)]
HELD_OUT_FLICKR = [f"{n}_ab.jpg" for n in (1, 8, 14, 21, 26, 42, 45, 53, 58)]


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_csv(path: Path, *rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def write_lines(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def texts(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    return {clip.id: clip.captions for clip in corpus.clips}


def ids(corpus: Corpus) -> list[str]:
    return [clip.id for clip in corpus.clips]


@pytest.fixture
def msrvtt(tmp_path):
    """200 videos to train on, in the list in reverse order, and two to test on."""
    videos = [{"video_id": id, "split": "train", "url": ""} for id in MSRVTT_IDS]
    videos += [{"video_id": "video9770", "split": "test"}, {"video_id": "v1", "split": "validate"}]
    videos += [{"video_id": "video9771", "split": "test"}]
    sentences = [
        {"video_id": video["video_id"], "caption": f"{word} {video['video_id']}", "sen_id": 0}
        for word in ("first", "second")
        for video in videos
    ]
    write_json(tmp_path / "MSRVTT_data.json", {"videos": videos, "sentences": sentences})
    write_csv(tmp_path / "MSRVTT_train.9k.csv", ["video_id"], *([id] for id in MSRVTT_IDS[::-1]))
    write_csv(
        tmp_path / "MSRVTT_JSFUSION_test.csv",
        ["key", "vid_key", "video_id", "sentence"],
        ["ret0", "msr9771", "video9771", "a person is connecting something to system"],
        ["ret1", "msr9770", "video9770", "a man, in a car, laughs"],
    )
    touch(tmp_path / "videos" / "all", *(f"{id}.mp4" for id in MSRVTT_IDS), "video9770.mp4")
    touch(tmp_path, "video9771.MP4", "v1.webm")
    return tmp_path


@pytest.fixture
def activitynet(tmp_path):
    train = [f"v_train{number}" for number in range(200)]
    write_json(tmp_path / "captions" / "train_ids.json", train)
    write_json(tmp_path / "captions" / "val_ids.json", ["v_b-QOlSCBRm", "v_a", "v_val_2_only"])
    write_json(
        tmp_path / "captions" / "train.json",
        {
            id: {"duration": 9.0, "timestamps": [[0, 4.5]], "sentences": [f"{id} runs."]}
            for id in train
        },
    )
    write_json(
        tmp_path / "captions" / "val_1.json",
        {
            "v_a": {"duration": 4, "timestamps": [[0, 4]], "sentences": ["One."]},
            "v_b-QOlSCBRm": {
                "duration": 82.7,
                "timestamps": [[17.3, 60.81], [0.83, 19.86], [0.83, 10.2], [70, 80]],
                "sentences": [" Third of  all. ", "Second.", " First.", ""],
            },
        },
    )
    touch(tmp_path / "Videos", *(f"{id}.mp4" for id in train), "v_a.mp4", "b-QOlSCBRm.mkv")
    return tmp_path


@pytest.fixture
def didemo(tmp_path):
    names = {"train": ["1@N00_1.avi", "2@N00_2.MOV"], "val": ["3@N00_3.avi"], "test": ["4@N_4.mp4"]}
    for split, listed in names.items():
        write_lines(tmp_path / "annotations" / f"{split}_list.txt", *listed)
        write_json(
            tmp_path / "annotations" / f"{split}_data.json",
            [
                {"video": name, "description": f"{word} {split}", "times": [[1, 1], [0, 1]]}
                for word in ("zoom", "a cat")
                for name in listed[::-1]
            ],
        )
    touch(tmp_path / "all_videos", "1@N00_1.mp4", "2@N00_2.mov.mp4", "3@N00_3.avi", "4@N_4.mpg")
    return tmp_path


@pytest.fixture
def msvd(tmp_path):
    write_lines(tmp_path / "train_list.txt", "b_5_8", "a_1_2")
    write_lines(tmp_path / "val_list.txt", "c_0_9")
    write_lines(tmp_path / "test_list.txt", "d_3_4", "")
    captions = {
        "a_1_2": [["a", "man", "sings"]],
        "b_5_8": [["a", "cat"], ["two", "cats", "play"], ["."]],
        "c_0_9": [["rain"]],
        "d_3_4": [["snow"]],
    }
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps(captions))
    touch(tmp_path / "YouTubeClips", "a_1_2.avi", "b_5_8.mp4", "c_0_9.avi", "d_3_4.avi")
    return tmp_path


@pytest.fixture
def flickr8k(tmp_path):
    """60 photographs with five captions each, every caption with words of its own."""
    rows = [
        [f"{number}_ab.jpg", f"photo{number} has text{number}, kind{kind} ."]
        for number in range(60)
        for kind in range(5)
    ]
    write_csv(tmp_path / "captions.txt", ["image", "caption"], *rows)
    touch(tmp_path / "Images", *(f"{number}_ab.jpg" for number in range(60)))
    return tmp_path


@pytest.fixture
def qa(tmp_path):
    folder = tmp_path / "msrvtt_qa"
    split_answers = {
        "train": ["couch", "dog", "dog", "man", "man", "man", "rare"],
        "val": ["rare", "man"],
        "test": ["couch", "never seen"],
    }
    for split, answers in split_answers.items():
        write_lines(
            tmp_path / "msrvtt_qa" / f"{split}.jsonl",
            *(
                json.dumps(
                    {
                        "answer": answer,
                        "question": f"what is {number}?",
                        "video_id": f"{split}{number}",
                        "answer_type": "what",
                    }
                )
                for number, answer in enumerate(answers)
            ),
        )
        touch(tmp_path / "videos", *(f"{split}{number}.mp4" for number in range(7)))
    write_json(folder / "train_ans2label.json", {"couch": 2, "rare": 3, "man": 0, "dog": 1})
    return tmp_path


# The formats.


def test_msrvtt_train_and_validation_share_the_train_list(msrvtt):
    train, validation = (read_corpus("msrvtt", msrvtt, split) for split in ("train", "validation"))
    assert not set(ids(train)) & set(ids(validation))
    assert sorted(ids(train) + ids(validation)) == sorted(MSRVTT_IDS)
    assert ids(validation) == HELD_OUT_MSRVTT
    assert ids(train) == [id for id in MSRVTT_IDS[::-1] if id not in HELD_OUT_MSRVTT]
    assert texts(train)["video7"] == ("first video7", "second video7")
    assert train.clips[-1].files == (msrvtt / "videos" / "all" / f"{train.clips[-1].id}.mp4",)
    assert (train.name, train.split, train.missing) == ("msrvtt", "train", ())


def test_msrvtt_test_is_1k_a(msrvtt):
    (msrvtt / "MSRVTT_data.json").unlink()  # not needed
    corpus = read_corpus("msrvtt", msrvtt, "test", missing="stop")
    assert list(texts(corpus).items()) == [
        ("video9771", ("a person is connecting something to system",)),
        ("video9770", ("a man, in a car, laughs",)),
    ]
    assert corpus.clips[0].files == (msrvtt / "video9771.MP4",)


def test_msrvtt_captioning_has_the_split_of_the_release(msrvtt):
    (msrvtt / "MSRVTT_train.9k.csv").unlink()
    assert ids(read_corpus("msrvtt", msrvtt, "captioning-train")) == MSRVTT_IDS
    assert ids(read_corpus("msrvtt", msrvtt, "captioning-validate")) == ["v1"]
    test = read_corpus("msrvtt", msrvtt, "captioning-test")
    assert texts(test) == {
        "video9770": ("first video9770", "second video9770"),
        "video9771": ("first video9771", "second video9771"),
    }


@pytest.mark.parametrize("name", ["msrvtt", "activitynet", "didemo", "msvd", "flickr8k"])
def test_train_and_validation_together_are_the_whole_train_list(name, request):
    """What the published protocols train on in the end."""
    root = request.getfixturevalue(name)
    train, validation, both = (
        read_corpus(name, root, split) for split in ("train", "validation", "train+validation")
    )
    assert both.clips == train.clips + validation.clips
    assert both.split == "train+validation"
    assert both.overlap(validation) == tuple(ids(validation))
    assert train.overlap(validation) == ()


def test_msrvtt_trains_on_all_9k(msrvtt):
    corpus = read_corpus("msrvtt", msrvtt, "train+validation", missing="stop")
    assert sorted(ids(corpus)) == sorted(MSRVTT_IDS)


def test_splits_that_share_clips_with_the_test_split(msrvtt, flickr8k):
    def shared(name, root, split):
        return shared_with_test(read_corpus(name, root, split), root)

    assert shared("msrvtt", msrvtt, "test") == ("video9771", "video9770")
    assert shared("msrvtt", msrvtt, "captioning-test") == ("video9770", "video9771")
    for split in ("train", "validation", "train+validation", "captioning-validate"):
        assert shared("msrvtt", msrvtt, split) == ()
    write_csv(msrvtt / "MSRVTT_train.9k.csv", ["video_id"], ["video9770"], ["video1"])
    assert shared("msrvtt", msrvtt, "train+validation") == ("video9770",)
    (msrvtt / "MSRVTT_JSFUSION_test.csv").unlink()
    assert shared("msrvtt", msrvtt, "captioning-test") == ("video9770", "video9771")
    assert shared("msrvtt", msrvtt, "captioning-train") == ()
    assert shared("flickr8k", flickr8k, "all") == ()
    write_lines(flickr8k / "Flickr_8k.testImages.txt", "3_ab.jpg", "7_ab.jpg")
    assert shared("flickr8k", flickr8k, "all") == ("3_ab.jpg", "7_ab.jpg")


def test_activitynet_joins_sentences_in_the_order_of_time(activitynet, caplog):
    corpus = read_corpus("activitynet", activitynet, "test")
    assert list(texts(corpus).items()) == [
        ("v_b-QOlSCBRm", ("First. Second. Third of all.",)),
        ("v_a", ("One.",)),
    ]
    assert corpus.without_text == ("v_val_2_only",)
    assert "v_val_2_only" in caplog.text
    assert corpus.missing == ()
    assert corpus.clips[0].files == (activitynet / "Videos" / "b-QOlSCBRm.mkv",)


def test_activitynet_validation_is_held_out_of_train(activitynet):
    train = read_corpus("activitynet", activitynet, "train")
    validation = read_corpus("activitynet", activitynet, "validation")
    assert not set(ids(train)) & set(ids(validation))
    assert sorted(ids(train) + ids(validation)) == sorted(f"v_train{n}" for n in range(200))
    assert 2 <= len(validation.clips) <= 20  # 5 % of 200 is 10, with a deviation of 3
    assert texts(train)[train.clips[0].id] == (f"{train.clips[0].id} runs.",)


def test_didemo_joins_descriptions_and_finds_other_extensions(didemo):
    train = read_corpus("didemo", didemo, "train", missing="stop")
    assert list(texts(train).items()) == [
        ("1@N00_1", ("zoom train a cat train",)),
        ("2@N00_2", ("zoom train a cat train",)),
    ]
    assert [clip.files[0].name for clip in train.clips] == ["1@N00_1.mp4", "2@N00_2.mov.mp4"]
    validation = read_corpus("didemo", didemo, "validation")
    assert texts(validation) == {"3@N00_3": ("zoom val a cat val",)}
    assert texts(read_corpus("didemo", didemo, "test")) == {"4@N_4": ("zoom test a cat test",)}


@pytest.mark.parametrize(
    "suffix",
    [".mts", ".m2ts", ".3g2", ".3gp", ".ogv", ".flv", ".ts", ".vob", ".divx", ".asf", ".m2v", ".dv",
     ".mpeg", ".rm", ".MOV", ".Mp4", ".", ".mov.", ".avi.mp4", ".3gpp", ".mod", ".unheard",
     ".v 1.0", ".mov.unheard"],
)  # fmt: skip
def test_didemo_finds_videos_as_people_uploaded_them(didemo, suffix):
    """Under the listed name, as a copy in MP4 under it or in its place, and as one clip."""
    listed = f"5@N00_5_ab{suffix}"
    write_lines(didemo / "annotations" / "test_list.txt", listed, "5@N00_5_ab.mp4", "5@N00_5_ab")
    moments = [{"video": listed, "description": "a"}, {"video": "5@N00_5_ab.", "description": "b"}]
    write_json(didemo / "annotations" / "test_data.json", moments)
    for name in (listed, f"{listed}.mp4", "5@N00_5_ab.mp4"):
        touch(didemo / "all_videos", name)
        corpus = read_corpus("didemo", didemo, "test", missing="stop")
        assert texts(corpus) == {"5@N00_5_ab": ("a b",)}
        assert corpus.clips[0].files == (didemo / "all_videos" / name,)
        (didemo / "all_videos" / name).unlink()
    touch(didemo / "all_videos", "._5@N00_5_ab.mp4", "5@N00_5_ab.jpg")
    with pytest.raises(DataError, match="1 of 1"):
        read_corpus("didemo", didemo, "test")


def test_names_of_videos_that_lie_there_are_found_whatever_they_end_in(didemo):
    listed = ["6.unheard", "lecture.one", "lecture.two", "no_suffix", "a copy too.avi"]
    write_lines(didemo / "annotations" / "test_list.txt", *listed)
    moments = [{"video": name, "description": name} for name in listed]
    write_json(didemo / "annotations" / "test_data.json", moments)
    names = ["6.unheard", "lecture.one.mp4", "lecture.two", "no_suffix", "a copy too.avi"]
    touch(didemo / "all_videos", *names, "a copy too.mp4", "lecture.mp4", "lecture.one")
    corpus = read_corpus("didemo", didemo, "test", missing="stop")
    assert [clip.files[0].name for clip in corpus.clips] == names
    assert ids(corpus) == ["6.unheard", "lecture.one", "lecture.two", "no_suffix", "a copy too"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b.mov.mp4", "a.b"), ("a.", "a"), ("a..", "a"), (".mp4", ".mp4"), ("a.mp4.x", "a.mp4.x"),
     ("-4wsuPCjDBc_5_15", "-4wsuPCjDBc_5_15"), ("v_QOlSCBRmfWY", "v_QOlSCBRmfWY"),
     ("a.mp4\n", "a.mp4\n"), ("mp4", "mp4"), ("x.3GP.Mov", "x")],
)  # fmt: skip
def test_the_stem_of_a_name(name, stem):
    assert video_stem(name) == stem


def test_ids_with_and_without_a_suffix_are_the_same(msrvtt, activitynet, msvd, qa):
    """In whichever of the files of a release the suffix stands."""

    def suffixed(path, pattern):
        path.write_text(re.sub(pattern, r"\1.mp4", path.read_text()))

    before = [read_corpus("msrvtt", msrvtt, split) for split in ("train", "validation", "test")]
    suffixed(msrvtt / "MSRVTT_train.9k.csv", r"(video\d+)")
    suffixed(msrvtt / "MSRVTT_JSFUSION_test.csv", r"(?<!msr)(video9770|video9771)")
    after = [read_corpus("msrvtt", msrvtt, split) for split in ("train", "validation", "test")]
    assert after == before
    suffixed(msrvtt / "MSRVTT_data.json", r"(?<=\"video_id\": \")(video\d+)")
    assert [read_corpus("msrvtt", msrvtt, corpus.split) for corpus in before] == before
    before = [read_corpus("activitynet", activitynet, split) for split in ("validation", "test")]
    suffixed(activitynet / "captions" / "train_ids.json", r"(v_train\d+)")
    suffixed(activitynet / "captions" / "val_1.json", r"(v_a|v_b-QOlSCBRm)(?=\")")
    assert [read_corpus("activitynet", activitynet, corpus.split) for corpus in before] == before
    before = read_corpus("msvd", msvd, "train")
    suffixed(msvd / "train_list.txt", r"(b_5_8)")
    captions = {"a_1_2.avi": [["a", "man", "sings"]], "b_5_8": [["a", "cat"]]}
    captions["b_5_8.avi"] = [["two", "cats", "play"]]
    (msvd / "raw-captions.pkl").write_bytes(pickle.dumps(captions))
    assert read_corpus("msvd", msvd, "train") == before
    before = read_questions(qa, "test")
    suffixed(qa / "msrvtt_qa" / "test.jsonl", r"(test\d)")
    assert read_questions(qa, "test") == before


def test_msvd_has_many_captions_a_video(msvd):
    train = read_corpus("msvd", msvd, "train", missing="stop")
    assert list(texts(train).items()) == [
        ("b_5_8", ("a cat", "two cats play")),  # and not "."
        ("a_1_2", ("a man sings",)),
    ]
    assert [clip.files[0].name for clip in train.clips] == ["b_5_8.mp4", "a_1_2.avi"]
    assert texts(read_corpus("msvd", msvd, "validation")) == {"c_0_9": ("rain",)}
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": ("snow",)}


@pytest.mark.parametrize(
    "content",
    [
        b"(dS'd_3_4'\n((lS'a'\naS'caf\\xe9'\nals.",  # protocol 0
        b"\x80\x02}U\x05d_3_4]](U\x01aU\x04caf\xe9eas.",  # protocol 2
        b"(dS'd_3_4'\n((lS'a'\naS'caf\\xc3\\xa9'\nals.",
        b"\x80\x02}U\x05d_3_4]](U\x01aU\x05caf\xc3\xa9eas.",
        b"\x80\x02}X\x05\x00\x00\x00d_3_4]](U\x01aX\x05\x00\x00\x00caf\xc3\xa9eas.",  # unicode
    ],
)
def test_msvd_captions_pickled_by_python_2(msvd, content):
    (msvd / "raw-captions.pkl").write_bytes(content)
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": ("a café",)}


@pytest.mark.parametrize(
    ("word", "read"),
    [("don’t".encode(), "don’t"), (b"don\x92t", "don’t"), ("猫".encode(), "猫"),
     ("Ã©".encode(), "Ã©"), (b"na\xefve", "naïve"), (b"don't", "don't")],
)  # fmt: skip
def test_strings_of_python_2_are_utf8_or_windows_1252(msvd, word, read):
    assert len(word) < 256
    string = b"U" + bytes([len(word)]) + word
    content = b"\x80\x02}U\x05d_3_4]](" + string + b"U\x04caf\xe9eas."
    (msvd / "raw-captions.pkl").write_bytes(content)
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": (f"{read} café",)}


def test_a_pickle_that_holds_itself_or_is_deep(msvd):
    own, deep = [], []
    own.append(own)
    for _ in range(100_000):
        deep = [deep]
    shared = ["a"]
    for _ in range(60):  # 2 ** 60 words, in a few hundred bytes
        shared = [shared, shared]
    for value in (own, shared):
        (msvd / "raw-captions.pkl").write_bytes(pickle.dumps({"d_3_4": value}))
        with pytest.raises(DataError, match="d_3_4, caption 0"):
            read_corpus("msvd", msvd, "test")
    nested = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    (msvd / "raw-captions.pkl").write_bytes(nested)
    with pytest.raises(DataError, match="not a readable pickle"):
        read_corpus("msvd", msvd, "test")


def test_flickr8k_without_its_lists_is_split_by_a_hash(flickr8k):
    everything = read_corpus("flickr8k", flickr8k, "all", missing="stop")
    assert ids(everything) == [f"{number}_ab.jpg" for number in range(60)]
    assert everything.clips[3].captions[1] == "photo3 has text3, kind1 ."
    assert len(everything.clips[3].captions) == 5
    assert everything.clips[3].files == (flickr8k / "Images" / "3_ab.jpg",)
    train, validation = (read_corpus("flickr8k", flickr8k, s) for s in ("train", "validation"))
    assert sorted(ids(train) + ids(validation)) == sorted(ids(everything))
    assert ids(validation) == HELD_OUT_FLICKR


def test_flickr8k_with_its_lists(flickr8k):
    write_lines(flickr8k / "Flickr_8k.trainImages.txt", "5_ab.jpg", "1_ab.jpg", "unknown.jpg")
    write_lines(flickr8k / "Flickr_8k.devImages.txt", "2_ab.jpg")
    write_lines(flickr8k / "Flickr_8k.testImages.txt", "3_ab.jpg")
    train = read_corpus("flickr8k", flickr8k, "train")
    assert ids(train) == ["5_ab.jpg", "1_ab.jpg"]
    assert train.without_text == ("unknown.jpg",)
    assert ids(read_corpus("flickr8k", flickr8k, "validation")) == ["2_ab.jpg"]
    assert ids(read_corpus("flickr8k", flickr8k, "test")) == ["3_ab.jpg"]
    assert len(read_corpus("flickr8k", flickr8k, "all").clips) == 60


def test_flickr8k_mixes_no_list_with_the_hash(flickr8k):
    """A validation split by hash would hold photographs of the official train or test list."""
    write_lines(flickr8k / "Flickr_8k.testImages.txt", "3_ab.jpg")
    with pytest.raises(DataError, match=r"There is no Flickr_8k\.devImages\.txt"):
        read_corpus("flickr8k", flickr8k, "validation")


def test_questions_and_classes(qa):
    train = read_questions(qa, "train", missing="stop")
    assert train.answers == {"man": 0, "dog": 1, "couch": 2, "rare": 3}
    assert [question.label for question in train.questions] == [2, 1, 1, 0, 0, 0, 3]
    test = read_questions(qa, "test")
    assert [question.label for question in test.questions] == [2, None]
    first = test.questions[0]
    assert (first.video_id, first.question, first.answer, first.answer_type) == (
        "test0", "what is 0?", "couch", "what",
    )  # fmt: skip
    assert first.file == qa / "videos" / "test0.mp4"


def test_only_the_most_frequent_answers_of_train_are_classes(qa, monkeypatch):
    monkeypatch.setattr(questions, "CLASSES", 2)
    validation = read_questions(qa, "validation")
    assert validation.answers == {"man": 0, "dog": 1}
    assert [question.label for question in validation.questions] == [None, 0]
    # Numbered without gaps whatever the labels of the file are; those decide between equals.
    path = qa / "msrvtt_qa" / "train_ans2label.json"
    write_json(path, {"couch": 9, "rare": 8, "man": 70})
    assert read_questions(qa, "validation").answers == {"rare": 0, "man": 1}
    monkeypatch.undo()
    assert questions.CLASSES == 1000


# Video files.


def test_missing_videos_are_left_out_and_listed(msrvtt, caplog):
    (msrvtt / "video9771.MP4").unlink()
    corpus = read_corpus("msrvtt", msrvtt, "test")
    assert ids(corpus) == ["video9770"]
    assert corpus.missing == ("video9771",)
    assert "1 of 2" in caplog.text


def test_missing_videos_can_stop(msrvtt):
    for id in MSRVTT_IDS[:12]:
        (msrvtt / "videos" / "all" / f"{id}.mp4").unlink()
    with pytest.raises(DataError) as caught:
        read_corpus("msrvtt", msrvtt, "captioning-train", missing="stop")
    message = str(caught.value)
    assert "12 of 200" in message
    assert re.findall(r"video\d+", message) == MSRVTT_IDS[:10]
    assert str(msrvtt) in message


def test_all_videos_missing_is_an_error(msvd):
    for file in (msvd / "YouTubeClips").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"2 of 2 .*b_5_8, a_1_2"):
        read_corpus("msvd", msvd, "train")


def test_missing_videos_of_questions(qa):
    (qa / "videos" / "test0.mp4").unlink()
    found = read_questions(qa, "test")
    assert [question.video_id for question in found.questions] == ["test1"]
    assert found.missing == ("test0",)
    with pytest.raises(DataError, match=r"1 of 2 .*test0"):
        read_questions(qa, "test", missing="stop")


def test_the_file_nearest_to_the_root_counts_and_links_are_followed(msvd, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    touch(elsewhere, "c_0_9.mp4")
    (msvd / "YouTubeClips" / "c_0_9.avi").unlink()
    os.symlink(elsewhere, msvd / "linked", target_is_directory=True)
    os.symlink(msvd, elsewhere / "back", target_is_directory=True)
    clip = read_corpus("msvd", msvd, "validation").clips[0]
    assert clip.files == (msvd / "linked" / "c_0_9.mp4",)
    touch(msvd / "a" / "b", "d_3_4.mp4")
    clip = read_corpus("msvd", msvd, "test").clips[0]
    assert clip.files == (msvd / "YouTubeClips" / "d_3_4.avi",)


# What is refused.


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_missing_annotation_file_is_named_with_places_and_layout(name, tmp_path):
    for split in DATA_SETS[name].splits:
        with pytest.raises(DataError) as caught:
            read_corpus(name, tmp_path, split)
        message = str(caught.value)
        file = re.match(r"There is no (\S+)\. ", message)[1]
        assert f"{tmp_path / file}," in message
        assert str(tmp_path / "annotations" / file) in message
        assert file in message.split("Expected layout:")[1]


def test_names_that_are_not_known(tmp_path):
    assert issubclass(DataError, InputError)
    with pytest.raises(DataError, match=r"'mnist'.*msrvtt, activitynet, didemo, msvd, flickr8k"):
        read_corpus("mnist", tmp_path, "train")
    with pytest.raises(DataError, match=r"'val'.*train, validation, test"):
        read_corpus("msvd", tmp_path, "val")
    with pytest.raises(DataError, match=r"'all'.*train, validation, test"):
        read_questions(tmp_path, "all")
    with pytest.raises(DataError, match="skip, stop"):
        read_corpus("msvd", tmp_path, "test", missing="ignore")
    with pytest.raises(DataError, match="There is no folder"):
        read_corpus("msvd", tmp_path / "nowhere", "test")


BROKEN = [  # data set, split, file, content, what the message says
    ("msrvtt", "train", "MSRVTT_data.json", '{"videos": [],\n\n"sentences"; []}', "line 3: not"),
    ("msrvtt", "train", "MSRVTT_data.json", '{"videos": []}', "'sentences'"),
    ("msrvtt", "train", "MSRVTT_data.json", "[]", "expected an object"),
    (
        "msrvtt", "train", "MSRVTT_data.json",
        '{"videos": [], "sentences": [{"video_id": "a", "caption": "b"}, {"video_id": 7}]}',
        r"sentences\[1\]: 'video_id'",
    ),
    (
        "msrvtt", "captioning-test", "MSRVTT_data.json",
        '{"videos": [{"video_id": "a"}], "sentences": []}', r"videos\[0\]: there is no 'split'",
    ),
    ("msrvtt", "train", "MSRVTT_train.9k.csv", "id\nvideo1\n", "line 1: .*no column video_id"),
    ("msrvtt", "train", "MSRVTT_train.9k.csv", "", "line 1"),
    (
        "msrvtt", "test", "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,fine\nret1,msr1,video9771\n", "line 3",
    ),
    (
        "msrvtt", "test", "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,a cat, a dog\n", "line 2: .*quotes",
    ),
    (
        "msrvtt", "test", "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,\n", "line 2: sentence is empty",
    ),
    (
        "flickr8k", "all", "captions.txt",
        'image,caption\n1_ab.jpg,good\n2_ab.jpg,"not closed\n3_ab.jpg,x\n', "line 3: not CSV",
    ),
    ("flickr8k", "all", "captions.txt", b"image,caption\na,b\nc,\xff\n", "line 3: not UTF-8"),
    ("activitynet", "test", "captions/val_ids.json", '{"v_a": 1}', "list of strings"),
    ("activitynet", "test", "captions/val_1.json", '{"v_a": {"sentences": []}}', "v_a.*timestamps"),
    (
        "activitynet", "test", "captions/val_1.json",
        '{"v_a": {"timestamps": [[0, 1]], "sentences": ["a", "b"]}}', "1 timestamps for 2",
    ),
    (
        "activitynet", "test", "captions/val_1.json",
        '{"v_a": {"timestamps": [["x", 1]], "sentences": ["a"]}}', "timestamp",
    ),
    ("didemo", "test", "annotations/test_data.json", "{}", "list of moments"),
    ("didemo", "test", "annotations/test_data.json", '[{"video": "x"}]', r"\[0\].*description"),
    ("msvd", "test", "raw-captions.pkl", b"\x80\x04not a pickle", "not a readable pickle"),
    ("msvd", "test", "raw-captions.pkl", b"", "not a readable pickle"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps([1]), "expected an object"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": "snow"}), "d_3_4"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": [["a", 1]]}), "d_3_4, caption 0"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": ["it snows"]}), "d_3_4, caption 0"),
    ("qa", "test", "msrvtt_qa/test.jsonl", '{"answer": "a"}\n', "line 1: there is no 'video_id'"),
    ("qa", "test", "msrvtt_qa/train.jsonl", "\n\n{'answer'\n", "line 3: not JSON"),
    ("qa", "test", "msrvtt_qa/test.jsonl", "\n", "empty"),
    ("qa", "test", "msrvtt_qa/train_ans2label.json", '{"a": 0, "b": 0}', "number of its own"),
    ("qa", "test", "msrvtt_qa/train_ans2label.json", '{"a": "0"}', "number of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "split", "file", "content", "message"), BROKEN)
def test_broken_annotations_are_named(name, split, file, content, message, request):
    root = request.getfixturevalue(name)
    (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_questions(root, split) if name == "qa" else read_corpus(name, root, split)
    assert str(root / file) in str(caught.value)


def test_an_empty_split_is_an_error(msrvtt, flickr8k):
    write_csv(msrvtt / "MSRVTT_train.9k.csv", ["video_id"])
    with pytest.raises(DataError, match=r"'train' of msrvtt in .* is empty"):
        read_corpus("msrvtt", msrvtt, "train")
    write_csv(msrvtt / "MSRVTT_train.9k.csv", ["video_id"], ["without a sentence"])
    with pytest.raises(DataError, match=r"of 1 ids .* none has a caption"):
        read_corpus("msrvtt", msrvtt, "train")
    write_csv(flickr8k / "captions.txt", ["image", "caption"])
    with pytest.raises(DataError, match=r"'all' of flickr8k in .* is empty"):
        read_corpus("flickr8k", flickr8k, "all")


def test_a_byte_order_mark_is_no_part_of_the_header(flickr8k):
    path = flickr8k / "captions.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_corpus("flickr8k", flickr8k, "all").clips) == 60


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_texts_with_a_byte_order_mark(flickr8k, encoding, newline):
    mark = "" if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    lines = ["image,caption", "5_ab.jpg,ein Hühnchen läuft", '7_ab.jpg,"猫, zwei"', ""]
    content = (mark + newline.join(lines)).encode(encoding)
    (flickr8k / "captions.txt").write_bytes(content)
    assert texts(read_corpus("flickr8k", flickr8k, "all")) == {
        "5_ab.jpg": ("ein Hühnchen läuft",),
        "7_ab.jpg": ("猫, zwei",),
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lists_with_the_line_ends_of_any_system(flickr8k, newline):
    path = flickr8k / "Flickr_8k.trainImages.txt"
    path.write_bytes(newline.join(["5_ab.jpg", "7_ab.jpg", ""]).encode("utf-8-sig"))
    assert ids(read_corpus("flickr8k", flickr8k, "train")) == ["5_ab.jpg", "7_ab.jpg"]


@pytest.mark.parametrize(
    ("encoding", "caption", "line", "reason"),
    [("cp1252", "the café", 3, "not UTF-8"), ("gbk", "狗", 3, "not UTF-8"),
     ("utf-16-le", "a cafe", 1, "zero byte"), ("utf-32-be", "a cafe", 1, "zero byte")],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_texts_of_other_encodings_are_named(flickr8k, encoding, caption, line, reason, newline):
    text = newline.join(["image,caption", "5_ab.jpg,two dogs", f"7_ab.jpg,{caption}", ""])
    (flickr8k / "captions.txt").write_bytes(text.encode(encoding))
    with pytest.raises(
        DataError, match=rf"captions\.txt, line {line}: .*{reason}.*Save it as UTF-8"
    ):
        read_corpus("flickr8k", flickr8k, "all")


def test_half_of_a_character_in_utf16(flickr8k):
    content = "image,caption\n5_ab.jpg,x".encode("utf-16")
    (flickr8k / "captions.txt").write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"captions\.txt, line 2: not UTF-16"):
        read_corpus("flickr8k", flickr8k, "all")


def test_half_a_surrogate_pair_in_json_becomes_a_question_mark(didemo):
    path = didemo / "annotations" / "test_data.json"
    path.write_text(r'[{"video": "4@N_4.mp4", "description": "a cat \ud83d"}]')
    assert texts(read_corpus("didemo", didemo, "test")) == {"4@N_4": ("a cat ?",)}


class Attack:
    def __init__(self, call, *arguments):
        self.called = call, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_runs_nothing(msvd, protocol):
    marks = [msvd / "by_system", msvd / "by_open", msvd / "by_eval"]
    attacks = [
        Attack(os.system, f"touch {marks[0]}"),
        Attack(open, str(marks[1]), "w"),
        Attack(eval, f"open({str(marks[2])!r}, 'w')"),
        Attack(os.mkdir, str(marks[0])),
    ]
    for attack in attacks:
        data = pickle.dumps({"d_3_4": [["snow"]], "x": attack}, protocol)
        (msvd / "raw-captions.pkl").write_bytes(data)
        with pytest.raises(DataError, match="could run a program"):
            read_corpus("msvd", msvd, "test")
        assert not any(mark.exists() for mark in marks)
    pickle.loads(data)  # the attack is one: without protection it does what it says
    assert marks[0].exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bytes_of_python_3_in_any_protocol(msvd, protocol):
    """Up to 2 there is no opcode for them: they ask for _codecs.encode, empty ones for bytes."""
    known = {b"d_3_4": [["caf\xe9".encode(), b""], [b"na\xefve", "snow"]], "a_1_2": b""}
    (msvd / "raw-captions.pkl").write_bytes(pickle.dumps(known, protocol))
    assert read_pickle(msvd / "raw-captions.pkl") == {
        "d_3_4": [["café", ""], ["naïve", "snow"]], "a_1_2": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [("snow", "rot13"), ("snow", "utf-8"), ("snow", "latin1", "ignore"), (b"snow", "latin1"),
     (b"eJw=", "zlib"), ("snow",), (), ("猫", "latin1")],
)  # fmt: skip
def test_nothing_else_can_be_asked_of_a_codec(msvd, arguments):
    data = pickle.dumps({"d_3_4": [Attack(codecs.encode, *arguments)]}, 2)
    (msvd / "raw-captions.pkl").write_bytes(data)
    with pytest.raises(DataError, match=r"could run a program|not a readable pickle"):
        read_pickle(msvd / "raw-captions.pkl")


@pytest.mark.parametrize(
    "call", [codecs.decode, codecs.lookup, bytearray, getattr, str.encode, os.system]
)
def test_no_other_function_is_near_enough(msvd, call):
    data = pickle.dumps({"d_3_4": [Attack(call, "snow", "latin1")]}, 2)
    (msvd / "raw-captions.pkl").write_bytes(data)
    with pytest.raises(DataError, match="could run a program"):
        read_pickle(msvd / "raw-captions.pkl")


def test_no_bytes_are_made_by_their_number(msvd):
    for name in (b"__builtin__", b"builtins"):
        (msvd / "raw-captions.pkl").write_bytes(b"\x80\x02c" + name + b"\nbytes\nK\x05\x85R.")
        with pytest.raises(DataError):
            read_pickle(msvd / "raw-captions.pkl")


# Montages.


def test_montages_know_the_photograph_of_every_word(flickr8k):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    made = montages(corpus, 60, seed=3)
    by_file = {clip.files[0]: clip for clip in corpus.clips}
    for montage in made:
        assert len(set(montage.files)) == len(montage.files)
        (text,) = montage.captions
        # Every caption of the fixture tells its photograph: "photo3 has text3, kind1 ."
        sentences = text.removesuffix(".").split(". ")
        for sentence, file in zip(sentences, montage.files, strict=True):
            assert f"{sentence} ." in by_file[file].captions
        assert [text[start:end] for start, end in montage.spans] == sentences
        caption = parse_caption(text)
        photographs = photograph_of_words(caption, montage)
        expected = [n for n, sentence in enumerate(sentences) for _ in sentence.split()]
        assert list(photographs) == expected
        for word, photograph in zip(caption.words, photographs, strict=True):
            number = re.sub(r"photo|text", "", word.text)
            if number.isdigit():
                assert montage.files[photograph].name == f"{number}_ab.jpg"
    assert {len(montage.files) for montage in made} == {1, 2, 3, 4}
    assert len({montage.id for montage in made}) == 60
    kinds = {re.search(r"kind(\d)", montage.captions[0])[1] for montage in made}
    assert kinds == set("01234")


def test_montages_are_the_same_for_a_seed(flickr8k):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    made = montages(corpus, 10, seed=1)
    assert montages(corpus, 10, seed=1) == made
    assert montages(corpus, 4, seed=1) == made[:4]
    assert [m.files for m in montages(corpus, 10, seed=2)] != [m.files for m in made]
    assert {len(m.files) for m in montages(corpus, 20, seed=1, parts=(3,))} == {3}


def test_a_word_that_the_caption_left_out_has_no_photograph(flickr8k):
    montage = montages(read_corpus("flickr8k", flickr8k, "all"), 1, seed=0, parts=(4,))[0]
    caption = parse_caption(montage.captions[0], max_words=5)
    assert photograph_of_words(caption, montage) == (0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="not the caption of montage-0-0"):
        photograph_of_words(parse_caption("another caption"), montage)


def test_montages_that_cannot_be_made(flickr8k, msvd):
    corpus = read_corpus("flickr8k", flickr8k, "all")
    for parts in ((61,), (0, 1), ()):
        with pytest.raises(DataError, match="from 1 to 60"):
            montages(corpus, 1, seed=0, parts=parts)
    with pytest.raises(DataError, match="msvd has videos"):
        montages(read_corpus("msvd", msvd, "train"), 1, seed=0, parts=(1,))


# Frames.


def save_rings(path: Path, centre=(255, 0, 0)) -> Path:
    """100 × 50 pixels: blue sides, a green square of 50, in it `centre` of 40 pixels a side."""
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:] = 0, 0, 255
    pixels[:, 25:75] = 0, 255, 0
    pixels[5:45, 30:70] = centre
    Image.fromarray(pixels).save(path)
    return path


def test_a_photograph_zooms_in(tmp_path):
    clip = Clip("a", (save_rings(tmp_path / "a.png"),), ("a ring",))
    read = read_frames(clip, 5, size=80)
    assert read.pixels.shape == (5, 80, 80, 3)
    assert read.pixels.dtype == np.uint8
    assert read.shown == (0, 0, 0, 0, 0)
    whole, squares = read.pixels[0], read.pixels[1:]
    assert (whole[..., 2] > 127).sum() == 80 * 40  # the sides, half of the whole photograph
    green = (squares[..., 1].astype(float) > 127).sum((1, 2))
    assert (np.diff(green) < 0).all()
    assert green[0] == 80**2 - 64**2  # the whole square: its middle is 40 of 50 pixels a side
    assert green[-1] == 0  # 0.8 of it is its middle alone
    assert (squares[..., 2] < 60).all()  # of the sides nothing but a blur
    single = read_frames(clip, 1, size=80)
    assert np.array_equal(single.pixels, read.pixels[:1])


def test_a_montage_shares_its_frames_evenly(tmp_path):
    colours = [(255, 0, 0), (0, 0, 0), (255, 255, 255)]
    files = tuple(save_rings(tmp_path / f"{n}.png", colour) for n, colour in enumerate(colours))
    clip = Clip("m", files, ("three rings",))
    for frames, shown in [
        (3, (0, 1, 2)),
        (8, (0, 0, 0, 1, 1, 1, 2, 2)),
        (12, (0,) * 4 + (1,) * 4 + (2,) * 4),
    ]:
        read = read_frames(clip, frames, size=40)
        assert read.shown == shown
        assert read.pixels.shape == (frames, 40, 40, 3)
        middles = read.pixels[:, 20, 20].tolist()
        assert middles == [list(colours[number]) for number in shown]
    with pytest.raises(VideoError, match="3 photographs; 2 frames"):
        read_frames(clip, 2)


def test_a_photograph_is_shown_upright(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20] = 255  # white on the left, which the camera says is the top
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    read = read_frames(Clip("t", (tmp_path / "turned.jpg",), ("white sky",)), 1, size=40)
    assert read.pixels[0, :15].min() > 200
    assert read.pixels[0, 25:].max() < 50


def write_png(path: Path, pixels: np.ndarray, kind: int, transparent: bytes = b"") -> Path:
    """A PNG with 8 or 16 bits a channel, chunk by chunk: PIL writes no 16-bit colours."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    height, width = pixels.shape[:2]
    depth = 8 * pixels.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    if transparent:
        parts.insert(1, chunk(b"tRNS", transparent))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6


@pytest.mark.parametrize(
    ("kind", "channels", "shown"),
    [
        (GREY, [0, 257, 40000, 65535], [[0] * 3, [1] * 3, [156] * 3, [255] * 3]),
        (COLOUR, [[0, 257, 40000], [65535, 30000, 128]], [[0, 1, 156], [255, 117, 0]]),
        (GREY_ALPHA, [[40000, 65535], [40000, 0], [0, 32896]], [[156] * 3, [255] * 3, [127] * 3]),
        (COLOUR_ALPHA, [[257, 0, 65535, 65535], [9, 9, 9, 0]], [[1, 0, 255], [255] * 3]),
    ],
    ids=["grey", "colour", "grey with alpha", "colour with alpha"],
)
def test_photographs_of_16_bits(tmp_path, kind, channels, shown):
    path = write_png(tmp_path / "a.png", np.array([channels], np.uint16), kind)
    pixels = np.asarray(open_photograph(path))
    assert pixels.shape == (1, len(channels), 3)
    assert np.abs(pixels[0].astype(int) - shown).max() <= 1


@pytest.mark.parametrize("mode", ["<u2", ">u2", "<i4"])
def test_16_bits_in_other_files(tmp_path, mode):
    """PIL goes by what is in a file, not by its name."""
    Image.fromarray(np.array([[0, 300, 65535]], mode)).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 0.5]], np.float32),
        np.array([[0, 70000]], np.int32),
        np.array([[-1, 0]], np.int32),
    ],
)
def test_numbers_without_a_white_are_refused(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    with pytest.raises(VideoError, match=r"a\.png has pixels that are not numbers of 8 or 16 bits"):
        open_photograph(tmp_path / "a.png")


def test_what_is_transparent_is_shown_on_white(tmp_path):
    white = [255, 255, 255]
    colours = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 51)]):
        colours.putpixel((x, 0), colour)
    shown = [[200, 0, 0], white, [204, 204, 204]]
    colours.save(tmp_path / "a.png")
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == shown
    colours.convert("LA").save(tmp_path / "a.png")
    grey = np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist()
    assert grey == [[60] * 3, white, [204] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 0, 0, 0, 0, 90])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.png", transparency=1)
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[200, 0, 0], white]
    two = np.array([[[9, 8, 7], [9, 8, 6]]], np.uint8)
    write_png(tmp_path / "a.png", two, COLOUR, transparent=struct.pack(">3H", 9, 8, 6))
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[9, 8, 7], white]
    deep = np.array([[40000, 40001]], np.uint16)  # the same in 8 bits
    write_png(tmp_path / "a.png", deep, GREY, transparent=struct.pack(">H", 40001))
    assert np.asarray(open_photograph(tmp_path / "a.png"))[0].tolist() == [[156] * 3, white]


def test_images_that_cannot_be_read(tmp_path):
    image = save_rings(tmp_path / "cut.jpg")
    image.write_bytes(image.read_bytes()[:400])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").touch()
    for name in ("cut.jpg", "text.png", "empty.jpg", "absent.jpg"):
        with pytest.raises(VideoError, match=name):
            read_frames(Clip("x", (tmp_path / name,), ("x",)), 2)
    mixed = Clip("mixed", (image, tmp_path / "a.mp4"), ("x",))
    with pytest.raises(VideoError, match="mixed has 2 files, which are not all images"):
        read_frames(mixed, 2)


def test_a_video_is_read(msvd):
    write_clip(msvd / "YouTubeClips" / "d_3_4.avi", codec="mpeg4")
    read = read_frames(read_corpus("msvd", msvd, "test").clips[0], 5)
    assert read.pixels.shape == (5, 64, 96, 3)
    assert read.shown == (0, 0, 0, 0, 0)
    shown = read.pixels.mean((1, 2, 3)) / LEVEL
    assert shown == pytest.approx([5, 15, 25, 35, 45], abs=0.6)
    with pytest.raises(VideoError, match=r"c_0_9\.avi"):  # an empty file
        read_frames(read_corpus("msvd", msvd, "validation").clips[0], 5)


# Synthetic clips.


def shape_of(frames: np.ndarray) -> np.ndarray:
    """bool [F, H, W]: where a frame differs from its corner, which is background."""
    return (frames.astype(int) != frames[:, :1, :1]).any(-1)


def test_synthetic_clips_show_what_their_captions_say():
    clips = synthetic_clips(96, seed=5, size=128)
    names = {"red": 0, "green": 1, "blue": 2}
    steps = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
    corners = {"circle": 0.785, "square": 1.0, "triangle": 0.5, "cross": 0.51}  # share of their box
    for frames, caption in clips:
        assert frames.shape == (8, 128, 128, 3)
        assert frames.dtype == np.uint8
        _, colour, shape, _, direction = caption.split()
        drawn = shape_of(frames)
        centres = np.array([np.argwhere(frame).mean(0) for frame in drawn])
        moved = np.diff(centres, axis=0)
        assert (moved @ np.array(steps[direction]) > 4).all(), caption  # pixels a frame
        assert np.abs(moved @ np.array(steps[direction])[::-1]).max() < 1, caption
        if colour in names:
            assert frames[drawn].mean(0).argmax() == names[colour], caption
        rows, columns = np.argwhere(drawn[0]).T
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert drawn[0].sum() / box == pytest.approx(corners[shape], abs=0.09), caption
        assert drawn[0].sum() == pytest.approx(drawn[-1].sum(), rel=0.15), caption  # none is cut
    captions = {caption for _, caption in clips}
    assert len(captions) == 96
    assert len({tuple(caption.split()[1:3]) for caption in captions}) == 24


def test_synthetic_clips_are_the_same_for_a_seed():
    first, again = synthetic_clips(6, seed=1), synthetic_clips(100, seed=1)
    for (frames, caption), (frames_again, caption_again) in zip(first, again, strict=False):
        assert caption == caption_again
        assert np.array_equal(frames, frames_again)
    other = synthetic_clips(6, seed=2)
    assert [caption for _, caption in other] != [caption for _, caption in first]
    assert again[96][1] == again[0][1]  # a combination again, drawn anew
    assert not np.array_equal(again[96][0], again[0][0])
    with pytest.raises(DataError, match="at least 2 and 16"):
        synthetic_clips(1, frames=1)
    assert synthetic_clips(1, frames=4, size=32)[0][0].shape == (4, 32, 32, 3)


def test_synthetic_clips_written_in_the_layout_of_msvd(tmp_path):
    made = synthetic_clips(3, seed=0)
    (tmp_path / "videos").mkdir()
    for number, (frames, _) in enumerate(made):
        with av.open(tmp_path / "videos" / f"s{number}.avi", "w") as container:
            stream = container.add_stream("ffv1", rate=8)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr0"
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    captions = {f"s{number}": [caption.split()] for number, (_, caption) in enumerate(made)}
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps(captions))
    for name, id in zip(("train", "val", "test"), captions, strict=True):
        write_lines(tmp_path / f"{name}_list.txt", id)
    read = [read_corpus("msvd", tmp_path, split) for split in ("train", "validation", "test")]
    assert list(itertools.chain(*map(ids, read))) == ["s0", "s1", "s2"]
    for corpus, (frames, caption) in zip(read, made, strict=True):
        assert corpus.clips[0].captions == (caption,)
        pixels = read_frames(corpus.clips[0], 8).pixels
        assert np.abs(pixels.astype(int) - frames).max() <= 2
