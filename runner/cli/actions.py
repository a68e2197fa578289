"""What each `action=` does, and what it prints; the text for people, or JSON."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.cli import sweep
from runner.cli.command import for_real
from runner.cli.exits import DONE, INTERRUPTED, WORK_REMAINS
from runner.cli.init import write_starter
from runner.cli.screen import how_far, screen
from runner.config.checks import FORMATS
from runner.config.problems import words
from runner.config.schema import EMULATOR, Config
from runner.config.settings import Settings
from runner.core.advice import advice
from runner.core.cost import Estimate
from runner.core.errors import ConfigError
from runner.core.identity import replaced
from runner.core.model import Batch
from runner.core.plan import Purpose
from runner.core.states import AT_PROVIDER, FINAL_STATES, BatchState, Outcome
from runner.core.summary import Cost, cost_of, days_left, models_returned, shown_state, totals
from runner.core.twins import told_of
from runner.run import assemble, maintenance, preflight
from runner.run.assemble import Result
from runner.run.preview import Preview, temperatures, way
from runner.run.run import Run
from runner.storage.ledger import LedgerReader, exists

Interruptible = Callable[[Any], Callable[[], bool]]


def perform_all(jobs: list[Settings], command: str, interruptible: Interruptible) -> int:
    """Do the action of every job, which all pay from one budget; return the exit code.

    Raises:
        RunnerError: with nothing lost.
    """
    action, config = jobs[0].config.action, jobs[0].config
    is_remote = jobs[0].launcher is not None and action == "run"
    if action == "init" or (len(jobs) == 1 and not is_remote):
        return perform(jobs[0], command, interruptible)
    for key, values in (
        ("action", {job.config.action for job in jobs}),
        ("format", {job.config.format for job in jobs}),
    ):
        if len(values) > 1:
            raise ConfigError(f"{key}={','.join(sorted(values))}: a sweep does one thing at a time")
    as_json = config.format == "json"
    if action == "plan":
        return sweep.plan(jobs, as_json=as_json)
    if action == "status":
        return sweep.status(jobs, command, as_json=as_json)
    if action in _PURPOSES or action in _SENDING:
        if len({job.config.wait for job in jobs}) > 1:
            raise ConfigError("wait=true,false: a sweep waits for all of its jobs or for none")
        if is_remote:
            from runner.cli import cluster

            return cluster.drive(jobs, command, _purpose(config), as_json=as_json)
        return sweep.drive(jobs, command, interruptible, _purpose(config), as_json=as_json)
    if action == "report" or (action == "export" and config.export.over is not None):
        jobs = list({job.config.name: job for job in jobs}.values())
    if action in _WITHOUT_RUN or (action == "export" and config.export.over is not None):
        return max(perform(job, command, interruptible) for job in jobs)
    return sweep.each(jobs, lambda run: _perform_run(run, command, interruptible))


def perform(settings: Settings, command: str, interruptible: Interruptible) -> int:
    """Do one job's action and return the exit code.

    Args:
        settings: the job.
        command: the command line, as the user can type it again.
        interruptible: lets Ctrl-C stop an engine, and tells whether it did.

    Raises:
        RunnerError: with nothing lost.
    """
    config = settings.config
    if config.action == "init":
        print(write_starter(config.name))
        return DONE
    if config.action in _WITHOUT_RUN:
        return _WITHOUT_RUN[config.action](settings)
    if config.action == "export" and config.export.over is not None:
        return _export_several(settings)
    return _perform_run(Run(settings), command, interruptible)


def _perform_run(run: Run, command: str, interruptible: Interruptible) -> int:
    config = run.settings.config
    as_json = config.format == "json"
    if config.action == "plan":
        _print_plan(run, preflight.preview(run), as_json=as_json)
        return DONE
    if config.action == "status":
        return _status(run, as_json=as_json)
    if config.action == "verify":
        return _verify(run, as_json=as_json)
    if config.action == "recover":
        return _recover(run)
    if config.action == "extract":
        return _extract(run, command, as_json=as_json)
    if config.action == "patterns":
        return _patterns(run, as_json=as_json)
    if config.action in ("adopt", "abandon"):
        return _decide(run, config.action)
    if config.action == "export":
        result = maintenance.reread(run)
        if config.export.format is not None:
            _export(run.settings, [f"{run.settings.experiment.name}/{result.folder.name}"],
                    result.folder / "export", rehearsals=True)  # fmt: skip
        return _finish(run, result, command, interrupted=False, as_json=as_json)
    return _drive(run, command, interruptible, as_json=as_json)


FRUGAL = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}
"""Lets polars give memory back at once, when set before it is loaded: a third less at the peak."""


def _report(settings: Settings) -> int:
    os.environ.update(FRUGAL)
    from runner.report import write_report
    from runner.tables.runs import selected

    config = settings.config
    over = words(config.report.over)
    outputs = Path(config.outputs)
    home = outputs if over else outputs / config.name
    written = write_report(
        selected(outputs, over or [config.name], rehearsals=config.report.rehearsals),
        Path(config.report.folder) if config.report.folder else home / "report",
        language=config.report.lang,
        seed=config.report.seed,
        draws=config.report.bootstrap,
    )
    if config.format == "json":
        print(json.dumps(asdict(written), ensure_ascii=False, indent=2, default=str))
        return DONE
    rehearsal = "  REHEARSAL: emulated answers" if written.rehearsal else ""
    print(
        f"report over {_count(len(written.runs), 'model')}: {written.requests:,} requests, "
        f"{written.values:,} values, {written.missing:,} missing{rehearsal}"
    )
    print(f"report   {written.page}")
    print(f"figures  {written.page.parent / 'figures'}  ({len(written.figures) // 2}, PNG and SVG)")
    print(f"tables   {written.page.parent / 'tables'}  ({len(written.tables)}, CSV)")
    if written.left_out:
        print(
            f"left out {_count(len(written.left_out), 'rehearsal')}; report.rehearsals=true takes "
            "them in"
        )
    return DONE


def _import(settings: Settings) -> int:
    from runner.tables.import_table import import_table

    config = settings.config
    assert config.input is not None
    taken = import_table(Path(config.input), settings.experiment, Path(config.outputs))
    if config.format == "json":
        print(json.dumps(asdict(taken), ensure_ascii=False, indent=2, default=str))
        return DONE
    print(
        f"imported {taken.rows:,} rows of {_count(len(taken.models), 'model')} ({taken.encoding}): "
        f"{taken.values:,} values, {taken.missing:,} missing"
    )
    print(f"table    {taken.folder / 'answers.csv'}  (and .parquet)")
    print(f"sha256   {taken.sha256}  of {config.input}")
    print("next     report it beside others: python -m runner action=report report.over=all")
    return DONE


_SENDING = ("run", "retry")

_PURPOSES = {"collect": Purpose.COLLECT, "cancel": Purpose.CANCEL}
"""What sends nothing."""

_WITHOUT_RUN: Mapping[str, Callable[[Settings], int]] = {"report": _report, "import": _import}
"""What needs no provider and no ledger."""


def _export_several(settings: Settings) -> int:
    os.environ.update(FRUGAL)
    config = settings.config
    folder = Path(config.outputs) / "export"
    return _export(settings, words(config.export.over), folder, rehearsals=config.export.rehearsals)


def _export(settings: Settings, over: list[str], folder: Path, *, rehearsals: bool) -> int:
    """Write runs as other tables, from the tables that they have."""
    from runner.tables.formats import write
    from runner.tables.runs import selected

    config = settings.config
    selection = selected(Path(config.outputs), over, rehearsals=rehearsals)
    formats = words(config.export.format) or list(FORMATS)
    for path in write(selection, folder, formats, language=config.report.lang):
        if config.format != "json":
            print(f"table    {path}")
    return DONE


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _verify(run: Run, *, as_json: bool) -> int:
    wrong = maintenance.verify(run)
    if as_json:
        print(json.dumps({"problems": wrong}, ensure_ascii=False, indent=2))
    else:
        for line in wrong:
            print(f"! {line}")
        print("all well: ledger, files and tables agree" if not wrong else f"{len(wrong)} problems")
    return WORK_REMAINS if wrong else DONE


def _recover(run: Run) -> int:
    found, aside = maintenance.recover(run)
    collected = sum(1 for batch in found if batch.collected_at is not None)
    if aside is not None:
        print(f"the damaged ledger is kept in {aside}")
    print(
        f"{_batches(len(found))} found; {collected:,} with all their answers here. Nothing was sent: "
        "the others are looked for at the provider by the next run; action=collect only looks"
    )
    return DONE


def _extract(run: Run, command: str, *, as_json: bool) -> int:
    """Read answers with today's patterns; what is stored changes only with apply=true."""
    from runner.run import extract

    config = run.settings.config
    if config.input is not None:
        output = sys.stdout.buffer if as_json else None
        total = maintenance.read_file(run, Path(config.input), output)
        if not as_json:
            extract.print_tally(total)
        extract.print_bad_lines(total)
        return WORK_REMAINS if total.bad_lines else DONE
    found = maintenance.compare(run)
    if as_json:
        _print_json(extract.comparison_facts(found))
    else:
        apply = "" if config.apply else f"{command} apply=true"
        extract.print_comparison(found, folder=run.folder(sending=False), apply=apply)
    if not config.apply:
        return DONE
    result = maintenance.reread(run)
    return DONE if as_json else _finish(run, result, command, interrupted=False, as_json=False)


