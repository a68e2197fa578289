"""`action=report`, `import` and `export` over several runs: what needs no provider and no ledger."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from runner import called
from runner.cli.exits import DONE
from runner.cli.output import labelled, print_json
from runner.cli.phrases import EMULATED, plural
from runner.config.checks import FORMATS
from runner.config.problems import words
from runner.config.settings import Settings

FRUGAL = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}
"""Lets polars give memory back at once, when set before it is loaded: a third less at the peak."""
NOT_DRAWN = (
    "report.bootstrap and report.seed change nothing any more: the intervals are computed, "
    "not drawn. Leave them out."
)


def report(settings: Settings) -> int:
    """Write the report and print where it is; return the exit code."""
    os.environ.update(FRUGAL)
    from runner.report import write_report
    from runner.report.figures.style import Form
    from runner.tables.runs import selected

    config = settings.config
    if config.report.bootstrap is not None or config.report.seed is not None:
        print(NOT_DRAWN, file=sys.stderr)
    over = words(config.report.over)
    outputs = Path(config.outputs)
    home = outputs if over else outputs / config.name
    figure = config.report.figure
    form = Form(
        formats=tuple(dict.fromkeys(words(figure.format))) or Form().formats,
        width_mm=figure.width_mm,
        dpi=figure.dpi,
        font=figure.font,
        tables=tuple(dict.fromkeys(words(config.report.table_format))) or Form().tables,
    )
    written = write_report(
        selected(outputs, over or [config.name], rehearsals=config.report.rehearsals),
        Path(config.report.folder) if config.report.folder else home / "report",
        language=config.report.lang,
        form=form,
        labels=settings.labels,
    )
    if config.format == "json":
        print_json(asdict(written))
        return DONE
    folder, figures = written.page.parent, len(written.figures) // len(form.formats)
    tables = len(written.tables) // len(form.tables)
    rehearsal = f"  {EMULATED}" if written.rehearsal else ""
    print(
        f"report over {plural(len(written.runs), 'model')}: "
        f"{written.requests:,} requests, {written.values:,} values, "
        f"{written.missing:,} missing{rehearsal}"
    )
    print(labelled("report", written.page))
    print(labelled("methods", written.methods))
    print(labelled("figures", f"{folder / 'figures'}  ({figures}, {_named(form.formats)})"))
    print(labelled("tables", f"{folder / 'tables'}  ({tables}, {_named(form.tables)})"))
    if written.left_out:
        left_out = plural(len(written.left_out), "rehearsal")
        print(labelled("left out", f"{left_out}; report.rehearsals=true takes them in"))
    return DONE


_SPOKEN = {"tex": "LaTeX", "md": "Markdown"}


def _named(endings: Sequence[str]) -> str:
    """Return endings as words: PNG and SVG."""
    *others, last = (_SPOKEN.get(ending, ending.upper()) for ending in endings)
    return f"{', '.join(others)} and {last}" if others else last


def import_(settings: Settings) -> int:
    """Import a table and print what was in it; return the exit code."""
    from runner.tables.import_table import import_table

    config = settings.config
    assert config.input is not None
    if config.kind == "ratings":
        return _import_ratings(settings, Path(config.input))
    taken = import_table(Path(config.input), settings.experiment, Path(config.outputs))
    if config.format == "json":
        print_json(asdict(taken))
        return DONE
    print(
        f"imported {taken.rows:,} rows of {plural(len(taken.models), 'model')} "
        f"({taken.encoding}): {taken.values:,} values, {taken.missing:,} missing"
    )
    print(labelled("table", f"{taken.folder / 'answers.csv'}  (and .parquet)"))
    print(labelled("sha256", f"{taken.sha256}  of {config.input}"))
    print(
        labelled(
            "next", f"report it beside others: {called.line(['action=report', 'report.over=all'])}"
        )
    )
    return DONE


def _import_ratings(settings: Settings, path: Path) -> int:
    from runner.tables.import_ratings import import_ratings

    taken = import_ratings(path, settings.experiment, Path(settings.config.outputs))
    if settings.config.format == "json":
        print_json(asdict(taken))
        return DONE
    of = f" by {', '.join(taken.factors)}" if taken.factors else ""
    print(
        f"imported {plural(taken.ratings, 'rating')} of {plural(len(taken.items), 'item')}{of} from "
        f"{plural(taken.raters, 'rater')} ({taken.encoding}); {taken.missing:,} missing"
    )
    print(labelled("table", taken.folder / "ratings.parquet"))
    print(labelled("sha256", f"{taken.sha256}  of {path}"))
    report = called.line(["action=report", f"name={settings.experiment.name}"])
    print(labelled("next", f"compare them with the models' answers: {report}"))
    return DONE


def export_several(settings: Settings) -> int:
    """Write the runs of `export.over` as other tables; return the exit code."""
    os.environ.update(FRUGAL)
    config = settings.config
    folder = Path(config.outputs) / "export"
    return export(settings, words(config.export.over), folder, rehearsals=config.export.rehearsals)


def export(settings: Settings, over: list[str], folder: Path, *, rehearsals: bool) -> int:
    """Write runs as other tables, from the tables that they have; return the exit code.

    Args:
        settings: says in which formats.
        over: the runs, as `report.over` takes them.
        folder: where to.
        rehearsals: whether rehearsals are wanted beside live answers.
    """
    from runner.tables.formats import no_study, write
    from runner.tables.runs import selected

    config = settings.config
    selection = selected(Path(config.outputs), over, rehearsals=rehearsals)
    formats = words(config.export.format) or list(FORMATS)
    why = None if config.export.format else no_study(selection.runs)
    if why is not None:
        formats.remove("study")
    language, labels = config.report.lang, settings.labels
    for path in write(selection, folder, formats, language=language, labels=labels):
        if config.format != "json":
            print(labelled("table", path))
    if why is not None and config.format != "json":
        print(labelled("left out", f"study.csv: {why}"))
    return DONE
