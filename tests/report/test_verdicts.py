"""A filled sheet of `action=sample`, read back whatever saved it, and the error rates in the report."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report import data
from runner.report.checked import Checks
from runner.report.figures.style import Form
from runner.report.intervals import exact, of_strata
from runner.report.parts import Parts
from runner.report.sections import Sections
from runner.report.words import Words
from runner.tables.audit import RECORD, SHEET, sample
from runner.tables.runs import selected
from runner.tables.verdicts import verdicts
from tests.report.made import request, stored_run

ASKED = {"Q1": "面白さ", "Q2": "悲しみ"}
MANY = 30


def study():
    """Of Q1 all 30 are read, of Q2 the first ten are not."""
    rows = []
    for trial in range(1, MANY + 1):
        second = (None, None, "missing") if trial <= 10 else (trial, "理由", None)
        row = request(trial=trial, Q1=(trial, "理由", None), Q2=second)
        rows.append(row | {"raw_answer": f"面白さ「{trial}」、\r\ncafé 😀; 鷗, {trial}点〜"})
    return rows


@pytest.fixture
def folder(tmp_path):
    """A run of 60 readings, with a sheet of 20 of them."""
    folder = stored_run(tmp_path / "outputs", study())
    sample([pl.read_parquet(folder / "answers.parquet")], ASKED, folder, n=20, seed=1)
    return folder


def cells(folder):
    text = (folder / SHEET).read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def save(folder, table, encoding="utf-8-sig", between=",", ends="\r\n"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=between, lineterminator=ends).writerows(table)
    (folder / SHEET).write_bytes(text.getvalue().encode(encoding, "replace"))


def fill(folder, verdict=lambda row: "ok", **how):
    heading, *rows = cells(folder)
    for row in rows:
        row[heading.index("verdict")] = verdict(dict(zip(heading, row, strict=True)))
    save(folder, [heading, *rows], **how)


def read(folder):
    return verdicts(folder, pl.scan_parquet(folder / "answers.parquet"))


def counted(found):
    return {(s.stratum.pattern, s.readings, s.checked, s.errors) for s in found.strata}


HONEST = {("form", 50, 10, 1), ("none", 10, 10, 2)}


def honest(heading_rows):
    """Return verdicts: one reading of a value is wrong, two without one are wrongly missing."""
    ids = {True: [], False: []}
    for row in heading_rows:
        ids[row["value"] != ""].append((row["custom_id"], row["question"]))
    bad = {ids[True][0]: "wrong", ids[False][0]: "missing", ids[False][1]: "missing"}
    return lambda row: bad.get((row["custom_id"], row["question"]), "ok")


def dicts(folder):
    heading, *rows = cells(folder)
    return [dict(zip(heading, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"encoding": "utf-8"},
        {"encoding": "cp932"},
        {"between": ";"},
        {"between": "\t", "ends": "\n"},
    ],
    ids=str,
)
def test_what_is_filled_in_is_counted_whatever_program_saved_it(folder, how):
    verdict = honest(dicts(folder))
    fill(folder, verdict, **how)
    found = read(folder)
    assert counted(found) == HONEST
    assert (found.left_out, found.unreadable) == ({}, None)
    assert sorted(row["verdict"] for row in found.errors) == ["missing", "missing", "wrong"]


def test_capitals_blanks_wide_letters_cut_cells_and_80_0_are_what_spreadsheets_make(folder):
    verdict = honest(dicts(folder))
    written = {"ok": " ＯＫ ", "wrong": "Wrong", "missing": "MISSING"}
    fill(folder, lambda row: written[verdict(row)])
    heading, *rows = cells(folder)
    at = heading.index("value")
    for row in rows:
        row[at] = row[at] and f"{row[at]}.0"
    save(folder, [heading, *(row[:-1] for row in rows), [""] * len(heading)])
    found = read(folder)
    assert (counted(found), found.left_out, found.unreadable) == (HONEST, {}, None)


def test_a_row_that_cannot_be_counted_is_told_and_never_right(folder):
    fill(folder)
    heading, *rows = cells(folder)
    name = {key: heading.index(key) for key in heading}
    with_value = [row for row in rows if row[name["value"]]]
    without = [row for row in rows if not row[name["value"]]]
    with_value[0][name["verdict"]] = "  "
    with_value[1][name["verdict"]] = "fine"
    with_value[2][name["verdict"]] = "missing"
    without[0][name["verdict"]] = "wrong"
    with_value[3][name["answer"]] = "another answer"
    with_value[4][name["value"]] = "77"
    with_value[5][name["custom_id"]] = "nothing"
    twice = list(with_value[6])
    save(folder, [heading, *rows, twice])
    found = read(folder)
    why = {reason: len(numbers) for reason, numbers in found.left_out.items()}
    assert why == {
        "unfilled": 1,
        "unknown_verdict": 1,
        "does_not_fit": 2,
        "changed": 2,
        "unknown": 1,
        "gone": 1,
        "repeated": 2,
    }
    assert counted(found) == {("form", 50, 3, 0), ("none", 10, 9, 0)}
    assert found.left_out["unfilled"] == [rows.index(with_value[0]) + 2]


def test_a_reading_that_is_another_one_today_is_not_counted(folder):
    fill(folder)
    row = next(row for row in dicts(folder) if row["value"])
    table = pl.read_parquet(folder / "answers.parquet")
    name = f"{row['question']}_value"
    is_it = pl.col("custom_id") == row["custom_id"]
    table.with_columns(pl.when(is_it).then(99).otherwise(name).alias(name)).write_parquet(
        folder / "answers.parquet"
    )
    found = read(folder)
    assert list(found.left_out) == ["read_anew"]
    assert counted(found) == {("form", 50, 9, 0), ("none", 10, 10, 0)}


def test_a_sheet_that_cannot_be_read_counts_nothing_and_says_why(folder):
    heading, *rows = cells(folder)
    assert read(folder.parent) is None
    save(folder, [[name.replace("verdict", "judgement") for name in heading], *rows])
    assert "column verdict is not there" in read(folder).unreadable
    save(folder, [heading, *rows], encoding="utf-16")
    assert "neither UTF-8" in read(folder).unreadable
    fill_again = [heading, [*rows[0], "one more"], *rows[1:]]
    save(folder, fill_again)
    assert "row 2: has 11 cells, the heading 10" in read(folder).unreadable
    for broken in ("[]", "{", '{"strata": 1, "rows": 2}'):
        (folder / RECORD).write_text(broken)
        assert "cannot be read" in read(folder).unreadable
    (folder / RECORD).unlink()
    found = read(folder)
    assert "audit.json is not there" in found.unreadable
    assert counted(found) == set()


def report_of(folder, language="en"):
    """The section's words, and its tables."""
    found, words = read_tables(folder), Words(language)
    section = Checks(found.runs, words, Parts(found.asked, words))
    parts = list(section.all())
    tables = {part.name: part.frame for part in parts if not isinstance(part, str)}
    notes = [part if isinstance(part, str) else "\n".join(part.notes) for part in parts]
    assert section.there == bool(parts)
    return "\n".join(notes), tables


