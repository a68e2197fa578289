"""A result line in OpenAI's dialect, read: whatever stands under a custom_id is an outcome.

Pure. Services put things in places of their own, and an answer that is not found in a documented
place is kept and said to be unreadable, never taken for an invalid one and asked again.
"""

from dataclasses import dataclass
from typing import Any

from runner.core.errors import ProviderReplyUnreadable
from runner.core.finish import CONTENT_FILTER, LENGTH, REFUSAL, normal
from runner.core.model import JsonObject, Reply, ReplyKind, Usage
from runner.providers._lines import (
    object_of,
    parts_of,
    places_of_text,
    reason_in,
    seconds,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers._refusals import finish_of as finish_of_failure
from runner.providers._refusals import kind_of, number_in
from runner.providers._responses import finish_of, is_response, text_of
from runner.providers.base import said


def read_line(line: bytes) -> Reply:
    """Read one result line; whatever stands under a custom_id is an outcome.

    Raises:
        ProviderReplyUnreadable: when it is no object, or has no custom_id.
    """
    return read_row(object_of(line))


def read_row(row: JsonObject) -> Reply:
    """Read one result line that was parsed already.

    Raises:
        ProviderReplyUnreadable: when it has no custom_id.
    """
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    found = _taken_apart(row)
    is_well = found.status is None or 200 <= found.status < 300
    is_well = is_well and not _is_something(found.body.get("error"))
    if is_well and "choices" in found.body:
        reply = _answered(custom_id, found.body)
    elif is_well and is_response(found.body):
        reply = _responded(custom_id, found.body)
    elif not is_well or found.error is not None:
        reply = _failed(custom_id, found)
    else:
        reply = _unknown(custom_id, found)
    reply.request_id = found.request_id
    return reply


@dataclass(frozen=True, slots=True)
class _Line:
    """The parts of a result line, wherever a service puts them."""

    status: int | None
    body: JsonObject
    error: Any
    request_id: str | None
    rest: JsonObject
    """Where text may stand that is neither an answer nor an error."""


def _taken_apart(row: JsonObject) -> _Line:
    """Find status, body and error.

    The body may be missing, or JSON once more, as text; the error may stand beside the response, in
    it, or in its body, as an object or a text; and there may be no envelope at all.
    """
    response = _unfolded(row.get("response"))
    envelope = response if isinstance(response, dict) else {}
    body = envelope.get("body")
    texts: tuple[Any, ...] = ()
    if isinstance(body, dict) and "choices" in body and "body" not in row:  # where it belongs
        inside = [body, envelope, row]
    else:
        holders = (body, row.get("body"), envelope, row)
        inside = [place for place in map(_unfolded, holders) if isinstance(place, dict)]
        texts = (_unfolded(body), response)
        body = next((p for p in inside if "choices" in p or is_response(p)), inside[0])
    errors = [place["error"] for place in inside if "error" in place]
    errors += [text for text in texts if isinstance(text, str)]
    return _Line(
        status=number_in(envelope.get("status_code", envelope.get("status"))),
        body=body,
        error=next(filter(_is_something, errors), None),
        request_id=word(envelope.get("request_id")),
        rest=envelope or row,
    )


def _unfolded(value: Any) -> Any:
    """Return what a field holds: JSON comes as itself or as text."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return object_of(value.encode("utf-8", "surrogatepass"))
    except ProviderReplyUnreadable:
        return value


def _is_something(value: Any) -> bool:
    return value is not None and value not in ({}, [], "", False)


def _answered(custom_id: str, body: JsonObject) -> Reply:
    """Read what a model answered; text in an undocumented place is never an answer."""
    choices, usage = body.get("choices"), body.get("usage")
    known: dict[str, Any] = {
        "custom_id": custom_id,
        "model": word(body.get("model")),
        "usage": _usage(usage) if isinstance(usage, dict) else None,
        "answered_at": seconds(body.get("created")),
        "served_by": word(body.get("provider")),
        "charged_usd": usd_charged(usage) if isinstance(usage, dict) else None,
    }
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        where = "choices" if _is_something(choices) else places_of_text(body, _ABOUT_A_REPLY)
        if where:
            return _unreadable(f"its text stands in {where}", known)
        return Reply(kind=ReplyKind.ERRORED, error="answered without choices", **known)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    refusal = word(message.get("refusal")) or ""
    finish = normal(word(choice.get("finish_reason")))
    text, strange = _text_of(message.get("content"))
    if strange:
        return _unreadable(f"its text stands in message.content, in {strange}", known)
    if not text and not refusal and finish not in _MAY_BE_EMPTY:
        elsewhere = places_of_text(message, _ABOUT_A_MESSAGE, "message.") or places_of_text(
            choice, _ABOUT_A_CHOICE, "choices[0]."
        )
        if elsewhere:
            return _unreadable(f"its text stands in {elsewhere}, and content is empty", known)
    if _is_something(choice.get("error")):
        finish = "error"
    return Reply(
        kind=ReplyKind.ANSWER,
        text=text or refusal,
        finish_reason=REFUSAL if refusal else finish,
        error=reason_in(choice),
        **known,
    )


def _responded(custom_id: str, body: JsonObject) -> Reply:
    """Read what a model answered through the Responses API."""
    usage = body.get("usage")
    known: dict[str, Any] = {
        "custom_id": custom_id,
        "model": word(body.get("model")),
        "usage": _usage(usage) if isinstance(usage, dict) else None,
        "answered_at": seconds(body.get("completed_at") or body.get("created_at")),
    }
    text, refused, strange = text_of(body["output"])
    if strange:
        return _unreadable(f"its text stands in {strange}", known)
    finish = REFUSAL if refused else normal(finish_of(body))
    return Reply(kind=ReplyKind.ANSWER, text=text, finish_reason=finish, **known)


_MAY_BE_EMPTY = (LENGTH, CONTENT_FILTER, REFUSAL)
"""Cut while it thought, or withheld: then there is no answer, wherever the thoughts are."""
_ABOUT_A_REPLY = frozenset(
    (
        "id",
        "object",
        "created",
        "model",
        "usage",
        "choices",
        "error",
        "system_fingerprint",
        "service_tier",
        "provider",
        "request_id",
        "custom_id",
        "method",
        "url",
        "endpoint",
        "status",
        "status_code",
        "time_info",
        "x_groq",
        "metadata",
    )
)
_ABOUT_A_LINE = _ABOUT_A_REPLY | {"response", "body"}
_ABOUT_A_CHOICE = frozenset(
    (
        "index",
        "finish_reason",
        "native_finish_reason",
        "stop_reason",
        "message",
        "logprobs",
        "error",
        "content_filter_results",
        "matched_stop",
        "token_ids",
        "seed",
    )
)
_ABOUT_A_MESSAGE = frozenset(("role", "name", "refusal", "content", "annotations"))
_THOUGHTS = ("thinking", "reasoning", "reasoning_text", "redacted_thinking", "thought")
_SPOKEN = ("text", "output_text", None)


def _text_of(content: Any) -> tuple[str, str | None]:
    """Return the text of a message without thoughts, and what else in it holds text."""
    if isinstance(content, str):
        return content, None
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type") if isinstance(part, dict) else None
        said_here = part if isinstance(part, str) else None
        if isinstance(part, dict) and kind in _SPOKEN:
            said_here = word(part.get("text"))
        elif isinstance(part, dict) and kind == "refusal":
            said_here = word(part.get("refusal"))
        if said_here is not None:
            texts.append(said_here)
        elif _is_something(part) and kind not in _THOUGHTS:
            return "", f"a part of type {told(kind)}" if isinstance(kind, str) else "another form"
    return "".join(texts), None


def _unreadable(why: str, known: dict[str, Any]) -> Reply:
    return Reply(
        kind=ReplyKind.UNREADABLE, error=f"answered in a form that is not known: {why}", **known
    )


def _unknown(custom_id: str, found: _Line) -> Reply:
    """Read a line that holds neither an answer nor an error."""
    places = places_of_text(found.body, _ABOUT_A_REPLY, "body.") or places_of_text(
        found.rest, _ABOUT_A_LINE
    )
    if places:
        return _unreadable(f"its text stands in {places}", {"custom_id": custom_id})
    return Reply(
        custom_id=custom_id, kind=ReplyKind.ERRORED, error="no response, and no reason given"
    )


def _failed(custom_id: str, found: _Line) -> Reply:
    """Read what a service says went wrong with one request."""
    failure = failure_of(found.status, found.error, found.body)
    kinds = {"batch_expired": ReplyKind.EXPIRED, "batch_cancelled": ReplyKind.CANCELLED}
    kind = kinds.get(failure.code, failure.kind)
    return Reply(
        custom_id=custom_id,
        kind=kind,
        finish_reason=finish_of_failure(kind, failure.code, failure.type, failure.reason),
        error=failure.shown,
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """What a service says went wrong, and to whom that matters."""

    status: int | None
    code: str
    type: str
    reason: str
    kind: ReplyKind

    @property
    def shown(self) -> str:
        """Status or code, and the service's own words."""
        named = self.code or "error" if self.status is None else self.status
        return f"{named}: {self.reason}"


def failure_of(status: int | None, error: Any, body: JsonObject) -> Failure:
    """Read an error, an object or a text, with the status that came with it or stands in it."""
    fields = error if isinstance(error, dict) else {}
    text = error if isinstance(error, str) else None
    reason = (said(text, None) if text else None) or reason_in({"error": error}) or reason_in(body)
    code = _named(fields.get("code")) or _named(fields.get("error_type"))
    kind = _named(fields.get("type"))
    if status is None or 200 <= status < 300:
        status = number_in(fields.get("code")) or number_in(fields.get("status"))
    reason = reason or told(None)
    return Failure(status, code, kind, reason, kind_of(status, code, kind, reason))


def _named(value: Any) -> str:
    return said(value, None, 80) if isinstance(value, str) else ""


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


_MOST_USD = 1e9


def usd_charged(usage: JsonObject) -> float | None:
    """Read what a gateway says that it charged, in US dollars."""
    cost = usage.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 <= cost < _MOST_USD else None


def _cached(usage: JsonObject) -> tuple[int, int, int]:
    """Return what a cache had of the input, and what it took, in the words of any service."""
    found = _either(usage, "prompt_tokens_details", "input_tokens_details")
    details: JsonObject = found if isinstance(found, dict) else {}
    if not any(details.values()) and usage.keys().isdisjoint(_OF_A_CACHE):
        return 0, 0, 0
    ages = usage.get("cache_creation") or details.get("cache_creation_token_details")
    ages = ages if isinstance(ages, dict) else {}
    hour = parts_of(ages, "ephemeral_1h_input_tokens")
    write = max(
        parts_of(details, "cache_write_tokens", "cache_creation_tokens"),
        parts_of(usage, *_CACHE_TOOK),
    )
    read = max(parts_of(details, "cached_tokens"), parts_of(usage, *_CACHE_HAD))
    return read, max(write - hour, parts_of(ages, "ephemeral_5m_input_tokens")), hour


_CACHE_TOOK = ("cache_creation_input_tokens", "cache_write_tokens")
_CACHE_HAD = (
    *("cached_tokens", "prompt_cache_hit_tokens"),
    *("cache_read_input_tokens", "cached_prompt_text_tokens"),
)
_OF_A_CACHE = frozenset(("cache_creation", *_CACHE_TOOK, *_CACHE_HAD))


def _either(row: JsonObject, name: str, other: str) -> Any:
    value = row.get(name)
    return row.get(other) if value is None else value
