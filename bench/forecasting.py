"""Throughput of training an LSTM forecaster, for a comparison in turn with those of other libraries.

    python bench/forecasting.py [fp32|bf16] [steps]

Seven hourly series of 17,420 values, windows of 96 steps and a horizon of 24, 64 windows an update, an LSTM of two
layers of 256, read step by step: what darts' RNNModel and neuralforecast's LSTM are made to do on the same table. An
update is all of it: windows cut, forward, backward, AdamW. Prints windows a second, the median of the updates, and the
share of the floor: products of the LSTM at the measured GEMM rate of the same type.
"""

import statistics
import sys
import time

import numpy as np
import torch

from _work import tell
from seqwise import device
from seqwise.data.frequency import Frequency
from seqwise.data.series import Series, SeriesTable
from seqwise.data.timewindows import WindowLoader, Windows
from seqwise.models.forecaster import Forecaster, LSTMForecaster
from seqwise.training.forecasting import ForecastObjective
from seqwise.training.optim import OptimizerSettings, Weights, adamw

T, SERIES, LOOKBACK, HORIZON, ROWS, WIDTH, LAYERS = 17_420, 7, 96, 24, 64, 256, 2
WARM = 5


def table() -> SeriesTable:
    """A day's rhythm with noise, a series a phase."""
    random, t = np.random.default_rng(0), np.arange(T)
    times = np.datetime64("2016-07-01", "us") + t * np.timedelta64(3_600_000_000, "us")
    none = np.zeros((T, 0))
    rows = [np.sin(t * 2 * np.pi / 24 + c) + 0.3 * random.standard_normal(T) for c in range(SERIES)]
    made = [Series(f"s{c}", times, y[:, None], none, none, times[:0], none[:0]) for c, y in enumerate(rows)]
    return SeriesTable(tuple(made), ("y",), (), (), Frequency("hour"))


def gemm_rate(dtype: torch.dtype) -> float:
    """FLOP a second of a product of the LSTM's shape."""
    a, b = torch.randn(ROWS * LOOKBACK, WIDTH, dtype=dtype), torch.randn(WIDTH, 4 * WIDTH, dtype=dtype)
    seconds = []
    for _ in range(12):
        clock = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - clock)
    return 2 * a.numel() * 4 * WIDTH / statistics.median(seconds)


def main(kind: str, steps: int) -> None:
    """Train, and tell."""
    device.keep_memory(large_pages=True)  # as the verb does
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[kind]
    torch.manual_seed(0)
    windows = Windows(table(), LOOKBACK, HORIZON)
    loader = WindowLoader(windows, batch_windows=ROWS, seed=0)
    settings = LSTMForecaster(width=WIDTH, layers=LAYERS, dropout=0.0)
    model = Forecaster(settings, 1, 0, 1, SERIES, HORIZON)
    objective = ForecastObjective(model, "likelihood")
    weights = Weights(model, dtype)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), OptimizerSettings())
    seconds = []
    for _ in range(steps + WARM):
        clock = time.perf_counter()
        batch = next(loader)
        loss = objective(*batch.tensors()) / batch.weights.sum()
        loss.backward()
        weights.move(optimizer, 1.0, float(weights.norm()))
        seconds.append(time.perf_counter() - clock)
    step = statistics.median(seconds[WARM:])
    products = 3 * LAYERS * 2 * 2 * ROWS * (LOOKBACK + HORIZON / 2) * WIDTH * 4 * WIDTH  # forward and twice backward
    tell(
        bench="forecasting",
        dtype=kind,
        threads=torch.get_num_threads(),
        step_ms=1000 * step,
        low_ms=1000 * min(seconds[WARM:]),
        high_ms=1000 * max(seconds[WARM:]),
        windows_s=ROWS / step,
        of_floor=products / gemm_rate(dtype) / step,
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "bf16", int(sys.argv[2]) if len(sys.argv) > 2 else 30)
