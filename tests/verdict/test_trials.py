"""Trials: their names, their order, and what becomes of one that fails."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.errors import ConfigError, DataError
from seqwise.verdict.trials import LOG, Trial, attempt, plan

TEXT = st.text(st.sampled_from("ab-=/. é"), min_size=1, max_size=4)
TRIALS = st.builds(
    Trial,
    st.integers(0, 3),
    st.sampled_from([1.0, 0.25, 0.1, 0.1 + 1e-12]),
    st.one_of(st.just("lora"), TEXT),
    st.dictionaries(TEXT, TEXT, max_size=2),
)


def test_the_name_says_what_is_tried():
    assert Trial(2, 0.25, "lora").name == "lora-0.25-seed2"
    assert Trial(1, 1, "full", {"rank": "8", "bits": "4"}).name == "full-1-seed1-bits=4-rank=8"


@given(st.lists(TRIALS, min_size=2, max_size=8))
@settings(max_examples=100)
def test_other_trials_have_other_names_and_every_name_is_a_folder_beside_the_others(trials):
    names = {trial: trial.name for trial in trials}
    assert len(set(names.values())) == len(set(trials))
    for name in names.values():
        assert name.isascii()
        assert not set(name) & set("/\\ ")
        assert not name.startswith(".")
        assert len(name) < 200


def test_a_trial_survives_the_way_into_another_process_and_is_a_key():
    trial = Trial(2, 0.25, "lora", {"rank": "8"})
    assert {pickle.loads(pickle.dumps(trial)): 1}[trial] == 1
    assert trial != Trial(2, 0.25, "lora", {"rank": "16"})


@pytest.mark.parametrize(
    "given", [(-1, 1, "full"), (1, 0, "full"), (1, 1.5, "full"), (1, math.nan, "full"), (1, 1, "")]
)
def test_what_is_no_trial_is_refused(given):
    with pytest.raises(ConfigError, match="needs"):
        Trial(*given)


def test_all_data_come_first_and_every_method_before_the_next_seed():
    names = [trial.name for trial in plan(["full", "lora"], [0.25, 1], [1, 2])]
    assert names[:4] == ["full-1-seed1", "lora-1-seed1", "full-1-seed2", "lora-1-seed2"]
    assert names[4:] == ["full-0.25-seed1", "lora-0.25-seed1", "full-0.25-seed2", "lora-0.25-seed2"]


def test_a_plan_without_seeds_and_one_that_counts_a_seed_twice_are_refused():
    with pytest.raises(ConfigError, match="no seed: needs"):
        plan(["full"], seeds=[])
    with pytest.raises(ConfigError, match="seed 1 twice: needs"):
        plan(["full"], seeds=[1, 2, 1])


def test_numbers_of_numpy_and_infinities_become_what_json_holds(tmp_path):
    facts = {"loss": math.inf, "hits": np.array([1, 0]), "f1": np.float32(0.5), "pair": (1, 2)}
    row = attempt(lambda trial, folder: facts, Trial(1, 1, "full"), tmp_path / "a")
    assert row.measured
    assert row.result == {"loss": "inf", "hits": [1, 0], "f1": 0.5, "pair": [1, 2]}
    assert row.seconds >= 0
    assert row.started.endswith("+00:00")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ValueError("too\nhigh"), "ValueError: too high"),
        (KeyError(), "KeyError"),
        (SystemExit(3), "SystemExit: 3"),
        (DataError("no rows", "some", "another file"), "no rows: needs some. Try another file."),
    ],
)
def test_an_error_becomes_a_row_of_one_line_and_the_whole_of_it_a_file(tmp_path, failure, told):
    def run(trial, folder):
        raise failure

    row = attempt(run, Trial(1, 1, "full"), tmp_path)
    assert (row.state, row.result, row.error) == ("ERROR", None, told)
    assert "in run" in (tmp_path / LOG).read_text()


def test_what_no_file_holds_is_an_error(tmp_path):
    row = attempt(lambda trial, folder: {"all": {1}}, Trial(1, 1, "full"), tmp_path)
    assert row.state == "ERROR"
    assert "set" in row.error


def test_ctrl_c_goes_through(tmp_path):
    def run(trial, folder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(run, Trial(1, 1, "full"), tmp_path)
