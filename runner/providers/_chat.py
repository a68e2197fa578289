"""The chat-completions line of a batch file, out and in, as every OpenAI-compatible service has it.

Pure. Out: one line a request, UTF-8 and not escaped. In: a line of an output or an error file.
"""

import json
import math
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Condition, JsonObject, Model, Prompt, Reply, ReplyKind, Usage
from runner.providers.base import Frame, said

ENDPOINT: Final = "/v1/chat/completions"
_HOLE = "\x00"


def request_frame(model: Model, condition: Condition, prompt: Prompt) -> Frame:
    """Return the request line of a condition, with a hole for the custom_id."""
    messages = [{"role": "user", "content": prompt.user}]
    if prompt.system is not None:
        messages.insert(0, {"role": "system", "content": prompt.system})
    body: JsonObject = {
        "model": model.name,
        "messages": messages,
        "max_completion_tokens": model.max_output_tokens,
    }
    if condition.temperature is not None:
        body["temperature"] = float(condition.temperature)
    line = {"custom_id": _HOLE, "method": "POST", "url": ENDPOINT, "body": body}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n")


def read_line(line: bytes) -> Reply:
    """Read one result line.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    row = _object(_loads(line))
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    response, error = row.get("response"), row.get("error")
    if isinstance(response, dict):
        return _from_response(custom_id, response)
    if isinstance(error, dict):
        return _from_error(custom_id, error)
    raise ProviderReplyUnreadable(f"result line {custom_id!r} has neither response nor error")


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:  # orjson refuses lone surrogates, which are legal in JSON's escapes
        return json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProviderReplyUnreadable(
            f"a result line that is not JSON: {said(error, None)}"
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise ProviderReplyUnreadable(
            f"a result line that is {type(value).__name__}, not an object"
        )
    return value


def _from_response(custom_id: str, response: JsonObject) -> Reply:
    status, body = count(response.get("status_code")), response.get("body")
    request_id = word(response.get("request_id"))
    if status is None or not isinstance(body, dict):
        raise ProviderReplyUnreadable(f"result line {custom_id!r}: no status_code or no body")
    if not 200 <= status < 300:
        refused = 400 <= status < 500 and status not in (408, 409, 429)
        error = body.get("error")
        reason = told(error.get("message") if isinstance(error, dict) else error)
        return Reply(
            custom_id=custom_id,
            kind=ReplyKind.REFUSED if refused else ReplyKind.ERRORED,
            request_id=request_id,
            error=f"{status}: {reason}",
        )
    choice = _first_choice(custom_id, body)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text, refusal = message.get("content"), message.get("refusal")
    usage = body.get("usage")
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.ANSWER,
        text=text if isinstance(text, str) else word(refusal) or "",
        finish_reason="refusal" if refusal else word(choice.get("finish_reason")),
        model=word(body.get("model")),
        usage=_usage(usage if isinstance(usage, dict) else {}),
        request_id=request_id,
        answered_at=seconds(body.get("created")),
    )


def _first_choice(custom_id: str, body: JsonObject) -> JsonObject:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    raise ProviderReplyUnreadable(f"result line {custom_id!r} is answered without choices")


def _from_error(custom_id: str, error: JsonObject) -> Reply:
    code = told(error.get("code"))
    kinds = {"batch_expired": ReplyKind.EXPIRED, "batch_cancelled": ReplyKind.CANCELLED}
    return Reply(
        custom_id=custom_id,
        kind=kinds.get(code, ReplyKind.ERRORED),
        error=f"{code}: {told(error.get('message'))}",
    )


def _usage(usage: JsonObject) -> Usage:
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")) or 0,
        output_tokens=count(usage.get("completion_tokens")) or 0,
    )


def word(value: Any) -> str | None:
    """Return a text; None for whatever else stands in its place."""
    return value if isinstance(value, str) else None


def count(value: Any) -> int | None:
    """Return a number of things, if it is one that a table can hold."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    return None


def told(value: Any) -> str:
    """Return a word or a number that a service gave; what is nested is left in the raw file."""
    return said(value, None) if isinstance(value, str | int | float) else "no reason given"


def seconds(value: Any) -> float | None:
    """Coerce a time: compatible services send strings."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
