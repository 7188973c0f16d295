"""Measures, slices, and scores on disk."""

import pickle

import numpy as np
import pytest

from seqwise.errors import ConfigError, DataError
from seqwise.verbs.weighing import keeping, measures, slices
from seqwise.verdict.scored import Scored

SAID, TRUE = ["a b c d e", "b c d e f g", "x"], [["a b c d e f"], ["b c d e f"], ["y"]]
CASES = ["accuracy", "macro-f1", "exact-match", "bleu", "chrf", "rouge2"]


@pytest.mark.parametrize("metric", CASES)
def test_scores_come_back_from_disk_as_they_were(tmp_path, metric):
    found = measures.compared(metric, SAID, TRUE)
    texts = tuple(row[0] for row in TRUE)
    one = Scored("lora", "test", found.measure, ("1", "2", "3"), found.values, "ab", 3, tuple(SAID), texts,
                 slices={"length": ("short", "long", "long")})  # fmt: skip
    keeping.save(one, tmp_path / "a.npz")
    again = keeping.load(tmp_path / "a.npz", system="again")
    assert (again.system, again.seed, again.measure, again.data) == ("again", 3, one.measure, "ab")
    assert again.value == one.value
    assert (again.outputs, again.slices, again.ids) == (one.outputs, one.slices, one.ids)
    assert np.array_equal(again.values, one.values)


def test_a_damaged_file_of_scores_is_one_line(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="scores that cannot be read") as error:
        keeping.load(tmp_path / "a.npz")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("metric", ["macro-f1", "bleu", "chrf"])
def test_measures_can_be_sent_to_other_processes(metric):
    found = measures.compared(metric, SAID, TRUE)
    assert pickle.loads(pickle.dumps(found.measure)).of(found.values) == found.measure.of(found.values)


def test_perplexity_and_nats_a_token_are_of_the_sums():
    nats, tokens = [2.0, 10.0], [1, 3]
    assert measures.foreseen("loss", nats, tokens).measure.of(np.array([nats, tokens]).T) == pytest.approx(3)
    found = measures.foreseen("perplexity", nats, tokens)
    assert found.measure.of(found.values) == pytest.approx(np.exp(3))
    assert found.measure.lower


def test_a_metric_that_the_task_does_not_have_is_refused():
    assert measures.chosen("auto", "summarize") == "rougeL"
    with pytest.raises(ConfigError, match="--metric bleu for --task classify: needs accuracy, macro-f1"):
        measures.chosen("bleu", "classify")


def test_lengths_are_cut_at_terciles_and_nothing_is_cut_where_all_are_alike():
    found = slices.lengths(["w " * count for count in (1, 2, 3, 10, 11, 12, 30, 40, 50)])
    assert [found.count(name) for name in dict.fromkeys(found)] == [3, 3, 3]
    assert slices.lengths(["two words"] * 9) == ()


def test_scripts_without_spaces_are_cut_by_characters():
    assert "characters" in slices.lengths(["猫" * count for count in range(20, 80, 4)])[0]
