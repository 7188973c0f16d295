"""ETTh1 by the command line: mean squared error in standardized units, as the literature has it, and what bands hold.

    python bench/etth1.py ETTh1.csv.gz [horizon ...]      96 and 720 unless given

Twelve months to learn from, four to stop and calibrate by, four to test (Zhou et al. 2021); seven columns, 96 hours
back, a test window from every hour. An LSTM of 256 that reads segments of a day, or of two for the long horizon.
"""

import sys
import tempfile
import time

from _work import tell
from seqwise.config import resolve
from seqwise.tasks.forecasting import Forecast
from seqwise.tasks.forecasting.judging import judge_forecasts
from seqwise.verbs.forecast import forecast

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
SPLIT = ("--split.valid", "2017-06-26", "--split.test", "2017-10-24", "--split.end", "2018-02-21")
MODEL = (
    "--model.width",
    "256",
    "--model.dropout",
    "0.5",
    "--model.instance",
    "mean",
    "--batch",
    "64",
    "--warmup",
    "30",
)
PACE = {96: ("24", "4", "2"), 720: ("48", "6", "4")}  # segment, epochs, stride
PUBLISHED = {96: {"GRU": 0.368, "DLinear": 0.386, "PatchTST": 0.414}, 720: {"GRU": 0.446, "DLinear": 0.519}}


def main(path: str, horizons: list[int]) -> None:
    """Train and judge each."""
    for horizon in horizons:
        segment, epochs, stride = PACE.get(horizon, PACE[96])
        with tempfile.TemporaryDirectory() as folder:
            words = (
                "--train",
                path,
                "--target",
                *COLUMNS,
                "--horizon",
                str(horizon),
                "--lookback",
                "96",
                *SPLIT,
                *MODEL,
            )
            pace = ("--model.segment", segment, "--epochs", epochs, "--stride", stride, "--data.calendar", "[]")
            clock = time.perf_counter()
            forecast(resolve(Forecast, None, (*words, *pace, "--out", f"{folder}/run")))
            trained = time.perf_counter() - clock
            found = judge_forecasts(f"{folder}/run")
        tell(
            bench="etth1",
            horizon=horizon,
            mse=found.mse,
            published=PUBLISHED.get(horizon, {}),
            coverage=list(found.model.coverage),
            kept_up=list(found.kept or ()),
            verdict=found.verdict,
            origins=found.origins,
            training_s=trained,
        )


if __name__ == "__main__":
    main(sys.argv[1], [int(word) for word in sys.argv[2:]] or [96, 720])
