"""A run or a checkpoint on the user's files, item by item: what `seqwise evaluate` would say of it, as `Scored`.

    classify     accuracy, or macro-F1
    translate    BLEU, or chrF
    summarize    ROUGE-L
    generate     nats a token, or perplexity

Systems are scored together, for what fits all of them is asked of all. A general set whose labels one of them does not
know, or whose labels one has an untrained head for, is asked of the representations, by a probe. Plain text is
foreseen, by models that write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seqwise.data import paired
from seqwise.data.text import read_lines
from seqwise.device import Precision
from seqwise.errors import ConfigError, DataError, SeqwiseError, nearest
from seqwise.tasks.foreseeing import surprise
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.weighing.overlap import Overlap, overlap
from seqwise.tasks.weighing.probe import probed, vectors
from seqwise.tasks.weighing.systems import System, items_of, open_system
from seqwise.verbs.weighing import slices
from seqwise.verbs.weighing.measures import (
    BETWEEN,
    Measured,
    Metric,
    chosen,
    compared,
    foreseen,
    known,
    labels,
    right_or_wrong,
)
from seqwise.verbs.weighing.rows import columns_beside
from seqwise.verdict.scored import TOKENS, Scored, signed

TABLES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".tmx")
PROBE = "accuracy of a probe"
DOCUMENTS = 30  # between blank lines, below which lines count each for itself


def score_model(
    model: str,
    test: Sequence[str],
    part: str = "test",
    *,
    metric: Metric = "auto",
    like: str | None = None,
    system: str = "tuned",
    general: bool = False,
    device: str = "auto",
    precision: Precision = "auto",
) -> Scored:
    """One model on one set. Two are better scored by `scored`, which asks of both what fits both.

    like   the run of `seqwise tune` as which the model is asked
    """
    opened = open_system(model, like, device, precision)
    return scored({system: opened}, test, part, metric, general=general)[system]


def scored(
    systems: Mapping[str, System],
    test: Sequence[str],
    part: str = "test",
    metric: Metric = "auto",
    *,
    cluster: str | None = None,
    general: bool = False,
    probe: bool = False,
) -> dict[str, Scored]:
    """Each system by its name in the report, on the same set.

    cluster   a column that says what belongs together
    general   whether the set is of something else than the task, so that a probe may be asked
    probe     ask it of labels in any case, as others were asked that these shall be compared with
    """
    known(metric)
    paths = [str(path) for path in test]
    if _plain(paths, systems):
        return {name: _foreseen(name, system, paths, part, metric) for name, system in systems.items()}
    read = {name: _items(system, paths, cluster, general) for name, system in systems.items()}
    if general and (probe or _needs_probe(systems, read)) and all(one.labelled for one in read.values()):
        return {name: _probed(name, system, read[name], part, paths) for name, system in systems.items()}
    return {name: score_items(name, system, read[name], part, metric, paths) for name, system in systems.items()}


def _items(system: System, paths: Sequence[str], cluster: str | None, general: bool) -> Items:
    """With what belongs together; a general set need not have the column that the test set has."""
    try:
        found = items_of(system, paths, cluster)
    except SeqwiseError:
        if cluster is None or not general:
            raise
        found = items_of(system, paths)
    if system.task != "generate" or found.groups or any(map(_is_table, paths)):
        return found
    _, places, documents = _lines(paths)
    of = dict(zip(places, documents, strict=True))
    return replace(found, groups=_clusters([of.get(place, place) for place in found.places]))


def needs_probe(system: System, test: Sequence[str], cluster: str | None = None) -> bool:
    """Whether the labels of a general set cannot be asked of a system, so that all have to be asked by a probe."""
    paths = [str(path) for path in test]
    if _plain(paths, {"": system}):
        return False
    items = _items(system, paths, cluster, True)
    return items.labelled and _needs_probe({"": system}, {"": items})


def ungrouped(sets: Mapping[str, Scored], column: str | None) -> list[str]:
    """A note for each set that lacks the column that says what belongs together."""
    lacking = [part for part, one in sets.items() if column is not None and not one.clusters]
    return [f"{part} has no column {column}, so that each of its items counts by itself" for part in lacking]


def seen(system: System, test: Sequence[str], part: str, keys: frozenset[str]) -> Overlap:
    """How much of a set a run has learnt from; refused beyond one text in a hundred. keys: of `overlap.learnt`."""
    paths = [str(path) for path in test]
    if _plain(paths, {"": system}):
        lines, places, _ = _lines(paths)
        return overlap(part, lines, places, keys)
    items = items_of(system, paths)
    return overlap(part, items.asked, items.places, keys)


def score_items(
    name: str, system: System, items: Items, part: str, metric: Metric = "auto", paths: Sequence[str] = ()
) -> Scored:
    """Items that were read already. paths: where further columns of them stand."""
    if system.job is None:
        given = f"{system.name}, which has no head for a task"
        raise ConfigError(given, "a model that does something", "a run of seqwise tune as the second, or --general")
    how, columns = chosen(metric, system.task), further(system, items, paths)
    if system.task == "classify":
        names = _must_name(items, system.labels, part)
        back = {model: file for file, model in reversed(names.items())}
        answers = system.job.answers(replace(items, wanted=tuple(names[one] for one in items.wanted)))
        outputs = tuple(back.get(one, one) for one in answers.outputs)
        return made(name, part, labels(how, outputs, items.wanted), items, outputs, columns)
    answers = system.job.answers(items)
    if system.task == "generate":
        found = foreseen(how, answers.losses, answers.tokens, f"{TOKENS}{sum(answers.tokens):,}")
        return made(name, part, found, items, (), columns)
    return made(name, part, compared(how, answers.outputs, items.right), items, answers.outputs, columns)


def made(
    name: str, part: str, found: Measured, items: Items, outputs: Sequence[str], columns: Mapping[str, tuple[str, ...]]
) -> Scored:
    """The values of items, with all that is known of these. columns: of `further`."""
    ids = _ids(columns.get("id", ()), len(items))
    references = tuple(BETWEEN.join(row) for row in items.right) if any(items.wanted) else ()
    others = {name: values for name, values in columns.items() if name != "id"}
    return Scored(
        name,
        part,
        found.measure,
        ids,
        found.values,
        signed(ids, references, items.texts),
        None,
        tuple(outputs),
        references,
        items.texts,
        items.groups,
        slices.of_items(items.texts, items.wanted if items.labelled else (), others),
    )


def further(system: System, items: Items, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns of the files beside those that the task reads."""
    data = system.settings.data
    if items.conversations is not None:
        taken: tuple[str, ...] = ("messages", "conversations", "instruction", "input", "output", "text", "prompt")
        taken = (*taken, "completion", *(name for name in (data.source, data.target) if name))
    elif items.labelled:
        names = data.text if isinstance(data.text, tuple) else (data.text or "text",)
        usual = [name for pair in paired.NAMES for name in pair] if items.parted and not data.text else []
        taken = (*names, *usual, *([data.label] if data.label else paired.LABELS if usual else ["label"]))
    else:
        taken = data.source or "source", data.target or "target"
    return columns_beside(items.places, paths, taken)


