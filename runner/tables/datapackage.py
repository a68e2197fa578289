"""datapackage.json: the codebook for programs, as a Frictionless Data Package (Table Schema)."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from runner.config.checks import LANGUAGES
from runner.core.model import ItemKind
from runner.tables.codebook import NEVER, Column, Factors, described
from runner.tables.export import FORMULA
from runner.tables.items import Items

PROFILE = "tabular-data-package"
TIME = "%Y-%m-%dT%H:%M:%S.%f%z"
"""How polars writes a time of UTC."""


def datapackage(
    tables: Mapping[str, pl.Schema],
    labels: Mapping[str, str],
    language: str,
    factors: Factors,
    items: Items,
    *,
    title: str,
) -> dict[str, Any]:
    """Return the descriptor of some CSV files: the type, meaning and limits of each column.

    Args:
        tables: the columns of each file, by its name; CSV.
        labels: what each question is called, by its id.
        language: ja or en.
        factors: what the columns of factors mean.
        items: what is answered to each question.
        title: of the package; says REHEARSAL where it has one.
    """
    place = LANGUAGES.index(language)
    resources = []
    for file, schema in tables.items():
        fields = []
        for name, kind in schema.items():
            column, key = described(name, labels, factors, items)
            called = {"title": f"{key} {labels[key]}"} if key is not None else {}
            limits = _limits(name, key, items)
            fields.append({"name": name, **called, **_type(kind), **_said(column, place, limits)})
        resources.append(
            {
                "name": file.removesuffix(".csv"),
                "path": file,
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8-sig",
                "schema": {"fields": fields, "missingValues": [""]},
            }
        )
    return {"name": "answers", "title": title, "profile": PROFILE, "resources": resources}


def _said(column: Column, place: int, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a column means, and what its cells may be."""
    meaning, allowed, empty = (p[place] for p in (column.meaning, column.allowed, column.empty))
    required = {"required": True} if column.empty == NEVER else {}
    constraints = {**limits, **required}
    return {
        "description": f"{meaning} | {allowed} | {_EMPTY[place]}: {empty}",
        **({"constraints": constraints} if constraints else {}),
    }


_EMPTY = ("空欄になるのは", "empty")


def _type(kind: pl.DataType) -> dict[str, str]:
    if kind == pl.Boolean:
        return {"type": "boolean"}
    if kind.is_integer():
        return {"type": "integer"}
    if kind.is_numeric():
        return {"type": "number"}
    if kind == pl.Datetime:
        return {"type": "datetime", "format": TIME}
    return {"type": "string"}


def _limits(name: str, key: str | None, items: Items) -> dict[str, Any]:
    """Return what a value of one question may be; study.csv calls its column Q1value."""
    item = items.get(key) if key is not None else None
    if item is None or name not in (f"{key}_value", f"{key}value"):
        return {}
    if item.kind is ItemKind.NUMBER and item.bounds is not None:
        low, high, _ = item.bounds
        return {"minimum": low, "maximum": high}
    if item.kind is ItemKind.CHOICE and not any(map(FORMULA.match, item.options)):
        return {"enum": list(item.options)}
    return {}
