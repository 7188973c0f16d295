"""With a stand-in for the settings of training, and once with the real ones."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Annotated

import jsonschema
import pytest
import yaml

from seqwise.config import Range, resolve
from seqwise.errors import ConfigError, Fault
from seqwise.verbs.config import config


@dataclass(frozen=True)
class Model:
    """The model."""

    width: Annotated[int, Range(2)] = 256
    """Size of a vector. Large is slow."""


@dataclass(frozen=True)
class Train:
    """What to train."""

    train: tuple[str, ...] = ()
    """The files."""
    out: str = "runs/one"
    """The folder."""
    model: Model = field(default_factory=Model)
    """Which model."""

    def faults(self) -> Iterator[Fault]:
        """Nothing to learn from."""
        if not self.train:
            yield Fault("no --train", "files to learn from", "--train a.en a.fr")


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("seqwise.tasks")
    module.Train = Train
    monkeypatch.setitem(sys.modules, "seqwise.tasks", module)


@pytest.mark.usefixtures("stand_in")
def test_show_prints_every_setting_with_its_meaning_and_what_is_not_ready():
    assert config("show") == (
        "# not ready: no --train: needs files to learn from. Try --train a.en a.fr.\n"
        "# The files.\n"
        "train: []\n"
        "# The folder.\n"
        "out: runs/one\n"
        "\n"
        "# Which model.\n"
        "model:\n"
        "  # Size of a vector.\n"
        "  width: 256\n"
    )


@pytest.mark.usefixtures("stand_in")
def test_what_show_prints_is_a_file_to_train_with(tmp_path):
    file, shown = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_text("train: [x]\nmodel: {width: 8}\n")
    for words in ([str(file)], ["--config", str(file)]):
        shown.write_text(config("show", *words, "--out", "there"))
        assert resolve(Train, shown) == Train(("x",), "there", Model(8))


@pytest.mark.usefixtures("stand_in")
def test_show_refuses_what_cannot_be_read():
    with pytest.raises(ConfigError, match="2 faults"):
        config("show", "--width", "1", "--outt", "a")


@pytest.mark.usefixtures("stand_in")
def test_schema_prints_json_schema_that_accepts_what_show_prints():
    told = json.loads(config("schema"))
    jsonschema.Draft202012Validator(told).validate(yaml.safe_load(config("show")))
    assert told["properties"]["model"]["properties"]["width"]["description"] == "Size of a vector. Large is slow."
    with pytest.raises(ConfigError, match="none after schema"):
        config("schema", "--out", "a")


@pytest.mark.parametrize("model", ["transformer", "lstm"])
def test_the_real_settings_go_to_a_file_and_back(tmp_path, model):
    from seqwise import tasks

    file = tmp_path / "shown.yaml"
    file.write_text(config("show", "--model", model, "--train", "a.en", "a.fr"))
    settings = resolve(tasks.Train, file)
    assert (settings.model.kind, settings.train) == (model, ("a.en", "a.fr"))
    assert settings == resolve(tasks.Train, None, ["--model", model, "--train", "a.en", "a.fr"])
    validator = jsonschema.Draft202012Validator(json.loads(config("schema")))
    validator.validate(yaml.safe_load(file.read_text()))


def test_every_real_setting_has_a_meaning():
    from seqwise import tasks
    from seqwise.config import describe

    rows = describe(tasks.Train)
    assert [row.name for row in rows if not row.meaning] == []
