"""Studies whose items are choices, asked of our emulator: their reports, exports and codebooks."""

import json
import re
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from matplotlib.figure import Figure

from runner.config.factors import TAKEN
from runner.core.errors import ConfigError
from runner.report import choice_parts, numbers, parts
from runner.report.data import read
from runner.report.figures import choices as figures
from runner.report.parts import Parts
from runner.report.words import Words
from runner.tables.runs import selected
from tests.acceptance.conftest import QUICK, Desk
from tests.report.made import small_study, stored_run
from tests.report.test_factors import exported, reported, table_of
from tests.report.test_formats import FIFTEEN, sheets
from tests.report.test_report import Tree
from tests.shared import copy_of, made_once
from tests.variants import first

HEAD = """\
# @package _global_
defaults:
  - override /question: english
name: {name}
factors:
  review: {{file: reviews.csv, id: review_id, keep: [stars]}}
trials: 5
temperatures: null
messages:
  - {{role: user, content: "{{review.body}}\\n\\n{{items}}"}}
items:
"""
SENTIMENT = (
    'ask: "How does the author feel?", '
    "options: {pos: {label: positive}, neg: {label: negative}, none: }"
)
MIXED = HEAD.format(name="mixed") + (
    f"  sentiment: {{kind: choice, {SENTIMENT}}}\n"
    "  buy: {kind: choice, options: [definitely yes, yes, 'no'], reason: false}\n"
    "  stars: {label: Stars, minimum: 1, maximum: 5, reason: false}\n"
)
SINGLE = HEAD.format(name="single") + f"  sentiment: {{kind: choice, {SENTIMENT}, reason: false}}\n"
REVIEWS = """\
review_id,stars,body
r1,5,I love it
r 3,,Fine for the price
日本,1,壊れた
"""
OPTIONS = {"sentiment": ("pos", "neg", "none"), "buy": ("definitely yes", "yes", "no")}
MODELS = ("gpt-4o", "gpt-4o-mini")
WITH_FLAWS = (*QUICK, "faults.malformed=0.5", "retry.max_attempts=1")


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    """Where the studies were rehearsed, and some of the answers could not be read."""
    return Desk(copy_of(tmp_path_factory, "choices", rehearse))


