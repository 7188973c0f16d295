import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from seqwise.checkpoints import run
from seqwise.checkpoints.run import LOCK, RunFolder
from seqwise.errors import CheckpointError

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def begun(path: Path) -> RunFolder:
    """A run folder as training leaves it."""
    folder = RunFolder.create(path)
    folder.save_config("seed: 1\n")
    folder.save_signature({"seed": 1})
    folder.save_model({"w": torch.arange(3.0)})
    folder.save_state(5, {"w": torch.arange(3.0)}, {"epoch": 1})
    return folder


def content(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def run_python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False)


# creating


def test_a_new_folder_is_made_with_those_above_it_and_an_empty_one_is_taken(tmp_path):
    assert RunFolder.create(tmp_path / "a" / "b").path.is_dir()
    RunFolder.create(tmp_path / "a" / "b")


def test_a_folder_with_content_is_refused_and_stays_as_it_is(tmp_path):
    begun(tmp_path / "run")
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"run has content: .* Try --resume .*--overwrite"):
        RunFolder.create(tmp_path / "run")
    assert content(tmp_path) == before


def test_a_run_that_was_killed_before_it_began_may_begin_again(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with folder.lock():
        pass
    (folder.path / ".config.yaml.123-0.part").write_text("half")
    RunFolder.create(tmp_path / "run")


@pytest.mark.parametrize(
    "names", [["notes.txt"], ["config.yaml"], ["journal.jsonl"], ["signature.json", "model.safetensors"]]
)
def test_overwriting_deletes_nothing_in_a_folder_that_is_no_run(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("precious")
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"is no run of Seqwise: .*nothing was deleted"):
        RunFolder.create(tmp_path, overwrite=True)
    assert content(tmp_path) == before


def test_overwriting_deletes_the_run_but_not_what_the_user_put_there(tmp_path):
    folder = begun(tmp_path)
    (folder.path / "tokenizer.json").write_text("{}")
    (folder.path / "tokenizer.target.json").write_text("{}")
    (folder.path / "journal.jsonl").write_text("")
    (folder.path / "notes.txt").write_text("precious")
    (folder.path / "data").mkdir()
    (folder.path / "data" / "train.en").write_text("precious")
    RunFolder.create(tmp_path, overwrite=True)
    assert set(content(tmp_path)) == {"notes.txt", "data/train.en", LOCK}


def test_overwriting_takes_no_file_for_its_own_that_it_never_writes(tmp_path):
    folder = begun(tmp_path)
    mine = {"report.html", "labels.backup.json", "tokenizer_old.json", "base/notes.txt", "adapter/notes.txt"}
    for name in mine:
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("precious")
    RunFolder.create(tmp_path, overwrite=True)
    assert set(content(tmp_path)) == {*mine, LOCK}


def test_overwriting_a_tuned_run_takes_what_it_kept_of_its_base(tmp_path):
    folder = begun(tmp_path)
    for name in ("base.json", "base/config.json", "adapter/adapter_config.json"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("{}")
    RunFolder.create(tmp_path, overwrite=True)
    assert set(content(tmp_path)) == {LOCK}


def test_a_run_that_was_half_deleted_is_still_one_to_overwrite(tmp_path, monkeypatch):
    """Killed on the way, again and again, until a lock and what makes it a run are left."""
    folder = begun(tmp_path)
    for name in ("base.json", "base/config.json", "adapter/adapter_config.json", "signature.json", "model.safetensors"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("{}")
    gone, kept = [], run.discard

    def killed(path):
        if len(gone) % 2:
            gone.append("nothing")
            raise KeyboardInterrupt
        gone.append(path.name)
        kept(path)

    monkeypatch.setattr(run, "discard", killed)
    while len(list(tmp_path.iterdir())) > 3:
        with pytest.raises(KeyboardInterrupt):
            RunFolder.create(tmp_path, overwrite=True)
    assert gone[-2] == "base.json"
    monkeypatch.undo()
    RunFolder.create(tmp_path, overwrite=True)
    assert set(content(tmp_path)) == {LOCK}


def test_a_folder_with_a_part_of_another_program_has_content(tmp_path):
    (tmp_path / "video.part").write_text("precious")
    with pytest.raises(CheckpointError, match="has content"):
        RunFolder.create(tmp_path)


def test_overwriting_does_not_follow_links_out_of_the_folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("precious")
    folder = begun(tmp_path / "run")
    (folder.path / "tensorboard").symlink_to(tmp_path / "elsewhere")
    RunFolder.create(folder.path, overwrite=True)
    assert (tmp_path / "elsewhere" / "precious").read_text() == "precious"
    assert not (folder.path / "tensorboard").is_symlink()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(CheckpointError, match="run is a file: needs a folder"):
        RunFolder.create(tmp_path / "run", overwrite=True)
    with pytest.raises(CheckpointError, match="cannot be written"):
        RunFolder.create(tmp_path / "run" / "inside")


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"run cannot be written \(Not a directory\)"):
        RunFolder.must_be_free(tmp_path / "file" / "run")
    locked = tmp_path / "locked"
    locked.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked)  # whoever runs the tests may write anywhere
    with pytest.raises(CheckpointError, match=r"run cannot be written \(Permission denied\).* Try chmod u\+w .*deep"):
        RunFolder.must_be_free(locked / "deep" / "run")
    RunFolder.must_be_free(tmp_path / "open" / "run")
    assert sorted(os.listdir(tmp_path)) == ["file", "locked"]


# opening


def test_a_folder_that_is_not_there_names_the_run_that_was_probably_meant(tmp_path):
    begun(tmp_path / "demo")
    begun(tmp_path / "translator")
    (tmp_path / "demos").mkdir()  # closer, but no run
    with pytest.raises(CheckpointError) as raised:
        RunFolder.open(tmp_path / "demoo")
    assert str(raised.value) == (
        f"there is no folder {tmp_path / 'demoo'}: needs the folder of a run. Try {tmp_path / 'demo'}."
    )
    with pytest.raises(CheckpointError, match=r"Try one of .*demo, .*translator"):
        RunFolder.open(tmp_path / "xyz")
    with pytest.raises(CheckpointError, match="Try seqwise train --out"):
        RunFolder.open(tmp_path / "nowhere" / "run")


def test_a_folder_that_is_no_run_says_so_and_names_the_runs_in_it(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(CheckpointError, match=r"runs is no run folder, it has no config.yaml"):
        RunFolder.open(tmp_path / "runs")
    begun(tmp_path / "runs" / "one")
    with pytest.raises(CheckpointError, match=r"Try one of .*runs/one"):
        RunFolder.open(tmp_path / "runs")


def test_a_run_is_opened(tmp_path):
    begun(tmp_path / "run")
    folder = RunFolder.open(str(tmp_path / "run"))
    assert folder.load_config() == "seed: 1\n"
    assert folder.load_signature() == {"seed": 1}
    assert folder.newest_step() == 5
    assert folder.newest_state() == folder.path / "state" / "step-000005"


# texts


def test_texts_come_back_to_the_byte(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    text = "name: Été\r\nother: 日本\n\n"
    folder.save_config(text)
    assert folder.load_config() == text
    folder.write_json("facts.json", {"é": [1, 2.5, None, "\ud800"]})
    assert folder.read_json("facts.json") == {"é": [1, 2.5, None, "\ud800"]}


@pytest.mark.parametrize("damage", [b"\xff\xfe", b'{"seed": ', b"[1, 2]", b"3"])
def test_a_damaged_text_is_one_clear_line(tmp_path, damage):
    folder = begun(tmp_path / "run")
    (folder.path / "signature.json").write_bytes(damage)
    with pytest.raises(CheckpointError, match=r"signature.json: it cannot be read .*: needs (JSON|text)"):
        folder.load_signature()
    (folder.path / "signature.json").unlink()
    with pytest.raises(CheckpointError, match=r"signature.json: it cannot be read \(No such file"):
        folder.load_signature()


# the lock


def test_two_trainings_cannot_hold_the_same_folder(tmp_path):
    folder = begun(tmp_path / "run")
    script = (
        "import sys; from seqwise.checkpoints.run import RunFolder\nwith RunFolder(sys.argv[1]).lock(): print('in')"
    )
    with folder.lock():
        other = run_python(script, str(folder.path))
        assert f"process {os.getpid()} is training in {folder.path}: needs one training at a time" in other.stderr
        with pytest.raises(CheckpointError, match="one training at a time"), RunFolder(folder.path).lock():
            pass
        with pytest.raises(CheckpointError, match="one training at a time"):
            RunFolder.create(folder.path, overwrite=True)
        assert folder.load_config() == "seed: 1\n"
    with RunFolder(folder.path).lock():
        pass


def test_the_lock_of_a_killed_process_does_not_block_and_its_leftovers_are_swept_away(tmp_path):
    folder = begun(tmp_path / "run")
    script = (
        "import os, sys, signal; from seqwise.checkpoints.run import RunFolder\n"
        "from seqwise.checkpoints.files import publishing, replacing\n"
        "folder = RunFolder(sys.argv[1])\n"
        "with folder.lock(), replacing(folder.path / 'model.safetensors', 0) as file, \\\n"
        "     publishing(folder.path / 'state' / 'step-000009') as part:\n"
        "    (part / 'state.safetensors').write_bytes(b'half')\n"
        "    file.write(b'half'); file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run_python(script, str(folder.path)).returncode == -9
    left = [p for p in folder.path.rglob("*") if p.name.endswith(".part")]
    assert len(left) == 2
    assert folder.load_state().step == 5
    assert torch.equal(folder.load_model()["w"], torch.arange(3.0))
    with folder.lock():
        assert not [p for p in folder.path.rglob("*") if p.name.endswith(".part")]
    assert folder.load_state().step == 5


# weights


def test_tied_weights_go_through_a_run_folder_as_the_model_names_them(tmp_path):
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    model[1].weight = model[0].weight
    folder = RunFolder.create(tmp_path / "run")
    folder.save_model(model.state_dict(), {"step": "12"})
    assert (folder.path / "model.safetensors").stat().st_size < 2 * 7 * 4 * 4 + 200
    fresh = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    fresh[1].weight = fresh[0].weight
    fresh.load_state_dict(folder.load_model(), strict=True)
    assert torch.equal(fresh[1].weight, model[0].weight)
    assert folder.load_model_metadata() == {"step": "12"}


def test_a_run_without_weights_says_that_they_are_not_there_yet(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"there is no model.safetensors in .*run: needs a run that has saved"):
        folder.load_model()


def test_the_average_is_the_mean_of_the_newest_weights(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    assert folder.average(3) is None
    everything = []
    for step in (10, 20, 30, 40):
        weights = {
            "half": torch.randn(5, dtype=torch.bfloat16),
            "w": torch.randn(3, 2),
            "long": torch.randn(4, dtype=torch.float64),
            "count": torch.tensor(step),
        }
        weights["tied"] = weights["long"]
        everything.append(weights)
        folder.save_average_candidate(step, weights, keep=3)
        if step == 10:
            assert folder.average(3) is None
    names = sorted(p.name for p in (folder.path / "state").iterdir())
    assert names == [f"weights-0000{step}.safetensors" for step in (20, 30, 40)]
    mean = folder.average(2)
    for name in ("half", "w", "long", "tied"):
        expected = torch.stack([weights[name].double() for weights in everything[2:]]).mean(0)
        assert torch.equal(mean[name], expected.to(mean[name].dtype)), name
        assert mean[name].dtype == everything[0][name].dtype
    assert mean["count"] == 40


# states


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    assert folder.load_state() is None
    assert folder.newest_state() is None
    assert folder.newest_step() is None
    tensors = {
        "w": torch.randn(4, 3),
        "half": torch.randn(2, 2).bfloat16(),
        "step": torch.tensor(7),
        "none": torch.empty(0, 3),
        "random": torch.get_rng_state(),
        "mask": torch.tensor([True, False]),
    }
    facts = {
        "place": {"epoch": 1, "batch": 2},
        "best": float("-inf"),
        "loss": 0.1 + 0.2,
        "text": "é\n",
        "none": None,
    }
    path = folder.save_state(123, tensors, facts)
    assert path == folder.path / "state" / "step-000123"
    state = folder.load_state()
    assert (state.step, state.facts, state.note) == (123, facts, None)
    assert state.tensors.keys() == tensors.keys()
    assert all(torch.equal(state.tensors[name], tensor) for name, tensor in tensors.items())
    assert all(state.tensors[name].dtype == tensor.dtype for name, tensor in tensors.items())


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_states_stay_and_older_ones_go(tmp_path, keep):
    folder = RunFolder.create(tmp_path / "run")
    for step in (1, 2, 30, 1_000_000, 20_000_000):
        folder.save_state(step, {"w": torch.tensor(float(step))}, {}, keep=keep)
    names = sorted(p.name for p in (folder.path / "state").iterdir())
    assert names == sorted(["step-20000000", "step-1000000", "step-000030"][:keep])
    assert folder.load_state().tensors["w"] == 20_000_000


def test_saving_a_step_a_second_time_replaces_it(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    for loss in (1.0, 2.0, 3.0):
        folder.save_state(4, {"w": torch.tensor(loss)}, {"loss": loss})
    assert [p.name for p in (folder.path / "state").iterdir()] == ["step-000004"]
    assert folder.load_state().facts == {"loss": 3.0}


def test_a_kill_between_a_second_saving_and_its_renaming_loses_nothing(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    state = folder.path / "state"
    folder.save_state(4, {"w": torch.tensor(1.0)}, {})
    (state / "step-000004").rename(state / "step-000004+")
    assert folder.load_state().tensors["w"] == 1
    assert folder.newest_step() == 4
    folder.save_state(4, {"w": torch.tensor(2.0)}, {})
    assert [p.name for p in state.iterdir()] == ["step-000004"]
    assert folder.load_state().tensors["w"] == 2


def test_states_and_weights_of_a_future_that_was_left_are_deleted(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    for step in (10, 20, 30):
        folder.save_state(step, {"w": torch.tensor(step)}, {}, keep=3)
        folder.save_average_candidate(step, {"w": torch.tensor(1.0)}, keep=3)
    folder.save_state(15, {"w": torch.tensor(15)}, {}, keep=3)
    names = sorted(p.name for p in (folder.path / "state").iterdir())
    assert names == ["step-000010", "step-000015", "weights-000010.safetensors"]


def flip(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("state.safetensors", flip, "its content is not what was written"),
        ("state.safetensors", cut, r"[\d,]+ bytes are there: needs the [\d,]+ that its header tells"),
        ("state.safetensors", Path.unlink, "there is no state.safetensors"),
        ("facts.json", cut, "it cannot be read"),
        ("facts.json", Path.unlink, "it cannot be read"),
    ],
)
def test_a_damaged_state_is_passed_over_with_a_note(tmp_path, name, damage, told):
    folder = RunFolder.create(tmp_path / "run")
    for step in (10, 20):
        folder.save_state(step, {"w": torch.ones(50)}, {}, keep=2)
    damage(folder.path / "state" / "step-000020" / name)
    state = folder.load_state()
    assert state.step == 10
    assert "going on from step 10, since a newer state is damaged" in state.note
    assert re.search(told, state.note)
    folder.save_state(11, {"w": torch.ones(50)}, {}, keep=2)
    assert folder.load_state().step == 11
    assert folder.load_state().note is None
    for step in (10, 11):
        damage(folder.path / "state" / f"step-0000{step}" / name)
    with pytest.raises(CheckpointError, match=r"no state in .* is whole \("):
        folder.load_state()


# kills

KILLER = """
import os, random, signal, sys, time
import torch
from seqwise.checkpoints.run import RunFolder

folder = RunFolder(sys.argv[1])
draw = random.Random(int(sys.argv[2]))

def tensors(step):
    return {"w": torch.full((20_000,), float(step)), "m": torch.full((300,), step)}

def train(first, end=10**6):
    with folder.lock():
        for step in range(first, end):
            folder.save_model(tensors(step))
            folder.save_average_candidate(step, tensors(step), keep=2)
            folder.save_state(step, tensors(step), {"step": step})
            if step % 3 == 0:
                folder.save_state(step, tensors(step), {"step": step})

def same(found, step):
    return all(torch.equal(found[name], tensor) for name, tensor in tensors(step).items())

began = time.monotonic()
train(1, 4)
longest = max(0.06, 2 * (time.monotonic() - began))
last = 3
for _ in range(int(sys.argv[3])):
    child = os.fork()
    if child == 0:
        train(last + 1)
    time.sleep(draw.uniform(0.001, longest))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    state = folder.load_state()
    assert state.note is None and state.step >= last, (state.note, state.step, last)
    assert same(state.tensors, state.step) and state.facts == {"step": state.step}
    last = state.step
    model = folder.load_model()
    assert same(model, int(model["m"][0])) and int(model["m"][0]) in (last, last + 1)
    average = folder.average(2)
    assert average is None or average["w"][0] in (last - 0.5, last + 0.5), (average, last)
assert last > 10, last
with folder.lock():
    folder.save_state(last + 1, tensors(last + 1), {})
left = sorted(p.name for p in (folder.path / "state").iterdir() if not p.name.startswith("weights"))
assert left == [f"step-{last + 1:06d}"], left
print("survived", last)
"""


def test_kills_at_any_moment_leave_a_state_that_loads_and_never_an_older_one(tmp_path):
    """A hundred children are killed with SIGKILL while they save as fast as they can."""
    RunFolder.create(tmp_path / "run")
    seed = random.randrange(10**6)
    done = run_python(KILLER, str(tmp_path / "run"), str(seed), "100")
    assert done.stdout.startswith("survived"), f"seed {seed}: {done.stderr}"


# a full disk

FULL = """
import resource, sys
import torch
from seqwise.checkpoints.run import RunFolder
from seqwise.errors import CheckpointError

folder = RunFolder(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
large = {"w": torch.ones(1_000_000)}
for save in (
    lambda: folder.save_model(large),
    lambda: folder.save_state(6, large, {}),
    lambda: folder.save_state(5, large, {}),
    lambda: folder.save_average_candidate(6, large, keep=1),
    lambda: folder.save_config("x" * 200_000),
):
    try:
        save()
        print("saved")
    except CheckpointError as error:
        print(error)
"""


def test_a_full_disk_leaves_the_old_content_and_one_line(tmp_path):
    """The limit on the size of files stands in for the full disk: the same writing fails in the same way."""
    folder = begun(tmp_path / "run")
    before = content(folder.path)
    done = run_python(FULL, str(folder.path))
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert len(lines) == 5
    for line, megabytes in zip(lines, ["4.0", "4.0", "4.0", "4.0", "0.2"], strict=True):
        assert re.search(rf"cannot be written \(File too large\): needs leave to write .* {megabytes} MB. Try", line)
    assert content(folder.path) == before
    assert folder.load_state().step == 5


def test_facts_are_plain_json_for_other_programs(tmp_path):
    path = begun(tmp_path / "run").newest_state()
    told = json.loads((path / "facts.json").read_text())
    assert told["step"] == 5
    assert told["facts"] == {"epoch": 1}
    assert re.fullmatch(r"[0-9a-f]{64}", told["sha256"])


def test_a_file_of_a_run_leads_to_the_run(tmp_path):
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"is a file of a run: needs the folder of the run. Try {tmp_path}\.$"):
        RunFolder.open(tmp_path / "model.safetensors")
