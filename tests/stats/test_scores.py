import json
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.results import Shown
from seqwise.stats.scores import Exam, compare_scores, interval_of_z

A, B = Exam("exam A", 70, 10), Exam("exam B", 500, 100)


def test_85_of_one_exam_is_better_than_620_of_another():
    """z 1.5 and 1.2; percentiles to 15 digits."""
    found = compare_scores([(B, 620), (A, 85)])
    first, second = found.placed
    assert (first.exam, first.z, second.z) == ("exam A", 1.5, 1.2)
    assert first.percentile == pytest.approx(93.3192798731142, rel=1e-14)
    assert second.percentile == pytest.approx(88.4930329778292, rel=1e-14)
    assert (first.iq, first.t_score, first.stanine) == (122.5, 65.0, 8)
    assert (second.iq, second.t_score, second.stanine) == (118.0, 62.0, 7)
    assert found.better is first
    told = found.sentences()
    assert told[0] == "85 in exam A is better than 620 in exam B, by 0.3 sd: z 1.5 against 1.2."
    assert told[1] == "85 in exam A is 1.5 sd above the mean, percentile 93.3 if the scores are normally distributed."
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["better"] == "exam A"
    assert found.grids()[0].rows[0][:3] == ("exam A", 85, 1.5)


def test_equal_scores_are_equally_good():
    found = compare_scores([(A, 80), (B, 600)])
    assert found.better is None
    assert found.sentences()[0] == "80 in exam A and 600 in exam B are equally good: both have z 1."
    assert A.place(70).told.startswith("70 in exam A is exactly at the mean")
    assert A.place(65).told.startswith("65 in exam A is 0.5 sd below the mean")


def test_stanines_are_half_an_sd_wide():
    """4, 7, 12, 17, 20, 17, 12, 7, 4 of a hundred scores, as every table of stanines has it."""
    scores = 70 + 10 * stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    counts = np.bincount([A.place(float(score)).stanine for score in scores], minlength=10)[1:]
    assert np.rint(counts / 100).astype(int).tolist() == [4, 7, 12, 17, 20, 17, 12, 7, 4]


def test_percentiles_of_a_sample_are_counted():
    """scipy's percentileofscore, kind "mean"."""
    scores = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, np.nan])
    exam = Exam.of("quiz", scores)
    for score in (0.0, 1.0, 4.5, 5.0, 9.0, 10.0):
        placed = exam.place(score)
        assert placed.percentile == pytest.approx(stats.percentileofscore(scores[:-1], score, "mean"))
        assert placed.z == pytest.approx((score - 4) / np.std(scores[:-1], ddof=1))
    assert exam.place(5.0).told.endswith("percentile 66.7 of the sample.")


def test_the_interval_of_z_holds_the_true_one_as_often_as_it_says():
    """20,000 samples of five normal scores: the z of a score that is truly 1.5 sd above the mean."""
    chance = np.random.default_rng(0)
    drawn = chance.normal(size=(20_000, 5))
    z = (1.5 - drawn.mean(axis=1)) / drawn.std(axis=1, ddof=1)
    some = np.quantile(z, np.linspace(0.001, 0.999, 200))  # its ends rise with z: between two, all or none hold
    held = [interval_of_z(float(value), 5) for value in some]
    inside = np.array([1.5 in interval for interval in held])
    low, high = some[inside].min(), some[inside].max()
    assert np.mean((z >= low) & (z <= high)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("z", "n"), [(0.7, 12), (0.0, 2), (3.0, 2), (-1.5, 30), (4.0, 5)])
def test_the_ends_of_the_interval_are_where_scipys_noncentral_t_says(z, n):
    interval = interval_of_z(z, n)
    for end, share in ((interval.low, 0.975), (interval.high, 0.025)):
        assert stats.nct.cdf(z * n**0.5, n - 1, end * n**0.5) == pytest.approx(share, abs=1e-8)


def test_the_interval_of_z_goes_over_into_the_normal_one():
    for z in (-3.0, 0.0, 0.4, 6.0):
        exact, rough = interval_of_z(z, 1000), interval_of_z(z, 1001)
        assert (exact.low, exact.high) == pytest.approx((rough.low, rough.high), abs=0.01 * (1 + abs(z)) / 2)
    for n in (2, 3, 10):
        for z in (-200.0, -1.0, 0.0, 1.0, 200.0):
            found = interval_of_z(z, n)
            assert found.low < found.high
            assert math.isfinite(found.low + found.high)


def test_samples_that_cannot_tell_say_so():
    chance = np.random.default_rng(1)
    few = [Exam.of(name, chance.normal(70, 10, 8)) for name in ("first exam", "second exam")]
    found = compare_scores([(few[0], 80.0), (few[1], 82.0)])
    assert found.ahead is not None
    assert 0 in found.ahead
    assert found.better is None
    assert found.sentences()[0].startswith("Cannot tell whether ")
    many = [Exam.of(name, chance.normal(70, 10, 5000)) for name in ("first exam", "second exam")]
    clear = compare_scores([(many[0], 70.0), (many[1], 80.0)])
    assert clear.better is not None
    assert clear.sentences()[0].startswith("80 in second exam is better than 70 in first exam, by ")
    assert "95 % interval" in clear.sentences()[0]


def test_a_whole_class_is_no_sample():
    scores = np.array([60.0, 70, 80])
    whole = Exam.of("class", scores, whole=True)
    assert whole.sd == pytest.approx(np.std(scores))
    assert whole.place(80).interval is None
    assert compare_scores([(whole, 80), (A, 85)]).ahead is None


def test_what_cannot_be_placed_is_refused_in_one_line():
    for call, told in (
        (lambda: Exam("x", 1, 0), "x with mean 1 and sd 0: needs a finite mean and an sd above 0"),
        (lambda: Exam("x", math.nan, 1), "mean nan"),
        (lambda: Exam.of("x", np.array([1.0])), "1 scores of x: needs two different ones"),
        (lambda: Exam.of("x", np.array([2.0, 2.0])), "2 scores of x, all equal"),
        (lambda: Exam.of("x", np.array([np.nan, np.nan])), "0 scores of x"),
        (lambda: Exam.of("x", np.zeros((3, 2))), "2 columns of scores of x"),
        (lambda: Exam.of("x", np.array([1e7, 1e7 + 1, 1e7 + 3], np.float32)), "stored in steps of 1"),
        (lambda: A.place(math.inf), "a score of inf in exam A"),
        (lambda: compare_scores([(A, 80)]), "1 scores: needs two at least"),
    ):
        with pytest.raises((ConfigError, DataError), match=told) as error:
            call()
        assert "\n" not in str(error.value)
