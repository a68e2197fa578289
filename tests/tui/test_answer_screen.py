"""One answer: its prompt as it was sent, every attempt, and the raw text with its numbers marked."""

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from runner.core.model import Cause
from runner.storage.ledger import Ledger
from tests.growth import MOST, growth
from tests.pictures import picture
from tests.tui import made
from tests.tui.snap import SMALL, WIDE, screen_text, settled
from tests.tui.test_answers import HOSTILE, calm, driven, failing, rewritten, typed
from tests.variants import first
from tui.answers import Answers, Places, Store
from tui.reading import (
    MOST_SHOWN,
    Attempt,
    OneAnswer,
    cause_words,
    marked,
    marks,
    prompt_of,
    question_set,
    read_one,
    sent,
)
from tui.source import ExperimentSource
from tui.textlines import TextLines, fold
from tui.views.view import Wanted

__all__ = ["failing"]


def answers_of(folder: Path) -> Answers:
    source = ExperimentSource(folder)
    try:
        return Store().read(source.read(made.NOW)[0].jobs)
    finally:
        source.close()


def one_of(folder: Path, key: str) -> OneAnswer:
    places = Places(answers_of(folder))
    found = places.find(key)
    assert found is not None
    return read_one(*places.at(found))


def opened(outputs: Path, experiment: str, key: str, *keys: str, size=WIDE) -> str:
    """Open one answer, press keys, and return the screen above the line of keys."""

    async def script(pilot):
        table = pilot.app.screen.query_one("#answers")
        assert table.go_to(key)
        for name in ("enter", *keys):
            await pilot.press(name)
            await settled(pilot)
        return "\n".join(screen_text(pilot.app).split("\n")[:-2]) + "\n"

    return str(driven(outputs, experiment, script, size))


RETRIED = "openai_gpt-4o-mini/p2_t1_n02"


@pytest.mark.parametrize("size", first(1, [SMALL, WIDE], one=True), ids=["80x24", "120x36"])
def test_an_answer_that_was_asked_again(outputs, screen, size):
    assert opened(outputs, "done", RETRIED, size=size) == screen


@pytest.mark.long
def test_its_first_attempt_says_why_it_was_not_taken(outputs, screen):
    assert opened(outputs, "done", RETRIED, "tab") == screen


def test_its_prompt_as_it_was_sent(outputs, screen):
    assert opened(outputs, "done", RETRIED, "t") == screen


def test_a_request_on_its_way_has_a_prompt_and_no_answer(outputs):
    places = Places(answers_of(outputs / "literary"))
    key = next(
        places.key(n)
        for n in range(len(places))
        if (one := places.at(n))[0].job.provider == "openai"
        and one[0].batches[one[0].table["batch"][one[1]]].state.value == "ended"
        and one[0].table["attempts"][one[1]] == 0
    )

    async def script(pilot):
        pilot.app.screen.query_one("#answers").go_to(key)
        for name in ("enter", "t"):
            await pilot.press(name)
            await settled(pilot)
        return pilot.app.screen.query_one(TextLines).text

    shown = driven(outputs, "literary", script)
    assert "no answer yet: b0003 is ended" in shown
    assert "あなたは文学研究者です" in shown
    assert "no raw answer" in shown


@pytest.mark.long
def test_n_and_p_go_through_the_list_and_esc_puts_the_cursor_there(outputs):
    async def script(pilot):
        await typed(pilot, "persona:p2 text:t2")
        titles = []
        for key in ("enter", "n", "n", "p", "p", "p"):
            await pilot.press(key)
            await settled(pilot)
            titles.append(screen_text(pilot.app).split("\n")[0].strip())
        await pilot.press("n", "escape")
        await calm(pilot)
        return titles, pilot.app.screen.query_one("#answers").key

    titles, key = driven(outputs, "done", script)
    numbers = [1, 2, 3, 2, 1, 1]
    assert titles == [f"p2_t2_n{n:02d}  {n} of 10" for n in numbers]
    assert key == "openai_gpt-4o-mini/p2_t2_n02"


