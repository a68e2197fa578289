"""What columns of the tables are called, so that no factor's column is called the same."""

from collections.abc import Iterable, Mapping

from runner.core.definition import FILE_COLUMNS
from runner.core.entries import kept_column
from runner.core.errors import ConfigError
from runner.core.level_table import kept_of
from runner.core.model import Factor

OF_ANSWERS = frozenset(
    (
        *("run", "imported", "experiment", "provider", "developer", "model", "rehearsal"),
        *("temperature", "trial", "custom_id", "source_row", "source_timestamp", "timestamp"),
        *("status", "attempts", "attempt", "lost", "question", "label", "value", "choice"),
        "said",
        *("order", "items_order", "checks_missed"),
        *("reason", "pattern", "cause", "written", "batch", "remote_batch", "prompt_variant"),
        *(
            "outcome",
            "finish_reason",
            "model_returned",
            "request_id",
            "input_tokens",
            "output_tokens",
        ),
        *("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "cost_usd"),
        *("answered_at", "submitted_at", "completed_at", "error", "raw_answer"),
        *("served_by", "charged_usd"),
    )
)
"""The columns of the answers and of their exports that every study has."""
OF_REPORTS = frozenset(
    (
        *(
            "scores",
            "block",
            "cell",
            "cells",
            "request",
            "reason_chars",
            "failed",
            "interval_units",
        ),
        *("total", "n", "missing", "mean", "low", "high", "sd", "median", "min", "max"),
        *("shares", "option", "shown", "count", "percent"),
    )
)
"""The columns beside which a report's tables show the factors."""


def check_columns(factors: Mapping[str, Factor], questions: Iterable[str]) -> None:
    """Refuse factors whose columns would be called like another one, in whatever letters.

    Args:
        factors: by name.
        questions: their ids.

    Raises:
        ConfigError: naming the column.
    """
    parts = ("value", "reason", "pattern", "cause", "written", "order")
    fixed = {*OF_ANSWERS, *(f"{key}_{part}" for key in questions for part in parts)}
    seen = {name.casefold(): name for name in fixed}
    for factor in factors.values():
        for name in (factor.name, *_beside(factor)):
            twin = seen.get(name.casefold())
            if twin is not None:
                raise ConfigError(
                    f"factors.{factor.name}: its column {name} would be called like the column {twin} "
                    "of the tables: rename the factor, or leave the column out with keep: [...]"
                )
            seen[name.casefold()] = name


def _beside(factor: Factor) -> Iterable[str]:
    """Return the columns that stand beside a factor's own."""
    if factor.from_files:
        return FILE_COLUMNS[factor.name].values()
    return [kept_column(factor.name, name) for name in kept_of(factor.levels)]
