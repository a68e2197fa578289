"""Starting up, with every provider: quick without its SDK, and clear about what it wants."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Desk
from tests.contract.kits.base import said_of
from tests.contract.parts.lines import SLOW
from tests.contract.test_providers import offered
from tests.variants import first

Typed = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]
ENOUGH = {
    "bedrock": ["provider.limits.min_requests=null"],
    "compatible": ["provider.base_url=http://127.0.0.1:9/v1", "provider.model=any"],
    "gemini": ["provider.project=any-project", "provider.bucket=any-bucket"],
}
"""What has no default, so that a plan can be made."""
BROUGHT_BY_PRICES = {"httpx2", "pydantic", "ssl"}
"""What genai-prices imports for itself; a plan looks the price up."""


def of_each_kind(*, services: bool = True) -> list[str]:
    """Return the offered providers, one for each file with a client."""
    names = reversed(offered(services=services))
    files = {said_of(name)["_target_"].rpartition(".")[0]: name for name in names}
    return sorted(files.values())


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty folder, without any key or setting of this machine."""
    kept = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**base, "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def typed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Type a command in an empty folder; it runs in this process, which spares its start."""

    def run_here(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return Desk(tmp_path, capfd.readouterr).run(*arguments, HOME=str(tmp_path), **environment)

    return run_here


def test_a_plan_imports_no_sdk_and_opens_no_file(tmp_path: Path) -> None:
    names = [*of_each_kind()[:6], *of_each_kind(services=False)]
    commands = {n: ["action=plan", f"provider={n}", *ENOUGH.get(n, [])] for n in names}
    code = f"""
import sys
from runner.__main__ import main
for name, arguments in {commands!r}.items():
    print("PLANNED", name, main(arguments))
    print("LOADED", *sorted({SLOW - BROUGHT_BY_PRICES!r} & set(sys.modules)))
"""
    ended = run(tmp_path, "-c", code)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert [line for line in said if line.startswith("LOADED")] == ["LOADED"] * len(names)
    planned = [line for line in said if line.startswith("PLANNED")]
    assert planned == [f"PLANNED {name} 0" for name in names], ended.stderr
    assert ended.stdout.count("  to send      120  ") == len(names)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", first(1, of_each_kind()))
def test_without_credentials_one_line_says_what_to_set(
    name: str, typed: Typed, tmp_path: Path
) -> None:
    ended = typed(f"provider={name}")
    assert ended.returncode == 2
    assert all(line.startswith("note: ") for line in ended.stdout.splitlines())
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"provider={name}" in line
    assert any(
        word in line for word in ("API_KEY", "provider.project", "provider.base_url", "AWS_REGION")
    )
    assert "service=emulated" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", offered(services=False))
def test_without_its_program_one_line_says_what_to_install(
    name: str, typed: Typed, tmp_path: Path
) -> None:
    ended = typed(f"provider={name}", PATH="/nowhere")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"error: provider={name}: the program {name!r} is not there: install")
    assert "service=emulated" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["provider=gemini"], "GOOGLE_CLOUD_PROJECT"),
        (["provider=gemini", "provider.project=any-project"], "provider.bucket"),
        (["provider=gemini", *ENOUGH["gemini"]], "gcloud auth application-default login"),
        (["provider=compatible"], "COMPATIBLE_BASE_URL"),
        (
            ["provider=compatible", "provider.base_url=https://models.example/v1"],
            "COMPATIBLE_API_KEY",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_is_set_is_not_asked_for_again(
    typed: Typed, arguments: list[str], wanted: str
) -> None:
    nowhere = {"NO_GCE_CHECK": "true"}  # Google's own machines are signed in by where they are
    ended = typed(*arguments, **nowhere)
    assert ended.returncode == 2, ended.stdout
    (line,) = ended.stderr.splitlines()
    assert wanted in line
    assert not [a for a in arguments[1:] if f"set {a.partition('=')[0]}" in line]


@pytest.mark.parametrize("name", first(1, of_each_kind()))
def test_a_rehearsal_can_be_planned_without_any_setting(name: str, typed: Typed) -> None:
    ended = typed("action=plan", f"provider={name}", "service=emulated")
    assert ended.returncode == 0, ended.stderr
