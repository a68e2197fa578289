"""What an answer says beside its values that forbids to take them.

Another scale that it announces, a later correction in other words, a heading that says whose
numbers stand below it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from runner.core.extract.matcher import Mark
from runner.core.extract.names import Names, any_of, folded, linear
from runner.core.extract.regex import regex
from runner.core.extract.remarks import Remarks
from runner.core.model import Cause, ItemKind, Question, QuestionSet

MOST_LINES = 300
"""Lines with such words; an answer with more of them is not taken at all."""
_LONGEST = 400
"""Characters of a line that are looked at."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale as announced; `low` is None when only its end is named, `steps` if it is a count."""

    low: int | None
    high: int
    steps: bool
    written: str
    begin: int
    end: int

    def is_of(self, question: Question) -> bool:
        """Tell whether it is the question's own."""
        if self.steps:
            return self.high in (question.maximum - question.minimum + 1, question.maximum)
        return self.high == question.maximum and self.low in (None, 0, 1, question.minimum)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a question's values are not taken, and what says so."""

    question: str
    cause: Cause
    written: str


class Doubter:
    """Finds doubts in answers to one question set."""

    def __init__(self, questions: QuestionSet, names: Names) -> None:
        """Compile what questions are called."""
        self._questions = {question.id: question for question in questions.questions}
        self._remarks = Remarks(questions, names)
        self._numbers = [q for q in questions.questions if q.kind is ItemKind.NUMBER]
        self._only = tuple(q.id for q in self._numbers) if len(self._numbers) == 1 else ()
        self._known = names.ids | names.labels
        every = any_of(self._known)
        self._name = regex(rf"(?<![0-9a-z])(?:{every})(?![0-9a-z])", re.IGNORECASE)

    def find(
        self,
        plain: str,
        marks: Iterable[Mark],
        numbers: Mapping[str, Sequence[Decimal]],
        structures: Sequence[tuple[int, tuple[str, ...]]] = (),
    ) -> Iterator[Doubt] | None:
        """Yield every doubt; None when there are too many to look at.

        Args:
            plain: the answer, objects and tables blanked out.
            marks: what the patterns found.
            numbers: what was read for each question.
            structures: where objects and tables begin, and what they answer.
        """
        lines = list(_lines(plain))
        if len(lines) > MOST_LINES:
            return None
        marks = [mark for mark in marks if mark.questions]
        ends = list(first_ends(marks, structures))
        remarks = self._remarks.find(plain, max(ends), numbers) if ends else iter(())
        if remarks is None:
            return None
        return chain(
            self._doubts(plain, lines, marks, numbers),
            _titled_structures(plain, lines, structures),
            (Doubt(question, Cause.AMBIGUOUS, written) for question, written in remarks),
        )

    def _doubts(
        self,
        plain: str,
        lines: list[tuple[int, int]],
        marks: list[Mark],
        numbers: Mapping[str, Sequence[Decimal]],
    ) -> Iterator[Doubt]:
        starts = [mark.line for mark in marks]
        for begin, end in lines:
            index = bisect_right(starts, begin) - 1
            mark = marks[index] if index >= 0 else None
            text = plain[begin : min(end, begin + _LONGEST)]
            is_title = (
                mark is not None
                and not (mark.finder.names or mark.finder.only)
                and not plain[mark.begin : end].strip()
            )
            if mark is not None and mark.line == begin and is_title:
                yield from self._of_all(text, numbers)
            if mark is not None and mark.line == begin:
                yield from self._reconsidered(text, mark, numbers)
            if mark is not None and mark.line == begin and mark.finder.group == "value":
                head = plain[begin : mark.begin]
                asked = self._numbers_of(mark)
                for scale in other_scales(head, asked):
                    yield from (Doubt(q.id, Cause.OTHER_SCALE, scale.written) for q in asked)
                yield from self._of_reason(plain[mark.begin : end], mark, numbers)
                continue
            tight = (
                mark is not None
                and self._has_reason(mark)
                and not is_note(text)
                and not BLANK_LINE.search(plain, mark.begin, begin)
            )
            if tight and mark is not None:
                yield from self._of_reason(text, mark, numbers)
                if mark.line != begin:
                    yield from self._corrections(text, numbers, mark.questions)
            else:
                yield from self._of_all(text, numbers)
                yield from self._corrections(text, numbers, self._only)
                yield from self._void(text)
                yield from self._below(plain, end, numbers, text, mark is not None)
                yield from self._titled(plain, (begin, end), marks, index + 1)

    def _numbers_of(self, mark: Mark) -> list[Question]:
        """Return the questions of a line that have a scale."""
        return [question for question in self._numbers if question.id in mark.questions]

    def _has_reason(self, mark: Mark) -> bool:
        """Tell whether what stands below a line may be its reason."""
        return not mark.questions or any(self._questions[q].asks_reason for q in mark.questions)

    def _of_all(self, text: str, numbers: Mapping[str, Sequence[Decimal]]) -> Iterator[Doubt]:
        """A scale announced for the whole answer; a number above its end is on none such."""
        if _TOTAL.search(text):
            return
        named = {self._known[folded(mention[0])] for mention in self._name.finditer(text)}
        meant = [q for q in self._numbers if q.id in named] or self._numbers
        for scale in other_scales(text, meant):
            for question in meant:
                fits = any(number <= scale.high for number in numbers.get(question.id, ()))
                if fits and not scale.is_of(question):
                    yield Doubt(question.id, Cause.OTHER_SCALE, scale.written)

    def _of_reason(
        self, text: str, mark: Mark, numbers: Mapping[str, Sequence[Decimal]]
    ) -> Iterator[Doubt]:
        """A scale in a reason counts when the value is said again on it, or could be on it."""
        asked = self._numbers_of(mark)
        for scale in other_scales(text[:_LONGEST], asked):
            near = text[max(0, scale.begin - 12) : scale.end + 14]
            near = near.replace(scale.written, " ")
            figures = [Decimal(figure) for figure in _FIGURE.findall(near)]
            is_rating = _RATED.search(scale.written) is not None
            for q in asked:
                for number in numbers.get(q.id, ()):
                    again = number in figures
                    if again or (not figures and number <= scale.high and is_rating):
                        yield Doubt(q.id, Cause.OTHER_SCALE, scale.written)

    def _reconsidered(
        self, text: str, mark: Mark, numbers: Mapping[str, Sequence[Decimal]]
    ) -> Iterator[Doubt]:
        """A reason that gives another number in place of the value."""
        for match in _RECONSIDERED.finditer(text):
            figure = Decimal(next(group for group in match.groups() if group))
            for q in mark.questions:
                if any(number != figure for number in numbers.get(q, ())):
                    yield Doubt(q, Cause.AMBIGUOUS, match[0])

    def _void(self, text: str) -> Iterator[Doubt]:
        """A sentence that says of the numbers that they stand for none."""
        said = _VOID.search(text)
        if said is not None:
            for q, question in self._questions.items():
                if question.kind is not ItemKind.TEXT:
                    yield Doubt(q, Cause.AMBIGUOUS, said[0])

    def _corrections(
        self, text: str, numbers: Mapping[str, Sequence[Decimal]], owner: tuple[str, ...]
    ) -> Iterator[Doubt]:
        if _SWAPPED.search(text):
            named = {self._known[folded(m[0])] for m in self._name.finditer(text)}
            yield from (Doubt(q, Cause.AMBIGUOUS, text.strip()) for q in named if len(named) > 1)
        word = _CORRECTION.search(text)
        if word is None:
            return
        mentions = list(self._name.finditer(text))
        if mentions:
            yield from self._said(text, numbers)
            return
        figures = [Decimal(f) for f in _FIGURE.findall(_COUNTED.sub(" ", text[word.start() :]))]
        if not figures or not (owner or _STRONG.search(text)):
            return
        for q in owner or self._questions:
            if any(number not in figures for number in numbers.get(q, ())):
                yield Doubt(q, Cause.AMBIGUOUS, text.strip())

    def _said(self, text: str, numbers: Mapping[str, Sequence[Decimal]]) -> Iterator[Doubt]:
        """What a sentence says of questions that it names has to be what was read."""
        mentions = list(self._name.finditer(text))
        for number, mention in enumerate(mentions):
            stop = mentions[number + 1].start() if number + 1 < len(mentions) else len(text)
            begin = 0 if len(mentions) == 1 else mention.end()
            said = text[begin : mention.start()] + " " + text[mention.end() : stop]
            figures = [Decimal(f) for f in _FIGURE.findall(_COUNTED.sub(" ", said))]
            q = self._known[folded(mention[0])]
            if _NOT_LAST.search(said):
                figures = figures[:1]
            if figures and any(n not in figures[-1:] for n in numbers.get(q, ())):
                yield Doubt(q, Cause.AMBIGUOUS, text.strip())

    def _below(
        self,
        plain: str,
        end: int,
        numbers: Mapping[str, Sequence[Decimal]],
        title: str,
        later: bool,
    ) -> Iterator[Doubt]:
        """Below a title that announces corrections or final scores, every line has to agree."""
        if not later or not _LATER_TITLE.search(title):
            return
        for _ in range(2 * len(self._questions) + 2):
            begin = end + 1
            end = plain.find("\n", begin)
            end = len(plain) if end < 0 else end
            if begin >= len(plain):
                return
            line = plain[begin : min(end, begin + _LONGEST)]
            if not _TOTAL.search(line):
                yield from self._said(line, numbers)

    @staticmethod
    def _titled(
        plain: str, line: tuple[int, int], marks: list[Mark], first: int
    ) -> Iterator[Doubt]:
        """What stands below the title of an example or of others' averages is no answer."""
        begin, end = line
        text = plain[begin : min(end, begin + _LONGEST)]
        if not _is_of_others(text, first=first == 0):
            return
        at = end
        for mark in marks[first:]:
            between = plain[at : mark.line]
            titled = between.strip(" \n-") and mark.finder.group != "reason"
            if titled and (at != end or _TITLE.search(between)):
                return
            if mark.finder.group == "value":
                for q in mark.questions:
                    yield Doubt(q, Cause.AMBIGUOUS, text.strip())
            at = mark.end


