"""What a researcher types, and what comes of it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, ROOT, SMALL, Emulator
from tests.variants import first

LIVE_CELL = "literary/openai_gpt-6-luna"
TIMES = ["submitted_at", "completed_at", "answered_at"]


def one_line(text: str) -> str:
    """The only line of a message; fails when there are more."""
    (line,) = text.strip().splitlines()
    return line


def test_the_bare_command_answers_the_whole_study_in_15_seconds_of_work_without_a_key(desk):
    before = os.times()
    done = desk.process()
    after = os.times()  # its own work and the emulator's, however busy the machine is
    assert sum(after[2:4]) - sum(before[2:4]) < 15
    assert done.returncode == 0, done.stderr
    answers = desk.answers()
    assert answers.height == 120
    assert set(answers["status"]) <= {"success", "retry_success"}
    assert set(answers["rehearsal"]) == {True}
    assert answers["Q1_value"].is_between(0, 100).all()
    assert answers["Q4_reason"].str.len_chars().min() > 0
    assert dict(answers.group_by("persona").agg(pl.col("temperature").first()).iter_rows()) == {
        "p1": 0.7,
        "p2": 0.4,
        "p3": 0.9,
        "p4": 0.1,
    }
    assert "answers.csv" in done.stdout
    assert "provider=openai" in done.stdout
    assert "REHEARSAL" in done.stdout
    csv = pl.read_csv(desk.cell() / "answers.csv")
    assert csv.height == 120
    assert csv["raw_answer"].str.strip_prefix("'").to_list() == answers["raw_answer"].to_list()


def test_running_again_sends_nothing_and_changes_no_row(desk):
    assert desk.process(*SMALL, *QUICK).returncode == 0
    before, bill = desk.answers(), desk.bill()
    assert desk.run(*SMALL, *QUICK).returncode == 0
    assert desk.answers().equals(before)
    assert desk.bill() == bill


def test_every_answer_is_billed_exactly_as_often_as_the_table_says(desk):
    assert desk.run(*QUICK, "faults.malformed=0.4").returncode in (0, 3)
    answers = desk.answers()
    assert desk.bill()["billed"] == dict(answers.select("custom_id", "attempts").iter_rows())
    attempts = desk.attempts()
    assert attempts.height == answers["attempts"].sum()
    counters = desk.summary()
    assert counters["total"] == sum(
        counters[name] for name in ("success", "retry_success", "failed", "open")
    )
    for question in ("Q1", "Q2", "Q3", "Q4"):
        matches = sum(counters["pattern_match_stats"][question].values())
        assert matches == attempts.height


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 3))])
def test_a_bad_week_at_the_provider_ends_with_every_request_answered_and_billed_once(desk, seed):
    done = desk.run("faults=rough", f"faults.seed={seed}", "faults.missing_lines=0", *SMALL)
    assert done.returncode == 0, done.stderr
    answers = desk.answers()
    assert answers.height == 12
    assert desk.bill()["billed"] == dict(answers.select("custom_id", "attempts").iter_rows())


@pytest.mark.long
def test_a_line_that_the_provider_loses_is_asked_again_and_reported(desk):
    done = desk.run(*QUICK, *SMALL, "faults.missing_lines=0.3")
    assert done.returncode == 0, done.stderr
    answers = desk.answers()
    assert answers["lost"].sum() > 0
    assert "requests missing" in (desk.cell() / "errors.jsonl").read_text()
    assert set(answers["status"]) <= {"success", "retry_success"}


def test_a_plan_opens_no_socket_writes_no_file_and_imports_no_sdk(desk):
    script = (
        "import socket, sys\n"
        "class Refused(socket.socket):\n"
        "    def __init__(self, *a, **k): raise AssertionError('a socket')\n"
        "socket.socket = Refused\n"
        "from runner.__main__ import main\n"
        "code = main(['action=plan', 'provider=openai', 'trials=100'])\n"
        "print('SDK' if {'openai', 'polars', 'starlette'} & set(sys.modules) else 'lean', code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=desk.folder,
        env=desk.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "lean 0"
    assert "1,200" in done.stdout
    assert desk.files() == set()


def test_a_plan_as_json_counts_cells_requests_batches_bytes_tokens_and_cost(desk):
    facts = json.loads(desk.run("action=plan", "--json").stdout)
    assert (facts["conditions"], facts["total"], facts["to_send"], facts["batches"]) == (
        12,
        120,
        120,
        1,
    )
    assert 0 < facts["cost_usd_low"] < facts["cost_usd_high"] < 1
    assert facts["bytes"] > 100_000
    assert facts["input_tokens"] > 10_000


def test_a_plan_shows_the_first_prompt_as_it_is_sent_and_names_the_longest(desk):
    facts = json.loads(desk.run("action=plan", "--json", *SMALL).stdout)
    said = desk.run("action=plan", *SMALL).stdout
    desk.run(*SMALL, *QUICK)
    lines = (desk.cell() / "requests/b0001.jsonl").read_text().splitlines()
    sent = {row["custom_id"]: row["body"]["messages"] for row in map(json.loads, lines)}
    first, longest = facts["prompts"]["first"], facts["prompts"]["longest"]
    assert first["messages"] == sent[first["custom_id"]]
    sizes = {name: sum(len(m["content"]) for m in some) for name, some in sent.items()}
    assert longest["characters"] == sizes[longest["custom_id"]] == max(sizes.values())
    shown = "".join("".join(line.strip().lstrip("│┆").split()) for line in said.splitlines())
    assert [
        m["content"] for m in first["messages"] if "".join(m["content"].split()) not in shown
    ] == []
    assert [factor["together"] for factor in facts["design"]] == ["crossed", "crossed"]


def test_a_plan_predicts_the_request_file_to_the_byte(desk):
    facts = json.loads(desk.run("action=plan", "--json", *SMALL).stdout)
    desk.run(*SMALL, *QUICK)
    assert (desk.cell() / "requests/b0001.jsonl").stat().st_size == facts["bytes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    first(
        3,
        [
            (["trails=3"], ["trails", "trials"]),
            (["trials=0"], ["trials", "1 or more"]),
            (["personas=[p9]"], ["personas", "p1, p2, p3, p4"]),
            (["provider=opnai"], ["openai", "emulator"]),
            (["temperatures=[9]"], ["temperatures", "0 to 2"]),
            (["action=rn"], ["action", "run"]),
            (["provider=openai"], ["OPENAI_API_KEY", "service=emulated"]),
            (["provider.api_key=sk-CANARY123"], ["api_key_env"]),
            (["-m", "--cfg", "job"], []),
        ],
    ),
)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_is_written(desk, arguments, words):
    done = desk.process(*arguments) if arguments == ["trails=3"] else desk.run(*arguments)
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert [word for word in words if word not in line] == []
    assert "CANARY" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert desk.files() == set()


@pytest.mark.parametrize("ending", first(1, [signal.SIGINT, signal.SIGTERM]))
def test_ctrl_c_stops_cleanly_and_the_printed_command_resumes(desk, ending):
    slow = [*SMALL, "faults.in_progress_seconds=3", "poll.max_seconds=0.3"]
    running = desk.start(*slow)
    for line in running.stderr:
        if "accepted by the provider" in line:
            break
    running.send_signal(ending)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "1 batch at the provider" in out
    command = re.search(r"resume with: \S+ -m runner (.*)", out)[1].replace("'", "")
    done = desk.run(*command.split())
    assert done.returncode == 0, done.stderr
    assert desk.bill()["billed"] == dict(desk.answers().select("custom_id", "attempts").iter_rows())


@pytest.mark.long
def test_ctrl_c_twice_leaves_at_once_and_nothing_is_lost(desk):
    running = desk.start(*SMALL, "faults.in_progress_seconds=2")
    for line in running.stderr:
        if "accepted by the provider" in line:
            break
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert desk.run(*SMALL).returncode == 0
    assert desk.bill()["billed"] == dict(desk.answers().select("custom_id", "attempts").iter_rows())


@pytest.mark.long
def test_submit_and_leave_then_collect_another_day(desk):
    slow = [*SMALL, "faults.in_progress_seconds=6", "faults.malformed=0"]
    done = desk.process(*slow, "wait=false")
    sent = time.monotonic()
    assert done.returncode == 3
    assert desk.summary()["open"] == 12
    early = desk.run(*slow, "action=collect")
    assert early.returncode == 3
    time.sleep(max(6.6 - (time.monotonic() - sent), 0))
    assert desk.process(*slow, "action=collect").returncode == 0
    assert desk.summary()["success"] == 12
    assert desk.bill()["batches"] == 1


@pytest.mark.long
def test_collect_sends_nothing_even_when_answers_have_to_be_asked_again(desk):
    arguments = [*SMALL, "faults=instant", "faults.malformed=1", "faults.malformed_enhanced=0"]
    assert desk.run(*arguments, "wait=false").returncode == 3
    assert desk.run(*arguments, "action=collect").returncode == 3
    assert desk.summary()["open"] == 12
    assert desk.bill()["batches"] == 1
    assert desk.run(*arguments).returncode == 0
    assert desk.summary()["retry_success"] == 12
    assert set(desk.answers()["prompt_variant"]) == {"enhanced"}


@pytest.mark.long
def test_cancel_keeps_what_was_answered_and_a_later_run_asks_the_rest(desk):
    slow = [*SMALL, "faults.in_progress_seconds=60", "faults.malformed=0"]
    assert desk.run(*slow, "wait=false").returncode == 3
    time.sleep(0.6)
    cancelled = desk.run(*slow, "action=cancel")
    assert cancelled.returncode == 3, cancelled.stderr
    assert desk.summary()["batches"] == {"collected": 1}
    done = desk.run(*SMALL, *QUICK, "faults.malformed=0")
    assert done.returncode == 0, done.stderr
    answers = desk.answers()
    assert answers["status"].to_list() == ["success"] * 12
    assert desk.bill()["billed"] == dict.fromkeys(answers["custom_id"], 1)


@pytest.mark.long
def test_status_tells_of_a_running_experiment_from_another_process(desk):
    running = desk.start(*SMALL, "faults.in_progress_seconds=60")
    for line in running.stderr:
        if "accepted by the provider" in line:
            break
    facts = json.loads(desk.run(*SMALL, "action=status", "--json").stdout)
    assert facts["runner"]["pid"] == running.pid
    assert facts["heartbeat_age_seconds"] < 5
    assert (facts["total"], facts["open"]) == (12, 12)
    assert facts["open_batches"][0]["state"] == "running"
    second = desk.run(*SMALL)
    assert second.returncode == 2
    assert str(running.pid) in one_line(second.stderr)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    text = desk.run(*SMALL, "action=status").stdout
    assert "not running" in text


def test_status_of_nothing_creates_nothing(desk):
    assert "no run yet" in desk.run("action=status").stdout
    assert desk.files() == set()


def test_more_trials_and_another_persona_send_only_what_is_new(desk):
    calm = [*QUICK, "faults.malformed=0", "texts=[t1]"]
    desk.run(*calm, "personas=[p1]", "trials=2")
    desk.run(*calm, "personas=[p1]", "trials=4")
    desk.run(*calm, "personas=[p1,p3]", "trials=4")
    sizes = [
        len((desk.cell() / f"requests/b000{n}.jsonl").read_bytes().splitlines()) for n in (1, 2, 3)
    ]
    assert sizes == [2, 2, 4]
    assert desk.bill()["billed"] == dict.fromkeys(desk.answers()["custom_id"], 1)
    desk.run(*calm, "personas=[p1]", "trials=1")
    assert desk.answers().height == 8, "answers outside the selection stay in the table"


def study_with_text(desk, body: str) -> list[str]:
    """A user's own folder whose only text is this one."""
    if not (desk.folder / "mine").exists():
        assert desk.run("action=init", "name=mine").returncode == 0
    (desk.folder / "mine/text/sample.txt").write_text(body, encoding="utf-8")
    return ["--config-dir", "mine", "experiment=mine", *QUICK, "faults.malformed=0"]


