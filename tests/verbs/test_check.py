import json
import random
from pathlib import Path

import pytest
import torch
import transformers
from folders import byte_tokenizer
from rich.console import Console
from tokenizers import AddedToken, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

import seqwise
from seqwise.cli import main
from seqwise.errors import ConfigError, DataError

WORDS = [f"word{i}" for i in range(300)]


def rows(count: int, seed: int, length: int = 9) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    return [(" ".join(chance.choices(WORDS, k=length)), chance.choice("ab")) for _ in range(count)]


def tsv(path: Path, *parts: list[tuple[str, str]]) -> str:
    path.write_text("".join(f"{text}\t{label}\n" for part in parts for text, label in part))
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Training and test texts without a fault."""
    return tsv(tmp_path / "train.tsv", rows(120, 1)), tsv(tmp_path / "test.tsv", rows(1600, 2))


def levels(checked) -> dict[str, str]:
    return {check.name: check.level for check in checked.checks}


@pytest.fixture
def checkpoint(tmp_path):
    """The small files of a decoder, without weights: they are not needed."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(["Rain? Yes."], trainer)
    backend.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    folder = tmp_path / "tiny"
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 400, "n_positions": 60}
    config |= {"n_embd": 8, "n_layer": 1, "n_head": 2, "eos_token_id": backend.token_to_id("<|endoftext|>")}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_sound_data_pass(files):
    checked = seqwise.check((files[0],), test=(files[1],))
    assert set(levels(checked).values()) == {"PASS"}
    assert checked.exit_code == 0


def test_a_failed_check_ends_with_2_and_a_line_that_says_where(files, tmp_path, capsys):
    leaking = tsv(tmp_path / "leaking.tsv", rows(120, 1)[:40])
    assert main(["check", files[0], "--test", leaking]) == 2
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("FAIL")]
    assert line.split(maxsplit=3)[:3] == ["FAIL", "leakage", "train-test"]
    assert f"40 of 40 rows (100.0 %) of test stand in train, 0 more nearly so. At {leaking}:1, " in line
    assert line.endswith(". Try leaving them out of train.")
    assert len(lines) == len(seqwise.check((files[0],), test=(leaking,)).checks)


def test_bad_rows_are_counted_or_stop(tmp_path, files):
    bad = tmp_path / "bad.tsv"
    bad.write_text(Path(files[0]).read_text() + "no label\n")
    checked = seqwise.check((str(bad),))
    assert levels(checked)["rows"] == "WARN"
    assert checked.checks[0].rows == (f"{bad}:121",)
    with pytest.raises(DataError, match=r"bad.tsv:121: 1 column"):
        seqwise.check((str(bad),), on_bad_row="stop")


def test_columns_that_are_assumed_are_told(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("id,review,stars\n" + "".join(f"{i},it is {i},{i % 2}\n" for i in range(30)))
    main(["check", str(tmp_path / "a.csv")])
    assert capsys.readouterr().err == f"{tmp_path / 'a.csv'}: columns 1 and 2 of 3, without a header: 'id', 'review'\n"


def test_pairs_are_read_from_aligned_files(tmp_path):
    for side, seed in (("en", 1), ("fr", 2)):
        (tmp_path / f"a.{side}").write_text("".join(text + "\n" for text, _ in rows(30, seed)))
    assert main(["check", str(tmp_path / "a.en"), str(tmp_path / "a.fr"), "--task", "translate"]) == 0


def test_conversations_are_checked_with_the_tokens_of_a_model(tmp_path, checkpoint):
    data = tmp_path / "a.jsonl"
    talks = [
        {"prompt": text, "completion": "Yes." * size}
        for (text, _), size in zip(rows(9, 1), [1] * 8 + [99], strict=True)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in talks))
    checked = {check.name: check for check in seqwise.check((str(data),), task="generate", model=checkpoint).checks}
    assert checked["lengths train"].told.endswith("of 60 that the model takes")
    assert (checked["learnt"].level, checked["learnt"].rows) == ("WARN", (f"{data}:9",))
    assert "an answer of" in checked["learnt"].told


def test_texts_are_measured_by_a_run_of_ours(trained):
    names = tuple(str(trained / f"test.{side}") for side in ("en", "fr"))
    checked = {check.name: check for check in seqwise.check(names, task="translate", model=str(trained / "run")).checks}
    sizes = [
        max(map(len, map(str.split, pair)))
        for pair in zip(*(Path(n).read_text().splitlines() for n in names), strict=True)
    ]
    assert checked["lengths train"].told.endswith(f"longest {max(sizes)}")  # words are its tokens


def test_what_roberta_reads_is_less_than_its_table_of_positions(tmp_path, files):
    """Oracle: the longest text that transformers reads, whose positions begin behind that of the padding."""
    (tmp_path / "model").mkdir()
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.RobertaConfig(vocab_size=400, max_position_embeddings=20, pad_token_id=4, **sizes)
    theirs = transformers.RobertaForMaskedLM(config)
    theirs.save_pretrained(tmp_path / "model")
    byte_tokenizer([f"<{i}>" for i in range(5)]).save(str(tmp_path / "model" / "tokenizer.json"))
    theirs(torch.full((1, 15), 9))
    with pytest.raises(RuntimeError):
        theirs(torch.full((1, 16), 9))
    checked = seqwise.check((files[0],), model=str(tmp_path / "model")).checks
    (lengths,) = [one for one in checked if one.name == "lengths train"]
    assert "of 15 that the model takes" in lengths.told


def test_what_steers_a_terminal_is_escaped(tmp_path):
    name = tsv(tmp_path / "a.tsv", [*rows(30, 1), ("x \x1b[31m\ufffd", "a")])
    console = Console(width=60, color_system=None)
    with console.capture() as shown:
        console.print(seqwise.check((name,)), crop=False)
    assert "\x1b" not in shown.get()
    assert "encoding" in shown.get()


def test_the_result_is_plain_values(files):
    told = seqwise.check((files[0],)).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["checks"][0]["level"] == "PASS"


def test_faults_name_the_flags_of_this_verb(tmp_path, files):
    with pytest.raises(ConfigError, match="no data"):
        seqwise.check(())
    with pytest.raises(DataError, match=r"Try --text 1|--text"):
        seqwise.check((files[0],), text="sentence")
    data = tmp_path / "a.jsonl"
    data.write_text('{"question": "a", "reply": "b"}\n')
    with pytest.raises(DataError, match="Try --source question --target reply"):
        seqwise.check((str(data),), task="generate")


def test_columns_of_another_task_are_refused(files):
    with pytest.raises(ConfigError, match=r"--source said with --task classify: .* Try --task translate"):
        seqwise.check((files[0],), source="said")
    with pytest.raises(ConfigError, match=r"--label tone with --task translate: .* Try --task classify"):
        seqwise.check((files[0],), label="tone", task="translate")
