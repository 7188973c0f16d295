"""Four bits in files of the hub: transformers with bitsandbytes (the oracle) and we open each other's."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import tiny
import torch
import transformers
from safetensors.torch import load_file, save_file
from test_memory import write

from seqwise.checkpoints import export, export_nf4, hub, quantized
from seqwise.checkpoints.shards import WEIGHTS, Shards
from seqwise.errors import CheckpointError
from seqwise.models import nf4
from seqwise.models.nf4 import NF4Linear

bitsandbytes = pytest.importorskip("bitsandbytes", reason="the oracle of four bits")
pytest.importorskip("accelerate", reason="transformers quantizes with it")

CASES = ["llama", "phi3", "gpt2-untied", "t5-1.1", "bart", "bert-labels"]
"""A decoder with parts of unlike sizes, weights that are stored input first, one that is left whole, two stacks, and
one whose pooler transformers puts into four bits and we do not."""
SAME = 5e-6
KEY = "model.layers.0.self_attn.q_proj.weight"


def their_four_bits(folder, architecture, **told):
    """transformers' model of a folder. Its layers are told to train, or they would pack weights anew, as some sizes
    cannot be packed."""
    settings = {"dtype": torch.float32, "attn_implementation": "eager", "device_map": "cpu"}
    model = getattr(transformers, architecture).from_pretrained(folder, **settings, **told).eval()
    for part in model.modules():
        if isinstance(part, bitsandbytes.nn.Linear4bit):
            part.training = True
    return model


def asked_for():
    """What people tell transformers."""
    told = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.float32}
    return transformers.BitsAndBytesConfig(load_in_4bit=True, **told)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """By case: the folder in full, one that transformers put into four bits, its model, and what both are asked."""
    known = {}

    def find(case):
        if case not in known:
            full, four = tmp_path_factory.mktemp(case), tmp_path_factory.mktemp(f"{case}-nf4")
            tiny.make(case, full)
            theirs = their_four_bits(full, tiny.CASES[case][0], quantization_config=asked_for())
            theirs.save_pretrained(four)
            found = hub.open_checkpoint(full)
            one = tiny.Pair(case, theirs, hub.load(found, quantize="nf4"), found)
            known[case] = (one, four, tiny.reading(one))
        return known[case]

    return find


@pytest.mark.parametrize("case", ["llama", "gpt2-untied", "t5-1.1", "bart"])
@torch.no_grad()
def test_a_model_quantized_while_loading_answers_as_theirs(made, case):
    one, _, given = made(case)
    assert nf4.layers(one.ours)
    torch.testing.assert_close(
        tiny.our_logits(one.ours, given), tiny.their_logits(one.theirs, given), rtol=0, atol=SAME
    )


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_their_folder_opens_here(made, case):
    """In four bits, and in full where that is asked for: equal weights, equal answers."""
    one, four, given = made(case)
    expected = tiny.their_logits(one.theirs, given)
    found = hub.open_checkpoint(four)
    packed, whole = hub.load(found), hub.load(found, quantize="none")
    assert nf4.layers(packed)
    assert nf4.layers(whole) == []
    for name, layer in packed.named_modules():
        if isinstance(layer, NF4Linear):
            assert torch.equal(layer.dequantized(torch.float32), whole.get_submodule(name).weight)
    for ours in (packed, whole):
        torch.testing.assert_close(tiny.our_logits(ours, given), expected, rtol=0, atol=SAME)


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_our_folder_opens_there(made, case, tmp_path):
    """Byte for byte what they write for each layer, and the same answers."""
    one, four, given = made(case)
    export_nf4.write(tmp_path, one.ours, one.checkpoint)
    mine, other = load_file(tmp_path / WEIGHTS), load_file(four / WEIGHTS)
    packed = {name.removesuffix(quantized.STATE) for name in mine if name.endswith(quantized.STATE)}
    assert len(packed) > 7
    for name in packed:
        for ending in ("", *quantized.BESIDE):
            assert mine[name + ending].dtype == other[name + ending].dtype
            assert torch.equal(mine[name + ending], other[name + ending]), name + ending
    theirs = their_four_bits(tmp_path, tiny.CASES[case][0])
    layers = [part for part in theirs.modules() if isinstance(part, bitsandbytes.nn.Linear4bit)]
    assert len(layers) == len(packed)
    torch.testing.assert_close(tiny.their_logits(theirs, given), tiny.our_logits(one.ours, given), rtol=0, atol=SAME)
    again = hub.load(hub.open_checkpoint(tmp_path))
    assert torch.equal(tiny.our_logits(again, given), tiny.our_logits(one.ours, given))


@torch.no_grad()
def test_a_model_in_four_bits_is_exported_in_full(made, tmp_path):
    """Dequantized weights, and a config.json that says nothing of four bits."""
    one, four, given = made("llama")
    found = hub.open_checkpoint(four)
    export.write_weights(tmp_path, hub.load(found), found)
    export.write_config(tmp_path, found, torch.float32)
    assert quantized.KEY not in json.loads((tmp_path / "config.json").read_text())
    plain = hub.load(hub.open_checkpoint(tmp_path))
    assert nf4.layers(plain) == []
    torch.testing.assert_close(tiny.our_logits(plain, given), tiny.their_logits(one.theirs, given), rtol=0, atol=SAME)


@torch.no_grad()
def test_scales_that_are_not_quantized_once_more_are_read_too(made, tmp_path):
    """bnb_4bit_use_double_quant off, blocks of 128."""
    one, _, given = made("llama")
    told = load_file(one.checkpoint.folder / WEIGHTS)
    expected = {}
    for name in [name for name in told if name.endswith("_proj.weight")]:
        packed, state = bitsandbytes.functional.quantize_4bit(told[name], blocksize=128, quant_type="nf4")
        expected[name] = bitsandbytes.functional.dequantize_4bit(packed, state)
        told |= {name: packed} | {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}
    save_file(told, tmp_path / WEIGHTS, {"format": "pt"})
    shutil.copy(one.checkpoint.folder / "config.json", tmp_path)
    model = hub.load(hub.open_checkpoint(tmp_path))
    layer = model.get_submodule("decoder.layers.1.attend.out")
    assert isinstance(layer, NF4Linear)
    assert torch.equal(layer.dequantized(torch.float32), expected["model.layers.1.self_attn.o_proj.weight"])
    (tmp_path / "again").mkdir()
    export_nf4.write(tmp_path / "again", model, one.checkpoint)
    again = hub.load(hub.open_checkpoint(tmp_path / "again"))
    assert torch.equal(tiny.our_logits(again, given), tiny.our_logits(model, given))


@torch.no_grad()
def test_only_products_of_the_stacks_are_in_four_bits(made):
    one, _, _ = made("bert-labels")
    four = {name for name, part in one.ours.named_modules() if isinstance(part, NF4Linear)}
    assert four == {f"encoder.layers.{i}.{part}" for i in range(3) for part in PARTS}
    assert one.ours.head.out.weight.dtype == torch.float32


PARTS = ("attend.qkv", "attend.out", "feed.up", "feed.down")


def test_bf16_is_kept_in_bf16(made):
    """Codes are made of the weight in the type that was asked for, as theirs are."""
    one, _, _ = made("llama")
    model = hub.load(one.checkpoint, torch.bfloat16, quantize="nf4")
    layer = model.get_submodule("decoder.layers.0.attend.out")
    weight = load_file(one.checkpoint.folder / WEIGHTS)["model.layers.0.self_attn.o_proj.weight"]
    packed, _ = bitsandbytes.functional.quantize_4bit(weight.bfloat16(), quant_type="nf4", compress_statistics=True)
    assert layer.dtype == torch.bfloat16
    assert torch.equal(layer.packed, packed.view(-1))


# -- refused


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, "bitsandbytes with fp4"),
        ({"load_in_4bit": True}, "bitsandbytes with fp4"),
        ({"load_in_8bit": True, "quant_method": "bitsandbytes"}, "bitsandbytes with 8 bits"),
        ({"quant_method": "gptq", "bits": 4}, "quantized by gptq"),
        ("yes", "quantized by unknown"),
    ],
)
def test_other_ways_to_quantize_are_refused(made, tmp_path, told, words):
    one, _, _ = made("llama")
    config = json.loads((one.checkpoint.folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"quantization_config": told}))
    with pytest.raises(CheckpointError, match=words) as caught:
        hub.open_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)


def _state(tensors, **changes):
    key = KEY + quantized.STATE
    told = json.loads(bytes(tensors[key].numpy())) | changes
    tensors[key] = torch.tensor(list(json.dumps(told).encode()), dtype=torch.uint8)


BROKEN = {
    "a shape of another size": lambda one: _state(one, shape=[40, 25]),
    "a shape that is none": lambda one: _state(one, shape="wide"),
    "two sizes below 0": lambda one: _state(one, shape=[-40, -24]),
    "a size beyond all numbers": lambda one: _state(one, shape=[float("inf"), 24]),
    "a size that is no whole number": lambda one: _state(one, shape=[40.0, 24]),
    "sizes that no file has": lambda one: _state(one, shape=[40 * 10**30, 24]),
    "blocks that are no whole number": lambda one: _state(one, blocksize=64.0),
    "an offset without an end": lambda one: _state(one, nested_offset=float("nan")),
    "an offset beyond all numbers": lambda one: _state(one, nested_offset=10**400),
    "blocks of no size": lambda one: _state(one, blocksize=0),
    "another type": lambda one: _state(one, quant_type="fp4"),
    "an unknown type of numbers": lambda one: _state(one, dtype="int2"),
    "an offset that is no number": lambda one: _state(one, nested_offset="some"),
    "no JSON": lambda one: one.update({KEY + quantized.STATE: torch.zeros(9, dtype=torch.uint8)}),
    "no scales": lambda one: one.pop(KEY + ".absmax"),
    "other values": lambda one: one[KEY + ".quant_map"].mul_(2),
    "too few groups": lambda one: one.update({KEY + ".nested_absmax": torch.zeros(0)}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_does_not_fit_together_is_refused(made, tmp_path, fault):
    _, four, _ = made("llama")
    folder = shutil.copytree(four, tmp_path / "model")
    tensors = load_file(folder / WEIGHTS)
    BROKEN[fault](tensors)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    with pytest.raises(CheckpointError, match="in four bits that cannot be read") as caught:
        hub.load(hub.open_checkpoint(folder))
    assert "\n" not in str(caught.value)


def test_a_model_without_four_bits_is_not_written_so(made, tmp_path):
    one, _, _ = made("llama")
    with pytest.raises(CheckpointError, match="without weights in four bits"):
        export_nf4.write(tmp_path, hub.load(one.checkpoint), one.checkpoint)


def test_rows_that_were_quantized_together_are_not_written_apart(made, tmp_path):
    """GPT-2 has query, key and value in one tensor; quantized in place they would be three."""
    one, _, _ = made("gpt2-untied")
    model = nf4.quantize(hub.load(one.checkpoint))
    with pytest.raises(CheckpointError, match="rows that are others"):
        hub.state(model, one.checkpoint, packed=True)


def test_tensors_tell_what_they_stand_for(made):
    """Whoever asks for a name gets the weight in full."""
    _, four, _ = made("llama")
    shards = hub.renamed(Shards.open(four))
    assert shards.places[KEY].shape == (40, 24)
    assert KEY + ".absmax" not in shards
    stored = load_file(four / WEIGHTS)
    state = bitsandbytes.functional.QuantState.from_dict(
        {name.removeprefix(KEY + "."): one for name, one in stored.items() if name.startswith(KEY + ".")}, "cpu"
    )
    expected = bitsandbytes.functional.dequantize_4bit(stored[KEY], state)
    assert torch.equal(shards.get(KEY), expected)
    assert shards.mapped(KEY) is None
    room = torch.empty(40, 24, dtype=torch.float64)
    shards.copy_into(KEY, room)
    assert torch.equal(room, expected.double())


# -- memory

CODE = """
import sys
from pathlib import Path
import torch
from seqwise.checkpoints import hub
from seqwise.models import nf4

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

nf4.NF4Linear.of((torch.randn(64, 64),))(torch.zeros(1, 64))  # what torch brings in when it is first used
before = peak()
model = hub.load(hub.open_checkpoint(Path(sys.argv[1])), getattr(torch, sys.argv[2]), quantize="nf4")
for weight in model.parameters():
    weight.detach().view(torch.uint8).flatten()[::1024].sum()
kept = sum(one.nbytes for one in (*model.parameters(), *model.buffers()))
print(peak() - before, kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the peak in /proc")
@pytest.mark.parametrize(("stored", "kept", "share"), [("float32", "bfloat16", 0.45), ("bfloat16", "bfloat16", 0.8)])
def test_the_model_never_lies_in_memory_in_full(tmp_path, stored, kept, share):
    """Some 80 million numbers, 46 million of them in products: the peak is what is kept, and one weight on its way."""
    write(tmp_path, getattr(torch, stored), scale=4)
    size = (tmp_path / WEIGHTS).stat().st_size
    words = [sys.executable, "-c", CODE, str(tmp_path), kept]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (tmp_path / WEIGHTS).unlink()
    assert done.returncode == 0, done.stderr
    grown, held = map(int, done.stdout.split())
    assert grown < share * size
    assert grown < 1.5 * held
