"""A tuned run on data that it has not seen: read as its training files were, scored as its task is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from seqwise import device as devices
from seqwise.checkpoints.run import RunFolder
from seqwise.data.conversations import content_of
from seqwise.data.corpus import TextSettings
from seqwise.data.tokens import Vocabularies
from seqwise.decoding import Generation
from seqwise.metrics.likelihood import perplexity
from seqwise.metrics.text import AUTO
from seqwise.models.assemble import Model
from seqwise.stats.phrases import counted
from seqwise.tasks.judging import Judged, judge_outputs, judge_predictions, unwritable
from seqwise.tasks.places import placed
from seqwise.tasks.pretrained import Opened, generation
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import read_settings
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.answers import Answers
from seqwise.tasks.tuning.bases import OwnBase, PretrainedBase
from seqwise.tasks.tuning.checking import must_read
from seqwise.tasks.tuning.items import Items, known, read
from seqwise.tasks.tuning.jobs import Job, Labelling, Rewriting, Writing, cuts, job_for
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import BASE, open_tuned, read_facts, read_tune, usual_generation


def job_on(found: Opened | tuple[Translator, Train], folder: RunFolder, settings: Tune) -> Job:
    """The task of a run on its model, opened again."""
    facts, small = read_facts(folder), RunFolder(folder.path / BASE)
    if not isinstance(found, Opened):
        made, translator = read_settings(small), found[0]
        base = OwnBase(small, made, translator.vocabularies, translator.models[0], translator.device)
        return job_for(base, settings, facts.labels)
    if facts.kind == "pretrained":
        return job_for(PretrainedBase(found), settings, facts.labels, facts.single)
    made, words = read_settings(small), Vocabularies.load(small.path)
    own = OwnBase(small, made, words, cast(Model, found.model), found.device, opened=found)
    return job_for(own, settings, facts.labels)


def judge(
    run: str,
    test: Sequence[str],
    reading: Callable[[TextSettings], TextSettings],
    decoding: Callable[[Generation], Generation],
    where: str = "auto",
    precision: devices.Precision = "auto",
    resamples: int = 1000,
    metric: tuple[str, str, bool] = ("", AUTO, False),
) -> Judged:
    """Scores, and the worst items first.

    reading, decoding   what becomes of the run's own settings
    metric              bleu or rouge, or as the task has it; and BLEU's words and case
    """
    folder = RunFolder.open(run)
    settings = read_tune(folder)
    settings = replace(settings, data=reading(settings.data))
    notes: list[str] = []
    items = read(settings, test, notes)
    known(settings.task, {"the test examples": items}, read_facts(folder).labels)
    found = open_tuned(run, where, precision)
    told = generation(found.checkpoint) if isinstance(found, Opened) else found[1].generation
    usual = usual_generation(folder) or told
    settings = replace(settings, generation=decoding(usual))
    with placed(items.texts, items.places.__getitem__):
        job = job_on(found, folder, settings)
        must_read(job, items)
        answers = job.answers(items)
    notes += _shortened(job, items, settings)
    if read_facts(folder).pairs and not items.pairs:
        notes.append("single texts, for a run that was tuned on pairs of texts")
    judged = _judged(answers, items, settings, read_facts(folder).labels, resamples, metric)
    if answers.outputs and settings.task != "classify":
        words = found.words if isinstance(found, Opened) else found[0].vocabularies
        notes += unwritable(items.right, words.target)
    return replace(judged, notes=(*notes, *judged.notes))


def _judged(
    answers: Answers,
    items: Items,
    settings: Tune,
    labels: Sequence[str],
    resamples: int,
    metric: tuple[str, str, bool],
) -> Judged:
    """As the task is scored."""
    if settings.task == "classify":
        return _labels(answers, items, labels, resamples)
    if settings.task == "generate":
        return _surprise(answers, items, resamples)
    measure, tokenize, lowercase = metric
    rouge = measure == "rouge" or (not measure and settings.task == "summarize")
    return judge_outputs(
        answers.outputs, items.right, items.texts, "rouge" if rouge else "bleu", tokenize, lowercase, resamples
    )


def _shortened(job: Job, items: Items, settings: Tune) -> list[str]:
    """What the model could not read whole, and what it was not judged on for that reason."""
    if not isinstance(job, Labelling | Rewriting | Writing):
        return []
    notes = cuts(job.opened, None if isinstance(job, Rewriting) else settings.examples.longest)
    if isinstance(job, Writing) and job.task == "generate":
        masks = job.masked(items)
        notes += [f"the prompts of {counted(masks.cut, 'example')} were shortened"] if masks.cut else []
        left = len(masks.skipped)
        notes += [f"{counted(left, 'example')} left out, the first: {masks.skipped[0]}"] if left else []
    return notes


def _labels(answers: Answers, items: Items, labels: Sequence[str], resamples: int) -> Judged:
    true = np.array([labels.index(one) for one in items.wanted])
    if answers.logits is None:
        raise TypeError("labels are judged by their logits")
    return judge_predictions(answers.logits, true, labels, items.texts, resamples)


def _sizes(items: Items, said: Sequence[str]) -> list[int]:
    """Bytes of what is foreseen: of a conversation all answers that are learnt, not the last one alone."""
    if items.conversations is None:
        return [len(text.encode()) for text in said]
    return [
        len((one.text if one.text is not None else "".join(content_of(one.messages[k]) for k in one.learned)).encode())
        for one in items.conversations.items
    ]


def _surprise(answers: Answers, items: Items, resamples: int) -> Judged:
    """How well the answers are foreseen, or the texts."""
    said = [wanted or text for wanted, text in zip(items.wanted, items.texts, strict=True)]
    sizes = [size * bool(tokens) for size, tokens in zip(_sizes(items, said), answers.tokens, strict=True)]
    scores = perplexity(answers.losses, answers.tokens, sizes, resamples)
    rates = [nats / max(1, tokens) for nats, tokens in zip(answers.losses, answers.tokens, strict=True)]
    order = sorted(range(len(items)), key=lambda i: -rates[i])
    rows = tuple((str(i), f"{rates[i]:.4f}", str(answers.tokens[i]), said[i]) for i in order)
    return Judged(scores, rows, ("item", "nats a token", "tokens", "text"), ())
