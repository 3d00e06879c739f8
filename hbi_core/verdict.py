"""What a contrast says in sentences: who scores higher, and which frames and words speak for it."""

from __future__ import annotations

from collections.abc import Sequence

from hbi_core.difference import ContrastPlayer, LevelContrast

_ALIKE = 5e-4  # scores are told to three digits
_WEAKEST = 0.1  # of the strongest difference of a level; less is not told
_MOST = {"text": 2, "video": 1}  # players that a sentence names for A, and as many for B


def verdict(levels: Sequence[LevelContrast]) -> str:
    """Which scores higher at which levels, and what speaks for it where the scores differ most.

    Args:
        levels: of the contrast, at least one.

    Returns:
        One sentence.

    Example:
        >>> verdict(contrast.levels).startswith("A scores ")  # of what `contrast` returned
        True
    """
    widest = max(levels, key=lambda level: abs(level.difference))
    if abs(widest.difference) < _ALIKE:
        return f"A and B score alike at {_levels(levels, len(levels))}."
    most = "the difference is" if len(levels) == 1 else "they differ most at"
    place = "" if len(levels) == 1 else f" the {widest.name} level, by"
    told = f"{_standing(levels)}; {most}{place} {abs(widest.difference):.3f}"
    speaks = _speaks(widest)
    return f"{told}, where {speaks}." if speaks else f"{told}."


def of_level(level: LevelContrast) -> str:
    """The scores of a level, what of their difference the players of each side have, and who most.

    Args:
        level: of the contrast.

    Returns:
        Two sentences.

    Example:
        >>> of_level(contrast.levels[0]).partition(":")[0]
        'Entity level'
    """
    a, b = level.scores
    video, text = (
        sum(player.difference for player in players)
        for players in (level.video_players, level.text_players)
    )
    compared = "as high as"
    if abs(level.difference) >= _ALIKE:
        compared = f"{abs(level.difference):.3f} {'above' if level.difference > 0 else 'below'}"
    told = (
        f"{level.name.capitalize()} level: A scores {a:.3f}, {compared} B’s {b:.3f}; of the "
        f"difference, {_signed(video)} is of the video players and {_signed(text)} of the text "
        "players."
    )
    speaks = _speaks(level)
    return f"{told} {speaks[0].upper()}{speaks[1:]}." if speaks else told


def matching(level: LevelContrast) -> str:
    """Which players are the same in A and B, and why others are not.

    Args:
        level: of the contrast.

    Returns:
        One sentence.

    Example:
        >>> matching(contrast.levels[0]).partition(";")[0]
        'All 12 video players are the same in A and B'
    """
    video = _same(level.video_players, "video", "frames")
    text = _same(level.text_players, "text", "words")
    return f"{video[0].upper()}{video[1:]}; {text}."


def _standing(levels: Sequence[LevelContrast]) -> str:
    ahead = {
        "higher than B": [one for one in levels if one.difference >= _ALIKE],
        "lower than B": [one for one in levels if one.difference <= -_ALIKE],
        "as high as B": [one for one in levels if abs(one.difference) < _ALIKE],
    }
    parts = [f"{how} at {_levels(at, len(levels))}" for how, at in ahead.items() if at]
    return f"A scores {_listed(parts)}"


def _levels(levels: Sequence[LevelContrast], of: int) -> str:
    if len(levels) == of > 1:
        return f"all {of} levels"
    return f"the {_listed([level.name for level in levels])} level{'s' * (len(levels) > 1)}"


def _speaks(level: LevelContrast) -> str:
    """Empty where nobody does."""
    strongest = max(abs(player.difference) for player in level.players)
    parts = []
    for name, sign in (("A", 1), ("B", -1)):
        named = [
            f"{player.name} ({_signed(player.difference)})"
            for side, most in _MOST.items()
            for player in _strongest(level, side, sign)[:most]
            if abs(player.difference) >= max(_WEAKEST * strongest, _ALIKE)
        ]
        if named:
            verb = "are" if len(named) > 1 else "is"
            parts.append(f"what speaks most for {name} {verb} {_listed(named)}")
    return ", and ".join(parts)


def _strongest(level: LevelContrast, side: str, sign: int) -> list[ContrastPlayer]:
    """The players of a side that speak for A (1) or for B (-1), the strongest first."""
    some = [one for one in level.players if one.side == side and sign * one.difference > 0]
    return sorted(some, key=lambda one: -abs(one.difference))


def _same(players: Sequence[ContrastPlayer], side: str, members: str) -> str:
    of_a = [player for player in players if player.a is not None]
    of_b = [player for player in players if player.b is not None]
    both = len(of_a) + len(of_b) - len(players)
    if both == len(players):
        return f"all {both} {side} players are the same in A and B"
    found = [{member for one in some for member in one.members} for some in (of_a, of_b)]
    why = ""
    if not found[0] & found[1]:
        why = f", for A and B have no {members} in common"
    elif found[0] == found[1]:
        why = f", for the same {members} were merged in other ways"
    told = f"{both or 'none'} {'are' if both > 1 else 'is'} the same"
    return f"of {len(of_a)} {side} players of A and {len(of_b)} of B, {told}{why}"


def _listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
