"""What a setting's text means, by the schema: text stays as it stands, numbers are written plainly.

YAML and Hydra both turn words into other things without being asked (12:30 into 750, 1_000 into
1000, no into false). Here the schema decides: where it wants text, the characters are the text; where
it wants a number or a truth, one plain spelling is taken and every other one is refused.
"""

import re
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from runner.config import options
from runner.config.schema import (
    GROUPS,
    LABELS,
    ROWS,
    TRIALS,
    WORDS,
    Config,
    ModelConfig,
    ProviderConfig,
    TrialsConfig,
)
from runner.core.errors import ConfigError

NOTHING = ("", "~", "null", "Null", "NULL")
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_NO_NUMBER = re.compile(r"([+-]?\.?inf(inity)?|\.?nan)", re.IGNORECASE)
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_ODD = re.compile(
    r"[+-]?0[0-9_]+|[+-]?0[xX][0-9a-fA-F_]+|[+-]?0[oO][0-7_]+|[+-]?0[bB][01_]+"
    r"|[+-]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9_]+)?|[+-]?[0-9_]*\.[0-9]*_[0-9_]*"
    r"|[+-]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|yes|no|on|off",
    re.IGNORECASE | re.ASCII,
)
"""What YAML or Hydra would take for a number or a truth, though few people would."""
_RETYPED = re.compile(
    r"true|false|[+-]?([0-9][0-9_]*|[0-9_]*\.[0-9_]+|[0-9][0-9_]*\.)(e[+-]?[0-9_]+)?|[+-]?inf|nan",
    re.IGNORECASE | re.ASCII,
)
"""What Hydra takes for something else than text, unless it is quoted."""
_SAME_AGAIN = re.compile(r"[0-9]+|-[1-9][0-9]*", re.ASCII)
"""What of that comes out as the same characters."""
_PLAIN_TEXT = re.compile(r"[^\[\]{}()'\"\\$,=]*")


ROOT = tuple(f.name for f in fields(Config))
"""The settings and sections at the root of a configuration."""


class Words:
    """Stands for the type of a setting that is nothing, one word or several."""


class Label:
    """Stands for the type of a label: a text, or one a language."""


class Trials:
    """Stands for the type of `trials`: a whole number, or what `TrialsConfig` has."""


def inner(kind: Any, key: str) -> Any:
    """Return the type of what stands under a key of a mapping or in a list; Any when unknown."""
    bare: Any = without_none(kind)[0]
    bare = TrialsConfig if bare is Trials else bare
    if isinstance(bare, type) and is_dataclass(bare):
        own = options.types() if bare is ProviderConfig else {}
        return own.get(key) or _fields(bare).get(key, Any)
    if get_origin(bare) in (dict, list):
        return get_args(bare)[-1]
    return bare if bare in (Words, Label) else Any


NAMED, LISTED, SINGLE = "names with values", "a list", "a single value"
"""What a setting may look like in YAML."""


def shape_of(kind: Any) -> str | None:
    """Return what a setting of a type has to look like; None where it may be anything."""
    bare: Any = without_none(kind)[0]
    if (isinstance(bare, type) and is_dataclass(bare)) or get_origin(bare) is dict:
        return NAMED
    if get_origin(bare) is list:
        return LISTED
    return SINGLE if bare in (str, int, float, bool) else None


def example_of(kind: Any, path: str) -> str:
    """Return how a setting of a type is written."""
    shape, section = shape_of(kind), path.split(".", maxsplit=1)[0]
    if section in ("items", "question") and path.endswith(".anchors"):
        return "{1: never, 7: always}"
    if section == "items" and shape == NAMED:
        whole = path == "items"
        return "{mood: {ask: How do you feel?}}" if whole else "{ask: How do you feel?}"
    if section.startswith("messages[") and ".images" in path:  # braces without quotes are no text
        return '["{picture.file}"]' if shape == LISTED else '"{picture.file}"'
    if section == "messages":
        return "[{role: user, content: …}]" if shape == LISTED else "{role: user, content: …}"
    return {NAMED: "{name: value}", LISTED: "[a, b]"}.get(shape or "", path.rpartition(".")[2])


def at(path: str) -> Any:
    """Return the type of a setting, by its full name as provider.price.source; Any when unknown."""
    kind: Any = Config
    for key in path.split(".") if path else ():
        kind = inner(kind, key)
    return kind


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    marked = [(WORDS, Words), (LABELS, Label), (TRIALS, Trials), (ROWS, list[ModelConfig])]
    return {
        f.name: next((type_ for mark, type_ in marked if f.metadata == mark), hints[f.name])
        for f in fields(kind)
    }


