"""adapter_config.json, as PEFT 0.21 writes it: what an adapter is, and to which modules of which model it belongs.

Read is all that is plain low-rank adaptation. Other methods, and starts that change the model itself, are refused by
name: an adapter that is half understood gives answers that are half right.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.checkpoints.hub import Checkpoint
from seqwise.errors import CheckpointError
from seqwise.models.lora import LoraSettings
from seqwise.models.lora_pairs import Slot

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
TASKS = {"labels": "SEQ_CLS", "token labels": "TOKEN_CLS", "vectors": "FEATURE_EXTRACTION", "masked": None}
STARTS = (True, False, None, "gaussian", "orthogonal", "eva", "mica", "true", "false")
"""`init_lora_weights` after which the model is what it was: the others need another model than the one they name."""
FIXED: dict[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "lora_bias": (False,),
    "trainable_token_indices": (),
    "target_parameters": (),
    "layer_replication": (),
    "megatron_config": (),
    "alora_invocation_tokens": (),
    "arrow_config": (),
    "kasa_config": (),
    "monteclora_config": (),
    "velora_config": (),
    "use_bdlora": (False,),
    "use_qalora": (False,),
}
"""Keys that make another method of it, and what is fine beside nothing."""
EMPTY: dict[str, Any] = {
    "alora_invocation_tokens": None,
    "arrow_config": None,
    "auto_mapping": None,
    "bias": "none",
    "corda_config": None,
    "ensure_weight_tying": False,
    "eva_config": None,
    "exclude_modules": None,
    "inference_mode": True,
    "init_lora_weights": True,
    "kasa_config": None,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_bias": False,
    "lora_ga_config": None,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "monteclora_config": None,
    "peft_type": "LORA",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
    "revision": None,
    "target_parameters": None,
    "trainable_token_indices": None,
    "use_bdlora": None,
    "use_qalora": False,
    "velora_config": None,
}
"""What an adapter of ours says nothing about."""
_LABELLING = re.compile(r"((?:.+\.)?[^.]*(?:classifier|score))(?:\..+)?")


@dataclass(frozen=True)
class Described:
    """An adapter, without its weights."""

    base: str | None
    """The model that it was trained on: a name of the hub, or a folder, seen from here or else from the adapter's."""
    revision: str | None
    task: str | None
    """CAUSAL_LM, SEQ_CLS ..., as PEFT calls it."""
    settings: LoraSettings
    """As it would be attached; `targets`, `ranks` and `alphas` as the file has them."""
    regular: bool
    """Whether the target is one regular expression for whole names."""
    excluded: str | tuple[str, ...]
    layers: tuple[int, ...] | None
    """Numbers of the layers that are adapted; None: all."""
    layers_pattern: tuple[str, ...]
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]

    def rank(self, name: str) -> int:
        """Of one module."""
        return next((rank for pattern, rank in self.ranks.items() if _ends(pattern, name)), self.settings.rank)

    def alpha(self, name: str) -> float:
        """Of one module."""
        return next((alpha for pattern, alpha in self.alphas.items() if _ends(pattern, name)), self.settings.alpha)

    def means(self, name: str) -> bool:
        """Whether the config says that this module is adapted."""
        if isinstance(self.excluded, str):
            if re.fullmatch(self.excluded, name):
                return False
        elif _listed(self.excluded, name):
            return False
        if any(re.match(rf"(^|.*\.){one}($|\..*)", name) for one in self.settings.also):
            return False
        if self.regular:
            return re.fullmatch(self.settings.targets[0], name) is not None
        return _listed(self.settings.targets, name) and (self.layers is None or self._number(name) in self.layers)

    def _number(self, name: str) -> int | None:
        for pattern in self.layers_pattern or (r"[^.]*",):
            found = re.match(rf"(?:^|.*?\.){pattern}\.(\d+)\.", name)
            if found:
                return int(found.group(1))
        return None


def _ends(pattern: str, name: str) -> bool:
    return re.match(rf"(.*\.)?({pattern})$", name) is not None


def _listed(names: Collection[str], name: str) -> bool:
    return name in names or any(name.endswith(f".{one}") for one in names)


def described(folder: Path) -> Described:
    """Read adapter_config.json; what is not plain low-rank adaptation is refused."""
    config = _json(folder / CONFIG)
    try:
        _must_be_plain(config, folder)
        return _told(config, folder)
    except (TypeError, ValueError, AttributeError, re.error) as error:
        raise CheckpointError(
            given=f"settings that make no sense ({error})",
            allowed="numbers, names and patterns as PEFT writes them",
            mend="copying or downloading it again",
            where=str(folder / CONFIG),
        ) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        raise CheckpointError(
            given=f"{path.parent} without {path.name}",
            allowed="a folder with an adapter in PEFT's layout",
            mend="the folder that holds adapter_model.safetensors, downloaded whole",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as JSON ({error})",
            allowed=f"a whole {path.name}",
            mend="copying or downloading it again",
            where=str(path),
        ) from None
    return found


def _must_be_plain(config: Mapping[str, Any], folder: Path) -> None:
    kind = str(config.get("peft_type"))
    where = str(folder / CONFIG)
    if kind != "LORA":
        raise CheckpointError(
            f"peft_type {kind}", "LORA, with use_rslora and use_dora", "an adapter of that method", where
        )
    start = config.get("init_lora_weights", True)
    if start not in STARTS:
        raise CheckpointError(
            given=f"init_lora_weights {start!r}, which changes the model that the adapter is put on",
            allowed="one of " + ", ".join(str(one) for one in STARTS[3:7]) + ", or true",
            mend="saving it in PEFT with path_initial_model_for_weight_conversion, which makes plain LoRA of it",
            where=where,
        )
    for key, fine in FIXED.items():
        value = config.get(key)
        if value and value not in fine:
            raise CheckpointError(
                given=f"{key} {value!r}",
                allowed=" or ".join(map(repr, fine)) if fine else "nothing there",
                mend="an adapter that was trained without it",
                where=where,
            )


