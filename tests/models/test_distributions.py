"""Distributions against scoringrules, scipy, torch.distributions, integrals done by hand, and each other."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scoringrules
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from seqwise.models.distributions import BANDS, LEVELS, Normal, Quantiles, StudentT, bent, bounded, count, told
from seqwise.models.normal import normal_crps, normal_nll
from seqwise.models.quantiles import SCORES
from seqwise.models.student import student_cdf

HEADS = ("normal", "student", "quantiles")


def number(value, **kind):
    return torch.tensor(value, dtype=torch.float64, **kind)


def some(head, shape=(4, 3), seed=0):
    """A distribution of each kind, in fp64 where the head has it."""
    generator = torch.Generator().manual_seed(seed)
    return bounded(head, torch.randn(*shape, count(head), generator=generator))


def doubled(found):
    """The same in fp64."""
    return type(found)(*(getattr(found, name).double() for name in found.__dataclass_fields__))


# --- normal: the numbers of the reference ---


@pytest.mark.parametrize(
    ("mean", "sd", "y", "expected"),
    [
        (0, 1, 0, 0.233694977255109),
        (0, 1, 1, 0.602441357627616),
        (0, 1, 3, 2.43657472508634),
        (2, 0.5, 1, 0.726395910842952),
        (0, 1, 40, 39.4358104164522),
    ],
)
def test_crps_of_a_normal_is_the_published_number(mean, sd, y, expected):
    found = normal_crps(number(mean), number(sd), number(y))
    assert float(found) == pytest.approx(expected, rel=1e-14)
    assert float(found) == pytest.approx(float(scoringrules.crps_normal(y, mean, sd)), rel=1e-13)


def test_gradients_of_crps_are_the_published_numbers():
    mean, sd = number(0.0, requires_grad=True), number(1.0, requires_grad=True)
    normal_crps(mean, sd, number(1.0)).backward()
    assert float(mean.grad) == pytest.approx(-0.682689492137086, rel=1e-14)
    assert float(sd.grad) == pytest.approx(-0.0802481345094695, rel=1e-14)


@given(st.floats(-5, 5), st.floats(0.05, 5), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_gradients_of_crps_are_its_slopes(mean, sd, y):
    mean, sd, y = number(mean, requires_grad=True), number(sd, requires_grad=True), number(y, requires_grad=True)
    normal_crps(mean, sd, y).backward()
    h = 1e-6
    for k, given_ in enumerate((mean, sd, y)):
        ends = []
        for step in (h, -h):
            moved = [part.detach() for part in (mean, sd, y)]
            moved[k] = moved[k] + step
            ends.append(float(normal_crps(*moved)))
        assert float(given_.grad) == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("sd", [0.0, 1e-38, 1e-20, 1e-8])
@pytest.mark.parametrize("y", [1.0, 2.0, 5.0])
def test_crps_of_a_point_is_the_distance(sd, y):
    """scoringrules gives not a number at 0."""
    mean, sd = torch.tensor(2.0, requires_grad=True), torch.tensor(sd, requires_grad=True)
    found = normal_crps(mean, sd, torch.tensor(y))
    found.backward()
    assert float(found.detach()) == pytest.approx(abs(y - 2), abs=1e-7)
    assert math.isfinite(mean.grad)
    assert math.isfinite(sd.grad)


def test_log_score_of_a_normal():
    assert float(normal_nll(number(2.0), number(0.5), number(1.0))) == pytest.approx(2.22579135264473, rel=1e-14)
    mean, sd, y = torch.randn(5), torch.rand(5) + 0.1, torch.randn(5)
    torch.testing.assert_close(normal_nll(mean, sd, y), -torch.distributions.Normal(mean, sd).log_prob(y))


# --- student ---


@pytest.mark.parametrize("df", [2.1, 3.0, 7.5, 40.0, 1e4])
def test_student_against_scipy_and_scoringrules(df):
    y = np.array([-30.0, -3.0, -0.1, 0.0, 0.4, 2.0, 11.0, 400.0])
    found = StudentT(number([0.5] * 8), number([1.5] * 8), number([df] * 8))
    given_ = torch.from_numpy(y)
    oracle = stats.t(df, 0.5, 1.5)
    np.testing.assert_allclose(found.cdf(given_), oracle.cdf(y), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.nll(given_), -oracle.logpdf(y), rtol=1e-9)
    np.testing.assert_allclose(found.crps(given_), scoringrules.crps_t(y, df, 0.5, 1.5), rtol=2e-9)
    np.testing.assert_allclose(
        StudentT(*(p[1:6] for p in (found.location, found.scale, found.df))).quantile(
            torch.from_numpy(oracle.cdf(y[1:6]))
        ),
        y[1:6],
        atol=1e-7,
    )
    assert float(found.sd[0]) == pytest.approx(oracle.std(), rel=1e-9)


@pytest.mark.parametrize("z", [-12.0, -0.7, 0.0, 1.3, 60.0])
@pytest.mark.parametrize("df", [2.3, 5.0, 60.0])
def test_student_learns_its_degrees_of_freedom(z, df):
    """The derivative by df, which no closed form gives, is the slope of scipy's distribution function."""
    given_ = number(df, requires_grad=True)
    student_cdf(number(z), given_).backward()
    h = 1e-4
    assert float(given_.grad) == pytest.approx((stats.t.cdf(z, df + h) - stats.t.cdf(z, df - h)) / (2 * h), abs=2e-9)


