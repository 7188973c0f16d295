"""Long short-term memory: one step as a pure function, and stacks of layers on the fused kernel.

    i = sigmoid(W_i x + U_i h + b_i)        input gate: how much of the candidate is written
    f = sigmoid(W_f x + U_f h + b_f)        forget gate: how much of the cell stays (Gers et al. 2000)
    g = tanh   (W_g x + U_g h + b_g)        candidate: what could be written
    o = sigmoid(W_o x + U_o h + b_o)        output gate: how much of the cell is shown
    c' = f * c + i * g                      the cell: a sum, so that gradients survive many steps
    h' = o * tanh(c')                       the hidden state        Hochreiter & Schmidhuber 1997, section 4

No peepholes and no projection. `LSTMStack` calls torch's kernel once for each layer and direction, so that
all hidden states of every layer are known; `gates` rebuilds the gates of all positions with two products,
when someone looks.

    B  sentences    T, S  positions    E  width of the input    W  width of the layer
    Q  4 W, the gates i, f, g, o       W2  W, or 2 W where a layer reads in both directions    N  B x S
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.dropout import Dropout
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.reversal import turned, turning

GATES = 4


@dataclass(frozen=True)
class LSTMSettings:
    """The size and the make of an LSTM encoder-decoder with attention."""

    kind: Literal["lstm"] = "lstm"
    """Which model this is."""
    width: Annotated[int, Range(1)] = 256
    """Size of the hidden state of each layer and direction."""
    embedding_width: Annotated[int, Range(1)] | None = None
    """Size of a token's vector, and of the vector that the head reads, so that both can share a table. None:
    as `width`; 300 is usual for loaded word vectors."""
    layers: Annotated[int, Range(1)] = 2
    """Layers of the encoder, and of the decoder. Plain stacks gain little beyond four (Wu et al. 2016,
    section 3.1)."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.2
    """From layer to layer and before the head, never from step to step (Zaremba et al. 2014). Rounded to the
    nearest 1/256 on CPU."""
    drop_embeddings: bool = True
    """The same dropout on the tokens' vectors; a help where sentences are few."""
    bidirectional: bool = True
    """Read the source in both directions, so that each position knows what follows it."""
    attention: Literal["additive", "multiplicative"] = "multiplicative"
    """How well a source position answers the decoder: by a small network (Bahdanau et al. 2015), or by a
    bilinear form (Luong et al. 2015, "general"), which is one product instead of a tanh for each pair of
    positions."""
    input_feeding: bool = True
    """Tell each step what the last one attended to (Luong et al. 2015, section 3.3). Better, but training
    walks the target token by token instead of calling the fused kernel once."""
    forget_bias: Annotated[float, Range(-10.0, 10.0)] = 1.0
    """Bias of the forget gate at the start; above 0, a fresh cell keeps what it holds (Jozefowicz et al.
    2015)."""
    chrono: Annotated[int, Range(0)] = 0
    """The longest span, in steps, that cells shall bridge from the start (Tallec & Ollivier 2018); 0 is off,
    since attention bridges the span of a sentence."""
    embeddings: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    """Tables of tokens."""

    @property
    def token_width(self) -> int:
        """Size of a token's vector."""
        return self.embedding_width or self.width

    def faults(self) -> Iterator[Fault]:
        """Two ways to set one bias, and a span that is none."""
        if self.chrono == 1:
            yield Fault("--model.chrono 1", "a span of two steps or more, or 0", "--model.chrono 100 or leave it out")
        if self.chrono and self.forget_bias != LSTMSettings.forget_bias:
            yield Fault(
                f"--model.chrono {self.chrono} with --model.forget-bias {self.forget_bias:g}",
                "one of the two, since both set the bias of the forget gate",
                "--model.chrono 0 or leave forget-bias out",
            )


@dataclass(frozen=True)
class LSTMState:
    """What one layer knows after a step."""

    hidden: Float[Tensor, "B W"]
    cell: Float[Tensor, "B W"]

    @classmethod
    def zeros(cls, like: Tensor, width: int) -> "LSTMState":
        """Before the first step, one row for each row of `like`."""
        zero = like.new_zeros(len(like), width)
        return cls(zero, zero)

    def take(self, rows: Int[Tensor, "B2"]) -> "LSTMState":
        """Row r of the result is row rows[r] of this."""
        return LSTMState(self.hidden.index_select(0, rows), self.cell.index_select(0, rows))


