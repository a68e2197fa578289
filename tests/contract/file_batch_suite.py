"""What providers must do that take an uploaded file and speak OpenAI's dialect (Groq, kluster)."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import RemoteId
from runner.core.twins import Made
from tests.contract import spoiled as spoil
from tests.contract.case import IN_DOUBT, Case, batch_of
from tests.contract.kits.base import HTML
from tests.contract.kits.file_batch import FileBatchKit
from tests.contract.provider_suite import ProviderSuite
from tests.contract.spoiled import instead, pieces, reply

MEGABYTE = 1 << 20
ROW = '{"custom_id":"p1_t1-1","x":"\u2028\u2029\u0085"}\n'.encode()
ROWS = ROW * 40
FILE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
CHUNKED = FILE_HEAD + b"transfer-encoding: chunked\r\n\r\n"
UNSIZED = FILE_HEAD + b"connection: close\r\n\r\n"
SIZED = FILE_HEAD + f"content-length: {len(ROWS)}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class FileBatchSuite(ProviderSuite):
    """What holds for an uploaded file, one batch made of it, and two result files."""

    # Uploads

    def test_only_a_file_of_this_name_and_size_is_adopted(self, case: Case, well: Any) -> None:
        client, name = case.client(well), case.file_name
        path = case.write(2)
        first = client.stage(path, name, look_first=True)
        assert first == client.stage(path, name, look_first=True)
        assert first != client.stage(path, f"x{name}", look_first=True)
        path = case.write(3)
        second = client.stage(path, name, look_first=True)
        assert first != second
        assert second == client.stage(path, name, look_first=True)
        assert second != client.stage(path, name, look_first=False)

    @pytest.mark.parametrize("status", [400, 401, 403, 413, 422])
    def test_a_refused_upload_is_refused(
        self, case: Case, kit: FileBatchKit, server: Any, status: int
    ) -> None:
        stub = server()
        stub.spoil(kit.hand_over, instead(reply(status, kit.error("Too big.", status))))
        with pytest.raises(ProviderRefused, match=r"Too big\."):
            case.every_verb(case.client(stub))["stage"]()

    def test_a_list_of_files_that_is_none_is_unreadable(
        self, case: Case, kit: FileBatchKit, server: Any, subtests: pytest.Subtests
    ) -> None:
        path = case.write()
        for name, raw in kit.no_lists().items():
            stub = server()
            stub.spoil(kit.list_files, spoil.at_most(9, raw))
            with subtests.test(name):
                with pytest.raises(ProviderReplyUnreadable):
                    case.client(stub).stage(path, case.file_name, look_first=True)
                assert stub.asked(kit.hand_over) == []

    # Finding

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
        ids=str,
    )
    def test_the_furthest_batch_is_found_and_a_dead_one_never(
        self,
        case: Case,
        kit: FileBatchKit,
        server: Any,
        statuses: list[str | None],
        expected: int | None,
    ) -> None:
        stub = server()
        rows = [
            kit.batch_object("completed" if status == "dead" else status, id=f"batch_{n}")
            for n, status in enumerate(statuses)
        ]
        other = kit.batch_object("completed", id="batch_99", input_file_id="file-2")
        stub.spoil(kit.find, instead(kit.listing(*rows, other)))
        dead = tuple(f"batch_{n}" for n, status in enumerate(statuses) if status == "dead")
        batch = batch_of(case.write(), kit.unknown_handle, dead=dead)
        found = case.find(case.client(stub), batch)
        assert (None if expected is None else f"batch_{expected}") == found

    def test_batches_from_the_same_input_are_told_and_another_input_is_told_apart(
        self, case: Case, kit: FileBatchKit, server: Any
    ) -> None:
        labels = {"experiment": "x", "batch": "b0001-1"}
        copy = {"input_file_id": "file-2", "metadata": labels}
        rows = [
            kit.batch_object("validating", id="batch_0"),
            kit.batch_object("completed", id="batch_1"),
            kit.batch_object("in_progress", id="batch_2"),
            kit.batch_object("in_progress", id="batch_3", **copy),
            kit.batch_object("in_progress", id="batch_4", **copy | {"metadata": {}}),
            kit.batch_object("in_progress", id="batch_5"),
        ]
        handle = kit.unknown_handle | {"experiment": "x"}
        batch = batch_of(case.write(), handle, remote=RemoteId("batch_0"), dead=("batch_2",))
        stub = server()
        stub.spoil(kit.find, instead(kit.listing(*rows)))
        made = case.client(stub).find(batch, case.path, ("batch_5",))
        assert made == Made(RemoteId("batch_1"), ("batch_0",), ("batch_3",))

    def test_half_a_list_proves_nothing(
        self, case: Case, kit: FileBatchKit, server: Any, subtests: pytest.Subtests
    ) -> None:
        other = kit.batch_object("completed", input_file_id="file-2")
        for second in (reply(200, []), reply(200, HTML), reply(500, kit.error("No.", 500))):
            stub = server()
            pages = iter([kit.listing(other, more=True), second])
            stub.spoil(kit.find, _one_by_one(pages))
            with subtests.test(second), pytest.raises(IN_DOUBT):
                case.find(case.client(stub), batch_of(case.write(), kit.unknown_handle))

    # The fence

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
            reply(409, b"{}"),
            reply(403, b"{}"),
            reply(500, b"{}"),
            reply(204, b""),
        ],
    )
    def test_a_fence_stands_only_when_the_service_says_so(
        self, case: Case, kit: FileBatchKit, server: Any, raw: bytes
    ) -> None:
        if not kit.provider.fences:
            return
        stub = server()
        stub.spoil(kit.delete_file, instead(raw))
        with pytest.raises(ProviderError):
            case.every_verb(case.client(stub))["fence"]()

    # Polling

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
        case: Case,
        kit: FileBatchKit,
        server: Any,
        is_bare: bool,
        code: str | None,
        event: str,
    ) -> None:
        rows = [{"code": code, "message": "This line is bad.\n\x1b[2J", "param": None, "line": 1}]
        errors = rows if is_bare else {"object": "list", "data": rows}
        progress = self.shown(case, kit, server, "failed", errors=errors)
        assert event == progress.event
        assert f"{code or 'no reason given'}: This line is bad. [2J" == progress.message

    def test_a_batch_that_failed_without_a_word_is_refused(
        self, case: Case, kit: FileBatchKit, server: Any
    ) -> None:
        progress = self.shown(case, kit, server, "failed")
        assert (progress.event, progress.message) == ("refused", "failed, and no reason given")

    def test_a_batch_without_a_state_is_running(
        self, case: Case, kit: FileBatchKit, server: Any
    ) -> None:
        progress = self.shown(case, kit, server, None)
        assert (progress.event, progress.message) == ("progress", "unknown state 'None'")

    def test_odd_values_are_coerced_or_left_out(
        self, case: Case, kit: FileBatchKit, server: Any
    ) -> None:
        progress = self.shown(
            case,
            kit,
            server,
            "completed",
            expires_at="1736576175",
            output_file_id="file-2",
            error_file_id="",
            request_counts={"total": "3", "completed": 2, "failed": -1},
        )
        assert progress.expires_at == 1736576175.0
        assert progress.files == {"output": "file-2"}
        assert (progress.completed, progress.failed) == (2, None)
        for odd in (10**400, "inf", "nan", [], {}, "soon", None):
            progress = self.shown(
                case,
                kit,
                server,
                "in_progress",
                expires_at=odd,
                request_counts=odd,
                output_file_id=odd,
            )
            assert progress.expires_at is None
            assert progress.total is None
        bare = {"id": str(kit.unknown), "status": "in_progress"}
        stub = server()
        stub.spoil(kit.poll, instead(reply(200, bare)))
        progress = case.client(stub).poll(kit.unknown)
        assert (progress.event, progress.files) == ("progress", {})

    def shown(
        self, case: Case, kit: FileBatchKit, server: Any, state: str | None, **changes: Any
    ) -> Any:
        stub = server()
        stub.spoil(kit.poll, instead(reply(200, kit.batch_object(state, **changes))))
        return case.client(stub).poll(kit.unknown)

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
        case: Case,
        kit: FileBatchKit,
        server: Any,
        raw: list[bytes],
        then: spoil.Spoil | None,
    ) -> None:
        stub = server()
        stub.spoil(kit.download, pieces(raw, then=then or (lambda _: None)))
        with pytest.raises(ProviderSilent):
            case.client(stub, timeout=0.3).download(kit.unknown_file, io.BytesIO())
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
        self, case: Case, kit: FileBatchKit, server: Any, raw: list[bytes]
    ) -> None:
        stub = server()
        stub.spoil(kit.download, pieces(raw))
        sink = io.BytesIO()
        case.client(stub).download(kit.unknown_file, sink)
        sent = b"".join(raw[1:])
        expected = ROWS if raw[0] in (CHUNKED, SIZED) else sent
        assert expected == sink.getvalue()
        assert stub.calls[0].headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize("raw", [HTML, b"  \n<html>", b"[]", b"upstream timeout\x1b[2J\n"])
    def test_a_page_in_place_of_a_file_is_not_stored(
        self, case: Case, kit: FileBatchKit, server: Any, raw: bytes
    ) -> None:
        stub = server()
        stub.spoil(kit.download, instead(reply(200, raw)))
        sink = io.BytesIO()
        with pytest.raises(ProviderSilent, match="not a result file") as caught:
            case.client(stub).download(kit.unknown_file, sink)
        assert sink.getvalue() == b""
        assert "\x1b" not in str(caught.value)

    def test_a_big_file_is_streamed(self, case: Case, kit: FileBatchKit, server: Any) -> None:
        stub = server()
        piece = (ROW * (MEGABYTE // len(ROW) + 1))[:MEGABYTE]
        client = case.client(stub)
        for size in (2, 60):  # what only the first download needs is not counted
            stub.spoil(kit.download, pieces([UNSIZED, *([piece] * size)]))
            sink = Watched()
            client.download(kit.unknown_file, sink)
            assert sink.size == size * MEGABYTE
        assert sink.grown < 30 * MEGABYTE


def _one_by_one(pages: Iterator[bytes]) -> spoil.Spoil:
    return lambda deed: deed.caller.sendall(next(pages))


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