def rehearse(folder):
    desk = Desk(folder)
    conf = desk.folder / "conf/experiment"
    conf.mkdir(parents=True)
    (conf / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    for name, study in (("mixed", MIXED), ("single", SINGLE)):
        (conf / f"{name}.yaml").write_text(study, encoding="utf-8")
    for name, model in (("mixed", MODELS[0]), ("mixed", MODELS[1]), ("single", MODELS[1])):
        done = desk.run(*chosen(name), *WITH_FLAWS, f"provider.model={model}")
        assert done.returncode in (0, 3), done.stderr


def chosen(name):
    return "--config-dir", "conf", f"experiment={name}"


@pytest.fixture(scope="module")
def answers(desk) -> pl.DataFrame:
    """The answers of the mixed study, of both models."""
    answers = pl.concat(desk.answers(f"mixed/emulator_{model}") for model in MODELS)
    assert answers["sentiment_value"].null_count() > 0
    assert answers["sentiment_cause"].is_in(["not_an_option"]).any()
    return answers


@pytest.fixture(scope="module", params=first(1, ["en", "ja"]))
def report(request, desk, tmp_path_factory):
    """A report of the mixed study, with its language; not to be changed."""
    return written(desk, tmp_path_factory, "mixed", request.param), request.param


@pytest.fixture(scope="module", params=first(1, ["en", "ja"]))
def single(request, desk, tmp_path_factory):
    """A report of the study of one choice alone, with its language; not to be changed."""
    return written(desk, tmp_path_factory, "single", request.param), request.param


def written(desk, factory, study, language):
    return made_once(
        factory,
        f"choices-{study}-{language}",
        lambda folder: reported(desk.folder / "outputs", folder, language, study),
    )


# -- the report


@pytest.mark.parametrize(("name", "by"), [("shares_model", "model"), ("shares_review", "review")])
def test_the_shares_are_those_of_the_answers(report, answers, name, by):
    table = table_of(report[0], name).rename({"run": "model"}, strict=False)
    assert "block" not in table.columns
    assert table.height == sum(map(len, OPTIONS.values())) * answers[by].n_unique()
    for key, options in OPTIONS.items():
        for (level,), rows in answers.group_by(by):
            counted = Counter(rows[f"{key}_value"].to_list())
            n = rows.height - counted[None]
            found = table.filter(pl.col("question") == key, pl.col(by) == level)
            assert found["option"].to_list() == list(options)
            for option, row in zip(options, found.iter_rows(named=True), strict=True):
                told = row["count"], row["n"], row["missing"], row["total"]
                assert told == (counted[option], n, counted[None], rows.height)
                assert row["percent"] == pytest.approx(100 * counted[option] / n, abs=1e-5)
                assert row["low"] <= row["percent"] <= row["high"]


def test_no_factor_may_be_called_like_a_column_of_the_shares(report):
    names = {
        name for by in ("model", "review") for name in table_of(report[0], f"shares_{by}").columns
    }
    assert names - {"review"} <= TAKEN
    assert "shares" in TAKEN


def test_a_label_stands_beside_its_option(report):
    table = table_of(report[0], "shares_model").filter(question="sentiment")
    assert dict(table.select("option", "shown").iter_rows()) == {
        "pos": "positive",
        "neg": "negative",
        "none": "none",
    }


def test_the_shares_of_a_cell_are_of_its_own_answers(report, answers):
    table = table_of(report[0], "shares_cell").filter(question="sentiment")
    assert table.height == 3 * 2 * 3
    for row in table.iter_rows(named=True):
        own = answers.filter(model=row["run"], review=row["review"])["sentiment_value"]
        assert (row["count"], row["total"]) == ((own == row["option"]).sum(), own.len())


def test_consistency_and_agreement_are_those_of_plain_counting(report, answers):
    found = {key: [] for key in OPTIONS}
    top: dict[tuple[str, str], dict[str, str | None]] = {}
    for key in OPTIONS:
        for model in MODELS:
            same = n = cells = 0
            for (review,), rows in answers.filter(model=model).group_by("review"):
                counts = Counter(rows[f"{key}_value"].drop_nulls().to_list()).most_common()
                several = sum(count for _, count in counts)
                if several > 1:
                    same, n, cells = same + counts[0][1], n + several, cells + 1
                tied = len(counts) > 1 and counts[0][1] == counts[1][1]
                if counts:
                    top.setdefault((key, model), {})[review] = None if tied else counts[0][0]
            found[key].append((model, cells, n, pytest.approx(100 * same / n, abs=1e-5)))
    table = table_of(report[0], "consistency")
    for key, rows in found.items():
        told = table.filter(question=key).select("run", "cells", "n", "consistency")
        assert told.rows() == rows
    kappas = table_of(report[0], "kappa")
    for row in kappas.iter_rows(named=True):
        one, two = (top[row["question"], model] for model in MODELS)
        shared = [(one[review], two[review]) for review in one if review in two]
        sure = [pair for pair in shared if None not in pair]
        assert (row["cells"], row["ties"]) == (len(sure), len(shared) - len(sure))
        agreed = 100 * sum(a == b for a, b in sure) / len(sure) if len(sure) > 1 else None
        assert row["agreement"] == (agreed and pytest.approx(agreed, abs=1e-5))
    assert kappas.select("question", "run", "other_run").rows() == [
        (key, *MODELS) for key in OPTIONS
    ]


def test_missing_values_and_their_causes_include_those_of_choices(report, answers):
    table = table_of(report[0], "missing")
    for key, question in (("sentiment", "sentiment"), ("buy", "buy"), ("stars", "stars Stars")):
        for model in MODELS:
            rows = answers.filter(model=model)
            row = table.filter(run=model, question=question).row(0, named=True)
            assert row["missing"] == rows[f"{key}_value"].null_count()
            causes = Counter(rows[f"{key}_cause"].drop_nulls().to_list())
            for cause in ("not_an_option", "ambiguous", "truncated"):
                assert row.get(f"cause_{cause}", 0) == causes[cause], cause
    assert table["cause_not_an_option"].sum() > 0


def test_what_is_said_to_be_missing_below_the_shares_is_what_choices_lack(report, answers):
    page = Tree(report[0].page).text
    of_choices = sum(answers[f"{key}_value"].null_count() for key in OPTIONS)
    of_numbers = answers["stars_value"].null_count()
    total = answers.height
    said = {"en": "Missing: {} of {} values", "ja": "欠測：{1} 値のうち {0}"}[report[1]]
    for missing, of in (
        (of_choices, 2 * total),
        (of_numbers, total),
        (of_choices + of_numbers, 3 * total),
    ):
        assert said.format(missing, of) in page
    words = {"en": ("several different numbers or options", "not plainly one option")}
    words["ja"] = ("異なる数・選択肢が二つ以上", "どの選択肢か定まらない")
    assert [word for word in words[report[1]] if word not in page] == []
    assert not [word for word in words[report[1]] if f"{word} 0" in page]


def test_a_choice_is_in_no_statistic_of_numbers(report):
    written, language = report
    for name in ("scores_model", "scores_review", "scores_cell", "review_model", "agreement"):
        assert set(table_of(written, name)["question"]) == {"stars Stars"}
    assert set(table_of(written, "temperature")["question"]) == {"stars Stars"}
    assert "correlation" not in {path.stem for path in (*written.tables, *written.figures)}
    said = {"en": "Only one question has a number", "ja": "数値の質問が一つだけ"}[language]
    assert said in Tree(written.page).text


def test_only_what_was_asked_for_a_reason_has_lengths_of_reasons(report, single):
    assert set(table_of(report[0], "reasons")["question"]) == {"sentiment"}
    (figure,) = [path for path in report[0].figures if path.name == "reasons.png"]
    assert figure.read_bytes().startswith(b"PNG 6.00 x ")  # of one panel; of two it is wider
    written, language = single
    assert "reasons" not in {path.stem for path in (*written.tables, *written.figures)}
    said = {"en": "No question asks for a reason.", "ja": "どの質問も理由を尋ねていない。"}[
        language
    ]
    assert said in Tree(written.page).text


def test_there_are_figures_of_the_shares_one_for_choices_of_the_same_options(report, single):
    names = {path.stem for path in report[0].figures if path.stem.startswith("shares")}
    assert names == {f"shares_{by}-{number}" for by in ("model", "review") for number in (1, 2)}
    names = {path.stem for path in single[0].figures}
    drawn = {"shares_model", "shares_review", "choice_contrasts_review"}
    assert names == {"quality", "missing", "usage", *drawn}
    for written, language in (report, single):
        titles = [image["aria-label"] for image in Tree(written.page).all("svg")]
        for title in {
            "en": ("Shares of the options by model", "Shares of the options by review"),
            "ja": ("選択肢の割合（モデル別）", "選択肢の割合（review 別）"),
        }[language]:
            assert any(title in one for one in titles)


def test_a_study_of_one_choice_has_a_report_without_a_word_of_numbers(single, desk):
    written, language = single
    page = Tree(written.page)
    anchors = [section["id"] for section in page.all("section")]
    of_choices = ["choices", "choice_contrasts", "choice_agreement"]
    assert anchors == ["quality", *of_choices, "reasons", "usage", "methods"]
    tables = {path.stem for path in written.tables}
    assert not {name for name in tables if "scores" in name} | (tables & {"agreement", "kappa"})
    absent = {
        "en": "interval of a mean|number given|one number|standard deviation",
        "ja": "数値|一つの数|平均の 95|標準偏差",
    }
    assert re.findall(absent[language], page.text) == []
    said = {"en": "No two models share two or more cells", "ja": "二つのモデルがないので"}
    assert said[language] in page.text
    valid = desk.answers(f"single/emulator_{MODELS[1]}")["sentiment_value"].count()
    assert table_of(written, "shares_model")["n"].to_list() == [valid] * 3


def test_the_same_tables_make_the_same_report(desk, report, tmp_path):
    written, language = report
    again = reported(desk.folder / "outputs", tmp_path, language, "mixed")
    assert again.page.read_bytes() == written.page.read_bytes()


def test_many_options_are_said_and_not_drawn(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "MANY_OPTIONS", 2)
    written = reported(desk.folder / "outputs", tmp_path, "en", "single")
    assert not [path for path in written.figures if "shares" in path.stem]
    assert table_of(written, "shares_model").height == 3
    assert "sentiment has 3 options. Figures go up to 2 options" in Tree(written.page).text


def test_many_dots_stand_in_several_figures(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "DOTS_A_FIGURE", 6)
    written = reported(desk.folder / "outputs", tmp_path, "en", "single")
    names = {path.stem for path in written.figures if path.stem.startswith("shares")}
    assert names == {"shares_model", "shares_review_1", "shares_review_2"}


def test_many_levels_and_many_cells_are_said_and_not_shown(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "MANY_LEVELS", 2)
    monkeypatch.setattr(choice_parts, "MANY_CELLS", 8)
    written = reported(desk.folder / "outputs", tmp_path, "en", "single")
    page = Tree(written.page).text
    assert "The factor review has 3 levels." in page
    assert "The table of shares by cell would have 9 rows" in page
    assert not {"shares_review", "shares_cell"} & {path.stem for path in written.tables}


def test_a_choice_of_other_options_is_another_question(desk, tmp_path):
    """The study of one choice shares its question with the mixed one, but not a third's."""
    found = read(selected(desk.folder / "outputs", ["all"], rehearsals=True))
    assert [q.name for q in found.questions] == ["sentiment", "buy", "stars Stars"]
    stored_choice(tmp_path, "one", {"yes": "yes", "no": "no"})
    stored_choice(tmp_path, "two", {"yes": "ja", "no": "no"})
    stored_choice(tmp_path, "three", {"yes": "yes", "no": "no"})
    found = read(selected(tmp_path, ["all"], rehearsals=False))
    names = [q.name for q in found.questions]
    assert names == ["Q1 面白さ (yes, no)", "Q2 悲しみ", "Q1 面白さ (yes (ja), no)"]


def stored_choice(outputs, experiment, options, rows=None):
    """Store the small study, or other rows of its, with a choice in the place of Q1."""
    folder = stored_run(outputs, rows or small_study(), f"{experiment}/openai_gpt-x")
    table = pl.read_parquet(folder / "answers.parquet")
    place = pl.col("Q1_value") % len(options)
    chosen_ = place.replace_strict(range(len(options)), list(options), return_dtype=pl.String)
    table.with_columns(chosen_.alias("Q1_value")).write_parquet(folder / "answers.parquet")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    question = {"label": "面白さ", "minimum": 1, "maximum": len(options), "options": options}
    manifest["experiment"]["definition"]["questions"]["Q1"] |= question
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


LIKED = {"yes": "yes", "no": "no"}


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "Shares of the options by persona"), ("ja", "選択肢の割合（ペルソナ別）")],
)
def test_choices_of_personas_and_texts_stand_by_their_names(tmp_path, language, title):
    stored_choice(tmp_path, "liked", LIKED)
    written = reported(tmp_path, tmp_path / "r", language, "liked")
    assert title in Tree(written.page).text
    table = table_of(written, "shares_persona")
    assert set(table["persona"]) == {"大学１年生", "詩人"}
    assert "shares_temperature" not in {path.stem for path in written.tables}


