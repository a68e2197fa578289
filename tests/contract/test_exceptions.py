"""Every exception of the SDKs and of their transports has a meaning that somebody chose."""

import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import anthropic
import groq
import httpx
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
from runner.providers.anthropic import AnthropicBatch
from runner.providers.groq import GroqBatch
from runner.providers.openai import OpenAIBatch

BUSY, REFUSED = ProviderBusy, ProviderRefused
SILENT, UNREADABLE = ProviderSilent, ProviderReplyUnreadable

OF_EVERY_SDK: dict[str, type[ProviderError]] = {
    "APIConnectionError": SILENT,
    "APIError": SILENT,
    "APIResponseValidationError": UNREADABLE,
    "APIStatusError": SILENT,  # by its status: see below
    "APITimeoutError": SILENT,
    "AuthenticationError": REFUSED,
    "BadRequestError": REFUSED,
    "ConflictError": SILENT,
    "InternalServerError": SILENT,
    "NotFoundError": REFUSED,
    "PermissionDeniedError": REFUSED,
    "RateLimitError": BUSY,
    "UnprocessableEntityError": REFUSED,
}
"""What is new in an SDK may come after the request was sent: unknown means in doubt."""

OF_OPENAI: dict[str, type[ProviderError]] = {
    "ContentFilterFinishReasonError": SILENT,
    "InvalidWebhookSignatureError": UNREADABLE,
    "LengthFinishReasonError": SILENT,
    "OAuthError": REFUSED,
    "OpenAIError": SILENT,
    "SubjectTokenProviderError": SILENT,
    "WebSocketConnectionClosedError": SILENT,
    "WebSocketQueueFullError": SILENT,
    "_AmbiguousModuleClientUsageError": SILENT,
}

OF_ANTHROPIC: dict[str, type[ProviderError]] = {
    "APIWebhookValidationError": SILENT,
    "AnthropicError": SILENT,
    "CMEKContextUnavailableError": SILENT,
    "CMEKKeyDisabledError": REFUSED,
    "CMEKKeyNetworkBlockedError": REFUSED,
    "CMEKKeyUnreachableError": SILENT,
    "ClaudeCodeKeyCreatorNotMemberError": REFUSED,
    "ClaudeCodeVersionTooOldError": REFUSED,
    "ClientClosedRequestError": SILENT,
    "ContentTooLargeError": REFUSED,
    "ContractSpendLimitReachedError": REFUSED,
    "CredentialsError": SILENT,
    "DeadlineExceededError": SILENT,
    "EnforcedSpendLimitReachedError": REFUSED,
    "GatewayTimeoutError": SILENT,
    "HTTPNotImplementedError": SILENT,
    "IdentityTokenFileError": SILENT,
    "LinkedOrganizationBillingUnavailableError": REFUSED,
    "LinkedOrganizationSpendLimitReachedError": REFUSED,
    "OrganizationOnHoldError": REFUSED,
    "OrganizationTypeNotSupportedError": REFUSED,
    "OverloadedError": SILENT,
    "ParentOrganizationRequiredError": REFUSED,
    "PaymentRequiredError": REFUSED,
    "PreconditionFailedError": SILENT,
    "RampLimitExceededError": BUSY,
    "RequestBodyEncodingInvalidError": REFUSED,
    "RequestBodyEncodingUnsupportedError": REFUSED,
    "RequestBodyTooLargeAfterDecodingError": REFUSED,
    "RequestHeaderFieldsTooLargeError": SILENT,
    "RequestTimeoutError": SILENT,
    "RequestTooLargeError": REFUSED,
    "RetryableError": SILENT,
    "SandboxEgressRestrictedError": REFUSED,
    "ServiceUnavailableError": SILENT,
    "WorkloadIdentityError": SILENT,
    "WorkspaceHumanReviewDisabledError": REFUSED,
}

