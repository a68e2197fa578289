"""Entries of a definition that are many: each is put together when it is asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from runner.core.model import Kept
from runner.core.numbered import Numbered

KEPT = "kept"
"""What the tables show of a level beside its id; it is not asked, and may be corrected."""
_AT_ONCE = 1_000


class Entries(Mapping[str, Mapping[str, Any]]):
    """Entries by name, in order; two with the same digest say the same."""

    def __init__(
        self,
        names: Sequence[str],
        entry: Callable[[int], Mapping[str, Any]],
        digest: str | None = None,
    ) -> None:
        """Look at none of them.

        Args:
            names: all different.
            entry: returns what stands under the name of a number.
            digest: of all of them, where it is known.
        """
        self.names = names if isinstance(names, Numbered) else Numbered(names)
        self.entry = entry
        self._digest = digest
        self.told: Mapping[str, Any] | None = None
        """How a ledger speaks of them, where they are in a table beside it."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is one of that name."""
        return isinstance(name, str) and self.names.find(name) is not None

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Return one."""
        number = self.names.find(name)
        if number is None:
            raise KeyError(name)
        return self.entry(number)

    def __eq__(self, other: object) -> bool:
        """Tell whether two say the same in the same order."""
        if isinstance(other, Entries):
            return len(self) == len(other) and self.digest == other.digest
        return (
            isinstance(other, Mapping)
            and len(self) == len(other)
            and [*self] == [*other]
            and (all(self.entry(number) == said for number, said in enumerate(other.values())))
        )

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def digest(self) -> str:
        """A digest of all names and what stands under them."""
        if self._digest is not None:
            return self._digest
        whole, size = sha256(), len(self)
        for begin in range(0, size, _AT_ONCE):
            some = range(begin, min(begin + _AT_ONCE, size))
            said = "".join(f"{self.names[n]}\0{self.entry(n)!r}\n" for n in some)
            whole.update(said.encode("utf-8", "surrogatepass"))
        return whole.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPart:
    """What a definition says of the levels of one factor, as columns."""

    factor: str
    ids: Sequence[str]
    asked: Callable[[int], str]
    """Returns a digest of what is asked with a level, by its place."""
    kept: Mapping[str, Sequence[Kept]]
    """What the tables show beside the id, by name."""

    def entry(self, place: int) -> dict[str, Any]:
        """Return what is said of one level."""
        kept = {name: column[place] for name, column in self.kept.items()}
        return {**({KEPT: kept} if kept else {}), "sha256": self.asked(place)}


class LevelEntries(Entries):
    """The levels of all factors that are no files of their own, by factor and id."""

    def __init__(self, parts: Iterable[LevelPart], digest: str | None = None) -> None:
        """Look at none of them."""
        self.parts = {part.factor: part for part in parts}
        super().__init__(_Names(list(self.parts.values())), self._entry, digest)

    def _entry(self, number: int) -> dict[str, Any]:
        part, place = _place(self.parts.values(), number)
        return part.entry(place)


class _Names(Sequence[str]):
    """Names of levels, as `review.r1`."""

    def __init__(self, parts: Sequence[LevelPart]) -> None:
        self._parts = parts
        self._size = sum(len(part.ids) for part in parts)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: Any) -> Any:
        part, place = _place(self._parts, number)
        return f"{part.factor}.{part.ids[place]}"


def _place(parts: Iterable[LevelPart], number: int) -> tuple[LevelPart, int]:
    for part in parts:
        if number < len(part.ids):
            return part, number
        number -= len(part.ids)
    raise IndexError(number)


class Cells(Mapping[str, Mapping[str, Kept]]):
    """What the tables show of each level of a factor, by its id and the column."""

    def __init__(self, part: LevelPart) -> None:
        """Use the columns of a part."""
        self.columns = {kept_column(part.factor, name): c for name, c in part.kept.items()}
        self._ids = Numbered(part.ids)

    def __len__(self) -> int:
        """Return how many levels there are."""
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        """Yield their ids."""
        return iter(self._ids)

    def __getitem__(self, id_: str) -> Mapping[str, Kept]:
        """Return the cells of one."""
        if not self.columns:
            return {}
        place = self._ids.find(id_)
        if place is None:
            raise KeyError(id_)
        return {name: column[place] for name, column in self.columns.items()}


def kept_column(factor: str, field: str) -> str:
    """Return what the tables call a field that is kept of a factor's rows."""
    return f"{factor}_{field}"


def starts_with(longer: Mapping[str, Any], shorter: Mapping[str, Any]) -> bool:
    """Tell whether the names of one stand at the beginning of the other, in the same order."""
    if len(shorter) > len(longer):
        return False
    return all(one == other for one, other in zip(shorter, longer, strict=False))
