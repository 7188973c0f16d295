"""The pairs of small matrices that adapters put beside a frozen weight: which rows each changes, and what it adds.

A weight of ours may hold several modules of the hub's, one below the other (queries, keys, values): each of these parts
has its own pair, as others' adapters have it. Several adapters share a weight, and one of them answers, or none.

    W + s B A                       Hu et al. 2022
    m (W + s B A) / |W + s B A|     with lengths by themselves: DoRA, Liu et al. 2024, eq. 5

Letters of the shapes: I inputs, O outputs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Part:
    """Rows of one of our weights, by the name of the module that they are in the hub's files."""

    name: str
    """The whole name: model.layers.0.self_attn.q_proj."""
    first: int
    rows: int

    @property
    def leaf(self) -> str:
        """What names its pair beside those of the other parts: q_proj."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Slot:
    """A part that is adapted, and how."""

    part: Part
    rank: int
    alpha: float
    rslora: bool = False

    @property
    def scale(self) -> float:
        """s: alpha / rank (Hu et al. 2022), or alpha / sqrt(rank) (Kalajdzievski 2023)."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


@runtime_checkable
class Quantized(Protocol):
    """A product whose weight is stored in fewer bits."""

    in_features: int
    out_features: int
    bias: Tensor | None

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The weight, (O, I), as a copy."""

    def lent(self, dtype: torch.dtype, returns: bool = False) -> Tensor:
        """The weight for a product, not to be kept. `returns`: whether a gradient will ask for it, by `returned`."""

    def returned(self, dtype: torch.dtype) -> Tensor:
        """The weight for the gradient."""


class Named(nn.Module):
    """Parameters by the names of parts; a `ParameterDict` has methods that are called keys and values, as parts are."""

    def __getitem__(self, name: str) -> nn.Parameter:
        """Of one part."""
        return self.get_parameter(name)


class Pairs(nn.Module):
    """A and B of each part, and the magnitudes of DoRA, of all adapters that share a weight.

    Parameters are named lora_a.<adapter>.<part>, lora_b.<adapter>.<part> and lora_magnitude.<adapter>.<part>.
    """

    lora_a: nn.ModuleDict
    lora_b: nn.ModuleDict
    lora_magnitude: nn.ModuleDict

    def _start(self) -> None:
        self.lora_a, self.lora_b, self.lora_magnitude = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.slots: dict[str, tuple[Slot, ...]] = {}
        self.rates: dict[str, float] = {}
        self.active: str | None = None

    def frozen(self, slot: Slot) -> Float[Tensor, "O I"]:
        """The frozen weight that a part belongs to."""
        raise NotImplementedError

    def reads(self, slot: Slot) -> tuple[int, torch.device]:
        """The width of what a part reads, and where its weight lies."""
        raise NotImplementedError

    def add(self, adapter: str, slots: Sequence[Slot], dropout: float, dora: bool) -> None:
        """One more adapter, which changes nothing yet: A uniform, Kaiming (He et al. 2015), B zero."""
        downs, ups, sizes = Named(), Named(), Named()
        for slot in slots:
            width, device = self.reads(slot)
            down = torch.empty(slot.rank, width, device=device)
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            downs.register_parameter(slot.part.leaf, nn.Parameter(down))
            ups.register_parameter(slot.part.leaf, nn.Parameter(down.new_zeros(slot.part.rows, slot.rank)))
            if dora:
                rows = self.frozen(slot)[slot.part.first : slot.part.first + slot.part.rows].float()
                lengths = torch.linalg.vector_norm(rows.detach(), 2, 1)
                sizes.register_parameter(slot.part.leaf, nn.Parameter(lengths))
        self.lora_a[adapter], self.lora_b[adapter] = downs, ups
        if dora:
            self.lora_magnitude[adapter] = sizes
        self.slots[adapter], self.rates[adapter] = tuple(slots), dropout

    def pair(self, adapter: str, leaf: str) -> tuple[Tensor, Tensor, Tensor | None]:
        """A, B and the magnitudes of one part."""
        sizes = self._of(self.lora_magnitude, adapter) if adapter in self.lora_magnitude else None
        size = None if sizes is None else sizes[leaf]
        return self._of(self.lora_a, adapter)[leaf], self._of(self.lora_b, adapter)[leaf], size

    def _of(self, kind: nn.ModuleDict, adapter: str) -> Named:
        return cast(Named, kind[adapter])

    def pair_dtype(self, adapter: str) -> torch.dtype:
        """The type of A and B."""
        return next(self.lora_a[adapter].parameters()).dtype

    @torch.no_grad()
    def added(self, adapter: str, weight: Float[Tensor, "O I"], slots: Sequence[Slot]) -> Float[Tensor, "O I"]:
        """W + s B A of these parts, in at least fp32."""
        exact = weight.to(torch.promote_types(torch.float32, weight.dtype), copy=True)
        for slot in slots:
            down, up, _ = self.pair(adapter, slot.part.leaf)
            rows = exact[slot.part.first : slot.part.first + slot.part.rows]
            rows.addmm_(up.to(exact.dtype), down.to(exact.dtype), alpha=slot.scale)
        return exact

    @torch.no_grad()
    def merged(self, adapter: str, weight: Float[Tensor, "O I"], slots: Sequence[Slot]) -> Float[Tensor, "O I"]:
        """The weight that computes what W and the adapter do, in at least fp32."""
        exact = self.added(adapter, weight, slots)
        for slot in slots:
            _, _, size = self.pair(adapter, slot.part.leaf)
            if size is not None:
                rows = exact[slot.part.first : slot.part.first + slot.part.rows]
                rows.mul_((size.to(exact.dtype) / torch.linalg.vector_norm(rows, 2, 1))[:, None])
        return exact
