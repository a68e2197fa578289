"""A study of its own factors: every screen names them, alone and beside a job of the bundled study."""

from dataclasses import replace

import polars as pl
import pytest

from tests.tui import made
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled, shown
from tests.tui.test_answers_data import answers_of, jobs_of
from tests.variants import first
from tui.answers import Places
from tui.cells import UNICODE, fit_ends
from tui.conditions import Conditions, cells_of, spelled
from tui.rowtable import RowTable
from tui.scoring import PIVOTS, Pivot, pivots_of, score_table
from tui.views.answers import csv_of
from tui.views.plan import MOST_READ, factor_lines, planned, shortened
from tui.words import parse, select

SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x36"])
LEVELS = [
    (review, wording) for review in ("r1", "r 3", "日本") for wording in ("neutral", "leading")
]


def typing(outputs, experiment: str, words: str) -> tuple[str, int]:
    """Return the screen after filter words were typed with what was notified, and how many rows there are."""

    async def script(pilot):
        await pilot.press("slash")
        pilot.app.screen.query_one("Filter").value = words
        await pilot.press("enter")
        await settled(pilot)
        said = [notice.message for notice in pilot.app._notifications]
        rows = len(pilot.app.screen.query_one("#answers", RowTable).rows)
        return "\n".join([screen_text(pilot.app), *said]), rows

    found: tuple[str, int] = drive(dashboard(outputs, experiment, view="Answers"), script)
    return found


@SIZES
@pytest.mark.parametrize("experiment", first(1, ["reviews", "mixed"]))
@pytest.mark.parametrize("view", ["Plan", "Answers", "Scores"])
def test_every_view(studies, screen, view, experiment, size):
    assert shown(studies, experiment, view=view, size=size) == screen


def test_the_jobs_side_by_side(studies, screen):
    assert shown(studies, "mixed", view="Jobs") == screen


@pytest.mark.long
@SIZES
def test_one_answer_with_its_levels_and_its_prompt(studies, screen, size):
    assert shown(studies, "reviews", *"jjjjjjjj", "enter", "t", view="Answers", size=size) == screen


def test_the_first_prompt_with_its_levels(studies, screen):
    assert shown(studies, "reviews", "e", view="Plan") == screen


# -- answers


def names_of(answers, line: str) -> list[str]:
    """Return the custom_ids of what fits a filter, from all jobs."""
    words = parse(line, {"persona": "p1", "text": "t1", "review": "r 3", "wording": "neutral"})
    rows = tuple(select(one, words) for one in answers.jobs)
    places = Places(answers, rows)
    return [places.key(n) for n in range(len(places))]


def own(answers):
    return next(one for one in answers.jobs if "review" in one.conditions.names)


def levels_of_rows(one) -> list[tuple[str, ...]]:
    """Return the levels of each request, from the ledger's own definition."""
    rows = one.experiment["definition"]["conditions"]
    stems = [name.rpartition("_n")[0] for name in one.table["custom_id"]]
    return [(rows[stem]["review"], rows[stem]["wording"]) for stem in stems]


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("review:r1", lambda review, wording: review == "r1"),
        ("review:R1", lambda review, wording: review == "r1"),
        ("review:r", lambda review, wording: False),
        ('review:"r 3"', lambda review, wording: review == "r 3"),
        ("review:日本", lambda review, wording: review == "日本"),
        ('review:"r 3",日本', lambda review, wording: review in ("r 3", "日本")),
        (
            'review:"r 3" wording:leading',
            lambda review, wording: (review, wording) == ("r 3", "leading"),
        ),
        ("persona:p1", lambda review, wording: False),
    ],
)
@pytest.mark.parametrize("experiment", ["reviews", "mixed"])
def test_a_filter_by_a_factor_shows_what_it_says(studies, experiment, line, holds):
    answers = answers_of(studies / experiment)
    one = own(answers)
    expected = [
        f"{one.name}/{name}"
        for name, levels in zip(one.table["custom_id"], levels_of_rows(one), strict=True)
        if holds(*levels)
    ]
    found = [key for key in names_of(answers, line) if key.startswith(f"{one.name}/")]
    assert found == expected


