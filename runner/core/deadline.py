"""Until when batches are waited for: as it was typed once, it stays one moment over all restarts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OFF: Final = "off"
"""Takes a deadline away."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment from which on what is open is asked one by one."""

    said: str
    """As it was typed: 06:00, 8h, 2026-12-01T06:00."""
    at: float
    """In seconds since the epoch."""


def in_force(
    kept: Deadline | None, said: str | None, read: Callable[[str], Deadline]
) -> Deadline | None:
    """Return the deadline that holds for a run.

    The same words again are the same moment, also when it has passed, since the same command again
    is how a run is resumed.

    Args:
        kept: what an earlier run was told.
        said: what this one is told; None: nothing.
        read: returns the moment that words mean now.
    """
    if said is None:
        return kept
    if said == OFF:
        return None
    return kept if kept is not None and kept.said == said else read(said)
