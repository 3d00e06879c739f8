"""Explain the examples of the page anew: whenever the shipped heads or clips are other ones.

    python -m assets.make_examples

The page shows assets/examples/*.json when it opens and where an example is chosen, without a model.
"""

from __future__ import annotations

from app.examples import EXAMPLES
from hbi_core.pipeline import explain
from hbi_core.written import write_text


def main() -> None:
    for example in EXAMPLES:
        example.file.parent.mkdir(exist_ok=True)
        write_text(example.file, explain(example.clip, example.caption).to_json() + "\n")
        print(f"{example.file}: {example.file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
