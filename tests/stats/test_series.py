"""Series against NIST's autocorrelations, statsmodels where we compute, and formulas where statsmodels does."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.autocorrelation import acf, autocorrelation, pacf
from seqwise.stats.results import Shown
from seqwise.stats.seasons import seasons
from seqwise.stats.series import series
from seqwise.stats.spectrum import spectrum
from seqwise.stats.stationarity import stationarity

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
NIST = DATA / "statistics" / "nist_strd" / "univariate"

MAVRO = """
2.00180 2.00170 2.00180 2.00190 2.00180 2.00170 2.00150 2.00140 2.00150 2.00150
2.00170 2.00180 2.00180 2.00190 2.00190 2.00210 2.00200 2.00160 2.00140 2.00130
2.00130 2.00150 2.00150 2.00160 2.00150 2.00140 2.00130 2.00140 2.00150 2.00140
2.00150 2.00160 2.00150 2.00160 2.00190 2.00200 2.00200 2.00210 2.00220 2.00230
2.00240 2.00250 2.00270 2.00260 2.00260 2.00260 2.00270 2.00260 2.00250 2.00240
"""


def _noise(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def _regression(n=300, weight=0.9, seed=0):
    """Autoregression of order 1."""
    x = _noise(n, seed)
    for place in range(1, n):
        x[place] += weight * x[place - 1]
    return x


def _monthly(n=144, seed=0):
    t = np.arange(n)
    return 100 + 0.5 * t + 10 * np.sin(2 * np.pi * t / 12) + 4 * np.cos(2 * np.pi * t / 6) + _noise(n, seed)


def _pi(digits):
    """Machin's formula."""
    one = 10 ** (digits + 10)

    def arctan(inverse):
        term = total = one // inverse
        n = 1
        while term:
            term //= -inverse * inverse
            n += 2
            total += term // n
        return total

    whole, parts = 4 * (4 * arctan(5) - arctan(239)), []
    while whole:  # Python writes no more than 4,300 digits at once
        whole, part = divmod(whole, 10**1000)
        parts.append(f"{part:01000d}" if whole else str(part))
    return np.array([int(digit) for digit in "".join(reversed(parts))[:digits]], dtype=np.float64)


@pytest.mark.parametrize(
    ("values", "certified", "digits"),
    [
        ([10000001.0, 10000003, 10000002], -0.5, 1e-14),
        ([1.2, *[1.1, 1.3] * 500], -0.999, 1e-14),
        ([1000000.2, *[1000000.1, 1000000.3] * 500], -0.999, 1e-9),
        ([10000000.2, *[10000000.1, 10000000.3] * 500], -0.999, 1e-8),
        ([float(one) for one in MAVRO.split()], 0.937989183438248, 1e-12),
    ],
    ids=["NumAcc1", "NumAcc2", "NumAcc3", "NumAcc4", "Mavro"],
)
def test_lag_1_is_nists(values, certified, digits):
    assert acf(np.array(values), 1)[1] == pytest.approx(certified, rel=digits)


def test_lag_1_of_the_digits_of_pi_is_nists():
    """NIST's file has one wrong digit, and so has the certificate."""
    digits = _pi(5000)
    assert acf(digits, 1)[1] == pytest.approx(-0.00380209763211514, rel=1e-11)
    digits[956] = 3
    assert acf(digits, 1)[1] == pytest.approx(-0.00355099287237972, rel=1e-11)


@pytest.mark.parametrize(("name", "certified"), [("Lew", -0.307304800605679), ("Lottery", -0.120948622967393)])
def test_lag_1_of_the_files_is_nists(name, certified):
    file = NIST / f"{name}.dat"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    lines = file.read_text().splitlines()
    begin = max(place for place, line in enumerate(lines) if line.startswith("Data:")) + 2
    values = np.array([float(line) for line in lines[begin:] if line.strip()])
    assert acf(values, 1)[1] == pytest.approx(certified, rel=1e-13)


