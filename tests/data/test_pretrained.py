import ast
import json
import shutil
import sys
from pathlib import Path

import pytest
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from seqwise.checkpoints.export_ctranslate2 import named
from seqwise.data import pretrained
from seqwise.data.sentencepiece import BYTE, CONTROL, NORMAL, UNKNOWN
from seqwise.data.tokens import Framed, Tokenizer, Vocabularies
from seqwise.errors import CheckpointError

ENGLISH = [f"The {animal} {action} at home, isn't it?" for animal in ("dog", "cat", "élan") for action in ("is", "ran")]
TEXTS = [*ENGLISH, "Der Hund 12 läuft.", "日本 dog", "  two  spaces ", "naïve ÉLAN", "", "a\tb\nc"]
HOSTILE = [
    "</s> x",
    "[SEP][CLS]",
    "<|endoftext|>",
    "<mask>",
    "a<pad>b",
    "__fr__ x",
    "fra_Latn",
    "<extra_id_0>",
    "<unk>",
]


def write(folder: Path, name: str, content: object) -> None:
    folder.mkdir(exist_ok=True)
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (folder / name).write_text(text, "utf-8")


def peer(name: str):
    return getattr(pytest.importorskip("transformers"), name)


def same(mine: Tokenizer, theirs, texts=TEXTS) -> None:
    """Ids of texts and pairs, bare and framed, and segments, as transformers has them."""
    assert mine.encode(texts) == theirs(texts, add_special_tokens=False)["input_ids"]
    pairs = list(zip(texts, reversed(texts), strict=True))
    for given in (texts, pairs):
        expected = theirs(given, return_token_type_ids=True)
        assert mine.framed(given) == list(map(Framed, expected["input_ids"], expected["token_type_ids"]))


def harmless(tokenizer: Tokenizer) -> None:
    """No text names a special token; saved and loaded again it is the same."""
    special = {tokenizer.vocabulary()[name] for name in tokenizer.special_names} - {tokenizer.unk}
    for text, ids, framed in zip(HOSTILE, tokenizer.encode(HOSTILE), tokenizer.framed(HOSTILE), strict=True):
        assert special.isdisjoint(ids), text
        assert len([token for token in framed.ids if token in special]) == len(tokenizer.framed(["dog"])[0].ids) - len(
            tokenizer.encode(["dog"])[0]
        )
        assert [piece for piece, _, _ in tokenizer.words(text)] == tokenizer.pieces(ids)


def saved(found: pretrained.Pretrained, folder: Path) -> None:
    """Through our own files."""
    folder.mkdir()
    Vocabularies(found.source, found.target).save(folder)
    again = Vocabularies.load(folder)
    assert again.joint is (found.source is found.target)
    for mine, loaded in ((found.source, again.source), (found.target, again.target)):
        assert loaded.encode(TEXTS + HOSTILE) == mine.encode(TEXTS + HOSTILE)
        assert [getattr(loaded, role) for role in ("size", "pad", "unk", "bos", "eos")] == [
            getattr(mine, role) for role in ("size", "pad", "unk", "bos", "eos")
        ]
        assert loaded.decode(loaded.encode(TEXTS)) == mine.decode(mine.encode(TEXTS))


# ---- WordPiece


def bert(folder: Path, **settings: object) -> dict:
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=settings.get("do_lower_case", True))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special))
    ids = backend.get_vocab()
    write(folder, "vocab.txt", "".join(f"{name}\n" for name in sorted(ids, key=ids.__getitem__)))
    if settings:
        write(folder, "tokenizer_config.json", settings)
    return {"model_type": "bert", "vocab_size": len(ids), "pad_token_id": 0}


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}, {"strip_accents": False}])
def test_bert_is_read_from_vocab_txt(tmp_path, settings):
    config = bert(tmp_path / "a", **settings)
    found = pretrained.load(tmp_path / "a", config)
    same(found.source, peer("BertTokenizer").from_pretrained(tmp_path / "a"))
    assert (found.source.pad, found.source.unk, found.source.bos, found.source.eos, found.mask) == (0, 1, 2, 3, 4)
    assert found.source is found.target
    assert (found.template, found.languages, found.longest, found.ends) == (None, {}, None, (3,))
    harmless(found.source)
    saved(found, tmp_path / "b")


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}, {"strip_accents": False}])
@pytest.mark.parametrize("stored", [True, False])
def test_what_is_told_of_capitals_and_accents_goes_before_tokenizer_json(tmp_path, settings, stored):
    """As transformers sets BERT's normalizer anew; what is not told is as the file has it, which says the usual."""
    config = bert(tmp_path, **settings)
    theirs = peer("BertTokenizer").from_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path)
    backend = theirs.backend_tokenizer
    usual = {"lowercase": stored, "strip_accents": None} if settings else {}
    backend.normalizer = normalizers.BertNormalizer(**usual)
    backend.save(str(tmp_path / "tokenizer.json"))
    told = {"do_lower_case": True, **settings, "tokenizer_class": "BertTokenizer"}
    write(tmp_path, "tokenizer_config.json", told)
    same(pretrained.load(tmp_path, config).source, peer("BertTokenizer").from_pretrained(tmp_path))
    write(tmp_path, "tokenizer_config.json", {**told, "tokenizer_class": "PreTrainedTokenizerFast"})
    same(pretrained.load(tmp_path, config).source, peer("PreTrainedTokenizerFast").from_pretrained(tmp_path))


