import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.tasks.sentences import lead, sentences

# As a person would cut them; | stands between sentences.
CASES = [
    "We train a model.|It works well.",
    "Dr. Smith met Mr. J. R. Jones at 5 p.m. in St. Louis.|He was late.",
    "The rate is 3.5 percent.|That is, e.g. Paris, i.e. France, vs. London, is up 1.2%.",
    "Is it true?|Yes!|It is...|No.",
    '"It is over," he said.|"We lost." |They left.',
    "He said \u201cStop!\u201d and left.|She did not.",
    "It was shown (see Fig. 3 and Sec. 2) by Lee et al. (2017) that it holds.|We agree.",
    "He lives in the U.S.|The weather is fine.",
    "Made by Acme Inc. of Ohio.|Sold since Jan. 5.",
    "COLUMBIA, Mo. -- Brad Smith threw for 233 yards.|He won.",
    "ALEXANDRIA, Va. (Reuters) - A judge ruled for Google Inc. GOOG.O on Wednesday.|It appeals.",
    "Shares of Starbucks Corp. (SBUX.O: Quote) fell.|Shares of Acme Inc. rose.",
    "He worked for Acme Corp.|The firm paid well.",
    "It rained.|(It often does.)|- So they say.",
    "1. The first point.|2. The second.",
    "\u6211\u559c\u6b22\u732b\u3002|\u4f60\u5462\uff1f|\u5f88\u597d\uff01",
    "A heading\n\n|The text begins.|And ends",
    "the iPhone sold well. iPads did not",
    "Il a dit : \u00ab Non. \u00bb|Puis il est parti.",
    "Nothing to cut here",
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[:24])
def test_texts_are_cut_as_a_person_would(case):
    between = "" if "\u3002" in case else " "  # Chinese has none
    assert sentences(case.replace("|", between)) == [" ".join(one.split()) for one in case.split("|")]


@given(st.text(st.sampled_from('aB. !?\n\u3002"(1'), max_size=40))
def test_nothing_is_lost_and_nothing_is_empty(text):
    found = sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(found)


def test_the_lead_has_the_sentences_asked_for():
    text = "One.  Two\nlines. Three."
    assert lead(text) == "One."
    assert lead(text, 2) == "One. Two lines."
    assert lead(text, 9) == "One. Two lines. Three."
    assert lead("... Well. Yes.") == "... Well."
    assert lead("") == ""
