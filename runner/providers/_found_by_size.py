"""Batches without a name: one of ours is known by its time and size, and then by its custom_ids.

For services where the requests travel with the order, and whose list tells nothing of what is in a
batch: a run has no two batches of one size in flight, and results prove whose a batch is.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO, Final

from runner.core.errors import ProviderError, ProviderReplyUnreadable, ProviderUndecided
from runner.core.model import Batch, RemoteId
from runner.core.twins import Made
from runner.providers._lines import object_of
from runner.providers._lists import CLOCKS_DIFFER, without_end
from runner.providers._orders import custom_ids_in
from runner.providers.base import said

_ID: Final = re.compile(r"[A-Za-z0-9][\w.:~-]{0,254}", re.ASCII)
_FAR_BACK: Final = 3600.0
"""Seconds before that; where a page of the list, newest first, ends there, no more are read."""
LINES_LOOKED_AT: Final = 100
"""Result lines that are not ours after which the whole batch is another's."""
_CHUNK: Final = 1 << 20
_ONE_IS_OPEN: Final = (
    "1 batch at {where} could be {key} ({names}): it has {count} requests and was made at that "
    "time; when it ends, the custom_ids in its results tell"
)
_MANY_ARE_OPEN: Final = (
    "{many} batches at {where} could be {key} ({names}): all have {count} requests and were made "
    "at that time; when they end, the custom_ids in their results tell"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list says of a batch, whoever made it."""

    remote: RemoteId
    count: int | None
    """How many requests it has; None: not told; a number that no batch has: it is none of ours."""
    made_at: float | None
    """By the provider's clock; None: not told."""
    is_over: bool
    """Whether its results can be read."""
    answered: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list that comes newest first."""

    batches: list[Listed]
    more: object
    """True or False: whether the list goes on; whatever else stands there says nothing."""
    ahead: float
    """How many seconds this machine's clock is ahead of the provider's."""


def remote_id(value: str) -> RemoteId:
    """Return an id, which will be part of an address.

    Raises:
        ProviderReplyUnreadable: when it cannot be.
    """
    if _ID.fullmatch(value) is None:
        raise ProviderReplyUnreadable(f"a reply with an id that is none: {said(value, None, 40)}")
    return RemoteId(value)


def seconds_ahead(headers: Mapping[str, str]) -> float:
    """Return how far this machine's clock is ahead of the provider's."""
    try:
        theirs = parsedate_to_datetime(headers.get("date") or "").timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, time.time() - theirs)


def made_since(sent_at: float, page_after: Callable[[RemoteId | None], Page]) -> Iterator[Listed]:
    """Yield the batches on a list that were made since an order; it is read to its end.

    Args:
        sent_at: when the order was sent, by this machine's clock.
        page_after: asks for the page that follows a batch, or for the first one.

    Raises:
        ProviderReplyUnreadable: when it cannot be; half a list proves nothing.
    """
    cursor: RemoteId | None = None
    seen: set[str] = set()
    for pages in count():
        without_end(pages)
        page = page_after(cursor)
        since = sent_at - CLOCKS_DIFFER - page.ahead
        yield from (one for one in page.batches if one.made_at is None or one.made_at >= since)
        last = page.batches[-1] if page.batches else None
        if page.more is False or (last and (last.made_at or since) < since - _FAR_BACK):
            return
        if page.more is not True or last is None or last.remote in seen:
            raise ProviderReplyUnreadable("a list that does not say how it goes on")
        cursor = last.remote
        seen.add(cursor)


def found(
    batch: Batch,
    path: Path,
    candidates: Iterable[Listed],
    *,
    where: str,
    holds: Callable[[Collection[str], RemoteId], bool],
) -> Made | None:
    """Tell which of some batches was made of an order.

    Args:
        batch: the one in doubt.
        path: its request file.
        candidates: what was made since, and is no other batch of ours.
        where: the service's name.
        holds: tells by its results whether a batch has custom_ids of ours.

    Raises:
        ProviderUndecided: one that has not ended, or cannot be read, may be it.
    """
    fitting = {one.remote: one for one in candidates if one.count in (batch.count, None)}
    oldest_first = sorted(fitting, key=lambda remote: fitting[remote].made_at or 0.0)
    ended = [remote for remote in oldest_first if fitting[remote].is_over]
    ours = custom_ids_in(path) if ended else set()
    unread: dict[RemoteId, str] = {}
    proved: list[RemoteId] = []
    for remote in ended:
        try:
            proved += [remote] if holds(ours, remote) else []
        except ProviderError as error:
            unread[remote] = str(error)
    if proved:
        taken = max(proved, key=lambda remote: fitting[remote].answered)
        return Made(taken, tuple(remote for remote in proved if remote != taken))
    running = [remote for remote in oldest_first if remote not in ended]
    if running or unread:
        question = _open_question(batch, where, running, unread)
        raise ProviderUndecided(question, (*running, *unread))
    return None


def any_is_ours(ours: Collection[str], lines: Iterable[bytes]) -> bool:
    """Tell by the first result lines of a batch whether it holds our requests.

    Raises:
        ProviderReplyUnreadable: when there is no result line.
    """
    others = 0
    for line in islice(lines, LINES_LOOKED_AT):
        try:
            custom_id = object_of(line).get("custom_id")
        except ProviderReplyUnreadable:
            continue
        if isinstance(custom_id, str):
            if custom_id in ours:
                return True
            others += 1
    if not others:
        raise ProviderReplyUnreadable("results: no result line")
    return False


def order_of(opening: bytes, requests: BinaryIO, size: int, closing: bytes) -> Iterator[bytes]:
    """Yield the body of an order: the request lines as they are, commas between them."""
    yield opening
    left = size - 1  # the last newline has no line behind it
    while left > 0 and (chunk := requests.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk.replace(b"\n", b",")
    yield closing


def length_of(opening: bytes, size: int, closing: bytes) -> str:
    """Return how long such a body is, as a header says it."""
    return str(len(opening) + size - 1 + len(closing))


def _open_question(
    batch: Batch, where: str, running: list[RemoteId], unread: Mapping[RemoteId, str]
) -> str:
    """Say which batches may be the one in doubt, and when that will be known."""
    parts = []
    if running:
        how = _ONE_IS_OPEN if len(running) == 1 else _MANY_ARE_OPEN
        told = {"where": where, "key": batch.key, "names": ", ".join(running)}
        parts.append(how.format(**told, many=len(running), count=batch.count))
    parts += [
        f"{remote} at {where} could be {batch.key}, and its results cannot be read ({reason})"
        for remote, reason in unread.items()
    ]
    return "; ".join([*parts, "until then it is not sent again"])
