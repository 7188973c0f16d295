"""`seqwise doctor`: what is installed and what the machine can do, a line each, and the mend if due."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

if TYPE_CHECKING:
    from seqwise.device import Facts

OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY = 2e9
"""Bytes; torch alone takes a good part of the first, and a batch of a large vocabulary as much again."""
LITTLE_DISK = 2e9
"""Bytes; each checkpoint holds the weights three times, with both moments of AdamW."""
OURS = ("dev", "test")
"""Extras for those who work on Seqwise itself."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    value: str
    state: Literal["ok", "warn", "missing"] = "ok"
    """missing: a required part that is not there or too old."""
    mend: str = ""
    """What to do; empty where all is well."""


@dataclass(frozen=True)
class Diagnosis:
    """All that was found."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 where something required is missing, else 0: a warning is no failure."""
        return int(any(finding.state == "missing" for finding in self.findings))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line for each, never wrapped, so that grep finds whole ones."""
        width = max((len(finding.subject) for finding in self.findings), default=0)
        for finding in self.findings:
            style = {"ok": "green", "warn": "yellow", "missing": "bold red"}[finding.state]
            mend = f". Try {finding.mend}." if finding.mend else ""
            line = f"{finding.subject:{width}}  {finding.value}{mend}"
            yield Text.assemble((f"{finding.state:7}", style), " ", line, no_wrap=True, overflow="ignore")


def doctor(path: Path = Path()) -> Diagnosis:
    """Check this machine, and tell how to mend it.

    Looks at Python, every library and extra, the device and its threads, bf16, memory, disk and terminal.
    Ends with 0, or with 1 where something required is missing.

    Args:
        path: Where runs will be written, to look at that disk.

    Example:
        seqwise doctor
    """
    return Diagnosis((_python(), *_libraries(), *_machine(path), _terminal()))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", version)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding("python", f"{version}, needs {oldest}", "missing", f"a Python from {oldest} on")


def _libraries() -> Iterator[Finding]:
    """Seqwise and what its package asks for; the libraries of an extra may be absent."""
    try:
        yield Finding("seqwise", metadata.version("seqwise"))
        requirements = metadata.requires("seqwise") or []
    except metadata.PackageNotFoundError:
        yield Finding("seqwise", "not installed, but run from its folder", "warn", "pip install -e .")
        return
    for requirement in requirements:
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)""", requirement)
        if extra is None or extra[1] not in OURS:
            yield _library(requirement, extra[1] if extra else "")


def _library(requirement: str, extra: str) -> Finding:
    """One library as `name>=lowest` asks for it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    subject = f"{name} [{extra}]" if extra else name
    mend = f"pip install 'seqwise[{extra}]'" if extra else f"pip install --upgrade {name}"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if extra:
            return Finding(subject, f"not installed, and not needed unless you want it: {mend}")
        return Finding(subject, "not installed", "missing", mend)
    lowest = re.search(r">=\s*([\d.]+)", requirement)
    if lowest and _numbers(version) < _numbers(lowest[1]):
        state: Literal["warn", "missing"] = "warn" if extra else "missing"
        return Finding(subject, f"{version}, needs {lowest[1]}", state, mend)
    return Finding(subject, version)


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers, for comparison: `2.13.0+cpu` as (2, 13, 0)."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def _machine(path: Path) -> Iterator[Finding]:
    """What `seqwise.device` sees, where torch can be loaded."""
    try:
        device = import_module("seqwise.device")  # late: without torch, the lines above are still wanted
        facts: Facts = device.facts(path)
        picked = str(device.pick())
    except (ImportError, OSError) as error:
        reason = str(error).partition("\n")[0]
        yield Finding("device", f"torch cannot be loaded ({reason})", "missing", "pip install --force-reinstall torch")
        return
    yield Finding("device", f"{picked}, {', '.join(facts.devices) or facts.processor}")
    yield _threads(facts)
    yield _bf16(facts)
    yield _amount("memory", facts.available, f"free of {_size(facts.memory)}", LITTLE_MEMORY, "to close other programs")
    yield _amount("disk", facts.disk, f"free at {path.absolute()}", LITTLE_DISK, "to free some, or another --out")


def _threads(facts: "Facts") -> Finding:
    """More threads than cores wait for one another."""
    granted = facts.cores if facts.limit is None else max(1, min(facts.cores, round(facts.limit)))
    value = f"{facts.threads} on {granted} core{'s' * (granted != 1)}"
    if facts.threads > granted:
        wish = os.environ.get("OMP_NUM_THREADS")
        cause = f", since OMP_NUM_THREADS is {wish}" if wish else ""
        return Finding("threads", value + cause, "warn", f"OMP_NUM_THREADS={granted}")
    return Finding("threads", value)


def _bf16(facts: "Facts") -> Finding:
    """What the processor has for bf16, and what it brings."""
    units = [name for name, there in (("AMX", facts.amx), ("AVX512-BF16", facts.avx512_bf16)) if there]
    value = f"{' and '.join(units) or 'no unit for it'}, products {facts.bf16_gain:.1f} times as fast as in fp32"
    if units and not facts.bf16_pays:
        return Finding("bf16", value, "warn", "fp32, or seqwise doctor again on an idle machine")
    return Finding("bf16", value)


def _amount(subject: str, free: int, of: str, little: float, mend: str) -> Finding:
    value = f"{_size(free)} {of}"
    return Finding(subject, value, "warn", mend) if free < little else Finding(subject, value)


def _size(count: int) -> str:
    """Bytes in GB, which are thousand millions."""
    return f"{count / 1e9:.1f} GB"


def _terminal() -> Finding:
    """Whether bars can be drawn, and letters of every language written."""
    encoding = (sys.stdout.encoding or "unknown").lower()
    console = Console()
    value = f"{console.width} columns" if console.is_terminal else "none, so plain lines instead of bars"
    if not encoding.startswith("utf"):
        return Finding("terminal", f"{value}, {encoding}", "warn", "PYTHONIOENCODING=utf-8")
    return Finding("terminal", f"{value}, {encoding}")
