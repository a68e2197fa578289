"""How requests ended, which values are missing, how long reasons are, and what it took."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runner.report.data import ReportedQuestion
from runner.report.figures.marks import aside, bar, ceiling, inside, legend, name_rows, stacked
from runner.report.figures.sheet import Drawn, Heading, Rows, Sheet
from runner.report.figures.style import COLOURS, ENDINGS, GREY, HATCHES
from runner.report.numbers import CAUSE

TOKENS = (("input_tokens", -0.18, COLOURS[0]), ("output_tokens", 0.18, COLOURS[1]))
"""What is counted, where in its run's row, and its colour."""


def quality(sheet: Sheet, statuses: pl.DataFrame) -> Iterator[Drawn]:
    """Draw how the requests of each run ended."""
    table = {row["run"]: row for row in statuses.iter_rows(named=True)}

    def draw(rows: Rows, figure: Figure) -> None:
        axes = figure.subplots()
        for place, run in enumerate(rows):
            row, left = table[run], 0.0
            for ending, colour in ENDINGS.items():
                count = row[ending] or 0
                share = 100 * count / row["total"] if row["total"] else 0
                stacked(axes, place, left, share, color=colour, linewidth=0)
                if share >= 6:
                    ink = "white" if ending in ("success", "failed", "imported") else "black"
                    inside(axes, left + share / 2, place, f"{count:,}", color=ink, fontsize=8)
                left += share
            aside(axes, place, f"n={row['total']:,}")
        name_rows(axes, rows)
        axes.set_xlim(0, 100)
        axes.set_xlabel(sheet.words("x.share"))
        used = [e for e in ENDINGS if statuses[e].sum()]
        legend(figure, [(ENDINGS[e], "", sheet.words(f"c.{e}")) for e in used])

    yield from sheet.paged(Heading("quality", "k.quality"), draw, row_height=0.36, rest=1.2)


def missing(sheet: Sheet, table: pl.DataFrame, causes: Sequence[str]) -> Iterator[Drawn]:
    """Draw the share of missing values by cause."""
    looks = {
        cause: (COLOURS[place % len(COLOURS)], HATCHES[place // len(COLOURS) % len(HATCHES)])
        for place, cause in enumerate(causes)
    }
    highest = max(
        (100 * row["missing"] / row["total"] for row in table.iter_rows(named=True)), default=0
    )

    def panel(axes: Axes, rows: Rows, question: ReportedQuestion) -> None:
        part = table.filter(pl.col("question") == question.name)
        found = {row["run"]: row for row in part.iter_rows(named=True)}
        for place, run in enumerate(rows):
            row, left = found.get(run), 0.0
            if row is None:
                continue
            for cause, (colour, hatch) in looks.items():
                share = 100 * row[CAUSE + cause] / row["total"]
                edge = {"edgecolor": "white", "linewidth": 0.4}
                stacked(axes, place, left, share, color=colour, hatch=hatch, **edge)
                left += share
            aside(axes, place, f"{row['missing']:,}/{row['total']:,}")
        axes.set_xlim(0, ceiling(highest))
        axes.grid(visible=True, axis="x")

    yield from sheet.panels(
        Heading("missing", "k.missing"),
        sheet.runs,
        panel,
        sheet.words("x.share_missing"),
        patches=[(*look, sheet.words.cause(cause, sheet.kind)) for cause, look in looks.items()],
    )


def reasons(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw how long the reasons are."""
    longest = max((high for high in table["max"] if high is not None), default=0)
    look: dict[str, Any] = {
        "showmeans": True,
        "patch_artist": True,
        "boxprops": {"facecolor": "#CFE3F1", "edgecolor": COLOURS[0]},
        "medianprops": {"color": COLOURS[0], "linewidth": 1.6},
        "whiskerprops": {"color": GREY},
        "capprops": {"color": GREY},
        "meanprops": {
            "marker": "D",
            "markersize": 3.5,
            "markerfacecolor": COLOURS[5],
            "markeredgecolor": COLOURS[5],
        },
    }
    names = {"med": "median", "q1": "q1", "q3": "q3", "mean": "mean"}
    names |= {"whislo": "min", "whishi": "max"}

    def panel(axes: Axes, rows: Rows, question: ReportedQuestion) -> None:
        part = table.filter(pl.col("question") == question.name, pl.col("run").is_in(rows))
        for row in part.iter_rows(named=True):
            place = rows.index(row["run"])
            aside(axes, place, f"n={row['n']:,}")
            if row["n"]:
                box = {"fliers": [], **{key: row[column] for key, column in names.items()}}
                way: dict[str, Any] = {
                    "positions": [place],
                    "widths": 0.55,
                    "orientation": "horizontal",
                }
                axes.bxp([box], **way, manage_ticks=False, **look)
        axes.set_xlim(0, ceiling(longest))
        axes.grid(visible=True, axis="x")

    heading = Heading("reasons", "k.reasons")
    yield from sheet.panels(heading, sheet.runs, panel, sheet.words("x.characters"))


def usage(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw tokens per answer, and the cost."""
    words = sheet.words
    rows_by_run = {row["run"]: row for row in table.iter_rows(named=True)}
    means = {
        name: {
            run: None if row[name] is None or not row["answers"] else row[name] / row["answers"]
            for run, row in rows_by_run.items()
        }
        for name, *_ in TOKENS
    }
    costs = {run: row["cost_usd"] for run, row in rows_by_run.items()}
    most = max((m for row in means.values() for m in row.values() if m is not None), default=0)
    dearest = max((c for c in costs.values() if c is not None), default=0)

    def draw(rows: Rows, figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for place, run in enumerate(rows):
            for name, shift, colour in TOKENS:
                number = means[name].get(run)
                text = words("unknown") if number is None else f"{number:,.0f}"
                bar(left, place + shift, number, text, color=colour, height=0.32)
            cost = costs.get(run)
            text = words("unknown") if cost is None else f"{cost:,.4f}"
            bar(right, place, cost, text, color=COLOURS[2], height=0.55)
        left.set_xlim(0, ceiling(most * 1.18))
        right.set_xlim(0, ceiling(dearest * 1.25))
        left.set_xlabel(words("x.tokens"))
        right.set_xlabel(words("x.cost"))
        name_rows(left, rows)
        right.tick_params(labelleft=False)
        named = [(COLOURS[0], "", words("x.input")), (COLOURS[1], "", words("x.output"))]
        legend(figure, named)

    yield from sheet.paged(Heading("usage", "k.usage"), draw, row_height=0.5, rest=1.3)
