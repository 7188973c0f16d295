"""Text to token ids and back: a tokenizer of our own making, or a `tokenizer.json` that someone else made.

    encode(texts) -> ids                    none added: who builds batches adds the end, who decodes the start
    decode(ids) -> texts                    without padding, start and end
    decode(encode(text)) == normalize(text)

The last holds for our BPE and unigram with any text at all. For our WordPiece, words and characters it holds
for text made of what they know; the rest comes back as `<unk>`. No special token can be smuggled in: a text
that contains "</s>" is spelled like any other text, by whatever tokenizer.

    framed(texts) -> ids, segments          with the special tokens that the file itself puts around a text
    from_template(text) -> ids              of a rendered chat, where special tokens are meant: see `chat.py`

The settings stand in `settings.py`, how a vocabulary is learnt in `subwords.py`, what a file calls its special
tokens in `specials.py`, and how the files of pretrained models are read in `pretrained.py`.

Left out: padding (`batch.py`) and cutting (`text.py`). Of someone else's tokens, only those that their file calls
special are kept out of text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from tokenizers import Encoding, processors
from tokenizers import Tokenizer as Backend

from seqwise.data import specials
from seqwise.data.pieces import ABSENT, Framed, Piece, ends, form, no_text, shown, size
from seqwise.data.sealing import Sealed
from seqwise.data.settings import TokenSettings
from seqwise.data.specials import Specials
from seqwise.data.subwords import learn

__all__ = ["Framed", "Piece", "TokenSettings", "Tokenizer", "Vocabularies", "train_tokenizers"]

_CHUNK = 20_000  # texts encoded at once: the library keeps some 2 kB for each until their ids are read
_CODE = re.compile(r">>[^<>]+<<")  # the language that Marian's multilingual models are to write, ahead of the text


class Tokenizer:
    """Text to ids and back. Made by `train_tokenizers` or `Tokenizer.load`."""

    def __init__(self, backend: Backend, specials: Specials) -> None:
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True  # read them, in a text, as text
        self._backend = backend
        self._specials = specials
        self.pad, self.unk, self.bos, self.eos = specials.pad, specials.unk, specials.bos, specials.eos
        held = 1 + max(backend.get_vocab(with_added_tokens=True).values(), default=-1)
        self.size = held if specials.rows is None else min(specials.rows, held)
        named = {token: added.content for token, added in backend.get_added_tokens_decoder().items() if added.special}
        self._sided = specials.rows is not None
        self._silent = {self.pad, self.bos, self.eos} | (named.keys() - {self.unk})
        self._barred = frozenset(self._silent) | frozenset(range(self.size, held))
        self._codes = {name: token for token, name in named.items() if _CODE.fullmatch(name)}
        self._fronted = ends(backend.normalizer, {"type": "Prepend", "prepend": " "})
        spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        self._marked = ends(backend.normalizer, spaces)  # as in the files of Llama and Gemma
        self._stripped = self._fronted or (self._marked and '"Strip"' in form(backend.decoder))
        self._bytewise = '"ByteLevel"' in form(backend.decoder)

    @property
    def special_names(self) -> frozenset[str]:
        """The special tokens as a chat template writes them."""
        return specials.special_names(self._backend)

    def normalize(self, text: str) -> str:
        """The text as the tokens see it, and as `decode` gives it back. Twice is the same as once."""
        if self._backend.normalizer is None:
            return text
        normalized: str = self._backend.normalizer.normalize_str(text)
        if self._marked:
            normalized = normalized.replace("▁", " ")
        return normalized.removeprefix(" ") if self._stripped else normalized

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, none added; on all cores."""
        rows: list[list[int]] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            bodies = [self._body(text) for text in chunk] if self._codes else chunk
            try:
                found = self._backend.encode_batch_fast(bodies, add_special_tokens=False)
            except TypeError:
                raise no_text(chunk, start) from None
            ids = [encoding.ids for encoding in found]
            rows.extend(map(self._looked_up, ids, bodies) if self._sided else ids)
        rows = [self._own(row) for row in rows]
        return [[*self._code(text), *row] for text, row in zip(texts, rows, strict=True)] if self._codes else rows

    def framed(self, texts: Sequence[str | tuple[str, str]]) -> list[Framed]:
        """Each text, or pair of texts, with the special tokens that the file puts around it.

        Those in the text itself stay text, as with `encode`. A file that says nothing of them adds none.
        """
        framed: list[Framed] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            bodies = [self._body(text) if isinstance(text, str) else text for text in chunk] if self._codes else chunk
            try:
                found = self._backend.encode_batch(bodies, add_special_tokens=True)
            except TypeError:
                raise no_text(chunk, start) from None
            for text, body, encoding in zip(chunk, bodies, found, strict=True):
                framed.append(self._framed(text, body, encoding))
        return framed

    def cut(self, pair: tuple[str, str], most: int) -> Framed:
        """A pair as `framed` has it, with at most so many ids: tokens go from the end of the longer text, until both
        are as long; then from both (longest_first, as transformers calls it)."""
        self._backend.enable_truncation(most, strategy="longest_first")
        try:
            return self.framed([pair])[0]
        finally:
            self._backend.no_truncation()

    def frame(self, front: bool, behind: bool) -> None:
        """From now on, and in the file: `framed` puts the start token in front of a text, the end token behind it."""
        start, end = (self._backend.id_to_token(token) for token in (self.bos, self.eos))
        one = [start] * front + ["$A"] + [end] * behind
        both = [(start, self.bos), (end, self.eos)]
        self._backend.post_processor = processors.TemplateProcessing(one, [*one, "$B", *[end] * behind], both)

    def from_template(self, text: str, marks: Mapping[str, str] | None = None) -> list[int]:
        """Ids of a text that a chat template made, in which special tokens are special, and none added.

        `marks` stand for words of the user's (mark -> words), in which they are not.
        """
        try:
            if not marks:
                return list(self._open.encode(text, add_special_tokens=False).ids)
            ids, meant = self._sealed.encode(text, marks)
        except TypeError:
            raise no_text([text], 0) from None
        runs = groupby(zip(ids, meant, strict=True), key=itemgetter(1))
        rows = ((special, [token for token, _ in run]) for special, run in runs)
        return [token for special, row in rows for token in (row if special else self._own(row))]

    def decode(self, ids_batch: Sequence[Sequence[int]]) -> list[str]:
        """The text of each row, without special tokens, but with `<unk>`: a lost word is to be seen."""
        rows = [[token for token in ids if token not in self._silent] for ids in ids_batch]
        return list(self._backend.decode_batch(rows, skip_special_tokens=False))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each token as one reads it in a table: "▁" for a space, which mostly means that a word begins."""
        return [self._piece(token) for token in ids]

    def size_of(self, token: int) -> int:
        """Bytes that it stands for in a text, part of a character included."""
        if token in self._silent:
            return 0
        named = size(self._backend.id_to_token(token) or "", self._bytewise)
        return len(self.decode([[token]])[0].encode()) if named is None else named

    def words(self, text: str) -> list[Piece]:
        """The tokens of a text, one for each id of `encode`, with the place where each stands in it."""
        body = self._body(text)
        ahead = len(text) - len(body)
        try:
            encoding = self._backend.encode(body, add_special_tokens=False)
        except TypeError:
            raise no_text([text], 0) from None
        found = [Piece(piece, 0, ahead) for piece in self.pieces(self._code(text))]
        ids = self._looked_up(encoding.ids, body)
        for token, (start, end) in zip(ids, encoding.offsets, strict=True):
            while start < end - 1 and body[start].isspace():  # the space before a word is no part of it
                start += 1
            found.extend(Piece(piece, ahead + start, ahead + end) for piece in self.pieces(self._own([token])))
        return found

    def vocabulary(self) -> dict[str, int]:
        """Every token as the file writes it, and its id; that of the unknown for pieces that the model lacks."""
        held = self._backend.get_vocab(with_added_tokens=True)
        return {name: token if token < self.size else self.unk for name, token in held.items()}

    def merges(self) -> list[tuple[str, str]] | None:
        """The pairs that BPE joins, the first ones first; None where the tokens are not made by merging."""
        model = json.loads(form(self._backend.model))
        if model.get("type") != "BPE":
            return None
        pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"])
        return [(left, right) for left, right in pairs]

    def grouped(self, texts: Sequence[str]) -> Iterator[list[tuple[int, ...]]]:
        """The ids of each text as `encode` gives them, those of one word together."""
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            bodies = [self._body(text) for text in chunk]
            found = self._backend.encode_batch(bodies, add_special_tokens=False)
            for text, body, encoding in zip(chunk, bodies, found, strict=True):
                pairs = zip(encoding.word_ids, self._looked_up(encoding.ids, body), strict=True)
                words = ([token for _, token in word] for _, word in groupby(pairs, key=itemgetter(0)))
                yield [(token,) for token in self._code(text)] + [tuple(self._own(word)) for word in words]

    def save(self, path: str | Path) -> None:
        """Write the file, all of it or nothing; beside it the names of its special tokens, if unusual."""
        specials.save(Path(path), self._backend, self._specials)

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read a tokenizer.json, or the one in a folder: ours, or any in the format of Hugging Face."""
        path = Path(path)
        return cls(*specials.load(path / "tokenizer.json" if path.is_dir() else path))

    @cached_property
    def _open(self) -> Backend:
        """The tokenizer as its file has it: special tokens in a text are special. Costs as much as reading it."""
        return Backend.from_str(self._backend.to_str())

    @cached_property
    def _sealed(self) -> Sealed:
        return Sealed(self._backend)

    def _piece(self, token: int) -> str:
        return shown(self._backend.id_to_token(token) or f"<{token}>", self._bytewise)

    def _code(self, text: str) -> list[int]:
        """The language code that a text begins with, where the tokenizer has such codes."""
        found = _CODE.match(text) if self._codes else None
        return [self._codes[found[0]]] if found and found[0] in self._codes else []

    def _body(self, text: str) -> str:
        """The text behind the code."""
        found = _CODE.match(text) if self._codes else None
        return text[found.end() :] if found and found[0] in self._codes else text

    def _framed(self, text: str | tuple[str, str], body: str | tuple[str, str], encoding: Encoding) -> Framed:
        ids = [*self._code(text)] if isinstance(text, str) else []
        segments = [0] * len(ids)
        mask = encoding.special_tokens_mask
        bare = [token for token, added in zip(encoding.ids, mask, strict=True) if not added]
        found = iter(self._looked_up(bare, body) if isinstance(body, str) else bare)
        for token, segment, added in zip(encoding.ids, encoding.type_ids, mask, strict=True):
            own = [token] if added else self._own([next(found)])
            ids.extend(own)
            segments.extend([segment] * len(own))
        return Framed(ids, segments)

    def _looked_up(self, ids: list[int], text: str) -> list[int]:
        """The ids with those of stretches that one side cannot cut, but that are a token of the other's.

        Marian looks all pieces up by their letters, the unknown ones too: "é" in an English text keeps its id.
        """
        if not self._sided or self.unk not in ids:
            return ids
        normal = self.normalize(text)  # once more is the same, and now places count in it
        encoding = self._backend.encode(normal, add_special_tokens=False)
        if encoding.ids != ids:
            return ids
        names = [normal[start:end] for start, end in encoding.offsets]
        others = [
            self._backend.token_to_id(ABSENT + name) if token == self.unk else token
            for token, name in zip(ids, names, strict=True)
        ]
        return [self.unk if token is None else token for token in others]

    def _own(self, ids: list[int]) -> list[int]:
        """The ids that a text may have, from those that the library found in it.

        A special token that the model itself saw becomes letters: T5's and other unigram files hold "</s>" among
        their pieces and take the letters for it. A piece that the model has no row for becomes unknown.
        """
        if self._barred.isdisjoint(ids):
            return ids
        spelled: list[int] = []
        for token in ids:
            if token in self._silent:
                letters = map(self._backend.token_to_id, self._backend.id_to_token(token) or "")
                spelled.extend(self.unk if letter is None or letter in self._barred else letter for letter in letters)
            else:
                spelled.append(token if token < self.size else self.unk)
        return spelled


