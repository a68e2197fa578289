"""OpenAI Batch, and every service that speaks its dialect.

The SDK is imported when the first call is made, its own retries are off, and redirects are not
followed. Wire facts: developers.openai.com/api/docs/guides/batch.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import orjson

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Model,
    Progress,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
    Usage,
)
from runner.providers.base import Frame, Service, said

if TYPE_CHECKING:
    from openai import OpenAI

ENDPOINT: Final = "/v1/chat/completions"
DEFAULT_BASE_URL = "https://api.openai.com/v1"
CHUNK = 1 << 20
_HOLE = "\x00"

_PROGRESS = {"validating", "in_progress", "finalizing", "cancelling"}
_END = {"completed", "expired", "cancelled"}
_FURTHEST = ("completed", "finalizing", "in_progress", "validating")
"""Which of several batches from one input to adopt: the furthest on."""

_NOT_SENT = {
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "UnsupportedProtocol",
    "LocalProtocolError",
}
"""Transport errors (httpx and httpx2) that prove that no request left this machine."""

_REFUSALS = {400, 401, 403, 404, 405, 413, 415, 422}
"""Statuses that say that nothing was made. 408, 409 and 5xx say nothing: in doubt."""


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
        import openai

        if self._service.key is None:
            raise ProviderRefused(f"no key: set {self._service.key_variable}")
        return openai.OpenAI(
            api_key=self._service.key.reveal(),
            base_url=self._service.base_url,
            max_retries=0,
            timeout=self._service.timeout_seconds,
            http_client=openai.DefaultHttpx2Client(
                follow_redirects=False, trust_env=not self._service.on_this_machine
            ),
        )

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition, UTF-8 and not escaped."""
        messages = [{"role": "user", "content": prompt.user}]
        if prompt.system is not None:
            messages.insert(0, {"role": "system", "content": prompt.system})
        body: JsonObject = {
            "model": self._model.name,
            "messages": messages,
            "max_completion_tokens": self._model.max_output_tokens,
        }
        if condition.temperature is not None:
            body["temperature"] = float(condition.temperature)
        line = {"custom_id": _HOLE, "method": "POST", "url": ENDPOINT, "body": body}
        before, _, after = orjson.dumps(line).partition(rb"\u0000")
        return Frame(before=before, after=after + b"\n")

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output or the error file."""
        row = _object(_loads(line))
        custom_id = row.get("custom_id")
        if not isinstance(custom_id, str):
            raise ProviderReplyUnreadable("a result line without a custom_id")
        response, error = row.get("response"), row.get("error")
        if isinstance(response, dict):
            return _from_response(custom_id, response)
        if isinstance(error, dict):
            return _from_error(custom_id, error)
        raise ProviderReplyUnreadable(f"result line {custom_id!r} has neither response nor error")

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
        found: dict[str, str] = {}
        with self._speaking("list"):
            for other in self._client.batches.list(limit=100):
                if other.input_file_id == batch.handle["input_file_id"]:
                    found[_id(other)] = str(other.status)
        alive = [remote for remote in found if remote not in batch.dead]
        rank = {status: place for place, status in enumerate(_FURTHEST)}
        alive.sort(key=lambda remote: rank.get(found[remote], len(rank)))
        return RemoteId(alive[0]) if alive else None

    def fence(self, batch: Batch) -> None:
        """Delete the input file; a create that still arrives then names a file that is gone."""
        import openai

        with self._speaking("delete the input file"):
            try:
                self._client.files.delete(batch.handle["input_file_id"])
            except openai.NotFoundError:
                return

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch."""
        with self._speaking("retrieve"):
            batch = self._client.batches.retrieve(remote)
            _id(batch)
        counts = batch.request_counts
        files = {"output": batch.output_file_id, "error": batch.error_file_id}
        event, message = _event(str(batch.status), _errors(batch))
        return Progress(
            state=str(batch.status),
            event=event,
            total=getattr(counts, "total", None),
            completed=getattr(counts, "completed", None),
            failed=getattr(counts, "failed", None),
            files={name: file_id for name, file_id in files.items() if file_id},
            expires_at=_seconds(batch.expires_at),
            message=None if message is None else said(message, self._service.key),
        )

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream a result file as it is."""
        with (
            self._speaking("download"),
            self._client.files.with_streaming_response.content(
                file_id, extra_headers={"Accept-Encoding": "identity"}
            ) as response,
        ):
            sink.writelines(response.iter_bytes(CHUNK))

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
        for file in self._client.files.list(purpose="batch"):
            if file.filename == name and file.bytes == size:
                return _id(file)
        return None

    @contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        """Translate every exception of the SDK and its transport."""
        import httpx2
        import openai

        try:
            yield
        except (
            openai.OpenAIError,
            httpx2.HTTPError,
            httpx2.StreamError,
            json.JSONDecodeError,
        ) as error:
            raise self._translated(error, what) from None

    def _translated(self, error: Exception, what: str) -> ProviderError:
        import openai

        message = f"{what}: {said(error, self._service.key)}"
        if isinstance(error, openai.APIStatusError):
            return self._from_status(error, message)
        if _cause_names(error) & _NOT_SENT:
            return ProviderBusy(
                f"{what}: cannot reach {self._service.base_url}: {said(error, None)}"
            )
        if isinstance(error, json.JSONDecodeError | openai.APIResponseValidationError):
            return ProviderReplyUnreadable(message)
        if isinstance(error, openai.APIConnectionError):
            return ProviderSilent(f"{message} ({', '.join(sorted(_cause_names(error)))})")
        if isinstance(error, openai.OpenAIError):
            return ProviderRefused(message)
        return ProviderSilent(message)

    def _from_status(self, error: Any, message: str) -> ProviderError:
        status = error.status_code
        if status == 429 and isinstance(error.body, dict):
            return ProviderBusy(message, retry_after=_retry_after(error.response.headers))
        if status in (401, 403):
            return ProviderRefused(f"{message}: check {self._service.key_variable}")
        if status in _REFUSALS or 300 <= status < 400:
            return ProviderRefused(message)
        return ProviderSilent(message)


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:  # orjson refuses lone surrogates, which are legal in JSON's escapes
        return json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProviderReplyUnreadable(
            f"a result line that is not JSON: {said(error, None)}"
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise ProviderReplyUnreadable(
            f"a result line that is {type(value).__name__}, not an object"
        )
    return value


def _from_response(custom_id: str, response: JsonObject) -> Reply:
    status, body = response.get("status_code"), response.get("body")
    request_id = _word(response.get("request_id"))
    if not isinstance(status, int) or not isinstance(body, dict):
        raise ProviderReplyUnreadable(f"result line {custom_id!r}: no status_code or no body")
    if not 200 <= status < 300:
        kind = (
            ReplyKind.ERRORED if status in (408, 409, 429) or status >= 500 else ReplyKind.REFUSED
        )
        error = body.get("error")
        message = error.get("message") if isinstance(error, dict) else error
        return Reply(
            custom_id=custom_id, kind=kind, request_id=request_id, error=f"{status}: {message}"
        )
    choice = _first_choice(custom_id, body)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text, refusal = message.get("content"), message.get("refusal")
    usage = body.get("usage")
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.ANSWER,
        text=text if isinstance(text, str) else _word(refusal) or "",
        finish_reason="refusal" if refusal else _word(choice.get("finish_reason")),
        model=_word(body.get("model")),
        usage=_usage(usage if isinstance(usage, dict) else {}),
        request_id=request_id,
        answered_at=_seconds(body.get("created")),
    )


def _first_choice(custom_id: str, body: JsonObject) -> JsonObject:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    raise ProviderReplyUnreadable(f"result line {custom_id!r} is answered without choices")


def _from_error(custom_id: str, error: JsonObject) -> Reply:
    code = str(error.get("code"))
    kinds = {"batch_expired": ReplyKind.EXPIRED, "batch_cancelled": ReplyKind.CANCELLED}
    return Reply(
        custom_id=custom_id,
        kind=kinds.get(code, ReplyKind.ERRORED),
        error=f"{code}: {error.get('message')}",
    )


def _usage(usage: JsonObject) -> Usage:
    def count(name: str) -> int:
        value = usage.get(name)
        return value if isinstance(value, int) and value >= 0 else 0

    return Usage(input_tokens=count("prompt_tokens"), output_tokens=count("completion_tokens"))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: Any) -> float | None:
    """Coerce a time: compatible services send strings."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _id(reply: Any) -> str:
    """Return a reply's id; the SDK passes anything through, also a list or an error page."""
    value = getattr(reply, "id", None)
    if isinstance(value, str) and value:
        return value
    raise ProviderReplyUnreadable(f"a reply without an id ({type(reply).__name__})")


def _errors(batch: Any) -> list[tuple[str, str]]:
    """Return code and message of a batch's errors; some services send a bare array."""
    errors = getattr(batch, "errors", None)
    data = errors if isinstance(errors, list) else getattr(errors, "data", None)
    return [
        (str(getattr(e, "code", None)), str(getattr(e, "message", None)))
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
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return _seconds(headers.get("retry-after"))


def _cause_names(error: BaseException) -> set[str]:
    """Return the class names of an exception and all it came from."""
    names = set()
    current: BaseException | None = error
    while current is not None:
        names.add(type(current).__name__)
        current = current.__cause__ or current.__context__
    return names
