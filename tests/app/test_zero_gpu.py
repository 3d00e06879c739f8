"""The page as ZeroGPU runs it: a GPU that is lent to a forked process, and none elsewhere.

The package `spaces` is one of ours that behaves alike (tests/support/zero_gpu).
"""

from __future__ import annotations

import json

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.zero_gpu import ENCODING_SECONDS, refusal, with_gpu
from hbi_core.exact_vs_estimated import compare_level
from support.demo import CAFE, CAFE_CAPTION, ROOT
from support.patience import PATIENCE


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A line for each task that was lent a GPU."""
    file = tmp_path_factory.mktemp("zero_gpu") / "lent.log"
    file.touch()
    return file


@pytest.fixture(scope="module")
def client(serve, log, tmp_path_factory):
    variables = {
        "SPACES_ZERO_GPU": "true",
        "SPACES_LOG": str(log),
        "PYTHONPATH": str(ROOT / "tests" / "support" / "zero_gpu"),
    }
    with serve(tmp_path_factory.mktemp("server") / "gradio", variables) as address:
        yield Client(address, verbose=False, httpx_kwargs={"timeout": PATIENCE})


def asked(client, log, endpoint="/explain", video=CAFE, **settings):
    """What is answered, and which tasks were lent a GPU for it."""
    log.write_text("")
    given = {"video": handle_file(str(video)), "caption": CAFE_CAPTION} | settings
    answer = client.predict(**given, api_name=endpoint)
    return answer, log.read_text().splitlines()


def test_frames_are_encoded_on_the_gpu_and_nothing_else(client, log, explanation):
    answer, lent = asked(client, log)
    assert lent == [f"_frame_features {ENCODING_SECONDS}"]
    assert answer["levels"] == explanation.to_dict()["levels"]
    again, lent = asked(client, log, caption="another caption", weighting="fixed")
    assert lent == []
    assert again["caption"] == "another caption"


def test_methods_run_on_the_gpu(client, log, explanation):
    asked(client, log)
    answer, lent = asked(
        client,
        log,
        "/exact_vs_estimated",
        level="event",
        budgets=[64],
        seeds=1,
        limit_seconds=7,
    )
    assert lent == ["_compare 27"]
    here = json.loads(compare_level(explanation, "event", [64], [0], 7).to_json())
    for name in ("enumeration", "sampling", "estimator"):
        there_values, here_values = (
            [row["values"] for row in told["rows"] if row["method"] == name]
            for told in (answer, here)
        )
        assert there_values == here_values


def test_what_is_wrong_is_told_from_there(client, log):
    with pytest.raises(AppError, match="There is no level 'word'"):
        asked(client, log, "/exact_vs_estimated", level="word")


def test_a_spent_quota_says_what_to_do(client, log):
    """What was looked at before is still answered."""
    asked(client, log)
    log.with_suffix(".spent").touch()
    try:
        with pytest.raises(AppError, match=r"3s left.*Sign in at huggingface\.co"):
            asked(client, log, frames=5)
        answer, _ = asked(client, log, caption="a cat")
        assert answer["caption"] == "a cat"
    finally:
        log.with_suffix(".spent").unlink()


def test_what_a_visitor_can_do():
    busy = gr.Error("No GPU was available", title="ZeroGPU client error")
    assert refusal(busy) == "No GPU was available. Try again in a minute."


def test_elsewhere_a_task_is_itself():
    def task():
        return 1

    assert with_gpu(10)(task) is task