@pytest.mark.long
def test_a_changed_text_is_refused_with_a_diff_and_a_way_out(desk):
    assert desk.run(*study_with_text(desk, "鼠が見つけて笑いました。")).returncode == 0
    before = desk.files()
    changed = study_with_text(desk, "鼠が見つけて泣きました。")
    refused = desk.run(*changed)
    assert refused.returncode == 2
    line = one_line(refused.stderr)
    assert "texts.sample.sha256" in line
    assert "fork=true" in line
    assert desk.files() == before
    assert desk.run(*changed, "fork=true").returncode == 0
    fork = desk.cell("mine/emulator_gpt-4o-mini-2")
    assert (fork / "answers.parquet").exists()
    again = desk.run(*changed)
    assert again.returncode == 0, "the fork is found again without the word"
    assert len(list((fork / "requests").iterdir())) == 1


@pytest.mark.long
def test_a_folder_of_ones_own_holds_only_what_it_changes(desk):
    hint = desk.run("action=init", "name=mine").stdout
    assert "--config-dir mine experiment=mine action=plan" in hint
    plan = desk.run("--config-dir", "mine", "experiment=mine", "action=plan")
    assert plan.returncode == 0, plan.stderr
    assert "読者" in plan.stdout
    twice = desk.run("action=init", "name=mine")
    assert twice.returncode == 2
    assert "exists already" in one_line(twice.stderr)


