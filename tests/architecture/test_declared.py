"""What is imported is declared: nothing is there only because something else brings it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOOGLE = {
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.oauth2": "google-auth",
    "google.cloud.aiplatform_v1": "google-cloud-aiplatform",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
}
"""One namespace of several distributions."""


def imported() -> set[str]:
    """Every module that runner and tui import, in full."""
    found: set[str] = set()
    for path in [*(ROOT / "runner").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {*sys.stdlib_module_names, "runner", "tui"}
    return {name for name in found if name.split(".")[0] not in own}


def declared() -> set[str]:
    """Every distribution that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    return {re.split(r"[=<>\[ ]", line)[0].lower() for line in lines}


def test_what_is_imported_is_declared() -> None:
    brings = packages_distributions()
    known = declared()
    missing = set()
    for name in imported():
        google = next((GOOGLE[m] for m in GOOGLE if f"{name}.".startswith(f"{m}.")), None)
        candidates = [google] if google else brings.get(name.split(".")[0], [name])
        if not known & {str(candidate).lower() for candidate in candidates}:
            missing.add(name)
    assert missing == set()
