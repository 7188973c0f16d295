"""Draft several tokens cheaply, verify them in one go: what is written is what the model would have written.

Writing one text, a model reads all of its weights for each token. To verify a draft of k tokens it reads them once as
well, so each token that is accepted costs no more than drafting it (Leviathan et al. 2023, Chen et al. 2023). The model
keeps the longest beginning of the draft that it would have written itself and adds one token of its own.

    greedy     a token is accepted where it is the likeliest. The output is that of `stepwise`, to the rounding of a
               product of k + 1 rows against those of one: another token of two that are equally likely to that. oneDNN
               rounds rows in bf16 alike, and there the logits are the same bits
    sampling   a token is accepted with probability min(1, p / q), p the model's and q the drafter's, else another is
               drawn from max(0, p - q): together that is a draw from p (Leviathan et al. 2023, appendix A.1). Not the
               same draw as without a draft, where the seed is the same. All rules and filters hold for both

Who drafts stands in `drafters`, how many tokens in `pace`. Left out: trees of drafts, and several texts at once, where
the weights that are read serve many rows already.

Letters of the shapes: V vocabulary, k tokens of a draft.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.decoding.generation import Generation, Specials, Verifying
from seqwise.decoding.pace import Pace
from seqwise.decoding.rules import forbid, likeliest, must_be_numbers, penalize, probabilities


@dataclass(frozen=True)
class Draft:
    """Tokens that a drafter expects next."""

    tokens: tuple[int, ...]
    chances: tuple[Float[Tensor, "1 V"], ...] = ()
    """What each was drawn from; empty where nothing was drawn, but certain."""


@dataclass
class Tally:
    """How drafts fared."""

    drafted: int = 0
    """Tokens."""
    accepted: int = 0
    """Those of them that the model would have written."""
    steps: int = 0
    """Of the model, with a draft or without."""

    def add(self, drafted: int, accepted: int) -> None:
        """One more step."""
        self.drafted, self.accepted, self.steps = self.drafted + drafted, self.accepted + accepted, self.steps + 1


@runtime_checkable
class Drafter(Protocol):
    """Who drafts: see `drafters`."""

    cost: float
    """Of a token, as a share of a step of the model: decides how many are worth it."""
    entry: float
    """Of verifying at all, in the same."""
    tally: Tally

    def draft(self, page: "Page", state: Any, count: int) -> Draft:
        """At most so many tokens. `state` is the model's before its next step; its cache may be written beyond."""


class Page:
    """The text so far, and by which rules it goes on."""

    def __init__(
        self,
        prompt: Sequence[int],
        room: int,
        settings: Generation,
        specials: Specials,
        generator: torch.Generator | None,
        device: torch.device | str,
        seen_from: int = 0,
    ) -> None:
        """prompt: with what is fed first. `seen_from`: where that begins in which repetitions count."""
        self.settings, self.specials, self.generator = settings, specials, generator
        self.begin, self.room, self.seen_from = len(prompt), room, seen_from
        self.count = len(prompt)
        """Tokens that stand; what lies behind them is a draft."""
        self.ids = torch.empty(1, len(prompt) + room + 1, dtype=torch.int64, device=device)
        self.ids[0, : len(prompt)] = torch.tensor(prompt, dtype=torch.int64)

    @property
    def written(self) -> int:
        """Tokens behind the prompt."""
        return self.count - self.begin

    def put(self, place: int, token: int) -> None:
        """A token, settled or drafted."""
        self.ids[0, place] = token

    def ends(self, token: int) -> bool:
        """Whether a text ends with this."""
        return token == self.specials.end or token in self.specials.also_end

    def certain(self, place: int) -> int | None:
        """The token that stands at a place whatever the model says."""
        if place == self.begin and self.specials.forced is not None:
            return self.specials.forced
        return self.specials.end if self.specials.forced_end and place + 1 >= self.begin + self.room else None

    def ruled(self, logits: Float[Tensor, "1 V"], place: int) -> Float[Tensor, "1 V"]:
        """Scores of the tokens for a place, by the rules; all that stands before it counts, drafted or not."""
        seen = self.ids[:, self.seen_from : place]
        if self.settings.repetition_penalty != 1.0:
            logits = penalize(logits, seen, self.settings)
        return forbid(logits, self.ids[:, self.begin : place], self.settings, self.specials, seen=seen)

    def chances(self, logits: Float[Tensor, "1 V"], place: int) -> Float[Tensor, "1 V"]:
        """What the token of a place is drawn from."""
        if (token := self.certain(place)) is not None:
            return torch.zeros_like(logits, dtype=torch.float32).index_fill_(1, self.ids.new_tensor([token]), 1.0)
        return probabilities(self.ruled(logits, place), self.settings)

    def best(self, logits: Float[Tensor, "1 V"], place: int) -> int:
        """The likeliest token of a place."""
        token = self.certain(place)
        return int(likeliest(self.ruled(logits, place), 1)[1]) if token is None else token

    def drawn(self, chances: Float[Tensor, "1 V"]) -> int:
        """A token, with these probabilities."""
        return int(torch.multinomial(chances, 1, generator=self.generator))


