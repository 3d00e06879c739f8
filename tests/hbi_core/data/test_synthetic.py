"""Drawn clips show what their captions say."""

from __future__ import annotations

import itertools
import pickle

import av
import numpy as np
import pytest
from PIL import Image

from hbi_core.data import read_corpus, read_frames, synthetic_clips
from hbi_core.data.synthetic import DIRECTIONS
from hbi_core.errors import DataError
from support.releases import ids, write_drawing, write_lines


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


def test_a_folder_says_what_is_drawn_into_it(tmp_path):
    write_drawing(tmp_path, frames=3, size=16, colours=["blue", "red"], shapes=["cross"])
    train, test = (read_corpus("synthetic", tmp_path, split) for split in ("train", "test"))
    assert len(train.clips) == 4 * len(test.clips) == 4 * 2 * 4
    told = {clip.captions[0] for clip in test.clips}
    assert told == {f"a {c} cross moves {d}" for c in ("red", "blue") for d in DIRECTIONS}
    assert Image.open(test.clips[0].files[2]).size == (16, 16)
    before = test.clips[0].files[0].read_bytes()
    test.clips[0].files[1].unlink()
    assert read_corpus("synthetic", tmp_path, "test") == test  # drawn again
    assert test.clips[0].files[0].read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colours": ["mauve"]}, r"'mauve' cannot be drawn\. Choose names of red"),
        ({"shapes": []}, r"cannot be drawn\. Choose names of circle"),
        ({"size": 8}, "at least 2 and 16"),
        ({"train": 0}, "0 times in the train split"),
        ({"size": "8"}, r"drawing\.json: 'size' should be of type int"),
        ({"colours": [1]}, r"drawing\.json, colours: expected a list of strings"),
    ],
)
def test_drawings_that_cannot_be_made(tmp_path, changed, message):
    write_drawing(tmp_path, **changed)
    with pytest.raises(DataError, match=message):
        read_corpus("synthetic", tmp_path, "train")
