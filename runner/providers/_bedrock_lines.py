"""The lines of a batch of Amazon Bedrock, out and in, in the words of its Converse API.

Pure. Out: `{"custom_id": …, "modelInput": {…}}`, whose first name is `recordId` in the bucket. In: the
same, echoed, with a `modelOutput` or an `error`. Converse has one body for all models.
"""

import base64
import binascii
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.finish import STOP, normal
from runner.core.model import Condition, Image, JsonObject, Model, Prompt, Reply, ReplyKind, Usage
from runner.providers import _settled as say
from runner.providers._lines import (
    holds_text,
    json_of,
    object_of,
    overlaid,
    places_of_text,
    tokens,
    told,
    usage_with_cache,
    word,
)
from runner.providers._refusals import finish_of, kind_of, number_in
from runner.providers.base import PICTURES, Frame

OURS: Final = b'{"custom_id":'
THEIRS: Final = b'{"recordId" :'
"""As long as ours, so that a line is as long in the bucket as it is in its file."""
assert len(OURS) == len(THEIRS)
_HOLE: Final = "\x00"

_INFERENCE: Final = {
    "temperature": say.ANOTHER_TEMPERATURE,
    "maxTokens": say.ANOTHER_CAP,
    "stopSequences": say.NO_STOP,
}
_OF_MODELS: Final = {
    "model": say.ANOTHER_MODEL,
    **dict.fromkeys(("messages", "prompt", "system"), say.ANOTHER_PROMPT),
    "temperature": say.ANOTHER_TEMPERATURE,
    **dict.fromkeys(("max_tokens", "max_gen_len"), say.ANOTHER_CAP),
    **dict.fromkeys(("stop", "stop_sequences"), say.NO_STOP),
    **dict.fromkeys(("tools", "tool_choice"), say.NO_TOOLS),
}
SETTLED: Final = {
    "modelId": say.ANOTHER_MODEL,
    **dict.fromkeys(("messages", "system", "promptVariables"), say.ANOTHER_PROMPT),
    **_INFERENCE,
    **{f"inferenceConfig.{name}": instead for name, instead in _INFERENCE.items()},
    **{f"additionalModelRequestFields.{name}": told for name, told in _OF_MODELS.items()},
    "outputConfig.textFormat": say.AS_JSON,
    "toolConfig": say.NO_TOOLS,
    **dict.fromkeys(("serviceTier", "performanceConfig"), say.NO_TIER),
}
"""What parameters must not say."""


def request_frame(model: Model, condition: Condition, prompt: Prompt) -> Frame:
    """Return the request line of a condition."""
    body: JsonObject = {}
    if prompt.system is not None:
        body["system"] = [{"text": prompt.system}]
    body["messages"] = [
        {
            "role": turn.role,
            "content": [*map(_picture, prompt.images_of(turn)), _text(turn.content)],
        }
        for turn in prompt.conversation
    ]
    inference: JsonObject = {"maxTokens": model.max_output_tokens}
    if condition.temperature is not None:
        inference["temperature"] = float(condition.temperature)
    body["inferenceConfig"] = inference
    body = overlaid(body, model.parameters)
    line = {"custom_id": _HOLE, "modelInput": body}
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n", proof=digest(body))


def _text(content: str) -> JsonObject:
    return {"text": content}


def _picture(image: Image) -> JsonObject:
    return {"image": {"format": image.kind, "source": {"bytes": image.data}}}


# -- What identifies a prompt, in our own request and in the echo of it


def digest(body: Any) -> str | None:
    """Return a digest of the words of a request, and behind it of its pictures; None without words.

    Spaces and line ends may be written otherwise in an echo.
    """
    if not isinstance(body, dict):
        return None
    parts = [_words(body.get("system"))]
    for turn in _objects(body.get("messages")):
        parts += [word(turn.get("role")) or "", _words(turn.get("content"))]
    if not any(parts[2::2]):
        return None
    turns = [part for turn in _objects(body.get("messages")) for part in _pictures(turn)]
    return _hash(parts) + (f"{PICTURES}{_hash(turns)}" if turns else "")


def _hash(parts: list[str]) -> str:
    return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _words(content: Any) -> str:
    texts = (part.get("text") for part in _objects(content))
    return _plain("".join(text for text in texts if isinstance(text, str)))


def _pictures(turn: JsonObject) -> Iterator[str]:
    for part in _objects(turn.get("content")):
        image = part.get("image")
        source = image.get("source") if isinstance(image, dict) else None
        data = source.get("bytes") if isinstance(source, dict) else None
        if isinstance(data, str):
            yield data


