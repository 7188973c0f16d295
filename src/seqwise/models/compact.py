"""Weights in two bytes or one, to read and to write with, no longer to train.

Decoding a row at a time is as fast as the weights come out of memory, so half the bytes are half the time; and the
arithmetic stays in fp32 where a processor multiplies nothing smaller.

    fp16    products with fp16 weights and fp32 vectors: 2e-4 of a product is lost, less than bf16 loses (2e-3)
    int8    a scale for each output channel, vectors rounded to 7 or 8 bits row by row; 2e-2 of a product is lost

The kernels are FBGEMM's, which torch brings along on x86; elsewhere the same numbers are multiplied by torch's own
product, which saves memory and no time. What was tried and lost: oneDNN's int8 and torch's weight-only int8 product,
two to five times slower with AVX2. Figures: docs/benchmarks.md.

Letters of the shapes: N rows, I inputs, O outputs, V vocabulary.
"""

import warnings
from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.errors import CheckpointError, ConfigError
from seqwise.models.embeddings import Embeddings
from seqwise.models.heads import NextToken
from seqwise.models.linear import Linear, Then, instructions, pack
from seqwise.models.transformer import Stack

Kind = Literal["fp16", "int8"]
LEVELS = 127  # of one sign of int8, the same on both sides
TINY = 1e-30  # instead of the greatest magnitude of a row of zeros


@cache
def _fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines


def compacts(device: torch.device) -> bool:
    """Whether compact products are faster here than others."""
    return device.type == "cpu" and _fbgemm()


@cache
def _narrow() -> bool:
    """Whether vectors get 7 bits: without VNNI two products of 8 bits are added in 16, which overflows."""
    return not bool(torch.cpu._is_vnni_supported())


def rounded(weight: Float[Tensor, "O I"]) -> tuple[Int[Tensor, "O I"], Float[Tensor, "O"]]:
    """int8 values and the scale of each output channel: weight = values * scale, to half a step."""
    exact = weight.detach().float()
    scale = exact.abs().amax(1).clamp_min(TINY) / LEVELS  # (O,)
    return (exact / scale[:, None]).round_().to(torch.int8), scale


