"""Whether the statistics of `seqwise weigh` keep what they promise, in worlds whose truth is known.

    python bench/calibration.py [worlds] [kind] [seed]      2,000 worlds of every kind, which `_worlds.py` makes

kind: a part of its name, such as seeds. seed: another one makes other worlds.

    false alarms      how often a difference is told where there is none                      at most 6 %, nominally 5
    coverage          how often the 95 % interval holds the truth, without and with one       93 to 97 %
    non-inferiority   how often "nothing lost" is told where just the margin was lost         at most 6 %
    power at MDE      how often a difference as large as the least detectable one is found    78 to 82 %
    curve             how often the interval holds what twice the data truly gain             90 % or more

and of three systems against one another, which `_systems.py` makes:

    power of a pair   how often a difference as large as the least detectable one is found    78 % or more
    overlooked        how often "no difference that matters" is told of just the margin       at most 6 %

The difference that is planted is the root mean square of those that the worlds without one called detectable: of few
documents or seeds a single world knows its own spread badly, and it is the square that is right on average. (Where the
difference changes the spread itself, it is what worlds with that difference call so; of systems in several steps, until
worlds with the difference call just that so.) Where one world in ten calls nothing detectable there is no such row, and
coverage is that of a difference set by hand.

Beside it, on the same worlds: the z-test of two independent samples, as in lm-eval's model comparator, of the first
seed and blind to documents; and sacrebleu's paired bootstrap by its own code, on a quarter of the worlds as it takes
five times as long. `error` is the standard error that so many worlds leave; a row whose truth is 5 % is above
6 % by luck once in fifty runs.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import Result, _paired_bs_test
from scipy.special import ndtr

from _systems import contests, shares
from _work import tell
from _worlds import SEED, Chance, Kind, Pair, kinds
from seqwise.errors import DataError
from seqwise.stats.results import Test
from seqwise.verdict.aligned import aligned
from seqwise.verdict.curve import Point, doubling
from seqwise.verdict.effects import effect, weighed
from seqwise.verdict.generalization import generalization, no_worse
from seqwise.verdict.scored import Scored

# W worlds, S seeds, N items, C counts of an item, D documents

WORLDS, RESAMPLES = 2000, 1000
WHOLE = 5  # worlds of which the whole answer is asked, beside the test that it rests on
WANTED = {
    "false alarms": (0.0, 0.06),
    "coverage": (0.93, 0.97),
    "non-inferiority": (0.0, 0.06),
    "power at MDE": (0.78, 0.82),
    "curve": (0.9, 1.0),
    "power of a pair": (0.78, 1.0),
    "overlooked": (0.0, 0.06),
}
OURS = "seqwise"


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


def main(worlds: int = WORLDS, wanted: str = "", seed: int = SEED) -> None:
    """All kinds, or those with such a name."""
    begin, rows = time.perf_counter(), []
    print(f"{'':28}{'n':>18}  {'what':16}{'truth':>9}  {'method':16}{'share':>7} +- error   wanted", file=sys.stderr)
    for place, kind in enumerate(kinds()):
        if wanted in kind.name:
            for row in measured(kind, np.random.default_rng([seed, place]), worlds):
                rows.append(row)
                show(row)
    for place, contest in enumerate(contests()):
        if wanted in contest.name:
            for what, truth, hits, method in shares(contest, np.random.default_rng([seed, 100 + place]), worlds):
                rows.append(made(contest.name, contest.n, what, truth, hits, method))
                show(rows[-1])
    if wanted in "curve":
        for row in curves(np.random.default_rng(seed), worlds):
            rows.append(row)
            show(row)
    asked = [row for row in rows if row.met is not None]
    tell(
        bench="calibration",
        worlds=worlds,
        seed=seed,
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


def made(name: str, n: str, what: str, truth: str, hits: np.ndarray, method: str = OURS) -> Row:
    """A share of worlds, or its mean over pairs. hits: (W,)"""
    share = float(np.mean(hits))
    ends = WANTED.get(what) if method == OURS else None
    met = None if ends is None else ends[0] <= share <= ends[1]
    return Row(name, n, what, truth, method, share, float(np.std(hits) / len(hits) ** 0.5), len(hits), ends, met)


def measured(kind: Kind, chance: Chance, worlds: int) -> Iterator[Row]:
    """All rows of a kind of worlds."""

    row = partial(made, kind.name, kind.n)
    better = -1 if kind.measure.lower else 1
    same = kind.make(chance, worlds, 0.0)  # a test that is refused, as no two documents differ, tells no difference
    tests = [tested(kind, *one, seed) for seed, one in enumerate(each(same))]
    yield row("false alarms", "0", rejected(tests))
    if kind.peer:
        yield row("false alarms", "0", peer(kind, same), kind.peer)
    if kind.rare:
        yield ruled_out(kind, row, chance, worlds, better)
        return
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

    yield ruled_out(kind, row, chance, worlds, better)


def ruled_out(kind: Kind, row: Callable[..., Row], chance: Chance, worlds: int, better: int) -> Row:
    """How often a loss of just the margin is told to be none."""
    worse = kind.make(chance, worlds, -better * kind.margin)
    missed = np.array([unlost(kind, *one, seed < WHOLE) for seed, one in enumerate(each(worse))])
    return row("non-inferiority", f"{-better * kind.margin:+.3g}", missed)


def each(worlds: Pair) -> Iterator[Pair]:
    """World by world, (S, N) or (S, N, C) of both."""
    return zip(*worlds, strict=True)


def scored(kind: Kind, values: np.ndarray, system: str) -> Scored | list[Scored]:
    """As it is weighed: one model, or one of each seed."""
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
    count, name, start = (*sys.argv[1:], *("", "", "")[len(sys.argv) - 1 :])
    main(int(count or WORLDS), name, int(start or SEED))
