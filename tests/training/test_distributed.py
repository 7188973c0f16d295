"""Two processes over gloo, each with half of every batch, train as one process does."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqwise.training.distributed import Group

SCRIPT = Path(__file__).parent / "processes.py"
ALONE = runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Losses and weights of all cases, from two processes."""
    out = tmp_path_factory.mktemp("two") / "told.json"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, SCRIPT, out], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.mark.parametrize("case", ALONE["CASES"])
def test_two_processes_train_what_is_trained_as_one(together, case):
    """LoRA and QLoRA under DDP, LoRA and all but frozen weights under FSDP2, and layers that join later."""
    losses, weights = ALONE["losses"](case, Group())
    found, after = together[case]
    assert found == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]
    assert after.keys() == weights.keys(), "frozen weights are among those that are kept"
    for name, weight in weights.items():
        if weight.ndim > 1:  # the bias of the keys changes nothing, so Adam moves it by rounding errors alone
            torch.testing.assert_close(torch.tensor(after[name]), weight, atol=2e-3, rtol=2e-2, msg=name)
