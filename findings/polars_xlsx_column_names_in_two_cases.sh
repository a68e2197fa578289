#!/usr/bin/env bash
# polars.DataFrame.write_excel writes an empty sheet, headings and all, where two columns are called
# "Rating" and "rating".
#
# Seen with polars 2.1.0, xlsxwriter 3.3.1, fastexcel 0.21.0, Python 3.11: a workbook of three sheets, each
# of 1,000 rows, read again:
#   id, rating, score    1000 rows
#   id, rating, Rating   0 rows, and no heading
#   id, rating, note     1000 rows
# Nothing is raised. The one sign is a UserWarning of xlsxwriter's, "Duplicate header name in add_table():
# 'rating'".
#
# What we expected: an error, or both columns. In Excel, a table may not have two columns whose names
# differ in case alone; xlsxwriter then returns -2 from add_table() before it writes a cell, and polars,
# which hands all rows over with that one call, does not look at what is returned. Turn the warning into
# an error where tables are written. Chorus refuses such names of questions and factors before anything
# is asked.
# Run: bash findings/polars_xlsx_column_names_in_two_cases.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'polars==2.1.0' 'xlsxwriter==3.3.1' 'fastexcel==0.21.0'
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys
import warnings

import polars as pl
import xlsxwriter

ROWS = 1000


def table(*names):
    return pl.DataFrame({name: range(ROWS) for name in names})


sheets = {
    "before": table("id", "rating", "score"),
    "between": table("id", "rating", "Rating"),
    "after": table("id", "rating", "note"),
}
with warnings.catch_warnings(record=True) as said, xlsxwriter.Workbook("study.xlsx") as book:
    warnings.simplefilter("always")
    for sheet, frame in sheets.items():
        frame.write_excel(book, sheet)
said = [str(one.message) for one in said]
print("polars", pl.__version__, "xlsxwriter", xlsxwriter.__version__)
found = {}
for sheet, frame in sheets.items():
    read = pl.read_excel("study.xlsx", sheet_name=sheet, has_header=False, raise_if_empty=False)
    heading = list(read.row(0)) if read.height else "no heading"
    found[sheet] = max(read.height - 1, 0), heading
    print(f"{sheet:8}", *frame.columns, "->", *found[sheet])
print("warnings:", said)
whole = all(found[sheet] == (ROWS, sheets[sheet].columns) for sheet in ("before", "after"))
if not whole or found["between"] != (0, "no heading"):
    sys.exit("changed: the sheet whose names differ only in case is not empty, or others are")
if said != ["Duplicate header name in add_table(): 'rating'"]:
    sys.exit(f"changed: other warnings: {said}")
PY
