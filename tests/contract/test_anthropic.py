"""Anthropic's own: the order in one body, the doubt that only results can settle, the version."""

import contextlib
import inspect
import io
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import Batch, Model, Prompt, RemoteId, Reply, ReplyKind, Sampling, Usage
from runner.core.twins import Made
from runner.providers.anthropic import AnthropicBatch
from tests.contract import spoiled as spoil
from tests.contract.case import CANARY, LABELS, Case, batch_of, condition_of, prompt_of
from tests.contract.conftest import Emulator, Start
from tests.contract.kits.anthropic import AnthropicKit
from tests.contract.kits.base import HTML, result_line, taken_of
from tests.contract.spoiled import Call, Spoiled, instead, pieces, reply
from tests.contract.test_wire_golden import Http, Jsonl
from tests.unit.composing import composed
from tests.variants import first

Serve = Callable[..., Spoiled]
KIT = AnthropicKit("anthropic")
AT = 1_750_000_000.0
"""When the batch in doubt was sent."""


@pytest.fixture
def kit() -> AnthropicKit:
    """Name the kit that `case` and `other` are made for."""
    return KIT


def client_of(case: Case, url: str, **changes: Any) -> AnthropicBatch:
    """Make a client for another model than the usual one."""
    service = KIT.service(url, CANARY, 10)
    made: AnthropicBatch = case.hang_up(
        AnthropicBatch(service, replace(KIT.model, **changes), case.tag)
    )
    return made


# What goes out


def line_of(model: Model, temperature: str | None, system: str | None) -> bytes:
    user = '『懐中時計』\u2028を読んで\n答えて\t"ください"。😀\\'
    client = AnthropicBatch(None, model, "c1a2b3c4d-")  # type: ignore[arg-type]
    frame = client.encode(condition_of(temperature), Prompt(system=system, user=user))
    return frame.before + b"p1_t1_temp70_n01" + frame.after


def test_request_lines_are_pinned(snapshot: SnapshotAssertion) -> None:
    parameters = {"top_k": 40, "metadata": {"user_id": "u1"}}
    lines = [
        line_of(KIT.model, "0.7", "あなたは大学１年生です。"),
        line_of(KIT.model, None, "あなたは大学１年生です。"),
        line_of(KIT.model, "0", None),
        line_of(replace(KIT.model, parameters=parameters, max_output_tokens=9), "1.00", None),
    ]
    assert snapshot(extension_class=Jsonl) == b"".join(lines)


def shown(call: Call) -> bytes:
    """Show a request without what differs from one machine, version or day to the next."""
    volatile = ("host", "user-agent", "x-stainless-", "content-length", "accept-encoding")
    rows = {n: v for n, v in call.headers.items() if not n.startswith(volatile)}
    assert rows.pop("authorization") == f"Bearer {CANARY}"
    assert call.headers["x-stainless-retry-count"] == "0"
    path = "/".join("ID" if p.startswith("msgbatch_") else p for p in call.path.split("/"))
    query = f"?{call.query}" if call.query else ""
    lines = [f"{call.method} {path}{query}", *(f"{n}: {rows[n]}" for n in sorted(rows))]
    return "\n".join(lines).encode() + b"\n\n" + call.body + b"\n"


def test_calls_are_pinned(
    case: Case, well: Emulator, server: Serve, snapshot: SnapshotAssertion
) -> None:
    front = server(well.url)
    case.digest = "c0ffee00" * 8
    client = case.client(front)
    batch = case.staged(client, 2)
    assert front.calls == []
    remote = case.submit(client, batch)
    progress, _ = case.collected(client, remote)
    client.cancel(remote)
    client.find(batch, case.path, (str(remote),))
    client.ask(case.path.read_bytes().split(b"\n")[0])
    kinds = dict.fromkeys(shown(call) for call in front.calls)
    assert snapshot(extension_class=Http) == b"\n".join(kinds)
    assert progress.files == {"output": remote}


@pytest.mark.parametrize(
    ("sampling", "version"),
    [
        (Sampling.HONOURED, "2023-06-01"),
        (Sampling.IGNORED, anthropic._constants.ANTHROPIC_API_VERSION),
        (Sampling.REJECTED, anthropic._constants.ANTHROPIC_API_VERSION),
    ],
)
def test_what_the_model_does_with_a_temperature_decides_the_version_of_every_call(
    case: Case, spoiled: Spoiled, sampling: Sampling, version: str
) -> None:
    client = client_of(case, spoiled.url, sampling=sampling)
    case.staged(client, 2)
    case.path.write_bytes(case.path.read_bytes().replace(b',"temperature":0.7', b""))
    for verb, call in {
        "submit": lambda: case.submit(client, batch_of(case.path, {})),
        "find": lambda: client.find(batch_of(case.path, {}), case.path, ()),
        "poll": lambda: client.poll(RemoteId("msgbatch_unknown")),
        "download": lambda: client.download("msgbatch_unknown", io.BytesIO()),
        "cancel": lambda: client.cancel(RemoteId("msgbatch_unknown")),
        "ask": lambda: client.ask(case.path.read_bytes().split(b"\n")[0]),
    }.items():
        spoiled.calls.clear()
        with contextlib.suppress(ProviderError):
            call()
        assert {c.headers["anthropic-version"] for c in spoiled.calls} == {version}, verb


