"""What the server answers to requests that no page of ours sends. Without a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from app.__main__ import stop_on_signals
from app.examples import EXAMPLES
from app.uploads import CLIPS
from support.demo import CAFE, ROOT
from support.patience import PATIENCE

MARKED = {"meta": {"_type": "gradio.FileData"}}
HTTP = httpx.Client(timeout=PATIENCE)
REFUSED = "Only a file that was uploaded to this server can be opened"


@pytest.fixture(scope="module")
def endpoints(server):
    """Everything that can be called, by its number; a new tab's endpoints too."""
    config = HTTP.get(f"{server}/config").json()
    return {each["id"]: each for each in config["dependencies"] if each["backend_fn"]}


@pytest.fixture(scope="module")
def explain_number(endpoints):
    return next(id for id, each in endpoints.items() if each["api_name"] == "explain")


@pytest.fixture(scope="module")
def uploaded(server):
    """The path that the server gave to a clip."""
    with CAFE.open("rb") as file:
        return HTTP.post(f"{server}/gradio_api/upload", files={"files": file}).json()[0]


def call(server, number, data, **body):
    """The answer of the direct route: its data, or its error."""
    body = {"data": data, "fn_index": number, "session_hash": "of nobody"} | body
    answer = HTTP.post(f"{server}/gradio_api/run/any", json=body).json()
    return answer["error"] if "error" in answer else answer["data"]


def foreign(folder, server_files):
    """Names of files that were not uploaded, there and not there, in every disguise."""
    video, missing = folder / "private.mp4", folder / "missing.mp4"
    if not video.exists():
        shutil.copy(CAFE, video)
    server_files.mkdir(exist_ok=True)
    link = server_files / "link.mp4"
    if not link.is_symlink():
        link.symlink_to(video)
        (server_files / "round").symlink_to(server_files / "round")
    names = [
        str(video),
        str(missing),
        "/etc/passwd",
        "~/.bashrc",
        os.path.relpath(video),
        "private.mp4",
        f"file://{video}",
        f"http://127.0.0.1:1/{video}",
        "https://example.com/a.mp4",
        str(link),
        f"{server_files}/../private.mp4",
        f"{server_files}/..{video}",
        str(server_files),
        f"{server_files}/round",
        f"{server_files}-other/a.mp4",
        f"{server_files}/a\0.mp4",
        "",
        ".",
        str(CLIPS),
        f"{CLIPS}/../README.md",
        "app.py",
        "/proc/self/environ",
        "/dev/zero",
    ]
    return [*names, None, 5, ["a.mp4"], {"path": str(video)}]


def test_a_foreign_file_is_refused_whatever_it_is_called(
    server, server_files, tmp_path_factory, explain_number, uploaded
):
    """One answer for all: nobody learns which files there are."""
    folder = tmp_path_factory.mktemp("private")

    def disguises(name):
        for extra in (MARKED, {}, {"meta": {"_type": "other"}}, MARKED | {"url": uploaded}):
            file = {"path": name} | extra
            yield from (file, [file], {"video": file})
            yield {"path": uploaded, **MARKED, "more": [{"deep": file}]}

    first, *names = foreign(folder, server_files)
    values = [*disguises(first), *({"path": name} for name in names)]
    values += [{"path": name} | MARKED for name in names]
    for value in values:
        answer = call(server, explain_number, [value, "a cat", "auto", 1, "fixed"])
        assert answer.startswith(REFUSED), (value, answer)


def test_every_endpoint_refuses_a_foreign_file(server, endpoints):
    assert len(endpoints) >= 6
    for number, endpoint in endpoints.items():
        for place in range(len(endpoint["inputs"])):
            for value in ({"path": "/etc/passwd"}, [[{"a": {"path": "/no"} | MARKED}]]):
                data = [None] * len(endpoint["inputs"])
                data[place] = value
                answer = call(server, number, data)
                assert answer.startswith(REFUSED), (endpoint["api_name"], place, answer)
        data = [None] * len(endpoint["inputs"])
        answer = call(server, number, data, event_data={"value": {"path": "/etc/passwd"}})
        assert answer.startswith(REFUSED), endpoint["api_name"]


