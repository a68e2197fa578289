"""AWS's SDK: clients that ask once and log nothing, and what their exceptions and replies mean.

Importing this module imports botocore, which is what boto3 stands on.
"""

import io
import logging
import os
import re
import ssl
from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from traceback import walk_tb
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session
from urllib3 import exceptions as transport

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import JsonObject
from runner.providers._lines import word
from runner.providers._speaking import ANSWER_TAKES, ORDER, Speaking, can_be_a_header
from runner.providers._status import causes_of, error_of_status, json_object
from runner.providers.base import Secret, Service, json_value, said

SECRET_VARIABLE: Final = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - its name
SIGN_IN: Final = "the AWS credentials (aws sts get-caller-identity shows whose they are)"
RAW: Final = "Raw"
"""Where a reply of JSON stands as it came."""
_BUSY: Final = (
    "ThrottlingException",
    "ServiceQuotaExceededException",
    "TooManyRequestsException",
    "SlowDown",
)
_CONFLICTS: Final = ("ConflictException", "IdempotentParameterMismatchException")
_KEPT_OPEN: Final = 50
_LOGGERS: Final = ("botocore", "boto3", "s3transfer")


class Said(Exception):
    """A reply that is no success, or not what the service documents."""

    def __init__(self, status: int, body: JsonObject | None, text: str, headers: Any) -> None:
        """Keep what it says.

        Args:
            status: as HTTP counts.
            body: the service's own error, as `code` and `message`; None: not its own words.
            text: what is shown of it.
            headers: of the reply.
        """
        super().__init__(text)
        self.status = status
        self.body = body
        self.headers: Mapping[str, str] = {str(n).lower(): str(v) for n, v in headers.items()}

    @property
    def code(self) -> str:
        """Return the service's name of the error."""
        return str((self.body or {}).get("code") or "")


def client_of(name: str, service: Service, region: str | None, address: str | None) -> Any:
    """Return a client of one of AWS's services; nothing is sent yet.

    Args:
        name: s3, bedrock or bedrock-runtime.
        service: whose credentials and patience it has.
        region: where.
        address: where it is, if not where AWS has it.
    """
    short = service.timeout_seconds
    config: dict[str, Any] = {
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "connect_timeout": short,
        "read_timeout": short * (ANSWER_TAKES if name == "bedrock-runtime" else 1),
        "max_pool_connections": _KEPT_OPEN,
        "ignore_configured_endpoint_urls": True,
        "s3": {"addressing_style": "path"} if address else {},
    }
    if service.on_this_machine:
        config["proxies"] = {}
    own: dict[str, Any] = {}
    if service.key is not None:
        config["signature_version"] = "s3v4" if name == "s3" else "v4"
        own = _pair_of(service.key, service)
    made = session().create_client(
        name, region_name=region, endpoint_url=address, config=Config(**config), **own
    )
    made.meta.events.register("before-parse", _checked)
    made.meta.events.register("before-sign", _without_waiting)
    _be_quiet()
    return made


def usable(address: str) -> str:
    """Return an address that can be one.

    Raises:
        ValueError: it cannot.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.port == 0:
        raise ValueError(f"{address} is no address")
    return address


@cache
def session() -> Session:
    """Return what finds credentials and makes clients: one, since it takes long to make."""
    return Session()


def _pair_of(key: Secret, service: Service) -> dict[str, str | None]:
    """Return id, secret and token of credentials: of the environment, or a stand-in's, which has one word.

    Raises:
        ProviderRefused: they cannot be sent.
    """
    if not can_be_a_header(key.reveal()):
        raise ProviderRefused(f"{service.key_variable} holds characters that no key has")
    is_theirs = os.environ.get(SECRET_VARIABLE, "").strip() == key.reveal()
    name = os.environ.get("AWS_ACCESS_KEY_ID", "").strip() if is_theirs else ""
    token = os.environ.get("AWS_SESSION_TOKEN", "").strip() if name else ""
    return {
        "aws_access_key_id": name or key.reveal(),
        "aws_secret_access_key": key.reveal(),
        "aws_session_token": token or None,
    }


def _without_waiting(request: Any, **_: Any) -> None:
    """Send a body at once, and not a second later for want of a leave to send it."""
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _quiet(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _be_quiet() -> None:
    """Keep bodies and headers out of logs: below INFO they are in some."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logger = logging.getLogger(name)
            if _quiet not in logger.filters:
                logger.addFilter(_quiet)


# -- Replies: looked at before the SDK makes anything of them, or sends the request elsewhere


