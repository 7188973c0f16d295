"""BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacrebleu (Post 2018), and how sure they are.

Counting is sacrebleu's alone: it turns each sentence into a few counts, whose sums make the score of a
corpus. The bootstrap (Koehn 2004) draws sentences with replacement and sums the same counts again. sacrebleu
scores each resample in Python; here one matrix product sums the counts of all resamples and one expression
scores them. The draws are those of sacrebleu for the same seed, so that the signature is true and the
intervals agree.

A sentence may have several references: an n-gram of any of them is a hit for BLEU, the best one counts for chrF.
Accents that stand by themselves are joined to their letters first (NFC), on both sides: what looks alike is equal.
Left out: comparing two systems, which needs paired draws (`comparison.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seqwise import letters
from seqwise.errors import ConfigError, DataError, MissingExtraError, nearest
from seqwise.metrics.scores import Counts, Score, Scores, interval, resampled

# N sentences, C counts of a sentence, O orders of n-grams

References = Sequence[str] | Sequence[Sequence[str]]

AUTO = "auto"
"""How BLEU cuts words unless told otherwise: by the script of the references, see `words_for`."""
EXTRAS = {"ja-mecab": "pip install 'sacrebleu[ja]'", "ko-mecab": "pip install 'sacrebleu[ko]'"}


@dataclass(frozen=True)
class Counted:
    """What a score rests on: counts of each sentence, and the score of each row of sums."""

    name: str
    counts: Counts
    score: Callable[[Counts], Scores]


@dataclass(frozen=True)
class SentenceScore:
    """How good one output is. Sentence scores rank sentences; their mean is not the corpus's score."""

    item: int
    """Which sentence, from 0."""
    bleu: float
    """With effective order: n-grams longer than the output do not count against it."""
    chrf: float
    """The better of the two for single sentences: it sees words that are nearly right."""


def bleu(
    outputs: Sequence[str],
    references: References,
    tokenize: str = AUTO,
    lowercase: bool = False,
    resamples: int = 1000,
    seed: int = 12345,
) -> Score:
    """BLEU of a corpus with up to 4 words in a row, smoothed as mteval-v13a does.

    `tokenize` is one of sacrebleu's: 13a for raw text, none for text that has been tokenized, zh, ja-mecab,
    char, ...; or auto, which the signature tells as what it became.
    """
    metric = _bleu(tokenize, lowercase, references)
    return _score("BLEU", metric, outputs, references, _bleu_of, resamples, seed)


def chrf(
    outputs: Sequence[str],
    references: References,
    words: int = 0,
    lowercase: bool = False,
    resamples: int = 1000,
    seed: int = 12345,
) -> Score:
    """chrF2 of a corpus, up to 6 characters in a row; `words=2` adds words, which makes it chrF2++."""
    metric = CHRF(word_order=words, lowercase=lowercase)
    return _score("chrF2" + "+" * words, metric, outputs, references, _chrf_of, resamples, seed)


def sentence_scores(
    outputs: Sequence[str], references: References, tokenize: str = AUTO, lowercase: bool = False
) -> list[SentenceScore]:
    """Both scores for each sentence, in order."""
    words = _counts(_bleu(tokenize, lowercase, references), outputs, references)
    characters = _counts(CHRF(lowercase=lowercase), outputs, references)
    both = zip(_bleu_of(words, effective=True).tolist(), _chrf_of(characters).tolist(), strict=True)
    return [SentenceScore(item, b, c) for item, (b, c) in enumerate(both)]


def counted(
    metric: Literal["bleu", "chrf"],
    outputs: Sequence[str],
    references: References,
    tokenize: str = AUTO,
    lowercase: bool = False,
) -> Counted:
    """The counts of BLEU or chrF, for those who draw them in another way."""
    if metric == "bleu":
        return Counted("BLEU", _counts(_bleu(tokenize, lowercase, references), outputs, references), _bleu_of)
    return Counted("chrF2", _counts(CHRF(lowercase=lowercase), outputs, references), _chrf_of)


def score_of(metric: Literal["bleu", "chrf"], counts: Counts) -> Scores:
    """Of single sentences, a row of counts each: BLEU with effective order."""
    return _bleu_of(counts, effective=True) if metric == "bleu" else _chrf_of(counts)


def looks_tokenized(texts: Sequence[str]) -> bool:
    """Whether at least half of the texts end in a full stop on its own, as raw text does not.

    For such text `tokenize="none"` is meant; with another tokenizer BLEU compares with nothing published.
    """
    return 2 * sum(text.rstrip().endswith(" .") for text in texts) >= max(1, len(texts))


def words_for(references: References) -> str:
    """How sacrebleu best cuts words of this script: 13a, where most letters are of a script with spaces between words;
    zh in Chinese; char in Japanese, Thai and others, whose words need a dictionary."""
    firsts = [row if isinstance(row, str) else "".join(row[:1]) for row in references]
    if not letters.unspaced(firsts):
        return "13a"
    return "zh" if letters.chinese(firsts) else "char"


