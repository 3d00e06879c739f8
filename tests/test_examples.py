"""The examples run as they stand, and say what is so."""

from __future__ import annotations

import re
import runpy
import sys

from support.demo import ROOT


def output_of(name, capsys, monkeypatch, *arguments):
    path = ROOT / "examples" / name
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out


def test_own_game(capsys, monkeypatch):
    """By hand: left and right gain 1 alone and 0 beside another left glove; two left ones, the
    other way round, gain 0 alone and -1 beside the right glove."""
    output = output_of("own_game.py", capsys, monkeypatch)
    found = re.findall(r"(\w+) +and (\w+) *: exact (\S+), sampled (\S+) ± (\S+)", output)
    assert len(found) == 3
    for one, other, exact, sampled, error in found:
        assert float(exact) == (0.5 if one != other else -0.5)
        assert abs(float(sampled) - float(exact)) <= 5 * float(error) + 1e-4


def test_own_features(capsys, monkeypatch):
    output = output_of("own_features.py", capsys, monkeypatch)
    assert "1. frame 3 and 'dog'" in output


def test_compare_methods(capsys, monkeypatch):
    output = output_of("compare_methods.py", capsys, monkeypatch)
    assert len(re.findall(r"^sampling", output, re.M)) == 6
    errors = {line.split()[0]: float(line.split()[3]) for line in output.splitlines()[1:]}
    assert errors["closed_form"] == 0.0
    assert errors["enumeration"] < 1e-9
