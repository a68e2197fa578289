"""Plan: what was to be sent, and what it may cost."""

import base64
import csv
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.pictures import picture
from tests.tui.made import NOW
from tests.tui.snap import SMALL, WIDE, dashboard, drive, settled, shown
from tui.cells import UNICODE
from tui.csv_file import write_table
from tui.model import Health, Job
from tui.source import ExperimentSource
from tui.views.plan import (
    Planned,
    about,
    about_all,
    estimate,
    factor_lines,
    first_prompt,
    nearest,
    planned,
    rows,
    short,
)

NOBODY = Job(folder=Path("nobody"), health=Health.MISSING)


@pytest.fixture
def jobs(outputs):
    source = ExperimentSource(outputs / "literary")
    reading, _ = source.read(NOW)
    source.close()
    return reading.jobs


def text_of(lines):
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x36"])
def test_the_plan_of_a_sweep(outputs, screen, size):
    assert shown(outputs, "literary", view="Plan", size=size) == screen


def test_the_plan_of_one_job_with_its_definition(outputs, screen):
    assert shown(outputs, "done", "d", view="Plan", size=SMALL) == screen


def test_the_first_prompt_as_it_was_sent(outputs, screen):
    assert shown(outputs, "literary", "e", view="Plan", size=WIDE) == screen


def test_the_first_prompt_names_its_picture_however_long_that_is(jobs, tmp_path):
    content = picture("png", 640, 480) + b"\0" * 2_000_000
    data = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    said = [{"type": "image_url", "image_url": {"url": data}}, {"type": "text", "text": "What?"}]
    line = {"custom_id": "a_n01", "body": {"messages": [{"role": "user", "content": said}]}}
    path = tmp_path / "b0001.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    pictures = {"photos/a.png": {"sha256": sha256(content).hexdigest()}}
    known = {**jobs[0].experiment, "definition": {**jobs[0].definition, "images": pictures}}
    shown = text_of(first_prompt(path, replace(jobs[0], experiment=known), UNICODE))
    assert "[image photos/a.png, 640x480 png, 2.0 MB]\nWhat?" in shown
    assert "base64" not in shown


def test_the_sum_is_the_sum_of_the_jobs(jobs):
    plans = [planned(job) for job in jobs]
    *each, (key, cells) = rows(plans, UNICODE)
    assert key == "sum"
    assert cells[2][0] == f"{sum(int(row[2]) for _, row in each):,}" == "900"
    low = sum(job.plan["cost_usd_low"] for job in jobs)
    high = sum(job.plan["cost_usd_high"] for job in jobs)
    assert cells[5][0] == estimate(low, high)


def test_a_sum_with_one_unknown_price_is_unknown(jobs):
    plans = [planned(job) for job in jobs]
    free = Planned("x", {**plans[0].facts, "cost_usd_low": None, "cost_usd_high": None})
    *_, (_, cells) = rows([*plans, free], UNICODE)
    assert cells[5][0] == "$?"
    assert "unknown, never taken for 0" in text_of(
        about(Planned("x", {**free.facts, "prices": None}), NOW, UNICODE)
    )


def test_an_older_ledger_says_what_it_knows_and_that_the_rest_was_not_written(jobs):
    plan = planned(replace(jobs[0], plan=None))
    assert not plan.told
    (row,) = rows([plan], UNICODE)
    assert row[1][1:3] == [str(len(jobs[0].batches)), "160"]
    assert row[1][5:] == ["—", "—"]
    said = text_of(about(plan, NOW, UNICODE))
    assert "An older version ran this" in said
    assert "at most $1.00 in all" in said
    assert "already answered" not in text_of(factor_lines([plan], 100, UNICODE))
    assert "大学１年生" in text_of(factor_lines([plan], 100, UNICODE))


def test_a_deadline_is_said_with_what_it_may_cost():
    facts = {"notes": [], "deadline": {"at": NOW + 7200, "cost_usd_more": 2.0}}
    said = text_of(about(Planned("x", facts), NOW, UNICODE))
    assert "(in 2 h): what is open then is asked one by one, at most $2.0000 more" in said


