"""mBART's languages: where their codes stand, and what starts the decoder, as transformers (the oracle) has them."""

import json
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import torch
import tunable
from folders import mbart

from seqwise.data import pretrained
from seqwise.decoding import Generation
from seqwise.errors import ConfigError
from seqwise.tasks.pretrained import open_pretrained
from seqwise.tasks.tuning.items import Items, Read
from seqwise.tasks.tuning.jobs import Rewriting
from seqwise.tasks.tuning.running import encode
from seqwise.tasks.writing import Rewriter
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict

TEXTS = ["I love machine learning.", "Paris is the capital of France."]
FRENCH = ["one two three", "The cat sat"]
SAID = {"source_language": "de_DE", "target_language": "fr_XX"}


@pytest.fixture(scope="module", params=[False, True], ids=["first", "fifty"])
def made(request, tmp_path_factory):
    """Folder, the oracle and its tokenizer, and whether it is mBART-50."""
    folder = tmp_path_factory.mktemp("mbart")
    return str(folder), *mbart(folder, request.param), request.param


@pytest.mark.parametrize("beams", [1, 4])
def test_it_translates_between_the_languages_that_are_told(made, beams):
    """What is written begins behind its language in the first mBART, and with it in mBART-50."""
    folder, model, words, fifty = made
    words.src_lang = "de_DE"
    code = words.convert_tokens_to_ids("fr_XX")
    told = {"forced_bos_token_id": code} if fifty else {"decoder_start_token_id": code}
    for text in TEXTS:
        given = words(text, return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(**given, **told, num_beams=beams, max_new_tokens=12, do_sample=False)[0]
        expected = " ".join(words.decode(ids, skip_special_tokens=True).split())
        assert predict(folder, text, **SAID, beams=beams, max_length=12, precision="fp32") == expected
        assert expected


def test_only_mbart_has_its_language_where_its_texts_end(made):
    """An NLLB whose tokenizer puts it there, as old files do, begins what it writes as ever."""
    folder, *_, fifty = made
    config = json.loads(Path(folder, "config.json").read_text())
    assert pretrained.load(Path(folder), config).behind is not fifty
    assert not pretrained.load(Path(folder), {**config, "model_type": "m2m_100"}).behind


def test_it_learns_what_theirs_learns(made, tmp_path):
    """Both sides as the tokenizer frames them, and the same loss."""
    folder, model, words, _ = made
    words.src_lang, words.tgt_lang = "de_DE", "fr_XX"
    job = Rewriting(open_pretrained(folder, None, "cpu", "fp32"), tunable.settings(folder, tmp_path, writing=SAID))
    examples = job.examples(Items(tuple(TEXTS), tuple(FRENCH), ("", "")))
    for i, (text, french) in enumerate(zip(TEXTS, FRENCH, strict=True)):
        theirs = words(text, text_target=french, return_tensors="pt")
        read, wanted = (rows.padded(np.array([i]), 1)[0] for rows in (examples.inputs, examples.targets))
        assert torch.equal(read, theirs["input_ids"])
        assert torch.equal(wanted, theirs["labels"])
        begun = torch.cat((torch.tensor([[job.rewriter.specials.start]]), wanted[:, :-1]), 1)
        with torch.no_grad():
            logits = job.opened.model(read, torch.tensor([read.shape[1]]), begun)
            loss = torch.nn.functional.cross_entropy(logits[0], wanted[0])
            assert abs(float(loss) - float(model(**theirs).loss)) < 1e-5


@pytest.mark.parametrize(
    ("sources", "targets"), [(("one", "two " * 100), ("un", "deux")), (("one", "two"), ("un", "deux " * 99))]
)
def test_a_text_of_the_training_files_that_is_too_long_is_told_by_its_line(made, tmp_path, sources, targets):
    settings = tunable.settings(made[0], tmp_path, writing=SAID, examples={"cut": False})
    job = Rewriting(open_pretrained(made[0], None, "cpu", "fp32"), settings)
    items = Items(sources, targets, ("f.tsv:2", "f.tsv:3"))
    with pytest.raises(ConfigError, match=r"^f\.tsv:3: a (text|target) of \d+ tokens: needs at most 64"):
        encode(job, Read(items, items, None, None, ()), settings)


def test_a_text_that_is_cut_keeps_its_end(made, tmp_path):
    """With the language behind it, where it stands there."""
    folder, _, words, fifty = made
    opened = open_pretrained(folder, None, "cpu", "fp32")
    (ids,) = Rewriter(opened, **{key.removesuffix("_language"): code for key, code in SAID.items()}, cut=True).rows(
        ["one " * 100]
    )
    german = words.convert_tokens_to_ids("de_DE")
    assert len(ids) == 64
    assert (ids[0] == german, ids[-1] == 2) == (True, True) if fifty else (ids[-2:] == [2, german])
    longest = tunable.settings(folder, tmp_path, writing=SAID, examples={"longest": 6})
    short = Rewriting(opened, longest).examples(Items((TEXTS[0],), (FRENCH[0] * 3,), ("",)))
    for rows in (short.inputs, short.targets):
        (row,) = rows.padded(np.array([0]), 1)[0].tolist()
        assert (len(row), row[-1 if fifty else -2]) == (6, 2)


def test_ctranslate2_is_told_the_language_that_is_written(made, tmp_path):
    """Ahead of what is written, as `target_prefix`: in the first mBART nothing else starts the decoder."""
    folder, _, words, fifty = made
    export(Path(folder), to="ctranslate2", out=tmp_path / "engine", precision="fp32")
    told = json.loads((tmp_path / "engine" / "config.json").read_text())
    assert told["decoder_start_token"] == ("</s>" if fifty else None)
    engine = ctranslate2.Translator(str(tmp_path / "engine"), compute_type="float32", intra_threads=1)
    words.src_lang = "de_DE"
    for text in TEXTS:
        pieces = [words.convert_ids_to_tokens(words(text)["input_ids"])]
        found = engine.translate_batch(pieces, beam_size=1, max_decoding_length=8, target_prefix=[["fr_XX"]])
        written = words.convert_tokens_to_ids(found[0].hypotheses[0])
        again = Rewriter(open_pretrained(folder, None, "cpu", "fp32"), "de_DE", "fr_XX")
        ((ours, *_),) = again.translate([text], Generation(beams=1, max_length=8))
        assert [token for token in written if token != words.convert_tokens_to_ids("fr_XX")][:6] == [
            token for token in ours.ids if token != words.convert_tokens_to_ids("fr_XX")
        ][:6]


def test_without_a_language_to_write_it_asks_for_one(made):
    """The language that is read is the tokenizer's, unless told."""
    folder, *_ = made
    with pytest.raises(ConfigError, match=r"no --target-language: needs one of \d+: .*Try --target-language a._..\."):
        predict(folder, TEXTS[0])
    with pytest.raises(ConfigError, match=r"the language 'fr': needs .*Try 'fr_XX'"):
        predict(folder, TEXTS[0], target_language="fr")
    assert predict(folder, TEXTS[0], target_language="fr_XX", max_length=5)
