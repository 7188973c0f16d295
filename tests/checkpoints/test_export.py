"""What is written for the hub, transformers (the oracle) opens, misses nothing in, and computes the same with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
import transformers
from safetensors.torch import load_file, save_file

from seqwise.checkpoints import export, hub
from seqwise.errors import CheckpointError
from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.attention import AttentionSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import ChangeSettings, LabelsSettings, TokensSettings
from seqwise.models.positions import PositionSettings
from seqwise.models.rotary import RotationSettings

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
AGAIN = ["bert-untied", "bert-labels", "roberta-tokens", "distilbert-mlm", "electra-mlm", "electra-labels",
         "modernbert-untied", "modernbert-labels", "gpt2-untied", "llama3", "llama-dynamic", "mistral", "phi3",
         "qwen2-window", "gemma2", "gemma3-linear", "bart-scaled", "mbart", "pegasus",
         "marian-separate", "m2m"]  # fmt: skip
BARE = EmbeddingSettings(scaled=False)
RMS = {"norm": NormSettings("rms"), "embeddings": EmbeddingSettings(tied="none", scaled=False)}
LLAMA = {
    **RMS,
    "attention": AttentionSettings(kv_heads=2, bias=False),
    "feed_forward": FeedForwardSettings(width=40, activation="silu", gated=True, bias=False),
}
POST = NormSettings(place="post", embeddings=True, epsilon=1e-12)
SMALL = TransformerSettings(width=24, layers=2, feed_forward=FeedForwardSettings(width=40, activation="gelu"))
WRITER = replace(SMALL, shape="decoder", embeddings=BARE)
READER = replace(SMALL, shape="encoder", embeddings=BARE, norm=POST, positions=PositionSettings("learned", 30))
MASKED = TokensSettings(bias=True, change=ChangeSettings("gelu", norm=NormSettings(epsilon=1e-12)))
OURS = {
    "gpt2": (replace(WRITER, positions=PositionSettings("learned", 30)), TokensSettings(), "AutoModelForCausalLM"),
    "llama": (
        replace(WRITER, **LLAMA, positions=PositionSettings("rotary", rotation=RotationSettings("linear", 2.0))),
        TokensSettings(),
        "AutoModelForCausalLM",
    ),
    "qwen3": (
        replace(WRITER, **{**LLAMA, "attention": AttentionSettings(head_width=8, bias=False, norm=True)},
                positions=PositionSettings("rotary", theta=500.0)),
        LabelsSettings(labels=3, pool="last", bias=False),
        "AutoModelForSequenceClassification",
    ),
    "bert": (replace(READER, segments=2), MASKED, "AutoModelForMaskedLM"),
    "bert-labels": (
        replace(READER, segments=2),
        LabelsSettings(labels=3, change=ChangeSettings("tanh")),
        "AutoModelForSequenceClassification",
    ),
    "bert-tokens": (
        replace(READER, segments=1),
        LabelsSettings(labels=3, pool="each"),
        "AutoModelForTokenClassification",
    ),
    "distilbert": (READER, None, "AutoModel"),
}  # fmt: skip
"""Models of our own making, with random weights, and how transformers opens what is written of them."""


def opened(folder, kind, complain=True):
    """Theirs, from a folder that lacks nothing."""
    found, told = getattr(transformers, kind).from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    if complain:
        missing = [name for name in told["missing_keys"] if "pooler" not in name]
        assert (missing, list(told["unexpected_keys"]), list(told["mismatched_keys"])) == ([], [], [])
    return found.eval()


def written(folder, model, checkpoint, **how):
    """The folder, with weights and config."""
    folder.mkdir(exist_ok=True)
    export.write_weights(folder, model, checkpoint, **how)
    export.write_config(folder, checkpoint, how.get("dtype") or torch.float32)
    return folder


@pytest.mark.parametrize("case", AGAIN)
def test_every_family_can_be_written_from_settings_alone(case, tmp_path):
    """The config.json comes from our settings, not from the file that was read: the same architecture and logits."""
    one = tiny.pair(case, tmp_path / "theirs")
    ids = {key: one.checkpoint.config[key] for key in IDS if one.checkpoint.config.get(key) is not None}
    made = export.to_hub(one.ours, ids, [one.checkpoint.family])
    assert made.architecture == one.checkpoint.architecture
    back = opened(written(tmp_path / "ours", one.ours, made), type(one.theirs).__name__)
    given = tiny.reading(one)
    with torch.no_grad():
        torch.testing.assert_close(
            tiny.their_logits(back, given), tiny.their_logits(one.theirs, given), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("case", OURS)
def test_models_of_our_own_become_families_of_the_hub(case, tmp_path):
    settings, head, kind = OURS[case]
    model = build_pretrained(settings, head, 60).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2)
    made = export.to_hub(model, IDS)
    assert made.config["model_type"] == case.split("-")[0]
    theirs = opened(written(tmp_path / "out", model, made), kind)
    ids, lengths = torch.randint(3, 60, (3, 9)), torch.tensor([9, 5, 7])
    real = torch.arange(9) < lengths[:, None]
    ids = ids.masked_fill(~real, 0)
    with torch.no_grad():
        found, told = model(ids, lengths), theirs(input_ids=ids, attention_mask=real.long())
    expected = told.last_hidden_state if head is None else told.logits
    if found.ndim == 3:
        found, expected = found[real], expected[real]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_what_no_family_has_is_refused_by_name():
    """Settings that change what a model computes and that a family has no word for are never dropped."""
    interleaved = replace(WRITER, **LLAMA, positions=PositionSettings("rotary", interleaved=True))
    with pytest.raises(CheckpointError, match=r"llama cannot have positions.interleaved True"):
        export.to_hub(build_pretrained(interleaved, TokensSettings(), 60), IDS)
    rotary = replace(SMALL, positions=PositionSettings("rotary"))
    with pytest.raises(CheckpointError, match=r"--model.positions.kind sinusoidal, as pegasus has it") as caught:
        export.to_hub(build_pretrained(rotary, TokensSettings(), 60), IDS)
    assert "\n" not in str(caught.value)
    assert "marian cannot have norm.place 'pre'" in str(caught.value)
    slow = replace(SMALL, positions=PositionSettings("sinusoidal", theta=500.0))
    with pytest.raises(CheckpointError, match=r"pegasus cannot have positions.theta 500.0"):
        export.to_hub(build_pretrained(slow, TokensSettings(), 60), IDS)


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("marian", {"norm": NormSettings(place="post"), "embeddings": EmbeddingSettings(tied="output")}),
        ("pegasus", {"decoder_layers": 1}),
        ("bart", {"norm": POST, "positions": PositionSettings("learned", 30, offset=2)}),
        ("mbart", {"norm": NormSettings(embeddings=True), "positions": PositionSettings("learned", 30, offset=2)}),
        ("m2m_100", {"positions": PositionSettings("sinusoidal", offset=1, spread="closed")}),
    ],
)
def test_encoder_decoders_of_our_own(family, change, tmp_path):
    norm = change.get("norm")
    changed = {**change, "norm": replace(norm, epsilon=1e-5)} if norm else change
    model = build_pretrained(replace(SMALL, **changed), TokensSettings(), 60).eval()
    made = export.to_hub(model, {**IDS, "decoder_start_token_id": 1})
    assert made.config["model_type"] == family
    theirs = opened(written(tmp_path / "out", model, made), "AutoModelForSeq2SeqLM")
    ids, shifted = torch.randint(3, 60, (3, 9)), torch.randint(3, 60, (3, 6))
    lengths = torch.tensor([9, 5, 7])
    real = torch.arange(9) < lengths[:, None]
    ids = ids.masked_fill(~real, 0)
    with torch.no_grad():
        found = model(ids, lengths, shifted)
        told = theirs(input_ids=ids, attention_mask=real.long(), decoder_input_ids=shifted)
    torch.testing.assert_close(found, told.logits, atol=1e-4, rtol=0)


def test_shards_are_as_transformers_writes_them(tmp_path):
    one = tiny.pair("llama", tmp_path / "one")
    folder = written(tmp_path / "many", one.ours, one.checkpoint, largest=20_000)
    one.theirs.save_pretrained(tmp_path / "theirs", max_shard_size=20_000)
    places = folder, tmp_path / "theirs"
    index, expected = (json.loads((place / "model.safetensors.index.json").read_text()) for place in places)
    assert index["metadata"] == expected["metadata"]
    assert index["weight_map"].keys() == expected["weight_map"].keys()
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert len(files) > 2
    assert all(path.stat().st_size < 25_000 for path in folder.glob("*.safetensors"))
    given = tiny.reading(one)
    with torch.no_grad():
        assert torch.equal(
            tiny.their_logits(opened(folder, "LlamaForCausalLM"), given), tiny.their_logits(one.theirs, given)
        )
    assert hub.load(hub.open_checkpoint(folder)) is not None


def test_what_we_do_not_compute_with_is_handed_on(tmp_path):
    """BERT's pooler and next-sentence head beside masked tokens; not what other tensors hold already."""
    tiny.make("bert-mlm", tmp_path / "one")
    file = tmp_path / "one" / "model.safetensors"
    further = {
        "bert.pooler.dense.weight": torch.randn(24, 24),
        "bert.pooler.dense.bias": torch.randn(24),
        "cls.seq_relationship.weight": torch.randn(2, 24),
        "cls.seq_relationship.bias": torch.randn(2),
    }
    held = load_file(file)
    doubles = {
        "cls.predictions.decoder.weight": held["bert.embeddings.word_embeddings.weight"].clone(),
        "bert.embeddings.position_ids": torch.arange(40)[None],
    }
    save_file({**held, **further, **doubles}, file, {"format": "pt"})
    found = hub.open_checkpoint(tmp_path / "one")
    kept = load_file(written(tmp_path / "two", hub.load(found), found) / "model.safetensors")
    assert {name for name in (*further, *doubles) if name in kept} == further.keys()
    assert all(torch.equal(kept[name], weight) for name, weight in further.items())


