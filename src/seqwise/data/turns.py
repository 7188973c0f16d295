"""The turns of a conversation as ids, and which of the ids are an answer that is learnt.

    drafts(words, conversation)       by the chat template of the model
    plain_drafts(words, several)      by a plain layout, where there is none
    prompt(words, messages)           the same up to an answer, for a model that goes on from there

By a template: the conversation is rendered up to an answer, as for the model to go on, and then with it. What the
second has beyond the first is learnt, up to the last token that ends a text. Some templates write an earlier turn
otherwise once another follows (Qwen3 drops its thoughts, Mistral moves the tools). Then each answer becomes an example
of its own, with what stood before it at that time. A template that changes what was asked once it is answered is
refused: nothing tells then where the answer begins. So is one that leaves out the calls of tools that are to be learnt:
the model would learn to say nothing. Where a template closes its last turn with no token that ends a
text, one is added, or the model would never stop.

The plain layout is that of Alpaca (Taori et al. 2023) without its first sentence; a prompt that is bare has nothing
put around it.

    ### Instruction:
    What was asked.

    ### Response:
    What was answered.</s>
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqwise.data import chat
from seqwise.data.conversations import Conversation, Message, content_of
from seqwise.data.pretrained import Pretrained
from seqwise.errors import DataError

_ANSWERING = ("assistant", "model")
_HEADINGS = {"user": "### Instruction:\n", "system": "", "developer": ""}
_RESULT = "### Result:\n"  # of a tool, by whatever name
_RESPONSE = "### Response:\n"


@dataclass
class Draft:
    """Ids, and which of them are learnt."""

    ids: list[int]
    trained: list[bool]


def drafts(words: Pretrained, conversation: Conversation) -> list[Draft]:
    """The conversation by the chat template: one example, or one for each answer. Raises `DataError`, without place."""
    for turn in conversation.learned:
        _must_write_calls(words, conversation, turn)
    last = conversation.learned[-1]
    whole = _Rendered(words, conversation, last)
    turns = [whole if k == last else _Rendered(words, conversation, k) for k in conversation.learned]
    if all(whole.told[: turn.end] == turn.told[: turn.end] for turn in turns):
        return [_closed(words, whole, turns)]
    return [_closed(words, turn, [turn]) for turn in turns]


def plain_drafts(words: Pretrained, conversations: Sequence[Conversation]) -> list[Draft]:
    """Each conversation by the plain layout."""
    tokenizer, end = words.target, words.ends[0]
    turns = [_turns(one) for one in conversations]
    before = [asked for several in turns for asked, _, _ in several]
    behind = [answer for several in turns for _, answer, _ in several]
    rows = zip(
        tokenizer.encode(before),
        tokenizer.encode(behind),
        tokenizer.encode([one + other for one, other in zip(before, behind, strict=True)]),
        strict=True,
    )
    found, start = [], front(words)
    for several in turns:
        draft = Draft([*start], [False] * len(start))
        for _, _, learned in several:
            asked, answer, both = next(rows)
            # As one text where the cut falls between two tokens; else as the model will meet it: the prompt alone.
            answer = both[len(asked) :] if both[: len(asked)] == asked else answer
            draft.ids += [*asked, *answer, end]
            draft.trained += [False] * len(asked) + [learned] * (len(answer) + 1)
        found.append(draft)
    return found


def prompt(words: Pretrained, messages: Sequence[Message], conversation: Conversation | None = None) -> list[int]:
    """What a model goes on from, as it was trained; `conversation` says how, where it is bare or has tools."""
    told = conversation or Conversation()
    if words.template:
        return _encoded(words, messages, told, True)
    ids = front(words)
    texts = _turns(Conversation((*messages, {"role": "assistant", "content": ""}), bare=told.bare))
    for (_, answer, _), row, behind in zip(
        texts,
        words.target.encode([asked for asked, _, _ in texts]),
        words.target.encode([answer for _, answer, _ in texts]),
        strict=True,
    ):
        ids += [*row, *behind, words.ends[0]] if answer else row
    return ids


def front(words: Pretrained) -> list[int]:
    """The special tokens that the tokenizer puts ahead of a text."""
    framed, bare = words.target.framed(["a"])[0].ids, words.target.encode(["a"])[0]
    return framed[: framed.index(bare[0])] if bare and bare[0] in framed else []


class _Rendered:
    """A conversation up to one of its answers, and where in the ids that answer begins and ends."""

    def __init__(self, words: Pretrained, conversation: Conversation, turn: int) -> None:
        self.told = _encoded(words, conversation.messages[: turn + 1], conversation, False)
        asked = _encoded(words, conversation.messages[:turn], conversation, True)
        self.start = len(asked)
        if self.told[: self.start] != asked:
            _refuse_change(words, conversation, turn)
            self.start = _shared(asked, self.told)
        ends = [place for place in range(self.start, len(self.told)) if self.told[place] in words.ends]
        self.ended = bool(ends)
        self.end = ends[-1] + 1 if ends else len(self.told)


def _refuse_change(words: Pretrained, conversation: Conversation, turn: int) -> None:
    """Where the texts part before the answer. Ids alone may part at its border, as tokens join across it."""
    told = _text(words, conversation, turn + 1, False)
    asked = _text(words, conversation, turn, True)
    # A prompt may also end in more than the turn begins with, such as the opening of a thought.
    if not told.startswith(asked) and not told.startswith(_text(words, conversation, turn, False).rstrip()):
        raise DataError(
            given=f"a chat template that changes what was asked once message {turn + 1} has answered it",
            allowed="one whose prompt is the beginning of what it writes with the answer",
            mend="another template",
        )


def _must_write_calls(words: Pretrained, conversation: Conversation, turn: int) -> None:
    """Refuse a template that writes an answer as if it called no tool."""
    said = conversation.messages[turn]
    if not said.get("tool_calls"):
        return
    silent = {key: value for key, value in said.items() if key != "tool_calls"}
    other = replace(conversation, messages=(*conversation.messages[:turn], silent))
    try:
        same = _text(words, conversation, turn + 1, False) == _text(words, other, turn + 1, False)
    except DataError:  # of one that wants content or calls, and so writes them
        return
    if same:
        raise DataError(
            given=f"a chat template that leaves out the calls of tools in message {turn + 1}",
            allowed="one that writes what is to be learnt",
            mend="a template for tools, or conversations without calls",
        )


def _closed(words: Pretrained, rendered: _Rendered, turns: Sequence[_Rendered]) -> Draft:
    """The ids up to the end of the last answer, learnt where one of the turns is."""
    draft = Draft(rendered.told[: rendered.end], [False] * rendered.end)
    for turn in turns:
        draft.trained[turn.start : turn.end] = [True] * (turn.end - turn.start)
    if not rendered.ended:
        draft.ids.append(words.ends[0])
        draft.trained.append(True)
    return draft


def _encoded(words: Pretrained, messages: Sequence[Message], conversation: Conversation, going_on: bool) -> list[int]:
    return chat.encode(
        words.target,
        words.template or "",
        messages,
        add_generation_prompt=going_on,
        specials=words.names,
        tools=conversation.tools,
    )


def _text(words: Pretrained, conversation: Conversation, count: int, going_on: bool) -> str:
    return chat.render(
        words.template or "",
        conversation.messages[:count],
        add_generation_prompt=going_on,
        specials=words.names,
        tools=conversation.tools,
    )


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids the two begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _turns(conversation: Conversation) -> list[tuple[str, str, bool]]:
    """Text before an answer, the answer, whether it is learnt. What follows the last answer is dropped."""
    found: list[tuple[str, str, bool]] = []
    before = ""
    for place, message in enumerate(conversation.messages):
        said = content_of(message) if conversation.bare else content_of(message).strip()
        if message["role"] in _ANSWERING and place:
            before += "" if conversation.bare else _RESPONSE
            found.append((before, said + _calls(message), place in conversation.learned))
            before = "" if conversation.bare else "\n\n"
        elif conversation.bare:
            before += said
        elif said:
            heading = _RESPONSE if message["role"] in _ANSWERING else _HEADINGS.get(message["role"], _RESULT)
            before += f"{heading}{said}\n\n"
    return found


def _calls(message: Message) -> str:
    """The calls of a message as JSON."""
    calls = message.get("tool_calls")
    return json.dumps(calls, ensure_ascii=False) if calls else ""
