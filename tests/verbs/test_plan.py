"""plan, and what a run foresees of itself: against the run that follows, and against autograd's own count of memory."""

import io
import json
import os
import signal

import pytest
import torch
import tunable
from folders import bert, llama
from rich.console import Console

from seqwise import device
from seqwise.errors import ConfigError
from seqwise.tasks.tuning import memory, planning, probing
from seqwise.tasks.tuning.foreseeing import Foresight
from seqwise.tasks.tuning.memory import Longest, Need, Weights
from seqwise.tasks.tuning.settings import with_method
from seqwise.training.events import Evaluated, Noted, Stepped
from seqwise.training.journal import read
from seqwise.training.plan import Course, Figure, Spent
from seqwise.verbs.plan import clock, plan
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    bert(folder / "bert")
    llama(folder / "llama")
    return folder


@pytest.fixture(scope="module")
def settings(models):
    """Labels by an encoder, in ten steps or so."""
    train, test = (tunable.labelled(models / f"{name}.tsv", n, n) for name, n in (("train", 120), ("test", 40)))
    return tunable.settings(
        models / "bert", models, task="classify", method="lora", train=(train,), test=(test,),
        examples={"batch": 8}, optimizer={"rate": 1e-3},
    )  # fmt: skip


@pytest.fixture(scope="module")
def planned(settings):
    """One method of the three, since a process more costs seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "METHODS", ("lora",))
        patch.setattr(memory, "methods_of", lambda _: memory.METHODS)
        return plan(settings)


@pytest.fixture(scope="module")
def tuned(settings):
    return tune(settings)


def test_what_a_run_will_do_is_foreseen_exactly(planned, tuned):
    """Steps, looks and weights, which chance has no part in."""
    told = read(f"{tuned.out}/journal.jsonl")
    assert planned.data.steps == sum(isinstance(one, Stepped) for one in told)
    assert planned.data.looks == sum(isinstance(one, Evaluated) for one in told)
    (lora,) = planned.costs
    assert lora.weights.trained == tuned.trained


def test_a_method_is_tried_in_a_process_of_its_own(planned, models):
    """So it has a peak of its own; and nothing is left behind."""
    for one in planned.costs:
        assert one.failed == ""
        assert 1e8 < one.memory.value < 2e9  # torch and a tiny model
        assert 0 < one.memory.error < 0.5 * one.memory.value
        assert one.wall.total.value > one.wall.parts["steps"].value > 0
        assert one.wall.total.error >= 0.1 * one.wall.total.value * 0.99
    assert not list(models.glob(".seqwise-plan-*"))
    assert not (models / "run" / "plan.json").exists()


def test_it_is_told_in_tables_and_as_json(planned):
    shown = io.StringIO()
    Console(file=shown, width=100).print(planned)
    for word in ("padding", "lora", "memory are free", "--method lora", "checks of the data"):
        assert word in shown.getvalue()
    told = json.loads(json.dumps(planned.to_dict()))
    assert told["methods"][0]["seconds"]["total"]["value"] > 0
    assert "works" not in told["data"]


def test_a_run_that_foresees_nothing_comes_to_the_same_bits(settings, models, tuned, monkeypatch):
    """What is foreseen has no part in what is computed."""

    class Blind(Foresight):
        def __init__(self, *_):
            pass

        def watched(self, setting):
            return setting

        def tell(self, event):
            pass

    monkeypatch.setattr("seqwise.verbs.tune.Foresight", Blind)
    blind = tune(tunable.changed(settings, out=str(models / "blind")))
    first, second = (models / name / "model.safetensors" for name in ("run", "blind"))
    assert first.read_bytes() == second.read_bytes()
    assert blind.finished == tuned.finished
    assert not any(isinstance(one, Noted) and one.name == "plan" for one in read(f"{blind.out}/journal.jsonl"))


def test_a_run_notes_what_it_foresaw_and_what_came(settings, models):
    """Before its last word."""
    longer = tunable.changed(settings, out=str(models / "noted"), training={"epochs": 3})
    tune(longer)
    told = read(f"{longer.out}/journal.jsonl")
    (note,) = (one for one in told if isinstance(one, Noted) and one.name == "plan")
    assert told.index(note) == len(told) - 2
    values = note.values
    assert values["actual_seconds"] > 0
    assert values["predicted_memory"] == pytest.approx(values["actual_memory"], rel=0.2)
    spent = sum(one.seconds for one in told if isinstance(one, Stepped))
    assert values["predicted_seconds"] > 0.2 * spent


@pytest.mark.parametrize(
    ("kind", "task", "method"),
    [
        ("bert", "classify", "full"),
        ("bert", "classify", "lora"),
        ("llama", "generate", "full"),
        ("llama", "generate", "lora"),
    ],
)
def test_activations_are_what_autograd_keeps(models, kind, task, method):
    """Counted by autograd's hooks, each storage once, weights left out; the estimate has a margin for holes."""
    given = tunable.settings(models / kind, models, task=task, method=method, train=("x",))
    labels = ("a", "b") if task == "classify" else ()
    base = memory.hollow(given, labels)
    model = base.model.to_empty(device="cpu").train()
    for weight in model.parameters():
        torch.nn.init.normal_(weight.data, std=0.02)
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros_like(buffer))
    rows, length = 16, 20
    weights = {w.untyped_storage().data_ptr() for w in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(5, 40, (rows, length))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hidden = model.hidden(ids, torch.full((rows,), length)) if kind == "bert" else model.hidden(ids)
        hidden.sum()
    measured = sum(kept.values())
    longest = Longest(rows * length, 0, rows * length**2)
    foreseen = memory.activations(model, longest, 4, 0)
    assert 0.8 * measured < foreseen < 2.5 * measured


def test_milder_settings_need_less(models, settings):
    """Checkpointing, smaller batches, LoRA, four bits: each in its place."""
    model = memory.hollow(settings, ("a", "b")).model
    longest = Longest(4096, 0, 4096 * 64)

    def needed(given):
        return memory.need(given, memory.hollow(given, ("a", "b")).model, longest, torch.bfloat16)

    plain = needed(settings)
    again = needed(tunable.changed(settings, examples={"checkpointing": True}))
    assert again.activations < plain.activations
    assert again.training == plain.training
    full, qlora = needed(with_method(settings, "full")), needed(with_method(settings, "qlora"))
    assert full.training > plain.training
    assert qlora.weights < plain.weights
    trained = memory.count(model, "lora").trained
    assert plain.training == trained * (4 + 8 + 4)


def test_a_run_that_cannot_fit_is_refused_in_a_line(settings, models, monkeypatch):
    """Before the model is read; what is tried to be seen fits indeed."""
    monkeypatch.setattr(device, "available", lambda: 100_000)
    refused = tunable.changed(settings, out=str(models / "never"), method="full")
    with pytest.raises(ConfigError, match=r"--method full on .*bert, which takes some .* of memory") as caught:
        tune(refused)
    (fault,) = caught.value.faults
    assert "free" in fault.allowed
    assert not (models / "never").exists()
    needed = memory.estimated(refused, ("a", "b"))
    free = int(0.7 * needed)
    flags = memory.mend(refused, ("a", "b"), free)
    assert flags
    for told, milder in memory.milder(refused):
        assert (told in flags.split(", or ")) <= (memory.estimated(milder, ("a", "b")) <= free)


def test_what_cannot_fit_is_not_tried(settings, planned, monkeypatch):
    monkeypatch.setattr(probing, "tried", lambda _: pytest.fail("tried"))
    found = planning.cost(settings, "full", planned.data, 1000, lambda _: None)
    assert found.failed.startswith("not tried: some")
    assert found.memory is None


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("raise SystemExit('the data are gone')", "the data are gone"),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})", "for want of memory"),
    ],
)
def test_a_probe_that_fails_says_why(settings, monkeypatch, child, told):
    monkeypatch.setattr(probing, "CHILD", child)
    assert told in probing.tried(settings)


