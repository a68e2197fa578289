"""Components of variance: against lme4, against other ways to the same numbers, and where there are none."""

import sys
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy import linalg, optimize, stats

from runner.report import reml as fits
from runner.report.reml import Cells, anova, reml
from runner.report.variance import RESIDUAL, Divided, _design, _squares, divided
from runner.report.variance_parts import EMPTY, NOTES, component, said
from runner.report.words import LANGUAGES, Words

SCORES = [  # persona x text, then five models of two trials each
    *(60, 58, 41, 40, 54, 39, 47, 45, 50, 50, 56, 58, 48, 50, 51, 47, 47, 59, 48, 54),
    *(53, 60, 45, 50, 65, 48, 62, 51, 55, 60, 62, 64, 51, 46, 53, 46, 70, 58, 63, 59),
    *(72, 64, 61, 55, 62, 59, 66, 62, 68, 67, 78, 68, 61, 61, 59, 59, 69, 65, 61, 65),
    *(69, 74, 59, 60, 58, 58, 65, 68, 72, 61, 68, 81, 61, 64, 64, 54, 81, 78, 69, 72),
    *(74, 69, 61, 64, 67, 65, 72, 78, 66, 74, 63, 56, 37, 41, 46, 48, 63, 50, 54, 57),
    *(61, 50, 55, 62, 55, 46, 58, 61, 71, 62, 65, 72, 52, 62, 49, 50, 66, 69, 64, 63),
]
MAIN = {  # lme4 1.1-31 on R 4.2.2: score ~ 1 + (1 | persona) + (1 | text) + (1 | model), REML
    "persona": 44.9279445586,
    "text": 12.8588032424,
    "run": 25.8200611407,
    RESIDUAL: 24.681060709,
}
TWO_WAY = {  # with (1 | persona:text) + (1 | persona:model) + (1 | text:model); singular
    "run": 25.4992234431,
    "persona": 44.8011554375,
    "text": 12.7809977058,
    "run × persona": 0.76458385056,
    "run × text": 0.48706677332,
    "persona × text": 0,
    RESIDUAL: 23.8972211041,
}


NAMES = ["run", "persona", "text"]


def crossed(values=SCORES, shape=(4, 3, 5, 2)):
    """Readings of one question; a value that is None is missing."""
    persona, text, run, trial = (axis.ravel() for axis in np.indices(shape))
    return pl.DataFrame(
        {"persona": persona, "text": text, "run": run, "temperature": 0.5 + 0.0 * trial},
    ).with_columns(
        pl.lit("Q").alias("question"),
        pl.lit("study").alias("block"),
        pl.Series("value", [None if v is None else float(v) for v in values], dtype=pl.Float64),
    )


def only(readings, factors=("persona", "text")):
    (found,) = divided(readings, list(factors))
    return found


def by_name(found, column):
    return dict(zip(found.rows["component"], found.rows[column], strict=True))


def cells(readings, names, pairs=()):
    """The cells of some readings, with a term a name and a pair."""
    sums = (
        readings.drop_nulls("value")
        .group_by(names)
        .agg(n=pl.len(), mean=pl.col("value").mean(), s=pl.col("value").var(ddof=0) * pl.len())
        .sort(names)
    )
    terms = [sums[name].to_numpy() for name in names]
    terms += [sums[a].to_numpy() * 100 + sums[b].to_numpy() for a, b in pairs]
    return Cells(
        n=sums["n"].cast(float).to_numpy(),
        mean=sums["mean"].to_numpy(),
        within=sums["s"].sum(),
        terms=tuple(np.unique(term, return_inverse=True)[1] for term in terms),
    )


def test_main_effects_are_those_of_lme4():
    some = cells(crossed(), ["persona", "text", "run"])
    assert reml(some, anova(some)) == pytest.approx(list(MAIN.values()), rel=1e-3)


def test_two_way_interactions_are_those_of_lme4_and_one_is_exactly_0():
    found = only(crossed())
    assert by_name(found, "reml") == pytest.approx(TWO_WAY, rel=1e-3)
    assert by_name(found, "reml")["persona × text"] == 0
    assert by_name(found, "boundary")["persona × text"] == "at_0"
    assert sum(code is not None for code in found.rows["boundary"]) == 1


