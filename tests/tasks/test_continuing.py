from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from seqwise.data.text import TextSettings
from seqwise.data.tokens import TokenSettings
from seqwise.errors import DataError
from seqwise.models.positions import PositionSettings
from seqwise.tasks.continuing import line_examples, prepare_text, whole
from seqwise.tasks.opening import open_own
from seqwise.tasks.settings import GenerateSettings, Train
from seqwise.verbs.train import train

TOKENS = TokenSettings(kind="characters", min_frequency=1, normalize="none")


@pytest.fixture
def made(tmp_path):
    """made("text", unit="file") -> the prepared text."""

    def make(text, valid=None, **generate):
        paths = {"train": (str(tmp_path / "train.txt"),)}
        (tmp_path / "train.txt").write_text(text)
        if valid is not None:
            (tmp_path / "valid.txt").write_text(valid)
            paths["valid"] = (str(tmp_path / "valid.txt"),)
        return prepare_text(Train(task="generate", tokens=TOKENS, generate=GenerateSettings(**generate), **paths))

    return make


def texts(examples, tokenizer):
    rows = [examples.inputs.flat[a:b].tolist() for a, b in pairwise(examples.inputs.starts)]
    return tokenizer.decode(rows)


def test_a_line_stands_between_start_and_end(made):
    found = made("abc\n\nabd\n", "ab\n")
    tokens, examples = found.vocabularies.source, found.examples
    a, b, c = (tokens.encode([letter])[0][0] for letter in "abc")
    assert examples.inputs.flat[:4].tolist() == [tokens.bos, a, b, c]
    assert examples.targets.flat[:4].tolist() == [a, b, c, tokens.eos]
    assert found.where(1).endswith("train.txt:3")
    assert tokens.framed(["ab"])[0].ids == [tokens.bos, a, b]  # as a prompt is put to it


def test_a_line_longer_than_the_context_is_cut_and_every_token_foreseen_once(made):
    tokens = made("abcdefgh\nx\n", "ab\n").vocabularies.source
    examples, owners = line_examples(["abcdefgh", "x"], tokens, 4)
    assert owners == [0, 0, 0, 1]
    assert examples.inputs.lengths.tolist() == [4, 4, 1, 2]
    assert tokens.decode([examples.targets.flat.tolist()]) == ["abcdefghx"]


def test_of_a_stream_the_last_tenth_is_held_out(made):
    text = "".join(chr(97 + i % 26) for i in range(999)) + "\n"
    found = made(text, unit="file", context=50)
    tokens = found.vocabularies.source
    assert "".join(texts(found.valid_examples, tokens)) == text[900:-1]
    assert "".join(texts(found.examples, tokens)) == text[:899]
    assert tokens.decode([found.stream.tolist()]) == [text[:900]]
    assert tokens.framed(["ab"])[0].ids == tokens.encode(["ab"])[0]


def test_lines_that_are_judged_on_are_not_learnt(made):
    found = made("one\ntwo\none\nThree\n", "three\n")
    assert any("4 lines read, 2 kept (left out: 1 duplicate, 1 also" in note for note in found.notes)


def test_files_come_whole_with_their_line_feeds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a  \n\n b\n")
    assert whole([str(path)], "utf-8") == ["a  \n\n b\n"]
    rows = tmp_path / "a.jsonl"
    rows.write_text('{"text": "one"}\n{"text": "two"}\n')
    assert whole([str(path), str(rows)], "utf-8") == ["a  \n\n b\n", "one\ntwo\n"]


@pytest.mark.parametrize("unit", ["line", "file"])
def test_rows_of_json_that_are_bad_are_skipped_and_blank_ones_left_out(tmp_path, unit):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "{text}"}}\n' for text in ("one", "", "two", "three")) + '{"text": 5}\n')
    settings = Train(
        task="generate",
        tokens=TOKENS,
        train=(str(path),),
        data=TextSettings(on_bad_row="skip"),
        generate=GenerateSettings(unit=unit, context=4),
    )
    told = " ".join(prepare_text(settings).notes)
    assert f"{path}: 1 bad row skipped, the first: {path}:5" in told
    assert f"{path}: 1 row with a blank text left out" in told


def test_text_that_is_too_short_is_refused(made):
    with pytest.raises(DataError, match="a single line"):
        made("abc\n")
    with pytest.raises(DataError, match="no text"):
        made("\n \n")


def test_more_can_be_written_than_was_seen_together_where_positions_are_distances(tmp_path, settings_of):
    """Each position then looks back as far as in training and no further."""
    settings = settings_of("generate", tmp_path, "stream")
    rotary = replace(settings.model, positions=PositionSettings(kind="rotary"))
    settings = replace(settings, model=rotary, training=replace(settings.training, steps=4))
    train(settings)
    own = open_own(settings.out, "cpu", "fp32")
    assert own.opened.longest > 1000
    one = torch.randint(4, 20, (1, 12))
    far = torch.cat((torch.randint(4, 20, (1, 30)), one), 1)
    seen = [own.opened.model.hidden(ids)[:, -1] for ids in (far, torch.cat((far[:, :1], far[:, 1:]), 1))]
    assert torch.equal(*seen)
    changed = far.clone()
    changed[0, far.shape[1] - 13] = 4 + (changed[0, far.shape[1] - 13] - 3) % 16  # one step beyond the window
    assert torch.equal(own.opened.model.hidden(changed)[:, -1], seen[0])
    sinusoidal = replace(settings, model=replace(rotary, positions=PositionSettings()), out=settings.out + "-2")
    train(sinusoidal)
    assert open_own(sinusoidal.out, "cpu", "fp32").opened.longest == 12
