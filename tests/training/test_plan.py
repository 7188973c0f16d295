"""What is foreseen of a run from a few of its steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.training import plan
from seqwise.training.loop import EvaluationSettings
from seqwise.training.plan import Figure, Pace, Work

LINE = (0.02, 3e-5, 4e-9)


def works(count, seed, most=2048):
    chance = np.random.default_rng(seed)
    lengths = chance.integers(8, 200, count)
    rows = np.maximum(1, chance.integers(most // 4, most, count) // lengths)
    return [Work(int(r * n), int(r * n**2)) for r, n in zip(rows, lengths, strict=True)]


def seconds(found, line=LINE):
    return [line[0] + line[1] * one.positions + line[2] * one.squares for one in found]


def test_a_line_without_noise_is_found_again():
    """All three coefficients; so steps that were not timed are foreseen exactly."""
    timed, others = works(9, 0), works(200, 1)
    pace = Pace.of(timed, seconds(timed))
    assert pace.seconds(others) == pytest.approx(sum(seconds(others)), rel=1e-6)
    assert pace.coefficients == pytest.approx(LINE, rel=1e-4)
    assert pace.spread < 1e-6


@pytest.mark.parametrize("line", [(0.3, 0.0, 0.0), (0.0, 3e-5, 0.0), (0.0, 0.0, 4e-7), (0.1, 3e-5, 0.0)])
def test_terms_that_are_not_there_are_not_made_up(line):
    timed = works(8, 2)
    assert Pace.of(timed, seconds(timed, line)).coefficients == pytest.approx(line, rel=1e-6, abs=1e-12)


@given(st.integers(0, 1000), st.integers(6, 20))
def test_no_term_is_negative_and_the_fit_is_nearly_that_of_scipy(seed, count):
    """scipy's non-negative least squares has all three terms at hand; fewer may cost a tenth each."""
    timed = works(count, seed)
    noisy = np.array(seconds(timed)) * np.random.default_rng(seed).normal(1, 0.1, count).clip(0.5)
    pace = Pace.of(timed, noisy.tolist())
    table = np.array([(1.0, one.positions, one.squares) for one in timed])
    ours = np.square(table @ np.array(pace.coefficients) / noisy - 1).sum()
    best = nnls(table / noisy[:, None] * [1, 1e-3, 1e-6], np.ones(count))[1] ** 2
    assert min(pace.coefficients) >= 0
    assert best * (1 - 1e-6) <= ours <= max(1.6 * best, best + 1e-9)  # of all these 15,015 the worst is 1.573 times


def test_what_comes_lies_in_the_interval_nineteen_times_in_twenty():
    """Steps with noise of 20 %, of which seven are timed; the floor is left out, so that the fit alone is judged."""
    held = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        timed, others = works(7, seed), works(300, seed + 1000)
        noisy = np.array(seconds(timed)) * chance.normal(1, 0.2, 7).clip(0.3)
        pace = Pace.of(timed, noisy.tolist())
        value = pace.seconds(others)
        held += abs(sum(seconds(others)) - value) <= value * pace.doubt
    assert held >= 180


def test_one_step_says_little():
    pace = Pace.of([Work(100, 1000)], [1.0])
    assert pace.figure([Work(100, 1000)] * 10).error >= 5.0
    with pytest.raises(ValueError, match="no step"):
        Pace.of([], [])


def rows(lengths):
    return Rows.of([[1] * n for n in lengths])


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.booleans())
def test_work_is_counted_as_by_hand(lengths, packed):
    examples = Examples(rows(lengths), rows([1] * len(lengths)))
    loader = ExampleLoader(examples, batch_tokens=40, seed=1, packed=packed)
    for _ in range(loader.batches_in_epoch(0)):
        batch = next(loader)
        work, own = Work.of(batch), batch.lengths.tolist()
        if packed and len(own) > 1:
            assert work == Work(sum(own), sum(n * n for n in own))
        else:
            assert work == Work(len(own) * max(own), len(own) * max(own) ** 2)


def test_targets_that_are_texts_are_computed_too():
    """Two rows of 3 and 4: 6 + 8 positions; 9 among the sources, 16 among the targets, 12 between, twice each."""
    ids = torch.ones(2, 4, dtype=torch.int64)
    batch = Batch(ids[:, :3], torch.tensor([3, 2]), ids, ids.float(), torch.arange(2))
    assert Work.of(batch, texts=True) == Work(14, 74)


def test_steps_are_sums_of_their_batches():
    found = works(7, 3)
    steps = plan.steps_of(found, 3)
    assert len(steps) == 3
    assert sum(one.positions for one in steps) == sum(one.positions for one in found)
    assert steps[0] == found[0] + found[1] + found[2]


def test_the_longest_step_is_probed_first_and_the_shortest_too():
    found = works(50, 4)
    order = plan.chosen(found, 7)
    positions = [found[i].positions for i in order]
    assert positions[0] == max(one.positions for one in found)
    assert min(positions) == min(one.positions for one in found)
    assert len(order) == 7
    assert plan.chosen(found[:1], 7) == [0] * 7


def test_a_run_longer_than_what_is_known_is_made_of_the_like():
    found = works(10, 5)
    assert plan.repeated(found, 4) == (found[:4], 1.0)
    assert plan.repeated(found, 25) == (found, 2.5)


@pytest.mark.parametrize(
    ("steps", "epochs", "settings", "count"),
    [
        (30, 3.0, {}, 3),
        (25, 2.5, {}, 3),
        (30, 3.0, {"first": True}, 4),
        (30, 3.0, {"every": 10}, 3),
        (35, 3.5, {"every": 10}, 4),
        (30, 3.0, {"average": 5}, 4),
    ],
)
def test_looks_are_counted(steps, epochs, settings, count):
    assert plan.looks(steps, epochs, EvaluationSettings(**{"average": 0, **settings})) == count


def test_memory_that_has_settled_stays_and_that_which_grows_goes_on():
    assert plan.grown([100] * 8, 800).value == 100
    growing = [100, 120, 140, 150, 160, 165, 170, 175]  # 150 after four, 175 after eight
    assert plan.grown(growing, 8).value == 175
    assert plan.grown(growing, 16).value == pytest.approx(175 + 12.5)
    assert plan.grown(growing, 10**9).value == pytest.approx(200, rel=1e-3)
    assert plan.grown(growing, 16).error > plan.grown(growing, 8).error


def test_errors_of_parts_are_added():
    course = plan.Course({"a": Figure(10.0, 1.0), "b": Figure(20.0, 3.0)})
    assert course.total == Figure(30.0, 4.0)
    assert course.total.holds(33.9)
    assert not course.total.holds(34.1)
    assert course.to_dict()["total"] == {"value": 30.0, "error": 4.0}
