"""What the dashboard knows of an experiment at one moment; pure, and free of any widget."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.core.model import Batch
from runner.core.states import LOST, Outcome
from runner.storage.lock import Holder


class Health(StrEnum):
    """Whether a ledger could be read just now."""

    OK = "ok"
    MISSING = "missing"
    EMPTY = "empty"
    """There is a folder, and no run in it yet."""
    LOCKED = "locked"
    NEWER = "newer"
    """Another version wrote it: nothing is drawn from it."""
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run's folder, with the last good data and how old they are."""

    folder: Path
    health: Health
    trouble: str | None = None
    """What is wrong with the ledger, in one line; None when it is well."""
    good_at: float | None = None
    """When the data below were read, in seconds since the epoch; None: there are none."""
    opened: int = 0
    """How often the ledger was opened: it grows when another takes its place."""
    experiment: Mapping[str, Any] = field(default_factory=dict)
    """The ledger's record of what was asked; `definition` has personas, texts, questions, model."""
    plan: Mapping[str, Any] | None = None
    """What the runner said before it sent anything; None: an older version did not write it."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    heartbeat: Mapping[str, Any] = field(default_factory=dict)
    holder: Holder | None = None
    """Who holds the ledger now, as this machine's operating system says."""
    rev: int = 0
    batches: tuple[Batch, ...] = ()
    commands: tuple[Mapping[str, Any], ...] = ()
    """What was asked of the runner and is not carried out yet."""

    @property
    def name(self) -> str:
        """Return the folder's name, as `openai_gpt-4o-mini`."""
        return self.folder.name

    @property
    def definition(self) -> Mapping[str, Any]:
        """Return what was asked; empty when that is not known."""
        found: Mapping[str, Any] = self.experiment.get("definition", {})
        return found

    @property
    def provider(self) -> str:
        """Return who is asked."""
        return str(self.definition.get("model", {}).get("provider", "?"))

    @property
    def model(self) -> str:
        """Return which model is asked."""
        return str(self.definition.get("model", {}).get("name", self.name))

    @property
    def emulated(self) -> bool:
        """Tell whether this is a rehearsal."""
        return bool(self.experiment.get("emulated"))

    @property
    def held_up(self) -> tuple[tuple[str, str], ...]:
        """Return what keeps the runner from sending more, each with its style."""
        styles = (("halted", "bad"), ("held", "warn"))
        said = ((self.summary.get(key), style) for key, style in styles)
        return tuple((str(text), style) for text, style in said if text)

    @property
    def known(self) -> bool:
        """Tell whether there is anything to draw."""
        return self.good_at is not None and self.health is not Health.NEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every job of an experiment, as they were read."""

    experiment: str
    at: float
    """When it was read, in seconds since the epoch."""
    jobs: tuple[Job, ...]
    trouble: str | None = None
    """Why there is no job at all."""

    @property
    def known(self) -> tuple[Job, ...]:
        """Return the jobs there is something to draw of."""
        return tuple(job for job in self.jobs if job.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The counters of some jobs together."""

    total: int = 0
    success: int = 0
    retry_success: int = 0
    failed: int = 0
    open: int = 0
    asked_again: int = 0
    """Attempts whose answer could not be read."""
    lost: int = 0
    """Attempts that brought no answer."""
    cost_usd: Decimal = Decimal(0)
    cost_known: bool = True
    cost_unknown: int = 0
    """Attempts that may be billed at an unknown cost."""
    cost_unknown_usd: Decimal = Decimal(0)
    """The most that those may cost, which stays reserved."""
    committed_usd: Decimal = Decimal(0)
    """Spent, plus the most that running, doubtful or abandoned batches may cost."""
    budget_usd: Decimal | None = None

    @property
    def done(self) -> int:
        """Return how many requests are decided."""
        return self.success + self.retry_success + self.failed

    @property
    def difference(self) -> int:
        """Return by how much the counters miss the total; 0, or the ledger is wrong."""
        return self.total - self.done - self.open


_LOST = tuple(outcome.value for outcome in (*LOST, Outcome.CANCELLED))


def totals(jobs: tuple[Job, ...]) -> Totals:
    """Add up the counters of some jobs, as their runners wrote them."""
    told = [job.summary for job in jobs if job.known and job.summary]
    outcomes = [row.get("outcomes", {}) for row in told]
    spent = [row.get("cost_usd") for row in told]
    budgets = {job.plan["budget_usd"] for job in jobs if job.plan and job.plan.get("budget_usd")}
    return Totals(
        **{
            name: sum(int(row.get(name, 0)) for row in told)
            for name in ("total", "success", "retry_success", "failed", "open")
        },
        asked_again=sum(row.get("invalid", 0) for row in outcomes),
        lost=sum(row.get(name, 0) for row in outcomes for name in _LOST),
        cost_usd=sum((Decimal(usd) for usd in spent if usd is not None), Decimal(0)),
        cost_known=None not in spent,
        cost_unknown=sum(int(row.get("cost_unknown", 0)) for row in told),
        cost_unknown_usd=sum(
            (Decimal(row.get("cost_unknown_usd", "0")) for row in told), Decimal(0)
        ),
        committed_usd=sum((Decimal(row.get("committed_usd", "0")) for row in told), Decimal(0)),
        budget_usd=Decimal(str(max(budgets))) if budgets else None,
    )
