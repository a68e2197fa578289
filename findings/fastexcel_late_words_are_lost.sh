#!/usr/bin/env bash
# Words far below in a column of numbers are read from xlsx as missing, also with dtype_coercion="strict".
#
# Seen with fastexcel 0.21.0, polars 2.1.0, pandas 3.1.1, Python 3.11: a sheet of ids and 1,500 ratings,
# and then "about 60" and TRUE in two more rows
#   polars.read_excel(book)                               null, 1
#   fastexcel, load_sheet(0, dtype_coercion="strict")     null, 1
#   polars.read_excel(book, infer_schema_length=None)     "about 60", "true"
#   polars.read_excel(book, engine="openpyxl")            "about 60", "true"
#   pandas.read_excel(book, engine="calamine")            "about 60", True
#   polars.read_csv of the same rows                      an error that names the word and its place
# Where the rating is the only column, polars leaves out the whole row of "about 60". With the word in the
# sample, the first 100 rows of polars and 1,000 of fastexcel, the column is text, and strict raises.
#
# What we expected: that a type comes from a sample is documented, and that a value which it does not fit
# is an error, as in a CSV, or at least in the mode called strict. What somebody wrote beside a number is
# missing instead, a tick is a rating of 1, and nothing tells. Here, files of levels are looked at whole
# before a column has a type (runner/config/level_files.py).
# Run: bash findings/fastexcel_late_words_are_lost.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'fastexcel==0.21.0' 'polars==2.1.0' 'xlsxwriter==3.3.1' \
    'openpyxl==3.1.5' 'pandas==3.1.1' 'python-calamine==0.9.1'
cd "$work"
"$work/venv/bin/python" - <<'PY'
import fastexcel
import pandas as pd
import polars as pl
import xlsxwriter


LATE = ["about 60", True]


def written(name, count, ids=True):
    values = [50] * count + LATE
    with xlsxwriter.Workbook(name) as book:
        sheet = book.add_worksheet()
        sheet.write_column(0, 0, ["rating", *values])
        if ids:
            sheet.write_column(0, 1, ["id", *range(len(values))])
    return name


late, early = written("late.xlsx", 1500), written("early.xlsx", 50)
alone = pl.read_excel(written("alone.xlsx", 1500, ids=False))
seen = {
    "polars": pl.read_excel(late),
    "strict": fastexcel.read_excel(late).load_sheet(0, dtype_coercion="strict").to_polars(),
    "whole": pl.read_excel(late, infer_schema_length=None),
    "openpyxl": pl.read_excel(late, engine="openpyxl"),
    "early": pl.read_excel(early),
}
last = {name: table["rating"].to_list()[-2:] for name, table in seen.items()}
last["pandas"] = pd.read_excel(late, engine="calamine")["rating"].tolist()[-2:]
for name, pair in last.items():
    print(f"{name:9}", *map(repr, pair))
assert last["polars"] == [None, 1], "the behaviour has changed"
assert last["strict"] == [None, 1], "the behaviour has changed"
assert last["whole"] == last["openpyxl"] == last["early"] == ["about 60", "true"]
assert last["pandas"] == LATE
print("alone    ", alone.height, "rows of 1502")
assert alone.height == 1501, "the behaviour has changed"
try:
    fastexcel.read_excel(early).load_sheet(0, dtype_coercion="strict")
except fastexcel.FastExcelError as error:
    print("strict, early:", str(error).splitlines()[0])
else:
    raise AssertionError("strict takes two types: the behaviour has changed")
try:
    pl.read_csv(("rating\n" + "50\n" * 1500 + "about 60\n").encode())
except pl.exceptions.ComputeError as error:
    assert "about 60" in str(error)
else:
    raise AssertionError("the CSV is taken: the behaviour has changed")
PY