OF_HTTPX: dict[str, type[ProviderError]] = {
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


@dataclass(frozen=True)
class Family:
    """An SDK, the transport under it, and the client that speaks through both."""

    sdk: Any
    transport: Any
    provider: Any
    of_sdk: dict[str, type[ProviderError]]
    of_transport: dict[str, type[ProviderError]]

    def __repr__(self) -> str:
        name: str = self.sdk.__name__
        return name

    @property
    def request(self) -> Any:
        return self.transport.Request("POST", "https://service.example/v1/batches")

    def response(self, status: int, body: Any = None) -> Any:
        told = {"error": body or {"message": "No."}}
        return self.transport.Response(status, json=told, request=self.request)

    def exceptions(self) -> dict[str, type[BaseException]]:
        return exceptions_of(self.sdk, self.sdk._exceptions)

    def made(self, kind: type[Any]) -> Exception:
        """Make one, whatever it wants to be made from."""
        status = kind.__dict__.get("status_code") or getattr(kind, "status_code", 500)
        code = typing.get_args(vars(kind).get("__annotations__", {}).get("error_code"))
        body = {"message": "No.", "details": {"error_code": code[0] if code else None}}
        wanted = {
            "request": self.request,
            "response": self.response(status if isinstance(status, int) else 500, body),
            "body": body,
            "message": "No.",
            "completion": None,
            "unsent_messages": [],
        }
        try:
            names = inspect.signature(kind).parameters
        except ValueError:
            names = {}  # type: ignore[assignment]
        if kind is openai.LengthFinishReasonError:
            return kind(completion=openai.types.chat.ChatCompletion.model_construct(usage=None))
        given = {name: wanted[name] for name in names if name in wanted}
        exception: Exception = kind(**given) if given else kind(*(["No."] if names else []))
        return exception


FAMILIES = (
    Family(openai, httpx2, OpenAIBatch, OF_EVERY_SDK | OF_OPENAI, OF_HTTPX | {"SSEError": SILENT}),
    Family(
        anthropic,
        httpx2,
        AnthropicBatch,
        OF_EVERY_SDK | OF_ANTHROPIC,
        OF_HTTPX | {"SSEError": SILENT},
    ),
    Family(groq, httpx, GroqBatch, OF_EVERY_SDK | {"GroqError": SILENT}, OF_HTTPX),
)
every_family = pytest.mark.parametrize("family", FAMILIES, ids=repr)


def exceptions_of(*modules: ModuleType) -> dict[str, type[BaseException]]:
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).copy().items()
        if inspect.isclass(thing) and issubclass(thing, BaseException)
        if not issubclass(thing, Warning)
    }


Meaning = Callable[[Family, BaseException], ProviderError]


@pytest.fixture
def meaning(connect: Callable[..., Any]) -> Meaning:
    """Raise an exception where a client speaks, and return what became of it."""

    def of(family: Family, error: BaseException) -> ProviderError:
        client = connect("https://service.example", provider=family.provider)
        with pytest.raises(ProviderError) as caught, client._speaking("try"):
            raise error
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert str(caught.value).startswith("try: ")
        return caught.value

    return of


@every_family
def test_no_exception_of_an_sdk_is_new(family: Family) -> None:
    assert set(family.of_sdk) == set(family.exceptions())


@every_family
def test_no_exception_of_a_transport_is_new(family: Family) -> None:
    assert set(family.of_transport) == set(exceptions_of(family.transport))


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family in FAMILIES for name in family.of_sdk],
    ids=str,
)
def test_an_exception_of_an_sdk_has_its_meaning(
    meaning: Meaning, family: Family, name: str
) -> None:
    error = family.made(family.exceptions()[name])
    assert family.of_sdk[name] is type(meaning(family, error))


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family in FAMILIES for name in family.of_transport],
    ids=str,
)
def test_an_exception_of_a_transport_has_its_meaning_bare_and_wrapped(
    meaning: Meaning, family: Family, name: str
) -> None:
    error = family.made(exceptions_of(family.transport)[name])
    expected = family.of_transport[name]
    assert expected is type(meaning(family, error))
    if isinstance(error, family.transport.RequestError):
        sdk = family.sdk
        is_timeout = isinstance(error, family.transport.TimeoutException)
        wrapper: Exception = (
            sdk.APITimeoutError(family.request)
            if is_timeout
            else sdk.APIConnectionError(request=family.request)
        )
        wrapper.__cause__ = error
        assert expected is type(meaning(family, wrapper))


