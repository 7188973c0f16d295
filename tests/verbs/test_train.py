import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.tokens import TokenSettings
from seqwise.errors import CheckpointError, ConfigError, DataError, TrainingError
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.positions import PositionSettings
from seqwise.training.events import Saved
from seqwise.training.journal import read
from seqwise.verbs.train import train


def changed(settings, **sections):
    parts = {
        name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
        for name, value in sections.items()
    }
    return replace(settings, **parts)


def bits(path):
    """Everything that a run is: the state's tensors and facts, and the best weights."""
    folder = RunFolder.open(path)
    state = folder.load_state()
    tensors = {**state.tensors, **{f"model.{name}": w for name, w in folder.load_model().items()}}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, state.facts


def losses(path):
    return [event.loss for event in read(Path(path) / "journal.jsonl") if type(event).__name__ == "Stepped"]


def command(settings, folder, *flags):
    """The run as a command line, from a file of its settings."""
    file = Path(folder) / "run.yaml"
    file.write_text(to_yaml(settings))
    return [sys.executable, "-m", "seqwise", "train", str(file), *flags]


ENVIRONMENT = {**os.environ, "COLUMNS": "100"}  # as many threads as here: their number decides the last bits


@pytest.mark.parametrize("kind", ["transformer", "lstm", "bf16", "varied"])
@pytest.mark.parametrize("stop", [8, 10], ids=["at a look", "between looks"])
def test_a_run_in_two_parts_equals_one_run_to_the_bit(tiny, kind, stop):
    tiny = changed(tiny, evaluation={"average": 3})
    if kind == "lstm":
        tiny = changed(tiny, model=LSTMSettings(width=24, layers=1))
    if kind == "bf16":
        tiny = changed(tiny, training={"precision": "bf16"}, evaluation={"ema": 0.9})
    if kind == "varied":  # so small an epoch that the second part begins in another
        tiny = changed(tiny, tokens=TokenSettings(size=300, dropout=0.3), training={"batch_tokens": 600})
    whole = changed(tiny, out=tiny.out + "-whole")
    train(whole)
    train(changed(tiny, training={"steps": stop}))
    train(changed(tiny, resume=True))
    assert bits(tiny.out) == bits(whole.out)
    assert losses(tiny.out) == losses(whole.out)


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tiny, tmp_path):
    """SIGKILL leaves nothing half-written: after any number of kills, --resume reaches what an unharmed run reaches."""
    tiny = changed(tiny, training={"steps": 60}, evaluation={"every": 3})
    whole = changed(tiny, out=tiny.out + "-whole")
    train(whole)
    chance = random.Random(7)
    words = command(tiny, tmp_path)
    for _ in range(4):
        child = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started = Path(tiny.out) / "journal.jsonl"
        while child.poll() is None and not started.exists():
            time.sleep(0.01)
        time.sleep(chance.random() * 0.6)
        child.kill()
        child.wait()
        if words[-1] != "--resume":
            words.append("--resume")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert bits(tiny.out) == bits(whole.out)
    assert losses(tiny.out) == losses(whole.out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_ends_in_order(tiny, tmp_path, number):
    tiny = changed(tiny, training={"steps": 100_000}, evaluation={"every": 50_000})
    child = subprocess.Popen(
        command(tiny, tmp_path),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # whatever the tests themselves ignore
    )
    journal = Path(tiny.out) / "journal.jsonl"
    while not (journal.exists() and journal.stat().st_size > 2000):
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.02)
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    assert RunFolder.open(tiny.out).load_state().step == events[-1]["step"]
    assert events[-1]["reason"] == "signal"


