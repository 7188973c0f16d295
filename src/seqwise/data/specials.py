"""Which tokens of a tokenizer.json mean padding, unknown, start and end; and its reading and writing.

The format does not say it. Told are, in this order: the files beside it (`special_tokens_map.json` before
`tokenizer_config.json`), the model inside it, which names its unknown token, and the usual names.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from seqwise.errors import CheckpointError

USUAL = {
    "pad": ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>"),
    "unk": ("<unk>", "[UNK]", "<|unk|>"),
    "bos": ("<s>", "[CLS]", "<bos>", "[BOS]", "<|begin_of_text|>", "<|startoftext|>", "<|endoftext|>"),
    "eos": ("</s>", "[SEP]", "<eos>", "[EOS]", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>"),
}
"""How files name their special tokens, the likelier first."""


@dataclass(frozen=True)
class Specials:
    """The ids of the tokens that stand for no text."""

    pad: int
    """Fills up the shorter rows of a batch."""
    unk: int
    """Stands for what the vocabulary lacks; the padding's id where it lacks nothing, as with GPT-2."""
    bos: int
    """Starts the decoder; the padding's id where the file names none, as with T5 and Marian."""
    eos: int
    """Ends a sentence."""
    rows: int | None = None
    """Tokens that the model has, where the file holds more: pieces that a text is cut into all the same, and that
    are unknown then, as with Marian. None where all are the model's."""


def load(path: Path) -> tuple[Backend, Specials]:
    """Read a tokenizer.json and find its special tokens."""
    backend = read(path)
    return backend, _find(backend, _named_beside(path), path)


def read(path: Path) -> Backend:
    """A tokenizer.json, without its special tokens."""
    text = _read(path)
    try:
        return Backend.from_str(text)
    except Exception as error:  # the library raises nothing more precise
        raise CheckpointError(
            given=f"no tokenizer ({error})",
            allowed="a whole tokenizer.json in the format of Hugging Face",
            mend="copying or training it again",
            where=str(path),
        ) from None


def special_names(backend: Backend) -> frozenset[str]:
    """What the special tokens of a file are called in a text that may name them, such as a chat template's."""
    return frozenset(added.content for added in backend.get_added_tokens_decoder().values() if added.special)


def of_model(
    backend: Backend, named: Mapping[str, str], config: Mapping[str, Any], where: Path, rows: int | None = None
) -> Specials:
    """The special tokens of a pretrained model: as its config.json has them, else as they are named, else as usual.

    Gentler than `load`: a decoder such as Llama's or GPT-2's has no padding, and gets the end token for it. The
    loss never sees it there. An id that the tokenizer lacks counts for nothing: configs hold defaults of their class.
    An encoder-decoder says itself what starts its decoder: the padding in T5 and Marian, the end in BART.
    """
    ids: dict[str, int] = {}
    begun = numbers(config.get("decoder_start_token_id"))
    for role, usual in USUAL.items():
        entry = numbers(config.get(f"{role}_token_id"))
        told = [token for token in (begun if begun and role == "bos" else entry) if _known(backend, token, rows)]
        by_name = [backend.token_to_id(named[role])] if role in named else []
        chosen = [token for token in by_name if token in told] or told or by_name
        found = [token for token in chosen or map(backend.token_to_id, usual) if token is not None]
        if found:
            ids[role] = found[0]
    if "eos" not in ids:
        raise _missing(["eos"], where)
    pad = ids.get("pad", ids["eos"])
    return Specials(pad, ids.get("unk", pad), ids.get("bos", pad), ids["eos"], rows)


def numbers(entry: object) -> list[int]:
    """The ids in an entry of config.json, which is a number, several, or none."""
    entries = entry if isinstance(entry, list) else [entry]
    return [token for token in entries if isinstance(token, int) and not isinstance(token, bool)]


def _known(backend: Backend, token: int, rows: int | None) -> bool:
    inside = 0 <= token < (2**32 if rows is None else rows)  # the library counts in 32 bits
    return inside and backend.id_to_token(token) is not None


