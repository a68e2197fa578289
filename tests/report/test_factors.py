"""A study with factors of its own, asked of our emulator: its report, its exports, its codebook."""

import re
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from runner.report import data, numbers, parts, sections, write_report
from runner.report.data import read
from runner.report.figures import scores
from runner.report.figures.style import Form
from runner.report.sections import Sections
from runner.report.words import Words
from runner.tables.codebook import COLUMNS
from runner.tables.formats import write
from runner.tables.runs import selected
from tests.acceptance.conftest import QUICK, Desk
from tests.report.made import small_study, stored_run
from tests.report.test_formats import FIFTEEN, sheets
from tests.report.test_report import Tree
from tests.shared import copy_of, made_once
from tests.variants import first

STUDY = """\
# @package _global_
name: reviews
factors:
  review: {file: reviews.csv, id: review_id, keep: [stars, land, 'a|b']}
  wording: {levels: {neutral: "How does the author feel?", leading: "How much is it loved?"}}
trials: 3
temperatures: null
messages:
  - {role: user, content: "{wording}\\n\\n{review.body}\\n\\n{items}"}
items:
  sentiment: {label: Sentiment, minimum: 1, maximum: 7}
  quality: {label: Quality, minimum: 1, maximum: 5, reason_required: false}
"""
REVIEWS = """\
review_id,stars,land,a|b,body
r1,5,日本,0.5,"I love it, really {text}"
r 3,,,1.5,Fine for the price
日本,1,=2+3,2.5,壊れた
"""
IDS = ["r1", "r 3", "日本"]
CHOSEN = ("--config-dir", "conf", "experiment=reviews")
CELL = "reviews/emulator_gpt-4o-mini"
ASKED = {"sentiment": "sentiment Sentiment", "quality": "quality Quality"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    """Where the study was rehearsed, and some of its answers could not be read."""
    return Desk(copy_of(tmp_path_factory, "factors", rehearse))


def rehearse(folder):
    desk = Desk(folder)
    (desk.folder / "conf/experiment").mkdir(parents=True)
    (desk.folder / "conf/experiment/reviews.yaml").write_text(STUDY, encoding="utf-8")
    (desk.folder / "conf/experiment/reviews.csv").write_text(REVIEWS, encoding="utf-8")
    done = desk.run(*CHOSEN, *QUICK, "faults.malformed=0.5", "retry.max_attempts=1")
    assert done.returncode in (0, 3), done.stderr


@pytest.fixture(scope="module")
def answers(desk) -> pl.DataFrame:
    answers = desk.answers(CELL)
    assert answers["sentiment_value"].null_count() > 0
    return answers


def test_what_is_missing_is_null_and_never_nan(answers):
    floats = answers.select(pl.col(pl.Float64))
    assert sum(floats.null_count().row(0)) > 0
    assert not any(column.is_nan().any() for column in floats)


def reported(outputs, folder, language="en", over="all"):
    selection = selected(outputs, [over], rehearsals=True)
    return write_report(selection, folder, language=language)


def exported(outputs, folder, *formats, language="en"):
    return write(selected(outputs, ["all"], rehearsals=True), folder, formats, language=language)


@pytest.fixture(scope="module", params=first(1, ["en", "ja"]))
def report(request, desk, tmp_path_factory):
    """A report of this study alone, with its language; not to be changed."""
    written = made_once(
        tmp_path_factory,
        f"factors-{request.param}",
        lambda folder: reported(desk.folder / "outputs", folder, request.param),
    )
    return written, request.param


def table_of(written, name):
    (path,) = [path for path in written.tables if path.stem == name]
    return pl.read_csv(path, infer_schema_length=None)


@pytest.mark.parametrize("name", ["scores_review", "scores_wording", "review_model"])
def test_a_level_has_the_mean_of_its_own_values(report, answers, name):
    factor = "wording" if "wording" in name else "review"
    table = table_of(report[0], name)
    for key, question in ASKED.items():
        value = pl.col(f"{key}_value")
        wanted = answers.group_by(factor, maintain_order=True).agg(
            n=value.count(), missing=value.null_count(), mean=value.mean()
        )
        found = table.filter(question=question).sort(factor)
        assert found[factor].to_list() == sorted(answers[factor].unique())
        for row, right in zip(
            found.iter_rows(named=True), wanted.sort(factor).iter_rows(named=True), strict=True
        ):
            assert (row["n"], row["missing"]) == (right["n"], right["missing"])
            assert row["mean"] == (right["mean"] and pytest.approx(right["mean"], abs=1e-5))


def test_levels_stand_in_the_order_of_the_file(report):
    table = table_of(report[0], "scores_review").filter(question=ASKED["quality"])
    assert table["review"].to_list() == IDS


def test_a_cell_is_a_combination_of_levels(report, answers):
    table = table_of(report[0], "scores_cell").filter(question=ASKED["sentiment"])
    wanted = answers.group_by("review", "wording").agg(pl.col("sentiment_value").mean())
    right = {tuple(row[:2]): row[2] for row in wanted.iter_rows()}
    assert len(right) == table.height == 6
    for row in table.iter_rows(named=True):
        mean = right[row["review"], row["wording"]]
        assert row["mean"] == (mean and pytest.approx(mean, abs=1e-5))


def test_the_page_says_the_factors_names_and_nothing_of_the_studys_own(report):
    written, language = report
    page = Tree(written.page)
    titles = [image["aria-label"] for image in page.all("svg")]
    for title in {
        "en": ("Scores by review", "Scores by wording", "review × model: means"),
        "ja": ("得点（review 別）", "得点（wording 別）", "review × モデル：平均値"),
    }[language]:
        assert any(title in one for one in titles)
        assert title in page.text
    assert re.search("persona|ペルソナ|テキスト|one text", page.text) is None
    assert {"en": "model × review × wording", "ja": "モデル × review × wording"}[
        language
    ] in page.text
    assert all(f">{id_}</td>" in written.page.read_text(encoding="utf-8") for id_ in IDS)


def test_every_level_and_every_message_has_its_hash_among_the_sources(report):
    what = set(table_of(report[0], "sources")["what"])
    assert {*(f"review.{id_}" for id_ in IDS), "wording.neutral", "messages[0].user"} <= what


@pytest.mark.parametrize(
    ("language", "note"),
    first(
        1,
        [
            ("en", "calculated from the levels of review, wording, and no combination of levels"),
            ("ja", "温度は review、wording の水準から計算されており"),
        ],
    ),
)
def test_temperatures_that_follow_the_levels_are_called_so(desk, language, note):
    found = read(selected(desk.folder / "outputs", ["reviews"], rehearsals=True))
    calculated = pl.when(pl.col("review") == "r1").then(0.2).otherwise(0.8)
    readings = found.readings.with_columns(temperature=calculated)
    report = Sections(replace(found, readings=readings), Words(language), Form())
    by_name = {section.anchor: section.parts for section in report.all()}
    assert any(note in part for part in by_name["temperature"] if isinstance(part, str))
    (table,) = [
        part
        for part in by_name["scores"]
        if getattr(part, "title", "") == TEMPERATURES[language] and hasattr(part, "frame")
    ]
    assert note in table.notes[0]


TEMPERATURES = {"en": "Scores by temperature", "ja": "得点（温度別）"}


def test_a_factor_of_many_levels_is_said_and_not_shown(desk, tmp_path, monkeypatch):
    for module in (data, parts):
        monkeypatch.setattr(module, "MANY_LEVELS", 2)
    written = reported(desk.folder / "outputs", tmp_path)
    text = Tree(written.page).text
    assert "The factor review has 3 levels." in text
    assert "The factor wording" not in text
    names = {path.stem for path in (*written.figures, *written.tables)}
    assert {"scores_wording", "wording_model"} <= names
    assert not names & {"scores_review", "review_model"}
    what = set(table_of(written, "sources")["what"])
    assert "review (3)" in what
    assert "wording.neutral" in what


@pytest.mark.long
def test_a_long_table_of_cells_is_said_and_not_shown(desk, tmp_path, monkeypatch):
    for most, shown in ((12, True), (11, False)):
        monkeypatch.setattr(sections, "MANY_CELLS", most)
        written = reported(desk.folder / "outputs", tmp_path)
        assert ("scores_cell" in {path.stem for path in written.tables}) == shown
        said = "would have 12 rows and is left out" in Tree(written.page).text
        assert said != shown


@pytest.mark.long
def test_many_levels_stand_one_below_the_other(desk, tmp_path, monkeypatch):
    before = reported(desk.folder / "outputs", tmp_path / "across")
    monkeypatch.setattr(scores, "LEVELS_ACROSS", 2)
    after = reported(desk.folder / "outputs", tmp_path / "down")
    changed = {
        one.stem
        for one, two in zip(before.figures, after.figures, strict=True)
        if one.read_bytes() != two.read_bytes()
    }
    assert changed == {"review_model"}


# -- exports


@pytest.mark.parametrize("language", first(1, ["ja", "en"]))
def test_every_column_of_every_export_is_explained(desk, tmp_path, language):
    exported(desk.folder / "outputs", tmp_path, "wide", "long", "xlsx", language=language)
    text = (tmp_path / "codebook.md").read_text(encoding="utf-8")
    for name in ("wide", "long", "answers.xlsx"):
        chapter = text.split(f"\n## {name} ")[1].split("\n## ")[0]
        rows = [re.split(r"(?<!\\)\|", row) for row in chapter.splitlines() if row.startswith("| ")]
        named = [row[1].strip().replace("\\|", "|") for row in rows[1:]]
        assert all(cell.strip() for row in rows for cell in row[1:-1])
        table = pl.read_parquet(tmp_path / f"{name.replace('answers.xlsx', 'wide')}.parquet")
        columns = [c for c in table.columns if c != "raw_answer" or name == "wide"]
        assert named == columns
    wanted = {
        "en": (
            "3 levels: r1, r 3, 日本 | level of the factor review | never empty |",
            "whole number from 1 to 5 | column stars of the file of the factor review | for levels",
            "| for levels where it is empty in the file |",
            "number from 0.5 to 2.5 | column a\\|b of the file of the factor review | never empty |",
        ),
        "ja": (
            "3 水準：r1, r 3, 日本 | 要因 review の水準 | 空にならない |",
            "1 から 5 の整数 | 要因 review のファイルの列 stars | ファイルで空の水準で |",
            "文字列、2 種類 | 要因 review のファイルの列 land |",
        ),
    }
    assert [line for line in wanted[language] if line not in text] == []
    assert "study.csv" not in re.sub(r"（study.csv[^）]*）|\(in study.csv[^)]*\)", "", text)


def test_wide_and_long_repeat_the_factors_of_every_request(desk, answers, tmp_path):
    exported(desk.folder / "outputs", tmp_path, "wide", "long")
    wide, long = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("wide", "long"))
    told = ["review", "review_stars", "review_land", "review_a|b", "wording", "temperature"]
    place = long.columns.index("review")
    assert long.columns[place : place + 6] == told
    assert wide.select(told).equals(answers.select(told))
    for key in ASKED:
        part = long.filter(question=key)
        assert part.select(*told, "custom_id").equals(answers.select(*told, "custom_id"))
        assert part["value"].to_list() == answers[f"{key}_value"].to_list()
    of_level = dict(long.select("review", "review_stars").unique().iter_rows())
    assert of_level == {"r1": 5, "r 3": None, "日本": 1}
    text = pl.read_csv(tmp_path / "long.csv")
    assert set(text.filter(review="日本")["review_land"]) == {"'=2+3"}


