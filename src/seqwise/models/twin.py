"""A copy of a model that guesses what it will write: int8 products of the same weights, and all else shared with it.

Its keys and values differ from those of the model by what the rounding of weights costs, so it may write into the
model's own cache (`cache.DecoderState`), and needs neither a cache nor a reading of the prompt of its own: what it has
written there, the model writes over as it checks the guesses (`decoding.drafting`).
"""

import copy
from typing import cast

import torch
from torch import nn

from seqwise.errors import ConfigError
from seqwise.models.compact import Product, compact, compacts
from seqwise.models.decoder import Decoder
from seqwise.models.lora import Adapters
from seqwise.models.nf4 import NF4Linear


@torch.no_grad()
def twin(model: Decoder) -> Decoder:
    """The copy, at a byte for each weight of a product; the model stays as it is.

    Refused where it would guess no faster than the model writes, and for weights that adapters change: they may be
    changed again.
    """
    _must_pay(model)
    made = compact(_shell(model, {}), "int8")
    for part in list(made.modules()):
        for name, child in part.named_children():
            if isinstance(child, Product) and child.kind == "fp16":  # as bf16 is kept where nothing multiplies it
                setattr(
                    part, name, Product(child.unpacked(), child.get_buffer("bias") if child.biased else None, "int8")
                )
    return cast(Decoder, made)


def rounds_alike(model: Decoder) -> bool:
    """Whether a row of a product is the same to the rounding of its numbers, however many rows there are: not in int8,
    where rows share a scale. Elsewhere than on a processor nobody has looked."""
    if next(model.parameters()).device.type != "cpu":
        return False
    return not any(isinstance(part, Product) and part.kind == "int8" for part in model.modules())


def _must_pay(model: Decoder) -> None:
    if not compacts(next(model.parameters()).device):
        raise ConfigError("drafts by int8 here", "an x86 processor, whose int8 products are fast", "--draft lookup")
    for part in model.modules():
        if isinstance(part, Product) and part.kind == "int8":
            raise ConfigError(
                "drafts by int8 of int8 weights", "weights of more bytes", "--precision bf16, or --draft none"
            )
        if isinstance(part, NF4Linear):
            raise ConfigError("drafts by int8 of weights of four bits", "weights of more bytes", "--draft lookup")
        if isinstance(part, Adapters):
            raise ConfigError("drafts by int8 of a model with adapters", "a merged model", "--draft lookup")


def _shell(part: nn.Module, made: dict[nn.Module, nn.Module]) -> nn.Module:
    """The same modules anew, around the same weights."""
    if part not in made:
        made[part] = shell = copy.copy(part)
        shell._parameters, shell._buffers = dict(part._parameters), dict(part._buffers)
        shell._modules = {name: None if child is None else _shell(child, made) for name, child in part._modules.items()}
    return made[part]
