"""How many trials are enough: what the data's own variance says of the interval with more of them."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy import special

from runner.core.intervals import UPPER, mean_half_width
from runner.report.intervals import Numbers

TRIALS = (1, 2, 5, 10, 20, 50)
SHARES = {"needed_5": 0.05, "needed_2_5": 0.025}
"""Half-widths of a condition's own mean, as shares of the scale."""
MOST = 1_000


def half_widths(cells: Numbers, between: Numbers, within: Numbers, trials: float) -> Numbers:
    """Return the half-width of the 95 % t interval of a mean over cells, of so many trials each.

    Args:
        cells: how many.
        between: the variance between them, without that of their trials.
        within: the variance of the trials within a cell.
        trials: of each cell; infinity leaves what the cells alone make.
    """
    found: Numbers = special.stdtrit(cells - 1, UPPER) * np.sqrt(
        (between + within / trials) / cells
    )
    return found


def precision(agreement: pl.DataFrame, limits: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """Return, by run and question, how the half-width of its mean falls with the trials a cell.

    `half_1` to `half_50` are for so many trials, `half_all` is what no number of trials gets below.
    `needed_5` and `needed_2_5` say how many trials a condition needs until its own mean is known to
    5 or 2.5 % of the scale, as a stopping rule asks; null: more than 1,000. Runs and questions whose
    variance within or between cells is not known are left out.

    Args:
        agreement: cells, n, within_sd and icc by run and question.
        limits: the ends of each question's scale.
    """
    known = agreement.filter(
        pl.col("icc").is_not_null(), pl.col("icc") < 1, pl.col("within_sd") > 0
    )
    cells, sd, icc = (
        known[name].to_numpy().astype(float) for name in ("cells", "within_sd", "icc")
    )
    within = sd**2
    between = within * np.maximum(icc, 0) / (1 - icc)
    halves = {f"half_{n}": half_widths(cells, between, within, n) for n in TRIALS}
    halves["half_all"] = half_widths(cells, between, within, np.inf)
    scale = [limits[name][1] - limits[name][0] for name in known["question"]]
    needed = {
        name: [_needed(one, share * width) for one, width in zip(sd, scale, strict=True)]
        for name, share in SHARES.items()
    }
    return known.select(
        "run", "question", "cells", trials=pl.col("n") / pl.col("cells")
    ).with_columns(
        within_sd=known["within_sd"],
        between_sd=pl.Series(np.sqrt(between)),
        **{name: pl.Series(column) for name, column in halves.items()},
        **{name: pl.Series(column, dtype=pl.Int64) for name, column in needed.items()},
    )


def _needed(sd: float, half_width: float) -> int | None:
    """Return the fewest trials whose t interval is so narrow."""
    return next((n for n in range(2, MOST + 1) if mean_half_width(sd, n) <= half_width), None)
