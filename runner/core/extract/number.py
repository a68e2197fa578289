"""Reads one number from the rest of a line, on a question's scale - or says why there is none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.extract.normalize import tidy
from runner.core.extract.phrases import ANCHORS, SMALL_NUMBERS
from runner.core.extract.regex import regex
from runner.core.model import Cause, Question

UNSEEN = "\u2060"
"""Stands in a tidied copy between the digits of one number for what cannot be seen."""
WINDOW = 400
"""Characters; whatever is part of a number stands within so many."""


@dataclass(slots=True)
class Value:
    """What stands at one place; `missing` when the place was left unfilled."""

    number: Decimal | None
    cause: Cause | None
    span: tuple[int, int] | None
    rest: int = 0
    """Where what follows the number begins, its unit and its scale taken off."""
    end: int = 0
    """Where the line, or the cell of a table, ends."""
    pattern: str | None = None
    rank: int = 0
    structured: bool = False
    """Whether it stands in an object or a table, not in a line."""
    kanji: bool = False
    """Whether the number is written in kanji."""
    text: str | None = None
    """The value itself where it is no number; or what is wrong with it."""


@dataclass(slots=True)
class Entry:
    """What one place of an object, a table or a whole answer says of a question."""

    question: str
    value: Value | None = None
    reason: str | None = None
    end: int = 0


class NumberGrammar:
    """Reads one number from the rest of a line, on the scale of one question."""

    takes_figures = True
    """Whether a bare number of JSON is a value."""

    def __init__(
        self,
        question: Question,
        reason_words: Sequence[str] = ("理由",),
        value_words: Sequence[str] = (),
        *,
        kanji: bool = False,
    ) -> None:
        """Compile what depends on the question's scale.

        Args:
            question: whose numbers are read.
            reason_words: what may announce, behind the number, that a reason begins.
            value_words: what may stand before the number, as in "Rating: 80".
            kanji: whether 八十 is a number.
        """
        low, high = re.escape(str(question.minimum)), re.escape(str(question.maximum))
        between = "[-~]" if question.minimum >= 0 else "(?:[-~]|to)"
        scale = rf"{low} *{between} *{high}"
        announced = rf"(?:{_any_of(value_words)}) *[:=] *"
        self._kanji = kanji
        self.top = question.maximum
        """The highest number of the scale."""
        # Where most numbers have one digit, "4 [5]" may be two of them.
        self._may_have_notes = question.maximum >= _WIDE_SCALE
        self._unfilled = regex(
            r"[ \[\]():.。]*$"
            rf"|[ \[(<]*[\[(<] *(?:{scale}[^0-9\])>]*|{_TEMPLATE_WORD} *)(?:[\])>][ \])>.。]*)?$"
        )
        self._number = regex(
            rf"(?:{announced}|(?:->|→|⇒|➡|=>? |[\U0001f600-\U0001f64f]) *|[\[(] *{scale} *点?[\])] *[:=]? *"
            r"|\[ {0,2}[xX✓✔] {0,2}\] *|[☑✅✓✔] *"
            rf"|[█▉▊▋▌▍▎▏░▒▓■□▰▱]{{3,40}} *(?=[0-9]{{1,3}} *(?:/ *{high}(?![0-9])|%)))?"
            rf'[ \[("]*(?:{high} *点(?:満点 *(?:中|で|の)?|中の?)[ 、,:]*)?'
            r"(?:(?:約|およそ|だいたい|大体|about|around|approximately|approx\.?|roughly) *)?"
            rf"(?:(?P<number>[-+]?[0-9](?:{UNSEEN}{{0,4}}[0-9]){{0,8}}(?:\.[0-9]{{1,9}})?)"
            rf"|(?P<other>(?:(?![0-9])\d){{1,3}}(?!\d))|(?P<kanji>[{_KANJI}]+)"
            rf"|(?P<words>{_WORDS})(?={_AFTER_WORDS}))",
            re.IGNORECASE,
        )
        whole = rf"{high}(?![0-9]|\.[0-9])"
        self._scale = regex(
            rf'[ \])"]*(?:点 *)?(?:(?:/|(?:out )?of) *{whole}(?: *点 *満点)?'
            rf"|[\[(] *(?:{scale}|/ *{whole}|{high} *点 *満点中?) *点?[ \])])"
        )
        self.written_scale = regex(rf"(?:/|out of) *{whole}", re.IGNORECASE)
        """The question's own scale behind a number."""
        self.announced_scale = regex(
            rf"(?:on|using) (?:a|the) scale (?:of|from) {low} *(?:to|-) *{high}(?![0-9])"
            rf"|(?<![0-9]){low} *(?:[-~]|から) *{high} *点?(?:まで)?(?:の(?:範囲|尺度|スケール|整数))?で|(?<![0-9]){high} *点満点(?:で|中)?",
            re.IGNORECASE,
        )
        """The question's own scale in a sentence."""
        percent = "|%|パーセント" if (question.minimum, question.maximum) == (0, 100) else ""
        self._unit = regex(rf'[ \])"]*(?:点|ポイント|points?|pts?{percent})', re.IGNORECASE)
        self._counts = _counted_behind(question)
        self._reason = regex(
            rf'[ \])"]*(?:点)?(?:です)?[ 、。,.;/|(\[-]*(?:{_any_of(reason_words)}) *[\])]? *[:は] *',
            re.IGNORECASE,
        )

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read from `begin` to the end of the line; every other digit there is a competitor."""
        value = self._read(plain, begin, end)
        value.end = end
        return value

    def is_unfilled(self, written: str) -> bool:
        """Tell whether a text of its own, as in JSON, is what the form has for a number."""
        return self._unfilled.match(f"[{written}]") is not None

    def behind_scale(self, plain: str, at: int) -> int:
        """Return where the scale ends that stands behind a number, as in 80/100; else the same place."""
        match = self._scale.match(plain, at, at + WINDOW)
        return match.end() if match else at

    def _read(self, plain: str, begin: int, end: int) -> Value:
        first = _BLANK.match(plain, begin, end)
        at = first.end() if first else begin
        usual = _USUAL.match(plain, at, end)
        if usual:
            return Value(Decimal(usual[1]), None, usual.span(1), end)
        near = min(end, at + WINDOW)
        if self._is_unfilled(plain, at, near, end):
            return Value(None, Cause.MISSING, (begin, begin), end)
        at = _result_of_sum(plain, at, near)
        match = self._number.match(plain, at, near)
        if match is None or (match["kanji"] is not None and not self._kanji):
            return Value(None, Cause.NOT_A_NUMBER, _written(plain, at, end), end)
        how = match.lastgroup or "number"
        kanji = how == "kanji"
        span = match.span(how)
        number = _NUMBERS[how](match[how])
        cause, rest = self._objection(plain, span, near, end)
        if cause is None and (number is None or (not number and number.is_signed())):
            cause = Cause.NOT_A_NUMBER
        if cause is not None:
            span = _written(plain, span[0], end)
        return Value(None if cause else number, cause, span, rest, kanji=kanji)

    def _is_unfilled(self, plain: str, at: int, near: int, end: int) -> bool:
        return self._unfilled.match(plain, at, near) is not None and not plain[near:end].strip()

    def _objection(
        self, plain: str, span: tuple[int, int], near: int, end: int
    ) -> tuple[Cause | None, int]:
        """Say why what follows the number forbids to take it, or where something else begins."""
        at = span[1]
        note = _FOOTNOTE.match(plain, at, near) if self._may_have_notes else None
        # "8²" and "10²" may be powers.
        if note and (note[0] not in _SUPERSCRIPTS[1:] or plain[slice(*span)] not in _BASES):
            at = note.end()
        at = _behind_margin(plain, span, at, near)
        scale = self._scale.match(plain, at, near)
        if scale:
            at = scale.end()
        elif self._counts_signs(plain, span, near) or _OTHER_SCALE.match(plain, at, near):
            return Cause.OTHER_SCALE, at
        elif _THOUSANDS.match(plain, at, near) or self._is_grouped(plain[slice(*span)]):
            return Cause.NOT_A_NUMBER, at
        reason = self._reason.match(plain, at, near)
        if reason:
            return None, reason.end()
        behind = at
        unit = self._unit.match(plain, at, near)
        if unit:
            at = unit.end()
        is_share = unit is None or unit[0].strip() in _SHARES
        if not scale and is_share and self._counts.match(plain, at, near):
            return Cause.NOT_A_NUMBER, at
        ending = _ENDING.match(plain, at, near)
        if ending:
            at = ending.end()
        if self._competes(plain, behind, end):
            return Cause.AMBIGUOUS, at
        if at == end:
            return None, at
        if plain[at] not in _AFTER_NUMBER and plain[at - 1] not in _CLOSES_NUMBER:
            return Cause.NOT_A_NUMBER, at
        return Cause.NOT_A_NUMBER if _HEDGE.match(plain, at, near) else None, at

    def _counts_signs(self, plain: str, span: tuple[int, int], near: int) -> bool:
        """Tell whether a number says how many signs stand behind it, as in "4 ★★★★☆"."""
        signs = _SIGNS_BEHIND.match(plain, span[1], near)
        count = sum(sign in SIGNS for sign in signs[0]) if signs else 0
        return is_of_signs(plain[slice(*span)], count, self.top)

    def _is_grouped(self, written: str) -> bool:
        """Tell whether a dot may stand for thousands, as in 250.000."""
        return self.top >= _THOUSAND and _GROUPED.fullmatch(written) is not None

    def _competes(self, plain: str, at: int, end: int) -> bool:
        """Tell whether another number follows that could be meant; 1927年 and 3回 could not."""
        if self._kanji and _KANJI_TOO.search(plain, at, end):
            return True
        first = _ANY_DIGIT.search(plain, at, end)
        if first is None:
            return False
        if end - at > _LONGEST_REMARK:
            return True
        rest = _CONFIDENCE.sub("", plain[at:end], count=1)
        return _ANY_DIGIT.search(COUNTED.sub("", rest)) is not None


def _any_of(words: Sequence[str]) -> str:
    """Return what finds one of some words, the longest first; nothing where there are none."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"


