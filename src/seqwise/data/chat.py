"""A conversation as one text, by the template that the model was trained with, and as its ids.

    render(template, messages, ...) -> text      what transformers' apply_chat_template(tokenize=False) gives
    encode(tokenizer, template, messages, ...)   what it gives with tokenize=True, but that no message can name a
                                                 special token: "<|im_end|>" in a message is spelled like other text

How encode keeps a message from naming a token: in every text of the messages, special tokens give way to marks,
numbers that nobody can guess. The template puts its own special tokens around; only then are the marks replaced
(`sealing.py`). The parts of a special token go the same way where a text begins or ends with them, lest two texts
make one. Roles are known words, since some templates build tokens from them.

How a template runs stands in `templates.py`. Left out: tokens that a file does not call special, such as <think> of
Qwen; they count as part of a text, as they do elsewhere in this room.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from seqwise.data.sealing import any_of
from seqwise.data.templates import run
from seqwise.data.tokens import Tokenizer
from seqwise.errors import ConfigError, DataError, nearest

ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython", "model", "observation")
"""Who may speak; which of them a template knows is for the template to say."""
_ANSWERING = ("assistant", "model")
_REASONING = ("reasoning_content", "thinking", "reasoning")  # names for one thing, the first the usual one


def render(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool,
    specials: Mapping[str, str],
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """The conversation as a text. `specials`: "bos_token" -> "<s>", as in `Pretrained.names`."""
    return _rendered(template, _conversation(messages), add_generation_prompt, specials, _plain(tools, "tools"))


def encode(
    tokenizer: Tokenizer,
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool,
    specials: Mapping[str, str],
    tools: Sequence[Mapping[str, Any]] | None = None,
    going_on: bool = False,
) -> list[int]:
    """The ids of the conversation. Special tokens are those that the template writes, and no others.

    going_on   an answer at the very end is no turn that is over: the ids end where its text does, and no prompt follows
    """
    veil = _Veil(tokenizer.special_names)
    veiled = [
        {key: value if key == "role" else veil.over(value) for key, value in message.items()}
        for message in _conversation(messages)
    ]
    begun = _begun(veiled[-1]) if going_on else ""
    asks = add_generation_prompt and not begun
    told = veil.over(_plain(tools, "tools"))
    text = _rendered(template, veiled, asks, specials, told)
    if begun:
        end = veil.mark("")
        marked = _rendered(template, [*veiled[:-1], _ended(veiled[-1], end)], asks, specials, told)
        text = _up_to(text, marked, begun, end)
    return tokenizer.from_template(text, veil.marks)


def _begun(message: Mapping[str, Any]) -> str:
    """The text of an answer that a model may go on with; empty where there is none."""
    said = message.get("content")
    if isinstance(said, list) and said and isinstance(said[-1], Mapping):
        said = said[-1].get("text")
    answers = message["role"] in _ANSWERING and not message.get("tool_calls")
    return said if answers and isinstance(said, str) and said.strip() else ""


def _ended(message: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The same message with a mark behind its text."""
    said = message["content"]
    if isinstance(said, str):
        return {**message, "content": said + mark}
    return {**message, "content": [*said[:-1], {**said[-1], "text": said[-1]["text"] + mark}]}


def _up_to(text: str, marked: str, said: str, mark: str) -> str:
    """The conversation as far as the end of its last message, with the spaces there that the template keeps.

    marked   the same with a mark at that end: the letters of an answer may stand in what the template writes behind it
    """
    begun, found, _ = marked.rpartition(mark)
    if not (found and begun.rstrip().endswith(said.strip())):
        raise DataError(
            given="an answer at the end that the chat template writes otherwise",
            allowed="one that it writes as it is, where a model shall go on with it",
            mend="a conversation that ends with what the user says",
        )
    return begun if text.startswith(begun) else begun.rstrip()


