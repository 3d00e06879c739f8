"""A stand-in for the package of this name on ZeroGPU, for a machine without a GPU.

As there, torch says that there is a GPU; models go to "cuda" in the main thread before the page is
launched; and a task runs in a forked process, to and from which everything is pickled. In the
server's other threads nothing can be put on "cuda". What was lent is written to $SPACES_LOG, a line
for each task; while the file $SPACES_LOG.spent exists, the quota is spent.
"""

from __future__ import annotations

import functools
import inspect
import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import torch
from torch.overrides import TorchFunctionMode

_LOG = Path(os.environ["SPACES_LOG"])
_FORK = multiprocessing.get_context("fork")


class _CudaIsHere(TorchFunctionMode):
    """Tensors that are put on "cuda" stay where they are."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        def here(value):
            is_device = isinstance(value, str | torch.device) and str(value).startswith("cuda")
            return "cpu" if is_device else value

        keywords = {name: here(value) for name, value in (keywords or {}).items()}
        return function(*map(here, arguments), **keywords)


torch.cuda.is_available = lambda: True
torch.cuda.get_device_name = lambda *_: "a GPU that was lent"
torch.cuda.synchronize = lambda *_: None
_CudaIsHere().__enter__()  # in this thread alone


def GPU(duration=60):  # noqa: N802  its name there
    def decorated(task):
        @functools.wraps(task)
        def lent(*inputs, **more):
            if _LOG.with_suffix(".spent").exists():
                raise gr.Error(
                    "You have exceeded your free ZeroGPU quota (15s requested vs. 3s left). "
                    "Try again in 5:00:00.",
                    title="ZeroGPU quota exceeded",
                )
            seconds = duration(*inputs, **more) if callable(duration) else duration
            with _LOG.open("a") as log:
                log.write(f"{task.__name__} {seconds}\n")
            arguments, results = _FORK.SimpleQueue(), _FORK.SimpleQueue()
            worker = _FORK.Process(
                target=_work, args=(task, arguments, results, os.getpid()), daemon=True
            )
            worker.start()
            arguments.put((inputs, more))
            outcome, error = results.get()
            arguments.put(None)  # tensors that it shares were taken
            worker.join()
            if error:
                raise gr.Error(error, title="ZeroGPU worker error")
            return outcome

        assert not inspect.isgeneratorfunction(task)
        return lent

    return decorated


def _work(task, arguments, results, parent):
    assert os.getpid() != parent
    inputs, more = arguments.get()

    def run():
        with _CudaIsHere():
            try:
                outcome = task(*inputs, **more)
                pickle.dumps(outcome)
                return outcome, None
            except Exception as error:
                return None, type(error).__name__  # all that is told of it there

    with ThreadPoolExecutor(1) as threads:
        results.put(threads.submit(run).result())
    arguments.get()
