"""One output, token by token as it is written: for whoever reads along."""

from collections.abc import Iterator, Sequence

import torch

from seqwise.decoding.drafting import Drafter, Page, drafted
from seqwise.decoding.generation import Generation, Model, Specials, Verifying
from seqwise.decoding.rules import draw, forbid, likeliest, must_be_numbers, penalize


def stream(
    model: Model,
    prompt: Sequence[int],
    settings: Generation,
    specials: Specials,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
    drafter: Drafter | None = None,
) -> Iterator[int]:
    """The tokens that follow a prompt, the end token left out; greedy, or sampled where the settings say so.

    prompt    ids; the last one is fed to the first step
    drafter   then they come a few at a time
    """
    if drafter is not None and isinstance(model, Verifying):
        yield from _drafted(model, drafter, Page(prompt, settings.max_length, settings, specials, generator, device))
        return
    with torch.inference_mode():
        inputs = torch.tensor([prompt[:-1]], dtype=torch.int64, device=device)
        lengths = torch.tensor([len(prompt) - 1], device=device)
        state = model.start(model.encode(inputs, lengths), 1, settings.max_length)
    last = torch.tensor([prompt[-1]], device=device)
    before = torch.tensor([prompt], dtype=torch.int64, device=device)
    written = last.new_empty(1, 0)
    for t in range(settings.max_length):
        with torch.inference_mode():  # entered anew each time: whoever reads along may compute in between
            logits, state = model.step(last, state)
            if t == 0:
                must_be_numbers(logits)
            seen = torch.cat((before, written), 1)
            if settings.repetition_penalty != 1.0:
                logits = penalize(logits, seen, settings)
            logits = forbid(logits, written, settings, specials, seen=seen)
            last = draw(logits, settings, generator) if settings.temperature else likeliest(logits, 1)[1][:, 0]
            if t == 0 and specials.forced is not None:
                last = torch.full_like(last, specials.forced)
            if specials.forced_end and t + 1 == settings.max_length:
                return
            if bool(specials.ending(last)[0]):
                return
            written = torch.cat((written, last[:, None]), 1)
        yield int(last[0])


def _drafted(model: Verifying, drafter: Drafter, page: Page) -> Iterator[int]:
    pieces = drafted(model, drafter, page)
    while True:
        with torch.inference_mode():
            settled = next(pieces, None)
        if settled is None:
            return
        yield from (token for token in settled if not page.ends(token))
