"""`action=bundle`: one file for a bug report, without keys, prompts or answers."""

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

import yaml

from runner import __version__
from runner.cli.exits import DONE, WORK_REMAINS
from runner.cli.output import labelled
from runner.config.shipped import SHIPPED
from runner.core.errors import RunnerError
from runner.run import bundle as reduced
from runner.run.run import Run
from runner.storage import codec
from runner.storage.events import NAME as EVENTS
from runner.storage.files import write_durably
from runner.storage.reader import LedgerReader, exists

PACKAGES: Final = (
    *("hydra-core", "omegaconf", "pyyaml", "diskcache", "openai", "anthropic", "groq"),
    *("google-cloud-aiplatform", "google-cloud-storage", "google-cloud-bigquery", "google-auth"),
    *("google-api-core", "google-crc32c", "requests", "urllib3", "httpx2", "httpx", "orjson"),
    *("polars", "matplotlib", "matplotlib-fontja", "numpy", "scipy", "fonttools", "xlsxwriter"),
    *("fastexcel", "jsonschema", "referencing", "genai-prices", "google-re2", "rich", "textual"),
    *("starlette", "uvicorn", "python-multipart"),
)
"""What the program needs; what else is installed is not told."""


def bundle(run: Run) -> int:
    """Write the file and print where it is; return the exit code."""
    folder, error = _folder(run)
    files = {
        "about": _about(run),
        "settings": reduced.of_settings(run.settings, _public()),
        "ledger": {"error": error, "started": exists(folder), **_ledger(folder)},
        "events": [reduced.of_event(line["event"]) for line in _lines(folder / EVENTS, "event")],
        "summary": reduced.of_summary(_object(folder / "summary.json")),
        "errors": reduced.of_errors(_lines(folder / "errors.jsonl")),
    }
    name = sha256(folder.name.encode()).hexdigest()[:8]  # not the model's, which may be private
    path = folder.with_name(f"chorus_bundle_{name}.zip")
    write_durably(path, [_zipped(files)])
    print(labelled("bundle", f"{path}  (look into it before you send it)"))
    return DONE


def _folder(run: Run) -> tuple[Path, str | None]:
    """Return the run's folder, and the kind of what stood in the way of finding it."""
    try:
        return run.folder(sending=False), None
    except RunnerError as error:
        return run.settings.folder, type(error).__name__


def _about(run: Run) -> dict[str, Any]:
    experiment = run.settings.experiment
    return {
        "chorus": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "conditions": len(run.conditions),
        "levels": [len(factor.levels) for factor in experiment.factors.values()],
        "questions": len(experiment.questions.questions),
        "messages": len(experiment.messages),
        "images": len(experiment.images),
    }


def _ledger(folder: Path) -> dict[str, Any]:
    """Return what the ledger says, or, where it cannot be read, the file of events beside it."""
    if not exists(folder):
        return {}
    try:
        with closing(LedgerReader(folder)) as reader:
            rows = [reduced.of_batch(codec.plain(batch)) for batch in reader.batches()]
            said = {name: reader.get(name) or {} for name in ("summary", "heartbeat")}
            is_held = reader.holder() is not None
    except (RunnerError, OSError, ValueError, TypeError, KeyError) as error:
        last = {
            line["batch"].get("key"): line["batch"] for line in _lines(folder / EVENTS, "batch")
        }
        rows = [reduced.of_batch(row) for row in last.values()]
        return {"error": type(error).__name__, "exit_code": WORK_REMAINS, "batches": rows}
    summary = said["summary"]
    is_done = summary and not summary.get("open") and not summary.get("failed")
    return {
        "exit_code": DONE if is_done else WORK_REMAINS,
        "running": is_held,
        **{name: reduced.of_summary(facts) for name, facts in said.items()},
        "batches": rows,
    }


def _public() -> reduced.Allowed:
    """Return words that the shipped files of providers say: their names, classes and models."""
    found: dict[str, set[str]] = {"name": set(), "_target_": set(), "model": set()}
    for path in (SHIPPED / "provider").glob("*.yaml"):
        said = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        said |= said.get("provider") or {}
        for key, words in found.items():
            words.add(str(said.get(key)))
        found["model"] |= {row["match"] for row in said.get("models") or ()}
    return found


def _lines(path: Path, *required: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file that have an object under these keys; other lines are left out."""
    try:
        source = path.open("rb")
    except OSError:
        return
    with source:
        for line in source:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and all(isinstance(row.get(key), dict) for key in required):
                yield row


def _object(path: Path) -> dict[str, Any]:
    try:
        row = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _zipped(files: Mapping[str, Any]) -> bytes:
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.json", json.dumps(content, indent=1) + "\n")
    return packed.getvalue()
