"""Reads an answer that is the value: `4`, `Rating: 4`, `4 because …`, `{"rating": 4}`.

Only for a set of one question, where a number needs no name. What may stand around the number is a
short list (`phrases`). A reason may follow where it is set off from the number; it has to be in a
language whose doubts are known, hold none, and no other number. All else is missing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.extract.brackets import double_brackets, reason_above
from runner.core.extract.doubts import other_scales
from runner.core.extract.languages import is_understood
from runner.core.extract.loose_json import Node, nodes
from runner.core.extract.matcher import says_no
from runner.core.extract.names import Names, any_of
from runner.core.extract.normalize import blanks, tidy
from runner.core.extract.number import UNSEEN, Entry, NumberGrammar, Value
from runner.core.extract.objects import DRAFT, FENCE
from runner.core.extract.phrases import (
    ANCHORS,
    CANNOT,
    DOUBT,
    OF_ITSELF,
    PREFACED,
    SPELLED,
    TAKEN_BACK,
    UNSURE,
    VALUE_WORDS,
    answer_head,
    answer_tail,
    own_scale,
)
from runner.core.extract.prose import ProseGrammar
from runner.core.extract.reason import trim_reason, trim_remark
from runner.core.extract.regex import regex
from runner.core.model import Cause, Pattern, QuestionSet

NAME = "bare"
"""What its values are counted under."""
VERSION = 2
"""Raised with every change by which the answer to one question may be read otherwise."""
LONGEST = 5_000
"""Characters; a longer answer is not read in this way."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A number in surroundings that are known; places are in characters of the text."""

    number: Decimal
    span: tuple[int, int]
    figure: int
    """Where its digits begin, or their sign."""
    rest: int
    """Where begins what is said besides."""


