"""Released checkpoints give what the research code gives, from frames and captions, by every way.

The expectation is tests/support/published.py: written from the description of the research code,
with nothing of ours in it. Weights are random; no released file was at hand.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import starmap

import av
import open_clip
import pytest
import torch
from PIL import Image

from hbi_core.checkpoints.checkpoint import (
    Checkpoint,
    RetrievalSettings,
    load_checkpoint,
    save_checkpoint,
)
from hbi_core.checkpoints.published import convert
from hbi_core.data import Clip, Corpus, read_corpus
from hbi_core.data.batch import Sample
from hbi_core.data.config import DataConfig
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.reading import ClipReader
from hbi_core.data.synthetic import synthetic_clips
from hbi_core.encoders import encode_text, load_encoder
from hbi_core.errors import InputError, SettingsError
from hbi_core.evaluate import main as evaluate
from hbi_core.explain import main as explain_command
from hbi_core.inputs.text import parse_caption
from hbi_core.inputs.video import read_video
from hbi_core.losses import LossConfig
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.pipeline import explain
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.tasks.retrieval_metrics import retrieval_metrics, similarity_scores
from hbi_core.training.batches import FeatureBatches, PixelBatches
from hbi_core.training.config import OptimiserConfig, TrainConfig
from hbi_core.training.loop import train
from support import published
from support.published_files import double, know_small_clip, whole_state
from support.small_runs import settings
from support.toy import ToyEncoder

TOLERANCE = 1e-4
COUNTS = (3, 20, 5, 12)  # frames of the videos; a model sees 12
CAPTIONS = (
    "cat",
    "A girl is holding a horse 's lead.",
    "two men talking after one puts out a fire",
    "an extraordinarily chonky cat, an extraordinarily chonky dog and an extraordinarily chonky "
    "horse are looking extraordinarily chonky",
)


def write_video(path, frames):
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "18"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A checkpoint, converted; videos with a caption each; and what the research code scores.

    (file, corpus, [float64 [videos, captions] of each level], what was scored)
    """
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        know_small_clip(patch, folder)
        state = whole_state()
        torch.save(state, folder / "pytorch_model.bin")
        convert(folder / "pytorch_model.bin", folder / "hbi.safetensors")
    drawn = [synthetic_clips(n + 1, frames=count)[n][0] for n, count in enumerate(COUNTS)]
    files = [write_video(folder / f"{n}.mp4", frames) for n, frames in enumerate(drawn)]
    clips = [Clip(f.stem, (f,), (c,)) for f, c in zip(files, CAPTIONS, strict=True)]

    state, prepare = double(state), open_clip.image_transform(32, is_train=False)
    frames = [read_video(file, 12).frames for file in files]
    pixels = [[prepare(Image.fromarray(f)).double() for f in video] for video in frames]
    videos = [published.read_video(state, video) for video in pixels]
    tokenizer = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    texts = []
    for caption in CAPTIONS:
        ids, real = published.read_text(tokenizer.encode(caption))
        texts.append((published.text_features(state, ids, real), real))
    expected = published.similarities(state, *zip(*videos, strict=True), *zip(*texts, strict=True))
    corpus = Corpus("videos", "test", tuple(clips))
    return folder / "hbi.safetensors", corpus, expected, (state, videos, texts)


@pytest.fixture(scope="module")
def loaded(released):
    """The checkpoint and its encoder, and the features of the videos and captions."""
    path, corpus, _, _ = released
    heads = load_checkpoint(path)
    encoder = load_encoder(heads.encoder, checkpoint=path)
    features = encode_corpus(encoder, corpus, 12, players="tokens", words=24, padded=True)
    return heads, encoder, features


def assert_scores(levels, expected):
    for result, values in zip(levels, expected, strict=True):
        assert (result - values).abs().max() < TOLERANCE


def other_padding(features, real):
    return torch.where(real[:, None], features, -features[0]), real


def test_padding_matters(released):
    """With other features in it the expectation is another one, so the tests below see them."""
    _, _, expected, (state, *sides) = released
    for padding in sides:
        (frames, shown), (texts, real) = (
            zip(*(starmap(other_padding, side) if side is padding else side), strict=True)
            for side in sides
        )
        other = published.similarities(state, frames, shown, texts, real)
        moved = [(a - b).abs().max() for a, b in zip(other, expected, strict=True)]
        assert moved[0] == 0
        assert min(moved[1:]) > 10 * TOLERANCE


