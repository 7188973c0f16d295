"""ELECTRA's discriminator, which tells of each token whether a generator has replaced it."""

import json

import pytest
import torch
import transformers
from folders import save, word_pieces

from seqwise.verbs.predict import predict

TEXT = "The cat sat on the mat."


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("electra")
    tokenizer = word_pieces()
    config = transformers.ElectraConfig(
        vocab_size=tokenizer.get_vocab_size(), embedding_size=32, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=48, max_position_embeddings=24,
    )  # fmt: skip
    names = {f"{role}_token": f"[{role.upper()}]" for role in ("cls", "sep", "mask", "pad", "unk")}
    return str(folder), save(folder, "ElectraForPreTraining", config, tokenizer, names)


def test_each_word_is_original_or_replaced_by_the_sigmoid_of_its_score(made):
    """transformers' scores (the oracle) of the first token of each word."""
    folder, model = made
    words = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    batch = words(TEXT, return_tensors="pt", return_token_type_ids=True)
    with torch.no_grad():
        chances = model(**batch).logits[0].sigmoid()
    places = [batch.word_ids().index(word) for word in range(7)]
    found = json.loads(predict(folder, TEXT, json=True, precision="fp32"))["words"]
    assert [one["word"] for one in found] == ["The", "cat", "sat", "on", "the", "mat", "."]
    for place, one in zip(places, found, strict=True):
        replaced = float(chances[place])
        assert one["label"]["name"] == ("replaced" if replaced > 0.5 else "original")
        assert one["label"]["probability"] == pytest.approx(max(replaced, 1 - replaced), abs=1e-5)
    assert {one["label"]["name"] for one in found} == {"original", "replaced"}
    assert predict(folder, TEXT, precision="fp32").split()[0].startswith("The/")