def test_tab_goes_through_the_attempts_and_comes_round(outputs):
    async def script(pilot):
        pilot.app.screen.query_one("#answers").go_to(RETRIED)
        shown = []
        for key in ("enter", "tab", "tab"):
            await pilot.press(key)
            await settled(pilot)
            text = pilot.app.screen.query_one(TextLines).text
            shown.append(next(line for line in text.split("\n") if line.endswith("raw answer")))
        return shown

    assert driven(outputs, "done", script) == [f"── attempt {n}, raw answer" for n in (2, 1, 2)]


@pytest.mark.long
def test_r_is_there_for_what_failed_and_reaches_the_experiments_screen(failing):
    async def script(pilot):
        view = pilot.app.screen.query_one("#Answers")
        wanted = []
        view.post_message = lambda message, old=view.post_message: (
            wanted.append(message) if isinstance(message, Wanted) else old(message)
        )
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("r", "escape")
        await typed(pilot, "state:failed")
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("n")
        await settled(pilot)
        await pilot.press("r", "y")
        return wanted, pilot.app.clipboard

    (wanted,), copied = driven(failing, "strict", script)
    assert (wanted.verb, wanted.requests) == ("retry", ("p1_t3_n12",))
    assert copied == made.answer("p1_t3_n12")


def test_hostile_text_is_visible_and_does_nothing(outputs, tmp_path):
    copied = rewritten(outputs, tmp_path, "p1_t1_n01", HOSTILE)
    shown = opened(copied, "done", "openai_gpt-4o-mini/p1_t1_n01")
    assert "␛[2J␇�31m[bold red]x[/] �abc" in shown
    assert "[@click=app.quit]y[/]" in shown
    assert not any(ord(char) < 32 and char != "\n" for char in shown)
    assert "read today, Q1, Q2, Q3, Q4 would be other than stored" in shown


@pytest.mark.long
def test_a_very_long_answer_is_shown_to_a_limit_that_is_told(outputs, tmp_path):
    long = "Q1. 面白さ(数値): 80\n" + "長い" * 300_000
    copied = rewritten(outputs, tmp_path, "p1_t1_n01", long)
    shown = opened(copied, "done", "openai_gpt-4o-mini/p1_t1_n01", "G")
    assert f"the first {MOST_SHOWN:,} of {len(long):,} characters" in shown
    assert "attempts/b0001-0000.parquet, row 0" in shown


# -- the prompt


@pytest.mark.parametrize("provider", made.MIDDLE)
def test_the_prompt_is_the_line_that_was_sent_under_this_name(outputs, provider):
    name = f"{provider}_{made.MIDDLE[provider][0]}"
    answer = one_of(outputs / "literary", f"{name}/p1_t1_n07")
    told = prompt_of(answer.job, "b0001", answer.custom_id)
    lines = (answer.job.job.folder / "requests/b0001.jsonl").read_text().splitlines()
    (line,) = [row for row in map(json.loads, lines) if row["custom_id"].endswith("p1_t1_n07")]
    body = line.get("body") or line["params"]
    first = body.get("system") or body["messages"][0]["content"]
    assert not isinstance(told, str)
    assert [role for role, _ in told.parts] == ["system", "user"]
    assert [text for _, text in told.parts] == [first, body["messages"][-1]["content"]]
    assert told.rest["model"] == made.MIDDLE[provider][0]


