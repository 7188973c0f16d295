"""The LSTM encoder-decoder with attention. Bahdanau et al. 2015, Luong et al. 2015.

A stack reads the source, in both directions; another writes the target, and at each token asks all source
positions. The decoder is Luong's: attention stands above the stack, whatever the kind of alignment, so that
without input feeding the whole target goes through the fused kernel at once. With input feeding, the vector
that predicted the last token is part of the next input, and only what depends on it stays in the loop over
time.

    B  sentences    S  source positions    T  target positions    K  beams    R  rows: B x K    V  vocabulary
    E  width of a token's vector, and of the vector that the head reads       A  width of the keys
    W  width of a layer                     W2  W, or 2 W where the source is read in both directions
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.models.alignment import AttentionalLayer, beyond
from seqwise.models.dropout import Dropout
from seqwise.models.heads import Labels
from seqwise.models.lstm import LSTMSettings, LSTMStack, LSTMState, LSTMWeights, initialise, lstm_step

Gathering = Literal["last", "mean", "max"]
"""How the vectors of all tokens become one of the text."""


@dataclass(frozen=True)
class Memory:
    """What the encoder hands to the decoder, projected once: a row for a sentence, however many beams ask."""

    keys: Float[Tensor, "B S A"]
    values: Float[Tensor, "B S E"]
    padding: Bool[Tensor, "B S"] | None
    """True where a row has ended; None where no row is shorter than the others."""
    start: tuple[LSTMState, ...]
    """Of each decoder layer, before the first token."""

    def take(self, sentences: Int[Tensor, "B2"]) -> "Memory":
        """Only these sentences."""
        return Memory(
            self.keys.index_select(0, sentences),
            self.values.index_select(0, sentences),
            None if self.padding is None else self.padding.index_select(0, sentences),
            tuple(state.take(sentences) for state in self.start),
        )


@dataclass(frozen=True)
class RecurrentState:
    """Between two tokens. A value: a step makes a new one and leaves the old one usable."""

    layers: tuple[LSTMState, ...]
    """Of each layer, a row for a beam."""
    fed: Float[Tensor, "R E"] | None
    """The vector that predicted the last token; None without input feeding."""
    memory: Memory
    weights: tuple[LSTMWeights, ...]
    """The decoder's, with their biases added once and not at every step."""
    beams: int

    def _take(self, rows: Int[Tensor, "R2"], memory: Memory) -> "RecurrentState":
        layers = tuple(state.take(rows) for state in self.layers)
        fed = None if self.fed is None else self.fed.index_select(0, rows)
        return replace(self, layers=layers, fed=fed, memory=memory)

    def reorder(self, rows: Int[Tensor, "R"]) -> "RecurrentState":
        """New beam r continues old beam rows[r], of the same sentence."""
        return self._take(rows, self.memory)

    def keep(self, sentences: Int[Tensor, "B2"]) -> "RecurrentState":
        """Only these sentences go on, with all their beams."""
        beam = torch.arange(self.beams, device=sentences.device)
        rows = (sentences[:, None] * self.beams + beam).flatten()  # (B2 K,)
        return self._take(rows, self.memory.take(sentences))


class RecurrentEncoder(nn.Module):
    """Token ids -> a vector for each, that knows its neighbours, and the last hidden state of each layer."""

    def __init__(self, settings: LSTMSettings, embed: nn.Module) -> None:
        super().__init__()
        self.embed = embed
        self.dropout = Dropout(settings.dropout if settings.drop_embeddings else 0.0)
        self.stack = LSTMStack(
            settings.token_width, settings.width, settings.layers, settings.dropout, settings.bidirectional
        )

    def forward(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None
    ) -> tuple[Float[Tensor, "B S W2"], tuple[Float[Tensor, "B W2"], ...]]:
        """`lengths` None: no row is padded."""
        read = self.stack(self.dropout(self.embed(inputs)), lengths)
        return read.outputs, read.hidden


