"""Which weights get an adapter: names as users of other libraries know them, and ours, become parts of weights.

all              every product and LSTM but the head and the tables
q_proj           the end of a name in the hub's files; or of ours: attend.qkv, feed.up
.*\\.[0-3]\\..*    a regular expression for a whole name, of theirs or of ours
lstm             both weights of every LSTM
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import nn

from seqwise.config import Range
from seqwise.errors import ConfigError, Fault, nearest
from seqwise.models.lora_layers import LoraLinear
from seqwise.models.lora_lstm import parts_of
from seqwise.models.lora_pairs import Part, Quantized, Slot

EVERYTHING = ("all", "all-linear")
HEAD = "head"
PLAIN = re.compile(r"[\w.]+")
"""A name, and no regular expression for several."""


@dataclass(frozen=True)
class LoraSettings:
    """A low-rank adapter: its size, and the weights that it is put on."""

    rank: Annotated[int, Range(1)] = 16
    """Rank of the change of each weight. 16 learns what a few thousand texts teach; more for more (Schulman 2025),
    and costs time and memory in proportion, which are small."""
    alpha: Annotated[float, Range(0.0)] = 32.0
    """The change is multiplied by alpha / rank: twice the rank, as Biderman et al. 2024 found best."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """Dropout on what the adapter reads; a help on very few texts. Not for an LSTM, which has its own."""
    rslora: bool = False
    """Multiply by alpha / sqrt(rank) instead (Kalajdzievski 2023), so that a high rank learns as fast as a low one."""
    dora: bool = False
    """Learn length and direction of each row by themselves (Liu et al. 2024): often better at low ranks, and
    slower: a pass more over each answer, and two over its gradient."""
    targets: tuple[str, ...] = ("all",)
    """Weights that are adapted: all, names such as q_proj or attend.qkv or lstm, or regular expressions. All, since
    leaving out the feed-forward network costs quality (Biderman et al. 2024)."""
    ranks: tuple[str, ...] = ()
    """Other ranks for some weights, as name=rank; the name may be a regular expression for the end of it."""
    alphas: tuple[str, ...] = ()
    """Other alphas for some weights, as name=alpha."""
    also: tuple[str, ...] = ()
    """Modules that are trained whole and belong to the adapter, such as head or classifier: a fresh head must learn."""

    def faults(self, where: str = "--lora") -> Iterator[Fault]:
        """Sizes that are none, and patterns that cannot be read. `where`: the section that the settings stand in."""
        if self.rank < 1:
            yield Fault(f"{where}.rank {self.rank}", "a rank of 1 or more", f"{where}.rank 16, or full fine-tuning")
        if not self.alpha > 0:
            yield Fault(f"{where}.alpha {self.alpha:g}", "more than 0", f"{where}.alpha {2 * max(1, self.rank)}")
        if not self.targets:
            yield Fault(f"{where}.targets without a name", "one name or more", f"{where}.targets all")
        for flag, given in (("ranks", self.ranks), ("alphas", self.alphas)):
            yield from _pattern_faults(f"{where}.{flag}", given, whole=flag == "ranks")
        for name in self.targets:
            if name not in EVERYTHING and _compiled(name) is None:
                yield Fault(f"{where}.targets {name}", "a name or a regular expression", f"{where}.targets all")


def _pattern_faults(flag: str, given: Sequence[str], whole: bool) -> Iterator[Fault]:
    kind = "a number of 1 or more" if whole else "a number above 0"
    for one in given:
        name, _, told = one.rpartition("=")
        try:
            good = int(told) >= 1 if whole else float(told) > 0
        except ValueError:
            good = False
        if not name or not good:
            yield Fault(f"{flag} {one}", f"name=number, {kind}", f"{flag} q_proj=8")
        elif _compiled(name) is None:
            yield Fault(f"{flag} {one}", "a name or a regular expression before the =", f"{flag} q_proj=8")


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None


@dataclass(frozen=True)
class Plan:
    """What an adapter is put on."""

    slots: Mapping[str, tuple[Slot, ...]]
    """Our module -> its parts that are adapted."""
    whole: tuple[str, ...]
    """Our modules that are trained whole."""


def plan(model: nn.Module, settings: LoraSettings, parts: Mapping[str, tuple[Part, ...]]) -> Plan:
    """Find what the settings name; what they name and no weight has is an error that tells the nearest name."""
    entire = tuple(_whole(model, settings.also, parts))
    candidates = {
        name: found
        for name, found in _candidates(model, parts)
        if not any(f"{name}.".startswith(f"{one}.") for one in entire)
    }
    chosen: dict[str, list[Part]] = {}
    for target in settings.targets:
        hit = False
        for name, found in candidates.items():
            for part in found:
                if not _meant(target, name, part, isinstance(model.get_submodule(name), nn.LSTM)):
                    continue
                hit = True
                if part not in chosen.setdefault(name, []):
                    chosen[name].append(part)
        if not hit:
            raise _unknown("--lora.targets", target, candidates)
    if settings.dropout and any(isinstance(model.get_submodule(name), nn.LSTM) for name in chosen):
        raise ConfigError(
            f"--lora.dropout {settings.dropout:g} on the weights of an LSTM",
            "0, since its kernel has no place for it",
            "--lora.dropout 0",
        )
    for flag, patterns in (("--lora.ranks", settings.ranks), ("--lora.alphas", settings.alphas)):
        for one in patterns:
            names = [(part.name, name) for name, found in chosen.items() for part in found]
            if not any(_patterned((one,), *pair) for pair in names):
                raise _unknown(flag, one.rpartition("=")[0], chosen, "=" + one.rpartition("=")[2])
    slots = {name: tuple(_slots(settings, name, found)) for name, found in chosen.items()}
    return Plan({name: slots[name] for name in candidates if name in slots}, entire)


def _candidates(model: nn.Module, parts: Mapping[str, tuple[Part, ...]]) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """Every weight that can be adapted, and its parts in the order of their rows."""
    for name, module in model.named_modules():
        if isinstance(module, nn.LSTM):
            yield name, parts.get(name) or parts_of(name, module)
        elif isinstance(module, nn.Linear | Quantized | LoraLinear):
            if name.rpartition(".")[2] == "base" or module.out_features == 1:  # of one row nothing is low-rank
                continue
            found = parts.get(name) or (Part(name, 0, int(module.out_features)),)
            yield name, tuple(sorted(found, key=lambda part: part.first))


def _meant(target: str, name: str, part: Part, recurrent: bool) -> bool:
    if target in EVERYTHING:
        return name.partition(".")[0] != HEAD
    if target == "lstm":
        return recurrent
    return any(_holds(one, target) or _matches(target, one) for one in (part.name, name))


def _matches(pattern: str, name: str) -> bool:
    if PLAIN.fullmatch(pattern):
        return False
    found = _compiled(pattern)
    return found is not None and found.fullmatch(name) is not None


def _slots(settings: LoraSettings, name: str, parts: Sequence[Part]) -> Iterator[Slot]:
    for part in sorted(parts, key=lambda part: part.first):
        rank = _patterned(settings.ranks, part.name, name)
        alpha = _patterned(settings.alphas, part.name, name)
        yield Slot(
            part,
            settings.rank if rank is None else int(rank),
            settings.alpha if alpha is None else float(alpha),
            settings.rslora,
        )


def _patterned(patterns: Sequence[str], *names: str) -> str | None:
    """The number of the first pattern that the end of a name fits, as PEFT has it."""
    for one in patterns:
        pattern, _, told = one.rpartition("=")
        if any(re.match(rf"(.*\.)?({pattern})$", name) for name in names):
            return told
    return None


def _whole(model: nn.Module, also: Sequence[str], parts: Mapping[str, tuple[Part, ...]]) -> Iterator[str]:
    """Our modules that the names mean, the outermost where one holds another."""
    every = [name for name, _ in model.named_modules() if name]
    found: list[str] = []
    for wanted in also:
        ours = [name for name in every if name == wanted or name.endswith(f".{wanted}")]
        theirs = [name for name, held in parts.items() if any(_holds(part.name, wanted) for part in held)]
        for name in theirs:
            if not all(_holds(part.name, wanted) for part in parts[name]):
                raise ConfigError(
                    f"--lora.also {wanted}, which lies in one weight with " + parts[name][-1].name,
                    "modules that stand by themselves",
                    f"--lora.targets {wanted}",
                )
        if not ours and not theirs:
            raise _unknown("--lora.also", wanted, {name: parts.get(name, ()) for name in every})
        found += [*ours, *theirs]
    for name in dict.fromkeys(found):
        if not any(name.startswith(f"{other}.") for other in found):
            yield name


def _holds(name: str, wanted: str) -> bool:
    return f".{wanted}." in f".{name}."


def _unknown(flag: str, given: str, candidates: Mapping[str, Sequence[Part]], more: str = "") -> ConfigError:
    """An error that tells the nearest name. `more`: what follows the name in the flag."""
    ends: dict[str, None] = {}
    for name, parts in candidates.items():
        ends |= dict.fromkeys([part.leaf for part in parts])
        ends |= dict.fromkeys([".".join(name.split(".")[-2:])])
    known = [one for one in ends if not one.isdigit()]
    close = nearest(given, known) or ("all" if flag.endswith("targets") else known[0])
    shown = ", ".join(known[:12]) + (" ..." if len(known) > 12 else "")
    told = "weight that is adapted" if more else "weight of this model"
    return ConfigError(f"{flag} {given}{more}, which is no {told}", f"one of {shown}", f"{flag} {close}{more}")
