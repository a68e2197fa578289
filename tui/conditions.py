"""The conditions of one job: which level of every factor each has; looked up for what is shown, not before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.core.definition import factor_names
from runner.core.entries import KEPT
from runner.core.expand import BUNDLED_FACTORS
from tui.cells import clean

if TYPE_CHECKING:
    import polars as pl

UNKNOWN = "?"
"""Stands for a level where the ledger does not say."""
_SECTIONS = {"persona": ("personas", "name"), "text": ("texts", "title")}
"""Factors whose levels are files of their own: their section, and what a level is called there."""
_NAME_COLUMNS = {"persona": "persona_name", "text": "title"}
_TAKEN = frozenset(("state", "cause", "q", "pattern", "job", "answer", "n", "failed", "open"))
"""Words of the dashboard's own that a factor may be called, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a factor, as it is shown; every text in it is clean."""

    id: str
    name: str = ""
    """What it is called, where it has a name beside its id."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """What the tables have of it beside that, by field."""

    digest: str = ""
    """Of what a prompt has of it, where the definition says so: one id may stand for two texts."""

    @property
    def label(self) -> str:
        """Return what a table calls it."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What makes one condition what it is."""

    stem: str
    levels: Mapping[str, Level]
    """By factor, in order."""
    temperature: float | None = None


class Conditions:
    """The conditions of a job that are asked for one by one; of a large factor no list is made."""

    def __init__(self, definition: Mapping[str, Any], stems: Sequence[str]) -> None:
        """Look nothing up yet.

        Args:
            definition: the ledger's.
            stems: the conditions, in order; one that the definition lacks has unknown levels.
        """
        self.names = tuple(factor_names(definition))
        self.stems = stems
        self._definition = definition
        self._columns: dict[tuple[str, str], pl.Series] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.stems)

    def __getitem__(self, place: int) -> Combination:
        """Return one of them."""
        stem = self.stems[place]
        row = self._rows.get(stem) or {}
        return Combination(
            stem=stem,
            levels={name: level_of(self._definition, name, row.get(name)) for name in self.names},
            temperature=_number(row.get("temperature")),
        )

    @property
    def _rows(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._definition["conditions"]
        return found

    def __iter__(self) -> Iterator[Combination]:
        """Return all of them, one after the other."""
        return (self[place] for place in range(len(self)))

    def column(self, name: str, part: str = "id") -> "pl.Series":
        """Return what each condition has of a factor: its level's id, name, label or digest."""
        import polars as pl

        made = self._columns.get((name, part))
        if made is None:
            rows = self._rows
            ids = [(rows.get(stem) or {}).get(name) for stem in self.stems]
            told = {
                id_: getattr(level_of(self._definition, name, id_), part)
                for id_ in dict.fromkeys(ids)
            }
            made = pl.Series(name, [told[id_] for id_ in ids], dtype=pl.String)
            self._columns[name, part] = made
        return made

    def temperatures(self) -> "pl.Series":
        """Return the temperature of each condition."""
        import polars as pl

        rows = self._rows
        heat = [_number((rows.get(stem) or {}).get("temperature")) for stem in self.stems]
        return pl.Series("temperature", heat, dtype=pl.Float64)


def level_of(definition: Mapping[str, Any], factor: str, id_: object) -> Level:
    """Return what a definition says of one level."""
    if id_ is None:
        return Level(id=UNKNOWN)
    section, name = _SECTIONS.get(factor, ("", ""))
    row = (definition.get(section) or {}).get(id_)
    if row is not None:
        return Level(id=clean(str(id_)), name=clean(str(row.get(name, id_))))
    said = (definition.get("factors") or {}).get(f"{factor}.{id_}") or {}
    kept = said.get(KEPT) or {}
    return Level(
        id=clean(str(id_)),
        kept={clean(str(key)): clean(str(v)) for key, v in kept.items() if v is not None},
        digest=str(said.get("sha256", "")),
    )


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def is_bundled(names: Iterable[str]) -> bool:
    """Tell whether all factors are those of the bundled study."""
    return BUNDLED_FACTORS.issuperset(names)


def spelled(factor: str) -> str:
    """Return what a factor is called beside the dashboard's own words, as `factor.state`."""
    return f"factor.{factor}" if factor in _TAKEN else factor


def factors_of(definitions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the factors of several jobs, the first job's first, each with a level as an example."""
    found: dict[str, str] = {}
    for definition in definitions:
        rows = definition.get("conditions") or {}
        row = next(iter(rows.values()), None) or {}
        for name in factor_names(definition):
            found.setdefault(name, clean(str(row.get(name, UNKNOWN))))
    return found


def level_words(levels: Mapping[str, Level]) -> Iterator[str]:
    """Yield what stands on the screen for each level, as `p1 大学１年生` or `review r1, stars 5`."""
    for factor, level in levels.items():
        told = f"{level.id} {level.name}" if level.name else f"{factor} {level.id}"
        yield "".join([told, *(f", {key} {value}" for key, value in level.kept.items())])


def cells_of(condition: Combination) -> dict[str, dict[str, str]]:
    """Return what a file has of each factor's level, by column."""
    found: dict[str, dict[str, str]] = {}
    for factor, level in condition.levels.items():
        cells = {spelled(factor): level.id}
        if factor in _NAME_COLUMNS and (level.name or level.id == UNKNOWN):
            cells[_NAME_COLUMNS[factor]] = level.label
        cells |= {f"{spelled(factor)}_{key}": value for key, value in level.kept.items()}
        found[factor] = cells
    return found
