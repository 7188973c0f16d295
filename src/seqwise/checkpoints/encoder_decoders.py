"""The families that read one text and write another: T5, mT5, BART, mBART, Marian, Pegasus, M2M-100, NLLB: tables."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqwise.checkpoints.families import (
    Always,
    Config,
    Family,
    Gated,
    Head,
    Key,
    Misfit,
    Raw,
    Rule,
    Shared,
    Theirs,
    Worked,
)
from seqwise.checkpoints.rules import ACTIVATIONS, activation
from seqwise.errors import CheckpointError


def _projection(config: Config, usual: str = "relu") -> tuple[str, bool]:
    """T5's `feed_forward_proj`: the activation, and whether a gate stands beside it."""
    told = str(config.get("feed_forward_proj") or usual)
    gated, _, act = told.rpartition("-")
    act = "gelu_new" if told == "gated-gelu" else act  # as the first files of T5 1.1 meant it
    if gated not in ("", "gated") or act not in ACTIVATIONS:
        raise CheckpointError(
            given=f"feed_forward_proj {told!r} in config.json",
            allowed="an activation, or gated- and an activation, of " + ", ".join(ACTIVATIONS),
            mend="another checkpoint; nothing was loaded",
        )
    return ACTIVATIONS[act], bool(gated)


def _say_projection(value: Any, config: dict[str, Any]) -> None:
    raise Misfit("which no run of ours has together with T5's positions")


def _scale(config: Config) -> float:
    """Vectors are scaled down before the last projection where it is the table of the tokens."""
    told = config.get("scale_decoder_outputs")
    shared = config.get("tie_word_embeddings", True) if told is None else told
    return float(config.get("d_model", 512)) ** -0.5 if shared else 1.0


def _shared(config: Config) -> str:
    """T5 1.1 has a projection of its own, and files of either generation that say so."""
    if config.get("scale_decoder_outputs") is False and config.get("tie_word_embeddings") is not False:
        return "source-target"
    return "all" if config.get("tie_word_embeddings", True) else "source-target"


def _decoder_layers(usual: int) -> Worked:
    """As many as the encoder's unless told."""
    return Worked(
        lambda config: config.get("num_decoder_layers") or config.get("num_layers", usual),
        lambda value, config: config.update(num_decoder_layers=value or config["num_layers"]),
    )


def _t5_stack(side: str, parts: Mapping[str, int]) -> dict[str, Theirs]:
    block = f"{side}.block.{{}}.layer."
    attend = f"{block}0.SelfAttention."
    feed = f"{block}{parts['feed']}."
    weights: dict[str, Theirs] = {
        f"{side}.relative.table": f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias",
        f"{side}.layers.{{}}.attend.qkv": (attend + "q", attend + "k", attend + "v"),
        f"{side}.layers.{{}}.attend.out": attend + "o",
        f"{side}.layers.{{}}.attend_norm": f"{block}0.layer_norm",
        f"{side}.layers.{{}}.feed.down": f"{feed}DenseReluDense.wo",
        f"{side}.layers.{{}}.feed_norm": f"{feed}layer_norm",
        f"{side}.layers.{{}}.feed.up": Gated(
            f"{feed}DenseReluDense.wi", f"{feed}DenseReluDense.wi_0", f"{feed}DenseReluDense.wi_1"
        ),
        f"{side}.last_norm": f"{side}.final_layer_norm",
    }
    if "cross" in parts:
        cross = f"{block}1.EncDecAttention."
        weights[f"{side}.layers.{{}}.cross.q"] = cross + "q"
        weights[f"{side}.layers.{{}}.cross.kv"] = (cross + "k", cross + "v")
        weights[f"{side}.layers.{{}}.cross.out"] = cross + "o"
        weights[f"{side}.layers.{{}}.cross_norm"] = f"{block}1.layer_norm"
    return weights


T5 = Family(
    "t5",
    "Raffel et al. 2020",
    {
        "shape": Always("encoder-decoder"),
        "width": Key("d_model", 512),
        "layers": Key("num_layers", 6),
        "decoder_layers": _decoder_layers(6),
        "heads": Key("num_heads", 8),
        "dropout": Key("dropout_rate", 0.1),
        "attention.head_width": Key("d_kv", 64),
        "attention.bias": Always(False),
        "feed_forward.width": Key("d_ff", 2048),
        "feed_forward.activation": Worked(lambda config: _projection(config)[0], _say_projection),
        "feed_forward.gated": Worked(lambda config: _projection(config)[1], _say_projection),
        "feed_forward.bias": Always(False),
        "norm.kind": Always("rms"),
        "norm.epsilon": Key("layer_norm_epsilon", 1e-6),
        "positions.kind": Always("t5"),
        "positions.buckets": Key("relative_attention_num_buckets", 32),
        "positions.reach": Key("relative_attention_max_distance", 128),
        "embeddings.tied": Worked(_shared, _say_projection),
        "embeddings.scaled": Always(False),
    },
    {
        "encoder.embed": "shared|encoder.embed_tokens|decoder.embed_tokens",
        **_t5_stack("encoder", {"feed": 1}),
        **_t5_stack("decoder", {"feed": 2, "cross": 1}),
    },
    "",
    {
        "T5ForConditionalGeneration": Head(
            "tokens", {"scale": Worked(_scale, _say_projection)}, {"head": "lm_head|shared"}
        ),
    },
    leftovers=r"(encoder|decoder)\.embed_tokens\.weight$|lm_head\.weight$|"
    r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$",
)

