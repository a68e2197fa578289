"""Money: exact, and unknown where it is unknown."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.cost import Estimate, Price, estimate, estimate_tokens
from runner.core.model import Usage

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
    assert estimate(None, 1000, 10, 450, 1500) == Estimate(low=None, high=None)


def test_the_high_end_is_what_every_request_may_cost():
    found = estimate(PRICE, 1_000_000, 100, 450, 1500)
    assert found.high == PRICE.of(Usage(input_tokens=1_000_000, output_tokens=150_000))


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 1500))
def test_the_low_end_is_never_above_the_high_end(tokens, requests, expected):
    found = estimate(PRICE, tokens, requests, expected, 1500)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.high


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 8), ("abc", 9), ("abcd", 10), ("懐中時計", 12), ("懐中時計abc", 13), ("😀", 9)],
)
def test_tokens_are_guessed_high_one_a_japanese_character(text, expected):
    assert estimate_tokens(text) == expected


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one, other):
    assert estimate_tokens(one) <= estimate_tokens(one + other)
