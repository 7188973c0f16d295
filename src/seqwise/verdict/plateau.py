"""What may stand behind a plateau: labels that are wrong, and texts that only repeat others.

    explained(texts, labels)    the share of labels that look wrong, the most suspicious items, near duplicates

A curve that stops falling has not always run out of what can be learnt: where one label in ten is wrong, no model errs
less than about one time in ten on a test set labelled alike, and where one text in five repeats another, a doubled
number of examples is none. Labels are judged by confident learning: a TF-IDF and logistic regression model tells each
item's chances from models that did not see it, nor a near duplicate of it, and a label that it is sure is another one
counts as wrong. The judge is weak where words alone do not tell the labels, so that the items want a look by somebody
who knows them.

Left out: texts with more than one label; mending them. Needs the extra `labels`.

Northcutt, Jiang and Chuang 2021, Confident Learning, JAIR 70, section 3 (cleanlab).
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from seqwise.data.nearness import near
from seqwise.errors import DataError, MissingExtraError
from seqwise.stats.phrases import counted, percent, short, sure
from seqwise.stats.results import LEVEL, Estimate, Grid, Interval, ends_of, plain

# N items, L labels

FOLDS = 5
LEAST = 50
"""Items; of fewer no share of wrong labels means anything."""
MOST = 20_000
"""Items that are judged, spread evenly: more take minutes and move the share by little."""
_AGAIN = 200  # samples of the bootstrap
_SHOWN = 20  # suspicious items


@dataclass(frozen=True)
class Suspect:
    """An item whose label looks wrong."""

    item: int
    """Its place among the texts."""
    text: str
    label: str
    """As given."""
    likely: str
    """What the judge holds it for."""
    chance: float
    """That the given label is right, as the judge sees it."""


@dataclass(frozen=True)
class Plateau:
    """What the labels and the texts say."""

    n: int
    judged: int
    """Items: at most 20,000, and of labels that stand often enough to be learnt."""
    right: float
    """Share of items whose label the judge tells without having seen them."""
    wrong: Estimate
    """Share of labels that look wrong, of 1."""
    flagged: int
    suspects: tuple[Suspect, ...]
    """The worst first; at most 20."""
    repeated: int
    """Texts that nearly repeat an earlier one."""
    contradicted: int
    """Those of them that have another label than the one they repeat."""
    contradictions: tuple[tuple[int, int], ...]
    """Places of such pairs; at most 20."""
    notes: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """What may explain a plateau, and what does not."""
        within = self.wrong.interval
        none = self.wrong.value < 1e-3
        told = "Hardly a label looks wrong" if none else f"About {percent(self.wrong.value)} of the labels look wrong"
        if within:
            told += f" ({sure(within.level)} {percent(within.low)} to {percent(within.high)})"
        if none:
            told += ": they explain no plateau."
        else:
            told += ": on a test set labelled alike no model errs much less, with however much data."
        again = f"{self.repeated:,} of {counted(self.n, 'text')} ({percent(self.repeated / self.n)}) nearly repeat an "
        again += f"earlier one: {self.n - self.repeated:,} are different."
        lines = [told, again]
        if self.contradicted:
            lines.append(f"{self.contradicted:,} of those that repeat another carry a different label.")
        return tuple(lines)

    def grids(self) -> tuple[Grid, ...]:
        """The shares, and the items that want a look."""
        shares = Grid(
            "Labels and repeats",
            ("what", "share", "from", "to", "items"),
            (
                ("labels that look wrong", self.wrong.value, *ends_of(self.wrong.interval), self.flagged),
                ("labels told by words alone", self.right, None, None, round(self.right * self.judged)),
                ("texts that repeat another", self.repeated / self.n, None, None, self.repeated),
                ("of these with another label", self.contradicted / self.n, None, None, self.contradicted),
            ),
        )
        rows = tuple((one.item, one.text, one.label, one.likely, one.chance) for one in self.suspects)
        columns = ("item", "text", "label", "likely", "chance of the label")
        return shares, Grid("Labels that want a look", columns, rows, "the worst first; items count from 0")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found: dict[str, Any] = plain(self)
        return found


def explained(texts: Sequence[str], labels: Sequence[str], *, seed: int = 1, level: float = LEVEL) -> Plateau:
    """What label errors and near duplicates there are among examples for training."""
    _checked(texts, labels)
    pairs = near(texts)
    groups = _groups(len(texts), pairs)
    chosen, names, notes = _chosen(labels)
    given = np.array([names.index(labels[place]) for place in chosen])
    chances = _chances([texts[place] for place in chosen], given, groups[chosen], seed)
    if chances.shape[1] < len(names) or not np.isfinite(chances).all():
        raise DataError("labels that stand only among repeated texts", "each in texts of its own", "more examples")
    wrong, flagged = _judged(given, chances, seed, level)
    suspects = tuple(
        Suspect(int(chosen[i]), texts[chosen[i]], names[given[i]], names[int(best)], float(chances[i, given[i]]))
        for i, best in zip(flagged[:_SHOWN], chances[flagged[:_SHOWN]].argmax(1), strict=True)
    )
    firsts = {later: first for first, later in reversed(pairs)}  # of several, the earliest
    apart = [(first, later) for later, first in sorted(firsts.items()) if labels[first] != labels[later]]
    return Plateau(
        len(texts),
        len(chosen),
        float((chances.argmax(1) == given).mean()),
        wrong,
        len(flagged),
        suspects,
        len(firsts),
        len(apart),
        tuple(apart[:_SHOWN]),
        notes,
    )


def _checked(texts: Sequence[str], labels: Sequence[str]) -> None:
    if len(texts) != len(labels):
        given = f"{counted(len(texts), 'text')} and {counted(len(labels), 'label')}"
        raise DataError(given, "a label for each text", "the columns of one file")
    if len(texts) < LEAST:
        raise DataError(counted(len(texts), "text"), f"{LEAST} or more", "judging the labels of more")


def _chosen(labels: Sequence[str]) -> tuple[Int[np.ndarray, "N"], list[str], tuple[str, ...]]:
    """Places of the items that are judged, their labels, and what was left aside."""
    counts = Counter(labels)
    names = sorted(label for label, count in counts.items() if count >= 2 * FOLDS)
    if len(names) < 2:
        given = f"{counted(len(names), 'label')} with {2 * FOLDS} items or more"
        raise DataError(given, "two labels that stand often enough to be learnt", "more examples of each")
    places = np.array([place for place, label in enumerate(labels) if label in set(names)])
    notes = []
    rare = sorted(set(counts) - set(names))
    if rare:
        left = len(labels) - len(places)
        notes.append(f"{counted(left, 'item')} of rare labels ({short(rare)}) were left aside.")
    if len(places) > MOST:
        notes.append(f"{MOST:,} of {len(places):,} items were judged, spread evenly.")
        places = places[np.linspace(0, len(places) - 1, MOST).astype(int)]
    return places, names, tuple(notes)


def _groups(n: int, pairs: Sequence[tuple[int, int]]) -> Int[np.ndarray, "N"]:
    """A number for each text, the same for near duplicates."""
    heads = list(range(n))

    def head(place: int) -> int:
        while heads[place] != place:
            heads[place] = heads[heads[place]]
            place = heads[place]
        return place

    for first, later in pairs:
        heads[head(later)] = head(first)
    return np.array([head(place) for place in range(n)])


def _chances(
    texts: Sequence[str], given: Int[np.ndarray, "N"], groups: Int[np.ndarray, "N"], seed: int
) -> Float[np.ndarray, "N L"]:
    """Of each label, told by models that saw neither the item nor a near duplicate of it."""
    from sklearn.exceptions import ConvergenceWarning  # a second, which nobody else should wait for
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    # letters within words: they serve scripts without spaces and words in all their forms
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, max_features=50_000)
    judge = make_pipeline(words, LogisticRegression(C=10.0, max_iter=300))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # real texts take less than a hundred steps
        try:
            told = cross_val_predict(
                judge, np.array(texts, dtype=object), given, groups=groups, cv=folds, method="predict_proba"
            )
        except ValueError as error:  # nothing but spaces, or a fold without one of the labels
            raise DataError("texts that say nothing", "texts with words", "leaving empty ones out") from error
    return np.asarray(told, np.float64)


def _judged(
    given: Int[np.ndarray, "N"], chances: Float[np.ndarray, "N L"], seed: int, level: float
) -> tuple[Estimate, Int[np.ndarray, "M"]]:
    """The share of labels that look wrong, with its bootstrap interval, and the items, the worst first."""
    try:
        from cleanlab.count import estimate_joint
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtraError(
            given="cleanlab is not installed", allowed="the extra 'labels'", mend="pip install 'seqwise[labels]'"
        ) from error

    def share(rows: Int[np.ndarray, "N"]) -> float:
        return 1 - float(np.trace(estimate_joint(given[rows], chances[rows])))

    rng = np.random.default_rng(seed)
    kinds = [np.flatnonzero(given == label) for label in range(chances.shape[1])]
    again = [share(np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])) for _ in range(_AGAIN)]
    value = share(np.arange(len(given)))
    low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2]).tolist()
    flagged = find_label_issues(given, chances, return_indices_ranked_by="self_confidence", n_jobs=1)
    unseen = 1 - ((1 - level) / 2) ** (1 / len(given))  # the bootstrap of none is none; so many may go unseen
    within = Interval(max(0.0, min(low, value)), max(high, value, unseen), level)
    return Estimate("labels that look wrong", max(0.0, value), within), np.asarray(flagged, int)
