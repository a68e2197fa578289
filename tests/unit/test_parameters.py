"""`provider.parameters`: more of a request, and nothing that a setting decides."""

import orjson
import pytest

from runner.core.definition import differences
from runner.core.errors import ConfigError
from runner.core.model import Variant
from runner.core.prompt import render
from runner.providers._settled import overruling
from runner.providers.anthropic import AnthropicBatch
from runner.providers.base import Service
from runner.providers.gemini import GeminiBatch
from runner.providers.openai import OpenAIBatch
from runner.providers.vllm import VllmBatch
from runner.run import preflight
from runner.run.run import Run
from tests.unit.composing import fill, head, only

SMALL = ["personas=[p1]", "texts=[t1]", "temperatures=null"]


def run_of(provider: str, *words: str) -> Run:
    return Run(only([f"provider={provider}", *SMALL, *words]))


def refusal(run: Run) -> str:
    """What a plan says instead of a plan."""
    with pytest.raises(ConfigError) as caught:
        preflight.preview(run)
    return str(caught.value)


MODEL, PROMPT = "provider.model=", "files say what is asked"
CAP, TRIALS, JSON = "provider.max_output_tokens=", "trials=", "question.answer=json"
TEMPERATURE, LEAVE = "temperatures=", "leave it out"

CHAT = {
    "model": MODEL,
    "models": MODEL,
    "messages": PROMPT,
    "Messages": PROMPT,
    "prompt": PROMPT,
    "temperature": TEMPERATURE,
    "max_tokens": CAP,
    "maxTokens": CAP,
    "max_completion_tokens": CAP,
    "max_output_tokens": CAP,
    "n": TRIALS,
    "best_of": TRIALS,
    "bestOf": TRIALS,
    "stream": LEAVE,
    "stop": LEAVE,
    "tools": LEAVE,
    "functions": LEAVE,
    "service_tier": LEAVE,
    "response_format": JSON,
    "guided_json": JSON,
    "extra_body": "beside",
    "options.temperature": TEMPERATURE,
}
GEMINI = {
    "model": MODEL,
    "contents": PROMPT,
    "systemInstruction": PROMPT,
    "system_instruction": PROMPT,
    "cachedContent": PROMPT,
    "generationConfig.temperature": TEMPERATURE,
    "generationConfig.maxOutputTokens": CAP,
    "generationConfig.max_output_tokens": CAP,
    "generationConfig.candidateCount": TRIALS,
    "generationConfig.candidate_count": TRIALS,
    "generationConfig.stopSequences": LEAVE,
    "generationConfig.responseSchema": JSON,
    "generationConfig.responseMimeType": JSON,
    "generationConfig.response_json_schema": JSON,
    "generation_config.temperature": "generationConfig",
    "generation_config.topP": "generationConfig",
    "generationConfig": "generationConfig",
    "temperature": TEMPERATURE,
    "tools": LEAVE,
}
ANTHROPIC = {
    "model": MODEL,
    "messages": PROMPT,
    "system": PROMPT,
    "temperature": TEMPERATURE,
    "max_tokens": CAP,
    "maxTokens": CAP,
    "stream": LEAVE,
    "stop_sequences": LEAVE,
    "tools": LEAVE,
    "mcp_servers": LEAVE,
    "output_config.format": JSON,
    "outputConfig.format": "output_config",
    "service_tier": LEAVE,
}
CLASSES = {
    "openai": OpenAIBatch,
    "vllm": VllmBatch,
    "gemini": GeminiBatch,
    "anthropic": AnthropicBatch,
}
ALL = [
    *(
        (provider, name, instead)
        for provider in ("openai", "vllm")
        for name, instead in CHAT.items()
        if (provider, name) != ("openai", "service_tier")
    ),
    ("openai", "service_tier", "use provider.service_tier="),
    *(("gemini", name, instead) for name, instead in GEMINI.items()),
    *(("anthropic", name, instead) for name, instead in ANTHROPIC.items()),
]


@pytest.mark.parametrize(
    ("provider", "name", "instead"), ALL, ids=[f"{provider} {name}" for provider, name, _ in ALL]
)
@pytest.mark.parametrize("value", [1, None, []], ids=str)
def test_a_parameter_may_not_overrule_a_setting(provider, name, instead, value):
    given: object = value
    for key in reversed(name.split(".")):
        given = {key: given}
    ((where, said),) = overruling(given, CLASSES[provider].settled)
    assert name.startswith(where)
    assert instead in said


@pytest.mark.parametrize(
    ("provider", "name", "instead"),
    [
        ("openai", "n", TRIALS),
        ("vllm", "max_tokens", CAP),
        ("anthropic", "system", PROMPT),
        ("gemini", "generationConfig.temperature", TEMPERATURE),
        ("gemini", "generationConfig", "generationConfig"),
    ],
)
def test_a_plan_says_so(provider, name, instead):
    said = refusal(run_of(provider, f"provider.parameters.{name}=[]"))
    assert said.startswith(f"provider.parameters.{name}: ")
    assert instead in said


def test_a_row_of_a_model_may_not_either(folder):
    rows = "defaults: [openai, _self_]\nmodels: [{match: '*', parameters: {n: 2, seed: 1}}]\n"
    argv = fill(folder, {"provider/own.yaml": head("provider", rows)})
    said = refusal(Run(only([*argv, "provider=own", *SMALL])))
    assert said == "provider.models: *: parameters.n: use trials=…"


def test_all_of_them_are_said_at_once():
    said = refusal(run_of("openai", "provider.parameters={n: 2, model: x, seed: 1}"))
    assert said.count("provider.parameters.") == 2


