"""How structured output and reasoning are asked for, in each family of request lines. Pure."""

from typing import Final

from runner.core import reasoning, structured
from runner.core.model import JsonObject, QuestionSet
from runner.providers.base import Dialect


def _in_chat(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=True)
    named = {"name": "answers", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _in_messages(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=True)
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _in_gemini(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=False)
    return {"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}}


CHAT: Final = Dialect(
    name="chat",
    structured=_in_chat,
    ways=(reasoning.EFFORT, reasoning.TEMPLATE),
    reasoning=(("reasoning_effort",), ("chat_template_kwargs", "enable_thinking")),
)
"""Chat completions, of OpenAI and the services that speak as it does."""
MESSAGES: Final = Dialect(
    name="messages",
    structured=_in_messages,
    ways=(reasoning.BUDGET, reasoning.ADAPTIVE),
    reasoning=(("thinking",), ("output_config", "effort")),
)
"""Anthropic's Messages API."""
GEMINI: Final = Dialect(
    name="gemini",
    structured=_in_gemini,
    ways=(reasoning.THINKING_BUDGET, reasoning.THINKING_LEVEL),
    reasoning=(("generationConfig", "thinkingConfig"),),
)
"""Gemini on Vertex AI."""
