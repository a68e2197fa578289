"""What a token costs, and who says so."""

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import calc_price

from runner.config.prices import MILLION, prices_of
from runner.config.schema import PriceConfig, TokenPriceConfig
from runner.core.model import Usage
from tests.unit.composing import composed

ROW = TokenPriceConfig(input=0.5, output=2.0, source="the price page", checked="2026-11-24")


def test_a_batch_costs_less_than_asking_one_by_one():
    found = prices_of("gpt-4o-mini", PriceConfig(source="openai", batch_discount=0.5))
    assert found.batch.input_usd * 2 == found.realtime.input_usd
    assert found.batch.output_usd * 2 == found.realtime.output_usd > 0
    assert "batch prices" in found.batch.source
    assert "batch" not in found.realtime.source
    assert found.batch.notes == found.realtime.notes == ()


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


NOW = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
LENGTHS = (1_000, 100_000, 100_001, 200_000, 200_001, 272_000, 272_001, 900_000)


@pytest.mark.parametrize("realtime", [False, True])
@pytest.mark.parametrize(
    ("source", "model"),
    [
        ("anthropic", "claude-haiku-5-5"),
        ("openai", "gpt-6-sol"),
        ("openai", "gpt-5.4"),
        ("openai", "gpt-4o-mini"),
        ("google", "gemini-2.5-pro"),
        ("x-ai", "grok-4.3"),
        ("groq", "openai/gpt-oss-120b"),
    ],
)
def test_a_price_is_what_the_package_says_at_every_length(source, model, realtime):
    price = prices_of(model, PriceConfig(source=source, batch_discount=0.5), now=NOW)
    context = {} if realtime else {"processing": "batch"}
    for tokens in LENGTHS:
        usage = Usage(input_tokens=tokens, output_tokens=700, cache_read_tokens=tokens // 2)
        wanted = calc_price(
            genai_prices.Usage(**{name: n for name, n in asdict(usage).items() if n}),
            model_ref=model,
            provider_id=source,
            genai_request_timestamp=datetime.fromtimestamp(NOW, UTC),
            price_context=context,
        )
        assert price.at(realtime=realtime).of(usage) == wanted.total_price


def test_a_price_for_a_batch_need_not_be_half():
    found = prices_of("grok-4.3", PriceConfig(source="x-ai", batch_discount=0.5), now=NOW)
    assert found.batch.input_usd / found.realtime.input_usd == Decimal("0.8")


def test_without_a_batch_price_the_flat_discount_is_assumed_and_said():
    found = prices_of("grok-4.7", PriceConfig(source="x-ai", batch_discount=0.5), now=NOW)
    assert found.batch.input_usd * 2 == found.realtime.input_usd
    assert [tier.output_usd * 2 for tier in found.batch.tiers] == [
        tier.output_usd for tier in found.realtime.tiers
    ]
    assert found.batch.cache_read_usd == found.realtime.cache_read_usd
    assert "no batch price known for grok-4.7: it may not be offered in batch" in found.batch.notes
    assert "less 50% for batch" in found.batch.source
    assert found.realtime.notes == ()


@pytest.mark.parametrize("source", ["aws", "zai"])
def test_where_no_batch_price_of_a_service_is_known_nothing_is_said_of_one_model(source):
    model = {"aws": "amazon.nova-lite-v1:0", "zai": "GLM-5.3"}[source]
    found = prices_of(model, PriceConfig(source=source, batch_discount=0.5), now=NOW)
    assert not [note for note in found.batch.notes if "batch" in note]
    assert "less 50% for batch" in found.batch.source


def test_a_price_that_ends_names_the_day_and_what_comes_then():
    found = prices_of("gemini-4-argon", PriceConfig(source="google"), now=NOW)
    (note,) = found.batch.notes
    assert "ends on 2026-12-01" in note
    assert "$2 and $10" in note
    later = datetime(2026, 12, 2, tzinfo=UTC).timestamp()
    after = prices_of("gemini-4-argon", PriceConfig(source="google"), now=later)
    assert after.batch.input_usd == 2 * found.batch.input_usd
    assert after.batch.notes == ()


@pytest.mark.parametrize("hour", [0, 5, 12, 20])
def test_a_price_that_depends_on_the_hour_is_the_dearest(hour):
    at = datetime(2026, 11, 28, hour, tzinfo=UTC).timestamp()
    found = prices_of("deepseek-v4-pro", PriceConfig(source="deepseek"), now=at).realtime
    of_the_day = [
        calc_price(
            genai_prices.Usage(output_tokens=MILLION),
            model_ref="deepseek-v4-pro",
            provider_id="deepseek",
            genai_request_timestamp=datetime(2026, 11, 28, one, 30, tzinfo=UTC),
        ).total_price
        for one in range(24)
    ]
    assert found.output_usd * MILLION == max(of_the_day)


def test_what_a_service_may_write_into_its_cache_unasked_is_in_the_most():
    openai = prices_of("gpt-6-sol", PriceConfig(source="openai"), now=NOW).batch
    assert openai.highest(1_000, 0) == 1_000 * openai.cache_write_usd > 1_000 * openai.input_usd
    source = PriceConfig(source="anthropic")
    unasked = prices_of("claude-haiku-4-5", source, now=NOW).batch
    assert unasked.highest(1_000, 0) == 1_000 * unasked.input_usd
    asked = prices_of("claude-haiku-4-5", source, caches=True, now=NOW).batch
    assert asked.highest(1_000, 0) == 1_000 * asked.cache_write_1h_usd


@pytest.mark.parametrize(
    "name", ["openai", "anthropic", "groq", "gemini", "mistral", "xai", "together", "bedrock"]
)
def test_the_default_model_of_every_provider_has_a_price_with_a_date(name):
    provider = composed([f"provider={name}"])[0].config.provider
    found = prices_of(provider.model, provider.price).batch
    assert found.input_usd > 0
    assert provider.price.checked.startswith("2026-")


@pytest.mark.parametrize("name", ["anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5:batch"])
def test_a_gateways_model_for_batches_has_its_own_price(name):
    found = prices_of(name, PriceConfig(source="openrouter", batch_discount=0.1), now=NOW)
    assert found.batch.input_usd * 2 == found.realtime.input_usd > 0
    assert "batch prices" in found.batch.source
    assert "batch" not in found.realtime.source
    assert found.batch.notes == ()


def test_a_tier_has_its_own_price_where_one_is_known():
    config = PriceConfig(source="openai", batch_discount=0.5)
    usual = prices_of("gpt-6-luna", config, now=NOW)
    flex = prices_of("gpt-6-luna", config, tier="flex", now=NOW)
    assert flex.realtime.output_usd * 2 == usual.realtime.output_usd
    assert "flex prices" in flex.realtime.source
    assert flex.batch == usual.batch


def test_a_tier_without_a_price_is_counted_at_the_usual_one_and_says_so():
    config = PriceConfig(source="openai", batch_discount=0.5)
    usual = prices_of("gpt-3.5-turbo-0125", config, now=NOW)
    flex = prices_of("gpt-3.5-turbo-0125", config, tier="flex", now=NOW)
    assert flex.realtime.output_usd == usual.realtime.output_usd
    assert flex.realtime.notes[0] == (
        "no flex price known for gpt-3.5-turbo: counted at the usual price"
    )
    assert flex.batch == usual.batch
