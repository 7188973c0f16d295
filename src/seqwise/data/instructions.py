"""What a model that writes is tuned on, from the user's files: instructions, conversations, plain text.

    alpaca      {"instruction": .., "input": .., "output": .., "system": .., "history": [[asked, answered], ..]}
    prompt      {"prompt": .., "completion": ..}, both texts or both lists of messages
    messages    {"messages": [{"role": .., "content": ..}, ..], "tools": [..]}
    sharegpt    {"conversations": [{"from": "human", "value": ..}, ..], "system": .., "tools": ..}
    text        {"text": ..}; or a file that is no JSON, whose every line is a text

A JSON file has an object a line or one list of them, plain or gzipped. The form is told from the keys of the first
row of each file. Whatever the form, out come messages with the roles that chat templates know (`messages.py`).

Left out: preferences (chosen and rejected), pictures and sounds in messages.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from seqwise.config import check
from seqwise.data.conversations import Conversation, Conversations
from seqwise.data.corpus import encoding_faults
from seqwise.data.files import OR_SKIP, Undecoded, check_paths, left_out, lines
from seqwise.data.messages import BadError, alpaca, conversed, plain, prompted
from seqwise.data.objects import Found, bad_at, objects, place
from seqwise.data.readers import ABSENT, Note, listed, value_at
from seqwise.errors import DataError, Fault, nearest

OnBadRow = Literal["stop", "skip"]
Form = Literal["auto", "alpaca", "prompt", "messages", "sharegpt", "text"]

_KEYS: dict[Form, tuple[str, ...]] = {
    "alpaca": ("instruction", "output"),
    "prompt": ("prompt", "completion"),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "text": ("text",),
}
_JSON = (".json", ".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv", ".tab", ".parquet", ".tmx")


@dataclass(frozen=True)
class InstructionSettings:
    """How the files are read that a model which writes is tuned on."""

    format: Form = "auto"
    """auto: by the keys of the first row of a JSON file; a file that is no JSON is text. The others say which."""
    encoding: str = "utf-8"
    """By any name that Python knows; not guessed, since a wrong guess trains on garbage."""
    prompt: str | None = None
    """Entry of the prompt where it has another name than "prompt", such as question; a dot leads into an object."""
    answer: str | None = None
    """Entry of the answer where it has another name than "completion"."""
    learn: Literal["all", "last"] = "all"
    """Which answers of a conversation are learnt: all, or the last one only, the others being read."""
    documents: Literal["lines", "file"] = "lines"
    """What is one text in a file that is no JSON: lines takes each line, file the whole, as novels and code need."""
    group_by: str | None = None
    """Entry whose value says what belongs together, such as an author, so that no group is split."""
    on_bad_row: OnBadRow = "stop"
    """stop names a row that cannot be read and ends; skip leaves it out and counts it."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself, or is no name of an encoding."""
        yield from encoding_faults(self.encoding)
        if (self.prompt or self.answer) and self.format not in ("auto", "prompt"):
            flag = "--data.prompt" if self.prompt else "--data.answer"
            yield Fault(f"{flag} with --data.format {self.format}", "--data.format prompt", "leaving one of them out")

    @property
    def names(self) -> tuple[str, str]:
        """The entries of prompt and answer."""
        return self.prompt or "prompt", self.answer or "completion"


def read_instructions(
    paths: Sequence[str | Path], settings: InstructionSettings, on_note: Note | None = None
) -> Conversations:
    """Read conversations and texts; `on_note` is told how many bad rows were skipped."""
    check(settings)
    names = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not names:
        raise DataError("no file", "one file at least", "data.jsonl")
    check_paths(names)
    found = _Read(settings)
    for name in names:
        good, bad, blank = len(found.items), len(found.skipped), found.blank
        found.take(name)
        new, empty = found.skipped[bad:], found.blank - blank
        if len(found.items) == good:
            raise _nothing(name, new)
        if new and on_note is not None:
            on_note(left_out(name, new))
        if empty and on_note is not None:
            on_note(f"{name}: {empty:,} row{'s' * (empty > 1)} with a blank text left out")
    return found.conversations()


