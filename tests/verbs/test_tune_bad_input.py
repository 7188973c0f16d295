"""What users of `tune` get wrong: each kind is one clear line, exit code 2, and no folder is left behind."""

import json
import shutil
from pathlib import Path

import pytest
import tunable
from folders import llama

from seqwise import device
from seqwise.checkpoints.tensors import write_tensors
from seqwise.cli import main
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Models, files, and a run of LoRA."""
    folder = tmp_path_factory.mktemp("bad")
    for name in ("bert", "llama", "wide"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    llama(folder / "llama", template=False)
    (folder / "t5").mkdir()
    tunable.t5(folder / "t5")
    tunable.own(folder, steps=2)
    tunable.labelled(folder / "train.tsv", 40, 1)
    tunable.labelled(folder / "test.tsv", 20, 2)
    tunable.pairs(folder / "pairs.tsv", 40, 1)
    tunable.instructions(folder / "train.jsonl", 20, 1)
    sections = {"task": "classify", "train": (str(folder / "train.tsv"),), "training": {"epochs": 1}}
    tune(tunable.settings(folder / "bert", folder, **sections, out=str(folder / "lora")))
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A folder with links to the models and copies of what tests change, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        if path.name == "lora":
            shutil.copytree(path, tmp_path / "lora")
        else:
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


CLASSIFY = ["tune", "bert", "--task", "classify", "--train", "train.tsv"]
GENERATE = ["tune", "llama", "--task", "generate", "--train"]


def write(path, rows):
    Path(path).write_text("".join(f"{row}\n" for row in rows))
    return str(path)


def no_model(place):
    return ["tune", "brt", *CLASSIFY[2:]], "bert"


def no_train(place):
    return ["tune", "bert", "--task", "classify"], "no --train"


def nothing_at_all(place):
    return ["tune", "--train", "train.tsv"], "no model to tune"


def rank_of_nothing(place):
    return [*CLASSIFY, "--lora.rank", "0"], "lora.rank"


def targets_that_match_nothing(place):
    return [*CLASSIFY, "--lora.targets", "qery"], "query"


def a_share_of_two(place):
    return [
        *CLASSIFY,
        "--replay",
        "test.tsv",
        "--replay-share",
        "2",
    ], "--replay-share 2: needs a number from 0.001 to 0.9"


def a_share_of_nothing(place):
    return [*CLASSIFY, "--replay-share", "0.2"], "files to replay"


def lora_that_is_full(place):
    return [*CLASSIFY, "--method", "full", "--lora.rank", "4"], "--method lora"


def layers_that_lora_freezes(place):
    return [*CLASSIFY, "--moving.layer-decay", "0.9"], "--method full"


def plus_that_is_full(place):
    return [*CLASSIFY, "--method", "full", "--moving.lora-plus", "4"], "--method lora"


def a_form_of_labels(place):
    return [*CLASSIFY, "--form", "alpaca"], "with generate"


def a_prompt_for_labels(place):
    return [*CLASSIFY, "--writing.prompt", "{text}!"], "translate or summarize"


def a_prompt_without_text(place):
    return ["tune", "llama", "--task", "summarize", "--train", "pairs.tsv", "--writing.prompt", "Sum:"], "{text}"


def a_split_of_nothing(place):
    return [*CLASSIFY, "--valid", "test.tsv", "--split.share", "0.3"], "nothing is split off"


def both_to_resume_and_overwrite(place):
    return [*CLASSIFY, "--resume", "--overwrite"], "one of them"


def four_bits_in_parts(place):
    return [*CLASSIFY, "--method", "qlora", "--training.shard"], "--method lora"


def a_fall_without_an_end(place):
    return [*CLASSIFY, "--epochs", "none", "--training.time-limit", "1m"], "--optimizer.schedule constant"


def leaks_that_are_kept(place):
    return [*CLASSIFY, "--test", "test.tsv", "--data.drop-leaks", "false"], "drop-leaks"


def labels_of_a_translator(place):
    return ["tune", "t5", *CLASSIFY[2:]], "an encoder or a decoder"


def texts_of_an_encoder(place):
    return ["tune", "bert", "--task", "translate", "--train", "pairs.tsv"], "a model that writes"


def conversations_of_an_encoder(place):
    return ["tune", "bert", "--task", "generate", "--train", "train.jsonl"], "a decoder that writes"


def labels_of_a_run(place):
    return ["tune", "transformer", *CLASSIFY[2:]], "translate or summarize"


def four_bits_of_a_run(place):
    return ["tune", "transformer", "--task", "translate", "--train", "pairs.tsv", "--method", "qlora"], "--method lora"


def a_run_that_is_there(place):
    return [*CLASSIFY, "--out", "lora"], "--overwrite"


def a_run_that_is_not_there(place):
    return [*CLASSIFY, "--resume"], "there is no folder runs/tuned"


def one_label_only(place):
    write("b.tsv", ["text\tlabel", *(f"one {i} two\tgood" for i in range(9))])
    return [*CLASSIFY[:-1], "b.tsv"], "one label only, 'good'"


def one_example(place):
    write("b.tsv", ["text\tlabel", "one\tgood"])
    return [*CLASSIFY[:-1], "b.tsv"], "one"


def an_unknown_label(place):
    write("b.tsv", ["text\tlabel", "you love food\tgood", "you love machine\tgod"])
    return [*CLASSIFY, "--test", "b.tsv"], "b.tsv:3: the label 'god'"


def an_unknown_label_at_evaluation(place):
    write("b.tsv", ["text\tlabel", "you love food\tgood", "you love machine\tgod"])
    return ["evaluate", "lora", "--test", "b.tsv"], "b.tsv:3: the label 'god'"


def a_missing_column(place):
    return [*CLASSIFY, "--text", "txet"], "text"


def no_file(place):
    return [*CLASSIFY[:-1], "trian.tsv"], "trian.tsv"


def an_empty_file_to_validate(place):
    Path("b.tsv").touch()
    return [*CLASSIFY, "--valid", "b.tsv"], "b.tsv"


def latin_1(place):
    Path("b.tsv").write_bytes("text\tlabel\ndéjà vu\tgood\nx\tbad\n".encode("latin-1"))
    return [*CLASSIFY[:-1], "b.tsv"], "b.tsv:2"


def a_broken_line_of_json(place):
    rows = Path("train.jsonl").read_text().splitlines()
    write("b.jsonl", [*rows[:3], '{"instruction": ', *rows[3:]])
    return [*GENERATE, "b.jsonl"], "b.jsonl:4"


def an_empty_message(place):
    row = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": ""}]}
    write("b.jsonl", [json.dumps(row)] * 2)
    return [*GENERATE, "b.jsonl"], "b.jsonl:1"


def an_answer_that_is_cut_off_whole(place):
    write("b.jsonl", [json.dumps({"prompt": f"say {i}", "completion": "one two three " * 60}) for i in range(3)])
    return [*GENERATE, "b.jsonl"], "b.jsonl:1"


def keys_of_no_form(place):
    write("b.jsonl", [json.dumps({"question": "one", "answer": "two"})] * 3)
    return [*GENERATE, "b.jsonl"], "--data.source question --data.target answer"


def weights_that_match_nothing(place):
    return [*CLASSIFY, "--method", "full", "--moving.freeze", "embedd"], "embed"


def an_adapter_for_another_base(place):
    return ["predict", "llama", "one", "--adapter", "lora"], "not what the run was tuned on"


def an_adapter_of_other_names(place):
    return ["predict", "llama", "one", "--adapter", "lora/adapter"], "does not have"


def an_adapter_of_other_shapes(place):
    from safetensors.torch import load_file

    file = place / "lora" / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "lora_A" in name)
    write_tensors(file, {**tensors, name: tensors[name][:, :-1].contiguous()}, {"format": "pt"})
    return ["predict", "bert", "one", "--adapter", "lora"], "of shape"


def an_adapter_that_is_damaged(place):
    file = place / "lora" / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:300])
    return ["predict", "bert", "one", "--adapter", "lora"], "adapter_model.safetensors"


def weights_that_are_damaged(place):
    file = place / "lora" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:300])
    return ["predict", "lora", "one"], "model.safetensors"


def facts_that_are_damaged(place):
    (place / "lora" / "base.json").write_text('{"kind": "pretrained"}')
    return ["predict", "lora", "one"], "base.json"


def an_adapter_that_is_none(place):
    return ["predict", "bert", "one", "--adapter", "t5"], "no adapter"


def an_adapter_for_a_run(place):
    return ["predict", "transformer", "one", "--adapter", "lora"], "a checkpoint of the hub"


def an_adapter_of_full_weights(place):
    return ["export", "transformer", "--to", "peft", "--out", "out"], "a run of seqwise tune"


BAD = [
    no_model, no_train, nothing_at_all, rank_of_nothing, targets_that_match_nothing, a_share_of_two, a_share_of_nothing,
    lora_that_is_full, layers_that_lora_freezes, plus_that_is_full, a_form_of_labels, a_prompt_for_labels,
    a_prompt_without_text, a_split_of_nothing, both_to_resume_and_overwrite, four_bits_in_parts, a_fall_without_an_end,
    leaks_that_are_kept, labels_of_a_translator, texts_of_an_encoder, conversations_of_an_encoder, labels_of_a_run,
    four_bits_of_a_run, a_run_that_is_there, a_run_that_is_not_there, one_label_only, one_example, an_unknown_label,
    an_unknown_label_at_evaluation, a_missing_column, no_file, an_empty_file_to_validate, latin_1,
    a_broken_line_of_json, an_empty_message, an_answer_that_is_cut_off_whole, keys_of_no_form,
    weights_that_match_nothing,
    an_adapter_for_another_base, an_adapter_of_other_names, an_adapter_of_other_shapes, an_adapter_that_is_damaged,
    weights_that_are_damaged, facts_that_are_damaged, an_adapter_that_is_none, an_adapter_for_a_run,
    an_adapter_of_full_weights,
]  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.__name__)
def test_it_is_one_line_and_leaves_nothing(place, case, capsys):
    words, told = case(place)
    before = {path.name for path in place.iterdir()}
    assert main(words) == 2
    error = capsys.readouterr().err.splitlines()
    assert told in error[-1], error
    assert error[-1].startswith("seqwise: ")
    assert not any(line.startswith(("seqwise: ", "Traceback")) for line in error[:-1])  # notes may stand before it
    assert {path.name for path in place.iterdir()} == before


def test_memory_that_is_not_there_is_foreseen(place, monkeypatch, capsys):
    monkeypatch.setattr(device, "available", lambda: 1000)
    assert main(CLASSIFY) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("seqwise: ")
    assert "of memory" in error
    assert not (place / "runs").exists()


def test_all_contradictions_are_told_at_once(place, capsys):
    words = ["--lora.rank", "4", "--replay-share", "0.2", "--resume", "--overwrite", "--method", "full"]
    words += ["--optimizer.schedule", "constant", "--fall-by", "time"]
    assert main([*CLASSIFY, *words]) == 2
    error = capsys.readouterr().err
    for told in ("--method lora", "files to replay", "--resume with --overwrite", "--optimizer.fall-by time with"):
        assert told in error


def test_a_tuned_run_is_named_where_one_of_train_is_meant(place, capsys):
    """And not read as settings of another command; what knows tuned runs takes its tokenizer."""
    assert main(["plan", "lora", *CLASSIFY[2:]]) == 2
    told = "seqwise: the run lora, which was tuned: needs a run of seqwise train. Try seqwise export lora --to merged"
    assert told in capsys.readouterr().err
    assert main(["check", "train.tsv", "--model", "lora"]) == 0
    mine = capsys.readouterr().out
    assert main(["check", "train.tsv", "--model", "bert"]) == 0
    assert capsys.readouterr().out == mine
