"""How a run ended: the summary that is printed, in text or as JSON, and the exit code."""

from runner.cli.exits import INTERRUPTED, code_of
from runner.cli.next_step import after_run
from runner.cli.output import labelled, print_warnings
from runner.cli.phrases import batches, counters, paid, title, until_line
from runner.core import charged
from runner.core.advice import advice
from runner.core.identity import replaced
from runner.core.states import Outcome
from runner.core.summary import models_returned, totals
from runner.core.twins import told_of
from runner.run.assemble import Result
from runner.run.run import Run


def finish(run: Run, result: Result, command: str, *, interrupted: bool, as_json: bool) -> int:
    """Print how a run ended; return the exit code.

    Args:
        run: the run.
        result: what became of it.
        command: the command line, as the user can type it again.
        interrupted: whether the user stopped it.
        as_json: print what `summary.json` holds.
    """
    if as_json:
        print(result.tables.summary_json.read_text(encoding="utf-8"), end="")
    else:
        _print(run, result)
        print(labelled("next", after_run(run, result, command, interrupted=interrupted)))
    if interrupted:
        return INTERRUPTED
    return code_of(result.snapshot.counts)


def _print(run: Run, result: Result) -> None:
    snapshot, tables = result.snapshot, result.tables
    beside = f"({batches(len(snapshot.batches))}, {paid(snapshot.batches)})"
    others = replaced(run.settings.config.provider.model, models_returned(snapshot.batches))
    print(title(run))
    print(f"{counters(totals(snapshot.counts))}  {beside}")
    if snapshot.until is not None:
        print(labelled("trials", until_line(snapshot.until)))
    strange = (*told_of(snapshot.batches), *charged.told_of(snapshot.batches))
    print_warnings([snapshot.held, snapshot.halted, others, *strange])
    if what_to_do := _about_a_refusal(run, result):
        print(labelled("refused", what_to_do))
    print(labelled("table", f"{tables.answers_csv}  (and .parquet)"))
    print(labelled("summary", tables.summary_json))
    if snapshot.counts.failed:
        failed = f"{snapshot.counts.failed:,} requests"
        print(labelled("failed", f"{failed}: causes in the table and the summary"))


def _about_a_refusal(run: Run, result: Result) -> str | None:
    """Return what keeps a parameter from being refused again, where that is what happened."""
    provider, said = run.settings.config.provider, result.snapshot.halted
    if said is None and any(b.tally.get(Outcome.REFUSED) for b in result.snapshot.batches):
        import polars as pl

        attempts = pl.scan_parquet(result.tables.attempts_parquet)
        refused = attempts.filter(pl.col("outcome") == Outcome.REFUSED.value)
        said = next(iter(refused.select("error").head(1).collect()["error"]), None)
    return advice(provider.name, provider.model, said) if said else None
