import pytest

from seqwise.data.tokens import TokenSettings, train_tokenizers
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.tasks.translation import Translator

CHINESE = ["我今天非常高兴", "我非常喜欢机器学习", "今天天气很好", "I love it"]


@pytest.fixture(scope="module")
def translator():
    """An untrained one: what its words are, the vocabulary says."""
    words = train_tokenizers(CHINESE, CHINESE, TokenSettings(size=330, min_frequency=2))
    small = TransformerSettings(width=8, layers=1, heads=1, feed_forward=FeedForwardSettings(width=8))
    size = words.source.size
    return Translator([build(small, size, size)], words)


def test_in_scripts_without_spaces_each_piece_is_a_word(translator):
    text = "我很喜欢今天非常好天气"
    words, groups = translator.words(text)
    assert "".join(words[:-1]) == text
    assert 3 <= len(words) - 1 <= len(text)
    assert groups == list(range(len(words)))  # a token each


def test_words_between_spaces_stay_whole_beside_them(translator):
    words, groups = translator.words("I love 我 it")
    assert [word for word in words if word.isascii()] == ["I", "love", "it", "</s>"]
    assert len(groups) == len(translator.vocabularies.source.encode(["I love 我 it"])[0]) + 1


def test_a_character_that_bytes_spell_is_one_word(translator):
    words, groups = translator.words("龘我")
    assert words == ("龘", "我", "</s>")
    assert groups[:3] == [0, 0, 0]


@pytest.mark.parametrize("text", ["I love 'x' 😀 y", " I  love 'x' 😀 y ", "I\tlove 'x'\u00a0😀 y"])
def test_a_space_that_is_a_token_of_its_own_parts_two_words(translator, text):
    words, groups = translator.words(text)
    assert words == ("I", "love", "'x'", "😀", "y", "</s>")
    assert groups == sorted(groups)
    assert len(groups) == len(translator.vocabularies.source.encode([text])[0]) + 1


def test_a_mark_that_normalizing_joins_stays_in_its_word(translator):
    words, _ = translator.words("I a\u0301 love")
    assert words == ("I", "a\u0301", "love", "</s>")