@pytest.mark.parametrize("pair", [(0, 0), (1, 1), (2, 2), (3, 3), (0, 3), (1, 0)])
def test_explain(released, pair):
    path, corpus, expected, _ = released
    video, text = pair
    result = explain(corpus.clips[video].files[0], CAPTIONS[text], checkpoint=path)
    for level, values in zip(result.levels, expected, strict=True):
        assert level.score == pytest.approx(values[video, text].item(), abs=TOLERANCE)
        members = [frame for token in level.video_tokens for frame in token.frames]
        assert sorted(members) == list(range(min(COUNTS[video], 12)))  # padding is no player
        assert all(token.words for token in level.text_tokens)


@pytest.fixture(scope="module")
def of_six_frames(loaded, tmp_path_factory):
    """A checkpoint that reads six frames of each video."""
    heads, encoder, _ = loaded
    path = tmp_path_factory.mktemp("six") / "six.safetensors"
    six = replace(heads, retrieval=replace(heads.retrieval, frames=6))
    save_checkpoint(path, six, encoder)
    return path


@pytest.mark.parametrize("video", [0, 3])
def test_explain_looks_at_as_many_frames_as_the_checkpoint(released, of_six_frames, video, caplog):
    """Of a video of three frames, and of one of twelve."""
    _, corpus, _, (state, _, texts) = released
    file, prepare = corpus.clips[video].files[0], open_clip.image_transform(32, is_train=False)
    pixels = [prepare(Image.fromarray(f)).double() for f in read_video(file, 6).frames]
    (frames, shown), (text, real) = published.read_video(state, pixels, 6), texts[2]
    expected = published.similarities(state, [frames], [shown], [text], [real])
    result = explain(file, CAPTIONS[2], checkpoint=of_six_frames)
    for level, values in zip(result.levels, expected, strict=True):
        assert level.score == pytest.approx(values.item(), abs=TOLERANCE)
    assert not caplog.text


def test_another_number_of_frames_is_taken_and_told(released, of_six_frames, tmp_path, caplog):
    file = str(released[1].clips[3].files[0])
    command = [file, "a cat", "--checkpoint", str(of_six_frames), "--out", str(tmp_path)]
    for frames in ([], ["--frames", "6"], ["--frames", "4"]):
        assert not caplog.text
        assert explain_command([*command, *frames]) == 0
        shown = json.loads((tmp_path / "explanation.json").read_text())["video"]["frame_times"]
        assert len(shown) == int((frames or ["6"])[-1])
    assert "six.safetensors reads 6 frames of each video: with 4 its scores" in caplog.text


def test_features_that_are_kept(released, loaded):
    """In half precision, of every video with every caption."""
    heads, _, features = loaded
    weights = torch.eye(3).tolist()
    assert_scores(
        [similarity_scores(heads.hierarchy, features, 24, w) for w in weights], released[2]
    )


def samples():
    return [Sample((n,), (n,), n) for n in range(len(COUNTS))]


def scores_of_task(task, batch):
    with torch.inference_mode():
        levels = task.hierarchy(*task.tokens(batch))
        return [level.game(all_pairs=True).grand_value() for level in levels]


@pytest.mark.parametrize("frozen", [False, True])
def test_the_task_that_is_trained(released, loaded, frozen):
    _, corpus, expected, _ = released
    heads, encoder, features = loaded
    data = DataConfig("msrvtt", corpus.clips[0].files[0].parent)
    task = RetrievalTask(heads, LossConfig(), None if frozen else encoder)
    if frozen:
        batch = next(FeatureBatches(features, data)([samples()]))
    else:
        batch = next(PixelBatches(corpus.clips, data, ClipReader(encoder))([samples()]))
    assert_scores(scores_of_task(task, batch), expected)


def test_evaluate_needs_no_settings(released, monkeypatch, tmp_path, capsys):
    """The protocol of the research code: 24 words, 12 frames, the entity level."""
    path, corpus, expected, _ = released
    monkeypatch.setattr("hbi_core.tasks.base.read_corpus", lambda *_: corpus)
    cache = tmp_path / "cache"
    for _ in range(2):  # the second time from the cache
        command = ["retrieval", "--dataset", "msrvtt", "--root", str(tmp_path)]
        command += ["--checkpoint", str(path), "--json", str(tmp_path / "a.json")]
        assert evaluate([*command, "--cache", str(cache)]) == 0
        assert "levels [1.0, 0.0, 0.0]" in capsys.readouterr().out
        metrics = json.loads((tmp_path / "a.json").read_text())
        assert metrics == retrieval_metrics(expected[0].float(), torch.arange(len(COUNTS)))
    # The frames and the captions of each.
    assert len(list(cache.glob("*.safetensors"))) == 2 * len(COUNTS)


