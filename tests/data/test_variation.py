import random
from collections import Counter

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from seqwise.data.tokens import Tokenizer, TokenSettings, train_tokenizers
from seqwise.data.variation import SPELLINGS, Variation, merge
from seqwise.errors import ConfigError

TEXTS = [
    f"{who} {action} {place}{stop}"
    for who in ("l'homme", "le petit chien", "la fille de l'hôtel", "Éloïse 🙂", "un garçon")
    for action in ("n'a pas dormi", "court aujourd'hui", "mange 3 œufs")
    for place in ("à la maison", "dans l'été", "là-bas")
    for stop in (".", " !")
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizers(TEXTS, TEXTS, TokenSettings(size=380)).source


def rows(variation: Variation, seed: int = 1, epoch: int = 0) -> list[list[int]]:
    found = variation.rows(seed, epoch)
    return [found.flat[a:b].tolist() for a, b in zip(found.starts, found.starts[1:], strict=False)]


def test_without_dropout_the_tokens_are_those_of_encode(tokenizer):
    texts = [*TEXTS, "", "日本 </s> <s>hé"]
    assert rows(Variation(tokenizer, texts, 0.0)) == [[*ids, tokenizer.eos] for ids in tokenizer.encode(texts)]


def test_every_spelling_reads_as_the_same_text(tokenizer):
    varied = Variation(tokenizer, TEXTS, 0.4)
    plain = [[*ids, tokenizer.eos] for ids in tokenizer.encode(TEXTS)]
    for epoch in range(3):
        drawn = rows(varied, epoch=epoch)
        assert sum(a != b for a, b in zip(drawn, plain, strict=True)) > len(TEXTS) / 2
        assert tokenizer.decode(drawn) == [tokenizer.normalize(text) for text in TEXTS]


def test_seed_and_epoch_decide_the_tokens(tokenizer):
    first, second = Variation(tokenizer, TEXTS, 0.2), Variation(tokenizer, TEXTS, 0.2)
    first.rows(1, 7)
    assert rows(first, 1, 0) == rows(second, 1, 0)
    assert rows(first, 1, 0) != rows(first, 1, 1)
    assert rows(first, 1, 0) != rows(first, 2, 0)


def test_a_word_has_several_spellings_in_one_epoch(tokenizer):
    word = "aujourd'hui"
    drawn = rows(Variation(tokenizer, [word] * 400, 0.3))
    assert 2 < len({tuple(row) for row in drawn}) <= SPELLINGS**2  # two words: aujourd' and hui


def test_spellings_are_as_frequent_as_the_librarys(tokenizer):
    """Oracle: BPE of the library `tokenizers` with its own dropout, whose random numbers cannot be seeded."""
    merges, word, draws = tokenizer.merges(), " maison", 4000
    assert merges is not None
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    oracle = models.BPE(tokenizer.vocabulary(), merges, dropout=0.3)
    chance = random.Random(0)
    ours = Counter(tuple(merge(word, ranks, 0.3, chance)) for _ in range(draws))
    theirs = Counter(tuple(token.value for token in oracle.tokenize(word)) for _ in range(draws))
    assert len(ours) > 4
    for spelling in ours | theirs:
        share = (ours[spelling] + theirs[spelling]) / (2 * draws)
        error = (2 * share * (1 - share) / draws) ** 0.5
        assert abs(ours[spelling] - theirs[spelling]) / draws < 5 * error + 1e-9


def test_the_end_stands_behind_every_text_even_an_empty_one(tokenizer):
    assert rows(Variation(tokenizer, ["", "la", ""], 0.5))[::2] == [[tokenizer.eos]] * 2


def test_a_vocabulary_without_merges_is_refused(tmp_path):
    words = train_tokenizers(TEXTS, TEXTS, TokenSettings(kind="words", size=60)).source
    words.save(tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match=r"tokens\.dropout.*merges"):
        Variation(Tokenizer.load(tmp_path), TEXTS, 0.1)
    assert [fault.mend for fault in TokenSettings(kind="unigram", dropout=0.1).faults()]


def test_a_vocabulary_in_which_nothing_would_vary_is_refused(tmp_path):
    """As in the files of CLIP: the last letter of a word carries a mark, so no word merges from its letters."""
    vocabulary = {name: i for i, name in enumerate(["<pad>", "<unk>", "<s>", "</s>", "l", "a", "a</w>", "la</w>"])}
    backend = Backend(models.BPE(vocabulary, [("l", "a</w>")], unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(["<pad>", "<unk>", "<s>", "</s>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ConfigError, match="marks the ends"):
        Variation(Tokenizer.load(tmp_path), ["la la"], 0.1)


def test_no_spelling_is_longer_than_foretold(tokenizer):
    varied = Variation(tokenizer, TEXTS, 0.5)
    drawn = max(max(map(len, rows(varied, epoch=epoch))) for epoch in range(5))
    assert drawn <= varied.longest <= 1 + max(len(tokenizer.normalize(text)) + 5 for text in TEXTS)
