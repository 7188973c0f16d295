"""A tokenizer whose special tokens go by names that nobody can guess.

A chat is one text in which the template's "<|im_end|>" ends a turn, while the same letters in a user's message
must stay letters. To cut such a text as a whole, so that pieces join across the borders of a message as they
would in any text, the template's special tokens are given secret names first, and only then are the user's
words put in their places:

    template's text with marks -> special tokens renamed -> marks replaced by the user's words -> ids
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping

from tokenizers import Tokenizer as Backend


class Sealed:
    """A copy of a tokenizer, for text of which some is not to be trusted."""

    def __init__(self, backend: Backend) -> None:
        """Costs as much as reading the file."""
        nonce = secrets.token_hex(16)
        document = json.loads(backend.to_str())
        document["post_processor"] = None  # it names the tokens as the file does, and adds none here
        self._secret: dict[str, str] = {}  # name in the file -> name here
        names: list[tuple[str, str]] = []
        for added in document["added_tokens"]:
            told = added["content"]
            if added["special"]:
                added["content"] = self._secret.setdefault(told, f"{nonce}{len(self._secret)}z")
            names.append((told, added["content"]))
        self._backend = Backend.from_str(json.dumps(document))
        # The library counts ids anew; only those of the model itself stay.
        pairs = [(self._backend.token_to_id(name), backend.token_to_id(told)) for told, name in names]
        self._ids = {here: there for here, there in pairs if here is not None and there is not None}
        self._meant = {self._backend.token_to_id(name) for name in self._secret.values()}

    def encode(self, text: str, marks: Mapping[str, str]) -> tuple[list[int], list[bool]]:
        """The ids, and for each whether it is one of the template's special tokens."""
        stands = {**self._secret, **marks}  # both in one go: a mark may be found by chance in a secret name
        text = re.sub(any_of(stands), lambda found: stands[found[0]], text)
        ids = self._backend.encode(text, add_special_tokens=False).ids
        return [self._ids.get(token, token) for token in ids], [token in self._meant for token in ids]


def any_of(texts: Iterable[str]) -> str:
    """A pattern that finds each of the texts, the longest where several begin."""
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or "(?!)"
