"""What an annotation may say besides the type: `Annotated[int, Range(1)]`, `Annotated[float, Duration()]`.

They are notes; `seqwise.config.forms` acts on them.
"""

import re
from dataclasses import dataclass

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}  # seconds
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
DURATION = rf"{_NUMBER}|(?:{_NUMBER}[dhms])+"
"""How a duration is written, as a regular expression: `90`, `90s`, `10m`, `1.5h`, `1h30m`, `2d`."""


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both of them allowed; None where there is no end."""

    low: float | None = None
    high: float | None = None

    def admits(self, value: float) -> bool:
        """Whether the value lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def nearest(self, value: float) -> float:
        """The value itself, or the end that it lies nearest to."""
        if self.low is not None and value < self.low:
            return self.low
        return self.high if self.high is not None and value > self.high else value

    def __str__(self) -> str:
        low, high = _brief(self.low), _brief(self.high)
        if low and high:
            return f"from {low} to {high}"
        return f"at least {low}" if low else f"at most {high}" if high else ""


@dataclass(frozen=True)
class Duration:
    """A time, kept in seconds and written as `90`, `90s`, `10m` or `1.5h`."""


def seconds(text: str) -> float | None:
    """The duration in seconds, or None where the text is none."""
    if re.fullmatch(DURATION, text) is None:
        return None
    parts = re.findall(rf"({_NUMBER})([dhms]?)", text)
    return float(sum(float(number) * _UNITS[unit or "s"] for number, unit in parts))


def span(duration: float) -> str:
    """Short text that `seconds` reads back to this very number."""
    if duration > 0 and duration.is_integer():
        unit = next(unit for unit, size in _UNITS.items() if duration % size == 0)
        return f"{int(duration) // _UNITS[unit]}{unit}"
    exact = repr(float(duration))
    return exact if "e" not in exact else f"{duration:.400f}".rstrip("0")


def _brief(bound: float | None) -> str:
    return "" if bound is None else str(bound) if isinstance(bound, int) else f"{bound:g}"
