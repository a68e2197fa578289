"""Reads one number from the rest of a line, on a question's scale - or says why there is none."""

import re
from dataclasses import dataclass
from decimal import Decimal

from runner.core.model import Cause, Question


@dataclass(slots=True)
class Value:
    """What stands at one place; `missing` when the place was left unfilled."""

    number: Decimal | None
    cause: Cause | None
    span: tuple[int, int] | None
    pattern: str | None = None
    rank: int = 0


class NumberGrammar:
    """Reads one number from the rest of a line, on the scale of one question."""

    def __init__(self, question: Question) -> None:
        """Compile what depends on the question's scale."""
        low, high = re.escape(str(question.minimum)), re.escape(str(question.maximum))
        scale = rf"{low} *[-~] *{high}"
        self._plain = re.compile(r" *\[?([0-9]{1,3})[ \]点。]*$")
        self._unfilled = re.compile(
            r"[ \[\]():.。]*$"
            rf"|[ \[(<]*[\[(<] *(?:{scale}[^0-9\])>]*|{_TEMPLATE_WORD} *)(?:[\])>][ \])>.。]*)?$"
        )
        self._number = re.compile(
            rf'[ \[("]*(?:{high} *点(?:満点 *(?:中|で|の)?|中)[ 、,:]*)?'
            r"(?:(?:約|およそ|だいたい|大体) *)?"
            r"(?P<number>-?[0-9]{1,9}(?:\.[0-9]{1,9})?)"
        )
        whole = rf"{high}(?![0-9]|\.[0-9])"
        self._scale = re.compile(
            rf'[ \])"]*(?:点 *)?(?:(?:/|(?:out )?of) *{whole}(?: *点 *満点)?'
            rf"|[\[(] *(?:{scale}|/ *{whole}|{high} *点 *満点中?) *点?[ \])])"
        )
        units = ["点", "ポイント", "points?", "pts?"]
        if (question.minimum, question.maximum) == (0, 100):
            units += ["%", "パーセント"]
        self._unit = re.compile(rf'[ \])"]*(?:{"|".join(units)})', re.IGNORECASE)

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read from `begin` to the end of the line; every other digit there is a competitor."""
        usual = self._plain.match(plain, begin, end)
        if usual:
            return Value(Decimal(usual[1]), None, usual.span(1))
        if self._unfilled.match(plain, begin, end):
            return Value(None, Cause.MISSING, (begin, begin))
        match = self._number.match(plain, begin, end)
        if match is None:
            written = plain[begin:end].strip()
            start = plain.index(written, begin)
            return Value(None, Cause.NOT_A_NUMBER, (start, start + len(written)))
        span = match.span("number")
        number = Decimal(match["number"])
        cause = self._objection(plain, match.end(), end)
        if cause is None and not number and number.is_signed():
            cause = Cause.NOT_A_NUMBER
        return Value(None if cause else number, cause, span)

    def _objection(self, plain: str, at: int, end: int) -> Cause | None:
        """Say why what follows the number forbids to take it; None when nothing does."""
        scale = self._scale.match(plain, at, end)
        if scale:
            at = scale.end()
        elif _OTHER_SCALE.match(plain, at, end) or _THOUSANDS.match(plain, at, end):
            return Cause.NOT_A_NUMBER
        if _ANY_DIGIT.search(plain, at, end):
            return Cause.AMBIGUOUS
        unit = self._unit.match(plain, at, end)
        if unit:
            at = unit.end()
        ending = _ENDING.match(plain, at, end)
        if ending:
            at = ending.end()
        if at == end:
            return None
        if plain[at] not in _AFTER_NUMBER and plain[at - 1] not in _CLOSES_NUMBER:
            return Cause.NOT_A_NUMBER
        return Cause.NOT_A_NUMBER if _HEDGE.match(plain, at, end) else None


_TEMPLATE_WORD = (
    r"(?:ここに)?(?:数値|数字|整数|点数|評価値|値|スコア|number|score|value|[xX]{1,3}|\.{2,6}|…{1,3})"
    r"(?:を(?:記入|入力|入れる|書く))?"
)
_OTHER_SCALE = re.compile(r'[ \])"]*(?:点 *)?(?:/|(?:out )?of) *[0-9]')
_THOUSANDS = re.compile(r",[0-9]{3}(?![0-9])")
# Of any script: "80٥" holds two numbers to a reader, whatever this grammar can read.
_ANY_DIGIT = re.compile(r"\d")
_ENDING = re.compile(
    r'[ \])"]*(?:くらい|ぐらい|程度|ほど|前後)?'
    r"(?:です|でした|でしょう|である|と評価します|と評価する|とします|とする|と思います|をつけます)?"
)
_AFTER_NUMBER = "。、,.;:!([…・|-"
_CLOSES_NUMBER = ' )]"'
_HEDGE = re.compile(
    r"以上|以下|未満|超|弱|強|台|代|から|まで|より|では|じゃ|でも|とは|満点|前半|後半"
    r"|(?:or|to|and|not|plus|minus|at|max|min)\b|-+ *$|[~<>=+±≧≦≥≤×÷?%/^]",
    re.IGNORECASE,
)
