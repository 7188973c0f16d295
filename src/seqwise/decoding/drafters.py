"""Who drafts the next tokens: a cheaper model, or what is there already.

Cheaper   a model that reads and writes the cache of the one that verifies: `models.twin`
Lookup    what followed the last few tokens where they stood before (Saxena 2023, "prompt lookup decoding")
"""

from typing import Any

import torch

from seqwise.decoding.drafting import Draft, Page, Tally
from seqwise.decoding.generation import Model

LONGEST, SHORTEST = 3, 2  # tokens that have to stand there before; one alone is followed by too much


class Cheaper:
    """A model with the same cache, whose steps cost less."""

    cost, entry = 0.55, 0.0  # int8 for bf16, see docs/benchmarks.md

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tally = Tally()

    def draft(self, page: Page, state: Any, count: int) -> Draft:
        """One after another, to the end of the text at most; the first of a text is left to the model, which may be
        broken."""
        tokens, chances = [], []
        if page.written == 0:
            return Draft(())
        last = page.ids[0, page.count - 1 : page.count]
        for place in range(page.count, page.count + count):
            logits, state = self.model.step(last, state)
            if page.settings.temperature:
                chances.append(page.chances(logits, place))
                token = page.drawn(chances[-1])
            else:
                token = page.best(logits, place)
            tokens.append(token)
            page.put(place, token)
            last = page.ids[0, place : place + 1]
            if page.ends(token):
                break
        return Draft(tuple(tokens), tuple(chances))


class Lookup:
    """No model at all. What it costs is to verify."""

    def __init__(self, cost: float = 0.05, entry: float = 0.1) -> None:
        """As measured in bf16 with units for it; in fp32 a row costs more: `verified_in`."""
        self.cost, self.entry = cost, entry
        self.tally = Tally()

    @classmethod
    def verified_in(cls, dtype: torch.dtype) -> "Lookup":
        """For a model with such vectors."""
        return cls() if dtype == torch.bfloat16 else cls(0.18, 0.05)

    def draft(self, page: Page, state: Any, count: int) -> Draft:
        """What followed the last place of the last three tokens, else of the last two; nothing where they are new.
        A text that goes round and round is taken to go on so."""
        ids = page.ids[0, : page.count]
        for size in range(LONGEST, SHORTEST - 1, -1):
            if page.count <= size:
                continue
            same = (ids[:-1].unfold(0, size, 1) == ids[-size:]).all(1).nonzero()  # those that something follows
            if len(same):
                after = ids[int(same[-1]) + size :][:count].tolist()
                return Draft(tuple(after[i % len(after)] for i in range(count)))
        return Draft(())