def test_a_singular_fit_says_so_and_shows_the_expected_mean_squares():
    found = only(crossed())
    assert found.said == ("singular",)
    assert set(found.rows["method"]) == {"anova"}
    between = {"p": 1372.5194444444, "t": 539.0333333333, "m": 644.3625}  # R 4.2.2, aov
    pt, pm, tm, rest = 15.6777777778, 28.4847222222, 27.79375, 24.4843253968
    parts = {
        "run": (between["m"] - pm - tm + rest) / 24,
        "persona": (between["p"] - pt - pm + rest) / 30,
        "text": (between["t"] - pt - tm + rest) / 40,
        "run × persona": (pm - rest) / 6,
        "run × text": (tm - rest) / 8,
        "persona × text": 0,  # (pt - rest) / 10 is below it
        RESIDUAL: rest,
    }
    assert by_name(found, "anova") == pytest.approx(parts, rel=1e-9)
    whole = sum(parts.values())
    assert by_name(found, "percent") == pytest.approx(
        {k: 100 * v / whole for k, v in parts.items()}
    )


def unbalanced(seed=4):
    """Three factors, with gaps in the trials, and a combination without any."""
    rng = np.random.default_rng(seed)
    shape = (4, 3, 3, 3)
    effects = [rng.normal(0, sd, n) for sd, n in zip((6, 5, 4), shape, strict=False)]
    pairs = rng.normal(0, 4, shape[:2])
    values = 50 + rng.normal(0, 3, shape) + pairs[:, :, None, None]
    values += effects[0][:, None, None, None] + effects[1][:, None, None] + effects[2][:, None]
    there = rng.random(shape) < 0.8
    there[0, 0, 0] = False
    return crossed([v if t else None for v, t in zip(values.flat, there.flat, strict=True)], shape)


def test_unbalanced_values_have_the_components_that_the_likelihood_itself_is_highest_at():
    readings = unbalanced()
    known = readings.drop_nulls("value")
    names = ["persona", "text", "run"]
    sorts = [known[name].to_numpy() for name in names]
    sorts.append(sorts[0] * 100 + sorts[1])
    same = [(one[:, None] == one).astype(float) for one in sorts]  # of the values one by one
    y, x = known["value"].to_numpy(), np.ones((known.height, 1))

    def criterion(logs):
        v = sum(np.exp(log) * z for log, z in zip(logs, [*same, np.eye(len(y))], strict=True))
        inverse = linalg.inv(v)
        information = x.T @ inverse @ x
        p = inverse - inverse @ x @ linalg.inv(information) @ x.T @ inverse
        return np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] + y @ p @ y

    some = cells(readings, names, [("persona", "text")])
    found = reml(some, anova(some))
    tight = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    best = optimize.minimize(
        criterion, np.log([20, 20, 20, 20, 10]), method="Nelder-Mead", options=tight
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)
    assert criterion(np.log(found)) <= best.fun + 1e-6


def test_balanced_values_have_the_same_components_by_both_ways():
    some = cells(crossed(), ["persona", "text", "run"])
    assert reml(some, anova(some)) == pytest.approx(anova(some), rel=1e-6)


def test_the_mean_squares_that_intervals_are_made_of_give_the_components_of_balanced_values():
    readings = crossed()
    squares = _squares(_design(readings, NAMES))
    some = cells(readings, NAMES, list(combinations(NAMES, 2)))
    assert squares.shares_of @ squares.means == pytest.approx(anova(some), rel=1e-9)
    assert sum(squares.freedom) == 119


def test_what_is_missing_is_left_out_and_no_0():
    readings = unbalanced()
    without = only(readings.drop_nulls("value"))
    assert only(readings).rows.equals(without.rows)
    as_0 = only(readings.with_columns(pl.col("value").fill_null(0)))
    assert by_name(as_0, "reml")[RESIDUAL] > 10 * by_name(without, "reml")[RESIDUAL]


@pytest.mark.parametrize("readings", [crossed(), unbalanced()], ids=["balanced", "unbalanced"])
def test_neither_order_nor_scale_matters(readings):
    turned = only(readings.reverse().with_columns(pl.col("value") / 25 - 1))
    whole = only(readings)
    for column, factor in (("percent", 1), ("low", 1), ("high", 1), ("reml", 625), ("anova", 625)):
        one, two = (found.rows[column].fill_null(-1) for found in (turned, whole))
        assert list(factor * one.clip(0)) == pytest.approx(list(two.clip(0)), rel=1e-4, abs=1e-6)
        assert turned.rows[column].is_null().equals(whole.rows[column].is_null())
    assert turned.said == whole.said


