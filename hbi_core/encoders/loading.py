"""How an encoder is chosen and loaded."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

from hbi_core.encoders.base import Encoder
from hbi_core.errors import InputError

_LOADING = Lock()


def load_encoder(name: str = "lite", device: str = "cpu") -> Encoder:
    """Load an encoder; the same arguments give the same object.

    Args:
        name: "lite"; or "open_clip", "open_clip:MODEL" or "open_clip:MODEL:WEIGHTS", where
            WEIGHTS is a pretrained tag of open_clip or a file.
        device: a torch device.

    Raises:
        WeightsError: weights are missing; the message says how to get them.
        InputError: no encoder has this name.
    """
    with _LOADING:  # a second request waits for the first instead of loading once more
        return _load_encoder(name, device)


@lru_cache(maxsize=2)
def _load_encoder(name: str, device: str) -> Encoder:
    family, *options = name.split(":", 2)
    if family == "lite" and not options:
        from hbi_core.encoders.lite import LiteEncoder

        return LiteEncoder(device)
    if family == "open_clip":
        from hbi_core.encoders.open_clip import load_open_clip

        return load_open_clip(*options, device=device)
    raise InputError(
        f"There is no encoder {name!r}. Use 'lite', 'open_clip' or 'open_clip:MODEL:WEIGHTS', "
        "for example 'open_clip:ViT-B-16-quickgelu:openai'."
    )
