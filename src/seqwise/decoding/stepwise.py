"""One token at a time and no way back: greedy search and sampling."""

import torch
from jaxtyping import Int
from torch import Tensor

from seqwise.decoding.generation import Generation, Hypothesis, Model, Specials
from seqwise.decoding.rules import draw, forbid, likeliest

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
) -> list[Hypothesis]:
    """One output for each row; at most `rooms` tokens of it."""
    room = int(rooms.max())
    state = model.start(model.encode(inputs, lengths), 1, room)
    last = torch.full_like(inputs[:, 0], specials.start)
    active = torch.arange(len(inputs), device=inputs.device)  # rows of the result that are still written
    written = torch.full((len(inputs), room), specials.end, device=inputs.device)
    done = torch.zeros_like(last, dtype=torch.bool)
    look = LOOK.get(inputs.device.type, LOOK_ELSEWHERE)
    for t in range(room):
        logits, state = model.step(last, state)  # (R, V)
        logits = forbid(logits, written[active, :t] if settings.no_repeat else written[:0, :t], settings, specials)
        last = draw(logits, settings, generator) if settings.temperature else likeliest(logits, 1)[1][:, 0]
        last = last.masked_fill(done, specials.end)
        written[active, t] = last
        done = (last == specials.end) | (t + 1 >= rooms[active])
        if t % look:
            continue
        left = int((~done).sum())
        if left == 0:
            break
        if len(done) - left > len(done) // LEAVE:
            rows = (~done).nonzero()[:, 0]
            state, active, last, done = state.keep(rows), active[rows], last[rows], done[rows]
    pairs = zip(written.tolist(), rooms.tolist(), strict=True)
    return [_until(row[:limit], specials.end) for row, limit in pairs]


def _until(row: list[int], end: int) -> Hypothesis:
    ended = end in row
    return Hypothesis(tuple(row[: row.index(end)] if ended else row), ended=ended)
