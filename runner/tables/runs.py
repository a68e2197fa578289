"""Runs whose tables stand under outputs/: which there are, and what each says about itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from runner.config.problems import did_you_mean
from runner.core.definition import varied_in
from runner.core.errors import ConfigError
from runner.storage.definitions import restored

ALL = "all"
"""Stands for every experiment under outputs/."""
ANSWERS = "answers.parquet"
ATTEMPTS = "attempts.parquet"


class Kind(StrEnum):
    """Where a run's answers come from."""

    LIVE = "live"
    REHEARSAL = "rehearsal"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One folder with tables in it."""

    folder: Path
    experiment: str
    kind: Kind
    imported: bool
    """Whether it is an imported table; it may hold a rehearsal all the same."""
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    """Empty for an imported table: how it came about is not known here."""

    @property
    def name(self) -> str:
        """Return experiment and folder, as `report.over` takes them."""
        return f"{self.experiment}/{self.folder.name}"

    @property
    def definition(self) -> Mapping[str, Any]:
        """Return what was asked."""
        found: Mapping[str, Any] = restored(self.folder, self.manifest["experiment"])["definition"]
        return found

    @property
    def varied(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what it was told otherwise than other jobs of its sweep, by column."""
        return varied_in(self.manifest["experiment"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Runs to work on, and the ones that were left out on purpose."""

    runs: tuple[StoredRun, ...]
    rehearsals_left_out: tuple[StoredRun, ...]
    without_tables: tuple[str, ...]
    """Runs that have been started and have no table yet."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """Return where the answers come from."""
        return frozenset(run.kind for run in self.runs)


def selected(outputs: Path, over: Sequence[str], *, rehearsals: bool) -> Selection:
    """Find the runs of some experiments.

    Rehearsals stay out as soon as there is anything else, unless they are asked for.

    Args:
        outputs: the folder of all experiments.
        over: experiments, or single runs as `literary/openai_gpt-4o-mini`; or `all`.
        rehearsals: whether rehearsals are wanted beside live answers.

    Raises:
        ConfigError: nothing of that name, nothing to report yet, or a damaged table.
    """
    known = _folders(outputs)
    names = {folder.parent.name for folder in known} | {
        f"{folder.parent.name}/{folder.name}" for folder in known
    }
    wanted = list(known) if list(over) == [ALL] else _matching(known, names, over, outputs)
    tabled = [folder for folder in wanted if (folder / ANSWERS).exists()]
    without = tuple(f"{f.parent.name}/{f.name}" for f in wanted if f not in tabled)
    runs = [_stored(folder) for folder in tabled]
    if not runs:
        raise ConfigError(
            f"{outputs}: there is no table yet for {', '.join(over)}: run it first, or write its "
            "tables with action=export"
        )
    others = [run for run in runs if run.kind is not Kind.REHEARSAL]
    if rehearsals or not others:
        return Selection(runs=tuple(runs), rehearsals_left_out=(), without_tables=without)
    left_out = tuple(run for run in runs if run.kind is Kind.REHEARSAL)
    return Selection(runs=tuple(others), rehearsals_left_out=left_out, without_tables=without)


def _folders(outputs: Path) -> list[Path]:
    """Return every folder of a run, in the order of the names."""
    marks = {path.parent for name in (ANSWERS, "cache.db") for path in outputs.glob(f"*/*/{name}")}
    return sorted(folder for folder in marks if not folder.parent.name.startswith("."))


def _matching(
    known: Iterable[Path], names: set[str], over: Sequence[str], outputs: Path
) -> list[Path]:
    for name in over:
        if name not in names:
            if not names:
                raise ConfigError(f"{outputs}: holds no run yet; run one first")
            raise ConfigError(f"over={name}: no such run in {outputs}; {did_you_mean(name, names)}")
    return [
        folder
        for folder in known
        if folder.parent.name in over or f"{folder.parent.name}/{folder.name}" in over
    ]


def _stored(folder: Path) -> StoredRun:
    manifest = _json(folder / "manifest.json")
    if manifest is None or "experiment" not in manifest:
        raise ConfigError(f"{folder}: manifest.json is not there: action=export writes it")
    imported = "imported" in manifest
    remedy = "import it again" if imported else "run its experiment again, which writes it anew"
    for name in (ANSWERS, ATTEMPTS):
        check_intact(folder / name, remedy)
    kind = Kind.IMPORTED if imported else Kind.LIVE
    return StoredRun(
        folder=folder,
        experiment=folder.parent.name,
        kind=Kind.REHEARSAL if manifest["experiment"].get("emulated") else kind,
        imported=imported,
        manifest=manifest,
        summary=_json(folder / "summary.json") or {},
    )


def check_intact(table: Path, remedy: str) -> None:
    """Refuse a parquet file that is no whole one; one that is not there is fine.

    Raises:
        ConfigError: says the file, and the remedy.
    """
    try:
        pl.read_parquet_schema(table)
    except FileNotFoundError:
        return
    except PolarsError as error:
        raise ConfigError(f"{table} is damaged ({error}): {remedy}") from None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): action=export writes it anew"
        ) from None
    return found
