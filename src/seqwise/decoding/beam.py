"""Beam search: keep the K likeliest prefixes of each sentence and rank what is finished by its score per length.

One promise beyond the textbook: the greedy output is always among the candidates, since a beam that pushes it out is
given it back in the last place. So the result never scores below greedy, which plain beam search does not guarantee.
A repetition penalty weakens it, as here it is of log-probabilities and in greedy search of logits, both as in Hugging
Face's `generate`: the likeliest next token may then be another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqwise.decoding.generation import Generation, Hypothesis, Model, Specials
from seqwise.decoding.pools import Pool, pool
from seqwise.decoding.rules import NEVER, context, forbid, force, likeliest, must_be_numbers, normalisers, penalize

LEAVE = 8  # a batch is made smaller once at least one sentence in so many is finished
NOWHERE = -1  # the greedy prefix has ended


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


def beam(
    model: Model,
    inputs: Int[Tensor, "B S"],
    lengths: Int[Tensor, "B"],
    rooms: Sequence[int],
    settings: Generation,
    specials: Specials,
    starts: Int[Tensor, "B"] | None = None,
) -> list[list[Hypothesis]]:
    """Outputs of each row, best first; at most `rooms` tokens of each, the end token included."""
    b, k = len(inputs), settings.beams
    pools = [pool(room, settings) for room in rooms]
    for one in pools:
        one.closed = one.room == 0
    room = max(rooms)
    state = model.start(model.encode(inputs, lengths), k, room)
    last = inputs.new_full((b * k,), specials.start) if starts is None else starts.repeat_interleave(k)
    beams = _fresh(b, k, inputs.device)
    before = context(inputs, lengths, starts, specials) if settings.recalls else None  # (B, c)
    for t in range(room):
        logits, state = model.step(last, state)  # (R, V)
        if t == 0:
            must_be_numbers(logits)
        normaliser = normalisers(logits)  # (R,) before anything is forbidden: scores stay the model's probabilities
        seen = None if before is None else _seen(before, beams)  # (R, s)
        if seen is not None and settings.repetition_penalty != 1.0:
            logits = penalize(logits.float() - normaliser[:, None], seen, settings)
            normaliser = torch.zeros_like(normaliser)  # what is penalized is a log-probability already
        logits = forbid(logits, beams.written.flatten(0, 1), settings, specials, normaliser, seen)
        normaliser = normalisers(logits) if specials.renormalized else normaliser
        logits = _forced(logits, normaliser, pools, beams, t, specials)
        candidates = _candidates(logits, normaliser, beams, settings.ranking.by == "wu", 2 + len(specials.also_end))
        ended, beams, parents = _choose(candidates, beams, specials)
        for sentence, ids, score in ended:
            pools[sentence].add(ids, score, t + 1)
        _cut_off(pools, beams, t + 1)
        state, last = state.reorder(parents), beams.written[:, :, -1].flatten()
        beams, state, last = _leave(pools, beams, state, last, settings)
        if len(beams.sentences) == 0:
            break
    return [one.best(settings.best) for one in pools]


def _fresh(b: int, k: int, device: torch.device) -> _Beams:
    """K copies of the empty prefix, of which only the first may go on."""
    scores = torch.full((b, k), NEVER, device=device)
    scores[:, 0] = 0.0
    written = torch.zeros((b, k, 0), dtype=torch.int64, device=device)
    rows = torch.arange(b, device=device)
    return _Beams(scores, written, torch.zeros_like(rows), rows)


def _seen(before: Int[Tensor, "B c"], beams: _Beams) -> Int[Tensor, "R s"]:
    """What stands before each next token: what was there before anything was written, and the prefix."""
    first = before[beams.sentences][:, None].expand(-1, beams.written.shape[1], -1)  # (B, K, c)
    return torch.cat((first, beams.written), 2).flatten(0, 1)


def _forced(
    logits: Float[Tensor, "R V"],
    normaliser: Float[Tensor, "R"],
    pools: list[Pool],
    beams: _Beams,
    t: int,
    specials: Specials,
) -> Float[Tensor, "R V"]:
    """What has to come first, and the end where no room is left; both are certain, so they cost nothing."""
    if t == 0 and specials.forced is not None:
        return force(logits, specials.forced, torch.ones_like(normaliser, dtype=torch.bool), normaliser)
    if specials.forced_end:
        full = [pools[sentence].room == t + 1 for sentence in beams.sentences.tolist()]
        rows = torch.tensor(full, device=logits.device).repeat_interleave(beams.scores.shape[1])
        return force(logits, specials.end, rows, normaliser)
    return logits


def _candidates(
    logits: Float[Tensor, "R V"], normaliser: Float[Tensor, "R"], beams: _Beams, rescue: bool, many: int
) -> _Candidates:
    """The best continuations, `many` a beam: enough for K that go on even if the others end. No log-softmax is written
    out: within a beam the order is that of the logits, so only its normaliser is needed.

    rescue   give the greedy continuation the last place where it is not among them
    """
    b, k = beams.scores.shape
    values, tokens = likeliest(logits, many * k)  # (R, n)
    n = values.shape[1]
    scores = (values.float() - normaliser[:, None]).view(b, k, n) + beams.scores[:, :, None]  # (B, K, n)
    first = torch.zeros_like(scores, dtype=torch.bool)
    first[:, :, 0] = torch.arange(k, device=logits.device) == beams.greedy[:, None]  # (B, K)
    best, places = scores.flatten(1).topk(min(many * k, k * n), 1)  # (B, C)
    if not rescue:
        nothing = torch.zeros_like(places, dtype=torch.bool)
        return _Candidates(best, places // n, tokens.view(b, -1).gather(1, places), nothing)
    greedy = first.flatten(1).gather(1, places)  # (B, C)
    missing = (beams.greedy != NOWHERE) & ~greedy.any(1)  # (B,)
    rescued = (beams.greedy.clamp(min=0) * n)[:, None]  # its place in the flat list
    places[:, -1:] = torch.where(missing[:, None], rescued, places[:, -1:])
    best = scores.flatten(1).gather(1, places)
    greedy = first.flatten(1).gather(1, places)
    return _Candidates(best, places // n, tokens.view(b, -1).gather(1, places), greedy)


def _choose(
    candidates: _Candidates, beams: _Beams, specials: Specials
) -> tuple[list[tuple[int, list[int], float]], _Beams, Int[Tensor, "R"]]:
    """Split the candidates: outputs that end now (sentence, ids, log-probability), the K prefixes that go on, and the
    rows these continue. As usual, an end counts only among the K best candidates, or where it is greedy's."""
    b, k = beams.scores.shape
    ends = specials.ending(candidates.tokens)  # (B, C)
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