def test_between_looks_the_run_is_saved_by_the_clock(tiny, monkeypatch):
    """A run that breaks off after it was saved between two looks goes on to the same bits."""
    tiny = changed(tiny, training={"steps": 80}, evaluation={"every": 100_000, "save_every": 0.05})
    whole = changed(tiny, out=tiny.out + "-whole")
    train(whole)
    verb = sys.modules["seqwise.verbs.train"]
    follow = verb.follow

    def broken_off(events, readers):
        def until_saved():
            for event in events:
                yield event
                if isinstance(event, Saved):
                    assert event.reason == "time"
                    raise BrokenPipeError

        return follow(until_saved(), readers)

    monkeypatch.setattr(verb, "follow", broken_off)
    with pytest.raises(BrokenPipeError):
        train(tiny)
    monkeypatch.undo()
    assert 0 < RunFolder.open(tiny.out).load_state().step < 80
    train(changed(tiny, resume=True))
    assert bits(tiny.out) == bits(whole.out)
    assert losses(tiny.out) == losses(whole.out)


def test_pairs_of_the_test_files_are_left_out_of_training(tiny):
    with pytest.raises(DataError, match="also in validation or test"):
        train(changed(tiny, test=tiny.train))
    with pytest.raises(ConfigError, match=r"--test with --data\.drop-leaks false"):
        train(changed(tiny, test=tiny.train, data={"drop_leaks": False}))


def test_a_vocabulary_that_cannot_vary_is_refused_before_the_old_run_is_touched(tiny, tmp_path):
    train(tiny)
    before = bits(tiny.out)
    words = TokenSettings(source_file=str(Path(tiny.out) / "tokenizer.json"), dropout=0.1)
    kept = tmp_path / "tokenizer.json"
    kept.write_bytes((Path(tiny.out) / "tokenizer.json").read_bytes())
    with pytest.raises(ConfigError, match="has no merges"):
        train(changed(tiny, overwrite=True, tokens=replace(words, source_file=str(kept))))
    assert bits(tiny.out) == before


def test_a_learned_table_of_positions_must_hold_every_spelling(tiny):
    """Under BPE-dropout a text may come apart into its letters."""
    positions = PositionSettings(kind="learned", longest=30)
    tiny = changed(tiny, model=replace(tiny.model, positions=positions), tokens=TokenSettings(size=300, dropout=0.5))
    with pytest.raises(ConfigError, match=r"a sentence of \d+ tokens"):
        train(tiny)
    train(changed(tiny, model=replace(tiny.model, positions=replace(positions, longest=60)), training={"steps": 40}))


def test_pairs_longer_than_a_batch_are_told(tiny, capsys):
    train(changed(tiny, training={"steps": 1, "batch_tokens": 5}))
    assert "longer than --training.batch-tokens 5: each makes a batch of its own" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_note_stays_on_its_line_and_shows_what_stands_in_the_file(tiny, tmp_path, capsys):
    """Whatever rich makes of such letters on a terminal of 80 columns."""
    table = tmp_path / "a-name-so-long-that-with-the-rest-of-the-note-it-needs-more-than-eighty-columns.tsv"
    rows = zip(*(Path(path).read_text().splitlines() for path in tiny.train), strict=True)
    table.write_text(":smile: [bold]one\tun\n" + "".join(f"{one}\t{two}\n" for one, two in rows))
    train(changed(tiny, train=(str(table),), training={"steps": 1}))
    told = f"{table}: columns 1 and 2 of 2, without a header: ':smile: [bold]one', 'un'"
    assert told in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("model", "mend"),
    [(None, "--model.width 25 --model.heads 1"), (LSTMSettings(width=24, layers=1), "--model.embedding-width 25")],
    ids=["transformer", "lstm"],
)
def test_word_vectors_of_another_width_tell_the_flags_that_fit_them(tiny, tmp_path, model, mend):
    file = tmp_path / "glove.txt"
    file.write_text("".join(f"{word}{' 0.5' * 25}\n" for word in ("one", "two")))
    model = replace(model or tiny.model, embeddings=EmbeddingSettings(source_vectors=str(file)))
    with pytest.raises(ConfigError, match=f"{mend}[.]$"):
        train(changed(tiny, model=model))


