"""What a report comes to, in a few sentences: of its own tables, so that the two cannot differ."""

from collections.abc import Iterator, Mapping
from statistics import median

import polars as pl

from runner.report.contrasts import COMPARABLE, least_p
from runner.report.data import Data
from runner.report.page import counts
from runner.report.parts import trials
from runner.report.words import Words

Tables = Mapping[str, pl.DataFrame]
Limits = Mapping[str, tuple[float, float]]
"""The ends of each question's scale."""
Sentence = tuple[str, str]
"""A text, and the anchor of the section that shows it."""
LEVEL = 0.05
MANY_MEANS = 6
"""More means of a single model are not listed."""


def sentences(
    tables: Tables, data: Data, limits: Limits, missing: str, words: Words
) -> Iterator[Sentence]:
    """Yield what was asked, what is missing, and what the numbers or else the choices come to.

    Args:
        tables: of the report, by name.
        data: of the questions themselves.
        limits: of each question with a number.
        missing: what is missing, in words.
        words: in which language.
    """
    yield _asked(data, words), "methods"
    yield missing, "quality"
    if "scores_model" in tables:
        yield from _numbers(tables, limits, words)
    elif "consistency" in tables:
        yield from _choices(tables, words)


def _asked(data: Data, words: Words) -> str:
    readings = data.readings
    factors = [(name, readings[name].drop_nulls().n_unique()) for name in data.factors]
    varied = counts([f"{words.factor(name)} ({count:,})" for name, count in factors], words)
    return words(
        "sum.asked",
        models=f"{len(data.runs):,}",
        questions=f"{len(data.questions):,}",
        varied=varied or words("none"),
        trials=trials(readings),
    )


def _numbers(tables: Tables, limits: Limits, words: Words) -> Iterator[Sentence]:
    means = tables["scores_model"]
    if (pairs := tables.get("contrasts_model")) is not None:
        largest = pl.col("difference").abs() / _ranges(limits)
        yield _contrasts(pairs.with_columns(size=largest), "sum.higher", words), "contrasts"
    elif 0 < means["mean"].count() <= MANY_MEANS:
        yield words("sum.means", means=_listed(means, words)), "scores"
    known = tables["agreement"].filter(pl.col("icc").is_not_null()).sort("icc")
    if known.height:
        yield _agreement(known, words), "agreement"
    half = (100 * (pl.col("high") - pl.col("low")) / 2 / _ranges(limits)).median()
    width = means.select(half).item()
    if width is not None:
        yield words("sum.half", half=f"{width:.1f}") + _needed(tables, words), "agreement"


def _choices(tables: Tables, words: Words) -> Iterator[Sentence]:
    if (pairs := tables.get("choice_contrasts_model")) is not None:
        sized = pairs.with_columns(size=pl.col("difference").abs())
        yield _contrasts(sized, "sum.oftener", words), "choice_contrasts"
    alike = tables["consistency"]["consistency"].drop_nulls().to_list()
    if alike:
        low, middle, high = (f"{n:.1f}" for n in (min(alike), median(alike), max(alike)))
        key = "sum.consistency" if len(alike) > 1 else "sum.consistency_one"
        yield words(key, low=low, middle=middle, high=high), "choice_agreement"


def _ranges(limits: Limits) -> pl.Expr:
    """Return the length of the question's scale."""
    lengths = {name: high - low for name, (low, high) in limits.items()}
    return pl.col("question").cast(pl.String).replace_strict(lengths, return_dtype=pl.Float64)


def _contrasts(pairs: pl.DataFrame, key: str, words: Words) -> str:
    """Say how many differences hold, and which is the largest of them."""
    tested = pairs.filter(pl.col("comparable") == COMPARABLE)
    if not tested.height:
        return words("sum.not_comparable")
    held = tested.filter(pl.col("p_holm") < LEVEL).sort("size", nulls_last=False)
    if not held.height:
        cells = max(tested["differences"].to_list())
        together = min(tested.group_by("question").len()["len"].to_list())
        least = min(1, least_p(cells) * together)
        why = words("sum.too_few", p=f"{least:.2g}") if least >= LEVEL else ""
        return words("sum.none_hold", tested=f"{tested.height:,}") + why
    row = held.row(-1, named=True)
    levels = [row["level"], row["other_level"]]
    ends = [row["difference"], row["low"], row["high"]]
    if row["difference"] < 0:
        levels, ends = levels[::-1], [-row["difference"], -row["high"], -row["low"]]
    size, low, high = ends
    told = {"question": row["question"], "higher": levels[0], "lower": levels[1]}
    told |= {"size": f"{size:.1f}", "option": row.get("option", "")}
    of = words("sum.hold", held=f"{held.height:,}", tested=f"{tested.height:,}")
    return of + words(key, **told, interval=_interval(low, high, words))


def _listed(means: pl.DataFrame, words: Words) -> str:
    said = [
        f"{row['question']} {row['mean']:.1f}{_interval(row['low'], row['high'], words)}"
        for row in means.filter(pl.col("mean").is_not_null()).iter_rows(named=True)
    ]
    return counts(said, words)


def _interval(low: float | None, high: float | None, words: Words) -> str:
    if low is None or high is None:
        return ""
    return words("sum.interval", low=f"{low:.1f}", high=f"{high:.1f}")


def _agreement(known: pl.DataFrame, words: Words) -> str:
    lowest, every = known.row(0, named=True), known["icc"].to_list()
    return words(
        "sum.icc" if len(every) > 1 else "sum.icc_one",
        low=f"{every[0]:.2f}",
        high=f"{every[-1]:.2f}",
        middle=f"{median(every):.2f}",
        run=lowest["run"],
        question=lowest["question"],
    )


def _needed(tables: Tables, words: Words) -> str:
    enough = tables.get("precision")
    if enough is None or not enough.height:
        return ""
    needed = enough["needed_5"].fill_null(1 << 30).sort()
    middle = int(needed[(needed.len() - 1) // 2])
    return words("sum.needed", trials=f"{middle:,}") if middle < 1 << 30 else ""