@pytest.mark.long
def test_the_tables_can_be_made_again_from_ledger_and_raw_answers_alone(desk):
    assert desk.run(*SMALL, *QUICK, "faults.malformed=0.3").returncode == 0
    before, attempts, summary = desk.answers(), desk.attempts(), desk.summary()
    for name in ("answers.csv", "answers.parquet", "attempts.parquet", "summary.json"):
        (desk.cell() / name).unlink()
    for part in (desk.cell() / "attempts").iterdir():
        part.unlink()
    assert desk.run(*SMALL, *QUICK, "action=export").returncode == 0
    assert desk.answers().equals(before)
    assert desk.attempts().equals(attempts)
    assert desk.summary() == summary


def test_a_changed_raw_file_is_noticed(desk):
    assert desk.run(*SMALL, *QUICK).returncode == 0
    raw = desk.cell() / "raw/b0001.output.jsonl"
    raw.write_bytes(raw.read_bytes().replace(b"Q1", b"Q9", 1))
    done = desk.run(*SMALL, *QUICK, "action=export")
    assert done.returncode == 3
    assert "was changed since it was collected" in one_line(done.stderr)


@pytest.mark.long
def test_changed_patterns_are_read_again_before_anything_is_sent(desk):
    study = study_with_text(desk, "鼠が見つけて笑いました。")
    assert desk.run(*study).returncode == 0
    question = desk.folder / "mine/question/mine.yaml"
    text = question.read_text(encoding="utf-8")
    question.write_text(text.replace("name: form,", "name: study_form,", 1), encoding="utf-8")
    refused = desk.run(*study, "trials=9")
    assert refused.returncode == 2
    assert "action=export" in one_line(refused.stderr)
    assert desk.run(*study, "action=export").returncode == 0
    assert set(desk.answers("mine/emulator_gpt-4o-mini")["Q1_pattern"]) == {"study_form"}
    assert desk.run(*study, "trials=4").returncode == 0


