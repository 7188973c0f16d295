"""What a run was made with, so that someone else can make it again: versions, seed, data, hardware, command.

Nothing here is read back by training; it is for people, and for comparing two runs. Left out: the settings,
which stand in `config.yaml`, and the user's and the machine's names, which are nobody's business.
"""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("seqwise", "torch", "numpy", "tokenizers", "safetensors", "polars", "sacrebleu")


def signature(
    seed: int,
    data: Mapping[str, str],
    more: Mapping[str, Any] | None = None,
    command: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The facts of this process, ready for JSON.

    `data` maps the name of each file to its SHA-256 (`hash_file`); `more` adds what else the run wants told,
    such as the number of parameters. The command is that of this process unless it is given.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(sys.orig_argv if command is None else command),
        "seed": seed,
        "data": dict(data),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerators": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        **(more or {}),
    }


def processor() -> str:
    """The processor's model as its maker calls it, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
