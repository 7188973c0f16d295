"""The terminal as a reader of a run: a bar that moves where there is a terminal, plain lines elsewhere.

Sentences of the user's are shown as they are, but for characters that would steer the terminal or hide
what is written. Left out: colours that mean something; all that is shown stands in the text.
"""

import time
from collections import deque
from collections.abc import Mapping

import rich.console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from seqwise.printable import printable
from seqwise.training.events import Evaluated, Event, Finished, Noted, Saved, Stepped

RECENT = 50  # steps that the moving figures are taken over
LONGEST = 400  # characters of a sample that are shown


class Console:
    """A bar with figures on a terminal; a line every so many steps or seconds where output goes elsewhere."""

    def __init__(
        self,
        console: rich.console.Console | None = None,
        limit: float | None = None,
        every: int = 100,
        seconds: float = 10.0,
        counted: str = "tokens",
    ) -> None:
        """`limit`: the run's time limit in seconds; `every` and `seconds`: when a plain line comes; `counted`: what the
        targets of a step are, as in tokens or labels."""
        self.out = console or rich.console.Console(stderr=True)
        self.limit = limit
        self.every = every
        self.seconds = seconds
        self.counted = counted
        self.recent: deque[Stepped] = deque(maxlen=RECENT)
        self.began = self.told_at = time.monotonic()
        self.told = 0
        self.bar = _bar(self.out) if self.out.is_interactive else None

    def tell(self, event: Event) -> None:
        """Show it."""
        match event:
            case Stepped():
                self._step(event)
            case Evaluated():
                marks = "  weights of the last looks, averaged" * event.averaged + "  best so far" * event.best
                self._say(f"step {event.step:,}  {_scores(event.scores)}{marks}", "bold")
                for sample in event.samples:
                    for name in ("source", "reference", "output"):
                        self._say(f"    {name:<10} {printable(getattr(sample, name), LONGEST)}")
            case Saved():
                self._say(f"step {event.step:,}  saved {printable(event.path)} ({event.reason})", "dim")
            case Noted():
                told = "  ".join(f"{printable(name)} {figure(value)}" for name, value in event.values.items())
                self._say(f"{printable(event.name)}: {told}")
            case Finished():
                best = f"; best at step {event.best_step:,}: {_scores(event.best)}" if event.best else ""
                self._say(f"finished at step {event.step:,} ({event.reason}){best}", "bold")

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()

    def _step(self, event: Stepped) -> None:
        self.recent.append(event)
        now = time.monotonic()
        done, left = self._done(event, now - self.began)
        if self.bar is not None:
            task = self.bar.task_ids[0]
            self.bar.update(task, total=1.0 if done is not None else None, completed=done or 0.0)
            self.bar.update(task, description=self._figures(event, left))
            if not self.bar.live.is_started:
                self.bar.start()
        elif event.step - self.told >= self.every or now - self.told_at >= self.seconds or not self.told:
            self.told, self.told_at = event.step, now
            self._say(self._figures(event, left))
            self.recent.clear()

    def _done(self, event: Stepped, elapsed: float) -> tuple[float | None, float | None]:
        """Share of the run that is done and seconds left, by steps or by time, whichever ends it first."""
        ends: list[tuple[float, float]] = []  # seconds left, share done
        if event.total:
            pace = sum(step.seconds for step in self.recent) / len(self.recent)
            ends.append(((event.total - event.step) * pace, event.step / event.total))
        if self.limit:
            ends.append((max(0.0, self.limit - elapsed), min(1.0, elapsed / self.limit)))
        if not ends:
            return None, None
        left, done = min(ends)
        return done, left

    def _figures(self, event: Stepped, left: float | None) -> str:
        """One line: the last step's rate, and the means since the line before."""
        steps = self.recent
        tokens = sum(step.tokens for step in steps)
        loss = sum(step.loss * step.tokens for step in steps) / max(1, tokens)
        of = f"/{event.total:,}" if event.total else ""
        parts = [
            f"step {event.step:,}{of}",
            *([] if left is None else [f"{_duration(left)} left"]),
            f"loss {loss:.3f}",
            f"{tokens / max(1e-9, sum(step.seconds for step in steps)):,.0f} {self.counted}/s",
            f"rate {event.rate:.2e}",
            f"gradient {sum(step.gradient_norm for step in steps) / len(steps):.2f}",
            f"padding {100 * sum(step.padding for step in steps) / len(steps):.1f} %",
            f"epoch {event.epoch:.2f}",
        ]
        return "  ".join(parts)  # a narrow terminal cuts off the end, so the most wanted come first

    def _say(self, line: str, style: str = "") -> None:
        """Print above the bar, or as a plain line; what the output cannot encode is escaped."""
        encoding = getattr(self.out.file, "encoding", None) or "utf-8"
        shown = line.encode(encoding, "backslashreplace").decode(encoding)
        if self.bar is not None:
            self.out.print(Text(shown, style=style), soft_wrap=True)
        else:
            print(shown, file=self.out.file, flush=True)


def figure(value: float | str) -> str:
    """A fact as it is shown: whole numbers whole, others to four digits."""
    if isinstance(value, str):
        return printable(value, LONGEST)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _scores(scores: Mapping[str, float]) -> str:
    return "  ".join(f"{printable(name)} {value:.4g}" for name, value in scores.items()) or "no scores"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(out: rich.console.Console) -> Progress:
    percent = TextColumn("{task.percentage:>3.0f} %")
    figures = TextColumn("{task.description}", markup=False)
    bar = Progress(SpinnerColumn(), BarColumn(20), percent, figures, console=out, refresh_per_second=4)
    bar.add_task("", total=None)
    return bar
