"""The lines of a batch inference job: a record with a body of the Converse API, and what became of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.anthropic_rows import honours
from runner.emulator.pictures import (
    Picture,
    PictureError,
    Pictures,
    anthropic_tokens,
    counted,
    in_base64,
)
from runner.emulator.records import Batch
from runner.emulator.running import Checked, Ids

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}
_FIELDS = frozenset(
    {
        *("messages", "system", "inferenceConfig", "additionalModelRequestFields"),
        *("outputConfig", "requestMetadata", "additionalModelResponseFieldPaths"),
        *("guardrailConfig", "performanceConfig", "serviceTier", "modelId"),
    }
)
_MODEL = re.compile(r"(?:[a-z]+\.)?(?P<vendor>[a-z0-9]+)\.(?P<name>[\w.:-]+)")
_MOST = 50_000
_THOUGHT = "まず形式を確かめます。Q1. 面白さ(数値): 1 では低すぎるので、考え直します。"


class BodyError(Exception):
    """A body that the model's service would not run."""


@dataclass(slots=True)
class BedrockRows:
    """Reads and writes the lines of one job, one after the other."""

    model: str = ""
    least: int = 0
    """The fewest records that a job may have."""
    _row: dict[str, Any] = field(default_factory=dict)
    """The record that is being answered, for its echo."""

    one_file = True
    fails_whole = True

    def of(self, batch: Batch) -> "BedrockRows":
        """Return what reads the lines of this job."""
        details = json.loads(batch.details or "{}")
        return BedrockRows(details["job"]["modelId"], details["least"])

    def first_model(self, path: Path) -> str | None:
        """Return the model: the job's."""
        return self.model or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the records, and those that will be refused; one that is none fails all."""
        total = doomed = 0
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                try:
                    row = orjson.loads(line)
                    is_record = isinstance(row["recordId"], str)
                    is_record &= isinstance(row["modelInput"], dict)
                except (ValueError, TypeError, KeyError):
                    is_record = False
                if not is_record:
                    return self._failed(f"Line {total} of the input is not in the correct format.")
                doomed += isinstance(self.read(line)[2], bytes)
        if total < self.least:
            return self._failed(
                f"The batch contains less records ({total}) than the required minimum of: "
                f"{self.least}. See the quotas of batch inference."
            )
        if total > _MOST:
            return self._failed(f"The batch contains more records ({total}) than {_MOST}.")
        return Checked(self.model, total, doomed, ())

    def _failed(self, message: str) -> Checked:
        return Checked(self.model, 0, 0, ({"code": "validation", "message": message},))

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, record and what is asked, or the error of this record."""
        self._row = orjson.loads(line)
        record = self._row["recordId"]
        try:
            return self.model, record, asked_in(self._row["modelInput"], self.model, record)
        except BodyError as error:
            return self.model, record, orjson.dumps({"code": 400, "message": str(error)})

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the record of an answer."""
        return self._line(custom_id, "modelOutput", conversed(reply))

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the record of a request that was refused."""
        error = orjson.loads(body)
        return self._error(custom_id, error["code"], error["message"])

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the record of a request the service failed at."""
        if int(ids.row[0], 16) % 2:
            return self._error(
                custom_id, 429, "Too many requests, please wait before trying again."
            )
        return self._error(custom_id, 500, "Internal server error")

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: what never ran is in no file."""
        return b""

    def _error(self, record: str, code: int, message: str) -> bytes:
        return self._line(record, "error", {"errorCode": code, "errorMessage": message})

    def _line(self, record: str, name: str, outcome: dict[str, Any]) -> bytes:
        row = {"recordId": record, "modelInput": self._row["modelInput"], name: outcome}
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def is_model(name: str) -> bool:
    """Tell whether a model, or an inference profile of one, may be called so."""
    return _MODEL.fullmatch(name) is not None