def _counted_behind(question: Question) -> re.Pattern[str]:
    """Return what finds, behind a number, what is counted or whose it is: "4 nights a week"."""
    meant = "|".join(re.escape(tidy(word).lower()) for word in question.anchors.values())
    return regex(
        rf" +(?!(?:because|since|as(?! an? )|due|{meant or '(?!)'})\b|{ANCHORS}){_SMALL_LETTER}"
    )


def is_of_signs(written: str, count: int, top: int | Decimal) -> bool:
    """Tell whether a number beside so many signs may count them, on a scale that ends higher."""
    return bool(count) and written.isdecimal() and int(written) <= count < top


def from_kanji(written: str) -> Decimal | None:
    """Return 八十 or 八〇 as a number; None when it is none up to 9999."""
    if all(sign in _KANJI_DIGITS for sign in written):
        digits = "".join(str(_KANJI_DIGITS[sign]) for sign in written)
        return (
            Decimal(digits) if len(digits) == 1 or (len(digits) < 5 and digits[0] != "0") else None
        )
    total, digit, below = 0, None, 10_000
    for sign in written:
        if sign in _KANJI_DIGITS:
            if digit is not None or sign in "〇零":
                return None
            digit = _KANJI_DIGITS[sign]
            continue
        unit = _KANJI_UNITS[sign]
        if unit >= below:
            return None
        total += unit * (1 if digit is None else digit)
        digit, below = None, unit
    return Decimal(total + (digit or 0))


