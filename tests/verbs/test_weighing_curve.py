"""The sizes of a data curve: what was trained on, and not what stands in the files."""

import numpy as np
import pytest
import tunable

from seqwise.tasks.tuning.items import read_all
from seqwise.tasks.tuning.spending import Spending
from seqwise.tasks.weighing.nested import nested
from seqwise.verbs.weighing import keeping
from seqwise.verbs.weighing.trying import Tried, points_of
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.trials import Row, Trial

ACCURACY = Measure("accuracy", "right")


def row(folder, trial, rows, cost):
    """A trial that got a quarter of four items wrong."""
    place = folder / trial.name
    place.mkdir(parents=True)
    right = np.array([True, True, True, False])
    keeping.save(Scored("full", "test", ACCURACY, tuple("abcd"), right, seed=trial.seed), place / "0.npz")
    scores = [{"part": "test", "file": "0.npz", "value": 75.0, "n": 4, "measure": "accuracy"}]
    result = {"run": "run", "rows": rows, "scores": scores, "cost": cost}
    return Row(trial, "MEASURED", 1.0, "2026-01-01", "here", result)


def table(folder, told):
    rows = tuple(row(folder, Trial(seed, fraction, "full"), *found) for (fraction, seed), found in told.items())
    return Tried(rows, {one.trial.name: folder / one.trial.name for one in rows}, ())


def test_sizes_are_the_examples_that_were_trained_on(tmp_path):
    """As `read_all`, by which seqwise tune reads, counts them: without duplicates, what the test holds, validation."""
    train = tmp_path / "train.tsv"
    lines = [f"text {i % 70} of it\t{'good' if i % 2 else 'bad'}\n" for i in range(100)]
    train.write_text("text\tlabel\n" + "".join(lines))
    (tmp_path / "test.tsv").write_text("text\tlabel\n" + "".join(lines[:10]))
    made = tunable.settings(
        tmp_path, tmp_path, task="classify", train=(str(train),), test=(str(tmp_path / "test.tsv"),)
    )
    told = {}
    for fraction in (1.0, 0.5):
        settings, rows = nested(made, fraction, tmp_path / f"part{fraction}")
        spent = Spending("full", 1, 10, 10, len(read_all(settings).train), "cpu").to_dict()
        told[fraction, 1] = (rows, spent)
    points, _, note = points_of(table(tmp_path / "trials", told), "full")
    left = len(set(lines) - set(lines[:10]))
    assert points[0].n < left
    assert [one.n for one in points] == [told[fraction, 1][1]["examples"] for fraction in (1.0, 0.5)]
    assert (points[0].error, note) == (25.0, "")


def test_seeds_of_a_fraction_are_of_one_size(tmp_path):
    told = {(f, seed): (100 * f, {"examples": int(90 * f) + seed}) for f in (1.0, 0.5) for seed in (1, 2, 3)}
    points, _, _ = points_of(table(tmp_path, told), "full")
    assert [one.n for one in points] == [92] * 3 + [47] * 3


@pytest.mark.parametrize("lacking", [None, {}])
def test_where_a_run_wrote_nothing_down_all_sizes_are_rows_and_that_is_told(tmp_path, lacking):
    told = {(1.0, 1): (100, {"examples": 80}), (0.5, 1): (50, lacking)}
    points, _, note = points_of(table(tmp_path, told), "full")
    assert [one.n for one in points] == [100, 50]
    assert note.startswith("Sizes are rows of the training files")
