"""Bring columns to one scale and back: z-scores, robust scores, the range 0 to 1.

    Standardizer.fit(train)     z = (x - center) / scale, column by column
        z          mean and sd
        robust     median, and the width of the middle half or 1.4826 times the median distance (sd of normal data)
        minmax     least, and the width of all
    .apply(x) .invert(z)        there and back
    .normal .interval .log_likelihood .crps      what was predicted of z, told of x
    .merge(other)               of two parts, as if it had been fitted on both
    .to_dict() .from_dict()     to the last bit, and on which rows it was fitted, so that a report can prove it

A column that does not vary has no scale. It is refused, unless `constant` says what shall become of it:

    no value but one; sd < 8 eps |mean| √n, which sums of equal parts differ by; stored in float32 or less, and an sd
    below 8 of its steps (`moments.py`); a robust or whole width of 0

"pass" leaves it at x - center; "zero" makes it 0. scikit-learn passes such columns without a word.

Float32 stays float32: z = ((x - hi) - lo) / scale with center = hi + lo, of which x - hi is exact near the center, so
that a mean of 10^7 costs no digit (Sterbenz 1974). Missing values stay missing.

Left out: weights, and robust scores of streams and their merging, which need all values at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError, DataError, Fault
from seqwise.stats.affine import Affine
from seqwise.stats.blocks import cores, named
from seqwise.stats.moments import RESOLVED, Moments
from seqwise.stats.phrases import number
from seqwise.stats.results import Grid, plain
from seqwise.stats.rows import as_numbers, as_rows

# N rows, C columns

Kind = Literal["z", "robust", "minmax"]
Spread = Literal["iqr", "mad"]
Constant = Literal["refuse", "pass", "zero"]

NEAR = 8 * float(np.finfo(np.float64).eps)
"""Times |mean| √n: an sd below is that of rounding errors, which add up as a random walk does."""
MAD = 1.482602218505602
"""1 / quantile of the normal distribution at 0.75: the median distance of normal data times it is their sd."""
_TOLD = {"z": "mean and sd", "robust": "median and spread", "minmax": "least and largest value"}


@dataclass(frozen=True)
class FittedOn:
    """Which rows center and scale come of."""

    rows: int
    part: str = "train"
    """Such as "train"."""
    first: str = ""
    """Row or time of the first one, as text; empty where nobody said."""
    last: str = ""
    hash: str = ""
    """Of these rows, as the caller computes it."""

    @property
    def told(self) -> str:
        """On one line."""
        between = f" from {self.first} to {self.last}" if self.first and self.last else ""
        return f"{self.rows:,} rows of {self.part}{between}{f', hash {self.hash}' if self.hash else ''}"

    def joined(self, other: "FittedOn") -> "FittedOn":
        """Of both parts, this one the earlier."""
        part = self.part if self.part == other.part else f"{self.part} + {other.part}"
        both = "+".join(one for one in (self.hash, other.hash) if one)
        return FittedOn(self.rows + other.rows, part, self.first or other.first, other.last or self.last, both)


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Center and scale of each column, and where they come from."""

    kind: Kind
    center: Float[np.ndarray, "C"]
    scale: Float[np.ndarray, "C"]
    """Above 0; 1 for columns that do not vary."""
    names: tuple[str, ...] = ()
    ddof: int = 0
    """Of the sd: 0 divides by n, as scikit-learn does, 1 by n - 1."""
    spread: Spread = "iqr"
    """Of robust scores."""
    constant: Constant = "refuse"
    flat: tuple[str, ...] = ()
    """Why a column has no scale; empty where it has one."""
    moments: Moments | None = None
    """What it was fitted on, which `merge` needs."""
    fitted_on: FittedOn | None = None

    @classmethod
    def fit(
        cls,
        x: Any,
        kind: Kind = "z",
        ddof: int = 0,
        names: Sequence[str] = (),
        spread: Spread = "iqr",
        constant: Constant = "refuse",
        fitted_on: FittedOn | None = None,
        threads: int | None = None,
    ) -> "Standardizer":
        """Of the rows of the training part: numpy, torch, polars, Arrow, or their `Moments` (not for robust scores)."""
        _refuse_settings(kind, ddof, spread, constant)
        if isinstance(x, Moments):
            if kind == "robust":
                raise ConfigError("moments for robust scores", "the values themselves", "Standardizer.fit(values)")
            if names and len(names) != len(x.n):
                raise ConfigError(f"{len(names)} names", f"{len(x.n)}, as there are columns", "a name for each column")
            moments = replace(x, names=tuple(names) or x.names)
        else:
            moments = Moments.of(x, 4 if kind == "minmax" else 2, threads, names)
        center, scale = _robust(as_rows(x).values, spread) if kind == "robust" else _of(moments, kind, ddof)
        flat = tuple(_flat(moments, place, float(scale[place]), kind) for place in range(len(scale)))
        _refuse_flat(moments, flat, constant)
        scale = np.where([bool(reason) for reason in flat], 1.0, scale)
        return cls(kind, center, scale, moments.names, ddof, spread, constant, flat, moments, fitted_on)

    def apply(self, x: Any, out: np.ndarray | None = None, threads: int | None = None) -> np.ndarray:
        """Standardized: a column (N,) or any shape whose last axis is that of the columns. float32 and less become
        float32, all else float64. `out` may be x itself."""
        values = self._shaped(x)
        inverse = np.where([self.constant == "zero" and bool(reason) for reason in self.flat], 0.0, 1 / self.scale)
        narrow = values.dtype.kind == "f" and values.dtype.itemsize < 8
        return Affine(self.center, inverse, narrow).apply(values, out, cores(threads))

    def invert(self, z: Any) -> Float[np.ndarray, "*any"]:
        """Back in the data's own units, in float64: float32 has 7 digits for mean and deviation together."""
        values = np.array(self._shaped(z), dtype=np.float64, order="C")
        flat = values.reshape(-1, len(self.scale))
        flat *= self.scale
        flat += self.center
        return values

    def normal(self, mean: Any, sd: Any) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
        """Mean and sd in the data's units of a normal distribution predicted of z; any distribution's, in fact."""
        return self.invert(mean), self._scaled(sd)

    def interval(self, low: Any, high: Any) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
        """Both ends in the data's units; it covers as often as before."""
        return self.invert(low), self.invert(high)

    def log_likelihood(self, value: Any) -> Float[np.ndarray, "*any"]:
        """The log density of x, from that of z. Less where the scale is wide: the same chance over more room."""
        values = self._shaped(value)
        told: Float[np.ndarray, "*any"] = values.reshape(-1, len(self.scale)) - np.log(self.scale)
        return told.reshape(values.shape)

    def crps(self, value: Any) -> Float[np.ndarray, "*any"]:
        """The CRPS in the data's units, from that of z; as any mean distance (MAE, RMSE)."""
        return self._scaled(value)

    def merge(self, other: "Standardizer") -> "Standardizer":
        """As if fitted on the rows of both; this one's first. `Moments.tree` tells when bits are equal."""
        if self.moments is None or other.moments is None or "robust" in (self.kind, other.kind):
            given, allowed = f"{self.kind} and {other.kind} scores", "z or minmax, as medians of parts tell no median"
            raise ConfigError(given, allowed, "Standardizer.fit on the values of both")
        ours, theirs = ((one.kind, one.ddof, one.constant) for one in (self, other))
        if ours != theirs:
            raise ConfigError(f"kind, ddof and constant {ours} and {theirs}", "the same in both", "fitting both alike")
        both = self.fitted_on.joined(other.fitted_on) if self.fitted_on and other.fitted_on else None
        moments = self.moments.merge(other.moments)
        return Standardizer.fit(moments, self.kind, self.ddof, constant=self.constant, fitted_on=both)

    def chosen(self, columns: Sequence[str | int]) -> "Standardizer":
        """Of some columns by name or place, in this order: a forecaster's targets among all that it reads."""
        unknown = [name for name in columns if isinstance(name, str) and name not in self.names]
        if unknown:
            raise DataError(f'column "{unknown[0]}"', f"one of {', '.join(self.names)}", "a name as at training")
        places = [self.names.index(name) if isinstance(name, str) else name for name in columns]
        return replace(
            self,
            center=self.center[places],
            scale=self.scale[places],
            names=tuple(self.names[place] for place in places) if self.names else (),
            flat=tuple(self.flat[place] for place in places),
            moments=self.moments.chosen(places) if self.moments else None,
        )

    def _shaped(self, x: Any) -> np.ndarray:
        """The numbers of x, if they are of these columns."""
        given = as_numbers(x)
        values, columns = given.values, len(self.scale)
        if given.names and self.names and given.names != self.names:
            told = f"columns {', '.join(given.names)}"
            raise DataError(told, f"{', '.join(self.names)}, as when it was fitted", "the same columns, in this order")
        if not (columns == 1 and values.ndim < 2) and (not values.ndim or values.shape[-1] != columns):
            shape = "×".join(map(str, values.shape)) or "a single number"
            raise DataError(f"numbers of shape {shape}", f"{columns} columns as the last axis", "the columns as fitted")
        return values

    def _scaled(self, x: Any) -> Float[np.ndarray, "*any"]:
        values = self._shaped(x)
        told: Float[np.ndarray, "*any"] = values.reshape(-1, len(self.scale)) * self.scale
        return told.reshape(values.shape)

    def sentences(self) -> tuple[str, ...]:
        """What it was fitted on, and what does not vary."""
        where = self.fitted_on.told if self.fitted_on else "rows that nobody noted"
        told = [f"Standardized with {_TOLD[self.kind]} of {where}."]
        become = "0" if self.constant == "zero" else "its distance from the center"
        for place, reason in enumerate(self.flat):
            if reason:
                column = named(self.names, place)
                told.append(f"{column[:1].upper()}{column[1:]} {reason}: it becomes {become}.")
        return tuple(told)

    def grids(self) -> tuple[Grid, ...]:
        """Center and scale by column."""
        counts = [int(n) for n in self.moments.n] if self.moments else [None] * len(self.scale)
        names = self.names or tuple(str(place + 1) for place in range(len(self.scale)))
        rows = tuple(zip(names, counts, self.center.tolist(), self.scale.tolist(), strict=True))
        note = _TOLD[self.kind] + (f", ddof {self.ddof}" if self.kind == "z" else "")
        return (Grid("Standardized", ("column", "n", "center", "scale"), rows, note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; nothing is lost."""
        found: dict[str, Any] = plain(self)
        return found

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Standardizer":
        """What `to_dict` gave."""
        kept = dict(stored)
        for name in ("center", "scale"):
            kept[name] = np.array([float(value) for value in stored[name]])
        for name in ("names", "flat"):
            kept[name] = tuple(stored[name])
        kept["moments"] = Moments.from_dict(stored["moments"]) if stored["moments"] else None
        kept["fitted_on"] = FittedOn(**stored["fitted_on"]) if stored["fitted_on"] else None
        return cls(**kept)


def _refuse_settings(kind: str, ddof: int, spread: str, constant: str) -> None:
    """What no column could mend, all at once."""
    allowed = {
        "kind": (kind, ("z", "robust", "minmax")),
        "ddof": (ddof, (0, 1)),
        "spread": (spread, ("iqr", "mad")),
        "constant": (constant, ("refuse", "pass", "zero")),
    }
    faults = [
        Fault(f"{name}={given!r}", " or ".join(map(str, known)), f"{name}={known[0]!r}")
        for name, (given, known) in allowed.items()
        if given not in known
    ]
    if faults:
        raise ConfigError.of(faults)


def _of(moments: Moments, kind: Kind, ddof: int) -> tuple[Float[np.ndarray, "C"], Float[np.ndarray, "C"]]:
    """Center and scale of z-scores and of the range 0 to 1."""
    if kind == "z":
        return moments.mean, moments.sd(ddof, coarse="pass")
    if moments.minimum is None or moments.maximum is None:
        raise ConfigError("moments of order 2 for minmax", "order 4, which has the ends", "Moments.of(x)")
    return moments.minimum, moments.maximum - moments.minimum


def _robust(values: np.ndarray, spread: Spread) -> tuple[Float[np.ndarray, "C"], Float[np.ndarray, "C"]]:
    """Medians, and the width of the middle half or the sd that the median distance means. NaN without values."""
    center, scale = np.full((2, values.shape[1]), np.nan)
    for place in range(values.shape[1]):
        column = values[:, place].astype(np.float64)
        column = column[~np.isnan(column)]
        if not len(column):
            continue
        low, center[place], high = np.quantile(column, (0.25, 0.5, 0.75))
        scale[place] = high - low if spread == "iqr" else MAD * np.median(np.abs(column - center[place]))
    return center, scale


def _flat(moments: Moments, place: int, scale: float, kind: Kind) -> str:
    """Why a column has no scale, reading on after its name; empty where it has one."""
    n, mean = int(moments.n[place]), float(moments.mean[place])
    if n < 2:
        return "holds no value" if not n else "holds a single value"
    sd = float(np.sqrt(moments.m2[place] / n))
    if moments.coarse()[place]:
        grain = number(float(moments.grain()[place]))
        steps = f"is stored in steps of {grain} at its mean {number(mean)}"
        return f"{steps}, and its sd of {number(sd)} is below {RESOLVED} of them"
    if sd == 0:
        return f"holds no value but {number(mean)}"
    if sd < NEAR * abs(mean) * n**0.5:
        return f"varies around {number(mean)} with an sd of {number(sd)}, which rounding errors alone can make"
    if scale == 0:
        return "varies in less than half of its values" if kind == "robust" else f"holds no value but {number(mean)}"
    return ""


def _refuse_flat(moments: Moments, flat: Sequence[str], constant: Constant) -> None:
    """Columns without a value, and those that do not vary unless they may pass; all at once."""
    empty = [place for place, n in enumerate(moments.n) if n == 0]
    refused = [place for place, reason in enumerate(flat) if reason] if constant == "refuse" else empty
    faults = [
        Fault(
            f"{named(moments.names, place)} {flat[place]}",
            "a column with values" if place in empty else "a column that varies, as it is divided by its scale",
            "leaving this column out" + ("" if place in empty else ', constant="pass" or constant="zero"'),
        )
        for place in refused
    ]
    if faults:
        raise DataError.of(faults)
