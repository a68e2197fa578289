"""What goes out fits the vendors' own description of it: the types their SDKs are generated from."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError
from typing_extensions import is_typeddict

from runner.core.model import Condition, Prompt, Stem
from runner.run.run import Run
from tests.unit.composing import composed
from tests.variants import first


def line_of(*arguments: str, temperature: str | None = "0.5") -> dict[str, Any]:
    """A request line as the run with these arguments writes it."""
    provider = Run(composed(list(arguments))[0]).connection.offline()
    condition = Condition(
        stem=Stem("p1_t1"),
        levels=("p1", "t1"),
        temperature=None if temperature is None else Decimal(temperature),
    )
    frame = provider.encode(
        condition, Prompt(system="あなたは学生です。", user="『本』\u2028を読む")
    )
    line: dict[str, Any] = json.loads(frame.before + b"p1_t1_n01" + frame.after)
    return line


def chat(kind: Callable[[], Any]) -> Callable[[dict[str, Any]], list[str]]:
    return lambda line: complaints(kind(), line["body"])


def openai_body() -> Any:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    return CompletionCreateParamsNonStreaming


def groq_body() -> Any:
    from groq.types.chat.completion_create_params import CompletionCreateParams

    return CompletionCreateParams


def anthropic_line(line: dict[str, Any]) -> list[str]:
    """The SDK's newest version has no temperature any more: the older one it is sent under has."""
    from anthropic.types.messages.batch_create_params import Request

    params = {k: v for k, v in line["params"].items() if k != "temperature"}
    assert 0 <= line["params"].get("temperature", 0) <= 1
    return complaints(Request, {**line, "params": params})


def vertex_line(line: dict[str, Any]) -> list[str]:
    from google.cloud.aiplatform_v1.types import GenerateContentRequest
    from google.protobuf.json_format import ParseDict, ParseError

    try:
        ParseDict(line["request"], GenerateContentRequest.pb(GenerateContentRequest()))
    except ParseError as error:
        return [str(error)]
    return []


def openrouter_line(line: dict[str, Any]) -> list[str]:
    """Its body has no model: the batch has."""
    assert line.keys() == {"custom_id", "body"}
    assert "model" not in line["body"]
    return chat(openai_body)({"body": {"model": "x", **line["body"]}})


def bedrock_line(line: dict[str, Any]) -> list[str]:
    from botocore.session import Session
    from botocore.validate import ParamValidator

    converse = Session().get_service_model("bedrock-runtime").operation_model("Converse")
    found = ParamValidator().validate({"modelId": "x", **line["modelInput"]}, converse.input_shape)
    return found.generate_report().splitlines()


def complaints(kind: Any, value: Any) -> list[str]:
    """Say what a type finds wrong with a value, and which of its keys it does not know."""
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        return [f"{row['loc']}: {row['msg']}" for row in error.errors()]
    return sorted(unknown(kind, value))


def unknown(hint: Any, value: Any) -> set[str]:
    """Return the keys of an object that none of the types it may be of has, level by level."""
    if isinstance(value, list):
        return {key for item in value for key in unknown(hint, item)}
    kinds = [kind for kind in _alternatives(hint) if is_typeddict(kind)]
    if not isinstance(value, dict) or not kinds:
        return set()
    found = []
    for kind in kinds:
        hints = get_type_hints(kind)
        inner = {k for name in set(value) & set(hints) for k in unknown(hints[name], value[name])}
        found.append(set(value) - set(hints) | inner)
    return min(found, key=len)


def _alternatives(hint: Any) -> list[Any]:
    return [hint, *(inner for part in get_args(hint) for inner in _alternatives(part))]


DESCRIBED = {
    "openai": chat(openai_body),
    "kluster": chat(openai_body),
    "compatible": chat(openai_body),
    "groq": chat(groq_body),
    "openrouter": openrouter_line,
    "anthropic": anthropic_line,
    "gemini": vertex_line,
    "gemini_api": vertex_line,
    "bedrock": bedrock_line,
}


@pytest.mark.parametrize("name", first(12, DESCRIBED))
@pytest.mark.parametrize("temperature", ["0.5", "0", None])
def test_a_request_line_fits_the_vendors_own_description(name, temperature):
    assert DESCRIBED[name](line_of(f"provider={name}", temperature=temperature)) == []


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_check_finds_a_parameter_that_the_vendor_does_not_know(name):
    line = line_of(f"provider={name}")
    body = line.get("body") or line.get("params") or line.get("request") or line["modelInput"]
    body["temperatur"] = 0.5
    assert DESCRIBED[name](line) != []


def test_the_models_own_parameters_are_ones_that_the_vendor_knows():
    line = line_of("provider=gemini", "provider.model=gemini-2.5-flash")
    assert "generationConfig" in line["request"]
    assert vertex_line(line) == []
    reasoning = line_of(
        *("provider=openai", "provider.model=gpt-5-mini", "temperatures=null"),
        "+provider.parameters.reasoning_effort=low",
        temperature=None,
    )
    assert reasoning["body"]["reasoning_effort"] == "low"
    assert "temperature" not in reasoning["body"]
    assert DESCRIBED["openai"](reasoning) == []
