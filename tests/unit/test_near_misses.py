"""Braces that name nothing and nearly do; and other slips of a newcomer, each in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.definition import define, renamed
from runner.core.expand import checked_conditions
from runner.core.model import Experiment, Level
from runner.core.near_misses import near_misses, nearest
from runner.run.preflight import warnings
from runner.run.run import Run
from tests.levels import only_levels
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

NAMES = ["items", "form", "tweet", "tweet.body", "tweet.party"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{ tweet }", [("{ tweet }", "tweet")]),
        ("{Tweet.Body} {ITEMS}", [("{Tweet.Body}", "tweet.body"), ("{ITEMS}", "items")]),
        ("{tweet party}", [("{tweet party}", "tweet.party")]),
        ("{tweets.body}", [("{tweets.body}", "tweet.body")]),
        ("{tweet mood}", [("{tweet mood}", "tweet.mood")]),
        ("{{ tweet }}", [("{ tweet }", "tweet")]),
        ("{tweet} {tweet.body} {{tweet}}", []),
        ('{"tweet": 4} {tweet: 1} {a, b} {} {x}\n{if (tweet)}', []),
        ("{something else} {the tweet of the day}", []),
    ],
)
def test_what_is_nearly_a_name_is_found_and_json_is_not(text, found):
    assert list(near_misses(text, NAMES)) == found


def test_the_nearest_name_is_one_that_is_near():
    assert nearest("Tweet.boddy", NAMES) == "tweet.body"
    assert nearest("qq", NAMES) is None


# -- through the command line's eyes

STUDY = """
name: tweets
factors:
  tweet: {file: t.csv, id: id}
trials: 1
temperatures: null
messages:
  - {role: user, content: "{tweet.body} {items}"}
items:
  mood: {minimum: 1, maximum: 7}