def test_of_one_factor_the_interval_is_that_of_f():
    values = np.random.default_rng(3).normal(0, 4, (12, 1, 1, 10)) + np.repeat(
        np.random.default_rng(4).normal(50, 5, (12, 1, 1, 1)), 10, axis=3
    )
    found = only(crossed(list(values.flat), values.shape))
    table = values.reshape(12, 10)
    ratio = 10 * table.mean(axis=1).var(ddof=1) / table.var(axis=1, ddof=1).mean()
    ends = [ratio / stats.f.ppf(q, 11, 108) for q in (0.975, 0.025)]
    low, high = (100 * (end - 1) / (end + 9) for end in ends)
    persona = found.rows.row(0, named=True)
    assert (persona["low"], persona["high"]) == pytest.approx((low, high), abs=0.5)
    assert found.rows["percent"].to_list()[0] == pytest.approx(100 * (ratio - 1) / (ratio + 9))


def test_many_combinations_without_a_value_leave_no_interval_and_that_is_said():
    assert only(unbalanced()).rows["low"].count()  # one of 36
    found = only(unbalanced().filter((pl.col("persona") + pl.col("text") + pl.col("run")) % 3 > 0))
    assert "incomplete" in found.said
    assert not found.rows["low"].count()
    assert not found.rows["high"].count()
    assert found.rows["percent"].sum() == pytest.approx(100)


def test_what_stands_for_a_gap_leaves_the_residual_of_least_squares():
    known = unbalanced().drop_nulls("value").sort("persona", "text", "run")
    means = known.group_by("persona", "text", "run", maintain_order=True).agg(
        pl.len().cast(float).alias("n"),
        pl.col("value").mean(),
        pl.col("value").var(ddof=0).alias("v"),
    )
    sorts = [means[name].to_numpy() for name in ("persona", "text", "run")]
    sorts += [10 * one + two for one, two in combinations(sorts, 2)]
    columns = [(one[:, None] == np.unique(one)).astype(float) for one in sorts]
    design, y = np.hstack(columns), means["value"].to_numpy()
    rest = y - design @ np.linalg.lstsq(design, y)[0]
    n = means["n"].to_numpy()
    within, freedom = (n * means["v"].to_numpy()).sum(), n.sum() - len(n)
    freedom += len(n) - np.linalg.matrix_rank(design)
    squares = _squares(_design(known, NAMES))
    residual = len(n) / (1 / n).sum() * (rest @ rest) + within
    assert squares.freedom[-1] == freedom
    assert squares.means[-1] == pytest.approx(residual / freedom)


def test_interactions_of_three_factors_are_told():
    rng = np.random.default_rng(2)
    cells_ = rng.normal(50, 5, (4, 3, 5, 1))
    values = cells_ + rng.normal(0, 1, (4, 3, 5, 2))
    assert "more" in only(crossed(list(values.flat))).said
    assert "more" not in only(crossed(list((values - cells_).flat))).said


def additive_with_gaps():
    """Values that the factors give without a rest, so that the likelihood has no maximum."""
    rng = np.random.default_rng(0)
    persona, text, run, _ = np.indices((4, 3, 4, 3)).reshape(4, -1)
    values = 10 * run + 3 * persona + 0.0 * text
    there = rng.random(len(values)) < 0.25
    return crossed([v if t else None for v, t in zip(values, there, strict=True)], (4, 3, 4, 3))


