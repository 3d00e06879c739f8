"""Who is chosen in a contrast: the same players in A, in B and in the difference of both."""

from __future__ import annotations

from collections.abc import Sequence

from hbi_core.figures.chosen import Chosen, Labels, Players, chosen_of
from hbi_core.figures.contrast_view import Contrasted, levels_of
from hbi_core.figures.view import FigureView
from hbi_core.figures.view_in_words import players_in_words


def chosen_in_both(
    contrast: Contrasted, view: FigureView
) -> dict[str, tuple[Chosen | None, Sequence[Players]]]:
    """Who is chosen in "a", in "b" and in the "difference", and all the levels of each.

    Args:
        contrast: whose players these are.
        view: `chosen` has names of the difference, whose players are those of A and of B.

    Returns:
        None where no player is chosen, or none that it has.
    """
    levels = levels_of(contrast)
    chosen = chosen_of(view.chosen, levels)
    return {
        "a": (_in_one(contrast, chosen, "a"), contrast.a.levels),
        "b": (_in_one(contrast, chosen, "b"), contrast.b.levels),
        "difference": (chosen, levels),
    }


def _in_one(contrast: Contrasted, chosen: Chosen | None, which: str) -> Chosen | None:
    """Those of the difference that A or B has."""
    if chosen is None:
        return None
    level = next(level for level in contrast.levels if level.name == chosen.level)
    video, text = (
        tuple(
            sorted(own for index in indices if (own := getattr(players[index], which)) is not None)
        )
        for players, indices in (
            (level.video_players, chosen.video),
            (level.text_players, chosen.text),
        )
    )
    return Chosen(level.name, video, text) if video or text else None


def said_of_both(contrast: Contrasted, view: FigureView) -> tuple[str, ...]:
    """Who is brought out, as `players_in_words` has it."""

    def labels(level: Players) -> Labels:
        both = next(one for one in contrast.levels if one.name == level.name)
        texts = [f"“{player.label}”" for player in both.text_players]
        return [player.label for player in both.video_players], texts

    return players_in_words(view, levels_of(contrast), labels)
