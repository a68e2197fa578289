"""Components of variance of crossed random effects, from the sums of each cell: REML, and ANOVA.

Both need no more of the answers than how many a cell has, their mean and their squares within it:
the same estimates as from the answers one by one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from runner.report.intervals import NOTHING, Numbers

Codes = npt.NDArray[np.int64]

MOST_LEVELS = 1_000
"""Levels of all terms together, above which there is no fit: it takes their cube in time."""
MOST_STEPS = 100
MOST_RATIO = 1e6
"""Of a variance to the residual one, above which too few digits of the likelihood are left."""
CONVERGED = 1e-10
"""Of twice the log likelihood: what a step that is the last one would still gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What is known of the values of each cell."""

    n: Numbers
    """Above 0."""
    mean: Numbers
    within: float
    """Sum of squares within all cells."""
    terms: tuple[Codes, ...]
    """Of each term, which of its levels each cell has: numbers from 0 on, none left out."""

    @property
    def levels(self) -> list[int]:
        """Return how many levels each term has."""
        return [int(term.max()) + 1 for term in self.terms]


def anova(cells: Cells) -> Numbers | None:
    """Return the components by Henderson's method I, the last one the residual; None: not to be told apart.

    C. R. Henderson (1953), Estimation of variance and covariance components, Biometrics 9, 226-252:
    the sums of squares of the terms are set equal to what is expected of them. In cells of one size,
    all of them there, those are the expected mean squares. A component can be below 0.
    """
    n, y = cells.n, cells.mean - np.average(cells.mean, weights=cells.n)
    total, one = n.sum(), np.zeros(len(n), dtype=np.int64)
    groups = (one, *cells.terms)
    left = np.empty((len(groups) + 1, len(groups) + 1))
    right = np.empty(len(groups) + 1)
    for row, group in enumerate(groups):
        size = np.bincount(group, n).astype(np.float64)
        right[row] = (np.bincount(group, n * y) ** 2 / size).sum()
        left[row] = [total, *(_shared(group, t, n, size) for t in cells.terms), len(size)]
    left[-1] = total
    right[-1] = cells.within + (n * y**2).sum()
    # the first unknown is the squared mean: of no use, as the values are centred
    scale = np.abs(left).max(axis=0)
    if np.linalg.matrix_rank(left / scale, tol=1e-8) < len(left):
        return None
    found: Numbers = (np.linalg.solve(left / scale, right) / scale)[1:]
    return np.where(np.abs(found) > NOTHING * np.abs(found).max(), found, 0.0)


def _shared(group: Codes, term: Codes, n: Numbers, size: Numbers) -> float:
    """Return how often a term's variance is expected in the sum of squares of a group."""
    across = int(term.max()) + 1
    both, place = np.unique(group * across + term, return_inverse=True)
    return float((np.bincount(place, n) ** 2 / size[both // across]).sum())


def reml(cells: Cells, start: Numbers) -> Numbers | None:
    """Return the components by restricted maximum likelihood, the last one the residual.

    Fisher's scoring from the components by ANOVA; one that would be below 0 is held at 0, on the
    boundary. None: the fit did not converge, there are too many levels, or the residual is 0, so that
    nothing can be set beside it.

    Args:
        cells: their values vary.
        start: the components by ANOVA.
    """
    if start[-1] <= NOTHING * np.abs(start).max() or sum(cells.levels) > MOST_LEVELS:
        return None
    likelihood = _Likelihood(cells)
    ratios = np.clip(start[:-1] / start[-1], 0.01, MOST_RATIO)
    at = likelihood.at(ratios)
    for _ in range(MOST_STEPS):
        step = _step(ratios, at)
        gain = -(at.slopes @ step)
        if gain <= CONVERGED:
            return at.residual * np.append(ratios, 1.0)
        for part in 0.5 ** np.arange(20):
            new_ratios = np.maximum(ratios + part * step, 0.0)
            if new_ratios.max() > MOST_RATIO:  # the residual goes to 0
                return None
            new = likelihood.at(new_ratios)
            if new.value < at.value + CONVERGED:
                break
        ratios, at = new_ratios, new
    return None


def _step(ratios: Numbers, at: "_Place") -> Numbers:
    """Return the step of Fisher's scoring that leaves no ratio below 0."""
    step = np.zeros(len(ratios))
    free = (ratios > 0) | (at.slopes < 0)
    while free.any():
        held = at.information[np.ix_(free, ~free)] @ step[~free]
        step[free] = -np.linalg.solve(at.information[np.ix_(free, free)], at.slopes[free] + held)
        below = free & (ratios + step < 0)
        if not below.any():
            break
        step[below] = -ratios[below]
        free &= ~below
    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Twice the negative restricted log likelihood at some ratios."""

    value: float
    residual: float
    """The residual variance."""
    slopes: Numbers
    information: Numbers
    """How the slopes are expected to change along the ratios."""


class _Likelihood:
    """The restricted likelihood of variances that are given as multiples of the residual one.

    As D. A. Harville (1977), Maximum likelihood approaches to variance component estimation,
    Journal of the American Statistical Association 72, 320-338; all of it from the crossed counts.
    """

    def __init__(self, cells: Cells) -> None:
        n, y = cells.n, cells.mean - np.average(cells.mean, weights=cells.n)
        self._levels = cells.levels
        ends = np.cumsum([0, *self._levels])
        self._starts = ends[:-1]
        self._freedom = n.sum() - 1
        sums = [(np.bincount(t, n), np.bincount(t, n * y)) for t in cells.terms]
        self._one, self._y = (np.concatenate(part) for part in zip(*sums, strict=True))
        self._inner = (n.sum(), (n * y).sum(), cells.within + (n * y**2).sum())
        self._crossed = np.empty((ends[-1], ends[-1]))
        for a, one, down in zip(self._starts, cells.terms, self._levels, strict=True):
            for b, two, across in zip(self._starts, cells.terms, self._levels, strict=True):
                counted = np.bincount(one * across + two, n, down * across)
                self._crossed[a : a + down, b : b + across] = counted.reshape(down, across)

    def at(self, ratios: Numbers) -> _Place:
        """Return the likelihood at some ratios."""
        root = np.sqrt(np.repeat(ratios, self._levels))[:, None]
        inner = root * self._crossed * root.T
        inner[np.diag_indices_from(inner)] += 1
        lower = linalg.cholesky(inner, lower=True, overwrite_a=True, check_finite=False)
        right = root * np.column_stack([self._one, self._y, self._crossed])
        behind = linalg.solve_triangular(
            lower, right, lower=True, overwrite_b=True, check_finite=False
        )
        one, y, rest = behind[:, 0], behind[:, 1], behind[:, 2:]
        count, total, squares = self._inner
        weight = count - one @ one
        mean = (total - one @ y) / weight
        around = squares - y @ y - mean**2 * weight
        of_one = self._one - rest.T @ one
        of_rest = self._y - rest.T @ y - mean * of_one
        seen = self._crossed - rest.T @ rest - np.outer(of_one, of_one) / weight
        trace = np.add.reduceat(np.diag(seen), self._starts)
        both = np.add.reduceat(np.add.reduceat(seen**2, self._starts), self._starts, axis=1)
        explained = self._freedom * np.add.reduceat(of_rest**2, self._starts) / around
        logs = 2 * np.log(np.diag(lower)).sum() + np.log(weight)
        return _Place(
            value=float(logs + self._freedom * np.log(around)),
            residual=float(around / self._freedom),
            slopes=trace - explained,
            information=both - np.outer(trace, trace) / self._freedom,
        )
