from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data.conversations import Conversations, exchange
from seqwise.data.corpus import Labelled, Pairs
from seqwise.data.filters import key
from seqwise.data.splits import parted, split
from seqwise.errors import ConfigError, DataError


@given(st.integers(2, 60), st.data())
def test_exactly_as_many_rows_are_set_aside_as_were_asked_for(total, data):
    count = data.draw(st.integers(1, total - 1))
    kept, aside = split(total, count, data.draw(st.integers(0, 5)))
    assert len(aside) == count
    assert sorted(kept + aside) == list(range(total))
    assert (kept, aside) == (sorted(kept), sorted(aside))


def test_a_seed_gives_the_same_split_again_and_another_seed_another():
    assert split(100, 20, 1) == split(100, 20, 1)
    assert split(100, 20, 1) != split(100, 20, 2)


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=60), st.data())
def test_each_label_gives_its_share_to_a_row(labels, data):
    """At most one row away from the exact share, and never its last row."""
    count = data.draw(st.integers(1, len(labels) - 1))
    sizes = Counter(labels)
    try:
        kept, aside = split(len(labels), count, 1, labels=labels)
    except DataError:
        assert all(round(count * size / len(labels)) < 2 for size in sizes.values())
        return
    for label, given_ in Counter(labels[item] for item in aside).items():
        assert abs(given_ - count * sizes[label] / len(labels)) <= 1
    assert {labels[item] for item in kept} == set(labels)
    if all(size * count // len(labels) + 1 < size for size in sizes.values()):
        assert len(aside) == count


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=2, max_size=60), st.data())
def test_no_group_and_no_text_stands_on_both_sides(rows, data):
    groups, texts = [str(group) for group, _ in rows], [str(text) for _, text in rows]
    count = data.draw(st.integers(1, len(rows) - 1))
    try:
        kept, aside = split(len(rows), count, 1, groups=groups, texts=texts)
    except DataError:  # nothing fits: all that is together is larger than what is wanted
        return
    assert 0 < len(aside) <= count
    for column in (groups, texts):
        assert not {column[item] for item in kept} & {column[item] for item in aside}


grouped = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("aaaabbc")), min_size=2, max_size=40)


@given(grouped, st.integers(0, 5), st.data())
def test_no_label_goes_with_a_group_that_holds_all_of_it(rows, seed, data):
    """And whatever single group may go by itself, by brute force, is enough for a split."""
    groups, labels = [str(group) for group, _ in rows], [label for _, label in rows]
    count = data.draw(st.integers(1, len(rows) - 1))

    def may_go(group: str) -> bool:
        stays = {label for label, other in zip(labels, groups, strict=True) if other != group}
        return groups.count(group) <= count and stays == set(labels)

    possible = any(map(may_go, set(groups)))
    try:
        kept, aside = split(len(rows), count, seed, labels=labels, groups=groups)
    except DataError:
        assert not possible
        return
    assert possible
    assert {labels[item] for item in kept} == set(labels)
    assert not {groups[item] for item in kept} & {groups[item] for item in aside}
    assert 0 < len(aside) <= count


def test_groups_that_each_hold_all_of_a_label_are_told():
    with pytest.raises(DataError, match="2 rows to set aside of 3 labels, which would give their last ones"):
        split(5, 2, 1, labels=["a", "b", "a", "c", "c"], groups=["x", "x", "y", "y", "y"])


def test_by_order_the_last_rows_are_set_aside():
    assert split(5, 2, 1, last=True) == ([0, 1, 2], [3, 4])


def test_what_cannot_be_split_is_refused():
    with pytest.raises(DataError, match=r"5 rows to set aside: needs from 1 to 4 of 5 rows. Try 1\."):
        split(5, 5, 1)
    with pytest.raises(DataError, match="0 rows to set aside"):
        split(5, 0, 1)
    with pytest.raises(DataError, match="two rows at least, one to train on"):
        split(1, 1, 1)
    with pytest.raises(DataError, match="4 rows that all belong together"):
        split(4, 1, 1, groups=["a"] * 4)
    with pytest.raises(DataError, match="1 rows to set aside, where the smallest group has 2"):
        split(4, 1, 1, groups=["a", "a", "b", "b"])
    with pytest.raises(DataError, match="1 row to set aside of 2 labels, which would give their last ones"):
        split(2, 1, 1, labels=["a", "b"])
    with pytest.raises(ConfigError, match="a split by groups and by order"):
        split(4, 1, 1, groups=["a", "a", "b", "b"], last=True)


def test_labelled_texts_are_split_by_label_and_keep_equal_texts_together():
    labelled = Labelled.of(
        [f"Text {i // 2}" if i % 2 else f"text  {i // 2}" for i in range(40)], ["x", "x", "y", "y"] * 10
    )
    kept, aside = parted(labelled, 8, 1)
    assert len(aside) == 8
    assert Counter(aside.labels) == {"x": 4, "y": 4}
    assert not {*map(key, kept.texts)} & {*map(key, aside.texts)}
    assert labelled.texts[aside.lines[0] - 1] == aside.texts[0]


def test_pairs_and_conversations_are_split_by_what_is_read():
    pairs = Pairs.of(["a", "A", "b", "c"], "wxyz")
    for seed in range(9):
        kept, aside = parted(pairs, 2, seed)
        assert ("a" in kept.sources) == ("A" in kept.sources)
        assert len(kept) + len(aside) == 4
    talks = Conversations.of(exchange(asked, "yes") for asked in ("a", "A ", "b", "c"))
    kept, aside = parted(talks, 1, 1)
    assert aside.items[0].question in ("b", "c")