@lru_cache(maxsize=64)
def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _objects(value: Any) -> list[JsonObject]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


# -- Results


def read_line(line: bytes) -> Reply:
    """Read one result line.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    row = object_of(line)
    record = row.get("recordId")
    if not isinstance(record, str):
        raise ProviderReplyUnreadable("a result line without a recordId")
    known: dict[str, Any] = {"custom_id": record, "echo": digest(row.get("modelInput"))}
    output, error = row.get("modelOutput"), row.get("error")
    if isinstance(output, dict) and _is_answer(output):
        return _answer(output, known)
    if isinstance(error, dict) and error:
        return _failure(error, known)
    if places := places_of_text(row, frozenset(("recordId", "modelInput"))):
        return _unreadable(f"its text stands in {places}", known)
    return Reply(kind=ReplyKind.ERRORED, error="no outcome, and no reason given", **known)


def _is_answer(output: JsonObject) -> bool:
    return "output" in output or "stopReason" in output


def _unreadable(why: str, known: dict[str, Any]) -> Reply:
    message = f"answered in a form that is not known: {why}"
    return Reply(kind=ReplyKind.UNREADABLE, error=message, **known)


def _answer(output: JsonObject, known: dict[str, Any]) -> Reply:
    usage, finish = output.get("usage"), normal(word(output.get("stopReason")))
    known["usage"] = _usage(usage) if isinstance(usage, dict) else None
    said_in = output.get("output")
    message = said_in.get("message") if isinstance(said_in, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    texts = [t for part in _objects(content) if isinstance(t := part.get("text"), str)]
    if not any(texts) and finish in (STOP, None):
        strange = [part for part in _objects(content) if part.keys() - {"text", _THOUGHTS}]
        if any(map(holds_text, strange)) or not isinstance(content, list):
            return _unreadable("its content holds no text", known)
    return Reply(kind=ReplyKind.ANSWER, text="".join(texts), finish_reason=finish, **known)


_THOUGHTS: Final = "reasoningContent"


def _usage(usage: JsonObject) -> Usage | None:
    """Read the tokens of an answer; what a cache had or took does not stand in `inputTokens`."""
    names = ("cacheReadInputTokens", "cacheWriteInputTokens")
    cached = [tokens(0 if usage.get(name) is None else usage[name]) for name in names]
    fresh, output = tokens(usage.get("inputTokens")), tokens(usage.get("outputTokens"))
    if fresh is None or output is None or None in cached:
        return None
    read, written = (part or 0 for part in cached)
    details = _objects(usage.get("cacheDetails"))
    hour = sum(tokens(d.get("inputTokens")) or 0 for d in details if d.get("ttl") == "1h")
    return usage_with_cache(
        input_tokens=fresh + read + written,
        output_tokens=output,
        parts=(read, max(written - hour, 0), min(hour, written)),
    )


def _failure(error: JsonObject, known: dict[str, Any]) -> Reply:
    code, reason = number_in(error.get("errorCode")), told(error.get("errorMessage"))
    named = word(error.get("errorCode")) or ""
    kind = kind_of(code, named, reason)
    return Reply(
        kind=kind,
        finish_reason=finish_of(kind, named, reason),
        error=f"{code or named or 'error'}: {reason}",
        **known,
    )


# -- One request that is asked on its own


def call_of(line: bytes) -> JsonObject:
    """Return what the SDK's `converse` is called with for a request line: pictures as bytes."""
    body: JsonObject = orjson.loads(line)["modelInput"]
    for turn in body["messages"]:
        for part in _objects(turn["content"]):
            if "image" in part:
                part["image"]["source"] = {"bytes": _bytes_of(part["image"]["source"]["bytes"])}
    return body


def _bytes_of(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ProviderReplyUnreadable(f"a picture that is no base64: {error}") from None


def answered_line(line: bytes, output: Mapping[str, Any]) -> bytes:
    """Write an answer that was made on its own as a batch would have written it."""
    return _line(line, "modelOutput", output)


def refused_line(line: bytes, status: int, message: str) -> bytes:
    """Write a refusal of a request that was asked on its own as a batch would have written it."""
    return _line(line, "error", {"errorCode": status, "errorMessage": message})


def _line(line: bytes, name: str, outcome: Mapping[str, Any]) -> bytes:
    asked = orjson.loads(line)
    row = {"recordId": asked["custom_id"], "modelInput": asked["modelInput"], name: dict(outcome)}
    return json_of(row) + b"\n"