def read_tables(folder):
    return data.read(selected(folder.parent.parent, ["study"], rehearsals=False))


def test_the_report_shows_the_error_rate_weighted_by_the_patterns_and_changes_no_answer(folder):
    fill(folder, honest(dicts(folder)))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    page, tables = report_of(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    rows = {row["error"]: row for row in tables["audit"].iter_rows(named=True)}
    every = rows["any_error"]
    assert (every["readings"], every["checked"], every["errors"]) == (60, 20, 3)
    assert every["rate"] == pytest.approx(100 * (50 * 0.1 + 10 * 0.2) / 60, abs=1e-6)
    assert rows["wrongly_read"]["rate"] == pytest.approx(10)
    assert rows["wrongly_read"]["low"] == pytest.approx(0.252858, abs=1e-5)  # R: binom.test(1, 10)
    assert rows["wrongly_read"]["high"] == pytest.approx(44.501612, abs=1e-5)
    missing = rows["wrongly_missing"]
    assert (missing["rate"], missing["low"], missing["high"]) == (20, 20, 20)  # all ten were seen
    assert tables["audit_patterns"]["errors"].to_list() == [1, 2]
    assert set(tables["audit_errors"]["verdict"]) == {"wrong", "missing"}
    assert "A verdict changes no value of the tables." in page
    japanese, _ = report_of(folder, "ja")
    assert "判定は表の値を変えない" in japanese
    sections = Sections(read_tables(folder), Words("en"), Form()).all()
    assert [next(sections).anchor for _ in range(2)] == ["quality", "audit"]


def test_no_error_found_is_no_rate_of_nothing_and_a_pattern_that_was_not_seen_is_named(folder):
    fill(folder, lambda row: "ok" if row["value"] else "")
    page, tables = report_of(folder)
    rows = {row["error"]: row for row in tables["audit"].iter_rows(named=True)}
    assert (rows["any_error"]["rate"], rows["any_error"]["readings"]) == (0, 50)
    assert rows["any_error"]["high"] == pytest.approx(30.849710, abs=1e-5)  # R: binom.test(0, 10)
    assert rows["wrongly_missing"]["checked"] == 0
    assert rows["wrongly_missing"]["rate"] is None
    assert "of some patterns no reading was checked; their readings (16.7 %)" in page
    assert "10 rows without a verdict are not counted" in page


def test_a_sheet_without_a_verdict_has_no_rate_and_a_run_without_one_no_section(folder):
    page, tables = report_of(folder)
    assert "the error rate is not known" in page
    assert "audit" not in tables
    (folder / SHEET).unlink()
    assert report_of(folder) == ("", {})


STRATA = st.lists(
    st.integers(1, 500).flatmap(
        lambda size: st.integers(1, size).flatmap(
            lambda n: st.tuples(st.just(size), st.just(n), st.integers(0, n))
        )
    ),
    min_size=1,
    max_size=6,
)


@given(STRATA)
def test_the_interval_holds_the_rate_and_one_pattern_has_its_exact_one(strata):
    share, low, high = of_strata(strata)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    size, n, count = strata[0]
    if n < size:
        assert of_strata(strata[:1])[1:] == pytest.approx(exact(count, n))
        assert high > low
    assert of_strata([]) == (None, None, None)
