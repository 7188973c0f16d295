"""What decoding is told and what it gives back: settings, special ids, hypotheses, and what it asks of a model."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqwise.config import Range
from seqwise.errors import Fault


@dataclass(frozen=True)
class Ranking:
    """How outputs of different length are compared, when beam search ends, and which output is written."""

    by: Literal["wu", "mean"] = "wu"
    """wu: log-probability over Wu et al.'s length penalty, and never below the greedy output. mean: over length **
    length_penalty, ending as Hugging Face's `generate` does: for checkpoints of the hub, which are tuned for it."""
    early: bool = False
    """By mean only: end as soon as there are as many outputs as beams."""
    mbr: Literal["none", "bleu", "chrf"] = "none"
    """Write the output that is most like the others found, by this measure, rather than the likeliest: minimum Bayes
    risk (Kumar & Byrne 2004). There are `beams` of them, from beam search or sampled. A score then is the one that is
    expected, 0 to 100."""


@dataclass(frozen=True)
class Repetition:
    """How tokens are held back that are there already."""

    penalty: Annotated[float, Range(0.1, 10.0)] = 1.0
    """Divide the positive score of a token that is there already by this, multiply a negative one (Keskar et al. 2019,
    section 4.1): 1.1 to 1.3 against loops, 1 changes nothing. A decoder's prompt counts, an encoder's text does not."""


@dataclass(frozen=True)
class Drafting:
    """Tokens that are drafted cheaply and verified together by the model, which writes what it would have written."""

    by: Literal["auto", "none", "int8", "lookup"] = "auto"
    """Who drafts. lookup: what followed the last three or two tokens where they stood before, which pays where text is
    repeated. int8: a copy of the model with weights of one byte, for weights of more, on an x86 processor. auto: lookup
    for greedy text by weights of more than a byte on a processor. Of a decoder and one prompt at a time, greedy or
    sampled; several together are written without."""
    most: Annotated[int, Range(1, 64)] = 8
    """Tokens drafted at once at most; how many they are, follows from how many were accepted."""

    @property
    def asked(self) -> bool:
        """Whether somebody wants drafts, who is told where there can be none."""
        return self.by in ("int8", "lookup")


