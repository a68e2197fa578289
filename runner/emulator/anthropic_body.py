"""The requests of Anthropic's create call, each with its envelope checked."""

import re
from collections.abc import Iterator
from typing import Any, TextIO

import orjson

from runner.emulator.request_array import Body, BodyError

MAX_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def requests_in(body: TextIO, version: str) -> Iterator[bytes]:
    """Yield each request as a line, once its envelope is known to be right.

    Raises:
        BodyError: at the first that is not.
    """
    seen: set[str] = set()
    for nth, request in enumerate(Body(body).elements()):
        if nth >= MAX_REQUESTS:
            raise BodyError(f"requests: List should have at most {MAX_REQUESTS} items")
        where = f"requests.{nth}"
        custom_id = _custom_id(request, where)
        if custom_id in seen:
            raise BodyError(f"{where}.custom_id: '{custom_id}' is not unique within the batch")
        seen.add(custom_id)
        try:
            yield orjson.dumps({"version": version, **request}, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # a lone surrogate, or a number of more than 64 bits
            raise BodyError(f"{where}.params: Input should be valid JSON") from None
    if not seen:
        raise BodyError("requests: List should have at least 1 item after validation, not 0")


def _custom_id(request: Any, where: str) -> str:
    if not isinstance(request, dict):
        raise BodyError(f"{where}: Input should be a valid dictionary")
    for name in ("custom_id", "params"):
        if name not in request:
            raise BodyError(f"{where}.{name}: Field required")
    for name in request.keys() - {"custom_id", "params"}:
        raise BodyError(f"{where}.{name}: Extra inputs are not permitted")
    custom_id = request["custom_id"]
    if not isinstance(custom_id, str):
        raise BodyError(f"{where}.custom_id: Input should be a valid string")
    if _CUSTOM_ID.fullmatch(custom_id) is None:
        pattern = "^[a-zA-Z0-9_-]{1,64}$"
        raise BodyError(f"{where}.custom_id: String should match pattern '{pattern}'")
    return custom_id
