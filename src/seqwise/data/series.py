"""Series of numbers with their times: whole, cut by time, and what is known of the time to come.

    Series        one of them: targets, what is observed beside, what is known in advance
    SeriesTable   several of the same columns and the same frequency
    Span, Split   from when to when; training, validation and test, which follow one another in time
    Future        the next times, with all that is known of them

    observed, known     |----- seen -----|
    known only                           |--- to come ---|
    targets             |----- seen -----|--- foreseen --|

A split is by time and nothing else: who draws windows at random trains on what lies behind the test.
Left out: reading (`table.py`), mending (`mending.py`), windows (`timewindows.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.data.calendar import Feature, columns
from seqwise.data.frequency import Frequency
from seqwise.errors import DataError

Cut = float | int | str
"""Where a part begins: a share of all times, a number of them counted from the end, or a date or time."""
Change = Callable[[Float[np.ndarray, "T C"]], Float[np.ndarray, "T C"]]
"""What becomes of a block of numbers, such as `standardizer.apply`; missing values stay."""

# T times of a series, A times after its last target; C targets, O observed and K known columns


@dataclass(frozen=True, eq=False)
class Series:
    """One series, or a piece of one, at every step of the frequency."""

    name: str
    """The value that tells it from others; empty where there is one only. Pieces of one series share it."""
    times: Shaped[np.ndarray, "T"]
    """datetime64[us], ascending."""
    targets: Float[np.ndarray, "T C"]
    """What is foreseen; NaN where it is missing, as in all three."""
    observed: Float[np.ndarray, "T O"]
    """Known up to now and not beyond."""
    known: Float[np.ndarray, "T K"]
    """Known for the time to come, too; columns of the table first, then the calendar's."""
    later_times: Shaped[np.ndarray, "A"]
    """Of rows at the end that have no target: the time to come, as far as the table tells of it."""
    later_known: Float[np.ndarray, "A K"]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def missing(self) -> bool:
        """Whether a number is absent anywhere."""
        return any(bool(np.isnan(block).any()) for block in (self.targets, self.observed, self.known))


@dataclass(frozen=True)
class Span:
    """From when, inclusive, to when, exclusive; None where there is no end."""

    begin: np.datetime64 | None = None
    end: np.datetime64 | None = None

    def within(self, times: Shaped[np.ndarray, "T"]) -> tuple[int, int]:
        """Which of the ascending times lie inside: from this one up to that one, exclusive."""
        first = 0 if self.begin is None else int(np.searchsorted(times, self.begin))
        last = len(times) if self.end is None else int(np.searchsorted(times, self.end))
        return first, max(first, last)

    def __str__(self) -> str:
        begin = "the beginning" if self.begin is None else shown_time(self.begin)
        return f"{begin} up to " + ("the end" if self.end is None else f"before {shown_time(self.end)}")


@dataclass(frozen=True)
class Split:
    """Three parts that follow one another. Their windows may look back into the part before, never ahead."""

    train: Span
    valid: Span
    test: Span


