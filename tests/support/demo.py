"""The repository, and a demo clip with its caption."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
CAFE = ROOT / "assets" / "clips" / "cafe.mp4"
CAFE_CAPTION = "A tabby cat looks into the camera. A cup of espresso stands on a wooden table."
SAVED = {  # what an explanation is saved as
    "explanation.json",
    "figure.pdf",
    "figure.svg",
    "figure.png",
    "figure.html",
    "figure.csv",
    "figure.tex",
    "references.bib",
    "interactions.csv",
    "players.csv",
    "levels.csv",
    "graph.graphml",
}
