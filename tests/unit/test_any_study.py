"""A study of another kind than the bundled one: its conditions, its prompts, its record."""

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.custom_id import LEGAL, custom_id
from runner.core.definition import define, differences, factor_names, factors_in, merged
from runner.core.errors import ConfigError
from runner.core.expand import checked_conditions
from runner.core.model import Design, Experiment, Factor, Level, Message, Variant
from runner.core.prompt import render
from tests.levels import only_levels
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

STUDY = """
name: reviews
factors:
  review: {file: reviews.csv, id: review_id, keep: [stars]}
  wording: {levels: {neutral: "How?", leading: "How much?"}}
trials: 3
temperatures: null
messages:
  - {role: system, content: "You rate reviews."}
  - {role: user, content: "Good."}
  - {role: assistant, content: '{"rating": 4} and {{wording}}'}
  - {role: user, content: "{wording}\\n{review.body}\\n{items}"}
items:
  mood: {label: Mood, minimum: 1, maximum: 7}
"""
FILES = {
    "experiment/reviews.yaml": head("_global_", STUDY),
    "experiment/reviews.csv": "review_id,stars,body\nr1,5,I {wording} it\nr2,1,No\n",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    folder = tmp_path_factory.mktemp("study")
    return only([*fill(folder, dict(FILES)), "experiment=reviews"]).experiment


def crossed(experiment: Experiment, **ids: list[str]) -> Experiment:
    """An experiment of factors with these levels, each of which is what it is called."""
    factors = {
        name: Factor(name=name, levels={id_: Level(id=id_) for id_ in some})
        for name, some in ids.items()
    }
    return replace(experiment, factors=factors, calculated=False, temperatures=None)


def defined(experiment: Experiment) -> dict:
    return define(experiment, checked_conditions(experiment))


# -- conditions


def test_levels_that_make_a_good_name_are_the_name(study):
    stems = [c.stem for c in checked_conditions(study)]
    assert stems == ["r1_neutral", "r1_leading", "r2_neutral", "r2_leading"]


@pytest.mark.parametrize("id_", ["r 1", "日本", "a_b", "x" * 41, "a.b", "../x"])
def test_levels_that_make_none_are_named_by_a_digest(experiment, id_):
    (condition,) = checked_conditions(crossed(experiment, review=[id_]))
    assert re.fullmatch(r"c[0-9a-f]{16}", condition.stem)
    assert condition.levels == (id_,)


IDS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True)


@given(a=IDS, b=IDS, temperatures=st.sampled_from([None, (Decimal("0.1"), Decimal("0.7"))]))
def test_every_condition_has_a_name_of_its_own_that_every_provider_takes(
    experiment, a, b, temperatures
):
    one = replace(crossed(experiment, a=a, b=b), temperatures=temperatures)
    stems = [c.stem for c in checked_conditions(one)]
    assert len(set(stems)) == len(stems) == len(a) * len(b) * len(temperatures or [None])
    assert [s for s in stems if not LEGAL.fullmatch("_" * 9 + custom_id(s, 10**9))] == []


@given(ids=st.lists(st.text(min_size=1, max_size=12), min_size=2, unique=True), data=st.data())
def test_a_condition_keeps_its_name_whatever_rows_are_added_moved_or_removed(experiment, ids, data):
    def names(some: list[str]) -> dict[tuple[str, ...], str]:
        return {c.levels: c.stem for c in checked_conditions(crossed(experiment, a=some, b=["x"]))}

    before = names(ids)
    kept = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
    added = [id_ for id_ in ("new row", "new") if id_ not in ids]
    after = names([*added, *kept])
    assert {levels: after[levels] for levels in after if levels in before} == {
        levels: stem for levels, stem in before.items() if levels[0] in kept
    }


def test_names_say_which_factor_a_level_is_of(experiment):
    one, other = crossed(experiment, a=["x y"], b=["z"]), crossed(experiment, b=["x y"], a=["z"])
    assert checked_conditions(one)[0].stem != checked_conditions(other)[0].stem


