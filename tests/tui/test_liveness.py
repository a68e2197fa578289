"""What can be known of a runner, from its lock and its heartbeat."""

from pathlib import Path

import pytest

from runner.storage.lock import Holder
from tui.liveness import Life, liveness
from tui.model import Health, Job

NOW = 1_000_000.0
ME = Holder(pid=7, host="here")


def job(beat_age: float | None, host: str = "here", *, held: bool = False, **beat: bool) -> Job:
    heart = {} if beat_age is None else {"at": NOW - beat_age, "pid": 7, "host": host, **beat}
    return Job(
        folder=Path("x"),
        health=Health.OK,
        heartbeat=heart,
        holder=ME if held else None,
        good_at=NOW,
    )


@pytest.mark.parametrize(
    ("given", "life"),
    [
        (job(1, held=True), Life.ALIVE),
        (job(5.9, held=True), Life.ALIVE),
        (job(6.1, held=True), Life.LATE),
        (job(24.1, held=True), Life.STOPPED),
        (job(1), Life.DEAD),
        (job(9999), Life.DEAD),
        (job(9999, left=True), Life.LEFT),
        (job(9999, left=True, finished=True), Life.FINISHED),
        (job(1, held=True, finished=True), Life.ALIVE),
        (job(None), Life.NEVER),
        (job(None, held=True), Life.NEVER),
        (job(1, "there"), Life.ALIVE),
        (job(7, "there"), Life.LATE),
        (job(25, "there"), Life.DEAD),
        (job(1, "there", finished=True), Life.ALIVE),
        (job(1, "there", finished=True, left=True), Life.FINISHED),
        (job(1, "there", left=True), Life.LEFT),
        (job(25, "there", finished=True), Life.FINISHED),
        (job(-40, "there"), Life.ALIVE),
    ],
)
def test_a_runner_is_judged_by_its_lock_here_and_by_its_heartbeat_elsewhere(given, life):
    assert liveness(given, NOW, "here").life is life


def test_a_lock_of_this_machine_says_nothing_about_a_runner_elsewhere():
    assert liveness(job(9999, "there", held=True), NOW, "here").life is Life.DEAD


def test_a_dead_runner_is_named_and_so_is_what_to_do():
    said = liveness(job(841), NOW, "here").sentence or ""
    for part in ("14m01", "pid 7 on here", "Batches go on", "run the same command again"):
        assert part in said


def test_a_clock_that_is_ahead_is_said_and_gives_no_negative_age():
    said = liveness(job(-40, "there"), NOW, "here").sentence or ""
    assert "The clock of there is 40s ahead" in said


def test_nothing_is_said_while_all_is_well():
    assert liveness(job(1, held=True), NOW, "here").sentence is None
    assert liveness(job(99, left=True, finished=True), NOW, "here").sentence is None
