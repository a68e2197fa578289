"""What an error status, or a call that broke off, says of a call: one table for every service.

Pure. Whether a status was said by the service itself decides whether it proves anything: a proxy's
page may come after the fact.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import JsonObject
from runner.providers._speaking import ORDER, retry_after
from runner.providers.base import Service, said

_REFUSALS: Final = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
"""Statuses that say that nothing was made. 408, 409 and 5xx say nothing: in doubt."""
_DONE_ELSEWHERE: Final = 303
"""The one redirection that follows work that was done."""
_NO_CREDIT: Final = {
    *("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
    *("enforced_spend_limit_reached", "contract_spend_limit_reached"),
}
"""Codes of a 429 that waiting does not help."""
_NOT_SENT: Final = {
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
}
"""Transport errors (httpx and httpx2) that prove that no request reached the service."""


def error_of_status(
    status: int,
    message: str,
    *,
    what: str,
    body: JsonObject | None,
    headers: Mapping[str, str],
    checks: Mapping[int, str],
    refusals: frozenset[int] = frozenset(),
) -> ProviderError:
    """Return what a status other than success means.

    Args:
        status: as HTTP counts.
        message: what the service said, safe to print.
        what: the call; after an order, only the service's own refusal is believed.
        body: the JSON object that came with it; None: not the service's words.
        headers: of the reply.
        checks: what the user is to look at, by status (401, 403).
        refusals: further statuses with which this service says that nothing was made.
    """
    is_refusal = status in _REFUSALS | refusals or 300 <= status < 400
    if what == ORDER and is_refusal and not (status >= 400 and is_its_own(body)):
        return ProviderSilent(f"{message} (not the service's own words)")
    if status == 429 and body is not None:
        if _is_about_credit(body):
            return ProviderRefused(f"{message}: check the plan and credit of this account")
        return ProviderBusy(message, retry_after=retry_after(headers))
    if status in checks:
        return ProviderRefused(f"{message}: {checks[status]}")
    if status == 404 and body is not None:
        return ProviderRefused(message, forgotten=True)
    if is_refusal and status != _DONE_ELSEWHERE:
        return ProviderRefused(message)
    if status < 300:
        return ProviderReplyUnreadable(message)
    return ProviderSilent(message, retry_after=retry_after(headers))


def is_its_own(body: JsonObject | None) -> bool:
    """Tell whether a refusal is in a service's own words, and not in those of a proxy."""
    if body is None:
        return False
    says_what = {"type", "code", "object"} & body.keys()
    return bool({"error", "detail", "errors"} & body.keys() or ("message" in body and says_what))


def _is_about_credit(body: JsonObject) -> bool:
    error = body.get("error")
    if not isinstance(error, dict):
        return False
    details = error.get("details")
    codes = (error.get("code"), details.get("error_code") if isinstance(details, dict) else None)
    return any(isinstance(code, str) and code in _NO_CREDIT for code in codes)


def json_object(content: bytes) -> JsonObject | None:
    """Return the JSON object that came with an error status.

    None: the reply came from something between us and the service, such as a proxy's page, and proves nothing.
    """
    try:
        body = orjson.loads(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def error_unsent(error: Exception, what: str, service: Service) -> ProviderBusy | None:
    """Return the error of a call that surely never reached the service; None when it may have."""
    causes = {type(cause).__name__: cause for cause in causes_of(error)}
    for name in causes.keys() & _NOT_SENT:
        reason = said(causes[name], service.key) or name
        return ProviderBusy(f"{what}: cannot reach {service.base_url}: {reason}")
    return None


def error_in_doubt(error: Exception, what: str, service: Service) -> ProviderSilent:
    """Return the error of a call that broke off, so that it may have had its effect."""
    causes = ", ".join({type(cause).__name__: None for cause in causes_of(error)})
    return ProviderSilent(f"{what}: {said(error, service.key)} ({causes})")


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was raised from."""
    current: Any = error
    while current is not None:
        yield current
        current = current.__cause__
