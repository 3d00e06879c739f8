"""A split of a data set: clips with their captions, whatever the release looks like."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from hbi_core.data.annotations import AnnotationFolder
from hbi_core.data.clips import Clip, Corpus
from hbi_core.data.files import check_missing_rule, data_root, locate
from hbi_core.data.readers import DATA_SETS
from hbi_core.data.synthetic import synthetic_corpus
from hbi_core.errors import DataError

_LOG = logging.getLogger(__name__)


def read_corpus(name: str, root: str | Path, split: str, missing: str = "skip") -> Corpus:
    """Read a split of a data set in the layout of its public release.

    Args:
        name: "msrvtt", "activitynet", "didemo", "msvd" or "flickr8k"; or "synthetic", which is
            drawn into the folder.
        root: folder with the annotation files, in itself or in annotations/, and with the video
            files anywhere below it.
        split: "train", "validation" or "test"; "captioning-train", "captioning-validate" or
            "captioning-test" of msrvtt; "all" of flickr8k.
        missing: whether to "skip" clips without a file, or to "stop" at them.

    Raises:
        DataError: the data set or the split is not known; a file is missing or broken; the split
            is empty; or videos are missing and `missing` is "stop".
    """
    check_missing_rule(missing)
    if name == "synthetic":
        return synthetic_corpus(Path(root), split)
    if name not in DATA_SETS:
        known = _list([*DATA_SETS, "synthetic"])
        raise DataError(f"The data set {name!r} is not known. Choose one of {known}.")
    data_set = DATA_SETS[name]
    if split not in data_set.splits:
        raise DataError(f"{name} has no split {split!r}. Choose one of {_list(data_set.splits)}.")
    root = data_root(root)
    folder = AnnotationFolder(root, (".", "annotations", *data_set.places), data_set.layout)
    texts = {id: _clean(captions) for id, captions in data_set.read(folder, split).items()}
    without_text = tuple(id for id, captions in texts.items() if not captions)
    with_text = [id for id, captions in texts.items() if captions]
    if not with_text:
        raise DataError(
            f"The split {split!r} of {name} in {root} is empty: of {len(texts)} ids listed for it, "
            f"none has a caption. Expected layout: {data_set.layout}"
        )
    if without_text:
        _LOG.warning("%d ids of %s %s have no caption and are left out: %s.",
                     len(without_text), name, split, _list(without_text[:10]))  # fmt: skip
    where = f"{name} {split}, in {root} and all folders in it"
    files, absent = locate(with_text, data_set.index(root), missing, where, data_set.prefix)
    clips = tuple(Clip(id, (file,), texts[id]) for id, file in files.items())
    return Corpus(name, split, clips, absent, without_text)


def _clean(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions with single spaces and whole characters, without those that have no word."""
    spaced = (" ".join(text.encode("utf-8", "replace").decode().split()) for text in captions)
    return tuple(text for text in spaced if any(map(str.isalnum, text)))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
