"""The floor: the least a script can do for the same table - and it resumes nothing.

One upload, one batch and one download for every 47,500 requests, one after another; orjson to read,
polars to write. Usage: floor.py URL N FOLDER.
"""

import io
import re
import sys
import time
from pathlib import Path

import httpx
import orjson
import polars as pl

VALUE = re.compile(r"^Q(\d)\. \S+?\(数値\): (\d+)", re.MULTILINE)


REQUESTS_A_BATCH = 47_500
"""What fits into a file of 200 MB."""


def main() -> None:
    url, number, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    template = Path(folder / "body.json").read_bytes()
    client = httpx.Client(
        base_url=url, headers={"Authorization": "Bearer test-key"}, timeout=120, trust_env=False
    )
    rows = []
    for first in range(0, number, REQUESTS_A_BATCH):
        last = min(number, first + REQUESTS_A_BATCH)
        for line in answered(client, template, range(first, last)).split(b"\n"):
            if line:
                row = orjson.loads(line)
                text = row["response"]["body"]["choices"][0]["message"]["content"]
                values = dict(VALUE.findall(text))
                rows.append((row["custom_id"], *(values.get(q) for q in "1234"), text))
    names = ["custom_id", "Q1", "Q2", "Q3", "Q4", "raw"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(folder / "floor.parquet")


def answered(client: httpx.Client, template: bytes, numbers: range) -> bytes:
    before, _, after = template.partition(b"HOLE")
    lines = b"".join(before + b"p1_t1_n%05d" % n + after + b"\n" for n in numbers)
    file = client.post(
        "/files", data={"purpose": "batch"}, files={"file": ("floor.jsonl", io.BytesIO(lines))}
    ).json()
    batch = client.post(
        "/batches",
        json={
            "input_file_id": file["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        },
    ).json()
    while batch["status"] != "completed":
        batch = client.get(f"/batches/{batch['id']}").json()
        time.sleep(0.01)
    return client.get(f"/files/{batch['output_file_id']}/content").content


if __name__ == "__main__":
    main()
