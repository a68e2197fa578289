"""Speaking plain HTTP to a service that has no SDK; what a provider in one file is made with.

Nothing is sent twice, no redirection is followed, and every failure is one of ours. httpx is
imported when the first call is made.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, NamedTuple

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import JsonObject, Model
from runner.providers._lines import reason_in
from runner.providers._speaking import (
    ANSWER_TAKES,
    ORDER,
    Speaking,
    sendable_headers,
    sendable_key,
)
from runner.providers._status import (
    error_in_doubt,
    error_of_status,
    error_unsent,
    is_its_own,
    json_object,
)
from runner.providers.base import Service, missing_key, said

if TYPE_CHECKING:
    import httpx

__all__ = ["ORDER", "PACKAGES", "Plain", "PlainClient", "RealtimeReply", "json_object"]

PACKAGES = ("httpx",)
"""What a provider that speaks through it lists as `packages`."""


class RealtimeReply(NamedTuple):
    """What came of one request that was asked on its own."""

    status: int
    request_id: str | None
    content: bytes
    """As it came, without the key."""


class Plain:
    """One service's address and key; safe to use from several threads."""

    def __init__(
        self, service: Service, prefix: str = "Bearer ", header: str | None = "Authorization"
    ) -> None:
        """Keep where the service is, and how it wants its key (None: not); nothing is opened yet."""
        self._service = service
        self._header, self._prefix = header, prefix
        self._connecting = threading.Lock()
        self._client: httpx.Client | None = None

    def json(self, what: str, method: str, path: str, **request: Any) -> JsonObject:
        """Make a call and return the JSON object it answers.

        Args:
            what: names the call in messages; `ORDER` for the one that costs money.
            method: of HTTP.
            path: below the service's address.
            request: more for httpx, as `json`, `content`, `params`, `files` or `timeout` (seconds).

        Raises:
            ProviderError: whatever went wrong.
        """
        with self.stream(what, method, path, **request) as response:
            body = json_object(response.read())
        if body is None:
            raise ProviderReplyUnreadable(f"{what}: a reply that is no JSON object")
        return body

    def save(self, what: str, path: str, sink: BinaryIO, **request: Any) -> None:
        """Write what a GET brings, as it comes.

        Raises:
            ProviderError: whatever went wrong.
        """
        with self.stream(what, "GET", path, **request) as response:
            sink.writelines(response.iter_bytes(1 << 20))

    def ask(self, what: str, path: str, body: bytes, refusals: Collection[int]) -> RealtimeReply:
        """Post one request to a model, which may take ten times as long as any other call.

        Args:
            what: names the call in messages.
            path: below the service's address.
            body: JSON, sent as it is.
            refusals: statuses with which the service refuses the request, and not the caller.

        Raises:
            ProviderError: whatever else went wrong.
        """
        import httpx

        short, key = self._service.timeout_seconds, self._service.key
        request: dict[str, Any] = {
            "content": body,
            "headers": {"Content-Type": "application/json"},
            "timeout": httpx.Timeout(short * ANSWER_TAKES, connect=short),
        }
        with self.stream(what, "POST", path, refusals, **request) as response:
            content = response.read() if key is None else key.hide_in(response.read())
            return RealtimeReply(
                response.status_code, response.headers.get("x-request-id"), content
            )

    @contextmanager
    def stream(
        self,
        what: str,
        method: str,
        path: str,
        refusals: Collection[int] = (),
        *,
        accepts: "Callable[[httpx.Response], bool] | None" = None,
        **request: Any,
    ) -> "Iterator[httpx.Response]":
        """Make a call and read its answer inside the block.

        Args:
            what: names the call in messages; `ORDER` for the one that costs money.
            method: of HTTP.
            path: below the service's address.
            refusals: error statuses that are no failure, if it is the service that says so.
            accepts: tells of a reply without success, a redirection, too, that it is none either.
            request: more for httpx.

        Raises:
            ProviderError: whatever went wrong, also while it was read.
        """
        import httpx

        foreign = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)
        url = self._service.base_url.rstrip("/") + path
        with Speaking(
            (*foreign, ValueError, RecursionError), lambda error: self._translated(error, what)
        ):
            client = self._connected()
            with client.stream(method, url, **request) as response:
                status = response.status_code
                if not 200 <= status < 300 and not (accepts and accepts(response)):
                    # what it says is bound to no name: a traceback can show a frame's variables
                    is_own = is_its_own(json_object(response.read()))
                    if status not in refusals or not is_own:
                        raise httpx.HTTPStatusError("", request=response.request, response=response)
                yield response

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        if self._client is not None:
            self._client.close()

    def _connected(self) -> "httpx.Client":
        service = self._service
        try:
            with self._connecting:
                if self._client is None:
                    self._client = self._made(trust_env=not service.on_this_machine)
                return self._client
        except ValueError as error:
            reason = said(error, service.key)
            raise ProviderRefused(f"cannot connect to {service.base_url}: {reason}") from None

    def _made(self, **more: Any) -> "httpx.Client":
        import httpx

        return httpx.Client(
            headers={
                **self._with_key(),
                "Accept-Encoding": "identity",
                **sendable_headers(self._service),
            },
            timeout=self._service.timeout_seconds,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None),
            **more,
        )

    def _with_key(self) -> dict[str, str]:
        if self._header is None:
            return {}
        return {self._header: f"{self._prefix}{sendable_key(self._service)}"}

    def _translated(self, error: Exception, what: str) -> Any:
        import httpx

        service = self._service
        if isinstance(error, httpx.HTTPStatusError):
            response = error.response
            body = json_object(response.content)
            reason = said(reason_in(body or {}) or response.text, service.key)
            check = f"check {service.key_variable}"
            return error_of_status(
                response.status_code,
                f"{what}: {response.status_code}: {reason}",
                what=what,
                body=body,
                headers=response.headers,
                checks={401: check, 403: check},
            )
        if unsent := error_unsent(error, what, service):
            return unsent
        message = f"{what}: {said(error, service.key)}"
        if isinstance(error, httpx.InvalidURL):
            return ProviderRefused(message)
        if isinstance(error, ValueError | RecursionError):
            return ProviderReplyUnreadable(message)
        return error_in_doubt(error, what, service)


class PlainClient:
    """What every client over plain HTTP does the same way: it wants a key, connects once, hangs up."""

    tagged: ClassVar[bool] = False
    found_by_size: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    no_emulator: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    _key: ClassVar[Mapping[str, str]] = {}
    """How the key is sent, as `Plain` takes it."""

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        self._service = service
        self._model = model
        self._tag = tag
        self._http = Plain(service, **self._key)

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        return missing_key(service)

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        self._http.close()
