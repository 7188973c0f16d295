"""Text to token ids and back: a tokenizer of our own making, or a `tokenizer.json` that someone else made.

    encode(texts) -> ids                    none added: who builds batches adds the end, who decodes the start
    decode(ids) -> texts                    without padding, start and end
    decode(encode(text)) == normalize(text)

The last holds for our BPE and unigram with any text at all. For our WordPiece, words and characters it holds
for text made of what they know; the rest comes back as `<unk>`. No special token can be smuggled in: a text
that contains "</s>" is spelled like any other text, by whatever tokenizer.

How a vocabulary is learnt stands in `subwords.py`; what a file calls its special tokens, in `specials.py`.

Left out: padding (`batch.py`), cutting (`text.py`), chat templates, and the post-processor of a file, which
adds special tokens. Of someone else's tokens, only those that their file calls special are kept out of text.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, NamedTuple

from tokenizers import Tokenizer as Backend

from seqwise.config import Range
from seqwise.data import specials
from seqwise.data.specials import Specials
from seqwise.data.subwords import Form, Kind, learn
from seqwise.errors import DataError, Fault

_CHUNK = 20_000  # texts encoded at once: the library keeps some 2 kB for each until their ids are read


@dataclass(frozen=True)
class TokenSettings:
    """How text is cut into tokens."""

    kind: Kind = "bpe"
    """bpe: frequent pieces, built up from pairs; good from a thousand sentences on, hence the default.
    unigram: pieces chosen by likelihood; somewhat more of them for the same text. wordpiece: like bpe, but a
    word with an unknown character is lost. words, characters: for comparison and for teaching."""
    size: Annotated[int, Range(5)] = 8000
    """Tokens at most, the special and the 256 byte tokens among them; fewer where the corpus holds fewer.
    8000 to 10000 is usual for small corpora (30,000 to 300,000 sentences), 32000 above a million."""
    joint: bool = True
    """One vocabulary for source and target, so that names and numbers are the same token and embeddings can
    be tied. Separate ones pay where the scripts differ, as in English to Chinese."""
    lowercase: bool = False
    """Lower all letters. Right for corpora scored without case; what is lost cannot come back."""
    normalize: Form = "nfkc"
    """nfkc: one form for what looks alike (ligatures, full-width letters, no-break spaces). nfc: only joins
    accents to their letters. none: every character as it is."""
    min_frequency: Annotated[int, Range(1)] = 2
    """Pairs, words and characters that are rarer are not learnt: what stands once teaches nothing."""
    dropout: Annotated[float, Range(0.0, 0.5)] = 0.0
    """Share of the merges of BPE left out at random while training, anew in each epoch, so that one word is seen
    in many spellings (Provilkov et al. 2020); 0.1 where the corpus is small, 0 above a million sentences."""
    source_file: str | None = None
    """An existing tokenizer.json instead of a new one, for both sides unless `target_file` is given. The
    settings above, but for `dropout`, count for nothing then."""
    target_file: str | None = None
    """An existing tokenizer.json for the target side."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself."""
        if self.target_file is not None and self.source_file is None:
            yield Fault(
                given=f"--tokens.target-file {self.target_file} alone",
                allowed="a file for both sides or for none",
                mend="--tokens.source-file with the tokenizer.json of the source side",
            )
        if self.dropout and self.source_file is None and self.kind != "bpe":
            yield Fault(
                given=f"--tokens.dropout {self.dropout} with --tokens.kind {self.kind}",
                allowed="it with BPE only, whose merges it leaves out",
                mend="--tokens.dropout 0, or --tokens.kind bpe",
            )
        if not self.joint and self.source_file is not None and self.target_file is None:
            yield Fault(
                given="--tokens.joint false with --tokens.source-file only",
                allowed="a file for each side",
                mend="--tokens.target-file, or --tokens.joint true",
            )


class Piece(NamedTuple):
    """One token of a text, and where in the text it stands."""

    piece: str
    """As `Tokenizer.pieces` shows it."""
    start: int
    """First character, in the text as it was given."""
    end: int
    """One past the last."""


