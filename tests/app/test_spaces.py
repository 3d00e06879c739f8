"""The page with the package of Hugging Face's ZeroGPU, before a server that lends GPUs as they do.

No GPU is here: a task that is lent one fails where CUDA starts.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hbi_core.encoders import build_encoder
from support.demo import CAFE, CAFE_CAPTION
from support.patience import PATIENCE

LENT = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
SPENT = {"left": 3, "wait": "PT1H"}


class Lender(ThreadingHTTPServer):
    """Answers as the host's API of devices does.

    Attributes:
        asked: paths of all requests.
        is_spent: whether the quota is.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []
        self.is_spent = False


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self):
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        status, told = 200, {}
        if path == "/schedule":
            status, told = (429, SPENT) if self.server.is_spent else (200, LENT)
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def lender():
    with Lender() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The folder of what is to go to a GPU."""
    return tmp_path_factory.mktemp("packed")


@pytest.fixture(scope="module")
def client(serve, lender, packed, tmp_path_factory):
    variables = {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{lender.server_port}",
        "ZEROGPU_OFFLOAD_DIR": str(packed),
    }
    with serve(tmp_path_factory.mktemp("server") / "gradio", variables) as address:
        yield Client(address, verbose=False, httpx_kwargs={"timeout": PATIENCE})


def explain(client, **settings):
    given = {"video": handle_file(str(CAFE)), "caption": CAFE_CAPTION} | settings
    return client.predict(**given, api_name="/explain")


def test_the_page_starts_with_its_encoder_ready_for_a_gpu(client, lender, packed):
    assert "/startup-report" in lender.asked
    tensors = build_encoder("lite").state_dict().values()
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert sum(file.stat().st_size for file in packed.iterdir()) >= size


def test_a_spent_quota_says_what_to_do(client, lender):
    lender.is_spent = True
    try:
        with pytest.raises(AppError, match=r"Sign in at huggingface\.co"):
            explain(client)
    finally:
        lender.is_spent = False


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA starts on this machine")
def test_a_gpu_that_fails_is_told_and_given_back(client, lender):
    lender.asked.clear()
    with pytest.raises(AppError, match=r"GPU that was lent failed: RuntimeError\. Try again"):
        explain(client)
    assert lender.asked == ["/schedule", "/allow", "/release"]
