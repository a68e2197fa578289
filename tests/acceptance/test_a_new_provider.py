"""A provider is one file and one YAML: Acme, of which nothing else in the project has heard."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.new_provider.service import Acme, served

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "new_provider"
KEY = "acme-secret-key"
SMALL = ["personas=[p1,p2]", "texts=[t1,t3]", "trials=3"]
QUICK = ["poll.first_seconds=0.02", "poll.max_seconds=0.1"]


@pytest.fixture
def acme() -> Iterator[Acme]:
    with served() as service:
        yield service


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the provider's two files, outside of the project."""
    (tmp_path / "code").mkdir()
    (tmp_path / "conf/provider").mkdir(parents=True)
    shutil.copy(HERE / "acme.py", tmp_path / "code")
    shutil.copy(HERE / "acme.yaml", tmp_path / "conf/provider")
    return tmp_path


def run(desk: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    return subprocess.run(
        [sys.executable, "-m", "runner", "--config-dir", "conf", "provider=acme", *arguments],
        cwd=desk,
        env={
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(desk / "code")]),
            "CHORUS_PROVIDERS": "acme.AcmeBatch",
            "ACME_API_KEY": KEY,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(desk: Path) -> pl.DataFrame:
    return pl.read_parquet(desk / "outputs/literary/acme_acme-1/answers.parquet")


def test_a_study_runs_through_it(desk: Path, acme: Acme) -> None:
    at = f"provider.base_url={acme.address}"
    ended = run(desk, at, *SMALL, *QUICK, "provider.queue=now")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = answers(desk)
    assert found.height == len(acme.asked) == len(set(acme.asked)) == 12
    assert set(found["Q1_value"]) == {51}
    assert set(found["status"]) == {"success"}
    assert len(acme.jobs) == 3
    assert {job["queue"] for job in acme.jobs.values()} == {"now"}
    assert acme.keys == {f"Bearer {KEY}"}
    assert KEY not in ended.stdout + ended.stderr
    again = run(desk, at, *SMALL, *QUICK, "provider.queue=now")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(acme.asked) == 12


@pytest.mark.long
def test_an_order_whose_reply_is_lost_is_found_and_not_sent_again(desk: Path, acme: Acme) -> None:
    acme.replies_to_lose = 2
    ended = run(desk, f"provider.base_url={acme.address}", *SMALL, *QUICK)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(acme.jobs) == 3
    assert len(acme.asked) == len(set(acme.asked)) == 12


@pytest.mark.long
def test_requests_are_asked_one_by_one(desk: Path, acme: Acme) -> None:
    at = f"provider.base_url={acme.address}"
    ended = run(desk, at, *SMALL, *QUICK, "provider.mode=realtime")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert answers(desk).height == len(acme.asked) == 12
    assert not acme.jobs


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "401: no such key: check ACME_API_KEY"),
        (402, "402: no such key"),
    ],
)
def test_a_refusal_is_told_with_what_to_check(
    desk: Path, acme: Acme, status: int, said: str
) -> None:
    acme.refuses_with = status, {"error": {"message": "no such key"}}
    ended = run(desk, f"provider.base_url={acme.address}", *SMALL, *QUICK)
    assert ended.returncode != 0
    assert said in ended.stdout + ended.stderr
    assert not acme.jobs


@pytest.mark.long
def test_its_options_are_its_own(desk: Path) -> None:
    ended = run(desk, "action=plan", "provider.queue=noon")
    assert ended.returncode == 2
    assert ended.stderr == "error: provider.queue: 'noon'; allowed: night, now\n"
    ended = run(desk, "action=plan", "provider.queu=now")
    assert ended.returncode == 2
    assert "provider.queu: no such key; did you mean queue?" in ended.stderr
    ended = run(desk, "action=plan")
    assert ended.returncode == 0, ended.stderr


def test_nothing_can_stand_for_it(desk: Path) -> None:
    ended = run(desk, "service=emulated")
    assert ended.returncode == 2
    assert "service=emulated" in ended.stderr


def test_a_file_alone_does_not_make_a_class_run(desk: Path) -> None:
    (desk / "code/acme.py").write_text("raise SystemExit('it ran')")
    ended = run(desk, "action=plan", CHORUS_PROVIDERS="acme.Another")
    assert ended.returncode == 2
    assert "it ran" not in ended.stdout + ended.stderr
    assert "provider._target_: 'acme.AcmeBatch'; allowed: a class under runner.providers." in (
        ended.stderr
    )
