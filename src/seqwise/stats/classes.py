"""Two classes: an outcome as 0 and 1, and whether columns tell the classes apart so well that nothing can be fitted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import expit

from seqwise.errors import ConfigError, DataError
from seqwise.stats.design import Design
from seqwise.stats.factors import absent, factor
from seqwise.stats.likelihood import FAR, Likelihood, separated
from seqwise.stats.phrases import short

# N rows


def outcome_of(y: Shaped[np.ndarray, "N"] | Sequence[Any], name: str, event: str) -> tuple[Float[np.ndarray, "N"], str]:
    """0 and 1 with NaN for what is missing, and what 1 means."""
    array = y if isinstance(y, np.ndarray) else np.array(list(y), dtype=object)
    missing = absent(array)
    if missing.all():
        raise DataError(f"no value of {name}", "an outcome of two classes", "another column")
    labels = factor(array[~missing], name, int((~missing).sum()), 1)
    if len(labels.levels) > 2:
        given = f"{len(labels.levels):,} different values of {name} ({short(labels.levels)})"
        raise DataError(given, "two classes", "0 and 1, or linear regression for a number")
    if event and event not in labels.levels:
        raise ConfigError(f"event={event!r} of {name}", f"one of {short(labels.levels)}", labels.levels[-1])
    asked = event or labels.levels[-1]
    outcome = np.full(len(array), np.nan)
    outcome[~missing] = labels.codes == labels.levels.index(asked)
    return outcome, name if not event and labels.levels in (("0", "1"), ("False", "True")) else f"{name} = {asked}"


def solved(fit: Likelihood, data: Design, name: str) -> None:
    """Refuse classes that columns separate: no coefficient is best there."""
    if fit.converged and float(np.abs(fit.chances - 0.5).max()) < float(expit(FAR)) - 0.5:
        return
    kept = separating_columns(fit, data)
    if kept:
        tells = "tell" if len(kept) > 1 else "tells"
        given = f"{short(kept, 6)} {tells} {name} from the rest without fail, in some rows at least"
        mend = f"leaving out {kept[0]}, merging rare labels, or more rows"
        raise DataError(given, "columns under whose every value both classes may come up", mend)
    if not fit.converged:
        raise DataError(f"no best coefficients found for {name}", "a likelihood with a top", "fewer columns")


def separating_columns(fit: Likelihood, data: Design) -> list[str]:
    """A column that does it alone, or all that do it together; none where no column does."""
    first = int(data.intercept)
    weights = separated(data.y, fit.table)
    if weights is None:
        return []
    for place, name in enumerate(data.names):
        if separated(data.y, fit.table[:, [0, place + 1] if first else [place]]) is not None:
            return [name]
    slopes = np.abs(weights[first:])
    return [one for one, weight in zip(data.names, slopes, strict=True) if weight > 1e-6] or list(data.names)
