"""The tokens of a model become a level of an explanation, whatever game they play."""

from __future__ import annotations

from explainers import TokenGame
from hbi_core.level import Level, TextToken, VideoToken
from hbi_core.model import LevelTokens, Tokens


def played_level(tokens: LevelTokens, game: TokenGame, labels: tuple[str, ...]) -> Level:
    """Play the game of the only sample of a batch; players in the order of frames and words.

    Padding is no player, though a released checkpoint counts it in the score.

    Args:
        tokens: of the sample.
        game: of its tokens, [1, V, T].
        labels: of the words that text tokens stand for.

    Returns:
        The level, exact.

    Raises:
        Nothing of its own.

    Example:
        >>> from hbi_core.chosen_model import choose_model
        >>> from hbi_core.inputs.text import parse_caption
        >>> from hbi_core.predictor import Predictor
        >>> predictor = Predictor(*choose_model())
        >>> predictor.set_video("assets/clips/cafe.mp4", frames=3)
        >>> text = predictor.encode_caption(parse_caption("a cup"))
        >>> entity = predictor.levels(text)[0]
        >>> played_level(entity, entity.game(), text.labels).name
        'entity'
    """
    video, text = members_in_order(tokens.video.tokens), members_in_order(tokens.text.tokens)
    alone = type(game)(
        game.cells[0][list(video)][:, list(text)],
        game.video_logits[0][list(video)],
        game.text_logits[0][list(text)],
        weighting=game.weighting,
    )
    return Level.played(
        tokens.name,
        tuple(VideoToken(frames) for frames in video.values()),
        tuple(TextToken(own, " ".join(labels[word] for word in own)) for own in text.values()),
        alone,
        float(game.grand_value()),
    )


def members_in_order(tokens: Tokens) -> dict[int, tuple[int, ...]]:
    """The tokens of the only sample that have members, in the order of their first one.

    Args:
        tokens: of a batch of one.

    Returns:
        The frames or words that each stands for, by the index of the token.

    Raises:
        Nothing.

    Example:
        >>> import torch
        >>> members_in_order(Tokens.original(torch.zeros(1, 3, 8)))
        {0: (0,), 1: (1,), 2: (2,)}
    """
    members = {
        index: tuple(group.nonzero().flatten().tolist())
        for index, group in enumerate(tokens.groups[0])
        if group.any()
    }
    return dict(sorted(members.items(), key=lambda item: item[1]))
