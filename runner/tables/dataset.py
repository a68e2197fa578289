"""The answers of all runs as one partitioned dataset, for programs that read more than fits into memory.

outputs/dataset/experiment=…/provider=…/model=…/answers-<the run's folder>.parquet
Rehearsals are in a dataset of their own beside it, so that no query takes in emulated answers by accident.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.config.schema import LIVE, REHEARSED

if TYPE_CHECKING:
    import polars as pl

PARTITIONS = ("experiment", "provider", "model")
"""Columns that stand in the names of the folders and not in the files."""


def place_of(folder: Path, experiment: Mapping[str, Any]) -> Path:
    """Return the file of one run; two folders of the same provider and model have two.

    Args:
        folder: the run's, two below the folder of all experiments.
        experiment: the ledger's own record of what the experiment is.
    """
    model = experiment["definition"]["model"]
    levels = zip(PARTITIONS, (experiment["name"], model["provider"], model["name"]), strict=True)
    place = folder.parent.parent / (REHEARSED if experiment["emulated"] else LIVE)
    for key, value in levels:
        place /= f"{key}={quote(value, safe='')}"
    return place / f"answers-{folder.name}.parquet"


def without_partitions(answers: "Iterable[pl.DataFrame]") -> "Iterator[pl.DataFrame]":
    """Pass answers on as a file of the dataset has them."""
    for rows in answers:
        yield rows.drop(PARTITIONS)
