"""Values of players and interactions of all pairs, in all indices."""

from __future__ import annotations

import itertools

import pytest
import torch
from shapiq.game_theory.exact import ExactComputer

from explainers import (
    INDICES,
    WEIGHTINGS,
    SimilarityGame,
    closed_form,
    coalition_interaction,
    enumerate_coalitions,
    multilinear_extension,
)
from support import oracles
from support.games import extreme_logits, padded
from support.oracles import random_game

SIZES = [(1, 1), (1, 3), (3, 1), (3, 4)]
P = 0.3  # of "weighted_banzhaf"


def options(index):
    return {"index": index, "probability": P if index == "weighted_banzhaf" else None}


every_index = pytest.mark.parametrize("index", INDICES)
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)


def everything(game, index):
    return closed_form(game, pairs="all", **options(index))


def assert_equals_brute_force(game, index):
    """1e-10 is what we promise; the brute force itself is exact to about 1e-15."""
    videos, texts = game.similarity.shape
    value = oracles.set_values(game)
    expected = oracles.brute_force_indices(
        lambda coalition: value[frozenset(coalition)], videos + texts, index, P
    )
    pairs, players = map(torch.from_numpy, expected)
    result, cross = everything(game, index), closed_form(game, **options(index))
    assert (result.player_values - players).abs().max() < 1e-10
    assert (result.values - pairs).abs().max() < 1e-10
    assert (cross.values - pairs[:videos, videos:]).abs().max() < 1e-10


@every_index
@every_weighting
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [0.0, 20.0])
def test_equals_brute_force(index, weighting, size, spread):
    assert_equals_brute_force(random_game(*size, weighting, spread=spread, seed=sum(size)), index)


@every_index
@every_weighting
def test_extreme_logits(index, weighting):
    similarity = random_game(3, 4).similarity
    for logits in extreme_logits():
        assert_equals_brute_force(SimilarityGame(similarity, *logits, weighting=weighting), index)


def test_many_wide_gaps_between_logits():
    """A range beyond exp's even when gaps are closed; wider gaps make no difference."""
    game = random_game(20, 2)
    rank = torch.arange(20, dtype=torch.float64)
    near, far = (
        SimilarityGame(game.similarity, gap * rank, game.text_logits) for gap in (50.0, 100.0)
    )
    for pairs in ("cross", "all"):
        results = [closed_form(g, pairs=pairs).values for g in (near, far)]
        assert results[0].isfinite().all()
        assert (results[0] - results[1]).abs().max() < 1e-12


@every_index
@every_weighting
@pytest.mark.parametrize("values", [[0.5] * 6, [-1.0] * 6, [0.3, -0.2, 0.3] * 2])
def test_ties_and_negative_similarities(index, weighting, values):
    similarity = torch.tensor(values, dtype=torch.float64).reshape(2, 3)
    logits = random_game(2, 3)
    game = SimilarityGame(similarity, logits.video_logits, logits.text_logits, weighting=weighting)
    assert_equals_brute_force(game, index)


@every_index
@every_weighting
def test_equals_enumeration(index, weighting):
    game = random_game(7, 8, weighting, spread=10.0)
    exact = enumerate_coalitions(game, pairs="all", **options(index))
    result = everything(game, index)
    assert (result.player_values - exact.player_values).abs().max() < 1e-12
    assert (result.values - exact.values).abs().max() < 1e-12


@every_weighting
@pytest.mark.parametrize(
    ("index", "of_players", "of_pairs"), [("banzhaf", "BV", "BII"), ("shapley", "SV", "SII")]
)
def test_equals_shapiq(weighting, index, of_players, of_pairs):
    """shapiq has no weighted Banzhaf index."""
    game = random_game(4, 5, weighting)
    n = game.players

    def value(coalitions):
        return game.coalition_values(torch.as_tensor(coalitions)).numpy()

    computer = ExactComputer(value, n_players=n)
    players, pairs = computer(of_players, order=1), computer(of_pairs, order=2)
    result = everything(game, index)
    for i in range(n):
        assert float(result.player_values[i]) == pytest.approx(players[(i,)], abs=1e-12)
    for i, j in itertools.combinations(range(n), 2):
        assert float(result.values[i, j]) == pytest.approx(pairs[(i, j)], abs=1e-12)


@every_weighting
@pytest.mark.parametrize("probability", [1e-6, 0.001, 0.3, 0.999, 1 - 1e-6])
def test_the_two_closed_forms_agree(weighting, probability):
    """Of frames and words, and of all players."""
    game = random_game(12, 24, weighting, spread=20.0)
    weighted = {"index": "weighted_banzhaf", "probability": probability}
    pairs = closed_form(game, pairs="all", **weighted).values
    assert (closed_form(game, **weighted).values - pairs[:12, 12:]).abs().max() < 1e-12
    assert torch.equal(pairs, pairs.mT)
    assert (pairs.diagonal() == 0).all()


