"""Without a terminal: the same as text or JSON, and exit codes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.errors import ConfigError
from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.made import HOST, NOW
from tui.__main__ import main
from tui.arguments import parse
from tui.plain import NoSuchExperiment, Teller, changes, experiment_facts, lines, steady
from tui.source import ExperimentSource

ROOT = Path(__file__).resolve().parents[2]


def read(folder, now=NOW):
    source = ExperimentSource(folder)
    reading, _ = source.read(now)
    source.close()
    return reading


def facts(folder, now=NOW, host="desk-1"):
    return experiment_facts(read(folder), now, host)


def tell(outputs, experiment=None, **changed):
    said: list[str] = []
    teller = Teller(outputs=outputs, say=said.append, clock=lambda: NOW, host="desk-1")
    return replace(teller, **changed).once(experiment), said


def tui(*words, seconds=30, **variables):
    """Run the dashboard as a process without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "tui", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


# -- once


def test_a_sweep_under_way_as_text(outputs, snapshot):
    code, said = tell(outputs, "literary")
    assert code == 0
    assert "\n".join(said) + "\n" == snapshot


def test_all_experiments_have_a_line_each(outputs):
    code, said = tell(outputs)
    assert code == 0
    assert [line.split()[0] for line in said] == ["done", "literary"]
    assert "runner=finished" in said[0]
    assert "runner=alive" in said[1]


def test_json_says_all_that_the_text_says(outputs):
    code, (said,) = tell(outputs, "literary", as_json=True)
    found = json.loads(said)
    assert found["exit_code"] == code == 0
    assert found["total"] == 900
    text = "\n".join(lines(found))
    assert text == "\n".join(lines(facts(outputs / "literary")))
    for job in found["jobs"]:
        assert f"runner={job['runner']}" in text
        assert all(b["batch"] in text for b in job["batches"] if not b["over"])
        assert all(n["sentence"] in text for n in job["attention"])


OF_ALL = (
    "adds_up at budget_usd committed_usd cost_unknown cost_unknown_usd cost_usd exit_code "
    "experiment failed jobs lost open retry_success success total trouble unreadable"
)
OF_A_JOB = (
    "adds_up attention batches budget_usd commands_waiting committed_usd cost_unknown "
    "cost_unknown_usd cost_usd data_age exit_code failed folder heartbeat_age host "
    "input_tokens job ledger lost missing_by_cause model next_at open output_tokens "
    "pattern_match_stats pid provider rehearsal retry_success rev runner runner_says states "
    "success total trouble unreadable"
)
OF_A_BATCH = (
    "batch completed cost_usd error expires_at next_at outcomes over polled_at remote "
    "remote_state requests sent_at state tries"
)


def test_the_names_in_json_stay(outputs):
    found = json.loads(tell(outputs, "done", as_json=True)[1][0])
    assert " ".join(sorted(found)) == OF_ALL
    assert " ".join(sorted(found["jobs"][0])) == OF_A_JOB
    assert " ".join(sorted(found["jobs"][0]["batches"][0])) == OF_A_BATCH


def test_a_text_cannot_do_anything_to_a_terminal(outputs):
    found = facts(outputs / "literary")
    found["jobs"][0]["batches"][1] |= {"error": "\x1b[2J boo\nERROR all is lost", "over": False}
    text = list(lines(found))
    assert not any("\x1b" in line or "\n" in line for line in text)
    assert any("␛[2J boo␊ERROR" in line for line in text)


# -- exit codes


def test_a_dead_runner_with_work_left_is_3_and_says_what_to_do(outputs):
    code, said = tell(outputs, "literary", clock=lambda: NOW + 3600)
    assert code == 3
    assert any(line.startswith("ERROR The runner is gone") for line in said)


def test_a_finished_run_with_a_failed_request_is_3(outputs):
    reading = read(outputs / "done")
    (job,) = reading.jobs
    assert experiment_facts(reading, NOW, "desk-1")["exit_code"] == 0
    bad = replace(job, summary={**job.summary, "success": job.summary["success"] - 1, "failed": 1})
    found = experiment_facts(replace(reading, jobs=(bad,)), NOW, "desk-1")
    assert found["exit_code"] == 3


