"""What browser tests do on the page."""

from __future__ import annotations

from pathlib import Path


def upload(page, component: str, file: Path) -> None:
    """Give a file to the file component with this selector; it is on the server then."""
    page.set_input_files(f"{component} input[type=file]", file)
    page.wait_for_selector(f"{component} a[download='{file.name}']")
