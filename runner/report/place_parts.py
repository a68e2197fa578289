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
    choices, numbers = positions.of_options(data), positions.of_items(data)
    found: list[Part] = []
    if choices.height:
        some = data.choices
        found.append(_told(choices, words, "options", "percent", " %"))
        found += figures.options(Sheet(some, words, form), choices)
        notes = (words("m.option_places"), parts.missing_line(some))
        found.append(parts.table("option_places", choices, notes=notes, open_=False))
    if numbers.height:
        some = data.numbers
        found.append(_told(numbers, words, "items", "difference", ""))
        found += figures.items(Sheet(some, words, form), numbers)
        notes = (words("m.item_places"), parts.missing_line(some))
        found.append(parts.table("item_places", numbers, notes=notes, open_=False))
    return found


def _told(table: pl.DataFrame, words: Words, what: str, size: str, unit: str) -> str:
    """Say where what is shown first is answered otherwise."""
    first = table.filter((pl.col("place") == 1) & (pl.col("p_holm") < _SMALL)).sort("p_holm")
    names = [
        words("one_first", question=row["question"], run=row["run"], size=f"{row[size]:.1f}{unit}")
        for row in first.iter_rows(named=True)
    ]
    if not names:
        return words("n.first_options_none" if what == "options" else "n.first_items_none")
    key = "n.first_options" if what == "options" else "n.first_items"
    return words(key, names=counts(names, words, _MOST_NAMED))