def _patterns(run: Run, *, as_json: bool) -> int:
    """Show what each of today's patterns finds."""
    from runner.run import extract, patterns

    source = run.settings.config.input
    total = (
        maintenance.read_parts(run)
        if source is None
        else maintenance.read_file(run, Path(source), examples=True)
    )
    questions = run.settings.experiment.questions
    if as_json:
        _print_json(patterns.matches_facts(total, questions))
    else:
        patterns.print_matches(total, questions)
    extract.print_bad_lines(total)
    return WORK_REMAINS if total.bad_lines else DONE


def _print_json(facts: Mapping[str, Any]) -> None:
    """Print facts that may hold half a surrogate pair, which no UTF-8 can."""
    text = json.dumps(facts, ensure_ascii=False, indent=2)
    print(text.encode("utf-8", "replace").decode())


def _decide(run: Run, action: str) -> int:
    config = run.settings.config
    assert config.batch is not None
    batch = maintenance.decide(run, action, config.batch, config.remote)
    if action == "adopt":
        print(f"{batch.key} is {batch.remote}: run again to collect it")
    else:
        cost = "" if batch.reserved_usd is None else f" (up to ${batch.reserved_usd:.4f})"
        left = batch.count - batch.found
        here = f"the {batch.found:,} answered here stay; " if batch.found else ""
        print(
            f"{batch.key} is given up: {here}{left:,} requests are asked again by the next run; "
            f"what the provider may bill for it{cost} stays in the budget"
        )
    return DONE


