"""The training loop, on one screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import set_seed
from tqdm import tqdm

from hbi_core.encoders import Encoder, build_encoder
from hbi_core.training.batches import share_of_process
from hbi_core.training.config import TrainConfig
from hbi_core.training.divergence import finite, stopping
from hbi_core.training.folder import (
    BEST,
    check_best,
    check_data,
    check_settings,
    read_result,
    write_result,
    write_start,
)
from hbi_core.training.initialise import starting_point
from hbi_core.training.optimiser import learning_rates
from hbi_core.training.processes import mean_of_processes, start_processes
from hbi_core.training.run import Run
from hbi_core.training.state import Metrics, RunState, load_state, save_state, saved_states


def train(
    config: TrainConfig,
    encoder: Encoder | None = None,
    save: Callable[[Accelerator, Path, int], None] = save_state,
) -> Path:
    """Train, or go on with the run in config.out.

    Args:
        config: the settings.
        encoder: the encoder itself, instead of the one that config.encoder names.
        save: writes the state of the run to its folder, after a step.

    Returns:
        The best checkpoint, by the task's score on the validation split.

    Raises:
        SettingsError: settings do not fit each other, the data, or the run in config.out.
        TrainingError: a loss, gradient, score or weight is not finite. What was saved stays.
        CheckpointError: the checkpoint that it is to start from cannot be loaded.
        DataError, VideoError: the data cannot be read.
        WeightsError: the encoder's weights are missing.
    """
    accelerator = start_processes(config.optimiser)
    check_settings(config)
    if result := read_result(config.out):
        accelerator.print(f"The run in {config.out} has ended, after {result['step']} steps.")
        return config.out / BEST
    start = starting_point(config, encoder)
    set_seed(config.seed)
    encoder = (encoder or build_encoder(config.encoder)).to(accelerator.device)
    run = Run(config, encoder, accelerator, start)
    check_data(config.out, run.facts)
    if accelerator.is_main_process:
        write_start(config, run.facts, run.left_out)
    accelerator.print("\n".join(f"{name:21}{fact}" for name, fact in run.facts.items()))
    task, optimiser = accelerator.prepare(run.task, run.optimiser)
    set_seed(config.seed, device_specific=True)  # noise of its own in every process
    state = RunState()
    accelerator.register_for_checkpointing(state)
    if run.average is not None:
        accelerator.register_for_checkpointing(run.average)
    if states := saved_states(config.out):
        load_state(accelerator, states[-1])
        if state.best_step:
            check_best(config.out)
    with (
        run.reader,
        Metrics(config.out, state.step, accelerator.is_main_process) as metrics,
        tqdm(
            total=run.steps,
            initial=state.step,
            desc="training",
            disable=not accelerator.is_main_process,
        ) as bar,
    ):
        for epoch, batches in enumerate(run.epochs):
            first = sum(map(len, run.epochs[:epoch]))
            if epoch < state.epochs:
                continue
            left = [
                share_of_process(batch, accelerator.process_index, accelerator.num_processes)
                for batch in batches[state.step - first :]
            ]
            began = time.perf_counter()
            for batch in run.source(left):
                read = time.perf_counter()
                rates = learning_rates(config.optimiser, state.step, run.steps)
                for group in optimiser.param_groups:
                    group["lr"] = rates[group["rate"]]
                with (
                    accelerator.accumulate(task),
                    _stopping(run.task.advice, state.step + 1, rates),
                ):
                    losses = task(batch.to(accelerator.device))
                    numbers = finite(mean_of_processes(accelerator, losses), "loss/")
                    accelerator.backward(losses["total"])
                    if accelerator.sync_gradients:
                        limit = config.optimiser.clip_norm or math.inf
                        norm = accelerator.clip_grad_norm_(task.parameters(), limit)
                        numbers |= finite({"gradient_norm": float(norm)})
                    optimiser.step()
                    optimiser.zero_grad()
                if run.average is not None and accelerator.sync_gradients:
                    run.average.update_parameters(run.task)
                state.step += 1
                numbers |= {"learning_rate": rates[0], "encoder_learning_rate": rates[1]}
                seconds = time.perf_counter() - began
                numbers |= {"seconds": seconds, "data_seconds": read - began}
                metrics.write(state.step, numbers)
                bar.update()
                bar.set_postfix_str(
                    f"loss={numbers['loss/total']:.3f}, {run.task.score_name}={state.best:.1f}"
                )
                due = state.step % config.save_every == 0 and accelerator.sync_gradients
                if due and state.step < first + len(batches):
                    with _stopping(run.task.advice, state.step, rates):
                        run.check_weights()
                    save(accelerator, config.out, state.step)
                began = time.perf_counter()
            state.epochs += 1
            rates = learning_rates(config.optimiser, state.step - 1, run.steps)
            with _stopping(run.task.advice, state.step, rates):
                run.check_weights()
                if state.epochs % config.evaluate_every == 0 or state.step == run.steps:
                    results = run.validate()
                    metrics.write(state.step, _flat(results))
                    score = run.task.score(results) if results else 0.0
                    if not results or score > state.best:
                        state.best, state.results = score, results
                        state.best_step = state.step
                        if accelerator.is_main_process:
                            run.save(config.out / BEST, state)
            save(accelerator, config.out, state.step)
    if accelerator.is_main_process:
        write_result(config.out, state)
    accelerator.wait_for_everyone()
    return config.out / BEST


def _stopping(
    advice: tuple[str, ...], step: int, rates: tuple[float, float]
) -> AbstractContextManager[None]:
    names = ("optimiser.learning_rate", "optimiser.encoder_learning_rate")
    *first, last = "a longer optimiser.warmup", "a smaller optimiser.clip_norm", *advice
    return stopping(step, dict(zip(names, rates, strict=True)), f"{', '.join(first)} or {last}")


def _flat(results: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{d}/{name}": value for d, row in results.items() for name, value in row.items()}