def test_autocorrelations_equal_statsmodels():
    from statsmodels.stats.diagnostic import acorr_ljungbox
    from statsmodels.tsa.stattools import acf as theirs
    from statsmodels.tsa.stattools import pacf as partial

    x = _regression(120, 0.6)
    found = autocorrelation(x, 15)
    assert found.acf == pytest.approx(theirs(x, nlags=15, fft=False, result_object=False)[1:], abs=1e-14)
    assert found.pacf == pytest.approx(partial(x, nlags=15, method="ldb")[1:], abs=1e-13)
    _, interval = theirs(x, nlags=15, fft=False, alpha=0.05, result_object=False)
    assert found.high == pytest.approx(np.minimum(1, interval[1:, 1]), abs=1e-12)
    box = acorr_ljungbox(x, lags=[15])
    assert found.ljung_box.statistic == pytest.approx(float(box["lb_stat"].iloc[0]), rel=1e-12)
    assert found.ljung_box.p == pytest.approx(float(box["lb_pvalue"].iloc[0]), rel=1e-9, abs=1e-30)


def test_ljung_box_loses_a_degree_for_each_fitted_parameter():
    x = _noise(100)
    plain, fitted = autocorrelation(x, 10), autocorrelation(x, 10, fitted=2)
    assert fitted.ljung_box.df == (8.0,)
    assert fitted.ljung_box.p == pytest.approx(stats.chi2.sf(plain.ljung_box.statistic, 8))


def test_long_series_go_by_fourier_with_the_same_answer():
    x = _noise(300_000)
    direct = [float((x[: len(x) - lag] - x.mean()) @ (x[lag:] - x.mean())) for lag in (1, 20)]
    total = float(((x - x.mean()) ** 2).sum())
    found = acf(x, 20)
    assert (found[1], found[20]) == (
        pytest.approx(direct[0] / total, abs=1e-13),
        pytest.approx(direct[1] / total, abs=1e-13),
    )


def test_partial_autocorrelation_of_an_autoregression_ends_after_its_order():
    r = 0.7 ** np.arange(1, 6)
    assert pacf(r) == pytest.approx([0.7, 0, 0, 0, 0], abs=1e-15)


def test_autocorrelation_is_told_with_size_and_interval():
    told = autocorrelation(_regression(), name="load").sentences()[0]
    assert told.startswith(
        "Values of load depend on those before: of the autocorrelations at lags 1 to 10 the strongest is 0."
    )
    assert "95 % interval" in told
    assert autocorrelation(_noise(100), name="load").sentences()[0].startswith("No sign that values of load depend")
    assert "the autocorrelation at lag 1 is" in autocorrelation(_noise(9)).sentences()[0]


@pytest.mark.parametrize("lags", [0, 100, 3])
def test_lags_that_cannot_be_are_refused(lags):
    with pytest.raises(ConfigError, match="lags"):
        autocorrelation(_noise(50), lags, fitted=3)


def test_kpss_is_its_formula():
    """eta = sum S(t)² / (n² long-run variance), with Bartlett's weights over as many lags as are told."""
    x = _regression(150, 0.5)
    test = stationarity(x).kpss
    lags = int(test.notes[0].split()[2])
    gaps = x - x.mean()
    variance = float(gaps @ gaps)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(gaps[lag:] @ gaps[:-lag])
    assert test.statistic == pytest.approx(float((np.cumsum(gaps) ** 2).sum()) / (len(x) * variance), rel=1e-9)


