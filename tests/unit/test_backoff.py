"""Waiting: doubled, capped, jittered, and never shorter than the provider asks for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.backoff import after_refusal, backoff

SECONDS = st.floats(0.05, 1000)


@pytest.mark.parametrize(
    ("tries", "expected"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (10**9, 60)]
)
def test_the_wait_doubles_up_to_the_cap(tries, expected):
    assert backoff(tries, 5, 60, 0) == expected


@given(st.integers(0, 10**6), SECONDS, SECONDS, st.floats(0, 1))
def test_jitter_takes_off_a_quarter_at_most(tries, first, longest, jitter):
    whole = backoff(tries, first, longest, 0)
    assert whole * 0.75 <= backoff(tries, first, longest, jitter) <= whole <= longest


@given(st.integers(0, 60), SECONDS, SECONDS)
def test_the_wait_never_gets_shorter_with_more_tries(tries, first, longest):
    assert backoff(tries, first, longest, 0) <= backoff(tries + 1, first, longest, 0)


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        (None, 10),
        (30.0, 30),
        (3.0, 10),
        (0.0, 10),
        (1e9, 900),
        (math.inf, 900),
        (-1.0, 10),
        (math.nan, 10),
    ],
)
def test_after_a_refusal_the_longer_wait_counts_up_to_the_cap(asked_for, expected):
    assert after_refusal(asked_for, 10, 900) == expected