@dataclass(frozen=True)
class Generation:
    """How the next token is chosen, and when to stop."""

    beams: Annotated[int, Range(1, 64)] = 4
    """Hypotheses kept at each step; 1 is greedy. Cost grows with it, quality rarely after 5."""
    length_penalty: Annotated[float, Range(-5.0, 5.0)] = 0.6
    """Divide the log-probability by ((5 + length) / 6) ** this (Wu et al. 2016, eq. 14). 0 prefers short output, less
    than 0 all the more."""
    ranking: Ranking = field(default_factory=Ranking)
    """How outputs are ranked, and when beam search ends."""
    best: Annotated[int, Range(1, 64)] = 1
    """Outputs for each sentence, best first; at most `beams`, or that many samples."""
    min_length: Annotated[int, Range(0)] = 0
    """The end token is forbidden before this many tokens."""
    max_length: Annotated[int, Range(1)] = 256
    """Most tokens of an output; besides, never more than three times the source and 20."""
    temperature: Annotated[float, Range(0.0, 10.0)] = 0.0
    """0 searches; above 0 samples from softmax(logits / temperature), `beams` being ignored."""
    top_k: Annotated[int, Range(0)] = 0
    """Sample among the k likeliest tokens; 0 is all."""
    top_p: Annotated[float, Range(0.0, 1.0)] = 1.0
    """Sample among the likeliest tokens that together have this probability."""
    min_p: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Sample among tokens at least this fraction as likely as the likeliest."""
    no_repeat: Annotated[int, Range(0)] = 0
    """Forbid every sequence of this many tokens to occur twice, in a decoder's prompt and output together or in the
    output of an encoder-decoder with its start token; 0 allows all."""
    repetition: Repetition = field(default_factory=Repetition)
    """How single tokens are held back that are there already."""
    drafting: Drafting = field(default_factory=Drafting)
    """How tokens are drafted before the model writes them."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Of the sampling."""
    batch: Annotated[int, Range(1)] = 64
    """Sentences decoded at once."""

    @property
    def mbr(self) -> Literal["none", "bleu", "chrf"]:
        """By what the output is chosen that is most like the others."""
        return self.ranking.mbr

    @property
    def repetition_penalty(self) -> float:
        """What scores of tokens that are there already are made smaller by; 1 is nothing."""
        return self.repetition.penalty

    @property
    def recalls(self) -> bool:
        """Whether what comes next depends on which tokens were there before."""
        return self.no_repeat > 0 or self.repetition_penalty != 1.0

    @property
    def found(self) -> "Generation":
        """The same, where all outputs are wanted that there are to choose among."""
        return self if self.mbr == "none" else replace(self, best=self.beams)

    def faults(self) -> Iterator[Fault]:
        """Lengths that exclude each other, and a choice among one."""
        if self.mbr != "none" and self.beams == 1:
            yield Fault(f"mbr {self.mbr} with one beam", "outputs to choose among", "16 beams, or mbr none")
        if self.mbr != "none" and self.best > self.beams:
            given = f"the best {self.best} by mbr of {self.beams} outputs"
            yield Fault(given, "as many beams, or samples, as outputs", f"{self.best} beams")
        if self.drafting.asked and self.beams > 1 and self.temperature == 0.0:
            given = f"drafts by {self.drafting.by} with {self.beams} beams"
            yield Fault(given, "one beam, or sampling", "--beams 1, or --draft none")
        if self.min_length > self.max_length:
            yield Fault(
                f"--generation.min-length {self.min_length} with max-length {self.max_length}",
                "a shortest output that is not longer than the longest",
                f"--generation.max-length {self.min_length}",
            )


@dataclass(frozen=True)
class Specials:
    """Ids that steer."""

    start: int
    end: int
    padding: int
    """Of the source."""
    forbidden: tuple[int, ...] = ()
    """Never written, such as padding and start."""
    also_end: tuple[int, ...] = ()
    """Further tokens that end an output, as chat models have them."""
    forced: int | None = None
    """What every output begins with: the language to translate into, perhaps."""
    forced_end: bool = False
    """Whether an output that has used all its room ends with the end token, as BART was trained to."""
    bounded: bool = True
    """Whether the length of the source bounds that of the output, as in translation."""
    renormalized: bool = False
    """Whether beams are scored by probabilities of what is not forbidden, which then sum to 1, as Marian's ask for."""

    def ending(self, tokens: Int[Tensor, "*B"]) -> Bool[Tensor, "*B"]:
        """Where an output ends."""
        ends = tokens == self.end
        for token in self.also_end:
            ends = ends | (tokens == token)
        return ends


@dataclass(frozen=True)
class Hypothesis:
    """One output."""

    ids: tuple[int, ...]
    """Without the end token."""
    score: float | None = None
    """Log-probability, after the repetition penalty, divided by the length penalty; None where nothing was ranked."""
    ended: bool = True
    """Whether the end token was written; otherwise there was no room left."""


@runtime_checkable
class Model(Protocol):
    """What decoding asks of a model: see `models.transformer.Transformer`."""

    def encode(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Any:
        """Read the source."""

    def start(self, memory: Any, beams: int, room: int) -> Any:
        """The state before the first token."""

    def step(self, ids: Int[Tensor, "R"], state: Any) -> tuple[Float[Tensor, "R V"], Any]:
        """Scores of the next token and the state after it."""


@runtime_checkable
class Verifying(Model, Protocol):
    """A model that reads several tokens at once, and whose state has `back`: see `models.decoder.Decoder`."""

    def steps(self, ids: Int[Tensor, "B T"], state: Any) -> tuple[Float[Tensor, "B T V"], Any]:
        """Scores of the token after each of these, and the state after all of them."""
