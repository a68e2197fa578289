"""Tables that need not fit into memory: parquet files, written and read some thousand rows at a time."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError
from polars.io.plugins import register_io_source

from runner.core.errors import RunnerError

ROWS_A_CHUNK = 2_500
"""Rows that are made, or compared, at a time."""
ROWS_A_GROUP = 5_000
"""Rows that are packed together in a file."""
_ROWS_AT_ONCE = 1_000
"""Rows that are handed over at a time; some of such pieces wait while others are packed."""


def sink(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Write frames, of which the first may be empty, into one parquet file, as they come.

    Raises:
        RunnerError: what the frames raise.
    """
    source = iter(frames)
    first = next(source)
    failed: list[Exception] = []

    def rows(*_: object) -> Iterator[pl.DataFrame]:
        try:
            for frame in chain([first], source):
                yield from frame.iter_slices(_ROWS_AT_ONCE)
        except (RunnerError, OSError, PolarsError) as error:  # polars would wrap it
            failed.append(error)

    lazy = register_io_source(rows, schema=first.schema)
    lazy.sink_parquet(path, compression="zstd", row_group_size=ROWS_A_GROUP)
    for error in failed:
        raise error


def is_made_of(path: Path, frames: Iterable[pl.DataFrame]) -> bool:
    """Tell whether a parquet file has the rows of these frames, in their order, and no other.

    One that cannot be read has not.
    """
    table = pl.scan_parquet(path, glob=False)
    at = 0
    try:
        for frame in frames:
            if not table.slice(at, frame.height).collect().equals(frame):
                return False
            at += frame.height
        return bool(at == table.select(pl.len()).collect().item())
    except PolarsError:
        return False
