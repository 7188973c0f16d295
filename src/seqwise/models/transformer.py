"""The Transformer: a stack of layers between embeddings and a head, as encoder, as decoder, and as both together.

Vaswani et al. 2017, and later choices as settings (`architecture.py`). Which family of checkpoints it imitates is not
said here: that is a table in `seqwise.checkpoints`.

    Transformer   encoder-decoder: reads a text whole, writes another token by token
    Decoder       writes on what it was given: `decoder.py`
    Encoder       reads a text whole and says something about it: `encoder.py`
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seqwise.models.architecture import TransformerSettings
from seqwise.models.attention import Keys
from seqwise.models.cache import DecoderState
from seqwise.models.dropout import Dropout
from seqwise.models.heads import NextToken
from seqwise.models.jointly import Jointly
from seqwise.models.kernels import Mask, padding_bias
from seqwise.models.layers import Layer, View, norm
from seqwise.models.packed import Documents
from seqwise.models.positions import Positions, RelativeBias, turns
from seqwise.models.rotary import Rotation

ALIKE, FULL = 16, 0.9  # rows encoded at a time where less than such a share of the positions is real


class Stack(nn.Module):
    """Embeddings, positions, layers, and the last normalization that pre-norm needs.

    settings   whose `layers`, `heads` and widths are those of this stack: see `TransformerSettings.of_decoder`
    """

    def __init__(self, settings: TransformerSettings, embed: nn.Module, causal: bool, cross: bool) -> None:
        super().__init__()
        self.settings = settings
        self.embed = embed
        self.causal = causal
        norms, width = settings.norm, settings.width
        self.positions = Positions(settings.positions, width)
        self.segments = nn.Embedding(settings.segments, width) if settings.segments else None
        self.embed_norm = norm(norms, width) if norms.embeddings else nn.Identity()
        relative = settings.positions.kind in ("alibi", "t5")
        self.relative = RelativeBias(settings.positions, settings.heads, not causal) if relative else None
        self.layers = nn.ModuleList(Layer(settings, cross, i == 0) for i in range(settings.layers))
        last = norms.place != "post" if norms.last is None else norms.last
        self.last_norm = norm(norms, width) if last else nn.Identity()
        self.dropout = Dropout(settings.dropout)
        self.checkpointing = False  # True: keep the input of each layer only and compute the rest again for gradients

    def each(self) -> list[Layer]:
        """The layers, from the first."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    @property
    def dtype(self) -> torch.dtype:
        """Of the vectors; products and tables may be kept in another type."""
        return next(self.each()[0].feed_norm.parameters()).dtype

    def enter(
        self,
        ids: Int[Tensor, "B T"],
        first: int | Int[Tensor, "B"] | Int[Tensor, "B T"] = 0,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T W"]:
        """Tokens, where they stand and which text they are of, as vectors."""
        x = self.positions(self.embed(ids), first)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        entered: Tensor = self.dropout(self.embed_norm(x))
        return entered

    def relations(self, first: int, queries: int, keys: int, like: Tensor) -> Tensor | None:
        """ALiBi's or T5's addition to the scores, (1, H, T, S)."""
        if self.relative is None:
            return None
        where = torch.arange(keys, device=like.device)
        bias: Tensor = self.relative(where[first : first + queries], where)
        return bias.to(like.dtype)

    def views(
        self, x: Float[Tensor, "B T W"], padding: Float[Tensor, "B 1 1 T"] | None, documents: Documents | None = None
    ) -> list[View]:
        """What each layer may see of the whole sequence, worked out once for all layers of a kind."""
        length = x.shape[1] if documents is None else documents.longest
        bias = self.relations(0, length, length, x)
        if padding is not None:
            bias = padding if bias is None else bias + padding
        where = torch.arange(length, device=x.device) if documents is None else documents.places

        def view(window: int | None) -> View:
            mask, near = Mask(self.causal, bias, window), window is not None
            mask = mask.settled(length, x) if documents is None else mask.apart(documents, x)
            view = View(mask, self._rotation(where, near))
            if documents is None or not torch.is_grad_enabled() or not self._joins:
                return view
            turn = self._rotation(torch.arange(length, device=x.device).clamp_max(documents.last), near)
            return replace(view, jointly=Jointly.of(mask, turn, x))

        seen = view(None)
        locals_ = [self.settings.local(i) for i in range(len(self.layers))]
        if not any(locals_):
            return [seen] * len(locals_)
        near = view(self.settings.attention.window)
        return [near if local else seen for local in locals_]

    @property
    def _joins(self) -> bool:
        """Whether nothing comes between the product and the kernel of attention, nor into the kernel."""
        return not self.settings.attention.norm and self.settings.attention.softcap is None

    def _rotation(self, where: Int[Tensor, "..."], local: bool) -> Rotation | None:
        settings = self.settings
        width = settings.attention.head_width or settings.width // settings.heads
        return turns(settings.positions, width, where, local)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        padding: Float[Tensor, "B 1 1 T"] | None = None,
        memory: Float[Tensor, "B S W"] | None = None,
        memory_mask: Mask | None = None,
        segments: Int[Tensor, "B T"] | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T W"]:
        """All positions at once. A decoder needs no padding mask: what is padded comes later and is never seen.

        documents   where the ids are many texts end to end; then B is 1
        """
        first: int | Tensor = 0
        if documents is not None:
            first, ids = documents.places[None], documents.sorted(ids)
            segments = None if segments is None else documents.sorted(segments)
        x = self.enter(ids, first, segments)
        for layer, view in zip(self.layers, self.views(x, padding, documents), strict=True):
            further = (view.mask, memory, memory_mask, view.rotation, view.jointly)
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, *further, use_reentrant=False)
            else:
                x = layer(x, *further)
        result: Tensor = self.last_norm(x if documents is None else documents.given(x))
        return result

    def read(self, ids: Int[Tensor, "B T"]) -> tuple[Keys, ...]:
        """The keys of all positions in each layer: what a decoder keeps of its prompt."""
        x = self.enter(ids)
        *others, last = zip(self.each(), self.views(x, None), strict=True)
        kept = []
        for layer, view in others:
            x, keys = layer.read(x, view)
            kept.append(keys)
        layer, view = last  # of which nothing else is asked: the first step reads the token behind the prompt
        return (*kept, layer.keys(x, view))

    def step(self, ids: Int[Tensor, "B K"], state: DecoderState) -> tuple[Float[Tensor, "B K W"], DecoderState]:
        """One more position of each beam."""
        x = self.enter(ids[:, :, None].flatten(0, 1), state.where_of_rows)  # (R, 1, W)
        x = x.view(*ids.shape, -1)  # (B, K, W)
        state = state.widened(state.beams).grown(self._related(state, x))
        where = state.where
        where = torch.tensor([where], device=x.device) if isinstance(where, int) else where[:, None]
        views = [View(state.past_mask, self._rotation(where, False))] * 2
        if (window := self.settings.attention.window) is not None:
            views[1] = View(state.near(window), self._rotation(where, True))
        for i, (layer, cache) in enumerate(zip(self.each(), state.caches, strict=True)):
            x = layer.step(x, cache, state, i, views[self.settings.local(i)])
        return self.last_norm(x), state.advanced()

    def _related(self, state: DecoderState, like: Tensor) -> Float[Tensor, "_ H 1 S"] | None:
        """ALiBi's or T5's addition for the step about to be taken, to the slots of the prompts, whose end is another
        in each sentence, and to those of the steps."""
        if self.relative is None or state.lengths is None:
            return self.relations(state.at, 1, state.at + 1, like)
        furthest = state.prompt + state.at
        by_distance = self.relations(furthest, 1, furthest + 1, like)  # (1, H, 1, furthest + 1), the nearest one last
        if by_distance is None:
            return None
        slots = torch.arange(furthest + 1, device=like.device)
        read = slots[: state.prompt] + (state.prompt - state.lengths)[:, None]  # (B, P)
        made = slots[state.prompt :].expand(len(read), -1)  # (B, t + 1)
        place = torch.cat((read.clamp_max(furthest), made), 1)  # (B, S); of padding it does not matter
        return by_distance[0, :, 0][:, place].transpose(0, 1)[:, :, None]

    def steps(self, ids: Int[Tensor, "B T"], state: DecoderState) -> tuple[Float[Tensor, "B T W"], DecoderState]:
        """Several more positions of each sentence at once; of one beam, and of prompts of one length. Where a product
        rounds several rows as it rounds one, as oneDNN's in bf16 do, vectors are to the last bit those of `step`."""
        if state.beams > 1 or state.descent is not None:
            raise ValueError("several steps at once need one beam, and prompts of one length")
        first, count = state.written, ids.shape[1]
        state = state.widened(count)
        x = self.enter(ids, first)
        where = torch.arange(first, first + count, device=x.device)
        relations = self.relations(first, count, first + count, x)
        bias = None if relations is None else relations.to(state.caches[0].key.dtype)

        def view(window: int | None) -> View:
            return View(Mask(True, bias, window, one_by_one=True), self._rotation(where, window is not None))

        views = [view(None)] * 2
        if (window := self.settings.attention.window) is not None:
            views[1] = view(window)
        for i, (layer, cache) in enumerate(zip(self.each(), state.caches, strict=True)):
            x = layer.step(x, cache, state, i, views[self.settings.local(i)])
        return self.last_norm(x), state.advanced(count)


