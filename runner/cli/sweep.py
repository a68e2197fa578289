"""Drives the jobs of a sweep together: all are checked, each gets a thread, and the end is a table.

Nothing is sent before every job was composed and checked. A job that cannot start says why in its
row, and the others go on. Jobs that share a folder share its ledger, and run one after another.
"""

import importlib
import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

from runner.cli.command import for_real
from runner.cli.exits import DONE, INTERRUPTED, OUR_FAULT, USER_MISTAKE, WORK_REMAINS
from runner.cli.screen import Watched, board
from runner.config.schema import EMULATOR
from runner.config.settings import Settings
from runner.core.definition import variants
from runner.core.errors import (
    ConfigError,
    IllegalTransition,
    LedgerInUse,
    LedgerOfAnotherExperiment,
    RunnerError,
)
from runner.core.identity import replaced
from runner.core.model import Span
from runner.core.plan import Purpose
from runner.core.summary import summary
from runner.run import assemble, preflight
from runner.run.assemble import Result
from runner.run.budget import SharedBudget
from runner.run.emulator_process import emulators
from runner.run.engine import Engine
from runner.run.preview import Preview
from runner.run.run import Run
from runner.storage.ledger import LedgerReader, exists

DRAW_SECONDS = 0.2
LONGEST_NAME = 60
COUNTERS = ("total", "success", "retry_success", "failed", "open")
MONEY = ("cost_usd", "cost_known_usd", "cost_unknown_usd")
REHEARSAL = "REHEARSAL: emulated answers, nothing is paid"
MISTAKES = (ConfigError, LedgerInUse, LedgerOfAnotherExperiment)

Interruptible = Callable[[Any], Callable[[], bool]]
Row = dict[str, Any]


@dataclass(slots=True)
class Job:
    """One job of a sweep, and what became of it."""

    name: str
    """What the command line says of this job and not of all."""
    run: Run
    folder: Path | None = None
    """None while nobody knows, since it was refused."""
    preview: Preview | None = None
    result: Result | None = None
    trouble: RunnerError | OSError | None = None
    """Why it did not start, or ended early."""
    crash: str | None = None
    """The traceback of a fault of ours."""
    watched: Watched | None = None

    @property
    def has_begun(self) -> bool:
        """Tell whether its engine ever ran."""
        return self.watched is not None and self.watched.snapshot is not None


class Fleet:
    """The engines of all jobs, to be stopped together."""

    def __init__(self) -> None:
        """Start without any."""
        self.stopping = False
        self._leaving = False
        self._engines: list[Engine] = []

    def add(self, engine: Engine) -> None:
        """Take an engine that is about to run."""
        self._engines.append(engine)
        if self.stopping:
            engine.stop(leaving=self._leaving)

    def stop(self, *, leaving: bool = False) -> None:
        """Stop them all, as `Engine.stop`; takes no lock, since a signal handler calls it."""
        self.stopping = True
        self._leaving = leaving
        for engine in self._engines:
            engine.stop(leaving=leaving)


def drive(
    settings: Sequence[Settings],
    command: str,
    interruptible: Interruptible,
    purpose: Purpose,
    *,
    as_json: bool,
) -> int:
    """Run every job as far as the purpose goes, all at the same time; print a table.

    Args:
        settings: the jobs.
        command: the command line, as the user can type it again.
        interruptible: lets Ctrl-C stop them all, and tells whether it did.
        purpose: what this run is for.
        as_json: print the table as one JSON object.

    Raises:
        ConfigError: nothing was sent: the budget is too small for all jobs together.
    """
    jobs = checked(settings, sending=purpose in (Purpose.RUN, Purpose.SUBMIT))
    if not as_json:
        for note in notes(jobs):
            print(f"note: {note}")
    fleet = Fleet()
    was_interrupted = interruptible(fleet)
    _run_all([job for job in jobs if job.trouble is None], purpose, fleet, as_json=as_json)
    rows = [_row(job, interrupted=was_interrupted()) for job in jobs]
    for job in jobs:
        if job.crash is not None:
            print(job.crash, file=sys.stderr)
    print_rows(rows, title(jobs), next_step(jobs, rows, command), as_json=as_json)
    return _exit_code(jobs, rows, interrupted=was_interrupted())


def checked(settings: Sequence[Settings], *, sending: bool) -> list[Job]:
    """Return the jobs, each with what stands in its way; nothing is sent yet.

    Raises:
        ConfigError: the budget is too small for all jobs together.
    """
    jobs = prepared(settings, sending=sending)
    _check(jobs, sending=sending)
    _enter(jobs)
    if over := _over_budget(jobs):
        raise ConfigError(over)
    return jobs


