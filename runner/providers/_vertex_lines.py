"""The lines of a Gemini batch on Vertex AI, out and in; the Gemini API's hold the same in other places.

Pure. Out: `{"custom_id": …, "request": {…}}`. In: the same request echoed, in another spelling,
with a status, a time and a response.
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.finish import CONTENT_FILTER, STOP, normal
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
    moment,
    object_of,
    overlaid,
    parts_of,
    places_of_text,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers._refusals import RPC_STATUSES, finish_of, kind_of, number_in
from runner.providers.base import PICTURES, Frame, untagged

_HOLE = "\x00"
REFUSALS_OF_ONE = frozenset({400, 422})
"""Statuses with which a single request may be refused, and not whatever is asked."""

_CAPS = ("maxOutputTokens", "maxTokens", "maxCompletionTokens")
_COUNTS = ("candidateCount", "n")
_SHAPES = ("responseMimeType", "responseSchema", "responseJsonSchema", "responseFormat")
_SAID = {
    "temperature": say.ANOTHER_TEMPERATURE,
    **dict.fromkeys(_CAPS, say.ANOTHER_CAP),
    **dict.fromkeys(_COUNTS, say.MORE_ANSWERS),
    **dict.fromkeys(_SHAPES, say.AS_JSON),
    **dict.fromkeys(("stopSequences", "stop"), say.NO_STOP),
    **dict.fromkeys(("responseModalities", "speechConfig", "imageConfig"), say.NO_TOOLS),
}
SETTLED: Final = {
    "model": say.ANOTHER_MODEL,
    **dict.fromkeys(
        ("contents", "messages", "systemInstruction", "cachedContent"), say.ANOTHER_PROMPT
    ),
    **_SAID,
    **{f"generationConfig.{name}": instead for name, instead in _SAID.items()},
    "stream": say.NO_STREAM,
    **dict.fromkeys(("tools", "toolConfig"), say.NO_TOOLS),
    "serviceTier": say.NO_TIER,
}
"""What parameters must not say."""

_PHRASES = {
    "bad request": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "out_of_range": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "permission_denied": 403,
    "not found": 404,
    "not_found": 404,
    "too many requests": 429,
    "resource_exhausted": 429,
}
"""What a status says in words, where it has no number."""


def request_frame(model: Model, condition: Condition, prompt: Prompt, tag: str) -> Frame:
    """Return the request line of a condition, with a hole for the custom_id behind the tag.

    A temperature is always written as a float and nothing empty is written at all: the importer
    wants one type a field over the whole file.
    """
    request: JsonObject = {}
    if prompt.system is not None:
        request["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    request["contents"] = [
        {
            "role": _ROLES[turn.role],
            "parts": [*map(_part, prompt.images_of(turn)), {"text": turn.content}],
        }
        for turn in prompt.conversation
    ]
    settings: JsonObject = {"maxOutputTokens": model.max_output_tokens}
    if condition.temperature is not None:
        settings["temperature"] = float(condition.temperature)
    request["generationConfig"] = settings
    request = _without_nothings(overlaid(request, model.parameters))
    line = {"custom_id": _HOLE, "request": request}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before + tag.encode(), after=after + b"\n", proof=digest(request))


def _part(image: Image) -> JsonObject:
    if image.kind:
        return {"inlineData": {"mimeType": image.media_type, "data": image.data}}
    ending = image.name.rpartition(".")[2].lower()
    kind = {"jpg": "jpeg"}.get(ending, ending)
    return {"fileData": {"mimeType": f"image/{kind}", "fileUri": image.name}}


_ROLES = {"user": "user", "assistant": "model"}


def _without_nothings(value: Any) -> Any:
    """Leave out nulls and empty objects and lists, which the importer refuses."""
    if isinstance(value, Mapping):
        inside = ((name, _without_nothings(part)) for name, part in value.items())
        return {name: part for name, part in inside if not _is_nothing(part)}
    if isinstance(value, list | tuple):
        return [part for part in map(_without_nothings, value) if not _is_nothing(part)]
    return value


def _is_nothing(value: Any) -> bool:
    return value is None or value in ({}, [])


# -- What identifies a prompt, in our own request and in the provider's echo of it


def digest(request: Any) -> str | None:
    """Return a digest of the texts and the temperature of a request; None when it has no text.

    It survives what is done to an echo: keys sorted or in snake_case, nulls added, numbers written
    another way, spaces and line ends changed. That of the pictures, if there are any, stands behind.
    """
    if not isinstance(request, dict):
        return None
    told_before = _text_of(_either(request, "systemInstruction", "system_instruction"))
    parts = [told_before]
    for turn in _objects(request.get("contents")):
        parts += [word(turn.get("role")) or "user", _text_of(turn)]
    if not any(parts[2::2]):
        return None
    settings = _either(request, "generationConfig", "generation_config")
    parts.append(_fixed(settings.get("temperature") if isinstance(settings, dict) else None))
    pictures = [one for turn in _objects(request.get("contents")) for one in _pictures_of(turn)]
    behind = f"{PICTURES}{_hash(pictures)}" if pictures else ""
    return _hash(parts) + behind


def _hash(parts: list[str]) -> str:
    return sha256(_BETWEEN.join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


_BETWEEN = "\x1f"
"""Stands in no text: it is a space to str.split()."""


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return _plain(content)
    if not isinstance(content, dict):
        return ""
    texts = (part.get("text") for part in _objects(content.get("parts")))
    return _plain("".join(text for text in texts if isinstance(text, str)))


def _pictures_of(content: JsonObject) -> Iterator[str]:
    """Yield the bytes, in one spelling of base64, or the address of each picture of a turn."""
    for part in _objects(content.get("parts")):
        inline, file = (
            _either(part, "inlineData", "inline_data"),
            _either(part, "fileData", "file_data"),
        )
        if isinstance(inline, dict) and isinstance(data := inline.get("data"), str):
            yield data.translate(_SPELLINGS)
        if isinstance(file, dict) and isinstance(uri := _either(file, "fileUri", "file_uri"), str):
            yield uri


_SPELLINGS = str.maketrans("-_", "+/", "= \r\n")


@lru_cache(maxsize=64)
def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _fixed(number: Any) -> str:
    """Write a temperature so that 0.7, its nearest 32-bit float and, for 0, nothing, look alike."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        number = 0.0
    return f"{number:.3f}" if abs(number) < 1000 else "?"


