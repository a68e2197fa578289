"""Requests and results as tables of a BigQuery dataset.

Importing this module imports Google's SDK.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption

from runner.core.errors import ProviderBusy, ProviderRefused, ProviderSilent
from runner.core.model import JsonObject
from runner.providers._google import Strange, asked
from runner.providers._google_inside import load_in_pieces
from runner.providers._vertex_io import PIECE, Survey
from runner.providers._vertex_jobs import APP, dataset_fits, stem_of, table_of
from runner.providers._vertex_lines import json_line

if TYPE_CHECKING:
    from google.cloud import bigquery

PATIENCE = 15.0
"""Seconds that a load job is waited for in one go: who stops the program waits for it, too."""
LOADS = 5
"""How often one request file may be loaded, when loading fails through no fault of the file."""
_ONCE: Any = None
"""For a call that is not tried again."""
_PASSING = {"backendError", "internalError", "rateLimitExceeded", "quotaExceeded", "stopped"}
"""Why a load job failed, where loading again may help."""


class Tables:
    """Tables of a BigQuery dataset."""

    def __init__(self, client: "bigquery.Client", dataset: str, timeout: float) -> None:
        """Keep the client and the dataset's name, with its project if it is another's."""
        self._client = client
        self._dataset = dataset if "." in dataset else f"{client.project}.{dataset}"
        self._timeout = timeout
        self._location: str | None = None

    def check(self, location: str) -> None:
        """Look at the dataset; who may not look at datasets may still be allowed to use one."""
        self._location = None if location == "global" else location
        try:
            dataset = asked(
                lambda: self._client.get_dataset(self._dataset, timeout=self._timeout, retry=_ONCE)
            )
        except api.Forbidden:
            return
        except api.NotFound:
            where = "US" if location == "global" else location
            raise ProviderRefused(
                f"the dataset {self._dataset} does not exist: make it with bq --location={where} "
                f"mk --dataset {self._dataset.replace('.', ':')}, or name another in "
                "provider.dataset"
            ) from None
        place = str(dataset.location or "")
        if place and not dataset_fits(place, location):
            raise ProviderRefused(
                f"the dataset {self._dataset} is in {place}, and the job in {location}: a job "
                "reads and writes datasets of its own region only (US and EU are none); set "
                f"provider.location to the dataset's, or name one in {location} in provider.dataset"
            )
        self._location = place or self._location

    def put(self, path: Path, name: str, known: Survey, *, look_first: bool) -> dict[str, str]:
        """Load the file by a job of our own naming, so that it is loaded once."""
        table = f"{self._dataset}.{table_of(name)}"
        for nth in range(LOADS):
            job_id = f"{APP}-{stem_of(name)}" + (f"-{nth + 1}" if nth else "")
            job = self._job(job_id) if look_first or nth else None
            adopted = job is not None
            if job is None:
                try:
                    job = self._load(path, table, job_id, known.size)
                except api.Conflict:
                    job, adopted = self._job(job_id), True
            job = self._done(job_id, job)
            failure = _failure_of(job)
            if not failure:
                return self._handle(table, job, known)
            if not adopted:
                raise _refusal(job_id, failure)
        raise ProviderRefused(f"{table} could not be loaded: {LOADS} load jobs have failed")

    def _load(self, path: Path, table: str, job_id: str, size: int) -> "bigquery.LoadJob":
        from google.cloud import bigquery

        load_in_pieces(PIECE)
        fields = [
            bigquery.SchemaField("custom_id", "STRING"),
            bigquery.SchemaField("request", "JSON"),
        ]
        config = bigquery.LoadJobConfig(
            schema=fields,
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            labels={"app": APP},
        )
        with path.open("rb") as handle:
            return asked(
                lambda: self._client.load_table_from_file(
                    handle,
                    table,
                    size=size,
                    num_retries=0,
                    job_id=job_id,
                    location=self._location,
                    job_config=config,
                    timeout=self._timeout,
                )
            )

    def _job(self, job_id: str) -> "bigquery.LoadJob | None":
        try:
            job = asked(
                lambda: self._client.get_job(
                    job_id, location=self._location, timeout=self._timeout, retry=_ONCE
                )
            )
            return cast("bigquery.LoadJob", job)
        except api.NotFound:
            return None

    def _done(self, job_id: str, job: "bigquery.LoadJob | None") -> "bigquery.LoadJob":
        """Wait for a load job, but not for ever: the next try finds it again."""
        deadline, pause = time.monotonic() + min(self._timeout, PATIENCE), 0.1
        while job is not None and not _is_done(job):
            if time.monotonic() > deadline:
                raise ProviderSilent(f"the load job {job_id} is not done yet")
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
            job = self._job(job_id)
        if job is None:
            raise ProviderSilent(f"the load job {job_id} was there, and is gone")
        return job

    def _handle(self, table: str, job: "bigquery.LoadJob", known: Survey) -> dict[str, str]:
        loaded = asked(lambda: job.output_rows)
        if loaded is None:
            raise Strange("a load job that does not say how many rows it loaded", 200)
        if loaded != known.lines:
            raise ProviderRefused(f"{table} has {loaded} rows, and the request file {known.lines}")
        return {"input": f"bq://{table}"}

    def output(self, name: str) -> str:
        """Return the table for the results."""
        return f"bq://{self._dataset}.{table_of(name)}_results"

    def drop(self, handle: Mapping[str, str]) -> None:
        """Delete the table; gone already is gone."""
        table = handle["input"].removeprefix("bq://")
        with suppress(api.NotFound):
            self._client.delete_table(table, timeout=self._timeout, retry=_ONCE)

    def results(self, uri: str, created: str) -> dict[str, str]:
        """Return the table, if it is there and anything is in it."""
        try:
            table = self._table(uri)
        except api.NotFound:
            return {}
        return {"output": uri} if asked(lambda: table.num_rows) else {}

    def _table(self, uri: str) -> "bigquery.Table":
        name = uri.removeprefix("bq://")
        return asked(lambda: self._client.get_table(name, timeout=self._timeout, retry=_ONCE))

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Write the rows as lines, and count them."""
        table = self._table(uri)
        rows = self._client.list_rows(table, timeout=self._timeout, retry=_ONCE)
        count = 0
        for row in self._rows(rows):
            sink.write(json_line(row))
            count += 1
        whole = {asked(lambda: rows.total_rows), asked(lambda: table.num_rows)}
        if whole != {count}:
            raise DataCorruption(None, f"{uri}: {count} rows, where there should be {whole}")

    def _rows(self, rows: "bigquery.table.RowIterator") -> Iterator[JsonObject]:
        """Yield the rows; the page after the last one read is asked for when it is needed."""
        unread = iter(rows)
        while (row := asked(lambda: next(unread, None))) is not None:
            yield {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date | clock_time) else value


def _is_done(job: "bigquery.LoadJob") -> bool:
    state = asked(lambda: str(job.state))
    if state not in ("PENDING", "RUNNING", "DONE"):
        raise Strange(f"a load job in the state {state}", 200)
    return state == "DONE"


def _failure_of(job: "bigquery.LoadJob") -> Mapping[str, Any] | None:
    """Return why a load job has failed; None when all went well."""
    failure: Mapping[str, Any] | None = asked(lambda: job.error_result)
    return failure


def _refusal(job_id: str, failure: Mapping[str, Any]) -> ProviderBusy | ProviderRefused:
    """Say why a load job has failed."""
    reason, message = failure.get("reason"), failure.get("message")
    said = f"the load job {job_id} has failed: {reason}: {message}"
    return ProviderBusy(said) if reason in _PASSING else ProviderRefused(said)
