"""Frozen linear layers in four bits, under adapters: QLoRA, Dettmers et al. 2023.

    layer = NF4Linear.of((weight,), bias)         or of several weights that one of ours holds: [query; key; value]
    quantize(model); restore(model)               all products of the stacks, in place, and back to plain ones
    layer.dequantized(torch.bfloat16)             the weight, as it is now

A product turns the weight back into bf16 or fp32, multiplies, and forgets it; the gradient of the input does so again.
Nothing is packed anew for one of training and evaluation, so either may follow the other. What is multiplied by is the
one weight of `dequantized` everywhere, merged adapters included.

    spare memory     `cache(model)` keeps the weights as they are multiplied by: no speed is lost, nor memory won
    checkpointing    where a layer is computed again for its gradient, the weight is kept until that gradient is taken

Letters of the shapes: N rows, I inputs, O outputs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from seqwise.errors import ConfigError
from seqwise.models import nf4_codec
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.layers import FeedForward
from seqwise.models.linear import Linear, Then, linear
from seqwise.models.nf4_codec import GROUP, Quantized
from seqwise.models.transformer import Stack

_BYTES = ("packed", "scales", "groups", "offset")


@dataclass(frozen=True)
class Loss:
    """What four bits take from a weight."""

    relative: float
    """Frobenius norm of the difference over that of the weight."""
    greatest: float
    """Greatest difference of a weight."""


class NF4Linear(nn.Module):
    """x W^T + b with a weight in four bits; takes the place of a `Linear`, and is not trained.

    Its numbers lie in buffers of bytes, which a change of the model's type leaves as they are.
    """

    packed: Tensor
    scales: Tensor
    groups: Tensor
    offset: Tensor
    kind: Tensor

    def __init__(self, parts: Sequence[Quantized], bias: nn.Parameter | None, dtype: torch.dtype) -> None:
        """parts: one above the other. dtype: what it computes in when nothing else is said."""
        super().__init__()
        self.rows = tuple(part.shape[0] for part in parts)
        self.in_features, self.out_features = parts[0].shape[1], sum(self.rows)
        self.block, self.nested = parts[0].block, parts[0].groups is not None
        for name in _BYTES:
            told = [getattr(part, name) for part in parts]
            flat = [one.detach().reshape(-1).view(torch.uint8) for one in told if one is not None]
            self.register_buffer(name, torch.cat(flat) if len(flat) > 1 else (flat or [self.empty()])[0])
        self.register_buffer("kind", torch.empty(0, dtype=dtype), persistent=False)  # follows `.to(dtype)`
        self.bias = bias
        self.kept: Tensor | None = None  # by `cache`
        self.again: Tensor | None = None  # between computing a layer once more and its gradient

    @staticmethod
    def empty() -> Tensor:
        """No bytes."""
        return torch.empty(0, dtype=torch.uint8)

    @classmethod
    def of(cls, weights: Iterable[Float[Tensor, "_ I"]], bias: Tensor | None = None) -> "NF4Linear":
        """From weights that lie one above the other in ours and are quantized each by itself."""
        parts, dtype = [], torch.float32
        for weight in weights:
            parts.append(nf4_codec.quantize(weight))
            dtype = weight.dtype
        return cls(parts, None if bias is None else nn.Parameter(bias.detach(), requires_grad=False), dtype)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in when nothing else is said."""
        return self.kind.dtype

    @property
    def parts(self) -> tuple[Quantized, ...]:
        """The weights that lie one above the other, each as it was quantized."""
        found, bytes_, blocks, groups = [], 0, 0, 0
        size = 1 if self.nested else 4
        for number, rows in enumerate(self.rows):
            count = rows * self.in_features
            packed = self.packed[bytes_ : bytes_ + -(-count // 2)]
            many = -(-count // self.block)
            scales = self.scales[blocks * size : (blocks + many) * size]
            shape = (rows, self.in_features)
            if self.nested:
                wide = self.groups.view(torch.float32)[groups : groups + -(-many // GROUP)]
                offset = self.offset.view(torch.float32)[number]
                found.append(Quantized(packed, scales, wide, offset, shape, self.block))
            else:
                found.append(Quantized(packed, scales.view(torch.float32), None, None, shape, self.block))
            bytes_, blocks, groups = bytes_ + len(packed), blocks + many, groups + -(-many // GROUP)
        return tuple(found)

    def dequantized(self, dtype: torch.dtype, out: Tensor | None = None) -> Float[Tensor, "O I"]:
        """The weight; nobody's but the caller's."""
        shape = (self.out_features, self.in_features)
        made = torch.empty(shape, dtype=dtype, device=self.packed.device) if out is None else out
        first = 0
        for part in self.parts:
            nf4_codec.dequantize(part, dtype, made[first : first + part.shape[0]])
            first += part.shape[0]
        return made

    def lent(self, dtype: torch.dtype, returns: bool = False) -> Float[Tensor, "O I"]:
        """The weight for a product: not to be kept, nor changed, and another's as soon as one is asked for again.

        returns   whether `returned` will be asked for the gradient. Where a layer is computed once more inside of a
                  backward pass, as checkpointing does, the weight is kept until then
        """
        if self.kept is not None and self.kept.dtype == dtype:
            return self.kept
        if returns and torch._C._current_graph_task_id() != -1:
            self.again = self.dequantized(dtype)
            return self.again
        size = self.out_features, self.in_features
        return self.dequantized(dtype, nf4_codec.lent("product", prod(size), dtype, self.packed.device).view(size))

    def returned(self, dtype: torch.dtype) -> Float[Tensor, "O I"]:
        """The weight for the gradient, under the same conditions."""
        again, self.again = self.again, None
        return again if again is not None and again.dtype == dtype else self.lent(dtype)

    def forward(self, x: Float[Tensor, "*B I"], then: Then = "none") -> Float[Tensor, "*B O"]:
        """x W^T + b, and max(0, .) where asked."""
        bias = self.bias if self.bias is None else self.bias.to(x.dtype)
        if not torch.is_grad_enabled():
            return linear(x, self.lent(x.dtype), bias, then)
        y: Tensor = _Product.apply(x, bias, self, then)  # type: ignore[no-untyped-call]
        return y

    def _apply(self, function: Any, recurse: bool = True) -> "NF4Linear":
        self.kept = self.again = None  # of another device or type, perhaps
        super()._apply(function, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes along: not what can be worked out."""
        return {**self.__dict__, "kept": None, "again": None}

    def extra_repr(self) -> str:
        """What `print(model)` shows of it."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, nf4"


class _Product(torch.autograd.Function):
    """The product with its gradients; no weight is saved for them."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, bias: Tensor | None, layer: NF4Linear, then: Then) -> Tensor:
        y = linear(x, layer.lent(x.dtype, ctx.needs_input_grad[0]), bias, then)  # type: ignore[attr-defined]
        ctx.layer = layer  # type: ignore[attr-defined]
        ctx.save_for_backward(y if then == "relu" else None)  # type: ignore[arg-type]  # None may be saved
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors  # type: ignore[attr-defined]
        layer: NF4Linear = ctx.layer  # type: ignore[attr-defined]
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        (up,) = gradients
        if y is not None:
            up = torch.ops.aten.threshold_backward(up, y, 0)
        d_x = up @ layer.returned(up.dtype) if wanted[0] else None
        d_bias = up.reshape(-1, up.shape[-1]).sum(0) if wanted[1] else None
        return d_x, d_bias, None, None


def layers(model: nn.Module) -> list[NF4Linear]:
    """Those in four bits."""
    return [part for part in model.modules() if isinstance(part, NF4Linear)]


def cache(model: nn.Module, dtype: torch.dtype | None, room: int | None = None) -> int:
    """Keep weights as they are multiplied by, in this type; None: forget them. Bytes that it took.

    room   bytes at most: as many layers as fit, from the first; None: all
    """
    taken = 0
    for layer in layers(model):
        layer.kept = layer.again = None
        size = 0 if dtype is None else layer.in_features * layer.out_features * dtype.itemsize
        if dtype is not None and (room is None or taken + size <= room):
            layer.kept = layer.dequantized(dtype)
            taken += size
    return taken


@torch.no_grad()
def quantize(model: nn.Module, rows: Mapping[str, Sequence[int]] | None = None) -> nn.Module:
    """Put all products of the stacks into four bits, in place, one after the other; the same model comes back.

    Embeddings, norms and heads stay as they are.

    rows   of each weight that is quantized by itself, by the name of our module; as `sections` has it unless given
    """
    found = dict(products(model))
    if not found:
        raise ConfigError(
            f"four bits for a {type(model).__name__}", "a Transformer: encoder, decoder or both", "--quantize none"
        )
    for name, child in found.items():
        cut = (rows or {}).get(name) or sections(model, name)
        replace(model, {name: NF4Linear.of(torch.split(child.weight, list(cut)))})
    return model


def products(model: nn.Module) -> Iterator[tuple[str, Linear]]:
    """The linear layers inside of stacks, by name."""
    stacks = [name for name, part in model.named_modules() if isinstance(part, Stack)]
    for name, part in model.named_modules():
        if isinstance(part, Linear) and any(name.startswith(f"{stack}." if stack else "") for stack in stacks):
            yield name, part


def sections(model: nn.Module, name: str) -> tuple[int, ...]:
    """Rows of the weights that lie in one of ours and in three or two of others: query, key, value; gate and value."""
    above, _, leaf = name.rpartition(".")
    part, layer = model.get_submodule(above), model.get_submodule(name)
    if isinstance(part, MultiHeadAttention) and leaf in ("qkv", "kv"):
        answered = part.groups * part.head_width
        return (part.heads * part.head_width, answered, answered) if leaf == "qkv" else (answered, answered)
    rows = int(layer.out_features)  # type: ignore[arg-type]
    return (rows // 2, rows // 2) if isinstance(part, FeedForward) and part.gated and leaf == "up" else (rows,)


def replace(model: nn.Module, made: Mapping[str, NF4Linear]) -> None:
    """Put these in the place of modules of the same names, whose biases they get unless they have some."""
    for name, layer in made.items():
        above, _, leaf = name.rpartition(".")
        layer.bias = layer.bias if layer.bias is not None else model.get_submodule(name).bias  # type: ignore[assignment]
        layer.train(model.training)
        setattr(model.get_submodule(above), leaf, layer)


@torch.no_grad()
def restore(model: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Put plain products of the dequantized weights in the place of those in four bits; the same model comes back.

    dtype   of the weights; what each computes in unless given
    """
    for name, layer in [(name, one) for name, one in model.named_modules() if isinstance(one, NF4Linear)]:
        with torch.device("meta"):
            made = Linear(layer.in_features, layer.out_features, bias=False)
        made.weight = nn.Parameter(layer.dequantized(dtype or layer.dtype))
        made.bias = layer.bias  # type: ignore[assignment]  # nn.Linear means a parameter or None as well
        above, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(above), leaf, made.train(model.training))
    return model


def error(layer: NF4Linear, weight: Float[Tensor, "O I"]) -> Loss:
    """What a merge into four bits, or the four bits themselves, take from a weight."""
    difference = layer.dequantized(torch.float32) - weight.detach().float()
    norm = float(torch.linalg.vector_norm(weight.detach().float()))
    return Loss(float(torch.linalg.vector_norm(difference)) / max(norm, 1e-30), float(difference.abs().max()))
