"""A tuned run as it lies on disk, and opened again: the base, and on it what was trained.

    config.yaml            the settings
    base.json              what was tuned: where it lies, the hashes of its weights, the labels
    base/                  its small files: config.json and tokenizer, or the settings and vocabularies of a run
    model.safetensors      the weights that were trained, under our names
    adapter/               the same in PEFT's layout, once the run has ended (LoRA and QLoRA)
    before.json            what base and rivals answered before
    outcome.json           what came of it
    cost.json              what it took (`spending.py`)

A run in which all weights were trained needs its base no more; an adapter does, and refuses any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqwise import device as devices
from seqwise.checkpoints import adapters, export, hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.files import hash_file, make_folder
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.config import resolve
from seqwise.data import pretrained
from seqwise.decoding import Drafting, Generation
from seqwise.errors import CheckpointError, ConfigError, Fault
from seqwise.models.compact import settle
from seqwise.models.linear import instructions
from seqwise.models.lora import attach, merge
from seqwise.tasks.opening import opened_as
from seqwise.tasks.pretrained import IDS, Opened, quick
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import FACTS, differences, must_be_same, read_settings, value_of
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.bases import Base, OwnBase, PretrainedBase, open_base, own_base, weights_of, with_head
from seqwise.tasks.tuning.settings import Tune

BASE, ADAPTER = "base", "adapter"
BEFORE, OUTCOME = "before.json", "outcome.json"
FREE = ("resume", "overwrite", "out", "show_mask", "find_lr", "training.time_limit", "training.device",
        "training.shard", "evaluation.patience", "evaluation.save_every")  # fmt: skip
"""Settings that a resumed run may change: they decide how long it goes on and where, not what it computes."""


def is_tuned(model: str | Path) -> bool:
    """Whether the folder is a run of `seqwise tune`."""
    try:
        return (Path(model) / CONFIG).is_file() and (Path(model) / FACTS).is_file()
    except OSError:
        return False


@dataclass(frozen=True)
class Facts:
    """What base.json tells."""

    kind: str
    """`pretrained` or `own`."""
    place: str
    """Where the base was: a folder or a name on the hub."""
    revision: str | None
    hashes: Mapping[str, str]
    """SHA-256 of each file of weights."""
    labels: tuple[str, ...]
    complete: bool
    """Whether model.safetensors holds all weights."""
    turns: bool = False
    """Whether a text is put to the model as the first turn of a conversation, in the layout of `data.turns`."""
    single: bool = False
    """Whether a text with a tab is one text, as it learnt from no pairs; runs of ours read two there."""

    @property
    def pairs(self) -> bool:
        """Whether a checkpoint learnt labels of pairs of texts; of runs of ours nobody knows."""
        return self.kind == "pretrained" and bool(self.labels) and not self.single

    @classmethod
    def of(cls, told: Mapping[str, Any], where: Path) -> "Facts":
        """As read from JSON."""
        try:
            return cls(
                str(told["kind"]), str(told["place"]), told["revision"], dict(told["hashes"]), tuple(told["labels"]),
                bool(told["complete"]), bool(told.get("turns")), bool(told.get("single", told["kind"] == "pretrained")),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                given=f"{where} without {error}",
                allowed="the file that seqwise tune wrote",
                mend="copying the whole run folder again",
            ) from None


def write_base(
    folder: RunFolder,
    base: Base,
    settings: Tune,
    labels: Sequence[str],
    hashes: Mapping[str, str],
    turns: bool,
    single: bool,
) -> None:
    """The facts of the base and its small files."""
    own = isinstance(base, OwnBase)
    complete = settings.method == "full" and all(weight.requires_grad for weight in base.model.parameters())
    folder.write_json(
        FACTS,
        {
            "kind": "own" if own else "pretrained",
            "place": _whereabouts(settings.base),
            "revision": settings.revision,
            "hashes": dict(hashes),
            "labels": list(labels),
            "complete": complete,
            "turns": turns,
            "single": single,
        },
    )
    small = folder.path / BASE
    make_folder(small)
    if isinstance(base, OwnBase):
        RunFolder(small).save_config(base.folder.load_config())
        base.vocabularies.save(small)
        return
    checkpoint = base.opened.checkpoint
    export.write_config(small, checkpoint, checkpoint.dtype)
    export.copy_files(checkpoint.folder, small)


def _whereabouts(base: str) -> str:
    """Its folder, wherever the next command is given; or its name on the hub."""
    place = Path(base)
    return str(place.absolute()) if place.exists() else base


def read_facts(folder: RunFolder) -> Facts:
    """The inverse."""
    return Facts.of(folder.read_json(FACTS), folder.path / FACTS)


def read_tune(folder: RunFolder) -> Tune:
    """The settings that the run was tuned with."""
    return resolve(Tune, folder.path / CONFIG, ())


def same_run(given: Tune, stored: Tune) -> None:
    """Refuse to resume a run with settings under which it would have become another one."""
    changed = [name for name in differences(given, stored) if not name.startswith(FREE)]
    if changed:
        raise ConfigError.of(
            [
                Fault(
                    f"{name} is {value_of(given, name)!r} but was {value_of(stored, name)!r}",
                    "the settings of the run that is resumed",
                    f"seqwise tune {Path(given.out) / CONFIG} --resume",
                )
                for name in changed
            ]
        )


def same_data(given: Tune, folder: RunFolder) -> None:
    """Refuse to resume on files whose content has changed: the place in the data would mean other examples."""
    must_be_same((*given.train, *given.valid, *given.test, *given.guard.replay), folder)


def must_be(files: Sequence[Path], facts: Facts) -> None:
    """Refuse weights that are not those that were tuned."""
    for path in files:
        if facts.hashes.get(path.name) != hash_file(path):
            raise _other_base(path, facts)


def _other_base(path: Path, facts: Facts) -> CheckpointError:
    return CheckpointError(
        given=f"{path} is not what the run was tuned on",
        allowed="the very weights that it learnt to correct",
        mend=f"the model that {facts.place} was then, or tuning anew",
    )


def open_tuned(
    run: str | Path, where: str = "auto", precision: devices.Precision = "auto", merged: bool = True
) -> Opened | tuple[Translator, Train]:
    """A tuned checkpoint, or a tuned translator of ours with the settings of its base.

    merged   whether LoRA goes into the weights; that of QLoRA never does, since it would no longer fit into four bits
    """
    folder = RunFolder.open(run)
    settings, facts = read_tune(folder), read_facts(folder)
    device = devices.pick(where)
    weights = folder.load_model()
    settings = replace(settings, training=replace(settings.training, device=str(device)))  # not where it was tuned
    if facts.kind == "own":
        return _own(folder, settings, facts, weights, device, precision)
    checkpoint = hub.open_checkpoint(folder.path / BASE)
    ids = {key: checkpoint.generation[key] for key in IDS if key in checkpoint.generation}
    words = pretrained.load(checkpoint.folder, {**checkpoint.config, **ids})
    chosen = devices.resolved(precision, device)
    if settings.method == "qlora" and chosen == "int8":
        four = f"--precision int8 on {folder.path}, whose base is in four bits"
        raise ConfigError(four, "fp32 or bf16", "--precision fp32, or a merged model")
    if facts.complete:
        model: nn.Module = hub.empty(checkpoint)
        _allocate(model, device)
    else:
        base = _reopened(settings, facts)
        model = base.model
        if settings.method != "full":
            attach(model, with_head(settings.lora, model), base.parts())
    _load(model, weights, folder, whole=facts.complete)
    if settings.method == "lora" and merged:
        merge(model)
    narrow = chosen == "bf16" and (device.type != "cpu" or instructions())
    dtype = torch.bfloat16 if narrow else torch.float32
    model = model.to(device, dtype).eval()
    if settings.method != "full" and not (settings.method == "lora" and merged):
        quick(model, dtype)
        return Opened(checkpoint, model, words, device)  # type: ignore[arg-type]
    return Opened(checkpoint, settle(model, chosen), words, device)  # type: ignore[arg-type]


def _reopened(settings: Tune, facts: Facts) -> PretrainedBase:
    """The base where it was, or where it is now; it must be the same."""
    place = facts.place
    try:
        found = hub.open_checkpoint(locate(place, None if Path(place).is_dir() else facts.revision))
    except CheckpointError as error:
        raise CheckpointError(
            given=f"no base {place} any more ({error.faults[0].given})",
            allowed="the model that the adapter belongs to, where it was",
            mend="bringing it back, or seqwise export RUN --to merged before it goes",
        ) from None
    must_be(weights_of(found.folder), facts)
    kept = replace(settings, base=str(found.folder), revision=None)
    if settings.method == "lora":  # merged exactly, then rounded once
        kept = replace(kept, training=replace(settings.training, precision="fp32", device="cpu"))
    base = open_base(kept, facts.labels, settings.training.seed)
    if not isinstance(base, PretrainedBase):
        raise CheckpointError(f"{place}, which is a run now", "the checkpoint that was tuned", "tuning anew")
    return base


def _own(
    folder: RunFolder,
    settings: Tune,
    facts: Facts,
    weights: Mapping[str, Tensor],
    device: torch.device,
    precision: devices.Precision,
) -> Opened | tuple[Translator, Train]:
    """Of a run of ours."""
    small = RunFolder(folder.path / BASE)
    base: Base = own_base(small, facts.labels, device)
    if not facts.complete:
        base = open_base(replace(settings, base=facts.place), facts.labels, settings.training.seed)
        must_be(base.files(), facts)
    if not isinstance(base, OwnBase):
        raise CheckpointError(f"{facts.place}, which is no run any more", "the run that was tuned", "tuning anew")
    if settings.method != "full":
        attach(base.model, with_head(settings.lora, base.model), None)
    _load(base.model, weights, folder, whole=facts.complete)
    if settings.method != "full":
        merge(base.model)
    chosen = devices.resolved(precision, device)
    narrow = chosen == "bf16" and (device.type != "cpu" or instructions())
    model = settle(base.model.to(device, torch.bfloat16 if narrow else torch.float32).eval(), chosen)
    if base.opened is None:
        return Translator([model], base.vocabularies), base.settings  # type: ignore[list-item]
    return opened_as(model, small, base.settings, base.vocabularies, facts.labels, device)


def usual_generation(folder: RunFolder) -> Generation | None:
    """How a tuned run writes unless told otherwise: as it was asked to, or as the run of ours that it was made from;
    None where its checkpoint tells."""
    asked = read_tune(folder).generation
    if asked is not None or read_facts(folder).kind != "own":
        return asked
    made = read_settings(RunFolder(folder.path / BASE))
    if made.task == "generate" and read_tune(folder).task != "generate":  # what rewrites searches, and does not sample
        return replace(made.generation, beams=Generation.beams, temperature=0.0, drafting=Drafting())
    return made.generation


def longest_learnt(folder: RunFolder) -> int | None:
    """Tokens of a prompt and its answer that a run learnt from at most; None: what its model reads."""
    asked, small = read_tune(folder).examples.longest, RunFolder(folder.path / BASE)
    if asked is not None or read_facts(folder).kind != "own":
        return asked
    made = read_settings(small)
    return made.generate.context + 1 if made.task == "generate" else None


def _load(model: nn.Module, weights: Mapping[str, Tensor], folder: RunFolder, whole: bool) -> None:
    """What was trained, into the model: each must have its place there, in the same shape; `whole`: and none lacks."""
    wanted = dict(model.named_parameters(remove_duplicate=False))
    wrong = sorted(name for name, value in weights.items() if name not in wanted or wanted[name].shape != value.shape)
    lacking = {name for name, _ in model.named_parameters()} - weights.keys() if whole else set()
    if wrong := [*wrong, *sorted(lacking)]:
        raise CheckpointError(
            given=f"{folder.path}: the weights do not fit its base, first {wrong[0]}",
            allowed="the weights that belong to its settings and its base",
            mend="copying the whole run folder again, or tuning anew",
        )
    with torch.no_grad():
        for name, value in weights.items():
            wanted[name].copy_(value)


def _allocate(model: nn.Module, device: torch.device) -> None:
    """Memory for the weights of a model that has none, shared where they are (`to_empty` would part them). Buffers
    hold no numbers that were read."""
    for owners in hub.places(model).values():
        module, leaf = owners[0]
        made = nn.Parameter(torch.empty_like(getattr(module, leaf), device=device))
        for module, leaf in owners:
            setattr(module, leaf, made)
    for module in model.modules():
        for leaf, buffer in module.named_buffers(recurse=False):
            setattr(module, leaf, torch.zeros(buffer.shape, dtype=buffer.dtype, device=device))


def write_adapter(folder: RunFolder, base: PretrainedBase, settings: Tune, weights: Mapping[str, Tensor]) -> None:
    """The adapter in PEFT's layout, beside our own file."""
    place = folder.path / ADAPTER
    make_folder(place)
    named = _whereabouts(settings.base)
    adapters.save(place, base.opened.model, base.opened.checkpoint, base=named, weights=weights)
