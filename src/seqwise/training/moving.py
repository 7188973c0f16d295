"""Which weights move, how fast beside the others, and from when on.

    freeze, train   patterns of names: what stays as it is, what alone is trained
    layer decay     the further from the head, the smaller the steps (Howard & Ruder 2018, 3.2; Clark et al. 2020)
    thawing         the head first, then one layer more every so many epochs (Howard & Ruder 2018, 3.3)
    LoRA+           larger steps for the second matrix of an adapter (Hayou et al. 2024)

Works on names alone, so on stacks of Transformer layers and of LSTMs, encoders, decoders and both: a layer is what has
`layers.N` in its name. Where there are two stacks, their last layers are both next to the head, since every layer
of the decoder, the last one too, reads what the encoder wrote at its end. Left out: what an adapter is.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from torch import nn

from seqwise.config import Range
from seqwise.errors import ConfigError, Fault, nearest
from seqwise.training.optim import Rates

LAYER = re.compile(r"(?:(.*)\.)?layers\.(\d+)\.")
HEAD = re.compile(r"(^|\.)head\.")
BOTTOM = re.compile(r"(^|\.)(\w*embed\w*|positions|segments|relative|bridge|table)\.")  # the bridge: a decoder's start
REGULAR = "re:"


@dataclass(frozen=True)
class MovingSettings:
    """Which of the weights move, and how."""

    freeze: tuple[str, ...] = ()
    """Weights that stay as they are: names, parts of names between dots, or with * and ?, such as `embed` or
    `encoder.layers.[0-3]`; `re:` before a regular expression."""
    train: tuple[str, ...] = ()
    """Train these weights only, named in the same way, such as `head`; none: all that are not frozen."""
    layer_decay: Annotated[float, Range(0.01, 1.0)] = 1.0
    """What the learning rate of each layer is multiplied by beside that of the layer above; 1 for the head. 0.8 to
    0.95 keep more of what lies near the embeddings; 1 treats all alike."""
    unfreeze: Annotated[float, Range(0.0)] = 0.0
    """Begin with the head alone and let the next layer below join after each so many epochs; 0 trains all at once."""
    lora_plus: Annotated[float, Range(1.0, 1000.0)] = 1.0
    """How many times the learning rate of `lora_a` that of `lora_b` is; Hayou et al. 2024 find 16 good."""

    def faults(self) -> Iterator[Fault]:
        """Patterns that are none."""
        for flag, patterns in (("freeze", self.freeze), ("train", self.train)):
            for pattern in patterns:
                if pattern.startswith(REGULAR) and not _is_regular(pattern.removeprefix(REGULAR)):
                    given = f"--moving.{flag} {pattern}"
                    yield Fault(given, "a regular expression", "the name without re:, * stands for anything")


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern is of this name: of the whole, or of some of its parts between dots."""
    if pattern.startswith(REGULAR):
        return re.search(pattern.removeprefix(REGULAR), name) is not None
    return fnmatchcase(f".{name}.", f"*.{pattern.strip('.')}.*")


def settle(model: nn.Module, settings: MovingSettings) -> tuple[str, ...]:
    """Freeze what is not to be trained; what is frozen already, as under an adapter, stays so. Names of the trained."""
    names = [name for name, _ in model.named_parameters()]
    for flag, patterns in (("freeze", settings.freeze), ("train", settings.train)):
        for pattern in patterns:
            if not any(matches(name, pattern) for name in names):
                raise _unknown(flag, pattern, names)
    for name, weight in model.named_parameters():
        kept = not settings.train or any(matches(name, pattern) for pattern in settings.train)
        if not kept or any(matches(name, pattern) for pattern in settings.freeze):
            weight.requires_grad_(False)
    trained = tuple(name for name, weight in model.named_parameters() if weight.requires_grad)
    if not trained:
        given = " ".join(
            ["--moving.freeze", *settings.freeze] if settings.freeze else ["--moving.train", *settings.train]
        )
        raise ConfigError(f"{given} leaves nothing to train", "a weight that moves", "narrower patterns")
    return trained


def depth(name: str, names: Iterable[str]) -> int:
    """How far a weight is from the answer: 0 for the head, 1 for the last layers, most for the embeddings.

    names   all weights of the model, which tell how many layers there are
    """
    return _depth(name, _stacks(names))


def rates(settings: MovingSettings, names: Iterable[str]) -> Rates:
    """Of each weight, what its learning rate is multiplied by."""
    stacks = _stacks(names)

    def share(name: str) -> float:
        plus = settings.lora_plus if "lora_b" in name.lower() else 1.0
        return plus * settings.layer_decay ** _depth(name, stacks)

    return share


@dataclass(frozen=True)
class Thawing:
    """When each weight joins: a function of the place in the data alone, so a resumed run needs no memory of it."""

    groups: tuple[frozenset[str], ...]
    """Names of the weights, the head's first, the embeddings' last."""
    epochs: float
    """After how many the next group joins."""

    @classmethod
    def of(cls, trained: Iterable[str], names: Iterable[str], epochs: float) -> "Thawing | None":
        """Of the trained weights, group by group from the head down; None where all are trained from the start."""
        if not epochs:
            return None
        stacks = _stacks(names)
        found: dict[int, set[str]] = {}
        for name in trained:
            found.setdefault(_depth(name, stacks), set()).add(name)
        return cls(tuple(frozenset(found[d]) for d in sorted(found)), epochs)

    def joined(self, passed: float) -> int:
        """How many groups take part after so many epochs."""
        return min(len(self.groups), 1 + int(passed / self.epochs + 1e-9))

    def held(self, passed: float) -> frozenset[str]:
        """Weights that still wait."""
        return frozenset().union(*self.groups[self.joined(passed) :])


def _stacks(names: Iterable[str]) -> dict[str, int]:
    """Layers of each stack, by what stands before `layers` in the names."""
    found: dict[str, int] = {}
    for name in names:
        if layer := LAYER.match(name):
            stack = layer[1] or ""
            found[stack] = max(found.get(stack, 0), int(layer[2]) + 1)
    return found


def _depth(name: str, stacks: dict[str, int]) -> int:
    layer = LAYER.match(name)
    if HEAD.search(name):
        return 0
    if layer:
        return stacks[layer[1] or ""] - int(layer[2])
    return 1 + max(stacks.values(), default=0) if BOTTOM.search(name) else 0


def _is_regular(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _unknown(flag: str, pattern: str, names: Iterable[str]) -> ConfigError:
    parts = {".".join(run) for name in names for run in _runs(name.split("."))}
    close = nearest(pattern, parts)
    return ConfigError(
        f"--moving.{flag} {pattern} matches no weight",
        "the name of one, or parts of it between dots",
        close or "one of " + ", ".join(sorted({name.split(".")[0] for name in names})),
    )


def _runs(parts: list[str]) -> Iterator[list[str]]:
    """All that stands together."""
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            yield parts[first:last]
