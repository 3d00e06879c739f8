"""The characteristic function: how well a coalition of video and text tokens matches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WEIGHTINGS = ("renormalised", "fixed")


@dataclass(frozen=True, eq=False, init=False)
class SimilarityGame:
    """The cooperative game of a video and a text; the players are their tokens.

    A coalition S = A ∪ B of video tokens A and text tokens B is worth the similarity of HBI,
    Eq. 1, restricted to its members:

        φ(A, B) = ½ [ Σ_{v∈A} ω_v(A) max_{t∈B} a[v,t] + Σ_{t∈B} ω_t(B) max_{v∈A} a[v,t] ]

    and φ = 0 if A or B is empty. The grand coalition is worth exactly Eq. 1.

    Args:
        similarity: a, float [..., V, T]; cosine similarities, usually in [-1, 1].
        video_logits: float [..., V]; token weights are w = exp(logit). Any finite values: a weight
            of 0 would leave a coalition of such tokens without a value, so that -inf is refused.
        text_logits: float [..., T].
        video_mask: bool [..., V], True where the token is real; None means all are.
            Padding tokens are no players: whatever stands in their cells has no effect.
        text_mask: bool [..., T], likewise.
        weighting: how ω follows from w. "renormalised" takes the softmax over the members of
            the coalition, ω_v(A) = w_v / Σ_{u∈A} w_u; "fixed" over all tokens, whatever the
            coalition.

    Tensors or arrays, which are copied. Leading dimensions are a batch of independent games and
    broadcast against each other. Half-precision input is computed in float32. In the cells of
    padding tokens, similarity and logits become 0.

    Raises:
        TypeError: something is no tensor, not floating point, or a mask is not bool.
        ValueError: shapes do not fit together, tensors are on several devices, a side has no
            tokens, the weighting is unknown, or a similarity or a logit of a real token is not
            finite.

    Example:
        Two frames and two words of equal weight:

        >>> import torch
        >>> from explainers import SimilarityGame
        >>> similarity = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
        >>> game = SimilarityGame(similarity, torch.zeros(2), torch.zeros(2))
        >>> game.grand_value()
        tensor(0.7500)
        >>> game.value(torch.tensor([True, False]), torch.tensor([True, True]))
        tensor(0.7000)
    """

    similarity: Tensor
    video_logits: Tensor
    text_logits: Tensor
    video_mask: Tensor
    text_mask: Tensor
    weighting: str

    def __init__(
        self,
        similarity: Tensor | np.ndarray,
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
            "similarity": similarity,
            "video_logits": video_logits,
            "text_logits": text_logits,
        }.items():
            tensor = as_tensor(name, value)
            if not tensor.is_floating_point():
                raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
            self._set(name, tensor)
        self._set_masks(video_mask, text_mask)
        self._own(self._batch())

    def _set_masks(
        self, video_mask: Tensor | np.ndarray | None, text_mask: Tensor | np.ndarray | None
    ) -> None:
        """Complete the masks, and see that there is a logit and a mask for each token."""
        if self.similarity.dim() < 2:
            raise ValueError(f"similarity must be [..., V, T], got {shape_of(self.similarity)}")
        if not all(self.similarity.shape[-2:]):
            raise ValueError(f"similarity is {shape_of(self.similarity)}: a side has no tokens")
        for side, count, given in zip(
            ("video", "text"), self.similarity.shape[-2:], (video_mask, text_mask), strict=True
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
                        f"similarity {shape_of(self.similarity)} has {count} {side} tokens"
                    )

    def _batch(self) -> torch.Size:
        """The leading dimensions of all tensors together."""
        names = ("video_logits", "video_mask", "text_logits", "text_mask")
        for name in names:
            if getattr(self, name).device != self.similarity.device:
                raise ValueError(
                    f"{name} is on {getattr(self, name).device}, similarity on "
                    f"{self.similarity.device}: move them to one device"
                )
        try:
            return torch.broadcast_shapes(
                self.similarity.shape[:-2], *(getattr(self, name).shape[:-1] for name in names)
            )
        except RuntimeError as error:
            shapes = ", ".join(f"{name} {shape_of(getattr(self, name))}" for name in names)
            raise ValueError(
                "leading dimensions do not broadcast: similarity [..., V, T] is "
                f"{shape_of(self.similarity)}, {shapes}"
            ) from error

    def _own(self, batch: torch.Size) -> None:
        """Keep copies without what stands in the padding, and see that they are finite."""
        dtype = torch.promote_types(self.similarity.dtype, torch.float32)
        sums = []
        for side, count in zip(("video", "text"), self.similarity.shape[-2:], strict=True):
            mask = getattr(self, f"{side}_mask").clone()
            logits = torch.where(mask, getattr(self, f"{side}_logits").to(dtype), 0.0)
            sums.append(logits.detach().sum())
            self._set(f"{side}_mask", mask.expand(*batch, count))
            self._set(f"{side}_logits", logits.expand(*batch, count))
        both = self.video_mask.unsqueeze(-1) & self.text_mask.unsqueeze(-2)
        self._set("similarity", torch.where(both, self.similarity.to(dtype), 0.0))
        sums.append(self.similarity.detach().sum())
        if not torch.stack(sums).isfinite().all():  # one pass and one wait for a GPU; seldom more
            self._check_finite()

    def _check_finite(self) -> None:
        for name in ("similarity", "video_logits", "text_logits"):
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

    def to(self, device: torch.device | str) -> SimilarityGame:
        """The same games on another device.

        Args:
            device: a torch device, or its name.

        Returns:
            Games with copies of the tensors.
        """
        return SimilarityGame(
            self.similarity.to(device),
            self.video_logits.to(device),
            self.text_logits.to(device),
            self.video_mask.to(device),
            self.text_mask.to(device),
            self.weighting,
        )

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

        Raises:
            TypeError: members are not bool.
            ValueError: shapes do not fit the game.
        """
        video, text = checked_members(self, video_members, text_members)
        with exact_precision(self.similarity):
            return self._value(video & self.video_mask, text & self.text_mask)

    def _value(self, video_members: Tensor, text_members: Tensor) -> Tensor:
        both = (video_members.any(-1) & text_members.any(-1)).unsqueeze(-1)
        similarity = self.similarity
        best_text = similarity.masked_fill(~text_members.unsqueeze(-2), -torch.inf).amax(-1)
        best_video = similarity.masked_fill(~video_members.unsqueeze(-1), -torch.inf).amax(-2)
        video_part = self._weights("video", video_members) * torch.where(both, best_text, 0.0)
        text_part = self._weights("text", text_members) * torch.where(both, best_video, 0.0)
        return 0.5 * (video_part.sum(-1) + text_part.sum(-1))

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
        videos, texts = self.similarity.shape[-2:]
        if members.shape[-1:] != (videos + texts,):
            raise ValueError(
                f"members must be [..., V + T] = [..., {videos + texts}], got {shape_of(members)}"
            )
        return self.value(members[..., :videos], members[..., videos:])

    def grand_value(self) -> Tensor:
        """Eq. 1: the similarity S of the whole video and the whole text.

        Returns:
            float [...]. Differentiable.
        """
        return self.value(self.video_mask, self.text_mask)

    def _weights(self, side: str, members: Tensor) -> Tensor:
        """ω, float [..., N]: zero outside the coalition."""
        logits, mask = getattr(self, f"{side}_logits"), getattr(self, f"{side}_mask")
        if self.weighting == "fixed":
            return masked_softmax(logits, mask) * members
        return masked_softmax(logits, members)


