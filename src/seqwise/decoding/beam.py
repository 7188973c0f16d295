"""Beam search: keep the K likeliest prefixes of each sentence and rank what is finished by its score per length.

One promise beyond the textbook: the greedy output is always among the candidates, since a beam that pushes it out is
given it back in the last place. So the result never scores below greedy, which plain beam search does not guarantee.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqwise.decoding.generation import Generation, Hypothesis, Model, Specials
from seqwise.decoding.rules import NEVER, forbid, likeliest, normalisers

LEAVE = 8  # a batch is made smaller once at least one sentence in so many is finished
NOWHERE = -1  # the greedy prefix has ended


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, Wu et al. 2016, eq. 14; the length counts the end token."""
    return float(((5 + length) / 6) ** alpha)


@dataclass(frozen=True)
class _Beams:
    """The prefixes of the sentences that are still written."""

    scores: Float[Tensor, "B K"]
    """Log-probability of each prefix; -inf where there are fewer than K yet."""
    written: Int[Tensor, "B K t"]
    greedy: Int[Tensor, "B"]
    """Which beam is the greedy prefix, or NOWHERE."""
    sentences: Int[Tensor, "B"]
    """Rows of the batch as it was given."""

    def keep(self, rows: Int[Tensor, "B2"]) -> "_Beams":
        return _Beams(self.scores[rows], self.written[rows], self.greedy[rows], self.sentences[rows])


@dataclass(frozen=True)
class _Candidates:
    """The best continuations of each sentence, likeliest first."""

    scores: Float[Tensor, "B C"]
    beams: Int[Tensor, "B C"]
    tokens: Int[Tensor, "B C"]
    greedy: Bool[Tensor, "B C"]
    """Which of them continues the greedy prefix greedily; at most one."""


@dataclass
class _Pool:
    """The finished outputs of one sentence, and whether it is done: then nothing is added, whoever still writes."""

    room: int
    found: list[Hypothesis] = field(default_factory=list)
    closed: bool = False

    def add(self, ids: list[int], score: float, length: int, alpha: float, ended: bool = True) -> None:
        if not self.closed:
            self.found.append(Hypothesis(tuple(ids), score / length_penalty(length, alpha), ended))

    def best(self, count: int) -> list[Hypothesis]:
        """The best so far; the empty output where every token was forbidden."""
        ranked = sorted(self.found, key=lambda h: -(h.score or 0.0))[:count]
        return ranked or [Hypothesis((), ended=False)]

    def close(self, beams: int, likeliest: float, greedy_ended: bool, settings: Generation) -> None:
        """Done once nothing that is still written can enter the best, or enough is finished, greedy's output too.

        Prefixes only get less likely: what they can score at best is their value now at the greatest length.
        """
        bound = likeliest / length_penalty(self.room, settings.length_penalty)
        best = self.best(settings.best)
        full = len(self.found) >= settings.best and (best[-1].score or 0.0) >= bound
        self.closed = self.closed or full or (greedy_ended and len(self.found) >= beams)


def beam(
    model: Model,
    inputs: Int[Tensor, "B S"],
    lengths: Int[Tensor, "B"],
    rooms: Sequence[int],
    settings: Generation,
    specials: Specials,
) -> list[list[Hypothesis]]:
    """Outputs of each row, best first; at most `rooms` tokens of each, the end token included."""
    b, k = len(inputs), settings.beams
    pools = [_Pool(room) for room in rooms]
    room = max(rooms)
    state = model.start(model.encode(inputs, lengths), k, room)
    last = inputs.new_full((b * k,), specials.start)
    beams = _fresh(b, k, inputs.device)
    for t in range(room):
        logits, state = model.step(last, state)  # (R, V)
        normaliser = normalisers(logits)  # (R,) before anything is forbidden: scores stay probabilities
        logits = forbid(logits, beams.written.flatten(0, 1), settings, specials)
        ended, beams, parents = _choose(_candidates(logits, normaliser, beams), beams, specials.end)
        for sentence, ids, score in ended:
            pools[sentence].add(ids, score, t + 1, settings.length_penalty)
        _cut_off(pools, beams, t + 1, settings)
        state, last = state.reorder(parents), beams.written[:, :, -1].flatten()
        beams, state, last = _leave(pools, beams, state, last, settings)
        if len(beams.sentences) == 0:
            break
    return [pool.best(settings.best) for pool in pools]


def _fresh(b: int, k: int, device: torch.device) -> _Beams:
    """K copies of the empty prefix, of which only the first may go on."""
    scores = torch.full((b, k), NEVER, device=device)
    scores[:, 0] = 0.0
    written = torch.zeros((b, k, 0), dtype=torch.int64, device=device)
    rows = torch.arange(b, device=device)
    return _Beams(scores, written, torch.zeros_like(rows), rows)