@pytest.mark.parametrize("given", ["thinking_config: {thinkingBudget: 9}", "topP: 1, top_p: 1"])
def test_one_place_in_two_spellings_is_refused(given):
    words = ["provider.model=gemini-3.1-flash-lite"]
    said = refusal(
        run_of("gemini", *words, f"provider.parameters={{generationConfig: {{{given}}}}}")
    )
    assert said.startswith("provider.parameters.generationConfig.t")
    assert "one place" in said


def test_the_caps_own_name_is_settled_and_is_the_name_of_a_cap():
    words = ["provider.max_tokens=length_limit", "provider.parameters={length_limit: 3}"]
    assert CAP in refusal(run_of("compatible", *words))
    assert "provider.max_tokens" in refusal(run_of("compatible", "provider.max_tokens=messages"))


LEFT = [
    ("openai", "{seed: 1}"),
    ("openai", "{reasoning_effort: low, top_p: 0.9, logit_bias: {50256: -100}}"),
    ("compatible", "{top_k: 40, chat_template_kwargs: {enable_thinking: false}}"),
    ("vllm", "{chat_template_kwargs: {enable_thinking: false}}"),
    ("gemini", "{generationConfig: {topP: 0.9, seed: 2}}"),
    ("anthropic", "{top_k: 5, output_config: {effort: low}}"),
]


@pytest.mark.parametrize(("provider", "given"), LEFT, ids=[f"{p} {g}" for p, g in LEFT])
def test_what_is_left_is_taken_as_the_comments_write_it_and_is_part_of_what_is_asked(
    provider, given
):
    bare, more = run_of(provider), run_of(provider, f"provider.parameters={given}")
    assert preflight.preview(more).to_send == 10
    changes = differences(bare.definition, more.definition)
    assert changes
    assert all(line.startswith("model.parameters.") for line in changes)
    assert line_of(bare) != line_of(more)


@pytest.mark.parametrize("plus", ["+", "++"])
def test_a_plus_changes_nothing(plus):
    run = run_of("openai", f"{plus}provider.parameters={{seed: 1}}")
    assert run.settings.experiment.model.parameters == {"seed": 1}


def test_each_word_of_a_parameter_can_be_given_by_itself():
    run = run_of(
        "gemini",
        "provider.model=gemini-3.1-flash-lite",
        "provider.parameters.generationConfig.topP=0.9",
        "provider.parameters.generationConfig.topK=5",
    )
    body = line_of(run)["request"]["generationConfig"]
    assert (body["topP"], body["topK"], body["maxOutputTokens"]) == (0.9, 5, 1500)
    assert body["thinkingConfig"] == {"thinkingLevel": "MINIMAL"}  # the row's own, kept


def line_of(run: Run) -> dict:
    condition, experiment = run.conditions[0], run.settings.experiment
    service = Service(base_url="", key_variable="", key=None, timeout_seconds=1)
    client = run.connection.provider_class(service, experiment.model)
    frame = client.encode(condition, render(experiment, condition, Variant.PLAIN))
    return orjson.loads(frame.before + b"x" + frame.after)


def test_prices_are_given_on_the_command_line_as_the_comments_write_them():
    row = "{new-model*: {input: 1.0, output: 4.0, source: my contract, checked: 2026-11-24}}"
    words = ["provider.model=new-model-7", f"provider.price.per_million={row}"]
    run = run_of("groq", *words)
    assert "my contract" in run.price.source


def test_other_settings_in_braces_keep_what_is_not_said():
    provider = run_of("anthropic", "provider.realtime={concurrency: 3}").settings.config.provider
    assert (provider.realtime.concurrency, provider.realtime.requests_per_minute) == (3, 1000)


@pytest.mark.parametrize("word", ["provider.parmeters={a: 1}", "provider.realtime={speed: 1}"])
def test_a_slip_in_a_name_is_still_one(word):
    with pytest.raises(ConfigError, match="no such key"):
        only([word])


@pytest.mark.parametrize(
    ("provider", "given"),
    [
        ("openai", "{seed: 1}"),
        ("gemini", "{generationConfig: {seed: 1}}"),
        ("openai", "{random_seed: 1}"),
    ],
)
def test_one_seed_for_all_trials_is_said(provider, given):
    (note,) = [
        n
        for n in preflight.warnings(run_of(provider, f"provider.parameters={given}"))
        if "seed" in n
    ]
    assert "every trial" in note
    once = run_of(provider, f"provider.parameters={given}", "trials=1")
    assert not [n for n in preflight.warnings(once) if "seed" in n]


def test_a_number_for_a_key_is_text_as_in_json():
    run = run_of("openai", "provider.parameters={logit_bias: {50256: -100, 007: 1}}")
    assert line_of(run)["body"]["logit_bias"] == {"50256": -100, "007": 1}
    with pytest.raises(ConfigError, match="the key 1_0"):
        only(["provider.parameters={logit_bias: {1_0: 1}}"])


@pytest.mark.parametrize("value", ["9223372036854775808", "nan", "-inf"])
def test_a_number_that_json_cannot_carry_is_refused(value):
    with pytest.raises(ConfigError, match=r"provider\.parameters\.seed: "):
        only([f"provider.parameters.seed={value}"])


def test_a_plan_says_what_a_cache_may_save_and_what_it_may_cost():
    cached = "{cache_control: {type: ephemeral, ttl: 1h}}"
    words = ("anthropic", "provider.model=claude-haiku-4-5", "temperatures=null")
    notes, without = (
        [n for n in preflight.warnings(run_of(*words, *more)) if "cache" in n]
        for more in ((f"provider.parameters={cached}",), ())
    )
    assert without == []
    (note,) = notes
    assert "input cost $0.5, written $1, read from it $0.05;" in note
    assert "the high end takes all as written" in note
