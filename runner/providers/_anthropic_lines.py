"""The lines of a message batch, out and in.

Out: `{"custom_id":…,"params":{…}}`, which is what stands in the body of a create call. In: a
line of a results file. Wire facts: platform.claude.com/docs/en/build-with-claude/batch-processing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.finish import CONTENT_FILTER, LENGTH, REFUSAL, normal
from runner.core.model import (
    Condition,
    Image,
    JsonObject,
    Model,
    Prompt,
    Reply,
    ReplyKind,
    Usage,
)
from runner.providers import _settled as say
from runner.providers._lines import (
    holds_text,
    object_of,
    overlaid,
    parts_of,
    places_of_text,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers._refusals import finish_of, kind_of
from runner.providers.base import Frame, untagged

_HOLE = "\x00"

SETTLED: Final = {
    "model": say.ANOTHER_MODEL,
    **dict.fromkeys(("messages", "system", "prompt", "input", "instructions"), say.ANOTHER_PROMPT),
    "temperature": say.ANOTHER_TEMPERATURE,
    **dict.fromkeys(
        (
            *("max_tokens", "max_tokens_to_sample", "max_completion_tokens"),
            "max_output_tokens",
        ),
        say.ANOTHER_CAP,
    ),
    **dict.fromkeys(("n", "candidate_count", "best_of"), say.MORE_ANSWERS),
    **dict.fromkeys(("output_config.format", "output_format", "response_format"), say.AS_JSON),
    "stream": say.NO_STREAM,
    **dict.fromkeys(("stop_sequences", "stop"), say.NO_STOP),
    **dict.fromkeys(("tools", "tool_choice", "mcp_servers", "container"), say.NO_TOOLS),
    **dict.fromkeys(("service_tier", "speed", "inference_geo"), say.NO_TIER),
}
"""What parameters must not say."""
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status of each type of error; a line has only the type."""
_LONGEST_LINE: Final = 16 << 20
_CACHED: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def request_frame(model: Model, condition: Condition, prompt: Prompt, tag: str) -> Frame:
    """Return the request line of a condition, with a hole for the custom_id behind the tag."""
    params: JsonObject = {"model": model.name, "max_tokens": model.max_output_tokens}
    if prompt.system is not None:
        params["system"] = prompt.system
    params["messages"] = [
        {"role": turn.role, "content": _content(turn.content, prompt.images_of(turn))}
        for turn in prompt.conversation
    ]
    if condition.temperature is not None:
        params["temperature"] = float(condition.temperature)
    line = {"custom_id": tag + _HOLE, "params": overlaid(params, model.parameters)}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n")


def _content(text: str, images: list[Image]) -> Any:
    """Return what a turn says: its text, or a list of pictures and the text."""
    if not images:
        return text
    return [*map(_block, images), {"type": "text", "text": text}]


def _block(image: Image) -> JsonObject:
    if not image.kind:
        return {"type": "image", "source": {"type": "url", "url": image.name}}
    source = {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "image", "source": source}


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
        return _unknown(custom_id, row)
    match result.get("type"):
        case "succeeded":
            return _answer(custom_id, result.get("message"))
        case "errored":
            return _error(custom_id, result.get("error"))
        case "canceled":
            return Reply(custom_id=custom_id, kind=ReplyKind.CANCELLED, error="canceled")
        case "expired":
            return Reply(custom_id=custom_id, kind=ReplyKind.EXPIRED, error="expired")
    return _unknown(custom_id, result)


def _unknown(custom_id: str, result: JsonObject) -> Reply:
    """Read a result of no known type: a message or an error is one wherever it stands."""
    message, error = result.get("message"), result.get("error")
    if isinstance(message, dict) and "content" in message:
        return _answer(custom_id, message)
    if isinstance(error, dict):
        return _error(custom_id, error if isinstance(error.get("error"), dict) else result)
    if isinstance(result.get("content"), list):
        return _answer(custom_id, result)
    places = places_of_text(result, _ABOUT_A_LINE)
    if places:
        return _unreadable(custom_id, f"its text stands in {places}")
    said_type = told(result.get("type"))
    return Reply(custom_id=custom_id, kind=ReplyKind.ERRORED, error=f"no outcome: {said_type}")


_ABOUT_A_LINE: Final = frozenset(("id", "custom_id", "type", "status", "request_id"))
_THOUGHTS: Final = ("thinking", "redacted_thinking")


def _answer(custom_id: str, message: Any) -> Reply:
    message = message if isinstance(message, dict) else {"content": message}
    content = message.get("content")
    texts: list[str] = [content] if isinstance(content, str) else []
    strange: str | None = None
    for block in content if isinstance(content, list) else ():
        kind = block.get("type") if isinstance(block, dict) else None
        text = block.get("text") if isinstance(block, dict) and kind == "text" else None
        if isinstance(text, str):
            texts.append(text)
        elif kind not in _THOUGHTS and holds_text(block):
            strange = f"a block of type {told(kind)}"
    if not texts and (strange or content is None):
        reason = _refusal_of(message)
        if reason is None:
            return _unreadable(custom_id, strange and f"its text stands in {strange}")
    reason, usage = word(message.get("stop_reason")), message.get("usage")
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.ANSWER,
        text="".join(texts),
        finish_reason=normal(reason),
        model=word(message.get("model")),
        usage=_usage(usage) if isinstance(usage, dict) else None,
        request_id=word(message.get("id")),
    )


def _refusal_of(message: JsonObject) -> str | None:
    """Return why a message may well be empty: withheld, or cut while it thought."""
    reason = normal(word(message.get("stop_reason")))
    return reason if reason in (REFUSAL, CONTENT_FILTER, LENGTH) else None


def _unreadable(custom_id: str, why: str | None) -> Reply:
    reason = why or "it succeeded, and has no content"
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.UNREADABLE,
        error=f"answered in a form that is not known: {reason}",
    )


def _error(custom_id: str, error: Any) -> Reply:
    named, reason, details = _what_is_wrong(error)
    codes = details.values() if isinstance(details, dict) else ()
    words = (named, reason, *(code for code in codes if isinstance(code, str)))
    kind = kind_of(_STATUSES.get(named), *words)
    return Reply(
        custom_id=custom_id,
        kind=kind,
        finish_reason=finish_of(kind, *words),
        request_id=word(error.get("request_id")) if isinstance(error, dict) else None,
        error=f"{named}: {reason}",
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
    named, reason, details = _what_is_wrong(reply)
    is_about_params = status in (400, 413, 422) and named in (
        "invalid_request_error",
        "request_too_large",
    )
    is_ones = kind_of(status, named, reason) is ReplyKind.REFUSED
    return is_about_params and is_ones and not details


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
