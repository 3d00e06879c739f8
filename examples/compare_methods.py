"""Exact interactions beside estimates of them, on the game of a video and a caption.

    python -m examples.compare_methods [VIDEO CAPTION]

Without them, of a clip that we ship.
"""

from __future__ import annotations

import argparse
import sys

from hbi_core.command_line import command
from hbi_core.exact_vs_estimated import compare_level
from hbi_core.pipeline import explain
from hbi_core.shipped import ASSETS

EXAMPLE = (ASSETS / "clips" / "cafe.mp4", "A tabby cat looks into the camera.")


@command
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m examples.compare_methods", "%(prog)s [VIDEO CAPTION]"
    )
    parser.add_argument("example", nargs="*", help="A video and a caption of it.")
    given = parser.parse_args(argv).example
    if len(given) not in (0, 2):
        parser.error("give a video and a caption of it, in quotes, or neither")
    video, caption = given or EXAMPLE
    explanation = explain(video, caption, frames=6)
    compared = compare_level(explanation, "entity", budgets=(256, 4096), seeds=range(3))
    print(f"{'method':14} {'budget':>7} {'seed':>4} {'relative error':>15} {'seconds':>9}")
    for row in compared.comparison.table():
        print(
            f"{row['method']:14} {row['budget']:7} {row['seed']:4} {row['relative_error']:15.2e} "
            f"{row['seconds']:9.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
