#!/usr/bin/env bash
# krippendorff's alpha of ratings in an unsigned integer type is another number: 1 minus 2 is 255.
#
# Seen with krippendorff 0.9.0, numpy 2.4.6, Python 3.11: the same ratings of three raters,
#              by hand, float64, int64    uint8     uint16, uint32, uint64
#   1 to 100   interval 0.884             -0.101    0.043
#              ratio    0.615             -0.457    -0.400
#   1 to 5     interval 0.871             0.308     0.314
#              ratio    0.764             0.100     0.105
# and not a word. Nominal and ordinal alpha are right in every type, since nothing is subtracted. The
# argument dtype=float64 changes nothing (it is the default); floats do, or value_domain=range(1, 101).
# Such types come from pandas.to_numeric(downcast="unsigned"), a UInt8 of polars or a UTINYINT of DuckDB.
#
# What we expected: numbers in, numbers out. The difference of two ratings is taken in the ratings' own
# type, and made a float afterwards. One gap, and numpy has floats anyway: only complete tables are wrong.
# Run: bash findings/krippendorff_unsigned_ratings.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'krippendorff==0.9.0' 'numpy==2.4.6'
"$work/venv/bin/python" -W error - <<'PY'
from fractions import Fraction
from itertools import product

import krippendorff
import numpy as np

TRUTH = np.array([81, 11, 20, 27, 21, 86, 77, 14, 80, 17, 39, 48])
SHIFTS = np.array([[0, -3, 7, 2, -9, 4, -6, 1, 8, -2, 5, -7], [3, 6, -4, 0, 5, -8, 2, 9, -1, 4, -6, 7]])
hundred = np.vstack([TRUTH, np.clip(TRUTH + 2 * SHIFTS, 1, 100)])
five = np.clip(np.round(hundred / 20), 1, 5).astype(int)


def by_hand(table, distance):
    """1 - observed / expected over all pairs; a table without gaps."""
    raters, units = table.shape
    values = [int(v) for v in table.ravel()]
    within = sum(distance(int(a), int(b)) for u in table.T for a, b in product(u, u))
    between = sum(distance(a, b) for a, b in product(values, values))
    return float(1 - Fraction(len(values) - 1, raters - 1) * within / between)


DISTANCES = {
    "interval": lambda a, b: Fraction((a - b) ** 2),
    "ratio": lambda a, b: Fraction((a - b) ** 2, (a + b) ** 2),
}
for name, table in (("1 to 100", hundred), ("1 to 5", five)):
    for level, distance in DISTANCES.items():
        true, seen = by_hand(table, distance), {}
        for kind in ("float64", "int64", "uint8", "uint16", "uint32", "uint64"):
            ratings = table.astype(kind)
            seen[kind] = krippendorff.alpha(ratings, level_of_measurement=level)
        print(f"{name:8} {level:8}  by hand {true:6.3f}  " + "  ".join(f"{k} {v:6.3f}" for k, v in seen.items()))
        assert abs(seen["float64"] - true) < 1e-9 and abs(seen["int64"] - true) < 1e-9
        for kind, value in seen.items():
            assert kind[0] != "u" or abs(value - true) > 0.05, "the behaviour has changed"
        small = table.astype("uint8")
        asked = krippendorff.alpha(small, level_of_measurement=level, dtype=np.float64)
        assert asked == seen["uint8"]
        domain = np.arange(1, 101)
        told = krippendorff.alpha(small, level_of_measurement=level, value_domain=domain)
        assert abs(told - true) < 1e-9
    for level in ("nominal", "ordinal"):
        one, other = (krippendorff.alpha(table.astype(k), level_of_measurement=level) for k in ("uint8", "float"))
        assert abs(one - other) < 1e-12
PY