def test_in_another_type(tmp_path):
    one = tiny.pair("gpt2", tmp_path / "one")
    folder = written(tmp_path / "half", one.ours, one.checkpoint, dtype=torch.bfloat16)
    assert {weight.dtype for weight in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert next(hub.load(hub.open_checkpoint(folder)).parameters()).dtype == torch.bfloat16


def broken_off(folder):
    """Ends in the middle of writing."""
    (folder / "config.json").write_text("{}")
    raise ZeroDivisionError


def test_nothing_is_left_half_written_or_deleted_by_mistake(tmp_path):
    source, out = tmp_path / "model", tmp_path / "out"
    source.mkdir()
    with pytest.raises(ZeroDivisionError), export.fresh_folder(out, source) as folder:
        broken_off(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with export.fresh_folder(out, source) as folder:
        (folder / "config.json").write_text("{}")
        assert not out.exists()
    with pytest.raises(CheckpointError, match="--overwrite"), export.fresh_folder(out, source):
        pass
    with pytest.raises(CheckpointError, match="nothing was deleted"), export.fresh_folder(out, source, True):
        pass
    (out / "model.safetensors").write_text("")
    with pytest.raises(ZeroDivisionError), export.fresh_folder(out, source, True) as folder:
        broken_off(folder)
    assert (out / "model.safetensors").exists()
    with export.fresh_folder(out, source, True) as folder:
        (folder / "new").write_text("")
    assert [path.name for path in out.iterdir()] == ["new"]
    for place in (source, tmp_path):
        with pytest.raises(CheckpointError, match="where the model itself lies"), export.fresh_folder(place, source):
            pass
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["model", "out"]
