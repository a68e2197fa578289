"""What the shipped files say of each model: a temperature, reasoning, its end; and what becomes of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers

from runner.config.settings import Settings
from runner.core import lifetime
from runner.core.errors import ConfigError
from runner.core.expand import checked_conditions
from runner.core.lifetime import DAY, Ending
from runner.core.model import Prompt
from runner.run import preflight
from runner.run.run import Run
from tests.unit.composing import changed
from tests.variants import first

OCT, DEC, JAN = "2026-10-23", "2026-12-11", "2027-01-14"
NO, SOME = "rejected", "honoured"
ALL = "none minimal low medium high"
EFFORTS = "none low medium high"

ROWS = [
    # provider, model, a temperature without a word on reasoning, levels, end
    ("openai", "gpt-4o", SOME, "", JAN),
    ("openai", "gpt-4o-2024-05-13", SOME, "", OCT),
    ("openai", "gpt-4o-2024-08-06", SOME, "", JAN),
    ("openai", "gpt-4o-mini", SOME, "", JAN),
    ("openai", "gpt-4o-mini-2024-07-18", SOME, "", JAN),
    ("openai", "ft:gpt-4o-mini-2024-07-18:org::abc", SOME, "", JAN),
    ("openai", "gpt-4o-mini-search-preview", NO, "", "2026-07-23"),
    ("openai", "gpt-4.1", SOME, "", JAN),
    ("openai", "gpt-4.1-mini-2025-04-14", SOME, "", JAN),
    ("openai", "gpt-4.1-nano", SOME, "", OCT),
    ("openai", "gpt-4", SOME, "", OCT),
    ("openai", "gpt-4-0613", SOME, "", OCT),
    ("openai", "gpt-4-turbo", SOME, "", OCT),
    ("openai", "gpt-3.5-turbo", SOME, "", OCT),
    ("openai", "gpt-3.5-turbo-0125", SOME, "", OCT),
    ("openai", "o1", NO, "low medium high", OCT),
    ("openai", "o1-pro", NO, "low medium high", OCT),
    ("openai", "o3", NO, "low medium high", DEC),
    ("openai", "o3-2025-04-16", NO, "low medium high", DEC),
    ("openai", "o3-mini", NO, "low medium high", OCT),
    ("openai", "o4-mini", NO, "low medium high", OCT),
    ("openai", "gpt-5", NO, "minimal low medium high", DEC),
    ("openai", "gpt-5-2025-08-07", NO, "minimal low medium high", DEC),
    ("openai", "gpt-5-mini", NO, "minimal low medium high", DEC),
    ("openai", "gpt-5-nano-2025-08-07", NO, "minimal low medium high", DEC),
    ("openai", "gpt-5-pro", NO, "high", DEC),
    ("openai", "gpt-5.1", NO, EFFORTS, "2027-04-01"),
    ("openai", "gpt-5.2", NO, EFFORTS, None),
    ("openai", "gpt-5.4-nano", NO, EFFORTS, "2027-04-01"),
    ("openai", "gpt-5.5", NO, EFFORTS, None),
    ("openai", "gpt-5.6-luna", NO, EFFORTS, None),
    ("openai", "gpt-5.6-sol", NO, EFFORTS, None),
    ("openai", "gpt-6-luna", NO, EFFORTS, None),
    ("openai", "gpt-6-luna-2026-09-22", NO, EFFORTS, None),
    ("openai", "gpt-6-sol", NO, EFFORTS, None),
    ("openai", "gpt-6.1-terra", NO, EFFORTS, None),
    ("openai", "gpt-6.1-sol", NO, "low medium high", None),
    ("openai", "gpt-6-astra", NO, "low medium high", None),
    ("groq", "openai/gpt-oss-20b", SOME, "low medium high", None),
    ("groq", "openai/gpt-oss-120b", SOME, "low medium high", None),
    ("groq", "llama-3.3-70b-versatile", SOME, "", "2026-08-16"),
    ("groq", "llama-3.1-8b-instant", SOME, "", "2026-08-16"),
    ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", SOME, "", "2026-07-17"),
    ("groq", "qwen/qwen3-32b", SOME, "none", "2026-08-31"),
    ("gemini", "gemini-2.5-flash", SOME, ALL, "2026-10-16"),
    ("gemini", "gemini-2.5-flash-lite", SOME, ALL, "2026-10-16"),
    ("gemini", "gemini-2.5-pro", SOME, "minimal low medium high", "2026-10-16"),
    ("gemini", "gemini-2.0-flash-001", SOME, "", "2026-06-01"),
    ("gemini", "gemini-3-flash-preview", SOME, "minimal low medium high", None),
    ("gemini", "gemini-3.1-flash-lite", SOME, "minimal low medium high", None),
    ("gemini", "gemini-3.1-pro-preview", SOME, "low medium high", None),
    ("gemini", "gemini-3.5-flash", SOME, "minimal low medium high", None),
    ("gemini", "gemini-3.5-flash-lite", "ignored", "minimal low medium high", None),
    ("gemini", "gemini-3.8-flash", "ignored", "low medium high", None),
    ("gemini", "gemini-4-argon", "ignored", "low medium high", None),
    ("anthropic", "claude-3-haiku-20240307", SOME, "", "2026-04-20"),
    ("anthropic", "claude-3-5-haiku-20241022", SOME, "", "2026-02-19"),
    ("anthropic", "claude-3-7-sonnet-latest", SOME, ALL, "2026-02-19"),
    ("anthropic", "claude-opus-4-20250514", SOME, ALL, "2026-06-15"),
    ("anthropic", "claude-sonnet-4-0", SOME, ALL, "2026-06-15"),
    ("anthropic", "claude-opus-4-1-20250805", SOME, ALL, "2026-08-05"),
    ("anthropic", "claude-haiku-4-5", SOME, ALL, None),
    ("anthropic", "claude-haiku-4-5-20251001", SOME, ALL, None),
    ("anthropic", "claude-sonnet-4-6", SOME, EFFORTS, None),
    ("anthropic", "claude-opus-4-7", NO, EFFORTS, None),
    ("anthropic", "claude-haiku-5-5", NO, EFFORTS, None),
    ("anthropic", "claude-opus-5", NO, EFFORTS, None),
    ("anthropic", "claude-opus-5-5", NO, "low medium high", None),
    ("anthropic", "claude-sonnet-5", NO, "low medium high", None),
    ("mistral", "mistral-large-4", SOME, "low medium high", None),
    ("mistral", "mistral-large-4-0", SOME, "low medium high", None),
    ("mistral", "mistral-medium-3-5", SOME, "none high", None),
    ("mistral", "mistral-medium-3.5", SOME, "none high", None),
    ("mistral", "mistral-small-2603", SOME, "none high", None),
    ("mistral", "mistral-large-2512", SOME, "", None),
    ("mistral", "ministral-8b-2512", SOME, "", None),
    ("xai", "grok-4.20-0309-non-reasoning", SOME, "", None),
    ("xai", "grok-4.20-0309-reasoning", SOME, "", None),
    ("xai", "grok-4.3", SOME, EFFORTS, None),
    ("xai", "grok-4.5", SOME, "low medium high", None),
    ("xai", "grok-4.7", SOME, "low medium high", None),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", SOME, "", None),
    ("together", "openai/gpt-oss-120b", SOME, "low medium high", None),
    ("together", "zai-org/GLM-5.3", SOME, "none high", None),
    ("together", "deepseek-ai/DeepSeek-V4.1-Flash", SOME, "none high", None),
    ("together", "moonshotai/Kimi-K3.1-Pro", SOME, "none high", None),
    ("together", "MiniMaxAI/MiniMax-M3.1-Flash", SOME, "", None),
    ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", SOME, ALL, None),
    ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", SOME, "", None),
    ("bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", SOME, ALL, None),
    ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", SOME, ALL, None),
    ("bedrock", "global.anthropic.claude-sonnet-4-6-v1:0", SOME, EFFORTS, None),
    ("bedrock", "global.anthropic.claude-opus-4-7-v1:0", NO, EFFORTS, None),
    ("bedrock", "eu.anthropic.claude-haiku-5-5", NO, EFFORTS, None),
    ("bedrock", "us.anthropic.claude-opus-5-5", NO, "low medium high", None),
    ("bedrock", "global.anthropic.claude-fable-5-2", NO, "low medium high", None),
    ("bedrock", "us.amazon.nova-pro-v1:0", SOME, "", None),
    ("bedrock", "us.meta.llama3-3-70b-instruct-v1:0", SOME, "", None),
    ("vllm", "Qwen/Qwen3-8B", SOME, "none high", None),
    ("vllm", "/models/gpt-oss-20b", SOME, "low medium high", None),
    ("vllm", "mistralai/Mistral-7B-Instruct-v0.3", SOME, "", None),
    ("compatible", "llama3.1:8b", SOME, ALL, None),
]


def asked(provider: str, model: str | None = None, *more: str) -> Settings:
    named = () if model is None else (f"provider.model='{model}'",)
    return changed(f"provider={provider}", *named, *more)


def at(day: str, days: float = 0.0) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + days * DAY


def line(settings: Settings) -> Any:
    """What stands around the custom_id of the first request."""
    run = Run(settings)
    condition = checked_conditions(settings.experiment, 0)[0]
    frame = run.connection.offline().encode(condition, Prompt(system="s", user="u"))
    return (frame.before + frame.after).decode()


@pytest.mark.parametrize(("provider", "model", "heat", "levels", "end"), first(15, ROWS))
def test_the_shipped_rows_say_of_each_model_what_its_provider_says(
    provider: str, model: str, heat: str, levels: str, end: str | None
) -> None:
    settings = asked(provider, model, "temperatures=null")
    capability = settings.capability
    assert settings.listed
    assert settings.experiment.model.sampling == heat
    assert " ".join(capability.row.reasoning.levels) == levels
    assert (capability.ending.day if capability.ending else None) == end


DEFAULTS = ["openai", "groq", "gemini", "anthropic", "mistral"]


@pytest.mark.parametrize("provider", DEFAULTS)
def test_a_default_has_a_price_honours_a_temperature_and_stays(provider: str) -> None:
    settings = asked(provider)
    assert settings.experiment.model.sampling == "honoured"
    assert settings.capability.ending is None
    source = settings.config.provider.price.source
    known = {m.id: m for p in providers if p.id == source for m in p.models}
    variants = known[settings.experiment.model.name].price_variants or []
    assert any(variant.when == {"processing": "batch"} for variant in variants)


def test_the_bundled_rehearsal_is_what_it_was() -> None:
    settings = changed()
    assert settings.folder == Path("outputs/literary/emulator_gpt-4o-mini")
    assert preflight.warnings(Run(settings, now=lambda: at("2030-01-01"))) == ()
    assert settings.experiment.model.parameters == {}


# -- The end


def test_on_the_day_nothing_is_sent_and_before_it_everything(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    settings = asked("openai", "gpt-4o-mini", "trials=1")
    assert preflight.ready(Run(settings, now=lambda: at(JAN, -1 / DAY)), sending=True) is not None
    gone = Run(settings, now=lambda: at(JAN))
    with pytest.raises(ConfigError) as caught:
        preflight.ready(gone, sending=True)
    message = str(caught.value)
    assert "\n" not in message
    for word in (JAN, "openai.yaml", "provider.model=gpt-6-luna", "nothing was sent", "collect"):
        assert word in message
    assert preflight.ready(gone, sending=False) is None  # what is there can be collected


def test_a_run_is_refused_before_its_folder_is_made(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "test-key")
    settings = asked("groq", "llama-3.3-70b-versatile", f"outputs={tmp_path / 'o'}")
    with pytest.raises(ConfigError, match="ended on 2026-08-16"):
        preflight.check_before_sending(Run(settings))
    assert list(tmp_path.iterdir()) == []


def test_the_way_out_that_the_refusal_names_works(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with pytest.raises(ConfigError) as caught:
        preflight.ready(Run(asked("openai", "gpt-4-turbo")), sending=True)
    word = str(caught.value).rpartition("say so with '")[2].removesuffix("'")
    assert preflight.ready(Run(asked("openai", "gpt-4-turbo", word)), sending=True) is not None


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-90, None),
        (-60, None),
        (-59.5, "59 days left"),
        (-1.5, "1 day left"),
        (-0.5, "today is its last day"),
        (0, "a run is refused"),
        (400, "a run is refused"),
    ],
)
def test_sixty_days_before_the_plan_says_so(days: float, said: str | None) -> None:
    notes = preflight.warnings(Run(asked("openai", "gpt-4o-mini"), now=lambda: at(JAN, days)))
    found = [note for note in notes if JAN in note]
    assert [said in note and "gpt-6-luna is named" in note for note in found] == [True] * (
        said is not None
    )


def test_a_rehearsal_of_a_model_that_is_gone_is_allowed_and_says_so() -> None:
    settings = asked("groq", "llama-3.1-8b-instant", "service=emulated")
    run = Run(settings)
    (note,) = [note for note in preflight.warnings(run) if "ended on 2026-08-16" in note]
    assert "a rehearsal is still possible" in note
    assert preflight.ready(run, sending=True) is not None


def test_an_end_without_a_successor_names_none() -> None:
    ending = Ending(day="2026-07-23", at=at("2026-07-23"), source="somewhere")
    assert "another provider.model" in lifetime.refusal("m", ending, "f.yaml")
    note = lifetime.note("m", ending, at("2026-08-01"), emulated=False)
    assert note == "m ended on 2026-07-23 (somewhere): a run is refused"


# -- A temperature that is honoured with one level of reasoning only

ONLY_WITHOUT = ["gpt-6-luna", "gpt-6-sol", "gpt-5.6-terra", "gpt-6.1-terra"]


@pytest.mark.parametrize("model", ONLY_WITHOUT)
def test_a_temperature_goes_with_the_level_that_honours_it(model: str) -> None:
    for more in ((), ("provider.reasoning=none",)):
        settings = asked("openai", model, *more)
        body = line(settings)
        assert '"temperature":0.' in body
        assert '"reasoning_effort":"none"' in body
    said = "honoured by " + model + " only with provider.reasoning=none"
    assert any(said in note for note in preflight.warnings(Run(asked("openai", model))))


@pytest.mark.parametrize("model", first(1, ONLY_WITHOUT))
def test_with_another_level_a_temperature_is_refused_and_the_way_named(model: str) -> None:
    for more in ("provider.reasoning=low", "+provider.parameters.reasoning_effort=low"):
        with pytest.raises(ConfigError, match=r"honoured only with provider\.reasoning=none"):
            asked("openai", model, more)
        sent = line(asked("openai", model, more, "temperatures=null"))
        assert '"reasoning_effort":"low"' in sent
        assert "temperature" not in sent


def test_where_nothing_is_said_nothing_is_sent() -> None:
    sent = line(asked("openai", "gpt-6-luna", "temperatures=null"))
    assert "reasoning_effort" not in sent
    assert asked("openai", "gpt-6-luna", "temperatures=null").experiment.model.parameters == {}


def test_claude_thinks_or_has_a_temperature() -> None:
    assert "thinking" not in line(asked("anthropic"))
    assert "thinking" not in line(asked("anthropic", None, "provider.reasoning=none"))
    with pytest.raises(ConfigError, match=r"honoured only with provider\.reasoning=none"):
        asked("anthropic", None, "provider.reasoning=minimal")


# -- One word for every provider

SENT = [
    ("openai", "gpt-5-mini", "minimal", '"reasoning_effort":"minimal"'),
    ("openai", "o3", "high", '"reasoning_effort":"high"'),
    ("groq", "openai/gpt-oss-120b", "low", '"reasoning_effort":"low"'),
    ("groq", "qwen/qwen3-32b", "none", '"reasoning_effort":"none"'),
    (
        "anthropic",
        "claude-haiku-4-5",
        "minimal",
        '"thinking":{"type":"enabled","budget_tokens":1024}',
    ),
    ("anthropic", "claude-sonnet-4-6", "low", '"thinking":{"type":"adaptive"}'),
    ("anthropic", "claude-sonnet-4-6", "low", '"output_config":{"effort":"low"}'),
    ("anthropic", "claude-haiku-5-5", "none", '"thinking":{"type":"disabled"}'),
    ("gemini", "gemini-2.5-flash", "none", '"thinkingConfig":{"thinkingBudget":0}'),
    ("gemini", "gemini-2.5-flash", "low", '"thinkingConfig":{"thinkingBudget":1024}'),
    ("gemini", "gemini-3.1-flash-lite", "high", '"thinkingConfig":{"thinkingLevel":"HIGH"}'),
    ("gemini", "gemini-4-argon", "low", '"thinkingConfig":{"thinkingLevel":"LOW"}'),
    ("compatible", "some-model", "low", '"reasoning_effort":"low"'),
    ("vllm", "openai/gpt-oss-20b", "medium", '"reasoning_effort":"medium"'),
    ("vllm", "Qwen/Qwen3-8B", "none", '"chat_template_kwargs":{"enable_thinking":false}'),
]


@pytest.mark.parametrize(("provider", "model", "level", "sent"), first(5, SENT))
def test_each_dialect_has_its_own_words_for_it(
    provider: str, model: str, level: str, sent: str
) -> None:
    settings = asked(
        provider, model, f"provider.reasoning={level}", "temperatures=null", "question.answer=text"
    )
    assert sent in line(settings)
    definition = Run(settings).definition["model"]["parameters"]
    plain = Run(asked(provider, model, "temperatures=null")).definition["model"]["parameters"]
    assert definition != plain or level == "none"


def test_a_schema_and_an_effort_stand_side_by_side() -> None:
    settings = asked(
        *("anthropic", "claude-sonnet-4-6", "provider.reasoning=low", "temperatures=null"),
        "question.answer=json",
    )
    config = settings.experiment.model.parameters["output_config"]
    assert set(config) == {"effort", "format"}


WRONG = [
    (("openai", "gpt-6-luna", "provider.reasoning=minimal"), ["none, low, medium, high, null"]),
    (("openai", "gpt-4o-mini", "provider.reasoning=low"), ["allowed: null", "openai.yaml"]),
    (("openai", "gpt-9", "provider.reasoning=low"), ["allowed: null", "openai.yaml"]),
    (("groq", "openai/gpt-oss-20b", "provider.reasoning=none"), ["allowed: low, medium, high"]),
    (("gemini", "gemini-2.5-pro", "provider.reasoning=none"), ["allowed: minimal, low"]),
    (("gemini", "gemini-3.1-flash-lite", "provider.reasoning=lots"), ["lots", "minimal"]),
    (("vllm", "mistralai/x", "provider.reasoning=low"), ["allowed: null", "vllm.yaml"]),
    (("kluster", None, "provider.reasoning=low"), ["allowed: null", "kluster.yaml"]),
    (
        ("anthropic", None, "provider.reasoning=high", "temperatures=null"),
        ["16,384", "provider.max_output_tokens=1500"],
    ),
    (
        (
            *("openai", "gpt-5-mini", "provider.reasoning=low", "temperatures=null"),
            "+provider.parameters.reasoning_effort=high",
        ),
        ["provider.parameters", "leave one of them out"],
    ),
    (
        (
            *("gemini", None, "provider.reasoning=low"),
            "+provider.parameters.generationConfig.thinkingConfig.thinkingBudget=1",
        ),
        ["leave one of them out"],
    ),
    (
        ("openai", "m", 'provider.models=[{match: m, ends: {date: "23.10.2026", source: me}}]'),
        ["ends.date", "2026-10-23"],
    ),
    (
        ("openai", "m", "provider.models=[{match: m, reasoning: {levels: [much]}}]"),
        ["'much'", "minimal"],
    ),
    (
        ("openai", "m", "provider.models=[{match: m, reasoning: {how: budget, levels: [low]}}]"),
        ["'budget'", "effort, template"],
    ),
    (
        ("openai", "m", "provider.models=[{match: m, honoured_when: {reasoning: none}}]"),
        ["honoured_when", "levels"],
    ),
]


@pytest.mark.parametrize(("words", "said"), first(4, WRONG))
def test_what_cannot_be_asked_is_one_line_that_names_what_can(words: Any, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(*words)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in said if word not in message] == []


MINIMAL = "+provider.parameters.reasoning_effort=minimal"


@pytest.mark.parametrize(
    ("words", "noted"),
    [
        (("groq", None), True),
        (("groq", None, "provider.max_output_tokens=5000"), False),
        (("groq", None, "provider.reasoning=low"), False),
        (("groq", None, "provider.reasoning=high"), True),
        (("openai", "gpt-5-mini", "temperatures=null"), True),
        (("openai", "gpt-5-mini", "temperatures=null", MINIMAL), False),
        (("openai", None), False),
        (("openai", None, "temperatures=null"), True),
        (("gemini", None), False),
        (("anthropic", None), False),
        (("anthropic", "claude-opus-5-5", "temperatures=null"), True),
    ],
)
def test_the_plan_says_where_reasoning_may_cut_the_answer_off(words: Any, noted: bool) -> None:
    notes = preflight.warnings(Run(asked(*words), now=lambda: 0.0))
    assert any("may be cut off" in note for note in notes) is noted


@pytest.mark.parametrize(
    ("words", "is_said"),
    [
        (("mistral", None), True),
        (("mistral", None, "service=emulated"), False),
        (("mistral", None, "provider.mode=realtime"), False),
        (("anthropic", None), False),
    ],
)
def test_a_plan_says_where_results_are_kept_for_a_day_only(words: Any, is_said: bool) -> None:
    notes = preflight.warnings(Run(asked(*words)))
    said = [note for note in notes if note.startswith("mistral keeps results for 24 hours")]
    assert len(said) == is_said
