"""The emulator answers as OpenAI does, checked with OpenAI's own client over a real socket."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import openai
import pytest
from openai import OpenAI
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion

Line = dict[str, Any]
Model = TypeVar("Model", Batch, FileObject, ChatCompletion)
Start = Callable[..., "Emulator"]

ROOT = Path(__file__).resolve().parents[2]
INSTANT: dict[str, Any] = {
    "validating_seconds": 0,
    "in_progress_seconds": 0,
    "finalizing_seconds": 0,
    "malformed": 0,
    "malformed_enhanced": 0,
}
NAMES = ("面白さ", "驚き", "悲しみ", "怒り")
FORM = "".join(
    f"Q{n}. {name}(数値): [0-100]\nQ{n}. {name}(理由): [説明]\n" for n, name in enumerate(NAMES, 1)
)
PROMPT = f"『懐中時計』を読んで答えてください。\n懐中時計がチクタクと動いておりました。\n{FORM}"
CLIENT = OpenAI(api_key="test-key", base_url="http://127.0.0.1:1/v1", max_retries=0)
COMMAND = [sys.executable, "-m", "runner.emulator", "--until-stdin-closes"]


class Emulator:
    """One emulator process and a real client for it."""

    def __init__(self, folder: Path, behaviour: Line, state: Path) -> None:
        """Start it and wait for its one line."""
        written = folder / "behaviour.json"
        written.write_text(json.dumps(behaviour), encoding="utf-8")
        command = [*COMMAND, "--behaviour", str(written), "--state", str(state)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2])
        self.client = CLIENT.with_options(base_url=f"{self.url}/v1")

    def bill(self) -> Line:
        """Ask for the bill."""
        with urlopen(f"{self.url}/emulator/bill") as reply:
            bill: Line = json.load(reply)
        return bill

    def upload(self, content: bytes, name: str = "run-1.jsonl") -> FileObject:
        """Upload an input file."""
        raw = self.client.files.with_raw_response.create(
            file=(name, io.BytesIO(content)), purpose="batch"
        )
        return strict(FileObject, raw.text)

    def create(self, file_id: str, **more: Any) -> Batch:
        """Create a batch."""
        raw = self.client.batches.with_raw_response.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            **more,
        )
        return strict(Batch, raw.text)

    def look(self, batch_id: str) -> Batch:
        """Retrieve a batch."""
        return strict(Batch, self.client.batches.with_raw_response.retrieve(batch_id).text)

    def finish(self, batch_id: str) -> list[Batch]:
        """Poll until the batch ends; return every look."""
        looks = [self.look(batch_id)]
        while looks[-1].status not in ("completed", "failed", "expired", "cancelled"):
            time.sleep(0.02)
            looks.append(self.look(batch_id))
        return looks

    def ask(self, lines: bytes) -> Batch:
        """Upload, create and wait for the end."""
        return self.finish(self.create(self.upload(lines).id).id)[-1]

    def rows(self, file_id: str | None) -> list[Line]:
        """Download and read a file's lines."""
        if file_id is None:
            return []
        content = self.client.files.content(file_id).read()
        assert content.endswith(b"\n")
        return [json.loads(line) for line in content.split(b"\n")[:-1]]

    def stop(self) -> int:
        """Close its stdin and wait for its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(10)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        """End it at once, leaving it no time for anything."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def send_raw(self, request: str, *, hang_up: bool = False) -> bytes:
        """Send a call as it is and perhaps no more ever; return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(
                request.replace("HTTP/1.1", "HTTP/1.1\r\nConnection: close").encode()
            )
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            reply = b""
            while chunk := connection.recv(65536):
                reply += chunk
            return reply


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start emulators that end with the test."""
    running: list[Emulator] = []

    def starter(state: Path | None = None, **behaviour: Any) -> Emulator:
        state = state or tmp_path / f"state-{len(running)}"
        emulator = Emulator(tmp_path, INSTANT | behaviour, state)
        running.append(emulator)
        return emulator

    yield starter
    for emulator in running:
        if emulator.process.returncode is None:
            emulator.kill()


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Share one well-behaved emulator whose batches end at the first look."""
    folder = tmp_path_factory.mktemp("instant")
    emulator = Emulator(folder, INSTANT, folder / "state")
    yield emulator
    assert emulator.stop() == 0


def strict(model: type[Model], text: str) -> Model:
    """Accept only what the vendor's model declares, with the types it declares."""
    found = model.model_validate_json(text, strict=True)
    assert not found.model_extra, f"fields the vendor does not have: {found.model_extra}"
    return found


