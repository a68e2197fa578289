"""The requests and results of a message batch: what a request must be, how its outcome is written.

A batch's input is kept as one line a request, with the version of the API it was sent under.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.anthropic_shapes import error_object, message_object
from runner.emulator.pictures import (
    Picture,
    PictureError,
    Pictures,
    anthropic_tokens,
    at_address,
    counted,
    in_base64,
)
from runner.emulator.running import Checked, Ids

MAX_PICTURE = 5 << 20
"""Bytes of a picture's base64."""
VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
_WITHOUT_SAMPLING = "2026-10-21"
"""The version from which on temperature, top_p and top_k are no parameters any more."""
_PARAMS = frozenset(
    {
        *("model", "messages", "max_tokens", "system", "metadata", "stop_sequences", "thinking"),
        *("temperature", "top_p", "top_k", "tools", "tool_choice", "output_config", "container"),
        *("service_tier", "inference_geo", "cache_control", "diagnostics", "user_profile_id"),
        *("stream", "speed"),
    }
)
_SAMPLING = ("temperature", "top_p", "top_k")
_NOT_IN_A_BATCH = ("stream", "speed", "store", "previous_thread_event_id")
_HONOURS = re.compile(
    r"claude-(?:2|instant|3)|claude-(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-\d{8})?(?:-latest)?$"
)
"""Models that still do what a temperature says: up to Opus 4.6, Sonnet 4.6 and Haiku 4.5."""
_ONE_OF_THE_TWO = re.compile(r"claude-(?:opus-4-[1-6]|sonnet-4-[56]|haiku-4-5)")


def honours(model: str) -> bool:
    """Tell whether a model still does what a temperature says."""
    return _HONOURS.match(model) is not None


class ParamsError(Exception):
    """Params that make their request end as an error; the rest of the batch is none the worse."""

    def __init__(self, message: str, kind: str = "invalid_request_error") -> None:
        """Keep what the error will say."""
        super().__init__(message)
        self.kind = kind


class AnthropicRows:
    """Reads and writes lines as Anthropic does; holds no state."""

    one_file = True
    fails_whole = False

    def first_model(self, path: Path) -> str | None:
        """Return the model the first request asks for, if it can be read."""
        with path.open("rb") as lines:
            return _model(orjson.loads(lines.readline())["params"]) or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the requests, and those that will end as errors."""
        total = doomed = 0
        with path.open("rb") as lines:
            for line in lines:
                total += 1
                doomed += isinstance(self.read(line)[2], bytes)
        return Checked(self.first_model(path), total, doomed, ())

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the error of this request."""
        request = orjson.loads(line)
        custom_id, params = request["custom_id"], request["params"]
        try:
            return _model(params), custom_id, asked_in(params, custom_id, request["version"])
        except ParamsError as error:
            refusal = orjson.dumps({"type": error.kind, "message": str(error)})
            return _model(params), custom_id, refusal

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the result of an answer."""
        message = message_object(ids.completion, model, reply, "batch")
        return _line(custom_id, {"type": "succeeded", "message": message})

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the result of a request whose params are not accepted."""
        error = orjson.loads(body)
        return _errored(custom_id, ids, error["type"], error["message"])

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the result of a request the service failed at."""
        return _errored(custom_id, ids, "api_error", "Internal server error")

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write the result of a request the batch never came to."""
        return _line(custom_id, {"type": "expired" if is_expired else "canceled"})


def _errored(custom_id: str, ids: Ids, kind: str, message: str) -> bytes:
    error = error_object(kind, message, f"req_{ids.request[:24]}")
    return _line(custom_id, {"type": "errored", "error": error})


def _line(custom_id: str, result: dict[str, object]) -> bytes:
    line = {"custom_id": custom_id, "result": result}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _model(params: Any) -> str:
    model = params.get("model") if isinstance(params, dict) else None
    return model if isinstance(model, str) else ""


def asked_in(params: Any, custom_id: str, version: str, *, in_batch: bool = True) -> ChatRequest:
    """Return what is asked.

    Raises:
        ParamsError: when the service would not run it.
    """
    if not isinstance(params, dict):
        raise ParamsError("Input should be a valid dictionary")
    for name in ("model", "messages", "max_tokens"):
        if name not in params:
            raise ParamsError(f"{name}: Field required")
    _check_names(params, version, in_batch=in_batch)
    model = params["model"]
    if not isinstance(model, str) or not model:
        raise ParamsError("model: Input should be a valid string")
    if not model.startswith("claude-"):
        raise ParamsError(f"model: {model}", "not_found_error")
    cap = params["max_tokens"]
    if not _is_whole(cap):
        raise ParamsError("max_tokens: Input should be a valid integer")
    if cap < 1:
        raise ParamsError("max_tokens: Input should be greater than or equal to 1")
    thinks = _thinks(model, params.get("thinking"), cap)
    return ChatRequest(
        model=model,
        custom_id=custom_id,
        system=_text(params.get("system", ""), "system"),
        user=_user(params["messages"]),
        temperature=_temperature(model, params, thinks=thinks),
        max_tokens=cap,
        reasons_first=thinks,
        schema=_schema(params.get("output_config")),
        pictures=_pictures(params["messages"]),
    )


