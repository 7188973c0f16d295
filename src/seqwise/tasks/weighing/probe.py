"""What a representation still knows of labels that the model has no head for: a linear probe. Alain and Bengio 2017.

The vector of a text is the mean over its tokens of what the body makes of them, before any head. On standardized
vectors a logistic regression learns the labels of four fifths of the texts and is asked for the others, five times, so
that each text is judged once by a probe that has not seen it. The fifths depend on labels and order of the texts alone:
two models are asked in the same ones.

A probe tells what is there to be read, not what the model would say: the difference of two bodies is the point, not the
height of the number.
"""

import random
import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from seqwise.data.paired import Text
from seqwise.decoding.reading import read_all
from seqwise.errors import ConfigError, DataError
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.tasks.reading import Reader, Row, told_apart
from seqwise.tasks.weighing.systems import System

# N texts, W numbers of a vector

FOLDS = 5
STRENGTH = 1.0  # scikit-learn's C
SEED = 1


def vectors(system: System, texts: Sequence[Text]) -> Float[np.ndarray, "N W"]:
    """The mean vector of each text, or pair of texts."""
    opened = system.opened
    if opened is None or not isinstance(opened.model, Encoder | Decoder):
        given = f"a probe of {system.name}"
        raise ConfigError(given, "a Transformer that is an encoder or a decoder", "a general set of the task itself")
    pad = opened.words.source.pad
    rows = [row if row.ids else Row([pad], [0]) for row in Reader(opened, cut=True).rows(texts)]
    return read_all(opened.model, [row.ids for row in rows], "mean", segments=told_apart(rows)).double().numpy()


def folds(labels: Sequence[str], count: int = FOLDS, seed: int = SEED) -> Int[np.ndarray, "N"]:
    """Which fifth each text is in: of each label as many in each, to one."""
    places = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    found = np.empty(len(labels), dtype=np.int64)
    chance, given = random.Random(seed), 0
    for label in sorted(places):
        chance.shuffle(places[label])
        for place in places[label]:
            found[place], given = given % count, given + 1
    return found


def probed(rows: Float[np.ndarray, "N W"], labels: Sequence[str]) -> tuple[str, ...]:
    """The label of each text, by a probe that learnt from the other fifths."""
    if len(set(labels)) < 2 or len(labels) < 2 * FOLDS:
        given = f"{len(labels):,} texts of {len(set(labels)):,} labels for a probe"
        raise DataError(given, f"two labels and {2 * FOLDS} texts at least", "another general set")
    if FOLDS * len(set(labels)) > len(labels):
        given = f"{len(set(labels)):,} labels of {len(labels):,} texts for a probe"
        raise DataError(given, f"{FOLDS} texts a label on average, to learn it from", "a set whose column is of labels")
    part, names = folds(labels), np.array(labels, dtype=object)
    said = np.empty(len(labels), dtype=object)
    for fold in range(FOLDS):
        out = part == fold
        said[out] = _learnt(rows[~out], names[~out], rows[out])
    return tuple(said.tolist())


def _learnt(rows: Float[np.ndarray, "M W"], labels: np.ndarray, asked: Float[np.ndarray, "K W"]) -> np.ndarray:
    """Logistic regression on standardized vectors; the commonest label where only one is there."""
    from sklearn.exceptions import ConvergenceWarning  # a second, which nobody else should wait for
    from sklearn.linear_model import LogisticRegression

    if len(set(labels)) < 2:
        return np.full(len(asked), labels[0], dtype=object)
    mean, sd = rows.mean(0), rows.std(0)
    sd[sd == 0] = 1.0
    model = LogisticRegression(C=STRENGTH, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # five hundred steps are as good as all of them
        model.fit((rows - mean) / sd, labels)
    found: np.ndarray = model.predict((asked - mean) / sd)
    return found
