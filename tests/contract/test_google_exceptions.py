"""Every exception of Google's clients and of their transport has a meaning that somebody chose."""

import http.client
import inspect
import json
import ssl
from typing import Any

import google.auth.exceptions
import google.cloud.exceptions
import google.cloud.storage.exceptions
import google.resumable_media.common
import pytest
import requests.exceptions
import urllib3.exceptions
from google.api_core import exceptions as api
from google.protobuf import json_format

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.providers import _google
from runner.providers.base import Secret, Service
from runner.providers.gemini import GeminiBatch
from tests.contract.kits.gemini import KITS

BUSY, REFUSED = ProviderBusy, ProviderRefused
SILENT, UNREADABLE = ProviderSilent, ProviderReplyUnreadable

MEANING_OF_API: dict[str, type[ProviderError]] = {
    "Aborted": SILENT,
    "AlreadyExists": SILENT,
    "AsyncRestUnsupportedParameterError": REFUSED,
    "BadGateway": SILENT,
    "BadRequest": REFUSED,
    "Cancelled": SILENT,
    "ClientError": SILENT,
    "Conflict": SILENT,
    "DataLoss": SILENT,
    "DeadlineExceeded": SILENT,
    "DuplicateCredentialArgs": REFUSED,
    "FailedPrecondition": REFUSED,
    "Forbidden": REFUSED,
    "GatewayTimeout": SILENT,
    "GoogleAPICallError": SILENT,
    "GoogleAPIError": SILENT,
    "InternalServerError": SILENT,
    "InvalidArgument": REFUSED,
    "LengthRequired": REFUSED,
    "MethodNotAllowed": REFUSED,
    "MethodNotImplemented": SILENT,
    "MissingStatusHeaderError": SILENT,
    "MovedPermanently": REFUSED,
    "NotFound": REFUSED,
    "NotModified": REFUSED,
    "OutOfRange": REFUSED,
    "PermissionDenied": REFUSED,
    "PreconditionFailed": REFUSED,
    "Redirection": SILENT,
    "RequestRangeNotSatisfiable": SILENT,
    "ResourceExhausted": BUSY,
    "ResumableTransferError": SILENT,
    "ResumeIncomplete": REFUSED,
    "RetryError": SILENT,
    "ServerError": SILENT,
    "ServiceUnavailable": SILENT,
    "TemporaryRedirect": REFUSED,
    "TooManyRequests": BUSY,
    "TransferStalledError": SILENT,
    "Unauthenticated": REFUSED,
    "Unauthorized": REFUSED,
    "Unknown": SILENT,
    "UnseekableStreamError": SILENT,
    "UploadCancelledError": SILENT,
}
"""By its status, where it has one; what is new may come after the request was sent: in doubt."""

MEANING_OF_SIGNING_IN: dict[str, type[ProviderError]] = {
    "ClientCertError": REFUSED,
    "DefaultCredentialsError": REFUSED,
    "GoogleAuthError": REFUSED,
    "InvalidOperation": REFUSED,
    "InvalidResource": REFUSED,
    "InvalidType": REFUSED,
    "InvalidValue": REFUSED,
    "MalformedError": REFUSED,
    "MutualTLSChannelError": REFUSED,
    "OAuthError": REFUSED,
    "OSError": REFUSED,
    "ReauthFailError": REFUSED,
    "ReauthSamlChallengeFailError": REFUSED,
    "RefreshError": REFUSED,
    "ResponseError": SILENT,
    "TimeoutError": SILENT,
    "TransportError": BUSY,
    "UserAccessTokenError": REFUSED,
}
"""Credentials are looked after before anything is sent, or after a 401, which did nothing."""

MEANING_OF_STORAGE: dict[str, type[ProviderError]] = {
    "DataCorruption": SILENT,
    "DataCorruptionDynamicParent": SILENT,
    "InvalidPathError": REFUSED,
    "InvalidResponse": SILENT,
    "InvalidResponseDynamicParent": SILENT,
}

