"""Low-rank adaptation: a small pair of matrices beside each frozen weight is trained instead of the weight.

    y = x W^T + s (x A^T) B^T           Hu et al. 2022; s = alpha / rank
    s = alpha / sqrt(rank)              rsLoRA, Kalajdzievski 2023
    length and direction by themselves  DoRA, Liu et al. 2024

    attach(model, settings)             all else is frozen; more adapters may follow on the same weights
    select(model, "law")                which of them answers; None: the model as it was
    merge(model)                        the adapter goes into the weights: as fast as without, and plain again
    detach(model)                       the model as it was

The products themselves stand in `lora_layers.py` and `lora_lstm.py`; which names mean which weights in
`lora_targets.py`; adapters as files of others in `seqwise.checkpoints.adapters`.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from seqwise.errors import ConfigError, nearest
from seqwise.models.lora_layers import LoraLinear
from seqwise.models.lora_lstm import LoraLSTM
from seqwise.models.lora_pairs import Part
from seqwise.models.lora_targets import LoraSettings, Plan, plan

__all__ = [
    "LoraSettings",
    "Merged",
    "Part",
    "adapters",
    "attach",
    "detach",
    "install",
    "layers",
    "merge",
    "select",
    "selected",
    "settings_of",
    "trained",
    "whole",
]

REGISTRY = "lora"
"""Name of the part of a model that knows of its adapters."""


class Whole(nn.Module):
    """A module that adapters train whole: as it was, and a copy for each."""

    def __init__(self, original: nn.Module, places: tuple[str, ...]) -> None:
        super().__init__()
        self.original = original
        self.places = places
        self.copies = nn.ModuleDict()


class Adapters(nn.Module):
    """What a model knows of its adapters."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, LoraSettings] = {}
        self.active: str | None = None
        self.wholes = nn.ModuleList()

    def each(self) -> list[Whole]:
        """The modules that are trained whole."""
        return [one for one in self.wholes if isinstance(one, Whole)]


@dataclass(frozen=True)
class Merged:
    """What merging did."""

    adapter: str
    weights: int
    """How many got the adapter."""
    error: float
    """Greatest difference between a weight as it is stored now and the exact sum, for the type that it is stored in."""
    untied: tuple[str, ...] = ()
    """Modules that were trained whole and shared a weight with another before: they do so no longer, whatever the
    config of a checkpoint says (`tie_word_embeddings`)."""


def attach(
    model: nn.Module,
    settings: LoraSettings,
    parts: Mapping[str, tuple[Part, ...]] | None = None,
    adapter: str = "default",
) -> tuple[str, ...]:
    """Put an adapter on a model, freeze all else, and let it answer. What it answers is the same until it is trained.

    parts   which rows of our weights are which module of the hub's, where the model comes from there
    Returns the names of the parts that are adapted.
    """
    found = list(settings.faults())
    if found:
        raise ConfigError.of(found)
    _check_name(adapter, adapters(model))
    with selected(model, None):
        planned = plan(model, settings, parts or {})
    return install(model, settings, planned, adapter)


def install(model: nn.Module, settings: LoraSettings, planned: Plan, adapter: str) -> tuple[str, ...]:
    """`attach` where it is known already what the settings mean for each weight."""
    _check_name(adapter, adapters(model))
    select(model, None)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for name, slots in planned.slots.items():
        target = _adaptable(model, name)
        target.add(adapter, slots, settings.dropout, settings.dora)
    registry = _registry(model, make=True)
    registry.settings[adapter] = settings
    _copy_whole(model, registry, planned, adapter)
    select(model, adapter)
    return tuple(slot.part.name for slots in planned.slots.values() for slot in slots)


def _check_name(adapter: str, known: tuple[str, ...]) -> None:
    if adapter in known:
        raise ConfigError(f"a second adapter named {adapter!r}", "a name for each", f"{adapter}-2")
    if not adapter or "." in adapter or hasattr(nn.ModuleDict(), adapter):
        allowed = "a word without dots that no module of torch has for itself"
        raise ConfigError(f"an adapter named {adapter!r}", allowed, f"{adapter.replace('.', '-') or 'adapter'}-1")


def _adaptable(model: nn.Module, name: str) -> LoraLinear | LoraLSTM:
    """The module of that name, ready to take adapters."""
    target = model.get_submodule(name)
    if isinstance(target, LoraLinear | LoraLSTM):
        return target
    made = LoraLSTM(target) if isinstance(target, nn.LSTM) else LoraLinear(target)
    made.train(target.training)
    _put(model, name, made)
    return made


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


def _registry(model: nn.Module, make: bool = False) -> Adapters:
    found = model._modules.get(REGISTRY)
    if isinstance(found, Adapters):
        return found
    made = Adapters()
    if make:
        model.add_module(REGISTRY, made)
    return made


