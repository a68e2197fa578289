"""Where the variance of the values lies: in each factor, in every two together, and in the trials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import prod

import numpy as np
import polars as pl
from scipy import special

from runner.core.intervals import UPPER
from runner.report.intervals import NOTHING, Numbers
from runner.report.reml import MOST_LEVELS, Cells, Codes, anova, reml

RESIDUAL = "(residual)"
TIMES = " × "
"""Between the two factors of an interaction."""
POINTS = 4_096
"""Of the joint distribution that an interval is taken from."""
MOST_GAPS = 0.1
"""The share of the cells without a value above which there is no interval."""
MOST_ROUNDS = 1_000
SURE = 0.01
"""The p below which cells differ by more than the factors, and every two of them, can explain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """How the variance of one question divides, or why it does not."""

    question: str
    block: str
    n: int
    """Values."""
    said: tuple[str, ...]
    """What has to be said of it, as codes."""
    left_out: tuple[str, ...] = ()
    """Factors that cannot be told from others."""
    rows: pl.DataFrame | None = None
    """component, levels, percent, low, high, reml, anova, method, boundary; None: nothing to divide."""


def divided(readings: pl.DataFrame, factors: Sequence[str]) -> Iterator[Divided]:
    """Yield how the variance of every question divides, by experiment; what is missing is left out.

    Args:
        readings: one row per request and question.
        factors: beside the run and the temperature. The temperature is a factor where a run was
            asked at several in the same levels of all others.
    """
    for question in readings["question"].unique(maintain_order=True):
        asked = readings.filter(pl.col("question") == question)
        for (block,), rows in asked.group_by("block", maintain_order=True):
            known = rows.filter(pl.col("value").is_not_null())
            yield _divided(question, str(block), known, ["run", *factors])


