"""Anthropic Message Batches.

A batch there has no name, no metadata and no file, so that one of ours is known for certain only
by the custom_ids in its results. Wire facts: platform.claude.com/docs/en/build-with-claude.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import orjson

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import Batch, Condition, Model, Progress, Prompt, RemoteId, Reply, Sampling
from runner.providers._anthropic_lines import (
    custom_id_in,
    errored_line,
    read_line,
    refuses_one,
    request_frame,
    succeeded_line,
)
from runner.providers._lines import count, object_of
from runner.providers._stainless import (
    CHUNK,
    Dialect,
    field,
    id_of,
    items_of,
    result_file,
    retry_after,
)
from runner.providers.base import Frame, Service, missing_key, said

_MESSAGES: Final = "/v1/messages"
_BATCHES: Final = "/v1/messages/batches"
_TAKES_A_TEMPERATURE: Final = {"anthropic-version": "2023-06-01"}
"""From version 2026-10-21 on, which the SDK sends, a temperature is refused for every model."""
_OPENING, _CLOSING = b'{"requests":[', b"]}"
_CLOCKS_DIFFER: Final = 120.0
"""Seconds before it was sent at which a batch of ours may seem to have been made."""
_FAR_BACK: Final = 3600.0
"""Seconds before that; where a page of the list, newest first, ends there, no more are read."""
_LINES_LOOKED_AT: Final = 100
"""Result lines of somebody else after which the whole batch is theirs."""
_LONGEST_LINE: Final = 16 << 20
_ID: Final = re.compile(r"[A-Za-z0-9][\w.:~-]{0,254}", re.ASCII)


class AnthropicBatch:
    """The client."""

    default_base_url: ClassVar[str] = "https://api.anthropic.com"
    base_url_variable: ClassVar[str] = "ANTHROPIC_BASE_URL"
    fences: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    found_by_size: ClassVar[bool] = True

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        self._service = service
        self._model = model
        self._tag = tag

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        return missing_key(service)

    @cached_property
    def _dialect(self) -> Dialect:
        import anthropic
        import httpx2

        return Dialect(anthropic, httpx2, anthropic.AnthropicError)

    @cached_property
    def _client(self) -> Any:
        import anthropic
        import httpx2

        def transport(*, trust_env: bool, **how: Any) -> httpx2.Client:
            """Make the SDK's own, which would go through the environment's proxies untold."""
            make = anthropic.DefaultHttpxClient if trust_env else httpx2.Client
            return make(trust_env=trust_env, **how)

        honours = self._model.sampling is Sampling.HONOURED
        return self._dialect.connect(
            anthropic.Anthropic,
            transport,
            self._service,
            default_headers=_TAKES_A_TEMPERATURE if honours else {},
            open_telemetry=False,
        )

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt, self._tag)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the results."""
        return read_line(line, self._tag)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Hand over nothing: the requests travel with the order."""
        return {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch, its request file streamed into the body; sent once."""
        with path.open("rb") as requests, self._speaking("create"):
            from anthropic.types.messages import MessageBatch

            size = path.stat().st_size
            length = len(_OPENING) + size - 1 + len(_CLOSING)
            created = self._client.post(
                _BATCHES,
                cast_to=MessageBatch,
                content=_body(requests, size),
                options={"headers": {"Content-Length": str(length)}},
            )
            return _remote_of(created)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> RemoteId | None:
        """Look for a batch of our size made since, with our custom_ids in its results."""
        known = {*claimed, *batch.dead}
        with self._speaking("list"):
            candidates = {
                remote: other
                for other in self._made_since(batch.sent_at or 0.0)
                if (remote := _remote_of(other)) not in known
                if _total(other) in (batch.count, None)
            }
        oldest_first = sorted(candidates, key=lambda remote: _made_at(candidates[remote]) or 0.0)
        ended = [r for r in oldest_first if field(candidates[r], "processing_status") == "ended"]
        ours = _custom_ids(path) if ended else set()
        unread: dict[RemoteId, str] = {}
        for remote in ended:
            try:
                if self._is_of(ours, remote):
                    return remote
            except ProviderError as error:
                unread[remote] = str(error)
        running = [remote for remote in oldest_first if remote not in ended]
        if running or unread:
            raise ProviderUndecided(_open_question(batch, running, unread), (*running, *unread))
        return None

    def fence(self, batch: Batch) -> None:
        """Refuse: there is no input that could be taken away."""
        raise ProviderRefused("a message batch has no input that could be taken away")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch."""
        with self._speaking("retrieve"):
            reply = self._client.messages.batches.with_raw_response.retrieve(remote)
            batch = reply.parse()
            if id_of(batch) != remote:
                raise ProviderReplyUnreadable("the reply is about another batch")
            return self._progress(batch, retry_after(reply.headers))

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream the results as they are, from our own address and no other."""
        with self._speaking("download"), self._results(file_id) as response:
            sink.writelines(result_file(response.iter_bytes(CHUNK), self._service))

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a batch that has ended already says no, and that is all right."""
        sdk = self._dialect.sdk
        with self._speaking("cancel"):
            try:
                self._client.messages.batches.cancel(remote)
            except (sdk.BadRequestError, sdk.ConflictError):
                return

    def ask(self, line: bytes) -> bytes:
        """Make one message and write it as a batch would."""
        request = orjson.loads(line)
        custom_id, body = request["custom_id"], orjson.dumps(request["params"])
        with self._speaking("message"):
            import httpx2

            try:
                reply = self._client.post(
                    _MESSAGES,
                    cast_to=httpx2.Response,
                    content=iter([body]),  # as bytes, the SDK's log would show it
                    options={"headers": {"Content-Length": str(len(body))}},
                )
            except self._dialect.sdk.APIStatusError as error:
                if refuses_one(error.status_code, error.body):
                    return errored_line(custom_id, error.response.content)
                raise
            return succeeded_line(custom_id, reply.content)

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        client = vars(self).get("_client")
        if client is not None:
            client.close()

    def _made_since(self, sent_at: float) -> Iterator[Any]:
        """Yield the batches on the provider's list that were made since; it is read to its end.

        Raises:
            ProviderReplyUnreadable: when it cannot be; half a list proves nothing.
        """
        cursor: dict[str, str] = {}
        seen: set[str] = set()
        while True:
            reply = self._client.messages.batches.with_raw_response.list(limit=1000, **cursor)
            since = sent_at - _CLOCKS_DIFFER - _seconds_ahead(reply.headers)
            page = _page(reply)
            others = items_of(page)
            for other in others:
                made_at = _made_at(other)
                if made_at is None or made_at >= since:
                    yield other
            more, last = field(page, "has_more"), others[-1] if others else None
            if more is False or (last and (_made_at(last) or since) < since - _FAR_BACK):
                return
            if more is not True or last is None or id_of(last) in seen:
                raise ProviderReplyUnreadable("a list that does not say how it goes on")
            cursor = {"after_id": id_of(last)}
            seen.add(id_of(last))

    def _is_of(self, ours: Collection[str], remote: str) -> bool:
        """Tell by the first results whether a batch that has ended holds our requests."""
        others = 0
        with self._speaking("results"), self._results(remote) as response:
            for line in islice(_lines(response.iter_bytes(1 << 16)), _LINES_LOOKED_AT):
                try:
                    custom_id = object_of(line).get("custom_id")
                except ProviderReplyUnreadable:
                    continue
                if custom_id in ours:
                    return True
                others += isinstance(custom_id, str)
        if not others:
            raise ProviderReplyUnreadable("results: no result line")
        return False

    @contextmanager
    def _results(self, remote: str) -> Iterator[Any]:
        """Open the results; the address the provider gives for them may be anybody's."""
        import httpx2

        response = self._client.get(
            f"{_BATCHES}/{quote(remote, safe='')}/results",
            cast_to=httpx2.Response,
            options={"headers": {"Accept": "application/binary", "Accept-Encoding": "identity"}},
            stream=True,
        )
        try:
            yield response
        finally:
            response.close()

    def _progress(self, batch: Any, wait: float | None) -> Progress:
        """Read a batch object, of which nothing but the id is certain."""
        archived_at = field(batch, "archived_at")
        if archived_at is not None:
            raise ProviderRefused(
                f"the results of {id_of(batch)} are gone since "
                f"{said(archived_at, self._service.key)}: they are kept for 29 days"
            )
        state = said(field(batch, "processing_status"), self._service.key)
        total, expires_at = _total(batch), _seconds(field(batch, "expires_at"))
        if state != "ended":
            is_known = state in ("in_progress", "canceling")
            return Progress(
                state=state,
                event="progress",
                total=total,
                expires_at=expires_at,
                message=None if is_known else f"unknown state {state!r}",
                wait=wait,
            )
        completed = count(field(field(batch, "request_counts"), "succeeded"))
        return Progress(
            state=state,
            event="end",
            total=total,
            completed=completed,
            failed=None if total is None or completed is None else total - completed,
            files={"output": id_of(batch)},
            expires_at=expires_at,
        )

    def _speaking(self, what: str) -> Any:
        return self._dialect.speaking(self._service, what)


