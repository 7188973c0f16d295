"""`seqwise stats regress`: what goes with what, all other columns alike, with intervals and checks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.errors import ConfigError, DataError
from seqwise.reports.drawing import Picture
from seqwise.reports.plots import forest, residuals
from seqwise.stats.leastsquares import solve
from seqwise.stats.logistic import logistic as fit_logistic
from seqwise.stats.products import Product
from seqwise.stats.regression import Coefficient, Regression, ols
from seqwise.stats.results import Estimate, Interval
from seqwise.stats.units import quantity
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Rows, Written
from seqwise.verbs.stats.terms import terms

LEVELS = 20  # of a column of texts, at most: each but the first becomes a column of 0 and 1
YES = ("true", "yes", "1", "y", "passed", "pass")


def regress(
    data: tuple[str, ...] = (),
    *,
    target: str,
    on: str,
    errors: Literal["classic", "HC3"] = "classic",
    cluster: str | None = None,
    logistic: bool = False,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Tell what goes with what, with intervals and checks.

    Least squares, or with --logistic the odds of a yes. Columns of texts are taken apart into one of 0 and 1 for each
    text but the first. What is taken for granted is looked at: straight lines, equal scatter, normal residuals, rows
    that pull, columns that say the same. A product such as dose*age asks whether what one column goes with depends on
    the other.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        target: Column to explain.
        on: Columns that explain it, with commas between; a*b is a, b and their product a:b.
        errors: classic where rows scatter alike, HC3 where some scatter more (with --logistic: robust ones).
        cluster: Column that tells which rows belong together; errors then allow for it.
        logistic: The target is yes or no.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats regress schools.csv --target score --on ratio,income --errors HC3
    """
    if cluster is not None and errors == "HC3":
        raise ConfigError("--errors HC3 with --cluster", "one of the two", "leaving out --errors")
    table = reading.opened(data, written, "regress schools.csv --target score --on ratio,income", {"--report": report})
    chosen = reading.names(target, table.names, "--target", several=False)[0]
    columns, pairs = terms(on, table.names)
    if pairs and logistic:
        raise ConfigError("products in --on with --logistic", "columns alone", "leaving out one of the two")
    if chosen in columns:
        raise ConfigError(f"{chosen!r} in --target and --on", "other columns to explain it", "leaving it out of --on")
    together = reading.names(cluster, table.names, "--cluster", several=False)
    numbers = [name for name in columns if name in table.numbers]
    texts = [name for name in columns if name not in table.numbers]
    reading.plain(table, columns, "--on")
    if chosen not in table.numbers and not logistic and not table.signed([chosen]):
        given = f"{chosen!r} in --target, which holds no numbers"
        raise ConfigError(given, "a column of numbers, or yes and no with --logistic", "--logistic")
    answers = [chosen] if logistic and chosen not in table.numbers else []
    found = reading.rows(table, [*numbers, *([] if answers else [chosen])], [*texts, *answers, *together])
    x, names, units, products = _columns(found, numbers, texts, pairs)
    name, unit = quantity(chosen)
    clusters = found.labels[-1] if together else None
    about = reading.facts(table, len(x))
    if logistic:
        y, event = _outcome(found, texts, bool(answers), name)
        how: Literal["classic", "robust", "cluster"] = "cluster" if together else "classic"
        how = "robust" if errors == "HC3" else how
        odds = fit_logistic(y, x, names, name=name, event=event, units=units, errors=how, clusters=clusters)
        part = Part(f"What goes with {name}?", odds)
    else:
        y = found.numbers[:, -1]
        lines = ols(y, x, names, name=name, unit=unit, units=units, errors="cluster" if together else errors,
                    clusters=clusters, products=products, places=np.flatnonzero(found.kept))  # fmt: skip
        part = Part(f"What goes with {name}?", lines, lambda: _drawn(lines, y, x))
    return answer(f"Regression of {name}", [part], about, notes=found.notes, report=report, as_json=json)


def _columns(
    rows: Rows, numbers: Sequence[str], texts: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> tuple[Float[np.ndarray, "N P"], tuple[str, ...], dict[str, str], list[Product]]:
    """What explains: numbers as they are, texts taken apart, and the products of both."""
    measured = [quantity(name) for name in numbers]
    parts, names = [rows.numbers[:, : len(numbers)]], [name for name, _ in measured]
    made = {name: [told] for name, (told, _) in zip(numbers, measured, strict=True)}
    for name, labels in zip(texts, rows.labels, strict=False):
        levels = np.unique(labels)
        if not 2 <= len(levels) <= LEVELS:
            given = f"{len(levels):,} different texts in {name}"
            raise DataError(given, f"2 to {LEVELS}", "a column of numbers, or of fewer kinds")
        parts.append((labels[:, None] == levels[None, 1:]).astype(np.float64))
        made[name] = [f"{name} {level}" for level in levels[1:]]
        names += made[name]
    x, units = np.hstack(parts), {name: unit for name, unit in measured if unit}
    products = [
        Product(f"{one}:{other}", one, other, f"{quantity(first)[0]}:{quantity(second)[0]}")
        for first, second in pairs
        for one in made[first]
        for other in made[second]
    ]
    multiplied = [x[:, names.index(one.first)] * x[:, names.index(one.second)] for one in products]
    names += [one.name for one in products]
    return np.column_stack([x, *multiplied]), tuple(names), units, products


def _outcome(rows: Rows, texts: Sequence[str], told: bool, name: str) -> tuple[Shaped[np.ndarray, "N"], str]:
    """The target in two kinds, and which of them is asked for."""
    if not told:
        return rows.numbers[:, -1], ""
    answers = rows.labels[len(texts)]
    kinds = np.unique(answers)
    if len(kinds) != 2:
        raise DataError(f"{len(kinds):,} different texts in {name}", "two, such as yes and no", "another --target")
    return answers, str(next((kind for kind in kinds if str(kind).lower() in YES), kinds[1]))


def _drawn(lines: Regression, y: Float[np.ndarray, "N"], x: Float[np.ndarray, "N P"]) -> list[Picture]:
    """Coefficients in the sds of their columns, and what the fit leaves over."""
    pictures = []
    if lines.diagnostics is not None and len(y) > 2:
        fit = solve(y, x)
        pictures.append(residuals(fit.fitted, fit.residuals, fit.leverage, lines.name, lines.unit))
    if len(lines.slopes) > 1 and not lines.products:  # beside a product, one sd more of a column is no one thing
        shown = [_scaled(one) for one in lines.slopes]
        pictures.append(forest(shown, axis=f"sd of {lines.name} for one sd of each"))
    return pictures


def _scaled(one: Coefficient) -> Estimate:
    """A coefficient in sds, so that columns can be compared."""
    value, between = one.estimate.value, one.estimate.interval
    if not one.standardized or between is None:
        return Estimate(one.name, one.standardized or 0.0)
    times = one.standardized / value
    return Estimate(one.name, one.standardized, Interval(between.low * times, between.high * times, between.level))
