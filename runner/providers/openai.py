"""OpenAI Batch, and every service that speaks its dialect.

The SDK is imported when the first call is made, its own retries are off, and redirects are not
followed. Wire facts: developers.openai.com/api/docs/guides/batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import Batch, Condition, Model, Progress, Prompt, RemoteId, Reply
from runner.providers._chat import ENDPOINT, count, read_line, request_frame, seconds, told, word
from runner.providers.base import Frame, Service, said

if TYPE_CHECKING:
    from openai import OpenAI

DEFAULT_BASE_URL = "https://api.openai.com/v1"
CHUNK = 1 << 20

_PROGRESS = {"validating", "in_progress", "finalizing", "cancelling"}
_END = {"completed", "expired", "cancelled"}
_FURTHEST = (
    *("completed", "finalizing", "in_progress", "validating"),
    *("cancelling", "expired", "cancelled"),
)
"""Which of several batches from one input to adopt: the furthest on, and a failed one last."""

_NOT_SENT = {
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
}
"""Transport errors (httpx and httpx2) that prove that no request reached the service."""

_REFUSALS = {400, 401, 402, 403, 404, 405, 413, 415, 422}
"""Statuses that say that nothing was made. 408, 409 and 5xx say nothing: in doubt."""

_DONE_ELSEWHERE = 303
"""The one redirection that follows work that was done."""

_BEFORE_A_FILE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and blanks."""


class _Speaking:
    """Translates every exception of the SDK and its transport, and keeps no hold of the original.

    An exception may quote what a service said, and that may be the key; a crash screen shows what
    is in the frames.
    """

    def __init__(self, translate: Callable[[Exception], ProviderError]) -> None:
        self._translate = translate

    def __enter__(self) -> None:
        """Begin to speak."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import httpx2
        import openai

        if isinstance(
            error,
            openai.OpenAIError
            | httpx2.HTTPError
            | httpx2.StreamError
            | httpx2.InvalidURL
            | httpx2.CookieConflict
            | ValueError  # a reply that is not JSON, not UTF-8, or has a number too long to read
            | RecursionError,
        ):
            translated = self._translate(error)
            del error
            raise translated from None


class OpenAIBatch:
    """The client: one file, one batch, two result files."""

    default_base_url = DEFAULT_BASE_URL
    base_url_variable = "OPENAI_BASE_URL"

    def __init__(self, service: Service, model: Model) -> None:
        """Keep the address and the model; nothing is opened yet."""
        self._service = service
        self._model = model

    @cached_property
    def _client(self) -> "OpenAI":
        import httpx2
        import openai

        service = self._service
        if service.key is None:
            raise ProviderRefused(f"no key: set {service.key_variable}")
        if not _can_be_a_header(service.key.reveal()):
            raise ProviderRefused(f"{service.key_variable} holds characters that no key has")
        try:
            return openai.OpenAI(
                api_key=service.key.reveal(),
                base_url=service.base_url,
                max_retries=0,
                timeout=service.timeout_seconds,
                http_client=openai.DefaultHttpx2Client(
                    follow_redirects=False, trust_env=not service.on_this_machine
                ),
            )
        except (openai.OpenAIError, httpx2.InvalidURL, ValueError, ImportError) as error:
            raise ProviderRefused(
                f"cannot connect to {service.base_url}: {said(error, service.key)}"
            ) from None

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output or the error file."""
        return read_line(line)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file."""
        with self._speaking("upload"):
            if look_first and (known := self._uploaded(path, name)):
                return {"input_file_id": known}
            with path.open("rb") as handle:
                file = self._client.files.create(file=(name, handle), purpose="batch")
            return {"input_file_id": _id(file)}

    def submit(self, batch: Batch, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch; sent once."""
        with self._speaking("create"):
            created = self._client.batches.create(
                input_file_id=batch.handle["input_file_id"],
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata=dict(labels),
            )
            return RemoteId(_id(created))

    def find(self, batch: Batch) -> RemoteId | None:
        """Look through the whole list for a batch made from our input file."""
        found: dict[str, Any] = {}
        with self._speaking("list"):
            for other in _listed(lambda: self._client.batches.list(limit=100)):
                if _field(other, "input_file_id") == batch.handle["input_file_id"]:
                    found[_id(other)] = _field(other, "status")
        alive = [remote for remote in found if remote not in batch.dead]
        return RemoteId(min(alive, key=lambda remote: _rank(found[remote]))) if alive else None

    def fence(self, batch: Batch) -> None:
        """Delete the input file; a create that still arrives then names a file that is gone."""
        import openai

        with self._speaking("delete the input file"):
            try:
                reply = self._client.files.delete(batch.handle["input_file_id"])
            except openai.NotFoundError as error:
                if isinstance(error.body, dict):
                    return
                raise  # somebody else's 404: a web page proves nothing
            if _field(reply, "deleted") is not True:
                raise ProviderReplyUnreadable("the reply does not say that the file was deleted")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch."""
        with self._speaking("retrieve"):
            batch = self._client.batches.retrieve(remote)
            if _id(batch) != remote:
                raise ProviderReplyUnreadable("the reply is about another batch")
            return self._progress(batch)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream a result file as it is."""
        with (
            self._speaking("download"),
            self._client.files.with_streaming_response.content(
                file_id, extra_headers={"Accept-Encoding": "identity"}
            ) as response,
        ):
            sink.writelines(self._no_page(response.iter_bytes(CHUNK)))

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a batch that has ended already says no, and that is all right."""
        import openai

        with self._speaking("cancel"):
            try:
                self._client.batches.cancel(remote)
            except (openai.BadRequestError, openai.ConflictError):
                return

    def _uploaded(self, path: Path, name: str) -> str | None:
        """Return the id of an input file of this name and size, if one arrived."""
        size = path.stat().st_size
        for file in _listed(lambda: self._client.files.list(purpose="batch")):
            if _field(file, "filename") == name and _field(file, "bytes") == size:
                return _id(file)
        return None

    def _progress(self, batch: Any) -> Progress:
        """Read a batch object, of which nothing but the id is certain."""
        counts = _field(batch, "request_counts")
        files = {"output": batch.output_file_id, "error": batch.error_file_id}
        state = said(batch.status, self._service.key)
        event, message = _event(state, _errors(batch))
        return Progress(
            state=state,
            event=event,
            total=count(_field(counts, "total")),
            completed=count(_field(counts, "completed")),
            failed=count(_field(counts, "failed")),
            files={name: file_id for name, file_id in files.items() if word(file_id)},
            expires_at=seconds(batch.expires_at),
            message=None if message is None else said(message, self._service.key),
        )

    def _no_page(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass a result file on; a web page in its place would be taken for lost answers."""
        rest = iter(chunks)
        first = next(rest, b"")
        start = first.lstrip(_BEFORE_A_FILE)[:80]
        if start and not start.startswith(b"{"):
            shown = said(start.decode("utf-8", "replace"), self._service.key)
            raise ProviderSilent(f"download: not a result file: {shown}")
        yield first
        yield from rest

    def _speaking(self, what: str) -> "_Speaking":
        return _Speaking(lambda error: self._translated(error, what))

    def _translated(self, error: Exception, what: str) -> ProviderError:
        import httpx2
        import openai

        key = self._service.key
        message = f"{what}: {said(error, key)}"
        if isinstance(error, openai.APIStatusError):
            return self._from_status(error, message)
        causes = {type(cause).__name__: cause for cause in _causes(error)}
        for name in causes.keys() & _NOT_SENT:
            reason = said(causes[name], key) or name
            return ProviderBusy(f"{what}: cannot reach {self._service.base_url}: {reason}")
        if isinstance(error, httpx2.InvalidURL):
            return ProviderRefused(message)
        if isinstance(error, openai.APIResponseValidationError | ValueError | RecursionError):
            return ProviderReplyUnreadable(message)
        return ProviderSilent(f"{message} ({', '.join(causes)})")

    def _from_status(self, error: Any, message: str) -> ProviderError:
        status = error.status_code
        if status == 429 and isinstance(error.body, dict):
            return ProviderBusy(message, retry_after=_retry_after(error.response.headers))
        if status in (401, 403):
            return ProviderRefused(f"{message}: check {self._service.key_variable}")
        if status in _REFUSALS or (300 <= status < 400 and status != _DONE_ELSEWHERE):
            return ProviderRefused(message)
        return ProviderSilent(message)


