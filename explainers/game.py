"""The characteristic function: how well a coalition of video and text tokens matches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WEIGHTINGS = ("renormalised", "fixed")
CoalitionFunction = Callable[[Tensor], Tensor]  # the game of any model: bool [K, n] -> float [K]


@dataclass(frozen=True, eq=False)
class SimilarityGame:
    """The cooperative game of a video and a text; the players are their tokens.

    A coalition S = A ∪ B of video tokens A and text tokens B is worth the similarity of HBI,
    Eq. 1, restricted to its members:

        φ(A, B) = ½ [ Σ_{v∈A} ω_v(A) max_{t∈B} a[v,t] + Σ_{t∈B} ω_t(B) max_{v∈A} a[v,t] ]

    and φ = 0 if A or B is empty. The grand coalition is worth exactly Eq. 1.

    Args:
        similarity: a, float [..., V, T]; cosine similarities, usually in [-1, 1].
        video_logits: float [..., V]; token weights are w = exp(logit). Any finite values.
        text_logits: float [..., T].
        video_mask: bool [..., V], True where the token is real; None means all are.
            Padding tokens are no players: whatever stands in their cells has no effect.
        text_mask: bool [..., T], likewise.
        weighting: how ω follows from w. "renormalised" takes the softmax over the members of
            the coalition, ω_v(A) = w_v / Σ_{u∈A} w_u; "fixed" over all tokens, whatever the
            coalition.

    Leading dimensions are a batch of independent games and broadcast against each other.
    Half-precision input is computed in float32.

    Raises:
        TypeError: a tensor is not floating point, or a mask is not bool.
        ValueError: shapes do not fit together, a side has no tokens, or the weighting is unknown.
    """

    similarity: Tensor
    video_logits: Tensor
    text_logits: Tensor
    video_mask: Tensor | None = None
    text_mask: Tensor | None = None
    weighting: str = "renormalised"

    def __post_init__(self) -> None:
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is {self.weighting!r}; it must be one of {WEIGHTINGS}")
        if self.similarity.dim() < 2:
            raise ValueError(f"similarity must be [..., V, T], got {_shape(self.similarity)}")
        for name in ("similarity", "video_logits", "text_logits"):
            if not getattr(self, name).is_floating_point():
                raise TypeError(f"{name} must be floating point, got {getattr(self, name).dtype}")
        dtype = torch.promote_types(self.similarity.dtype, torch.float32)
        *_, videos, texts = self.similarity.shape
        if not videos or not texts:
            raise ValueError(f"similarity is {_shape(self.similarity)}: a side has no tokens")
        sides = {"video": videos, "text": texts}
        for side, count in sides.items():
            logits, mask = getattr(self, f"{side}_logits"), getattr(self, f"{side}_mask")
            if mask is None:
                mask = torch.ones_like(logits, dtype=torch.bool)
            if mask.dtype != torch.bool:
                raise TypeError(f"{side}_mask must be bool (True = a real token), got {mask.dtype}")
            for name, tensor in ((f"{side}_logits", logits), (f"{side}_mask", mask)):
                if tensor.dim() < 1 or tensor.shape[-1] != count:
                    raise ValueError(
                        f"{name} is {_shape(tensor)}, but similarity {_shape(self.similarity)} "
                        f"has {count} {side} tokens"
                    )
            self._set(f"{side}_mask", mask)
        try:
            batch = torch.broadcast_shapes(
                self.similarity.shape[:-2],
                *(getattr(self, f"{s}_{k}").shape[:-1] for s in sides for k in ("logits", "mask")),
            )
        except RuntimeError as error:
            raise ValueError(f"batch dimensions do not broadcast: {error}") from error
        for side, count in sides.items():
            mask = getattr(self, f"{side}_mask").expand(*batch, count)
            logits = getattr(self, f"{side}_logits").to(dtype).expand(*batch, count)
            self._set(f"{side}_mask", mask)
            self._set(f"{side}_logits", logits)
        both = self.video_mask.unsqueeze(-1) & self.text_mask.unsqueeze(-2)
        self._set("similarity", torch.where(both, self.similarity.to(dtype), 0.0))

    def _set(self, name: str, value: Tensor) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen for everybody else

    def to(self, device: torch.device | str) -> SimilarityGame:
        """The same games on another device."""
        tensors = (self.similarity, self.video_logits, self.text_logits)
        masks = (self.video_mask, self.text_mask)
        return SimilarityGame(*(x.to(device) for x in (*tensors, *masks)), self.weighting)

    @property
    def players(self) -> int:
        """Number of players of the largest game of the batch, n = Nv + Nt."""
        counts = self.video_mask.sum(-1) + self.text_mask.sum(-1)
        return int(counts.max()) if counts.numel() else 0

    def value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        """φ of one coalition, or of many.

        Args:
            video_members: bool [..., V], True for the members A. Leading dimensions broadcast
                with the game's own: [K, V] gives K coalitions of one game.
            text_members: bool [..., T], the members B.

        Returns:
            float [...]: φ(A, B); 0 where either side has no member. Differentiable.
        """
        with exact_precision(self.similarity):
            return self._value(video_members & self.video_mask, text_members & self.text_mask)

    def _value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        both = (video_members.any(-1) & text_members.any(-1)).unsqueeze(-1)
        similarity = self.similarity
        best_text = similarity.masked_fill(~text_members.unsqueeze(-2), -torch.inf).amax(-1)
        best_video = similarity.masked_fill(~video_members.unsqueeze(-1), -torch.inf).amax(-2)
        video_part = self._weights("video", video_members) * torch.where(both, best_text, 0.0)
        text_part = self._weights("text", text_members) * torch.where(both, best_video, 0.0)
        return 0.5 * (video_part.sum(-1) + text_part.sum(-1))

    def coalition_values(self, members: Tensor) -> Tensor:
        """φ of coalitions of all players, video tokens first: bool [..., V + T] -> float [...].

        For one game this is the form in which the game of any model is given to
        `enumerate_coalitions` and `sample_coalitions`: bool [K, n] -> float [K].
        """
        videos = self.similarity.shape[-2]
        return self.value(members[..., :videos], members[..., videos:])

    def grand_value(self) -> Tensor:
        """Eq. 1: the similarity S of the whole video and the whole text, float [...]."""
        return self.value(self.video_mask, self.text_mask)

    def _weights(self, side: str, members: Tensor) -> Tensor:
        """ω, float [..., N]: zero outside the coalition."""
        logits, mask = getattr(self, f"{side}_logits"), getattr(self, f"{side}_mask")
        if self.weighting == "fixed":
            return masked_softmax(logits, mask) * members
        return masked_softmax(logits, members)


def check_function_settings(
    game: SimilarityGame | CoalitionFunction,
    players: int | None,
    device: torch.device | str | None,
) -> None:
    """Settings of a game that is a function: it needs a number of players, and may have a device.

    Raises:
        ValueError: the number is missing, or one of them was given with a SimilarityGame.
    """
    if not isinstance(game, SimilarityGame):
        if players is None or players < 1:
            raise ValueError("give the number of players of a game that is a function: players=n")
        return
    for name, value, advice in (
        ("players", players, ""), ("device", device, ": use game.to(device)")
    ):  # fmt: skip
        if value is not None:
            raise ValueError(
                f"{name} is for games that are functions; a SimilarityGame has its own{advice}"
            )


def checked_values(function: CoalitionFunction, members: Tensor) -> Tensor:
    """The values [K] of the coalitions [K, n]; an array will do as well.

    Raises:
        ValueError: the function returned another shape, or a value that is not finite.
    """
    values = torch.as_tensor(function(members))
    if values.shape != members.shape[:1]:
        raise ValueError(
            f"the game returned {_shape(values)} for {_shape(members)} coalitions; it must return "
            f"one value for each: [{len(members)}]"
        )
    if not values.isfinite().all():
        raise ValueError("the game returned a value that is not finite")
    return values.detach()


def exact_precision(tensor: Tensor) -> torch.autocast:
    """A context in which automatic mixed precision does not touch the game."""
    return torch.autocast(tensor.device.type, enabled=False)


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension among the True cells of mask; zeros where none is True."""
    logits = logits.masked_fill(~mask, -torch.inf)
    peak = logits.amax(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    weights = (logits - peak.detach()).exp()
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).tiny)


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))