@pytest.mark.parametrize(
    ("readings", "why"),
    [
        (crossed([7] * 120), "constant"),
        (crossed([None] * 120), "no_value"),
        (crossed([None] * 119 + [3]), "constant"),
        (crossed(range(10), (1, 1, 1, 10)), "no_factor"),
        (crossed(range(5), (1, 1, 5, 1)), "no_repeat"),
        (crossed([1, 2], (1, 1, 2, 1)), "no_repeat"),
        (crossed([1, 1, 2, None, 1, 1, 2, 2], (4, 1, 1, 2)), None),
        (crossed([3, 5, 3, 5, 3, 5], (3, 1, 1, 2)), None),
        (crossed(SCORES[:15], (1, 3, 5, 1)), None),
        (crossed(SCORES[:60], (4, 3, 5, 1)), None),
        (crossed([1, None, None, 4, 2, None, 6, 5], (2, 2, 2, 1)), None),
        (crossed([1, 2, 3, 4], (1, 2, 2, 1)), None),
        (crossed([1, 2, 2, 1], (1, 2, 2, 1)), "singular"),
        (crossed([1, 2, 2, 1.5], (1, 2, 2, 1)), None),
        (additive_with_gaps(), "no_fit"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_divided_is_said_and_nothing_breaks(readings, why):
    found = only(readings)
    assert (found.rows is None) == bool(found.said[:1] and found.said[0] in WHY_NOT)
    if why:
        assert found.said[0] == why
    if found.rows is not None:
        assert found.rows["percent"].sum() == pytest.approx(100)
        assert found.rows.select(pl.col("percent").is_between(0, 100).all()).item()
        known = found.rows.drop_nulls("low")
        assert known.filter(pl.col("low") - 1e-6 > pl.col("percent")).is_empty()
        assert known.filter(pl.col("high") + 1e-6 < pl.col("percent")).is_empty()


WHY_NOT = {"constant", "no_value", "no_factor", "no_repeat", "not_apart"}


def test_of_one_trial_a_cell_interactions_of_two_factors_are_the_residual():
    found = only(crossed(SCORES[:15], (1, 3, 5, 1)))
    assert found.rows["component"].to_list() == ["run", "text", RESIDUAL]
    assert only(crossed(SCORES[:60], (4, 3, 5, 1))).rows.height == 7  # of three, the three-way one


def test_trials_that_never_differ_leave_no_residual():
    found = only(crossed(np.repeat([3, 5, 9, 4, 8, 8, 1, 2], 2), (2, 4, 1, 2)))
    assert found.said == ("no_residual",)
    residual = found.rows.rows(named=True)[-1]
    assert (residual["percent"], residual["boundary"], residual["low"]) == (0, "at_0", None)
    assert not found.rows["reml"].count()


def test_a_factor_that_goes_with_another_is_named_and_counts_once():
    readings = crossed().with_columns(genre=pl.col("text") * 7)
    found = only(readings, ["persona", "text", "genre"])
    assert found.left_out == ("genre",)
    assert found.rows.equals(only(crossed()).rows)


def test_temperature_is_a_factor_where_it_varies_within_the_levels_of_all_others():
    rows = crossed().with_row_index()
    within = rows.with_columns(temperature=(pl.col("index") % 2).cast(float))
    assert "run × temperature" in only(within).rows["component"].to_list()
    with_run = rows.with_columns(temperature=pl.col("run") / 10)
    found = only(with_run)
    assert found.said == ("temperature", "singular")
    assert found.rows.equals(only(crossed()).rows)


def test_a_fit_that_does_not_converge_or_is_too_large_shows_the_anova(monkeypatch):
    monkeypatch.setattr(fits, "MOST_STEPS", 0)
    found = only(crossed())
    assert found.said == ("no_fit",)
    assert set(found.rows["method"]) == {"anova"}
    monkeypatch.setattr(sys.modules["runner.report.variance"], "MOST_LEVELS", 50)
    monkeypatch.setattr(fits, "MOST_LEVELS", 50)
    assert only(crossed()).said == ("many_terms",)


def test_each_experiment_and_question_is_divided_by_itself():
    two = pl.concat([crossed(), crossed().with_columns(block=pl.lit("other"))])
    three = pl.concat([two, unbalanced().with_columns(question=pl.lit("R"))])
    found = list(divided(three, ["persona", "text"]))
    assert [(one.question, one.block, one.n) for one in found[:2]] == [
        ("Q", "study", 120),
        ("Q", "other", 120),
    ]
    assert found[0].rows.equals(found[1].rows)
    assert found[2].rows.equals(only(unbalanced()).rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_is_said_of_a_question_has_words(language):
    words = Words(language)
    found = Divided(question="Q", block="b", n=1, said=(*EMPTY, *NOTES))
    sentences = list(said([found], (*EMPTY, *NOTES), words, several=True))
    assert len(set(sentences)) == len(EMPTY) + len(NOTES)
    assert all("Q (b)" in sentence for sentence in sentences)


def test_components_are_called_as_the_factors_are():
    named = [component(code, Words("en")) for code in ("run × persona", "tone", RESIDUAL)]
    assert named == ["model × persona", "tone", "residual (trials)"]


@pytest.mark.long
def test_the_page_and_the_methods_say_how_it_was_computed(report):
    page = report.page.read_text(encoding="utf-8")
    section = page.partition('<section id="variance">')[2].partition("</section>")[0]
    assert "the mixed model&#x27;s fit is singular" in section
    assert "Missing: " in section
    assert "by REML: on the boundary" in section
    assert "Harville 1977" in report.methods.read_text(encoding="utf-8")
