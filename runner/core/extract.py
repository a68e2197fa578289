"""Answer text -> what was found for each question, by ordered named patterns.

Patterns, which a researcher may change, find the *place* of a value; one fixed grammar reads the
number there, and rather finds none than a wrong one. All work is done on a copy of the text that
has the same length, character by character, so that every place holds in the text itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.errors import ConfigError
from runner.core.model import Cause, Pattern, Question, QuestionSet
from runner.core.number import NumberGrammar, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in an answer for one question; bounds and kind are not yet judged.

    Exactly one of `number` and `cause` is None.
    """

    number: Decimal | None = None
    cause: Cause | None = None
    """Why there is no number: missing, ambiguous or not_a_number."""
    pattern: str | None = None
    """The name of the pattern that found the place, also when no number stands there."""
    span: tuple[int, int] | None = None
    """Where the number stands, or what stands in its place, in characters of the answer."""
    reason: str | None = None
    reason_end: int | None = None
    """Where the text taken for the reason ends, before trimming, in characters of the answer."""


class Extractor:
    """Reads answers to one question set; compiled once, keeps nothing between answers."""

    def __init__(self, questions: QuestionSet) -> None:
        """Compile the patterns.

        Raises:
            ConfigError: names the pattern or question that cannot be used.
        """
        self._ids = _names("id", questions.questions)
        self._labels = _names("label", questions.questions)
        self._order = tuple(question.id for question in questions.questions)
        self._numbers = {question.id: NumberGrammar(question) for question in questions.questions}
        # Reasons come first: a line that announces a reason is never read as a value.
        self._finders = (
            *self._compile("reason", questions.reason_patterns),
            *self._compile("value", questions.value_patterns),
        )

    def extract(self, text: str) -> dict[str, Found]:
        """Return what was found for every question, by question id; never raises."""
        visible = _hide_thoughts(text)
        plain = tidy(visible)
        marks = _outside_reasons(self._marks(plain))
        values = self._values(plain, marks)
        reasons = _reasons(visible, marks)
        found = {}
        for question in self._order:
            value = _decide(values.get(question, ()))
            reason = reasons.get(question)
            found[question] = Found(
                number=value.number,
                cause=value.cause,
                pattern=value.pattern,
                span=value.span,
                reason=reason.text if reason else None,
                reason_end=reason.end if reason else None,
            )
        return found

    def _compile(self, group: str, patterns: Sequence[Pattern]) -> Iterator["_Finder"]:
        seen: set[str] = set()
        for rank, pattern in enumerate(patterns):
            where = f"question.{group}_patterns: pattern '{pattern.name}'"
            if pattern.name in seen:
                raise ConfigError(f"{where} is there twice; give every pattern its own name")
            seen.add(pattern.name)
            source = _any_of(pattern.regex, "id", self._ids)
            source = _any_of(source, "label", self._labels)
            try:
                regex = re.compile(source, re.MULTILINE | re.IGNORECASE)
            except re.error as error:
                raise ConfigError(
                    f"{where} is no regular expression: {error.msg}; in full: {source}"
                ) from None
            if group not in regex.groupindex:
                raise ConfigError(
                    f"{where} does not say where the {group} begins; end it with (?P<{group}>.*)"
                )
            if group == "value" and not {"id", "label"} & regex.groupindex.keys():
                raise ConfigError(
                    f"{where} fits every question alike; it needs {{id}} or {{label}}"
                )
            yield _Finder(
                name=pattern.name,
                rank=rank,
                group=group,
                regex=regex,
                names=tuple(
                    (what, known)
                    for what, known in (("id", self._ids), ("label", self._labels))
                    if what in regex.groupindex
                ),
                has_id="id" in regex.groupindex,
            )

    def _marks(self, plain: str) -> Iterator["_Mark"]:
        """Find the lines that announce a value or a reason, first to last."""
        start, blank = 0, False
        while start <= len(plain):
            end = plain.find("\n", start)
            end = len(plain) if end < 0 else end
            bullet = _BULLET.match(plain, start, end)
            first = bullet.end() if bullet else start
            mark = None
            if first < end:
                mark = self._mark(plain, start, first, end, blank)
                if mark is None and (numbering := _NUMBERING.match(plain, first, end)):
                    mark = self._mark(plain, start, numbering.end(), end, blank)
            if mark:
                yield mark
            start, blank = end + 1, first == end

    def _mark(self, plain: str, line: int, at: int, end: int, blank: bool) -> "_Mark | None":
        for finder in self._finders:
            match = finder.regex.match(plain, at, end)
            if match is None or match[finder.group] is None:
                continue
            names = [
                known.get(match[what].lower())
                for what, known in finder.names
                if match[what] is not None
            ]
            # None: letters that only IGNORECASE takes for the same, as a Turkish dotted I.
            questions = tuple(name for name in dict.fromkeys(names) if name is not None)
            if None not in names:
                return _Mark(finder, questions, line, match.start(finder.group), end, blank)
        return None

    def _values(self, plain: str, marks: Sequence["_Mark"]) -> dict[str, list["Value"]]:
        values: dict[str, list[Value]] = {}
        for mark in marks:
            if mark.finder.group != "value":
                continue
            for question in mark.questions:
                value = self._numbers[question].read(plain, mark.begin, mark.end)
                value.pattern, value.rank = mark.finder.name, mark.finder.rank
                if len(mark.questions) > 1 and value.cause is not Cause.MISSING:
                    value.number, value.cause = None, Cause.AMBIGUOUS
                values.setdefault(question, []).append(value)
        return values