def test_a_filter_by_a_factor_leaves_out_jobs_without_it(studies):
    answers = answers_of(studies / "mixed")
    assert {key.split("/")[0] for key in names_of(answers, "wording:neutral")} == {"own"}
    assert {key.split("/")[0] for key in names_of(answers, "persona:p1")} == {"bundled"}
    assert names_of(answers, "review:?") == []


def test_levels_that_differ_in_capitals_alone_are_told_apart(studies):
    (one,) = answers_of(studies / "reviews").jobs
    stems = one.conditions.stems
    levels = dict(zip(stems, ["a", "A", "a", "B", "B", "B"], strict=True))
    rows = {stem: {"review": level, "temperature": None} for stem, level in levels.items()}
    other = replace(
        one,
        conditions=Conditions({"design": {"factors": "review"}, "conditions": rows}, stems),
    )

    def levels_found(line: str) -> set[str]:
        found = select(other, parse(line, {"review": "a"}))
        return {levels[stems[place]] for place in other.table["condition"].gather(found)}

    assert levels_found("review:a") == {"a"}
    assert levels_found("review:A") == {"A"}
    assert levels_found("review:b") == {"B"}


@pytest.mark.parametrize("experiment", first(1, ["reviews", "mixed"]))
def test_a_filter_is_typed_with_its_level_in_quotation_marks(studies, experiment):
    text, rows = typing(studies, experiment, 'review:"r 3" wording:neutral')
    assert rows == 4
    assert "4 of" in text


def test_a_word_that_is_no_factor_here_says_which_are(studies):
    told = "review, wording, temperature, trial"
    says = parse("persona:p1", {"review": "r 3", "wording": "neutral"})
    assert isinstance(says, str)
    assert told in says
    assert "persona:" in says
    assert 'review:"r 3"' in str(parse("review:", {"review": "r 3"}))
    text, rows = typing(studies, "reviews", "persona:p1")
    assert rows == 24
    assert "is no filter word" in text


@pytest.mark.parametrize("experiment", ["reviews", "mixed"])
def test_the_file_of_answers_has_a_column_a_factor_as_the_runners_own_table(studies, experiment):
    answers = answers_of(studies / experiment)
    head, *rows = csv_of(Places(answers))
    assert len(set(head)) == len(head)
    told = {
        (row[0], row[head.index("custom_id")]): dict(zip(head, row, strict=True)) for row in rows
    }
    one = own(answers)
    stars = {"r1": "5", "r 3": "4", "日本": "1"}
    for name, (review, wording) in zip(one.table["custom_id"], levels_of_rows(one), strict=True):
        row = told[one.name, name]
        assert (row["review"], row["wording"]) == (review, wording)
        assert row["review_stars"] == stars[review]
        assert row.get("persona", "") == ""
    if experiment == "mixed":
        assert told["bundled", "p2_t1_n01"]["persona_name"] == "文学研究者"
        assert told["bundled", "p2_t1_n01"]["review"] == ""


def test_a_factor_that_is_called_like_a_word_of_ours_keeps_both_apart(studies):
    (one,) = answers_of(studies / "reviews").jobs
    stems = one.conditions.stems
    rows = {
        stem: {"state": "ohio" if number % 2 else "iowa", "temperature": None}
        for number, stem in enumerate(stems)
    }
    conditions = Conditions({"design": {"factors": "state"}, "conditions": rows}, stems)
    other = replace(one, conditions=conditions)
    factors = {"state": "iowa"}
    assert spelled("state") == "factor.state"
    assert cells_of(conditions[0]) == {"state": {"factor.state": "iowa"}}
    iowa = select(other, parse("factor.state:iowa", factors))
    assert set(other.table["condition"].gather(iowa)) == {0, 2, 4}
    failed = select(other, parse("state:failed", factors))
    assert failed is not None
    assert failed.to_list() == select(one, parse("state:failed")).to_list()
    assert "there are open, success" in str(parse("state:iowa", factors))


