"""How long to wait before the next call; the jitter is an argument, so this is pure."""


def backoff(tries: int, first: float, longest: float, jitter: float) -> float:
    """Return seconds to wait after so many calls in a row that led to nothing.

    Args:
        tries: 0 for the first wait.
        first: seconds of the first wait; it doubles from there.
        longest: the cap, in seconds.
        jitter: a number in 0..1; up to a quarter of the wait is taken off with it.
    """
    wait = min(first * 2.0 ** min(tries, 30), longest)
    return wait * (1 - 0.25 * jitter)


def after_refusal(asked_for: float | None, wait: float, cap: float) -> float:
    """Return the wait after a 'not now': what the provider asked for, up to a cap."""
    if asked_for is None or not asked_for >= 0:
        return wait
    return min(max(asked_for, wait), cap)
