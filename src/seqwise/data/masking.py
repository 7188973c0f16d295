"""Which tokens of a text a model learns to write: those of the answers, with the token that ends each, and no others.

    mask(words, conversations, ...)            conversations, prompts with answers, and plain texts
    mask_pairs(words, prompts, answers, ...)   prompts with one answer each
    mask_texts(words, texts, ...)              plain texts, every token of which is learnt
    preflight(masks, ...)                      what would make a training of no use, before it begins
    shown(masked, tokenizer)                   an example as text, the learnt stretches told apart

How a conversation becomes ids stands in `turns.py`. What is too long is refused, or cut where that is wished: a prompt
at its left, for its end is what is answered. An answer is never cut, since a model that saw its answers broken off
breaks off. A plain text is cut in pieces; the first token of each is the last one of the piece before, so that every
token is foreseen once.

Left out: shifting. Token i is learnt if `trained[i]`, and position i - 1 is what foresees it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, NamedTuple, overload

from seqwise.data.conversations import Conversation, exchange
from seqwise.data.files import OR_SKIP
from seqwise.data.pretrained import Pretrained
from seqwise.data.tokens import Tokenizer
from seqwise.data.turns import Draft, drafts, front, plain_drafts
from seqwise.errors import DataError, Fault

_CHUNK = 5_000  # conversations turned into ids at once, so that memory holds few lists of integers


@dataclass(frozen=True)
class Masked:
    """One example."""

    ids: tuple[int, ...]
    """Prompt and answer, end to end."""
    trained: tuple[bool, ...]
    """For each id, whether it is to be foreseen."""
    item: int
    """Which conversation it comes from; one may give several examples."""

    @property
    def learned(self) -> int:
        """How many ids are foreseen; the first one has nothing before it."""
        return sum(self.trained[1:])


@dataclass(frozen=True)
class Masks(Sequence[Masked]):
    """All examples, and what did not become one."""

    examples: tuple[Masked, ...]
    """In the order of the conversations."""
    skipped: tuple[Fault, ...] = ()
    """Rows that were left out, each with its reason."""
    cut: int = 0
    """Examples whose prompt was shortened."""

    def __len__(self) -> int:
        return len(self.examples)

    @overload
    def __getitem__(self, place: int) -> Masked: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Masked, ...]: ...
    def __getitem__(self, place: int | slice) -> Masked | tuple[Masked, ...]:
        return self.examples[place]

    @property
    def tokens(self) -> int:
        """Ids of all examples."""
        return sum(len(one.ids) for one in self.examples)

    @property
    def learned(self) -> int:
        """Those of them that are foreseen."""
        return sum(one.learned for one in self.examples)


class Segment(NamedTuple):
    """A stretch of an example."""

    text: str
    trained: bool


def mask(
    words: Pretrained,
    conversations: Sequence[Conversation],
    places: Sequence[str] = (),
    longest: int | None = None,
    cut: bool = False,
    *,
    template: bool = True,
    on_bad_row: Literal["stop", "skip"] = "stop",
) -> Masks:
    """Ids of conversations and plain texts. Of rows that cannot be used the first is raised, or all are skipped.

    Args:
        words: The tokenizer, with the chat template.
        conversations: What to learn from.
        places: Where each stands, for faults.
        longest: Ids of an example at most.
        cut: Shorten prompts that are too long, rather than refuse them.
        template: Follow the chat template, where the model has one.
        on_bad_row: What becomes of rows that cannot be used.
    """
    used = words if template else replace(words, template=None)
    named = places or [f"conversation {number}" for number in range(1, len(conversations) + 1)]
    found: list[Masked] = []
    faults: list[Fault] = []
    shortened = 0
    for item, row in _drafted(used, conversations, named):
        plain = conversations[item].text is not None
        for one in _examples(row, plain, longest, cut, item, named[item], words.target.bos):
            if isinstance(one, Masked) and not one.learned and on_bad_row == "skip":  # else `preflight` refuses it
                one = _untaught(named[item])
            if isinstance(one, Fault):
                faults.append(one)
            else:
                found.append(one)
                shortened += isinstance(row, Draft) and not plain and len(one.ids) < len(row.ids)
    if faults and on_bad_row == "stop":
        raise _first(faults)
    return Masks(tuple(found), tuple(faults), shortened)


def mask_pairs(
    words: Pretrained,
    prompts: Sequence[str],
    answers: Sequence[str],
    places: Sequence[str] = (),
    longest: int | None = None,
    cut: bool = False,
    *,
    template: bool = True,
    on_bad_row: Literal["stop", "skip"] = "stop",
) -> Masks:
    """Prompts with one answer each; without a template letter for letter, so that a space between is the prompt's."""
    talks = [exchange(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    return mask(words, talks, places, longest, cut, template=template, on_bad_row=on_bad_row)


def mask_texts(
    words: Pretrained, texts: Sequence[str], places: Sequence[str] = (), longest: int | None = None
) -> Masks:
    """Plain texts, each with a token at its end; those that are too long in pieces."""
    return mask(words, [Conversation(text=text) for text in texts], places, longest)


def preflight(masks: Masks, ends: Sequence[int], places: Sequence[str] = (), least: int = 2) -> Iterator[Fault]:
    """Why a training on these examples would be of no use. `ends`: the tokens that end a text."""
    if len(masks) < least:
        why = f", as {len(masks.skipped):,} were left out: {masks.skipped[0].given}" if masks.skipped else ""
        given = f"{len(masks)} example{'s' * (not masks.examples)} to learn from{why}"
        yield Fault(given, "two at least", "more data, or a larger limit of tokens")
    for one in masks.examples:
        if not one.learned:
            yield _untaught(places[one.item] if places else f"conversation {one.item + 1}")
            break
    closing = set(ends)
    if masks.examples and not any(
        token in closing
        for one in masks.examples
        for token, learned in zip(one.ids, one.trained, strict=True)
        if learned
    ):
        given = "no learnt token that ends a text, so that the model would never stop"
        yield Fault(given, "an end in one example at least", "a larger limit of tokens, or an eos_token in config.json")


def shown(masked: Masked, tokenizer: Tokenizer) -> list[Segment]:
    """The example as text with its special tokens, cut where learnt and unlearnt tokens meet."""
    names = tokenizer.special_names
    pieces = tokenizer.pieces(masked.ids)
    keys = [(trained, piece in names) for trained, piece in zip(masked.trained, pieces, strict=True)]
    found: list[Segment] = []
    for (trained, special), places in groupby(range(len(keys)), key=keys.__getitem__):
        run = [*places]
        text = "".join(pieces[i] for i in run) if special else tokenizer.decode([[masked.ids[i] for i in run]])[0]
        if found and found[-1].trained == trained:
            text = found.pop().text + text
        found.append(Segment(text, trained))
    return found


def _drafted(
    words: Pretrained, conversations: Sequence[Conversation], places: Sequence[str]
) -> Iterator[tuple[int, Draft | Fault]]:
    """The number of each conversation with its ids; several times where it gives several examples."""
    for start in range(0, len(conversations), _CHUNK):
        several = conversations[start : start + _CHUNK]
        texts = iter(_texts(words, [one.text for one in several if one.text is not None]))
        talks = [one for one in several if one.text is None]
        plain = iter([] if words.template else plain_drafts(words, talks))
        for item, one in enumerate(several, start):
            if one.text is not None:
                yield item, next(texts)
            elif not words.template:
                yield item, next(plain)
            else:
                for row in _by_template(words, one, places[item]):
                    yield item, row


def _by_template(words: Pretrained, conversation: Conversation, where: str) -> Sequence[Draft | Fault]:
    try:
        return drafts(words, conversation)
    except DataError as error:
        return [Fault(fault.given, fault.allowed, fault.mend + OR_SKIP, where) for fault in error.faults[:1]]


def _texts(words: Pretrained, texts: Sequence[str]) -> list[Draft]:
    """Plain texts, with what the tokenizer puts ahead and an end behind."""
    start, end = front(words), words.ends[0]
    rows = [[*start, *row, end] for row in words.target.encode(texts)]
    return [Draft(row, [False] * len(start) + [True] * (len(row) - len(start))) for row in rows]


def _examples(
    row: Draft | Fault, plain: bool, longest: int | None, cut: bool, item: int, where: str, bos: int
) -> Iterator[Masked | Fault]:
    """What a row of ids gives: a plain text perhaps several, a conversation one."""
    if isinstance(row, Fault):
        yield row
    elif plain:
        yield from _pieces(row, longest, item)
    else:
        yield _fitted(row, longest, cut, item, where, bos)


def _untaught(where: str) -> Fault:
    """Of an example that would be read for nothing."""
    mend = f"an answer that the chat template writes out{OR_SKIP}"
    return Fault("no token that is learnt", "one at least", mend, where)


def _pieces(draft: Draft, longest: int | None, item: int) -> Iterator[Masked]:
    size = max(2, longest or len(draft.ids))
    for first in range(0, max(1, len(draft.ids) - 1), size - 1):
        trained = draft.trained[first : first + size]
        yield Masked(tuple(draft.ids[first : first + size]), (trained[0] and not first, *trained[1:]), item)


def _fitted(draft: Draft, longest: int | None, cut: bool, item: int, where: str, bos: int) -> Masked | Fault:
    """The example, its prompt cut at the left where that is needed and wished."""
    ids, trained = draft.ids, draft.trained
    if longest is not None and len(ids) > longest:
        answer = next((i for i, learned in enumerate(reversed(trained)) if not learned), len(ids))
        if answer >= longest:
            given = f"an answer of {answer:,} tokens, which would be cut off"
            allowed = f"{longest - 1:,} at most, beside a token of the prompt"
            return Fault(given, allowed, f"a shorter answer{OR_SKIP}", where)
        if not cut:
            given = f"{len(ids):,} tokens of prompt and answer"
            return Fault(given, f"{longest:,} at most", f"--cut, which shortens the prompt{OR_SKIP}", where)
        kept = ids[:1] if ids[0] == bos and answer < longest - 1 else []  # some models are lost without it
        first = len(ids) - longest + len(kept)
        broken = trained[first - 1] and trained[first]  # an earlier answer, of which the end is left
        whole = trained.index(False, first) if broken else first
        ids = [*kept, *ids[first:]]
        trained = [False] * (len(kept) + whole - first) + trained[whole:]
    return Masked(tuple(ids), tuple(trained), item)


def _first(faults: Sequence[Fault]) -> DataError:
    """One line for all rows that cannot be used."""
    first = faults[0]
    more = f", the first of {len(faults):,} such rows" if len(faults) > 1 else ""
    return DataError(first.given + more, first.allowed, first.mend, first.where)
