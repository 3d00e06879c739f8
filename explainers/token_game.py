"""What the games of tokens have in common: two sides of players with weights, and a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from explainers.tensors import as_tensor, exact_precision, masked_softmax, shape_of

WEIGHTINGS = ("renormalised", "fixed")
Game = TypeVar("Game", bound="TokenGame")


class Side(NamedTuple):
    """The tokens of one side: logits float [..., N], mask bool [..., N], how they are weighted."""

    logits: Tensor
    mask: Tensor
    weighting: str


@dataclass(frozen=True, eq=False, init=False)
class TokenGame(ABC):
    """A cooperative game of a video and a text; the players are their tokens.

    A coalition of video tokens A and text tokens B is worth

        φ(A, B) = ½ [ Σ_{v∈A} ω_v(A) m_v(B) + Σ_{t∈B} ω_t(B) n_t(A) ]

    and φ = 0 if A or B is empty. The games differ in how a token matches the members of the other
    side, m_v(B) and n_t(A): by the best of them (`SimilarityGame`), or by their weighted mean
    (`BilinearGame`).

    Args:
        cells: a, float [..., V, T], what there is of each pair of tokens; each game has a name of
            its own for it.
        video_logits, text_logits, video_mask, text_mask, weighting: as in `SimilarityGame`.

    Raises:
        TypeError, ValueError: as `SimilarityGame`.

    Example:
        >>> import torch
        >>> from explainers import BilinearGame, SimilarityGame, TokenGame
        >>> tensors = torch.tensor([[0.9, 0.1], [0.2, 0.6]]), torch.zeros(2), torch.zeros(2)
        >>> games = SimilarityGame(*tensors), BilinearGame(*tensors)
        >>> [isinstance(game, TokenGame) for game in games]
        [True, True]
        >>> [round(float(game.grand_value()), 4) for game in games]
        [0.75, 0.45]
    """

    video_logits: Tensor
    text_logits: Tensor
    video_mask: Tensor
    text_mask: Tensor
    weighting: str

    name_of_cells: ClassVar[str]
    match: ClassVar[str]  # "best" or "mean", see `explainers.matches`

    def __init__(
        self,
        cells: Tensor | np.ndarray,
        video_logits: Tensor | np.ndarray,
        text_logits: Tensor | np.ndarray,
        video_mask: Tensor | np.ndarray | None = None,
        text_mask: Tensor | np.ndarray | None = None,
        weighting: str = "renormalised",
    ) -> None:
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is {weighting!r}; it must be one of {WEIGHTINGS}")
        self._set("weighting", weighting)
        for name, value in {
            self.name_of_cells: cells,
            "video_logits": video_logits,
            "text_logits": text_logits,
        }.items():
            tensor = as_tensor(name, value)
            if not tensor.is_floating_point():
                raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
            self._set(name, tensor)
        self._set_masks(video_mask, text_mask)
        self._own(self._batch())

    @property
    @abstractmethod
    def cells(self) -> Tensor:
        """a, float [..., V, T]."""

    def _set_masks(
        self, video_mask: Tensor | np.ndarray | None, text_mask: Tensor | np.ndarray | None
    ) -> None:
        """Complete the masks, and see that there is a logit and a mask for each token."""
        matrix = f"{self.name_of_cells} {shape_of(self.cells)}"
        if self.cells.dim() < 2:
            raise ValueError(
                f"{self.name_of_cells} must be [..., V, T], got {shape_of(self.cells)}"
            )
        if not all(self.cells.shape[-2:]):
            raise ValueError(
                f"{self.name_of_cells} is {shape_of(self.cells)}: a side has no tokens"
            )
        for side, count, given in zip(
            ("video", "text"), self.cells.shape[-2:], (video_mask, text_mask), strict=True
        ):
            logits = getattr(self, f"{side}_logits")
            if given is None:
                given = torch.ones_like(logits, dtype=torch.bool)
            mask = as_tensor(f"{side}_mask", given)
            if mask.dtype != torch.bool:
                raise TypeError(f"{side}_mask must be bool (True = a real token), got {mask.dtype}")
            self._set(f"{side}_mask", mask)
            for name, tensor in ((f"{side}_logits", logits), (f"{side}_mask", mask)):
                if tensor.dim() < 1 or tensor.shape[-1] != count:
                    raise ValueError(
                        f"{name} must be [..., {side[0].upper()}], got {shape_of(tensor)}, but "
                        f"{matrix} has {count} {side} tokens"
                    )

    def _batch(self) -> torch.Size:
        """The leading dimensions of all tensors together."""
        names = ("video_logits", "video_mask", "text_logits", "text_mask")
        for name in names:
            if getattr(self, name).device != self.cells.device:
                raise ValueError(
                    f"{name} is on {getattr(self, name).device}, {self.name_of_cells} on "
                    f"{self.cells.device}: move them to one device"
                )
        try:
            return torch.broadcast_shapes(
                self.cells.shape[:-2], *(getattr(self, name).shape[:-1] for name in names)
            )
        except RuntimeError as error:
            shapes = ", ".join(f"{name} {shape_of(getattr(self, name))}" for name in names)
            raise ValueError(
                f"leading dimensions do not broadcast: {self.name_of_cells} [..., V, T] is "
                f"{shape_of(self.cells)}, {shapes}"
            ) from error

    def _own(self, batch: torch.Size) -> None:
        """Keep copies without what stands in the padding, and see that they are finite."""
        dtype = torch.promote_types(self.cells.dtype, torch.float32)
        sums = []
        for side, count in zip(("video", "text"), self.cells.shape[-2:], strict=True):
            mask = getattr(self, f"{side}_mask").clone()
            logits = torch.where(mask, getattr(self, f"{side}_logits").to(dtype), 0.0)
            sums.append(logits.detach().sum())
            self._set(f"{side}_mask", mask.expand(*batch, count))
            self._set(f"{side}_logits", logits.expand(*batch, count))
        both = self.video_mask.unsqueeze(-1) & self.text_mask.unsqueeze(-2)
        self._set(self.name_of_cells, torch.where(both, self.cells.to(dtype), 0.0))
        sums.append(self.cells.detach().sum())
        if not torch.stack(sums).isfinite().all():  # one pass and one wait for a GPU; seldom more
            self._check_finite()

    def _check_finite(self) -> None:
        for name in (self.name_of_cells, "video_logits", "text_logits"):
            wrong = ~getattr(self, name).isfinite()
            if wrong.any():
                raise ValueError(
                    f"{name} is not finite in {int(wrong.sum())} of {wrong.numel()} cells "
                    f"(first {getattr(self, name)[wrong][0].item()}): mask padding tokens, which "
                    "may hold anything; if these tokens are real, the model that made them has "
                    "diverged or its input is not finite"
                )

    def _set(self, name: str, value: Tensor | str) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen for everybody else

    def to(
        self: Game, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Game:
        """The same games on another device, or in another precision.

        Args:
            device: a torch device, or its name; None is the one where they are.
            dtype: of what is not a mask; None is the one that it has.

        Returns:
            Games with copies of the tensors.
        """
        return type(self)(
            self.cells.to(device, dtype),
            self.video_logits.to(device, dtype),
            self.text_logits.to(device, dtype),
            self.video_mask.to(device),
            self.text_mask.to(device),
            self.weighting,
        )

    @property
    def players(self) -> int:
        """Number of players of the largest game of the batch, n = Nv + Nt."""
        counts = self.video_mask.sum(-1) + self.text_mask.sum(-1)
        return int(counts.max()) if counts.numel() else 0

    @property
    def video(self) -> Side:
        """The video tokens."""
        return Side(self.video_logits, self.video_mask, self.weighting)

    @property
    def text(self) -> Side:
        """The text tokens."""
        return Side(self.text_logits, self.text_mask, self.weighting)

    def value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        """φ of one coalition, or of many.

        Args:
            video_members: bool [..., V], True for the members A. Leading dimensions broadcast
                with the game's own: [K, V] gives K coalitions of one game.
            text_members: bool [..., T], the members B.

        Returns:
            float [...]: φ(A, B); 0 where either side has no member. Differentiable.

        Raises:
            TypeError: members are not bool.
            ValueError: shapes do not fit the game.
        """
        video, text = checked_members(self, video_members, text_members)
        with exact_precision(self.cells):
            return self._value(video & self.video_mask, text & self.text_mask)

    @abstractmethod
    def _value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        """φ of members that are real tokens."""

    def coalition_values(self, members: Tensor) -> Tensor:
        """φ of coalitions of all players, video tokens first.

        For one game this is the form in which the game of any model is given to
        `enumerate_coalitions` and `sample_coalitions`: bool [K, n] -> float [K].

        Args:
            members: bool [..., V + T], True for the members.

        Returns:
            float [...], as `value`.

        Raises:
            TypeError: members are not bool.
            ValueError: there is not one for each player.
        """
        videos, texts = self.cells.shape[-2:]
        if members.shape[-1:] != (videos + texts,):
            raise ValueError(
                f"members must be [..., V + T] = [..., {videos + texts}], got {shape_of(members)}"
            )
        return self.value(members[..., :videos], members[..., videos:])

    def grand_value(self) -> Tensor:
        """φ of all players: of a `SimilarityGame` Eq. 1, the similarity S of video and text.

        Returns:
            float [...]. Differentiable.
        """
        return self.value(self.video_mask, self.text_mask)


def member_weights(side: Side, members: Tensor) -> Tensor:
    """ω, float [..., N]: zero outside the coalition."""
    if side.weighting == "fixed":
        return masked_softmax(side.logits, side.mask) * members
    return masked_softmax(side.logits, members)


def checked_members(
    game: TokenGame, video_members: Tensor, text_members: Tensor
) -> tuple[Tensor, Tensor]:
    """Members of coalitions of a game, as tensors.

    Raises:
        TypeError: they are not bool.
        ValueError: there is not one for each token.
    """
    sides = sides_of(game, "members", video_members, text_members)
    for side in sides:
        if side.dtype != torch.bool:
            raise TypeError(f"members must be bool (True = in the coalition), got {side.dtype}")
    return sides


def sides_of(game: TokenGame, what: str, video: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """What there is one of for each video token and each text token, as tensors.

    Raises:
        TypeError: it is neither a tensor nor an array.
        ValueError: there is not one for each token.
    """
    video, text = as_tensor(f"video_{what}", video), as_tensor(f"text_{what}", text)
    counts = game.cells.shape[-2:]
    for side, tensor, count in zip(("video", "text"), (video, text), counts, strict=True):
        if tensor.dim() < 1 or tensor.shape[-1] != count:
            raise ValueError(
                f"{side}_{what} must be [..., {side[0].upper()}], got {shape_of(tensor)} for the "
                f"{side} tokens, but the game has {count}"
            )
    return video, text
