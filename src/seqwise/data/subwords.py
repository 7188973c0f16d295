"""Learn a vocabulary from text: BPE, unigram, WordPiece, whole words or characters.

The counting is done by the library `tokenizers`. What is ours is the recipe around it, so that text survives
the way there and back, and so that the same text always gives the same file:

- Words keep the space before them (" word"), and every text gets one space in front, so that a word is the
  same token at the start of a sentence as inside it. Nothing stands for the space, so nothing in a text can
  be taken for it. Decoding takes the one space off again.
- A punctuation mark, a digit and a further space are each a token of their own. But for the apostrophe no
  learnt token mixes letters with marks, which is why "</s>" or "<0x41>" in a user's text cannot become the
  token of that name.
- BPE and unigram spell a character that is not in the vocabulary by its UTF-8 bytes, so they lose nothing.

BPE: Sennrich et al. 2016, section 3.2. Unigram: Kudo 2018, section 3.2. WordPiece: Schuster and Nakajima
2012.

Left out: BPE-dropout, which varies the tokens in training and leaves the vocabulary as it is
(`variation.py`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from seqwise.errors import ConfigError, DataError

Kind = Literal["bpe", "unigram", "wordpiece", "words", "characters"]
Form = Literal["nfkc", "nfc", "none"]

SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
"""What no text contains, with the ids 0 to 3: padding, an unknown word, start and end."""
_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_CONTINUED = "##"

_COVERED = 0.9  # the share of all characters that must be in the vocabulary, not spelled or unknown
_DIGITS = 6  # of a unigram score; the library's sums differ in the fifteenth, by the order of a hash map
_BETWEEN, _BEHIND = "\ufdd0", "\ufdd1"  # Unicode keeps these two out of all texts
_STEP = 1e-4  # what the library puts between the scores of characters that its estimation dropped

_LETTER = r"[\p{L}\p{M}\x{200C}\x{200D}]"
_CLITIC = rf"(?i:[sdmt]|ll|ve|re)(?!{_LETTER})"
_WORDS = "|".join(
    (
        rf"['’]{_CLITIC}",  # John + 's
        rf" ?{_LETTER}+(?:['’](?!{_CLITIC})(?={_LETTER}))?",  # l' + homme: 3 % fewer tokens than l, ', homme
        r" ?\p{N}",  # a digit at a time: numbers are copied, not learnt by heart
        r" ?[^\s\p{L}\p{M}\p{N}\x{200C}\x{200D}]",  # a mark at a time
        r"\s",
    )
)


def learn(
    texts: Sequence[str],
    kind: Kind = "bpe",
    *,
    size: int,
    normalize: Form = "nfkc",
    lowercase: bool = False,
    min_frequency: int = 1,
) -> Tokenizer:
    """Learn at most `size` tokens from the texts; the same texts and settings give the same tokenizer.

    Fewer come out where the texts do not hold as many. For unigram the sameness rests on rounding: its scores
    are sums in an order that the library does not fix, so it could fail where two pieces tie to the last bit.
    In 200 repetitions on texts full of ties it did not.
    """
    if not any(map(str.strip, texts)):
        raise DataError("no text to learn tokens from", "at least one line that is not empty", "other training files")
    raw = Tokenizer(_blank(kind))
    raw.normalizer = _normalizer(normalize, lowercase, spaced=kind != "characters")
    if kind == "words":
        learnt = _learn_words(raw, texts, _room(size, len(SPECIALS), 1), min_frequency)
    else:
        letters = _alphabet(map(raw.normalizer.normalize_str, texts), kind, size, min_frequency)
        raw.pre_tokenizer = _known(letters) if kind != "characters" else None
        match kind:
            case "bpe":
                learnt = _learn_bpe(raw, texts, size, min_frequency)
            case "unigram":
                learnt = _learn_unigram(raw, texts, size)
            case "wordpiece":
                learnt = _learn_wordpiece(raw, texts, size, min_frequency, letters)
            case "characters":
                learnt = models.WordLevel(_numbered(SPECIALS, letters), SPECIALS[1])
    return _finished(kind, learnt, raw.normalizer)


def _finished(kind: Kind, learnt: models.Model, normalizer: normalizers.Normalizer) -> Tokenizer:
    """The learnt model with all that turns text into its tokens and back."""
    tokenizer = Tokenizer(learnt)
    tokenizer.normalizer = normalizer
    pattern = r"[\s\S]" if kind == "characters" else _WORDS
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    # An unknown word has lost its space with its letters: give it one, or it would stick to the word before.
    unknown = decoders.Replace(SPECIALS[1], f" {SPECIALS[1]}")
    ending = [decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    match kind:
        case "characters":
            tokenizer.decoder = decoders.Fuse()
        case "words":
            tokenizer.decoder = decoders.Sequence([unknown, *ending])
        case "wordpiece":
            joined = decoders.Replace(Regex(f"^{_CONTINUED}(?=.)"), "")
            tokenizer.decoder = decoders.Sequence([unknown, joined, *ending])
        case _:
            tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), *ending])
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIALS])
    return tokenizer


def _blank(kind: Kind) -> models.Model:
    """A model that knows nothing yet."""
    match kind:
        case "unigram":
            return models.Unigram()
        case "words" | "characters":
            return models.WordLevel(unk_token=SPECIALS[1])
        case "bpe" | "wordpiece":  # WordPiece is learnt as BPE whose inner pieces are marked
            return models.BPE()


def _normalizer(form: Form, lowercase: bool, spaced: bool) -> normalizers.Normalizer:
    """The form again after lowering: then a normalized text is left as it is by a second pass."""
    forms: dict[Form, list[normalizers.Normalizer]] = {
        "nfkc": [normalizers.NFKC()],
        "nfc": [normalizers.NFC()],
        "none": [],
    }
    lowered = [normalizers.Lowercase(), *forms[form]] if lowercase else []
    front = [normalizers.Prepend(" ")] if spaced else []
    return normalizers.Sequence([*forms[form], *lowered, *front])


def _room(size: int, reserved: int, least: int) -> int:
    """How many tokens may be learnt beside the reserved ones."""
    if size - reserved < least:
        raise ConfigError(
            given=f"a vocabulary of {size} tokens",
            allowed=f"at least {reserved + least}, as {reserved} are reserved and characters come on top",
            mend=f"--tokens.size {max(8000, 2 * (reserved + least))}",
            where="--tokens.size",
        )
    return size - reserved


def _alphabet(texts: Iterable[str], kind: Kind, size: int, min_frequency: int) -> list[str]:
    """The characters that get a token of their own, in the order of their code points.

    The most frequent ones, and with subwords no more than half of what is learnt, so that Chinese or a few
    stray emoji leave room for words.
    """
    counts = Counter(chain.from_iterable(texts))
    del counts[_BETWEEN], counts[_BEHIND]
    ranked = sorted((c for c, n in counts.items() if n >= min_frequency), key=lambda c: (-counts[c], c))
    if not ranked:
        raise _too_rare("character", min_frequency)
    share = {"characters": 1, "wordpiece": 4}.get(kind, 2)  # WordPiece knows a character twice: "a" and "##a"
    reserved = len(SPECIALS) + (len(_BYTES) if kind in ("bpe", "unigram") else 0)
    goal, covered, needed = _COVERED * sum(counts[c] for c in ranked), 0, 0
    while covered < goal:
        covered += counts[ranked[needed]]
        needed += 1
    return sorted(ranked[: _room(size, reserved, share * needed) // share])


def _known(letters: Sequence[str]) -> pre_tokenizers.PreTokenizer:
    """Split into words, without the characters that have no token: no piece may reach across one of them."""
    others = "[^" + "".join(f"\\x{{{ord(letter):X}}}" for letter in letters) + "]+"
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(others), "removed"), pre_tokenizers.Split(Regex(_WORDS), "isolated")]
    )


def _learn_bpe(raw: Tokenizer, texts: Sequence[str], size: int, min_frequency: int) -> models.Model:
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS) - len(_BYTES),
        min_frequency=min_frequency,
        special_tokens=[],
        show_progress=False,
    )
    document = _trained(raw, texts, trainer)
    vocabulary = _numbered(SPECIALS, _BYTES, sorted(document["vocab"], key=document["vocab"].__getitem__))
    merges = [(left, right) for left, right in document["merges"]]
    return models.BPE(vocabulary, merges, unk_token=SPECIALS[1], byte_fallback=True)


def _learn_unigram(raw: Tokenizer, texts: Sequence[str], size: int) -> models.Model:
    """Give the library each word twice, once with a mark behind it.

    It takes as candidates only such pieces as stand before two different characters somewhere, the end of the
    word being one of them. Without the mark, a word that begins no longer word is no candidate, and 29,000
    captions take a fifth more tokens.
    """
    normalizer, splitter = raw.normalizer, raw.pre_tokenizer

    def doubled() -> Iterator[str]:
        for text in texts:
            words = [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
            yield _BETWEEN.join(words)
            yield "".join(f"{word}{_BEHIND}{_BETWEEN}" for word in words)

    raw = Tokenizer(models.Unigram())
    raw.pre_tokenizer = pre_tokenizers.Split(_BETWEEN, "removed")
    trainer = trainers.UnigramTrainer(
        vocab_size=size - len(SPECIALS) - len(_BYTES) + 2,  # the mark and the unknown token are not ours
        special_tokens=[],
        unk_token=SPECIALS[1],
        show_progress=False,
    )
    found = _trained(raw, doubled(), trainer)["vocab"]
    scores = {piece: round(score, _DIGITS) for piece, score in found if piece not in (SPECIALS[1], _BEHIND)}
    lowest = min(scores.values())
    pieces = sorted(_levelled(scores, lowest).items(), key=lambda item: (-item[1], item[0]))
    # The reserved ones never compete: no text is cut so that it could be one of them.
    reserved = [(name, 0.0) for name in SPECIALS] + [(name, lowest) for name in _BYTES]
    return models.Unigram([*reserved, *pieces], unk_id=1, byte_fallback=True)


def _levelled(scores: dict[str, float], lowest: float) -> dict[str, float]:
    """The scores with one for all characters that the estimation dropped.

    The library brings these back with scores a step apart, up from the lowest, in the order of a hash map.
    """
    single = [piece for piece in scores if len(piece) == 1]
    steps = {piece: (scores[piece] - lowest) / _STEP for piece in single}
    dropped = {p for p, step in steps.items() if step <= len(single) and abs(step - round(step)) < 0.02}
    return {piece: lowest if piece in dropped else score for piece, score in scores.items()}


def _learn_wordpiece(
    raw: Tokenizer, texts: Sequence[str], size: int, min_frequency: int, letters: Sequence[str]
) -> models.Model:
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS),
        min_frequency=min_frequency,
        # Named here only to fix their order: left alone, the library numbers them in the order of a hash map.
        special_tokens=[_CONTINUED + letter for letter in letters if not letter.isspace()],
        continuing_subword_prefix=_CONTINUED,
        show_progress=False,
    )
    ids = _trained(raw, texts, trainer)["vocab"]
    vocabulary = _numbered(SPECIALS, sorted(ids, key=ids.__getitem__))
    return models.WordPiece(vocab=vocabulary, unk_token=SPECIALS[1])  # its own prefix is "##" as well


def _learn_words(raw: Tokenizer, texts: Sequence[str], room: int, min_frequency: int) -> models.Model:
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS), "isolated")
    trainer = trainers.WordLevelTrainer(
        vocab_size=room, min_frequency=min_frequency, special_tokens=[], show_progress=False
    )
    ids = _trained(raw, texts, trainer)["vocab"]
    if not ids:
        raise _too_rare("word", min_frequency)
    return models.WordLevel(_numbered(SPECIALS, sorted(ids, key=ids.__getitem__)), SPECIALS[1])


def _trained(raw: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> Any:
    """The model as the library would write it: the only way to see all of it."""
    raw.train_from_iterator(texts, trainer)
    return json.loads(raw.to_str())["model"]


def _numbered(*groups: Sequence[str]) -> dict[str, int]:
    return {token: place for place, token in enumerate(dict.fromkeys(chain.from_iterable(groups)))}


def _too_rare(what: str, min_frequency: int) -> DataError:
    return DataError(
        given=f"no {what} that stands {min_frequency} times in the texts",
        allowed=f"something seen at least --tokens.min-frequency {min_frequency} times",
        mend="--tokens.min-frequency 1, or more text",
    )