def tidy(text: str) -> str:
    """Return a copy for matching, of the same length: one writing for what means the same."""
    return _UNTIDY.sub(_tidy_one, text)


@dataclass(frozen=True, slots=True)
class _Finder:
    """A compiled pattern; rank 0 is tried first."""

    name: str
    rank: int
    group: str
    """value or reason: what it announces, and the group where that begins."""
    regex: re.Pattern[str]
    names: tuple[tuple[str, Mapping[str, str]], ...]
    """The groups that name a question, and whom their words mean; empty for a bare reason."""
    has_id: bool


@dataclass(slots=True)
class _Mark:
    """A line that announces something; places are in characters of the text."""

    finder: _Finder
    questions: tuple[str, ...]
    """One question; none for a bare reason; two when id and label contradict each other."""
    line: int
    begin: int
    end: int
    """Of the line."""
    after_blank: bool


@dataclass(slots=True)
class _Reason:
    text: str | None
    end: int
    rank: int


# --- the text -------------------------------------------------------------------------------

_HIDDEN_MARKS = "*`#_＊｀＃＿"
_TIDY = {
    **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)},
    **dict.fromkeys("‐‑‒–—―−﹘﹣", "-"),
    **dict.fromkeys("〜∼", "~"),
    **dict.fromkeys("【「『〔〖《〈｢", "["),
    **dict.fromkeys("】」』〕〗》〉｣", "]"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("∕⁄", "/"),
    "∶": ":",
    "｡": "。",
    "､": "、",
    # Not '>': "> 80" may be a quotation mark of markdown, but also "more than 80".
    **dict.fromkeys(_HIDDEN_MARKS, " "),
    **dict.fromkeys("\u2028\u2029\x85", "\n"),
    **dict.fromkeys("\r\t\x0b\x0c\xa0\u1680\u180e\u202f\u205f\u3000\xad\ufeff", " "),
    **{chr(code): " " for code in (*range(0x2000, 0x2010), *range(0x202A, 0x202F))},
    **{chr(code): " " for code in range(0x2060, 0x2070)},
}
_UNTIDY = re.compile("[" + re.escape("".join(_TIDY)) + "]")
_BULLET = re.compile(r"[-*+>•・●○◆◇■□▪‣※ ]*")
_NUMBERING = re.compile(r"(?:[0-9]{1,2}[.):]|\([0-9]{1,2}\)|[①-⑳]) *")
_THOUGHT = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)


def _tidy_one(match: re.Match[str]) -> str:
    return _TIDY[match[0]]


def _hide_thoughts(text: str) -> str:
    """Blank out what a model thought aloud, keeping the length.

    A thought without a beginning began with the text; one without an end goes on to its end.
    """
    if "<" not in text:
        return text
    shown: list[str] = []
    position, thinking = 0, False
    for tag in _THOUGHT.finditer(text):
        if tag[1] and not thinking:
            shown = [" " * tag.end()]
        elif tag[1] or thinking:
            shown.append(" " * (tag.end() - position))
        else:
            shown.append(text[position : tag.start()] + " " * (tag.end() - tag.start()))
        position, thinking = tag.end(), not tag[1]
    rest = text[position:]
    return "".join(shown) + (" " * len(rest) if thinking else rest)


# --- patterns and lines ---------------------------------------------------------------------


def _names(what: str, questions: Sequence[Question]) -> dict[str, str]:
    """Map each tidied id or label to its question's id.

    Raises:
        ConfigError: when one is empty or two cannot be told apart.
    """
    names: dict[str, str] = {}
    for question in questions:
        name = tidy(question.id if what == "id" else question.label).strip().lower()
        if not name:
            raise ConfigError(f"question.items: {question.id} has an empty {what}")
        if name in names:
            raise ConfigError(
                f"question.items: {names[name]} and {question.id} have the same {what}; "
                "answers to them could not be told apart"
            )
        names[name] = question.id
    return names


