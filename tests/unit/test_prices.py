"""What a token costs, and who says so."""

from decimal import Decimal

import pytest

from runner.compose import compose
from runner.prices import prices_of
from runner.schema import PriceConfig, TokenPriceConfig

ROW = TokenPriceConfig(input=0.5, output=2.0, source="the price page", checked="2026-11-24")


def test_a_batch_costs_less_than_asking_one_by_one():
    found = prices_of("gpt-4o-mini", PriceConfig(source="openai", batch_discount=0.5))
    assert found.batch.input_usd * 2 == found.realtime.input_usd
    assert found.batch.output_usd * 2 == found.realtime.output_usd > 0
    assert "50%" in found.batch.source
    assert "50%" not in found.realtime.source


def test_a_row_of_the_providers_file_says_its_source_and_date():
    config = PriceConfig(batch_discount=0.25, per_million={"llama-*": ROW})
    found = prices_of("llama-3", config)
    assert (found.batch.input_usd, found.batch.output_usd) == (
        Decimal("0.375") / 1_000_000,
        Decimal("1.5") / 1_000_000,
    )
    assert "the price page, 2026-11-24" in found.batch.source
    assert found.at(realtime=True) is found.realtime


@pytest.mark.parametrize(
    "config",
    [
        PriceConfig(),
        PriceConfig(source="openai"),
        PriceConfig(source="nobody"),
        PriceConfig(per_million={"other-*": ROW}),
    ],
)
def test_a_price_that_nobody_knows_is_unknown_and_never_zero(config):
    found = prices_of("no-such-model-anywhere", config)
    assert (found.batch, found.realtime) == (None, None)


@pytest.mark.parametrize("name", ["openai", "anthropic", "groq", "gemini"])
def test_the_default_model_of_every_provider_has_a_price_with_a_date(name):
    provider = compose([f"provider={name}"])[0].config.provider
    found = prices_of(provider.model, provider.price).batch
    assert found.input_usd > 0
    assert provider.price.checked.startswith("2026-")
