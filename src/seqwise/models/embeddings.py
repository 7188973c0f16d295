"""Tokens as vectors: one table, or two that share their storage.

Settings decide what is shared (Press & Wolf 2017) and whether the vectors are scaled by sqrt(width) (Vaswani et al.
2017, section 3.4). Vectors of word2vec or GloVe come in by `load`; reading their files is `checkpoints.wordvectors`.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.errors import Fault


@dataclass(frozen=True)
class EmbeddingSettings:
    """The tables between tokens and vectors."""

    tied: Literal["all", "output", "source-target", "none"] = "all"
    """What shares one table: source, target and output projection; target and output; source and target; nothing.
    All of them save parameters and help small data, but need one vocabulary for both languages."""
    scaled: bool = True
    """Multiply by sqrt(width), so that the vectors are as large as the positions added to them."""
    source_vectors: str | None = None
    """A word2vec (text or binary) or GloVe file for the source words; words it lacks keep their random vectors."""
    target_vectors: str | None = None
    """The same for the target words."""
    frozen: bool = False
    """Keep the loaded vectors as they are; otherwise they are trained on like all other weights."""

    def faults(self) -> Iterator[Fault]:
        """Freezing needs vectors worth freezing."""
        if self.frozen and not (self.source_vectors or self.target_vectors):
            yield Fault(
                "--model.embeddings.frozen without vectors",
                "a file of word vectors to keep as it is",
                "--model.embeddings.source-vectors FILE or leave frozen out",
            )


class Embeddings(nn.Module):
    """ids -> vectors. The table is normal with a standard deviation of width ** -0.5; the padding row is zero."""

    def __init__(self, vocabulary: int, width: int, padding: int = 0, scaled: bool = True) -> None:
        super().__init__()
        self.padding = padding
        self.scale = math.sqrt(width) if scaled else 1.0
        self.weight = nn.Parameter(torch.empty(vocabulary, width))  # (V, W)
        self.sparse = False  # True: the gradient names the rows that were looked up, and says nothing of the others
        self.register_buffer("known", torch.empty(0, dtype=torch.int64), persistent=False)
        nn.init.normal_(self.weight, std=width**-0.5)
        with torch.no_grad():
            self.weight[padding].zero_()

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T W"]:
        """The row of each id, scaled."""
        sparse = self.sparse and not len(self.get_buffer("known"))
        vectors = functional.embedding(ids, self.weight, sparse=sparse)  # (B, T, W)
        return vectors * self.scale if self.scale != 1.0 else vectors

    def load(self, ids: Int[Tensor, "N"], vectors: Float[Tensor, "N W"], frozen: bool) -> None:
        """Overwrite the rows of `ids`; with `frozen` these rows get no gradient, the others still do.

        Files differ tenfold in scale, so all vectors are divided by their mean length: a fresh row has length 1 too.
        """
        mean_length = vectors.norm(dim=1).mean().clamp(min=1e-12)
        with torch.no_grad():
            self.weight[ids] = (vectors / mean_length).to(self.weight)
        if frozen:
            known = self.get_buffer("known")
            if not len(known):
                self.weight.register_hook(self._without_known)  # type: ignore[no-untyped-call]
            self.known = torch.unique(torch.cat((known, ids)))  # of a second file, where both sides share the table

    def _without_known(self, gradient: Tensor) -> Tensor:
        return gradient.index_fill(0, self.get_buffer("known"), 0.0)


def by_rows(model: nn.Module, sparse: bool = True) -> None:
    """Let the gradient of each table name the rows of its batch, unless the table is used elsewhere too: most of the
    table has no gradient, and need not be filled with zeros, added up and gone through."""
    uses = Counter(id(weight) for _, weight in model.named_parameters(remove_duplicate=False))
    for part in model.modules():
        if isinstance(part, Embeddings):
            part.sparse = sparse and uses[id(part.weight)] == 1
