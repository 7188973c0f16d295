"""What the small files of a checkpoint ask, done as transformers (the oracle) does it."""

import json
import shutil

import pytest
import torch
import transformers
from folders import TEMPLATE, bert, llama

from seqwise import device
from seqwise.cli import main
from seqwise.errors import SeqwiseError
from seqwise.tasks.answering import conversation
from seqwise.tasks.pretrained import NEW, generation, not_applied, open_pretrained, whole
from seqwise.tasks.writing import Manner, Writer
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.predict import predict

TEXT, OTHER = "The cat sat on the mat. The cat", "Paris is"
HELLO = {"role": "user", "content": "Hello there"}
ENDS = [2, *range(3, 360, 3)]
"""So many that some outputs end soon."""
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
WITH_TOOLS = "{% if tools %}<|system|>{{ tools | tojson }}<|end|>{% endif %}" + TEMPLATE


@pytest.fixture(autouse=True)
def as_the_oracles(monkeypatch):
    """In fp32, whatever the processor multiplies."""
    monkeypatch.setattr(device, "_multiplies_bf16", lambda where: False)
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A decoder without a chat template, and the oracle."""
    folder = tmp_path_factory.mktemp("plain")
    return folder, llama(folder, template=False)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """A chat model whose template writes tools."""
    folder = tmp_path_factory.mktemp("chat")
    llama(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": WITH_TOOLS}))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """An encoder of sentences."""
    folder = tmp_path_factory.mktemp("encoder")
    bert(folder, "BertModel")
    return folder


def asking(folder, place, **told):
    """A copy whose generation_config.json asks for this."""
    shutil.copytree(folder, place)
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": 2, "bos_token_id": 1, **told}))
    return str(place)


def words(folder):
    return transformers.PreTrainedTokenizerFast.from_pretrained(folder)


def continued(folder, model, text, **settings):
    """What `generate` adds to a text."""
    ids = torch.tensor([words(folder)(text)["input_ids"]])
    given = transformers.GenerationConfig.from_pretrained(folder)
    found = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=given, **settings)
    written = found[0, ids.shape[1] :].tolist()
    ended = given.eos_token_id if isinstance(given.eos_token_id, list) else [given.eos_token_id]
    written = written[: next((place for place, token in enumerate(written) if token in ended), len(written))]
    return " ".join(words(folder).decode(written, skip_special_tokens=True).splitlines())


# ---- lengths


@pytest.mark.parametrize("beams", [1, 3])
def test_a_limit_of_prompt_and_output_together_holds_for_each_prompt(plain, tmp_path, beams, capsys):
    folder = asking(plain[0], tmp_path / "copy", max_length=40, num_beams=beams)
    (tmp_path / "in.txt").write_text(f"{TEXT}\n{OTHER}\n")
    expected = [continued(folder, plain[1], text) for text in (TEXT, OTHER)]
    predict(folder, input=tmp_path / "in.txt", precision="fp32")
    assert capsys.readouterr() == ("".join(f"{one}\n" for one in expected), "")
    if beams == 1:
        predict(folder, TEXT, stream=True, precision="fp32")
        assert " ".join(capsys.readouterr().out.splitlines()) == expected[0]


def test_a_limit_of_the_output_goes_before_it(plain, tmp_path):
    folder = asking(plain[0], tmp_path / "copy", max_length=40)
    found = json.loads(predict(folder, TEXT, max_length=60, json=True, precision="fp32"))
    assert len(found["ids"]) == 60
    new = open_pretrained(asking(plain[0], tmp_path / "new", max_length=40, max_new_tokens=9)).checkpoint
    assert (whole(new), generation(new).max_length, list(not_applied(new))) == (None, 9, [])


@pytest.mark.parametrize("told", [20, None, 0, True, "long"])
def test_what_nobody_has_set_is_no_limit(plain, tmp_path, told):
    """20 is what transformers takes where nothing is said, and old files say it all the same."""
    found = open_pretrained(asking(plain[0], tmp_path / "copy", max_length=told)).checkpoint
    assert (whole(found), generation(found).max_length, list(not_applied(found))) == (None, NEW, [])


def test_a_prompt_that_leaves_no_room_is_refused_with_what_helps(plain, tmp_path):
    folder = asking(plain[0], tmp_path / "copy", max_length=9)
    with pytest.raises(SeqwiseError, match=r"fewer than 9, the max_length of copy, .* Try --max-length 256, which"):
        predict(folder, TEXT)
    assert len(json.loads(predict(folder, TEXT, max_length=3, json=True))["ids"]) == 3


def test_a_prompt_that_leaves_no_room_is_cut_where_it_may_be(plain, tmp_path, capsys):
    """Its end is what is answered, by one token."""
    folder = asking(plain[0], tmp_path / "copy", max_length=9)
    writer = Writer(open_pretrained(folder, precision="fp32"), Manner(cut=True, whole=9))
    assert writer.prompt(TEXT) == words(folder)(TEXT)["input_ids"][-8:]
    assert len(json.loads(predict(folder, TEXT, cut=True, json=True))["ids"]) == 1
    assert capsys.readouterr().err == "1 text was cut to 8 tokens\n"


def test_rouge_of_a_decoder_whose_limit_the_prompts_fill_has_ways_out(plain, tmp_path):
    folder = asking(plain[0], tmp_path / "copy", max_length=9)
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({"source": TEXT, "target": "Paris"}) + "\n")
    settings = {"test": (str(test),), "rouge": True, "resamples": 2, "precision": "fp32"}
    with pytest.raises(SeqwiseError, match=r"test.jsonl:1: a prompt of .* Try --max-length 256, which"):
        evaluate(folder, **settings)
    (row,) = evaluate(folder, **settings, max_length=5).worst
    assert row["output"] == predict(folder, TEXT, max_length=5, precision="fp32")
    (row,) = evaluate(folder, **settings, cut=True).worst
    assert row["output"] == predict(folder, TEXT, cut=True, precision="fp32")


def test_a_length_penalty_below_zero_prefers_short_outputs_as_theirs_does(plain, tmp_path):
    found = {}
    for penalty in (-3.0, 3.0):
        more = {"num_beams": 4, "length_penalty": penalty, "max_new_tokens": 30, "eos_token_id": ENDS}
        folder = asking(plain[0], tmp_path / str(penalty), **more)
        found[penalty] = predict(folder, OTHER, precision="fp32")
        assert found[penalty] == continued(folder, plain[1], OTHER)
    assert len(found[-3.0]) < len(found[3.0])
    assert predict(folder, OTHER, length_penalty=-3.0, precision="fp32") == found[-3.0]


# ---- conversations


def theirs(folder, messages, **more):
    return words(folder).apply_chat_template(messages, return_dict=False, **more)


@pytest.mark.parametrize("tools", [None, TOOLS])
def test_tools_beside_the_messages_of_a_line_reach_the_template(chat, tools):
    line = json.dumps({"messages": [HELLO], "tools": tools})
    found = Writer(open_pretrained(chat, precision="fp32")).ids(conversation(line))
    assert found == theirs(chat, [HELLO], tools=tools, add_generation_prompt=True)


def test_tools_that_are_none_are_told_by_their_line(chat, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps([HELLO]) + "\n" + json.dumps({"messages": [HELLO], "tools": "weather"}) + "\n")
    with pytest.raises(SeqwiseError, match=r'in.jsonl:2: "tools": "weather": needs a list of tools'):
        predict(str(chat), input=path, messages=True)


@pytest.mark.parametrize("begun", ["The sky is", "  spaces \n", "a<|end|>b", "Hello there"])
def test_an_answer_at_the_end_is_gone_on_with(chat, begun):
    """As the pipeline of transformers does: the turn is not closed, and no other is opened."""
    messages = [HELLO, {"role": "assistant", "content": begun}]
    found = Writer(open_pretrained(chat, precision="fp32")).ids(messages)
    if "<|end|>" in begun:  # which stays text here
        assert found[-1] == words(chat)("b", add_special_tokens=False)["input_ids"][-1]
        assert found.count(words(chat).convert_tokens_to_ids("<|end|>")) == 1
        return
    assert found == theirs(chat, messages, continue_final_message=True)
    parts = [HELLO, {"role": "assistant", "content": ""}]
    opened = Writer(open_pretrained(chat, precision="fp32")).ids(parts)
    assert opened == theirs(chat, parts, add_generation_prompt=True)


def test_an_answer_that_the_template_writes_otherwise_is_refused(chat, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(chat, copy)
    path = copy / "tokenizer_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "chat_template": WITH_TOOLS.replace("m['content']", "m['content'] | upper")}))
    line = json.dumps([HELLO, {"role": "assistant", "content": "The sky"}])
    with pytest.raises(SeqwiseError, match="an answer at the end that the chat template writes otherwise"):
        predict(str(copy), line, messages=True)


# ---- sentence encoders


def small_file(folder, place, name, told):
    shutil.copytree(folder, place, dirs_exist_ok=True)
    (place / name).write_text(json.dumps(told))
    return str(place)


def test_the_default_prompt_of_a_sentence_encoder_stands_before_each_text(encoder, tmp_path):
    told = {"prompts": {"query": "one two ", "passage": "three "}, "default_prompt_name": "query"}
    name = "config_sentence_transformers.json"
    folder = small_file(encoder, tmp_path / "copy", name, told)
    assert predict(folder, "The cat sat") == predict(str(encoder), "one two The cat sat")
    assert main(["export", folder, "--to", "hf", "--out", str(tmp_path / "out")]) == 0
    assert predict(str(tmp_path / "out"), "The cat sat") == predict(folder, "The cat sat")
    odd = [{**told, "default_prompt_name": value} for value in (None, ["query"], {"query": 1})]
    for silent in (*odd, {"prompts": None}, {}):
        small_file(encoder, tmp_path / "copy", name, silent)
        assert predict(folder, "The cat sat") == predict(str(encoder), "The cat sat")
    small_file(encoder, tmp_path / "copy", name, told)
    (tmp_path / "copy" / "1_Pooling").mkdir()
    (tmp_path / "copy" / "1_Pooling" / "config.json").write_text(
        '{"pooling_mode_mean_tokens": true, "include_prompt": false}'
    )
    with pytest.raises(SeqwiseError, match="sentence vectors without the tokens of their prompt 'one two '"):
        predict(folder, "The cat sat")


def test_a_sentence_encoder_reads_as_many_tokens_as_it_was_made_for(encoder, tmp_path, capsys):
    folder = small_file(encoder, tmp_path / "copy", "sentence_bert_config.json", {"max_seq_length": 7})
    (tmp_path / "in.txt").write_text("one two\none two three four five six\n")
    with pytest.raises(
        SeqwiseError, match=r"in.txt:2: a text of 8 tokens: needs at most 7, the max_seq_length of copy"
    ):
        predict(folder, input=tmp_path / "in.txt")
    assert predict(folder, "one two three four five six", cut=True) == predict(str(encoder), "one two three four five")
    assert "1 text was cut to 7 tokens" in capsys.readouterr().err


def test_a_sentence_encoder_without_capitals_reads_none(tmp_path):
    bert(tmp_path / "cased", "BertModel")
    path = tmp_path / "cased" / "tokenizer.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "normalizer": {**told["normalizer"], "lowercase": False}}))
    folder = small_file(tmp_path / "cased", tmp_path / "copy", "sentence_bert_config.json", {"do_lower_case": True})
    assert predict(folder, "THE cat sat") == predict(str(tmp_path / "cased"), "the cat sat")
    assert predict(folder, "THE cat sat") != predict(str(tmp_path / "cased"), "THE cat sat")


def test_a_small_file_that_is_no_object_is_one_line(encoder, tmp_path):
    for name in ("config_sentence_transformers.json", "sentence_bert_config.json"):
        folder = small_file(encoder, tmp_path / name, name, ["no object"])
        with pytest.raises(SeqwiseError, match=rf"{name}: a file that cannot be read as JSON \(no object\)"):
            predict(folder, "The cat sat")


def test_a_sentence_encoder_made_for_more_than_its_positions_names_those(encoder, tmp_path):
    folder = small_file(encoder, tmp_path / "copy", "sentence_bert_config.json", {"max_seq_length": 9999})
    with pytest.raises(SeqwiseError, match=r"the positions of copy"):
        predict(folder, " ".join(["one"] * 3000))


def test_names_of_inputs_that_are_none_are_the_usual_ones(encoder, tmp_path):
    told = json.loads((encoder / "tokenizer_config.json").read_text())
    folder = small_file(encoder, tmp_path / "copy", "tokenizer_config.json", {**told, "model_input_names": None})
    assert predict(folder, "The cat sat") == predict(str(encoder), "The cat sat")
