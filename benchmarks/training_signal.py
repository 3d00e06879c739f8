"""What the exact interactions teach: the recipe with and without them, several seeds each.

    python -m benchmarks.training_signal --root DIR --cache DIR --out DIR

DIR has the Flickr8k layout. Each row of `SIGNALS` is configs/lite.yaml with fewer epochs and other
losses, trained on the train list with each seed and measured on the validation list by
`benchmarks.pointing`. Row 4 is another model: version 2 of HBI, for

    python -m benchmarks.training_signal ... --rows 3 4 --report reconstruction

The last row learns from foils, which replace nouns of the same lists as those that are measured,
of other photographs and captions: it has met the test's kind of question, not its questions.
Against the recipe:

    python -m benchmarks.training_signal ... --rows 3 5 --report foils

Runs that ended are not trained or measured again, those that were stopped go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from tqdm import tqdm

from benchmarks import pointing
from benchmarks.measures import Count, Units, difference, estimate
from benchmarks.report import report
from hbi_core.settings import plain
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.loop import train

RECIPE = Path(__file__).parents[1] / "configs" / "lite.yaml"
FIRST = "contrastive losses alone"
SIGNALS: dict[str, dict[str, object]] = {
    FIRST: {"loss.pointing": 0.0},
    "Banzhaf losses, Eq. 5, as the paper": {"loss.pointing": 0.0, "loss.target": "closed_form"},
    "the same, 100 times as strong, gradients through the exact interactions": {
        "loss.pointing": 0.0,
        "loss.target": "closed_form",
        "loss.alpha": 100.0,
        "loss.detached": False,
    },
    "montages: the exact interactions are taught to point (the recipe)": {},
    "the recipe with reconstruction": {"model.reconstruction": True, "loss.hard_negatives": 2},
    "the recipe with the exact interactions of true captions and foils contrasted": {
        "loss.foil": 0.5
    },
}
FOILS = 5  # the row that learns from them
LOSSES = (0, 1, 2, 3, FOILS)  # rows that differ in them


@dataclass(frozen=True)
class Settings:
    """Pointing, foils and retrieval for several kinds of losses."""

    root: Path
    """Folder in the Flickr8k layout."""
    cache: Path
    """Folder in which features are kept; that of the recipe's training has them."""
    out: Path
    """Folder of the runs."""
    epochs: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)
    photographs: int = 0
    """So many photographs to train on and to measure on at most; 0 takes all."""
    measured: int = 0
    """So many photographs to measure on at most, where that is another number."""
    overrides: tuple[str, ...] = ()
    """Further settings of all runs, key=value."""
    rows: tuple[int, ...] = LOSSES
    """Rows to train; the first one is what the others are compared with."""
    report: str = "training_signal"
    """Name of the files in results/."""


def run_of(signal: str, seed: int, settings: Settings) -> TrainConfig:
    """The settings of one run."""
    number = list(SIGNALS).index(signal)
    changed = {
        "out": str(settings.out / f"{number}_{seed}"),
        "seed": seed,
        "data.root": str(settings.root),
        "data.cache": str(settings.cache),
        "optimiser.epochs": settings.epochs,
        "evaluate_every": settings.epochs,
    }
    if settings.photographs:
        changed["data.clips"] = settings.photographs
    arguments = [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in (changed | SIGNALS[signal]).items()
    ]
    arguments += [f"--{override}" for override in settings.overrides]
    return read_config(TrainConfig, ["--config", str(RECIPE), *arguments])


def _changed(settings: Settings) -> str:
    """What else than the row is not as in the recipe."""
    told = [f"{settings.photographs:,} photographs"] if settings.photographs else []
    told += settings.overrides
    if FOILS in settings.rows:
        told.append("foils to learn from with nouns of the same lists as those measured")
    return "".join(f", {change}" for change in told)


def measured_once(best: Path, asked: pointing.Settings) -> tuple[Units, str]:
    """`pointing.measured` of a run, or what a file beside its checkpoint tells of it."""
    file, key = best.with_name("pointing.json"), plain(asked)
    if file.exists() and (known := json.loads(file.read_text()))["asked"] == key:
        units = {
            (measure, level): [Count(*count) for count in counts]
            for measure, level, counts in known["units"]
        }
        return units, known["told"]
    units, told = pointing.measured(str(best), asked)
    listed = [[*measure, counts] for measure, counts in units.items()]
    file.write_text(json.dumps({"asked": key, "told": told, "units": listed}))
    return units, told


def main(settings: Settings) -> None:
    count = settings.measured or settings.photographs
    asked = pointing.Settings(settings.root, photographs=count, querybank=0, cache=settings.cache)
    chosen = [list(SIGNALS)[number] for number in settings.rows]
    units: dict[str, list[Units]] = {}
    told = ""
    for signal in tqdm(chosen, desc="rows"):
        units[signal] = []
        for seed in settings.seeds:
            best = train(run_of(signal, seed, settings))
            measured, told = measured_once(best, asked)
            units[signal].append(measured)
    rows = []
    compared = units[chosen[0]]
    for key in dict.fromkeys(key for runs in units.values() for key in runs[0]):
        for signal in chosen:
            if key not in units[signal][0]:  # what only a reconstruction has
                continue
            runs = [measured[key] for measured in units[signal]]
            shares = [f"{100 * estimate(run).value:.1f}" for run in runs]
            value = sum(map(float, shares)) / len(shares)
            gained = ["", ""]
            if signal != chosen[0] and key in compared[0]:
                gain = difference(runs, [measured[key] for measured in compared])
                low, high = (f"{100 * end:+.1f}" for end in (gain.low, gain.high))
                gained = [f"{100 * gain.value:+.1f}", f"{low} to {high}"]
            rows.append([*key, signal, f"{value:.1f} %", ", ".join(shares), *gained])
    report(
        settings.report,
        f"What is learnt: {settings.epochs} epochs of configs/lite.yaml"
        f"{_changed(settings)}, {len(settings.seeds)} seeds; {told}",
        ["measure", "level", "losses", "mean", "of each seed", "gain", "95 % interval"],
        rows,
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
