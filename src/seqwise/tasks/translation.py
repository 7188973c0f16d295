"""Translation: sentence pairs in, sentences out. Text meets tokens meets the model here, and nowhere below."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import torch

from seqwise.data.text import Pairs
from seqwise.data.tokens import Vocabularies
from seqwise.decoding import Ensemble, Generation, Hypothesis, Model, Specials, decode
from seqwise.letters import UNSPACED
from seqwise.models import assemble
from seqwise.models.architecture import TransformerSettings
from seqwise.models.linear import pack
from seqwise.tasks.choosing import Translation, chosen

_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class Corpus:
    """Sentence pairs as text and as ids, the end tokens not yet there."""

    pairs: Pairs
    sources: list[list[int]]
    targets: list[list[int]]

    @classmethod
    def of(cls, pairs: Pairs, vocabularies: Vocabularies) -> "Corpus":
        """Encode both sides."""
        sources, targets = (
            vocabularies.source.encode(pairs.sources),
            vocabularies.target.encode(pairs.targets),
        )
        return cls(pairs, sources, targets)


class Ends(TypedDict):
    """What a loader puts behind and beside the rows."""

    eos: int
    pad: int
    source_eos: int
    source_pad: int


def ends(vocabularies: Vocabularies) -> Ends:
    """End and padding of both sides."""
    source, target = vocabularies.source, vocabularies.target
    return Ends(eos=target.eos, pad=target.pad, source_eos=source.eos, source_pad=source.pad)


def specials(vocabularies: Vocabularies) -> Specials:
    """The ids that steer the decoder."""
    target = vocabularies.target
    forbidden = tuple({target.pad, target.bos} - {target.eos})
    return Specials(target.bos, target.eos, vocabularies.source.pad, forbidden)


def longest_output(model: assemble.Translator) -> int:
    """Tokens that a learned table of positions has room for; practically endless with other kinds."""
    settings = model.settings
    if isinstance(settings, TransformerSettings) and settings.positions.kind == "learned":
        return settings.positions.longest
    return 2**31


class Translator:
    """A model with its vocabularies: text in, text out."""

    def __init__(self, models: Sequence[assemble.Translator], vocabularies: Vocabularies) -> None:
        self.models = tuple(models)
        for model in self.models:
            pack(model)
        self.vocabularies = vocabularies
        self.model: Model = self.models[0] if len(self.models) == 1 else Ensemble(self.models)
        self.longest = min(map(longest_output, self.models))
        self.generator: torch.Generator | None = None
        """Of the sampling, from the first call on: the same text twice is sampled twice."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.models[0].parameters()).device

    def translate(self, texts: Sequence[str], settings: Generation) -> list[list[Translation]]:
        """Outputs of each text, best first, in the order given. An empty text gives one empty output."""
        source = self.vocabularies.source
        rows = source.encode([text if text.strip() else "" for text in texts])
        full = [i for i, ids in enumerate(rows) if ids and texts[i].strip()]
        sources = [[*rows[i], source.eos] for i in full]
        self.generator = self.generator or torch.Generator(self.device).manual_seed(settings.seed)
        made = replace(settings, max_length=min(settings.max_length, self.longest))
        found = decode(self.model, sources, made.found, specials(self.vocabularies), self.device, self.generator)
        results = [[Translation("", (), None)] for _ in texts]
        for i, hypotheses in zip(full, found, strict=True):
            results[i] = chosen(self._texts(hypotheses), made)
        return results

    def words(self, text: str) -> tuple[tuple[str, ...], list[int]]:
        """The source as words, the end token last; and for each source token which word it is of. A word stands between
        spaces; in scripts without spaces each token is one, but that several bytes may spell one character."""
        source = self.vocabularies.source
        begins: list[int] = []  # where each word stands in the text
        groups: list[int] = []
        last = 0
        for piece in source.words(text):
            edge = piece.start >= last and _UNSPACED.search(text[max(0, piece.start - 1) : piece.start + 1])
            gap = any(letter.isspace() for letter in text[last : piece.start + 1])  # the piece may be a space itself
            if not begins or ((edge or gap) and text[begins[-1] : last].strip()):
                begins.append(piece.start)
            last = max(last, piece.end)
            groups.append(len(begins) - 1)
        words = [text[a:b].strip() for a, b in zip(begins, [*begins[1:], len(text)], strict=True)]
        if len(words) > 1 and not words[-1]:  # a space behind the last word
            words.pop()
            groups = [min(group, len(words) - 1) for group in groups]
        return (*words, source.pieces([source.eos])[0]), [*groups, len(words)]

    def _texts(self, hypotheses: Sequence[Hypothesis]) -> list[Translation]:
        texts = self.vocabularies.target.decode([h.ids for h in hypotheses])
        return [Translation(text, h.ids, h.score, h.ended) for text, h in zip(texts, hypotheses, strict=True)]
