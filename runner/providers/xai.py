"""xAI Batch API, over plain HTTP: a container is made first, which is free, and then filled.

Wire facts: docs.x.ai/developers/advanced-api-usage/batch-api (2026-11: a cancelled batch takes no
more requests; what has the same id is processed once), and the names in the types of xai-sdk 1.21,
which speaks gRPC. Not verified, and made harmless: that all of an order is in the container at once
(what is missing there is waited for as what is missing in results).
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import orjson

from runner.core.charged import charged
from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Progress,
    Prompt,
    RemoteId,
    Reply,
)
from runner.core.states import BatchEvent, Outcome
from runner.core.twins import Made
from runner.providers import plain
from runner.providers._chat import HOLE, REFUSALS_OF_ONE, SETTLED, answer_line, chat_body, framed
from runner.providers._chat_reply import read_row
from runner.providers._dialects import CHAT
from runner.providers._lines import json_of, object_of, tally, told, word
from runner.providers._lists import pages_by_token
from runner.providers._orders import custom_ids_in, without_input
from runner.providers._refusals import RPC_STATUSES, number_in
from runner.providers.base import DayOptions, Frame, json_value, said

_BATCHES: Final = "/batches"
_PAGE: Final = 100
_BODY: Final = b',"body":'
_TICKS: Final = 10**10
"""Of a dollar."""
_CANCELLED, _TOO_LATE = 1, 4
"""Of google.rpc.Code."""


class XaiBatch(plain.PlainClient):
    """One container, one order that fills it, and results that come in pages."""

    Options: ClassVar[type[DayOptions]] = DayOptions
    dialect = CHAT
    default_base_url: ClassVar[str] = "https://api.x.ai/v1"
    base_url_variable: ClassVar[str] = "XAI_BASE_URL"
    key_variable: ClassVar[str] = "XAI_API_KEY"
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = False
    """An order has no other batch beside it: whatever is sent twice lands in the one container."""

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return `{"custom_id": …, "body": {…}}`; the order puts the body where it belongs there."""
        body = chat_body(self._model, condition, prompt)
        return framed({"custom_id": HOLE, "body": body})

    def decode(self, line: bytes) -> Reply:
        """Read a result, or the reply to a request that was asked on its own."""
        row = object_of(line)
        return read_row(row if "custom_id" in row else _as_chat(row))

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Make an empty container of this name, or adopt the one that was made."""
        if look_first:
            for known in self._containers():
                if known.get("name") == name:
                    return {"batch_id": _id(known)}
        return {"batch_id": _id(self._http.json("make", "POST", _BATCHES, json={"name": name}))}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Put all requests into the container, in one call; sent once."""
        remote = batch.handle["batch_id"]
        with path.open("rb") as lines:
            body = b'{"batch_requests":[' + b",".join(map(_as_request, lines)) + b"]}"
        call = self._http.stream(
            *(plain.ORDER, "POST", f"{_batch(remote)}/requests"),
            content=body,
            headers={"Content-Type": "application/json"},
        )
        with call as response:
            reply = plain.json_object(response.read())
        if reply is None or (reply and reply.get("batch_id") != remote):
            raise ProviderReplyUnreadable(f"{plain.ORDER}: a reply that does not say yes or no")
        return RemoteId(remote)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look into the container, whose list of requests shows at once what has arrived.

        One that is not known any more, as after a recovery, is found by its name.
        """
        known = batch.handle.get("batch_id")
        names = [known] if known else self._named(batch)
        ours = custom_ids_in(path)
        found = [
            remote
            for remote in names
            if remote not in (*batch.dead, *claimed) and self._holds(remote, ours)
        ]
        return Made(RemoteId(found[0]), apart=tuple(found[1:])) if found else None

    def fence(self, batch: Batch) -> None:
        """Cancel the empty container; an order that still arrives is refused there."""
        remote = batch.handle.get("batch_id")
        if remote is None:
            raise without_input(batch)
        try:
            shown = self._http.json("close the container", "POST", f"{_batch(remote)}:cancel")
        except ProviderRefused as refused:
            shown = self._http.json("look at the container", "GET", _batch(remote))
            if not _is_cancelled(shown):
                raise refused from None
        if _id(shown) != remote or not _is_cancelled(shown):
            raise ProviderReplyUnreadable("the reply does not say that the container was cancelled")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the container: it has no state, only counts."""
        batch = self._http.json("retrieve", "GET", _batch(remote))
        if _id(batch) != remote:
            raise ProviderReplyUnreadable("the reply is about another batch")
        counts = batch.get("state")
        counts = counts if isinstance(counts, dict) else {}
        total, pending = tally(counts.get("num_requests")), tally(counts.get("num_pending"))
        refusal = word(batch.get("cancel_by_xai_message"))
        state, event, message = _stands(total, pending, refusal, cancelled=_is_cancelled(batch))
        errors = [tally(counts.get(name)) for name in ("num_error", "num_cancelled")]
        return Progress(
            state=state,
            event=event,
            total=total,
            completed=tally(counts.get("num_success")),
            failed=None if None in errors else sum(number or 0 for number in errors),
            files={"output": remote} if event == BatchEvent.END else {},
            charged=_charged(batch.get("cost_breakdown")),
            message=None if message is None else said(message, self._service.key),
            rest=Outcome.CANCELLED if state == "cancelled" else Outcome.MISSING,
        )

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write the results, one a line, page by page."""
        address = f"{_batch(file_id)}/results"
        sink.writelines(json_of(row) + b"\n" for row in self._pages("download", address, "results"))

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a refusal of a batch that has ended already is all right."""
        try:
            with self._http.stream("cancel", "POST", f"{_batch(remote)}:cancel"):
                return
        except ProviderRefused:
            if self.poll(remote).event == BatchEvent.PROGRESS:
                raise

    def ask(self, line: bytes) -> bytes:
        """Make one chat completion, its body as in the file, and write what came."""
        request = orjson.loads(line)
        body = orjson.dumps(request["body"])
        reply = self._http.ask("chat", "/chat/completions", body, REFUSALS_OF_ONE)
        return answer_line(request["custom_id"], reply.status, reply.request_id, reply.content)

    def _holds(self, remote: str, ours: Collection[str]) -> bool:
        """Tell whether a container has requests of ours; an empty list has to be borne out.

        Raises:
            ProviderReplyUnreadable: when that cannot be told.
        """
        rows = self._pages("list", f"{_batch(remote)}/requests", "batch_request_metadata")
        if any(_name(row) in ours for row in rows):
            return True
        counts = self._http.json("retrieve", "GET", _batch(remote)).get("state")
        total = tally(counts.get("num_requests")) if isinstance(counts, dict) else None
        if total is None:
            raise ProviderReplyUnreadable("the container does not say how many requests it has")
        return total > 0

    def _named(self, batch: Batch) -> list[str]:
        """Return the containers of an order whose own one is not known."""
        start = f"{batch.handle.get('experiment')}-{batch.key}-"
        return [
            _id(known)
            for known in self._containers()
            if (word(known.get("name")) or "").startswith(start)
        ]

    def _containers(self) -> Iterator[JsonObject]:
        return self._pages("list batches", _BATCHES, "batches")

    def _pages(self, what: str, address: str, name: str) -> Iterator[JsonObject]:
        """Yield the objects of a list over all its pages.

        Raises:
            ProviderReplyUnreadable: when one is none; half a list proves nothing.
        """

        def ask(token: str | None) -> JsonObject:
            paging = {"limit": str(_PAGE)} | ({"pagination_token": token} if token else {})
            with self._http.stream(what, "GET", address, params=paging) as response:
                page = json_value(response.read())
            if not isinstance(page, dict):
                raise ProviderReplyUnreadable(f"{what}: a reply that is no JSON object")
            return page

        return pages_by_token(ask, name)


