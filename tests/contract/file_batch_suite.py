"""What providers must do that take an uploaded file and speak OpenAI's dialect (Groq, kluster)."""

import io
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import RemoteId
from tests.contract import spoiled as spoil
from tests.contract.conftest import Emulator
from tests.contract.provider_suite import (
    HTML,
    IN_DOUBT,
    LABELS,
    NO_LISTS,
    SPOILED_ORDERS,
    Connect,
    Kit,
    ProviderSuite,
    Serve,
    batch_of,
    error,
    every_verb,
    staged,
    until_ended,
    write_requests,
)
from tests.contract.spoiled import Spoiled, instead, pieces, reply

REMOTE = RemoteId("batch_1")
NAME = "e1-b0001-1.jsonl"
MEGABYTE = 1 << 20
ROW = '{"custom_id":"p1_t1-1","x":"\u2028\u2029\u0085"}\n'.encode()
ROWS = ROW * 40
FILE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
CHUNKED = FILE_HEAD + b"transfer-encoding: chunked\r\n\r\n"
UNSIZED = FILE_HEAD + b"connection: close\r\n\r\n"
SIZED = FILE_HEAD + f"content-length: {len(ROWS)}\r\n\r\n".encode()


def batch_object(**changes: Any) -> dict[str, Any]:
    """Write a batch as the service shows it."""
    times = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelled")
    return {
        "id": str(REMOTE),
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": None,
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "in_progress",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": 1736489775,
        "expires_at": 1736576175,
        "metadata": None,
        **{f"{name}_at": None for name in times},
        "request_counts": {"total": 3, "completed": 1, "failed": 0},
        **changes,
    }


def listing(*objects: dict[str, Any], has_more: bool = False) -> bytes:
    return reply(200, {"object": "list", "data": list(objects), "has_more": has_more})


