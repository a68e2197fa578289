"""The report of a small study with known values: its tables, pinned, and what its page says."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from statistics import median

import polars as pl
import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from runner.core.errors import ConfigError
from runner.report import write_report, write_texts
from runner.report.data import read
from runner.tables.runs import selected
from tests.report.made import PERSONAS, TEXTS, request, small_study, stored_run
from tests.report.sketches import figures, rendered
from tests.shared import made_once

VOID = {"meta", "img", "br"}


class Csv(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "csv"


class Tree(HTMLParser):
    """Reads a page and complains about whatever is not closed in order."""

    def __init__(self, page: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


TABLES = (
    *("quality", "missing", "patterns", "scores_model", "scores_persona", "scores_text"),
    *("scores_temperature", "scores_cell", "persona_model", "text_model", "agreement"),
    *("correlation", "temperature", "reasons", "reasons_persona", "reasons_text", "shape"),
    *("usage", "returned"),
    *("contrasts_model", "contrasts_persona", "contrasts_text", "raters", "rank_correlations"),
    *("precision", "variance"),
    *("alike_model", "alike_persona", "alike_text"),
    *("diversity", "diversity_persona", "diversity_text"),
    *("disagreement_persona", "disagreement_text", "disagreement_cell"),
)


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_the_report(report, snapshot, name):
    (path,) = [p for p in report.tables if p.stem == name]
    assert path.read_text(encoding="utf-8-sig") == snapshot(extension_class=Csv)


def test_every_table_has_its_golden_file_or_changes_with_the_versions(report):
    assert {p.stem for p in report.tables} == {*TABLES, "sources", "versions"}


def test_the_page_is_well_formed_and_holds_every_figure(report):
    page = Tree(report.page)
    images = page.all("svg")
    assert len(images) == len([p for p in report.figures if p.suffix == ".png"])
    assert all(image["role"] == "img" and image["aria-label"] for image in images)
    anchors = {a["href"].removeprefix("#") for a in page.all("a")}
    assert anchors == {"main", *(section["id"] for section in page.all("section"))}
    assert len(page.all("table")) == len(report.tables)


def test_the_page_loads_nothing_from_anywhere(report, rehearsed):
    for page in (report.page, rehearsed.page):
        text = re.sub(r"(base64,)[^\"]+", r"\1", page.read_text(encoding="utf-8"))
        text, count = re.subn(r"<script>(.*?)</script>", "", text, flags=re.DOTALL)
        assert count == 1
        assert re.findall(r"https?:|//[a-z]|@import|<script|<link|<iframe| on[a-z]+=", text) == []
        addresses = re.findall(r"url\(\"(.{12})", text)
        assert addresses == ["data:font/wo"] * 2


def test_no_script_runs_but_the_pages_own(report, hostile):
    for page in (report.page, hostile.page):
        text = page.read_text(encoding="utf-8")
        (own,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
        (policy,) = (m["content"] for m in Tree(page).all("meta") if "http-equiv" in m)
        digest = b64encode(sha256(own.encode()).digest()).decode()
        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith(f"script-src 'sha256-{digest}'")


def test_the_first_screen_says_what_it_comes_to(report):
    text = Tree(report.page).text
    assert "Models: 2. Questions: 2. Varied: persona (2), text (2). Trials of each cell: 3." in text
    assert "Missing: 12 of 48 values (25.0 %):" in text
    assert text.index("Trials of a cell agree") < text.index("Contents")


def test_the_n_of_a_cell_opens_its_values(report):
    (path,) = [p for p in report.tables if p.stem == "scores_cell"]
    page = report.page.read_text(encoding="utf-8")
    opened = re.findall(r'<details class="cell"><summary>(\d+)</summary>([^<]+)</details>', page)
    cells = pl.read_csv(path)
    assert [int(n) for n, _ in opened] == cells["n"].to_list()
    for (_, said), row in zip(opened, cells.iter_rows(named=True), strict=True):
        values = [float(value) for value in said.split(", ")]
        assert values == sorted(values)
        ends = (row["n"], row["min"], row["max"], row["median"])
        assert (len(values), values[0], values[-1], median(values)) == ends


def test_the_page_says_how_many_values_are_missing_and_why(report):
    text = Tree(report.page).text
    # of each of two runs: 1 out of range, 1 not found, 2 of an errored request, 2 not ended
    assert "Missing: 12 of 48 values (25.0 %):" in text
    for cause in ("number out of range 2", "no pattern found a value 2", "error at the provider 4"):
        assert cause in text
    assert "request not ended yet 4" in text
    assert (report.values, report.missing, report.requests) == (36, 12, 24)


def test_values_of_failed_requests_count_and_those_of_open_ones_do_not(report):
    (path,) = [p for p in report.tables if p.stem == "missing"]
    table = pl.read_csv(path)
    first = table.filter(pl.col("question") == "Q1 面白さ").row(0, named=True)
    assert (first["total"], first["n"], first["missing"]) == (12, 9, 3)
    assert first["n_of_failed_requests"] == 1
    assert first["cause_open"] == 1


def test_an_unknown_cost_is_unknown_and_not_0(report):
    (path,) = [p for p in report.tables if p.stem == "usage"]
    groq, openai = pl.read_csv(path).iter_rows(named=True)
    assert groq["cost_usd"] is None
    assert groq["answers_without_cost"] == 10
    assert openai["cost_usd"] == pytest.approx(0.012)
    assert "$0.0120 + unknown" in Tree(report.page).text


def test_tokens_that_a_provider_does_not_count_are_unknown(tmp_path):
    rows = [request(Q1=(5, "r", None))]
    stored_run(tmp_path, rows, input_tokens=0, output_tokens=0, cost_usd=0.0)
    usage = read(selected(tmp_path, ["all"], rehearsals=False)).usage.row(0, named=True)
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost_usd"]) == (None,) * 3


def test_what_was_read_from_a_cache_is_said_and_without_one_no_word_is(report, tmp_path):
    rows = [request(Q1=(5, "r", None))]
    stored_run(tmp_path, rows, input_tokens=1000, output_tokens=10)
    attempts = tmp_path / "study/openai_gpt-x/attempts.parquet"
    pl.read_parquet(attempts).with_columns(cache_read_tokens=250).write_parquet(attempts)
    written = write_report(
        selected(tmp_path, ["all"], rehearsals=False), tmp_path / "r", language="en"
    )
    assert "Of the input tokens, 250 (25.0 %) were read from a cache" in Tree(written.page).text
    (path,) = [p for p in written.tables if p.stem == "usage"]
    assert pl.read_csv(path)["cached_tokens"].to_list() == [250]
    assert "cache" not in Tree(report.page).text


def test_a_rehearsal_is_left_out_of_a_live_report_and_named(report):
    assert report.runs == ("llama-y", "gpt-x")
    assert not report.rehearsal
    page = Tree(report.page)
    assert "1 rehearsal is left out: study/openai_gpt-z" in page.text
    assert "REHEARSAL" not in page.text


def test_a_report_of_rehearsals_says_so_in_every_heading_and_figure(rehearsed):
    text = rehearsed.page.read_text(encoding="utf-8")
    headings = re.findall(r"<h[123]>(.*?)</h[123]>", text)
    assert len(headings) > 20
    assert all(heading.startswith('<span class="mark">REHEARSAL') for heading in headings)
    page = Tree(rehearsed.page)
    images = page.all("svg")
    assert images
    assert all(image["aria-label"].startswith("REHEARSAL") for image in images)
    assert "どのモデルの回答でもない" in page.text


def test_rehearsals_beside_live_answers_are_marked_and_never_pooled_with_them(outputs, tmp_path):
    selection = selected(outputs, ["study"], rehearsals=True)
    data = read(selection)
    assert [run.name for run in data.runs] == ["llama-y", "gpt-x", "[REHEARSAL] gpt-z"]
    assert [run.block for run in data.runs] == ["study", "study", "[REHEARSAL] study"]


@pytest.mark.long
def test_the_same_data_makes_the_same_files_in_place_of_what_was_there(outputs, report, tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("report.html", "figures/old.png", "figures/mine.txt"):
        (tmp_path / name).write_text("")
    selection = selected(outputs, ["study"], rehearsals=False)
    with figures(rendered):
        again = write_report(selection, tmp_path, language="en")
    for one, two in (
        (report.page, again.page),
        *zip(report.figures, again.figures, strict=True),
        *zip(report.tables, again.tables, strict=True),
    ):
        assert one.read_bytes() == two.read_bytes(), one.name
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {path.name for path in report.figures} | {"mine.txt"}


@pytest.mark.parametrize("name", ["analysis.py", "figures/mine.pdf", "tables/mine.tex"])
def test_files_that_no_report_made_are_not_replaced(outputs, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"{name}: is not from a report"):
        write_report(selected(outputs, ["study"], rehearsals=False), tmp_path, language="en")
    assert (tmp_path / name).read_text() == "mine"
    assert not (tmp_path / "report.html").exists()


def test_programs_of_an_earlier_report_that_this_one_has_not_go(tmp_path):
    write_texts(tmp_path, {"report.html": "", "analysis.py": "", "analysis.R": ""})
    (tmp_path / "mine.py").write_text("")
    write_texts(tmp_path, {"report.html": ""})
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "mine.py"}


HOSTILE = {
    "p1": '<img src=x onerror="alert(1)">',
    "p2": "</td></table><script>alert(2)</script>",
    "p3": '=HYPERLINK("x")\x00\x1b]52;c\x07',
    "p4": "\u202egnp.exe\u2028$x^2$ 😀 {0} %s",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report of hostile names; not to be changed."""
    return made_once(tmp_path_factory, "hostile", report_of_hostile_names)


