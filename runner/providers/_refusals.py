"""Whose fault is a refusal: the request's, the account's, or neither's? In every service's words.

Pure. One table for result lines, single requests and whole calls: what is the account's fault would
be said of any request, so nothing more is sent and the request stays to be asked.
"""

import math
import re
from typing import Any, Final

from runner.core.finish import CONTENT_FILTER
from runner.core.model import ReplyKind

_ACCOUNT_STATUSES: Final = {401, 402, 403, 404, 407}
"""No key, no money, no access, no such model or deployment."""
_PASSING: Final = {408, 409, 425, 429, 499}
"""In the 400s, and yet worth asking again."""
_TOO_MANY: Final = 429
RPC_STATUSES: Final = dict(
    enumerate((499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 400, 500, 503, 500, 401), 1)
)
"""The numbers of google.rpc.Code as HTTP counts."""

_CONTENT: Final = re.compile(
    r"content[ _-]?(?:filter|policy|management|violation)|responsible[ _]?ai|moderation|flagged"
    r"|guardrail|(?:usage|safety) polic|safety|jailbreak|prohibited[ _]?content|data_inspection"
)
"""What was said was refused, whatever the status."""

_ACCOUNT: Final = re.compile(
    r"insufficient[ _](?:quota|balance|credit|fund)|billing|credit balance|payment[ _]required"
    r"|(?:out of|no|not enough|exhausted|insufficient|run out of) credits?\b"
    r"|budget[ _](?:has been )?exceeded|exceeded (?:your|its|the) (?:current )?(?:quota|budget)"
    r"|over(?:all)? budget|exceeded_budget|budget_exhausted|(?:current|max) budget"
    r"|(?:usage|spend|spending|hard|monthly|credit)[ _]limit|quota[ _]exceeded|arrearage|overdue"
    r"|invalid[ _](?:api[ _]?)?key|incorrect api key|api[ _]?key|authentication|unauthenticated"
    r"|unauthorized|permission|forbidden|access[ _]denied|not authorized|consumer_suspended"
    r"|(?:does not|do not|don't) have access|access_terminated|not_found_error|model_not_found"
    r"|deployment_?not_?found|deployment for this resource|model_terms|unsupported_country"
    r"|(?:account|organi[sz]ation|project|user)[^.]{0,40}"
    r"(?:suspended|deactivated|disabled|on hold|deleted|terminated|restricted)"
    r"|service_disabled|has not been used in project"
)

_WAIT: Final = re.compile(
    r"rate[ _-]?limit|too[ _]many[ _]requests|per (?:minute|second|hour|day)\b"
)
"""A 429 that waiting helps, whatever else it speaks of."""


def kind_of(status: int | None, *words: str) -> ReplyKind:
    """Say what a refusal is to a request.

    Args:
        status: as HTTP counts, if it is known.
        words: its code, its type and its message.

    Returns:
        DENIED: the account's fault; REFUSED: the request's; ERRORED: worth asking again.
    """
    told = " ".join(words).lower()
    is_refusal = status is None or 400 <= status < 500
    if is_refusal and status not in _PASSING and _CONTENT.search(told):
        return ReplyKind.REFUSED
    if is_refusal and _ACCOUNT.search(told) and not _only_for_now(status, told):
        return ReplyKind.DENIED
    if status is None or status in _PASSING or not is_refusal:
        return ReplyKind.ERRORED
    return ReplyKind.DENIED if status in _ACCOUNT_STATUSES else ReplyKind.REFUSED


def _only_for_now(status: int | None, told: str) -> bool:
    """Tell whether a 429 is about a rate, which a note on billing or quota does not change."""
    return status == _TOO_MANY and bool(_WAIT.search(told)) and "insufficient_quota" not in told


def finish_of(kind: ReplyKind, *words: str) -> str | None:
    """Return content_filter for a request that was refused for what it says; None otherwise."""
    is_content = kind is ReplyKind.REFUSED and _CONTENT.search(" ".join(words).lower())
    return CONTENT_FILTER if is_content else None


_ANY_STATUS: Final = 10**6
"""A number as large as this is no status."""


def number_in(value: Any) -> int | None:
    """Return a status that a service wrote as a number or in digits."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:9])
    if isinstance(value, float) and not math.isfinite(value):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < _ANY_STATUS else None
