"""The state of a Transformer decoder between two steps: keys and values of all that was written so far.

Beams are not copied when the search reorders them. Each sentence keeps the keys of *all* its beams side by side, K a
step, and a table says which of them each beam descends from; that table is the mask of attention. So a reordering moves
K x K x t numbers instead of the whole cache, and the K queries of a sentence meet their keys in one product.

A decoder without encoder has read a prompt before: its keys stand first, once for all beams of a sentence. Prompts
differ in length, so a step stands at another position in each sentence.

    P  slots of the prompt, the longest of the batch        slots  P + K t
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.models.attention import Keys, MultiHeadAttention
from seqwise.models.kernels import Mask, padding_bias
from seqwise.models.linear import instructions

HIDDEN = float("-inf")
FIRST = 512  # tokens of each beam that slots are made for at once; few outputs are as long as they may be


def kept_type(vectors: Tensor, beams: int) -> torch.dtype:
    """The type that keys are kept in between steps: as the vectors are, but for a few bf16 queries a sentence on a CPU.

    There one query meets its keys in the fused kernel, which reads half as much in bf16 (a third of the time for 16
    prompts of 100 tokens); several of them, or without instructions for bf16, do better by two products in fp32, where
    none of the keys need be copied.
    """
    on_processor = vectors.device.type == "cpu"
    return torch.float32 if on_processor and not (beams == 1 and instructions()) else vectors.dtype


@dataclass(frozen=True)
class Cache:
    """Room for the keys of one layer: slot P + t K + k belongs to beam k at step t."""

    key: Float[Tensor, "B G slots D"]
    value: Float[Tensor, "B G slots D"]

    def write(self, new: Keys, at: int) -> Keys:
        """Put keys (B, G, n, D) in the slots from `at` on; all keys so far come back, as a view."""
        end = at + new.key.shape[2]
        self.key[:, :, at:end] = new.key
        self.value[:, :, at:end] = new.value
        return Keys(self.key[:, :, :end], self.value[:, :, :end])


@dataclass(frozen=True)
class Prompt:
    """What a decoder has read before it writes."""

    keys: tuple[Keys, ...]
    """Of each layer, (B, G, P, D)."""
    lengths: Int[Tensor, "B"]


@dataclass(frozen=True)
class DecoderState:
    """All that a step needs. A value: `step` returns the next one and older ones must not be used again, since the
    caches are written in place."""

    caches: tuple[Cache, ...]
    memory: tuple[Keys, ...]
    memory_mask: Mask
    descent: Float[Tensor, "B K slots"] | None
    """0 where a beam descends from a slot, -inf elsewhere; None where every beam descends from all."""
    past_mask: Mask
    lengths: Int[Tensor, "B"] | None
    """Of the prompts; None where there are none."""
    prompt: int
    at: int
    beams: int
    most: int
    """Slots that there may be; as many are made as are needed."""

    @classmethod
    def empty(
        cls,
        attend: MultiHeadAttention,
        layers: int,
        like: Float[Tensor, "B ..."],
        beams: int,
        room: int,
        memory: tuple[Keys, ...] = (),
        memory_mask: Mask | None = None,
        prompt: Prompt | None = None,
    ) -> "DecoderState":
        """Before the first token, with caches that grow up to `room` tokens of every beam."""
        read = prompt.keys[0].key.shape[2] if prompt else 0
        slots = (len(like), attend.groups, read + min(room, FIRST) * beams, attend.head_width)
        like = like.new_empty(0, dtype=kept_type(like, beams))
        caches = tuple(Cache(like.new_empty(slots), like.new_empty(slots)) for _ in range(layers))
        for cache, keys in zip(caches, prompt.keys if prompt else (), strict=False):
            cache.write(keys, 0)
        unread = padding_bias(prompt.lengths, read, like.dtype) if prompt else None  # (B, 1, 1, P)
        descent = None
        if beams > 1 or unread is not None:
            descent = like.new_full((slots[0], beams, slots[2]), HIDDEN)
            descent[:, :, :read] = 0.0 if unread is None else unread[:, 0]
        kept = tuple(keys.to(like.dtype) for keys in memory)
        hidden = memory_mask.bias if memory_mask else None
        mask = Mask(bias=None if hidden is None else hidden.to(like.dtype))
        lengths = prompt.lengths if prompt else None
        return cls(caches, kept, mask, descent, Mask(), lengths, read, 0, beams, read + room * beams)

    @property
    def written(self) -> int:
        """Slots in use."""
        return self.prompt + self.at * self.beams

    @property
    def where(self) -> int | Int[Tensor, "B"]:
        """Position of the step about to be taken, the same in all sentences or in each its own."""
        return self.at if self.lengths is None else self.lengths + self.at

    @property
    def where_of_rows(self) -> int | Int[Tensor, "R"]:
        """The same for each beam of each sentence."""
        where = self.where
        return where if isinstance(where, int) else where.repeat_interleave(self.beams)

    def widened(self, more: int) -> "DecoderState":
        """With slots for so many more keys."""
        have, needed = self.caches[0].key.shape[2], self.written + more
        if needed <= have:
            return self
        slots = max(needed, min(self.most, 2 * have))
        before, descent = self.descent, None
        if before is not None:
            descent = before.new_full((*before.shape[:2], slots), HIDDEN)
            descent[:, :, : self.written] = before[:, :, : self.written]
        wide = tuple(Cache(*(_wide(part, self.written, slots) for part in (c.key, c.value))) for c in self.caches)
        return replace(self, caches=wide, descent=descent)

    def grown(self, relations: Float[Tensor, "_ H 1 S"] | None) -> "DecoderState":
        """The mask of the step about to be taken: each beam's new slot, its ancestors, and how far away they are.

        relations   what is added to the scores of the prompt's slots and of each step, the same for all beams
        """
        if self.descent is None:
            return replace(self, past_mask=Mask(bias=relations))
        begin, end = self.written, self.written + self.beams
        self.descent[:, :, begin:end].diagonal(dim1=1, dim2=2).zero_()
        bias = self.descent[:, None, :, :end]  # (B, 1, K, slots)
        if relations is not None:
            read, made = relations[..., : self.prompt], relations[..., self.prompt :]
            bias = bias + torch.cat((read, made.repeat_interleave(self.beams, -1)), -1)  # (B, H, K, slots)
        return replace(self, past_mask=Mask(bias=bias))

    def near(self, window: int) -> Mask:
        """The mask of `grown` for layers that see no further than `window`."""
        end = self.written + self.beams
        device = self.caches[0].key.device
        steps = torch.arange(self.at + 1, device=device).repeat_interleave(self.beams)  # (K t,)
        distance = (self.at - steps)[None]  # (1, K t)
        if self.prompt and self.lengths is not None:
            read = (self.lengths + self.at)[:, None] - torch.arange(self.prompt, device=device)  # (B, P)
            distance = torch.cat((read, distance.expand(len(read), -1)), 1)  # (B, slots)
        if int(distance.max()) <= window:
            return self.past_mask
        far = torch.zeros(len(distance), 1, 1, end, dtype=self.caches[0].key.dtype, device=device)
        far.masked_fill_((distance > window)[:, None, None], HIDDEN)
        return Mask(bias=far if self.past_mask.bias is None else far + self.past_mask.bias)

    def advanced(self, steps: int = 1) -> "DecoderState":
        """After the step, or after several."""
        return replace(self, at=self.at + steps)

    def back(self, steps: int) -> "DecoderState":
        """Before the last so many steps, of a single beam: what they wrote is written over."""
        return replace(self, at=self.at - steps)

    def reorder(self, rows: Int[Tensor, "R"]) -> "DecoderState":
        """New beam r continues old beam rows[r], of the same sentence."""
        if self.descent is None or self.beams == 1:
            return self
        first = torch.arange(0, len(rows), self.beams, device=rows.device)[:, None]
        parents = rows.view(-1, self.beams) - first  # (B, K), beam within its sentence
        past = self.descent[:, :, self.prompt : self.written]  # (B, K, K t)
        past.copy_(past.gather(1, parents[:, :, None].expand_as(past)))
        return self

    def keep(self, sentences: Int[Tensor, "B2"]) -> "DecoderState":
        """Only these sentences go on, with all their beams."""
        end, mask = self.written, self.memory_mask.bias
        return replace(
            self,
            caches=tuple(Cache(_rows(c.key, sentences, end), _rows(c.value, sentences, end)) for c in self.caches),
            memory=tuple(keys.take(sentences) for keys in self.memory),
            memory_mask=self.memory_mask if mask is None else Mask(bias=mask.index_select(0, sentences)),
            descent=None if self.descent is None else self.descent.index_select(0, sentences),
            lengths=None if self.lengths is None else self.lengths.index_select(0, sentences),
        )


def _wide(full: Float[Tensor, "B G slots D"], used: int, slots: int) -> Float[Tensor, "B G slots2 D"]:
    """The same with more slots; what is not yet written is not copied."""
    more = full.new_empty((*full.shape[:2], slots, full.shape[3]))
    more[:, :, :used] = full[:, :, :used]
    return more


def _rows(full: Float[Tensor, "B G slots D"], rows: Int[Tensor, "B2"], used: int) -> Float[Tensor, "B2 G slots D"]:
    """Take rows of a cache; what is not yet written is not copied."""
    fewer = full.new_empty((len(rows), *full.shape[1:]))
    torch.index_select(full[:, :, :used], 0, rows, out=fewer[:, :, :used])
    return fewer
