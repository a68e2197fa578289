"""Ctrl-C goes to whoever took it over, and to nobody else."""

import subprocess
import sys

WRITES = """
import os, signal, sys, time
from threading import Thread
from runner.cli.signals import take_over
heard = []
take_over(lambda *_: heard.append(1), signal.SIGINT)
from pathlib import Path
import polars as pl
from runner.tables.parquet import sink

def frames():
    end = time.monotonic() + 1
    rows = pl.DataFrame({"a": range(1000)})
    while time.monotonic() < end:
        yield rows

ended = []
def write():
    sink(frames(), Path(sys.argv[1]))
    ended.append(1)

thread = Thread(target=write)
thread.start()
for _ in range(3):
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
thread.join()
print(len(heard), len(ended))
"""


def test_ctrl_c_breaks_off_no_table_that_is_being_written(tmp_path):
    """polars listens to it as well, unless it is imported before."""
    command = [sys.executable, "-c", WRITES, str(tmp_path / "table.parquet")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "3 1\n", ended.stderr