@pytest.mark.parametrize("follows", first(1, [True, False]))
def test_the_shares_by_temperature_say_what_it_cannot_be_told_from(tmp_path, follows):
    rows = [
        row | {"temperature": 0.2 if (row["persona"] == "p1" if follows else place % 2) else 0.8}
        for place, row in enumerate(small_study())
    ]
    stored_choice(tmp_path, "liked", LIKED, rows)
    written = reported(tmp_path, tmp_path / "r", "en", "liked")
    table = table_of(written, "shares_temperature")
    assert table["temperature"].to_list() == [0.2, 0.2, 0.8, 0.8]
    page = Tree(written.page).text.split("Shares of the options by temperature")[-1]
    assert ("Caution: temperatures were calculated" in page) == follows
    assert {"shares_temperature.png"} <= {path.name for path in written.figures}


def test_a_dot_stands_at_its_share_and_a_line_is_its_interval():
    figure = Figure()
    axes = figure.subplots()
    table = pl.DataFrame(
        {
            "_row": ["a", "a", "b", "b"],
            "percent": [25.0, 75.0, None, None],
            "low": [10.0, 60.0, None, None],
            "high": [40.0, 90.0, None, None],
            "_n": ["n=8/10", "n=8/10", "n=0/3", "n=0/3"],
        }
    )
    figures.draw_dots(axes, ["a", "b"], table, "percent")
    assert [line.get_xdata()[0] for line in axes.lines] == [25, 75]
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert heights == pytest.approx([-0.175, 0.175])
    ends = [part.get_segments()[0][:, 0].tolist() for part in axes.collections]
    assert ends == [[10, 40], [60, 90]]
    assert [text.get_text() for text in axes.texts] == ["n=8/10", "n=0/3"]
    assert len({figures.look_of_option(place) for place in range(figures.MANY_OPTIONS)}) == 12


