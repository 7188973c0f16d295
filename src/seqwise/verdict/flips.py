"""Right or wrong by clusters: Tango's score statistic on as many items as the clusters are worth.

Where few clusters hold a flip, the spread of their means comes out too small together with the mean, and Student's t of
clusters errs: at a margin of 5 points that 10 % of the items could make, with 10 clusters it rules the loss out in 16 %
of worlds in place of 5. The score statistic takes the spread that the margin itself would make; flips and items are
divided by the design effect (Kish 1965), the square of the jackknife's error over that of single items, at least 1,
and Student's t of the clusters stands in for the normal.
"""

from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from seqwise.stats.crossing import crossing
from seqwise.stats.proportions import tango_statistic
from seqwise.stats.results import LEVEL, Interval
from seqwise.verdict.aligned import Aligned
from seqwise.verdict.clusters import jackknife_error, pseudovalues
from seqwise.verdict.seeds import Chance


@dataclass(frozen=True)
class Flips:
    """Effective numbers: none of them need be whole."""

    gained: float
    lost: float
    n: float
    df: float
    effect: float
    """The design effect."""

    @classmethod
    def of(cls, data: Aligned, chance: Chance) -> "Flips":
        """From the jackknife's error of the clusters."""
        base, tuned = data.base[0].values, data.tuned[0].values
        naive = jackknife_error(pseudovalues(data.measure, base, tuned, None))
        effect = max(1.0, (chance.error / naive) ** 2)
        gained, lost = data.flips
        return cls(gained / effect, lost / effect, data.items / effect, chance.df, effect)

    @property
    def turned(self) -> "Flips":
        """Where what is counted are errors."""
        return Flips(self.lost, self.gained, self.n, self.df, self.effect)

    def t(self, difference: float = 0.0) -> float:
        """The statistic, if the true difference, in points, is this one."""
        return tango_statistic(self.gained, self.lost, self.n, difference / 100)

    def p(self) -> float:
        """Two-sided, that there is no difference."""
        return min(1.0, 2 * float(stdtr(self.df, -abs(self.t()))))

    def above(self, difference: float) -> float:
        """One-sided, that the difference is this one or less."""
        return float(stdtr(self.df, -self.t(difference)))

    def interval(self, level: float = LEVEL) -> Interval:
        """The differences that the test does not refuse, in points."""
        critical = float(stdtrit(self.df, (1 + level) / 2))
        middle = 100 * (self.gained - self.lost) / self.n
        return Interval(crossing(self.t, -100.0, middle, critical), crossing(self.t, middle, 100.0, -critical), level)
