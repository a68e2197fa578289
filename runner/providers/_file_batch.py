"""Batches from an uploaded file, as OpenAI and the services that speak its dialect run them.

The SDK is imported when the first call is made. Wire facts:
developers.openai.com/api/docs/guides/batch.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import orjson

from runner.core.charged import charged
from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Batch, Condition, Progress, Prompt, RemoteId, Reply
from runner.core.states import BatchEvent, Outcome
from runner.core.twins import Made
from runner.providers._chat import (
    ENDPOINT,
    REFUSALS_OF_ONE,
    SETTLED,
    answer_line,
    read_line,
    request_frame,
    seconds,
    told,
    word,
)
from runner.providers._dialects import CHAT
from runner.providers._lines import tally
from runner.providers._lists import Listing, Next, cursor_of, reach_back
from runner.providers._orders import input_of, is_of, made_of
from runner.providers._sdk_client import SdkClient
from runner.providers._speaking import ORDER
from runner.providers._stainless import field, id_of, object_in
from runner.providers.base import Frame, Options, Service, said

PAGE = 100
"""How much of a list is asked for at once, where that can be said."""

_WINDOW = re.compile(r"[1-9][0-9]{0,2}[hd]")

_PROGRESS = {
    *("pre_schedule", "validating", "in_progress", "progress", "finalizing", "cancelling"),
}
_END = {"completed", "succeeded", "expired", "cancelled"}
"""OpenAI's words, and one that others have for `completed`."""
REST = {"expired": Outcome.EXPIRED, "cancelled": Outcome.CANCELLED}
"""How requests without a line ended, where the state says it; a completed batch has lost them."""
_FURTHEST = (
    *("completed", "finalizing", "in_progress", "validating"),
    *("cancelling", "expired", "cancelled"),
)
"""Which of several batches from one input to adopt: the furthest on, and a failed one last."""

_HAS_NONE = {404, 405, 501}
"""Statuses with which a service says that it keeps no files, or shows no list of them."""
_NO_BATCHES = (
    "upload: {at} has no /files, so it takes no batches as OpenAI's (look at the address, too): ask "
    "one by one with provider.mode=realtime"
)