# -- exports


@pytest.mark.parametrize("language", first(1, ["ja", "en"]))
def test_every_column_of_every_export_is_explained(desk, tmp_path, language):
    exported(desk.folder / "outputs", tmp_path, "wide", "long", "xlsx", language=language)
    text = (tmp_path / "codebook.md").read_text(encoding="utf-8")
    for name in ("wide", "long", "answers.xlsx"):
        chapter = text.split(f"\n## {name} ")[1].split("\n## ")[0]
        rows = [row.split("|") for row in chapter.splitlines() if row.startswith("| ")]
        assert all(cell.strip() for row in rows for cell in row[1:-1])
        table = pl.read_parquet(tmp_path / f"{name.replace('answers.xlsx', 'wide')}.parquet")
        columns = [c for c in table.columns if c != "raw_answer" or name == "wide"]
        assert [row[1].strip() for row in rows[1:]] == columns
    listed = "pos (positive), neg (negative), none"
    allowed = {"en": f"id of an option: {listed} |", "ja": f"選択肢の識別子：{listed} |"}[language]
    (value,) = set(re.findall(r"^\| sentiment_value \|.*$", text, re.MULTILINE))
    assert f"| String | {allowed}" in value
    (choice,) = re.findall(r"^\| choice \|.*$", text, re.MULTILINE)
    assert f"sentiment: {listed}; buy: definitely yes, yes, no |" in choice
    for column, causes in (
        ("sentiment_cause", "missing, ambiguous, not_an_option, no_reason, refused"),
        ("stars_cause", "other_scale, no_reason, refused, truncated, blocked |"),
        ("cause", "other_scale, no_reason, refused, truncated, blocked, not_an_option |"),
    ):
        assert causes in re.findall(rf"^\| {column} \|.*$", text, re.MULTILINE)[0]
    (number,) = re.findall(r"^\| value \|.*$", text, re.MULTILINE)
    assert {"en": "whose answer is in the column choice", "ja": "数値以外の質問で"}[
        language
    ] in number


