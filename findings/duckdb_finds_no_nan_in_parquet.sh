#!/usr/bin/env bash
# DuckDB 2.0 says of a NaN in a parquet file of polars or pyarrow that it is none: WHERE NOT isnan(x)
# lets it through.
#
# Seen with duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1, Python 3.11: of the scores 50, 70 and NaN
#                                          the file    the file,       the same rows
#                                                      duckdb 1.5.6    in a table
#   SELECT isnan(score)                    F F F       F F T           F F T
#   avg(score) WHERE NOT isnan(score)      nan         60              60
#   avg(score) WHERE score BETWEEN 1       nan         nan             60
#     AND 100
#   count(*) WHERE score > 100             0           0               1 (NaN is the largest number)
# Such files say the least and the largest number of a column, and NaN is neither, as the format wants it.
# DuckDB takes them for all there is, works comparisons and now isnan(), too, out from them and looks at no
# value. True again: SET parquet_can_have_nan = true (new in 2.0, and off), or isfinite(score). Files that
# DuckDB writes are not concerned, nor those of pandas, where NaN is a missing value.
#
# What we expected: that the one function that asks for NaN looks. Here no table has one: what is missing
# is null.
# Run: bash findings/duckdb_finds_no_nan_in_parquet.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'duckdb==2.0.1' 'polars==2.1.0' 'pyarrow==26.0.1'
"$work/venv/bin/pip" install -q --target "$work/before" 'duckdb==1.5.6'
cat > "$work/ask.py" <<'PY'
import math
import sys

import duckdb
import polars as pl
import pyarrow.parquet as pq

scores = pl.DataFrame({"score": [50.0, 70.0, math.nan]})
scores.write_parquet("polars.parquet")
pq.write_table(scores.to_arrow(), "pyarrow.parquet")
ASKED = (
    "SELECT isnan(score) FROM {}",
    "SELECT avg(score) FROM {} WHERE NOT isnan(score)",
    "SELECT avg(score) FROM {} WHERE score BETWEEN 1 AND 100",
    "SELECT count(*) FROM {} WHERE score > 100",
)


def answers(table, first=""):
    with duckdb.connect() as base:
        base.execute("CREATE TABLE copied AS FROM 'polars.parquet'")
        if first:
            base.execute(first)
        return [str([row[0] for row in base.execute(q.format(table)).fetchall()]) for q in ASKED]


FILES = ("'polars.parquet'", "'pyarrow.parquet'")
true = ["[False, False, True]", "[60.0]", "[60.0]", "[1]"]
seen = {"copied": answers("copied")} | {name: answers(name) for name in FILES}
print("duckdb", duckdb.__version__)
for name, said in seen.items():
    print(f"{name:18}", *said)
assert seen["copied"] == true
before = [*true[:2], "[nan]", "[0]"]
for name in FILES:
    if sys.argv[1:] == ["before"]:
        assert seen[name] == before, "the behaviour has changed"
    else:
        now = ["[False, False, False]", "[nan]", "[nan]", "[0]"]
        assert seen[name] == now, "the behaviour has changed"
        assert answers(name, "SET parquet_can_have_nan = true") == true
        finite = f"SELECT avg(score) FROM {name} WHERE isfinite(score)"
        assert duckdb.sql(finite).fetchall() == [(60.0,)]
PY
cd "$work"
"$work/venv/bin/python" ask.py
PYTHONPATH="$work/before" "$work/venv/bin/python" ask.py before
