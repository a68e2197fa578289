"""A report calls questions, options and levels as its own language has them."""

import json
import re

from runner.report import write_report
from runner.report.data import read
from runner.report.page import _fonts
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run

ENGLISH = {
    "items.Q1": {"of": "面白さ", "ja": "面白さ", "en": "Interest"},
    "items.Q2": {"of": "悲しみ", "en": "Sadness"},
    "levels.persona.p1": {"of": "大学１年生", "en": "Student"},
    "levels.persona.p2": {"of": "詩人", "en": "Poet"},
    "levels.text.t1": {"of": "懐中時計", "en": "Watch"},
    "levels.text.t2": {"of": "駝鳥", "en": "Ostrich"},
}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def texts(written) -> dict[str, str]:
    """The page without its fonts, and the tables' files."""
    page = re.sub(r"base64,[^)]+", "", written.page.read_text(encoding="utf-8"))
    return {"page": page} | {path.stem: path.read_text("utf-8") for path in written.tables}


def test_the_labels_of_the_reports_language_stand_everywhere(tmp_path):
    run = stored_run(tmp_path, small_study())
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["experiment"]["labels"] = ENGLISH
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = selected(tmp_path, ["study"], rehearsals=False)
    english = texts(write_report(found, tmp_path / "en", language="en"))
    for name, text in english.items():
        assert not JAPANESE.search(re.sub("t1懐中時計|t2駝鳥", "", text)), name  # made-up digests
    japanese = texts(write_report(found, tmp_path / "ja", language="ja"))
    for name, text in japanese.items():
        assert not re.search("Interest|Sadness|Student|Poet|Watch|Ostrich", text), name
    assert "Q1 面白さ" in japanese["page"]


def test_what_the_configuration_says_counts_for_what_is_called_the_same(tmp_path):
    stored_run(tmp_path, small_study())  # with a record as older versions wrote it
    found = selected(tmp_path, ["study"], rehearsals=False)
    labels = ENGLISH | {"items.Q2": {"of": "別の質問", "en": "Another question"}}
    data = read(found, "en", labels)
    assert [question.name for question in data.questions] == ["Q1 Interest", "Q2 悲しみ"]
    assert set(data.levels["persona"].values()) == {"Student", "Poet"}
    assert read(found, "ja", labels).questions[0].name == "Q1 面白さ"


def test_a_page_without_japanese_has_no_font_for_it():
    assert _fonts("Interest") == ""  # browsers refuse a font without a glyph
    assert _fonts("面白さ").count("@font-face") == 1
