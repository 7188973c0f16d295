"""verdict.json keeps to its schema, as jsonschema sees it, and the schema knows every field of the results."""

import json
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest

from seqwise.reports.record import to_json
from seqwise.stats import results
from seqwise.verdict.changed import Changed, Item
from seqwise.verdict.cost import Cost
from seqwise.verdict.curve import Curve
from seqwise.verdict.findings import Finding
from seqwise.verdict.trade import Trade
from seqwise.verdict.trend import Trend
from seqwise.verdict.verdict import VERSION, Verdict

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text(encoding="utf-8"))


def check(told):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(told, allow_nan=False)))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"] == {"const": VERSION}


def test_full_hostile_and_empty_verdicts_keep_to_it(verdict, hostile, empty):
    for one in (verdict, hostile, empty):
        check(to_json(one))


def test_what_is_not_finite_is_told_as_text(verdict):
    first = verdict.findings[0]
    effect = replace(first.test.effect, interval=results.Interval(float("-inf"), float("inf")))
    told = to_json(replace(verdict, findings=(replace(first, test=replace(first.test, effect=effect)),)))
    assert told["findings"][0]["test"]["effect"]["interval"] == {"low": "-inf", "high": "inf", "level": 0.95}
    check(told)


@pytest.mark.parametrize("bad", [{"worth": "maybe"}, {"findings": [{}]}, {"more": 1}, {"version": 1}])
def test_what_does_not_keep_to_it_is_refused(verdict, bad):
    with pytest.raises(jsonschema.ValidationError):
        check(to_json(verdict) | bad)


@pytest.mark.parametrize(
    ("kind", "name", "more"),
    [(Verdict, None, {"kind", "version"}), (Finding, "finding", {"asked"}), (results.Test, "test", {"rejected"}),
     (results.Estimate, "estimate", set()), (results.Interval, "interval", set()), (results.Grid, "grid", set()),
     (results.Assumption, "assumption", set()),
     (Curve, "curve", set()), (Trend, "trend", set()), (Trade, "trade", set()), (Cost, "cost", set()),
     (Changed, "changed", set()), (Item, "item", set())],
)  # fmt: skip
def test_the_schema_has_every_field_and_no_other(kind, name, more):
    told = SCHEMA if name is None else SCHEMA["$defs"][name]
    assert set(told["properties"]) == {one.name for one in fields(kind)} | more
    assert set(told["required"]) == set(told["properties"])


def test_the_page_about_it_names_all_that_is_on_top():
    page = (Path(__file__).parents[2] / "docs" / "verdict-json.md").read_text(encoding="utf-8")
    assert [name for name in SCHEMA["properties"] if f"`{name}`" not in page] == []
