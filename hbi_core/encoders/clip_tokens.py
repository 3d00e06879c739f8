"""A caption as a model of open_clip reads it, and which of its words each token stands for.

The whole text is tokenised at once, so that the ids are the model's own: its cleaning mends what
was encoded wrongly, resolves HTML entities or takes punctuation away, and CLIP's tokenizer tells a
detached "'s" from "'" and "s". A token knows the characters of the caption that it was made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from hbi_core.errors import CaptionError, InputError, WeightsError
from hbi_core.inputs.text import Caption

if TYPE_CHECKING:
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer


class Token(NamedTuple):
    """A token made of text[start:end], and whether it says something: not [UNK], not a space."""

    id: int
    start: int
    end: int
    known: bool = True


class CaptionTokenizer(ABC):
    """A tokenizer of open_clip that knows the place of each token.

    Attributes:
        context_length: tokens of a padded text.
        before, after: ids of the special tokens around every text.
        padding: id of what fills the rest.
    """

    context_length: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    padding: int

    @abstractmethod
    def located(self, text: str) -> list[Token]:
        """All tokens of a text, without the special ones."""

    @abstractmethod
    def label(self, id: int) -> str:
        """A token as a figure shows it."""


class ClipTokenizer(CaptionTokenizer):
    """CLIP's own byte pairs: every word can be read."""

    padding = 0

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        self._tokenizer = tokenizer
        self.context_length = int(tokenizer.context_length or 0)
        self.before, self.after = (tokenizer.sot_token_id,), (tokenizer.eot_token_id,)

    def located(self, text: str) -> list[Token]:
        known = self._tokenizer
        cleaned, origins = _cleaned(text, known.clean_fn)
        located = []
        for match in known.pat.finditer(cleaned):
            places = [
                origins[match.start() + n]
                for n, character in enumerate(match.group())
                for _ in character.encode()
            ]  # of each byte
            text_bytes = "".join(known.byte_encoder[byte] for byte in match.group().encode())
            first = 0
            for piece in known.bpe(text_bytes).split(" "):
                last = first + len(piece.removesuffix("</w>"))
                start, end = places[first][0], places[last - 1][1]
                located.append(Token(known.encoder[piece], start, end))
                first = last
        return located

    def label(self, id: int) -> str:
        special = {self.before[0]: "[BOS]", self.after[0]: "[EOS]"}
        return special.get(id) or self._tokenizer.decode([id]).strip()


class HubTokenizer(CaptionTokenizer):
    """A tokenizer of transformers, as SigLIP, CLIPA and text towers from the hub have one.

    Raises:
        WeightsError: it cannot tell the places of its tokens, or puts them where ours are not.
    """

    def __init__(self, tokenizer: HFTokenizer) -> None:
        self._clean, self._tokenizer = tokenizer.clean_fn, tokenizer.tokenizer
        own: Any = self._tokenizer
        if not own.is_fast or own.padding_side != "right" or tokenizer.tokenizer_mode:
            raise WeightsError(
                f"The tokenizer {type(own).__name__} does not tell which words its tokens are: "
                "take a model with a tokenizer.json that pads on the right."
            )
        self.context_length = int(tokenizer.context_length or 0)
        self.padding = own.pad_token_id
        encoded = own("a", return_special_tokens_mask=True)
        special = encoded["special_tokens_mask"]
        ids = encoded["input_ids"]
        if tokenizer.strip_sep_token:
            ids = [0 if id == own.sep_token_id else id for id in ids]
        first = len(list(takewhile(bool, special)))
        last = len(list(takewhile(bool, reversed(special))))
        self.before, self.after = tuple(ids[:first]), tuple(ids[len(ids) - last :])
        self._stripped = own.sep_token_id if tokenizer.strip_sep_token else None

    def located(self, text: str) -> list[Token]:
        cleaned, origins = _cleaned(text, self._clean)
        encoded = self._tokenizer(cleaned, add_special_tokens=False, return_offsets_mapping=True)
        located = []
        for id, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            first, last = (origins[start][0], origins[end - 1][1]) if start < end else (0, 0)
            known = self._says(id)
            located.append(Token(0 if id == self._stripped else id, first, last, known))
        return located

    def label(self, id: int) -> str:
        return self._tokenizer.decode([id]).strip() or self._tokenizer.convert_ids_to_tokens(id)

    def _says(self, id: int) -> bool:
        piece = self._tokenizer.convert_ids_to_tokens(id)
        return id != self._tokenizer.unk_token_id and bool(piece.strip("▁Ġ "))