def _divided(question: str, block: str, known: pl.DataFrame, factors: list[str]) -> Divided:
    def nothing(why: str) -> Divided:
        return Divided(question=question, block=block, n=known.height, said=(why,))

    if not known.height:
        return nothing("no_value")
    if known["value"].n_unique() == 1:
        return nothing("constant")
    many = pl.col("temperature").n_unique() > 1
    apart = known.group_by(factors).agg(many)["temperature"].any()
    varied = [name for name in factors if known[name].n_unique() > 1]
    varied += ["temperature"] if apart else []
    if not varied:
        return nothing("no_factor")
    design = _design(known, varied)
    if design is None:
        return nothing("no_repeat")
    said = [] if apart or known["temperature"].n_unique() == 1 else ["temperature"]
    rows, more = _rows(design)
    if rows is None:
        return nothing("not_apart")
    return Divided(
        question=question,
        block=block,
        n=known.height,
        said=(*said, *more),
        left_out=tuple(name for name in varied if (name,) not in design.sources),
        rows=rows,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Design:
    """The cells of one question, and what can be told apart in them."""

    sources: tuple[tuple[str, ...], ...]
    """The factors, then every two of them, a term each."""
    cells: Cells

    def mains(self) -> "_Design":
        """Return the same without interactions."""
        some = [place for place, source in enumerate(self.sources) if len(source) == 1]
        return _Design(
            sources=tuple(self.sources[place] for place in some),
            cells=Cells(
                n=self.cells.n,
                mean=self.cells.mean,
                within=self.cells.within,
                terms=tuple(self.cells.terms[place] for place in some),
            ),
        )


def _design(known: pl.DataFrame, varied: Sequence[str]) -> _Design | None:
    """Return the cells and the terms that group them otherwise than others do; None: there are none."""
    value = pl.col("value")
    cells = (
        known.group_by(varied)
        .agg(n=pl.len().cast(pl.Float64), mean=value.mean(), squares=value.var(ddof=0) * pl.len())
        .sort(varied, nulls_last=True)
    )
    codes: dict[tuple[str, ...], Codes] = {}
    for name in varied:
        codes[name,] = _codes(cells[name].rank("dense").fill_null(0).to_numpy())
    for one, two in combinations(varied, 2):
        a, b = codes[one,], codes[two,]
        codes[one, two] = _codes(a * (b.max() + 1) + b)
    kept: dict[tuple[str, ...], Codes] = {}
    single = bool((cells["n"] == 1).all())
    for source, term in codes.items():
        is_residual = single and term.max() + 1 == cells.height
        if not is_residual and not any(_same(term, other) for other in kept.values()):
            kept[source] = term
    if not kept:
        return None
    return _Design(
        sources=tuple(kept),
        cells=Cells(
            n=cells["n"].to_numpy(),
            mean=cells["mean"].to_numpy(),
            within=float(cells["squares"].sum()),
            terms=tuple(kept.values()),
        ),
    )


def _codes(levels: Codes) -> Codes:
    return np.unique(levels, return_inverse=True)[1].astype(np.int64)


def _same(one: Codes, two: Codes) -> bool:
    """Tell whether two terms group the cells alike."""
    size = int(one.max()) + 1
    return size == two.max() + 1 and len(np.unique(one * size + two)) == size


def _rows(design: _Design) -> tuple[pl.DataFrame | None, list[str]]:
    """Return the components with their shares, and what has to be said of them."""
    said = []
    by_anova = anova(design.cells)
    if by_anova is None and len(design.sources) > 1:
        design, said = design.mains(), ["no_pairs"]
        by_anova = anova(design.cells)
    if by_anova is None or not (by_anova > 0).any():
        return None, []
    by_reml = reml(design.cells, by_anova)
    by_anova = np.maximum(by_anova, 0.0)
    if by_reml is not None and by_reml.all():
        method, shown = "reml", by_reml
    else:
        method, shown = "anova", by_anova
        said.append(_why_not(design, by_anova, by_reml))
    share = shown / shown.sum()
    low, high, more = _intervals(design, share)
    frame = pl.DataFrame(
        {
            "component": [TIMES.join(source) for source in design.sources] + [RESIDUAL],
            "levels": pl.Series([*design.cells.levels, None], dtype=pl.Int64),
            "percent": 100 * share,
            "low": low,
            "high": high,
            "reml": pl.Series(
                [None] * len(share) if by_reml is None else by_reml, dtype=pl.Float64
            ),
            "anova": by_anova,
            "method": [method] * len(share),
            "boundary": pl.Series(_boundary(shown, by_reml), dtype=pl.String),
        }
    )
    return frame, said + more


def _boundary(shown: Numbers, by_reml: Numbers | None) -> list[str | None]:
    """Say which components are exactly 0."""
    found: list[str | None] = ["at_0" if one == 0 else None for one in shown]
    if by_reml is None:
        return found
    return [
        "reml_at_0" if one is None and other == 0 else one
        for one, other in zip(found, by_reml, strict=True)
    ]


def _why_not(design: _Design, by_anova: Numbers, by_reml: Numbers | None) -> str:
    """Say why the shares are not those of the fit."""
    if by_reml is not None:
        return "singular"
    if by_anova[-1] <= NOTHING * by_anova.max():
        return "no_residual"
    return "many_terms" if sum(design.cells.levels) > MOST_LEVELS else "no_fit"


def _intervals(design: _Design, share: Numbers) -> tuple[pl.Series, pl.Series, list[str]]:
    """Return the ends of the shares' intervals in per cent, and what has to be said."""
    none = pl.Series([None] * len(share), dtype=pl.Float64)
    if share[-1] <= NOTHING:  # nothing to set the others beside
        return none, none, []
    squares = _squares(design)
    if squares is None:
        return none, none, ["incomplete"]
    if not squares.means[:-1].any():
        return none, none, []
    low, high = squares.intervals()
    known = squares.means > NOTHING * squares.means.max()  # of a mean square of 0 nothing is known
    held = (low - NOTHING <= share) & (share <= high + NOTHING)
    ends = [
        pl.Series(100 * np.where(known & held, end, np.nan)).fill_nan(None) for end in (low, high)
    ]
    said = ["more"] if squares.p_more < SURE else []
    return ends[0], ends[1], said if held[known].all() else [*said, "not_held"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Squares:
    """The mean squares of the cells' means, each cell counted alike, as multiples of the residual's.

    Cells of unequal size count with the harmonic mean of the sizes: J. D. Thomas and R. A. Hultquist
    (1978), Interval estimation for the unbalanced case of the one-way random effects model, Annals
    of Statistics 6, 582-587.
    """

    means: Numbers
    """Of each term, and last the residual's."""
    freedom: tuple[int, ...]
    shares_of: Numbers
    """What each mean square adds to each component: a row a component."""
    p_more: float
    """Of a test for interactions of three factors or more; 1 where there is none."""

    def intervals(self) -> tuple[Numbers, Numbers]:
        """Return the ends of the shares' 95 % intervals.

        Generalized confidence intervals: S. Weerahandi (1993), Generalized confidence intervals,
        Journal of the American Statistical Association 88, 899-905; of the residual the wider of it
        and of the modified large-sample one: R. K. Burdick, C. M. Borror and D. C. Montgomery (2005),
        Design and analysis of gauge R&R studies. The points of the distribution are a lattice, the
        same each time.
        """
        drawn = (self.means * _over_chi_square(self.freedom)) @ self.shares_of.T
        shares = np.maximum(drawn, 0) / drawn.sum(axis=1, keepdims=True)
        low, high = np.quantile(np.minimum(shares, 1), [1 - UPPER, UPPER], axis=0)
        ratios = self.shares_of.sum(axis=0) * self.means / self.means[-1]
        own, error = np.array(self.freedom[:-1]), self.freedom[-1]
        below = (1 - 1 / special.fdtri(own, error, UPPER)) * ratios[:-1]
        above = (1 / special.fdtri(own, error, 1 - UPPER) - 1) * ratios[:-1]
        least = ratios.sum() - np.sqrt(below @ below)
        most = ratios.sum() + np.sqrt(above @ above)
        low[-1], high[-1] = min(low[-1], 1 / most), max(high[-1], 1 / max(least, 1.0))
        return low, high


@cache
def _over_chi_square(freedom: tuple[int, ...]) -> Numbers:
    """Return points of the distribution of df / chi-square, independent of one another: a row a point.

    They are an additive lattice: no dice, and more even than chance.
    """
    own = np.array(freedom, dtype=float)
    step = 2.0
    for _ in range(64):
        step = (1 + step) ** (1 / (len(own) + 1))
    steps = step ** -np.arange(1.0, len(own) + 1)
    places = (0.5 + np.outer(np.arange(1, POINTS + 1), steps)) % 1
    found: Numbers = own / special.chdtri(own, places)
    return found


def _squares(design: _Design) -> _Squares | None:
    """Return the mean squares; None: too many combinations of levels have no value.

    Where few have none, as of one trial a cell, what the terms would give stands for them, and the
    residual has so many degrees of freedom less: F. Yates (1933), The analysis of replicated
    experiments when the field results are incomplete, Empire Journal of Experimental Agriculture 1,
    129-142.
    """
    mains = [source[0] for source in design.sources if len(source) == 1]
    size = dict(zip(mains, design.cells.levels, strict=False))
    n = design.cells.n
    count = prod(size.values())
    whole = [prod(size.get(name, 0) for name in source) for source in design.sources]
    if count - len(n) > MOST_GAPS * count or whole != design.cells.levels:
        return None
    parts, rest = _parts(design, mains, tuple(size.values()))
    each = len(n) / (1 / n).sum()
    freedom = [prod(size[name] - 1 for name in source) for source in design.sources]
    sums = [
        each * float((part**2).sum()) * rest.size / part.size
        for part in (parts[source] for source in design.sources)
    ]
    left, rest_freedom = each * float((rest**2).sum()), len(n) - 1 - sum(freedom)
    within, within_freedom = design.cells.within, int(n.sum()) - len(n)
    residual = left + within
    if rest_freedom < 0 or not rest_freedom + within_freedom or not residual:
        return None
    is_tested = rest_freedom and within_freedom and within > NOTHING * residual
    ratio = left / rest_freedom / (within / within_freedom) if is_tested else 0.0
    all_freedom = (*freedom, rest_freedom + within_freedom)
    return _Squares(
        means=np.array([*sums, residual]) / all_freedom,
        freedom=all_freedom,
        shares_of=_coefficients(design.sources, size, each),
        p_more=float(special.fdtrc(rest_freedom, within_freedom, ratio)) if is_tested else 1.0,
    )


def _parts(
    design: _Design, mains: Sequence[str], shape: tuple[int, ...]
) -> tuple[dict[tuple[str, ...], Numbers], Numbers]:
    """Return what each term adds to the cells' means, and what is left of them."""
    table = np.full(shape, np.nan)
    table[design.cells.terms[: len(mains)]] = design.cells.mean - design.cells.mean.mean()
    gaps = np.isnan(table)
    table[gaps] = 0.0
    least = NOTHING * float(np.abs(table).max())
    for _ in range(MOST_ROUNDS):
        centred = table - table.mean()
        found: dict[tuple[str, ...], Numbers] = {}
        rest = centred
        for source in design.sources:
            others = tuple(axis for axis, name in enumerate(mains) if name not in source)
            part = centred.mean(axis=others, keepdims=True)
            for name in source if len(source) > 1 else ():
                part = part - found[name,]
            found[source] = part
            rest = rest - part
        table[gaps] -= rest[gaps]
        if not gaps.any() or np.abs(rest[gaps]).max() <= least:
            break
    return found, rest


def _coefficients(sources: Sequence[tuple[str, ...]], size: dict[str, int], each: float) -> Numbers:
    """Return how the components follow from the mean squares, of cells of one size, all there."""
    found = np.zeros((len(sources) + 1, len(sources) + 1))
    found[-1, -1] = 1
    for row, source in enumerate(sources):
        found[row, [row, -1]] = 1, -1
        for column, other in enumerate(sources):
            if len(source) == 1 and len(other) == 2 and source[0] in other:
                found[row, column] -= 1
                found[row, -1] += 1
        found[row] /= each * prod(of for name, of in size.items() if name not in source)
    return found
