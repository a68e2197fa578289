"""Where Vertex AI reads requests and writes results: objects in a bucket, or tables of a dataset.

Nothing is retried but the pieces of a long upload, which cannot be stored twice. Importing this
module imports Google's SDKs; the one that is not used is left out.
"""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import google_crc32c
from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption

from runner.core.errors import ProviderBusy, ProviderRefused, ProviderSilent
from runner.core.model import JsonObject
from runner.providers._google import Strange, asked
from runner.providers._vertex_jobs import (
    APP,
    bucket_fits,
    dataset_fits,
    object_of,
    prefix_of,
    stem_of,
    table_of,
)
from runner.providers._vertex_lines import Preflight, json_line

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

PIECE = 8 << 20
"""Bytes of an upload sent at once; a smaller file goes out in one call."""
LOADS = 5
"""How often one request file may be loaded, when loading fails through no fault of the file."""
_BEFORE_A_FILE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and blanks."""
_ONCE: Any = None
"""For a call that is not tried again."""
_PASSING = {"backendError", "internalError", "rateLimitExceeded", "quotaExceeded", "stopped"}
"""Why a load job failed, where loading again may help."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A request file, read once to its end and found fit to be sent."""

    lines: int
    size: int
    crc32c: str


def survey(path: Path) -> Survey:
    """Read a request file and check every line.

    Raises:
        ProviderRefused: naming the first line that the importer would not take.
    """
    preflight, checksum, size = Preflight(), 0, 0
    with path.open("rb") as lines:
        for line in lines:
            preflight.check(line)
            checksum = _summed(checksum, line)
            size += len(line)
    return Survey(preflight.lines, size, _written(checksum))


def _summed(before: int, data: bytes) -> int:
    """Return the CRC-32C of what came before and more."""
    checksum: int = google_crc32c.extend(before, data)
    return checksum


def _written(checksum: int) -> str:
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


