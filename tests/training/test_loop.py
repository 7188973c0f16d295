from dataclasses import replace

import pytest
import torch

from seqwise.data.examples import ExampleLoader, Mixed
from seqwise.errors import TrainingError
from seqwise.training.best import beats
from seqwise.training.events import Evaluated, Finished, Noted, Stepped
from seqwise.training.loop import Look, advance
from seqwise.training.moving import MovingSettings


def losses(events) -> list[float]:
    return [event.loss for event in events if isinstance(event, Stepped)]


def whole(model) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def test_labels_are_learnt(small):
    made = small(training={"epochs": 20}, evaluation={"every": 999})
    found = losses(made.fit())
    assert sum(found[-8:]) < 0.5 * sum(found[:8])


def test_next_tokens_are_learnt_from_packed_texts(small):
    made = small("texts", training={"epochs": 20}, evaluation={"every": 999})
    events = made.fit()
    assert losses(events)[-1] < 0.7 * losses(events)[0]
    assert all(event.padding == 0.0 for event in events if isinstance(event, Stepped))


def test_what_is_frozen_stays_as_it_is_and_is_not_saved(small):
    made = small(moving=MovingSettings(freeze=("embed", "layers.0")), ema=0.9)
    before = whole(made.model)
    made.fit()
    after = whole(made.model)
    frozen = {name for name, p in made.model.named_parameters() if not p.requires_grad}
    assert frozen
    assert {name for name, old in before.items() if torch.equal(old, after[name])} >= frozen
    saved = made.setting.folder.load_state().tensors
    names = {name.split(".", 1)[1] for name in saved}
    assert names == set(before) - frozen
    assert set(made.setting.folder.load_model()) == set(before) - frozen


@pytest.mark.parametrize("task", ["labels", "texts"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "moving",
    [
        MovingSettings(freeze=("embed",), layer_decay=0.8),
        MovingSettings(unfreeze=0.4),
        MovingSettings(train=("head*",)),
    ],
    ids=["decay", "thawing", "head"],
)
def test_a_run_in_two_parts_equals_one_run_to_the_bit(small, tmp_path, task, dtype, moving):
    if task == "texts" and moving.train:
        moving = replace(moving, train=("last_norm",))
    settings = {"moving": moving, "dtype": dtype, "ema": 0.9, "evaluation": {"every": 4}, "training": {"accumulate": 2}}
    one = small(task, **settings)
    expected = one.fit()
    end = one.setting.folder.load_state()
    (tmp_path / "run").rename(tmp_path / "whole")
    asked = iter([False] * 5 + [True] * 99)
    first = small(task, **settings, stopped=lambda: next(asked)).fit()
    assert losses(first) == losses(expected)[:5]
    three = small(task, **settings).resumed()
    rest = three.fit()
    assert losses(first) + losses(rest) == losses(expected)
    found = three.setting.folder.load_state()
    assert found.facts == end.facts
    assert found.tensors.keys() == end.tensors.keys()
    assert all(torch.equal(value, end.tensors[name]) for name, value in found.tensors.items())


def test_a_mixture_resumes_to_the_same_bits(small, tmp_path):
    def mixed(examples):
        second = ExampleLoader(examples, batch_examples=2, seed=2)
        return Mixed(ExampleLoader(examples, batch_tokens=40, seed=1), second, 0.2)

    whole_run = small(loader=mixed)
    expected = losses(whole_run.fit())
    (tmp_path / "run").rename(tmp_path / "whole")
    asked = iter([False] * 7 + [True] * 99)
    first = losses(small(loader=mixed, stopped=lambda: next(asked)).fit())
    resumed = small(loader=mixed).resumed()
    assert first + losses(resumed.fit()) == expected
    assert len(first) == 7
    assert resumed.state.loader.counts == whole_run.state.loader.counts


def test_layers_thaw_by_the_place_in_the_data(small):
    made = small(moving=MovingSettings(unfreeze=1.0), training={"epochs": 4})
    groups = made.setting.thawing.groups
    moved = []
    before = whole(made.model)
    while made.state.loader.place.epoch < 4:
        epoch = made.state.loader.place.epoch
        advance(made.state, made.setting, 1e-3)
        after = whole(made.model)
        names = {name for name in after if not torch.equal(before[name], after[name])}
        moved.append((epoch, names))
        before = after
    for epoch, names in moved:
        assert names <= frozenset().union(*groups[: epoch + 1])
    assert {name for _, names in moved for name in names} > groups[-1]
    weights, optimizer = made.state.weights, made.state.optimizer
    steps = {name: int(optimizer.state[w]["step"]) for name, w in zip(weights.names, weights.master, strict=True)}
    assert steps["head.out.weight"] == len(moved)
    assert steps["encoder.embed.weight"] == sum(epoch >= 3 for epoch, _ in moved)


def test_the_untouched_model_is_looked_at_first_where_asked(small):
    made = small(evaluation={"first": True, "average": 5})
    before = whole(made.model)
    seen = []

    def evaluate(weights):
        seen.append({name: weight.clone() for name, weight in weights.items()})
        return Look({"loss": float(len(seen)), "train_loss": 0.5})

    made = replace(made, setting=replace(made.setting, evaluate=evaluate))
    events = made.fit()
    first = events[0]
    assert isinstance(first, Evaluated)
    assert (first.step, first.best, first.scores) == (0, True, {"loss": 1.0, "train_loss": 0.5})
    looks = [event for event in events if isinstance(event, Evaluated)]
    assert [look.averaged for look in looks] == [False] * (len(looks) - 1) + [True], "the last is of averaged weights"
    assert looks[-1].step == looks[-2].step
    assert all(torch.equal(seen[0][name], before[name]) for name in before)
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.best_step == 0, "nothing that was trained did better, so the untouched model is kept"
    kept = made.setting.folder.load_model()
    assert all(torch.equal(kept[name], before[name]) for name in before)
    again = small(evaluation={"first": True}, training={"epochs": 4}).resumed()
    assert isinstance(again.fit()[0], Stepped), "a resumed run has looked already"


def test_looking_first_changes_no_loss(small, tmp_path):
    plain = losses(small().fit())
    (tmp_path / "run").rename(tmp_path / "plain")
    assert losses(small(evaluation={"first": True}).fit()) == plain


@pytest.mark.parametrize("accumulate", [2, 8])
def test_the_last_update_ends_where_the_last_epoch_does(small, accumulate):
    """Oracle: a count of the batches that are read."""
    counted = []

    class Counting(ExampleLoader):
        def __next__(self):
            counted.append(self.place)
            return super().__next__()

    made = small(loader=lambda found: Counting(found, batch_tokens=10_000, seed=1), training={"accumulate": accumulate})
    assert made.state.loader.batches_in_epoch(0) == 1
    steps = [event for event in made.fit() if isinstance(event, Stepped)]
    assert [place.epoch for place in counted] == [0, 1, 2]
    assert [step.epoch for step in steps] == ([2.0, 3.0] if accumulate == 2 else [3.0])
    assert steps[0].total == len(steps)
    assert steps[-1].tokens == (48 if accumulate == 2 else 144)


def test_facts_are_told_before_the_last_word(small):
    made = small(noted=lambda: [Noted(9, "plan", {"seconds": 3.0, "device": "cpu"})])
    events = made.fit()
    assert events[-2] == Noted(9, "plan", {"seconds": 3.0, "device": "cpu"})
    assert isinstance(events[-1], Finished)


def test_an_explosion_names_the_examples_by_what_they_are(small):
    made = small(items="texts", named=lambda item: f"a.tsv:{item + 1}")
    advance(made.state, made.setting, 1e-3)
    with torch.no_grad():
        made.model.head.out.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"in the batch of texts a\.tsv:\d+, "):
        advance(made.state, made.setting, 1e-3)