def prepared(settings: Sequence[Settings], *, sending: bool) -> list[Job]:
    """Return the jobs with a folder each; live ones pay from one budget, rehearsals from none.

    Raises:
        ConfigError: ids that collide, a provider that does not exist.
    """
    purses = {True: SharedBudget(), False: SharedBudget()}
    jobs = [
        Job(name, Run(one, purses[one.config.service.emulated]))
        for name, one in zip(_names(settings), settings, strict=True)
    ]
    alike: dict[Path, list[Job]] = {}
    for job in jobs:
        alike.setdefault(job.run.settings.folder, []).append(job)
    for siblings in alike.values():
        _give_folders(siblings, sending=sending)
    return jobs


def _give_folders(siblings: Sequence[Job], *, sending: bool) -> None:
    """Give jobs of one provider and model their folders: one a definition, in whatever order."""
    names = variants([job.run.definition for job in siblings]) or [""] * len(siblings)
    taken: dict[Path, str] = {}
    for variant, job in sorted(zip(names, siblings, strict=True), key=lambda pair: pair[0]):
        job.run = job.run.as_variant(variant or None)
        of_others = {folder for folder, other in taken.items() if other != variant}
        try:
            job.run = job.run.placed(of_others, sending=sending)
        except RunnerError as error:
            job.trouble = error
        else:
            job.folder = job.run.folder(sending=sending)
            taken[job.folder] = variant


def _names(settings: Sequence[Settings]) -> list[str]:
    """Name jobs by what only some of them were told; by number where that is the same."""
    told = Counter(word for one in settings for word in dict.fromkeys(one.overrides))
    names = [
        _cut(" ".join(word for word in one.overrides if told[word] < len(settings)))
        for one in settings
    ]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        f"{name} #{number}".strip() if name in twice else name
        for number, name in enumerate(names, start=1)
    ]


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _check(jobs: Iterable[Job], *, sending: bool) -> None:
    """Find out which jobs can start, and what each would send."""
    before: dict[Path | None, list[Span]] = {}
    for job in jobs:
        if job.trouble is not None:
            continue
        assert job.folder is not None
        earlier = before.setdefault(job.folder, [])
        try:
            if not sending and not exists(job.folder):
                raise ConfigError(f"{job.folder}: no run yet")
            job.preview = preflight.ready(job.run, earlier, sending=sending)
        except RunnerError as error:
            job.trouble = error
        else:
            earlier += job.preview.spans if job.preview else ()


def _enter(jobs: Iterable[Job]) -> None:
    """Count what all jobs have spent and reserved, also the ones that cannot start now."""
    for job in jobs:
        if job.folder is None:
            continue
        try:
            if job.trouble is None:
                preflight.enter_budget(job.run)
            else:
                job.run.shared_budget.look_into(job.folder)
        except RunnerError as error:
            job.trouble = job.trouble or error


def _over_budget(jobs: Iterable[Job]) -> str | None:
    """Say why the jobs may cost more than there is, all of them together; None when they may not."""
    paying = [job for job in jobs if job.preview is not None and not job.run.emulated]
    sending = [(most(job), job) for job in paying if job.preview and job.preview.to_send]
    if not sending:
        return None
    budget = min(job.run.settings.config.budget.max_usd for _, job in sending)
    spent, high = (
        sending[0][1].run.shared_budget.total,
        sum((usd for usd, _ in sending), Decimal(0)),
    )
    if spent + high <= Decimal(repr(budget)):
        return None
    requests = sum(job.preview.to_send for _, job in sending if job.preview)
    dearest_usd, dearest = max(sending, key=lambda pair: pair[0])
    return (
        f"budget: the {requests:,} requests of {len(sending)} jobs may cost up to ${high:.4f} in all "
        f"(the dearest, {dearest.name}: ${dearest_usd:.4f}), with ${spent:.4f} spent or reserved: more than "
        f"budget.max_usd={budget:g}, which all jobs share; nothing was sent: ask for less, or allow "
        "more with budget.max_usd=…"
    )


def most(job: Job) -> Decimal:
    """Return the most that what a job would send now may cost; 0 where nobody knows."""
    return (job.preview and job.preview.estimate.high) or Decimal(0)


