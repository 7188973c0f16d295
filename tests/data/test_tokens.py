import gzip
import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers

from seqwise.data.tokens import Framed, Piece, Tokenizer, TokenSettings, Vocabularies, train_tokenizers
from seqwise.errors import DataError

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
CAPTIONS = DATA / "parallel" / "multi30k_en-fr"

ENGLISH = [
    f"{article} {size} {animal} {action} {place}{stop}"
    for article in ("the", "a", "John's")
    for size in ("small", "big", "well-known", "12")
    for animal in ("dog", "cat", "horse")
    for action in ("doesn't sleep", "runs", "is sleeping")
    for place in ("at home", "(in the garden)")
    for stop in (".", "!", " ...")
]
FRENCH = [
    f"{who} {action} {place}."
    for who in ("l'homme", "le petit chien", "la fille de l'hôtel", "Éloïse", "un garçon")
    for action in ("n'a pas dormi", "court aujourd'hui", "mange 3 œufs")
    for place in ("à la maison", "dans l'été", "là-bas")
]
KINDS = ("bpe", "unigram", "wordpiece", "words", "characters")
HOSTILE = [
    "</s>",
    "<s>",
    "<pad>",
    "<unk>",
    "<0x41>",
    "<0xE2>",
    "▁",
    "##",
    "##s",
    "Ġ",
    "[SEP]",
    "<|endoftext|>",
]

fragments = st.one_of(
    st.text(),
    st.sampled_from([*HOSTILE, " ", "  ", "\n", "\t", "\x00", "\u00a0", "é", "e\u0301", "\u0301", "ﬁ", "İ", "Σ"]),
    st.sampled_from(["👩‍👩‍👧", "🇫🇷", "日本", "नमस्ते", "\ufdd0", "\ufdd1", "\ud7ff", "\U0010ffff", *ENGLISH, *FRENCH]),
)
texts = st.lists(fragments, max_size=6).map("".join)


def made(kind: str, **settings: object) -> Tokenizer:
    return train_tokenizers(ENGLISH, FRENCH, TokenSettings(kind=kind, **{"size": 700, **settings})).source


BY_SETTINGS = {
    (kind, form, lowercase): made(kind, normalize=form, lowercase=lowercase)
    for kind in KINDS
    for form, lowercase in (("nfkc", False), ("nfc", True), ("nfkc", True), ("none", False), ("none", True))
}
every = pytest.mark.parametrize("kind", KINDS)
lossless = pytest.mark.parametrize("kind", ["bpe", "unigram"])
lossy = pytest.mark.parametrize("kind", ["wordpiece", "words", "characters"])


def trained(kind: str) -> Tokenizer:
    return BY_SETTINGS[kind, "nfkc", False]


# ---- there and back


@settings(deadline=None)
@given(st.sampled_from([s for s in BY_SETTINGS if s[0] in ("bpe", "unigram")]), st.lists(texts, max_size=4))
def test_bpe_and_unigram_give_back_any_text(setting, batch):
    tokenizer = BY_SETTINGS[setting]
    ids = tokenizer.encode(batch)
    assert tokenizer.decode(ids) == [tokenizer.normalize(text) for text in batch]
    assert all(token > 3 for row in ids for token in row), "a special token, or an unknown one, came out of a text"


@settings(deadline=None)
@given(st.sampled_from(list(BY_SETTINGS)), texts)
def test_normalizing_twice_is_normalizing_once(setting, text):
    tokenizer = BY_SETTINGS[setting]
    once = tokenizer.normalize(text)
    assert tokenizer.normalize(once) == once
    assert tokenizer.encode([once]) == tokenizer.encode([text])


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cn", "Cs"])))
def test_the_forms_are_those_of_unicode(text):
    """The oracle is Python's unicodedata, for characters that its older tables know too."""
    for form in ("nfc", "nfkc"):
        expected = unicodedata.normalize(form.upper(), text)
        found = BY_SETTINGS["bpe", form, form == "nfc"].normalize(text)
        assert found == (expected if form == "nfkc" else BY_SETTINGS["bpe", form, True].normalize(expected))
    assert BY_SETTINGS["bpe", "none", False].normalize(text) == text


