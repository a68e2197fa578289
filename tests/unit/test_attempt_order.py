"""Which attempt counts: the rule in words, and three ways of following it that have to agree."""

from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.attempt_order import OTHERS, STARTS, order_of, place_of
from runner.core.custom_id import custom_id
from runner.core.model import Enhance, Stem
from runner.core.request_rows import Trials
from runner.core.request_states import RequestStates, RetryPolicy
from runner.core.states import Outcome
from runner.tables.join import _Index
from tui.answers import _with_attempts

OUTCOMES = [outcome.value for outcome in Outcome if outcome is not Outcome.OPEN]
REQUESTS = 4
Attempt = tuple[int, str]
"""Whose it is, and how it ended."""

batches = st.lists(
    st.dictionaries(st.integers(0, REQUESTS - 1), st.sampled_from(OUTCOMES), max_size=REQUESTS),
    max_size=6,
)
"""In one batch a request has at most one attempt."""


def in_words(outcomes: list[str]) -> int | None:
    """The first valid one; without one the last that was answered, else the last of all."""
    if "valid" in outcomes:
        return outcomes.index("valid")
    answered = [n for n, outcome in enumerate(outcomes) if outcome == "invalid"]
    return max(answered or range(len(outcomes)), default=None)


def that_counts(attempts: list[Attempt], request: int) -> int | None:
    """The place of the attempt that counts, by the rule in words."""
    places = [place for place, (whose, _) in enumerate(attempts) if whose == request]
    found = in_words([attempts[place][1] for place in places])
    return None if found is None else places[found]


def by_number(attempts: list[Attempt], request: int) -> int | None:
    numbers = [
        order_of(STARTS.get(outcome, OTHERS), place)
        for place, (whose, outcome) in enumerate(attempts)
        if whose == request
    ]
    return place_of(min(numbers)) if numbers else None


def in_the_tables(sent: list[dict[int, str]]) -> list[int]:
    names = [custom_id(Stem("p1_t1"), n + 1) for n in range(REQUESTS)]
    trials = Trials(REQUESTS, *(bytearray(REQUESTS) for _ in range(3)))
    policy = RetryPolicy(max_attempts=3, max_lost=3, enhance=Enhance.NEVER)
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.parquet" for n in range(len(sent))]
        for path, batch in zip(paths, sent, strict=True):
            pl.DataFrame(
                {"custom_id": [names[n] for n in batch], "outcome": [*batch.values()]},
                schema={"custom_id": pl.String, "outcome": pl.String},
            ).write_parquet(path)
        starts = [0, *accumulate(map(len, sent))]
        parts = SimpleNamespace(paths=paths, starts=starts)
        return _Index(parts, RequestStates(policy, {Stem("p1_t1"): trials})).best.tolist()


def on_the_screen(attempts: list[Attempt], kind: type[pl.DataType]) -> list[int | None]:
    frame = pl.DataFrame(
        {"custom_id": [str(n) for n, _ in attempts], "outcome": [o for _, o in attempts]},
        schema={"custom_id": pl.String, "outcome": kind},
    )
    table = pl.DataFrame({"custom_id": [str(n) for n in range(REQUESTS)]})
    return _with_attempts(table, frame)["at"].to_list()


@settings(max_examples=50, deadline=None)
@given(batches)
def test_tables_and_dashboard_show_the_attempt_that_the_rule_names(sent):
    attempts = [(request, outcome) for batch in sent for request, outcome in batch.items()]
    expected = [that_counts(attempts, request) for request in range(REQUESTS)]
    assert [by_number(attempts, request) for request in range(REQUESTS)] == expected
    assert in_the_tables(sent) == [-1 if place is None else place for place in expected]
    assert on_the_screen(attempts, pl.Categorical) == expected


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        (["valid", "valid"], 0),
        (["invalid", "valid", "errored"], 1),
        (["invalid", "invalid", "expired"], 1),
        (["errored", "refused"], 1),
        (["expired"], 0),
    ],
)
def test_the_rule_by_example(outcomes, counts):
    assert in_words(outcomes) == counts
    assert by_number([(0, outcome) for outcome in outcomes], 0) == counts


@given(st.sampled_from([*STARTS.values(), OTHERS]), st.integers(0, 2**39))
def test_the_place_of_an_attempt_is_in_its_number(start, place):
    assert place_of(order_of(start, place)) == place


def test_an_outcome_that_an_older_version_wrote_comes_last():
    assert on_the_screen([(0, "invalid"), (0, "of old")], pl.String)[0] == 0
