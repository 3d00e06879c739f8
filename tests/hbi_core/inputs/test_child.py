"""The process that decodes: it hangs, crashes, ends, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hbi_core.errors import InputError, VideoError
from hbi_core.inputs import video
from hbi_core.inputs.video import Decoder, VideoLimits, read_video
from support.clips import same, write_clip
from support.demo import ROOT
from support.patience import PATIENCE


def test_the_decoding_process_starts_without_torch():
    """It takes longer to load than most videos to read."""
    code = "import sys, hbi_core.inputs.decoding; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.fixture
def replaced(tmp_path, monkeypatch):
    """Put a shell script in the place of the decoding process."""

    def replace(script):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return replace


def test_a_decoder_that_hangs_is_killed(clip, replaced):
    before = set(psutil.Process().children())
    replaced("exec sleep 600")
    with pytest.raises(VideoError, match=r"took longer than 0\.5 s"):
        read_video(clip, limits=VideoLimits(reading_seconds=0.5))
    assert set(psutil.Process().children()) <= before


@pytest.mark.parametrize(
    ("size", "seconds"), [((320, 240), 1000), ((2880, 1620), 2250), ((7680, 4320), 4000)]
)
def test_a_large_video_has_more_time_and_is_not_called_damaged(size, seconds):
    with video.TimeLimit(None, 1000) as limit:
        limit.extend(size)
    message = video.too_slow(Path("a.mp4"), limit.seconds, {"size": size, "pictures": 600})
    assert f"longer than {seconds} s" in message
    assert f"600 pictures of {size[0]} x {size[1]}" in message
    assert "damaged" not in message
    assert not limit.is_over


def test_a_decoder_that_crashes_is_survived(clip, replaced):
    replaced("kill -SEGV $$")
    with pytest.raises(VideoError, match="decoder crashed"):
        read_video(clip)


def test_one_process_reads_one_video_after_another(tmp_path, clip):
    paths = [clip, tmp_path / "none.mp4", write_clip(tmp_path / "short.mkv", 7), clip]
    with Decoder() as decoder:
        for path in paths:
            if path.exists():
                assert same(decoder.read(path, 5), read_video(path, 5))
                pid = decoder._child.pid
            else:
                with pytest.raises(VideoError, match="no video file"):
                    decoder.read(path, 5)
        assert decoder._child.pid == pid
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("failure", "message"), [("sleep 600", "took longer"), ("sh -c 'kill -SEGV $$'", "crashed")]
)
def test_after_a_hang_or_a_crash_the_next_video_is_read(clip, replaced, tmp_path, failure, message):
    real, well = sys.executable, tmp_path / "well"
    replaced(f'[ -e {well} ] && exec {real} "$@"; exec {failure}')
    with Decoder() as patient:
        seconds = 0.5 if message == "took longer" else PATIENCE
        with pytest.raises(VideoError, match=message):
            patient.read(clip, limits=VideoLimits(reading_seconds=seconds))
        well.touch()
        assert len(patient.read(clip, 3).times) == 3


def test_nothing_is_left_of_a_video(tmp_path):
    large = write_clip(tmp_path / "large.mp4", 30, size=(960, 540))
    with Decoder() as decoder:
        decoder.read(large, 3)
        child = psutil.Process(decoder._child.pid)
        threads, deadline = child.num_threads(), time.monotonic() + PATIENCE
        for _ in range(3):
            decoder.read(large, 3)
        while child.num_threads() > threads:  # one that has ended counts for a moment more
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_decoder_in_another_process(clip):
    """A pickled one, and one that was used before the fork: each process has a child of its own."""
    with Decoder() as used:
        expected = used.read(clip, 3)
        with pickle.loads(pickle.dumps(used)) as copied:
            assert same(copied.read(clip, 3), expected)
            assert copied._child.pid != used._child.pid
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()

        def read():
            video = used.read(clip, 3)
            answers.put((used._child.pid, video.times))

        worker = context.Process(target=read, daemon=True)
        worker.start()
        pid, times = answers.get()
        worker.join()
        assert pid != used._child.pid
        assert times == expected.times
        assert same(used.read(clip, 3), expected)


def test_the_child_ends_with_its_parent(clip):
    program = (
        "import sys, time; from hbi_core.inputs.video import Decoder; decoder = Decoder(); "
        "decoder.read(sys.argv[1], 1); print(decoder._child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, clip], stdout=subprocess.PIPE)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    with contextlib.suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def test_whoever_waits_can_end_the_reading(clip, replaced, tmp_path):
    """At once, whatever the decoder does; the next video is read all the same."""
    real, well, calls = sys.executable, tmp_path / "well", []
    before = set(psutil.Process().children())
    replaced(f'[ -e {well} ] && exec {real} "$@"; exec sleep 600')

    def waiting():
        calls.append(None)
        if len(calls) == 3:
            raise InputError("Stopped.")

    with Decoder() as decoder:
        with pytest.raises(InputError, match="Stopped"):
            decoder.read(clip, waiting=waiting)
        assert set(psutil.Process().children()) <= before
        well.touch()
        assert len(decoder.read(clip, 3).times) == 3
