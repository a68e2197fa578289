"""What a report shows of places: whether options or items are answered otherwise where they stand first."""

import polars as pl

from runner.report import positions
from runner.report.data import Data
from runner.report.figures import positions as figures
from runner.report.figures.sheet import Sheet
from runner.report.figures.style import Form
from runner.report.page import Part, counts
from runner.report.parts import Parts
from runner.report.words import Words

_MOST_NAMED = 8
_SMALL = 0.05


def places(data: Data, words: Words, parts: Parts, form: Form) -> list[Part]:
    """Return the parts of the section; none where nothing was shuffled.

    Args:
        data: all of the report.
        words: in which language.
        parts: makes the tables.
        form: as what figures are written.
    """
    if not positions.shuffled(data):
        return []
    found: list[Part] = []
    for some, what, table, draw, size in (
        (data.choices, "option", positions.of_options(data), figures.options, "{percent:.1f} %"),
        (data.numbers, "item", positions.of_items(data), figures.items, "{difference:.1f}"),
    ):
        if table.height:
            notes = (words(f"m.{what}_places"), parts.missing_line(some))
            found.append(_told(table, words, what, size))
            found += draw(Sheet(some, words, form), table)
            found.append(parts.table(f"{what}_places", table, notes=notes, open_=False))
    return found


def _told(table: pl.DataFrame, words: Words, what: str, size: str) -> str:
    """Say where what is shown first is answered otherwise."""
    first = table.filter((pl.col("place") == 1) & (pl.col("p_holm") < _SMALL)).sort("p_holm")
    names = [
        words("one_first", question=row["question"], run=row["run"], size=size.format(**row))
        for row in first.iter_rows(named=True)
    ]
    if not names:
        return words(f"n.first_{what}s_none")
    return words(f"n.first_{what}s", names=counts(names, words, _MOST_NAMED))
