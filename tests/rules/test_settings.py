"""Every setting says what it means, and a class of settings stays small enough to be read."""

import dataclasses
import types
import typing

import pytest

from seqwise.config import check, describe, from_mapping, resolve, to_yaml
from seqwise.tasks import Train
from seqwise.tasks.tuning import Tune

FIELDS = 12
ROOTS = (Train, Tune)


def _classes(kind):
    """The dataclass and all those in its fields, unions included."""
    yield kind
    for hint in typing.get_type_hints(kind).values():
        members = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
        for member in members:
            if dataclasses.is_dataclass(member):
                yield from _classes(member)


CLASSES = sorted({kind for root in ROOTS for kind in _classes(root)}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_settings_are_frozen_and_few(kind):
    """Sections do not count: they are a name for more."""
    hints = typing.get_type_hints(kind)
    plain = [field for field in dataclasses.fields(kind) if not set(_classes_of(hints[field.name]))]
    assert kind.__dataclass_params__.frozen
    assert len(plain) <= FIELDS


def _classes_of(hint):
    members = typing.get_args(hint) or (hint,)
    return [member for member in members if dataclasses.is_dataclass(member)]


@pytest.mark.parametrize("root", ROOTS)
def test_every_setting_says_what_it_means(root):
    assert [setting.name for setting in describe(root) if len(setting.meaning.split()) < 2] == []


@pytest.mark.parametrize("root", ROOTS)
def test_meanings_end_like_sentences(root):
    assert [setting.name for setting in describe(root) if not setting.meaning.rstrip().endswith(".")] == []


@pytest.mark.parametrize("given", [Train(), Tune(base="model", train=("train.tsv",))], ids=["train", "tune"])
def test_the_defaults_are_settings_that_can_be_written_and_read(tmp_path, given):
    file = tmp_path / "defaults.yaml"
    file.write_text(to_yaml(given, comments=True))
    told = {} if given == Train() else {"base": "model", "train": ["train.tsv"]}
    assert resolve(type(given), file, ()) == given == from_mapping(type(given), told)


def test_every_example_is_a_settings_file_without_fault(root):
    examples = sorted((root / "examples").glob("*.yaml"))
    assert examples
    for example in examples:
        given = resolve(Tune if example.name.startswith("tune-") else Train, example, ())
        check(given)
