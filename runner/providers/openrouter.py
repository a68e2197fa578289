"""OpenRouter's batches: the requests travel with the order, one model and one upstream a batch.

A batch there has no name and no metadata, and its results come inside of it. Wire facts:
openrouter.ai/docs/guides/features/batch-api, and the package openrouter 1.3.84, against which the
emulator is held. A batch is asked for as MODEL:batch (docs.rs/openrouter-batch, tried 2026-08-29).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import orjson

from runner.core.charged import charged
from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Model,
    Progress,
    Prompt,
    RemoteId,
    Reply,
)
from runner.core.states import BatchEvent, Outcome
from runner.core.twins import Made
from runner.providers._array import split
from runner.providers._chat import (
    ENDPOINT,
    REFUSALS_OF_ONE,
    SETTLED,
    answer_line,
    chat_body,
    read_line,
)
from runner.providers._chat_reply import usd_charged
from runner.providers._dialects import OPENROUTER
from runner.providers._file_batch import REST, event_of
from runner.providers._found_by_size import (
    LINES_LOOKED_AT,
    Listed,
    Page,
    any_is_ours,
    found,
    length_of,
    made_since,
    order_of,
    remote_id,
    seconds_ahead,
)
from runner.providers._lines import seconds, tally, told, word
from runner.providers._speaking import retry_after
from runner.providers._status import json_object
from runner.providers.base import DayOptions, Frame, Service, missing_key, said, untagged
from runner.providers.plain import ORDER, PlainClient

ANY: Final = "any"
"""Stands for whichever upstream is cheapest; said on purpose, not by saying nothing."""
_FOR_BATCHES: Final = ":batch"
_PAGE: Final = 100
_OVER: Final = frozenset({"completed", "expired", "cancelled"})
_CLOSING: Final = b"]}"
_NO_CANCEL: Final = "OpenRouter cannot cancel a batch: it runs on to its end, and is billed"
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_NO_PIN: Final = (
    "no upstream: name who is to answer, as provider.only=[anthropic] (upstreams may run one model "
    f"in different precisions), or say provider.only=[{ANY}] for whichever is cheapest"
)


@dataclass(frozen=True, kw_only=True)
class OpenRouterOptions(DayOptions):
    """Whose model it is to be."""

    asked: ClassVar[tuple[str, ...]] = ("only",)
    only: list[str] = field(default_factory=list)
    """Upstreams, as OpenRouter calls them; one word, `any`, for whichever is cheapest."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is no upstream's name."""
        for name in self.only:
            if _SLUG.fullmatch(name) is None or (name == ANY and len(self.only) > 1):
                yield "only", f"{name!r}; allowed: names of upstreams, as anthropic, or {ANY} alone"

    def way(self, again: str) -> str:
        """Say how a batch is run, and by whom."""
        alone = (
            f"{' or '.join(self.only)} alone" if self.only else "whom provider.only=[…] has to name"
        )
        by = "whichever upstream is cheapest" if self.only == [ANY] else alone
        return f"{super().way(again)}, answered by {by}"

    def emulated(self) -> "OpenRouterOptions":
        """Return an upstream of the emulator's own, where none is named."""
        return OpenRouterOptions(only=self.only or ["emulated"])

    @property
    def routing(self) -> JsonObject:
        """What a request says of who may answer it."""
        if self.only in ([], [ANY]):
            return {}
        return {"provider": {"only": self.only, "allow_fallbacks": False}}


