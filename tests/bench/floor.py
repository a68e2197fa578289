"""The floor: the least a script can do for the same table - and it resumes nothing.

One upload, one batch, one download; orjson to read, polars to write. Usage: floor.py URL N FOLDER.
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


def main() -> None:
    url, number, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    template = Path(folder / "body.json").read_bytes()
    before, _, after = template.partition(b"HOLE")
    lines = b"".join(before + b"p1_t1_n%05d" % n + after + b"\n" for n in range(number))
    client = httpx.Client(
        base_url=url, headers={"Authorization": "Bearer test-key"}, timeout=120, trust_env=False
    )
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
    content = client.get(f"/files/{batch['output_file_id']}/content").content
    rows = []
    for line in content.split(b"\n"):
        if line:
            row = orjson.loads(line)
            text = row["response"]["body"]["choices"][0]["message"]["content"]
            values = dict(VALUE.findall(text))
            rows.append((row["custom_id"], *(values.get(q) for q in "1234"), text))
    names = ["custom_id", "Q1", "Q2", "Q3", "Q4", "raw"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(folder / "floor.parquet")


if __name__ == "__main__":
    main()