@dataclass(frozen=True, eq=False)
class Future:
    """The next steps of one series."""

    name: str
    times: Shaped[np.ndarray, "N"]
    known: Float[np.ndarray, "N K"]


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """Series of the same columns, in the order in which the file names them."""

    series: tuple[Series, ...]
    targets: tuple[str, ...]
    observed: tuple[str, ...]
    known: tuple[str, ...]
    """Columns of the table first, then the calendar's, such as "hour sin"."""
    frequency: Frequency
    calendar: tuple[Feature, ...] = ()
    """The features behind the last of `known`."""
    notes: tuple[str, ...] = ()
    """What was assumed and what was mended, a sentence each."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the series, each once."""
        return tuple(dict.fromkeys(one.name for one in self.series))

    @cached_property
    def missing(self) -> bool:
        """Whether a number is absent anywhere."""
        return any(one.missing for one in self.series)

    @cached_property
    def times(self) -> Shaped[np.ndarray, "T"]:
        """All times of all series, each once, ascending."""
        return np.unique(np.concatenate([one.times for one in self.series]))

    def map(
        self, *, targets: Change | None = None, observed: Change | None = None, known: Change | None = None
    ) -> "SeriesTable":
        """The same with other numbers, such as standardized ones."""

        def changed(change: Change | None, block: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
            return block if change is None or not block.size else change(block)

        return replace(
            self,
            series=tuple(
                replace(
                    one,
                    targets=changed(targets, one.targets),
                    observed=changed(observed, one.observed),
                    known=changed(known, one.known),
                    later_known=changed(known, one.later_known),
                )
                for one in self.series
            ),
        )

    def within(self, span: Span) -> "SeriesTable":
        """What lies inside, for example to fit a standardizer on training only. Series without a row there are gone."""
        kept = []
        for one in self.series:
            first, last = span.within(one.times)
            if first < last:
                kept.append(_cut(one, first, last))
        return replace(self, series=tuple(kept))

    def blocks(self) -> tuple[Float[np.ndarray, "T C"], Float[np.ndarray, "T O"], Float[np.ndarray, "T K"]]:
        """Targets, observed and known of all series, end to end."""
        return (
            np.concatenate([np.zeros((0, len(self.targets))), *(one.targets for one in self.series)]),
            np.concatenate([np.zeros((0, len(self.observed))), *(one.observed for one in self.series)]),
            np.concatenate([np.zeros((0, len(self.known))), *(one.known for one in self.series)]),
        )

    def split(self, valid: Cut, test: Cut | None, end: str | None = None) -> Split:
        """Training up to where validation begins, validation up to the test, the test up to the end.

        A share is one of the distinct times of all series, a number is one of times; both are counted from the end
        backwards. A date or time is where the part begins.
        `end`, a date or time, is where the test ends; what lies behind is left out. Without a test, validation goes up
        to the end, and the test is what comes after it.
        """
        times = self.times if end is None else self.times[self.times < moment(end, "end")]
        total = len(times)
        if total < 3:
            raise DataError(f"{total} times up to {end}", "three at least", "a later end")
        begin_test = total if test is None else _begin(times, test, total, "test")
        begin_valid = _begin(times, valid, begin_test, "valid")
        if not 0 < begin_valid < begin_test < total + (test is None):
            sizes = (max(0, size) for size in (begin_valid, begin_test - begin_valid, total - begin_test))
            left = "{:,}, {:,} and {:,} times for training, validation and test".format(*sizes)
            given = f"valid {valid} and test {test} of {total:,} times, which leaves {left}"
            raise DataError(given, "a time or more for each, in this order", "valid 0.1 and test 0.1")
        first = times[begin_valid]
        second = times[begin_test] if test is not None else times[-1] + np.timedelta64(1, "us")
        last = None if end is None else moment(end, "end")
        return Split(Span(None, first), Span(first, second), Span(second, last))

    def future(self, count: int) -> tuple[Future, ...]:
        """The next steps of each series; of pieces of a series, of its last."""
        last = {one.name: one for one in self.series}
        return tuple(self._ahead(one, count) for one in last.values())

    def _ahead(self, one: Series, count: int) -> Future:
        times = np.concatenate([one.later_times, self.frequency.next((*one.times, *one.later_times)[-1], count)])[
            :count
        ]
        dated = columns(times, self.calendar)  # (N, some of K)
        given = len(self.known) - dated.shape[1]
        told = one.later_known[:count, :given] if given else np.zeros((count, 0))
        if given and (len(told) < count or np.isnan(told).any()):
            there = int(np.argmax(np.isnan(told).any(axis=1))) if np.isnan(told).any() else len(told)
            whose = f" of {one.name}" if one.name else ""
            raise DataError(
                given=f"{', '.join(self.known[:given])}{whose} for {there} steps after {shown_time(one.times[-1])}",
                allowed=f"what is known in advance for all {count} steps that are foreseen",
                mend="rows at the end with these columns and no target, or a run with a shorter --horizon",
            )
        return Future(one.name, times, np.concatenate([told, dated], axis=1))


def shown_time(time: np.datetime64) -> str:
    """A time without what is zero: 2016-07-01, 2016-07-01 13:00."""
    date, clock = str(time.astype("datetime64[us]")).split("T")
    clock = clock.removesuffix(".000000")
    return date if clock == "00:00:00" else f"{date} {clock.removesuffix(':00') if clock.endswith(':00') else clock}"


def _cut(one: Series, first: int, last: int) -> Series:
    """Some of its times. What comes later and is known stays known, whether or not the table has targets for it."""
    return replace(
        one,
        times=one.times[first:last],
        targets=one.targets[first:last],
        observed=one.observed[first:last],
        known=one.known[first:last],
        later_times=np.concatenate([one.times[last:], one.later_times]),
        later_known=np.concatenate([one.known[last:], one.later_known]),
    )


def _begin(times: Shaped[np.ndarray, "T"], cut: Cut, end: int, name: str) -> int:
    """Which of the times begins the part that ends before `end`."""
    if isinstance(cut, str):
        return int(np.searchsorted(times, moment(cut, name)))
    if isinstance(cut, float) and not 0 < cut < 1:
        raise DataError(f"{name} {cut:g}", "a share between 0 and 1, a whole number, or a date", f"{name} 0.1")
    if isinstance(cut, int) and cut < 1:
        raise DataError(f"{name} {cut}", "1 time or more, a share, or a date", f"{name} 0.1")
    return end - (cut if isinstance(cut, int) else round(cut * len(times)))


def moment(text: str, name: str = "time") -> np.datetime64:
    """A date or time as it is written."""
    try:
        return np.datetime64(text.strip().replace(" ", "T"), "us")
    except ValueError:
        raise DataError(f"{name} {text}", "a date or time such as 2017-06-26", f"{name} 2017-06-26") from None
