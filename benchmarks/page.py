"""What a user of the page waits for: start, first and later explanations, and memory.

    python -m benchmarks.page

Starts `python app.py`, asks its endpoint like the button does, edits the caption and plays with the
panel "What if" in a browser (Debian's chromium), and watches the memory of the server with all its
children. The video is 10 s of 1280×720 at 30 frames a second, made here.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import av
import numpy as np
import psutil
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.report import report
from explainers.timing import seconds_in_words
from hbi_core.figures.coalition_html import view_json
from hbi_core.figures.coalition_print import coalition_print
from hbi_core.pipeline import ask, describe, explain
from hbi_core.recent import RecentVideos

ROOT = Path(__file__).parents[1]
CAPTION = "A man in a suit passes parked cars, a taxi sign, a cyclist beside a bus, a bicycle."
QUESTION, SECOND_QUESTION = "what is the man wearing?", "where is the woman?"
SECOND_CAPTION = "A woman crosses a street, a tram stops, a dog waits in front of a shop."

LEAVE_OUT = """async () => {
    const milliseconds = [];
    const boxes = document.querySelectorAll(".hbi-what-if td:nth-child(2) input");
    for (const box of [...boxes].slice(0, 5)) {
        const started = performance.now();
        box.click();
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        milliseconds.push(performance.now() - started);
    }
    return milliseconds;
}"""


FILTER = """async () => {
    const milliseconds = [];
    const levels = [...document.querySelectorAll("#figure [name=levels]")];
    for (const box of [...levels, ...levels]) {
        const started = performance.now();
        box.click();
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        milliseconds.push(performance.now() - started);
    }
    return milliseconds;
}"""


def make_video(path: Path, seconds: int = 10, rate: int = 30) -> Path:
    """A camera that moves over a textured picture, H.264."""
    texture = np.random.default_rng(0).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    picture = np.asarray(Image.fromarray(texture).resize((1280, 720)))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index in range(seconds * rate):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 4 * index, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class PeakMemory(threading.Thread):
    """Watches the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak = psutil.Process(pid), 0

    def run(self) -> None:
        while self.process.is_running():
            total = 0
            try:
                for process in [self.process, *self.process.children(recursive=True)]:
                    total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.peak = max(self.peak, total)
            time.sleep(0.05)


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        video = make_video(Path(folder) / "video.mp4")
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "GRADIO_TEMP_DIR": folder},
        )
        memory = PeakMemory(server.pid)
        memory.start()
        try:
            while True:
                try:
                    urllib.request.urlopen(address, timeout=2)
                    break
                except OSError:
                    time.sleep(0.05)
            reachable = time.perf_counter() - started
            client = Client(address, verbose=False)

            def explain() -> float:
                started = time.perf_counter()
                client.predict(video=handle_file(str(video)), caption=CAPTION, api_name="/explain")
                return time.perf_counter() - started

            first = explain()
            later = [explain() for _ in range(5)]
            seen = in_browser(address, video)
        finally:
            server.terminate()
            server.wait(20)
        split, figures = steps(video)
    report(
        "page",
        "The page, a 10 s 720p clip, 12 frames",
        ["what", "measured"],
        [
            ["page reachable after `python app.py`", seconds_in_words(reachable)],
            ["first explanation, asked at once", seconds_in_words(first)],
            ["later explanations (median of 5)", seconds_in_words(statistics.median(later))],
            *([what, seconds_in_words(seconds)] for what, seconds in seen.items()),
            *([f"of it {step}", seconds_in_words(seconds)] for step, seconds in split.items()),
            *([what, seconds_in_words(seconds)] for what, seconds in figures.items()),
            ["peak memory of the server and its children", f"{memory.peak / 1e9:.2f} GB"],
        ],
    )


def in_browser(address: str, video: Path) -> dict[str, float]:
    """What a visitor waits for: the first figure, an edited caption, a word left out, a filter."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Debian's chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(600_000)
        started = time.perf_counter()
        page.goto(address, wait_until="domcontentloaded")
        page.wait_for_selector("#figure .hbi-link", state="attached")
        visited = time.perf_counter() - started
        page.locator("#video button[aria-label='Clear']").first.click()
        page.locator("#video input[type=file]").set_input_files(str(video))
        page.wait_for_function(
            "[...document.querySelectorAll('#video video')].some(v => v.src.includes('video.mp4'))"
        )
        caption = page.locator("textarea").first

        def edit(word: str) -> float:
            """Seconds from Enter until the new word is drawn."""
            caption.fill(f"{CAPTION} {word}")
            started = time.perf_counter()
            caption.press("Enter")
            page.wait_for_selector(f"#figure :text-is('{word}')")
            return time.perf_counter() - started

        edit("zero")
        edited = statistics.median(map(edit, ("one", "two", "three", "four", "five")))
        page.click(".hbi-what-if summary")
        page.wait_for_selector(".hbi-what-if td")
        left_out = page.evaluate(LEAVE_OUT)
        filtered = page.evaluate(FILTER)
        browser.close()
    return {
        "first visit, from the address until the explained example is drawn": visited,
        "caption edited, from Enter until it is drawn (median of 5)": edited,
        "a word left out in the panel “What if” (median of 5)": statistics.median(left_out) / 1000,
        "a filter: a level on or off (median of 6)": statistics.median(filtered) / 1000,
    }


def steps(video: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The time split of an explanation with the models loaded, and what follows one."""
    recent = RecentVideos(videos=3, models=3)
    explain(video, CAPTION, recent=recent)
    ask(video, SECOND_QUESTION, recent=recent)
    explanation = explain(video, CAPTION)
    view_json(explanation)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for what, run in {
            "second caption on the same video, drawn": lambda: view_json(
                explain(video, SECOND_CAPTION, recent=recent)
            ),
            "a question answered and explained, models loaded before": lambda: ask(
                video, QUESTION, recent=recent
            ),
            "a video described, the caption explained by all 4,096 sets of frames": lambda: (
                describe(video, recent=recent)
            ),
            "drawing the page's figure": lambda: view_json(explanation),
            "drawing the paper's figure": lambda: coalition_print(explanation),
            "exporting all files": lambda: explanation.save(folder),
        }.items():
            started = time.perf_counter()
            run()
            figures[what] = time.perf_counter() - started
    return explanation.seconds, figures


if __name__ == "__main__":
    main()