class Product(nn.Module):
    """x W^T + b with compact weights; takes the place of a `Linear`, and is not trained."""

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None, kind: Kind) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.kind = kind
        self.packed: Any = None  # weights in FBGEMM's order, which only it can read
        if weight.device.type == "cpu" and _fbgemm():
            self.packed = _ordered(weight, kind)
        else:
            values, scale = rounded(weight) if kind == "int8" else (weight.detach().half(), None)
            self.register_buffer("values", values)
            self.register_buffer("scale", scale)
        self.biased = bias is not None
        self.register_buffer("bias", None if bias is None else bias.detach().float())
        _never_written(self)

    def forward(self, x: Float[Tensor, "*B I"], then: Then = "none") -> Float[Tensor, "*B O"]:
        """x W^T + b, and max(0, .) where asked."""
        y: Tensor
        if self.packed is None:
            y = self._plain(x)
        elif self.kind == "fp16":
            y = torch.ops.quantized.linear_dynamic_fp16(x, self.packed)
        elif x.numel() == self.in_features:
            y = _dynamic(x, self.packed)
        else:  # the kernel rounds by the greatest of all rows: with rows of like size no row suffers from another
            size = x.abs().amax(-1, keepdim=True).clamp_min_(TINY)  # (*B, 1)
            y = _dynamic(x / size, self.packed).mul_(size)
        if self.biased:
            y += self.get_buffer("bias")
        return y.relu_() if then == "relu" else y

    def _plain(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        """By torch's own product."""
        y = functional.linear(x, self.get_buffer("values").to(x.dtype))
        return y * self.get_buffer("scale") if self.kind == "int8" else y

    def unpacked(self) -> Float[Tensor, "O I"]:
        """The weight in fp32, as it was rounded."""
        if self.packed is None:
            values = self.get_buffer("values").float()
            return values * self.get_buffer("scale")[:, None] if self.kind == "int8" else values
        unpack = torch.ops.quantized.linear_unpack_fp16 if self.kind == "fp16" else torch.ops.quantized.linear_unpack
        weight: Tensor = unpack(self.packed)[0]
        return weight.dequantize() if weight.is_quantized else weight

    def extra_repr(self) -> str:
        """What `print(model)` shows of it."""
        return f"{self.in_features}, {self.out_features}, {self.kind}"


def _dynamic(x: Float[Tensor, "*B I"], packed: Any) -> Float[Tensor, "*B O"]:
    """The int8 product, whose kernel takes numbers only."""
    try:
        y: Tensor = torch.ops.quantized.linear_dynamic(x, packed, _narrow())
    except RuntimeError:
        if not bool(x.isnan().any()):
            raise
        given = "a vector inside the model that is no number (NaN)"
        mend = "the weights once more from where they came"
        raise CheckpointError(given, "weights that are finite", mend) from None
    return y


def _ordered(weight: Float[Tensor, "O I"], kind: Kind) -> Any:
    """The weights as FBGEMM reads them."""
    if kind == "fp16":
        return torch.ops.quantized.linear_prepack_fp16(weight.detach().float().contiguous(), None)
    values, scale = rounded(weight)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():  # torch discourages its quantized tensors, yet the kernel takes no other
            warnings.simplefilter("ignore")
            zeros = torch.zeros(len(scale), dtype=torch.int64)
            shaped = torch._make_per_channel_quantized_tensor(values, scale.double(), zeros, 0)
            return torch.ops.quantized.linear_prepack(shaped, None)
    finally:
        torch.backends.quantized.engine = engine


class Table(nn.Module):
    """Embeddings of two bytes a number, that come out in fp32; takes the place of `Embeddings`."""

    def __init__(self, embed: Embeddings) -> None:
        super().__init__()
        weight = embed.weight.detach()
        self.scale = embed.scale
        self.weight = nn.Parameter(weight if weight.itemsize == 2 else weight.half(), requires_grad=False)  # (V, W)
        _never_written(self)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T W"]:
        """The row of each id, scaled."""
        vectors = functional.embedding(ids, self.weight).float()  # (B, T, W)
        return vectors.mul_(self.scale) if self.scale != 1.0 else vectors


def _never_written(part: nn.Module) -> None:
    part.register_state_dict_pre_hook(_refuse)  # type: ignore[no-untyped-call]
    part.register_load_state_dict_pre_hook(_refuse)  # type: ignore[no-untyped-call]


def _refuse(*_: object) -> None:
    raise ConfigError(
        "weights of a model that was made compact",
        "the model as it was loaded or trained: what is rounded for speed is not written",
        "saving before models.compact, or loading the checkpoint once more",
    )


@torch.no_grad()
def compact(model: nn.Module, kind: Kind) -> nn.Module:
    """Replace all products of a Transformer by compact ones, in place; the same model comes back, in `eval`.

    Original weights are freed one by one, so memory never holds two models. A table that the head shares with the
    embeddings stays, in two bytes a number, beside the head's own compact copy. Everything else becomes fp32. Compact
    weights can be neither trained, nor saved, nor loaded into: that is refused.
    """
    if not any(isinstance(part, Stack) for part in model.modules()):
        raise ConfigError(
            f"{kind} weights for a {type(model).__name__}",
            "a Transformer: encoder, decoder or both",
            "--precision fp32",
        )
    for part in list(model.modules()):
        if isinstance(part, NextToken) and part.product is None:
            part.product = Product(part.weight, part.bias, kind)
            part.packed = None
            for name in ("weight", "bias"):
                setattr(part, name, None)
        for name, child in part.named_children():
            if isinstance(child, Linear):
                setattr(part, name, Product(child.weight, child.bias, kind))
    _replace_tables(model)
    for part in model.modules():
        if not isinstance(part, Table | Product):
            for name, weight in part.named_parameters(recurse=False):
                setattr(part, name, nn.Parameter(weight.detach().float(), requires_grad=False))
    return model.eval()


def _replace_tables(model: nn.Module) -> None:
    """Encoder and decoder may share one: then they still do."""
    made: dict[nn.Module, Table] = {}
    for part in list(model.modules()):
        for name, child in list(part._modules.items()):  # named_children tells a shared one once
            if isinstance(child, Embeddings):
                made[child] = made.get(child) or Table(child)
                setattr(part, name, made[child])


def quantize(model: nn.Module) -> nn.Module:
    """int8 products: see `compact`."""
    return compact(model, "int8")


def settle(model: nn.Module, precision: Literal["fp32", "bf16", "int8"]) -> nn.Module:
    """Make a loaded model ready to read and write with; the same object comes back.

    fp32    as it is
    bf16    weights in two bytes. bf16 with copies in oneDNN's order where the hardware multiplies bf16, as accelerators
            do; on other processors fp16 weights and fp32 vectors, which lose less and are many times faster there
    int8    weights in one byte: see `compact`
    """
    if precision == "int8":
        return quantize(model)
    on_processor = next(model.parameters()).device.type == "cpu"
    stacked = any(isinstance(part, Stack) for part in model.modules())
    if precision == "bf16" and on_processor and stacked and not instructions():
        return compact(model, "fp16")
    pack(model)
    return model