def notes(jobs: Sequence[Job]) -> list[str]:
    """Return what a user should know before anything is sent, each once."""
    notes = dict.fromkeys(note for job in jobs for note in preflight.warnings(job.run))
    for folder, sharing in by_folder(jobs).items():
        if len(sharing) > 1:
            notes[
                f"{len(sharing)} jobs share {folder}: they run one after another, and their "
                "counters are the folder's"
            ] = None
    return list(notes)


def by_folder(jobs: Iterable[Job]) -> dict[Path, list[Job]]:
    """Return the jobs that can start, by the folder that they share."""
    found: dict[Path, list[Job]] = {}
    for job in jobs:
        if job.folder is not None and job.trouble is None:
            found.setdefault(job.folder, []).append(job)
    return found


# -- running


def _run_all(jobs: Sequence[Job], purpose: Purpose, fleet: Fleet, *, as_json: bool) -> None:
    """Run jobs until all have ended; a thread a folder, while this one draws."""
    worlds = {
        job.folder: assemble.behaviour(job.run) for job in jobs if job.folder and job.run.emulated
    }
    with ExitStack() as stack:
        addresses = stack.enter_context(emulators(worlds))
        for job in jobs:
            address = addresses.get(job.folder) if job.folder else None
            job.run = job.run.emulated_at(address)
        _import_packages(jobs)
        shown = stack.enter_context(board(title(jobs), [job.name for job in jobs], json=as_json))
        for job, watched in zip(jobs, shown.jobs, strict=True):
            job.watched = watched
        threads = [
            Thread(target=_work, args=(sharing, purpose, fleet))
            for sharing in by_folder(jobs).values()
        ]
        stack.callback(_wait_for, threads, fleet)  # also when drawing fails: nobody is left behind
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(DRAW_SECONDS)
                shown.draw()


def _wait_for(threads: Sequence[Thread], fleet: Fleet) -> None:
    if any(thread.is_alive() for thread in threads):
        fleet.stop()
    for thread in threads:
        if thread.ident is not None:
            thread.join()


def _import_packages(jobs: Iterable[Job]) -> None:
    """Import what the jobs use here, since packages that are imported by threads trip one another."""
    wanted = [name for job in jobs for name in job.run.connection.provider_class.packages]
    for name in dict.fromkeys([*wanted, "runner.tables.export"]):
        importlib.import_module(name)


def _work(jobs: Sequence[Job], purpose: Purpose, fleet: Fleet) -> None:
    """Run the jobs of one folder one after another."""
    for job in jobs:
        assert job.watched is not None
        assert job.folder is not None
        if not fleet.stopping:
            _run(job, job.watched, purpose, fleet)
            job.watched.ended = _state(job, interrupted=fleet.stopping)
        job.run.shared_budget.leave(job.folder)


def _run(job: Job, watched: Watched, purpose: Purpose, fleet: Fleet) -> None:
    try:
        job.result = assemble.drive(job.run, purpose, watched, fleet.add)
    except IllegalTransition:
        job.crash = traceback.format_exc()
    except (RunnerError, OSError) as error:
        job.trouble = error
    except Exception:  # noqa: BLE001 - a fault of ours must not stop the other jobs; it is shown
        job.crash = traceback.format_exc()


# -- the end


def _state(job: Job, *, interrupted: bool) -> str:
    """Say in a word or two how a job ended."""
    if job.crash is not None:
        return "our fault"
    if job.trouble is not None:
        return "ended early" if job.has_begun else "not started"
    if job.result is None:
        return "not started"
    snapshot = job.result.snapshot
    if snapshot.counts.open:
        if snapshot.halted:
            return "refused"
        if interrupted:
            return "interrupted"
        return "held" if snapshot.held else "open"
    return "some failed" if snapshot.counts.failed else "done"


def _row(job: Job, *, interrupted: bool) -> Row:
    """Return one job's line of the table, JSON-ready; what is not known is None."""
    ended = job.watched.ended if job.watched else None
    state = ended or _state(job, interrupted=interrupted)
    snapshot = job.result.snapshot if job.result else job.watched.snapshot if job.watched else None
    facts = summary(snapshot.counts, snapshot.batches) if snapshot else {}
    why = (
        job.trouble
        or (snapshot and (snapshot.halted or snapshot.held))
        or (job.crash and _last(job.crash))
    )
    why = why or _answered_by_another(job, facts) or "; ".join(facts.get("twins") or ()) or None
    return {
        "job": job.name,
        "state": state,
        "folder": None if job.folder is None else str(job.folder),
        "rehearsal": job.run.emulated,
        **{name: facts.get(name) for name in COUNTERS},
        **{name: facts.get(name) for name in MONEY},
        "next": _next(job, state),
        "why": None if why is None else str(why),
    }