def test_a_setting_of_the_machine_changes_neither_version_nor_key(
    case: Case, spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "anthropic-version: 1999-01-01")
    for name in ("API_KEY", "AUTH_TOKEN", "PROFILE"):
        monkeypatch.setenv(f"ANTHROPIC_{name}", "another")
    client = case.client(spoiled)
    case.submit(client, case.staged(client, 1))
    (call,) = spoiled.calls
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    assert "another" not in call.head.decode()


@pytest.mark.parametrize(
    ("model", "temperature", "answered"),
    [
        ("claude-haiku-4-5", "0", True),
        ("claude-haiku-4-5", "1.0", True),
        ("claude-opus-4-6", "0.35", True),
        ("claude-opus-5-5", None, True),
        ("claude-opus-5-5", "0.7", False),
    ],
)
def test_a_temperature_reaches_the_models_that_honour_it(
    case: Case, well: Emulator, model: str, temperature: str | None, answered: bool
) -> None:
    honours = Sampling.HONOURED if temperature else Sampling.REJECTED
    client = client_of(case, well.url, name=model, sampling=honours)
    frame = client.encode(condition_of(temperature), prompt_of())
    case.path.write_bytes(frame.before + b"x" + frame.after)
    remote = case.submit(client, batch_of(case.path, {}))
    ((found,),) = [case.collected(client, remote)[1]]
    now = client.decode(client.ask(case.path.read_bytes()))
    expected = ReplyKind.ANSWER if answered else ReplyKind.REFUSED
    assert (found.custom_id, found.kind, now.kind) == ("x", expected, expected)
    assert answered or "deprecated" in (found.error or "")


@pytest.mark.parametrize(
    ("model", "sampling"),
    first(
        5,
        [
            ("claude-3-5-haiku-20241022", "honoured"),
            ("claude-opus-4-20250514", "honoured"),
            ("claude-opus-4-1", "honoured"),
            ("claude-sonnet-4-5-20250929", "honoured"),
            ("claude-haiku-4-5", "honoured"),
            ("claude-sonnet-4-6", "honoured"),
            ("claude-opus-4-6", "honoured"),
            ("claude-opus-4-7", "rejected"),
            ("claude-opus-4-8", "rejected"),
            ("claude-opus-5", "rejected"),
            ("claude-sonnet-5-5", "rejected"),
            ("claude-haiku-5-5", "rejected"),
            ("claude-fable-5-2", "rejected"),
            ("claude-mythos-preview", "rejected"),
        ],
    ),
)
def test_the_yaml_knows_which_models_honour_a_temperature(model: str, sampling: str) -> None:
    given = ["provider=anthropic", f"provider.model={model}", "temperatures=null"]
    (settings,) = composed(given)
    assert settings.experiment.model.sampling == sampling


# The order


def test_the_lines_go_out_as_they_are_on_disk(case: Case, spoiled: Spoiled) -> None:
    client = case.client(spoiled)
    remote = case.submit(client, case.staged(client, 7))
    (call,) = spoiled.calls
    assert call.body == (
        b'{"requests":[' + case.path.read_bytes().rstrip(b"\n").replace(b"\n", b",") + b"]}"
    )
    assert call.headers["content-length"] == str(len(call.body))
    assert "transfer-encoding" not in call.headers
    assert call.headers["content-type"] == "application/json"
    ids = [request["custom_id"] for request in json.loads(call.body)["requests"]]
    assert ids == [case.tag + name for name in case.ids]
    assert remote.startswith("msgbatch_")