def report_of_hostile_names(folder):
    outputs = folder / "outputs"
    rows = [
        request(persona, "t1", None, trial, Q1=(trial * 10, HOSTILE[persona], None))
        for persona in HOSTILE
        for trial in (1, 2)
    ]
    stored_run(
        outputs,
        rows,
        personas=HOSTILE,
        texts={"t1": "$\\frac{1}$"},
        labels={"Q1": "<b>&amp;"},
        model_returned="=cmd|' /C calc'!A0",
    )
    selection = selected(outputs, ["all"], rehearsals=False)
    return write_report(selection, folder / "report", language="ja")


def test_hostile_names_are_shown_and_do_nothing(hostile):
    page = Tree(hostile.page)
    assert len(page.all("script")) == 1
    assert all("onerror" not in attributes for _, attributes in page.found)
    assert '<img src=x onerror="alert(1)">' in page.text
    assert "⟨U+202E⟩gnp.exe⟨U+2028⟩" in page.text
    assert "␀␛]52;c␇" in page.text
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page.text) == []


def test_hostile_names_are_no_formulas_in_the_tables(hostile):
    (path,) = [p for p in hostile.tables if p.stem == "scores_persona"]
    assert "'=HYPERLINK" in path.read_text(encoding="utf-8-sig")
    for table in hostile.tables:
        text = table.read_text(encoding="utf-8-sig")
        assert re.search(r'(^|,)"?[=+@]', text, re.MULTILINE) is None, table.name


