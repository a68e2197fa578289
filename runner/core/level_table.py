"""The levels of a large factor as columns; each is put together when it is asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence

from runner.core.model import Kept, Level
from runner.core.numbered import Numbered

LARGE = 10_000
"""From so many on, levels and conditions are kept as columns."""


def are_many(count: int) -> bool:
    """Tell whether so many levels or conditions are kept as columns."""
    return count >= LARGE


class LevelTable(Mapping[str, Level]):
    """Levels by id, in the order of their rows."""

    def __init__(
        self,
        ids: Sequence[str],
        fields: Mapping[str, Sequence[str]],
        kept: Mapping[str, Sequence[Kept]],
    ) -> None:
        """Use columns that are all of one length; ids are all different.

        Args:
            ids: one a level.
            fields: what a prompt names, by name.
            kept: what stands in the tables beside the id, by name.
        """
        self.ids = ids
        self.fields = fields
        self.kept = kept
        self._numbers = Numbered(ids)
        self.lengths: dict[re.Pattern[str], int | None] = {}
        """What `longest_of` found."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids."""
        return iter(self.ids)

    def __contains__(self, id_: object) -> bool:
        """Tell whether a level is there."""
        return isinstance(id_, str) and self._numbers.find(id_) is not None

    def __getitem__(self, id_: str) -> Level:
        """Return a level."""
        number = self._numbers.find(id_)
        if number is None:
            raise KeyError(id_)
        fields = {name: column[number] for name, column in self.fields.items()}
        if not self.kept:
            return Level(id=id_, fields=fields)
        kept = {name: column[number] for name, column in self.kept.items()}
        return Level(id=id_, fields=fields, kept=kept)


def ids_of(levels: Mapping[str, Level]) -> Sequence[str]:
    """Return the ids of levels by their places."""
    return levels.ids if isinstance(levels, LevelTable) else tuple(levels)


def longest_of(levels: Mapping[str, Level], pattern: re.Pattern[str]) -> int | None:
    """Return how long the longest id is, where all are of a pattern; None where one is not."""
    if not isinstance(levels, LevelTable):
        return max(map(len, levels), default=0) if all(map(pattern.fullmatch, levels)) else None
    if pattern not in levels.lengths:
        found = [len(id_) if pattern.fullmatch(id_) else 0 for id_ in levels.ids]
        levels.lengths[pattern] = max(found) if all(found) else None
    return levels.lengths[pattern]


def kept_of(levels: Mapping[str, Level]) -> Sequence[str]:
    """Return the names of what is kept of levels."""
    if isinstance(levels, LevelTable):
        return tuple(levels.kept)
    return tuple(dict.fromkeys(name for level in levels.values() for name in level.kept))


def is_warm(levels: Mapping[str, Level]) -> bool:
    """Tell whether any level says something of the temperature; rows of a table say nothing."""
    return not isinstance(levels, LevelTable) and any(v.temperature for v in levels.values())
