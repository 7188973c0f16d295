"""A run of a few tiny examples, of any task, that `fit` can be asked for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from seqwise.checkpoints.run import RunFolder
from seqwise.data.batch import Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.heads import LabelsSettings, TokensSettings
from seqwise.training.distributed import Group
from seqwise.training.loop import EvaluationSettings, Look, Setting, TrainingSettings, fit
from seqwise.training.moving import MovingSettings, Thawing, rates, settle
from seqwise.training.objectives import LabelObjective, NextTokenObjective
from seqwise.training.optim import OptimizerSettings, Weights, adamw
from seqwise.training.state import TrainingState

PARTS = {"width": 16, "heads": 2, "dropout": 0.1, "feed_forward": FeedForwardSettings(width=24)}


def labelled(n: int = 48) -> Examples:
    """Texts of two kinds of token, and which kind is more frequent."""
    random = np.random.default_rng(0)
    rows = [random.choice([4, 5], random.integers(3, 9)).tolist() for _ in range(n)]
    return Examples(Rows.of(rows), Rows.of([[int(row.count(4) > row.count(5))] for row in rows]))


def counted(n: int = 24) -> Examples:
    """Texts that count upwards from somewhere."""
    random = np.random.default_rng(0)
    firsts, sizes = random.integers(0, 20, n).tolist(), random.integers(3, 12, n).tolist()
    rows = [[(first + k) % 20 for k in range(size)] for first, size in zip(firsts, sizes, strict=True)]
    return Examples(Rows.of(rows), Rows.of([[*row[1:], (row[-1] + 1) % 20] for row in rows]))


@dataclass(frozen=True)
class Small:
    """What `fit` needs, and the model."""

    model: nn.Module
    state: TrainingState
    setting: Setting

    def resumed(self) -> "Small":
        """As it was saved."""
        saved = self.setting.folder.load_state()
        self.state.restore(saved.tensors, saved.facts)
        return self

    def fit(self):
        """All events."""
        return list(fit(self.state, self.setting))


@pytest.fixture
def small(tmp_path):
    """Makes runs: `task`, how weights move, and changes of the settings."""

    def make(
        task="labels", moving=None, dtype=torch.float32, loader=None, training=None, evaluation=None, ema=0.0, **more
    ) -> Small:
        torch.manual_seed(3)
        shape = "encoder" if task == "labels" else "decoder"
        head = LabelsSettings(labels=2, pool="mean") if task == "labels" else TokensSettings()
        model = build_pretrained(TransformerSettings(shape=shape, layers=2, **PARTS), head, 20)
        moving = moving or MovingSettings()
        trained = settle(model, moving)
        names = [name for name, _ in model.named_parameters()]
        weights = Weights(model, dtype)
        optimizer = OptimizerSettings(rate=5e-3, warmup=3, schedule="constant")
        made = adamw(zip(weights.names, weights.master, strict=True), optimizer, rates(moving, names))
        examples = labelled() if task == "labels" else counted()
        make_loader = loader or (lambda found: ExampleLoader(found, batch_tokens=40, seed=1, packed=task != "labels"))
        state = TrainingState(weights, made, make_loader(examples), ema)
        objective = (LabelObjective if task == "labels" else NextTokenObjective)(model)
        place = tmp_path / "run"
        setting = Setting(
            objective=objective,
            training=replace(TrainingSettings(epochs=3), **(training or {})),
            optimizer=more.pop("optimizer", optimizer),
            evaluation=replace(EvaluationSettings(average=0), **(evaluation or {})),
            evaluate=lambda found: Look({"loss": 1.0 / (1 + len(found))}),
            folder=RunFolder(place) if place.exists() else RunFolder.create(place),
            device=torch.device("cpu"),
            group=Group(),
            stopped=lambda: False,
            thawing=Thawing.of(trained, names, moving.unfreeze),
        )
        return Small(model, state, replace(setting, **more))

    return make
