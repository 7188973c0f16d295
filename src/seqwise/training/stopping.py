"""Ctrl-C, SIGTERM, a closed terminal: a question that the loop asks between two steps, to save and end in order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CLOSED = getattr(signal, "SIGHUP", None)
"""What a terminal sends as it closes, where there are such; not heard where it is ignored, as `nohup` has it."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether one of the signals came; a second Ctrl-C interrupts at once. Only the main thread can listen."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def remember(number: int, _frame: object) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    heard = [*SIGNALS, CLOSED] if CLOSED and signal.getsignal(CLOSED) != signal.SIG_IGN else SIGNALS
    before = {number: signal.signal(number, remember) for number in heard}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
