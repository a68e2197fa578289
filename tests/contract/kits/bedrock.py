"""Amazon Bedrock: jobs and conversations on one address, a bucket of S3 below it."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import HTML, Kit, Route
from tests.contract.spoiled import reply

_JOB = "/bedrock/model-invocation-job"
_ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job"
_FOLDER = "s3://emulated-bucket/chorus/results"
_KINDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    409: "ResourceInUseException",
    429: "ThrottlingException",
    500: "InternalServerException",
}


class BedrockKit(Kit):
    """Bedrock, with what it reads and writes in S3."""

    asks = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    create = ("POST", _JOB)
    find = ("GET", f"{_JOB}s")
    poll = ("GET", f"{_JOB}/[^/]+")
    cancel = ("POST", f"{_JOB}/[^/]+/stop")
    hand_over: Route = ("PUT", "/bedrock/s3/emulated-bucket/chorus/[^/]+")
    download: Route = ("GET", "/bedrock/s3/emulated-bucket/chorus/results/.+")
    listing: Route = ("GET", "/bedrock/s3/emulated-bucket")
    ask = ("POST", "/bedrock/model/[^/]+/converse")
    routes = tuple((method, "/bedrock/.*") for method in ("GET", "HEAD", "POST", "PUT", "DELETE"))
    options: Mapping[str, str | None] = {
        "region": "us-east-1",
        "bucket": "emulated-bucket",
        "role": "arn:aws:iam::123456789012:role/emulated",
    }
    unknown = RemoteId(f"{_ARN}/1unknown0000")
    unknown_handle: Mapping[str, str] = {
        "input": "s3://emulated-bucket/chorus/unknown.jsonl",
        "output": f"{_FOLDER}/",
        "name": "unknown.jsonl",
    }
    unknown_file = f"{_FOLDER}/1unknown0000/unknown.jsonl.out"
    empty_hand_over = True
    id_field = "jobArn"
    cancelled = "stopped"
    writes_unrun = False
    notices_cuts = True
    dates_answers = False
    page_parameter = "maxResults"
    filters_list = True

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error as AWS's services do; its kind may stand in the head, or in the body."""
        return {"__type": _KINDS.get(status, "InternalServerException"), "message": message}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a record of the results."""
        message = {"role": "assistant", "content": [{"text": text}]}
        return {
            "recordId": custom_id,
            "modelInput": {"messages": [{"role": "user", "content": [{"text": "?"}]}]},
            "modelOutput": {
                "output": {"message": message},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 9, "outputTokens": 10, "totalTokens": 19},
                "metrics": {"latencyMs": 900},
            },
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no record, or is no JSON."""
        return (
            b'{"recordId": 0, "modelOutput": {"output": {}}}',
            b'{"recordId": null, "error": {"errorCode": 400}}',
            b'{"modelOutput": {"output": {}}}',
            b'{"custom_id": "x", "modelOutput": {"output": {}}}',
            b'{"recordId": "x", "modelOutput": NaN}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write records whose outcome stands nowhere that is documented."""
        return (
            b'{"recordId": "x"}',
            b'{"recordId": "x", "modelInput": {}}',
            b'{"recordId": "x", "error": {}, "modelOutput": {}}',
            b'{"recordId": "x", "modelOutput": 7}',
            b'{"recordId": "x", "modelOutput": [{}]}',
            b'{"recordId": "x", "modelOutput": "no JSON"}',
            b'{"recordId": "x", "modelOutput": {"output": "x"}}',
            b'{"recordId": "x", "modelOutput": {"content": [{"type": "text", "text": "Q1"}]}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return all states; a failed job says why elsewhere."""
        running = ("submitted", "validating", "scheduled", "in_progress", "stopping")
        ended = ("completed", "partially_completed", "failed", "stopped", "expired")
        return dict.fromkeys(running, "progress") | dict.fromkeys(ended, "end")

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a job as the service shows it; any of its fields can be changed."""
        return {
            "jobArn": str(self.unknown),
            "jobName": "chorus-unknown-0",
            "modelId": self.asks,
            "roleArn": self.options["role"],
            "status": "".join(part.capitalize() for part in str(state).split("_")),
            "submitTime": "2026-09-02T20:06:30.166279Z",
            "inputDataConfig": {
                "s3InputDataConfig": {"s3Uri": "s3://emulated-bucket/chorus/unknown.jsonl"}
            },
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"{_FOLDER}/"}},
            **changes,
        }

    def poll_replies(self, state: str) -> dict[Route, bytes]:
        """Reply to the poll, and to the look at what is in the output."""
        key = self.unknown_file.removeprefix("s3://emulated-bucket/")
        listed = (
            "<ListBucketResult><Name>emulated-bucket</Name><IsTruncated>false</IsTruncated>"
            f"<Contents><Key>{key}</Key><Size>9</Size></Contents></ListBucketResult>"
        )
        return {**super().poll_replies(state), self.listing: reply(200, listed.encode())}

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the list."""
        return {"invocationJobSummaries": rows, **({"nextToken": "again"} if more else {})}

    def no_lists(self) -> dict[str, bytes]:
        """Add what only this service's list may say."""
        rows = {"invocationJobSummaries": HTML.decode()}
        return super().no_lists() | {"rows in a page": reply(200, rows)}


KITS = (BedrockKit("bedrock"),)
