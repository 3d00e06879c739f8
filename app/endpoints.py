"""What other programs ask of the page, over HTTP and MCP. Names and types are a contract.

Their docstrings are read by programs too: /agents.md, /gradio_api/openapi.json and MCP show the
text before "Args:", and a line for each argument.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import gradio as gr

from app.asked import asked
from app.compared import compared
from app.contrasted import SAME, contrasted
from app.described import described
from app.export import FORMATS, exported_figure
from app.searched import searched, uploaded_clips
from app.session import ENCODERS, Session, explained
from app.uploads import refused_plainly
from hbi_core.errors import InputError
from hbi_core.explanation import Explanation
from hbi_core.figures.view import FigureView

_AT_ONCE = 2  # requests of all these endpoints together; others wait in the queue


class Endpoints:
    """The named endpoints, which answer from the same recent videos as the page."""

    def __init__(self, session: Session) -> None:
        self._recent = session.recent
        self._answerer, self._captioner = session.answerer, session.captioner
        answers = (
            self.explain,
            self.contrast,
            self.search,
            self.ask,
            self.describe,
            self.exact_vs_estimated,
            self.figure,
        )
        for answer in answers:
            gr.api(
                _with_encoders(answer),
                api_name=answer.__name__,
                concurrency_limit=_AT_ONCE,
                concurrency_id="endpoints",
            )

    def explain(
        self,
        video: gr.FileData,
        caption: str,
        encoder: Literal["auto", "lite", "open_clip"] = "auto",
        frames: int = 12,
        weighting: Literal["renormalised", "fixed"] = "renormalised",
    ) -> dict[str, Any]:
        """Explain how a video and a caption fit together: which frames and which words gain by
        being together, by exact Banzhaf interactions at three levels (frames and words, clips and
        phrases, segments and sentences). Positive values say that two belong together. Looks at
        1 to 64 `frames` of the video and at 64 words of the caption.

        Args:
            video: a video file that was uploaded to this server.
            caption: one or several English sentences; 64 words are read.
            encoder: "lite" needs no download; "open_clip" its weights; "auto" is lite.
            frames: how many frames of the video are looked at, 1 to 64.
            weighting: token weights of a coalition: "renormalised" over its members, or "fixed".

        Returns:
            The contents of explanation.json: for each level the tokens of both sides, and matrices
            (rows are video tokens, columns text tokens) of interactions and cosine similarities.
        """
        with refused_plainly():
            return self._explained(video, caption, encoder, frames, weighting).to_dict()

    def search(
        self,
        clips: list[gr.FileData],
        query: str,
        top: int = 10,
        encoder: Literal["auto", "lite", "open_clip"] = "auto",
        frames: int = 12,
    ) -> dict:
        """Rank video clips by how well they fit a sentence, by their similarity at three levels
        (frames and words, clips and phrases, segments and sentences).

        Args:
            clips: video files or zip archives of them that were uploaded to this server, up to 500
                clips; an empty list for the demo clips of the page.
            query: one or several English sentences; 64 words are read.
            top: how many clips are returned at most, 1 to 100.
            encoder: as of /explain.
            frames: how many frames of each clip are looked at, 1 to 64.

        Returns:
            The contents of search.json, without pictures: the best clips first, each with its
            scores and the time of the frame that fits best; and what was left out.
        """
        with refused_plainly():
            found = uploaded_clips(clips)
            result = searched(found, query, top, encoder, frames, self._recent)
            return result.to_dict(thumbnails=False)

    def ask(
        self,
        video: gr.FileData,
        question: str,
        frames: int = 12,
        weighting: Literal["renormalised", "fixed"] = "renormalised",
    ) -> dict[str, Any]:
        """Answer a question about a video by one of the answers that a small model has learnt, and
        say which frames and words carried the answer, by exact Banzhaf interactions; what changed
        it from the second answer; and what it would be without each frame and each word.

        Args:
            video: a video file that was uploaded to this server.
            question: one English question, such as "what animal is there?".
            frames: how many frames of the video are looked at, 1 to 64.
            weighting: as of /explain.

        Returns:
            The contents of answer.json: up to five answers with their probabilities, the limits of
            the model, two explanations, and the answers without each frame and each word.
        """
        with refused_plainly():
            return asked(
                video, question, frames, weighting, self._answerer, recent=self._recent
            ).to_dict()

    def describe(
        self, video: gr.FileData, frames: int = 12, beams: int | None = None
    ) -> dict[str, Any]:
        """Describe a video by a caption that a small model writes, and say which frames carried
        each word of it: what frames add to the log-probability of words is a game, whose Banzhaf
        interactions are exact for up to 12 frames, and estimates of a sample for more.

        Args:
            video: a video file that was uploaded to this server.
            frames: how many frames of the video are looked at, 1 to 64.
            beams: of the search, 1 to 32, and how many captions it finds; none takes those that
                the model was made with.

        Returns:
            The contents of description.json: the caption and its alternatives with their
            log-probabilities, the probability of each word with and without the video, the limits
            of the model, and the explanation.
        """
        with refused_plainly():
            return described(
                video, frames, self._captioner, recent=self._recent, beams=beams
            ).to_dict()

    def contrast(
        self,
        video: gr.FileData,
        caption: str,
        other_caption: str = "",
        other_video: gr.FileData | None = None,
        other_encoder: Literal["same", "auto", "lite", "open_clip"] = "same",
        encoder: Literal["auto", "lite", "open_clip"] = "auto",
        frames: int = 12,
        weighting: Literal["renormalised", "fixed"] = "renormalised",
    ) -> dict[str, Any]:
        """Say which frames and words speak for A, a video and a caption, rather than for B, which
        has another caption, another video or another encoder: why did the wrong one win? Each
        frame and word has a Shapley value; their differences add up to that of the scores.

        Args:
            video: the video file of A, which was uploaded to this server.
            caption: of A; one or several English sentences, of which 64 words are read.
            other_caption: of B; empty takes that of A.
            other_video: the video file of B; none takes that of A.
            other_encoder: of B; "same" takes that of A.
            encoder: of A, as of /explain.
            frames: of each video, as of /explain.
            weighting: as of /explain.

        Returns:
            The contents of contrast.json: a sentence, both explanations, and for each level the
            players of both with their numbers in A, in B and their difference.
        """
        with refused_plainly():
            return contrasted(
                video,
                caption,
                encoder,
                frames,
                weighting,
                other_caption,
                other_video,
                other_encoder,
                recent=self._recent,
            ).to_dict()

    def exact_vs_estimated(
        self,
        video: gr.FileData,
        caption: str,
        level: Literal["entity", "action", "event"] = "entity",
        budgets: list[int] = [256, 4096],  # noqa: B006  only read; a default of the endpoint
        seeds: int = 1,
        first_seed: int = 0,
        limit_seconds: float = 3,
        encoder: Literal["auto", "lite", "open_clip"] = "auto",
        frames: int = 12,
        weighting: Literal["renormalised", "fixed"] = "renormalised",
    ) -> dict[str, Any]:
        """Compute the interactions of one level by each method: exactly by the closed form, by all
        coalitions, by sampling, and by the paper's tiny estimator network; with errors and times.

        Args:
            video: a video file that was uploaded to this server.
            caption: one or several English sentences; 64 words are read.
            level: "entity" (frames and words), "action" (clips and phrases) or "event".
            budgets: coalitions that a run of sampling evaluates, 4 to 1048576 each.
            seeds: runs of sampling for each budget, 1 to 20.
            first_seed: of the random numbers of the first run.
            limit_seconds: all coalitions are only evaluated if that takes no longer, 0 to 120.
            encoder: as of /explain.
            frames: as of /explain.
            weighting: as of /explain.

        Returns:
            The contents of comparison.json: the exact values, and a row for each run.
        """
        with refused_plainly():
            explanation = self._explained(video, caption, encoder, frames, weighting)
            comparison = compared(explanation, level, budgets, seeds, first_seed, limit_seconds)
            return json.loads(comparison.to_json())

    def figure(
        self,
        video: gr.FileData,
        caption: str,
        format: Literal["pdf", "svg", "png"] = "pdf",
        width: Literal["text", "column"] = "text",
        font: Literal["sans", "serif"] = "sans",
        view: str = "",
        encoder: Literal["auto", "lite", "open_clip"] = "auto",
        frames: int = 12,
        weighting: Literal["renormalised", "fixed"] = "renormalised",
    ) -> gr.FileData:
        """Draw the coalition graph of a video and a caption for a paper, with embedded fonts.

        Args:
            video: a video file that was uploaded to this server.
            caption: one or several English sentences; 64 words are read.
            format: "pdf", "svg" or "png".
            width: "text" is 6.875 in, "column" 3.25 in.
            font: "sans" or "serif", which goes with Times.
            view: what is shown, as in the address of the page, such as "levels=entity&top=10" or
                "measure=cosine&scale=word"; empty shows all links of all levels.
            encoder: as of /explain.
            frames: as of /explain.
            weighting: as of /explain.

        Returns:
            The file.
        """
        with refused_plainly():
            if format not in FORMATS:
                raise InputError(f"There is no format {format!r}: use {', '.join(FORMATS)}.")
            shown = FigureView.from_query(view, strict=True)
            explanation = self._explained(video, caption, encoder, frames, weighting)
            file = exported_figure(explanation, format, width, font, shown)
            return gr.FileData(path=str(file))

    def _explained(
        self, video: Any, caption: Any, encoder: Any, frames: Any, weighting: Any
    ) -> Explanation:
        return explained(video, caption, encoder, frames, weighting, recent=self._recent)


def _with_encoders(answer: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint that tells the encoders which this page offers, own models among them."""
    names = tuple(ENCODERS.values())
    offered: dict[str, Any] = {
        "encoder": Literal.__getitem__(names),
        "other_encoder": Literal.__getitem__((SAME, *names)),
    }

    @functools.wraps(answer)
    def asked(*values: Any, **named: Any) -> Any:
        return answer(*values, **named)

    hints = get_type_hints(answer)
    asked.__annotations__ = {name: offered.get(name, hint) for name, hint in hints.items()}
    return asked
