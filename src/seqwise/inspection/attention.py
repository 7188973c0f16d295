"""Which source words each output token attended to: the weights of encoder-decoder attention, recomputed and read.

Attention weights tell where a layer read, not what decided: Jain & Wallace 2019, Wiegreffe & Pinter 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.errors import ConfigError
from seqwise.inspection.trace import attentions, trace, weights
from seqwise.models.assemble import Translator
from seqwise.models.transformer import Transformer


@dataclass(frozen=True)
class Row:
    """One output token."""

    token: str
    weights: tuple[float, ...]
    """What it gave to each source word; they add up to 1."""


@dataclass(frozen=True)
class Attended:
    """An output and where it looked."""

    words: tuple[str, ...]
    """The source, in words; the last is the end token."""
    rows: tuple[Row, ...]
    layer: str
    """Which weights these are."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        rows = [{"token": row.token, "weights": list(row.weights)} for row in self.rows]
        return {"words": list(self.words), "rows": rows, "layer": self.layer}


def cross_attention(
    model: Translator,
    source: Sequence[int],
    output: Sequence[int],
    layer: int | None = None,
    head: int | None = None,
) -> Float[Tensor, "T S"]:
    """Weights of each output token over the source tokens.

    source   ids with the end token
    output   ids with the start token first; row t belongs to the token that was written after output[t]
    layer    from 0; None averages all
    head     from 0; None averages all. The LSTM has one layer of attention and one head.
    """
    inputs, lengths = torch.tensor([list(source)]), torch.tensor([len(source)])
    shifted = torch.tensor([list(output)])
    with torch.inference_mode():
        if not isinstance(model, Transformer):
            within(layer, 1, "--layer")
            within(head, 1, "--head")
            return model.weights(inputs, lengths, shifted)[0].float()
        parts = {name: part for name, part in attentions(model).items() if name.endswith(".cross")}
        within(layer, len(parts), "--layer")
        within(head, model.settings.heads, "--head")
        with trace(parts) as heard:
            model.hidden(inputs, lengths, shifted)
        found = torch.stack([weights(calls[0])[0] for calls in heard.calls.values()])  # (layers, H, T, S)
    chosen = found if layer is None else found[layer : layer + 1]
    chosen = chosen if head is None else chosen[:, head : head + 1]
    return chosen.mean((0, 1))


def within(number: int | None, count: int, flag: str) -> None:
    """Refuse a layer or a head that is not there."""
    if number is not None and not 0 <= number < count:
        raise ConfigError(f"{flag} {number}", f"0 to {count - 1}", f"{flag} {count - 1}")


def by_word(found: Float[Tensor, "T S"], groups: Sequence[int], count: int) -> Float[Tensor, "T words"]:
    """Sum over the tokens of each word. groups[s] is the word that source token s belongs to."""
    sums = found.new_zeros(len(found), count)
    return sums.index_add(1, torch.tensor(groups), found)
