"""The game in the browser (assets/view/game.js) against `explainers`."""

from __future__ import annotations

import pytest
import torch

from explainers import (
    WEIGHTINGS,
    BilinearGame,
    SimilarityGame,
    closed_form,
    coalition_interaction,
    multilinear_extension,
)
from hbi_core.worth import GAMES
from support.browser import new_page
from support.demo import ROOT
from support.games import extreme_logits
from support.oracles import random_game

EXACT = 1e-10  # what the quadrature promises
COMPUTE = """([level, weighting, kind, kept, members]) => {
    const { tokenGame, value, closedForm, coalitionInteraction } = hbi.game;
    const game = tokenGame(level, weighting, kind);
    return {
        value: value(game, kept),
        ...closedForm(game, kept),
        together: coalitionInteraction(game, members, kept),
    };
}"""


@pytest.fixture(scope="module")
def compute(browser):
    """A function of a game, the players kept and a set of them: what game.js makes of these."""
    page = new_page(browser)
    page.add_script_tag(path=ROOT / "assets" / "view" / "game.js")

    def in_browser(game, kept, members):
        level = {
            name: tensor.tolist()
            for name, tensor in (
                ("similarity", game.cells),
                ("video_logits", game.video_logits),
                ("text_logits", game.text_logits),
            )
        }
        (kind,) = [name for name, one in GAMES.items() if isinstance(game, one)]
        chosen = indices(kept), indices(members)
        return page.evaluate(COMPUTE, [level, game.weighting, kind, *chosen])

    yield in_browser
    page.close()


def indices(masks):
    """{side: the places of True in its mask}."""
    names = ("video", "text")
    return {
        name: mask.nonzero().flatten().tolist() for name, mask in zip(names, masks, strict=True)
    }


def by_side(values, game):
    """{side: its part of what there is for each player}."""
    return dict(zip(("video", "text"), values.split(game.cells.shape), strict=True))


def drawn(game, share, seed):
    """Random masks of the players of both sides, True for this share of them."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(n, generator=generator) < share for n in game.cells.shape)


def everyone(game):
    return tuple(torch.ones(n, dtype=torch.bool) for n in game.cells.shape)


def expected(game, kept, members):
    """The same from Owen's extension: who is left out has x = 0, the rest ½, who joins 1."""
    counts = game.cells.shape
    half = torch.cat(kept).double() / 2
    players = torch.eye(sum(counts), dtype=torch.bool)

    def extension(joins, stays_away):
        x = torch.where(joins, 1.0, torch.where(stays_away, 0.0, half)).double()
        return multilinear_extension(game, *x.split(counts, -1))

    nobody = torch.zeros(sum(counts), dtype=torch.bool)
    single = extension(players, nobody) - extension(nobody, players)
    one, other = players.unsqueeze(1), players.unsqueeze(0)
    pairs = (
        extension(one | other, nobody)
        + extension(nobody, one | other)
        - extension(one, other & ~one)
        - extension(other, one & ~other)
    )
    members = torch.cat(members) & torch.cat(kept)
    none = extension(nobody, members)
    alone = [extension(player, members & ~player) - none for player in players[members]]
    together = extension(members, nobody) - none - sum(alone)
    return {
        "value": game.value(*kept),
        "values": pairs[: counts[0], counts[0] :],
        "playerValues": by_side(single, game),
        "together": together,
    }


def assert_same(computed, wanted, kept):
    frames, words = kept
    both = frames.unsqueeze(1) & words
    for name, values, mask in (
        ("values", wanted["values"], both),
        ("video", wanted["playerValues"]["video"], frames),
        ("text", wanted["playerValues"]["text"], words),
    ):
        found = (computed["playerValues"] | computed)[name]
        found = torch.tensor(
            [
                torch.nan if cell is None else cell
                for row in found
                for cell in (row if isinstance(row, list) else [row])
            ],
            dtype=torch.float64,
        ).view_as(mask)
        assert torch.equal(found.isnan(), ~mask), name
        torch.testing.assert_close(found[mask], values[mask], rtol=0, atol=EXACT)
    for name in ("value", "together"):
        assert computed[name] == pytest.approx(float(wanted[name]), abs=EXACT, rel=0), name


