"""The report's figures: honest axes, colours that everybody can tell apart, n always shown."""

import io
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from runner.report import numbers
from runner.report.data import Asked, Data
from runner.report.fonts import FONTS, drawable, load
from runner.report.words import Words

Item = TypeVar("Item")

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart."""
ENDINGS = {
    "success": "#0072B2",
    "retry_success": "#56B4E9",
    "failed": "#D55E00",
    "open": "#BBBBBB",
    "imported": "#009E73",
}
HATCHES = ("", "///", "...", "xxx")
GREY = "#555555"
ALARM = "#B3261E"
STYLE: dict[Any, Any] = {
    "font.family": list(FONTS),
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "axes.grid": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "chorus",
    "text.parse_math": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
}
BINS = 20
ROWS_A_FIGURE = 24
HISTOGRAMS_A_FIGURE = 8
QUESTIONS_A_FIGURE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One figure, finished."""

    name: str
    """Of its files, without ending."""
    title: str
    caption: str
    png: bytes
    svg: bytes


@dataclass(frozen=True, slots=True)
class What:
    """What a figure shows: the name of its files, and the keys of its title and its caption."""

    name: str
    title: str
    caption: str


class Figures:
    """Draws the figures of one report."""

    def __init__(self, data: Data, words: Words) -> None:
        """Load the fonts.

        Args:
            data: what the report is about.
            words: in which language.
        """
        load()
        self._words = words
        self._data = data
        self._runs = [run.name for run in data.runs]

    def quality(self, statuses: pl.DataFrame) -> Iterator[Drawn]:
        """Draw how the requests of each run ended."""
        words = self._words

        def draw(rows: Sequence[str], figure: Figure) -> None:
            axes = figure.subplots()
            table = {row["run"]: row for row in statuses.iter_rows(named=True)}
            for place, run in enumerate(rows):
                row, left = table[run], 0.0
                for ending, colour in ENDINGS.items():
                    count = row[ending] or 0
                    share = 100 * count / row["total"] if row["total"] else 0
                    axes.barh(place, share, left=left, color=colour, height=0.62, linewidth=0)
                    if share >= 6:
                        ink = "white" if ending in ("success", "failed", "imported") else "black"
                        _inside(axes, left + share / 2, place, f"{count:,}", color=ink, fontsize=8)
                    left += share
                _aside(axes, place, f"n={row['total']:,}")
            _rows(axes, rows)
            axes.set_xlim(0, 100)
            axes.set_xlabel(words("x.share"))
            used = [e for e in ENDINGS if statuses[e].sum()]
            _legend(figure, [(ENDINGS[e], "", words(f"c.{e}")) for e in used])

        yield from self._paged(
            What("quality", "t.quality", "k.quality"), self._runs, draw, 0.36, 1.2
        )

    def missing(self, table: pl.DataFrame, causes: Sequence[str]) -> Iterator[Drawn]:
        """Draw the share of missing values by cause."""
        words = self._words
        looks = {
            cause: (COLOURS[place % len(COLOURS)], HATCHES[place // len(COLOURS) % len(HATCHES)])
            for place, cause in enumerate(causes)
        }
        highest = max(
            (100 * row["missing"] / row["total"] for row in table.iter_rows(named=True)), default=0
        )

        def panel(axes: Axes, rows: Sequence[str], question: Asked) -> None:
            found = {
                row["run"]: row
                for row in table.filter(pl.col("question") == question.name).iter_rows(named=True)
            }
            for place, run in enumerate(rows):
                row, left = found.get(run), 0.0
                if row is None:
                    continue
                for cause, (colour, hatch) in looks.items():
                    share = 100 * row[numbers.CAUSE + cause] / row["total"]
                    axes.barh(place, share, left=left, color=colour, hatch=hatch, height=0.62,
                              edgecolor="white", linewidth=0.4)  # fmt: skip
                    left += share
                _aside(axes, place, f"{row['missing']:,}/{row['total']:,}")
            axes.set_xlim(0, _ceiling(highest))
            axes.grid(visible=True, axis="x")

        yield from self._panels(
            What("missing", "t.missing", "k.missing"), self._runs, panel, words("x.share_missing"),
            legend=[(*look, words.code("cause", cause)) for cause, look in looks.items()],
        )  # fmt: skip

    def scores(self, table: pl.DataFrame, factor: str) -> Iterator[Drawn]:
        """Draw means and their intervals by one factor."""
        by = [factor] if table["block"].n_unique() < 2 or factor == "run" else [factor, "block"]
        labels = table.select(by).unique().sort(by, nulls_last=True)
        rows = [self._level(row) for row in labels.iter_rows()]
        keyed = table.with_columns(
            pl.Series("_row", [self._level(r) for r in table.select(by).iter_rows()])
        )

        def panel(axes: Axes, shown: Sequence[str], question: Asked) -> None:
            part = keyed.filter(pl.col("question") == question.name)
            self._forest(axes, shown, part, ("mean", "low", "high"))
            axes.set_xlim(question.minimum, question.maximum)
            axes.set_xticks(_ticks(question))

        name = "model" if factor == "run" else factor
        yield from self._panels(
            What(f"scores_{name}", f"t.scores_{name}", "k.scores"),
            rows,
            panel,
            self._words("x.score"),
        )

    def agreement(self, table: pl.DataFrame) -> Iterator[Drawn]:
        """Draw the sd within cells, and ICC(1)."""
        keyed = table.with_columns(_row=pl.col("run").cast(pl.String))
        most = max((sd for sd in table["within_sd"] if sd is not None), default=0)
        least = min((low for low in table["icc_low"] if low is not None), default=0)

        def spread(axes: Axes, shown: Sequence[str], question: Asked) -> None:
            part = keyed.filter(pl.col("question") == question.name)
            self._forest(axes, shown, part, ("within_sd", None, None))
            axes.set_xlim(0, _ceiling(most))

        def icc(axes: Axes, shown: Sequence[str], question: Asked) -> None:
            part = keyed.filter(pl.col("question") == question.name)
            self._forest(axes, shown, part, ("icc", "icc_low", "icc_high"))
            axes.set_xlim(min(0, -_ceiling(-least * 100) / 100) if least < 0 else 0, 1.02)
            axes.axvline(0, color=GREY, linewidth=0.8)

        words = self._words
        yield from self._panels(
            What("within_sd", "t.within_sd", "k.within_sd"), self._runs, spread, words("x.sd")
        )
        yield from self._panels(What("icc", "t.icc", "k.icc"), self._runs, icc, words("x.icc"))

    def reasons(self, table: pl.DataFrame) -> Iterator[Drawn]:
        """Draw how long the reasons are."""
        longest = max((high for high in table["max"] if high is not None), default=0)

        def panel(axes: Axes, rows: Sequence[str], question: Asked) -> None:
            part = table.filter(pl.col("question") == question.name)
            for row in part.iter_rows(named=True):
                if row["run"] not in rows:
                    continue
                place = rows.index(row["run"])
                _aside(axes, place, f"n={row['n']:,}")
                if not row["n"]:
                    continue
                stats = {
                    "med": row["median"], "q1": row["q1"], "q3": row["q3"], "mean": row["mean"],
                    "whislo": row["min"], "whishi": row["max"], "fliers": [],
                }  # fmt: skip
                axes.bxp(
                    [stats], positions=[place], widths=0.55, orientation="horizontal",
                    showmeans=True, patch_artist=True, manage_ticks=False,
                    boxprops={"facecolor": "#CFE3F1", "edgecolor": COLOURS[0]},
                    medianprops={"color": COLOURS[0], "linewidth": 1.6},
                    whiskerprops={"color": GREY}, capprops={"color": GREY},
                    meanprops={"marker": "D", "markersize": 3.5, "markerfacecolor": COLOURS[5],
                               "markeredgecolor": COLOURS[5]},
                )  # fmt: skip
            axes.set_xlim(0, _ceiling(longest))
            axes.grid(visible=True, axis="x")

        yield from self._panels(
            What("reasons", "t.reasons", "k.reasons"),
            self._runs,
            panel,
            self._words("x.characters"),
        )

    def distribution(self, readings: pl.DataFrame) -> Iterator[Drawn]:
        """Draw a histogram for each run and question."""
        words = self._words
        counts = {
            q.name: numbers.histogram(
                readings.filter(pl.col("question") == q.name), q.minimum, q.maximum, BINS
            )
            for q in self._data.questions
        }
        means = {
            (run, question): (n, mean)
            for run, question, n, mean in numbers.means(readings).iter_rows()
        }
        tops = [
            100 * top / n
            for question, table in counts.items()
            for run, top in table.group_by("run").agg(pl.col("n").max()).iter_rows()
            if (n := means[run, question][0])
        ]
        highest = _ceiling(max(tops, default=0))

        def draw(rows: Sequence[str], figure: Figure, *, asked: Sequence[Asked]) -> None:
            grid = figure.subplots(len(rows), len(asked), squeeze=False, sharey=True)
            for across, question in enumerate(asked):
                table = counts[question.name]
                width = (question.maximum - question.minimum) / BINS
                for down, run in enumerate(rows):
                    axes: Axes = grid[down][across]
                    n, mean = means.get((run, question.name), (0, None))
                    found = table.filter(pl.col("run") == run)
                    axes.bar(
                        [question.minimum + place * width for place in found["bin"]],
                        [100 * count / n for count in found["n"]],
                        width=width, align="edge", color="#6BAED6", edgecolor="white",
                        linewidth=0.4, in_layout=False,
                    )  # fmt: skip
                    if mean is not None:
                        axes.axvline(mean, color=COLOURS[5], linewidth=1.2)
                    axes.text(0.98, 0.94, f"n={n:,}", transform=axes.transAxes, ha="right",
                              va="top", fontsize=7.5, color=GREY, in_layout=False)  # fmt: skip
                    axes.set_xlim(question.minimum, question.maximum)
                    axes.set_ylim(0, highest)
                    axes.set_xticks(_ticks(question))
                    axes.tick_params(labelbottom=down == len(rows) - 1)
                    if down == 0:
                        axes.set_title(_short(question.name, 24))
                    if across == 0:
                        axes.set_ylabel(_wrapped(run, 16, 3), rotation=0, ha="right", va="center",
                                        fontsize=8.5)  # fmt: skip
            figure.supylabel(words("x.share_values"), fontsize=9)
            figure.supxlabel(words("x.score"), fontsize=9)

        parts = [
            (rows, asked)
            for rows in _chunks(self._runs, HISTOGRAMS_A_FIGURE)
            for asked in _chunks(self._data.questions, QUESTIONS_A_FIGURE)
        ]
        for part, (rows, asked) in enumerate(parts, 1):
            size = (2.2 + 2.2 * len(asked), 1.3 + 0.95 * len(rows))
            yield self._drawn(
                What("distribution", "t.distribution", "k.distribution"), size, (part, len(parts)),
                partial(draw, rows, asked=asked),
            )  # fmt: skip

    def heat(self, table: pl.DataFrame, factor: str) -> Iterator[Drawn]:
        """Draw the means of each run at each level of a factor, a panel for each question."""
        levels = [str(level) for level in table[factor].unique().sort()]
        cells = {
            (row["question"], row["run"], row[factor]): (row["mean"], row["n"])
            for row in table.iter_rows(named=True)
        }
        map_ = mpl.colormaps["viridis"]

        def panel(axes: Axes, rows: Sequence[str], question: Asked) -> None:
            means = [
                [cells.get((question.name, run, level), (None, None))[0] for level in levels]
                for run in rows
            ]
            axes.pcolormesh(
                [place - 0.5 for place in range(len(levels) + 1)],
                [place - 0.5 for place in range(len(rows) + 1)],
                [[float("nan") if mean is None else mean for mean in row] for row in means],
                cmap=map_, vmin=question.minimum, vmax=question.maximum, edgecolors="white",
                linewidth=1,
            )  # fmt: skip
            middle = question.minimum + 0.6 * (question.maximum - question.minimum)
            for down, run in enumerate(rows):
                for across, level in enumerate(levels):
                    mean, n = cells.get((question.name, run, level), (None, None))
                    if mean is None:
                        _empty(axes, across, down, "" if n is None else "n=0")
                        continue
                    ink = "white" if mean < middle else "black"
                    _inside(axes, across, down - 0.1, _rounded(mean), color=ink, fontsize=9)
                    _inside(axes, across, down + 0.28, f"n={n:,}", color=ink, fontsize=6.5)
            axes.set_xlim(-0.5, len(levels) - 0.5)
            axes.set_xticks(range(len(levels)), [_wrapped(level, 12, 3) for level in levels],
                            fontsize=8)  # fmt: skip
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.figure.colorbar(
                mpl.cm.ScalarMappable(mpl.colors.Normalize(question.minimum, question.maximum), map_),
                ax=axes, shrink=0.9, aspect=24, pad=0.02, ticks=_ticks(question),
            ).ax.tick_params(labelsize=7)  # fmt: skip

        yield from self._panels(
            What(f"{factor}_model", f"t.{factor}_model", "k.heat"), self._runs, panel, "",
            row_height=0.46, panel_width=max(2.6, 0.85 * len(levels) + 0.6), across=2, gap=1.1,
        )  # fmt: skip

    def correlation(self, table: pl.DataFrame) -> Iterator[Drawn]:
        """Draw the matrix of correlations of each run."""
        names = [q.name for q in self._data.questions]
        map_ = mpl.colormaps["PuOr"]
        runs = [run for run in self._runs if table.filter(pl.col("run") == run).height]
        parts = [runs[first : first + 6] for first in range(0, len(runs), 6)]
        for part, shown in enumerate(parts, 1):
            across = min(3, len(shown))
            down = -(-len(shown) // across)
            side = 1.1 + 0.62 * len(names)

            def draw(figure: Figure, shown: Sequence[str] = shown, across: int = across,
                     down: int = down) -> None:  # fmt: skip
                grid = figure.subplots(down, across, squeeze=False).flatten()
                for axes in grid[len(shown) :]:
                    axes.set_axis_off()
                for axes, run in zip(grid, shown, strict=False):
                    self._matrix(axes, table.filter(pl.col("run") == run), names, map_)
                    axes.set_title(_wrapped(run, 30, 2), fontsize=9)
                figure.colorbar(
                    mpl.cm.ScalarMappable(mpl.colors.Normalize(-1, 1), map_), ax=list(grid),
                    shrink=0.7, aspect=30, label=self._words("x.r_n"), ticks=[-1, -0.5, 0, 0.5, 1],
                )  # fmt: skip

            yield self._drawn(
                What("correlation", "t.correlation", "k.correlation"),
                (max(6.5, side * across + 1.2), (side + 0.1) * down + 0.5), (part, len(parts)), draw,
            )  # fmt: skip

    def temperature(
        self, cells: pl.DataFrame, pooled: pl.DataFrame, *, confounded: bool
    ) -> Iterator[Drawn]:
        """Draw the sd within cells against the temperature, and say if it stands for others."""
        several = [run for run in self._runs if pooled.filter(pl.col("run") == run).height]
        looks = {run: _look(place) for place, run in enumerate(several)}
        many = len(several) > len(COLOURS)
        most = max((sd for sd in cells["sd"] if sd is not None), default=0)
        known = [t for t in cells["temperature"].unique() if t is not None]

        def panel(axes: Axes, _: Sequence[str], question: Asked) -> None:
            dots = cells.filter(
                pl.col("question") == question.name,
                pl.col("sd").is_not_null() & pl.col("temperature").is_not_null(),
            )
            axes.scatter(dots["temperature"].to_list(), dots["sd"].to_list(), s=12,
                         color="#BBBBBB", linewidth=0)  # fmt: skip
            for run, (colour, marker) in looks.items():
                line = pooled.filter(
                    pl.col("question") == question.name,
                    pl.col("run") == run,
                    pl.col("within_sd").is_not_null() & pl.col("temperature").is_not_null(),
                )
                axes.plot(
                    line["temperature"].to_list(), line["within_sd"].to_list(), linestyle="none",
                    marker="o" if many else marker, markersize=4.5,
                    markeredgecolor="#333333",
                    markeredgewidth=0.4,
                    color=COLOURS[0] if many else colour, alpha=0.6 if many else 0.9,
                )  # fmt: skip
            axes.text(0.02, 0.97, f"n={dots['n'].sum():,}", transform=axes.transAxes, va="top",
                      fontsize=7.5, color=GREY)  # fmt: skip
            axes.set_ylim(0, _ceiling(most))
            low, high = min(known, default=0), max(known, default=1)
            axes.set_xlim(low - 0.08, high + 0.08)
            axes.grid(visible=True)
            axes.set_ylabel(self._words("x.sd"))

        legend = [(*look, run) for run, look in looks.items()] if not many else []
        yield from self._panels(
            What("temperature", "t.temperature", "k.temperature"), [""], panel,
            self._words("x.confounded" if confounded else "x.temperature"), row_height=2.2, panel_width=4.0, rows_named=False,
            markers=legend,
        )  # fmt: skip

    def usage(self, table: pl.DataFrame) -> Iterator[Drawn]:
        """Draw tokens per answer, and the cost."""
        words = self._words
        rows_by_run = {row["run"]: row for row in table.iter_rows(named=True)}
        means = {
            name: {
                run: None if row[name] is None or not row["answers"] else row[name] / row["answers"]
                for run, row in rows_by_run.items()
            }
            for name in ("input_tokens", "output_tokens")
        }
        costs = {run: row["cost_usd"] for run, row in rows_by_run.items()}
        most = max((m for row in means.values() for m in row.values() if m is not None), default=0)
        dearest = max((c for c in costs.values() if c is not None), default=0)

        def draw(rows: Sequence[str], figure: Figure) -> None:
            left, right = figure.subplots(1, 2, sharey=True)
            for place, run in enumerate(rows):
                for shift, name, colour in (
                    (-0.18, "input_tokens", COLOURS[0]),
                    (0.18, "output_tokens", COLOURS[1]),
                ):
                    number = means[name].get(run)
                    text = words("unknown") if number is None else f"{number:,.0f}"
                    _bar(left, place + shift, number, text, color=colour, height=0.32)
                cost = costs.get(run)
                text = words("unknown") if cost is None else f"{cost:,.4f}"
                _bar(right, place, cost, text, color=COLOURS[2], height=0.55)
            left.set_xlim(0, _ceiling(most * 1.18))
            right.set_xlim(0, _ceiling(dearest * 1.25))
            left.set_xlabel(words("x.tokens"))
            right.set_xlabel(words("x.cost"))
            _rows(left, rows)
            right.tick_params(labelleft=False)
            named = [(COLOURS[0], "", words("x.input")), (COLOURS[1], "", words("x.output"))]
            _legend(figure, named)

        yield from self._paged(What("usage", "t.usage", "k.usage"), self._runs, draw, 0.5, 1.3)

    def _level(self, levels: tuple[Any, ...]) -> str:
        """Return the label of a row: a factor's level, and the experiment if there are several."""
        first, *rest = (self._words("x.not_sent") if x is None else str(x) for x in levels)
        return f"{first} – {rest[0]}" if rest and rest[0] else first

    @staticmethod
    def _forest(
        axes: Axes,
        rows: Sequence[str],
        table: pl.DataFrame,
        columns: tuple[str, str | None, str | None],
    ) -> None:
        """Draw a dot, and a line for its interval, in each row."""
        middle, low, high = columns
        shown = [
            (rows.index(row["_row"]), row)
            for row in table.iter_rows(named=True)
            if row["_row"] in rows
        ]
        for place, row in shown:
            _aside(axes, place, f"n={row['n']:,}")
        dots = [(place, row) for place, row in shown if row[middle] is not None]
        if low and high:
            lines = [(place, row[low], row[high]) for place, row in dots if row[low] is not None]
            if lines:
                axes.hlines(*zip(*lines, strict=True), color=COLOURS[0], linewidth=1.8, alpha=0.55,
                            clip_on=False)  # fmt: skip
        if dots:  # nothing, drawn unclipped, would have no end
            xs, ys = [row[middle] for _, row in dots], [place for place, _ in dots]
            axes.plot(xs, ys, "o", color=COLOURS[0], markersize=4.5, clip_on=False)
        axes.grid(visible=True, axis="x")

    @staticmethod
    def _matrix(axes: Axes, table: pl.DataFrame, names: Sequence[str], map_: Any) -> None:
        for row in table.iter_rows(named=True):
            one, two = names.index(row["question"]), names.index(row["other"])
            across, down = min(one, two), max(one, two)
            r = row["pearson"]
            if r is None:
                _empty(axes, across, down, f"n={row['n']:,}")
                continue
            axes.add_patch(_field(across, down, facecolor=map_((r + 1) / 2), edgecolor="white"))
            ink = "white" if abs(r) > 0.65 else "black"
            _inside(axes, across, down - 0.08, f"{round(r, 2) + 0:.2f}", color=ink, fontsize=8.5)
            _inside(axes, across, down + 0.3, f"n={row['n']:,}", color=ink, fontsize=6)
        last = len(names) - 1
        axes.set_xlim(-0.5, last - 0.5)
        axes.set_ylim(last + 0.5, 0.5)
        axes.set_xticks(range(last), [_wrapped(name, 10, 2) for name in names[:-1]], fontsize=7.5)
        axes.set_yticks(range(1, last + 1), [_wrapped(n, 12, 2) for n in names[1:]], fontsize=7.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal")

    def _paged(
        self,
        what: What,
        rows: Sequence[str],
        draw: Callable[[Sequence[str], Figure], None],
        row_height: float,
        rest: float,
    ) -> Iterator[Drawn]:
        """Draw one figure, or several when there are many rows."""
        parts = list(_chunks(rows, ROWS_A_FIGURE))
        for part, shown in enumerate(parts, 1):
            size = (8.6, rest + row_height * len(shown))
            yield self._drawn(what, size, (part, len(parts)),
                partial(draw, shown),
            )  # fmt: skip

    def _panels(
        self,
        what: What,
        rows: Sequence[str],
        panel: Callable[[Axes, Sequence[str], Asked], None],
        label: str,
        *,
        row_height: float = 0.3,
        panel_width: float = 3.4,
        across: int = 2,
        gap: float = 0.75,
        rows_named: bool = True,
        legend: Sequence[tuple[str, str, str]] = (),
        markers: Sequence[tuple[str, str, str]] = (),
    ) -> Iterator[Drawn]:
        """Draw a panel for each question, all with the same rows."""
        questions = self._data.questions
        parts = [
            (shown, asked)
            for shown in _chunks(rows, ROWS_A_FIGURE)
            for asked in _chunks(questions, QUESTIONS_A_FIGURE)
        ]
        for part, (shown, asked) in enumerate(parts, 1):
            columns = min(across, len(asked))
            down = -(-len(asked) // columns)
            names = 1.9 if rows_named else 0.3
            width = max(6.0, names + columns * panel_width)
            named = [name for *_, name in (*legend, *markers)]
            height = 0.55 + down * (max(0.6, row_height * len(shown)) + gap)
            size = (width, height + 0.24 * -(-len(named) // _legend_columns(named, width)))

            def draw(
                figure: Figure,
                shown: Sequence[str] = shown,
                asked: Sequence[Asked] = asked,
                shape: tuple[int, int] = (down, columns),
            ) -> None:
                grid = figure.subplots(*shape, squeeze=False, sharey=True).flatten()
                for axes in grid[len(asked) :]:
                    axes.set_axis_off()
                for place, (axes, question) in enumerate(zip(grid, asked, strict=False)):
                    panel(axes, shown, question)
                    axes.set_title(_short(question.name, 30))
                    if rows_named:
                        _rows(axes, shown)
                        axes.tick_params(labelleft=place % shape[1] == 0)
                    if label:
                        axes.set_xlabel(label)
                _legend(figure, legend)
                _legend(figure, markers, markers=True)

            yield self._drawn(what, size, (part, len(parts)), draw)

    def _drawn(
        self,
        what: What,
        size: tuple[float, float],
        page: tuple[int, int],
        draw: Callable[[Figure], None],
    ) -> Drawn:
        words = self._words
        part, parts = page
        shown = words(what.title)
        if parts > 1:
            shown += f" ({words('x.part', part=part, parts=parts)})"
        mark = f"{words('rehearsal_short')} – " if self._data.rehearsal else ""
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
            figure.suptitle(mark + shown, fontsize=11, color=ALARM if mark else "black")
            draw(figure)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # found once, for both files
            png, svg = io.BytesIO(), io.BytesIO()
            figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
            figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        return Drawn(
            name=what.name if parts == 1 else f"{what.name}_{part}",
            title=mark + shown,
            caption=words(what.caption),
            png=png.getvalue(),
            svg=svg.getvalue(),
        )


def _width(text: str) -> int:
    """Return how wide a text is, in half-width characters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _short(text: str, width: int) -> str:
    """Return a text cut to a width, with … where it was cut."""
    text = drawable(text)
    if _width(text) <= width:
        return text
    while text and _width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, width: int, most: int) -> str:
    """Return a text on several lines, broken at brackets, spaces and hyphens."""
    rest = drawable(text)
    lines: list[str] = []
    if " " not in rest:  # as Japanese: lines of about the same length
        width = min(width, -(-_width(rest) // -(-_width(rest) // width)) + 1) if rest else width
    while rest and len(lines) < most:
        if _width(rest) <= width:
            lines.append(rest)
            return "\n".join(lines)
        if len(lines) == most - 1:
            break
        cut = 1
        while cut < len(rest) and _width(rest[: cut + 1]) <= width:
            cut += 1
        bracket = rest[: cut + 1].rfind("(")
        gap = max(rest[:cut].rfind(" "), rest[:cut].rfind("-"))
        if bracket > 0:
            cut = bracket
        elif gap > 0:
            cut = gap + 1
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return "\n".join([*lines, _short(rest, width)])


def _rows(axes: Axes, rows: Sequence[str]) -> None:
    axes.set_yticks(range(len(rows)), [_wrapped(row, 28, 2) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _aside(axes: Axes, place: float, text: str) -> None:
    """Write a small note at the right end of a row."""
    axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7,
              color=GREY)  # fmt: skip


def _bar(axes: Axes, place: float, number: float | None, text: str, **look: Any) -> None:
    """Draw a bar with its number; what is not known has no bar."""
    if number is not None:
        axes.barh(place, number, linewidth=0, **look)
    ink = ALARM if number is None else GREY
    axes.text(number or 0, place, f" {text}", va="center", fontsize=7.5, color=ink)


def _inside(axes: Axes, across: float, down: float, text: str, **look: Any) -> None:
    """Write into a field; it takes no room of its own, which spares most of the layout's work."""
    axes.text(across, down, text, ha="center", va="center", in_layout=False, **look)


def _empty(axes: Axes, across: float, down: float, note: str) -> None:
    """Hatch a field that has no number."""
    axes.add_patch(_field(across, down, facecolor="white", edgecolor="#CCCCCC", hatch="////"))
    if note:
        _inside(axes, across, down, note, fontsize=7, color=GREY,
                bbox={"facecolor": "white", "linewidth": 0, "pad": 1})  # fmt: skip


def _field(across: float, down: float, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((across - 0.5, down - 0.5), 1, 1, in_layout=False, **look)


def _legend(
    figure: Figure, entries: Sequence[tuple[str, str, str]], *, markers: bool = False
) -> None:
    """Draw a legend below the axes: colour, hatch or marker, and name of each entry."""
    if not entries:
        return
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=look,
            linestyle="none",
            markeredgecolor="#333333",
            markeredgewidth=0.4,
            label=_short(name, 64),
        )
        if markers
        else Patch(facecolor=colour, hatch=look, edgecolor="white", label=_short(name, 64))
        for colour, look, name in entries
    ]
    columns = _legend_columns([name for *_, name in entries], figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many of some names stand side by side in a figure of a width in inches."""
    widest = max((_width(_short(name, 64)) for name in names), default=0)
    return max(1, min(len(names), int(width / (0.07 * widest + 0.7))))


def _look(place: int) -> tuple[str, str]:
    return COLOURS[place % len(COLOURS)], "osD^vPX*"[place % 8]


def _ticks(question: Asked) -> list[float]:
    low, high = question.minimum, question.maximum
    return [low + (high - low) * quarter / 4 for quarter in range(5)]


def _rounded(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 10 else f"{number:.1f}"


def _ceiling(number: float) -> float:
    """Return a round number that is not below, to end an axis at."""
    if number <= 0:
        return 1.0
    unit = 10.0 ** (len(str(int(number))) - 1) if number >= 1 else 0.1
    while unit > number:
        unit /= 10
    return next(
        step * unit for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= number
    )


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of about equal size."""
    parts = max(1, -(-len(items) // size))
    each = -(-len(items) // parts)
    for first in range(0, max(len(items), 1), max(each, 1)):
        yield items[first : first + each]