class Tokenizer:
    """Text to ids and back. Made by `train_tokenizers` or `Tokenizer.load`."""

    def __init__(self, backend: Backend, specials: Specials) -> None:
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True  # read them, in a text, as text
        self._backend = backend
        self._specials = specials
        self.pad, self.unk, self.bos, self.eos = specials.pad, specials.unk, specials.bos, specials.eos
        self.size = 1 + max(backend.get_vocab(with_added_tokens=True).values(), default=-1)
        named = {token for token, added in backend.get_added_tokens_decoder().items() if added.special}
        self._silent = {self.pad, self.bos, self.eos} | (named - {self.unk})
        self._fronted = _ends(backend.normalizer, {"type": "Prepend", "prepend": " "})
        spaces: dict[str, object] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        self._marked = _ends(backend.normalizer, spaces)  # as in the files of Llama
        self._bytewise = '"ByteLevel"' in _form(backend.decoder)

    def normalize(self, text: str) -> str:
        """The text as the tokens see it, and as `decode` gives it back. Twice is the same as once."""
        if self._backend.normalizer is None:
            return text
        normalized: str = self._backend.normalizer.normalize_str(text)
        if self._marked:
            normalized = normalized.replace("▁", " ")
        return normalized.removeprefix(" ") if self._fronted or self._marked else normalized

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, none added; on all cores."""
        rows: list[list[int]] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            try:
                found = self._backend.encode_batch_fast(chunk, add_special_tokens=False)
            except TypeError:
                raise _no_text(chunk, start) from None
            rows.extend(encoding.ids for encoding in found)
        return [row if self._silent.isdisjoint(row) else self._spelled(row) for row in rows]

    def decode(self, ids_batch: Sequence[Sequence[int]]) -> list[str]:
        """The text of each row, without special tokens, but with `<unk>`: a lost word is to be seen."""
        rows = [[token for token in ids if token not in self._silent] for ids in ids_batch]
        return list(self._backend.decode_batch(rows, skip_special_tokens=False))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each token as one reads it in a table: "▁" for a space, which mostly means that a word begins."""
        return [self._piece(token) for token in ids]

    def words(self, text: str) -> list[Piece]:
        """The tokens of a text, one for each id of `encode`, with the place where each stands in it."""
        try:
            encoding = self._backend.encode(text, add_special_tokens=False)
        except TypeError:
            raise _no_text([text], 0) from None
        found: list[Piece] = []
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            while start < end - 1 and text[start].isspace():  # the space before a word is no part of it
                start += 1
            tokens = self._spelled([token]) if token in self._silent else [token]
            found.extend(Piece(piece, start, end) for piece in self.pieces(tokens))
        return found

    def vocabulary(self) -> dict[str, int]:
        """Every token as the file writes it, and its id."""
        return dict(self._backend.get_vocab(with_added_tokens=True))

    def merges(self) -> list[tuple[str, str]] | None:
        """The pairs that BPE joins, the first ones first; None where the tokens are not made by merging."""
        model = json.loads(_form(self._backend.model))
        if model.get("type") != "BPE":
            return None
        pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"])
        return [(left, right) for left, right in pairs]

    def grouped(self, texts: Sequence[str]) -> Iterator[list[tuple[int, ...]]]:
        """The ids of each text as `encode` gives them, those of one word together."""
        for start in range(0, len(texts), _CHUNK):
            for encoding in self._backend.encode_batch(list(texts[start : start + _CHUNK]), add_special_tokens=False):
                pairs = zip(encoding.word_ids, encoding.ids, strict=True)
                words = ([token for _, token in word] for _, word in groupby(pairs, key=itemgetter(0)))
                yield [tuple(word if self._silent.isdisjoint(word) else self._spelled(word)) for word in words]

    def save(self, path: str | Path) -> None:
        """Write the file, all of it or nothing; beside it the names of its special tokens, if unusual."""
        specials.save(Path(path), self._backend, self._specials)

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read a tokenizer.json, or the one in a folder: ours, or any in the format of Hugging Face."""
        path = Path(path)
        return cls(*specials.load(path / "tokenizer.json" if path.is_dir() else path))

    def _piece(self, token: int) -> str:
        piece = self._backend.id_to_token(token) or f"<{token}>"
        if self._bytewise and all(letter in _BYTE_OF for letter in piece):
            piece = bytes(_BYTE_OF[letter] for letter in piece).decode("utf-8", errors="replace")
        return piece.translate(_VISIBLE)

    def _spelled(self, ids: Sequence[int]) -> list[int]:
        """Special tokens that the model itself saw in a text, letter by letter instead.

        T5's and other unigram files hold "</s>" among their pieces and take the letters for it.
        """
        spelled: list[int] = []
        for token in ids:
            if token in self._silent:
                letters = map(self._backend.token_to_id, self._backend.id_to_token(token) or "")
                spelled.extend(self.unk if letter is None else letter for letter in letters)
            else:
                spelled.append(token)
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


def _no_text(texts: Sequence[str], start: int) -> DataError:
    """Which text the library could not read: half of a surrogate pair, from bytes that were never UTF-8."""
    for place, text in enumerate(texts, start):
        try:
            text.encode()
        except UnicodeEncodeError:
            return DataError(f"text {place + 1}, {text[:40]!r}", "text in UTF-8", "converting the file to UTF-8")
    raise TypeError(f"encode() takes a sequence of texts, not of {type(texts[0]).__name__}")


def _form(part: object) -> str:
    """A part of a tokenizer as it stands in the file."""
    return "null" if part is None else part.__getstate__().decode()  # type: ignore[attr-defined]


def _ends(part: object, step: dict[str, object]) -> bool:
    """Whether this is the last step of a sequence."""
    form = json.loads(_form(part)) or {}
    return bool((form.get("normalizers") or [None])[-1] == step)


def _letters_of_bytes() -> dict[str, int]:
    """How GPT-2's files write bytes: the printable ones of Latin-1 as they are, the others from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTE_OF = _letters_of_bytes()
_VISIBLE = str.maketrans({" ": "▁", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
