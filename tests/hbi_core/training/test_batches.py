"""Which samples an epoch has, and what a batch of them holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hbi_core.data import read_corpus
from hbi_core.data.batch import Sample
from hbi_core.data.encoding import encode_corpus
from hbi_core.data.features import Features, FoiledText
from hbi_core.data.montage import join_captions
from hbi_core.data.reading import ClipReader
from hbi_core.encoders.tokens import TextPlayers
from hbi_core.losses import LossConfig
from hbi_core.tasks.retrieval import RetrievalTask
from hbi_core.training.batches import (
    FeatureBatches,
    PixelBatches,
    batches_of_epoch,
    share_of_process,
)
from support.small_runs import MODEL, clips_with, data_config, toy_heads
from support.toy import ToyEncoder

CLIPS = clips_with(3, 1, 5, 2, 4, 1, 2, 6)  # 24 captions

OWNERS = [n for n, clip in enumerate(CLIPS) for _ in clip.captions]


def pairs_of(batches):
    return [
        pair
        for batch in batches
        for sample in batch
        for pair in zip(sample.clips, sample.captions, strict=True)
    ]


def test_samples_follow_from_seed_and_epoch():
    config = data_config(montages=0.5)
    once, again, epoch, seed = (
        batches_of_epoch(CLIPS, config, 6, *numbers) for numbers in ((3, 4), (3, 4), (3, 5), (4, 4))
    )
    assert once == again
    assert once != epoch
    assert once != seed
    seeds = [sample.seed for batch in once + epoch for sample in batch]
    assert len(set(seeds)) == len(seeds)


def test_every_caption_once():
    batches = batches_of_epoch(CLIPS, data_config(), 6, 0, 0)
    assert [len(batch) for batch in batches] == [6] * 4
    assert sorted(pairs_of(batches)) == [(owner, c) for c, owner in enumerate(OWNERS)]
    assert [len(b) for b in batches_of_epoch(CLIPS, data_config(), 7, 0, 0)] == [7] * 3


def test_captions_per_clip():
    """Drawn anew in each epoch."""
    seen = set()
    for epoch in range(20):
        pairs = pairs_of(batches_of_epoch(CLIPS, data_config(captions_per_clip=2), 1, 0, epoch))
        assert len(set(pairs)) == len(pairs)
        assert all(OWNERS[caption] == clip for clip, caption in pairs)
        for number, clip in enumerate(CLIPS):
            own = sum(owner == number for owner, _ in pairs)
            assert own == min(2, len(clip.captions))
        seen |= set(pairs)
    assert len(seen) == 24


def test_montages_keep_all_pairs():
    sizes, kinds = set(), []
    for epoch in range(30):
        batches = batches_of_epoch(CLIPS, data_config(montages=0.5), 12, 0, epoch)
        assert sorted(pairs_of(batches)) == [(owner, c) for c, owner in enumerate(OWNERS)]
        for batch in batches:
            assert len(pairs_of([batch])) == 12
            kinds.append(len(batch) < 12)
            for sample in batch:
                assert len(set(sample.clips)) == len(sample.clips)
                sizes.add(len(sample.clips))
    assert sizes == {1, 2, 3, 4}
    assert 0.25 < np.mean(kinds) < 0.75


def test_montages_of_few_clips():
    """No clip twice in one sample even where nearly all captions are of one clip."""
    few = clips_with(9, 1, 2)
    for epoch in range(20):
        (batch,) = batches_of_epoch(few, data_config(montages=1.0), 12, 1, epoch)
        assert len(pairs_of([batch])) == 12
        assert all(len(set(s.clips)) == len(s.clips) for s in batch)


def test_shares_are_even():
    batch = [Sample((n,), (n,), n) for n in range(11)]
    shares = [share_of_process(batch, rank, 3) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 3, 3]
    assert [*shares[0], *shares[1], *shares[2]] == batch[:9]
    assert share_of_process(batch, 0, 1) == batch


@pytest.fixture(scope="module")
def encoded(small):
    """The validation clips, two captions each, and their features."""
    corpus = read_corpus("synthetic", small, "validation")
    clips = tuple(
        replace(clip, captions=(clip.captions[0], f"{clip.captions[0]}, slowly."))
        for clip in corpus.clips
    )
    corpus = replace(corpus, clips=clips)
    return corpus, encode_corpus(ToyEncoder(), corpus, 8, seed=1)


SAMPLES = [Sample((3,), (7,), 1), Sample((5, 2), (10, 4), 2), Sample((0,), (1,), 3)]


def test_feature_batches_are_the_features(encoded):
    _, known = encoded
    (batch,) = FeatureBatches(known, data_config(frames=8, words=9))([SAMPLES])
    assert batch.frames.shape[:2] == (3, 16)
    assert batch.words.shape[:2] == (3, 9)
    for row, sample in enumerate(SAMPLES):
        video = torch.cat([known.frames[clip].float() for clip in sample.clips])
        text = torch.cat([known.caption(caption) for caption in sample.captions])[:9]
        assert torch.equal(batch.frames[row][batch.frame_mask[row]], video)
        assert torch.equal(batch.words[row][batch.word_mask[row]], text)
        assert batch.frame_mask[row].sum() == 8 * len(sample.clips)
    assert batch.word_mask.sum(-1).tolist() == [6, 9, 6]  # 5 + 5 words are cut
    assert len(set(batch.ids.tolist())) == 3
    (again,) = FeatureBatches(known, data_config(frames=8))([[SAMPLES[0], SAMPLES[0]]])
    assert again.ids[0] == again.ids[1]


def test_feature_batches_know_the_parts_of_a_montage(encoded):
    _, known = encoded
    (batch,) = FeatureBatches(known, data_config(frames=8, words=9))([SAMPLES])
    for row, sample in enumerate(SAMPLES):
        frames, words = batch.frame_parts[row], batch.word_parts[row]
        assert torch.equal(frames >= 0, batch.frame_mask[row])
        assert torch.equal(words >= 0, batch.word_mask[row])
        for part, (clip, caption) in enumerate(zip(sample.clips, sample.captions, strict=True)):
            assert torch.equal(batch.frames[row][frames == part], known.frames[clip].float())
            own = known.caption(caption)
            shown = batch.words[row][words == part]
            assert len(shown) == (len(own) if part == 0 else 9 - 5)  # the second is cut
            assert torch.equal(shown, own[: len(shown)])


def test_feature_batches_have_the_foils_of_captions_alone(encoded):
    """Not those of montages; and they are moved with the rest."""
    _, known = encoded
    words = torch.randn(7, 32).half()
    foils = {
        1: FoiledText(TextPlayers(words[:5]), 2, 3),
        3: FoiledText(TextPlayers(words[:4]), 0, 0),
        10: FoiledText(TextPlayers(words[:3]), 1, 1),  # in a montage
        7: FoiledText(TextPlayers(words), 4, 1),
    }
    source = FeatureBatches(replace(known, foils=foils), data_config(frames=8))
    (batch,) = source([[*SAMPLES, Sample((1,), (2,), 4)]])
    assert batch.foils.rows.tolist() == [0, 2]  # of captions 7 and 1
    assert batch.foils.nouns.tolist() == [4, 2]
    assert batch.foils.replaced.tolist() == [1, 3]
    texts = batch.foils.texts
    assert texts.mask.sum(-1).tolist() == [7, 5]
    assert torch.equal(texts.features[0], words.float())
    assert torch.equal(texts.features[1, :5], words[:5].float())
    assert batch.to(torch.device("meta")).foils.texts.features.is_meta
    (without,) = source([SAMPLES[1:2]])
    assert without.foils is None
    assert without.to(torch.device("meta")).foils is None


def test_random_views_are_chosen_by_the_seed_of_the_sample():
    """Only from the clip's own features, frames or views, at most as many as frames."""
    frames = torch.arange(2 * 8).view(2, 8, 1).half()
    known = Features(
        clips_with(1, 1),
        frames,
        torch.ones(2, 8, dtype=torch.bool),
        2,
        torch.ones(4, 3).half(),
        torch.tensor([0, 2, 4]),
        torch.tensor([0, 1]),
    )
    source = FeatureBatches(known, data_config(frames=3, views=6))
    samples = [Sample((1, 0), (1, 0), seed) for seed in (1, 1, *range(2, 30))]
    (batch,) = source([samples])
    lengths = batch.frame_mask.sum(-1)
    assert torch.equal(batch.frames[0], batch.frames[1])
    assert set(lengths.tolist()) == {2, 3, 4, 5, 6}  # one to three of each clip
    first, last = set(), set()
    for row, length in zip(batch.frames, lengths, strict=True):
        real = row[:length, 0].tolist()
        first.add(real[0])
        last.add(real[-1])
    assert first == set(range(8, 16))
    assert last == set(range(8))


