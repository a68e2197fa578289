"""The chat-completions endpoint, as OpenAI and the services that speak its dialect answer there."""

import json
import threading
from collections import Counter
from hashlib import sha256
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.emulator.connection import LostReply
from runner.emulator.dice import fingerprint
from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.openai_shapes import ApiError
from runner.emulator.running import Ids
from runner.emulator.world import World


class Chat:
    """Answers one request at a time, now.

    Of the faults of a batch it has three: a request the service fails at (`failed_lines`,
    `all_failed`), and an answer that is billed and never arrives (`missing_lines`).
    """

    def __init__(self, world: World, rows: OpenAIRows) -> None:
        """Take what answers, and what knows how it is written."""
        self._world = world
        self._rows = rows
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response:
        """Answer."""
        return await run_in_threadpool(self._answer, json_object(await request.body()))

    def _answer(self, body: dict[str, Any]) -> Response:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise ApiError(400, "you must provide a model parameter")
        if body.get("stream"):
            raise ApiError(400, "The emulator does not stream.", "stream", "unsupported_value")
        refusal = self._rows.refusal(model, body)
        if refusal is not None:
            message, param, code = (str(refusal[name]) for name in ("message", "param", "code"))
            raise ApiError(400, message, param, code)
        asked = self._rows.asked(model, "", body)
        prompt = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._lock:
            key = f"chat\x1f{prompt}\x1f{self._times[prompt]}"
            self._times[prompt] += 1
        behaviour = self._world.behaviour
        if behaviour.all_failed or behaviour.happens("failed_lines", key):
            raise ApiError(500, "The server had an error while processing your request.")
        reply = self._world.chat(asked)
        if behaviour.happens("missing_lines", key):
            return LostReply()
        digits = fingerprint(behaviour.seed, "ids", key)
        ids = Ids(row=digits[:32], request=digits[32:64], completion=digits[64:])
        created = int(self._world.clock())
        return JSONResponse(self._rows.completion(model, ids, reply, created))


def json_object(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        ApiError: when it is no JSON object.
    """
    try:
        wanted = json.loads(body)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise ApiError(400, "We could not parse the JSON body of your request.")
    return wanted
