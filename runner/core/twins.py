"""What a service made of one order beside the batch that is taken, and what that may cost.

A gateway that repeats what it got no answer to makes two or three batches of one order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from runner.core.cost import dollars
from runner.core.model import Batch, Progress, RemoteId
from runner.core.states import BatchEvent, Outcome


@dataclass(frozen=True, slots=True)
class Made:
    """All that a provider has of one order."""

    remote: RemoteId
    """The batch to take: the furthest on, so that no answer that is paid for is left lying."""
    twins: tuple[str, ...] = ()
    """Batches from the same input; they will not be read."""
    apart: tuple[str, ...] = ()
    """Batches with our labels from another input: a copy of the run's folder may have sent them."""


class Fate(StrEnum):
    """What is known of a batch that was made beside the one that is taken."""

    FOUND = "found"
    """It is to be cancelled."""
    APART = "apart"
    """It is not cancelled: another run may read it."""
    ASKED = "asked"
    """The provider was asked to cancel it, and has not said yet that it is over."""
    ENDED = "ended"
    """It is over, and may be billed."""
    UNBILLED = "unbilled"
    """It is over, and by the provider's word it has answered nothing."""


_OPEN = frozenset({Fate.FOUND, Fate.APART, Fate.ASKED})
_WORDS = {
    Fate.FOUND: "{names} to be cancelled",
    Fate.APART: "{names} left alone, from another input: a copy of this folder may have sent it",
    Fate.ASKED: "{names} being cancelled",
    Fate.ENDED: "{names} over and may be billed",
    Fate.UNBILLED: "{names} over without an answer and not billed",
}
_BROKEN_OFF = frozenset({Outcome.CANCELLED, Outcome.EXPIRED})


def fates_of(made: Made, taken: str | None) -> dict[str, str]:
    """Return every batch of an order but the one that is taken, with what is to become of it."""
    fates = dict.fromkeys(made.apart, Fate.APART.value)
    fates |= dict.fromkeys((made.remote, *made.twins), Fate.FOUND.value)
    return {name: fate for name, fate in fates.items() if name != taken}


def fate_of(fate: str, progress: Progress) -> str:
    """Return what a twin has come to, by what the provider says of it now."""
    if progress.event == BatchEvent.PROGRESS:
        return fate
    if progress.event != BatchEvent.END:
        return Fate.UNBILLED.value  # it never ran
    is_counted = progress.total != 0  # none of none: the counts are not those of its requests
    nothing = is_counted and progress.completed == 0 and not progress.files.get("output")
    return (Fate.UNBILLED if nothing and progress.rest in _BROKEN_OFF else Fate.ENDED).value


def is_unsought(batch: Batch) -> bool:
    """Tell whether a batch may have twins that were not looked for."""
    known = batch.sought_at is not None or batch.adopted or batch.realtime
    return batch.remote is not None and not known


def open_twins(batch: Batch) -> tuple[str, ...]:
    """Return the twins of a batch that are not known to be over."""
    return tuple(name for name, fate in batch.twins.items() if fate in _OPEN)


def costly(batch: Batch) -> int:
    """Count the twins of a batch that may be billed."""
    return sum(fate != Fate.UNBILLED for fate in batch.twins.values())


def most_usd(batch: Batch) -> Decimal:
    """Return the most that the twins of a batch may cost: each asks what the batch asks."""
    return sum([batch.reserved_usd or Decimal(0)] * costly(batch), Decimal(0))


def in_words(batch: Batch) -> str | None:
    """Say what was made of an order; None when it was one batch, as it should be."""
    if not batch.twins:
        return None
    by_fate: dict[str, list[str]] = {}
    for name, fate in batch.twins.items():
        by_fate.setdefault(fate, []).append(name)
    parts = [f"{batch.remote} is taken" if batch.remote else "none of them is taken any more"]
    parts += [_WORDS[fate].format(names=_listed(by_fate[fate])) for fate in Fate if fate in by_fate]
    if usd := most_usd(batch):
        parts.append(f"up to {dollars(usd)} stays reserved")
    count = len(batch.twins) + (1 if batch.remote else 0)
    return f"the service made {count} batches of one order: {'; '.join(parts)}"


def told_of(batches: Iterable[Batch]) -> list[str]:
    """Say what was made of each order of which more than one batch was made."""
    return [f"{batch.key}: {words}" for batch in batches if (words := in_words(batch)) is not None]


def _listed(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
