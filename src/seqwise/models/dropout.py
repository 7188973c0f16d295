"""Dropout (Srivastava et al. 2014) that does not cost more than the matrix product before it.

On a CPU torch draws one number an element on a single thread, 6 ns each: a quarter of a bf16 training step. Here
random 64-bit words are read as bytes and compared with a threshold, 0.25 ns an element; the mask has the type of what
it masks, since products with booleans are seven times slower than with bf16, and is made as whole numbers, 0 or the
bits of the scale, since bf16 has no arithmetic of its own: 0.1 ns an element instead of 0.4. The words come from a
generator (SFC64) that torch's own generator seeds at each call, so `torch.manual_seed` decides all. The rate is a
multiple of 1/256: 0.1 becomes 26/256 = 0.1016, and the scale is exact for it.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 256  # values of one random byte
WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Whole numbers of so many bytes."""


def scaled_mask(like: Float[Tensor, "..."], rate: float) -> Float[Tensor, "..."]:
    """0 with probability `rate`, otherwise 1 / (1 - rate); on a CPU rate is rounded to the nearest 1/256."""
    if like.device.type != "cpu":
        return functional.dropout(torch.ones_like(like), rate)
    threshold = round(rate * LEVELS)
    count = like.numel()
    seed = int(torch.empty((), dtype=torch.int64).random_())
    words = np.random.SFC64(seed).random_raw((count + 7) // 8)
    kept = (words.view(np.uint8)[:count] >= threshold).view(np.int8)
    mask = torch.empty(like.shape, dtype=like.dtype)
    whole = WHOLE[like.element_size()]
    bits = torch.tensor(LEVELS / (LEVELS - threshold), dtype=like.dtype).view(whole)
    np.multiply(kept, bits.numpy(), out=mask.view(whole).view(-1).numpy())
    return mask


def dropout(x: Float[Tensor, "..."], rate: float, training: bool) -> Float[Tensor, "..."]:
    """Set a share of the elements to zero and scale the others so that the expectation stays.

    x      any shape
    rate   0 to below 1; on a CPU rounded to the nearest 1/256
    """
    if not training or rate == 0.0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, rate)
    return x * scaled_mask(x, rate)


class Dropout(nn.Module):
    """`dropout()` as a part of a model; does nothing in `eval()`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Any shape in, the same shape out."""
        return dropout(x, self.rate, self.training)

    def extra_repr(self) -> str:
        """What `print(model)` shows of it."""
        return f"rate={self.rate}"
