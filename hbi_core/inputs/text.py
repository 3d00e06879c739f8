"""A caption as its reader sees it: words, with their places in the text."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass

import regex

from hbi_core.errors import CaptionError

MAX_WORDS = 64  # the paper's longest text (ActivityNet, DiDeMo)
_WANTED = {
    "caption": "Type a sentence that describes the video.",
    "question": "Type a question about the video.",
    "query": "Type what is looked for.",
}

# Sets of characters, by the properties that Unicode gives them.
_IDEOGRAM = r"[[\p{Han}\p{Hiragana}]&&[\p{L}\p{N}]]"  # of scripts without spaces between words
_KATAKANA = r"[\p{Katakana}&&\p{L}]"
_LENGTHENED = "ーｰﾞﾟ"  # katakana's marks, which Unicode counts among the letters
_LETTER = rf"[[\p{{L}}\p{{N}}]--{_IDEOGRAM}--{_KATAKANA}--[{_LENGTHENED}]]"
_MARK = rf"[[\p{{M}}\p{{Cf}}\p{{Emoji_Modifier}}{_LENGTHENED}]--[\u200b\u200d]]"
_LONE_MARK = rf"[{_MARK}--[\p{{Cf}}\p{{Default_Ignorable_Code_Point}}]]"  # behind nothing
_ZWJ = r"\u200d"
# Emoji, also those that have no name yet; other symbols; and what stands for no known character:
# private use, not assigned, U+FFFD.
_PICTURE = (
    r"[[\p{So}\p{Extended_Pictographic}\p{Sm}\p{Sc}\p{Co}\p{Cn}]"
    r"--[\p{ASCII}\p{P}\p{Regional_Indicator}\p{Emoji_Modifier}"
    r"\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}＋＜＝＞｜～＄]]"
)
# A full stop between letters is a joiner (e.g, example.com, Ph.D) unless the next letter begins a
# sentence: upper case after lower case or a digit (stops.Then, sits.A), or two words of a script
# without cases.
_FULL_STOP = (
    r"(?!(?<=[\p{Ll}\p{N}]\p{M}*)\.\p{Lu}\p{M}*\p{Ll}"
    r"|(?<=(?<![\p{L}\p{M}])\p{Ll}[\p{Ll}\p{M}]+)\.\p{Lu}(?![\p{L}\p{M}\p{N}.])"
    r"|(?<=\p{Lo}[\p{Lo}\p{M}])\.\p{Lo}[\p{Lo}\p{M}])\."
)
_ENTITY = r"(?:[lg]t|[A-Za-z][a-z]{2,7}\d{0,2});"  # of HTML, behind its &
_WORD = regex.compile(
    rf"""
      (?<!{_LETTER}) [A-Za-z][A-Za-z0-9+.-]{{0,20}}:// [[!-~]--[<>"]]* [A-Za-z0-9/]    # an address
    | {_IDEOGRAM} {_MARK}*
    | {_KATAKANA} [{_KATAKANA}{_MARK}]*
    | \p{{Regional_Indicator}}{{1,2}}                                              # a flag
    | (?: (?:\p{{Sc}} | (?<!{_LETTER})[+−±]){{1,3}} (?=\p{{N}}) )?                 # $5, +5
      {_LETTER} [{_LETTER}{_MARK}{_ZWJ}]*
      (?: (?: ['’＇´`\-‐‑_@·\u05f3\u05f4՛՜՞] | &(?!{_ENTITY})                      # it's, AT&T
            | \++ | \p{{Sc}} | {_FULL_STOP} | (?<=\p{{N}})[,:⁄٫٬](?=\p{{N}}) )     # 10,000, 10:30
          {_LETTER} [{_LETTER}{_MARK}{_ZWJ}]* )*
      (?: (?:\++ | (?<=\p{{Lu}})\#)(?!{_LETTER}) | (?<=\p{{N}})\p{{Sc}} )?          # C++, C#, 5€
    | {_PICTURE} {_MARK}* (?: {_ZWJ} {_PICTURE} {_MARK}* )* | [*\#]\ufe0f?\u20e3
    | {_LONE_MARK}+
    """,
    regex.VERBOSE | regex.VERSION1,
)
# Between two clauses. Unicode's terminal punctuation has the full stops, commas, colons and
# question marks of all scripts, and some that only divide words.
_BOUNDARY = regex.compile(
    r"[[\p{Terminal_Punctuation}--[፡᛫𐎟𐏐𐤟]][\p{Ps}\p{Pe}--[‚„]]…—–|｜・･·•¿¡"
    r"\n-\r\x1c-\x1e\x85\u2028\u2029]",
    regex.VERSION1,
)


@dataclass(frozen=True)
class Word:
    """A word: `caption[start:end]`, in the clause of this number."""

    text: str
    start: int
    end: int
    clause: int


@dataclass(frozen=True)
class Caption:
    """A caption and its words.

    Attributes:
        text: the caption as it was given.
        words: the words that are explained, in reading order, at least one.
        left_out: words beyond the limit, in reading order.
    """

    text: str
    words: tuple[Word, ...]
    left_out: tuple[str, ...] = ()

    def first(self, words: int) -> Caption:
        """The same caption with this many words at most."""
        beyond = tuple(word.text for word in self.words[words:])
        return Caption(self.text, self.words[:words], beyond + self.left_out)


def parse_caption(caption: str, max_words: int = MAX_WORDS, kind: str = "caption") -> Caption:
    """Split a caption into words, without their punctuation.

    Clauses end at the punctuation of any script that ends a sentence or a part of one, at brackets
    and dashes, and at a line break. A full stop needs no space behind it where an upper-case
    letter follows a lower-case one ("stops.Then"); "stops.then" is read as a name, like
    "example.com".

    Chinese characters and hiragana are words of their own, and so are emoji and other symbols.
    Other scripts without spaces (Thai, Lao, Khmer) give one word for each run of letters. Signs of
    currency stay at their number, + and # behind letters (C++, C#); signs of markup and of
    arithmetic in ASCII are punctuation.

    Args:
        caption: the text.
        max_words: those beyond are left out.
        kind: what errors call it, "caption", "question" or "query".

    Raises:
        CaptionError: the caption is no text, is empty or has no word in it.
    """
    if not isinstance(caption, str):
        raise CaptionError(
            f"The {kind} is {reprlib.repr(caption)}, which is no text. {_WANTED[kind]}"
        )
    # Half a surrogate pair is no character: U+FFFD, which is told like any other unknown one.
    caption = caption.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    words: list[Word] = []
    clause, end = 0, 0
    for match in _WORD.finditer(caption):
        if words and _BOUNDARY.search(caption, end, match.start()):
            clause += 1
        end = match.end()
        words.append(Word(match.group(), match.start(), end, clause))
    if not words:
        what = "has no words, only punctuation" if caption.strip() else "is empty"
        raise CaptionError(f"The {kind} {what}. {_WANTED[kind]}")
    return Caption(caption, tuple(words)).first(max_words)