def test_the_workbook_holds_the_factors(desk, answers, tmp_path):
    exported(desk.folder / "outputs", tmp_path, "xlsx")
    (rows, explained), formulas = sheets(tmp_path / "answers.xlsx")
    assert formulas == 0
    header = rows[0]
    place = header.index("review")
    assert [row[place] for row in rows[1:]] == answers["review"].to_list()
    assert {row[header.index("review_land")] for row in rows[1:]} == {"日本", None, "=2+3"}
    assert {row[0] for row in explained[1:]} == set(header)


@pytest.mark.long
def test_the_studys_table_is_refused_in_one_line_or_left_out_where_nobody_asked(desk):
    refused = desk.process(*CHOSEN, "action=export", "export.format=study")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "reviews/emulator_gpt-4o-mini has review and wording: use export.format=wide" in line
    done = desk.process("action=export", "export.over=reviews")
    assert done.returncode == 0, done.stderr
    assert (
        "left out study.csv: its columns are those of the factors persona and text" in done.stdout
    )
    names = {path.name for path in (desk.folder / "outputs/export").iterdir()}
    assert names == {
        *("wide.csv", "wide.parquet", "long.csv", "long.parquet", "answers.xlsx", "codebook.md"),
        "datapackage.json",
    }


@pytest.mark.long
def test_a_table_in_the_studys_columns_is_not_imported_into_it(desk):
    (desk.folder / "old.csv").write_text(FIFTEEN + "\n", encoding="utf-8")
    refused = desk.process(*CHOSEN, "action=import", "input=old.csv", "name=old")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "the experiment old has review and wording" in line
    assert not (desk.folder / "outputs/old").exists()


