"""Which tokens may come next, as pure functions on logits: each returns logits with -inf where a token may not.

One is milder: `penalize` makes what is there already less likely, before anything is forbidden.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqwise.decoding.generation import Generation, Specials
from seqwise.errors import CheckpointError

NEVER = float("-inf")
NOTHING = -1  # where a shorter prompt than its neighbours has no token
BLOCK = 64  # logits that `likeliest` compares in one go
HEAD = 1024  # tokens among which those of `keep_top_p` are looked for first


def must_be_numbers(logits: Float[Tensor, "R V"]) -> None:
    """Refuse a model whose weights are broken, which would else write its first token without end, or nothing."""
    if bool(logits.isnan().any()):
        raise CheckpointError(
            given="a model whose next token has a chance that is no number (NaN)",
            allowed="weights that are finite",
            mend="--precision fp32, or the weights once more from where they came",
        )


def forbid(
    logits: Float[Tensor, "R V"],
    written: Int[Tensor, "_ t"],
    settings: Generation,
    specials: Specials,
    certain: Float[Tensor, "R"] | None = None,
    seen: Int[Tensor, "_ s"] | None = None,
) -> Float[Tensor, "R V"]:
    """Special tokens that are never written, the end token before its time, and repeated n-grams. Changes `logits`.

    seen      what was written with what stands before it, where n-grams of both count
    certain   the logit of the end token where nothing else is left: a row's normaliser, where outputs are ranked
    """
    for token in specials.forbidden:
        logits[:, token] = NEVER
    if written.shape[1] < settings.min_length:
        logits[:, specials.end] = NEVER
        for token in specials.also_end:
            logits[:, token] = NEVER
    seen = written if seen is None else seen
    if settings.no_repeat and seen.shape[1] >= settings.no_repeat:
        forbid_repeats(logits, seen, settings.no_repeat)
        stuck = logits.amax(1) == NEVER  # nothing is left: then the output ends
        value = torch.zeros_like(logits[:, 0]) if certain is None else certain.to(logits.dtype)
        logits[:, specials.end] = torch.where(stuck, value, logits[:, specials.end])
    return logits


def penalize(logits: Float[Tensor, "R V"], seen: Int[Tensor, "R s"], settings: Generation) -> Float[Tensor, "R V"]:
    """Tokens that the row has `seen`, however often, with their scores over the repetition penalty; in fp32.

    Keskar et al. 2019 (section 4.1) divide every score. A negative one is multiplied instead, as transformers does:
    divided by more than 1 it would grow.
    """
    logits = logits.float()
    seen = torch.where(seen == NOTHING, seen[:, -1:], seen)
    scores = logits.gather(1, seen)  # (R, s)
    penalty = settings.repetition_penalty
    return logits.scatter(1, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def context(
    inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], starts: Int[Tensor, "B"] | None, specials: Specials
) -> Int[Tensor, "B c"]:
    """What stands before the first token that is written: the start token, or a decoder's prompt with its last token,
    which `starts` holds. Rows end together: `NOTHING` stands before those of shorter prompts."""
    if starts is None:
        return lengths.new_full((len(lengths), 1), specials.start, dtype=torch.int64)
    places = torch.arange(inputs.shape[1], device=inputs.device) - (inputs.shape[1] - lengths[:, None])  # (B, S)
    rows = inputs.gather(1, places.clamp(min=0)).masked_fill(places < 0, NOTHING)
    return torch.cat((rows, starts[:, None]), 1)


def force(
    logits: Float[Tensor, "R V"], token: int, rows: Bool[Tensor, "R"], value: Float[Tensor, "R"]
) -> Float[Tensor, "R V"]:
    """Only this token in these rows, with the logit `value`: its normaliser makes it certain. Changes `logits`."""
    logits[rows] = NEVER
    logits[rows, token] = value[rows].to(logits.dtype)
    return logits


def forbid_repeats(logits: Float[Tensor, "R V"], written: Int[Tensor, "R t"], n: int) -> Float[Tensor, "R V"]:
    """Forbid each token that would complete an n-gram which the row has already. Changes `logits`.

    Rows may begin with `NOTHING`, which completes none: it stands before all tokens, and the last one is a token.
    """
    grams = written.unfold(1, n, 1)  # (R, t-n+1, n)
    last = written[:, written.shape[1] - (n - 1) :]  # (R, n-1)
    again = (grams[:, :, :-1] == last[:, None]).all(-1)  # (R, t-n+1)
    again &= grams[:, :, -1] != NOTHING
    row, place = again.nonzero(as_tuple=True)
    logits[row, grams[row, place, -1]] = NEVER
    return logits


def keep_top_k(logits: Float[Tensor, "R V"], k: int) -> Float[Tensor, "R V"]:
    """Only the k likeliest tokens; ties with the last of them stay."""
    if not 0 < k < logits.shape[1]:
        return logits
    return logits.masked_fill(logits < logits.topk(k, 1).values[:, -1:], NEVER)


def keep_top_p(logits: Float[Tensor, "R V"], p: float) -> Float[Tensor, "R V"]:
    """Only the likeliest tokens that together reach probability p, as few as possible (Holtzman et al. 2020)."""
    if p >= 1.0:
        return logits
    size = logits.shape[1]
    for few in (HEAD, size):  # to sort a large vocabulary takes longer than all else
        ordered, order = logits.topk(few, 1) if few < size else logits.sort(1, descending=True)  # (R, n)
        probabilities = (ordered - logits.logsumexp(1, keepdim=True)).exp()
        through = probabilities.cumsum(1)
        if few >= size or bool(((through[:, -1] >= p) | (ordered[:, -1] == NEVER)).all()):
            break
    dropped = through - probabilities >= p
    dropped[:, 0] = False
    return torch.full_like(logits, NEVER).scatter_(1, order, ordered.masked_fill_(dropped, NEVER))


def keep_min_p(logits: Float[Tensor, "R V"], p: float) -> Float[Tensor, "R V"]:
    """Only tokens at least p times as likely as the likeliest (Nguyen et al. 2024)."""
    if p <= 0.0:
        return logits
    return logits.masked_fill(logits < logits.amax(1, keepdim=True) + torch.tensor(p).log(), NEVER)


def draw(logits: Float[Tensor, "R V"], settings: Generation, generator: torch.Generator | None) -> Int[Tensor, "R"]:
    """One token a row, from what temperature and the three filters leave."""
    return torch.multinomial(probabilities(logits, settings), 1, generator=generator)[:, 0]


def probabilities(logits: Float[Tensor, "R V"], settings: Generation) -> Float[Tensor, "R V"]:
    """What is drawn from: softmax of what temperature and the three filters leave."""
    logits = logits.float()
    logits = logits - logits.amax(1, keepdim=True)  # below 0, so that no temperature, however low, makes infinities
    logits = keep_top_k(logits / settings.temperature, settings.top_k)
    return keep_min_p(keep_top_p(logits, settings.top_p), settings.min_p).softmax(1)


def likeliest(logits: Float[Tensor, "R V"], n: int) -> tuple[Float[Tensor, "R n"], Int[Tensor, "R n"]]:
    """`logits.topk(n)`, several times faster for a large vocabulary.

    The n largest lie in the n blocks with the largest maxima, and a maximum over blocks is one fast pass.
    """
    rows, size = logits.shape
    if size < 4 * BLOCK * n or logits.device.type != "cpu":
        return tuple(logits.topk(min(n, size), 1))  # type: ignore[return-value]
    whole = size // BLOCK * BLOCK
    blocks = torch.unflatten(logits[:, :whole], 1, (-1, BLOCK))  # (R, V/64, 64)
    if n == 1 and whole == size:
        best = blocks.amax(2).argmax(1, keepdim=True)  # (R, 1)
        inside = blocks.gather(1, best[:, :, None].expand(-1, -1, BLOCK))[:, 0]  # (R, 64)
        value, place = inside.max(1, keepdim=True)
        return value, place.add_(best, alpha=BLOCK)
    best = blocks.amax(2).topk(n, 1).indices  # (R, n)
    inside = blocks.gather(1, best[:, :, None].expand(-1, -1, BLOCK)).flatten(1)  # (R, 64 n)
    ids = (best[:, :, None] * BLOCK + torch.arange(BLOCK)).flatten(1)  # (R, 64 n)
    if whole < size:
        inside = torch.cat((inside, logits[:, whole:]), 1)
        ids = torch.cat((ids, torch.arange(whole, size).expand(rows, -1)), 1)
    values, places = inside.topk(n, 1)
    return values, ids.gather(1, places)


def normalisers(logits: Float[Tensor, "R V"]) -> Float[Tensor, "R"]:
    """`logits.logsumexp(1)` in fp32, three times faster: what log-softmax takes off a finite logit of each row."""
    one = logits[:, :BLOCK].argmax(1, keepdim=True)  # (R, 1)
    if bool((logits.gather(1, one) == NEVER).any()):  # all of these are forbidden
        one = likeliest(logits, 1)[1]
    taken = torch.log_softmax(logits, 1, dtype=torch.float32).gather(1, one)
    return (logits.gather(1, one).float() - taken)[:, 0]