def _body(requests: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the body of a create call: the request lines as they are, commas between them."""
    yield _OPENING
    left = size - 1  # the last newline has no line behind it
    while left > 0 and (chunk := requests.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk.replace(b"\n", b",")
    yield _CLOSING


def _remote_of(reply: Any) -> RemoteId:
    """Return the id of a batch, which will be part of an address."""
    value = id_of(reply)
    if _ID.fullmatch(value) is None:
        raise ProviderReplyUnreadable(f"a reply with an id that is none: {said(value, None, 40)}")
    return RemoteId(value)


def _page(reply: Any) -> Any:
    try:
        return reply.parse()
    except (AttributeError, TypeError):  # what the SDK makes of a reply that is no object
        return None


def _total(batch: Any) -> int | None:
    """Return how many requests a batch has: its counts add up to that at all times."""
    counts = field(batch, "request_counts")
    rows = dict(counts) if hasattr(counts, "model_dump") else counts
    if not isinstance(rows, dict) or not rows:
        return None
    numbers = [count(value) for value in rows.values()]
    return sum(number for number in numbers if number is not None) if None not in numbers else None


def _made_at(batch: Any) -> float | None:
    return _seconds(field(batch, "created_at"))


def _seconds(value: Any) -> float | None:
    """Return a time that the SDK could read."""
    return value.timestamp() if isinstance(value, datetime) else None


def _seconds_ahead(headers: Mapping[str, str]) -> float:
    """Return how far this machine's clock is ahead of the provider's."""
    try:
        theirs = parsedate_to_datetime(headers.get("date") or "").timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, time.time() - theirs)


def _custom_ids(path: Path) -> set[str]:
    """Return the custom_ids of a request file, each with the run's tag."""
    with path.open("rb") as requests:
        return {custom_id_in(line) for line in requests}


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split at newlines only: an answer may hold U+2028."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > _LONGEST_LINE:
            raise ProviderReplyUnreadable("a result line without end")
    yield rest


_ONE_IS_OPEN: Final = (
    "1 batch at Anthropic could be {key} ({names}): it has {count} requests and was made at that "
    "time; when it ends, the custom_ids in its results tell"
)
_MANY_ARE_OPEN: Final = (
    "{many} batches at Anthropic could be {key} ({names}): all have {count} requests and were made "
    "at that time; when they end, the custom_ids in their results tell"
)


def _open_question(batch: Batch, running: list[RemoteId], unread: Mapping[RemoteId, str]) -> str:
    """Say which batches may be ours, and when that will be known."""
    parts = []
    if running:
        how = _ONE_IS_OPEN if len(running) == 1 else _MANY_ARE_OPEN
        names = ", ".join(running)
        parts.append(how.format(key=batch.key, names=names, many=len(running), count=batch.count))
    parts += [
        f"{remote} at Anthropic could be {batch.key}, and its results cannot be read ({reason})"
        for remote, reason in unread.items()
    ]
    return "; ".join([*parts, "until then it is not sent again"])
