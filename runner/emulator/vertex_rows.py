"""The lines of a batch prediction job: what the importer takes, and how an outcome is written."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.dice import fingerprint
from runner.emulator.google_shapes import GoogleError, stamp
from runner.emulator.pictures import (
    Picture,
    PictureError,
    Pictures,
    at_address,
    counted,
    gemini_tokens,
    in_base64,
)
from runner.emulator.records import Batch
from runner.emulator.running import Checked, Ids

MAX_REQUESTS = 200_000
MAX_DEPTH = 15
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_IGNORES_TEMPERATURE = re.compile(r"gemini-(3\.[6-9]|3\.5-flash-lite|[4-9])")
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_NULLS = {"parts": ("fileData", "functionCall"), "generationConfig": ("topK", "topP")}
"""Fields that an echo has as nulls although they were not sent."""


class ImportFailure(Exception):
    """A line for which the whole file is not imported."""


@dataclass(slots=True)
class VertexRows:
    """Reads and writes the lines of one job, one after the other."""

    model: str = ""
    retypes: bool = True
    """Whether ids that look like numbers come back as numbers (from a file; not from a table)."""
    problem: Mapping[str, Any] | None = None
    """Why the job fails before it reads its input."""
    ran_at: float = 0.0
    _row: dict[str, Any] = field(default_factory=dict)
    """The row that is being answered, for its echo."""

    one_file = True
    fails_whole = True

    def of(self, batch: Batch) -> "VertexRows":
        """Return what reads the lines of this job."""
        details = json.loads(batch.details or "{}")
        return VertexRows(
            details["model"], details["retypes"], details["problem"], batch.validated_at
        )

    def first_model(self, path: Path) -> str | None:
        """Return the model: the job's, whatever stands in the lines."""
        return self.model or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Import a whole file, one line in memory at a time; one breach and nothing runs."""
        if self.problem is not None:
            return Checked(self.model, 0, 0, (dict(self.problem),))
        try:
            total, doomed = self._counted(path)
        except ImportFailure as failure:
            message = (
                "Failed to import data. Please check 'Prepare input' for the format of the input: "
                f"{failure}"
            )
            return Checked(self.model, 0, 0, ({"code": 3, "message": message},))
        return Checked(self.model, total, doomed, ())

    def _counted(self, path: Path) -> tuple[int, int]:
        """Count the rows, and those of them that will be refused."""
        kinds: dict[str, str] = {}
        total = doomed = 0
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                row = _imported(line, total)
                if self.retypes:
                    _check_kinds(row, "", kinds, 0)
                doomed += refusal(_request_of(row)) is not None
        if not 1 <= total <= MAX_REQUESTS:
            raise ImportFailure(f"{total} rows; allowed are 1 to {MAX_REQUESTS}")
        return total, doomed

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the body of a refusal of this row."""
        self._row = orjson.loads(line)
        request = _request_of(self._row)
        custom_id = str(self._row.get("custom_id") or fingerprint(0, "row", line.decode())[:16])
        if error := refusal(request):
            return self.model, custom_id, orjson.dumps(error)
        return self.model, custom_id, asked_in(request, self.model, custom_id)

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the line of an answer."""
        return self._line(custom_id, "", generated(model, reply, ids.completion, self.ran_at))

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the line of a request that was refused."""
        return self._line(custom_id, f"Bad Request: {body.decode()}", {})

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the line of a request the service failed at."""
        if int(ids.row[0], 16) % 2:
            body = GoogleError(429, "Resource exhausted, please try again later.").body()
            return self._line(custom_id, f"Too Many Requests: {json.dumps(body)}", {})
        body = GoogleError(500, "Internal error encountered.").body()
        return self._line(custom_id, f"Internal Server Error: {json.dumps(body)}", None)

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: what never ran is in no output."""
        return b""

    def _line(self, custom_id: str, status: str, response: dict[str, Any] | None) -> bytes:
        row = {**self._row, "request": _echoed(_request_of(self._row), "")}
        if "custom_id" in self._row:
            is_number = self.retypes and custom_id.isdecimal()
            row["custom_id"] = int(custom_id) if is_number else custom_id
        row |= {"status": status, "processed_time": stamp(self.ran_at)[:-4] + "+00:00"}
        if response is not None:
            row["response"] = response
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def _imported(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict):
        raise ImportFailure(f"row {number} is not a JSON object")
    try:
        request = _request_of(row)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise ImportFailure(f"row {number} has no request")
    for name in ("response", "status"):
        if name in row:
            raise ImportFailure(f"column {name} is reserved")
    return row


def _request_of(row: dict[str, Any]) -> Any:
    """Return the request of a row; a table may hold it as text."""
    request = row.get("request")
    return orjson.loads(request) if isinstance(request, str) else request


def _check_kinds(value: Any, path: str, kinds: dict[str, str], depth: int) -> None:
    """Check a value as a column is checked: one type a path, no empty records, legal names."""
    if depth > MAX_DEPTH:
        raise ImportFailure(f"{path} is nested too deeply")
    if value is None:
        return
    kind = type(value).__name__
    if kinds.setdefault(path, kind) != kind:
        raise ImportFailure(f"{path} changes its type from {kinds[path]} to {kind}")
    if isinstance(value, dict):
        if not value:
            raise ImportFailure(f"Unsupported empty struct type for field '{path}'")
        for name, inside in value.items():
            if not _COLUMN.fullmatch(name):
                raise ImportFailure(f"Invalid field name '{name}'")
            _check_kinds(inside, f"{path}.{name}", kinds, depth + 1)
    elif isinstance(value, list):
        for inside in value:
            if isinstance(inside, list):
                raise ImportFailure(f"{path} holds an array within an array")
            _check_kinds(inside, f"{path}[]", kinds, depth + 1)