def _last(text: str) -> str:
    return text.strip().splitlines()[-1]


def _next(job: Job, state: str) -> str:
    """Say what to do about a job."""
    match state:
        case "done":
            return f"look at {job.folder}/answers.csv"
        case "some failed":
            return "ask again with action=retry"
        case "not started" | "refused" | "held":
            return "see below" if job.trouble or job.result else "run again"
        case "our fault":
            return "please report it"
    return "run again"


def title(jobs: Sequence[Job]) -> str:
    """Return what stands above all that is said of a sweep."""
    names = dict.fromkeys(job.run.settings.experiment.name for job in jobs)
    rehearsals = sum(1 for job in jobs if job.run.emulated)
    text = f"{', '.join(names)}  sweep of {len(jobs)} jobs"
    if rehearsals == len(jobs):
        return f"{text}  {REHEARSAL}"
    return f"{text}  {rehearsals} of them a {REHEARSAL}" if rehearsals else text


def _exit_code(jobs: Sequence[Job], rows: Sequence[Row], *, interrupted: bool) -> int:
    if any(job.crash is not None for job in jobs):
        return OUR_FAULT
    if interrupted:
        return INTERRUPTED
    if all(row["state"] == "done" for row in rows):
        return DONE
    mistakes = all(isinstance(job.trouble, MISTAKES) and not job.has_begun for job in jobs)
    return USER_MISTAKE if mistakes else WORK_REMAINS


def next_step(jobs: Sequence[Job], rows: Sequence[Row], command: str) -> str:
    """Say what to do next."""
    if any(row["state"] != "done" for row in rows):
        return f"resume all of it with: {command}"
    if all(row["rehearsal"] for row in rows):
        nameless = any(job.run.settings.config.provider.name == EMULATOR for job in jobs)
        return f"this was a rehearsal; the real thing: {for_real(command, nameless=nameless)}"
    names = dict.fromkeys(job.run.settings.experiment.name for job in jobs)
    over = "" if len(names) == 1 else f" report.over=[{','.join(names)}]"
    return f"python -m runner action=report name={next(iter(names))}{over}"


def print_rows(rows: Sequence[Row], heading: str, what_next: str, *, as_json: bool) -> None:
    """Print the table, or the same as JSON."""
    totals = _totals(rows)
    if as_json:
        found = {"jobs": rows, "totals": totals, "next": what_next}
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    print(heading)
    columns = ("job", "state", *COUNTERS, "cost", "next")
    table = [[_cell(row, column) for column in columns] for row in rows]
    last = [_cell({**totals, "job": "all"}, column) for column in columns]
    _print_table([columns, *table, last])
    for row in rows:
        if row["why"] is not None:
            print(f"! {row['job']}: {row['why'].removeprefix(row['job'] + ': ')}")
    print(f"next     {what_next}")