def _drive(run: Run, command: str, interruptible: Interruptible, *, as_json: bool) -> int:
    was_interrupted: Callable[[], bool] = lambda: False  # noqa: E731

    def on_engine(engine: Any) -> None:
        nonlocal was_interrupted
        was_interrupted = interruptible(engine)

    if not as_json:
        for warning in preflight.warnings(run):
            print(f"note: {warning}")
    with screen(_title(run), json=as_json) as observer:
        result = assemble.drive(run, _purpose(run.settings.config), observer, on_engine)
    return _finish(run, result, command, interrupted=was_interrupted(), as_json=as_json)


def _purpose(config: Config) -> Purpose:
    """Return what a run with this action is for."""
    default = Purpose.RUN if config.wait else Purpose.SUBMIT
    return _PURPOSES.get(config.action, default)


def _title(run: Run) -> str:
    model = run.settings.experiment.model
    rehearsal = "  REHEARSAL: emulated answers, nothing is paid" if run.emulated else ""
    return f"{run.settings.experiment.name}  {model.provider} {model.name}{rehearsal}"


def _finish(run: Run, result: Result, command: str, *, interrupted: bool, as_json: bool) -> int:
    snapshot, tables = result.snapshot, result.tables
    if as_json:
        print(tables.summary_json.read_text(encoding="utf-8"), end="")
    else:
        print(_title(run))
        print(
            "  ".join(f"{name} {count:,}" for name, count in totals(snapshot.counts).items())
            + f"  ({_batches(len(snapshot.batches))}, {_money(snapshot.batches)})"
        )
        others = replaced(run.settings.config.provider.model, models_returned(snapshot.batches))
        for line in (snapshot.held, snapshot.halted, others, *told_of(snapshot.batches)):
            if line:
                print(f"! {line}")
        if what_to_do := _about_a_refusal(run, result):
            print(f"refused  {what_to_do}")
        print(f"table    {tables.answers_csv}  (and .parquet)")
        print(f"summary  {tables.summary_json}")
        if snapshot.counts.failed:
            print(
                f"failed   {snapshot.counts.failed:,} requests: causes in the table and the summary"
            )
        print(_next_step(run, result, command, interrupted=interrupted))
    if interrupted:
        return INTERRUPTED
    return WORK_REMAINS if snapshot.counts.open or snapshot.counts.failed else DONE


