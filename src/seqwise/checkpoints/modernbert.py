"""ModernBERT as a table: rotary positions, windows, gates, and no biases."""

from typing import Any

from seqwise.checkpoints.families import Always, Config, Family, Head, Key, Misfit, Rule, Theirs, Worked, unsaid
from seqwise.checkpoints.rules import FULL, SLIDING, TIED, activation, following, stretching, theta, window_layers
from seqwise.models.architecture import NormSettings
from seqwise.models.heads import ChangeSettings


def _modern_change(config: Config) -> ChangeSettings:
    norm = NormSettings(epsilon=float(config.get("norm_eps", 1e-5)), bias=bool(config.get("norm_bias", False)))
    act = activation("classifier_activation", "gelu").read(config)
    return ChangeSettings(act, bool(config.get("classifier_bias", False)), norm)


def _say_modern_change(value: ChangeSettings | None, config: dict[str, Any]) -> None:
    if value is not None:
        activation("classifier_activation", "gelu").write(value.activation, config)
        config["classifier_bias"] = value.bias
    following(_modern_change).write(value, config)


_MODERN_LABELS: dict[str, Rule] = {
    "change": Worked(_modern_change, _say_modern_change),
    "dropout": Key("classifier_dropout", 0.0),
}
_MODERN_NAMES: dict[str, Theirs] = {
    "head.change.dense": "head.dense",
    "head.change.norm": "head.norm",
    "head.out": "classifier",
}


def _say_local(value: Any, config: dict[str, Any]) -> None:
    if value is None:
        raise Misfit("None where it has a window")
    config["local_attention"] = 2 * value


def _say_pooling(value: Any, config: dict[str, Any]) -> None:
    names = {"first": "cls", "mean": "mean"}
    if value not in names:
        raise Misfit(f"{value!r} where it has first or mean")
    config["classifier_pooling"] = names[value]


MODERNBERT = Family(
    "modernbert",
    "Warner et al. 2024",
    {
        "shape": Always("encoder"),
        "width": Key("hidden_size", 768),
        "layers": Key("num_hidden_layers", 22),
        "heads": Key("num_attention_heads", 12),
        "attention.bias": Key("attention_bias", False),
        "attention.dropout": Key("attention_dropout", 0.0),
        "attention.window": Worked(lambda config: int(config.get("local_attention", 128)) // 2, _say_local),
        "attention.window_layers": window_layers(
            lambda config, i: i % int(config.get("global_attn_every_n_layers") or 3) != 0
        ),
        "feed_forward.width": Key("intermediate_size", 1152),
        "feed_forward.activation": activation("hidden_activation", "gelu"),
        "feed_forward.gated": Always(True),
        "feed_forward.bias": Key("mlp_bias", False),
        "feed_forward.dropout": Key("mlp_dropout", 0.0),
        "norm.epsilon": Key("norm_eps", 1e-5),
        "norm.bias": Key("norm_bias", False),
        "norm.first": Always(False),
        "norm.embeddings": Always(True),
        "dropout": unsaid(0.0),
        "positions.kind": Always("rotary"),
        "positions.theta": theta(160_000.0, FULL, "global_rope_theta"),
        "positions.local_theta": theta(10_000.0, SLIDING, "local_rope_theta"),
        "positions.rotation": stretching(),
        "embeddings.tied": TIED,
        "embeddings.scaled": Always(False),
    },
    {
        "encoder.embed": "embeddings.tok_embeddings",
        "encoder.embed_norm": "embeddings.norm",
        "encoder.layers.{}.attend.qkv": "layers.{}.attn.Wqkv",
        "encoder.layers.{}.attend.out": "layers.{}.attn.Wo",
        "encoder.layers.{}.attend_norm": "layers.{}.attn_norm",
        "encoder.layers.{}.feed.up": "layers.{}.mlp.Wi",
        "encoder.layers.{}.feed.down": "layers.{}.mlp.Wo",
        "encoder.layers.{}.feed_norm": "layers.{}.mlp_norm",
        "encoder.last_norm": "final_norm",
    },
    "model.",
    {
        "ModernBertModel": Head("vectors"),
        "ModernBertForMaskedLM": Head(
            "masked",
            {"bias": Key("decoder_bias", True), "change": _MODERN_LABELS["change"]},
            {"head": "decoder", "head.change.dense": "head.dense", "head.change.norm": "head.norm"},
        ),
        "ModernBertForSequenceClassification": Head(
            "labels",
            {
                **_MODERN_LABELS,
                "pool": Worked(
                    lambda config: {"cls": "first", "mean": "mean"}[config.get("classifier_pooling", "cls")],
                    _say_pooling,
                ),
            },
            _MODERN_NAMES,
        ),
        "ModernBertForTokenClassification": Head(
            "token labels", {**_MODERN_LABELS, "pool": Always("each")}, _MODERN_NAMES
        ),
    },
    leftovers=r"decoder\.weight$",
)