@every_weighting
@pytest.mark.parametrize("probability", [0.001, 0.5, 0.9])
def test_differences_of_the_extension(weighting, probability):
    """φ̄ is linear in each player, so that its differences are exact; too many to enumerate."""
    game = random_game(9, 11, weighting, spread=10.0)
    players = game.players
    exact = closed_form(game, pairs="all", index="weighted_banzhaf", probability=probability)

    def extension(*fixed):
        """φ̄ where each player i is set to x_i, for all players or all pairs of them."""
        points = torch.full((len(fixed[0][0]), players), probability, dtype=torch.float64)
        for who, value in fixed:
            points[torch.arange(len(who)), who] = value
        return multilinear_extension(game, *points.split([9, 11], -1))

    everybody = torch.arange(players)
    single = extension((everybody, 1.0)) - extension((everybody, 0.0))
    assert (exact.player_values - single).abs().max() < 1e-10
    i, j = torch.triu_indices(players, players, 1)
    pair = sum(
        (1 if one == other else -1) * extension((i, one), (j, other))
        for one in (0.0, 1.0)
        for other in (0.0, 1.0)
    )
    assert (exact.values[i, j] - pair).abs().max() < 1e-10


@every_weighting
def test_weighted_at_one_half_is_banzhaf(weighting):
    game = random_game(3, 4, weighting)
    for pairs in ("cross", "all"):
        half = closed_form(game, pairs=pairs, index="weighted_banzhaf", probability=0.5)
        assert torch.equal(half.values, closed_form(game, pairs=pairs).values)


@every_weighting
def test_shapley_values_share_out_the_whole(weighting):
    """Efficiency."""
    game = random_game(8, 13, weighting, spread=10.0)
    shares = everything(game, "shapley").player_values
    assert float(shares.sum()) == pytest.approx(float(game.grand_value()), abs=1e-10)
    banzhaf = everything(game, "banzhaf").player_values
    assert abs(float(banzhaf.sum() - game.grand_value())) > 1e-3


@every_index
@every_weighting
def test_dummy(index, weighting):
    """A frame of no similarity and no weight is worth nothing, to nobody."""
    game = random_game(3, 4)
    similarity, logits = game.similarity.abs(), game.video_logits.clone()
    similarity[1], logits[1] = 0.0, -200.0
    result = everything(
        SimilarityGame(similarity, logits, game.text_logits, weighting=weighting), index
    )
    assert result.values[1].abs().max() < 1e-13
    assert result.player_values[1].abs() < 1e-13
    assert result.values[0].abs().max() > 1e-3


@every_index
@every_weighting
def test_symmetry(index, weighting):
    """Two identical words are worth the same, to everybody."""
    game, twin = random_game(3, 4), torch.tensor([0, 1, 1, 2])
    result = everything(
        SimilarityGame(
            game.similarity[:, twin], game.video_logits, game.text_logits[twin], weighting=weighting
        ),
        index,
    )
    first, second, others = 4, 5, [0, 1, 2, 3, 6]
    assert (result.values[first, others] - result.values[second, others]).abs().max() < 1e-13
    assert (result.player_values[first] - result.player_values[second]).abs() < 1e-13


@every_index
@every_weighting
def test_padding_is_no_player(index, weighting):
    """A padded batch gives what the samples give alone, whatever stands in the padding."""
    singles = [random_game(v, t, weighting, seed=v) for v, t in [(2, 5), (4, 3), (1, 1)]]
    batch, places = padded(singles)
    result, cross = everything(batch, index), closed_form(batch, **options(index))
    assert result.values.shape == (3, 9, 9)
    assert (result.values[:, :4, 4:] - cross.values).abs().max() < 1e-12
    inside = torch.zeros_like(result.values, dtype=torch.bool)
    for row, (single, place) in enumerate(zip(singles, places, strict=True)):
        alone = everything(single, index)
        assert (result.values[row][place][:, place] - alone.values).abs().max() < 1e-12
        assert (result.player_values[row][place] - alone.player_values).abs().max() < 1e-12
        inside[row, place.unsqueeze(-1), place] = True
    assert (result.values[~inside] == 0).all()
    assert (result.player_values[~inside.diagonal(dim1=-2, dim2=-1)] == 0).all()


@every_index
@every_weighting
def test_a_batch_equals_singles(index, weighting):
    """Here with the logits of the frames shared by a row of the batch."""
    game = random_game(3, 4, weighting, batch=(2, 2))
    logits = game.video_logits[:, :1]
    batch = SimilarityGame(game.similarity, logits, game.text_logits, weighting=weighting)
    result, cross = everything(batch, index), closed_form(batch, **options(index))
    for i, j in itertools.product(range(2), range(2)):
        single = SimilarityGame(
            game.similarity[i, j], logits[i, 0], game.text_logits[i, j], weighting=weighting
        )
        alone = everything(single, index)
        assert (result.values[i, j] - alone.values).abs().max() < 1e-13
        assert (result.player_values[i, j] - alone.player_values).abs().max() < 1e-13
        assert (cross.values[i, j] - alone.values[:3, 3:]).abs().max() < 1e-13


