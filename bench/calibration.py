"""Whether the statistics of `seqwise weigh` keep what they promise, in worlds whose truth is known.

    python bench/calibration.py [worlds] [kind]      2,000 worlds of every kind; kind: a part of its name, such as seeds

    false alarms      how often a difference is told where there is none                      at most 6 %, nominally 5
    coverage          how often the 95 % interval holds the truth, without and with one       93 to 97 %
    non-inferiority   how often "nothing lost" is told where just the margin was lost         at most 6 %
    power at MDE      how often a difference as large as the least detectable one is found    78 to 82 %
    curve             how often the interval holds what twice the data truly gain             90 % or more

The difference that is planted is the root mean square of those that the worlds without one called detectable: of few
documents or seeds a single world knows its own spread badly, and it is the square that is right on average. (Where the
difference changes the spread itself, it is what worlds with that difference call so.) Where one world in ten calls
nothing detectable there is no such row, and coverage is that of a difference set by hand.

Worlds: answers of which a share changes; losses of which the tuned model's are wider, so that differences are skewed;
documents of 4 to 18 items with a correlation of 0.3; forecasts from successive origins, whose differences share all
steps of the horizon but one with their neighbour's; seeds with luck of their own, on all items and on single ones;
BLEU of sentences of the phrasebook with words dropped, doubled, moved and mistaken; macro-F1 and perplexity.

Beside it, on the same worlds: the z-test of two independent samples, as in lm-eval's model comparator, of the first
seed and blind to documents; and sacrebleu's paired bootstrap by its own code, on a quarter of the worlds as it takes
five times as long. `error` is the standard error that so many worlds leave; a row whose truth is 5 % is above
6 % by luck once in fifty runs.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import product

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import Result, _paired_bs_test
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from _work import tell
from seqwise.data.phrasebook import phrasebook
from seqwise.errors import DataError
from seqwise.metrics.text import counted
from seqwise.stats.results import Test
from seqwise.verbs.weighing.measures import f1
from seqwise.verdict.aligned import aligned
from seqwise.verdict.curve import Point, doubling
from seqwise.verdict.effects import effect, weighed
from seqwise.verdict.generalization import generalization, no_worse
from seqwise.verdict.scored import Measure, Scored

# W worlds, S seeds, N items, C counts of an item, D documents

WORLDS, RESAMPLES, SEED = 2000, 1000, 20
DOCUMENTS = (4, 6, 10, 12, 18)  # items of each, over and over, where they are not 10 each
ALIKE = 0.3  # correlation of two items of a document
WHOLE = 5  # worlds of which the whole answer is asked, beside the test that it rests on
WANTED = {
    "false alarms": (0.0, 0.06),
    "coverage": (0.93, 0.97),
    "non-inferiority": (0.0, 0.06),
    "power at MDE": (0.78, 0.82),
    "curve": (0.9, 1.0),
}
OURS = "seqwise"
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
    peer: str = "unpaired z"
    """Who else is asked; nobody of scores that neither can test."""


@dataclass(frozen=True)
class Row:
    """One measured share."""

    kind: str
    n: str
    what: str
    truth: str
    """The true difference."""
    method: str
    share: float
    error: float
    worlds: int
    wanted: tuple[float, float] | None = None
    met: bool | None = None


def main(worlds: int = WORLDS, wanted: str = "") -> None:
    """All kinds, or those with such a name."""
    begin, rows = time.perf_counter(), []
    print(f"{'':28}{'n':>18}  {'what':16}{'truth':>9}  {'method':16}{'share':>7} +- error   wanted", file=sys.stderr)
    for place, kind in enumerate(kinds()):
        if wanted in kind.name:
            for row in measured(kind, np.random.default_rng([SEED, place]), worlds):
                rows.append(row)
                show(row)
    if wanted in "curve":
        for row in curves(np.random.default_rng(SEED), worlds):
            rows.append(row)
            show(row)
    asked = [row for row in rows if row.met is not None]
    tell(
        bench="calibration",
        worlds=worlds,
        resamples=RESAMPLES,
        seconds=time.perf_counter() - begin,
        met=sum(bool(row.met) for row in asked),
        asked=len(asked),
        missed=[f"{row.kind}, n {row.n}, {row.what} at {row.truth}" for row in asked if not row.met],
        rows=[asdict(row) | {"share": round(row.share, 4), "error": round(row.error, 4)} for row in rows],
    )


def show(row: Row) -> None:
    """One line for people."""
    ends = f"{row.wanted[0]:.0%} to {row.wanted[1]:.0%}" if row.wanted else ""
    said = {True: "met", False: "MISSED", None: ""}[row.met]
    share = f"{100 * row.share:6.2f} +- {100 * row.error:4.2f}"
    print(
        f"{row.kind:28}{row.n:>18}  {row.what:16}{row.truth:>9}  {row.method:16}{share}   {ends:12}{said}",
        file=sys.stderr,
        flush=True,
    )


def measured(kind: Kind, chance: Chance, worlds: int) -> Iterator[Row]:
    """All rows of a kind of worlds."""

    def row(what: str, truth: str, hits: np.ndarray, method: str = OURS) -> Row:
        share, n = float(np.mean(hits)), len(hits)
        ends = WANTED[what] if method == OURS else None
        met = None if ends is None else ends[0] <= share <= ends[1]
        error = float(np.sqrt(share * (1 - share) / n))
        return Row(kind.name, kind.n, what, truth, method, share, error, n, ends, met)

    better = -1 if kind.measure.lower else 1
    same = kind.make(chance, worlds, 0.0)  # a test that is refused, as no two documents differ, tells no difference
    tests = [tested(kind, *one, seed) for seed, one in enumerate(each(same))]
    yield row("false alarms", "0", rejected(tests))
    if kind.peer:
        yield row("false alarms", "0", peer(kind, same), kind.peer)
    yield row("coverage", "0", covered(tests, 0.0))

    least = detectable(tests)
    usual = least < kind.most
    planted = better * (least if usual else kind.some)
    apart = kind.make(chance, worlds, planted)
    tests = [tested(kind, *one, seed) for seed, one in enumerate(each(apart))]
    if usual and kind.spreads:
        planted = better * min(detectable(tests), kind.most)
        apart = kind.make(chance, worlds, planted)
        tests = [tested(kind, *one, seed) for seed, one in enumerate(each(apart))]
    yield row("coverage", f"{planted:+.3g}", covered(tests, planted))
    if usual:
        yield row("power at MDE", f"{planted:+.3g}", rejected(tests))
        if kind.peer:
            yield row("power at MDE", f"{planted:+.3g}", peer(kind, apart), kind.peer)

    worse = kind.make(chance, worlds, -better * kind.margin)
    missed = np.array([unlost(kind, *one, seed < WHOLE) for seed, one in enumerate(each(worse))])
    yield row("non-inferiority", f"{-better * kind.margin:+.3g}", missed)


def each(worlds: Pair) -> Iterator[Pair]:
    """World by world, (S, N) or (S, N, C) of both."""
    return zip(*worlds, strict=True)


def scored(kind: Kind, values: np.ndarray, system: str) -> Scored | list[Scored]:
    """As a session hands it over: one model, or one of each seed."""
    ids = tuple(map(str, range(values.shape[1])))
    seeds = [
        Scored(system, "test", kind.measure, ids, one, seed=seed, clusters=kind.clusters, ahead=kind.ahead)
        for seed, one in enumerate(values)
    ]
    return seeds if len(seeds) > 1 else seeds[0]


def tested(kind: Kind, base: np.ndarray, tuned: np.ndarray, seed: int) -> Test | None:
    """The effect and its test; None where it is refused."""
    try:
        return effect(scored(kind, base, "base"), scored(kind, tuned, "tuned"), resamples=RESAMPLES, seed=seed)
    except DataError:
        return None


def unlost(kind: Kind, base: np.ndarray, tuned: np.ndarray, whole: bool) -> bool:
    """Whether a loss of the margin is told to be ruled out. whole: ask for the answer itself, which takes long."""
    before, after, few = scored(kind, base, "base"), scored(kind, tuned, "tuned"), 40  # no draws in tests of a margin
    try:
        said = no_worse(weighed(aligned(before, after), resamples=few), kind.margin).rejected
    except DataError:
        said = False
    if whole and said is not (generalization({"": before}, {"": after}, kind.margin, resamples=few)[0].answer == "no"):
        raise AssertionError(f"{kind.name}: the answer is not that of the test")
    return said


def rejected(tests: list[Test | None]) -> np.ndarray:
    """Whether each tells a difference."""
    return np.array([test is not None and test.rejected for test in tests])


def detectable(tests: list[Test | None]) -> float:
    """Root mean square of what is called so, where nine in ten worlds call something so; else infinite."""
    told = [test.detectable.value for test in tests if test is not None and test.detectable is not None]
    finite = np.array([value for value in told if np.isfinite(value)])
    return float(np.sqrt(np.mean(finite**2))) if len(finite) > 0.9 * len(tests) else np.inf


def covered(tests: list[Test | None], truth: float) -> np.ndarray:
    """Whether each interval that is told holds the truth."""
    told = [test.effect.interval for test in tests if test is not None]
    return np.array([interval is not None and truth in interval for interval in told])


def peer(kind: Kind, worlds: Pair) -> np.ndarray:
    """Whether others tell a difference."""
    if kind.peer != "unpaired z":
        few = -(-len(worlds[0]) // 4)
        return np.array([bootstrapped(a[0], b[0]) < 0.05 for a, b in each((worlds[0][:few], worlds[1][:few]))])
    one, other = (values[:, 0].astype(float) for values in worlds)  # (W, N)
    n = one.shape[1]
    errors = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / n)
    z = (one.mean(1) - other.mean(1)) / np.where(errors > 0, errors, 1)
    found: np.ndarray = 2 * ndtr(-np.abs(z)) < 0.05
    return found


class Given(BLEU):
    """BLEU of sentences whose counts are known."""

    def _extract_corpus_statistics(self, hypotheses: list[list[int]], references: object) -> list[list[int]]:
        return hypotheses


def bootstrapped(base: np.ndarray, tuned: np.ndarray) -> float:
    """p of sacrebleu's paired bootstrap. base, tuned: (N, C)"""
    metric, (one, other) = Given(), (values.astype(int).tolist() for values in (base, tuned))
    before = {"BLEU": (one, Result(metric._aggregate_and_compute(one).score))}
    found = _paired_bs_test(before, "tuned", other, None, {"BLEU": metric}, RESAMPLES, seed=12345)[1]
    return float(found["BLEU"].p_value)