def checked_members(
    game: SimilarityGame, video_members: Tensor, text_members: Tensor
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


def sides_of(game: SimilarityGame, what: str, video: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """What there is one of for each video token and each text token, as tensors.

    Raises:
        TypeError: it is neither a tensor nor an array.
        ValueError: there is not one for each token.
    """
    video, text = as_tensor(f"video_{what}", video), as_tensor(f"text_{what}", text)
    counts = game.similarity.shape[-2:]
    for side, tensor, count in zip(("video", "text"), (video, text), counts, strict=True):
        if tensor.dim() < 1 or tensor.shape[-1] != count:
            raise ValueError(
                f"{side}_{what} must be [..., {side[0].upper()}], got {shape_of(tensor)} for the "
                f"{side} tokens, but the game has {count}"
            )
    return video, text


def as_tensor(name: str, value: Tensor | np.ndarray) -> Tensor:
    """A tensor as it is, an array as a copy. Raises TypeError for anything else."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a tensor or an array, got {type(value).__name__}")
    try:
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("="), order="C"))
    except TypeError as error:
        raise TypeError(f"{name} must be a tensor or an array of its kinds: {error}") from error


def exact_precision(tensor: Tensor) -> torch.autocast:
    """A context in which automatic mixed precision does not touch the game."""
    return torch.autocast(tensor.device.type, enabled=False)


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension among the True cells of mask; zeros where none is True."""
    logits = logits.masked_fill(~mask, -torch.inf)
    peak = logits.amax(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    weights = (logits - peak.detach()).exp()
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).tiny)


def shape_of(values: Tensor | np.ndarray) -> str:
    return str(list(values.shape))
