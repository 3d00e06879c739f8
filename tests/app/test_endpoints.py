"""What other programs ask of the page: names and types, and the example that does it."""

from __future__ import annotations

import importlib
import json
import zipfile

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pypdf import PdfReader

from support.demo import CAFE, CAFE_CAPTION
from support.patience import PATIENCE

ASKED = {
    "encoder": {"enum": ["auto", "lite", "open_clip"]},
    "frames": {"type": "integer"},
    "weighting": {"enum": ["renormalised", "fixed"]},
}
ENDPOINTS = {
    "/explain": ASKED,
    "/contrast": {
        "other_caption": {"type": "string"},
        "other_encoder": {"enum": ["same", "auto", "lite", "open_clip"]},
        **ASKED,
    },
    "/ask": {name: ASKED[name] for name in ("frames", "weighting")},
    "/describe": {
        "frames": {"type": "integer"},
        "beams": {"oneOf": [{"type": "null"}, {"type": "integer"}]},
    },
    "/exact_vs_estimated": {
        "level": {"enum": ["entity", "action", "event"]},
        "budgets": {"type": "array", "items": {"type": "integer"}},
        "seeds": {"type": "integer"},
        "first_seed": {"type": "integer"},
        "limit_seconds": {"type": "number"},
        **ASKED,
    },
    "/figure": {
        "format": {"enum": ["pdf", "svg", "png"]},
        "width": {"enum": ["text", "column"]},
        "font": {"enum": ["sans", "serif"]},
        "view": {"type": "string"},
        **ASKED,
    },
}


@pytest.fixture(scope="module")
def client(server):
    return Client(server, verbose=False, httpx_kwargs={"timeout": PATIENCE})


@pytest.fixture
def asked():
    return {"video": handle_file(str(CAFE)), "caption": CAFE_CAPTION}


def test_endpoints_tell_their_arguments(client):
    told = client.view_api(return_format="dict")["named_endpoints"]
    for name, types in ENDPOINTS.items():
        video, *others = told[name]["parameters"]
        assert video["parameter_name"] == "video"
        if name != "/describe":  # which makes its own
            assert others.pop(0)["type"] == {"type": "string"}
        found = {one["parameter_name"]: one["type"] for one in others}
        found.pop("other_video", None)  # a file, as the first one is
        assert found == types
        assert all(one["parameter_has_default"] for one in others)


def test_a_description(client, asked):
    found = client.predict(video=asked["video"], frames=2, api_name="/describe")
    assert found["schema"] == "hbi-description/1"
    assert found["explanation"]["caption"] == found["caption"] == found["captions"][0]["text"]
    two = client.predict(video=asked["video"], frames=2, beams=2, api_name="/describe")
    assert len(two["captions"]) == 2
    with pytest.raises(AppError, match="0 frames were asked for"):
        client.predict(video=asked["video"], frames=0, api_name="/describe")
    with pytest.raises(AppError, match="0 beams were asked for"):
        client.predict(video=asked["video"], beams=0, api_name="/describe")


def test_a_contrast(client, asked):
    result = client.predict(**asked, other_caption="a rocket", frames=2, api_name="/contrast")
    assert result["schema"] == "hbi-contrast/1"
    assert result["differs"] == ["caption"]
    with pytest.raises(AppError, match="A and B are the same"):
        client.predict(**asked, frames=2, api_name="/contrast")


def test_endpoints_are_described(server):
    """For programs that know nothing of this page; nothing else of it is shown to them."""
    schema = httpx.get(f"{server}/gradio_api/openapi.json", timeout=PATIENCE).json()
    told = {
        path.rsplit("/", 1)[-1]: operation["post"]
        for path, operation in schema["paths"].items()
        if "post" in operation and "upload" not in path
    }
    assert {name.strip("/") for name in ENDPOINTS} <= set(told)
    for name, operation in told.items():
        text = json.dumps(operation)
        assert "Args:" not in text, name
        assert len(operation.get("description") or operation["summary"]) > 60, name


def test_clips_are_searched(client, tmp_path):
    """Of uploads and archives; the demo clips without any."""
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as bundle:
        bundle.write(CAFE, "in/cafe.mp4")
        bundle.writestr("notes.txt", b"")
    uploads = [handle_file(str(tmp_path / "clips.zip")), handle_file(str(CAFE))]
    query, asked = "a cup of coffee", {"frames": 2, "api_name": "/search"}
    found = client.predict(uploads, query, **asked)
    assert found["schema"] == "hbi-search/1"
    assert sorted(hit["name"] for hit in found["hits"]) == ["cafe.mp4", "in/cafe.mp4"]
    assert [one["name"] for one in found["skipped"]] == ["notes.txt"]
    demo = client.predict([], query, top=1, **asked)
    assert (demo["clips"], len(demo["hits"])) == (3, 1)
    for clips, more, message in [
        (uploads, {"query": "?"}, "only punctuation"),
        ([{"path": "/etc/passwd"}], {"query": query}, "Only a file that was uploaded"),
        ([], {"query": query, "top": 0}, "0 hits were asked for"),
    ]:
        with pytest.raises(AppError, match=message):
            client.predict(clips, **more, **asked)


def test_the_figure_is_a_file(client, asked, tmp_path):
    asked |= {"width": "column", "font": "serif", "view": "levels=event"}
    file = client.predict(**asked, api_name="/figure")
    page = PdfReader(file).pages[0]
    assert float(page.mediabox.width) == pytest.approx(3.25 * 72)
    with pytest.raises(AppError, match="top is 0: use"):
        client.predict(**asked | {"view": "top=0"}, api_name="/figure")
    with pytest.raises(AppError, match="no format 'gif': use pdf, svg, png"):
        client.predict(**asked, format="gif", api_name="/figure")
    with pytest.raises(AppError, match="width"):
        client.predict(**asked | {"width": "page"}, api_name="/figure")


def test_methods_are_compared(client, asked):
    answer = client.predict(
        **asked, level="event", budgets=[64], limit_seconds=0, api_name="/exact_vs_estimated"
    )
    assert answer["schema"] == "hbi-comparison/1"
    assert {row["method"] for row in answer["rows"]} >= {"closed_form", "sampling", "estimator"}
    for wrong, message in [
        ({"limit_seconds": 1e9}, "use a number, 0 to 120"),
        ({"budgets": "many"}, "sampling budgets are a list"),
        ({"first_seed": None}, "Give the first seed"),
    ]:
        with pytest.raises(AppError, match=message):
            client.predict(**asked, **wrong, level="event", api_name="/exact_vs_estimated")


def test_the_example_keeps_numbers_and_figure(server, tmp_path, capsys, explanation):
    example = importlib.import_module("examples.page_client")
    example.main([server, str(CAFE), CAFE_CAPTION, "--out", str(tmp_path / "out")])
    kept = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    assert kept["levels"] == explanation.to_dict()["levels"]
    assert (tmp_path / "out" / "figure.pdf").read_bytes().startswith(b"%PDF")
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["entity", "action", "event"]


def test_mcp_says_what_it_lacks(monkeypatch):
    from app import __main__ as entry

    monkeypatch.setattr("sys.argv", ["app", "--mcp"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"gradio\[mcp\]"):
        entry.main()
