"""Pairs of texts, to translate or to summarize: read, filtered, encoded, and how a model that rewrites learns them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torch import nn

from seqwise.data.batch import Batch, Rows
from seqwise.data.files import shown
from seqwise.data.loader import Loader, ordered_batches
from seqwise.data.text import Pairs, filter_pairs, read_pairs, split_off
from seqwise.data.tokens import Vocabularies, train_tokenizers
from seqwise.data.variation import Variation
from seqwise.errors import DataError
from seqwise.metrics.rouge import References
from seqwise.models import assemble
from seqwise.stats.phrases import counted
from seqwise.tasks.prepared import Prepared
from seqwise.tasks.sentences import lead
from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Corpus, Translator, ends
from seqwise.tasks.watching import Measure, OutputWatcher, alike, part
from seqwise.training.agreement import agreeing
from seqwise.training.events import Noted
from seqwise.training.objectives import Objective

HELD_OUT = 1000  # validation pairs at most where no file names them
HELD_OUT_SHARE = 20  # and at most one in so many


@dataclass(frozen=True)
class PreparedPairs(Prepared):
    """What a run that translates or summarizes reads."""

    settings: Train
    train: Corpus
    valid: Corpus
    vocabularies: Vocabularies
    varied: tuple[Variation, Variation] | None
    """Source and target under BPE-dropout, where it is asked for."""
    notes: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Of all sentences, and of all their spellings."""
        corpora = self.train, self.valid
        lengths = [1 + len(row) for corpus in corpora for row in (*corpus.sources, *corpus.targets)]
        return max(*lengths, *(side.longest for side in self.varied or ()))

    def batches(self, rank: int, world: int) -> Loader:
        """Pairs of like length together."""
        training = self.settings.training
        return Loader(
            self.train.sources,
            self.train.targets,
            batch_tokens=training.batch_tokens,
            seed=training.seed,
            rank=rank,
            world=world,
            varied=None if self.varied is None else self._spelled,
            **ends(self.vocabularies),
        )

    def _spelled(self, epoch: int) -> tuple[Rows, Rows]:
        """The rows of an epoch under BPE-dropout."""
        if self.varied is None:
            raise ValueError("nothing varies here")
        (sources, targets), seed = self.varied, self.settings.training.seed
        return sources.rows(seed, 2 * epoch), targets.rows(seed, 2 * epoch + 1)

    def objective(self, model: nn.Module) -> nn.Module:
        """Cross-entropy of the target."""
        training = self.settings.training
        return agreeing(
            Objective(model, self.vocabularies.target.bos, training.label_smoothing), training.agreement.r_drop
        )

    def watch(self, model: assemble.Translator) -> OutputWatcher:
        """The loss of all validation pairs, BLEU and chrF, or ROUGE, of the first so many."""
        settings, target = self.settings.evaluation, self.vocabularies.target
        pairs = self.valid.pairs
        count = settings.sentences or len(pairs)
        usual = (
            self.settings.generation
        )  # lengths and repetitions as the run will write, but a single output by few beams
        made = replace(usual, beams=settings.beams, best=1, temperature=0.0, ranking=replace(usual.ranking, mbr="none"))

        def translate(texts: Sequence[str]) -> list[str]:
            found = Translator([model], self.vocabularies).translate(texts, made)
            return [best[0].text for best in found]

        return OutputWatcher(
            model,
            Objective(model, target.bos, 0.0),
            lambda: self._ordered(self.valid, range(len(pairs))),
            pairs.sources[:count],
            self._right(count),
            translate,
            self.measure,
            lambda: self._ordered(self.train, self.sampled),
        )

    def _right(self, count: int) -> References:
        """References of the first validation pairs, several where files list several; what tokens cannot say is not
        asked for."""
        pairs, normalize = self.valid.pairs, self.vocabularies.target.normalize
        if pairs.references:
            return [[normalize(text) for text in row] for row in pairs.references[:count]]
        return [normalize(text) for text in pairs.targets[:count]]

    @property
    def measure(self) -> Measure:
        """By what outputs are compared with references."""
        return "rouge" if self.settings.task == "summarize" else "bleu"

    @property
    def sampled(self) -> list[int]:
        """Training pairs whose loss is told beside that of the validation pairs."""
        return part(len(self.train.pairs), len(self.valid.pairs), self.settings.training.seed)

    def _ordered(self, corpus: Corpus, items: Iterable[int]) -> Iterable[Batch]:
        chosen = list(items)
        sources, targets = [corpus.sources[i] for i in chosen], [corpus.targets[i] for i in chosen]
        return ordered_batches(sources, targets, self.settings.training.batch_tokens, **ends(self.vocabularies))

    def where(self, item: int) -> str:
        """Where the pair stands."""
        return self.train.pairs.where(item)

    def closing(self, step: int) -> tuple[Noted, ...]:
        """How good the first sentence of a text is as its summary: a model below that has learnt nothing of use."""
        if self.settings.task != "summarize":
            return ()
        count = self.settings.evaluation.sentences or len(self.valid.pairs)
        pairs, normalize = self.valid.pairs, self.vocabularies.target.normalize
        outputs = [normalize(lead(text)) for text in pairs.sources[:count]]
        scores = alike(outputs, self._right(count), "rouge")
        return (Noted(step, "the first sentence as summary", {**scores}),)


def prepare_pairs(settings: Train, vocabularies: Vocabularies | None = None) -> PreparedPairs:
    """Read, filter, encode. A resumed run brings its vocabularies along; a new one learns or reads them."""
    notes: list[str] = []
    train, valid = _pairs(settings, notes)
    if vocabularies is None:
        vocabularies = train_tokenizers(train.sources, train.targets, settings.tokens)
        notes.extend(vocabularies.notes)
    corpora = Corpus.of(train, vocabularies), Corpus.of(valid, vocabularies)
    varied = None
    if dropout := settings.tokens.dropout:
        sources = Variation(vocabularies.source, train.sources, dropout)
        varied = sources, Variation(vocabularies.target, train.targets, dropout)
    return PreparedPairs(settings, *corpora, vocabularies, varied, tuple(notes))


def _pairs(settings: Train, notes: list[str]) -> tuple[Pairs, Pairs]:
    """Training and validation pairs, filtered; the first without anything that stands in the second, or in a test."""
    read = read_pairs(settings.train, settings.data, notes.append)
    tests = (read_pairs(settings.test, settings.data, notes.append),) if settings.test else ()
    if settings.valid:
        valid = read_pairs(settings.valid, settings.data, notes.append)
        notes.append(f"valid: {counted(len(valid), 'pair')}")
        train, report = filter_pairs(read, settings.data, held_out=(valid, *tests))
        notes.append(f"train: {report}")
        return train, valid
    read, report = filter_pairs(read, settings.data, held_out=tests)
    notes.append(f"train: {report}")
    if len(read) < 2:
        given = f"a single pair left: {report}"
        raise DataError(given, "at least two, one of them to validate with", "--valid, or more pairs")
    if len(set(read.targets)) == 1:
        given = f"the target {shown(read.targets[0])} for all of {len(read):,} pairs"
        mend = "--data.target with another column, or --data.languages"
        raise DataError(given, "targets that differ", mend, ", ".join(settings.train))
    count = min(HELD_OUT, max(1, len(read) // HELD_OUT_SHARE))
    read, valid = split_off(read, count, settings.training.seed)
    train, report = filter_pairs(read, settings.data, held_out=(valid,))  # the same target may have another source
    notes.append(f"valid: {counted(len(valid), 'pair')} held out of these; {len(train):,} are left to train on")
    return train, valid
