"""plan: what a tuning run will take, before it is begun: memory and time of each method, and what the data hold."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from seqwise import device
from seqwise.config import check
from seqwise.printable import printable
from seqwise.tasks.tuning import Tune, memory, planning
from seqwise.tasks.tuning.checking import told
from seqwise.tasks.tuning.memory import gigabytes
from seqwise.tasks.tuning.planning import Cost, Data
from seqwise.training.plan import Course, Figure


@dataclass(frozen=True)
class Planned:
    """All that was found."""

    data: Data
    costs: tuple[Cost, ...]
    available: int
    """Bytes of memory that were free."""
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        data = asdict(self.data) | {"checks": [one.to_dict() for one in self.data.checks]}
        data.pop("works")
        return {
            "data": data,
            "methods": [_plain(one) for one in self.costs],
            "available": self.available,
            "advice": self.advice,
        }

    def __rich__(self) -> Group:
        checks = [Text(told(one), overflow="fold") for one in self.data.checks if one.level != "PASS"]
        fine = sum(one.level == "PASS" for one in self.data.checks)
        failed = [Text(f"{one.method}: {printable(one.failed)}", overflow="fold") for one in self.costs if one.failed]
        passed = Text(f"checks of the data: {fine:,} of {len(self.data.checks):,} passed")
        return Group(
            _of_data(self.data),
            passed,
            *checks,
            Text(),
            _of_methods(self.costs, self.available),
            *failed,
            Text(self.advice, style="bold", overflow="fold"),
        )


def _plain(one: Cost) -> dict[str, Any]:
    return {
        "method": one.method,
        "weights": asdict(one.weights),
        "estimate": asdict(one.estimate),
        "memory": None if one.memory is None else one.memory.to_dict(),
        "seconds": None if one.wall is None else one.wall.to_dict(),
        "processor_seconds": None if one.processor is None else one.processor.to_dict(),
        "failed": one.failed,
    }


def _of_data(data: Data) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    steps = "until the time limit" if data.steps is None else f"{data.steps:,}"
    rows = {
        "examples": f"{data.examples:,}, {data.tokens:,} tokens, {data.learnt:,} targets that are learnt",
        "steps": f"{steps}, and {data.looks:,} looks at the validation examples",
        "padding": f"{100 * data.padding:.1f} % of the positions",
        "cut off": f"{100 * data.cut:.1f} % of the tokens",
        "gain": data.gain,
    }
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _of_methods(costs: tuple[Cost, ...], free: int) -> Table:
    title = f"{gigabytes(free)} of memory are free" if free else None
    table = Table(
        "", "parameters", "trained", "memory", "time", "processor", box=None, title=title, title_justify="left"
    )
    for one in costs:
        size = f"some {gigabytes(one.estimate.total)}" if one.memory is None else _size(one.memory)
        seconds = [_time(course) for course in (one.wall, one.processor)]
        table.add_row(one.method, f"{one.weights.all:,}", f"{one.weights.trained:,}", size, *seconds)
    return table


def _size(figure: Figure) -> str:
    return f"{gigabytes(figure.value)} ± {100 * figure.error / figure.value:.0f} %"


def _time(course: Course | None) -> str:
    if course is None:
        return "-"
    total = course.total
    return f"{clock(total.value)} ± {100 * total.error / max(total.value, 1e-9):.0f} %"


def clock(seconds: float) -> str:
    """As people say it: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def plan(settings: Tune) -> Planned:
    """Foresee what tuning will take: memory and time of each method, steps, padding, and what the data hold.

    Takes the words of `seqwise tune`. Each method that fits into memory by its shapes is tried in a process of its own:
    a few real steps, the longest batch first, some answers, a look, a saving. Nothing is left on the disk.

    Args:
        settings: Everything, as for tune: from a YAML file, from flags, or both. The first word is the model.

    Example:
        seqwise plan models/all-minilm --task classify --train train.tsv --test test.tsv --epochs 3
    """
    check(settings)
    console = Console(stderr=True, highlight=False)

    def say(note: str) -> None:
        console.print(printable(note), markup=False)

    data = planning.measured(settings, say)
    free = device.available()
    costs = tuple(planning.cost(settings, method, data, free, say) for method in memory.methods_of(settings))
    return Planned(data, costs, free, planning.advice(settings, costs, data, free))
