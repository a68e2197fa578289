"""Gemini on Vertex AI: jobs on one address, buckets and tables on two others."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import HTML, Kit, Route
from tests.contract.spoiled import reply

_JOBS = "/v1/projects/[^/]+/locations/[^/]+/batchPredictionJobs"
_TABLE = "/bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+"
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
_STORE = "gs://emulated-us-central1/chorus"
_DATASET = "bq://emulated.emulated_us_central1"


class GeminiKit(Kit):
    """Vertex AI with what it reads and writes in Cloud Storage."""

    asks = "gemini-2.5-flash"
    create = ("POST", _JOBS)
    find = ("GET", _JOBS)
    poll = ("GET", f"{_JOBS}/[^/]+")
    cancel = ("POST", f"{_JOBS}/[^/]+:cancel")
    download: Route = ("GET", "/download/storage/v1/b/[^/]+/o/.+")
    listing: Route = ("GET", "/storage/v1/b/[^/]+/o")
    hand_over: Route = ("POST", "/upload/storage/v1/b/[^/]+/o")
    ask = ("POST", "/v1/projects/[^/]+/locations/[^/]+/publishers/google/models/[^/]+")
    routes = tuple((method, "/.*") for method in ("GET", "POST", "PUT", "DELETE"))
    options: Mapping[str, str | None] = {
        "project": "emulated",
        "bucket": "emulated-us-central1",
        "dataset": "emulated_us_central1",
    }
    unknown = RemoteId("projects/123456789012/locations/us-central1/batchPredictionJobs/4711")
    unknown_handle: Mapping[str, str] = {
        "input": f"{_STORE}/unknown.jsonl",
        "generation": "1",
        "shard": "0" * 40,
        "output": f"{_STORE}/unknown",
    }
    unknown_file = f"{_STORE}/unknown/prediction-model-x/predictions.jsonl#1"
    id_field = "name"
    writes_unrun = False
    notices_cuts = True
    reads_milliseconds = True
    page_parameter = "pageSize"
    filters_list = True

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error as Google's APIs do."""
        word = _STATUS.get(status, "UNKNOWN")
        return {"error": {"code": status, "message": message, "status": word}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the predictions."""
        candidate = {
            "content": {"role": "model", "parts": [{"text": text}]},
            "finishReason": "STOP",
            "avgLogprobs": -0.57,
        }
        usage = {"promptTokenCount": 9, "candidatesTokenCount": 10, "totalTokenCount": 19}
        return {
            "custom_id": custom_id,
            "status": "",
            "processed_time": "2024-11-01T18:13:16.826+00:00",
            "request": {"contents": [{"role": "user", "parts": [{"text": "?", "fileData": None}]}]},
            "response": {
                "candidates": [candidate],
                "modelVersion": "gemini-2.5-flash@default",
                "usageMetadata": usage,
            },
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request, or is no JSON."""
        return (
            b'{"custom_id": 0, "status": "", "response": {"candidates": [{}]}}',
            b'{"custom_id": null, "status": "Bad Request: {}"}',
            b'{"status": "", "response": {"candidates": [{}]}}',
            b'{"custom_id": "x", "status": "", "response": NaN}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        return (
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "request": {}}',
            b'{"custom_id": "x", "status": 7, "response": {}}',
            b'{"custom_id": "x", "status": "", "response": 7}',
            b'{"custom_id": "x", "status": "", "response": [{}]}',
            b'{"custom_id": "x", "status": "", "response": "no JSON"}',
            b'{"custom_id": "x", "status": "", "response": {"candidates": [7]}}',
            b'{"custom_id": "x", "status": "", "response": {"candidates": "x"}}',
            b'{"custom_id": "x", "status": "", "response": {"id": "x"}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return all states but the one of nothing; a failed job says why elsewhere."""
        running = ("queued", "pending", "running", "cancelling", "paused", "updating")
        ended = ("succeeded", "partially_succeeded", "failed", "cancelled", "expired")
        return dict.fromkeys(running, "progress") | dict.fromkeys(ended, "end")

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a job as the service shows it; any of its fields can be changed."""
        return {
            "name": str(self.unknown),
            "displayName": "chorus",
            "model": "publishers/google/models/gemini-2.5-flash",
            "labels": {"app": "chorus", "shard": "0" * 40},
            "state": f"JOB_STATE_{state}".upper(),
            "createTime": "2026-09-02T20:06:30.166279Z",
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": f"{_STORE}/unknown"},
            },
            **changes,
        }

    def poll_replies(self, state: str) -> dict[Route, bytes]:
        """Reply to the poll, and to the look at what is in the output."""
        name = "chorus/unknown/prediction-model-2026-09-02T20:06:30.166279Z/predictions.jsonl"
        items = [{"name": name, "generation": "1", "bucket": "emulated-us-central1"}]
        return {
            **super().poll_replies(state),
            self.listing: reply(200, {"kind": "storage#objects", "items": items}),
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the list."""
        return {"batchPredictionJobs": rows, **({"nextPageToken": "again"} if more else {})}

    def no_lists(self) -> dict[str, bytes]:
        """Leave out what Google's APIs do say of a list with nothing on it."""
        empty = ("empty object", "data null")
        return {
            **{name: raw for name, raw in super().no_lists().items() if name not in empty},
            "rows in a page": reply(200, {"batchPredictionJobs": HTML.decode()}),
        }


class TablesKit(GeminiKit):
    """Vertex AI with what it reads and writes in BigQuery."""

    download = ("GET", f"{_TABLE}(/data)?")
    listing = ("GET", _TABLE)
    hand_over = ("POST", "/upload/bigquery/v2/projects/[^/]+/jobs")
    conflict_means_done = True
    unknown_handle: Mapping[str, str] = {
        "input": f"{_DATASET}.chorus_unknown",
        "shard": "0" * 40,
        "output": f"{_DATASET}.chorus_unknown_results",
    }
    unknown_file = f"{_DATASET}.chorus_unknown_results_1"

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a job as the service shows it; any of its fields can be changed."""
        output = {
            "predictionsFormat": "bigquery",
            "bigqueryDestination": {"outputUri": self.unknown_file},
        }
        return super().batch_object(state, **{"outputConfig": output, **changes})

    def poll_replies(self, state: str) -> dict[Route, bytes]:
        """Reply to the poll, and to the look at the table."""
        project, dataset, table = self.unknown_file.removeprefix("bq://").split(".")
        reference = {"projectId": project, "datasetId": dataset, "tableId": table}
        return {
            **super().poll_replies(state),
            self.listing: reply(200, {"tableReference": reference, "numRows": "3"}),
        }


KITS = (
    GeminiKit("gemini"),
    TablesKit("gemini", "tables", source="bigquery", sink="bigquery"),
)
