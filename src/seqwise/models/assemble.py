"""From settings to a model: `build` is the only place where a name becomes a class.

Also the place where tables are shared, since only here are all parts in one hand.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from seqwise.errors import ConfigError, Fault
from seqwise.models.architecture import TransformerSettings
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.decoder import Decoder
from seqwise.models.embeddings import Embeddings, EmbeddingSettings
from seqwise.models.encoder import Encoder
from seqwise.models.heads import Labels, LabelsSettings, NextToken, TokensSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.recurrent import Gathering, RecurrentClassifier, RecurrentTranslator
from seqwise.models.transformer import Stack, Transformer

ModelSettings = TransformerSettings | LSTMSettings
Translator = Transformer | RecurrentTranslator
Classifier = Encoder | RecurrentClassifier
Pretrained = Transformer | Encoder | Decoder
Model = Translator | Classifier | Decoder


def faults(settings: ModelSettings, joint: bool) -> Iterator[Fault]:
    """Contradictions between a model and its vocabularies."""
    if not joint and settings.embeddings.tied in ("all", "source-target"):
        yield Fault(
            f"--model.embeddings.tied {settings.embeddings.tied} with separate vocabularies",
            "one vocabulary for both languages, since they share a table",
            "--tokens.joint or --model.embeddings.tied output",
        )
    if isinstance(settings, TransformerSettings) and settings.shape != "encoder-decoder":
        yield Fault(
            f"--model.shape {settings.shape}",
            "an encoder-decoder to translate",
            "--model.shape encoder-decoder",
        )


def build(
    settings: ModelSettings, source: int, target: int, joint: bool = True, paddings: tuple[int, int] = (0, 0)
) -> Translator:
    """A fresh model for vocabularies of these sizes. Weights are random, drawn from torch's generator.

    source, target   sizes of the vocabularies
    joint            whether they are one, so that tables can be shared
    paddings         ids of the padding token of both, whose vectors are zero
    """
    found = list(faults(settings, joint))
    if found:
        raise ConfigError.of(found)
    width = settings.width if isinstance(settings, TransformerSettings) else settings.token_width
    read, write, head = _tables(settings.embeddings, width, source, target, paddings)
    match settings:
        case TransformerSettings():
            model = Transformer(settings, read, write, head)
            initialise(model)
            return model
        case LSTMSettings():
            return RecurrentTranslator(settings, read, write, head)


def build_classifier(
    settings: ModelSettings, head: LabelsSettings, vocabulary: int, padding: int = 0, gathering: Gathering = "max"
) -> Classifier:
    """A fresh model that reads texts and names a label of each: the encoder of the settings, the decoder's left out.

    head        how many labels, and of a Transformer, which vector stands for a text
    gathering   of an LSTM, what stands for a text
    """
    embeddings = settings.embeddings
    match settings:
        case TransformerSettings():
            embed = Embeddings(vocabulary, settings.width, padding, embeddings.scaled)
            model = Encoder(replace(settings, shape="encoder"), embed, Labels(settings.width, head))
            initialise(model)
            return model
        case LSTMSettings():
            embed = Embeddings(vocabulary, settings.token_width, padding, embeddings.scaled)
            width = settings.width * (2 if settings.bidirectional else 1)
            return RecurrentClassifier(settings, embed, Labels(width, replace(head, pool="first")), gathering)


def build_decoder(settings: TransformerSettings, vocabulary: int, padding: int = 0) -> Decoder:
    """A fresh model that writes on what it is given."""
    embed = Embeddings(vocabulary, settings.width, padding, settings.embeddings.scaled)
    tied = embed.weight if settings.embeddings.tied in ("all", "output") else None
    model = Decoder(replace(settings, shape="decoder"), embed, NextToken(vocabulary, settings.width, tied))
    initialise(model)
    return model


def build_pretrained(
    settings: TransformerSettings,
    head: TokensSettings | LabelsSettings | None,
    source: int,
    target: int | None = None,
    padding: int = 0,
) -> Pretrained:
    """A model of any shape, whose weights are yet to be read.

    source, target   sizes of the vocabularies; an encoder or a decoder has one only
    """
    if settings.shape == "encoder-decoder":
        if not isinstance(head, TokensSettings):
            raise TypeError("an encoder-decoder needs a head for tokens")
        sizes = source, source if target is None else target
        return Transformer(settings, *_tables(settings.embeddings, settings.width, *sizes, (padding, padding), head))
    embed = Embeddings(source, settings.width, padding, settings.embeddings.scaled)
    match head:
        case TokensSettings():
            tied = embed.weight if settings.embeddings.tied in ("all", "output") else None
            out: NextToken | Labels | None = NextToken(source, settings.width, tied, head)
        case LabelsSettings():
            out = Labels(settings.width, head)
        case None:
            out = None
    return Encoder(settings, embed, out) if settings.shape == "encoder" else Decoder(settings, embed, out)


def _tables(
    settings: EmbeddingSettings,
    width: int,
    source: int,
    target: int,
    paddings: tuple[int, int],
    head: TokensSettings | None = None,
) -> tuple[Embeddings, Embeddings, NextToken]:
    """Source table, target table and output projection, shared as asked."""
    read = Embeddings(source, width, paddings[0], settings.scaled)
    shared = settings.tied in ("all", "source-target")
    write = read if shared else Embeddings(target, width, paddings[1], settings.scaled)
    weight = write.weight if settings.tied in ("all", "output") else None
    return read, write, NextToken(target, width, weight, head)


def initialise(model: nn.Module) -> None:
    """All weights of a Transformer, drawn here and nowhere else but in the tables.

    embeddings, tied output    normal, standard deviation width ** -0.5, padding row 0   (in their own class)
    every linear weight        uniform, Xavier (Glorot & Bengio 2010); fused projections as if they were separate
                               one by one; T5's queries times head width ** -0.5
    every bias                 0
    norms                      weight 1, bias 0
    """
    for part in model.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in model.modules():
        if isinstance(part, MultiHeadAttention):
            for projection in part.projections():
                nn.init.xavier_uniform_(projection)
            if part.scale == 1.0 and part.head_width > 1:  # T5: the queries start with the scale that is left out
                with torch.no_grad():
                    part.asking().mul_(part.head_width**-0.5)


def count(settings: ModelSettings, source: int, target: int, joint: bool = True) -> int:
    """Trainable numbers of the model that `build` would make, shared tables once. Allocates nothing."""
    with torch.device("meta"):
        model = build(settings, source, target, joint)
    return sum(p.numel() for p in model.parameters())


def units(model: nn.Module) -> list[nn.Module]:
    """The parts that FSDP2 gathers one after the other; what is left is gathered as a whole."""
    return [layer for part in model.modules() if isinstance(part, Stack) for layer in part.layers]
