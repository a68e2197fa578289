"""The slice of BigQuery's REST API that batch prediction needs: load jobs, tables and their rows."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.dice import chance
from runner.emulator.google_shapes import GoogleError, json_body, number, token_after
from runner.emulator.google_shapes import start as start_of
from runner.emulator.google_store import GoogleStore, bucket_spot, generation_of, table_spot
from runner.emulator.google_uploads import Upload, Uploads
from runner.emulator.records import StoredFile
from runner.emulator.spots import Spot
from runner.emulator.world import World

PAGE = 5000
PAGE_BYTES = 10 * 2**20
MAX_ERRORS = 5
_PROJECT = "/bigquery/v2/projects/{project}"


class LoadError(Exception):
    """Content that does not fit a table."""


class BigQueryWire:
    """Datasets, tables and load jobs."""

    prefixes: tuple[str, ...] = ("/bigquery/v2", "/upload/bigquery/v2")

    def __init__(self, world: World, store: GoogleStore) -> None:
        """Show what the store has."""
        self._world = world
        self._store = store
        self._uploads = Uploads(self._load, lambda _: None)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return GoogleError(status, message, is_classic=True).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        datasets, jobs = f"{_PROJECT}/datasets", f"{_PROJECT}/jobs"
        tables = f"{datasets}/{{dataset}}/tables"
        return [
            Route(datasets, self.make_dataset, methods=["POST"]),
            Route(f"{datasets}/{{dataset}}", self.get_dataset, methods=["GET"]),
            Route(tables, self.make_table, methods=["POST"]),
            Route(f"{tables}/{{table}}", self.get_table, methods=["GET"]),
            Route(f"{tables}/{{table}}", self.delete_table, methods=["DELETE"]),
            Route(f"{tables}/{{table}}/data", self.rows, methods=["GET"]),
            Route(jobs, self.start_job, methods=["POST"]),
            Route(f"{jobs}/{{job}}", self.get_job, methods=["GET"]),
            Route(f"/upload{jobs}", self._uploads.post, methods=["POST"]),
            Route(f"/upload{jobs}", self._uploads.put, methods=["PUT"]),
        ]

    # Datasets and tables

    async def make_dataset(self, request: Request) -> Response:
        """Make a dataset."""
        wanted = await json_body(request)
        name = str((wanted.get("datasetReference") or {}).get("datasetId", ""))
        self._store.make_place("bq", name, str(wanted.get("location") or "US"))
        return JSONResponse(self._dataset(request.path_params["project"], name))

    def get_dataset(self, request: Request) -> Response:
        """Show a dataset."""
        path = request.path_params
        return JSONResponse(self._dataset(path["project"], path["dataset"]))

    def _dataset(self, project: str, name: str) -> dict[str, Any]:
        location = self._located(project, name)
        return {
            "kind": "bigquery#dataset",
            "id": f"{project}:{name}",
            "etag": "e",
            "datasetReference": {"datasetId": name, "projectId": project},
            "location": location if "-" in location else location.upper(),
            "creationTime": "1700000000000",
            "lastModifiedTime": "1700000000000",
            "type": "DEFAULT",
        }

    def _located(self, project: str, dataset: str) -> str:
        location = self._store.location("bq", dataset)
        if location is None:
            raise GoogleError(404, f"Not found: Dataset {project}:{dataset}", is_classic=True)
        return location

    async def make_table(self, request: Request) -> Response:
        """Make an empty table."""
        wanted, path = await json_body(request), request.path_params
        name = str((wanted.get("tableReference") or {}).get("tableId", ""))
        self._located(path["project"], path["dataset"])
        spot = table_spot(path["project"], path["dataset"], name)
        fields = (wanted.get("schema") or {}).get("fields", [])
        if self._store.find(spot) is not None:
            raise GoogleError(409, f"Already Exists: Table {_id(spot)}", is_classic=True)
        with TemporaryFile() as nothing:
            file = self._store.put_if(spot, nothing, fields=fields)
        return JSONResponse(self._table(file, spot))

    def get_table(self, request: Request) -> Response:
        """Show a table."""
        file, spot = self._found(request)
        return JSONResponse(self._table(file, spot))

    def delete_table(self, request: Request) -> Response:
        """Delete a table."""
        file, _ = self._found(request)
        self._store.shelf.delete(file.id)
        return Response(status_code=204)

    def _found(self, request: Request) -> tuple[StoredFile, Spot]:
        path = request.path_params
        self._world.advance()
        self._located(path["project"], path["dataset"])
        spot = table_spot(path["project"], path["dataset"], path["table"])
        file = self._store.find(spot)
        if file is None:
            raise GoogleError(404, f"Not found: Table {_id(spot)}", is_classic=True)
        return file, spot

    def _table(self, file: StoredFile, spot: Spot) -> dict[str, Any]:
        project, dataset = spot.where.split("/")[1:]
        milliseconds = str(int(file.created_at * 1000))
        return {
            "kind": "bigquery#table",
            "id": _id(spot),
            "etag": f"e{generation_of(file)}",
            "tableReference": {
                "projectId": project,
                "datasetId": dataset,
                "tableId": spot.name,
            },
            "schema": {"fields": self._fields(file)},
            "numBytes": str(file.bytes),
            "numRows": str(self._store.sums(file).lines),
            "creationTime": milliseconds,
            "lastModifiedTime": milliseconds,
            "type": "TABLE",
            "location": self._located(project, dataset),
        }

    def _fields(self, file: StoredFile) -> list[dict[str, Any]]:
        """Return a table's columns; a job writes its JSON as such or, just as often, as text."""
        if (known := self._store.fields(file)) is not None:
            return known
        text = chance(self._world.behaviour.seed, "columns", file.stable_key) < 0.5
        kinds = {
            "custom_id": "STRING",
            "request": "STRING" if text else "JSON",
            "response": "STRING" if text else "JSON",
            "status": "STRING",
            "processed_time": "STRING" if text else "TIMESTAMP",
        }
        return [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in kinds.items()]

    # Rows

    def rows(self, request: Request) -> Response:
        """List the rows of a table, page by page."""
        file, _ = self._found(request)
        behaviour, fields = self._world.behaviour, self._fields(file)
        first, size = start_of(request), number(request, "maxResults", PAGE, PAGE)
        total = self._store.sums(file).lines
        cut = False
        if first == 0:
            is_new = self._store.shelf.count_download(file) == 0
            cut = is_new and behaviour.happens("truncated_downloads", file.stable_key)
        page: dict[str, Any] = {"kind": "bigquery#tableDataList", "totalRows": str(total)}
        shown, used = [], 0
        for line in _lines(self._store.shelf.path_of(file.id), first, min(size, total - first)):
            shown.append(_row(line, fields))
            used += len(line)
            if used > PAGE_BYTES:
                break
        if cut:
            page["rows"] = shown[: len(shown) // 2]
        elif shown:
            page["rows"] = shown
            if first + len(shown) < total:
                page["pageToken"] = token_after(first + len(shown))
        return JSONResponse(page)

    # Load jobs

    async def start_job(self, request: Request) -> Response:
        """Start a load from objects."""
        wanted = await json_body(request)
        uris = _load_of(wanted).get("sourceUris") or []
        with TemporaryFile() as content:
            for uri in uris:
                bucket, _, name = str(uri).removeprefix("gs://").partition("/")
                file = self._store.find(bucket_spot(bucket, name))
                if file is None:
                    raise GoogleError(404, f"Not found: URI {uri}", is_classic=True)
                content.write(self._store.shelf.path_of(file.id).read_bytes())
            content.seek(0)
            return self._begun(request.path_params["project"], wanted, content)

    def _load(self, upload: Upload) -> Response:
        return self._begun(upload.path["project"], upload.metadata, upload.content)

    def _begun(self, project: str, wanted: dict[str, Any], content: IO[bytes]) -> Response:
        load = _load_of(wanted)
        destination = load.get("destinationTable") or {}
        dataset = str(destination.get("datasetId", ""))
        location = self._located(project, dataset)
        reference = wanted.get("jobReference") or {}
        job_id, asked = str(reference.get("jobId", "")), str(reference.get("location") or location)
        if asked.lower() != location.lower():
            message = f"Not found: Dataset {project}:{dataset} was not found in location {asked}"
            raise GoogleError(404, message, is_classic=True)
        spot = table_spot(destination.get("projectId", project), dataset, destination["tableId"])
        now = self._world.clock()
        record: dict[str, Any] = {
            "project": project,
            "location": location,
            "load": load,
            "created": now,
            "done": now + self._world.behaviour.validating_seconds,
            "error": None,
            "rows": 0,
            "bytes": 0,
        }
        key = f"{project}:{location}.{job_id}"
        if not self._store.keep_load(key, record):
            raise GoogleError(409, f"Already Exists: Job {key}", is_classic=True)
        try:
            record["rows"], record["bytes"] = self._fill(spot, load, content)
        except LoadError as error:
            record["error"] = {"reason": "invalid", "message": str(error)}
        self._store.finish_load(key, record)
        return JSONResponse(self._job(job_id, record, now))

    def _fill(self, spot: Spot, load: dict[str, Any], content: IO[bytes]) -> tuple[int, int]:
        """Put content into a table, all of it or nothing."""
        if load.get("sourceFormat") != "NEWLINE_DELIMITED_JSON":
            raise LoadError("The emulator loads NEWLINE_DELIMITED_JSON only.")
        fields = (load.get("schema") or {}).get("fields") or []
        how = load.get("writeDisposition", "WRITE_APPEND")
        there = self._store.find(spot)
        if there is not None and how == "WRITE_EMPTY":
            raise LoadError(f"Already Exists: Table {_id(spot)}")
        rows = _checked(content, {field["name"]: field["type"] for field in fields})
        with TemporaryFile() as whole:
            if there is not None and how == "WRITE_APPEND":
                whole.write(self._store.shelf.path_of(there.id).read_bytes())
            content.seek(0)
            while chunk := content.read(2**20):
                whole.write(chunk)
            whole.seek(0)
            file = self._store.put_if(spot, whole, fields=fields)
        return rows, file.bytes

    def get_job(self, request: Request) -> Response:
        """Show a load job; in another region there is none."""
        path, location = request.path_params, request.query_params.get("location")
        for place in [location] if location else ["us", "eu"]:
            record = self._store.load(f"{path['project']}:{place.lower()}.{path['job']}")
            if record is not None:
                return JSONResponse(self._job(path["job"], record, self._world.clock()))
        raise GoogleError(404, f"Not found: Job {path['project']}:{path['job']}", is_classic=True)

    def _job(self, job_id: str, record: dict[str, Any], now: float) -> dict[str, Any]:
        done = now >= record["done"]
        status: dict[str, Any] = {"state": "DONE" if done else "RUNNING"}
        times = {"creationTime": record["created"], "startTime": record["created"]}
        statistics: dict[str, Any] = {}
        if done:
            times["endTime"] = record["done"]
            load = {"inputFiles": "1", "inputFileBytes": str(record["bytes"])}
            if record["error"]:
                status |= {"errorResult": record["error"], "errors": [record["error"]]}
            else:
                load |= {"outputRows": str(record["rows"]), "outputBytes": str(record["bytes"])}
            statistics["load"] = load
        statistics |= {name: str(int(moment * 1000)) for name, moment in times.items()}
        return {
            "kind": "bigquery#job",
            "id": f"{record['project']}:{record['location']}.{job_id}",
            "etag": "e",
            "jobReference": {
                "projectId": record["project"],
                "jobId": job_id,
                "location": record["location"],
            },
            "configuration": {"jobType": "LOAD", "load": record["load"]},
            "status": status,
            "statistics": statistics,
        }


def _id(spot: Spot) -> str:
    project, dataset = spot.where.split("/")[1:]
    return f"{project}:{dataset}.{spot.name}"


def _load_of(wanted: dict[str, Any]) -> dict[str, Any]:
    load = (wanted.get("configuration") or {}).get("load")
    if not isinstance(load, dict) or "tableId" not in (load.get("destinationTable") or {}):
        raise GoogleError(400, "The emulator runs load jobs only.", is_classic=True)
    return load


def _checked(content: IO[bytes], kinds: dict[str, str]) -> int:
    """Count the rows, if all of them fit the columns."""
    count = 0
    for count, line in enumerate(content, 1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise LoadError(f"Error while reading data, error message: line {count}: not JSON")
        for name, value in row.items():
            if name not in kinds:
                raise LoadError(f"line {count}: No such field: {name}.")
            if kinds[name] == "STRING" and not isinstance(value, str | int | float | None):
                raise LoadError(f"line {count}: field {name} is not a STRING.")
        if not line.endswith(b"\n"):
            raise LoadError(f"line {count}: does not end")
    return count


def _lines(path: Path, first: int, count: int) -> Iterator[bytes]:
    with path.open("rb") as content:
        for n, line in enumerate(content):
            if n >= first + count:
                return
            if n >= first:
                yield line


def _row(line: bytes, fields: list[dict[str, Any]]) -> dict[str, Any]:
    row = orjson.loads(line)
    return {"f": [{"v": _cell(row.get(field["name"]), field["type"])} for field in fields]}


def _cell(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    if kind == "TIMESTAMP":
        return str(int(datetime.fromisoformat(value).timestamp() * 1_000_000))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
