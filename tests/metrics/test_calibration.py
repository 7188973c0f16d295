import json

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from seqwise.errors import DataError
from seqwise.metrics.calibration import (
    COLDEST,
    calibrate,
    chances,
    cover,
    expected_calibration_error,
    fit_temperature,
    reliability,
)

# Worked by hand from these ten texts; the figures stand in the tests below.
CONFIDENCE = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.52])
RIGHT = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 0], dtype=bool)


def of_two(confidence, right):
    """Logits over two labels with that confidence in the first, and the labels that make it right or wrong."""
    return np.stack([np.log(confidence), np.log(1 - confidence)], axis=1), np.where(right, 0, 1)


def sure(n, temperature, labels=4, seed=0):
    """Logits that are too sure by a known temperature: labels are drawn by the chances of the cooler ones."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, labels))
    true = (chances(logits).cumsum(1) > rng.random((n, 1))).argmax(1)
    return temperature * logits, true


def test_the_error_over_bins_is_that_of_ten_texts_by_hand():
    assert expected_calibration_error(CONFIDENCE, RIGHT, 5, "width") == pytest.approx(0.147)
    assert expected_calibration_error(CONFIDENCE, RIGHT, 10, "width") == pytest.approx(0.227)
    assert expected_calibration_error(CONFIDENCE, RIGHT, 5, "mass") == pytest.approx(0.157)


def test_brier_and_surprise_of_the_same_texts():
    """By hand: 0.22829 for the chance of one of two labels, twice that for both; and sklearn's log_loss."""
    logits, true = of_two(CONFIDENCE, RIGHT)
    found = calibrate(logits, true).before
    assert found.brier == pytest.approx(2 * 0.22829)
    assert found.nll == pytest.approx(0.644745204682561)
    assert found.nll == pytest.approx(log_loss(true, chances(logits), labels=[0, 1]))


def test_full_confidence_lies_in_the_last_bin_and_no_bin_is_empty():
    rows = reliability(np.array([1.0, 1.0, 0.5]), np.array([True, False, True]), 10, "width")
    assert [(row.n, row.confidence, row.accuracy) for row in rows] == [(1, 0.5, 1.0), (2, 1.0, 0.5)]


def test_the_order_of_equally_sure_texts_means_nothing():
    rng = np.random.default_rng(0)
    confidence, right = rng.choice([0.6, 0.8], 100), rng.random(100) < 0.7
    order = rng.permutation(100)
    one = expected_calibration_error(confidence, right)
    assert expected_calibration_error(confidence[order], right[order]) == pytest.approx(one)
    logits, true = of_two(confidence, right)
    assert cover(logits[order], true[order]).area == pytest.approx(cover(logits, true).area)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_that_of_torchs_lbfgs_and_near_the_true_one(temperature):
    """Oracle: Guo et al.'s own way, torch.optim.LBFGS on the cross-entropy."""
    logits, true = sure(3000, temperature)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([scale], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15)
    tensors = torch.tensor(logits), torch.tensor(true)

    def closure():
        solver.zero_grad()
        loss = torch.nn.functional.cross_entropy(tensors[0] * scale, tensors[1])
        loss.backward()
        return loss

    solver.step(closure)
    found = fit_temperature(logits, true)
    assert found == pytest.approx(1 / float(scale.detach()), rel=1e-4)
    assert found == pytest.approx(temperature, rel=0.06)
    assert found == fit_temperature(logits, true)


def test_a_temperature_mends_a_model_that_is_too_sure_of_itself():
    logits, true = sure(4000, 3.0)
    found = calibrate(logits, true)
    assert found.before.mass > 0.15
    assert found.after.mass < 0.03
    assert found.after.nll < found.before.nll
    assert not found.given
    assert found.temperatures == pytest.approx((3.0, 3.0), rel=0.1)
    assert found.temperatures[0] != found.temperatures[1]
    assert "each half judged by the other's" in found.told


def test_what_chance_alone_does_is_told():
    """A calibrated model's error over many test sets is near what is foretold, though it is not 0."""
    seen = [calibrate(*sure(300, 1.0, seed=seed)) for seed in range(30)]
    errors, told = np.mean([one.before.mass for one in seen]), np.mean([one.chance for one in seen])
    assert told > 0.02
    assert errors == pytest.approx(told, rel=0.15)


def test_a_temperature_on_the_texts_it_is_judged_by_looks_better_than_across_halves(monkeypatch):
    """Why halves are crossed: on few texts the same ones flatter, on the mean over many sets."""
    monkeypatch.setattr("seqwise.metrics.calibration.DRAWN", 1)
    gains = []
    for seed in range(60):
        logits, true = sure(30, 1.0, labels=8, seed=seed)
        same = calibrate(logits, true, temperature=fit_temperature(logits, true))
        gains.append(calibrate(logits, true).after.nll - same.after.nll)
    assert np.mean(gains) > 0
    assert same.given


def test_too_few_texts_and_texts_that_are_all_right():
    logits, true = of_two(CONFIDENCE, RIGHT)
    assert calibrate(logits, true).after is None
    assert "too few texts" in calibrate(logits, true).told
    perfect = np.eye(3)[np.arange(60) % 3] * 5
    found = calibrate(perfect, np.arange(60) % 3)
    assert all(COLDEST <= temperature < 0.2 for temperature in found.temperatures)
    json.dumps(found.to_dict(), allow_nan=False)


def test_accuracy_against_coverage_by_hand():
    found = cover(*of_two(CONFIDENCE, RIGHT))
    assert [point.accuracy for point in found.points] == pytest.approx([6 / 10, 6 / 9, 5 / 8, 5 / 7, 4 / 6, 4 / 5])
    curve = [1, 1, 2 / 3, 3 / 4, 4 / 5, 4 / 6, 5 / 7, 5 / 8, 6 / 9, 6 / 10]
    assert found.area == pytest.approx(np.mean(curve))
    assert found.best == pytest.approx(np.mean([1, 1, 1, 1, 1, 1, 6 / 7, 6 / 8, 6 / 9, 6 / 10]))
    assert found.points[-1].threshold == pytest.approx(0.75)
    assert "answering the surest 80 %: 62.5 % right" in found.told
    assert cover(np.array([[1.0, 0.0]]), np.array([0])).area == 1


def test_chances_of_huge_logits_are_no_overflow():
    found = calibrate(np.array([[1e4, -1e4], [3e4, 0.0]] * 20), np.array([0, 1] * 20))
    assert np.isfinite([found.before.nll, found.after.nll, found.before.brier]).all()


def test_bad_input_is_one_clear_line():
    with pytest.raises(DataError, match="0 rows of logits and 0 labels"):
        calibrate(np.zeros((0, 2)), np.zeros(0, dtype=int))
    with pytest.raises(DataError, match="label 5 of 2: needs 0 to 1"):
        cover(np.zeros((1, 2)), np.array([5]))
    with pytest.raises(DataError, match="not finite"):
        fit_temperature(np.full((1, 2), np.nan), np.array([0]))
    with pytest.raises(DataError, match="one logit a text"):
        cover(np.zeros((1, 1)), np.array([0]))
