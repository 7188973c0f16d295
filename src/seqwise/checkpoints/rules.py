"""Rules that more than one family needs: activations, rotary positions with their scalings, windows.

The hub's files come in two generations: `rope_theta` with `rope_scaling`, and `rope_parameters`, flat or by kind of
layer. Both are read; the newer one is written.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from seqwise.checkpoints.families import Config, Misfit, Named, Rule, Worked
from seqwise.errors import CheckpointError
from seqwise.models.rotary import RotationSettings

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "gelu_fast": "gelu-tanh",
    "silu": "silu",
    "swish": "silu",
}
FULL, SLIDING = "full_attention", "sliding_attention"
SCALINGS = {"default": "none", "linear": "linear", "dynamic": "dynamic", "yarn": "yarn", "llama3": "llama3"}

TIED = Worked(
    lambda config: "all" if config.get("tie_word_embeddings", True) else "none",
    lambda value, config: config.update(tie_word_embeddings=value in ("all", "output")),
)
"""Whether the table of the tokens is also the last projection of a masked language model."""


def activation(key: str, default: str) -> Named:
    """Of the feed-forward network."""
    return Named(key, default, ACTIVATIONS)


def rope(config: Config, kind: str = FULL) -> dict[str, Any]:
    """What config.json says of the rotation in layers of a kind, whichever generation it is of."""
    told = config.get("rope_parameters") or {}
    if isinstance(told.get(kind), Mapping):
        return dict(told[kind])
    if FULL in told or SLIDING in told:
        return {}
    old = config.get("rope_scaling") or {}
    theta = {"rope_theta": config["rope_theta"]} if config.get("rope_theta") is not None else {}
    return {**theta, **old, **told}


def _told(config: dict[str, Any]) -> dict[str, Any]:
    """Where a config.json that is being written tells the rotation of layers that see everything."""
    parameters: dict[str, Any] = config.setdefault("rope_parameters", {"rope_type": "default"})
    full: dict[str, Any] = parameters.get(FULL, parameters)
    return full


def theta(default: float, kind: str = FULL, old: str = "rope_theta") -> Rule:
    """The base of the wavelengths; `old` is its key in the older generation."""

    def read(config: Config) -> float:
        found = rope(config, kind).get("rope_theta")
        if found is None or (old != "rope_theta" and config.get("rope_parameters") is None):
            found = config.get(old)
        return float(default if found is None else found)

    def write(value: float | None, config: dict[str, Any]) -> None:
        full = _told(config)
        if kind == FULL:
            full["rope_theta"] = value
        else:
            near = full["rope_theta"] if value is None else value
            config["rope_parameters"] = {FULL: full, kind: {"rope_type": "default", "rope_theta": near}}

    return Worked(read, write)


def stretching() -> Rule:
    """How the rotation reaches texts longer than those of the training."""
    return Worked(_rotation, _tell_rotation)


def _rotation(config: Config) -> RotationSettings:
    told = rope(config)
    kind = told.get("rope_type") or told.get("type") or "default"
    if kind not in SCALINGS:
        raise CheckpointError(
            given=f"rope_type {kind!r} in config.json",
            allowed="one of " + ", ".join(SCALINGS),
            mend="another checkpoint; nothing was loaded",
        )
    longest = config.get("max_position_embeddings") or 2048
    trained = told.get("original_max_position_embeddings") or longest
    factor = float(told.get("factor") or (longest / trained if kind == "yarn" else 1.0))
    match kind:
        case "linear":
            return RotationSettings("linear", factor)
        case "dynamic":
            return RotationSettings("dynamic", factor, longest)
        case "llama3":
            return RotationSettings("llama3", factor, trained, told["low_freq_factor"], told["high_freq_factor"])
        case "yarn":
            bounds = told.get("beta_slow") or 1.0, told.get("beta_fast") or 32.0
            return RotationSettings(
                "yarn", factor, trained, *bounds, told.get("truncate", True), _sharpness(told, factor)
            )
        case _:
            return RotationSettings()


def _sharpness(told: Config, factor: float) -> float | None:
    """yarn's factor on cosine and sine, where the file tells it or what it follows from."""
    if told.get("attention_factor") is not None:
        return float(told["attention_factor"])
    one, every = told.get("mscale"), told.get("mscale_all_dim")
    if not (one and every) or factor <= 1:
        return None
    return float((0.1 * one * math.log(factor) + 1) / (0.1 * every * math.log(factor) + 1))


def _tell_rotation(value: RotationSettings, config: dict[str, Any]) -> None:
    parameters = _told(config)
    parameters["rope_type"] = next(theirs for theirs, ours in SCALINGS.items() if ours == value.kind)
    if value.kind != "none":
        parameters["factor"] = value.factor
    if value.kind == "dynamic":
        config["max_position_embeddings"] = value.trained
    if value.kind in ("llama3", "yarn"):
        parameters["original_max_position_embeddings"] = value.trained
    if value.kind == "llama3":
        parameters |= {"low_freq_factor": value.low, "high_freq_factor": value.high}
    if value.kind == "yarn":
        parameters |= {"beta_slow": value.low, "beta_fast": value.high, "truncate": value.whole}
        if value.sharpness is not None:
            parameters["attention_factor"] = value.sharpness


def window_layers(pattern: Callable[[Config, int], bool], count: str = "num_hidden_layers") -> Rule:
    """Which layers see a window only: told one by one, or by a pattern in older files."""

    def read(config: Config) -> tuple[int, ...]:
        kinds = config.get("layer_types")
        if kinds is not None:
            unknown = sorted({*kinds} - {FULL, SLIDING})
            if unknown:
                raise CheckpointError(
                    given=f"layer_types with {unknown[0]!r} in config.json",
                    allowed=f"{FULL} and {SLIDING}",
                    mend="another checkpoint; nothing was loaded",
                )
            return tuple(i for i, kind in enumerate(kinds) if kind == SLIDING)
        return tuple(i for i in range(config[count]) if pattern(config, i))

    def write(value: tuple[int, ...] | None, config: dict[str, Any]) -> None:
        everywhere = range(config[count] if config.get("sliding_window", 0) is not None else 0)
        chosen = everywhere if value is None else value
        config["layer_types"] = [SLIDING if i in chosen else FULL for i in range(config[count])]

    return Worked(read, write)


def window(key: str = "sliding_window", switch: str | None = None, default: int | None = None) -> Rule:
    """How far a decoder sees back: theirs counts the token itself, ours is a distance."""

    def read(config: Config) -> int | None:
        given = config.get(key, default)
        off = switch is not None and not config.get(switch)
        return None if given is None or off else int(given) - 1

    def write(value: int | None, config: dict[str, Any]) -> None:
        config[key] = None if value is None else value + 1
        if switch is not None:
            config[switch] = value is not None

    return Worked(read, write)


def following(reads: Callable[[Config], Any]) -> Worked:
    """What follows from other keys alone: it is as it follows, or the family cannot have it."""

    def write(value: Any, config: dict[str, Any]) -> None:
        if value != reads(config):
            raise Misfit(f"{value!r} where it has {reads(config)!r}")

    return Worked(reads, write)