# -- beside the bundled study


@pytest.fixture(scope="module")
def mixed(desk, tmp_path_factory):
    """The outputs of this study and of the bundled one."""
    outputs = tmp_path_factory.mktemp("mixed")
    (outputs / "reviews").symlink_to(desk.folder / "outputs/reviews")
    rows = [row | {"temperature": 0.2 if row["persona"] == "p1" else 0.8} for row in small_study()]
    stored_run(outputs, rows, "study/openai_gpt-x", rehearsal=True)
    return outputs


@pytest.mark.long
@pytest.mark.parametrize("language", first(1, ["ja", "en"]))
def test_one_report_of_different_factors(mixed, answers, tmp_path, language):
    written = reported(mixed, tmp_path, language)
    ours = table_of(written, "scores_review").filter(question=ASKED["sentiment"])
    assert ours["total"].sum() == answers.height
    persona = table_of(written, "scores_persona")
    of_study = read(selected(mixed, ["study"], rehearsals=True)).readings
    alone = numbers.scores(of_study, ["persona"], {"Q1 面白さ": (0, 100), "Q2 悲しみ": (0, 100)})
    told = ["question", "persona", "total", "n", "mean"]
    words = pl.col("question", "persona").cast(pl.String)
    assert_frame_equal(persona.select(told), alone.select(told).with_columns(words), abs_tol=1e-5)
    cells = table_of(written, "scores_cell")
    assert cells.columns[2:7] == ["review", "wording", "persona", "text", "temperature"]
    of_study = cells.filter(pl.col("persona").is_not_null())
    assert of_study["review"].null_count() == of_study.height == 8
    assert cells.filter(pl.col("review").is_not_null())["persona"].null_count() == 12
    page = Tree(written.page).text
    warned = {"en": "calculated from persona and text", "ja": "温度はペルソナとテキストから計算"}
    assert warned[language] in page