def test_paired_factors_go_along_by_place(experiment):
    one = crossed(experiment, a=["a1", "a2"], b=["b1", "b2", "b3"], c=["c1", "c2"])
    one = replace(one, design=Design(paired={"a": "c"}))
    assert [c.levels for c in checked_conditions(one)] == [
        ("a1", "b1", "c1"),
        ("a2", "b1", "c2"),
        ("a1", "b2", "c1"),
        ("a2", "b2", "c2"),
        ("a1", "b3", "c1"),
        ("a2", "b3", "c2"),
    ]


def test_a_table_of_conditions_is_asked_as_it_stands(experiment):
    rows = (("a2", "b1"), ("a1", "b2"))
    one = replace(crossed(experiment, a=["a1", "a2"], b=["b1", "b2"]), design=Design(only=rows))
    assert [c.levels for c in checked_conditions(one)] == list(rows)


# -- prompts


def test_messages_are_filled_in_one_pass_and_turns_stay_in_order(study):
    first = checked_conditions(study)[0]
    prompt = render(study, first, Variant.PLAIN)
    assert prompt.system == "You rate reviews."
    assert [(m.role, m.content) for m in prompt.earlier] == [
        ("user", "Good."),
        ("assistant", '{"rating": 4} and {wording}'),
    ]
    assert prompt.user.startswith("How?\nI {wording} it\nmood. Mood\n\nmood. Mood(")


def test_a_study_with_messages_has_no_stricter_wording(study):
    first = checked_conditions(study)[0]
    assert render(study, first, Variant.PLAIN) == render(study, first, Variant.ENHANCED)


def test_a_model_without_a_system_role_is_told_in_the_first_turn(study):
    bare = replace(study, model=replace(study.model, system_role=False))
    prompt = render(bare, checked_conditions(bare)[0], Variant.PLAIN)
    assert prompt.system is None
    assert prompt.earlier[0] == Message(role="user", content="You rate reviews.\n\nGood.")
    assert prompt.user.startswith("How?\n")


# -- refusals of a whole study


@pytest.mark.parametrize(
    ("old", "new", "words"),
    first(2, [
        ("{review.body}", "{review.body} {reviw}", ["messages[3]", "{reviw}", "{review.body}"]),
        ("{wording}\\\\n", "", ["factors.wording", "would be asked the same"]),
        ("name: reviews\n", "name: reviews\npersona: {p1: {name: x, system: y, temperature: 0}}\n",
         ["none names {persona}"]),
        ("temperatures: null", "data: {review: /etc/passwd}", ["data", "command line only"]),
        ('content: "Good."', 'content: "${oc.env:HOME}"', ["not allowed"]),
        ("Mood, minimum: 1", "Mood, minimum: 8", ["items.mood", "minimum 8"]),
        ("items:\n", "items:\n  'a b': {label: x}\n", ["items.a b"]),
    ]),
)  # fmt: skip
def test_what_is_wrong_with_a_study_is_said_in_one_line(tmp_path, capfd, old, new, words):
    assert old.replace("\\\\", "\\") in STUDY
    body = STUDY.replace(old.replace("\\\\", "\\"), new)
    argv = fill(tmp_path, {**FILES, "experiment/reviews.yaml": head("_global_", body)})
    message = mistake([*argv, "experiment=reviews"], capfd)
    assert [word for word in words if word not in message] == []


def test_the_command_line_changes_a_factor(tmp_path):
    argv = [*fill(tmp_path, dict(FILES)), "experiment=reviews"]
    words = ["factors.wording.select=[leading]", "factors.review.where='stars < 3'"]
    experiment = only([*argv, *words]).experiment
    assert {name: list(f.levels) for name, f in experiment.factors.items()} == {
        "review": ["r2"],
        "wording": ["leading"],
    }


