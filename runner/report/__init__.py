"""`action=report`: what the answers say, as one page that works offline, with figures and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.checks import FIGURES, TABLES
from runner.config.labels import NO_LABELS, Labels
from runner.core.errors import ConfigError
from runner.report.data import read
from runner.report.figures import rendering
from runner.report.figures.sheet import Drawn
from runner.report.figures.style import Form
from runner.report.fonts import load
from runner.report.methods import methods
from runner.report.page import Table, html
from runner.report.scripts import PROGRAMS, scripts
from runner.report.sections import Sections
from runner.report.table_files import table_files
from runner.report.variance_parts import NAME as VARIANCE
from runner.report.words import Words
from runner.storage.files import make_folder, privacy, write_durably
from runner.tables.progress import progress_bar
from runner.tables.runs import Selection

AS_ON_THE_PAGE = Form()
PAGE, METHODS = "report.html", "methods.md"
TEXTS = (PAGE, METHODS, *PROGRAMS)
"""What may stand in the folder itself; the page first, which says that it is a report's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """What was written."""

    page: Path
    methods: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    runs: tuple[str, ...]
    left_out: tuple[str, ...]
    rehearsal: bool
    requests: int
    values: int
    missing: int


def write_report(
    selection: Selection,
    folder: Path,
    *,
    language: str,
    form: Form = AS_ON_THE_PAGE,
    labels: Labels = NO_LABELS,
) -> ReportFiles:
    """Write report.html, methods.md, analysis.py, figures/ and tables/ into a folder.

    The same tables make the same files, byte for byte.

    Args:
        selection: the runs to report.
        folder: where to; what an earlier report left in its figures/ and tables/ goes.
        language: ja or en.
        form: as what figures and tables are written.
        labels: of the configuration, for runs whose records have none.

    Raises:
        ConfigError: this machine does not have the figures' font, or the folder holds files of
            somebody else that would be replaced.
    """
    load(form.font)
    _check_ours(folder)
    words = Words(language)
    data = read(selection, language, labels)
    report = Sections(data, words, form)
    sections = tuple(report.all())
    figures = [part for s in sections for part in s.parts if isinstance(part, Drawn)]
    tables = [part for s in sections for part in s.parts if isinstance(part, Table)]
    drawn = _files(figures, form)
    shown = report.page(sections)
    named = zip(figures, drawn, strict=True)
    pictures = {figure.name: made[rendering.PAGE] for figure, made in named}
    texts = {
        PAGE: html(shown, words, pictures),
        METHODS: methods(data, words, [t.name for t in tables if t.name == VARIANCE]),
        **scripts(data, folder, shown.mark),
    }
    private = privacy(run.folder for run in selection.runs)
    for place in (folder, folder / "figures", folder / "tables"):
        make_folder(place, private)
    write_texts(folder, texts)
    paths = (
        *_replace(folder / "figures", _figure_files(figures, drawn, form), FIGURES),
        *_replace(folder / "tables", _table_files(tables, shown.mark, form), TABLES),
    )
    return ReportFiles(
        page=folder / PAGE,
        methods=folder / METHODS,
        figures=tuple(p for p in paths if p.parent.name == "figures"),
        tables=tuple(p for p in paths if p.parent.name == "tables"),
        runs=tuple(run.name for run in data.runs),
        left_out=data.left_out,
        rehearsal=data.rehearsal,
        requests=report.requests,
        values=report.values,
        missing=report.missing,
    )


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write what stands in a report's folder itself, and remove what only an earlier report had."""
    for name, text in texts.items():
        write_durably(folder / name, [text.encode("utf-8", "replace")])
    for name in {*TEXTS} - {*texts}:
        (folder / name).unlink(missing_ok=True)


def _check_ours(folder: Path) -> None:
    """Refuse a folder in which no report stands, and in which one would replace or remove something."""
    if (folder / PAGE).exists():
        return
    inside = ((folder / "figures", FIGURES), (folder / "tables", TABLES))
    others = [
        *(folder / name for name in TEXTS if (folder / name).exists()),
        *(path for place, endings in inside for path in _old(place, endings)),
    ]
    if others:
        raise ConfigError(
            f"{min(others)}: is not from a report, and a report here would replace or remove it: "
            "choose another report.folder=…, or move it away"
        )


def _old(folder: Path, endings: Sequence[str]) -> Iterator[Path]:
    """Yield the files of a folder that have one of some endings."""
    if folder.is_dir():
        yield from (old for old in folder.iterdir() if old.suffix.lstrip(".") in endings)


def _files(figures: Sequence[Drawn], form: Form) -> list[Mapping[str, bytes]]:
    """Return the files of each figure, by their endings."""
    found: list[Mapping[str, bytes]] = []
    with progress_bar("drawing figures", len(figures)) as advance:
        for made in rendering.all_files([figure.figure for figure in figures], form):
            found.append(made)
            advance(1, f"{len(found)} of {len(figures)}")
    return found


def _figure_files(
    figures: Sequence[Drawn], drawn: Sequence[Mapping[str, bytes]], form: Form
) -> dict[str, bytes]:
    return {
        f"{figure.name}.{ending}": content
        for figure, of_figure in zip(figures, drawn, strict=True)
        for ending, content in of_figure.items()
        if ending in form.formats
    }


def _table_files(tables: Sequence[Table], mark: str, form: Form) -> dict[str, bytes]:
    return {
        f"{table.name}.{ending}": content
        for table in tables
        for ending, content in table_files(table, mark, form.tables).items()
    }


def _replace(folder: Path, files: Mapping[str, bytes], endings: Sequence[str]) -> Iterator[Path]:
    """Write files, and remove what an earlier report left beside them."""
    for old in list(_old(folder, endings)):
        if old.name not in files:
            old.unlink()
    for name, content in files.items():
        write_durably(folder / name, [content])
        yield folder / name
