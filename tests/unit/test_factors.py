"""Factors of a study: from words, from files of every kind, chosen, drawn, kept, paired; and refused."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.factors import Places, design_of, factors_of, messages_of, named_in
from runner.config.schema import MessageConfig
from runner.core.errors import ConfigError
from runner.core.model import Factor

ROWS = "review_id,stars,body\n007,5,I love it\nr2,1,1.0 of 10\nr 3,4,日本から\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A configuration folder with one table in it."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "reviews.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def factor(home: Path, said: Any, *fields: str, data: str | None = None) -> Factor:
    """The factor `review`, of which a message names these fields."""
    named = {"review": set(fields)}
    there = {"review": data} if data else {}
    return factors_of({"review": said}, named, there, places(home))["review"]


def places(home: Path, *, rehearsal: bool = True) -> Places:
    return Places(folders=[home], outputs=home / "outputs", name="mine", rehearsal=rehearsal)


def sent(one: Factor) -> dict[str, dict[str, str]]:
    return {id_: dict(level.fields) for id_, level in one.levels.items()}


def refusal(home: Path, said: Any, *fields: str) -> str:
    with pytest.raises(ConfigError) as caught:
        factor(home, said, *fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- levels in the YAML


def test_a_list_is_levels_that_are_their_own_ids(home):
    one = factor(home, ["neutral", "leading"])
    assert (list(one.levels), one.main) == (["neutral", "leading"], None)


def test_a_level_with_one_text_stands_for_it(home):
    one = factor(home, {"levels": {"a": "How?\n", "b": {"text": "Why?"}}})
    assert (sent(one), one.main) == ({"a": {"text": "How?"}, "b": {"text": "Why?"}}, "text")


def test_a_temperature_of_a_level_is_no_text_of_it(home):
    one = factor(home, {"levels": {"a": {"text": "x", "temperature": "0.50"}}})
    assert one.levels["a"].temperature == Decimal("0.5")
    assert sent(one) == {"a": {"text": "x"}}


# -- levels from a file


def test_cells_are_sent_as_they_stand_and_ids_keep_their_zeros(home):
    one = factor(home, {"file": "reviews.csv", "id": "review_id"}, "body")
    assert sent(one) == {
        "007": {"body": "I love it"},
        "r2": {"body": "1.0 of 10"},
        "r 3": {"body": "日本から"},
    }


def test_what_is_kept_has_a_type_and_what_is_sent_is_not_kept_by_itself(home):
    one = factor(home, {"file": "reviews.csv", "id": "review_id"}, "body")
    assert [dict(level.kept) for level in one.levels.values()] == [
        {"stars": 5},
        {"stars": 1},
        {"stars": 4},
    ]


def test_what_is_kept_says_what_the_file_says(home):
    (home / "t.csv").write_text(
        "id,body,pid,big,price,n,x\na,t,007,12345678901234567890,1.10,5,0.5\nb,u,12,3,2.00,6,1.5\n"
    )
    one = factor(home, {"file": "t.csv", "id": "id"}, "body").levels["a"]
    assert one.kept == {
        "pid": "007",
        "big": "12345678901234567890",
        "price": "1.10",
        "n": 5,
        "x": 0.5,
    }


def test_long_columns_are_not_kept_unless_they_are_named(home):
    long = "x" * 41
    (home / "t.csv").write_text(f"id,note,body\na,{long},text\n")
    assert factor(home, {"file": "t.csv", "id": "id"}, "body").levels["a"].kept == {}
    named = factor(home, {"file": "t.csv", "id": "id", "keep": ["note"]}, "body")
    assert named.levels["a"].kept == {"note": long}


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
def test_files_of_every_kind_say_the_same(home, kind):
    frame = pl.DataFrame(
        {"id": ["a", "b"], "body": ['say "x",\n{y}', "　日本\u2028語"], "n": [1.5, None]}
    )
    path = home / f"t.{kind}"
    match kind:
        case "csv":
            frame.write_csv(path)
        case "tsv":
            frame.write_csv(path, separator="\t")
        case "jsonl":
            frame.write_ndjson(path)
        case "parquet":
            frame.write_parquet(path)
        case "xlsx":
            frame.write_excel(path)
    one = factor(home, {"file": path.name, "id": "id"}, "body")
    assert sent(one) == {"a": {"body": 'say "x",\n{y}'}, "b": {"body": "　日本\u2028語"}}
    assert [level.kept for level in one.levels.values()] == [{"n": 1.5}, {"n": None}]


def test_typed_cells_are_written_in_their_shortest_exact_form(home):
    (home / "t.jsonl").write_text(
        '{"id":"a","n":1,"x":2.50,"yes":true}\n{"id":"b","n":20,"x":3,"yes":false}\n'
    )
    one = factor(home, {"file": "t.jsonl", "id": "id"}, "n", "x", "yes")
    assert sent(one) == {
        "a": {"n": "1", "x": "2.5", "yes": "true"},
        "b": {"n": "20", "x": "3", "yes": "false"},
    }


def test_a_sheet_says_whole_numbers_and_days_as_they_look(home):
    frame = pl.DataFrame({"id": ["a"], "n": [3], "x": [0.5], "day": [date(2026, 11, 29)]})
    frame.write_excel(home / "t.xlsx")
    one = factor(home, {"file": "t.xlsx", "id": "id"}, "n", "x", "day")
    assert sent(one) == {"a": {"n": "3", "x": "0.5", "day": "2026-11-29"}}


def test_a_file_that_only_looks_like_a_sheet_is_refused(home):
    (home / "t.xlsx").write_bytes(b"PK\x03\x04 no sheet")
    assert "t.xlsx cannot be read" in refusal(home, {"file": "t.xlsx", "id": "id"}, "body")


def test_without_an_id_a_level_is_named_after_what_is_sent_of_it(home):
    (home / "a.csv").write_text("body,note\nx,1\ny,2\n")
    (home / "b.csv").write_text("note,more,body\n9,8,y\n9,8,z\n9,8,x\n")
    one, other = (factor(home, {"file": f"{n}.csv"}, "body") for n in "ab")
    names = {level.fields["body"]: id_ for id_, level in one.levels.items()}
    again = {level.fields["body"]: id_ for id_, level in other.levels.items()}
    assert {word: again[word] for word in "xy"} == names
    assert len(set(again.values())) == 3


def test_rows_are_chosen_by_an_expression_over_typed_columns(home):
    one = factor(home, {"file": "reviews.csv", "id": "review_id", "where": "stars >= 4"}, "body")
    assert list(one.levels) == ["007", "r 3"]
    assert [level.kept["stars"] for level in one.levels.values()] == [5, 4]


def test_an_empty_cell_is_filled_where_the_study_says_with_what(home):
    (home / "t.csv").write_text('id,body\na,\nb,"x"\n')
    said = {"file": "t.csv", "id": "id", "missing": {"body": "(none)"}}
    assert sent(factor(home, said, "body")) == {"a": {"body": "(none)"}, "b": {"body": "x"}}


def test_the_command_line_may_put_another_file_in_its_place(home, tmp_path):
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("review_id,body\nz,hello\n")
    said = {"file": "reviews.csv", "id": "review_id"}
    assert list(factor(home, said, "body", data=str(elsewhere)).levels) == ["z"]


# -- samples


def drawn(home: Path, rows: int, seed: int = 1, by: str | None = None) -> list[str]:
    sample = {"rows": str(rows), "seed": str(seed)} | ({"by": by} if by else {})
    return list(factor(home, {"file": "many.csv", "id": "id", "sample": sample}, "body").levels)


@pytest.fixture
def many(home: Path) -> Path:
    lines = [f"i{n},{n % 3},text {n}" for n in range(60)]
    (home / "many.csv").write_text("\n".join(["id,g,body", *lines]) + "\n")
    return home


def test_a_larger_sample_holds_every_smaller_one_and_another_seed_is_another_one(many):
    small, large = drawn(many, 10), drawn(many, 30)
    assert (len(small), len(large)) == (10, 30)
    assert set(small) < set(large)
    assert set(small) != set(drawn(many, 10, seed=2))
    assert large == sorted(large, key=lambda id_: int(id_[1:]))  # in the order of the file


def test_a_sample_does_not_depend_on_the_order_of_rows(many):
    before = set(drawn(many, 10))
    head, *lines = (many / "many.csv").read_text().splitlines()
    (many / "many.csv").write_text("\n".join([head, *reversed(lines)]) + "\n")
    assert set(drawn(many, 10)) == before


def test_a_sample_by_a_column_takes_as_many_of_each(many):
    found = drawn(many, 9, by="g")
    assert sorted(int(id_[1:]) % 3 for id_ in found) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert set(found) < set(drawn(many, 12, by="g"))


# -- refusals: the file, the row, what is allowed


@pytest.mark.parametrize(
    ("said", "fields", "words"),
    [
        ({"file": "nothing.csv"}, ["body"], ["nothing.csv does not exist"]),
        ({"file": "reviews.pdf"}, ["body"], ["reviews.pdf", "csv, tsv, jsonl"]),
        ({"file": "/etc/passwd"}, [], ["allowed: a file beside"]),
        ({"file": "../x.csv"}, [], ["allowed: a file beside"]),
        ({"file": "reviews.csv", "id": "reveiw_id"}, ["body"], ["did you mean review_id?"]),
        ({"file": "reviews.csv", "id": "review_id"}, ["bdoy"], ["'bdoy'", "did you mean body?"]),
        ({"file": "reviews.csv", "keep": ["star"]}, ["body"], ["keep", "did you mean stars?"]),
        ({"file": "reviews.csv", "where": "stars >"}, ["body"], ["where", "'stars >'"]),
        ({"file": "reviews.csv", "where": "star > 1"}, ["body"], ["where", "star"]),
        ({"file": "reviews.csv", "where": "stars"}, ["body"], ["is no condition"]),
        ({"file": "reviews.csv", "where": "stars > 9"}, ["body"], ["has no row where stars > 9"]),
        ({"file": "reviews.csv", "idd": "x"}, ["body"], ["idd", "did you mean id?"]),
        ({"file": "reviews.csv", "sample": {"rows": "0"}}, ["body"], ["whole number from 1"]),
        ({"file": "reviews.csv", "levels": ["a"]}, [], ["either levels: or file: or from:"]),
        ({}, [], ["either levels: or file: or from:"]),
        ("x", [], ["a list of words"]),
        (["a", "a"], [], ["'a' stands twice"]),
        ({"levels": {"a": {"text": "x"}, "b": {"txet": "y"}}}, ["text"], ["levels.b", "'text'"]),
        ({"levels": {"a": {"temperature": "9"}}}, [], ["temperature", "-5 to 5"]),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(home, said, fields, words):
    message = refusal(home, said, *fields)
    assert [word for word in ("factors.review", *words) if word not in message] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,body\na,x\nb,y\na,z\n", ["rows 1 and 3", "the same id, 'a'"]),
        ("id,body\na,x\n,y\n", ["row 2", "the column id is empty"]),
        ("id,body\na,x\nb,\n", ["row 2", "'body' is empty", "missing:"]),
        ("id,body\n", ["holds no rows"]),
        ("id,body,body\na,x,y\n", ["two columns are called 'body'"]),
        ("id;body\na;x\n", ["separated by semicolons", "commas, as CSV"]),
        ("", ["cannot be read"]),
    ],
)
def test_a_row_that_cannot_be_asked_is_named(home, text, words):
    (home / "t.csv").write_text(text)
    message = refusal(home, {"file": "t.csv", "id": "id"}, "body")
    assert [word for word in ("t.csv", *words) if word not in message] == []


def test_rows_that_are_sent_alike_need_an_id(home):
    (home / "t.csv").write_text("note,body\n1,x\n2,x\n")
    message = refusal(home, {"file": "t.csv"}, "body")
    assert "rows 1 and 2 are sent alike" in message


def test_a_link_out_of_the_folder_is_not_followed(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "secret.csv"
    other.write_text("id,body\na,secret\n")
    (home / "t.csv").symlink_to(other)
    assert "link that leaves its folder" in refusal(home, {"file": "t.csv", "id": "id"}, "body")


def test_bytes_that_are_no_text_are_refused(home):
    (home / "t.csv").write_bytes(b"id,body\na,\xff\xfe\n")
    assert "no UTF-8 text" in refusal(home, {"file": "t.csv", "id": "id"}, "body")


@pytest.mark.parametrize("name", ["items", "form", "temperature", "custom_id", "Review", "a b", ""])
def test_a_name_that_means_something_else_is_refused(home, name):
    with pytest.raises(ConfigError, match=r"choose another name|allowed: a small letter"):
        factors_of({name: ["a"]}, {name: set()}, {}, places(home))


def test_a_factor_that_no_message_names_is_refused(home):
    with pytest.raises(ConfigError, match="would be asked the same"):
        factors_of({"review": ["a", "b"]}, {}, {}, places(home))


def test_a_file_for_a_factor_that_is_not_there_is_refused(home):
    with pytest.raises(ConfigError, match=r"data\.reviwe: .*did you mean review\?"):
        factors_of({"review": ["a"]}, {"review": set()}, {"reviwe": "x.csv"}, places(home))


# -- another study's answers


def answered(home: Path, run: str, *rows: tuple[str, str, str, bool]) -> None:
    folder = home / "outputs" / "first" / run
    folder.mkdir(parents=True)
    pl.DataFrame(
        rows, schema=["custom_id", "status", "raw_answer", "rehearsal"], orient="row"
    ).with_columns(model=pl.lit(run)).write_parquet(folder / "answers.parquet")


def test_answers_of_another_study_are_levels(home):
    answered(home, "a", ("x_n01", "success", "Yes {it} is", False), ("x_n02", "failed", "", False))
    answered(home, "b", ("x_n01", "retry_success", "No", False))
    one = factor(home, {"from": "first", "keep": ["model"]}, "raw_answer")
    assert sent(one) == {"a/x_n01": {"raw_answer": "Yes {it} is"}, "b/x_n01": {"raw_answer": "No"}}
    assert [level.kept for level in one.levels.values()] == [{"model": "a"}, {"model": "b"}]


def test_rehearsed_answers_are_taken_only_where_there_are_no_others_and_none_is_paid_for(home):
    answered(home, "a", ("x_n01", "success", "made up", True))
    section, named = {"review": {"from": "first"}}, {"review": {"raw_answer"}}
    assert sent(factor(home, {"from": "first"}, "raw_answer")) == {
        "a/x_n01": {"raw_answer": "made up"}
    }
    with pytest.raises(ConfigError, match="rehearsed answers only"):
        factors_of(section, named, {}, places(home, rehearsal=False))
    answered(home, "b", ("x_n01", "success", "real", False))
    for rehearsal in (True, False):
        found = factors_of(section, named, {}, places(home, rehearsal=rehearsal))["review"]
        assert list(found.levels) == ["b/x_n01"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("mine", "another one's answers"),
        ("../first", "allowed: the name of an experiment"),
        ("frist", "did you mean first?"),
        ("empty", "has no answers yet"),
    ],
)
def test_answers_that_are_not_there_are_refused(home, name, word):
    answered(home, "a", ("x_n01", "success", "x", False))
    (home / "outputs" / "empty").mkdir()
    assert word in refusal(home, {"from": name}, "raw_answer")


# -- messages


def said(*turns: tuple[str, str]) -> list[MessageConfig]:
    return [MessageConfig(role=role, content=content) for role, content in turns]


@pytest.mark.parametrize(
    ("turns", "word"),
    [
        ([("usr", "x")], "did you mean user?"),
        ([("user", " \n")], "content is empty"),
        ([("user", "x"), ("system", "y"), ("user", "z")], "stands before all others"),
        ([("user", "x"), ("assistant", "y")], "the last one is the user's"),
    ],
)
def test_messages_that_no_service_takes_are_refused(turns, word):
    with pytest.raises(ConfigError) as caught:
        messages_of(said(*turns))
    assert word in str(caught.value)


def test_what_messages_name_is_found_and_other_braces_are_text():
    text = '{review.body} {wording} {"rating": 4} {{review.title}} { x } {4} {review.my column}'
    assert named_in([text]) == {"review": {"body", "my column"}, "wording": set()}


# -- the design


def two(home: Path) -> dict[str, Factor]:
    section = {"a": ["a1", "a2"], "b": ["b1", "b2"], "c": ["c1", "c2", "c3"]}
    return factors_of(section, {name: set() for name in section}, {}, places(home))


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ({"with": {"a": "x"}}, ["'x' is no factor"]),
        ({"with": {"a": "c"}}, ["a has 2 levels and c has 3"]),
        ({"with": {"a": "b", "b": "c"}}, ["goes along with another one itself"]),
        ({"cross": ["a", "b"]}, ["names every factor that is in no pair", "a, b, c"]),
        ({"blocks": "a"}, ["blocks", "no such key"]),
        ({"only": "d.csv", "with": {"a": "b"}}, ["only: stands alone"]),
        ({"only": "none.csv"}, ["none.csv does not exist"]),
    ],
)
def test_a_design_that_cannot_be_is_refused(home, design, words):
    with pytest.raises(ConfigError) as caught:
        design_of(design, two(home), [home])
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("a,b\na1,b1\n", "has no column 'c'"),
        ("a,b,c\na1,b1,c9\n", "row 1: 'c9' is no level of c"),
        ("a,b,c\na1,b1,c1\na2,b1,c1\na1,b1,c1\n", "rows 1 and 3 are the same"),
    ],
)
def test_a_table_of_conditions_that_cannot_be_is_refused(home, rows, word):
    (home / "d.csv").write_text(rows)
    with pytest.raises(ConfigError) as caught:
        design_of({"only": "d.csv"}, two(home), [home])
    assert word in str(caught.value)


def test_a_table_of_conditions_says_them_all(home):
    (home / "d.csv").write_text("note,c,a,b\nx,c3,a1,b2\ny,c1,a2,b2\n")
    assert design_of({"only": "d.csv"}, two(home), [home]).only == (
        ("a1", "b2", "c3"),
        ("a2", "b2", "c1"),
    )


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(
            lambda cell: not cell.isspace()
        ),
        min_size=1,
        unique=True,
    )
)
def test_any_cell_is_sent_as_it_stands(tmp_path_factory, cells):
    """Whatever a cell holds, what is sent is the same characters."""
    home = tmp_path_factory.mktemp("home")
    pl.DataFrame({"id": [f"i{n}" for n in range(len(cells))], "body": cells}).write_csv(
        home / "t.csv", quote_style="always"
    )
    one = factor(home, {"file": "t.csv", "id": "id"}, "body")
    assert [level.fields["body"] for level in one.levels.values()] == cells
