"""What the brackets of a form ask for: a number, an option, several, an order, words or an object."""

import re
from dataclasses import dataclass
from typing import Any

_SCALE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:[-–~〜～ー]|to)\s*(-?\d+(?:\.\d+)?)")
BRACKETS = re.compile(r"[\[［](.+)[\]］]")
_SEVERAL = re.compile(
    r"(?:choose|次から) ?(?P<low>\d+)(?:-(?P<high>\d+))?(?:個選ぶ| of)(?:（[^（）]*）|, or none)?: ?(?P<options>.+)",
    re.IGNORECASE,
)
_ORDER = re.compile(r"[^:]*(?:in order|順)[^:]*: ?(?P<options>.+)", re.IGNORECASE)
_WORDS = re.compile(r".*\b(?:words?|text)\b.*|.*(?:記述|文章|自由).*", re.IGNORECASE)
_OBJECT = re.compile(r".*JSON.*")


@dataclass(frozen=True, slots=True)
class Slot:
    """What is asked for; low and high are bounds, or how many of the options."""

    kind: str = "one"
    low: float = 0
    high: float = 100
    options: tuple[str, ...] = ()
    schema: Any = None


def slot_of(written: str) -> Slot:
    """Return what a slot asks for, as `[0-100]` or `[yes / no]`."""
    inside = BRACKETS.fullmatch(written)
    text = inside[1] if inside else written
    if several := _SEVERAL.fullmatch(text):
        low = int(several["low"])
        return Slot("several", low, int(several["high"] or low), _listed(several["options"]))
    if order := _ORDER.fullmatch(text):
        return Slot("order", options=_listed(order["options"]))
    options = _alternatives(text) if inside else ()
    scale = _SCALE.search(text)
    if options and scale is None:
        return Slot("one", 1, len(options), options)
    if scale:
        low_, high = _number(scale[1]), _number(scale[2])
        return Slot("one", low_, max(high, low_ + 1))
    if inside and _OBJECT.fullmatch(text):
        return Slot("object")
    return Slot("words") if inside and _WORDS.fullmatch(text) else Slot()


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _listed(text: str) -> tuple[str, ...]:
    between = "; " if "; " in text else ", "
    return tuple(word.strip() for word in text.split(between) if word.strip())


def _alternatives(text: str) -> tuple[str, ...]:
    """Return the words of a slot like `yes / no`; none for any other."""
    words = [word.strip() for word in text.split(" | " if " | " in text else " / ")]
    return tuple(words) if len(words) > 1 and all(words) else ()
