"""The repository itself: who may import whom, and what a Hugging Face Space needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest
import yaml
from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from support.demo import ROOT

PACKAGES = ("explainers", "hbi_core", "app")  # each may import those before it
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    for name in imported(path):
        top = name.split(".")[0]
        if top in PACKAGES:
            assert PACKAGES.index(top) <= PACKAGES.index(package), f"{path} imports {name}"
        assert top not in ("tests", "benchmarks", "assets"), f"{path} imports {name}"
        if package != "app":
            assert top != "gradio", f"{path} imports gradio"
        if package == "explainers":
            assert top not in ("transformers", "timm", "open_clip", "PIL", "av"), path


EXPLAINERS = sorted((ROOT / "explainers").rglob("*.py"))


@pytest.mark.parametrize("path", EXPLAINERS, ids=lambda path: path.name)
def test_the_mathematics_stands_alone(path):
    """Its code needs three packages, and its texts name nothing that is built on it."""
    tops = {name.split(".")[0] for name in imported(path)}
    assert tops - sys.stdlib_module_names <= {"torch", "numpy", "networkx", "explainers"}
    for package in PACKAGES[1:]:
        assert not re.search(rf"\b{package}\b", path.read_text()), package


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_video_is_decoded_in_one_place(path):
    if path.parent != ROOT / "hbi_core" / "inputs" or path.stem not in ("packets", "decoding"):
        assert "av" not in imported(path)


def test_the_training_loop_knows_no_task_and_no_model():
    """What it needs of them, `hbi_core.tasks.base` says and `hbi_core.training.run` gives."""
    for name in imported(ROOT / "hbi_core" / "training" / "loop.py"):
        assert not name.startswith(("hbi_core.tasks", "hbi_core.model")), name


def room(module: str) -> str:
    """The folder or file of a package that a module stands in: hbi_core.model, hbi_core.losses."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("place", [str, room], ids=["module", "room"])
def test_nothing_imports_itself_in_a_circle(place):
    """Neither a module nor a room; imports inside functions count too."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
    }
    graph = nx.DiGraph()
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                graph.add_edge(place(module), place(inner if inner in modules else node.module))
    assert "hbi_core.pipeline" in graph
    circles = [part for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert circles == []


def test_the_tests_mirror_the_packages():
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    assert {folder.parts[0] for folder in folders} == set(PACKAGES)
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_no_two_test_files_have_one_name():
    """pytest imports them by it."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in set(names) if names.count(name) > 1] == []


_OTHER_ENCODER = "whoever takes another encoder need not wait for it"
_TO_TRAIN = "retrieval needs no requirements-train.txt"
_TO_SERVE = "--help answers at once, and gradio reads what the environment says when it is imported"
_TO_SAVE = "matplotlib takes its time, and not everything is saved"
_TO_SHOW = "not everybody is in a notebook"
LATE = {  # what a module imports inside a function, and why
    ("app.__main__", "gradio"): _TO_SERVE,
    ("app.__main__", "app.export"): _TO_SERVE,
    ("app.__main__", "app.page"): _TO_SERVE,
    ("app.__main__", "app.session"): _TO_SERVE,
    ("app.__main__", "app.zero_gpu"): _TO_SERVE,
    ("app.__main__", "hbi_core.devices"): _TO_SERVE,
    ("app.__main__", "hbi_core.encoders"): _TO_SERVE,
    ("app.__main__", "hbi_core.errors"): _TO_SERVE,
    ("app.__main__", "hbi_core.own_model"): _TO_SERVE,
    ("app.__main__", "hbi_core.shipped"): _TO_SERVE,
    ("hbi_core.encoders.loading", "hbi_core.encoders.lite"): _OTHER_ENCODER,
    ("hbi_core.encoders.lite", "transformers"): _OTHER_ENCODER,
    ("hbi_core.encoders.word_pieces", "transformers"): _OTHER_ENCODER,
    ("hbi_core.encoders.word_pieces", "tokenizers"): _OTHER_ENCODER,
    ("hbi_core.encoders.open_clip", "open_clip"): _OTHER_ENCODER,
    ("hbi_core.encoders.hub", "huggingface_hub"): _OTHER_ENCODER,
    ("hbi_core.encoders.open_clip_files", "open_clip"): _OTHER_ENCODER,
    ("hbi_core.encoders.open_clip", "torchvision"): _OTHER_ENCODER,
    ("hbi_core.encoders.open_clip", "PIL"): _OTHER_ENCODER,
    ("hbi_core.checkpoints.published", "open_clip"): "checkpoints without a CLIP need it not",
    ("hbi_core.evaluate", "hbi_core.training.ablation"): _TO_TRAIN,
    ("hbi_core.evaluate", "hbi_core.training.config_file"): _TO_TRAIN,
    ("hbi_core.tasks.captioning_metrics", "pycocoevalcap"): "to write captions needs it not",
    ("hbi_core.answered", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.contrasted", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.contrasted", "hbi_core.figures.contrast_html"): _TO_SHOW,
    ("hbi_core.described", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.exact_vs_estimated", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.explanation", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.search_result", "hbi_core.export"): _TO_SAVE,
    ("hbi_core.explanation", "hbi_core.figures.coalition_html"): _TO_SHOW,
    ("hbi_core.inputs.video", "hbi_core.checks"): "torch, which the process that decodes lacks",
}


def test_modules_import_at_their_top():
    found = set()
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom):
                    names = {node.module}
                elif isinstance(node, ast.Import):
                    names = {alias.name for alias in node.names}
                else:
                    continue
                own = {name for name in names if name.split(".")[0] in PACKAGES}
                found |= {(module, name) for name in own}
                found |= {(module, name.split(".")[0]) for name in names - own}
    assert found == set(LATE)


