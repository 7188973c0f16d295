"""What each task learns from its examples, and how its answers are scored. One trainer serves them all.

    Labelling      texts -> labels              an encoder or a decoder with a head for labels
    Writing        prompts -> what follows      a decoder: it translates, summarizes, answers, or goes on
    Rewriting      texts -> texts               an encoder-decoder of the hub
    Translating    texts -> texts               a run of ours (`translating.py`)

A job has examples as rows of ids, an objective, and answers to texts. Left out: the examples' text (`items.py`), and
what follows from the answers (`outcome.py`).
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqwise.data.batch import Rows
from seqwise.data.conversations import exchange
from seqwise.data.examples import Examples
from seqwise.data.masking import Masked, Masks, mask
from seqwise.data.paired import Text
from seqwise.decoding.reading import read_all
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.models.assemble import Pretrained
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import Labels
from seqwise.stats.phrases import counted
from seqwise.tasks.pretrained import Opened, fitting, generation
from seqwise.tasks.reading import Reader, Row, told_apart
from seqwise.tasks.tuning.answers import Answers, by_item, item_losses, steady, texts_answered
from seqwise.tasks.tuning.bases import Base, OwnBase
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.settings import Task, Tune
from seqwise.tasks.tuning.translating import Translating
from seqwise.tasks.writing import Manner, Rewriter, Writer, beginning
from seqwise.training.objectives import LabelObjective, Learning, NextTokenObjective, Objective, label_loss


class Job(Protocol):
    """A task on a model."""

    task: Task

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def packs(self) -> bool:
        """Whether its examples can lie end to end."""
        ...

    def examples(self, items: Items) -> Examples:
        """The items as rows of ids."""
        ...

    def objective(self, smoothing: float) -> Learning:
        """What is learnt."""
        ...

    def answers(self, items: Items) -> Answers:
        """What the model says now, scored."""
        ...


def job_for(base: Base, settings: Tune, labels: Sequence[str], single: bool = False) -> Job:
    """The one that fits task and model. single: of labels, a checkpoint that learns, or learnt, from single texts."""
    opened = base.opened
    if isinstance(base, OwnBase):
        if opened is None:
            return Translating(base, settings)
        opened = replace(opened, model=cast(Pretrained, base.model))
        if base.settings.task == "generate" and settings.examples.longest is None:  # as long as what it learnt from
            longest = base.settings.generate.context + 1
            settings = replace(settings, examples=replace(settings.examples, longest=longest))
    if opened is None:
        raise TypeError("a checkpoint is opened")
    if settings.task == "classify":
        return Labelling(opened, settings, tuple(labels), single and not isinstance(base, OwnBase))
    return Rewriting(opened, settings) if hasattr(opened.model, "encoder") else Writing(opened, settings)


PROMPTS: Mapping[Task, str] = {
    "summarize": "{text}\nTL;DR:\n",  # Radford et al. 2019, section 3.6
    "translate": "{text}\nTranslation:\n",
    "generate": "{text}",
    "classify": "{text}",
}
"""What a decoder without a chat template is asked."""
BLANK = "a"  # a text, where only what stands around it counts


def layout(opened: Opened, settings: Tune) -> str:
    """What a text becomes before a decoder is asked."""
    usual = "{text}" if opened.words.template else PROMPTS[settings.task]
    return settings.writing.prompt or usual


def learnt(masks: Masks) -> list[Masked]:
    """Those in which something is foreseen: one token alone has nothing before it."""
    return [one for one in masks.examples if len(one.ids) > 1]


def shortened(rows: list[list[int]], most: int | None, opened: Opened, ending: int = 1) -> list[list[int]]:
    """Rows of at most so many ids, cut before the last ones, which end a text; and counted."""
    if most is None:
        return rows
    opened.counts["cut"] += sum(len(ids) > most for ids in rows)
    return [ids if len(ids) <= most else [*ids[: max(0, most - ending)], *ids[-ending:]] for ids in rows]


def cuts(opened: Opened, longest: int | None) -> list[str]:
    """How many texts were cut, and why: longest, where the user asked for fewer tokens than the model reads."""
    count, asked = opened.counts["cut"], longest is not None and longest < opened.readable
    than = f"the {longest:,} tokens of examples.longest" if asked else "the model reads"
    return [f"longer than {than}, and cut: {counted(count, 'text')}"] if count else []


class Labelling:
    """Texts, or pairs of texts -> labels."""

    task: Task = "classify"

    def __init__(self, opened: Opened, settings: Tune, labels: tuple[str, ...], single: bool = False) -> None:
        """single: pairs are read as one text with a tab in it, since the model learnt from such."""
        self.opened = opened
        self.numbers = {label: i for i, label in enumerate(labels)}
        self.labels = labels
        self.single = single
        self.reader = Reader(opened, settings.examples.cut, settings.examples.longest)

    @property
    def model(self) -> nn.Module:
        """With a head for labels."""
        return self.opened.model

    @property
    def packs(self) -> bool:
        """All but an LSTM, which reads from left to right whatever stands there."""
        return isinstance(self.opened.model, Encoder | Decoder)

    def examples(self, items: Items) -> Examples:
        """Framed texts, and a number for each."""
        rows = self.rows(self.asked(items))
        inputs, targets = Rows.of([row.ids for row in rows]), Rows.of([[self.numbers[one]] for one in items.wanted])
        pad, segments = self.opened.words.source.pad, told_apart(rows)
        return Examples(inputs, targets, None, pad, segments=Rows.of(segments) if segments else None)

    def asked(self, items: Items) -> Sequence[Text]:
        """Texts as the model reads them: single ones, or pairs."""
        return items.texts if self.single else items.asked

    def rows(self, asked: Sequence[Text]) -> list[Row]:
        """The same as ids, cut where that is asked for."""
        return self.reader.rows(asked)

    def _logits(self, rows: list[Row]) -> Float[Tensor, "N L"]:
        """Of each text, in their order."""
        model = self.opened.model
        if isinstance(model, Encoder | Decoder):
            return read_all(model, [row.ids for row in rows], None, segments=told_apart(rows))
        found = torch.empty(len(rows), len(self.labels))
        for i, scores in self.reader.read(rows):
            found[i] = scores.float().cpu()
        return found

    def objective(self, smoothing: float) -> Learning:
        """Cross-entropy of the labels."""
        return LabelObjective(self.model, smoothing)

    def answers(self, items: Items) -> Answers:
        """The likeliest label of each, with accuracy, macro-F1 and mean loss."""
        began = time.perf_counter()
        model = self.opened.model
        if not isinstance(model.head, Labels):
            raise TypeError("labels need a head for them")
        logits = self._logits(self.rows(self.asked(items)))
        true = torch.tensor([self.numbers[one] for one in items.wanted])
        losses = label_loss(logits, true)
        outputs = tuple(self.labels[i] for i in logits.argmax(1).tolist())
        scores = {
            "accuracy": accuracy(outputs, items.wanted).value,
            "macro_f1": macro_f1(outputs, items.wanted, resamples=1).value,
            "loss": float(losses.mean()),
        }
        taken = time.perf_counter() - began
        return Answers(outputs, scores, tuple(losses.tolist()), (1,) * len(items), logits.numpy(), taken)


class Writing:
    """Prompts -> what follows, by a decoder."""

    packs = True

    def __init__(self, opened: Opened, settings: Tune) -> None:
        self.task = settings.task
        self.opened = opened
        self.settings = settings
        limit = min(opened.readable, settings.examples.longest or 2**31)
        self.longest = None if limit >= 2**31 else limit
        self.made = steady(generation(opened.checkpoint), settings)
        self.prompt = layout(opened, settings)
        self._masked: dict[int, tuple[Items, Masks]] = {}  # each part is asked for several times

    @property
    def model(self) -> nn.Module:
        """A decoder."""
        return self.opened.model

    def masked(self, items: Items) -> Masks:
        """Ids, and which of them are learnt."""
        if id(items) not in self._masked:
            self._masked[id(items)] = items, self._mask(items)
        return self._masked[id(items)][1]

    def _mask(self, items: Items) -> Masks:
        asked = zip(self.prompts(self._beginnings(items)), items.wanted, strict=True)
        talks = items.conversations.items if items.conversations else tuple(exchange(*one) for one in asked)
        bad = self.settings.data.on_bad_row
        return mask(self.opened.words, talks, items.places, self.longest, self.settings.examples.cut, on_bad_row=bad)

    def prompts(self, texts: Sequence[str]) -> list[str]:
        """What a text becomes before the model is asked."""
        return [self.prompt.replace("{text}", text) for text in texts]

    def _beginnings(self, items: Items) -> Sequence[str]:
        """The texts, of those to be rewritten as much as there is room for beside what is asked and the answer."""
        if self.longest is None or self.task == "generate" or not self.settings.examples.cut:
            return items.texts
        words = self.opened.words.target
        around = len(self._writer().ids(BLANK)) - len(words.encode([BLANK])[0])  # special tokens, and what is asked
        given = self.longest - around - 1
        sizes = zip(items.texts, words.encode(items.texts), words.encode(items.wanted), strict=True)
        less = [len(text) + len(answer) - given for _, text, answer in sizes]
        self.opened.counts["cut"] += sum(one > 0 for one in less)
        return [beginning(words, *one) for one in zip(items.texts, less, strict=True)]

    def _writer(self) -> Writer:
        """The model, asked as it learns to be."""
        return Writer(self.opened, Manner(cut=True, layout=self.prompt, rewrites=True, longest=self.longest))

    def examples(self, items: Items) -> Examples:
        """Each token foresees the next one; only those of answers count."""
        return self.rows(self.masked(items))

    def rows(self, masks: Masks) -> Examples:
        """The same of examples that are masked already."""
        rows = learnt(masks)
        inputs = Rows.of([one.ids[:-1] for one in rows])
        targets = Rows.of([one.ids[1:] for one in rows])
        trained = Rows.of([[int(learned) for learned in one.trained[1:]] for one in rows])
        return Examples(inputs, targets, trained, self.opened.words.target.pad)

    def objective(self, smoothing: float) -> Learning:
        """Cross-entropy of the next token."""
        return NextTokenObjective(self.model, smoothing)

    def answers(self, items: Items) -> Answers:
        """Of the task generate how surprising the answers are; else what the model writes, scored as its task is."""
        began = time.perf_counter()
        if self.task != "generate":
            found = self._writer().translate(items.texts, self.made)
            outputs = [best[0].text.strip() for best in found]
            return texts_answered(self.task, outputs, items, time.perf_counter() - began)
        masks = self.masked(items)
        of_examples = item_losses(self.objective(0.0), self.rows(masks), self.opened.device)
        losses, tokens = by_item([one.item for one in learnt(masks)], *of_examples, len(items))
        loss = sum(losses) / max(1, sum(tokens))
        scores = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        return Answers((), scores, tuple(losses), tuple(tokens), None, time.perf_counter() - began)


class Rewriting:
    """Texts -> texts, by an encoder-decoder of the hub."""

    packs = False

    def __init__(self, opened: Opened, settings: Tune) -> None:
        self.task = settings.task
        self.opened = opened
        self.settings = settings
        writing = settings.writing
        self.rewriter = Rewriter(opened, writing.source_language, writing.target_language, settings.examples.cut)
        self.made = steady(self.rewriter.settings, settings)

    @property
    def model(self) -> nn.Module:
        """An encoder-decoder."""
        return self.opened.model

    def examples(self, items: Items) -> Examples:
        """Both sides with the special tokens that the checkpoint puts around them."""
        words = self.opened.words
        sources, targets = map(self._short, (self.rewriter.rows(items.texts), self._targets(items.wanted)))
        return Examples(Rows.of(sources), Rows.of(targets), None, words.source.pad, words.target.pad)

    def _short(self, rows: list[list[int]]) -> list[list[int]]:
        return shortened(rows, self.settings.examples.longest, self.opened, self.rewriter.ending)

    def _targets(self, texts: Sequence[str]) -> list[list[int]]:
        """As the checkpoint was trained to write them: its language first, where it has languages, or last."""
        codes, written = set(self.opened.words.languages.values()), self.rewriter.written
        rows = []
        for text, framed in zip(texts, self.opened.words.target.framed(texts), strict=True):
            ids = framed.ids
            if written is not None:
                ids = [written if token in codes else token for token in ids]
                ids = ids if written in ids else [written, *ids]
            cut, ending = self.settings.examples.cut, self.rewriter.ending
            rows.append(fitting(ids, self.opened, cut, "a target", ending=ending, text=text))
        return rows

    def objective(self, smoothing: float) -> Learning:
        """Cross-entropy of the target."""
        return Objective(self.model, self.rewriter.specials.start, smoothing)

    def answers(self, items: Items) -> Answers:
        """What it writes, scored."""
        began = time.perf_counter()
        outputs = [best[0].text for best in self.rewriter.translate(items.texts, self.made)]
        return texts_answered(self.task, outputs, items, time.perf_counter() - began)
