"""Tables for other programs and people: the study's CSV, wide, long and xlsx, with a codebook."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from runner.config.labels import NO_LABELS, Labels
from runner.core.definition import factor_names, factors_in, levels_in, shuffled_in
from runner.core.errors import ConfigError
from runner.core.expand import BUNDLED_FACTORS
from runner.core.model import ItemKind
from runner.core.orders import ITEMS
from runner.storage.files import make_folder, part_of, privacy, settle, write_durably
from runner.tables.called import Called
from runner.tables.codebook import Factors, codebook, of_factors, of_settings
from runner.tables.datapackage import datapackage
from runner.tables.export import guarded
from runner.tables.items import COUNTED, SAID, items_in, no_numbers, of_all
from runner.tables.join import factor_columns
from runner.tables.runs import ANSWERS, Kind, Selection, StoredRun

EXCEL_ROWS = 1_048_575
"""What a sheet holds below its heading."""
EXCEL_CHARACTERS = 32_767
CUT = "… [cut: see the parquet file]"
REHEARSAL = "REHEARSAL "
"""What stands before the developer in the study's table, which has no column to mark it."""
STUDY = ("timestamp", "text", "developer", "model", "persona", "temperature", "trial")
"""The study's columns, before Q1value … Qnvalue and Q1reason … Qnreason."""
OPEN = "open"


def write(
    selection: Selection,
    folder: Path,
    formats: Sequence[str],
    *,
    language: str,
    labels: Labels = NO_LABELS,
) -> tuple[Path, ...]:
    """Write tables in some formats, and the codebook that explains them.

    Args:
        selection: the runs; all of them go into one table.
        folder: where to.
        formats: study, wide, long, xlsx.
        language: of the codebook, ja or en.
        labels: of the configuration, for runs whose records have none.

    Raises:
        ConfigError: runs that do not fit into one table, or a table too long for Excel.
    """
    runs = selection.runs
    names = _questions(runs, Called(runs, language, labels))
    explained_by = names, language, _factors(runs), of_all(runs)
    explained = {
        "study": ("study.csv", study),
        "wide": ("wide", wide),
        "long": ("long", long),
        "xlsx": ("answers.xlsx", _sheet),
    }
    schemas = {
        file: table(runs).collect_schema()
        for name, (file, table) in explained.items()
        if name in formats
    }
    by_rule = any("until" in run.summary or "rounds" in run.manifest for run in runs)

    def explain(tables: Mapping[str, pl.Schema]) -> str:
        return codebook(tables, *explained_by, by_rule=by_rule)

    text = explain(schemas)
    writers: Mapping[str, Callable[[], list[Path]]] = {
        "study": lambda: [_csv(study(runs), folder / "study.csv")],
        "wide": lambda: _both(wide(runs), folder / "wide"),
        "long": lambda: _both(long(runs), folder / "long"),
        "xlsx": lambda: [_xlsx(runs, folder / "answers.xlsx", explain)],
    }
    make_folder(folder, privacy(run.folder for run in runs))
    paths = [path for name in dict.fromkeys(formats) for path in writers[name]()]
    write_durably(folder / "codebook.md", [text.encode("utf-8", "replace")])
    package = datapackage(_csv_files(schemas), *explained_by, title=_title(runs))
    if not package["resources"]:
        return (*paths, folder / "codebook.md")
    whole = orjson.dumps(package, option=orjson.OPT_INDENT_2)
    write_durably(folder / "datapackage.json", [whole, b"\n"])
    return (*paths, folder / "codebook.md", folder / "datapackage.json")


def wide(runs: Sequence[StoredRun]) -> pl.LazyFrame:
    """Return one row per request: the columns of answers.parquet, and where each comes from."""
    frames = [
        pl.scan_parquet(run.folder / ANSWERS, glob=False).select(
            pl.lit(run.name).alias("run"),
            pl.lit(run.imported).alias("imported"),
            pl.all(),
        )
        for run in runs
    ]
    return _side_by_side(pl.concat(frames, how="diagonal_relaxed"), runs)


def long(runs: Sequence[StoredRun]) -> pl.LazyFrame:
    """Return one row per request and question; a choice's option stands in a column of its own."""
    frames = []
    kinds = {item.kind for run in runs for item in items_in(run.definition).values()}
    orders = any(one.what != ITEMS for run in runs for one in shuffled_in(run.definition))
    more = {name: of for name, of in (("choice", COUNTED), ("said", SAID)) if kinds & {*of}}
    for run in runs:
        rows = pl.scan_parquet(run.folder / ANSWERS, glob=False)
        known = rows.collect_schema().names()
        columns = (*LONG[:4], *_design_columns(run), *LONG[4:])
        items = items_in(run.definition)
        asked = [
            pl.struct(
                pl.lit(key).alias("question"),
                pl.lit(row["label"]).alias("label"),
                *_values(key, items[key].kind, more),
                *(pl.col(f"{key}_{part}").alias(part) for part in ("reason", "pattern", "cause")),
                _known(f"{key}_written", known).alias("written"),
                *([_known(f"{key}_order", known).alias("order")] if orders else []),
            )
            for key, row in run.definition["questions"].items()
        ]
        frames.append(
            rows.select(
                pl.lit(run.name).alias("run"),
                pl.lit(run.imported).alias("imported"),
                *(name for name in columns if name in known),
                pl.concat_list(asked).alias("asked"),
            )
            .explode("asked")
            .unnest("asked")
        )
    return _side_by_side(pl.concat(frames, how="diagonal_relaxed"), runs)


