"""Where a run keeps what was sent and what came back, a file a batch."""

from pathlib import Path

from runner.core.model import BatchKey

REQUESTS, RAW = "requests", "raw"
"""The folders of a run's folder that hold them."""
SUFFIX = ".jsonl"


def request_path(folder: Path, key: BatchKey) -> Path:
    """Return where a batch's request file stands."""
    return folder / REQUESTS / f"{key}{SUFFIX}"


def result_path(folder: Path, key: BatchKey, name: str) -> Path:
    """Return where a result file stands, by its batch and our name for it (output, error)."""
    return folder / RAW / f"{key}.{name}{SUFFIX}"
