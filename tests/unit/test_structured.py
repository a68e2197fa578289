"""question.answer=json: the schema in each dialect, who may have it, and what comes back."""

import json
from dataclasses import replace
from decimal import Decimal

import orjson
import polars as pl
import pytest

from runner.cli.screen import Silent
from runner.config.shipped import SHIPPED
from runner.core.errors import ConfigError
from runner.core.extract.reader import Reader
from runner.core.model import Variant
from runner.core.plan import Purpose
from runner.core.prompt import form, render, skeleton
from runner.providers._dialects import CHAT, GEMINI
from runner.run import assemble
from runner.run.run import Run
from tests.unit.composing import composed
from tests.unit.layouts import LABELS
from tests.variants import first

MODELS = {
    "openai": ("gpt-4o-mini", ("response_format", "json_schema", "schema")),
    "groq": ("openai/gpt-oss-20b", ("response_format", "json_schema", "schema")),
    "together": ("zai-org/GLM-5.3", ("response_format", "json_schema", "schema")),
    "xai": ("grok-4.3", ("response_format", "json_schema", "schema")),
    "mistral": ("mistral-small-2603", ("response_format", "json_schema", "schema")),
    "anthropic": ("claude-haiku-4-5", ("output_config", "format", "schema")),
    "gemini": ("gemini-2.5-flash", ("generationConfig", "responseSchema")),
    "bedrock": (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ("outputConfig", "textFormat", "structure", "jsonSchema", "schema"),
    ),
}


def run_with(provider: str, model: str, *more: str) -> Run:
    few = "provider.limits.min_requests=null"
    arguments = [f"provider={provider}", f"provider.model={model}", "service=emulated", few, *more]
    return Run(composed(arguments)[0])


@pytest.mark.parametrize("provider", first(4, list(MODELS)))
def test_the_schema_is_in_every_request_in_the_words_of_the_service(provider):
    model, place = MODELS[provider]
    run = run_with(provider, model, "question.answer=json")
    condition = run.conditions[0]
    prompt = render(run.settings.experiment, condition, Variant.PLAIN)
    frame = run.connection.offline().encode(condition, prompt)
    line = orjson.loads(frame.before + b"p1" + frame.after)
    found = next(line[name] for name in ("body", "params", "request", "modelInput") if name in line)
    for name in place:
        found = found[name]
    found = orjson.loads(found) if isinstance(found, str) else found

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
    run = run_with(
        "gemini",
        "gemini-2.5-flash",
        "question.answer=json",
        "+provider.parameters.generationConfig.topP=0.5",
    )
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


def test_the_wording_asks_for_an_object_and_not_for_the_form():
    run = run_with("openai", "gpt-4o-mini", "question.answer=json")
    experiment = run.settings.experiment
    for variant in Variant:
        asked = render(experiment, run.conditions[0], variant).user
        assert "JSON" in asked
        assert '"Q1": {"value": [面白さ 数値: 0-100], "reason": "[面白さ 理由]"},' in asked
        assert "Q1. 面白さ(数値)" not in asked
        assert "次の形式" not in asked


def test_the_wording_of_the_form_is_what_it_was():
    text, structured = (
        run_with("openai", "gpt-4o-mini", f"question.answer={a}") for a in ("text", "json")
    )
    prompts = [
        render(r.settings.experiment, r.conditions[0], Variant.PLAIN) for r in (text, structured)
    ]
    assert "JSON" not in prompts[0].user
    assert form(text.settings.experiment.questions) in prompts[0].user
    assert prompts[0].system == prompts[1].system


def test_the_object_to_fill_in_is_no_answer(experiment):
    readings = Reader(experiment.questions).read(skeleton(experiment.questions))

    assert all(reading.value is None for reading in readings.values())


def test_a_question_set_without_such_a_wording_says_what_it_needs(tmp_path):
    (tmp_path / "question").mkdir()
    conf = (SHIPPED / "question" / "literary.yaml").read_text(encoding="utf-8")
    lines = conf.split("\n")
    del lines[lines.index("plain_json: |") : lines.index("enhanced_json: |")]
    (tmp_path / "question" / "mine.yaml").write_text("\n".join(lines), encoding="utf-8")
    more = ("--config-dir", str(tmp_path), "question=mine")

    with pytest.raises(ConfigError, match=r"literary.yaml: plain_json: with question.answer=json"):
        run_with("openai", "gpt-4o-mini", *more, "question.answer=json")
    assert run_with("openai", "gpt-4o-mini", *more).settings.experiment.questions


@pytest.mark.parametrize(
    ("provider", "mode"), first(1, [*((name, "batch") for name in MODELS), ("openai", "realtime")])
)
def test_the_bundled_study_is_answered_in_json(tmp_path, provider, mode):
    model, _ = MODELS[provider]
    run = run_with(
        provider,
        model,
        "question.answer=json",
        f"provider.mode={mode}",
        f"outputs={tmp_path}",
        "faults=instant",
        "faults.malformed=0.2",
        "trials=1",
        "texts=[t1]",
        "temperatures=null",
        "poll.first_seconds=0.02",
        "poll.max_seconds=0.1",
    )
    result = assemble.drive(run, Purpose.RUN, Silent(), lambda _: None)
    answers = pl.read_parquet(result.tables.answers_parquet)

    assert result.snapshot.counts.total == 4 == answers.height
    valid = answers.filter(pl.col("outcome") == "valid")
    assert (
        valid.height == result.snapshot.counts.success + result.snapshot.counts.retry_success >= 3
    )
    for key in LABELS:
        assert set(valid[f"{key}_pattern"]) == {"json"}
        written = [json.loads(text)[key] for text in valid["raw_answer"]]
        assert valid[f"{key}_value"].to_list() == [part["value"] for part in written]
        assert valid[f"{key}_reason"].to_list() == [part["reason"] for part in written]


def test_another_word_than_text_or_json_is_refused():
    with pytest.raises(ConfigError, match=r"question.answer: 'xml'"):
        run_with("openai", "gpt-4o-mini", "question.answer=xml")


@pytest.mark.parametrize("whole", [True, False])
def test_a_schema_says_what_kind_of_number_and_each_service_how_strict_and_in_which_order(
    experiment, whole
):
    asked = experiment.questions
    asked = replace(asked, questions=tuple(replace(q, integer=whole) for q in asked.questions))
    kind = "integer" if whole else "number"
    chat = CHAT.structured(asked)["response_format"]["json_schema"]
    schema = GEMINI.structured(asked)["generationConfig"]["responseSchema"]

    assert chat["strict"] is True
    assert chat["schema"]["properties"]["Q1"]["properties"]["value"]["type"] == kind
    assert schema["propertyOrdering"] == list(LABELS)
    assert schema["properties"]["Q1"]["propertyOrdering"] == ["value", "reason"]
