"""The game of one's own model: frame and word features of any dual encoder.

    python -m examples.own_features

Random features stand here for those of a CLIP: frames [V, D] and words [T, D] in one space.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from explainers import SimilarityGame, closed_form, ranks


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    words = ["a", "dog", "runs"]
    frames = functional.normalize(torch.randn(4, 32, generator=generator), dim=-1)
    text = functional.normalize(torch.randn(3, 32, generator=generator), dim=-1)
    text[1] = functional.normalize(text[1] + 2 * frames[2], dim=-1)  # the dog is in frame 3

    game = SimilarityGame(
        (frames @ text.mT).double(),
        torch.zeros(4, dtype=torch.float64),  # equal weights; or your model's logits
        torch.zeros(3, dtype=torch.float64),
    )
    interactions = closed_form(game).values  # [V, T]
    rank = ranks(interactions)
    print(f"S = {float(game.grand_value()):.3f}")
    for place in range(1, 4):
        frame, word = (int(index[0]) for index in (rank == place).nonzero())
        print(f"{place}. frame {frame + 1} and {words[word]!r}: {interactions[frame, word]:+.3f}")


if __name__ == "__main__":
    main()
