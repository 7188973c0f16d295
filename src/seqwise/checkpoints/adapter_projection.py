"""Pairs on the last projection, which PEFT adapts where `lm_head` is among its targets.

Ours may share its weight with the table of the tokens, and holds no pairs. So weight and product are added up, once,
and the sum is taken for a projection that was trained whole, of this adapter alone:

    W + s B A        Hu et al. 2021, section 4.1; s as the config has it

The file of such an adapter also holds W (`lm_head.base_layer.weight`), and that counts. Left out are lengths of rows
(DoRA), and pairs that do not fit: whoever reads the file refuses those, as pairs on no product of a layer.
"""

import math
from collections.abc import Mapping, MutableMapping

import torch
from torch import Tensor, nn

from seqwise.checkpoints.adapter_config import Described
from seqwise.checkpoints.names import Piece
from seqwise.models.heads import NextToken
from seqwise.models.lora import Part


def summed(
    told: Described,
    pairs: MutableMapping[str, dict[str, Tensor]],
    bases: MutableMapping[str, Tensor],
    where: Mapping[str, tuple[str, Part]],
    table: Mapping[str, tuple[Piece, ...]],
    model: nn.Module,
) -> dict[str, Tensor]:
    """The weights of projections on which there are pairs, by their names; pairs and bases of these are taken away.

    bases   weights that pairs were trained beside, where the file has them
    """
    found: dict[str, Tensor] = {}
    for name in [name for name in pairs if name in where]:
        ours, _ = where[name]
        module, pair = model.get_submodule(ours), pairs[name]
        if not isinstance(module, NextToken) or pair.keys() != {"lora_A", "lora_B"}:
            continue
        weight, rank = bases.get(name, module.weight.detach()), told.rank(name)
        shapes = tuple(pair["lora_A"].shape), tuple(pair["lora_B"].shape)
        if weight.shape != module.weight.shape or shapes != ((rank, weight.shape[1]), (weight.shape[0], rank)):
            continue
        scale = told.alpha(name) / (math.sqrt(rank) if told.settings.rslora else rank)
        with torch.no_grad():
            for parameter, (piece, *_) in table.items():
                if parameter.rpartition(".")[0] == ours:  # a bias, which no pair changes
                    found[piece.written[0]] = piece.of(model.get_parameter(parameter))
            product = pair["lora_B"].float() @ pair["lora_A"].float()  # (V, W)
            found[f"{name}.weight"] = product.mul_(scale).add_(weight).to(module.weight)
        del pairs[name]
        bases.pop(name, None)
    return found
