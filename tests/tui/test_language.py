"""English or Japanese: every text has both, and no English is left where Japanese is spoken."""

import ast
import json
import re
import string
from functools import cache
from pathlib import Path

import pytest

from runner.core.model import Cause
from runner.core.states import BatchEvent, BatchState, Outcome
from runner.core.summary import HELD, UNKNOWN
from runner.core.twins import Fate
from runner.storage.commands import CommandVerb
from tests.tui.snap import dashboard, drive, screen_text, settled
from tui import jobrows
from tui.__main__ import main
from tui.answers import STATE_WORDS
from tui.japanese import HEARD, TERMS, TEXTS
from tui.language import ENGLISH, JAPANESE, explained, heard, speak, spoken, term, tr
from tui.model import Health
from tui.screens.help import binding_ids

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def japanese():
    speak(JAPANESE)
    yield
    speak(ENGLISH)


@pytest.fixture
def english():
    """Speak English again after a command line that says otherwise."""
    yield
    speak(ENGLISH)


# -- the catalogue


def modules(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def literals(node):
    """Yield the texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.Constant) and node.value:
        yield node.value


def said_in(tree):
    """Yield the texts that are given to `tr`, or are given to it where they are shown."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", "")
        if name in ("tr", "later", "Col", "own"):
            yield from literals(call.args[0])
        elif name == "Binding":
            told = [word.value for word in call.keywords if word.arg == "tooltip"]
            for text in (call.args[2], *told):
                yield from literals(text)


@cache
def texts():
    return {
        text for path, tree in modules("tui") for text in said_in(tree) if path.stem != "language"
    }


def parts(text):
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name)


def test_every_text_has_a_japanese_one_and_none_is_too_many():
    assert sorted(texts() - TEXTS.keys()) == []
    assert sorted(TEXTS.keys() - texts()) == []


def test_a_japanese_text_has_the_parts_of_the_english_one():
    assert [text for text, told in TEXTS.items() if parts(text) != parts(told)] == []
    unknown = [told for text, told in HEARD.items() if {*parts(told)} - {*parts(text)}]
    assert unknown == []


def test_every_word_of_the_ledger_has_a_japanese_one():
    standings = [*jobrows._LEDGER.values(), *jobrows._LIVES.values()]
    needed = {
        "state": {*BatchState, UNKNOWN, HELD},
        "status": {*STATE_WORDS},
        "outcome": {*Outcome},
        "cause": {*Cause},
        "verb": {*CommandVerb},
        "fate": {*Fate},
        "event": {*BatchEvent},
        "standing": {found.word for found in standings} | {"halted", "held", "running"},
    }
    assert {group: words - TERMS[group].keys() for group, words in needed.items()} == {
        group: set() for group in needed
    }
    assert {*jobrows._LEDGER} == {*Health} - {Health.OK}


HEARD_FROM = (
    *("storage/kv.py", "storage/reader.py", "core/transition.py", "core/ends.py", "core/twins.py"),
    *("core/identity.py", "core/summary.py", "core/charged.py", "config/prices.py"),
    *("run/preflight.py", "run/preview.py", "run/control.py", "providers/base.py"),
    "cli/phrases.py",
)


