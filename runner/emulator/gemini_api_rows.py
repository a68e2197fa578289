"""The lines of a batch of the Gemini API: a key with a request, and what became of it."""

import json
from dataclasses import dataclass
from pathlib import Path

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.google_shapes import GoogleError
from runner.emulator.records import Batch
from runner.emulator.running import Checked, Ids
from runner.emulator.vertex_rows import asked_in, generated, refusal


@dataclass(frozen=True, slots=True)
class GeminiApiRows:
    """Reads and writes the lines of one batch."""

    model: str = ""
    ran_at: float = 0.0

    one_file = True
    fails_whole = False

    def of(self, batch: Batch) -> "GeminiApiRows":
        """Return what reads the lines of this batch."""
        return GeminiApiRows(json.loads(batch.details or "{}")["model"], batch.validated_at)

    def first_model(self, path: Path) -> str | None:
        """Return the model: the batch's."""
        return self.model or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the requests, and those that will be refused; one line that is none fails all."""
        total = doomed = 0
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                try:
                    row = orjson.loads(line)
                    is_line = isinstance(row["key"], str) and isinstance(row["request"], dict)
                except (ValueError, TypeError, KeyError):
                    is_line = False
                if not is_line:
                    message = f"Failed to parse line {total}: a key and a request are required."
                    return Checked(self.model, 0, 0, ({"code": 3, "message": message},))
                doomed += refusal(row["request"]) is not None
        return Checked(self.model, total, doomed, ())

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, key, and what is asked or the error of this request."""
        row = orjson.loads(line)
        key, request = row["key"], row["request"]
        if error := refusal(request):
            return self.model, key, orjson.dumps({"code": 3, "message": error["error"]["message"]})
        return self.model, key, asked_in(request, self.model, key)

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the line of an answer."""
        response = generated(model, reply, ids.completion, self.ran_at)
        return _line(custom_id, "response", response | {"modelVersion": model})

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the line of a request that was refused."""
        return _line(custom_id, "error", orjson.loads(body))

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the line of a request the service failed at."""
        status = 429 if int(ids.row[0], 16) % 2 else 500
        error = GoogleError(status, "Internal error encountered.").body()["error"]
        return _line(custom_id, "error", error)

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: what never ran is in no file."""
        return b""


def _line(key: str, name: str, outcome: dict[str, object]) -> bytes:
    return orjson.dumps({"key": key, name: outcome}, option=orjson.OPT_APPEND_NEWLINE)
