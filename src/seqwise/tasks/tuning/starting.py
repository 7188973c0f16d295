"""From the settings of `seqwise tune` to a model and examples: all that can fail before the first file is written."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from seqwise import device as devices
from seqwise.checkpoints import hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.data.masking import shown
from seqwise.errors import CheckpointError, ConfigError, DataError, nearest
from seqwise.tasks.tuning.answers import Answers
from seqwise.tasks.tuning.bases import (
    Base,
    computed_in,
    known_labels,
    must_go_on,
    must_suit,
    open_base,
    own,
    prepare,
)
from seqwise.tasks.tuning.checking import checked, must_teach, told
from seqwise.tasks.tuning.items import Items, Read, known, labels_of, ours_named, read_all
from seqwise.tasks.tuning.jobs import Job, Labelling, Writing, cuts, job_for
from seqwise.tasks.tuning.memory import must_fit
from seqwise.tasks.tuning.outcome import BASE, answers_of_rivals
from seqwise.tasks.tuning.running import Material, encode
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import is_tuned, read_facts

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Start:
    """Where tuning begins."""

    base: Base
    job: Job
    material: Material
    labels: tuple[str, ...]

    @property
    def judged(self) -> Items:
        """What base, rivals and result are compared on."""
        return self.material.read.judged[0]

    @property
    def single(self) -> bool:
        """Whether labels are learnt of single texts by a checkpoint."""
        return isinstance(self.job, Labelling) and self.job.single

    @property
    def turns(self) -> bool:
        """Whether a decoder without a chat template learns conversations, in a layout of ours."""
        talks = self.material.read.train.conversations
        if not isinstance(self.job, Writing) or self.job.opened.words.template or talks is None:
            return False
        return any(one.messages and not one.bare for one in talks.items)


def gather(settings: Tune, folder: RunFolder | None, say: Say) -> Start:
    """Read data and model; `folder`: of a run that is resumed. Writes nothing."""
    _must_be_there(settings)
    read = read_all(settings)
    for note in read.notes:
        say(note)
    stored = read_facts(folder).labels if folder else ()
    labels = labels_for(settings, read, stored)
    must_fit(settings, labels)
    base = open_base(settings, labels, settings.training.seed)
    must_suit(base, settings)
    job = job_for(base, settings, labels, single=not read.train.pairs)
    for check in checked(job, read, stored):
        if check.level != "PASS":
            say(told(check))
    for note in ours_named(lambda: must_teach(job, read)):
        say(note)
    material = ours_named(lambda: encode(job, read, settings))
    for note in cuts(base.opened, settings.examples.longest) if base.opened else ():
        say(note)
    for note in prepare(base, settings):
        say(note)
    if base.fresh:
        say(f"head: {', '.join(base.fresh)} drawn anew, for the labels {', '.join(labels[:12])}")
    return Start(base, job, material, labels)


def _must_be_there(settings: Tune) -> None:
    """A model that is not there is told before gigabytes of data are read."""
    if own(settings.base):
        if not Path(settings.base).exists():
            raise _nowhere(settings.base)
        RunFolder.open(settings.base)
        if is_tuned(settings.base):
            raise ConfigError(
                f"{settings.base}, which was tuned already", "a checkpoint, or a run of seqwise train",
                f"seqwise export {settings.base} --to merged --out {settings.base}-merged first",
            )  # fmt: skip
        must_go_on(settings)
    else:
        hub.open_checkpoint(locate(settings.base, settings.revision))


def _nowhere(base: str) -> CheckpointError:
    """A folder that is not there, and one that may have been meant."""
    beside = Path(base).absolute().parent
    names = {path.name: str(Path(base).parent / path.name) for path in beside.glob("*/") if _is_model(path)}
    close = nearest(Path(base).name, names)
    return CheckpointError(
        given=f"there is no model {base}",
        allowed="a folder in the hub's format, a run of Seqwise, or owner/name on the hub",
        mend=names[close] if close else "the path of a folder that has a config.json or a config.yaml",
    )


def _is_model(folder: Path) -> bool:
    return hub.is_checkpoint(folder) or (folder / CONFIG).is_file()


def labels_for(settings: Tune, read: Read, stored: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What is told apart: as a run has it that is resumed, or as the examples do."""
    labels = stored or _labels(settings, read)
    known(settings.task, _parts(read), labels)
    return labels


def _parts(read: Read) -> dict[str, Items]:
    named = {"validation": read.valid, "test": read.test, "replayed": read.replay}
    return {f"the {name} examples": items for name, items in named.items() if items is not None}


def _labels(settings: Tune, read: Read) -> tuple[str, ...]:
    """Of the checkpoint, where it knows all that the examples have; else of the examples."""
    if settings.task != "classify":
        return ()
    found = labels_of(read.train)
    if len(found) < 2:
        raise DataError(
            f"one label only, {found[0]!r}, in all training examples",
            "two at least, to be told apart",
            "examples of the others",
            read.train.places[0],
        )
    if own(settings.base):
        there = known_labels(settings.base)
        return there if set(found) <= set(there) else found
    told = hub.open_checkpoint(locate(settings.base, settings.revision))
    return told.labels if told.head.task == "labels" and set(found) <= set(told.labels) else found


def before(start: Start, settings: Tune, say: Say) -> dict[str, Answers]:
    """What the untouched base and the cheap rivals answer."""
    judged, part = start.material.read.judged
    say(f"before: base and rivals answer {len(judged):,} {part} examples")
    training = settings.training
    dtype = devices.precision(training.precision, devices.pick(training.device))
    with computed_in(start.job.model, dtype):
        found = {BASE: start.job.answers(judged)}
    found |= answers_of_rivals(settings.task, start.material.read.train, judged)
    return found


@dataclass(frozen=True)
class Segments:
    """An example, cut where learnt and unlearnt tokens meet."""

    place: str
    segments: tuple[tuple[str, bool], ...]


def masks(start: Start, count: int) -> tuple[Segments, ...]:
    """The first examples, with what is learnt of them."""
    job, items = start.job, start.material.read.train
    few = items.select(range(min(count, len(items))))
    if isinstance(job, Writing):
        tokenizer = job.opened.words.target
        return tuple(
            Segments(few.places[one.item], tuple((part.text, part.trained) for part in shown(one, tokenizer)))
            for one in job.masked(few).examples
        )
    rows = zip(few.places, few.texts, few.wanted, strict=True)
    return tuple(Segments(place, ((text + "\n", False), (wanted, True))) for place, text, wanted in rows)


def kept(settings: Tune) -> Tune:
    """What stands in config.yaml."""
    return replace(settings, resume=False, overwrite=False, show_mask=0, find_lr=False)
