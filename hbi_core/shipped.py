"""Where the files that we ship lie: weights, demo clips, style sheet (see assets/README.md)."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
# Inside the package where it is installed, beside it in a checkout.
ASSETS = next(folder for folder in (_HERE / "assets", _HERE.parent / "assets") if folder.is_dir())
