"""What a report shows of readings that somebody checked: how often the extraction is wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from runner.report.data import ReportedRun, rows_of
from runner.report.intervals import of_strata
from runner.report.page import Part, counts
from runner.report.parts import Parts, share
from runner.report.words import Words
from runner.tables.verdicts import Checked, Verdicts, verdicts

ROWS_NAMED = 8
_RATE: dict[str, Any] = {
    "readings": pl.Int64,
    "checked": pl.Int64,
    "errors": pl.Int64,
    "rate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
_KINDS = {"any_error": (True, False), "wrongly_read": (True,), "wrongly_missing": (False,)}
"""Which readings each kind of error is a share of: with a value, without one."""
_ERRORS = ("custom_id", "question", "value", "cause", "pattern", "verdict", "right")


class Checks:
    """The sheets of a report's runs that were filled in."""

    def __init__(self, runs: Sequence[ReportedRun], words: Words, parts: Parts) -> None:
        """Read the sheets.

        Args:
            runs: of the report.
            words: in which language.
            parts: makes the tables.
        """
        self._words = words
        self._parts = parts
        found = [(run.name, verdicts(run.stored.folder, rows_of(run))) for run in runs]
        self._found = [(name, sheet) for name, sheet in found if sheet is not None]

    @property
    def there(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def all(self) -> Iterator[Part]:
        """Yield the error rates, then by pattern, then the errors themselves."""
        counted = [(run, of) for run, sheet in self._found for of in sheet.strata if of.checked]
        notes = [note for run, sheet in self._found for note in self._notes(run, sheet)]
        if not counted:
            yield from notes
            return
        rates = [
            (run, kind, *_rate([s for s in sheet.strata if s.checked and s.stratum.is_read in of]))
            for run, sheet in self._found
            for kind, of in _KINDS.items()
            if any(s.stratum.is_read in of for s in sheet.strata)
        ]
        table = _frame(["run", "error"], rates)
        yield self._parts.table("audit", table, notes=(*notes, self._words("m.audit")))
        of_patterns = [
            (run, of.stratum.pattern, "a_value" if of.stratum.is_read else "nothing", *_rate([of]))
            for run, sheet in self._found
            for of in sheet.strata
        ]
        yield self._parts.table("audit_patterns", _frame(["run", "pattern", "found"], of_patterns))
        wrong = [
            (run, *(row[name] or None for name in _ERRORS))
            for run, sheet in self._found
            for row in sheet.errors
        ]
        if wrong:
            frame = pl.DataFrame(wrong, dict.fromkeys(("run", *_ERRORS), pl.String), orient="row")
            yield self._parts.table("audit_errors", frame, open_=False)

    def _notes(self, run: str, sheet: Verdicts) -> Iterator[str]:
        """Say what is not counted, and why."""
        words = self._words
        if sheet.unreadable:
            yield words("n.audit_unreadable", run=run, why=sheet.unreadable)
        if not any(of.checked for of in sheet.strata):
            yield words("n.audit_none", run=run)
        elif others := [of for of in sheet.strata if not of.checked]:
            total = sum(of.readings for of in sheet.strata)
            names = [words.code("v", of.stratum.pattern) for of in others]
            yield words(
                "n.audit_not_checked",
                run=run,
                names=counts(list(dict.fromkeys(names)), words),
                share=share(sum(of.readings for of in others), total),
            )
        for why, numbers in sheet.left_out.items():
            named = counts([str(number) for number in sorted(numbers)[:ROWS_NAMED]], words)
            more = "…" if len(numbers) > ROWS_NAMED else ""
            rows = words("n.audit_rows", rows=named + more)
            yield words(f"n.audit_{why}", run=run, count=len(numbers), rows=rows)


def _rate(strata: Sequence[Checked]) -> tuple[Any, ...]:
    """Return readings, checked, errors, and the rate with its interval, in per cent."""
    sizes = [(of.readings, of.checked, of.errors) for of in strata]
    rates = of_strata([size for size in sizes if size[1]])
    sums = [sum(column) for column in zip(*sizes, strict=True)] or [0, 0, 0]
    return *sums, *(None if rate is None else 100 * rate for rate in rates)


def _frame(keys: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, {**dict.fromkeys(keys, pl.String), **_RATE}, orient="row")
