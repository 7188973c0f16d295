"""What counts as an explosion: of losses that are given, and of runs."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from seqwise.data.examples import ExampleLoader
from seqwise.errors import TrainingError
from seqwise.training.events import Stepped
from seqwise.training.explosion import exploded, followed
from seqwise.training.state import Progress


def stopped(losses, targets=1) -> int | None:
    """The step, from 1, at which such losses stop a run; None: never."""
    progress = Progress()
    for step, loss in enumerate(losses, 1):
        progress = followed(progress, loss, targets)
        if exploded(progress):
            return step
    return None


def test_a_wrong_label_now_and_then_is_no_explosion():
    """One label a step, every 200th wrong: a loss of 30 where the model is sure."""
    assert stopped([0.02 if step % 200 else 30.0 for step in range(1, 3000)]) is None
    assert stopped([40.0, *[0.5] * 2000]) is None, "nor is it where the first one is wrong"
    assert stopped([0.01, *[3.9] * 2000]) is None, "nor where the first one was easy"


@pytest.mark.parametrize("targets", [256, 5000])
def test_a_step_of_many_targets_is_judged_alone(targets):
    assert stopped([3.0] * 50 + [11.9] + [3.0] * 50 + [12.1], targets) == 102
    assert stopped([0.1] * 50 + [3.9] + [0.1] * 50 + [4.1], targets) == 102


@pytest.mark.parametrize(("targets", "most"), [(1, 40), (8, 5), (64, 1)])
def test_a_loss_that_stays_high_stops_within_dozens_of_targets(targets, most):
    step = stopped([0.7] * 500 + [50.0] * 500, targets)
    assert step is not None
    assert 500 < step <= 500 + most


@pytest.mark.parametrize("good", [1, 10, 60])
@pytest.mark.parametrize("first", [0.05, 3.0])
def test_a_run_that_explodes_before_there_are_dozens_of_targets_is_not_measured_against_that(good, first):
    step = stopped([first] * good + [200.0] * 500)
    assert step is not None
    assert step < good + 100


class Spoilt(nn.Module):
    """An objective to whose loss something is added in some calls, counted from 1."""

    def __init__(self, inner, added):
        super().__init__()
        self.inner, self.added, self.calls = inner, added, 0

    def forward(self, *batch):
        """The summed loss."""
        self.calls += 1
        return self.inner(*batch) + self.added(self.calls)


def run(small, added, **settings):
    """One label a step."""
    made = small(loader=lambda found: ExampleLoader(found, batch_tokens=1, seed=1), **settings)
    spoilt = Spoilt(made.setting.objective, added)
    return replace(made, setting=replace(made.setting, objective=spoilt))


def test_a_run_goes_on_where_one_label_in_twenty_is_wrong(small):
    made = run(small, lambda call: 30.0 if call % 20 == 0 else 0.0, training={"epochs": 1})
    losses = [event.loss for event in made.fit() if isinstance(event, Stepped)]
    assert len(losses) == 48
    assert max(losses) > 30.0


@pytest.mark.parametrize("added", [50.0, float("inf"), float("nan")])
def test_a_run_that_explodes_names_step_and_items_and_keeps_the_last_good_state(small, added):
    made = run(small, lambda call: added if call > 30 else 0.0, evaluation={"every": 20}, items="texts")
    with pytest.raises(TrainingError, match=r"at step \d\d, in the batch of texts \d+: .*state.step-0000\d0") as caught:
        made.fit()
    step = made.setting.objective.calls
    assert 30 < step <= 60
    assert f"at step {step}," in str(caught.value)
    assert made.state.progress.step == step - 1, "the weights are those of the step before"
    assert all(weight.grad is None for weight in made.model.parameters())
    assert all(bool(torch.isfinite(tensor).all()) for tensor in made.setting.folder.load_state().tensors.values())
