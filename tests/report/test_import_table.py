"""An existing table: taken in as it is, or refused with every reason and its row."""

import json
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.errors import ConfigError
from runner.report import write_report
from runner.report.data import read
from runner.tables.export import FORMULA
from runner.tables.formats import write
from runner.tables.import_table import import_table
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run
from tests.report.test_formats import FIFTEEN

ROW = (
    "2025-03-01 12:30:00,懐中時計,OpenAI,gpt-4,大学1年生,0.7,1,80,70,60,50,面白い,驚く,悲しい,怒る"
)


@pytest.fixture
def desk(experiment, tmp_path):
    """Imports a text, and remembers where."""

    class Desk:
        outputs = tmp_path / "outputs"
        folder = outputs / "literary" / "imported"

        def take(self, text, encoding="utf-8"):
            path = tmp_path / "old.csv"
            path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
            return import_table(path, experiment, self.outputs)

        def rows(self, *rows):
            return self.take("\n".join([FIFTEEN, *rows]) + "\n")

        def answers(self):
            return pl.read_parquet(self.folder / "answers.parquet")

    return Desk()


def changed(**cells):
    """The row with some of its cells changed."""
    named = dict(zip(FIFTEEN.split(","), ROW.split(","), strict=True)) | cells
    return ",".join(named.values())


def test_a_table_is_taken_in_as_it_is(desk):
    taken = desk.rows(ROW, changed(trial="2", Q2value="", Q2reason=""))
    assert (taken.rows, taken.values, taken.missing) == (2, 7, 1)
    first, second = desk.answers().iter_rows(named=True)
    assert [first[f"Q{n}_value"] for n in (1, 2, 3, 4)] == [80, 70, 60, 50]
    assert (second["Q2_value"], second["Q2_reason"]) == (None, None)
    assert (first["persona"], first["text"]) == ("p1", "t1")
    assert (first["status"], first["source_row"], second["source_row"]) == ("imported", 2, 3)
    assert (first["source_timestamp"], first["answered_at"]) == ("2025-03-01 12:30:00", None)


def test_nothing_is_invented_of_what_the_table_does_not_say(desk):
    desk.rows(ROW)
    row = desk.answers().row(0, named=True)
    for name in ("attempts", "lost", "custom_id", "cost_usd", "input_tokens", "model_returned"):
        assert row[name] is None, name


def test_the_source_is_kept_with_its_hash(desk):
    text = f"{FIFTEEN}\n{ROW}\n".encode()
    desk.take(text)
    manifest = json.loads((desk.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["imported"]["sha256"] == sha256(text).hexdigest()
    assert (desk.folder / "source.csv").read_bytes() == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_an_encoding_is_found_out(desk, encoding):
    taken = desk.take(f"{FIFTEEN}\n{ROW}\n", encoding)
    assert taken.encoding == encoding
    assert desk.answers()["Q1_reason"].to_list() == ["面白い"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a\x00b", b"a,b\x00c", b"\xef\xbb\xbf\xff\xff"])
def test_what_is_no_text_is_refused(desk, content):
    with pytest.raises(ConfigError, match="neither UTF-8"):
        desk.take(content)


@pytest.mark.parametrize("written", ["", "NA", "n/a", "NaN", "None", "null", "-", "  "])
def test_a_missing_value_may_be_written_in_several_ways(desk, written):
    desk.rows(changed(Q1value=written))
    assert desk.answers()["Q1_value"].to_list() == [None]


@pytest.mark.parametrize(("written", "value"), [("0", 0), ("100", 100), (" 80 ", 80), ("80.0", 80)])
def test_a_number_is_taken_as_it_is_written(desk, written, value):
    desk.rows(changed(Q1value=written))
    assert desk.answers()["Q1_value"].to_list() == [value]


@pytest.mark.parametrize(
    "written", ["101", "-1", "80点", "8/10", "80.5", "８０", "1e2", "0x10", "inf", "eighty", "1_0"]
)
def test_what_is_no_number_within_the_range_is_refused_with_its_row(desk, written):
    with pytest.raises(ConfigError, match=r"row 3: Q2value .*Nothing was imported"):
        desk.rows(ROW, changed(trial="2", Q2value=written))
    assert not desk.outputs.exists()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"trial": "0"}, "row 2: trial '0'"),
        ({"trial": ""}, "row 2: trial ''"),
        ({"trial": "1.5"}, "row 2: trial '1.5'"),
        ({"temperature": "hot"}, "row 2: temperature 'hot'"),
        ({"temperature": "9"}, "row 2: temperature '9'"),
        ({"timestamp": "yesterday"}, "row 2: timestamp 'yesterday'"),
        ({"timestamp": "9999-12-31T23:59:59-10:00"}, "row 2: timestamp '9999-12-31T"),
        ({"model": " "}, "row 2: model is empty"),
        ({"persona": ""}, "row 2: persona is empty"),
    ],
)
def test_a_wrong_cell_is_named(desk, cells, message):
    with pytest.raises(ConfigError, match=message):
        desk.rows(changed(**cells))


