"""The answers of all runs as one dataset, for programs that read more than fits into memory.

outputs/dataset/<experiment>/<the run's folder>.parquet
Rehearsals are in a dataset of their own beside it, so that no query takes in emulated answers by accident.

Each file is that run's answers.parquet, with the names of experiment, provider and model in columns.
No folder is called `experiment=…`: programs guess types from such names, or merge `01` and `1`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runner.config.schema import LIVE, REHEARSED


def place_of(folder: Path, experiment: Mapping[str, Any]) -> Path:
    """Return the file of one run.

    Args:
        folder: the run's, two below the folder of all experiments.
        experiment: the ledger's own record of what the experiment is.
    """
    return _dataset_of(folder, experiment) / folder.parent.name / f"{folder.name}.parquet"


def old_places_of(folder: Path, experiment: Mapping[str, Any]) -> list[Path]:
    """Return the run's files where folders were named by columns, as they were before."""
    named = f"experiment={quote(folder.parent.name, safe='')}"
    beside = f"provider=*/model=*/answers-{folder.name}.parquet"
    return [*(_dataset_of(folder, experiment) / named).glob(beside)]


def _dataset_of(folder: Path, experiment: Mapping[str, Any]) -> Path:
    return folder.parent.parent / (REHEARSED if experiment["emulated"] else LIVE)
