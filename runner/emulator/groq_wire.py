"""Groq's /files, /batches and /chat/completions, as its documents say they answer.

Lists go by cursor or name what they want; files have no status; a bad line fails alone, and is
told in a bare array; the completion window is anything from 24h to 7d.
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.emulator.groq_rows import GroqRows
from runner.emulator.openai_shapes import DAY, ApiError, batch_object, file_object
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.records import Batch, StoredFile
from runner.emulator.world import World

PAGE = 20
MOST_IDS = 200
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_FILE_FIELDS = ("id", "object", "bytes", "created_at", "filename", "purpose")
_NOT_GROQS = ("model", "usage")


class GroqWire(OpenAIWire):
    """Groq, under a prefix to which its SDK adds /openai/v1."""

    max_upload: ClassVar[int] = 100 * 2**20

    def __init__(self, world: World, rows: GroqRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "groq", "/groq/openai/v1")
        self.prefixes = ("/groq",)
        self._rows = rows

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file, without a status."""
        shown = file_object(file) | {"id": _shown_id(file.id)}
        return {name: shown[name] for name in _FILE_FIELDS}

    def stored_id(self, file_id: str) -> str | None:
        """Return what the shelf calls a file that is called so here."""
        known = file_id.removeprefix("file_01")
        return None if known == file_id else f"file-{known}"

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a batch: its errors are a bare array, whatever became of it."""
        known = json.loads(batch.details or "{}")
        shown = batch_object(batch, now)
        errors = known["errors"] if batch.checked else []
        if batch.errors is not None:
            errors = json.loads(batch.errors)
        files = {
            name: _shown_id(batch_file) if isinstance(batch_file := shown[name], str) else None
            for name in ("input_file_id", "output_file_id", "error_file_id")
        }
        window = {
            "completion_window": known["completion_window"],
            "expires_at": int(batch.created_at) + self.window(known["completion_window"]),
        }
        kept = {name: value for name, value in shown.items() if name not in _NOT_GROQS}
        return kept | files | window | {"errors": errors or None}

    def window(self, wanted: str) -> int:
        """Return the seconds of a completion window."""
        found = _WINDOW.fullmatch(wanted)
        hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
        if not 24 <= hours <= 7 * 24:
            message = f"completion_window '{wanted}': durations from 24h to 7d are supported"
            raise ApiError(400, message, "completion_window", "invalid_value")
        return hours * DAY // 24

    def order(self, source: StoredFile, wanted: Mapping[str, Any]) -> Batch:
        """Commit a batch; what is wrong with its lines is noted for later."""
        details = {
            "completion_window": wanted["completion_window"],
            "errors": self._rows.line_errors(self._world.shelf.path_of(source.id)),
        }
        return self._world.create_batch(
            source,
            wanted["endpoint"],
            wanted.get("metadata"),
            None,
            batch_id=f"batch_01{secrets.token_hex(12)}",
            details=details,
        )

    def list_files(self, request: Request) -> Response:
        """List all files, newest first; no paging is documented."""
        files = self._world.shelf.listed(self._service, request.query_params.get("purpose"))
        shown = [self.file_object(file) for file in files]
        return JSONResponse({"object": "list", "data": shown})

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first, from a cursor on; or those that are named."""
        if wanted := request.query_params.getlist("id"):
            return self._named(wanted)
        batches, now = self._world.list_batches(self._service), self._world.clock()
        start = _after(request.query_params.get("cursor"), [batch.id for batch in batches])
        shown = batches[start : start + PAGE]
        has_more = start + PAGE < len(batches)
        return JSONResponse(
            {
                "object": "list",
                "data": [self.batch_object(batch, now) for batch in shown],
                "paging": {"next_cursor": _cursor(shown[-1].id) if has_more else None},
            }
        )

    def _named(self, wanted: list[str]) -> Response:
        if len(wanted) > MOST_IDS:
            raise ApiError(400, f"at most {MOST_IDS} ids are supported", "id", "invalid_value")
        now = self._world.clock()
        found = (self._world.find_batch(self._service, batch_id) for batch_id in wanted)
        data = [self.batch_object(batch, now) for batch in found if batch is not None]
        return JSONResponse({"object": "list", "data": data})


def _shown_id(file_id: str) -> str:
    return "file_01" + file_id.removeprefix("file-")


def _cursor(batch_id: str) -> str:
    return "cursor_" + base64.urlsafe_b64encode(json.dumps({"id": batch_id}).encode()).decode()


def _after(cursor: str | None, ids: list[str]) -> int:
    if cursor is None:
        return 0
    try:
        known = json.loads(base64.urlsafe_b64decode(cursor.removeprefix("cursor_")))["id"]
        return ids.index(known) + 1
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise ApiError(400, "invalid cursor", "cursor", "invalid_value") from None
