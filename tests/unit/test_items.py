"""Items of an experiment's own: signed scales, anchors, options, reasons that are not asked for."""

from dataclasses import replace
from decimal import Decimal

import pytest

from runner.core.definition import define, differences
from runner.core.expand import checked_conditions
from runner.core.extract.reader import Reader
from runner.core.model import Experiment
from runner.core.prompt import asked_of
from runner.core.structured import schema
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

STUDY = """
defaults:
  - override /question: english
name: items
factors: {w: [a, b]}
temperatures: null
messages: [{role: user, content: "{w} {items}"}]
items:
  mood:
    {ask: Your mood?, minimum: -3, maximum: 3, reason: false, anchors: {-3: awful, 3: wonderful}}
  stars: {label: Stars, minimum: 1, maximum: 5}
  again: {kind: choice, label: Again, options: {yes: {label: Of course, aliases: [sure]}, no: []}}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    folder = tmp_path_factory.mktemp("items")
    argv = fill(folder, {"experiment/items.yaml": head("_global_", STUDY)})
    return only([*argv, "experiment=items"]).experiment


def test_the_questions_and_the_form_say_what_may_be_answered(study):
    asked = asked_of(study.questions)
    assert asked["questions"] == (
        "mood: Your mood? (-3 = awful, 3 = wonderful)\nstars. Stars\nagain. Again"
    )
    assert asked["form"] == (
        "mood (answer): [-3 to 3]\n"
        "stars. Stars (answer): [1-5]\n"
        "stars. Stars (reason): [explanation]\n"
        "again. Again (answer): [Of course / no]\n"
        "again. Again (reason): [explanation]"
    )
    assert asked["items"] == f"{asked['questions']}\n\n{asked['form']}"


def test_an_item_that_is_told_nothing_but_its_name_is_listed_by_it_once(study):
    stars = replace(study.questions.questions[1], label="stars")
    alone = replace(study.questions, questions=(stars,))
    assert asked_of(alone)["questions"] == "stars"


def test_the_schema_asks_for_what_the_items_are(study):
    parts = schema(study.questions, closed=True)["properties"]
    assert list(parts["mood"]["properties"]) == ["value"]
    assert list(parts["stars"]["properties"]) == ["value", "reason"]
    assert parts["again"]["properties"]["value"]["enum"] == ["Of course", "no"]


@pytest.mark.parametrize(
    "line",
    [
        "mood - 2",
        "- mood - 2",
        "**mood** - 2",
        "mood — 2",
        "mood (answer):\n- 2",
        "mood: 2 (negative)",
        "mood: 2 (awful)",
        "mood: 3 - awful",
        "mood: 2\n3",
        "mood: 2\nor 3",
        "mood: 2\n\n- 3",
    ],
)
def test_a_number_whose_sign_meaning_or_place_is_unsure_is_missing(study, line):
    read = Reader(study.questions).read(f"{line}\nstars. Stars (answer): 3")
    assert read["mood"].value is None
    assert read["stars"].value == 3


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("3 (wonderful)", 3),
        ("-2", -2),
        ("+2", 2),
        ("2", 2),
        ("−2", -2),
        ("–2", -2),
        ("(-2)", -2),
        ("**-2**", -2),
        ("-2, because it rains", -2),
        ("-2/3", -2),
        ("0", 0),
        *(
            (wrong, None)
            for wrong in ("4", "-4", "-1.5", "-0", "±2", "~2", "-3 to 3", "[-3 to 3]", "2 - 3")
        ),
        *((wrong, None) for wrong in ("-2 or -1", "- 2 - bad", "ー2")),
    ],
)
def test_a_signed_scale_is_read_with_its_sign_or_not_at_all(study, said, value):
    read = Reader(study.questions).read(f"mood (answer): {said}\nstars. Stars (answer): 3")
    assert read["mood"].value == (None if value is None else Decimal(value))


def test_what_is_asked_may_not_change_under_one_name(study):
    def defined(experiment: Experiment) -> dict:
        return define(experiment, checked_conditions(experiment))

    mood, stars, again = study.questions.questions
    for key, other in {
        "questions.mood.ask": (replace(mood, ask="How are you?"), stars, again),
        "questions.mood.anchors.3": (replace(mood, anchors={-3: "awful"}), stars, again),
        "questions.again.options.no": (mood, stars, replace(again, options=again.options[:1])),
        "questions.stars.reason": (mood, replace(stars, asks_reason=False), again),
    }.items():
        changed = replace(study, questions=replace(study.questions, questions=other))
        lines = differences(defined(study), defined(changed))
        assert key in {line.split(":")[0] for line in lines}


@pytest.mark.parametrize(
    ("item", "words"),
    first(
        2,
        [
            ("{kind: chioce}", ["kind", "did you mean choice?"]),
            ("{kind: choice}", ["options", "two or more"]),
            ("{kind: choice, options: [a]}", ["options", "two or more"]),
            ("{kind: choice, options: {a: [x], b: [X]}}", ["options", "'b'", "'a'"]),
            ("{options: [a, b]}", ["options", "only an item of kind: choice or"]),
            ("{minimum: 1, maximum: 5, anchors: {7: x}}", ["anchors", "7 is no answer"]),
            ("{minimum: 1, maximum: 5, anchors: {low: x}}", ["anchors", "low is no answer"]),
            ("{minimum: 5, maximum: 5}", ["minimum 5 is not below"]),
        ],
    ),
)
def test_an_item_that_cannot_be_asked_is_refused(tmp_path, capfd, item, words):
    body = STUDY.replace("  stars: {label: Stars, minimum: 1, maximum: 5}", f"  stars: {item}")
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", body)})
    message = mistake([*argv, "experiment=items"], capfd)
    assert [word for word in ("items.stars", *words) if word not in message] == []


def test_a_form_that_cannot_show_options_is_refused(tmp_path, capfd):
    body = STUDY.replace("  - override /question: english\n", "  - override /question: literary\n")
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", body)})
    assert "does not name {options}" in mistake([*argv, "experiment=items"], capfd)


def test_the_command_line_changes_an_item(tmp_path):
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", STUDY)})
    experiment = only([*argv, "experiment=items", "items.stars.maximum=7"]).experiment
    assert experiment.questions.questions[1].maximum == 7


def test_a_new_item_is_not_taken_from_the_command_line(tmp_path, capfd):
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", STUDY)})
    message = mistake([*argv, "experiment=items", "items.more={minimum:1}"], capfd)
    assert message == (
        "items.more: no such key; a new item is written into a YAML file, under items:"
    )


@pytest.mark.parametrize(
    ("more", "words", "said"),
    first(
        2,
        [
            (
                "items: {r: {kind: json, schema: no.json}}",
                [],
                "items.r.schema: {folder}/experiment/no.json: no such file or directory: write its path",
            ),
            (
                "items: {r: {kind: text, reason: true}}",
                [],
                "items.r.reason: an item of kind: text has none; ask for it in an item of its own",
            ),
            ("design: between", [], "design: takes names with values: {{between: [FACTOR]}}, "),
            (
                "trials: {min: 2, max: 5, until: {half_width: 2}}",
                [],
                "trials.until.of: says which item is looked at; as 10, or {{min: 5",
            ),
            (
                "pilot: null",
                ["pilot={share: 0.1}"],
                "the experiment's file says pilot: null; take that",
            ),
            (
                "pilot: null",
                ["pilot.share=0.1"],
                "the experiment's file says pilot: null; take that",
            ),
            ("", ["pilot=5"], "pilot: takes names with values, as {{share: 0.02, "),
            (
                "trials: 3",
                ["trials.max=60"],
                "trials is a number here; write trials={{min: 5, max: 50",
            ),
        ],
    ),
)
def test_a_slip_is_said_in_one_line_that_says_what_to_write(tmp_path, capfd, more, words, said):
    study = STUDY.partition("items:")[0] + more
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", study)})
    line = mistake([*argv, "experiment=items", *words], capfd)
    assert said.format(folder=tmp_path) in line
    assert line.count("no.json") <= 1


@pytest.mark.long
def test_items_that_were_forgotten_are_said(tmp_path):
    study = STUDY.partition("items:")[0]
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", study)})
    (note,) = only([*argv, "experiment=items"]).capability.notes
    assert note.startswith(
        "items: the experiment says none, so that those of question/english.yaml"
    )
    argv = fill(tmp_path, {"experiment/items.yaml": head("_global_", STUDY)})
    assert not only([*argv, "experiment=items"]).capability.notes
    assert not only(["experiment=literary"]).capability.notes
