import re
from itertools import chain
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from seqwise import letters

SENTENCES = {
    "Hindi": "लड़का खाता पीता है",
    "Tamil": "நான் தமிழ் பேசுகிறேன்",
    "Persian": "می‌خواهم به خانه بروم",  # with a joiner in the first word
    "Arabic": "كِتَابٌ جَمِيلٌ",
    "Hebrew": "שָׁלוֹם עוֹלָם",
    "Vietnamese": "Tôi thích học tiếng Việt",
    "Yoruba": "Ẹ káàárọ̀ ọ̀rẹ́",  # accents for which there is no single character
    "Korean": "나는 학교에 간다",
    "German": "Größe zählt 42 mal",
}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("language", SENTENCES)
def test_no_word_is_torn_at_a_mark(language, form):
    """Oracle: the sentences have no punctuation, so that their words are what stands between spaces."""
    text = normalize(form, SENTENCES[language])
    assert letters.words(text) == text.split()
    assert re.findall(letters.long_word(), text) == [word for word in text.split() if len(word) > 1]


@given(st.text(st.characters(max_codepoint=0x2FF)))
def test_without_marks_words_are_those_of_python(text):
    """Oracle: \\w of the library re."""
    assert letters.words(text) == re.findall(r"\w+", text)


def test_all_marks_of_unicode_count():
    """Oracle: \\p{M} of Oniguruma in the library tokenizers, whose Unicode is some years older or younger."""
    text = "".join(chr(code) for code in chain(range(0x300, 0x20000), range(0xE0000, 0xE0200)) if code >> 11 != 27)
    kept = Split(Regex(r"\p{M}+"), "removed").pre_tokenize_str(text)
    theirs = set(text).difference(*(part for part, _ in kept))
    ours = set(re.findall(f"[{letters._marks()}]", text))
    assert len(theirs) > 2000
    assert len((ours ^ theirs) - {"\u200c", "\u200d"}) < 0.05 * len(theirs)
    assert all(chr(code) in ours for code in (0x301, 0x93C, 0xBCD, 0x64E, 0xFE0F, 0x1E8D0, 0xE0100))


def test_marks_by_themselves_and_emoji_are_no_words():
    assert letters.words("❤️ 👨‍👩‍👧 \u0301 !!!") == []


def test_scripts_without_spaces_have_a_word_a_letter():
    assert letters.words("我喜欢ABC猫。") == ["我", "喜", "欢", "ABC", "猫"]
    assert letters.words("ที่นี่") == ["ที่", "นี่"]  # vowel signs and tones stay with their letters
    assert letters.unspaced(["我今天非常高兴", "NLP 很有趣"])
    assert not letters.unspaced(["나는 학교에 간다", "In Kyoto (京都)"])
    assert letters.chinese(["我今天非常高兴。"])
    assert not letters.chinese(["私は今日とても嬉しいです。"])
    assert not letters.chinese(["วันนี้ฉันมีความสุข"])
