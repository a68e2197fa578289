"""The completion fires in the shells themselves, where they are installed."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.__main__ import main
from runner.cli.completion import SHELLS, completion, settings
from runner.config.checks import ACTIONS
from runner.config.shipped import SHIPPED

START = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
READY = {"bash": "", "zsh": "autoload -Uz compinit; compinit -u -D; "}


def seen(shell: str, script: str, typed: str, wanted: str) -> str:
    """What a terminal shows when something is typed at a shell that has read the script."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(Path(script).parent)}
    process = subprocess.Popen(
        [shell, *START[shell]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=environment["HOME"],
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    try:
        for words, until in (
            (f"{READY[shell]}source {script}; echo re''ady\n", "ready"),
            (typed, wanted),
        ):
            os.write(ours, words.encode())
            end = time.monotonic() + 20
            while until not in shown and time.monotonic() < end:
                if select.select([ours], [], [], 0.1)[0]:
                    shown += re.sub(
                        r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x07]", "", os.read(ours, 4096).decode()
                    )
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown


@pytest.mark.parametrize("shell", [s for s in START if shutil.which(s)])
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("chorus action=pl\t", "chorus action=plan"),
        ("chorus trials=3 budget.max\t", "chorus trials=3 budget.max_usd="),
        ("chorus -m provider=openai,anth\t", "chorus -m provider=openai,anthropic"),
    ],
)
def test_a_key_completes_in_a_terminal(tmp_path, shell, typed, wanted):
    script = tmp_path / f"chorus.{shell}"
    script.write_text(completion(shell), encoding="utf-8")
    assert wanted in seen(shell, str(script), typed, wanted)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_offers_what_fits(tmp_path):
    script = tmp_path / "chorus.fish"
    script.write_text(completion("fish"), encoding="utf-8")
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C 'chorus action=pl'"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == ["action=plan"]


def test_every_action_provider_and_setting_is_known():
    known = settings()
    assert known["action"] == ACTIONS
    assert set(known["provider"]) == {path.stem for path in (SHIPPED / "provider").glob("*.yaml")}
    assert {"trials", "provider.model", "budget.max_usd", "pilot.share"} <= set(known)
    assert not any(re.search(r"[^\w.-]", word) for words in known.values() for word in words)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_and_nothing_of_hydra_is_loaded_for_it(shell):
    code = (
        f"import sys; from runner.__main__ import main; main(['--completion', '{shell}']);"
        "assert not {'hydra', 'omegaconf', 'yaml'} & {*sys.modules}"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == completion(shell)


def test_another_shell_is_refused(capsys):
    assert main(["--completion", "tcsh"]) == 2
    assert capsys.readouterr().err == "error: --completion: tcsh; allowed: bash, zsh, fish\n"
