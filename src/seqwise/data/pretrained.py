"""The tokenizer of a pretrained model, from whichever files its folder holds.

    tokenizer.json                              any; nothing else is asked then
    vocab.txt                                   BERT and its kin: WordPiece
    vocab.json, merges.txt                      GPT-2, RoBERTa, BART, Qwen: BPE of bytes
    source.spm, target.spm, vocab.json          Marian: two ways to cut, one set of ids (or target_vocab.json's)
    sentencepiece.bpe.model, vocab.json         M2M-100, with a token for each language
    spiece.model                                T5 and its kin
    sentencepiece.bpe.model                     XLM-R, NLLB, mBART: ids as in fairseq, one behind the file's
    tokenizer.model                             Llama, Mistral, Gemma

Special tokens are those of config.json, else as the small files name them, else as usual. What comes out can be
saved as tokenizer.json like any other vocabulary.

Left out: downloading; files of tiktoken; families whose ids are counted otherwise (Pegasus, CamemBERT, XLNet).
Languages are not put around a text: who translates adds their ids.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from seqwise.data import conversion, families, neighbours, specials
from seqwise.data.neighbours import Neighbours
from seqwise.data.tokens import Tokenizer
from seqwise.errors import CheckpointError, ConfigError, nearest

_LANGUAGE = re.compile(r"__([a-z]{2,3})__|([a-z]{3}_[A-Z][a-z]{3})|([a-z]{2}_[A-Z]{2})")  # M2M-100, NLLB, mBART
_MULTILINGUAL = ("m2m_100", "nllb-moe", "mbart")
_FRONTED = ("m2m_100", "nllb-moe")
_MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True)
class Pretrained:
    """What a model reads and writes."""

    source: Tokenizer
    """Of what is read."""
    target: Tokenizer
    """Of what is written; the very same object but for Marian."""
    template: str | None
    """How a conversation becomes a text (`chat.py`)."""
    languages: dict[str, int]
    """Code -> id of the language tokens of M2M-100 ("fr"), NLLB ("fra_Latn") and mBART ("fr_XX")."""
    mask: int | None
    """The token that stands for a hidden one, as in BERT."""
    longest: int | None
    """Tokens that the model reads at most, as far as the tokenizer knows."""
    ends: tuple[int, ...]
    """Every token that ends a text, the usual one first: Llama 3 has three."""
    names: dict[str, str]
    """What chat templates call the special tokens: "bos_token" -> "<s>"."""
    typed: bool = True
    """Whether the model is told which of two texts a token is of, if it can be."""
    behind: bool = False
    """Whether the language stands behind the end of its text, and before what is written: the first mBART."""

    def language(self, code: str) -> int:
        """The token of a language; the error names the code that was probably meant."""
        if code in self.languages:
            return self.languages[code]
        alike = [known for known in self.languages if known[:2].lower() == code[:2].lower()]
        close = nearest(code, self.languages) or next(iter(alike or self.languages), None)
        raise ConfigError(
            given=f"the language {code!r}",
            allowed=f"one of the {len(self.languages)} codes that this model has a token for"
            if close
            else "none, since this model has no tokens of languages",
            mend=f"{close!r}" if close else "leaving it out",
        )


def load(folder: Path, config: Mapping[str, Any]) -> Pretrained:
    """Read the tokenizer of a folder; `config` is its config.json, with what generation_config.json adds."""
    around = neighbours.read(folder)
    first, second = _found(folder, config, around)
    if config.get("model_type") in _FRONTED:
        _put_ahead(first.backend, config, around)
    source = _finished(first, config, around, "vocab_size")
    target = source
    if second is not first:
        sized = "decoder_vocab_size" if config.get("decoder_vocab_size") else "vocab_size"
        target = _finished(second, config, around, sized)
    ids = target.vocabulary()
    masks = [around.named["mask"]] if "mask" in around.named else _MASKS
    ends = [token for token in specials.numbers(config.get("eos_token_id")) if 0 <= token < target.size]
    languages = _languages(first.backend, config)
    mbart = config.get("model_type") == "mbart"  # NLLB, too, had its languages behind once, but not before the output
    return Pretrained(
        source=source,
        target=target,
        template=around.template,
        languages=languages,
        mask=next((ids[name] for name in masks if name in ids), None),
        longest=around.longest,
        typed="token_type_ids" in (around.settings.get("model_input_names") or ("token_type_ids",)),
        ends=tuple(dict.fromkeys([target.eos, *ends])),
        names=_names(second.backend, around, config),
        behind=mbart and source.framed(["a"])[0].ids[-1] in languages.values(),
    )


def _found(folder: Path, config: Mapping[str, Any], around: Neighbours) -> tuple[families.Cutter, families.Cutter]:
    """What reads and what writes, by the first set of files that is whole."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    family = str(config.get("model_type") or "")
    for files, reader in families.READERS.items():
        if there.issuperset(files):
            return reader(folder, family, around)
    known = "; ".join(" with ".join(files) for files in families.READERS)
    raise CheckpointError(
        given="no tokenizer" if folder.is_dir() else "no folder",
        allowed=f"one of: {known}",
        mend="copying these files from where the model came from, all beside config.json",
        where=str(folder),
    )


