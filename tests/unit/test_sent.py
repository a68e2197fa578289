"""Levels that are settings of the request: what they become, what is refused, what is recorded."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.definition import define, differences, merged
from runner.core.expand import checked_conditions
from runner.core.model import Experiment, Sampling
from runner.run.preflight import preview, warnings
from runner.run.run import Run
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

STUDY = """
name: sent
factors:
  tone: {levels: {warm: "Please.", cold: "Now."}}
  how: HOW
trials: 3
temperatures: null
messages:
  - {role: user, content: "{tone}{items}"}
items:
  mood: {label: Mood, minimum: 1, maximum: 7}
"""
EFFORT = "{levels: {low: {}, high: {}}, sends: reasoning}"
LUNA = ["provider=openai", "provider.model=gpt-6-luna"]


def study(folder: Path, how: str, more: str = "") -> list[str]:
    body = STUDY.replace("HOW", how) + more
    return [*fill(folder, {"experiment/sent.yaml": head("_global_", body)}), "experiment=sent"]


def bodies(experiment: Experiment) -> dict[str, dict]:
    return {
        c.levels[1]: {
            **experiment.model_at(c.levels).parameters,
            "cap": experiment.model_at(c.levels).max_output_tokens,
            **({} if c.temperature is None else {"temperature": c.temperature}),
        }
        for c in checked_conditions(experiment)
    }


@pytest.mark.parametrize(
    ("how", "words", "found"),
    first(2, [
        (EFFORT, LUNA, {"low": {"reasoning_effort": "low"}, "high": {"reasoning_effort": "high"}}),
        ("{levels: ['null', low], sends: reasoning}", LUNA,
         {"null": {}, "low": {"reasoning_effort": "low"}}),
        ("{levels: ['50', '900'], sends: max_output_tokens}", [],
         {"50": {"cap": 50}, "900": {"cap": 900}}),
        ("{levels: {a: '0.50', b: '1', c: 'null'}, sends: parameters.top_p}", [],
         {"a": {"top_p": 0.5}, "b": {"top_p": 1.0}, "c": {"top_p": None}}),
        ("{levels: {a: 'true', b: 'text'}, sends: parameters.deep.er}", [],
         {"a": {"deep": {"er": True}}, "b": {"deep": {"er": "text"}}}),
        ("{levels: ['0.1', '0.70', 'null'], sends: temperature}", [],
         {"0.1": {"temperature": Decimal("0.1")}, "0.70": {"temperature": Decimal("0.7")},
          "null": {}}),
    ]),
)  # fmt: skip
def test_a_level_is_what_its_setting_says(tmp_path, how, words, found):
    experiment = only([*study(tmp_path, how), *words]).experiment
    cap = experiment.model.max_output_tokens
    assert bodies(experiment) == {level: {"cap": cap, **body} for level, body in found.items()}


def test_numbers_of_one_parameter_are_of_one_type(tmp_path):
    how = "{levels: {a: '0.5', b: '1'}, sends: parameters.top_p}"
    found = bodies(only(study(tmp_path, how)).experiment)
    assert {type(body["top_p"]) for body in found.values()} == {float}


REFUSED = [
    ("{levels: [low, huge], sends: reasoning}", LUNA,
     ["factors.how.levels.huge: provider.reasoning=huge", "allowed: ", "low"]),
    (EFFORT, [], ["factors.how.levels.low", "not for gpt-4o-mini"]),
    (EFFORT, [*LUNA, "provider.reasoning=low"], ["factors.how", "leave one of them out"]),
    (EFFORT, [*LUNA, "temperatures=[0.1]"],
     ["factors.how.levels.low: gpt-6-luna", "temperature", "would measure nothing"]),
    (EFFORT, ["provider=anthropic", "provider.model=claude-haiku-4-5"],
     ["factors.how.levels.high: provider.reasoning=high", "which has to be larger"]),
    ("{levels: ['0.1'], sends: temperature}", ["temperatures=[0.2]"],
     ["factors.how", "temperatures=[0.2] says one, too", "temperatures: null"]),
    ("{levels: ['0.1'], sends: temperature}", ["temperatures=calculated"], ["calculated"]),
    ("{levels: ['2.5'], sends: temperature}", [], ["levels.2.5: temperature 2.5; allowed: 0 to 2"]),
    ("{levels: [warm], sends: temperature}", [], ["'warm'; allowed: a number"]),
    ("{levels: ['0'], sends: max_output_tokens}", [], ["'0'; allowed: a whole number from 1"]),
    ("{levels: [a], sends: top_p}", [], ["factors.how.sends: 'top_p'", "parameters.top_p", "sweep"]),
    ("{levels: [a], sends: parameters.}", [], ["factors.how.sends"]),
    ("{levels: ['0.5'], sends: parameters.top_p}", ["+provider.parameters.top_p=0.1"],
     ["sends parameters.top_p, and provider.parameters.top_p says it"]),
    ("{levels: {a: {x: '1', y: '2'}}, sends: parameters.top_p}", [],
     ["factors.how.levels.a", "it has x, y"]),
    ("{levels: [low, high]}", [], ["no message names {how}", "sends:"]),
    ("{levels: ['1'], sends: parameters.a}\n  why: {levels: ['2'], sends: parameters.a.b}", [],
     ["factors.why: sends parameters.a.b, as factors.how does"]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "words", "said"), first(2, REFUSED))
def test_what_a_level_cannot_send_is_said_in_one_line(tmp_path, capfd, how, words, said):
    message = mistake([*study(tmp_path, how), *words], capfd)
    assert [word for word in said if word not in message] == [], message


@pytest.mark.parametrize("name", first(2, ["temperature", "max_tokens", "n", "model", "tools"]))
def test_a_parameter_that_a_setting_decides_is_no_factor_either(tmp_path, name):
    run = Run(only(study(tmp_path, f"{{levels: ['1'], sends: parameters.{name}}}")))
    with pytest.raises(Exception, match=f"factors.how.sends: parameters.{name}: "):
        preview(run)


def test_a_level_is_named_only_for_what_it_does(tmp_path, capfd):
    how = EFFORT + "\n  cap: {levels: ['9000'], sends: max_output_tokens}"
    message = mistake(study(tmp_path, how), capfd)
    assert "cap" not in message
    assert message.count("factors.how.levels.low") == 1


@pytest.mark.long
def test_the_estimate_counts_each_level_s_own_cap(tmp_path):
    def high(how: str) -> Decimal:
        run = Run(only([*study(tmp_path, how), "outputs=" + str(tmp_path / "o")]))
        found = preview(run).estimate
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.high
        return found.high

    cap = "{levels: [%s], sends: max_output_tokens}"
    small, large = high(cap % "'100'"), high(cap % "'1100'")
    assert high(cap % "'100', '1100'") == small + large > 2 * small


def test_notes_are_of_the_levels_and_not_of_what_is_never_asked(tmp_path):
    said = warnings(Run(only([*study(tmp_path, EFFORT), *LUNA])))
    assert [n for n in said if "(medium)" in n] == []
    assert [n for n in said if "(high)" in n]


@pytest.mark.parametrize(
    ("levels", "words", "sampling"),
    first(
        2,
        [
            ("[none]", ["temperatures=[0.5]"], Sampling.HONOURED),
            ("[none]", [], Sampling.HONOURED),
            ("[low]", [], Sampling.REJECTED),
            ("[none, low]", [], Sampling.REJECTED),
        ],
    ),
)
def test_a_client_is_told_that_a_temperature_is_honoured_where_one_is_sent(
    tmp_path, levels, words, sampling
):
    how = f"{{levels: {levels}, sends: reasoning}}"
    assert only([*study(tmp_path, how), *LUNA, *words]).experiment.model.sampling is sampling


# -- the record


def defined(experiment: Experiment) -> dict:
    return define(experiment, checked_conditions(experiment))


@pytest.mark.long
def test_what_a_level_sends_is_part_of_what_was_asked(tmp_path):
    def of(levels: str) -> dict:
        return defined(
            only(study(tmp_path, f"{{levels: {levels}, sends: parameters.p}}")).experiment
        )

    one, more, other = of("{a: '1'}"), of("{b: '3', a: '1'}"), of("{a: '2'}")
    assert differences(one, more) == differences(more, one) == []
    assert list(merged(one, more)["sent"]) == ["how=a", "how=b"]
    assert any("sent.how=a.parameters.p: 1 -> 2" in line for line in differences(one, other))


@pytest.mark.long
def test_another_setting_under_the_same_levels_is_another_experiment(tmp_path):
    one, other = (
        defined(only(study(tmp_path, f"{{levels: ['7'], sends: parameters.{name}}}")).experiment)
        for name in ("p", "q")
    )
    assert "design.sends.how" in differences(one, other)[0]


def test_how_the_service_is_told_a_level_is_part_of_what_was_asked(tmp_path):
    experiment = only([*study(tmp_path, EFFORT), *LUNA]).experiment
    key, sent = next(iter(experiment.sent.items()))
    model = replace(sent.model, parameters={"thinking": "low"})
    changed = replace(experiment, sent={**experiment.sent, key: replace(sent, model=model)})
    assert differences(defined(experiment), defined(changed)) != []


def test_a_study_that_sends_nothing_has_no_such_section(tmp_path):
    experiment = only([*study(tmp_path, "[x]"), "factors.how=null"]).experiment
    assert "sent" not in defined(experiment)
    assert "sends" not in defined(experiment)["design"]