MEANING_OF_REQUESTS: dict[str, type[ProviderError]] = {
    "BaseHTTPError": SILENT,
    "ChunkedEncodingError": SILENT,
    "CompatJSONDecodeError": UNREADABLE,
    "ConnectTimeout": BUSY,
    "ConnectionError": SILENT,
    "ContentDecodingError": SILENT,
    "HTTPError": SILENT,
    "InvalidHeader": REFUSED,
    "InvalidJSONError": UNREADABLE,
    "InvalidProxyURL": REFUSED,
    "InvalidSchema": REFUSED,
    "InvalidURL": REFUSED,
    "JSONDecodeError": UNREADABLE,
    "MissingSchema": REFUSED,
    "ProxyError": BUSY,
    "ReadTimeout": SILENT,
    "RequestException": SILENT,
    "RetryError": SILENT,
    "SSLError": SILENT,
    "StreamConsumedError": SILENT,
    "Timeout": SILENT,
    "TooManyRedirects": SILENT,
    "URLRequired": REFUSED,
    "UnrewindableBodyError": REFUSED,
}

MEANING_OF_TRANSPORT: dict[str, type[ProviderError]] = {
    "BodyNotHttplibCompatible": SILENT,
    "ClosedPoolError": SILENT,
    "ConnectTimeoutError": BUSY,
    "ConnectionError": SILENT,
    "DecodeError": SILENT,
    "EmptyPoolError": BUSY,
    "FullPoolError": SILENT,
    "HTTPError": SILENT,
    "HeaderParsingError": SILENT,
    "HostChangedError": SILENT,
    "IncompleteRead": SILENT,
    "InvalidChunkLength": SILENT,
    "InvalidHeader": SILENT,
    "LocationParseError": REFUSED,
    "LocationValueError": REFUSED,
    "MaxRetryError": SILENT,
    "MessageDefect": UNREADABLE,
    "NameResolutionError": BUSY,
    "NewConnectionError": BUSY,
    "PoolError": SILENT,
    "ProtocolError": SILENT,
    "ProxyError": BUSY,
    "ProxySchemeUnknown": REFUSED,
    "ProxySchemeUnsupported": REFUSED,
    "ReadTimeoutError": SILENT,
    "RequestError": SILENT,
    "ResponseError": SILENT,
    "ResponseNotChunked": UNREADABLE,
    "SSLError": SILENT,
    "TimeoutError": SILENT,
    "TimeoutStateError": SILENT,
    "URLSchemeUnknown": REFUSED,
    "UnrewindableBodyError": REFUSED,
    "httplib_IncompleteRead": SILENT,
}

PLACES: dict[str, tuple[dict[str, type[ProviderError]], tuple[Any, ...]]] = {
    "api": (MEANING_OF_API, (api, google.cloud.exceptions)),
    "auth": (MEANING_OF_SIGNING_IN, (google.auth.exceptions,)),
    "storage": (
        MEANING_OF_STORAGE,
        (google.cloud.storage.exceptions, google.resumable_media.common),
    ),
    "requests": (MEANING_OF_REQUESTS, (requests.exceptions,)),
    "transport": (MEANING_OF_TRANSPORT, (urllib3.exceptions,)),
}
REFUSING = {400, 401, 402, 403, 404, 405, 411, 412, 413, 415, 422}


@pytest.fixture
def provider() -> GeminiBatch:
    client: GeminiBatch = KITS[0].provider(
        KITS[0].service("https://aiplatform.googleapis.com", "KEY-CANARY", 1), KITS[0].model
    )
    return client


def exceptions_of(*modules: Any) -> dict[str, type[BaseException]]:
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).copy().items()
        if inspect.isclass(thing) and issubclass(thing, BaseException)
        if not issubclass(thing, Warning) and name not in ("GoogleCloudError", "GrpcRendezvous")
        if "_Rendezvous" not in name
    }


