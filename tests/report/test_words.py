"""The report's words: complete in both languages, and none asked for that is not there."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from runner.core.model import Cause
from runner.core.states import Outcome
from runner.report import sections
from runner.report.words import _WORDS, LANGUAGES, Words, visible

SOURCES = sorted(Path(sections.__file__).parent.glob("*.py"))
WRITTEN = [
    node.value
    for path in SOURCES
    if path.name not in ("words.py", "comparison_words.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
]


def fields(text):
    """Names of what is said; one that only chooses between two forms is not."""
    return {name for _, name, spec, _ in Formatter().parse(text) if name and "|" not in spec}


@pytest.mark.parametrize("key", _WORDS)
def test_a_key_has_words_in_every_language_with_the_same_parts(key):
    words = _WORDS[key]
    assert len(words) == len(LANGUAGES)
    assert all(word.strip() for word in words)
    assert len({frozenset(fields(word)) for word in words}) == 1


@pytest.mark.parametrize("key", [k for k in _WORDS if k[0] in "mnks" and k[1:2] == "."])
def test_a_sentence_in_japanese_is_in_japanese(key):
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", _WORDS[key][0])
    assert not re.search(r"[ぁ-んァ-ヶ一-龠]", _WORDS[key][1])


def test_every_key_that_is_asked_for_has_words():
    asked = {text for text in WRITTEN if re.fullmatch(r"([a-z]|tile)\.[a-z_0-9]*[a-z0-9]", text)}
    assert asked - set(_WORDS) == set()


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "There is 1 request to m of p."),
        ("1", "There is 1 request to m of p."),
        (0, "There are 0 requests to m of p."),
        ("1,001", "There are 1,001 requests to m of p."),
    ],
)
def test_one_is_singular(count, said):
    assert Words("en")("p.asked", count=count, model="m", provider="p") == said


def test_every_cause_and_every_lost_outcome_has_words():
    for cause in Cause:
        assert f"cause.{cause.value}" in _WORDS
    for outcome in Outcome:
        if outcome.value not in ("open", "valid", "invalid"):
            assert f"cause.request_{outcome.value}" in _WORDS


@pytest.mark.long
def test_every_column_of_every_table_has_words(report, rehearsed):
    for path in (*report.tables, *rehearsed.tables):
        header = path.read_text(encoding="utf-8-sig").split("\n", 1)[0].strip().split(",")
        for name in header:
            assert f"c.{name}" in _WORDS or name.startswith("cause_"), (path.name, name)


def test_a_code_without_words_stands_for_itself():
    assert Words("ja").code("cause", "brand_new") == "brand_new"


def test_nothing_hidden_stays_hidden():
    assert visible("a\x00\x1b\x7f\u202e\u200b\ufeff\n") == "a␀␛␡⟨U+202E⟩⟨U+200B⟩⟨U+FEFF⟩␊"
