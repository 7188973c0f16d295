"""Worlds whose truth is known, to see whether the statistics of `seqwise weigh` keep what they promise in them.

Answers of which a share changes; losses of which the tuned model's are wider, so that differences are skewed;
documents of 4 to 18 items with a correlation of 0.3; forecasts from successive origins, whose differences share all
steps of the horizon but one with their neighbour's; seeds with luck of their own, on all items and on single ones;
seeds of which hardly an item flips, with losses for good and such of a single seed; documents without one;
BLEU of sentences of the phrasebook with words dropped, doubled, moved and mistaken; macro-F1 and perplexity.

Left out: the data curve, whose worlds are points and not items (`calibration.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from seqwise.data.phrasebook import phrasebook
from seqwise.metrics.text import counted
from seqwise.verbs.weighing.measures import f1
from seqwise.verdict.scored import Measure

# W worlds, S seeds, N items, C counts of an item, D documents

SEED = 20
DOCUMENTS = (4, 6, 10, 12, 18)  # items of each, over and over, where they are not 10 each
ALIKE = 0.3  # correlation of two items of a document
RIGHT = Measure("accuracy", "right")
LOSS = Measure("loss", "score", "nats", lower=True)
MAE = Measure("MAE", "score", "MAE", lower=True)

Chance = np.random.Generator
Pair = tuple[np.ndarray, np.ndarray]  # of base and tuned, (W, S, N) or (W, S, N, C); one S may be 1
Make = Callable[[Chance, int, float], Pair]


@dataclass(frozen=True)
class Kind:
    """Worlds of one kind."""

    name: str
    n: str
    measure: Measure
    make: Make
    """So many worlds with a true difference, tuned minus base, in the unit of the effect."""
    margin: float
    """Whose loss has to be noticed."""
    some: float
    """A difference for coverage where nothing is called detectable."""
    most: float = np.inf
    """The largest difference that such worlds can have."""
    clusters: tuple[str, ...] = ()
    ahead: int = 0
    """Steps that forecasts from successive origins look ahead."""
    spreads: bool = False
    """Whether a difference changes how far items scatter, and with it what is detectable."""
    rare: bool = False
    """Whether so little flips that only false alarms and the margin are asked."""
    peer: str = "unpaired z"
    """Who else is asked; nobody of scores that neither can test."""


def kinds() -> Iterator[Kind]:
    """Every kind of worlds."""
    for n, changed in ((30, 0.1), (30, 0.2), (200, 0.05), (200, 0.1), (200, 0.2), (1000, 0.05), (1000, 0.2)):
        make = partial(answers, n=n, changed=changed)
        margin = 3.0 if n < 1000 else 1.5
        yield Kind(f"right or wrong, {changed:.0%} change", f"{n:,}", RIGHT, make, margin, 50 * changed, 100 * changed)
    for n in (30, 200, 1000):
        yield Kind("losses", f"{n:,}", LOSS, partial(losses, n=n), 2 / n**0.5, 0.2)
    for count, sizes in product((5, 30), ((10,), DOCUMENTS)):
        documents = np.repeat(np.arange(count), np.resize(sizes, count))
        told = f"{count} x {'10' if len(sizes) == 1 else f'{min(sizes)}-{max(sizes)}'}"
        clusters = tuple(map(str, documents))
        make = partial(answers, n=len(documents), changed=0.2, documents=documents)
        yield Kind("clusters, right or wrong", told, RIGHT, make, 8.0, 10.0, 20.0, clusters, spreads=True)
        make = partial(losses, n=len(documents), documents=documents)
        yield Kind("clusters, losses", told, LOSS, make, 0.3, 0.2, clusters=clusters)
    for n, ahead in ((30, 1), (200, 1), (60, 6), (200, 6), (72, 24), (240, 24)):
        make = partial(forecasts, n=n, ahead=ahead)
        yield Kind(f"forecasts, {ahead} ahead", f"{n:,}", MAE, make, 2 * (ahead / n) ** 0.5, 0.2, ahead=ahead)
    for count in (3, 5):
        told = f"{count} seeds x 200"
        make = partial(seeded_answers, n=200, seeds=count)
        yield Kind("seeds, right or wrong", told, RIGHT, make, 5.0, 5.0, 25.0, spreads=True)
        yield Kind("seeds, losses", told, LOSS, partial(seeded_losses, n=200, seeds=count), 0.2, 0.1)
    for count, lasting, luck in ((2, 1.0, 0.01), (3, 0.76, 0.0), (3, 0.6, 0.0), (3, 0.76, 0.01), (5, 0.76, 0.0)):
        name = f"seeds, few flips, {lasting:.0%} last" + (f", {luck:.0%} luck" if luck else "")
        make = partial(seeded_flips, n=200, seeds=count, lasting=lasting, luck=luck)
        yield Kind(name, f"{count} seeds x 200", RIGHT, make, 1.0, 1.0, rare=True, peer="")
    documents = np.repeat(np.arange(5), 200)
    make = partial(answers, n=len(documents), changed=0.01, documents=documents)
    yield Kind("clusters, few flips", "5 x 200", RIGHT, make, 1.0, 1.0, clusters=tuple(map(str, documents)), rare=True)
    bleu = Measure("BLEU", "counts", "BLEU", score=pool()[0])
    yield Kind("counts, BLEU", "200", bleu, partial(translations, n=200), 2.0, 2.0, 20.0, peer="sacrebleu bs")
    macro = Measure("macro-F1", "counts", score=f1)
    yield Kind("counts, macro-F1", "200", macro, partial(labels, n=200), 4.0, 4.0, 20.0, spreads=True, peer="")
    surprise = Measure("perplexity", "counts", "perplexity", lower=True, score=perplexity)
    yield Kind("counts, perplexity", "200", surprise, partial(surprises, n=200), 1.0, 1.0, spreads=True, peer="")


def answers(
    chance: Chance, worlds: int, difference: float, n: int, changed: float, documents: np.ndarray | None = None
) -> Pair:
    """Right or wrong; items that change go one way or the other. An item of a document does as the document with such
    a chance that two of them are alike as often as they should be."""
    gained = (changed + difference / 100) / 2
    edges = np.cumsum([gained, changed - gained, 0.75 * (1 - changed)])
    drawn = np.searchsorted(edges, chance.random((worlds, n)))  # (W, N): gained, lost, both right, both wrong
    if documents is not None:
        common = np.searchsorted(edges, chance.random((worlds, documents.max() + 1)))[:, documents]
        drawn = np.where(chance.random((worlds, n)) < ALIKE**0.5, common, drawn)
    both = drawn == 2
    return ((drawn == 1) | both)[:, None], ((drawn == 0) | both)[:, None]


def forecasts(chance: Chance, worlds: int, difference: float, n: int, ahead: int) -> Pair:
    """Errors, 4 on average; both kinds of luck go through all origins that share a step."""

    def moving(sd: float) -> np.ndarray:
        sums = np.cumsum(chance.standard_normal((worlds, 1, n + ahead)), axis=2)
        found: np.ndarray = sd * (sums[..., ahead:] - sums[..., :-ahead]) / ahead**0.5
        return found

    base = 4 + moving(1.0)
    return base, base + moving(1.0) + difference


def losses(chance: Chance, worlds: int, difference: float, n: int, documents: np.ndarray | None = None) -> Pair:
    """Nats an item, 2 on average: what makes an item hard is common to both models."""
    hard = chance.gamma(2.0, size=(worlds, 1, n))

    def spread(sd: float) -> np.ndarray:
        z = chance.standard_normal((worlds, 1, n))
        if documents is not None:
            common = chance.standard_normal((worlds, 1, documents.max() + 1))[..., documents]
            alike = 1.5 * ALIKE  # that of the differences is 2/3 of it, as items of a document are not equally hard
            z = alike**0.5 * common + (1 - alike) ** 0.5 * z
        factor: np.ndarray = np.exp(sd * z - sd * sd / 2)  # 1 on average
        return factor

    return hard * spread(0.25), hard * spread(0.35) + difference


def seeded_answers(chance: Chance, worlds: int, difference: float, n: int, seeds: int) -> Pair:
    """Right if ability, item and the luck of the moment are above 0 together; both models were trained so often."""
    luck, moment = 0.1, 0.5
    wide = (1 + luck**2 + moment**2) ** 0.5
    common = chance.standard_normal((worlds, 1, n))

    def of(share: float) -> np.ndarray:
        items = 0.9**0.5 * common + 0.1**0.5 * chance.standard_normal((worlds, 1, n))
        ability = wide * ndtri(share) + luck * chance.standard_normal((worlds, seeds, 1))
        right: np.ndarray = ability + items + moment * chance.standard_normal((worlds, seeds, n)) > 0
        return right

    return of(0.7), of(0.7 + difference / 100)


def seeded_losses(chance: Chance, worlds: int, difference: float, n: int, seeds: int) -> Pair:
    """One base, tuned so often."""

    def spread(sd: float, *shape: int) -> np.ndarray:
        factor: np.ndarray = np.exp(sd * chance.standard_normal((worlds, *shape)) - sd * sd / 2)
        return factor

    hard = chance.gamma(2.0, size=(worlds, 1, n))
    tuned = hard * spread(0.25, 1, n) * spread(0.04, seeds, 1) * spread(0.1, seeds, n)
    return hard * spread(0.2, 1, n), tuned + difference


def seeded_flips(
    chance: Chance, worlds: int, difference: float, n: int, seeds: int, lasting: float, luck: float
) -> Pair:
    """One base, tuned so often. Of what is lost so much is lost for good, the rest by each seed anew; luck: the share
    of items that flip in a seed either way."""
    lost = -difference / 100
    good = chance.random((worlds, 1, n)) < lasting * lost
    once = chance.random((worlds, seeds, n)) < (1 - lasting) * lost
    flips = chance.random((worlds, seeds, n)) < luck
    fallen = good | once
    base = (chance.random((worlds, 1, n)) < 0.5) | fallen.any(1, keepdims=True)
    return base, (base ^ flips) & ~fallen


@cache
def pool() -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """BLEU of sums, and the counts of sentences by four systems: two alike, a better and a worse one. (4, N, C)"""
    chance = np.random.default_rng(SEED)
    wanted = phrasebook(0, 4000).train.targets[:3000]
    words = sorted({word for text in wanted for word in text.split()})
    hard = chance.beta(1.5, 4.0, len(wanted))  # share of words that go wrong, common to all systems
    systems = [
        [garbled(chance, text.split(), share * times, words) for text, share in zip(wanted, hard, strict=True)]
        for times in (1.0, 1.0, 0.5, 1.5)
    ]
    found = [counted("bleu", outputs, wanted) for outputs in systems]
    return found[0].score, np.stack([one.counts for one in found])


def garbled(chance: Chance, words: list[str], share: float, vocabulary: list[str]) -> str:
    """A sentence with mistakes."""
    out: list[str] = []
    for word in words:
        if chance.random() >= share:
            out.append(word)
            continue
        match chance.integers(4):
            case 0:
                out.append(vocabulary[chance.integers(len(vocabulary))])
            case 1:
                out.extend((word, word))
            case 2:
                out.insert(max(0, len(out) - 1), word)
    return " ".join(out) or words[0]


def translations(chance: Chance, worlds: int, difference: float, n: int) -> Pair:
    """Two systems whose outputs may be swapped; then some of the second's are those of a better or a worse one."""
    score, counts = pool()
    places, swap = chance.integers(counts.shape[1], size=(worlds, n)), chance.random((worlds, n)) < 0.5
    first, second = (counts[np.where(swap, one, 1 - one), places] for one in (0, 1))
    other = 2 if difference > 0 else 3
    whole = counts.sum(1)
    plain = (whole[0] + whole[1]) / 2

    def off(mixed: float) -> float:
        low, high = score(np.stack([plain, (1 - mixed) * plain + mixed * whole[other]]))
        return float(high - low - difference)

    mixed = float(brentq(off, 0, 1)) if difference else 0.0
    taken = (chance.random((worlds, n)) < mixed)[..., None]
    return first[:, None], np.where(taken, counts[other, places], second)[:, None]