def test_adf_without_lags_is_a_t_of_a_regression():
    x = _noise(80, 3)
    test = stationarity(x).adf
    assert test.notes == ("ADF with 0 lagged changes",)
    fit = stats.linregress(x[:-1], np.diff(x))
    assert test.statistic == pytest.approx(fit.slope / fit.stderr, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "trend", "verdict", "words"),
    [
        (_noise(150), False, "stationary", "x keeps to a constant level: ADF refuses a unit root"),
        (np.cumsum(_noise(150)), False, "not stationary", "x does not keep to a constant level: KPSS refuses that"),
        (np.concatenate([_noise(100), 4 + _noise(100, 1)]), False, None, "x"),
        (0.1 * np.arange(150) + _noise(150), True, "stationary", "x keeps to a straight line"),
        (_regression(25, 0.85, 4), False, "cannot tell", "Cannot tell whether x keeps to a constant level or wanders"),
    ],
)
def test_the_outcomes_of_the_two_tests_are_told(values, trend, verdict, words):
    found = stationarity(values, trend, "x", "MW")
    assert verdict in (None, found.verdict)
    assert found.sentences()[0].startswith(words)
    assert "MW" in found.sentences()[0]
    assert "ADF" in found.sentences()[0]


def test_of_a_long_series_the_last_values_are_tested(monkeypatch):
    from seqwise.stats import stationarity as module

    monkeypatch.setattr(module, "LONG", 100)
    x = _noise(150)
    found = stationarity(x)
    assert (found.n, found.of) == (100, 150)
    assert found.adf == stationarity(x[50:]).adf
    assert "the last 100 of 150 values" in found.sentences()[0]


def test_both_may_be_rejected_and_the_sentence_says_what_that_is():
    x = _regression(2000, 0.97, 1)
    x = x + np.linspace(0, 8, 2000)
    found = stationarity(x, name="x")
    assert found.verdict == "both rejected"
    assert "neither wanders like a random walk nor keeps to a constant level" in found.sentences()[0]


def test_p_outside_the_table_is_told_as_such():
    told = stationarity(_noise(100))
    assert told.kpss.p == 0.1
    assert "p > 0.1" in told.sentences()[0]
    assert "p < 0.01" in stationarity(np.cumsum(_noise(300, 2))).sentences()[0]


@pytest.mark.parametrize("values", [np.arange(40.0), np.tile([1.0, -1.0], 20), np.sin(0.3 * np.arange(60))])
def test_series_without_noise_are_refused_by_adf(values):
    with pytest.raises(DataError, match="without error"):
        stationarity(values)


def test_a_series_is_told_in_full():
    found = series(_monthly(), None, "load", "MW")
    assert found.seasons.period == 12
    assert found.seasons.found
    assert found.skipped == ()
    assert len(found.autocorrelation.lags) == 24
    assert isinstance(found, Shown)
    assert len(found.sentences()) == 5
    told = json.loads(json.dumps(found.to_dict()))
    assert told["stationarity"]["verdict"] == found.stationarity.verdict
    assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (_noise(10), ("Stationarity", "Season")),
        (np.arange(40.0), ("Stationarity", "Season", "Spectrum")),
        (np.tile([1.0, -1.0], 20), ("Stationarity",)),
        (np.concatenate([np.zeros(39), [1.0]]), ("Season",)),
    ],
)
def test_what_cannot_be_answered_is_left_out_with_the_reason(values, missing):
    found = series(values, name="x")
    assert tuple(sentence.split(" of ")[0] for sentence in found.skipped) == missing
    assert all("left out:" in sentence and sentence.endswith(".") for sentence in found.skipped)
    assert found.sentences()[0]


@pytest.mark.parametrize(
    "values",
    [
        np.array([]),
        np.array([1.0, 2.0]),
        np.full(30, 2.5),
        1e8 + 1e-9 * _noise(30),
        np.array([1.0, np.nan] * 10),
        np.array([1.0, np.inf] * 10),
    ],
)
def test_bad_series_are_one_clear_error(values):
    for ask in (series, autocorrelation, spectrum, seasons, stationarity):
        with pytest.raises(DataError):
            ask(values)


def test_a_period_that_does_not_fit_is_refused():
    for period in (1, 31):
        with pytest.raises(ConfigError, match="period"):
            series(_noise(60), period)
