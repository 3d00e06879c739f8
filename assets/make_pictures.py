"""Take the pictures of the page: assets/page.png, and each tab for docs/page.md.

    python -m assets.make_pictures

Starts `python app.py` and uses it in Debian's chromium, as a visitor does. Run it again whenever
the page or the heads are other ones.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from app.page import TABS

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "page"
WIDTH, PHONE = 1280, 390  # pixels
PATIENCE = 600.0  # seconds, for what takes a few on an idle machine
PAIRS = "video,caption\nspace.mp4,A rocket lifts off.\ncafe.mp4,A cat and a cup of espresso.\n"


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a page of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT)
    try:
        started = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(address, timeout=PATIENCE)
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() - started > PATIENCE:
                    raise SystemExit("The page did not start.") from error
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def graphs(page: Page) -> None:
    """The strongest links of each text player, what is said of the first of them, and What if."""
    page.fill("#figure [name=top_per_word]", "2")
    strongest = page.locator("#figure [data-level=entity] .hbi-link").last  # drawn above the others
    _, text = strongest.get_attribute("data-id").split("--")
    page.click(f"#figure [data-id='{text}']")
    page.click("#figure .hbi-what-if summary")


def contrasts(page: Page) -> None:
    page.click("#contrast")
    page.wait_for_selector("#contrast-figure .hbi-of-difference .hbi-level")
    page.fill("#contrast-figure [name=top_per_word]", "2")


def ask(page: Page) -> None:
    page.click("#ask-start")
    page.wait_for_selector("#answer-figure .hbi-level")


def describe(page: Page) -> None:
    page.click("#describe-start")
    page.wait_for_selector("#description-figure .hbi-level")


def comparison(page: Page) -> None:
    page.click("#compare")
    page.wait_for_selector("#heat-maps .js-plotly-plot .heatmaplayer")


def search(page: Page) -> None:
    page.click("#search-start")
    page.wait_for_selector("#search-sheet [data-rank]")


def batch(page: Page) -> None:
    table = {"name": "pairs.csv", "mimeType": "text/csv", "buffer": PAIRS.encode()}
    page.set_input_files("#batch-table input[type=file]", [table])
    page.wait_for_selector("#batch-table a[download='pairs.csv']")
    page.click("#batch-start")
    page.wait_for_selector("#batch-message strong")


USES: dict[str, Callable[[Page], None]] = {
    "graphs": graphs,
    "contrasts": contrasts,
    "ask": ask,
    "describe": describe,
    "comparison": comparison,
    "search": search,
    "batch": batch,
}


def save(picture: bytes, path: Path) -> None:
    """As PNG or JPEG; of these, the colours of thin lines stay as they are."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    more = {"quality": 88, "subsampling": 0} if path.suffix == ".jpg" else {}
    image.save(path, optimize=True, **more)
    print(path.relative_to(ROOT), image.size)


def opened(page: Page, address: str) -> None:
    """The page as it opens, once its example is drawn and its video has a frame."""
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_selector("#figure .hbi-level")
    page.wait_for_function("document.querySelector('#video video')?.readyState >= 2")
    settle(page)


def settle(page: Page) -> None:
    """Wait until fonts and pictures are there and nothing moves."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(1500)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Debian's chromium is not installed (apt-get install chromium)")
    PICTURES.mkdir(exist_ok=True)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1380})
        page.set_default_timeout(1000 * PATIENCE)
        opened(page, address)
        save(page.screenshot(), ROOT / "assets" / "page.png")
        for tab in TABS:
            page.click(f"#{tab.elem_id}-button")
            USES[tab.elem_id](page)
            settle(page)
            save(page.locator(f"#{tab.elem_id}").screenshot(), PICTURES / f"{tab.elem_id}.jpg")
        for name, theme, width in (("phone", "light", PHONE), ("dark", "dark", WIDTH)):
            other = browser.new_page(viewport={"width": width, "height": 1380})
            other.set_default_timeout(1000 * PATIENCE)
            opened(other, f"{address}/?__theme={theme}")
            save(other.screenshot(full_page=width == PHONE), PICTURES / f"{name}.jpg")
            other.close()
        browser.close()


if __name__ == "__main__":
    main()
