"""What reads the output leaves early, as `head` does: it is no error, and no run ends by it."""

import os
import subprocess
import sys

import pytest

from tests.acceptance.conftest import QUICK

TINY = ["personas=[p1]", "texts=[t1]", "trials=1", "faults.malformed=0"]


def typed(desk, *words: str, reads: str = "both") -> tuple[int, str]:
    """Run a command whose stdout, and stderr too, have no reader; return its code and what is seen."""
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.run(
        [sys.executable, "-m", "runner", *words],
        cwd=desk.folder,
        env=desk.environment(),
        stdout=subprocess.PIPE if reads == "stdout" else theirs,
        stderr=subprocess.PIPE if reads == "stderr" else theirs,
        check=False,
    )
    os.close(theirs)
    return process.returncode, (process.stdout or process.stderr or b"").decode()


@pytest.mark.parametrize("word", ["--help", "action=status"])
def test_a_command_ends_quietly(desk, word):
    assert typed(desk, word, reads="stderr") == (141, "")


@pytest.mark.long
def test_a_run_whose_progress_is_not_read_goes_on_to_its_end(desk):
    code, said = typed(desk, *TINY, *QUICK, reads="stdout")
    assert code == 0
    assert "success 1" in said
    assert desk.answers().height == 1


def test_a_run_that_nothing_reads_goes_on_and_its_code_says_how_it_ended(desk):
    assert typed(desk, *TINY, *QUICK)[0] == 0
    assert desk.answers().height == 1
    assert desk.run(*TINY, *QUICK).returncode == 0
    assert sum(desk.bill()["billed"].values()) == 1