@lossy
@settings(deadline=None)
@given(data=st.data())
def test_the_others_give_back_what_they_know(kind, data):
    known = ENGLISH + FRENCH
    if kind == "characters":
        letters = sorted(set("".join(known)))
        text = data.draw(st.text(st.sampled_from(letters)))
    else:
        text = data.draw(st.sampled_from(known))
    tokenizer = trained(kind)
    assert tokenizer.decode(tokenizer.encode([text])) == [tokenizer.normalize(text)]


@lossy
@settings(deadline=None)
@given(text=texts)
def test_the_others_make_no_special_token_but_unknown(kind, text):
    tokenizer = trained(kind)
    assert not {tokenizer.pad, tokenizer.bos, tokenizer.eos} & set(tokenizer.encode([text])[0])


def test_an_unknown_word_comes_back_as_unknown():
    for kind, expected in (
        ("words", "the small <unk> runs."),
        ("wordpiece", "the small <unk> runs."),
        ("characters", "the small ж<unk> runs.".replace("ж", "<unk>")),
    ):
        tokenizer = trained(kind)
        assert tokenizer.decode(tokenizer.encode(["the small жж runs."])) == [expected]
        assert tokenizer.unk in tokenizer.encode(["the small жж runs."])[0]


@lossless
def test_an_unknown_character_is_spelled_in_bytes(kind):
    tokenizer = trained(kind)
    (ids,) = tokenizer.encode(["日"])
    assert tokenizer.pieces(ids)[-3:] == ["<0xE6>", "<0x97>", "<0xA5>"]
    assert tokenizer.decode([ids]) == ["日"]


@every
@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_cannot_name_a_special_token(kind, text):
    tokenizer = trained(kind)
    for row in tokenizer.encode([text, f"the dog {text} runs", f"{text}{text}"]):
        assert not {tokenizer.pad, tokenizer.bos, tokenizer.eos} & set(row)


@every
def test_decoding_drops_padding_start_and_end(kind):
    tokenizer = trained(kind)
    (ids,) = tokenizer.encode(["the dog runs"])
    framed = [tokenizer.bos, *ids, tokenizer.eos, tokenizer.pad, tokenizer.pad]
    assert tokenizer.decode([framed, [], [tokenizer.eos]]) == ["the dog runs", "", ""]


@every
def test_encoding_adds_nothing_and_keeps_the_order(kind):
    tokenizer = trained(kind)
    batch = ["", *ENGLISH[:50], ""]
    rows = tokenizer.encode(batch)
    assert rows[0] == rows[-1] == []
    assert rows == [tokenizer.encode([text])[0] for text in batch]
    assert tokenizer.encode([]) == []


def test_a_text_that_is_no_unicode_is_an_error_that_names_it():
    with pytest.raises(DataError, match="text 2, 'bad "):
        trained("bpe").encode(["good", "bad \udc80"])
    with pytest.raises(DataError, match="text 1"):
        trained("bpe").words("\ud800")


# ---- how text is cut


def test_a_word_is_the_same_token_everywhere_and_marks_stand_alone():
    tokenizer = trained("words")
    (ids,) = tokenizer.encode(["the dog runs."])
    assert tokenizer.pieces(ids) == ["▁the", "▁dog", "▁runs", "."]
    assert tokenizer.pieces(tokenizer.encode(["dog"])[0]) == ["▁dog"]
    (ids,) = tokenizer.encode(["l'homme n'a pas dormi là-bas. John's 12"])
    assert tokenizer.pieces(ids) == [
        *("▁l'", "homme", "▁n'", "a", "▁pas", "▁dormi", "▁là", "-", "bas", ".", "▁John", "'s", "▁1", "2"),
    ]


def test_pieces_show_spaces_and_line_ends():
    (ids,) = trained("characters").encode(["a b"])
    assert trained("characters").pieces(ids) == ["a", "▁", "b"]
    tokenizer = train_tokenizers(["a\nb"] * 3, ["a"], TokenSettings(kind="characters")).source
    assert tokenizer.pieces(tokenizer.encode(["a\nb"])[0]) == ["a", "\\n", "b"]
    assert tokenizer.pieces([0, 1, 2, 3, 99]) == ["<pad>", "<unk>", "<s>", "</s>", "<99>"]


