"""Every exception of the SDK and of its transport has a meaning that somebody chose."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.providers.openai import OpenAIBatch

BUSY, REFUSED = ProviderBusy, ProviderRefused
SILENT, UNREADABLE = ProviderSilent, ProviderReplyUnreadable
Connect = Callable[..., OpenAIBatch]

REQUEST = httpx2.Request("POST", "https://api.openai.com/v1/batches")

MEANING_OF_SDK: dict[str, type[ProviderError]] = {
    "APIConnectionError": SILENT,
    "APIError": SILENT,
    "APIResponseValidationError": UNREADABLE,
    "APIStatusError": SILENT,  # by its status: see below
    "APITimeoutError": SILENT,
    "AuthenticationError": REFUSED,
    "BadRequestError": REFUSED,
    "ConflictError": SILENT,
    "ContentFilterFinishReasonError": SILENT,
    "InternalServerError": SILENT,
    "InvalidWebhookSignatureError": UNREADABLE,
    "LengthFinishReasonError": SILENT,
    "NotFoundError": REFUSED,
    "OAuthError": REFUSED,
    "OpenAIError": SILENT,
    "PermissionDeniedError": REFUSED,
    "RateLimitError": BUSY,
    "SubjectTokenProviderError": SILENT,
    "UnprocessableEntityError": REFUSED,
    "WebSocketConnectionClosedError": SILENT,
    "WebSocketQueueFullError": SILENT,
    "_AmbiguousModuleClientUsageError": SILENT,
}
"""What is new in the SDK may come after the request was sent: unknown means in doubt."""

MEANING_OF_TRANSPORT: dict[str, type[ProviderError]] = {
    "CloseError": SILENT,
    "ConnectError": BUSY,
    "ConnectTimeout": BUSY,
    "CookieConflict": SILENT,
    "DecodingError": SILENT,
    "HTTPError": SILENT,
    "HTTPStatusError": SILENT,
    "InvalidURL": REFUSED,
    "LocalProtocolError": BUSY,
    "NetworkError": SILENT,
    "PoolTimeout": BUSY,
    "ProtocolError": SILENT,
    "ProxyError": BUSY,
    "ReadError": SILENT,
    "ReadTimeout": SILENT,
    "RemoteProtocolError": SILENT,
    "RequestError": SILENT,
    "RequestNotRead": SILENT,
    "ResponseNotRead": SILENT,
    "SSEError": SILENT,
    "StreamClosed": SILENT,
    "StreamConsumed": SILENT,
    "StreamError": SILENT,
    "TimeoutException": SILENT,
    "TooManyRedirects": SILENT,
    "TransportError": SILENT,
    "UnsupportedProtocol": BUSY,
    "WriteError": SILENT,
    "WriteTimeout": SILENT,
}

REFUSING = {400, 401, 402, 403, 404, 405, 413, 415, 422}


@pytest.fixture
def provider(connect: Connect) -> OpenAIBatch:
    return connect("https://api.openai.com/v1")


def exceptions_of(*modules: Any) -> dict[str, type[BaseException]]:
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).copy().items()
        if inspect.isclass(thing) and issubclass(thing, BaseException)
        if not issubclass(thing, Warning)
    }


def response(status: int, body: Any = None) -> httpx2.Response:
    return httpx2.Response(status, json={"error": body or {"message": "No."}}, request=REQUEST)


def made(kind: type[Any], status: int = 500) -> Exception:
    """Make one, whatever it wants to be made from."""
    status = getattr(kind, "status_code", status)
    wanted = {
        "request": REQUEST,
        "response": response(status),
        "body": {"message": "No."},
        "message": "No.",
        "completion": None,
        "unsent_messages": [],
    }
    try:
        names = inspect.signature(kind).parameters
    except ValueError:
        names = {}
    if kind is openai.LengthFinishReasonError:
        return kind(completion=openai.types.chat.ChatCompletion.model_construct(usage=None))
    given = {name: wanted[name] for name in names if name in wanted}
    exception: Exception = kind(**given) if given else kind(*(["No."] if names else []))
    return exception


def meaning(provider: OpenAIBatch, error: BaseException) -> ProviderError:
    with pytest.raises(ProviderError) as caught, provider._speaking("try"):
        raise error
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(caught.value).startswith("try: ")
    return caught.value


def test_no_exception_of_the_sdk_is_new() -> None:
    assert set(MEANING_OF_SDK) == set(exceptions_of(openai, openai._exceptions))


def test_no_exception_of_the_transport_is_new() -> None:
    assert set(MEANING_OF_TRANSPORT) == set(exceptions_of(httpx2))


@pytest.mark.parametrize(("name", "expected"), MEANING_OF_SDK.items(), ids=MEANING_OF_SDK)
def test_an_exception_of_the_sdk_has_its_meaning(
    provider: OpenAIBatch, name: str, expected: type[ProviderError]
) -> None:
    error = made(exceptions_of(openai, openai._exceptions)[name])
    assert expected is type(meaning(provider, error))


@pytest.mark.parametrize(
    ("name", "expected"), MEANING_OF_TRANSPORT.items(), ids=MEANING_OF_TRANSPORT
)
def test_an_exception_of_the_transport_has_its_meaning_bare_and_wrapped(
    provider: OpenAIBatch, name: str, expected: type[ProviderError]
) -> None:
    error = made(exceptions_of(httpx2)[name])
    assert expected is type(meaning(provider, error))
    if isinstance(error, httpx2.RequestError):
        is_timeout = isinstance(error, httpx2.TimeoutException)
        wrapper: Exception = (
            openai.APITimeoutError(REQUEST)
            if is_timeout
            else openai.APIConnectionError(request=REQUEST)
        )
        wrapper.__cause__ = error
        assert expected is type(meaning(provider, wrapper))


def test_what_happened_earlier_proves_nothing(provider: OpenAIBatch) -> None:
    """Only what an error was raised from counts, not what was being handled meanwhile."""
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = httpx2.ReadError("reset")
    error.__cause__.__context__ = httpx2.ConnectError("an attempt before")
    error.__context__ = httpx2.ConnectError("an attempt before")
    assert ProviderSilent is type(meaning(provider, error))


def test_every_status_has_a_meaning(provider: OpenAIBatch) -> None:
    found = {}
    for status in [*range(300, 600), 999]:
        error = openai.APIStatusError(
            "No.", response=response(status), body={"message": f"status {status}"}
        )
        found[status] = type(meaning(provider, error))
    redirections = set(range(300, 400)) - {303}
    assert {429} == {s for s, kind in found.items() if kind is ProviderBusy}
    assert REFUSING | redirections == {s for s, kind in found.items() if kind is ProviderRefused}
    assert {ProviderBusy, ProviderRefused, ProviderSilent} == set(found.values())


@pytest.mark.parametrize(
    "error",
    [
        json.JSONDecodeError("Expecting value", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ValueError("Exceeds the limit (4300 digits) for integer string conversion"),
        RecursionError("maximum recursion depth exceeded"),
    ],
)
def test_a_reply_that_cannot_be_parsed_is_unreadable(
    provider: OpenAIBatch, error: Exception
) -> None:
    assert ProviderReplyUnreadable is type(meaning(provider, error))


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), AssertionError()]
)
def test_what_is_not_the_services_doing_passes_through(
    provider: OpenAIBatch, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught, provider._speaking("try"):
        raise error
    assert error is caught.value


def test_an_error_of_ours_passes_through(provider: OpenAIBatch) -> None:
    error = ProviderRefused("no key")
    with pytest.raises(ProviderRefused) as caught, provider._speaking("try"):
        raise error
    assert error is caught.value
