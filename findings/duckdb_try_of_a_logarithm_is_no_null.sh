#!/usr/bin/env bash
# DuckDB 2.0: TRY(ln(0)) is -inf and no NULL any more, so that statistics that left such rows out count
# them now.
#
# Seen with duckdb 2.0.1 after 1.5.6, Python 3.11: of the seconds 0, 50 and 60, where 0 was not measured,
#                                  1.5.6                    2.0.1
#   ln(0)                          an error                 -inf
#   TRY(ln(0)), TRY(sqrt(-1))      NULL NULL                -inf nan
#   count(TRY(ln(seconds)))        2                        3
#   median(TRY(ln(seconds)))       4.00                     3.91
#   exp(avg(TRY(ln(seconds))))     54.8                     0.0
#   geometric_mean(seconds)        an error                 0.0
# TRY(1 // 0) and TRY('a'::INT) are NULL in both. SET ieee_floating_point_ops = false gives the old answers;
# the setting is there, and true, in both, and only the logarithm of 2.0 heeds it.
#
# What we expected: TRY turns what cannot be computed into NULL, and ln(0) was the example of its page. A
# query that an error had made somebody write so gives another number after the upgrade, and no error.
# nullif(seconds, 0) says what is meant in either.
# Run: bash findings/duckdb_try_of_a_logarithm_is_no_null.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
for version in 1.5.6 2.0.1; do
    "$work/venv/bin/pip" install -q "duckdb==$version"
    "$work/venv/bin/python" - <<'PY'
import duckdb

ASKED = {
    "ln(0)": "SELECT ln(0)",
    "TRY(ln(0))": "SELECT TRY(ln(0))",
    "TRY(sqrt(-1))": "SELECT TRY(sqrt(-1))",
    "count": "SELECT count(TRY(ln(s))) FROM measured",
    "median": "SELECT round(median(TRY(ln(s))), 2) FROM measured",
    "mean": "SELECT round(exp(avg(TRY(ln(s)))), 1) FROM measured",
    "geometric_mean": "SELECT round(geometric_mean(s), 1) FROM measured",
    "nullif": "SELECT round(exp(avg(ln(nullif(s, 0)))), 1) FROM measured",
    "TRY(1 // 0)": "SELECT TRY(1 // 0)",
    "TRY('a'::INT)": "SELECT TRY('a'::INT)",
}


def answers(*first):
    base = duckdb.connect()
    for statement in (*first, "CREATE TABLE measured AS FROM (VALUES (0), (50), (60)) AS t(s)"):
        base.execute(statement)
    said = {}
    for name, query in ASKED.items():
        try:
            said[name] = str(base.execute(query).fetchall()[0][0])
        except duckdb.OutOfRangeException:
            said[name] = "an error"
    return list(said.values())


seen = answers()
print("duckdb", duckdb.__version__, *seen)
old = ["an error", "None", "None", "2", "4.0", "54.8", "an error", "54.8", "None", "None"]
new = ["-inf", "-inf", "nan", "3", "3.91", "0.0", "0.0", "54.8", "None", "None"]
if duckdb.__version__ == "1.5.6":
    assert seen == old, "it was not so"
else:
    assert seen == new, "the behaviour has changed"
    assert answers("SET ieee_floating_point_ops = false") == old
PY
done
