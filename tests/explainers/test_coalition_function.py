"""Games that are functions: whatever these do with what they are given and what they return."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explainers import enumerate_coalitions, sample_coalitions

PLAYERS = 12  # more than one call of either method, whose largest take 1,024 and 16,384
WEIGHTS = torch.arange(1.0, PLAYERS + 1, dtype=torch.float64)


def sampled(function, **settings):
    generator = torch.Generator().manual_seed(0)
    return sample_coalitions(function, 4096, generator, players=PLAYERS, **settings)


CALLERS = {
    "enumeration": lambda f: enumerate_coalitions(f, players=PLAYERS, chunk_coalitions=1024),
    "shapley": lambda f: enumerate_coalitions(f, players=PLAYERS, index="shapley"),
    "sampling": sampled,
    "sampling, not antithetic": lambda f: sampled(f, antithetic=False),
    "sampling, no control": lambda f: sampled(f, control_variates=False, antithetic=False),
    "sampling, by its error": lambda f: sampled(f, target_error=1e-3),
}
every_caller = pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)


def values(members):
    return (members.double() @ WEIGHTS) ** 2 % 97


def assert_same(result, expected):
    for name in ("values", "player_values", "standard_error", "player_standard_error"):
        one, other = getattr(result, name), getattr(expected, name)
        assert other is None or torch.equal(one, other), name
    assert result.coalitions_evaluated == expected.coalitions_evaluated


def in_one_array():
    buffer = np.zeros(2**14)

    def function(members):
        np.copyto(buffer[: len(members)], values(members).numpy())
        return buffer[: len(members)]

    return function


def in_one_tensor():
    buffer = torch.zeros(2**14, dtype=torch.float64)

    def function(members):
        return buffer[: len(members)].copy_(values(members))

    return function


def behind_its_caller():
    """The answer of a call changes in the next one, and so do the coalitions."""
    kept = []

    def function(members):
        for earlier_members, earlier in kept:
            earlier_members.logical_not_()
            earlier.fill_(-1e6)
        answer = values(members)
        kept.append((members, answer))
        return answer

    return function


def in_place():
    def function(members):
        answer = values(members)
        members[:, 0] = True
        members.numpy()[:, -1] = False
        return answer

    return function


def as_a_view():
    def function(members):
        pairs = torch.stack([values(members), torch.full((len(members),), torch.nan)], -1)
        return pairs.requires_grad_()[:, 0]

    return function


def turned_round():
    """An array with a negative stride, in the other byte order, that cannot be written."""

    def function(members):
        answer = values(members).numpy()[::-1].astype(">f8")[::-1]
        answer.flags.writeable = False
        return answer

    return function


def as_whole_numbers():
    return lambda members: values(members).numpy().astype(np.uint16)


def as_whole_number_tensor():
    return lambda members: values(members).to(torch.int32)


def as_a_list():
    return lambda members: values(members).tolist()


@every_caller
@pytest.mark.parametrize(
    "misused",
    [
        in_one_array,
        in_one_tensor,
        behind_its_caller,
        in_place,
        as_a_view,
        turned_round,
        as_whole_numbers,
        as_whole_number_tensor,
        as_a_list,
    ],
)
def test_what_a_function_does_with_its_arguments_and_answers(caller, misused):
    assert_same(caller(misused()), caller(values))


@every_caller
def test_each_coalition_is_given_once_and_kept_as_it_was(caller):
    """A function may keep what it was given."""
    kept = []

    def function(members):
        kept.append(members)
        return values(members)

    result = caller(function)
    everybody = torch.cat(kept)
    assert len(everybody) == result.coalitions_evaluated
    again = iter(kept)
    assert_same(caller(lambda members: values(next(again))), result)
    if result.method == "enumeration":
        assert len(everybody.unique(dim=0)) == 2**PLAYERS


@every_caller
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m: m.double(), "one value for each"),
        (lambda m: m[1:, 0].double(), "one value for each"),
        (lambda m: m[:, :1].double(), r", 1\] for \["),
        (lambda m: 1.0, r"returned \[\] for"),
        (lambda m: m[:, 0], r"returned torch\.bool; its values must be real numbers"),
        (lambda m: m.numpy()[:, 0], "returned bool"),
        (lambda m: m[:, 0] + 0j, r"returned torch\.complex64"),
        (lambda m: m[:, 0].numpy() + 0j, "returned complex128"),
        (lambda m: None, "returned object"),
        (lambda m: ["much"] * len(m), "returned <U4"),
        (lambda m: m[:, 0] / m[:, 1], "not finite"),
        (lambda m: np.full(len(m), np.nan), "not finite"),
        (lambda m: np.full(len(m), -np.inf, np.float16), "not finite"),
    ],
)
def test_other_answers_are_refused(caller, function, message):
    with pytest.raises(ValueError, match=message):
        caller(function)


@pytest.mark.parametrize("method", [enumerate_coalitions, sample_coalitions])
def test_settings_are_checked(method):
    for players, message in (
        (None, "number of players"),
        (0, "players is 0; it must be a whole number, 1 or more"),
        (-1, "players is -1"),
        (2.5, "players is 2.5"),
        (True, "players is True"),
        ("3", "players is '3'"),
        (np.nan, "players is nan"),
    ):
        with pytest.raises(ValueError, match=message):
            method(values, players=players)
    with pytest.raises(ValueError, match="has no sides: leave pairs out"):
        method(values, players=PLAYERS, pairs="cross")
    with pytest.raises(ValueError, match="device is 'gpu', which is not to be had"):
        method(values, players=PLAYERS, device="gpu")
    with pytest.raises(ValueError, match="device is 'cuda:99', which is not to be had"):
        method(values, players=PLAYERS, device="cuda:99")
    with pytest.raises(TypeError, match="a SimilarityGame or a function of coalitions, got list"):
        method([1, 2], players=2)
    whole = method(values, players=np.int64(PLAYERS), pairs="all")
    assert whole.values.shape == (PLAYERS, PLAYERS)
