"""What is not on this machine: asked for once, only when it was wanted, of a hub that is none."""

from __future__ import annotations

import hashlib
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import open_clip
import pytest

from hbi_core.encoders import download_encoder, load_encoder
from hbi_core.encoders.hub import HubFile, check_network
from hbi_core.encoders.open_clip_files import ModelFiles
from hbi_core.errors import WeightsError
from hbi_core.explain import main
from support.demo import CAFE
from support.open_clip_models import write_model
from support.patience import PATIENCE

COMMIT = "0" * 40
WEIGHTS = HubFile("the weights", "people/model", ("a.safetensors", "b.bin"))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A cache with nothing in it; an answer of the hub is waited for."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("hbi_core.encoders.hub.PATIENCE", PATIENCE)
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", PATIENCE)
    return tmp_path / "cache"


@pytest.fixture
def hub(empty, monkeypatch):
    """A hub on this machine: its files, to be filled, and the requests that it answered."""
    files: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(send=False)

        def do_GET(self):
            self.answer(send=True)

        def answer(self, send):
            asked.append(f"{self.command} {self.path}")
            content = b"" if self.path == "/" else files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("X-Repo-Commit", COMMIT)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            else:
                self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.end_headers()
            if send and content:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield files, asked
        server.shutdown()


@pytest.fixture
def no_network(monkeypatch):
    """The connections that were tried."""
    tried = []

    def refused(*address):
        tried.append(address)
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    return tried


def test_a_file_is_fetched_once(hub, capsys, monkeypatch):
    """With a progress bar on a terminal; a second time, nothing is asked."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    files, asked = hub
    files["/people/model/resolve/main/b.bin"] = b"weights" * 1000
    assert WEIGHTS.cached() is None
    ModelFiles(WEIGHTS, None, None).fetch()
    assert WEIGHTS.cached().read_bytes() == b"weights" * 1000
    assert "100%" in capsys.readouterr().err
    assert asked.count("GET /people/model/resolve/main/b.bin") == 1
    before = len(asked)
    ModelFiles(WEIGHTS, None, None).fetch()
    assert ModelFiles(WEIGHTS, None, None).found("x").weights == WEIGHTS.cached()
    assert len(asked) == before


def test_a_hub_that_does_not_have_it(hub):
    with pytest.raises(WeightsError, match=r"people/model has none of a.safetensors, b.bin"):
        WEIGHTS.fetch()


def test_a_model_is_fetched_from_its_tag_and_loads(hub, tmp_path, monkeypatch):
    files, _ = hub
    name, file = write_model("mobileclip", tmp_path)
    source = {"hf_hub": "people/tiny/", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    source |= {"interpolation": "bilinear", "resize_mode": "squash"}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: source)
    files["/people/tiny/resolve/main/open_clip_model.safetensors"] = file.read_bytes()
    with pytest.raises(WeightsError, match=f"--encoder open_clip:{name}:any --download"):
        load_encoder(f"open_clip:{name}:any")
    download_encoder(f"open_clip:{name}:any")
    encoder = load_encoder(f"open_clip:{name}:any")
    known = encoder.model.visual.preprocess_cfg
    assert (known["mean"], known["interpolation"]) == ((0.5,) * 3, "bilinear")
    assert known["resize_mode"] == "squash"


def test_without_a_network_it_is_told_after_one_request(empty, no_network, capsys):
    """One attempt, where the hub's own downloads make five."""
    arguments = [str(CAFE), "a cat", "--out", str(empty), "--encoder", "open_clip", "--download"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "cannot be reached" in error
    assert "open_clip:MODEL:FILE" in error
    assert len(error.splitlines()) == 1
    assert len(no_network) == 1
    assert not empty.exists()


def test_a_name_that_is_never_resolved_is_not_waited_for(monkeypatch):
    ended = Event()

    def stuck(*_, **__):
        ended.wait()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        with pytest.raises(WeightsError, match=r"no answer within 0.01 s"):
            check_network(patience=0.01)
    finally:
        ended.set()


def test_nothing_is_fetched_that_nobody_asked_for(empty, no_network, capsys):
    """Nor for an encoder that lacks nothing."""
    options = [str(CAFE), "a cat", "--out", str(empty), "--encoder", "open_clip"]
    assert main(options) == 2
    assert "--download" in capsys.readouterr().err
    download_encoder("lite")
    download_encoder("auto")
    assert not no_network
