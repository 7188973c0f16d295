"""Fine-tuning a Llama of 110 M, our side: LoRA, QLoRA or all weights, real tokens a second.

    python bench/tuning.py FOLDER METHOD [bf16|fp32] [steps] [threads]

FOLDER is a checkpoint of that shape (width 768, 12 layers, 32,000 tokens, tied). Eight sequences a step, lengths
log-normal around 90 and 512 at most, the loss on all tokens, rank 16 on all linear layers, as others are measured. The
step is the trainer's own, clipping and AdamW included. Also told: the floor, which is 4 operations a weight and token
(6 where all are trained), at the peak of a product measured just before.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from _work import tell
from seqwise import device
from seqwise.checkpoints import adapters, hub
from seqwise.checkpoints.run import RunFolder
from seqwise.data.batch import Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.models.lora import LoraSettings, attach
from seqwise.training.distributed import Group
from seqwise.training.loop import EvaluationSettings, Look, Setting, TrainingSettings, advance
from seqwise.training.objectives import NextTokenObjective
from seqwise.training.optim import OptimizerSettings, Weights, adamw
from seqwise.training.state import TrainingState

SEQUENCES, VOCABULARY, WARM = 8, 32_000, 2


def sequences(count: int, seed: int = 11) -> list[list[int]]:
    """Random ids of log-normal lengths, 8 to 512, median 90."""
    chance = np.random.default_rng(seed)
    lengths = np.clip(np.rint(np.exp(chance.normal(np.log(90), 0.7, count))), 8, 512).astype(int)
    return [chance.integers(5, VOCABULARY, length).tolist() for length in lengths]


def state_of(folder: Path, method: str, dtype: torch.dtype, steps: int) -> tuple[TrainingState, Setting, int]:
    """Everything that a step needs, and the weights of products."""
    checkpoint = hub.open_checkpoint(folder)
    kept = torch.float32 if method == "full" else dtype
    model = hub.load(checkpoint, kept, quantize="nf4" if method == "qlora" else None)
    products = sum(w.numel() for name, w in hub.empty(checkpoint).named_parameters() if w.ndim == 2)
    if method != "full":
        attach(model, LoraSettings(rank=16, alpha=32.0), adapters.parts(checkpoint, model))
    else:
        model.requires_grad_(True)
    model.train()
    rows = sequences(SEQUENCES * (steps + WARM + 1))
    examples = Examples(Rows.of([row[:-1] for row in rows]), Rows.of([row[1:] for row in rows]))
    loader = ExampleLoader(examples, batch_examples=SEQUENCES, seed=1, packed=True)
    weights = Weights(model, dtype)
    settings = OptimizerSettings(rate=2e-4, schedule="constant", warmup=0)
    adam = adamw(zip(weights.names, weights.master, strict=True), settings)
    state = TrainingState(weights, adam, loader, 0.0)
    setting = Setting(
        NextTokenObjective(model).train(),
        TrainingSettings(label_smoothing=0.0),
        settings,
        EvaluationSettings(),
        lambda _: Look({}),
        RunFolder("none"),
        torch.device("cpu"),
        Group(),
        lambda: False,
    )
    return state, setting, products


def peak(dtype: torch.dtype) -> float:
    """Operations a second of the best product of this shape."""
    a, b = torch.randn(1024, 768).to(dtype), torch.randn(768, 2048).to(dtype)
    seconds = []
    for _ in range(30):
        clock = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - clock)
    return 2 * 1024 * 768 * 2048 / min(seconds)


def main(folder: str, method: str, precision: str = "bf16", steps: int = 8, threads: int = 0) -> None:
    """Train a few steps and tell how fast."""
    if threads:
        torch.set_num_threads(threads)
    device.keep_memory()
    torch.manual_seed(0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    best = peak(dtype)
    state, setting, products = state_of(Path(folder), method, dtype, steps)
    for _ in range(WARM):
        advance(state, setting, 2e-4)
    clock, used = time.perf_counter(), time.process_time()
    stepped = [advance(state, setting, 2e-4) for _ in range(steps)]
    wall, spent = time.perf_counter() - clock, time.process_time() - used
    tokens = sum(one.tokens for one in stepped)
    floor = (6 if method == "full" else 4) * products * tokens / best
    tell(
        bench="tuning",
        method=method,
        precision=precision,
        threads=torch.get_num_threads(),
        tokens_per_second=tokens / wall,
        tokens_per_processor_second=tokens / spent,
        step_seconds=wall / steps,
        loss=stepped[-1].loss,
        peak_gflops=best / 1e9,
        times_the_floor=wall / floor,
        trained=sum(w.numel() for w in state.weights.master),
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(words[0], words[1], *words[2:3], *map(int, words[3:5]))
