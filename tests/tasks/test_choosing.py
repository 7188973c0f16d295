import pytest

from seqwise.config import check
from seqwise.decoding import Generation, Ranking
from seqwise.errors import ConfigError
from seqwise.metrics.consensus import likenesses
from seqwise.tasks.choosing import Translation, chosen

TEXTS = ("deux chats", "un chien court", "un chien court vite", "un chien court ici")


def outputs() -> list[Translation]:
    return [Translation(text, (), score) for text, score in zip(TEXTS, (-1.0, -1.2, -1.4, -1.6), strict=True)]


def test_the_likeliest_is_written_unless_another_is_asked_for():
    assert [one.text for one in chosen(outputs(), Generation(best=2))] == list(TEXTS[:2])


@pytest.mark.parametrize("measure", ["bleu", "chrf"])
def test_by_mbr_the_output_with_the_highest_expected_likeness_comes_first(measure):
    found = chosen(outputs(), Generation(ranking=Ranking(mbr=measure), best=3))
    expected = likenesses(TEXTS, measure).mean(1).tolist()
    assert [one.score for one in found] == pytest.approx(sorted(expected, reverse=True)[:3])
    assert found[0].text == TEXTS[expected.index(max(expected))]


def test_all_beams_are_found_where_there_is_a_choice():
    assert Generation(beams=8, ranking=Ranking(mbr="bleu")).found.best == 8
    assert Generation(beams=8).found.best == 1


def test_one_beam_leaves_nothing_to_choose_among():
    with pytest.raises(ConfigError, match="outputs to choose among"):
        check(Generation(beams=1, ranking=Ranking(mbr="bleu")))


def test_more_are_not_written_than_are_found():
    with pytest.raises(ConfigError, match="as many beams, or samples"):
        check(Generation(beams=4, best=20, ranking=Ranking(mbr="chrf"), temperature=0.7))
