"""Speaking to Google's services: one session for all of them, and what their errors mean.

The session signs in, follows no redirection and lets through only what a Google service answers.
Importing this module imports Google's SDKs.
"""

import logging
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from traceback import walk_tb
from typing import Any, TypeVar
from urllib.parse import urlsplit

import google.auth
import requests
import urllib3.exceptions as transport
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import exceptions as storage
from google.oauth2 import credentials as oauth2
from google.protobuf import json_format
from google.resumable_media import common as media
from requests.adapters import HTTPAdapter

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import JsonObject
from runner.providers._lines import object_of
from runner.providers._speaking import Speaking, can_be_a_header
from runner.providers._status import error_of_status
from runner.providers.base import Secret, Service, said

Value = TypeVar("Value")

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SIGN_IN = "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"

_KEPT_OPEN = 64
"""Connections that stay open between calls; how many there are at once, the caller decides."""

_REFUSALS = frozenset({411, 412})
"""What else says here that nothing was made: a condition of the request that does not hold."""
_GO_ON = 308
"""Without an address, how an upload in pieces is told that more is wanted."""


class Strange(Exception):
    """A reply that is not the service's own, or not what it documents."""

    def __init__(self, what: str, status: int) -> None:
        """Keep the status."""
        super().__init__(what)
        self.status = status


def _checked(response: requests.Response, *, stream: bool = False, **_: Any) -> None:
    """Let through what a Google service answers; called on every reply, before it is used.

    Raises:
        Strange: a redirection, a proxy's error page, or a good reply that is no JSON object.
    """
    status = response.status_code
    is_redirected = 300 <= status < 400 and (status != _GO_ON or response.is_redirect)
    if status >= 400 or is_redirected:
        own = _error_in(response)  # reads the body, so that nothing is left on the line
        if is_redirected:
            raise Strange(f"{status}: redirected elsewhere", status)
        if own is None:
            raise Strange(f"{status}: {response.text[:200]}", status)
        return
    begins_an_upload = "location" in response.headers
    if stream or status in (204, _GO_ON) or begins_an_upload:
        return
    body = _json_in(response)
    if body is None or body.keys() == {"error"}:
        raise Strange(f"{status}: {response.text[:200]!r}, where a JSON object was due", status)


def _not_renewed(response: requests.Response, **_: Any) -> None:
    """Stop where a token that is all we have is not taken; a new one would be asked for."""
    if response.status_code == 401:
        raise api.from_http_response(response)  # type: ignore[no-untyped-call]


def _json_in(response: requests.Response) -> JsonObject | None:
    try:
        return object_of(response.content)
    except ProviderReplyUnreadable:
        return None


def _error_in(response: requests.Response) -> JsonObject | None:
    """Return the error that a Google service says; None when the reply is not one of its own."""
    error = (_json_in(response) or {}).get("error")
    return error if isinstance(error, dict) else None


