"""The finished outputs of a sentence under beam search: how they are ranked, and when no more are looked for.

Pool       by log-probability / ((5 + length) / 6) ** alpha                          Wu et al. 2016, eq. 14
MeanPool   by log-probability / length ** alpha, ended by a guess from the present length, as Hugging Face's
           `generate` ends: what checkpoints of the hub were tuned with, and what their users compare with
"""

from dataclasses import dataclass, field

from seqwise.decoding.generation import Generation, Hypothesis


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, Wu et al. 2016, eq. 14; the length counts the end token."""
    return float(((5 + length) / 6) ** alpha)


@dataclass
class Pool:
    """The finished outputs of one sentence, and whether it is done: then nothing is added, whoever still writes."""

    room: int
    settings: Generation
    found: list[Hypothesis] = field(default_factory=list)
    closed: bool = False

    def penalty(self, length: int) -> float:
        """What a log-probability is divided by."""
        return length_penalty(length, self.settings.length_penalty)

    def add(self, ids: list[int], score: float, length: int, ended: bool = True) -> None:
        """One more output, unless the sentence is done."""
        if not self.closed:
            self.found.append(Hypothesis(tuple(ids), score / self.penalty(length), ended))

    def best(self, count: int) -> list[Hypothesis]:
        """The best so far; the empty output where every token was forbidden."""
        ranked = sorted(self.found, key=lambda h: -(h.score or 0.0))[:count]
        return ranked or [Hypothesis((), ended=False)]

    def close(self, likeliest: float, length: int, greedy_ended: bool) -> None:
        """Done once nothing that is still written can enter the best, or enough is finished, greedy's output too.

        Prefixes only get less likely: what they can score at best is their value now at the greatest length, or at the
        present one where the penalty prefers short outputs.

        likeliest   log-probability of the likeliest prefix that is still written
        length      tokens of all prefixes
        """
        bound = likeliest / max(self.penalty(self.room), self.penalty(min(length + 1, self.room)))
        best = self.best(self.settings.best)
        full = len(self.found) >= self.settings.best and (best[-1].score or 0.0) >= bound
        self.closed = self.closed or full or (greedy_ended and len(self.found) >= self.settings.beams)


class MeanPool(Pool):
    """As many outputs as beams are kept; done once the best prefix, at its present length, is worse than each."""

    def penalty(self, length: int) -> float:
        """What a log-probability is divided by."""
        return float(length**self.settings.length_penalty)

    def close(self, likeliest: float, length: int, greedy_ended: bool) -> None:
        """Done, perhaps too early: a longer output might yet have ranked higher."""
        self.found = self.best(self.settings.beams) if self.found else []
        if len(self.found) < self.settings.beams:
            return
        worst = self.found[-1].score or 0.0
        self.closed = self.closed or self.settings.ranking.early or likeliest / self.penalty(length) <= worst


def pool(room: int, settings: Generation) -> Pool:
    """Of one sentence, as the settings rank."""
    return MeanPool(room, settings) if settings.ranking.by == "mean" else Pool(room, settings)
