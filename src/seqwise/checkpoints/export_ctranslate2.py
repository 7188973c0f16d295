"""Models that write, for CTranslate2: a C++ engine that decodes in int8 or in half precision, on CPU and GPU.

The folder holds model.bin, the vocabularies and a config.json of that library. Its converters need transformers; here
its specification is filled from our weights, whatever family they are of, so that a run needs no family at all.

Refused is what the engine cannot compute: bounded attention scores (Gemma 2 as published), ALiBi, rotary positions
stretched by yarn or dynamically, queries normalized by LayerNorm, LSTMs. Windows are computed as they should be while
writing, but not in prompts longer than the window: whoever exports is told.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.data.pieces import ABSENT
from seqwise.data.tokens import Tokenizer
from seqwise.errors import CheckpointError, MissingExtraError
from seqwise.models.architecture import TransformerSettings
from seqwise.models.assemble import Pretrained
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.models.layers import Layer, OffsetRMSNorm
from seqwise.models.positions import sinusoidal
from seqwise.models.rotary import RotationSettings
from seqwise.models.transformer import Stack, Transformer

TYPES = {
    torch.float64: "float32",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.int8: "int8",
}
ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "gelu-tanh": "GELUTanh", "silu": "SWISH"}
SCALINGS = {"linear": "Linear", "llama3": "Llama3"}
NEVER = -1e4
"""Added to the score of a token that is never written; fp16 can hold it."""
ROWS = 1024  # of the table of sinusoids at least: the engine refuses longer texts


@dataclass(frozen=True)
class Words:
    """What the engine has to know of tokens: it is given texts as lists of them."""

    source: tuple[str, ...]
    """By id, as many as the model has rows."""
    target: tuple[str, ...]
    specials: Mapping[str, str | None]
    """unk_token, bos_token, eos_token, and decoder_start_token where one text is written from another; None: the first
    of each `target_prefix`."""
    never: tuple[int, ...] = ()
    """Ids of tokens that are never written."""


def named(tokenizer: Tokenizer, rows: int) -> tuple[str, ...]:
    """The name of each row of a table, as the model's files have it: rows without a token get one that no text has."""
    held = tokenizer.vocabulary()
    names = {token: name for name, token in reversed(held.items()) if token != tokenizer.unk}
    unknown = [name for name, token in held.items() if token == tokenizer.unk]
    names[tokenizer.unk] = next((name for name in unknown if name in tokenizer.special_names), unknown[0])
    return tuple(names.get(row, f"<row {row}>").removeprefix(ABSENT) for row in range(rows))


def to_ctranslate2(model: Pretrained, words: Words, folder: Path, dtype: torch.dtype) -> tuple[str, ...]:
    """Write the model into a folder that is there; back comes what the user should know.

    dtype   of the numbers in the file; int8 for products and tables, each row with a scale of its own
    """
    specs = _library()
    wrong = list(_obstacles(model))
    if wrong:
        raise CheckpointError(
            given="a model with " + " and ".join(wrong),
            allowed="only what CTranslate2 can compute; without it the answers would be others",
            mend="--to hf",
        )
    with torch.no_grad():
        spec = _whole(specs, model)
        if isinstance(model, Transformer):
            spec.register_source_vocabulary(list(words.source))
            spec.register_target_vocabulary(list(words.target))
        else:
            spec.register_vocabulary(list(words.target))
        _hush(spec.decoder, words.never)
        for name, token in words.specials.items():
            setattr(spec.config, name, token)
        spec.config.layer_norm_epsilon = model.settings.norm.epsilon
        spec.validate()
        spec.optimize(quantization=TYPES[dtype])
        spec.save(str(folder))
    return tuple(_limits(model))


def _limits(model: Pretrained) -> Iterator[str]:
    """Where the engine computes something else."""
    settings = model.settings
    if settings.attention.window is not None:
        yield f"CTranslate2 computes as we do for prompts of up to {settings.attention.window + 1} tokens, not beyond"
    if settings.positions.kind == "sinusoidal":
        yield f"CTranslate2 reads texts of up to {max(ROWS, settings.positions.longest)} tokens with this model"


def _library() -> ModuleType:
    try:
        from ctranslate2 import specs  # type: ignore[import-untyped]  # it tells no types
    except ImportError as error:
        raise MissingExtraError(
            given="CTranslate2 is not installed",
            allowed="the extra 'ctranslate2'",
            mend="pip install 'seqwise[ctranslate2]'",
        ) from error
    found: ModuleType = specs
    return found


