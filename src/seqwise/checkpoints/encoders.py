"""The families that read a text whole, as tables: BERT, RoBERTa, XLM-R, DistilBERT, ELECTRA; ModernBERT has its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqwise.checkpoints.families import (
    Always,
    Config,
    Family,
    Head,
    Key,
    Misfit,
    Raw,
    Rule,
    Theirs,
    Worked,
)
from seqwise.checkpoints.modernbert import MODERNBERT
from seqwise.checkpoints.rules import TIED, activation, following
from seqwise.errors import CheckpointError
from seqwise.models.architecture import NormSettings
from seqwise.models.heads import ChangeSettings

UNUSED = (
    r".*position_ids$|.*\bpooler\.dense\..*|cls\.seq_relationship\..*|.*\.decoder\.(weight|bias)$"
    r"|vocab_projector\.weight$|generator_lm_head\.weight$"
)


def _bias(head: str) -> Raw:
    """Of the scores of all tokens: files have it twice, or once where it is shared; the projection's own counts."""
    names = (f"{head}.decoder.bias", f"{head}.bias")
    return Raw(names, names)


def _change(act: str, default: str, epsilon: float, key: str = "layer_norm_eps") -> Worked:
    """The dense layer of a head for masked tokens: the activation of the model and its LayerNorm."""

    def read(config: Config) -> ChangeSettings:
        norm = NormSettings(epsilon=float(config.get(key, epsilon)))
        return ChangeSettings(activation(act, default).read(config), norm=norm)

    return following(read)


def _plain_change(config: Config) -> ChangeSettings:
    """A dense layer with the activation of the model and no more."""
    return ChangeSettings(activation("hidden_act", "gelu").read(config))


def _say_segments(value: int, config: dict[str, Any]) -> None:
    if value < 1:
        raise Misfit("0 where it has at least 1")
    config["type_vocab_size"] = value


def _dropout(*keys: str) -> Worked:
    """The first of the keys that says something."""

    def read(config: Config) -> float:
        return float(next((config[key] for key in keys if config.get(key) is not None), 0.0))

    return Worked(read, lambda value, config: config.update({keys[0]: value}))


def _bert(
    name: str,
    source: str,
    offset: Rule,
    longest: Rule,
    heads: Mapping[str, Head],
    kinds: int,
    settings: dict[str, Rule],
) -> Family:
    """BERT's stack, which RoBERTa shares."""
    layer = "encoder.layer.{}."
    weights: dict[str, Theirs] = {
        "encoder.embed": "embeddings.word_embeddings",
        "encoder.positions.table": "embeddings.position_embeddings",
        "encoder.segments": "embeddings.token_type_embeddings",
        "encoder.embed_norm": "embeddings.LayerNorm",
        "encoder.layers.{}.attend.qkv": (
            layer + "attention.self.query",
            layer + "attention.self.key",
            layer + "attention.self.value",
        ),
        "encoder.layers.{}.attend.out": layer + "attention.output.dense",
        "encoder.layers.{}.attend_norm": layer + "attention.output.LayerNorm",
        "encoder.layers.{}.feed.up": layer + "intermediate.dense",
        "encoder.layers.{}.feed.down": layer + "output.dense",
        "encoder.layers.{}.feed_norm": layer + "output.LayerNorm",
    }
    rules: dict[str, Rule] = {
        "shape": Always("encoder"),
        "width": Key("hidden_size", 768),
        "layers": Key("num_hidden_layers", 12),
        "heads": Key("num_attention_heads", 12),
        "segments": Worked(Key("type_vocab_size", kinds).read, _say_segments),
        "dropout": Key("hidden_dropout_prob", 0.1),
        "attention.dropout": Key("attention_probs_dropout_prob", 0.1),
        "feed_forward.width": Key("intermediate_size", 3072),
        "feed_forward.activation": activation("hidden_act", "gelu"),
        "norm.place": Always("post"),
        "norm.epsilon": Key("layer_norm_eps", 1e-12),
        "norm.embeddings": Always(True),
        "positions.kind": Always("learned"),
        "positions.offset": offset,
        "positions.longest": longest,
        "embeddings.tied": TIED,
        "embeddings.scaled": Always(False),
    }
    fixed = {
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "position_embedding_type": ("absolute",),
    }
    return Family(name, source, {**rules, **settings}, weights, f"{name}.", heads, fixed=fixed, leftovers=UNUSED)