def test_notes_come_first_and_a_rehearsal_is_one(jobs):
    facts = {**jobs[0].plan, "notes": ["temperature is not sent"], "rehearsal": True}
    lines = about(Planned("x", facts), NOW, UNICODE)
    assert lines[0] == [("! temperature is not sent", "warn")]
    assert "REHEARSAL" in text_of(lines)
    assert "nothing is paid" in text_of(lines)
    assert "8h00 ago" in text_of(lines)


def test_jobs_pay_from_one_budget(jobs):
    assert text_of(about_all([planned(job) for job in jobs])).startswith("budget   $20.00")


def test_factors_that_differ_between_jobs_show_both_ends(jobs):
    plans = [planned(job) for job in jobs]
    more = [{**f, "count": 50} if f["name"] == "trials" else f for f in plans[0].facts["factors"]]
    plans[0] = Planned("x", {**plans[0].facts, "factors": more})
    assert "25-50" in text_of(factor_lines(plans, 100, UNICODE))


def factor(name, count):
    return {"name": name, "count": count, "values": [f"{name} {n}" for n in range(count)]}


def counts_said(facts):
    """Return names and counts as they stand on the screen, of one plan a row of facts."""
    plans = [Planned(f"job{n}", one) for n, one in enumerate(facts)]
    lines = text_of(factor_lines(plans, 100, UNICODE)).splitlines()
    return [" ".join(line[:20].split()) for line in lines if "─" not in line]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (  # each persona has its own temperature: it makes no request more
            [{"factors": [factor("texts", 3), factor("temperatures", 4), factor("trials", 5)]}],
            ["texts 3", "temperatures", "trials × 5", "requests 15"],
        ),
        (
            [{"factors": [factor("texts", 3), factor("temperatures", 2), factor("trials", 5)]}],
            ["texts 3", "temperatures × 2", "trials × 5", "requests 30"],
        ),
        (
            [{"factors": [factor("texts", 3), factor("trials", 5)], "model": m} for m in "ab"],
            ["texts 3", "trials × 5", "models × 2", "requests 30"],
        ),
        (
            [{"factors": [factor("texts", 3), factor("trials", 5)], "model": "a"}] * 2,
            ["texts 3", "trials × 5", "jobs × 2", "requests 30"],
        ),
        (  # factors that go together
            [
                {
                    "factors": [factor("a", 3), factor("b", 3), factor("trials", 5)],
                    "conditions": 3,
                    "trials": 5,
                }
            ],
            ["a 3", "b 3", "trials 5", "15", "requests 15"],
        ),
        (
            [
                {"factors": [factor("trials", 5)], "conditions": 2, "trials": 5, "model": "a"},
                {"factors": [factor("x", 4)], "conditions": 4, "trials": 1, "model": "b"},
            ],
            ["trials 5", "x 4", "models 2", "10", "4", "requests 14"],
        ),
    ],
)
def test_the_product_of_what_has_a_times_sign_is_the_number_of_requests(facts, said):
    total = int(said[-1].split()[1]) // len(facts)
    made = [
        {"to_send": 0, "success": 0, "retry_success": 0, "failed": 0, "total": total}
        | one
        | ({"total": one["conditions"] * one["trials"]} if "conditions" in one else {})
        for one in facts
    ]
    assert counts_said(made) == said


def test_jobs_that_share_a_folder_share_its_requests():
    facts = [
        {
            "folder": "same",
            "factors": [],
            "total": total,
            "to_send": send,
            "success": 0,
            "retry_success": 0,
            "failed": 0,
        }
        for total, send in ((24, 24), (36, 12))
    ]
    said = text_of(factor_lines([Planned(f"x{n}", f) for n, f in enumerate(facts)], 100, UNICODE))
    assert "requests          36" in said
    assert "to send 36" in said


