"""docs/models.md: of the newest models that are priced, what the program says of each.

Made anew with `python -m tests.unit.test_models_page`, when the price package or a row has changed.
"""

from importlib.metadata import version
from pathlib import Path

import pytest

from runner.core.cost import Price
from runner.run.run import Run
from tests.unit.composing import composed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
NEWEST = {
    "openai": ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"),
    "anthropic": ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
    "gemini": ("gemini-4-argon", "gemini-3.8-flash", "gemini-3.7-flash"),
    "gemini_api": ("gemini-4-argon", "gemini-3.8-flash", "gemini-3.7-flash"),
    "groq": ("qwen/qwen3.8-27b", "openai/gpt-oss-120b", "openai/gpt-oss-20b"),
    "mistral": ("mistral-large-4", "mistral-medium-3-5", "mistral-small-2603"),
    "xai": ("grok-4.7", "grok-4.6", "grok-4.5"),
    "openrouter": (
        "openai/gpt-6.1-sol",
        "anthropic/claude-haiku-5.5",
        "google/gemini-3.8-flash",
    ),
    "azure": ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"),
    "bedrock": (
        "us.anthropic.claude-opus-5-5",
        "us.anthropic.claude-haiku-5-5",
        "global.amazon.nova-2-lite-v1:0",
    ),
    "together": ("zai-org/GLM-5.3", "moonshotai/Kimi-K3.1-Pro", "Qwen/Qwen3.8-Flash"),
    "moonshot": ("kimi-k3.1-pro", "kimi-k3", "kimi-k2.6"),
    "zai": ("glm-5.3", "glm-5.3-flash", "glm-5.2"),
    "doubleword": ("Qwen/Qwen3.8-27B-FP8", "moonshotai/Kimi-K3.1-Pro", "zai-org/GLM-5.3"),
}
HEAD = f"""\
# The newest models

What `action=plan` takes for granted of the newest models that genai-prices {version("genai-prices")}
(2026-11-29) has a price for, provider by provider. It is made from the files in `conf/provider/`, which name their
sources, and a test compares the two. Prices are US dollars for a million tokens of a short request.

**Temperature**: *honoured*: it does what it says; *with none*: only with `provider.reasoning=none`,
which is then sent; *refused*: it is an error; *ignored*: it is taken and changes nothing. Where it
would measure nothing, a study with temperatures is refused, and `temperatures=null` sends none.

**Reasoning**: what `provider.reasoning` may be; in bold what the model does when nothing is said.

| provider | model | temperature | reasoning | answers by a schema | batch: in, out | one by one: in, out |
|---|---|---|---|---|---|---|
"""
HEAT = {"honoured": "honoured", "rejected": "refused", "ignored": "ignored"}


def price(found: Price | None) -> str:
    if found is None:
        return "unknown"
    return ", ".join(
        f"{usd * 1_000_000:.6f}".rstrip("0").rstrip(".")
        for usd in (found.input_usd, found.output_usd)
    )


def row(provider: str, model: str) -> str:
    (settings,) = composed(
        [f"provider={provider}", f"provider.model='{model}'", "temperatures=null"]
    )
    capability, prices = settings.capability, Run(settings).prices
    heat = HEAT[capability.row.sampling]
    if capability.honoured_with is not None:
        heat = f"with {capability.honoured_with}"
    usual = capability.row.reasoning.default
    levels = ", ".join(f"**{n}**" if n == usual else n for n in capability.row.reasoning.levels)
    schema = "yes" if capability.row.structured_output else "no"
    cells = (provider, f"`{model}`", heat, levels or "cannot be told", schema)
    return "| " + " | ".join((*cells, price(prices.batch), price(prices.realtime))) + " |\n"


def page() -> str:
    return HEAD + "".join(row(name, model) for name, models in NEWEST.items() for model in models)


@pytest.mark.long
def test_the_page_of_models_is_what_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("model", ["gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-6-astra"])
def test_a_model_is_the_same_in_openais_own_service_and_in_azure(model: str) -> None:
    theirs, azures = (
        composed([f"provider={name}", f"provider.model={model}", "temperatures=null"])[0].capability
        for name in ("openai", "azure")
    )
    assert azures.row.sampling == theirs.row.sampling
    assert azures.honoured_with == theirs.honoured_with
    assert azures.row.reasoning == theirs.row.reasoning


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