def test_words_tell_where_each_token_stands():
    assert trained("words").words("the  dog runs (in") == [
        Piece("▁the", 0, 3),
        Piece("<unk>", 3, 4),
        Piece("▁dog", 5, 8),
        Piece("▁runs", 9, 13),
        Piece("▁(", 14, 15),
        Piece("in", 15, 17),
    ]


@settings(deadline=None)
@given(st.sampled_from(list(BY_SETTINGS)), texts)
def test_there_is_one_place_for_each_token(setting, text):
    tokenizer = BY_SETTINGS[setting]
    found = tokenizer.words(text)
    assert [piece for piece, _, _ in found] == tokenizer.pieces(tokenizer.encode([text])[0])
    assert all(0 <= start <= end <= len(text) for _, start, end in found)
    assert [start for _, start, _ in found] == sorted(start for _, start, _ in found)


@every
@settings(deadline=None)
@given(text=st.lists(st.sampled_from(["the", "small", "dog", "runs", "home"]), min_size=1).map(" ".join))
def test_places_cut_the_pieces_out_of_the_text(kind, text):
    for piece, start, end in trained(kind).words(text):
        assert text[start:end] == (piece.lstrip("▁").removeprefix("##") or " ")


# ---- files


@every
def test_special_tokens_have_the_first_ids(kind):
    tokenizer = trained(kind)
    assert (tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos) == (0, 1, 2, 3)
    assert tokenizer.pieces(range(4)) == ["<pad>", "<unk>", "<s>", "</s>"]


@every
def test_a_saved_tokenizer_is_the_same_when_loaded(kind, tmp_path):
    tokenizer = trained(kind)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    batch = [*ENGLISH, "日本 </s>  x", ""]
    assert again.encode(batch) == tokenizer.encode(batch)
    assert again.decode(again.encode(batch)) == tokenizer.decode(tokenizer.encode(batch))
    assert again.normalize("ﬁ </s>") == tokenizer.normalize("ﬁ </s>")
    assert (again.size, again.pad, again.unk, again.bos, again.eos) == (tokenizer.size, 0, 1, 2, 3)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.json", "tokenizer.json"]


@every
def test_hugging_face_reads_our_file_to_the_same_ids(kind, tmp_path):
    """The oracle is transformers' reader of tokenizer.json."""
    transformers = pytest.importorskip("transformers")
    trained(kind).save(tmp_path / "tokenizer.json")
    peer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    batch = [*ENGLISH, *FRENCH, "a  b", "日本"]
    assert peer(batch, add_special_tokens=False)["input_ids"] == trained(kind).encode(batch)


def test_joint_and_separate_vocabularies_are_saved_and_loaded(tmp_path):
    joint = train_tokenizers(ENGLISH, FRENCH, TokenSettings(size=400))
    separate = train_tokenizers(ENGLISH, FRENCH, TokenSettings(size=400, joint=False))
    separate.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.json", "tokenizer.target.json"]
    again = Vocabularies.load(tmp_path)
    assert not again.joint
    assert again.source.encode(ENGLISH) == separate.source.encode(ENGLISH)
    assert again.target.encode(FRENCH) == separate.target.encode(FRENCH)
    joint.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
    again = Vocabularies.load(tmp_path)
    assert again.joint
    assert again.source.encode(FRENCH) == joint.source.encode(FRENCH)


# ---- settings


def test_settings_that_contradict_each_other_are_faults():
    assert not list(TokenSettings().faults())
    assert not list(TokenSettings(source_file="a", target_file="b").faults())
    (alone,) = TokenSettings(target_file="b.json").faults()
    assert "--tokens.source-file" in alone.mend
    (half,) = TokenSettings(joint=False, source_file="a.json").faults()
    assert "--tokens.target-file" in half.mend


# ---- at work


