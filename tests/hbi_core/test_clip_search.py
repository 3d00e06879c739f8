"""A search gives what `explain` gives for each clip, encodes nothing twice, and can be stopped."""

from __future__ import annotations

import itertools
import shutil
import statistics
from dataclasses import replace

import pytest
import torch

from hbi_core.clip_search import ClipSearch
from hbi_core.encoders import encode_frames
from hbi_core.errors import CaptionError, InputError
from hbi_core.inputs.text import parse_caption
from hbi_core.predictor import Predictor
from support.clips import write_clip
from support.small_runs import MODEL, toy_heads
from support.toy import Counted

QUERY = "a red square moves to the left"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Five clips of other greys, one of them with fewer frames than are looked at."""
    folder = tmp_path_factory.mktemp("clips")
    lengths = (10, 12, 5, 20, 9)
    return {
        f"{n}.mp4": write_clip(folder / f"{n}.mp4", length, first=9 * n, marked=n % 2 > 0, noise=8)
        for n, length in enumerate(lengths)
    }


@pytest.fixture(scope="module")
def heads():
    torch.manual_seed(0)
    heads = toy_heads()
    for weights in heads.hierarchy.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    return replace(heads, retrieval=replace(heads.retrieval, level_weights=(1.0, 0.0, 2.0)))


class Searched(ClipSearch):
    """Knows how often it encoded a clip."""

    def __init__(self, heads, cache, frames=8, encoder=None):
        self.encoder = encoder or Counted().eval()
        super().__init__(Predictor(self.encoder, heads), frames, cache)

    @property
    def calls(self):
        return self.encoder.calls


@pytest.fixture(scope="module")
def rebuilding():
    """Heads that reconstruct."""
    torch.manual_seed(1)
    heads = toy_heads(replace(MODEL, reconstruction=True))
    for weights in heads.hierarchy.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return heads


def test_the_best_are_ranked_anew_by_rebuilt_tokens(clips, rebuilding, tmp_path):
    """As many as the checkpoint says, and no fewer than are shown; all have explain's scores."""
    predictor, alone, rebuilt = Predictor(Counted().eval(), rebuilding), {}, {}
    text = predictor.text_players(predictor.encode_caption(parse_caption(QUERY)))
    for name, path in clips.items():
        predictor.set_video(path, 8)
        levels = predictor.explain(QUERY).levels
        rebuilt[name] = statistics.mean(level.score for level in levels)
        frames = encode_frames(predictor.encoder, predictor.video.frames)
        video = predictor.video_players([frames], 8)
        scores = predictor.heads.hierarchy.alone(video, text)
        alone[name] = statistics.mean(float(level.game().grand_value()) for level in scores)
    order = sorted(clips, key=alone.__getitem__, reverse=True)
    assert order != sorted(clips, key=rebuilt.__getitem__, reverse=True)
    for reranked, top in ((1, 1), (1, 3), (3, 2), (20, 5)):
        reads = replace(rebuilding.retrieval, reranked=reranked)
        search = Searched(replace(rebuilding, retrieval=reads), tmp_path)
        list(search.add(clips))
        result = search.best(QUERY, top)
        assert result.clips == 5  # all were compared
        hits = result.hits
        best = sorted(order[: max(reranked, top)], key=rebuilt.__getitem__, reverse=True)
        assert [hit.name for hit in hits] == best[:top]
        for hit in hits:
            assert hit.score == pytest.approx(rebuilt[hit.name], abs=1e-12)


def test_scores_are_those_of_explain(clips, heads, tmp_path):
    search = Searched(heads, tmp_path)
    assert list(search.add(clips)) == list(clips)
    result = search.best(QUERY, top=5)
    assert result.clips == 5
    assert result.level_weights == pytest.approx({"entity": 1 / 3, "action": 0, "event": 2 / 3})
    means = [hit.score for hit in result.hits]
    assert means == sorted(means, reverse=True)
    assert len(set(means)) == 5
    for hit in result.hits:
        predictor = Predictor(Counted().eval(), heads)
        predictor.set_video(clips[hit.name], 8)
        entity, action, event = predictor.explain(QUERY).levels
        scores = {level.name: level.score for level in (entity, action, event)}
        assert hit.levels == pytest.approx(scores, abs=1e-12)
        assert hit.score == pytest.approx((entity.score + 2 * event.score) / 3, abs=1e-12)

        game, frames = entity.game("renormalised"), len(entity.video_tokens)
        everyone = torch.ones(len(entity.text_tokens), dtype=torch.bool)
        alone = [float(game.value(torch.arange(frames) == f, everyone)) for f in range(frames)]
        assert hit.frame == max(range(frames), key=alone.__getitem__)
        assert hit.time == predictor.video.times[hit.frame]
        assert hit.duration == predictor.video.duration
        assert hit.thumbnail.startswith("data:image/jpeg;base64,")
    assert [hit.name for hit in search.best(QUERY, top=2).hits] == [
        hit.name for hit in result.hits[:2]
    ]