@dataclass(frozen=True)
class Vocabularies:
    """The tokenizers of both sides."""

    source: Tokenizer
    """Of what is read."""
    target: Tokenizer
    """Of what is written; the very same object where the vocabulary is joint."""
    notes: tuple[str, ...] = ()
    """What the user should hear about how they came out."""

    @property
    def joint(self) -> bool:
        """Whether both sides have the same ids."""
        return self.source is self.target

    def save(self, folder: str | Path) -> None:
        """`tokenizer.json`, and `tokenizer.target.json` where the target has its own."""
        source, target = _files(folder)
        self.source.save(source)
        if self.joint:
            target.unlink(missing_ok=True)
        else:
            self.target.save(target)

    @classmethod
    def load(cls, folder: str | Path) -> "Vocabularies":
        """What `save` wrote."""
        source, target = _files(folder)
        first = Tokenizer.load(source)
        return cls(first, Tokenizer.load(target) if target.exists() else first)


def train_tokenizers(sources: Sequence[str], targets: Sequence[str], settings: TokenSettings) -> Vocabularies:
    """Learn the tokenizers that the settings ask for, or read them where the settings name files."""
    if settings.source_file is not None:
        first = Tokenizer.load(settings.source_file)
        return Vocabularies(first, Tokenizer.load(settings.target_file) if settings.target_file else first)
    if settings.joint:
        joint, notes = _learnt([*sources, *targets], settings, "the texts hold")
        return Vocabularies(joint, joint, notes)
    source, source_notes = _learnt(sources, settings, "the sources hold")
    target, target_notes = _learnt(targets, settings, "the targets hold")
    return Vocabularies(source, target, source_notes + target_notes)


def _learnt(texts: Sequence[str], settings: TokenSettings, who: str) -> tuple[Tokenizer, tuple[str, ...]]:
    backend = learn(
        texts,
        settings.kind,
        size=settings.size,
        normalize=settings.normalize,
        lowercase=settings.lowercase,
        min_frequency=settings.min_frequency,
    )
    made = Tokenizer(backend, Specials(pad=0, unk=1, bos=2, eos=3))
    if made.size >= settings.size:
        return made, ()
    return made, (f"{who} {made.size} tokens, fewer than --tokens.size {settings.size}",)


def _files(folder: str | Path) -> tuple[Path, Path]:
    return Path(folder) / "tokenizer.json", Path(folder) / "tokenizer.target.json"
