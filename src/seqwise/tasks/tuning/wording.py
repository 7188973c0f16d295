"""The tokenizer that lies beside an adapter, as trainers leave it there: it may say how a conversation is written.

Its tokens must be those of the base. Taken from it are the chat template, the token that ends an answer, and what the
template calls its tokens. Of several adapters on one base it is taken where they agree; the base's counts elsewhere.
"""

import filecmp
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seqwise.data import neighbours, specials
from seqwise.data.neighbours import Neighbours
from seqwise.data.pretrained import Pretrained
from seqwise.errors import CheckpointError

TOKENIZER = "tokenizer.json"


def worded(words: Pretrained, base: Path, folders: Sequence[Path]) -> tuple[Pretrained, tuple[str, ...]]:
    """The words of a base as adapters in these folders were trained with them, and notes for the user."""
    beside = [neighbours.read(folder) for folder in folders]
    for around in beside:
        _must_agree(around, words, base)
    templates = {around.template or words.template for around in beside}
    if templates == {words.template}:
        return words, ()
    names = ", ".join(str(around.folder) for around in beside if around.template not in (None, words.template))
    if len(templates) > 1:
        note = (
            f"the chat template beside {names} is not that of the others, and the base's is used: a call for each has"
        )
        return words, (f"{note} its own",)
    note = f"the chat template is that beside {names}, and not the base's" if words.template else ""
    ids = words.target.vocabulary()
    ends = [ids[around.named["eos"]] for around in beside if around.named.get("eos") in ids]
    named = {f"{role}_token": name for around in beside for role, name in around.named.items() if name in ids}
    made = replace(
        words,
        template=templates.pop(),
        ends=tuple(dict.fromkeys([*words.ends, *ends])),
        names={**words.names, **named},
    )
    return made, (note,) if note else ()


def _must_agree(around: Neighbours, words: Pretrained, base: Path) -> None:
    """Refuse tokens that the base has not, or has under other numbers; but for padding, which nobody writes."""
    ids = words.target.vocabulary()
    for name, token in _tokens(around, base):
        if ids.get(name) == (token if token < words.target.size else words.target.unk) or (
            name not in ids and name == around.named.get("pad")
        ):
            continue
        given = f"the token {name!r} with id {token} beside an adapter"
        if name in ids:
            given, allowed = f"{given}, which is {ids[name]} in its base", "ids as the base has them"
        else:
            given, allowed = f"{given}, which its base does not have", "no tokens beyond those of the base"
        mend = "the base that it was trained on, saved with these tokens"
        raise CheckpointError(given, allowed, mend, str(around.folder))


def _tokens(around: Neighbours, base: Path) -> Iterator[tuple[str, int]]:
    """What the files beside an adapter say of ids; those of a file that is the base's own need no look."""
    path = around.folder / TOKENIZER
    if path.is_file() and not ((base / TOKENIZER).is_file() and filecmp.cmp(path, base / TOKENIZER, shallow=False)):
        yield from sorted(specials.read(path).get_vocab(True).items(), key=lambda one: one[1])
    yield from ((added.content, token) for token, added in around.added.items())
