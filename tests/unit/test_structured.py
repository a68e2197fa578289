"""question.answer=json: the schema in each dialect, who may have it, and what comes back."""

import json
from decimal import Decimal

import orjson
import pytest

from runner.build import Run
from runner.compose import compose
from runner.core.errors import ConfigError
from runner.core.model import Variant
from runner.core.prompt import render
from runner.core.reader import Reader
from tests.unit.layouts import LABELS

MODELS = {
    "openai": ("gpt-4o-mini", ("response_format", "json_schema", "schema")),
    "groq": ("openai/gpt-oss-20b", ("response_format", "json_schema", "schema")),
    "anthropic": ("claude-haiku-4-5", ("output_config", "format", "schema")),
    "gemini": ("gemini-2.5-flash", ("generationConfig", "responseSchema")),
}


def run_with(provider: str, model: str, *more: str) -> Run:
    arguments = [f"provider={provider}", f"provider.model={model}", "service=emulated", *more]
    return Run(compose(arguments)[0])


@pytest.mark.parametrize("provider", list(MODELS))
def test_the_schema_is_in_every_request_in_the_words_of_the_service(provider):
    model, place = MODELS[provider]
    run = run_with(provider, model, "question.answer=json")
    condition = run.conditions[0]
    prompt = render(run.settings.experiment, condition, Variant.PLAIN)
    frame = run._offline_provider().encode(condition, prompt)
    line = orjson.loads(frame.before + b"p1" + frame.after)
    found = next(line[name] for name in ("body", "params", "request") if name in line)
    for name in place:
        found = found[name]

    assert list(found["properties"]) == list(LABELS) == found["required"]
    first = found["properties"]["Q1"]
    assert first["properties"]["value"] == {"type": "integer", "description": "面白さ: 0-100"}
    assert first["required"] == ["value", "reason"]
    assert ("additionalProperties" in found) == (provider != "gemini")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-3.5-turbo"),
        ("groq", "llama-3.1-8b-instant"),
        ("anthropic", "claude-3-haiku"),
    ],
)
def test_a_model_without_it_is_refused_before_anything_is_sent(provider, model):
    with pytest.raises(ConfigError, match=r"question.answer=json: provider/.*structured_output"):
        run_with(provider, model, "question.answer=json")


def test_it_is_part_of_what_the_experiment_is():
    text = run_with("openai", "gpt-4o-mini")
    structured = run_with("openai", "gpt-4o-mini", "question.answer=json")

    assert "response_format" not in text.definition["model"]["parameters"]
    assert text.definition != structured.definition


def test_the_parameters_of_ones_own_are_laid_over_it():
    run = run_with("gemini", "gemini-2.5-flash", "question.answer=json",
                   "+provider.parameters.generationConfig.topP=0.5")  # fmt: skip
    config = run.settings.experiment.model.parameters["generationConfig"]

    assert config["topP"] == 0.5
    assert config["responseMimeType"] == "application/json"


def test_what_comes_back_is_read_under_the_name_json_and_judged_alike(experiment):
    reader = Reader(experiment.questions)
    answer = {
        q: {"value": 10 * n, "reason": f"{label}の理由"}
        for n, (q, label) in enumerate(LABELS.items(), 8)
    }
    readings = reader.read(json.dumps(answer))

    assert [r.value for r in readings.values()] == [Decimal(80), Decimal(90), Decimal(100), None]
    assert {r.pattern for r in readings.values()} == {"json"}
    assert readings["Q4"].cause == "out_of_range"


def test_another_word_than_text_or_json_is_refused():
    with pytest.raises(ConfigError, match=r"question.answer: 'xml'"):
        run_with("openai", "gpt-4o-mini", "question.answer=xml")