PLAYED = {
    "random": lambda weighting: random_game(5, 7, weighting),
    "one frame": lambda weighting: random_game(1, 6, weighting, seed=1),
    "one word": lambda weighting: random_game(6, 1, weighting, seed=2),
    "one of each": lambda weighting: random_game(1, 1, weighting, seed=3),
    "wide logits": lambda weighting: random_game(4, 5, weighting, seed=4, spread=40.0),
    "ties": lambda weighting: SimilarityGame(
        torch.tensor([[0.5, 0.5, -0.5], [0.5, 0.5, 0.5], [-0.5, 0.0, 0.0]]).double(),
        torch.zeros(3).double(),
        torch.zeros(3).double(),
        weighting=weighting,
    ),
    "answer": lambda weighting: random_game(5, 7, weighting, seed=5, kind=BilinearGame),
    "answer to one word": lambda weighting: random_game(
        6, 1, weighting, seed=6, spread=20.0, kind=BilinearGame
    ),
}


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("name", PLAYED)
def test_everyone_plays(compute, name, weighting):
    """As the closed form of the whole game, and of random sets of players."""
    game = PLAYED[name](weighting)
    members = drawn(game, 0.6, seed=5)
    computed = compute(game, everyone(game), members)
    exact = closed_form(game, pairs="all")
    wanted = {
        "value": game.grand_value(),
        "values": closed_form(game).values,
        "playerValues": by_side(exact.player_values, game),
        "together": coalition_interaction(game, *members),
    }
    assert_same(computed, wanted, everyone(game))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_players_left_out(compute, name, share, weighting):
    """As Owen's extension where those left out never join. Some members are left out."""
    game = PLAYED[name](weighting)
    kept, members = drawn(game, share, seed=6), drawn(game, 0.6, seed=7)
    assert_same(compute(game, kept, members), expected(game, kept, members), kept)


def test_a_side_without_players(compute):
    game = random_game(3, 4)
    nobody, words = torch.zeros(3, dtype=torch.bool), torch.ones(4, dtype=torch.bool)
    computed = compute(game, (nobody, words), (nobody, words))
    assert computed["value"] == computed["together"] == 0
    assert computed["playerValues"] == {"video": [None] * 3, "text": [0] * 4}


def test_left_out_is_padding(compute):
    """With renormalised weights, whoever is left out might as well be padding."""
    game = random_game(6, 8, seed=8)
    kept = drawn(game, 0.6, seed=9)
    masked = SimilarityGame(game.similarity, game.video_logits, game.text_logits, *kept)
    exact = closed_form(masked, pairs="all")
    wanted = {
        "value": masked.grand_value(),
        "values": closed_form(masked).values,
        "playerValues": dict(
            zip(("video", "text"), exact.player_values.split([6, 8]), strict=True)
        ),
        "together": coalition_interaction(masked, *kept),
    }
    assert_same(compute(game, kept, kept), wanted, kept)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("logits", extreme_logits())
@pytest.mark.parametrize("kind", GAMES.values())
def test_extreme_weights(compute, kind, logits, weighting):
    generator = torch.Generator().manual_seed(10)
    similarity = torch.rand(*map(len, logits), generator=generator, dtype=torch.float64)
    game = kind(similarity, *logits, weighting=weighting)
    kept, members = drawn(game, 0.8, seed=11), drawn(game, 0.6, seed=12)
    assert_same(compute(game, kept, members), expected(game, kept, members), kept)


def test_levels_of_an_explanation(compute, explanation):
    """All levels of a real one: the interactions that stand in explanation.json, and its scores."""
    for level in explanation.levels:
        game = level.game(explanation.weighting)
        computed = compute(game, everyone(game), everyone(game))
        assert computed["value"] == pytest.approx(level.score, abs=EXACT)
        values = torch.tensor(computed["values"], dtype=torch.float64)
        torch.testing.assert_close(values, level.interactions.values, rtol=0, atol=EXACT)


def test_an_unknown_game_is_refused(browser):
    from playwright.sync_api import Error

    page = new_page(browser)
    page.add_script_tag(path=ROOT / "assets" / "view" / "game.js")
    with pytest.raises(Error, match="must be one of renormalised,fixed"):
        page.evaluate("hbi.game.tokenGame({}, 'equal')")
    with pytest.raises(Error, match="must be one of similarity,bilinear"):
        page.evaluate("hbi.game.tokenGame({}, 'fixed', 'cubic')")
    page.close()