def test_dissolves_mix_the_last_view_with_the_next_photograph():
    """In this share of the cuts; nothing else changes, and the features stay as they are."""
    frames = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1).expand(3, 4, 1).half().contiguous()
    known = Features(
        clips_with(1, 1, 1),
        frames.clone(),
        torch.ones(3, 4, dtype=torch.bool),
        2,
        torch.ones(6, 3).half(),
        torch.tensor([0, 2, 4, 6]),
        torch.tensor([0, 1, 2]),
    )
    samples = [Sample((0, 2, 1), (0, 2, 1), seed) for seed in range(200)]
    samples += [Sample((1,), (1,), seed) for seed in range(20)]
    plain = data_config(frames=3, views=2, montages=1.0)
    (batch,) = FeatureBatches(known, replace(plain, dissolves=0.5))([samples])
    (without,) = FeatureBatches(known, plain)([samples])
    assert torch.equal(batch.frame_parts, without.frame_parts)
    shares = []
    for row, cut, parts in zip(batch.frames, without.frames, batch.frame_parts, strict=True):
        for part, (own, following) in enumerate(((10.0, 30.0), (30.0, 20.0), (20.0, None))):
            places = (parts == part).nonzero().flatten().tolist()
            assert torch.equal(row[places[:-1]], cut[places[:-1]])
            if following is None or parts.max() == 0:
                assert torch.equal(row[places], cut[places])
            else:
                shares.append(float((row[places[-1], 0] - own) / (following - own)))
    mixed = [share for share in shares if share]
    assert 0.4 < len(mixed) / len(shares) < 0.6
    assert all(0.2 <= share <= 0.45 for share in mixed)
    assert torch.equal(known.frames, frames)


