"""Requests asked one by one, now and at full price; to the engine, one more service with batches.

A request file is worked through by several threads. Each request is noted before it is asked and
each answer is on disk before the next one is fetched, so that a kill loses at most the answers
that were on their way. Whether those were billed cannot be told: they are not asked again here,
but count as lost, and the engine asks them anew within `retry.max_lost`.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from runner.core.backoff import after_refusal, backoff
from runner.core.bill import Bill
from runner.core.cost import Price, dollars
from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
)
from runner.core.model import Batch, BatchKey, Progress, RemoteId, Reply
from runner.core.states import BatchEvent, Outcome
from runner.core.twins import Made
from runner.storage.files import append, appending, fresh, settle
from runner.storage.paths import result_path

PREFIX = "realtime-"
LOOK_SECONDS = 0.5
"""How long one look at a conversation takes while it goes on."""

NAP_SECONDS = 0.1
"""At most, between two looks at the stop flag."""

Ask = Callable[[bytes], bytes]


class Pacer:
    """How fast requests go out: so many a minute, and none while the service asks for a pause."""

    def __init__(
        self, per_minute: int | None, first: float, longest: float, longest_asked: float
    ) -> None:
        """Take the pace, and the first and longest pause after a failure, in seconds."""
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._first, self._longest, self._longest_asked = first, longest, longest_asked
        self._lock = threading.Lock()
        self._next = self._not_before = 0.0
        self._failures = 0

    def wait(self, stopped: Callable[[], bool]) -> bool:
        """Wait for one's turn; tell whether it came before the end."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._gap
        while (left := max(turn, self._not_before) - time.monotonic()) > 0:
            if stopped():
                return False
            time.sleep(min(left, NAP_SECONDS))
        return not stopped()

    def went_well(self) -> None:
        """Forget earlier failures."""
        self._failures = 0

    def failed(self, asked_for: float | None = None) -> None:
        """Pause, longer after every failure in a row."""
        with self._lock:
            pause = backoff(self._failures, self._first, self._longest, 0.0)
            pause = after_refusal(asked_for, pause, self._longest_asked)
            self._failures += 1
            self._not_before = max(self._not_before, time.monotonic() + pause)


