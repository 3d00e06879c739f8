"""Questions made from the captions of a photograph, by templates and closed lists of words.

An answer is what several captions say, and none of the others contradicts it. So that the question
alone does not give it away, no answer has more than a third of the questions of one kind about one
thing; of those in one of its wordings, which are drawn afterwards, it may have somewhat more.
Everything is deterministic: the same captions give the same questions on any machine.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hbi_core.data import caption_facts as facts
from hbi_core.data import question_words as known
from hbi_core.data.clips import Question

LARGEST_SHARE = 1 / 3  # of one answer in the questions of one kind about one thing
WORDINGS: dict[str, tuple[str, ...]] = {
    "animal": (
        "what animal is this?",
        "which animal is in the picture?",
        "what kind of animal is there?",
        "what animal do you see?",
    ),
    "colour": (
        "what colour is the {0}?",
        "what color is the {0}?",
        "which colour does the {0} have?",
        "what is the color of the {0}?",
    ),
    "count": (
        "how many {0} are there?",
        "how many {0} can be seen?",
        "how many {0} are in the picture?",
        "how many {0} do you see?",
    ),
    "who": ("who is {0}?", "who is {0} here?", "who can be seen {0}?"),
    "where": ("where {is} the {0}?", "in what place {is} the {0}?"),
    "place": ("where is this?", "where is it?", "what place is this?", "what is the place?"),
    "doing": ("what {is} the {0} doing?", "what {do} the {0} do?"),
    "object": ("what {is} the {0}?",),  # "man riding"
    "wearing": (
        "what is the {0} wearing?",
        "what does the {0} wear?",
        "what does the {0} have on?",
    ),
    "sport": (
        "what sport is this?",
        "what sport is being played?",
        "which sport is it?",
        "what kind of sport do they do?",
    ),
}
_LEAST, _ONE_KIND = 2, 3  # captions that must give an answer; that must name the animal
_WORD = re.compile(r"[a-z0-9]+(?:[-'][a-z]+)*")


class Made(NamedTuple):
    """A question before it is worded: its kind, what it is about, and the answer."""

    kind: str
    about: str
    answer: str

    def worded(self, id: str) -> Question:
        """In one of the wordings of its kind, which the photograph decides."""
        wordings = WORDINGS[self.kind]
        text = wordings[_draw(id, self.kind) % len(wordings)]
        plural = not _PLURALS.isdisjoint(self.about.split())
        verbs = {"is": "are", "do": "do"} if plural else {"is": "is", "do": "does"}
        return Question(text.format(self.about, **verbs), self.answer, self.kind)


def questions_about(photographs: Mapping[str, Sequence[str]]) -> dict[str, list[Question]]:
    """Balanced questions about photographs, by id; an empty list where nothing can be asked.

    Args:
        photographs: captions by id.
    """
    made = {id: make_questions(captions) for id, captions in photographs.items()}
    return {id: [one.worded(id) for one in own] for id, own in balanced(made).items()}


def make_questions(captions: Sequence[str]) -> list[Made]:
    """What the captions of one photograph answer, before anything is balanced."""
    read = [_WORD.findall(caption.lower()) for caption in captions]
    people = [facts.mentions(words, known.PEOPLE, known.PEOPLE_PLURAL) for words in read]
    animals = [facts.mentions(words, known.ANIMALS, known.ANIMALS_PLURAL) for words in read]
    kinds = [{mention.name for mention in own} for own in animals]
    made = [Made("animal", "", answer) for answer in _sure(kinds, _ONE_KIND)]
    for things, found in (("people", people), ("dogs", animals)):
        counts = [facts.number_of(*one) for one in zip(found, read, strict=True)]
        said = [{count} for count in counts if count]
        made += [Made("count", things, answer) for answer in _sure(said, _ONE_KIND)]
    made += _of_colour(read, animals)
    if not any(animals):
        made += [Made("sport", "", sport) for sport in _sure(map(facts.sports, read))]
    place = _place(read)
    named = known.PEOPLE | known.ANIMALS, known.PEOPLE_PLURAL | known.ANIMALS_PLURAL
    everybody = [facts.mentions(words, *named) for words in read]
    subject = _subject([own[0] for own in everybody if own])
    if subject is None:
        return made + [Made("place", "", where) for where in place]
    made += [Made("where", _called(*subject), where) for where in place]
    return made + _of_subject(read, *subject)


def balanced(made: Mapping[str, Sequence[Made]]) -> dict[str, list[Made]]:
    """The questions without those that would give an answer too large a share, by id.

    Of the questions of one kind about one thing no answer has more than LARGEST_SHARE, so none has
    more of a kind either. Which ones are left out is drawn from the ids.
    """
    groups: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for id, own in made.items():
        for kind, about, answer in own:
            groups[kind, about][answer].append(id)
    kept = set()
    for (kind, about), answers in groups.items():
        most = _most_of_each([len(ids) for ids in answers.values()])
        for answer, ids in answers.items():
            chosen = sorted(ids, key=lambda id: _draw(id, f"{kind} {about}"))[:most]
            kept |= {(id, Made(kind, about, answer)) for id in chosen}
    return {id: [one for one in own if (id, one) in kept] for id, own in made.items()}


def _most_of_each(counts: Sequence[int]) -> int:
    """The most questions that an answer may keep, so that none has too large a share of all."""
    for most in range(max(counts), 0, -1):
        if most <= LARGEST_SHARE * sum(min(most, count) for count in counts):
            return most
    return 0


def _subject(first: Sequence[facts.Mention]) -> tuple[str, bool] | None:
    """Whom the captions are about, and whether they are several; None where they do not agree.

    A word that is more general is no contradiction: a child may be a boy.
    """
    names, plural = Counter(m.name for m in first), {m.plural for m in first}
    fitting = [
        name
        for name, count in names.items()
        if count >= _LEAST and all(name in {o, *known.GENERAL.get(o, ())} for o in names)
    ]
    return (fitting[0], plural.pop()) if len(fitting) == 1 and len(plural) == 1 else None


def _of_subject(read: Sequence[Sequence[str]], name: str, plural: bool) -> list[Made]:
    """What somebody does, wears and holds."""
    who = _called(name, plural)
    doing = _most_said(map(facts.done, read))
    made = [Made("who", verb, who) for verb in doing] + [Made("doing", who, v) for v in doing]
    if name not in known.ANIMALS and not plural:
        made += [Made("wearing", who, worn) for worn in _most_said(map(facts.worn, read))]
    said: dict[str, list[set[str]]] = defaultdict(list)
    for words in read:
        for verb, things in facts.objects(words).items():
            said[verb].append(things)
        if name in known.ANIMALS and (held := facts.in_mouth(words)):
            said["carrying"].append(held)
    for verb, of_verb in said.items():
        made += [Made("object", f"{who} {verb}", thing) for thing in _sure(of_verb)]
    return made


def _of_colour(
    read: Sequence[Sequence[str]], animals: Sequence[Sequence[facts.Mention]]
) -> list[Made]:
    said: dict[str, list[set[str]]] = defaultdict(list)
    for words in read:
        for name, colours in facts.colours(words).items():
            said[name].append(colours)
    several = any(len(own) > 1 or any(m.plural for m in own) for own in animals)
    return [
        Made("colour", name, colour)
        for name, colours in said.items()
        if not (several and name in known.ANIMALS)
        for colour in _sure(colours)
    ]


def _place(read: Sequence[Sequence[str]]) -> list[str]:
    """Where it is, if the places that captions name may be beside each other; at most one."""
    counts = Counter(place for words in read for place in facts.places(words))
    (place, count), *others = counts.most_common() or [("", 0)]
    neighbours = {p for group in known.NEIGHBOURS if place in group for p in group}
    alone = all(other in neighbours and own < count for other, own in others)
    return [place] if count >= _LEAST and alone else []


def _called(name: str, plural: bool) -> str:
    return known.PLURAL.get(name, f"{name}s") if plural else name


def _sure(said: Iterable[set[str]], least: int = _LEAST) -> list[str]:
    """The one answer that enough captions give, if none gives another; at most one."""
    counts = Counter(answer for own in said for answer in own)
    return [answer for answer, count in counts.items() if len(counts) == 1 and count >= least]


def _most_said(said: Iterable[set[str]]) -> list[str]:
    """The answer that enough captions give, if no other is given by so many; at most one.

    For what may be true beside another: somebody who runs may also play.
    """
    counts = Counter(answer for own in said for answer in own)
    often = [answer for answer, count in counts.items() if count >= _LEAST]
    return often if len(often) == 1 else []


def _draw(id: str, purpose: str) -> int:
    digest = hashlib.sha256(f"hbi-question:{purpose}:{id}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "big")


_PLURALS = {_called(n, True) for n in {*known.PEOPLE.values(), *known.ANIMALS.values()}}
