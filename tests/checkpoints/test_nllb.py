"""NLLB's languages, ahead of a text whatever its first tokenizers did; its NllbTokenizer is the oracle."""

import json
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import tunable

from seqwise.tasks.pretrained import open_pretrained
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.jobs import Rewriting
from seqwise.tasks.writing import Rewriter
from seqwise.verbs.predict import predict

TEXTS, FRENCH = ["the cat sat", "one"], ["le chat", "un deux"]
SAID = {"source_language": "deu_Latn", "target_language": "fra_Latn"}


@pytest.fixture(scope="module", params=[None, False, True], ids=["silent", "new", "legacy"])
def made(request, tmp_path_factory):
    """Folder and oracle. The tokenizer.json has the language behind the text; what tokenizer_config.json says of it."""
    folder = tmp_path_factory.mktemp("nllb")
    letters = ("▁", *string.ascii_lowercase)
    vocabulary = {name: token for token, name in enumerate(("<s>", "<pad>", "</s>", "<unk>", *letters))}
    words = transformers.NllbTokenizer(vocab=vocabulary, merges=[], src_lang="eng_Latn", legacy_behaviour=True)
    words.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    assert config.pop("legacy_behaviour") is True
    path.write_text(json.dumps(config if request.param is None else {**config, "legacy_behaviour": request.param}))
    torch.manual_seed(7)
    model = transformers.M2M100ForConditionalGeneration(
        transformers.M2M100Config(
            vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64,
            decoder_start_token_id=2,
        )
    ).eval()  # fmt: skip
    with torch.no_grad():
        weight = model.get_input_embeddings().weight.normal_(std=0.5)
        weight[[*range(4), *range(4 + len(letters), len(words))]] *= 0.1  # or it would write nothing but languages
    model.save_pretrained(folder)
    return str(folder), model, transformers.NllbTokenizer.from_pretrained(folder)


def test_texts_and_targets_have_their_language_where_transformers_has_it(made, tmp_path):
    folder, _, words = made
    words.src_lang, words.tgt_lang = SAID["source_language"], SAID["target_language"]
    opened = open_pretrained(folder, None, "cpu", "fp32")
    expected = words(TEXTS, text_target=FRENCH)
    assert Rewriter(opened, *SAID.values()).rows(TEXTS) == expected["input_ids"]
    job = Rewriting(opened, tunable.settings(folder, tmp_path, writing=SAID))
    examples = job.examples(Items(tuple(TEXTS), tuple(FRENCH), ("", "")))
    for i, ids in enumerate(expected["labels"]):
        assert examples.targets.padded(np.array([i]), 1)[0][0].tolist() == ids


@pytest.mark.parametrize("beams", [1, 4])
def test_it_translates_as_theirs_does(made, beams):
    folder, model, words = made
    words.src_lang = SAID["source_language"]
    code = words.convert_tokens_to_ids(SAID["target_language"])
    given = words(TEXTS[0], return_tensors="pt")
    ids = model.generate(**given, forced_bos_token_id=code, num_beams=beams, max_new_tokens=9, do_sample=False)[0]
    expected = " ".join(words.decode(ids, skip_special_tokens=True).split())
    assert predict(folder, TEXTS[0], **SAID, beams=beams, max_length=9, precision="fp32") == expected
    assert expected


def test_a_text_that_is_cut_keeps_its_end_and_its_language(made):
    folder, _, words = made
    words.src_lang = SAID["source_language"]
    opened = replace(open_pretrained(folder, None, "cpu", "fp32"), limit=9)
    (found,) = Rewriter(opened, *SAID.values(), cut=True).rows(["the cat sat on it"])
    assert found == words("the cat sat on it", truncation=True, max_length=9)["input_ids"]
    assert words.eos_token_id in found
    assert words.convert_tokens_to_ids("deu_Latn") in found


def test_without_a_language_the_tokenizers_own_is_read(made):
    folder, _, words = made
    words.src_lang = "eng_Latn"
    opened = open_pretrained(folder, None, "cpu", "fp32")
    assert Rewriter(opened, None, SAID["target_language"]).rows(TEXTS) == words(TEXTS)["input_ids"]


def test_how_beams_are_scored_is_read_from_generation_config(made, tmp_path):
    """Whether probabilities are made anew of what is not forbidden; the gate has what follows from it."""
    folder, *_ = made
    for path in Path(folder).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for told in (True, False, None):
        (tmp_path / "generation_config.json").write_text(json.dumps({"renormalize_logits": told, "num_beams": 4}))
        opened = open_pretrained(tmp_path, None, "cpu", "fp32")
        assert Rewriter(opened, *SAID.values()).specials.renormalized is (told is True)
