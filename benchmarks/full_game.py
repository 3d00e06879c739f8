"""The paper's entity game, 12 frames and 24 words, by every one of its 2^36 coalitions.

python -m benchmarks.full_game [--device cuda]

Minutes on two CPU cores. Beside the time stand the bounds of the arithmetic and of the memory; the
speeds of a large matrix product and of a large copy are measured just before. The game and its
values by enumeration are kept: results/full_game.safetensors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
import tyro
from safetensors.torch import save_file
from tqdm import tqdm

from benchmarks.games import random_game
from benchmarks.report import RESULTS, named, report
from explainers import closed_form, enumerate_coalitions
from explainers.methods import METHODS
from explainers.timing import seconds_in_words


@dataclass(frozen=True)
class Settings:
    """Enumerate the full game and compare it with the closed form."""

    threads: int = 2
    """CPU threads of torch."""
    videos: int = 12
    texts: int = 24
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


def main(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    game = random_game(settings.videos, settings.texts).to(settings.device)
    peak, bandwidth = _flops_a_second(settings.device), _bytes_a_second(settings.device)
    traffic = 16 * 2**game.players  # bytes of float64
    with tqdm(total=2**game.players, unit="coalition", unit_scale=True) as bar:
        exact = enumerate_coalitions(
            game,
            pairs="all",
            limit_seconds=float("inf"),
            progress=lambda done, _: bar.update(done - bar.n),
        )
    expected = closed_form(game, pairs="all")
    cross = closed_form(game).values
    smaller = min(settings.videos, settings.texts)
    operations = 2 * 2**game.players * (game.players + smaller + 2)
    found = exact.values[: settings.videos, settings.videos :]
    rows = [
        ["players", f"{settings.videos} × {settings.texts}"],
        ["coalitions, every value computed", f"{exact.coalitions_evaluated:,}"],
        ["device", exact.device],
        ["time", seconds_in_words(exact.seconds)],
        ["coalitions a second", f"{exact.coalitions_evaluated / exact.seconds / 1e6:,.0f} million"],
        ["arithmetic", f"{operations / 1e12:.1f} TFLOP (float64)"],
        ["a large matrix product here", f"{peak / 1e9:,.0f} GFLOP/s"],
        ["time at that speed", seconds_in_words(operations / peak)],
        ["memory, if each value were written and read once", f"{traffic / 1e12:.1f} TB"],
        ["a large copy here", f"{bandwidth / 1e9:,.0f} GB/s, read and written"],
        ["time at that speed", seconds_in_words(traffic / bandwidth)],
        ["pairs", f"{found.numel()} frame-word, {_pairs(settings)} of one side"],
        ["largest interaction, frame-word", f"{found.abs().max():.6f}"],
        ["largest difference from the closed form, frame-word", f"{_off(found, cross):.1e}"],
        ["the same, all pairs", f"{_off(exact.values, expected.values):.1e}"],
        ["the same, Banzhaf values", f"{_off(exact.player_values, expected.player_values):.1e}"],
        [
            f"{METHODS['closed_form'].label}, the same frame-word values",
            seconds_in_words(closed_form(game).seconds),
        ],
    ]
    title = "Every coalition of the paper's entity game"
    report("full_game", title, ["", ""], rows, settings.device)
    tensors = {
        "similarity": game.similarity,
        "video_logits": game.video_logits,
        "text_logits": game.text_logits,
        "interactions": exact.values,
        "banzhaf_values": exact.player_values,
    }
    tensors = {key: value.cpu().contiguous() for key, value in tensors.items()}
    save_file(
        tensors,
        RESULTS / f"{named('full_game', settings.device)}.safetensors",
        {"weighting": game.weighting},
    )


def _flops_a_second(device: str, size: int = 4096) -> float:
    a = torch.randn(size, size, dtype=torch.float64, device=device)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        (a @ a)[0, 0].item()
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times)


def _bytes_a_second(device: str, size: int = 2**27) -> float:
    """Read and written by copying a GiB."""
    source = torch.ones(size, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    times = []
    for _ in range(4):  # the first one gets its memory from the system
        started = time.perf_counter()
        target.copy_(source)[0].item()
        times.append(time.perf_counter() - started)
    return 2 * 8 * size / min(times)


def _pairs(settings: Settings) -> int:
    return sum(n * (n - 1) // 2 for n in (settings.videos, settings.texts))


def _off(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


if __name__ == "__main__":
    main(tyro.cli(Settings))