class BareReader:
    """Reads whole answers to the one question of a set."""

    def __init__(self, questions: QuestionSet, names: Names, numbers: NumberGrammar) -> None:
        """Compile what may stand around the number."""
        self._question = question = questions.questions[0]
        self._names, self._numbers = names, numbers
        self._refusals = questions.refusal_patterns
        name = any_of(n for n in {*names.labels, *names.ids} if not _DIGIT.search(n)) or "(?!)"
        words = any_of({*names.words["value_word"], *VALUE_WORDS})
        scale, top = own_scale(question.minimum, question.maximum), re.escape(str(question.maximum))
        percent = (question.minimum, question.maximum) == (0, 100)
        self._whole = regex(
            answer_head(name, words, scale, dash=question.minimum >= 0)
            + _NUMBER
            + answer_tail(name, scale, top, percent=percent),
            re.IGNORECASE,
        )
        self._key = regex(rf"(?:(?:my|final|overall|own) )*(?:{words}|{name})", re.IGNORECASE)
        self._scale = regex(rf"{scale}|(?:/|out of) *{top}(?![0-9]|\.[0-9])", re.IGNORECASE)
        reasons = any_of(names.words["reason_word"]) or "(?!)"
        self._why = regex(rf"[\s\[(\"]*(?:{reasons})[\s\])\"]*[:=は]\s*", re.IGNORECASE)

    def read(self, visible: str, plain: str) -> list[Entry]:
        """Return an entry with the value, or with why there is none, and one with the reason."""
        if len(plain) > LONGEST:
            return []
        if "{" in plain:
            return list(self._object(visible, plain))
        figures = self._figures(plain)
        places = [f.span() for f in figures if not _NAMED.match(plain, f.start() - 1)]
        if not places or self._refuses(plain):
            return []
        if marks := double_brackets(plain):
            return self._marked(visible, plain, marks)
        said = self._parsed(plain)
        cause = self._objection(plain, said)
        if said is None or not self._is_signed_well(visible, said.span[0]):
            cause = cause or Cause.NOT_A_NUMBER
        if said is None or cause is not None:
            return [self._entry(cause, place) for place in places[:_MOST_SHOWN]]
        value = self._numbers.read(plain, said.figure, said.span[1])
        if value.number is not None:
            value.number, value.span = said.number, said.span
        reason = self._reason_in(visible, plain, said)
        return [Entry(self._question.id, value=value), *reason]

    def _marked(self, visible: str, plain: str, places: list[tuple[int, int]]) -> list[Entry]:
        """Read the number in double brackets."""
        values = [self._numbers.read(plain, *place) for place in places]
        last = values[-1]
        if len({value.number for value in values}) > 1 or any(self._figures(plain[last.rest :])):
            last.number, last.cause = None, Cause.AMBIGUOUS
        elif other_scales(plain, [self._question]):
            last.number, last.cause = None, Cause.OTHER_SCALE
        return [
            Entry(self._question.id, value=last),
            *reason_above(self._question.id, visible, places),
        ]

    def _figures(self, plain: str) -> Iterator[re.Match[str]]:
        return _FIGURE.finditer(self._scale.sub(blanks, plain))

    def _refuses(self, plain: str) -> bool:
        said = PREFACED.sub(" ", plain)
        return says_no(self._refusals, said) or CANNOT.search(said) is not None

    def _parsed(self, plain: str) -> _Said | None:
        """Find the number of a text that is an answer, and perhaps a reason."""
        text, places = _squeezed(plain)
        match = self._whole.match(text)
        if match is None:
            return None
        core, rest = text[: match.start("rest")], match["rest"]
        if any(core.count(a) != core.count(b) for a, b in ("()", "[]")) or core.count('"') % 2:
            return None
        # "4. I often help", "4: I often help": that may be the fourth of some sentences.
        listed = (match["stop"] or "").strip() == "." or rest.lstrip(" ").startswith(":")
        if listed and rest.strip() and not (match["lead"] or match["anchor"]):
            return None
        number = Decimal(match["figure"].replace(UNSEEN, ""))
        if (match["word"] or "").strip().lower() in _NEGATIVE:
            number = -number
        span = places[match.start("number")], places[match.end("number") - 1] + 1
        return _Said(number, span, places[match.start("figure")], places[match.start("rest")])

    def _objection(self, plain: str, said: _Said | None) -> Cause | None:
        """Say what forbids to take the number."""
        figures = list(self._figures(plain))
        behind = self._scale.sub(blanks, plain)[figures[0].end() :]
        if other_scales(plain, [self._question]) or _OUT_OF.match(behind):
            return Cause.OTHER_SCALE
        if said is None:
            return Cause.AMBIGUOUS if len({f[0] for f in figures}) > 1 else None
        return None if self._is_harmless(plain[said.rest :], said.number) else Cause.AMBIGUOUS

    def _is_harmless(self, text: str, number: Decimal) -> bool:
        """Tell whether a text beside the number is a reason without a doubt, or says it again."""
        text = text[self._behind_repeats(text, number) :]
        why = self._why.match(text)
        text = "\n" + text[why.end() :] if why else text
        figures = (Decimal(m[0].replace(UNSEEN, "")) for m in self._figures(text))
        if not all(map(self._is_year, figures)):
            return False
        line = text.partition("\n")[0]
        doubts = (SPELLED, TAKEN_BACK, OF_ITSELF, CANNOT)
        if any(doubt.search(text) for doubt in doubts) or UNSURE.search(line) or DOUBT.search(line):
            return False
        return all(map(is_understood, _SENTENCE.split(text)))

    def _behind_repeats(self, text: str, number: Decimal) -> int:
        """Return where what follows no longer only says the same number again."""
        at = 0
        for _ in range(_MOST_REPEATS):
            again = self._parsed(text[at:])
            if again is None or again.number != number:
                break
            at += again.rest
        return at

    def _is_year(self, number: Decimal) -> bool:
        return self._question.maximum < _FIRST_YEAR <= number <= _LAST_YEAR

    def _reason_in(self, visible: str, plain: str, said: _Said) -> Iterator[Entry]:
        at = said.rest + self._behind_repeats(plain[said.rest :], said.number)
        why = self._why.match(plain, at)
        if reason := trim_remark(visible[why.end() if why else at :]):
            yield Entry(self._question.id, reason=reason, end=len(visible))

    def _is_signed_well(self, visible: str, begin: int) -> bool:
        """Tell whether the sign of a number is sure; a dash may be a mark, # a rank."""
        if begin and visible[begin - 1] in _HASHES:
            return False
        return self._question.minimum >= 0 or visible[begin] not in _LONG_DASHES

    def _entry(self, cause: Cause | None, span: tuple[int, int]) -> Entry:
        return Entry(self._question.id, value=Value(None, cause, span, span[1], span[1]))

    # --- an object

    def _object(self, visible: str, plain: str) -> Iterator[Entry]:
        """Read an object that is the whole answer and holds one number, and perhaps texts."""
        node = next(nodes(visible), None)
        if node is None or node.kind != "object" or not node.items:
            return
        around = visible[: node.begin] + "\n" + visible[node.end :]
        known = all(m.kind in _KINDS and not DRAFT.search(key) for key, m in node.items)
        if not known or not FENCE.fullmatch(around):
            return
        values = [(key, inner) for key, inner in node.items if self._is_value(inner)]
        if len(values) != 1:
            if values:
                yield self._entry(Cause.AMBIGUOUS, (node.begin, node.end))
            return
        key, inner = values[0]
        if self._key.fullmatch(_HUMP.sub(" ", tidy(key)).strip()):
            texts = [item for item in node.items if item[1] is not inner]
            yield from self._members(plain, node, inner, texts)

    def _is_value(self, node: Node) -> bool:
        """Tell whether a member of an object is a number, and no text."""
        if node.kind == "number":
            return True
        said = self._parsed(tidy(node.text))
        as_written = len(node.text) == node.end - node.begin - 2
        return said is not None and as_written and not node.text[said.rest :].strip()

    def _members(
        self, plain: str, node: Node, inner: Node, texts: Sequence[tuple[str, Node]]
    ) -> Iterator[Entry]:
        begin, end = inner.begin, inner.end
        if inner.kind == "string":
            begin, end = begin + 1, end - 1
        value = self._numbers.read(plain, begin, end)
        said = "\n".join(tidy(inner.text) for _, inner in texts)
        span = (node.begin, node.end)
        if other_scales(f"{plain[begin:end]}\n{said}", [self._question]):
            yield self._entry(Cause.OTHER_SCALE, span)
        elif value.number is not None and not self._is_harmless("\n" + said, value.number):
            yield self._entry(Cause.AMBIGUOUS, span)
        else:
            yield Entry(self._question.id, value=value)
            yield from self._reason(texts)

    def _reason(self, texts: Sequence[tuple[str, Node]]) -> Iterator[Entry]:
        meanings = ((self._names.meaning(tidy(key)), inner) for key, inner in texts)
        named = [inner for meaning, inner in meanings if meaning and meaning.part == "reason"]
        for inner in named[:1] or [inner for _, inner in texts if len(texts) == 1]:
            if text := trim_reason(inner.text):
                yield Entry(self._question.id, reason=text, end=inner.end)


