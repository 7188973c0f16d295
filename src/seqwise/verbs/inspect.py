"""inspect: translate one sentence and show where each output token looked."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from rich.table import Table
from rich.text import Text

from seqwise.config import Range, check
from seqwise.errors import DataError
from seqwise.inspection.attention import Attended, Row, by_word, cross_attention
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translation, Translator
from seqwise.training.console import printable

SHOWN = 3  # source words named for each token
BAR = 12  # characters of a weight of 1


@dataclass(frozen=True)
class Inspected:
    """A translation and its attention."""

    text: str
    output: str
    attended: Attended

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**asdict(self), "attended": self.attended.to_dict()}

    def __rich__(self) -> Table:
        table = Table(title=Text(printable(f"{self.text}  ->  {self.output}")), caption=self.attended.layer, box=None)
        table.add_column("token")
        table.add_column("looked at")
        for row in self.attended.rows:
            ranked = sorted(zip(row.weights, self.attended.words, strict=True), key=lambda pair: -pair[0])
            parts = [f"{'█' * round(weight * BAR) or '▏'} {word} {weight:.2f}" for weight, word in ranked[:SHOWN]]
            table.add_row(Text(printable(row.token)), Text(printable("   ".join(parts))))
        return table


def inspect(
    run: Path,
    text: str,
    *,
    layer: int | None = None,
    head: int | None = None,
    beams: Annotated[int, Range(1, 64)] | None = None,
) -> Inspected:
    """Look at what the model attends to, token by token.

    Translates the text, then recomputes the weights of encoder-decoder attention from the queries and keys of that very
    computation. They tell where a layer read, not what decided.

    Args:
        run: The run folder.
        text: The sentence.
        layer: Decoder layer, from 0; the mean of all layers unless given.
        head: Attention head, from 0; the mean of all heads unless given.
        beams: Hypotheses kept while translating; as the run was set unless given.

    Example:
        seqwise inspect runs/demo "I love machine learning."
    """
    if not text.strip():
        raise DataError("an empty text", "a sentence to look into", f'seqwise inspect {run} "a sentence"')
    translator, settings = open_translator([run], "cpu")
    made = settings.generation if beams is None else replace(settings.generation, beams=beams)
    check(made)
    ((best, *_),) = translator.translate([text], replace(made, best=1))
    return Inspected(text, best.text, attended(translator, text, best, layer, head))


def attended(
    translator: Translator, text: str, output: Translation, layer: int | None = None, head: int | None = None
) -> Attended:
    """The attention of an output, summed by source word."""
    source, target = translator.vocabularies.source, translator.vocabularies.target
    ids = [*source.encode([text])[0], source.eos]
    found = cross_attention(translator.models[0], ids, [target.bos, *output.ids], layer, head)
    words, groups = translator.words(text)
    sums = by_word(found, groups, len(words))
    end = target.pieces([target.eos]) if output.ended else []  # an output that was cut off wrote no end
    tokens = [*target.pieces(output.ids), *end]
    rows = tuple(Row(token, tuple(row)) for token, row in zip(tokens, sums.tolist(), strict=False))
    which = "mean of all layers" if layer is None else f"layer {layer}"
    which += ", mean of all heads" if head is None else f", head {head}"
    return Attended(words, rows, f"encoder-decoder attention, {which}")