# What the head of a Space's README may say: huggingface.co/docs/hub/spaces-config-reference.
SPACE_FIELDS = {
    "title",
    "emoji",
    "colorFrom",
    "colorTo",
    "sdk",
    "sdk_version",
    "python_version",
    "suggested_hardware",
    "suggested_storage",
    "app_file",
    "app_build_command",
    "app_port",
    "base_path",
    "fullWidth",
    "header",
    "short_description",
    "models",
    "datasets",
    "tags",
    "thumbnail",
    "pinned",
    "license",
    "hf_oauth",
    "hf_oauth_scopes",
    "hf_oauth_expiration_minutes",
    "hf_oauth_authorized_org",
    "disable_embedding",
    "startup_duration_timeout",
    "custom_headers",
    "preload_from_hub",
}
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
# What ZeroGPU takes, by its documentation of July 2026.
ZERO_GPU_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
ZERO_GPU_PYTHON = ("3.12.12", "3.10.13")


def space() -> dict:
    """The head of the README, which configures a Space."""
    return yaml.safe_load((ROOT / "README.md").read_text().split("---\n")[1])


def required(name: str) -> SpecifierSet:
    """The versions of a package that requirements.txt takes."""
    lines = [line.split("#")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    wanted = {one.name: one.specifier for one in map(Requirement, filter(str.strip, lines))}
    return wanted[name]


def test_a_space_starts_as_it_is():
    settings = space()
    assert set(settings) <= SPACE_FIELDS
    assert settings["sdk"] == "gradio"
    assert (ROOT / settings["app_file"]).is_file()
    assert settings["sdk_version"] in required("gradio")
    assert {settings["colorFrom"], settings["colorTo"]} <= SPACE_COLOURS
    assert len(settings["short_description"]) <= 60
    assert settings["thumbnail"].startswith("https://")
    assert all(isinstance(tag, str) for tag in settings["tags"])
    for preloaded in settings["preload_from_hub"]:
        assert preloaded.split()[0] in settings["models"]


def test_a_space_starts_on_zero_gpu():
    assert space()["suggested_hardware"] == SpaceHardware.ZERO_A10G.value
    assert space()["python_version"] in ZERO_GPU_PYTHON
    torch = required("torch")
    assert [version for version in ZERO_GPU_TORCH if version not in torch] == []
    assert [version for version in ("2.7.1", "2.12.0", "3.0.0") if version in torch] == []
    project = (ROOT / "pyproject.toml").read_text()
    python = SpecifierSet(re.search(r'^requires-python = "(.+)"$', project, re.M).group(1))
    assert all(version in python for version in ZERO_GPU_PYTHON)
    for path in SOURCES:
        assert "torch.compile(" not in path.read_text(), path


def test_the_page_of_a_space_stands_on_those_of_the_papers():
    """Hugging Face reads links to arXiv out of the README."""
    text = (ROOT / "README.md").read_text()
    for paper in ("2303.14369", "2412.20964"):
        assert f"https://arxiv.org/abs/{paper}" in text


def test_no_file_is_over_10_mb():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        assert not path.exists() or path.stat().st_size < 10_000_000, name


def test_demo_clips_are_small():
    clips = list((ROOT / "assets" / "clips").glob("*.mp4"))
    assert len(clips) == 3
    for clip in clips:
        assert clip.stat().st_size < 1_000_000
        assert clip.name in (ROOT / "assets" / "README.md").read_text()