def response(status: int, body: Any = None) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.request = requests.Request("POST", "https://aiplatform.googleapis.com/v1/x").prepare()
    content = {"error": {"code": status, "message": "No."}} if body is None else body
    made._content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return made


def made(kind: type[Any]) -> Exception:
    """Make one, whatever it wants to be made from."""
    if issubclass(kind, api.GoogleAPICallError):
        return kind("No.", response=response(int(kind.code)) if kind.code else None)
    if kind is http.client.IncompleteRead:
        return http.client.IncompleteRead(b"", 7)
    exception: Exception = kind(*ARGUMENTS.get(kind.__name__, ("No.",)))
    return exception


class Half:
    """A body that has ended early, as urllib3 knows it."""

    length_remaining = 7

    def tell(self) -> int:
        return 1


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "InvalidResponse": (response(500), "No."),
    "DataCorruption": (response(200), "No."),
    "JSONDecodeError": ("No.", "", 0),
    "IncompleteRead": (1, 7),
    "InvalidChunkLength": (Half(), b"7"),
    "HeaderParsingError": ([], b""),
    "HostChangedError": (None, "/"),
    "MaxRetryError": (None, "/"),
    "NameResolutionError": ("h", None, OSError("No.")),
    "NewConnectionError": (None, "No."),
    "ConnectTimeoutError": (None, "No."),
    "ReadTimeoutError": (None, "/", "No."),
    "PoolError": (None, "No."),
    "ProxyError": ("No.", OSError("No.")),
    "EmptyPoolError": (None, "No."),
    "FullPoolError": (None, "No."),
    "ClosedPoolError": (None, "No."),
    "RequestError": (None, "/", "No."),
    "RetryError": ("No.", None),
    "UnseekableStreamError": ("No.",),
}
"""What some are made from; the others are made from a message."""


def meaning(provider: GeminiBatch, error: BaseException) -> ProviderError:
    with pytest.raises(ProviderError) as caught, provider._speaking("try"):
        raise error
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(caught.value).startswith("try: ")
    return caught.value


@pytest.mark.parametrize("place", PLACES)
def test_no_exception_is_new(place: str) -> None:
    meanings, modules = PLACES[place]
    assert set(meanings) == set(exceptions_of(*modules))


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, (names, _) in PLACES.items() for name in names]
)
def test_an_exception_has_its_meaning(provider: GeminiBatch, place: str, name: str) -> None:
    meanings, modules = PLACES[place]
    found = meaning(provider, made(exceptions_of(*modules)[name]))
    assert type(found) is meanings[name]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (urllib3.exceptions.NewConnectionError, BUSY),
        (urllib3.exceptions.NameResolutionError, BUSY),
        (urllib3.exceptions.ConnectTimeoutError, BUSY),
        (urllib3.exceptions.ProxyError, BUSY),
        (urllib3.exceptions.ReadTimeoutError, SILENT),
        (urllib3.exceptions.ProtocolError, SILENT),
        (urllib3.exceptions.SSLError, SILENT),
        (urllib3.exceptions.ResponseError, SILENT),
    ],
)
def test_what_requests_was_raised_for_decides(
    provider: GeminiBatch, reason: type[Exception], expected: type[ProviderError]
) -> None:
    """Only what proves that no connection stood proves that nothing was sent."""
    inner = urllib3.exceptions.MaxRetryError(None, "/", made(reason))  # type: ignore[arg-type]
    assert type(meaning(provider, requests.exceptions.ConnectionError(inner))) is expected


def test_a_certificate_that_is_wrong_is_seen_before_anything_is_sent(provider: GeminiBatch) -> None:
    inner = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("expired"))
    assert type(meaning(provider, requests.exceptions.SSLError(inner))) is BUSY
    later = urllib3.exceptions.SSLError(ssl.SSLEOFError("EOF in the middle"))
    assert type(meaning(provider, requests.exceptions.SSLError(later))) is SILENT


