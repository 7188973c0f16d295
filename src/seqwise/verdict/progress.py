"""How far a table of trials is, and how long the rest will take.

    Progress   counts and time left, told after each trial and every few seconds between
    Pace       how long trials take, from those that are done
    Tally      puts rows on the disk and tells
    told       the same in one line: 7 of 24 trials, 1 failed, 12 min 30 s left

Left out: drawing a bar, which is the work of whoever is told.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from seqwise.verdict.ledger import Ledger
from seqwise.verdict.trials import Row, Trial


@dataclass(frozen=True)
class Progress:
    """Of all trials that were asked for."""

    done: int
    """With a result or an error, also from an earlier process."""
    total: int
    failed: int = 0
    """Of those done."""
    running: tuple[Trial, ...] = ()
    """As far as it is known; on a cluster it is not."""
    left: float | None = None
    """Seconds; None until one trial tells how long they take."""
    ended: tuple[Row, ...] = ()
    """Since it was told last; none where only time went by."""


@dataclass(frozen=True)
class Pace:
    """Seconds on all data: a trial on a quarter of it is taken to need a quarter."""

    methods: Mapping[str, float]
    overall: float | None

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Pace":
        """From what was measured; errors come early and say nothing."""
        seconds: dict[str, float] = {}
        shares: dict[str, float] = {}
        for row in rows:
            if row.measured:
                method = row.trial.method
                seconds[method] = seconds.get(method, 0.0) + row.seconds
                shares[method] = shares.get(method, 0.0) + row.trial.fraction
        overall = sum(seconds.values()) / sum(shares.values()) if shares else None
        return cls({method: seconds[method] / shares[method] for method in seconds}, overall)

    def left(self, running: Mapping[Trial, float], waiting: Iterable[Trial], workers: int) -> float | None:
        """Seconds until all have ended. running: how long each has been at it."""
        if self.overall is None:
            return None
        rest = [max(0.0, self._whole(trial, self.overall) - past) for trial, past in running.items()]
        rest += [self._whole(trial, self.overall) for trial in waiting]
        return max(max(rest, default=0.0), sum(rest) / max(1, workers))

    def _whole(self, trial: Trial, overall: float) -> float:
        return self.methods.get(trial.method, overall) * trial.fraction


class Tally:
    """Puts rows on the disk, and tells how far the table is."""

    def __init__(
        self, trials: Sequence[Trial], ledger: Ledger, workers: int, progress: Callable[[Progress], None]
    ) -> None:
        self.ledger, self.workers, self.progress = ledger, workers, progress
        self.total = len(set(trials))
        self.rows = [row for row in ledger.of(trials) if row.measured]
        self.fresh: list[Row] = []

    def add(self, row: Row) -> None:
        """One has ended."""
        self.ledger.add(row)
        self.rows.append(row)
        self.fresh.append(row)

    def tell(self, running: Mapping[Trial, float], waiting: Collection[Trial]) -> None:
        """Say how far it is. running: seconds that each has been at it."""
        left = Pace.of(self.rows).left(running, waiting, self.workers)
        failed = sum(not row.measured for row in self.rows)
        ended, self.fresh = tuple(self.fresh), []
        self.progress(Progress(len(self.rows), self.total, failed, tuple(running), left, ended))


def silent(progress: Progress) -> None:
    """Tell nobody."""


def told(progress: Progress) -> str:
    """In one line."""
    parts = [f"{progress.done:,} of {progress.total:,} trial{'s' * (progress.total != 1)}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.left is not None and progress.done < progress.total:
        parts.append(f"{_clock(progress.left)} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02} min"