def client_of(kit: Kit, connect: Connect, server: Any, **more: Any) -> Any:
    return connect(f"{server.url}{kit.prefix}", provider=kit.provider, model=kit.model, **more)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class FileBatchSuite(ProviderSuite):
    """What holds for an uploaded file, one batch made of it, and two result files."""

    @property
    def files(self) -> tuple[str, str]:
        return ("POST", "/.*/files")

    # Uploads

    @pytest.mark.parametrize("name", SPOILED_ORDERS)
    def test_a_doubtful_upload_is_one_file_and_is_adopted(
        self,
        kit: Kit,
        connect: Connect,
        spoiled: Spoiled,
        well: Emulator,
        tmp_path: Path,
        name: str,
    ) -> None:
        how = SPOILED_ORDERS[name]
        path = write_requests(client_of(kit, connect, spoiled), tmp_path)
        file_name = f"{tmp_path.name}.jsonl"
        impatient = client_of(kit, connect, spoiled, timeout=0.3 if how is spoil.slow else 10)
        before = well.files()
        spoiled.spoil(self.files, how)
        with pytest.raises(IN_DOUBT):
            impatient.stage(path, file_name, look_first=False)
        assert spoiled.done.wait(spoil.PATIENCE)
        assert len(spoiled.asked(self.files)) == 1
        assert before + 1 == well.files()
        client = client_of(kit, connect, spoiled)
        handle = client.stage(path, file_name, look_first=True)
        assert len(spoiled.asked(self.files)) == 1
        assert before + 1 == well.files()
        remote = client_of(kit, connect, well).submit(batch_of(path, handle), LABELS)
        assert until_ended(client_of(kit, connect, well), remote).state == "completed"

    def test_only_a_file_of_this_name_and_size_is_adopted(
        self, kit: Kit, connect: Connect, well: Emulator, tmp_path: Path
    ) -> None:
        client = client_of(kit, connect, well)
        path = write_requests(client, tmp_path, count=2)
        name = f"{tmp_path.name}.jsonl"
        first = client.stage(path, name, look_first=True)
        assert first == client.stage(path, name, look_first=True)
        assert first != client.stage(path, f"x{name}", look_first=True)
        path = write_requests(client, tmp_path, count=3)
        second = client.stage(path, name, look_first=True)
        assert first != second
        assert second == client.stage(path, name, look_first=True)
        assert second != client.stage(path, name, look_first=False)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
    def test_a_refused_upload_is_refused(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, status: int
    ) -> None:
        stub = server()
        stub.spoil(self.files, instead(reply(status, error("Too big."))))
        with pytest.raises(ProviderRefused, match=r"Too big\."):
            every_verb(client_of(kit, connect, stub), tmp_path)["stage"]()

    @pytest.mark.parametrize("raw", NO_LISTS.values(), ids=NO_LISTS)
    def test_a_list_of_files_that_is_none_is_unreadable(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, raw: bytes
    ) -> None:
        stub = server()
        stub.spoil(("GET", "/v1/files"), instead(raw))
        client = client_of(kit, connect, stub)
        path = write_requests(client, tmp_path)
        with pytest.raises(ProviderReplyUnreadable):
            client.stage(path, NAME, look_first=True)
        assert stub.asked(self.files) == []

    # Finding

    def test_a_batch_behind_a_hundred_others_is_found(
        self, kit: Kit, connect: Connect, spoiled: Spoiled, tmp_path: Path
    ) -> None:
        client = client_of(kit, connect, spoiled)
        mine, others = staged(client, tmp_path, "a.jsonl"), staged(client, tmp_path, "b.jsonl")
        remote = client.submit(mine, LABELS)
        for _ in range(105):
            client.submit(others, LABELS)
        spoiled.calls.clear()
        assert remote == client.find(mine)
        assert len(spoiled.asked(kit.find)) > 1

    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            (["failed", "validating"], 1),
            (["validating", "in_progress"], 1),
            (["in_progress", "finalizing", "validating"], 1),
            (["finalizing", "completed"], 1),
            (["completed", "in_progress"], 0),
            (["cancelled", "validating"], 1),
            (["failed", "expired"], 1),
            (["failed", "cancelled"], 1),
            (["failed", "never heard of"], 1),
            (["failed", None], 1),
            (["failed"], 0),
            (["dead", "failed"], 1),
            (["dead"], None),
            ([], None),
        ],
    )
    def test_the_furthest_batch_is_found_and_a_dead_one_never(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        tmp_path: Path,
        statuses: list[str | None],
        expected: int | None,
    ) -> None:
        stub = server()
        rows = [
            batch_object(id=f"batch_{n}", status="completed" if status == "dead" else status)
            for n, status in enumerate(statuses)
        ]
        stub.spoil(kit.find, instead(listing(*rows, batch_object(input_file_id="file-2"))))
        client = client_of(kit, connect, stub)
        dead = tuple(f"batch_{n}" for n, status in enumerate(statuses) if status == "dead")
        path = write_requests(client, tmp_path)
        batch = batch_of(path, {"input_file_id": "file-1"}, dead=dead)
        assert (None if expected is None else f"batch_{expected}") == client.find(batch)

    def test_a_list_without_has_more_is_read_until_it_ends(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path
    ) -> None:
        stub = server()
        pages = iter([["batch_8"], ["batch_9"], []])

        def page(deed: spoil.Deed) -> None:
            rows = [batch_object(id=name, input_file_id=f"of-{name}") for name in next(pages)]
            deed.caller.sendall(reply(200, {"object": "list", "data": rows}))

        stub.spoil(kit.find, page)
        client = client_of(kit, connect, stub)
        path = write_requests(client, tmp_path)
        assert client.find(batch_of(path, {"input_file_id": "of-batch_9"})) == "batch_9"
        assert [call.query for call in stub.calls] == [
            "limit=100",
            "limit=100&after=batch_8",
            "limit=100&after=batch_9",
        ]

    @pytest.mark.parametrize(
        "second", [reply(200, []), reply(200, HTML), reply(500, error()), reply(200, {"data": []})]
    )
    def test_half_a_list_proves_nothing(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, second: bytes
    ) -> None:
        stub = server()
        pages = iter([listing(batch_object(input_file_id="file-2"), has_more=True), second])
        stub.spoil(kit.find, lambda deed: deed.caller.sendall(next(pages)))
        client = client_of(kit, connect, stub)
        path = write_requests(client, tmp_path)
        if second == reply(200, {"data": []}):
            assert client.find(batch_of(path, {"input_file_id": "file-1"})) is None
        else:
            with pytest.raises(IN_DOUBT):
                client.find(batch_of(path, {"input_file_id": "file-1"}))

    # The fence

    def test_an_input_that_was_taken_away_cannot_be_ordered(
        self, kit: Kit, connect: Connect, well: Emulator, tmp_path: Path
    ) -> None:
        client = client_of(kit, connect, well)
        batch = staged(client, tmp_path)
        client.fence(batch)
        client.fence(batch)
        with pytest.raises(ProviderRefused, match="No such File"):
            client.submit(batch, LABELS)
        assert client.find(batch) is None

    @pytest.mark.parametrize(
        "raw",
        [
            reply(404, HTML),
            reply(404, b""),
            reply(200, HTML),
            reply(200, {}),
            reply(200, []),
            reply(200, None),
            reply(200, {"id": "file-unknown", "deleted": False}),
            reply(200, {"id": "file-unknown", "deleted": "yes"}),
            reply(500, error()),
            reply(409, error()),
            reply(403, error()),
            reply(204, b""),
        ],
    )
    def test_a_fence_stands_only_when_the_service_says_so(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, raw: bytes
    ) -> None:
        stub = server()
        stub.spoil(("DELETE", "/v1/files/file-unknown"), instead(raw))
        with pytest.raises(ProviderError):
            every_verb(client_of(kit, connect, stub), tmp_path)["fence"]()

    # Polling

    def test_a_batch_that_is_not_known_yet_is_an_error_and_nothing_more(
        self, kit: Kit, connect: Connect, spoiled: Spoiled, tmp_path: Path
    ) -> None:
        client = client_of(kit, connect, spoiled)
        remote = client.submit(staged(client, tmp_path), LABELS)
        answers = iter([instead(reply(404, error(f"No batch {remote}"))), None])

        def first_a_404(deed: spoil.Deed) -> None:
            how = next(answers)
            how(deed) if how else deed.caller.sendall(deed.forward())

        spoiled.spoil(kit.poll, first_a_404)
        with pytest.raises(ProviderError, match="No batch"):
            client.poll(remote)
        assert client.poll(remote).event == "end"

    @pytest.mark.parametrize(
        ("changes", "event", "message"),
        [
            ({"status": "validating"}, "progress", None),
            ({"status": "in_progress"}, "progress", None),
            ({"status": "finalizing"}, "progress", None),
            ({"status": "cancelling"}, "progress", None),
            ({"status": "completed"}, "end", None),
            ({"status": "expired"}, "end", None),
            ({"status": "cancelled"}, "end", None),
            ({"status": "pondering"}, "progress", "unknown state 'pondering'"),
            ({"status": None}, "progress", "unknown state 'None'"),
            ({"status": "failed"}, "refused", "failed, and no reason given"),
        ],
    )
    def test_every_status_has_a_meaning(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        changes: dict[str, Any],
        event: str,
        message: str | None,
    ) -> None:
        progress = self.polled(kit, connect, server, **changes)
        assert (event, message) == (progress.event, progress.message)
        assert str(changes["status"]) == progress.state

    @pytest.mark.parametrize("is_bare", [False, True])
    @pytest.mark.parametrize(
        ("code", "event"),
        [
            ("token_limit_exceeded", "deferred"),
            ("invalid_json_line", "refused"),
            (None, "refused"),
        ],
    )
    def test_a_failed_batch_says_why(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        is_bare: bool,
        code: str | None,
        event: str,
    ) -> None:
        rows = [{"code": code, "message": "This line is bad.\n\x1b[2J", "param": None, "line": 1}]
        errors = rows if is_bare else {"object": "list", "data": rows}
        progress = self.polled(kit, connect, server, status="failed", errors=errors)
        assert event == progress.event
        assert f"{code or 'no reason given'}: This line is bad. [2J" == progress.message

    def test_odd_values_are_coerced_or_left_out(
        self, kit: Kit, connect: Connect, server: Serve
    ) -> None:
        progress = self.polled(
            kit,
            connect,
            server,
            status="completed",
            expires_at="1736576175",
            output_file_id="file-2",
            error_file_id="",
            request_counts={"total": "3", "completed": 2, "failed": -1},
        )
        assert progress.expires_at == 1736576175.0
        assert progress.files == {"output": "file-2"}
        assert (progress.total, progress.completed, progress.failed) == (3, 2, None)
        for odd in (10**400, "inf", "nan", [], {}, "soon", None):
            progress = self.polled(
                kit, connect, server, expires_at=odd, request_counts=odd, output_file_id=odd
            )
            assert progress.expires_at is None
            assert progress.total is None
        bare = {"id": str(REMOTE), "status": "in_progress"}
        stub = server()
        stub.spoil(kit.poll, instead(reply(200, bare)))
        progress = client_of(kit, connect, stub).poll(REMOTE)
        assert (progress.event, progress.files) == ("progress", {})

    def test_a_reply_about_another_batch_is_unreadable(
        self, kit: Kit, connect: Connect, server: Serve
    ) -> None:
        with pytest.raises(ProviderReplyUnreadable):
            self.polled(kit, connect, server, id="batch_2")

    def polled(self, kit: Kit, connect: Connect, server: Serve, **changes: Any) -> Any:
        stub = server()
        stub.spoil(kit.poll, instead(reply(200, batch_object(**changes))))
        return client_of(kit, connect, stub).poll(REMOTE)

    # Downloads

    @pytest.mark.parametrize(
        ("raw", "then"),
        [
            pytest.param([SIZED, ROWS[:-9]], None, id="short of its length"),
            pytest.param([CHUNKED, chunk(ROWS)], None, id="chunks without an end"),
            pytest.param([CHUNKED, b"fff\r\n", ROW], None, id="half a chunk"),
            pytest.param([CHUNKED, chunk(ROWS), b"x\r\n"], None, id="no chunk"),
            pytest.param([SIZED, ROWS[:-9]], spoil.reset, id="reset"),
            pytest.param([SIZED, ROWS[:-9]], spoil.silent, id="stuck"),
        ],
    )
    def test_a_broken_download_says_so(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        raw: list[bytes],
        then: spoil.Spoil | None,
    ) -> None:
        stub = server()
        stub.spoil(kit.download, pieces(raw, then=then or (lambda _: None)))
        client = client_of(kit, connect, stub, timeout=0.3)
        with pytest.raises(ProviderSilent):
            client.download("file-2", io.BytesIO())
        assert len(stub.calls) == 1

    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param([UNSIZED, ROWS], id="whole"),
            pytest.param([CHUNKED, chunk(ROWS), chunk(b"")], id="whole in chunks"),
            pytest.param([SIZED, ROWS + b"more"], id="longer than said"),
            pytest.param([UNSIZED, b"\xef\xbb\xbf\r\n " + ROWS], id="after a mark"),
            pytest.param([UNSIZED, ROWS[: len(ROW) * 7]], id="cut at a line's end"),
            pytest.param([UNSIZED, ROWS[:-9]], id="cut in a line"),
            pytest.param([UNSIZED], id="empty"),
        ],
    )
    def test_a_file_is_stored_byte_for_byte(
        self, kit: Kit, connect: Connect, server: Serve, raw: list[bytes]
    ) -> None:
        stub = server()
        stub.spoil(kit.download, pieces(raw))
        sink = io.BytesIO()
        client_of(kit, connect, stub).download("file-2", sink)
        sent = b"".join(raw[1:])
        expected = ROWS if raw[0] in (CHUNKED, SIZED) else sent
        assert expected == sink.getvalue()
        assert stub.calls[0].headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize("raw", [HTML, b"  \n<html>", b"[]", b"upstream timeout\x1b[2J\n"])
    def test_a_page_in_place_of_a_file_is_not_stored(
        self, kit: Kit, connect: Connect, server: Serve, raw: bytes
    ) -> None:
        stub = server()
        stub.spoil(kit.download, instead(reply(200, raw)))
        sink = io.BytesIO()
        with pytest.raises(ProviderSilent, match="not a result file") as caught:
            client_of(kit, connect, stub).download("file-2", sink)
        assert sink.getvalue() == b""
        assert "\x1b" not in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "expected"), [(404, ProviderRefused), (500, ProviderSilent), (429, ProviderBusy)]
    )
    def test_a_file_that_is_not_there_is_an_error(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        status: int,
        expected: type[ProviderError],
    ) -> None:
        stub = server()
        stub.spoil(kit.download, instead(reply(status, error("No file."))))
        sink = io.BytesIO()
        with pytest.raises(expected, match=r"No file\."):
            client_of(kit, connect, stub).download("file-2", sink)
        assert sink.getvalue() == b""

    def test_a_big_file_is_streamed(self, kit: Kit, connect: Connect, server: Serve) -> None:
        stub = server()
        piece = (ROW * (MEGABYTE // len(ROW) + 1))[:MEGABYTE]
        stub.spoil(kit.download, pieces([UNSIZED, *([piece] * 100)]))
        client = client_of(kit, connect, stub)
        client.download("file-2", Watched())
        stub.spoil(kit.download, pieces([UNSIZED, *([piece] * 100)]))
        sink = Watched()
        client.download("file-2", sink)
        assert sink.size == 100 * MEGABYTE
        assert sink.grown < 30 * MEGABYTE


class Watched(io.RawIOBase):
    """Throws away what it is given, and watches how this process grows."""

    def __init__(self) -> None:
        self.size = self.grown = 0
        self._before = _resident()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        self.grown = max(self.grown, _resident() - self._before)
        return len(data)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
