"""Who is weighed: a base, and systems of one seed or several, each with its scores by set.

Contender    scores by set, a seed each, and the runs that they come from
of_files     files of predictions
of_models    runs and checkpoints; runs that differ by their seed alone are one system
of_trials    the rows of a table of trials
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.files import check_paths
from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import joined
from seqwise.tasks.forecasting.stored import read_forecast
from seqwise.tasks.stored import is_forecast
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.overlap import learnt
from seqwise.tasks.weighing.systems import System, must_differ
from seqwise.verbs.weighing import keeping, predictions, slices, together
from seqwise.verbs.weighing.doubts import copies, doubts, must_be_of_a_kind, must_count_alike
from seqwise.verbs.weighing.doubts import must_differ as files_must_differ
from seqwise.verbs.weighing.held import Held
from seqwise.verbs.weighing.measures import Metric, are_truths, as_truth
from seqwise.verbs.weighing.models import needs_probe, scored, seen, ungrouped
from seqwise.verdict.scored import Scored
from seqwise.verdict.trials import Row

TEST = "test"
BASE = "base"
BETWEEN = "-_. "  # what stands between a name and the number of a seed
FORECAST = "forecast"
"""The task of a field of forecasters."""
Sets = Mapping[str, tuple[str, ...]]
"""Files by the name of the set."""


@dataclass(frozen=True)
class Contender:
    """A system, with all its seeds."""

    name: str
    parts: Mapping[str, tuple[Scored, ...]]
    """By set, a seed each."""
    runs: tuple[str, ...] = ()
    """Folders of the trainings, where they are known."""
    method: str = ""


@dataclass(frozen=True)
class Field:
    """All of them."""

    base: Contender
    tuned: tuple[Contender, ...]
    notes: tuple[str, ...] = ()
    held: Held | None = None
    """The models; None of files."""
    task: str = ""
    """Of the models."""
    twins: tuple[str, ...] = ()
    """Systems that were made as the base was, but for the seed."""


def are_files(words: Sequence[str]) -> bool:
    """Whether these are files of predictions rather than models; a mixture is refused."""
    kinds = {Path(word).is_file() for word in words}
    if len(kinds) > 1:
        check_paths([word for word in words if not Path(word).exists()])
        given = f"{next(word for word in words if Path(word).is_file())} beside a model"
        raise ConfigError(given, "files of predictions, or models", "seqwise predict MODEL, and its outputs as a file")
    return kinds == {True}


def of_files(base: str, tuned: Sequence[str], metric: Metric, general: Sets) -> Field:
    """Systems from files; general ones may stand in the same files, in a column `set`."""
    if general:
        given = "--general beside files of predictions"
        raise ConfigError(given, "general sets in the files, told by a column set", "seqwise weigh --help")
    title, *titles = together.titles((base, *tuned))
    files = zip((BASE, *named(titles)), (base, *tuned), strict=True)
    first, *others = _truths([predictions.read_predictions(path, metric, TEST, name) for name, path in files])
    found = Contender(BASE, _by_set(together.with_seed(title, first)), (base,))
    notes = dict.fromkeys((*_only(first), *copies(dict(zip(tuned, others, strict=True)))))
    for path, rows in zip(tuned, others, strict=True):
        notes.update(dict.fromkeys(_paired(found, path, rows)))
    joint = together.joint(titles, others)
    names = _apart(joint)
    contenders = [_joint(name, one.files, titles, tuned, others) for name, one in zip(names, joint, strict=True)]
    notes.update(dict.fromkeys(_seeded(contenders)))
    if TEST not in found.parts and len(found.parts) > 1:
        given = f"the sets {', '.join(found.parts)} in {base}"
        raise DataError(given, f"one of them called {TEST}, on which the gain is measured", "renaming it", base)
    found, *contenders = _sliced([found, *contenders], notes)
    like = together.twins((title, first), titles, others, joint)
    twins = tuple(one.name for one, twin in zip(contenders, like, strict=True) if twin)
    return Field(found, tuple(contenders), tuple(notes), twins=twins)


def _apart(systems: Sequence[together.Joint]) -> list[str]:
    """Different names; a file by itself keeps its own before those that are joined."""
    order = sorted(systems, key=lambda one: len(one.files) > 1)
    names = dict(zip((one.files for one in order), named([one.name for one in order]), strict=True))
    return [names[one.files] for one in systems]


def _paired(base: Contender, path: str, rows: tuple[Scored, ...]) -> list[str]:
    """What is to be told of a file beside that of the base; refused where they are no pair."""
    parts = _by_set(rows)
    for part in dict.fromkeys((*parts, *base.parts)):
        if part not in base.parts or part not in parts:
            there, lacking = (path, base.runs[0]) if part in parts else (base.runs[0], path)
            given = f"the set {part!r} in {there} and not in {lacking}"
            raise DataError(given, "the same sets in all files", f"adding its items to {lacking}")
    pairs = [(base.parts[part][0], several[0]) for part, several in parts.items()]
    files_must_differ(pairs)
    for pair in pairs:
        must_be_of_a_kind(*pair)
        must_count_alike(*pair)
    return list(doubts(pairs))


def _joint(
    name: str, places: Sequence[int], titles: Sequence[str], paths: Sequence[str], files: Sequence[Sequence[Scored]]
) -> Contender:
    """One system of one file, or of several that are of a seed each."""
    several = len(places) > 1
    rows = [one for i in places for one in (together.with_seed(titles[i], files[i]) if several else files[i])]
    return Contender(name, _by_set([replace(one, system=name) for one in rows]), tuple(paths[i] for i in places))


def _seeded(contenders: Sequence[Contender]) -> list[str]:
    """Which files were taken for one system; by their paths where several are called alike."""
    runs = [run for one in contenders for run in one.runs]
    alike = len({Path(run).name for run in runs}) < len(runs)
    return [
        f"{joined([run if alike else Path(run).name for run in one.runs])} are taken for {len(one.runs)} seeds of one "
        f"system, {one.name}"
        for one in contenders
        if len(one.runs) > 1
    ]


def _only(rows: Sequence[Scored]) -> list[str]:
    """That the one set of a file is the test set, whatever it is called."""
    parts = {one.part for one in rows}
    if len(parts) > 1 or TEST in parts:
        return []
    return [f"{parts.pop()} is the only set, and is taken for the test set; general sets stand beside a test set"]


def _sliced(every: Sequence[Contender], notes: dict[str, None]) -> list[Contender]:
    """All systems without the slices that are of their answers, of which notes are made."""
    dropped: dict[str, str] = {}
    for part in every[0].parts:
        dropped |= slices.of_answers([one for system in every for one in system.parts[part]])
    notes.update(dict.fromkeys(dropped.values()))
    return [
        replace(
            one,
            parts={part: tuple(slices.without(seed, dropped) for seed in seeds) for part, seeds in one.parts.items()},
        )
        for one in every
    ]


def of_models(
    base: str,
    tuned: Sequence[str],
    sets: Sets,
    metric: Metric,
    cluster: str | None = None,
    where: str = "auto",
) -> Field:
    """Models on files, one after the other, asked what fits all of them. sets: the first is the test."""
    held = Held(base, next((one for one in tuned if is_tuned(one)), None), where)
    first, probes, task = held.base, dict.fromkeys(sets, False), ""
    notes = _headless(first)
    for one in tuned:
        other = held.open(one)
        must_differ(first, other)
        task = task or other.task
        notes += _unseen(one, other, sets)
        for part, paths in sets.items():
            if part != TEST and not probes[part]:
                probes[part] = any(needs_probe(system, paths, cluster) for system in (first, other))
        del other  # lest it stays while the next one is opened
    found = {BASE: _asked(BASE, first, sets, metric, cluster, probes)}
    notes += ungrouped(found[BASE], cluster)
    for one in reversed(tuned):  # the last one is open still
        found[one] = _asked(one, held.open(one), sets, metric, cluster, probes)
    grouped = list(_alike(tuned).values())
    contenders = []
    for name, runs in zip(_titles(grouped), grouped, strict=True):
        parts = {part: tuple(_as(found[run][part], name, run) for run in runs) for part in sets}
        contenders.append(Contender(name, parts, tuple(runs), _method(runs[0])))
    drawn = _drawn(base, tuned)
    whole = Contender(BASE, {part: (replace(one, seed=drawn),) for part, one in found[BASE].items()}, (base,))
    twins = tuple(one.name for one in contenders if is_tuned(base) and len(_alike((base, *one.runs))) == 1)
    return Field(whole, tuple(contenders), tuple(notes), held, task, twins)


def _asked(
    name: str, system: System, sets: Sets, metric: Metric, cluster: str | None, probes: Mapping[str, bool]
) -> dict[str, Scored]:
    """One system on all sets. probes: whether a set is asked of the representations, for the sake of some system."""
    return {
        part: scored(
            {name: system}, paths, part, metric if part == TEST else "auto", cluster=cluster, general=part != TEST,
            probe=probes[part],
        )[name]
        for part, paths in sets.items()
    }  # fmt: skip


def of_trials(
    base: str, rows: Sequence[Row], folders: Mapping[str, Path], sets: Sets, metric: Metric,
    cluster: str | None = None, where: str = "auto",
) -> Field:  # fmt: skip
    """The finished trials on all data, a system for each method; `folders` by the name of the trial."""
    whole = [row for row in rows if row.measured and row.trial.fraction == 1]
    if not whole:
        told = next((row.error for row in rows if row.error), "none was run")
        raise DataError(f"no trial on all data that ended well ({told})", "one at least", "--resume")
    like = str(folders[whole[0].trial.name] / "run")
    held = Held(base, like, where)
    first, tuned = held.base, held.open(like)
    notes = [*_headless(first), *_unseen(like, tuned, sets)]
    probes = {part: part != TEST and bool(first.fresh) for part in sets}
    asked = _asked(BASE, first, sets, metric, cluster, probes)
    notes += ungrouped(asked, cluster)
    parts = {part: (one,) for part, one in asked.items()}
    contenders = []
    for method in dict.fromkeys(row.trial.method for row in whole):
        of = [row for row in whole if row.trial.method == method]
        found = [scores_of(row, folders[row.trial.name], method) for row in of]
        runs = tuple(str(folders[row.trial.name] / "run") for row in of)
        by_set = {part: tuple(one[part] for one in found) for part in sets}
        contenders.append(Contender(method, by_set, runs, method))
    return Field(Contender(BASE, parts, (base,)), tuple(contenders), tuple(notes), held, tuned.task)


def scores_of(row: Row, folder: Path, name: str) -> dict[str, Scored]:
    """What a trial scored, by set."""
    told = row.result or {}
    return {one["part"]: keeping.load(folder / one["file"], name, row.trial.seed) for one in told.get("scores", ())}


def _truths(files: Sequence[Sequence[Scored]]) -> list[tuple[Scored, ...]]:
    """Sets whose numbers are 0 and 1 alone in all files, as right or wrong."""
    whole = [one for rows in files for one in rows]
    truths = {part for part in {one.part for one in whole} if are_truths([one for one in whole if one.part == part])}
    return [tuple(as_truth(one) if one.part in truths else one for one in rows) for rows in files]


def _by_set(rows: Sequence[Scored]) -> dict[str, tuple[Scored, ...]]:
    found: dict[str, tuple[Scored, ...]] = {}
    for one in rows:
        found[one.part] = (*found.get(one.part, ()), one)
    if TEST not in found and len(found) == 1:
        ((_, only),) = found.items()
        return {TEST: tuple(replace(one, part=TEST) for one in only)}
    return found


def named(names: Sequence[str]) -> list[str]:
    """Different ones; `base` is taken."""
    found: list[str] = []
    for name in names:
        free = wanted = name if name != BASE else "tuned"
        count = 1
        while free in found:
            count += 1
            free = f"{wanted} {count}"
        found.append(free)
    return found


def _alike(tuned: Sequence[str]) -> dict[str, list[str]]:
    """Runs by their settings, but for seed and folder."""
    found: dict[str, list[str]] = {}
    for one in tuned:
        if is_tuned(one):
            made = read_tune(RunFolder.open(one))
            made = replace(
                made, out="", resume=False, overwrite=False, training=replace(made.training, seed=0, device="auto")
            )
            found.setdefault(to_yaml(made), []).append(one)
        else:
            found.setdefault(one, []).append(one)
    return found


def _titles(groups: Sequence[Sequence[str]]) -> list[str]:
    """What systems are called: by their method where that tells them apart, else by their folder."""
    methods = [_method(runs[0]) for runs in groups]
    if len(groups) > 1 and all(methods) and len(set(methods)) == len(methods):
        return methods
    return ["tuned"] if len(groups) == 1 else named([common_name(runs) for runs in groups])


def common_name(runs: Sequence[str]) -> str:
    """How folders of several seeds begin, full of full-1 and full-2; the name of the first where they have nothing."""
    names = [Path(one).name for one in runs]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = "".join(first for first, *_ in alike)
    if start == names[0] and len(set(names)) == 1:
        return names[0]
    start = start.rstrip("0123456789").rstrip(BETWEEN)  # lora-r8 of lora-r8-1 and lora-r8-10, whose 1 is of both
    return start.removesuffix("seed").rstrip(BETWEEN) or names[0]


def _method(run: str) -> str:
    return read_tune(RunFolder.open(run)).method if is_tuned(run) else ""


def seed_of(run: str) -> int | None:
    """Of a run of seqwise tune, or of a forecaster."""
    if is_forecast(run):
        return read_forecast(RunFolder.open(run)).training.seed
    return read_tune(RunFolder.open(run)).training.seed if is_tuned(run) else None


def _drawn(base: str, tuned: Sequence[str]) -> int | None:
    """The seed of a base that is a tuned run, and might have come out otherwise; None where others began with it."""
    begun = {Path(read_tune(RunFolder.open(one)).base).absolute() for one in tuned if is_tuned(one)}
    return seed_of(base) if is_tuned(base) and Path(base).absolute() not in begun else None


def _as(one: Scored, name: str, run: str) -> Scored:
    return replace(one, system=name, seed=seed_of(run))


def _unseen(run: str, opened: System, sets: Sets) -> list[str]:
    """Refuse sets that a run has learnt from; tell of few texts, and of what cannot be known."""
    keys = learnt(run)
    if keys is None:
        return [f"{run}: what it has learnt from is not known, so that the sets may hold some of it"]
    return [told for part, paths in sets.items() if (told := seen(opened, paths, part, keys).told)]


def _headless(base: System) -> list[str]:
    """A base that was never taught the labels is beaten by anybody."""
    if not base.fresh:
        return []
    return [f"{base.name} has no head for these labels: what it says on {TEST} is chance, so look at the cheap rivals"]
