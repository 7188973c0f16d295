"""What changed is compared with a count by hand, and a difference of words with the two texts it was made of."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqwise.verdict.changed import WORDS, changed, difference
from seqwise.verdict.scored import Measure, Scored

RIGHT = Measure("accuracy", "right")


def scored(system, values, measure=RIGHT, outputs=(), **more):
    ids = tuple(f"i{number}" for number in range(len(values)))
    return Scored(system, "test", measure, ids, np.asarray(values), outputs=tuple(outputs), **more)


def spaceless(text):
    return "".join(text.split())


@given(st.text("ab .,é我们ไทย\n\u0301", max_size=40), st.text("ab .,é我们ไทย\n\u0301", max_size=40))
@example("a b", "a")
@example("a", "a b")
@example("", " a")
def test_a_difference_holds_both_texts(base, tuned):
    words = difference(base, tuned)
    assert "".join(one.text for one in words if one.kind != "gone") == tuned
    assert spaceless("".join(one.text for one in words if one.kind != "new")) == spaceless(base)
    assert all(one.text for one in words)


def kinds(base, tuned):
    return [(one.kind, one.text) for one in difference(base, tuned)]


def test_words_are_compared_whole_and_punctuation_by_itself():
    assert kinds("Prendre deux tables.", "Prenez deux comprimés.") == [
        ("gone", "Prendre "), ("new", "Prenez "), ("same", "deux "), ("gone", "tables"), ("new", "comprimés"),
        ("same", "."),
    ]  # fmt: skip
    assert kinds("l'eau", "l'air") == [("gone", "l'eau"), ("new", "l'air")]


def test_scripts_without_spaces_are_compared_by_character():
    assert kinds("他是老师", "她是老师") == [("gone", "他"), ("new", "她"), ("same", "是老师")]
    assert kinds("กินน้ำ", "กินข้าว")[0] == ("same", "กิน")


def test_a_mark_belongs_to_its_letter():
    assert kinds("cafe\u0301 x", "cafe x") == [("gone", "cafe\u0301 "), ("new", "cafe "), ("same", "x")]
    assert kinds("हिन्दी में", "हिन्दी से") == [("same", "हिन्दी "), ("gone", "में"), ("new", "से")]


def test_what_is_gone_at_the_end_keeps_its_distance():
    assert kinds("a b", "a") == [("same", "a"), ("gone", " b")]


def test_long_texts_that_differ_are_told_as_replaced_whole():
    base, tuned = "x " * (WORDS + 1) + "end", "y " * (WORDS + 5) + "end"
    assert [one.kind for one in difference(base, tuned)] == ["gone", "new", "same"]


def test_items_won_and_lost_are_counted():
    base = scored("base", [True, True, False, False, False], outputs="abcde")
    tuned = scored("LoRA", [True, False, True, True, False], outputs="aBCDe")
    finding, found = changed(base, tuned)
    assert (found.won, found.lost, found.same) == (2, 1, 2)
    assert [one.id for one in found.best] == ["i2", "i3"]
    assert (found.worst[0].base, found.worst[0].tuned, found.worst[0].before, found.worst[0].after) == ("b", "B", 1, 0)
    assert (finding.question, finding.state, finding.answer, finding.test) == ("changed", "MEASURED", None, None)
    assert dict(finding.values) == {"won": 2, "lost": 1, "same": 2}
    told = "Of 5 items of test LoRA does 2 better than base and 1 worse; 2 are as before"
    assert finding.told.startswith(told)


def test_the_largest_changes_come_first_and_less_is_better_of_losses():
    loss = Measure("loss", "score", "nats", lower=True)
    base, tuned = scored("base", [1.0, 2.0, 3.0, 4.0], loss), scored("tuned", [1.5, 1.0, 0.5, 4.0 + 1e-9], loss)
    _, found = changed(base, tuned, most=1)
    assert (found.won, found.lost, found.same) == (2, 1, 1)
    assert [one.id for one in found.best] == ["i2"]
    assert [one.id for one in found.worst] == ["i0"]


def test_counts_are_scored_item_by_item():
    f1 = Measure("F1", "counts", score=lambda sums: 100 * 2 * sums[:, 0] / sums[:, 1])
    base, tuned = scored("base", [[1, 4], [0, 0], [2, 4]], f1), scored("tuned", [[2, 4], [0, 0], [1, 4]], f1)
    finding, found = changed(base, tuned)
    assert [(one.before, one.after) for one in (*found.best, *found.worst)] == [(50, 100), (100, 50)]
    assert found.same == 1
    assert "1 item without" in finding.notes[0]


def test_nothing_changed_is_told():
    base = scored("base", [True, False])
    finding, found = changed(base, scored("tuned", [True, False]))
    assert finding.told == "Not one of 2 items of test scores otherwise than by base."
    assert (found.best, found.worst, finding.grids) == ((), (), ())


@pytest.mark.parametrize("most", [0, 3])
def test_no_more_items_are_kept_than_asked(most):
    _, found = changed(scored("base", [True] * 9), scored("tuned", [False] * 9), most=most)
    assert (found.lost, len(found.worst)) == (9, most)