def _checked(
    operation_model: Any, response_dict: Any, customized_response_dict: Any, **_: Any
) -> None:
    """Let through what a service of AWS answers, and keep a reply of JSON as it came.

    Raises:
        Said: an error, a redirection, or a success that is no JSON object where one is due.
    """
    status, headers = response_dict["status_code"], response_dict["headers"]
    content = response_dict["body"]
    if status >= 300:
        body = own_error(content, headers)
        message = (body or {}).get("message") or content[:200].decode("utf-8", "replace")
        raise Said(status, body, f"{status}: {message or 'no reason given'}", headers)
    if operation_model.has_streaming_output or operation_model.metadata["protocol"] == "rest-xml":
        return
    try:
        found = json_value(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Said(status, None, f"{status}: {content[:200]!r}, where JSON was due", headers)
    customized_response_dict[RAW] = found


def own_error(content: bytes, headers: Mapping[str, str]) -> JsonObject | None:
    """Return an error that a service of AWS says, as `code` and `message`; None: it is none of its own."""
    found = json_object(content)
    if found is not None:
        kind = (
            headers.get("x-amzn-errortype") or word(found.get("__type")) or word(found.get("code"))
        )
        message = word(found.get("message")) or word(found.get("Message"))
        if not kind:
            return None
        return {"code": kind.partition(":")[0].rpartition("#")[2], "message": message}
    told = {
        name: re.search(rb"<%b>(.*?)</%b>" % (name, name), content)
        for name in (b"Code", b"Message")
    }
    code, message_found = told[b"Code"], told[b"Message"]
    if code is None or b"<Error>" not in content:
        return None
    said_so = b"" if message_found is None else message_found[1]
    return {
        "code": code[1].decode("utf-8", "replace"),
        "message": said_so.decode("utf-8", "replace"),
    }


# -- What an exception means

FOREIGN: Final = (
    Said,
    aws.BotoCoreError,
    aws.ClientError,
    ResponseParserError,
    transport.HTTPError,
    HTTPException,
    ConnectionError,
    TimeoutError,
    ValueError,
    LookupError,  # the SDK trips over a reply whose shape it does not expect
    TypeError,
    AttributeError,
    RecursionError,
)
_NOT_SENT: Final = (
    aws.EndpointConnectionError,  # also refused, and no such host
    aws.ConnectTimeoutError,
    aws.ProxyConnectionError,
    transport.NewConnectionError,
)
_REFUSED_HERE: Final = (
    aws.ParamValidationError,
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.NoRegionError,
    aws.ProfileNotFound,
    aws.UnknownEndpointError,
    aws.EndpointProviderError,
    aws.InvalidRegionError,
    aws.ConfigParseError,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.UnauthorizedSSOTokenError,
)
"""Nothing was sent for want of something here."""
_UNREADABLE: Final = (ResponseParserError, aws.IncompleteReadError, aws.FlexibleChecksumError)
_TRIPPED: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def speaking(service: Service, what: str, where: str) -> Speaking:
    """Return a block in which every foreign exception becomes one of ours.

    Args:
        service: who is spoken to.
        what: the call.
        where: the address, to be shown when it cannot be reached.
    """
    return Speaking(FOREIGN, lambda error: _meaning(error, service, what, where))


def connecting(service: Service) -> Speaking:
    """Return a block in which a client is made; nothing is sent in it."""
    return Speaking(
        FOREIGN,
        lambda error: ProviderRefused(
            f"cannot connect to {service.base_url}: {said(error, service.key)}"
        ),
    )


def _meaning(error: Exception, service: Service, what: str, where: str) -> ProviderError:
    message = f"{what}: {said(error, service.key)}"
    if isinstance(error, Said):
        return _of_reply(error, service, what, message)
    causes = list(causes_of(error))
    causes += [e for e in (getattr(c, "kwargs", {}).get("error") for c in causes) if e is not None]
    if any(isinstance(cause, _NOT_SENT) or _in_a_handshake(cause) for cause in causes):
        return ProviderBusy(f"{what}: cannot reach {where}: {said(causes[-1], service.key)}")
    if isinstance(error, _REFUSED_HERE):
        return ProviderRefused(f"{message}: check {SIGN_IN}")
    if isinstance(error, _UNREADABLE):
        return ProviderReplyUnreadable(message)
    if isinstance(error, _TRIPPED) and not isinstance(error, aws.BotoCoreError):
        return ProviderReplyUnreadable(message)
    named = ", ".join({type(cause).__name__: None for cause in causes})
    return ProviderSilent(f"{message} ({named})")


def _of_reply(error: Said, service: Service, what: str, message: str) -> ProviderError:
    if what == ORDER and error.code in _CONFLICTS:
        return ProviderUndecided(
            f"{message}: an order of this batch is there already; it is looked for", ()
        )
    status = 429 if error.code in _BUSY else error.status
    variable = "" if service.key is None else f"{service.key_variable}, or use "
    check = f"check {variable}{SIGN_IN}, and what they may do"
    return error_of_status(
        status,
        message,
        what=what,
        body=None if error.body is None else {"error": error.body},
        headers=error.headers,
        checks={401: check, 403: check},
    )


def _in_a_handshake(error: BaseException) -> bool:
    """Tell whether TLS broke before a connection stood."""
    if not isinstance(error, ssl.SSLError | aws.SSLError | transport.SSLError):
        return False
    frames = [frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)]
    return isinstance(error, aws.SSLError) or "do_handshake" in frames


# -- What is sent as another's file


class Renamed(io.RawIOBase):
    """A file whose lines begin otherwise, at the same length; it can be read anywhere, as often as wanted."""

    def __init__(self, source: io.BufferedReader, before: bytes, after: bytes) -> None:
        """Say what the lines of a file begin with, and with what instead."""
        super().__init__()
        assert len(before) == len(after)
        self._source = source
        self._pair = b"\n" + before, b"\n" + after
        self._size = os.fstat(source.fileno()).st_size
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return where the next byte is."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere else."""
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read some bytes; what surrounds them decides whether they are the beginning of a line."""
        left = max(self._size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        reach = len(self._pair[0])
        start = max(self._at - reach, 0)
        self._source.seek(start)
        piece = self._source.read(self._at - start + wanted + reach)
        if start == 0:
            piece = (b"\n" + piece).replace(*self._pair)[1:]
        else:
            piece = piece.replace(*self._pair)
        here = self._at - start
        self._at += wanted
        return piece[here : here + wanted]
