"""Panels: jobs from a file, as a sweep; what one job may say, and what a refused one does to the others."""

import pytest

from runner.config.compose import compose
from tests.unit.composing import fill, mistake

JOBS = """
jobs:
  - {provider: openai, model: gpt-4o-mini, temperatures: [0.5, 1], parameters: {seed: 7}}
  - {provider: groq, model: openai/gpt-oss-20b, temperatures: null, reasoning: low, max_output_tokens: 900}
"""


@pytest.mark.long
def test_every_entry_is_a_job_and_the_command_line_says_the_rest(tmp_path):
    argv = fill(tmp_path, {"panel/mine.yaml": JOBS})
    one, two = compose([*argv, "panel=mine", "trials=3"])
    assert [job.experiment.model.name for job in (one, two)] == [
        "gpt-4o-mini",
        "openai/gpt-oss-20b",
    ]
    assert [len(job.experiment.temperatures or ()) for job in (one, two)] == [2, 0]
    assert one.experiment.model.parameters == {"seed": 7}
    assert (two.config.provider.reasoning, two.config.provider.max_output_tokens) == ("low", 900)
    assert [job.experiment.trials for job in (one, two)] == [3, 3]


@pytest.mark.long
def test_a_panel_crosses_with_a_sweep_and_what_is_typed_wins(tmp_path):
    argv = fill(tmp_path, {"panel/mine.yaml": JOBS})
    jobs = compose([*argv, "-m", "panel=mine", "trials=1,2", "temperatures=null"])
    assert [(job.config.provider.name, job.experiment.trials) for job in jobs] == [
        ("openai", 1),
        ("groq", 1),
        ("openai", 2),
        ("groq", 2),
    ]
    assert {job.experiment.temperatures for job in jobs} == {None}


@pytest.mark.long
def test_several_panels_are_one_sweep(tmp_path):
    argv = fill(tmp_path, {"panel/a.yaml": JOBS, "panel/b.yaml": "jobs: [{provider: anthropic}]\n"})
    jobs = compose([*argv, "panel=[a,b]", "temperatures=null"])
    assert [job.config.provider.name for job in jobs] == ["openai", "groq", "anthropic"]


def test_a_job_that_is_refused_stops_no_other(tmp_path):
    body = "jobs:\n  - {provider: openai, temperatures: [9]}\n  - {provider: groq, temperatures: [0.5]}\n"
    argv = fill(tmp_path, {"panel/mine.yaml": body})
    (job,) = compose([*argv, "panel=mine"])
    assert job.config.provider.name == "groq"
    ((name, why),) = job.refused
    assert name == "provider=openai temperatures=[9]"
    assert "9; allowed" in why


@pytest.mark.long
def test_when_all_are_refused_it_is_a_mistake(tmp_path, capfd):
    argv = fill(tmp_path, {"panel/mine.yaml": "jobs: [{provider: openai, temperatures: [9]}]\n"})
    assert "9; allowed" in mistake([*argv, "panel=mine"], capfd)


@pytest.mark.long
def test_a_sweep_without_a_panel_is_still_stopped_by_one_mistake(capfd):
    assert "9; allowed" in mistake(["-m", "temperatures=[0.5],[9]"], capfd)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("jobs: []\n", ["holds jobs:"]),
        ("job: [{provider: openai}]\n", ["holds jobs:"]),
        ("jobs: [openai]\n", ["jobs[0]", "write {provider"]),
        ("jobs: [{model: x}]\n", ["jobs[0]", "write {provider"]),
        ("jobs: [{provider: openai, trust: x}]\n", ["jobs[0].trust", "no such setting"]),
        ("jobs: [{provider: openai, modl: x}]\n", ["did you mean model?"]),
        ("jobs: [{provider: 'openai,hydra.run.dir=x'}]\n", ["allowed: letters"]),
        ("jobs: [{provider: '${oc.env:HOME}'}]\n", ["not allowed"]),
        ("jobs: [{provider: openai}\n", ["panel/mine.yaml, line"]),
    ],
)
def test_a_panel_that_says_too_much_or_too_little_is_refused(tmp_path, capfd, body, words):
    argv = fill(tmp_path, {"panel/mine.yaml": body})
    message = mistake([*argv, "panel=mine"], capfd)
    assert [word for word in ("panel/mine.yaml", *words) if word not in message] == []


@pytest.mark.parametrize(("name", "word"), [("smal", "did you mean small?"), ("../x", "allowed:")])
def test_a_panel_that_is_not_there_is_named(capfd, name, word):
    assert word in mistake([f"panel={name}"], capfd)


@pytest.mark.long
def test_the_bundled_panel_is_planned():
    assert len(compose(["panel=small", "experiment=labels", "service=emulated"])) == 3
