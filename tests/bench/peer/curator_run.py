"""What a user of bespokelabs-curator writes to ask the same requests; runs in an environment of its own.

Arguments: a JSON file of [system, user] pairs, how often to ask each, the service's address, and the
table to write. It reads no numbers out of the answers, which Chorus does.
"""

import json
import sys
from pathlib import Path

from bespokelabs import curator
from openai import HttpxBinaryResponseContent

whole = HttpxBinaryResponseContent.text
# It splits results at U+2028, which one answer in some hundred holds, and would end with an error.
HttpxBinaryResponseContent.text = property(lambda self: whole.fget(self).replace("\u2028", " "))


class Study(curator.LLM):
    """One conversation a row, by its number."""

    pairs = json.loads(Path(sys.argv[1]).read_text())

    def prompt(self, row):
        """Return the messages of a row."""
        system, user = self.pairs[row["pair"]]
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def parse(self, row, response):
        """Keep the answer."""
        return {**row, "answer": response}


def main(times: int, address: str, table: str) -> None:
    """Ask, and write the table."""
    study = Study(
        model_name="gpt-4o-mini",
        batch=True,
        backend="openai",
        generation_params={"temperature": 0.7, "max_tokens": 1500},
        backend_params={"base_url": address, "batch_check_interval": 1, "batch_size": 50_000},
    )
    rows = [
        {"pair": pair, "trial": trial} for pair in range(len(Study.pairs)) for trial in range(times)
    ]
    study(rows).dataset.to_parquet(table)


if __name__ == "__main__":
    main(int(sys.argv[2]), sys.argv[3], sys.argv[4])
