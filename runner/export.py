"""Ledger and attempts to the tables in outputs/: answers, attempts, summary, errors, manifest."""

import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from runner import __version__
from runner.attempts import HEAD, TAIL, all_parts, columns, question_columns
from runner.core.errors import LedgerDamaged
from runner.core.model import Batch, QuestionSet
from runner.core.roster import PENDING, STATES, WITHHELD, Counts, Roster
from runner.core.states import BatchState, Outcome, RequestState
from runner.core.stats import summary, totals
from runner.files import write_durably

FORMULA = re.compile(r"\s*[=+\-@\t\r\x00＝＋－＠]")
"""What makes a spreadsheet take a cell for a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the tables are."""

    answers_csv: Path
    answers_parquet: Path
    attempts_parquet: Path
    summary_json: Path
    errors_jsonl: Path
    manifest_json: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is exported of a run."""

    folder: Path
    experiment: Mapping[str, Any]
    """The ledger's own record of what the experiment is."""
    questions: QuestionSet
    batches: tuple[Batch, ...]
    roster: Roster
    events: Iterable[Mapping[str, Any]]
    resolved: Mapping[str, Any]


def export(report: Report) -> Tables:
    """Write every table; each is replaced whole, or not at all.

    Raises:
        LedgerDamaged: when the table and the ledger's counters do not agree.
    """
    folder = report.folder
    tables = Tables(
        answers_csv=folder / "answers.csv",
        answers_parquet=folder / "answers.parquet",
        attempts_parquet=folder / "attempts.parquet",
        summary_json=folder / "summary.json",
        errors_jsonl=folder / "errors.jsonl",
        manifest_json=folder / "manifest.json",
    )
    answers, attempts = derived(report)
    counts = report.roster.counts()
    for frame, path in ((answers, tables.answers_parquet), (attempts, tables.attempts_parquet)):
        _replace(path, lambda part, frame=frame: frame.write_parquet(part, compression="zstd"))
    _replace(tables.answers_csv, lambda part: guarded(answers).sink_csv(part, include_bom=True))
    _json(tables.summary_json, _summary(report, counts))
    _json(tables.manifest_json, _manifest(report))
    write_durably(tables.errors_jsonl, (orjson.dumps(e) + b"\n" for e in _errors(report, attempts)))
    return tables


def derived(report: Report) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tables of answers and of attempts, as the ledger and the parts have them.

    Raises:
        LedgerDamaged: when they and the ledger's counters do not agree.
    """
    attempts = _attempts(report)
    answers = _answers(report, attempts)
    _check(answers, report.roster.counts())
    return answers, attempts


def _attempts(report: Report) -> pl.DataFrame:
    """Return one row per attempt that was collected, in the order they were sent."""
    collected = [b for b in report.batches if b.state is BatchState.COLLECTED]
    files = all_parts(report.folder, [b.key for b in collected])
    schema = {name: getattr(pl, kind) for name, kind in columns(report.questions).items()}
    rows = pl.DataFrame(schema=schema)
    if files:  # parts of an older version lack what it did not know of: that is missing
        rows = pl.read_parquet(files, schema=schema, missing_columns="insert")
    about = pl.DataFrame(
        [
            {
                "batch": b.key,
                "remote_batch": b.remote,
                "submitted_at": b.accepted_at,
                "completed_at": b.ended_at,
            }
            for b in collected
        ],
        schema={
            "batch": pl.String,
            "remote_batch": pl.String,
            "submitted_at": pl.Float64,
            "completed_at": pl.Float64,
        },
    )
    times = [
        pl.from_epoch((pl.col(name) * 1000).cast(pl.Int64), time_unit="ms").dt.replace_time_zone(
            "UTC"
        )
        for name in ("submitted_at", "completed_at", "answered_at")
    ]
    return (
        rows.join(about, on="batch", how="left", maintain_order="left")
        .with_columns(*times)
        .with_columns(attempt=pl.int_range(1, pl.len() + 1).over("custom_id"))
    )


def _answers(report: Report, attempts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per request: its factors, and the attempt that counts.

    That is the first valid one; without one the last answered one, else the last of all.
    """
    rank = (
        pl.when(pl.col("outcome") == Outcome.VALID.value)
        .then(0)
        .when(pl.col("outcome") == Outcome.INVALID.value)
        .then(1)
        .otherwise(2)
    )
    order = pl.when(pl.col("outcome") == Outcome.VALID.value).then(1).otherwise(-1)
    best = (
        attempts.with_columns(_rank=rank, _order=order * pl.col("attempt").cast(pl.Int64))
        .sort("_rank", "_order", maintain_order=True)
        .unique("custom_id", keep="first", maintain_order=True)
        .drop("_rank", "_order", "attempt")
    )
    answers = _requests(report).join(best, on="custom_id", how="left", maintain_order="left")
    readings = question_columns(report.questions)
    last = [name for name in TAIL if name != "raw_answer"]
    return answers.select(
        *(name for name in answers.columns if name not in {*best.columns} or name == "custom_id"),
        *readings,
        *(name for name in HEAD if name != "custom_id"),
        *last,
        "remote_batch",
        "submitted_at",
        "completed_at",
        "raw_answer",
    )