def test_what_happened_earlier_proves_nothing(provider: GeminiBatch) -> None:
    """Only what an error was made from counts, not what was being handled meanwhile."""
    error = requests.exceptions.ConnectionError("reset")
    error.__context__ = made(urllib3.exceptions.NewConnectionError)
    assert type(meaning(provider, error)) is SILENT


def test_a_sign_in_that_may_work_later_is_not_now(provider: GeminiBatch) -> None:
    error = google.auth.exceptions.RefreshError("busy", retryable=True)  # type: ignore[no-untyped-call]
    assert type(meaning(provider, error)) is BUSY
    refused = meaning(provider, google.auth.exceptions.RefreshError("expired"))  # type: ignore[no-untyped-call]
    assert "gcloud auth application-default login" in str(refused)


def test_every_status_has_a_meaning(provider: GeminiBatch) -> None:
    found = {}
    for status in [*range(300, 600), 999]:
        error = api.GoogleAPICallError("No.", response=response(status))
        error.code = status
        found[status] = type(meaning(provider, error))
        strange = type(meaning(provider, _google.Strange("a page", status)))
        assert strange is (SILENT if status == 429 else found[status]), status
        broken = google.cloud.storage.exceptions.InvalidResponse(response(status), "No.")
        assert type(meaning(provider, broken)) is found[status]
    redirections = set(range(300, 400)) - {303}
    assert {429} == {s for s, kind in found.items() if kind is BUSY}
    assert REFUSING | redirections == {s for s, kind in found.items() if kind is REFUSED}
    assert {BUSY, REFUSED, SILENT} == set(found.values())


@pytest.mark.parametrize(
    "error",
    [
        json_format.ParseError("Failed to load JSON"),
        json_format.SerializeToJsonError("odd"),
        json.JSONDecodeError("Expecting value", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ValueError("Exceeds the limit (4300 digits) for integer string conversion"),
        RecursionError("maximum recursion depth exceeded"),
        _google.Strange("no object", 200),
    ],
)
def test_a_reply_that_cannot_be_parsed_is_unreadable(
    provider: GeminiBatch, error: Exception
) -> None:
    assert type(meaning(provider, error)) is UNREADABLE


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("timed out")])
def test_a_line_that_breaks_below_the_clients_is_silence(
    provider: GeminiBatch, error: Exception
) -> None:
    assert type(meaning(provider, error)) is SILENT


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AttributeError("x")])
def test_only_in_a_clients_own_call_is_a_slip_a_strange_reply(
    provider: GeminiBatch, error: Exception
) -> None:
    def trips() -> None:
        raise error

    with pytest.raises(UNREADABLE), provider._speaking("try"):
        _google.asked(trips)
    with pytest.raises(type(error)), provider._speaking("try"):
        trips()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), AssertionError()]
)
def test_what_is_not_the_services_doing_passes_through(
    provider: GeminiBatch, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught, provider._speaking("try"):
        raise error
    assert error is caught.value


def test_an_error_of_ours_passes_through(provider: GeminiBatch) -> None:
    error = ProviderRefused("no bucket")
    with pytest.raises(ProviderRefused) as caught, provider._speaking("try"):
        raise error
    assert error is caught.value


def test_neither_the_key_nor_the_token_is_in_a_message() -> None:
    service = Service(
        base_url="https://aiplatform.googleapis.com",
        key_variable="K",
        key=Secret("KEY-CANARY"),
        timeout_seconds=1,
    )

    class Signed:
        token = "TOKEN-CANARY"

    error = api.NotFound("KEY-CANARY TOKEN-CANARY", response=response(404, {"error": {}}))
    assert "KEY-CANARY" not in str(_google.Meaning(service, "try", None).of(error))
    assert "TOKEN-CANARY" not in str(_google.Meaning(service, "try", Signed).of(error))
