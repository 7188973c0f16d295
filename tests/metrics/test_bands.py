"""Widened bands hold what they promise, on data where that is known."""

import json

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.metrics.bands import Widening, kept_up, of_late, ratios
from seqwise.metrics.numbers import BANDS

H, C = 4, 2


def forecast(n, seed, wide=1.0, shape="normal"):
    """Truths of a known spread, and bands of a forecast that thinks the spread is 1."""
    random = np.random.default_rng(seed)
    spread = np.linspace(1, 2, H)[:, None] * np.array([0.5, 3.0]) * wide  # by step and target
    errors = random.standard_t(4, (n, H, C)) if shape == "heavy" else random.normal(size=(n, H, C))
    median = random.normal(size=(n, H, C))
    return median + spread * errors, median, spread


def found_of(truth, median):
    return np.stack([ratios(truth, median, median - k, median + k) for k in (1, 2, 3)])


def test_a_ratio_of_a_normal_forecast_is_its_z_by_the_band():
    truth, median, _ = forecast(5, 1)
    np.testing.assert_allclose(ratios(truth, median, median - 2, median + 2), np.abs(truth - median) / 2)
    lopsided = ratios(truth, median, median - 1, median + 4)
    np.testing.assert_allclose(lopsided, np.where(truth > median, (truth - median) / 4, median - truth))


def test_the_factor_of_a_normal_forecast_is_its_spread():
    truth, median, spread = forecast(20_000, 2)
    fitted = Widening.fit(found_of(truth, median))
    np.testing.assert_allclose(fitted.factors, np.broadcast_to(spread, (3, H, C)), rtol=0.08)
    np.testing.assert_allclose(fitted.sd, spread, rtol=0.03)


@pytest.mark.parametrize("shape", ["normal", "heavy"])
def test_new_data_lie_in_the_bands_as_often_as_promised(shape):
    truth, median, _ = forecast(4000, 3, shape=shape)
    fitted = Widening.fit(found_of(truth, median))
    truth, median, _ = forecast(4000, 4, shape=shape)
    shares = fitted.held(found_of(truth, median)).mean((1, 2, 3))
    for share, level in zip(shares, BANDS, strict=True):
        assert abs(share - level) < 0.01


def test_a_widened_band_ends_where_its_factor_says():
    truth, median, _ = forecast(600, 5)
    found = found_of(truth, median)
    fitted = Widening.fit(found)
    for k in range(3):
        low, high = fitted.band(k, median, median - (k + 1), median + (k + 1))
        held = (low <= truth) & (truth <= high)
        np.testing.assert_array_equal(held, fitted.held(found)[k].astype(bool))


def test_few_windows_borrow_from_steps_nearby_and_never_promise_what_they_cannot_know():
    """Of ten ratios none lies beyond 99.73 %: the widest band has the factor of the one before it."""
    truth, median, _ = forecast(10, 6)
    fitted = Widening.fit(found_of(truth, median)[:, :, :1])
    assert np.isfinite(fitted.factors).all()
    np.testing.assert_array_equal(fitted.factors[2], fitted.factors[1])
    many = Widening.fit(found_of(*forecast(10, 6)[:2]))
    np.testing.assert_array_equal(many.factors[:, 0], many.factors[:, -1])  # all steps lend to all


def test_one_window_widens_nothing_beyond_what_it_shows():
    fitted = Widening.fit(np.full((3, 1, 1, 1), 5.0))
    assert fitted.factors[:, 0, 0].tolist() == [1.0, 1.0, 1.0]


def test_missing_truths_are_passed_over():
    truth, median, _ = forecast(1200, 7)
    found = found_of(truth, median)
    holes = found.copy()
    holes[:, ::2] = np.nan
    assert np.isnan(Widening.fit(holes).held(holes)[:, ::2]).all()
    np.testing.assert_allclose(Widening.fit(holes).factors, Widening.fit(found[:, 1::2]).factors)
    with pytest.raises(DataError, match="no known values"):
        Widening.fit(np.full((3, 5, H, C), np.nan))


def test_a_widening_survives_its_file():
    fitted = Widening.fit(found_of(*forecast(50, 8)[:2]))
    again = Widening.from_dict(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(again.factors, fitted.factors)
    assert (again.levels, again.n) == (fitted.levels, 50)


def test_bands_that_are_kept_up_follow_a_change():
    """Errors grow threefold: bands fitted before hold too little for ever, those that are kept up recover."""
    calm, wild = forecast(1500, 9), forecast(3000, 10, wide=3.0)
    found = np.concatenate([found_of(*calm[:2]), found_of(*wild[:2])], 1)
    fixed = Widening.fit(found[:, :1500]).held(found[:, 1500:])
    followed = kept_up(found, np.arange(4500), 1500, reach=1000, every=50)
    assert followed.shape == (3, 3000, H, C)
    assert fixed[0].mean() < 0.3
    assert abs(followed[0, 1500:].mean() - BANDS[0]) < 0.03
    assert abs(followed[1, 1500:].mean() - BANDS[1]) < 0.02


def test_nothing_of_the_future_is_used():
    """Truths that have not come yet change no band; each counts from the step on at which it came."""
    truth, median, _ = forecast(120, 11)
    found, origins = found_of(truth, median), np.arange(120)
    before = kept_up(found, origins, 80, reach=1000)
    later = found.copy()
    comes = origins[:, None] + 1 + np.arange(H)  # (N, H)
    later[:, comes > 100] *= 100
    after = kept_up(later, origins, 80, reach=1000)
    known = comes[80:] <= 100  # of the windows judged, truths that were not changed
    np.testing.assert_array_equal(after[:, :21][:, known[:21]], before[:, :21][:, known[:21]])
    assert (after[:, 30:] != before[:, 30:]).any()
    unfitted = kept_up(found, origins, 0, reach=10)[:, 0]
    np.testing.assert_array_equal(unfitted, found[:, 0] <= 1)


def test_only_truths_of_late_count():
    found = np.ones((1, 6, 3, 1))
    came = ~np.isnan(of_late(found, np.arange(6), 6, reach=2)[0, :, :, 0])
    #  window n foresees steps n + 1, n + 2, n + 3; at origin 6 those of the last two are 5 and 6
    expected = np.array([[n + 1 + h in (5, 6) for h in range(3)] for n in range(6)])
    np.testing.assert_array_equal(came, expected)
