"""A score of a corpus with its interval, and the bootstrap (Koehn 2004) that gives it: sums of counts, drawn anew.

Any score that is a function of sums over items can be drawn anew fast: one matrix product sums the counts of all
resamples.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.text import Text

from seqwise.errors import ConfigError
from seqwise.stats.statistic import summed

# N items, R resamples, C counts of an item

DRAWS = 1 << 22  # items drawn at a time: bounds the memory at some 100 MB
TAIL = 40  # one in forty resamples lies below the 95 % interval, one above

Counts = Float[np.ndarray, "N C"]
Scores = Float[np.ndarray, "N"]


@dataclass(frozen=True)
class Score:
    """One number for a corpus, and the range that it would lie in for other sentences of the same kind."""

    name: str
    value: float
    """From 0 to 100, but for perplexity."""
    interval: tuple[float, float]
    """95 % percentile interval of the bootstrap: of sentences drawn anew, not of models trained anew."""
    n: int
    """Sentences, or other items: see `unit`."""
    signature: str
    """All that the number depends on, as sacrebleu writes it; only equal signatures may be compared."""
    resamples: int
    """Draws of the bootstrap."""
    unit: str = "sentences"
    """What was drawn."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.name} {self.value:.2f} [{low:.2f}, {high:.2f}], {self.n:,} {self.unit}"

    def __rich__(self) -> Text:
        low, high = self.interval
        told = f"{self.name:<6} {self.value:.2f}   95 % interval {low:.2f} to {high:.2f}   {self.n:,} {self.unit}"
        return Text(f"{told}\n {self.signature}", overflow="fold")  # a signature that is cut is none

    def _repr_html_(self) -> str:
        low, high = self.interval
        return (
            f"<b>{self.name}</b> {self.value:.2f} [{low:.2f}, {high:.2f}], "
            f"{self.n:,} {self.unit}, <code>{self.signature}</code>"
        )


def resampled(counts: Counts, resamples: int, seed: int) -> Float[np.ndarray, "R C"]:
    """Sums of the counts of as many sentences, drawn with replacement, for each resample."""
    if resamples < 1:
        raise ConfigError(given=f"resamples={resamples}", allowed="at least 1", mend="1000, the custom")
    n = len(counts)
    generator = np.random.default_rng(seed)
    sums = np.empty((resamples, counts.shape[1]))  # (R, C)
    step = max(1, DRAWS // n)
    for begin in range(0, resamples, step):
        rows = min(step, resamples - begin)
        sums[begin : begin + rows] = summed(counts, generator.integers(0, n, size=(rows, n)))  # (rows, C)
    return sums


def interval(drawn: Scores) -> tuple[float, float]:
    """The middle 95 % of the resampled scores."""
    ordered, tail = np.sort(drawn), len(drawn) // TAIL
    return float(ordered[tail]), float(ordered[len(drawn) - 1 - tail])
