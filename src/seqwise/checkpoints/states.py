"""The moments of a run that training can go on from, and the weights of its last evaluations.

    step-000123/                  state.safetensors and facts.json, with the sum of the first in the second
    weights-000123.safetensors    weights alone, to be averaged at the end

A state gets its name when it is complete, and the one before goes only then. Left out: what tensors and
facts mean.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqwise.checkpoints.files import discard, hash_file, make_folder, publishing, replacing
from seqwise.checkpoints.tensors import Tensors, read_tensors, write_tensors
from seqwise.errors import CheckpointError

TENSORS = "state.safetensors"
FACTS = "facts.json"
STEP = re.compile(r"step-(\d+)(\+?)")  # the plus: a second state of the same step, not yet in its place
WEIGHTS = re.compile(r"weights-(\d+)\.safetensors")


@dataclass(frozen=True)
class State:
    """A moment of a run, as `save` was given it."""

    step: int
    tensors: Tensors
    facts: dict[str, Any]
    note: str | None = None
    """What the user should know, such as that a newer state was damaged; None where all is well."""


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], keep: int) -> Path:
    """Write the state of a step and delete all but the newest `keep`.

    States and weights of later steps go as well: they are of a future that a resumed run has left.
    """
    make_folder(folder)
    place = folder / f"step-{step:06d}"
    _settle(place)
    # saved a second time, the first stays until the second is complete
    with publishing(_second(place) if place.exists() else place) as part:
        write_tensors(part / TENSORS, tensors)
        told = {"step": step, "sha256": hash_file(part / TENSORS), "facts": dict(facts)}
        content = json.dumps(told).encode()
        with replacing(part / FACTS, len(content)) as file:
            file.write(content)
    _settle(place)
    _prune(folder, STEP, step, keep)
    _prune(folder, WEIGHTS, step, None)
    return place


def load(folder: Path) -> State | None:
    """The newest whole state, or None before the first. A damaged one is passed over, with a note."""
    damaged: list[str] = []
    for path in listed(folder, STEP):
        try:
            state = _read(path)
        except CheckpointError as error:
            damaged.append(str(error).rstrip("."))
            continue
        if damaged:
            note = f"going on from step {state.step}, since a newer state is damaged: {damaged[0]}"
            return replace(state, note=note)
        return state
    if damaged:
        raise CheckpointError(
            given=f"no state in {folder} is whole ({damaged[0]})",
            allowed="one to resume from",
            mend="copying the folder again, or --overwrite to begin anew",
        )
    return None


def save_candidate(folder: Path, step: int, tensors: Mapping[str, Tensor], keep: int) -> Path:
    """Write weights that may be averaged, and delete all but the newest `keep`."""
    make_folder(folder)
    path = folder / f"weights-{step:06d}.safetensors"
    write_tensors(path, tensors)
    _prune(folder, WEIGHTS, step, keep)
    return path


def average(folder: Path, last: int) -> Tensors | None:
    """The mean of the newest `last` candidates; None of fewer than two.

    Summed in double precision, one file at a time. What is no floating-point number is the newest's.
    """
    chosen = listed(folder, WEIGHTS)[:last]
    if len(chosen) < 2:
        return None
    newest = read_tensors(chosen[0])
    floating = {name: tensor for name, tensor in newest.items() if tensor.is_floating_point()}
    sums = {name: tensor.to(torch.float64, copy=True) for name, tensor in floating.items()}
    for path in chosen[1:]:
        tensors = read_tensors(path)
        for name, total in sums.items():
            total += tensors[name]
    return {
        **newest,
        **{name: (total / len(chosen)).to(floating[name].dtype) for name, total in sums.items()},
    }


def listed(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """States or weights, newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    return sorted(found, key=lambda path: (step_of(path), path.name), reverse=True)


def step_of(path: Path) -> int:
    """The step that a state or weights are of, by their name."""
    return int(re.sub(r"\D", "", path.name))


def _read(path: Path) -> State:
    """One state, every bit of it compared with the sum that was taken when it was written."""
    try:
        told = json.loads((path / FACTS).read_bytes())
        step, digest, facts = int(told["step"]), str(told["sha256"]), dict(told["facts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            given=f"it cannot be read ({error})",
            allowed="a whole state",
            mend="copying it again",
            where=str(path / FACTS),
        ) from error
    # cloned: the file may be deleted while these are in use, which a memory map on a network does not survive
    tensors = {name: tensor.clone() for name, tensor in read_tensors(path / TENSORS).items()}
    if hash_file(path / TENSORS) != digest:
        raise CheckpointError(
            given="its content is not what was written",
            allowed=f"the sum that {FACTS} tells",
            mend="copying it again",
            where=str(path / TENSORS),
        )
    return State(step, tensors, facts)


def _settle(place: Path) -> None:
    """Let the second state of a step take the name of the first. A kill in between leaves the second."""
    if (second := _second(place)).exists():
        if place.exists():
            discard(place)
        os.rename(second, place)


def _second(place: Path) -> Path:
    return place.with_name(place.name + "+")


def _prune(folder: Path, pattern: re.Pattern[str], step: int, keep: int | None) -> None:
    """Delete what is later than `step`, and all but the newest `keep` of the rest."""
    found = listed(folder, pattern)
    rest = [path for path in found if step_of(path) <= step]
    for path in found[: len(found) - len(rest)] + ([] if keep is None else rest[max(1, keep) :]):
        discard(path)