def save(path: Path, backend: Backend, specials: Specials) -> None:
    """Write a tokenizer.json; beside it the names of its special tokens, where `load` would miss them."""
    _write(path, backend.to_str(pretty=True))
    try:
        found = _find(backend, _named_beside(path), path)
    except CheckpointError:
        found = None
    if found != specials:
        names: dict[str, Any] = {f"{role}_token": backend.id_to_token(getattr(specials, role)) for role in USUAL}
        if specials.rows is not None:
            names["rows"] = specials.rows
        _write(_beside(path, "special_tokens_map"), json.dumps(names, indent=2, ensure_ascii=False))


def _find(backend: Backend, beside: Mapping[str, Any], path: Path) -> Specials:
    named = {role: beside[role] for role in USUAL if role in beside}
    model = json.loads(backend.to_str())["model"]
    told = {"unk": model["unk_token"]} if isinstance(model.get("unk_token"), str) else {}
    ids: dict[str, int] = {}
    if isinstance(model.get("unk_id"), int):
        ids["unk"] = model["unk_id"]
    for role, usual in USUAL.items():
        known = {**told, **named}
        names = (known[role],) if role in known else () if role in ids else usual
        found = [token for token in map(backend.token_to_id, names) if token is not None]
        if found:
            ids[role] = found[0]
    missing = [role for role in ("pad", "eos") if role not in ids]
    if missing:
        raise _missing(missing, path)
    pad = ids["pad"]
    return Specials(pad, ids.get("unk", pad), ids.get("bos", pad), ids["eos"], beside.get("rows"))


def _missing(roles: list[str], path: Path) -> CheckpointError:
    wanted = " and ".join(f"{role}_token" for role in roles)
    purpose = {"pad": "padding", "eos": "the end"}
    return CheckpointError(
        given=f"a tokenizer without {wanted}",
        allowed=" and ".join(f"one for {purpose[role]}" for role in roles)
        + ", such as "
        + ", ".join(name for role in roles for name in USUAL[role][:2]),
        mend=f"naming {wanted} in a {_beside(path, 'special_tokens_map').name} beside it",
        where=str(path),
    )


def _named_beside(path: Path) -> dict[str, Any]:
    """Role -> name, and the rows that `save` notes, from the files beside."""
    named: dict[str, Any] = {}
    for stem in ("tokenizer_config", "special_tokens_map"):  # the latter says nothing else: it has the last word
        beside = _beside(path, stem)
        if not beside.is_file():
            continue
        try:
            entries: Any = json.loads(_read(beside))
            for role in USUAL:
                entry = entries.get(f"{role}_token")
                name = entry.get("content") if isinstance(entry, dict) else entry
                if isinstance(name, str):
                    named[role] = name
            for rows in numbers(entries.get("rows"))[:1]:
                named["rows"] = rows
        except (ValueError, AttributeError) as error:
            raise CheckpointError(
                given=f"no JSON object ({error})",
                allowed="the names of special tokens",
                mend="copying it again, or removing it",
                where=str(beside),
            ) from None
    return named


def _beside(path: Path, stem: str) -> Path:
    """The neighbour of a file: `tokenizer.target.json` has a `special_tokens_map.target.json` of its own."""
    return path.with_name(stem + (path.name.removeprefix("tokenizer") if "tokenizer." in path.name else ".json"))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CheckpointError(
            given=f"cannot be read ({reason})",
            allowed="a tokenizer.json in the format of Hugging Face",
            mend="the path of one that exists",
            where=str(path),
        ) from None


def _write(path: Path, text: str) -> None:
    """The whole file or none: who reads it meanwhile, or after a crash, finds the old one or the new one."""
    written = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            written = Path(file.name)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        written.chmod(0o644)  # a temporary file is its owner's alone
        written.replace(path)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise CheckpointError(
            given=f"cannot be written ({error.strerror})",
            allowed="a folder that exists and has room",
            mend="another folder, or making room",
            where=str(path),
        ) from None
