"""From what a network says to a distribution: which kind, how many numbers it takes, and what keeps them in bounds.

    normal      mean, sd > 0                              two numbers
    student     location, scale > 0, df > 2               three
    quantiles   thirteen values that never cross          thirteen

The distributions themselves stand in `normal.py`, `student.py` and `quantiles.py`.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seqwise.models.normal import BANDS as BANDS
from seqwise.models.normal import Distribution as Distribution
from seqwise.models.normal import Normal as Normal
from seqwise.models.quantiles import COUNT, GAP, MIDDLE
from seqwise.models.quantiles import LEVELS as LEVELS
from seqwise.models.quantiles import Quantiles as Quantiles
from seqwise.models.quantiles import bent as bent
from seqwise.models.student import StudentT as StudentT

Head = Literal["normal", "student", "quantiles"]
"""Which distribution is foreseen."""

FLOOR = 1e-3  # least scale, in standard deviations of what the model sees: the likelihood has no end as it falls to 0
LEAST_DF = 2.1  # least degrees of freedom: at 2 the standard deviation is infinite


def count(head: Head) -> int:
    """How many numbers tell one distribution."""
    match head:
        case "normal":
            return 2
        case "student":
            return 3
        case "quantiles":
            return COUNT


def bounded(head: Head, raw: Float[Tensor, "*B P"]) -> Distribution:
    """Any numbers -> a distribution. Scales by softplus, which falls to 0 slowly and never jumps."""
    raw = raw.float()
    scales = functional.softplus(raw[..., 1:]) + FLOOR
    match head:
        case "normal":
            return Normal(raw[..., 0], scales[..., 0])
        case "student":
            return StudentT(raw[..., 0], scales[..., 0], LEAST_DF + scales[..., 1])
        case "quantiles":
            below, above = scales.mul(GAP).tensor_split([MIDDLE], -1)
            falls = -below.cumsum(-1).flip(-1)  # (*B, 6) from the outermost to the one next to the median
            zero = torch.zeros_like(raw[..., :1])
            return Quantiles(raw[..., :1] + torch.cat((falls, zero, above.cumsum(-1)), -1))


def told(head: Head, parameters: Float[Tensor, "*B P"]) -> Distribution:
    """The distribution that has these `parameters`."""
    match head:
        case "normal":
            mean, sd = parameters.unbind(-1)
            return Normal(mean, sd)
        case "student":
            location, scale, df = parameters.unbind(-1)
            return StudentT(location, scale, df)
        case "quantiles":
            return Quantiles(parameters)