@pytest.mark.parametrize("total", [5, 16, 100, 10_000])
def test_parts_are_scaled_to_the_whole(monkeypatch, total):
    """A clock that knows: three seconds once, a hundredth of one for each example."""
    first = [True]

    def timed(work):
        seconds = 3.0 * first[0] + 0.01 * work()
        first[0] = False
        return Spent(seconds, 2 * seconds)

    monkeypatch.setattr(probing, "timed", timed)
    spent = probing.scaled(lambda count: count, total)
    assert spent.wall == pytest.approx(3 + 0.01 * total, rel=1e-9)
    assert spent.processor == pytest.approx(2 * spent.wall)


def cost_of(method, gigabytes, seconds):
    course = Course({"steps": Figure(seconds, seconds / 10)})
    return planning.Cost(method, Weights(1, 1, 0, 0), Need(1, 1, 1), Figure(gigabytes * 1e9, 1e8), course, course)


@pytest.mark.parametrize(
    ("asked", "limit", "free", "told"),
    [
        ("full", 0.0, 10, "--method full fits; lora takes 0.5 times as long"),
        ("full", 0.0, 3, "--method lora: full does not fit into memory"),
        ("full", 150.0, 10, "--method lora: full does not fit into the time limit"),
        ("lora", 50.0, 10, "no method is done by the time limit"),
        ("full", 0.0, 1, "nothing fits into the 1.0 GB"),
    ],
)
def test_advice_follows_from_memory_and_time(settings, planned, asked, limit, free, told):
    costs = [cost_of("full", 5, 200.0), cost_of("lora", 2, 100.0)]
    given = tunable.changed(settings, method=asked, training={"time_limit": limit})
    assert planning.advice(given, costs, planned.data, int(free * 1e9)).startswith(told)


def test_the_peak_is_that_of_this_process():
    """The same as the system tells by another way, where there is none that could be inherited."""
    here = probing.peak(torch.device("cpu"))
    block = torch.ones(30_000_000)
    assert probing.peak(torch.device("cpu")) >= max(here, block.nbytes)
    assert here < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("seconds", "told"), [(4.4, "4 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (59.7, "1 min 00 s")]
)
def test_times_are_told_as_people_do(seconds, told):
    assert clock(seconds) == told
