"""Which of several outputs is most like all of them: minimum Bayes risk by BLEU or chrF.

Kumar & Byrne 2004 (Minimum Bayes-Risk Decoding for Statistical Machine Translation): if the truth were one of the
outputs, the best answer is the one whose expected score is highest. Each output is scored against each; n-grams of an
output are counted once, and what two share is a minimum of counts, so that K outputs cost K passes over an array and
not K² over text: 3 milliseconds for 16 sentences of twelve words, 0.2 s at most for 64 texts of two hundred.

Counts go through the same formulas as everywhere here (`text.py`), with sacrebleu's words, as the script has them,
and characters.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from sacrebleu.metrics.chrf import CHRF

from seqwise.metrics.text import cutter, score_of

# K outputs, O orders of n-grams, G different n-grams

Likeness = Literal["bleu", "chrf"]
WORDS = 4  # orders of BLEU
CHARACTERS: int = CHRF.CHAR_ORDER


def consensus(outputs: Sequence[str], likeness: Likeness) -> Float[np.ndarray, "K"]:
    """Expected score of each output, 0 to 100, if the truth is one of them and each as likely as the other."""
    share = Counter(outputs)  # the same text twice is compared once
    place = {text: i for i, text in enumerate(share)}
    scores = likenesses(list(share), likeness) @ np.array(list(share.values())) / len(outputs)
    told: Float[np.ndarray, "K"] = scores[[place[text] for text in outputs]]
    return told


def likenesses(texts: Sequence[str], likeness: Likeness) -> Float[np.ndarray, "K K"]:
    """Score of each text, down, with each as its reference, across."""
    if likeness == "bleu":
        cut = cutter(texts)
        sides: list[Sequence[str]] = [cut(text) for text in texts]
        orders = WORDS
    else:
        sides, orders = ["".join(text.split()) for text in texts], CHARACTERS
    k = len(texts)
    shared, sizes = np.zeros((orders, k, k)), np.zeros((orders, k))
    for n in range(orders):
        counts = _counted([Counter(_grams(side, n + 1)) for side in sides])
        sizes[n] = counts.sum(1)
        shared[n] = [np.minimum(row, counts).sum(1) for row in counts]
    wide = np.broadcast_to
    own, other = sizes[:, :, None], sizes[:, None, :]
    if likeness == "bleu":
        rows = [wide(own[0], (k, k)), wide(other[0], (k, k)), *shared, *wide(own, shared.shape)]
    else:
        rows = [row for n in range(orders) for row in (wide(own[n], (k, k)), wide(other[n], (k, k)), shared[n])]
    made: Float[np.ndarray, "K K"] = score_of(likeness, np.stack(rows, 2).reshape(k * k, -1)).reshape(k, k)
    return made


def _grams(side: Sequence[str], n: int) -> Iterable[object]:
    """Of n words, or of n characters."""
    if isinstance(side, str):
        return (side[i : i + n] for i in range(len(side) - n + 1))
    return zip(*(side[i:] for i in range(n)), strict=False)


def _counted(counters: Sequence[Counter[object]]) -> Float[np.ndarray, "K G"]:
    """A column for each n-gram of any."""
    places: dict[object, int] = {}
    for counter in counters:
        for gram in counter:
            places.setdefault(gram, len(places))
    counts = np.zeros((len(counters), len(places)), np.float32)  # whole numbers, and few: exact
    for row, counter in zip(counts, counters, strict=True):
        row[[places[gram] for gram in counter]] = list(counter.values())
    return counts
