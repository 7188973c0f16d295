"""What the head of a table of trials says, and with which versions and settings a table goes on."""

import json
from dataclasses import replace
from functools import partial
from hashlib import sha256

import pytest

from seqwise.config import to_yaml
from seqwise.errors import DataError
from seqwise.models.lora import LoraSettings
from seqwise.tasks.tuning.settings import PaceSettings, Tune
from seqwise.verbs.weighing.signature import older, signature
from seqwise.verbs.weighing.trial import Recipe, planned
from seqwise.verdict.ledger import FILE, opened, read, signed
from seqwise.verdict.trials import Trial, plan

TRIAL = Trial(1, 1.0, "full")
HALF = Trial(1, 0.5, "lora")


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """As a tuned run was made; nothing is trained here."""
    monkeypatch.chdir(tmp_path)
    for name in ("train.tsv", "test.tsv"):
        (tmp_path / name).write_text(f"text\tlabel\n{name}\tgood\n")
    made = Tune(base="bert", task="classify", method="lora", train=("train.tsv",), lora=LoraSettings(rank=4))
    return Recipe(made, ("test.tsv",))


def changed(recipe, **settings):
    return replace(recipe, settings=replace(recipe.settings, **settings))


def trained(recipe, epochs):
    return changed(recipe, training=replace(recipe.settings.training, epochs=epochs))


def table(folder, head, *trials):
    """A table by hand, as docs and older versions have it, all of its trials with a result."""
    folder.mkdir(exist_ok=True)
    rest = {"state": "MEASURED", "seconds": 1.0, "started": "2026-01-01T00:00:00+00:00", "host": "here"}
    lines = [json.dumps({"trials": 1, "of": head})]
    for trial in trials:
        key = {"seed": trial.seed, "fraction": trial.fraction, "method": trial.method, "more": {}}
        row = {"trial": key, "signature": signed(trial, head), **rest, "result": {"scores": []}, "error": ""}
        lines.append(json.dumps(row))
    (folder / FILE).write_text("\n".join(lines) + "\n")
    return folder


def due(recipe, folder):
    """What is left to do of two methods."""
    with opened(folder, signature(recipe), older=partial(older, recipe, folder)) as ledger:
        return [trial.name for trial in ledger.due(plan(["full", "lora"]))]


def test_what_was_asked_otherwise_is_refused_by_its_flag_and_older_tables_go_on(recipe, tmp_path):
    """Older tables have a hash of metric, groups and general sets."""
    head = signature(recipe) | {"asked": sha256(b"auto None ()").hexdigest()[:16]}
    assert due(recipe, table(tmp_path / "old", head, TRIAL)) == ["lora-1-seed1"]
    with pytest.raises(DataError, match=r"asked is --metric auto .* there and --metric macro-f1 .* here"):
        due(replace(recipe, metric="macro-f1"), table(tmp_path / "new", signature(recipe), TRIAL))
    with pytest.raises(DataError, match=r"asked is [0-9a-f]{16} there and --metric macro-f1 "):
        due(replace(recipe, metric="macro-f1"), table(tmp_path / "old", head, TRIAL))


def refused(recipe, folder):
    before = (folder / FILE).read_bytes()
    with pytest.raises(DataError) as caught:
        due(recipe, folder)
    assert (folder / FILE).read_bytes() == before
    assert "--overwrite" in str(caught.value)
    return str(caught.value)


def test_a_table_goes_on_with_the_same_settings_and_is_refused_by_the_name_of_what_changed(recipe, tmp_path):
    place = table(tmp_path / "out", signature(recipe), TRIAL)
    assert due(recipe, place) == ["lora-1-seed1"]
    told = refused(trained(recipe, 5), place)
    assert "setting training.epochs is 3 (default) there and 5 here" in told
    (tmp_path / "train.tsv").write_text("text\tlabel\nother\tgood\n")
    assert "data train.tsv is" in refused(recipe, place)


@pytest.mark.parametrize(("value", "fine"), [(0.0, True), (0.7, False)])
def test_a_setting_that_is_newer_than_the_table_minds_only_off_its_default(recipe, tmp_path, value, fine):
    head = {name: one for name, one in signature(recipe).items() if "r_drop" not in name}
    place = table(tmp_path / "out", head, TRIAL)
    training = recipe.settings.training
    asked = changed(recipe, training=replace(training, agreement=replace(training.agreement, r_drop=value)))
    if fine:
        assert due(asked, place) == ["lora-1-seed1"]
        assert read(place).signature == head  # its rows are signed by it
    else:
        assert "setting training.agreement.r_drop is not known there and 0.7 here" in refused(asked, place)


@pytest.mark.parametrize(("value", "fine"), [("0.1 (default)", True), ("0.2", False)])
def test_a_setting_that_is_gone_minds_only_where_the_table_has_it_off_its_default(recipe, tmp_path, value, fine):
    place = table(tmp_path / "out", {**signature(recipe), "setting training.bygone": value}, TRIAL)
    if fine:
        assert due(recipe, place) == ["lora-1-seed1"]
    else:
        assert "setting training.bygone is 0.2 there and not known here" in refused(recipe, place)


def test_a_default_that_has_changed_since_is_a_change(recipe, tmp_path):
    place = table(tmp_path / "out", {**signature(recipe), "setting training.epochs": "2 (default)"}, TRIAL)
    assert "setting training.epochs is 2 (default) there and 3 (default) here" in refused(recipe, place)