class OpenRouterBatch(PlainClient):
    """The client."""

    Options: ClassVar[type[OpenRouterOptions]] = OpenRouterOptions
    dialect = OPENROUTER
    default_base_url: ClassVar[str] = "https://openrouter.ai/api/v1"
    base_url_variable: ClassVar[str] = "OPENROUTER_BASE_URL"
    key_variable: ClassVar[str] = "OPENROUTER_API_KEY"
    settled: ClassVar[Mapping[str, str]] = {
        **SETTLED,
        "provider": "use provider.only=[…]",
        "route": "use provider.only=[…]",
    }
    fences: ClassVar[bool] = False
    tells_inputs: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    found_by_size: ClassVar[bool] = True

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        super().__init__(service, model, tag)
        self._not_cancelled: set[RemoteId] = set()

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        pin = None if service.told(OpenRouterOptions).only else _NO_PIN
        return "; ".join(filter(None, (pin, missing_key(service)))) or None

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition; its model is the batch's."""
        body = chat_body(self._model, condition, prompt)
        del body["model"]
        before = b'{"custom_id":"' + self._tag.encode()
        return Frame(before=before, after=b'","body":' + orjson.dumps(body) + b"}\n")

    def decode(self, line: bytes) -> Reply:
        """Read one of the results."""
        reply = read_line(line)
        reply.custom_id = untagged(reply.custom_id, self._tag)
        return reply

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Hand over nothing: the requests travel with the order."""
        return {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch, its request file streamed into the body; sent once."""
        opening, size = self._opening(), path.stat().st_size
        headers = {
            "Content-Type": "application/json",
            "Content-Length": length_of(opening, size, _CLOSING),
        }
        with path.open("rb") as requests:
            body = order_of(opening, requests, size, _CLOSING)
            created = self._http.json(ORDER, "POST", "/batches", content=body, headers=headers)
        return _remote_of(created)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for batches of our size made since, with our custom_ids in their results."""
        known = {*claimed, *batch.dead}
        made = list(made_since(batch.sent_at or 0.0, self._page_after))
        candidates = (other for other in made if other.remote not in known)
        return found(batch, path, candidates, where="OpenRouter", holds=self._holds)

    def fence(self, batch: Batch) -> None:
        """Refuse: there is no input that could be taken away."""
        raise ProviderRefused("a batch at OpenRouter has no input that could be taken away")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch; its results, if they are there, are passed over."""
        shown, wait = self._read("retrieve", remote, lambda _: None)
        if _remote_of(shown) != remote:
            raise ProviderReplyUnreadable("the reply is about another batch")
        progress = self._progress(shown, wait)
        if progress.event == BatchEvent.PROGRESS and remote in self._not_cancelled:
            progress = replace(progress, message=_NO_CANCEL)
        return progress

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write the results, a line each, as they come."""

        def write(result: bytes) -> None:
            sink.write(result + b"\n")

        shown, _ = self._read("download", file_id, write)
        if not isinstance(shown.get("results"), list):
            raise ProviderReplyUnreadable("download: a batch without results")

    def cancel(self, remote: RemoteId) -> None:
        """Do nothing: there is no such call, and to delete a batch would lose its answers.

        It is said with the next poll; the batch runs to its end and is collected.
        """
        self._not_cancelled.add(remote)

    def ask(self, line: bytes) -> bytes:
        """Make one chat completion and write what came as a batch would."""
        request = orjson.loads(line)
        body = {"model": self._base, **request["body"], **self._routing}
        reply = self._http.ask("chat", "/chat/completions", orjson.dumps(body), REFUSALS_OF_ONE)
        return answer_line(request["custom_id"], reply.status, reply.request_id, reply.content)

    # -- What the calls are made with

    @property
    def _base(self) -> str:
        """The model's name as it is asked one by one."""
        return self._model.name.removesuffix(_FOR_BATCHES)

    @property
    def _routing(self) -> JsonObject:
        return self._service.told(OpenRouterOptions).routing

    def _opening(self) -> bytes:
        """Return all that stands before the first request: the service reads it first."""
        head = {"endpoint": ENDPOINT, "model": self._base + _FOR_BATCHES}
        head |= {"completion_window": "24h", **self._routing}
        return orjson.dumps(head).removesuffix(b"}") + b',"requests":['

    def _page_after(self, last: RemoteId | None) -> Page:
        query = {"limit": _PAGE} | ({} if last is None else {"after": last})
        with self._http.stream("list", "GET", "/batches", params=query) as response:
            page = json_object(response.read())
            ahead = seconds_ahead(response.headers)
        rows = None if page is None else page.get("data")
        if page is None or not isinstance(rows, list):
            raise ProviderReplyUnreadable("a list that is none")
        return Page([_listed(row) for row in rows], page.get("has_more"), ahead)

    def _holds(self, ours: Collection[str], remote: RemoteId) -> bool:
        """Tell by its results whether a batch that has ended holds our requests."""
        first: list[bytes] = []

        def keep(result: bytes) -> None:
            if len(first) < LINES_LOOKED_AT:
                first.append(result)

        self._read("results", remote, keep)
        return any_is_ours(ours, first)

    def _read(
        self, what: str, remote: str, each: Callable[[bytes], object]
    ) -> tuple[JsonObject, float | None]:
        """Read a batch, hand over its results one by one, and return the rest of it."""
        with self._http.stream(what, "GET", f"/batches/{remote}") as response:
            shown = json_object(split(response.iter_bytes(1 << 16), "results", each))
            wait = retry_after(response.headers)
        if shown is None:
            raise ProviderReplyUnreadable(f"{what}: a reply that is no JSON object")
        return shown, wait

    def _progress(self, batch: JsonObject, wait: float | None) -> Progress:
        """Say how a batch stands, of which only the id is certain."""
        counts = batch.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        state = said(batch.get("status"), self._service.key)
        has_results = isinstance(batch.get("results"), list)
        error = batch.get("error")
        errors = [("error", told(error.get("message")))] if isinstance(error, dict) else []
        event, message = event_of(state, errors)
        is_over = event == BatchEvent.END or (event == BatchEvent.REFUSED and has_results)
        return Progress(
            state=state,
            event=BatchEvent.END if is_over else event,
            total=tally(counts.get("total")),
            completed=tally(counts.get("completed")),
            failed=tally(counts.get("failed")),
            files={"output": _remote_of(batch)} if is_over and has_results else {},
            expires_at=seconds(batch.get("expires_at")),
            message=None if message is None else said(message, self._service.key),
            rest=REST.get(state.lower(), Outcome.MISSING),
            wait=None if is_over else wait,
            charged=_charged(batch.get("usage")),
        )


def _charged(usage: Any) -> dict[str, str]:
    """Return what a batch came to, as its usage says; credits are US dollars."""
    usage = usage if isinstance(usage, dict) else {}
    usd = usd_charged(usage)
    return charged(
        input_tokens=tally(usage.get("prompt_tokens")),
        output_tokens=tally(usage.get("completion_tokens")),
        usd=None if usd is None else Decimal(repr(usd)),
    )


def _remote_of(batch: JsonObject) -> RemoteId:
    return remote_id(word(batch.get("id")) or "")


def _listed(row: Any) -> Listed:
    """Read one row of the list.

    How many requests a batch has is believed when it has any: nothing says that it is counted
    before it was looked through. One that failed before it answered anything cannot be told from
    another's and is billed to nobody.
    """
    if not isinstance(row, dict):
        raise ProviderReplyUnreadable("a list that is none")
    counts = row.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    state, answered = row.get("status"), tally(counts.get("completed")) or 0
    never_ran = state == "failed" and not answered
    return Listed(
        remote=_remote_of(row),
        count=-1 if never_ran else tally(counts.get("total")) or None,
        made_at=seconds(row.get("created_at")),
        is_over=state in _OVER or state == "failed",
        answered=answered,
    )
