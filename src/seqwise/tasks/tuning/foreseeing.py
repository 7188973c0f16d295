"""What a run foresees of itself after its first steps, and what came: the last note of its journal but one.

The first steps are real ones, so nothing is wasted, and nothing that is computed depends on what is foreseen: a resumed
run comes to the same bits. From them follow seconds and memory of the rest, by the same line as in `seqwise plan`, and
at the end both stand side by side. A run that ends early is held to what was foreseen of as many steps and looks.

Left out: what comes before the first step and after the last, which `seqwise plan` foresees as well.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from seqwise.data.loader import Batches
from seqwise.tasks.tuning import probing
from seqwise.training import plan
from seqwise.training.events import Evaluated, Event, Noted, Saved, Stepped
from seqwise.training.loop import Setting
from seqwise.training.plan import Pace, Spent, Work

FIRST = 8
"""Steps that are timed, behind one that is not."""
SETTLED = 24
"""Steps after which memory is foreseen: it grows longer than steps become slower or faster."""


@dataclass(frozen=True)
class Foreseen:
    """After the first steps."""

    spent: Spent
    """Up to then."""
    step: int
    paces: tuple[Pace, Pace]
    """By the clock on the wall, and of the processors."""
    looks: int
    saves: int
    """How many there had been."""


class Foresight:
    """A reader of the events of a run, who knows what its batches give to compute."""

    def __init__(self, loader: Batches, accumulate: int, step: int, where: torch.device) -> None:
        """step: where the run goes on from."""
        self.steps = plan.steps_of(probing.works(loader), accumulate)
        self.first, self.where = step, where
        self.began = self.last = _now()
        self.taken: list[tuple[Work, Spent]] = []
        self.peaks: list[int] = []
        self.looks: list[Spent] = []
        self.saves: list[Spent] = []
        self.foreseen: Foreseen | None = None
        self.counted = 0

    def watched(self, setting: Setting) -> Setting:
        """The same run, which tells at its end what was foreseen and what came."""
        return replace(setting, noted=lambda: [*setting.noted(), *self.noted()])

    def tell(self, event: Event) -> None:
        """Remember how long it took."""
        now = _now()
        spent, self.last = now - self.last, now
        match event:
            case Stepped():
                self.counted += 1
                if len(self.peaks) < SETTLED:
                    self.peaks.append(probing.peak(self.where))
                if self.foreseen is None:
                    self._stepped(event, spent)
            case Evaluated():
                self.looks.append(spent)
            case Saved():
                self.saves.append(spent)

    def close(self) -> None:
        """Nothing is open."""

    def _stepped(self, event: Stepped, spent: Spent) -> None:
        if event.step > self.first + 1:  # the first one brings pages and kernels in
            self.taken.append((self._work(event.step), spent))
        if len(self.taken) == FIRST:
            works = [work for work, _ in self.taken]
            wall = Pace.of(works, [one.wall for _, one in self.taken])
            processor = Pace.of(works, [one.processor for _, one in self.taken])
            until = self.last - self.began
            counts = len(self.looks), len(self.saves)
            self.foreseen = Foreseen(until, event.step, (wall, processor), *counts)

    def _work(self, step: int) -> Work:
        return self.steps[(step - 1) % len(self.steps)]

    def noted(self) -> Iterable[Noted]:
        """What was foreseen of all that was done, and what it took; nothing of a run that was over too soon."""
        found, took = self.foreseen, _now() - self.began
        step = self.first + self.counted
        if found is None or step <= found.step:
            return ()
        works = [self._work(one) for one in range(found.step + 1, step + 1)]
        looks, saves = len(self.looks) - found.looks, len(self.saves) - found.saves
        rest = _first(self.looks).times(looks) + _first(self.saves).times(saves)
        seconds = found.spent.wall + found.paces[0].seconds(works) + rest.wall
        processor = found.spent.processor + found.paces[1].seconds(works) + rest.processor
        memory = plan.grown(self.peaks, step - self.first)
        told = {
            "after_steps": float(found.step - self.first),
            "predicted_seconds": seconds,
            "actual_seconds": took.wall,
            "error_seconds": found.paces[0].figure(works).error + plan.TIME_FLOOR * rest.wall,
            "predicted_processor_seconds": processor,
            "actual_processor_seconds": took.processor,
            "memory_after_steps": float(len(self.peaks)),
            "predicted_memory": memory.value,
            "actual_memory": float(probing.peak(self.where)),
            "error_memory": memory.error,
        }
        return (Noted(step, "plan", {name: round(value, 2) for name, value in told.items()}),)


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


def _first(spent: Sequence[Spent]) -> Spent:
    return spent[0] if spent else Spent()
