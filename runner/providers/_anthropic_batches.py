"""What a message batch says of itself, of which nothing is certain, and what that may mean.

The objects are the SDK's, which passes anything through.
"""

from datetime import datetime
from typing import Any

from runner.core.errors import ProviderRefused
from runner.core.model import Progress, RemoteId
from runner.core.states import BatchEvent
from runner.providers._found_by_size import Listed, remote_id
from runner.providers._lines import count
from runner.providers._stainless import field, id_of
from runner.providers.base import Secret, said


def remote_of(batch: Any) -> RemoteId:
    """Return the id, which will be part of an address.

    Raises:
        ProviderReplyUnreadable: when it cannot be.
    """
    return remote_id(id_of(batch))


def listed(batch: Any) -> Listed:
    """Return what the list says of a batch."""
    return Listed(
        remote=remote_of(batch),
        count=total_of(batch),
        made_at=_seconds(field(batch, "created_at")),
        is_over=field(batch, "processing_status") == "ended",
        answered=count(field(field(batch, "request_counts"), "succeeded")) or 0,
    )


def total_of(batch: Any) -> int | None:
    """Return how many requests it has: its counts add up to that at all times."""
    counts = field(batch, "request_counts")
    rows = dict(counts) if hasattr(counts, "model_dump") else counts
    if not isinstance(rows, dict) or not rows:
        return None
    numbers = [count(value) for value in rows.values()]
    return sum(number for number in numbers if number is not None) if None not in numbers else None


def _seconds(value: Any) -> float | None:
    """Return a time that the SDK could read."""
    return value.timestamp() if isinstance(value, datetime) else None


def progress_of(batch: Any, wait: float | None, key: Secret | None) -> Progress:
    """Say how it stands; until all of it has ended, how much is done is not known.

    Raises:
        ProviderRefused: when its results are gone.
    """
    archived_at = field(batch, "archived_at")
    if archived_at is not None:
        raise ProviderRefused(
            f"the results of {id_of(batch)} are gone since {said(archived_at, key)}: "
            "they are kept for 29 days",
            forgotten=True,
        )
    state = said(field(batch, "processing_status"), key)
    total, expires_at = total_of(batch), _seconds(field(batch, "expires_at"))
    if state != "ended":
        is_known = state in ("in_progress", "canceling")
        return Progress(
            state=state,
            event=BatchEvent.PROGRESS,
            total=total,
            expires_at=expires_at,
            message=None if is_known else f"unknown state {state!r}",
            wait=wait,
        )
    completed = count(field(field(batch, "request_counts"), "succeeded"))
    return Progress(
        state=state,
        event=BatchEvent.END,
        total=total,
        completed=completed,
        failed=None if total is None or completed is None else total - completed,
        files={"output": id_of(batch)},
        expires_at=expires_at,
    )
