"""What a video scores with any text is taken off its scores, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hbi_core.checkpoints.checkpoint import RetrievalSettings
from hbi_core.errors import SettingsError
from hbi_core.model import ModelConfig, build_hierarchy
from hbi_core.tasks.querybank import fit_of_any_text
from hbi_core.tasks.reranking import retrieval_scores
from hbi_core.tasks.retrieval_metrics import corpus_players, similarity_scores
from support.features import random_features
from support.random_model import randomised

READS = RetrievalSettings(6, 8, (1.0, 0.0, 2.0))
CONFIG = ModelConfig(16, 16, 16, temporal_layers=1, attention_heads=2, text_clusters=(0.5, 0.5))


@pytest.fixture(scope="module")
def model():
    return randomised(build_hierarchy(CONFIG)).float()


@pytest.fixture(scope="module")
def bank():
    """Captions of clips that were not measured; no clip of them has frames."""
    known = random_features(clips=5, captions=4)
    words = torch.randn(known.words.shape, generator=torch.Generator().manual_seed(1)).half()
    return replace(known, words=words, frames=known.frames[:, :0], plain=0)


@pytest.fixture(scope="module")
def of_bank(model, bank):
    """The score of each video with each text of the bank, one of them at a time."""
    videos = random_features()
    scores = torch.zeros(len(videos.clips), len(bank.owners))
    for number in range(len(bank.owners)):
        words = bank.words[bank.starts[number] : bank.starts[number + 1]]
        one = replace(
            videos, words=words, starts=torch.tensor([0, len(words)]), owners=torch.tensor([0])
        )
        alone = similarity_scores(model, one, READS.words, READS.level_weights)
        scores[:, number] = alone[:, 0]
    return scores


@pytest.mark.parametrize("at_once", [1, 7, 1000])
@pytest.mark.parametrize("sharpness", [0.5, 15.0])
def test_it_is_the_soft_maximum_over_the_bank(model, bank, of_bank, sharpness, at_once):
    features = random_features()
    videos, _ = corpus_players(model, features, READS.words)
    usual = fit_of_any_text(model, videos, bank, READS, sharpness, at_once=at_once)
    for video, scores in zip(usual.tolist(), of_bank.tolist(), strict=True):
        mean = sum(math.exp(sharpness * score / 3) for score in scores) / len(scores)
        assert math.log(mean) * 3 / sharpness == pytest.approx(video, abs=1e-4)


def test_its_ends_are_the_mean_and_the_most_similar_text(model, bank, of_bank):
    videos, _ = corpus_players(model, random_features(), READS.words)
    mean = fit_of_any_text(model, videos, bank, READS, 1e-3)
    torch.testing.assert_close(mean, of_bank.mean(-1), atol=2e-3, rtol=0)
    most = fit_of_any_text(model, videos, bank, READS, 1e6)
    torch.testing.assert_close(most, of_bank.amax(-1), atol=1e-4, rtol=0)


def test_texts_find_their_videos_by_what_is_left(model, bank):
    features = random_features()
    plain, of_videos = retrieval_scores(model, features, READS)
    left, same = retrieval_scores(model, features, READS, bank=bank)
    torch.testing.assert_close(same, of_videos, atol=0, rtol=0)
    videos, _ = corpus_players(model, features, READS.words)
    usual = fit_of_any_text(model, videos, bank, READS)
    torch.testing.assert_close(left, plain - usual.unsqueeze(-1), atol=1e-6, rtol=0)
    assert (left.argsort(0) != plain.argsort(0)).any()


def test_a_model_that_reconstructs_is_refused(bank):
    model = build_hierarchy(replace(CONFIG, reconstruction=True)).eval()
    with pytest.raises(SettingsError, match="without a reconstruction"):
        retrieval_scores(model, random_features(), READS, bank=bank)
