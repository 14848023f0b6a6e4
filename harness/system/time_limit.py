"""A limit on the time that a step may take."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import RequestError, RunError
from harness.system.supervisor import note_deadline

AGAIN = 5.0  # seconds until a step that caught the first error meets the next


@contextmanager
def time_limit(seconds: float | None, whose: str) -> Iterator[None]:
    """RunError, naming whose step it was, in code that takes longer than so many seconds; no limit where None.

    Code in a native library meets the error when it returns to Python; if it does not, the supervisor ends the process.
    RequestError on systems without timers.
    """
    if seconds is None:
        yield
        return
    if not hasattr(signal, "setitimer"):
        raise RequestError("--time-limit needs timer signals, which this system does not have: leave it out")

    def over(number: int, frame: FrameType | None) -> None:
        raise RunError(f"{whose} took longer than the {seconds:g} s of --time-limit")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    note_deadline(seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        note_deadline(None)
