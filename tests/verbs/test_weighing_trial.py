"""One trial of a table: a part of the data, a method, a seed, and what comes back."""

import functools
import json
import pickle
import subprocess

import pytest
import tunable

from seqwise.errors import ConfigError, TrainingError
from seqwise.verbs.weighing import keeping, trial
from seqwise.verbs.weighing.models import score_model
from seqwise.verbs.weighing.trial import Recipe, run_trial, settings_of
from seqwise.verdict.trials import Trial


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    (folder / "bert").mkdir()
    tunable.bert(folder / "bert")
    train = (tunable.labelled(folder / "train.tsv", 80, 1),)
    test, other = (tunable.labelled(folder / f"{name}.tsv", 20, seed) for name, seed in (("test", 2), ("other", 3)))
    settings = tunable.settings(folder / "bert", folder, task="classify", method="lora", train=train,
                                training={"steps": 4})  # fmt: skip
    return Recipe(settings, (test,), (("other", (other,)),), probe=True)


def test_a_trial_trains_scores_and_is_not_trained_again(recipe, tmp_path, monkeypatch):
    work = pickle.loads(pickle.dumps(functools.partial(run_trial, recipe)))
    found = json.loads(json.dumps(work(Trial(seed=3, fraction=0.5, method="full"), tmp_path)))
    assert found["rows"] == 40
    assert [(one["part"], one["measure"]) for one in found["scores"]] == [
        ("test", "accuracy"), ("other", "accuracy of a probe")
    ]  # fmt: skip
    assert found["looks"][-1]["scores"]["loss"] > 0
    assert found["cost"] is None or found["cost"]["seed"] == 3
    kept = keeping.load(tmp_path / found["scores"][0]["file"])
    assert (kept.system, kept.seed, kept.value) == ("full", 3, found["scores"][0]["value"])
    assert kept.value == score_model(str(tmp_path / "run"), list(recipe.test)).value
    monkeypatch.setattr(trial, "_train", None)
    assert work.func(recipe, Trial(seed=3, fraction=0.5, method="full"), tmp_path)["scores"] == found["scores"]


def test_what_was_chosen_for_one_method_is_not_taken_for_another(recipe, tmp_path):
    full, _ = settings_of(recipe, Trial(1, 1.0, "full"), tmp_path)
    lora, rows = settings_of(recipe, Trial(2, 1.0, "lora"), tmp_path)
    assert full.optimizer.rate is None
    assert (lora.optimizer.rate, lora.training.seed, rows) == (5e-3, 2, 80)
    assert (full.train, full.test) == (recipe.settings.train, recipe.test)
    with pytest.raises(ConfigError, match=r"method lorra: needs full, lora, qlora\. Try lora"):
        settings_of(recipe, Trial(1, 1.0, "lorra"), tmp_path)


def test_a_training_that_fails_says_why_in_one_line(recipe, tmp_path, monkeypatch):
    def fails(folder, *flags):
        assert (folder / "tune.yaml").is_file()
        return subprocess.CompletedProcess([], 2, "", "note\nseqwise: there is no folder nothing: needs one\n")

    monkeypatch.setattr(trial, "_called", fails)
    with pytest.raises(TrainingError, match="nothing") as error:
        run_trial(recipe, Trial(1, 1.0, "lora"), tmp_path / "out")
    assert len(str(error.value).splitlines()) == 1
