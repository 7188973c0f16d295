import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from seqwise.errors import DataError
from seqwise.metrics.confusion import confuse


def test_the_matrix_and_each_class_are_scikit_learns():
    """Oracle: sklearn.metrics."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 300)
    found = np.where(rng.random(300) < 0.6, true, rng.integers(0, 4, 300))
    ours = confuse(found, true, ["a", "b", "c", "d", "never"])
    np.testing.assert_array_equal(ours.counts, confusion_matrix(true, found, labels=range(5)))
    expected = precision_recall_fscore_support(true, found, labels=range(5), zero_division=0)
    mine = [(one.precision / 100, one.recall / 100, one.f1 / 100, one.support) for one in ours.classes]
    np.testing.assert_allclose(np.array(mine).T, expected)


def test_the_most_confused_come_first():
    true = np.array([0, 0, 0, 1, 1, 2])
    found = np.array([1, 1, 0, 0, 1, 2])
    ours = confuse(found, true, ["good", "bad", "so so"])
    assert ours.told == "most confused: good taken for bad 2 of 3 times; bad taken for good 1 of 2 times"
    assert json.loads(json.dumps(ours.to_dict()))["mistakes"][0]["count"] == 2
    assert confuse(true, true, ["good", "bad", "so so"]).told == "nothing is confused"


def test_bad_input_is_one_clear_line():
    with pytest.raises(DataError, match="label 2 of 2: needs 0 to 1"):
        confuse(np.array([0, 2]), np.array([0, 1]), ["a", "b"])
    with pytest.raises(DataError, match="0 labels found for 0"):
        confuse(np.zeros(0, dtype=int), np.zeros(0, dtype=int), ["a", "b"])
