"""The wheel: it holds every package and what we ship, and `explainers` needs little."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from support.demo import ROOT

_BLOCK_ALL_BUT = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the content of the wheel that a clean copy of the repository gives."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    source = tmp_path_factory.mktemp("source")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    folder = tmp_path_factory.mktemp("wheel")
    alone = ["--no-deps", "--no-build-isolation", "--quiet"]
    build = [sys.executable, "-m", "pip", "wheel", str(source), *alone]
    subprocess.run([*build, "--wheel-dir", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def run(installed, program):
    environment = {"PYTHONPATH": str(installed), "PATH": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=installed, env=environment, capture_output=True, text=True, check=False
    )


def test_every_package_and_every_shipped_file_is_there(installed):
    for package in ("explainers", "hbi_core", "app"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".typed"):
                assert (installed / path.relative_to(ROOT)).is_file(), path
    for path in (ROOT / "assets").rglob("*"):
        if path.suffix in (".safetensors", ".mp4", ".css", ".js", ".json"):
            assert (installed / "hbi_core" / path.relative_to(ROOT)).is_file(), path


def test_explainers_needs_torch_numpy_and_networkx_only(installed):
    blocked = {"hbi_core", "app", "transformers", "timm", "open_clip", "gradio", "matplotlib"}
    blocked |= {"plotly", "PIL", "av", "tqdm", "safetensors", "scipy", "accelerate"}
    result = run(
        installed,
        _BLOCK_ALL_BUT.format(blocked=blocked)
        + "import torch; from explainers import SimilarityGame, closed_form\n"
        + "print(closed_form(SimilarityGame(torch.eye(2), torch.zeros(2), torch.zeros(2))).method)",
    )
    assert result.stdout == "closed_form\n", result.stderr


def test_the_page_can_be_started(installed):
    """By the script that pip makes of the entry point, and as a module."""
    script = """
import sys
from importlib.metadata import distribution
(page,) = distribution("hbi").entry_points.select(name="hbi-page")
sys.argv = ["hbi-page", "--help"]
page.load()()
"""
    module = (
        "import runpy, sys; sys.argv = ['', '--help']; runpy.run_module('app', None, '__main__')"
    )
    for program in (script, module):
        result = run(installed, program)
        assert result.returncode == 0, result.stderr
        assert "--max-waiting" in result.stdout


def test_the_shipped_heads_are_found(installed):
    result = run(
        installed,
        "from hbi_core.checkpoints.checkpoint import SHIPPED, load_checkpoint; "
        "print(SHIPPED, load_checkpoint(SHIPPED).name)",
    )
    assert result.stdout.startswith(str(installed / "hbi_core" / "assets")), result.stderr
