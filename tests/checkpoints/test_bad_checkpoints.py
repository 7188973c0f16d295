"""Checkpoints that are broken, hostile or of another kind: one line each that says what is wrong, and nothing else."""

import io
import json
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile

import pytest
import tiny
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer as Backend
from tokenizers import models

from seqwise.checkpoints import hub
from seqwise.checkpoints.shards import INDEX, WEIGHTS
from seqwise.data import pretrained
from seqwise.errors import CheckpointError, ConfigError

LENGTH = struct.Struct("<Q")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Folders without fault, by case; made once."""
    made = {}

    def find(case):
        if case not in made:
            made[case] = tmp_path_factory.mktemp(case)
            tiny.make(case, made[case])
        return made[case]

    return find


@pytest.fixture
def folder(sound, tmp_path):
    """A small Llama, to be broken."""
    return shutil.copytree(sound("llama"), tmp_path / "model")


def refusal(folder):
    """The one line that opening and loading ends with."""
    with pytest.raises(CheckpointError) as caught:
        hub.load(hub.open_checkpoint(folder))
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.__cause__ is None
    return line


def told(folder, **changes):
    """Change config.json; None takes a key out."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def reheaded(folder, change):
    """Change the header of the weights, whose numbers stay."""
    content = (folder / WEIGHTS).read_bytes()
    (length,) = LENGTH.unpack(content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(LENGTH.pack(len(text)) + text + content[8 + length :])


def sharded(folder):
    """The weights in two files, with an index; returns it."""
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    places = {name: f"model-{1 + (i > 9)}-of-2.safetensors" for i, name in enumerate(names)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in names if places[name] == file}, folder / file)
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


# ---- weights


def test_a_truncated_file_says_how_much_is_there(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    assert f"{len(content) // 2:,} bytes are there: needs the {len(content):,} that its header tells" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"\0" * 4, b"\0" * 64, b"not weights at all" * 9, b"\xff" * 40])
def test_a_file_of_something_else_has_no_header(folder, content):
    (folder / WEIGHTS).write_bytes(content)
    line = refusal(folder)
    assert line.startswith(str(folder / WEIGHTS))
    assert "whose header cannot be read" in line


@pytest.mark.parametrize(
    "offsets", [[0, 10**9], [10**15, 10**15 + 8], [8, 0], [0, 3], [-8, 0], ["a", "b"], [0.5, 8], [], None]
)
def test_a_header_whose_offsets_lie_is_found_out(folder, offsets):
    def lie(header):
        header["model.norm.weight"]["data_offsets"] = offsets

    reheaded(folder, lie)
    assert str(folder / WEIGHTS) in refusal(folder)


def test_two_tensors_in_one_place_are_found_out(folder):
    def overlap(header):
        norms = [name for name in header if name.endswith("layernorm.weight")]
        header[norms[0]]["data_offsets"] = header[norms[1]]["data_offsets"]

    reheaded(folder, overlap)
    assert str(folder / WEIGHTS) in refusal(folder)


def test_a_header_of_strange_types_names_them(folder):
    reheaded(folder, lambda header: header["model.norm.weight"].update(dtype="F99"))
    assert "header cannot be read" in refusal(folder)