@every_index
@every_weighting
def test_gradients_of_cross_pairs(index, weighting):
    game = random_game(2, 3, weighting)
    mask = torch.tensor([True, False, True])
    tensors = (game.similarity, game.video_logits, game.text_logits)

    def interactions(*tensors):
        single = SimilarityGame(*tensors, text_mask=mask, weighting=weighting)
        return closed_form(single, **options(index)).values

    assert torch.autograd.gradcheck(interactions, [x.clone().requires_grad_() for x in tensors])


@every_weighting
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_all_pairs_whether_or_not_gradients_are_on(weighting, mode):
    expected = everything(random_game(2, 3, weighting), "banzhaf")
    with mode():
        game = random_game(2, 3, weighting)
        if mode is torch.enable_grad:
            game.similarity.requires_grad_()
        result = everything(game, "banzhaf")
    assert torch.equal(result.values, expected.values)
    assert torch.equal(result.player_values, expected.player_values)
    assert not result.values.requires_grad
    assert not result.player_values.requires_grad


@every_index
@every_weighting
def test_float32_is_close(index, weighting):
    double = random_game(5, 7, weighting, batch=(3,), spread=6.0)
    tensors = (double.similarity, double.video_logits, double.text_logits)
    single = SimilarityGame(*(x.float() for x in tensors), weighting=weighting)
    expected = everything(double, index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = everything(single, index)
    for name in ("values", "player_values"):
        close, exact = getattr(result, name), getattr(expected, name)
        assert close.dtype == torch.float32
        assert (close - exact).abs().max() < 1e-4 * exact.abs().max()


def test_the_result_says_what_it_is():
    cross = closed_form(random_game(2, 3), index="shapley")
    assert (cross.index, cross.values.shape, cross.player_values) == ("shapley", (2, 3), None)
    whole = closed_form(random_game(2, 3), pairs="all")
    assert (whole.index, whole.values.shape, whole.player_values.shape) == ("banzhaf", (5, 5), (5,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": "own"}, "pairs is 'own'"),
        ({"index": "core"}, "index is 'core'"),
        ({"probability": 0.3}, "'banzhaf' has none: leave it out"),
        ({"index": "shapley", "probability": 0.5}, "'shapley' has none"),
        ({"index": "weighted_banzhaf", "probability": 1.0}, "probability is 1.0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    """By both exact methods; also where no game of the batch is there to be played."""
    for game in (random_game(2, 3), random_game(2, 3, batch=(0,))):
        for method in (closed_form, enumerate_coalitions):
            with pytest.raises(ValueError, match=message):
                method(game, **settings)


@every_index
@every_weighting
def test_no_games(index, weighting):
    """A batch of none gives none."""
    game = random_game(2, 3, weighting, batch=(4, 0))
    for method in (closed_form, enumerate_coalitions):
        cross, whole = method(game, index=index), method(game, pairs="all", index=index)
        assert cross.values.shape == (4, 0, 2, 3)
        assert (whole.values.shape, whole.player_values.shape) == ((4, 0, 5, 5), (4, 0, 5))
    members = torch.ones(5, dtype=torch.bool)
    assert coalition_interaction(game, members[:2], members[2:]).shape == (4, 0)
    assert multilinear_extension(game, torch.rand(2), torch.rand(3)).shape == (4, 0)
    assert game.grand_value().shape == (4, 0)


@pytest.mark.parametrize(
    "method",
    [
        closed_form,
        lambda f: coalition_interaction(f, None, None),
        lambda f: multilinear_extension(f, None, None),
    ],
)
def test_closed_forms_are_for_similarity_games(method):
    with pytest.raises(TypeError, match="takes a SimilarityGame or BilinearGame, got function"):
        method(lambda members: members[:, 0].double())


@every_weighting
def test_logits_that_differ_by_more_than_their_dtype_holds(weighting):
    """Right where it matters not, refused where it does; far apart is no fault."""
    similarity = torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    for far in (-1e30, torch.finfo(torch.float32).min):
        logits = torch.tensor([0.0, far, 1.0])
        game = SimilarityGame(similarity, logits, torch.zeros(2), weighting=weighting)
        assert (closed_form(game).values - enumerate_coalitions(game).values).abs().max() < 1e-6
    wide = SimilarityGame(similarity, torch.tensor([0.0, -3e38, 3e38]), torch.zeros(2))
    with pytest.raises(ValueError, match=r"differ by more than torch\.float32 holds"):
        closed_form(wide)
