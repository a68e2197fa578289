"""The durable record of a run, as its runner writes it: one transaction an event.

What was intended, sent and received is on disk, whole, before the next step is taken. Which keys a
ledger has stands in `codec`; how they are kept, in `kv`; who may write, in `lock`.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from runner.core.deadline import Deadline
from runner.core.errors import LedgerDamaged
from runner.core.model import Batch, Span, Stem
from runner.core.spans import Spans
from runner.storage import codec
from runner.storage.definitions import plain, stored, tidy
from runner.storage.events import Events
from runner.storage.files import make_folder, write_durably
from runner.storage.kv import DATABASE, Store, Value, leave_wal
from runner.storage.lease import SECONDS, is_leased
from runner.storage.lock import Hold, Holder, holding, in_use, is_shared, refuse_links
from runner.storage.reader import EXPERIMENT, LedgerReader, LedgerView, check, exists

HEARTBEAT_SECONDS = 2.0
"""Between two signs of life of a runner."""


class Ledger(LedgerView):
    """One experiment's ledger, held by this process alone until it is closed."""

    def __init__(self, directory: Path, store: Store, hold: Hold) -> None:
        """Use `create` or `open`."""
        super().__init__(directory, store)
        self._store = store
        self._hold = hold
        self._events = len(store.keys(codec.EVENT))
        self._beside = Events(directory)
        try:
            self._catch_up()
        except BaseException:
            self._beside.close()
            raise

    def _catch_up(self) -> None:
        """Write beside the ledger what a kill kept from there."""
        for number in range(self._beside.count, self._events):
            event = codec.object_of(self._required(codec.event_key(number)))
            text = self._store.get(f"{codec.BATCH}{event.get('batch')}")
            batch = None if text is None else codec.object_of(text)
            self._beside.append({"event": event, "batch": batch})
        if not (self.directory / EXPERIMENT).exists():
            _write_beside(self.directory, plain(self.experiment()))

    @classmethod
    def create(
        cls,
        directory: Path,
        experiment: Mapping[str, Any],
        *,
        shared: bool = False,
    ) -> Self:
        """Make a new ledger.

        Args:
            directory: the run's folder.
            experiment: what identifies the run.
            shared: other machines may write on this disk, although it does not look so.

        Raises:
            LedgerInUse: another runner holds the folder.
            LedgerDamaged: there is a ledger already.
        """
        make_folder(directory.parent)
        make_folder(directory, 0o700)
        with holding(directory, shared=shared) as hold:
            if exists(directory):
                raise LedgerDamaged(f"{directory} has a ledger already; please report this")
            for leftover in directory.glob(f"{DATABASE}*"):
                leftover.unlink()
            return cls.made(directory, hold, {}, experiment)

    @classmethod
    def made(
        cls,
        directory: Path,
        hold: Hold,
        rows: Mapping[str, Value],
        experiment: Mapping[str, Any],
    ) -> Self:
        """Make a ledger with a record, and these rows, in a folder that is held and has none."""
        record = stored(directory, experiment)
        store = _opened(directory, hold)
        store.write({**codec.first_rows(record), **rows})
        _write_beside(directory, record)
        ledger = cls(directory, store, hold)
        ledger.take(dict(experiment))
        return ledger

    @classmethod
    def open(cls, directory: Path, *, shared: bool = False) -> Self:
        """Open an existing ledger for writing.

        Args:
            directory: the run's folder.
            shared: other machines may write on this disk, although it does not look so.

        Raises:
            LedgerBusy: another program keeps it locked, for longer than a moment.
            LedgerInUse: another runner holds it; names its pid and host.
            LedgerDamaged: it is missing, empty, foreign or broken.
            LedgerOutdated: it is an older copy.
            LedgerFormatUnknown: another version wrote it.
        """
        refuse_links(directory)
        check(directory)
        moving = not is_leased(directory) and is_shared(directory, said=shared)
        if moving:
            _check_not_served(directory)
        with holding(directory, shared=shared) as hold:
            if moving:
                leave_wal(directory)
            return cls(directory, _opened(directory, hold), hold)

    def keep(self) -> None:
        """Make sure, before something that costs money is asked for, that no other may ask for it.

        Raises:
            LedgerError: a runner on another machine has followed this one.
        """
        with self._store.alone():
            pass

    def close(self) -> None:
        """Let go of the ledger."""
        self._beside.close()
        self._store.close()
        self._hold.let_go()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what happened, in order."""
        for number in range(self._events):
            yield codec.object_of(self._required(codec.event_key(number)))

    def rewrite_experiment(self, experiment: Mapping[str, Any]) -> None:
        """Record that the experiment grew."""
        record = stored(self.directory, experiment)
        self._commit({"experiment": codec.text_of(record)})
        _write_beside(self.directory, record)
        self.take(dict(experiment))
        tidy(self.directory, record)

    def record(
        self,
        batch: Batch,
        *,
        summary: Mapping[str, Any],
        event: Mapping[str, Any] | None = None,
        members: Sequence[Span] | None = None,
        outcomes: bytes | None = None,
    ) -> None:
        """Write one event about one batch; it is on disk, whole, when this returns.

        Raises:
            LedgerBusy: another program kept the ledger locked for `kv.PATIENCE_SECONDS`.
            LedgerError: it cannot be written.
        """
        if isinstance(members, Spans) and members.names is not (names := self.names()):
            members = Spans.of(names, members)  # numbers are those of the ledger
        rows = codec.batch_rows(batch, members=members, outcomes=outcomes)
        rows["summary"] = codec.text_of(summary)
        if event is None:
            self._commit(rows)
            return
        self._commit(rows | {codec.event_key(self._events): codec.text_of(event)})
        self._events += 1
        with self._store.alone():
            self._beside.append({"event": event, "batch": codec.plain(batch)})

    def grant(self, trials: Mapping[Stem, int], rule: Mapping[str, Any]) -> None:
        """Record up to which trial conditions are asked, before anything of it is packed.

        Args:
            trials: the last trial of each condition that gets more.
            rule: says why.
        """
        number = len(self._store.keys(codec.TRIALS))
        row = {"rule": rule, "trials": dict(trials)}
        self._commit({codec.trials_key(number): codec.text_of(row)})

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Write what another process needs to show the run."""
        self._commit({"summary": codec.text_of(summary)})

    def write_plan(
        self,
        facts: Mapping[str, Any],
        deadline: Deadline | None = None,
        notify: Sequence[str] = (),
    ) -> None:
        """Write what the runner is about to do, before it does it.

        Args:
            facts: for other processes.
            deadline: until when batches are waited for.
            notify: the environment variables that hold the addresses of messages.
        """
        rows = {
            "plan": facts,
            codec.DEADLINE: {} if deadline is None else asdict(deadline),
            codec.NOTIFY: {"names": list(notify)},
        }
        self._commit({key: codec.text_of(row) for key, row in rows.items()})

    def beat(self, now: float, *, finished: bool = False, left: bool = False) -> None:
        """Say that the runner is alive; safe to call from another thread, and waits for no lock.

        Args:
            now: seconds since the epoch.
            finished: nothing is left to do.
            left: this is the last one, and the runner ends by itself.
        """
        sign = {
            "at": now,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "finished": finished,
            "left": left,
        }
        self._store.write({"heartbeat": codec.text_of(sign)}, waits=False)

    def hurry(self) -> None:
        """Wait for no other program any more; takes no lock, since a signal handler may call it."""
        self._store.hurry()

    def _commit(self, rows: Mapping[str, Value]) -> None:
        self._store.write(rows, counter="rev")


def _opened(directory: Path, hold: Hold) -> Store:
    return Store.open(directory, shared=hold.lease is not None, may_write=hold.keep)


def _write_beside(directory: Path, experiment: Mapping[str, Any]) -> None:
    write_durably(directory / EXPERIMENT, [codec.text_of(experiment).encode()])


def _check_not_served(directory: Path) -> None:
    """Refuse a ledger that a machine may be writing which takes this disk for its own alone.

    Raises:
        LedgerInUse: it gave a sign of life a moment ago.
    """
    with closing(LedgerReader(directory)) as reader:
        beat = reader.get("heartbeat") or {}
    on_another_host = beat.get("host", socket.gethostname()) != socket.gethostname()
    if on_another_host and not beat.get("left") and time.time() - beat["at"] < SECONDS:
        raise in_use(directory, Holder(pid=beat["pid"], host=beat["host"]))