def drafted(model: Verifying, drafter: Drafter, page: Page) -> Iterator[list[int]]:
    """What the model writes on a page, as many tokens at a time as are settled; the end token is the last, if any.

    To be iterated within `torch.inference_mode()`, which may be left in between.
    """
    prompt = page.ids[:, : page.count - 1]
    lengths = torch.tensor([page.count - 1], device=prompt.device)
    state = model.start(model.encode(prompt, lengths), 1, page.room)
    pace = Pace(page.settings.drafting.most, drafter.cost, drafter.entry)
    while page.written < page.room:
        count = min(pace.count, page.room - page.written - 1)
        draft = drafter.draft(page, state, count) if count else Draft(())
        settled, state = _verified(model, page, draft, state)
        accepted = sum(a == b for a, b in zip(settled, draft.tokens, strict=False))
        pace.told(accepted, len(draft.tokens))
        drafter.tally.add(len(draft.tokens), accepted)
        page.count += len(settled)
        yield settled
        if page.ends(settled[-1]):
            return


def _verified(model: Verifying, page: Page, draft: Draft, state: Any) -> tuple[list[int], Any]:
    """The tokens that are accepted, one of the model's own, and the state that has read all but that one."""
    first, count = page.count, len(draft.tokens)
    if count == 0:
        row, state = model.step(page.ids[0, first - 1 : first], state)
        logits = row[:, None]  # (1, 1, V)
    else:
        for place, token in enumerate(draft.tokens, first):
            page.put(place, token)
        logits, state = model.steps(page.ids[:, first - 1 : first + count], state)  # (1, k + 1, V)
    if page.written == 0:
        must_be_numbers(logits[:, 0])
    settled: list[int] = []
    for i in range(count + 1):
        token = _settle(page, logits[:, i], first + i, draft, i)
        page.put(first + i, token)
        settled.append(token)
        if i == count or token != draft.tokens[i] or page.ends(token):
            break
    return settled, state.back(count + 1 - len(settled)) if len(settled) <= count else state


def _settle(page: Page, logits: Float[Tensor, "1 V"], place: int, draft: Draft, i: int) -> int:
    """The model's token for a place: that of the draft, where it is accepted."""
    if page.settings.temperature == 0.0:
        return page.best(logits, place)
    p = page.chances(logits, place)  # (1, V)
    if i == len(draft.tokens):
        return page.drawn(p)
    token = draft.tokens[i]
    q = draft.chances[i] if draft.chances else torch.zeros_like(p).index_fill_(1, page.ids.new_tensor([token]), 1.0)
    luck = torch.rand(1, generator=page.generator, device=p.device)
    if bool(luck * q[0, token] < p[0, token]):
        return token
    rest = (p - q).clamp_min_(0.0)
    return page.drawn(rest if float(rest.sum()) > 0.0 else p)  # nothing is left only by rounding, where p is q
