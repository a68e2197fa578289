"""How work grows with its input: what a shared machine can say of speed without a limit in seconds."""

import time
from collections.abc import Callable

MOST = 3.0
"""Times the work for twice the input; what is linear takes twice as much, what is quadratic four times."""
TOO_SHORT = 0.005
"""CPU seconds; what takes less is not told from the clock's own unrest."""
TRIES = 15


def spent(work: Callable[[], object]) -> float:
    """The CPU seconds that something takes."""
    before = time.process_time()
    work()
    return time.process_time() - before


def growth(once: Callable[[], object], twice: Callable[[], object]) -> float:
    """How many times the CPU time of a work the same work takes on twice the input.

    The quickest of some tries is taken of each, as other programs share the machine; more than one
    is made only while the answer would be more than `MOST`.
    """
    small = large = float("inf")
    found = float("inf")
    for _ in range(TRIES):
        large = min(large, spent(twice))
        if large < TOO_SHORT:
            return 1.0
        small = min(small, spent(once))
        found = large / max(small, TOO_SHORT / 2)
        if found <= MOST:
            break
    return found