@dataclass(frozen=True)
class CaptionTokens:
    """What a text encoder reads of a caption.

    Attributes:
        ids: with the special tokens around them.
        words: indices of the words that are read.
        pieces: for each of them, where its tokens are among the ids.
        left_out: the other words, and those that are read in part: those of which the tokenizer
            knows nothing, then those beyond a limit.
        unreadable: the first of them.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]
    pieces: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...]
    unreadable: tuple[str, ...]


def tokenize(
    tokenizer: CaptionTokenizer,
    caption: Caption,
    players: str = "words",
    limit: int | None = None,
    special: int = 2,
) -> CaptionTokens:
    """The tokens of a caption; the special ones around it are kept when it is cut.

    Args:
        tokenizer: its context length is a limit too.
        caption: as it was typed.
        players: what the limit counts. Of "words" only whole ones are read; "tokens" are cut
            anywhere, as the research code does.
        limit: players at most.
        special: so many of them are no part of the caption.

    Raises:
        CaptionError: no word is read.
        InputError: the limit has no room for a player beside the special ones.
    """
    if limit is not None and limit <= special:
        raise InputError(
            f"{limit} text players have no room for a word beside the {special} special ones: use "
            f"{special + 1} or more."
        )
    text = caption.text[: caption.words[-1].end] if caption.left_out else caption.text
    tokens = tokenizer.located(text)
    room = tokenizer.context_length - len(tokenizer.before) - len(tokenizer.after)
    pieces = [
        tuple(n for n, t in enumerate(tokens) if t.start < word.end and word.start < t.end)
        for word in caption.words
    ]
    end = room
    if players == "tokens" and limit is not None:
        end = min(room, limit - special)
    elif players == "words":
        most = len(pieces) if limit is None else limit - special
        beyond = (own[0] for n, own in enumerate(pieces) if own and (n >= most or own[-1] >= room))
        if (cut := next(beyond, None)) is not None:  # nor what stands before a word that is cut
            end = max((own[-1] + 1 for own in pieces if own and own[-1] < cut), default=0)
    known = [tuple(n for n in own if tokens[n].known) for own in pieces]
    unreadable = [n for n, own in enumerate(pieces) if not known[n] and (not own or own[0] < end)]
    read = [n for n, own in enumerate(pieces) if known[n] and own[-1] < end]
    if not read:
        raise CaptionError(
            "The encoder has no token for any word of the text, or none that fits. Type it in "
            "plain words."
        )
    first = len(tokenizer.before)
    ids = [*tokenizer.before, *(token.id for token in tokens[:end]), *tokenizer.after]
    beyond_end = [n for n in range(len(pieces)) if n not in read and n not in unreadable]
    texts = [word.text for word in caption.words]
    return CaptionTokens(
        tuple(ids),
        tuple(read),
        tuple(tuple(first + position for position in known[word]) for word in read),
        tuple(texts[n] for n in unreadable + beyond_end) + caption.left_out,
        tuple(texts[n] for n in unreadable),
    )


def _cleaned(text: str, clean: Callable[[str], str]) -> tuple[str, list[tuple[int, int]]]:
    """A cleaned text, and for each of its characters the place that it comes from."""
    cleaned = clean(text)
    old, new = ([character.lower() for character in x] for x in (text, cleaned))
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(new))
    same = min(same, len(old))  # most texts are clean but for their ends
    origins = [(n, n + 1) for n in range(same)]
    matcher = SequenceMatcher(None, old[same:], new[same:], autojunk=False)
    for how, a, b, first, last in matcher.get_opcodes():
        for n in range(last - first):
            start, end = (a + n, a + n + 1) if how == "equal" else (a, b)
            origins.append((same + start, same + end))
    return cleaned, origins
