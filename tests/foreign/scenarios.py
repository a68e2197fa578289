"""Scenarios by name: how other people's servers end a batch."""

from collections.abc import Callable
from typing import Any

from tests.foreign.server import NOT_FOUND, Ask, Json, Reply, Scenario, json_reply, no, ok

WELL = Scenario()


def late(polls: int, *names: str) -> Scenario:
    """Files that are named some polls after the batch is completed."""

    def batch(shown: Json, polled: int, nth: int) -> Json:
        if polled <= polls and nth == 0:
            shown |= dict.fromkeys(names or ("output_file_id", "error_file_id"))
        return shown

    return Scenario(batch=batch)


def counting(**counts: Any) -> Callable[[Json, int, int], Json]:
    """Counts of one's own; `none=True` leaves them out."""

    def batch(shown: Json, _: int, __: int) -> Json:
        shown["request_counts"] = None if counts.get("none") else shown["request_counts"] | counts
        return shown

    return batch


def dropped(ask: Ask) -> tuple[str, Json] | None:
    """The last of four lines is lost, the first time it is asked."""
    return None if ask.number == 3 and ask.times == 1 else ("output", ok(ask.custom_id))


def refused_third(ask: Ask) -> tuple[str, Json]:
    if ask.number == 2:
        return "error", no(ask.custom_id, 400, "content_filter", "filtered")
    return "output", ok(ask.custom_id)


def cut(times: int, keep: Callable[[bytes], bytes]) -> Scenario:
    """Downloads that end early, always in the same way."""
    return Scenario(download=lambda _, content, nth: keep(content) if nth < times else content)


def lines(count: int) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(content.splitlines(keepends=True)[:count])


def gone(*, listed: bool, after: int = 0) -> Scenario:
    """A batch that cannot be retrieved any more."""

    def batch(shown: Json, polled: int, _: int) -> Json | Reply:
        return json_reply(NOT_FOUND, 404) if polled > after else shown

    return Scenario(batch=batch, listed=lambda _: listed)