def test_a_type_that_the_format_has_and_we_have_not_is_named(folder):
    def change(header):
        entry = header["model.norm.weight"]
        entry |= {"dtype": "C64", "shape": [entry["shape"][0] // 2]}

    reheaded(folder, change)
    assert "model.norm.weight of type C64: needs one of F64, F32" in refusal(folder)


def test_a_missing_shard_is_named(folder):
    sharded(folder)
    (folder / "model-2-of-2.safetensors").unlink()
    assert "without model-2-of-2.safetensors, which model.safetensors.index.json tells of: needs all 2" in refusal(
        folder
    )


def test_shards_are_read_where_nothing_is_wrong(folder, sound):
    sharded(folder)
    one, other = hub.load(hub.open_checkpoint(folder)), hub.load(hub.open_checkpoint(sound("llama")))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_an_index_that_promises_too_much_is_found_out(folder):
    places = sharded(folder) | {"model.extra.weight": "model-1-of-2.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    assert "promises model.extra.weight in model-1-of-2.safetensors, which lacks it" in refusal(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', '"weight_map"', "\0"]
)
def test_an_index_that_is_none_cannot_be_read(folder, text):
    sharded(folder)
    (folder / INDEX).write_text(text)
    assert f"{folder / INDEX}: an index that cannot be read" in refusal(folder)


@pytest.mark.parametrize("place", ["../other.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_an_index_that_leads_out_of_the_folder_is_refused(folder, place):
    places = sharded(folder)
    save_file({"model.norm.weight": torch.ones(24)}, folder.parent / "other.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {**places, "model.norm.weight": place}}))
    assert f"tells of '{place}', which leads out of {folder}" in refusal(folder)


@pytest.mark.parametrize("place", ["..", ".", "", "\0"])
def test_an_index_that_names_no_file_is_refused(folder, place):
    (folder / INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": place}}))
    assert INDEX in refusal(folder)


def test_a_missing_tensor_is_named(folder):
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.layers.1.self_attn.k_proj.weight"]
    save_file(tensors, folder / WEIGHTS)
    assert "without the tensor model.layers.1.self_attn.k_proj.weight: needs all weights of" in refusal(folder)


def test_tensors_that_are_too_many_are_named(folder):
    extra = {"model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2), "what.ever": torch.ones(1)}
    save_file(load_file(folder / WEIGHTS) | extra, folder / WEIGHTS)
    assert "with model.layers.0.self_attn.q_proj.lora_A.weight and 1 more, which LlamaForCausalLM does not" in refusal(
        folder
    )


@pytest.mark.parametrize(
    ("changes", "told_of"),
    [
        ({"hidden_size": 28}, r"embed_tokens.weight of shape [96, 24]"),
        ({"intermediate_size": 44}, r"gate_proj.weight of shape [40, 24]"),
        ({"vocab_size": 95}, r"of shape [96, 24]"),
        ({"num_key_value_heads": 4}, r"k_proj.weight of shape [20, 24]"),
        ({"num_hidden_layers": 2}, "with model.layers.2."),
        ({"num_hidden_layers": 5}, "without the tensor model.layers.3."),
        ({"attention_bias": True}, "without the tensor model.layers.0.self_attn.q_proj.bias"),
        ({"tie_word_embeddings": False, "architectures": ["LlamaForSequenceClassification"]}, "without the tensor"),
        ({"model_type": "mistral", "architectures": ["GPT2LMHeadModel"]}, ""),
    ],
)
def test_a_config_that_contradicts_the_weights_is_found_out(folder, changes, told_of):
    told(folder, **changes)
    assert told_of in refusal(folder)


# ---- what could run code


class Harm:
    """What a pickle can do."""

    def __reduce__(self):
        return (pytest.fail, ("code of a checkpoint was run",))


def pickled():
    """Bytes that run code when they are unpickled, plain and as torch.save wraps them."""
    plain = pickle.dumps(Harm())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", plain)
    return {"plain": plain, "protocol 0": pickle.dumps(Harm(), 0), "zip": packed.getvalue()}


@pytest.mark.parametrize("form", ["plain", "zip"])
def test_pickled_weights_alone_are_refused(folder, form):
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickled()[form])
    assert "with pytorch_model.bin, which could run code when it is opened" in refusal(folder)


@pytest.mark.parametrize("form", ["plain", "zip"])
def test_a_pickle_under_another_name_is_known_for_what_it_is(folder, form):
    (folder / WEIGHTS).write_bytes(pickled()[form])
    assert "which is a pickle and could run code" in refusal(folder)


def test_an_old_pickle_under_another_name_is_no_header(folder):
    (folder / WEIGHTS).write_bytes(pickled()["protocol 0"])
    assert "header cannot be read" in refusal(folder)


def test_a_pickle_as_a_shard_is_known_for_what_it_is(folder):
    sharded(folder)
    (folder / "model-1-of-2.safetensors").write_bytes(pickled()["plain"])
    assert "model-1-of-2.safetensors, which is a pickle" in refusal(folder)


def test_remote_code_is_not_asked(folder):
    (folder / "modeling.py").write_text("import pytest; pytest.fail('code of a checkpoint was run')")
    told(folder, auto_map={"AutoModel": "modeling.Mine"}, architectures=["MineForCausalLM"])
    assert f"{folder} brings its own code (auto_map in config.json): needs an architecture" in refusal(folder)


def test_remote_code_for_what_we_know_ourselves_is_left_alone(folder):
    (folder / "modeling.py").write_text("import pytest; pytest.fail('code of a checkpoint was run')")
    told(folder, auto_map={"AutoModel": "modeling.Mine"})
    hub.load(hub.open_checkpoint(folder))


# ---- config.json


@pytest.mark.parametrize(
    ("changes", "told_of"),
    [
        ({"architectures": ["LlamaForCausalLN"]}, "Try a checkpoint of LlamaForCausalLM"),
        ({"architectures": None, "model_type": "lama"}, "Try a checkpoint of llama"),
        ({"architectures": ["FalconForCausalLM"], "model_type": "falcon"}, "the architecture FalconForCausalLM: needs"),
        ({"architectures": [], "model_type": None}, "the architecture none"),
        ({"architectures": "XForY"}, "the architecture XForY"),
        (
            {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": {"model_type": "gemma3_text"}},
            "Gemma3ForConditionalGeneration, of which text is a part only: needs a model of text alone",
        ),
        ({"architectures": ["XForY"], "text_config": {"model_type": "qwen3"}}, "Try a checkpoint of qwen3."),
        ({"hidden_act": "swiglu"}, "hidden_act 'swiglu' in config.json: needs one of relu, gelu"),
        ({"hidden_act": ["silu"]}, "makes no sense"),
        ({"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4}}, "rope_type 'longrope' in config.json"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "makes no sense (KeyError: 'low_freq"),
        ({"rope_parameters": {"rope_type": "linear", "factor": "four"}}, "makes no sense"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 0.5}}, "factor=0.5: needs a number of at least 1"),
        ({"rope_parameters": {"rope_theta": 0}}, "theta=0.0: needs"),
        ({"rope_parameters": 3}, "makes no sense"),
        ({"dtype": "float17"}, "dtype 'float17' in"),
        ({"dtype": "int8"}, "needs one of float32, bfloat16, float16, float64"),
        ({"hidden_size": 0}, "asks for width=0: needs a whole number of at least 2"),
        ({"hidden_size": -24}, "asks for width=-24"),
        ({"hidden_size": None}, "a config.json without hidden_size: needs it in a checkpoint of llama"),
        ({"hidden_size": 10**30}, "makes no sense (ValueError: hidden_size 1000"),
        ({"num_hidden_layers": 10**9}, "makes no sense (ValueError: num_hidden_layers 1000000000"),
        ({"num_hidden_layers": 0}, "makes no sense (ValueError: 0 layers)"),
        ({"num_hidden_layers": "3"}, "makes no sense (ValueError: '3' layers)"),
        ({"num_attention_heads": 5, "head_dim": None, "num_key_value_heads": None}, "asks for heads=5 with width=24"),
        ({"num_attention_heads": 0}, "asks for heads=0"),
        ({"num_key_value_heads": 3}, "asks for kv_heads=3 with heads=4"),
        ({"head_dim": 9}, "heads of width 9 with rotary positions"),
        ({"rms_norm_eps": 5}, "epsilon=5"),
        ({"attention_dropout": 7}, "dropout=7"),
        ({"tie_word_embeddings": "perhaps"}, "tie_word_embeddings 'perhaps'"),
        ({"vocab_size": 0}, "vocab_size 0: needs the number of tokens"),
        ({"vocab_size": "96"}, "vocab_size '96'"),
        ({"pad_token_id": 400}, "makes no sense (IndexError"),
        ({"pad_token_id": "zero"}, "makes no sense"),
    ],
)
def test_a_config_that_makes_no_sense_says_where(folder, changes, told_of):
    told(folder, **changes)
    assert told_of in refusal(folder)


def test_a_text_where_a_number_belongs_is_shown(folder):
    """In a child, where the types of settings are not checked as in tests when they are made."""
    wrong = {"hidden_size": ["24", 24.5], "rms_norm_eps": ["small"], "attention_bias": ["no"], "vocab_size": [9.5]}
    folders = []
    for key, values in wrong.items():
        for value in values:
            folders.append(shutil.copytree(folder, folder.parent / f"{len(folders)}"))
            told(folders[-1], **{key: value})
    code = (
        "import sys, pathlib; from seqwise.checkpoints.hub import load, open_checkpoint\n"
        "for name in sys.argv[1:]:\n"
        "    try: load(open_checkpoint(pathlib.Path(name)))\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    shown = ["width='24'", "width=24.5", "norm.epsilon='small'", "attention.bias='no'", "vocab_size 9.5"]
    assert len(lines) == len(shown)
    assert all(line.startswith("CheckpointError ") and part in line for line, part in zip(lines, shown, strict=True))


@pytest.mark.parametrize(
    ("case", "changes", "told_of"),
    [
        ("gemma2", {"layer_types": ["sliding_attention", "full_attention", "linear_attention"]}, "'linear_attention'"),
        ("gemma2", {"layer_types": ["sliding_attention"]}, "layer_types of 1 layers where there are 3"),
        ("gemma2", {"layer_types": 4}, "makes no sense"),
        ("gemma2", {"use_bidirectional_attention": True}, "use_bidirectional_attention True in config.json"),
        ("mistral", {"sliding_window": "wide"}, "makes no sense"),
        ("mistral", {"sliding_window": 0}, "window=-1"),
        ("phi3", {"rope_parameters": {"rope_type": "longrope"}}, "rope_type 'longrope' with partial_rotary_factor 1"),
        ("phi3", {"rope_scaling": {"type": "su"}, "rope_parameters": None}, "rope_type 'su'"),
        ("phi3", {"partial_rotary_factor": 0.75, "rope_parameters": None}, "partial_rotary_factor 0.75"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx True"),
        ("bert-labels", {"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ("bert-labels", {"is_decoder": True}, "is_decoder True in config.json: needs False in a checkpoint of bert"),
        ("electra", {"embedding_size": 12}, "embedding_size 12 with hidden_size 24 in config.json: needs the same"),
        ("bert-labels", {"id2label": "many"}, "classifier.weight of shape [5, 24]"),
        ("bert-labels", {"id2label": None, "num_labels": "five"}, "makes no sense"),
        ("bert-labels", {"id2label": {"0": "a", "1": "b"}}, "classifier.weight of shape [5, 24]"),
        ("modernbert-labels", {"classifier_pooling": "max"}, "makes no sense (KeyError: 'max')"),
        ("t5", {"feed_forward_proj": "gated-what"}, "feed_forward_proj 'gated-what'"),
        ("t5", {"relative_attention_num_buckets": 2}, "buckets=2"),
        ("bart", {"decoder_attention_heads": 5}, "heads=5 with width=24"),
        ("bart", {"decoder_layers": -1}, "decoder_layers=-1"),
        ("bart", {"decoder_layers": 1e300}, "layers of the decoder"),
        ("t5", {"num_decoder_layers": 10**6}, "1000000 layers of the decoder"),
    ],
)
def test_so_does_one_of_another_family(sound, tmp_path, case, changes, told_of):
    folder = shutil.copytree(sound(case), tmp_path / "model")
    told(folder, **changes)
    assert told_of in refusal(folder)


@pytest.mark.parametrize("text", ["", "{", "nothing", "\0\0", "[1, 2]", '"text"', "3", "null", "{} {}", "\ud800"])
def test_a_config_that_is_no_json_cannot_be_read(folder, text):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert f"{folder / 'config.json'}: a file that cannot be read as JSON" in refusal(folder)


def test_a_config_deeper_than_python_reads_is_refused(folder):
    (folder / "config.json").write_text("[" * 100_000)
    assert "cannot be read as JSON" in refusal(folder)


def test_a_folder_without_config_is_named(folder, tmp_path):
    (folder / "config.json").unlink()
    assert f"{folder} without config.json: needs a folder in the hub's format" in refusal(folder)
    assert "without config.json" in refusal(tmp_path / "nowhere")


def test_a_folder_without_weights_is_named(folder):
    (folder / WEIGHTS).unlink()
    assert f"{folder} without model.safetensors" in refusal(folder)
    (folder / WEIGHTS).mkdir()
    assert f"{folder} without model.safetensors" in refusal(folder)


# ---- the tokenizer


def words(folder, count):
    """A tokenizer of so many words."""
    names = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{i}" for i in range(count - 4))]
    Backend(models.WordLevel({name: i for i, name in enumerate(names)}, "<unk>")).save(str(folder / "tokenizer.json"))


def test_a_tokenizer_of_another_model_is_found_out(folder):
    words(folder, 200)
    with pytest.raises(CheckpointError, match=r"a tokenizer of 200 tokens .* for a model of 96.*wrong tokenizer"):
        pretrained.load(folder, hub.open_checkpoint(folder).config)


def multilingual(**codes):
    made = pretrained.Pretrained
    return made(None, None, None, codes, None, None, (2,), {})


@pytest.mark.parametrize(("code", "meant"), [("fr", "fra_Latn"), ("fra_Latin", "fra_Latn"), ("DE", "deu_Latn")])
def test_an_unknown_language_names_the_one_that_was_meant(code, meant):
    model = multilingual(eng_Latn=4, fra_Latn=5, deu_Latn=6)
    assert model.language("fra_Latn") == 5
    with pytest.raises(ConfigError) as caught:
        model.language(code)
    assert str(caught.value) == (
        f"the language {code!r}: needs one of the 3 codes that this model has a token for. Try {meant!r}."
    )


def test_a_model_of_one_language_has_no_codes():
    with pytest.raises(ConfigError, match=r"the language 'fr': needs none, since .* Try leaving it out"):
        multilingual().language("fr")


# ---- anything


def harmless(folder):
    """A model, or one line."""
    line, model = "", None
    try:
        model = hub.load(hub.open_checkpoint(folder))
    except (CheckpointError, ConfigError) as error:
        line = str(error)
    assert "\n" not in line
    assert line if model is None else not any(weight.is_meta for weight in model.parameters())


FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)


def flipped(content, changes, limit=None):
    """Some bytes are others."""
    wrong = bytearray(content)
    for place, byte in changes:
        wrong[place % (limit or len(wrong))] = byte
    return bytes(wrong)


@pytest.mark.parametrize("case", ["llama3", "gemma3", "bert-labels", "t5", "marian", "modernbert-labels"])
@FUZZ
@given(CHANGES)
def test_a_config_with_other_bytes_gives_a_model_or_one_line(sound, tmp_path_factory, case, changes):
    folder = shutil.copytree(sound(case), tmp_path_factory.mktemp("fuzz") / "model")
    content = (folder / "config.json").read_bytes()
    (folder / "config.json").write_bytes(flipped(content, changes))
    harmless(folder)
    shutil.rmtree(folder)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 200), st.floats(), st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["0", "rope_type", "full_attention", "factor"]), st.integers(0, 3), max_size=2),
    st.sampled_from([10**6, 10**9, 10**40, -(10**40), 1e300]),
)  # fmt: skip


@pytest.mark.parametrize("case", ["llama3", "gemma3", "bert-labels", "t5", "marian", "modernbert-labels"])
@FUZZ
@given(st.data())
def test_a_config_with_other_values_gives_a_model_or_one_line(sound, tmp_path_factory, case, data):
    folder = shutil.copytree(sound(case), tmp_path_factory.mktemp("fuzz") / "model")
    config = json.loads((folder / "config.json").read_text())
    keys = data.draw(st.lists(st.sampled_from(sorted(config)), min_size=1, max_size=2, unique=True))
    config |= {key: data.draw(VALUES) for key in keys}
    (folder / "config.json").write_text(json.dumps(config))
    harmless(folder)
    shutil.rmtree(folder)


@FUZZ
@given(CHANGES, st.booleans())
def test_a_header_with_other_bytes_gives_a_model_or_one_line(sound, tmp_path_factory, changes, shallow):
    folder = shutil.copytree(sound("bert-labels"), tmp_path_factory.mktemp("fuzz") / "model")
    content = (folder / WEIGHTS).read_bytes()
    limit = 8 if shallow else 8 + LENGTH.unpack(content[:8])[0]
    (folder / WEIGHTS).write_bytes(flipped(content, changes, limit))
    harmless(folder)
    shutil.rmtree(folder)
