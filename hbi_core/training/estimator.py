"""Training of the paper's tiny estimator.

On random games, by the mean squared error on exact interactions (HBI, App. C.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from explainers import WEIGHTINGS, Estimator, SimilarityGame
from explainers.closed_forms import interaction_values
from hbi_core.estimator import save_estimator
from hbi_core.settings import COUNT, LEARNING_RATE, OWN_PATH, SEED, check, one_of, plain
from hbi_core.training.divergence import finite, stopping
from hbi_core.written import check_file

_HELD_OUT = 8  # batches on which the error is measured
_FEATURES = 16  # of the random tokens; few, so that some are alike


@dataclass(frozen=True)
class EstimatorConfig:
    """Settings of `train_estimator`.

    Attributes:
        out: This file is written, NAME.safetensors.
        steps: Adam takes so many steps, with cosine decay of the learning rate.
        batch_size: A step has so many games.
        learning_rate: Adam learns at this rate at the first step.
        channels: The network has so many channels.
        frames: A game has so many video players at most; each has between one and that many.
        words: A game has so many text players at most, likewise.
        weighting: The games are "renormalised" or "fixed".
        seed: Everything random follows from this number.
    """

    out: Path
    steps: int = 4000
    batch_size: int = 64
    learning_rate: float = 2e-3
    channels: int = 64
    frames: int = 12
    words: int = 24
    weighting: str = "renormalised"
    seed: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            out=OWN_PATH,
            **dict.fromkeys(("batch_size", "channels", "frames", "words", "steps"), COUNT),
            learning_rate=LEARNING_RATE,
            weighting=one_of(WEIGHTINGS),
            seed=SEED,
        )


def train_estimator(config: EstimatorConfig) -> Path:
    """Train the tiny estimator on random games and write it with its error.

    Returns:
        The file; its error against exact interactions of games that it never saw is in it.

    Raises:
        TrainingError: the loss or a gradient is not finite; no file is written.
        SettingsError: the file cannot be written.
    """
    check_file(config.out, "out=FILE")
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)
    games = [random_games(config, generator) for _ in range(_HELD_OUT)]
    exact = [interaction_values(game) for game in games]
    unit = float(_cells(games, exact).square().mean().sqrt())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    estimator = Estimator(config.channels, unit).to(device)
    optimiser = torch.optim.Adam(estimator.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps
    )
    bar = tqdm(range(config.steps), desc="estimator")
    for step in bar:
        game = random_games(config, generator).to(device)
        error = (estimator(game) - interaction_values(game)) / unit
        real = game.video_mask.unsqueeze(-1) & game.text_mask.unsqueeze(-2)
        loss = error[real].square().mean()
        rates = {"learning_rate": optimiser.param_groups[0]["lr"]}
        with stopping(step + 1, rates, "or more games a step"):
            finite({"loss": float(loss.detach())})
            optimiser.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(estimator.parameters(), 1.0)
            finite({"gradient_norm": float(norm)})
        optimiser.step()
        schedule.step()
        bar.set_postfix(relative=f"{float(loss.detach()) ** 0.5:.3f}")
    estimator = estimator.cpu().eval()
    estimator.error = _error(estimator, games, exact)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_estimator(config.out, estimator, plain(config))
    print(", ".join(f"{name} {value:.4g}" for name, value in estimator.error.items()))
    return config.out


def random_games(config: EstimatorConfig, generator: torch.Generator) -> SimilarityGame:
    """A batch of games of random sizes, similarities and weights, as those of videos and texts.

    The tokens of a side lie around a centre of their own, closely or loosely, and the two centres
    nearer or farther, so that similarities have the means and spreads that trained models give.
    """
    batch = config.batch_size

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(batch, *shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    shared, agreement, spread = normal(1, _FEATURES), uniform(-1, 1, 1, 1), uniform(0.2, 1.5, 1, 1)
    sides = []
    for most, sign in ((config.frames, 1.0), (config.words, agreement)):
        centre = sign * shared + (1 - agreement.abs()) * normal(1, _FEATURES)
        tokens = functional.normalize(centre + spread * normal(most, _FEATURES), dim=-1)
        count = torch.randint(1, most + 1, (batch, 1), generator=generator)
        logits = uniform(0.0, 1.5, 1) * normal(most)
        sides.append((tokens, logits, torch.arange(most) < count))
    (video, video_logits, video_mask), (text, text_logits, text_mask) = sides
    return SimilarityGame(
        video @ text.mT, video_logits, text_logits, video_mask, text_mask, config.weighting
    )


def _cells(games: list[SimilarityGame], values: list[Tensor]) -> Tensor:
    """The values of all real pairs, one after another."""
    return torch.cat(
        [
            v[game.video_mask.unsqueeze(-1) & game.text_mask.unsqueeze(-2)]
            for game, v in zip(games, values, strict=True)
        ]
    )


@torch.no_grad()
def _error(
    estimator: Estimator, games: list[SimilarityGame], exact: list[Tensor]
) -> dict[str, float]:
    estimated = _cells(games, [estimator(game) for game in games])
    true = _cells(games, exact)
    rmse = (estimated - true).square().mean().sqrt()
    return {
        "rmse": float(rmse),
        "relative_rmse": float(rmse / true.square().mean().sqrt()),
        "largest": float((estimated - true).abs().max()),
        "pearson": float(torch.corrcoef(torch.stack([estimated, true]))[0, 1]),
        "pairs": float(len(true)),
    }
