"""What users get wrong: each kind is one clear line on standard error, exit code 2, and nothing half-written."""

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqwise.cli import main

WORDS = ("one", "two", "three", "four", "five", "six", "seven")
GOOD = [f"{first} {second}" for first in WORDS for second in WORDS][:40]


def lines(path, rows, encoding="utf-8"):
    path.write_bytes("".join(f"{row}\n" for row in rows).encode(encoding))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with good files, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "a.en", GOOD)
    lines(tmp_path / "a.fr", GOOD)
    return tmp_path


def unequal(place):
    lines(place / "b.fr", GOOD[:-3])
    return ["train", "--train", "a.en", "b.fr"]


def empty(place):
    (place / "b.en").touch()
    return ["train", "--train", "b.en", "a.fr"]


def wrong_encoding(place):
    lines(place / "b.fr", ["déjà vu", *GOOD[1:]], "latin-1")
    return ["train", "--train", "a.en", "b.fr"]


def utf16(place):
    lines(place / "b.fr", GOOD, "utf-16")
    return ["train", "--train", "a.en", "b.fr"]


def binary(place):
    (place / "b.fr").write_bytes(bytes(range(256)) * 9)
    return ["train", "--train", "a.en", "b.fr"]


def missing_file(place):
    return ["train", "--train", "a.en", "a.rf"]


def only_one_file(place):
    return ["train", "--train", "a.en"]


def a_folder(place):
    return ["train", "--train", "a.en", "."]


def truncated_gzip(place):
    with gzip.open(place / "b.fr.gz", "wt") as file:
        file.write("\n".join(f"{row} {i}" for i, row in enumerate(GOOD * 50)))
    (place / "b.fr.gz").write_bytes((place / "b.fr.gz").read_bytes()[:200])
    return ["train", "--train", "a.en", "b.fr.gz"]


def missing_column(place):
    lines(place / "b.tsv", ["english\tfrench", *(f"{row}\t{row}" for row in GOOD)])
    return ["train", "--train", "b.tsv", "--data.source", "english", "--data.target", "frensh"]


def too_few_columns(place):
    lines(place / "b.tsv", [*(f"{row}\t{row}" for row in GOOD), "alone"])
    return ["train", "--train", "b.tsv"]


def broken_json(place):
    lines(place / "b.jsonl", [*(json.dumps({"source": row, "target": row}) for row in GOOD), "{"])
    return ["train", "--train", "b.jsonl"]


def broken_tmx(place):
    (place / "b.tmx").write_text("<tmx><body><tu><tuv xml:lang='en'><seg>one</seg></tuv>")
    return ["train", "--train", "b.tmx"]


def entity_bomb(place):
    bomb = "<!DOCTYPE t [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><tmx><body>&b;</body></tmx>"
    (place / "b.tmx").write_text(bomb)
    return ["train", "--train", "b.tmx"]


def nothing_left(place):
    lines(place / "b.en", ["", "", ""])
    lines(place / "b.fr", ["", "", ""])
    return ["train", "--train", "b.en", "b.fr"]


def unknown_setting(place):
    return ["train", "--train", "a.en", "a.fr", "--model.wdith", "64"]


def unknown_key_in_the_file(place):
    (place / "c.yaml").write_text("train: [a.en, a.fr]\nmodel:\n  layrs: 2\n")
    return ["train", "c.yaml"]


def broken_yaml(place):
    (place / "c.yaml").write_text("train: [a.en, a.fr\nmodel: {")
    return ["train", "c.yaml"]


def not_a_number(place):
    return ["train", "--train", "a.en", "a.fr", "--model.width", "wide"]


def out_of_range(place):
    return ["train", "--train", "a.en", "a.fr", "--model.dropout", "1.5"]


def wrong_choice(place):
    return ["train", "--train", "a.en", "a.fr", "--optimizer.schedule", "cosin"]


def contradiction(place):
    return ["train", "--train", "a.en", "a.fr", "--model.width", "256", "--model.heads", "6"]


def tied_but_separate(place):
    return ["train", "--train", "a.en", "a.fr", "--no-joint"]


def no_training_files(place):
    return ["train"]


def missing_tokenizer(place):
    return ["train", "--train", "a.en", "a.fr", "--tokens.source-file", "no.json"]


def broken_tokenizer(place):
    (place / "t.json").write_text('{"version": ')
    return ["train", "--train", "a.en", "a.fr", "--tokens.source-file", "t.json"]


def no_word_vectors(place):
    (place / "v.txt").write_text("one 0.1 0.2\ntwo 0.1 oops\n")
    vectors = ["--model.embeddings.source-vectors", "v.txt"]
    return ["train", "--train", "a.en", "a.fr", "--model.width", "2", "--model.heads", "1", *vectors]


def missing_run(place):
    return ["predict", "runs/none", "one"]


def not_a_run(place):
    return ["predict", ".", "one"]


