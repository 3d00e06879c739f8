"""The measures of agreement by hand, and what a comparison runs and writes."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, replace
from itertools import product

import pytest
import torch
from scipy import stats

from explainers import (
    Estimator,
    Interactions,
    closed_form,
    compare,
    enumerate_coalitions,
    estimate,
    sample_coalitions,
)
from explainers.agreement import agreement
from support.oracles import in_room, random_game


def answer_of(method, values, coalitions=0, standard_error=None):
    return Interactions(
        values=values,
        standard_error=standard_error,
        method=method,
        coalitions_evaluated=coalitions,
        seconds=0.5,
        device="cpu",
    )


def test_agreement_by_hand():
    exact = torch.tensor([[0.4, -0.2, 0.0], [0.3, 0.1, -0.1]], dtype=torch.float64)
    estimated = torch.tensor([[0.5, 0.1, 0.05], [0.0, 0.4, -0.3]], dtype=torch.float64)
    off = [0.1, 0.3, 0.05, 0.3, 0.3, 0.2]
    result = agreement(estimated, exact, top=2)
    assert result.max_error == pytest.approx(0.3)
    assert result.mean_error == pytest.approx(sum(off) / 6)
    size = math.sqrt(sum(x * x for x in (0.4, 0.2, 0.3, 0.1, 0.1)))
    assert result.relative_error == pytest.approx(math.sqrt(sum(x * x for x in off)) / size)
    assert result.top_links == 0.5  # (0, 0) of (0, 0) and (1, 0)
    assert result.signs == pytest.approx(3 / 5)  # the exact 0 does not count
    # Ranks of the exact values: 6 1 3 5 4 2; of the estimates: 6 4 3 2 5 1.
    squares = sum((a - b) ** 2 for a, b in zip((6, 1, 3, 5, 4, 2), (6, 4, 3, 2, 5, 1), strict=True))
    assert result.spearman == pytest.approx(1 - 6 * squares / (6 * 35))
    assert result.pearson == pytest.approx(
        float(torch.corrcoef(torch.stack([estimated.flatten(), exact.flatten()]))[0, 1])
    )


def test_correlations_are_those_of_scipy():
    """With ties, which share their ranks."""
    exact = torch.randn(6, 7, generator=torch.Generator().manual_seed(0)).double()
    estimated = (exact + exact.flip(0)).round(decimals=1)
    assert len(estimated.unique()) < 42 / 1.5
    result = agreement(estimated, exact)
    one, other = estimated.flatten().numpy(), exact.flatten().numpy()
    assert result.pearson == pytest.approx(stats.pearsonr(one, other).statistic, abs=1e-12)
    assert result.spearman == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-12)


def test_agreement_of_a_constant_and_of_one_pair():
    one = torch.ones(1, 1, dtype=torch.float64)
    assert math.isnan(agreement(one, one).pearson)
    assert math.isnan(agreement(one, one, top=1).top_links)
    exact, swapped = torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([3.0, 4.0, 1.0, 2.0])
    shares = [agreement(swapped, exact, top).top_links for top in (1, 2, 3)]
    assert shares == [0, 1, pytest.approx(2 / 3)]
    assert math.isnan(agreement(swapped, exact, top=4).top_links)
    flat = agreement(torch.zeros(2, 2), torch.randn(2, 2, generator=torch.Generator()))
    assert math.isnan(flat.spearman)
    assert flat.signs == 0.0
    nothing = agreement(torch.ones(2, 2), torch.zeros(2, 2))
    assert math.isnan(nothing.relative_error)
    assert math.isnan(nothing.signs)
    assert nothing.max_error == 1.0


@pytest.fixture(scope="module")
def estimator():
    torch.manual_seed(0)
    return Estimator(4, unit=0.1).eval()


@pytest.fixture(scope="module")
def comparison(estimator):
    methods = ("sampling", "closed_form", "estimator", "enumeration")
    return compare(
        random_game(4, 5),
        methods,
        (64, 2048),
        (0, 1, 2),
        estimator=estimator,
        top=5,
        limit_seconds=3600,
    )


def test_rows_are_the_methods_called_from_python(comparison, estimator):
    game = random_game(4, 5)
    keys = [(row.method, row.budget, row.seed) for row in comparison.rows]
    sampled = [("sampling", *key) for key in product((64, 2048), (0, 1, 2))]
    assert keys == [*sampled, *((m, 0, 0) for m in ("closed_form", "estimator", "enumeration"))]
    alone = {
        "closed_form": lambda budget, seed: closed_form(game),
        "estimator": lambda budget, seed: estimate(game, estimator),
        "enumeration": lambda budget, seed: enumerate_coalitions(game),
        "sampling": lambda budget, seed: sample_coalitions(
            game, budget, torch.Generator().manual_seed(seed)
        ),
    }
    exact = closed_form(game).values
    assert torch.equal(comparison.exact.values, exact)
    for row, result in zip(comparison.rows, comparison.estimates, strict=True):
        expected = alone[row.method](row.budget, row.seed)
        assert torch.equal(result.values, expected.values)
        assert row.agreement == agreement(expected.values, exact, 5)
        assert row.coalitions == expected.coalitions_evaluated
        assert row.seconds == result.seconds > 0
        assert (row.device, row.note) == ("cpu", "")
    by = dict(zip(keys, comparison.rows, strict=True))
    assert by["closed_form", 0, 0].agreement.max_error == 0
    assert by["enumeration", 0, 0].agreement.max_error < 1e-12
    few, many = (by["sampling", budget, 0].agreement for budget in (64, 2048))
    assert many.relative_error < few.relative_error / 2


def test_files(comparison):
    table = comparison.table()
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv())))
    assert [list(row.values()) for row in rows] == [[str(v) for v in row.values()] for row in table]
    data = json.loads(comparison.to_json())
    assert data["schema"] == "hbi-comparison/1"
    assert data["exact"] == comparison.exact.values.tolist()
    for row, result in zip(data["rows"], comparison.estimates, strict=True):
        assert row["values"] == result.values.tolist()
        assert (row["standard_error"] is None) == (row["method"] != "sampling")


@pytest.mark.parametrize(
    ("limit", "why"), [(1, "about "), (0, "and a limit of 0 seconds allows none")]
)
def test_what_would_take_too_long_becomes_a_note(limit, why):
    """2^80 coalitions: too many for any machine."""
    result = compare(random_game(40, 40), ("enumeration",), limit_seconds=limit)
    (row,), (missing,) = result.rows, result.estimates
    assert missing is None
    assert row.agreement is None
    assert f"80 players have {2**80:,} coalitions" in row.note
    assert why in row.note
    assert math.isnan(result.table()[0]["max_error"])
    assert json.loads(result.to_json())["rows"][0]["seconds"] is None


def test_padding_is_not_compared(estimator):
    """Beside the same game without the padding."""
    small = random_game(3, 4, seed=1)
    video_mask, text_mask = torch.arange(6) < 3, torch.arange(8) < 4
    big = in_room(small, video_mask, text_mask)
    methods = ("estimator", "enumeration")
    one, other = (
        compare(g, methods, estimator=estimator, top=5, limit_seconds=3600) for g in (small, big)
    )
    for mine, padded in zip(one.rows, other.rows, strict=True):
        assert asdict(padded.agreement) == pytest.approx(asdict(mine.agreement), abs=1e-6)
    nobody = replace(big, text_mask=torch.zeros(8, dtype=torch.bool))
    with pytest.raises(ValueError, match="no pair"):
        compare(nobody)


def test_numbers_that_are_none_are_null():
    def ones(game, budget, seed):
        return answer_of("ones", torch.ones(2, 2), budget)

    flat = replace(random_game(2, 2), similarity=torch.zeros(2, 2).double())
    result = compare(flat, {"ones": ones}, (10,))
    row = json.loads(result.to_json(), parse_constant=pytest.fail)["rows"][0]
    assert (row["relative_error"], row["signs"], row["max_error"]) == (None, None, 1.0)


def test_progress_of_an_enumeration():
    told = []
    compare(
        random_game(10, 12),
        "enumeration",
        limit_seconds=3600,
        progress=lambda *now: told.append(now),
    )
    assert told[0] == (0.0, "enumeration")
    assert told[-1] == (1.0, "enumeration")
    assert len(told) > 4


def test_a_method_of_ones_own():
    def zeros(game, budget, seed):
        return answer_of("zeros", torch.zeros(3, 3), budget + seed)

    told = []
    result = compare(
        random_game(3, 3), {"zeros": zeros}, (10, 20), (1,), progress=lambda *now: told.append(now)
    )
    assert [row.coalitions for row in result.rows] == [11, 21]
    assert [row.agreement.relative_error for row in result.rows] == [1.0, 1.0]
    assert told == [(0.0, "zeros"), (0.5, "zeros")]


def test_a_method_of_ones_own_may_change_its_game_and_reuse_its_answer():
    answer = torch.zeros(2, 2)

    def greedy(game, budget, seed):
        game.similarity.zero_()
        game.video_mask.zero_()
        answer.fill_(budget)
        return answer_of("greedy", answer, budget, answer)

    game = random_game(2, 2)
    before = game.similarity.clone()
    result = compare(game, {"greedy": greedy}, (1, 2, 2), (0, 0))
    assert torch.equal(game.similarity, before)
    assert game.players == 4
    assert [float(e.values.mean()) for e in result.estimates] == [1, 2]
    assert [float(e.standard_error.mean()) for e in result.estimates] == [1, 2]
    assert result.rows[0].agreement.max_error == pytest.approx(
        float((1 - closed_form(game).values).abs().max())
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ("sampling",), "budgets": ()}, "nothing to run"),
        ({"methods": ("guessing",)}, "guessing"),
        ({"methods": ("estimator",)}, "needs one"),
        ({"budgets": (64.5,)}, "a budget is 64.5; it must be a whole number"),
        ({"budgets": (0,)}, "a budget is 0"),
        ({"seeds": (-1,)}, "a seed is -1"),
        ({"seeds": (2**63,)}, "a seed is"),
        ({"top": 0}, "top is 0"),
        ({"top": True}, "top is True"),
        ({"limit_seconds": math.nan}, "limit_seconds is nan"),
        ({"limit_seconds": -1}, "limit_seconds is -1"),
        (
            {"methods": {"row": lambda *_: answer_of("row", torch.ones(2))}},
            r"returned values \[2\] for the game \[2, 2\]",
        ),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        compare(random_game(2, 2), **settings)


def test_repetitions_are_dropped():
    methods = iter(("sampling", "closed_form", "sampling"))
    result = compare(random_game(2, 2), methods, iter((64, 64)), iter((1, 2, 1)))
    runs = [(row.method, row.budget, row.seed) for row in result.rows]
    assert runs == [("sampling", 64, 1), ("sampling", 64, 2), ("closed_form", 0, 0)]


def test_one_game_is_compared():
    with pytest.raises(ValueError, match=r"not a batch \[2\]"):
        compare(random_game(2, 2, batch=(2,)))
    with pytest.raises(TypeError, match="takes a SimilarityGame or BilinearGame, got function"):
        compare(lambda members: members[:, 0].double())
