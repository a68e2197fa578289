"""One test's own run: clients, a request file, a batch of it, and what came back."""

import io
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from runner.core.errors import (
    ProviderError,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import Batch, BatchKey, Condition, Progress, Prompt, RemoteId, Reply, Stem
from runner.core.states import BatchState
from tests.contract.kits.base import PATIENCE, Kit

CANARY = "test-CANARY-5f1d0c9e7b"
"""A key the emulator takes; it must never be seen again."""
SECRET_PROMPT = "『懐中時計』PROMPT-CANARY を読んで答えてください。"
LABELS = {"experiment": "e1", "batch": "b0001-1"}
IN_DOUBT = (ProviderSilent, ProviderReplyUnreadable)
_sizes = count()


def prompt_of(text: str = SECRET_PROMPT) -> Prompt:
    return Prompt(system="あなたは大学１年生です。", user=text)


def condition_of(temperature: str | None = "0.7") -> Condition:
    return Condition(
        stem=Stem("p1_t1"),
        levels=("p1", "t1"),
        temperature=None if temperature is None else Decimal(temperature),
    )


def batch_of(path: Path, handle: Any, **changes: Any) -> Batch:
    """Return the record of a batch as it is when the order is about to be sent."""
    content = path.read_bytes()
    known: dict[str, Any] = {
        "key": BatchKey("b0001"),
        "state": BatchState.SUBMITTING,
        "count": content.count(b"\n"),
        "bytes": len(content),
        "sha256": sha256(content).hexdigest(),
        "input_tokens": 100,
        "reserved_usd": None,
        "packed_at": time.time(),
        "sent_at": time.time(),
        "handle": dict(handle),
    }
    return Batch(**known | changes)


@dataclass
class Case:
    """What one test's run is known by, and how it is gone about."""

    kit: Kit
    hang_up: Callable[[Any], Any]
    folder: Path
    digest: str
    ids: list[str] = field(default_factory=list)
    """The custom_ids of the request file, without the tag."""

    @property
    def tag(self) -> str:
        """What stands before every custom_id at a provider that tells batches apart by it."""
        return f"c{self.digest[:8]}-" if self.kit.provider.tagged else ""

    @property
    def path(self) -> Path:
        """The request file."""
        return self.folder / "requests.jsonl"

    @property
    def file_name(self) -> str:
        """What the request file is called at the provider."""
        return f"e{self.digest[:8]}-b0001-1-{self.digest[-16:]}.jsonl"

    def client(self, server: Any, *, timeout: float = 10, key: str = CANARY) -> Any:
        """Make a client afresh, of a server or an address; it shares nothing with another."""
        url = server if isinstance(server, str) else server.url
        service = self.kit.service(url, key, timeout)
        return self.hang_up(self.kit.provider(service, self.kit.model, self.tag))

    def offline(self) -> Any:
        """Make a client for its pure translations."""
        service = self.kit.service("http://127.0.0.1:1", CANARY, 1)
        return self.kit.provider(service, self.kit.model, self.tag)

    # -- Sending

    @property
    def asked(self) -> tuple[Condition, Prompt]:
        """What every request of the file asks."""
        return condition_of(), prompt_of()

    def write(self, count: int | None = None) -> Path:
        """Write the request file as the request_files does."""
        if count is None:
            count = 3 + (next(_sizes) % 40 if self.kit.provider.found_by_size else 0)
        frame = self.offline().encode(*self.asked)
        self.ids = [f"q{self.digest[8:16]}-{n:03d}" for n in range(count)]
        self.path.write_bytes(
            b"".join(frame.before + name.encode() + frame.after for name in self.ids)
        )
        return self.path

    def staged(self, client: Any, count: int | None = None) -> Batch:
        """Write the request file and hand it over."""
        path = self.write(count)
        return batch_of(path, client.stage(path, self.file_name, look_first=False))

    def submit(self, client: Any, batch: Batch) -> RemoteId:
        """Order the batch."""
        labels = {
            "experiment": f"{self.digest[:16]}-{self.digest[-8:]}",
            "name": "A_Study-of_40_letters_SOME_of_them_BIG-1",
            "batch": "b0001-1",
        }
        remote: RemoteId = client.submit(batch, self.path, labels)
        return remote

    def find(self, client: Any, batch: Batch) -> RemoteId | None:
        """Look for the batch until the provider can say."""
        return self.kit.until_found(client, batch, self.path)

    # -- Coming back

    def collected(self, client: Any, remote: RemoteId) -> tuple[Progress, list[Reply]]:
        """Wait for the end, and read every line of every result file."""
        progress = until_ended(client, remote)
        return progress, [
            client.decode(line) for line in self.downloaded(client, progress) if line.strip()
        ]

    def downloaded(self, client: Any, progress: Progress) -> list[bytes]:
        """Download every result file, and split it as the result_reader does."""
        sink = io.BytesIO()
        for file_id in progress.files.values():
            client.download(file_id, sink)
        return sink.getvalue().split(b"\n")

    def tally(self, replies: list[Reply]) -> Counter[str]:
        """Count how our requests ended."""
        return Counter(str(r.kind) for r in replies if r.custom_id in self.ids)

    def billed(self, server: Any) -> dict[str, int]:
        """Return how often each of our requests was paid for."""
        billed: dict[str, int] = server.bill()["billed"]
        return {
            name: billed[f"{self.tag}{name}"] for name in self.ids if f"{self.tag}{name}" in billed
        }

    # -- All calls

    def every_verb(self, client: Any) -> dict[str, Callable[[], Any]]:
        """Return all calls that this provider makes, on a batch and files that nobody has."""
        kit, path = self.kit, self.write(3)
        batch = batch_of(path, kit.unknown_handle)
        line = path.read_bytes().split(b"\n", 1)[0] + b"\n"
        return kit.verbs(
            {
                "stage": lambda: client.stage(path, self.file_name, look_first=False),
                "submit": lambda: client.submit(batch, path, LABELS),
                "find": lambda: client.find(batch, path, ()),
                "fence": lambda: client.fence(batch),
                "poll": lambda: client.poll(kit.unknown),
                "download": lambda: client.download(kit.unknown_file, io.BytesIO()),
                "cancel": lambda: client.cancel(kit.unknown),
                "ask": lambda: client.ask(line),
            }
        )


def until_ended(client: Any, remote: RemoteId) -> Progress:
    """Poll until nothing more will happen; whatever else than progress is an end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        progress: Progress = client.poll(remote)
        if progress.event != "progress":
            return progress
        assert time.monotonic() < deadline, progress
        time.sleep(0.02)


def raised_by(call: Callable[[], Any]) -> ProviderError | None:
    try:
        call()
    except ProviderError as raised:
        return raised
    return None


def everything_of(raised: BaseException | None) -> str:
    """Return all that a log, a crash screen or a reporter could print of an exception."""
    if raised is None:
        return ""
    shown = [str(raised), repr(raised), repr(raised.args), repr(vars(raised))]
    shown += traceback.format_exception(raised)
    for frame, _ in traceback.walk_tb(raised.__traceback__):
        if "tests/contract" not in frame.f_code.co_filename:
            shown += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(shown)


def write_requests(client: Any, folder: Path, count: int = 3) -> Path:
    """Write a request file for a client that no kit stands for."""
    frame = client.encode(condition_of(), prompt_of())
    path = folder / "requests.jsonl"
    path.write_bytes(
        b"".join(frame.before + f"p1_t1-{n}".encode() + frame.after for n in range(count))
    )
    return path


def staged(client: Any, folder: Path, name: str = "e1-b0001-1.jsonl") -> Batch:
    """Write and hand over a request file, for a client that no kit stands for."""
    path = write_requests(client, folder)
    return batch_of(path, client.stage(path, name, look_first=False))
