"""A linear probe, against scikit-learn's own pipeline on the same folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqwise.errors import DataError
from seqwise.tasks.weighing.probe import folds, probed


def test_a_probe_says_what_a_pipeline_of_scikit_learn_says():
    chance = np.random.default_rng(1)
    labels = ["a", "b", "c"] * 30
    rows = chance.normal(size=(90, 6)) + 0.8 * np.eye(6)[[0, 1, 2] * 30] * 3 + 5
    found = probed(rows, labels)
    made = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    expected = cross_val_predict(made, rows, labels, cv=PredefinedSplit(folds(labels)))
    assert list(found) == expected.tolist()


def test_each_fold_has_as_many_of_each_label():
    labels = ["a"] * 23 + ["b"] * 11
    found = folds(labels)
    for name in ("a", "b"):
        counts = np.bincount(found[[one == name for one in labels]], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(found, folds(labels))


def test_too_few_texts_are_refused():
    with pytest.raises(DataError, match="4 texts of 2 labels for a probe"):
        probed(np.zeros((4, 2)), ["a", "b", "a", "b"])
