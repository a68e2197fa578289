"""The pilot: who is in it, when it has passed or failed, and what may be packed until then."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.model import BatchKey, Span, Stem, Variant
from runner.core.pilot import Pilot, PilotStanding, members_of, standing, why_it_stops
from runner.core.states import BatchState, Outcome
from runner.run.admission import Admission, PilotGate
from tests.unit.test_plan import batch
from tests.unit.test_request_states import codes, request_states, span

USUAL = Pilot()


def stems(count: int) -> list[Stem]:
    return [Stem(f"c{n}") for n in range(count)]


@pytest.mark.parametrize(
    ("pilot", "requests", "size", "needed"),
    [
        (USUAL, 120, 20, 18),
        (USUAL, 1_000, 20, 18),
        (USUAL, 1_001, 21, 19),
        (USUAL, 12, 12, 11),
        (USUAL, 1, 1, 1),
        (Pilot(share=Decimal("0.1")), 1_000, 100, 90),
        (Pilot(share=Decimal("0.07"), at_least=1), 100, 7, 7),  # 0.07 * 100 is above 7 in floats
        (Pilot(at_least=100, valid=Decimal("0.29")), 100, 100, 29),  # and 0.29 * 100 below 29
        (Pilot(share=Decimal(1), valid=Decimal(1)), 50, 50, 50),
    ],
)
def test_how_large_it_is_and_how_many_have_to_be_valid(pilot, requests, size, needed):
    assert pilot.size(requests) == size
    assert pilot.needed(size) == needed


@given(
    conditions=st.integers(1, 60),
    trials=st.integers(1, 40),
    at_least=st.integers(1, 80),
    share=st.decimals("0.01", "1", places=2),
)
def test_it_is_spread_over_all_conditions(conditions, trials, at_least, share):
    pilot = Pilot(share=share, at_least=at_least)
    found = members_of(pilot, stems(conditions), trials)
    assert sum(found.values()) == pilot.size(conditions * trials)
    assert max(found.values()) <= trials
    counts = [found.get(stem, 0) for stem in stems(conditions)]
    assert max(counts) - min(counts) <= 1
    assert list(found) == [stem for stem in stems(conditions) if stem in found]


def test_a_factor_that_varies_in_step_is_drawn_from_all_its_levels():
    crossed = [Stem(f"row{n}_{wording}") for n in range(1_000) for wording in ("warm", "cold")]
    found = members_of(USUAL, crossed, 1)  # one in fifty: a plain step would take one wording
    assert len(found) == 40
    warm = sum(stem.endswith("warm") for stem in found)
    assert 10 <= warm <= 30
    places = [crossed.index(stem) for stem in found]
    assert all(n * 50 <= place < (n + 1) * 50 for n, place in enumerate(places))


def gated(pilot, stems, trials, states) -> Admission:
    return Admission(PilotGate(pilot, list(stems), trials, states))


VALID, INVALID, REFUSED = Outcome.VALID, Outcome.INVALID, Outcome.REFUSED


@pytest.mark.parametrize(
    ("outcomes", "read", "valid", "passed", "failed"),
    [
        ([], 0, 0, False, False),
        ([VALID] * 8, 8, 8, False, False),
        ([VALID] * 9, 9, 9, True, False),  # whatever the last one brings
        ([VALID] * 9 + [INVALID], 10, 9, True, False),
        ([VALID] * 8 + [INVALID], 9, 8, False, False),
        ([VALID] * 8 + [INVALID] * 2, 10, 8, False, True),
        ([INVALID] * 2, 2, 0, False, True),  # it cannot pass any more
        ([VALID] * 8 + [REFUSED] * 2, 10, 8, False, True),
        ([VALID] * 8 + [Outcome.EXPIRED] * 2, 8, 8, False, False),  # asked again first
        ([VALID] * 8 + [Outcome.MISSING] * 2, 8, 8, False, False),
    ],
)
def test_when_it_has_passed_or_failed(outcomes, read, valid, passed, failed):
    states = request_states("a", trials=30)
    ended = [span("a", 1, len(outcomes))] if outcomes else []
    states.depart(ended)
    states.arrive(ended, codes(*outcomes))
    found = standing(Pilot(at_least=10), {Stem("a"): 10}, states)
    assert (found.requests, found.needed) == (10, 9)
    assert (found.read, found.valid) == (read, valid)
    assert (found.passed, found.failed) == (passed, failed)
    assert PilotStanding.of(found.facts()).facts() == found.facts()


def test_the_first_answer_counts_and_no_later_one():
    states = request_states("a", trials=2)
    states.depart([span("a", 1, 2)])
    states.arrive([span("a", 1, 2)], codes(INVALID, VALID))
    states.depart([span("a", 1, 1, Variant.ENHANCED)])
    states.arrive([span("a", 1, 1, Variant.ENHANCED)], codes(VALID))
    found = standing(USUAL, {Stem("a"): 2}, states)
    assert (found.read, found.valid, found.example) == (2, 1, "a_n01")


def test_what_was_given_up_without_an_answer_is_read_and_not_valid():
    states = request_states("a", trials=1)  # the policy gives up after two losses
    for _ in range(2):
        states.depart([span("a", 1, 1)])
        states.arrive([span("a", 1, 1)], codes(Outcome.EXPIRED))
    found = standing(USUAL, {Stem("a"): 1}, states)
    assert (found.read, found.valid, found.failed) == (1, 0, True)


def test_until_it_has_passed_only_what_was_never_answered_of_it_may_be_packed():
    states = request_states("a", "b", trials=5)
    gate = gated(Pilot(at_least=4, valid=Decimal("0.5")), states.rows, 5, states)
    assert [*gate.pending(states, again=None)] == [span("a", 1, 2), span("b", 1, 2)]
    first = [span("a", 1, 2), span("b", 1, 2)]
    states.depart(first)
    assert not gate.has_pending(states)
    states.arrive(first, codes(INVALID, Outcome.EXPIRED, VALID, Outcome.OPEN))
    gate.look(states, [], {})
    assert [*gate.pending(states, again=None)] == [span("a", 2, 2)]
    assert [*gate.pending(states, again=True)] == []
    states.depart([span("a", 2, 2)])
    states.arrive([span("a", 2, 2)], codes(VALID))
    gate.look(states, [], {})
    assert [*gate.pending(states, again=None)] == [*states.pending()]
    assert span("a", 1, 1, Variant.ENHANCED) in states.pending(again=True)


def test_a_batch_of_an_earlier_run_with_other_requests_waits():
    states = request_states("a", trials=5)
    gate = gated(Pilot(at_least=2), [Stem("a")], 5, states)
    requests = {
        BatchKey("b0001"): (Span(Stem("a"), 1, 2, Variant.PLAIN),),
        BatchKey("b0002"): (Span(Stem("a"), 2, 3, Variant.PLAIN),),
        BatchKey("b0003"): (Span(Stem("gone"), 1, 1, Variant.PLAIN),),
    }
    batches = [batch(BatchState.PACKED, number) for number in (1, 2, 3)]
    assert gate.held_back(batches, requests) == {"b0002", "b0003"}
    assert Admission().held_back(batches, requests) == frozenset()


def test_the_line_of_a_pilot_that_failed():
    found = PilotStanding(requests=20, read=20, valid=2, needed=18, example="p1_t1_n01")
    line = why_it_stops(
        USUAL,
        found,
        {"Q1": {"missing": 15, "range": 1}, "Q2": {"missing": 16}},
        {"refused": 2},
    )
    assert "\n" not in line
    for part in (
        *("of 20 first answers 2 are valid (10%)", "pilot.valid=0.9 wants 18 of 20"),
        *("Q2 missing (16), Q1 missing (15), refused (2); for example p1_t1_n01",),
        *("action=extract apply=true", "pilot=null"),
    ):
        assert part in line
