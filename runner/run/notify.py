"""`notify=`: messages through apprise, to addresses that environment variables hold.

A message delays nothing and fails nothing: it is sent by a thread that is left behind when it takes
too long, and what went wrong is one line, in which no address is.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from typing import Any

from runner.config.checks import is_notify_name
from runner.config.problems import words
from runner.core.errors import ConfigError
from runner.core.notices import Need, Notice, Standing, needs_of
from runner.core.plan import UNSENT
from runner.core.states import FINAL_STATES
from runner.run.callers import Callers
from runner.run.run import Run
from runner.run.run_state import Observer, Snapshot
from runner.storage.reader import LedgerReader, exists

PATIENCE = 10.0
"""Seconds that the last messages may take at the end of a command."""
OFF = "off"

Send = Callable[[Notice], bool]
"""Sends a message; tells whether it went out."""


def names_of(run: Run, *, sending: bool) -> tuple[str, ...]:
    """Return the variables that hold the addresses of a run: what it is told, or was.

    Args:
        run: which.
        sending: whether something may be sent; then a folder that does not fit is refused.
    """
    folder = run.folder(sending=sending)
    if words(run.settings.config.notify) or not exists(folder):
        return in_force(run, ())
    with closing(LedgerReader(folder)) as reader:
        return in_force(run, reader.notify())


def in_force(run: Run, kept: Sequence[str]) -> tuple[str, ...]:
    """Return the variables that hold a run's addresses, where earlier ones were told some.

    A ledger may be a stranger's: no other variable is read for it.
    """
    said = words(run.settings.config.notify)
    found = said or [name for name in kept if is_notify_name(name)]
    return () if said == [OFF] else tuple(dict.fromkeys(found))


@contextmanager
def messenger(names: Sequence[str], *, strict: bool) -> Iterator["Messenger"]:
    """Have something that sends messages, and wait a little for the last ones.

    Args:
        names: environment variables, each with an address.
        strict: whether nothing may begin without it; else what is missing is a warning.

    Raises:
        ConfigError: apprise is not installed, or a variable holds no address of it.
    """
    try:
        senders = {name: _sender(name) for name in names}
    except ConfigError as error:
        if strict:
            raise
        _warn(str(error))
        senders = {}
    made = Messenger(senders)
    try:
        yield made
    finally:
        made.close()


class Messenger:
    """Sends messages to some addresses, beside whatever goes on."""

    def __init__(
        self,
        senders: Mapping[str, Send],
        patience: float = PATIENCE,
    ) -> None:
        """Send nothing yet.

        Args:
            senders: by the names of the variables.
            patience: how long the last messages may take, in seconds.
        """
        self._senders = senders
        self._patience = patience
        self._callers = Callers(max(len(senders), 1))
        self._sent: list[tuple[str, Future[bool]]] = []

    def tell(self, notice: Notice | None) -> None:
        """Begin to send a message, to all."""
        if notice is None:
            return
        for name, send in self._senders.items():
            self._sent.append((name, self._callers.submit(send, notice)))

    def watching(self, observer: Observer, run: Run, *, sending: bool) -> "Watching":
        """Return an observer of a run that tells what it needs, and another one everything."""
        folder = run.folder(sending=sending)
        name = f"{folder.parent.name}/{folder.name}"
        return Watching(observer, name, self.tell, is_rehearsal=run.emulated)

    def close(self) -> None:
        """Wait a little for what is on its way, and say what did not go out."""
        wait([future for _, future in self._sent], timeout=self._patience)
        self._callers.shutdown(wait=False)
        failed = [name for name, future in self._sent if not _went_out(future)]
        for name in dict.fromkeys(failed):
            _warn(
                f"{name}: {failed.count(name)} of the messages to the address that it holds did not "
                "go out; the run is what it is without them"
            )


def _went_out(future: Future[bool]) -> bool:
    return future.done() and not future.cancelled() and not future.exception() and future.result()


class Watching:
    """Looks at a run as a screen does, and tells once of each thing that it needs somebody for."""

    def __init__(
        self,
        observer: Observer,
        name: str,
        tell: Callable[[Notice], None],
        *,
        is_rehearsal: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Have told nothing yet."""
        self._observer = observer
        self._name = name
        self._tell = tell
        self._is_rehearsal = is_rehearsal
        self._now = now
        self._told: set[Need] | None = None
        self._last: Snapshot | None = None

    def happened(self, event: Mapping[str, Any]) -> None:
        """Pass it on."""
        self._observer.happened(event)

    def tick(self, snapshot: Snapshot) -> None:
        """Pass it on, and tell what is new."""
        self._observer.tick(snapshot)
        self._last = snapshot
        found = needs(snapshot)
        if snapshot.deadline is not None and self._now() >= snapshot.deadline.at:
            found = (Need.DEADLINE, *found)
        if self._told is None:  # a deadline that had passed before is no news
            self._told = {Need.DEADLINE} & set(found)
        for need in found:
            if need not in self._told and _is_told_now(need, snapshot):
                self._told.add(need)
                how = "reached its deadline" if need is Need.DEADLINE else "needs you"
                self._tell(self.standing(snapshot).says(how, [need]))

    def broken_off(self) -> Notice | None:
        """Return what is told when an error ended the run; None when it had not begun."""
        if self._last is None:
            return None
        why = "an error ended it: the command's last line says which; run it again to go on"
        return self.standing(self._last).says("broke off", [why])

    def standing(self, snapshot: Snapshot) -> Standing:
        """Return how the run stands."""
        return Standing.of(
            self._name, snapshot.counts, snapshot.batches, is_rehearsal=self._is_rehearsal
        )


def _is_told_now(need: Need, snapshot: Snapshot) -> bool:
    """Tell whether a need is told at once, and not with the end, which is near when nothing runs.

    More money may be free when what runs has ended.
    """
    runs = any(b.state not in (*FINAL_STATES, *UNSENT) and not b.is_held for b in snapshot.batches)
    if need is Need.DEADLINE:
        return snapshot.counts.open > 0
    return runs and need is not Need.BUDGET


def needs(snapshot: Snapshot) -> tuple[Need, ...]:
    """Return what a run needs somebody for, as it stands."""
    pilot_failed = snapshot.pilot is not None and snapshot.pilot.failed
    return needs_of(
        snapshot.batches, halted=snapshot.halted, held=snapshot.held, pilot_failed=pilot_failed
    )


def _sender(name: str) -> Send:
    """Return what sends to the address that a variable holds.

    Raises:
        ConfigError: there is no such address, or no apprise.
    """
    address = os.environ.get(name, "").strip()
    if not address:
        raise ConfigError(
            f"notify={name}: the environment variable {name} is not set: let it hold an address that "
            "apprise knows, as mailto://… or slack://…, or take it out with notify=off"
        )
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            f"notify={name}: apprise is not installed: pip install '.[notify]', or notify=off"
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines hold addresses
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Chorus"))
    if not service.add(address):
        raise ConfigError(
            f"notify={name}: what the environment variable {name} holds is no address that apprise "
            "knows (its forms: https://appriseit.com)"
        )
    return lambda notice: bool(service.notify(title=notice.title, body=notice.body))


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)
