"""Many tests at once: p-values corrected, so that chance does not pass for a finding.

    holm         no false claim among all, in 95 of 100 such families; for claims
    bh           of what is called found, 5 % false on average (Benjamini and Hochberg 1995); for exploration
    hommel       as Holm and a little stronger, for tests that are independent or agree in direction
    bonferroni   as Holm and weaker; where each interval has to be corrected as well

statsmodels does the sums, but for Holm's. Left out: which tests belong to one family, which only the question can say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError, DataError
from seqwise.stats.results import LEVEL, Grid, plain

Correction = Literal["holm", "bh", "hommel", "bonferroni"]

NAMES = {"holm": "Holm", "bh": "Benjamini-Hochberg", "hommel": "Hommel", "bonferroni": "Bonferroni"}
_THEIRS = {"bh": "fdr_bh"}  # statsmodels' name, where it is another


def adjust(p: Float[np.ndarray, "M"], method: Correction = "holm") -> Float[np.ndarray, "M"]:
    """p-values that may be compared with the level as if each were the only one."""
    if method not in NAMES:
        raise ConfigError(f"method={method!r}", ", ".join(NAMES), "holm")
    given = np.asarray(p, dtype=np.float64)
    if not given.size:
        raise DataError("no p-values", "at least one", "naming the tests that belong together")
    bad = given[~((given >= 0) & (given <= 1))]  # NaN too
    if bad.size:
        raise DataError(f"p = {bad[0]}", "p-values between 0 and 1", "leaving out tests that could not be computed")
    if method == "holm":  # a line, where statsmodels takes half a second a call
        order = np.argsort(given, kind="stable")
        steps = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)).clip(max=1.0)
        return np.asarray(steps[np.argsort(order, kind="stable")], dtype=np.float64)
    from statsmodels.stats.multitest import multipletests  # a second, with pandas

    return np.asarray(multipletests(given, method=_THEIRS.get(method, method))[1], dtype=np.float64)


@dataclass(frozen=True)
class Family:
    """Tests that belong together, and which of them stand."""

    p: Mapping[str, float]
    """As each test gave it."""
    adjusted: Mapping[str, float]
    method: Correction
    level: float = LEVEL

    @property
    def stand(self) -> tuple[str, ...]:
        """The tests whose null hypothesis is refused after the correction."""
        return tuple(name for name, p in self.adjusted.items() if p < 1 - self.level)

    def sentences(self) -> tuple[str, ...]:
        """Which stand."""
        alone = sum(p < 1 - self.level for p in self.p.values())
        told = f"Of {len(self.p)} tests {len(self.stand)} stand after {NAMES[self.method]}'s correction"
        seen = f"{alone} would have passed alone"
        return (f"{told} ({seen}){': ' if self.stand else ''}{', '.join(self.stand)}.",)

    def grids(self) -> tuple[Grid, ...]:
        """p before and after."""
        rows = tuple(
            (name, p, self.adjusted[name], "yes" if name in self.stand else "no") for name, p in self.p.items()
        )
        return (Grid("Tests that belong together", ("test", "p", f"p, {NAMES[self.method]}", "stands"), rows),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "stand": list(self.stand)}


def family(p: Mapping[str, float], method: Correction = "holm", level: float = LEVEL) -> Family:
    """The tests by name, corrected together."""
    adjusted = adjust(np.array(list(p.values()), dtype=np.float64), method)
    return Family(dict(p), dict(zip(p, map(float, adjusted), strict=True)), method, level)