@pytest.mark.parametrize("workers", [0, 1])
def test_pixel_batches_hold_what_feature_batches_hold(encoded, workers):
    """Up to the half precision of the features."""
    corpus, known = encoded
    config, encoder = data_config(frames=8, words=9, workers=workers), ToyEncoder()
    (frozen,) = FeatureBatches(known, config)([SAMPLES])
    with ClipReader(encoder, workers=workers) as reader:
        (batch,) = PixelBatches(corpus.clips, config, reader)([SAMPLES])
    assert batch.words[1].text == join_captions(
        [corpus.clips[5].captions[0], corpus.clips[2].captions[0]]
    )
    task = RetrievalTask(toy_heads(words=config.words), LossConfig(), encoder)
    video, text = task.tokens(batch)
    assert torch.equal(video.mask, frozen.frame_mask)
    assert torch.equal(text.mask, frozen.word_mask)
    assert torch.allclose(video.features, frozen.frames, atol=1e-3)
    assert torch.allclose(text.features, frozen.words, atol=2e-3)
    assert torch.equal(batch.ids, frozen.ids)


def test_batches_of_phrases(encoded):
    """Of frozen features as of captions: players, their words, steps, context, and their part."""
    corpus, _ = encoded
    spoken = ("the red dog runs", "a cat, in the snow")
    corpus = replace(corpus, clips=tuple(replace(c, captions=spoken) for c in corpus.clips))
    encoder, config = ToyEncoder(), data_config(frames=8, words=24, workers=0)
    known = encode_corpus(encoder, corpus, 8, seed=1, players="phrases")
    (frozen,) = FeatureBatches(known, config)([SAMPLES])
    with ClipReader(encoder) as reader:
        (batch,) = PixelBatches(corpus.clips, config, reader)([SAMPLES])
    model = replace(MODEL, text_players="phrases")
    task = RetrievalTask(toy_heads(model, words=24), LossConfig(), encoder)
    _, expected = task.tokens(batch)
    _, text = task.tokens(frozen)
    assert text.mask.sum(-1).tolist() == [2, 6, 2]
    players = text.mask.shape[1]
    assert players == 6
    words = text.groups.shape[-1]
    assert torch.equal(text.mask, expected.mask[:, :players])
    assert torch.equal(text.groups, expected.groups[:, :players, :words])
    assert torch.equal(text.steps, expected.steps[:, :players])
    assert torch.allclose(text.features, expected.features[:, :players], atol=2e-3)
    assert torch.allclose(text.context, expected.context[:, :players], atol=2e-3)
    assert frozen.word_parts[1].tolist() == [0, 0, 0, 1, 1, 1]
    moved = frozen.to(torch.device("meta"))
    assert moved.word_context.is_meta


def test_pixel_batches_draw_no_random_numbers(encoded):
    """Or a run that goes on in the middle of an epoch would have other noise."""
    corpus, _ = encoded
    with ClipReader(ToyEncoder()) as reader:
        state = torch.get_rng_state()
        list(PixelBatches(corpus.clips, data_config(frames=8), reader)([SAMPLES]))
    assert torch.equal(torch.get_rng_state(), state)