class _Veil:
    """Marks in the place of whatever in a text is a special token, or could become one with what stands beside it."""

    def __init__(self, names: frozenset[str]) -> None:
        self.marks: dict[str, str] = {}
        self._whole = re.compile(any_of(names))
        self._heads = {name[:cut] for name in names for cut in range(1, len(name))}
        self._tails = {name[cut:] for name in names for cut in range(1, len(name))}
        self._longest = max(map(len, names), default=0)

    def over(self, value: Any) -> Any:
        """The same value with marks in its texts."""
        if isinstance(value, str):
            return self._over_text(value)
        if isinstance(value, list):
            return [self.over(item) for item in value]
        if isinstance(value, dict):
            return {self.over(key): self.over(item) for key, item in value.items()}
        return value

    def _over_text(self, text: str) -> str:
        text = self._whole.sub(lambda found: self.mark(found[0]), text)
        # Templates trim texts, so that spaces are no wall.
        bare = text.strip()
        start = len(text) - len(text.lstrip())
        end = start + len(bare)
        longest = min(self._longest, len(bare))
        tail = next((cut for cut in range(longest, 0, -1) if bare[:cut] in self._tails), 0)
        bare = bare[tail:]
        head = next((cut for cut in range(min(longest, len(bare)), 0, -1) if bare[-cut:] in self._heads), 0)
        first, last = start + tail, end - head
        front = self.mark(text[start:first]) if tail else ""
        back = self.mark(text[last:end]) if head else ""
        return f"{text[:start]}{front}{text[first:last]}{back}{text[end:]}"

    def mark(self, text: str) -> str:
        """What stands for a text until the template is through. Digits alone: no template that writes all in capitals,
        or as JSON, changes them."""
        mark = f"{secrets.randbelow(10**32):032}"
        self.marks[mark] = text
        return mark


def _conversation(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages as plain values, checked; without what is None, as templates expect it."""
    if not messages:
        raise DataError("a conversation without messages", "one message at least", "adding what the user says")
    return [_message(message, f"message {place}") for place, message in enumerate(messages, 1)]


def _message(message: Mapping[str, Any], where: str) -> dict[str, Any]:
    plain = _plain(message, where)
    if not isinstance(plain, dict):
        raise DataError(f"a {type(message).__name__}", "an object with role and content", "{'role': ...}", where)
    plain = {key: value for key, value in plain.items() if value is not None}
    role, content = plain.get("role"), plain.get("content")
    if not isinstance(role, str) or role not in ROLES:
        close = nearest(str(role), ROLES) or "user"
        given = "no role" if role is None else f"the role {role!r}"
        raise DataError(given, f"one of {', '.join(ROLES)}", f"'role': '{close}'", where)
    if not isinstance(content, str | list | dict) and not (content is None and plain.get("tool_calls")):
        given = "no content" if content is None else f"content that is a {type(content).__name__}"
        raise DataError(given, "a text, or a list of parts with texts", "'content': '...'", where)
    reasoning = next((plain[name] for name in _REASONING if plain.get(name) is not None), None)
    return plain if reasoning is None else {"thinking": reasoning, **plain, _REASONING[0]: reasoning}


def _plain(value: Any, where: str) -> Any:
    """A copy made of what JSON knows: whatever else a template reached might have methods that do harm."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str.__str__(value)
        case Mapping():
            return {str(key): _plain(item, where) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, where) for item in value]
    allowed = "texts, numbers, lists and objects, as in JSON"
    raise DataError(f"a {type(value).__name__} in {where}", allowed, "its text instead", where)


def _rendered(
    template: str,
    messages: list[dict[str, Any]],
    add_generation_prompt: bool,
    specials: Mapping[str, str],
    tools: Any,
) -> str:
    values = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": add_generation_prompt}
    values = {**specials, **values}
    parts = [place for place, message in enumerate(messages) if isinstance(message.get("content"), list | dict)]
    if not parts:
        return run(template, values)
    try:
        text = run(template, values)
    except ConfigError:
        said = [{**one, "content": "text"} if i in parts else one for i, one in enumerate(messages)]
        run(template, {**values, "messages": said})
        raise _of_parts(parts[0]) from None  # with texts it does not fail
    if shown := [place for place in parts if messages[place]["content"] and str(messages[place]["content"]) in text]:
        raise _of_parts(shown[0])  # brackets and all, as Python writes a list: no model was trained on that
    return text


def _of_parts(place: int) -> DataError:
    return DataError(
        given="content that is a list of parts, for a chat template that knows texts only",
        allowed="a text",
        mend="'content': 'the text of the parts'",
        where=f"message {place + 1}",
    )
