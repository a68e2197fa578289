"""In which order a trial shows the items and the options: drawn once for ever, from seed and name.

The same trial of the same condition has the same order in every attempt, whatever is asked beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from runner.core.model import BETWEEN, Order, QuestionSet, Shuffle

ITEMS = "items"
"""Names the order of the items, where a question's id names that of its options."""


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Ids that each trial shows in an order of its own."""

    how: Order
    """`random`: every order is as likely as any other. `latin`: over as many trials as there are ids
    (twice as many, for an odd number) each stands in each place equally often, and behind each other
    one equally often (Williams, 1949); conditions begin at different rows of the square."""
    seed: int
    what: str
    """Whose order it is: `items`, or a question."""
    ids: tuple[str, ...]
    """In their own order."""

    @property
    def column(self) -> str:
        """Return what the tables call it."""
        return f"{self.what}_order"

    def order(self, stem: str, trial: int) -> tuple[str, ...]:
        """Return the ids as a trial, from 1, of a condition shows them."""
        if self.how is Order.FIXED or len(self.ids) < 2:
            return self.ids
        if self.how is Order.RANDOM:
            return _drawn(f"{self.seed}\0{self.what}\0{stem}\0{trial}", self.ids)
        base = _drawn(f"{self.seed}\0{self.what}", self.ids)
        rows = _williams(len(base))
        first = _digest(f"{self.seed}\0{self.what}\0{stem}")
        return tuple(base[place] for place in rows[(first + trial - 1) % len(rows)])

    def shown(self, stem: str, trial: int) -> str:
        """Return the same as tables have it."""
        return BETWEEN.join(self.order(stem, trial))


def arranged(questions: QuestionSet, shuffle: Shuffle, stem: str, trial: int) -> QuestionSet:
    """Return the questions as a trial of a condition shows them."""
    known = {}
    for question in questions.questions:
        offered = {option.id: option for option in question.options}
        options = Shuffled(shuffle.options, shuffle.seed, question.id, tuple(offered))
        in_order = tuple(offered[id_] for id_ in options.order(stem, trial))
        known[question.id] = replace(question, options=in_order)
    items = Shuffled(shuffle.items, shuffle.seed, ITEMS, tuple(known))
    return replace(questions, questions=tuple(known[id_] for id_ in items.order(stem, trial)))


def _drawn(seed: str, ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(ids, key=lambda id_: _digest(f"{seed}\0{id_}")))


def _digest(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def _williams(count: int) -> list[list[int]]:
    """Return the rows of a Latin square in which each place follows each other one equally often."""
    zigzag = [n // 2 if n % 2 == 0 else count - 1 - n // 2 for n in range(count)]
    rows = [[(place + step) % count for place in zigzag] for step in range(count)]
    return rows if count % 2 == 0 else [row[::turn] for row in rows for turn in (1, -1)]
