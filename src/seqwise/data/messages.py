"""A row of instruction data as a conversation: one function for each form that files come in.

    alpaca, prompted, conversed, plain      an object in, a conversation out, or `BadError` with what is wrong

The roles come out as chat templates know them: "human" is user, "gpt" assistant, "observation" what a tool said, and
"function_call" an assistant's call. A system text that is empty says nothing and is left out. Texts keep their spaces.
"""

import json
from collections.abc import Sequence
from typing import Any

from seqwise.data import chat
from seqwise.data.conversations import Conversation
from seqwise.data.files import shown
from seqwise.data.readers import listed
from seqwise.errors import nearest

_ROLES = {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "tool"}
_KNOWN = tuple(dict.fromkeys([*chat.ROLES, *_ROLES]))
_ANSWERING = ("assistant", "model")
_MAY_BE_EMPTY = ("system", "developer", "tool", "function", "ipython")


class BadError(Exception):
    """What is wrong with a row; the reader adds where."""

    def __init__(self, given: str, allowed: str, mend: str = "mending it") -> None:
        super().__init__(given)
        self.given, self.allowed, self.mend = given, allowed, mend


def alpaca(row: dict[str, Any]) -> Conversation:
    """An instruction, perhaps with an input below it, and perhaps with what was said before."""
    told = text_at(row, "instruction")
    more = text_at(row, "input", needed=False)
    said = [{"role": "system", "content": row["system"]}] if text_at(row, "system", needed=False) else []
    history = row.get("history") or []
    if not isinstance(history, list) or not all(_is_pair(turn) for turn in history):
        raise BadError(f'"history": {_json(history)}', "a list of pairs, what was asked and what was answered")
    for before, answer in history:
        said += [{"role": "user", "content": before}, {"role": "assistant", "content": answer}]
    said.append({"role": "user", "content": f"{told}\n{more}" if more.strip() else told})
    said.append({"role": "assistant", "content": text_at(row, "output", answering=True)})
    return _conversation(said)


def prompted(row: dict[str, Any], names: tuple[str, str]) -> Conversation:
    """A prompt and its completion, as texts or as lists of messages; only the completion is learnt."""
    prompt, completion = row.get(names[0]), row.get(names[1])
    if isinstance(prompt, list) and isinstance(completion, list):
        before, after = _messages(prompt, names[0]), _messages(completion, names[1])
        return _conversation([*before, *after], row.get("tools"), first=len(before))
    if isinstance(prompt, list) or isinstance(completion, list):
        kind = names[0] if isinstance(prompt, list) else names[1]
        raise BadError(f'a list as "{kind}" only', "two texts or two lists of messages")
    said = [{"role": "user", "content": text_at(row, names[0])}]
    said.append({"role": "assistant", "content": text_at(row, names[1], answering=True)})
    return Conversation(tuple(said), (1,), bare=True)


def conversed(row: dict[str, Any], name: str) -> Conversation:
    """A list of messages, by OpenAI's keys or by those of ShareGPT."""
    entries = row[name]
    if not isinstance(entries, list) or not entries:
        raise BadError(f'"{name}": {_json(entries)}', "a list of messages, one at least")
    said = _messages(entries, name)
    if text_at(row, "system", needed=False):
        said.insert(0, {"role": "system", "content": row["system"]})
    return _conversation(said, row.get("tools"))


def plain(row: dict[str, Any]) -> Conversation:
    """A text that is learnt whole."""
    return Conversation(text=text_at(row, "text"))


def text_at(row: dict[str, Any], name: str, *, needed: bool = True, answering: bool = False) -> str:
    """The text of an entry; nothing where it may be missing and is."""
    value = row.get(name)
    if value is None and not needed:
        return ""
    if value is None:
        raise BadError(f'no "{name}" among {listed(list(row))}', f'"{name}" in every row')
    if not isinstance(value, str):
        raise BadError(f'"{name}": {_json(value)}', "text in quotes")
    if needed and not value.strip():
        given = f'no answer, since "{name}" is empty' if answering else f'an empty "{name}"'
        raise BadError(given, "an answer that can be learnt" if answering else "a text that says something")
    return value


