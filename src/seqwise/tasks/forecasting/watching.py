"""A look at the validation part: the loss, and in standardized numbers how far off means are and how wide the bands.

loss          of what is minimized: CRPS, or nats
rmse          of the mean
coverage95    share that lies in the 95.45 % band
"""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.data.timewindows import WindowBatch, Windows, ordered
from seqwise.models.distributions import BANDS, Distribution, Normal
from seqwise.models.forecaster import Forecaster
from seqwise.tasks.forecasting.predictive import altered, of_paths
from seqwise.tasks.watching import device_of, looking
from seqwise.training.forecasting import Loss
from seqwise.training.loop import Look

ROWS = 512  # windows read together
PATHS = 500  # ways that a model which rolls draws
MOST = 4096  # windows of a look; of more, every so manyth


class ForecastWatcher:
    """Called with weights by name."""

    def __init__(self, model: Forecaster, windows: Windows, loss: Loss) -> None:
        self.model, self.windows, self.loss = model, windows, loss

    def __call__(self, weights: Mapping[str, Tensor]) -> Look:
        """Load the weights and score them."""
        sums = torch.zeros(4, dtype=torch.float64)
        with looking(self.model, weights):
            for batch, found in foresee_known(self.model, self.windows, most=MOST):
                sums += _sums(batch, found, self.loss)
        count, cost, squares, inside = sums.tolist()
        scores = {"loss": cost / count, "rmse": (squares / count) ** 0.5, "coverage95": inside / count}
        return Look(scores)


def foresee_known(
    model: Forecaster, windows: Windows, most: int | None = None
) -> Iterator[tuple[WindowBatch, Distribution]]:
    """Batches of windows with what the model says of them; of a model that rolls, each step knowing those before it."""
    device = device_of(model)
    step = 1 if most is None else max(1, -(-len(windows) // most))
    for whole in ordered(windows, ROWS * step):
        batch = whole if step == 1 else windows.batch(whole.items.numpy()[::step])
        past, future, targets, _, series = (part.to(device) for part in batch.tensors())
        if model.rolls:
            yield batch, _on_cpu(model.foretold(past, future, targets, series))
        else:
            yield batch, _on_cpu(model.foreseen(past, future, series))


def foresee_blind(
    model: Forecaster,
    past: Float[Tensor, "B L F"],
    future: Float[Tensor, "B H K"],
    series: Int[Tensor, "B"],
    generator: torch.Generator,
) -> Distribution:
    """Of each step, knowing the past only, in standardized numbers; fp64 on the CPU."""
    device = device_of(model)
    moved = past.to(device), future.to(device), series.to(device)
    if not model.rolls:
        return altered(model.foreseen(*moved), lambda told: told.double().cpu())
    paths = model.rolled(*moved, model.horizon, PATHS, generator)
    return of_paths(paths.cpu(), normal=model.head_kind == "normal")


def _on_cpu(found: Distribution) -> Distribution:
    return altered(found, Tensor.cpu) if found.mean.device.type != "cpu" else found


def _sums(batch: WindowBatch, found: Distribution, loss: Loss) -> Tensor:
    """Weights, cost, squared errors, and what lies inside the band."""
    y, weights = batch.targets, batch.weights.double()
    costs = found.crps(y) if loss == "crps" else found.nll(y)
    mean = found.mean if isinstance(found, Normal) else found.quantile(torch.tensor(0.5))
    low, high = found.interval(BANDS[1])
    inside = ((y >= low) & (y <= high)).double()
    parts = (torch.ones_like(costs), costs, (y - mean) ** 2, inside)
    return torch.stack([(part.double() * weights).sum() for part in parts])