def conversed(reply: Reply) -> dict[str, Any]:
    """Write an answer as the Converse API does; what was reasoned comes before the text."""
    content: list[dict[str, Any]] = []
    if reply.reasoning_tokens:
        thought = {"text": _THOUGHT, "signature": "EmUKAkVt"}
        content.append({"reasoningContent": {"reasoningText": thought}})
    if text := reply.content or reply.refusal:
        content.append({"text": text})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _STOP_REASONS[reply.finish],
        "usage": {
            "inputTokens": reply.prompt_tokens,
            "outputTokens": reply.completion_tokens,
            "totalTokens": reply.prompt_tokens + reply.completion_tokens,
        },
        "metrics": {"latencyMs": 900},
    }


def asked_in(body: dict[str, Any], model: str, record: str) -> ChatRequest:
    """Return what is asked.

    Raises:
        BodyError: when the service would not run it.
    """
    if strange := set(body) - _FIELDS:
        told = "toolConfig is not supported in a batch" if "toolConfig" in strange else "extraneous"
        raise BodyError(f"Malformed input request: {sorted(strange)}: {told}")
    messages = _objects(body.get("messages"), "messages")
    if not messages or messages[-1].get("role") != "user":
        raise BodyError("A conversation must end with a user message.")
    inference = body.get("inferenceConfig") or {}
    cap, thinks = inference.get("maxTokens"), _thinks(body)
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        raise BodyError("inferenceConfig.maxTokens: must be at least 1")
    return ChatRequest(
        model=model,
        custom_id=record,
        system=_text(body.get("system") or [], "system"),
        user="\n".join(_text(m.get("content"), "content") for m in messages),
        temperature=_temperature(inference, model, thinks=thinks),
        max_tokens=cap,
        reasons_first=thinks,
        schema=_schema(body.get("outputConfig")),
        pictures=_pictures(messages),
    )


def _objects(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise BodyError(f"{where}: a list of objects is expected")
    return value


def _text(content: Any, where: str) -> str:
    texts = [part["text"] for part in _objects(content, where) if "text" in part]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise BodyError(f"The text field in the ContentBlock object of {where} is blank.")
    return "\n".join(texts)


def _temperature(inference: dict[str, Any], model: str, *, thinks: bool) -> float:
    temperature = inference.get("temperature", 1.0)
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not is_number or not 0 <= temperature <= 1:
        raise BodyError("inferenceConfig.temperature: must be between 0 and 1")
    found = _MODEL.fullmatch(model)
    name = found["name"].partition("-v1:")[0] if found else model
    is_claude = found is not None and found["vendor"] == "anthropic"
    if is_claude and "temperature" in inference and not honours(name):
        raise BodyError("`temperature` is deprecated for this model.")
    if thinks and temperature != 1:
        raise BodyError("`temperature` may only be set to 1 when thinking is enabled.")
    return float(temperature)


def _thinks(body: dict[str, Any]) -> bool:
    thinking = (body.get("additionalModelRequestFields") or {}).get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if thinking is not None and kind not in ("enabled", "adaptive", "disabled"):
        raise BodyError("thinking: Input should have a type of enabled, adaptive or disabled")
    return kind in ("enabled", "adaptive")


def _schema(config: Any) -> str | None:
    """Return the JSON schema that an answer has to keep to; it comes as text."""
    try:
        shape = config["textFormat"]["structure"]["jsonSchema"]["schema"]
        return str(shape) if isinstance(json.loads(shape), dict) else None
    except (TypeError, KeyError):
        return None
    except ValueError:
        raise BodyError("outputConfig: the schema is no JSON") from None


def _pictures(messages: list[dict[str, Any]]) -> Pictures:
    try:
        return counted(_each_picture(messages), anthropic_tokens)
    except PictureError as error:
        raise BodyError(f"messages: image: {error}") from None


def _each_picture(messages: list[dict[str, Any]]) -> Iterator[Picture]:
    for message in messages:
        for part in _objects(message.get("content"), "content"):
            if "image" in part:
                source = part["image"].get("source") or {}
                yield in_base64(source.get("bytes"), f"image/{part['image'].get('format')}")
