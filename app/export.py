"""The Export buttons: width, font and download of a result, as a zip that is kept for an hour."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Protocol, TypeVar, cast

import gradio as gr
from gradio.components import Component
from gradio.utils import get_upload_folder

from app.session import KEPT_SECONDS
from app.uploads import refused_plainly
from hbi_core.errors import InputError
from hbi_core.figures.print_style import FONTS, WIDTHS
from hbi_core.figures.view import FigureView

FORMATS = ("pdf", "svg", "png")  # of a figure
_FOLDER = "hbi-exports-"
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#{name}-file').click(), 300)"


class Result(Protocol):
    """What can be exported."""

    @property
    def title(self) -> str:
        """What its files are named after."""

    def save(self, directory: str, width: str, *, font: str) -> list[Path]:
        """Write its files for a figure of this width and font; returns them.

        Raises:
            InputError: there is no such width or font.
        """


class Saved(Protocol):
    """What can be exported that has no figure."""

    @property
    def title(self) -> str:
        """What its files are named after."""

    def save(self, directory: str) -> list[Path]:
        """Write its files; returns them."""


class Viewed(Result, Protocol):
    """One whose figure has a view."""

    def save(
        self, directory: str, width: str, *, view: FigureView | None = None, font: str
    ) -> list[Path]:
        """Likewise, with what its figure shows.

        Raises:
            InputError: likewise, or it has none of the levels.
        """


Kept = TypeVar("Kept", Result, Saved)


def export_row(result: gr.State, name: str, view: gr.State | None = None) -> None:
    """Lay out width, font, button and download of a result; the button has the name as its id.

    Args:
        result: what is exported.
        name: of the button.
        view: what its figure shows, a FigureView, for results that have one.
    """
    with gr.Row(equal_height=True):
        width = gr.Radio(
            [
                (f"{name} width, {inches}\N{NO-BREAK SPACE}in", name)
                for name, inches in WIDTHS.items()
            ],
            value="text",
            label="Figure for papers",
            scale=3,
            min_width=220,
        )
        font = gr.Radio(list(FONTS), value="sans", label="Letters", scale=2, min_width=150)
        button = gr.Button("Export PDF, SVG, PNG and data", elem_id=name, scale=1, min_width=150)
    download(button, export, [result, width, font, *([view] if view else [])], name)


def data_row(result: gr.State, label: str, name: str) -> None:
    """Lay out button and download of a result that has no figure.

    Args:
        result: what is exported.
        label: of the button.
        name: of the button.
    """
    download(gr.Button(label, elem_id=name), export_data, [result], name)


def download(
    button: gr.Button, make: Callable[..., str], inputs: Sequence[Component], name: str
) -> None:
    """Let a click on a button download the file whose path `make` returns."""
    file = gr.DownloadButton(visible="hidden", elem_id=f"{name}-file")
    button.click(make, inputs, file, js="hbiPage.settled", api_visibility="private").success(
        None, js=_DOWNLOAD.format(name=name)
    )


def export(
    result: Result | None,
    width: str,
    font: str = "sans",
    view: FigureView | None = None,
    exports: Path | None = None,
) -> str:
    """The path of a zip with the files of `result.save`: the same ones give the same bytes.

    Args:
        result: of the last click; None before.
        width, font: of the figure.
        view: what its figure shows; None of results that have no view.
        exports: the folder of this server's exports; None takes one that is deleted at its end.

    Raises:
        gr.Error: there is no result, or no such width, font or view.
    """
    with refused_plainly():
        shown = _there(result)
        if view is None:
            return _packed(shown, partial(shown.save, width=width, font=font), exports)
        save = partial(cast(Viewed, shown).save, width=width, font=font, view=view)
        return _packed(shown, save, exports)


def export_data(result: Saved | None) -> str:
    """Likewise of a result that has no figure.

    Raises:
        gr.Error: there is no result.
    """
    with refused_plainly():
        shown = _there(result)
        return _packed(shown, shown.save)


def _there(result: Kept | None) -> Kept:
    if result is None:
        raise InputError("Nothing to export yet: press the button of this tab first.")
    return result


def _packed(
    result: Result | Saved, save: Callable[[str], list[Path]], exports: Path | None = None
) -> str:
    """The path of a zip with what `save` writes to a folder."""
    with tempfile.TemporaryDirectory() as unpacked:
        files = save(unpacked)
        archive = new_folder(exports) / f"hbi-{_stem(result)}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
            for file in files:
                name = file.relative_to(unpacked).as_posix()
                bundle.writestr(_entry(name), file.read_bytes())
    return str(archive)


def exported_figure(result: Viewed, format: str, width: str, font: str, view: FigureView) -> Path:
    """The figure alone, as a file that is kept as long as a zip.

    Args:
        result: of which there is a figure.
        format: "pdf", "svg" or "png".
        width, font: of the figure.
        view: what it shows.

    Raises:
        InputError: there is no such width or font, or the result has none of the levels.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        files = result.save(unpacked, width, font=font, view=view)
        (figure,) = [file for file in files if file.suffix == f".{format}"]
        return figure.replace(new_folder() / f"hbi-{_stem(result)}.{format}")


def _stem(result: Result | Saved) -> str:
    return re.sub(r"[^\w.-]+", "-", result.title)[:60]


def new_folder(exports: Path | None = None) -> Path:
    """For the files of one request, so that no two have the same path; old ones are deleted."""
    return Path(tempfile.mkdtemp(dir=kept_folder(exports)))


def kept_folder(exports: Path | None = None) -> Path:
    """Of what this server makes for visitors; what nobody used for an hour is deleted."""
    exports = exports or Path(_exports_of_this_server().name)
    remove_old_exports()
    exports.mkdir(exist_ok=True)  # a server that was idle for an hour may have lost it
    return exports


def _entry(name: str) -> zipfile.ZipInfo:
    """A file in a zip, without the time at which it was written."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def remove_old_exports() -> None:
    """Delete what was exported more than an hour ago, also by servers that were killed."""
    oldest = time.time() - KEPT_SECONDS
    for server in Path(get_upload_folder()).glob(f"{_FOLDER}*"):
        with contextlib.suppress(FileNotFoundError):  # another request was faster
            # A folder is as old as what was put into it last.
            unused = server.stat().st_mtime < oldest
            for folder in [server] if unused else [*server.iterdir()]:
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)


@cache
def _exports_of_this_server() -> tempfile.TemporaryDirectory:
    """Among the uploads, from where gradio serves it without a copy; deleted when Python ends."""
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=_FOLDER, dir=get_upload_folder())
