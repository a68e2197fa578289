"""What a message batch says of itself, of which nothing is certain, and what that may mean.

The objects are the SDK's, which passes anything through.
"""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Batch, Progress, RemoteId
from runner.providers._lines import count
from runner.providers._stainless import field, id_of
from runner.providers.base import Secret, said

_ID: Final = re.compile(r"[A-Za-z0-9][\w.:~-]{0,254}", re.ASCII)
_ONE_IS_OPEN: Final = (
    "1 batch at Anthropic could be {key} ({names}): it has {count} requests and was made at that "
    "time; when it ends, the custom_ids in its results tell"
)
_MANY_ARE_OPEN: Final = (
    "{many} batches at Anthropic could be {key} ({names}): all have {count} requests and were made "
    "at that time; when they end, the custom_ids in their results tell"
)


def remote_of(batch: Any) -> RemoteId:
    """Return the id, which will be part of an address.

    Raises:
        ProviderReplyUnreadable: when it cannot be.
    """
    value = id_of(batch)
    if _ID.fullmatch(value) is None:
        raise ProviderReplyUnreadable(f"a reply with an id that is none: {said(value, None, 40)}")
    return RemoteId(value)


def total_of(batch: Any) -> int | None:
    """Return how many requests it has: its counts add up to that at all times."""
    counts = field(batch, "request_counts")
    rows = dict(counts) if hasattr(counts, "model_dump") else counts
    if not isinstance(rows, dict) or not rows:
        return None
    numbers = [count(value) for value in rows.values()]
    return sum(number for number in numbers if number is not None) if None not in numbers else None


def answered_of(batch: Any) -> int:
    """Return how many requests it says that it has answered."""
    return count(field(field(batch, "request_counts"), "succeeded")) or 0


def made_at(batch: Any) -> float | None:
    """Return when it was made, by the provider's clock."""
    return _seconds(field(batch, "created_at"))


def _seconds(value: Any) -> float | None:
    """Return a time that the SDK could read."""
    return value.timestamp() if isinstance(value, datetime) else None


def seconds_ahead(headers: Mapping[str, str]) -> float:
    """Return how far this machine's clock is ahead of the provider's."""
    try:
        theirs = parsedate_to_datetime(headers.get("date") or "").timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, time.time() - theirs)


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
            event="progress",
            total=total,
            expires_at=expires_at,
            message=None if is_known else f"unknown state {state!r}",
            wait=wait,
        )
    completed = count(field(field(batch, "request_counts"), "succeeded"))
    return Progress(
        state=state,
        event="end",
        total=total,
        completed=completed,
        failed=None if total is None or completed is None else total - completed,
        files={"output": id_of(batch)},
        expires_at=expires_at,
    )


def open_question(batch: Batch, running: list[RemoteId], unread: Mapping[RemoteId, str]) -> str:
    """Say which batches may be the one in doubt, and when that will be known.

    Args:
        batch: the one in doubt.
        running: those that have not ended.
        unread: those whose results cannot be read, and why.
    """
    parts = []
    if running:
        how = _ONE_IS_OPEN if len(running) == 1 else _MANY_ARE_OPEN
        names = ", ".join(running)
        parts.append(how.format(key=batch.key, names=names, many=len(running), count=batch.count))
    parts += [
        f"{remote} at Anthropic could be {batch.key}, and its results cannot be read ({reason})"
        for remote, reason in unread.items()
    ]
    return "; ".join([*parts, "until then it is not sent again"])