_GATED = "gated-gelu"
MT5 = replace(
    T5,
    name="mt5",
    source="Xue et al. 2021",
    settings={
        **T5.settings,
        "layers": Key("num_layers", 8),
        "decoder_layers": _decoder_layers(8),
        "heads": Key("num_heads", 6),
        "feed_forward.width": Key("d_ff", 1024),
        "feed_forward.activation": Worked(lambda config: _projection(config, _GATED)[0], _say_projection),
        "feed_forward.gated": Worked(lambda config: _projection(config, _GATED)[1], _say_projection),
        "embeddings.tied": Always("source-target"),
    },
    heads={"MT5ForConditionalGeneration": Head("tokens", {}, {"head": "lm_head|shared"})},
)
"""T5 1.1 in many languages: a projection of its own, whatever the file says of ties; a file that lacks it has the table
in its place, and what is learnt from there on leaves the two apart."""


def _fairseq_stack(side: str) -> dict[str, Theirs]:
    """The names that BART, Marian and M2M-100 share."""
    layer = f"{side}.layers.{{}}."
    ours = f"{side}.layers.{{}}."
    own = layer + "self_attn."
    weights: dict[str, Theirs] = {
        ours + "attend.qkv": (own + "q_proj", own + "k_proj", own + "v_proj"),
        ours + "attend.out": own + "out_proj",
        ours + "attend_norm": layer + "self_attn_layer_norm",
        ours + "feed.up": layer + "fc1",
        ours + "feed.down": layer + "fc2",
        ours + "feed_norm": layer + "final_layer_norm",
    }
    if side == "decoder":
        asked = layer + "encoder_attn."
        weights[ours + "cross.q"] = asked + "q_proj"
        weights[ours + "cross.kv"] = (asked + "k_proj", asked + "v_proj")
        weights[ours + "cross.out"] = asked + "out_proj"
        weights[ours + "cross_norm"] = layer + "encoder_attn_layer_norm"
    return weights


_STACKS = {**_fairseq_stack("encoder"), **_fairseq_stack("decoder")}
_PRE_NORM: dict[str, Theirs] = {
    "encoder.embed": "shared|encoder.embed_tokens|decoder.embed_tokens",
    "encoder.last_norm": "encoder.layer_norm",
    "decoder.last_norm": "decoder.layer_norm",
    **_STACKS,
}
_TABLES = (
    r"(model\.)?(encoder|decoder)\.(embed_tokens|embed_positions)\.weights?$|lm_head\.weight$|(model\.)?shared\.weight$"
)


def _half(own: str, other: str, default: int) -> Worked:
    """A size of the decoder; None where it is the encoder's."""

    def read(config: Config) -> int | None:
        mine, theirs = config.get(own, default), config.get(other, default)
        return None if mine == theirs else int(mine)

    return Worked(read, lambda value, config: config.update({own: value or config[other]}))


def _fairseq(act: str, scaled: bool) -> dict[str, Rule]:
    """The settings that the three share."""
    return {
        "shape": Always("encoder-decoder"),
        "width": Key("d_model", 1024),
        "layers": Key("encoder_layers", 12),
        "decoder_layers": _half("decoder_layers", "encoder_layers", 12),
        "heads": Key("encoder_attention_heads", 16),
        "decoder_heads": _half("decoder_attention_heads", "encoder_attention_heads", 16),
        "dropout": Key("dropout", 0.1),
        "attention.dropout": Key("attention_dropout", 0.0),
        "feed_forward.width": Key("encoder_ffn_dim", 4096),
        "feed_forward.decoder_width": _half("decoder_ffn_dim", "encoder_ffn_dim", 4096),
        "feed_forward.activation": activation("activation_function", act),
        "feed_forward.dropout": Key("activation_dropout", 0.0),
        "positions.longest": Key("max_position_embeddings", 1024),
        "embeddings.tied": Always("all"),
        "embeddings.scaled": Key("scale_embedding", scaled),
    }


