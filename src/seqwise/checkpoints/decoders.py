"""The families that write on what they were given: GPT-2, Llama, Mistral, Qwen 2, 3, Phi-3, Gemma 2 and 3: tables."""

from collections.abc import Callable, Mapping
from typing import Any

from seqwise.checkpoints.families import Always, Config, Family, Head, Key, Misfit, Named, Rule, Theirs, Worked, unsaid
from seqwise.checkpoints.rules import (
    FULL,
    SLIDING,
    activation,
    following,
    rope,
    stretching,
    theta,
    window,
    window_layers,
)
from seqwise.errors import CheckpointError
from seqwise.models.rotary import RotationSettings


def tied(default: bool) -> Rule:
    """Whether the table of the tokens is also the last projection."""
    return Worked(
        Named("tie_word_embeddings", default, {True: "all", False: "none"}).read,
        lambda value, config: config.update(tie_word_embeddings=value in ("all", "output")),
    )


def _heads(
    stem: str, tokens: Mapping[str, Rule], class_stem: str | None = None, each: str = "score"
) -> dict[str, Head]:
    """The four architectures that every family of decoders has."""
    writes = f"{stem}LMHeadModel" if stem == "GPT2" else f"{stem}ForCausalLM"
    named = class_stem or stem
    return {
        f"{named}Model": Head("vectors"),
        writes: Head("tokens", tokens, {"head": "lm_head"}),
        f"{named}ForSequenceClassification": Head(
            "labels", {"pool": Always("last"), "bias": Always(False)}, {"head.out": "score"}
        ),
        f"{named}ForTokenClassification": Head("token labels", {"pool": Always("each")}, {"head.out": each}),
    }


