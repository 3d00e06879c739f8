"""The tab "Exact vs estimated": the interactions of one level, exact and as estimated."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.address import OneOf, Several, Whole
from app.compared import LARGEST_SEED, LONGEST_ENUMERATION, compared
from app.export import export_row
from app.session import KEPT_SECONDS, Choice, Session, Values, answered, asked_anew, escaped
from app.stopping import stop_button
from explainers.comparison import BUDGETS, Row
from explainers.methods import METHODS, REFERENCE
from explainers.timing import seconds_in_words
from hbi_core.errors import InputError
from hbi_core.exact_vs_estimated import LevelComparison
from hbi_core.explanation import Explanation
from hbi_core.figures.methods_page import cost_figure, heat_map_figure, scatter_figure
from hbi_core.figures.methods_table import HEADERS, methods_table
from hbi_core.figures.methods_view import view_of
from hbi_core.model.config import LEVEL_NAMES

BUDGET_CHOICES = tuple(4**power for power in range(4, 10))  # 256 to 262,144 coalitions
MOST_RUNS = 10  # of each budget, on the page
_INTRODUCTION = """The interactions of one level, exact, beside what sampling of coalitions and the
paper's tiny estimator network say of them; all 2ⁿ coalitions too, where that is feasible.
"""


class ExactVsEstimated:
    """The methods side by side on a level of the explanation, as figures and as a table."""

    title = "Exact vs estimated"
    elem_id = "comparison"

    def __init__(self, session: Session) -> None:
        gr.Markdown(_INTRODUCTION)
        asked = self._ask(session)
        with gr.Row():
            button = gr.Button("Compare", variant="primary", elem_id="compare", scale=4)
            stop_button("compare-stop")
        self.message = gr.Markdown(elem_id="comparison-message")
        self.notes = gr.Markdown(elem_id="comparison-notes")
        with gr.Row():
            with gr.Column(min_width=320):
                self.scatter = gr.Plot(show_label=False, elem_id="scatter")
            with gr.Column(min_width=320):
                self.cost = gr.Plot(show_label=False, elem_id="cost")
        self.heat_maps = gr.Plot(show_label=False, elem_id="heat-maps")
        self.table = gr.Dataframe(
            headers=list(HEADERS),
            interactive=False,
            elem_id="comparison-table",
            label="Each method beside the closed form; medians of several runs",
        )
        self.comparison = gr.State(time_to_live=KEPT_SECONDS)
        session.answers[self.elem_id] = self.comparison
        export_row(self.comparison, "comparison-export")

        nothing = self.nothing()
        asked_anew([button.click], self.message)
        button.click(
            self.compare,
            [session.explanation, *asked],
            list(nothing),
            api_visibility="private",
            show_progress_on=[self.scatter, self.cost],
            trigger_mode="always_last",  # a click after Stop is not lost
        )
        session.explanation.change(
            self.clear,
            [session.explanation, self.comparison],
            list(nothing),
            api_visibility="private",
        )

    def _ask(self, session: Session) -> list[gr.components.Component]:
        """The level and how to compare: inputs of `compare` after the explanation."""
        with gr.Row():
            level = gr.Radio(
                [(name.capitalize(), name) for name in LEVEL_NAMES],
                value=LEVEL_NAMES[0],
                label="Level",
                info="Words and frames; phrases and clips; sentences and segments.",
                min_width=320,
            )
            budgets = gr.Dropdown(
                [(f"{budget:,}", budget) for budget in BUDGET_CHOICES],
                value=list(BUDGETS),
                multiselect=True,
                label="Sampling budgets",
                info="Coalitions that a run of sampling evaluates.",
                elem_id="budgets",
                min_width=320,
            )
        with gr.Row():
            seeds = gr.Slider(1, MOST_RUNS, 3, step=1, label="Runs of each budget")
            first_seed = gr.Number(0, label="First seed", precision=0, minimum=0)
            limit = gr.Slider(
                0, LONGEST_ENUMERATION, 3, step=1, label="Enumeration limit, s (0: none)"
            )
        asked = {
            "level": Choice(level, OneOf(LEVEL_NAMES)),
            "budgets": Choice(budgets, Several(BUDGET_CHOICES)),
            "seeds": Choice(seeds, Whole(1, MOST_RUNS)),
            "first_seed": Choice(first_seed, Whole(0, LARGEST_SEED)),
            "limit_seconds": Choice(limit, Whole(0, LONGEST_ENUMERATION)),
        }
        session.choices.update(asked)
        return [choice.component for choice in asked.values()]

    @answered
    def compare(
        self,
        explanation: Explanation | None,
        level: Any,
        budgets: Any,
        seeds: Any,
        first_seed: Any,
        limit_seconds: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio fills it in
    ) -> Values:
        """The Compare button. Values as a request has them."""
        if explanation is None:
            raise InputError("Press Explain first: there is no game to compare on yet.")
        comparison = compared(
            explanation, level, budgets or [], seeds, first_seed, limit_seconds, progress
        )
        progress(0.95, "Drawing")
        view = view_of(comparison)
        return {
            self.scatter: scatter_figure(view),
            self.cost: cost_figure(view),
            self.heat_maps: heat_map_figure(view),
            self.table: methods_table(comparison),
            self.notes: describe(comparison),
            self.comparison: comparison,
        }

    def clear(self, explanation: Explanation | None, comparison: LevelComparison | None) -> Values:
        """What is shown is of the explanation that is shown."""
        if comparison and comparison.explanation is explanation:
            return gr.skip()
        return self.nothing()

    def nothing(self) -> Values:
        """What is shown before anything was compared."""
        drawn = (self.scatter, self.cost, self.heat_maps, self.table, self.comparison)
        return {**dict.fromkeys(drawn), self.notes: "", self.message: ""}


def describe(comparison: LevelComparison) -> str:
    """The game, the device, the exact methods, the estimator, and what is shown. Markdown."""
    level, players = comparison.level, comparison.players
    exact = [row for row in comparison.comparison.rows if METHODS[row.method].exact]
    lines = [
        f"**{escaped(comparison.explanation.video.name)}, {level.name} level**: "
        f"{len(level.video_tokens)} video + {len(level.text_tokens)} text tokens = {players} "
        f"players, 2<sup>{players}</sup> = {comparison.coalitions:,} coalitions; "
        f"{comparison.explanation.weighting} weights.",
        f"Ran on the **{comparison.device}**, in float64.",
        *(_describe_exact(row) for row in exact),
        _describe_estimator(comparison),
        "Relative error: root mean square of the errors over that of the exact values. Strongest "
        f"links: how many of the exact {comparison.comparison.top} strongest are among the "
        f"estimated {comparison.comparison.top} strongest. Scatter and heat maps show the run with "
        "the largest budget and the first seed.",
    ]
    return "  \n".join(lines)


def _describe_exact(row: Row) -> str:
    name = f"The {METHODS[row.method].label}"
    if row.agreement is None:
        return f"{name} was not run: {row.note.split('. ')[0]}."
    of_all = f" of all {row.coalitions:,} coalitions" if row.coalitions else ""
    told = f"{name}{of_all} took {seconds_in_words(row.seconds)}"
    if row.method == REFERENCE:
        return f"{told}."
    return (
        f"{told}; its largest difference from the {METHODS[REFERENCE].label} is "
        f"{row.agreement.max_error:.0e}."
    )


def _describe_estimator(comparison: LevelComparison) -> str:
    if not any(METHODS[row.method].learned for row in comparison.comparison.rows):
        return "The estimator was not run: it has learnt to read similarities, not what is here."
    error = comparison.known_error
    if error is None:
        return "The estimator, which sees no token weights, comes without a measured error."
    return (
        f"The estimator, which sees no token weights, is known to be off by {error:.2f} (relative "
        "error) on random games like those it was trained on."
    )
