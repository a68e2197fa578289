"""Ledger and attempts to the tables in outputs/: answers, attempts, summary, errors, manifest."""

import json
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copyfile
from typing import Any, BinaryIO

import orjson
import polars as pl

from runner import __version__
from runner.core.errors import LedgerDamaged
from runner.core.model import Batch, QuestionSet
from runner.core.request_states import Counts, RequestStates
from runner.core.states import BatchState, Outcome
from runner.core.summary import summary, totals
from runner.storage.definitions import plain
from runner.storage.files import make_folder, part_of, privacy, write_durably
from runner.tables import dataset
from runner.tables.join import Join
from runner.tables.parquet import sink
from runner.tables.progress import Advance

FORMULA = re.compile(r"\s*[=+\-@\t\r\x00＝＋－＠]")
"""What makes a spreadsheet take a cell for a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFiles:
    """Where the tables are."""

    answers_csv: Path
    answers_parquet: Path
    attempts_parquet: Path
    summary_json: Path
    errors_jsonl: Path
    manifest_json: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRun:
    """What is exported of a run."""

    folder: Path
    experiment: Mapping[str, Any]
    """The ledger's own record of what the experiment is."""
    questions: QuestionSet
    batches: tuple[Batch, ...]
    request_states: RequestStates
    events: Iterable[Mapping[str, Any]]
    resolved: Mapping[str, Any]
    dataset: bool
    """Whether it goes into the dataset of all runs, too; a run that is in there stays in there."""
    rules: Callable[[], Mapping[str, Any]] = dict
    """Returns what the summary says of a pilot and of a stopping rule; most runs have neither."""
    rounds: Sequence[Mapping[str, Any]] = ()
    """What a stopping rule granted at once, in order: the rule, and to how many conditions."""

    @property
    def rows(self) -> int:
        """How many rows the tables of answers and of attempts have."""
        collected = (b.count for b in self.batches if b.state is BatchState.COLLECTED)
        return self.request_states.counts().total + sum(collected)


def export(run: ExportedRun, advance: Advance = lambda *_: None) -> TableFiles:
    """Write every table; each is replaced whole, or not at all.

    Args:
        run: what is exported.
        advance: called with how many rows more were written, of `run.rows`.

    Raises:
        LedgerDamaged: when the table and the ledger's counters do not agree.
    """
    folder = run.folder
    tables = TableFiles(
        answers_csv=folder / "answers.csv",
        answers_parquet=folder / "answers.parquet",
        attempts_parquet=folder / "attempts.parquet",
        summary_json=folder / "summary.json",
        errors_jsonl=folder / "errors.jsonl",
        manifest_json=folder / "manifest.json",
    )
    rows, counts = gathered(run), run.request_states.counts()
    with _replacing(tables.answers_parquet, tables.attempts_parquet, tables.answers_csv) as parts:
        answers_part, attempts_part, csv_part = parts
        with csv_part.open("wb") as text:
            answers = _also_as_csv(checked(rows.answers(), counts), text)
            sink(_counted(answers, advance), answers_part)
        sink(_counted(rows.attempts(), advance), attempts_part)
    _into_dataset(run, tables.answers_parquet)
    _json(tables.summary_json, _summary(run, counts))
    _json(tables.manifest_json, _manifest(run))
    write_durably(tables.errors_jsonl, (orjson.dumps(e) + b"\n" for e in _errors(run, rows)))
    return tables


def _into_dataset(run: ExportedRun, answers: Path) -> None:
    """Copy the answers into the dataset of all runs, if they are wanted there or stand there."""
    place = dataset.place_of(run.folder, run.experiment)
    old = dataset.old_places_of(run.folder, run.experiment)
    if run.dataset or old or place.exists():
        private = privacy([run.folder])
        make_folder(place.parent, private)
        with _replacing(place) as (part,):
            part.chmod(part.stat().st_mode & private)
            copyfile(answers, part)
        for path in old:
            path.unlink(missing_ok=True)


def gathered(run: ExportedRun) -> Join:
    """Return the tables of answers and of attempts, to be read some thousand rows at a time.

    Raises:
        LedgerDamaged: the stored attempts are not those of the ledger's batches.
    """
    return Join(run.folder, run.experiment, run.questions, run.batches, run.request_states)


