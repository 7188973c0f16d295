"""Oracle: the definition of the Pareto front by pairs; answers by hand."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.errors import ConfigError, DataError
from seqwise.stats import results
from seqwise.stats.margins import no_worse_mean
from seqwise.stats.means import paired
from seqwise.stats.results import Estimate, Interval
from seqwise.verdict.trade import Choice, choose, front, trade

NUMBERS = st.integers(-3, 3).map(float)


def _choice(name, alpha, gain, loss, error=0.0):
    within = Interval(gain - 1.959964 * error, gain + 1.959964 * error) if error else None
    return Choice(name, alpha, Estimate("gain", gain, within, "points"), Estimate("loss", loss, None, "points"))


def _test(value, low, high, level=0.95):
    effect = Estimate("blend minus tuned", value, Interval(low, high, level), "points")
    return results.Test("paired t-test", "no difference", "t", 0.0, (99,), 0.5, {"pairs": 100}, effect)


BLENDS = (
    _choice("blend 0.25", 0.25, 2.0, 0.1, 0.8),
    _choice("blend 0.5", 0.5, 4.4, 0.5, 0.8),
    _choice("blend 0.75", 0.75, 5.1, 2.0, 0.8),
    _choice("tuned", 1.0, 5.0, 4.0, 0.8),
    _choice("LoRA", None, 4.9, 0.2, 0.8),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12))
def test_the_front_is_what_none_beats(rows):
    choices = front([_choice(str(i), None, gain, loss) for i, (gain, loss) in enumerate(rows)])
    for one, (gain, loss) in zip(choices, rows, strict=True):
        beaten = any((g > gain and q <= loss) or (g >= gain and q < loss) for g, q in rows)
        assert one.front == (not beaten)
    assert any(one.front for one in choices)


def test_equal_choices_both_stay_on_the_front():
    assert [one.front for one in front([_choice("a", None, 1, 1), _choice("b", None, 1, 1)])] == [True, True]


def test_the_blend_within_a_standard_error_that_loses_least_is_chosen():
    """Best 5.1 at 0.75, error 0.8: 4.4 at 0.5 is near enough; LoRA is no blend."""
    assert [one.name for one in choose(BLENDS) if one.chosen] == ["blend 0.5"]
    assert [one.name for one in choose(BLENDS[2:]) if one.chosen] == ["blend 0.75"]


def test_without_intervals_the_best_gain_is_chosen():
    assert [one.name for one in choose([_choice("a", 0.5, 1, 0), _choice("b", 1.0, 2, 9)]) if one.chosen] == ["b"]
    with pytest.raises(DataError, match="no blend"):
        choose(BLENDS[-1:])


@pytest.mark.parametrize(
    ("gain", "loss", "answer"),
    [
        (_test(-0.3, -0.8, 0.2), _test(3.5, 2.0, 5.0), "yes"),
        (_test(-0.3, -0.8, inf), _test(3.5, 2.0, 5.0), "yes"),
        (_test(-0.3, -1.4, 0.8), _test(3.5, 2.0, 5.0), "cannot tell"),
        (_test(-0.3, -0.8, 0.2), _test(1.0, -0.5, 2.5), "cannot tell"),
        (_test(-3.0, -4.0, -2.0), _test(3.5, 2.0, 5.0), "no"),
        (_test(-0.3, -0.8, 0.2), _test(-1.0, -1.5, -0.5), "no"),
    ],
)
def test_both_parts_must_hold(gain, loss, answer):
    finding, found = trade(choose(BLENDS), "validation", "accuracy", "points", 1.0, gain=gain, loss=loss)
    assert (finding.state, finding.answer, finding.margin) == ("MEASURED", answer, 1.0)
    assert finding.told.startswith("blend 0.5 (alpha 0.5) changes the gain by ")
    assert finding.told.endswith({"yes": "; a better trade.", "no": "no better trade."}.get(answer, "is open."))
    assert bool(finding.needed) == (answer == "cannot tell")
    assert [one.name for one in found.choices if one.front] == ["blend 0.25", "blend 0.75", "LoRA"]


def test_the_tests_of_the_house_fit_in():
    rng = np.random.default_rng(0)
    tuned, general = rng.normal(70, 5, 400), rng.normal(50, 5, 400)
    gain = no_worse_mean(tuned + rng.normal(0, 2, 400), tuned, 1.0, ("blend", "tuned"), unit="points")
    loss = paired(general + 3 + rng.normal(0, 2, 400), general, ("blend", "tuned"), unit="points")
    finding, _ = trade(choose(BLENDS), "validation", "accuracy", "points", 1.0, gain=gain, loss=loss)
    assert finding.answer == "yes"
    assert finding.test is loss
    assert finding.to_dict()["asked"] == "Is there a better trade?"


def test_needed_items_are_told_by_the_open_part():
    """Low end 1.1 from the estimate, bound 0.7 from it, power four in five: (1.1 / 0.7 * 2.8016 / 1.96)^2 = 5.0."""
    finding, _ = trade(
        choose(BLENDS), "validation", "accuracy", "points", 1.0, gain=_test(-0.3, -1.4, 0.8), loss=_test(3.5, 2.0, 5.0)
    )
    assert finding.needed.startswith("About 5 times as many items would tell")


def test_without_a_tested_blend_nothing_is_answered():
    finding, found = trade(BLENDS, "test", "accuracy", "points", 1.0)
    assert (finding.state, finding.answer) == ("NOT RUN", None)
    assert len(found.choices) == len(finding.grids[0].rows) == 5
    with pytest.raises(ConfigError, match="margin"):
        trade(BLENDS, "test", "accuracy", "points", 0.0)
