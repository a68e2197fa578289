"""`action=verify`: the ledger, the files and the tables, each checked against the others.

Everything is read, nothing is written into the run's folder, and no provider is asked.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from runner.batches.attempts import stored
from runner.batches.results import ResultReader
from runner.core import charged
from runner.core.identity import replaced
from runner.core.model import Batch
from runner.core.states import BatchState
from runner.core.summary import models_returned
from runner.core.twins import costly, told_of
from runner.storage.files import GONE, file_sha256
from runner.storage.ledger import Ledger
from runner.storage.paths import RAW, SUFFIX, request_path, result_path
from runner.tables import dataset
from runner.tables.export import ExportedRun, checked, gathered
from runner.tables.parquet import is_made_of


def problems(
    ledger: Ledger, reader: Callable[[Path], ResultReader], run: ExportedRun
) -> Iterator[str]:
    """Yield what does not fit together, a line each, with what to do about it.

    Args:
        ledger: the run's ledger, held by this process.
        reader: makes what reads result files, and writes what it read below a folder.
        run: what the tables are made from.
    """
    for batch in run.batches:
        yield from _requests(ledger, batch)
        if batch.state is BatchState.COLLECTED:
            yield from _results(ledger, reader, batch)
    yield from told_of(batch for batch in run.batches if costly(batch))
    yield from charged.told_of(run.batches)
    yield from _replaced(run)
    yield from _strangers(run)
    yield from _records(run)
    yield from _tables(run)


def _requests(ledger: Ledger, batch: Batch) -> Iterator[str]:
    path = request_path(ledger.directory, batch.key)
    inside = sum(len(span) for span in ledger.members(batch.key))
    if inside != batch.count:
        yield f"{batch.key}: the ledger lists {inside} requests and counts {batch.count}"
    if not path.exists():
        yield f"{path}: is gone; it says what was asked in {batch.key}"
    elif file_sha256(path) != batch.sha256:
        yield f"{path}: is not what was sent as {batch.key}: put the original back"


def _results(ledger: Ledger, reader: Callable[[Path], ResultReader], batch: Batch) -> Iterator[str]:
    files = [result_path(ledger.directory, batch.key, name) for name in batch.raw]
    wrong = [
        f"{path}: is gone: {GONE}"
        if not path.exists()
        else f"{path}: was changed since it was collected: put the original back"
        for path, name in zip(files, batch.raw, strict=True)
        if not path.exists() or file_sha256(path) != batch.raw[name]
    ]
    yield from wrong
    outcomes = ledger.outcomes(batch.key)
    if outcomes is None or len(outcomes) != batch.count:
        yield f"{batch.key}: the ledger has no outcome for each of its {batch.count} requests"
    elif not wrong:
        yield from _read_again(ledger, reader, batch, files, outcomes)


def _read_again(
    ledger: Ledger,
    reader: Callable[[Path], ResultReader],
    batch: Batch,
    files: list[Path],
    outcomes: bytes,
) -> Iterator[str]:
    """Read the stored results once more, scratch, and compare."""
    with TemporaryDirectory(prefix="verify-") as scratch:
        reading = reader(Path(scratch)).read(batch, ledger.members(batch.key), files)
        if reading.outcomes != outcomes:
            differ = sum(one != two for one, two in zip(reading.outcomes, outcomes, strict=True))
            yield (
                f"{batch.key}: {differ} of its results read otherwise than the ledger says: "
                "action=export reads them again"
            )
        elif not stored(Path(scratch), batch.key).equals(stored(ledger.directory, batch.key)):
            yield f"{batch.key}: its attempts are not what its results say: action=export mends it"


def _replaced(run: ExportedRun) -> Iterator[str]:
    """Say that another model answered than was asked; the ledger knows by the names it was told."""
    asked = run.experiment["definition"]["model"]["name"]
    if others := replaced(asked, models_returned(run.batches)):
        yield f"{others}: tell them apart by the column model_returned"


def _strangers(run: ExportedRun) -> Iterator[str]:
    """Name result files that no batch of the ledger knows; they may hold paid answers."""
    keys = {batch.key for batch in run.batches}
    for path in sorted((run.folder / RAW).glob(f"*{SUFFIX}")):
        if path.name.partition(".")[0] not in keys:
            yield f"{path}: no batch of the ledger knows it: keep it, it may be paid for"


def _records(run: ExportedRun) -> Iterator[str]:
    """Name the files beside the tables that hold no JSON."""
    for name in ("experiment.json", "manifest.json", "summary.json"):
        path = run.folder / name
        try:
            orjson.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            yield f"{path}: cannot be read ({error}): {_REMEDIES.get(name, _WRITTEN_ANEW)}"


_WRITTEN_ANEW = "action=export writes it anew"
_REMEDIES = {"experiment.json": "remove it: the next command writes it anew from the ledger"}


def _tables(run: ExportedRun) -> Iterator[str]:
    rows = gathered(run)
    answers = run.folder / "answers.parquet"
    tables = {
        answers: checked(rows.answers(), run.request_states.counts()),
        run.folder / "attempts.parquet": rows.attempts(),
    }
    place = dataset.place_of(run.folder, run.experiment)
    if place.exists():
        tables[place] = rows.answers()
    for path, wanted in tables.items():
        if not path.exists():
            yield f"{path}: is not there: action=export writes it"
        elif not is_made_of(path, wanted):
            yield f"{path}: is not what the ledger and the results say: action=export mends it"
