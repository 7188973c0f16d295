"""How each family of pretrained models lays out its vocabulary, and what it puts around a text.

A reader for each set of files (`READERS`), tried from the top. It makes a tokenizer of the library with the
family's ids, special tokens and frame.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer as Backend

from seqwise.data import conversion, neighbours, sentencepiece, specials
from seqwise.data.neighbours import Neighbours
from seqwise.data.pieces import ABSENT
from seqwise.data.sentencepiece import CONTROL, UNKNOWN
from seqwise.errors import CheckpointError

_T5 = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
_SPANS = 100  # tokens for hidden spans, where tokenizer_config.json does not say how many
_FAIRSEQ = ("xlm-roberta", "xlm-roberta-xl", "mbart", "m2m_100", "nllb-moe")
_PLAIN = ("gpt2", "gpt_neo", "gptj", "gpt_neox", "phi", "codegen", "whisper")  # nothing around a text
_ROUND = ("roberta", "bart", "longformer", "led")  # <s> and </s>
_FIRST_MBART = 25  # languages; mBART-50 has 52
_WORDPIECE = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")
_ROLES = {
    "bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"
}  # fmt: skip
_QWEN = ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe")
_M2M = """
    af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy
    id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru
    sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu
"""
"""The languages of M2M-100 in the order of their ids, for folders whose small files are missing."""


class Cutter(NamedTuple):
    """A tokenizer of the library, not yet one of ours."""

    backend: Backend
    """With special tokens and frame."""
    rows: int | None = None
    """As in `Specials`."""


def _ready(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    made = Cutter(specials.read(folder / "tokenizer.json"))
    if str(around.settings.get("tokenizer_class")).removesuffix("Fast") in _WORDPIECE:
        conversion.normalize_as_told(made.backend, around.settings)
    return made, made


def _wordpiece(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    path = folder / "vocab.txt"
    names = neighbours.text(path).removesuffix("\n").split("\n")
    usual = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    roles = {role: around.named.get(role, name) for role, name in usual.items()}
    _need([roles[role] for role in ("unk", "cls", "sep")], names, path)
    backend = conversion.of_wordpiece(names, around.settings, roles)
    start, end = roles["cls"], roles["sep"]
    conversion.frame(backend, f"{start}:0 $A:0 {end}:0", f"{start}:0 $A:0 {end}:0 $B:1 {end}:1")
    made = Cutter(backend)
    return made, made


def _byte_bpe(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    known = (*_PLAIN, *_ROUND, *_QWEN)
    if family not in known:
        raise CheckpointError(
            given=f"vocab.json with merges.txt of a model of the type {family or 'none'}",
            allowed=f"model_type in config.json to be one of {', '.join(known)}, or a tokenizer.json",
            mend=_SAVE,
            where=str(folder),
        )
    path = folder / "merges.txt"
    ids = neighbours.numbered(folder / "vocab.json")
    fronted = around.settings.get("add_prefix_space") is True
    lines = [line for line in neighbours.text(path).split("\n") if line and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    try:
        backend = conversion.of_byte_bpe(ids, pairs, fronted=fronted, qwen=family in _QWEN)  # type: ignore[arg-type]
    except Exception as error:  # the library raises nothing more precise
        raise CheckpointError(
            given=f"merges that do not fit vocab.json ({error})",
            allowed="two tokens of vocab.json in each line, which joined are a third",
            mend="copying both files again, from the same model",
            where=str(path),
        ) from None
    named = {**(_ROLES if family in _ROUND else {"eos": "<|endoftext|>"}), **around.named}
    backend.add_special_tokens([name for name in dict.fromkeys([*named.values(), *around.further]) if name in ids])
    if family in _ROUND:
        _need([named["cls"], named["sep"]], ids, folder / "vocab.json")
        conversion.frame_roberta(backend, named["sep"], named["cls"], fronted=fronted)
    made = Cutter(backend)
    return made, made


def _marian(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    """Junczys-Dowmunt et al. 2018. Where the cut of both sides and the ids are the same, so is the tokenizer."""
    apart = folder / "target_vocab.json"
    sides = [("source.spm", folder / "vocab.json"), ("target.spm", apart if apart.is_file() else folder / "vocab.json")]
    made = []
    for name, vocabulary in sides:
        names = _listed(neighbours.numbered(vocabulary), around)
        _need(["</s>", "<unk>"], names, vocabulary)
        codes = [token for token in names if token.startswith(">>") and token.endswith("<<")]
        special = _special(["</s>", "<unk>", "<pad>", *codes], names, around)
        backend = conversion.of_sentencepiece(sentencepiece.read(folder / name), names, special, "<unk>")
        conversion.frame(backend, "$A </s>", "$A $B </s>")
        made.append(Cutter(backend, len(names)))
    same = not apart.is_file() and made[0].backend.to_str() == made[1].backend.to_str()
    return made[0], made[0] if same else made[1]


def _m2m(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    """Fan et al. 2021. The languages come behind the vocabulary, in the order of the small files."""
    ids = neighbours.numbered(folder / "vocab.json")
    languages = [name for name in around.further if name.startswith("__")] or [f"__{code}__" for code in _M2M.split()]
    names = _listed(ids, around)
    names += [name for name in languages if name not in names]
    _need(["</s>", "<unk>"], names, folder / "vocab.json")
    model = sentencepiece.read(folder / "sentencepiece.bpe.model")
    special = _special(["<s>", "<pad>", "</s>", "<unk>", *languages], names, around)
    backend = conversion.of_sentencepiece(model, names, special, "<unk>")
    conversion.frame(backend, "$A </s>", "$A $B </s>")
    made = Cutter(backend, len(names))
    return made, made


def _t5(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    """Raffel et al. 2020. Behind the pieces the tokens for hidden spans, the last one first."""
    path = folder / "spiece.model"
    if family not in _T5:
        raise _strange(path, family, _T5)
    model = sentencepiece.read(path)
    names = [entry.text for entry in model.pieces]
    count = around.settings.get("extra_ids")
    sensible = isinstance(count, int) and 0 <= count <= 1000
    spans = [f"<extra_id_{i}>" for i in reversed(range(count if sensible and count is not None else _SPANS))]
    names = _listed({name: token for token, name in enumerate(names)}, around, spans)
    _need(["</s>"], names, path)
    special = _special([*_controls(model), *spans], names, around)
    backend = conversion.of_sentencepiece(model, names, special, model.unknown)
    conversion.frame(backend, "$A </s>", "$A </s> $B </s>")
    made = Cutter(backend)
    return made, made


def _fairseq(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    """Conneau et al. 2020: four tokens ahead of the pieces, where the file has three; languages and mask behind."""
    path = folder / "sentencepiece.bpe.model"
    if family not in _FAIRSEQ:
        raise _strange(path, family, _FAIRSEQ)
    model = sentencepiece.read(path)
    if any(entry.kind not in (CONTROL, UNKNOWN) for entry in model.pieces[:3]):
        raise _strange(path, family, _FAIRSEQ)
    names = ["<s>", "<pad>", "</s>", "<unk>", *(entry.text for entry in model.pieces[3:])]
    further = [name for name in around.further if name != "<mask>"]
    if family != "xlm-roberta" and family != "xlm-roberta-xl" and not further:
        raise CheckpointError(
            given="no languages",
            allowed="additional_special_tokens in special_tokens_map.json, in the order of their ids",
            mend=f"copying that file too, or {_SAVE}",
            where=str(folder),
        )
    names = _listed({name: token for token, name in enumerate(names)}, around, [*further, "<mask>"])
    special = _special(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], names, around)
    backend = conversion.of_sentencepiece(model, names, special, "<unk>")
    conversion.frame(backend, *_fairseq_frame(family, further, around))
    made = Cutter(backend)
    return made, made


def _fairseq_frame(family: str, languages: Sequence[str], around: Neighbours) -> tuple[str, str]:
    """Around a text, and around two. mBART puts the language behind the end, mBART-50 ahead of the text."""
    if family.startswith("xlm"):
        return "<s> $A </s>", "<s> $A </s> </s> $B </s>"
    if family != "mbart":
        return "$A </s>", "$A $B </s>"
    told = around.settings.get("src_lang")
    language = next((code for code in (told, "en_XX") if code in languages), languages[0])
    fifty = "50" in str(around.settings.get("tokenizer_class")) or len(languages) > _FIRST_MBART
    ahead, behind = (f"{language} ", "") if fifty else ("", f" {language}")
    return f"{ahead}$A </s>{behind}", f"{ahead}$A $B </s>{behind}"


def _plain(folder: Path, family: str, around: Neighbours) -> tuple[Cutter, Cutter]:
    """Touvron et al. 2023: the ids of the file, and the start token ahead of a text."""
    model = sentencepiece.read(folder / "tokenizer.model")
    names = _listed({entry.text: token for token, entry in enumerate(model.pieces)}, around)
    special = _special(_controls(model), names, around)
    once = around.settings.get("legacy") is False
    backend = conversion.of_sentencepiece(model, names, special, model.unknown, once=once)
    controls = _controls(model)
    starts = [name for name in (around.named.get("bos"), "<s>", "<bos>") if name in controls]
    ends = [name for name in (around.named.get("eos"), "</s>", "<eos>") if name in controls]
    front = f"{starts[0]} " if starts and around.settings.get("add_bos_token") is not False else ""
    back = f" {ends[0]}" if ends and around.settings.get("add_eos_token") is True else ""
    conversion.frame(backend, f"{front}$A{back}", f"{front}$A{back} {front}$B{back}")
    made = Cutter(backend)
    return made, made


Reader = Callable[[Path, str, Neighbours], tuple[Cutter, Cutter]]
READERS: dict[tuple[str, ...], Reader] = {
    ("tokenizer.json",): _ready,
    ("vocab.txt",): _wordpiece,
    ("vocab.json", "merges.txt"): _byte_bpe,
    ("source.spm", "target.spm", "vocab.json"): _marian,
    ("sentencepiece.bpe.model", "vocab.json"): _m2m,
    ("spiece.model",): _t5,
    ("sentencepiece.bpe.model",): _fairseq,
    ("tokenizer.model",): _plain,
}
"""The files that must be there -> what reads them, giving what reads a text and what writes one."""
_SAVE = "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers, which writes a tokenizer.json"


def _listed(ids: dict[str, int], around: Neighbours, behind: Sequence[str] = ()) -> list[str]:
    """The token of each id: the vocabulary's, those behind it, and those added later. Gaps get names of their own."""
    taken = set(ids.values())
    places = {token: name for name, token in ids.items()}
    for name in behind:
        if name not in ids:
            places[max(taken, default=-1) + 1] = name
            taken.add(max(taken, default=-1) + 1)
    given = set(places.values())
    for token, added in around.added.items():
        if added.content not in given and (token in places or token > 2 * len(places) + 1000):
            raise CheckpointError(
                given=f"an added token {added.content!r} with id {token}, where {len(places)} tokens have ids",
                allowed="an id that is free, close behind the others",
                mend="the vocabulary and tokenizer_config.json of the same model",
                where=str(around.folder),
            )
        places.setdefault(token, added.content)
    return [places.get(token, f"{ABSENT}{token}") for token in range(1 + max(places))]


def _special(usual: Sequence[str], names: Sequence[str], around: Neighbours) -> list[str]:
    """The special tokens among the names: the family's, and those that the small files name."""
    added = [token.content for token in around.added.values() if token.special]
    there = set(names)
    return [name for name in dict.fromkeys([*usual, *around.named.values(), *around.further, *added]) if name in there]


def _controls(model: sentencepiece.SentencePiece) -> list[str]:
    return [entry.text for entry in model.pieces if entry.kind in (CONTROL, UNKNOWN)]


def _need(wanted: Sequence[str], names: Sequence[str] | dict[str, int], path: Path) -> None:
    there = set(names)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise CheckpointError(
            given=f"a vocabulary without {' and '.join(missing)}",
            allowed="the special tokens of the model among its tokens",
            mend="copying it again, or naming them in a special_tokens_map.json beside it",
            where=str(path),
        )


def _strange(path: Path, family: str, known: Sequence[str]) -> CheckpointError:
    return CheckpointError(
        given=f"the vocabulary of a model of the type {family or 'none'}",
        allowed=f"model_type in config.json to be one of {', '.join(known)}, or a tokenizer.json",
        mend=_SAVE,
        where=str(path),
    )
