"""Two systems on the same items: which one is better, by how much, and how sure that is.

    compare_right     right or wrong          McNemar's test, Tango's interval; of few items by its own distribution
    compare_means     a score for each item   sign flips, bootstrap; Student's t below 30 items and above 10,000
    compare_sums      any score of sums       swaps, bootstrap: macro-F1, perplexity
    compare_texts     BLEU, chrF, ROUGE       swaps, bootstrap

All are paired: the same items, so that what makes an item hard cancels out. Two overlapping intervals of two systems
say nothing of the kind. The answer is "yes" or "no" only where the interval leaves out 0 and p is below 5 %. The sums
are done in `stats`, where the same tests stand with their effects and assumptions.

Left out: items that belong together (several questions on a document), which these intervals take for more than they
are; several seeds of training; many comparisons at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from rich.text import Text
from scipy.special import stdtr

from seqwise.errors import ConfigError, DataError
from seqwise.metrics.rouge import KINDS, NAMES, References, Words, looks_foreign, rouge_of_each, several
from seqwise.metrics.scores import DRAWS, Counts, Scores, interval, resampled
from seqwise.metrics.text import AUTO, counted
from seqwise.stats import proportions
from seqwise.stats.means import mean_interval
from seqwise.stats.permutation import flipped, halves
from seqwise.stats.proportions import mcnemar, paired_interval, paired_name

# N items, R resamples, C counts of an item

FEW = 30  # items: below them the percentile bootstrap is too narrow (at 8 it covers 87 % in place of 95), so t is used
MANY = 10_000  # items: beyond them draws take minutes and say what Student's t says at once
EXACT = 20  # items of which all sign flips are tried: a million
LEVEL = 0.05
Better = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True)
class Difference:
    """The second system's score minus the first one's, on the same items."""

    name: str
    value: float
    interval: tuple[float, float]
    """95 %, of items drawn anew."""
    p: float
    """How often a difference as large would come up if `null` were true; two-sided."""
    n: int
    """Items."""
    test: str
    null: str
    """What `p` assumes."""
    better: Better
    """Whether the second is better. For losses and perplexity, less is."""
    systems: tuple[str, str] = ("base", "tuned")
    """The first and the second."""

    @property
    def told(self) -> str:
        """The answer in one sentence."""
        first, second = self.systems
        words = {
            "yes": f"{second} is better than {first}",
            "no": f"{second} is worse than {first}",
            "cannot tell": f"cannot tell whether {second} is better than {first}",
        }
        digits = 2 if max(abs(self.value), *map(abs, self.interval)) >= 0.5 else 4  # losses differ by little
        value, low, high = (f"{number:+.{digits}f}" for number in (self.value, *self.interval))
        items = f"{self.n:,} item{'s' * (self.n != 1)}"
        chance = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"
        return f"{words[self.better]}: {self.name} {value}, 95 % interval {low} to {high}, {chance}, {items}."

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no endless numbers: the interval of a single item becomes two times null."""
        ends = [end if np.isfinite(end) else None for end in self.interval]
        return asdict(self) | {"interval": ends, "told": self.told}

    def __rich__(self) -> Text:
        return Text(f"{self.told}\n       {self.test}; p assumes that {self.null}", overflow="fold")


