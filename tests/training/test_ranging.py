import math

import numpy as np
import pytest
import rich.console
import torch

from seqwise.errors import ConfigError
from seqwise.training.events import Stepped
from seqwise.training.ranging import RangeSettings, RangeTest, chance, chart, found, range_test, smooth

RATES = [10.0 ** (-7 + i / 10) for i in range(81)]  # 1e-7 to 10
QUICK = RangeSettings(lowest=1e-5, highest=10.0, steps=40)


def curve(fall: float, rise: float) -> list[float]:
    """A loss that falls from 3 to 1 around one rate and explodes around another."""
    return [1 + 2 / (1 + (rate / fall) ** 1.5) + (rate / rise) ** 2 for rate in RATES]


def test_the_steepest_fall_and_the_lowest_loss_are_found():
    """2 / (1 + (r/f)^1.5) is a logistic function of log r, steepest at f itself."""
    steepest, lowest = found(RATES, curve(1e-3, 3.0))
    assert steepest == pytest.approx(1e-3, rel=0.01)
    assert lowest == pytest.approx(min(zip(curve(1e-3, 3.0), RATES, strict=True))[1])
    told = RangeTest(tuple(RATES), (), (), steepest, lowest, True)
    assert told.proposed == pytest.approx(1e-3, rel=0.01)
    assert "most steeply" in told.rule


def test_where_the_fall_is_close_to_the_explosion_the_tenth_is_proposed():
    steepest, lowest = found(RATES, curve(1e-1, 0.5))
    told = RangeTest(tuple(RATES), (), (), steepest, lowest, True)
    assert told.proposed == pytest.approx(lowest / 10)
    assert "a tenth" in told.rule


def test_a_loss_that_never_falls_proposes_nothing():
    assert found(RATES, [2.0 + rate for rate in RATES]) == (None, None)
    told = RangeTest((), (), (), None, None, True)
    assert told.proposed is None
    assert "never fell" in told.rule
    assert told.to_dict()["proposed"] is None


@pytest.mark.parametrize("seed", range(20))
def test_what_differs_from_batch_to_batch_is_no_fall(seed):
    """A base that learns nothing, at a loss of ln 2: no rate, rather than that of the luckiest batches."""
    rng = np.random.default_rng(seed)
    losses = [math.log(2) + 0.02 * luck + rate**2 for rate, luck in zip(RATES, rng.normal(size=81), strict=True)]
    smoothed = smooth(losses, 4)
    assert found(RATES, smoothed, chance(losses, smoothed)) == (None, None)


@pytest.mark.parametrize("seed", range(20))
def test_a_fall_is_found_among_what_differs_from_batch_to_batch(seed):
    """From 3 to 1, steepest at 1e-3, with a deviation of a tenth: the place is met within a factor of three."""
    rng = np.random.default_rng(seed)
    losses = [loss + 0.1 * luck for loss, luck in zip(curve(1e-3, 3.0), rng.normal(size=81), strict=True)]
    smoothed = smooth(losses, 4)
    noise = chance(losses, smoothed)
    assert noise == pytest.approx(0.1, rel=0.5)
    steepest, _ = found(RATES, smoothed, noise)
    assert steepest is not None
    assert 1 / 3 < steepest / 1e-3 < 3


def test_smoothing_keeps_lines_and_the_ends():
    line = [3.0 - 0.1 * i for i in range(20)]
    assert smooth(line, 4) == pytest.approx(line)
    bumpy = [value + (-1) ** i for i, value in enumerate(line)]
    assert max(abs(a - b) for a, b in zip(smooth(bumpy, 4)[5:-5], line[5:-5], strict=True)) < 0.1
    assert smooth([1.0], 4) == [1.0]


def test_a_test_leaves_the_run_as_it_was(small):
    """The losses that follow are those of a run that was never tested, to the bit."""
    made = small(ema=0.9)
    before = {name: value.clone() for name, value in made.state.tensors().items()}
    facts = made.state.facts()
    told = range_test(made.state, made.setting, QUICK)
    assert told.exploded
    assert all(map(math.isfinite, told.losses))
    assert made.state.facts() == facts
    after = made.state.tensors()
    assert after.keys() == before.keys(), "moments are left"
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    tested = [event.loss for event in made.fit() if isinstance(event, Stepped)]
    assert tested == [event.loss for event in small().fit() if isinstance(event, Stepped)]


def test_a_test_amid_a_run_keeps_its_moments(small):
    made = small(dtype=torch.bfloat16, training={"epochs": 1})
    made.fit()
    before = {name: value.clone() for name, value in made.state.tensors().items()}
    range_test(made.state, made.setting, RangeSettings(lowest=1e-6, highest=1e-4, steps=10))
    after = made.state.tensors()
    assert any(name.startswith("exp_avg.") for name in before)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_an_explosion_leaves_no_gradient_behind(small, monkeypatch):
    """In bf16 the model has gradients of its own, besides those of the masters. Oracle: a run that was never tested."""
    made = small(dtype=torch.bfloat16)
    broken = []

    def bad(*given):
        broken.append(given)
        return len(broken) > 3

    with monkeypatch.context() as patch:
        patch.setattr("seqwise.training.loop.exploded", bad)
        assert range_test(made.state, made.setting, QUICK).exploded
    assert all(weight.grad is None for weight in (*made.model.parameters(), *made.state.weights.master))
    assert len(broken) == 5, "four steps, and once more for the message"
    tested = [event.loss for event in made.fit() if isinstance(event, Stepped)]
    assert tested == [event.loss for event in small(dtype=torch.bfloat16).fit() if isinstance(event, Stepped)]


def test_the_proposal_is_a_rate_that_learns(small):
    made = small("texts")
    told = range_test(made.state, made.setting, QUICK)
    assert told.proposed is not None
    assert 1e-4 < told.proposed < 1.0
    assert told.rates[0] == QUICK.lowest
    ratios = [b / a for a, b in zip(told.rates, told.rates[1:], strict=False)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_the_curve_is_drawn_with_a_line_at_the_proposal():
    losses = curve(1e-3, 3.0)
    drawn = chart(RATES, losses, 1e-3)
    middle = 9 + round(63 * 4 / 8)
    assert sum(line[middle : middle + 1] in ("|", "*") for line in drawn[:-1]) == len(drawn) - 1
    assert "1.0e-07" in drawn[-1]
    assert "1.0e+01" in drawn[-1]
    tops = [min(i for i, line in enumerate(drawn[:-1]) if line[9 + k : 10 + k] == "*") for k in (0, 55, 63)]
    assert tops[0] < tops[1] > tops[2], "it begins high, falls, and rises again"
    out = rich.console.Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with out.capture() as shown:
        out.print(RangeTest(tuple(RATES), tuple(losses), tuple(losses), 1e-3, 0.1, True))
    assert "rate 0.001: where the loss falls most steeply" in shown.get()
    assert chart(RATES[:1], losses[:1], None) == ["no curve: the first steps exploded"]


def test_rates_that_do_not_grow_are_refused(small):
    made = small()
    with pytest.raises(ConfigError, match="a highest rate above the lowest"):
        range_test(made.state, made.setting, RangeSettings(lowest=1e-2, highest=1e-3))