def _obstacles(model: nn.Module) -> Iterator[str]:
    """What the engine cannot compute."""
    if not isinstance(model, Transformer | Decoder) or not isinstance(model.head, NextToken):
        yield "nothing that writes (its place is --to onnx)"
        return
    settings = model.settings
    attention, norm, rotation = settings.attention, settings.norm, settings.positions.rotation
    if settings.positions.kind in ("alibi", "none"):
        yield f"positions.kind {settings.positions.kind}"
    if attention.softcap is not None:
        yield f"attention.softcap {attention.softcap:g}"
    if attention.norm and norm.kind == "layer":
        yield "attention.norm by LayerNorm"
    if settings.positions.kind == "rotary" and rotation.kind not in ("none", *SCALINGS):
        yield f"positions.rotation {rotation.kind}"
    if norm.place == "post" and norm.last:
        yield "norm.last after norm.place post"
    if norm.place == "both" and isinstance(model, Transformer):
        yield "norm.place both in an encoder-decoder"
    if not norm.first:
        yield "norm.first false"
    if attention.window is not None and isinstance(model, Transformer):
        yield "attention.window in an encoder"


def _whole(specs: ModuleType, model: Pretrained) -> Any:
    made = specs.transformer_spec
    if isinstance(model, Transformer):
        encoder = made.TransformerEncoderSpec(**_stack(specs, model.encoder))
        _fill(specs, encoder, model.encoder, encoder.embeddings[0])
        decoder = made.TransformerDecoderSpec(with_encoder_attention=True, **_stack(specs, model.decoder))
        _fill(specs, decoder, model.decoder, decoder.embeddings)
        _head(decoder, model.head)
        return made.TransformerSpec(encoder, decoder)
    if not isinstance(model, Decoder) or not isinstance(model.head, NextToken):
        raise TypeError("a model that cannot write")
    decoder = made.TransformerDecoderSpec(with_encoder_attention=False, **_stack(specs, model.decoder))
    _fill(specs, decoder, model.decoder, decoder.embeddings)
    _head(decoder, model.head)
    return made.TransformerDecoderModelSpec(decoder)


def _stack(specs: ModuleType, stack: Stack) -> dict[str, Any]:
    """What the specification of a stack asks for; `_fill` puts layers with their own windows in place of these."""
    settings = stack.settings
    return {
        "num_layers": settings.layers,
        "num_heads": settings.heads,
        "pre_norm": settings.norm.place != "post",
        "no_final_norm": isinstance(stack.last_norm, nn.Identity),
        "activation": specs.common_spec.Activation[ACTIVATIONS[settings.feed_forward.activation]],
        "layernorm_embedding": settings.norm.embeddings,
        **_layer(specs, settings, 0),
    }


def _layer(specs: ModuleType, settings: TransformerSettings, layer: int) -> dict[str, Any]:
    """What the specification of a layer asks for."""
    attention, positions, local = settings.attention, settings.positions, settings.local(layer)
    told: dict[str, Any] = {
        "relative_attention_bias": positions.kind == "t5",
        "ffn_glu": settings.feed_forward.gated,
        "rms_norm": settings.norm.kind != "layer",
        "num_heads_kv": attention.kv_heads if attention.kv_heads != settings.heads else None,
        "head_dim": attention.head_width,
        "sliding_window": None if attention.window is None else attention.window + 1 if local else 0,
        "qk_norm": attention.norm,
        "pre_post_layer_norm": settings.norm.place == "both",
    }
    if positions.kind != "rotary":
        return told
    near = positions.local_theta if local else None
    scaling = SCALINGS.get(positions.rotation.kind) if near is None else None
    return told | {
        "rotary_dim": 0,
        "rotary_interleave": positions.interleaved,
        "rotary_base": positions.theta if near is None else near,
        "rotary_scaling_type": specs.attention_spec.RotaryScalingType[scaling] if scaling else None,
        "rotary_scaling_factor": positions.rotation.factor,
    }


def _fill(specs: ModuleType, spec: Any, stack: Stack, table: Any) -> None:
    settings, layers = stack.settings, stack.each()
    if stack.causal:  # each layer with a window and a rotation of its own
        made, asks = specs.transformer_spec.TransformerDecoderLayerSpec, layers[0].has_memory
        spec.layer = [made(with_encoder_attention=asks, **_layer(specs, settings, i)) for i in range(len(layers))]
    table.weight = next(stack.embed.parameters()).detach()
    spec.scale_embeddings = math.sqrt(settings.width) if settings.embeddings.scaled else 1.0
    encodings = _encodings(stack)
    if encodings is not None:
        spec.position_encodings.encodings = encodings
    if settings.norm.embeddings:
        _norm(spec.layernorm_embedding, stack.embed_norm)
    if not isinstance(stack.last_norm, nn.Identity):
        _norm(spec.layer_norm, stack.last_norm)
    for one, layer in zip(spec.layer, layers, strict=True):
        _fill_layer(one, layer)
        if stack.relative is not None and stack.relative.table is not None:
            one.self_attention.relative_attention_bias = stack.relative.table.weight.detach()
            one.self_attention.relative_attention_max_distance = np.int32(settings.positions.reach)


