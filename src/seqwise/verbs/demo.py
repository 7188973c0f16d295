"""demo: the whole way in three minutes, on a corpus that Seqwise makes up."""

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from seqwise.checkpoints.run import RunFolder
from seqwise.data.phrasebook import PROBE, phrasebook
from seqwise.inspection.steps import Step, steps
from seqwise.metrics.scores import Score
from seqwise.metrics.text import bleu
from seqwise.tasks.demonstration import settings, write_corpus
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translator
from seqwise.verbs.inspect import Inspected, attended
from seqwise.verbs.train import train

SHOWN = 4  # training pairs shown


@dataclass(frozen=True)
class Demonstrated:
    """What the demo ended with."""

    run: str
    data: str
    score: Score
    output: str

    def __rich__(self) -> Text:
        lines = (
            f"The run lies in {self.run}, its sentences in {self.data}. Try next:",
            f'  seqwise predict {self.run} "She does not like history."',
            f'  seqwise inspect {self.run} "These old trees are beautiful."',
            f"  seqwise evaluate {self.run} --test {self.data}/test.en {self.data}/test.fr",
            "  seqwise train --train your.en your.fr --out runs/yours",
        )
        return Text("\n".join(lines))


def demo(*, out: Path = Path("runs/demo"), overwrite: bool = True, seed: int = 1) -> Demonstrated:
    """Watch a translator being trained on sentences that Seqwise makes up, in three minutes.

    Makes 40,000 English-French pairs from a grammar, learns a vocabulary, trains a small Transformer, scores it on
    sentences it has not seen, and translates one of them step by step.

    Args:
        out: Folder of the run; the sentences go beside it.
        overwrite: Replace an earlier run there.
        seed: Of the corpus, the weights and the order.

    Example:
        seqwise demo
    """
    RunFolder.must_be_free(out, overwrite)
    console = Console(highlight=False)
    console.print(Rule("1. A corpus, made by a grammar", align="left"))
    book = phrasebook(seed=seed)
    data = out.parent / f"{out.name}-data"
    files = write_corpus(book, data)
    console.print(_pairs(book.train.sources[:SHOWN], book.train.targets[:SHOWN]))
    console.print(Rule("2. Training", align="left"))
    console.print(train(settings(files, out, overwrite, seed)))
    console.print(Rule("3. Sentences it has not seen", align="left"))
    translator, made = open_translator([out], "cpu")
    outputs = [best[0].text for best in translator.translate(book.test.sources, made.generation)]
    score = bleu(outputs, book.test.targets)
    console.print(score)
    console.print(Rule(f'4. "{PROBE}", which stands in no training pair, token by token', align="left"))
    ((best, *_),) = translator.translate([PROBE], replace(made.generation, best=1))
    source, target = translator.vocabularies.source, translator.vocabularies.target
    ids = [*source.encode([PROBE])[0], source.eos]
    walked = steps(translator.models[0], ids, [*best.ids, *([target.eos] if best.ended else [])], target.bos)
    console.print(_choices(translator, walked))
    console.print(Inspected(PROBE, best.text, attended(translator, PROBE, best)))
    return Demonstrated(str(out), str(data), score, best.text)


def _pairs(sources: list[str], targets: list[str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for source, target in zip(sources, targets, strict=True):
        table.add_row(Text(source), Text(target))
    return table


def _choices(translator: Translator, walked: list[Step]) -> Table:
    """What was written at each step, and what might have been."""
    pieces = translator.vocabularies.target.pieces
    table = Table("written", "likeliest tokens", box=None)
    for step in walked:
        named = [f"{pieces([choice.token])[0]} {choice.probability:.3f}" for choice in step.likeliest]
        table.add_row(Text(pieces([step.chosen.token])[0]), Text("   ".join(named)))
    return table