def _cut_off(pools: list[Pool], beams: _Beams, length: int) -> None:
    """Where no room is left, what is still written counts as it stands."""
    for row, sentence in enumerate(beams.sentences.tolist()):
        mine = pools[sentence]
        if mine.closed or mine.room > length:
            continue
        for ids, score in zip(beams.written[row].tolist(), beams.scores[row].tolist(), strict=True):
            if score > NEVER:
                mine.add(ids, score, length, ended=False)
        mine.closed = True


def _leave(
    pools: list[Pool], beams: _Beams, state: Any, last: Int[Tensor, "R"], settings: Generation
) -> tuple[_Beams, Any, Int[Tensor, "R2"]]:
    """Take the sentences that are done out of the batch, once it is worth a copy; those without room at once, as the
    model may know no position beyond."""
    k, length = settings.beams, beams.written.shape[2]
    likeliest_now = beams.scores.amax(1).tolist()
    ended = (beams.greedy == NOWHERE).tolist()
    sentences = beams.sentences.tolist()
    for sentence, value, greedy in zip(sentences, likeliest_now, ended, strict=True):
        pools[sentence].close(value, length, greedy)
    going = [row for row, sentence in enumerate(sentences) if not pools[sentence].closed]
    full = any(pools[sentence].room <= length for sentence in sentences)
    if going and not full and len(sentences) - len(going) <= len(sentences) // LEAVE:
        return beams, state, last
    rows = torch.tensor(going, dtype=torch.int64, device=last.device)
    if not going:
        return beams.keep(rows), state, last
    return beams.keep(rows), state.keep(rows), last.view(-1, k)[rows].flatten()
