"""What every test shares: the shapes in signatures are checked, and each process keeps to one thread."""

import os

import pytest
import torch
from jaxtyping import install_import_hook

# Before torch is imported, here and in what the tests start: two processes of two threads wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What handles tensors. A function that is given another shape or type than its signature says fails the test;
# at run time nothing is checked. Not whole rooms where files hold loops over texts: there each call would cost
# several times what it does. The tower: an int may stand for a float, as mypy has it.
CHECKED = [
    "models",
    "data.batch",
    "data.loader",
    "data.examples",
    *(f"data.{name}" for name in ("table", "series", "frequency", "calendar", "mending", "timestamps", "cells")),
    "data.columns",
    "data.timewindows",
    "stats",
    "metrics",
    "checkpoints.wordvectors",
    "inspection",
    "training.loop",
    "training.objectives",
    "training.forecasting",
    "tasks.forecasting",
    "decoding",
]
TOWER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook([f"seqwise.{name}" for name in CHECKED], TOWER)


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers in every run of a test: what fails once fails again."""
    torch.manual_seed(0)