def _about_a_refusal(run: Run, result: Result) -> str | None:
    """Return what keeps a parameter from being refused again, where that is what happened."""
    provider, said = run.settings.config.provider, result.snapshot.halted
    if said is None and any(b.tally.get(Outcome.REFUSED) for b in result.snapshot.batches):
        import polars as pl

        attempts = pl.scan_parquet(result.tables.attempts_parquet)
        refused = attempts.filter(pl.col("outcome") == Outcome.REFUSED.value)
        said = next(iter(refused.select("error").head(1).collect()["error"]), None)
    return advice(provider.name, provider.model, said) if said else None


def _next_step(run: Run, result: Result, command: str, *, interrupted: bool) -> str:
    snapshot = result.snapshot
    if interrupted or snapshot.counts.open:
        there = sum(1 for b in snapshot.batches if b.state in AT_PROVIDER and not b.is_held)
        go_on = f"{_batches(there)} at the provider, where they go on; " if there else ""
        return f"next     {go_on}resume with: {command}"
    if snapshot.counts.failed:
        return f"next     ask the failed ones once more: {_instead(command, 'retry')}"
    if run.emulated:
        return f"next     this was a rehearsal; the real thing: {_for_real(run, command)}"
    return f"next     look at the table; more trials: {command} trials=…"


def _instead(command: str, action: str) -> str:
    """Return a command with another action."""
    kept = [part for part in command.split(" ") if not part.startswith("action=")]
    return " ".join([*kept, f"action={action}"])


def _for_real(run: Run, command: str) -> str:
    """Say what to type, and what to set before, to leave the emulator."""
    real = for_real(command, nameless=run.settings.config.provider.name == EMULATOR)
    needs = run.connection.missing
    return real + (f"\n         which needs more: {needs}" if needs else "")


def _batches(count: int) -> str:
    return f"{count:,} batch" + ("" if count == 1 else "es")


def _money(batches: tuple[Batch, ...]) -> str:
    cost = cost_of(batches)
    ways = {b.realtime for b in batches if b.state is BatchState.COLLECTED}
    if not ways:
        return "$0"
    at = {True: "full prices", False: "batch prices"}
    named = f" at {' and '.join(at[way] for way in sorted(ways))}" if cost.known else ""
    return f"{cost}{named}"