def without_none(kind: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether None is allowed."""
    if get_origin(kind) not in (Union, UnionType):
        return kind, kind is Words
    (only,) = (part for part in get_args(kind) if part is not NoneType)
    return only, True


def meant(text: str, kind: Any, where: str, *, quoted: bool) -> Any:
    """Return what a scalar of a YAML file means where the schema wants a type.

    Args:
        text: its characters, without quotes.
        kind: the type.
        where: names the setting, for the error.
        quoted: whether it had quotes, or is a block of text.

    Raises:
        ConfigError: when it is no plain spelling of that type.
    """
    bare, optional = without_none(kind)
    if not quoted and text in NOTHING:
        return text if bare in (str, Label) and text and not optional else None
    if text == "???" or "${" in text or bare in (str, Words, Label):
        return text
    if bare in (int, Trials):
        return int(_plainly(_WHOLE, text, where, "Integer; allowed: plain digits, as 10"))
    if bare is float:
        if _NO_NUMBER.fullmatch(text):  # not finite: its range is checked with the others
            return float(text.replace(".", ""))
        return float(_plainly(_NUMBER, text, where, "Float; allowed: plain digits, as 0.7"))
    if bare is bool:
        if text.lower() in _TRUTHS:
            return _TRUTHS[text.lower()]
        raise ConfigError(f"{where}: {text!r} is no bool; allowed: true or false")
    return text if quoted else _anything(text, where)


def _plainly(pattern: re.Pattern[str], text: str, where: str, wanted: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ConfigError(f"{where}: {text!r} is no {wanted}")
    return text


def _anything(text: str, where: str) -> Any:
    """Return what an unquoted word means where anything may stand."""
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    if _ODD.fullmatch(text):
        raise ConfigError(
            f"{where}: {text} can be read in two ways; put quotes around it if it is text, write a "
            "number in plain digits, and a truth as true or false"
        )
    if _NUMBER.fullmatch(text):
        return float(text)
    if _NO_NUMBER.fullmatch(text) and text.lstrip("+-")[0] == ".":
        return float(text.replace(".", ""))
    return text


# -- on the command line, in Hydra's grammar


def as_typed(word: str) -> str:
    """Return an override with quotes around text that Hydra would take for something else.

    Raises:
        ConfigError: a number or a truth that is not written plainly.
    """
    name, equals, value = word.partition("=")
    path = name.lstrip("+")
    if not equals or path in GROUPS or path.split(".")[0] not in ROOT or "(" in value:
        return word  # a choice of files, a setting of Hydra, or one of its functions
    kind = at(path)
    return f"{name}={','.join(_quoted(part, kind, path) for part in _split(value, ','))}"


def _quoted(text: str, kind: Any, where: str) -> str:
    """Return one value in Hydra's grammar as it has to be written to be of a type."""
    bare, optional = without_none(kind)
    value = text.strip()
    if value[:1] == "[" and value[-1:] == "]":
        items = (_quoted(item, inner(bare, ""), where) for item in _split(value[1:-1], ","))
        return f"[{','.join(items)}]"
    if value[:1] == "{" and value[-1:] == "}":
        return "{" + ",".join(_pair(pair, bare, where) for pair in _split(value[1:-1], ",")) + "}"
    if not _PLAIN_TEXT.fullmatch(value):
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        if is_quoted and bare in (int, float, bool, Trials):
            meant(value[1:-1], kind, where, quoted=True)
        return text
    if bare in (str, Words, Label):
        return f"'{value}'" if _RETYPED.fullmatch(value) else text
    if value or not optional:
        meant(value, kind, where, quoted=False)
    return text


def _pair(text: str, kind: Any, where: str) -> str:
    key, colon, value = text.partition(":")
    name = key.strip()
    if _RETYPED.fullmatch(name) and not _SAME_AGAIN.fullmatch(name):
        raise ConfigError(
            f"{where}: Hydra would take the key {name} for something else; write it into a YAML file"
        )
    return f"{key}{colon}{_quoted(value, inner(kind, name), f'{where}.{name}')}" if colon else text


def _split(text: str, at_sign: str) -> list[str]:
    """Split at a sign that stands in no bracket and in no quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for index, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and text[index - 1] != "\\" else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == at_sign and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]]
