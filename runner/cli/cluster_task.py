"""What a job of a sweep does on the machine where the launcher runs it.

It needs nothing from the command that started it: it reads its ticket, drives its run, and leaves a
note of how it ended on the disk that all share.
"""

import json
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from runner.cli.cluster_tickets import Ticket, read_ticket
from runner.cli.exits import INTERRUPTED, MISTAKES, OUR_FAULT, USER_MISTAKE, WORK_REMAINS, code_of
from runner.cli.screen import Plain
from runner.cli.signals import take_over
from runner.cli.slurm import preempted
from runner.config.compose import settings_of
from runner.config.settings import Settings
from runner.core.errors import ConfigError, LedgerInUse, RunnerError
from runner.core.plan import Purpose
from runner.run import assemble
from runner.run.assemble import Result
from runner.run.notify import messenger, names_of
from runner.run.run import Run
from runner.storage.files import write_durably
from runner.storage.lease import SECONDS

LOOK_SECONDS = 1.0
"""Between two looks at a ledger that another process holds."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a job does, wherever the launcher runs it."""

    tickets: tuple[Ticket, ...]
    purpose: Purpose
    notes: Path
    """Where a job says how it ended; on the disk that all share."""

    def __call__(self, cfg: DictConfig) -> int:
        """Run the job that Hydra has composed; return its exit code."""
        number = int(HydraConfig.get().job.num)
        handlers, why = _Handlers(), None
        try:
            result = self._drive(settings_of(cfg), self.tickets[number], handlers)
        except (RunnerError, OSError) as error:
            mistake = isinstance(error, MISTAKES) and not handlers.has_engine
            code, why = USER_MISTAKE if mistake else WORK_REMAINS, str(error)
        except Exception as error:  # noqa: BLE001 - the note is all that the other side hears of it
            traceback.print_exc()
            code, why = OUR_FAULT, f"{type(error).__name__}: {error}"
        else:
            counts = result.snapshot.counts
            code = code_of(counts)
            if counts.open and handlers.stopped_by is not None:
                code, why = INTERRUPTED, handlers.pass_on()
        note = {"code": code, "why": why, "started": handlers.has_engine}
        write_durably(note_of(self.notes, number), [json.dumps(note).encode()])
        return code

    def _drive(self, settings: Settings, ticket: Ticket, handlers: "_Handlers") -> Result:
        budget = replace(settings.config.budget, max_usd=ticket.max_usd)
        settings = replace(settings, config=replace(settings.config, budget=budget))
        run = Run(settings, place=ticket.folder).varying(ticket.varied)

        def on_engine(engine: Any) -> None:
            """Called with the ledger held: a command that writes tickets looks at ledgers afterwards."""
            if read_ticket(ticket.folder).get("token") != ticket.token:
                raise ConfigError(
                    f"{ticket.folder}: a later command has this job now; nothing was sent by this one"
                )
            handlers.watch(engine)

        end = time.monotonic() + 2 * SECONDS
        while True:
            try:
                sends = self.purpose.sends
                with messenger(names_of(run, sending=sends), strict=False) as messages:
                    watching = messages.watching(Plain(), run, sending=sends)
                    return assemble.drive(run, self.purpose, watching, on_engine)
            except LedgerInUse:  # perhaps by the one before this, which died on another machine
                if time.monotonic() > end:
                    raise
                time.sleep(LOOK_SECONDS)


def note_of(notes: Path, number: int) -> Path:
    """Return where a job says how it ended, by its place among those that were started."""
    return notes / f"{number}.json"


class _Handlers:
    """Stops an engine cleanly when the cluster wants the job to end.

    submitit ignores SIGTERM, and its own way out (SIGUSR2, before the time is over) would tear the
    engine out of its calls: it gets the signal when the engine has stopped.
    """

    def __init__(self) -> None:
        """Start without an engine."""
        self.stopped_by: int | None = None
        self.has_engine = False
        self._before: dict[int, Any] = {}

    def watch(self, engine: Any) -> None:
        """Let signals stop an engine, from now on."""
        self.has_engine = True
        if current_thread() is main_thread():  # some launchers run jobs in threads of their own
            numbers = (signal.SIGINT, signal.SIGTERM, preempted())
            self._before = take_over(self._stopping(engine), *numbers)

    def _stopping(self, engine: Any) -> Callable[[int, object], None]:
        def hit(number: int, _: object) -> None:
            self.stopped_by = number
            engine.stop()

        return hit

    def pass_on(self) -> str | None:
        """Give the launcher's own handler the signal that came before time was over.

        It may put the job into the queue again, and leaves then (SystemExit).

        Returns:
            Why it does not.
        """
        before = self._before.get(preempted())
        if self.stopped_by == preempted() and callable(before):
            try:
                before(self.stopped_by, None)
            except Exception as error:  # noqa: BLE001 - submitit's way of saying no
                return str(error)
        return None