def test_long_has_a_column_for_the_option_and_no_number_of_it(desk, answers, tmp_path):
    exported(desk.folder / "outputs", tmp_path, "wide", "long")
    wide, long = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("wide", "long"))
    wide = wide.filter(experiment="mixed")
    assert wide.schema["sentiment_value"] == pl.String
    assert long.columns[long.columns.index("value") + 1] == "choice"
    assert (long.schema["value"], long.schema["choice"]) == (pl.Float64, pl.String)
    for key in OPTIONS:
        assert wide[f"{key}_value"].to_list() == answers[f"{key}_value"].to_list()
        rows = long.filter(experiment="mixed", question=key)
        assert rows["value"].null_count() == rows.height
        assert rows["choice"].to_list() == answers[f"{key}_value"].to_list()
    rows = long.filter(question="stars")
    assert rows["choice"].null_count() == rows.height
    assert rows["value"].to_list() == answers["stars_value"].to_list()


def test_an_option_that_looks_like_a_formula_is_guarded_for_spreadsheets_only(tmp_path):
    stored_choice(tmp_path, "one", {"-yes": "yes", "no": "no"})
    exported(tmp_path, tmp_path / "x", "long", "wide")
    for name, column in (("long", "choice"), ("wide", "Q1_value")):
        text, table = (
            pl.read_csv(tmp_path / f"x/{name}.csv"),
            pl.read_parquet(tmp_path / f"x/{name}.parquet"),
        )
        assert set(text[column].drop_nulls()) == {"'-yes", "no"}
        assert set(table[column].drop_nulls()) == {"-yes", "no"}


