"""The chat-completions line of a batch file, as every OpenAI-compatible service has it: out.

Pure. One line a request, UTF-8 and not escaped; and the reply to a single request, as a batch
would have written it. `_chat_reply` reads lines.
"""

from typing import Any, Final

import orjson

from runner.core.errors import ProviderBusy, ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Condition, Image, JsonObject, Model, Prompt, ReplyKind
from runner.providers import _settled as say
from runner.providers._chat_reply import read_line
from runner.providers._lines import count, object_of, overlaid, seconds, told, word
from runner.providers._responses import NAME, body_of
from runner.providers.base import Frame

__all__ = [
    "ENDPOINT",
    "HOLE",
    "REFUSALS_OF_ONE",
    "SETTLED",
    "answer_line",
    "chat_body",
    "count",
    "framed",
    "overlaid",
    "read_line",
    "request_frame",
    "seconds",
    "told",
    "word",
]

ENDPOINT: Final = "/v1/chat/completions"
REFUSALS_OF_ONE: Final = frozenset({400, 413, 422})
"""Statuses with which a service refuses one chat completion, and not the caller."""
HOLE: Final = "\x00"
"""Stands for the custom_id in a line that is to be framed."""

SETTLED: Final = {
    **dict.fromkeys(("model", "models", "fallbacks"), say.ANOTHER_MODEL),
    **dict.fromkeys(("messages", "prompt", "input", "system", "instructions"), say.ANOTHER_PROMPT),
    **dict.fromkeys(("temperature", "options.temperature"), say.ANOTHER_TEMPERATURE),
    **dict.fromkeys(
        (
            *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"),
            *("num_predict", "options.num_predict"),
        ),
        say.ANOTHER_CAP,
    ),
    **dict.fromkeys(("n", "best_of", "candidate_count", "num_return_sequences"), say.MORE_ANSWERS),
    **dict.fromkeys(
        (
            *("response_format", "format", "json_schema", "structured_outputs", "grammar"),
            *("guided_json", "guided_regex", "guided_choice", "guided_grammar"),
        ),
        say.AS_JSON,
    ),
    **dict.fromkeys(("stream", "stream_options"), say.NO_STREAM),
    **dict.fromkeys(("stop", "stop_sequences", "stop_token_ids", "options.stop"), say.NO_STOP),
    **dict.fromkeys(
        (
            *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
            *("web_search_options", "plugins", "modalities", "audio"),
        ),
        say.NO_TOOLS,
    ),
    **dict.fromkeys(("truncate_prompt_tokens", "truncation", "transforms"), say.NO_CUT),
    "service_tier": say.NO_TIER,
    "echo": "leave it out: the question would be read as part of the answer",
    "extra_body": "write what it holds beside the other parameters",
}
"""What parameters must not say, in the spellings of all services that speak this dialect."""


def request_frame(
    model: Model, condition: Condition, prompt: Prompt, endpoint: str = ENDPOINT
) -> Frame:
    """Return the request line of a condition, with a hole for the custom_id."""
    body = chat_body(model, condition, prompt)
    return framed({"custom_id": HOLE, "method": "POST", "url": endpoint, "body": body})


def chat_body(model: Model, condition: Condition, prompt: Prompt) -> JsonObject:
    """Return all that a condition asks for."""
    body = (body_of if model.endpoint == NAME else _body_of)(model, prompt)
    if condition.temperature is not None:
        body["temperature"] = float(condition.temperature)
    return overlaid(body, model.parameters)


def framed(line: JsonObject) -> Frame:
    """Write a request line; its first HOLE is where the custom_id goes."""
    before, _, after = orjson.dumps(line).partition(rb"\u0000")
    return Frame(before=before, after=after + b"\n")


def _body_of(model: Model, prompt: Prompt) -> JsonObject:
    """Return what a chat completion says, without temperature and parameters."""
    messages: list[JsonObject] = [
        {"role": turn.role, "content": _content(turn.content, prompt.images_of(turn))}
        for turn in prompt.conversation
    ]
    if prompt.system is not None:
        messages.insert(0, {"role": "system", "content": prompt.system})
    return {
        "model": model.name,
        "messages": messages,
        model.max_tokens_name: model.max_output_tokens,
    }


def _content(text: str, images: list[Image]) -> Any:
    """Return what a turn says: its text, or a list of pictures and the text."""
    if not images:
        return text
    addresses = (
        f"data:{image.media_type};base64,{image.data}" if image.kind else image.name
        for image in images
    )
    shown = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    return [*shown, {"type": "text", "text": text}]


def answer_line(custom_id: str, status: int, request_id: str | None, body: bytes) -> bytes:
    """Write the reply to one chat completion as a batch would have written it, its body as it is.

    Raises:
        ProviderRefused: the account's fault, whatever is asked.
        ProviderBusy: not now, said with a status of 200.
        ProviderReplyUnreadable: the body is no JSON object, or says 200 and answers nothing.
    """
    object_of(body)
    known = orjson.dumps(
        {"custom_id": custom_id, "response": {"status_code": status, "request_id": request_id}}
    )
    one_line = body.replace(b"\n", b" ").replace(b"\r", b" ")  # between tokens only: it is JSON
    line = known.removesuffix(b"}}") + b',"body":' + one_line.strip() + b'},"error":null}\n'
    reply = read_line(line)
    reason = f"chat: {reply.error}"
    if reply.kind is ReplyKind.DENIED:
        raise ProviderRefused(reason)
    if reply.kind is ReplyKind.ERRORED and 200 <= status < 300:
        if reply.error and reply.error.startswith(_TOO_MANY):
            raise ProviderBusy(reason)
        raise ProviderReplyUnreadable(reason)
    return line


_TOO_MANY: Final = "429:"
