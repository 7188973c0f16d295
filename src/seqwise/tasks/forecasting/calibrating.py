"""Bands that cover what they say, on the validation part: a factor for each step of the horizon and each target.

A model that learnt its training part well is too sure of what comes after it. The factor makes the bands of 68.27 and
95.45 % hold those shares of the validation part, as nearly as one number can: the geometric mean of what either asks
for, of normal scores, so that it serves distributions of any shape. Few windows say little: a factor is drawn towards
that of all steps together, as if that had been seen in `PRIOR` windows more. (Kuleshov et al. 2018 recalibrate the
whole curve; one number cannot bend it, and cannot overfit it either.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.data.timewindows import Windows
from seqwise.models.distributions import BANDS, Distribution
from seqwise.models.forecaster import Forecaster
from seqwise.stats.results import number
from seqwise.tasks.forecasting.watching import foresee_known

PRIOR = 50.0
BOUNDS = 0.2, 5.0  # a factor beyond them tells of a broken model, not of its bands

# N windows, H steps, C targets


@dataclass(frozen=True, eq=False)
class Calibration:
    """Saved as calibration.json."""

    factors: Float[np.ndarray, "H C"]
    """What the width of each step's distribution is multiplied by."""
    before: tuple[float, float]
    """Coverage of the two bands on the validation part, as the model left it."""
    windows: int

    def factor(self) -> Float[Tensor, "H C"]:
        """For `Distribution.widened`."""
        return torch.from_numpy(self.factors)

    def told(self) -> str:
        """What was done."""
        one, two = (f"{100 * share:.1f} %" for share in self.before)
        mean = float(np.exp(np.log(self.factors).mean()))
        return (
            f"bands: on {self.windows:,} validation windows those of 68.3 and 95.4 % covered {one} and {two}; "
            f"calibrated, on average to {number(mean, 3)} of their width"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"factors": self.factors.tolist(), "before": list(self.before), "windows": self.windows}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Calibration":
        """The inverse."""
        one, two = told["before"]
        return cls(np.array(told["factors"], float), (float(one), float(two)), int(told["windows"]))


@torch.inference_mode()
def calibrated(model: Forecaster, windows: Windows, most: int = 4096) -> Calibration:
    """The factors that the windows of the validation part ask for."""
    model.eval()
    parts = [_scores(found, batch.targets, batch.weights) for batch, found in foresee_known(model, windows, most)]
    scores = np.concatenate(parts)  # (N, H, C)
    sizes = np.abs(scores)
    whole = _factor(sizes.reshape(-1, 1))[0]
    each = _factor(sizes.reshape(len(sizes), -1)).reshape(sizes.shape[1:])
    seen = (~np.isnan(sizes)).sum(0)
    logs = (seen * np.log(np.where(seen > 0, each, whole)) + PRIOR * np.log(whole)) / (seen + PRIOR)
    counted = sizes[~np.isnan(sizes)]
    before = float((counted <= 1).mean()), float((counted <= 2).mean())
    return Calibration(np.clip(np.exp(logs), *BOUNDS), before, len(sizes))


def _scores(found: Distribution, y: Float[Tensor, "N H C"], weights: Float[Tensor, "N H C"]) -> np.ndarray:
    """Normal scores of what came; NaN where nothing counts."""
    shares = found.cdf(y).double().clamp(1e-12, 1 - 1e-12)
    scores = torch.special.ndtri(shares)
    return torch.where(weights > 0, scores, torch.nan).numpy()


def _factor(sizes: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "K"]:
    """Of each column: how far out the shares of the two bands lie, over where a normal has them."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column in which nothing counts
        one, two = (np.nanquantile(sizes, share, axis=0) for share in BANDS[:2])
    return np.asarray(np.clip(np.sqrt(one * two / 2), *BOUNDS))
