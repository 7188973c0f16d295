"""looks.safetensors: what each look at the validation part found of each item, so that two looks are compared in pairs.

    Looks      the content of the file
    Recorder   a reader of events that writes it, whole or not at all, at each look
    read       the inverse

    steps           (K,)     of the looks, each once: a second look at a step is at averaged weights and left out
    nats            (K, N)   of each validation item, summed over its targets
    targets         (N,)     how many count, the same at every look
    train_nats      (M,)     of the training items that are looked at, at the last look alone
    train_targets   (M,)
    counts          (2,)     validation and training items in all, of which N and M are kept

At most `ITEMS` items are kept, drawn by chance, the same ones at each look; and `NUMBERS` numbers in all: where more
looks come, every second item is left out, down to `FEWEST`, beyond which further looks are lost. A look adds no pass
over the data. Whoever resumes a run goes on with the looks up to that step.

Left out: what the numbers say (`seqwise weigh`), and forecasters, whose windows overlap and are no items.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from seqwise.checkpoints.run import LOOKS, RunFolder
from seqwise.checkpoints.tensors import Tensors, read_tensors
from seqwise.errors import CheckpointError
from seqwise.training.events import Evaluated, Event, ItemLosses

# K looks, N validation items that are kept, M training items

ITEMS = 2000
NUMBERS = 1_000_000  # nats of all looks together: 4 MB
FEWEST = 100  # items; of a run with more looks than so many allow, the last ones are not kept
LARGEST = 16_000_000  # bytes of a file; a larger one is not ours

MEND = "copying the run folder again, or deleting this file: means of looks are then all that is known"
SHAPES = {"steps": 1, "nats": 2, "targets": 1, "train_nats": 1, "train_targets": 1, "counts": 1}


@dataclass(frozen=True, eq=False)
class Looks:
    """What looks found, item by item."""

    steps: Int[np.ndarray, "K"]
    nats: Float[np.ndarray, "K N"]
    targets: Float[np.ndarray, "N"]
    train: ItemLosses
    """At the last look; of no items where none are looked at."""
    items: int
    """Of the validation part, in all."""
    train_items: int

    def until(self, step: int) -> "Looks":
        """Without later looks. What training items lost is of the last look, and goes with it."""
        kept = self.steps <= step
        train = self.train if kept.all() else _none()
        return replace(self, steps=self.steps[kept], nats=self.nats[kept], train=train)


class Recorder:
    """A reader of the events of a run, who writes the file."""

    def __init__(self, folder: RunFolder, resumed: int = 0) -> None:
        """resumed: the step that the run goes on from. A damaged file holds up no training: it is begun anew."""
        self.folder = folder
        try:
            self.looks = read(folder.path / LOOKS).until(resumed) if (folder.path / LOOKS).exists() else None
        except CheckpointError:
            self.looks = None

    def tell(self, event: Event) -> None:
        """Add a look."""
        if not isinstance(event, Evaluated) or event.losses is None or not len(event.losses.valid.nats):
            return
        valid, train = event.losses.valid, event.losses.train or _none()
        if self.looks is None or not len(self.looks.steps) or self.looks.items != int((valid.targets > 0).sum()):
            self.looks = _begun(valid, train)
        if event.step in self.looks.steps:
            return
        looks = _added(self.looks, event.step, valid, train)
        if len(looks.targets) < min(FEWEST, looks.items):
            return
        self.looks = looks
        self.folder.write_tensors(LOOKS, _tensors(looks))

    def close(self) -> None:
        """All is written already."""


def read(path: Path) -> Looks:
    """The content, checked: whatever the file holds, nothing of it is run, and nothing large is made of it."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"it cannot be read ({error.strerror})", "a file", MEND, str(path)) from error
    if size > LARGEST:
        raise _bad(path, f"{size:,} bytes", f"at most {LARGEST:,}")
    try:
        found = read_tensors(path)
    except CheckpointError as error:
        (told,) = error.faults
        raise _bad(path, told.given, told.allowed) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # texts beside the tensors that are no names
        raise _bad(path, f"a header that says nothing ({type(error).__name__})", "a whole safetensors file") from error
    fault = _fault(found)
    if fault:
        raise _bad(path, fault, "the losses that training wrote")
    steps, nats, targets, *train, counts = (found[name].numpy() for name in SHAPES)
    exact = [one.astype(np.float64) for one in train]
    return Looks(steps, nats.astype(np.float64), targets.astype(np.float64), ItemLosses(*exact), *map(int, counts))


