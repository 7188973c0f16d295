"""`--draft` of predict: the same text, streamed too, and one line of error where nothing can be drafted."""

import folders
import pytest

from seqwise.errors import ConfigError
from seqwise.tasks import writing
from seqwise.verbs.predict import predict

TEXT = "The cat sat on the mat. The cat"


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    folders.llama(folder, template=False)
    return str(folder)


@pytest.mark.parametrize("draft", ["int8", "lookup"])
def test_a_draft_changes_nothing_of_the_text(llama, draft, capsys):
    plain = predict(llama, TEXT, precision="fp32", max_length=12)
    assert predict(llama, TEXT, precision="fp32", max_length=12, draft=draft) == plain
    predict(llama, TEXT, precision="fp32", max_length=12, draft=draft, stream=True)
    assert " ".join(capsys.readouterr().out.split()) == " ".join(plain.split())


@pytest.mark.parametrize(
    ("precision", "given", "by"),
    [
        ("fp32", {}, "Lookup"),
        ("bf16", {}, "Lookup"),
        ("fp32", {"draft": "none"}, None),
        ("int8", {}, None),
        ("fp32", {"temperature": 1.0}, None),
        ("fp32", {"beams": 2}, None),
    ],
)
def test_unasked_a_greedy_text_is_drafted_by_what_was_there(llama, precision, given, by, monkeypatch):
    """And by nobody where rows of a product are rounded together, or a seed tells what is drawn."""
    made = []
    kept = writing.Writer.drafts
    monkeypatch.setattr(writing.Writer, "drafts", lambda *given: made.append(kept(*given)) or made[-1])
    predict(llama, TEXT, precision=precision, max_length=4, **given)
    assert {None if one is None else type(one).__name__ for one in made} == {by}


def test_what_cannot_be_drafted_is_refused_in_a_line(llama, tmp_path):
    with pytest.raises(ConfigError, match="drafts by lookup with 3 beams"):
        predict(llama, TEXT, beams=3, draft="lookup")
    with pytest.raises(ConfigError, match="int8 weights"):
        predict(llama, TEXT, precision="int8", draft="int8")
    folders.bert(tmp_path)
    with pytest.raises(ConfigError, match="a decoder that writes"):
        predict(str(tmp_path), TEXT, draft="lookup")
