"""The settings of a vocabulary: how large it is, how it is learnt, or which file holds it.

They stand apart from `tokens.py` so that reading a vocabulary is one file and choosing one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from seqwise.config import Range
from seqwise.data.subwords import Form, Kind
from seqwise.errors import Fault


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
