"""Attention as recurrent networks use it: how well each source position answers the decoder, and the average.

    additive    v . tanh(W_q q + W_k m)    a small network    Bahdanau et al. 2015, appendix A.1.2
    dot         q . m                      nothing learned    Luong et al. 2015, section 3.1
    general     q . (W m)                  a bilinear form    Luong et al. 2015, section 3.1

No scale and no heads: those came with the Transformer and stand in `attention.py`. As there, weights serve
the average and are dropped; `AttentionalLayer.weights` makes them again for whoever wants to see them.

    B  sentences           T  questions: target positions or beams    S  source positions
    Q  width of a question                   M  width of the memory    E  width of the answer
    A  width in which question and memory are compared
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

CHUNK = 2**20  # numbers of (B, T, S, A) that exist at a time: made and used before they leave the cache


class _AdditiveScores(torch.autograd.Function):
    """tanh of every pair of positions, some questions at a time; backward makes it again and keeps none."""

    @staticmethod
    def forward(ctx: FunctionCtx, query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, vector)
        return torch.cat([_compared(q, keys) @ vector for q in _portions(query, keys)], 1)  # (B, T, S)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, vector = ctx.saved_tensors  # type: ignore[attr-defined]
        d_query = []
        d_keys = torch.zeros_like(keys, dtype=_sums(keys))  # (B, S, A)
        d_vector = torch.zeros_like(vector, dtype=_sums(vector))  # (A,)
        portions = _portions(query, keys)
        parts = torch.split(gradients[0], [q.shape[1] for q in portions], 1)
        for q, d_scores in zip(portions, parts, strict=True):
            compared = _compared(q, keys)  # (B, T', S, A)
            d_vector += torch.mm(d_scores.reshape(1, -1), compared.flatten(0, 2))[0]
            # d tanh = 1 - tanh^2
            slope = compared.square_().neg_().add_(1).mul_(vector).mul_(d_scores[..., None])
            d_query.append(slope.sum(2))
            d_keys += slope.sum(1)
        return torch.cat(d_query, 1), d_keys.to(keys.dtype), d_vector.to(vector.dtype)


def _sums(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _compared(query: Float[Tensor, "B T A"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S A"]:
    return (query[:, :, None] + keys[:, None]).tanh_()


def _portions(query: Float[Tensor, "B T A"], keys: Float[Tensor, "B S A"]) -> tuple[Tensor, ...]:
    return torch.split(query, max(1, CHUNK // max(1, keys.numel())), 1)


def additive(
    query: Float[Tensor, "B T A"], keys: Float[Tensor, "B S A"], vector: Float[Tensor, "A"]
) -> Float[Tensor, "B T S"]:
    """Scores v . tanh(q + k), of a question and a memory that are already projected."""
    scores: Tensor = _AdditiveScores.apply(query, keys, vector)  # type: ignore[no-untyped-call]
    return scores


def dot(query: Float[Tensor, "B T A"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
    """Scores q . k."""
    return torch.bmm(query, keys.transpose(1, 2))


def general(
    query: Float[Tensor, "B T A"], memory: Float[Tensor, "B S M"], matrix: Float[Tensor, "A M"]
) -> Float[Tensor, "B T S"]:
    """Scores q . (W m). The product with W is the memory's, so that it can be done once for all questions."""
    return dot(query, functional.linear(memory, matrix))


def beyond(lengths: Int[Tensor, "B"], longest: int) -> Bool[Tensor, "B S"]:
    """True at the padding of each row."""
    return torch.arange(longest, device=lengths.device) >= lengths[:, None]


def align(scores: Float[Tensor, "B T S"], padding: Bool[Tensor, "B S"] | None = None) -> Float[Tensor, "B T S"]:
    """Scores -> weights that add up to 1 over the source, always in fp32. Padding gets 0."""
    if padding is not None:
        scores = scores.masked_fill(padding[:, None], float("-inf"))
    return scores.softmax(-1, dtype=torch.float32)


def average(weights: Float[Tensor, "B T S"], values: Float[Tensor, "B S E"]) -> Float[Tensor, "B T E"]:
    """The context: values weighted by how well they answer."""
    return torch.bmm(weights.to(values.dtype), values)


class AdditiveAlignment(nn.Module):
    """Bahdanau's, with the memory's half of the network computed once for a sentence."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, query)
        self.keys = nn.Linear(memory, query, bias=False)
        self.vector = nn.Linear(query, 1, bias=False)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """Of questions and what `keys` made of the memory."""
        return additive(self.query(query), keys, self.vector.weight[0])


class MultiplicativeAlignment(nn.Module):
    """Luong's "general", with the product of memory and matrix computed once for a sentence."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.keys = nn.Linear(memory, query, bias=False)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B T S"]:
        """Of questions and what `keys` made of the memory."""
        return dot(query, keys)


class AttentionalLayer(nn.Module):
    """Hidden state h and context c become the vector that predicts: tanh(W_c c + W_h h). Luong et al., eq. 5.

    W_c is applied to the memory, once, instead of to every context: the average of products is the product of
    the average.
    """

    def __init__(self, kind: Literal["additive", "multiplicative"], query: int, memory: int, answer: int) -> None:
        super().__init__()
        make = AdditiveAlignment if kind == "additive" else MultiplicativeAlignment
        self.alignment = make(query, memory)
        self.values = nn.Linear(memory, answer, bias=False)
        self.hidden = nn.Linear(query, answer, bias=False)

    def remember(self, memory: Float[Tensor, "B S M"]) -> tuple[Float[Tensor, "B S A"], Float[Tensor, "B S E"]]:
        """Keys and values of a memory, once for a sentence."""
        return self.alignment.keys(memory), self.values(memory)

    def weights(
        self,
        hidden: Float[Tensor, "B T Q"],
        keys: Float[Tensor, "B S A"],
        padding: Bool[Tensor, "B S"] | None,
    ) -> Float[Tensor, "B T S"]:
        """How much of each source position a question receives."""
        return align(self.alignment.scores(hidden, keys), padding)

    def forward(
        self,
        hidden: Float[Tensor, "B T Q"],
        keys: Float[Tensor, "B S A"],
        values: Float[Tensor, "B S E"],
        padding: Bool[Tensor, "B S"] | None,
    ) -> Float[Tensor, "B T E"]:
        """The attentional vector of each question."""
        context = average(self.weights(hidden, keys, padding), values)  # (B, T, E)
        return torch.tanh(context + self.hidden(hidden))