FORK = """
import os
from seqwise.data.tokens import TokenSettings, train_tokenizers
tokenizer = train_tokenizers(["a b c"] * 500, ["d"], TokenSettings(min_frequency=1)).source
expected = tokenizer.encode(["a b c"] * 500)
child = os.fork()
if child == 0:
    os._exit(0 if tokenizer.encode(["a b c"] * 500) == expected else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forking_neither_warns_nor_hangs():
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-c", FORK], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.fixture(scope="module")
def captions() -> tuple[list[str], list[str]]:
    if not CAPTIONS.is_dir():
        pytest.skip(f"no {CAPTIONS}; set SEQWISE_DATA")
    english, french = (gzip.decompress((CAPTIONS / f"train.{side}.gz").read_bytes()) for side in ("en", "fr"))
    return english.decode().splitlines(), french.decode().splitlines()


def test_real_captions_are_learnt_in_seconds_and_come_back_whole(captions):
    """Times are five to ten times what an idle machine takes."""
    english, french = captions
    start = time.perf_counter()
    tokenizer = train_tokenizers(english, french, TokenSettings()).source
    assert time.perf_counter() - start < 10
    start = time.perf_counter()
    rows = tokenizer.encode(english + french)
    assert time.perf_counter() - start < 5
    assert tokenizer.size == 8000
    assert tokenizer.decode(rows) == [tokenizer.normalize(text) for text in english + french]
    assert sum(map(len, rows)) / len(rows) < 15


def test_normalizing_undoes_what_the_files_of_llama_do_to_spaces(tmp_path):
    """Their normalizer puts marks in the place of spaces; their decoder puts spaces back."""
    vocabulary = {name: i for i, name in enumerate(["<pad>", "<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "▁b"])}
    backend = Backend(models.BPE(vocabulary, [("▁", "a"), ("▁", "b")], unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    backend.add_special_tokens(["<pad>", "<unk>", "<s>", "</s>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.normalize("a bab b") == "a bab b" == tokenizer.decode(tokenizer.encode(["a bab b"]))[0]


def test_a_text_of_ours_has_no_frame():
    """Our own files add nothing, so who builds batches does."""
    tokenizer = trained("bpe")
    ids = tokenizer.encode([ENGLISH[0], "</s>"])
    assert tokenizer.framed([ENGLISH[0], "</s>"]) == [Framed(row, [0] * len(row)) for row in ids]
    both = [*ids[0], *ids[1]]
    assert tokenizer.framed([(ENGLISH[0], "</s>")])[0].ids == both
    assert tokenizer.framed([]) == []
    with pytest.raises(DataError, match="text 2"):
        tokenizer.framed(["good", ("good", "bad \udc80")])


def test_in_a_template_special_tokens_are_special_but_for_what_marks_stand_for():
    tokenizer = trained("bpe")
    (dog,) = tokenizer.encode(["the dog"])
    (told,) = tokenizer.encode(["a </s> dog"])
    assert tokenizer.from_template("<s>the dog</s>") == [2, *dog, 3]
    assert tokenizer.from_template("<s>a 123 dog</s>", {"123": "</s>"}) == [2, *told, 3]
    assert tokenizer.from_template("<s>a", {"a": "b"}) == [2, *tokenizer.encode(["b"])[0]]  # a is in many secret names
    assert tokenizer.from_template("<s>123", {"123": "<s></s>456"})[1:] == tokenizer.encode(["<s></s>456"])[0]
    assert tokenizer.from_template("") == []
    assert tokenizer.special_names == {"<pad>", "<unk>", "<s>", "</s>"}


def test_normalizing_leaves_the_first_space_where_a_decoder_does(tmp_path):
    """As in Gemma's file, whose normalizer is one step and puts nothing ahead."""
    backend = Backend(models.BPE({"<pad>": 0, "<unk>": 1, "</s>": 2, "▁": 3, "a": 4}, [], unk_token="<unk>"))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    backend.add_special_tokens(["<pad>", "<unk>", "</s>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.normalize(" a  a") == " a  a" == tokenizer.decode(tokenizer.encode([" a  a"]))[0]
