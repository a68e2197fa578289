"""The house keeps its own rules."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config.checks import ACTIONS
from runner.core.states import BATCH_TABLE, BatchState

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def loaded_after(statement: str) -> set[str]:
    """The modules a fresh interpreter has loaded after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_layers_point_downwards():
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [scripts / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module", ["runner.run.assemble", "runner.cli.actions", "runner.providers.openai"]
)
def test_slow_packages_are_imported_only_by_the_runs_that_use_them(module):
    slow = {"openai", "polars", "rich", "starlette", "uvicorn", "genai_prices"}
    assert slow & loaded_after(f"import {module}") == set()


def test_the_core_needs_no_package_but_the_one_that_runs_patterns():
    ours = {"runner", "__main__", "re2", "_re2"}
    modules = " ".join(
        f"import runner.core.{p.stem};" for p in (ROOT / "runner/core").glob("[a-z]*.py")
    )
    bare = loaded_after("pass")
    roots = {name.partition(".")[0] for name in loaded_after(modules) - bare} - ours
    assert roots - sys.stdlib_module_names == set()


def test_the_emulator_imports_nothing_of_ours():
    loaded = loaded_after("import runner.emulator.server")
    ours = {name for name in loaded if name.startswith(("runner.", "tui"))}
    assert {name for name in ours if not name.startswith("runner.emulator")} == set()
    assert "openai" not in loaded


def test_every_public_module_of_the_runner_is_on_the_map():
    names = [p.name for p in (ROOT / "runner").glob("[a-z]*.py")]
    assert [name for name in names if name not in MAP] == []


def test_every_action_and_exit_code_is_in_the_reference():
    assert [action for action in ACTIONS if f"`action={action}" not in REFERENCE] == []
    assert [code for code in (0, 1, 2, 3, 130, 141) if f"\n| {code} |" not in REFERENCE] == []


def test_no_page_has_an_unfilled_figure():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert [p.name for p in pages if re.search(r"@\w+@", p.read_text(encoding="utf-8"))] == []


def test_the_faults_a_user_may_choose_are_those_the_emulator_knows():
    from dataclasses import asdict

    from runner.config.schema import FaultsConfig
    from runner.emulator.behaviour import Behaviour

    quota = {"min_requests": None}  # of the provider's file
    assert asdict(FaultsConfig()) | quota == asdict(Behaviour())


def test_the_table_of_batch_states_has_a_row_for_every_state():
    assert set(BATCH_TABLE) == set(BatchState)


def test_no_network_address_of_a_package_registry_stands_in_the_project():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = re.compile(rb"pypi\.|pythonhosted|index-url\s*=|registry\.npm")
    found = [
        name
        for name in files
        if (ROOT / name).is_file() and hosts.search((ROOT / name).read_bytes())
    ]
    assert [name for name in found if not name.endswith("test_architecture.py")] == []
