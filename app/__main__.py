"""python -m app: read the settings, build the page, launch it."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import signal
import sys
import threading
from dataclasses import dataclass

import tyro

# Gradio puts the style sheet of a page on what is inside this element, so not on it.
_NARROW = """<style>
@media (max-width: 640px) { .gradio-container .main.app { padding: 10px 8px; } }
</style>"""

# Of the light theme, darker than gradio's: text has a contrast of 4.5 at least (WCAG, AA).
_LIGHT = {
    "background_fill_primary": "*neutral_50",  # as it was: `set` takes it back to white
    "body_text_color_subdued": "*neutral_500",
    "block_title_text_color": "*primary_600",
    "block_label_text_color": "*primary_600",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "checkbox_label_background_fill_selected": "*primary_600",
}


@dataclass(frozen=True)
class Settings:
    """The page that explains how a video and a caption fit together."""

    host: str | None = None
    """Address to listen on; 127.0.0.1, or GRADIO_SERVER_NAME."""
    port: int | None = None
    """Port; the first free one from 7860, or GRADIO_SERVER_PORT."""
    max_file_size: str = "500mb"
    """Largest upload."""
    max_waiting: int = 16
    """Requests that may wait for their turn."""
    mcp: bool = False
    """The endpoints are tools of language models too, at /gradio_api/mcp/; takes the extra mcp."""
    model: str | None = None
    """A model of your own, module:factory, such as examples.own_model:tiny_clip; visitors can
    choose it, and it is the first choice."""
    answers: str | None = None
    """Questions are answered by this checkpoint of the task question_answering; without it, by the
    one that we ship."""
    captions: str | None = None
    """Videos are described by this checkpoint of the task captioning; without it, by the one that
    we ship."""
    download: bool = False
    """What the encoder open_clip of the page lacks on this machine is fetched once, before the page
    opens. Without this, nothing is ever downloaded."""


def main() -> None:
    """Serve the page until it is stopped. The settings are those of the command line."""
    settings = tyro.cli(Settings)
    stopped = threading.Event()
    atexit.register(_leave, stopped)  # first, so that it is called last
    with contextlib.suppress(KeyboardInterrupt):  # while it starts; later gradio closes the server
        _serve(settings)
    stopped.set()


def _leave(stopped: threading.Event) -> None:
    """End before Python ends the threads: one that is within torch would abort the process."""
    if stopped.is_set():  # otherwise there is an error to be told
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _serve(settings: Settings) -> None:
    if settings.mcp and importlib.util.find_spec("mcp") is None:
        sys.exit('--mcp takes one package more: pip install "gradio[mcp]"')
    if not settings.download:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    import gradio as gr

    from app.export import remove_old_exports
    from app.page import build_page
    from app.session import ENCODERS, offer
    from app.zero_gpu import place_models
    from hbi_core.devices import choose_device
    from hbi_core.encoders import download_encoder, load_encoder
    from hbi_core.errors import WeightsError
    from hbi_core.own_model import OWN, OwnModelError, load_own_model
    from hbi_core.shipped import ASSETS

    if settings.download:
        try:
            for encoder in ENCODERS.values():
                download_encoder(encoder)
        except WeightsError as error:
            sys.exit(str(error))
    if settings.model:
        try:
            offer(load_own_model(settings.model).name, OWN + settings.model)
        except OwnModelError as error:
            sys.exit(str(error))
    stop_on_signals()
    place_models(("lite", "open_clip"))
    remove_old_exports()
    page = build_page(settings.answers, settings.captions).queue(max_size=settings.max_waiting)
    theme = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    page.launch(
        server_name=settings.host,
        server_port=settings.port,
        max_file_size=settings.max_file_size,
        theme=theme.set(**_LIGHT),
        css_paths=ASSETS / "style.css",
        head=f"{_NARROW}<script>{(ASSETS / 'page.js').read_text(encoding='utf-8')}</script>",
        ssr_mode=False,
        mcp_server=settings.mcp,
        prevent_thread_lock=True,
    )
    # Load the default encoder while the user looks at the page. Not earlier: gradio asks its own
    # server whether it answers, and gives up when the imports keep it busy for three seconds.
    threading.Thread(target=load_encoder, args=("lite", choose_device()), daemon=True).start()
    page.block_thread()


def stop_on_signals() -> None:
    """`kill` and the end of its terminal end the server as Ctrl+C does: its files are deleted."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    main()
