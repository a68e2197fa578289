"""Many names by their numbers, and the number of each: some bytes a name, where a dict has a hundred."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any


class Numbered(Sequence[str]):
    """Names by their numbers; looked for in their order, they are found without any index."""

    def __init__(self, names: Sequence[str]) -> None:
        """Look at no name before it is needed."""
        self._names = names
        self._size = len(names)
        self._last = -1
        self._name: str | None = None
        self._slots: array[int] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)

    def __getitem__(self, number: Any) -> Any:
        """Return one name."""
        return self._names[number]

    def find(self, name: str) -> int | None:
        """Return the number of a name; None where there is none of it."""
        if name == self._name:
            return self._last
        following = self._last + 1
        if following < self._size and self._names[following] == name:
            number: int | None = following
        else:
            number = self._found(name)
        if number is not None:
            self._last, self._name = number, name
        return number

    def twins(self) -> tuple[int, int] | None:
        """Return the numbers of two names that are the same; None where all differ."""
        return next(self._indexed(), None)

    def _found(self, name: str) -> int | None:
        if self._slots is None:
            for _ in self._indexed():
                pass
        assert self._slots is not None
        mask = len(self._slots) - 1
        slot = hash(name) & mask
        while taken := self._slots[slot]:
            if self._names[taken - 1] == name:
                return taken - 1
            slot = (slot + 1) & mask
        return None

    def _indexed(self) -> Iterator[tuple[int, int]]:
        """Make the index, open addressing in one array; yield names that stand twice."""
        size = 1 << (len(self._names) * 3 // 2 + 1).bit_length()
        slots, mask, names = array("I", bytes(4 * size)), size - 1, self._names
        for number, name in enumerate(names):
            slot = hash(name) & mask
            while taken := slots[slot]:
                if names[taken - 1] == name:
                    yield taken - 1, number
                    break
                slot = (slot + 1) & mask
            else:
                slots[slot] = number + 1
        self._slots = slots