def _values(key: str, kind: ItemKind, more: Mapping[str, Sequence[ItemKind]]) -> list[pl.Expr]:
    """Return the column `value` of numbers, and further ones for what is none, where there is some."""
    read, nothing = pl.col(f"{key}_value"), pl.lit(None)
    value = read if kind is ItemKind.NUMBER else nothing
    others = ((read if kind in of else nothing).cast(pl.String).alias(n) for n, of in more.items())
    return [value.cast(pl.Float64).alias("value"), *others]


def _side_by_side(frame: pl.LazyFrame, runs: Sequence[StoredRun]) -> pl.LazyFrame:
    """Put the columns of all factors where the first of them stands, where runs have different ones."""
    columns = [_design_columns(run) for run in runs]
    if all(of_run == columns[0] for of_run in columns):
        return frame
    names = frame.collect_schema().names()
    wanted = dict.fromkeys(name for of_run in columns for name in of_run)
    ours = [name for name in wanted if name in names and name != "temperature"]
    first = min(names.index(name) for name in ours)
    others = [name for name in names[first:] if name not in ours]
    return frame.select(*names[:first], *ours, *others)


def _design_columns(run: StoredRun) -> list[str]:
    """Return the columns that say what a request of a run was asked, in order."""
    return [*factor_columns(factors_in(run.definition)), *run.varied]


def _known(name: str, columns: Sequence[str]) -> pl.Expr:
    """Return a text column, empty where an older or an imported table has none."""
    return pl.col(name) if name in columns else pl.lit(None, dtype=pl.String)


LONG = (
    *("experiment", "provider", "model", "rehearsal"),
    *("trial", "items_order", "custom_id", "source_row", "status"),
)
"""The columns of a request that each of its questions repeats; its factors stand after the fourth."""