@dataclass(frozen=True)
class Memory:
    """What the encoder hands to the decoder."""

    vectors: Float[Tensor, "B S W"]
    lengths: Int[Tensor, "B"]


def _hide_padding(memory: Memory) -> Mask:
    """What a decoder may see of the source."""
    vectors = memory.vectors
    return Mask(bias=padding_bias(memory.lengths, vectors.shape[1], vectors.dtype))


class Transformer(nn.Module):
    """Encoder-decoder: reads a sentence whole, writes another one token by token."""

    def __init__(self, settings: TransformerSettings, source: nn.Module, target: nn.Module, head: NextToken) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Stack(settings, source, causal=False, cross=False)
        self.decoder = Stack(settings.of_decoder(), target, causal=True, cross=True)
        self.head = head

    def encode(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Memory:
        """Read the source; without gradients and on a CPU, rows of like length together, so that less is padding."""
        if torch.is_grad_enabled() or inputs.device.type != "cpu" or int(lengths.sum()) > FULL * inputs.numel():
            return Memory(self._read(inputs, lengths), lengths)
        shape = (*inputs.shape, self.settings.width)
        vectors = torch.zeros(shape, dtype=self.encoder.dtype, device=inputs.device)  # (B, S, W)
        for rows in torch.split(lengths.argsort(), ALIKE):
            longest = int(lengths[rows].max())
            vectors[rows, :longest] = self._read(inputs[rows, :longest], lengths[rows])
        return Memory(vectors, lengths)

    def _read(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B S W"]:
        padding = padding_bias(lengths, inputs.shape[1], self.encoder.dtype)
        vectors: Tensor = self.encoder(inputs, padding)
        return vectors

    def hidden(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T W"]:
        """What the head reads, at every target position. `shifted`: the start token, then the targets but the last."""
        memory = self.encode(inputs, lengths)
        result: Tensor = self.decoder(shifted, None, memory.vectors, _hide_padding(memory))
        return result

    def forward(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        """Logits of the next token at every target position."""
        logits: Tensor = self.head(self.hidden(inputs, lengths, shifted))
        return logits

    def start(self, memory: Memory, beams: int, room: int) -> DecoderState:
        """Before the first token. `room`: tokens that will be written at most."""
        layers = self.decoder.each()
        keys = tuple(layer.cross.remember(memory.vectors) for layer in layers)
        return DecoderState.empty(
            layers[0].attend, len(layers), memory.vectors, beams, room, keys, _hide_padding(memory)
        )

    def step(self, ids: Int[Tensor, "R"], state: DecoderState) -> tuple[Float[Tensor, "R V"], DecoderState]:
        """The last token of each beam -> scores of the next, and the state after it."""
        x, after = self.decoder.step(ids.view(-1, state.beams), state)  # (B, K, W)
        logits: Tensor = self.head(x.flatten(0, 1))  # (R, V)
        return logits, after