def _ids(given: Sequence[str], count: int) -> tuple[str, ...]:
    """The file's own, where each item has another one; else the number of the item."""
    return tuple(given) if given and len(set(given)) == count else tuple(str(i) for i in range(1, count + 1))


def _names(items: Items, known: Sequence[str]) -> dict[str, str]:
    """The file's name of each label, and the model's: itself, or itself in another case."""
    lower = {name.casefold(): name for name in reversed(known)}
    found = {one: one if one in known else lower.get(one.casefold()) for one in dict.fromkeys(items.wanted)}
    return {one: name for one, name in found.items() if name is not None}


def _must_name(items: Items, known: Sequence[str], part: str) -> dict[str, str]:
    """The same; a label that the model does not know is refused."""
    names = _names(items, known)
    for label, place in zip(items.wanted, items.places, strict=True):
        if label not in names:
            allowed = "one of " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
            close = nearest(label, known)
            mend = f"writing {close} there" if close else f"giving {part} as --general, where a probe is asked"
            raise DataError(f"the label {label!r} in {part}", allowed, mend, place)
    return names


def _needs_probe(systems: Mapping[str, System], read: Mapping[str, Items]) -> bool:
    """Whether the labels of a set cannot be asked of all systems as they are."""
    for name, system in systems.items():
        able = system.job is not None and not system.fresh
        if not able or not set(read[name].wanted) <= _names(read[name], system.labels).keys():
            return True
    return False


def _probed(name: str, system: System, items: Items, part: str, paths: Sequence[str]) -> Scored:
    """What the representation knows of the labels."""
    outputs = probed(vectors(system, items.asked), items.wanted)
    right = labels("accuracy", outputs, items.wanted).values
    found = Measured(right_or_wrong(PROBE, "probe|folds:5|mean of tokens|logistic regression"), right)
    return made(name, part, found, items, outputs, further(system, items, paths))


def _plain(paths: Sequence[str], systems: Mapping[str, System]) -> bool:
    """Whether the files are text without columns, which is foreseen. Two files side by side are pairs for those that
    rewrite; models that generate read texts themselves."""
    tables = list(map(_is_table, paths))
    tasks = {system.task for system in systems.values() if system.job is not None}
    if not paths or any(tables) or tasks == {"generate"} or (len(paths) == 2 and tasks & {"translate", "summarize"}):
        return False
    for system in systems.values():
        if not system.writes:
            given = f"the plain text {paths[0]} for {system.name}"
            raise ConfigError(given, "a model that foresees text, a decoder", "a table with columns of the task")
    return True


def _is_table(path: str) -> bool:
    return Path(path.lower().removesuffix(".gz")).suffix in TABLES


def _clusters(documents: Sequence[str]) -> tuple[str, ...]:
    """Documents that stand for clusters; nothing where they are few, or each line is one."""
    return tuple(documents) if DOCUMENTS <= len(set(documents)) < len(documents) else ()


def _lines(paths: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Lines that are not empty, where each stands, and the document it is of: what lies between blank lines."""
    texts, places, documents, count = [], [], [], 0
    for path in paths:
        before = True
        for number, line in enumerate(read_lines(path), 1):
            if not line.strip():
                before = True
                continue
            count, before = count + before, False
            texts.append(line)
            places.append(f"{path}:{number}")
            documents.append(str(count))
    if not texts:
        raise DataError("no text", "lines to foresee", "another file", ", ".join(paths))
    return tuple(texts), tuple(places), tuple(documents)


def _foreseen(name: str, system: System, paths: Sequence[str], part: str, metric: Metric) -> Scored:
    """How surprising plain text is, line by line."""
    if system.opened is None:
        raise TypeError("what foresees text is opened")
    if metric not in ("auto", "loss", "perplexity"):
        metric = "auto"  # that of the task, which plain text has none of
    texts, _, documents = _lines(paths)
    found = surprise(system.opened, texts)
    measured = foreseen(
        "loss" if metric == "loss" else "perplexity", found.nats, found.tokens, f"{TOKENS}{sum(found.tokens):,}"
    )
    ids = _ids((), len(texts))
    return Scored(
        name,
        part,
        measured.measure,
        ids,
        measured.values,
        signed(ids, (), texts),
        texts=texts,
        clusters=_clusters(documents),
        slices=slices.of_items(texts),
    )
