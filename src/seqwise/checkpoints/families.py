"""What a table of a family of checkpoints is made of: rules between its config.json and our settings, and names.

A table is read in both directions. Reading a checkpoint, each rule takes one of our settings from config.json; writing
one, it puts that setting back, and refuses settings that the family cannot have. Names of weights work both ways too.
The tables themselves stand in `encoders.py`, `decoders.py` and `encoder_decoders.py`; rules that only some families
need stand beside this file in `rules.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from seqwise.errors import CheckpointError
from seqwise.models.architecture import TransformerSettings
from seqwise.models.heads import LabelsSettings, TokensSettings

Config = Mapping[str, Any]
HeadSettings = TokensSettings | LabelsSettings
Made = TypeVar("Made")


class Misfit(Exception):  # noqa: N818  # it is no error: it says why settings are not those of a family
    """Why a family cannot have a setting."""


class Rule(Protocol):
    """One setting of ours and what config.json says of it."""

    def read(self, config: Config) -> Any:
        """The value of the setting."""

    def write(self, value: Any, config: dict[str, Any]) -> None:
        """Say it in a config.json; raises `Misfit` where that is impossible."""


REQUIRED = object()


@dataclass(frozen=True)
class Key:
    """A key that holds the setting as it is."""

    name: str
    default: Any = REQUIRED
    """What the family takes where the key is missing."""

    def read(self, config: Config) -> Any:
        """The value, or the default."""
        value = config.get(self.name)
        if value is not None:
            return value
        if self.default is REQUIRED:
            raise CheckpointError(
                given=f"a config.json without {self.name}",
                allowed=f"it in a checkpoint of {config.get('model_type', 'this family')}",
                mend="downloading the folder again, whole",
            )
        return self.default

    def write(self, value: Any, config: dict[str, Any]) -> None:
        """As it is."""
        config[self.name] = value


@dataclass(frozen=True)
class Always:
    """The family has no choice."""

    value: Any

    def read(self, config: Config) -> Any:
        """The value."""
        return self.value

    def write(self, value: Any, config: dict[str, Any]) -> None:
        """Nothing to say, if it is the value."""
        if value != self.value:
            raise Misfit(f"{value!r} where it has {self.value!r}")


@dataclass(frozen=True)
class Named:
    """A key whose values have other names than ours."""

    name: str
    default: Any
    names: Mapping[Any, Any]
    """Theirs -> ours; of several for one of ours, the first is written."""

    def read(self, config: Config) -> Any:
        """Our name."""
        given = config.get(self.name)
        given = self.default if given is None else given
        if given not in self.names:
            raise CheckpointError(
                given=f"{self.name} {given!r} in config.json",
                allowed="one of " + ", ".join(map(str, self.names)),
                mend="another checkpoint; nothing was loaded",
            )
        return self.names[given]

    def write(self, value: Any, config: dict[str, Any]) -> None:
        """Their name."""
        theirs = [name for name, ours in self.names.items() if ours == value]
        if not theirs:
            raise Misfit(f"{value!r}, which is none of {', '.join(map(str, self.names.values()))}")
        config[self.name] = theirs[0]


@dataclass(frozen=True)
class Worked:
    """Worked out from several keys, or by a formula."""

    reads: Callable[[Config], Any]
    writes: Callable[[Any, dict[str, Any]], None]

    def read(self, config: Config) -> Any:
        """By the formula."""
        return self.reads(config)

    def write(self, value: Any, config: dict[str, Any]) -> None:
        """By its inverse."""
        self.writes(value, config)


@dataclass(frozen=True)
class Raw:
    """A tensor whose name is no module's name with `.weight` or `.bias` behind it."""

    names: tuple[str, ...]
    """The first that the file has is read."""
    written: tuple[str, ...] = ()
    """Under which it is written; the first unless given."""
    optional: bool = False
    """Zero where the file lacks it."""


@dataclass(frozen=True)
class Gated:
    """The first product of a feed-forward network, which has another name where it has a gate."""

    plain: str
    gate: str
    value: str


@dataclass(frozen=True)
class Shared:
    """The table of the source, which has another name where the target has one of its own."""

    shared: str
    own: str


Theirs = str | Raw | Gated | Shared | tuple[str, ...]
"""A module of theirs; or several, stacked in one of ours; "a|b" where files differ, the first being written."""


@dataclass(frozen=True)
class Head:
    """What stands on the stack in one of the architectures of a family."""

    task: Literal["tokens", "masked", "labels", "token labels", "vectors"]
    """What it is for: the next token, a masked one, a label of the text, of each token, or vectors only."""
    settings: Mapping[str, Rule] = field(default_factory=dict)
    """Of `TokensSettings` or `LabelsSettings`."""
    weights: Mapping[str, Theirs] = field(default_factory=dict)

    def read(self, config: Config) -> HeadSettings | None:
        """The settings of the head."""
        values = {name: rule.read(config) for name, rule in self.settings.items()}
        match self.task:
            case "vectors":
                return None
            case "tokens" | "masked":
                return TokensSettings(**values)
            case _:
                return LabelsSettings(**{"labels": labels(config), **values})

    def write(self, settings: HeadSettings | None, config: dict[str, Any]) -> None:
        """Say the settings of a head in the config.json of its stack; raises `Misfit` where it is another head's."""
        task = "vectors" if settings is None else "tokens" if isinstance(settings, TokensSettings) else "labels"
        if task not in self.task.replace("masked", "tokens"):
            raise Misfit(f"head for {task}")
        if settings is None:
            return
        usual = type(settings)()
        for one in fields(settings):
            value = getattr(settings, one.name)
            rule = self.settings.get(one.name)
            try:
                if one.name == "labels":
                    config.setdefault("id2label", {str(i): f"LABEL_{i}" for i in range(value)})
                elif one.name == "bias" and value is False and self._may_lack_bias():
                    continue
                elif rule is not None:
                    rule.write(value, config)
                elif one.name != "dropout" and value != getattr(usual, one.name):
                    raise Misfit(repr(value))
            except Misfit as misfit:
                raise Misfit(f"head.{one.name} {misfit}") from None

    def _may_lack_bias(self) -> bool:
        """A bias that may be missing may be zero as well."""
        bias = self.weights.get("head.bias")
        return isinstance(bias, Raw) and bias.optional