def _requests(report: Report) -> pl.DataFrame:
    """Return one row per request of the roster, with its factors and counters.

    Requests outside the present configuration are in it once they were answered or sent.
    """
    definition = report.experiment["definition"]
    model = definition["model"]
    rows = list(report.roster.rows.items())
    conditions = pl.DataFrame(
        [
            {
                **_factors(definition, stem),
                "stem": stem,
                "_wanted": row.wanted,
                "_n": len(row.state),
            }
            for stem, row in rows
        ],
        schema={**_FACTORS, "stem": pl.String, "_wanted": pl.Int64, "_n": pl.Int64},
    )
    arrays = {
        "_state": b"".join(row.state for _, row in rows),
        "attempts": b"".join(row.asked for _, row in rows),
        "lost": b"".join(row.lost for _, row in rows),
    }
    return (
        conditions.with_columns(trial=pl.int_ranges(1, pl.col("_n") + 1))
        .explode("trial", empty_as_null=False)
        .with_columns(
            pl.concat_str("stem", pl.lit("_n"), pl.col("trial").cast(pl.String).str.zfill(2)).alias(
                "custom_id"
            ),
            *(pl.Series(name, list(codes), dtype=pl.Int64) for name, codes in arrays.items()),
        )
        .filter(
            (pl.col("trial") <= pl.col("_wanted")) | ~pl.col("_state").is_in([PENDING, WITHHELD])
        )
        .with_columns(
            status=pl.col("_state").replace_strict(
                list(range(len(STATES))), [_STATUS[s] for s in STATES], return_dtype=pl.String
            )
        )
        .select(
            pl.lit(report.experiment["name"]).alias("experiment"),
            pl.lit(model["provider"]).alias("provider"),
            pl.lit(model["name"]).alias("model"),
            pl.lit(bool(report.experiment["emulated"])).alias("rehearsal"),
            *_FACTORS,
            "trial",
            "custom_id",
            "status",
            "attempts",
            "lost",
        )
    )


_FACTORS = {
    "persona": pl.String,
    "persona_name": pl.String,
    "text": pl.String,
    "title": pl.String,
    "author": pl.String,
    "temperature": pl.Float64,
}


def _factors(definition: Mapping[str, Any], stem: str) -> dict[str, Any]:
    factors = definition["conditions"][stem]
    persona = definition["personas"][factors["persona"]]
    text = definition["texts"][factors["text"]]
    temperature = factors["temperature"]
    return {
        "persona": factors["persona"],
        "persona_name": persona["name"],
        "text": factors["text"],
        "title": text["title"],
        "author": text["author"],
        "temperature": None if temperature is None else float(temperature),
    }


_STATUS = {
    RequestState.PENDING: "open",
    RequestState.IN_BATCH: "open",
    RequestState.SUCCESS: "success",
    RequestState.RETRY_SUCCESS: "retry_success",
    RequestState.FAILED: "failed",
    RequestState.WITHHELD: "open",
}


def _check(answers: pl.DataFrame, counts: Counts) -> None:
    """Refuse to write a table that says something else than the ledger."""
    found = dict(answers.group_by("status").len().iter_rows())
    for status, count in totals(counts).items():
        here = answers.height if status == "total" else found.get(status, 0)
        if here != count:
            raise LedgerDamaged(
                f"the table has {here} requests that are {status}, the ledger {count}: nothing was "
                "written; action=export reads the raw answers again"
            )


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


def _summary(report: Report, counts: Counts) -> dict[str, Any]:
    return {
        "experiment": report.experiment["name"],
        "provider": report.experiment["definition"]["model"]["provider"],
        "model": report.experiment["definition"]["model"]["name"],
        "rehearsal": report.experiment["emulated"],
        **summary(counts, report.batches),
    }


def _errors(report: Report, attempts: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield whatever went wrong: with a call, with a result file, with a request."""
    for event in report.events:
        if event.get("error"):
            details = {key: event[key] for key in ("state", "remote", "remote_state")}
            yield _error(event["at"], event["batch"], event["event"], event["error"], details)
    for batch in report.batches:
        found = {f"{notice} lines": count for notice, count in batch.notices.items()}
        found |= {
            f"requests {outcome}": count
            for outcome in (Outcome.EXPIRED.value, Outcome.MISSING.value)
            if (count := batch.tally.get(outcome))
        }
        for what, count in found.items():
            details = {"count": count, "remote": batch.remote}
            yield _error(batch.collected_at, batch.key, what, f"{count} {what}", details)
    for row in attempts.filter(
        pl.col("outcome").is_in([Outcome.REFUSED.value, Outcome.ERRORED.value])
    ).iter_rows(named=True):
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


def _manifest(report: Report) -> dict[str, Any]:
    return {
        "chorus": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "experiment": report.experiment,
        "config": report.resolved,
        "batches": [
            {"batch": b.key, "requests_sha256": b.sha256, "raw_sha256": dict(b.raw)}
            for b in report.batches
        ],
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


def _replace(path: Path, write: Any) -> None:
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)
