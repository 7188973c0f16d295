"""Conversations and plain texts, as a model that writes learns them: what is said, and which of it is to be learnt.

Values only: no file is opened here. How they are read stands in `instructions.py`, how they become ids in
`masking.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqwise.data.objects import place
from seqwise.errors import Fault

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Conversation:
    """Messages, some of them answers to be learnt; or one plain text, which is learnt whole."""

    messages: tuple[Message, ...] = ()
    """Each with `role` (system, user, assistant, tool) and `content`, an assistant's perhaps with `tool_calls`."""
    learned: tuple[int, ...] = ()
    """Which of the messages are to be learnt, in their order."""
    tools: tuple[Mapping[str, Any], ...] | None = None
    """What the assistant may call, as the chat template wants it."""
    bare: bool = False
    """A prompt and what follows it letter for letter: without a chat template nothing is put around them."""
    text: str | None = None
    """A plain text; then there are no messages."""

    @property
    def asked(self) -> tuple[Message, ...]:
        """What stands before the last answer."""
        return self.messages[: self.learned[-1]] if self.learned else ()

    @property
    def answer(self) -> str:
        """The last answer that is to be learnt; of a plain text nothing."""
        return content_of(self.messages[self.learned[-1]]) if self.learned else ""

    @property
    def question(self) -> str:
        """What stands before the last answer, as one text; a plain text itself."""
        return self.text if self.text is not None else "\n".join(map(content_of, self.asked))


@dataclass(frozen=True)
class Conversations:
    """Several of them, and where each stands."""

    items: tuple[Conversation, ...]
    """What is learnt from."""
    files: tuple[str, ...]
    """The file of each, as the user named it."""
    lines: tuple[int, ...]
    """The line, from 1, where each begins."""
    rows: tuple[int, ...]
    """Its number in a JSON list, from 1; 0 in a file that has a row in each line."""
    groups: tuple[str, ...] = ()
    """What the column of `group_by` holds; empty where none was asked for."""
    skipped: tuple[Fault, ...] = ()
    """The bad rows that were left out."""

    @classmethod
    def of(cls, items: Iterable[Conversation], name: str = "memory") -> "Conversations":
        """Conversations that come from no file; `name` stands for it."""
        kept = tuple(items)
        return cls(kept, (name,) * len(kept), tuple(range(1, len(kept) + 1)), (0,) * len(kept))

    def __post_init__(self) -> None:
        if not len(self.items) == len(self.files) == len(self.lines) == len(self.rows):
            raise ValueError("items, files, lines and rows are not equally many")

    def __len__(self) -> int:
        return len(self.items)

    def where(self, item: int) -> str:
        """`file:line` of one conversation, with its number where it stands in a list."""
        return place(self.files[item], self.lines[item], self.rows[item])

    @property
    def places(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(map(self.where, range(len(self))))

    def select(self, items: Sequence[int]) -> "Conversations":
        """These conversations, in this order, without a memory of bad rows."""
        return Conversations(
            tuple([self.items[item] for item in items]),
            tuple([self.files[item] for item in items]),
            tuple([self.lines[item] for item in items]),
            tuple([self.rows[item] for item in items]),
            tuple([self.groups[item] for item in items]) if self.groups else (),
        )


def exchange(prompt: str, answer: str, *, bare: bool = True) -> Conversation:
    """A prompt and its answer."""
    messages = ({"role": "user", "content": prompt}, {"role": "assistant", "content": answer})
    return Conversation(messages, (1,), bare=bare)


def content_of(message: Message) -> str:
    """What a message says; nothing where it only calls a tool."""
    content = message.get("content")
    return content if isinstance(content, str) else ""
