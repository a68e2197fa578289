"""Finds the lines of an answer that announce a value or a reason, by ordered named patterns.

The patterns are run by an engine that never backtracks (RE2), all of them in one pass; which of
them it was is looked up by what was matched, so that a usual line costs one search.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import re2

from runner.core.errors import ConfigError
from runner.core.extract.names import Names, folded, linear
from runner.core.extract.regex import regex
from runner.core.model import Pattern, PatternKind

MOST_MARKS = 4000
"""An answer that announces more often than this says nothing that could be trusted."""
LONGEST_HEAD = 1000
"""Bytes; what announces nothing for so long is none of ours."""


@dataclass(frozen=True, slots=True)
class Finder:
    """A compiled pattern; rank 0 is tried first."""

    name: str
    rank: int
    group: str
    """value, reason or end: what it announces."""
    kind: PatternKind
    regex: "re2._Regexp"
    names: tuple[tuple[str, Mapping[str, str]], ...]
    """The groups that name a question, and whom their words mean; empty for a bare one."""
    placed: bool
    """Whether it says where something begins; a heading and an end do not."""
    place: int = 0
    """The number of the group that begins there."""
    only: tuple[str, ...] = ()
    """The question of a set of one, for a pattern that may leave out its name."""


@dataclass(slots=True)
class Mark:
    """A line that announces something; places are in characters of the text."""

    finder: Finder
    questions: tuple[str, ...]
    """One question; none for a bare one; two when id and label contradict each other."""
    line: int
    begin: int
    end: int
    """Of the line."""
    after_blank: bool
    has_id: bool = False


STRANGER: Final = Finder("stranger", 0, "end", PatternKind.LINE, linear(""), (), placed=False)
"""A heading or the like that no pattern knows: what stands below belongs to no question."""
RULE: Final = Finder("rule", 0, "end", PatternKind.LINE, linear(""), (), placed=False)
"""A line drawn, or a fence: no reason goes on behind it."""

_Hit = tuple[Finder, tuple[str, ...], int, bool]
"""A finder, whom it names, after how many bytes of the line the value or reason begins, and
whether an id named it."""


class Matcher:
    """Finds marks; compiled once, remembers only what the beginnings of lines mean."""

    def __init__(self, names: Names, patterns: Mapping[str, Sequence[Pattern]]) -> None:
        """Compile the patterns.

        Args:
            names: what questions are called.
            patterns: by what they announce; those that come first are tried first.

        Raises:
            ConfigError: names the pattern that cannot be used, and the part.
        """
        self._names = names
        known = set(names.ids.values())
        self._only = tuple(known) if len(known) == 1 else ()
        self._finders = tuple(
            finder for group, of_it in patterns.items() for finder in self._compile(group, of_it)
        )
        each = "|".join(f"(?:{_bare(f)})" for f in self._finders) or _NOTHING
        self._all = linear(f"(?m)^{BULLET}(?:{each}|{_NUMBERING}(?:{each}))", capture=False)
        self._bullet, self._numbering = linear(BULLET), linear(_NUMBERING)
        self._known: dict[bytes, _Hit | None] = {}

    def find(self, plain: str) -> list[Mark]:
        """Return the marks of a tidied text, first to last."""
        data = plain.encode("utf-8", "replace")
        single = len(data) == len(plain)
        marks: list[Mark] = []
        at = line = 0
        for match in self._all.finditer(data):
            start, stop = match.span()
            if stop - start > LONGEST_HEAD:
                hit: _Hit | None = (STRANGER, (), 0, False)
            elif (key := data[start : stop + 1]) in self._known:
                hit = self._known[key]
            else:
                hit = self._look(data, start, stop, key)
            if hit is None:
                continue
            finder, questions, offset, has_id = hit
            if single:
                line, begin = start, start + offset
            else:
                line += len(data[at:start].decode())
                begin = line + len(data[start : start + offset].decode())
                at = start
            end = plain.find("\n", begin)
            end = len(plain) if end < 0 else end
            blank = finder is STRANGER or follows_blank(plain, line)
            marks.append(Mark(finder, questions, line, begin, end, blank, has_id))
            if len(marks) > MOST_MARKS:
                break
        return marks

    def _look(self, data: bytes, start: int, end: int, key: bytes) -> _Hit | None:
        """Try the patterns in order on what was matched, and remember what it means."""
        first = self._bullet.match(data, start, end).end()
        places = [first]
        if numbering := self._numbering.match(data, first, end):
            places.append(numbering.end())
        sure = True
        for at in places:
            for finder in self._finders:
                match = finder.regex.match(data, at, end)
                if match is None:
                    continue
                said = {what: match[what] for what, _ in finder.names}
                names = [
                    known.get(folded(said[what].decode()))
                    for what, known in finder.names
                    if said[what]
                ]
                if None in names:  # letters that only a case-blind engine takes for the same
                    sure = False
                    continue
                questions = tuple(name for name in dict.fromkeys(names) if name is not None)
                questions = questions or finder.only
                begin = match.start(finder.place) if finder.placed else match.end()
                hit = (finder, questions, begin - start, bool(said.get("id")))
                return self._remember(sure, key, hit)
        return self._remember(sure, key, None)

    def _remember(self, sure: bool, key: bytes, hit: _Hit | None) -> _Hit | None:
        # What is matched, and the byte behind it, decide alone which pattern it is: one that comes
        # earlier and fits the same beginning would have matched in the other line as well.
        if sure:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            self._known[key] = hit
        return hit

    def _compile(self, group: str, patterns: Sequence[Pattern]) -> Iterator[Finder]:
        for rank, pattern in enumerate(patterns):
            if not pattern.kind.is_line:
                continue
            where = f"question.{group}_patterns: pattern '{pattern.name}'"
            for what in ("id", "label"):
                if pattern.regex.count("{" + what + "}") > 1:
                    raise ConfigError(f"{where} has {{{what}}} twice; once is all it can hold")
            source = self._names.filled(_open_ended(pattern.regex, group))
            regex = _linear(f"(?m){source}", where, pattern.regex)
            groups = regex.groupindex
            placed = pattern.kind is not PatternKind.HEADING and group != "end"
            if placed and group not in groups:
                raise ConfigError(
                    f"{where} does not say where the {group} begins; end it with (?P<{group}>.*)"
                )
            named = {"id", "label"} & groups.keys()
            bare = pattern.kind in (PatternKind.BELOW, PatternKind.NEXT)
            only = self._only if group == "value" and not bare else ()
            if group == "value" and not (bare or named or only):
                raise ConfigError(
                    f"{where} fits every question alike; it needs {{id}} or {{label}}, "
                    "or kind: below"
                )
            if bare and named:
                raise ConfigError(
                    f"{where} is of a kind that belongs to the line before it, "
                    "and names a question; leave {id} and {label} out, or the kind"
                )
            yield Finder(
                name=pattern.name,
                rank=rank,
                group=group,
                kind=pattern.kind,
                regex=regex,
                names=tuple(
                    (what, known)
                    for what, known in (("id", self._names.ids), ("label", self._names.labels))
                    if what in groups
                ),
                placed=placed,
                place=groups.get(group, 0),
                only=only,
            )


@lru_cache(maxsize=16)
def refusals(patterns: tuple[Pattern, ...]) -> "re2._Regexp | None":
    """Compile what makes an answer a refusal.

    Raises:
        ConfigError: names the pattern that cannot be used, and the part.
    """
    for pattern in patterns:
        _linear(
            pattern.regex, f"question.refusal_patterns: pattern '{pattern.name}'", pattern.regex
        )
    return linear("|".join(f"(?:{p.regex})" for p in patterns)) if patterns else None


def says_no(patterns: tuple[Pattern, ...], text: str) -> bool:
    """Tell whether a text says that it will not answer."""
    regex = refusals(patterns)
    return regex is not None and regex.search(text.encode("utf-8", "replace")) is not None


def cannot(text: str) -> bool:
    """Tell whether a text says that there is nothing to judge."""
    return _CANNOT.search(text) is not None


_CANNOT = regex(
    r"\b(?:cannot|can't|can not|could not|couldn't) be (?:judged|rated|assessed|evaluated|determined|scored|answered)"
    r"|\bnot applicable\b|\bn/a\b|\bnot enough (?:information|context)\b|判断でき(?:ない|ません|かね)|評価でき(?:ない|ません|かね)|判断不能|評価不能|該当なし",
    re.IGNORECASE,
)


def follows_blank(plain: str, line: int) -> bool:
    """Tell whether the line before this one is blank, or only a bullet."""
    if line == 0:
        return False
    return not plain[plain.rfind("\n", 0, line - 1) + 1 : line - 1].strip(_BULLETS)


BULLET: Final = r"[-*+>•・●○◉◎◆◇■□▪‣※→▶►▷★☆✓✔\p{So} ]*"
_BULLETS = "-*+>•・●○◉◎◆◇■□▪‣※→▶►▷★☆✓✔ "
_NUMBERING = r"(?:[0-9]{1,2}[.):]|[一二三四五六七八九十]、|\([0-9]{1,2}\)|[①-⑳])[- ]*"
_NOTHING = r"[^\x00-\x{10FFFF}]"
_REMEMBERED = 20_000


def _open_ended(regex: str, group: str) -> str:
    """Leave out what only says that everything else of the line follows."""
    ending = f"(?P<{group}>.*)"
    return regex.removesuffix(ending) + f"(?P<{group}>)" if regex.endswith(ending) else regex


def _bare(finder: Finder) -> str:
    source: str = finder.regex.pattern.removeprefix("(?m)")
    return (
        source.replace("(?P<id>", "(?:")
        .replace("(?P<label>", "(?:")
        .replace(f"(?P<{finder.group}>", "(?:")
    )


def _linear(source: str, where: str, written: str) -> "re2._Regexp":
    try:
        return linear(source)
    except re2.error as error:
        raise ConfigError(
            f"{where} is no regular expression that can be run in linear time: "
            f"{_said(error)}; in full: {written}"
        ) from None


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
