"""A few steps of training in each of several processes; `test_distributed.py` starts them and compares.

python processes.py FILE    writes the losses and the last weights of each case, as rank 0 sees them
"""

import json
import sys

import numpy as np
import torch

from seqwise.checkpoints.run import RunFolder
from seqwise.data.batch import Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.models import lora, nf4
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained, units
from seqwise.models.heads import Labels, LabelsSettings, TokensSettings
from seqwise.training import distributed
from seqwise.training.distributed import Group
from seqwise.training.loop import EvaluationSettings, Look, Setting, TrainingSettings, advance
from seqwise.training.moving import MovingSettings, Thawing, rates, settle
from seqwise.training.objectives import Anchored, LabelObjective, NextTokenObjective
from seqwise.training.optim import OptimizerSettings, Weights, adamw
from seqwise.training.state import TrainingState

CASES = ("lora", "qlora", "lora sharded", "full sharded", "thawing")
STEPS = 6
PARTS = {"width": 16, "layers": 2, "heads": 2, "dropout": 0.0, "feed_forward": FeedForwardSettings(width=32)}


def examples(labels: bool) -> Examples:
    """Texts of any length, with a label or the token that follows."""
    random = np.random.default_rng(0)
    rows = [random.integers(1, 20, size).tolist() for size in random.integers(2, 9, 30).tolist()]
    wanted = [[sum(row) % 3] if labels else [*row[1:], 0] for row in rows]
    return Examples(Rows.of(rows), Rows.of(wanted))


def parts(case: str):
    """Model, objective, and how its weights move."""
    torch.manual_seed(5)
    if case in ("full sharded", "thawing"):
        model = build_pretrained(TransformerSettings(shape="encoder", **PARTS), LabelsSettings(labels=3), 20)
        moving = (
            MovingSettings(freeze=("embed",), layer_decay=0.8) if case != "thawing" else MovingSettings(unfreeze=0.3)
        )
        return model, LabelObjective(model), moving
    model = build_pretrained(TransformerSettings(shape="decoder", **PARTS), TokensSettings(), 20)
    if case == "qlora":
        nf4.quantize(model)
    lora.attach(model, lora.LoraSettings(rank=2, alpha=4.0, dropout=0.0))
    objective = NextTokenObjective(model)
    if case == "lora":
        objective = Anchored(objective, model, 0.5, lambda: lora.selected(model, None))
    return model, objective, MovingSettings(lora_plus=4.0)


def losses(case: str, group: Group) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Of each step, and the weights after the last."""
    model, objective, moving = parts(case)
    trained = settle(model, moving)
    names = [name for name, _ in model.named_parameters()]
    if case.endswith("sharded"):
        objective = distributed.shard(objective, units(model), torch.float32, group)
        weights = Weights(model, torch.float32)
    else:
        weights = Weights(model, torch.float32)
        objective = distributed.replicate(objective, group)
    settings = OptimizerSettings(rate=1e-2, warmup=0, schedule="constant")
    optimizer = adamw(zip(weights.names, weights.master, strict=True), settings, rates(moving, names))
    data = examples(labels=isinstance(model.head, Labels))
    loader = ExampleLoader(data, batch_tokens=40, seed=1, rank=group.rank, world=group.world, packed=True)
    state = TrainingState(weights, optimizer, loader, 0.0)
    thawing = Thawing.of(trained, names, moving.unfreeze)
    setting = Setting(
        objective,
        TrainingSettings(accumulate=2),
        settings,
        EvaluationSettings(),
        lambda _: Look({}),
        RunFolder("nowhere"),
        torch.device("cpu"),
        group,
        lambda: False,
        thawing=thawing,
    )
    found = [advance(state, setting, 1e-2).loss for _ in range(STEPS)]
    return found, state.best_weights()


if __name__ == "__main__":
    with distributed.group(torch.device("cpu")) as ours:
        told = {}
        for name in CASES:
            by_step, after = losses(name, ours)
            told[name] = [by_step, {key: value.tolist() for key, value in after.items()}]
        if ours.first:
            with open(sys.argv[1], "w") as file:
                json.dump(told, file)
