"""Lists of a service, page by page, and whether they prove that something is not there."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from typing import Any

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import JsonObject
from runner.providers._lines import word
from runner.providers._stainless import field, id_of, items_of

_A_WHOLE_LIST = 20
"""No service gives less than this at once, so that a shorter list is whole."""

MOST_PAGES = 1_000
"""A list that is longer is taken for one without an end."""


def without_end(pages: int) -> None:
    """Stop at a list that never ends: each of its pages may name something new.

    Raises:
        ProviderReplyUnreadable: it has had too many pages; so it proves nothing.
    """
    if pages >= MOST_PAGES:
        raise ProviderReplyUnreadable(
            f"a list that goes on after {pages:,} pages, so that what is not on it cannot be told"
        )


CLOCKS_DIFFER = 86_400.0
"""Seconds by which the clock of a service may be off."""

Next = tuple[bool | None, Callable[[], Any] | None]
"""Whether a page says that the list goes on (None: it does not say), and the call for the rest."""


class Listing:
    """All that a list names, over all its pages."""

    def __init__(self, ask: Callable[[], Any], next_of: Callable[[Any], Next]) -> None:
        """Take the call for the first page, and how a page leads to the next."""
        self._ask = ask
        self._next_of = next_of
        self.is_whole = True
        """False when it was read as far as it goes, and may go on all the same."""

    def __iter__(self) -> Iterator[Any]:
        """Yield what the pages name, each once.

        Raises:
            ProviderReplyUnreadable: when a page is none; half a list proves nothing.
        """
        seen: set[str] = set()
        pages = 0
        ask: Callable[[], Any] | None = self._ask
        while ask is not None:
            without_end(pages)
            pages += 1
            try:
                page = ask()
            except (AttributeError, TypeError):  # what the SDK makes of a reply that is no object
                page = None
            data = items_of(page)
            new = {id_of(thing): thing for thing in data if id_of(thing) not in seen}
            yield from new.values()
            more, ask = self._next_of(page)
            if more and (ask is None or not new):
                raise ProviderReplyUnreadable("a list that says it goes on, and does not")
            if more is False or not data:
                return
            if more is None and (ask is None or not new):
                is_last_of_several = bool(seen and new)
                self.is_whole = is_last_of_several or len(data) < _A_WHOLE_LIST
                return
            seen |= new.keys()


def pages_by_token(
    ask: Callable[[str | None], JsonObject],
    name: str,
    token_name: str = "pagination_token",  # noqa: S107 - no secret
    *,
    filtered: bool = False,
) -> Iterator[JsonObject]:
    """Yield the objects on all pages of a list whose pages name the next one by a token.

    Args:
        ask: makes the call for the page of a token; None for the first.
        name: where a page has its objects.
        token_name: where it has the token of the next page.
        filtered: whether a page may have no objects, and the next one some.

    Raises:
        ProviderReplyUnreadable: when a page is none; half a list proves nothing.
    """
    token: str | None = None
    seen: set[str] = set()
    for pages in count():
        without_end(pages)
        page = ask(token)
        rows, token = page.get(name), word(page.get(token_name)) or None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProviderReplyUnreadable(f"a list without {name}")
        if token is not None and (token in seen or not (rows or filtered)):
            raise ProviderReplyUnreadable("a list that says it goes on, and does not")
        yield from rows
        if token is None:
            return
        seen.add(token)


def cursor_of(page: Any) -> str | None:
    """Return what names the next page at services that page by cursor."""
    return word(field(field(page, "paging"), "next_cursor")) or None


def reach_back(dates: Sequence[float | None], sent_at: float | None) -> bool:
    """Tell whether a list that comes newest first goes back to before an order was sent."""
    known = [date for date in dates if date is not None]
    if sent_at is None or not known or len(known) != len(dates):
        return False
    newest_first = all(newer >= older for newer, older in pairwise(known)) and known[0] > known[-1]
    return newest_first and known[-1] <= sent_at - CLOCKS_DIFFER