@dataclass(frozen=True, kw_only=True)
class WindowOptions(Options):
    """How long a batch may take."""

    completion_window: str = "24h"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield a window that is none."""
        if _WINDOW.fullmatch(self.completion_window) is None:
            yield (
                "completion_window",
                f"{self.completion_window!r}; allowed: hours or days, as 24h or 7d",
            )

    @property
    def window(self) -> str:
        """What is asked for when a batch is created."""
        return self.completion_window


class FileBatch(SdkClient):
    """The client: one file, one batch, two result files. A subclass says which SDK."""

    Options: ClassVar[type[WindowOptions]] = WindowOptions
    dialect = CHAT
    default_base_url: ClassVar[str]
    base_url_variable: ClassVar[str]
    key_variable: ClassVar[str]
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = True
    tagged: ClassVar[bool] = False
    found_by_size: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    no_emulator: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ()
    _ask_path: str = "/chat/completions"
    _endpoint: str = ENDPOINT
    """What lines and orders call it, whatever the service's address is."""

    @property
    def _reached(self) -> Service:
        """Where the SDK's client connects, and with which key."""
        return self._service

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt, self._endpoint)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output or the error file."""
        return read_line(line)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file."""
        with self._speaking("upload"):
            if look_first and (known := self._uploaded(path, name)):
                return {"input_file_id": known}
            try:
                with path.open("rb") as handle:
                    file = self._client.files.create(file=(name, handle), purpose="batch")
            except self._sdk.module.APIStatusError as error:
                if error.status_code in _HAS_NONE:
                    raise ProviderRefused(_NO_BATCHES.format(at=self._service.base_url)) from None
                raise
            return {"input_file_id": id_of(file)}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch; sent once."""
        with self._speaking(ORDER):
            created = self._client.batches.create(
                input_file_id=batch.handle["input_file_id"],
                endpoint=self._endpoint,
                completion_window=self._service.told(WindowOptions).completion_window,
                metadata=dict(labels),
            )
            return RemoteId(id_of(created))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look through the whole list for batches made from our input file."""
        found: dict[str, Any] = {}
        dates: list[float | None] = []
        doubt: ProviderReplyUnreadable | None = None
        with self._speaking("list"):
            batches = self._batches()
            try:
                for other in batches:
                    dates.append(seconds(field(other, "created_at")))
                    if _is_of(batch, other):
                        found[id_of(other)] = other
                    if batch.remote and _is_old_enough(dates, batch.sent_at):
                        break
            except ProviderReplyUnreadable as unreadable:  # what half a list shows is there
                doubt = unreadable
        strangers = {*batch.dead, *claimed}
        alive = {remote: other for remote, other in found.items() if remote not in strangers}
        if alive and (doubt is None or batch.remote is None):
            return _made(batch, alive)
        if doubt is None and not batches.is_whole and not reach_back(dates, batch.sent_at):
            doubt = ProviderReplyUnreadable("the list of batches does not say whether it goes on")
        if doubt is not None:
            raise doubt
        return None

    def fence(self, batch: Batch) -> None:
        """Delete the input file; a create that still arrives then names a file that is gone."""
        file_id = input_of(batch)
        with self._speaking("delete the input file"):
            try:
                reply = self._client.files.delete(file_id)
            except self._sdk.module.NotFoundError as error:
                if object_in(error) is None:
                    raise  # not the service's 404: a web page proves nothing
                self._must_be_gone(file_id)
                return
            if field(reply, "deleted") is not True:
                raise ProviderReplyUnreadable("the reply does not say that the file was deleted")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch."""
        with self._speaking("retrieve"):
            batch = self._client.batches.retrieve(remote)
            if id_of(batch) != remote:
                raise ProviderReplyUnreadable("the reply is about another batch")
            return self._progress(batch)

    def ask(self, line: bytes) -> bytes:
        """Make one chat completion, its body to the byte as in the file, and write what came."""
        request = orjson.loads(line)
        with self._speaking("chat"):
            try:
                reply = self._post(orjson.dumps(request["body"]))
            except self._sdk.module.APIStatusError as error:
                if error.status_code not in REFUSALS_OF_ONE or object_in(error) is None:
                    raise
                reply = error.response
            return answer_line(
                request["custom_id"],
                reply.status_code,
                reply.headers.get("x-request-id"),
                self._without_key(reply.content),
            )

    def _must_be_gone(self, file_id: str) -> None:
        """Make sure that a file is not there: a service that deletes none says 404, too."""
        try:
            self._file(file_id)
        except self._sdk.module.NotFoundError as error:
            if object_in(error) is None:
                raise
            return
        raise ProviderReplyUnreadable("the input file is still there and cannot be deleted")

    def _file(self, file_id: str) -> Any:
        return self._client.files.retrieve(file_id)

    def _batches(self) -> Listing:
        """Return every batch of the account."""
        return Listing(lambda: self._client.batches.list(limit=PAGE), _next_of)

    def _files(self) -> Listing:
        """Return every input file of the account."""
        return Listing(lambda: self._client.files.list(purpose="batch"), _next_of)

    def _batch_calls(self) -> Any:
        return self._client.batches

    def _results(self, file_id: str) -> Any:
        return self._client.files.with_streaming_response.content(
            file_id, extra_headers={"Accept-Encoding": "identity"}
        )

    def _uploaded(self, path: Path, name: str) -> str | None:
        """Return the id of an input file of this name and size, if one arrived.

        A list that may go on is taken for whole: an input that is uploaded twice costs nothing.
        """
        size = path.stat().st_size
        try:
            for file in self._files():
                if field(file, "filename") == name and seconds(field(file, "bytes")) == size:
                    return id_of(file)
        except self._sdk.module.APIStatusError as error:
            if error.status_code not in _HAS_NONE:
                raise
        return None

    def _progress(self, batch: Any) -> Progress:
        """Read a batch object, of which only the id is certain."""
        counts = field(batch, "request_counts")
        files = {"output": field(batch, "output_file_id"), "error": field(batch, "error_file_id")}
        state = said(field(batch, "status"), self._service.key)
        event, message = event_of(state, _errors(batch))
        return Progress(
            state=state,
            event=event,
            total=tally(field(counts, "total")),
            completed=tally(field(counts, "completed")),
            failed=tally(field(counts, "failed")),
            files={name: file_id for name, file_id in files.items() if word(file_id)},
            expires_at=seconds(field(batch, "expires_at")),
            message=None if message is None else said(message, self._service.key),
            rest=REST.get(state.lower(), Outcome.MISSING),
            charged=charged(
                input_tokens=tally(field(field(batch, "usage"), "input_tokens")),
                output_tokens=tally(field(field(batch, "usage"), "output_tokens")),
            ),
        )


def _next_of(page: Any) -> Next:
    more = True if page.has_more is None and cursor_of(page) else page.has_more
    return more, page.get_next_page if page.has_next_page() else None


def _is_of(batch: Batch, other: Any) -> bool:
    return is_of(batch, _inputs_of(other), field(other, "metadata"))


def _inputs_of(other: Any) -> tuple[Any]:
    return (field(other, "input_file_id"),)


def _is_old_enough(dates: list[float | None], sent_at: float | None) -> bool:
    """Tell, once a page, whether the rest of the list is older than the order."""
    return len(dates) % PAGE == 0 and reach_back(dates, sent_at)


def _made(batch: Batch, alive: Mapping[str, Any]) -> Made:
    return made_of(batch, alive, _rank, _inputs_of)


def _rank(other: Any) -> tuple[int, int]:
    """Return how far a batch is, and then how little it has answered; the lowest is the furthest."""
    status = field(other, "status")
    answered = tally(field(field(other, "request_counts"), "completed")) or 0
    if status in _FURTHEST:
        return _FURTHEST.index(status), -answered
    return len(_FURTHEST) + int(status == "failed"), -answered


def _errors(batch: Any) -> list[tuple[str, str]]:
    """Return code and message of a batch's errors; some services send a bare array."""
    errors = field(batch, "errors")
    data = errors if isinstance(errors, list) else field(errors, "data")
    return [
        (told(field(e, "code")), told(field(e, "message")))
        for e in (data if isinstance(data, list) else [])
    ]


def event_of(status: str, errors: list[tuple[str, str]]) -> tuple[BatchEvent, str | None]:
    """Translate the provider's word; an unknown word is progress, shown as it is."""
    message = "; ".join(f"{code}: {text}" for code, text in errors[:3]) or None
    state = status.lower()
    if state in _END:
        return BatchEvent.END, message
    if state == "failed":
        busy = any(code == "token_limit_exceeded" for code, _ in errors)
        event = BatchEvent.DEFERRED if busy else BatchEvent.REFUSED
        return event, message or "failed, and no reason given"
    if state in _PROGRESS:
        return BatchEvent.PROGRESS, message
    return BatchEvent.PROGRESS, f"unknown state {status!r}" + (f": {message}" if message else "")