def first_ends(
    marks: Iterable[Mark], structures: Sequence[tuple[int, tuple[str, ...]]]
) -> Iterator[int]:
    """Yield where a question is answered for the first time: a structure begins, or a line ends."""
    yield from (begin for begin, _ in structures)
    seen: set[tuple[tuple[str, ...], str]] = {
        ((question,), "value") for _, answered in structures for question in answered
    }
    for mark in marks:
        key = (mark.questions, mark.finder.group)
        if key not in seen:
            seen.add(key)
            yield mark.end


def _is_of_others(text: str, *, first: bool) -> bool:
    """Tell whether a line is the title of an example, or of others' numbers."""
    if _OTHERS.fullmatch(text.strip(" -:[]().>*#")):
        return True
    return first and _REFUSED_WITH_EXAMPLE.search(text) is not None


def _titled_structures(
    plain: str, lines: list[tuple[int, int]], structures: Sequence[tuple[int, tuple[str, ...]]]
) -> Iterator[Doubt]:
    """Below such a title an object or a table is no answer, either."""
    ends = [end for _, end in lines]
    for begin, questions in structures:
        above = bisect_right(ends, begin) - 1
        if above < 0 or _BETWEEN.fullmatch(plain, ends[above], begin) is None:
            continue
        title = lines[above][0]
        text = plain[title : min(ends[above], title + _LONGEST)]
        if _is_of_others(text, first=True):
            yield from (Doubt(q, Cause.AMBIGUOUS, text.strip()) for q in questions)


