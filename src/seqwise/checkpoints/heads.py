"""A checkpoint with another head: labels of one's own on a body that was trained for something else.

wanted = labelled(found, ("negative", "positive"))     the same family, its architecture for labels
model, fresh = load(found, wanted, ...)                the body as it lies there; weights of the head that are
                                                       there too (BERT's pooler) are read, the others are drawn
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqwise.checkpoints import hub
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.names import Piece, pieces
from seqwise.checkpoints.shards import Shards
from seqwise.errors import ConfigError
from seqwise.models.assemble import Pretrained

ONE_OF_MANY = "single_label_classification"
STD = 0.02  # of fresh weights where the checkpoint names no other


def labelled(
    checkpoint: Checkpoint, labels: Sequence[str], task: Literal["labels", "token labels"] = "labels"
) -> Checkpoint:
    """The same family with a head for these labels, one of which a text has, or each of its tokens; the checkpoint
    itself where it is so."""
    if checkpoint.head.task == task and tuple(labels) == checkpoint.labels:
        if checkpoint.config.get("problem_type") in (None, ONE_OF_MANY):
            return checkpoint
        return replace(checkpoint, config={**checkpoint.config, "problem_type": ONE_OF_MANY})
    named = next((name for name, head in checkpoint.family.heads.items() if head.task == task), None)
    if named is None:
        raise ConfigError(
            f"labels by {checkpoint.architecture}",
            "an encoder or a decoder, whose family has a head for labels",
            "a checkpoint such as BERT, RoBERTa or Llama",
        )
    config: dict[str, Any] = {name: value for name, value in checkpoint.config.items() if name != "num_labels"}
    config |= {
        "architectures": [named],
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
        "problem_type": ONE_OF_MANY,
    }
    return replace(checkpoint, config=config, architecture=named, head=checkpoint.family.heads[named])


def load(
    found: Checkpoint,
    wanted: Checkpoint,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    quantize: Literal["nf4", "none"] | None = None,
) -> tuple[Pretrained, tuple[str, ...]]:
    """The body of one with the head of the other, and which of its weights were drawn, by torch's generator."""
    read = hub.load(found, dtype, device, quantize=quantize)
    if wanted is found:
        return read, ()
    made = hub.empty(wanted)
    body = "encoder" if hasattr(made, "encoder") else "decoder"
    setattr(made, body, getattr(read, body))
    shards = hub.renamed(Shards.open(found.folder))
    prefix = found.family.prefix if any(name.startswith(found.family.prefix) for name in shards) else ""
    sources = pieces(wanted.family, wanted.head, made, prefix)
    others = found.head.task == wanted.head.task and not _same_meaning(found.labels, wanted.labels)
    fresh = []
    for name, empty in list(made.named_parameters()):
        if not name.startswith("head."):
            continue
        weight = torch.empty(empty.shape, dtype=dtype)
        if (others and name.startswith("head.out.")) or not _read(weight, sources[name], shards):
            _draw(name, weight, float(found.config.get("initializer_range") or STD))
            fresh.append(name)
        module, _, leaf = name.rpartition(".")
        setattr(made.get_submodule(module), leaf, nn.Parameter(weight.to(device)))
    return made.eval(), tuple(fresh)


def _read(weight: Tensor, parts: tuple[Piece, ...], shards: Shards) -> bool:
    """Fill the weight from the file, if it is there in this shape."""
    for part in parts:
        name = next((one for one in part.names if one in shards), None)
        target = part.of(weight)
        shape = tuple(target.shape)[::-1] if part.transposed else tuple(target.shape)
        if name is None or tuple(shards.places[name].shape) != shape:
            return False
        shards.copy_into(name, target, part.transposed)
    return bool(parts)


def _same_meaning(theirs: Sequence[str], ours: Sequence[str]) -> bool:
    """Whether the last layer of one set of labels is a start for another: nobody gave the first any names."""
    return tuple(theirs) == tuple(ours) or all(name == f"LABEL_{i}" for i, name in enumerate(theirs))


def _draw(name: str, weight: Tensor, std: float) -> None:
    """As transformers draws them: normal; norms 1, biases 0."""
    if weight.ndim > 1:
        weight.copy_(torch.empty(weight.shape).normal_(std=std))
    else:
        weight.fill_(float(name.endswith("norm.weight")))
