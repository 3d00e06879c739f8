"""What a figure draws, whatever it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from explainers.coalition_graph import GameLevel
from hbi_core.worth import Worth


class Frames(Protocol):
    """The pictures of a figure."""

    @property
    def pictures(self) -> np.ndarray:
        """uint8 [F, h, w, 3], RGB in [0, 255]: the frames, as small as they are printed."""

    @property
    def times(self) -> Sequence[float]:
        """Seconds from the start of the video to each frame."""


class Explained(Protocol):
    """What is drawn: the levels of a coalition graph, and the frames that they are about."""

    @property
    def words(self) -> Sequence[str]:
        """What text players stand for."""

    @property
    def levels(self) -> Sequence[GameLevel]:
        """The first has a player for every word, or for every phrase."""

    @property
    def video(self) -> Frames:
        """The frames that the players stand for."""

    @property
    def worth(self) -> Worth:
        """What the scores are of."""
