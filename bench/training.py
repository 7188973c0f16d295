"""Training speed through the real loop: target tokens a second, padding not counted, the end tokens counted.

python bench/training.py [bf16|fp32] [steps]
"""

import statistics
import sys
import tempfile
from pathlib import Path

import torch

from _work import BOS, EOS, MODEL, VOCABULARY, corpus, tell, timed, training_flops
from seqwise import device
from seqwise.checkpoints.run import RunFolder
from seqwise.data.loader import Loader
from seqwise.models.assemble import build
from seqwise.training.distributed import Group
from seqwise.training.events import Stepped
from seqwise.training.loop import EvaluationSettings, Look, Objective, Setting, TrainingSettings, fit
from seqwise.training.optim import OptimizerSettings, Weights, adamw
from seqwise.training.state import TrainingState

WARM = 4  # steps not counted


def main(precision: str = "bf16", steps: int = 20) -> None:
    """Train for a while and tell how fast."""
    device.keep_memory()
    torch.manual_seed(1)
    sources, targets = corpus()
    dtype = device.precision(precision, torch.device("cpu"))
    model = build(MODEL, VOCABULARY, VOCABULARY)
    optimizer = OptimizerSettings(rate=3e-4, warmup=0, schedule="constant")
    weights = Weights(model, dtype)
    loader = Loader(sources, targets, batch_tokens=4096, seed=1, eos=EOS)
    moving = adamw(zip(weights.names, weights.master, strict=True), optimizer)
    state = TrainingState(weights, moving, loader, ema=0.0)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(
            Objective(model, BOS, 0.1),
            TrainingSettings(epochs=None, steps=10**6, precision=precision),
            optimizer,
            EvaluationSettings(every=10**6),
            lambda _: Look({}),
            RunFolder(Path(folder) / "run"),
            torch.device("cpu"),
            Group(),
            lambda: False,
        )
        events = (event for event in fit(state, setting) if isinstance(event, Stepped))
        seen = [next(events) for _ in range(WARM + steps)][WARM:]
    tokens, seconds = sum(e.tokens for e in seen), sum(e.seconds for e in seen)
    median = statistics.median(e.seconds for e in seen)
    rate = statistics.median(e.tokens / e.seconds for e in seen)
    # as many source tokens as target tokens, nearly: the corpus is made so
    flops = training_flops(round(tokens * 14 / 15), tokens)
    size = 1024
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    peak = 2 * size**3 / timed(lambda: torch.mm(a, b)) / 1e9
    tell(
        bench="training",
        precision=precision,
        tgt_tok_s=tokens / seconds,
        tgt_tok_s_median=rate,
        step_s=median,
        padding=statistics.mean(e.padding for e in seen),
        gflops=flops / seconds / 1e9,
        peak_gflops=peak,
        share_of_peak=flops / seconds / 1e9 / peak,
        loss=seen[-1].loss,
    )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