def test_a_pilot_and_a_stopping_rule_are_said():
    facts = {"factors": [], "total": 60, "to_send": 60, "folder": "a"}
    plain = text_of(factor_lines([Planned("x", facts)], 100, UNICODE))
    assert "pilot" not in plain
    assert "rule" not in plain
    ruled = {**facts, "pilot": {"requests": 20}, "until": {"of": "Q1"}, "total_at_most": 240}
    said = text_of(
        factor_lines([Planned("x", ruled), Planned("y", {**facts, "folder": "b"})], 100, UNICODE)
    )
    assert "20 of them first, as a pilot" in said
    assert "at most 300, by a stopping rule" in said


def test_the_nearest_limit_is_never_rounded_to_nothing():
    def facts(value):
        return {"limits": [{"name": "bytes in a batch", "value": value, "limit": 200_000_000}]}

    assert nearest(facts(1)) == "0.1% of bytes"
    assert nearest(facts(199_999_999)) == "99.9% of bytes"
    assert nearest(facts(200_000_000)) == "100% of bytes"
    assert nearest({"limits": []}) == ""


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10k"), (999_499, "999k"), (999_500, "1.00M")],
)
def test_large_numbers_are_short(number, said):
    assert short(number) == said


@given(
    width=st.integers(0, 300),
    names=st.lists(st.text(max_size=40), max_size=6),
    count=st.integers(0, 10**9),
)
def test_no_factor_is_wider_than_the_screen(width, names, count):
    facts = {"factors": [{"name": "texts", "count": count, "values": names}], "total": 1}
    lines = factor_lines([Planned("x", facts)], width, UNICODE)
    assert cell_len(text_of(lines[:1])) <= max(width, 45)
    assert "\x1b" not in text_of(lines)


@pytest.mark.parametrize("line", [b"", b"[]\n", b"{\n", b"\xff\n", b'"x"\n'])
def test_a_request_file_that_is_damaged_says_so(tmp_path, line):
    path = tmp_path / "b0001.jsonl"
    path.write_bytes(line)
    assert "not the request it should be" in text_of(first_prompt(path, NOBODY, UNICODE))
    assert "cannot be read" in text_of(first_prompt(tmp_path / "none.jsonl", NOBODY, UNICODE))


def test_a_prompt_that_wants_to_draw_is_only_text(tmp_path):
    path = tmp_path / "b0001.jsonl"
    path.write_text(
        '{"custom_id":"p1","body":{"messages":[{"role":"user","content":"[red]\\u001b[2J\\nx"}]}}\n'
    )
    assert "[red]␛[2J\nx" in text_of(first_prompt(path, NOBODY, UNICODE))


@pytest.mark.long
def test_enter_shows_the_definition_of_the_job_under_the_cursor(outputs):
    async def script(pilot):
        await pilot.press("j", "enter")
        await settled(pilot)
        return pilot.app.screen.query("Line").first().text

    found = drive(dashboard(outputs, "literary", view="Plan"), script)
    assert found == "definition of groq_llama-3.3-70b-versatile"


def test_the_table_for_csv_has_a_row_a_job(outputs):
    async def script(pilot):
        return pilot.app.screen.view.csv_rows()

    head, *body = drive(dashboard(outputs, "literary", view="Plan"), script)
    assert [row[head.index("requests to send")] for row in body] == ["300", "300", "300"]
    assert {len(row) for row in body} == {len(head)}


def test_a_table_for_spreadsheets_is_whole_and_has_no_formula(tmp_path):
    path = tmp_path / "new" / "view-plan.csv"
    write_table(
        path, [["job", "value"], ["=1+1", "-3"], ["＝cmd", '大学１年生 "a", b'], ["\ud800", ""]]
    )
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.reader(source))
    assert rows[1:3] == [["'=1+1", "'-3"], ["'＝cmd", '大学１年生 "a", b']]
    assert [entry.name for entry in path.parent.iterdir()] == ["view-plan.csv"]
