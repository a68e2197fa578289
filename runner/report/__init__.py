"""`action=report`: what the answers say, as one page that works offline, with figures and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from runner.report.data import read
from runner.report.figures import rendering
from runner.report.figures.sheet import Drawn
from runner.report.page import Table, html
from runner.report.sections import Sections
from runner.report.words import Words
from runner.storage.files import make_folder, privacy, write_durably
from runner.tables.export import guarded
from runner.tables.progress import progress_bar
from runner.tables.runs import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """What was written."""

    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    runs: tuple[str, ...]
    left_out: tuple[str, ...]
    rehearsal: bool
    requests: int
    values: int
    missing: int


def write_report(selection: Selection, folder: Path, *, language: str) -> ReportFiles:
    """Write report.html, figures/ and tables/ into a folder.

    The same tables make the same files, byte for byte.

    Args:
        selection: the runs to report.
        folder: where to; its figures/ and tables/ are ours, and what an earlier report left there
            goes.
        language: ja or en.
    """
    words = Words(language)
    data = read(selection)
    report = Sections(data, words)
    sections = tuple(report.all())
    figures = [part for s in sections for part in s.parts if isinstance(part, Drawn)]
    tables = [part for s in sections for part in s.parts if isinstance(part, Table)]
    drawn = _files(figures)
    written = {f"{table.name}.csv": _csv(table.frame) for table in tables}
    private = privacy(run.folder for run in selection.runs)
    for place in (folder, folder / "figures", folder / "tables"):
        make_folder(place, private)
    paths = (*_replace(folder / "figures", drawn), *_replace(folder / "tables", written))
    pictures = {figure.name: drawn[f"{figure.name}.svg"] for figure in figures}
    page = html(report.page(sections), words, pictures)
    write_durably(folder / "report.html", [page.encode("utf-8", "replace")])
    return ReportFiles(
        page=folder / "report.html",
        figures=tuple(p for p in paths if p.parent.name == "figures"),
        tables=tuple(p for p in paths if p.parent.name == "tables"),
        runs=tuple(run.name for run in data.runs),
        left_out=data.left_out,
        rehearsal=data.rehearsal,
        requests=report.requests,
        values=report.values,
        missing=report.missing,
    )


def _files(figures: Sequence[Drawn]) -> dict[str, bytes]:
    """Return the files of all figures, by name."""
    found: dict[str, bytes] = {}
    with progress_bar("drawing figures", len(figures)) as advance:
        made = rendering.all_files([figure.figure for figure in figures])
        for figure, (png, svg) in zip(figures, made, strict=True):
            found |= {f"{figure.name}.png": png, f"{figure.name}.svg": svg}
            advance(1, f"{len(found) // 2} of {len(figures)}")
    return found


def _csv(frame: pl.DataFrame) -> bytes:
    """Return a table as CSV for spreadsheets; an empty cell is what is not defined or not known."""
    plain = frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
    rounded = plain.with_columns(pl.col(pl.Float64).round(6))
    return b"\xef\xbb\xbf" + guarded(rounded).collect().write_csv().encode()


def _replace(folder: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files, and remove what an earlier report left beside them."""
    endings = {name.rpartition(".")[2] for name in files}
    if folder.is_dir():
        for old in folder.iterdir():
            if old.suffix.lstrip(".") in endings and old.name not in files:
                old.unlink()
    for name, content in files.items():
        write_durably(folder / name, [content])
        yield folder / name
