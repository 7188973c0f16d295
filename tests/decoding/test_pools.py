"""Ranking as Hugging Face's `generate` ranks, and what steers the first and the last token."""

from dataclasses import replace

import pytest
import torch

from seqwise.decoding import Generation, Ranking, Specials, search
from seqwise.decoding.pools import MeanPool, Pool, pool
from seqwise.decoding.rules import force

INPUTS = torch.arange(20)[:, None]
LENGTHS = torch.ones(20, dtype=torch.int64)
MEAN = Generation(beams=2, ranking=Ranking("mean"), length_penalty=2.0)


def test_the_settings_choose_the_pool():
    assert type(pool(9, MEAN)) is MeanPool
    assert type(pool(9, Generation())) is Pool


def test_a_mean_pool_ranks_by_the_power_of_the_length():
    mine = MeanPool(9, MEAN)
    mine.add([1], -4.0, 2)
    mine.add([1, 2, 3], -8.0, 4)
    assert [(hypothesis.ids, hypothesis.score) for hypothesis in mine.best(2)] == [((1, 2, 3), -0.5), ((1,), -1.0)]


def test_a_mean_pool_keeps_as_many_as_beams_and_closes_when_none_can_enter():
    mine = MeanPool(9, MEAN)
    for ids, value in (([1], -4.0), ([2], -2.0)):
        mine.add(ids, value, 2)
    mine.close(-7.0, 3, False)  # -7 / 9 is better than the worst, -1
    assert not mine.closed
    mine.add([3], -3.0, 2)
    mine.close(-9.0, 3, False)  # -9 / 9 is worse than the worst now, -0.75
    assert mine.closed
    assert [hypothesis.ids for hypothesis in mine.found] == [(2,), (3,)]
    mine.add([4], -0.1, 2)
    assert len(mine.found) == 2


def test_where_short_outputs_are_preferred_a_pool_stays_open_for_one_that_may_end_at_once():
    """By the greatest length the prefix could score -4.9 only; ended by the next token it scores -2.8."""
    mine = Pool(9, Generation(beams=2, length_penalty=-1.0))
    mine.add([1], -3.0, 2)
    assert mine.found[0].score == pytest.approx(-3.5)
    mine.close(-2.1, 2, False)
    assert not mine.closed
    mine.close(-2.7, 2, False)  # -3.6 at best
    assert mine.closed


def test_an_early_mean_pool_closes_once_it_is_full():
    mine = MeanPool(9, replace(MEAN, ranking=Ranking("mean", early=True)))
    mine.add([1], -40.0, 2)
    mine.close(-0.1, 3, True)
    assert not mine.closed
    mine.add([2], -30.0, 2)
    mine.close(-0.1, 3, False)
    assert mine.closed


def test_a_forced_token_is_the_only_one_and_is_certain():
    logits, value = torch.randn(3, 5), torch.tensor([1.0, 2.0, 3.0])
    kept = logits.clone()
    out = force(logits, 2, torch.tensor([True, False, True]), value)
    assert torch.equal(out[1], kept[1])
    assert out[0].tolist() == [float("-inf")] * 2 + [1.0] + [float("-inf")] * 2
    assert float(out[2, 2]) == 3.0


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("ranking", ["wu", "mean"])
def test_every_output_begins_with_the_forced_token(table_model, specials, beams, ranking):
    forced = replace(specials, forced=4)
    made = Generation(beams=beams, max_length=6, ranking=Ranking(ranking))
    for (hypothesis,) in search(table_model(3), INPUTS, LENGTHS, made, forced):
        assert hypothesis.ids[0] == 4


@pytest.mark.parametrize("beams", [1, 3])
def test_a_forced_end_ends_what_has_used_its_room(table_model, specials, beams):
    made = Generation(beams=beams, max_length=3, min_length=2, ranking=Ranking("mean"))
    for (hypothesis,) in search(table_model(3), INPUTS, LENGTHS, made, replace(specials, forced_end=True)):
        assert len(hypothesis.ids) == 2
        assert hypothesis.ended


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("ranking", ["wu", "mean"])
def test_every_token_that_ends_ends(table_model, specials, beams, ranking):
    several = replace(specials, also_end=(0, 3))
    made = Generation(beams=beams, max_length=9, ranking=Ranking(ranking), best=beams)
    for found in search(table_model(4), INPUTS, LENGTHS, made, several):
        assert all({0, 3, 6}.isdisjoint(hypothesis.ids) for hypothesis in found)


def test_none_of_them_ends_before_its_time(table_model, specials):
    several = replace(specials, also_end=(0, 3))
    for beams in (1, 3):
        made = Generation(beams=beams, min_length=4, max_length=9)
        assert all(len(h.ids) >= 4 for (h,) in search(table_model(4), INPUTS, LENGTHS, made, several))


@pytest.mark.parametrize("beams", [1, 3])
def test_each_source_may_start_with_a_token_of_its_own(table_model, specials, beams):
    """As a prompt's last token does; the table model scores by the last two tokens."""
    made, starts = Generation(beams=beams, max_length=5), torch.arange(20) % 5
    together = search(table_model(2), INPUTS, LENGTHS, made, specials, starts=starts)
    for i in range(20):
        alone = search(table_model(2), INPUTS[i : i + 1], LENGTHS[:1], made, replace(specials, start=int(starts[i])))
        assert [h.ids for h in together[i]] == [h.ids for h in alone[0]]


def test_where_an_output_ends():
    ends = Specials(start=1, end=2, padding=0, also_end=(5,)).ending(torch.tensor([[1, 2], [5, 0]]))
    assert ends.tolist() == [[False, True], [True, False]]
