"""A printed command is the one that was typed, so that it works when it is pasted."""

import pytest

from runner import called


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A folder of programs that the shell looks in."""
    for name in ("python", "chorus", "chorus-tui"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("started", "runner", "dashboard"),
    [
        ("python -m runner -m provider=a,b", "python -m runner", "python -m tui"),
        (".venv/bin/python -m tui x", ".venv/bin/python -m runner", ".venv/bin/python -m tui"),
        ("python -X dev -W error -I -m runner", *[None] * 2),
        ("{}/python -m runner", "python -m runner", "python -m tui"),
        ("/other/python -m runner", "/other/python -m runner", "/other/python -m tui"),
        ("{}/python {}/chorus -m a=1,2", "chorus", "chorus-tui"),
        ("{}/python -sE {}/chorus-tui", "chorus", "chorus-tui"),
        ("{}/python .venv/bin/chorus", ".venv/bin/chorus", ".venv/bin/chorus-tui"),
        ("python -m pytest -m runner", "python -m runner", "python -m tui"),
        ("python -c pass -m runner", "python -m runner", "python -m tui"),
        ("python", "python -m runner", "python -m tui"),
        ("", "python -m runner", "python -m tui"),
    ],
)
def test_the_command_is_printed_as_it_was_typed(bin_folder, started, runner, dashboard):
    words = started.replace("{}", str(bin_folder)).split()
    if runner is None:
        runner = started
        dashboard = started.replace("runner", "tui")
    assert called.command(called.RUNNER, words) == runner
    assert called.command(called.DASHBOARD, words) == dashboard


def test_a_path_with_a_space_is_quoted(bin_folder):
    assert called.command(started=["python", "/my tools/chorus"]) == "'/my tools/chorus'"


def test_what_uv_started_is_started_by_uv_again(bin_folder, monkeypatch):
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    started = [f"{bin_folder}/python", f"{bin_folder}/chorus", "trials=2"]
    assert called.command(started=started) == "uv run chorus"
