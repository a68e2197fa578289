"""`action=bundle`: what of a run may stand in a bug report. Pure.

An allow-list: a number, a truth or one of some known words stays where its name is one of ours.
Every other text, key of a mapping or list is told by its kind and length alone, so that what this
version does not know is left out, too.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args

from runner.config import options
from runner.config.checks import CHOICES, FORMATS
from runner.config.schema import Config, TrialsConfig, UntilConfig
from runner.config.settings import Settings
from runner.core.model import Batch, Cause, ItemKind, PatternKind, Sampling
from runner.core.plan import Verb
from runner.core.reasoning import LEVELS
from runner.core.states import BatchEvent, BatchState, Outcome

Allowed = Mapping[str, Collection[str]]
"""Names that may be told, each with the words that may stand under it."""

_OPAQUE: Final = (
    *("factors", "design", "data", "headers", "parameters", "anchors", "schema", "per_million"),
    *("value_patterns", "reason_patterns", "end_patterns", "refusal_patterns", "models"),
)
"""Settings in which no name is ours, or which are too long to be read."""
_MOST = 50
"""Of a mapping with more entries than this, only their number is told."""
_SAFE = re.compile(r"b[0-9]{4,9}|-?[0-9]{1,12}(\.[0-9]{1,12})?(E-?[0-9]{1,3})?")
"""A batch's key, or an amount of money as text."""
_REMOTE_STATES: Final = (
    *("validating", "in_progress", "finalizing", "completed", "failed", "expired", "ended"),
    *("cancelling", "cancelled", "canceling", "queued", "running", "pending", "succeeded"),
    *("submitted", "scheduled", "stopping", "stopped", "partially_completed"),
    *("QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED", "TIMEOUT_EXCEEDED"),
    *("CANCELLATION_REQUESTED", "COMPLETED", "EXPIRED", "IN_PROGRESS", "VALIDATING"),
)
_EVENTS: Final = (
    *(*BatchEvent, "packed", "recovered", "adopt", "repeat", "fenced", "fetched again", "deadline"),
    *("not found yet", "sought", "twins", "unsettled", "held", "fetch failed", "seek failed"),
    *("undecided", *(f"{verb.value} failed" for verb in Verb)),
)
"""What the ledger calls an event."""
_NOTICES: Final = ("duplicate", "conflicting", "unknown", "unreadable", "oversize", "misplaced")
_KINDS: Final = (
    *(f"{notice} lines" for notice in _NOTICES),
    *(f"request{s} {outcome.value}" for s in ("", "s") for outcome in Outcome),
)
"""What errors.jsonl calls what went wrong with lines and requests."""
_IN_SUMMARY: Final = (
    *("rehearsal", "total", "success", "retry_success", "failed", "open", "notices", "outcomes"),
    *("pattern_match_stats", "missing_by_cause", "models_returned", "input_tokens", "unknown"),
    *("output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("cost_usd", "cost_known_usd", "cost_unknown", "cost_unknown_usd", "committed_usd"),
    *("held", "halted"),
    *("batches", "next_at", "pilot", "share", "valid", "at_least", "until", "half_width", "none"),
)


def of_settings(settings: Settings, public: Allowed) -> dict[str, Any]:
    """Return the composed settings, reduced.

    Args:
        settings: of the job.
        public: words that stand in the program's own files, by setting, as `model`.
    """
    provider = settings.config.provider
    words: dict[str, set[str]] = {name: set() for name in (*_names(Config), *options.types())}
    for said in (_WORDS, public, *({path: own} for path, _, own in options.choices(provider))):
        for path, some in said.items():
            words.setdefault(path.rpartition(".")[2], set()).update(some)
    reduced: dict[str, Any] = _reduced(settings.resolved, words, told=False)
    return reduced


_WORDS: Final[Allowed] = {
    **CHOICES,
    "format": ("text", "json", *FORMATS),
    "kind": (*ItemKind, *PatternKind),
    "sampling": (*Sampling,),
    "reasoning": LEVELS,
    "temperatures": ("calculated",),
    "ask": ("together", "each"),
    "items": ("latin", "true", "false"),
    "options": ("latin", "true", "false"),
    "role": ("system", "user", "assistant"),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "per": ("condition",),
    "deadline": ("off",),
}


def _names(kind: Any) -> set[str]:
    """Return the names of all settings below a dataclass of the schema."""
    found = set()
    for field in fields(kind):
        found.add(field.name)
        inside = (field.type, *get_args(field.type))
        for inner in (*inside, *(more for one in inside for more in get_args(one))):
            if isinstance(inner, type) and is_dataclass(inner):
                found |= _names(inner)
    if kind is Config:
        found |= _names(TrialsConfig) | _names(UntilConfig)
    return found


def of_batch(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a batch's row of the ledger, reduced: its key, its state, counters, sizes and times."""
    reduced: dict[str, Any] = _reduced(row, _BATCH, told=True)
    return reduced


def of_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return one event, reduced: its kind, its time, its batch and counters."""
    reduced: dict[str, Any] = _reduced(event, _EVENT, told=True)
    return reduced


def of_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a run's summary, or of what else its ledger keeps for other processes."""
    reduced: dict[str, Any] = _reduced(summary, _SUMMARY, told=True)
    return reduced


def of_errors(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count what went wrong by its kind; messages may quote prompts and are left out."""
    kinds = (str(row.get("error_type")) for row in rows)
    return dict(Counter(kind if kind in _ERRORS else "other" for kind in kinds))


_COUNTED: Final[Allowed] = dict.fromkeys((*Outcome, *Cause, *_NOTICES, *PatternKind), ())
_BATCH: Final[Allowed] = {
    **_COUNTED,
    **dict.fromkeys((field.name for field in fields(Batch)), ()),
    "state": (*BatchState,),
    "rest": (*Outcome,),
    "remote_state": _REMOTE_STATES,
}
_EVENT: Final[Allowed] = {
    **_COUNTED,
    **dict.fromkeys(("at", "batch", "remote", "requests", "tally", "error"), ()),
    "event": _EVENTS,
    "state": (*BatchState,),
    "remote_state": _REMOTE_STATES,
}
_SUMMARY: Final[Allowed] = {
    **_COUNTED,
    **dict.fromkeys((*_IN_SUMMARY, *BatchState), ()),
    **dict.fromkeys(("at", "finished", "left"), ()),
}
_ERRORS: Final = frozenset((*_EVENTS, *_KINDS))


def _reduced(
    value: Any, allowed: Allowed, *, told: bool, name: str = "", known: bool = True
) -> Any:
    """Return a value of which nothing but what is allowed is left.

    Args:
        value: plain data.
        allowed: the names, and the words.
        told: whether numbers are counters of ours also under names that are not.
        name: under which it stands.
        known: whether that is allowed.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if known or told else "a number"
    if isinstance(value, str):
        numeric = (name in ("key", "batch") or name.endswith("_usd")) and _SAFE.fullmatch(value)
        is_word = known and (numeric or value in allowed.get(name, ()))
        return value if is_word else f"a text of {len(value)}"
    if isinstance(value, Mapping):
        if len(value) > _MOST and any(key not in allowed for key in value):
            return f"a mapping of {len(value)}"
        inside = {} if name in _OPAQUE and not told else allowed
        found = {}
        for number, (key, inner) in enumerate(value.items(), start=1):
            is_known = isinstance(key, str) and key in inside
            shown = str(key) if is_known else f"({number})"
            found[shown] = _reduced(
                inner, inside, told=told, name=shown if is_known else "", known=is_known
            )
        return found
    if isinstance(value, list | tuple):
        if len(value) > _MOST or not known or name in _OPAQUE:
            return f"a list of {len(value)}"
        return [_reduced(one, allowed, told=told, name=name, known=known) for one in value]
    return f"a {type(value).__name__}"
