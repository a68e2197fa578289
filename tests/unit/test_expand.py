"""Experiment to conditions: names that stay, never collide, and every provider takes."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import ConfigError
from runner.core.expand import (
    calculated_temperature,
    checked_conditions,
    custom_id,
    temperature_part,
)
from runner.core.model import Experiment, Stem, Stopping
from tests.levels import changed_level, levels, only_levels

LEGAL = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
TEMPERATURES = st.floats(0, 2, allow_nan=False).map(lambda t: Decimal(repr(round(t, 6))))


def shaped(
    experiment: Experiment, personas: list[str], texts: list[str], **changes: object
) -> Experiment:
    """The bundled experiment with other ids."""
    persona, text = levels(experiment, "persona")["p1"], levels(experiment, "text")["t1"]
    other = only_levels(experiment, "persona", {p: replace(persona, id=p) for p in personas})
    other = only_levels(other, "text", {t: replace(text, id=t) for t in texts})
    return replace(other, **changes)


def ids(experiment: Experiment) -> list[str]:
    return [
        custom_id(condition.stem, trial)
        for condition in checked_conditions(experiment)
        for trial in range(1, experiment.trials + 1)
    ]


@pytest.mark.parametrize(
    ("trial", "expected"),
    [(1, "p1_t1_n01"), (99, "p1_t1_n99"), (100, "p1_t1_n100"), (1_000_000, "p1_t1_n1000000")],
)
def test_a_custom_id_has_at_least_two_digits(trial, expected):
    assert custom_id(Stem("p1_t1"), trial) == expected


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        ("0.7", "temp70"),
        ("0.29", "temp29"),
        ("0.295", "temp29-5"),
        ("1.0", "temp100"),
        ("1", "temp100"),
        ("0.05", "temp05"),
        ("0", "temp00"),
        ("0.001", "temp00-1"),
        ("2", "temp200"),
        ("10", "temp1000"),
    ],
)
def test_a_temperature_is_written_exactly_in_hundredths(temperature, expected):
    assert temperature_part(Decimal(temperature)) == expected


@given(TEMPERATURES, TEMPERATURES)
def test_temperatures_are_distinct_exactly_when_their_parts_are(one, other):
    assert (temperature_part(one) == temperature_part(other)) == (one == other)


@given(st.floats(0, 5, allow_nan=False, allow_subnormal=False))
def test_a_part_says_the_temperature_again(value):
    temperature = Decimal(repr(value))
    whole, _, rest = temperature_part(temperature).removeprefix("temp").partition("-")
    assert Decimal(f"{whole}.{rest or '0'}") / 100 == temperature


@given(st.lists(TEMPERATURES, min_size=1, max_size=6, unique=True), st.integers(1, 12))
def test_every_custom_id_is_legal_and_unique_in_the_experiment(experiment, temperatures, trials):
    found = ids(replace(experiment, temperatures=tuple(temperatures), trials=trials))
    assert len(set(found)) == len(found) == 12 * len(temperatures) * trials
    assert [i for i in found if not LEGAL.match(i)] == []


def test_conditions_come_in_the_order_of_the_configuration(experiment):
    two = replace(experiment, temperatures=(Decimal("0.7"), Decimal("0.1")))
    stems = [c.stem for c in checked_conditions(two)][:5]
    assert stems == [
        "p1_t1_temp70",
        "p1_t1_temp10",
        "p1_t2_temp70",
        "p1_t2_temp10",
        "p1_t3_temp70",
    ]


def test_without_a_temperature_factor_the_name_has_no_temperature(experiment):
    none = replace(experiment, temperatures=None, calculated=False)
    first = checked_conditions(none)[0]
    assert (first.stem, first.temperature) == ("p1_t1", None)


def test_a_calculated_temperature_adds_base_and_modifier_exactly(experiment):
    cold = changed_level(experiment, "text", "t1", Decimal("-0.4"))
    found = calculated_temperature(cold, ("p1", "t1"))
    assert found == (Decimal("0.3"), False)


@pytest.mark.parametrize(("modifier", "held"), [("-3", "0"), ("3", "2")])
def test_a_calculated_temperature_is_held_to_the_range_and_says_so(experiment, modifier, held):
    changed = changed_level(experiment, "text", "t1", Decimal(modifier))
    found = calculated_temperature(changed, ("p1", "t1"))
    assert found == (Decimal(held), True)


def test_a_custom_id_has_room_for_the_last_trial_that_a_stopping_rule_may_ask(experiment):
    long = shaped(experiment, ["p" * 57], ["t"], trials=5)  # and _t and _n05: 63
    checked_conditions(long)
    rule = Stopping(least=5, most=10_000, half_width=1, item="Q1", is_choice=False)
    with pytest.raises(ConfigError, match="longer than 64"):
        checked_conditions(replace(long, stopping=rule))


def test_ids_that_meet_in_the_middle_are_refused_and_both_are_named(experiment):
    with pytest.raises(ConfigError) as caught:
        checked_conditions(shaped(experiment, ["a_b", "a"], ["c", "b_c"]))
    message = str(caught.value)
    assert [w for w in ("'a_b'", "'c'", "'a'", "'b_c'", "a_b_c_n01") if w not in message] == []


@pytest.mark.parametrize(("trials", "fits"), [(99, True), (100, False)])
def test_a_custom_id_of_64_characters_fits_and_one_more_does_not(experiment, trials, fits):
    persona, text = "p" * 40, "t" * 19  # 40 + 1 + 19 + len("_n99") = 64
    long = shaped(experiment, [persona], [text], trials=trials)
    if fits:
        assert [len(i) for i in ids(long)] == [64] * 99
        return
    with pytest.raises(ConfigError) as caught:
        checked_conditions(long)
    assert persona in str(caught.value)
    assert text in str(caught.value)


@given(
    st.integers(1, 30),
    st.integers(0, 150),
    st.lists(TEMPERATURES, min_size=2, max_size=4, unique=True),
)
def test_growing_an_experiment_only_adds_names(experiment, trials, more, temperatures):
    small = shaped(experiment, ["p1"], ["t1"], trials=trials, temperatures=(temperatures[0],))
    large = shaped(
        experiment,
        ["p0", "p1"],
        ["t0", "t1"],
        trials=trials + more,
        temperatures=tuple(temperatures),
    )
    assert set(ids(small)) - set(ids(large)) == set()


@given(st.integers(1, 150), st.integers(0, 150))
def test_more_trials_keep_the_earlier_ones_as_a_prefix(trials, more):
    def names(count: int) -> list[str]:
        return [custom_id(Stem("p1_t1"), trial) for trial in range(1, count + 1)]

    assert names(trials + more)[:trials] == names(trials)