def _quiet(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def session_for(service: Service, credentials: Any) -> AuthorizedSession:
    """Return a session that is signed in; nothing is sent yet."""
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    configure(session, service)
    return session


def configure(session: AuthorizedSession, service: Service) -> None:
    """Make a session look at every reply, stay where it is sent, and log no bodies."""
    # At this level google.auth logs every body, and prompts are in some.
    logging.getLogger("google.auth.transport.requests").addFilter(_quiet)
    renewable = service.key is None
    session.hooks["response"] = [_checked] if renewable else [_checked, _not_renewed]
    session.trust_env = not service.on_this_machine
    session.auth = _as_it_is
    if not session.is_mtls:  # then it has an adapter of its own
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_KEPT_OPEN))


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep a password in ~/.netrc from taking the place of the token."""
    return request


def credentials_of(service: Service, project: str) -> Any:
    """Return the token we were given, or else the application default credentials.

    Raises:
        ProviderRefused: the token cannot be sent, or there is no such address.
    """
    with connecting(service):
        _ = urlsplit(service.base_url).port  # raises when it is none
    if service.key is not None:
        if not can_be_a_header(service.key.reveal()):
            raise ProviderRefused(f"{service.key_variable} holds characters that no token has")
        return oauth2.Credentials(token=service.key.reveal())  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no quota project: it is set below
        found, _ = google.auth.default(scopes=SCOPES)
    if isinstance(found, oauth2.Credentials) and found.quota_project_id is None:
        return found.with_quota_project(project)
    return found


# -- What an exception means

FOREIGN = (
    Strange,
    api.GoogleAPIError,
    api.AsyncRestUnsupportedParameterError,
    auth.GoogleAuthError,
    storage.InvalidPathError,
    storage.InvalidResponse,
    storage.DataCorruption,
    media.InvalidResponse,
    media.DataCorruption,
    requests.RequestException,
    transport.HTTPError,
    transport.ProxySchemeUnsupported,
    HTTPException,
    json_format.Error,
    ConnectionError,
    TimeoutError,
    ValueError,  # a reply that is not JSON, not UTF-8, or has a number too long to read
    RecursionError,
)

_NOT_SENT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    transport.ConnectTimeoutError,  # also refused, and no such host
    transport.ProxyError,
    transport.EmptyPoolError,
    ssl.SSLCertVerificationError,
    auth.TransportError,  # a token could not be fetched
)
"""What proves that no request reached the service."""

_NO_ADDRESS = (
    requests.exceptions.URLRequired,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.UnrewindableBodyError,
    transport.LocationValueError,
    transport.ProxySchemeUnsupported,
    transport.UnrewindableBodyError,
    storage.InvalidPathError,
    api.DuplicateCredentialArgs,
    api.AsyncRestUnsupportedParameterError,
)
"""Mistakes of ours that nothing was sent for."""

_UNREADABLE = (requests.exceptions.InvalidJSONError, json_format.Error, ValueError, RecursionError)


def speaking(service: Service, what: str, credentials: Callable[[], Any]) -> Speaking:
    """Return a block in which every foreign exception becomes one of ours."""
    return Speaking(FOREIGN, lambda error: Meaning(service, what, credentials()).of(error))


def connecting(service: Service) -> Speaking:
    """Return a block in which an address that is none is refused; nothing is sent in it."""
    return Speaking(
        (ValueError,),
        lambda error: ProviderRefused(
            f"cannot connect to {service.base_url}: {said(error, service.key)}"
        ),
    )


class Meaning:
    """Translates what goes wrong in one verb; the token in use is in no message."""

    def __init__(self, service: Service, what: str, credentials: Any) -> None:
        """Say of what; the credentials are None before there are any."""
        token = getattr(credentials, "token", None)
        self._key = Secret(token) if isinstance(token, str) and token else service.key
        self._service = service
        self._what = what

    def of(self, error: Exception) -> ProviderError:
        """Translate one exception."""
        message = f"{self._what}: {said(error, self._key)}"
        if isinstance(error, Strange):
            return self._of_status(error.status, message, None, {})
        if isinstance(error, api.GoogleAPICallError) and error.code is not None:
            return self._of_reply(error, error.response, int(error.code))
        if isinstance(error, media.InvalidResponse):
            return self._of_reply(error, error.response, error.response.status_code)
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, _NOT_SENT) or _in_a_handshake(cause):
                where, reason = self._service.base_url, said(cause, self._key)
                return ProviderBusy(f"{self._what}: cannot reach {where}: {reason}")
        if isinstance(error, auth.GoogleAuthError):
            return _of_sign_in(error, message)
        if isinstance(error, _NO_ADDRESS):
            return ProviderRefused(message)
        if isinstance(error, _UNREADABLE):
            return ProviderReplyUnreadable(message)
        return ProviderSilent(f"{message} ({', '.join(type(cause).__name__ for cause in causes)})")

    def _of_reply(self, error: Exception, response: Any, status: int) -> ProviderError:
        """Translate an error that came with a reply of the service itself."""
        is_http = isinstance(response, requests.Response)
        own = _error_in(response) if is_http else None
        reason = said((own or {}).get("message") or error, self._key)
        headers: Mapping[str, str] = response.headers if is_http else {}
        return self._of_status(status, f"{self._what}: {status}: {reason}", own, headers)

    def _of_status(
        self, status: int, message: str, own: JsonObject | None, headers: Mapping[str, str]
    ) -> ProviderError:
        variable = None if self._service.key is None else self._service.key_variable
        check = "check" if variable is None else f"check {variable}, or use"
        return error_of_status(
            status,
            message,
            what=self._what,
            body=None if own is None else {"error": own},
            headers=headers,
            checks={
                401: f"{check} {SIGN_IN}",
                403: f"check the roles of the account behind {variable or SIGN_IN}",
            },
            refusals=_REFUSALS,
        )


def _of_sign_in(error: auth.GoogleAuthError, message: str) -> ProviderError:
    """Translate an error of the credentials; it comes before anything is sent."""
    if isinstance(error, auth.TimeoutError | auth.ResponseError):
        return ProviderSilent(message)
    if error.retryable:
        return ProviderBusy(message)
    return ProviderRefused(f"{message}: sign in again with {SIGN_IN}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was made from: requests puts that into its arguments."""
    seen: set[int] = set()
    open_ones: list[object] = [error]
    while open_ones:
        current = open_ones.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            open_ones += [current.__cause__, getattr(current, "reason", None), *current.args]


def _in_a_handshake(error: BaseException) -> bool:
    """Tell whether TLS broke before a connection stood."""
    if not isinstance(error, ssl.SSLError | OSError):
        return False
    frames = (frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__))
    return "do_handshake" in frames


def asked(call: Callable[[], Value]) -> Value:
    """Make a call of an SDK that trips over a reply whose shape it does not expect.

    Raises:
        Strange: instead of what it trips with.
    """
    try:
        return call()
    except (LookupError, TypeError, AttributeError) as error:
        raise Strange(f"a reply that cannot be read: {error!r}", 200) from None