def _candidates(logits: Float[Tensor, "R V"], normaliser: Float[Tensor, "R"], beams: _Beams) -> _Candidates:
    """The 2K best continuations: enough for K that go on even if K others end. No log-softmax is written out:
    within a beam the order is that of the logits, so only its normaliser is needed."""
    b, k = beams.scores.shape
    values, tokens = likeliest(logits, 2 * k)  # (R, n)
    n = values.shape[1]
    scores = (values.float() - normaliser[:, None]).view(b, k, n) + beams.scores[:, :, None]  # (B, K, n)
    first = torch.zeros_like(scores, dtype=torch.bool)
    first[:, :, 0] = torch.arange(k, device=logits.device) == beams.greedy[:, None]  # (B, K)
    best, places = scores.flatten(1).topk(min(2 * k, k * n), 1)  # (B, C)
    # the greedy continuation takes the last place where it is not among them
    greedy = first.flatten(1).gather(1, places)  # (B, C)
    missing = (beams.greedy != NOWHERE) & ~greedy.any(1)  # (B,)
    rescued = (beams.greedy.clamp(min=0) * n)[:, None]  # its place in the flat list
    places[:, -1:] = torch.where(missing[:, None], rescued, places[:, -1:])
    best = scores.flatten(1).gather(1, places)
    greedy = first.flatten(1).gather(1, places)
    return _Candidates(best, places // n, tokens.view(b, -1).gather(1, places), greedy)


def _choose(
    candidates: _Candidates, beams: _Beams, end: int
) -> tuple[list[tuple[int, list[int], float]], _Beams, Int[Tensor, "R"]]:
    """Split the candidates: outputs that end now (sentence, ids, log-probability), the K prefixes that go on, and the
    rows these continue. As usual, an end counts only among the K best candidates, or where it is greedy's."""
    b, k = beams.scores.shape
    ends = candidates.tokens == end  # (B, C)
    rank = torch.arange(ends.shape[1], device=ends.device)
    counted = ends & ((rank < k) | candidates.greedy) & (candidates.scores > NEVER)
    ended = []
    for row, place in counted.nonzero().tolist():
        parent = int(candidates.beams[row, place])
        ids = beams.written[row, parent].tolist()
        ended.append((int(beams.sentences[row]), ids, float(candidates.scores[row, place])))
    # those that end go last; the greedy one goes before all, so that it is always kept
    priority = torch.where(ends, NEVER, candidates.scores)
    priority = torch.where(candidates.greedy & ~ends, float("inf"), priority)
    chosen = priority.topk(k, 1).indices  # (B, K)
    scores = torch.where(ends, NEVER, candidates.scores).gather(1, chosen)
    parents, tokens = candidates.beams.gather(1, chosen), candidates.tokens.gather(1, chosen)
    past = beams.written.gather(1, parents[:, :, None].expand(-1, -1, beams.written.shape[2]))
    written = torch.cat((past, tokens[:, :, None]), 2)  # (B, K, t+1)
    is_greedy = (candidates.greedy & ~ends).gather(1, chosen)  # (B, K)
    greedy = torch.where(is_greedy.any(1), is_greedy.int().argmax(1), NOWHERE)
    first = torch.arange(0, b * k, k, device=parents.device)[:, None]
    return ended, replace(beams, scores=scores, written=written, greedy=greedy), (first + parents).flatten()


def _cut_off(pools: list[_Pool], beams: _Beams, length: int, settings: Generation) -> None:
    """Where no room is left, what is still written counts as it stands."""
    for row, sentence in enumerate(beams.sentences.tolist()):
        pool = pools[sentence]
        if pool.closed or pool.room > length:
            continue
        for ids, score in zip(beams.written[row].tolist(), beams.scores[row].tolist(), strict=True):
            if score > NEVER:
                pool.add(ids, score, length, settings.length_penalty, ended=False)
        pool.closed = True


def _leave(
    pools: list[_Pool], beams: _Beams, state: Any, last: Int[Tensor, "R"], settings: Generation
) -> tuple[_Beams, Any, Int[Tensor, "R2"]]:
    """Take the sentences that are done out of the batch, once it is worth a copy."""
    k = settings.beams
    likeliest_now = beams.scores.amax(1).tolist()
    ended = (beams.greedy == NOWHERE).tolist()
    sentences = beams.sentences.tolist()
    for sentence, value, greedy in zip(sentences, likeliest_now, ended, strict=True):
        pools[sentence].close(k, value, greedy, settings)
    going = [row for row, sentence in enumerate(sentences) if not pools[sentence].closed]
    if going and len(sentences) - len(going) <= len(sentences) // LEAVE:
        return beams, state, last
    rows = torch.tensor(going, dtype=torch.int64, device=last.device)
    if not going:
        return beams.keep(rows), state, last
    return beams.keep(rows), state.keep(rows), last.view(-1, k)[rows].flatten()
