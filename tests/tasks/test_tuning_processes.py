"""Two processes over gloo tune as one does: LoRA on copies of the model (DDP), all weights in parts (FSDP2)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import tunable
from folders import llama

from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.training.events import Stepped
from seqwise.training.journal import read
from seqwise.verbs.tune import tune


@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_tune_as_one(tmp_path, method):
    (tmp_path / "llama").mkdir()
    llama(tmp_path / "llama")
    settings = tunable.settings(
        tmp_path / "llama",
        tmp_path,
        task="generate",
        method=method,
        train=(tunable.instructions(tmp_path / "train.jsonl", 60, 1),),
        training={"shard": method == "full", "epochs": 1},
        optimizer={"rate": 1e-3},
    )
    alone = tunable.changed(settings, out=settings.out + "-alone", training={"shard": False})
    tune(alone)
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(settings))
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "seqwise",
        "tune",
        str(file),
    ]
    done = subprocess.run([sys.executable, *launch], env={**os.environ}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    told = [[e.loss for e in read(Path(s.out) / "journal.jsonl") if isinstance(e, Stepped)] for s in (settings, alone)]
    assert len(told[0]) > 3
    assert told[0] == pytest.approx(told[1], rel=1e-5)
    outcomes = [json.loads((Path(s.out) / "outcome.json").read_text()) for s in (settings, alone)]
    for one, other in zip(*(outcome["systems"] for outcome in outcomes), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], rel=1e-4)
    ours, theirs = (RunFolder.open(s.out).load_model() for s in (settings, alone))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=2e-3, rtol=2e-2)
