"""What Groq's client does in its own way: lists by cursor, windows, and errors in two shapes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import ProviderReplyUnreadable, ProviderSilent
from runner.core.model import Batch, ReplyKind
from runner.providers._file_batch import WindowOptions
from runner.providers.groq import GroqBatch
from runner.run.run import Run
from tests.contract import spoiled as spoil
from tests.contract.case import LABELS, batch_of, staged, write_requests
from tests.contract.kits.base import taken_of
from tests.contract.kits.groq import KITS
from tests.contract.spoiled import Spoiled, instead, reply
from tests.unit.composing import composed

KIT = KITS[0]
NOW = 1795570000.0
Connect = Callable[..., Any]
Serve = Callable[..., Spoiled]


@pytest.fixture
def groq(connect: Connect) -> Callable[[Any], GroqBatch]:
    """Make a client for a server."""

    def made(server: Any) -> GroqBatch:
        client: GroqBatch = connect(f"{server.url}/groq", provider=GroqBatch, model=KIT.model)
        return client

    return made


def row(name: str, age: float = 0, **changes: Any) -> dict[str, Any]:
    """Write a batch in a list, made so many seconds ago."""
    made = int(NOW - age)
    return (
        KIT.batch_object("completed", id=name, input_file_id=f"of-{name}", created_at=made)
        | changes
    )


def rows(count: int, age: float = 0, step: float = 1) -> list[dict[str, Any]]:
    return [row(f"batch_{n}", age + n * step) for n in range(count)]


def pages(*listed: Any) -> spoil.Spoil:
    """Answer one page after the other."""
    left = iter(listed)
    return lambda deed: deed.caller.sendall(reply(200, next(left)))


def page(data: Any, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": data, **more}


def to(cursor: Any) -> dict[str, Any]:
    return {"paging": {"next_cursor": cursor}}


@pytest.fixture
def sought(groq: Any, tmp_path: Path) -> Batch:
    """Return the batch in doubt, which was ordered just now."""
    path = write_requests(GroqBatch(None, KIT.model), tmp_path)  # type: ignore[arg-type]
    return batch_of(path, {"input_file_id": "of-batch_sought"}, sent_at=NOW)


# Lists


def test_cursors_are_followed_to_the_end(groq: Any, server: Serve, sought: Batch) -> None:
    stub = server()
    stub.spoil(
        KIT.find,
        pages(
            page(rows(2), **to("c/1 +")),
            page([row("batch_x")], **to("c2")),
            page([row("batch_sought")], **to(None)),
        ),
    )
    assert taken_of(groq(stub).find(sought, Path(), ())) == "batch_sought"
    assert [call.query for call in stub.calls] == ["", "cursor=c%2F1+%2B", "cursor=c2"]


@pytest.mark.parametrize(
    "last",
    [
        page([row("batch_x")], **to(None)),
        page([row("batch_x")], **to("")),
        page([row("batch_x")], paging={}),
        page([row("batch_x")]),
        page([row("batch_x")], paging=None, has_more=False),
        page([row(f"batch_last_{n}") for n in range(50)]),
        page([], **to(None)),
        page([]),
    ],
)
def test_a_list_that_ends_proves_absence(
    groq: Any, server: Serve, sought: Batch, last: Any
) -> None:
    stub = server()
    stub.spoil(KIT.find, pages(page(rows(30), **to("c1")), last))
    assert groq(stub).find(sought, Path(), ()) is None
    assert len(stub.calls) == 2


@pytest.mark.parametrize(
    "whole",
    [
        page([]),
        page(rows(19)),
        page(rows(19), paging=None),
        page(rows(20), has_more=False),
        page(rows(20), **to(None)),
    ],
)
def test_one_page_that_is_whole_proves_absence(
    groq: Any, server: Serve, sought: Batch, whole: Any
) -> None:
    stub = server()
    stub.spoil(KIT.find, pages(whole))
    assert groq(stub).find(sought, Path(), ()) is None


@pytest.mark.parametrize(
    "listed",
    [
        [page(rows(20))],
        [page(rows(100))],
        [page(rows(20), paging=None)],
        [page(rows(5), has_more=True)],
        [page(rows(5), **to("c1")), page(rows(5), **to("c1"))],
        [page(rows(5), **to("c1")), page([], **to("c2"))],
        [page(rows(5), **to("c1")), []],
        [page(rows(5), **to("c1")), page(None)],
    ],
    ids=lambda listed: f"{len(listed)}-pages",
)
def test_a_list_that_may_go_on_never_proves_absence(
    groq: Any, server: Serve, sought: Batch, listed: list[Any]
) -> None:
    stub = server()
    stub.spoil(KIT.find, pages(*listed))
    with pytest.raises(ProviderReplyUnreadable):
        groq(stub).find(sought, Path(), ())
    assert len(stub.calls) == len(listed)


def test_half_a_list_never_proves_absence(groq: Any, server: Serve, sought: Batch) -> None:
    stub = server()
    answers = iter([reply(200, page(rows(5), **to("c1"))), reply(500, KIT.error("No."))])
    stub.spoil(KIT.find, lambda deed: deed.caller.sendall(next(answers)))
    with pytest.raises(ProviderSilent):
        groq(stub).find(sought, Path(), ())


@pytest.mark.parametrize(
    "listed",
    [
        [page([*rows(40), row("batch_sought")])],
        [page([row("batch_sought")], has_more=True)],
        [page([row("batch_sought")], **to("c1")), page(rows(5), **to("c1"))],
        [page([row("batch_sought")], **to("c1")), []],
    ],
)
def test_what_is_on_half_a_list_is_found(
    groq: Any, server: Serve, sought: Batch, listed: list[Any]
) -> None:
    stub = server()
    stub.spoil(KIT.find, pages(*listed, page(rows(5), **to("c1"))))
    assert taken_of(groq(stub).find(sought, Path(), ())) == "batch_sought"


@pytest.mark.parametrize(
    ("listed", "sent", "is_absent"),
    [
        (rows(20, step=6000), NOW, True),  # newest first, back to 31 hours before the order
        (rows(20, age=90_000), NOW, True),
        (rows(20, step=10), NOW, False),  # all within the time clocks may differ by
        (rows(20, step=6000)[::-1], NOW, False),  # oldest first: the order would come at the end
        ([row(f"batch_{n}", 90_000) for n in range(20)], NOW, False),  # no order to be seen
        (rows(20, step=6000), None, False),
        ([*rows(19, step=6000), row("batch_x", 999_999, created_at="soon")], NOW, False),
        (
            [row(f"batch_{n}", n * 6000, created_at=str(int(NOW - n * 6000))) for n in range(20)],
            NOW,
            True,
        ),
    ],
)
def test_a_long_page_proves_absence_if_it_reaches_back_to_before_the_order(
    groq: Any, server: Serve, sought: Batch, listed: Any, sent: float | None, is_absent: bool
) -> None:
    stub = server()
    stub.spoil(KIT.find, pages(page(listed)))
    batch = replace(sought, sent_at=sent)
    if is_absent:
        assert groq(stub).find(batch, Path(), ()) is None
    else:
        with pytest.raises(ProviderReplyUnreadable, match="does not say whether it goes on"):
            groq(stub).find(batch, Path(), ())


@pytest.mark.parametrize("listed", [page([]), page([{"id": "file_1", "filename": "x"}] * 30)])
def test_an_input_that_no_list_shows_is_uploaded_again(
    groq: Any, server: Serve, well: Any, tmp_path: Path, listed: Any
) -> None:
    front = server(well.url)
    front.spoil(KIT.list_files, instead(reply(200, listed)))
    client = groq(front)
    path = write_requests(client, tmp_path)
    assert client.stage(path, "a.jsonl", look_first=True)["input_file_id"].startswith("file_01")
    assert len(front.asked(KIT.hand_over)) == 1


def test_an_input_on_a_later_page_is_adopted(groq: Any, server: Serve, tmp_path: Path) -> None:
    stub = server()
    client = groq(stub)
    path = write_requests(client, tmp_path)
    ours = {"id": "file_9", "filename": "a.jsonl", "bytes": path.stat().st_size}
    stub.spoil(
        KIT.list_files, pages(page([ours | {"id": "file_1", "bytes": 1}], **to("c1")), page([ours]))
    )
    assert client.stage(path, "a.jsonl", look_first=True) == {"input_file_id": "file_9"}
    assert [call.query for call in stub.calls] == ["", "cursor=c1"]


def test_a_batch_behind_45_others_is_found_after_its_reply_was_lost(
    groq: Any, emulator: Callable[..., Any], tmp_path: Path
) -> None:
    rough = emulator(lost_create_reply=1.0)
    client = groq(rough)
    batch = staged(client, tmp_path, "a.jsonl")
    other = staged(client, tmp_path, "b.jsonl")
    for one in (batch, *([other] * 45)):
        with pytest.raises(ProviderSilent):
            client.submit(one, tmp_path, LABELS)
    found = taken_of(client.find(batch, tmp_path, ()))
    assert found is not None
    assert client.poll(found).event == "end"
    assert rough.batches() == 46


# Batches


@pytest.mark.parametrize("window", ["24h", "7d", None])
def test_the_window_is_asked_for(
    window: str | None, spoiled: Spoiled, tmp_path: Path, hang_up: Callable[[Any], Any]
) -> None:
    service = KIT.service(spoiled.url, "test-key", 10)
    wanted = {} if window is None else {"completion_window": window}
    client = hang_up(GroqBatch(replace(service, options=WindowOptions(**wanted)), KIT.model))
    client.submit(staged(client, tmp_path), tmp_path, LABELS)
    (call,) = spoiled.asked(KIT.create)
    assert f'"completion_window":"{window or "24h"}"'.encode() in call.body


ERRORS = [
    {"code": "invalid_method", "message": "Invalid value: 'GET'.", "param": "method", "line": 4}
]


@pytest.mark.parametrize("errors", [ERRORS, {"object": "list", "data": ERRORS}])
@pytest.mark.parametrize(("state", "event"), [("completed", "end"), ("failed", "refused")])
def test_errors_are_read_in_both_shapes_whatever_became_of_the_batch(
    groq: Any, server: Serve, errors: Any, state: str, event: str
) -> None:
    stub = server()
    shown = KIT.batch_object(state, errors=errors, output_file_id="file_1")
    stub.spoil(KIT.poll, instead(reply(200, shown)))
    progress = groq(stub).poll(KIT.unknown)
    assert (progress.event, progress.files) == (event, {"output": "file_1"})
    assert progress.message == "invalid_method: Invalid value: 'GET'."


@pytest.mark.parametrize("state", ["completed", "expired", "cancelled"])
def test_both_files_of_an_ended_batch_are_named(groq: Any, server: Serve, state: str) -> None:
    stub = server()
    shown = KIT.batch_object(state, output_file_id="file_1", error_file_id="file_2")
    stub.spoil(KIT.poll, instead(reply(200, shown)))
    progress = groq(stub).poll(KIT.unknown)
    assert (progress.event, progress.files) == ("end", {"output": "file_1", "error": "file_2"})


def test_a_line_that_is_no_request_spoils_nobody_elses_answer(
    groq: Any, well: Any, tmp_path: Path
) -> None:
    client = groq(well)
    path = write_requests(client, tmp_path)
    path.write_bytes(path.read_bytes() + b"not json\n")
    handle = client.stage(path, "bad.jsonl", look_first=False)
    remote = client.submit(batch_of(path, handle), path, LABELS)
    progress = client.poll(remote)
    assert (progress.event, progress.total, progress.failed) == ("end", 4, 1)
    assert progress.message == "invalid_json: This line is not parseable as valid JSON."
    with (tmp_path / "raw").open("w+b") as sink:
        client.download(progress.files["output"], sink)
        sink.seek(0)
        assert [client.decode(line).kind for line in sink] == [ReplyKind.ANSWER] * 3


# The fence


def test_a_file_that_cannot_be_deleted_is_no_fence(
    groq: Any, server: Serve, well: Any, tmp_path: Path
) -> None:
    front = server(well.url)
    client = groq(front)
    batch = staged(client, tmp_path)
    front.spoil(KIT.delete_file, instead(reply(404, {"detail": "Not Found"})))
    with pytest.raises(ProviderReplyUnreadable, match="still there"):
        client.fence(batch)
    groq(well).fence(batch)
    client.fence(batch)


# The YAML


@pytest.mark.parametrize("row", KIT.yaml["models"], ids=lambda row: row["match"])
def test_every_model_of_groqs_list_has_a_price_at_half(row: dict[str, Any]) -> None:
    (settings,) = composed(["provider=groq", f"provider.model={row['match']}"])
    prices = Run(settings).prices
    assert prices.batch is not None
    assert prices.realtime is not None
    assert prices.batch.input_usd * 2 == prices.realtime.input_usd > 0
    assert prices.batch.output_usd * 2 == prices.realtime.output_usd > 0
    assert settings.listed
