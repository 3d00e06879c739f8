"""Many pairs of a video and a caption, from a table: a folder of explanations and one summary."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from explainers.timing import Progress
from hbi_core.chosen_model import in_full
from hbi_core.data.annotations import read_table
from hbi_core.data.clip_folder import CAPTION_COLUMN, VIDEO_COLUMN, needed_column
from hbi_core.encoders.loading import weights_file
from hbi_core.errors import (
    CaptionError,
    DataError,
    ExplanationError,
    NotFiniteError,
    VideoError,
)
from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView
from hbi_core.inputs.video import VideoLimits, checked_file
from hbi_core.latest import content_of
from hbi_core.pipeline import explain
from hbi_core.predictor import checked_frames
from hbi_core.recent import RecentVideos
from hbi_core.summary import Pair, Row, write_summary
from hbi_core.written import check_folder

# What is wrong with one pair; other errors are of all of them.
_OF_A_PAIR = (VideoError, CaptionError, NotFiniteError, ExplanationError)


@dataclass(frozen=True)
class Asked:
    """How the pairs are explained; see `hbi_core.pipeline.explain`, and `Explanation.save`.

    Attributes:
        encoder, frames, checkpoint, weighting: the model and the game.
        width: of the figures, "text" or "column".
        view: what they show; None shows all links.
        font: of them, "sans" or "serif".

    Example:
        >>> Asked(frames=8).weighting
        'renormalised'
    """

    encoder: str = "auto"
    frames: int | None = None
    checkpoint: str | None = None
    weighting: str = "renormalised"
    width: str = "text"
    view: FigureView | None = None
    font: str = "sans"


def read_pairs(table: str | Path) -> list[Pair]:
    """The pairs of a CSV file with the columns video and caption, as people write it.

    Args:
        table: the file; a comma, semicolon or tab stands between the columns, others are ignored.

    Returns:
        At least one pair, in order; empty lines are left out. A value may be empty.

    Raises:
        DataError: it cannot be read, a column is missing, or there is no row.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "pairs.csv"
        ...     _ = file.write_text("video,caption\\ncafe.mp4,a tabby cat\\n")
        ...     read_pairs(file)
        [Pair(video='cafe.mp4', caption='a tabby cat')]
    """
    path = Path(table)
    header, rows = read_table(path, delimiters=",;\t")
    video, caption = (needed_column(header, n, path) for n in (VIDEO_COLUMN, CAPTION_COLUMN))
    pairs = [
        Pair(row.values[video], row.values[caption]) for row in rows if any(row.values.values())
    ]
    if not pairs:
        raise DataError(f"{path} has no rows. Write a video and a caption on each line.")
    return pairs


def explain_pairs(
    pairs: Sequence[Pair],
    out: str | Path,
    asked: Asked | None = None,
    find: Callable[[str], str | Path] = Path,
    progress: Progress | None = None,
    recent: RecentVideos | None = None,
    limits: VideoLimits | None = None,
) -> Iterator[Row]:
    """Explain pair by pair; what was explained before is not explained again.

    A pair is known by the content of its video, its caption and all settings: the name of its
    folder tells them. A pair that is broken stops no other. Whoever stops taking rows stops the
    batch; the summary is written then too.

    Args:
        pairs: see `read_pairs`.
        out: for each pair a folder with the files of `Explanation.save`, and summary.csv.
        asked: settings; None takes the usual ones.
        find: gives the file of a video that is named in a pair.
        progress: called with a fraction in [0, 1], of the pair that is explained, and the step.
        recent: videos that were looked at before.
        limits: on the videos.

    Returns:
        An iterator of rows, one for each pair, as soon as it is done.

    Raises:
        InputError: the settings or the model cannot be used, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> pairs = [Pair("assets/clips/cafe.mp4", "a cat"), Pair("none.mp4", "a cat")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for row in explain_pairs(pairs, folder, Asked(frames=2)):
        ...         print(row.error or sorted(row.scores))
        ['action', 'entity', 'event']
        There is no video file none.mp4.
    """
    folder, asked = Path(out), asked or Asked()
    checked_frames(asked.frames)
    check_folder(folder, "--out DIR")
    recent = recent or RecentVideos(videos=2)
    rows: list[Row] = []
    try:
        for pair in pairs:
            try:
                file = checked_file(find(pair.video), limits or VideoLimits())
                rows.append(_explained(pair, file, folder, asked, progress, recent, limits))
            except _OF_A_PAIR as error:
                rows.append(Row(pair, error=str(error)))
            yield rows[-1]
    finally:
        if rows:
            write_summary(rows, folder)


def _explained(
    pair: Pair,
    file: Path,
    out: Path,
    asked: Asked,
    progress: Progress | None,
    recent: RecentVideos,
    limits: VideoLimits | None,
) -> Row:
    folder = out / _folder_name(pair, file, asked)
    before = folder.is_dir()
    if before:
        explanation = Explanation.from_file(folder / "explanation.json")
    else:
        explanation = explain(
            file,
            pair.caption,
            encoder=asked.encoder,
            frames=asked.frames,
            checkpoint=asked.checkpoint,
            weighting=asked.weighting,
            limits=limits,
            progress=progress,
            recent=recent,
        )
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=out) as partial:
            written = Path(partial) / folder.name
            explanation.save(written, asked.width, asked.view, asked.font)
            written.replace(folder)  # all of its files at once
    return Row.of(pair, explanation, folder.name, before)


def _folder_name(pair: Pair, file: Path, asked: Asked) -> str:
    """The video's name, and a hash of all that decides the files."""
    checkpoint, encoder = in_full(asked.checkpoint, asked.encoder)
    contents = [
        content_of(path) if path and path.is_file() else str(path)
        for path in (file, checkpoint and Path(checkpoint), weights_file(encoder))
    ]
    frames = checked_frames(asked.frames)
    figure = [asked.width, (asked.view or FigureView()).to_query(), asked.font]
    made_of = [*contents, pair.caption, encoder, frames, asked.weighting, *figure]
    digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    stem = re.sub(r"[^\w.-]+", "-", Path(pair.video).stem)[:40].strip(".-") or "video"
    return f"{stem}-{digest[:12]}"
