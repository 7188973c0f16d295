"""Texts in, something about them out: labels, labels of each word, hidden words, vectors. By a checkpoint's encoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.checkpoints import sentence_pooling
from seqwise.data.paired import TAB, Text
from seqwise.data.pieces import Framed
from seqwise.data.tokens import Tokenizer
from seqwise.decoding.reading import batches, read_all
from seqwise.errors import ConfigError, DataError
from seqwise.models.encoder import Encoder
from seqwise.models.heads import NextToken
from seqwise.tasks.places import told_of
from seqwise.tasks.pretrained import Opened, fitting

Pool = Literal["auto", "mean", "first"]
REPLACED = ("original", "replaced")
"""What ELECTRA's discriminator tells of each token (Clark et al. 2020)."""


@dataclass(frozen=True)
class Scored:
    """A label, or a token, and how likely it is."""

    name: str
    probability: float


@dataclass(frozen=True)
class WordLabel:
    """A word of a text and its label."""

    word: str
    label: Scored


@dataclass(frozen=True)
class Row:
    """A text as the model reads it."""

    ids: list[int]
    segments: list[int]
    """0 for tokens of the first text, 1 for those of the second; all 0 where the model does not tell them apart."""


def told_apart(rows: Sequence[Row]) -> list[list[int]]:
    """Which of two texts each id is of; empty where all are of the first."""
    return [row.segments for row in rows] if any(any(row.segments) for row in rows) else []


class Reader:
    """A checkpoint that reads: what it makes of texts."""

    def __init__(self, opened: Opened, cut: bool = False, longest: int | None = None) -> None:
        """longest: ids that all rows are cut to, whatever the model reads."""
        self.opened = opened
        self.tokenizer: Tokenizer = opened.words.source
        self.may_cut = cut
        self.longest = longest or 2**31
        model = opened.model
        self.kinds = model.settings.segments if isinstance(model, Encoder) and opened.words.typed else 0

    def rows(self, texts: Sequence[Text]) -> list[Row]:
        """Ids with the special tokens of the checkpoint around them."""
        found = []
        for text, framed in zip(texts, self.tokenizer.framed(texts), strict=True):
            ids, segments = self._fitted(text, framed)
            found.append(Row(ids, segments if self.kinds > max(segments, default=0) else [0] * len(ids)))
        return found

    def _fitted(self, text: Text, framed: Framed) -> tuple[list[int], list[int]]:
        """What is too long is cut, or refused; of a pair the longer text is."""
        readable = self.opened.readable
        most = min(self.longest, readable)
        if len(framed.ids) <= most:
            return framed
        whole = TAB.join(text) if isinstance(text, tuple) else text
        if not self.may_cut and len(framed.ids) > readable:
            fitting(framed.ids, self.opened, False, "a pair of texts" if text != whole else "a text", text=whole)
        self.opened.cut_off()
        if isinstance(text, tuple):
            cut = self.tokenizer.cut(text, most)
            if len(cut.ids) > most:
                given = f"a pair of texts cut to {most:,} tokens"
                raise ConfigError(given, "more than its special tokens", "--examples.longest with more").about(whole)
            return cut
        return [*framed.ids[: most - 1], framed.ids[-1]], [*framed.segments[: most - 1], framed.segments[-1]]

    @torch.inference_mode()
    def read(self, rows: Sequence[Row]) -> Iterator[tuple[int, Float[Tensor, "*T V"]]]:
        """What the head says of each row, (V,) or (T, V), and which row it is, in the order of their lengths."""
        model, device = self.opened.model, self.opened.device
        full = [i for i, row in enumerate(rows) if row.ids]
        for places in batches([len(rows[i].ids) for i in full]):
            chosen = [full[place] for place in places]
            longest = max(len(rows[i].ids) for i in chosen)
            inputs = torch.full((len(chosen), longest), self.tokenizer.pad)
            segments = torch.zeros_like(inputs)
            for place, i in enumerate(chosen):
                inputs[place, : len(rows[i].ids)] = torch.tensor(rows[i].ids)
                segments[place, : len(rows[i].ids)] = torch.tensor(rows[i].segments)
            lengths = torch.tensor([len(rows[i].ids) for i in chosen], device=device)
            inputs = inputs.to(device)
            kinds = segments.to(device) if bool(segments.any()) else None
            found = model(inputs, lengths, kinds) if isinstance(model, Encoder) else model(inputs, lengths)
            for place, i in enumerate(chosen):
                one = found[place]
                yield i, one[: len(rows[i].ids)] if one.ndim == 2 else one


