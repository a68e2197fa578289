"""Result lines and replies by name: what other people's servers put under our custom_ids."""

import json
from collections.abc import Callable
from typing import Any

from tests.foreign.server import (
    FORM,
    USAGE,
    Ask,
    Json,
    Reply,
    Scenario,
    completion,
    json_reply,
    no,
    ok,
)

Answer = Callable[[Ask], tuple[str, Json | bytes] | None]


def every(make: Callable[[str], Json], kind: str = "output") -> Scenario:
    """The same kind of line for every request."""
    return Scenario(answer=lambda ask: (kind, make(ask.custom_id)))


def refused(status: int, code: Any, message: str, kind: str = "x") -> Scenario:
    return every(lambda id_: no(id_, status, code, message, kind), "error")


def envelope(**changes: Any) -> Scenario:
    """A good answer whose envelope has some fields changed; None takes a field away."""

    def line(id_: str) -> Json:
        row = ok(id_)
        row["response"] |= changes
        row["response"] = {k: v for k, v in row["response"].items() if v is not None}
        return row

    return every(line)


def choice(**changes: Any) -> Json:
    """A completion whose one choice has some fields changed."""
    body = completion()
    body["choices"][0] |= changes
    return body


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": FORM.replace("80", "30")}]}
READ = {
    "text parts": every(lambda id_: ok(id_, completion([{"type": "text", "text": FORM}]))),
    "a thought before the text": every(
        lambda id_: ok(id_, completion([THOUGHT, {"type": "text", "text": FORM}]))
    ),
    "output_text": every(lambda id_: ok(id_, completion([{"type": "output_text", "text": FORM}]))),
    "a status in digits": envelope(status_code="200"),
    "no status": envelope(status_code=None),
    "a body of JSON text": envelope(body=json.dumps(completion(), ensure_ascii=False)),
    "no envelope": every(lambda id_: {"custom_id": id_, "response": completion(), "error": None}),
    "no response": every(lambda id_: {"custom_id": id_, **completion()}),
    "reasoning beside the answer": every(
        lambda id_: ok(id_, completion(reasoning_content=FORM.replace("80", "30")))
    ),
}
"""Answers that stand where some service documents it."""

NOWHERE = {
    "message.reasoning_content": every(
        lambda id_: ok(id_, completion(None, reasoning_content=FORM))
    ),
    "choices[0].text": every(lambda id_: ok(id_, choice(message=None, text=FORM))),
    "a part of type audio": every(
        lambda id_: ok(id_, completion([{"type": "audio", "transcript": FORM}]))
    ),
    "body.output": every(lambda id_: ok(id_, {"id": "x", "output": FORM, "usage": USAGE})),
}
"""Text in a place that nobody documents, by what the run says of it."""

ACCOUNT = {
    "Billing hard limit": refused(
        400, "billing_hard_limit_reached", "Billing hard limit has been reached"
    ),
    "Insufficient Balance": refused(402, "insufficient_balance", "Insufficient Balance"),
    "The key has expired": refused(401, "invalid_api_key", "The key has expired"),
    "does not have access": refused(
        403, "model_not_found", "Project does not have access to model"
    ),
    "does not exist": refused(404, "DeploymentNotFound", "The API deployment does not exist."),
    "exceeded your current quota": refused(
        429, "insufficient_quota", "You exceeded your current quota", "insufficient_quota"
    ),
    "Budget has been exceeded": refused(400, "400", "Budget has been exceeded! Max budget: 1.0"),
    "specified API usage limits": refused(
        400, None, "You have reached your specified API usage limits.", "invalid_request_error"
    ),
    "This parameter": refused(400, "unsupported_value", "This parameter takes no value but 1."),
}
"""Refusals that no request deserves: the account's, or the same for all."""

ERRORS = {
    "an object": every(
        lambda id_: {
            "custom_id": id_,
            "response": None,
            "error": {"code": "server_error", "message": "up"},
        },
        "error",
    ),
    "a text": every(
        lambda id_: {"custom_id": id_, "response": None, "error": "upstream failed"}, "error"
    ),
    "inside a 200": every(
        lambda id_: ok(id_, {"error": {"message": "Provider returned error", "code": 502}})
    ),
    "no body": every(
        lambda id_: {"custom_id": id_, "response": {"status_code": 500, "body": None}}
    ),
    "nothing at all": every(lambda id_: {"custom_id": id_}),
}
"""Failures that are nobody's, which may be asked again."""

ONE_BY_ONE: dict[str, Callable[[Json, int], Json | Reply]] = {
    "hard limit": lambda _, times: (
        json_reply({"error": {"message": "Billing hard limit has been reached"}}, 400)
        if times >= 2
        else completion()
    ),
    "budget": lambda _, times: (
        json_reply({"error": {"message": "Budget has been exceeded!", "code": "400"}}, 400)
        if times >= 2
        else completion()
    ),
    "no credit": lambda _, times: (
        json_reply({"error": {"message": "Insufficient Balance"}}, 402)
        if times >= 2
        else completion()
    ),
}
"""Chat completions that end with the account's money."""
