"""Oracles: the statistics reference (O14), scipy's curve_fit, brute force over the law's parameters, made worlds."""

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize

from seqwise.errors import ConfigError, DataError
from seqwise.verdict import curve, powerlaw
from seqwise.verdict.curve import Point

SIZES = np.array([100, 200, 400, 800, 1600, 3200])
NOISE = np.array([0.004, -0.006, 0.003, 0.002, -0.003, 0.001])
EXACT = 0.1 + 2 * SIZES**-0.5
OWN = [250, 500, 1000, 2000, 4000]


def _world(seed=0, a=40.0, b=0.5, c=5.0, sd=0.5, sizes=OWN, seeds=3, power=0.0):
    """Models of a power law whose scatter is a power of n."""
    rng = np.random.default_rng(seed)
    return [
        Point(n, s, max(0.0, c + a * (n / sizes[0]) ** -b + sd * (n / sizes[-1]) ** -power * rng.normal()))
        for n in sizes
        for s in range(seeds)
    ]


def _made(means, sd=0.3):
    rng = np.random.default_rng(1)
    return [Point(n, s, mean + sd * rng.normal()) for n, mean in zip(OWN, means, strict=True) for s in range(3)]


def test_an_exact_law_is_found_again():
    """O14: a = 2, b = .5, c = .1 foretells .125 at 6,400 and .1177 at 12,800."""
    found = curve.fit([Point(int(n), 0, e) for n, e in zip(SIZES, EXACT, strict=True)], "loss", "")
    assert (found.a, found.b, found.c) == pytest.approx((2, 0.5, 0.1), rel=1e-8)
    assert (found.at(6400), found.at(12800)) == pytest.approx((0.125, 0.11767766952966369), rel=1e-9)
    assert found.gain.value == pytest.approx(EXACT[-1] - 0.125, rel=1e-8)


def test_fit_and_standard_errors_equal_the_reference():
    """O14 with noise: numbers of scipy's curve_fit."""
    law = powerlaw.law(SIZES, EXACT + NOISE)
    assert (law.a, law.b, law.c) == pytest.approx(
        (2.3326832942342812, 0.5371545306826163, 0.10564213473402231), rel=1e-6
    )
    assert law.squares == pytest.approx(6.79157332289302e-05, rel=1e-10)
    assert law.gain == pytest.approx(0.00949793374048086, rel=1e-6)
    errors = (0.7048737078097246, 0.07620247000132935, 0.012769723130142432, 0.0019050500187409525)
    assert law.errors() == pytest.approx(errors, rel=1e-5)
    assert law.around(np.array([6400.0]))[0] == pytest.approx([0.12669683007002489], rel=1e-7)


def test_seeds_weigh_as_curve_fit_would_weigh_them():
    points = _world(power=0.5)
    law = powerlaw.law(np.array([p.n for p in points]), np.array([p.error for p in points]))
    data = law.data
    assert data.weights[-1] == 3
    assert np.all(np.diff(data.weights) >= 0)
    fitted, _ = curve_fit(
        lambda n, a, b, c: c + a * n**-b, data.sizes, data.means, (law.a, law.b, law.c), 1 / np.sqrt(data.weights)
    )
    assert (law.a, law.b, law.c) == pytest.approx(tuple(fitted), rel=1e-4)


@pytest.mark.parametrize("c", [0.0, 5.0])
def test_ends_of_the_interval_are_the_farthest_gains_of_bounded_least_squares(c):
    """Brute force: at each end the best law with that gain costs the critical squares; p is 5 % there."""
    points = _world(c=c, sd=1.0)
    law = powerlaw.law(np.array([p.n for p in points]), np.array([p.error for p in points]))
    within, data = law.interval(law.critical()), law.data

    def best(gain):
        def squares(told):
            b, c = np.exp(told[0]), told[1] ** 2
            h = (data.sizes / 4000) ** -b / (1 - 2**-b)
            return ((data.means - c - gain * h) ** 2) @ data.weights

        starts = [(np.log(b), root) for b in (0.1, 0.4, 1.0) for root in (0.0, 1.0, 2.5)]
        return min(minimize(squares, start, method="Nelder-Mead", options={"fatol": 1e-9}).fun for start in starts)

    for end in (within.low, within.high):
        assert best(end) - law.squares == pytest.approx(law.critical(), rel=1e-2)
        assert law.p(end) == pytest.approx(0.05, abs=1e-3)
    assert law.p(law.gain) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("b", "c", "sd", "power", "sizes", "seeds"),
    [
        (0.15, 0.0, 0.5, 0.0, OWN, 3),
        (0.4, 10.0, 0.5, 0.0, OWN, 3),
        (0.4, 0.0, 2.0, 0.5, OWN, 3),
        (1.0, 10.0, 0.5, 0.5, OWN, 3),
        (0.4, 5.0, 0.5, 0.5, OWN[1:], 2),
    ],
)
def test_the_interval_covers_the_true_gain(b, c, sd, power, sizes, seeds):
    """100 worlds each, N/16 to N; fewer than 84 % would be a defect."""
    gain = 20 * (sizes[-1] / sizes[0]) ** -b * (1 - 2**-b)
    worlds = (_world(seed, 20.0, b, c, sd, sizes, seeds, power) for seed in range(100))
    covered = [gain in curve.doubling(world).interval for world in worlds]
    assert np.mean(covered) >= 0.84


