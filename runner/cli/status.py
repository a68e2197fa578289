"""`action=status`: how a run, or every job of a sweep, stands, from its ledger, also while it runs."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.cli.exits import DONE, WORK_REMAINS
from runner.cli.next_step import after_sweep
from runner.cli.output import labelled, print_json, print_warnings
from runner.cli.phrases import (
    NO_RUN,
    counters,
    days,
    due_line,
    pilot_line,
    seconds,
    title,
    until_line,
)
from runner.cli.progress_lines import how_far
from runner.cli.sweep_jobs import prepared
from runner.cli.sweep_jobs import title as title_of_sweep
from runner.cli.sweep_table import COUNTERS, print_rows, stored_row
from runner.config.settings import Settings
from runner.core.identity import replaced
from runner.core.model import Batch
from runner.core.pilot import PilotStanding
from runner.core.states import FINAL_STATES
from runner.core.summary import Cost, cost_of, days_left, shown_state
from runner.run.run import Run
from runner.storage.reader import LedgerReader, exists


def of_run(run: Run, *, as_json: bool) -> int:
    """Print how a run stands; return the exit code."""
    folder = run.folder(sending=False)
    if not exists(folder):
        if as_json:
            print(json.dumps({"folder": str(folder), "started": False}))
        else:
            print(f"{folder}: {NO_RUN}")
        return WORK_REMAINS
    with closing(LedgerReader(folder)) as reader:
        summary, beat = reader.get("summary") or {}, reader.get("heartbeat") or {}
        batches, holder = reader.batches(), reader.holder()
        deadline = reader.deadline()
    now = time.time()
    asked = run.settings.config.provider.model
    facts = {
        "folder": str(folder),
        "started": True,
        "rehearsal": run.emulated,
        "runner": None if holder is None else {"pid": holder.pid, "host": holder.host},
        "heartbeat_age_seconds": round(now - beat["at"], 1) if "at" in beat else None,
        **summary,
        **({} if deadline is None else {"deadline": asdict(deadline)}),
        "answered_by_another": replaced(asked, summary.get("models_returned", {})),
        "open_batches": [_facts(b, now) for b in batches if b.state not in FINAL_STATES],
    }
    if as_json:
        print_json(facts)
    else:
        _print(run, facts, folder, cost_of(batches))
    return DONE if summary and not summary["open"] and not summary["failed"] else WORK_REMAINS


def _facts(batch: Batch, now: float) -> dict[str, Any]:
    return {
        "batch": batch.key,
        "state": shown_state(batch),
        "remote": batch.remote,
        "candidates": list(batch.candidates),
        "remote_state": batch.remote_state,
        "requests": batch.count,
        "completed": batch.completed,
        "done": how_far(batch),
        "days_left": days_left(batch, now),
        "next_at": batch.next_at,
        "error": batch.error,
    }


def _print(run: Run, facts: Mapping[str, Any], folder: Path, cost: Cost) -> None:
    runner, age = facts["runner"], facts["heartbeat_age_seconds"]
    alive = f"running, pid {runner['pid']} on {runner['host']}" if runner else "not running"
    if age is not None:
        alive += f", last heartbeat {seconds(age)} ago"
    rows = [("folder", str(folder)), ("runner", alive)]
    if "total" in facts:
        rows.append(("answers", counters({name: facts[name] for name in COUNTERS})))
        if "pilot" in facts:
            rows.append(("pilot", pilot_line(PilotStanding.of(facts["pilot"]))))
        if "until" in facts:
            rows.append(("trials", until_line(facts["until"])))
        if "deadline" in facts:
            rows.append(("deadline", due_line(facts["deadline"], time.time())))
        rows.append(("cost", str(cost).removeprefix("cost ")))
    print(title(run))
    for label, text in rows:
        print(f"  {labelled(label, text)}")
    print_warnings(
        [facts["answered_by_another"], *facts.get("twins", ()), *facts.get("charged", ())]
    )
    for batch in facts["open_batches"]:
        for line in _lines(batch):
            print(line)


def _lines(batch: Mapping[str, Any]) -> Iterator[str]:
    heard = batch["remote_state"] or "nothing heard yet"
    done = f", {batch['done']}" if batch["done"] else ""
    error = f"  {batch['error']}" if batch["error"] else ""
    yield f"  {batch['batch']}  {batch['state']} ({heard})  {batch['requests']:,} requests{done}{error}"
    if batch["days_left"] is not None:
        yield labelled(
            "",
            f"its answers wait to be collected: {days(batch['days_left'])} left; action=collect "
            "fetches them",
        )


def of_sweep(settings: Sequence[Settings], command: str, *, as_json: bool) -> int:
    """Print how every job stands; return the exit code."""
    jobs = prepared(settings, sending=False)
    rows = [stored_row(job) for job in jobs]
    going = any(row["state"] == "running" for row in rows)
    what_next = "they are at work" if going else after_sweep(jobs, rows, command)
    print_rows(rows, title_of_sweep(jobs), what_next, as_json=as_json)
    return DONE if all(row["state"] == "done" for row in rows) else WORK_REMAINS