def test_unknown_and_absent_columns_are_named(desk):
    with pytest.raises(ConfigError) as error:
        desk.take(FIFTEEN.replace("Q1value", "Q1valeu").replace("timestamp,", "") + "\n")
    message = str(error.value)
    assert "column timestamp is not there" in message
    assert "column Q1value is not there" in message
    assert "column 'Q1valeu' is not known; did you mean Q1value?" in message


def test_a_column_that_stands_twice_is_named(desk):
    with pytest.raises(ConfigError, match="column trial stands 2 times"):
        desk.take(FIFTEEN + ",trial\n")


def test_repeated_rows_are_named_with_both_numbers(desk):
    with pytest.raises(ConfigError, match=r"row 4: repeats row 2: gpt-4, p1, t1"):
        desk.rows(ROW, changed(trial="2"), changed(Q1value="10"))


def test_a_persona_by_id_and_by_name_is_the_same_persona(desk):
    with pytest.raises(ConfigError, match="row 3: repeats row 2"):
        desk.rows(ROW, changed(persona="p1", text="t1"))


def test_a_fault_that_rows_share_is_said_once_with_how_many_have_it(desk):
    rows = [changed(trial=str(n), Q1value="200") for n in range(1, 51)]
    with pytest.raises(ConfigError) as error:
        desk.rows(
            *rows, changed(trial="51", persona="", Q1value="5.5"), changed(trial="52", persona="")
        )
    said = str(error.value)
    assert "row 2: Q1value '200': allowed: 0 to 100" in said
    assert "(and 49 more rows); row 52: persona is empty (and 1 more row); row 52: Q1value" in said
    assert said.count("row ") == 3


@pytest.mark.parametrize(
    "stamp",
    ["2025/5/1 14:20", "2025/05/01 9:05:30", "2025-5-1", "2025-05-01T09:05:30Z", "2025/12/31"],
)
def test_times_as_spreadsheets_write_them_are_taken(desk, stamp):
    desk.rows(changed(timestamp=stamp))
    assert desk.answers()["source_timestamp"].to_list() == [stamp]


@pytest.mark.parametrize("stamp", ["5/1/2025 14:20", "2025/13/1", "2025/5/1 25:00", "2025/5"])
def test_a_time_that_can_be_read_in_two_ways_or_none_is_refused(desk, stamp):
    with pytest.raises(ConfigError, match="timestamp"):
        desk.rows(changed(timestamp=stamp))


def test_a_row_of_another_length_is_named(desk):
    with pytest.raises(ConfigError, match="row 3: has 3 cells, the heading 15"):
        desk.rows(ROW, "a,b,c")


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), (FIFTEEN, "has no row")])
def test_a_table_without_rows_is_refused(desk, text, message):
    with pytest.raises(ConfigError, match=message):
        desk.take(text)