def test_the_queue_refuses_too(server, explain_number):
    data = [{"path": "/etc/passwd"}, "a cat", "auto", 3, "fixed"]
    event = HTTP.post(f"{server}/gradio_api/call/explain", json={"data": data}).json()["event_id"]
    answer = HTTP.get(f"{server}/gradio_api/call/explain/{event}").text
    assert answer.startswith("event: error")
    assert REFUSED in answer

    session = uuid.uuid4().hex
    body = {"data": data, "fn_index": explain_number, "session_hash": session}
    HTTP.post(f"{server}/gradio_api/queue/join", json=body).raise_for_status()
    queue = f"{server}/gradio_api/queue/data?session_hash={session}"
    with HTTP.stream("GET", queue) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                break
    assert not message["success"]
    assert message["output"]["error"].startswith(REFUSED)


def test_files_of_the_server_are_not_served(server):
    for name in ("/etc/passwd", "/etc/missing", "app.py", f"{CLIPS}/../README.md"):
        assert HTTP.get(f"{server}/gradio_api/file={name}").status_code == 403


def test_components_have_no_functions_of_their_own(server):
    """These would take values past the place where requests are looked at."""
    components = HTTP.get(f"{server}/config").json()["components"]
    assert not [each for each in components if each["props"].get("server_fns")]


def test_an_uploaded_file_and_an_example_are_explained(server, explain_number, uploaded):
    for file in (
        {"path": uploaded} | MARKED,
        {"path": uploaded},
        {"path": str(CLIPS / "cafe.mp4")},
    ):
        answer = call(server, explain_number, [file, "a cat", "auto", 1, "fixed"])
        assert answer[0]["video"]["name"] == "cafe.mp4"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, None, "Choose a video first"),
        (0, "", "Choose a video first"),
        (0, "path", REFUSED),
        (0, 5, REFUSED),
        (1, 5, "The caption is 5, which is no text"),
        (1, ["a"], "no text"),
        (1, None, "The caption is empty"),
        (1, "a" * 20_001, "20,001 characters; this page takes 20,000"),
        (1, "猫。狗", "Write it in English"),
        (2, 3, "no encoder 3 here: use auto, lite, open_clip"),
        (2, {"a": 1}, "no encoder"),
        (2, "open_clip:ViT-B-32:/etc/passwd", "no encoder"),
        (3, "x", "'x' frames were asked for; use a whole number, 1 to 64"),
        (3, 2.5, "2.5 frames were asked for"),
        (3, True, "True frames were asked for"),
        (3, 65, "65 frames were asked for"),
        (4, ["fixed"], "weighting is"),
        (4, None, "weighting is"),
    ],
)
def test_values_of_a_wrong_type(server, explain_number, uploaded, place, value, message):
    data = [{"path": uploaded} | MARKED, "a cat", "auto", 3, "fixed"]
    data[place] = value
    assert message in call(server, explain_number, data)


def test_values_that_components_cannot_take(server, endpoints):
    """Also of the page's own endpoints, which are as open as the others: always a sentence."""
    for number, endpoint in endpoints.items():
        if endpoint["inputs"]:
            assert "not of the types" in call(server, number, [])
        for value in ("x", 5, [5], {"a": 1}, True):
            answer = call(server, number, [value] * len(endpoint["inputs"]))
            assert answer is not None, (endpoint["api_name"], value)


def test_a_session_exports_what_it_explained(server, server_files, endpoints, uploaded):
    """The file lies in a folder of its own that nobody can guess, and nowhere twice."""
    numbers = {each["api_name"]: id for id, each in endpoints.items()}
    session = {"session_hash": uuid.uuid4().hex}
    file = {"path": uploaded} | MARKED
    call(server, numbers["explain_and_draw"], [file, "a cat", "auto", 1, "fixed"], **session)
    before = set(server_files.rglob("*.zip"))
    path = call(server, numbers["export"], [None, "column", "sans", None], **session)[0]["path"]
    assert set(server_files.rglob("*.zip")) - before == {Path(path)}
    assert len(HTTP.get(f"{server}/gradio_api/file={path}").content) > 1000
    another = {"session_hash": uuid.uuid4().hex}
    other = call(server, numbers["export"], [None, "column", "sans", None], **another)
    assert Path(other[0]["path"]).name == f"hbi-{EXAMPLES[0].name}.zip"  # what the page opens with


def test_signals_that_stop_the_server():
    """As Ctrl+C does; but one that was told to outlive its terminal does."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        stop_on_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        stop_on_signals()
        for number in numbers:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_a_server_that_is_stopped_ends_quietly():
    """While it starts, and while a thread is within torch, which Python would abort for."""
    ended = subprocess.run(
        [sys.executable, "app.py", "--model", "support.interrupted_model:interrupted"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
