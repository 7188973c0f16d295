"""Whether a config.json makes sense: its numbers are numbers, of a size that can be, and do not contradict themselves.

Anyone can have written it. What it says is read through the table of its family and then checked as settings of a user
are, before a model is built of it; whatever the tables stumble over becomes one line.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from seqwise.checkpoints.families import Family, Head, HeadSettings
from seqwise.config import check
from seqwise.errors import CheckpointError, ConfigError, nearest
from seqwise.models.architecture import TransformerSettings

CONFIG = "config.json"
MOST_LAYERS, LARGEST = 1000, 10**7  # of any model that is known, several times over; more would take for ever to build
STUMBLES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What Python says of a text where a number should be, and the like."""
Made = TypeVar("Made")


def understood(folder: Path, work: Callable[[], Made]) -> Made:
    """What `work` makes of a config.json; one line if it makes no sense."""
    try:
        return work()
    except ConfigError as error:
        fault = error.faults[0]
        raise CheckpointError(
            given=f"{folder / CONFIG} that asks for {fault.given}",
            allowed=fault.allowed,
            mend="downloading it again, of the same revision as the weights",
        ) from None
    except STUMBLES as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(
            given=f"{folder / CONFIG} that makes no sense ({told})",
            allowed="numbers where numbers belong, and those of one model",
            mend="downloading it again",
        ) from None


def settings(folder: Path, config: Mapping[str, Any], family: Family) -> TransformerSettings:
    """Of the stack, checked."""

    def work() -> TransformerSettings:
        _bounded(config)
        layers = family.settings["layers"].read(config)
        if not isinstance(layers, int) or not 1 <= layers <= MOST_LAYERS:
            raise ValueError(f"{layers!r} layers")
        kinds = config.get("layer_types")
        if kinds is not None and len(kinds) != layers:
            raise ValueError(f"layer_types of {len(kinds)} layers where there are {layers}")
        read = family.read(config)
        check(read)
        written = read.of_decoder()
        if written.layers > MOST_LAYERS:
            raise ValueError(f"{written.layers} layers of the decoder")
        check(written)
        return read

    return understood(folder, work)


def head(folder: Path, config: Mapping[str, Any], kind: Head) -> HeadSettings | None:
    """Of the head, checked."""

    def work() -> HeadSettings | None:
        read = kind.read(config)
        if read is not None:
            check(read)
        return read

    return understood(folder, work)


def unknown(
    architecture: str, config: Mapping[str, Any], architectures: Collection[str], families: Collection[str]
) -> CheckpointError:
    """Of a checkpoint that is none of these: with the nearest, or the part of it that is text."""
    within = config.get("text_config")
    if isinstance(within, Mapping):
        kind = str(within.get("model_type"))
        return CheckpointError(
            given=f"the architecture {architecture}, of which text is a part only",
            allowed=f"a model of text alone, one of {', '.join(families)}",
            mend=f"a checkpoint of {kind}" if kind in families else "a checkpoint of one of these",
        )
    close = nearest(architecture, architectures) or nearest(str(config.get("model_type", "")), families)
    return CheckpointError(
        given=f"the architecture {architecture}",
        allowed=f"one of {', '.join(families)}, with a head for tokens or labels",
        mend=f"a checkpoint of {close}"
        if close
        else "a checkpoint of one of these; docs/families.md lists their heads",
    )


def _bounded(config: Mapping[str, Any]) -> None:
    """No size beyond reason: a model of it would be counted, layer by layer, until someone stops it."""
    for name, value in config.items():
        size = name.endswith(("_size", "_labels", "_dim", "_layers", "_heads", "_model", "_ffn_dim", "_embd", "_inner"))
        if size and isinstance(value, int) and not isinstance(value, bool) and value > LARGEST:
            raise ValueError(f"{name} {value}")