def _id(reply: Any) -> str:
    """Return a reply's id; the SDK passes anything through, also a list or an error page."""
    value = getattr(reply, "id", None)
    if isinstance(value, str) and value:
        return value
    raise ProviderReplyUnreadable(f"a reply without an id ({type(reply).__name__})")


def _field(thing: Any, name: str) -> Any:
    """Return a field of what should be an object; the SDK leaves what it does not expect a dict."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def _listed(ask: Callable[[], Any]) -> Iterator[Any]:
    """Yield all that a list names, over all its pages.

    Raises:
        ProviderReplyUnreadable: when it cannot be read to its end; half a list proves nothing.
    """
    seen: set[str] = set()
    while True:
        try:
            page = ask()
        except (AttributeError, TypeError):  # what the SDK makes of a reply that is no object
            page = None
        data = getattr(page, "data", None)
        if page is None or not isinstance(data, list):
            raise ProviderReplyUnreadable("a list that is none")
        ids = {_id(thing) for thing in data}
        yield from data
        if not page.has_next_page() or not ids - seen:
            if page.has_more is True:
                raise ProviderReplyUnreadable("a list that says it goes on, and does not")
            return
        seen |= ids
        ask = page.get_next_page


def _rank(status: Any) -> int:
    """Return how far a batch is; the lowest is the furthest."""
    if status in _FURTHEST:
        return _FURTHEST.index(status)
    return len(_FURTHEST) + int(status == "failed")


def _errors(batch: Any) -> list[tuple[str, str]]:
    """Return code and message of a batch's errors; some services send a bare array."""
    errors = _field(batch, "errors")
    data = errors if isinstance(errors, list) else _field(errors, "data")
    return [
        (told(_field(e, "code")), told(_field(e, "message")))
        for e in (data if isinstance(data, list) else [])
    ]


def _event(status: str, errors: list[tuple[str, str]]) -> tuple[str, str | None]:
    """Translate the provider's word; a word nobody knows is progress, shown as it is."""
    message = "; ".join(f"{code}: {text}" for code, text in errors[:3]) or None
    if status in _END:
        return "end", message
    if status == "failed":
        busy = any(code == "token_limit_exceeded" for code, _ in errors)
        return ("deferred" if busy else "refused"), message or "failed, and no reason given"
    if status in _PROGRESS:
        return "progress", message
    return "progress", f"unknown state {status!r}" + (f": {message}" if message else "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a service asks us to wait; a date is read by the service's own clock."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        wait = seconds(headers.get(name))
        if wait is not None and wait >= 0:
            return wait / unit
    until, now = _date(headers.get("retry-after")), _date(headers.get("date"))
    return until - now if until is not None and now is not None and until >= now else None


def _date(text: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _can_be_a_header(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was raised from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__