class Classifier(Reader):
    """Labels of texts, or of pairs of texts, as the checkpoint names them."""

    def __init__(self, opened: Opened, cut: bool = False, single: bool = False) -> None:
        """single: two texts are put to it as one with a tab between them, since it learnt from such."""
        super().__init__(opened, cut)
        self.single = single

    def rows(self, texts: Sequence[Text]) -> list[Row]:
        """Ids with the special tokens of the checkpoint around them."""
        if not self.single:
            return super().rows(texts)
        return super().rows([text if isinstance(text, str) else TAB.join(text) for text in texts])

    def classify(self, texts: Sequence[Text]) -> list[list[Scored]]:
        """All labels of each text, the likeliest first. Where the checkpoint allows several, each by itself; where it
        gives numbers instead, those."""
        names = self.opened.checkpoint.labels
        kind = self.opened.checkpoint.config.get("problem_type")
        results: list[list[Scored]] = [[] for _ in texts]
        for i, scores in self.read(self.rows(texts)):
            values = scores.float()
            if len(values) > 1 and kind != "regression":
                values = values.sigmoid() if kind == "multi_label_classification" else values.softmax(0)
            ranked = values.argsort(descending=True).tolist()
            results[i] = [Scored(names[place], float(values[place])) for place in ranked]
        return results

    def label_words(self, texts: Sequence[str]) -> list[list[WordLabel]]:
        """The label of each word, which is that of its first token, as is usual for names and parts of speech. What a
        word is, the tokenizer says: most count punctuation by itself. One score a token is ELECTRA's: whether a
        generator has replaced it."""
        results: list[list[WordLabel]] = [[] for _ in texts]
        before, behind = map(len, frame(self.tokenizer))
        groups = list(self.tokenizer.grouped(texts))
        for i, scores in self.read(self.rows(texts)):
            single = scores.shape[-1] == 1
            names = REPLACED if single else self.opened.checkpoint.labels
            scores = scores.float()
            chances = torch.cat((-scores, scores), -1).sigmoid() if single else scores.softmax(-1)
            values, places = chances.max(-1)  # (T,)
            pieces = self.tokenizer.words(texts[i])
            first = 0
            for group in groups[i]:
                t, last = before + first, first + len(group)
                if t >= len(values) - behind or last > len(pieces):
                    break  # the text was cut
                word = texts[i][pieces[first].start : pieces[last - 1].end].strip()
                if word:
                    results[i].append(WordLabel(word, Scored(names[int(places[t])], float(values[t]))))
                first = last
        return results


def frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """What the checkpoint puts before and behind a text."""
    (framed,), (bare,) = tokenizer.framed(["a"]), tokenizer.encode(["a"])
    for start in range(len(framed.ids) - len(bare) + 1):
        if framed.ids[start : start + len(bare)] == bare:
            return framed.ids[:start], framed.ids[start + len(bare) :]
    return [], []


class Filler(Reader):
    """What stands behind the mask: a checkpoint of a masked language model."""

    @property
    def mask(self) -> str:
        """How the mask is written."""
        number = self.opened.words.mask
        if number is None or not isinstance(self.opened.model.head, NextToken):
            raise ConfigError(
                f"{self.opened.checkpoint.folder.name}, whose tokenizer has no mask",
                "a masked language model",
                "a checkpoint such as BertForMaskedLM",
            )
        return next(name for name, token in self.tokenizer.vocabulary().items() if token == number)

    def fill(self, texts: Sequence[str], shown: int) -> list[list[list[Scored]]]:
        """For each mask of each text, the likeliest tokens."""
        mask, number = self.mask, self.opened.words.mask
        first, last = frame(self.tokenizer)
        rows = []
        for text in texts:
            if text.strip() and mask not in text:
                mend = f"writing {mask} in it"
                raise DataError(f"{text[:40]!r} without {mask}", "a text with at least one", mend).about(text)
            ids = [*first, *self.tokenizer.from_template(text), *last]
            ids = fitting(ids, self.opened, False, "a text", "a shorter text; its masks must stay", text=text)
            rows.append(Row(ids, [0] * len(ids)) if text.strip() else Row([], []))
        results: list[list[list[Scored]]] = [[] for _ in texts]
        for i, scores in self.read(rows):
            masked = torch.tensor(rows[i].ids, device=scores.device) == number
            values, tokens = scores[masked].float().softmax(-1).topk(min(shown, scores.shape[-1]), -1)
            for chances, row in zip(values.tolist(), tokens.tolist(), strict=True):
                named = self.tokenizer.pieces(row)
                results[i].append([Scored(*pair) for pair in zip(named, chances, strict=True)])
        return results


class Embedder(Reader):
    """A vector for each text."""

    def vectors(self, texts: Sequence[str], pool: Pool = "auto", normalize: bool = True) -> Float[Tensor, "N W"]:
        """The mean of the tokens' vectors, or the first one's; of length 1 unless told otherwise. An empty text has
        the vector of nothing but its special tokens; zeros where there are none.

        pool   auto: as the folder says (1_Pooling of sentence-transformers), else mean

        A folder of sentence-transformers may name a prompt, which then stands before each text.
        """
        if not isinstance(self.opened.model, Encoder):
            raise ConfigError(
                f"{self.opened.checkpoint.architecture} for vectors of sentences", "an encoder", "a BERT or its kin"
            )
        how = sentence_pooling.read(self.opened.checkpoint.folder) if pool == "auto" else pool
        reads = sentence_pooling.reading(self.opened.checkpoint.folder)
        asked = [reads.text(text) for text in texts]
        with told_of(texts, asked):
            rows = [row.ids for row in self.rows(asked)]
        full = [i for i, ids in enumerate(rows) if ids]
        made = torch.zeros(len(texts), self.opened.model.settings.width)
        made[full] = read_all(self.opened.model, [rows[i] for i in full], how)
        return torch.nn.functional.normalize(made, dim=1) if normalize else made
