"""What the openai, anthropic and groq SDKs share: one generator wrote all three.

Their own retries are off, redirects are not followed, and every exception of theirs and of their
transport (httpx2, or httpx for groq) becomes one of ours.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import JsonObject
from runner.providers._lines import reason_in
from runner.providers._speaking import Speaking, sendable_headers, sendable_key
from runner.providers._status import error_in_doubt, error_of_status, error_unsent, json_object
from runner.providers.base import Service, said

CHUNK = 1 << 20

_KEPT_OPEN = 64
"""Connections that stay open between calls; how many there are at once, the caller decides."""

_BEFORE_A_FILE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and blanks."""


class Sdk:
    """One SDK with its transport, and how to speak through it.

    Args:
        module: the SDK itself.
        transport: httpx2 or httpx.
        root: the SDK's own root exception.
    """

    def __init__(self, module: Any, transport: Any, root: type[Exception]) -> None:
        self.module = module
        self.transport = transport
        self._foreign = (
            root,
            transport.HTTPError,
            transport.StreamError,
            transport.InvalidURL,
            transport.CookieConflict,
            ValueError,  # a reply that is not JSON, not UTF-8, or has a number too long to read
            RecursionError,
        )

    def connect(
        self,
        make: Callable[..., Any],
        http_client: Callable[..., Any],
        service: Service,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        """Make the SDK's client; nothing is sent. `headers` stand beneath the user's own.

        Raises:
            ProviderRefused: no key, or one that cannot be sent, or no such address.
        """
        try:
            return make(
                api_key=sendable_key(service),
                base_url=service.base_url,
                max_retries=0,
                default_headers={**(headers or {}), **sendable_headers(service)},
                timeout=service.timeout_seconds,
                http_client=http_client(
                    follow_redirects=False,
                    trust_env=not service.on_this_machine,
                    limits=self.transport.Limits(
                        max_connections=None, max_keepalive_connections=_KEPT_OPEN
                    ),
                ),
                **more,
            )
        except (*self._foreign, ImportError) as error:
            raise ProviderRefused(
                f"cannot connect to {service.base_url}: {said(error, service.key)}"
            ) from None

    def speaking(self, service: Service, what: str) -> Speaking:
        """Return a block in which every foreign exception becomes one of ours."""
        return Speaking(self._foreign, lambda error: self._translated(error, service, what))

    def _translated(self, error: Exception, service: Service, what: str) -> ProviderError:
        message = f"{what}: {said(error, service.key)}"
        if isinstance(error, self.module.APIStatusError):
            check = f"check {service.key_variable}"
            return error_of_status(
                error.status_code,
                f"{what}: {said(_in_its_words(error), service.key)}",
                what=what,
                body=object_in(error),
                headers=error.response.headers,
                checks={401: check, 403: check},
            )
        if unsent := error_unsent(error, what, service):
            return unsent
        if isinstance(error, self.transport.InvalidURL):
            return ProviderRefused(message)
        unreadable = (self.module.APIResponseValidationError, ValueError, RecursionError)
        if isinstance(error, unreadable):
            return ProviderReplyUnreadable(message)
        return error_in_doubt(error, what, service)


def object_in(error: Any) -> JsonObject | None:
    """Return the JSON object that came with an error status.

    None: the reply came from something between us and the service, such as a proxy's page, and proves nothing.
    """
    try:
        return json_object(error.response.content)
    except RuntimeError:  # a body that was never read
        return None


def _in_its_words(error: Any) -> str:
    """Return what the service said; the SDKs show its message, its whole JSON, or only a number."""
    reason = reason_in(object_in(error) or {})
    return str(error) if reason is None else f"{error.status_code}: {reason}"


def id_of(reply: Any) -> str:
    """Return a reply's id; the SDKs pass anything through, also a list or an error page."""
    value = field(reply, "id")
    if isinstance(value, str) and value:
        return value
    raise ProviderReplyUnreadable(f"a reply without an id ({type(reply).__name__})")


def field(thing: Any, name: str) -> Any:
    """Return a field of what should be an object; the SDK leaves what it does not expect a dict."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def items_of(page: Any) -> list[Any]:
    """Return what one page of a list names.

    Raises:
        ProviderReplyUnreadable: when it is no page; half a list proves nothing.
    """
    data = field(page, "data")
    if page is None or not isinstance(data, list):
        raise ProviderReplyUnreadable("a list that is none")
    return data


def result_file(chunks: Iterable[bytes], service: Service) -> Iterator[bytes]:
    """Pass a result file on; a web page in its place would be taken for lost answers."""
    rest = iter(chunks)
    first = next(rest, b"")
    start = first.lstrip(_BEFORE_A_FILE)[:80]
    if start and not start.startswith(b"{"):
        shown = said(start.decode("utf-8", "replace"), service.key)
        raise ProviderSilent(f"download: not a result file: {shown}")
    yield first
    yield from rest
