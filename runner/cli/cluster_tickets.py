"""Tickets: which command may start a job on another machine, and what it may spend there.

One lies in each run's folder. A job that waited in a queue while a later command came finds another
ticket there, and leaves.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.cli.phrases import plural
from runner.cli.sweep_jobs import SweepJob
from runner.core.cost import dollars
from runner.core.errors import ConfigError
from runner.storage.files import write_durably

NAME = "ticket.json"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a job is told by the command that starts it."""

    token: str
    """Names the command."""
    folder: Path
    max_usd: float
    """Its share of the budget: what it has committed already, and what it may commit."""
    varied: Mapping[str, Any] = field(default_factory=dict)
    """What it was told otherwise than other jobs of the sweep, by column."""

    def write(self) -> None:
        """Put it into the run's folder, which is made if need be."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        put_back(self.folder, {**asdict(self), "folder": str(self.folder)})


def put_back(folder: Path, ticket: Mapping[str, Any]) -> None:
    """Write a ticket as `read_ticket` returned it."""
    write_durably(folder / NAME, [json.dumps(ticket).encode()])


def read_ticket(folder: Path) -> dict[str, Any]:
    """Return the ticket of a run; empty where there is none.

    Raises:
        ConfigError: it is no JSON.
    """
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{folder / NAME} cannot be read ({error}): delete it") from None
    return found if isinstance(found, dict) else {}


def shared_out(
    jobs: Sequence[SweepJob], wanted: Sequence[int], at_work: Mapping[int, Any], token: str
) -> Iterator[Ticket]:
    """Share the budget: each job gets what it has committed and may need now, and equally of the rest.

    Args:
        jobs: all of the sweep.
        wanted: the numbers of those that are to be started.
        at_work: the tickets of those that run already, by number.
        token: names this command.

    Raises:
        ConfigError: jobs that are at work may still spend too much of it.
    """
    paying = [n for n, job in enumerate(jobs) if job.folder and not job.run.emulated]
    folders = {jobs[n].folder: n for n in paying}
    used = {
        n: jobs[n].run.shared_budget.committed(folder) for folder, n in folders.items() if folder
    }
    for n in set(at_work) & set(used):
        used[n] = max(used[n], Decimal(repr(float(at_work[n].get("max_usd", 0)))))
    needed = {n: jobs[n].most_usd for n in wanted if n in used}
    allowed = [Decimal(repr(jobs[n].run.settings.config.budget.max_usd)) for n in wanted]
    budget = min(allowed, default=Decimal(0))
    rest = budget - sum(used.values(), Decimal(0)) - sum(needed.values(), Decimal(0))
    if rest < 0 and any(needed.values()):
        raise ConfigError(
            f"budget: {plural(len(at_work), 'job')} at work may spend what they were given, and "
            f"{len(needed)} more may cost {dollars(sum(needed.values()))}: {dollars(-rest)} more than "
            f"budget.max_usd={budget:g}; nothing was started: wait for those, or allow more"
        )
    for n in wanted:
        folder = jobs[n].folder
        assert folder is not None
        share = Decimal(0)
        if n in used:
            share = used[n] + needed[n] + max(rest, Decimal(0)) / len(needed)
        yield Ticket(token, folder.absolute(), upwards(share), jobs[n].run.varied)


def upwards(share: Decimal) -> float:
    """Return a share as the next number that a configuration can hold."""
    number = float(share)
    return number if Decimal(repr(number)) >= share else math.nextafter(number, math.inf)
