"""How long tests wait: no result of theirs depends on it."""

from __future__ import annotations

PATIENCE = 600.0  # seconds for what takes a few on an idle machine
