"""The lines of a message batch, out and in.

Out: `{"custom_id":…,"params":{…}}`, which is what stands in the body of a create call. In: a
line of a results file. Wire facts: platform.claude.com/docs/en/build-with-claude/batch-processing.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Condition, JsonObject, Model, Prompt, Reply, ReplyKind, Usage
from runner.providers._lines import (
    object_of,
    overlaid,
    parts_of,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers.base import Frame, untagged

_HOLE = "\x00"
_REFUSALS: Final = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
}
"""Types of error that asking again will not change."""
_NO_CREDIT: Final = "credit balance"
"""An account without money is told so by an invalid_request_error, too; nothing else differs."""
_FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}
_LONGEST_LINE: Final = 16 << 20
_CACHED: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def request_frame(model: Model, condition: Condition, prompt: Prompt, tag: str) -> Frame:
    """Return the request line of a condition, with a hole for the custom_id behind the tag."""
    params: JsonObject = {"model": model.name, "max_tokens": model.max_output_tokens}
    if prompt.system is not None:
        params["system"] = prompt.system
    params["messages"] = [{"role": "user", "content": prompt.user}]
    if condition.temperature is not None:
        params["temperature"] = float(condition.temperature)
    line = {"custom_id": tag + _HOLE, "params": overlaid(params, model.parameters)}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n")


def custom_ids_in(path: Path) -> set[str]:
    """Return the custom_ids in a file of lines that `request_frame` wrote, with their tag."""
    with path.open("rb") as requests:
        return {line.split(b'"', 4)[3].decode() for line in requests}


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split results at newlines only: an answer may hold U+2028.

    Raises:
        ProviderReplyUnreadable: when a line has no end.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > _LONGEST_LINE:
            raise ProviderReplyUnreadable("a result line without end")
    yield rest


def read_line(line: bytes, tag: str) -> Reply:
    """Read one result line, and take the tag off its custom_id.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    row = object_of(line)
    custom_id, result = row.get("custom_id"), row.get("result")
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    custom_id = untagged(custom_id, tag)
    if not isinstance(result, dict):
        raise ProviderReplyUnreadable(f"result line {custom_id!r} has no result")
    match result.get("type"):
        case "succeeded":
            return _answer(custom_id, result.get("message"))
        case "errored":
            return _error(custom_id, result.get("error"))
        case "canceled":
            return Reply(custom_id=custom_id, kind=ReplyKind.CANCELLED, error="canceled")
        case "expired":
            return Reply(custom_id=custom_id, kind=ReplyKind.EXPIRED, error="expired")
    raise ProviderReplyUnreadable(f"result line {custom_id!r} has a result of no known type")


def _answer(custom_id: str, message: Any) -> Reply:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        raise ProviderReplyUnreadable(f"result line {custom_id!r} is answered without content")
    texts = [
        block["text"]
        for block in content
        if isinstance(block, dict)
        if block.get("type") == "text" and isinstance(block.get("text"), str)
    ]
    reason, usage = word(message.get("stop_reason")), message.get("usage")
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.ANSWER,
        text="".join(texts),
        finish_reason=_FINISH_REASONS.get(reason or "", reason),
        model=word(message.get("model")),
        usage=_usage(usage) if isinstance(usage, dict) else None,
        request_id=word(message.get("id")),
    )


def _error(custom_id: str, error: Any) -> Reply:
    kind, reason, _ = _what_is_wrong(error)
    refused = kind in _REFUSALS and _NO_CREDIT not in reason
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.REFUSED if refused else ReplyKind.ERRORED,
        request_id=word(error.get("request_id")) if isinstance(error, dict) else None,
        error=f"{kind}: {reason}",
    )


def _what_is_wrong(reply: Any) -> tuple[str, str, Any]:
    """Return type, message and details of an error, which stands inside an error reply."""
    inner = reply.get("error") if isinstance(reply, dict) else None
    inner = inner if isinstance(inner, dict) else {}
    return told(inner.get("type")), told(inner.get("message")), inner.get("details")


def _usage(usage: JsonObject) -> Usage | None:
    """Read the tokens of a reply; None when a part of them is not told, or not a number.

    What a cache had or took does not stand in `input_tokens`.
    """
    told_tokens = [tokens(0 if usage.get(name) is None else usage[name]) for name in _CACHED]
    fresh, output = tokens(usage.get("input_tokens")), tokens(usage.get("output_tokens"))
    if fresh is None or output is None or None in told_tokens:
        return None
    read, written = (part or 0 for part in told_tokens)
    ages = usage.get("cache_creation")
    ages = ages if isinstance(ages, dict) else {}
    hour = parts_of(ages, "ephemeral_1h_input_tokens")
    minutes = max(written - hour, parts_of(ages, "ephemeral_5m_input_tokens"))
    return usage_with_cache(
        input_tokens=fresh + read + minutes + hour,
        output_tokens=output,
        parts=(read, minutes, hour),
    )


def refuses_one(status: int, reply: Any) -> bool:
    """Tell whether an error reply refuses this one request, not whatever would be asked.

    What has a code in its details is about the account: on hold, without its encryption key.
    """
    kind, reason, details = _what_is_wrong(reply)
    is_about_params = status in (400, 413, 422) and kind in (
        "invalid_request_error",
        "request_too_large",
    )
    return is_about_params and _NO_CREDIT not in reason and not details


def succeeded_line(custom_id: str, message: bytes) -> bytes:
    """Write a message that was made on its own as a batch would have written it."""
    return _result_line(custom_id, b"succeeded", b"message", message)


def errored_line(custom_id: str, error: bytes) -> bytes:
    """Write an error reply to a single request as a batch would have written it."""
    return _result_line(custom_id, b"errored", b"error", error)


def _result_line(custom_id: str, kind: bytes, name: bytes, reply: bytes) -> bytes:
    object_of(reply)
    one_line = reply.replace(b"\r", b" ").replace(b"\n", b" ")  # never inside a JSON string
    return b'{"custom_id":%b,"result":{"type":"%b","%b":%b}}\n' % (
        *(orjson.dumps(custom_id), kind, name, one_line),
    )
