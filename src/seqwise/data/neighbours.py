"""What the small files of a pretrained folder say of its tokenizer.

    tokenizer_config.json      names of special tokens, tokens added later, how BERT's is set, the chat template
    special_tokens_map.json    names of special tokens, with the last word
    added_tokens.json          tokens added later
    chat_template.jinja        the chat template, with the last word

Left out: the vocabulary itself (`pretrained.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from seqwise.errors import CheckpointError

_LONGEST = 10**9  # transformers writes 10**30 for "no limit"


@dataclass(frozen=True)
class Neighbours:
    """The folder without its vocabulary."""

    folder: Path
    """For messages."""
    settings: Mapping[str, Any]
    """tokenizer_config.json."""
    named: Mapping[str, str]
    """Role -> special token, such as "eos" -> "</s>"; also cls, sep and mask."""
    further: tuple[str, ...]
    """Special tokens without a role, such as languages, in the order of the file."""
    added: Mapping[int, AddedToken]
    """Tokens that the vocabulary lacks, or has anyway, by id, in the order of ids."""

    @property
    def longest(self) -> int | None:
        """Tokens that the model reads at most, where the file says so."""
        number = self.settings.get("model_max_length")
        sensible = isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < _LONGEST
        return int(number) if sensible and number is not None else None

    @property
    def template(self) -> str | None:
        """How a conversation becomes a text, in Jinja; the one called "default" where there are several."""
        path = self.folder / "chat_template.jinja"
        if path.is_file():
            return text(path)
        entry = self.settings.get("chat_template")
        if isinstance(entry, list):
            listed = [one for one in entry if isinstance(one, dict)]
            entry = next((one.get("template") for one in listed if one.get("name") == "default"), None)
        return entry if isinstance(entry, str) else None


def read(folder: Path) -> Neighbours:
    """Read what is there; nothing of it has to be."""
    settings = _object(folder / "tokenizer_config.json")
    last = _object(folder / "special_tokens_map.json")
    entries = {**settings, **last}
    names = {role.removesuffix("_token"): _content(entry) for role, entry in entries.items() if role.endswith("_token")}
    lists = [entries.get("additional_special_tokens"), entries.get("extra_special_tokens")]
    further = [_content(entry) for some in lists if isinstance(some, list) for entry in some]
    return Neighbours(
        folder=folder,
        settings=settings,
        named={role: name for role, name in names.items() if name is not None},
        further=tuple(dict.fromkeys(name for name in further if name is not None)),
        added=_added(settings, _object(folder / "added_tokens.json"), folder),
    )


def extend(backend: Tokenizer, around: Neighbours) -> None:
    """Add what the vocabulary lacks, with the ids that it has in the files."""
    for token, added in around.added.items():
        if backend.token_to_id(added.content) is None:
            backend.add_special_tokens([added]) if added.special else backend.add_tokens([added])
            found = backend.token_to_id(added.content)
            if found != token:
                raise CheckpointError(
                    given=f"an added token {added.content!r} with id {token}, behind {found} tokens",
                    allowed=f"id {found} for the next token",
                    mend="the vocabulary and tokenizer_config.json of the same model",
                    where=str(around.folder),
                )


def numbered(path: Path) -> dict[str, int]:
    """A vocab.json: token -> id."""
    ids = _object(path)
    numbers = [token for token in ids.values() if isinstance(token, int) and not isinstance(token, bool)]
    sound = len(numbers) == len(ids) == len(set(numbers)) and min(numbers, default=-1) >= 0
    if not ids or not sound or max(numbers) > 2 * len(ids) + 1000:
        raise _broken(path, "no vocabulary", "a JSON object of tokens, each with an id of its own, counted from 0")
    return ids


def text(path: Path) -> str:
    """A text file."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _broken(path, f"cannot be read ({reason})", "a text in UTF-8") from None


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        entries = json.loads(text(path))
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"no JSON ({' '.join(str(error).split())})", "a JSON object") from None
    if not isinstance(entries, dict):
        raise _broken(path, f"a {type(entries).__name__} in JSON", "a JSON object")
    return entries


def _content(entry: object) -> str | None:
    """The text of a token, which is written plainly or with its properties."""
    found = entry.get("content") if isinstance(entry, dict) else entry
    return found if isinstance(found, str) and found else None


def _added(settings: Mapping[str, Any], plain: Mapping[str, Any], folder: Path) -> dict[int, AddedToken]:
    """From `added_tokens_decoder` (id -> properties), and from the older added_tokens.json (token -> id)."""
    decoder = settings.get("added_tokens_decoder") or {}
    found: dict[int, AddedToken] = {}
    try:
        for content, token in plain.items():
            found[int(token)] = AddedToken(content, special=True, normalized=False)
        for token, entry in decoder.items():
            flags = {
                flag: bool(entry.get(flag)) for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")
            }
            found[int(token)] = AddedToken(str(entry["content"]), **flags)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _broken(
            folder / "tokenizer_config.json", f"added tokens that are none ({error!r})", "ids and tokens"
        ) from None
    return dict(sorted(found.items()))


def _broken(path: Path, given: str, allowed: str) -> CheckpointError:
    return CheckpointError(given=given, allowed=allowed, mend="copying the file again", where=str(path))
