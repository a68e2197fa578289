"""What a ledger keeps, under which keys, and how a batch becomes text and a batch again.

format            int, the layout's number
experiment        the definition, and what identifies the run
batch/<key>       one batch and all that is known of it
members/<key>     its requests, as spans of trials; of many conditions, as ranges of their numbers × trials
outcomes/<key>    one byte a request: how its attempt ended
event/<number>    what happened, in order
trials/<number>   what a stopping rule granted: the rule, to which conditions, up to which trial
deadline          when what is open is asked one by one: as it was typed, and the moment; {} for never
notify            the environment variables that hold the addresses of messages
plan, summary, heartbeat, rev   for other processes that show the run

Requests have no row of their own and *pending* is stored nowhere: pending = expansion − ledger.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from runner.core.errors import LedgerDamaged
from runner.core.model import Batch, BatchKey, RemoteId, Span, Stem, Usage, Variant
from runner.core.numbered import Numbered
from runner.core.spans import Block, Spans
from runner.core.states import BatchState
from runner.storage.kv import KEEP, Value

FORMAT = 1
BATCH, MEMBERS, OUTCOMES, EVENT = "batch/", "members/", "outcomes/", "event/"
"""What the keys of a batch, of its requests, of their outcomes and of an event begin with."""
TRIALS = "trials/"
"""The same of what a stopping rule granted."""

DEADLINE, NOTIFY = "deadline", "notify"

RANGES = "ranges"
"""Where there are many conditions: the key of ranges of their numbers × trials."""

_DECIMALS = ("reserved_usd", "cost_usd", "known_usd", "held_usd", "bound_usd")
_TOKENS = tuple(f.name for f in fields(Usage))
"""In the order in which a batch's row has them; an older one has the first two."""


def event_key(number: int) -> str:
    """Return the key of an event; the first has the number 0."""
    return f"{EVENT}{number:08d}"


def trials_key(number: int) -> str:
    """Return the key of what was granted at once; the first has the number 0."""
    return f"{TRIALS}{number:08d}"


def packing_order(key: str) -> tuple[int, str]:
    """Sort b10000 after b9999."""
    return len(key), key


def text_of(value: Any) -> str:
    """Return JSON-ready data as a ledger keeps it."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def object_of(text: Any) -> dict[str, Any]:
    """Return the object of a text.

    Raises:
        LedgerDamaged: it is none.
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise LedgerDamaged(f"the ledger holds text that is not JSON ({error}); {KEEP}") from None
    if not isinstance(value, dict):
        raise LedgerDamaged(f"the ledger holds {type(value).__name__}, not an object; {KEEP}")
    return value


def first_rows(experiment: Mapping[str, Any]) -> dict[str, Value]:
    """Return what a ledger begins with."""
    return {"format": FORMAT, "experiment": text_of(experiment), "rev": 0}


def batch_rows(
    batch: Batch, *, members: Sequence[Span] | None = None, outcomes: bytes | None = None
) -> dict[str, Value]:
    """Return what a ledger keeps of a batch; without members or outcomes, those stay as they were."""
    rows: dict[str, Value] = {f"{BATCH}{batch.key}": text_of(plain(batch))}
    if members is not None:
        rows[f"{MEMBERS}{batch.key}"] = text_of(_members(members))
    if outcomes is not None:
        rows[f"{OUTCOMES}{batch.key}"] = outcomes
    return rows


def _members(members: Sequence[Span]) -> Any:
    if isinstance(members, Spans):
        return {RANGES: [[*block[:4], block.variant.value] for block in members.blocks]}
    return [[s.stem, s.first, s.last, s.variant.value] for s in members]


def members_of(text: Any, names: Callable[[], Numbered]) -> Sequence[Span]:
    """Return the requests that a row of the ledger tells of.

    Args:
        text: the row.
        names: returns the names of the conditions, in the order in which they were first seen.
    """
    said = json.loads(text)
    if isinstance(said, dict):
        rows = said[RANGES]
        return Spans(names(), (Block(b, e, f, last, Variant(v)) for b, e, f, last, v in rows))
    return tuple(Span(Stem(stem), first, last, Variant(v)) for stem, first, last, v in said)


def plain(batch: Batch) -> dict[str, Any]:
    """Return a batch as JSON-ready data."""
    row: dict[str, Any] = {f.name: getattr(batch, f.name) for f in fields(batch)}
    row["state"] = batch.state.value
    row["usage"] = [getattr(batch.usage, name) for name in _TOKENS]
    for name in _DECIMALS:
        row[name] = None if row[name] is None else str(row[name])
    return row


def batch_of(row: dict[str, Any]) -> Batch:
    """Return the batch that a row of the ledger, or a line beside it, tells of."""
    for name in _DECIMALS:
        if row.get(name) is not None:  # an older version did not know of all of them
            row[name] = Decimal(row[name])
    row["state"] = BatchState(row["state"])
    row["usage"] = Usage(**dict(zip(_TOKENS, row["usage"], strict=False)))
    row["dead"], row["candidates"] = tuple(row["dead"]), tuple(row["candidates"])
    row["key"] = BatchKey(row["key"])
    row["remote"] = None if row["remote"] is None else RemoteId(row["remote"])
    return Batch(**row)