@pytest.mark.parametrize("task", ["translate", "classify", "generate"])
def test_a_single_item_left_is_told_with_what_was_left_out(tiny, tmp_path, task):
    file = tmp_path / ("same.txt" if task == "generate" else "same.tsv")
    file.write_text("one two\tun\n" * 20)
    with pytest.raises(DataError, match=r"20 \w+ read, 1 kept \(left out: 19 duplicate"):
        train(changed(tiny, train=(str(file),), valid=(), task=task))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_accumulated_batches_are_one_large_batch(tiny, precision):
    """An epoch in one step, as many small batches or as one: the same weights after it."""
    tiny = changed(tiny, model=replace(tiny.model, dropout=0.0), evaluation={"every": 1})
    tiny = changed(tiny, training={"steps": 1, "precision": precision}, optimizer={"warmup": 0})
    tiny = changed(tiny, train=tiny.valid, data={"drop_leaks": False})
    large = changed(tiny, training={"batch_tokens": 10**6}, out=tiny.out + "-large")
    train(large)
    parts = 6  # batches of an epoch at this budget
    small = changed(tiny, training={"batch_tokens": 30, "accumulate": parts}, out=tiny.out + "-small")
    train(small)
    first, second = (read(Path(s.out) / "journal.jsonl")[0] for s in (small, large))
    assert first.tokens == second.tokens
    assert first.loss == pytest.approx(second.loss, rel=1e-5 if precision == "fp32" else 1e-2)
    assert first.gradient_norm == pytest.approx(second.gradient_norm, rel=1e-4 if precision == "fp32" else 2e-2)


def test_another_last_step_is_refused_where_the_rate_depends_on_it(tiny):
    tiny = changed(tiny, optimizer={"schedule": "cosine"})
    train(tiny)
    with pytest.raises(ConfigError, match=r"training\.steps is 20 but was 12"):
        train(changed(tiny, resume=True, training={"steps": 20}))


def test_the_journal_tells_everything(tiny):
    result = train(tiny)
    events = read(Path(tiny.out) / "journal.jsonl")
    kinds = [type(event).__name__ for event in events]
    assert kinds.count("Stepped") == 12
    assert kinds.count("Evaluated") == 3
    assert kinds[-1] == "Finished"
    looks = [event for event in events if type(event).__name__ == "Evaluated"]
    assert all(len(look.samples) == 3 and {"loss", "bleu", "chrf"} <= set(look.scores) for look in looks)
    assert looks[-1].scores["loss"] < looks[0].scores["loss"]
    assert result.finished.step == 12


def test_the_run_folder_holds_what_it_should(tiny):
    train(tiny)
    names = {path.name for path in Path(tiny.out).iterdir()}
    assert {"config.yaml", "model.safetensors", "tokenizer.json", "journal.jsonl", "signature.json", "state"} <= names
    signature = json.loads((Path(tiny.out) / "signature.json").read_text())
    assert signature["seed"] == 1
    assert set(signature["data"]) == {*tiny.train, *tiny.valid}


def test_a_run_is_not_overwritten_unless_asked(tiny):
    train(tiny)
    before = bits(tiny.out)
    with pytest.raises(CheckpointError, match="--overwrite"):
        train(tiny)
    assert bits(tiny.out) == before
    train(changed(tiny, overwrite=True, training={"seed": 2}))
    assert bits(tiny.out) != before


def test_resuming_with_other_settings_is_refused_by_name(tiny):
    train(tiny)
    with pytest.raises(ConfigError, match=r"model\.width is 64 but was 32.*--resume"):
        train(changed(tiny, resume=True, model=replace(tiny.model, width=64)))


def test_resuming_on_other_data_is_refused_by_file(tiny):
    train(tiny)
    with open(tiny.train[0], "a") as file:
        file.write("one\n")
    with open(tiny.train[1], "a") as file:
        file.write("un\n")
    with pytest.raises(ConfigError, match=r"train\.en.*not what the run began with"):
        train(changed(tiny, resume=True))


