"""Mistral batch inference, over plain HTTP.

Wire facts: the types of the package mistralai 3.7, and docs.mistral.ai (known limitations,
2026-11). Not verified, and made harmless: how the list takes a filter by metadata (what it hides is
looked for without one), and that no job is made of an input that was deleted before (so the list is
given longer to settle).
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Batch, Condition, Progress, Prompt, RemoteId, Reply
from runner.core.states import Outcome
from runner.core.twins import Made
from runner.providers import plain
from runner.providers._chat import (
    ENDPOINT,
    HOLE,
    REFUSALS_OF_ONE,
    answer_line,
    chat_body,
    framed,
    read_line,
    seconds,
    told,
    word,
)
from runner.providers._file_batch import PAGE, WindowOptions
from runner.providers._lines import tally
from runner.providers._lists import CLOCKS_DIFFER, Listing, Next
from runner.providers._orders import is_of, labels_of, made_of
from runner.providers._plain_files import PlainFileBatch, event_of
from runner.providers._stainless import id_of
from runner.providers.base import Frame, said

_HOURS: Final = {"h": 1, "d": 24}
_RUNNING: Final = ("QUEUED", "RUNNING", "CANCELLATION_REQUESTED")
_ENDED: Final = ("SUCCESS", "TIMEOUT_EXCEEDED", "CANCELLED")
_REST: Final = {"TIMEOUT_EXCEEDED": Outcome.EXPIRED, "CANCELLED": Outcome.CANCELLED}
"""How requests without a line ended, where the state says it."""
_FURTHEST: Final = (
    *("SUCCESS", "RUNNING", "QUEUED", "CANCELLATION_REQUESTED", "TIMEOUT_EXCEEDED", "CANCELLED"),
)
"""Which of several jobs from one input to adopt: the furthest on, and a failed one last."""


class MistralBatch(PlainFileBatch):
    """One uploaded file, one job made of it, two result files; the model is the job's."""

    Options: ClassVar[type[WindowOptions]] = WindowOptions
    default_base_url: ClassVar[str] = "https://api.mistral.ai/v1"
    base_url_variable: ClassVar[str] = "MISTRAL_BASE_URL"
    key_variable: ClassVar[str] = "MISTRAL_API_KEY"
    _jobs_at: ClassVar[str] = "/batch/jobs"

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return `{"custom_id": …, "body": {"messages": […], …}}`."""
        body = chat_body(self._model, condition, prompt)
        del body["model"]
        return framed({"custom_id": HOLE, "body": body})

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output or the error file; what a model thought is left out."""
        return read_line(line)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file."""
        if look_first and (known := self._uploaded(path, name)):
            return {"input_file_id": known}
        with path.open("rb") as handle:
            file = self._http.json(
                *("upload", "POST", "/files"),
                data={"purpose": "batch"},
                files={"file": (name, handle, "application/jsonl")},
            )
        return {"input_file_id": id_of(file)}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the job; sent once."""
        window = self._service.told(WindowOptions).completion_window
        order = {
            "endpoint": ENDPOINT,
            "model": self._model.name,
            "input_files": [batch.handle["input_file_id"]],
            "metadata": dict(labels),
            "timeout_hours": int(window[:-1]) * _HOURS[window[-1]],
        }
        return RemoteId(id_of(self._http.json(plain.ORDER, "POST", self._jobs_at, json=order)))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for jobs made from our input, first among those that carry our labels.

        Only the list without that filter proves that there is none.
        """
        labels = labels_of(batch)
        for narrowed in (labels, {}) if labels else ({},):
            alive = {
                id_of(job): job
                for job in self._jobs(batch, narrowed)
                if is_of(batch, _inputs_of(job), job.get("metadata"))
            }
            for stranger in (*batch.dead, *claimed):
                alive.pop(stranger, None)
            if alive:
                return made_of(batch, alive, _rank, _inputs_of)
        return None

    def ask(self, line: bytes) -> bytes:
        """Make one chat completion, as a batch would, and write what came."""
        request = orjson.loads(line)
        body = orjson.dumps({"model": self._model.name, **request["body"]})
        reply = self._http.ask("chat", "/chat/completions", body, REFUSALS_OF_ONE)
        return answer_line(request["custom_id"], reply.status, reply.request_id, reply.content)

    def _jobs(self, batch: Batch, labels: Mapping[str, str]) -> Iterator[Any]:
        """Yield the jobs made since the order, newest first, each once; the whole list.

        Raises:
            ProviderReplyUnreadable: when it cannot be read to its end.
        """
        narrowed = {**labels, "order_by": "-created"}
        if batch.sent_at is not None:
            since = datetime.fromtimestamp(batch.sent_at - CLOCKS_DIFFER, UTC)
            narrowed["created_after"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        listing = self._listing("list", self._jobs_at, narrowed)
        yield from listing
        if not listing.is_whole:
            raise ProviderReplyUnreadable("the list of jobs does not say whether it goes on")

    def _uploaded(self, path: Path, name: str) -> str | None:
        """Return the id of an input file of this name and size, if one arrived."""
        size = path.stat().st_size
        for file in self._listing("list files", "/files", {"purpose": "batch"}):
            if file.get("filename") == name and seconds(file.get("bytes")) == size:
                return id_of(file)
        return None

    def _listing(self, what: str, address: str, params: Mapping[str, str]) -> Listing:
        """Return a list over all its pages, which are numbered from 0.

        It ends where as many were read as it says there are, or at an empty page.
        """

        def ask(number: int, before: int) -> Any:
            paging = {"page": str(number), "page_size": str(PAGE)}
            page = self._http.json(what, "GET", address, params={**paging, **params})
            if page == {"object": "list", "total": 0}:
                page["data"] = []
            rows = page.get("data")
            here = len(rows) if isinstance(rows, list) else 0
            return {**page, "number": number, "read": before + here, "here": here}

        def next_of(page: Any) -> Next:
            total = tally(page.get("total"))
            more = None if total is None or page["here"] >= PAGE else page["read"] < total
            return more, partial(ask, page["number"] + 1, page["read"])

        return Listing(partial(ask, 0, 0), next_of)

    def _progress(self, job: Mapping[str, Any]) -> Progress:
        """Read a job, of which only the id is certain."""
        state = said(job.get("status"), self._service.key)
        named = {"output": job.get("output_file"), "error": job.get("error_file")}
        files = {name: found for name, value in named.items() if (found := word(value))}
        event, message = event_of(state, _errors(job), _ENDED, _RUNNING, has_answers=bool(files))
        return Progress(
            state=state,
            event=event,
            total=tally(job.get("total_requests")),
            completed=tally(job.get("succeeded_requests")),
            failed=tally(job.get("failed_requests")),
            files=files,
            message=None if message is None else said(message, self._service.key),
            rest=_REST.get(state, Outcome.MISSING),
        )


def _inputs_of(job: Mapping[str, Any]) -> list[Any]:
    """Return the files a job was made from; none where it does not say."""
    inputs = job.get("input_files")
    return [name for name in inputs if word(name)] if isinstance(inputs, list) else []


def _rank(job: Mapping[str, Any]) -> tuple[int, int]:
    """Return how far a job is, and then how little it has answered; the lowest is the furthest."""
    answered = tally(job.get("succeeded_requests")) or 0
    with suppress(ValueError):
        return _FURTHEST.index(job.get("status", "")), -answered
    return len(_FURTHEST) + int(job.get("status") == "FAILED"), -answered


def _errors(job: Mapping[str, Any]) -> str | None:
    """Return what a job says went wrong, each with how often."""
    errors = job.get("errors")
    rows = [row for row in errors if isinstance(row, dict)] if isinstance(errors, list) else []
    shown = []
    for row in rows[:3]:
        times = tally(row.get("count")) or 1
        shown.append(told(row.get("message")) + (f" ({times} times)" if times > 1 else ""))
    return "; ".join(shown) or None
