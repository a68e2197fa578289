"""What is told to somebody who is not there: how a run ended, and that it needs a hand.

Nothing of prompts, answers, keys or a provider's words gets into it: it goes through services that
are not part of a study.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from runner.core.ends import held_up
from runner.core.model import Batch
from runner.core.request_states import Counts
from runner.core.summary import cost_of


class Need(StrEnum):
    """What a run cannot do by itself, or what somebody wanted to know at once; one message each."""

    DEADLINE = "the deadline has passed: what is open is asked one by one"
    REFUSED = (
        "nothing more is sent: the provider or the account refused; action=status says which batch"
    )
    PILOT = "the pilot failed, nothing more is sent; action=patterns shows what was read"
    BUDGET = "budget.max_usd is reached: what is left is not sent; run again with a larger one"
    HELD = "a batch is held, nothing of it is asked again; action=status says why"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands, or all jobs of a sweep."""

    name: str
    """The run's folder below outputs/, as literary/openai_gpt-6-luna."""
    total: int = 0
    answered: int = 0
    failed: int = 0
    open: int = 0
    spent: Decimal | None = None
    """In US dollars; None: unknown."""
    is_rehearsal: bool = False

    @classmethod
    def of(
        cls, name: str, counts: Counts, batches: tuple[Batch, ...], *, is_rehearsal: bool
    ) -> "Standing":
        """Return how a run stands, by its counters and batches."""
        return cls(
            name=name,
            total=counts.total,
            answered=counts.success + counts.retry_success,
            failed=counts.failed,
            open=counts.open,
            spent=cost_of(batches).spent,
            is_rehearsal=is_rehearsal,
        )

    def says(self, how: str, lines: Iterable[str] = ()) -> Notice:
        """Return a message that says how it is, in a word or two, and some lines more."""
        money = "cost unknown" if self.spent is None else f"${self.spent:.2f}"
        rehearsal = " (a rehearsal)" if self.is_rehearsal else ""
        said = [f"{self.failed:,} failed"] if self.failed else []
        said += [f"{self.open:,} open"] if self.open else []
        return Notice(
            f"Chorus: {self.name} {how}: {self.answered:,} of {self.total:,} answered, {money}{rehearsal}",
            "\n".join([*lines, ", ".join(said)] if said else lines) or "all is answered",
        )


def needs_of(
    batches: tuple[Batch, ...], *, halted: str | None, held: str | None, pilot_failed: bool
) -> tuple[Need, ...]:
    """Return what a run needs somebody for.

    Args:
        batches: all of the run.
        halted: why nothing more is sent.
        held: why something that could be sent is not.
        pilot_failed: whether the pilot has.
    """
    found = {
        Need.PILOT: pilot_failed,
        Need.REFUSED: halted is not None and not pilot_failed,
        Need.BUDGET: held is not None and "budget.max_usd" in held,
        Need.HELD: held_up(batches) is not None or any(batch.candidates for batch in batches),
    }
    return tuple(need for need, is_there in found.items() if is_there)


def ended(
    standing: Standing, needs: Sequence[Need], *, interrupted: bool, waited: bool
) -> Notice | None:
    """Return what is told when a command has ended.

    Args:
        standing: how the run stands.
        needs: what it needs somebody for.
        interrupted: whether somebody stopped it.
        waited: whether it was to go on until nothing is open.

    Returns:
        None where it left as it was meant to, and nothing is new.
    """
    if interrupted:
        return standing.says("stopped", needs)
    if standing.open and needs:
        return standing.says("needs you", needs)
    if standing.open and not waited:
        return None
    return standing.says("ended", needs)


def sweep_ended(
    rows: Sequence[Mapping[str, Any]], sums: Mapping[str, Any], *, interrupted: bool
) -> Notice:
    """Return what is told when a sweep has ended, by the rows of its table and their sums."""
    names = [_folder(row) for row in rows]
    experiments = dict.fromkeys(name.partition("/")[0] for name in names if name)
    standing = Standing(
        name=f"{', '.join(experiments) or 'the sweep'}, sweep of {len(rows)} jobs,",
        total=sums["total"],
        answered=sums["success"] + sums["retry_success"],
        failed=sums["failed"],
        open=sums["open"],
        spent=None if sums["cost_usd"] is None else Decimal(sums["cost_usd"]),
        is_rehearsal=all(row["rehearsal"] for row in rows),
    )
    lines = [f"{name or 'a job'}: {row['state']}" for name, row in zip(names, rows, strict=True)]
    return standing.says("stopped" if interrupted else "ended", lines)


def _folder(row: Mapping[str, Any]) -> str:
    """Return a job's folder below outputs/; what was typed for it may hold a prompt."""
    return "/".join(str(row["folder"] or "").replace("\\", "/").split("/")[-2:])
