"""Products of columns in a regression: whether what one column goes with depends on another.

    Product     a column that is one column times another
    Joint       all products of two columns at once, where a column of texts makes several

With the product of a and b in the model, the coefficient of a by itself is that of rows where b is 0, and no longer
one of all rows; so it is told. The two need each other: a product without its columns is a different question.

Left out: products of three columns, and squares.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError
from seqwise.stats.phrases import amount, chance, clear, joined, number, within
from seqwise.stats.results import Estimate, Grid

# N rows, P columns


@dataclass(frozen=True)
class Product:
    """Two columns multiplied."""

    name: str
    first: str
    second: str
    pair: str = ""
    """Of the columns of the table that it is of, such as `dose:sex`, where these have several parts."""


@dataclass(frozen=True)
class Joint:
    """Whether all products of two columns are 0."""

    pair: str
    statistic: float
    df: tuple[float, float]
    p: float
    rejected: bool

    @property
    def told(self) -> str:
        """One sentence."""
        first, second = self.pair.split(":", 1) if self.pair.count(":") == 1 else (self.pair, "the other")
        ends = ", ".join(number(one) for one in self.df)
        sure = f"F({ends}) = {number(self.statistic)}, {chance(self.p)}"
        if self.rejected:
            return f"What {first} goes with depends on {second} ({sure})."
        return f"These data cannot tell whether what {first} goes with depends on {second} ({sure})."


def complete(products: Sequence[Product], names: Collection[str]) -> None:
    """Refuse products without the columns that they are made of."""
    for one in products:
        lacking = [part for part in (one.first, one.second) if part not in names]
        if one.name not in names or lacking:
            given = f"{one.name} without {joined(lacking or [one.name])}"
            raise ConfigError(given, "a product beside its two columns", f"{one.first}*{one.second}")


def partners(products: Sequence[Product], name: str) -> list[str]:
    """Columns that this one is multiplied with."""
    sides = [(one.first, one.second) for one in products] + [(one.second, one.first) for one in products]
    return [other for one, other in sides if one == name]


def rest(products: Sequence[Product], columns: Sequence[str], name: str) -> str:
    """What is held alike beside a column, and at 0 where it is multiplied with it."""
    zero = list(dict.fromkeys(partners(products, name)))
    own = [part for one in products if one.name == name for part in (one.first, one.second)]
    made = [one.name for one in products]
    others = [one for one in columns if one not in (name, *zero, *own, *made)]
    alike = ", all other columns alike" if others else ""
    return f"{alike}, where {joined(zero)} {'is' if len(zero) == 1 else 'are'} 0" if zero else alike


def told(
    product: Product, estimate: Estimate, p: float, name: str, unit: str, binary: Mapping[str, bool], rest: str
) -> str:
    """What a product says, in a sentence."""
    first, second = product.first, product.second
    if binary[first] and not binary[second]:
        first, second = second, first
    what = f"what {first} being 1 and not 0 goes with" if binary[first] else f"what one more of {first} goes with"
    value, both = estimate.value, estimate.interval
    if both is None or not clear(estimate):
        sure = f" ({within(both, unit)})" if both else ""
        return f"These data cannot tell whether {what} depends on {second}: {amount(value, unit)}{sure}, {chance(p)}."
    ends = both.turned if value < 0 else both
    size, sure = amount(abs(value), unit), f"{within(ends, unit)}, {chance(p)}"
    way = "less" if value < 0 else "more"
    where = f"where {second} is 1 and not 0" if binary[second] else f"for each one more of {second}"
    return f"W{what[1:]} is {size} {way} of {name} {where} ({sure}){rest}."


def beyond(products: Sequence[Product], names: Sequence[str], x: Float[np.ndarray, "N P"]) -> tuple[str, ...]:
    """Of columns that are never near 0, what the coefficients of those multiplied with them are worth."""
    notes = []
    for place, name in enumerate(names):
        others = dict.fromkeys(partners(products, name))
        low, high = float(x[:, place].min()), float(x[:, place].max())
        if others and low * high > 0:
            span = f"{number(low)} to {number(high)}"
            about = f"coefficient of {joined(list(others))} by itself is"
            if len(others) > 1:
                about = f"coefficients of {joined(list(others))} by themselves are"
            notes.append(
                f"{name} is nowhere 0 ({span}), so that no row is like those that the {about} about: "
                f"taking the mean off {name} mends that."
            )
    return tuple(notes)


def grid(joint: Sequence[Joint]) -> tuple[Grid, ...]:
    """The tests of pairs, where there are any."""
    rows = tuple((one.pair, one.statistic, *one.df, one.p) for one in joint)
    return (
        (Grid("Does one depend on the other?", ("products of", "F", "df", "df of error", "p"), rows),) if rows else ()
    )
