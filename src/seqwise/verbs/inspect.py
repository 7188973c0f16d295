"""inspect: where a model looks, token by token, by layer and head."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.checkpoints.run import RunFolder
from seqwise.config import Range, check
from seqwise.data.paired import pair
from seqwise.errors import ConfigError, DataError
from seqwise.inspection.attention import Attended, Row, by_word, cross_attention
from seqwise.inspection.selfattention import Habit, chosen, habits, recomputed
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.transformer import Transformer
from seqwise.printable import printable
from seqwise.tasks.choosing import Translation
from seqwise.tasks.opening import Own, open_own
from seqwise.tasks.pretrained import Opened, fitting, is_run, open_pretrained
from seqwise.tasks.reading import Reader
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.stored import is_tuned, open_tuned, read_facts, read_tune
from seqwise.tasks.writing import Rewriter

SHOWN = 3  # words named for each token
BAR = 12  # characters of a weight of 1
Part = Literal["encoder", "decoder", "cross"]


@dataclass(frozen=True)
class Inspected:
    """A text, what was made of it, and where the model looked."""

    text: str
    output: str
    """What was written; empty for models that read only."""
    attended: Attended
    habits: tuple[Habit, ...] = ()
    """What each head does on the whole; empty where one was chosen."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**asdict(self), "attended": self.attended.to_dict()}

    def __rich__(self) -> Group:
        title = f"{self.text}  ->  {self.output}" if self.output else self.text
        table = Table(title=Text(printable(title)), caption=self.attended.layer, box=None)
        table.add_column("token")
        table.add_column("looked at")
        for row in self.attended.rows:
            ranked = sorted(zip(row.weights, self.attended.words, strict=True), key=lambda pair: -pair[0])
            parts = [f"{'█' * round(weight * BAR) or '▏'} {word} {weight:.2f}" for weight, word in ranked[:SHOWN]]
            table.add_row(Text(printable(row.token)), Text(printable("   ".join(parts))))
        return Group(table, *([self._habits()] if self.habits else []))

    def _habits(self) -> Table:
        names = ("layer", "head", "first", "before", "itself", "after", "sharpness")
        table = Table(*names, title="what each head looks at", caption="mean weights; --layer and --head show one")
        for one in self.habits:
            shares = (one.first, one.before, one.itself, one.after)
            best = max(shares)
            cells = [Text(f"{share:.2f}", style="bold" if share == best else "") for share in shares]
            table.add_row(str(one.layer), str(one.head), *cells, f"{one.sharpness:.2f}")
        return table


def inspect(
    model: str,
    text: str,
    *,
    layer: int | None = None,
    head: int | None = None,
    beams: Annotated[int, Range(1, 64)] | None = None,
    part: Part | None = None,
    revision: str | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
) -> Inspected:
    """Look at what the model attends to, token by token.

    A model that translates translates the text; then its encoder-decoder attention is shown, or with --part that
    inside its encoder or decoder. Other models read the text, and their self-attention is shown, with what each head
    does on the whole. The weights are recomputed from the queries and keys of that very computation. They tell where
    a layer read, not what decided.

    Args:
        model: A run folder, a tuned one too, a folder with config.json, or owner/name on the hub.
        text: The sentence; two with a tab between them for models that name labels of pairs.
        layer: Layer, from 0; the mean of all layers unless given.
        head: Attention head, from 0; the mean of all heads unless given.
        beams: Hypotheses kept while translating; as the model was set unless given.
        part: Of a model that translates: cross, encoder or decoder.
        revision: Branch, tag or commit of a model on the hub.
        source_language: What is translated from, for M2M-100, NLLB and mBART.
        target_language: What is translated into.

    Example:
        seqwise inspect runs/demo "I love machine learning."
    """
    if not text.strip():
        raise DataError("an empty text", "a sentence to look into", f'seqwise inspect {model} "a sentence"')
    languages = (source_language, target_language)
    if is_tuned(model):
        found = open_tuned(model, "cpu", "fp32")
        if isinstance(found, Opened):
            written = read_tune(RunFolder.open(model)).writing
            kept = (source_language or written.source_language, target_language or written.target_language)
            single = read_facts(RunFolder.open(model)).single
            return _of_checkpoint(found, text, (layer, head), beams, part, kept, single)
        translator, settings = found
    elif not is_run(model):
        opened = open_pretrained(model, revision, "cpu", "fp32")
        return _of_checkpoint(opened, text, (layer, head), beams, part, languages)
    else:
        own = open_own(model, "cpu", "fp32")
        if own is not None:
            return _read_by_own(own, text, layer, head, part)
        translator, settings = open_translator([Path(model)], "cpu")
    if part not in (None, "cross"):
        raise ConfigError(f"--part {part} for the run {model}", "cross", "exporting the run with --to hf first")
    made = settings.generation if beams is None else replace(settings.generation, beams=beams)
    check(made)
    ((best, *_),) = translator.translate([text], replace(made, best=1))
    return Inspected(text, best.text, attended(translator, text, best, layer, head))