# -- One request, in a job or on its own


def refusal(request: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error of a request that is not run."""
    contents = request.get("contents")
    turns = contents if isinstance(contents, list) else [contents] if contents else []
    if not turns:
        return _bad("at least one contents field is required")
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("role", "user") not in ("user", "model"):
            return _bad("Please use a valid role: user, model.")
        if not any(isinstance(part, dict) and "text" in part for part in _list(turn.get("parts"))):
            return _bad("Unable to submit request because it must include at least one parts field")
    try:
        _pictures(turns)
    except PictureError as error:
        return _bad(f"Provided image is not valid: {error}.")
    settings = _settings(request)
    temperature = settings.get("temperature")
    if isinstance(temperature, int | float) and not 0 <= temperature <= 2:
        return _bad(f"The temperature value must be in range [0, 2]; it was {temperature}.")
    cap = settings.get("maxOutputTokens", 1)
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        return _bad("The maxOutputTokens parameter must be positive.")
    thinking = settings.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        return _bad("You can only set one of thinking budget and thinking level.")
    return None


def _bad(message: str) -> dict[str, Any]:
    return GoogleError(400, message).body()


def asked_in(request: dict[str, Any], model: str, custom_id: str) -> ChatRequest:
    """Return what a request asks for."""
    settings = _settings(request)
    temperature = settings.get("temperature")
    if temperature is None or _IGNORES_TEMPERATURE.match(model):
        temperature = 1.0
    budget = (settings.get("thinkingConfig") or {}).get("thinkingBudget")
    before = request.get("systemInstruction") or request.get("system_instruction")
    return ChatRequest(
        model=model,
        custom_id=custom_id,
        system="\n".join(_texts([before])),
        user="\n".join(_texts(_list(request.get("contents")))),
        temperature=float(temperature),
        max_tokens=settings.get("maxOutputTokens"),
        reasons_first=budget != 0 and "lite" not in model,
        schema=_schema(settings),
        pictures=_pictures(_list(request.get("contents"))),
    )


def _pictures(turns: list[Any]) -> Pictures:
    """Return the pictures of a conversation.

    Raises:
        PictureError: one of them is none.
    """
    return counted(_each_picture(turns), gemini_tokens)


def _each_picture(turns: list[Any]) -> Iterator[Picture]:
    for part in (part for turn in turns for part in _list(turn.get("parts"))):
        inline = part.get("inlineData") if isinstance(part, dict) else None
        file = part.get("fileData") if isinstance(part, dict) else None
        if inline is not None:
            if not isinstance(inline, dict) or inline.get("mimeType") == "image/gif":
                raise PictureError("image/gif is not supported")
            yield in_base64(inline.get("data"), inline.get("mimeType"))
        if file is not None:
            if not isinstance(file, dict) or not str(file.get("mimeType")).startswith("image/"):
                raise PictureError("fileData needs a mimeType and a fileUri")
            yield at_address(file.get("fileUri"), "gs://")


def _schema(settings: dict[str, Any]) -> str | None:
    """Return the schema that an answer has to keep to, if one is in the request."""
    schema = settings.get("responseSchema")
    is_json = settings.get("responseMimeType") == "application/json"
    return orjson.dumps(schema).decode() if is_json and isinstance(schema, dict) else None


def _settings(request: dict[str, Any]) -> dict[str, Any]:
    settings = request.get("generationConfig") or request.get("generation_config")
    return settings if isinstance(settings, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(turns: list[Any]) -> Iterator[str]:
    for turn in turns:
        for part in _list(turn.get("parts")) if isinstance(turn, dict) else []:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def generated(model: str, reply: Reply, digits: str, at: float) -> dict[str, Any]:
    """Write a GenerateContentResponse; half of what is withheld has not even a candidate."""
    said = reply.completion_tokens - reply.reasoning_tokens
    usage: dict[str, Any] = {
        "promptTokenCount": reply.prompt_tokens,
        "totalTokenCount": reply.prompt_tokens + reply.completion_tokens,
    }
    response: dict[str, Any] = {
        "createTime": stamp(at),
        "modelVersion": f"{model}@default",
        "responseId": digits[:22],
        "usageMetadata": usage,
    }
    if reply.finish == "content_filter" and int(digits[0], 16) % 2:
        usage["totalTokenCount"] = reply.prompt_tokens
        return response | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    usage["candidatesTokenCount"] = said
    if reply.reasoning_tokens:
        usage["thoughtsTokenCount"] = reply.reasoning_tokens
    text = reply.content or reply.refusal or ""
    content: dict[str, Any] = {"role": "model"}
    if text:
        content["parts"] = [{"text": text}]
    candidate = {"content": content, "finishReason": _FINISH[reply.finish], "avgLogprobs": -0.57}
    if reply.finish == "content_filter":
        del candidate["avgLogprobs"]
        candidate["safetyRatings"] = [
            {
                "category": "HARM_CATEGORY_DANGEROUS_CONTENT",
                "probability": "HIGH",
                "blocked": True,
            }
        ]
    return response | {"candidates": [candidate]}


def _echoed(value: Any, name: str) -> Any:
    """Return a request as it is echoed: nulls added, whole numbers without a point."""
    if isinstance(value, dict):
        nulls = dict.fromkeys(_NULLS.get(name, ()))
        return nulls | {key: _echoed(inside, key) for key, inside in value.items()}
    if isinstance(value, list):
        return [_echoed(inside, name) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
