"""A run that contrasts the interactions of captions and foils."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from hbi_core.data.foils import FREQUENT
from hbi_core.errors import SettingsError
from hbi_core.training.folder import BEST
from hbi_core.training.loop import train
from support.processes import forks, on_two_processes
from support.small_runs import losses, settings
from support.toy import ToyEncoder

LEVELS = ("entity", "action", "event")


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Coloured walls in the layout of Flickr8k: of two captions, one names an animal."""
    root = tmp_path_factory.mktemp("animals")
    (root / "Images").mkdir()
    rows = ["image,caption"]
    for number in range(2 * FREQUENT):
        animal, colour = (("dog", "red"), ("horse", "blue"))[number % 2]
        Image.new("RGB", (32, 24), colour).save(root / "Images" / f"{number}.jpg")
        rows += [f"{number}.jpg,A {animal} is running", f"{number}.jpg,It is {colour} here"]
    (root / "captions.txt").write_text("\n".join(rows) + "\n")
    return root


def run(out, root, *, players="phrases", **others):
    return settings(
        out,
        root,
        data={
            "dataset": "flickr8k",
            "train": "all",
            "validation": None,
            "frames": 2,
            "workers": 0,
            "montages": 0.5,
        },
        model={"text_players": players, "positions": 32, "text_clusters": (0.5, 0.5)},
        **{"loss": {"foil": 0.5, "target": "none", "distillation": ()}} | others,
    )


@pytest.mark.parametrize("players", ["words", "phrases"])
def test_a_run_learns_from_foils(animals, tmp_path, players):
    """At every level; the run tells how many there are, and comes out the same again."""
    steps = {"epochs": 3, "batch_size": 40}
    config, again = (
        run(tmp_path / name, animals, players=players, optimiser=steps) for name in "ab"
    )
    for one in (config, again):
        train(one, ToyEncoder())
    found = losses(config.out)
    assert found == losses(again.out)
    for level in LEVELS:
        of_level = [line[f"loss/foil/{level}"] for line in found]
        assert len(of_level) == 6
        assert of_level[-1] < of_level[0]
    facts = json.loads((config.out / "run.json").read_text())
    assert facts["foils"] == f"of {2 * FREQUENT} captions"
    assert "foil/entity" in facts["losses"]


@forks
def test_foils_of_two_processes(animals, tmp_path):
    """Each contrasts its own samples; what is logged is their mean, near that of all."""
    one, two = (run(tmp_path / name, animals) for name in ("one", "two"))
    on_two_processes(two, ToyEncoder(), lambda: train(one, ToyEncoder()))
    assert (two.out / BEST).is_file()
    ours, expected = losses(two.out)[0], losses(one.out)[0]
    for level in LEVELS:
        name = f"loss/foil/{level}"
        assert ours[name] == pytest.approx(expected[name], rel=0.2)


def test_captions_without_foils_are_told(small, tmp_path):
    config = settings(tmp_path / "run", small, loss={"foil": 0.5})
    with pytest.raises(SettingsError, match=r"No caption of synthetic train .* Set loss\.foil=0"):
        train(config, ToyEncoder())