@pytest.mark.long
def test_an_order_of_any_size_takes_little_memory(case: Case, behaving: Start) -> None:
    client = case.client(behaving(in_progress_seconds=600))
    case.submit(client, case.staged(client, 1))  # the SDK is imported by now
    frame = client.encode(condition_of(), prompt_of("あ" * 1000))
    with case.path.open("wb") as requests:
        for n in range(20_000):
            requests.write(frame.before + b"n%d" % n + frame.after)
    batch = batch_of(case.path, {})
    assert batch.bytes > 60_000_000
    tracemalloc.start()
    try:
        remote = case.submit(client, batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000
    assert client.poll(remote).total == 20_000


@pytest.mark.parametrize(
    "value", ["../../v1/x", "a/b", "a b", "", "x" * 300, "a\n", "鍵", "?", ".."]
)
def test_an_id_that_cannot_be_one_is_a_doubt(case: Case, server: Serve, value: str) -> None:
    stub = server()
    stub.spoil(KIT.create, instead(reply(200, KIT.batch_object("in_progress", id=value))))
    with pytest.raises(ProviderReplyUnreadable):
        case.every_verb(case.client(stub))["submit"]()


def test_a_refusal_in_the_middle_of_a_long_body_is_heard(case: Case, tmp_path: Path) -> None:
    """The service may say 413 before it has read everything, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        talk = threading.Thread(target=_refuse_early, args=(listener,), daemon=True)
        talk.start()
        client = case.client(url)
        case.staged(client, 3)
        case.path.write_bytes(case.path.read_bytes() * 5000)
        with pytest.raises(ProviderRefused, match="too large"):
            case.submit(client, batch_of(case.path, {}))
        talk.join(spoil.PATIENCE)


def _refuse_early(listener: socket.socket) -> None:
    caller, _ = listener.accept()
    with caller:
        caller.recv(1 << 16)
        caller.sendall(reply(413, KIT.error("This is too large.", 413)))
        caller.shutdown(socket.SHUT_WR)
        while caller.recv(1 << 20):
            pass


def test_a_limit_on_spending_is_a_refusal_and_not_a_wait(case: Case, server: Serve) -> None:
    body = KIT.error("You have reached your monthly limit.", 429)
    body["error"]["details"] = {"error_code": "enforced_spend_limit_reached"}
    stub = server()
    stub.spoil(KIT.create, instead(reply(429, body, retry_after="60")))
    with pytest.raises(ProviderRefused, match="monthly limit"):
        case.every_verb(case.client(stub))["submit"]()


# A doubt, and what settles it


class Listing:
    """A server with a list of batches and their results, and nothing else."""

    def __init__(self, serve: Serve, case: Case) -> None:
        self.stub = serve()
        self.case = case
        self.client = case.client(self.stub)
        self.client.stage(case.write(4), "", look_first=False)
        self.batch: Batch = batch_of(case.path, {}, sent_at=AT)
        self.rows: list[dict[str, Any]] = []
        self.date: dict[str, str] = {"date": formatdate(usegmt=True)}

    def has(
        self,
        name: str,
        state: str = "ended",
        results: spoil.Spoil | bytes | None = None,
        *,
        after: float = 1.0,
        **changes: Any,
    ) -> RemoteId:
        """Put a batch of four on the list, made so many seconds after ours was sent."""
        made_at = datetime.fromtimestamp(AT + after, UTC).isoformat()
        counts = {"processing": 0, "succeeded": 4, "errored": 0, "canceled": 0, "expired": 0}
        if state != "ended":
            counts |= {"processing": 4, "succeeded": 0}
        found = {"id": name, "created_at": made_at, "request_counts": counts, **changes}
        self.rows.insert(0, KIT.batch_object(state, **found))
        if results is not None:
            how = results if callable(results) else instead(reply(200, results))
            self.stub.spoil(("GET", f"/anthropic/v1/messages/batches/{name}/results"), how)
        return RemoteId(name)

    def find(self, *claimed: str, **changes: Any) -> RemoteId | None:
        page = reply(200, KIT.page(self.rows), **self.date)
        self.stub.spoil(KIT.find, instead(page))
        self.stub.calls.clear()
        return taken_of(self.client.find(replace(self.batch, **changes), self.case.path, claimed))

    def undecided(self, *claimed: str) -> ProviderUndecided:
        with pytest.raises(ProviderUndecided) as caught:
            self.find(*claimed)
        return caught.value

    def read(self) -> list[str]:
        """Return whose results were asked for."""
        return [call.path.split("/")[-2] for call in self.stub.asked(KIT.download)]

    def ours(self, count: int = 4) -> bytes:
        return b"".join(
            result_line(KIT.answer(self.case.tag + name, "80")) for name in self.case.ids[:count]
        )

    def theirs(self, count: int = 4) -> bytes:
        return b"".join(result_line(KIT.answer(f"run7-{n}", "80")) for n in range(count))


@pytest.fixture
def listing(server: Serve, case: Case) -> Iterator[Listing]:
    made = Listing(server, case)
    yield made
    made.stub.close()


@pytest.mark.parametrize(
    "how", first(1, [spoil.lost, spoil.slow, "500"]), ids=["lost", "slow", "500"]
)
def test_a_lost_reply_is_held_while_the_batch_runs_and_adopted_when_it_ends(
    case: Case, behaving: Start, server: Serve, how: Any
) -> None:
    running = behaving(in_progress_seconds=1.5)
    front = server(running.url)
    client = case.client(front, timeout=0.3 if how is spoil.slow else 10)
    batch = case.staged(client)
    before = running.batches()
    failed = spoil.afterwards(reply(500, KIT.error("No.", 500)))
    front.spoil(KIT.create, failed if how == "500" else how)
    with pytest.raises(ProviderSilent):
        case.submit(client, batch)
    assert front.done.wait(spoil.PATIENCE)
    with pytest.raises(ProviderUndecided) as caught:
        case.client(running).find(batch, case.path, ())
    remote = case.find(case.client(running), batch)
    assert (remote,) == caught.value.candidates
    assert running.batches() == before + 1


def test_a_strangers_batch_of_equal_size_is_told_from_ours(
    case: Case, other: Case, well: Emulator
) -> None:
    client, stranger = case.client(well), other.client(well)
    batch, theirs = case.staged(client, 6), other.staged(stranger, 6)
    first = other.submit(stranger, theirs)
    assert case.find(client, batch) is None
    remote = case.submit(client, batch)
    last = other.submit(stranger, theirs)
    assert case.find(client, batch) == remote
    assert case.find(client, replace(batch, dead=(str(remote),))) is None
    assert other.find(stranger, theirs) == first
    assert KIT.until_found(stranger, theirs, other.path, (str(first),)) == last


def test_of_two_that_are_ours_the_oldest_is_adopted_and_the_other_is_told(listing: Listing) -> None:
    first = listing.has("msgbatch_1", results=listing.ours(), after=1)
    second = listing.has("msgbatch_2", results=listing.ours(), after=2)
    assert listing.find() == first
    assert listing.read() == [first, second]
    assert listing.client.find(listing.batch, listing.case.path, ()) == Made(first, (second,))
    assert listing.find(first) == second
    assert listing.find(second) == first
    assert listing.find(first, second) is None
    assert listing.find(dead=(str(first),)) == second
    assert listing.find(first, dead=(str(second),)) is None
    assert listing.read() == []


@pytest.mark.parametrize("state", ["in_progress", "canceling", "pondering"])
def test_a_batch_that_has_not_ended_is_never_adopted_and_never_ruled_out(
    listing: Listing, state: str
) -> None:
    remote = listing.has("msgbatch_1", state)
    undecided = listing.undecided()
    assert undecided.candidates == (remote,)
    assert str(undecided) == (
        "1 batch at Anthropic could be b0001 (msgbatch_1): it has 4 requests and was made at that "
        "time; when it ends, the custom_ids in its results tell; until then it is not sent again"
    )
    assert listing.read() == []
    assert listing.find(remote) is None


def test_of_several_that_run_all_are_named(listing: Listing) -> None:
    listing.has("msgbatch_0", results=listing.theirs())
    listing.has("msgbatch_1", "in_progress")
    listing.has("msgbatch_2", "canceling", after=2)
    undecided = listing.undecided()
    assert undecided.candidates == ("msgbatch_1", "msgbatch_2")
    assert str(undecided) == (
        "2 batches at Anthropic could be b0001 (msgbatch_1, msgbatch_2): all have 4 requests and "
        "were made at that time; when they end, the custom_ids in their results tell; "
        "until then it is not sent again"
    )


def test_proof_is_enough_whatever_else_is_running(listing: Listing) -> None:
    listing.has("msgbatch_1", "in_progress")
    listing.has("msgbatch_2", results=instead(reply(500)))
    remote = listing.has("msgbatch_3", results=listing.ours())
    assert listing.find() == remote


UNREADABLE: dict[str, spoil.Spoil] = {
    "archived": instead(reply(404, KIT.error("archived", 404))),
    "gone": instead(reply(410, KIT.error("gone", 410))),
    "forbidden": instead(reply(403, KIT.error("no", 403))),
    "busy": instead(reply(429, KIT.error("later", 429))),
    "broken": instead(reply(500, KIT.error("oops", 500))),
    "reset": spoil.reset,
    "a page": instead(reply(200, HTML)),
    "moved": instead(reply(302, location="/elsewhere")),
    "nothing": instead(reply(200, b"")),
    "blank lines": instead(reply(200, b"\n\n\n")),
    "no custom_ids": instead(reply(200, b'{"custom_id": 7}\n{"custom_id": []}\n{"result": {}}\n')),
    "half a line": instead(b'HTTP/1.1 200 OK\r\n\r\n{"custom_id": "run7'),
    "a line cut short": instead(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"custom_id": "r'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_results_that_cannot_be_read_rule_nothing_out(listing: Listing, name: str) -> None:
    remote = listing.has("msgbatch_1", results=UNREADABLE[name])
    undecided = listing.undecided()
    assert undecided.candidates == (remote,)
    assert "msgbatch_1" in str(undecided)
    assert "cannot be read (results: " in str(undecided)
    assert CANARY not in str(undecided)


def odd(listing: Listing) -> dict[str, tuple[bytes, bool]]:
    """Return results of a batch of our size, and whether it is ours."""
    ours, theirs = listing.ours(), listing.theirs()
    ids = [listing.case.tag + name for name in listing.case.ids]
    tagged = result_line(KIT.answer(f"{listing.case.tag}other", "80"))
    untagged = result_line(KIT.answer(listing.case.ids[0], "80"))
    other_tag = result_line(KIT.answer(f"c99999999-{listing.case.ids[0]}", "80"))
    ends = [result_line({"custom_id": name, "result": {"type": "canceled"}}) for name in ids]
    return {
        "ours": (ours, True),
        "ours without a last newline": (ours.rstrip(b"\n"), True),
        "the last of ours only": (ours[ours[:-1].rfind(b"\n") + 1 :], True),
        "all cancelled": (b"".join(ends), True),
        "a new type of result": (result_line({"custom_id": ids[3], "result": {"type": "?"}}), True),
        "behind strangers": (theirs + ours, True),
        "behind nonsense": (b"\n{\n[]\n{}\n\xff\n" + ours, True),
        "a U+2028 before it": (result_line(KIT.answer("x", "a\u2028b")) + ours, True),
        "strangers": (theirs, False),
        "one stranger, the rest lost": (theirs[: theirs.find(b"\n") + 9], False),
        "our tag, not our request": (tagged, False),
        "our request, no tag": (untagged, False),
        "our request, another tag": (other_tag, False),
        "a hundred strangers": (listing.theirs(100) + ours, False),
    }


def test_the_first_results_say_whose_a_batch_is(
    listing: Listing, subtests: pytest.Subtests
) -> None:
    for n, (name, (results, is_ours)) in enumerate(odd(listing).items()):
        listing.rows.clear()
        remote = listing.has(f"msgbatch_{n}", results=results)
        with subtests.test(name):
            assert listing.find() == (remote if is_ours else None)


def test_no_more_of_the_results_is_read_than_is_needed(listing: Listing) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n"
    block = (listing.ours(1) + listing.theirs(1)) * 400
    remote = listing.has("msgbatch_1", results=pieces([head, block], then=spoil.silent))
    began = time.monotonic()
    assert listing.find() == remote
    assert time.monotonic() - began < 5


def test_a_batch_of_another_size_is_not_even_looked_at(listing: Listing) -> None:
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1}
    remote = listing.has("msgbatch_1", results=listing.ours(), request_counts=counts)
    listing.has("msgbatch_2", results=listing.ours(), request_counts=counts | {"expired": 2})
    listing.has("msgbatch_3", "in_progress", request_counts=counts | {"expired": 0})
    assert listing.find(remote) is None
    assert listing.read() == []
    assert listing.find() == remote


@pytest.mark.parametrize(
    "counts",
    [None, {}, "four", {"processing": -4}, {"succeeded": 4.0}, {"succeeded": 3, "paused": 1}],
)
def test_a_size_that_cannot_be_read_rules_nothing_out(listing: Listing, counts: Any) -> None:
    remote = listing.has("msgbatch_1", results=listing.ours(), request_counts=counts)
    assert listing.find() == remote


@pytest.mark.parametrize(
    ("after", "ahead", "is_in_time"),
    [
        (-86_300, 0, True),
        (-86_500, 0, False),
        (90_000, 0, True),
        (-86_800, 600, True),
        (-86_800, 300, False),
        (-86_800, -600, False),
        (-86_300, -600, True),
    ],
)
def test_what_was_made_before_ours_was_sent_is_not_ours_by_the_providers_clock(
    listing: Listing, after: float, ahead: float, is_in_time: bool
) -> None:
    """Our own clock may be ahead; then what was made at once seems to have been made before."""
    theirs = datetime.fromtimestamp(time.time() - ahead, UTC)
    listing.date = {"date": format_datetime(theirs)}
    remote = listing.has("msgbatch_1", results=listing.ours(), after=after)
    assert listing.find() == (remote if is_in_time else None)
    assert bool(listing.read()) is is_in_time


@pytest.mark.parametrize("created_at", [None, "", "yesterday", [], {"at": 7}])
def test_a_time_that_cannot_be_read_rules_nothing_out(listing: Listing, created_at: Any) -> None:
    remote = listing.has("msgbatch_1", results=listing.ours(), created_at=created_at)
    assert listing.find() == remote


@pytest.mark.parametrize("date", [{}, {"date": "soon"}, {"date": "Tue, 99 Nov 2026 03:00:00 GMT"}])
def test_a_reply_without_a_readable_date_is_a_reply(listing: Listing, date: dict[str, str]) -> None:
    listing.date = date
    remote = listing.has("msgbatch_1", results=listing.ours())
    assert listing.find() == remote


def paged(listing: Listing, *pages: bytes) -> None:
    """Answer the list call page after page."""
    rest = list(pages)
    listing.stub.spoil(KIT.find, lambda deed: deed.caller.sendall(rest.pop(0)))


NINE = {"processing": 0, "succeeded": 9, "errored": 0, "canceled": 0, "expired": 0}


def aged(listing: Listing, *ages: float) -> list[dict[str, Any]]:
    listing.rows.clear()
    for age in sorted(ages):
        listing.has(f"msgbatch_{abs(age):g}", after=age, request_counts=NINE)
    return list(listing.rows)


def test_the_list_is_read_to_its_end_or_to_what_is_far_too_old(listing: Listing) -> None:
    ours = listing.has("msgbatch_ours", results=listing.ours(), after=1)
    last = KIT.page(list(listing.rows), more=False)
    first = KIT.page(aged(listing, 500, 400), more=True)
    second = KIT.page(aged(listing, 300, -3700), more=True)
    paged(listing, *(reply(200, page) for page in (first, second, last)))
    assert taken_of(listing.client.find(listing.batch, listing.case.path, ())) == ours
    asked = [call.query for call in listing.stub.asked(KIT.find)]
    assert asked == [
        "limit=1000",
        "after_id=msgbatch_400&limit=1000",
        "after_id=msgbatch_3700&limit=1000",
    ]
    old = KIT.page(aged(listing, 300, -90_100), more=True)
    listing.stub.calls.clear()
    paged(listing, reply(200, old))
    assert listing.client.find(listing.batch, listing.case.path, ()) is None
    assert len(listing.stub.calls) == 1


def test_a_list_that_does_not_say_how_it_goes_on_proves_nothing(
    listing: Listing, subtests: pytest.Subtests
) -> None:
    rows = aged(listing, 300, 200)
    for has_more in (None, "perhaps", 7, [], {}):
        with subtests.test(has_more=has_more):
            paged(listing, reply(200, {**KIT.page(rows), "has_more": has_more}))
            with pytest.raises(ProviderReplyUnreadable):
                listing.client.find(listing.batch, listing.case.path, ())
    page = reply(200, KIT.page(rows, more=True))
    for name, second in {"again": page, "empty": reply(200, KIT.page([], more=True))}.items():
        with subtests.test(name):
            paged(listing, page, second)
            with pytest.raises(ProviderReplyUnreadable):
                listing.client.find(listing.batch, listing.case.path, ())


def test_there_is_nothing_to_fence(case: Case) -> None:
    assert not AnthropicBatch.fences
    with pytest.raises(ProviderRefused):
        case.offline().fence(batch_of(case.write(1), {}))


# How a batch stands


def polled(case: Case, server: Serve, state: str, headers: dict[str, str], **changes: Any) -> Any:
    stub = server()
    body = KIT.batch_object(state, **changes)
    stub.spoil(KIT.poll, instead(reply(200, body, **headers)))
    return case.client(stub).poll(KIT.unknown)


def test_while_it_runs_nothing_is_known_but_its_size(case: Case, server: Serve) -> None:
    """The counts of what is done stay at nothing until the end: that is no progress, not 0 %."""
    for state in ("in_progress", "canceling"):
        progress = polled(case, server, state, {"retry_after": "10"})
        assert (progress.total, progress.completed, progress.failed) == (3, None, None)
        assert (progress.wait, progress.files, progress.message) == (10.0, {}, None)
        assert progress.expires_at == datetime(2025, 4, 12, 17, 18, 57, 44758, UTC).timestamp()
    assert polled(case, server, "in_progress", {}).wait is None


def test_when_it_has_ended_whatever_did_not_succeed_failed(case: Case, server: Serve) -> None:
    counts = {"processing": 0, "succeeded": 5, "errored": 1, "canceled": 2, "expired": 3}
    progress = polled(case, server, "ended", {"retry_after": "10"}, request_counts=counts)
    assert (progress.total, progress.completed, progress.failed) == (11, 5, 6)
    assert (progress.wait, progress.files) == (None, {"output": KIT.unknown})


@pytest.mark.parametrize("counts", [None, {}, [], "many", {"succeeded": "5"}, {"succeeded": -1}])
def test_counts_that_cannot_be_read_are_not_known(case: Case, server: Serve, counts: Any) -> None:
    progress = polled(case, server, "ended", {}, request_counts=counts)
    assert (progress.event, progress.total, progress.failed) == ("end", None, None)


def test_results_that_are_gone_are_said_to_be_and_since_when(case: Case, server: Serve) -> None:
    with pytest.raises(ProviderRefused, match=r"gone since 2025-05-10 .* kept for 29 days"):
        polled(case, server, "ended", {}, archived_at="2025-05-10T17:18:57.044758+00:00")


# The results


def test_the_key_goes_to_no_address_that_a_reply_names(
    case: Case, emulator: Start, server: Serve
) -> None:
    stranger, front = server(), server(emulator().url)
    client = case.client(front)
    remote = case.submit(client, case.staged(client))
    for address in (f"{stranger.url}/x", "//127.0.0.1:9/x", "/elsewhere", "x", 7):
        ended = KIT.batch_object("ended", id=str(remote), results_url=address)
        front.spoil(KIT.poll, instead(reply(200, ended)))
        sink = io.BytesIO()
        client.download(client.poll(remote).files["output"], sink)
        assert sink.getvalue().count(b"\n") == len(case.ids)
        case.find(client, batch_of(case.path, {}))
    assert stranger.calls == []
    assert {call.path for call in front.asked(KIT.download)} == {
        f"/anthropic/v1/messages/batches/{remote}/results"
    }
    for call in front.asked(KIT.download):
        assert call.headers["accept-encoding"] == "identity"
        assert call.headers["accept"] == "application/binary"


def test_a_file_id_is_one_step_of_the_path_and_no_more(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(("GET", ".*"), instead(reply(200, b'{"a": 1}\n')))
    case.client(stub).download("../../../x?y=#", io.BytesIO())
    (call,) = stub.calls
    assert call.path == "/anthropic/v1/messages/batches/..%2F..%2F..%2Fx%3Fy%3D%23/results"


# What comes back

RECORDED = """\
{"custom_id":"c1a2b3c4d-0","result":{"type":"succeeded","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-3-5-sonnet-20241022","content":[{"type":"text","text":"Q1. 80"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":278}}}}
{"custom_id":"c1a2b3c4d-1","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"temperature: Extra inputs are not permitted"},"request_id":"req_01"}}}
{"custom_id":"c1a2b3c4d-2","result":{"type":"canceled"}}
{"custom_id":"c1a2b3c4d-3","result":{"type":"expired"}}
"""
"""A line as recorded in 2025, and three as documented."""


def decode(result: Any, custom_id: str = "c1a2b3c4d-x") -> Reply:
    client = AnthropicBatch(None, KIT.model, "c1a2b3c4d-")  # type: ignore[arg-type]
    line = json.dumps({"custom_id": custom_id, "result": result}, ensure_ascii=False)
    return client.decode(line.encode("utf-8", "surrogatepass"))


def answered(**message: Any) -> Reply:
    known = json.loads(RECORDED.splitlines()[0])["result"]["message"]
    return decode({"type": "succeeded", "message": known | message})


def test_the_vendors_own_lines_are_understood() -> None:
    rows = [json.loads(line) for line in RECORDED.splitlines()]
    found = [decode(row["result"], row["custom_id"]) for row in rows]
    assert found == [
        Reply(
            custom_id="0",
            kind=ReplyKind.ANSWER,
            text="Q1. 80",
            finish_reason="stop",
            model="claude-3-5-sonnet-20241022",
            usage=Usage(input_tokens=11, output_tokens=278),
            request_id="msg_01",
        ),
        Reply(
            custom_id="1",
            kind=ReplyKind.REFUSED,
            request_id="req_01",
            error="invalid_request_error: temperature: Extra inputs are not permitted",
        ),
        Reply(custom_id="2", kind=ReplyKind.CANCELLED, error="canceled"),
        Reply(custom_id="3", kind=ReplyKind.EXPIRED, error="expired"),
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause_turn"),
        ("brand_new", "brand_new"),
        (None, None),
        (7, None),
        (["end_turn"], None),
    ],
)
def test_the_reason_to_stop_is_in_our_words(reason: Any, expected: str | None) -> None:
    assert answered(stop_reason=reason).finish_reason == expected


TEXT = {"type": "text", "text": "Q1. 80"}
THOUGHT = {"type": "thinking", "thinking": "Q1. 20", "signature": "x"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], ""),
        ([TEXT], "Q1. 80"),
        ([THOUGHT, TEXT], "Q1. 80"),
        ([THOUGHT], ""),
        ([TEXT, THOUGHT, TEXT], "Q1. 80Q1. 80"),
        ([{"type": "redacted_thinking", "data": "x"}, TEXT], "Q1. 80"),
        ([{"type": "tool_use", "text": "Q1. 20"}, TEXT], "Q1. 80"),
        ([{"type": "brand_new", "text": "Q1. 20"}, TEXT], "Q1. 80"),
        ([{"text": "Q1. 20"}, TEXT], "Q1. 80"),
        ([{"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 80}], ""),
        ([None, 7, "Q1. 20", ["Q1. 20"], {}, TEXT], "Q1. 80"),
        ([{"type": ["text"], "text": "Q1. 20"}, TEXT], "Q1. 80"),
        ([{"type": "text", "text": "a\u2028b\u0085c\x1c"}], "a\u2028b\u0085c\x1c"),
        ([{"type": "text", "text": "\x00\ud83d"}], "\x00\ud83d"),
    ],
)
def test_the_answer_is_the_text_and_not_the_thinking(content: Any, text: str) -> None:
    assert answered(content=content).text == text


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ([], None),
        ({"input_tokens": 9}, None),
        ({"input_tokens": 9.0, "output_tokens": 4.0}, Usage(input_tokens=9, output_tokens=4)),
        (
            {
                "input_tokens": 9,
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 300,
                "output_tokens": 4,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 15,
                    "ephemeral_1h_input_tokens": 5,
                },
                "output_tokens_details": {"thinking_tokens": 3},
            },
            Usage(
                input_tokens=329,
                output_tokens=4,
                cache_read_tokens=300,
                cache_write_tokens=15,
                cache_write_1h_tokens=5,
            ),
        ),
        (
            {"input_tokens": 9, "output_tokens": 4, "cache_creation_input_tokens": 20},
            Usage(input_tokens=29, output_tokens=4, cache_write_tokens=20),
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 4,
                "cache_creation_input_tokens": None,
                "cache_creation": {"ephemeral_1h_input_tokens": 5},
            },
            Usage(input_tokens=14, output_tokens=4, cache_write_1h_tokens=5),
        ),
        ({"input_tokens": 9, "cache_read_input_tokens": None, "output_tokens": "4"}, None),
        ({"input_tokens": 9, "cache_read_input_tokens": "3", "output_tokens": 4}, None),
        ({"input_tokens": 2**53 - 1, "cache_read_input_tokens": 2, "output_tokens": 1}, None),
        ({"input_tokens": -9, "output_tokens": 1}, None),
        ({"input_tokens": 9, "output_tokens": 1.5}, None),
    ],
)
def test_what_a_cache_had_or_took_is_input_too(usage: Any, expected: Usage | None) -> None:
    assert answered(usage=usage).usage == expected


NO_CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans."


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("invalid_request_error", "m", ReplyKind.REFUSED),
        ("authentication_error", "m", ReplyKind.DENIED),
        ("permission_error", "m", ReplyKind.DENIED),
        ("not_found_error", "m", ReplyKind.DENIED),
        ("request_too_large", "m", ReplyKind.REFUSED),
        ("api_error", "m", ReplyKind.ERRORED),
        ("overloaded_error", "m", ReplyKind.ERRORED),
        ("rate_limit_error", "m", ReplyKind.ERRORED),
        ("timeout_error", "m", ReplyKind.ERRORED),
        ("brand_new_error", "m", ReplyKind.ERRORED),
        ("billing_error", "m", ReplyKind.DENIED),
        ("invalid_request_error", NO_CREDIT, ReplyKind.DENIED),
    ],
)
def test_an_error_says_whether_to_ask_again(kind: str, message: str, expected: ReplyKind) -> None:
    """Without money nothing can be asked, which is not the request's fault."""
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    found = decode({"type": "errored", "error": error})
    assert (found.kind, found.error, found.request_id) == (expected, f"{kind}: {message}", "req_1")


@pytest.mark.parametrize(
    "error", [None, 7, [], {}, {"error": None}, {"error": {"type": ["x"], "message": {"a": 1}}}]
)
def test_an_error_that_says_nothing_is_one_to_ask_again(error: Any) -> None:
    found = decode({"type": "errored", "error": error})
    assert (found.kind, found.error) == (
        ReplyKind.ERRORED,
        "no reason given: no reason given",
    )


def test_results_in_any_order_and_more_than_once_come_home(case: Case, behaving: Start) -> None:
    rough = behaving(shuffle=True, duplicate_lines=0.3, unknown_lines=0.3)
    client = case.client(rough)
    remote = case.submit(client, case.staged(client, 50))
    _, replies = case.collected(client, remote)
    assert {r.custom_id for r in replies if r.custom_id in case.ids} == set(case.ids)
    strangers = [r.custom_id for r in replies if r.custom_id not in case.ids]
    assert strangers
    assert all(name.startswith("?stranger-") for name in strangers)


# One request, now


def asked_of(case: Case, server: Serve, raw: bytes) -> tuple[AnthropicBatch, bytes]:
    stub = server()
    stub.spoil(KIT.ask, instead(raw))
    return case.client(stub), case.write(1).read_bytes()


def test_a_message_over_several_lines_becomes_one_line(case: Case, server: Serve) -> None:
    message = KIT.answer("x", "a\nb\u2028c\ud83d")["result"]["message"]
    body = json.dumps(message, indent=2).replace("\n", "\r\n").encode()
    client, line = asked_of(case, server, reply(200, body, content_type="application/json"))
    result = client.ask(line)
    assert result.count(b"\n") == 1
    found = client.decode(result)
    assert (found.custom_id, found.text) == (case.ids[0], "a\nb\u2028c\ud83d")


def test_exactly_the_params_are_sent(case: Case, spoiled: Spoiled) -> None:
    line = case.write(1).read_bytes()
    case.client(spoiled).ask(line)
    (call,) = spoiled.asked(KIT.ask)
    assert json.loads(call.body) == json.loads(line)["params"]
    assert call.headers["content-length"] == str(len(call.body))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_of_its_own_is_refused_by_its_result(
    case: Case, server: Serve, status: int
) -> None:
    client, line = asked_of(case, server, reply(status, KIT.error("Not this one.", status)))
    found = client.decode(client.ask(line))
    assert (found.custom_id, found.kind) == (case.ids[0], ReplyKind.REFUSED)
    assert "Not this one." in (found.error or "")
    assert found.request_id == "req_011CX"


@pytest.mark.parametrize(
    "error",
    [
        {"type": "invalid_request_error", "message": NO_CREDIT},
        {"type": "billing_error", "message": "No."},
        {"type": "authentication_error", "message": "No."},
        {"type": "permission_error", "message": "No."},
        {"message": "No."},
        {
            "type": "invalid_request_error",
            "message": "No.",
            "details": {"error_code": "organization_on_hold"},
        },
    ],
)
def test_what_is_wrong_with_the_account_is_not_the_requests_fault(
    case: Case, server: Serve, error: Any
) -> None:
    body = {"type": "error", "error": error, "request_id": "req_1"}
    client, line = asked_of(case, server, reply(400, body))
    with pytest.raises(ProviderRefused):
        client.ask(line)


# What the SDK may raise

MEANING: dict[str, type[ProviderError]] = {
    "APIConnectionError": ProviderSilent,
    "APIError": ProviderSilent,
    "APIResponseValidationError": ProviderReplyUnreadable,
    "APITimeoutError": ProviderSilent,
    "APIWebhookValidationError": ProviderSilent,
    "AnthropicError": ProviderSilent,
    "CredentialsError": ProviderSilent,
    "IdentityTokenFileError": ProviderSilent,
    "RetryableError": ProviderSilent,
    "WorkloadIdentityError": ProviderSilent,
}
"""What is new in the SDK may come after the request was sent: unknown means in doubt."""
REQUEST = httpx2.Request("POST", "https://api.anthropic.com/v1/messages/batches")


def exceptions() -> dict[str, type[BaseException]]:
    modules = (anthropic, anthropic._exceptions)
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).copy().items()
        if inspect.isclass(thing) and issubclass(thing, BaseException)
        if not issubclass(thing, Warning)
    }


def meaning(case: Case, error: BaseException) -> ProviderError:
    with (
        pytest.raises(ProviderError) as caught,
        case.client("https://127.0.0.1")._speaking("try"),
    ):
        raise error
    return caught.value


def test_no_exception_of_the_sdk_is_new() -> None:
    found = exceptions()
    by_status = {n for n, kind in found.items() if issubclass(kind, anthropic.APIStatusError)}
    assert set(MEANING) == set(found) - by_status


@pytest.mark.parametrize("name", MEANING)
def test_an_exception_of_the_sdk_has_its_meaning(case: Case, name: str) -> None:
    kind: Any = exceptions()[name]
    response = httpx2.Response(200, request=REQUEST)
    made = {
        "APIConnectionError": lambda: kind(request=REQUEST),
        "APIError": lambda: kind("No.", REQUEST, body=None),
        "APIResponseValidationError": lambda: kind(response, None),
        "APITimeoutError": lambda: kind(REQUEST),
        "APIWebhookValidationError": lambda: kind("No.", REQUEST, body=None),
    }
    error = made.get(name, lambda: kind("No."))()
    assert type(meaning(case, error)) is MEANING[name]


def test_every_status_has_a_meaning(case: Case) -> None:
    found = {}
    for status in [*range(300, 600), 999]:
        response = httpx2.Response(status, json=KIT.error("No.", status), request=REQUEST)
        error = anthropic.APIStatusError("No.", response=response, body=None)
        found[status] = type(meaning(case, error))
    assert {429} == {s for s, kind in found.items() if kind is ProviderBusy}
    refused = {s for s, kind in found.items() if kind is ProviderRefused}
    assert {400, 401, 402, 403, 404, 405, 413, 415, 422} == {s for s in refused if s >= 400}


def test_labels_go_nowhere(case: Case, spoiled: Spoiled) -> None:
    """There is no place for them; what is ours is told by the custom_ids."""
    client = case.client(spoiled)
    case.submit(client, case.staged(client, 1))
    assert all(label.encode() not in spoiled.calls[0].body for label in LABELS.values())
