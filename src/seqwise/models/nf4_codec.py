"""Weights in four bits: NormalFloat, blocks of 64, and scales that are quantized once more.

Dettmers et al. 2023 (QLoRA), sections 2 and 3. Sixteen values stand where a normal distribution has equal shares; a
block of 64 weights is divided by its greatest magnitude and each weight becomes the nearest of them. The magnitudes
less their mean are kept in eight bits, in groups of 256: 4.127 bits a weight. Bytes are the ones that bitsandbytes
writes, to the last bit, so that both open each other's files.

    quantize(weight) -> Quantized          dequantize(quantized, dtype) -> weight

Weights come back by a table of pairs: a byte is an index and eight bytes come out. Tried and lost: quadruples in bf16,
one look for four weights, which round three times instead of once and whose table of half a megabyte pushes out what
the product needs; scaling by batch_norm or by products with diagonal matrices.

Letters of the shapes: N weights, P bytes, S blocks, M groups of blocks.
"""

import threading
from dataclasses import dataclass
from functools import cache
from math import prod

import torch
from jaxtyping import Float, Int32, UInt8
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
STRETCH = 1 << 17  # weights that a thread works on at a time
ROWS = 16  # that threads share; divides the bytes of every block
TINY = 1e-38  # instead of the greatest magnitude of a block of zeros
STEPS = 64  # by which values are found; no two edges lie in one
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


@cache
def _steps(device: torch.device) -> tuple[UInt8[Tensor, "64"], Float[Tensor, "64"]]:
    """Of each of 64 equal steps from -1 to 1: edges between values that lie below it, and the one edge within it."""
    values = levels(device)
    edges = (values[:-1] + values[1:]) / 2  # (15,)
    where = _step(edges)
    below = (where[:, None] < torch.arange(STEPS, device=device)).sum(0).to(torch.uint8)
    within = torch.full((STEPS,), 2.0, device=device)
    within[where.long()] = edges
    return below, within


def _step(scaled: Float[Tensor, "N"]) -> Int32[Tensor, "N"]:
    """Numbers from -1 to 1 as steps; never falls where they rise."""
    return scaled.add(1.0).mul_((STEPS - 1) / 2).int().clamp_(0, STEPS - 1)


@torch.no_grad()
def quantize(weight: Float[Tensor, "..."]) -> Quantized:
    """Any shape; row after row. Works in fp32 on a stretch at a time."""
    flat = weight.detach().reshape(-1)
    packed, found = [], []
    for first in range(0, max(1, len(flat)), 2 * STRETCH):
        codes, some = _coded(flat[first : first + 2 * STRETCH].float())
        packed.append(codes)
        found.append(some)
    greatest = torch.cat(found)
    offset = greatest.mean()
    scales, groups = _rounded(greatest - offset)
    return Quantized(torch.cat(packed), scales, groups, offset, tuple(weight.shape))


def _coded(flat: Float[Tensor, "N"]) -> tuple[UInt8[Tensor, "P"], Float[Tensor, "S"]]:
    """Two codes a byte, and the greatest magnitude of each block.

    The nearest value is found by a step and one comparison, exactly, and several times as fast as by torch's bucketize.
    """
    whole = len(flat) // BLOCK * BLOCK
    blocks = flat[:whole].view(-1, BLOCK)  # (S, 64)
    greatest = blocks.abs().amax(1)  # (S,)
    scaled = (blocks * (1.0 / greatest.clamp_min(TINY))[:, None]).clamp_(-1, 1).view(-1)
    if whole < len(flat):  # bitsandbytes divides here, and lets no magnitude be 0
        rest = flat[whole:]
        most = rest.abs().max().clamp_min(TINY)
        greatest = torch.cat([greatest, most[None]])
        scaled = torch.cat([scaled, (rest / most).clamp_(-1, 1)])
    if len(scaled) % 2:
        scaled = functional.pad(scaled, (0, 1))
    below, within = _steps(flat.device)
    step = _step(scaled)
    codes = below.index_select(0, step).add_(scaled > within.index_select(0, step)).view(-1, 2)  # (P, 2)
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
    """The weight again: each value times its scale, in fp32, rounded once.

    out   contiguous room for it
    """
    if out is None:
        out = torch.empty(quantized.shape, dtype=dtype, device=quantized.packed.device)
    flat, block, packed = out.view(-1), quantized.block, quantized.packed
    whole = len(flat) // block * block
    scales = magnitudes(quantized)
    if whole:
        _expand(packed[: whole // 2], scales[: whole // block], flat[:whole].view(-1, block))
    if whole < len(flat):
        rest = pairs(packed.device)[packed[whole // 2 :].long()].view(-1)[: len(flat) - whole]
        flat[whole:] = rest * scales[-1]
    return out


def _expand(packed: UInt8[Tensor, "P"], scales: Float[Tensor, "S"], out: Float[Tensor, "S block"]) -> None:
    """Whole blocks, a stretch after the other: it stays in the cache between the passes."""
    block, device = out.shape[1], packed.device
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    some = min(STRETCH * threads // block, len(out))  # blocks
    table = pairs(device).view(torch.int64).view(-1)  # both values of a byte as one number
    exact = out.dtype == torch.float32
    index = lent("index", some * block // 2, torch.int32 if threads == 1 else torch.int64, device)
    values = out if exact else lent("values", some * block, torch.float32, device).view(-1, block)
    parts = torch.split(packed, some * block // 2), torch.split(scales[:, None], some), torch.split(out, some)
    for bytes_, scale, target in zip(*parts, strict=True):
        index = index[: len(bytes_)].copy_(bytes_)
        values = target if exact else values[: len(target)]
        found = values.view(torch.int64)  # (S, block / 2)
        if threads == 1:
            torch.index_select(table, 0, index, out=found.view(-1))
        else:  # the other has one thread only
            torch.gather(table.expand(ROWS, -1), 1, index.view(ROWS, -1), out=found.view(ROWS, -1))
        values.mul_(scale)
        if not exact:
            target.copy_(values)


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
        with torch.inference_mode(False):  # or it could not be written to outside of that mode
            rooms[use, device] = torch.empty(size, dtype=torch.uint8, device=device)
    return rooms[use, device][:size].view(dtype)
