"""`action=sample`: readings drawn for somebody to check, and the sheet for it.

A reading is what was read of one question in one answer. Its stratum is the pattern that found it,
and whether there is a value: of each stratum about as many are drawn, so that a rare pattern is
looked at as well. Where the first n rows of a sheet are filled in, they are a sample all the same.
"""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from heapq import nsmallest
from pathlib import Path
from typing import Any

import polars as pl

from runner import __version__
from runner.batches.attempts import NO_PATTERN
from runner.core.errors import ConfigError
from runner.core.extract.reader import NOT_ASKED
from runner.storage.files import write_durably
from runner.tables.export import guarded
from runner.tables.formats import CUT, EXCEL_CHARACTERS

SHEET, RECORD = "audit.csv", "audit.json"
COLUMNS = (
    *("custom_id", "question", "asked", "answer", "value", "reason", "cause", "pattern"),
    *("verdict", "right"),
)
"""The last two are left empty."""


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """Which readings are taken together."""

    pattern: str
    is_read: bool
    """Whether there is a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What was drawn, and where it stands."""

    sheet: Path
    drawn: int
    readings: int
    strata: int


def is_there(folder: Path) -> Path | None:
    """Return what stands of a sheet in a run's folder already."""
    return next((folder / name for name in (SHEET, RECORD) if (folder / name).exists()), None)


def sample(
    frames: Iterable[pl.DataFrame], asked: Mapping[str, str], folder: Path, *, n: int, seed: int
) -> Sampled:
    """Draw readings, and write the sheet and the record of what was drawn into a run's folder.

    Args:
        frames: the run's table of answers, some rows at a time.
        asked: the questions, by id, as somebody who checks has to know them.
        folder: of the run.
        n: how many readings.
        seed: another one draws others; the same answers and seed draw the same.

    Raises:
        ConfigError: a sheet is there already, there is no answer yet, or n is too small.
    """
    if (there := is_there(folder)) is not None:
        raise ConfigError(
            f"{there}: is there already, and may be filled in; action=report reads it. For another "
            f"sample move {SHEET} and {RECORD} away together, then run the command again"
        )
    sizes, found = _drawn(frames, list(asked), n, seed)
    if not sizes:
        raise ConfigError(f"{folder}: no answer is there yet to be checked; run it first")
    if n < len(sizes):
        raise ConfigError(
            f"sample.n={n}: allowed: {len(sizes)} or more, one for each pattern that found a value "
            "or none"
        )
    rows: list[tuple[str, Stratum, dict[str, Any]]] = []
    counts = dict(zip(sizes, allotted(list(sizes.values()), n), strict=True))
    for stratum, count in counts.items():
        rows += [(key, stratum, row) for key, row in found[stratum][:count]]
    rows.sort(key=lambda drawn: drawn[0])
    strata = list(sizes)
    record = {
        "chorus": __version__,
        "seed": seed,
        "strata": [
            {"pattern": s.pattern, "read": s.is_read, "readings": sizes[s], "drawn": counts[s]}
            for s in strata
        ],
        "rows": [_kept(row, strata.index(stratum)) for _, stratum, row in rows],
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    write_durably(folder / RECORD, [text.encode("utf-8", "replace"), b"\n"])
    write_durably(folder / SHEET, [_sheet([row for _, _, row in rows], asked)])
    return Sampled(
        sheet=folder / SHEET, drawn=len(rows), readings=sum(sizes.values()), strata=len(strata)
    )


Found = dict[Stratum, list[tuple[str, dict[str, Any]]]]
"""Of each stratum the readings that come first by their keys, which are as good as random."""


def _drawn(
    frames: Iterable[pl.DataFrame], questions: Sequence[str], n: int, seed: int
) -> tuple[dict[Stratum, int], Found]:
    """Return how many readings each stratum has, and of each up to n."""
    sizes: dict[Stratum, int] = {}
    found: Found = {}
    for frame in frames:
        for question in questions:
            rows = readings(frame, question)
            for (pattern, is_read), some in rows.group_by("pattern", "is_read"):
                stratum = Stratum(str(pattern), bool(is_read))
                sizes[stratum] = sizes.get(stratum, 0) + some.height
                keys = (_key(seed, id_, question) for id_ in some["custom_id"])
                first = nsmallest(n, zip(keys, range(some.height), strict=True))
                new = [(key, some.row(at, named=True)) for key, at in first]
                known = found.get(stratum, [])
                found[stratum] = nsmallest(n, [*known, *new], key=lambda drawn: drawn[0])
    return dict(sorted(sizes.items())), found


def readings(frame: pl.DataFrame, question: str) -> pl.DataFrame:
    """Return what was read of one question in the answers that there are, a row an answer.

    Returns:
        custom_id, question, answer, value, reason, cause, pattern (`none` where none matched), is_read.
    """
    pattern = pl.col(f"{question}_pattern").fill_null(NO_PATTERN)
    return frame.filter(pl.col("raw_answer").is_not_null(), pattern != NOT_ASKED).select(
        "custom_id",
        pl.lit(question).alias("question"),
        pl.col("raw_answer").alias("answer"),
        *(pl.col(f"{question}_{part}").alias(part) for part in ("value", "reason", "cause")),
        pattern.alias("pattern"),
        pl.col(f"{question}_value").is_not_null().alias("is_read"),
    )


def _key(seed: int, custom_id: str, question: str) -> str:
    return sha256(f"{seed} {question} {custom_id}".encode()).hexdigest()


def allotted(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many to draw from each stratum: as evenly as possible, and no more than it has."""
    counts, left = [0] * len(sizes), n
    order = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for done, place in enumerate(order):
        counts[place] = min(sizes[place], left // (len(sizes) - done))
        left -= counts[place]
    return counts


def _kept(row: Mapping[str, Any], stratum: int) -> dict[str, Any]:
    """Return what the record says of a row, by which a changed one is known."""
    named = {name: row[name] for name in ("custom_id", "question", "value", "cause")}
    return {**named, "stratum": stratum, "answer": told(row["answer"])}


def told(text: str) -> str:
    """Return what tells a text from others, whatever a spreadsheet did to it.

    Only letters and digits count, and of them those that cp932 has: in it others become `?`.
    """
    there = text[: EXCEL_CHARACTERS // 2].encode("cp932", "ignore").decode("cp932")
    plain = unicodedata.normalize("NFKC", there).casefold()
    kept = "".join(filter(str.isalnum, plain)).encode()
    return sha256(kept[:1000]).hexdigest()[:16]


def _sheet(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, str]) -> bytes:
    cells = [
        {
            **{name: _cell(row.get(name)) for name in COLUMNS},
            "asked": _cell(asked[row["question"]]),
        }
        for row in rows
    ]
    frame = pl.DataFrame(cells, schema=dict.fromkeys(COLUMNS, pl.String))
    return b"\xef\xbb\xbf" + guarded(frame).collect().write_csv().encode("utf-8", "replace")


def _cell(value: Any) -> str | None:
    """Return a cell as spreadsheets can hold it."""
    if value is None:
        return None
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return text if len(text) < EXCEL_CHARACTERS else text[: EXCEL_CHARACTERS - len(CUT) - 1] + CUT
