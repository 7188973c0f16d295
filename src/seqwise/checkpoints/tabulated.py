"""The same model with tables for what it works out, as the hub's decoders and encoders have them.

    sinusoidal positions        a table of learned ones, as long as the model was trained on
    embeddings times sqrt(W)    a table of larger vectors; its transpose no longer serves as the head
    no segments                 of an encoder: a single one, of zeros

GPT-2 and BERT know nothing else. Nothing that the model computes changes but rounding. What other families have words
for stays as it is; encoder-decoders are left out, whose families have all of it.
"""

from dataclasses import replace

import torch

from seqwise.models.assemble import build_pretrained
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.positions import PositionSettings


def tabulated(model: Encoder | Decoder, longest: int) -> Encoder | Decoder:
    """A model with tables, or the same where it needs none.

    longest   positions that are written down
    """
    settings, encodes = model.settings, isinstance(model, Encoder)
    stack, name = (model.encoder, "encoder") if isinstance(model, Encoder) else (model.decoder, "decoder")
    waves, scaled = settings.positions.kind == "sinusoidal", settings.embeddings.scaled
    single = encodes and not settings.segments
    if not (waves or scaled or single):
        return model
    changed = replace(settings, segments=1) if single else settings
    if waves:
        changed = replace(changed, positions=PositionSettings("learned", longest=longest))
    if scaled:
        changed = replace(changed, embeddings=replace(settings.embeddings, tied="none", scaled=False))
    weights = {key: weight.detach() for key, weight in model.state_dict().items()}
    table = weights[f"{name}.embed.weight"]
    made = build_pretrained(changed, None if model.head is None else model.head.settings, len(table))
    with torch.no_grad():
        if scaled:
            weights[f"{name}.embed.weight"] = table * settings.width**0.5
        if waves:
            rows = stack.positions(table.new_zeros(1, longest, settings.width))[0]  # (longest, W)
            weights[f"{name}.positions.table.weight"] = rows
        if single:
            weights[f"{name}.segments.weight"] = table.new_zeros(1, settings.width)
        made.load_state_dict(weights)
    if not isinstance(made, Encoder | Decoder):
        raise TypeError(f"{type(made).__name__} made of {type(model).__name__}")
    return made.to(table.dtype).eval()
