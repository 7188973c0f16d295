"""Weights between base and tuned, item by item: chosen on validation examples, tested once.

Each share is scored on the validation examples and on the general sets; the best on validation, of equals the one
nearer to the base, is scored on the test set, which no choice has seen. In fp32 on the processor, as `seqwise blend`
writes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import ConfigError
from seqwise.models.lora import LoraSettings
from seqwise.tasks.stored import read_settings
from seqwise.tasks.tuning.blending import Opening, blended, both, open_for_blending, put
from seqwise.tasks.tuning.items import Items, read_all
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.systems import System, items_of, of_tuned
from seqwise.verbs.weighing.measures import Metric
from seqwise.verbs.weighing.models import score_items, scored
from seqwise.verdict.scored import Scored

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Share:
    """One blend."""

    alpha: float
    """Share of the tuned weights."""
    valid: Scored
    general: tuple[Scored, ...] = ()


@dataclass(frozen=True)
class Blends:
    """All of them."""

    shares: tuple[Share, ...]
    chosen: float
    """The share that is best on validation."""
    test: Scored
    """Of the chosen one, the only one that was tested."""


def blends(
    base: str,
    tuned: str,
    alphas: Sequence[float] = SHARES,
    valid: Sequence[str] = (),
    test: Sequence[str] = (),
    general: Mapping[str, Sequence[str]] | None = None,
    metric: Metric = "auto",
    cluster: str | None = None,
    pick: Callable[[Sequence["Share"]], float] | None = None,
) -> Blends:
    """Score each share.

    valid     files to choose by; none: the run's own validation examples
    general   files of each general set, by its name
    pick      which share is tested; none: the best on validation, of equals the one nearer to the base
    """
    wrong = [one for one in alphas if not 0 <= one <= 1]
    if wrong or not alphas:
        given = f"--blend {wrong[0]:g}" if wrong else "--blend without a share"
        raise ConfigError(given, "shares from 0, the base, to 1, the tuned model", "--blend 0.25 0.5 0.75")
    if not is_tuned(tuned):
        raise ConfigError(f"--blend with {tuned}", "a run of seqwise tune as the second", "leaving it out")
    second = open_for_blending(tuned)
    first = open_for_blending(base, second)
    pairs = both(first, second)
    system = replace(_system(second), fresh=first.fresh)
    chosen_by = items_of(system, valid) if valid else _own_valid(tuned)
    shares = []
    for alpha in sorted(set(alphas)):
        put(second.model, blended(pairs, alpha))
        shares.append(_share(alpha, system, chosen_by, general or {}, metric, cluster))
    best = (pick or _best)(shares)
    put(second.model, blended(pairs, best))
    name = named(best)
    return Blends(tuple(shares), best, scored({name: system}, test, "test", metric, cluster=cluster)[name])


def named(alpha: float) -> str:
    """What a blend is called in the report."""
    return f"blend {alpha:g}"


def _share(
    alpha: float,
    system: System,
    valid: Items,
    general: Mapping[str, Sequence[str]],
    metric: Metric,
    cluster: str | None,
) -> Share:
    name = named(alpha)
    found = tuple(  # measured as the general sets of all systems are
        scored({name: system}, paths, part, cluster=cluster, general=True)[name] for part, paths in general.items()
    )
    return Share(alpha, score_items(name, system, valid, "validation", metric), found)


def _best(shares: Sequence[Share]) -> float:
    """The best score; of equals the share nearer to the base."""
    sign = -1.0 if shares[0].valid.measure.lower else 1.0
    return max(shares, key=lambda share: (sign * share.valid.value, -share.alpha)).alpha


def _system(tuned: Opening) -> System:
    """What is scored: the tuned model, whose weights are put in between."""
    settings = replace(read_tune(RunFolder.open(tuned.name)), method="full", lora=LoraSettings())
    if tuned.opened is not None:
        return of_tuned(tuned.name, tuned.opened, settings)
    if tuned.run is None or tuned.translator is None:
        raise TypeError("a run of ours has a folder")
    return of_tuned(tuned.name, (tuned.translator, read_settings(tuned.run)), settings)


def _own_valid(tuned: str) -> Items:
    """The validation examples of the run."""
    return read_all(read_tune(RunFolder.open(tuned))).valid
