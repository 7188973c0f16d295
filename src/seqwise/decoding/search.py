"""From sentences to batches and back: sort by length, decode together, restore the order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.decoding.beam import beam
from seqwise.decoding.drafting import Drafter, Page, drafted
from seqwise.decoding.generation import Generation, Hypothesis, Model, Specials, Verifying
from seqwise.decoding.stepwise import one_by_one, until

RATIO, SPARE = 3, 20  # no output is longer than three times its source and 20: models that loop are stopped


def decode(
    model: Model,
    sources: Sequence[Sequence[int]],
    settings: Generation,
    specials: Specials,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
    starts: Sequence[int] | None = None,
    rooms: Sequence[int] | None = None,
    drafter: Drafter | None = None,
) -> list[list[Hypothesis]]:
    """Outputs for each source, best first, in the order given.

    sources     ids, each with its end token; of a decoder, prompts without their last token
    generator   of the sampling; a fresh one with the seed of the settings unless given
    starts      what is fed first for each source: the last tokens of the prompts; the start token unless given
    rooms       tokens of each output at most, besides what the settings say
    drafter     of texts that are written one at a time, in one version
    """
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    results: list[list[Hypothesis]] = [[] for _ in sources]
    generator = generator or torch.Generator(device).manual_seed(settings.seed)
    for first in range(0, len(order), settings.batch):
        chosen = order[first : first + settings.batch]
        inputs = torch.full((len(chosen), len(sources[chosen[-1]])), specials.padding)  # (B, S)
        for row, i in zip(inputs, chosen, strict=True):
            row[: len(sources[i])] = torch.as_tensor(sources[i])
        lengths = torch.tensor([len(sources[i]) for i in chosen])
        first_tokens = None if starts is None else torch.tensor([starts[i] for i in chosen], device=device)
        most = None if rooms is None else torch.tensor([rooms[i] for i in chosen], device=device)
        batch = inputs.to(device), lengths.to(device)
        found = search(model, *batch, settings, specials, generator, first_tokens, most, drafter)
        for i, hypotheses in zip(chosen, found, strict=True):
            results[i] = hypotheses
    return results


@torch.inference_mode()
def search(
    model: Model,
    inputs: Int[Tensor, "B S"],
    lengths: Int[Tensor, "B"],
    settings: Generation,
    specials: Specials,
    generator: torch.Generator | None = None,
    starts: Int[Tensor, "B"] | None = None,
    most: Int[Tensor, "B"] | None = None,
    drafter: Drafter | None = None,
) -> list[list[Hypothesis]]:
    """One batch, by the method that the settings name."""
    # each sentence by itself, whoever its neighbours are
    rooms = RATIO * lengths + SPARE if specials.bounded else torch.full_like(lengths, settings.max_length)
    rooms = rooms.clamp(max=settings.max_length)
    rooms = rooms if most is None else torch.minimum(rooms, most)
    if settings.temperature == 0.0 and settings.beams > 1:
        return beam(model, inputs, lengths, rooms.tolist(), settings, specials, starts)
    copies = settings.best if settings.temperature else 1
    if drafter is not None and len(inputs) == copies == 1 and isinstance(model, Verifying):
        before = inputs[0, : int(lengths)].tolist()
        last = specials.start if starts is None else int(starts)
        seen = len(before) if starts is None else 0
        page = Page([*before, last], int(rooms), settings, specials, generator, inputs.device, seen)
        written = [token for settled in drafted(model, drafter, page) for token in settled]
        ends = [specials.end if page.ends(token) else token for token in written]
        return [[until(ends, specials.end)]]
    made = one_by_one(model, inputs, lengths, rooms, settings, specials, generator, starts, copies)
    return [made[i : i + copies] for i in range(0, len(made), copies)]


@torch.inference_mode()
def score(
    model: Model,
    inputs: Int[Tensor, "B S"],
    lengths: Int[Tensor, "B"],
    outputs: Sequence[Sequence[int]],
    specials: Specials,
) -> Float[Tensor, "B"]:
    """Log-probability of one given output for each source, its end token included, step by step."""
    spans = torch.tensor([len(ids) + 1 for ids in outputs], device=inputs.device)
    wanted = inputs.new_full((len(outputs), int(spans.max())), specials.end)  # (B, T)
    for row, ids in zip(wanted, outputs, strict=True):
        row[: len(ids)] = torch.as_tensor(ids)
    state = model.start(model.encode(inputs, lengths), 1, wanted.shape[1])
    last = inputs.new_full((len(inputs),), specials.start)
    total = torch.zeros(len(inputs), device=inputs.device)
    for t in range(wanted.shape[1]):
        logits, state = model.step(last, state)  # (B, V)
        last = wanted[:, t]
        gained = logits.float().log_softmax(1).gather(1, last[:, None])[:, 0]  # (B,)
        total += gained * (t < spans)
    return total
