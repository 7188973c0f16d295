"""A small tree of settings that stands for `seqwise train`, without torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from seqwise.config import Duration, Range, resolve
from seqwise.errors import ConfigError, Fault


@dataclass(frozen=True)
class Attention:
    """How tokens look at each other."""

    kind: Literal["fused", "plain"] = "fused"
    """Which kernel."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """On the weights."""


@dataclass(frozen=True)
class Transformer:
    """Attention all the way."""

    kind: Literal["transformer"] = "transformer"
    """Which model this is."""
    width: Annotated[int, Range(2)] = 256
    """Size of a vector."""
    heads: Annotated[int, Range(1, 64)] = 4
    """How many look."""
    attention: Attention = field(default_factory=Attention)
    """Inside attention."""

    def faults(self) -> Iterator[Fault]:
        """Widths that heads do not divide."""
        if self.width % self.heads:
            given = f"--model.heads {self.heads} with --model.width {self.width}"
            yield Fault(given, "a width that the heads divide", "--model.heads 8")


@dataclass(frozen=True)
class LSTM:
    """One step after another."""

    kind: Literal["lstm"] = "lstm"
    """Which model this is."""
    width: Annotated[int, Range(2)] = 512
    """Size of a vector."""
    forget_bias: float = 1.0
    """Added to the forget gate."""


@dataclass(frozen=True)
class Training:
    """How long and how."""

    steps: Annotated[int, Range(1)] | None = None
    """Updates."""
    time_limit: Annotated[float, Duration()] | None = None
    """Wall time."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Of Adam."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.1
    """Everywhere."""
    no_repeat: Annotated[int, Range(0)] = 0
    """A name that begins with no."""
    shard: bool = False
    """Over processes."""


@dataclass(frozen=True)
class Settings:
    """Everything."""

    train: tuple[str, ...] = ()
    """Files to learn from."""
    out: str = "runs/one"
    """Folder of the run."""
    resume: bool = False
    """Go on."""
    overwrite: bool = False
    """Begin anew."""
    on_bad_row: Literal["stop", "skip", "no"] = "stop"
    """When a row is bad."""
    model: Transformer | LSTM = field(default_factory=Transformer)
    """Which model."""
    training: Training = field(default_factory=Training)
    """How long."""
    noise: Attention | None = None
    """A section that may be missing."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts."""
        if self.resume and self.overwrite:
            yield Fault("--resume with --overwrite", "one of them", "--resume")


@pytest.fixture(scope="session")
def kind() -> type[Settings]:
    """The class of the settings."""
    return Settings


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Settings]:
    """Settings from the text of a YAML file, named c.yaml, and flags."""

    def read(text: str | bytes | None = None, *flags: str) -> Settings:
        if text is None:
            return resolve(Settings, None, flags)
        file = tmp_path / "c.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return resolve(Settings, file, flags)

    return read


@pytest.fixture
def faults(read: Callable[..., Settings], tmp_path: Path) -> Callable[..., list[str]]:
    """The faults of the same, as texts, without the folder of the file."""

    def faults(text: str | bytes | None = None, *flags: str) -> Sequence[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, *flags)
        return [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]

    return faults
