"""The time, from outside: a run asks a clock and never the system."""

import random
import time
from typing import Protocol

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that is never set and that goes on in a suspend (on macOS, that is CLOCK_MONOTONIC)."""


class Clock(Protocol):
    """Time and dice."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...

    def jitter(self) -> float:
        """Return a number in 0..1."""
        ...


class SystemClock:
    """The real time, and real dice.

    Time is read from the wall once and then counted on, through a suspend but not through a change
    of the wall clock: how long ago an order was sent must not depend on its being set.
    """

    def __init__(self) -> None:
        """Look at the wall."""
        self._began = time.time() - _since_boot()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._began + _since_boot()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def jitter(self) -> float:
        """Return a number in 0..1."""
        return random.random()


def _since_boot() -> float:
    return time.clock_gettime(_STEADY)