def _told(config: Mapping[str, Any], folder: Path) -> Described:
    targets = config.get("target_modules") or "all-linear"
    regular = isinstance(targets, str) and targets != "all-linear"
    layers = config.get("layers_to_transform")
    pattern = config.get("layers_pattern") or ()
    excluded = config.get("exclude_modules") or ()
    ranks = {str(name): int(rank) for name, rank in (config.get("rank_pattern") or {}).items()}
    alphas = {str(name): float(alpha) for name, alpha in (config.get("alpha_pattern") or {}).items()}
    for one in (*ranks, *alphas):
        re.compile(one)
    settings = LoraSettings(
        rank=int(config.get("r", 8)),
        alpha=float(config.get("lora_alpha", 8)),
        dropout=float(config.get("lora_dropout", 0.0)),
        rslora=bool(config.get("use_rslora", False)),
        dora=bool(config.get("use_dora", False)),
        targets=(targets,) if isinstance(targets, str) else tuple(sorted(map(str, targets))),
        ranks=tuple(f"{name}={rank}" for name, rank in ranks.items()),
        alphas=tuple(f"{name}={alpha:g}" for name, alpha in alphas.items()),
        also=tuple(map(str, config.get("modules_to_save") or ())),
    )
    faults = list(settings.faults())
    if faults:
        raise ValueError(faults[0].given.removeprefix("--lora."))
    return Described(
        base=_found(_text(config.get("base_model_name_or_path")), folder),
        revision=_text(config.get("revision")),
        task=_text(config.get("task_type")),
        settings=settings,
        regular=regular,
        excluded=excluded if isinstance(excluded, str) else tuple(map(str, excluded)),
        layers=None if layers in (None, []) else (layers,) if isinstance(layers, int) else tuple(map(int, layers)),
        layers_pattern=(pattern,) if isinstance(pattern, str) else tuple(map(str, pattern)),
        ranks=ranks,
        alphas=alphas,
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _found(base: str | None, folder: Path) -> str | None:
    """A folder that is not there from here may be so from the adapter, with which it was moved."""
    if not base:
        return None
    try:
        beside = folder / base
        return str(beside) if not Path(base).expanduser().exists() and beside.exists() else base
    except OSError:  # a name that no file can have
        return base


def written(
    checkpoint: Checkpoint,
    settings: LoraSettings,
    slots: Sequence[Slot],
    known: Collection[str],
    whole: Collection[str],
    base: str | None,
) -> bytes:
    """The file of an adapter of ours, the keys in PEFT's order.

    slots   its parts
    known   all modules of the model, so that names can be short
    whole   its modules that are trained whole
    """
    rank, alpha = _usual([slot.rank for slot in slots]), _usual([slot.alpha for slot in slots])
    config = EMPTY | {
        "base_model_name_or_path": str(checkpoint.folder) if base is None else base,
        "fan_in_fan_out": checkpoint.family.transposed,
        "lora_alpha": _whole_number(alpha),
        "lora_dropout": settings.dropout,
        "modules_to_save": _outermost(whole) or None,
        "r": rank,
        "rank_pattern": {re.escape(slot.part.name): slot.rank for slot in slots if slot.rank != rank},
        "alpha_pattern": {
            re.escape(slot.part.name): _whole_number(slot.alpha) for slot in slots if slot.alpha != alpha
        },
        "target_modules": _shortened([slot.part.name for slot in slots], known),
        "task_type": _task(checkpoint, slots),
        "use_dora": settings.dora,
        "use_rslora": settings.rslora,
    }
    return json.dumps(config, indent=2, sort_keys=True).encode()


def _usual(numbers: Sequence[Any]) -> Any:
    return Counter(numbers).most_common(1)[0][0]


def _whole_number(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _task(checkpoint: Checkpoint, slots: Sequence[Slot]) -> str | None:
    if labelling_adapted(slots):  # PEFT trains these whole as soon as it is told that there are labels
        return None
    writes = "SEQ_2_SEQ_LM" if checkpoint.config.get("is_encoder_decoder") else "CAUSAL_LM"
    return TASKS.get(checkpoint.head.task, writes)


def labelling(name: str) -> str | None:
    """The module that holds this one, or is it, and that PEFT trains whole in every adapter for labels; by its name."""
    found = _LABELLING.fullmatch(name)
    return found.group(1) if found else None


def labelling_adapted(slots: Sequence[Slot]) -> bool:
    """Whether a pair lies in such a module."""
    return any(labelling(slot.part.name) is not None for slot in slots)


def _outermost(names: Collection[str]) -> list[str]:
    """Modules to be trained whole; where a head for labels has several, the one that holds them."""
    return sorted({labelling(name) or name for name in names})


def _shortened(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The shortest ends of names that mean these modules and none of the others."""
    adapted, found = set(names), set()
    others = [name for name in known if name not in adapted]
    for name in names:
        words = name.split(".")
        for count in range(1, len(words) + 1):
            end = ".".join(words[-count:])
            # "dense" also means modules that stand in the files of some families and are no part of ours
            if end != "dense" and not any(other == end or other.endswith(f".{end}") for other in others):
                break
        found.add(end)
    return sorted(found)
