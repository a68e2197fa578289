"""Reads an answer that is the value: `4`, `Rating: 4`, `4 because …`, `{"rating": 4}`.

Only for a set of one question, where a number needs no name. Taken only as a whole: there is one
number, what stands before it is known to lead to an answer and nothing else, what stands behind it
begins something else, and nothing takes it back.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from runner.core.extract.doubts import other_scales, scales
from runner.core.extract.loose_json import Node, nodes
from runner.core.extract.matcher import says_no
from runner.core.extract.names import Names, any_of
from runner.core.extract.normalize import blanks, tidy
from runner.core.extract.number import COUNTED, UNSEEN, NumberGrammar, Value
from runner.core.extract.objects import DRAFT, Entry
from runner.core.extract.phrases import (
    CANNOT,
    COUNT,
    DOUBT,
    OTHER_KEY,
    PREFACE,
    SPELLED,
    SPELLED_NUMBERS,
    STOP,
    TAKEN_BACK,
    UNSURE,
    VALUE_WORDS,
    answer_head,
    answer_tail,
)
from runner.core.extract.reason import trim_reason, trim_remark
from runner.core.model import Cause, Question, QuestionSet

NAME = "bare"
"""What its values are counted under."""
LONGEST = 5_000
"""Characters; a longer answer is not read in this way."""


class BareReader:
    """Reads whole answers to the one question of a set."""

    def __init__(self, questions: QuestionSet, names: Names, numbers: NumberGrammar) -> None:
        """Compile what may stand around the number."""
        self._question = question = questions.questions[0]
        self._names, self._numbers = names, numbers
        self._refusals = questions.refusal_patterns
        called = [folded for folded in names.labels if _LETTER.search(folded)]
        called += [tidy(question.id)] if _LETTER.search(question.id) else []
        name = any_of(called) or "(?!)"
        words = any_of([*names.words["value_word"], *VALUE_WORDS])
        self._head = answer_head(_DIGIT.sub("x", name), words)
        self._tail = answer_tail(
            _DIGIT.sub("x", name), percent=(question.minimum, question.maximum) == (0, 100)
        )
        self._own_range = _own_range(question)
        numbered = any_of(n for n in called if _DIGIT.search(n)) or "(?!)"
        self._numbered = re.compile(rf"(?<![0-9a-z])(?:{numbered})(?![0-9a-z])", re.IGNORECASE)
        reasons = any_of(names.words["reason_word"]) or "(?!)"
        self._why = re.compile(rf"[\s\[(\"]*(?:{reasons})[\s\])\"]*[:=は]\s*", re.IGNORECASE)

    def read(self, visible: str, plain: str) -> list[Entry]:
        """Return an entry with the value, or with why there is none, and one with the reason."""
        if len(plain) > LONGEST:
            return []
        if "{" in plain:
            return list(self._object(visible, plain))
        clear = self._clear(plain)
        places = list(_NUMBER.finditer(clear))
        if not places:
            return []
        stop = STOP.search(clear, places[-1].end())
        if says_no(self._refusals, clear[: stop.end() if stop else None]) or CANNOT.search(clear):
            return []
        cause = self._not_one(plain, clear, places)
        if cause is not None:
            return [self._entry(cause, place.span()) for place in places[:_MOST_SHOWN]]
        return self._said(visible, clear, places)

    def _clear(self, plain: str) -> str:
        """Blank out the numbers that are none of the answer's, and what an AI says of itself."""
        plain = PREFACE.sub(blanks, plain)
        plain = self._numbered.sub(_letters, plain)
        plain = self._numbers.announced_scale.sub(blanks, self._own_range.sub(blanks, plain))
        plain = self._numbers.written_scale.sub(blanks, plain)
        for scale in scales(plain):
            if scale.is_of(self._question) and not _LEGEND.match(scale.written):
                plain = plain[: scale.begin] + " " * (scale.end - scale.begin) + plain[scale.end :]
        if self._question.maximum < _FIRST_YEAR:
            plain = COUNTED.sub(_stroke, plain)
        return COUNT.sub(_stroke, plain)

    def _not_one(self, plain: str, clear: str, places: list[re.Match[str]]) -> Cause | None:
        """Say why the numbers of an answer are not one on the question's scale."""
        if other_scales(plain, [self._question]) or _OUT_OF.match(clear, places[0].end()):
            return Cause.OTHER_SCALE
        if len({_number(place) for place in places}) > 1 or _LISTED.match(clear):
            return Cause.AMBIGUOUS
        return None

    def _said(self, visible: str, clear: str, places: list[re.Match[str]]) -> list[Entry]:
        """Read the first number, if it is said as an answer and nothing takes it back."""
        place = places[0]
        begin, end = place.span()
        if not self._leads(clear[:begin]):
            return []
        tail = self._tail.match(clear, end)
        if tail is None or not self._is_signed_well(visible, clear, place):
            return [self._entry(Cause.NOT_A_NUMBER, (begin, end))]
        rest = tail.end("said")
        if _takes_back(clear, rest, _number(place)):
            return [self._entry(Cause.AMBIGUOUS, (begin, end))]
        value = self._numbers.read(clear, place.start("figure"), end)
        if place["word"] and value.number is not None:
            value.number, value.span = _number(place), (begin, end)
        found = [Entry(self._question.id, value=value)]
        why = self._why.match(clear, rest)
        reason = trim_remark(visible[why.end() if why else rest :])
        if reason is not None and not self._is_repeated(clear, rest, places[-1]):
            found.append(Entry(self._question.id, reason=reason, end=len(visible)))
        return found

    def _leads(self, before: str) -> bool:
        """Tell whether a text leads to an answer and says nothing else."""
        before = _MANY.sub(" ", before)
        return len(before) <= _LONGEST_HEAD and self._head.fullmatch(before) is not None

    def _is_repeated(self, clear: str, rest: int, last: re.Match[str]) -> bool:
        """Tell whether what follows says no more than the number again, or its scale."""
        if _LETTER.search(clear, rest) is None:
            return True
        tail = self._tail.match(clear, last.end())
        ends = tail is not None and not clear[tail.end() :].strip(" .。\n")
        return (
            last.start() >= rest
            and ends
            and self._leads(clear[rest : last.start()].lstrip(" .。\n"))
        )

    def _is_signed_well(self, visible: str, clear: str, place: re.Match[str]) -> bool:
        """Tell whether the sign of a number is sure; a dash may be a mark, # a rank."""
        begin = place.start()
        if begin and (not _LEADS.match(clear, begin - 1) or visible[begin - 1] in _HASHES):
            return False
        if self._question.minimum >= 0:
            return True
        return visible[begin] not in _LONG_DASHES and not clear[:begin].rstrip().endswith("-")

    def _entry(self, cause: Cause, span: tuple[int, int]) -> Entry:
        return Entry(self._question.id, value=Value(None, cause, span, span[1], span[1]))

    # --- an object

    def _object(self, visible: str, plain: str) -> Iterator[Entry]:
        """Read an object that is the whole answer and holds one number, and perhaps texts."""
        node = next(nodes(visible), None)
        if node is None or node.kind != "object" or not node.items:
            return
        if not _FENCE.fullmatch(visible[: node.begin] + "\n" + visible[node.end :]):
            return
        values, texts = self._parts(node.items, plain)
        span = (node.begin, node.end)
        if any(member.kind not in ("number", "string") for _, member in node.items):
            return
        if len(values) != 1:
            if values:
                yield self._entry(Cause.AMBIGUOUS, span)
            return
        key, value = values[0]
        if not self._may_be_value(key, [known for known, _ in node.items]):
            return
        said = "\n".join(tidy(inner.text) for _, inner in texts)
        if other_scales(said, [self._question]):
            yield self._entry(Cause.OTHER_SCALE, span)
        elif value.cause is None and self._disagrees(said, value.number):
            yield self._entry(Cause.AMBIGUOUS, span)
        else:
            yield Entry(self._question.id, value=value)
            yield from self._reason(texts)

    def _parts(
        self, items: Sequence[tuple[str, Node]], plain: str
    ) -> tuple[list[tuple[str, Value]], list[tuple[str, Node]]]:
        """Tell the numbers of an object from its texts."""
        values: list[tuple[str, Value]] = []
        texts: list[tuple[str, Node]] = []
        for key, inner in items:
            begin, end = inner.begin, inner.end
            if inner.kind == "string":
                begin, end = begin + 1, end - 1
                if len(inner.text) != end - begin or not _ALONE.fullmatch(plain, begin, end):
                    texts.append((key, inner))
                    continue
            values.append((key, self._numbers.read(plain, begin, end)))
        return values, texts

    def _may_be_value(self, key: str, keys: list[str]) -> bool:
        """Tell whether a key may announce the answer: no other does, and it is no other thing's."""
        if any(DRAFT.search(known) for known in keys):
            return False
        if any(map(self._is_value_key, keys)):
            return self._is_value_key(key)
        return OTHER_KEY.search(_HUMP.sub(" ", tidy(key)).lower()) is None

    def _is_value_key(self, key: str) -> bool:
        meaning = self._names.meaning(tidy(key))
        return meaning is not None and meaning.part != "reason"

    def _disagrees(self, said: str, number: Decimal | None) -> bool:
        """Tell whether the texts of an object hold another number, take it back, or refuse."""
        clear = self._clear(said)
        others = {_number(match) for match in _NUMBER.finditer(clear)}
        if CANNOT.search(clear) or others - {number}:
            return True
        return _takes_back("\n" + clear, 0, number)

    def _reason(self, texts: list[tuple[str, Node]]) -> Iterator[Entry]:
        named = [text for text in texts if self._is_reason_key(text[0])]
        for _, inner in named[:1] or (texts if len(texts) == 1 else []):
            if text := trim_reason(inner.text):
                yield Entry(self._question.id, reason=text, end=inner.end)

    def _is_reason_key(self, key: str) -> bool:
        meaning = self._names.meaning(tidy(key))
        return meaning is not None and meaning.part == "reason"


