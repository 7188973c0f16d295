"""Many texts read by an encoder, or by a decoder that names labels: sorted by length, in batches filled to a token
budget, put back in the order given.

The texts of a batch stand end to end, so that no position is padding, which in batches of the order given is nearly
half of the work. `batches` is for models that want a row for each text: sorted, next to none is padding there either.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import pooled
from seqwise.models.linear import packed_for_many

BUDGET = 2048  # positions at once: enough to fill the products, few enough that their results stay in the cache
UNPADDED = 4096  # the same where none is padding; a batch of texts of more lengths has more calls of attention
KEPT = 2 * UNPADDED  # tokens for which a copy of the weights in the processor's own order pays
ALIKE = 1.1  # a batch ends where the next text is so many times as long as its first


def batches(lengths: Sequence[int], budget: int = BUDGET, alike: float = ALIKE) -> Iterator[list[int]]:
    """Places of the texts that are read together, shortest first; at most `budget` positions with padding, or one text.

    alike   how much longer than its first the last text of a batch may be
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        longest = lengths[place]
        if batch and (longest * (len(batch) + 1) > budget or longest > alike * lengths[batch[0]] + 1):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def unpadded(lengths: Sequence[int], budget: int = UNPADDED) -> Iterator[list[int]]:
    """Places of the texts that are read together, shortest first; at most `budget` positions, or one text."""
    batch: list[int] = []
    filled = 0
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and filled + lengths[place] > budget:
            yield batch
            batch, filled = [], 0
        batch.append(place)
        filled += lengths[place]
    if batch:
        yield batch


@torch.inference_mode()
def read_all(
    model: Encoder | Decoder,
    rows: Sequence[Sequence[int]],
    pool: Literal["first", "mean", "last"] | None = "mean",
    budget: int = UNPADDED,
    segments: Sequence[Sequence[int]] = (),
) -> Float[Tensor, "N _"]:
    """One row of numbers for each text, in the order given and in fp32 on the processor.

    rows      ids of each text, special tokens included; none may be empty
    pool      which vector stands for a text; None: what the model's head for labels says of it
    segments  of each id, which of two texts it is of; empty where all are of the first
    """
    device = next(model.parameters()).device
    sizes = [len(row) for row in rows]
    found: Tensor | None = None
    with packed_for_many(model) if sum(sizes) >= KEPT else nullcontext():
        for places in unpadded(sizes, budget):
            ids = torch.tensor([list(chain.from_iterable(rows[i] for i in places))], device=device)  # (1, K)
            lengths = torch.tensor([sizes[i] for i in places], device=device)
            read = [ids, lengths]
            if segments:
                read.append(torch.tensor([list(chain.from_iterable(segments[i] for i in places))], device=device))
            told = model(*read) if pool is None else pooled(model.hidden(*read), lengths, pool)  # (B, _)
            if found is None:
                found = torch.empty(len(rows), told.shape[-1])
            found[torch.tensor(places)] = told.float().cpu()
    return torch.empty(0, model.settings.width) if found is None else found