@pytest.mark.parametrize(
    ("metric", "scores", "best", "better"),
    [
        ("auto", {"loss": 2.0, "accuracy": 0.9}, {"loss": 1.0, "accuracy": 0.8}, True),
        ("auto", {"loss": 1.0, "bleu": 30.0}, {"loss": 2.0, "bleu": 31.0}, False),
        ("auto", {"loss": 2.0, "rougeL": 30.0, "bleu": 1.0}, {"loss": 1.0, "rougeL": 29.0, "bleu": 5.0}, True),
        ("auto", {"loss": 1.0, "perplexity": 3.0}, {"loss": 1.1, "perplexity": 2.0}, True),
        ("auto", {"loss": 1.0, "accuracy": 0.8}, {"loss": 1.1, "accuracy": 0.8}, True),
        ("macro_f1", {"loss": 1.0, "accuracy": 0.9, "macro_f1": 0.4}, {"loss": 2.0, "macro_f1": 0.5}, False),
        ("loss", {"loss": 1.0, "accuracy": 0.1}, {"loss": 2.0, "accuracy": 0.9}, True),
        ("auto", {"loss": 1.0}, {"loss": float("nan")}, True),
        ("auto", {"loss": float("nan")}, {"loss": 1.0}, False),
        ("auto", {"loss": float("nan")}, {"loss": float("nan")}, False),
        ("bleu", {"loss": 2.0, "bleu": 1.0}, {"loss": 1.0, "bleu": float("nan")}, True),
        ("bleu", {"loss": 1.0, "bleu": float("nan")}, {"loss": 2.0, "bleu": 1.0}, False),
        ("bleu", {"loss": 1.0, "bleu": float("nan")}, {"loss": 2.0, "bleu": float("nan")}, True),
    ],
)
def test_what_is_best_goes_by_the_metric_and_a_tie_by_the_loss(metric, scores, best, better):
    assert beats(scores, best, metric) is better
    assert beats(scores, {}, metric)
