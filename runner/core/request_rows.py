"""Where every request stands, one byte each and counter: a row a condition, or all of them in one piece."""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from runner.core.model import Stem
from runner.core.numbered import Numbered
from runner.core.states import RequestState

PENDING, IN_BATCH, SUCCESS, RETRY_SUCCESS, FAILED, WITHHELD = range(6)
"""Codes of `RequestState` in the arrays, in its order."""

STATES = tuple(RequestState)
UNSENT = (PENDING, WITHHELD)


@dataclass(slots=True)
class Trials:
    """The trials of one condition; index 0 is trial 1."""

    wanted: int
    """Trials in the present configuration; later ones are kept, and asked no more."""
    state: bytearray
    asked: bytearray
    lost: bytearray

    def grow(self, size: int) -> None:
        """Make room for trials up to this number."""
        missing = size - len(self.state)
        if missing > 0:
            for array in (self.state, self.asked, self.lost):
                array.extend(bytes(missing))

    def counted(self) -> list[int]:
        """Count the trials by state; those outside the configuration that were never sent are none."""
        return [
            self.state.count(code, 0, self.wanted if code in UNSENT else len(self.state))
            for code in range(len(STATES))
        ]


class Rows(MutableMapping[Stem, Trials]):
    """The rows of many conditions that have the same number of trials, in three arrays.

    A row that is asked for is a copy: a change takes place when it is set again. One that is not
    like the others is kept beside them.
    """

    def __init__(self, names: Numbered, trials: int) -> None:
        """Start with everything pending."""
        self.names = names
        self.trials = trials
        self.state, self.asked, self.lost = (bytearray(len(names) * trials) for _ in range(3))
        self._own: dict[str, Trials] = {}

    @property
    def is_even(self) -> bool:
        """Tell whether all rows are in the arrays."""
        return not self._own

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.names) + sum(self.names.find(stem) is None for stem in self._own)

    def __iter__(self) -> Iterator[Stem]:
        """Yield the conditions in order, then those of no number."""
        for stem in self.names:
            yield Stem(stem)
        for stem in self._own:
            if self.names.find(stem) is None:
                yield Stem(stem)

    def __getitem__(self, stem: str) -> Trials:
        """Return a row."""
        if stem in self._own:
            return self._own[stem]
        number = self.names.find(stem)
        if number is None:
            raise KeyError(stem)
        here = slice(number * self.trials, (number + 1) * self.trials)
        return Trials(self.trials, self.state[here], self.asked[here], self.lost[here])

    def __setitem__(self, stem: str, row: Trials) -> None:
        """Keep a row as it is now."""
        number = None if stem in self._own else self.names.find(stem)
        if number is None or (row.wanted, len(row.state)) != (self.trials, self.trials):
            self._own[stem] = row
            return
        here = slice(number * self.trials, (number + 1) * self.trials)
        self.state[here], self.asked[here], self.lost[here] = row.state, row.asked, row.lost

    def __delitem__(self, stem: str) -> None:
        """Refuse: what was asked is never forgotten."""
        raise TypeError(stem)

    def counted(self) -> list[int]:
        """Count the trials by state."""
        own = [row.counted() for row in self._own.values()]
        assert not own
        return [self.state.count(code) for code in range(len(STATES))]
