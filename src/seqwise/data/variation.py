"""BPE-dropout: the same text in other tokens in every epoch (Provilkov et al. 2020, section 3).

Of the merges that spell a word, each is left out with a small probability whenever its turn comes, so that
"lower" is now `low er`, now `l ow er`. A model that has seen a word in many spellings leans less on whole
words and more on their parts; on small corpora that is worth more than any other change to the tokens.

    Variation(tokenizer, texts, dropout).rows(seed, epoch) -> Rows      a pure function of seed and epoch

Random numbers are drawn here and not by the library, whose own cannot be seeded: a resumed run must be the
same run. To be fast enough in Python, an epoch draws at most `SPELLINGS` spellings of each distinct word and
deals these out; 29,000 captions take half a second. A tokenizer.json that does not cut texts into words, such
as Llama 2's, has no word twice, and takes a minute instead.

Left out: sampling for unigram vocabularies (Kudo 2018). Their words are not built from merges.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

import numpy as np
from jaxtyping import Int

from seqwise.data.batch import Rows
from seqwise.data.tokens import Tokenizer
from seqwise.errors import ConfigError

SPELLINGS = 8
"""Of one word in one epoch, at most; a word that stands less often gets as many as it stands."""

# N texts of W words in all, end tokens among these (N1 = N + 1); of them V are distinct


class Variation:
    """Texts whose tokens are drawn anew for every epoch, each with the end token behind it."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str], dropout: float) -> None:
        merges = tokenizer.merges()
        if merges is None:
            raise _useless("has no merges")
        self._dropout = dropout
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._ids = tokenizer.vocabulary()
        numbers: dict[tuple[int, ...], int] = {(tokenizer.eos,): 0}
        rows: list[list[int]] = []
        for text in tokenizer.grouped(texts):
            rows.append([numbers.setdefault(word, len(numbers)) for word in text])
        occurrences = Rows.of(rows, end=0)
        self._words: Int[np.ndarray, "W"] = occurrences.flat
        self._starts: Int[np.ndarray, "N1"] = occurrences.starts
        self._known = list(numbers)
        counts = Counter(self._words.tolist())
        names = {token: name for name, token in self._ids.items()}
        self._letters = [self._spelling(word, names) for word in numbers]  # None: this word never varies
        if not any(self._letters):
            raise _useless("marks the ends or the insides of words, or holds single characters only")
        self._counts = [min(SPELLINGS, counts[i]) if letters else 1 for i, letters in enumerate(self._letters)]

    @property
    def longest(self) -> int:
        """Tokens that a text can come to have at most, its end token included: all letters by themselves."""
        sizes = np.array([len(a if b is None else b) for a, b in zip(self._known, self._letters, strict=True)])  # (V,)
        ends = np.concatenate([[0], np.cumsum(sizes[self._words])])  # (W + 1,)
        return int(np.diff(ends[self._starts]).max())

    def rows(self, seed: int, epoch: int) -> Rows:
        """The tokens of all texts in this epoch."""
        random = Random(f"{seed} {epoch}")  # no secret hangs on it
        spelled = [
            self._drawn(word, letters, random)
            for word, letters, count in zip(self._known, self._letters, self._counts, strict=True)
            for _ in range(count)
        ]
        pool = Rows.of(spelled)
        counts = np.array(self._counts)  # (V,)
        first = np.cumsum(counts) - counts
        draws = np.random.default_rng((seed, epoch)).integers(0, 2**31, len(self._words))
        return _dealt(pool, first[self._words] + draws % counts[self._words], self._starts)

    def _spelling(self, word: tuple[int, ...], names: Mapping[int, str]) -> str | None:
        """The letters that merge into just these tokens, where there are merges that do so.

        Not so with bytes that stand for an unknown character, tokens added by hand and special ones.
        """
        letters = "".join(names.get(token, "") for token in word)
        if len(letters) < 2 or any(letter not in self._ids for letter in letters):
            return None
        merged = tuple(self._ids[part] for part in merge(letters, self._ranks))
        return letters if merged == word else None

    def _drawn(self, word: tuple[int, ...], letters: str | None, random: Random) -> Sequence[int]:
        if letters is None:
            return word
        return [self._ids[part] for part in merge(letters, self._ranks, self._dropout, random)]


def merge(
    letters: str, ranks: Mapping[tuple[str, str], int], dropout: float = 0.0, random: Random | None = None
) -> list[str]:
    """Spell a word by merging, the best pair first, each passed over with probability `dropout` at each turn.

    Provilkov et al. 2020, algorithm 1; without dropout Sennrich et al. 2016, section 3.2.
    """
    parts = list(letters)
    while len(parts) > 1:
        best, place = len(ranks), -1
        for i, pair in enumerate(pairwise(parts)):
            rank = ranks.get(pair, best)
            # drawn only for a pair that would win: whether the others are passed over makes no difference
            if rank < best and not (random and random.random() < dropout):
                best, place = rank, i
        if place < 0:
            break
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def _useless(why: str) -> ConfigError:
    return ConfigError(
        f"--tokens.dropout with a vocabulary that {why}",
        "one whose words merge from their letters",
        "--tokens.dropout 0, or the vocabulary that --tokens.kind bpe learns",
    )


def _dealt(pool: Rows, choices: Int[np.ndarray, "W"], starts: Int[np.ndarray, "N1"]) -> Rows:
    """The rows of the pool that were chosen, end to end, cut into texts."""
    lengths = pool.lengths[choices]  # (W,)
    ends = np.concatenate([[0], np.cumsum(lengths)])  # (W + 1,)
    shifts = np.repeat(pool.starts[choices] - ends[:-1], lengths)
    return Rows(pool.flat[shifts + np.arange(ends[-1])], ends[starts])
