"""Looks after a run that is there: reads again, compares, verifies, recovers, resolves."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runner.config.problems import did_you_mean
from runner.core.batch_reading import kept
from runner.core.definition import differences
from runner.core.errors import (
    ConfigError,
    LedgerDamaged,
    LedgerOfAnotherExperiment,
    LedgerOutdated,
)
from runner.core.model import Batch, BatchKey
from runner.core.request_states import RequestStates
from runner.core.states import BatchState
from runner.core.summary import summary
from runner.run.assemble import Result, admission_of, exported_run, rules_of, write_tables
from runner.run.clock import SystemClock
from runner.run.heartbeat import heartbeat
from runner.run.record import check_patterns, how_read, opened, patterns_of, refuse_nothing
from runner.run.recover import Files
from runner.run.resolve import abandoned, adopted
from runner.run.run import Run
from runner.run.run_state import Snapshot
from runner.storage.events import NAME as EVENTS
from runner.storage.events import Line, event_of, lines
from runner.storage.files import GONE, file_sha256
from runner.storage.ledger import Ledger
from runner.storage.paths import result_path
from runner.storage.reader import check, exists, experiment_beside
from runner.storage.remake import Recovered, remake
from runner.tables.progress import progress_bar

if TYPE_CHECKING:
    from runner.batches.offline import Tally
    from runner.run.extract import Comparison


def reread(run: Run) -> Result:
    """Read every stored raw answer again with today's patterns and write the tables anew.

    Raises:
        LedgerDamaged: a raw file is gone or was changed since it was collected.
    """
    folder = run.folder(sending=False)
    with opened(run, folder, create=False) as ledger:
        request_states = run.known_to(ledger)
        with heartbeat(ledger, SystemClock().now, lambda: not request_states.counts().open):
            _read_again(run, ledger, request_states)
            run.take_up_rounds(request_states, ledger)
            batches, counts = ledger.batches(), request_states.counts()
            admission = admission_of(run, ledger, request_states)
            rules = admission.facts()
            ledger.summarise(summary(counts, batches) | rules)
            snapshot = Snapshot(
                counts=counts,
                batches=batches,
                held=None,
                halted=None,
                stopping=False,
                pilot=admission.standing,
                until=rules.get("until"),
            )
            exported = exported_run(run, ledger, request_states)
            with progress_bar("writing the tables", exported.rows) as advance:
                tables = write_tables(exported, advance)
            return Result(snapshot=snapshot, folder=folder, tables=tables)


def _read_again(run: Run, ledger: Ledger, request_states: RequestStates) -> None:
    folder = ledger.directory
    result_reader = run.reader(ledger)(folder)
    known = ledger.batches()
    stored = {  # all of them, before anything is marked
        batch.key: _raw_files(folder, batch)
        for batch in known
        if batch.state is BatchState.COLLECTED
    }
    ledger.rewrite_experiment({**ledger.experiment(), "patterns": "being read again"})
    with progress_bar("reading again", sum(batch.count for batch in known)) as advance:
        for batch in known:
            members = ledger.members(batch.key)
            outcomes = None
            if batch.state is BatchState.COLLECTED:
                reading = result_reader.read(batch, members, stored[batch.key])
                outcomes = reading.outcomes
                ledger.record(replace(batch, **kept(reading)), summary={}, outcomes=outcomes)
            request_states.replay(batch.state, members, outcomes)
            advance(batch.count, batch.key)
    ledger.rewrite_experiment({**ledger.experiment(), **how_read(run)})


def compare(run: Run) -> "Comparison":
    """Read every stored raw answer again with today's patterns; writes nothing.

    Raises:
        LedgerDamaged: a raw file is gone or was changed since it was collected.
    """
    from runner.run.extract import compared

    with opened(run, run.folder(sending=False), create=False) as ledger:
        return compared(
            ledger,
            run.reader(ledger),
            lambda batch: _raw_files(ledger.directory, batch),
            run.settings.experiment.questions,
        )


def read_file(
    run: Run, path: Path, output: BinaryIO | None = None, *, examples: bool = False
) -> "Tally":
    """Read answers that are no run's, or a provider's result lines, with today's patterns.

    Raises:
        ConfigError: there is no such file.
    """
    from runner.run import extract

    questions, decoder = run.settings.experiment.questions, run.connection.decoder()
    return extract.read_file(path, questions, decoder, output, examples=examples)


def read_parts(run: Run) -> "Tally":
    """Read the stored answers of a run with today's patterns.

    Raises:
        ConfigError: there is no run.
    """
    from runner.run import extract

    folder = run.folder(sending=False)
    if not exists(folder):
        raise ConfigError(f"{folder}: no run yet; read a file of answers with input=FILE")
    return extract.read_parts(folder, run.settings.experiment.questions)


def verify(run: Run) -> list[str]:
    """Check ledger, files and tables against each other; returns what is wrong, a line each.

    Raises:
        LedgerDamaged: the ledger itself cannot be read.
        ConfigError: there is no run.
    """
    from runner.run.verify import problems

    folder = run.folder(sending=False)
    refuse_nothing(folder)
    try:
        check(folder)
    except LedgerOutdated as error:
        return [str(error)]
    with opened(run, folder, create=False) as ledger:
        check_patterns(run, ledger)
        exported = exported_run(run, ledger, run.standing(ledger))
        return list(problems(ledger, run.reader(ledger), exported))


def recover(run: Run) -> tuple[list[Batch], Path | None]:
    """Make a ledger that is gone or damaged again, from the files beside it.

    Returns:
        The batches found, and where the damaged ledger was put.

    Raises:
        LedgerDamaged: the files do not say enough; nothing was changed then.
        ConfigError: the ledger is sound, or there is no run.
    """
    folder = run.folder(sending=False)
    refuse_nothing(folder)
    with suppress(LedgerDamaged):
        check(folder)
        raise ConfigError(f"{folder}: its ledger is sound; there is nothing to recover")
    record = experiment_beside(folder)
    if changes := differences(record["definition"], run.definition):
        raise LedgerOfAnotherExperiment(
            f"{folder} was asked something else: {'; '.join(changes[:4])}"
        )
    files = _files_of(run, folder, record["id"])
    now = SystemClock().now()
    found: list[Recovered] = []

    def read() -> tuple[list[Mapping[str, Any]], list[Recovered]]:
        before = _lines_of(folder)
        found.extend(files.batches(before))
        told = [event_of(one.batch, "recovered", now) for one in found]
        return [*(line["event"] for line in before), *told], found

    ledger, aside = remake(
        folder,
        {**record, "patterns": patterns_of(run.settings.experiment.questions)},
        read,
        lambda made: _summary_of(run, made),
        shared=run.settings.config.ledger.shared,
    )
    ledger.close()
    return [one.batch for one in found], aside


def _files_of(run: Run, folder: Path, experiment_id: str) -> Files:
    """Return what finds the batches of a run in the files of its folder."""
    provider = run.connection.offline(experiment_id)
    request_files = run.request_files(folder, provider, experiment_id)
    return Files(
        folder=folder,
        experiment_id=experiment_id,
        tag=run.connection.tag(experiment_id),
        request_files=request_files,
        result_reader=run.result_reader(folder, provider, request_files, experiment_id),
        model=run.settings.experiment.model,
        prices=run.prices,
        stems=frozenset(c.stem for c in run.conditions),
    )


def decide(run: Run, action: str, key: str, remote: str | None) -> Batch:
    """Record what the user decides of a batch: it is that one (adopt), or it is given up.

    Nothing is asked of the provider. A batch adopted wrongly is found out when it is
    collected, by the custom_ids in its results, and can then be abandoned.

    Raises:
        ConfigError: there is no such batch, or nothing to decide.
    """
    now = SystemClock().now()
    with opened(run, run.folder(sending=False), create=False) as ledger:
        known = {batch.key: batch for batch in ledger.batches()}
        if key not in known:
            raise ConfigError(f"batch={key}: no such batch; {did_you_mean(key, known)}")
        batch = known[BatchKey(key)]
        decided = adopted(batch, remote, now) if action == "adopt" else abandoned(batch, now)
        ledger.record(decided, summary={}, event=event_of(decided, action, now))
        ledger.summarise(_summary_of(run, ledger))
    return decided


def _summary_of(run: Run, ledger: Ledger) -> dict[str, Any]:
    """Return what a ledger sums up to."""
    states = run.standing(ledger)
    return summary(states.counts(), ledger.batches()) | rules_of(run, ledger, states)


def _lines_of(folder: Path) -> list[Line]:
    """Return what happened in a folder, by the file beside its ledger."""
    try:
        return lines(folder)
    except ValueError as error:
        raise LedgerDamaged(
            f"{folder / EVENTS} is damaged ({error}): put a copy of it back, or take it away, and "
            "recover again: every batch without its results is then looked for at the provider"
        ) from None


def _raw_files(folder: Path, batch: Batch) -> list[Path]:
    """Return a batch's result files.

    Raises:
        LedgerDamaged: one is gone, or was changed since it was collected.
    """
    paths = []
    for name, digest in batch.raw.items():
        path = result_path(folder, batch.key, name)
        if not path.exists():
            raise LedgerDamaged(f"{path} is gone: {GONE}")
        if file_sha256(path) != digest:
            raise LedgerDamaged(f"{path} was changed since it was collected: put the original back")
        paths.append(path)
    return paths