class AttentiveDecoder(nn.Module):
    """Tokens so far and a memory -> the vector that predicts the next token, for each token."""

    def __init__(self, settings: LSTMSettings, embed: nn.Module) -> None:
        super().__init__()
        tokens, width = settings.token_width, settings.width
        memory = 2 * width if settings.bidirectional else width
        self.feeding = settings.input_feeding
        self.embed = embed
        self.embed_dropout = Dropout(settings.dropout if settings.drop_embeddings else 0.0)
        self.bridge = nn.ModuleList(nn.Linear(memory, 2 * width) for _ in range(settings.layers))
        self.stack = LSTMStack(2 * tokens if self.feeding else tokens, width, settings.layers, settings.dropout)
        self.attend = AttentionalLayer(settings.attention, width, memory, tokens)
        self.dropout = Dropout(settings.dropout)

    def remember(
        self,
        outputs: Float[Tensor, "B S W2"],
        hidden: tuple[Float[Tensor, "B W2"], ...],
        padding: Bool[Tensor, "B S"] | None,
    ) -> Memory:
        """The encoder's answer, in the form in which the decoder will ask it.

        Each layer starts at tanh of a linear map of the last hidden states of the encoder's layer of the same
        height (as Bahdanau et al. 2015, appendix A.2.2, for one layer and direction). Cells start from hidden
        states too: the fused kernel does not tell the cell at the end of a padded row.
        """
        keys, values = self.attend.remember(outputs)
        halves = (torch.tanh(bridge(h)).chunk(2, -1) for bridge, h in zip(self.bridge, hidden, strict=True))
        return Memory(keys, values, padding, tuple(LSTMState(h, c) for h, c in halves))

    def lstm_weights(self) -> tuple[LSTMWeights, ...]:
        """Of each layer, lowest first."""
        return tuple(LSTMWeights.of(layer.forwards) for layer in self.stack)

    def ask(self, hidden: Float[Tensor, "B K W"], memory: Memory) -> Float[Tensor, "B K E"]:
        """The attentional vectors of these states of the top layer."""
        vectors: Tensor = self.attend(hidden, memory.keys, memory.values, memory.padding)
        return vectors

    def forward(
        self, shifted: Int[Tensor, "B T"], memory: Memory
    ) -> tuple[Float[Tensor, "B T W"], Float[Tensor, "B T E"]]:
        """All target positions: states of the top layer and the vectors that predict."""
        x = self.embed_dropout(self.embed(shifted))  # (B, T, E)
        if not self.feeding:
            top = self.stack(x, None, memory.start).outputs
            return top, self.ask(top, memory)
        pairs = list(self._feed(x, memory))
        return torch.stack([top for top, _ in pairs], 1), torch.stack([vector for _, vector in pairs], 1)

    def _feed(
        self, x: Float[Tensor, "B T E"], memory: Memory
    ) -> Iterator[tuple[Float[Tensor, "B W"], Float[Tensor, "B E"]]]:
        """The same with input feeding. What tokens add to the lowest layer's sums is one product for all t.

        The rest is a plain loop. Tried and dropped for a gain of 5 %: the whole loop as one autograd function
        that adds the gradients of weights, keys and values for all t in one product each.
        """
        lowest, *others = self.lstm_weights()
        tokens, fed = lowest.input[:, : x.shape[-1]], lowest.input[:, x.shape[-1] :]  # (4 W, E) each
        states = memory.start
        vector = torch.zeros_like(x[:, 0])  # (B, E)
        for sums in functional.linear(x, tokens, lowest.bias).unbind(1):
            weights = (replace(lowest, input=fed, bias=sums), *others)
            states = self._climb(vector, states, weights)
            vector = self.ask(states[-1].hidden[:, None], memory).squeeze(1)  # (B, E)
            yield states[-1].hidden, vector

    def _climb(
        self, x: Float[Tensor, "R E2"], before: tuple[LSTMState, ...], weights: tuple[LSTMWeights, ...]
    ) -> tuple[LSTMState, ...]:
        """One step of every layer, lowest first."""
        after: list[LSTMState] = []
        for state, layer in zip(before, weights, strict=True):
            _, new = lstm_step(self.stack.dropout(x) if after else x, state, layer)
            after.append(new)
            x = new.hidden
        return tuple(after)

    def start(self, memory: Memory, beams: int) -> RecurrentState:
        """Before the first token, all beams of a sentence alike."""
        rows = torch.arange(len(memory.keys), device=memory.keys.device).repeat_interleave(beams)  # (R,)
        fed = memory.values.new_zeros(len(rows), memory.values.shape[-1]) if self.feeding else None
        return RecurrentState(
            tuple(state.take(rows) for state in memory.start), fed, memory, self.lstm_weights(), beams
        )

    def step(self, ids: Int[Tensor, "R"], state: RecurrentState) -> tuple[Float[Tensor, "R E"], RecurrentState]:
        """One more token of each beam."""
        x = self.embed_dropout(self.embed(ids[:, None]).squeeze(1))  # (R, E)
        if state.fed is not None:
            x = torch.cat((x, state.fed), 1)  # (R, 2 E)
        layers = self._climb(x, state.layers, state.weights)
        top = layers[-1].hidden.view(-1, state.beams, self.stack.width)  # (B, K, W)
        vector = self.ask(top, state.memory).flatten(0, 1)  # (R, E)
        return vector, replace(state, layers=layers, fed=None if state.fed is None else vector)


