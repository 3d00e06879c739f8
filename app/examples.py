"""The examples of the page: clips that we ship, and their explanations, made before it starts."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from app.uploads import CLIPS
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.shipped import ASSETS


@dataclass(frozen=True)
class Example:
    """A clip and its caption.

    Attributes:
        name: of the clip, and of the file with its explanation, without their suffixes.
        label: on the button.
        caption: of the clip.
    """

    name: str
    label: str
    caption: str

    @property
    def clip(self) -> Path:
        return CLIPS / f"{self.name}.mp4"

    @property
    def file(self) -> Path:
        """What `python -m assets.make_examples` wrote."""
        return ASSETS / "examples" / f"{self.name}.json"

    @cached_property
    def explanation(self) -> Explanation:
        """Of the default model with its default settings. Not to be changed."""
        return Explanation.from_file(self.file)


EXAMPLES = (
    Example(
        "space",
        "Astronaut, rocket, stars",
        "A woman in an orange suit smiles, a rocket stands under the blue evening sky, many stars "
        "shine in the dark.",
    ),
    Example(
        "cafe",
        "Cat, coffee",
        "A tabby cat looks into the camera. A cup of espresso stands on a wooden table beside a "
        "spoon.",
    ),
    Example(
        "day",
        "Four scenes",
        "A cup of coffee with a spoon, a furry cat with whiskers, a rocket launch at dusk, a "
        "smiling astronaut in front of a flag.",
    ),
)


def example_of(number: Any) -> Example:
    """The example with this number, as a request has it.

    Raises:
        InputError: there is none.
    """
    if not isinstance(number, int) or not 0 <= number < len(EXAMPLES):
        raise InputError(
            f"There is no example {reprlib.repr(number)}: use 0 to {len(EXAMPLES) - 1}."
        )
    return EXAMPLES[number]