def study(runs: Sequence[StoredRun]) -> pl.LazyFrame:
    """Return the study's table: 15 columns for four questions.

    A request that has not ended keeps its row, with nothing in it that may still change.

    Raises:
        ConfigError: runs with other factors than the study's, or with choices.
    """
    if (why := no_study(runs)) is not None:
        raise ConfigError(
            f"export.format=study: {why}: use export.format=wide or long, or leave it out with "
            "export.over=[…]"
        )
    questions = dict.fromkeys(key for run in runs for key in run.definition["questions"])
    personas, texts = _shown(runs, "persona"), _shown(runs, "text")
    frames = []
    for run in runs:
        rows = pl.scan_parquet(run.folder / ANSWERS, glob=False)
        known = rows.collect_schema().names()
        ended = pl.col("status") != OPEN
        asked = [key for key in questions if f"{key}_value" in known]
        when = pl.coalesce("answered_at", "completed_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        written = [pl.col("source_timestamp")] if "source_timestamp" in known else []
        mark = pl.when(pl.col("rehearsal")).then(pl.lit(REHEARSAL)).otherwise(pl.lit(""))
        frames.append(
            rows.select(
                pl.when(ended).then(pl.coalesce(*written, when)).alias("timestamp"),
                pl.col("text").replace_strict(texts[run.name], return_dtype=pl.String),
                (mark + pl.col("provider")).alias("developer"),
                "model",
                pl.col("persona").replace_strict(personas[run.name], return_dtype=pl.String),
                "temperature",
                "trial",
                *(pl.when(ended).then(pl.col(f"{k}_value")).alias(f"{k}value") for k in asked),
                *(pl.when(ended).then(pl.col(f"{k}_reason")).alias(f"{k}reason") for k in asked),
            )
        )
    order = [*STUDY, *(f"{k}value" for k in questions), *(f"{k}reason" for k in questions)]
    whole = pl.concat(frames, how="diagonal_relaxed").select(order)
    _check_unique(whole)
    return whole


def no_study(runs: Sequence[StoredRun]) -> str | None:
    """Say why runs do not fit into the study's table; None where they do."""
    for run in runs:
        factors = factor_names(run.definition)
        if set(factors) != BUNDLED_FACTORS:
            return f"its columns are those of the factors persona and text, and {run.name} has " + (
                " and ".join(factors) or "none"
            )
        if others := no_numbers(run.definition, run.name):
            return f"its values are numbers, and {others}"
    return None


def _check_unique(table: pl.LazyFrame) -> None:
    """Refuse rows that the study's columns cannot tell apart: they were asked something else."""
    keys = STUDY[1:]
    twice = table.group_by(keys).len().filter(pl.col("len") > 1).sort(keys).head(1).collect()
    for *key, count in twice.iter_rows():
        raise ConfigError(
            f"export.format=study: {count} rows are {', '.join(map(str, key))}; the study's columns "
            "do not say from which experiment or wording a row is: export one with export.over=…, "
            "or use export.format=wide"
        )


def _questions(runs: Sequence[StoredRun], called: Called) -> dict[str, str]:
    """Return what each question is called, by its number.

    Raises:
        ConfigError: the same number stands for two questions.
    """
    names: dict[str, str] = {}
    for run in runs:
        for key, row in run.definition["questions"].items():
            name = called(f"items.{key}", row["label"])
            if names.setdefault(key, name) != name:
                raise ConfigError(
                    f"export.over: {key} is {names[key]!r} in one run and {name!r} in "
                    f"{run.name}: export them one by one, their answers do not fit into one table"
                )
    return names


def _shown(runs: Sequence[StoredRun], factor: str) -> dict[str, dict[str, str]]:
    """Return, for each run, what the levels of a factor are called; with the id where it is needed.

    A name that two ids share would make two conditions one.
    """
    names = {
        run.name: {
            key: name or key for of, key, name, _ in levels_in(run.definition) if of == factor
        }
        for run in runs
    }
    ids: dict[str, set[str]] = {}
    for of_run in names.values():
        for key, name in of_run.items():
            ids.setdefault(name, set()).add(key)
    return {
        run: {
            key: name if len(ids[name]) == 1 else f"{name} ({key})" for key, name in of_run.items()
        }
        for run, of_run in names.items()
    }


def _factors(runs: Sequence[StoredRun]) -> Factors:
    return of_factors([run.definition for run in runs]) | of_settings([run.varied for run in runs])


def _csv_files(tables: Mapping[str, pl.Schema]) -> dict[str, pl.Schema]:
    """Return the tables that are written as CSV: parquet says its types itself."""
    return {
        table if table.endswith(".csv") else f"{table}.csv": schema
        for table, schema in tables.items()
        if not table.endswith(".xlsx")
    }


def _title(runs: Sequence[StoredRun]) -> str:
    """Return the names of the experiments, marked where some of it is rehearsed."""
    names = ", ".join(dict.fromkeys(run.experiment for run in runs))
    return (REHEARSAL if any(run.kind is Kind.REHEARSAL for run in runs) else "") + names


def _csv(frame: pl.LazyFrame, path: Path) -> Path:
    part = part_of(path)
    guarded(frame).sink_csv(part, include_bom=True)
    settle(part, path)
    return path


def _both(frame: pl.LazyFrame, stem: Path) -> list[Path]:
    parquet = stem.with_suffix(".parquet")
    part = part_of(parquet)
    frame.sink_parquet(part, compression="zstd")
    settle(part, parquet)
    return [_csv(frame, stem.with_suffix(".csv")), parquet]


def _sheet(runs: Sequence[StoredRun]) -> pl.LazyFrame:
    """Return the table of the xlsx file: without the raw answers, which are longer than cells."""
    frame = wide(runs)
    return frame.drop("raw_answer", strict=False)


def _xlsx(
    runs: Sequence[StoredRun], path: Path, explain: Callable[[Mapping[str, pl.Schema]], str]
) -> Path:
    import xlsxwriter

    frame = _sheet(runs).collect()
    if frame.height > EXCEL_ROWS:
        raise ConfigError(
            f"export.format=xlsx: {frame.height:,} rows; a sheet holds {EXCEL_ROWS:,}: use "
            "export.format=wide, or fewer runs with export.over=[…]"
        )
    part = part_of(path)
    safe = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "in_memory": False,
    }
    with xlsxwriter.Workbook(str(part), safe) as book:
        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)})
        _for_excel(frame).write_excel(book, "answers", freeze_panes=(1, 0), float_precision=4)
        explained = explain({path.name: frame.schema})
        rows = [_cells(line) for line in explained.splitlines() if line.startswith("|")]
        sheet = book.add_worksheet("codebook")
        for down, row in enumerate(row for row in rows if set("".join(row)) - set("-: ")):
            for across, text in enumerate(row):
                sheet.write_string(down, across, text)
    settle(part, path)
    return path


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _split(line.strip()[1:-1])]


def _split(line: str) -> list[str]:
    return [cell.replace("\0", "\\|") for cell in line.replace("\\|", "\0").split("|")]


def _for_excel(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table as Excel can hold it: times without a zone (they are UTC), long text cut."""
    changes: list[Any] = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if isinstance(kind, pl.Datetime):
            changes.append(column.dt.replace_time_zone(None))
        elif kind == pl.String:
            short = column.str.slice(0, EXCEL_CHARACTERS - len(CUT)) + CUT
            long_ = column.str.len_chars() > EXCEL_CHARACTERS
            changes.append(pl.when(long_).then(short).otherwise(column).alias(name))
    return frame.with_columns(changes)
