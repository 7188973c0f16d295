"""Worlds of three systems: how often one is called better that is not, or no different that is.

    contests    every kind of such worlds
    shares      what is asked of one: false alarms, coverage, power, and differences that are overlooked

False alarms are by worlds, of all pairs together: where none differ, and where the third is better by what can be
detected and the first two are told apart all the same, or a worse one is called better. Beside it each pair at 5 % by
itself, which is what Holm's correction is there for. Coverage and power are of single pairs, as their intervals and
what they call detectable are. The last one is better than both others by just the margin where "no difference that
matters" must not be told.

Left out: more than three systems, and several seeds of which systems have unlike numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from _worlds import ALIKE, DOCUMENTS, LOSS, RIGHT, Chance, pool
from seqwise.verdict.findings import Finding
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.systems import systems

# W worlds, S seeds, N items, C counts of an item

NAMES = ("one", "two", "three")
RESAMPLES = 1000
STEPS = 4  # halvings between a difference and what its worlds call detectable: of three seeds 9 points become 0.5

Makers = Callable[[Chance, int, float], list[np.ndarray]]
"""So many worlds, each system (W, S, N) or (W, S, N, C): the first two alike, the third ahead in the effect's unit."""
Share = tuple[str, str, np.ndarray, str]
"""What, the true difference, hits by worlds, and by which method."""


@dataclass(frozen=True)
class Contest:
    """Worlds of one kind."""

    name: str
    n: str
    measure: Measure
    make: Makers
    margin: float
    """What would matter."""
    clusters: tuple[str, ...] = ()
    spreads: bool = False
    """Whether a difference changes how far items scatter, and with it what is detectable."""


def contests() -> Iterator[Contest]:
    """Every kind of worlds."""
    for seeds in (1, 3):
        told = "200" if seeds == 1 else f"{seeds} seeds x 200"
        right, loss = partial(answers, n=200, seeds=seeds), partial(losses, n=200, seeds=seeds)
        yield Contest("systems, right or wrong", told, RIGHT, right, 8.0, spreads=True)
        yield Contest("systems, losses", told, LOSS, loss, 0.2)
    documents = np.repeat(np.arange(30), np.resize(DOCUMENTS, 30))
    make = partial(losses, n=len(documents), seeds=1, documents=documents)
    told = f"30 x {min(DOCUMENTS)}-{max(DOCUMENTS)}"
    yield Contest("systems, losses", told, LOSS, make, 0.2, tuple(map(str, documents)))
    bleu = Measure("BLEU", "counts", "BLEU", score=pool()[0])
    yield Contest("systems, BLEU", "200", bleu, partial(translations, n=200), 4.0, spreads=True)


def shares(contest: Contest, chance: Chance, worlds: int) -> Iterator[Share]:
    """All that is asked of a contest."""
    better = -1 if contest.measure.lower else 1
    ours = "seqwise"

    def made(difference: float) -> list[tuple[Finding, ...]]:
        return [asked(contest, world, seed) for seed, world in enumerate(zip(*contest.make(chance, worlds, difference),
                                                                            strict=True))]  # fmt: skip

    found = made(0.0)
    yield "false alarms", "0", np.array([any(one.answer == "yes" for one in world) for world in found]), ours
    alone = [any(one.test is not None and one.test.p < 0.05 for one in world) for world in found]
    yield "false alarms", "0", np.array(alone), "each pair at 5 %"
    yield "coverage", "0", covered(found, 0.0), ours
    yield "no difference", "0", np.mean([[one.answer == "no" for one in world] for world in found], axis=1), ours

    planted = detectable(found)
    for _ in range(STEPS * contest.spreads):
        planted = (planted + detectable(made(better * planted), NAMES[2:])) / 2
    planted *= better
    found = made(planted)
    told = f"{planted:+.3g}"
    wrong = [any(one.answer == "yes" and one.system != NAMES[2] for one in world) for world in found]
    yield "false alarms", told, np.array(wrong), ours
    yield "coverage", told, covered(found, planted), ours
    yield "power of a pair", told, of_third(found, "yes").mean(1), ours

    found = made(better * contest.margin)
    yield "overlooked", f"{better * contest.margin:+.3g}", of_third(found, "no").any(1), ours