def test_a_condition_that_the_definition_lacks_has_unknown_levels():
    definition = {"design": {"factors": "review, wording"}, "conditions": {}}
    (condition,) = Conditions(definition, ["r1_x"])
    assert [level.label for level in condition.levels.values()] == ["?", "?"]


def test_an_id_that_is_too_long_keeps_its_trial():
    assert fit_ends("c44c4fb98212340ff_n01", 12) == "c44c4f…f_n01"
    assert fit_ends("r1_n01", 12) == "r1_n01      "
    assert fit_ends("c44c4fb98212340ff_n01", 2) == "c…"


# -- scores


def table_of(studies, experiment: str, pivot: Pivot):
    return score_table(answers_of(studies / experiment), pivot)


@pytest.mark.parametrize("experiment", ["reviews", "mixed"])
@pytest.mark.parametrize("by", [("review",), ("wording",), ("review", "wording")], ids="-".join)
def test_every_score_is_that_of_the_runners_own_table(studies, experiment, by):
    one = own(answers_of(studies / experiment))
    levels = [dict(zip(("review", "wording"), row, strict=True)) for row in levels_of_rows(one)]
    theirs = pl.DataFrame(levels).with_columns(
        state=one.table["state"], **{q: one.column(f"{q}_value") for q in made.LABELS}
    )
    groups = {tuple(key): frame for key, frame in theirs.group_by(by)}
    table = table_of(studies, experiment, Pivot(by))
    assert {row.labels for row in table.rows} == set(groups)
    assert sum(row.n for row in table.rows) == 23
    for row in table.rows:
        frame = groups[row.labels]
        assert (row.n, row.failed) == (
            frame["state"].is_in([1, 2]).sum(),
            (frame["state"] == 3).sum(),
        )
        for q in made.LABELS:
            values = frame[q].drop_nulls()
            assert row.scores[q].n == len(values) == sum(row.scores[q].bins)
            assert row.scores[q].mean == pytest.approx(values.mean())
            assert row.scores[q].sd == pytest.approx(values.std())


def test_rows_are_by_any_factor_any_pair_that_is_asked_together_and_the_model(studies):
    def names(experiment):
        return [pivot.name for pivot in pivots_of(jobs_of(studies / experiment))]

    assert names("reviews") == ["review", "wording", "review x wording", "model"]
    assert names("mixed") == [
        *("persona", "text", "review", "wording", "persona x text", "review x wording"),
        *("model", "temperature"),
    ]
    bundled = [job for job in jobs_of(studies / "mixed") if job.name == "bundled"]
    assert pivots_of(bundled) == pivots_of([]) == PIVOTS
    other = replace(bundled[0], experiment=jobs_of(studies / "reviews")[0].experiment)
    elsewhere = {**other.experiment["definition"], "model": {"provider": "x", "name": "y"}}
    other = replace(other, experiment={"definition": elsewhere})
    several = pivots_of([*jobs_of(studies / "reviews"), other])
    assert [p.name for p in several if "model" in p.by] == [
        *("model x review", "model x wording", "model"),
    ]


def test_p_goes_through_all_of_them_and_comes_round(studies):
    async def script(pilot):
        heads = []
        for _ in range(5):
            heads.append(pilot.app.screen.query_one("#scores-head").text.split("  ")[0])
            await pilot.press("p")
            await settled(pilot)
        return heads

    heads = drive(dashboard(studies, "reviews", view="Scores"), script)
    assert heads == ["review", "wording", "review x wording", "model", "review"]


def test_jobs_without_a_factor_are_in_none_of_its_rows_and_that_is_told(studies):
    table = table_of(studies, "mixed", Pivot(("review",)))
    assert table.notes[0] == "left out: 1 of 2 jobs, without review"
    assert [row.labels for row in table.rows] == [("r1",), ("r 3",), ("日本",)]
    both = table_of(studies, "mixed", Pivot(("model",)))
    assert both.notes == ()
    assert sum(row.n for row in both.rows) == 23 + sum(
        row.n for row in table_of(studies, "mixed", PIVOTS[0]).rows
    )
    nowhere = table_of(studies, "reviews", PIVOTS[0])
    assert list(nowhere.rows) == []


