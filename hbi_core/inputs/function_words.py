"""The function words of English, a closed list of our own: words that say nothing about a picture.

Determiners, numerals, pronouns, prepositions, conjunctions, auxiliary verbs, particles, and the
adverbs that only grade or point. The negated and the contracted forms follow from rules.
"""

from __future__ import annotations

from collections.abc import Sequence

_ENGLISH = """
    a an the this that these those some any no every each either neither both all half such
    another other others many much more most few several lots
    one two three four five six seven eight nine ten eleven twelve

    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself
    it its itself we us our ours ourselves they them their theirs themselves oneself
    who whom whose which what whoever whatever whichever someone somebody something anyone anybody
    anything everyone everybody everything nobody nothing none

    about above across after against along alongside amid among amongst around as at atop away
    before behind below beneath beside besides between beyond by despite down during except for
    from in inside into like near of off on onto out outside over past per since through
    throughout till to together toward towards under underneath until unto up upon via with within
    without

    and but or nor so yet if because although though unless while whilst whereas when whenever
    where wherever why how than whether then

    am is are was were be been being do does did doing have has had having can could may might
    must shall should will would not ain't can't won't shan't cannot

    there here very too also just only even still again almost quite rather really ever never
"""
FUNCTION_WORDS = frozenset(_ENGLISH.split())
QUESTION_WORDS = frozenset(("what", "who", "whose", "whom", "which", "where", "when", "why", "how"))

# Prepositions and quantities of several words, in which a noun names nothing in the picture.
COMPOUNDS = tuple(
    tuple(words.split())
    for words in (
        "in front of",
        "in back of",
        "in between",
        "in middle of",
        "in the middle of",
        "in the back of",
        "on the back of",
        "on top of",
        "on the top of",
        "at the top of",
        "to the top of",
        "at the bottom of",
        "at the end of",
        "at the edge of",
        "on the edge of",
        "at the side of",
        "by the side of",
        "on the side of",
        "next to",
        "close to",
        "instead of",
        "a lot of",
        "a couple of",
        "a number of",
    )
)

# The commonest words of other languages in Latin letters, as far as they are no words of English.
_OTHER = """
    der das dem ein eine einen einem einer eines und mit auf ist zu zum vor sich nicht
    le la les un une des du et est dans avec sur qui au aux ses
    el los las una unos del con por para su sus
    il lo gli di da che nel nella della sul sulla
    os um uma em na com
    het een de en op zijn
    ett och med som det og til
"""
OTHER_LANGUAGES = frozenset(_OTHER.split())

_CLITICS = ("'s", "'re", "'ve", "'ll", "'d", "'m")  # it's, they're; but not the dog's


def function_words(words: Sequence[str]) -> list[bool]:
    """Which of these words, in the order of a clause, are function words of English.

    Example:
        >>> function_words("it's a cat in front of the dog's house".split())
        [True, True, False, True, True, True, True, False, False]
    """
    plain = [_plain(word) for word in words]
    known = [_is_function_word(word) for word in plain]
    for compound in COMPOUNDS:
        length = len(compound)
        for start in range(len(plain) - length + 1):
            if tuple(plain[start : start + length]) == compound:
                known[start : start + length] = [True] * length
    return known


def looks_english(words: Sequence[str]) -> bool:
    """Whether a text has more function words of English than common words of other languages.

    Words without any, "dog, snow", are not known to be English. A sentence in a language whose
    common words are not listed may be taken for English by a word that it shares with it.

    Example:
        >>> looks_english(["A", "dog", "in", "the", "snow"])
        True
        >>> looks_english("Ein Hund in der Sonne".split()), looks_english(["dog", "snow"])
        (False, False)
    """
    plain = [_plain(word) for word in words]
    foreign = sum(word in OTHER_LANGUAGES for word in plain)
    return sum(map(_is_function_word, plain)) > foreign


def _plain(word: str) -> str:
    return word.lower().replace("’", "'").replace("＇", "'")


def _is_function_word(word: str) -> bool:
    if word in FUNCTION_WORDS:
        return True
    if word.endswith("n't"):
        return word[:-3] in FUNCTION_WORDS
    base, mark, end = word.rpartition("'")
    return mark + end in _CLITICS and base in FUNCTION_WORDS
