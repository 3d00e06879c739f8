"""A split of a data set, whatever its release looks like, and what is refused."""

from __future__ import annotations

import re

import pytest

from hbi_core.data import read_corpus, shared_with_test
from hbi_core.data.readers import DATA_SETS
from hbi_core.errors import DataError, InputError
from support.releases import MSRVTT_IDS, ids, write_csv, write_lines


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


def test_names_that_are_not_known(tmp_path):
    assert issubclass(DataError, InputError)
    with pytest.raises(DataError, match=r"'mnist'.*msrvtt, activitynet, didemo, msvd, flickr8k"):
        read_corpus("mnist", tmp_path, "train")
    with pytest.raises(DataError, match=r"'val'.*train, validation, test"):
        read_corpus("msvd", tmp_path, "val")
    with pytest.raises(DataError, match=r"'all'.*train, validation, test"):
        read_corpus("msrvtt_qa", tmp_path, "all")
    with pytest.raises(DataError, match="skip, stop"):
        read_corpus("msvd", tmp_path, "test", missing="ignore")
    with pytest.raises(DataError, match="There is no folder"):
        read_corpus("msvd", tmp_path / "nowhere", "test")


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
