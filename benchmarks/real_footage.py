"""Do the links on real footage say what a viewer sees? Clips with captions, and joins of clips.

    python -m benchmarks.real_footage --root DIR

DIR has clips; captions.csv (file, caption), one caption a clip; and joins.json, a list of {"clips":
files that are shown one after another, "sentences": one for each}. The first seconds of each clip
of a join are written to one file, and its caption is the sentences in every order: sentence k is
about clip k, whatever the order. `benchmarks.measures` defines what is counted.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro
from tqdm import tqdm

from benchmarks.joined_clips import join_clips
from benchmarks.links import Links, links_of
from benchmarks.measures import (
    HEADER,
    Count,
    Units,
    content_players,
    content_share,
    content_words,
    contiguous,
    rows_of,
    sentences_point,
    whole_shots,
    words_point,
)
from benchmarks.report import report
from hbi_core.chosen_model import choose_model
from hbi_core.data import Clip, photograph_of_words
from hbi_core.data.annotations import fields, read_json, read_rows, strings
from hbi_core.data.montage import Montage, join
from hbi_core.devices import choose_device
from hbi_core.errors import CaptionError
from hbi_core.explanation import Explanation
from hbi_core.inputs.text import parse_caption
from hbi_core.predictor import USUAL_FRAMES, Predictor

STRONGEST = 4  # links of a level that are told in words


@dataclass(frozen=True)
class Settings:
    """Measure, and on demand look at, what is drawn on real clips."""

    root: Path
    """Folder with clips, captions.csv and joins.json."""
    checkpoint: str | None = None
    """Trained heads; those we ship where none are given, "untrained" for none."""
    seconds: float = 3.0
    """Of each clip of a join."""
    seed: int = 0
    """Of the bootstrap."""
    look: bool = False
    """Print the strongest links of each level of each clip, and of the demo clips."""
    figures: Path | None = None
    """Draw the figures of these clips into this folder."""
    report: str = "real_footage"
    """Name of the files in results/."""


@dataclass(frozen=True)
class Join:
    """Clips one after another, with a sentence for each."""

    clips: tuple[Path, ...]
    sentences: tuple[str, ...]

    @property
    def name(self) -> str:
        return " + ".join(clip.stem for clip in self.clips)

    def captions(self) -> list[tuple[Montage, torch.Tensor]]:
        """The sentences in every order, and the clip that each word belongs to, int [W]."""
        made = []
        for order in itertools.permutations(range(len(self.clips))):
            clips = [Clip(str(n), (self.clips[n],), (self.sentences[n],)) for n in order]
            montage = join(clips, [[self.sentences[n] for n in order]], self.name)
            places = photograph_of_words(parse_caption(montage.captions[0]), montage)
            made.append((montage, torch.tensor([order[place] for place in places])))
        return made


def read_joins(root: Path) -> list[Join]:
    """Those of DIR/joins.json.

    Raises:
        DataError: the file is missing or broken.
    """
    path, joins = root / "joins.json", []
    for number, entry in enumerate(read_json(path)):
        where = f"{path}: [{number}]"
        clips, sentences = fields(entry, {"clips": list, "sentences": list}, where)
        files = tuple(root / file for file in strings(clips, where))
        joins.append(Join(files, tuple(strings(sentences, where))))
    return joins


def explain_all(predictor: Predictor, caption: str) -> Explanation:
    """The explanation of a caption of which every word is read.

    Raises:
        CaptionError: one is not, so that its measures would be of another caption.
    """
    explanation = predictor.explain(caption)
    if explanation.words_left_out:
        raise CaptionError(
            f"{caption!r} cannot be measured: the model leaves out "
            f"{' '.join(explanation.words_left_out)}. Write it with other words."
        )
    return explanation


def measure_caption(explanation: Explanation, units: Units) -> None:
    """Count what needs no more than a clip and its caption: one count each."""
    content = content_words(parse_caption(explanation.caption))
    entity, *merged = levels = [links_of(level) for level in explanation.levels]
    for links in levels:
        name = links.level
        units["interaction on players with a content word", name].append(
            content_players(links, content)
        )
        units["interaction on content words, players divided evenly", name].append(
            content_share(links, content)
        )
    chance = Count(int(content.sum()), len(content))
    units["content words among all words", ""].append(chance)
    for links in merged:
        measure_spans(links, entity, units)


def measure_spans(links: Links, entity: Links, units: Units) -> None:
    """Count the merged players of a level without gaps, of text and of video."""
    units["phrases that are one span", links.level].append(contiguous(links.words, entity.words))
    units["clips that are one run of frames", links.level].append(
        contiguous(links.frames, entity.frames)
    )


def measure_join(
    explanations: list[tuple[Explanation, torch.Tensor]], shown: torch.Tensor, units: Units
) -> None:
    """Count what is known of a join: a unit is a sentence, in all orders together.

    Args:
        explanations: of its captions, the first in the order of the clips; with the clip that each
            word belongs to, int [W].
        shown: int [F], the clip that each frame shows.
        units: counts are added to these.
    """
    pointed: dict[tuple[str, str], list[list[Count]]] = defaultdict(list)
    for explanation, parts in explanations:
        content = content_words(parse_caption(explanation.caption))
        for links in map(links_of, explanation.levels):
            for link, strength in links.strengths.items():
                right = sentences_point(links, strength, shown, parts)
                pointed[f"sentence → clip, {link}", links.level].append(right)
                right = words_point(links, strength, shown, parts, content)
                pointed[f"content word → clip, {link}", links.level].append(right)
    for key, orders in pointed.items():
        for counts in zip(*orders, strict=True):  # of one sentence
            hits, of = zip(*counts, strict=True)
            units[key].append(Count(sum(hits) / len(orders), sum(of) / len(orders)))
    in_order, _ = explanations[0]
    entity, *merged = map(links_of, in_order.levels)
    for links in merged:
        measure_spans(links, entity, units)
        shots = whole_shots(links, shown)
        units["frames in clips of one shot", links.level].append(shots)


def main(settings: Settings) -> None:
    predictor = Predictor(*choose_model(settings.checkpoint, device=choose_device()))
    units: Units = defaultdict(list)
    captions = read_rows(settings.root / "captions.csv", ("file", "caption"))
    for file, caption in tqdm(captions, desc="clips", leave=False):
        predictor.set_video(settings.root / file, USUAL_FRAMES)
        explanation = explain_all(predictor, caption)
        measure_caption(explanation, units)
        show(explanation, explanation.title, settings)
    joins = read_joins(settings.root)
    for number, joined in enumerate(tqdm(joins, desc="joins", leave=False)):
        with TemporaryDirectory() as folder:
            target = Path(folder) / "join.mp4"
            join_clips(joined.clips, target, settings.seconds)
            predictor.set_video(target, USUAL_FRAMES)
        explained = [
            (explain_all(predictor, montage.captions[0]), parts)
            for montage, parts in joined.captions()
        ]
        in_order = explained[0][0]
        shown = torch.tensor(in_order.video.times) // settings.seconds
        measure_join(explained, shown.long(), units)
        show(in_order, f"join_{number}", settings)
    if settings.look or settings.figures:
        show_demo_clips(predictor, settings)
    report(
        settings.report,
        f"Real footage, {len(captions)} clips and {len(joins)} joins of clips, "
        f"{predictor.heads.encoder}, {predictor.heads.name}",
        HEADER,
        rows_of(units, settings.seed),
    )


def show_demo_clips(predictor: Predictor, settings: Settings) -> None:
    """The page's examples, looked at as `settings` say."""
    from app.examples import EXAMPLES  # brings gradio

    for example in EXAMPLES:
        predictor.set_video(example.clip, USUAL_FRAMES)
        show(predictor.explain(example.caption), example.name, settings)


def show(explanation: Explanation, name: str, settings: Settings) -> None:
    """Print and draw, as `settings` say."""
    if settings.look:
        tqdm.write(f"\n{name}: {explanation.caption}")
        tqdm.write("\n".join(strongest(explanation)))
    if settings.figures:
        explanation.save(settings.figures / name)


def strongest(explanation: Explanation, count: int = STRONGEST) -> list[str]:
    """The strongest links of each level, in words: frames from 1, text, and the interaction."""
    lines = []
    for level in explanation.levels:
        values = level.interactions.values
        lines.append(f"  {level.name}")
        for index in values.flatten().argsort(descending=True)[:count].tolist():
            video, text = divmod(index, values.shape[1])
            frames = " ".join(str(frame + 1) for frame in level.video_tokens[video].frames)
            words = level.text_tokens[text].text
            lines.append(f"    {values[video, text]:+.4f}  frames {frames}  {words}")
    return lines


if __name__ == "__main__":
    main(tyro.cli(Settings))