def _either(row: JsonObject, name: str, other: str) -> Any:
    value = row.get(name)
    return row.get(other) if value is None else value


def _objects(value: Any) -> list[JsonObject]:
    """Return the objects of a list; one that stands there alone counts as a list of one."""
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


# -- Results


def read_line(line: bytes, tag: str) -> Reply:
    """Read one result line: of an object in a bucket, or of a table's row.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    return read_row(object_of(line), tag)


def read_row(row: JsonObject, tag: str) -> Reply:
    """Read what became of one request: its custom_id, a response, and a status that is an error.

    Raises:
        ProviderReplyUnreadable: when it has no custom_id.
    """
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    known: dict[str, Any] = {
        "custom_id": untagged(custom_id, tag),
        "answered_at": moment(row.get("processed_time")),
        "echo": _echo(row.get("request")),
    }
    try:
        response = _unfolded(row.get("response"))
    except ProviderReplyUnreadable:
        return _unreadable("a response that is no JSON", known)
    if isinstance(response, dict) and is_answer(response):
        return _answer(response, known)
    status = row.get("status")
    if isinstance(response, dict) and isinstance(response.get("error"), dict):
        return _failure(response["error"], known)
    if isinstance(status, str) and status.strip():
        return _failure(_error_in(status), known)
    if isinstance(status, dict) and status:
        return _failure(status, known)
    if holds_text(response):
        return _unreadable("a response without candidates", known)
    return Reply(kind=ReplyKind.ERRORED, error="no response, and no reason given", **known)


def _unreadable(why: str, known: dict[str, Any]) -> Reply:
    return Reply(
        kind=ReplyKind.UNREADABLE, error=f"answered in a form that is not known: {why}", **known
    )


def _unfolded(value: Any) -> Any:
    """Return what a column of a table holds: JSON comes as itself or as text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return None if text in ("", "null") else object_of(text.encode("utf-8", "surrogatepass"))


def _echo(value: Any) -> str | None:
    """Return the digest of an echoed request; an echo that cannot be read proves nothing."""
    try:
        return digest(_unfolded(value))
    except ProviderReplyUnreadable:
        return None


def is_about_all(body: JsonObject) -> bool:
    """Tell whether a 400 says that no request would be taken, whatever is in it."""
    error = body.get("error")
    return isinstance(error, dict) and error.get("status") == "FAILED_PRECONDITION"


