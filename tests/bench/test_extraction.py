"""How fast answers are read, beside a bare pass of orjson over the same file in the same run.

python -m pytest -m bench -s tests/bench/test_extraction.py; BENCH_LINES=1000000 for the whole.
"""

import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from runner.batches.offline import Tally
from runner.batches.workers import cores
from runner.config.compose import compose
from runner.core.extract.reader import Reader
from runner.emulator.phrases import JAPANESE
from runner.run import maintenance
from runner.run.run import Run
from tests.unit.layouts import LABELS, LAYOUTS, rows

pytestmark = pytest.mark.bench
LINES = int(os.environ.get("BENCH_LINES", "100000"))
BY_NAME = {layout.name: layout.write for layout in LAYOUTS}
MIXES = {
    "as asked": ["the form"],
    "as models write them": [
        *["the form"] * 14,
        *(
            "bold labels",
            "blank lines between",
            "wide brackets",
            "points",
            "bullets",
            "of a hundred",
        ),
    ],
}


def result_line(number: int, text: str) -> bytes:
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1800, "completion_tokens": 500, "total_tokens": 2300},
        "system_fingerprint": "fp_0123456789",
    }
    response = {"status_code": 200, "request_id": f"req_{number}", "body": body}
    row = {"id": f"batch_req_{number}", "custom_id": f"p1_t1_n{number:07d}", "response": response}
    return orjson.dumps({**row, "error": None}) + b"\n"


def write(path: Path, layouts: list[str]) -> None:
    dice = random.Random(1)

    def reason(label: str) -> str:
        verdicts = list(JAPANESE.verdicts.values())
        parts = (
            dice.choice(JAPANESE.subjects) + dice.choice(dice.choice(verdicts)) for _ in range(3)
        )
        said = "".join(parts).format(work="懐中時計", name=label)
        return said + dice.choice(JAPANESE.afterthoughts)

    with path.open("wb") as file:
        for number in range(LINES):
            values = [dice.randint(0, 100) for _ in LABELS]
            reasons = [reason(label) for label in LABELS.values()]
            text = BY_NAME[dice.choice(layouts)](rows(values, reasons, LABELS))
            file.write(result_line(number, text))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds, the CPU of finished children included."""
    before, start = cpu_seconds(), time.perf_counter()
    work()
    return time.perf_counter() - start, cpu_seconds() - before


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.mark.parametrize("mix", list(MIXES))
def test_result_lines_are_read_beside_a_bare_pass_of_orjson(tmp_path, mix):
    path = tmp_path / "results.jsonl"
    write(path, MIXES[mix])
    run = Run(compose(["provider=openai"])[0])

    def bare() -> None:
        with path.open("rb") as lines:
            for line in lines:
                orjson.loads(line)

    def written() -> None:
        with (tmp_path / "read.jsonl").open("wb") as output:
            check(maintenance.read_file(run, path, output))

    def counted() -> None:
        check(maintenance.read_file(run, path))

    def check(total: Tally) -> None:
        assert (total.answers, total.valid, total.bad_lines) == (LINES, LINES, 0)

    bare()
    floor, floor_cpu = min(timed(bare) for _ in range(2))
    print(
        f"\n{LINES:,} result lines of {path.stat().st_size / LINES:,.0f} bytes, {mix}: "
        f"bare orjson.loads {LINES / floor:,.0f} lines/s"
    )
    for name, work in (("read and counted", counted), ("read and written", written)):
        wall, cpu = min(timed(work) for _ in range(2))
        ideal = floor_cpu / (cpu / cores())
        print(
            f"  {name}: {LINES / wall:,.0f} lines/s on {cores()} cores, {floor / wall:.0%} of it "
            f"({ideal:.0%} by CPU time)"
        )
        assert ideal > 0.1
    memory = [resource.getrusage(who).ru_maxrss / 1024 for who in (0, resource.RUSAGE_CHILDREN)]
    print(f"  peak {memory[0]:.0f} MB, and {memory[1]:.0f} MB in each process")
    assert max(memory) < 400


def test_each_layout_takes_some_microseconds():
    reader = Reader(compose([])[0].experiment.questions)
    reasons = [
        "少年と懐中時計の短い会話が、読後に静かな余韻を残し、最後の一行まで飽きさせないから。" * 4
    ] * 4
    slowest: dict[str, float] = {}
    for layout in LAYOUTS:
        text = layout.write(rows([80, 60, 10, 0], reasons, LABELS))
        best = min(
            timed(lambda text=text: [reader.by_patterns(text) for _ in range(200)])[1]
            for _ in range(3)
        )
        slowest[layout.name] = best / 200 * 1e6
    order = sorted(slowest.items(), key=lambda item: item[1])
    print(
        f"\nmicroseconds an answer by the patterns alone, {len(order)} layouts: fastest "
        f"{order[0]}, median {order[len(order) // 2]}, slowest {order[-1]}"
    )
    assert order[-1][1] < 5000
