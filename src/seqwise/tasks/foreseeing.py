"""How surprised a decoder is by texts: the sum of -log p of their tokens, each foreseen from those before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from seqwise.decoding.reading import batches
from seqwise.errors import ConfigError
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.tasks.pretrained import Opened

ROWS = 512  # positions whose logits exist at a time


@dataclass(frozen=True)
class Surprise:
    """Of each text."""

    nats: list[float]
    tokens: list[int]
    """Foreseen in each: all but the first, where nothing stands before it."""
    given: list[int]
    """Bytes of each that were given and not foreseen: those of its first token, where no start token stands before."""
    pieces: int
    """Texts that were longer than the model reads were cut into so many pieces more, each read by itself."""


@torch.inference_mode()
def surprise(opened: Opened, texts: Sequence[str]) -> Surprise:
    """Read all texts, those of like length together."""
    model = opened.model
    if not isinstance(model, Decoder) or not isinstance(model.head, NextToken):
        raise ConfigError(f"perplexity by {opened.checkpoint.architecture}", "a model that writes", "a decoder")
    rows, owners = [], []
    for i, framed in enumerate(opened.words.source.framed(texts)):
        for first in range(0, max(1, len(framed.ids)), opened.longest):
            rows.append(framed.ids[first : first + opened.longest])
            owners.append(i)
    nats, tokens, given = [0.0] * len(texts), [0] * len(texts), [0] * len(texts)
    for owner, row in zip(owners, rows, strict=True):
        given[owner] += sum(map(opened.words.source.size_of, row[:1]))
    for chosen in batches([len(row) for row in rows]):
        longest = max(len(rows[i]) for i in chosen)
        inputs = torch.zeros(len(chosen), longest, dtype=torch.int64)
        for place, i in enumerate(chosen):
            inputs[place, : len(rows[i])] = torch.tensor(rows[i])
        inputs = inputs.to(opened.device)
        hidden = model.hidden(inputs)  # (B, T, W)
        for place, i in enumerate(chosen):
            length = len(rows[i])
            targets = inputs[place, 1:length]
            for start in range(0, length - 1, ROWS):
                logits = model.head(hidden[place, start : min(start + ROWS, length - 1)]).float()
                nats[owners[i]] += float(
                    functional.cross_entropy(logits, targets[start : start + ROWS], reduction="sum")
                )
            tokens[owners[i]] += max(0, length - 1)
    return Surprise(nats, tokens, given, len(rows) - len(texts))