def _any_of(regex: str, what: str, names: dict[str, str]) -> str:
    """Let `{what}` stand for any of the names; the longest first, as one may begin another."""
    choices = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    placeholder = "{" + what + "}"
    return regex.replace(placeholder, f"(?P<{what}>{choices})", 1).replace(
        placeholder, f"(?P={what})"
    )


def _outside_reasons(marks: Iterator[_Mark]) -> list[_Mark]:
    """Drop the marks that are part of a reason, and give bare reasons their question."""
    kept: list[_Mark] = []
    strict = False
    for mark in marks:
        last = kept[-1] if kept else None
        in_reason = last is not None and last.finder.group == "reason"
        # Where values are labelled "Q1. 面白さ", a line "驚き: 30" inside a reason is prose.
        if in_reason and strict and not mark.finder.has_id and not mark.after_blank:
            continue
        if not mark.finder.names:
            if last is None or in_reason:
                continue
            mark.questions = last.questions
        if last is None or mark.finder.group == "value":
            strict = mark.finder.has_id
        kept.append(mark)
    return kept


def _decide(values: Sequence[Value]) -> Value:
    """Let the first pattern with a filled-in place decide; all its places must agree."""
    filled = [value for value in values if value.cause is not Cause.MISSING]
    if not filled:
        return values[-1] if values else Value(None, Cause.MISSING, None)
    rank = min(value.rank for value in filled)
    competing = [value for value in filled if value.rank == rank]
    # The last of equal ones, because it is the one that a cut-off answer may have cut.
    decided = competing[-1]
    if any((v.number, v.cause) != (decided.number, decided.cause) for v in competing):
        decided.number, decided.cause = None, Cause.AMBIGUOUS
    return decided


# --- reasons --------------------------------------------------------------------------------

_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u2060\ufeff"
_RULE = "-=*_#>`~" + _BLANKS
_EMPHASES = ("```", "**", "__", "*", "_", "`")
_PAIRS = dict(zip("[(（［【「『〔<“", "])）］】」』〕>”", strict=True))
_NO_REASON = re.compile(
    r"(?:ここに)?(?:具体的な)?(?:説明|理由|記述|文章|テキスト|reason|explanation|text)"
    r"(?:文|の説明|を(?:説明|記入|記述|入力|書く|書いてください))?"
    r"|(?:特に)?(?:なし|無し)|不明|n/?a|none|省略",
    re.IGNORECASE,
)


def _reasons(visible: str, marks: Sequence[_Mark]) -> dict[str, _Reason]:
    """Cut the reasons out of the answer, each up to the next mark; the first pattern wins."""
    reasons: dict[str, _Reason] = {}
    for number, mark in enumerate(marks):
        if mark.finder.group != "reason" or len(mark.questions) != 1:
            continue
        end = marks[number + 1].line if number + 1 < len(marks) else len(visible)
        begin = mark.begin
        while (
            begin > mark.line and visible[begin - 1] in _HIDDEN_MARKS
        ):  # the pattern took it for a blank
            begin -= 1
        text = trim_reason(visible[begin:end])
        before = reasons.get(mark.questions[0])
        if before is None or before.text is None or (text and mark.finder.rank <= before.rank):
            reasons[mark.questions[0]] = _Reason(text, end, mark.finder.rank)
    return reasons


def trim_reason(text: str) -> str | None:
    """Take off blanks, leftover markdown and surrounding brackets; None when nothing is said."""
    text = text.strip(_BLANKS)
    if "\n" in text:
        body, _, rule = text.rpartition("\n")
        text = text if rule.strip(_RULE) else body.rstrip(_BLANKS)
    for mark in _EMPHASES:
        if mark in text:
            text = _without_emphasis(text, mark)
    opening, inner, closing = text[:1], text[1:-1], text[-1:]
    if _PAIRS.get(opening) == closing and opening not in inner and closing not in inner:
        text = inner.strip(_BLANKS)
    if not any(map(str.isalpha, text)) or _NO_REASON.fullmatch(text.rstrip("。.")):
        return None
    return text


def _without_emphasis(text: str, mark: str) -> str:
    """Take off a mark that closes what stood before the reason, or that surrounds all of it."""
    size = len(mark)
    leftover = text.count(mark) == 1 or not text[size : size + 1].strip(_BLANKS)
    if text.startswith(mark) and leftover:
        text = text[size:].lstrip(_BLANKS)
    if text.endswith(mark) and text.count(mark) % 2:
        text = text[:-size].rstrip(_BLANKS)
    if len(text) > 2 * size and text.startswith(mark) and text.endswith(mark):
        text = text if mark in text[size:-size] else text[size:-size].strip(_BLANKS)
    return text
