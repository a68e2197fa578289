"""analysis.py and analysis.R: programs that make the report's main table again, from the answers alone."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.core.definition import asks_each, kind_of
from runner.core.model import ITEM, ItemKind
from runner.report.data import Data
from runner.tables.runs import ANSWERS

PROGRAMS = ("analysis.py", "analysis.R")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One question of one run, as the main table names both."""

    question: str
    run: str
    path: str
    provider: str
    model: str
    column: str
    item: str
    """Whose rows count, where each question was asked alone; else empty."""

    @property
    def row(self) -> tuple[str, ...]:
        return (
            *(self.question, self.run, self.path),
            *(self.provider, self.model, self.column, self.item),
        )


def scripts(data: Data, folder: Path, mark: str) -> Mapping[str, str]:
    """Return the programs by the names of their files; none where no question has a number.

    Args:
        data: of the report.
        folder: where the programs will stand; they find the answers from there.
        mark: what stands before every heading; empty, or REHEARSAL.
    """
    asked = sorted(_asked(data, folder), key=lambda one: one.question)
    if not asked:
        return {}
    python, r = PROGRAMS
    return {
        python: _filled(_PYTHON, asked, mark, repr),
        r: _filled(_R, asked, mark, lambda text: json.dumps(text, ensure_ascii=False)),
    }


def _asked(data: Data, folder: Path) -> Iterator[_Asked]:
    for run in data.runs:
        definition = run.stored.definition
        alone = asks_each(definition)
        for key, row in definition["questions"].items():
            if kind_of(row) is ItemKind.NUMBER:
                yield _Asked(
                    question=data.name_of(key, row),
                    run=run.name,
                    path=_way(run.stored.folder / ANSWERS, folder),
                    provider=run.provider,
                    model=run.model,
                    column=f"{key}_value",
                    item=key if alone else "",
                )


def _way(file: Path, folder: Path) -> str:
    """Return the way from a folder to a file, as programs on every system take it."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return file.resolve().as_posix()


def _filled(template: str, asked: Sequence[_Asked], mark: str, quoted: Callable[[str], str]) -> str:
    rows = [", ".join(map(quoted, one.row)) for one in asked]
    before, between, after = (
        ("    (", "),\n", "),") if template is _PYTHON else ("  c(", "),\n", ")")
    )
    table = between.join(f"{before}{row}" for row in rows) + after
    comment = f"# {mark.removesuffix(' – ')}\n" if mark else ""
    return comment + template.replace("<<ROWS>>", table).replace("<<ITEM>>", ITEM)


_PYTHON = '''\
"""Makes tables/scores_model.csv of this report again, from the answers: n, missing, mean and sd.

Needs polars; run it with `python analysis.py`, and it writes analysis.csv beside itself. Change it
as you like: the next report writes it anew.
"""

from pathlib import Path

import polars as pl

HERE = Path(__file__).resolve().parent
ASKED = [  # question, run, answers, provider, model, column, and the item where each was asked alone
<<ROWS>>
]

rows = []
for question, run, answers, provider, model, column, item in ASKED:
    frame = pl.read_parquet(HERE / answers, glob=False).filter(
        (pl.col("provider") == provider) & (pl.col("model") == model)
    )
    if item:
        frame = frame.filter(pl.col("<<ITEM>>") == item)
    # a request that has not ended has no value yet; what could not be read is missing, never 0
    value = frame.select(pl.when(pl.col("status") != "open").then(column))[column].cast(pl.Float64)
    rows.append(
        {
            "question": question,
            "run": run,
            "total": value.len(),
            "n": value.count(),
            "missing": value.null_count(),
            "mean": value.mean(),
            "sd": value.std(),
        }
    )

kinds = {"question": pl.String, "run": pl.String, "mean": pl.Float64, "sd": pl.Float64}
table = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)
table.with_columns(pl.col("mean", "sd").round(6)).write_csv(HERE / "analysis.csv")
print(table)
'''

_R = """\
# Makes tables/scores_model.csv of this report again, from the answers: n, missing, mean and sd.
# Needs nanoparquet; run it in this folder with `Rscript analysis.R`, and it writes analysis_r.csv.
# Change it as you like: the next report writes it anew.

asked <- rbind( # question, run, answers, provider, model, column, item where each was asked alone
<<ROWS>>
)

rows <- lapply(seq_len(nrow(asked)), function(i) {
  one <- asked[i, ]
  frame <- as.data.frame(nanoparquet::read_parquet(one[3]))
  keep <- frame$provider == one[4] & frame$model == one[5]
  if (one[7] != "") keep <- keep & frame[["<<ITEM>>"]] == one[7]
  frame <- frame[which(keep), ]
  # a request that has not ended has no value yet; what could not be read is missing, never 0
  value <- ifelse(frame$status == "open", NA, as.numeric(frame[[one[6]]]))
  known <- value[!is.na(value)]
  data.frame(
    question = one[1], run = one[2], total = length(value), n = length(known),
    missing = sum(is.na(value)), mean = if (length(known)) mean(known) else NA,
    sd = if (length(known) > 1) sd(known) else NA
  )
})

table <- do.call(rbind, rows)
table$mean <- round(table$mean, 6)
table$sd <- round(table$sd, 6)
write.csv(table, "analysis_r.csv", row.names = FALSE, na = "", fileEncoding = "UTF-8")
print(table)
"""
