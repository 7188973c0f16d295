"""Adapters in PEFT's layout, both ways, against PEFT itself on tiny checkpoints."""

import json
import warnings

import peft
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from seqwise.checkpoints import adapters, hub
from seqwise.checkpoints.adapter_config import CONFIG, TENSORS
from seqwise.checkpoints.tensors import write_tensors
from seqwise.errors import CheckpointError
from seqwise.models import lora, nf4
from seqwise.models.lora import LoraSettings

CASES = (
    "llama", "llama-labels", "qwen2", "phi3", "gpt2", "gpt2-tokens", "bert-labels", "roberta-labels",
    "distilbert-labels", "electra-labels", "modernbert-labels", "modernbert-mlm",
    "t5", "t5-1.1", "mt5", "bart", "mbart", "marian",
)  # fmt: skip
NEAR = 1e-5


def quietly(made, *given, **further):
    """Called without what PEFT and transformers warn of each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made(*given, **further)


def shaken(model):
    """Every number of an adapter is another, as after training."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "magnitude" in name:
                weight.mul_(torch.rand_like(weight) + 0.5)
            elif "lora_" in name:
                weight.normal_(std=0.2)
            elif weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    return model


def ours(case, folder, **settings):
    """A checkpoint with an adapter of ours in `folder / "a"`, and what it answers."""
    one = tiny.pair(case, folder)
    given = tiny.reading(one)
    lora.attach(one.ours, LoraSettings(**{"rank": 3, "alpha": 5.0, **settings}), adapters.parts(one.checkpoint))
    shaken(one.ours)
    adapters.save(folder / "a", one.ours, one.checkpoint)
    with torch.no_grad():
        return one, given, tiny.our_logits(one.ours, given)


def peft_made(case, folder, **settings):
    """The same of PEFT's, saved as it saves."""
    one = tiny.pair(case, folder)
    config = peft.LoraConfig(**{"r": 3, "lora_alpha": 5, **settings})
    theirs = shaken(quietly(peft.get_peft_model, one.theirs, config)).eval()
    quietly(theirs.save_pretrained, str(folder / "a"))
    return one, tiny.reading(one), theirs


# ---- ours in PEFT


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dora", [False, True])
def test_peft_opens_ours_and_answers_the_same(case, dora, tmp_path):
    also = ("head.out",) if "labels" in case else ()
    one, given, mine = ours(case, tmp_path, dora=dora, also=also)
    with torch.no_grad(), lora.selected(one.ours, None):
        assert (tiny.our_logits(one.ours, given) - mine).abs().max() > 0.1
    theirs = quietly(peft.PeftModel.from_pretrained, one.theirs, str(tmp_path / "a")).eval()
    with torch.no_grad():
        assert (tiny.their_logits(theirs, given) - mine).abs().max() < NEAR * max(1.0, float(mine.abs().max()))
    fresh = hub.load(one.checkpoint)
    adapters.load(tmp_path / "a", fresh, one.checkpoint)
    with torch.no_grad():
        assert torch.equal(tiny.our_logits(fresh, given), mine)


@pytest.mark.parametrize(
    "settings",
    [
        {"ranks": ("k_proj=1", r"layers\.1\..*=6"), "alphas": (r"mlp\..*=9",), "rslora": True},
        {"targets": ("q_proj", "v_proj")},
        {"targets": (r"model\.layers\.[02]\.mlp\..*",), "also": ("layers.1.mlp.down_proj", "norm", "embed_tokens")},
        {"also": ("lm_head",)},
        {"targets": ("attend",), "also": ("head", "feed_norm")},
    ],
)
def test_patterns_and_whole_modules_are_read_by_peft(settings, tmp_path):
    one, given, mine = ours("llama", tmp_path, **settings)
    theirs = quietly(peft.PeftModel.from_pretrained, one.theirs, str(tmp_path / "a")).eval()
    with torch.no_grad():
        assert (tiny.their_logits(theirs, given) - mine).abs().max() < NEAR
    fresh = hub.load(one.checkpoint)
    adapters.load(tmp_path / "a", fresh, one.checkpoint)
    with torch.no_grad():
        assert torch.equal(tiny.our_logits(fresh, given), mine)


def test_a_projection_that_is_shared_with_the_table_is_trained_by_itself(tmp_path):
    one, given, mine = ours("llama-tied", tmp_path, also=("head",))
    theirs = quietly(peft.PeftModel.from_pretrained, one.theirs, str(tmp_path / "a")).eval()
    with torch.no_grad():
        assert (tiny.their_logits(theirs, given) - mine).abs().max() < NEAR
    assert "base_model.model.lm_head.weight" in load_file(tmp_path / "a" / TENSORS)


