"""Ask a running page from Python, and keep the numbers and the figure.

python app.py  # in another shell
python -m examples.page_client http://127.0.0.1:7860 clip.mp4 "a caption" --out out
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from gradio_client import Client, handle_file


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.page_client")
    parser.add_argument("address", help="of the page: http://127.0.0.1:7860, or OWNER/SPACE")
    parser.add_argument("video", type=Path)
    parser.add_argument("caption")
    parser.add_argument("--out", type=Path, default=Path("out"))
    given = parser.parse_args(arguments)

    client = Client(given.address, verbose=False, httpx_kwargs={"timeout": 600})
    asked = {"video": handle_file(str(given.video)), "caption": given.caption}
    explanation = client.predict(**asked, api_name="/explain")
    figure = client.predict(**asked, format="pdf", width="column", api_name="/figure")

    given.out.mkdir(parents=True, exist_ok=True)
    numbers = given.out / "explanation.json"
    numbers.write_text(json.dumps(explanation, ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.copy(figure, given.out / "figure.pdf")
    for level in explanation["levels"]:
        rows = level["interactions"]
        value, video, text = max(
            (value, video, text) for video, row in enumerate(rows) for text, value in enumerate(row)
        )
        frames = [frame + 1 for frame in level["video_tokens"][video]["frames"]]
        word = level["text_tokens"][text]["text"]
        print(f"{level['name']}: {word!r} and frames {frames} gain {value:.4f} together")


if __name__ == "__main__":
    main()