def test_one_id_for_two_texts_is_in_two_rows_and_that_is_told(studies):
    answers = answers_of(studies / "reviews")
    (one,) = answers.jobs
    definition = one.experiment["definition"]
    other = {**definition["factors"], "wording.neutral": {"sha256": "another"}}
    changed = Conditions({**definition, "factors": other}, one.conditions.stems)
    table = score_table(
        replace(answers, jobs=(one, replace(one, conditions=changed))), Pivot(("wording",))
    )
    assert [row.labels for row in table.rows] == [("neutral",), ("leading",), ("neutral",)]
    assert table.notes == ("wording neutral: not the same text in all jobs, so a row each",)
    same = score_table(replace(answers, jobs=(one, one)), Pivot(("wording",)))
    assert [row.labels for row in same.rows] == [("neutral",), ("leading",)]
    assert same.notes == ()


def test_a_row_of_scores_is_found_by_its_key_and_made_when_asked_for(studies):
    rows = table_of(studies, "reviews", Pivot(("review", "wording"))).rows
    assert [row.labels for row in rows] == LEVELS
    assert [rows.find(row.key) for row in rows] == list(range(6))
    assert rows.find("nobody") is None
    assert rows[-1].labels == rows[5].labels
    assert [row.labels for row in rows[1:3]] == LEVELS[1:3]
    with pytest.raises(IndexError):
        rows[6]


# -- plan


def test_an_older_ledger_without_a_plan_names_its_factors(studies):
    (job,) = jobs_of(studies / "reviews")
    plan = planned(replace(job, plan=None))
    told = ["".join(text for text, _ in line) for line in factor_lines([plan], 80, UNICODE)]
    assert told[0].split() == ["review", "3", "r1", "·", "r", "3", "·", "日本"]
    assert told[1].split() == ["wording", "×", "2", "neutral", "·", "leading"]
    assert told[3].split() == ["trials", "×", "4"]


def test_the_columns_of_a_plan_stand_below_one_another_whatever_a_factor_is_called(studies):
    (job,) = jobs_of(studies / "reviews")
    long = {"name": "a_factor_with_a_name", "count": 7, "values": ["x"]}
    plan = planned(job)
    plan = replace(plan, facts={**plan.facts, "factors": [long, *plan.facts["factors"]]})
    told = ["".join(text for text, _ in line) for line in factor_lines([plan], 80, UNICODE)]
    assert told[0].startswith("a_factor_with_a_name ")
    assert told[0].index("7") == told[1].index("3") == told[-1].index("24") + 1


# -- many levels


def many(count: int) -> dict:
    """Return the definition of a factor of many levels."""
    ids = [f"r{n}" for n in range(count)]
    return {
        "design": {"factors": "review"},
        "factors": {f"review.{id_}": {"sha256": "", "kept": {"stars": 5}} for id_ in ids},
        "conditions": {id_: {"review": id_, "temperature": None} for id_ in ids},
    }


def test_of_many_conditions_only_those_that_are_asked_for_are_looked_up(monkeypatch):
    from tui import conditions

    looked: list[object] = []
    real = conditions.level_of
    monkeypatch.setattr(
        conditions, "level_of", lambda *words: (looked.append(words[2]), real(*words))[1]
    )
    definition = many(100_000)
    found = Conditions(definition, list(definition["conditions"]))
    assert len(found) == 100_000
    assert found[99_999].levels["review"].kept == {"stars": "5"}
    assert looked == ["r99999"]
    assert conditions.factors_of([definition]) == {"review": "r0"}
    assert len(looked) == 1


def test_a_long_definition_is_shown_to_a_limit_that_is_told():
    found = shortened(many(5_000) | {"model": {"name": "x"}})
    assert len(found["conditions"]) == MOST_READ + 1
    assert found["conditions"]["..."] == "4,000 more"
    assert found["model"] == {"name": "x"}
    assert shortened(many(10)) == many(10)
