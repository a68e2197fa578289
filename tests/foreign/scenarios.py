"""How other people's servers end a batch: hooks to build scenarios from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.foreign.server import NOT_FOUND, Ask, Json, Reply, Scenario, json_reply, no, ok

WELL = Scenario()
FILES = ("output_file_id", "error_file_id")
EVER = 10**9


# -- which lines there are


def dropped(ask: Ask) -> tuple[str, Json] | None:
    """The last of four lines is lost, the first time it is asked."""
    return None if ask.number == 3 and ask.times == 1 else ("output", ok(ask.custom_id))


def refused_third(ask: Ask) -> tuple[str, Json]:
    """The third is filtered, which stands in the error file."""
    if ask.number == 2:
        return "error", no(ask.custom_id, 400, "content_filter", "filtered")
    return "output", ok(ask.custom_id)


# -- what is said of a batch; only of the first one, so that what is asked again is well


def said(change: Callable[[Json, int], Json | Reply | None], **more: Any) -> Scenario:
    """Change what is said of the first batch; gets the object, and how often it was asked for."""

    def batch(shown: Json, polled: int, nth: int) -> Json | Reply:
        return shown if nth or (changed := change(shown, polled)) is None else changed

    return Scenario(batch=batch, **more)


def late(polls: int, *names: str, **always: Any) -> Scenario:
    """Files that are named so many polls after the batch is completed; `always` is said anyhow."""
    missing = dict.fromkeys(names or FILES)
    return said(lambda shown, polled: shown | always | (missing if polled <= polls else {}))


def counting(counts: Any, polls: int = EVER) -> Scenario:
    """Counts that are others; a dict changes some of them, anything else stands in their place."""

    def change(shown: Json, polled: int) -> Json | None:
        own = counts
        if isinstance(counts, dict):
            own = shown["request_counts"] | counts
        return shown | {"request_counts": own} if polled <= polls else None

    return said(change)


def without_counts() -> Scenario:
    return said(lambda shown, _: {k: v for k, v in shown.items() if k != "request_counts"})


def going_on_after(polls: int, again: int) -> Scenario:
    """Completed without files, then in progress again, then completed with them."""

    def change(shown: Json, polled: int) -> Json | None:
        if polled <= polls:
            return shown | dict.fromkeys(FILES)
        if polled <= polls + again:
            return shown | dict.fromkeys(FILES) | {"status": "in_progress"}
        return None

    return said(change)


def gone(*, listed: bool, polls: int = EVER) -> Scenario:
    """A batch that cannot be retrieved for so many polls."""
    lost = json_reply(NOT_FOUND, 404)
    return said(lambda _, polled: lost if 0 < polled <= polls else None, listed=lambda _: listed)


# -- what is downloaded


def cut(times: int, keep: Callable[[bytes], bytes | Reply], kind: str = "output") -> Scenario:
    """Downloads that bring something else so many times, always the same."""
    return Scenario(
        download=lambda which, content, nth: (
            keep(content) if nth < times and which == kind else content
        )
    )


def lines(count: int) -> Callable[[bytes], bytes]:
    """Only so many lines, cut where one ends."""
    return lambda content: b"".join(content.splitlines(keepends=True)[:count])


def in_mid_line(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def nothing(_: bytes) -> bytes:
    return b""


def not_found(_: bytes) -> Reply:
    return json_reply(NOT_FOUND, 404)


def both(one: Scenario, other: Scenario) -> Scenario:
    """Two oddities at once: the hooks that the second one sets, and the others of the first."""
    own = {n: f for n, f in vars(other).items() if f is not vars(WELL)[n]}
    return replace(one, **own)
