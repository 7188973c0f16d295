"""Models in memory while they are weighed: the base, and one other at a time.

Each of many systems is opened when it is asked and let go when the next one is, so that ten seeds take no more room
than one. With a single tuned model nothing is ever opened twice.
"""

import gc

from seqwise.tasks.tuning.stored import is_tuned
from seqwise.tasks.weighing.systems import System, open_system


class Held:
    """The base, and the one that was asked for last."""

    def __init__(self, base: str, like: str | None, where: str = "auto") -> None:
        """like: the run of `seqwise tune` as which models are asked that no such run made."""
        self.like, self.where = like, where
        self.base = open_system(base, like, where)
        self._last: System | None = None

    def open(self, model: str) -> System:
        """This one; the one before is let go first."""
        if self._last is None or self._last.name != model:
            self._last = None
            gc.collect()  # modules refer to one another in circles
            self._last = open_system(model, None if is_tuned(model) else self.like, self.where)
        return self._last
