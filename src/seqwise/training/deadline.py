"""The time limit of a run: when it has to end, and which update will be the last by the pace so far.

A learning rate that falls to its floor at the last step is only worth its name if that step comes. Where the time is
up before, the rate falls towards the last update that the time allows: each update asks anew, so the fall grows steeper
where the machine turns out to be slow and is met where it is steady. Left out: what the rate is (see `optim.py`).
"""

import time

RESERVE = 1.25  # times what the end took last, kept free before the limit
FIRST_RESERVE, MOST = 0.1, 600.0  # of the limit, and seconds, while no look has told how long the end takes
MEASURED = 10  # updates before their pace is believed: the first ones are slower


class Deadline:
    """Seconds of a run and updates of this call, against a limit; without a limit nothing is ever late."""

    def __init__(self, limit: float, began: float, step: int) -> None:
        """limit: seconds, 0 for none; began: when they began to count, by `time.monotonic`; step: updates before."""
        self.limit = limit
        self.began = began
        self.first = step
        self.started = time.monotonic()
        self.reserve = min(MOST, FIRST_RESERVE * limit)

    def begin(self) -> None:
        """The first update is about to be made; what took its time before is no part of the pace."""
        self.started = time.monotonic()

    def looked(self, since: float, looks: int) -> None:
        """A look at the validation data began at `since` and is over; the end takes so many of them."""
        self.reserve = RESERVE * looks * (time.monotonic() - since)

    def late(self) -> bool:
        """Whether what is left is needed for the end."""
        return self.limit > 0 and self._left() <= 0

    def last(self, step: int) -> float:
        """Number of the last update that the time allows, `step` being done; infinite where nothing tells.

        The pace is that of all updates of this call, with the looks and savings between them.
        """
        done = step - self.first
        if self.limit <= 0 or done < MEASURED:
            return float("inf")
        pace = (time.monotonic() - self.started) / done
        return step + max(1.0, self._left() / pace)

    def _left(self) -> float:
        return self.limit - (time.monotonic() - self.began) - self.reserve
