"""A search as the tab and the endpoint ask for it: uploads become clips, values are checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.export import kept_folder, new_folder
from app.session import checked_caption, checked_encoder
from app.uploads import CLIPS, uploaded_file
from explainers.timing import Progress
from hbi_core.data.clip_set import ArchiveLimits, ClipSet, clips_in_archive, clips_in_folder
from hbi_core.errors import InputError
from hbi_core.pipeline import search
from hbi_core.recent import RecentVideos
from hbi_core.search_result import SearchResult

LIMITS = ArchiveLimits(clips=500, bytes=1_000_000_000)  # of what one visitor uploads


def uploaded_clips(uploads: Any) -> ClipSet:
    """The clips that a request names.

    Args:
        uploads: video files and zip archives of them, which are unpacked into a folder that is kept
            for an hour; without any, the demo clips.

    Raises:
        InputError: with a sentence for the visitor.
    """
    if not uploads:
        return clips_in_folder(CLIPS)
    if isinstance(uploads, (str, dict)) or not isinstance(uploads, Sequence):
        uploads = [uploads]
    clips = ClipSet()
    for file in map(uploaded_file, uploads):
        if file.suffix.lower() == ".zip":
            archive = clips_in_archive(file, new_folder(), LIMITS)
            clips.files.update((_free(n, clips.files), f) for n, f in archive.files.items())
            clips.skipped.update(archive.skipped)
        else:
            clips.files[_free(file.name, clips.files)] = file
    if len(clips.files) > LIMITS.clips:
        raise InputError(
            f"{len(clips.files):,} clips were uploaded; {LIMITS.clips} are searched at most."
        )
    return clips


def searched(
    clips: ClipSet,
    query: Any,
    top: Any,
    encoder: Any,
    frames: Any,
    recent: RecentVideos,
    progress: Progress | None = None,
) -> SearchResult:
    """Values as a request has them, of any type; `search` checks what is not checked here.

    Raises:
        InputError: with a sentence for the visitor.
    """
    return search(
        clips,
        checked_caption(query, "query"),
        top,
        encoder=checked_encoder(encoder),
        frames=frames,
        progress=progress,
        recent=recent,
        cache=_features(),
    )


def _features() -> Path:
    """The folder of what was encoded: deleted when it was not used for an hour, or at the end."""
    folder = kept_folder() / "features"
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    return folder


def _free(name: str, taken: dict[str, Path]) -> str:
    """A name that no other clip has."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name} ({number})"
    return free
