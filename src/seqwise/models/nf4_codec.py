"""Weights in four bits: NormalFloat, blocks of 64, and scales that are quantized once more.

Dettmers et al. 2023 (QLoRA), sections 2 and 3. Sixteen values stand where a normal distribution has equal shares; a
block of 64 weights is divided by its greatest magnitude and each weight becomes the nearest of them. The magnitudes
less their mean are kept in eight bits, in groups of 256: 4.127 bits a weight. Bytes are the ones that bitsandbytes
writes, to the last bit, so that both open each other's files.

    quantize(weight) -> Quantized          dequantize(quantized, dtype) -> weight

In fp32 and fp16 the product of value and scale is rounded once, as bitsandbytes rounds it. In bf16, which training
multiplies by, value, scale and product are rounded, at most 2^-7 of a weight from the exact one where four bits take a
tenth of it: so one look into a table of 65,536 quadruples brings four values at once, two thirds of the time of exact
pairs. Tried and lost: scaling by batch_norm or by diagonal matrices, gather and take, whose indices are twice as long.

Letters of the shapes: N weights, P bytes, S blocks, M groups of blocks.
"""

import sys
import threading
from dataclasses import dataclass
from functools import cache
from math import prod

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

VALUES = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""NF4, rounded to fp32 as the paper's authors publish it."""
BLOCK = 64  # weights that share a scale
GROUP = 256  # scales that share a scale
STRETCH, FAST_STRETCH = 1 << 17, 1 << 22  # weights that are worked on at a time
TINY = 1e-38  # instead of the greatest magnitude of a block of zeros
BINS = 1 << 16  # of the table by which scales are rounded


@dataclass(frozen=True)
class Quantized:
    """A weight in four bits."""

    packed: UInt8[Tensor, "P"]
    """Two codes a byte, the first in the upper half."""
    scales: UInt8[Tensor, "S"] | Float[Tensor, "S"]
    """Of each block: a code, or where there are no groups, its greatest magnitude."""
    groups: Float[Tensor, "M"] | None
    """Greatest magnitude of each group of scales, the offset taken off."""
    offset: Float[Tensor, ""] | None
    """Mean of the scales."""
    shape: tuple[int, ...]
    block: int = BLOCK
    """Weights that share a scale."""

    @property
    def bits(self) -> float:
        """Of storage, a weight."""
        told = (self.packed, self.scales, self.groups, self.offset)
        return 8 * sum(one.nbytes for one in told if one is not None) / max(1, prod(self.shape))


@cache
def levels(device: torch.device) -> Float[Tensor, "16"]:
    """The sixteen values."""
    return torch.tensor(VALUES, device=device)


@cache
def pairs(device: torch.device) -> Float[Tensor, "256 2"]:
    """Both values of a byte."""
    byte = torch.arange(256, device=device)
    return levels(device)[torch.stack([byte >> 4, byte & 15], 1)].contiguous()


@cache
def quadruples(device: torch.device) -> Int64[Tensor, "65536"]:
    """The four values of two bytes in bf16, as one number."""
    word = torch.arange(1 << 16, device=device)
    first, last = (word & 255, word >> 8) if sys.byteorder == "little" else (word >> 8, word & 255)
    table = pairs(device).bfloat16()
    return torch.cat([table[first], table[last]], 1).contiguous().view(torch.int64).view(-1)


@cache
def dynamic(device: torch.device) -> Float[Tensor, "256"]:
    """The 256 values of a scale: a sign, as many zeros as the power of ten is below 1, and the rest is the fraction.

    Dettmers 2016, "8-bit approximations for parallelism in deep learning": each power of ten from 1e-6 to 1 is cut
    into twice as many steps as the one below it, and a value stands in the middle of each.
    """
    values = [0.0, 1.0]
    for power in range(7):
        edges = torch.linspace(0.1, 1, 2**power + 1)
        middles = (edges[:-1] + edges[1:]) / 2.0
        values += (10 ** (power - 6) * middles).tolist()
        values += (-(10 ** (power - 6)) * middles).tolist()
    return torch.tensor(sorted(values), device=device)