_PLAIN_LABELS: dict[str, Rule] = {
    "dropout": _dropout("classifier_dropout", "hidden_dropout_prob"),
}

_BERT_MASKED = Head(
    "masked",
    {"bias": Always(True), "change": _change("hidden_act", "gelu", 1e-12)},
    {
        "head": "cls.predictions.decoder",
        "head.bias": _bias("cls.predictions"),
        "head.change.dense": "cls.predictions.transform.dense",
        "head.change.norm": "cls.predictions.transform.LayerNorm",
    },
)

BERT = _bert(
    "bert",
    "Devlin et al. 2019",
    Always(0),
    Key("max_position_embeddings", 512),
    {
        "BertModel": Head("vectors"),
        "BertForMaskedLM": _BERT_MASKED,
        "BertForPreTraining": _BERT_MASKED,
        "BertForSequenceClassification": Head(
            "labels",
            {**_PLAIN_LABELS, "change": Always(ChangeSettings("tanh"))},
            {"head.change.dense": "bert.pooler.dense", "head.out": "classifier"},
        ),
        "BertForTokenClassification": Head(
            "token labels", {**_PLAIN_LABELS, "pool": Always("each")}, {"head.out": "classifier"}
        ),
    },
    2,
    {},
)


def _past_padding(config: Config) -> int:
    padding = config.get("pad_token_id")
    return (1 if padding is None else int(padding)) + 1


def _rows(config: Config) -> int:
    return int(config.get("max_position_embeddings", 512)) - _past_padding(config)


ROBERTA = _bert(
    "roberta",
    "Liu et al. 2019",
    Worked(_past_padding, lambda value, config: config.update(pad_token_id=value - 1)),
    Worked(_rows, lambda value, config: config.update(max_position_embeddings=value + config["pad_token_id"] + 1)),
    {
        "RobertaModel": Head("vectors"),
        "RobertaForMaskedLM": Head(
            "masked",
            {"bias": Always(True), "change": _change("", "gelu", 1e-12)},
            {
                "head": "lm_head.decoder",
                "head.bias": _bias("lm_head"),
                "head.change.dense": "lm_head.dense",
                "head.change.norm": "lm_head.layer_norm",
            },
        ),
        "RobertaForSequenceClassification": Head(
            "labels",
            {**_PLAIN_LABELS, "change": Always(ChangeSettings("tanh"))},
            {"head.change.dense": "classifier.dense", "head.out": "classifier.out_proj"},
        ),
        "RobertaForTokenClassification": Head(
            "token labels", {**_PLAIN_LABELS, "pool": Always("each")}, {"head.out": "classifier"}
        ),
    },
    2,
    {},
)

XLM_ROBERTA = replace(
    ROBERTA,
    name="xlm-roberta",
    source="Conneau et al. 2020",
    heads={f"XLM{name}": head for name, head in ROBERTA.heads.items()},
)


def _one_width(config: Config) -> int:
    """Of the tables and the layers: the small ELECTRA and the generators put a projection between two widths."""
    width, told = config.get("hidden_size") or 256, config.get("embedding_size") or 128
    if width != told:
        raise CheckpointError(
            given=f"embedding_size {told!r} with hidden_size {width!r} in config.json",
            allowed="the same number in a checkpoint of electra: there is no projection between the two",
            mend="electra-base-discriminator or electra-large-discriminator, or a BERT of this size",
        )
    return int(width)