def _conversation(said: Sequence[dict[str, Any]], tools: object = None, first: int = 1) -> Conversation:
    """The messages, with what is learnt of them: every answer to something, but those of weight 0."""
    learned = [
        i for i, message in enumerate(said) if i >= max(1, first) and message["role"] in _ANSWERING and _counts(message)
    ]
    if not learned:
        raise BadError(*_unanswered(said))
    kept = tuple({key: value for key, value in message.items() if key != "weight"} for message in said)
    return Conversation(kept, tuple(learned), _tools(tools))


def _unanswered(said: Sequence[dict[str, Any]]) -> tuple[str, str]:
    answers = [message for message in said if message["role"] in _ANSWERING]
    if not answers:
        return f"no answer among {len(said)} message{'s' * (len(said) > 1)}", "a message of the assistant's"
    if not any(map(_counts, answers)):
        return "answers of weight 0 only", "one that is to be learnt"
    return "an answer to nothing, as the first message", "a message before it"


def _counts(message: dict[str, Any]) -> bool:
    return bool(message.get("weight", 1))


def _messages(entries: Sequence[object], name: str) -> list[dict[str, Any]]:
    if not entries:
        raise BadError(f'"{name}": []', "a list of messages, one at least")
    return [_message(entry, number) for number, entry in enumerate(entries, 1)]


def _message(entry: object, number: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadError(f"message {number}: {_json(entry)}", "an object with role and content")
    role = entry.get("role", entry.get("from"))
    if not isinstance(role, str) or role not in _KNOWN:
        given = f"message {number} without a role" if role is None else f"message {number} with the role {_json(role)}"
        close = nearest(str(role), _KNOWN)
        raise BadError(given, f"one of {', '.join(_KNOWN)}", f'"{close}"' if close else "naming who speaks")
    content = entry.get("content", entry.get("value"))
    kept = {key: value for key, value in entry.items() if key not in ("role", "from", "content", "value")}
    if role == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": _called(content, number)}
    calls = entry.get("tool_calls")
    if calls:
        kept["tool_calls"] = _calls(calls, number)
    text = "" if content is None and calls else _content(content, number, role)
    role = _ROLES.get(role, role)
    if not text.strip() and not calls and role not in _MAY_BE_EMPTY:
        raise BadError(f"message {number} of the {role}, which is empty", "a text that says something")
    return {"role": role, "content": text, **kept}


def _content(content: object, number: int, role: str) -> str:
    """A text, or parts that are texts, as one."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        raise BadError(
            f"message {number} with a part that is no text, {_json(content)}", "texts, which this model reads"
        )
    given = "without content" if content is None else f"with content that is {_json(content)}"
    raise BadError(f"message {number} of the {role}, {given}", "text in quotes")


def _called(content: object, number: int) -> list[dict[str, Any]]:
    """ShareGPT's call: JSON in a text."""
    try:
        value = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        value = None
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls):
        raise BadError(
            f"message {number}, a function_call that is {_json(content)}", 'JSON such as {"name": .., "arguments": ..}'
        )
    return _calls([{"type": "function", "function": call} for call in calls], number)


def _calls(calls: object, number: int) -> list[dict[str, Any]]:
    """Calls with their arguments as an object: OpenAI writes them as JSON in a text, templates want what it means."""
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise BadError(f"message {number} with tool_calls {_json(calls)}", "a list of objects")
    found = []
    for call in calls:
        function = call.get("function", call)
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            try:
                meant = json.loads(function["arguments"])
            except (ValueError, RecursionError):
                meant = None
            if isinstance(meant, dict):
                function = {**function, "arguments": meant}
        found.append({**call, "function": function} if "function" in call else function)
    return found


def _tools(tools: object) -> tuple[dict[str, Any], ...] | None:
    """A list of objects, perhaps as JSON in a text."""
    if isinstance(tools, str):
        try:
            tools = json.loads(tools) if tools.strip() else None
        except (ValueError, RecursionError):
            raise BadError(f'"tools": {_json(tools)}', "a list of objects, or JSON of one") from None
    if not tools:
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadError(f'"tools": {_json(tools)}', "a list of objects, or JSON of one")
    return tuple(tools)


def _is_pair(turn: object) -> bool:
    return isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) and text.strip() for text in turn)


def _json(value: object) -> str:
    return shown(json.dumps(value, ensure_ascii=False))