def test_early_stopping_ends_after_the_patience(tiny):
    """A rate at which the weights jump about soon gives two looks in a row without a new best."""
    tiny = changed(tiny, training={"steps": 600}, evaluation={"every": 1, "patience": 2, "metric": "loss"})
    result = train(changed(tiny, optimizer={"rate": 0.05, "warmup": 0, "schedule": "constant"}))
    assert result.finished.reason == "patience"
    assert result.finished.step == result.finished.best_step + 2


def test_a_time_limit_is_kept_and_leaves_a_usable_run(tiny):
    clock = time.monotonic()
    result = train(changed(tiny, training={"steps": None, "time_limit": 3.0}, evaluation={"every": 100_000}))
    assert result.finished.reason == "time limit"
    assert time.monotonic() - clock < 10
    assert RunFolder.open(tiny.out).load_model()


def test_a_loss_that_explodes_stops_with_step_pairs_and_the_last_good_state(tiny):
    tiny = changed(tiny, training={"steps": 400, "clip": 0.0}, evaluation={"every": 5})
    tiny = changed(tiny, optimizer={"rate": 10.0, "warmup": 60})
    with pytest.raises(TrainingError, match=r"at step \d+, in the batch of pairs .*state/step-") as caught:
        train(tiny)
    assert "--optimizer.rate" in str(caught.value)
    assert all(torch.isfinite(w).all() for w in RunFolder.open(tiny.out).load_state().tensors.values())


def test_the_average_of_the_last_looks_is_kept_only_if_it_is_better(tiny):
    result = train(changed(tiny, training={"steps": 40}, evaluation={"every": 5, "average": 3}))
    looks = [e for e in read(Path(tiny.out) / "journal.jsonl") if type(e).__name__ == "Evaluated"]
    assert len(looks) == 9
    best = max(looks, key=lambda look: (look.scores["bleu"], -look.scores["loss"]))
    assert result.finished.best == best.scores
    averaged = RunFolder.open(tiny.out).load_model_metadata().get("averaged") == "yes"
    assert averaged == (best is looks[-1] and looks[-1].best)


def test_without_validation_files_some_sources_are_held_out(tiny):
    train(changed(tiny, valid=()))
    assert RunFolder.open(tiny.out).load_state().step == 12


def test_word_vectors_come_in_and_stay_when_frozen(tiny, tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("".join(f"{word} {' '.join([str(0.1 * i)] * 32)}\n" for i, word in enumerate(["one", "two"], 1)))
    made = EmbeddingSettings(tied="none", source_vectors=str(file), frozen=True)
    train(changed(tiny, model=replace(tiny.model, embeddings=made)))
    rows = RunFolder.open(tiny.out).load_model()["encoder.embed.weight"]
    constant = [i for i, row in enumerate(rows) if row.std() < 1e-7 and row.abs().max() > 0]
    assert len(constant) == 2


@pytest.mark.parametrize("shard", [False, True])
def test_two_processes_train_as_one(tiny, tmp_path, shard):
    """torchrun with two ranks over gloo: the same losses as one process with the same global batches."""
    tiny = changed(tiny, model=replace(tiny.model, dropout=0.0), training={"shard": shard})
    alone = changed(tiny, out=tiny.out + "-alone", training={"shard": False})
    train(alone)
    words = command(tiny, tmp_path)[3:]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "seqwise"]
    done = subprocess.run([*launch, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert losses(tiny.out) == pytest.approx(losses(alone.out), rel=1e-4)
    model, other = (RunFolder.open(s.out).load_model() for s in (tiny, alone))
    assert model.keys() == other.keys()
    for name, weight in model.items():
        if weight.ndim > 1:  # the bias of the keys changes nothing, so Adam moves it by rounding errors alone
            torch.testing.assert_close(weight, other[name], atol=2e-3, rtol=2e-2)