def derived(run: ExportedRun) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both tables whole, as the ledger and the parts have them.

    Raises:
        LedgerDamaged: when they and the ledger's counters do not agree.
    """
    rows = gathered(run)
    return pl.concat(checked(rows.answers(), run.request_states.counts())), pl.concat(
        rows.attempts()
    )


def checked(answers: Iterable[pl.DataFrame], counts: Counts) -> Iterator[pl.DataFrame]:
    """Pass answers on, and refuse at their end a table that says something else than the ledger.

    Raises:
        LedgerDamaged: when they and the ledger's counters do not agree.
    """
    found: Counter[str] = Counter()
    for rows in answers:
        found.update(dict(rows.group_by("status").len().iter_rows()))
        found["total"] += rows.height
        yield rows
    for status, count in totals(counts).items():
        if found[status] != count:
            raise LedgerDamaged(
                f"the table has {found[status]} requests that are {status}, the ledger {count}: "
                "nothing was written; action=export reads the raw answers again"
            )


@contextmanager
def _replacing(*paths: Path) -> Iterator[list[Path]]:
    """Give files to write instead; when all of them are written, they take the places."""
    parts = [part_of(path) for path in paths]
    try:
        yield parts
        for part, path in zip(parts, paths, strict=True):
            _replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _replace(part: Path, path: Path) -> None:
    part.replace(path)


def _counted(frames: Iterable[pl.DataFrame], advance: Advance) -> Iterator[pl.DataFrame]:
    for rows in frames:
        yield rows
        advance(rows.height, "")


def _also_as_csv(frames: Iterable[pl.DataFrame], text: BinaryIO) -> Iterator[pl.DataFrame]:
    """Pass frames on, and append each to a CSV; spreadsheets know UTF-8 by the mark before it."""
    for number, rows in enumerate(frames):
        first = number == 0
        guarded(rows).collect().write_csv(text, include_bom=first, include_header=first)
        yield rows


def guarded(answers: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
    """Return the table for spreadsheets: text that would be a formula gets a `'` before it."""
    text = [name for name, kind in answers.collect_schema().items() if kind == pl.String]
    return answers.lazy().with_columns(
        pl.when(pl.col(name).str.contains(f"^{FORMULA.pattern}"))
        .then(pl.lit("'") + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in text
    )


def _summary(run: ExportedRun, counts: Counts) -> dict[str, Any]:
    return {
        "experiment": run.experiment["name"],
        "provider": run.experiment["definition"]["model"]["provider"],
        "model": run.experiment["definition"]["model"]["name"],
        "rehearsal": run.experiment["emulated"],
        **summary(counts, run.batches),
        **run.rules(),
    }


def _errors(run: ExportedRun, rows: Join) -> Iterator[dict[str, Any]]:
    """Yield whatever went wrong: with a call, with a result file, with a request."""
    for event in run.events:
        if event.get("error"):
            details = {key: event[key] for key in ("state", "remote", "remote_state")}
            yield _error(event["at"], event["batch"], event["event"], event["error"], details)
    for batch in run.batches:
        found = {f"{notice} lines": count for notice, count in batch.notices.items()}
        found |= {
            f"requests {outcome}": count
            for outcome in (Outcome.EXPIRED.value, Outcome.MISSING.value)
            if (count := batch.tally.get(outcome))
        }
        for what, count in found.items():
            details = {"count": count, "remote": batch.remote}
            yield _error(batch.collected_at, batch.key, what, f"{count} {what}", details)
    for row in (row for some in rows.refused() for row in some.iter_rows(named=True)):
        details = {"custom_id": row["custom_id"], "request_id": row["request_id"]}
        at = row["completed_at"].timestamp() if row["completed_at"] else None
        yield _error(at, row["batch"], f"request {row['outcome']}", row["error"], details)


def _error(
    at: float | None, batch: str, kind: str, message: str, details: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "timestamp": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
        "batch_id": batch,
        "error_type": kind,
        "message": message,
        "details": details,
    }


def _manifest(run: ExportedRun) -> dict[str, Any]:
    return {
        "chorus": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "experiment": plain(run.experiment),
        "config": run.resolved,
        "batches": [
            {"batch": b.key, "requests_sha256": b.sha256, "raw_sha256": dict(b.raw)}
            for b in run.batches
        ],
        **({"rounds": list(run.rounds)} if run.rounds else {}),
    }


_PACKAGES = ("hydra-core", "omegaconf", "openai", "diskcache", "polars", "genai-prices")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    write_durably(path, [text.encode("utf-8", "replace") + b"\n"])