@dataclass(frozen=True)
class LSTMWeights:
    """The weights of one layer, gates in the order i, f, g, o as torch keeps them."""

    input: Float[Tensor, "Q E"]
    recurrent: Float[Tensor, "Q W"]
    bias: Float[Tensor, "*#B Q"]
    """One for all rows; or one for each, where a part of the input was multiplied beforehand."""

    @classmethod
    def of(cls, layer: nn.LSTM) -> "LSTMWeights":
        """Of the first layer of a torch module, whose two biases are added. Gradients reach the module."""
        w, u, b, b_recurrent = layer.all_weights[0]
        return cls(w, u, b + b_recurrent)


@dataclass(frozen=True)
class Gates:
    """The four gates of a step, or of many."""

    input: Float[Tensor, "*B W"]
    forget: Float[Tensor, "*B W"]
    candidate: Float[Tensor, "*B W"]
    output: Float[Tensor, "*B W"]

    @classmethod
    def squash(cls, sums: Float[Tensor, "*B Q"]) -> "Gates":
        """Weighted sums -> gates."""
        i, f, g, o = sums.chunk(GATES, -1)  # (*B, W) each
        return cls(i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid())


def lstm_step(x: Float[Tensor, "B E"], state: LSTMState, weights: LSTMWeights) -> tuple[Gates, LSTMState]:
    """One step of one layer; formulae at the head of this file.

    As fast as `nn.LSTMCell`, forward and backward. Tried and dropped for gains below 5 %: input and hidden
    state in one product; the pointwise part as an autograd function in place.
    """
    sums = torch.addmm(weights.bias, x, weights.input.t())  # (B, Q)
    now = Gates.squash(torch.addmm(sums, state.hidden, weights.recurrent.t()))
    cell = now.forget * state.cell + now.input * now.candidate
    return now, LSTMState(now.output * cell.tanh(), cell)


def gates(
    inputs: Float[Tensor, "B T E"], hidden: Float[Tensor, "B T W"], start: LSTMState, weights: LSTMWeights
) -> tuple[Gates, Float[Tensor, "B T W"]]:
    """Gates and cells of a layer at all positions, rebuilt from what went in and what came out.

    Exact, and no second run: with every h known, the sums of all positions are two products; only the cell,
    c' = f c + i g, goes step by step.

    inputs   what the layer read       start     its state before the first position
    hidden   what it answered          weights   its weights
    """
    before = torch.cat((start.hidden[:, None], hidden[:, :-1]), 1)  # (B, T, W)
    sums = functional.linear(inputs, weights.input, weights.bias)  # (B, T, Q)
    found = Gates.squash(sums + functional.linear(before, weights.recurrent))
    cell, cells = start.cell, []
    for forget, written in zip(found.forget.unbind(1), (found.input * found.candidate).unbind(1), strict=True):
        cell = forget * cell + written
        cells.append(cell)
    return found, torch.stack(cells, 1)


class LSTMLayer(nn.Module):
    """One layer, in one direction or in both: a fused kernel for each."""

    def __init__(self, inputs: int, width: int, bidirectional: bool) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, width, batch_first=True)
        self.backwards = nn.LSTM(inputs, width, batch_first=True) if bidirectional else None

    def forward(
        self, x: Float[Tensor, "B S E"], order: Int[Tensor, "N"] | None, start: LSTMState | None
    ) -> tuple[Float[Tensor, "B S W2"], Float[Tensor, "B W"]]:
        """Outputs, both directions side by side, and the forward direction's cell after the last position."""
        before = None if start is None else (start.hidden[None], start.cell[None])
        outputs, (_, cell) = self.forwards(x, before)
        if self.backwards is not None and order is not None:
            back, _ = self.backwards(turned(x, order))
            outputs = torch.cat((outputs, turned(back, order)), -1)  # (B, S, 2 W)
        return outputs, cell[0]


@dataclass(frozen=True)
class StackOutput:
    """What a stack answers; where it reads in both directions, forward first and then backward."""

    outputs: Float[Tensor, "B S W2"]
    """Of the top layer. At padded positions it holds numbers that mean nothing."""
    hidden: tuple[Float[Tensor, "B W2"], ...]
    """Of each layer, after all that it read: forwards at the last real position, backwards at the first."""
    cells: tuple[Float[Tensor, "B W"], ...]
    """Of each layer's forward direction after the last position, padding included: right where no row is
    padded, and all that the kernel tells. `LSTMStack.gates` has the cells of every position."""