@pytest.mark.long
def test_levels_of_a_file_are_not_written_over_by_a_list(tmp_path, capfd):
    argv = [*fill(tmp_path, dict(FILES)), "experiment=reviews"]
    message = mistake([*argv, "factors.wording=[a,b]"], capfd)
    assert message == (
        "factors.wording: has levels already; choose among them with factors.wording.select=[…]"
    )
    body = STUDY.replace('{levels: {neutral: "How?", leading: "How much?"}}', "[neutral, leading]")
    fill(tmp_path, {"experiment/reviews.yaml": head("_global_", body)})
    message = mistake([*argv, "factors.wording.select=[leading]"], capfd)
    assert "written as levels: […]" in message
    fill(tmp_path, dict(FILES))
    assert "'x' is no level" in mistake([*argv, "factors.wording.select=[x]"], capfd)


def test_options_with_names_are_not_written_over_by_a_list(capfd):
    message = mistake(["experiment=labels", "items.sentiment.options=[a,b]"], capfd)
    assert message == (
        "items.sentiment.options: the file says what each option may be called, which a list cannot "
        "take the place of: change them in the file"
    )


# -- the record of what was asked


def test_a_definition_says_what_the_tables_show_of_each_level(study):
    definition = json.loads(json.dumps(defined(study)))
    assert factor_names(definition) == ["review", "wording"]
    assert factors_in(definition) == {
        "review": {"r1": {"review_stars": 5}, "r2": {"review_stars": 1}},
        "wording": {"neutral": {}, "leading": {}},
    }
    assert definition["conditions"]["r2_leading"] == {
        "review": "r2",
        "wording": "leading",
        "temperature": None,
    }


def changed(study: Experiment, **fields: str) -> Experiment:
    level = study.factors["review"].levels["r1"]
    other = replace(level, fields={**level.fields, **fields})
    return only_levels(study, "review", {**study.factors["review"].levels, "r1": other})


def test_a_row_whose_content_changed_under_its_id_is_a_difference(study):
    lines = differences(defined(study), defined(changed(study, body="I hate it")))
    assert lines == [
        "factors.review.r1: its content changed (a changed row wants an id of its own)"
    ]


def test_what_is_kept_may_be_corrected_and_rows_may_come_and_go(study):
    old = defined(study)
    level = replace(study.factors["review"].levels["r1"], kept={"stars": 4, "country": "de"})
    new = defined(
        only_levels(study, "review", {"r1": level, "r9": Level(id="r9", fields={"body": "x"})})
    )
    assert (differences(old, new), differences(new, old)) == ([], [])
    both = merged(old, new)
    assert list(factors_in(both)["review"]) == ["r1", "r2", "r9"]
    assert factors_in(both)["review"]["r1"] == {"review_stars": 4, "review_country": "de"}


def test_a_factor_that_is_added_and_a_message_that_is_changed_are_differences(study, experiment):
    more = replace(
        study, factors={**study.factors, "x": Factor(name="x", levels={"1": Level(id="1")})}
    )
    other = replace(study, messages=(*study.messages[:-1], Message(role="user", content="{items}")))
    assert "design.factors" in differences(defined(study), defined(more))[0]
    assert "design.messages[3].user" in differences(defined(study), defined(other))[0]
    before, after = defined(experiment), defined(replace(experiment, messages=study.messages))
    assert differences(before, after) != []
    assert differences(after, before) != []


def test_the_bundled_study_has_the_record_that_it_always_had(experiment):
    assert list(defined(experiment)) == [
        "model",
        "prompt",
        "questions",
        "personas",
        "texts",
        "conditions",
    ]


def test_a_table_of_the_study_is_found_beside_it(tmp_path):
    argv = fill(tmp_path, {"experiment/reviews.yaml": FILES["experiment/reviews.yaml"]})
    with pytest.raises(ConfigError, match=r"reviews\.csv does not exist"):
        only([*argv, "experiment=reviews"])
