"""What stands above a report's sections: its title, and what a reader has to know before anything else."""

from collections.abc import Iterator

from runner.report.data import Data
from runner.report.page import counts
from runner.report.words import Words
from runner.tables.runs import Kind

MANY_NAMES = 4
"""More experiments are not all named in the title."""

MANY_IMPORTED = 12
"""More imported models are not all named in the note."""


def title(data: Data, words: Words) -> str:
    """Return the title of the page."""
    names = list(dict.fromkeys(run.stored.experiment for run in data.runs))
    return words("title", names=counts(names, words, MANY_NAMES))


def rehearsal(data: Data, words: Words) -> str | None:
    """Say that all or some of it is rehearsed; None: none of it is."""
    if not data.rehearsal:
        return None
    return words("rehearsal_all" if data.kinds == {Kind.REHEARSAL} else "rehearsal_some")


def banners(data: Data, words: Words) -> Iterator[tuple[str, str]]:
    """Yield each banner's class, alarm or note, and its text."""
    if (said := rehearsal(data, words)) is not None:
        yield "alarm", said
    if data.imported:
        is_all = all(run.stored.imported for run in data.runs)
        names = [run.name for run in data.runs if run.stored.imported]
        key = "imported_all" if is_all else "imported_note"
        yield "note", words(key, names=counts(names, words, MANY_IMPORTED))
    for run, others in data.replaced:
        by_whom = ", ".join(f"{name} ({count:,})" for name, count in others.items())
        yield "alarm", words("replaced", run=run.name, asked=run.model, others=by_whom)
    for run in data.runs:
        for line in run.stored.summary.get("charged", ()):
            yield "alarm", words("charged", run=run.name, line=line)
    for some, key in ((data.left_out, "left_out"), (data.without_tables, "without_tables")):
        if some:
            yield "note", words(key, count=len(some), names=counts(some, words))