def read_texts(
    path: str | Path, encoding: str = "utf-8", on_bad_row: OnBadRow = "stop", on_note: Note | None = None
) -> list[tuple[str, str]]:
    """Plain texts, without the space at their ends, and where each stands: of a JSON file the entry `text` of each row,
    else each line. Blank ones are left out."""
    name = str(path)
    _refuse_table(name)
    if holds_rows(name):
        try:
            found = read_instructions([name], InstructionSettings("text", encoding, on_bad_row=on_bad_row), on_note)
        except DataError as error:
            raise DataError.of([replace(one, mend=one.mend.removesuffix(OR_SKIP)) for one in error.faults]) from None
        return [(str(one.text).rstrip(), found.where(item)) for item, one in enumerate(found.items)]
    check_paths([name])
    numbered = enumerate(good_lines(lines(name, encoding, alone=True), name, on_bad_row, on_note), 1)
    return [(line.rstrip(), f"{name}:{number}") for number, line in numbered if line.strip()]


def good_lines(
    found: Iterable[str | Undecoded], path: str, on_bad_row: OnBadRow, on_note: Note | None
) -> Iterator[str]:
    """Lines of plain text, an empty one where one that cannot be decoded is skipped."""
    bad: list[Fault] = []
    for line in found:
        if not isinstance(line, Undecoded):
            yield line
            continue
        if on_bad_row == "stop":
            raise DataError.of([line.fault])
        bad.append(line.fault)
        yield ""
    if bad and on_note is not None:
        on_note(left_out(path, bad))


def holds_rows(path: str | Path) -> bool:
    """Whether it is a JSON file, by its ending."""
    return _ending(path) in _JSON


def _ending(path: str | Path) -> str:
    return Path(str(path).lower().removesuffix(".gz")).suffix


def _refuse_table(path: str) -> None:
    ending = _ending(path)
    if ending in _TABLES:
        allowed = "JSONL, a JSON list or plain text"
        raise DataError(f"a {ending} file", allowed, "writing it as JSONL, an object a line", path)


@dataclass
class _Read:
    """What was read so far."""

    settings: InstructionSettings
    items: list[Conversation] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    skipped: list[Fault] = field(default_factory=list)
    blank: int = 0
    """Rows of plain text that say nothing, which are left out as blank lines are."""

    def take(self, path: str) -> None:
        """Add the good rows of a file and the bad ones; or raise the first bad one."""
        _refuse_table(path)
        is_json = holds_rows(path) or self.settings.format not in ("auto", "text")
        if self.settings.group_by is not None and not is_json:
            given = f"--data.group-by {self.settings.group_by} for plain text"
            raise DataError(given, "JSON, whose rows have entries", "leaving it out", path)
        for one in self._rows(path) if is_json else self._texts(path):
            if isinstance(one, Fault):
                if self.settings.on_bad_row == "stop":
                    raise DataError.of([one])
                self.skipped.append(one)
        self.files += [path] * (len(self.items) - len(self.files))

    def conversations(self) -> Conversations:
        """All that was read."""
        numbers, rows = [line for line, _ in self.places], [row for _, row in self.places]
        return Conversations(
            tuple(self.items), tuple(self.files), tuple(numbers), tuple(rows), tuple(self.groups), tuple(self.skipped)
        )

    def _texts(self, path: str) -> Iterator[Fault | None]:
        whole: list[str] = []
        for number, line in enumerate(lines(path, self.settings.encoding), 1):
            if isinstance(line, Undecoded):
                yield line.fault
            elif self.settings.documents == "file":
                whole.append(line)
            elif line.strip():
                yield self._keep_text(path, number, line.rstrip("\r"))
        if whole:
            yield self._keep_text(path, 1, "\n".join(whole) + "\n")

    def _keep_text(self, path: str, number: int, text: str) -> Fault | None:
        if "\0" in text:
            return bad_at(f"{path}:{number}", "a NUL byte", "text", f"tr -d '\\000' < {path}")
        if text.strip():
            self.items.append(Conversation(text=text))
            self.places.append((number, 0))
        return None

    def _rows(self, path: str) -> Iterator[Fault | None]:
        form: Form | None = None
        for one in objects(path, self.settings.encoding):
            if isinstance(one, Fault):
                yield one
                continue
            where = place(path, one.line, one.row)
            try:
                form = form or _form(one.value, self.settings, where)
                if form == "text" and isinstance(text := one.value.get("text"), str) and not text.strip():
                    self.blank += 1
                    continue
                yield self._keep(one, _parser(form, self.settings)(one.value), where)
            except BadError as bad:
                yield bad_at(where, bad.given, bad.allowed, bad.mend)

    def _keep(self, found: Found, item: Conversation, where: str) -> Fault | None:
        name = self.settings.group_by
        if name is not None:
            group = value_at(found.value, name)
            if not isinstance(group, str | int):
                given = f'no "{name}" among {listed(list(found.value))}' if group is ABSENT else f'"{name}": {group!r}'
                return bad_at(where, given, "a text or a whole number that names the group")
            self.groups.append(str(group))
        self.items.append(replace(item, learned=item.learned[-1:]) if self.settings.learn == "last" else item)
        self.places.append((found.line, found.row))
        return None