def _decimal(written: str) -> Decimal | None:
    """Return digits as a number, 80.0 as 80; None when they are of several scripts."""
    written = written.translate(_UNSEEN).removeprefix("+")
    if not written.isascii() and ord(max(written)) - ord(min(written)) > 9:
        return None
    number = Decimal(written)
    whole = number.to_integral_value()
    return whole if number == whole and "." in written else number


def _from_words(written: str) -> Decimal:
    words = _ANY_WORD.findall(written.lower())
    if "hundred" in words:
        return Decimal(100)
    return Decimal(sum(_WORD_VALUES.get(word, 0) for word in words))


def _result_of_sum(plain: str, at: int, end: int) -> int:
    """Return where the result of a sum that adds up stands, as in "40+32=72"; else the same place."""
    written = _SUM_FIRST.match(plain, at, end)
    adds_up = written and _total(written[1]) == int(written[2])
    return written.start(2) if written and adds_up else at


def _behind_margin(plain: str, span: tuple[int, int], at: int, end: int) -> int:
    """Return what follows "±5", or "(=30+28)" that adds up; else the same place."""
    if margin := _MARGIN.match(plain, at, end):
        return margin.end()
    written = _SUM_BEHIND.match(plain, at, end)
    number = plain[slice(*span)]
    adds_up = written and number.isdigit() and _total(written[1]) == int(number)
    return written.end() if written and adds_up else at


