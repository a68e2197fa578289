"""Money: exact, and unknown where it is unknown."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.cost import (
    Estimate,
    Price,
    Tier,
    Weight,
    counted,
    dollars,
    estimate,
    estimate_tokens,
)
from runner.core.model import Reply, ReplyKind, Usage

PRICE = Price(
    input_usd=Decimal("0.000000075"), output_usd=Decimal("0.0000003"), source="a list, today"
)


def test_usage_costs_exactly_what_the_tokens_cost():
    usage = Usage(input_tokens=1_000_001, output_tokens=3)
    assert PRICE.of(usage) == Decimal("0.075000975")


def test_usage_adds_up():
    total = sum([Usage(input_tokens=1, output_tokens=2)] * 3, Usage())
    assert total == Usage(input_tokens=3, output_tokens=6)


def test_an_unknown_price_stays_unknown():
    assert estimate(None, [(Weight(100, 1500), 10)], 450) == Estimate(low=None, high=None)


def test_the_high_end_is_what_every_request_may_cost():
    found = estimate(PRICE, [(Weight(10_000, 1500), 99), (Weight(20_000, 1500), 1)], 450)
    assert found.high == PRICE.of(Usage(input_tokens=1_010_000, output_tokens=150_000))


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))),
    st.integers(0, 3000),
    st.integers(1, 1500),
)
def test_the_low_end_is_never_above_the_high_end(sizes, expected, most):
    found = estimate(TIERED, [(Weight(n, most), count) for n, count in sizes], expected)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.high


TIERED = replace(
    PRICE,
    cache_read_usd=Decimal("0.0000000075"),
    cache_write_usd=Decimal("0.0000001"),
    cache_write_1h_usd=Decimal("0.00000015"),
    tiers=(
        Tier(above=200_000, input_usd=Decimal("0.00000015"), output_usd=Decimal("0.00000045")),
        Tier(above=500_000, input_usd=Decimal("0.0000003"), output_usd=Decimal("0.0000009")),
    ),
)


@pytest.mark.parametrize(
    ("tokens", "input_usd", "output_usd"),
    [
        (200_000, PRICE.input_usd, PRICE.output_usd),
        (200_001, TIERED.tiers[0].input_usd, TIERED.tiers[0].output_usd),
        (500_000, TIERED.tiers[0].input_usd, TIERED.tiers[0].output_usd),
        (500_001, TIERED.tiers[1].input_usd, TIERED.tiers[1].output_usd),
    ],
)
def test_a_long_request_costs_its_tier_for_every_token(tokens, input_usd, output_usd):
    found = TIERED.of(Usage(input_tokens=tokens, output_tokens=10))
    assert found == tokens * input_usd + 10 * output_usd


def test_what_a_cache_had_and_took_has_prices_of_its_own():
    usage = Usage(
        input_tokens=100,
        output_tokens=1,
        cache_read_tokens=50,
        cache_write_tokens=20,
        cache_write_1h_tokens=10,
    )
    assert TIERED.of(usage) == (
        20 * TIERED.input_usd
        + 50 * TIERED.cache_read_usd
        + 20 * TIERED.cache_write_usd
        + 10 * TIERED.cache_write_1h_usd
        + TIERED.output_usd
    )
    assert PRICE.of(usage) == 100 * PRICE.input_usd + PRICE.output_usd


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**4))
def test_more_tokens_never_cost_less_and_never_more_than_the_most(tokens, more, output, longer):
    cost = TIERED.of(Usage(input_tokens=tokens, output_tokens=output))
    assert cost <= TIERED.of(Usage(input_tokens=tokens + more, output_tokens=output + longer))
    assert cost <= TIERED.highest(tokens + more, output + longer)


def test_a_tier_that_is_cheaper_does_not_make_the_most_cheaper():
    cheap = Tier(above=100, input_usd=Decimal(0), output_usd=Decimal(0))
    assert replace(PRICE, tiers=(cheap,)).highest(101, 0) == 101 * PRICE.input_usd
    dear = replace(cheap, above=50, input_usd=PRICE.input_usd * 2)
    assert replace(PRICE, tiers=(dear, cheap)).highest(101, 0) == 202 * PRICE.input_usd


def test_the_most_counts_what_a_cache_may_take_for_each_token_of_input():
    cached = replace(PRICE, most_input_usd=PRICE.input_usd * 2)
    assert cached.highest(10, 0) == 20 * PRICE.input_usd
    assert replace(PRICE, most_input_usd=PRICE.input_usd / 2).highest(10, 0) == PRICE.highest(10, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 8), ("abc", 9), ("abcd", 10), ("懐中時計", 12), ("懐中時計abc", 13), ("😀", 9)],
)
def test_tokens_are_guessed_high_one_a_japanese_character(text, expected):
    assert estimate_tokens(text) == expected


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one, other):
    assert estimate_tokens(one) <= estimate_tokens(one + other)


def test_the_low_end_takes_fewer_tokens_than_were_guessed_and_the_usual_answer():
    found = estimate(PRICE, [(Weight(10_000, 1500), 3)], 450)
    assert found.low == 3 * PRICE.of(Usage(input_tokens=7_000, output_tokens=450))


@pytest.mark.parametrize(
    ("text", "usage", "known"),
    [
        ("x", Usage(input_tokens=9, output_tokens=2), True),
        ("x", Usage(input_tokens=0, output_tokens=2), False),
        ("x", Usage(input_tokens=9, output_tokens=0), False),
        ("", Usage(input_tokens=9, output_tokens=0), True),
        ("x", None, False),
    ],
)
def test_tokens_that_nobody_counted_are_not_taken_for_none(text, usage, known):
    reply = Reply(custom_id="p1_t1_n01", kind=ReplyKind.ANSWER, text=text, usage=usage)
    assert counted(reply) == (usage if known else None)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.0000"),
        (Decimal("0.00001"), "<$0.0001"),
        (0.0001, "$0.0001"),
        (Decimal("1234.5"), "$1,234.5000"),
    ],
)
def test_only_what_costs_nothing_is_0(amount, shown):
    assert dollars(amount) == shown