def _parser(form: Form, settings: InstructionSettings) -> Callable[[dict[str, Any]], Conversation]:
    match form:
        case "alpaca":
            return alpaca
        case "prompt":
            return lambda row: prompted(_named(row, settings), settings.names)
        case "messages" | "sharegpt":
            return lambda row: conversed(row, _KEYS[form][0])
    return plain


def _named(row: dict[str, Any], settings: InstructionSettings) -> dict[str, Any]:
    """The row, in which a name with a dot leads to what it names."""
    found = {name: value_at(row, name) for name in settings.names}
    return row | {name: value for name, value in found.items() if value is not ABSENT}


def _form(row: dict[str, Any], settings: InstructionSettings, where: str) -> Form:
    """The form of a file, from its first row."""
    if settings.format != "auto":
        return settings.format
    if settings.prompt or settings.answer:
        return "prompt"
    if "chosen" in row and "rejected" in row:
        raise BadError("a preference (chosen and rejected)", "an answer that is to be learnt", "another file")
    fitting = [form for form, keys in _KEYS.items() if all(key in row for key in keys)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        keys = " and ".join(f"{form} ({', '.join(_KEYS[form])})" for form in fitting)
        mend = " or ".join(f"--data.format {form}" for form in fitting)
        raise DataError(f"keys of {keys}", "one form, told apart by its keys", mend, where)
    raise BadError(f"no form with the keys {listed(list(row))}", _known(), _meant(row))


def _known() -> str:
    return "; or ".join(" and ".join(keys) for keys in _KEYS.values())


def _meant(row: dict[str, Any]) -> str:
    """What to do about keys of no form."""
    for keys in _KEYS.values():
        there, missing = [key for key in keys if key in row], [key for key in keys if key not in row]
        if there and missing:
            others = [key for key in row if key not in there]
            close = nearest(missing[0], others)
            return f'"{missing[0]}"' + (f' in place of "{close}"' if close else "") + f' beside "{there[0]}"'
    texts = [key for key, value in row.items() if isinstance(value, str)]
    if len(texts) > 1:
        return f"--data.prompt {texts[0]} --data.answer {texts[1]}, if that is what they are"
    return "one of these forms"


def _nothing(path: str, bad: list[Fault]) -> DataError:
    """A file without one good row."""
    if not bad:
        return DataError("no row but blank lines", "one row at least", "the right file", path)
    first = bad[0]
    which = f"the first of {len(bad):,} rows, which are all bad" if len(bad) > 1 else "the only row"
    given = f"{first.given}, {which}"
    return DataError(given, first.allowed, first.mend.removesuffix(OR_SKIP), first.where)