class Realtime:
    """Works request files through; every conversation is one batch of the engine."""

    def __init__(
        self,
        folder: Path,
        request_file: Callable[[BatchKey], Path],
        ask: Ask,
        pacer: Pacer,
        concurrency: int,
        *,
        asks: bool,
        keep: Callable[[], None],
    ) -> None:
        """Keep what a conversation needs.

        Args:
            folder: the run's folder; answers go to its raw/.
            request_file: where a batch's requests are.
            ask: asks one request.
            pacer: how fast.
            concurrency: how many at once, over all conversations.
            asks: whether this run may ask anything new, or only looks at what is there.
            keep: raises LedgerError when a runner on another machine has this run now.
        """
        self._folder = folder
        self._request_file = request_file
        self._ask = ask
        self._pacer = pacer
        self._turns = threading.Semaphore(concurrency)
        self._concurrency = concurrency
        self._asks = asks
        self._keep = keep
        self._stopped = False
        self._open: dict[BatchKey, Conversation] = {}

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:  # noqa: ARG002
        """Hand over nothing."""
        return {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:  # noqa: ARG002
        """Begin; nothing is asked, and nothing costs, before the first look."""
        return RemoteId(PREFIX + batch.key)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:  # noqa: ARG002
        """Return the conversation: it is here, wherever it was left."""
        return Made(RemoteId(PREFIX + batch.key))

    def fence(self, batch: Batch) -> None:
        """Do nothing: no order is ever on its way."""

    def poll(self, remote: RemoteId, allowance: "Allowance | None" = None) -> Progress:
        """Go on for a moment and tell how far it is."""
        return self._talk(remote, allowance, asks=self._asks).look()

    def _talk(
        self, remote: RemoteId, allowance: "Allowance | None", *, asks: bool
    ) -> "Conversation":
        """Return a conversation; one that was left begins again."""
        key = BatchKey(remote.removeprefix(PREFIX))
        talk = self._open.get(key)
        if talk is None:
            talk = self._open[key] = Conversation(
                answers=result_path(self._folder, key, "output"),
                requests=self._request_file(key),
                ask=self._ask,
                keep=self._keep,
                pacer=self._pacer,
                turns=self._turns,
                stopping=lambda: self._stopped,
                allowance=allowance,
            )
            if asks:
                talk.start(self._concurrency)
        return talk

    def download(self, file_id: str, sink: BinaryIO) -> None:  # noqa: ARG002
        """Never called: the answers are where downloads go."""
        raise ProviderReplyUnreadable(f"{file_id} was written here and is gone: put it back")

    def cancel(self, remote: RemoteId) -> None:
        """Ask nothing more; what is answered stays."""
        self._talk(remote, None, asks=False).cancel()

    def stop(self) -> None:
        """Take up nothing new; takes no lock, since a signal handler may call it."""
        self._stopped = True

    def close(self, seconds: float | None = None) -> None:
        """Stop asking and wait for the answers that are on their way; no longer than so long."""
        self.stop()
        until = None if seconds is None else time.monotonic() + seconds
        for talk in self._open.values():
            talk.join(until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What holds a conversation to the budget."""

    price: Price | None
    most: Callable[[], Iterable[tuple[Decimal, int]]]
    """Returns the most that one request may cost, and how many such follow, in the file's order."""
    room: Callable[[], Decimal | None]
    """Says how much the conversation may come to by now; None: no limit."""
    decode: Callable[[bytes], Reply]
    """Reads a result line."""


class Conversation:
    """One request file, asked line by line."""

    def __init__(
        self,
        *,
        answers: Path,
        requests: Path,
        ask: Ask,
        keep: Callable[[], None],
        pacer: Pacer,
        turns: threading.Semaphore,
        stopping: Callable[[], bool],
        allowance: Allowance | None = None,
    ) -> None:
        """Read what earlier runs have asked and got, and what that cost."""
        answers.parent.mkdir(exist_ok=True)
        self._final = answers
        self._journal = answers.with_name(f"{answers.name}.journal")
        self._noted = answers.with_name(f"{answers.name}.asked")
        self._requests = requests
        self._ask = ask
        self._keep = keep
        self._pacer = pacer
        self._turns = turns
        self._lock = threading.Lock()
        self._stopping = stopping
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self._answers: int | None = None
        self._notes: int | None = None
        self._cancelled = False
        self._refusal: str | None = None
        self._last_error: str | None = None
        self._broken: Exception | None = None
        whole = answers if answers.exists() else self._journal
        self._answered = sum(1 for _ in _whole_lines(whole))
        self._asked = set(_whole_lines(self._noted))
        self._total = sum(1 for _ in _whole_lines(requests))
        self._allowance = allowance
        self._bill = None if allowance is None else self._opened(allowance, whole)
        self._rest = self._unasked()
        self._waiting: _Request | None = None
        """The next request, while there is no money for it."""
        self._held: str | None = None
        self._is_over = answers.exists()

    def start(self, concurrency: int) -> None:
        """Begin to ask."""
        if self._is_over:
            return
        self._answers, self._notes = _appending(self._journal), _appending(self._noted)
        for _ in range(min(concurrency, max(self._total - len(self._asked), 1))):
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def look(self) -> Progress:
        """Wait a moment and tell how far it is; when all is asked, put the answers in place."""
        deadline = time.monotonic() + LOOK_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if self._broken is not None:
            raise self._broken
        working = any(thread.is_alive() for thread in self._threads)
        stopped = self._refusal is not None or self._held is not None or self._cancelled
        ended = stopped or self._all_asked()
        if ended and not working and not self._is_over:
            self._finish()
        return Progress(
            state=self._state(),
            event=BatchEvent.END if self._is_over else BatchEvent.PROGRESS,
            total=self._total,
            completed=self._answered,
            failed=len(self._asked) - self._answered if self._is_over else None,
            files={"output": self._final.name} if self._is_over else {},
            message=self._refusal or self._held or self._last_error,
            rest=Outcome.MISSING if self._all_asked() else Outcome.CANCELLED,
            wait=0.0,
            bound_usd=self._bound(),
        )

    def _opened(self, allowance: Allowance, answered: Path) -> Bill:
        """Return the account as earlier runs left it.

        Which questions were asked and never answered is not looked up: the dearest are taken.
        """
        sizes = sorted(allowance.most(), reverse=True)
        rest = sum((usd * count for usd, count in sizes), Decimal(0))
        bill = Bill(price=allowance.price, room=allowance.room, rest=rest)
        dearest = sizes[0][0] if sizes else Decimal(0)
        for line in _whole_lines(answered):
            bill.enter(dearest, self._read(allowance, line))
        bill.unknown += dearest * max(len(self._asked) - self._answered, 0)
        asked = len(self._asked)
        for usd, count in reversed(sizes):
            known = min(count, asked)
            bill.rest, asked = bill.rest - usd * known, asked - known
        return bill

    @staticmethod
    def _read(allowance: Allowance, line: bytes) -> Reply | None:
        try:
            return allowance.decode(line)
        except ProviderReplyUnreadable:
            return None

    def _bound(self) -> Decimal | None:
        """Return the most that it all can come to by now; when it is over, nothing more is asked."""
        if self._bill is None:
            return None
        with self._lock:
            most = self._bill.most
            return most if most is None or not self._is_over else self._bill.used

    def cancel(self) -> None:
        """Ask nothing more."""
        self._cancelled = self._stopped = True
        self.join()

    def join(self, until: float | None = None) -> None:
        """Wait for what is on its way; what comes after that time is still written down."""
        for thread in self._threads:
            thread.join(None if until is None else max(until - time.monotonic(), 0))
        if any(thread.is_alive() for thread in self._threads):
            return
        for handle in (self._answers, self._notes):
            if handle is not None:
                os.close(handle)
        self._answers = self._notes = None

    def _is_stopped(self) -> bool:
        return self._stopped or self._stopping()

    def _state(self) -> str:
        if self._refusal is not None:
            return "refused"
        if self._cancelled:
            return "cancelled"
        if self._held is not None:
            return "held"
        return "completed" if self._is_over else "asking"

    def _all_asked(self) -> bool:
        return len(self._asked) >= self._total

    def _finish(self) -> None:
        self._keep()
        if not self._journal.exists():
            self._journal.touch()
        settle(self._journal, self._final)
        self._is_over = True

    def _unasked(self) -> "Iterator[_Request]":
        most: Iterator[Decimal] = repeat(Decimal(0))
        if self._allowance is not None:
            most = (usd for usd, count in self._allowance.most() for _ in range(count))
        for line, usd in zip(_whole_lines(self._requests), most, strict=False):
            name = orjson.loads(line)["custom_id"].encode()
            if name not in self._asked:
                yield _Request(name, line, usd)

    def _next(self) -> "_Request | None":
        """Return the next request, once it is noted and there is money for it; None: no more.

        What is on its way may cost less than it might, so that is waited for before giving up.
        """
        while True:
            self._keep()
            with self._lock:
                request = self._waiting or next(self._rest, None)
                self._waiting = request
                if request is None:
                    return None
                if self._bill is None or self._bill.fits(request.most):
                    self._waiting = None
                    self._asked.add(request.name)
                    assert self._notes is not None
                    append(self._notes, request.name)
                    if self._bill is not None:
                        self._bill.ask(request.most)
                    return request
                if not self._bill.flying:
                    self._held = _no_money(request, self._bill)
                    self._stopped = True
            if self._is_stopped():
                return None
            time.sleep(NAP_SECONDS)

    def _settle(self, request: "_Request", answer: bytes | None) -> None:
        """Count what a request cost; None: it was lost. The lock is held."""
        if self._bill is not None and self._allowance is not None:
            reply = None if answer is None else self._read(self._allowance, answer)
            self._bill.settle(request.most, reply)

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - a full disk, a bug of ours: the next look raises it
            self._broken = error
            self._stopped = True

    def _turn(self) -> bool:
        """Ask one request; tell whether there may be another.

        A turn lasts until the answer is on disk, so that a kill loses one a turn and no more.
        """
        with self._turns:
            if not self._pacer.wait(self._is_stopped):
                return False
            request = self._next()
            if request is None:
                return False
            while True:
                self._keep()
                try:
                    answer = self._ask(request.line)
                except ProviderBusy as busy:  # a definite "not now": the same request, later
                    self._last_error = str(busy)
                    self._pacer.failed(busy.retry_after)
                    if not self._pacer.wait(self._is_stopped):
                        return self._never_asked(request)
                except ProviderRefused as refused:
                    self._refusal = str(refused)
                    self._stopped = True
                    return self._never_asked(request)
                except ProviderError as silent:
                    self._last_error = str(silent)
                    self._pacer.failed(silent.retry_after)
                    with self._lock:
                        self._settle(request, None)
                    return True  # lost: it may have been billed, so it is not asked again here
                else:
                    break
            self._pacer.went_well()
            self._keep()
            with self._lock:
                assert self._answers is not None
                append(self._answers, answer.rstrip(b"\n"))
                self._answered += 1
                self._settle(request, answer)
            return True

    def _never_asked(self, request: "_Request") -> bool:
        """Take a note back: the service said no before it did anything."""
        self._keep()
        with self._lock:
            self._asked.discard(request.name)
            if self._bill is not None:
                self._bill.take_back(request.most)
            kept = b"".join(known + b"\n" for known in sorted(self._asked))
            part = self._noted.with_name(f"{self._noted.name}.part")
            with fresh(part) as sink:
                sink.write(kept)
            settle(part, self._noted)
            if self._notes is not None:
                os.close(self._notes)
            self._notes = _appending(self._noted)
        return False


class _Request(NamedTuple):
    """One line of a request file."""

    name: bytes
    """Its custom_id."""
    line: bytes
    most: Decimal
    """The most it may cost, in US dollars."""


def _no_money(request: _Request, bill: Bill) -> str:
    room = bill.room() or Decimal(0)
    return (
        f"budget: the next request may cost {dollars(request.most)}, and {dollars(bill.used)} of "
        f"{dollars(max(room, Decimal(0)))} are spent or reserved: nothing more is asked, the rest stays "
        "open; run again with a larger budget.max_usd"
    )


def _appending(path: Path) -> int:
    """Open a file to append whole lines; one that a power cut tore is closed first."""
    handle = appending(path)
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
    return handle


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that end in a newline; none when there is no file."""
    if not path.exists():
        return
    with path.open("rb") as source:
        for line in source:
            if line.endswith(b"\n") and line.strip():
                yield line[:-1]
