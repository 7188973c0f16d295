"""Files that are one system by their seeds, and what files are called."""

import json
import random

import numpy as np
import pytest

import seqwise
from seqwise.verbs.weighing.together import joint, titles, with_seed
from seqwise.verdict.scored import Measure, Scored

RIGHT = Measure("accuracy", "right")


def rows(seed=None):
    return (Scored("it", "test", RIGHT, ("1", "2"), np.array([True, False]), seed=seed),)


def systems(names, seeds=None):
    files = [rows(seed) for seed in seeds or [None] * len(names)]
    return [(one.name, one.files) for one in joint(names, files)]


@pytest.mark.parametrize(
    ("names", "seeds", "found"),
    [
        (["lora-seed1", "full", "lora-seed2"], None, [("lora", (0, 2)), ("full", (1,))]),
        (["seed_1", "seed_2"], None, [("tuned", (0, 1))]),
        (["lora-seed1-r8", "lora-seed2-r8"], None, [("lora-r8", (0, 1))]),
        (["lora-1", "lora-2"], [1, 2], [("lora", (0, 1))]),
        (["lora.42", "lora.43", "full.42"], [42, 43, 42], [("lora", (0, 1)), ("full.42", (2,))]),
        (["lora-1", "lora-2"], None, [("lora-1", (0,)), ("lora-2", (1,))]),
        (["lora8", "lora16"], [1, 2], [("lora8", (0,)), ("lora16", (1,))]),
        (["lora-seed1", "full-seed1"], None, [("lora-seed1", (0,)), ("full-seed1", (1,))]),
        (["lora-seed1", "lora-seed01"], None, [("lora-seed1", (0,)), ("lora-seed01", (1,))]),
        (["lora-seed1", "reseed2"], None, [("lora-seed1", (0,)), ("reseed2", (1,))]),
    ],
)
def test_files_whose_names_differ_by_the_seed_alone_are_one_system(names, seeds, found):
    assert systems(names, seeds) == found


def test_a_seed_in_the_file_goes_before_that_of_its_name():
    assert with_seed("lora-seed3", rows())[0].seed == 3
    assert with_seed("lora-seed3", rows(7))[0].seed == 7


def test_files_of_one_name_are_called_by_their_folders():
    assert titles("base.jsonl", ["lora/said.jsonl", "full/said.jsonl.gz"]) == ["lora", "full"]
    assert titles("base/said.jsonl", ["lora/said.jsonl"]) == ["lora"]
    assert titles("base/said.jsonl", ["said.jsonl"]) == ["said"]
    assert titles("base.jsonl", ["x/lora.jsonl", "y/full.jsonl"]) == ["lora", "full"]


def test_the_luckiest_of_three_seeds_is_not_shown_for_all(tmp_path):
    """One file a seed gives the answer that one file of all seeds gives."""
    chance = random.Random(7)
    base = [{"id": i, "score": chance.random() < 0.6} for i in range(300)]
    seeds = {
        seed: [{"id": i, "score": chance.random() < 0.7 if i % 3 == 0 else base[i]["score"]} for i in range(300)]
        for seed in (1, 2, 3)
    }

    def written(name, found):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
        return str(tmp_path / name)

    first = written("base.jsonl", base)
    each = [written(f"lora-seed{seed}.jsonl", found) for seed, found in seeds.items()]
    whole = written("lora.jsonl", [{**row, "seed": seed} for seed, found in seeds.items() for row in found])
    apart, together = seqwise.weigh(first, *each).verdict, seqwise.weigh(first, whole).verdict
    assert apart.tuned == ("lora",)
    assert apart.sentence == together.sentence
    assert next(one.system for one in apart.findings if one.question == "cost") == "lora"
    assert "lora-seed1.jsonl, lora-seed2.jsonl and lora-seed3.jsonl are taken for 3 seeds of one system, lora" in (
        apart.notes
    )
