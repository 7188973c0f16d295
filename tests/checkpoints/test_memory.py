"""Loading a checkpoint takes the room of its weights, and no more: measured in a child of its own."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "intermediate_size": 4096,
    "num_hidden_layers": 8, "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 16_000,
    "tie_word_embeddings": False,
}  # fmt: skip
MOST = 1.15  # times the weights
CODE = """
import sys
from pathlib import Path
import torch
from seqwise.checkpoints import hub

def peak():  # not ru_maxrss, in which a child begins with what its parent had when it was started
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

torch.nn.Linear(8, 8)(torch.zeros(1, 8))  # what torch brings in when it is first used
before = peak()
model = hub.load(hub.open_checkpoint(Path(sys.argv[1])), getattr(torch, sys.argv[2]))
for weight in model.parameters():  # what lies in the file as it is used is read now
    weight.detach().view(torch.uint8).flatten()[::1024].sum()
print((peak() - before) / sum(weight.nbytes for weight in model.parameters()))
"""


def write(folder, dtype, scale=1):
    """A checkpoint of Llama's shape with random weights: 163 million numbers at scale 1."""
    width, inner, layers = LLAMA["hidden_size"], LLAMA["intermediate_size"] // scale, LLAMA["num_hidden_layers"]
    keys = width // LLAMA["num_attention_heads"] * LLAMA["num_key_value_heads"]
    rows = LLAMA["vocab_size"]
    shapes = {"model.embed_tokens": (rows, width), "lm_head": (rows, width), "model.norm": (width,)}
    for i in range(layers):
        own = {"q_proj": (width, width), "k_proj": (keys, width), "v_proj": (keys, width), "o_proj": (width, width)}
        feed = {"gate_proj": (inner, width), "up_proj": (inner, width), "down_proj": (width, inner)}
        shapes |= {f"model.layers.{i}.self_attn.{name}": shape for name, shape in own.items()}
        shapes |= {f"model.layers.{i}.mlp.{name}": shape for name, shape in feed.items()}
        shapes |= {f"model.layers.{i}.{name}_layernorm": (width,) for name in ("input", "post_attention")}
    tensors = {f"{name}.weight": torch.randn(shape).mul_(0.02).to(dtype) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    told = {**LLAMA, "intermediate_size": inner, "dtype": str(dtype).removeprefix("torch.")}
    (folder / "config.json").write_text(json.dumps(told))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the peak in /proc")
@pytest.mark.parametrize(
    ("stored", "kept", "scale"),
    [("bfloat16", "bfloat16", 1), ("float32", "float32", 4), ("bfloat16", "float32", 4), ("float32", "bfloat16", 4)],
)
def test_the_peak_is_the_weights_and_little_more(tmp_path, stored, kept, scale):
    """Some 300 MB: memory grows by at most 1.15 times the weights, whatever type they are stored and kept in."""
    write(tmp_path, getattr(torch, stored), scale)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert size > 150e6
    words = [sys.executable, "-c", CODE, str(tmp_path), kept]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    finally:
        (tmp_path / "model.safetensors").unlink()
    assert done.returncode == 0, done.stderr
    grown = float(done.stdout)
    assert 0.9 < grown <= MOST