def is_answer(response: JsonObject) -> bool:
    """Tell whether a response says what the model answered, or why it did not."""
    return (
        bool(response.get("candidates"))
        or "promptFeedback" in response
        or ("usageMetadata" in response and "error" not in response)
    )


def _answer(response: JsonObject, known: dict[str, Any]) -> Reply:
    candidates, usage = response.get("candidates"), response.get("usageMetadata")
    known["usage"] = _usage(usage) if isinstance(usage, dict) else None
    if candidates and (not isinstance(candidates, list) or not isinstance(candidates[0], dict)):
        return _unreadable("its candidates are no objects", known)
    candidate = candidates[0] if candidates else None
    content = {} if candidate is None else candidate.get("content")
    finish = CONTENT_FILTER if candidate is None else normal(word(candidate.get("finishReason")))
    text = _said_in(content)
    if not text and finish in (STOP, None) and (places := _unsaid_in(content)):
        return _unreadable(f"its text stands in {places}", known)
    return Reply(
        kind=ReplyKind.ANSWER,
        text=text,
        finish_reason=finish,
        model=word(response.get("modelVersion")),
        request_id=word(response.get("responseId")),
        **known,
    )


def _said_in(content: Any) -> str:
    """Return the text of an answer without the thoughts before it."""
    parts = _objects(content.get("parts")) if isinstance(content, dict) else []
    texts = (part.get("text") for part in parts if part.get("thought") is not True)
    return "".join(text for text in texts if isinstance(text, str))


def _unsaid_in(content: Any) -> str:
    """Name what holds text in an answer and is not its text: a call of a function, a list."""
    if not isinstance(content, dict):
        return "content" if holds_text(content) else ""
    parts = [part for part in _objects(content.get("parts")) if part.get("thought") is not True]
    in_parts = (places_of_text(part, _ABOUT_A_PART, "parts.") for part in parts)
    return next(filter(None, in_parts), "") or places_of_text(content, _ABOUT_CONTENT, "content.")


_ABOUT_A_PART = frozenset(("text", "thought", "thoughtSignature"))
_ABOUT_CONTENT = frozenset(("role", "parts"))


def _usage(usage: JsonObject) -> Usage | None:
    """Read the tokens of a reply; None when one is not a number, or the prompt has none.

    A count of 0 is left out. The total has thoughts and the prompts of tools in it.
    """
    names = ("candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    counts = [tokens(0 if usage.get(name) is None else usage[name]) for name in names]
    prompt, total = tokens(usage.get("promptTokenCount")), tokens(usage.get("totalTokenCount"))
    if prompt is None or None in counts:
        return None
    answered, thought, tools = (part or 0 for part in counts)
    asked = prompt + tools
    return usage_with_cache(
        input_tokens=asked,
        output_tokens=max(answered + thought, 0 if total is None else total - asked),
        parts=(parts_of(usage, "cachedContentTokenCount"), 0, 0),
    )


def _error_in(status: str) -> JsonObject:
    """Read `Bad Request: {"error": {…}}`; what cannot be read is the message."""
    phrase, _, rest = status.partition(":")
    try:
        found = object_of(rest.strip().encode("utf-8", "surrogatepass"))
    except ProviderReplyUnreadable:
        found = {}
    error = found.get("error")
    error = error if isinstance(error, dict) else found
    code = _PHRASES.get(phrase.strip().lower())
    return {"code": code, "message": status} | {k: v for k, v in error.items() if v is not None}


def _failure(error: JsonObject, known: dict[str, Any]) -> Reply:
    code = number_in(error.get("code"))
    named = str(word(error.get("status")) or "")
    if code is None:
        code = _PHRASES.get(named.lower())
    reason = told(error.get("message"))
    kind = kind_of(RPC_STATUSES.get(code, code) if code is not None else None, named, reason)
    return Reply(
        kind=kind,
        finish_reason=finish_of(kind, named, reason),
        error=f"{'error' if code is None else code}: {reason}",
        **known,
    )


def result_line(
    line: JsonObject, at: datetime, *, status: str = "", response: JsonObject | None = None
) -> bytes:
    """Write what became of one request that was asked on its own as a batch would have."""
    row = {
        "custom_id": line["custom_id"],
        "status": status,
        "processed_time": at.isoformat(timespec="milliseconds"),
        "request": line["request"],
        "response": response or {},
    }
    return json_line(row)


def json_line(row: Mapping[str, Any]) -> bytes:
    """Write a line of JSON, whatever texts are in it."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a lone surrogate, or a number that orjson has no room for
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"