def line(custom_id: str, **body: Any) -> bytes:
    """Write one request line."""
    asked = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "あなたは大学１年生です。"},
            {"role": "user", "content": PROMPT},
        ],
        "temperature": 0.7,
    }
    request = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": asked | body,
    }
    return json.dumps(request, ensure_ascii=False).encode() + b"\n"


def lines(prefix: str, count: int) -> bytes:
    """Write several request lines."""
    return b"".join(line(f"{prefix}-{n:03}") for n in range(count))


def ids(rows: list[Line]) -> list[str]:
    """List the custom_ids of some output lines."""
    return [row["custom_id"] for row in rows]


def texts(rows: list[Line]) -> dict[str, str]:
    """Map each custom_id to its answer."""
    return {
        row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"]
        for row in rows
    }


# The flow


def test_a_batch_goes_through_all_its_states(start: Start) -> None:
    """A batch is validated, runs, is finalized and completes, with its times and counts."""
    # Each state lasts long enough to be seen on a machine that does much else.
    emulator = start(validating_seconds=1, in_progress_seconds=1.5, finalizing_seconds=1)
    source = emulator.upload(lines("flow", 40))
    created = emulator.create(source.id, metadata={"run": "r1", "shard": "一"})
    assert created.status == "validating"
    assert created.request_counts is not None
    assert created.request_counts.total == 0
    assert created.expires_at == created.created_at + 86_400
    looks = emulator.finish(created.id)
    stages = list(dict.fromkeys(look.status for look in looks))
    assert stages == ["validating", "in_progress", "finalizing", "completed"]
    done = [look.request_counts.completed for look in looks if look.request_counts]
    assert done == sorted(done)
    assert len(set(done)) > 2
    assert all(look.output_file_id is None for look in looks if look.status != "completed")
    last = looks[-1]
    assert last.metadata == {"run": "r1", "shard": "一"}
    assert last.model == "gpt-4o-mini"
    assert last.error_file_id is None
    assert last.in_progress_at
    assert last.finalizing_at
    assert last.completed_at
    assert last.created_at <= last.in_progress_at <= last.finalizing_at <= last.completed_at
    assert emulator.bill()["requests_billed"] == 40


def test_output_lines_are_as_recorded(instant: Emulator) -> None:
    """Every output line is a chat completion in raw UTF-8, under ids of its own."""
    batch = instant.ask(lines("output", 30))
    assert batch.output_file_id
    raw = instant.client.files.with_raw_response.content(batch.output_file_id)
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in raw.headers
    name = f'attachment; filename="{batch.id}_output.jsonl"'
    assert raw.headers["content-disposition"] == name
    assert raw.headers["x-request-id"].startswith("req_")
    content = raw.content
    assert "面白さ".encode() in content
    rows = [json.loads(row) for row in content.split(b"\n")[:-1]]
    prompt_tokens = completion_tokens = 0
    for row in rows:
        assert set(row) == {"id", "custom_id", "response", "error"}
        assert row["error"] is None
        assert row["response"]["status_code"] == 200
        completion = strict(ChatCompletion, json.dumps(row["response"]["body"]))
        assert completion.model == "gpt-4o-mini-2026-01-01"
        assert completion.usage
        prompt_tokens += completion.usage.prompt_tokens
        completion_tokens += completion.usage.completion_tokens
    for identifier in (
        [row["id"] for row in rows],
        [row["response"]["request_id"] for row in rows],
        [row["response"]["body"]["id"] for row in rows],
    ):
        assert len(set(identifier)) == 30
    assert batch.usage
    assert batch.usage.input_tokens == prompt_tokens
    assert batch.usage.output_tokens == completion_tokens
    found = strict(FileObject, instant.client.files.with_raw_response.retrieve(raw_id(batch)).text)
    assert found.purpose == "batch_output"
    assert found.bytes == len(content)


def raw_id(batch: Batch) -> str:
    """Return the output file's id, which must be there."""
    assert batch.output_file_id
    return batch.output_file_id


