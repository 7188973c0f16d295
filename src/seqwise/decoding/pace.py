"""How many tokens to draft at once, by how many were accepted: never by a clock, so that a seed tells the output.

With a rate a of acceptance and a cost of c steps of the model a token, a draft of k tokens gives (1 - a^(k + 1)) / (1
- a) tokens for 1 + k c steps (Leviathan et al. 2023, theorem 3.8), and e more where verifying several rows takes longer
than one however many they are. The best k is taken; where it is 0, one token is tried now and then.
"""

FORGET = 0.95  # what a token counts after each later one: about twenty are remembered
ACCEPTED, REJECTED = 4.0, 1.0  # what is believed before the first
REST = 12  # steps without a draft where none is worth it


class Pace:
    """The length of drafts, from one to the next."""

    def __init__(self, most: int, cost: float, entry: float = 0.0) -> None:
        self.most, self.cost, self.entry = most, cost, entry
        self.accepted, self.rejected = ACCEPTED, REJECTED
        self.rest = 0
        self.count = self._best()
        """Tokens of the next draft at most."""

    def told(self, accepted: int, drafted: int) -> None:
        """So many tokens were drafted, and the first `accepted` of them were."""
        for hit in [1.0] * accepted + [0.0] * (accepted < drafted):
            self.accepted, self.rejected = self.accepted * FORGET + hit, self.rejected * FORGET + 1.0 - hit
        if drafted:
            self.rest = 0
        elif self.count == 0:
            self.rest += 1
        self.count = self._best() or int(self.rest >= REST)

    def _best(self) -> int:
        rate = self.accepted / (self.accepted + self.rejected)
        best, gain, made, chance = 0, 1.0, 1.0, 1.0
        for k in range(1, self.most + 1):
            chance *= rate
            made += chance
            if made / (1.0 + self.entry + k * self.cost) > gain:
                best, gain = k, made / (1.0 + self.entry + k * self.cost)
        return best
