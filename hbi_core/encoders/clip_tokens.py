"""A caption as CLIP's tokenizer reads it, and which of its words each token stands for.

The whole text is tokenised at once, so that the ids are CLIP's own: it mends what was encoded
wrongly, resolves HTML entities, and tells a detached "'s" from "'" and "s". A token knows the
characters of the caption that it was made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from hbi_core.errors import CaptionError, InputError
from hbi_core.inputs.text import Caption

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer


@dataclass(frozen=True)
class CaptionTokens:
    """What a text encoder reads of a caption.

    Attributes:
        ids: with the start token first and the end token last.
        words: indices of the words that are read.
        pieces: for each of them, where its tokens are among the ids.
        left_out: the other words, and those that are read in part.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]
    pieces: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...]


def tokenize(
    tokenizer: SimpleTokenizer, caption: Caption, players: str = "words", limit: int | None = None
) -> CaptionTokens:
    """The tokens of a caption; start and end are kept when it is cut.

    Args:
        tokenizer: of open_clip. Its context length is a limit too.
        caption: as it was typed.
        players: what the limit counts. Of "words" only whole ones are read; "tokens" are cut
            anywhere, as the research code does.
        limit: players at most, start and end among them.

    Raises:
        CaptionError: no word is read.
        InputError: the limit has no room for a player between start and end.
    """
    if limit is not None and limit < 3:
        raise InputError(
            f"{limit} text players have no room between [BOS] and [EOS]: use 3 or more."
        )
    text = caption.text[: caption.words[-1].end] if caption.left_out else caption.text
    tokens = _located(tokenizer, text)
    room = tokenizer.context_length - 2  # for start and end
    pieces = [
        tuple(
            n for n, (_, start, end) in enumerate(tokens) if start < word.end and word.start < end
        )
        for word in caption.words
    ]
    end = room
    if players == "tokens" and limit is not None:
        end = min(room, limit - 2)
    elif players == "words":
        most = len(pieces) if limit is None else limit - 2
        beyond = (own[0] for n, own in enumerate(pieces) if own and (n >= most or own[-1] >= room))
        if (cut := next(beyond, None)) is not None:  # nor what stands before a word that is cut
            end = max((own[-1] + 1 for own in pieces if own and own[-1] < cut), default=0)
    read = [n for n, own in enumerate(pieces) if own and own[-1] < end]
    if not read:
        raise CaptionError(
            "The encoder has no token for any word of the caption, or none that fits. Type it in "
            "plain words."
        )
    ids = [tokenizer.sot_token_id, *(i for i, _, _ in tokens[:end]), tokenizer.eot_token_id]
    return CaptionTokens(
        tuple(ids),
        tuple(read),
        tuple(tuple(position + 1 for position in pieces[word]) for word in read),
        tuple(w.text for n, w in enumerate(caption.words) if n not in read) + caption.left_out,
    )


def _located(tokenizer: SimpleTokenizer, text: str) -> list[tuple[int, int, int]]:
    """(id, start, end) of the tokens of a text: each was made of text[start:end]."""
    cleaned = tokenizer.clean_fn(text)
    origins = _origins(text, cleaned)
    located = []
    for match in tokenizer.pat.finditer(cleaned):
        places = [
            origins[match.start() + n]
            for n, character in enumerate(match.group())
            for _ in character.encode()
        ]  # of each byte
        text_bytes = "".join(tokenizer.byte_encoder[byte] for byte in match.group().encode())
        first = 0
        for piece in tokenizer.bpe(text_bytes).split(" "):
            last = first + len(piece.removesuffix("</w>"))
            start, end = places[first][0], places[last - 1][1]
            located.append((tokenizer.encoder[piece], start, end))
            first = last
    return located


def _origins(text: str, cleaned: str) -> list[tuple[int, int]]:
    """For each character of the cleaned text, the place in the text that it comes from."""
    old, new = ([character.lower() for character in x] for x in (text, cleaned))
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(new))
    same = min(same, len(old))  # most texts are clean but for their ends
    origins = [(n, n + 1) for n in range(same)]
    matcher = SequenceMatcher(None, old[same:], new[same:], autojunk=False)
    for how, a, b, first, last in matcher.get_opcodes():
        for n in range(last - first):
            start, end = (a + n, a + n + 1) if how == "equal" else (a, b)
            origins.append((same + start, same + end))
    return origins