def test_student_crps_has_exact_gradients():
    parts = [number(v, requires_grad=True) for v in (0.3, 1.7, 4.2)]
    StudentT(*parts).crps(number(2.0)).backward()
    values, h = (0.3, 1.7, 4.2), 1e-5
    for k, part in enumerate(parts):
        ends = [
            float(scoringrules.crps_t(2.0, v[2], v[0], v[1]))
            for v in ([x + sign * h * (i == k) for i, x in enumerate(values)] for sign in (1, -1))
        ]
        assert float(part.grad) == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)


def test_student_at_a_scale_of_nothing():
    scale = torch.tensor(0.0, requires_grad=True)
    found = StudentT(torch.tensor(1.0), scale, torch.tensor(3.0)).crps(torch.tensor(4.0))
    found.backward()
    assert float(found.detach()) == pytest.approx(3.0)
    assert math.isfinite(scale.grad)


# --- quantiles ---


def test_quantiles_on_a_line_are_a_normal_distribution():
    mean, sd = number([1.0, -2.0]), number([0.5, 3.0])
    line = Quantiles(mean[:, None] + sd[:, None] * number(SCORES))
    y = number([[1.2, -9.0], [-4.0, 30.0], [0.9, -2.1]])
    oracle = Normal(mean, sd)
    for name in ("nll", "crps", "cdf"):
        torch.testing.assert_close(getattr(line, name)(y), getattr(oracle, name)(y), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(line.mean, mean)
    torch.testing.assert_close(line.sd, sd)
    shares = number([0.0001, 0.3, 0.9999])[:, None]
    torch.testing.assert_close(line.quantile(shares), oracle.quantile(shares))


def test_quantiles_stand_where_they_say():
    found = doubled(some("quantiles"))
    for k, level in enumerate(LEVELS):
        torch.testing.assert_close(found.quantile(number(level)), found.values[..., k], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found.cdf(found.values[..., k]), torch.full((4, 3), level, dtype=torch.float64))
    assert LEVELS[4] == pytest.approx((1 - BANDS[0]) / 2)
    assert LEVELS[-1] - LEVELS[0] == pytest.approx(BANDS[2])


@pytest.mark.parametrize("y", [-2.0, 0.31, 0.5, 4.0])
def test_what_quantiles_say_is_what_integration_says(y):
    """Density, moments and CRPS of a lopsided distribution, by quadrature of its distribution function."""
    values = number([-1.0, -0.9, -0.6, -0.5, 0.0, 0.2, 0.3, 0.5, 0.9, 1.0, 2.0, 4.0, 4.5])
    found = Quantiles(values)

    def below(x):
        return float(found.cdf(number(x)))

    def likely(x):
        return math.exp(-float(found.nll(number(x))))

    points = sorted([y, *values.tolist()])
    edges = [-6.0, *points, 12.0]
    pieces = list(pairwise(edges))

    def integral(f):
        return sum(integrate.quad(f, a, b)[0] for a, b in pieces if b > a)

    assert integral(likely) == pytest.approx(1.0, abs=1e-7)
    mean = integral(lambda x: x * likely(x))
    assert float(found.mean) == pytest.approx(mean, abs=1e-6)
    assert float(found.sd) == pytest.approx(math.sqrt(integral(lambda x: (x - mean) ** 2 * likely(x))), abs=1e-6)
    assert float(found.crps(number(y))) == pytest.approx(integral(lambda x: (below(x) - (x >= y)) ** 2), abs=1e-6)


def test_quantiles_never_cross():
    raw = 30 * torch.randn(50, count("quantiles"))
    assert (bounded("quantiles", raw).parameters.diff(dim=-1) > 0).all()


def test_gradients_of_quantiles_are_slopes():
    values = doubled(some("quantiles", (3,))).values.requires_grad_()
    y = number([-3.0, 0.2, 1.0])
    assert torch.autograd.gradcheck(lambda v: Quantiles(v).crps(y), (values,))
    assert torch.autograd.gradcheck(lambda v: Quantiles(v).nll(y), (values,))
    assert torch.autograd.gradcheck(lambda v: (Quantiles(v).mean, Quantiles(v).sd), (values,))


@pytest.mark.parametrize("head", HEADS)
def test_bent_bands_are_as_much_wider_as_asked(head):
    found = doubled(some(head))
    factors = torch.stack([torch.full((4, 3), f, dtype=torch.float64) for f in (0.9, 1.3, 1.8)])
    wide, median = bent(found, factors), found.quantile(number(0.5))
    torch.testing.assert_close(wide.quantile(number(0.5)), median)
    for factor, level in zip((0.9, 1.3, 1.8), BANDS, strict=True):
        for ours, before in zip(wide.interval(level), found.interval(level), strict=True):
            torch.testing.assert_close(ours, median + factor * (before - median), rtol=1e-5, atol=1e-5)


def test_bending_by_one_factor_is_widening():
    found, y = doubled(some("normal")), torch.randn(4, 3, dtype=torch.float64)
    wide, same = bent(found, number(1.7).expand(3, 4, 3)), found.widened(number(1.7).expand(4, 3))
    torch.testing.assert_close(wide.crps(y), same.crps(y))
    torch.testing.assert_close(wide.nll(y), same.nll(y))


def test_bands_that_would_cross_do_not():
    wide = bent(doubled(some("normal")), number([3.0, 1.0, 0.5])[:, None, None].expand(3, 4, 3))
    assert (wide.values.diff(dim=-1) >= 0).all()
    assert torch.isfinite(wide.nll(torch.randn(4, 3, dtype=torch.float64))).all()


# --- what all of them keep ---


@pytest.mark.parametrize("head", HEADS)
def test_a_change_of_units_scales_the_scores(head):
    """CRPS(a x + b) = a CRPS, log score + log a: what undoes a standardization must keep."""
    found, y = doubled(some(head)), torch.randn(4, 3, dtype=torch.float64)
    shift, scale = number([[[5.0, -3.0, 0.0]]])[0], number([[[7.0, 0.1, 2.0]]])[0]
    moved = found.moved(shift, scale)
    torch.testing.assert_close(moved.crps(y * scale + shift), found.crps(y) * scale)
    torch.testing.assert_close(moved.nll(y * scale + shift), found.nll(y) + scale.log())
    torch.testing.assert_close(moved.cdf(y * scale + shift), found.cdf(y))
    torch.testing.assert_close(moved.mean, found.mean * scale + shift)
    torch.testing.assert_close(moved.sd, found.sd * scale)


@pytest.mark.parametrize("head", HEADS)
def test_parameters_tell_the_distribution(head):
    found, y = some(head), torch.randn(4, 3)
    again = told(head, found.parameters)
    assert found.parameters.shape == (4, 3, count(head))
    torch.testing.assert_close(again.crps(y), found.crps(y), rtol=0, atol=0)


@pytest.mark.parametrize("head", HEADS)
def test_bands_hold_what_they_promise(head):
    found = doubled(some(head))
    for level in BANDS:
        low, high = found.interval(level)
        torch.testing.assert_close(
            found.cdf(high) - found.cdf(low), torch.full((4, 3), level, dtype=torch.float64), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("head", HEADS)
def test_samples_are_of_the_distribution(head):
    """Null hypothesis: they are, by Kolmogorov and Smirnov. And a seed draws the same again."""
    found = some(head, (2,))
    drawn = found.sample(4000, torch.Generator().manual_seed(3))
    assert drawn.shape == (4000, 2)
    shares = found.cdf(drawn)
    for k in range(2):
        assert stats.kstest(shares[:, k].numpy(), "uniform").pvalue > 0.001
    torch.testing.assert_close(drawn, found.sample(4000, torch.Generator().manual_seed(3)), rtol=0, atol=0)


@pytest.mark.parametrize("head", HEADS)
def test_the_mean_crps_of_samples_is_that_of_the_distribution(head):
    """The fair estimate of scoringrules, from an ensemble, agrees with the closed form."""
    found = some(head, (3,))
    y = torch.tensor([-1.0, 0.2, 2.0])
    drawn = found.sample(3000, torch.Generator().manual_seed(1)).double().numpy().T
    oracle = scoringrules.crps_ensemble(y.double().numpy(), drawn, estimator="fair")
    np.testing.assert_allclose(found.crps(y).numpy(), oracle, rtol=0.08, atol=0.02)


@pytest.mark.parametrize("head", HEADS)
def test_widening_keeps_the_centre(head):
    found = doubled(some(head))
    wide = found.widened(number(3.0).expand(4, 3))
    half = number(0.5)
    torch.testing.assert_close(wide.quantile(half), found.quantile(half), atol=1e-6, rtol=0)
    low, high = found.interval(BANDS[1])
    low3, high3 = wide.interval(BANDS[1])
    torch.testing.assert_close(high3 - low3, 3 * (high - low))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("raw", [-1e4, -80.0, 80.0, 1e4])
def test_no_output_of_a_network_breaks_the_loss(head, raw):
    given_ = torch.full((2, count(head)), raw, requires_grad=True)
    found = bounded(head, given_)
    y = torch.tensor([-3.0, 5.0])
    (found.crps(y).sum() + found.nll(y).sum()).backward()
    assert torch.isfinite(given_.grad).all()
    assert (found.sd > 0).all()