def labels(config: Config) -> int:
    """How many labels a checkpoint tells apart."""
    names = config.get("id2label")
    return len(names) if isinstance(names, Mapping) else int(config.get("num_labels") or 2)


@dataclass(frozen=True)
class Family:
    """One `model_type` of the hub, as a table."""

    name: str
    source: str
    """The paper, and who published it."""
    settings: Mapping[str, Rule]
    """Our settings by their dotted names; what is not told is as `TransformerSettings` has it."""
    weights: Mapping[str, Theirs]
    """Names of our modules, `{}` standing for the number of a layer, and theirs without `prefix`."""
    prefix: str
    """Before the names of the stack, where a head stands on it."""
    heads: Mapping[str, Head]
    """By the name of the architecture, as `architectures` of config.json has it."""
    vocabulary: tuple[str, ...] = ("vocab_size",)
    """Keys of the number of tokens: of the source, and of the target where it may differ."""
    transposed: bool = False
    """Whether the products of the layers are stored input first (GPT-2's Conv1D)."""
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Keys that change the model in ways which no setting of ours stands for, and the values that are fine."""
    leftovers: str = r"$."
    """Pattern of tensors that belong to such checkpoints but to no part of ours: handed on, not used."""

    def read(self, config: Config) -> TransformerSettings:
        """Our settings of the model that a config.json describes."""
        for name, allowed in self.fixed.items():
            if name in config and config[name] is not None and config[name] not in allowed:
                raise CheckpointError(
                    given=f"{name} {config[name]!r} in config.json",
                    allowed=" or ".join(map(repr, allowed)) + f" in a checkpoint of {self.name}",
                    mend="another checkpoint; nothing was loaded",
                )
        values = {name: rule.read(config) for name, rule in self.settings.items()}
        return _with(TransformerSettings(), values)

    def write(self, settings: TransformerSettings) -> dict[str, Any]:
        """The config.json of a model of ours; raises `Misfit` that names the setting which the family cannot have."""
        config: dict[str, Any] = {"model_type": self.name}
        for name, rule in self.settings.items():
            try:
                rule.write(_at(settings, name), config)
            except Misfit as misfit:
                raise Misfit(f"{name} {misfit}") from None
        usual = dict(flat(replace(TransformerSettings(), shape=settings.shape)))
        for name, value in flat(settings):
            ruled = name in self.settings or any(name.startswith(f"{rule}.") for rule in self.settings)
            free = name in FREE or settings.positions.kind not in USED_BY.get(name, (settings.positions.kind,))
            if not ruled and not free and value != usual[name]:
                raise Misfit(f"{name} {value!r}")
        return config


FREE = frozenset({
    "dropout", "attention.dropout", "feed_forward.dropout", "embeddings.source_vectors", "embeddings.target_vectors",
    "embeddings.frozen", "decoder_layers", "decoder_heads", "feed_forward.decoder_width",
})  # fmt: skip
"""Settings that change nothing of what a trained model computes where the family has no word for them."""
USED_BY: Mapping[str, tuple[str, ...]] = {
    "positions.longest": ("learned",),
    "positions.offset": ("learned", "sinusoidal"),
    "positions.theta": ("sinusoidal", "rotary"),
    "positions.local_theta": ("rotary",),
    "positions.interleaved": ("sinusoidal", "rotary"),
    "positions.spread": ("sinusoidal",),
    "positions.buckets": ("t5",),
    "positions.reach": ("t5",),
}
"""Settings of positions, and the kinds that mind them: with any other kind they change nothing either."""


def unsaid(value: Any) -> Worked:
    """A setting that changes nothing in a trained model and that the family has no word for."""
    return Worked(lambda config: value, lambda value, config: None)


def _at(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting of a tree of them, by its path between dots."""
    for one in fields(settings):
        value = getattr(settings, one.name)
        if is_dataclass(value):
            yield from flat(value, f"{prefix}{one.name}.")
        else:
            yield prefix + one.name, value


def _with(settings: Made, values: Mapping[str, Any]) -> Made:
    """A frozen tree of settings with some of its leaves replaced."""
    changes: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = value
        else:
            changes[first] = value
    for name, parts in inner.items():
        changes[name] = _with(changes.get(name, getattr(settings, name)), parts)
    return replace(settings, **changes)  # type: ignore[type-var]  # a dataclass, as all settings are
