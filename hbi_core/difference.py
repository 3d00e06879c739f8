"""Two explanations as one game: the difference of theirs.

Let φ_A and φ_B be the games of a level in A and in B. The difference game has the players of both,

    φ_Δ(S) = φ_A(S ∩ N_A) - φ_B(S ∩ N_B),

where players that stand for the same frames or words are one player, and a player that only one of
them has is a null player of the other. Indices are linear and give null players 0, so those of φ_Δ
are differences of those of φ_A and φ_B. Shapley values are efficient too: those of φ_Δ, over frames
and words together, add up to the difference of the scores, S_A - S_B.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from explainers import shapley_values
from hbi_core.alignment import Shared
from hbi_core.explanation import Explanation
from hbi_core.figures.labels import frames_in_words
from hbi_core.level import Level

Pair = tuple[float, float]  # of A and of B
_LONGEST_NAME = 60  # characters of a player's words in a sentence


@dataclass(frozen=True, kw_only=True)
class ContrastPlayer:
    """A player of the difference game.

    Attributes:
        side: "video" or "text".
        members: the frames or words that it stands for, as indices into `Contrast.frames` or
            `Contrast.words`, in the order in which A has them, or B where it is in B alone.
        label: its words, or the numbers of its frames, as a reader counts: "frames 1–3"; those of
            A, of B where it is in B alone.
        name: what sentences call it: label, whose it is if it is not of both, and, where another
            player of the level has this label too, the word that follows.
        a, b: its index among the players of its side in A and in B; None where it is none.
        shares: its Shapley values, the parts of the scores of A and of B that are its. Over all
            players they add up to these scores. This pair and those below are 0 where it is no
            player.
        values: its Banzhaf values, what it adds to a random coalition on average.
        links: the sums of its Banzhaf interactions with the players of the other side.

    Example:
        >>> first = contrast.levels[0].video_players[0]  # of what `contrast` returned
        >>> first.label, first.name, first.a, first.b
        ('frame 1', 'frame 1', 0, 0)
    """

    side: str
    members: tuple[int, ...]
    label: str
    name: str
    a: int | None
    b: int | None
    shares: Pair
    values: Pair
    links: Pair

    @property
    def difference(self) -> float:
        """How much it speaks for A rather than B: its Shapley value in the difference game.

        Example:
            >>> player = contrast.levels[0].video_players[0]
            >>> player.difference == player.shares[0] - player.shares[1]
            True
        """
        return _difference(self.shares)

    def to_dict(self) -> dict[str, Any]:
        """One entry of "video_players" or "text_players" in contrast.json.

        Returns:
            Strings, lists and numbers.

        Example:
            >>> player = contrast.levels[0].video_players[0]
            >>> player.to_dict()["label"]
            'frame 1'
        """
        return {
            "label": self.label,
            "name": self.name,
            "members": list(self.members),
            "a": self.a,
            "b": self.b,
            **_numbers("share", self.shares),
            **_numbers("value", self.values),
            **_numbers("links", self.links),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class LevelContrast:
    """One level of A beside the same level of B.

    Attributes:
        name: "entity", "action" or "event".
        scores: S of A and of B.
        video_players, text_players: V and T of the difference game, by their first member.
        interactions: float64 [2, V, T], the Banzhaf interactions in A and in B; 0 where a pair is
            not in that game. Those of the difference game are `interactions[0] - interactions[1]`.

    Example:
        >>> entity = contrast.levels[0]
        >>> abs(sum(player.difference for player in entity.players) - entity.difference) < 1e-12
        True
    """

    name: str
    scores: Pair
    video_players: tuple[ContrastPlayer, ...]
    text_players: tuple[ContrastPlayer, ...]
    interactions: Tensor

    @property
    def players(self) -> tuple[ContrastPlayer, ...]:
        """All V + T, video players first.

        Example:
            >>> contrast.levels[0].players[1].label
            'frame 2'
        """
        return self.video_players + self.text_players

    @property
    def difference(self) -> float:
        """S_A - S_B.

        Example:
            >>> entity = contrast.levels[0]
            >>> entity.difference == entity.scores[0] - entity.scores[1]
            True
        """
        return _difference(self.scores)

    @property
    def rest(self) -> float:
        """What of the difference is no player's: rounding, and padding, which has a score only in
        released checkpoints.

        Example:
            >>> abs(contrast.levels[0].rest) < 1e-12
            True
        """
        return self.difference - sum(player.difference for player in self.players)

    def to_dict(self) -> dict[str, Any]:
        """One entry of "levels" in contrast.json, but its sentences.

        Returns:
            Lists, strings and numbers; rows of matrices are video players.

        Example:
            >>> contrast.levels[0].to_dict()["name"]
            'entity'
        """
        return {
            "name": self.name,
            **_numbers("score", self.scores),
            "rest": self.rest,
            "video_players": [player.to_dict() for player in self.video_players],
            "text_players": [player.to_dict() for player in self.text_players],
            "interactions_a": self.interactions[0].tolist(),
            "interactions_b": self.interactions[1].tolist(),
        }


def level_contrasts(
    a: Explanation, b: Explanation, frames: Sequence[Shared], words: Sequence[Shared]
) -> tuple[LevelContrast, ...]:
    """The levels that two explanations both have, by their names, each as a difference game.

    Args:
        a, b: the explanations.
        frames, words: of both, in one row.

    Returns:
        Levels in the order of A.

    Raises:
        Nothing.

    Example:
        >>> levels = level_contrasts(contrast.a, contrast.b, contrast.frames, contrast.words)
        >>> [level.name for level in levels]
        ['entity', 'action', 'event']
    """
    others = {level.name: level for level in b.levels}
    rows = _Row("video", frames), _Row("text", words, (a.words, b.words))
    found = []
    for level in a.levels:
        if level.name not in others:
            continue
        pair = (level, others[level.name])
        sides = [_sides(one, of.weighting) for one, of in zip(pair, (a, b), strict=True)]
        video, text = (_players(row, [one[row.side] for one in sides]) for row in rows)
        both = [_in_place(one, which, video, text) for which, one in enumerate(pair)]
        found.append(
            LevelContrast(
                name=level.name,
                scores=(pair[0].score, pair[1].score),
                video_players=video,
                text_players=text,
                interactions=torch.stack(both),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class _Row:
    """The frames or words of A and B in one row, and the words as A and B have them."""

    side: str
    members: Sequence[Shared]
    texts: Sequence[Sequence[str]] = ()

    def numbers(self, members: Sequence[int], which: int) -> list[int]:
        """The indices of members in A (0) or in B (1), which has all of them."""
        found = ((self.members[member].a, self.members[member].b)[which] for member in members)
        return [number for number in found if number is not None]

    def label(self, members: Sequence[int], which: int) -> str:
        numbers = self.numbers(members, which)
        if self.texts:
            return " ".join(self.texts[which][number] for number in numbers)
        return frames_in_words(numbers)

    def name(self, members: Sequence[int], which: int, label: str, owner: str, alone: bool) -> str:
        if self.texts:
            label = f"“{shorten(label, _LONGEST_NAME, placeholder=' …')}”"
            _, *followers = self.texts[which][self.numbers(members, which)[-1] :]
            if followers and not alone:
                label += f" before “{followers[0]}”"
        return f"{owner}’s {label}" if owner else label


@dataclass(frozen=True)
class _Side:
    """The players of one side of one game: what they stand for, and their indices."""

    members: list[tuple[int, ...]]
    shares: list[float]
    values: list[float]
    links: list[float]


def _sides(level: Level, weighting: str) -> dict[str, _Side]:
    game = level.game(weighting)
    links = level.interactions.values
    everyone = [
        shapley_values(game),
        torch.cat([level.video_values, level.text_values]),
        torch.cat([links.sum(1), links.sum(0)]),
    ]
    members = [token.frames for token in level.video_tokens]
    members += [token.words for token in level.text_tokens]
    videos = len(level.video_tokens)
    ranges = {"video": slice(None, videos), "text": slice(videos, None)}
    return {
        side: _Side(members[some], *(numbers[some].tolist() for numbers in everyone))
        for side, some in ranges.items()
    }


def _players(row: _Row, both: Sequence[_Side]) -> tuple[ContrastPlayer, ...]:
    """The players of A and B on one side, each once where they stand for the same."""
    places = [
        {shared.a: place for place, shared in enumerate(row.members)},
        {shared.b: place for place, shared in enumerate(row.members)},
    ]
    numbers: list[dict[tuple[int, ...], int]] = [
        {
            tuple(sorted(place[member] for member in members)): number
            for number, members in enumerate(one.members)
        }
        for one, place in zip(both, places, strict=True)
    ]

    def pair(indices: Sequence[Sequence[float]], members: tuple[int, ...]) -> Pair:
        a, b = (
            index[number[members]] if members in number else 0.0
            for index, number in zip(indices, numbers, strict=True)
        )
        return a, b

    which = {members: int(members not in numbers[0]) for members in {*numbers[0], *numbers[1]}}
    ordered = {
        members: sorted(members, key=lambda member: row.numbers([member], which[members]))
        for members in sorted(which)
    }
    labels = {members: row.label(ordered[members], which[members]) for members in ordered}
    often = Counter(labels.values())
    players = []
    for members, label in labels.items():
        a, b = (number.get(members) for number in numbers)
        owner = "B" if a is None else "A" if b is None else ""
        players.append(
            ContrastPlayer(
                side=row.side,
                members=tuple(ordered[members]),
                label=label,
                name=row.name(ordered[members], which[members], label, owner, often[label] == 1),
                a=a,
                b=b,
                shares=pair([one.shares for one in both], members),
                values=pair([one.values for one in both], members),
                links=pair([one.links for one in both], members),
            )
        )
    return tuple(players)


def _in_place(
    level: Level, which: int, video: Sequence[ContrastPlayer], text: Sequence[ContrastPlayer]
) -> Tensor:
    """The interactions of A (0) or B (1) where the players of both stand."""
    rows, columns = (
        torch.tensor([(one.a, one.b)[which] is not None for one in players])
        for players in (video, text)
    )
    placed = torch.zeros(len(video), len(text), dtype=torch.float64)
    order = [
        [number for one in players if (number := (one.a, one.b)[which]) is not None]
        for players in (video, text)
    ]
    placed[rows.unsqueeze(1) & columns] = level.interactions.values[order[0]][:, order[1]].flatten()
    return placed


def _difference(pair: Pair) -> float:
    return pair[0] - pair[1]


def _numbers(name: str, pair: Pair) -> dict[str, float]:
    """As files have them."""
    return {f"{name}_a": pair[0], f"{name}_b": pair[1], f"{name}_difference": _difference(pair)}
