"""The head for labels that an adapter brings along: PEFT trains it whole, and its base may have none, or another.

    labels_of(folder, checkpoint)          how many labels there are, and what they are called
    must_be_whole(folder, model, fresh)    no weight of the head is one that was drawn just now

PEFT's config has no names of labels. They are taken from `id2label` where somebody wrote it there, or into a
config.json beside it; else from the checkpoint, where that has as many; else they are LABEL_0, LABEL_1 ..., as
transformers has it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch import nn

from seqwise.checkpoints import adapters, heads, hub
from seqwise.checkpoints.adapter_config import CONFIG, TASKS, TENSORS, described
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.names import pieces
from seqwise.errors import CheckpointError
from seqwise.models import lora
from seqwise.models.heads import Labels

OUT = "head.out.weight"
"""Our name of the weight that has a row for each label."""


Labelling = Literal["labels", "token labels"]


def task_of(folder: Path) -> Labelling | None:
    """What an adapter in PEFT's layout names: a text, or each of its tokens; None: nothing."""
    told = described(folder).task
    found: tuple[Labelling, ...] = ("labels", "token labels")
    return next((task for task in found if TASKS[task] == told), None)


def labels_of(folder: Path, checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """The labels that an adapter in PEFT's layout tells apart; None where it brings no head for them."""
    task = task_of(folder)
    if task is None:
        return None
    wanted = heads.labelled(checkpoint, unnamed(2), task)
    table = pieces(wanted.family, wanted.head, hub.empty(wanted), wanted.family.prefix)
    stored = adapters.read(folder / TENSORS)
    rows = [stored.get(adapters.PREFIX + piece.written[0]) for piece in table[OUT]]
    if len(rows) != 1 or rows[0] is None or rows[0].ndim != 2:
        return None
    count = len(rows[0])
    named = _told(folder / CONFIG, count) or _told(folder / hub.CONFIG, count)
    if named is None and checkpoint.head.task == task and len(checkpoint.labels) == count:
        return checkpoint.labels
    return named or unnamed(count)


def unnamed(count: int) -> tuple[str, ...]:
    """Labels that nobody gave a name."""
    return tuple(f"LABEL_{i}" for i in range(count))


def _told(path: Path, count: int) -> tuple[str, ...] | None:
    """The names of so many labels, where the file has them."""
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    found = config.get("id2label") if isinstance(config, Mapping) else None
    if not isinstance(found, Mapping) or set(found) != {str(i) for i in range(count)}:
        return None
    return tuple(str(found[str(i)]) for i in range(count))


def must_be_whole(folder: Path, model: nn.Module, fresh: Sequence[str], adapter: str) -> None:
    """Refuse an adapter under which weights of the head are left that were drawn: each call would answer otherwise."""
    whole = tuple(f"{name}." for name in lora.whole(model, adapter))
    left = [name for name in fresh if not name.startswith(whole)]
    if left or (task_of(folder) and not isinstance(getattr(model, "head", None), Labels)):
        raise CheckpointError(
            given=f"{folder} without {left[0] if left else 'a head for labels'}, which its base does not have either",
            allowed="an adapter that holds the whole head, in PEFT by modules_to_save",
            mend="training it with the modules of the head in modules_to_save, or on a base that has them",
        )