# worlds ---------------------------------------------------------------------------------------------------------------


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
        yield Kind("clusters, right or wrong", told, RIGHT, make, 8.0, 10.0, 20.0, clusters, True)
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


def curves(chance: Chance, worlds: int) -> Iterator[Row]:
    """Power laws of all shapes: five sizes, three seeds; luck of seeds the same everywhere, or less with more data."""
    sizes = np.repeat(1000 * 2.0 ** np.arange(5), 3)
    for name, lessens in (("even luck of seeds", 0.0), ("luck that lessens", 0.5)):
        hits = []
        for _ in range(worlds):
            b, c, luck = chance.uniform(0.15, 1.0), chance.choice([0.0, 2.0, 10.0]), chance.uniform(0.1, 1.0)
            a = chance.uniform(10, 30) * 1000**b
            noise = luck * (sizes / sizes[-1]) ** -lessens * chance.standard_normal(len(sizes))
            points = [
                Point(int(n), seed % 3, float(max(0.0, e)))
                for seed, (n, e) in enumerate(zip(sizes, c + a * sizes**-b + noise, strict=True))
            ]
            gain = a * sizes[-1] ** -b * (1 - 2**-b)
            interval = doubling(points).interval
            hits.append(interval is not None and gain in interval)
        share = float(np.mean(hits))
        error = float(np.sqrt(share * (1 - share) / worlds))
        met = share >= WANTED["curve"][0]
        yield Row(f"curve, {name}", "5 sizes x 3 seeds", "curve", "", OURS, share, error, worlds, WANTED["curve"], met)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else WORLDS, sys.argv[2] if len(sys.argv) > 2 else "")