def cutter(references: References) -> Callable[[str], Sequence[str]]:
    """What cuts a text into the words that BLEU counts against these references."""
    cut: Any = _bleu(AUTO, False, references).tokenizer
    return lambda text: cut(letters.composed(text).rstrip()).split()


def _score(
    name: str,
    metric: BLEU | CHRF,
    outputs: Sequence[str],
    references: References,
    score: Callable[[Counts], Scores],
    resamples: int,
    seed: int,
) -> Score:
    counts = _counts(metric, outputs, references)
    value = float(score(counts.sum(0, keepdims=True))[0])
    low, high = interval(score(resampled(counts, resamples, seed)))
    metric.n_bootstrap, metric.seed = resamples, str(seed)  # the signature tells both
    signature = metric.get_signature().format()
    return Score(name, value, (low, high), len(counts), signature, resamples)


def _counts(metric: BLEU | CHRF, outputs: Sequence[str], references: References) -> Counts:
    """What sacrebleu counts in each sentence, before anything is added up."""
    if isinstance(outputs, str) or isinstance(references, str):
        raise DataError(
            given="a single text", allowed="lists of outputs and of references", mend="[output], [reference]"
        )
    if len(outputs) != len(references):
        raise DataError(
            given=f"{len(outputs):,} outputs and {len(references):,} references",
            allowed="one reference for each output",
            mend="files of as many lines each",
        )
    if not len(outputs):
        raise DataError(given="no sentences", allowed="at least one", mend="another test file")
    said = [letters.composed(text) for text in outputs]
    streams: Any = _streams(references)  # sacrebleu takes None for a reference that is not there, its types do not
    return np.array(metric._extract_corpus_statistics(said, streams), dtype=np.float64)  # (N, C)


def _streams(references: References) -> list[list[str | None]]:
    """First references, second ones, and so on, as sacrebleu wants them; None where a sentence has fewer."""
    rows = [list(map(letters.composed, [row] if isinstance(row, str) else row)) for row in references]
    empty = next((i for i, row in enumerate(rows) if not row), None)
    if empty is not None:
        raise DataError(f"sentence {empty} without a reference", "at least one for each", "leaving that sentence out")
    return [[row[i] if i < len(row) else None for row in rows] for i in range(max(map(len, rows)))]


def _bleu_of(counts: Counts, effective: bool = False) -> Scores:
    """BLEU of each row: length of output and reference, then hits and n-grams for each order."""
    output, reference = counts[:, 0], counts[:, 1]
    orders = (counts.shape[1] - 2) // 2
    hits, grams = counts[:, 2 : 2 + orders], counts[:, 2 + orders :]  # (N, O)
    # an order without hits counts as 1/2, 1/4, ... of one: the smoothing of mteval-v13a
    halvings = 2.0 ** -np.cumsum(hits == 0, axis=1)
    there = grams > 0
    precision = np.where(hits > 0, hits, halvings) / np.where(there, grams, 1)  # (N, O)
    logs = np.where(there, np.log(precision), 0.0).sum(1)  # (N,)
    used = there.sum(1)
    brevity = np.minimum(0.0, 1 - reference / np.maximum(output, 1))
    scored = (hits.sum(1) > 0) & (effective | (used == orders))
    return np.where(scored, 100 * np.exp(brevity + logs / np.maximum(used if effective else orders, 1)), 0.0)


def _chrf_of(counts: Counts, beta: int = CHRF.BETA) -> Scores:
    """chrF of each row: for each order the n-grams of the output, of the reference, and those in both."""
    by_order = counts.reshape(len(counts), -1, 3)  # (N, O, 3)
    output, reference, both = by_order[:, :, 0], by_order[:, :, 1], by_order[:, :, 2]  # (N, O)
    there = (output > 0) & (reference > 0)
    used = np.maximum(there.sum(1), 1)
    precision = np.where(there, both / np.where(there, output, 1), 0.0).sum(1) / used  # (N,)
    recall = np.where(there, both / np.where(there, reference, 1), 0.0).sum(1) / used
    weighted = beta**2 * precision + recall
    scores: Scores = 100 * (1 + beta**2) * precision * recall / np.where(weighted > 0, weighted, 1)
    return scores


def _bleu(tokenize: str, lowercase: bool, references: References) -> BLEU:
    if tokenize == AUTO:
        tokenize = words_for(references)
    known = sorted(BLEU.TOKENIZERS)
    if tokenize not in known:
        raise ConfigError(
            given=f"tokenize={tokenize!r}",
            allowed="one of " + ", ".join(known),
            mend=nearest(tokenize, known) or "13a, the custom",
        )
    try:
        # forced: its warning of tokenized text would run through a progress bar (see looks_tokenized)
        return BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError(
            given=f"tokenize={tokenize!r} without its library",
            allowed="what sacrebleu needs for it",
            mend=f"{EXTRAS.get(tokenize, 'pip install sentencepiece')}, or tokenize 13a",
        ) from error
