#!/usr/bin/env bash
# polars.collect_all over hundreds of lazy frames starts a thread for each, and while they live, what
# the process streams afterwards takes several times the memory.
#
# Seen with polars 2.1.0, Python 3.11, Linux, two cores: the rows of 400 parquet files are counted,
# then the files are copied into one with sink_parquet, 5,000 rows a group.
#   collect_all  1000000 rows counted, 348 threads; then a streamed copy: peak 529 MB
#   one by one   1000000 rows counted, 14 threads; then a streamed copy: peak 173 MB
#
# What we expected: collect_all runs its frames on the pool of POLARS_MAX_THREADS threads, and keeps
# nothing once it returns. In fact each frame takes a thread of another, blocking pool (up to 512,
# then a warning that "this may indicate a deadlock"), which ends only after some ten idle seconds;
# the stream that follows goes round among them, and each keeps memory of its own. Collecting the
# counts one after the other takes as long. Chorus counted its files so: a million requests took
# 730 MB while the tables were written, and take 200 MB since. A linter's rule bans the call.
# Run: bash findings/polars_collect_all_threads_stay.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'polars==2.1.0'
mkdir "$work/files"
env -u _RJEM_MALLOC_CONF "$work/venv/bin/python" - "$work/files" <<'PY'
import os
import subprocess
import sys

FILES = 400
CHILD = '''
import glob, os, sys
import polars as pl
from polars.io.plugins import register_io_source

paths = sorted(glob.glob(sys.argv[2] + "/*.parquet"))
scans = [pl.scan_parquet(p).select(pl.len(), pl.col("text").count()) for p in paths]
if sys.argv[1] == "collect_all":
    counts = pl.collect_all(scans)
else:
    counts = [scan.collect() for scan in scans]
threads = len(os.listdir("/proc/self/task"))

def source(*_):
    for path in paths:
        yield from pl.read_parquet(path).iter_slices(1_000)

schema = pl.read_parquet_schema(paths[0])
lazy = register_io_source(source, schema=schema)
lazy.sink_parquet(sys.argv[2] + "/whole", row_group_size=5_000)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(sum(c["len"].item() for c in counts), threads, int(peak.split()[1]) // 1024)
'''

import polars as pl

folder = sys.argv[1]
for number in range(FILES):
    rows = range(number * 2500, number * 2500 + 2500)
    table = {f"c{c}": [f"{row % 89} of column {c}" for row in rows] for c in range(35)}
    table["text"] = [f"{row} " + "the same words again " * 30 for row in rows]
    pl.DataFrame(table).write_parquet(f"{folder}/{number:04}.parquet")
found = {}
for how in ("collect_all", "one by one"):
    words = [sys.executable, "-c", CHILD, how, folder]
    said = subprocess.run(words, check=True, capture_output=True, text=True)
    found[how] = rows, threads, peak = tuple(int(n) for n in said.stdout.split())
    print(f"{how:12} {rows} rows counted, {threads} threads; then a streamed copy: peak {peak} MB")
(_, many, large), (_, few, small) = found.values()
if many < 100 or few > 50 or large < 1.5 * small:
    sys.exit("changed: collect_all leaves no crowd of threads, or they cost no memory any more")
PY