def test_nothing_is_encoded_twice(clips, heads, tmp_path):
    """But for another number of frames, another encoder or another content."""
    first = Searched(heads, tmp_path / "cache")
    list(first.add(clips))
    assert first.calls == 5
    moved = {f"new {name}": shutil.copy(path, tmp_path / name) for name, path in clips.items()}
    again = Searched(toy_heads(), tmp_path / "cache")  # with other heads
    list(again.add(clips | moved))
    assert again.calls == 0

    fewer = Searched(heads, tmp_path / "cache", frames=4)
    list(fewer.add(clips))
    assert fewer.calls == 5

    other = Counted().eval()
    other.pixels.weight.data *= 2
    changed = Searched(heads, tmp_path / "cache", encoder=other)
    list(changed.add(clips))
    assert changed.calls == 5

    shutil.copy(tmp_path / "1.mp4", tmp_path / "0.mp4")  # written anew, of known content
    write_clip(tmp_path / "2.mp4", 7, first=40)
    anew = Searched(heads, tmp_path / "cache")
    list(anew.add(moved))
    assert anew.calls == 1
    scores = {hit.name: hit.score for hit in anew.best(QUERY).hits}
    assert scores["new 0.mp4"] == scores["new 1.mp4"]


def test_it_can_be_stopped_and_goes_on(clips, heads, tmp_path):
    stopped = Searched(heads, tmp_path)
    adding = stopped.add(clips)
    assert list(itertools.islice(adding, 2)) == ["0.mp4", "1.mp4"]
    adding.close()
    assert stopped.calls == 2
    assert stopped.best(QUERY).clips == 2
    later = Searched(heads, tmp_path)
    list(later.add(clips))
    assert later.calls == 3
    whole = Searched(heads, tmp_path / "other")
    list(whole.add(clips))
    assert later.best(QUERY).to_dict() == whole.best(QUERY).to_dict()


def test_broken_files_are_told_and_skipped(clips, heads, tmp_path):
    (tmp_path / "text.mp4").write_text("This is no video.\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clips["0.mp4"].read_bytes()[:300])
    broken = {path.name: path for path in (tmp_path / "text.mp4", tmp_path / "empty.mp4", cut)}
    broken["gone.mp4"] = tmp_path / "gone.mp4"
    search = Searched(heads, tmp_path / "cache")
    list(search.add(broken, trusted=True))
    with pytest.raises(InputError, match=r"no clip that can be read\. text\.mp4: "):
        search.best(QUERY)
    list(search.add(clips, trusted=True))
    result = search.best(QUERY)
    assert {hit.name for hit in result.hits} == set(clips)
    assert set(result.skipped) == set(broken)
    assert "is empty" in result.skipped["empty.mp4"]
    assert "no video file" in result.skipped["gone.mp4"]


def test_a_damaged_cache_is_made_anew(clips, heads, tmp_path):
    search = Searched(heads, tmp_path)
    list(search.add(clips))
    before = search.best(QUERY).to_dict()
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    again = Searched(heads, tmp_path)
    list(again.add(clips))
    assert again.calls == 5
    assert again.best(QUERY).to_dict() == before


def test_what_cannot_be_asked(clips, heads, tmp_path):
    search = Searched(heads, tmp_path)
    list(search.add({"0.mp4": clips["0.mp4"]}))
    for top in (0, 101, 2.5, "many", None):
        with pytest.raises(InputError, match="hits were asked for"):
            search.best(QUERY, top)
    with pytest.raises(CaptionError):
        search.best("...")
    with pytest.raises(InputError, match="cannot be written"):
        Searched(heads, clips["0.mp4"])