def compare_right(
    first: Sequence[bool] | Bool[np.ndarray, "N"],
    second: Sequence[bool] | Bool[np.ndarray, "N"],
    systems: tuple[str, str] = ("base", "tuned"),
    name: str = "accuracy",
    exact: bool = False,
) -> Difference:
    """Which items each got right. In points of a hundred.

    Only items that one got right and the other wrong count (McNemar 1947). The mid-p value keeps to its 5 % nearly
    always and sees more than the exact one, which keeps to them always (Fagerland, Lydersen and Laake 2013).
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    n = _paired(len(one), len(other))
    gained, lost = int((other & ~one).sum()), int((one & ~other).sum())
    within = paired_interval(gained, lost, n).hundredfold
    p = mcnemar(gained, lost, exact)
    test = f"McNemar's {'exact' if exact else 'mid-p'} test, {gained} gained and {lost} lost; {paired_name(n)}"
    null = "an item that only one gets right is as likely the first one's as the second's"
    both = (within.low, within.high)
    return Difference(name, 100 * (gained - lost) / n, both, p, n, test, null, _better(both, p), systems)


def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    """95 % interval for the difference of two paired shares, (gained - lost) / n: no point where nothing differs."""
    found = proportions.tango(gained, lost, n)
    return found.low, found.high


def compare_means(
    first: Sequence[float] | Float[np.ndarray, "N"],
    second: Sequence[float] | Float[np.ndarray, "N"],
    name: str,
    systems: tuple[str, str] = ("base", "tuned"),
    lower: bool = False,
    resamples: int = 10_000,
    seed: int = 12345,
) -> Difference:
    """Means of a score of each item: ROUGE, chrF of sentences, losses. lower: less is better."""
    _paired(len(first), len(second))
    changes = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)  # (N,)
    n, value = len(changes), float(changes.mean())
    if FEW <= n <= MANY:
        drawn = resampled(changes[:, None], resamples, seed)[:, 0] / n  # (R,)
        both, by = interval(drawn), f"bootstrap interval of {resamples:,} draws"
    else:
        both, by = student(changes), "Student's t interval"
    if n <= MANY:
        p, how = sign_flips(changes, resamples, seed)
        test = f"sign-flip permutation test, {how}; {by}"
    else:
        p, test = _paired_t(changes), f"paired t-test; {by}"
    null = "of the two scores of an item either could be either system's"
    return Difference(name, value, both, p, n, test, null, _better(both, p, lower), systems)


def student(changes: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """95 % interval of the mean; without end where there is but one item."""
    found = mean_interval(changes)
    return (found.low, found.high) if found else (-np.inf, np.inf)


def _paired_t(changes: Float[np.ndarray, "N"]) -> float:
    """Two-sided p of the mean."""
    error, mean = float(changes.std(ddof=1)) / len(changes) ** 0.5, float(changes.mean())
    return float(2 * stdtr(len(changes) - 1, -abs(mean) / error)) if error else float(mean == 0)


def sign_flips(changes: Float[np.ndarray, "N"], resamples: int, seed: int) -> tuple[float, str]:
    """Two-sided p that a sum so far from 0 comes of flipped signs; all flips up to 20 items, else drawn ones."""
    p, exact = flipped(changes, resamples, seed, EXACT, DRAWS)
    return p, f"all {2 ** len(changes):,} flips" if exact else f"{resamples:,} flips"


def compare_sums(
    first: Counts,
    second: Counts,
    score: Callable[[Counts], Scores],
    name: str,
    systems: tuple[str, str] = ("base", "tuned"),
    lower: bool = False,
    resamples: int = 1000,
    seed: int = 12345,
) -> Difference:
    """Scores that are a function of sums of counts over items. For p the two systems' items are swapped at random
    (Noreen 1989, as sacrebleu does); the interval draws items, the same ones for both (Koehn 2004).

    score   of each row of sums
    """
    n = _paired(len(first), len(second))
    whole = np.stack([first.sum(0), second.sum(0)])  # (2, C)
    one, other = score(whole)
    value = float(other - one)
    drawn = resampled(np.concatenate([first, second], axis=1), resamples, seed)  # (R, 2C)
    both = interval(score(drawn[:, first.shape[1] :]) - score(drawn[:, : first.shape[1]]))
    moved = halves(second - first, resamples, seed, DRAWS)  # (R, C)
    swapped = score(whole[0] + moved) - score(whole[1] - moved)  # (R,)
    edge = abs(value) - 1e-9 * max(1.0, abs(float(one)))
    p = (1 + int((np.abs(swapped) >= edge).sum())) / (1 + resamples)
    test = f"approximate randomization, {resamples:,} swaps; bootstrap interval of {resamples:,} draws"
    null = "of the two outputs for an item either could be either system's"
    return Difference(name, value, both, p, n, test, null, _better(both, p, lower), systems)


def compare_texts(
    first: Sequence[str],
    second: Sequence[str],
    references: References,
    metric: Literal["bleu", "chrf", "rouge1", "rouge2", "rougeL"] = "bleu",
    systems: tuple[str, str] = ("base", "tuned"),
    tokenize: str = AUTO,
    lowercase: bool = False,
    resamples: int = 1000,
    seed: int = 12345,
) -> Difference:
    """BLEU or chrF of a corpus, or the mean ROUGE of its texts, with words of the references' script."""
    _paired(len(first), len(second))
    if metric in ("bleu", "chrf"):
        ours = counted(metric, first, references, tokenize, lowercase)
        theirs = counted(metric, second, references, tokenize, lowercase)
        return compare_sums(ours.counts, theirs.counts, ours.score, ours.name, systems, False, resamples, seed)
    if metric not in KINDS:
        raise ConfigError(f"metric={metric!r}", "bleu, chrf, rouge1, rouge2 or rougeL", "bleu")
    place = KINDS.index(metric)
    words: Words = "unicode" if looks_foreign([row[0] for row in several(references)]) else "english"
    one, other = (rouge_of_each(outputs, references, words=words)[:, place] for outputs in (first, second))
    return compare_means(one, other, NAMES[place], systems, False, resamples, seed)


def _better(both: tuple[float, float], p: float, lower: bool = False) -> Better:
    if p >= LEVEL or both[0] <= 0 <= both[1]:
        return "cannot tell"
    return "yes" if (both[0] > 0) is not lower else "no"


def _paired(first: int, second: int) -> int:
    if first != second or not first:
        given = f"{first:,} items of one system and {second:,} of the other"
        raise DataError(given, "the same items of both, at least one", "scoring both on the same test file")
    return first