SHAPES = {
    "gemini": (
        {
            "custom_id": "c1-a",
            "request": {
                "systemInstruction": {"parts": [{"text": "be brief"}]},
                "contents": [{"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}],
                "generationConfig": {"temperature": 0.5},
            },
        },
        (("system", "be brief"), ("user", "one\ntwo")),
    ),
    "anthropic in blocks": (
        {
            "params": {
                "system": [{"type": "text", "text": "s"}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}],
            }
        },
        (("system", "s"), ("user", "u")),
    ),
    "odd": ({"body": {"messages": [{"content": None}, 7]}}, (("?", "null"),)),
}


@pytest.mark.parametrize(("line", "parts"), SHAPES.values(), ids=SHAPES)
def test_a_request_line_of_any_provider_is_told_by_its_parts(line, parts):
    assert sent(line).parts == parts


PNG = base64.b64encode(picture("png", 640, 480)).decode()
NAMES = {sha256(picture("png", 640, 480)).hexdigest(): "photos/a.png"}
LINE = "[image photos/a.png, 640x480 png, 2 kB]"
SHOWN = {
    "a data URL": ({"image_url": {"url": f"data:image/png;base64,{PNG}"}}, LINE),
    "base64": ({"source": {"type": "base64", "media_type": "image/png", "data": PNG}}, LINE),
    "inline": ({"inlineData": {"mimeType": "image/png", "data": PNG}}, LINE),
    "another one": (
        {
            "image_url": {
                "url": f"data:image/gif;base64,{base64.b64encode(picture('gif')).decode()}"
            }
        },
        "[image, 64x48 gif, 1 kB]",
    ),
    "an address": (
        {"source": {"type": "url", "url": "https://x.org/a"}},
        "[image https://x.org/a]",
    ),
    "a file": ({"fileData": {"fileUri": "gs://x/a.png"}}, "[image gs://x/a.png]"),
    "no base64": ({"inlineData": {"data": "%%%"}}, "[image, 3 characters that are no base64]"),
    "no picture": ({"inlineData": {"data": "AAAA"}}, "[image, 3 bytes]"),
}


@pytest.mark.parametrize(("part", "shown"), SHOWN.values(), ids=SHOWN)
def test_a_picture_is_a_line_that_names_it(part, shown):
    key, place = ("contents", "parts") if "Data" in str(part) else ("messages", "content")
    body = {key: [{"role": "user", place: [part, {"text": "u"}]}]}
    assert sent({"body": body}, NAMES).parts == (("user", f"{shown}\nu"),)


def test_a_line_of_no_known_shape_is_shown_as_it_is():
    ((role, text),) = sent({"custom_id": "a", "input": "面白い"}).parts
    assert role == "line"
    assert json.loads(text) == {"custom_id": "a", "input": "面白い"}
    assert "面白い" in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "body",
                    "params",
                    "request",
                    "messages",
                    "content",
                    "parts",
                    "text",
                    "role",
                    "system",
                    "contents",
                    "systemInstruction",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["custom_id", "body", "params", "request"]), JSON))
def test_no_request_line_is_too_odd_to_be_shown(line):
    assert all(isinstance(text, str) for part in sent(line).parts for text in part)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "requests/b0001.jsonl cannot be read"),
        (lambda path: path.write_bytes(b""), "requests/b0001.jsonl cannot be read"),
        (lambda path: path.write_bytes(b'{"custom_id":"p1_t1_n01"\n'), "has no line for p1_t1_n01"),
    ],
)
def test_a_request_file_that_is_gone_or_damaged_is_told(outputs, tmp_path, damage, says):
    shutil.copytree(outputs / "done", tmp_path / "done")
    answer = one_of(tmp_path / "done", "openai_gpt-4o-mini/p1_t1_n01")
    damage(answer.job.job.folder / "requests/b0001.jsonl")
    told = prompt_of(answer.job, "b0001", answer.custom_id)
    assert isinstance(told, str)
    assert says in told


def test_the_name_of_a_request_inside_another_prompt_is_not_taken_for_its_line(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    answer = one_of(tmp_path / "done", "openai_gpt-4o-mini/p1_t1_n02")
    path = answer.job.job.folder / "requests/b0001.jsonl"
    decoy = {"custom_id": "p1_t1_n99", "body": {"messages": [{"role": "p1_t1_n02"}]}}
    other = {"custom_id": "x-p1_t1_n02", "body": {}}
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in (decoy, other))
    path.write_bytes(lines.encode() + path.read_bytes())
    told = prompt_of(answer.job, "b0001", "p1_t1_n02")
    assert not isinstance(told, str)
    assert told.parts[0] == (
        "system",
        "あなたは大学１年生です。日本の文学テキストに対する感情分析を行います。",
    )


# -- the marks


def test_the_question_set_comes_back_from_the_ledger_as_it_was():
    questions = made._run(
        "outputs", "done", "openai", "gpt-4o-mini", 10
    ).settings.experiment.questions
    assert question_set(json.loads(json.dumps(asdict(questions)))) == questions


@pytest.mark.parametrize("record", [None, 7, {}, {"questions": [{"id": "Q1"}]}, {"questions": 3}])
def test_a_question_set_of_another_shape_is_none(record):
    assert question_set(record) is None


