"""How structured output and reasoning are asked for, in each family of request lines. Pure."""

import json
from dataclasses import replace
from typing import Final

from runner.core import reasoning, structured
from runner.core.images import (
    KINDS,
    ImageRules,
    anthropic_tokens,
    gemini_tokens,
    openai_tokens,
)
from runner.core.model import JsonObject, QuestionSet
from runner.providers.base import Dialect


def _in_chat(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=True)
    named = {"name": "answers", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _in_responses(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=True)
    named = {"type": "json_schema", "name": "answers", "strict": True, "schema": schema}
    return {"text": {"format": named}}


def _in_messages(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=True)
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _in_converse(questions: QuestionSet) -> JsonObject:
    schema = json.dumps(structured.schema(questions, closed=True), ensure_ascii=False)
    shape = {"jsonSchema": {"name": "answers", "schema": schema}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": shape}}}


def _in_gemini(questions: QuestionSet) -> JsonObject:
    schema = structured.schema(questions, closed=False)
    return {"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}}


MB = 1_000_000
_IN_CHAT: Final = ImageRules(
    kinds=KINDS,
    most_bytes=20 * MB,
    most_bytes_together=50 * MB,
    most=500,
    most_pixels=None,
    addresses=("https://",),
    tokens=openai_tokens,
    source="developers.openai.com/api/docs/guides/images-vision, 2025; later pages allow more",
)
_IN_MESSAGES: Final = ImageRules(
    kinds=KINDS,
    most_bytes=(5 << 20) * 3 // 4,  # what is counted is the base64 of it
    most_bytes_together=(32 * MB) * 3 // 4,
    most=100,
    most_pixels=8000,
    addresses=("https://",),
    tokens=anthropic_tokens,
    source="platform.claude.com/docs/en/build-with-claude/vision, 2026-09: 5 MB in base64",
)
_IN_GEMINI: Final = ImageRules(
    kinds=("png", "jpeg", "webp"),
    most_bytes=7 * MB,
    most_bytes_together=(20 * MB) * 3 // 4,
    most=3000,
    most_pixels=None,
    addresses=("gs://",),
    tokens=gemini_tokens,
    source="docs.cloud.google.com/vertex-ai image-understanding, 2026-09: 7 MB a file sent inline",
)

RESPONSES: Final = Dialect(
    name="responses",
    structured=_in_responses,
    ways=(reasoning.RESPONSES_EFFORT,),
    reasoning=(("reasoning", "effort"),),
    images=_IN_CHAT,
)
"""OpenAI's Responses API."""
CHAT: Final = Dialect(
    name="chat",
    structured=_in_chat,
    ways=(reasoning.EFFORT, reasoning.TEMPLATE),
    reasoning=(("reasoning_effort",), ("chat_template_kwargs", "enable_thinking")),
    images=_IN_CHAT,
)
"""Chat completions, of OpenAI and the services that speak as it does."""
TOGETHER: Final = replace(
    CHAT,
    name="together",
    ways=(reasoning.EFFORT, reasoning.SWITCH),
    reasoning=(("reasoning_effort",), ("reasoning",)),
)
"""Together's chat completions, in which most models that reason can only be told not to."""
OPENAI: Final = replace(CHAT, others={"responses": RESPONSES})
"""OpenAI itself, which has models that are asked through its Responses API alone."""
OPENROUTER: Final = replace(
    CHAT, name="openrouter", ways=(reasoning.EFFORT,), reasoning=(("reasoning_effort",),)
)
"""OpenRouter's chat completions; a batch of it takes pictures by address only, and few upstreams do."""
MESSAGES: Final = Dialect(
    name="messages",
    structured=_in_messages,
    ways=(reasoning.BUDGET, reasoning.ADAPTIVE),
    reasoning=(("thinking",), ("output_config", "effort")),
    images=_IN_MESSAGES,
)
"""Anthropic's Messages API."""
CONVERSE: Final = Dialect(
    name="converse",
    structured=_in_converse,
    ways=(reasoning.CONVERSE_BUDGET, reasoning.CONVERSE_ADAPTIVE),
    reasoning=(
        ("additionalModelRequestFields", "thinking"),
        ("additionalModelRequestFields", "output_config", "effort"),
    ),
    images=ImageRules(
        kinds=KINDS,
        most_bytes=3_750_000,
        most_bytes_together=(20 * MB) * 3 // 4,
        most=20,
        most_pixels=8000,
        addresses=(),
        tokens=anthropic_tokens,
        source="docs.aws.amazon.com/bedrock API_runtime_Message: 20 pictures, 3.75 MB and 8,000 pixels each",
    ),
)
"""Amazon Bedrock's Converse API: one body for all of its models."""
GEMINI: Final = Dialect(
    name="gemini",
    structured=_in_gemini,
    ways=(reasoning.THINKING_BUDGET, reasoning.THINKING_LEVEL),
    reasoning=(("generationConfig", "thinkingConfig"),),
    images=_IN_GEMINI,
)
"""Gemini on Vertex AI."""
GEMINI_API: Final = replace(GEMINI, name="gemini_api", images=replace(_IN_GEMINI, addresses=()))
"""The Gemini Developer API, which reads no bucket of ours."""