@pytest.mark.parametrize("damage", first(1, ["missing", "empty", "garbage"]))
def test_a_lost_ledger_beside_paid_answers_is_an_error_and_not_a_fresh_start(desk, damage):
    assert desk.run(*SMALL, *QUICK).returncode == 0
    bill = desk.bill()
    for path in desk.cell().glob("cache.db*"):
        path.unlink()
    if damage != "missing":
        content = b"" if damage == "empty" else b"\x00garbage" * 1000
        (desk.cell() / "cache.db").write_bytes(content)
    done = desk.run(*SMALL, *QUICK)
    assert done.returncode == 3
    assert "cache.db" in one_line(done.stderr)
    assert desk.bill() == bill


def live_arguments(live: Emulator) -> list[str]:
    return [
        "provider=openai",
        f"provider.base_url={live.address}/v1",
        "poll.first_seconds=0.02",
        *SMALL,
    ]


def test_no_key_and_no_prompt_reach_a_log_and_no_key_a_file(desk, live):
    canary = "test-CANARY0123456789"
    done = desk.process(*live_arguments(live), OPENAI_API_KEY=canary, OPENAI_LOG="debug")
    assert done.returncode == 0, done.stderr
    assert canary not in done.stdout + done.stderr
    assert "懐中時計が箪笥" not in done.stdout + done.stderr
    leaks = [
        path
        for path in desk.folder.rglob("*")
        if path.is_file() and canary.encode() in path.read_bytes()
    ]
    assert leaks == []
    assert not desk.answers(LIVE_CELL)["rehearsal"].any()


