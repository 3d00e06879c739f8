"""A small release of each data set, in the layout of the large one; and clips to be read."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from hbi_core.data import Clip
from hbi_core.inputs.video import Decoder
from support.clips import write_clip
from support.releases import MSRVTT_IDS, touch, write_csv, write_json, write_lines


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
    return tmp_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four small videos, two of them with fewer frames than are asked for; four photographs."""
    root = tmp_path_factory.mktemp("clips")
    for number, count in enumerate((12, 3, 9, 2)):
        write_clip(root / f"video{number}.mp4", count, size=(32, 32))
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"photo{number}.png")
    return root


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as decoder:
        yield decoder


@pytest.fixture
def videos(folder, tmp_path):
    return copied(folder, tmp_path, "video", ".mp4")


@pytest.fixture
def photographs(folder, tmp_path):
    return copied(folder, tmp_path, "photo", ".png")


def copied(folder, target, name, suffix):
    """Four clips, each with a number of captions of its own."""
    files = [target / f"{name}{number}{suffix}" for number in range(4)]
    for file in files:
        shutil.copy(folder / file.name, file)
    return tuple(
        Clip(file.stem, (file,), tuple(f"{c} cats see {file.stem}" for c in range(number + 1)))
        for number, file in enumerate(files)
    )
