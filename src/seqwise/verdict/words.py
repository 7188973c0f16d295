"""A difference in words: both scores, its size with the interval, the test, and how much it was computed of.

No word here says whether a difference is there; sentences that do so stand with the questions.
"""

from seqwise.stats.phrases import alike, amount, chance, counted, joined, sure
from seqwise.stats.results import Test
from seqwise.verdict.effects import Weighed

WORDS = {
    "items": "item",
    "clusters": "cluster",
    "origins": "origin",
    "forecasts": "forecast",
    "seeds": "seed",
}


def both(found: Weighed) -> str:
    """accuracy 63.0 of base, 69.0 of tuned, difference +6.0 points (95 % interval ...; test; n)."""
    measure, (base, tuned) = found.data.measure, found.data.values
    first, second = found.data.names[1], found.data.names[0]
    before, after = apart(base, tuned)
    head = f"{measure.name} {before} of {first}, {after} of {second}"
    return f"{head}, {difference(found)} ({by(found.test)})"


def difference(found: Weighed) -> str:
    """difference +6.00 points, 95 % interval 1.30 to 11.23."""
    within = found.interval
    value, low, high = alike(found.value, within.low, within.high)
    sign = "+" if found.value > 0 and not value.startswith("+") else ""
    size = f"difference {sign}{value} {found.data.measure.unit}".rstrip()
    return f"{size}, {sure(within.level)} {low} to {high}"


def by(test: Test) -> str:
    """McNemar's mid-p test, p = 0.0146, 200 items."""
    return f"{test.name}, {chance(test.p)}, {sample(test)}"


def sample(test: Test) -> str:
    """200 items, 3 seeds."""
    return joined([_counted(count, kind) for kind, count in test.n.items()])


def _counted(count: int, kind: str) -> str:
    if kind.startswith("seeds of "):
        return f"{counted(count, 'seed')}{kind.removeprefix('seeds')}"
    return counted(count, WORDS.get(kind, kind))


def apart(*values: float) -> tuple[str, ...]:
    """Scores with as many digits as they are read with."""
    return alike(*values, digits=3 if max(abs(one) for one in values) < 10 else 4)


def limit(value: float, unit: str) -> str:
    """A margin, or the smallest gain that is useful."""
    return amount(value, "point" if unit == "points" and value == 1 else unit)
