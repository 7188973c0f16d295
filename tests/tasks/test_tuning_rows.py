"""Rows of the user's files that a tuning run cannot use, and where the others go."""

import re

import pytest
import transformers
import tunable
from folders import save
from tokenizers import Tokenizer, models

from seqwise.errors import DataError
from seqwise.tasks.tuning import starting, translating
from seqwise.tasks.tuning.items import read_all


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory):
    """A decoder whose tokenizer drops the letters that it does not know."""
    folder = tmp_path_factory.mktemp("forgetful")
    names = ["<pad>", "</s>", *"abc "]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, []))
    tokenizer.add_special_tokens(["<pad>", "</s>"])
    config = transformers.GPT2Config(
        vocab_size=len(names), n_embd=16, n_layer=1, n_head=2, n_positions=32, bos_token_id=1, eos_token_id=1
    )
    save(folder, "GPT2LMHeadModel", config, tokenizer, {"eos_token": "</s>", "pad_token": "<pad>"})
    return folder


def test_a_text_of_which_nothing_is_learnt_is_left_out_and_counted(forgetful, tmp_path):
    (tmp_path / "train.txt").write_text("".join(f"{'ab' * (n + 1)}\n" for n in range(8)) + "xyz\n")
    (tmp_path / "valid.txt").write_text("abc\nzzz\n")
    files = {part: (str(tmp_path / f"{part}.txt"),) for part in ("train", "valid")}
    sections = {"task": "generate", "method": "full", **files}
    with pytest.raises(DataError, match=r"train.txt:9: no token that is learnt.*--on-bad-row skip"):
        starting.gather(tunable.settings(forgetful, tmp_path, **sections), None, lambda _: None)
    told = []
    start = starting.gather(
        tunable.settings(forgetful, tmp_path, data={"on_bad_row": "skip"}, **sections), None, told.append
    )
    assert (len(start.material.train), len(start.material.valid)) == (8, 1)
    assert any("1 examples left out" in note and "train.txt:9" in note for note in told), told


def test_a_label_of_one_group_stays_to_be_learnt_and_that_none_validates_it_is_told(tmp_path):
    rows = [f"text {n}\t{'rare' if n == 7 else 'ab'[n % 2]}\tgroup {n // 2}" for n in range(40)]
    (tmp_path / "train.tsv").write_text("text\tlabel\tspeaker\n" + "\n".join(rows) + "\n")
    for seed in range(8):
        sections = {"split": {"group_by": "speaker", "share": 0.5}, "training": {"seed": seed}}
        settings = tunable.settings("bert", tmp_path, train=(str(tmp_path / "train.tsv"),), **sections)
        read = read_all(settings)
        assert "rare" in read.train.wanted
        assert "rare" not in read.valid.wanted
        assert any("valid: no example of rare" in note for note in read.notes)
        assert not set(read.train.groups) & set(read.valid.groups)


def test_texts_beyond_the_positions_of_a_run_are_named_and_the_mend_leaves_them_out(tmp_path, monkeypatch):
    base = tunable.own(tmp_path, steps=2)
    monkeypatch.setattr(translating, "longest_output", lambda _: 4)
    rows = ["one\tun", "two three\tdeux trois", "one two three four\tun deux trois quatre", "four one\tquatre un",
            "three two one four five\ttrois deux un quatre cinq", "five\tcinq"]  # fmt: skip
    (tmp_path / "train.tsv").write_text("source\ttarget\n" + "\n".join(rows) + "\n")
    (tmp_path / "valid.tsv").write_text("source\ttarget\nsix\tsix\n")
    files = {part: (str(tmp_path / f"{part}.tsv"),) for part in ("train", "valid")}
    given = tunable.settings(base, tmp_path, task="translate", **files)
    with pytest.raises(DataError, match=r"train.tsv:4: a text of 5 tokens, one of 2 .*at most 4") as caught:
        starting.gather(given, None, lambda _: None)
    (most,) = re.findall(r"--data\.max-length (\d+)", caught.value.faults[0].mend)
    start = starting.gather(tunable.changed(given, data={"max_length": int(most)}), None, lambda _: None)
    assert start.material.read.train.texts == ("one", "two three", "four one", "five")
