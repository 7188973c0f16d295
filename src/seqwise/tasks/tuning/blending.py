"""Weights between two models: what one has learnt, and what the other still knows. Wortsman et al. 2022 (WiSE-FT).

    w = (1 - alpha) w_base + alpha w_tuned

Of both models in fp32, tensor by tensor; an adapter is merged before. What the base does not have, a head for labels
that was drawn for the tuned one, is taken as it is. Left out: averages of more than two (Wortsman et al. 2022, soups).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seqwise.checkpoints import export, heads, hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.families import flat
from seqwise.checkpoints.run import RunFolder
from seqwise.errors import ConfigError
from seqwise.models.architecture import TransformerSettings
from seqwise.tasks.opening import open_own
from seqwise.tasks.pretrained import Opened, is_run, open_pretrained
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.bases import HEAD
from seqwise.tasks.tuning.handing_on import is_own, whole, write_small
from seqwise.tasks.tuning.stored import BASE, is_tuned


@dataclass(frozen=True)
class Opening:
    """A model to blend."""

    name: str
    model: nn.Module
    opened: Opened | None
    """None of a run of ours that translates or summarizes."""
    run: RunFolder | None
    """Where settings and vocabularies lie, of a run of ours."""
    translator: Translator | None = None
    fresh: tuple[str, ...] = ()
    """Weights of a head that the model does not have, and which were drawn for the comparison."""


def open_for_blending(model: str, like: Opening | None = None) -> Opening:
    """A checkpoint, a run or a tuned run, in fp32 on the processor; `like`: whose head a checkpoint is given."""
    if is_tuned(model):
        found, _ = whole(Path(model), torch.float32)
        run = RunFolder(Path(model) / BASE) if is_own(Path(model)) else None
        if isinstance(found, Opened):
            return Opening(model, found.model, found, run)
        return Opening(model, _only(found), None, run, found)
    if is_run(model):
        own = open_own(model, "cpu", "fp32")
        if own is not None:
            return Opening(model, own.opened.model, own.opened, RunFolder.open(model), fresh=_unlike(own.opened, like))
        translator, _ = open_translator([model], "cpu", "fp32")
        return Opening(model, _only(translator), None, RunFolder.open(model), translator)
    if like is not None and like.opened is not None and like.opened.checkpoint.head.task == "labels":
        checkpoint = hub.open_checkpoint(locate(model))
        wanted = heads.labelled(checkpoint, like.opened.checkpoint.labels)
        body, fresh = heads.load(checkpoint, wanted, torch.float32)
        return Opening(model, body, None, None, None, fresh)
    opened = open_pretrained(model, None, "cpu", "fp32")
    return Opening(model, opened.model, opened, None)


def _unlike(opened: Opened, like: Opening | None) -> tuple[str, ...]:
    """The weights of the head, where it names other labels than that of the tuned model: there is nothing between."""
    if like is None or like.opened is None or opened.checkpoint.labels == like.opened.checkpoint.labels:
        return ()
    return tuple(name for name, _ in opened.model.named_parameters() if name.startswith(f"{HEAD}."))


def _only(translator: Translator) -> nn.Module:
    return translator.models[0]


def both(base: Opening, tuned: Opening) -> dict[str, tuple[Tensor | None, Tensor]]:
    """Each weight of the tuned model, with that of the base; refused where the two are not of one make.

    A head that shares a table in the base, and was trained whole since, lies between that table and itself.
    """
    _must_compute_alike(base, tuned)
    _must_share(base, tuned)
    every = base.model.named_parameters(remove_duplicate=False)
    theirs = {name: weight.detach().float() for name, weight in every}
    ours = {name: weight.detach().float().clone() for name, weight in tuned.model.named_parameters()}  # `put` writes
    found: dict[str, tuple[Tensor | None, Tensor]] = {}
    for name, weight in ours.items():
        there = theirs.get(name)
        if name not in base.fresh and (there is None or there.shape != weight.shape):
            shape = "no such weight" if there is None else f"{list(there.shape)}"
            raise _of_two_makes(
                f"{name} of shape {list(weight.shape)} in {tuned.name}, and {shape} in {base.name}", tuned
            )
        found[name] = None if name in base.fresh else there, weight
    _must_be_all(theirs, tuned, base.name)
    if all(one is None or torch.equal(one, other) for one, other in found.values()):
        raise ConfigError(f"{base.name} and {tuned.name} with the same weights", "two different models", "another one")
    return found


def _of_two_makes(given: str, tuned: Opening) -> ConfigError:
    mend = f"seqwise blend BASE {tuned.name}, with the model that it was tuned from first"
    return ConfigError(given, "two models of one make, one tuned from the other", mend)


def _must_compute_alike(base: Opening, tuned: Opening) -> None:
    """Refuse what no shape of a weight tells: other heads, norms, activations, positions."""
    both = [one.model.settings for one in (base, tuned) if hasattr(one.model, "settings")]
    if len(both) < 2 or not all(isinstance(one, TransformerSettings) for one in both):
        return
    theirs, ours = (dict(flat(one)) for one in both)
    for name in {**ours, **theirs}:
        there, here = theirs.get(name), ours.get(name)
        if there != here and "dropout" not in name and not name.startswith("embeddings."):
            raise _of_two_makes(f"{name} {here} in {tuned.name}, and {there} in {base.name}", tuned)


def _must_be_all(theirs: Mapping[str, Tensor], tuned: Opening, base: str) -> None:
    """Refuse a base with layers that the tuned model lacks; another head may have been left behind."""
    ours = {name for name, _ in tuned.model.named_parameters(remove_duplicate=False)}
    for name, weight in theirs.items():
        if name not in ours and not name.startswith(f"{HEAD}."):
            raise _of_two_makes(
                f"{name} of shape {list(weight.shape)} in {base}, and no such weight in {tuned.name}", tuned
            )


def _must_share(base: Opening, tuned: Opening) -> None:
    """Refuse a base with several weights where the tuned model has one: the one cannot lie between all of them."""
    theirs = dict(base.model.named_parameters(remove_duplicate=False))
    first: dict[int, str] = {}
    for name, weight in tuned.model.named_parameters(remove_duplicate=False):
        shared = first.setdefault(id(weight), name)
        if theirs.get(name) is not theirs.get(shared):
            raise _of_two_makes(f"{shared} and {name} are one weight in {tuned.name}, and two in {base.name}", tuned)


def blended(pairs: Mapping[str, tuple[Tensor | None, Tensor]], alpha: float) -> dict[str, Tensor]:
    """The weights at alpha: 0 the base, 1 the tuned model."""
    return {name: tuned if base is None else torch.lerp(base, tuned, alpha) for name, (base, tuned) in pairs.items()}


def put(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Into the model."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(weights[name])


def must_be_free(out: Path, tuned: Opening, overwrite: bool, models: Sequence[str]) -> None:
    """Refuse a folder that `write` would refuse, or that one of the models lies in, before models are scored."""
    place = out.resolve()
    for model in map(Path, models):
        if model.is_dir() and (place == model.resolve() or place in model.resolve().parents):
            raise ConfigError(f"--out {out}, where {model} lies", "another folder", f"--out {out}-blended")
    if tuned.opened is not None and tuned.run is None:
        export.must_be_free(out, tuned.opened.checkpoint.folder, overwrite)
    else:
        RunFolder.must_be_free(out, overwrite)


def write(out: Path, tuned: Opening, overwrite: bool, alphas: Sequence[float]) -> None:
    """The model as it stands, in the format of the tuned one: a hub folder, or a run."""
    if tuned.opened is not None and tuned.run is None:
        checkpoint = tuned.opened.checkpoint
        with export.fresh_folder(out, checkpoint.folder, overwrite) as folder:
            export.write_weights(folder, tuned.opened.model, checkpoint, torch.float32)
            export.write_config(folder, checkpoint, torch.float32)
            export.copy_files(checkpoint.folder, folder)
        return
    if tuned.run is None:
        raise TypeError("a run of ours has a folder")
    known = tuned.opened.checkpoint if tuned.opened is not None else None
    labels = known.labels if known is not None and known.head.task == "labels" else ()
    with RunFolder.fresh(out, overwrite) as made:
        write_small(tuned.run, made, tuned.model, labels)
        made.save_model(dict(tuned.model.named_parameters()), {"blended": " ".join(map(str, alphas))})
        made.save_signature({"blended": list(alphas), "tuned": tuned.name, "data": {}})