def test_a_stopped_runner_is_3(outputs):
    reading = read(outputs / "literary")
    held = tuple(
        replace(job, holder=made_holder(), heartbeat={**job.heartbeat, "at": NOW - 600})
        for job in reading.jobs
    )
    found = experiment_facts(replace(reading, jobs=held), NOW, HOST)
    assert {job["runner"] for job in found["jobs"]} == {"stopped"}
    assert found["exit_code"] == 3


def made_holder():
    from runner.storage.lock import Holder

    return Holder(pid=made.PID, host=HOST)


def test_a_locked_ledger_is_75(outputs, tmp_path):
    folder = tmp_path / "done"
    shutil.copytree(outputs / "done", folder)
    database = next(folder.glob("*/cache.db"))
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    db.execute("UPDATE Cache SET value = 41 WHERE key = 'rev'")
    db.execute("COMMIT")
    code, said = tell(tmp_path, "done")
    db.close()
    assert code == 75
    assert "ledger=locked" in said[0]
    assert said[1].startswith("ERROR")


def test_a_damaged_ledger_is_66(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    next((tmp_path / "done").glob("*/cache.db")).write_bytes(b"no database at all" * 100)
    for log in (tmp_path / "done").glob("*/cache.db-*"):
        log.unlink()
    code, said = tell(tmp_path, "done")
    assert code == 66
    assert "ledger=damaged" in said[0]


def test_an_experiment_that_is_not_there_is_66_and_the_nearest_is_named(outputs):
    done = tui("litrary", "--outputs", outputs)
    assert done.returncode == 66
    assert done.stdout == ""
    assert done.stderr == f"error: no experiment litrary in {outputs}: did you mean literary?\n"


@pytest.mark.parametrize("name", ["..", ".", "", "literary/openai_gpt-4o-mini", "/etc"])
def test_only_a_name_is_an_experiment(outputs, name):
    with pytest.raises(NoSuchExperiment):
        tell(outputs, name)


def test_no_experiment_at_all_is_66_and_makes_nothing(tmp_path):
    done = tui("--outputs", tmp_path / "none")
    assert done.returncode == 66
    assert done.stderr.endswith(" -m runner makes the first one\n")
    assert not (tmp_path / "none").exists()


def test_an_empty_folder_is_66(tmp_path):
    (tmp_path / "empty").mkdir()
    code, said = tell(tmp_path, "empty")
    assert code == 66
    assert said[0].startswith("ERROR")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "b"], "one experiment at a time"),
        (["a", "trials=3"], "either an experiment's name or"),
        (["--watch"], "say which experiment"),
        (["trials=3", "--watch"], "prints lines by itself"),
        (["action=cancel"], "only runs; use python -m runner action=cancel"),
        (["a", "--port", "80"], "--port goes with --serve"),
        (["a", "--serve", "--port", "0"], "1 to 65535"),
        (["a", "--serve", "--json"], "shows screens"),
        (["--json", "--plain"], "not allowed with"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["--poll", "x"], "--poll"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_2(words, said, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_help_names_every_exit_code(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    page = (ROOT / "docs" / "how-to" / "dashboard.md").read_text(encoding="utf-8")
    for code in (0, 2, 3, 66, 75, 130):
        assert f"\n  {code:<4} " in text
        assert f"\n| {code} |" in page


# -- the words for a runner


def test_words_for_the_runner_are_kept_and_the_folder_is_told_to_it():
    found = parse(["-m", "provider=a,b", "--outputs", "my outputs", "+x=1", "~y"])
    assert found.experiment is None
    assert found.words == ("-m", "provider=a,b", "+x=1", "~y", "outputs='my outputs'")
    assert parse(["outputs=there", "trials=3"]).outputs == Path("there")


@pytest.mark.long
def test_a_plan_without_a_terminal_is_said_and_nothing_is_started(tmp_path):
    done = tui("trials=2", "--outputs", tmp_path / "o")
    assert done.returncode == 0
    assert "REHEARSAL: 24 requests, 0 answered already, 24 to send" in done.stdout
    assert f" -m runner trials=2 outputs={tmp_path}/o" in done.stdout
    assert not (tmp_path / "o").exists()


def test_a_mistake_in_the_words_is_the_runners_line_and_2(tmp_path):
    done = tui("trials=many", "--outputs", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: trials: ")
    assert done.stderr.count("\n") == 1


# -- what is loaded, and when


def test_text_loads_no_widget_and_no_table(outputs):
    code = (
        "import sys\nfrom tui.__main__ import main\n"
        f"code = main(['literary', '--json', '--outputs', {str(outputs)!r}])\n"
        "slow = {'textual', 'polars', 'hydra', 'openai', 'matplotlib'} & set(sys.modules)\n"
        "print('LOADED', *slow, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1].split() == ["LOADED"]


def test_a_dumb_terminal_gets_text_and_a_browser_gets_screens(monkeypatch):
    from tui.__main__ import is_terminal

    class Terminal:
        @staticmethod
        def isatty():
            return True

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal()
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal()
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    assert is_terminal()


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_one_stream_that_is_no_terminal_is_enough_for_text(name, monkeypatch):
    from tui.__main__ import is_terminal

    class Terminal:
        @staticmethod
        def isatty():
            return True

    for other in {"stdin", "stdout", "stderr"} - {name}:
        monkeypatch.setattr(sys, other, Terminal())
    monkeypatch.setattr(sys, name, None)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert not is_terminal()


# -- again and again


def test_time_alone_is_no_change(outputs):
    before, after = facts(outputs / "literary"), facts(outputs / "literary", NOW + 2)
    assert before != after
    assert steady(before) == steady(after)
    assert list(changes(before, after)) == []


def test_a_change_of_a_batch_and_of_the_runner_is_a_line_each(outputs):
    before = facts(outputs / "literary")
    after = json.loads(json.dumps(before))
    job = after["jobs"][2]
    job["batches"][3] |= {"state": "ended", "remote_state": "completed"}
    job["success"] += 1
    job["open"] -= 1
    assert steady(before) != steady(after)
    first, second = changes(before, after)
    assert first.startswith("openai_gpt-4o-mini batch b0004 ended 40 requests")
    assert second.startswith("openai_gpt-4o-mini answers 78/300 success 78")
    dead = facts(outputs / "literary", NOW + 3600)
    said = list(changes(before, dead))
    assert sum("runner=dead" in line for line in said) == 3
    assert any("ERROR The runner is gone" in line for line in said)


def test_watching_tells_the_beginning_each_change_and_ends_when_all_is_done(tmp_path):
    folder = made.job(tmp_path, "live", "openai", "gpt-4o-mini", (), trials=1)
    said: list[str] = []
    teller = Teller(outputs=tmp_path, say=said.append, clock=lambda: NOW, host="desk-1")
    codes: list[int] = []
    watching = threading.Thread(
        target=lambda: codes.append(teller.watch("live", 0.02)), daemon=True
    )
    watching.start()
    wait_for(lambda: len(said) >= 2)
    count = len(said)
    with Ledger.open(folder) as ledger:
        ledger.beat(NOW)
        time.sleep(0.1)
        assert len(said) == count  # a heartbeat is no news
        ledger.summarise({"total": 12, "success": 12, "retry_success": 0, "failed": 0, "open": 0})
        wait_for(lambda: len(said) > count)
        ledger.beat(NOW, finished=True, left=True)
    watching.join(10)
    assert codes == [0]
    assert "answers 12/12 success 12" in said[count]
    assert "runner=finished" in said[-1]


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_watching_a_finished_run_as_json_is_one_line(outputs):
    said: list[str] = []
    teller = Teller(
        outputs=outputs, say=said.append, clock=lambda: NOW, host="desk-1", as_json=True
    )
    assert teller.watch("done", 60) == 0
    assert [json.loads(line)["experiment"] for line in said] == ["done"]


def test_ctrl_c_ends_watching_with_130(outputs):
    watching = subprocess.Popen(
        [sys.executable, "-m", "tui", "literary", "--watch", "--outputs", str(outputs)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert "ledger=ok" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, error = watching.communicate(timeout=10)
    assert watching.returncode == 130
    assert error == ""


def test_a_reader_that_leaves_is_no_error(outputs):
    done = subprocess.run(
        f"{sys.executable} -m tui literary --outputs {outputs} | head -1",
        cwd=ROOT,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_a_settings_file_that_is_wrong_stops_watching_before_it_begins(tmp_path, outputs):
    from tui.__main__ import _settings

    words = parse(["done", "--watch", "--poll", "0"])
    with pytest.raises(ConfigError, match="poll"):
        _settings(words)
