"""Overfitting as `weigh` tells it of runs: one that learns noise by heart, one that learns what there is to learn."""

import random
import shutil
from pathlib import Path

import pytest

from seqwise.checkpoints.run import RunFolder
from seqwise.data.tokens import TokenSettings
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.tasks import Train
from seqwise.training.journal import read as read_journal
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings
from seqwise.verbs.train import train
from seqwise.verbs.weighing.contenders import Contender
from seqwise.verbs.weighing.journals import overfits

WORDS = ("the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "red", "old")


def texts(path: Path, count: int, seed: int, noise: bool) -> str:
    """Labels by chance, or told by the last word."""
    chance, rows = random.Random(seed), []
    for _ in range(count):
        label = chance.choice(("good", "bad"))
        end = chance.choice(WORDS) if noise else {"good": "sun", "bad": "rain"}[label]
        rows.append(f"{' '.join(chance.choices(WORDS, k=5))} {end}\t{label}\n")
    path.write_text("text\tlabel\n" + "".join(rows))
    return str(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of one recipe, on labels that are noise and on labels that can be learnt."""
    folder = tmp_path_factory.mktemp("overfitting")
    for name in ("noise", "signal"):
        settings = Train(
            task="classify",
            train=(texts(folder / f"{name}-train.tsv", 48, 1, name == "noise"),),
            valid=(texts(folder / f"{name}-valid.tsv", 120, 2, name == "noise"),),
            out=str(folder / name),
            tokens=TokenSettings(kind="words", size=40),
            model=TransformerSettings(
                width=32, layers=1, heads=2, feed_forward=FeedForwardSettings(width=64), dropout=0.0
            ),
            training=TrainingSettings(epochs=None, steps=90, batch_tokens=400, precision="fp32", label_smoothing=0.0),
            optimizer=OptimizerSettings(rate=4e-3, warmup=5, schedule="inverse-sqrt"),
            evaluation=EvaluationSettings(every=10, average=0, metric="loss"),
        )
        train(settings)
    return folder


def asked(run, price=None):
    finding, trends = overfits(Contender("tuned", {}, (str(run),)), price, "EUR", {})
    return finding, trends


def test_a_run_that_learns_noise_is_told_to_overfit_with_an_interval(runs):
    finding, (trend,) = asked(runs / "noise", 3600.0)
    assert finding.answer == "yes", finding.told
    assert finding.test.n == {"validation items": 120, "looks": 9}
    assert finding.test.effect.interval.low > 0
    looks = [one for one in read_journal(runs / "noise" / "journal.jsonl") if hasattr(one, "scores")]
    losses = {one.step: one.scores["loss"] for one in looks}
    rise = losses[90] - min(losses.values())
    assert finding.test.effect.value == pytest.approx(rise, rel=1e-5)
    assert trend.best == trend.kept == min(losses, key=losses.get) < trend.turned
    assert trend.gap.low < losses[90] - looks[-1].scores["train_loss"] < trend.gap.high
    assert finding.values["money spared"] == pytest.approx(finding.values["seconds spared"])
    assert "from before it turned" in finding.told


def test_a_run_that_shared_its_machine_would_have_spared_its_share(runs):
    run = str(runs / "noise")
    one = Contender("tuned", {}, (run,))
    money = [overfits(one, 100.0, "EUR", beside)[0].values["money spared"] for beside in ({}, {run: 4.0})]
    assert money[1] == pytest.approx(money[0] / 4)


def test_a_run_that_learns_what_there_is_does_not(runs):
    finding, (trend,) = asked(runs / "signal")
    assert finding.answer in ("no", "cannot tell"), finding.told
    assert trend.by == "items"
    assert trend.turned is None


def test_a_run_without_losses_of_items_is_told_by_its_looks(runs, tmp_path):
    run = shutil.copytree(runs / "noise", tmp_path / "old")
    (run / "looks.safetensors").unlink()
    finding, (trend,) = asked(run)
    assert trend.by == "looks"
    assert finding.test.n == {"looks": 9}
    assert "jitter of the looks" in " ".join(finding.notes)


def test_a_damaged_file_gives_one_line_and_takes_no_other_question_with_it(runs, tmp_path):
    run = shutil.copytree(runs / "noise", tmp_path / "bad")
    path = run / "looks.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    finding, trends = asked(run)
    assert (finding.state, trends) == ("ERROR", ())
    assert "looks.safetensors" in finding.told
    assert "\n" not in finding.told


def test_overwriting_a_run_deletes_its_losses(runs, tmp_path):
    run = shutil.copytree(runs / "noise", tmp_path / "again")
    RunFolder.create(run, overwrite=True)
    assert not (run / "looks.safetensors").exists()