class WholeProse:
    """Reads an answer to the one question of a set, which is all of it."""

    def __init__(self, question: str, grammar: ProseGrammar, refusals: tuple[Pattern, ...]) -> None:
        """Keep who reads, and what makes an answer a refusal."""
        self._question = question
        self._grammar = grammar
        self._refusals = refusals

    def read(self, visible: str, _plain: str) -> list[Entry]:
        """Return an entry with the whole answer; none where it says nothing, or begins with a no."""
        if says_no(self._refusals, visible.strip().partition("\n")[0]):
            return []
        value = self._grammar.read(visible, 0, len(visible))
        return [] if value.number is None else [Entry(self._question, value=value)]


def drop_prose(plain: str, value: Value, line: int, *, by_id: bool) -> None:
    """Take no number that is part of a sentence, as in "agree 4 people"; an id may be a word."""
    if value.number is None or value.span is None:
        return
    begin, end = value.span
    is_announced = _ANNOUNCED.search(plain, end, value.rest)
    is_counted = not is_announced and _COUNTED.match(plain, value.rest, value.end)
    if is_counted or (by_id and _WORDS.fullmatch(plain, line, begin)):
        value.number, value.cause = None, Cause.NOT_A_NUMBER


def _squeezed(plain: str) -> tuple[str, list[int]]:
    """Return a text with one blank or line break for many, and where each sign of it stood."""
    signs, places = [], []
    for match in _SIGN.finditer(plain):
        sign = match[0]
        signs.append(
            sign if len(sign) == 1 and not sign.isspace() else "\n" if "\n" in sign else " "
        )
        places.append(match.start())
    return "".join(signs).replace("’", "'"), [*places, len(plain)]


_SIGN = regex(r"\s+|\S")
_DIGIT = regex(r"\d")
_KINDS = ("number", "string")
_SENTENCE = regex(r"[.!。;\n]+")
_HUMP = regex(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_MOST_SHOWN = 4
_MOST_REPEATS = 3
_FIRST_YEAR, _LAST_YEAR = 1000, 2999
_LONG_DASHES = "—―"
_HASHES = "#＃"
_NEGATIVE = ("minus", "negative", "マイナス")
_NUMBER = (
    r"(?P<number>(?P<word>(?:minus|negative|plus|マイナス|プラス) ?(?=[0-9]))?"
    rf"(?P<figure>[-+]?[0-9](?:{UNSEEN}{{0,4}}[0-9])*(?:\.[0-9]{{1,2}})?)(?![0-9]|\.[0-9]))"
)
_FIGURE = regex(rf"[0-9](?:{UNSEEN}{{0,4}}[0-9])*(?:\.[0-9]+)?")
_OUT_OF = regex(r"[ \])\"]*(?:点 *)?(?:/|(?:out )?of) *\d", re.IGNORECASE)
_WORDS = regex(r"[\s>•・-]*(?:[^\W\d_]+\s*)+")
_ANNOUNCED = regex(r"[:=は]")
_COUNTED = regex(
    rf"[ \])\"]*(?!(?:because|since|as|due)\b|{ANCHORS})[a-z\u00c0-\u04ff]", re.IGNORECASE
)
_NAMED = regex("[a-z]", re.IGNORECASE)  # digits behind it are part of a name, as in Q1
