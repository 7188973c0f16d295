"""Help, docs and JSON Schema say the same as the classes; jsonschema is the oracle for what the schema means."""

import jsonschema
import pytest
import yaml

from seqwise.config import describe, from_mapping, schema, to_yaml
from seqwise.errors import ConfigError


def test_every_setting_has_name_type_default_limits_and_meaning(kind):
    rows = {(row.name, row.only): row for row in describe(kind)}
    heads = rows["model.heads", "transformer"]
    assert (heads.type, heads.default, heads.limits) == ("whole number", "4", "from 1 to 64")
    assert (heads.meaning, heads.section, heads.required) == ("How many look.", "model", False)
    assert rows["model.width", "lstm"].default == "512"
    assert rows["on_bad_row", ""].choices == ("stop", "skip", "no")
    assert rows["training.time_limit", ""].type == "time or none"
    assert rows["noise.dropout", ""].limits == "from 0 to 0.95"
    assert all(row.meaning for row in rows.values())


def test_the_kind_of_a_union_is_told_once_with_the_meaning_of_the_section(kind):
    (row,) = [row for row in describe(kind) if row.name == "model.kind"]
    assert (row.choices, row.default, row.meaning) == (("transformer", "lstm"), "transformer", "Which model.")


def test_settings_without_section_come_first_then_section_by_section(kind):
    sections = list(dict.fromkeys(row.section for row in describe(kind)))
    assert sections == ["", "model", "model.attention", "training", "noise"] or sections[0] == ""


def validator(kind):
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    return jsonschema.Draft202012Validator(schema(kind))


def test_the_schema_accepts_the_defaults_and_names_each_field(kind):
    told = schema(kind)
    validator(kind).validate(yaml.safe_load(to_yaml(kind())))
    assert told["$schema"].endswith("2020-12/schema")
    assert told["properties"]["out"] == {"type": "string", "description": "Folder of the run.", "default": "runs/one"}
    assert told["additionalProperties"] is False


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"out": "a", "train": ["a", "b"], "resume": True},
        {"train": "one.tsv"},
        {"model": {"width": 8}},
        {"model": {"kind": "transformer", "attention": {"kind": "plain"}}},
        {"model": {"kind": "lstm", "forget_bias": 2}},
        {"training": {"steps": None, "time_limit": "1h30m", "betas": [0.5, 1]}},
        {"training": {"time_limit": 90}},
        {"noise": None},
        {"noise": {"dropout": 0.95}},
    ],
)
def test_what_the_schema_accepts_we_accept(kind, settings):
    validator(kind).validate(settings)
    from_mapping(kind, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"outt": "a"},
        {"resume": "true"},
        {"on_bad_row": "skp"},
        {"model": {"kind": "gru"}},
        {"model": {"forget_bias": 2}},
        {"model": {"kind": "lstm", "heads": 2}},
        {"model": {"heads": 0}},
        {"model": {"heads": 65}},
        {"model": {"attention": {"dropout": 0.96}}},
        {"model": None},
        {"training": {"betas": [0.5]}},
        {"training": {"steps": 1.5}},
        {"training": {"time_limit": "1:30"}},
        {"train": [None]},
    ],
)
def test_what_the_schema_refuses_we_refuse(kind, settings):
    assert not validator(kind).is_valid(settings)
    with pytest.raises(ConfigError):
        from_mapping(kind, settings)
