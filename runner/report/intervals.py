"""95 % intervals: computed, not drawn, so that the same values always have the same interval.

How often each holds the truth in simulated studies is measured by tests/report/test_coverage.py.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from runner.core import intervals
from runner.core.intervals import UPPER, Z

Numbers = npt.NDArray[np.float64]

NOTHING = 1e-9
"""A variance that is this small beside another one is 0, but for rounding."""
MANY_CELLS = 100
"""Cells from which the jackknife takes the place of F for ICC(1)."""
LEAST_CELLS = 3
"""Cells below which the interval of a correlation is not defined."""


def wilson(share: pl.Expr, n: pl.Expr, quantile: pl.Expr | float = Z) -> tuple[pl.Expr, pl.Expr]:
    """Return the ends of Wilson's 95 % score interval of a share, between 0 and 1.

    For answers that come in cells, n
    is their effective number and the quantile that of t: N. Dean and M. Pagano (2015), Evaluating
    confidence interval methods for binomial proportions in clustered surveys, Journal of Survey
    Statistics and Methodology 3, 484-503.

    Args:
        share: of the answers, between 0 and 1.
        n: how many independent answers say as much, above 0.
        quantile: how many standard errors an end is away.
    """
    centre, half = intervals.wilson(share, n, quantile)
    return (centre - half).clip(0, 1), (centre + half).clip(0, 1)


def exact(count: int, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share, count of n, between 0 and 1.

    C. J. Clopper and E. S. Pearson (1934), The use of confidence or fiducial limits illustrated in
    the case of the binomial, Biometrika 26, 404-413.
    """
    low = special.betaincinv(count, n - count + 1, 1 - UPPER) if count else 0.0
    high = special.betaincinv(count + 1, n - count, UPPER) if count < n else 1.0
    return float(low), float(high)


