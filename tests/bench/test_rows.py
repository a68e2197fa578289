"""Many rows asked once beside few asked often: python -m pytest -m bench -s tests/bench/test_rows.py.

The same study, emulator and number of requests; BENCH_ROWS=1000000 for the whole of it (100,000 where
nothing is said).
"""

import os
import random
import shutil
import time
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import ALL_WELL, Emulator
from tests.bench.test_million import Cost, costs, runner

ROWS = int(os.environ.get("BENCH_ROWS", "100000"))
FEW = 12
WORDS = 50
FOLDER = "rows/openai_gpt-6-luna"
STUDY = """\
# @package _global_
name: rows
factors:
  review: {file: rows.csv, id: id}
messages:
  - {role: user, content: "{review.text}\\n\\n{items}"}
items:
  stars: {kind: number, ask: "How many stars?", minimum: 1, maximum: 5}
"""
pytestmark = pytest.mark.bench


def written(place: Path, rows: int) -> Path:
    """Write the study with so many rows of some fifty words."""
    home = place / "conf" / "experiment"
    home.mkdir(parents=True)
    (home / "rows.yaml").write_text(STUDY)
    dice = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(dice.choices(letters, k=dice.randint(2, 9))) for _ in range(3_000)]
    with (home / "rows.csv").open("w") as file:
        file.write("id,text\n")
        for number in range(rows):
            file.write(f"r{number:07d},{' '.join(dice.choices(words, k=WORDS))}\n")
    return place / "conf"


def command(place: Path, rows: int, trials: int, *words: str) -> list[str]:
    conf = written(place, rows)
    return runner(
        *("--config-dir", str(conf), "experiment=rows", "provider=openai", f"trials={trials}"),
        *("provider.limits.enqueued_tokens=null", "poll.first_seconds=0.05"),
        *("budget.max_usd=10000", f"outputs={place / 'out'}", *words),
    )


def at_size(place: Path, rows: int, trials: int) -> Cost:
    with Emulator.start(place / "world", ALL_WELL) as emulator:
        address = f"provider.base_url={emulator.address}/v1"
        said = command(place, rows, trials, address)
        found = costs(said, emulator)
        start = time.perf_counter()
        again = costs(said, emulator)
        print(f"{rows:,} rows x {trials:,}: again {time.perf_counter() - start:.1f} s {again}")
    table = pl.scan_parquet(place / "out" / FOLDER / "answers.parquet")
    answered = table.filter(pl.col("status") == "success").select(pl.len()).collect().item()
    assert answered == rows * trials
    print(f"{rows:,} rows x {trials:,}: {found}")
    return found


def test_many_rows_cost_what_few_do(tmp_path: Path) -> None:
    trials = -(-ROWS // FEW)
    (tmp_path / "few").mkdir()
    few = at_size(tmp_path / "few", FEW, trials)
    shutil.rmtree(tmp_path / "few")
    (tmp_path / "many").mkdir()
    many = at_size(tmp_path / "many", FEW * trials, 1)
    print(
        f"\n{FEW * trials:,} requests: {FEW} rows {few.wall:.1f} s, {few.cpu:.1f} s CPU, "
        f"{few.megabytes:.0f} MB; as many rows {many.wall:.1f} s, {many.cpu:.1f} s CPU, "
        f"{many.megabytes:.0f} MB; {many.wall / few.wall:.2f} times the time, "
        f"{many.megabytes / few.megabytes:.2f} times the memory"
    )
    assert many.wall / few.wall <= 1.3
    assert many.megabytes / few.megabytes <= 1.3
