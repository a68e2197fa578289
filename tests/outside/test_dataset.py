"""The dataset of all runs, as programs of others read it: each by the line that the docs give."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.architecture.test_architecture import ROOT

pytestmark = pytest.mark.outside
PAGE = ROOT / "docs/how-to/exports.md"
PACKAGES = {
    "polars": "polars==2.1.0",
    "DuckDB": "duckdb==2.0.1 pandas==3.1.1",
    "pandas": "pandas==3.1.1 pyarrow==26.0.1",
    "pyarrow": "pyarrow==26.0.1",
    "Dask": "dask[dataframe]==2026.8.0 pyarrow==26.0.1",
    "HF": "datasets==5.2.0",
    "Spark": "pyspark==4.3.0",
}
IMPORTS = {
    "polars": "import polars as pl",
    "DuckDB": "import duckdb",
    "pandas": "import pandas as pd",
    "pyarrow": "import pyarrow.dataset as ds",
    "Dask": "import dask.dataframe as dd",
    "HF": "from datasets import Dataset, concatenate_datasets",
    "Spark": (
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.master('local[1]').getOrCreate()"
    ),
}
COUNT = {
    "polars": "table['experiment'].to_list()",
    "pyarrow": "table['experiment'].to_pylist()",
    "HF": "table['experiment']",
    "Spark": "[row.experiment for row in table.select('experiment').collect()]",
}
NAMES = {"01": ["Q1_value"], "1": ["stars_value"], "1_000": ["Q1_value", "topic"], "test": []}
PROGRAM = """
from collections import Counter
from pathlib import Path
{imports}
files = sorted(map(str, Path("outputs/dataset").rglob("*.parquet")))
table = {line}
print("counted", sorted(Counter({names}).items()))
print("columns", sorted(getattr(table, "column_names", None) or table.columns))
"""


def lines() -> dict[str, str]:
    """Return the lines of the page by reader."""
    text = PAGE.read_text("utf-8").split("<!-- dataset readers -->")[1].split("<!-- end -->")[0]
    rows = re.findall(r"^\| (\w+)[^|]*\| `(.+?)`", text, re.MULTILINE)
    return {name: line for name, line in rows if name != "Chorus"}


def test_each_reader_of_the_page_is_tried():
    assert lines().keys() == PACKAGES.keys()


@pytest.mark.parametrize("reader", PACKAGES)
def test_every_run_is_read_under_its_own_name_with_its_own_columns(
    reader: str, installed: Callable[[str], Path], tmp_path: Path
):
    for name, columns in NAMES.items():
        place = tmp_path / "outputs/dataset" / name / "openai_m.parquet"
        place.parent.mkdir(parents=True)
        pl.DataFrame(
            {"experiment": [name] * 3, "model": ["4.10"] * 3}
            | {column: [1.0, None, 3.0] for column in columns}
        ).write_parquet(place)
    program = PROGRAM.format(
        imports=IMPORTS[reader],
        line=lines()[reader],
        names=COUNT.get(reader, "table['experiment']"),
    )
    python = str(installed(PACKAGES[reader]) / "python")
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"counted {[(name, 3) for name in NAMES]}" in done.stdout, done.stdout + done.stderr
    assert "columns ['Q1_value', 'experiment', 'model', 'stars_value', 'topic']" in done.stdout
