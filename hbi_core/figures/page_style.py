"""What every figure of the page shares: its width, its letters, and white paper."""

from __future__ import annotations

from typing import Any

WIDTH = 1160  # pixels
_FAMILY = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"
FONT = {"family": _FAMILY, "color": "#111111"}
PAPER: dict[str, Any] = {  # whatever the page's colours are
    "paper_bgcolor": "#ffffff",
    "plot_bgcolor": "#ffffff",
    "hoverlabel": {"bgcolor": "#ffffff", "font": {"family": _FAMILY, "size": 13}},
    "hovermode": "closest",
    "dragmode": False,
}


def escape(text: str) -> str:
    """plotly reads a subset of HTML in its texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