def corrections(plain: str) -> Iterator[str]:
    """Yield the lines of a tidied text that may take something back."""
    for begin, end in _lines(plain):
        line = plain[begin:end]
        if _CORRECTION.search(line):
            yield line


def is_note(plain: str) -> bool:
    """Tell whether a tidied line begins as a note below an answer does."""
    return _NOTE.match(plain) is not None


def stirs(plain: str) -> bool:
    """Tell whether a tidied text may announce a scale, or put a number in another's place.

    Where it does not, there is no doubt in lines each of which is a question's and no note.
    """
    return _STIRS.search(plain.encode("utf-8", "replace")) is not None


def scales(text: str) -> Iterator[Scale]:
    """Yield the scales that a tidied text announces."""
    data = text.encode("utf-8", "replace")
    if _SPEAKS_OF_SCALE.search(data) is None or _SCALE_ENDS.search(data) is None:
        return
    for pattern in _SCALES:
        for match in pattern.finditer(text):
            said = match.groupdict()
            high = _number(said["high"])
            low = _number(said["low"]) if said.get("low") else None
            if high is None or high < 2 or (low is not None and low >= high):
                continue
            steps = said.get("steps") is not None
            yield Scale(low, high, steps, match[0].strip(), *match.span())


def other_scales(text: str, questions: Sequence[Question]) -> list[Scale]:
    """Return the scales that are none of these questions' own, unless the text dismisses them."""
    found = list(scales(text))
    own = [s for s in found if all(s.is_of(q) for q in questions)]
    others = [s for s in found if s not in own]
    # "10点満点ではなく100点満点": the last one said is meant. A part of another says nothing.
    return [
        other
        for other in others
        if not any(o.begin >= other.end for o in own)
        and not any(o.begin <= other.begin and other.end <= o.end for o in own)
        and not _DISMISSED.match(text, other.end)
    ]