def _number(place: re.Match[str]) -> Decimal:
    """Return the number that stands in a place."""
    number = Decimal(place["figure"].replace(UNSEEN, ""))
    return -number if (place["word"] or "").strip().lower() in _NEGATIVE else number


def _takes_back(clear: str, at: int, number: Decimal | None) -> bool:
    """Tell whether what stands behind a number makes it another's, unsure, or not the last word."""
    stop = STOP.search(clear, at)
    end = stop.start() if stop else len(clear)
    if DOUBT.search(clear, at, end) or UNSURE.search(clear, at, end):
        return True
    if TAKEN_BACK.search(clear, at):
        return True
    words = (match[0].lower() for match in SPELLED.finditer(clear, at))
    return any(Decimal(SPELLED_NUMBERS[word]) != number for word in words)


def _letters(match: re.Match[str]) -> str:
    """Leave a name, with a letter for every digit."""
    return _DIGIT.sub("x", match[0])


def _stroke(match: re.Match[str]) -> str:
    """Put a sign for every digit that counts something: it is no number, and no blank."""
    return _DIGIT.sub("†", match[0])


def _own_range(question: Question) -> re.Pattern[str]:
    """Return what finds the question's own scale, said as a range or by its steps."""
    low, high = re.escape(str(question.minimum)), re.escape(str(question.maximum))
    return re.compile(
        r"(?:(?:on|using|from) )?(?:(?:a|the|this) )?(?:scale )?(?:(?:of|from) )?"
        rf"(?:(?<![0-9.-]){low} *(?:-|~|to|through|から) *[+]?{high}(?![0-9]|\.[0-9])"
        rf"|(?<![0-9.-]){high}[- ]points? (?:likert |rating )?scale)(?: scale\b|の尺度)?",
        re.IGNORECASE,
    )