def _batch(remote: str) -> str:
    return f"{_BATCHES}/{quote(remote, safe='')}"


def _id(batch: Mapping[str, Any]) -> str:
    if found := word(batch.get("batch_id")):
        return found
    raise ProviderReplyUnreadable("a reply without a batch_id")


def _name(row: Mapping[str, Any]) -> str:
    if found := word(row.get("batch_request_id")):
        return found
    raise ProviderReplyUnreadable("a list of requests that names none")


def _charged(costs: Any) -> Mapping[str, str]:
    """Return what a batch has cost; the service counts in ten-billionths of a dollar."""
    ticks = tally(costs.get("total_cost_usd_ticks")) if isinstance(costs, dict) else None
    return charged(usd=Decimal(ticks) / _TICKS) if ticks else {}


def _is_cancelled(batch: Mapping[str, Any]) -> bool:
    return bool(word(batch.get("cancel_time")) or word(batch.get("cancel_by_xai_message")))


def _as_request(line: bytes) -> bytes:
    """Return a line of a request file as an item of the order."""
    head, _, body = line.rstrip(b"\n").partition(_BODY)
    custom_id = head.removeprefix(b'{"custom_id":')
    return b'{"batch_request_id":%b,"batch_request":{"chat_get_completion":%b}}' % (
        custom_id,
        body[:-1],
    )


def _stands(
    total: int | None, pending: int | None, refusal: str | None, *, cancelled: bool
) -> tuple[str, BatchEvent, str | None]:
    """Say in words what the counts say of a container: a state, an event and a message."""
    if total is None or pending is None:
        return "unknown", BatchEvent.PROGRESS, "unknown state: it does not say how much is pending"
    if total == 0 and cancelled:
        return "refused", BatchEvent.REFUSED, refusal or "cancelled before any request was in it"
    if total == 0:
        return "empty", BatchEvent.PROGRESS, None
    if pending:
        return ("cancelling" if cancelled else "running"), BatchEvent.PROGRESS, refusal
    return ("cancelled" if cancelled else "completed"), BatchEvent.END, refusal


def _as_chat(row: JsonObject) -> JsonObject:
    """Return a result in the shape of OpenAI's lines."""
    known: JsonObject = {"custom_id": row.get("batch_request_id")}
    result = row.get("batch_result")
    result = result if isinstance(result, dict) else {}
    response = result.get("response")
    completion = response.get("chat_get_completion") if isinstance(response, dict) else None
    if isinstance(completion, dict) and completion:
        return known | {"response": {"status_code": 200, "body": completion}}
    error = result.get("error")
    fields = error if isinstance(error, dict) else {}
    code = number_in(fields.get("code")) or 0
    reason = word(row.get("error_message")) or word(fields.get("message")) or word(error)
    if not code and not reason:
        return known | {"response": {"body": {}, "rest": response}}
    message = reason or told(None)
    if code == _CANCELLED or (code == _TOO_LATE and "expired" in message.lower()):
        ended = "batch_cancelled" if code == _CANCELLED else "batch_expired"
        return known | {"response": None, "error": {"code": ended, "message": message}}
    if code in RPC_STATUSES:
        body = {"error": {"message": message}}
        return known | {"response": {"status_code": RPC_STATUSES[code], "body": body}}
    return known | {"response": None, "error": {"code": fields.get("code"), "message": message}}