def _encodings(stack: Stack) -> Tensor | None:
    """A row for each position, from the first."""
    positions = stack.settings.positions
    if stack.positions.table is not None:
        return stack.positions.table.weight.detach()[positions.offset :]
    if positions.kind != "sinusoidal":
        return None
    where = torch.arange(positions.offset, positions.offset + max(ROWS, positions.longest))
    closed = positions.spread == "closed"
    waves = sinusoidal(where, stack.settings.width, positions.theta, positions.interleaved, closed)
    return waves.to(next(stack.parameters()).dtype)


def _fill_layer(spec: Any, layer: Layer) -> None:
    _attend(spec.self_attention, layer.attend)
    if layer.attend.positions is not None and layer.attend.positions.rotation.kind == "llama3":
        rotation = layer.attend.positions.rotation
        spec.self_attention.rotary_low_freq_factor = float(rotation.low)
        spec.self_attention.rotary_high_freq_factor = float(rotation.high)
        vars(spec.self_attention)["rotary_scaling_factor"] = float(rotation.factor)
        vars(spec.self_attention)["original_max_position_embeddings"] = torch.tensor(
            rotation.trained, dtype=torch.int32
        ).numpy()[()]
    feed = layer.feed
    if feed.gated:
        gate, value = _halves(feed.up)
        _linear(spec.ffn.linear_0, *gate)
        _linear(spec.ffn.linear_0_noact, *value)
    else:
        _linear(spec.ffn.linear_0, feed.up.weight, feed.up.bias)
    _linear(spec.ffn.linear_1, feed.down.weight, feed.down.bias)
    if layer.attend_after is not None and layer.feed_after is not None:
        _norm(spec.input_layer_norm, layer.attend_norm)
        _norm(spec.post_attention_layer_norm, layer.attend_after)
        _norm(spec.pre_feedforward_layer_norm, layer.feed_norm)
        _norm(spec.post_feedforward_layer_norm, layer.feed_after)
    else:
        _norm(spec.self_attention.layer_norm, layer.attend_norm)
        _norm(spec.ffn.layer_norm, layer.feed_norm)
    if layer.has_memory:
        _attend(spec.attention, layer.cross)
        _norm(spec.attention.layer_norm, layer.cross_norm)


def _stretch(spec: Any, rotation: RotationSettings) -> None:
    """Llama 3's way; the specification has no words for the last two, the engine reads them all the same."""
    spec.rotary_low_freq_factor = float(rotation.low)
    spec.rotary_high_freq_factor = float(rotation.high)
    vars(spec)["rotary_scaling_factor"] = float(rotation.factor)
    vars(spec)["original_max_position_embeddings"] = np.int32(rotation.trained)


def _attend(spec: Any, attend: MultiHeadAttention) -> None:
    """Query, key and value lie in one matrix, or the query by itself, as with us."""
    parts = [one for one in (attend.qkv, attend.q, attend.kv, attend.out) if one is not None]
    for target, part in zip(spec.linear, parts, strict=True):
        _linear(target, part.weight, part.bias)
    if attend.scale != attend.head_width**-0.5:
        spec.queries_scale = float(attend.scale)
    if attend.query_norm is not None and attend.key_norm is not None:
        _norm(spec.q_norm, attend.query_norm)
        _norm(spec.k_norm, attend.key_norm)
    if "rotary_low_freq_factor" in vars(spec) and attend.positions is not None:
        _stretch(spec, attend.positions.rotation)


def _halves(up: nn.Linear) -> list[tuple[Tensor, Tensor | None]]:
    weights = up.weight.chunk(2)
    biases = (None, None) if up.bias is None else up.bias.chunk(2)
    return list(zip(weights, biases, strict=True))


def _linear(spec: Any, weight: Tensor, bias: Tensor | None) -> None:
    spec.weight = weight.detach()
    if bias is not None:
        spec.bias = bias.detach()


def _norm(spec: Any, norm: nn.Module) -> None:
    weight = norm.get_parameter("weight").detach()
    spec.gamma = weight
    if isinstance(norm, nn.LayerNorm):
        spec.beta = torch.zeros_like(weight) if norm.bias is None else norm.bias.detach()
    elif isinstance(norm, OffsetRMSNorm):
        spec.layer_norm_use_residual = True  # the weight is stored as its difference from 1


def _head(spec: Any, head: NextToken) -> None:
    settings = head.settings
    _linear(spec.projection, head.weight, head.bias)
    if settings.scale != 1.0:
        spec.scale_outputs = float(settings.scale)
    if settings.softcap is not None:
        spec.final_logit_softcapping = float(settings.softcap)


def _hush(spec: Any, never: tuple[int, ...]) -> None:
    """Tokens that stand for no text are not written: the engine has no list of them, but a bias."""
    if not never:
        return
    projection = spec.projection
    weight = projection.weight
    bias = projection.bias.clone() if isinstance(projection.bias, Tensor) else weight.new_zeros(len(weight))
    bias[list(never)] = NEVER
    projection.bias = bias