class LSTMStack(nn.Module):
    """Layers above each other, with dropout between them.

    Padding costs time but never changes a result, and without torch's packed sequences, which shut out the
    fastest kernels: forwards, padding comes last and nothing looks that far; backwards, rows are turned by
    their length.
    """

    def __init__(self, inputs: int, width: int, layers: int, dropout: float = 0.0, bidirectional: bool = False) -> None:
        super().__init__()
        self.width = width
        self.bidirectional = bidirectional
        outputs = 2 * width if bidirectional else width
        self.layers = nn.ModuleList(LSTMLayer(outputs if i else inputs, width, bidirectional) for i in range(layers))
        self.dropout = Dropout(dropout)

    def __iter__(self) -> Iterator[LSTMLayer]:
        """The layers, lowest first."""
        return iter(cast("list[LSTMLayer]", self.layers))

    def _order(self, x: Float[Tensor, "B S E"], lengths: Int[Tensor, "B"] | None) -> Int[Tensor, "N"] | None:
        if not self.bidirectional:
            return None
        everything = torch.full((len(x),), x.shape[1], device=x.device)
        return turning(everything if lengths is None else lengths, x.shape[1])

    def forward(
        self,
        x: Float[Tensor, "B S E"],
        lengths: Int[Tensor, "B"] | None = None,
        start: tuple[LSTMState, ...] = (),
    ) -> StackOutput:
        """All positions at once.

        lengths   real positions of each row, which stand first; None: all are
        start     states of the forward direction of each layer; empty: zero
        """
        order = self._order(x, lengths)
        rows = torch.arange(len(x), device=x.device)
        last = x.shape[1] - 1 if lengths is None else lengths - 1
        hidden, cells = [], []
        for i, layer in enumerate(self):
            x, cell = layer(self.dropout(x) if i else x, order, start[i] if start else None)
            forwards, backwards = x[rows, last, : self.width], x[:, 0, self.width :]  # (B, W) each, or (B, 0)
            hidden.append(torch.cat((forwards, backwards), 1))
            cells.append(cell)
        return StackOutput(x, tuple(hidden), tuple(cells))

    def gates(
        self,
        x: Float[Tensor, "B S E"],
        lengths: Int[Tensor, "B"] | None,
        layer: int,
        backward: bool = False,
        start: tuple[LSTMState, ...] = (),
    ) -> tuple[Gates, Float[Tensor, "B S W"]]:
        """Gates and cells of one layer and direction at each position, in the order of the text."""
        order = self._order(x, lengths)
        for i, part in enumerate(self):
            outputs, _ = part(x, order, start[i] if start else None)
            if i == layer:
                break
            x = outputs
        kernel = part.backwards if backward else part.forwards
        if kernel is None:
            raise ValueError("this stack reads forwards only")
        if not backward or order is None:
            before = start[layer] if start else LSTMState.zeros(x[:, 0], self.width)
            return gates(x, outputs[..., : self.width], before, LSTMWeights.of(kernel))
        back, zero = turned(outputs[..., self.width :], order), LSTMState.zeros(x[:, 0], self.width)
        found, cells = gates(turned(x, order), back, zero, LSTMWeights.of(kernel))
        parts = (found.input, found.forget, found.candidate, found.output)
        return Gates(*(turned(g, order) for g in parts)), turned(cells, order)


def initialise(model: nn.Module, forget_bias: float = 1.0, chrono: int = 0) -> None:
    """All weights of a recurrent model but its tables and its head, drawn here and nowhere else.

    recurrent weights     orthogonal, gate by gate: a product of many keeps its size (Saxe et al. 2014)
    input weights         uniform, Xavier (Glorot & Bengio 2010), gate by gate
    biases of the gates   0, but for the forget gate, whose two biases add up to `forget_bias`
    with chrono = T > 0   forget gate log U(1, T - 1), input gate the negative of it: cells forget at rates
                          from 1 / 2 to 1 / T (Tallec & Ollivier 2018, section 2)
    linear weights        uniform, Xavier; their biases 0
    """
    for part in model.modules():
        if isinstance(part, nn.LSTM):
            _initialise_gates(part, forget_bias, chrono)
        elif isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@torch.no_grad()
def _initialise_gates(layer: nn.LSTM, forget_bias: float, chrono: int) -> None:
    inputs, recurrent, bias, recurrent_bias = layer.all_weights[0]
    for w, u in zip(inputs.chunk(GATES), recurrent.chunk(GATES), strict=True):
        nn.init.xavier_uniform_(w)
        nn.init.orthogonal_(u)
    bias.zero_()
    recurrent_bias.zero_()
    i, f, _, _ = bias.chunk(GATES)
    f.fill_(forget_bias)
    if chrono:
        f.uniform_(1, chrono - 1).log_()
        i.copy_(-f)