def _fault(found: Tensors) -> str:
    """What is wrong with the tensors, or nothing."""
    if set(found) != set(SHAPES):
        return f"tensors {', '.join(sorted(found))[:80] or 'none'}"
    for name, dimensions in SHAPES.items():
        wanted = torch.int64 if name in ("steps", "counts") else torch.float32
        if found[name].dim() != dimensions or found[name].dtype != wanted:
            return f"{name} of shape {tuple(found[name].shape)} and type {found[name].dtype}"
    steps, nats, targets = found["steps"], found["nats"], found["targets"]
    if nats.shape != (len(steps), len(targets)) or len(found["train_nats"]) != len(found["train_targets"]):
        return f"{len(steps)} looks at {len(targets)} items, and losses of shape {tuple(nats.shape)}"
    if len(found["counts"]) != 2 or bool((steps[1:] <= steps[:-1]).any()) or bool((steps < 0).any()):
        return "looks that are not in order"
    if not all(bool(found[name].isfinite().all()) for name in ("targets", "train_targets")):
        return "numbers of targets that are not finite"
    if bool((targets <= 0).any()) or bool((found["train_targets"] <= 0).any()):
        return "items without targets"
    return ""


def _begun(valid: ItemLosses, train: ItemLosses) -> Looks:
    """No look as yet; `items` are those that have targets, for the others say nothing."""
    counted = int((valid.targets > 0).sum())
    kept = _kept(valid, min(counted, ITEMS))
    nothing = np.zeros((0, len(kept.nats)), dtype=np.float64)
    steps = np.zeros(0, dtype=np.int64)
    return Looks(steps, nothing, kept.targets, _none(), counted, int((train.targets > 0).sum()))


def _added(looks: Looks, step: int, valid: ItemLosses, train: ItemLosses) -> Looks:
    """With one look more; of fewer items where there are too many looks for so many."""
    count, room = len(looks.targets), NUMBERS // (len(looks.steps) + 1)
    order = _order(looks.items)[:count]
    while count > room:
        count //= 2
    left = np.isin(np.sort(order), order[:count])  # (N,)
    kept = _kept(valid, count)
    nats = np.concatenate([looks.nats[:, left], kept.nats[None]])
    return replace(
        looks,
        steps=np.concatenate([looks.steps, np.array([step], dtype=np.int64)]),
        nats=nats,
        targets=kept.targets,
        train=_kept(train, min(looks.train_items, ITEMS)),
    )


def _kept(losses: ItemLosses, count: int) -> ItemLosses:
    """So many of those that have targets; fewer are a part of more."""
    counted = np.flatnonzero(losses.targets > 0)
    chosen = counted[np.sort(_order(len(counted))[:count])]
    return ItemLosses(losses.nats[chosen], losses.targets[chosen])


def _order(items: int) -> Int[np.ndarray, "N"]:
    """In which items are kept."""
    return np.random.default_rng(0).permutation(items)


def _none() -> ItemLosses:
    return ItemLosses(np.zeros(0), np.zeros(0))


def _tensors(looks: Looks) -> Tensors:
    counts = np.array([looks.items, looks.train_items], dtype=np.int64)
    columns = (looks.steps, looks.nats, looks.targets, looks.train.nats, looks.train.targets, counts)
    exact = (one if one.dtype == np.int64 else one.astype(np.float32) for one in columns)
    return {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in zip(SHAPES, exact, strict=True)}


def _bad(path: Path, given: str, allowed: str) -> CheckpointError:
    return CheckpointError(given, allowed, MEND, str(path))
