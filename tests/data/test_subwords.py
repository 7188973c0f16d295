import os
import subprocess
import sys

import pytest

from seqwise.data.tokens import Tokenizer, TokenSettings, train_tokenizers
from seqwise.errors import ConfigError, DataError

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

every = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, **settings: object) -> Tokenizer:
    return train_tokenizers(ENGLISH, FRENCH, TokenSettings(kind=kind, **{"size": 700, **settings})).source


def test_the_vocabulary_has_the_size_that_was_asked_for():
    for kind, size in (("bpe", 340), ("unigram", 340), ("wordpiece", 150), ("words", 20), ("characters", 30)):
        assert made(kind, size=size).size == size


@every
def test_fewer_tokens_than_asked_for_are_a_note(kind):
    vocabularies = train_tokenizers(ENGLISH, FRENCH, TokenSettings(kind=kind, size=50_000))
    assert vocabularies.source.size < 50_000
    assert vocabularies.notes == (f"the texts hold {vocabularies.source.size} tokens, fewer than --tokens.size 50000",)


DIGEST = """
import hashlib, json, random, sys
from seqwise.data.tokens import TokenSettings, train_tokenizers
random.seed(7)  # many words of one count each, so that every tie that can be decided by chance is there
words = ["".join(random.choices("abcdefghàé", k=random.randint(2, 7))) for _ in range(900)]
texts = [" ".join(words[i : i + 6]) + " l'abcd." for i in range(0, 900, 6)] + ["żółw " + c for c in "αβγ日本"]
for kind in ("bpe", "unigram", "wordpiece", "words", "characters"):
    train_tokenizers(texts, texts[::2], TokenSettings(kind=kind, size=600)).save(sys.argv[1])
    print(kind, hashlib.sha256(open(sys.argv[1] + "/tokenizer.json", "rb").read()).hexdigest())
"""


def test_the_same_corpus_gives_the_same_file_to_the_byte(tmp_path):
    """In processes with different hash seeds, with and without threads."""
    digests = []
    for seed, threads in ((1, "true"), (2, "true"), (3, "false"), (4, "false")):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "TOKENIZERS_PARALLELISM": threads}
        digests.append(
            subprocess.run(
                [sys.executable, "-c", DIGEST, str(tmp_path)],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(set(digests)) == 1, digests
    assert digests[0].count("\n") == len(KINDS)


def test_unigram_knows_whole_words():
    """The library alone does not take a word as a piece unless it begins a longer one; see
    `_learn_unigram`."""
    pieces = made("unigram").pieces(range(700))
    assert {"▁dog", "▁garden", "▁sleeping"} <= set(pieces)


def test_rare_words_and_characters_are_not_learnt():
    corpus = ["one two two 日"] + ["two"] * 5
    pieces = train_tokenizers(corpus, ["two"], TokenSettings(kind="words", min_frequency=2)).source
    assert pieces.pieces(range(pieces.size)) == ["<pad>", "<unk>", "<s>", "</s>", "▁two"]
    letters = train_tokenizers(corpus, ["two"], TokenSettings(kind="characters", min_frequency=2)).source
    assert set(letters.pieces(range(4, letters.size))) == set("two▁")
    assert "日" not in "".join(made("bpe").pieces(range(700)))


def test_separate_vocabularies_know_their_own_side_only():
    vocabularies = train_tokenizers(ENGLISH, FRENCH, TokenSettings(kind="words", joint=False))
    assert not vocabularies.joint
    assert "▁dog" in vocabularies.source.pieces(range(vocabularies.source.size))
    assert "▁chien" not in vocabularies.source.pieces(range(vocabularies.source.size))
    assert "▁chien" in vocabularies.target.pieces(range(vocabularies.target.size))
    assert [note.split(" hold")[0] for note in vocabularies.notes] == ["the sources", "the targets"]


@every
@pytest.mark.parametrize("corpus", [[], [""], ["  ", "\n"]])
def test_no_text_is_an_error(kind, corpus):
    with pytest.raises(DataError, match="no text to learn tokens from"):
        train_tokenizers(corpus, corpus, TokenSettings(kind=kind))


@pytest.mark.parametrize(
    ("kind", "size"), [("bpe", 262), ("unigram", 270), ("wordpiece", 9), ("characters", 8), ("words", 4)]
)
def test_a_vocabulary_too_small_for_its_characters_is_an_error_that_tells_the_least(kind, size):
    with pytest.raises(ConfigError, match=r"--tokens.size: a vocabulary of \d+ tokens: needs at least \d+") as caught:
        made(kind, size=size)
    least = int(str(caught.value).split("at least ")[1].split(",")[0])
    assert made(kind, size=least).size <= least


def test_nothing_frequent_enough_is_an_error():
    for kind in KINDS:
        with pytest.raises(DataError, match=r"stands 50 times.*--tokens.min-frequency 1"):
            train_tokenizers(["ab c"], ["d"], TokenSettings(kind=kind, min_frequency=50))