def test_a_wrong_key_says_which_variable_and_loses_nothing(desk, live):
    refused = desk.run(*live_arguments(live), OPENAI_API_KEY="sk-not-for-the-emulator")
    assert refused.returncode == 3
    assert "OPENAI_API_KEY" in refused.stdout
    assert "sk-not-for" not in refused.stdout + refused.stderr
    done = desk.run(*live_arguments(live), OPENAI_API_KEY="test-key")
    assert done.returncode == 0, done.stdout
    assert live.bill()["requests_billed"] == desk.answers(LIVE_CELL)["attempts"].sum()


def test_a_budget_is_held_before_anything_is_sent(desk, live):
    refused = desk.run(
        *live_arguments(live), "trials=100000", "budget.max_usd=1", OPENAI_API_KEY="test-key"
    )
    assert refused.returncode == 2
    assert "budget.max_usd=1" in one_line(refused.stderr)
    assert desk.files() == set()
    assert live.bill()["batches"] == 0


def test_an_unknown_price_is_unknown_and_needs_a_word(desk, live):
    arguments = [*live_arguments(live), "provider.model=nobody-knows-it"]
    refused = desk.run(*arguments, OPENAI_API_KEY="test-key")
    assert refused.returncode == 2
    assert "budget.allow_unknown=true" in refused.stderr
    done = desk.run(*arguments, "budget.allow_unknown=true", OPENAI_API_KEY="test-key")
    assert done.returncode == 0, done.stderr
    answers = desk.answers("literary/openai_nobody-knows-it")
    assert answers["cost_usd"].null_count() == 12
    assert desk.summary("literary/openai_nobody-knows-it")["cost_usd"] is None


def test_keys_go_over_plain_http_to_this_machine_only(desk):
    done = desk.run(
        "provider=openai", "provider.base_url=http://example.com/v1", OPENAI_API_KEY="test-key"
    )
    assert done.returncode == 2
    assert "https" in one_line(done.stderr)
    told = desk.run("provider=openai", OPENAI_API_KEY="x", OPENAI_BASE_URL="http://10.0.0.1/v1")
    assert "OPENAI_BASE_URL" in one_line(told.stderr)


def test_a_calculated_temperature_is_held_to_the_models_range_with_a_note(desk):
    narrow = "provider.temperature_max=0.5"
    done = desk.run(*QUICK, "personas=[p3,p4]", "texts=[t1]", "trials=1", narrow)
    assert "temperature of persona p3 with text t1 is clamped to 0.5" in done.stdout
    assert desk.answers()["temperature"].to_list() == [0.5, 0.1]


