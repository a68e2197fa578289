#!/usr/bin/env bash
# Dask counts the rows of a folder `experiment=01` as those of `experiment=1`, where one other folder's
# name is a word.
#
# Seen with dask 2026.8.0, pyarrow 26.0.1, pandas 3.1.1, Python 3.11: of a partitioned parquet dataset
# with the folders experiment=pilot (1 row), =01 (2 rows) and =1 (3 rows)
#   dask.dataframe.read_parquet("dataset")   pilot 1, 01 0, 1 5
#   pandas.read_parquet("dataset")           pilot 1, 01 2, 1 3
# The column is a categorical of text that has all three names: one of them is empty, and a mean by
# experiment is that of two. Nothing is said. `007` beside `7` is the same; `4.1` beside `4.10`, `1_000`
# and `1e3` beside `1000` stay apart. With numbers alone (01 and 1, no word beside them) read_parquet
# stops: "Categorical categories must be unique".
#
# What we expected: names that are read as text, since one of them is, or an error, as with numbers
# alone. pyarrow, through which Dask reads, keeps them apart.
# Run: bash findings/dask_partition_folder_01_is_counted_as_1.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'dask[dataframe]==2026.8.0' 'pyarrow==26.0.1' 'pandas==3.1.1'
cd "$work"
"$work/venv/bin/python" - <<'PY'
from pathlib import Path

import dask.dataframe as dd
import pandas as pd


def written(folder: str, *names: str) -> str:
    for number, name in enumerate(names):
        place = Path(folder) / f"experiment={name}"
        place.mkdir(parents=True)
        rows = pd.DataFrame({"score": [float(number)] * (number + 1)})
        rows.to_parquet(place / "part.parquet", index=False)
    return folder


def counted(table: pd.DataFrame) -> dict[str, int]:
    return table.groupby("experiment", observed=False).size().to_dict()


dataset = written("dataset", "pilot", "01", "1")
by_pandas = counted(pd.read_parquet(dataset))
by_dask = counted(dd.read_parquet(dataset).compute())
print("pandas", by_pandas)
print("dask  ", by_dask)
assert by_pandas == {"pilot": 1, "01": 2, "1": 3}, "the behaviour has changed"
assert by_dask == {"pilot": 1, "01": 0, "1": 5}, "the behaviour has changed"

sevens = counted(dd.read_parquet(written("sevens", "pilot", "007", "7")).compute())
assert sevens == {"pilot": 1, "007": 0, "7": 5}, sevens
tens = counted(dd.read_parquet(written("tens", "pilot", "4.1", "4.10")).compute())
assert tens == {"pilot": 1, "4.1": 2, "4.10": 3}, tens
try:
    dd.read_parquet(written("numbers", "01", "1"))
except ValueError as error:
    assert "categories must be unique" in str(error), error
else:
    raise AssertionError("numbers alone are read: the behaviour has changed")
PY
