"""Counters of a run, put together for the ledger's summary, the screen and `summary.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from runner.core.identity import counted
from runner.core.model import Batch, Usage
from runner.core.plan import committed
from runner.core.roster import Counts
from runner.core.states import FINAL_STATES, BatchState


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
    unknown = any(b.cost_usd is None and b.state is BatchState.COLLECTED for b in batches)
    spent = sum((b.cost_usd for b in batches if b.cost_usd is not None), Decimal(0))
    active = [b for b in batches if b.state not in FINAL_STATES]
    return {
        **totals(counts),
        "pattern_match_stats": add_up(b.patterns for b in batches),
        "missing_by_cause": add_up(b.causes for b in batches),
        "outcomes": add_up({"all": b.tally} for b in batches).get("all", {}),
        "notices": add_up({"all": b.notices} for b in batches).get("all", {}),
        "models_returned": models_returned(batches),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": None if unknown else str(spent),
        "committed_usd": str(committed(batches)),
        "batches": by_state(batches),
        "next_at": min((b.next_at for b in active), default=None),
    }


def models_returned(batches: Iterable[Batch]) -> dict[str, int]:
    """Return how many answers came under which model's name; older batches do not know."""
    return counted(add_up({"all": b.models} for b in batches).get("all", {}))


UNKNOWN = "unknown"
"""The state that is shown while the provider may have a batch and nobody can tell which it is."""


HELD = "held"
"""The state that is shown while a batch contradicts itself, and no run waits for it any more."""


def shown_state(batch: Batch) -> str:
    """Return the word that screens and summaries have for where a batch stands."""
    if batch.candidates:
        return UNKNOWN
    return HELD if batch.is_held else batch.state.value


def days_left(batch: Batch, now: float) -> float | None:
    """Return how long uncollected results are still kept, in days.

    None for a batch that is not over at the provider, as far as anybody here can know.
    """
    waits = batch.state in (BatchState.RUNNING, BatchState.CANCELLING)
    over = batch.state is BatchState.ENDED or (
        waits and batch.expires_at is not None and batch.expires_at <= now
    )
    return (batch.kept_until - now) / 86_400 if over and batch.kept_until is not None else None


def by_state(batches: Iterable[Batch]) -> dict[str, int]:
    """Count batches by the word that is shown for where they stand."""
    return dict(Counter(shown_state(batch) for batch in batches))