_ELECTRA_MASKED = {
    "head": "generator_lm_head",
    "head.change.dense": "generator_predictions.dense",
    "head.change.norm": "generator_predictions.LayerNorm",
}
_REPLACED = {
    "head.change.dense": "discriminator_predictions.dense",
    "head.out": "discriminator_predictions.dense_prediction",
}
ELECTRA = _bert(
    "electra",
    "Clark et al. 2020",
    Always(0),
    Key("max_position_embeddings", 512),
    {
        "ElectraModel": Head("vectors"),
        "ElectraForPreTraining": Head(
            "token labels",
            {"labels": Always(1), "pool": Always("each"), "change": following(_plain_change)},
            _REPLACED,
        ),
        "ElectraForMaskedLM": Head(
            "masked", {"bias": Always(True), "change": _change("", "gelu", 1e-12)}, _ELECTRA_MASKED
        ),
        "ElectraForSequenceClassification": Head(
            "labels",
            {**_PLAIN_LABELS, "change": Always(ChangeSettings("gelu"))},
            {"head.change.dense": "classifier.dense", "head.out": "classifier.out_proj"},
        ),
        "ElectraForTokenClassification": Head(
            "token labels", {**_PLAIN_LABELS, "pool": Always("each")}, {"head.out": "classifier"}
        ),
    },
    2,
    {
        "width": Worked(_one_width, lambda value, config: config.update(hidden_size=value, embedding_size=value)),
        "heads": Key("num_attention_heads", 4),
        "feed_forward.width": Key("intermediate_size", 1024),
    },
)

_DISTIL_LAYER = "transformer.layer.{}."
DISTILBERT = Family(
    "distilbert",
    "Sanh et al. 2019",
    {
        "shape": Always("encoder"),
        "width": Key("dim", 768),
        "layers": Key("n_layers", 6),
        "heads": Key("n_heads", 12),
        "dropout": Key("dropout", 0.1),
        "attention.dropout": Key("attention_dropout", 0.1),
        "feed_forward.width": Key("hidden_dim", 3072),
        "feed_forward.activation": activation("activation", "gelu"),
        "norm.place": Always("post"),
        "norm.epsilon": Always(1e-12),
        "norm.embeddings": Always(True),
        "positions.kind": Always("learned"),
        "positions.longest": Key("max_position_embeddings", 512),
        "embeddings.tied": TIED,
        "embeddings.scaled": Always(False),
    },
    {
        "encoder.embed": "embeddings.word_embeddings",
        "encoder.positions.table": "embeddings.position_embeddings",
        "encoder.embed_norm": "embeddings.LayerNorm",
        "encoder.layers.{}.attend.qkv": (
            _DISTIL_LAYER + "attention.q_lin",
            _DISTIL_LAYER + "attention.k_lin",
            _DISTIL_LAYER + "attention.v_lin",
        ),
        "encoder.layers.{}.attend.out": _DISTIL_LAYER + "attention.out_lin",
        "encoder.layers.{}.attend_norm": _DISTIL_LAYER + "sa_layer_norm",
        "encoder.layers.{}.feed.up": _DISTIL_LAYER + "ffn.lin1",
        "encoder.layers.{}.feed.down": _DISTIL_LAYER + "ffn.lin2",
        "encoder.layers.{}.feed_norm": _DISTIL_LAYER + "output_layer_norm",
    },
    "distilbert.",
    {
        "DistilBertModel": Head("vectors"),
        "DistilBertForMaskedLM": Head(
            "masked",
            {"bias": Always(True), "change": _change("activation", "gelu", 1e-12)},
            {
                "head": "vocab_projector",
                "head.change.dense": "vocab_transform",
                "head.change.norm": "vocab_layer_norm",
            },
        ),
        "DistilBertForSequenceClassification": Head(
            "labels",
            {"dropout": Key("seq_classif_dropout", 0.2), "change": Always(ChangeSettings("relu"))},
            {"head.change.dense": "pre_classifier", "head.out": "classifier"},
        ),
        "DistilBertForTokenClassification": Head(
            "token labels", {"dropout": Key("dropout", 0.1), "pool": Always("each")}, {"head.out": "classifier"}
        ),
    },
    leftovers=UNUSED,
)


ENCODERS = (BERT, ROBERTA, XLM_ROBERTA, DISTILBERT, ELECTRA, MODERNBERT)
