"""Explanations made up of random games, to be contrasted."""

from __future__ import annotations

import numpy as np

from hbi_core.explanation import Explanation
from hbi_core.inputs.video import Video
from hbi_core.level import Level, TextToken, VideoToken
from hbi_core.worth import GAMES, SIMILARITY, Worth
from support.oracles import random_game

DOG = Worth("bilinear", "logit", "logit of the answer “dog”")


def drawn_video(frames=3, seed=0, name="drawn.mp4"):
    """Frames of noise, one a second."""
    pictures = np.random.default_rng(seed).integers(0, 256, (frames, 6, 8, 3), np.uint8)
    times = tuple(second + 0.5 for second in range(frames))
    return Video(pictures, times, float(frames), name)


def made_up(
    caption,
    video,
    groups=((None, None),),
    seed=0,
    weighting="renormalised",
    worth=SIMILARITY,
    **named,
):
    """An explanation of random games, of levels whose players are these.

    Groups are, of each level, the frames of its video players and the words of its text players;
    None makes every frame or word one.
    """
    words = tuple(caption.split())
    levels = []
    for number, (frames, texts) in enumerate(groups):
        frames = frames or [(frame,) for frame in range(len(video.times))]
        texts = texts or [(word,) for word in range(len(words))]
        kind = GAMES[worth.game]
        game = random_game(len(frames), len(texts), weighting, seed=seed + number, kind=kind)
        levels.append(
            Level.played(
                ("entity", "action", "event")[number],
                tuple(VideoToken(tuple(some)) for some in frames),
                tuple(TextToken(tuple(one), " ".join(words[i] for i in one)) for one in texts),
                game,
            )
        )
    settings = {"encoder": "toy", "checkpoint": "drawn"} | named
    return Explanation(
        caption=caption,
        words=words,
        video=video,
        weighting=weighting,
        levels=tuple(levels),
        worth=worth,
        **settings,
    )
