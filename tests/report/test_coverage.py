"""How often the report's 95 % intervals hold the truth, in simulated studies of known truth.

A study is a run; all studies of a layout stand in one table, and go through the functions that the
report calls. Each coverage is printed: `python -m pytest -m coverage -s tests/report/test_coverage.py`.
Where it is not 93 to 97 %, the page says so: those layouts stand in lists of their own.
"""

import os
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from runner.report import choices, numbers

pytestmark = pytest.mark.coverage

STUDIES = int(os.environ.get("COVERAGE_STUDIES", "2000"))
LIMITS = {"Q1": (0.0, 100.0), "Q2": (0.0, 100.0)}
MANY = 2_000_000
"""Draws from which a truth is taken that no formula gives."""


@dataclass(frozen=True)
class Layout:
    """Cells and trials a cell; uneven: from one to so many, by chance."""

    cells: int
    trials: int
    uneven: bool = False

    def __str__(self):
        return f"{self.cells}x{self.trials}{'-uneven' * self.uneven}"


BUNDLED, SHORT, UNEVEN = Layout(12, 10), Layout(12, 3), Layout(12, 10, uneven=True)
WIDE, MIDDLE, SIX, THREE = Layout(100, 1), Layout(100, 3, uneven=True), Layout(6, 10), Layout(3, 10)
SEVERAL = (BUNDLED, UNEVEN, SHORT, MIDDLE, SIX, THREE)
ALL = (*SEVERAL, WIDE)


def latent(rng, shape, icc):
    """Standard normal values of (studies, cells, trials), of which icc is shared within a cell."""
    studies, cells, trials = shape
    shared = rng.normal(size=(studies, cells, 1)) * icc**0.5
    return shared + rng.normal(size=(studies, cells, trials)) * (1 - icc) ** 0.5


def normal(icc):
    return lambda rng, shape: 50 + 10 * latent(rng, shape, icc)


def five_points(icc, centre=2.0):
    """Ties: five answers, in the middle of the scale or (3.6) near its end."""
    return lambda rng, shape: 25 * np.clip(np.round(centre + latent(rng, shape, icc)), 0, 4)


def two_points(share, icc):
    """Yes or no, as 100 or 0; a cell's own share is drawn from a beta distribution."""

    def drawn(rng, shape):
        few = shape[:2] + (1,)
        more = 1 / icc - 1 if icc else 0
        own = rng.beta(share * more, (1 - share) * more, few) if icc else np.full(few, share)
        return 100.0 * (rng.random(shape) < own)

    return drawn


def near_end(spread):
    """Skewed: most values near 100, cells as well; a small spread lets trials differ more."""

    def drawn(rng, shape):
        own = np.clip(rng.beta(9.5, 0.5, shape[:2] + (1,)), 1e-6, 1 - 1e-6)
        return np.round(100 * rng.beta(own * spread, (1 - own) * spread, shape))

    return drawn


def truth(process):
    """The mean and the ICC of a process: the correlation of two trials of a cell."""
    values = process(np.random.default_rng(1), (1, MANY, 2))[0]
    return values.mean(), np.corrcoef(values.T)[0, 1]


def studies(layout, *values, seed=2):
    """Readings of many studies, one question a block of values (studies, cells, trials)."""
    rng = np.random.default_rng(seed)
    shape = values[0].shape
    sizes = rng.integers(1, shape[2] + 1, shape[:2]) if layout.uneven else shape[2]
    there = (np.arange(shape[2]) < np.broadcast_to(np.asarray(sizes)[..., None], shape)).ravel()
    study, cell, trial = (axis.ravel() for axis in np.indices(shape, dtype=np.uint32))
    frame = pl.DataFrame(
        {"run": study, "cell": cell, "request": (study * shape[1] + cell) * shape[2] + trial}
    )
    return pl.concat(
        frame.with_columns(value=block.ravel(), question=pl.lit(f"Q{place}")).filter(there)
        for place, block in enumerate(values, 1)
    )


def made(layout, process, seed=3):
    rng = np.random.default_rng(seed)
    return studies(layout, process(rng, (STUDIES, layout.cells, layout.trials)))


def coverage(table, low, high, true, what):
    """The percentage of the intervals that hold the truth, of those that there are."""
    shown = table.filter(pl.col(low).is_not_null())
    ends = shown.select(below=(pl.col(low) - 1e-9) > true, above=(pl.col(high) + 1e-9) < true)
    below, above = (100 * ends[name].mean() for name in ("below", "above"))
    held = 100 - below - above
    print(
        f"\n{what:58s} {held:5.1f} %   above it {below:4.1f}, below it {above:4.1f}, "
        f"shown {100 * shown.height / table.height:5.1f}",
        end="",
    )
    return held


def named(cases):
    return [pytest.param(*case, id="-".join(map(str, case[:2]))) for case in cases]


PROCESSES = {
    "normal, icc 0.1": normal(0.1),
    "normal, icc 0.5": normal(0.5),
    "normal, icc 0.9": normal(0.9),
    "five points": five_points(0.5),
    "five points near the end": five_points(0.5, 3.6),
    "half yes": two_points(0.5, 0),
    "half yes, icc 0.3": two_points(0.5, 0.3),
    "a tenth yes": two_points(0.1, 0),
    "a tenth yes, icc 0.3": two_points(0.1, 0.3),
    "near the end": near_end(20),
    "near the end, trials differ": near_end(4),
}


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("layout", ALL, ids=str)
def test_mean(layout, name):
    process = PROCESSES[name]
    table = numbers.scores(made(layout, process), ["run"], LIMITS)
    coverage(table, "low", "high", truth(process)[0], f"mean {layout} {name}")


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("layout", SEVERAL, ids=str)
def test_icc(layout, name):
    process = PROCESSES[name]
    table = numbers.agreement(made(layout, process))
    coverage(table, "icc_low", "icc_high", truth(process)[1], f"icc {layout} {name}")
    out = table.filter((pl.col("icc") < pl.col("icc_low")) | (pl.col("icc") > pl.col("icc_high")))
    print("   estimate outside", out.height, end="")