def test_what_is_heard_is_what_the_runner_says():
    said = "\n".join(
        shape(node)
        for name in HEARD_FROM
        for node in ast.walk(ast.parse((ROOT / "runner" / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    )
    clauses = {
        clause.strip(" .;:,()$"): text
        for text in HEARD
        for clause in re.split(r"\{\w+\}|[;:,()]| and |what is open ", text)
    }
    assert [(clause, text) for clause, text in clauses.items() if clause not in said] == []


def shape(node):
    """Return the text of a literal, without its parts; the texts in a part are texts of its own, too."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(shape, node.values))
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.IfExp):
        return "".join(map(shape, (node.value.body, node.value.orelse)))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "\0"


# -- what is said


def test_english_is_said_as_it_stands_in_the_code():
    assert spoken() == ENGLISH
    assert tr("{count:,} requests", count=1200) == "1,200 requests"
    assert term("state", "running") == "running"
    assert explained("state", "state:failed") == "state:failed"
    assert heard("cost unknown") == "cost unknown"


def test_japanese_has_what_is_typed_beside_it(japanese):
    assert tr("{count:,} requests", count=1200) == "依頼 1,200 件"
    assert explained("state", "state:failed") == "state:failed（状態）"


def test_what_the_runner_said_is_told_in_japanese_and_the_unknown_as_it_is(japanese):
    assert heard("the provider refused b0001: no credit") == "提供者が b0001 を拒否した：no credit"
    assert heard("b0001: something new") == "b0001: something new"
    assert heard("3 of it; cost unknown") == "3 of it；費用は不明"


@pytest.mark.parametrize("word", ["lang=ja", "tui.lang=ja", "--lang=ja"])
def test_the_language_is_chosen_on_the_command_line(outputs, capsys, english, word):
    main([word, "--plain", "--outputs", str(outputs), "done"])
    assert "回答 120/120 成功 118" in capsys.readouterr().out


def test_the_environment_chooses_it_too_and_the_command_line_has_the_last_word(
    outputs, capsys, english, monkeypatch
):
    monkeypatch.setenv("CHORUS_LANG", "ja")
    main(["--plain", "--outputs", str(outputs), "done"])
    main(["--lang", "en", "--plain", "--outputs", str(outputs), "done"])
    told = capsys.readouterr().out
    assert "回答 120/120" in told
    assert "answers 120/120" in told


def test_an_unknown_language_is_one_line_with_what_there_is(capsys, monkeypatch):
    assert main(["lang=de", "--plain"]) == 2
    monkeypatch.setenv("CHORUS_LANG", "fr")
    assert main(["--plain"]) == 2
    assert capsys.readouterr().err == (
        "error: command line: lang: 'de'; there are en, ja\n"
        "error: CHORUS_LANG: lang: 'fr'; there are en, ja\n"
    )


def test_json_is_english_in_any_language(outputs, capsys, english):
    main(["--lang", "ja", "--json", "--outputs", str(outputs), "literary"])
    told = json.loads(capsys.readouterr().out)
    sentences = [n["sentence"] for job in told["jobs"] for n in job["attention"]]
    assert sentences
    assert all(sentence.isascii() for sentence in sentences)


# -- the screens

NAMES = {
    *("literary", "anthropic", "openai", "groq", "persona", "text", "model", "form", "rating"),
    *("custom_id", "job", "system", "user", "done", "MB"),
}
COMMANDS = {"Enter", "esc", "home", "end", "pgup", "pgdn", "REHEARSAL", "CSV", "YAML", "keymap"}
CODES = {"none", "plain", "stop", "refused", "missing", "json", "Chorus"}
OF_THE_PROVIDER = {"completed", "expired", "not", "found", "overloaded", "HTTP"}
OF_THE_LEDGER = {"dropped", "genai-prices"}
"""An event that these ledgers have and no runner writes; the package of the prices."""
ALLOWED = (
    NAMES | COMMANDS | CODES | OF_THE_PROVIDER | OF_THE_LEDGER | {"", *list("abcdefghjkmnopqrsux")}
)


def english_in(text):
    """Return the words that are neither a name nor a code: letters, and nothing else between blanks."""
    words = re.findall(r"(?<![^\s（：、。])[A-Za-z][A-Za-z'-]+(?![^\s）：、。,;])", text)
    return {word for word in words if word not in ALLOWED | binding_ids()}


SEEN = {
    "jobs": ("0",),
    "plan": ("1",),
    "batches": ("2",),
    "filter": ("slash",),
    "answers": ("escape", "3"),
    "problems": ("exclamation_mark",),
    "patterns": ("4",),
    "scores": ("5",),
    "stop": ("2", "S"),
    "help": ("n", "question_mark"),
}
"""What is looked at, one after the other, with the keys that lead there."""
KEPT = ("jobs", "plan", "batches", "problems", "patterns", "scores")


def test_no_english_is_left_on_any_view(outputs, screen, japanese):
    async def look(pilot):
        found = {"list": screen_text(pilot.app)}
        await pilot.press("enter")
        await settled(pilot)
        for name, keys in SEEN.items():
            for key in keys:
                await pilot.press(key)
                await settled(pilot)
            found[name] = screen_text(pilot.app)
        return found

    found = drive(dashboard(outputs), look)
    left = {name: english_in(text.replace(str(outputs), "")) for name, text in found.items()}
    assert left == {name: set() for name in found}
    assert "\n".join(found[name] for name in KEPT) == screen