_BIASED: dict[str, Rule] = {"bias": Always(True)}
_BIASED_NAMES: dict[str, Theirs] = {"head": "lm_head", "head.bias": Raw(("final_logits_bias",), optional=True)}

BART = Family(
    "bart",
    "Lewis et al. 2020",
    {
        **_fairseq("gelu", False),
        "norm.place": Always("post"),
        "norm.embeddings": Always(True),
        "positions.kind": Always("learned"),
        "positions.offset": Always(2),
    },
    {
        "encoder.embed": "shared|encoder.embed_tokens|decoder.embed_tokens",
        "encoder.positions.table": "encoder.embed_positions",
        "decoder.positions.table": "decoder.embed_positions",
        "encoder.embed_norm": "encoder.layernorm_embedding",
        "decoder.embed_norm": "decoder.layernorm_embedding",
        **_STACKS,
    },
    "model.",
    {"BartForConditionalGeneration": Head("tokens", _BIASED, _BIASED_NAMES)},
    leftovers=_TABLES,
)

MBART = Family(
    "mbart",
    "Liu et al. 2020; Tang et al. 2020 (mBART-50)",
    {**BART.settings, "norm.place": Always("pre")},
    {**BART.weights, "encoder.last_norm": "encoder.layer_norm", "decoder.last_norm": "decoder.layer_norm"},
    "model.",
    {"MBartForConditionalGeneration": Head("tokens", _BIASED, _BIASED_NAMES)},
    leftovers=_TABLES,
)


def _marian_tied(config: Config) -> str:
    """One table for both languages, or one each; the target's is also the last projection."""
    if config.get("share_encoder_decoder_embeddings", True):
        return "all" if config.get("tie_word_embeddings", True) else "source-target"
    return "output" if config.get("tie_word_embeddings", True) else "none"


def _say_no_last(value: bool | None, config: dict[str, Any]) -> None:
    if value:
        raise Misfit("True where it has False")


def _say_marian_tied(value: str, config: dict[str, Any]) -> None:
    config["share_encoder_decoder_embeddings"] = value in ("all", "source-target")
    config["tie_word_embeddings"] = value in ("all", "output")


MARIAN = Family(
    "marian",
    "Junczys-Dowmunt et al. 2018; Tiedemann & Thottingal 2020 (OPUS-MT)",
    {
        **_fairseq("gelu", False),
        "norm.place": Always("post"),
        "norm.last": Worked(lambda config: None, _say_no_last),
        "positions.kind": Always("sinusoidal"),
        "positions.interleaved": Always(False),
        "positions.spread": Always("open"),
        "embeddings.tied": Worked(_marian_tied, _say_marian_tied),
    },
    {
        "encoder.embed": Shared("shared|encoder.embed_tokens", "encoder.embed_tokens"),
        "decoder.embed": "decoder.embed_tokens",
        **_STACKS,
    },
    "model.",
    {"MarianMTModel": Head("tokens", _BIASED, _BIASED_NAMES)},
    vocabulary=("vocab_size", "decoder_vocab_size"),
    leftovers=_TABLES,
)


PEGASUS = Family(
    "pegasus",
    "Zhang et al. 2020",
    {
        **_fairseq("gelu", False),
        "norm.place": Always("pre"),
        "positions.kind": Always("sinusoidal"),
        "positions.interleaved": Always(False),
        "positions.spread": Always("open"),
    },
    _PRE_NORM,
    "model.",
    {"PegasusForConditionalGeneration": Head("tokens", _BIASED, _BIASED_NAMES)},
    leftovers=_TABLES,
)


def _after_padding(config: Config) -> int:
    padding = config.get("pad_token_id")
    return (1 if padding is None else int(padding)) + 1


M2M100 = Family(
    "m2m_100",
    "Fan et al. 2021; NLLB Team 2022",
    {
        **_fairseq("relu", True),
        "norm.place": Always("pre"),
        "positions.kind": Always("sinusoidal"),
        "positions.interleaved": Always(False),
        "positions.spread": Always("closed"),
        "positions.offset": Worked(_after_padding, lambda value, config: config.update(pad_token_id=value - 1)),
    },
    _PRE_NORM,
    "model.",
    {"M2M100ForConditionalGeneration": Head("tokens", {}, {"head": "lm_head"})},
    leftovers=_TABLES,
)

ENCODER_DECODERS = (T5, MT5, BART, MBART, MARIAN, PEGASUS, M2M100)
STACKS = {
    "T5Model": "T5ForConditionalGeneration",
    "BartModel": "BartForConditionalGeneration",
    "MBartModel": "MBartForConditionalGeneration",
    "MarianModel": "MarianMTModel",
    "PegasusModel": "PegasusForConditionalGeneration",
    "M2M100Model": "M2M100ForConditionalGeneration",
}
"""The two stacks alone, as some files name them, and what writes on them."""