def test_weights_of_the_trainer_are_written_instead_of_the_models(tmp_path):
    one, _, _ = ours("bert-labels", tmp_path, also=("head",))
    kept = {name: torch.randn_like(one.ours.get_parameter(name)) for name in lora.trained(one.ours)}
    lora.select(one.ours, None)
    adapters.save(tmp_path / "b", one.ours, one.checkpoint, base="some/name", weights=kept)
    fresh = hub.load(one.checkpoint)
    assert adapters.load(tmp_path / "b", fresh, one.checkpoint).base == "some/name"
    assert set(lora.trained(fresh)) == set(kept)
    assert all(torch.equal(fresh.get_parameter(name), weight) for name, weight in kept.items())


# ---- PEFT's in ours

LEARNED = [
    ("llama", {"target_modules": ["q_proj", "k_proj", "down_proj"], "use_rslora": True, "task_type": "CAUSAL_LM"}),
    ("llama", {"target_modules": "all-linear", "use_dora": True, "modules_to_save": ["lm_head", "embed_tokens"]}),
    ("llama", {"target_modules": r".*layers\.\d\.(self_attn|mlp)\.(q|up)_proj", "rank_pattern": {"up_proj": 1}}),
    ("qwen2", {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {r"layers\.[01]\..*q_proj": 2, "v_proj": 5},
               "alpha_pattern": {"layers.2.self_attn.v_proj": 40}, "layers_to_transform": [0, 2]}),
    ("qwen2", {"target_modules": ["o_proj", "gate_proj"], "layers_to_transform": 1, "layers_pattern": "layers"}),
    ("gpt2", {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True, "use_dora": True}),
    ("gpt2", {"target_modules": ["c_attn"], "fan_in_fan_out": True, "modules_to_save": ["c_fc", "ln_f"]}),
    ("bert-labels", {"target_modules": ["query", "value"], "task_type": "SEQ_CLS"}),
    ("bert-labels", {"target_modules": "all-linear", "task_type": "SEQ_CLS", "exclude_modules": ["pooler.dense"]}),
    ("roberta-labels", {"target_modules": ["dense", "key"], "task_type": "SEQ_CLS", "use_dora": True}),
    ("distilbert-labels", {"target_modules": ["q_lin", "lin1"], "task_type": "SEQ_CLS"}),
    ("modernbert-labels", {"target_modules": ["Wqkv", "Wi", "Wo"], "task_type": "SEQ_CLS", "use_rslora": True}),
    ("t5", {"target_modules": ["q", "k", "wi", "o"], "task_type": "SEQ_2_SEQ_LM"}),
    ("marian", {"target_modules": ["k_proj", "v_proj", "fc2"], "use_dora": True}),
    ("bart", {"target_modules": "all-linear", "exclude_modules": r".*encoder_attn.*", "init_lora_weights": "gaussian"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "settings"), LEARNED)
def test_pefts_answer_and_learn_here_as_there(case, settings, tmp_path):
    """Logits, and the gradients of every A, B and length, as a share of the greatest."""
    one, given, theirs = peft_made(case, tmp_path, **settings)
    adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    expected, found = tiny.their_logits(theirs, given), tiny.our_logits(one.ours, given)
    assert (expected - found).abs().max() < NEAR
    weights = torch.randn(expected.shape)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    slopes = {name.replace(".default", ""): w.grad for name, w in theirs.named_parameters() if w.grad is not None}
    compared = []
    for name, layer in lora.layers(one.ours):
        for slot in layer.slots["default"]:
            for kind, ending in (
                ("lora_a", "lora_A"),
                ("lora_b", "lora_B"),
                ("lora_magnitude", "lora_magnitude_vector"),
            ):
                if kind == "lora_magnitude" and not settings.get("use_dora"):
                    continue
                mine = one.ours.get_parameter(f"{name}.{kind}.default.{slot.part.leaf}").grad
                compared.append((mine, slopes[f"base_model.model.{slot.part.name}.{ending}.weight"]))
    assert len(compared) == sum("lora_" in name for name in slopes)
    greatest = max(float(slope.abs().max()) for _, slope in compared)
    assert max(float((mine - slope).abs().max()) for mine, slope in compared) < 1e-5 * greatest


@pytest.mark.parametrize(("case", "settings"), LEARNED)
def test_what_peft_wrote_is_written_again_the_same(case, settings, tmp_path):
    """Every tensor to the bit, and a config that means the same."""
    one, given, theirs = peft_made(case, tmp_path, **settings)
    told = adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    assert told == adapters.describe(tmp_path / "a")
    adapters.save(tmp_path / "b", one.ours, one.checkpoint)
    first, second = (load_file(tmp_path / name / TENSORS) for name in "ab")
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    there, here = (json.loads((tmp_path / name / CONFIG).read_text()) for name in "ab")
    assert there.keys() == here.keys()
    same = ("r", "lora_alpha", "use_dora", "use_rslora", "peft_type", "bias", "lora_dropout")
    if not settings.get("rank_pattern"):  # otherwise the most frequent rank is the one outside of the pattern
        assert [there[key] for key in same] == [here[key] for key in same]
    again = tiny.make(case, tmp_path / "again")
    other = quietly(peft.PeftModel.from_pretrained, again, str(tmp_path / "b")).eval()
    with torch.no_grad():
        assert torch.equal(tiny.their_logits(other, given), tiny.their_logits(theirs, given))


@torch.no_grad()
def test_a_merged_model_is_what_peft_merges(tmp_path):
    """Written as a checkpoint, opened by transformers."""
    one, given, theirs = peft_made("llama", tmp_path, target_modules="all-linear", use_dora=True)
    adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    assert lora.merge(one.ours).weights == 21
    expected = tiny.their_logits(quietly(theirs.merge_and_unload), given)
    (tmp_path / "m").mkdir()
    write_tensors(tmp_path / "m" / "model.safetensors", hub.state(one.ours, one.checkpoint), {"format": "pt"})
    (tmp_path / "m" / "config.json").write_bytes((tmp_path / "config.json").read_bytes())
    opened = quietly(type(one.theirs).from_pretrained, tmp_path / "m")
    assert (tiny.their_logits(opened, given) - expected).abs().max() < NEAR


@torch.no_grad()
def test_several_adapters_share_a_model(tmp_path):
    """Each answers as in a model of its own, and the model itself stays."""
    one, given, _ = ours("bert-labels", tmp_path, also=("head",))
    lora.detach(one.ours)
    plain = tiny.our_logits(one.ours, given)
    alone = {}
    for name, targets in (("a", ("query",)), ("b", ("feed", "value"))):
        fresh = hub.load(one.checkpoint)
        lora.attach(fresh, LoraSettings(rank=2, targets=targets, also=("head",)), adapters.parts(one.checkpoint))
        adapters.save(tmp_path / f"{name}-folder", shaken(fresh), one.checkpoint)
        alone[name] = tiny.our_logits(fresh, given)
        adapters.load(tmp_path / f"{name}-folder", one.ours, one.checkpoint, adapter=name)
    assert lora.adapters(one.ours) == ("a", "b")
    for name, expected in alone.items():
        with lora.selected(one.ours, name):
            assert torch.equal(tiny.our_logits(one.ours, given), expected)
        adapters.save(tmp_path / "again", one.ours, one.checkpoint, adapter=name)
        first, second = load_file(tmp_path / f"{name}-folder" / TENSORS), load_file(tmp_path / "again" / TENSORS)
        assert {key: tensor.tolist() for key, tensor in first.items()} == {
            key: tensor.tolist() for key, tensor in second.items()
        }
    lora.select(one.ours, None)
    assert torch.equal(tiny.our_logits(one.ours, given), plain)


@torch.no_grad()
def test_an_adapter_lies_on_four_bits_as_on_the_weights_they_stand_for(tmp_path):
    one, given, _ = ours("llama", tmp_path)
    small, wide = (nf4.quantize(hub.load(one.checkpoint)) for _ in range(2))
    for layer_name in [name for name, part in wide.named_modules() if isinstance(part, nf4.NF4Linear)]:
        layer = wide.get_submodule(layer_name)
        plain = torch.nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
        plain.weight = torch.nn.Parameter(layer.dequantized(torch.float32))
        parent, _, leaf = layer_name.rpartition(".")
        setattr(wide.get_submodule(parent), leaf, plain)
    for model in (small, wide):
        adapters.load(tmp_path / "a", model, one.checkpoint)
    torch.testing.assert_close(tiny.our_logits(small, given), tiny.our_logits(wide, given))


# ---- what is refused


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A checkpoint and an adapter of ours on it."""
    folder = tmp_path_factory.mktemp("good")
    one, _, _ = ours("llama", folder)
    lora.detach(one.ours)
    return one, folder / "a"


def changed(good, folder, **config):
    """The adapter with another config."""
    one, source = good
    folder.mkdir(exist_ok=True)
    told = json.loads((source / CONFIG).read_text()) | config
    (folder / CONFIG).write_text(json.dumps(told))
    (folder / TENSORS).write_bytes((source / TENSORS).read_bytes())
    return one


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"peft_type": "IA3"}, "peft_type IA3: needs LORA"),
        ({"peft_type": None}, "peft_type None"),
        ({"init_lora_weights": "pissa"}, "'pissa', which changes the model"),
        ({"bias": "all"}, "bias 'all': needs 'none'"),
        ({"lora_bias": True}, "lora_bias True"),
        ({"use_qalora": True}, "use_qalora"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"r": 0}, "rank 0"),
        ({"r": "many"}, "make no sense"),
        ({"rank_pattern": ["q"]}, "make no sense"),
        ({"rank_pattern": {"(": 2}}, "make no sense"),
        ({"r": 4}, r"lora_A of .* of shape \[3, 40\]: needs \[4, 40\]"),
        ({"use_dora": True}, "lora_magnitude_vector"),
        ({"target_modules": ["q_proj"]}, "a pair for"),
        ({"target_modules": r".*self_attn.*"}, "a pair for"),
        ({"layers_to_transform": [0]}, "a pair for model.layers.1"),
        ({"exclude_modules": ["k_proj"]}, "a pair for model.layers.0.self_attn.k_proj"),
    ],
)
def test_another_config_is_refused(good, config, said, tmp_path):
    one = changed(good, tmp_path, **config)
    with pytest.raises(CheckpointError, match=said):
        adapters.load(tmp_path, one.ours, one.checkpoint)
    assert lora.adapters(one.ours) == ()


def test_other_tensors_are_refused(good, tmp_path):
    one = changed(good, tmp_path)
    tensors = load_file(tmp_path / TENSORS)
    first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"

    def refused(said, **other):
        save_file({name: t for name, t in (tensors | other).items() if t is not None}, tmp_path / TENSORS)
        with pytest.raises(CheckpointError, match=said):
            adapters.load(tmp_path, one.ours, one.checkpoint)
        assert lora.adapters(one.ours) == ()

    other = {first.replace("q_proj", "c_proj"): tensors[first].clone()}
    refused("model.layers.0.self_attn.c_proj, which LlamaForCausalLM does not have.*such as .*[qkvo]_proj", **other)
    refused("with lora_B: needs lora_A and lora_B", **{first: None})
    refused("no pair for model.layers.0.self_attn.q_proj", **{first: None, first.replace("lora_A", "lora_B"): None})
    refused("of shape", **{first: torch.zeros(3, 25)})
    embedding = {"base_model.model.model.embed_tokens.lora_embedding_A": torch.zeros(3, 96)}
    refused("without adapted embeddings", **embedding)
    pair = {"base_model.model.lm_head.lora_A.weight": torch.zeros(3, 24)}
    refused("a pair on lm_head", **pair)
    refused("lm_head.weight of shape", **{"base_model.model.lm_head.weight": torch.zeros(95, 24)})
    refused("lm_heads.weight, which .* such as lm_head", **{"base_model.model.lm_heads.weight": torch.zeros(96, 24)})
    part = {"base_model.model.model.layers.0.self_attn.k_proj.weight": torch.zeros(20, 24)}
    refused("without model.layers.0.self_attn.q_proj.weight", **part)


def test_broken_folders_are_refused(good, tmp_path):
    one = changed(good, tmp_path)
    whole = (tmp_path / TENSORS).read_bytes()

    def refused(said):
        with pytest.raises(CheckpointError, match=said):
            adapters.load(tmp_path, one.ours, one.checkpoint)

    (tmp_path / TENSORS).write_bytes(whole[:-100])
    refused("bytes are there: needs the")
    (tmp_path / TENSORS).write_bytes(whole[:20])
    refused("needs")
    (tmp_path / TENSORS).unlink()
    refused(f"without {TENSORS}")
    (tmp_path / "adapter_model.bin").touch()
    refused("could run code")
    (tmp_path / CONFIG).write_text("{")
    refused("cannot be read as JSON")
    (tmp_path / CONFIG).unlink()
    refused(f"without {CONFIG}")
    assert not adapters.is_adapter(tmp_path)


def test_an_adapter_of_another_base_is_refused(good, tmp_path):
    _, source = good
    for case, said in (("gpt2", "which GPT2LMHeadModel does not have"), ("llama3", None), ("mistral", None)):
        (tmp_path / case).mkdir()
        one = tiny.pair(case, tmp_path / case)
        if said is None:  # of the same shapes: names and shapes tell no difference
            adapters.load(source, one.ours, one.checkpoint)
            continue
        with pytest.raises(CheckpointError, match=said):
            adapters.load(source, one.ours, one.checkpoint)
    one = tiny.pair("qwen2", tmp_path)
    with pytest.raises(CheckpointError, match=r"of shape \[.*by its config and by the model"):
        adapters.load(source, one.ours, one.checkpoint)


def test_an_adapter_by_our_names_has_no_layout(good, tmp_path):
    one, _ = good
    lora.attach(one.ours, LoraSettings(rank=2))
    with pytest.raises(CheckpointError, match="which is our name"):
        adapters.save(tmp_path / "a", one.ours, one.checkpoint)
    assert not (tmp_path / "a").exists()
    lora.detach(one.ours)