class Store(Protocol):
    """A place for requests and results."""

    def check(self, location: str) -> None:
        """Refuse a place that is not there, or not where the job is."""
        ...

    def put(self, path: Path, name: str, known: Survey, *, look_first: bool) -> dict[str, str]:
        """Hand over a request file, unless it is there already; return how it is found again."""
        ...

    def output(self, name: str) -> str:
        """Return where the results of a request file are to go."""
        ...

    def drop(self, handle: Mapping[str, str]) -> None:
        """Take a request file away."""
        ...

    def results(self, uri: str, created: str) -> dict[str, str]:
        """Return the result files of a job by our names, each with its own address."""
        ...

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Write one result file to a sink, and be sure that it is whole."""
        ...


class Objects:
    """Objects in a bucket of Cloud Storage."""

    def __init__(self, client: "storage.Client", bucket: str, timeout: float) -> None:
        """Keep the client and the bucket's name."""
        self._client = client
        self._name = bucket
        self._timeout = timeout

    def check(self, location: str) -> None:
        """Look at the bucket; who may not look at buckets may still be allowed to use one."""
        where = "us-central1" if location == "global" else location
        try:
            bucket = self._client.get_bucket(self._name, timeout=self._timeout, retry=None)
        except api.Forbidden:
            return
        except api.NotFound:
            raise ProviderRefused(
                f"the bucket gs://{self._name} does not exist: make it with gcloud storage buckets "
                f"create gs://{self._name} --location={where}, or name another in provider.bucket"
            ) from None
        place = asked(lambda: str(bucket.location or ""))
        parts = asked(lambda: [str(part) for part in bucket.data_locations or ()])
        if place and not bucket_fits(place, parts, location):
            raise ProviderRefused(
                f"the bucket gs://{self._name} is in {place.lower()}, and the job in {location}: "
                f"set provider.location to the bucket's, or make a bucket in {location} and name "
                "it in provider.bucket"
            )

    def put(self, path: Path, name: str, known: Survey, *, look_first: bool) -> dict[str, str]:
        """Upload under a name that says what is in it, so that it is stored once."""
        blob = self._client.bucket(self._name).blob(object_of(name), chunk_size=PIECE)
        if look_first and (there := self._there(blob, known)):
            return there
        try:
            with path.open("rb") as handle:
                asked(
                    lambda: blob.upload_from_file(
                        handle,
                        size=known.size,
                        content_type="application/jsonl",
                        if_generation_match=0,
                        checksum="crc32c",
                        timeout=self._timeout,
                        retry=self._patience(known.size),
                    )
                )
        except api.PreconditionFailed:
            there = self._there(blob, known)
            if there is None:
                raise ProviderSilent(f"{blob.name} was there, and is gone") from None
            return there
        return self._handle(blob, known)

    def _patience(self, size: int) -> Any:
        """Return how to retry: a piece that is sent twice is stored once."""
        if size <= PIECE:
            return None
        from google.cloud.storage.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self._timeout)

    def _there(self, blob: "storage.Blob", known: Survey) -> dict[str, str] | None:
        """Return the handle of what stands under this name; None when nothing does."""
        try:
            asked(lambda: blob.reload(timeout=self._timeout, retry=None))
        except api.NotFound:
            return None
        return self._handle(blob, known)

    def _handle(self, blob: "storage.Blob", known: Survey) -> dict[str, str]:
        """Return how the object is found again.

        Raises:
            ProviderRefused: something else stands under its name.
        """
        size, crc32c, generation = asked(lambda: (blob.size, blob.crc32c, blob.generation))
        if size is None or crc32c is None or generation is None:
            raise Strange("a reply that says nothing of the object", 200)
        if (size, crc32c) != (known.size, known.crc32c):
            raise ProviderRefused(
                f"gs://{self._name}/{blob.name} holds something else than the request file"
            )
        return {"input": f"gs://{self._name}/{blob.name}", "generation": str(generation)}

    def output(self, name: str) -> str:
        """Return the folder for the results."""
        return f"gs://{self._name}/{prefix_of(name)}"

    def drop(self, handle: Mapping[str, str]) -> None:
        """Delete the object that was uploaded, and no other; gone already is gone."""
        bucket, name = _place(handle["input"])
        generation = int(handle["generation"])
        with suppress(api.NotFound):
            blob = self._client.bucket(bucket).blob(name)
            blob.delete(if_generation_match=generation, timeout=self._timeout, retry=None)

    def results(self, uri: str, created: str) -> dict[str, str]:
        """List the folder to its end; other jobs' folders below it are left out."""
        bucket, folder = _place(uri)
        pages = self._client.list_blobs(
            bucket, prefix=f"{folder.rstrip('/')}/", timeout=self._timeout, retry=None
        )
        found = asked(lambda: sorted((str(blob.name), blob.generation) for blob in pages))
        lines = [(name, generation) for name, generation in found if name.endswith(".jsonl")]
        folders = {name.rpartition("/")[0] for name, _ in lines}
        if len(folders) > 1:
            lines = [pair for pair in lines if created[:19] in pair[0]]
        uris = [f"gs://{bucket}/{name}#{generation}" for name, generation in lines]
        return _numbered(uris)

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Download one version of an object and compare its checksum."""
        place, _, generation = uri.rpartition("#")
        bucket, name = _place(place)
        blob = self._client.bucket(bucket).blob(name, generation=int(generation))
        kept = _Kept(sink)
        asked(
            lambda: blob.download_to_file(
                kept, checksum="crc32c", timeout=self._timeout, retry=None
            )
        )
        if blob.crc32c is None:  # it came without a checksum, which proves nothing
            asked(lambda: blob.reload(timeout=self._timeout, retry=None))
        if blob.crc32c != _written(kept.checksum):
            raise DataCorruption(None, f"{uri}: {kept.size} bytes, and not those that are there")


class _Kept:
    """A sink that knows what went into it, and takes no web page for a result file."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.size = 0
        self.checksum = 0

    def write(self, data: bytes) -> int:
        if self.size == 0 and data:
            start = data.lstrip(_BEFORE_A_FILE)[:80]
            if start and not start.startswith(b"{"):
                raise DataCorruption(None, f"not a result file: {start.decode('utf-8', 'replace')}")
        self.size += len(data)
        self.checksum = _summed(self.checksum, data)
        return self._sink.write(data)


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
            failure = asked(lambda job=job: job.error_result)  # type: ignore[misc]
            if not failure:
                return self._handle(table, job, known)
            if not adopted:
                raise _refusal(job_id, failure)
        raise ProviderRefused(f"{table} could not be loaded: {LOADS} load jobs have failed")

    def _load(self, path: Path, table: str, job_id: str, size: int) -> "bigquery.LoadJob":
        from google.cloud import bigquery

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
        deadline, pause = time.monotonic() + self._timeout, 0.1
        while job is not None and (state := asked(lambda job=job: str(job.state))) != "DONE":  # type: ignore[misc]
            if state not in ("PENDING", "RUNNING"):
                raise Strange(f"a load job in the state {state}", 200)
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


def _refusal(job_id: str, failure: Mapping[str, Any]) -> ProviderBusy | ProviderRefused:
    """Say why a load job has failed."""
    reason, message = failure.get("reason"), failure.get("message")
    said = f"the load job {job_id} has failed: {reason}: {message}"
    return ProviderBusy(said) if reason in _PASSING else ProviderRefused(said)


def _place(uri: str) -> tuple[str, str]:
    """Return bucket and name of `gs://bucket/name`."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def _numbered(uris: list[str]) -> dict[str, str]:
    """Name the files of one job: output, output-2 and so on."""
    return {("output" if n == 1 else f"output-{n}"): uri for n, uri in enumerate(uris, 1)}
