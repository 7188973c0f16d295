"""One trial of a table: a part of the data, a method, a seed, and what comes back."""

import functools
import json
import pickle
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import tunable
from safetensors.torch import load_file, save_file

from seqwise.errors import ConfigError, TrainingError
from seqwise.verbs.weighing import keeping, trial
from seqwise.verbs.weighing.contenders import Contender
from seqwise.verbs.weighing.journals import costs_of
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


def base_of_other_weights(base, place):
    """The same model but for one weight."""
    shutil.copytree(base, place)
    tensors = load_file(place / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, place / "model.safetensors", {"format": "pt"})
    return place


def test_a_trial_trains_scores_and_is_not_trained_again(recipe, tmp_path, monkeypatch):
    work = pickle.loads(pickle.dumps(functools.partial(run_trial, recipe)))
    found = json.loads(json.dumps(work(Trial(seed=3, fraction=0.5, method="full"), tmp_path)))
    assert found["rows"] == 40
    assert [(one["part"], one["measure"]) for one in found["scores"]] == [
        ("test", "accuracy"), ("other", "accuracy of a probe")
    ]  # fmt: skip
    assert found["looks"][-1]["scores"]["loss"] > 0
    assert found["cost"] is None or found["cost"]["seed"] == 3
    one = Contender("full", {}, (str(tmp_path / "run"),))
    (alone,), (shared,) = costs_of(one, {}), costs_of(one, {one.runs[0]: 4.0})
    assert (shared.seconds, shared.paid) == (alone.seconds, pytest.approx(alone.whole / 4))
    kept = keeping.load(tmp_path / found["scores"][0]["file"])
    assert (kept.system, kept.seed, kept.value) == ("full", 3, found["scores"][0]["value"])
    assert kept.value == score_model(str(tmp_path / "run"), list(recipe.test)).value

    def trained(*_):
        raise TrainingError("a training", "none", "none")

    monkeypatch.setattr(trial, "_train", trained)
    again = functools.partial(run_trial, trial=Trial(seed=3, fraction=0.5, method="full"), folder=tmp_path)
    assert again(recipe)["scores"] == found["scores"]
    moved = shutil.copytree(tmp_path, tmp_path.parent / "moved")
    assert again(recipe, folder=moved)["scores"] == found["scores"]
    # what had ended and was made otherwise is no result of what is wanted now
    made = recipe.settings
    for settings in (
        replace(made, training=replace(made.training, steps=5)),
        replace(made, train=(tunable.labelled(tmp_path / "other.tsv", 80, 7),)),
        replace(made, base=str(base_of_other_weights(made.base, tmp_path / "bert"))),
    ):
        with pytest.raises(TrainingError):
            again(replace(recipe, settings=settings))
    train = Path(made.train[0])
    content = train.read_text()
    train.write_text(content.replace("good", "bad", 1))
    with pytest.raises(TrainingError):
        again(recipe)
    train.write_text(content)
    weights = Path(made.base) / "model.safetensors"
    before = weights.read_bytes()
    shutil.copyfile(tmp_path / "bert" / "model.safetensors", weights)
    with pytest.raises(TrainingError):
        again(recipe)
    weights.write_bytes(before)
    assert again(recipe)["scores"] == found["scores"]


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
