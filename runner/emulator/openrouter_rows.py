"""The requests and results of a batch at OpenRouter: a body without a model, and what was charged."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.records import Batch
from runner.emulator.running import Checked, Ids

PRICES = {"anthropic/claude-haiku-4.5": (5e-7, 2.5e-6)}
"""US dollars a token in and out, in a batch; what others cost is not said."""


@dataclass(frozen=True)
class OpenRouterRows(OpenAIRows):
    """Reads and writes the lines of one batch, or single requests; no model of it reasons first."""

    model: str = ""
    upstream: str = "Emulated"

    one_file = True
    fails_whole = False
    reasons = re.compile(r"(?!)")

    def of(self, batch: Batch) -> "OpenRouterRows":
        """Return what reads the lines of this batch."""
        details = json.loads(batch.details or "{}")
        return OpenRouterRows(details["model"], details["provider"])

    def first_model(self, path: Path) -> str | None:
        """Return the model: the batch's."""
        return self.model or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Look at each request; one that is refused fails them all."""
        total = 0
        with path.open("rb") as lines:
            for line in lines:
                total += 1
                request = orjson.loads(line)
                if refusal := self.refusal(self.model, request["body"]):
                    error: dict[str, object] = {
                        "message": f"{request['custom_id']}: {refusal['message']}"
                    }
                    return Checked(self.model, 0, 0, (error,))
        return Checked(self.model, total, 0, ())

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked."""
        request = orjson.loads(line)
        custom_id = request["custom_id"]
        return self.model, custom_id, self.asked(self.model, custom_id, request["body"])

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, Any]:
        """Write an answer as a chat completion, with whose it is and what it costs."""
        written: dict[str, Any] = super().completion(model, ids, reply, created)
        written |= {"model": model.removesuffix(":batch"), "provider": self.upstream}
        written["choices"][0]["native_finish_reason"] = reply.finish
        cost = cost_of(model, reply.prompt_tokens, reply.completion_tokens)
        written["usage"]["cost"] = None if cost is None else 2 * cost
        return written

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the result of an answer; what was charged is said of the whole batch."""
        body = self.completion(model, ids, reply, created)
        del body["usage"]["cost"]
        response = {"status_code": 200, "request_id": ids.request, "body": body}
        return self.line(ids, custom_id, response, None)

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the result of a request the service failed at."""
        error = {"message": "Provider returned error", "type": "server_error", "param": None}
        return self.line(ids, custom_id, None, {**error, "error_type": "provider_unavailable"})

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: what is said of a request that never ran is not documented."""
        return b""

    def line(
        self,
        ids: Ids,
        custom_id: str | None,
        response: dict[str, object] | None,
        error: Mapping[str, Any] | None,
    ) -> bytes:
        """Write a result."""
        known = {"id": f"batch_req_{ids.row}", "custom_id": custom_id}
        row = known | {"response": response, "error": error}
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def cost_of(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what so many tokens cost in a batch."""
    price = PRICES.get(model.removesuffix(":batch"))
    if price is None:
        return None
    return round(prompt_tokens * price[0] + completion_tokens * price[1], 9)