def test_a_vocab_txt_without_its_special_tokens_is_refused(tmp_path):
    write(tmp_path, "vocab.txt", "<s>\n</s>\na\n")
    with pytest.raises(CheckpointError, match=r"vocab.txt: .*without \[UNK\] and \[CLS\] and \[SEP\]"):
        pretrained.load(tmp_path, {"model_type": "mpnet"})


# ---- BPE of bytes


def bytewise(folder: Path, special: list[str]) -> dict[str, int]:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=350, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    backend.train_from_iterator(TEXTS, trainer)
    made = json.loads(backend.to_str())["model"]
    write(folder, "vocab.json", made["vocab"])
    write(folder, "merges.txt", "#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in made["merges"]))
    return made["vocab"]


def test_gpt2_is_read_from_vocab_and_merges(tmp_path):
    ids = bytewise(tmp_path / "a", ["<|endoftext|>"])
    config = {"model_type": "gpt2", "vocab_size": len(ids), "eos_token_id": 0, "bos_token_id": 50256}
    found = pretrained.load(tmp_path / "a", config)
    same(found.source, peer("GPT2Tokenizer").from_pretrained(tmp_path / "a"))
    assert (found.source.pad, found.source.unk, found.source.bos, found.source.eos) == (0, 0, 0, 0)
    assert found.source.decode(found.source.encode(TEXTS + HOSTILE)) == TEXTS + HOSTILE
    harmless(found.source)
    saved(found, tmp_path / "b")


@pytest.mark.parametrize(("family", "theirs"), [("roberta", "RobertaTokenizer"), ("bart", "BartTokenizer")])
@pytest.mark.parametrize("fronted", [True, False])
def test_roberta_and_bart_frame_a_text(tmp_path, family, theirs, fronted):
    ids = bytewise(tmp_path / "a", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    write(tmp_path / "a", "tokenizer_config.json", {"add_prefix_space": fronted, "model_max_length": 512})
    config = {"model_type": family, "vocab_size": len(ids), "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    found = pretrained.load(tmp_path / "a", config)
    same(found.source, peer(theirs).from_pretrained(tmp_path / "a"))
    assert (found.source.bos, found.source.pad, found.source.eos, found.source.unk, found.mask) == (0, 1, 2, 3, 4)
    assert found.longest == 512
    harmless(found.source)
    saved(found, tmp_path / "b")


def test_the_decoder_starts_as_the_config_says(tmp_path):
    ids = bytewise(tmp_path, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    config = {"model_type": "bart", "vocab_size": len(ids), "decoder_start_token_id": 2, "bos_token_id": 0}
    found = pretrained.load(tmp_path, config)
    assert (found.source.bos, found.names["bos_token"]) == (2, "<s>")


def test_qwen_has_its_further_tokens(tmp_path):
    ids = bytewise(tmp_path, [])
    further = {len(ids): "<|endoftext|>", len(ids) + 1: "<|im_start|>", len(ids) + 2: "<|im_end|>"}
    entries = {str(token): {"content": name, "special": True} for token, name in further.items()}
    entries[str(len(ids) + 3)] = {"content": "<think>", "special": False}
    settings = {"added_tokens_decoder": entries, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    write(tmp_path, "tokenizer_config.json", {**settings, "bos_token": None, "model_max_length": 1e30})
    eos = [len(ids) + 2, len(ids)]
    config = {"model_type": "qwen2", "vocab_size": len(ids) + 60, "eos_token_id": eos, "bos_token_id": len(ids)}
    found = pretrained.load(tmp_path, config)
    theirs = peer("Qwen2Tokenizer").from_pretrained(tmp_path)
    texts = [*TEXTS, "x<think>y", "12345 \r\n  z"]
    assert found.source.encode(texts) == theirs(texts, add_special_tokens=False)["input_ids"]
    text = "<|im_start|>user\nthe dog<|im_end|>\n<think>"
    assert found.source.from_template(text) == theirs(text)["input_ids"]
    assert (found.source.eos, found.source.pad, found.ends) == (len(ids) + 2, len(ids), tuple(eos))
    assert found.names == {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    assert found.longest is None
    entries[str(len(ids) + 9)] = {"content": "<far>", "special": True}
    write(tmp_path, "tokenizer_config.json", settings)
    with pytest.raises(CheckpointError, match=f"'<far>' with id {len(ids) + 9}"):
        pretrained.load(tmp_path, config)


def test_merges_of_another_vocabulary_are_refused(tmp_path):
    bytewise(tmp_path, ["<|endoftext|>"])
    for lines in ("a b c\n", "nothing here\n", "x\n"):
        write(tmp_path, "merges.txt", lines)
        with pytest.raises(CheckpointError, match=r"merges.txt: merges that do not fit"):
            pretrained.load(tmp_path, {"model_type": "gpt2"})
    with pytest.raises(CheckpointError, match=r"of the type opt.*gpt2.*save_pretrained"):
        pretrained.load(tmp_path, {"model_type": "opt"})


# ---- SentencePiece


def pieces(*words: str, letters: str = "▁thedogscaiélan,.") -> list[tuple[str, float, int]]:
    """Words likelier than letters."""
    first = [("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)]
    rest = [(word, -1.0 - place, NORMAL) for place, word in enumerate(words)]
    return [*first, *rest, *((letter, -20.0 - place, NORMAL) for place, letter in enumerate(dict.fromkeys(letters)))]


def marian(folder: Path, spm) -> dict:
    """An English side that knows "▁the" and "▁lost", a French one that knows "▁le" and "é"; "▁lost" has no id."""
    source, target = (
        pieces("▁the", "▁dog", "▁lost", letters="▁thedogslo"),
        pieces("▁le", "▁chien", letters="▁lechinéàs"),
    )
    write(folder, "source.spm", spm(source))
    write(folder, "target.spm", spm(target))
    names = ["</s>", "<unk>", *dict.fromkeys(text for text, _, kind in source + target if kind == NORMAL)]
    names = [name for name in names if name != "▁lost"] + [">>fra<<", ">>ita<<", "<pad>"]
    write(folder, "vocab.json", {name: token for token, name in enumerate(names)})
    end = len(names) - 1
    return {"model_type": "marian", "vocab_size": len(names), "pad_token_id": end, "eos_token_id": 0,
            "bos_token_id": 0, "decoder_start_token_id": end}  # fmt: skip


def test_marian_cuts_each_side_by_its_own_model(spm, tmp_path):
    """The oracle is transformers' MarianTokenizer over SentencePiece 0.2.3; recorded, for it is not installed here."""
    config = marian(tmp_path / "a", spm)
    found = pretrained.load(tmp_path / "a", config)
    source, target = found.source, found.target
    assert source is not target
    assert source.size == target.size == config["vocab_size"]
    ids = json.loads((tmp_path / "a" / "vocab.json").read_text())

    def cut(tokenizer: Tokenizer, text: str) -> list[str]:
        return tokenizer.pieces(tokenizer.framed([text])[0].ids)

    assert cut(source, "the dogs") == ["▁the", "▁dog", "s", "</s>"]
    assert cut(source, "the lost dog") == ["▁the", "<unk>", "▁dog", "</s>"]  # a piece without an id
    assert cut(source, "le") == ["▁", "l", "e", "</s>"]
    assert cut(source, "é éà Жé") == ["▁", "é", "▁", "<unk>", "▁", "<unk>", "</s>"]  # looked up by their letters
    assert cut(target, "le chien é") == ["▁le", "▁chien", "▁", "é", "</s>"]
    assert cut(target, "the lost") == ["▁", "t", "h", "e", "▁", "l", "o", "s", "t", "</s>"]
    assert source.encode(["the"])[0] == [ids["▁the"]]
    assert target.decode([[ids["▁the"], ids["▁chien"], ids["é"], 0, ids["<pad>"]]]) == ["the chiené"]
    assert source.bos == source.pad == ids["<pad>"]
    harmless(source)
    harmless(target)
    saved(found, tmp_path / "b")


def test_another_engine_is_told_the_names_that_the_files_have(spm, tmp_path):
    """A side that never cuts a piece may write it all the same: CTranslate2 gives it back by its name."""
    found = pretrained.load(tmp_path, config := marian(tmp_path, spm))
    names = json.loads((tmp_path / "vocab.json").read_text())
    for side in (found.source, found.target):
        assert named(side, config["vocab_size"]) == tuple(names)


def test_the_language_ahead_of_a_text_is_one_token(spm, tmp_path):
    config = marian(tmp_path, spm)
    source = pretrained.load(tmp_path, config).source
    (code,) = [token for name, token in source.vocabulary().items() if name == ">>fra<<"]
    expected = [code, *source.encode(["the dog"])[0]]
    assert source.encode([">>fra<< the dog", ">>fra<<the dog"]) == [expected, expected]
    assert source.framed([">>fra<<the dog"])[0] == Framed([*expected, source.eos], [0] * (len(expected) + 1))
    assert source.words(">>fra<< the dog") == [(">>fra<<", 0, 7), ("▁the", 8, 11), ("▁dog", 12, 15)]
    assert list(source.grouped([">>fra<< the dog"])) == [[(token,) for token in expected]]
    assert code not in source.encode(["the >>fra<< dog", " >>fra<<", ">>deu<< the"])[0]
    assert source.decode([expected]) == ["the dog"]


def test_sides_of_marian_that_are_the_same_are_one(spm, tmp_path):
    config = marian(tmp_path, spm)
    shutil.copy(tmp_path / "source.spm", tmp_path / "target.spm")
    found = pretrained.load(tmp_path, config)
    assert found.source is found.target
    write(tmp_path, "target_vocab.json", {"</s>": 0, "<unk>": 1, "▁dog": 2, "<pad>": 3})
    found = pretrained.load(tmp_path, {**config, "decoder_vocab_size": 4})
    assert found.target.size == 4
    assert found.target.encode(["dog the"]) == [[2, 1]]


def languages_of_m2m() -> list[str]:
    """As transformers lists them, in a file that asks for SentencePiece when it is imported."""
    folder = Path(pytest.importorskip("transformers").__file__).parent
    tree = ast.parse((folder / "models" / "m2m_100" / "tokenization_m2m_100.py").read_text("utf-8"))
    (listed,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAIRSEQ_LANGUAGE_CODES"
    )
    return ast.literal_eval(listed)["m2m100"]


def test_m2m_has_a_token_for_each_language(spm, tmp_path):
    listed = pieces("▁the", "▁dog", "▁rare")
    parts = [("▁r", -9, NORMAL), ("▁ra", -9, NORMAL), ("▁rar", -9, NORMAL), ("r", -99, NORMAL)]
    write(tmp_path / "a", "sentencepiece.bpe.model", spm([*listed, *parts], bpe=True))
    names = ["<s>", "<pad>", "</s>", "<unk>", *(text for text, _, kind in listed if kind == NORMAL and text != "▁rare")]
    write(tmp_path / "a", "vocab.json", {name: token for token, name in enumerate(names)})
    config = {"model_type": "m2m_100", "vocab_size": len(names) + 108, "bos_token_id": 0, "pad_token_id": 1,
              "eos_token_id": 2, "decoder_start_token_id": 2}  # fmt: skip
    found = pretrained.load(tmp_path / "a", config)
    assert list(found.languages) == languages_of_m2m()
    assert list(found.languages.values()) == list(range(len(names), len(names) + 100))
    assert found.source.pieces([found.languages["fr"]]) == ["__fr__"]
    assert found.source.size == len(names) + 100
    assert (found.source.bos, found.source.pad, found.source.eos, found.source.unk) == (2, 1, 2, 3)
    assert found.source.framed(["rare d"])[0].ids[0] == 3
    harmless(found.source)
    saved(found, tmp_path / "b")
    write(tmp_path / "a", "special_tokens_map.json", {"additional_special_tokens": ["__en__", "__ha__"]})
    assert pretrained.load(tmp_path / "a", config).languages == {"en": len(names), "ha": len(names) + 1}


def test_t5_has_its_spans_behind_the_pieces(spm, tmp_path):
    listed = [("<pad>", 0, CONTROL), ("</s>", 0, CONTROL), ("<unk>", 0, UNKNOWN), *pieces("▁the", "▁dog")[3:]]
    write(tmp_path / "a", "spiece.model", spm(listed))
    config = {"model_type": "t5", "vocab_size": 128, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    found = pretrained.load(tmp_path / "a", config)
    size = len(listed) + 100
    assert found.source.size == size
    assert found.source.pieces([size - 1, size - 100]) == ["<extra_id_0>", "<extra_id_99>"]
    ids = [place for place, (text, _, _) in enumerate(listed) if text in ("▁the", "▁dog")]
    assert found.source.framed(["the dog", ("the", "dog")]) == [
        Framed([*ids, 1], [0, 0, 0]),
        Framed([ids[0], 1, ids[1], 1], [0] * 4),
    ]
    assert found.source.decode([ids]) == ["the dog"]
    harmless(found.source)
    saved(found, tmp_path / "b")
    write(tmp_path / "a", "tokenizer_config.json", {"extra_ids": 0})  # as mT5's, whose file holds the spans itself
    whole = pretrained.load(tmp_path / "a", {**config, "model_type": "mt5"})
    assert (whole.source.size, whole.source.framed(["the dog"])[0].ids) == (len(listed), [*ids, 1])
    with pytest.raises(CheckpointError, match="a model of the type pegasus"):
        pretrained.load(tmp_path / "a", {"model_type": "pegasus"})


def test_xlm_r_and_nllb_count_as_fairseq_does(spm, tmp_path):
    listed = pieces("▁the", "▁dog")
    write(tmp_path, "sentencepiece.bpe.model", spm(listed))
    config = {"model_type": "xlm-roberta", "vocab_size": len(listed) + 2, "bos_token_id": 0, "pad_token_id": 1,
              "eos_token_id": 2}  # fmt: skip
    found = pretrained.load(tmp_path, config)
    assert found.source.framed([("the", "dog")]) == [Framed([0, 4, 2, 2, 5, 2], [0] * 6)]
    assert (found.mask, found.source.unk, found.source.size) == (len(listed) + 1, 3, len(listed) + 2)
    harmless(found.source)
    nllb = {**config, "model_type": "m2m_100", "vocab_size": len(listed) + 4}
    with pytest.raises(CheckpointError, match="no languages: needs additional_special_tokens"):
        pretrained.load(tmp_path, nllb)
    write(tmp_path, "special_tokens_map.json", {"additional_special_tokens": ["eng_Latn", "fra_Latn"]})
    found = pretrained.load(tmp_path, nllb)
    assert found.languages == {"eng_Latn": len(listed) + 1, "fra_Latn": len(listed) + 2}
    assert found.mask == len(listed) + 3
    assert found.source.framed(["the dog"])[0].ids == [4, 5, 2]


@pytest.mark.parametrize(("name", "ahead"), [("MBartTokenizer", False), ("MBart50Tokenizer", True)])
@pytest.mark.parametrize("ready", [False, True])
def test_mbart_puts_the_language_where_its_tokenizer_does(spm, tmp_path, name, ahead, ready):
    """From the file of SentencePiece, and from the tokenizer.json that transformers writes."""
    listed = pieces("▁the", "▁dog")
    head = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    kind = peer(name)
    codes = list(vars(sys.modules[kind.__module__])["FAIRSEQ_LANGUAGE_CODES"])
    tail = [(code, 0.0) for code in [*codes, "<mask>"]]
    theirs = kind(vocab=[*head, *((text, score) for text, score, _ in listed[3:]), *tail], src_lang="fr_XX")
    if ready:
        theirs.save_pretrained(tmp_path)
    else:
        write(tmp_path, "sentencepiece.bpe.model", spm(listed))
        write(tmp_path, "special_tokens_map.json", {"additional_special_tokens": codes})
        write(tmp_path, "tokenizer_config.json", {"src_lang": "fr_XX"})
    config = {"model_type": "mbart", "vocab_size": len(theirs), "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    found = pretrained.load(tmp_path, config)
    assert len(theirs) == len(listed) + 2 + len(codes)
    assert found.languages == {code: theirs.convert_tokens_to_ids(code) for code in codes}
    assert (found.mask, found.source.size) == (theirs.mask_token_id, len(theirs))
    for text in ("the dog", "dogs", "the and"):
        ids = found.source.framed([text])[0].ids
        assert ids == theirs(text)["input_ids"]
        assert ids[0 if ahead else -1] == found.languages["fr_XX"]
    harmless(found.source)


def llama(folder: Path, spm) -> dict:
    listed = [*pieces()[:3], *((f"<0x{byte:02X}>", 0, BYTE) for byte in range(256))]
    listed += [(text, -1.0 - place, NORMAL) for place, text in enumerate(["he", "▁t", "▁the", *"▁thedogs"])]
    write(folder, "tokenizer.model", spm(listed, bpe=True, bytewise=True, trimmed=False))
    return {"model_type": "llama", "vocab_size": len(listed) + 99, "bos_token_id": 1, "eos_token_id": [2, 5]}


def test_llama_starts_a_text_and_pads_with_its_end(spm, tmp_path):
    config = llama(tmp_path / "a", spm)
    found = pretrained.load(tmp_path / "a", config)
    source = found.source
    assert source.pieces(source.framed(["the é"])[0].ids) == ["<s>", "▁the", "▁", "<0xC3>", "<0xA9>"]
    assert (source.pad, source.bos, source.eos, source.unk) == (2, 1, 2, 0)
    assert (found.ends, found.names) == ((2, 5), {"bos_token": "<s>", "eos_token": "</s>"})
    texts = ["the dog", " the  dogs", "é 日本 <0x41>", "</s><s>", ""]
    assert source.decode(source.encode(texts)) == texts == [source.normalize(text) for text in texts]
    harmless(source)
    saved(found, tmp_path / "b")
    write(tmp_path / "a", "tokenizer_config.json", {"add_bos_token": False, "add_eos_token": True, "legacy": False})
    source = pretrained.load(tmp_path / "a", config).source
    assert source.pieces(source.framed(["the"])[0].ids) == ["▁the", "</s>"]
    assert source.pieces(source.from_template("<s>the</s>the")) == [
        "<s>",
        "t",
        "he",
        "</s>",
        "t",
        "he",
    ]  # as "legacy": false


# ---- tokenizer.json, and what stands beside it


def ready(folder: Path, special: list[str], **more: object) -> Backend:
    backend = Backend(models.WordLevel({"<unk>": 0, "dog": 1, "the": 2, "!": 3}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens([AddedToken(name, special=True) for name in special])
    write(folder, "tokenizer.json", backend.to_str())
    write(folder, "tokenizer_config.json", more)
    return backend


def test_tokenizer_json_comes_first(tmp_path):
    bert(tmp_path)
    ready(tmp_path, ["<s>", "</s>"])
    found = pretrained.load(tmp_path, {"model_type": "bert", "vocab_size": 6})
    assert found.source.encode(["the dog"]) == [[2, 1]]
    assert found.source.framed(["the dog"]) == [Framed([2, 1], [0, 0])]  # the file says nothing of a frame


def test_the_post_processor_of_a_file_frames(tmp_path):
    backend = ready(tmp_path, ["<s>", "</s>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 4), ("</s>", 5)]
    )
    write(tmp_path, "tokenizer.json", backend.to_str())
    source = pretrained.load(tmp_path, {}).source
    theirs = peer("PreTrainedTokenizerFast")(tokenizer_file=str(tmp_path / "tokenizer.json"))
    same(source, theirs, ["the dog", "dog !"])
    assert source.framed(["the </s> dog"])[0].ids.count(5) == 1


def test_special_tokens_are_those_of_the_config_before_names_before_custom(tmp_path):
    ready(tmp_path, ["<s>", "</s>", "<pad>", "<x>", "<y>"], eos_token="<x>", pad_token={"content": "<y>"})
    source = pretrained.load(tmp_path, {}).source
    assert (source.bos, source.eos, source.pad) == (4, 7, 8)
    source = pretrained.load(tmp_path, {"eos_token_id": 5, "pad_token_id": -1, "bos_token_id": None}).source
    assert (source.bos, source.eos, source.pad) == (4, 5, 8)
    found = pretrained.load(tmp_path, {"eos_token_id": [5, 7, True, 99], "pad_token_id": 2**40})
    assert (found.source.eos, found.ends) == (7, (7, 5))  # the one that the files name, of several
    write(tmp_path, "special_tokens_map.json", {"pad_token": "<x>"})
    assert pretrained.load(tmp_path, {}).source.pad == 7


def test_a_tokenizer_without_an_end_is_refused(tmp_path):
    ready(tmp_path, ["<q>"])
    with pytest.raises(CheckpointError, match="without eos_token"):
        pretrained.load(tmp_path, {})


def test_the_wrong_tokenizer_for_the_model_is_refused_with_figures(tmp_path):
    ready(tmp_path, ["<s>", "</s>", "<picture>"])
    with pytest.raises(CheckpointError, match=r"of 7 tokens \('!' is 3\) for a model of 3: .*wrong tokenizer"):
        pretrained.load(tmp_path, {"vocab_size": 3})
    with pytest.raises(CheckpointError, match=r"'</s>' is 5"):
        pretrained.load(tmp_path, {"vocab_size": 5})
    assert pretrained.load(tmp_path, {"vocab_size": 6}).source.size == 7  # nobody writes <picture>
    assert pretrained.load(tmp_path, {"vocab_size": 64}).source.size == 7


def test_templates_are_found(tmp_path):
    ready(tmp_path, ["</s>"], chat_template="one")
    assert pretrained.load(tmp_path, {}).template == "one"
    several = [{"name": "tool_use", "template": "two"}, {"name": "default", "template": "three"}, 7]
    ready(tmp_path, ["</s>"], chat_template=several)
    assert pretrained.load(tmp_path, {}).template == "three"
    ready(tmp_path, ["</s>"], chat_template=several[:1])
    assert pretrained.load(tmp_path, {}).template is None
    write(tmp_path, "chat_template.jinja", "four\n")
    assert pretrained.load(tmp_path, {}).template == "four\n"


@pytest.mark.parametrize(("number", "expected"), [(512, 512), (1e30, None), (0, None), ("x", None), (True, None)])
def test_the_longest_text_is_a_sensible_number(tmp_path, number, expected):
    ready(tmp_path, ["</s>"], model_max_length=number)
    assert pretrained.load(tmp_path, {}).longest == expected


def test_an_empty_folder_is_told_what_would_do(tmp_path):
    with pytest.raises(CheckpointError, match=r"no tokenizer: needs one of: tokenizer.json; vocab.txt; .*spiece.model"):
        pretrained.load(tmp_path, {})
    write(tmp_path, "vocab.json", {"a": 0})
    with pytest.raises(CheckpointError, match="no tokenizer"):
        pretrained.load(tmp_path, {"model_type": "gpt2"})
    with pytest.raises(CheckpointError, match="no folder"):
        pretrained.load(tmp_path / "none", {})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("vocab.json", '{"a": 0', "no JSON"),
        ("vocab.json", "[]", "a list in JSON"),
        ("vocab.json", "{}", "no vocabulary"),
        ("vocab.json", '{"a": 0, "b": 0}', "no vocabulary"),
        ("vocab.json", '{"a": -1}', "no vocabulary"),
        ("vocab.json", '{"a": 1.5}', "no vocabulary"),
        ("vocab.json", '{"a": 99999999999999}', "no vocabulary"),
        ("vocab.json", "[" * 100_000, "no JSON"),
        ("vocab.json", b"\xff\xfe", "not UTF-8"),
        ("tokenizer_config.json", "{", "no JSON"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {"content": "a"}}}', "added tokens"),
        ("tokenizer_config.json", '{"added_tokens_decoder": [1]}', "added tokens"),
        ("special_tokens_map.json", "7", "a int in JSON"),
        ("added_tokens.json", '{"a": [], "b": 2}', "added tokens"),
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, name, content, said):
    bytewise(tmp_path, ["<|endoftext|>"])
    write(tmp_path, name, content)
    with pytest.raises(CheckpointError, match=said) as caught:
        pretrained.load(tmp_path, {"model_type": "gpt2"})
    assert "\n" not in str(caught.value)


def test_a_damaged_model_of_sentencepiece_is_one_clear_line(spm, tmp_path):
    config = marian(tmp_path, spm)
    write(tmp_path, "target.spm", (tmp_path / "target.spm").read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"target.spm: no SentencePiece model"):
        pretrained.load(tmp_path, config)
    write(tmp_path, "tokenizer.json", "{}")
    with pytest.raises(CheckpointError, match=r"tokenizer.json: no tokenizer"):
        pretrained.load(tmp_path, config)