def test_a_study_of_numbers_has_no_column_for_options(tmp_path):
    stored_run(tmp_path, small_study())
    exported(tmp_path, tmp_path / "x", "long")
    assert "choice" not in pl.read_parquet(tmp_path / "x/long.parquet").columns
    text = (tmp_path / "x/codebook.md").read_text(encoding="utf-8")
    assert not re.search("not_an_option|option", text)


def test_the_workbook_holds_the_options(desk, answers, tmp_path):
    exported(desk.folder / "outputs", tmp_path, "xlsx")
    (rows, explained), formulas = sheets(tmp_path / "answers.xlsx")
    assert formulas == 0
    header = rows[0]
    place, run = header.index("buy_value"), header.index("experiment")
    found = [row[place] for row in rows[1:] if row[run] == "mixed"]
    assert found == answers["buy_value"].to_list()
    assert {row[0] for row in explained[1:]} == set(header)


@pytest.mark.long
def test_the_studys_table_is_refused_in_one_line_or_left_out(desk, tmp_path):
    """It has persona and text, so that nothing else speaks against it."""
    stored_choice(tmp_path / "outputs", "literary", {"yes": "yes", "no": "no"})
    other = Desk(tmp_path)
    refused = other.process("action=export", "export.over=literary", "export.format=study")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "its values are numbers, and Q1 of literary/openai_gpt-x is a choice: use" in line
    done = other.process("action=export", "export.over=literary")
    assert done.returncode == 0, done.stderr
    assert "left out study.csv: its values are numbers, and Q1 of" in done.stdout
    assert not (tmp_path / "outputs/export/study.csv").exists()
    assert (tmp_path / "outputs/export/answers.xlsx").exists()


def test_questions_of_one_name_and_other_options_do_not_go_into_one_table(tmp_path):
    stored_choice(tmp_path, "one", {"yes": "yes", "no": "no"})
    stored_choice(tmp_path, "same", {"no": "no", "yes": "yes"})
    exported(tmp_path, tmp_path / "x", "wide", "long")
    stored_choice(tmp_path, "two", {"yes": "ja", "no": "no"})
    with pytest.raises(ConfigError, match=r"a choice of yes, no in one/.* yes .ja., no in two/"):
        exported(tmp_path, tmp_path / "x", "long")
    (tmp_path / "two").rename(tmp_path / ".two")
    stored_run(tmp_path, small_study(), "zero/openai_gpt-x")
    with pytest.raises(ConfigError, match=r"a choice of yes, no in one/.* a number in zero/"):
        exported(tmp_path, tmp_path / "x", "wide")


