"""Files of the Hugging Face hub: in the local cache, or fetched once, and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from hbi_core.errors import WeightsError

PATIENCE = 3.0  # seconds for the hub's first answer


@dataclass(frozen=True)
class HubFile:
    """A file that a model needs.

    Attributes:
        what: it is, in a message.
        repository: it lies in there.
        names: any of these; the first that is there is taken.
        beside: patterns of further files that are of use with it alone.
    """

    what: str
    repository: str
    names: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def cached(self) -> Path | None:
        """The file in the local cache; the network is not asked."""
        from huggingface_hub import try_to_load_from_cache

        for name in self.names:
            found = try_to_load_from_cache(self.repository, name) if self.repository else None
            if isinstance(found, str):
                return Path(found)
        return None

    def fetch(self) -> Path:
        """Download it to the local cache, with a progress bar.

        Raises:
            WeightsError: it cannot be fetched, or the repository has none of the names.
        """
        from huggingface_hub import hf_hub_download, snapshot_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
        from huggingface_hub.utils import enable_progress_bars

        enable_progress_bars()  # which transformers switches off for the encoder lite
        try:
            if self.beside:
                snapshot_download(self.repository, allow_patterns=[*self.names, *self.beside])
            for name in self.names:
                try:
                    return Path(hf_hub_download(self.repository, name))
                except EntryNotFoundError as error:
                    if isinstance(error, LocalEntryNotFoundError):  # it could not be asked for
                        raise
        except Exception as error:  # of the HTTP library of the hub's version, of many types
            raise WeightsError(
                f"{self.what} cannot be fetched from {self.repository}: {error}"
            ) from error
        raise WeightsError(f"{self.repository} has none of {', '.join(self.names)}.")


def check_network(patience: float | None = None) -> None:
    """Ask the hub for an answer, once: its own downloads try again for about a minute.

    In a thread, since nothing limits the time in which a name is resolved.

    Args:
        patience: seconds to wait; None waits PATIENCE.

    Raises:
        WeightsError: there is none in time; it says what to do.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    patience = PATIENCE if patience is None else patience
    outcome: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=patience)
            outcome.append("")
        except Exception as error:  # as in `fetch`
            outcome.append(str(error) or type(error).__name__)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience)
    if outcome == [""]:
        return
    reason = outcome[0] if outcome else f"no answer within {patience:g} s"
    raise WeightsError(
        f"{constants.ENDPOINT} cannot be reached ({reason}), and nothing was downloaded. Look at "
        "the network, HTTPS_PROXY and HF_HUB_OFFLINE and try again; or copy the weights from "
        "another machine and name their file: --encoder open_clip:MODEL:FILE."
    )
