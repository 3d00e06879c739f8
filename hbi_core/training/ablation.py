"""What the parts of the model are worth: train without them, several times, and compare."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from hbi_core.errors import SettingsError
from hbi_core.settings import OWN_PATH, SEED, check, distinct, plain
from hbi_core.training.config import TrainConfig
from hbi_core.training.config_file import read_config
from hbi_core.training.folder import read_facts, read_result
from hbi_core.training.loop import train
from hbi_core.written import check_file

COLUMNS = ("R@1", "R@5", "R@10", "MnR")
GAIN = "R@1 over the first row"  # seed by seed, since what a seed does is the same in both


@dataclass(frozen=True)
class Ablation:
    """Rows of settings, table by table.

    Attributes:
        base: YAML file of the training run that every row starts from.
        overrides: settings of all rows, by dotted name.
        tables: title of a table -> name of a row -> its settings, by dotted name.
        seeds: each row is trained once with each.
        out: folder of the runs; rows that were trained before are not trained again.
        document: Markdown file to write.
    """

    base: Path
    overrides: dict[str, object]
    tables: dict[str, dict[str, dict[str, object]]]
    seeds: tuple[int, ...]
    out: Path
    document: Path

    def __post_init__(self) -> None:
        check(self, seeds=distinct(SEED), out=OWN_PATH)
        if not self.seeds or not self.tables or not all(self.tables.values()):
            raise SettingsError("An ablation needs a seed, a table, and a row in each table.")


@dataclass(frozen=True)
class Row:
    """Results of one row, over the seeds: lists by column, text to video."""

    table: str
    name: str
    results: dict[str, list[float]]


def run_ablation(ablation: Ablation, train: Callable[[TrainConfig], Path] = train) -> list[Row]:
    """Train every row with every seed, score it on the validation split, write the document.

    Args:
        ablation: what is trained, and where it is written.
        train: a run.

    Raises:
        SettingsError: settings of a row are wrong, or the document cannot be written; nothing is
            trained then.
    """
    check_file(ablation.document, "document=FILE")
    rows = []
    plan = planned(ablation)
    bar = tqdm(plan, "rows")
    for table, name, configs in bar:
        bar.set_postfix_str(f"{table}: {name}")
        for config in configs:
            train(config)
        ended = filter(None, (read_result(config.out) for config in configs))
        results = [result["validation"]["text_to_video"] for result in ended]
        columns = {column: [result[column] for result in results] for column in COLUMNS}
        rows.append(Row(table, name, columns))
        facts = read_facts(plan[0][2][0].out)
        ablation.document.parent.mkdir(parents=True, exist_ok=True)
        ablation.document.write_text(as_markdown(ablation, facts, rows), encoding="utf-8")
    return rows


def planned(ablation: Ablation) -> list[tuple[str, str, list[TrainConfig]]]:
    """Title of the table, name of the row, and its runs; those with the same settings are one.

    Raises:
        SettingsError: settings of a row are wrong.
    """
    return [
        (table, name, [_run(ablation, overrides, seed) for seed in ablation.seeds])
        for table, rows in ablation.tables.items()
        for name, overrides in rows.items()
    ]


def _run(ablation: Ablation, overrides: dict[str, object], seed: int) -> TrainConfig:
    """The settings of a run, in a folder that is named by them."""
    arguments = [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in (ablation.overrides | overrides).items()
    ]
    config = read_config(
        TrainConfig, ["--config", str(ablation.base), f"--seed={seed}", *arguments]
    )
    if config.data.validation is None:
        raise SettingsError("Rows are scored on data.validation, which must not be null.")
    settings = json.dumps(plain(config), sort_keys=True)
    return replace(config, out=ablation.out / hashlib.sha256(settings.encode()).hexdigest()[:16])


def as_markdown(ablation: Ablation, facts: dict[str, str], rows: list[Row]) -> str:
    """Mean ± standard deviation of each column and of the gain, a table for each of the paper's.

    Args:
        facts: what the first run was, as in its run.json.
        rows: those that are measured.
    """
    told = f"{facts['train']}; {facts['validation']}; steps: {facts['steps']}"
    lines = [
        "# What the parts are worth",
        "",
        "`python -m hbi_core.evaluate ablation`: text to video on the validation split, mean ± "
        f"standard deviation over {len(ablation.seeds)} seeds; what is gained, of runs of the same "
        f"seed. Each run: {told}.",
    ]
    measured = {(row.table, row.name) for row in rows}
    lacking = [
        table
        for table, names in ablation.tables.items()
        if not measured >= {(table, name) for name in names}
    ]
    if lacking:
        lines += ["", f"Not measured, or not every row: {'; '.join(lacking)}."]
    for table in ablation.tables:
        known = [row for row in rows if row.table == table]
        if known:
            lines += ["", f"## {table}", "", f"| | {' | '.join((*COLUMNS, GAIN))} |"]
            lines.append("|---|" + "---|" * (len(COLUMNS) + 1))
        for row in known:
            cells = [_spread(row.results[column]) for column in COLUMNS]
            pairs = zip(row.results["R@1"], known[0].results["R@1"], strict=True)
            gain = _spread([own - first for own, first in pairs], "+")
            lines.append(
                f"| {row.name} | {' | '.join((*cells, '' if row is known[0] else gain))} |"
            )
    return "\n".join(lines) + "\n"


def _spread(values: list[float], sign: str = "") -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{sign}.1f} ± {deviation:.1f}"
