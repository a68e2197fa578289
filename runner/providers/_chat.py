"""The chat-completions line of a batch file, out and in, as every OpenAI-compatible service has it.

Pure. Out: one line a request, UTF-8 and not escaped. In: a line of an output or an error file.
"""

from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Condition, JsonObject, Model, Prompt, Reply, ReplyKind, Usage
from runner.providers._lines import (
    count,
    object_of,
    overlaid,
    parts_of,
    reason_in,
    seconds,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers.base import Frame

__all__ = [
    "ENDPOINT",
    "answer_line",
    "count",
    "overlaid",
    "read_line",
    "request_frame",
    "seconds",
    "told",
    "word",
]

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
        model.max_tokens_name: model.max_output_tokens,
    }
    if condition.temperature is not None:
        body["temperature"] = float(condition.temperature)
    body = overlaid(body, model.parameters)
    line = {"custom_id": _HOLE, "method": "POST", "url": ENDPOINT, "body": body}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n")


def read_line(line: bytes) -> Reply:
    """Read one result line.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    row = object_of(line)
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    response, error = row.get("response"), row.get("error")
    if isinstance(response, dict):
        return _from_response(custom_id, response)
    if isinstance(error, dict):
        return _from_error(custom_id, error)
    raise ProviderReplyUnreadable(f"result line {custom_id!r} has neither response nor error")


def _from_response(custom_id: str, response: JsonObject) -> Reply:
    status, body = count(response.get("status_code")), response.get("body")
    request_id = word(response.get("request_id"))
    if status is None or not isinstance(body, dict):
        raise ProviderReplyUnreadable(f"result line {custom_id!r}: no status_code or no body")
    if not 200 <= status < 300:
        refused = 400 <= status < 500 and status not in (408, 409, 429)
        reason = reason_in(body) or told(None)
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
        usage=_usage(usage) if isinstance(usage, dict) else None,
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


def _usage(usage: JsonObject) -> Usage | None:
    """Read the tokens of a reply; None when input or output is not told, or not a number.

    Some services count thinking beside the completion; it is billed, and stands in the total.
    """
    asked = _either(usage, "prompt_tokens", "input_tokens")
    said = _either(usage, "completion_tokens", "output_tokens")
    prompt, total = tokens(asked), tokens(usage.get("total_tokens"))
    completion = tokens(said)
    if prompt is None or (completion is None and (said is not None or total is None)):
        return None
    answered = completion or 0
    details = _either(usage, "completion_tokens_details", "output_tokens_details")
    thought = parts_of(details if isinstance(details, dict) else {}, "reasoning_tokens")
    beside = answered + thought if thought > answered else 0
    return usage_with_cache(
        input_tokens=prompt,
        output_tokens=max(answered, beside, 0 if total is None else total - prompt),
        parts=_cached(usage),
    )


def _cached(usage: JsonObject) -> tuple[int, int, int]:
    """Return what a cache had of the input, and what it took, in the words of any service."""
    found = _either(usage, "prompt_tokens_details", "input_tokens_details")
    details: JsonObject = found if isinstance(found, dict) else {}
    ages = usage.get("cache_creation") or details.get("cache_creation_token_details")
    ages = ages if isinstance(ages, dict) else {}
    hour = parts_of(ages, "ephemeral_1h_input_tokens")
    write = max(
        parts_of(details, "cache_write_tokens", "cache_creation_tokens"),
        parts_of(usage, "cache_creation_input_tokens", "cache_write_tokens"),
    )
    read = max(
        parts_of(details, "cached_tokens"),
        parts_of(
            usage,
            *("cached_tokens", "prompt_cache_hit_tokens"),
            *("cache_read_input_tokens", "cached_prompt_text_tokens"),
        ),
    )
    return read, max(write - hour, parts_of(ages, "ephemeral_5m_input_tokens")), hour


def _either(row: JsonObject, name: str, other: str) -> Any:
    value = row.get(name)
    return row.get(other) if value is None else value


def answer_line(custom_id: str, status: int, request_id: str | None, body: bytes) -> bytes:
    """Write the reply to one chat completion as a batch would have written it, its body as it is.

    Raises:
        ProviderReplyUnreadable: when the body is no JSON object, or says 200 and answers nothing.
    """
    object_of(body)
    known = orjson.dumps(
        {"custom_id": custom_id, "response": {"status_code": status, "request_id": request_id}}
    )
    one_line = body.replace(b"\n", b" ").replace(b"\r", b" ")  # between tokens only: it is JSON
    line = known.removesuffix(b"}}") + b',"body":' + one_line.strip() + b'},"error":null}\n'
    read_line(line)
    return line
