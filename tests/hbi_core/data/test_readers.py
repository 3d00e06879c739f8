"""Data sets are read as their releases are laid out."""

from __future__ import annotations

import pickle
import re

import pytest

from hbi_core.data import read_corpus
from hbi_core.errors import DataError
from support.releases import MSRVTT_IDS, ids, texts, touch, write_json, write_lines

# As the hash gives them, so that no later version moves a clip from one split to the other.
HELD_OUT_MSRVTT = [f"video{n}" for n in (197, 196, 137, 126, 99, 67, 53, 22, 11, 6)]
HELD_OUT_FLICKR = [f"{n}_ab.jpg" for n in (1, 8, 14, 21, 26, 42, 45, 53, 58)]


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
    [
        ".mts",
        ".m2ts",
        ".3g2",
        ".3gp",
        ".ogv",
        ".flv",
        ".ts",
        ".vob",
        ".divx",
        ".asf",
        ".m2v",
        ".dv",
        ".mpeg",
        ".rm",
        ".MOV",
        ".Mp4",
        ".",
        ".mov.",
        ".avi.mp4",
        ".3gpp",
        ".mod",
        ".unheard",
        ".v 1.0",
        ".mov.unheard",
    ],
)
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
    before = read_corpus("msrvtt_qa", qa, "test")
    suffixed(qa / "msrvtt_qa" / "test.jsonl", r"(test\d)")
    assert read_corpus("msrvtt_qa", qa, "test") == before


def test_msvd_has_many_captions_a_video(msvd):
    train = read_corpus("msvd", msvd, "train", missing="stop")
    assert list(texts(train).items()) == [
        ("b_5_8", ("a cat", "two cats play")),  # and not "."
        ("a_1_2", ("a man sings",)),
    ]
    assert [clip.files[0].name for clip in train.clips] == ["b_5_8.mp4", "a_1_2.avi"]
    assert texts(read_corpus("msvd", msvd, "validation")) == {"c_0_9": ("rain",)}
    assert texts(read_corpus("msvd", msvd, "test")) == {"d_3_4": ("snow",)}


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