def test_every_mark_is_the_number_that_is_stored(outputs):
    one = answers_of(outputs / "done").jobs[0]
    for row in range(0, one.table.height, 7):
        answer = read_one(one, row)
        attempt = answer.attempts[answer.first_shown]
        found = marks(one, attempt, answer.custom_id)
        assert found.note is None
        assert attempt.raw is not None
        assert sorted(float(attempt.raw[a:b]) for a, b in found.spans) == sorted(
            v.value for v in attempt.values.values()
        )


def test_an_answer_of_an_older_version_is_not_marked_and_says_so(outputs):
    one = answers_of(outputs / "done").jobs[0]
    experiment = {k: v for k, v in one.experiment.items() if k != "question_set"}
    old = replace(one, experiment=experiment)
    known = read_one(old, 0)
    found = marks(old, known.attempts[0], known.custom_id)
    assert found.spans == ()
    assert "written by an older version" in (found.note or "")


def test_values_that_would_be_read_otherwise_today_are_told(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    for part in (tmp_path / "done").rglob("attempts/b0001-*.parquet"):
        pl.read_parquet(part).with_columns(Q2_value=pl.lit(77)).write_parquet(part)
    answer = one_of(tmp_path / "done", "openai_gpt-4o-mini/p1_t1_n01")
    found = marks(answer.job, answer.attempts[0], answer.custom_id)
    assert found.note == (
        "read today, Q2 would be other than stored: action=extract shows what changes"
    )
    assert len(found.spans) == 4


@given(
    st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4)
)
def test_marked_text_keeps_every_letter_and_lets_no_control_character_through(text, spans):
    lines = marked(text, tuple(sorted((min(s), max(s)) for s in spans)))
    shown = "\n".join("".join(piece for piece, _ in line) for line in lines)
    assert not any(ord(char) < 32 and char != "\n" for char in shown)
    assert [c for c in shown if c.isalnum()] == [c for c in text if c.isalnum()]


@given(
    st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["", "match"])), max_size=4),
    st.integers(1, 20),
)
@settings(deadline=None)
def test_a_folded_line_fits_and_loses_nothing(line, width):
    from tui.cells import clean

    cleaned = [(clean(text), style) for text, style in line]
    rows = list(fold(cleaned, width))
    assert "".join(t for row in rows for t, _ in row) == "".join(t for t, _ in cleaned)
    assert all(
        cell_len("".join(t for t, _ in row)) <= max(width, 2 if width == 1 else 0) for row in rows
    )
    assert rows


def test_twice_as_long_a_line_takes_about_twice_the_time_to_fold():
    def rows(pairs: int) -> int:
        return len(list(fold([("長い" * pairs, "")], 100)))

    assert rows(100_000) == 4_000
    assert growth(lambda: rows(50_000), lambda: rows(100_000)) <= MOST


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_words(outputs, cause):
    question = answers_of(outputs / "done").questions[1]
    words = cause_words(cause.value, question, ("120", "80"))
    assert words.endswith(": 120, 80") or words == "120, 80 is outside 0-100"


def test_an_attempt_whose_file_was_changed_meanwhile_is_told(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    one = answers_of(tmp_path / "done").jobs[0]
    part = one.parts[0].path
    pl.read_parquet(part).reverse().write_parquet(part)
    answer = read_one(one, 0)
    assert answer.notes == (
        "attempts/b0001-0000.parquet, row 0 cannot be read (the file was changed meanwhile)",
    )
    assert answer.attempts == (Attempt(batch="b0001", outcome="valid", counts=True),)


def test_the_prompt_is_found_in_a_large_file_in_one_pass(outputs, tmp_path):
    def behind(lines: int) -> Callable[[], None]:
        """Look for a prompt that stands behind so many others."""
        folder = tmp_path / str(lines)
        shutil.copytree(outputs / "done", folder)
        with Ledger.open(next(folder.iterdir())):
            pass
        job = one_of(folder, "openai_gpt-4o-mini/p1_t1_n02").job
        path = job.job.folder / "requests/b0001.jsonl"
        line = json.dumps({"custom_id": "other", "body": {"text": "x" * 4_000}}).encode() + b"\n"
        path.write_bytes(line * lines + path.read_bytes())

        def found() -> None:
            assert not isinstance(prompt_of(job, "b0001", "p1_t1_n02"), str)

        return found

    assert growth(behind(5_000), behind(10_000)) <= MOST
