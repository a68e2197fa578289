"""What a printed hint says to type works, and does what it says."""

import json
import re
import shlex

import pytest

from runner.cli.next_step import doing, for_real
from tests.variants import first

SAME = [
    "experiment",
    "model",
    "factors",
    "conditions",
    "trials",
    "total",
    "to_send",
    "input_tokens",
]
KEYS = {"OPENAI_API_KEY": "test-key", "GROQ_API_KEY": "test-key"}


def typed(desk, line: str, *more: str):
    """Run a printed command."""
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "runner"]
    return desk.run(*words[3:], *more, **KEYS)


def hint(said: str) -> str:
    (found,) = re.findall(r"the real thing: (.+)", said)
    return found


@pytest.mark.parametrize(
    "more",
    first(
        1,
        [
            ("provider=openai", "service=emulated"),
            ("provider=groq", "provider.model=openai/gpt-oss-20b", "service=emulated"),
            ("provider=emulator",),
            (),
        ],
    ),
)
def test_the_hint_after_a_rehearsal_is_the_same_study_for_real(desk, more):
    assert desk.run("action=init", "name=my_study").returncode == 0
    study = ["--config-dir", "my_study", "experiment=my_study", "trials=2", "faults=instant"]
    study += ["faults.seed=3", "temperatures=[0.1,0.5]", "poll.first_seconds=0.02", *more]
    study += ["outputs=out puts"]
    asked = json.loads(desk.run(*study, "action=plan", "--json").stdout)
    done = desk.run(*study)
    assert done.returncode == 0, done.stderr
    real = typed(desk, hint(done.stdout), "action=plan", "--json")
    assert real.returncode == 0, real.stderr
    facts = json.loads(real.stdout)
    assert asked["rehearsal"] is True
    assert facts["rehearsal"] is False
    nameless = "provider=emulator" in more or not more  # it stands for whichever model is asked
    same = [name for name in SAME if not (nameless and name == "model")]
    assert {name: facts[name] for name in same} == {name: asked[name] for name in same}
    assert facts["to_send"] == facts["total"] > 0


@pytest.mark.long
def test_the_hint_after_a_rehearsed_sweep_is_the_same_sweep_for_real(desk):
    words = ["personas=[p1]", "texts=[t1]", "trials=1,2", "faults=instant"]
    done = desk.run("-m", *words, "provider=openai,groq", "service=emulated")
    assert done.returncode == 0, done.stderr
    real = typed(desk, hint(done.stdout), "action=plan", "--json")
    assert real.returncode == 0, real.stderr
    jobs = json.loads(real.stdout)["jobs"]
    assert len(jobs) == 4
    assert not any(job["rehearsal"] for job in jobs)


@pytest.mark.parametrize(
    ("command", "nameless", "real"),
    [
        ("python -m runner", True, "python -m runner provider=openai"),
        (
            "python -m runner action=collect service=emulated provider=groq",
            False,
            "python -m runner provider=groq",
        ),
        (
            "python -m runner -m provider=emulator,groq",
            True,
            "python -m runner -m provider=openai,groq",
        ),
        (
            "python -m runner -cd 'a b' +faults.seed=2",
            False,
            "python -m runner -cd 'a b' service=live",
        ),
        (
            "python -m runner 'name=\"懐中時計\"' service.emulated=true",
            False,
            "python -m runner 'name=\"懐中時計\"'",
        ),
    ],
)
def test_only_what_makes_a_rehearsal_is_taken_away(command, nameless, real):
    assert for_real(command, nameless=nameless) == real


@pytest.mark.long
def test_the_hint_of_a_damaged_ledger_is_the_same_command_with_another_action(desk):
    words = ["personas=[p1]", "texts=[t1]", "trials=2", "faults=instant", "outputs=out puts"]
    assert desk.run(*words).returncode == 0
    (ledger,) = desk.folder.glob("out puts/*/*/cache.db")
    ledger.write_bytes(b"")
    done = desk.run(*words, "action=export")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    (line,) = re.findall(r"action=recover: (.+)", done.stderr)
    assert line == doing(shlex.join(["python", "-m", "runner", *words]), "recover")
    assert typed(desk, line).returncode == 0
    assert desk.run(*words).returncode == 0
