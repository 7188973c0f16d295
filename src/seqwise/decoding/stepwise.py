"""One token at a time and no way back: greedy search and sampling."""

import torch
from jaxtyping import Int
from torch import Tensor

from seqwise.decoding.generation import Generation, Hypothesis, Model, Specials
from seqwise.decoding.rules import context, draw, forbid, likeliest, must_be_numbers, penalize

LEAVE = 8  # a batch is made smaller once at least one row in so many is finished
LOOK = {"cpu": 1}  # steps between two looks at who is finished; elsewhere a look stops the pipeline
LOOK_ELSEWHERE = 8


def one_by_one(
    model: Model,
    inputs: Int[Tensor, "B S"],
    lengths: Int[Tensor, "B"],
    rooms: Int[Tensor, "B"],
    settings: Generation,
    specials: Specials,
    generator: torch.Generator | None = None,
    starts: Int[Tensor, "B"] | None = None,
    copies: int = 1,
) -> list[Hypothesis]:
    """One output for each row; at most `rooms` tokens of it.

    starts   what is fed first, where rows differ
    copies   outputs of each row, side by side; what it was given is read once
    """
    room = int(rooms.max())
    state = model.start(model.encode(inputs, lengths), 1, room)
    last = torch.full_like(lengths, specials.start) if starts is None else starts
    before = context(inputs, lengths, starts, specials) if settings.recalls else None  # (B, c)
    if copies > 1:
        rows = torch.arange(len(inputs), device=inputs.device).repeat_interleave(copies)  # (R,)
        state, last, rooms = state.keep(rows), last[rows], rooms[rows]
        before = None if before is None else before[rows]
    active = torch.arange(len(last), device=inputs.device)  # rows of the result that are still written
    written = torch.full((len(last), room), specials.end, device=inputs.device)
    done = torch.zeros_like(last, dtype=torch.bool)
    look = LOOK.get(inputs.device.type, LOOK_ELSEWHERE)
    ends = {max(1, room) for room in rooms.tolist()}  # steps after which a row has used all its room
    some = False  # whether a row that is done is still here
    for t in range(room):
        logits, state = model.step(last, state)  # (R, V)
        if t == 0:
            must_be_numbers(logits)
        seen = None if before is None else torch.cat((before[active], written[active, :t]), 1)  # (R, s)
        if seen is not None and settings.repetition_penalty != 1.0:
            logits = penalize(logits, seen, settings)
        logits = forbid(logits, written[:0, :t], settings, specials, seen=seen)
        last = draw(logits, settings, generator) if settings.temperature else likeliest(logits, 1)[1][:, 0]
        if t == 0 and specials.forced is not None:
            last = torch.full_like(last, specials.forced)
        ended = specials.ending(last)
        if some:
            ended |= done
        full = t + 1 >= rooms[active] if t + 1 in ends else None
        if full is not None and specials.forced_end:
            ended |= full
        if some or specials.also_end or full is not None:
            last = last.masked_fill(ended, specials.end)
        written[active, t] = last
        done = ended if full is None else ended | full
        if t % look and full is None:
            some = True
            continue
        gone = int(done.sum())
        if gone == len(done):
            break
        some = gone > 0
        # who has no room left leaves at once: the model may know no position beyond
        if gone > len(done) // LEAVE or (full is not None and bool(full.any())):
            rows = (~done).nonzero()[:, 0]
            state, active, last, done = state.keep(rows), active[rows], last[rows], done[rows]
            some = False
    pairs = zip(written.tolist(), rooms.tolist(), strict=True)
    return [until(row[:limit], specials.end) for row, limit in pairs]


def until(row: list[int], end: int) -> Hypothesis:
    """What was written up to the end token."""
    ended = end in row
    return Hypothesis(tuple(row[: row.index(end)] if ended else row), ended=ended)
