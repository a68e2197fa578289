"""The lines of OpenAI batch files: what a request line must be, and how its outcome is written."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.pictures import (
    Picture,
    PictureError,
    Pictures,
    counted,
    in_url,
    openai_tokens,
)
from runner.emulator.running import Checked, Ids

CHAT = "/v1/chat/completions"
MAX_REQUESTS = 50_000
MAX_ERRORS = 20
_RELEASE = "-2026-01-01"


class LineError(Exception):
    """An input line that makes the whole batch fail."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        """Keep what the batch's error list will say."""
        super().__init__(message)
        self.code = code
        self.param = param


class OpenAIRows:
    """Reads and writes lines as OpenAI does; holds no state."""

    one_file = False
    fails_whole = True
    reasons = re.compile(r"^(?:o\d|gpt-[5-9])")
    """Models that reason first, take no temperature and call the cap max_completion_tokens."""
    stops = re.compile(r"^gpt-(?:5\.[1-9]|6)")
    """Those of them that can be told not to reason, with reasoning_effort none."""
    honours = re.compile(r"^gpt-(?:5\.6|6-luna|6-sol|6\.1-terra)")
    """Those of them that then do what a temperature says."""

    def first_model(self, path: Path) -> str | None:
        """Return the model the first line asks for, if it can be read."""
        with path.open("rb") as lines:
            try:
                return _request(lines.readline(), None)[1]
            except LineError:
                return None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Validate a whole input file, one line in memory at a time."""
        seen: set[str] = set()
        model: str | None = None
        doomed = total = 0
        errors: list[dict[str, object]] = []
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                if total > MAX_REQUESTS:
                    errors.append(batch_error("too_many_tasks", TOO_MANY))
                    break
                try:
                    custom_id, line_model, body = _request(line, endpoint)
                    model = model or line_model
                    _must_fit(custom_id, seen, line_model, model)
                except LineError as error:
                    errors.append(batch_error(error.code, str(error), error.param, total))
                    if len(errors) >= MAX_ERRORS:
                        break
                else:
                    seen.add(custom_id)
                    doomed += self.refusal(line_model, body) is not None
        if total == 0:
            errors.append(batch_error("empty_file", "The input file is empty."))
        return Checked(model, total, doomed, tuple(errors))

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the body of a refusal of this row."""
        request = orjson.loads(line)
        custom_id, body = request["custom_id"], request["body"]
        model = body["model"]
        refusal = self.refusal(model, body)
        if refusal is not None:
            return model, custom_id, orjson.dumps({"error": refusal})
        return model, custom_id, self.asked(model, custom_id, body)

    def refusal(self, model: str, body: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the error with which this request alone is refused."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            message = "Missing required parameter: 'messages'."
            return bad(message, "messages", "missing_required_parameter")
        if not all(isinstance(said, dict) and "role" in said for said in messages):
            message = "Invalid 'messages': every message needs a role."
            return bad(message, "messages", "invalid_value")
        try:
            _pictures(messages)
        except PictureError as error:
            return bad(f"You uploaded an unsupported image: {error}.", "messages", "invalid_image")
        temperature, quiet = body.get("temperature"), body.get("reasoning_effort") == "none"
        reasons = self.reasons.match(model) is not None
        if quiet and reasons and self.stops.match(model) is None:
            message = (
                "Unsupported value: 'reasoning_effort' does not support 'none' with this model."
            )
            return bad(message, "reasoning_effort", "unsupported_value")
        fixed = reasons and not (quiet and self.honours.match(model))
        if temperature is not None and (complaint := _temperature(temperature, reasons=fixed)):
            return complaint
        if "max_tokens" in body and reasons:
            message = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            )
            return bad(message, "max_tokens", "unsupported_parameter")
        for name in ("max_tokens", "max_completion_tokens"):
            cap = body.get(name)
            if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
                return bad(f"Invalid '{name}': expected an integer >= 1.", name, "invalid_value")
        return None

    def asked(self, model: str, custom_id: str, body: Mapping[str, Any]) -> ChatRequest:
        """Return what a request that is not refused asks."""
        system, user = _messages(body["messages"])
        temperature = body.get("temperature")
        return ChatRequest(
            model=model,
            custom_id=custom_id,
            system=system,
            user=user,
            temperature=1.0 if temperature is None else float(temperature),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            reasons_first=self.reasons.match(model) is not None
            and body.get("reasoning_effort") != "none",
            schema=_schema(body.get("response_format")),
            pictures=_pictures(body["messages"]),
        )

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion."""
        choice = {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": reply.content,
                "refusal": reply.refusal,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": reply.finish,
        }
        return {
            "id": f"chatcmpl-{ids.completion[:29]}",
            "object": "chat.completion",
            "created": created,
            "model": model + _RELEASE,
            "choices": [choice],
            "usage": _usage(reply),
            "service_tier": "default",
            "system_fingerprint": None,
        }

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the output line of an answer."""
        body = self.completion(model, ids, reply, created)
        return self.line(ids, custom_id, _response(200, ids, body), None)

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the error line of a request that was refused with a 400."""
        return self.line(ids, custom_id, _response(400, ids, orjson.loads(body)), None)

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the error line of a request the service failed at with a 500."""
        message = "The server had an error while processing your request. Sorry about that!"
        error = {"message": message, "type": "server_error", "param": None, "code": None}
        return self.line(ids, custom_id, _response(500, ids, {"error": error}), None)

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write the error line of a request the batch never came to."""
        code = "batch_expired" if is_expired else "batch_cancelled"
        message = (
            "This request could not be executed before the completion window expired."
            if is_expired
            else "This request was cancelled before it was executed."
        )
        return self.line(ids, custom_id, None, {"code": code, "message": message})

    def line(
        self,
        ids: Ids,
        custom_id: str | None,
        response: dict[str, object] | None,
        error: dict[str, str] | None,
    ) -> bytes:
        """Write a line of either file."""
        line = {
            "id": f"batch_req_{ids.row}",
            "custom_id": custom_id,
            "response": response,
            "error": error,
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class CompatibleRows(OpenAIRows):
    """The same of a service that is not OpenAI: no model of it reasons first."""

    reasons = re.compile(r"(?!)")


TOO_MANY = f"The batch input file holds more than the maximum of {MAX_REQUESTS} requests."


def batch_error(
    code: str, message: str, param: str | None = None, line: int | None = None
) -> dict[str, object]:
    """Write an error of a batch."""
    return {"code": code, "message": message, "param": param, "line": line}


def _request(line: bytes, endpoint: str | None) -> tuple[str, str, Mapping[str, Any]]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.")
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if name not in request:
            message = f"Missing required parameter: '{name}'."
            raise LineError("missing_required_parameter", message, name)
        if not isinstance(request[name], kind):
            raise LineError("invalid_type", f"Invalid type for '{name}'.", name)
    if request["method"] != "POST":
        raise LineError("invalid_value", "Invalid method: must be 'POST'.", "method")
    if endpoint is not None and request["url"] != endpoint:
        message = f"The URL of this line does not match the batch's endpoint '{endpoint}'."
        raise LineError("url_mismatch", message, "url")
    model = request["body"].get("model")
    if not isinstance(model, str) or not model:
        message = "Missing required parameter: 'body.model'."
        raise LineError("missing_required_parameter", message, "body.model")
    return request["custom_id"], model, request["body"]


def _must_fit(custom_id: str, seen: set[str], line_model: str, model: str) -> None:
    if custom_id in seen:
        message = f"The custom_id '{custom_id[:80]}' was already used in this file."
        raise LineError("duplicate_custom_id", message, "custom_id")
    if line_model != model:
        message = f"The model '{line_model}' differs from '{model}' used before in this file."
        raise LineError("model_mismatch", message, "body.model")


def _temperature(temperature: object, *, reasons: bool) -> dict[str, object] | None:
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        message = "Invalid type for 'temperature': expected a decimal."
        return bad(message, "temperature", "invalid_type")
    if not 0 <= temperature <= 2:
        side, bound = ("above maximum", "<= 2") if temperature > 2 else ("below minimum", ">= 0")
        message = (
            f"Invalid 'temperature': decimal {side} value. "
            f"Expected a value {bound}, but got {temperature} instead."
        )
        code = "decimal_above_max_value" if temperature > 2 else "decimal_below_min_value"
        return bad(message, "temperature", code)
    if temperature != 1 and reasons:
        message = (
            f"Unsupported value: 'temperature' does not support {temperature} with this model. "
            "Only the default (1) value is supported."
        )
        return bad(message, "temperature", "unsupported_value")
    return None


def bad(message: str, param: str, code: str) -> dict[str, object]:
    """Write the error of a request that is refused."""
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def _schema(wanted: Any) -> str | None:
    """Return the JSON schema that an answer has to keep to, if one is in the request."""
    inside = wanted.get("json_schema") if isinstance(wanted, dict) else None
    schema = inside.get("schema") if isinstance(inside, dict) else None
    return orjson.dumps(schema).decode() if isinstance(schema, dict) else None


def _pictures(messages: list[dict[str, Any]]) -> Pictures:
    """Return the pictures of a conversation.

    Raises:
        PictureError: one of them is none, or not the user's.
    """
    return counted(map(_picture, _image_parts(messages)), openai_tokens)


def _image_parts(messages: list[dict[str, Any]]) -> Iterator[Any]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and part.get("type") == "image_url":
                if message["role"] != "user":
                    raise PictureError("images are only allowed in messages of the user")
                yield part.get("image_url")


def _picture(inside: Any) -> Picture:
    return in_url(inside.get("url") if isinstance(inside, dict) else None)


def _messages(messages: list[dict[str, Any]]) -> tuple[str, str]:
    system: list[str] = []
    user: list[str] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            content = "\n".join(
                part["text"] for part in content if isinstance(part, dict) and "text" in part
            )
        if isinstance(content, str):
            (system if message["role"] in ("system", "developer") else user).append(content)
    return "\n".join(system), "\n".join(user)


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _response(status: int, ids: Ids, body: object) -> dict[str, object]:
    return {"status_code": status, "request_id": ids.request, "body": body}