def _copy_whole(model: nn.Module, registry: Adapters, planned: Plan, adapter: str) -> None:
    for name in planned.whole:
        original = model.get_submodule(name)
        kept = next((one for one in registry.each() if one.original is original), None)
        if kept is None:
            places = tuple(place for place, one in model.named_modules(remove_duplicate=False) if one is original)
            for other in registry.each():
                if any(_overlap(place, far) for place in places for far in other.places):
                    raise ConfigError(
                        f"{name} trained whole beside {other.places[0]} of another adapter",
                        "the same modules in all adapters of a model, or others",
                        f"--lora.also {other.places[0]}",
                    )
            kept = Whole(original, places)
            registry.wholes.append(kept)
        made = copy.deepcopy(original)
        kept.copies[adapter] = made.requires_grad_(True)


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def layers(model: nn.Module) -> list[tuple[str, LoraLinear | LoraLSTM]]:
    """The weights with adapters on them, by name."""
    return [(name, part) for name, part in model.named_modules() if isinstance(part, LoraLinear | LoraLSTM)]


def adapters(model: nn.Module) -> tuple[str, ...]:
    """The names of the adapters that are attached, in order."""
    return tuple(_registry(model).settings)


def settings_of(model: nn.Module, adapter: str) -> LoraSettings:
    """What an adapter was attached with."""
    return _registry(model).settings[_known(model, adapter)]


def whole(model: nn.Module, adapter: str) -> dict[str, nn.Module]:
    """The modules that an adapter trains whole, by the names that they have in the model."""
    registry = _registry(model)
    return {one.places[0]: one.copies[adapter] for one in registry.each() if adapter in one.copies}


def _known(model: nn.Module, adapter: str) -> str:
    names = adapters(model)
    if adapter not in names:
        close = nearest(adapter, names)
        raise ConfigError(
            f"the adapter {adapter!r}",
            "one of " + ", ".join(names) if names else "a model with adapters",
            close or "attach, or the name of one that is attached",
        )
    return adapter


def select(model: nn.Module, adapter: str | None) -> None:
    """Let one of the adapters answer from now on; None: none of them, the model as it was. Nothing is loaded."""
    if adapter is not None:
        _known(model, adapter)
    registry = _registry(model)
    registry.active = adapter
    for _, layer in layers(model):
        layer.active = adapter
    for one in registry.each():
        answers = one.original if adapter is None or adapter not in one.copies else one.copies[adapter]
        answers.train(model.training)
        for place in one.places:
            _put(model, place, answers)


@contextmanager
def selected(model: nn.Module, adapter: str | None) -> Iterator[None]:
    """Let one of the adapters answer for a while: one call, one request. Not for two threads at a time."""
    before = _registry(model).active
    select(model, adapter)
    try:
        yield
    finally:
        select(model, before)


def trained(model: nn.Module, adapter: str = "default") -> tuple[str, ...]:
    """Names of the parameters that belong to an adapter, as the model has them while it answers."""
    _known(model, adapter)
    pairs = [
        f"{name}.{one}"
        for name, layer in layers(model)
        for one, _ in layer.named_parameters()
        if one.startswith((f"lora_a.{adapter}.", f"lora_b.{adapter}.", f"lora_magnitude.{adapter}."))
    ]
    return (*pairs, *(f"{place}.{one}" for place, part in whole(model, adapter).items() for one in _names(part)))


def _names(part: nn.Module) -> list[str]:
    return [name for name, _ in part.named_parameters()]


def merge(model: nn.Module, adapter: str | None = None, dtype: torch.dtype | None = None) -> Merged:
    """Put an adapter into the weights, which then have their plain modules again; other adapters go.

    The weights are new tensors: a model that shares the old ones keeps them.
    adapter   the one that answers unless given
    dtype     of the weights; as they are, and what was quantized as the adapter is
    """
    chosen = _registry(model).active if adapter is None else adapter
    if chosen is None:
        raise ConfigError("merging where no adapter answers", "an adapter", "select one first")
    select(model, _known(model, chosen))
    count, error, untied = 0, 0.0, _untied(model, chosen)
    for name, layer in layers(model):
        if chosen not in layer.slots:
            _put(model, name, layer.plain())
            continue
        made, wrong = layer.joined(chosen, dtype)
        made.train(layer.training)
        _put(model, name, made)
        count, error = count + len(layer.slots[chosen]), max(error, wrong)
    del model._modules[REGISTRY]
    return Merged(chosen, count, error, untied)


def _untied(model: nn.Module, adapter: str) -> tuple[str, ...]:
    """Modules trained whole whose original shares a weight with the rest of the model."""
    rest = {id(weight) for name, weight in model.named_parameters() if not name.startswith(f"{REGISTRY}.")}
    pairs = [(one.places[0], one.original) for one in _registry(model).each() if adapter in one.copies]
    return tuple(name for name, original in pairs if any(id(weight) in rest for weight in original.parameters()))


def detach(model: nn.Module) -> None:
    """Take all adapters off: the model as it was."""
    select(model, None)
    for name, layer in layers(model):
        _put(model, name, layer.plain())
    model._modules.pop(REGISTRY, None)
