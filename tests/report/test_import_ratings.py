"""What people answered: taken in row by row, or refused with every reason and its row."""

from dataclasses import replace

import polars as pl
import pytest

from runner.core.errors import ConfigError
from runner.tables.import_ratings import import_ratings
from tests.unit.composing import composed


@pytest.fixture
def take(experiment, tmp_path):
    def take(*lines, of=experiment, encoding="utf-8"):
        path = tmp_path / "people.csv"
        path.write_bytes("\r\n".join(lines).encode(encoding))
        return import_ratings(path, of, tmp_path / "outputs")

    return take


def table(taken):
    return pl.read_parquet(taken.folder / "ratings.parquet")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_ratings_are_taken_in_by_id_or_by_name(take, encoding):
    taken = take(
        "rater;text;item;value",
        *("r1;懐中時計;面白さ;80", "r1;t3;Q1;７０", "r2;t1;Q1;", "r2;t1;Ｑ2;10.0"),
        encoding=encoding,
    )
    assert (taken.ratings, taken.missing, taken.raters) == (3, 1, 2)
    assert (taken.items, taken.factors) == (("Q1", "Q2"), ("text",))
    rows = table(taken).select("rater", "text", "item", "value", "source_row").rows()
    assert rows == [
        ("r1", "t1", "Q1", "80", 2),
        ("r1", "t3", "Q1", "70", 3),
        ("r2", "t1", "Q1", None, 4),
        ("r2", "t1", "Q2", "10", 5),
    ]


def test_labels_are_taken_in_by_id_or_as_they_were_shown(take):
    labels = composed(["experiment=labels"])[0].experiment
    factor = next(iter(labels.factors))
    level = next(iter(labels.factors[factor].levels))
    question = next(q for q in labels.questions.questions if q.options)
    option = question.options[0]
    id_, shown = option.id, option.label or option.id
    head = f"rater,{factor},item,value"
    taken = take(
        head, f"a,{level},{question.id},{id_}", f"b,{level},{question.id},{shown}", of=labels
    )
    assert table(taken)["value"].to_list() == [id_, id_]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (",t1,Q1,5", "row 2: rater is empty"),
        ("r,t1,Q9,5", "row 2: item 'Q9' is not known"),
        ("r,t99,Q1,5", "row 2: text 't99' is not known"),
        ("r,,Q1,5", "row 2: text '' is not known"),
        ("r,t1,Q1,101", "row 2: Q1 '101': allowed: whole number from 0 to 100, or empty"),
        ("r,t1,Q1,5.5", "row 2: Q1 '5.5'"),
        ("r,t1,Q1,8²", "row 2: Q1 '8²'"),
        ("r,t1,Q1,1e1", "row 2: Q1 '1e1'"),
        ('r,t1,Q1,"8,5"', "row 2: Q1 '8,5'"),
        ("r,t1,Q1,5\nｒ,t1,Q1,5", "row 3: repeats row 2: r, Q1, t1"),
        ('"r\n1",t1,Q1,5\n"r', "row 3: cannot be read as CSV (unexpected end of data)"),
        ("r,t1,Q1,5,6", "row 2: has 5 cells, the heading 4"),
        ("r,t1,Q1,5\nr,懐中時計,Q1,6", "row 3: repeats row 2: r, Q1, t1"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(take, tmp_path, line, why):
    with pytest.raises(ConfigError, match=r"Nothing was imported") as error:
        take("rater,text,item,value", line)
    assert why in str(error.value)
    assert not (tmp_path / "outputs").exists()


def test_a_heading_has_to_be_known_and_other_ratings_are_not_replaced(take):
    with pytest.raises(ConfigError, match="column rater is not there"):
        take("text,item,value", "t1,Q1,5")
    with pytest.raises(ConfigError, match="column 'txt' is not known"):
        take("rater,txt,item,value", "r,t1,Q1,5")
    with pytest.raises(ConfigError, match="has no row"):
        take("rater,text,item,value")
    first = take("rater,text,item,value", "r,t1,Q1,5")
    assert take("rater,text,item,value", "r,t1,Q1,5") == first
    with pytest.raises(ConfigError, match=r"holds other ratings already \(people.csv\)"):
        take("rater,text,item,value", "r,t1,Q1,6")


def test_a_name_that_two_levels_share_stands_for_neither(take, experiment):
    levels = dict(experiment.factors["text"].levels)
    levels["t2"] = replace(levels["t2"], fields=levels["t1"].fields)
    factors = {**experiment.factors, "text": replace(experiment.factors["text"], levels=levels)}
    with pytest.raises(ConfigError, match="row 2: text '懐中時計' is not known"):
        take("rater,text,item,value", "r,懐中時計,Q1,5", of=replace(experiment, factors=factors))


def test_a_factor_that_is_called_rater_is_refused(take, experiment):
    factors = {**experiment.factors, "rater": experiment.factors["text"]}
    with pytest.raises(ConfigError, match="has a factor rater"):
        take("rater,item,value", "r,Q1,5", of=replace(experiment, factors=factors))


def test_an_import_takes_the_study_s_columns_or_ratings(tmp_path):
    with pytest.raises(ConfigError, match="kind=rating: of an import allowed: ratings"):
        composed(["action=import", "input=x.csv", "kind=rating"])