class RecurrentTranslator(nn.Module):
    """Encoder-decoder: reads a sentence whole, writes another one token by token.

    source, target   ids -> vectors of width E, one module or two
    head             vectors of width E -> logits
    """

    def __init__(self, settings: LSTMSettings, source: nn.Module, target: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = RecurrentEncoder(settings, source)
        self.decoder = AttentiveDecoder(settings, target)
        self.head = head
        for part in (self.encoder.stack, self.decoder.stack, self.decoder.bridge, self.decoder.attend):
            initialise(part, settings.forget_bias, settings.chrono)

    def encode(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Memory:
        """Read the source."""
        padding = beyond(lengths, inputs.shape[1])  # (B, S)
        padded = bool(padding.any())
        outputs, hidden = self.encoder(inputs, lengths if padded else None)
        return self.decoder.remember(outputs, hidden, padding if padded else None)

    def hidden(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T E"]:
        """What the head reads, at every target position. `shifted`: start token, targets but the last."""
        _, vectors = self.decoder(shifted, self.encode(inputs, lengths))
        result: Tensor = self.decoder.dropout(vectors)
        return result

    def forward(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        """Logits of the next token at every target position."""
        logits: Tensor = self.head(self.hidden(inputs, lengths, shifted))
        return logits

    def weights(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T S"]:
        """How much of each source position went into each target position; rows add up to 1, padding has 0.

        Made again from the states of the top layer: the forward pass keeps none.
        """
        memory = self.encode(inputs, lengths)
        top, _ = self.decoder(shifted, memory)
        return self.decoder.attend.weights(top, memory.keys, memory.padding)

    def start(self, memory: Memory, beams: int, room: int) -> RecurrentState:
        """Before the first token. `room` is for models whose state grows with what they write."""
        return self.decoder.start(memory, beams)

    def step(self, ids: Int[Tensor, "R"], state: RecurrentState) -> tuple[Float[Tensor, "R V"], RecurrentState]:
        """The last token of each beam -> scores of the next, and the state after it."""
        vectors, after = self.decoder.step(ids, state)
        logits: Tensor = self.head(vectors)
        return logits, after


class RecurrentClassifier(nn.Module):
    """Reads a text, in both directions, and names a label of it. Collobert et al. 2011 (max), Tai et al. 2015 (last).

    embed       ids -> vectors of width E
    head        (B, 1, W2) -> a score for each label; its pool is "first"
    gathering   last: where each direction ends. mean, max: of each number over all tokens
    """

    def __init__(self, settings: LSTMSettings, embed: nn.Module, head: Labels, gathering: Gathering = "max") -> None:
        super().__init__()
        self.settings = settings
        self.encoder = RecurrentEncoder(settings, embed)
        self.head = head
        self.gathering = gathering
        for part in (self.encoder.stack, self.head):
            initialise(part, settings.forget_bias, settings.chrono)

    def hidden(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B 1 W2"]:
        """What the head reads: one vector for each text."""
        padding = beyond(lengths, inputs.shape[1])  # (B, S)
        padded = bool(padding.any())
        outputs, last = self.encoder(inputs, lengths if padded else None)
        gathered: Tensor = last[-1][:, None]  # (B, 1, W2)
        if self.gathering == "mean":
            gathered = outputs.masked_fill(padding[:, :, None], 0.0).sum(1, keepdim=True) / lengths[:, None, None]
        elif self.gathering == "max":
            gathered = outputs.masked_fill(padding[:, :, None], -torch.inf).amax(1, keepdim=True)
        return gathered

    def forward(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> Float[Tensor, "B L"]:
        """Scores of the labels, before softmax. `lengths`: real tokens of each row; all unless given."""
        if lengths is None:
            lengths = torch.full((len(inputs),), inputs.shape[1], device=inputs.device)
        scores: Tensor = self.head(self.hidden(inputs, lengths), lengths)
        return scores
