"""What the result files of one batch say, what its record keeps of that, and when it stops a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runner.core.model import Batch, Usage
from runner.core.states import Outcome

_STOPPING = (Outcome.DENIED.value, Outcome.UNREADABLE.value, Outcome.ERRORED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReading:
    """What the result files of one batch say."""

    outcomes: bytes
    """One byte a request, in the batch's order."""
    tally: Mapping[str, int]
    patterns: Mapping[str, Mapping[str, int]]
    causes: Mapping[str, Mapping[str, int]]
    notices: Mapping[str, int]
    usage: Usage
    """Of the replies whose tokens the provider counted."""
    cost_usd: Decimal | None
    """None as long as it is not known of every attempt."""
    models: Mapping[str, int]
    """How many answers came under which returned name; answers without one are not in it."""
    known_usd: Decimal | None
    """What the others cost; None when the price is unknown."""
    cost_unknown: int
    """Attempts that may be billed at a cost that is not known."""
    held_usd: Decimal
    """The most that those may cost."""
    missing: int
    """Requests that are in no file, although every file was read to its end."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By outcome: the provider's words for the first that ended so."""
    errors_alike: bool = False
    """Whether every request, and they are several, came back with one and the same error."""


def kept(reading: BatchReading) -> dict[str, Any]:
    """Return what a batch's record keeps of its reading, by the fields of `Batch`."""
    return {
        "patterns": reading.patterns,
        "causes": reading.causes,
        "notices": reading.notices,
        "models": reading.models,
        "usage": reading.usage,
        "cost_usd": reading.cost_usd,
        "known_usd": reading.known_usd,
        "cost_unknown": reading.cost_unknown,
        "held_usd": reading.held_usd,
        "tally": reading.tally,
    }


def stop_after(batch: Batch, reading: BatchReading) -> str | None:
    """Return why nothing more is to be sent after these results; None when all is well."""
    denied = reading.tally.get(Outcome.DENIED.value)
    if denied:
        return (
            f"{batch.key}: {denied:,} of {batch.count:,} requests were refused, whatever they ask: "
            f"{reading.reasons.get(Outcome.DENIED.value)}; nothing more is sent, and they wait: mend "
            "the cause and run the same command again"
        )
    unreadable = reading.tally.get(Outcome.UNREADABLE.value)
    if unreadable:
        return (
            f"{batch.key}: {unreadable:,} of {batch.count:,} results cannot be read: "
            f"{reading.reasons.get(Outcome.UNREADABLE.value)}; nothing more is sent: they are kept in "
            "raw/ and may be billed, so that only action=retry asks them again"
        )
    if reading.errors_alike:
        return (
            f"{batch.key}: all {batch.count:,} requests came back with the same error: "
            f"{reading.reasons.get(Outcome.ERRORED.value)}; nothing more is sent for now, and they "
            "wait: run the same command again"
        )
    return None


def stopping_words(reading: BatchReading) -> str | None:
    """Return the provider's words for what stopped the run; None when it said nothing."""
    return next((reading.reasons[name] for name in _STOPPING if name in reading.reasons), None)
