"""custom_ids in columns, as `runner.core.custom_id` makes them one by one."""

import polars as pl

from runner.core.custom_id import BEFORE_TRIAL, DIGITS, TRIAL


def written() -> pl.Expr:
    """Return the custom_ids of a frame's columns `stem` and `trial`, as `custom_id`."""
    trial = pl.col("trial").cast(pl.String).str.zfill(DIGITS)
    return pl.concat_str("stem", pl.lit(BEFORE_TRIAL), trial).alias("custom_id")


def parsed(names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return stems (String) and trials (Int64); a trial is null where a name has none."""
    return names.str.replace(TRIAL, ""), names.str.extract(TRIAL).cast(pl.Int64)