def test_well_formed_answers_can_be_read(instant: Emulator) -> None:
    """Without malformed answers, a tolerant reader finds all four values and reasons."""
    batch = instant.ask(lines("wellformed", 300))
    plain = 0
    for text in texts(instant.rows(batch.output_file_id)).values():
        plain += bool(re.match(r"Q1\. 面白さ\(数値\): \d+\n", text))
        tidy = text.translate(str.maketrans("０１２３４５６７８９（）：", "0123456789():"))
        for n, name in enumerate(NAMES, 1):
            found = re.search(rf"Q{n}\. {name}\(数値\):\**\s*\[?(\d+)", tidy)
            assert found, text
            assert 0 <= int(found[1]) <= 100
            assert re.search(rf"Q{n}\. {name}\(理由\):\**\s*\S{{20}}", tidy), text
    assert 150 < plain < 300


def test_malformed_answers_are_of_many_kinds(start: Start) -> None:
    """The malformed share holds cut, refused, filtered, empty and wrong answers."""
    emulator = start(malformed=1.0)
    rows = emulator.rows(emulator.ask(lines("bad", 300)).output_file_id)
    choices = [row["response"]["body"]["choices"][0] for row in rows]
    for row in rows:
        strict(ChatCompletion, json.dumps(row["response"]["body"]))
    assert {choice["finish_reason"] for choice in choices} == {"stop", "length", "content_filter"}
    refused = [choice["message"] for choice in choices if choice["message"]["refusal"]]
    assert refused
    assert all(message["content"] is None for message in refused)
    everything = "\n".join(choice["message"]["content"] or "" for choice in choices)
    for wrong in ("150", "-10", "評価不能", "33-67", "[0-100]", ".5", "申し訳"):
        assert wrong in everything
    assert any(choice["message"]["content"] == "" for choice in choices)


def test_an_emphasised_prompt_is_answered_better(start: Start) -> None:
    """A prompt with 重要 has the share of malformed answers meant for it."""
    emulator = start(malformed=1.0, malformed_enhanced=0.0)
    messages = [{"role": "user", "content": f"重要: 形式を守ってください。\n{PROMPT}"}]
    content = b"".join(line(f"enhanced-{n}", messages=messages) for n in range(50))
    answers = texts(emulator.rows(emulator.ask(content).output_file_id))
    assert all("Q4. 怒り" in text for text in answers.values())


def test_a_raw_line_separator_stays_inside_its_line(instant: Emulator) -> None:
    """U+2028 comes raw: right when split on newlines, wrong with str.splitlines()."""
    batch = instant.ask(lines("separator", 900))
    content = instant.client.files.content(raw_id(batch)).read()
    assert "\u2028".encode() in content
    rows = [json.loads(row) for row in content.split(b"\n")[:-1]]
    assert len(rows) == 900
    assert len(content.decode().splitlines()) > 900


def test_a_low_token_cap_cuts_the_answer(instant: Emulator) -> None:
    """An answer longer than max_completion_tokens ends with finish_reason length."""
    batch = instant.ask(line("capped", max_completion_tokens=20))
    body = instant.rows(batch.output_file_id)[0]["response"]["body"]
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 20


# What makes rows and batches fail


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"model": "gpt-5-mini", "temperature": 0.7}, "temperature", "unsupported_value"),
        ({"model": "o3", "temperature": 1, "max_tokens": 9}, "max_tokens", "unsupported_parameter"),
        ({"messages": None}, "messages", "missing_required_parameter"),
    ],
)
def test_a_refused_row_is_in_the_error_file(
    instant: Emulator, body: Line, param: str, code: str
) -> None:
    """A batch whose only row is refused completes without an output file, unbilled."""
    custom_id = f"refused-{param}-{code}"
    batch = instant.ask(line(custom_id, **body))
    assert batch.status == "completed"
    assert batch.output_file_id is None
    assert batch.request_counts
    assert (batch.request_counts.completed, batch.request_counts.failed) == (0, 1)
    (row,) = instant.rows(batch.error_file_id)
    assert row["error"] is None
    assert row["response"]["status_code"] == 400
    error = row["response"]["body"]["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert custom_id not in instant.bill()["billed"]


def test_a_reasoning_model_answers_at_its_only_temperature(instant: Emulator) -> None:
    """Temperature 1 and max_completion_tokens are fine for a reasoning model."""
    body = {"model": "gpt-5", "temperature": 1, "max_completion_tokens": 4000}
    (row,) = instant.rows(instant.ask(line("reasoning", **body)).output_file_id)
    details = row["response"]["body"]["usage"]["completion_tokens_details"]
    assert details["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (line("ok") + b"not json\n", "invalid_json_line", 2),
        (line("ok") + b"\n" + line("ok-2"), "invalid_json_line", 2),
        (line("twice") + line("other") + line("twice"), "duplicate_custom_id", 3),
        (line("a").replace(b"/v1/chat/completions", b"/v1/embeddings"), "url_mismatch", 1),
        (line("a") + line("b", model="gpt-4o"), "model_mismatch", 2),
        (b"", "empty_file", None),
        (b'{"custom_id":"a"}\n', "missing_required_parameter", 1),
    ],
)
def test_a_bad_file_fails_the_batch(
    instant: Emulator, content: bytes, code: str, where: int | None
) -> None:
    """Bad lines are accepted at upload and fail the whole batch, unbilled."""
    before = instant.bill()["requests_billed"]
    batch = instant.ask(content)
    assert batch.status == "failed"
    assert batch.failed_at
    assert batch.output_file_id is None
    assert batch.error_file_id is None
    assert batch.errors
    assert batch.errors.data
    assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, where)
    assert instant.bill()["requests_billed"] == before


