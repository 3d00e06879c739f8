"""What browser tests do on the page.

They wait for what lasts: a passing view may be over before it is looked for, and what one component
shows says nothing of another one. JavaScript that is waited for may not throw, so it asks for
elements with `?.`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from support.patience import PATIENCE


def new_page(browser, width=1280, height=1400, **options):
    """An empty page in a context of its own, which waits patiently."""
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.set_default_timeout(1000 * PATIENCE)
    return page


def told(page, selector: str, text: str, state: str = "visible") -> str:
    """What the element with this selector says, once this is in it."""
    element = page.locator(selector, has_text=text)
    element.wait_for(state=state)
    return element.text_content() if state == "attached" else element.inner_text()


def upload(page, component: str, file: Path) -> None:
    """Give a file to the file component with this selector; it is on the server then."""
    page.set_input_files(f"{component} input[type=file]", file)
    page.wait_for_selector(f"{component} a[download='{file.name}']")


def address_has(page, settings: dict[str, str | None]) -> None:
    """Wait until the address has these, and so the server, which writes it; None: has no such."""
    page.wait_for_function(
        """settings => {
            const asked = new URLSearchParams(location.search);
            return Object.entries(settings).every(([name, value]) => asked.get(name) === value);
        }""",
        arg=settings,
    )


def exported(page, button: str, file: Path) -> zipfile.ZipFile:
    """The zip that a button downloads, under this name."""
    with page.expect_download() as download:
        page.click(button)
    assert download.value.suggested_filename == file.name
    download.value.save_as(file)
    return zipfile.ZipFile(file)