def test_the_answer_follows_the_interval():
    points = _world()
    within = curve.doubling(points).interval
    for least, answer in ((within.low - 0.1, "yes"), (within.high + 0.1, "no"), (within.high - 0.05, "cannot tell")):
        finding, found = curve.enough_data(points, least=least)
        assert (finding.state, finding.answer) == ("MEASURED", answer)
        assert finding.margin == least
        assert found.gain.interval == within == finding.interval
        assert finding.test.rejected == (answer != "cannot tell")
        assert bool(finding.needed) == (answer == "cannot tell")
        assert "8,000 in place of 4,000" in finding.told


def test_as_many_seeds_as_it_says_would_tell_four_times_in_five():
    """If the law is as estimated: 80 worlds of it."""
    points = _world(seed=3, sd=2.0)
    finding, _ = curve.enough_data(points, least=1.5)
    assert finding.answer == "cannot tell"
    assert "seeds of each size in place of 3" in finding.needed
    seeds, law = int(finding.needed.split()[0]), finding.values
    sd = np.sqrt(powerlaw.law(np.array([p.n for p in points]), np.array([p.error for p in points])).variance)
    worlds = (_world(k, law["a"] * 250 ** -law["b"], law["b"], law["c"], sd, seeds=seeds) for k in range(80))
    assert 0.65 <= np.mean([curve.doubling(world).interval.low >= 1.5 for world in worlds]) <= 0.95


def test_too_few_models_say_what_is_lacking():
    finding, found = curve.enough_data(_world(sizes=OWN[:3]), least=1.0)
    assert (finding.state, finding.answer, found) == ("TOO FEW", None, None)
    assert finding.needed == "1 more size with 2 seeds each"
    assert curve.enough_data(_world(seeds=1), least=1.0)[0].state == "TOO FEW"
    assert curve.enough_data([], least=1.0)[0].state == "TOO FEW"


def test_more_data_that_makes_it_worse_is_told():
    finding, found = curve.enough_data(_made((30, 15, 22, 14, 12)), least=1.0)
    assert finding.answer == "cannot tell"
    assert not found.fits
    assert found.gain is None
    assert "rises from" in finding.told
    assert "500 examples" in finding.told
    with pytest.raises(ConfigError, match="does not fit"):
        found.at(5000)


def test_a_law_that_does_not_fit_foretells_nothing():
    finding, found = curve.enough_data(_made((30, 29, 20, 12, 11)), least=1.0)
    assert finding.answer == "cannot tell"
    assert not found.fits
    assert "does not fit: F(" in finding.told
    assert finding.test is None
    assert found.band == ()


def test_a_true_law_is_rarely_refused():
    fits = [curve.fit(_world(seed, sd=1.0)).fits for seed in range(40)]
    assert np.mean(fits) >= 0.85


def test_a_flat_curve_says_no():
    finding, found = curve.enough_data(_made((10, 10, 10, 10, 10)), least=2.0)
    assert finding.answer == "no"
    assert finding.interval.low == 0
    assert any("weakly identified" in note for note in found.notes)


def test_equal_errors_tell_nothing():
    finding, found = curve.enough_data([Point(n, s, 10.0) for n in OWN for s in range(3)], least=1.0)
    assert finding.answer == "cannot tell"
    assert not found.fits


def test_seeds_that_make_no_difference_leave_the_scatter_about_the_curve():
    points = [Point(n, s, 5 + 40 * (n / 250) ** -0.5 + 0.1 * np.sin(n)) for n in OWN for s in range(3)]
    finding, found = curve.enough_data(points, least=1.0)
    assert finding.answer == "yes"
    assert finding.test.df == (2,)
    assert any("seeds that differ" in note for note in found.notes)


def test_the_band_holds_the_curve_and_reaches_twice_the_largest_size():
    found = curve.fit(_world())
    assert (found.band[0].n, found.band[-1].n) == (pytest.approx(250), pytest.approx(8000))
    for band in found.band:
        assert band.error in band.interval
        assert band.error == pytest.approx(found.at(band.n))
    assert found.band[-1].interval.high <= found.band[0].interval.low


def test_nothing_is_foretold_beyond_four_times_the_largest_size():
    found = curve.fit(_world())
    assert found.at(16000) < found.at(4000)
    for n in (16001, 0, -5):
        with pytest.raises(ConfigError, match="16,000"):
            found.at(n)


def test_bad_points_are_refused():
    points = _world()
    for wrong in (Point(250, 0, 3.0), Point(0, 9, 3.0), Point(300, 0, -1.0), Point(300, 0, float("nan"))):
        with pytest.raises(DataError):
            curve.fit([*points, wrong])
    with pytest.raises(DataError, match="4 sizes"):
        curve.fit(_world(sizes=OWN[:3]))
    with pytest.raises(ConfigError, match="least"):
        curve.enough_data(points, least=0.0)