@cache
def _nearest(device: torch.device) -> UInt8[Tensor, "65536"]:
    """The code that is nearest to the middle of each of 65,536 equal steps from -1 to 1."""
    middles = torch.arange(BINS, dtype=torch.float64) * (2.0 / (BINS - 1)) - 1.0
    table = dynamic(torch.device("cpu"))
    edges = (table[:-1].double() + table[1:].double()) / 2
    return torch.bucketize(middles, edges).to(torch.uint8).to(device)


@torch.no_grad()
def quantize(weight: Float[Tensor, "..."]) -> Quantized:
    """Any shape; row after row. Works in fp32 on a stretch at a time."""
    flat = weight.detach().reshape(-1)
    packed, magnitudes = [], []
    for first in range(0, max(1, len(flat)), 8 * STRETCH):
        codes, greatest = _coded(flat[first : first + 8 * STRETCH].float())
        packed.append(codes)
        magnitudes.append(greatest)
    greatest = torch.cat(magnitudes)
    offset = greatest.mean()
    scales, groups = _rounded(greatest - offset)
    return Quantized(torch.cat(packed), scales, groups, offset, tuple(weight.shape))


def _coded(flat: Float[Tensor, "N"]) -> tuple[UInt8[Tensor, "P"], Float[Tensor, "S"]]:
    """Two codes a byte, and the greatest magnitude of each block."""
    whole = len(flat) // BLOCK * BLOCK
    blocks = flat[:whole].view(-1, BLOCK)  # (S, 64)
    low, high = torch.aminmax(blocks, dim=1) if whole else (flat[:0], flat[:0])
    greatest = torch.maximum(-low, high)  # (S,)
    scaled = (blocks * (1.0 / greatest.clamp_min(TINY))[:, None]).clamp_(-1, 1).view(-1)
    if whole < len(flat):  # bitsandbytes divides here, and lets no magnitude be 0
        rest = flat[whole:]
        most = rest.abs().max().clamp_min(TINY)
        greatest = torch.cat([greatest, most[None]])
        scaled = torch.cat([scaled, (rest / most).clamp_(-1, 1)])
    if len(scaled) % 2:
        scaled = functional.pad(scaled, (0, 1))
    values = levels(flat.device)
    edges = (values[:-1] + values[1:]) / 2
    codes = torch.bucketize(scaled, edges, out_int32=True).to(torch.uint8).view(-1, 2)  # (P, 2)
    return codes[:, 0].mul(16).add_(codes[:, 1]), greatest


def _rounded(scales: Float[Tensor, "S"]) -> tuple[UInt8[Tensor, "S"], Float[Tensor, "M"]]:
    """Codes of scales without their offset, and the greatest magnitude of each group of 256.

    A scale falls into one of 65,536 steps and gets the code that is nearest to the middle of that step, as in
    bitsandbytes, whose processor code multiplies and adds in one rounding; that is done here in fp64, which is exact.
    """
    padded = functional.pad(scales, (0, -len(scales) % GROUP)).view(-1, GROUP)  # (M, 256)
    groups = padded.abs().amax(1)  # (M,)
    scaled = (padded * (1.0 / groups)[:, None]).clamp_(-1, 1)
    half = (scaled + 1.0).mul_(0.5)
    step = half.double().mul_(BINS - 1).add_(0.5).float().int()
    codes = _nearest(scales.device)[step.clamp_(0, BINS - 1)]
    codes = codes.masked_fill(groups[:, None] == 0, 0)  # there the division has no meaning
    return codes.view(-1)[: len(scales)].contiguous(), groups