def _print_plan(run: Run, preview: Preview, *, as_json: bool) -> None:
    facts = preflight.plan_facts(run, preview)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    experiment, counts = run.settings.experiment, preview.counts
    rows = [
        ("personas", f"{len(experiment.personas)}  {_names(experiment.personas.values())}"),
        ("texts", f"{len(experiment.texts)}  {_titles(experiment.texts.values())}"),
        ("temperatures", temperatures(run.settings, run.conditions)),
        ("trials", f"{experiment.trials:,}"),
        ("requests", f"{counts.total:,}  in {preview.conditions:,} conditions"),
        ("answered", f"{counts.success + counts.retry_success:,}  failed {counts.failed:,}"),
        ("in flight", f"{counts.in_batch:,}"),
        ("to send", f"{preview.to_send:,}  in {_batches(preview.batches)}"),
        ("sent", way(run.settings)),
        ("size", f"{preview.bytes:,} bytes, about {preview.input_tokens:,} input tokens"),
        ("cost", _cost(preview.estimate, preview.price)),
        *([("earlier", str(preview.cost))] if preview.cost.unknown else []),
        ("folder", str(preview.folder)),
    ]
    print(_title(run))
    for name, value in rows:
        print(f"  {name:<13}{value}")
    for warning in preview.warnings:
        print(f"  note: {warning}")


def _names(personas: Any) -> str:
    return " · ".join(p.name for p in personas)


def _titles(texts: Any) -> str:
    return " · ".join(t.title for t in texts)


def _cost(estimate: Estimate, price: Any) -> str:
    if estimate.low is None or estimate.high is None:
        return "unknown: nobody knows the price of this model"
    return f"${estimate.low:.4f} to ${estimate.high:.4f}  ({price.source})"


def _status(run: Run, *, as_json: bool) -> int:
    folder = run.folder(sending=False)
    if not exists(folder):
        print(json.dumps({"folder": str(folder), "started": False}) if as_json else
              f"{folder}: no run yet")  # fmt: skip
        return WORK_REMAINS
    with closing(LedgerReader(folder)) as reader:
        summary, beat = reader.get("summary") or {}, reader.get("heartbeat") or {}
        batches, holder = reader.batches(), reader.holder()
    now = time.time()
    facts = {
        "folder": str(folder),
        "started": True,
        "rehearsal": run.emulated,
        "runner": None if holder is None else {"pid": holder.pid, "host": holder.host},
        "heartbeat_age_seconds": round(now - beat["at"], 1) if "at" in beat else None,
        **summary,
        "answered_by_another": replaced(
            run.settings.config.provider.model, summary.get("models_returned", {})
        ),
        "open_batches": [
            {
                "batch": b.key,
                "state": shown_state(b),
                "remote": b.remote,
                "candidates": list(b.candidates),
                "remote_state": b.remote_state,
                "requests": b.count,
                "completed": b.completed,
                "done": how_far(b),
                "days_left": days_left(b, now),
                "next_at": b.next_at,
                "error": b.error,
            }
            for b in batches
            if b.state not in FINAL_STATES
        ],
    }
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        _print_status(run, facts, folder, cost_of(batches))
    return DONE if summary and not summary["open"] and not summary["failed"] else WORK_REMAINS


def _print_status(run: Run, facts: dict[str, Any], folder: Path, cost: Cost) -> None:
    print(_title(run))
    print(f"  folder   {folder}")
    runner = facts["runner"]
    age = facts["heartbeat_age_seconds"]
    alive = f"running, pid {runner['pid']} on {runner['host']}" if runner else "not running"
    print(f"  runner   {alive}" + (f", last heartbeat {age:.0f} s ago" if age is not None else ""))
    if "total" in facts:
        names = ("total", "success", "retry_success", "failed", "open")
        print("  answers  " + "  ".join(f"{name} {facts[name]:,}" for name in names))
        print(f"  cost     {str(cost).removeprefix('cost ')}")
    if facts["answered_by_another"]:
        print(f"! {facts['answered_by_another']}")
    for line in facts.get("twins", ()):
        print(f"! {line}")
    for row in facts["open_batches"]:
        print(
            f"  {row['batch']}  {row['state']} ({row['remote_state'] or 'nothing heard yet'})  "
            f"{row['requests']:,} requests"
            + (f", {row['done']}" if row["done"] else "")
            + (f"  {row['error']}" if row["error"] else "")
        )
        if row["days_left"] is not None:
            print(
                f"         its answers wait to be collected: {max(row['days_left'], 0):.0f} days left;"
                " action=collect fetches them"
            )
