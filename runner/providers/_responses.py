"""OpenAI's Responses API: the lines of a batch file for models that exist only there, out and in.

Pure. The envelope of a line is that of chat completions (`_chat`, `_chat_reply`); the body is not.
Wire facts: developers.openai.com/api/reference/resources/responses, and the openai package's types.
"""

from typing import Any, Final

from runner.core.model import Image, JsonObject, Model, Prompt
from runner.providers import _settled as say
from runner.providers._lines import told, word

NAME: Final = "responses"
"""What a model's row calls it."""
ENDPOINT: Final = "/v1/responses"
ASK_PATH: Final = "/responses"
SETTLED: Final = {
    **dict.fromkeys(("previous_response_id", "conversation"), say.ANOTHER_PROMPT),
    "text.format": say.AS_JSON,
    "background": say.NO_STREAM,
    **dict.fromkeys(("max_tool_calls", "include"), say.NO_TOOLS),
}
"""What parameters must not say, beside what they must not in a chat completion."""
_ASIDE: Final = frozenset({"reasoning", "compaction"})
"""Kinds of output that are not the answer."""
_PLACES: Final = {"output_text": "text", "refusal": "refusal"}
"""Where the words of a part stand, by its type."""


def body_of(model: Model, prompt: Prompt) -> JsonObject:
    """Return what a request says, without temperature and parameters."""
    turns: list[JsonObject] = [
        {"role": turn.role, "content": _content(turn.content, prompt.images_of(turn))}
        for turn in prompt.conversation
    ]
    if prompt.system is not None:
        turns.insert(0, {"role": "system", "content": prompt.system})
    return {"model": model.name, "input": turns, "max_output_tokens": model.max_output_tokens}


def _content(text: str, images: list[Image]) -> Any:
    if not images:
        return text
    addresses = (
        f"data:{image.media_type};base64,{image.data}" if image.kind else image.name
        for image in images
    )
    shown = [{"type": "input_image", "image_url": address} for address in addresses]
    return [*shown, {"type": "input_text", "text": text}]


def is_response(body: JsonObject) -> bool:
    """Tell whether a body is a response, and not a chat completion."""
    return body.get("object") == "response" and isinstance(body.get("output"), list)


def text_of(output: list[Any]) -> tuple[str, bool, str | None]:
    """Return an answer's text, whether it is a refusal, and what else in it may hold an answer.

    What a model says on the way (phase: commentary) is no answer.
    """
    texts: list[str] = []
    refused = False
    for item in output:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in _ASIDE or (kind == "message" and item.get("phase") == "commentary"):
            continue
        parts = item.get("content") if kind == "message" else None
        if not isinstance(parts, list):
            return "", False, f"output of type {told(kind)}"
        for part in parts:
            name = part.get("type") if isinstance(part, dict) else None
            if name not in _PLACES:
                return "", False, f"a part of type {told(name)}"
            refused = refused or name == "refusal"
            texts.append(word(part.get(_PLACES[name])) or "")
    return "".join(texts), refused, None


def finish_of(body: JsonObject) -> str | None:
    """Return why the model stopped, in the service's word; None: not said."""
    status = word(body.get("status"))
    details = body.get("incomplete_details")
    reason = word(details.get("reason")) if isinstance(details, dict) else None
    return "stop" if status == "completed" else reason or status
