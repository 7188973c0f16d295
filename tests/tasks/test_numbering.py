from unicodedata import normalize

import pytest

from seqwise.data.corpus import Labelled
from seqwise.errors import DataError
from seqwise.tasks.numbering import numbered

NAMES = ("negative", "neutral", "positive")
STARS = tuple(f"{n} star{'s' * (n > 1)}" for n in range(1, 6))


def of(*labels):
    return Labelled.of(["a text"] * len(labels), labels, "f.tsv")


def test_labels_go_by_name_in_any_case():
    assert numbered(of("Positive", "neutral", "negative"), NAMES).numbers.tolist() == [2, 1, 0]
    assert numbered(of("us", "US"), ("US", "us")).numbers.tolist() == [1, 0]
    assert numbered(of("2", "1"), ("1", "2", "3")).numbers.tolist() == [1, 0]  # these are names
    with pytest.raises(DataError, match=r"f.tsv:1: the label 'positiv': needs one of .* Try writing positive there"):
        numbered(of("positiv"), NAMES)


def test_accents_may_be_composed_in_two_ways():
    names = ("café", normalize("NFD", "thé"))
    found = numbered(of(normalize("NFD", "café"), "thé", normalize("NFD", "CAFÉ")), names)
    assert found.numbers.tolist() == [0, 1, 0]


def test_numbers_from_0_are_those_of_the_checkpoint_and_told():
    found = numbered(of("2", "0", "2"), NAMES)
    assert found.numbers.tolist() == [2, 0, 2]
    assert found.notes == ("labels by their number: 0 is negative, 2 is positive",)
    assert numbered(of("1", "1"), ("LABEL_0", "LABEL_1")).numbers.tolist() == [1, 1]
    assert numbered(of("LABEL_1", "0"), ("LABEL_0", "LABEL_1")).numbers.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("1", "2", "3", "4"), STARS),  # of which each would be the next
        (("0", "5"), STARS),
        (("0", "positive"), NAMES),
        (("0", "1", "2"), ("1", "2", "3")),
        (("-1", "0"), NAMES),
    ],
)
def test_numbers_that_may_be_meant_otherwise_are_refused(labels, names):
    with pytest.raises(DataError, match="the label '") as error:
        numbered(of(*labels), names)
    assert len(str(error.value).splitlines()) == 1


def test_the_refusal_says_what_numbers_would_do():
    given = (
        r"f.tsv:1: the label '1': needs one of 1 star, .* or numbers alone, from 0 to 4 and 0 among them\. Try writing"
    )
    with pytest.raises(DataError, match=given):
        numbered(of("1", "2"), STARS)