"""
TABLE = "id,stars,party,body\na,1,x,one\nb,2,y,two\n"


def argv(folder: Path, old: str = "", new: str = "", table: str = TABLE) -> list[str]:
    assert old in STUDY
    body = head("_global_", STUDY.replace(old, new, 1) if old else STUDY)
    files = {"experiment/tweets.yaml": body, "experiment/t.csv": table}
    return [*fill(folder, files), "experiment=tweets"]


def test_what_is_sent_though_it_was_to_be_filled_in_is_a_note(tmp_path):
    words = argv(tmp_path, "{tweet.body}", "{tweet.body} { tweet.party } {Form }")
    said = warnings(Run(only([*words, f"outputs={tmp_path}"])))
    told = [note.partition(" is sent as it stands there; ") for note in said]
    assert [(what, how.rpartition(" ")[2]) for what, found, how in told if found] == [
        ("messages[0]: { tweet.party }", "{tweet.party}"),
        ("messages[0]: {Form }", "{form}"),
    ]


@pytest.mark.parametrize("name", first(2, ["literary", "labels", "rating_ja", "judge", "survey"]))
def test_no_study_of_ours_has_such_a_note(name):
    said = warnings(Run(only([f"experiment={name}"])))
    assert [note for note in said if "sent as it stands" in note] == []


WRONG = [
    ("{tweet.body}", "{Tweet.body}", ["no message names {tweet}", "{Tweet.body} is none"]),
    ("{tweet.body}", "{ tweet }", ["{ tweet } is none: write {tweet}"]),
    ("{tweet.body}", "{tweet} {Tweet.id}", ["unknown placeholder {Tweet.id}", "allowed: {tweet}"]),
    ("{tweet.body}", "{tweet} {itmes}", ["{itmes}", "did you mean {items}?"]),
    ("maximum: 7", "maximum: 7, anchors: [bad, good]",
     ["tweets.yaml, line 11: items.mood.anchors is a list", "as {1: never, 7: always}"]),
    ("{minimum: 1, maximum: 7}", "What?",
     ["line 11: items.mood is a single value", "as {ask: How do you feel?}"]),
    ("  mood: {minimum: 1, maximum: 7}", "  - mood", ["line 11: items is a list", "{mood: {ask:"]),
    ('messages:\n  - {role: user, content: "{tweet.body} {items}"}', "messages: hello",
     ["messages is a single value; allowed: a list"]),
    ("id: id}", "id: id, where: \"stars = 'one'\"}", ["'stars' holds whole numbers", "stars > 2"]),
    ("id: id}", 'id: id, where: "body > 3"}', ["'body' holds text", "lang = 'en'"]),
    ("id: id}", 'id: id, where: "star > 3"}', ["no column 'star'", "did you mean stars?"]),
    ("id: id}", 'id: id, where: "party = x"}', ["no column 'x'", "single quotes: 'x'"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), first(2, WRONG))
def test_a_slip_is_said_in_one_line_with_what_is_allowed(tmp_path, capfd, old, new, words):
    message = mistake(argv(tmp_path, old, new), capfd)
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize(
    ("table", "words"),
    first(
        2,
        [
            ("id,body\na,x\nb,one, two\n", ["row 2 (line 3) has 3 cells", "2 columns", "a comma"]),
            ('id,body\na,"x\ny"\nb,1,2\n', ["row 2 (line 4) has 3 cells"]),
            ('id,body\na,"x\nb,y\n', ["row 1: a quote is opened and never closed"]),
            ("id,body\na,x\nb, \u3000 \n", ["row 2: 'body' holds nothing but blanks", "missing:"]),
            ("id,body\na,\nb,y\n", ["row 1: 'body' is empty"]),
        ],
    ),
)
def test_a_table_that_is_not_whole_is_said_by_its_row(tmp_path, capfd, table, words):
    message = mistake(argv(tmp_path, table=table), capfd)
    assert [word for word in words if word not in message] == [], message


def test_blanks_are_missing_where_that_is_said(tmp_path):
    words = argv(tmp_path, "id: id}", 'id: id, missing: "(none)"}', "id,body\na,  \nb,y\n")
    found = only(words).experiment.factors["tweet"].levels
    assert [level.fields["body"] for level in found.values()] == ["(none)", "y"]


def test_texts_of_a_study_that_has_none_are_chosen_otherwise(tmp_path, capfd):
    message = mistake([*argv(tmp_path), "texts=[a]"], capfd)
    assert "it has no texts, but tweet: choose with factors.tweet.select=[…]" in message


# -- a level under another id


def with_rows(experiment: Experiment, **bodies: str) -> dict:
    rows = {id_: Level(id=id_, fields={"body": body}) for id_, body in bodies.items()}
    one = only_levels(experiment, "tweet", rows)
    return define(one, checked_conditions(one))


def test_a_level_that_is_asked_again_under_another_id_is_found(tmp_path):
    experiment = only(argv(tmp_path)).experiment
    old = with_rows(experiment, a="one", b="two")
    assert list(renamed(old, with_rows(experiment, z="one", b="two"))) == [("tweet", "z", "a")]
    assert list(renamed(old, with_rows(experiment, a="one", b="two", c="one"))) == []
    assert list(renamed(old, with_rows(experiment, z="three"))) == []


@pytest.mark.long
def test_a_persona_under_another_id_is_found_and_words_are_no_text(tmp_path, experiment):
    personas = dict(experiment.factors["persona"].levels)
    moved = {("px" if id_ == "p1" else id_): replace(row, id="px" if id_ == "p1" else id_)
             for id_, row in personas.items()}  # fmt: skip
    other = only_levels(experiment, "persona", moved)
    both = (define(one, checked_conditions(one)) for one in (experiment, other))
    assert list(renamed(*both)) == [("persona", "px", "p1")]
    words = only([*argv(tmp_path), "+factors.w=[x,y]", "messages.0.content='{w} {tweet.body}'"])
    one = only_levels(words.experiment, "w", {"x": Level(id="x")})
    two = only_levels(words.experiment, "w", {"q": Level(id="q")})
    assert list(renamed(*(define(e, checked_conditions(e)) for e in (one, two)))) == []
