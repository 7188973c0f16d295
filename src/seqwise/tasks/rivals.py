"""Cheap rivals, which a tuned model must beat to be worth its cost. Each learns in seconds, or not at all.

    Majority   classify    the commonest label
    TfIdf      classify    words and pairs of words, weighted by how rare they are, and logistic regression
    Lead       summarize   the first sentence of the text
    Copy       translate   the text itself

They know no checkpoint. Left out: the untouched base, and the base prompted, which whoever tunes has at hand.
"""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Float

from seqwise import letters
from seqwise.data.paired import TAB, sides
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.sentences import lead

# N texts, L labels

Task = Literal["classify", "summarize", "translate", "generate"]


@dataclass(frozen=True)
class Answers:
    """What a rival says of some texts."""

    name: str
    outputs: tuple[str, ...]
    """A label, a summary or a translation for each text."""
    seconds: float
    """What learning took, and these answers."""
    labels: tuple[str, ...] = ()
    """Where it gives chances: what the columns of them stand for."""
    chances: Float[np.ndarray, "N L"] | None = None
    """Of each label; rows sum to 1."""


class Fitted(Protocol):
    """A rival that has learnt."""

    def predict(self, texts: Sequence[str]) -> Answers:
        """An answer for each text, in the order given."""
        ...


class Rival(Protocol):
    """A way to answer that costs next to nothing."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Fitted:
        """Learn from the training examples."""
        ...


def rivals_for(task: Task) -> tuple[Rival, ...]:
    """Those that a model for this task must beat; the last one is the hardest."""
    match task:
        case "classify":
            return Majority(), TfIdf()
        case "summarize":
            return (Lead(),)
        case "translate":
            return (Copy(),)
        case "generate":
            return ()
    raise ConfigError(f"task={task!r}", "classify, summarize, translate or generate", "classify")


@dataclass(frozen=True)
class _Told:
    """Learnt, and timed."""

    name: str
    learnt: float  # seconds
    labels: tuple[str, ...]
    answer: Callable[[Sequence[str]], Float[np.ndarray, "N L"] | tuple[str, ...]]

    def predict(self, texts: Sequence[str]) -> Answers:
        """An answer for each text, in the order given."""
        began = time.perf_counter()
        made = self.answer(texts)
        if isinstance(made, tuple):
            return Answers(self.name, made, self.learnt + time.perf_counter() - began)
        best = made.argmax(1).tolist() if len(texts) else []
        outputs = tuple(self.labels[i] for i in best)
        return Answers(self.name, outputs, self.learnt + time.perf_counter() - began, self.labels, made)


@dataclass(frozen=True)
class Majority:
    """The commonest label of the training examples, whatever the text; of equally common ones the first by name."""

    name: str = "majority"

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Fitted:
        """Count the labels."""
        _checked(texts, targets)
        counts = sorted(Counter(targets).items(), key=lambda pair: (-pair[1], pair[0]))
        shares = np.array([[count / len(targets) for _, count in counts]])  # (1, L)
        return _Told(self.name, 0.0, tuple(label for label, _ in counts), lambda asked: shares.repeat(len(asked), 0))


@dataclass(frozen=True)
class TfIdf:
    """Logistic regression on words and pairs of words (sublinear tf-idf): for short texts often hard to beat.

    By scikit-learn, with its usual words of two letters or more, marks among them; scripts without spaces are cut into
    rows of one to three letters instead. Of pairs of texts, which a tab parts, each text has words of its own, and so
    have those that stand in both and the share of the second's that do. Deterministic.
    """

    name: str = "tf-idf"
    strength: float = 10.0
    """scikit-learn's C, the inverse of the penalty on large weights. On tf-idf rows, which have length 1, its usual 1
    learns too little."""
    features: int = 300_000
    """The most frequent words and pairs; keeps the memory small where there are millions of texts."""
    examples: int = 50_000
    """Training examples at most, spread evenly: more cost minutes and no longer help such a model much."""

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Fitted:
        """Count words, weigh them. Where nothing can be learnt (one label, no words), the commonest label."""
        _checked(texts, targets)
        began = time.perf_counter()
        if len(texts) > self.examples:
            kept = np.linspace(0, len(texts) - 1, self.examples).astype(int).tolist()
            texts, targets = [texts[i] for i in kept], [targets[i] for i in kept]
        found = self._learn(texts, targets) if len(set(targets)) > 1 else None
        if found is None:
            return Majority(self.name).fit(texts, targets)
        words, model = found
        labels = tuple(str(label) for label in model.classes_)
        return _Told(
            self.name, time.perf_counter() - began, labels, lambda asked: _chances(words, model, asked, len(labels))
        )

    def _learn(self, texts: Sequence[str], targets: Sequence[str]) -> tuple[Any, Any] | None:
        from sklearn.exceptions import ConvergenceWarning  # a second, which nobody else should wait for
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        unspaced = letters.unspaced(texts)
        cut = dict[str, Any](
            preprocessor=lambda text: letters.composed(text.lower()),
            analyzer="char" if unspaced else "word",
            token_pattern=None if unspaced else letters.long_word(),
            ngram_range=(1, 3) if unspaced else (1, 2),
        )
        if 2 * sum(TAB in text for text in texts) > len(texts):
            cut = {"analyzer": partial(_of_pair, TfidfVectorizer(**cut).build_analyzer())}
        words = TfidfVectorizer(**cut, sublinear_tf=True, max_features=self.features, dtype=np.float64)
        try:
            rows = words.fit_transform(texts)
        except ValueError:  # an empty vocabulary
            return None
        model = LogisticRegression(C=self.strength, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # real texts take less than a hundred steps
            model.fit(rows, np.array(targets, dtype=object))
        return words, model


def _of_pair(cut: Callable[[str], list[str]], text: str) -> list[str]:
    """The words of both texts, told apart; those that both have; and how much of the second these are, in tenths."""
    first, second = map(cut, (*sides(text), "")[:2])
    shared = set(first) & set(second)
    tenths = 10 * len(shared) // max(1, len(set(second)))
    named = {"1": first, "2": second, "both": sorted(shared), "share": [str(tenths)]}
    return [f"{name} {word}" for name, words in named.items() for word in words]


def _chances(words: Any, model: Any, texts: Sequence[str], labels: int) -> Float[np.ndarray, "N L"]:
    return np.asarray(model.predict_proba(words.transform(texts))) if len(texts) else np.zeros((0, labels))


@dataclass(frozen=True)
class Lead:
    """The first sentence of the text, or the first so many: for news a summary that is hard to beat."""

    count: int = 1
    """Sentences."""

    @property
    def name(self) -> str:
        """For tables."""
        return "lead sentence" if self.count == 1 else f"lead {self.count} sentences"

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Fitted:
        """Nothing to learn."""
        return _Told(self.name, 0.0, (), lambda asked: tuple(lead(text, self.count) for text in asked))


@dataclass(frozen=True)
class Copy:
    """The text itself: names, numbers and what both languages share."""

    name: str = "copy of the source"

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Fitted:
        """Nothing to learn."""
        return _Told(self.name, 0.0, (), tuple)


def _checked(texts: Sequence[str], targets: Sequence[str]) -> None:
    if len(texts) != len(targets) or not len(texts):
        given = f"{len(texts):,} texts and {len(targets):,} targets to learn from"
        raise DataError(given, "one target for each text, and at least one", "another training file")
