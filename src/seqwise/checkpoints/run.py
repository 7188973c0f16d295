"""RunFolder: all that a training run leaves behind, and the one place that knows the names of its files.

    config.yaml            every setting, defaults filled in
    model.safetensors      the best weights
    tokenizer.json         and whatever else the task needs to read its input, such as labels.json
    journal.jsonl          what happened, line by line (training.journal)
    looks.safetensors      losses of the validation items at each look (training.looks)
    signature.json         versions, seed, data hashes, hardware (checkpoints.provenance)
    state/                 what training needs to go on, and weights to be averaged (checkpoints.states)
    .seqwise.lock          held by the process that trains here

Every writing is atomic (checkpoints.files); nothing is ever pickled. Left out: what the tensors and facts
mean.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from seqwise.checkpoints import states
from seqwise.checkpoints.files import (
    discard,
    filling,
    is_left_over,
    make_folder,
    move_in,
    must_be_writable,
    publishing,
    replacing,
    sweep,
)
from seqwise.checkpoints.lock import locked
from seqwise.checkpoints.states import STEP, State
from seqwise.checkpoints.tensors import Tensors, read_metadata, read_tensors, write_tensors
from seqwise.errors import CheckpointError, nearest

CONFIG = "config.yaml"
MODEL = "model.safetensors"
SIGNATURE = "signature.json"
JOURNAL = "journal.jsonl"
LOOKS = "looks.safetensors"
LOCK = ".seqwise.lock"
STATE = "state"
BEST = "best.safetensors"

MARKS = (SIGNATURE, JOURNAL, LOCK)
"""Beside `config.yaml`, one of these tells a run from any other folder with settings in it."""

OURS = frozenset(
    (
        CONFIG, MODEL, SIGNATURE, JOURNAL, LOOKS, STATE, "tokenizer.json", "tokenizer.target.json", "labels.json",
        "standardizer.json", "series.json", "calibration.json", "rivals.safetensors", "base.json", "before.json",
        "outcome.json", "cost.json", "verdict.json", "test-scores.tsv", "tensorboard",
    )
)  # fmt: skip
"""What overwriting deletes. Anything else in the folder is the user's and stays."""
OF_TUNED = frozenset(("base", "adapter"))
"""Folders that it deletes as well, where `base.json` says that the run was tuned from another model."""


