"""Vocabularies of other formats, as a tokenizer of the library `tokenizers`.

    of_sentencepiece   unigram: Kudo 2018; BPE with merges recovered from the scores of pieces
    of_wordpiece       BERT's vocab.txt
    of_byte_bpe        GPT-2's vocab.json and merges.txt

What comes out cuts as the original does, with these exceptions, all in texts that are made to deceive or that hold
what the pieces lack: a control piece written out in a text becomes letters; a table of look-alikes is applied by
whole characters as readers see them, not by code points; ties between equally likely cuts may fall otherwise.

Left out: which files a model has, and which frame its family wants (`pretrained.py`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from seqwise.data.pieces import ABSENT
from seqwise.data.sentencepiece import BYTE, NORMAL, USER_DEFINED, Entry, SentencePiece

_CUTTING = (NORMAL, USER_DEFINED, BYTE)
_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def of_sentencepiece(
    model: SentencePiece, names: Sequence[str], special: Sequence[str], unknown: str, *, once: bool = False
) -> Tokenizer:
    """The tokenizer that cuts as the model does, and gives its pieces the ids that they have in `names`.

    Names that are neither pieces nor special are never cut, only written. Pieces that are not among the names
    compete as well, or the cut would be another; their ids come behind all names. `once`: of a text cut by special
    tokens, such as a chat, only the very front gets a space ("legacy": false in Llama's tokenizer_config.json).
    """
    cutting = {entry.text: entry for entry in model.pieces if entry.kind in _CUTTING}
    known = cutting.keys() | set(special) | {unknown}
    ours = set(names)
    listed = [name if name in known else ABSENT + name for name in names]
    listed += [text for text in cutting if text not in ours]
    tokenizer = Tokenizer(_bpe(model, listed, unknown) if model.bpe else _unigram(model, listed, cutting, unknown))
    once = once and model.fronted and not model.trimmed
    tokenizer.normalizer = _normalizer(model, once)
    # "▁" inside a piece means that it reaches across words: then the text is cut as a whole, which takes longer.
    apart = not any("▁" in text[1:] for text in cutting)
    steps: list[pre_tokenizers.PreTokenizer] = [pre_tokenizers.Metaspace("▁", "first", split=False)] if once else []
    steps += [pre_tokenizers.Split("▁", "merged_with_next")] if apart else []
    if not model.bpe:
        steps.append(pre_tokenizers.Split(Regex(_traps([*special, unknown], model.bytewise)), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = _decoder(model)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    whole = [entry.text for entry in model.pieces if model.bpe and entry.kind == USER_DEFINED]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in whole if "▁" not in text])
    return tokenizer


def of_wordpiece(names: Sequence[str], settings: Mapping[str, Any], roles: Mapping[str, str]) -> Tokenizer:
    """The tokenizer of BERT: Devlin et al. 2019, appendix A.2. Roles: unk, and those that are added."""
    vocabulary = {name: token for token, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=roles["unk"]))
    accents = settings.get("strip_accents")
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars") is not False,
        strip_accents=accents if isinstance(accents, bool) else None,
        lowercase=settings.get("do_lower_case") is not False,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in roles.values() if name in vocabulary])
    return tokenizer


def normalize_as_told(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> None:
    """What tokenizer_config.json says of BERT's capitals, accents and Chinese goes before what tokenizer.json says."""
    given = tokenizer.normalizer
    if not isinstance(given, normalizers.BertNormalizer):
        return
    told = {name: settings[name] for name in ("do_lower_case", "tokenize_chinese_chars") if name in settings}
    accents = settings.get("strip_accents", given.strip_accents)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=given.clean_text,
        handle_chinese_chars=told.get("tokenize_chinese_chars", given.handle_chinese_chars) is not False,
        strip_accents=accents if isinstance(accents, bool) else None,
        lowercase=told.get("do_lower_case", given.lowercase) is not False,
    )