def nothing_to_resume(place):
    return ["train", "--train", "a.en", "a.fr", "--resume"]


def folder_in_the_way(place):
    (place / "run").mkdir()
    (place / "run" / "thesis.doc").write_text("years of work")
    return ["train", "--train", "a.en", "a.fr", "--overwrite"]


def unknown_command(place):
    return ["trian"]


def unknown_flag(place):
    return ["predict", "run", "one", "--beems", "3"]


def unknown_device(place):
    return ["train", "--train", "a.en", "a.fr", "--training.device", "cuda:7"]


KINDS = {
    unequal: ["a.en", "b.fr", "40", "37"],
    empty: ["b.en"],
    wrong_encoding: ["b.fr:1", "--data.encoding"],
    utf16: ["b.fr", "utf-16"],
    binary: ["b.fr"],
    missing_file: ["a.rf", "a.fr"],
    only_one_file: ["a.en"],
    a_folder: ["folder"],
    truncated_gzip: ["b.fr.gz"],
    missing_column: ["frensh", "french"],
    too_few_columns: ["b.tsv:41", "--on-bad-row skip"],
    broken_json: ["b.jsonl:41"],
    broken_tmx: ["b.tmx:1"],
    entity_bomb: ["b.tmx:1"],
    nothing_left: ["0 kept", "3 empty"],
    unknown_setting: ["wdith", "--model.width"],
    unknown_key_in_the_file: ["c.yaml:3", "layrs", "layers"],
    broken_yaml: ["c.yaml:"],
    not_a_number: ["wide"],
    out_of_range: ["1.5", "0.95"],
    wrong_choice: ["cosin", "cosine"],
    contradiction: ["heads=6 with width=256", "--model.heads 8", "--model.width 252"],
    tied_but_separate: ["tied", "--model.embeddings.tied output"],
    no_training_files: ["--train"],
    missing_tokenizer: ["no.json"],
    broken_tokenizer: ["t.json"],
    no_word_vectors: ["v.txt:2", "oops"],
    missing_run: ["runs/none"],
    not_a_run: ["config.yaml"],
    nothing_to_resume: ["run"],
    folder_in_the_way: ["--out"],
    unknown_command: ["trian", "train"],
    unknown_flag: ["beems", "beams"],
    unknown_device: ["cuda:7"],
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_bad_input_is_one_line_and_leaves_nothing_behind(kind, place, capsys):
    words = kind(place)
    if words[0] == "train":
        words += ["--out", "run"]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    code = main(words)
    told = capsys.readouterr()
    errors = [line for line in told.err.splitlines() if line.startswith("seqwise: ")]
    assert code == 2
    assert len(errors) == 1, told.err
    assert told.err.rstrip().splitlines()[-1] == errors[0]
    assert "Traceback" not in told.err
    assert all(word in errors[0] for word in KINDS[kind]), errors[0]
    left = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert left == before, sorted(set(left) - set(before))


def small_run(place):
    flags = ["--model.width", "16", "--heads", "2", "--layers", "1", "--tokens.kind", "words", "--steps", "2"]
    assert main(["train", "--train", "a.en", "a.fr", "--out", "run", "--evaluation.average", "0", *flags]) == 0
    return flags


def test_truncated_weights_are_one_line(place, capsys):
    small_run(place)
    weights = place / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    capsys.readouterr()
    assert main(["predict", "run", "one"]) == 2
    assert "model.safetensors" in capsys.readouterr().err


def test_weights_of_another_model_are_one_line(place, capsys):
    small_run(place)
    config = place / "run" / "config.yaml"
    config.write_text(config.read_text().replace("  width: 16\n", "  width: 32\n", 1))
    capsys.readouterr()
    assert main(["predict", "run", "one"]) == 2
    assert "do not fit" in capsys.readouterr().err


def test_a_run_is_not_overwritten_unasked(place, capsys):
    flags = small_run(place)
    before = (place / "run" / "model.safetensors").read_bytes()
    assert main(["train", "--train", "a.en", "a.fr", "--out", "run", *flags]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (place / "run" / "model.safetensors").read_bytes() == before


def test_a_full_disk_is_one_line_and_what_was_saved_stays(place):
    """The limit on file size stands for the disk: the kernel refuses the write in the same place."""
    flags = small_run(place)
    shutil.copytree(place / "run", place / "copy")
    words = ["train", "copy/config.yaml", "--out", "copy", "--steps", "400", "--resume"]
    done = subprocess.run(
        [sys.executable, "-m", "seqwise", *words],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert flags
    assert done.returncode == 2, done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("seqwise: ")
    assert "Traceback" not in done.stderr
    for name in ("model.safetensors", "config.yaml", "tokenizer.json"):
        assert (place / "copy" / name).read_bytes() == (place / "run" / name).read_bytes()
    assert not list(Path("copy").rglob("*.part"))
