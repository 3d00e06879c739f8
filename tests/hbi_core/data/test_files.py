"""Video files are found by their names, and those that are missing are told."""

from __future__ import annotations

import os
import re

import pytest

from hbi_core.data import read_corpus
from hbi_core.data.files import video_stem
from hbi_core.errors import DataError
from support.releases import MSRVTT_IDS, ids, touch


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.b.mov.mp4", "a.b"),
        ("a.", "a"),
        ("a..", "a"),
        (".mp4", ".mp4"),
        ("a.mp4.x", "a.mp4.x"),
        ("-4wsuPCjDBc_5_15", "-4wsuPCjDBc_5_15"),
        ("v_QOlSCBRmfWY", "v_QOlSCBRmfWY"),
        ("a.mp4\n", "a.mp4\n"),
        ("mp4", "mp4"),
        ("x.3GP.Mov", "x"),
    ],
)
def test_the_stem_of_a_name(name, stem):
    assert video_stem(name) == stem


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