@pytest.mark.long
def test_a_table_in_the_studys_columns_is_not_imported_into_choices(desk):
    asked = "{label: 面白さ, kind: choice, options: [yes, no], reason: false}"
    study = (
        "# @package _global_\ndefaults:\n  - literary\n  - override /question: english\n"
        f"items: {{Q1: {asked}}}\n"
    )
    (desk.folder / "conf/experiment/liked.yaml").write_text(study, encoding="utf-8")
    (desk.folder / "old.csv").write_text(FIFTEEN + "\n", encoding="utf-8")
    refused = desk.process(*chosen("liked"), "action=import", "input=old.csv", "name=old")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "holds numbers, and Q1 of the experiment old is a choice" in line
    assert not (desk.folder / "outputs/old").exists()


# -- beside the bundled study


@pytest.fixture(scope="module")
def both(desk, tmp_path_factory):
    """The outputs of these studies and of the bundled one."""
    outputs = tmp_path_factory.mktemp("both")
    for name in ("mixed", "single"):
        (outputs / name).symlink_to(desk.folder / "outputs" / name)
    stored_run(outputs, small_study(), "study/openai_gpt-x", rehearsal=True)
    return outputs


@pytest.mark.long
@pytest.mark.parametrize("language", first(1, ["ja", "en"]))
def test_one_report_of_choices_and_of_the_bundled_study(both, answers, tmp_path, language):
    written = reported(both, tmp_path, language)
    scores = table_of(written, "scores_model")
    alone = read(selected(both, ["study"], rehearsals=True))
    right = numbers.means(alone.readings).sort("question")["mean"].to_list()
    ours = scores.filter(pl.col("question").str.starts_with("Q")).sort("question")
    assert ours["mean"].to_list() == pytest.approx(right, abs=1e-5)
    assert set(scores["question"]) == {"Q1 面白さ", "Q2 悲しみ", "stars Stars"}
    shares = table_of(written, "shares_review")
    assert set(shares["block"]) == {"mixed", "single"}
    mixed = shares.filter(block="mixed", question="sentiment")
    assert mixed["count"].sum() == answers["sentiment_value"].count()
    assert "shares_persona" not in {path.stem for path in written.tables}
    assert table_of(written, "kappa").height == 4


def test_numbers_and_choices_know_the_runs_and_factors_that_have_them(both):
    found = read(selected(both, ["all"], rehearsals=True))
    for part, experiments, factors in (
        (found, ["mixed", "mixed", "single", "study"], {"review", "persona", "text"}),
        (found.choices, ["mixed", "mixed", "single"], {"review"}),
        (found.numbers, ["mixed", "mixed", "study"], {"review", "persona", "text"}),
    ):
        assert [run.stored.experiment for run in part.runs] == experiments
        assert set(part.factors) == factors
    assert (found.kind, found.choices.kind, found.numbers.kind) == ("both", "choice", "number")


def test_a_factor_stands_by_its_own_name_whatever_else_is_called_so(both):
    found = read(selected(both, ["single"], rehearsals=True))
    parts = Parts(replace(found, factors=("version",)), Words("ja"))
    frame = pl.DataFrame({"version": ["a"], "option": ["yes"]})
    assert parts.table("shares_version", frame, "version").headers == {
        "version": "version",
        "option": "選択肢",
    }


def test_an_export_of_choices_and_of_the_bundled_study(both, answers, tmp_path):
    exported(both, tmp_path, "wide", "long", "xlsx")
    long = pl.read_parquet(tmp_path / "long.parquet")
    assert long["choice"].count() == (
        sum(answers[f"{key}_value"].count() for key in OPTIONS)
        + long.filter(experiment="single")["choice"].count()
    )
    assert long.filter(experiment="study")["value"].count() == 18
