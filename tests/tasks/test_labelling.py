import json
from unicodedata import normalize

import pytest
import torch
from torch import nn

from seqwise.data.text import TextSettings
from seqwise.data.tokens import TokenSettings
from seqwise.errors import DataError
from seqwise.tasks.labelling import HiddenWords, ordered_labels, prepare_labels
from seqwise.tasks.settings import Train


@pytest.fixture
def made(tmp_path):
    """made({"train": rows, ...}) -> prepared labels."""

    def make(files, **changed):
        paths = {}
        for name, rows in files.items():
            path = tmp_path / f"{name}.tsv"
            path.write_text("".join(f"{text}\t{label}\n" for text, label in rows))
            paths[name] = (str(path),)
        tokens = TokenSettings(kind="words", size=100, min_frequency=1)
        return prepare_labels(Train(task="classify", tokens=tokens, **paths, **changed))

    return make


def test_labels_are_in_order_and_numbers_stay_text():
    assert ordered_labels(["10", "9", "10", "1"]) == ("1", "9", "10")
    assert ordered_labels(["b", "a", "10"]) == ("10", "a", "b")
    assert ordered_labels(["1.5", "-1", "true"]) == ("-1", "1.5", "true")


def test_texts_become_framed_ids_and_their_labels_numbers(made):
    found = made({"train": [("one two", "x"), ("two", "y")], "valid": [("two two", "y")]})
    tokens = found.vocabularies.source
    assert found.labels == ("x", "y")
    first = found.examples.inputs.flat[: found.examples.inputs.starts[1]].tolist()
    assert first == [tokens.bos, *tokens.encode(["one two"])[0], tokens.eos]
    assert found.examples.targets.flat.tolist() == [0, 1]
    assert found.valid_examples.targets.flat.tolist() == [1]
    assert found.where(1).endswith("train.tsv:2")


def test_the_same_label_in_two_spellings_of_its_accent_is_one_class(made):
    nfc, nfd = normalize("NFC", "été"), normalize("NFD", "été")
    found = made({"train": [("one two", nfc), ("two", "x"), ("three", nfd)], "valid": [("two two", nfd)]})
    assert found.labels == ("x", nfc)
    assert found.examples.targets.flat.tolist() == [1, 0, 1]
    assert found.valid_examples.targets.flat.tolist() == [1]


def test_training_learns_nothing_that_it_is_judged_on(made):
    rows = [("one", "x"), ("Two ", "y"), ("one", "x"), ("three", "y"), ("four", "x"), ("one", "y")]
    found = made({"train": rows, "valid": [("TWO", "y"), ("five", "x")], "test": [("four", "x")]})
    assert found.train.texts == ("one", "three", "one")
    assert any("1 duplicate, 2 also in validation or test" in note for note in found.notes)


def test_a_part_of_each_label_is_held_out_where_no_file_says_so(made):
    found = made({"train": [(f"text {i}", "rare" if i % 10 == 0 else "often") for i in range(100)]})
    assert len(found.valid) == 10
    assert sorted(found.valid.labels) == ["often"] * 9 + ["rare"]
    assert not {*found.train.texts} & {*found.valid.texts}


def test_one_class_is_nothing_to_tell_apart(made):
    with pytest.raises(DataError, match="one class only, 'x'"):
        made({"train": [("one", "x"), ("two", "x")], "valid": [("three", "x")]})


def test_a_label_that_training_lacks_is_named_with_its_place(made):
    with pytest.raises(DataError, match=r"valid\.tsv:2.*'good '|valid\.tsv:2.*'goood'"):
        made({"train": [("one", "good"), ("two", "bad")], "valid": [("three", "bad"), ("four", "goood")]})


class Seen(nn.Module):
    """An objective that keeps what it was given."""

    def forward(self, inputs, lengths, targets, weights):
        """Keep the inputs."""
        self.inputs = inputs
        return weights.sum()


def test_hidden_words_become_unknown_while_learning_and_special_ones_stay(made):
    tokens = made({"train": [("one two", "x"), ("two", "y")], "valid": [("one", "y")]}).vocabularies.source
    torch.manual_seed(0)
    inputs = torch.full((20, 50), 7)
    inputs[:, 0], inputs[:, 48], inputs[:, 49] = tokens.bos, tokens.eos, tokens.pad
    others = torch.full((20,), 50), torch.zeros(20, 1, dtype=torch.int64), torch.ones(20, 1)
    objective = HiddenWords(seen := Seen(), 0.3, tokens)
    objective(inputs, *others)
    hidden = seen.inputs != inputs
    assert (seen.inputs[hidden] == tokens.unk).all()
    assert 0.25 < hidden[:, 1:48].float().mean() < 0.35
    assert not hidden[:, [0, 48, 49]].any()
    objective.eval()(inputs, *others)
    assert torch.equal(seen.inputs, inputs)


def test_a_tab_parts_two_texts_on_a_line_and_is_a_letter_in_a_table(tmp_path):
    """Log lines and code have tabs of their own; in a row of a table there are columns for what is apart."""
    lines, labels, table = tmp_path / "a.text", tmp_path / "a.label", tmp_path / "a.jsonl"
    rows = [("one\ttwo", "x"), ("two", "y")]
    lines.write_text("".join(f"{text}\n" for text, _ in rows))
    labels.write_text("".join(f"{label}\n" for _, label in rows))
    table.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    tokens = TokenSettings(kind="words", size=100, min_frequency=1)
    found, kept = {}, TextSettings(drop_leaks=False)
    for name, paths in (("lines", (str(lines), str(labels))), ("table", (str(table),))):
        made = prepare_labels(Train(task="classify", tokens=tokens, train=paths, valid=paths, data=kept))
        words, rows_ = made.vocabularies.source, made.valid_examples.inputs
        found[name] = words.pieces(rows_.flat[: rows_.starts[1]].tolist())
    assert found["lines"] == ["<s>", "▁one", "</s>", "▁two", "</s>"]
    assert found["table"][:2] == ["<s>", "▁one"]
    assert found["table"].count("</s>") == 1
