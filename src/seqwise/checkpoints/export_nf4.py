"""A model with products in four bits as a folder that transformers opens with bitsandbytes; layout: `quantized.py`."""

from pathlib import Path

import torch

from seqwise.checkpoints import export, hub, quantized
from seqwise.checkpoints.hub import CONFIG, Checkpoint
from seqwise.checkpoints.shards import Shards
from seqwise.errors import CheckpointError
from seqwise.models import nf4
from seqwise.models.assemble import Pretrained


def write(folder: Path, model: Pretrained, checkpoint: Checkpoint, largest: int = export.SHARD) -> None:
    """Weights and config.json. What is not in four bits stays in its type.

    largest   bytes of a file at most
    """
    layers = nf4.layers(model)
    if not layers:
        raise CheckpointError(
            given="a model without weights in four bits",
            allowed="one that was loaded or tuned in them",
            mend="writing it as it is, as safetensors",
        )
    export.write_weights(folder, model, checkpoint, None, largest, packed=True)
    dtype = next(one.dtype for one in model.parameters() if one.dtype in (torch.float32, torch.bfloat16, torch.float16))
    told = hub.retyped(checkpoint, dtype).config
    written = Shards.open(folder)
    export.write_config(folder, checkpoint, dtype)
    export.write_json(folder / CONFIG, quantized.described(told, written, layers[0].nested, checkpoint.head))