def test_broken_quotes_are_refused_with_their_line(desk):
    with pytest.raises(ConfigError, match=r"row 2: cannot be read as CSV"):
        desk.take(f'{FIFTEEN}\n"{ROW}')


def test_the_same_table_may_be_imported_again_and_another_may_not(desk):
    desk.rows(ROW)
    desk.rows(ROW)
    with pytest.raises(ConfigError, match="holds another table already"):
        desk.rows(changed(Q1value="1"))


def test_a_name_that_nobody_knows_stands_for_itself(desk):
    desk.rows(changed(persona="教授", text="草枕"))
    row = desk.answers().row(0, named=True)
    assert (row["persona"], row["persona_name"], row["title"]) == ("教授", "教授", "草枕")


def test_a_time_with_a_zone_is_a_time(desk):
    desk.rows(changed(timestamp="2025-03-01T12:30:00+09:00"))
    assert desk.answers()["answered_at"].dt.hour().to_list() == [3]


def test_an_imported_rehearsal_stays_a_rehearsal(desk):
    desk.rows(changed(developer="REHEARSAL openai"))
    assert desk.answers()["provider"].to_list() == ["openai"]
    assert read(selected(desk.outputs, ["all"], rehearsals=False)).rehearsal


def test_rehearsed_rows_among_others_are_refused(desk):
    with pytest.raises(ConfigError, match="stand beside others"):
        desk.rows(changed(developer="REHEARSAL openai"), ROW)


@pytest.mark.long
def test_an_imported_table_is_reported_beside_ours_and_marked(desk, tmp_path):
    labels = {"Q1": "面白さ", "Q2": "驚き"}
    stored_run(desk.outputs, small_study(), labels=labels)
    desk.rows(ROW, changed(trial="2", Q3value=""))
    written = write_report(
        selected(desk.outputs, ["all"], rehearsals=False),
        tmp_path / "r",
        language="en",
    )
    assert written.runs == ("gpt-4", "gpt-x")
    (quality,) = [p for p in written.tables if p.stem == "quality"]
    theirs, ours = pl.read_csv(quality).iter_rows(named=True)
    assert (theirs["imported"], theirs["success"], theirs["attempts"]) == (2, None, None)
    assert (ours["imported"], ours["success"]) == (0, 7)
    page = written.page.read_text(encoding="utf-8")
    assert "These models come from an imported table: gpt-4. How" in page
    assert "empty in the imported table 1" in page


cell = st.one_of(st.none(), st.integers(0, 100))
reason = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(cell, cell, reason), min_size=1, max_size=6))
def test_what_is_exported_is_imported_unchanged(experiment, tmp_path_factory, rows):
    first = tmp_path_factory.mktemp("round")
    text = [FIFTEEN]
    for trial, (one, two, _) in enumerate(rows, 1):
        cells = {"Q1value": one, "Q2value": two}
        shown = {key: "" if value is None else str(value) for key, value in cells.items()}
        text.append(changed(trial=str(trial), **shown))
    (first / "in.csv").write_text("\n".join(text), encoding="utf-8")
    import_table(first / "in.csv", experiment, first)
    stored = first / "literary" / "imported" / "answers.parquet"
    reasons = [why if why.strip() else None for _, _, why in rows]
    before = pl.read_parquet(stored).with_columns(Q1_reason=pl.Series(reasons, dtype=pl.String))
    before.write_parquet(stored)
    write(selected(first, ["all"], rehearsals=False), first / "x", ["study"], language="en")
    second = tmp_path_factory.mktemp("again")
    import_table(first / "x" / "study.csv", experiment, second)
    after = pl.read_parquet(second / "literary" / "imported" / "answers.parquet")
    for name in before.columns:
        if name != "Q1_reason":
            assert after[name].equals(before[name]), name
    for was, came in zip(reasons, after["Q1_reason"], strict=True):
        if was is None or not (was.startswith("'") and FORMULA.match(was[1:])):
            assert came == was
