"""python app.py: the page, where a Space looks for it; the same as `python -m app`."""

from __future__ import annotations

from app.__main__ import main

if __name__ == "__main__":
    main()