@pytest.mark.long
def test_a_figure_shows_nothing_that_was_not_asked_with_its_factor(mixed, report, tmp_path):
    alone, language = report
    written = reported(mixed, tmp_path, language)
    one, two = (
        {path.name: path.read_bytes() for path in each.figures} for each in (alone, written)
    )
    assert {"temperature.png", "text_model.png"} <= set(two)
    for name in ("review_model.png", "wording_model.svg"):
        assert one[name] == two[name]


def test_readings_have_a_column_for_every_factor(mixed):
    found = read(selected(mixed, ["all"], rehearsals=True))
    assert found.factors == ("review", "wording", "persona", "text")
    for block, own in (("reviews", ("review", "wording")), ("study", ("persona", "text"))):
        rows = found.readings.filter(pl.col("block").cast(pl.String) == block)
        for factor in found.factors:
            assert rows[factor].null_count() == (0 if factor in own else rows.height)


def test_exports_of_different_factors_put_them_side_by_side(mixed, answers, tmp_path):
    exported(mixed, tmp_path, "wide", "long")
    told = ["review", "review_stars", "review_land", "review_a|b", "wording"]
    told += ["persona", "persona_name", "text", "title", "author"]
    for name, times in (("wide", 1), ("long", 2)):
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        place = table.columns.index("review")
        assert table.columns[place : place + 10] == told
        assert table["review"].count() == times * answers.height
        assert table["persona"].count() == times * 12
    text = (tmp_path / "codebook.md").read_text(encoding="utf-8")
    for factor in ("review", "wording", "persona", "title"):
        (row, _) = re.findall(rf"^\| {factor} \| .*$", text, re.MULTILINE)
        assert row.endswith("| in a run without this factor |")
    assert "| in an imported table, in a run without this factor |" in text
    assert COLUMNS["persona"].empty[1] == "never empty"