def _totals(rows: Sequence[Row]) -> Row:
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
        if row.get("total") is None:
            return "-"
        if row["cost_usd"] is not None:
            return f"${float(row['cost_usd']):.4f}"
        known = float(row.get("cost_known_usd") or 0)
        return f"${known:.4f} + unknown" if known else "unknown"
    value = row.get(column, "")
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    """Print columns, numbers to the right."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = []
        for number, (text, width) in enumerate(zip(line, widths, strict=True)):
            fill = " " * (width - cell_len(text))
            words = number in _WORDS or number == len(line) - 1
            cells.append(text + fill if words else fill + text)
        print("  ".join(cells).rstrip())


_WORDS = (0, 1)
"""Columns that begin at the left; so does the last one."""


# -- looking only


def plan(settings: Sequence[Settings], *, as_json: bool) -> int:
    """Print what every job would send and the sum; opens no socket, writes no file."""
    jobs = prepared(settings, sending=True)
    before: dict[Path | None, list[Span]] = {}
    for job in jobs:
        try:
            if job.trouble is None:
                job.preview = preflight.preview(job.run, before.setdefault(job.folder, []))
                before[job.folder] += job.preview.spans
        except RunnerError as error:
            job.trouble = error
    _enter(jobs)
    _print_plan(jobs, as_json=as_json)
    return DONE if any(job.preview for job in jobs) else USER_MISTAKE


def _print_plan(jobs: Sequence[Job], *, as_json: bool) -> None:
    planned = [(job, job.preview) for job in jobs if job.preview is not None]
    known = [job for job, preview in planned if preview.estimate.high is not None]
    sums = {
        "to_send": sum(preview.to_send for _, preview in planned),
        "batches": sum(preview.batches for _, preview in planned),
        "cost_usd_low": float(sum(p.estimate.low or Decimal(0) for _, p in planned)),
        "cost_usd_high": float(sum(map(most, known), Decimal(0))),
        "price_unknown": len(planned) - len(known),
    }
    if as_json:
        facts = [
            {"job": job.name, **preflight.plan_facts(job.run, preview)} for job, preview in planned
        ]
        refused = [{"job": job.name, "why": str(job.trouble)} for job in jobs if job.trouble]
        found = {"jobs": [*facts, *refused], "totals": sums, "over_budget": _over_budget(jobs)}
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    columns = ("job", "requests", "to send", "batches", "cost", "folder")
    rows = [
        (
            job.name,
            f"{preview.counts.total:,}",
            f"{preview.to_send:,}",
            f"{preview.batches:,}",
            "unknown" if job not in known else
            f"${preview.estimate.low:.4f} to ${preview.estimate.high:.4f}",
            str(preview.folder),
        )
        for job, preview in planned
    ]  # fmt: skip
    unknown = f" and {sums['price_unknown']} unknown" if sums["price_unknown"] else ""
    cost = f"${sums['cost_usd_low']:.4f} to ${sums['cost_usd_high']:.4f}{unknown}"
    print(title(jobs))
    total = ("all", "", f"{sums['to_send']:,}", f"{sums['batches']:,}", cost, "")
    _print_table([columns, *rows, total])
    for note in notes(jobs):
        print(f"note: {note}")
    for job in jobs:
        if job.trouble is not None:
            print(f"! {job.name}: {job.trouble}")
    if over := _over_budget(jobs):
        print(f"! {over}")


def status(settings: Sequence[Settings], command: str, *, as_json: bool) -> int:
    """Print how every job stands, from the ledgers, also while they run."""
    jobs = prepared(settings, sending=False)
    rows = [stored(job) for job in jobs]
    going = any(row["state"] == "running" for row in rows)
    what_next = "they are at work" if going else next_step(jobs, rows, command)
    print_rows(rows, title(jobs), what_next, as_json=as_json)
    return DONE if all(row["state"] == "done" for row in rows) else WORK_REMAINS


def _answered_by_another(job: Job, facts: Mapping[str, Any]) -> str | None:
    return replaced(job.run.settings.config.provider.model, facts.get("models_returned") or {})


def stored(job: Job) -> Row:
    """Return a job's line by its ledger."""
    facts: Mapping[str, Any] = {}
    state, what_next = "no run yet", "run"
    try:
        if job.folder is not None and job.trouble is None and exists(job.folder):
            with closing(LedgerReader(job.folder)) as reader:
                facts, runner = reader.get("summary") or {}, reader.holder()
            state, what_next = _stored_state(job, facts, running=runner is not None)
    except RunnerError as error:
        job.trouble = error
    if job.trouble is not None:
        state, what_next = "not readable", "see below"
    why = job.trouble or facts.get("halted") or facts.get("held")
    why = why or _answered_by_another(job, facts) or "; ".join(facts.get("twins") or ()) or None
    return {
        "job": job.name,
        "state": state,
        "folder": None if job.folder is None else str(job.folder),
        "rehearsal": job.run.emulated,
        **{name: facts.get(name) for name in COUNTERS},
        **{name: facts.get(name) for name in MONEY},
        "next": what_next,
        "why": None if why is None else str(why),
    }


def _stored_state(job: Job, facts: Mapping[str, Any], *, running: bool) -> tuple[str, str]:
    if running:
        return "running", "wait, or look: python -m tui"
    if not facts or facts["open"]:
        return "open", "run again"
    state = "some failed" if facts["failed"] else "done"
    return state, _next(job, state)


def each(settings: Sequence[Settings], perform: Callable[[Run], int]) -> int:
    """Do something with one job after another; return the exit code.

    What is wrong with one job is said, and the others go on.
    """
    codes = []
    for job in prepared(settings, sending=False):
        print(f"== {job.name}", file=sys.stderr)
        try:
            if job.trouble is not None:
                raise job.trouble
            codes.append(perform(job.run))
        except RunnerError as error:
            print(f"error: {job.name}: {error}", file=sys.stderr)
            codes.append(USER_MISTAKE if isinstance(error, MISTAKES) else WORK_REMAINS)
    if set(codes) <= {DONE, USER_MISTAKE} and DONE in codes and USER_MISTAKE in codes:
        return WORK_REMAINS
    return max(codes)
