"""ROUGE (Lin 2004), by rouge-score, the reference implementation in Python: how much of a summary was said.

    ROUGE-1, ROUGE-2   words, and pairs of words, that the output shares with the reference
    ROUGE-L            the longest row of words that both have in the same order, others between them

F1 of each, from 0 to 100. With several references the best one counts, for each of the three by itself. The score of
a corpus is the mean over its texts, which is what the bootstrap draws.

rouge-score knows the letters a to z and digits alone: an accent parts a word, and a text in Greek or Chinese has none.
`words="unicode"` cuts at whatever is no letter, mark or digit in any script (`letters.py`); no published score is of
that kind. Accents by themselves are joined to their letters first (NFC), on both sides.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from seqwise import letters
from seqwise.errors import DataError
from seqwise.metrics.scores import Score, interval, resampled

# N texts

Words = Literal["english", "unicode"]
References = Sequence[str] | Sequence[Sequence[str]]

KINDS = ("rouge1", "rouge2", "rougeL")
NAMES = ("ROUGE-1", "ROUGE-2", "ROUGE-L")
_ENGLISH = re.compile(r"[a-z0-9]")


def rouge(
    outputs: Sequence[str],
    references: References,
    stem: bool = True,
    words: Words = "english",
    resamples: int = 1000,
    seed: int = 12345,
) -> tuple[Score, Score, Score]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of a corpus. A reference is a text, or several of which the best one counts.

    stem    words without their English endings (Porter 1980), as papers score: ROUGE-1.5.5 -m. Not with unicode
    """
    return averaged(rouge_of_each(outputs, references, stem, words), references, stem, words, resamples, seed)


def averaged(
    each: Float[np.ndarray, "N 3"],
    references: References,
    stem: bool = True,
    words: Words = "english",
    resamples: int = 1000,
    seed: int = 12345,
) -> tuple[Score, Score, Score]:
    """The scores of a corpus whose texts were scored by `rouge_of_each` with the same references and words."""
    drawn = resampled(each, resamples, seed) / len(each)  # (R, 3)
    counts = {len(row) for row in several(references)}
    told = "|".join(
        (
            f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}",
            f"bs:{resamples}",
            f"seed:{seed}",
            "case:lc",
            f"words:{words}",
            f"stem:{'yes' if stem and words == 'english' else 'no'}",
            "f1:mean",
            f"rouge-score:{version('rouge-score')}",
        )
    )
    one, two, longest = (
        Score(name, float(each[:, i].mean()), interval(drawn[:, i]), len(each), told, resamples, "texts")
        for i, name in enumerate(NAMES)
    )
    return one, two, longest


def rouge_of_each(
    outputs: Sequence[str], references: References, stem: bool = True, words: Words = "english"
) -> Float[np.ndarray, "N 3"]:
    """The three scores of each text, as `rouge` averages them: what two systems are compared by."""
    from rouge_score.rouge_scorer import RougeScorer  # 0.5 s, which nobody else should wait for

    rows = _checked(outputs, references)
    scorer: Any = RougeScorer(list(KINDS), tokenizer=_Cutter(stem, words))
    found = np.empty((len(outputs), 3))
    for i, (output, row) in enumerate(zip(outputs, rows, strict=True)):
        best = scorer.score_multi([letters.composed(text) for text in row], letters.composed(output))
        found[i] = [100 * best[kind].fmeasure for kind in KINDS]
    return found


def several(references: References) -> list[Sequence[str]]:
    """The references of each text, also where there is but one."""
    return [[row] if isinstance(row, str) else row for row in references]


def looks_foreign(texts: Sequence[str]) -> bool:
    """Whether most letters are none of a to z, so that ROUGE needs `words="unicode"`."""
    found = [letter for text in texts for letter in text.lower() if letter.isalnum()]
    return 2 * sum(not _ENGLISH.match(letter) for letter in found) > len(found)


class _Cutter:
    """Words as rouge-score cuts them, or in any script. A stem is looked for once: that is what takes time."""

    def __init__(self, stem: bool, words: Words) -> None:
        from nltk.stem import porter

        self.unicode = words == "unicode"
        self.stemmer: Any = porter.PorterStemmer() if stem and not self.unicode else None
        self.stems: dict[str, str] = {}

    def stem(self, word: str) -> str:
        """The word without its ending."""
        if word not in self.stems:
            self.stems[word] = self.stemmer.stem(word)
        return self.stems[word]

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, in lower case."""
        from rouge_score.tokenize import tokenize

        if self.unicode:
            return letters.words(text.lower())
        found: list[str] = tokenize(text, self if self.stemmer else None)
        return found


def _checked(outputs: Sequence[str], references: References) -> list[Sequence[str]]:
    if isinstance(outputs, str) or isinstance(references, str):
        raise DataError("a single text", "lists of outputs and of references", "[output], [reference]")
    if len(outputs) != len(references):
        given = f"{len(outputs):,} outputs and {len(references):,} references"
        raise DataError(given, "as many references, each a text or several", "files of as many lines each")
    if not len(outputs):
        raise DataError("no texts", "at least one", "another test file")
    rows = several(references)
    empty = next((i for i, row in enumerate(rows) if not row), None)
    if empty is not None:
        raise DataError(f"text {empty} without a reference", "at least one for each", "leaving that text out")
    return rows