_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_MANY = re.compile(r"\s+")
_HUMP = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_MOST_SHOWN = 4
_LONGEST_HEAD = 300
_FIRST_YEAR = 1000
_LONG_DASHES = "—―"
_HASHES = "#＃"
_NEGATIVE = ("minus", "negative", "マイナス")
_LEADS = re.compile(r"[\s(\[\"':=、。はがをに約てス]")
"""What may touch a number."""
_NUMBER = re.compile(
    r"(?P<word>(?<![a-z])(?:minus|negative|plus|マイナス|プラス) ?(?=\d))?"
    r"(?P<figure>(?:(?:\A|(?<=[\s(\[\"':=、,。はがをに]))[-+])?"
    rf"\d(?:{UNSEEN}{{0,4}}\d)*(?:\.\d+)?)",
    re.IGNORECASE,
)
_OUT_OF = re.compile(r"[ \])\"]*(?:点 *)?(?:/|(?:out )?of) *\d")
_LISTED = re.compile(r"\s*1[.)] +\S")
"""The first point of a list, more likely than a value."""
_LEGEND = re.compile(r"[01] *[=:は]")
_FENCE = re.compile(r"[\s`]*(?:json[c5]?)?[\s`]*", re.IGNORECASE)
_ALONE = re.compile(
    r" *[-+]?\d[\d.]*(?: *(?:/|out of) *\d+)? *(?:点|points?)?[ .。]*", re.IGNORECASE
)
