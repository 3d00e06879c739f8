"""Clips ranked by how well they fit a text, at three levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from hbi_core.checks import whole_number
from hbi_core.data.encoded_clips import EncodedClip, EncodedClips
from hbi_core.errors import InputError, VideoError
from hbi_core.inputs.text import Caption, parse_caption
from hbi_core.inputs.video import VideoLimits
from hbi_core.model import LevelTokens, Players
from hbi_core.predictor import Predictor
from hbi_core.search_result import MOST_HITS, Hit, SearchResult

_AT_ONCE = 256  # clips that go through the model together


class ClipSearch:
    """Clips that any number of queries are compared with.

    Args:
        predictor: the model; a video of it is not looked at.
        frames: of each clip; None takes as many as `explain`.
        cache: folder in which features are kept, see `EncodedClips`; None takes the usual one.
        limits: on a video, see VideoLimits.

    Attributes:
        skipped: clips that cannot be read: why, by their name.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> clips = ClipSearch(Predictor(*choose_model()))
        >>> list(clips.add({"a cafe": Path("assets/clips/cafe.mp4")}))
        ['a cafe']
        >>> [hit.name for hit in clips.best("a cat").hits]
        ['a cafe']
    """

    def __init__(
        self,
        predictor: Predictor,
        frames: int | None = None,
        cache: Path | None = None,
        limits: VideoLimits | None = None,
    ) -> None:
        self._predictor, self._frames = predictor, predictor.frames_of(frames)
        self._encoded = EncodedClips(
            cache, predictor.encoder, predictor.weights, self._frames, limits
        )
        self._files: dict[str, Path] = {}
        self._clips: dict[str, EncodedClip] = {}
        self.skipped: dict[str, str] = {}

    def add(
        self,
        files: Mapping[str, Path],
        trusted: bool = False,
        waiting: Callable[[], object] | None = None,
    ) -> Iterator[str]:
        """Read clips, or what is known of them; whoever stops in between can go on later.

        Args:
            files: video files by the names that hits shall have.
            trusted: whether one process may decode all of them.
            waiting: called several times a second while a clip is read; what it raises ends that.

        Returns:
            Each name when its clip is there, or has been skipped.

        Raises:
            SettingsError: the cache cannot be written.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> clips = ClipSearch(Predictor(*choose_model()))
            >>> list(clips.add({"none": Path("nowhere.mp4")})), clips.skipped
            (['none'], {'none': 'There is no video file nowhere.mp4.'})
        """
        for name, read in self._encoded.read(files, trusted, waiting):
            if isinstance(read, VideoError):
                self.skipped[name] = str(read)
            else:
                self._clips[name], self._files[name] = read, files[name]
            yield name

    @torch.inference_mode()
    def best(self, query: str | Caption, top: int = 10) -> SearchResult:
        """The clips that fit a query best.

        Args:
            query: a text of at least one word.
            top: hits at most, 1 to 100.

        Returns:
            The hits, ranked by the mean of the levels that retrieval is measured by. Where the
            model reconstructs: by single-modal scores, and the best, `retrieval.reranked` of the
            checkpoint and no fewer than `top`, anew by those of rebuilt tokens.

        Raises:
            CaptionError: the query has no word that can be encoded.
            InputError: there is no clip that can be read, or `top` is no number in its range.
            NotFiniteError: the model computes values that are not finite.

        Example:
            >>> from hbi_core.chosen_model import choose_model
            >>> clips = ClipSearch(Predictor(*choose_model()))
            >>> names = list(clips.add({"cafe": Path("assets/clips/cafe.mp4")}))
            >>> hit = clips.best("a cat").hits[0]
            >>> hit.name, list(hit.levels)
            ('cafe', ['entity', 'action', 'event'])
        """
        top = checked_top(top)
        if not self._clips:
            why = next((f" {name}: {why}" for name, why in self.skipped.items()), "")
            raise InputError(f"There is no clip that can be read.{why}")
        heads = self._predictor.heads
        caption = parse_caption(query, kind="query") if isinstance(query, str) else query
        text = self._predictor.encode_caption(caption)
        texts = self._predictor.text_players(text)

        names, levels = list(self._clips), heads.config.levels
        shares = torch.tensor(heads.retrieval.level_weights, dtype=torch.float64)
        shares = shares / shares.sum()
        scores = self._scores(self._alone, names, texts)
        chosen = _ranked(names, (scores * shares).sum(-1))
        if heads.hierarchy.reconstructs:
            # No fewer than are shown: so every hit has the scores that `explain` gives.
            chosen = chosen[: max(heads.retrieval.reranked, top)]
            scores = self._scores(self._rebuilt, chosen, texts)
            names, chosen = chosen, _ranked(chosen, (scores * shares).sum(-1))
        chosen = chosen[:top]
        of_clip = dict(zip(names, scores, strict=True))
        frames = self._best_frames(chosen, texts)
        hits = [
            self._hit(name, float((of_clip[name] * shares).sum()), levels, of_clip[name], frame)
            for name, frame in zip(chosen, frames, strict=True)
        ]
        return SearchResult(
            query=caption.text,
            words=text.labels,
            words_left_out=text.left_out,
            notes=(*text.notes, *heads.notes),
            hits=tuple(hits),
            clips=len(self._clips),
            skipped=dict(self.skipped),
            encoder=self._predictor.encoder.name,
            checkpoint=heads.name,
            frames=self._frames,
            level_weights=dict(zip(levels, shares.tolist(), strict=True)),
        )

    def _scores(
        self,
        computed: Callable[[list[str], list[Players]], list[Tensor]],
        names: list[str],
        texts: list[Players],
    ) -> Tensor:
        """Scores of clips and levels, float64 [N, L], on the CPU; so many at once as memory has."""
        parts = [names[n : n + _AT_ONCE] for n in range(0, len(names), _AT_ONCE)]
        return torch.cat([torch.stack(computed(part, texts), -1).cpu() for part in parts])

    def _alone(self, names: list[str], texts: list[Players]) -> list[Tensor]:
        """S of Eq. 1 of single-modal tokens, [N] a level."""
        levels = self._predictor.heads.hierarchy.alone(self._videos(names, texts), texts)
        return [level.game(all_pairs=True).grand_value()[:, 0] for level in levels]

    def _rebuilt(self, names: list[str], texts: list[Players]) -> list[Tensor]:
        """S of Eq. 1 of rebuilt tokens, [N] a level."""
        return [level.game().grand_value() for level in self._pairs(names, texts)]

    def _pairs(self, names: list[str], texts: list[Players]) -> list[LevelTokens]:
        """Each of these clips paired with the query, level by level."""
        videos = self._videos(names, texts)
        each = torch.arange(len(names), device=texts[0].logits.device)
        pairs = each, torch.zeros_like(each)
        return self._predictor.heads.hierarchy.pair(videos, texts, pairs)

    def _videos(self, names: list[str], texts: list[Players]) -> list[Players]:
        """The players of these clips, where those of the query are."""
        device = texts[0].logits.device
        videos = [self._clips[name].frames.to(device) for name in names]
        return self._predictor.video_players(videos, self._frames)

    def _best_frames(self, names: list[str], texts: list[Players]) -> list[int]:
        """Of each clip the frame that is worth the most with all text players."""
        game = self._pairs(names, texts)[0].game()
        each = torch.eye(game.similarity.shape[-2], dtype=torch.bool, device=game.similarity.device)
        values = game.value(each.unsqueeze(1), game.text_mask)  # [V, N]
        return values.masked_fill(~game.video_mask.T, -torch.inf).argmax(0).tolist()

    def _hit(
        self, name: str, score: float, levels: tuple[str, ...], scores: Tensor, frame: int
    ) -> Hit:
        clip = self._clips[name]
        return Hit(
            name=name,
            file=self._files[name],
            score=score,
            levels=dict(zip(levels, scores.tolist(), strict=True)),
            frame=frame,
            time=clip.times[frame],
            duration=clip.duration,
            thumbnail=clip.thumbnail(frame),
        )


def _ranked(names: list[str], scores: Tensor) -> list[str]:
    """By their scores [N], the best first; of equal ones by name."""
    return [
        name
        for _, name in sorted(zip(scores.tolist(), names, strict=True), key=lambda x: (-x[0], x[1]))
    ]


def checked_top(top: int) -> int:
    """The number of hits that was asked for, as an int.

    Args:
        top: of any numeric type.

    Returns:
        As many.

    Raises:
        InputError: it is no whole number from 1 to 100.

    Example:
        >>> checked_top(10.0)
        10
    """
    return whole_number(top, "{} hits were asked for", 1, MOST_HITS)
