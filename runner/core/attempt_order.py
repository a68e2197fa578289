"""Which attempt of a request counts: the first valid one; without one the last answered, else the last.

It is said once, as a number for each attempt: the least one counts. The number is arithmetic on a
constant of its outcome and on its place among all attempts, so that whole columns of a table are
put in order by the very functions that do it for one attempt.
"""

from typing import Any

from runner.core.states import Outcome

_MOST = 1 << 40
"""More attempts than any run has."""

STARTS = {Outcome.VALID.value: 0, Outcome.INVALID.value: 2 * _MOST}
"""By outcome, from where its attempts are numbered: upwards from 0, downwards from any other."""
OTHERS = 4 * _MOST
"""The same for attempts without an answer."""


def order_of(start: Any, place: Any) -> Any:
    """Return the number of an attempt; of all attempts of a request, the one with the least counts.

    Args:
        start: of its outcome, from `STARTS`, else `OTHERS`; an integer, or a column of them.
        place: its place among all attempts in the order they were sent, from 0; as `start`.
    """
    return abs(start - place)


def place_of(order: Any) -> Any:
    """Return the place of the attempt that has a number; an integer, or a column of them."""
    start = (order + _MOST) // (2 * _MOST) * (2 * _MOST)
    return abs(start - order)