def _number(written: str) -> int | None:
    written = written.lower()
    if written.isdigit():
        return int(written)
    return _SPELLED.get(written)


def _lines(plain: str) -> Iterator[tuple[int, int]]:
    """Yield the lines in which one of the words stands, each once."""
    data = plain.encode("utf-8", "replace")
    at = place = last = 0
    count = 0
    for match in _TRIGGER.finditer(data):
        if match.start() < last:
            continue
        begin = data.rfind(b"\n", 0, match.start()) + 1
        last = data.find(b"\n", match.end())
        last = len(data) if last < 0 else last
        place += len(data[at:begin].decode("utf-8", "replace"))
        at = begin
        size = len(data[begin:last].decode("utf-8", "replace"))
        yield place, place + size
        count += 1
        if count > MOST_LINES:
            return


_WORDS = {
    3: ("三", "three"),
    4: ("四", "four"),
    5: ("五", "five"),
    6: ("六", "six"),
    7: ("七", "seven"),
    10: ("十", "ten"),
    20: ("二十", "twenty"),
    50: ("五十", "fifty"),
    100: ("百", "hundred", "a hundred", "one hundred"),
    1000: ("千",),
}
_SPELLED = {word: number for number, words in _WORDS.items() for word in words}
_N = r"(?<![0-9.])[0-9]{1,4}(?![0-9]|\.[0-9])|(?:二十|五十|五|七|十|百|千|三|四|六)"
_E = r"[0-9]{1,4}(?![0-9]|\.[0-9])|(?:a |one )?hundred|three|four|five|six|seven|ten|twenty|fifty"
_TO = r"(?: *[-~] *| *から *| *to *| *through *)"
_RANGE = rf"(?P<low>(?<![0-9.])[0-9]{{1,2}})(?: *点)?(?: *\([^()\n]{{1,20}}\))?{_TO}(?P<high>[0-9]{{1,4}})(?![0-9]|\.[0-9])"
_SCALES = tuple(
    regex(source, re.IGNORECASE)
    for source in (
        rf"(?P<high>{_N}) *点 *(?:満点|[がを]満点|[がを]最高|中(?!心|盤|間)|法)",
        rf"(?:満点|最高点|最高得点|最高値|最大値|最大点|上限)(?: *[はがを:=] *| *)(?P<high>{_N})",
        rf"(?P<steps>(?P<high>{_N}) *(?:段階|件法))(?!目)",
        rf"(?P<steps>(?P<high>{_E})[- ]*stars?)\b",
        rf"out of (?:a (?:possible |maximum (?:of )?|total of )?)?(?P<high>{_E})\b(?! (?:people|readers|times|chapters))",
        rf"(?P<high>\b(?:{_E}))[- ]points?[- ](?:likert |rating )?scale",
        rf"{_RANGE}(?: *(?:点|段階|points?))?(?:の|で)?(?: *(?:point|likert|rating|numeric))* *(?:scale|尺度|スケール|段階|範囲|評価|採点|整数|数値)",
        rf"(?:scale|尺度|スケール|rated?|ratings?|scored?|scores?|評価|採点)[^0-9\n。.]{{0,24}}{_RANGE}",
        rf"[\[(] *{_RANGE} *(?:点(?:満点)?|points?|scale|段階)? *[^0-9()\[\]\n]{{0,12}}[\])]",
        rf"(?<![0-9]){_RANGE} *(?:点|で(?:評価|採点|回答|表))",
        rf"[\[(] *(?:/|max\.?|maximum|最大|最高|上限|満点) *[:=]? *(?P<high>{_N}) *(?:点|points?)? *[\])]",
        rf"(?:scale|スケール|尺度)(?: of| *[:=は]) *(?P<high>{_E})\b(?! *(?:-|~|to))",
        rf"\bmax(?:imum)?(?: score| points| rating)? *(?:is|of|:|=|は) *(?P<high>{_E})\b",
        r"\b(?P<low>[01]) *[=:は](?:[^\n=0-9]{1,30}?[ ,、;/。「]+(?P<high>[0-9]{1,4}) *[=:は]){1,11}",
        rf"\bus(?:ed|ing|e) (?P<low>[01]){_TO}(?P<high>[0-9]{{1,4}})(?![0-9])",
        rf"\b(?:zero|one|[01]) to (?P<high>{_E})\b",
        rf"\b(?P<high>{_E}) (?:being|is|=) (?:the )?(?:highest|max(?:imum)?|best|top|most)\b",
        rf"(?P<high>{_N}) *点 *(?:です|で)?(?:が)?(?:満点|最高)",
    )
)
_SCALE_BEGINS = (
    "満点|段階|点 *中|点法|件法|最高|最大|上限|尺度|スケール|out of|scale|(?:[0-9]|hundred|three|four|f.ve|s.x|seven|ten|twenty|f.fty)[- ]*stars?|max|(?:being|is) (?:the )?(?:highest|best|top|most)|(?:zero|one) to |[\\[(] */ *[0-9]"
    "|[0-9](?: *点)? *(?:\\([^()\\n]{1,20}\\) *)?(?:-|~|から|to|through) *[0-9]|[01] *[=:は][^\\n=0-9]{1,30}[ ,、;/。「][0-9]+ *[=:は]"
)
_SPEAKS = (
    f"{_SCALE_BEGINS}|点 *法|[01] to |[01] *[=:は]|= (?:the )?(?:highest|best|top|most)|[\\[(] */"
)
_THEREFORE = "よって|したがって|従って|ゆえに|以上(?:から|より)|最終(?:的に|評価|スコア|点数?|値)"
_SO = r"\b(?:so|thus|therefore|hence|accordingly|overall|ultimately|in the end|finally)\b,? *"
_OTHER_THINGS = (
    "重み(?:付け|づけ)?|配点|割合|比率|配分|信頼度|確信度|自信度|出現回数|件数|文字数|目標値|他の?(?:AI)?モデル"
    "|(?:昨年|去年|前年|過去|以前)の(?:アンケート|調査|評価|回答)?"
    "|weights?|weightings?|proportions?|confidence|certainty|(?:word )?counts|occurrences|other models?"
    "|(?:last year's|previous|past|earlier) (?:survey|poll|ratings?|scores?|answers?|responses?|results?)"
)
"""What a title says of numbers that are no values of the model's own."""
_RECONSIDERS = (
    "(?:いや|やはり|やっぱり)[、,]? *[0-9]|引き上げ|引き下げ|(?:考え直|思い直|再検討)[^0-9。\\n]*[0-9]"
    rf"|(?:{_THEREFORE})[^0-9。\n]*[0-9]|{_SO}(?:i|the|my|an?)\b[^0-9.\n]*[0-9]|\bno[,:]? *(?:an? )?[0-9]"
    rf"|\bfinal (?:score|rating|grade|value|answer|number)[^0-9.\n]*[0-9]"
)
"""Stands in what `_RECONSIDERED` matches without a word of `_TRIGGER`."""
_SPEAKS_OF_SCALE = linear(_SPEAKS, capture=False)
"""Stands in all that any of `_SCALES` matches."""
_SCALE_ENDS = linear(
    "[0-9三四五六七十百千]|hundred|three|four|f.ve|s.x|seven|ten|twenty|f.fty", capture=False
)
"""Where a scale ends stands in all that any of them matches, too."""
_TRIGGER = linear(
    f"(?:{_SCALE_BEGINS}"
    "|had to|仮に|であれば|なら|訂正|修正|誤り|間違|正しく|逆で|入れ替|取り違|最終|再評価|見直|改め|変更|まとめ|撤回|再考|やはり|総括|一覧"
    "|平均|例|たとえば|読者|前回|仮の"
    "|correct|revis|final|edit|reflection|reconsider|should be|lower|raise|change|adjust"
    "|actually|instead|summary|average|example|instance|readers|others|error|update|sample|typo|critics|reviewers|swapp|mixed up|reversed|switched|wait|scratch that|oops|make "
    "|t(?:ake|ook) (?:that|it|this) back|just kidding|disregard|ignore |inverted|flipped|前言撤回|冗談です|second thought|amend|summari[sz]e|to sum up|would (?:now|rather) |考え直|思い直|再検討|読み返(?:すと|して|したところ|した結果)|placeholder|dummy|random|ダミー|ランダム|無作為|架空|実際の|\\bnot (?:my |the )?(?:real|actual)"
    rf"|(?m:(?:{_OTHER_THINGS}|[なの他るたい]人の|人物の|作者の|著者の|作家の|主人公の|家の)[^\n。、]*$)"
    f"|{_RECONSIDERS})[^\\n]*",
    capture=False,
)
_NOTE = regex(r" *(?:※|†|‡|注|\( *注|\[ *注|備考|補足|\[?\^?1?\]|note\b|p\.?s\.?\b)", re.IGNORECASE)
BLANK_LINE = regex(r"\n[ >]*\n")
_FIGURE = regex(r"(?<![0-9.A-Za-z])[0-9]{1,4}(?:\.[0-9]{1,3})?(?![0-9])")
_COUNTED = regex(
    r"[0-9]{1,4}(?=年|か月|ヶ月|世紀|回|人|歳|才|章|節|行|ページ|頁|冊|つ|番|個|枚|本|匹|頭|羽|文字|日|時間|分間|秒|度)"
)
_TOTAL = regex(r"合計|総計|平均|総合点|総合評価|\b(?:total|sum|average|overall)\b", re.IGNORECASE)
_RATED = regex(r"満点|段階評価|scale|out of|件法|点法", re.IGNORECASE)
_DISMISSED = regex(
    r"[ 、,]*(?:では?な[くい]|で(?:は)?ありません|から[^。\n]{0,8}換算|を[^。\n]{0,8}換算|なら|だと|だったら|とすれば|に換算すると"
    r"|を?100|instead of)",
)
_CORRECTION = regex(
    r"訂正|修正|誤りです|誤りでした|間違い(?:です|でした)|間違え(?:て|まし)|考え直|読み返(?:すと|して|したところ|した結果)|思い直|再検討|正しくは|再評価|見直|改め|変更|撤回|再考|最終(?:的|スコア|評価|回答|点|値|結果|案)|やはり"
    r"|\b(?:correct(?:ion|ed|ing)?|revis(?:e|ed|ion|ing)|edit(?:ed)?|on (?:further |second )?(?:reflection|thought)|reconsider(?:ed|ing)?"
    r"|should (?:be|have been)|make (?:it|that)|would (?:now|rather) (?:say|give|rate|choose)"
    r"|to (?:summari[sz]e|sum up)|lower(?:ed|ing)?|rais(?:e|ed|ing)|chang(?:e|ed|ing)|adjust(?:ed|ing)?|actually|instead|updated?"
    r"|final(?:ly)?|amend(?:ed)?|error|typo|scratch that|oops|on second thoughts?)\b",
    re.IGNORECASE,
)
_STRONG = regex(
    r"訂正|修正|誤りです|誤りでした|間違い(?:です|でした)|正しくは|\b(?:correction|edit|erratum|typo)\b",
    re.IGNORECASE,
)
_VOID = regex(
    r"(?:これら|上記|以上|以下|上|この)の?[^。\n]{0,12}(?:数値|点数?|評価|回答|値|スコア|数字)[^。\n]{0,16}?"
    r"(?:仮の(?:数|値|もの|点|評|回)|仮です|ダミー|架空|ランダム|無作為|(?<![一答])例(?:です|であ|に(?:過ぎ|すぎ))"
    r"|実際の(?:評価|回答|数値|点数)では(?:な|あり))"
    r"|\b(?:(?:these|those|the|all|above|my|following)\b[^.\n]{0,24}\b(?:numbers?|ratings?|scores?|values?|answers?|responses?)"
    r"|these|those|this|above)\b[^.\n]{0,12}\b(?:are|is|were|serves? as)\b[^.\n]{0,24}?\b(?:placeholders?|dummy"
    r"|(?:only|just|merely|purely|simply|illustrative)(?: an?| illustrative| made[- ]up)* (?:examples?|samples?)(?! of)"
    r"|not (?:my |the )?(?:real|actual) (?:ratings?|scores?|answers?|values?|responses?|numbers?)"
    r"|random(?:ly)? (?:numbers?|values?|chosen|generated|picked|selected|assigned))\b"
    r"|\b(?:(?:take|took) (?:that|it|this) back|scratch that|just kidding|(?:disregard|ignore) (?:that|the above|my (?:answer|rating|score)s?)"
    r"|(?:reversed|inverted|flipped) the scale|scale (?:is|was) (?:reversed|inverted|flipped))\b|前言撤回|撤回します|冗談です",
    re.IGNORECASE,
)
_SWAPPED = regex(
    r"(?:数値|点数?|スコア|評価|値)[^。\n]{0,12}(?:逆で|入れ替|取り違)|(?:入れ替|取り違)[^。\n]{0,12}(?:数値|点|スコア|評価)"
    r"|(?:swapp|switch|mix|revers)ed (?:up )?(?:the |my )?(?:scores?|ratings?|values?|numbers?)"
    r"|(?:scores?|ratings?|values?|numbers?)[^.\n]{0,40}(?:swapped|switched|mixed up|reversed)",
    re.IGNORECASE,
)
_NOT_LAST = regex(r"\b(?:not|rather than|instead of) *[0-9.]+\D*$", re.IGNORECASE)
_GIVEN = r"([0-9]{1,3}(?:\.[0-9]{1,2})?)(?![0-9])"
_OWN = r"(?! *(?:点満点|段階|/|out of|[-~%]))"
_RECONSIDERED = regex(
    r"(?<![0-9.])([0-9]{1,3}) *点? *[にへ] *(?:訂正|修正|変更|改め|見直|引き上げ|引き下げ)"
    rf"|(?:訂正|修正)[:、は ]{{1,3}}{_GIVEN}(?=点|[。)\]]| *$)"
    rf"|(?:いや|やはり|やっぱり)[、,]? *{_GIVEN}(?=点|に[しす]|と[しす]|が妥当|です|。)"
    rf"|(?:考え直|思い直|再検討)[^0-9。\n]{{0,24}}{_GIVEN}(?= *(?:点|が[妥適]|に[しす]|と[しす]|です|。))"
    rf"|(?:{_THEREFORE})は?[^0-9。\n]{{0,24}}{_GIVEN} *点? *"
    r"(?:と(?:す|し(?!て)|評価|判断|採点|な[るりっ])|に(?:す|し(?!ぼ))|を(?:つけ|付け)|です|が[妥適])"
    rf"|最終(?:評価|スコア|点数?|値)[:は= ]{{1,3}}{_GIVEN}{_OWN}"
    r"|\b(?:wait|no|correction|make (?:it|that)|should be|change (?:it|this) to|revise (?:it|this)? ?to"
    rf"|raise (?:it|this) to|lower (?:it|this) to)[,:]? *(?:an? )?{_GIVEN}\b(?! *(?:[a-z]{{3}}|[-~%]))"
    rf"|{_SO}(?:i(?:'d| would| will|'ll)? *(?:g[ia]ve|rated?|scored?|settled? on|assign(?:ed)?|chose|went with|go with)"
    r"(?: (?:it|this|that|the [a-z]{1,12}))?|(?:the|my|an?) (?:final |overall )?(?:score|rating|grade|value|number)"
    rf"(?: is| of| would be|:)?)(?: an?| at| as)? *{_GIVEN}{_OWN}"
    rf"|\bfinal (?:score|rating|grade|value|answer|number)(?: is| of| would be|:|=)? *(?:an? )?{_GIVEN}{_OWN}",
    re.IGNORECASE,
)
_STIRS = linear(
    f"{_SPEAKS}|{_RECONSIDERS}|[0-9] *点? *[にへ]|(?:訂正|修正)[:、は ]"
    "|[tone][,:]? *(?:an? )?[0-9]",
    capture=False,
)
"""Stands in all that any of `_SCALES`, or `_RECONSIDERED`, matches."""
_LATER_TITLE = regex(
    r"^[^\n。]{0,24}(?:訂正|修正|最終|再評価|見直|改め|まとめ|一覧|総括|correct|revis|final|edit\b|summary|updated?|adjust)[^\n0-9]{0,24}$",
    re.IGNORECASE,
)
_OTHERS = regex(
    rf"(?:[^\n。]{{0,12}}(?:{_OTHER_THINGS})(?:の?(?:評価|回答|結果|点数|スコア|値))?(?: *\([^()\n]{{0,24}}\)?)?"
    rf"|(?:the |my |other |[a-z]{{1,12}} )?(?:{_OTHER_THINGS})(?: (?:levels?|scores?|ratings?|results?|values?|answers?|responses?|counts?))?"
    r"|[^\n。]{0,16}(?:[なの他るたい]人|読者|友人|知人|家族|作者|著者|作家|主人公|登場人物|批評家|評論家)(?:たち)?の(?:評価|場合|点数|スコア|意見|回答|感情)"
    r"|for (?:instance|example)|例えば|たとえば|[^\n。、]{0,12}の?平均(?:値|点|的な(?:評価|点数|スコア))?|(?:回答|記入|記載|出力|評価|解答)?例(?:文)?|サンプル"
    r"|(?:他の|一般の|一般的な|多くの|ほかの)(?:読者|人|学生|評者)(?:たち)?(?:の(?:評価|場合|点数|スコア|意見|回答))?(?:は|では)?|前回(?:の(?:評価|回答|点数))?"
    r"|(?:an? |the )?(?:example|sample)(?: (?:answer|response|ratings?|scores?|output|format))?"
    r"|(?:the )?(?:class |group |reader |readers' |critics' |reviewers' |overall |typical )?averages?(?: (?:scores?|ratings?))?(?: (?:of|for) [a-z ]{1,20})?"
    r"|(?:critics|reviewers)(?:'s?)?(?: (?:scores?|ratings?))?"
    r"|(?:most|other|typical|average) (?:readers?|people|students?)(?:'s?|s')?(?: (?:would (?:give|say|rate)|scores?|ratings?|gave|give))?)",
    re.IGNORECASE,
)
_REFUSED_WITH_EXAMPLE = regex(
    r"(?:できません|出来ません|[えせれ]ません|かねます|控え|お断り|unable|cannot|can't|won't|decline)[^\n]{0,80}(?:例|仮|サンプル|example|sample|placeholder|hypothetical|if i had to|if forced)"
    r"|(?:一般的な|一般の|普通の|多くの|平均的な|他の)(?:読者|人|方)(?:たち)?(?:なら|であれば|だったら|の場合)[は、, ]*:? *$"
    r"|(?:本人|作者|作家|著者|友人|母|父|批評家|主人公)(?:なら|であれば|だったら)[^\n。、]{0,16}$",
    re.IGNORECASE,
)
_BETWEEN = regex(r"[\s-]{0,20}(?:json|markdown|md|text)?[\s\[]{0,20}", re.IGNORECASE)
"""A title and what stands below it, and only a fence."""
_TITLE = regex(r"[^\n]{1,60}[:\]]? *\n")