def test_a_request_that_fits_no_batch_is_named_before_anything_is_written(desk):
    done = desk.run("provider.limits.bytes=1500")
    assert done.returncode == 2
    assert "p1_t1_n01" in one_line(done.stderr)
    assert desk.files() == set()


def test_batches_are_packed_under_the_providers_limits(desk):
    done = desk.run(*SMALL, *QUICK, "provider.limits.requests=5", "provider.limits.margin=0")
    assert done.returncode == 0, done.stderr
    sizes = [
        len(path.read_bytes().splitlines())
        for path in sorted((desk.cell() / "requests").glob("b000[123].jsonl"))
    ]
    assert sizes == [5, 5, 2]


def test_a_temperature_list_is_a_factor_with_exact_values(desk):
    done = desk.run(*QUICK, "personas=[p1]", "texts=[t1]", "trials=1", "temperatures=[0.29,0.7]")
    assert done.returncode == 0, done.stderr
    rows = desk.answers().select("custom_id", "temperature").rows()
    assert rows == [("p1_t1_temp29_n01", 0.29), ("p1_t1_temp70_n01", 0.7)]
    sent = [
        json.loads(line)
        for line in (desk.cell() / "requests/b0001.jsonl").read_bytes().splitlines()
    ]
    assert [line["body"]["temperature"] for line in sent] == [0.29, 0.7]


def test_a_model_without_a_system_role_gets_the_persona_in_the_users_message(desk):
    done = desk.run(*QUICK, "personas=[p4]", "texts=[t1]", "trials=1", "provider.system_role=false")
    assert done.returncode == 0, done.stderr
    (line,) = (desk.cell() / "requests/b0001.jsonl").read_bytes().splitlines()
    (message,) = json.loads(line)["body"]["messages"]
    assert message["role"] == "user"
    assert message["content"].startswith("あなたは無感情なロボットです。")


@pytest.mark.long
def test_a_sweep_prepares_every_job_before_anything_is_sent(desk):
    wrong = desk.run("-m", "trials=1,0", *QUICK)
    assert wrong.returncode == 2
    assert not any("emulator_" in name for name in desk.files())


@pytest.mark.long
def test_an_installed_wheel_works_from_anywhere(desk, tmp_path):
    home = installed(tmp_path)
    environment = {k: v for k, v in desk.environment().items() if k != "PYTHONPATH"}

    def typed(shell_line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", shell_line],
            cwd=desk.folder,
            env=environment | {"PATH": f"{home / 'bin'}:{environment['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = typed(f"chorus {shlex.join([*SMALL, *QUICK])}")
    assert done.returncode == 0, done.stderr
    assert desk.answers().height == 12
    (printed,) = re.findall("the real thing: (chorus .*)", done.stdout)
    pasted = typed(f"{printed} action=plan --json")
    assert json.loads(pasted.stdout)["total"] == 12, pasted.stderr
    started = typed(f"{home}/bin/python -m runner action=init name=mine")
    assert typed(started.stdout.splitlines()[-1]).returncode == 0, started
    assert "chorus literary --watch" in typed("chorus-tui --watch").stderr.replace("-tui", "")
    where = typed("python -c 'import runner; print(runner.__file__)'").stdout
    assert os.fspath(home) in where


def installed(folder: Path) -> Path:
    """A virtual environment with the wheel in it, and what it needs from ours."""
    wheels, home = folder / "wheels", folder / "venv"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(wheels), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = wheels.glob("*.whl")
    venv.create(home, with_pip=False)
    python = os.fspath(home / "bin/python")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", python),
            *("install", "-q", "--no-deps", wheel),
        ],
        check=True,
    )
    packages = next(home.glob("lib/python*/site-packages"))
    ours = next(p for p in map(Path, sys.path) if p.name == "site-packages" and p.is_dir())
    (packages / "dependencies.pth").write_text(str(ours))
    return home
