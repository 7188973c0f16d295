"""Token by token: what the model might have written at each step, and how likely each was."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seqwise.models.assemble import Translator


@dataclass(frozen=True)
class Choice:
    """A token and its probability at one step."""

    token: int
    probability: float


@dataclass(frozen=True)
class Step:
    """One step of decoding."""

    chosen: Choice
    likeliest: tuple[Choice, ...]
    """The likeliest tokens, in order; the chosen one is not always among them, since a beam looks ahead."""


@torch.inference_mode()
def steps(model: Translator, source: Sequence[int], output: Sequence[int], start: int, shown: int = 3) -> list[Step]:
    """Walk along an output and look at each choice.

    source   ids with the end token
    output   ids with the end token
    """
    inputs, lengths = torch.tensor([list(source)]), torch.tensor([len(source)])
    shifted = torch.tensor([[start, *output[:-1]]])
    probabilities = model(inputs, lengths, shifted)[0].float().softmax(-1)  # (T, V)
    values, tokens = probabilities.topk(shown, -1)
    found = []
    for t, token in enumerate(output):
        pairs = zip(tokens[t].tolist(), values[t].tolist(), strict=True)
        chosen = Choice(token, float(probabilities[t, token]))
        found.append(Step(chosen, tuple(Choice(*pair) for pair in pairs)))
    return found
