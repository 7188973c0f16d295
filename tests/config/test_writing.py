"""What is written is read back, by us and by others: PyYAML's own loader and jsonschema are the oracles."""

import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.config import Duration, Range, from_mapping, resolve, schema, to_yaml


@dataclass(frozen=True)
class Noise:
    """What is forgotten."""

    rate: Annotated[float, Range(0.0, 1.0)] = 0.1
    """Share. More is noise."""
    kind: Literal["none", "no", "on", "1e3", "word-drop"] = "none"
    """Which."""


@dataclass(frozen=True)
class Big:
    """A big one."""

    kind: Literal["big"] = "big"
    """Which."""
    width: Annotated[int, Range(1, 4096)] = 256
    """Size."""
    noise: Noise = field(default_factory=Noise)
    """Noise."""


@dataclass(frozen=True)
class Small:
    """A small one."""

    kind: Literal["small"] = "small"
    """Which."""
    width: Annotated[int, Range(1, 4096)] = 32
    """Size."""
    extra: Noise | None = None
    """Noise, where there is any."""


@dataclass(frozen=True)
class Everything:
    """One setting of every form."""

    files: tuple[str, ...] = ()
    """Files."""
    out: str = "runs/one"
    """Where to (Foo et al. 2017, eq. 3). The rest is not shown."""
    note: str | None = None
    """A note."""
    folder: Path = Path("runs")
    """A path."""
    resume: bool = False
    """Go on."""
    switch: bool | None = None
    """Maybe."""
    steps: int = 1000
    """How many."""
    rate: float = 1e-4
    """How fast."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Two of them."""
    limit: Annotated[float, Duration()] | None = None
    """How long."""
    mixed: int | float | str = 3
    """Anything."""
    level: Literal[1, 2, "auto"] = "auto"
    """A number or a word."""
    model: Big | Small = field(default_factory=Big)
    """Model."""


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.one_of(
    st.text(st.characters(exclude_categories=())),  # lone surrogates too: file names of other encodings
    st.text(string.printable),
    st.sampled_from(["", "~", "null", "None", "no", "Off", "y", "1e-4", "0x1f", "010", "1:30", "2024-01-01", ".inf"]),
    st.sampled_from(["[a]", "{b}", "a: b", "a #b", "*x", "&x", "!x", "- x", "? x", "%x", "'", '"', "é", "名", "🙂"]),
)
noises = st.builds(
    Noise,
    rate=st.floats(0, 1),
    kind=st.sampled_from(["none", "no", "on", "1e3", "word-drop"]),
)
widths = st.integers(1, 4096)
everything = st.builds(
    Everything,
    files=st.lists(texts).map(tuple),
    out=texts,
    note=st.none() | texts,
    folder=texts.map(lambda text: Path(text.replace("\0", ""))),
    resume=st.booleans(),
    switch=st.none() | st.booleans(),
    steps=st.integers(),
    rate=finite,
    betas=st.tuples(finite, finite),
    limit=st.none() | st.floats(0, 1e300),
    mixed=st.integers() | finite | texts,
    level=st.sampled_from([1, 2, "auto"]),
    model=st.builds(Big, width=widths, noise=noises) | st.builds(Small, width=widths, extra=st.none() | noises),
)


@settings(deadline=None)
@given(everything, st.booleans())
def test_settings_written_as_yaml_are_read_back_equal(tmp_path_factory, given, comments):
    file = tmp_path_factory.getbasetemp() / "settings.yaml"
    file.write_bytes(to_yaml(given, comments=comments).encode())
    read = resolve(Everything, file)
    assert read == given
    assert isinstance(read.mixed, str) is isinstance(given.mixed, str)  # "3" is not 3


@settings(deadline=None)
@given(everything)
def test_another_yaml_reader_sees_the_same_values_which_the_schema_accepts(given):
    """Oracles: PyYAML's SafeLoader, which knows YAML 1.1 only, and jsonschema."""
    seen = yaml.safe_load(to_yaml(given))
    assert seen["out"] == given.out
    assert seen["files"] == list(given.files)
    assert seen["rate"] == given.rate
    assert seen["resume"] is given.resume
    assert from_mapping(Everything, seen) == given
    jsonschema.Draft202012Validator(schema(Everything)).validate(seen)


def test_comments_hold_the_first_sentence_of_each_meaning():
    text = to_yaml(Everything(), comments=True)
    assert "# Where to (Foo et al. 2017, eq. 3).\nout: runs/one\n" in text
    assert "not shown" not in text
    assert "    # Share.\n    rate: 0.1\n" in text


def test_every_value_is_written_and_sections_come_last():
    keys = list(yaml.safe_load(to_yaml(Everything(limit=5400.0))))
    assert keys == [*list(Everything.__dataclass_fields__)]
    assert "limit: 90m\n" in to_yaml(Everything(limit=5400.0))


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.0, "0.0"), (90.0, "90s"), (600.0, "10m"), (7200.0, "2h"), (172800.0, "2d"), (0.5, "0.5"), (1e-7, "1e-07")],
)
def test_a_time_is_written_in_its_largest_unit(duration, text):
    written = next(line for line in to_yaml(Everything(limit=duration)).splitlines() if line.startswith("limit"))
    assert float(written.removeprefix("limit: ").rstrip("smhd")) >= 0
    assert resolved_limit(written) == duration
    if "e" not in text:
        assert written == f"limit: {text}"


def resolved_limit(line):
    return from_mapping(Everything, {"limit": yaml.safe_load(line)["limit"]}).limit
