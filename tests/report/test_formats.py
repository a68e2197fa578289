"""Tables for others: the study's columns, wide, long and xlsx, and the codebook of them all."""

import io
import json
import re
import zipfile
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.batches.attempts import columns
from runner.config.checks import FORMATS
from runner.core.errors import ConfigError
from runner.tables import formats
from runner.tables.codebook import COLUMNS, codebook, described
from runner.tables.export import FORMULA
from runner.tables.formats import write
from runner.tables.import_table import import_table
from runner.tables.runs import selected
from tests.report.made import LABELS, request, schema, small_study, stored_run

FIFTEEN = (
    "timestamp,text,developer,model,persona,temperature,trial,"
    "Q1value,Q2value,Q3value,Q4value,Q1reason,Q2reason,Q3reason,Q4reason"
)


def exported(outputs, folder, *formats, over="all", rehearsals=False, language="en"):
    selection = selected(outputs, [over], rehearsals=rehearsals)
    return write(selection, folder, formats or FORMATS, language=language)


def test_the_table_of_four_questions_has_the_studys_fifteen_columns(settings, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(FIFTEEN + "\n,t1,openai,gpt,p1,0.5,1,1,2,3,4,a,b,c,d\n", encoding="utf-8")
    import_table(path, settings.experiment, tmp_path)
    exported(tmp_path, tmp_path / "x", "study")
    header, row, *_ = (tmp_path / "x/study.csv").read_text(encoding="utf-8-sig").split("\n")
    assert header == FIFTEEN
    assert row == ",懐中時計,openai,gpt,大学１年生,0.5,1,1,2,3,4,a,b,c,d"


def test_the_studys_table_has_a_row_for_every_request_and_no_value_for_what_is_missing(tmp_path):
    stored_run(tmp_path, small_study())
    exported(tmp_path, tmp_path / "x", "study")
    table = pl.read_csv(tmp_path / "x/study.csv")
    assert table.height == 12
    assert table["Q1value"].null_count() == 3
    assert table["Q2value"].null_count() == 3
    open_one = table.row(11, named=True)
    assert (open_one["timestamp"], open_one["Q1value"], open_one["Q1reason"]) == (None, None, None)
    assert table.row(0, named=True)["timestamp"] == "2026-01-02T12:00:00Z"


def test_a_rehearsal_is_marked_in_every_row_of_every_table(tmp_path):
    stored_run(tmp_path, small_study(), rehearsal=True)
    exported(tmp_path, tmp_path / "x")
    study = pl.read_csv(tmp_path / "x/study.csv")
    assert study["developer"].str.starts_with("REHEARSAL ").all()
    for name in ("wide", "long"):
        assert pl.read_parquet(tmp_path / f"x/{name}.parquet")["rehearsal"].all()


def test_rehearsals_are_not_exported_beside_live_answers_unless_asked_for(tmp_path):
    stored_run(tmp_path, small_study())
    stored_run(tmp_path, small_study(), "study/openai_gpt-z", rehearsal=True)
    exported(tmp_path, tmp_path / "x", "wide")
    assert pl.read_parquet(tmp_path / "x/wide.parquet").height == 12
    exported(tmp_path, tmp_path / "x", "wide", rehearsals=True)
    assert pl.read_parquet(tmp_path / "x/wide.parquet")["rehearsal"].sum() == 12


def test_the_long_table_holds_each_value_of_the_wide_one_once(tmp_path):
    stored_run(tmp_path, small_study())
    exported(tmp_path, tmp_path / "x", "wide", "long")
    wide, long = (pl.read_parquet(tmp_path / f"x/{name}.parquet") for name in ("wide", "long"))
    assert long.height == wide.height * len(LABELS)
    for key, label in LABELS.items():
        part = long.filter(pl.col("question") == key)
        assert part["value"].to_list() == wide[f"{key}_value"].to_list()
        assert part["reason"].to_list() == wide[f"{key}_reason"].to_list()
        assert part["cause"].to_list() == wide[f"{key}_cause"].to_list()
        assert set(part["label"]) == {label}


def test_what_was_written_is_in_the_long_table_and_missing_in_an_older_one(tmp_path):
    stored_run(tmp_path, small_study(), "older/openai_gpt-x")
    new = stored_run(tmp_path, small_study(), "newer/openai_gpt-y")
    answers = pl.read_parquet(new / "answers.parquet")
    said = pl.when(pl.col("Q1_cause") == "out_of_range").then(pl.lit("150"))
    answers.with_columns(said.alias("Q1_written")).write_parquet(new / "answers.parquet")

    exported(tmp_path, tmp_path / "x", "wide", "long")

    wide, long = (pl.read_parquet(tmp_path / f"x/{name}.parquet") for name in ("wide", "long"))
    for table in (wide.rename({"Q1_written": "written"}), long):
        shown = table.filter(pl.col("written").is_not_null())
        assert shown["written"].to_list() == ["150"]
        assert shown["experiment"].to_list() == ["newer"]


def test_csv_and_parquet_of_a_table_say_the_same(tmp_path):
    stored_run(tmp_path, small_study())
    exported(tmp_path, tmp_path / "x", "long")
    parquet = pl.read_parquet(tmp_path / "x/long.parquet")
    csv = pl.read_csv(tmp_path / "x/long.csv", schema_overrides=parquet.schema)
    assert csv.equals(parquet)


def sheets(path):
    """The cells of each sheet of an xlsx file as text, and its formulas."""
    book = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    shared = [
        "".join(t.text or "" for t in item.iter(f"{space}t"))
        for item in ET.fromstring(book.read("xl/sharedStrings.xml"))
    ]
    found, formulas = [], 0
    for name in ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"):
        root = ET.fromstring(book.read(name))
        formulas += len(list(root.iter(f"{space}f")))
        found.append(
            [
                [
                    shared[int(cell.find(f"{space}v").text)]
                    if cell.get("t") == "s"
                    else getattr(cell.find(f"{space}v"), "text", None)
                    for cell in row
                ]
                for row in root.iter(f"{space}row")
            ]
        )
    return found, formulas


def test_the_workbook_holds_the_answers_and_the_codebook_and_no_formula(tmp_path):
    rows = small_study()
    rows[0]["Q1_reason"] = '=HYPERLINK("http://x")'
    rows[2]["Q1_reason"] = "長" * 40_000
    stored_run(tmp_path, rows)
    exported(tmp_path, tmp_path / "x", "xlsx")
    (answers, explained), formulas = sheets(tmp_path / "x/answers.xlsx")
    assert formulas == 0
    header = answers[0]
    assert len(answers) == 13
    assert "raw_answer" not in header
    reason = header.index("Q1_reason")
    assert answers[1][reason] == '=HYPERLINK("http://x")'
    assert len(answers[3][reason]) == formats.EXCEL_CHARACTERS
    assert answers[3][reason].endswith(formats.CUT)
    assert answers[1][header.index("Q1_value")] == "23"
    assert answers[5][header.index("Q1_value")] is None
    assert {row[0] for row in explained[1:]} == set(header)


def test_a_table_too_long_for_a_sheet_is_refused_with_a_way_out(tmp_path, monkeypatch):
    stored_run(tmp_path, small_study())
    monkeypatch.setattr(formats, "EXCEL_ROWS", 11)
    with pytest.raises(ConfigError, match=r"12 rows; a sheet holds 11: use export.format=wide"):
        exported(tmp_path, tmp_path / "x", "xlsx")
    assert not list((tmp_path / "x").glob("*.part"))


def test_runs_that_ask_something_else_under_one_number_do_not_share_a_table(tmp_path):
    stored_run(tmp_path, small_study(), "one/openai_gpt")
    stored_run(tmp_path, small_study(), "two/openai_gpt", labels={"Q1": "驚き", "Q2": "悲しみ"})
    with pytest.raises(
        ConfigError, match=r"Q1 is '面白さ' in one run and '驚き' in two/openai_gpt"
    ):
        exported(tmp_path, tmp_path / "x", "wide")


def test_one_question_asked_in_two_languages_is_one_in_the_codebook(tmp_path):
    for name, label in (("ja", "面白さ"), ("en", "Interest")):
        labels = {"Q1": label, "Q2": "悲しみ"}
        stored_run(tmp_path, small_study(), f"{name}/openai_gpt", labels=labels)
    both = {"items.Q1": {"of": "面白さ", "ja": "面白さ", "en": "Interest"}}
    runs = selected(tmp_path, ["all"], rehearsals=False)
    write(runs, tmp_path / "x", ["wide"], language="en", labels=both)
    assert "- Q1: Interest\n" in (tmp_path / "x/codebook.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="Q1 is 'Interest' in one run and '面白さ' in ja"):
        write(runs, tmp_path / "x", ["wide"], language="en")


def test_rows_that_the_studys_columns_cannot_tell_apart_are_refused(tmp_path):
    stored_run(tmp_path, small_study(), "one/openai_gpt")
    stored_run(tmp_path, small_study(), "two/openai_gpt")
    with pytest.raises(ConfigError, match="do not say from which experiment"):
        exported(tmp_path, tmp_path / "x", "study")


def test_two_personas_of_one_name_are_told_apart(tmp_path):
    rows = [request(p, "t1", 0.5, 1, Q1=(1, "r", None)) for p in ("p1", "p2")]
    stored_run(tmp_path, rows, personas={"p1": "読者", "p2": "読者"})
    exported(tmp_path, tmp_path / "x", "study")
    table = pl.read_csv(tmp_path / "x/study.csv")
    assert table["persona"].to_list() == ["読者 (p1)", "読者 (p2)"]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_no_cell_of_a_csv_is_a_formula(tmp_path_factory, reasons):
    outputs = tmp_path_factory.mktemp("formula")
    rows = [request(trial=t, Q1=(1, reason, None)) for t, reason in enumerate(reasons, 1)]
    stored_run(outputs, rows)
    exported(outputs, outputs / "x", "study")
    table = pl.read_csv(outputs / "x/study.csv", infer_schema=False)
    for written, reason in zip(table["Q1reason"], reasons, strict=True):
        assert not FORMULA.match(written or "")
        assert (written or "") in (reason, f"'{reason}")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_codebook_explains_every_column_of_every_table(tmp_path, language, settings):
    stored_run(tmp_path, small_study())
    exported(tmp_path, tmp_path / "x", language=language)
    text = (tmp_path / "x/codebook.md").read_text(encoding="utf-8")
    for name in ("study.csv", "wide.csv", "long.csv"):
        chapter = text.split(f"## {name.removesuffix('.csv') if name != 'study.csv' else name} ")[1]
        rows = re.findall(r"^\| (\w+) \|", chapter.split("\n## ")[0], re.MULTILINE)[1:]
        header = (tmp_path / "x" / name).read_text(encoding="utf-8-sig").split("\n")[0]
        assert rows == header.split(",")


def test_every_column_that_a_run_writes_is_explained(settings):
    questions = settings.experiment.questions
    labels = {q.id: q.label for q in questions.questions}
    for name in (*columns(questions), *schema(), "attempt"):
        assert described(name, labels)
    with pytest.raises(KeyError):
        described("Q9_value", labels)


def test_a_column_is_explained_in_both_languages():
    for name, column in COLUMNS.items():
        for pair in (column.allowed, column.meaning, column.empty):
            assert len(pair) == 2, name
            assert all(pair), name


def test_a_label_cannot_break_out_of_the_codebooks_table():
    text = codebook({"t": pl.Schema({"Q1_value": pl.Int64()})}, {"Q1": "a | b\n# c"}, "en")
    assert "Q1 a \\| b # c: the value" in text


def test_an_export_says_where_each_row_comes_from(tmp_path):
    stored_run(tmp_path, small_study(), "one/openai_gpt")
    stored_run(tmp_path, small_study(), "two/groq_llama")
    paths = exported(tmp_path, tmp_path / "x", "long")
    assert [path.name for path in paths] == [
        *("long.csv", "long.parquet", "codebook.md", "datapackage.json")
    ]
    long = pl.read_parquet(tmp_path / "x/long.parquet")
    assert set(long["run"]) == {"one/openai_gpt", "two/groq_llama"}
    assert json.dumps(long["imported"].to_list()).count("true") == 0