def _pictures(messages: list[dict[str, Any]]) -> Pictures:
    """Return the pictures of a conversation, whose messages are known to be such.

    Raises:
        ParamsError: one of them is none.
    """
    try:
        return counted(_each_picture(messages), anthropic_tokens)
    except PictureError as error:
        raise ParamsError(f"messages: image.source: {error}") from None


def _each_picture(messages: list[dict[str, Any]]) -> Iterator[Picture]:
    for message in messages:
        content = message["content"]
        for part in content if isinstance(content, list) else []:
            if part.get("type") != "image":
                continue
            source = part.get("source")
            if not isinstance(source, dict) or source.get("type") not in ("base64", "url"):
                raise PictureError("Input should have a type of base64 or url")
            if source["type"] == "url":
                yield at_address(source.get("url"), "https://")
            else:
                yield in_base64(source.get("data"), source.get("media_type"), MAX_PICTURE)


def _schema(config: Any) -> str | None:
    """Return the JSON schema that an answer has to keep to, if one is in the request."""
    wanted = config.get("format") if isinstance(config, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return orjson.dumps(schema).decode() if isinstance(schema, dict) else None


def _check_names(params: Mapping[str, Any], version: str, *, in_batch: bool) -> None:
    for name in params:
        if name in _NOT_IN_A_BATCH and in_batch and params[name]:
            raise ParamsError(f"{name}: not supported in a batch")
        is_gone = name in _SAMPLING and version >= _WITHOUT_SAMPLING
        if name not in _PARAMS or is_gone:
            raise ParamsError(f"{name}: Extra inputs are not permitted")


def _temperature(model: str, params: Mapping[str, Any], *, thinks: bool) -> float:
    temperature = params.get("temperature", 1.0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise ParamsError("temperature: Input should be a valid number")
    if not 0 <= temperature <= 1:
        side, bound = ("less", 1) if temperature > 1 else ("greater", 0)
        raise ParamsError(f"temperature: Input should be {side} than or equal to {bound}")
    if _HONOURS.match(model) is None:
        usual = {"temperature": 1, "top_p": 1}
        for name in _SAMPLING:
            if name in params and params[name] != usual.get(name):
                raise ParamsError(f"`{name}` is deprecated for this model.")
    if {"temperature", "top_p"} <= set(params) and _ONE_OF_THE_TWO.match(model):
        raise ParamsError(
            "`temperature` and `top_p` cannot both be specified for this model. "
            "Please use only one."
        )
    if thinks and temperature != 1:
        raise ParamsError("`temperature` may only be set to 1 when thinking is enabled.")
    return float(temperature)


def _thinks(model: str, thinking: Any, cap: int) -> bool:
    if thinking is None:
        return False
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "adaptive", "disabled"):
        raise ParamsError("thinking: Input should have a type of enabled, adaptive or disabled")
    if kind == "enabled":
        if _HONOURS.match(model) is None:
            raise ParamsError(
                '"thinking.type.enabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            )
        budget = thinking.get("budget_tokens")
        if not _is_whole(budget) or budget < 1024:
            raise ParamsError(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
            )
        if budget >= cap:
            raise ParamsError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return str(kind) != "disabled"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _user(messages: Any) -> str:
    if not isinstance(messages, list):
        raise ParamsError("messages: Input should be a valid list")
    if not messages:
        raise ParamsError("messages: at least one message is required")
    said: list[str] = []
    for nth, message in enumerate(messages):
        where = f"messages.{nth}"
        if not isinstance(message, dict) or "role" not in message or "content" not in message:
            raise ParamsError(f"{where}: Input should have a role and content")
        if message["role"] == "system":
            raise ParamsError(
                'messages: Unexpected role "system". The Messages API accepts a top-level '
                '`system` parameter, not "system" as an input message role.'
            )
        if message["role"] not in ("user", "assistant"):
            raise ParamsError(f"{where}.role: Input should be 'user' or 'assistant'")
        text = _text(message["content"], f"{where}.content")
        if not text:
            raise ParamsError(f"{where}: user messages must have non-empty content")
        if message["role"] == "user":
            said.append(text)
    return "\n".join(said)


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ParamsError(f"{where}: Input should be a valid string or list")
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
