"""How close captions are to those of people: BLEU-4, METEOR, ROUGE-L and CIDEr, by pycocoevalcap.

METEOR and the tokenizer that these metrics are published with, Stanford's, are Java programs.
Without Java a tokenizer of ours takes its place, METEOR is left out, and the results say so by
their name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hbi_core.errors import DataError

WITH_JAVA, WITHOUT_JAVA = "captions", "captions (tokenizer of ours)"
_WORD = re.compile(r"\w+(?:-\w+)*|'\w+")
_TINY, _SMALL = 1e-15, 1e-9  # as pycocoevalcap's, where nothing is right or nothing was said


@dataclass(frozen=True, eq=False)
class CaptionScores:
    """What was measured of N captions, clip by clip, so that an interval can be told.

    Attributes:
        name: of the results, `WITH_JAVA` or `WITHOUT_JAVA`.
        counts: int64 [N, 10], of which BLEU-4 is made: length of the caption, length of the nearest
            reference, n-grams of n = 1..4, and how many of those are in a reference.
        rouge, cider: float64 [N], ROUGE-L and CIDEr of each; from 0 to 1 and from 0 to
            10; CIDEr's inverse document frequencies are those of all references.
        meteor: of the corpus, and float64 [N] of each; None without Java.
    """

    name: str
    counts: np.ndarray
    rouge: np.ndarray
    cider: np.ndarray
    meteor: tuple[float, np.ndarray] | None

    def metrics(self) -> dict[str, float]:
        """BLEU-4, METEOR (with Java), ROUGE-L and CIDEr in hundredths, as papers have them."""
        own = {} if self.meteor is None else {"METEOR": 100 * self.meteor[0]}
        return {
            "BLEU-4": 100 * float(bleu(self.counts.sum(0))),
            **own,
            "ROUGE-L": 100 * float(self.rouge.mean()),
            "CIDEr": 100 * float(self.cider.mean()),
        }


def has_java() -> bool:
    """Whether there is a Java to run."""
    return shutil.which("java") is not None


def measure(
    captions: Sequence[str], references: Sequence[Sequence[str]], java: bool
) -> CaptionScores:
    """Measure captions beside what people said.

    Args:
        captions: of N clips, one each.
        references: of each clip, one or more.
        java: whether to use it; `has_java` tells whether it is there. METEOR then takes half a
            minute.

    Raises:
        DataError: Java does not do its work.
    """
    from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    read = stanford if java else _tokenized
    said = read(list(captions))
    known = iter(read([one for own in references for one in own]))
    people = [[next(known) for _ in own] for own in references]
    counts = []
    for caption, own in zip(said, people, strict=True):
        parts = cook_test(caption, cook_refs(own), eff="closest")
        counts.append([parts["testlen"], parts["reflen"], *parts["guess"], *parts["correct"]])
    by_clip = dict(enumerate(people)), {n: [caption] for n, caption in enumerate(said)}
    return CaptionScores(
        name=WITH_JAVA if java else WITHOUT_JAVA,
        counts=np.array(counts),
        rouge=np.asarray(Rouge().compute_score(*by_clip)[1]),
        cider=np.asarray(Cider().compute_score(*by_clip)[1]),
        meteor=meteor(*by_clip) if java else None,
    )


def bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-4 of the sums [..., 10] of `CaptionScores.counts` over a corpus."""
    said, nearest, grams, right = np.split(counts.astype(float), [1, 2, 6], -1)
    precision = np.exp(np.log((right + _TINY) / (grams + _SMALL)).mean(-1))
    ratio = (said[..., 0] + _TINY) / (nearest[..., 0] + _SMALL)
    return precision * np.exp(np.minimum(0.0, 1 - 1 / ratio))


def _tokenized(texts: Sequence[str]) -> list[str]:
    """Words in lower case without punctuation, a space between them; 's is a word of its own.

    Like Stanford's, but for n't, which that sets apart.
    """
    return [" ".join(_WORD.findall(text.lower().replace("’", "'"))) for text in texts]


def stanford(texts: Sequence[str]) -> list[str]:
    """The same by Stanford's tokenizer, with the punctuation that pycocoevalcap leaves out."""
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    command = ["java", "-Dfile.encoding=UTF-8", "-cp", str(jar)]
    command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    lines = "".join(" ".join(text.split()) + "\n" for text in texts)
    try:
        ran = subprocess.run(command, input=lines.encode(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise DataError(
            f"Java does not tokenize the captions ({error}). Mend it, or take it out of PATH."
        ) from error
    read = ran.stdout.decode().split("\n")[: len(texts)]
    left_out = set(ptbtokenizer.PUNCTUATIONS)
    return [" ".join(word for word in line.split() if word not in left_out) for line in read]


def meteor(
    references: dict[int, list[str]], captions: dict[int, list[str]]
) -> tuple[float, np.ndarray]:
    from pycocoevalcap.meteor.meteor import Meteor

    try:
        corpus, each = Meteor().compute_score(references, captions)
    except (OSError, ValueError) as error:
        raise DataError(
            f"Java does not compute METEOR ({error}). Mend it, or take it out of PATH."
        ) from error
    return corpus, np.asarray(each)
