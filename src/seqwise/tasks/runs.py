"""Runs below a folder, read as they lie there: task, data, scores, cost and what was said of their worth.

    Run        one of them, or what is wrong with it
    listed     all below a folder, newest first

A run is a folder as `checkpoints.run` knows it; a weighing is one with `verdict.json`. Nothing is opened for work and
nothing is changed: settings are read as words, of weights only the head of their file. So a run of an older version is
listed as well, and one that broke is listed as broken, with the reason. Left out: what lies inside a run, hidden
folders, and folders behind links.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seqwise.checkpoints.run import CONFIG, JOURNAL, MODEL, SIGNATURE, RunFolder
from seqwise.config.document import load
from seqwise.config.nodes import Node, Scalar, Series
from seqwise.errors import CheckpointError, DataError, SeqwiseError
from seqwise.tasks.stored import FACTS
from seqwise.tasks.tuning.spending import COST, read_cost
from seqwise.tasks.tuning.stored import OUTCOME
from seqwise.training.events import Evaluated, Event, Finished, Stepped
from seqwise.training.journal import read

VERDICT = "verdict.json"
NOT_WEIGHED = "not weighed"
BROKEN_VERDICT = "verdict broken"
TRIALS = "trials.jsonl"  # beside a verdict whose systems were trained for it
TUNED = "tuned"  # as the system is called in outcome.json

Kind = Literal["train", "tune", "forecast", "weighing"]


@dataclass(frozen=True)
class Run:
    """One run or one weighing."""

    name: str
    """Its path below the folder that was looked in; "." is that folder itself."""
    kind: Kind
    task: str = ""
    """What it was trained for; of a weighing, what was weighed."""
    data: tuple[str, ...] = ()
    """Training files, without their folders."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Of the best weights: on the test where there is an outcome, otherwise of the best look."""
    scored: str = ""
    """What they were measured on: test or valid."""
    seconds: float | None = None
    """Of the wall; None: nobody measured."""
    ended: str = ""
    """Why training ended; empty while it has not."""
    worth: str = NOT_WEIGHED
    """The verdict in a word or two."""
    verdict: str = NOT_WEIGHED
    """The verdict in a sentence."""
    weighed_in: str = ""
    """The weighing that it comes from."""
    created: str = ""
    """When it began, in ISO 8601."""
    broken: str = ""
    """What is wrong with it; empty where nothing is."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def listed(folder: Path) -> tuple[Run, ...]:
    """All runs and weighings below the folder, newest first."""
    if not folder.is_dir():
        given = f"{folder} is a file" if folder.exists() else f"there is no folder {folder}"
        raise DataError(given, "a folder with runs", "seqwise runs FOLDER, or training one first")
    runs, weighings = list[tuple[Path, Run]](), list[tuple[Path, Run]]()
    for place in _places(folder):
        name = place.relative_to(folder).as_posix()
        if RunFolder(place).is_run():
            runs.append((place, _guarded(_run, place, name, _kind(place))))
        elif (place / VERDICT).is_file():
            weighings.append((place, _guarded(_weighing, place, name, "weighing")))
    weighed = _weighed(runs, weighings)
    return tuple(sorted((*weighed, *(run for _, run in weighings)), key=lambda run: (run.created, run.name))[::-1])


def _places(folder: Path) -> Iterator[Path]:
    """Folders to look at; not those within a run."""
    for place, inner, _ in os.walk(folder):
        here = Path(place)
        if RunFolder(here).is_run():
            inner.clear()
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield here


def _guarded(reader: Callable[[Path, str], Run], place: Path, name: str, kind: Kind) -> Run:
    """What the reader says, or why it could not."""
    try:
        return reader(place, name)
    except SeqwiseError as error:
        reason = str(error)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    return Run(name, kind, created=_created(place), broken=reason.removeprefix(f"{place}{os.sep}"))


# --- runs ------------------------------------------------------------------------------------------------


def _kind(place: Path) -> Kind:
    if (place / FACTS).is_file():
        return "tune"
    task = _word(_settings(place).get("task"))
    return "forecast" if task == "forecast" else "train"


def _settings(place: Path) -> Mapping[str, Node]:
    """Settings as words; none where they cannot be read, which `_run` tells."""
    table, _ = load(place / CONFIG)
    return {} if table is None else table.entries


def _run(place: Path, name: str) -> Run:
    table, faults = load(place / CONFIG)
    if table is None or faults:
        raise CheckpointError.of(faults)
    folder, events = RunFolder(place), list[Event]()
    if (place / JOURNAL).is_file():
        events = read(place / JOURNAL)
    last = events[-1] if events else None
    ended = last.reason if isinstance(last, Finished) else ""
    if (place / MODEL).is_file():
        folder.load_model_metadata()
    elif ended:
        raise CheckpointError(f"it ended and has no {MODEL}", "the weights of a run", "training anew")
    scores, scored = _scores(folder, events)
    return Run(
        name,
        _kind(place),
        _word(table.entries.get("task")) or "translate",
        tuple(_base_name(one) for one in _words(table.entries.get("train"))),
        scores,
        scored,
        _seconds(folder, events),
        ended,
        created=_created(place),
    )


def _word(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _words(node: Node | None) -> list[str]:
    nodes: Sequence[Node] = node.items if isinstance(node, Series) else [] if node is None else [node]
    return [one.text for one in nodes if isinstance(one, Scalar)]


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _scores(folder: RunFolder, events: Sequence[Event]) -> tuple[Mapping[str, float], str]:
    """Of the test, or of the best look; and which of them."""
    if (folder.path / OUTCOME).is_file():
        told = folder.read_json(OUTCOME)
        for system in told["systems"]:
            if system["name"] == TUNED:
                return _numbers(system["scores"]), str(told["part"])
    found: Mapping[str, float] = {}
    for event in events:
        if isinstance(event, Finished) and event.best:
            found = event.best
        elif isinstance(event, Evaluated) and event.best:
            found = event.scores
    return _numbers(found), "valid" if found else ""


def _numbers(told: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in told.items()}


def _seconds(folder: RunFolder, events: Sequence[Event]) -> float | None:
    """Of the training: as cost.json has them, otherwise of all steps together."""
    if (folder.path / COST).is_file():
        spent = read_cost(folder)
        if spent.complete:
            return spent.training.seconds
    steps = [event.seconds for event in events if isinstance(event, Stepped)]
    return math.fsum(steps) if steps else None


def _created(place: Path) -> str:
    """As the signature has it; otherwise when the file that makes it a run was last written."""
    try:
        told = json.loads((place / SIGNATURE).read_bytes())["created"]
        return datetime.fromisoformat(told).astimezone(UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        pass
    for name in (VERDICT, CONFIG):
        try:
            return datetime.fromtimestamp((place / name).stat().st_mtime, UTC).isoformat(timespec="seconds")
        except OSError:
            continue
    return ""


# --- weighings -------------------------------------------------------------------------------------------


def _weighing(place: Path, name: str) -> Run:
    told = _verdict(place)
    against = f"{told['base']} against {', '.join(map(str, told['tuned']))}"
    return Run(name, "weighing", against, (), worth=told["worth"], verdict=told["sentence"], created=_created(place))


def _verdict(place: Path) -> dict[str, Any]:
    """What verdict.json says; its sentence and its systems are texts. A broken one costs a weighing, no training."""
    going_on = "--resume" if (place / TRIALS).is_file() else "--overwrite"  # trials cost trainings
    allowed, mend = "the file that seqwise weigh wrote", f"seqwise weigh again with --out {place} {going_on}"
    try:
        told = dict(json.loads((place / VERDICT).read_bytes()))
    except OSError as error:
        raise CheckpointError(f"{VERDICT} cannot be read ({error.strerror})", allowed, mend) from error
    except (ValueError, TypeError, RecursionError) as error:
        reason = "nested without end" if isinstance(error, RecursionError) else f"no JSON: {error}"
        raise CheckpointError(f"{VERDICT} is broken ({reason})", allowed, mend) from error
    lacking = [name for name in ("sentence", "worth", "base", "tuned") if not told.get(name)]
    if lacking or not isinstance(told["tuned"], list):
        given = f"{VERDICT} is broken: it is without {', '.join(lacking) or 'a list of systems'}"
        raise CheckpointError(given, allowed, mend)
    return {**told, "sentence": str(told["sentence"]), "worth": str(told["worth"])}


def _weighed(runs: Sequence[tuple[Path, Run]], weighings: Sequence[tuple[Path, Run]]) -> Iterator[Run]:
    """Each run with its verdict: its own, or the newest of those that name it."""
    found: dict[Path, Run] = {}
    for where, weighing in sorted(weighings, key=lambda pair: pair[1].created):
        named = set() if weighing.broken else _systems(_verdict(where), where)
        found |= {place: weighing for place, _ in runs if place.resolve() in named}
    for place, run in runs:
        if run.broken:
            yield run
        elif (place / VERDICT).is_file():
            own = _guarded(_weighing, place, run.name, run.kind)
            yield replace(run, worth=BROKEN_VERDICT, verdict=own.broken) if own.broken else _with(run, own)
        else:
            yield _with(run, found[place]) if place in found else run


def _with(run: Run, weighing: Run) -> Run:
    return replace(run, worth=weighing.worth, verdict=weighing.verdict, weighed_in=weighing.name)


def _systems(told: Mapping[str, Any], where: Path) -> set[Path]:
    """What was weighed against the base, as paths from here and from the weighing.

    The facts tell what was given to the command; where they do not, the names of the systems may be paths.
    """
    facts = told.get("facts")
    given = facts.get("tuned") if isinstance(facts, dict) else None
    names = [str(given), *str(given).split(", ")] if given else list(map(str, told["tuned"]))
    found = set()
    for name in names:
        for path in (Path(name), where / name):
            with suppress(OSError, ValueError):
                found.add(path.resolve())
    return found
