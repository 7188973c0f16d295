"""Slices: effects as of the slice alone, p-values as statsmodels corrects them."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from seqwise.verdict.effects import effect
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.slices import slices

N = 300


def both(labels):
    chance = np.random.default_rng(7)
    ids = tuple(map(str, range(N)))
    base = chance.random(N) < 0.6
    tuned = np.where(np.arange(N) < 100, base | (chance.random(N) < 0.6), base ^ (chance.random(N) < 0.1))
    measure = Measure("accuracy", "right")
    return tuple(
        Scored(name, "test", measure, ids, values, slices=labels) for name, values in (("base", base), ("tuned", tuned))
    )


LABELS = {
    "length": tuple("short" if n < 100 else "long" for n in range(N)),
    "source": tuple("web" if n < 290 else "book" for n in range(N)),
}


@pytest.fixture(scope="module")
def found():
    return slices(*both(LABELS))


def test_the_effect_is_that_of_the_slice_alone(found):
    base, tuned = both(LABELS)
    alone = effect(base.select(range(100)), tuned.select(range(100)))
    short = next(one for one in found if one.values["label"] == "short")
    assert short.test == alone
    assert (short.values["slice"], short.values["items"], short.subject) == ("length", 100, "test, length short")


def test_all_seeds_count_in_a_slice():
    base, tuned = both(LABELS)
    other = replace(tuned, values=np.roll(tuned.values, 3), seed=2)
    told = slices(base, [replace(tuned, seed=1), other])
    assert {one.test.n["seeds"] for one in told if one.test} == {2}


def test_p_is_corrected_for_all_slices_together(found):
    tested = [one for one in found if one.test]
    assert len(tested) == 3
    expected = multipletests([one.test.p for one in tested], method="holm")[1]
    assert [one.values["p, Holm"] for one in tested] == pytest.approx(expected, abs=1e-15)


def test_a_difference_is_claimed_only_where_it_stands_after_correction(found):
    for one in found:
        if one.test:
            stands = one.values["p, Holm"] < 0.05 and 0 not in one.interval
            assert one.told.endswith("chance may have made.") != stands
            assert "after Holm over 3 slices" in one.told
            assert (one.question, one.answer) == ("changed", None)


def test_a_small_slice_is_told_and_not_tested(found):
    small = next(one for one in found if one.values["label"] == "book")
    assert (small.state, small.test, small.values["items"]) == ("TOO FEW", None, 10)
    assert "10 items" in small.told


def test_a_slice_with_a_label_for_each_item_is_not_looked_at():
    (one,) = slices(*both({"name": tuple(map(str, range(N)))}))
    assert (one.state, one.test) == ("TOO FEW", None)
    assert "300 labels" in one.told


def test_a_set_without_slices_has_none():
    assert slices(*both({})) == ()


def test_a_slice_of_few_clusters_is_told_and_not_tested():
    """40 items of the web stand in two documents, those of books in thirteen."""
    clusters = tuple(f"d{n // 20}" for n in range(N))
    base, tuned = both({"source": tuple("web" if n < 40 else "book" for n in range(N))})
    book, web = sorted(
        slices(replace(base, clusters=clusters), replace(tuned, clusters=clusters)), key=lambda one: one.values["label"]
    )
    assert (web.state, web.test) == ("TOO FEW", None)
    assert "source web has 2 clusters of items that belong together, and 5 at least" in web.told
    assert book.test is not None
    assert book.values["p, Holm"] == book.test.p


def test_the_clusters_themselves_are_no_slices():
    clusters = tuple(f"document {n // 30}" for n in range(N))
    base, tuned = (replace(one, clusters=clusters) for one in both({**LABELS, "document": clusters}))
    assert {one.values["slice"] for one in slices(base, tuned)} == {"length", "source"}