class RunFolder:
    """A folder on disk. Holds no content itself; every method reads or writes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @classmethod
    def must_be_free(cls, path: str | Path, overwrite: bool = False) -> "RunFolder":
        """Refuse a folder with content, unless it is a run and may be overwritten. Changes nothing yet."""
        if str(path) == "":
            raise CheckpointError('--out ""', "a folder for the run", "--out runs/mine")
        folder = cls(path)
        if folder.path.exists() and not folder.path.is_dir():
            raise CheckpointError(
                given=f"{path} is a file", allowed="a folder for the run", mend="--out with another name"
            )
        if folder._has_content():
            if not overwrite:
                raise CheckpointError(
                    given=f"{path} has content",
                    allowed="an empty or a new folder",
                    mend="--resume to train on, --overwrite to begin anew, or --out with another name",
                )
            if not folder.is_run():
                raise CheckpointError(
                    given=f"{path} has content and is no run of Seqwise",
                    allowed=f"a folder with {CONFIG} and {SIGNATURE} or {JOURNAL} to overwrite",
                    mend="--out with another name; nothing was deleted",
                )
        must_be_writable(folder.path)
        return folder

    @classmethod
    def create(cls, path: str | Path, overwrite: bool = False) -> "RunFolder":
        """A folder for a new run, emptied of the old one where that may be overwritten."""
        folder = cls.must_be_free(path, overwrite)
        if folder._has_content():
            with folder.lock():
                folder._clear()
        make_folder(folder.path)
        return folder

    @classmethod
    @contextmanager
    def fresh(cls, path: str | Path, overwrite: bool = False) -> Iterator["RunFolder"]:
        """A run to be filled elsewhere, which comes to `path` once it is whole; until then an old one there stays."""
        folder = cls.must_be_free(path, overwrite)
        place = folder.path.resolve()
        if not (place.is_dir() and os.listdir(place)):
            with publishing(place) as part:
                yield cls(part)
            return
        with filling(place) as part:
            yield cls(part)
            with folder.lock():
                folder._clear()  # what is not ours stays where it is, so the folder cannot be replaced by one renaming
                move_in(part, place, CONFIG)  # without it the folder is no run, wherever the power fails

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """The folder of a run that exists."""
        folder = cls(path)
        if (folder.path / CONFIG).is_file():
            return folder
        if folder.path.is_dir() and any(folder.path.glob("*.safetensors")):
            raise CheckpointError(
                given=f"{path} has weights and neither {CONFIG} of a run nor config.json of a checkpoint",
                allowed="one of them beside the weights",
                mend="copying the whole folder from where the weights came from",
            )
        if folder.path.is_dir():
            raise CheckpointError(
                given=f"{path} is no run folder, it has no {CONFIG}",
                allowed="a folder that `seqwise train --out` made",
                mend=_meant(folder.path, _runs_in(folder.path)),
            )
        if folder.path.is_file() and (folder.path.parent / CONFIG).is_file():
            raise CheckpointError(f"{path} is a file of a run", "the folder of the run", str(folder.path.parent))
        raise CheckpointError(
            given=f"{path} is a file" if folder.path.is_file() else f"there is no folder {path}",
            allowed="the folder of a run",
            mend=_meant(folder.path, _runs_in(folder.path.parent)),
        )

    def is_run(self) -> bool:
        """Whether this is recognisably a run of Seqwise."""
        return (self.path / CONFIG).is_file() and any((self.path / mark).is_file() for mark in MARKS)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Nobody else trains here meanwhile. What a killed run left half written is swept away first."""
        make_folder(self.path)
        with locked(self.path / LOCK):
            sweep(self.path)
            sweep(self.path / STATE)
            yield

    # texts

    def write_text(self, name: str, text: str) -> None:
        """Write one file of the folder, as UTF-8."""
        content = text.encode()
        with replacing(self.path / name, len(content)) as file:
            file.write(content)

    def read_text(self, name: str) -> str:
        """The content of one file of the folder."""
        try:
            return (self.path / name).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(self.path / name, error, "text in UTF-8") from error

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write one file of the folder, for people to read as well."""
        self.write_text(name, json.dumps(content, indent=1) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """The inverse of `write_json`."""
        text = self.read_text(name)
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise _unreadable(self.path / name, error, "JSON") from error

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write one file of the folder in safetensors format."""
        write_tensors(self.path / name, tensors)

    def save_config(self, text: str) -> None:
        """The settings, as YAML."""
        self.write_text(CONFIG, text)

    def load_config(self) -> str:
        """The settings, as YAML."""
        return self.read_text(CONFIG)

    def save_signature(self, content: Mapping[str, Any]) -> None:
        """What `checkpoints.provenance` tells."""
        self.write_json(SIGNATURE, content)

    def load_signature(self) -> dict[str, Any]:
        """What `checkpoints.provenance` told."""
        return self.read_json(SIGNATURE)

    # weights

    def save_model(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
        """The weights that predict. Tied ones may come under all their names: each is stored once."""
        write_tensors(self.path / MODEL, tensors, metadata)
        return self.path / MODEL

    def load_model(self) -> Tensors:
        """The weights that predict, by the names they were given under."""
        return read_tensors(self.path / MODEL)

    def load_model_metadata(self) -> dict[str, str]:
        """What was told of the weights, such as the step they are of."""
        return read_metadata(self.path / MODEL)

    def keep_best(self) -> None:
        """Remember the weights that predict as the best of all looks, for `restore_best`."""
        make_folder(self.path / STATE)
        self._copy(self.path / MODEL, self.path / STATE / BEST)

    def restore_best(self) -> None:
        """Bring back the best weights of all looks, without what the end of an earlier call put in their place."""
        if (self.path / STATE / BEST).is_file():
            self._copy(self.path / STATE / BEST, self.path / MODEL)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with source.open("rb") as content, replacing(target, source.stat().st_size) as file:
            shutil.copyfileobj(content, file)

    def save_average_candidate(self, step: int, tensors: Mapping[str, Tensor], keep: int) -> Path:
        """Weights to be averaged at the end; the newest `keep` of them stay."""
        return states.save_candidate(self.path / STATE, step, tensors, keep)

    def average(self, last: int) -> Tensors | None:
        """The mean of the newest `last` candidates (Vaswani et al. 2017, 6.1); None of fewer than two."""
        return states.average(self.path / STATE, last)

    # state

    def save_state(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], keep: int = 1) -> Path:
        """All that training needs to go on after `step`; older states go once this one is complete."""
        return states.save(self.path / STATE, step, tensors, facts, keep)

    def load_state(self) -> State | None:
        """The newest whole state, or None before the first; its note says where a newer one is damaged."""
        return states.load(self.path / STATE)

    def newest_state(self) -> Path | None:
        """Where the newest state lies; not yet whether it is whole."""
        return next(iter(states.listed(self.path / STATE, STEP)), None)

    def newest_step(self) -> int | None:
        """The step of the newest state."""
        newest = self.newest_state()
        return None if newest is None else states.step_of(newest)

    # inside

    def _has_content(self) -> bool:
        """Whether there is more than what a run leaves that was killed before it began."""
        if not self.path.is_dir():
            return False
        return any(name != LOCK and not is_left_over(name) for name in os.listdir(self.path))

    def _clear(self) -> None:
        ours = OURS | OF_TUNED if (self.path / "base.json").is_file() else OURS
        last = ("base.json", *MARKS, CONFIG)  # of the two folders, and that this is a run: should a kill come between
        here = ours.intersection(os.listdir(self.path))
        for name in [*sorted(here.difference(last)), *(name for name in last if name in here)]:
            discard(self.path / name)


def _unreadable(path: Path, error: Exception, allowed: str) -> CheckpointError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return CheckpointError(
        given=f"it cannot be read ({reason})",
        allowed=allowed,
        mend="copying the run folder again, or training anew",
        where=str(path),
    )


def _runs_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if (path / CONFIG).is_file())
    except OSError:
        return []


def _meant(path: Path, runs: Iterable[Path]) -> str:
    """Name the run that was probably meant, or the first few there are."""
    known = {run.name: str(run) for run in runs}
    close = nearest(path.name, known)
    if close is not None:
        return known[close]
    return "one of " + ", ".join(list(known.values())[:5]) if known else "seqwise train --out " + str(path)
