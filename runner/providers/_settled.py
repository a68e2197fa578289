"""What a parameter must not say, and what to say instead: the words that all dialects share.

Each dialect lists its own places (SETTLED, beside its request line); a parameter there would make
the table say what was not sent, or the answer something else than one whole text.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

ANOTHER_MODEL: Final = "use provider.model=…"
ANOTHER_PROMPT: Final = "the persona's, the text's and the question's files say what is asked"
ANOTHER_TEMPERATURE: Final = "use temperatures=[…]"
ANOTHER_CAP: Final = "use provider.max_output_tokens=…"
MORE_ANSWERS: Final = "use trials=…"
AS_JSON: Final = "use question.answer=json"
NO_STREAM: Final = "leave it out: answers are read whole"
NO_STOP: Final = "leave it out: an answer that was cut there would pass for a whole one"
NO_TOOLS: Final = "leave it out: an answer is one text, and what a tool costs is in no price list"
NO_TIER: Final = "leave it out: prices are those of the standard service"
NO_CUT: Final = "leave it out: the text has to be read whole"


def overruling(
    parameters: Mapping[str, Any], settled: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the parameters that would overrule a setting, each with what to say instead.

    A place is the same in any spelling: maxOutputTokens, max_output_tokens. What holds such places
    has to be spelled as the service does, so that it is laid over and not put beside.
    """
    places = {_unspelled(place): instead for place, instead in settled.items()}
    holders = {
        _unspelled(place.rpartition(".")[0]): place.rpartition(".")[0]
        for place in settled
        if "." in place
    }
    for name, value in parameters.items():
        place = _unspelled(name)
        if place in places:
            yield name, places[place]
        elif place in holders and (name != holders[place] or not isinstance(value, Mapping)):
            yield name, f"write {holders[place]}: {{…}}"
        elif place in holders:
            inside = {
                inner.partition(".")[2]: instead
                for inner, instead in settled.items()
                if inner.startswith(f"{holders[place]}.")
            }
            for inner, instead in overruling(value, inside):
                yield f"{name}.{inner}", instead


def spelled_twice(parameters: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield pairs of names that are one place in two spellings; which one counts is not defined."""
    seen: dict[str, str] = {}
    for name, value in parameters.items():
        other = seen.setdefault(_unspelled(name), name)
        if other != name:
            yield f"{path}{name}", f"{path}{other}"
        if isinstance(value, Mapping):
            yield from spelled_twice(value, f"{path}{name}.")


def _unspelled(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum() or c == ".")