def of_byte_bpe(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], *, fronted: bool = False, qwen: bool = False
) -> Tokenizer:
    """The tokenizer of GPT-2, or that of Qwen, which cuts into words otherwise. Special tokens come later."""
    tokenizer = Tokenizer(models.BPE(dict(vocabulary), list(merges), fuse_unk=False))
    if qwen:
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_QWEN), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=fronted, use_regex=False),
            ]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=fronted)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def frame(tokenizer: Tokenizer, single: str, pair: str) -> None:
    """Put special tokens around a text, given as in "<s> $A </s>", and around a pair of texts."""
    names = sorted({part.rsplit(":", 1)[0] for part in f"{single} {pair}".split() if not part.startswith("$")})
    ids = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)


def frame_roberta(tokenizer: Tokenizer, end: str, start: str, *, fronted: bool) -> None:
    """<s> text </s>, and <s> text </s></s> text </s>, all of it segment 0."""
    last, first = ((name, tokenizer.token_to_id(name) or 0) for name in (end, start))
    tokenizer.post_processor = processors.RobertaProcessing(last, first, trim_offsets=True, add_prefix_space=fronted)


def _unigram(model: SentencePiece, names: Sequence[str], cutting: Mapping[str, Entry], unknown: str) -> models.Unigram:
    normal = [entry.score for entry in model.pieces if entry.kind == NORMAL] or [0.0]
    lowest, highest = min(normal), max(normal)

    def score(name: str) -> float:
        """As in unigram_model.cc: what the user defined always wins. Bytes hardly ever do."""
        entry = cutting.get(name, Entry(name))
        if entry.kind == USER_DEFINED:
            return len(name.encode()) * highest - 0.1
        return lowest if entry.kind == BYTE else entry.score

    return models.Unigram([(name, score(name)) for name in names], names.index(unknown), model.bytewise)


def _bpe(model: SentencePiece, names: Sequence[str], unknown: str) -> models.BPE:
    ids = {name: token for token, name in enumerate(names)}
    spaces = [entry for entry in model.pieces if entry.kind == USER_DEFINED and "▁" in entry.text]
    parts = [*spaces, *(entry for entry in model.pieces if entry.kind == NORMAL)]
    pairs = merges([(entry.text, entry.score) for entry in parts])
    return models.BPE(ids, pairs, unk_token=unknown, fuse_unk=True, byte_fallback=model.bytewise)


def merges(scores: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """The pairs that make each piece, the piece with the highest score first.

    SentencePiece joins whatever two neighbours make the best piece, however they came to be: each way of cutting a
    piece in two is a merge, all of them of one rank, and within it the library's order stands for none.
    """
    place = {text: number for number, (text, _) in enumerate(scores)}
    ranked = sorted(scores, key=lambda entry: -entry[1])
    return [
        pair
        for text, _ in ranked
        for pair in sorted(
            ((text[:cut], text[cut:]) for cut in range(1, len(text)) if text[:cut] in place and text[cut:] in place),
            key=lambda pair: (place[pair[0]], place[pair[1]]),
        )
    ]


def _traps(names: Sequence[str], bytewise: bool) -> str:
    """Where a text spells a piece that none is cut into, such as "</s>" or "<0x41>": its first character.

    Cut off there, the rest no longer is that piece. The library's unigram model would take it for one.
    """
    spelled = sorted({f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names if len(name) > 1})
    return "|".join([*spelled, "<(?=0x[0-9A-F]{2}>)"] if bytewise else spelled) or "(?!)"


def _normalizer(model: SentencePiece, once: bool) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = []
    if model.lookalikes:
        steps.append(normalizers.Precompiled(model.lookalikes))
    steps.append(normalizers.Replace(ABSENT, "\ufffd"))  # or a text could name a token that none is cut into
    if model.trimmed:
        steps += [normalizers.Replace(Regex("^ +| +$"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.fronted and not once:
        steps.append(normalizers.Prepend("▁"))
    steps.append(normalizers.Replace(" ", "▁"))
    return normalizers.Sequence(steps)


def _decoder(model: SentencePiece) -> decoders.Decoder:
    steps: list[decoders.Decoder] = [decoders.Replace(ABSENT, ""), decoders.Replace("▁", " ")]
    if model.bytewise:
        steps.append(decoders.ByteFallback())
    steps.append(decoders.Fuse())
    if model.fronted:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)
