"""How different the reasons of a model are from each other: TF-IDF over characters, and the cosine.

Only a sample of the reasons is read, and no more of them is in memory than that.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from runner.core.definition import factor_names
from runner.report.data import OPEN, Data, ReportedRun, rows_of
from runner.report.intervals import Numbers

MOST = 200
"""Reasons of a model and question that are compared; of more, so many are drawn."""
SEED = 20_260_101
SAMPLE = {"most": MOST, "seed": SEED}
LENGTHS = (2, 3, 4)
"""Of the sequences of characters that are counted."""
_LEAST = 2


def tf_idf(texts: Sequence[str]) -> sparse.csr_array:
    """Return a row of length 1 a text; a text of fewer than two characters has an empty one.

    The count of each sequence of 2 to 4 characters (small letters; any space is one blank), times
    ln((1 + texts) / (1 + texts that have it)) + 1.
    """
    said = [" ".join(text.lower().split()) for text in texts]
    sizes = np.array([len(text) for text in said], dtype=np.int64)
    written = np.frombuffer("".join(said).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    alphabet, letters = np.unique(written, return_inverse=True)
    of_text = np.repeat(np.arange(len(said)), sizes)
    parts = []
    for length in LENGTHS:
        begins = np.arange(max(0, len(letters) - length + 1))
        begins = begins[of_text[begins] == of_text[begins + length - 1]]
        number = np.zeros(len(begins), dtype=np.int64)
        for place in range(length):
            number = number * max(1, len(alphabet)) + letters[begins + place]
        found, column = np.unique(number, return_inverse=True)
        ones = (np.ones(len(begins)), (of_text[begins], column))
        parts.append(sparse.coo_array(ones, shape=(len(said), len(found))))
    counts = sparse.csr_array(sparse.hstack(parts))
    counts.sum_duplicates()
    having = np.bincount(counts.indices, minlength=counts.shape[1])
    rare = np.log((1 + len(said)) / (1 + having)) + 1
    weights = sparse.csr_array(counts.multiply(rare))
    norms = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
    return sparse.csr_array(sparse.diags_array(inverse) @ weights)


def distances(vectors: sparse.csr_array, groups: npt.NDArray[np.intp]) -> tuple[Numbers, Numbers]:
    """Return of each group how many texts it has, and their mean distance, 1 - cosine, over all pairs.

    NaN below two texts. A text without a sequence counts in nothing.

    Args:
        vectors: rows of length 1, or empty.
        groups: the number of each row's group, from 0.
    """
    there = np.diff(vectors.indptr) > 0
    ones = (there.astype(np.float64), (groups, np.arange(len(groups))))
    member = sparse.csr_array(ones, shape=(int(groups.max(initial=-1)) + 1, len(groups)))
    n = np.asarray(member.sum(axis=1)).ravel()
    whole = sparse.csr_array(member @ vectors)
    squared = np.asarray(whole.multiply(whole).sum(axis=1)).ravel()
    pairs = np.where(n >= _LEAST, n * (n - 1), np.nan)
    return n, np.round(np.clip(1 - (squared - n) / pairs, 0, 1), 12)  # alike: 0


def diversity(data: Data, by: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return, for the runs and for each factor, how different a model's reasons are.

    Of runs: run, question, n, diversity. Of a factor: its levels, question, how many models (`raters`)
    have two reasons or more at the level, their n, and the mean of their distances.

    Args:
        data: what the report is about.
        by: factors, and perhaps the temperature.
    """
    found: dict[str, list[pl.DataFrame]] = {name: [] for name in ("run", *by)}
    for question, rows in _by_question(data):
        vectors = tf_idf(rows["reason"].to_list())
        for name, tables in found.items():
            keys = ["run"] if name == "run" else ["run", name]
            groups = rows.select(keys).unique(maintain_order=True).with_row_index("_group")
            place = rows.join(groups, on=keys, how="left", nulls_equal=True, maintain_order="left")
            n, distance = distances(vectors, place["_group"].to_numpy().astype(np.intp))
            told = groups.drop("_group").with_columns(
                pl.lit(question).alias("question"),
                pl.Series("n", n).cast(pl.Int64),
                pl.Series("diversity", distance).fill_nan(None),
            )
            tables.append(told.filter(pl.all_horizontal(pl.col(keys).is_not_null())))
    ordered = {name: data.readings.schema[name] for name in ("question", *found)}
    return {
        name: _table(pl.concat(tables).cast({k: ordered[k] for k in (name, "question")}), name)
        for name, tables in found.items()
        if tables
    }


def _table(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    if name == "run":
        return rows.sort("run", "question")
    known = rows.filter(pl.col("diversity").is_not_null())
    means = (pl.len().cast(pl.Int64).alias("raters"), pl.col("n").sum(), pl.col("diversity").mean())
    return known.group_by(name, "question").agg(means).sort(name, "question")


def _by_question(data: Data) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the sample of each question's reasons: run, factors, temperature, reason."""
    for question in data.questions:
        frames = [
            _sample(data, run, key)
            for run in data.runs
            for key, row in run.stored.definition["questions"].items()
            if question.asks_reason and data.name_of(key, row) == question.name
        ]
        if frames and (whole := pl.concat(frames)).height:
            yield question.name, whole


def _sample(data: Data, run: ReportedRun, key: str) -> pl.DataFrame:
    """Return some of a run's reasons; which ones, depends on how many there are alone."""
    reason = pl.col(f"{key}_reason").str.strip_chars()
    known = rows_of(run).filter((pl.col("status") != OPEN) & (reason != ""))
    count = known.select(pl.len()).collect().item()
    if count > MOST:
        dice = np.random.PCG64(SEED)  # its raw numbers are the same in every version of numpy
        drawn = np.sort(np.argsort(dice.random_raw(count), kind="stable")[:MOST])
        known = known.with_row_index("_row").filter(pl.col("_row").is_in(drawn.tolist()))
    own = factor_names(run.stored.definition)
    levels: list[Any] = [
        pl.col(factor).replace_strict(
            {id_: name for (of, id_), name in names.items() if of == run.stored.experiment},
            default=None,
            return_dtype=pl.String,
        )
        if factor in own
        else pl.lit(None, dtype=pl.String).alias(factor)
        for factor, names in data.levels.items()
    ]
    return known.select(
        pl.lit(run.name).alias("run"), *levels, "temperature", reason.alias("reason")
    ).collect()
