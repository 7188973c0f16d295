"""From the files of the settings to what is trained on and a fresh model: all that training starts from."""

from collections.abc import Sequence

import torch
from torch import nn

from seqwise.checkpoints import wordvectors
from seqwise.checkpoints.files import hash_file
from seqwise.data.tokens import Tokenizer, Vocabularies
from seqwise.errors import ConfigError
from seqwise.models import assemble
from seqwise.models.architecture import TransformerSettings
from seqwise.models.decoder import Decoder
from seqwise.models.embeddings import Embeddings
from seqwise.models.heads import ChangeSettings, LabelsSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.recurrent import RecurrentTranslator
from seqwise.models.transformer import Transformer
from seqwise.tasks.continuing import prepare_text
from seqwise.tasks.labelling import prepare_labels
from seqwise.tasks.prepared import Prepared
from seqwise.tasks.rewriting import prepare_pairs
from seqwise.tasks.settings import Train


def prepare(settings: Train, vocabularies: Vocabularies | None = None, labels: tuple[str, ...] = ()) -> Prepared:
    """Read, filter, encode. A resumed run brings vocabularies and labels along; a new one learns or reads them."""
    if not settings.train:
        raise ConfigError("no --train", "the files to learn from", "--train a.en a.fr, or --train pairs.tsv")
    match settings.task:
        case "translate" | "summarize":
            prepared: Prepared = prepare_pairs(settings, vocabularies)
        case "classify":
            prepared = prepare_labels(settings, vocabularies, labels)
        case "generate":
            prepared = prepare_text(settings, vocabularies)
    _must_fit(settings, prepared.longest)
    return prepared


def _must_fit(settings: Train, longest: int) -> None:
    """A learned table of positions has an end; say so before training runs into it."""
    model = settings.model
    if not isinstance(model, TransformerSettings) or model.positions.kind != "learned":
        return
    if longest > model.positions.longest:
        raise ConfigError(
            f"a sentence of {longest} tokens with --model.positions.longest {model.positions.longest}",
            "a table as long as the longest sentence",
            f"--model.positions.longest {longest}, or a smaller --data.max-length",
        )


def hashes(paths: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file, for the signature."""
    return {path: hash_file(path) for path in paths}


def empty_model(settings: Train, vocabularies: Vocabularies) -> assemble.Translator:
    """A model that rewrites, for these vocabularies, with random weights."""
    source, target = vocabularies.source, vocabularies.target
    paddings = (source.pad, target.pad)
    return assemble.build(settings.model, source.size, target.size, vocabularies.joint, paddings)


def empty(settings: Train, vocabularies: Vocabularies, labels: Sequence[str] = ()) -> assemble.Model:
    """A model for the task, with random weights."""
    tokens, model = vocabularies.source, settings.model
    match settings.task:
        case "translate" | "summarize":
            return empty_model(settings, vocabularies)
        case "classify":
            chosen = settings.classify
            pool = chosen.pool if chosen.pool != "auto" else "max" if model.kind == "lstm" else "mean"
            dropout = model.dropout if chosen.dropout is None else chosen.dropout
            kept, change = "mean" if pool == "max" else pool, ChangeSettings("tanh") if chosen.dense else None
            head = LabelsSettings(labels=len(labels), pool=kept, dropout=dropout, change=change)
            gathering = "max" if pool == "first" else pool
            return assemble.build_classifier(model, head, tokens.size, tokens.pad, gathering)
        case "generate":
            if not isinstance(model, TransformerSettings):
                raise TypeError("an LSTM that generates is refused with the settings")
            return assemble.build_decoder(model, tokens.size, tokens.pad)


def fresh_model(
    settings: Train, vocabularies: Vocabularies, labels: Sequence[str] = ()
) -> tuple[assemble.Model, tuple[str, ...]]:
    """A model with random weights, or with the word vectors that the settings name; and what was found of these."""
    torch.manual_seed(settings.training.seed)
    source, target = vocabularies.source, vocabularies.target
    model = empty(settings, vocabularies, labels)
    chosen = settings.model.embeddings
    read = (model.decoder if isinstance(model, Decoder) else model.encoder).embed
    sides = [(chosen.source_vectors, source, read)]
    if isinstance(model, Transformer | RecurrentTranslator):
        sides.append((chosen.target_vectors, target, model.decoder.embed))
    notes = [_load_vectors(path, tokens, table, settings) for path, tokens, table in sides if path]
    return model, tuple(notes)


def _load_vectors(path: str, tokens: Tokenizer, table: nn.Module, settings: Train) -> str:
    if not isinstance(table, Embeddings):
        raise TypeError("word vectors go into a table of tokens")
    words = {piece: i for i, piece in enumerate(tokens.pieces(range(tokens.size)))}
    found = wordvectors.read(path, words)
    width = table.weight.shape[1]
    if found.width != width:
        raise ConfigError(
            f"word vectors of width {found.width} for embeddings of width {width}",
            "the same width",
            _as_wide(settings.model, found.width),
            where=path,
        )
    table.load(found.ids, found.vectors, settings.model.embeddings.frozen)
    return f"{path}: {found}"


def _as_wide(model: TransformerSettings | LSTMSettings, width: int) -> str:
    """The flags that make the vectors of tokens so wide."""
    if isinstance(model, LSTMSettings):
        return f"--model.embedding-width {width}"
    fitting = next(heads for heads in range(model.heads, 0, -1) if width % heads == 0)
    heads = f" --model.heads {fitting}" if model.attention.head_width is None and fitting != model.heads else ""
    return f"--model.width {width}{heads}"