def of_strata(
    strata: Sequence[tuple[int, int, int]],
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return the share in all strata, each weighted by its size, and its 95 % interval.

    From the exact interval of each stratum, as G. Y. Zou and A. Donner (2008), Construction of
    confidence limits about effect measures: a general approach, Statistics in Medicine 27,
    1693-1702, combine them: also where nothing was counted it has a width. A stratum that was
    looked at in whole has no interval.

    Args:
        strata: of each its size, how many of it were drawn (above 0), and how many of these count.
    """
    total = sum(size for size, _, _ in strata)
    if not total:
        return None, None, None
    share = below = above = 0.0
    for size, n, count in strata:
        weight, own = size / total, count / n
        low, high = exact(count, n) if n < size else (own, own)
        share += weight * own
        below += (weight * (own - low)) ** 2
        above += (weight * (high - own)) ** 2
    return share, max(0.0, share - below**0.5), min(1.0, share + above**0.5)


def t_quantile(freedom: pl.Expr) -> pl.Expr:
    """Return the 97.5 % quantile of Student's t; the degrees of freedom need not be whole."""
    return freedom.map_batches(
        lambda column: pl.Series(special.stdtrit(column.cast(pl.Float64).to_numpy(), UPPER)),
        return_dtype=pl.Float64,
    )


def lift(n: pl.Expr) -> pl.Expr:
    """Return 1 / (1 - n / N) for cells of n values of N: what makes up for the mean's own share.

    CR2 of R. M. Bell and D. F. McCaffrey (2002), Bias reduction in standard errors for linear
    regression with multi-stage samples, Survey Methodology 28, 169-181.

    Args:
        n: values of each cell of a group; of an only cell there is no such number (infinity).
    """
    return 1 / (1 - n / n.sum())


def freedom(n: pl.Expr) -> pl.Expr:
    """Return the degrees of freedom of the variance between cells, after Bell and McCaffrey.

    Of k cells of one size they are k - 1; of cells of unequal size, fewer.

    Args:
        n: values of each cell of a group of several.
    """
    square = (n / n.sum()) ** 2
    lifted = square * lift(n)
    return 1 / (square.sum() + lifted.sum() ** 2 - (lifted**2).sum())


def of_means(table: pl.DataFrame, cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the 95 % interval of each group's mean: keys, cells, interval_units, low and high.

    Wilson's, of the mean's place on the question's scale. The variance is that between cells where
    a group has several, since answers to the same prompt resemble each other; of an only cell it is
    that between its values. Where all values are equal, nothing is known of how they vary: null.

    Args:
        table: keys, n, mean, sd, min and max of each group; _minimum and _maximum of its scale.
        cells: keys, and _sum and n of each cell that has a value.
        keys: what makes a group.
    """
    total, n = pl.col("_sum"), pl.col("n")
    of_cells = cells.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("cells"),
        _between=((total - n * total.sum() / n.sum()) ** 2 * lift(n)).sum() / n.sum() ** 2,
        _freedom=freedom(n),
    )
    several, known = pl.col("cells") > 1, (n > 1) & (pl.col("min") < pl.col("max"))
    singly = pl.col("sd") ** 2 / n
    differ = several & (pl.col("_between") > NOTHING * singly)
    width = pl.col("_maximum") - pl.col("_minimum")
    place = (pl.col("mean") - pl.col("_minimum")) / width
    variance = pl.when(differ).then("_between").otherwise(singly) / width**2
    low, high = wilson(pl.col("_place"), pl.col("_effective"), pl.col("_t"))
    known &= pl.col("_effective") > 0
    units = pl.when(several).then(pl.lit("cells")).otherwise(pl.lit("trials"))
    return (
        table.join(of_cells, on=keys, how="left", nulls_equal=True)
        .with_columns(
            _place=place,
            _effective=place * (1 - place) / variance,
            _t=t_quantile(pl.when(several).then("_freedom").otherwise(n - 1)),
        )
        .select(
            *(*keys, "cells"),
            pl.when(known).then(units).alias("interval_units"),
            pl.when(known).then(pl.col("_minimum") + low * width).alias("low"),
            pl.when(known).then(pl.col("_minimum") + high * width).alias("high"),
        )
    )


def of_icc(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the 95 % interval of ICC(1) by group: keys, icc_low and icc_high.

    Below a hundred cells that of F, else the jackknife's, which needs no normal values but many
    cells. Null where no trial differs from another of its cell, no cell's mean from another's, or
    none is repeated.

    Args:
        cells: keys, and n, mean and var (divided by n) of each cell.
        keys: what makes a group.
    """
    many = pl.len().over(keys) >= MANY_CELLS
    few, more = _icc_by_f(cells.filter(~many), keys), _icc_by_jackknife(cells.filter(many), keys)
    return pl.concat([few, more])


def _icc_by_f(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the F interval: exact for normal values in cells of one size.

    P. E. Shrout and J. L. Fleiss (1979), Intraclass correlations, Psychological Bulletin 86,
    420-428. Cells of unequal size count with the harmonic mean of the sizes and the variance of the
    cells' means: J. D. Thomas and R. A. Hultquist (1978), Interval estimation for the unbalanced
    case of the one-way random effects model, Annals of Statistics 6, 582-587.
    """
    n, mean = pl.col("n"), pl.col("mean")
    groups = cells.group_by(keys).agg(
        (pl.len().cast(pl.Float64) - 1).alias("between"),
        (n.sum() - pl.len()).cast(pl.Float64).alias("within"),
        (pl.len() / (1 / n).sum()).alias("size"),
        mean.var().fill_null(0).alias("of_means"),
        (n * pl.col("var")).sum().alias("squares"),
    )
    between, within, size, of_means, squares = (
        groups[name].to_numpy() for name in ("between", "within", "size", "of_means", "squares")
    )
    known = (between > 0) & (within > 0)
    known &= (squares > NOTHING * of_means) & (of_means > NOTHING * squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known, size * of_means * within / squares, np.nan)
        low = ratio / special.fdtri(between, within, UPPER)
        high = ratio * special.fdtri(within, between, UPPER)
    ends = groups.with_columns(low=pl.Series(low), high=pl.Series(high))
    return _as_icc(ends, keys, pl.col("size"))


def _icc_by_jackknife(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the interval from leaving out one cell after another, of the logarithm of F.

    J. N. Arvesen and T. H. Schmitz (1970), Robust procedures for variance component problems using
    the jackknife, Biometrics 26, 677-686.
    """
    n = pl.col("n")
    mean = pl.col("mean") - ((n * pl.col("mean")).sum() / n.sum()).over(keys)
    sums = (n, n * mean, n * mean**2, n * pl.col("var"))
    wholes = [part.sum().over(keys) for part in sums]
    count = pl.len().over(keys).cast(pl.Float64)
    without = [whole - part for whole, part in zip(wholes, sums, strict=True)]
    error = ((pl.len() - 1) * pl.col("_without").var(ddof=0)).sqrt()
    half = pl.when(pl.col("_without").is_finite().all()).then(error) * pl.col("_t").first()
    whole = pl.col("_whole").first()
    groups = (
        cells.with_columns(
            _whole=_log_f(count, *wholes),
            _without=_log_f(count - 1, *without),
            _t=t_quantile(count - 1),
        )
        .group_by(keys)
        .agg(
            (whole - half).exp().alias("low"),
            (whole + half).exp().alias("high"),
            ((n.sum() - (n**2).sum() / n.sum()) / (pl.len() - 1)).alias("size"),
        )
    )
    return _as_icc(groups, keys, pl.col("size"))


def _log_f(
    cells: pl.Expr, n: pl.Expr, total: pl.Expr, of_means: pl.Expr, within: pl.Expr
) -> pl.Expr:
    """Return log(MSB / MSW), which is not finite where one of them is 0.

    Args:
        cells: how many.
        n: values.
        total: sum of n times mean.
        of_means: sum of n times the squared mean.
        within: sum of squares within cells.
    """
    between = of_means - total**2 / n
    varies = (between > NOTHING * within) & (within > NOTHING * between)
    return (
        pl.when(varies)
        .then((between / (cells - 1) / (within / (n - cells))).log())
        .otherwise(float("nan"))
    )


def _as_icc(groups: pl.DataFrame, keys: Sequence[str], size: pl.Expr) -> pl.DataFrame:
    """Return the ICC(1) for the F of each end; null where that is not a number."""
    ends = [
        ((pl.col(name) - 1) / (pl.col(name) + size - 1)).fill_nan(None).alias(f"icc_{name}")
        for name in ("low", "high")
    ]
    return groups.select(*keys, *ends)


def of_correlation(
    sums: Numbers, correlation: Callable[[Numbers], Numbers]
) -> tuple[float, float] | tuple[None, None]:
    """Return the 95 % interval of a correlation of pairs that come in cells; none when undefined.

    Fisher's z, its standard error from leaving out one cell after another, and t with k - 2 degrees
    of freedom for k cells: the jackknife of D. E. Duncan and M. W. J. Layard (1973), A Monte-Carlo
    study of asymptotically robust tests for correlation coefficients, Biometrika 60, 551-558.

    Args:
        sums: a row of sums for each cell.
        correlation: what rows of such sums have for one, NaN where it is not defined.
    """
    count = len(sums)
    if count < LEAST_CELLS:
        return None, None
    whole = sums.sum(axis=0)
    found = correlation(np.vstack([whole, whole - sums]))
    if not np.all(np.abs(found) < 1 - NOTHING):
        return None, None
    z = np.arctanh(found)
    error = np.sqrt((count - 1) / count * ((z[1:] - z[1:].mean()) ** 2).sum())
    half = special.stdtrit(count - 2, UPPER) * error
    return float(np.tanh(z[0] - half)), float(np.tanh(z[0] + half))