def test_temperatures_that_follow_the_persona_are_called_so(tmp_path):
    rows = [
        request(persona, text, 0.2 if persona == "p1" else 0.8, trial, Q1=(10 * trial, "r", None))
        for persona in PERSONAS
        for text in TEXTS
        for trial in (1, 2)
    ]
    stored_run(tmp_path, rows)
    selection = selected(tmp_path, ["all"], rehearsals=False)
    written = write_report(selection, tmp_path / "r", language="en")
    assert "An effect of the temperature cannot be told" in Tree(written.page).text


def test_the_same_persona_asked_otherwise_is_another_persona(tmp_path):
    rows = [request(Q1=(10, "r", None))]
    stored_run(tmp_path, rows, "one/openai_gpt")
    stored_run(tmp_path, rows, "two/openai_gpt", personas={**PERSONAS, "p1": "教授"})
    stored_run(tmp_path, rows, "three/openai_gpt", labels={"Q1": "驚き", "Q2": "悲しみ"})
    data = read(selected(tmp_path, ["all"], rehearsals=False))
    assert data.readings["persona"].unique().to_list() == ["大学１年生", "教授"]
    assert [q.name for q in data.questions] == ["Q1 面白さ", "Q2 悲しみ", "Q1 驚き"]
    assert len({run.name for run in data.runs}) == 3


def test_the_same_name_with_another_wording_carries_its_experiment(tmp_path):
    rows = [request(Q1=(10, "r", None))]
    for experiment in ("one", "two"):
        folder = stored_run(tmp_path, rows, f"{experiment}/openai_gpt")
        manifest = folder / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"system": "', f'"system": "{experiment}: ', 1))
    data = read(selected(tmp_path, ["all"], rehearsals=False))
    names = data.readings["persona"].unique().to_list()
    assert names == ["大学１年生 (p1) [one]", "大学１年生 (p1) [two]"]


def test_a_run_with_nothing_answered_is_reported_all_the_same(tmp_path):
    stored_run(tmp_path, [request(status="open", outcome=None, temperature=None)])
    selection = selected(tmp_path, ["all"], rehearsals=False)
    written = write_report(selection, tmp_path / "r", language="en")
    assert (written.values, written.missing) == (0, 2)


def test_one_model_with_one_question_is_reported(tmp_path):
    rows = [request(trial=trial, Q1=(trial, "r", None)) for trial in (1, 2, 3)]
    stored_run(tmp_path, rows, labels={"Q1": "面白さ"})
    selection = selected(tmp_path, ["all"], rehearsals=False)
    written = write_report(selection, tmp_path / "r", language="ja")
    assert "質問が一つだけ" in Tree(written.page).text


def test_a_study_is_the_same_in_whatever_order_its_rows_stand(tmp_path):
    for name, rows in (("a", small_study()), ("b", small_study()[::-1])):
        stored_run(tmp_path / name, rows)
    one, two = (
        read(selected(tmp_path / name, ["all"], rehearsals=False)).readings.drop("request")
        for name in ("a", "b")
    )
    assert one.sort(one.columns).equals(two.sort(two.columns))
