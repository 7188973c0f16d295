import json
import os
from pathlib import Path

import pytest
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from seqwise.data.tokens import Piece, Tokenizer, TokenSettings, Vocabularies, train_tokenizers
from seqwise.errors import CheckpointError

ENGLISH = [f"the {animal} {action} at home." for animal in ("dog", "cat") for action in ("runs", "sleeps")]
FRENCH = [f"{who} était là-bas." for who in ("l'homme", "le petit chien", "la fille de l'hôtel")]


def bert(folder: Path) -> Path:
    """A file as BERT's: WordPiece, specials in brackets and a post-processor that adds them."""
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(ENGLISH, trainers.WordPieceTrainer(vocab_size=200, special_tokens=specials))
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    backend.enable_truncation(4)
    backend.enable_padding(length=4)
    backend.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def gpt2(folder: Path) -> Path:
    """A file as GPT-2's: byte-level BPE with one special token for everything."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(ENGLISH + FRENCH, trainer)
    backend.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def t5(folder: Path) -> Path:
    """A file as T5's: a unigram model whose own pieces hold the special tokens."""
    letters = sorted(set("".join(ENGLISH)) | set("</>"))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁the", -2.0), ("▁dog", -3.0), ("▁", -4.0)]
    backend = Backend(models.Unigram([*pieces, *((letter, -6.0) for letter in letters)], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens([AddedToken(name, special=True) for name in ("<pad>", "</s>", "<unk>")])
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    backend.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_a_file_as_of_bert_is_read(tmp_path):
    tokenizer = Tokenizer.load(bert(tmp_path))
    assert (tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos) == (0, 1, 2, 3)
    rows = tokenizer.encode(["The dog runs at home", "[SEP] [MASK] 日"])
    assert len(rows[0]) == 5, "cut, padded or with special tokens"
    assert not {0, 2, 3, 4} & {token for row in rows for token in row}
    assert tokenizer.decode([[2, *rows[0], 3, 0]]) == ["the dog runs at home"]
    assert tokenizer.normalize("The Dog") == "the dog"
    assert tokenizer.words("The dog")[1] == Piece("dog", 4, 7)


def test_a_file_as_of_gpt2_is_read(tmp_path):
    tokenizer = Tokenizer.load(gpt2(tmp_path))
    assert tokenizer.pad == tokenizer.eos == tokenizer.bos == tokenizer.unk == 0
    text = "l'hôtel <|endoftext|>  日本"
    (ids,) = tokenizer.encode([text])
    assert 0 not in ids
    assert tokenizer.decode([[*ids, 0, 0]]) == [text]
    assert tokenizer.pieces(tokenizer.encode(["the dog était"])[0])[:2] == ["the", "▁dog"]
    assert "".join(tokenizer.pieces(tokenizer.encode(["the hôtel"])[0])) == "the▁hôtel"


def test_a_file_as_of_t5_cannot_be_fooled_either(tmp_path):
    tokenizer = Tokenizer.load(t5(tmp_path))
    assert (tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos) == (0, 2, 0, 1)
    raw = Backend.from_file(str(tmp_path / "tokenizer.json"))
    raw.encode_special_tokens = True
    assert 1 in raw.encode("the </s> dog", add_special_tokens=False).ids, "the trap that this test is about"
    (ids,) = tokenizer.encode(["the </s> dog"])
    assert 1 not in ids
    assert tokenizer.decode([[*ids, 1, 0]]) == ["the </s> dog"]
    assert [piece for piece, _, _ in tokenizer.words("the </s> dog")] == tokenizer.pieces(ids)
    assert tokenizer.decode(tokenizer.encode(["the ж"])) == ["the <unk>"]


def test_names_of_special_tokens_are_read_from_the_files_beside(tmp_path):
    path = gpt2(tmp_path)
    (ids,) = Tokenizer.load(path).encode(["!?"])
    names = {"pad_token": "!", "eos_token": {"content": "?"}, "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**names, "model_max_length": 9}))
    tokenizer = Tokenizer.load(tmp_path)
    assert [tokenizer.pad, tokenizer.eos] == ids
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "?"}))
    assert Tokenizer.load(path).pad == ids[1]
    folder = tmp_path / "run"
    folder.mkdir()
    Vocabularies(tokenizer, Tokenizer.load(path)).save(folder)
    again = Vocabularies.load(folder)
    assert [again.source.pad, again.source.eos, again.target.pad] == [*ids, ids[1]]


def test_settings_name_files_for_both_sides_or_each(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = str(bert(tmp_path / "a")), str(gpt2(tmp_path / "b"))
    assert train_tokenizers([], [], TokenSettings(source_file=one)).joint
    both = train_tokenizers([], [], TokenSettings(source_file=one, target_file=other))
    assert (both.joint, both.source.eos, both.target.eos) == (False, 3, 0)


def test_a_missing_end_or_padding_is_an_error_that_says_which(tmp_path):
    backend = Backend(models.WordLevel({"a": 0, "<pad>": 1}, "a"))
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"tokenizer.json: a tokenizer without eos_token: needs .*</s>"):
        Tokenizer.load(tmp_path)
    Backend(models.WordLevel({"a": 0}, "a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="without pad_token and eos_token"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"version": ', b"[]", b"{}", b"\xff\xfe", b"weights"])
def test_a_corrupt_file_is_one_clear_line(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: ") as caught:
        Tokenizer.load(tmp_path / "tokenizer.json")
    assert "\n" not in str(caught.value)


def test_a_corrupt_neighbour_is_one_clear_line(tmp_path):
    path = bert(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "special_tokens_map.json").write_text(content)
        with pytest.raises(CheckpointError, match=r"special_tokens_map\.json: no JSON object"):
            Tokenizer.load(path)


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.json: cannot be read"):
        Tokenizer.load(tmp_path / "none.json")
    with pytest.raises(CheckpointError, match="cannot be written"):
        Tokenizer.load(bert(tmp_path)).save(tmp_path / "no folder" / "tokenizer.json")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = bert(tmp_path)
    before = path.read_bytes()
    tokenizer = Tokenizer.load(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        tokenizer.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
