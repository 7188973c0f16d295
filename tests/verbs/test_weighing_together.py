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
        (["lora-r8", "lora-r16"], [8, 16], [("lora-r8", (0,)), ("lora-r16", (1,))]),
        (["lora_s1", "lora_s2"], [1, 2], [("lora_s", (0, 1))]),
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
    assert titles(["base.jsonl", "lora/said.jsonl", "full/said.jsonl.gz"]) == ["base", "lora", "full"]
    assert titles(["base/said.jsonl", "lora/said.jsonl"]) == ["base", "lora"]
    assert titles(["base/said.jsonl", "said.jsonl"]) == ["base", "said"]
    assert titles(["base.jsonl", "x/lora.jsonl", "y/full.jsonl"]) == ["base", "lora", "full"]
    assert titles(["base.jsonl", "../x/said.jsonl", "../y/said.jsonl"]) == ["base", "x", "y"]
    assert titles(["base.jsonl", "lora.jsonl", "./lora.jsonl"]) == ["base", "lora", "lora"]


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["full/seed1", "full/seed2", "lora/seed1", "lora/seed2", "lora/seed3"], ["full", "lora"]),
        (["a/m-seed1", "a/m-seed2", "b/m-seed1", "b/m-seed3"], ["a-m", "b-m"]),
        (["seed1/lora", "seed1/full", "seed2/lora", "seed2/full"], ["lora", "full"]),
        (["runs/lora/seed1/p", "runs/lora/seed2/p", "runs/full/seed1/p", "runs/full/seed2/p"], ["lora", "full"]),
        (["full/seed1", "lora/seed2"], ["full-seed1", "lora-seed2"]),
        (["lora/seed1", "lora/seed2"], ["tuned"]),
    ],
)
def test_seeds_of_different_folders_are_of_different_systems(paths, found):
    names = titles([one + ".jsonl" for one in ("base", *paths)])[1:]
    assert [name for name, _ in systems(names)] == found


def written(folder, name, chance, share=0.6):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"id": i, "score": chance.random() < share}) + "\n" for i in range(60)), "utf-8")
    return str(path)


def test_the_note_tells_paths_where_files_are_called_alike(tmp_path):
    chance = random.Random(3)
    names = ["base.jsonl", "full/seed1.jsonl", "full/seed2.jsonl", "lora/seed1.jsonl", "lora/seed2.jsonl"]
    files = [written(tmp_path, name, chance) for name in names]
    found = seqwise.weigh(*files).verdict
    assert found.tuned == ("full", "lora")
    assert f"{files[1]} and {files[2]} are taken for 2 seeds of one system, full" in found.notes


def test_a_file_by_itself_keeps_its_name(tmp_path):
    chance = random.Random(4)
    names = ["base.jsonl", "lora-seed1.jsonl", "lora-seed2.jsonl", "lora.jsonl", "base-seed1.jsonl", "base-seed2.jsonl"]
    found = seqwise.weigh(*(written(tmp_path, name, chance) for name in (*names, "tuned.jsonl"))).verdict
    assert found.tuned == ("lora 2", "lora", "tuned 2", "tuned")


def test_files_and_seeds_that_say_the_same_are_told(tmp_path):
    chance = random.Random(7)
    base, one, other = (written(tmp_path, f"{name}.jsonl", chance) for name in ("base", "lora-seed1", "lora-seed2"))
    copied = tmp_path / "lora-seed3.jsonl"
    copied.write_text("".join(reversed((tmp_path / "lora-seed1.jsonl").read_text().splitlines(keepends=True))))
    told = f"{one} and {copied} say the same of every item: if one is a copy, it counts as a training that never was"
    assert told in seqwise.weigh(base, one, other, str(copied)).verdict.notes
    assert not [note for note in seqwise.weigh(base, one, other).verdict.notes if "copy" in note]
    rows = [json.loads(line) for line in (tmp_path / "lora-seed1.jsonl").read_text().splitlines()]
    whole = tmp_path / "lora.jsonl"
    whole.write_text("".join(json.dumps({**row, "seed": seed}) + "\n" for seed in (1, 2) for row in rows))
    (note,) = [note for note in seqwise.weigh(base, str(whole)).verdict.notes if "copy" in note]
    assert note.startswith(f"seed 1 of {whole} and seed 2 of {whole} say the same")


def test_seeds_of_the_same_labels_and_other_losses_are_no_copies(tmp_path):
    chance = random.Random(7)
    for name in ("base", "a-seed1", "a-seed2"):
        rows = ({"id": i, "prediction": "pos", "loss": round(chance.random(), 4)} for i in range(40))
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [str(tmp_path / f"{name}.jsonl") for name in ("base", "a-seed1", "a-seed2")]
    found = seqwise.weigh(*files, metric="loss").verdict
    assert not [note for note in found.notes if "copy" in note]


def test_a_base_of_a_seed_is_one_training_of_it(tmp_path):
    """What another seed of the base would have made is told to be unknown, as of a base that is a run."""
    chance = random.Random(5)
    base = written(tmp_path, "base-seed1.jsonl", chance, 0.3)
    tuned = [written(tmp_path, f"lora-seed{seed}.jsonl", chance, 0.9) for seed in (1, 2, 3)]
    found = {one.question: one for one in seqwise.weigh(base, *tuned).verdict.findings}
    assert found["gain"].test.n["seeds of the base"] == 1
    assert found["luck"].answer == "cannot tell"


def test_another_seed_of_the_base_is_told_to_be_one(tmp_path):
    chance = random.Random(6)
    files = [written(tmp_path, f"base-seed{seed}.jsonl", chance, share) for seed, share in ((1, 0.3), (2, 0.9))]
    found = seqwise.weigh(*files).verdict
    assert found.worth == "cannot tell"
    assert "both are of one recipe" in found.sentence
    other = written(tmp_path, "lora-seed2.jsonl", chance, 0.9)
    assert "one recipe" not in seqwise.weigh(files[0], other).verdict.sentence


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
