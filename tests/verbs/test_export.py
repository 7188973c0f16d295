"""A run handed to others: what transformers and CTranslate2 (the oracles) make of it is what the run itself writes."""

import json
from dataclasses import replace
from pathlib import Path

import ctranslate2
import folders
import onnxruntime
import pytest
import torch
import transformers
from tokenizers import Tokenizer as Backend

from seqwise.cli import main
from seqwise.decoding import Generation, Ranking, Repetition
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models.architecture import NormSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.positions import PositionSettings
from seqwise.tasks.stored import open_translator
from seqwise.verbs.export import export
from seqwise.verbs.train import train

SENTENCES = ["one two three", "seven", "six five four three two one", "two two", "four </s> <pad> one"]
GREEDY = Generation(beams=1, max_length=12)
BEAMS = Generation(beams=4, max_length=12, ranking=Ranking("mean"), length_penalty=1.0)


def changed(settings, **sections):
    """Some settings of some sections, or whole ones."""
    parts = {name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
             for name, value in sections.items()}  # fmt: skip
    return replace(settings, **parts)


def ours(run, made):
    """Ids that the run writes."""
    translator, _ = open_translator([run], "cpu", "fp32")
    return [list(best.ids) for best, *_ in translator.translate(SENTENCES, made)]


def theirs(folder, made, target=None):
    """Ids that transformers writes, with its own tokenizer, all sentences in one batch."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    given = tokenizer(SENTENCES, return_tensors="pt", padding=True)
    further = (
        {"length_penalty": made.length_penalty} if made.beams > 1 else {"length_penalty": None, "early_stopping": None}
    )
    found = model.generate(**given, num_beams=made.beams, max_new_tokens=made.max_length, do_sample=False, **further)
    end = model.config.eos_token_id
    rows = [row[1:] for row in found.tolist()]
    return [row[: row.index(end)] if end in row else row for row in rows]


@pytest.fixture(scope="module")
def exported(trained):
    """The run of the tests, whose settings are those without flags but for its size, as transformers reads it."""
    done = export(trained / "run", to="hf", out=trained / "hf")
    assert done.family == "pegasus"
    assert done.size == sum(path.stat().st_size for path in (trained / "hf").iterdir())
    return trained / "hf"


@pytest.mark.parametrize("made", [GREEDY, BEAMS], ids=["greedy", "beams"])
def test_transformers_translates_as_the_run_does(trained, exported, made):
    found = theirs(exported, made)
    assert found == ours(trained / "run", made)
    assert [len(row) for row in found][:4] == [3, 1, 6, 2]


def test_what_was_written_is_read_back(trained, exported, tmp_path):
    """The exported folder is a checkpoint of the hub like any other, and can be exported on."""
    export(exported, to="hf", out=tmp_path / "again")
    assert theirs(tmp_path / "again", GREEDY) == ours(trained / "run", GREEDY)
    export(exported, to="ctranslate2", out=tmp_path / "engine")
    backend = Backend.from_file(str(tmp_path / "engine" / "tokenizer.json"))
    engine = ctranslate2.Translator(str(tmp_path / "engine"), compute_type="float32", intra_threads=1)
    given = [backend.encode(text).tokens for text in SENTENCES[:4]]
    found = engine.translate_batch(given, beam_size=1, max_decoding_length=12)
    written = [[backend.token_to_id(word) for word in one.hypotheses[0]] for one in found]
    assert written == ours(trained / "run", GREEDY)[:4]


def test_the_tokenizer_of_transformers_cuts_as_ours(trained, exported):
    """Names of special tokens in a text are letters to both; the end comes behind, the padding is masked."""
    translator, _ = open_translator([trained / "run"], "cpu", "fp32")
    source, target = translator.vocabularies.source, translator.vocabularies.target
    for tokenizer in (
        transformers.AutoTokenizer.from_pretrained(exported),
        transformers.PreTrainedTokenizerFast.from_pretrained(exported),
    ):
        assert tokenizer(SENTENCES)["input_ids"] == [[*ids, source.eos] for ids in source.encode(SENTENCES)]
        roles = tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id
        assert roles == (source.pad, source.unk, source.bos, source.eos)
        ids = target.encode(["un deux trois"])[0]
        assert tokenizer.decode([target.bos, *ids, target.eos], skip_special_tokens=True) == "un deux trois"


POST = {"norm": NormSettings(place="post")}
AS = {
    "marian": {"model": POST},
    "marian of two vocabularies": {
        "model": {**POST, "embeddings": EmbeddingSettings(tied="output")},
        "tokens": {"joint": False},
    },
    "bart": {
        "model": {"norm": NormSettings(place="post", embeddings=True), "positions": PositionSettings("learned", 40, 2)}
    },
    "m2m_100": {"model": {"positions": PositionSettings(offset=1, spread="closed")}},
}


@pytest.mark.parametrize("case", AS)
def test_other_settings_become_other_families(tiny, case):
    settings = changed(tiny, **AS[case])
    train(settings)
    out = Path(settings.out).with_name("hf")
    assert export(Path(settings.out), to="hf", out=out).family == case.split()[0]
    for made in (GREEDY, BEAMS):
        assert theirs(out, made) == ours(settings.out, made)
    if "two" in case:
        there = transformers.AutoTokenizer.from_pretrained(out / "target")
        assert there.get_vocab() != transformers.AutoTokenizer.from_pretrained(out).get_vocab()


def test_the_repetition_penalty_of_a_run_goes_with_it(tiny):
    """transformers reads it from generation_config.json, and is told of it nowhere else."""
    made = replace(GREEDY, repetition=Repetition(3.0))
    settings = changed(tiny, training={"steps": 2}, generation=made)
    train(settings)
    out = Path(settings.out).with_name("hf")
    export(Path(settings.out), to="hf", out=out)
    assert json.loads((out / "generation_config.json").read_text())["repetition_penalty"] == 3.0
    assert theirs(out, made) == ours(settings.out, made) != ours(settings.out, GREEDY)


def test_what_no_family_has_is_told_with_the_setting_to_train_with(tiny, capsys):
    settings = changed(tiny, model={"positions": PositionSettings("rotary")}, training={"steps": 2})
    train(settings)
    out = Path(settings.out).with_name("hf")
    capsys.readouterr()
    assert main(["export", settings.out, "--to", "hf", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "marian cannot have norm.place 'pre'" in line
    assert "--model.positions.kind sinusoidal" in line
    assert not out.exists()


def test_an_lstm_is_sent_home(tiny, tmp_path):
    settings = changed(tiny, model=LSTMSettings(width=16), training={"steps": 2})
    train(settings)
    for to in ("hf", "ctranslate2", "onnx"):
        with pytest.raises(CheckpointError, match="LSTM"):
            export(Path(settings.out), to=to, out=tmp_path / "out")


def test_ctranslate2_translates_as_the_run_does(trained, tmp_path):
    """With the tokenizer.json beside it and the library tokenizers alone; the same ids in fp32, and in int8."""
    done = export(trained / "run", to="ctranslate2", out=tmp_path / "full")
    assert "up to 1024 tokens" in done.notes[0]
    export(trained / "run", to="ctranslate2", out=tmp_path / "small", precision="int8")
    backend = Backend.from_file(str(tmp_path / "full" / "tokenizer.json"))
    given = [backend.encode(text).tokens for text in SENTENCES[:4]]
    expected = ours(trained / "run", GREEDY)[:4]
    for folder in ("full", "small"):
        engine = ctranslate2.Translator(str(tmp_path / folder), compute_type="default", intra_threads=1)
        found = engine.translate_batch(given, beam_size=1, max_decoding_length=12)
        assert [[backend.token_to_id(word) for word in one.hypotheses[0]] for one in found] == expected


def test_a_chat_model_goes_through_whole(tmp_path):
    """Weights, tokenizer, chat template and generation settings: transformers answers as before, in shards too."""
    model = folders.llama(tmp_path / "chat")
    (tmp_path / "chat" / "LICENSE").write_text("free")
    done = export(tmp_path / "chat", to="hf", out=tmp_path / "again", shard=0.001)
    assert (done.family, done.precision) == ("llama", "float32")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "LICENSE"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "chat" / name).read_bytes()
    before, after = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("chat", "again")
    )  # fmt: skip
    assert before == after
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "again").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    messages = [{"role": "user", "content": "Hello, how are you?"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert torch.equal(back(ids).logits, model(ids).logits)
    export(tmp_path / "chat", to="ctranslate2", out=tmp_path / "engine")
    engine = ctranslate2.Generator(str(tmp_path / "engine"), compute_type="float32", intra_threads=1)
    prompt = [tokenizer.convert_ids_to_tokens(ids[0].tolist())]
    found = engine.generate_batch(prompt, beam_size=1, max_length=8, include_prompt_in_result=False, end_token=[2, 6])
    written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    kept = [token for token in written[0, ids.shape[1] :].tolist() if token not in (2, 6)]
    assert found[0].sequences_ids[0] == kept


def test_a_classifier_becomes_a_graph(tmp_path):
    model = folders.bert(tmp_path / "bert", "BertForSequenceClassification", num_labels=3)
    done = export(tmp_path / "bert", to="onnx", out=tmp_path / "graph")
    assert done.precision == "float32"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "graph")
    given = tokenizer(["Paris is the capital.", "The cat"], padding=True, return_tensors="pt")
    feed = {name: ids.numpy() for name, ids in given.items()}
    feed.setdefault("token_type_ids", 0 * feed["input_ids"])
    (found,) = onnxruntime.InferenceSession(str(tmp_path / "graph" / "model.onnx")).run(None, feed)
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(found), model(**given).logits, atol=1e-4, rtol=0)
    assert len(json.loads((tmp_path / "graph" / "config.json").read_text())["id2label"]) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "onnx"], "--to ctranslate2"),
        (["--to", "hf", "--precision", "int8"], "--precision int8 with --to hf"),
        (["--to", "onnx", "--precision", "bf16"], "--precision bf16 with --to onnx"),
        (["--to", "gguf"], "hf"),
    ],
)
def test_every_refusal_is_one_line(trained, tmp_path, capsys, words, told):
    assert main(["export", str(trained / "run"), *words, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_stays_as_it_is(trained, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear")
    for overwrite in (False, True):
        with pytest.raises(CheckpointError, match="content"):
            export(trained / "run", to="hf", out=tmp_path, overwrite=overwrite)
    with pytest.raises(ConfigError):
        export(trained / "run", to="hf", out=tmp_path / "new", precision="int8")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    export(trained / "run", to="hf", out=tmp_path / "new")
    export(trained / "run", to="ctranslate2", out=tmp_path / "new", overwrite=True)
    assert not (tmp_path / "new" / "model.safetensors").exists()