def test_explain_and_evaluate_read_the_same(released, loaded):
    """Of a caption that is too long: 23 tokens and the end token."""
    path, corpus, _, _ = released
    _, encoder, features = loaded
    result = explain(corpus.clips[0].files[0], CAPTIONS[3], checkpoint=path, frames=2)
    labels = [token.text for token in result.levels[0].text_tokens]
    assert len(labels) == 24
    assert (labels[0], labels[-1]) == ("[BOS]", "[EOS]")
    assert result.words_left_out
    text = encode_text(encoder, parse_caption(CAPTIONS[3]), "tokens", 24, padded=True)
    assert text.labels == tuple(labels)
    assert (features.caption(3) - text.features).abs().max() < 2e-3  # half precision


@pytest.mark.parametrize("players", ["words", "tokens"])
def test_a_model_of_our_own_reads_the_same_everywhere(released, loaded, tmp_path, players):
    """At most six players of a caption, with [BOS] and [EOS]; no padding in any of it."""
    _, corpus, _, _ = released
    _, encoder, _ = loaded
    config = ModelConfig(text_players=players, temporal_layers=0)
    torch.manual_seed(0)
    hierarchy = build_hierarchy(config).eval()
    retrieval = RetrievalSettings(4, 6, (1.0, 0.0, 0.0))
    heads = Checkpoint(
        encoder.architecture, config, hierarchy, retrieval, "a", tmp_path / "a.safetensors"
    )
    save_checkpoint(heads.path, heads, encoder)
    features = encode_corpus(encoder, corpus, 4, players=players, words=6)
    scores = similarity_scores(heads.hierarchy, features, 6, heads.retrieval.level_weights)
    for n in (0, 3):
        result = explain(corpus.clips[n].files[0], CAPTIONS[n], checkpoint=heads.path, frames=4)
        entity = result.levels[0]
        labels = [token.text for token in entity.text_tokens]
        assert (labels[0], labels[-1]) == ("[BOS]", "[EOS]")
        assert len(labels) == min(6, len(features.caption(n)))
        assert bool(result.words_left_out) == (n > 0)
        assert entity.score == pytest.approx(scores[n, n].item(), abs=TOLERANCE)


class PaddedEncoder(ToyEncoder):
    """One that is never asked for features without those of the padding."""

    def text_features(self, captions, players="words", limit=None, padded=False):
        assert (limit, padded) == (9, True)
        return super().text_features(captions, players, limit, padded)


@pytest.mark.parametrize("learns", [False, True])
def test_training_encodes_padding_too(small, tmp_path, learns):
    """What is saved scores as the last validation did. Clips have 8 frames."""
    config = settings(
        tmp_path,
        small,
        data={"frames": 10, "words": 9, "cache": None, "workers": 0},
        model={"compatibility": "published", "positions": 10},
        optimiser={"epochs": 1, "encoder_learning_rate": 1e-3 if learns else 0.0},
    )
    encoder = PaddedEncoder(learns)
    heads = load_checkpoint(train(config, encoder))
    corpus = read_corpus("synthetic", small, "validation")
    features = encode_corpus(encoder.eval(), corpus, 10, words=9, padded=True)
    scores = similarity_scores(heads.hierarchy, features, 9, heads.retrieval.level_weights)
    assert retrieval_metrics(scores, features.owners) == heads.training["validation"]


def test_montages_have_no_padding_of_their_own(tmp_path):
    for data in ({"montages": 0.5}, {"validation_parts": 2}, {"views": 3}):
        with pytest.raises(SettingsError, match="pads every clip by itself"):
            TrainConfig(
                tmp_path,
                DataConfig("flickr8k", tmp_path, **data),
                model=ModelConfig(compatibility="published"),
                optimiser=OptimiserConfig(encoder_learning_rate=0.0),
            )


def test_an_encoder_without_padding_says_so(tmp_path):
    encoder = load_encoder("lite")
    with pytest.raises(InputError, match="published needs a CLIP"):
        encode_text(encoder, parse_caption("a cat"), "words", 24, padded=True)
    with pytest.raises(InputError, match="published needs a CLIP"):
        encoder.frame_padding()
