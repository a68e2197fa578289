"""Counters of a run, put together for the ledger's summary, the screen and `summary.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from runner.core import charged
from runner.core.cost import dollars
from runner.core.identity import counted
from runner.core.model import Batch, Usage
from runner.core.plan import committed
from runner.core.request_states import Counts
from runner.core.states import FINAL_STATES, BatchState
from runner.core.twins import costly, most_usd, told_of


def totals(counts: Counts) -> dict[str, int]:
    """Return the five counters; they add up, always."""
    assert counts.total == counts.success + counts.retry_success + counts.failed + counts.open
    return {
        "total": counts.total,
        "success": counts.success,
        "retry_success": counts.retry_success,
        "failed": counts.failed,
        "open": counts.open,
    }


def add_up(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Sum nested counters, as question -> pattern -> matches."""
    total: dict[str, dict[str, int]] = {}
    for part in parts:
        for outer, inner in part.items():
            row = total.setdefault(outer, {})
            for key, count in inner.items():
                row[key] = row.get(key, 0) + count
    return total


def summary(counts: Counts, batches: tuple[Batch, ...]) -> dict[str, Any]:
    """Return what another process needs to show the run, JSON-ready."""
    usage = sum((b.usage for b in batches), Usage())
    money = cost_of(batches)
    active = [b for b in batches if b.state not in FINAL_STATES]
    return {
        **totals(counts),
        "pattern_match_stats": add_up(b.patterns for b in batches),
        "missing_by_cause": add_up(b.causes for b in batches),
        "outcomes": add_up({"all": b.tally} for b in batches).get("all", {}),
        "notices": add_up({"all": b.notices} for b in batches).get("all", {}),
        "models_returned": models_returned(batches),
        **{f.name: None if money.unknown else getattr(usage, f.name) for f in fields(usage)},
        "cost_usd": None if money.spent is None else str(money.spent),
        "cost_known_usd": None if money.known is None else str(money.known),
        "cost_unknown": money.unknown,
        "cost_unknown_usd": str(money.held),
        "committed_usd": str(committed(batches)),
        "batches": by_state(batches),
        **({"twins": twins} if (twins := told_of(batches)) else {}),
        **({"charged": differ} if (differ := charged.told_of(batches)) else {}),
        "next_at": min((b.next_at for b in active), default=None),
    }


def models_returned(batches: Iterable[Batch]) -> dict[str, int]:
    """Return how many answers came under which model's name; older batches do not know."""
    return counted(add_up({"all": b.models} for b in batches).get("all", {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What collected batches cost, in US dollars, as far as known."""

    spent: Decimal | None
    """None as long as it is not known of every attempt."""
    known: Decimal | None
    """What is known of it; None when the price is unknown."""
    unknown: int
    """Attempts that may be billed at an unknown cost."""
    attempts: int
    """All that may be billed."""
    held: Decimal
    """The most that the unknown ones may cost, which stays reserved."""

    def __str__(self) -> str:
        """Say it in a few words, never as a sum that leaves something out."""
        if self.spent is not None:
            return dollars(self.spent)
        if not self.unknown or self.known is None:
            return "cost unknown"
        known = f"${self.known:.4f} and " if self.known else ""
        kept = f", up to ${self.held:.4f} stays reserved" if self.held else ""
        return f"{known}cost unknown for {self.unknown:,} of {self.attempts:,} answers{kept}"


_BILLED = ("valid", "invalid", "missing", "unreadable")


def cost_of(batches: Iterable[Batch]) -> Cost:
    """Add up what collected batches cost, and what the service made of any order beside its batch."""
    batches = tuple(batches)
    twice = sum(costly(batch) * batch.count for batch in batches)
    found = [batch for batch in batches if batch.state is BatchState.COLLECTED]
    known = [b.cost_usd if b.known_usd is None else b.known_usd for b in found]
    sure = [usd for usd in known if usd is not None]
    unknown = sum(batch.cost_unknown for batch in found) + twice
    exact = len(sure) == len(found) and not unknown
    asked = sum(batch.tally.get(name, 0) for batch in found for name in _BILLED)
    return Cost(
        spent=sum(sure, Decimal(0)) if exact else None,
        known=sum(sure, Decimal(0)) if len(sure) == len(found) else None,
        unknown=unknown,
        attempts=max(asked + twice, unknown),
        held=sum((b.held_usd for b in found), Decimal(0)) + sum(map(most_usd, batches), Decimal(0)),
    )


UNKNOWN = "unknown"
"""The state that is shown while the provider may have a batch and which one it is cannot be told."""


HELD = "held"
"""The state that is shown while a batch contradicts itself, and no run waits for it any more."""


def shown_state(batch: Batch) -> str:
    """Return the word that screens and summaries have for where a batch stands."""
    if batch.candidates:
        return UNKNOWN
    return HELD if batch.is_held else batch.state.value


def days_left(batch: Batch, now: float) -> float | None:
    """Return how long uncollected results are still kept, in days.

    None for a batch that is not over at the provider, as far as known here.
    """
    waits = batch.state in (BatchState.RUNNING, BatchState.CANCELLING)
    over = batch.state is BatchState.ENDED or (
        waits and batch.expires_at is not None and batch.expires_at <= now
    )
    return (batch.kept_until - now) / 86_400 if over and batch.kept_until is not None else None


def by_state(batches: Iterable[Batch]) -> dict[str, int]:
    """Count batches by the word that is shown for where they stand."""
    return dict(Counter(shown_state(batch) for batch in batches))
