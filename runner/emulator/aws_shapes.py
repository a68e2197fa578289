"""What AWS's services have in common: their errors, in JSON or XML, and how they write a time."""

import json
from datetime import UTC, datetime
from html import escape
from secrets import token_hex
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_CODES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


class AwsError(Exception):
    """An error reply: of JSON as most services write it, of XML as S3 does."""

    def __init__(
        self, status: int, message: str, code: str | None = None, *, is_xml: bool = False
    ) -> None:
        """Keep what the reply will say."""
        super().__init__(message)
        self.status = status
        self.code = code or _CODES.get(status, "InternalServerException")
        self._is_xml = is_xml

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        own = {"x-amzn-requestid": token_hex(16)}
        if self._is_xml:
            code, message = escape(self.code), escape(str(self))
            return xml(
                f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", self.status
            )
        own["x-amzn-errortype"] = f"{self.code}:http://internal.amazon.com/coral/"
        return JSONResponse({"message": str(self)}, self.status, {**(headers or {}), **own})


def xml(content: str, status: int = 200) -> Response:
    """Make a reply of XML."""
    whole = f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'
    return Response(whole, status, media_type="application/xml")


def stamp(seconds: float) -> str:
    """Write a time as they do."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def json_body(request: Request) -> dict[str, Any]:
    """Read a body of JSON.

    Raises:
        AwsError: when it is no object.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AwsError(400, "Unable to parse the request body.", "SerializationException")
    return body