def magnitudes(quantized: Quantized) -> Float[Tensor, "S"]:
    """The scale of each block, as it can be known from the codes."""
    scales, groups = quantized.scales, quantized.groups
    if groups is None or quantized.offset is None:
        return scales.float()
    found = dynamic(scales.device).index_select(0, scales.int())  # (S,)
    whole = len(found) // GROUP
    found[: whole * GROUP].view(-1, GROUP).mul_(groups[:whole, None])
    if whole < len(groups):
        found[whole * GROUP :].mul_(groups[-1])
    return found.add_(quantized.offset)


def dequantize(quantized: Quantized, dtype: torch.dtype, out: Tensor | None = None) -> Float[Tensor, "..."]:
    """The weight again: each value times its scale. In fp32, rounded once; in bf16, see above.

    out   contiguous room for it
    """
    if out is None:
        out = torch.empty(quantized.shape, dtype=dtype, device=quantized.packed.device)
    flat, block, packed = out.view(-1), quantized.block, quantized.packed
    whole = len(flat) // block * block
    scales = magnitudes(quantized)
    expand = _expand_fast if dtype == torch.bfloat16 and packed.device.type == "cpu" else _expand
    expand(packed[: whole // 2], scales[: whole // block], flat[:whole].view(-1, block))
    if whole < len(flat):
        table = pairs(packed.device).to(dtype if expand is _expand_fast else torch.float32)
        rest = table[packed[whole // 2 :].long()].view(-1)[: len(flat) - whole]
        flat[whole:] = rest * scales[-1].to(rest.dtype)
    return out


def _expand(packed: UInt8[Tensor, "P"], scales: Float[Tensor, "S"], out: Float[Tensor, "S block"]) -> None:
    """Whole blocks, two values at a time, a stretch after the other: it stays in the cache between the passes."""
    block = out.shape[1]
    table = pairs(packed.device).view(torch.int64).view(-1)  # both values of a byte as one number
    some = max(1, min(STRETCH // block, len(out)))  # blocks
    room = lent("index", some * block // 2, torch.int32, packed.device)
    exact = out.dtype == torch.float32
    values = out if exact else lent("values", some * block, torch.float32, packed.device).view(-1, block)
    for first in range(0, len(out), some):
        last = min(first + some, len(out))
        target = values[first:last] if exact else values[: last - first]
        index = room[: (last - first) * block // 2]
        index.copy_(packed[first * block // 2 : last * block // 2])
        torch.index_select(table, 0, index, out=target.view(torch.int64).view(-1))
        target.mul_(scales[first:last, None])
        if not exact:
            out[first:last].copy_(target)


def _expand_fast(packed: UInt8[Tensor, "P"], scales: Float[Tensor, "S"], out: Float[Tensor, "S block"]) -> None:
    """Whole blocks in bf16, four values at a time."""
    block = out.shape[1]
    table = quadruples(packed.device)
    words, narrow, target = packed.view(torch.uint16), scales.to(out.dtype)[:, None], out.view(-1).view(torch.int64)
    some = max(1, min(FAST_STRETCH // block, len(out)))  # blocks
    room = lent("index", some * block // 4, torch.int32, packed.device)
    for first in range(0, len(out), some):
        last = min(first + some, len(out))
        here = slice(first * block // 4, last * block // 4)
        index = room[: here.stop - here.start]
        index.copy_(words[here])
        torch.index_select(table, 0, index, out=target[here])
        out[first:last].mul_(narrow[first:last])


@cache
def _rooms() -> threading.local:
    return threading.local()


def lent(use: str, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Memory for so many numbers, the same again at the next call of this thread for this use.

    To be given new pages by the system costs as much as to fill them.
    """
    rooms: dict[tuple[str, torch.device], Tensor] = _rooms().__dict__.setdefault("rooms", {})
    size = count * dtype.itemsize
    if (use, device) not in rooms or len(rooms[use, device]) < size:
        rooms[use, device] = torch.empty(size, dtype=torch.uint8, device=device)
    return rooms[use, device][:size].view(dtype)
