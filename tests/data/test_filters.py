import gzip
import os
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from seqwise.data.filters import FilterReport, filter_pairs, split_off
from seqwise.data.text import Pairs, TextSettings, read_pairs
from seqwise.errors import DataError, Fault

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
TATOEBA = DATA / "parallel" / "tatoeba_en-fr" / "fra.tsv.gz"
CAPTIONS = DATA / "parallel" / "multi30k_en-fr"


BAD = Fault("1 column", "2 columns", "mending it", where="f:2")


def pairs_of(*pairs: tuple[str, str]) -> Pairs:
    return Pairs.of([source for source, _ in pairs], [target for _, target in pairs])


def kept(pairs: Pairs, held_out: tuple[Pairs, ...] = (), **chosen: object) -> tuple[list[str], dict[str, int]]:
    """The sources that stay, and the counts that are not 0."""
    found, report = filter_pairs(pairs, TextSettings(**chosen), held_out)
    return list(found.sources), {name: count for name, count in report.to_dict().items() if count}


def same(text: str) -> str:
    """A second way to say that two texts are the same: letter by letter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if not letter.isspace())


def test_pairs_with_an_empty_side_go():
    pairs = pairs_of(("one", ""), ("", "un"), (" \u3000", "un"), ("two", "deux"))
    assert kept(pairs) == (["two"], {"read": 4, "empty": 3, "kept": 1})


def test_the_longest_that_is_allowed_stays_on_either_side():
    pairs = pairs_of(("a" * 20, "b" * 19), ("c" * 21, "d" * 20), ("e" * 20, "f" * 21))
    assert kept(pairs, max_length=20) == (["a" * 20], {"read": 3, "too_long": 2, "kept": 1})
    assert len(kept(pairs, max_length=None)[0]) == 3


def test_the_ratio_looks_both_ways_and_is_kind_to_short_texts():
    pairs = pairs_of(
        ("a" * 60, "b" * 20), ("c" * 61, "d" * 20), ("e" * 20, "f" * 61), ("謝謝", "Thank you very much, Sir")
    )
    sources, counts = kept(pairs, max_ratio=3)
    assert sources == ["a" * 60, "謝謝"]
    assert counts == {"read": 4, "ratio": 2, "kept": 2}
    assert len(kept(pairs, max_ratio=None)[0]) == 4


def test_the_first_of_equal_pairs_stays():
    pairs = pairs_of(("one", "un"), ("one", "une"), ("one", "un"), ("One", "un"), ("one", "un"))
    sources, counts = kept(pairs)
    assert (sources, counts) == (["one", "one", "One"], {"read": 5, "duplicates": 2, "kept": 3})
    assert len(kept(pairs, drop_duplicates=False)[0]) == 5


def test_the_two_sides_of_a_pair_are_not_confused():
    """A pair is not the text of both: ("a b", "c") is another than ("a", "b c"), and ("a", "b") than ("b", "a")."""
    pairs = pairs_of(("a b", "c"), ("a", "b c"), ("a", "b"), ("b", "a"))
    assert len(kept(pairs)[0]) == 4


@pytest.mark.parametrize(
    "pair", [("A dog runs.", "x"), ("x", "Un chien court."), ("a  dog runs .", "x"), ("Ａ dog runs.", "x")]
)
def test_a_pair_leaks_by_its_source_or_its_target_whatever_case_spaces_and_width(pair):
    held_out = pairs_of(("A dog runs.", "Un chien court."), ("A cat sleeps.", "Un chat dort."))
    pairs = pairs_of(pair, ("A horse", "Un cheval"))
    assert kept(pairs, (pairs_of(("y", "z")), held_out)) == (["A horse"], {"read": 2, "leaked": 1, "kept": 1})
    assert len(kept(pairs, (held_out,), drop_leaks=False)[0]) == 2


def test_a_source_that_is_someone_elses_target_is_no_leak():
    assert kept(pairs_of(("taxi", "un taxi")), (pairs_of(("a cab", "taxi")),))[1] == {"read": 1, "kept": 1}


WORDS = st.sampled_from(["", "a", "A", "a ", "b", "ab", "aab", "ＡＢ", "ß", "SS", "b" * 25, "a b"])
CORPUS = st.lists(st.tuples(WORDS, WORDS), max_size=12)


@given(CORPUS, CORPUS, st.integers(0, 3))
def test_each_pair_is_counted_once_and_the_report_equals_a_slow_count(pairs, other, bad):
    """Oracle: the definition, one reason after the other, looking through all pairs each time."""
    expected: Counter[str] = Counter(read=len(pairs) + bad, bad=bad)
    stay = []
    for item, (source, target) in enumerate(pairs):
        lengths = sorted((len(source), len(target)))
        if not source.strip() or not target.strip():
            reason = "empty"
        elif lengths[1] > 24:
            reason = "too_long"
        elif lengths[1] / max(lengths[0], 10) > 2:
            reason = "ratio"
        elif (source, target) in pairs[:item]:
            reason = "duplicates"
        elif any(same(source) == same(one) or same(target) == same(two) for one, two in other):
            reason = "leaked"
        else:
            reason = "kept"
            stay.append(item)
        expected[reason] += 1
    read = pairs_of(*pairs)
    corpus = Pairs(read.sources, read.targets, read.files, read.lines, (BAD,) * bad)
    chosen = TextSettings(max_length=24, max_ratio=2.0)
    if not stay:
        with pytest.raises(DataError, match="one pair at least"):
            filter_pairs(corpus, chosen, [pairs_of(*other)])
        return
    found, report = filter_pairs(corpus, chosen, [pairs_of(*other)])
    assert found.lines == tuple(item + 1 for item in stay)
    assert {name: count for name, count in report.to_dict().items() if count} == +expected
    assert report.read == sum(report.to_dict().values()) - report.read


def test_where_nothing_is_left_the_reason_is_told():
    with pytest.raises(DataError) as caught:
        filter_pairs(pairs_of(("a" * 30, "b" * 30), ("", "c")), TextSettings(max_length=20))
    assert str(caught.value) == (
        "2 pairs read, 0 kept (left out: 1 empty, 1 too long): needs one pair at least. Try other columns or files."
    )
    with pytest.raises(DataError, match=r"Try --data\.max-length with a larger number\.$"):
        filter_pairs(pairs_of(("a" * 30, "b" * 30)), TextSettings(max_length=20))


def test_the_report_is_one_line():
    report = FilterReport(
        read=161_438, bad=2, empty=1, too_long=30, ratio=4, duplicates=1500, leaked=6, kept=159_895
    )  # fmt: skip
    line = (
        "161,438 pairs read, 159,895 kept (left out: 2 bad, 1 empty, 30 too long, 4 of unlike length, "
        "1,500 duplicate, 6 also in validation or test)"
    )
    assert str(report) == line
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(report)
    assert captured.get() == line + "\n"
    assert str(FilterReport(3, 0, 0, 0, 0, 0, 0, 3)) == "3 pairs read, 3 kept"


@given(CORPUS.filter(lambda pairs: len(pairs) > 1), st.integers(0, 9), st.data())
def test_a_source_never_stands_on_both_sides_of_a_split(pairs, seed, data):
    count = data.draw(st.integers(1, len(pairs) - 1))
    try:
        train, held_out = split_off(pairs_of(*pairs), count, seed)
    except DataError:
        assert count < min(Counter(same(source) for source, _ in pairs).values())
        return
    assert not {same(source) for source in train.sources} & {same(source) for source in held_out.sources}
    assert sorted(train.lines + held_out.lines) == list(range(1, len(pairs) + 1))
    assert list(train.lines) == sorted(train.lines)
    assert list(held_out.lines) == sorted(held_out.lines)
    assert 0 < len(held_out) <= count


def test_a_split_of_single_sources_is_as_large_as_asked_and_depends_on_the_seed():
    pairs = pairs_of(*((f"s{n}", "t") for n in range(1000)))
    splits = [split_off(pairs, 100, seed)[1].lines for seed in (1, 1, 2)]
    assert [len(lines) for lines in splits] == [100, 100, 100]
    assert splits[0] == splits[1] != splits[2]
    assert 300 < sum(splits[0]) / 100 < 700  # from everywhere, not from the sorted beginning


def test_the_bad_rows_stay_with_the_training_side():
    pairs = Pairs(("a", "b"), ("x", "y"), ("f", "f"), (1, 3), (BAD,))
    train, held_out = split_off(pairs, 1, 0)
    assert (len(train.skipped), len(held_out.skipped)) == (1, 0)
    assert filter_pairs(train, TextSettings())[1].bad == 1


@pytest.mark.parametrize("count", [0, -1, 3, 4])
def test_a_split_leaves_something_on_both_sides(count):
    with pytest.raises(DataError) as caught:
        split_off(pairs_of(("a", "x"), ("b", "y"), ("c", "z")), count, 0)
    assert str(caught.value) == f"{count} pairs to set aside: needs from 1 to 2 of 3 pairs. Try 1."


def test_one_source_alone_cannot_be_split():
    with pytest.raises(
        DataError, match=r"^1 pairs to set aside: needs as many as the source with the fewest has\. Try 2"
    ):
        split_off(pairs_of(("a", "x"), ("A", "y"), ("b", "z"), ("b", "y")), 1, 0)


@pytest.mark.skipif(not TATOEBA.exists(), reason=f"no {TATOEBA}; set SEQWISE_DATA")
def test_tatoeba_is_split_by_its_sentences():
    """Many of its English sentences have several translations: a split by rows would put a third on both sides."""
    with gzip.open(TATOEBA, "rt", encoding="utf-8", newline="\n") as file:
        rows = [line.rstrip("\n").split("\t") for line in islice(file, 100_000, 120_000)]
    pairs = pairs_of(*((source, target) for source, target in rows))
    train, held_out = split_off(pairs, 2000, 1)
    assert (len(train), len(held_out)) == (18_000, 2000)
    assert not set(train.sources) & set(held_out.sources)
    clean, report = filter_pairs(train, TextSettings(), [held_out])
    assert not set(clean.targets) & set(held_out.targets)
    assert report.leaked < 200


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason=f"no {CAPTIONS}; set SEQWISE_DATA")
def test_the_few_captions_that_stand_twice_are_found():
    """Oracle: sets of the raw lines, whose case and spaces are the same wherever they leak."""
    parts = {}
    for part in ("train", "val", "test_2016_flickr"):
        parts[part] = read_pairs([CAPTIONS / f"{part}.en.gz", CAPTIONS / f"{part}.fr.gz"], TextSettings())
    others = (parts["val"], parts["test_2016_flickr"])
    _, report = filter_pairs(parts["train"], TextSettings(), others)
    train = list(zip(parts["train"].sources, parts["train"].targets, strict=True))
    sources = {text for other in others for text in other.sources}
    targets = {text for other in others for text in other.targets}
    assert report.duplicates == len(train) - len(set(train)) == 5
    assert report.leaked == sum(source in sources or target in targets for source, target in train) == 3
    assert report.kept == 28_992