@every_family
def test_what_happened_earlier_proves_nothing(meaning: Meaning, family: Family) -> None:
    """Only what an error was raised from counts, not what was being handled meanwhile."""
    transport = family.transport
    error = family.sdk.APIConnectionError(request=family.request)
    error.__cause__ = transport.ReadError("reset")
    error.__cause__.__context__ = transport.ConnectError("an attempt before")
    error.__context__ = transport.ConnectError("an attempt before")
    assert ProviderSilent is type(meaning(family, error))


@every_family
def test_every_status_has_a_meaning(meaning: Meaning, family: Family) -> None:
    found = {}
    for status in [*range(300, 600), 999]:
        error = family.sdk.APIStatusError(
            "No.", response=family.response(status), body={"message": f"status {status}"}
        )
        found[status] = type(meaning(family, error))
    redirections = set(range(300, 400)) - {303}
    assert {429} == {s for s, kind in found.items() if kind is ProviderBusy}
    assert REFUSING | redirections == {s for s, kind in found.items() if kind is ProviderRefused}
    assert {ProviderBusy, ProviderRefused, ProviderSilent} == set(found.values())


@every_family
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "Slow down.", "code": "rate_limit_exceeded"}, ProviderBusy),
        ({"message": "Slow down.", "code": None}, ProviderBusy),
        ({"message": "Slow down.", "code": ["x"], "details": 7}, ProviderBusy),
        ("Slow down.", ProviderBusy),
        ({"message": "No credit.", "code": "insufficient_quota"}, ProviderRefused),
        (
            {"message": "No.", "details": {"error_code": "contract_spend_limit_reached"}},
            ProviderRefused,
        ),
    ],
)
def test_a_429_that_waiting_does_not_help_is_a_refusal(
    meaning: Meaning, family: Family, body: Any, expected: type[ProviderError]
) -> None:
    error = family.sdk.RateLimitError("No.", response=family.response(429, body), body=body)
    found = meaning(family, error)
    assert expected is type(found)
    assert ("credit of this account" in str(found)) is (expected is ProviderRefused)


@every_family
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": {"message": "Not this."}}, "418: Not this."),
        ({"error": "Not this."}, "418: Not this."),
        ({"message": "Not this.", "object": "error"}, "418: Not this."),
        ({"detail": "Not this."}, "418: Not this."),
        ({"error": {"message": ["Not this."]}}, "as the SDK says it"),
        ({"error": 7}, "as the SDK says it"),
        ([], "as the SDK says it"),
    ],
)
def test_an_error_is_told_in_the_services_own_words(
    meaning: Meaning, family: Family, body: Any, says: str
) -> None:
    response = family.transport.Response(418, json=body, request=family.request)
    error = family.sdk.APIStatusError("as the SDK says it", response=response, body=body)
    assert str(meaning(family, error)) == f"try: {says}"


@every_family
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
    meaning: Meaning, family: Family, error: Exception
) -> None:
    assert ProviderReplyUnreadable is type(meaning(family, error))


@every_family
@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        KeyboardInterrupt(),
        AssertionError(),
        ProviderRefused("no key"),
    ],
)
def test_what_is_not_the_services_doing_passes_through(
    connect: Callable[..., Any], family: Family, error: BaseException
) -> None:
    client = connect("https://service.example", provider=family.provider)
    with pytest.raises(type(error)) as caught, client._speaking("try"):
        raise error
    assert error is caught.value
