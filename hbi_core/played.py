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
    video, frames = _in_order(tokens.video.tokens)
    text, words = _in_order(tokens.text.tokens)

    alone = type(game)(
        game.cells[0][video][:, text],
        game.video_logits[0][video],
        game.text_logits[0][text],
        weighting=game.weighting,
    )
    return Level.played(
        tokens.name,
        tuple(VideoToken(group) for group in frames),
        tuple(TextToken(group, " ".join(labels[word] for word in group)) for group in words),
        alone,
        float(game.grand_value()),
    )


def _in_order(tokens: Tokens) -> tuple[list[int], list[tuple[int, ...]]]:
    """Indices of the tokens that have members by their first one, and the members of each."""
    members = {
        index: tuple(group.nonzero().flatten().tolist())
        for index, group in enumerate(tokens.groups[0])
        if group.any()
    }
    order = sorted(members, key=members.__getitem__)
    return order, [members[index] for index in order]