def asked(contest: Contest, world: Sequence[np.ndarray], seed: int) -> tuple[Finding, ...]:
    """Each pair. world: (S, N) or (S, N, C) of each system"""
    ids = tuple(map(str, range(world[0].shape[1])))
    of = {
        name: [Scored(name, "test", contest.measure, ids, one, seed=number, clusters=contest.clusters)
               for number, one in enumerate(values)]
        for name, values in zip(NAMES, world, strict=True)
    }  # fmt: skip
    return systems(of, contest.margin, resamples=RESAMPLES, seed=seed)


def of_third(found: Sequence[Sequence[Finding]], answer: str) -> np.ndarray:
    """Whether this is told of the third and each other; that of "yes" only as far as it is the better one. (W, 2)"""
    third = NAMES[2]
    return np.array([
        [one.answer == answer and (answer == "no" or one.system == third)
         for one in world if third in (one.system, one.subject)]
        for world in found
    ])  # fmt: skip


def covered(found: Sequence[Sequence[Finding]], ahead: float) -> np.ndarray:
    """The share of the pairs whose interval holds the truth, by worlds."""
    truth = dict(zip(NAMES, (0.0, 0.0, ahead), strict=True))
    return np.array([
        np.mean([one.interval is not None and truth[one.system] - truth[one.subject] in one.interval for one in world])
        for world in found
    ])  # fmt: skip


def detectable(found: Sequence[Sequence[Finding]], among: Sequence[str] = NAMES) -> float:
    """Root mean square of what is called so, of pairs with one of these."""
    pairs = [one for world in found for one in world if one.system in among or one.subject in among]
    told = [one.test.detectable.value for one in pairs if one.test and one.test.detectable]
    return float(np.sqrt(np.mean(np.square(told))))


def answers(chance: Chance, worlds: int, ahead: float, n: int, seeds: int) -> list[np.ndarray]:
    """Right if ability, item and the luck of the moment are above 0 together; of several seeds each has luck."""
    luck, moment = 0.1 * (seeds > 1), 0.5
    wide = (1 + luck**2 + moment**2) ** 0.5
    common = chance.standard_normal((worlds, 1, n))

    def of(share: float) -> np.ndarray:
        items = 0.9**0.5 * common + 0.1**0.5 * chance.standard_normal((worlds, 1, n))
        ability = wide * ndtri(share) + luck * chance.standard_normal((worlds, seeds, 1))
        right: np.ndarray = ability + items + moment * chance.standard_normal((worlds, seeds, n)) > 0
        return right

    return [of(0.6), of(0.6), of(0.6 + ahead / 100)]


def losses(
    chance: Chance, worlds: int, ahead: float, n: int, seeds: int, documents: np.ndarray | None = None
) -> list[np.ndarray]:
    """Nats an item, 2 on average: what makes an item hard is common to all, as is part of a document's luck."""
    hard = chance.gamma(2.0, size=(worlds, 1, n))

    def spread(sd: float, z: np.ndarray) -> np.ndarray:
        factor: np.ndarray = np.exp(sd * z - sd * sd / 2)  # 1 on average
        return factor

    def of() -> np.ndarray:
        z = chance.standard_normal((worlds, 1, n))
        if documents is not None:
            shared = chance.standard_normal((worlds, 1, documents.max() + 1))[..., documents]
            z = (1.5 * ALIKE) ** 0.5 * shared + (1 - 1.5 * ALIKE) ** 0.5 * z
        made = hard * spread(0.25, z)
        if seeds > 1:
            made = made * spread(0.04, chance.standard_normal((worlds, seeds, 1)))
            made = made * spread(0.1, chance.standard_normal((worlds, seeds, n)))
        return made

    return [of(), of(), of() + ahead]


def translations(chance: Chance, worlds: int, ahead: float, n: int) -> list[np.ndarray]:
    """Each writes either of two outputs that are worth the same; the third at times that of a better system."""
    score, counts = pool()
    places = chance.integers(counts.shape[1], size=(worlds, n))
    plain, better = counts[:2].sum((0, 1)) / 2, counts[2].sum(0)

    def off(mixed: float) -> float:
        low, high = score(np.stack([plain, (1 - mixed) * plain + mixed * better]))
        return float(high - low - ahead)

    mixed = float(brentq(off, 0, 1)) if ahead else 0.0
    made = [counts[chance.integers(2, size=(worlds, n)), places] for _ in NAMES]
    taken = (chance.random((worlds, n)) < mixed)[..., None]
    made[2] = np.where(taken, counts[2, places], made[2])
    return [one[:, None] for one in made]
