"""What Google's services have in common on the wire: errors, times, pages, places."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_REASONS = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "duplicate",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    500: "backendError",
}
REGION = re.compile(r"[a-z]+-[a-z]+\d+|global|us|eu")


class GoogleError(Exception):
    """An error reply in the shape of Google's APIs."""

    def __init__(
        self, status: int, message: str, word: str | None = None, *, is_classic: bool = False
    ) -> None:
        """Keep what the reply will say; the classic APIs (storage, tables) list reasons too."""
        super().__init__(message)
        self.status = status
        self.word = word or _WORDS.get(status, "UNKNOWN")
        self.is_classic = is_classic

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        return JSONResponse(self.body(), self.status, headers)

    def body(self) -> dict[str, Any]:
        """Write the error."""
        error: dict[str, Any] = {"code": self.status, "message": str(self)}
        if self.is_classic:
            reason = _REASONS.get(self.status, "invalid")
            error["errors"] = [{"message": str(self), "domain": "global", "reason": reason}]
        return {"error": {**error, "status": self.word}}


def stamp(moment: float) -> str:
    """Write a time to the microsecond, as job names and objects have it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def json_body(request: Request) -> dict[str, Any]:
    """Read the JSON object a call brings."""
    return json_object(await request.body())


def json_object(text: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        body = json.loads(text or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise GoogleError(400, "Invalid JSON payload received. Unexpected token.")
    return body


def number(request: Request, name: str, usual: int, most: int) -> int:
    """Read a number of the query; what is too much is clamped."""
    given = request.query_params.get(name, "")
    if given and not given.isdecimal():
        raise GoogleError(400, f"Invalid value for {name}: {given}")
    return min(int(given or 0) or usual, most)


def start(request: Request) -> int:
    """Read how many things earlier pages have shown."""
    token = request.query_params.get("pageToken", "")
    if token and not re.fullmatch(r"after-\d{1,12}", token):
        raise GoogleError(400, "Invalid page token")
    return int(token.removeprefix("after-") or 0)


def token_after(shown: int) -> str:
    """Write the token of the next page."""
    return f"after-{shown}"


def fits(kind: str, place: str, job: str) -> bool:
    """Tell whether a job reads and writes there; several regions at once are buckets' only."""
    wide = {"us": "us-", "eu": "europe-", "asia": "asia-"} if kind == "gs" else {}
    place = place.lower()
    return job in ("global", place) or (place in wide and job.startswith(wide[place]))