def test_too_many_requests_fail_the_batch(instant: Emulator) -> None:
    """More than 50,000 requests are too many."""
    request = (
        b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}\n'
    )
    batch = instant.ask(b"".join(request % n for n in range(50_001)))
    assert batch.errors
    assert batch.errors.data
    assert batch.errors.data[0].code == "too_many_tasks"


def test_the_enqueued_token_limit_counts_what_is_not_over(start: Start) -> None:
    """A second batch fails while the first still holds the queue, and passes afterwards."""
    content = lines("queue", 4)
    emulator = start(enqueued_token_limit=len(content) // 3 + 100, in_progress_seconds=0.3)
    first = emulator.create(emulator.upload(content).id)
    second = emulator.ask(content)
    assert second.status == "failed"
    assert second.errors
    assert second.errors.data
    assert second.errors.data[0].code == "token_limit_exceeded"
    assert "gpt-4o-mini" in (second.errors.data[0].message or "")
    assert emulator.finish(first.id)[-1].status == "completed"
    assert emulator.ask(content).status == "completed"


def test_a_drawn_token_limit_strikes_a_content_once(start: Start) -> None:
    """The same file, sent again, is let through."""
    emulator = start(token_limit=1.0)
    assert emulator.ask(lines("limit", 2)).status == "failed"
    assert emulator.ask(lines("limit", 2)).status == "completed"


def test_deleting_the_input_too_early_fails_the_batch(start: Start) -> None:
    """A file deleted while its batch is validating cannot run; later it does no harm."""
    emulator = start(validating_seconds=0.2, in_progress_seconds=0.2)
    early, late = emulator.upload(lines("early", 2)), emulator.upload(lines("late", 2))
    first, second = emulator.create(early.id), emulator.create(late.id)
    assert emulator.client.files.delete(early.id).deleted
    assert emulator.finish(first.id)[-1].status == "failed"
    while emulator.look(second.id).status == "validating":
        time.sleep(0.02)
    emulator.client.files.delete(late.id)
    assert emulator.finish(second.id)[-1].status == "completed"
    assert emulator.bill()["requests_billed"] == 2


# Cancelling and expiring


def test_cancelling_keeps_what_ran(start: Start) -> None:
    """A cancelled batch passes through cancelling and splits its rows between two files."""
    emulator = start(in_progress_seconds=0.5, finalizing_seconds=0.1)
    batch = emulator.create(emulator.upload(lines("cancel", 200)).id)
    while not emulator.look(batch.id).request_counts.completed:  # type: ignore[union-attr]
        time.sleep(0.02)
    raw = emulator.client.batches.with_raw_response.cancel(batch.id)
    assert strict(Batch, raw.text).status == "cancelling"
    last = emulator.finish(batch.id)[-1]
    assert last.status == "cancelled"
    assert last.cancelled_at
    done, undone = emulator.rows(last.output_file_id), emulator.rows(last.error_file_id)
    assert done
    assert undone
    assert sorted(ids(done) + ids(undone)) == [f"cancel-{n:03}" for n in range(200)]
    assert {row["error"]["code"] for row in undone} == {"batch_cancelled"}
    assert all(row["response"] is None for row in undone)
    assert emulator.bill()["billed"] == dict.fromkeys(ids(done), 1)
    with pytest.raises(openai.ConflictError):
        emulator.client.batches.cancel(batch.id)


def test_cancelling_before_validation_runs_nothing(start: Start) -> None:
    """A batch cancelled while validating leaves no files and no bill."""
    emulator = start(validating_seconds=5)
    batch = emulator.create(emulator.upload(lines("cancel", 3)).id)
    emulator.client.batches.cancel(batch.id)
    last = emulator.finish(batch.id)[-1]
    assert (last.status, last.output_file_id, last.error_file_id) == ("cancelled", None, None)
    bill = emulator.bill()
    assert (bill["requests_billed"], bill["unbilled_batches"]) == (0, 0)


def test_half_a_batch_can_expire(start: Start) -> None:
    """An expired batch answered half its requests and bills no more than those."""
    emulator = start(half_expired=1.0)
    batch = emulator.ask(lines("expire", 10))
    assert batch.status == "expired"
    assert batch.expired_at
    done, undone = emulator.rows(batch.output_file_id), emulator.rows(batch.error_file_id)
    assert (len(done), len(undone)) == (5, 5)
    assert {row["error"]["code"] for row in undone} == {"batch_expired"}
    assert emulator.bill()["requests_billed"] == 5


# Lists, files, errors


def test_batches_are_paged_newest_first(start: Start) -> None:
    """The cursor walks through all batches, and the client's own paging ends."""
    emulator = start()
    source = emulator.upload(lines("page", 1))
    made = [emulator.create(source.id).id for _ in range(5)]
    first = json.loads(emulator.client.batches.with_raw_response.list(limit=2).text)
    assert set(first) == {"object", "data", "first_id", "last_id", "has_more"}
    assert (first["object"], first["has_more"]) == ("list", True)
    assert [first["first_id"], first["last_id"]] == [made[4], made[3]]
    for found in first["data"]:
        strict(Batch, json.dumps(found))
    assert [batch.id for batch in emulator.client.batches.list(limit=2)] == made[::-1]
    last = json.loads(emulator.client.batches.with_raw_response.list(after=made[0]).text)
    assert (last["data"], last["first_id"], last["has_more"]) == ([], None, False)
    for limit in (0, 101):
        with pytest.raises(openai.BadRequestError) as caught:
            emulator.client.batches.list(limit=limit)
        assert caught.value.param == "limit"


def test_files_are_paged_and_deleted(start: Start) -> None:
    """Files can be listed by purpose in either order, found by name, and deleted."""
    emulator = start()
    made = [emulator.upload(lines("f", 1), f"run-{n}.jsonl") for n in range(5)]
    assert made[0].expires_at is None
    listed = list(emulator.client.files.list(purpose="batch", limit=2))
    assert [file.filename for file in listed] == [f"run-{n}.jsonl" for n in (4, 3, 2, 1, 0)]
    for file in listed:
        assert strict(FileObject, file.model_dump_json()).expires_at
    ascending = emulator.client.files.list(order="asc", limit=3)
    assert [file.id for file in ascending.data] == [file.id for file in made[:3]]
    assert emulator.client.files.list(purpose="batch_output").data == []
    gone = json.loads(emulator.client.files.with_raw_response.delete(made[0].id).text)
    assert gone == {"id": made[0].id, "object": "file", "deleted": True}
    for call in (emulator.client.files.retrieve, emulator.client.files.content):
        with pytest.raises(openai.NotFoundError):
            call(made[0].id)
    with pytest.raises(openai.BadRequestError) as caught:
        emulator.create(made[0].id)
    assert caught.value.param == "input_file_id"


@pytest.mark.parametrize(
    "change",
    [
        {"completion_window": "72h"},
        {"endpoint": "/v1/nonsense"},
        {"metadata": {f"key{n}": "" for n in range(17)}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"key": "v" * 513}},
        {"metadata": {"key": 1}},
        {"extra_body": {"priority": "high"}},
        {"input_file_id": "file-nowhere"},
    ],
)
def test_a_create_call_is_checked(instant: Emulator, change: Line) -> None:
    """What the vendor's schema refuses, the emulator refuses, and nothing is created."""
    before = instant.bill()["batches"]
    wanted: Line = {
        "input_file_id": instant.upload(lines("check", 1)).id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    with pytest.raises(openai.BadRequestError) as caught:
        instant.client.batches.create(**wanted | change)
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert caught.value.type == "invalid_request_error"
    assert instant.bill()["batches"] == before


def test_metadata_at_its_limits_is_kept(instant: Emulator) -> None:
    """Sixteen pairs of 64 and 512 characters come back as sent."""
    metadata = {f"{n:02}" + "k" * 62: "値" * 512 for n in range(16)}
    batch = instant.create(instant.upload(lines("meta", 1)).id, metadata=metadata)
    assert instant.look(batch.id).metadata == metadata


@pytest.mark.parametrize(("name", "purpose"), [("rows.json", "batch"), ("rows.jsonl", "vision")])
def test_an_upload_is_checked(instant: Emulator, name: str, purpose: Any) -> None:
    """Only .jsonl files for batches are taken."""
    with pytest.raises(openai.BadRequestError):
        instant.client.files.create(file=(name, b"{}\n"), purpose=purpose)


def test_the_name_the_sdk_gives_to_bare_bytes_is_taken(instant: Emulator) -> None:
    """Bytes without a name arrive as `upload`, and OpenAI takes them."""
    file = instant.client.files.create(file=lines("bare", 1), purpose="batch")
    assert file.filename == "upload"


def test_unknown_things_are_not_found(instant: Emulator) -> None:
    """Unknown ids and addresses give the vendor's error object with 404."""
    with pytest.raises(openai.NotFoundError, match="batch_nowhere"):
        instant.client.batches.retrieve("batch_nowhere")
    with pytest.raises(openai.NotFoundError, match="file-nowhere"):
        instant.client.files.retrieve("file-nowhere")
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        instant.client.models.list()


# Who may enter


def test_a_real_key_is_turned_away_and_not_repeated(instant: Emulator) -> None:
    """A key that looks real gets a 401 that says so, without the key in it."""
    client = instant.client.with_options(api_key="sk-proj-abcdef")
    with pytest.raises(openai.AuthenticationError, match="real key must not be sent") as caught:
        client.batches.list()
    assert caught.value.code == "invalid_api_key"
    assert "abcdef" not in caught.value.response.text
    with pytest.raises(openai.AuthenticationError):
        client.files.create(file=("a.jsonl", b"x"), purpose="batch")
    assert instant.client.with_options(api_key="emulated").batches.list() is not None


def test_a_missing_key_is_turned_away(instant: Emulator) -> None:
    """Without a key the vendor's 401 comes; the bill needs none."""
    reply = instant.send_raw("GET /v1/batches HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 401 ")
    error = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]
    assert "You didn't provide an API key" in error["message"]
    assert instant.bill()["seed"] == 1


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::2]:1"])
def test_another_host_name_is_refused(instant: Emulator, host: str) -> None:
    """A web page cannot reach the emulator through a name of its own."""
    reply = instant.send_raw(f"GET /emulator/bill HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 403 ")


