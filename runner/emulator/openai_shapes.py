"""The JSON objects of OpenAI's files and batches, and the errors of its API."""

import json
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator.records import Batch, Stage, StoredFile

DAY = int(timedelta(days=1).total_seconds())


class ApiError(Exception):
    """An error reply in OpenAI's shape."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        """Keep what the reply will say."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "requests"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return JSONResponse({"error": error}, self.status, headers)


def file_object(file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
    """Write a file; its expiry is null in the reply to the upload, as recorded in 2025."""
    return {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.filename,
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "expires_at": None if is_new else file.expires_at,
        "status": "processed",
        "status_details": None,
    }


def batch_object(batch: Batch, now: float) -> dict[str, object]:
    """Write a batch as it stands now."""
    stage = batch.stage(now)
    is_over = stage.is_terminal
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model if batch.checked else None,
        "errors": _errors(batch),
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": stage.value,
        "output_file_id": batch.output_file_id if is_over else None,
        "error_file_id": batch.error_file_id if is_over else None,
        "created_at": int(batch.created_at),
        "expires_at": int(batch.created_at) + DAY,
        **_times(batch, stage, now),
        "request_counts": _counts(batch, stage, now),
        "usage": _usage(batch) if is_over else None,
        "metadata": None if batch.metadata is None else json.loads(batch.metadata),
    }


def _errors(batch: Batch) -> dict[str, object] | None:
    if batch.errors is None:
        return None
    return {"object": "list", "data": json.loads(batch.errors)}


def _times(batch: Batch, stage: Stage, now: float) -> dict[str, int | None]:
    ran = batch.checked and batch.errors is None
    stopped = batch.cancel_at if batch.cancel_at is not None else now
    over = int(batch.over_at)
    is_finalized = ran and batch.ran_at <= stopped and stage is not Stage.IN_PROGRESS
    return {
        "in_progress_at": int(batch.validated_at) if ran else None,
        "finalizing_at": int(batch.ran_at) if is_finalized else None,
        "completed_at": over if stage is Stage.COMPLETED else None,
        "failed_at": over if stage is Stage.FAILED else None,
        "expired_at": over if stage is Stage.EXPIRED else None,
        "cancelling_at": None if batch.cancel_at is None else int(batch.cancel_at),
        "cancelled_at": over if stage is Stage.CANCELLED else None,
    }


def _counts(batch: Batch, stage: Stage, now: float) -> dict[str, int]:
    if stage in (Stage.VALIDATING, Stage.FAILED) or not batch.total:
        return {"total": 0, "completed": 0, "failed": 0}
    completed, failed = batch.done(now)
    return {"total": batch.total, "completed": completed, "failed": failed}


def _usage(batch: Batch) -> dict[str, object]:
    return {
        "input_tokens": batch.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": batch.output_tokens,
        "output_tokens_details": {"reasoning_tokens": batch.reasoning_tokens},
        "total_tokens": batch.input_tokens + batch.output_tokens,
    }


def page(objects: list[dict[str, Any]], *, has_more: bool) -> dict[str, object]:
    """Write one page of a list."""
    return {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }
