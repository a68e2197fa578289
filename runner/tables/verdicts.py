"""What was filled in on the sheet of `action=sample`: which readings are right, row by row.

What cannot be counted is told, with its row, and counted nowhere: a row without a verdict is not right.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from runner.batches.attempts import NO_PATTERN
from runner.core.errors import ConfigError
from runner.tables.audit import RECORD, SHEET, Stratum, told
from runner.tables.sheets import Faults, decoded, placed, rows

OK, WRONG, MISSING = "ok", "wrong", "missing"
"""It is right; a value was read that is not what is answered; none was read, and there is one."""
_NEEDED = ("custom_id", "question", "answer", "value", "verdict", "right")


@dataclass(slots=True, kw_only=True)
class Checked:
    """What was found of one stratum."""

    stratum: Stratum
    readings: int
    """How many there were when the sheet was drawn."""
    checked: int = 0
    errors: int = 0
    """Of those with a value, wrongly read; of those without, wrongly missing."""


@dataclass(slots=True)
class Verdicts:
    """What a sheet says."""

    strata: Sequence[Checked] = ()
    errors: list[Mapping[str, str]] = field(default_factory=list)
    """The cells of rows that are not right."""
    left_out: dict[str, list[int]] = field(default_factory=dict)
    """Rows that are not counted, by why: unfilled, unknown_verdict, does_not_fit, changed, unknown,
    repeated, read_anew, gone (numbered as they were drawn)."""
    unreadable: str | None = None
    """What speaks against the whole sheet, or against rows that are no CSV."""

    def leave_out(self, why: str, row: int) -> None:
        """Note a row that is not counted."""
        self.left_out.setdefault(why, []).append(row)


def verdicts(folder: Path, answers: pl.LazyFrame) -> Verdicts | None:
    """Read the sheet in a run's folder; None: there is none.

    Args:
        folder: of the run; nothing in it is changed.
        answers: the run's table, to see which readings are others today.
    """
    sheet, record = folder / SHEET, folder / RECORD
    if not sheet.exists():
        return None
    found = Verdicts()
    try:
        drawn = json.loads(record.read_text(encoding="utf-8"))
        text, _ = decoded(sheet.read_bytes(), SHEET)
        _read(text, drawn, answers, found)
    except FileNotFoundError:
        found.unreadable = f"{RECORD} is not there, which says what was drawn"
    except (OSError, ValueError, LookupError, TypeError) as error:
        found.unreadable = f"{RECORD} or {SHEET} cannot be read ({error})"
    except ConfigError as error:
        found.unreadable = str(error)
    return found


def _read(text: str, record: Mapping[str, Any], answers: pl.LazyFrame, found: Verdicts) -> None:
    found.strata = [
        Checked(stratum=Stratum(s["pattern"], s["read"]), readings=s["readings"])
        for s in record["strata"]
    ]
    drawn = {(row["custom_id"], row["question"]): row for row in record["rows"]}
    faults = Faults(SHEET)
    lines: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    for number, cells in rows(
        text, faults, lambda heading: placed(heading, _NEEDED, faults, None), is_cut=True
    ):
        key = cells["custom_id"].strip(), cells["question"].strip()
        if key in drawn:
            lines.setdefault(key, []).append((number, cells))
        else:
            found.leave_out("unknown", number)
    found.unreadable = "; ".join(faults.said()) or None
    today = _today(answers, record["rows"])
    for place, (key, row) in enumerate(drawn.items(), 2):
        same = lines.get(key, [])
        if not same:
            found.leave_out("gone", place)
        for number, cells in same:
            own = found.strata[row["stratum"]]
            now = today.get(key) == (row["value"], row["cause"], own.stratum.pattern)
            why = _not_counted(cells, row, own.stratum, is_now=now, is_once=len(same) == 1)
            if why is not None:
                found.leave_out(why, number)
                continue
            own.checked += 1
            if _verdict(cells) != OK:
                own.errors += 1
                told_of = {"cause": row["cause"] or "", "pattern": own.stratum.pattern}
                found.errors.append({**cells, **told_of, "verdict": _verdict(cells)})


def _verdict(cells: Mapping[str, str]) -> str:
    return unicodedata.normalize("NFKC", cells["verdict"]).strip().casefold()


def _not_counted(
    cells: Mapping[str, str], row: Mapping[str, Any], of: Stratum, *, is_now: bool, is_once: bool
) -> str | None:
    """Return why a row is not counted; None: it is."""
    verdict = _verdict(cells)
    if not verdict:
        return "unfilled"
    if not is_once:
        return "repeated"
    if told(cells["answer"]) != row["answer"] or not _is_same(cells["value"], row["value"]):
        return "changed"
    if not is_now:
        return "read_anew"
    if verdict not in (OK, WRONG, MISSING):
        return "unknown_verdict"
    return "does_not_fit" if verdict == (MISSING if of.is_read else WRONG) else None


def _is_same(cell: str, value: Any) -> bool:
    """Tell whether a spreadsheet may have made this cell of a value, as 80.0 of 80."""
    if value is None:
        return not cell.strip()
    try:
        return float(cell) == float(value)
    except ValueError:
        return bool(cell.strip()) and told(cell) == told(str(value))


def _today(
    answers: pl.LazyFrame, drawn: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return value, cause and pattern of the readings that were drawn, as the table has them."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    ids = {row["custom_id"] for row in drawn}
    columns = set(answers.collect_schema())
    for question in dict.fromkeys(row["question"] for row in drawn):
        parts = [f"{question}_{part}" for part in ("value", "cause", "pattern")]
        if columns.issuperset(parts):
            pattern = pl.col(parts[2]).fill_null(NO_PATTERN)
            some = answers.filter(pl.col("custom_id").is_in(ids)).select(
                "custom_id", *parts[:2], pattern
            )
            found |= {(row[0], question): row[1:] for row in some.collect().iter_rows()}
    return found