def _of_checkpoint(
    opened: Opened,
    text: str,
    place: tuple[int | None, int | None],
    beams: int | None,
    part: Part | None,
    languages: tuple[str | None, str | None],
    single: bool = False,
) -> Inspected:
    """A checkpoint of the hub, tuned or not."""
    if isinstance(opened.model, Transformer):
        return _rewritten(opened, text, place, beams, part, languages)
    if part is not None:
        raise ConfigError(f"--part {part} for {opened.checkpoint.architecture}", "no part", "leaving it out")
    if not isinstance(opened.model, Encoder | Decoder):
        raise _without_attention(opened)
    return _read(opened, text, *place, single)


def _read_by_own(own: Own, text: str, layer: int | None, head: int | None, part: Part | None) -> Inspected:
    """A run that classifies or generates."""
    if part is not None:
        given = f"--part {part} for the run {own.opened.checkpoint.folder}"
        raise ConfigError(given, "self-attention", "a Transformer")
    if own.settings.model.kind == "lstm":
        raise _without_attention(own.opened)
    return _read(own.opened, text, layer, head)


def _without_attention(opened: Opened) -> ConfigError:
    given = f"the attention of an LSTM without any for the run {opened.checkpoint.folder}"
    return ConfigError(given, "self-attention", "a Transformer")


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
    return Attended(words, rows, f"encoder-decoder attention, {_which(layer, head)}")


def _which(layer: int | None, head: int | None) -> str:
    which = "mean of all layers" if layer is None else f"layer {layer}"
    return which + (", mean of all heads" if head is None else f", head {head}")


def _read(opened: Opened, text: str, layer: int | None, head: int | None, single: bool = False) -> Inspected:
    """Self-attention of a model that reads, or of a decoder over a prompt. Of labels two texts with a tab between them
    are a pair, unless `single` texts were learnt."""
    tokenizer = opened.words.source
    asked = pair(text) if opened.checkpoint.head.task == "labels" and not single else text
    fitting(tokenizer.framed([asked])[0].ids, opened, False, "a text", "a shorter text")
    ((ids, segments),) = [(row.ids, row.segments) for row in Reader(opened).rows([asked])]
    inputs, lengths, kinds = torch.tensor([ids]), torch.tensor([len(ids)]), torch.tensor([segments])
    model: Any = opened.model
    encoder = isinstance(model, Encoder)
    run = (lambda: model.hidden(inputs, lengths, kinds)) if encoder else (lambda: model.hidden(inputs))
    found = recomputed(model, run, "encoder.attend" if encoder else "decoder.attend")
    table = _table(
        tokenizer.pieces(ids), tokenizer.pieces(ids), chosen(found, layer, head), layer, head, "self-attention"
    )
    return Inspected(text, "", table, tuple(habits(found)) if layer is None and head is None else ())


def _rewritten(
    opened: Opened,
    text: str,
    place: tuple[int | None, int | None],
    beams: int | None,
    part: Part | None,
    languages: tuple[str | None, str | None],
) -> Inspected:
    """A checkpoint that translates: what it wrote, and one of its three kinds of attention."""
    rewriter = Rewriter(opened, *languages)
    made = rewriter.settings if beams is None else replace(rewriter.settings, beams=beams)
    check(made)
    ((best, *_),) = rewriter.translate([text], replace(made, best=1))
    (ids,) = rewriter.rows([text])
    source, target = opened.words.source, opened.words.target
    model: Any = opened.model
    inputs, lengths = torch.tensor([ids]), torch.tensor([len(ids)])
    written = [rewriter.specials.start, *best.ids]
    names = {"encoder": "encoder.attend", "decoder": "decoder.attend", "cross": "decoder.cross"}
    found = recomputed(model, lambda: model.hidden(inputs, lengths, torch.tensor([written])), names[part or "cross"])
    read, wrote = source.pieces(ids), target.pieces(written)
    after = [*target.pieces(best.ids), *(target.pieces([rewriter.specials.end]) if best.ended else ["..."])]
    rows, columns = {"encoder": (read, read), "decoder": (wrote, wrote), "cross": (after, read)}[part or "cross"]
    kind = {"encoder": "self-attention of the encoder", "decoder": "self-attention of the decoder"}
    table = _table(rows, columns, chosen(found, *place), *place, kind.get(part or "", "encoder-decoder attention"))
    known = part in ("encoder", "decoder") and place == (None, None)
    return Inspected(text, best.text, table, tuple(habits(found)) if known else ())


def _table(
    rows: list[str], columns: list[str], found: torch.Tensor, layer: int | None, head: int | None, kind: str
) -> Attended:
    made = tuple(Row(token, tuple(row)) for token, row in zip(rows, found.tolist(), strict=True))
    return Attended(tuple(columns), made, f"{kind}, {_which(layer, head)}")
