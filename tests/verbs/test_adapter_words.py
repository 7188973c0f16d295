"""What lies beside an adapter: a tokenizer with a chat template, further tokens, the config of its base."""

import json
import shutil

import peft
import pytest
import tiny
import torch
import transformers
import tunable
from folders import TEMPLATE, llama
from test_adapters import quietly

from seqwise.errors import CheckpointError
from seqwise.models import lora
from seqwise.tasks.tuning.adapting import alone, open_adapted
from seqwise.tasks.writing import Manner, Writer
from seqwise.verbs.predict import predict

TEXT = "Hello, how are you?"
CHATML = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base without a chat template and one with it, and an adapter that fits both."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "bert").mkdir()
    tunable.bert(folder / "bert")
    for name in ("plain", "chat"):
        (folder / name).mkdir()
        model = llama(folder / name, template=name == "chat")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(1)
    quietly(quietly(peft.get_peft_model, model, config).save_pretrained, str(folder / "adapter"))
    return folder


def beside(place, folder, base="plain", template=CHATML, further=(), **roles):
    """The adapter with a tokenizer as trainers save it beside theirs."""
    shutil.copytree(place / "adapter", folder)
    words = transformers.PreTrainedTokenizerFast.from_pretrained(place / base, **roles)
    words.chat_template = template
    words.add_tokens(list(further), special_tokens=True)
    words.save_pretrained(folder)
    return words


def prompt(opened):
    return Writer(opened, Manner()).ids(TEXT)


@pytest.mark.parametrize("base", ["plain", "chat"])
def test_the_chat_template_beside_an_adapter_is_the_one_it_was_trained_with(place, tmp_path, base):
    """The prompt of transformers' tokenizer there (the oracle), and its end ends an answer."""
    words = beside(place, tmp_path / "a", eos_token="<|end|>")
    opened, _, notes = open_adapted(str(place / base), (tmp_path / "a",), None, "cpu", "fp32")
    said = [{"role": "user", "content": TEXT}]
    expected = words.apply_chat_template(said, add_generation_prompt=True, return_dict=False)
    assert prompt(opened) == expected
    assert words.eos_token_id in opened.words.ends
    assert [note.startswith("the chat template is that beside ") for note in notes] == [True] * (base == "chat")


def test_templates_that_differ_leave_the_bases(place, tmp_path):
    beside(place, tmp_path / "a", "chat")
    beside(place, tmp_path / "b", "chat", TEMPLATE)
    opened, _, notes = open_adapted(str(place / "chat"), (tmp_path / "a", tmp_path / "b"), None, "cpu", "fp32")
    assert opened.words.template == TEMPLATE
    (note,) = notes
    assert f"beside {tmp_path / 'a'} is not that of the others, and the base's is used" in note


def test_tokens_that_the_base_lacks_are_refused_and_padding_is_not(place, tmp_path):
    beside(place, tmp_path / "a", further=["<|im_start|>"])
    with pytest.raises(CheckpointError, match=r"'<\|im_start\|>' with id \d+ .*which its base does not have"):
        open_adapted(str(place / "plain"), (tmp_path / "a",), None, "cpu", "fp32")
    beside(place, tmp_path / "b", further=["[PAD]"], pad_token="[PAD]")
    open_adapted(str(place / "plain"), (tmp_path / "b",), None, "cpu", "fp32")


def test_ids_of_another_tokenizer_are_refused(place, tmp_path):
    beside(place, tmp_path / "a")
    path = tmp_path / "a" / "tokenizer.json"
    told = json.loads(path.read_text())
    vocabulary = told["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="in its base: needs ids as the base has them"):
        open_adapted(str(place / "plain"), (tmp_path / "a",), None, "cpu", "fp32")


def test_a_config_beside_an_adapter_makes_no_checkpoint_of_it(place, tmp_path, capsys):
    """As some trainers leave it there; with weights of a whole model it is one."""
    shutil.copytree(place / "adapter", tmp_path / "a")
    expected = predict(str(place / "plain"), TEXT, adapter=(tmp_path / "a",), max_length=5, precision="fp32")
    shutil.copy(place / "plain" / "config.json", tmp_path / "a")
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    told = {**config, "base_model_name_or_path": str(place / "plain")}
    (tmp_path / "a" / "adapter_config.json").write_text(json.dumps(told))
    assert predict(str(tmp_path / "a"), TEXT, max_length=5, precision="fp32") == expected
    shutil.copy(place / "plain" / "model.safetensors", tmp_path / "a")
    assert not alone(tmp_path / "a")


@pytest.mark.parametrize("base", ["bert", "plain"])
def test_the_head_for_labels_of_tokens_comes_from_the_adapter(place, tmp_path, base):
    """PEFT (the oracle) answers the same."""
    theirs = quietly(transformers.AutoModelForTokenClassification.from_pretrained, place / base, num_labels=3).eval()
    made = quietly(peft.get_peft_model, theirs, peft.LoraConfig(r=2, task_type="TOKEN_CLS", init_lora_weights=False))
    quietly(made.eval().save_pretrained, str(tmp_path / "a"))
    opened, names, _ = open_adapted(str(place / base), (tmp_path / "a",), None, "cpu", "fp32")
    assert opened.checkpoint.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    given = tiny.reading(tiny.Pair(base, made, opened.model, opened.checkpoint))
    with torch.no_grad(), lora.selected(opened.model, *names):
        near = {"atol": 2e-5, "rtol": 1e-4}
        torch.testing.assert_close(tiny.our_logits(opened.model, given), tiny.their_logits(made, given), **near)
    assert predict(str(place / base), "one two", adapter=(tmp_path / "a",)).count("/LABEL_") == 2