def labels(chance: Chance, worlds: int, difference: float, n: int) -> Pair:
    """Three classes of unequal size; the tuned model mends, or spoils, some of the items. Hits, misses, alarms."""
    sizes = np.array([0.6, 0.3, 0.1])
    true, hard = chance.choice(3, (worlds, n), p=sizes), chance.beta(4.0, 1.5, (worlds, n))
    usual = 4.0 / 5.5

    def macro(right: float) -> float:
        alarms = (1 - sizes) * (1 - right) / 2
        return 100 * float(np.mean(2 * sizes * right / (sizes * (1 + right) + alarms)))

    accuracy = float(brentq(lambda right: macro(right) - macro(usual) - difference, 0.01, 0.999))
    times = (1 - accuracy) / (1 - usual)  # of the chance to be wrong
    change = 1 - times * (1 - hard) if times < 1 else hard * accuracy / usual

    def of(chances: np.ndarray) -> np.ndarray:
        right = chance.random((worlds, n)) < chances
        found = np.where(right, true, (true + chance.integers(1, 3, (worlds, n))) % 3)
        gold, given = np.eye(3)[true], np.eye(3)[found]
        hit = gold * given
        return np.concatenate([hit, gold - hit, given - hit], axis=-1)[:, None]  # (W, 1, N, 9)

    return of(hard), of(change)


def perplexity(sums: np.ndarray) -> np.ndarray:
    """Of nats and tokens."""
    found: np.ndarray = np.exp(sums[:, 0] / np.maximum(sums[:, 1], 1))
    return found


def surprises(chance: Chance, worlds: int, difference: float, n: int) -> Pair:
    """Texts of 5 to 60 tokens, 3 nats each, with a tail of texts that one of the models does not know."""
    tokens, hard = chance.integers(5, 60, (worlds, n)).astype(float), chance.normal(2.7, 0.5, (worlds, n))

    def of(more: float) -> np.ndarray:
        nats = tokens * (hard + chance.gamma(1.0, 0.3, (worlds, n)) + more)
        return np.stack([nats, tokens], axis=-1)[:, None]

    return of(0.0), of(float(np.log1p(difference / np.exp(3.0))))