def _finished(cutter: families.Cutter, config: Mapping[str, Any], around: Neighbours, sized: str) -> Tokenizer:
    backend = cutter.backend
    if cutter.rows is None:
        neighbours.extend(backend, around)
    found = specials.of_model(backend, around.named, config, around.folder, cutter.rows)
    tokenizer = Tokenizer(backend, found)
    rows = config.get(sized)
    if isinstance(rows, int):
        _check_size(tokenizer, backend, rows, around.folder)
    return tokenizer


def _check_size(tokenizer: Tokenizer, backend: Backend, rows: int, folder: Path) -> None:
    """No id may lack its row in the model.

    Special tokens may that nobody writes, such as Gemma 3's for pictures, which its text model has no row for.
    """
    if tokenizer.size <= rows:
        return
    silent = {token for token, added in backend.get_added_tokens_decoder().items() if added.special}
    silent -= {tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos}
    silent -= set(tokenizer.framed([""])[0].ids)
    beyond = {name: token for name, token in tokenizer.vocabulary().items() if token >= rows and token not in silent}
    if beyond:
        name = min(beyond, key=lambda name: beyond[name])
        raise CheckpointError(
            given=f"a tokenizer of {tokenizer.size} tokens ({name!r} is {beyond[name]}) for a model of {rows}",
            allowed="a token for each row of the model at most; this is the wrong tokenizer for the model",
            mend="the tokenizer files and the config.json of the same model",
            where=str(folder),
        )


def _languages(backend: Backend, config: Mapping[str, Any]) -> dict[str, int]:
    if config.get("model_type") not in _MULTILINGUAL:
        return {}
    added = backend.get_added_tokens_decoder()
    found = {token: _LANGUAGE.fullmatch(added[token].content) for token in sorted(added)}
    return {match[match.lastindex or 0]: token for token, match in found.items() if match}


def _put_ahead(backend: Backend, config: Mapping[str, Any], around: Neighbours) -> None:
    """NLLB's language ahead of a text, where its first tokenizers had it behind the end: those were mended without
    new files, and only `legacy_behaviour` keeps them as they were."""
    codes = _languages(backend, config)
    there = next((code for code, token in codes.items() if token in backend.encode("").ids), None)
    if there is None or around.settings.get("legacy_behaviour") is True:
        return
    told = around.settings.get("src_lang")
    language = backend.id_to_token(codes[told if told in codes else there])
    end = around.named.get("eos", "</s>")
    conversion.frame(backend, f"{language} $A {end}", f"{language} $A $B {end}")


def _names(backend: Backend, around: Neighbours, config: Mapping[str, Any]) -> dict[str, str]:
    """Names as the files have them; where they are silent, those of the ids in config.json."""
    names = {f"{role}_token": name for role, name in around.named.items()}
    for role in specials.USUAL:
        told = [token for token in specials.numbers(config.get(f"{role}_token_id")) if 0 <= token < 2**32]
        name = backend.id_to_token(told[0]) if told else None
        if name is not None and f"{role}_token" not in around.settings:
            names.setdefault(f"{role}_token", name)
    return names