GPT2 = Family(
    "gpt2",
    "Radford et al. 2019",
    {
        "shape": Always("decoder"),
        "width": Key("n_embd", 768),
        "layers": Key("n_layer", 12),
        "heads": Key("n_head", 12),
        "dropout": Key("resid_pdrop", 0.1),
        "attention.dropout": Key("attn_pdrop", 0.1),
        "feed_forward.width": Worked(
            lambda config: config.get("n_inner") or 4 * config.get("n_embd", 768),
            lambda value, config: config.update(n_inner=value),
        ),
        "feed_forward.activation": activation("activation_function", "gelu_new"),
        "norm.epsilon": Key("layer_norm_epsilon", 1e-5),
        "positions.kind": Always("learned"),
        "positions.longest": Key("n_positions", 1024),
        "embeddings.tied": tied(True),
        "embeddings.scaled": Always(False),
    },
    {
        "decoder.embed": "wte",
        "decoder.positions.table": "wpe",
        "decoder.layers.{}.attend.qkv": "h.{}.attn.c_attn",
        "decoder.layers.{}.attend.out": "h.{}.attn.c_proj",
        "decoder.layers.{}.attend_norm": "h.{}.ln_1",
        "decoder.layers.{}.feed.up": "h.{}.mlp.c_fc",
        "decoder.layers.{}.feed.down": "h.{}.mlp.c_proj",
        "decoder.layers.{}.feed_norm": "h.{}.ln_2",
        "decoder.last_norm": "ln_f",
    },
    "transformer.",
    _heads("GPT2", {}, each="classifier"),
    transposed=True,
    fixed={
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    leftovers=r".*\.attn\.(bias|masked_bias)$|lm_head\.weight$",
)

_SELF = "layers.{}.self_attn."
_MLP = "layers.{}.mlp."
_LLAMA_WEIGHTS: dict[str, Theirs] = {
    "decoder.embed": "embed_tokens",
    "decoder.layers.{}.attend.qkv": (_SELF + "q_proj", _SELF + "k_proj", _SELF + "v_proj"),
    "decoder.layers.{}.attend.out": _SELF + "o_proj",
    "decoder.layers.{}.attend_norm": "layers.{}.input_layernorm",
    "decoder.layers.{}.feed.up": (_MLP + "gate_proj", _MLP + "up_proj"),
    "decoder.layers.{}.feed.down": _MLP + "down_proj",
    "decoder.layers.{}.feed_norm": "layers.{}.post_attention_layernorm",
    "decoder.last_norm": "norm",
}
_NORMED: dict[str, Theirs] = {
    "decoder.layers.{}.attend.query_norm": _SELF + "q_norm",
    "decoder.layers.{}.attend.key_norm": _SELF + "k_norm",
}
_FOUR_NORMS: dict[str, Theirs] = {
    "decoder.layers.{}.attend_after": "layers.{}.post_attention_layernorm",
    "decoder.layers.{}.feed_norm": "layers.{}.pre_feedforward_layernorm",
    "decoder.layers.{}.feed_after": "layers.{}.post_feedforward_layernorm",
}


def _width_of_head(default: int | None) -> Worked:
    """`head_dim`, where the file tells it; None: width / heads."""

    def write(value: int | None, config: dict[str, Any]) -> None:
        config["head_dim"] = value or config["hidden_size"] // config["num_attention_heads"]

    return Worked(lambda config: config.get("head_dim") or default, write)


def _say_head_width(value: int | None, config: dict[str, Any]) -> None:
    if value is not None:
        config["head_dim"] = value


def _groups(default: int | None) -> Worked:
    """`num_key_value_heads`; older files without it have as many as heads."""

    def write(value: int | None, config: dict[str, Any]) -> None:
        config["num_key_value_heads"] = value or config["num_attention_heads"]

    return Worked(lambda config: config.get("num_key_value_heads") or default, write)


def _llama(base: float = 10_000.0, groups: int | None = None, head: int | None = None) -> dict[str, Rule]:
    """What Llama and its heirs share."""
    return {
        "shape": Always("decoder"),
        "width": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "heads": Key("num_attention_heads"),
        "dropout": unsaid(0.0),
        "attention.kv_heads": _groups(groups),
        "attention.head_width": _width_of_head(head),
        "attention.bias": Key("attention_bias", False),
        "attention.dropout": Key("attention_dropout", 0.0),
        "feed_forward.width": Key("intermediate_size"),
        "feed_forward.activation": activation("hidden_act", "silu"),
        "feed_forward.gated": Always(True),
        "feed_forward.bias": Always(False),
        "norm.kind": Always("rms"),
        "norm.epsilon": Key("rms_norm_eps", 1e-6),
        "positions.kind": Always("rotary"),
        "positions.theta": theta(base),
        "positions.rotation": stretching(),
        "embeddings.tied": tied(False),
        "embeddings.scaled": Always(False),
    }


_BUFFERS = r".*rotary_emb\.inv_freq$|lm_head\.weight$"


def _in_all_layers(value: tuple[int, ...] | None, config: dict[str, Any]) -> None:
    if value is not None and len(value) < config["num_hidden_layers"] and config["sliding_window"] is not None:
        raise Misfit(f"{value} where all layers have the window")


def _say_scale(value: float | None, config: dict[str, Any]) -> None:
    asked = config["head_dim"] if value is None else value**-2
    config["query_pre_attn_scalar"] = round(asked) if abs(asked - round(asked)) < 1e-6 * asked else asked


def _late(config: Config, i: int) -> bool:
    return i >= int(config.get("max_window_layers", 28))


LLAMA = Family(
    "llama",
    "Touvron et al. 2023; Grattafiori et al. 2024",
    {**_llama(), "feed_forward.bias": Key("mlp_bias", False)},
    _LLAMA_WEIGHTS,
    "model.",
    _heads("Llama", {}),
    leftovers=_BUFFERS,
)

MISTRAL = Family(
    "mistral",
    "Jiang et al. 2023",
    {
        **_llama(groups=8),
        "attention.bias": Always(False),
        "attention.window": window(default=4096),
        "attention.window_layers": Worked(window_layers(lambda config, i: True).read, _in_all_layers),
    },
    _LLAMA_WEIGHTS,
    "model.",
    _heads("Mistral", {}),
    leftovers=_BUFFERS,
)

QWEN2 = Family(
    "qwen2",
    "Yang et al. 2024",
    {
        **_llama(groups=32),
        "attention.head_width": Worked(lambda config: config.get("head_dim"), _say_head_width),
        "attention.bias": Always(True),
        "attention.out_bias": Always(False),
        "attention.window": window(switch="use_sliding_window", default=4096),
        "attention.window_layers": window_layers(_late),
    },
    _LLAMA_WEIGHTS,
    "model.",
    _heads("Qwen2", {}),
    leftovers=_BUFFERS,
)

QWEN3 = Family(
    "qwen3",
    "Qwen Team 2025",
    {
        **_llama(groups=32, head=128),
        "attention.norm": Always(True),
        "attention.window": window(switch="use_sliding_window", default=4096),
        "attention.window_layers": window_layers(_late),
    },
    _LLAMA_WEIGHTS | _NORMED,
    "model.",
    _heads("Qwen3", {}),
    leftovers=_BUFFERS,
)


def _unstretched(config: Config) -> RotationSettings:
    """Phi-3's positions of 4,096 tokens. Longer ones turn by a list of factors, of which there are two; later ones turn
    a part of each head only: neither is among our rotations."""
    told = rope(config)
    kind = told.get("rope_type") or told.get("type") or "default"
    share = told.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0
    if kind == "default" and share == 1.0:
        return RotationSettings()
    raise CheckpointError(
        given=f"rope_type {kind!r} with partial_rotary_factor {share:g} in config.json",
        allowed="rope_type 'default' with partial_rotary_factor 1 in a checkpoint of phi3",
        mend="a Phi-3 for 4k tokens, such as Phi-3-mini-4k-instruct; nothing was loaded",
    )


PHI3 = Family(
    "phi3",
    "Abdin et al. 2024",
    {
        **_llama(),
        "dropout": Key("resid_pdrop", 0.0),
        "attention.head_width": Worked(lambda config: config.get("head_dim"), _say_head_width),
        "attention.bias": Always(False),
        "attention.window": window(),
        "attention.window_layers": Worked(window_layers(lambda config, i: True).read, _in_all_layers),
        "norm.epsilon": Key("rms_norm_eps", 1e-5),
        "positions.rotation": following(_unstretched),
    },
    {
        **_LLAMA_WEIGHTS,
        "decoder.layers.{}.attend.qkv": _SELF + "qkv_proj",
        "decoder.layers.{}.feed.up": _MLP + "gate_up_proj",
    },
    "model.",
    _heads("Phi3", {}),
    leftovers=_BUFFERS,
)


def _gemma(pattern: Callable[[Config, int], bool]) -> dict[str, Rule]:
    """What Gemma 2 and 3 share."""
    return {
        **_llama(groups=4, head=256),
        "attention.scale": Worked(
            lambda config: float(config.get("query_pre_attn_scalar", 256)) ** -0.5,
            _say_scale,
        ),
        "attention.softcap": Key("attn_logit_softcapping", None),
        "attention.window": window(default=4096),
        "attention.window_layers": window_layers(pattern),
        "feed_forward.activation": activation("hidden_activation", "gelu_pytorch_tanh"),
        "norm.kind": Always("rms-offset"),
        "norm.place": Always("both"),
        "embeddings.tied": tied(True),
        "embeddings.scaled": Always(True),
    }


_ONE_WAY = {"use_bidirectional_attention": (False,)}
_CAPPED: dict[str, Rule] = {"softcap": Key("final_logit_softcapping", None)}

GEMMA2 = Family(
    "gemma2",
    "Gemma Team 2024",
    {
        **_gemma(lambda config, i: i % 2 == 0),
        "attention.softcap": Worked(
            lambda config: config.get("attn_logit_softcapping", 50.0),
            lambda value, config: config.update(attn_logit_softcapping=value),
        ),
    },
    _LLAMA_WEIGHTS | _FOUR_NORMS,
    "model.",
    _heads(
        "Gemma2",
        {
            "softcap": Worked(
                lambda config: config.get("final_logit_softcapping", 30.0),
                lambda value, config: config.update(final_logit_softcapping=value),
            )
        },
    ),
    fixed=_ONE_WAY,
    leftovers=_BUFFERS,
)

GEMMA3 = Family(
    "gemma3_text",
    "Gemma Team 2025",
    {
        **_gemma(lambda config, i: (i + 1) % int(config.get("sliding_window_pattern") or 6) != 0),
        "attention.norm": Always(True),
        "positions.theta": theta(1_000_000.0, FULL),
        "positions.local_theta": theta(10_000.0, SLIDING, "rope_local_base_freq"),
    },
    _LLAMA_WEIGHTS | _FOUR_NORMS | _NORMED,
    "model.",
    _heads("Gemma3", _CAPPED, "Gemma3Text"),
    fixed=_ONE_WAY,
    leftovers=_BUFFERS,
)

DECODERS = (GPT2, LLAMA, MISTRAL, QWEN2, QWEN3, PHI3, GEMMA2, GEMMA3)
