"""Texts -> texts by a run of ours, which is made of one vocabulary or two and has no tokenizer of the hub."""

import time

from torch import nn

from seqwise.data.batch import Rows
from seqwise.data.examples import Examples
from seqwise.errors import DataError
from seqwise.models.recurrent import RecurrentTranslator
from seqwise.models.transformer import Transformer
from seqwise.tasks.translation import Translator, longest_output
from seqwise.tasks.tuning.answers import Answers, steady, texts_answered
from seqwise.tasks.tuning.bases import OwnBase
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.settings import Task, Tune
from seqwise.training.objectives import Learning, Objective


class Translating:
    """Texts -> texts, by a run of ours."""

    packs = False

    def __init__(self, base: OwnBase, settings: Tune) -> None:
        if not isinstance(base.model, Transformer | RecurrentTranslator):
            raise TypeError("what classifies or generates writes no translations")
        self.task: Task = settings.task
        self.base = base
        self.translates = base.model
        self.made = steady(base.settings.generation, settings)

    @property
    def model(self) -> nn.Module:
        """A Transformer or an LSTM."""
        return self.translates

    def examples(self, items: Items) -> Examples:
        """Both sides with their end tokens."""
        source, target = self.base.vocabularies.source, self.base.vocabularies.target
        sides = source.encode(items.texts), target.encode(items.wanted)
        self._must_fit(items, *sides)
        return Examples(Rows.of(sides[0], source.eos), Rows.of(sides[1], target.eos), None, source.pad, target.pad)

    def _must_fit(self, items: Items, sources: list[list[int]], targets: list[list[int]]) -> None:
        """A learned table of positions has an end: what lies behind it has no place there."""
        most = longest_output(self.translates)
        sizes = [1 + max(map(len, pair)) for pair in zip(sources, targets, strict=True)]  # and the end token
        long = [i for i, size in enumerate(sizes) if size > most]
        if not long:
            return
        least = min(max(len(items.texts[i]), len(items.wanted[i])) for i in long)
        raise DataError(
            f"a text of {sizes[long[0]]:,} tokens, one of {len(long):,} that are too long",
            f"at most {most:,}, the positions of {self.base.folder.path}",
            f"leaving them out: of the training examples, --data.max-length {least - 1}, in characters, does",
            items.places[long[0]],
        )

    def objective(self, smoothing: float) -> Learning:
        """Cross-entropy of the target."""
        return Objective(self.model, self.base.vocabularies.target.bos, smoothing)

    def answers(self, items: Items) -> Answers:
        """What it writes, scored."""
        began = time.perf_counter()
        translator = Translator([self.translates], self.base.vocabularies)
        outputs = [best[0].text for best in translator.translate(items.texts, self.made)]
        return texts_answered(self.task, outputs, items, time.perf_counter() - began)
