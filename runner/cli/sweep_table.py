"""The table of a sweep: a row a job, by how it ended or by its ledger, and the sums below."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

from runner import called
from runner.cli.exits import DONE, INTERRUPTED, OUR_FAULT, USER_MISTAKE, WORK_REMAINS
from runner.cli.next_step import AGAIN, SEE_BELOW, of_job
from runner.cli.output import labelled, print_json, print_table, print_warnings
from runner.cli.phrases import NO_RUN
from runner.cli.sweep_jobs import SweepJob
from runner.core.cost import dollars
from runner.core.summary import summary
from runner.storage.reader import LedgerReader, exists

COUNTERS = ("total", "success", "retry_success", "failed", "open")
MONEY = ("cost_usd", "cost_known_usd", "cost_unknown_usd")

Row = dict[str, Any]
"""One job's line of the table, JSON-ready; what is not known is None."""


def row_of(job: SweepJob, *, interrupted: bool) -> Row:
    """Return the line of a job that this process drove, or tried to."""
    watched = job.watched
    state = (watched and watched.ended) or job.state(interrupted=interrupted)
    snapshot = job.result.snapshot if job.result else watched.snapshot if watched else None
    facts: dict[str, Any] = {}
    if snapshot is not None:
        facts = summary(snapshot.counts, snapshot.batches) | {
            "halted": snapshot.halted,
            "held": snapshot.held,
        }
    return _row(job, facts, state, of_job(job, state))


def refused_rows(jobs: Sequence[SweepJob]) -> list[Row]:
    """Return the lines of a panel's jobs that could not be composed."""
    return [
        _row(job, {}, "refused", SEE_BELOW) | {"job": name, "folder": None, "why": why}
        for job in jobs
        for name, why in job.run.settings.refused
    ]


def stored_row(job: SweepJob) -> Row:
    """Return a job's line by its ledger."""
    facts: Mapping[str, Any] = {}
    state, what_next = NO_RUN, "run"
    with job.noting_trouble():
        if job.folder is not None and job.trouble is None and exists(job.folder):
            with closing(LedgerReader(job.folder)) as reader:
                facts, runner = reader.get("summary") or {}, reader.holder()
            state, what_next = _stored_state(job, facts, running=runner is not None)
    if job.trouble is not None:
        state, what_next = "not readable", SEE_BELOW
    return _row(job, facts, state, what_next)


def _stored_state(job: SweepJob, facts: Mapping[str, Any], *, running: bool) -> tuple[str, str]:
    if running:
        return "running", f"wait, or look: {called.command(called.DASHBOARD)}"
    if not facts or facts["open"]:
        return "open", AGAIN
    state = "some failed" if facts["failed"] else "done"
    return state, of_job(job, state)


def _row(job: SweepJob, facts: Mapping[str, Any], state: str, what_next: str) -> Row:
    return {
        "job": job.name,
        "state": state,
        "folder": None if job.folder is None else str(job.folder),
        "rehearsal": job.run.emulated,
        **{name: facts.get(name) for name in (*COUNTERS, *MONEY)},
        "next": what_next,
        "why": job.why(facts),
    }


def exit_code(rows: Sequence[Row], *, interrupted: bool, mistakes: bool) -> int:
    """Return the exit code of a sweep.

    Args:
        rows: of its table.
        interrupted: whether the user stopped it.
        mistakes: whether no job began, and the user can put that right.
    """
    if any(row["state"] == "our fault" for row in rows):
        return OUR_FAULT
    if interrupted:
        return INTERRUPTED
    if all(row["state"] == "done" for row in rows):
        return DONE
    return USER_MISTAKE if mistakes else WORK_REMAINS


def print_rows(rows: Sequence[Row], heading: str, what_next: str, *, as_json: bool) -> None:
    """Print the table, or the same as JSON.

    Args:
        rows: one a job.
        heading: what stands above.
        what_next: what stands below.
        as_json: print one JSON object.
    """
    total = sums(rows)
    if as_json:
        print_json({"jobs": rows, "totals": total, "next": what_next})
        return
    print(heading)
    columns = ("job", "state", *COUNTERS, "cost", "next")
    cells = [[_cell(row, column) for column in columns] for row in (*rows, {**total, "job": "all"})]
    print_table([columns, *cells])
    print_warnings(
        f"{row['job']}: {row['why'].removeprefix(row['job'] + ': ')}" for row in rows if row["why"]
    )
    print(labelled("next", what_next))


def sums(rows: Sequence[Row]) -> Row:
    """Sum the rows; of those that share a folder, whose counters are the folder's, only the last."""
    counted = {row["folder"]: row for row in rows if row["total"] is not None}.values()
    costs = [row["cost_usd"] for row in counted]
    sure = [Decimal(cost) for cost in costs if cost is not None]
    known = [Decimal(row.get("cost_known_usd") or row["cost_usd"] or 0) for row in counted]
    return {
        **{name: sum(row[name] for row in counted) for name in COUNTERS},
        "cost_usd": str(sum(sure, Decimal(0))) if len(sure) == len(costs) else None,
        "cost_known_usd": str(sum(known, Decimal(0))),
        "cost_unknown": len(costs) - len(sure),
    }


def _cell(row: Mapping[str, Any], column: str) -> str:
    if column == "cost":
        return _cost(row)
    value = row.get(column, "")
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _cost(row: Mapping[str, Any]) -> str:
    if row.get("total") is None:
        return "-"
    if row["cost_usd"] is not None:
        return dollars(float(row["cost_usd"]))
    known = float(row.get("cost_known_usd") or 0)
    return f"{dollars(known)} + unknown" if known else "unknown"
