"""What the lines of every batch file have in common: a body laid over, a reply that may be anything.

Pure.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import JsonObject, Usage
from runner.providers.base import json_value, said


def overlaid(body: JsonObject, parameters: Mapping[str, Any]) -> JsonObject:
    """Lay more parameters over a body, level by level."""
    both = {
        name: overlaid(body[name], value)
        for name, value in parameters.items()
        if isinstance(value, Mapping) and isinstance(body.get(name), dict)
    }
    return body | dict(parameters) | both


def object_of(line: bytes) -> JsonObject:
    """Read a result line as far as being a JSON object.

    Raises:
        ProviderReplyUnreadable: when it is none.
    """
    try:
        value = json_value(line)
    except ValueError as error:
        raise ProviderReplyUnreadable(
            f"a result line that is not JSON: {said(error, None)}"
        ) from None
    if not isinstance(value, dict):
        raise ProviderReplyUnreadable(
            f"a result line that is {type(value).__name__}, not an object"
        )
    return value


def json_of(value: Any) -> bytes:
    """Write a value that `json_value` read as one line of JSON: also half a surrogate pair."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def word(value: Any) -> str | None:
    """Return a text; None for whatever else stands in its place."""
    return value if isinstance(value, str) else None


_MOST: Final = 2**53
"""What a table can hold without rounding."""


def count(value: Any) -> int | None:
    """Return a number of things, if it is one that a table can hold."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST:
        return value
    return None


def tally(value: Any) -> int | None:
    """Return a count that a service made; some write it as text, and -1 where it is unknown."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    return count(value)


def tokens(value: Any) -> int | None:
    """Return a number of tokens, also one with a decimal point; None for whatever else is there."""
    if type(value) is int:  # as almost always
        return value if 0 <= value < _MOST else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return count(value)


def parts_of(usage: JsonObject, *names: str) -> int:
    """Return the largest of some numbers, each of which tells the same; 0 where none is told."""
    most = 0
    for name in names:
        if (told := usage.get(name)) and (number := tokens(told)) and number > most:
            most = number
    return most


def usage_with_cache(
    *, input_tokens: int, output_tokens: int, parts: tuple[int, int, int]
) -> Usage | None:
    """Return what was used; None when it is more than a table can hold.

    Args:
        input_tokens: all of it; where it is less than its parts, it was told without them.
        output_tokens: all of it.
        parts: what a cache had of the input, what it took for minutes, and for an hour.
    """
    read, write, write_1h = parts
    of_cache = read + write + write_1h
    whole = input_tokens if input_tokens >= of_cache else input_tokens + of_cache
    if count(whole) is None or count(output_tokens) is None:
        return None
    return Usage(
        input_tokens=whole,
        output_tokens=output_tokens,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
    )


def told(value: Any) -> str:
    """Return a word or a number that a service gave; what is nested is left in the raw file."""
    return said(value, None) if isinstance(value, str | int | float) else "no reason given"


_FAR_AHEAD: Final = 1e11
"""Seconds after 1970 that are the year 5138; a number beyond is of milliseconds."""


def seconds(value: Any) -> float | None:
    """Coerce a time: compatible services send strings, and one of them milliseconds."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return number / 1000 if number >= _FAR_AHEAD else number


def moment(value: Any) -> float | None:
    """Read a time, in seconds since 1970, as a service writes it in words."""
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        stamp = date.timestamp()
    except (ValueError, OverflowError):
        return None
    return stamp if math.isfinite(stamp) else None


def reason_in(body: JsonObject) -> str | None:
    """Return what an error's body says went wrong, in the words of whichever service."""
    error = body.get("error")
    places = (error, body) if isinstance(error, dict) else (body,)
    for place in places:
        for name in ("message", "error", "detail"):
            if isinstance(text := place.get(name), str) and text:
                return said(text, None)
    return None


def places_of_text(thing: JsonObject, known: frozenset[str], path: str = "") -> str:
    """Name the undocumented fields that hold text."""
    strange = (name for name, value in thing.items() if name not in known and holds_text(value))
    return ", ".join(f"{path}{said(name, None, 40)}" for name in strange)


def holds_text(value: Any) -> bool:
    """Tell whether any text stands in a value, however deep."""
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, dict):
        return any(map(holds_text, value.values()))
    return isinstance(value, list) and any(map(holds_text, value))