def test_it_listens_on_the_loopback_address_only(instant: Emulator) -> None:
    """Its only listening socket is bound to 127.0.0.1."""
    port = f"{instant.port:04X}"
    bound = [
        fields[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for fields in (entry.split() for entry in Path(table).read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].endswith(f":{port}")
    ]
    assert bound == [f"0100007F:{port}"]


# Faults


@pytest.mark.parametrize("length", [64, 100_000])
def test_a_body_cut_short_creates_nothing(instant: Emulator, length: int) -> None:
    """A call whose body breaks off leaves no file and no batch, and the service lives on."""
    before = instant.bill()
    head = "Host: localhost\r\nAuthorization: Bearer test-key\r\n"
    form = (
        '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{"a":'
    )
    kind = "Content-Type: multipart/form-data; boundary=b\r\n"
    size = f"Content-Length: {len(form) + length}\r\n"
    instant.send_raw(f"POST /v1/files HTTP/1.1\r\n{head}{kind}{size}\r\n{form}", hang_up=True)
    exact = f"Content-Length: {len(form)}\r\n"
    reply = instant.send_raw(f"POST /v1/files HTTP/1.1\r\n{head}{kind}{exact}\r\n{form}")
    assert b" 400 " in reply.partition(b"\r\n")[0]
    body = '{"input_file_id":"file-1","endpoint":"/v1/chat/completions"'
    size = f"Content-Type: application/json\r\nContent-Length: {len(body) + length}\r\n"
    instant.send_raw(f"POST /v1/batches HTTP/1.1\r\n{head}{size}\r\n{body}", hang_up=True)
    assert instant.bill() == before


def test_a_lost_create_reply_leaves_one_batch(start: Start) -> None:
    """The batch exists although the connection broke: a client must look before it asks again."""
    emulator = start(lost_create_reply=1.0)
    source = emulator.upload(lines("lost", 2))
    with pytest.raises(openai.APIConnectionError):
        emulator.create(source.id)
    (found,) = emulator.client.batches.list().data
    assert found.input_file_id == source.id
    assert emulator.finish(found.id)[-1].status == "completed"
    bill = emulator.bill()
    assert (bill["batches"], bill["requests_billed"]) == (1, 2)


def test_a_failed_create_reply_leaves_one_batch(start: Start) -> None:
    """The same with a 500; and whoever blindly asks again pays twice, as the bill shows."""
    emulator = start(failed_create_reply=1.0)
    source = emulator.upload(lines("twice", 2))
    with pytest.raises(openai.InternalServerError):
        emulator.create(source.id)
    assert len(emulator.client.batches.list().data) == 1
    with pytest.raises(openai.InternalServerError):
        emulator.create(source.id)
    bill = emulator.bill()
    assert bill["billed_more_than_once"] == {"twice-000": 2, "twice-001": 2}
    assert bill["by_model"] == {"gpt-4o-mini": {"twice-000": 2, "twice-001": 2}}
    assert bill["requests_billed"] == 4


def test_a_new_batch_can_be_late_in_the_list(start: Start) -> None:
    """GET by id knows a batch at once; the list knows it later."""
    emulator = start(late_list_seconds=0.4)
    batch = emulator.create(emulator.upload(lines("late", 1)).id)
    assert emulator.look(batch.id).id == batch.id
    assert emulator.client.batches.list().data == []
    while not emulator.client.batches.list().data:
        time.sleep(0.02)
    assert emulator.client.batches.list().data[0].id == batch.id


def test_busy_and_broken_replies_come_before_any_work(start: Start) -> None:
    """A 429 alternates between with and without Retry-After, and nothing was done."""
    emulator = start(http_429=1.0)
    hints = []
    for _ in range(4):
        with pytest.raises(openai.RateLimitError) as caught:
            emulator.upload(b"x" * 3_000_000)
        hints.append(caught.value.response.headers.get("retry-after"))
    assert sorted(filter(None, hints)) == ["1", "1"]
    assert hints[0] != hints[1]
    assert emulator.bill()["files"] == 0
    emulator = start(http_500=0.5)
    outcomes = Counter[str]()
    for _ in range(40):
        try:
            emulator.client.batches.list()
            outcomes["ok"] += 1
        except openai.InternalServerError:
            outcomes["broken"] += 1
    assert outcomes["ok"] > 8
    assert outcomes["broken"] > 8


def test_results_can_be_shuffled(start: Start) -> None:
    """Every row comes once, in another order, and with the same answers."""
    content = lines("shuffle", 50)
    straight, mixed = start(), start(shuffle=True)
    expected = straight.rows(straight.ask(content).output_file_id)
    rows = mixed.rows(mixed.ask(content).output_file_id)
    assert ids(rows) != ids(expected)
    assert texts(rows) == texts(expected)


def test_lines_can_be_missing_doubled_and_strange(start: Start) -> None:
    """A missing line is still billed; a doubled one is the same answer; a stranger is nobody's."""
    emulator = start(missing_lines=0.2, duplicate_lines=0.2, unknown_lines=0.2)
    rows = emulator.rows(emulator.ask(lines("mixed", 100)).output_file_id)
    asked = {f"mixed-{n:03}" for n in range(100)}
    seen = Counter(ids(rows))
    missing = asked - set(seen)
    doubled = {custom_id for custom_id, times in seen.items() if times > 1}
    strangers = set(seen) - asked
    assert all(5 < len(some) < 40 for some in (missing, doubled, strangers))
    for custom_id in doubled:
        first, second = (row for row in rows if row["custom_id"] == custom_id)
        assert first == second
    assert emulator.bill()["billed"] == dict.fromkeys(asked, 1)


def test_failed_rows_are_500s_that_pass_later(start: Start) -> None:
    """A row the service failed at is not billed, and asking again draws anew."""
    emulator = start(failed_lines=0.5)
    batch = emulator.ask(lines("failed", 60))
    rows = emulator.rows(batch.error_file_id)
    assert 15 < len(rows) < 45
    assert {row["response"]["status_code"] for row in rows} == {500}
    assert {row["response"]["body"]["error"]["type"] for row in rows} == {"server_error"}
    assert emulator.bill()["requests_billed"] == 60 - len(rows)
    again = emulator.ask(b"".join(line(custom_id) for custom_id in ids(rows)))
    assert 0 < len(emulator.rows(again.output_file_id)) < len(rows)


def test_all_rows_can_fail(start: Start) -> None:
    """Such a batch completes, without an output file."""
    emulator = start(all_failed=True)
    batch = emulator.ask(lines("all", 5))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert len(emulator.rows(batch.error_file_id)) == 5
    assert emulator.bill()["requests_billed"] == 0


def test_a_download_can_end_early_without_an_error(start: Start) -> None:
    """The first download is short and silent about it; the second is whole."""
    emulator = start(truncated_downloads=1.0)
    file_id = raw_id(emulator.ask(lines("cut", 20)))
    first = emulator.client.files.content(file_id).read()
    whole = emulator.client.files.content(file_id).read()
    assert 0 < len(first) < len(whole)
    assert whole.startswith(first)
    assert whole.count(b"\n") == 20


# The same again


def test_the_same_seed_gives_the_same_answers(start: Start) -> None:
    """Answers follow from seed, model, custom_id and how often it was answered; nothing else."""
    content = lines("same", 20)
    one, two, other = (start(malformed=0.3, seed=seed) for seed in (7, 7, 8))
    answers = [texts(e.rows(e.ask(content).output_file_id)) for e in (one, two, other)]
    assert answers[0] == answers[1] != answers[2]
    again = [texts(e.rows(e.ask(content).output_file_id)) for e in (one, two)]
    assert again[0] == again[1] != answers[0]


def test_a_restart_on_the_same_state_goes_on(start: Start, tmp_path: Path) -> None:
    """A new process on the same directory has the same files, batches and bill."""
    state = tmp_path / "state"
    first = start(state)
    batch = first.ask(lines("state", 5))
    content, bill = first.client.files.content(raw_id(batch)).read(), first.bill()
    assert first.stop() == 0
    second = start(state)
    assert second.look(batch.id) == batch
    assert second.client.files.content(raw_id(batch)).read() == content
    assert second.bill() == bill
    again = texts(second.rows(second.ask(lines("state", 5)).output_file_id))
    assert all(text.encode() not in content for text in again.values())


def test_a_kill_in_mid_batch_changes_neither_bill_nor_answers(start: Start, tmp_path: Path) -> None:
    """The batch goes on by the clock while nobody runs, and is billed once."""
    calm = start()
    expected = texts(calm.rows(calm.ask(lines("kill", 300)).output_file_id))
    state, pace = tmp_path / "killed", {"in_progress_seconds": 0.3}
    killed = start(state, **pace)
    batch = killed.create(killed.upload(lines("kill", 300)).id)
    assert killed.look(batch.id).status == "in_progress"
    for _ in range(3):
        killed.kill()
        killed = start(state, **pace)
    last = killed.finish(batch.id)[-1]
    assert texts(killed.rows(last.output_file_id)) == expected
    assert killed.bill()["billed"] == dict.fromkeys(expected, 1)
    assert not list((state / "files").glob("*.tmp"))


def test_kills_while_billing_leave_one_bill(start: Start, tmp_path: Path) -> None:
    """Killed at any moment of its own work, it never bills a batch twice or loses its files."""
    state = tmp_path / "billing"
    emulator = start(state)
    batch = emulator.create(emulator.upload(lines("work", 3000)).id)
    for delay in (0.0, 0.03, 0.1):
        with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
            connection.sendall(b"GET /emulator/bill HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(delay)
            emulator.kill()
        emulator = start(state)
    last = emulator.finish(batch.id)[-1]
    assert len(emulator.rows(last.output_file_id)) == 3000
    bill = emulator.bill()
    assert (bill["requests_billed"], bill["billed_more_than_once"]) == (3000, {})


# The process


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT])
def test_it_leaves_in_order(tmp_path: Path, number: signal.Signals | None) -> None:
    """It ends when stdin closes or on a signal: exit code 0, one line printed, nothing left."""
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    client = CLIENT.with_options(base_url=f"{url}/v1")
    client.files.create(file=("a.jsonl", lines("leave", 1)), purpose="batch")
    assert list(tmp_path.iterdir())
    if number is not None:
        process.send_signal(number)
        assert process.wait(10) == 0
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"malfromed": 0.1}', "unknown key 'malfromed'"),
        ('{"malformed": 8}', "malformed: must be a share"),
        ('{"shuffle": 1}', "shuffle: must be true or false"),
        ("[1]", "must hold one JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_behaviour_file_is_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """A misspelt key stops the start with one clear line."""
    written = tmp_path / "behaviour.json"
    written.write_text(text, encoding="utf-8")
    command = [*COMMAND, "--behaviour", str(written)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert says in ended.stderr
    assert len(ended.stderr.strip().split(os.linesep)) == 1