def test_a_learning_rate_minds_with_the_method_that_it_is_of(recipe, tmp_path):
    fast = changed(recipe, optimizer=PaceSettings(rate=1e-3))
    place = table(tmp_path / "out", signature(fast), TRIAL)
    assert due(fast, place) == ["lora-1-seed1"]
    assert "setting optimizer.rate is 0.001 there and null (default) here" in refused(recipe, place)
    assert "setting method is" in refused(changed(fast, method="qlora"), place)


def weights(place, content):
    place.mkdir(exist_ok=True, parents=True)
    (place / "model.safetensors").write_bytes(content)
    return sha256(content).hexdigest()


def tuned_on(place, trial, mark):
    """What a run tells of the weights that it began with."""
    run = place / "trials" / trial.name / "run"
    run.mkdir(parents=True)
    told = {"kind": "pretrained", "place": "bert", "revision": None, "labels": [], "complete": True}
    (run / "base.json").write_text(json.dumps({**told, "hashes": {"model.safetensors": mark}}))


def test_a_table_is_refused_with_other_weights_under_the_same_name(recipe, tmp_path):
    mark = weights(tmp_path / "bert", b"weights")
    assert signature(recipe)["base model.safetensors"] == mark[:16]
    place = table(tmp_path / "out", signature(recipe), TRIAL)
    assert due(recipe, place) == ["lora-1-seed1"]
    other = weights(tmp_path / "bert", b"other weights")
    assert f"base model.safetensors is {mark[:16]} there and {other[:16]} here" in refused(recipe, place)


def test_a_table_that_says_nothing_of_the_weights_goes_by_what_its_runs_began_with(recipe, tmp_path):
    place = table(tmp_path / "out", signature(recipe), TRIAL)
    mark = weights(tmp_path / "bert", b"weights")
    assert due(recipe, place) == ["lora-1-seed1"]
    tuned_on(place, TRIAL, mark)
    assert due(recipe, place) == ["lora-1-seed1"]
    weights(tmp_path / "bert", b"other weights")
    assert f"base model.safetensors is {mark[:16]} there" in refused(recipe, place)


def hashed(settings):
    """What older versions wrote of all settings together."""
    plain = replace(settings, method="full", out="", optimizer=replace(settings.optimizer, rate=None))
    plain = replace(plain, training=replace(plain.training, seed=0, device="auto"))
    return sha256(to_yaml(plain).encode()).hexdigest()[:16]


def older_table(recipe, folder, *trials, mark="0123456789abcdef"):
    """In the older form: of the settings a hash, the rest as it is today."""
    rest = {name: one for name, one in signature(recipe).items() if not name.startswith("setting ")}
    return table(folder, {"settings": mark, **rest}, *trials)


def written(recipe, folder, trial, *lacking):
    """The settings in the folder of a trial, as a version without some of them wrote them."""
    place = folder / "trials" / trial.name
    place.mkdir(parents=True, exist_ok=True)
    lines = to_yaml(planned(recipe, trial, place)).splitlines(keepends=True)
    (place / "tune.yaml").write_text("".join(one for one in lines if one.strip().split(":")[0] not in lacking))


def test_a_table_of_an_older_version_goes_on_by_its_hash_where_nothing_else_is_left(recipe, tmp_path):
    place = older_table(recipe, tmp_path / "out", TRIAL, mark=hashed(recipe.settings))
    assert due(recipe, place) == ["lora-1-seed1"]
    assert [row.trial for row in read(place).rows] == [TRIAL]
    assert "settings is" in refused(trained(recipe, 5), place)


def test_a_table_of_an_older_version_goes_on_where_what_it_lacks_is_at_its_default(recipe, tmp_path):
    """Its hash is of settings that nobody knows any more; the trials' own files decide."""
    place = older_table(recipe, tmp_path / "out", TRIAL, HALF)
    written(recipe, place, TRIAL, "agreement", "r_drop", "checkpointing")
    written(changed(recipe, train=("out/trials/lora-0.5-seed1/part/0-train.tsv",)), place, HALF, "r_drop", "agreement")
    assert due(recipe, place) == ["lora-1-seed1"]
    with opened(place, signature(recipe), older=partial(older, recipe, place)) as ledger:
        assert {row.trial for row in ledger.rows} == {TRIAL, HALF}
    training = recipe.settings.training
    harder = changed(recipe, training=replace(training, agreement=replace(training.agreement, r_drop=0.7)))
    assert "r_drop is 0.0 (default) there and 0.7 here" in refused(harder, place)


def test_a_table_of_an_older_version_is_refused_where_a_trial_was_made_otherwise(recipe, tmp_path):
    place = older_table(recipe, tmp_path / "out", TRIAL, HALF, mark=hashed(recipe.settings))
    written(recipe, place, TRIAL)
    written(trained(recipe, 9), place, HALF)
    assert "setting training.epochs is 9 there and 3 (default) here" in refused(recipe, place)


def test_a_table_of_an_older_version_whose_trials_tell_nothing_is_refused(recipe, tmp_path):
    place = older_table(recipe, tmp_path / "out", TRIAL)
    assert "settings is 0123456789abcdef there and not known here" in refused(recipe, place)
    (place / "trials" / TRIAL.name).mkdir(parents=True)
    (place / "trials" / TRIAL.name / "tune.yaml").write_text("bygone: 3\n")
    assert "settings is 0123456789abcdef there" in refused(recipe, place)


def test_writing_settings_that_are_given_are_told_from_none(recipe):
    from seqwise.decoding import Generation

    bare, given = (signature(changed(recipe, generation=one)) for one in (None, Generation()))
    assert bare["setting generation"] == "null (default)"
    assert given["setting generation"] == '"given"'
