"""Parts of the training files lie within each other, whatever the format."""

import json
import random
from dataclasses import replace

import polars
import pytest

from seqwise.data.text import TextSettings
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.tuning import Tune
from seqwise.tasks.tuning.items import read
from seqwise.tasks.weighing.nested import nested, ranked


def test_each_part_lies_within_the_next_and_has_as_many_of_each_label():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    order = ranked(100, labels)
    assert sorted(order) == list(range(100))
    assert order == ranked(100, labels)
    for count in (20, 50, 90):
        told = [labels[row] for row in order[:count]]
        for name, share in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
            assert abs(told.count(name) - share * count) <= 1.5


ROWS = [(f'word, "{i}"', "good" if i % 3 else "bad") for i in range(24)]


def write(folder, form):
    path = folder / f"train.{form}"
    frame = polars.DataFrame({"text": [a for a, _ in ROWS], "label": [b for _, b in ROWS]})
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "csv":
        frame.with_columns(polars.col("text").str.replace(",", ",\n")).write_csv(path)
    elif form == "tsv":
        path.write_text("text\tlabel\n" + "".join(f"{a}\t{b}\n" for a, b in ROWS))
    else:
        path.write_text("".join(json.dumps({"text": a, "label": b}) + "\n" for a, b in ROWS))
    return str(path)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_rows_of_any_format_are_read_again_as_they_were(tmp_path, form):
    settings = Tune(base="b", task="classify", train=(write(tmp_path, form),))
    every = read(settings, settings.train, [])
    parts = []
    for fraction in (0.25, 0.5, 1.0):
        made, count = nested(settings, fraction, tmp_path / str(fraction))
        items = read(made, made.train, [])
        assert len(items) == count == 24 * fraction
        parts.append(set(zip(items.texts, items.wanted, strict=True)))
    assert parts[0] < parts[1] < parts[2] == set(zip(every.texts, every.wanted, strict=True))


def test_each_seed_has_examples_of_its_own(tmp_path):
    settings = Tune(base="b", task="classify", train=(write(tmp_path, "tsv"),))
    told = []
    for seed in (1, 2):
        made, _ = nested(replace(settings, training=replace(settings.training, seed=seed)), 0.5, tmp_path / str(seed))
        told.append(set(read(made, made.train, []).texts))
    assert told[0] != told[1]


def test_aligned_files_stay_aligned_in_their_encoding(tmp_path):
    chance = random.Random(1)
    words = [f"é{chance.random()}" for _ in range(40)]
    for side in ("en", "fr"):
        (tmp_path / f"a.{side}").write_bytes("".join(f"{side} {word}\n" for word in words).encode("latin-1"))
    data = TextSettings(encoding="latin-1")
    settings = Tune(
        base="b", task="translate", train=tuple(str(tmp_path / f"a.{side}") for side in ("en", "fr")), data=data
    )
    made, count = nested(settings, 0.5, tmp_path / "part")
    items = read(made, made.train, [])
    assert len(items) == count == 20
    assert all(a[3:] == b[3:] for a, b in zip(items.texts, items.wanted, strict=True))


def test_conversations_are_copied_whole(tmp_path):
    rows = [
        {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}"}]}
        for i in range(8)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Tune(base="b", task="generate", train=(str(tmp_path / "a.jsonl"),))
    made, _ = nested(settings, 0.5, tmp_path / "part")
    items = read(made, made.train, [])
    assert [(text[1:], wanted[1:]) for text, wanted in zip(items.texts, items.wanted, strict=True)] == [
        (wanted[1:], wanted[1:]) for wanted in items.wanted
    ]


def test_what_cannot_be_parted_is_refused(tmp_path):
    settings = Tune(base="b", task="classify", train=(write(tmp_path, "tsv"),))
    with pytest.raises(DataError, match=r"0\.05 of 24 training examples, which is 1: needs 4 at least"):
        nested(settings, 0.05, tmp_path / "part")
    with pytest.raises(ConfigError, match="a fraction of 2"):
        nested(settings, 2, tmp_path / "part")


def test_a_list_in_json_has_no_lines_to_copy(tmp_path):
    rows = [{"instruction": f"q{i}", "output": f"a{i}"} for i in range(8)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    settings = Tune(base="b", task="generate", train=(str(tmp_path / "a.json"),))
    with pytest.raises(DataError, match="a file with an example a line, or Parquet") as error:
        nested(settings, 0.5, tmp_path / "part")
    assert len(str(error.value).splitlines()) == 1