def _total(terms: str) -> int:
    return sum(int(term.replace(" ", "")) for term in _TERM.findall(terms))


def _written(plain: str, begin: int, end: int) -> tuple[int, int]:
    """Return where the text of a place stands, blanks taken off."""
    start = end - len(plain[begin:end].lstrip())
    return start, start + len(plain[start:end].rstrip())


_KANJI_DIGITS = {sign: number for number, sign in enumerate("〇一二三四五六七八九")} | {"零": 0}
_KANJI_UNITS = {"十": 10, "百": 100, "千": 1000}
_KANJI = "".join((*_KANJI_DIGITS, *_KANJI_UNITS))
_NUMBERS: dict[str, Callable[[str], Decimal | None]] = {
    "number": _decimal,
    "other": _decimal,
    "kanji": from_kanji,
    "words": _from_words,
}
_UNSEEN = {ord(UNSEEN): None}
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORD_VALUES = {word: number for number, word in enumerate(SMALL_NUMBERS)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}
_ANY_WORD = regex("[a-z]+")
_WORDS = (
    rf"(?:one |a )?hundred\b|(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(SMALL_NUMBERS[1:10])}))?\b"
    rf"|(?:{'|'.join(reversed(SMALL_NUMBERS))})\b"
)
# Words are a number only where they stand alone: "one of the best" is none.
_AFTER_WORDS = r'(?: *(?:points?|out of (?:100|a hundred|one hundred)))?[ \])".。]*$'
_KANJI_TOO = regex(rf"[{_KANJI}]{{2}}|[{_KANJI}] *点")
_BLANK = regex(" *")
_USUAL = regex(r"\[?([0-9]{1,3})[ \]点。]*$")
_TEMPLATE_WORD = (
    r"(?:ここに)?(?:数値|数字|整数|点数|評価値|値|スコア|number|score|value|integer"
    r"|[xX]{1,3}|\.{2,6}|…{1,3})"
    r"(?:を(?:記入|入力|入れる|書く))?"
)
_OTHER_SCALE = regex(r'[ \])"]*(?:点 *)?(?:/|(?:out )?of) *[0-9]')
_SUPERSCRIPTS = "¹²³⁴⁵⁶⁷⁸⁹"
_FOOTNOTE = regex(
    rf" ?(?:[{_SUPERSCRIPTS}](?![{_SUPERSCRIPTS}⁰])|\[\^ ?\w{{1,10}}\]|\[[1-9](?:†[^\[\]\n]{{0,40}})?\]|※(?:[0-9]{{1,2}}|(?=[ )\]]|$))|[†‡]"
    r"|\( ?注 ?[0-9]{0,2} ?\)|\[ ?注 ?[0-9]{0,2} ?\])"
)
_BASES = (*"0123456789", "10")
_WIDE_SCALE = 20
_THOUSAND = 1000
SIGNS = "★☆⭐✩✭✮●○◆◇■□▰▱█▉▊▋▌▍▎▏▓▒░"
"""Of what stars and bars are drawn."""
_SIGNS_BEHIND = regex(rf"[ (\[]*(?:[{SIGNS}] ?){{1,100}}")
_GROUPED = regex(r"[-+]?[1-9][0-9]{0,2}\.[0-9]{3}")
_SHARES = ("%", "パーセント")
_SMALL_LETTER = "[a-z\u00df-\u00ff\u0430-\u044f]"
_CONFIDENCE = regex(
    r"(?:確信度|信頼度|自信度?|確度|confidence(?: level)?|certainty)[ :=はが約]{0,4}[0-9]{1,3}(?:\.[0-9]{1,3})? *%?(?![0-9/])"
    r"|(?<![0-9])[0-9]{1,3} ?% *(?:の?(?:確信|自信|確度)|confiden(?:ce|t)|certain)",
    re.IGNORECASE,
)
_TERMS = r"[0-9]{1,4}(?: {0,2}[-+] {0,2}[0-9]{1,4}){1,9}"
_TERM = regex(r"[-+]? {0,2}[0-9]+")
_SUM_FIRST = regex(rf"({_TERMS}) {{0,2}}= {{0,2}}([0-9]{{1,4}})(?![0-9])")
_SUM_BEHIND = regex(rf" {{0,2}}(?:\( {{0,2}}= {{0,2}}({_TERMS}) {{0,2}}\))")
_MARGIN = regex(r" {0,2}(?:± {0,2}[0-9]{1,3}(?![0-9.])|\( {0,2}(?:±|\+/-) {0,2}[0-9]{1,3} {0,2}\))")
_THOUSANDS = regex(r",[0-9]{3}(?![0-9])")
# Of any script: "80٥" holds two numbers to a reader, whatever this grammar can read.
_ANY_DIGIT = regex(r"\d")
COUNTED = regex(
    r"(?<![\d.,/~+-])(?:[0-9]{1,4}(?=年|か月|ヶ月|世紀|回|人|歳|才|章|節|行|ページ|頁|冊|つ|番|個|枚|本|匹|頭|羽"
    r"|文字|日|時間|分間|秒)|(?:1[0-9]|20)[0-9]{2}(?![\d.,/~+%点-]*[\d点%]))"
)
_LONGEST_REMARK = 5_000
_ENDING = regex(
    r'[ \])"]*(?:くらい|ぐらい|程度|ほど|前後)?'
    r"(?:です|でした|でしょう|である|だ(?=[。 ]|$)|と評価します|と評価する|とします|とする|と思います|をつけます)?"
)
_AFTER_NUMBER = "。、,.;:!([…・|※-"
_CLOSES_NUMBER = ' )]"'
_HEDGE = regex(
    r"以上|以下|未満|超|弱|強|台|代|から|まで|より|では|じゃ|でも|とは|満点|前半|後半"
    r"|(?:or|to|and|not|plus|minus|at|max|min)\b|-+ *$|[~<>=+±≧≦≥≤×÷?%/^]"
    r"|[ \[(]*(?:[½⅓⅔¼¾⅕⅛]|(?:単位 *[:は]? *)?(?:[十百千]?[万億]|千円)|(?:in )?(?:thousand|million|billion)s?\b)"
    r"|[ 、,。.;([…※-]*(?:(?:ただし|あくまで(?:も|でも)?|これは|just|only)?[ 、,]*(?:an? )?"
    r"(?:例(?!え|外)|仮[のに:)\] ]|暫定|平均|もし|たとえば|例えば|ダミー|など(?=[ 。.)\]]|$)"
    r"|(?:e\.g|examples?|for example|placeholder|tentative|dummy|average|on average|if|assuming)\b))",
    re.IGNORECASE,
)
