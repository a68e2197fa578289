"""What an answer says of its questions by name behind all values: it has to be what was read.

A summary ("以上より、面白さ80と評価しました") or a correction in whatever words. A sentence that
supposes something, or speaks of others, says nothing of that kind; nor does a number that is
counted, a limit, or on another scale.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from runner.core.extract.names import Names, any_of, folded, linear, name_ends
from runner.core.extract.options import OptionNames
from runner.core.extract.regex import regex
from runner.core.model import QuestionSet

MOST = 300
"""Names behind the values; of more, none is looked at, and the answer is not taken."""
_LONGEST = 400
"""Characters of a sentence."""


class Remarks:
    """Finds them in answers to one question set."""

    def __init__(self, questions: QuestionSet, names: Names) -> None:
        """Compile what questions and options are called."""
        self._known = {**names.labels, **names.ids}
        self._options = {q.id: OptionNames(q.options) for q in questions.questions if q.options}
        sign = "[-+]?" if any(q.minimum < 0 for q in questions.questions) else ""
        figure = rf"(?<![0-9.a-z]){sign}[0-9]{{1,7}}(?:\.[0-9]{{1,2}})?(?![0-9a-z])"
        tops = any_of({str(q.maximum) for q in questions.questions})
        scale = rf"(?: *(?:/|out of) *(?:{tops})(?![0-9]|\.[0-9]))?"
        name = rf"(?<![0-9a-z])(?P<name>{any_of(self._known, name_ends)})"
        self._named = linear(f"(?:{any_of(self._known)})", capture=False)
        self._number = regex(
            rf"{name}{_LINK}(?P<number>{figure}){scale}|(?P<first>{figure}){scale}{_FOR}"
            rf"(?P<of>{any_of(self._known, name_ends)})",
            re.IGNORECASE,
        )
        self._said_of = {
            q: regex(rf"{name}{_IS}(?P<option>{option.pattern})(?![\w'’-])", re.IGNORECASE)
            for q, option in self._options.items()
        }

    def find(
        self, plain: str, begin: int, numbers: Mapping[str, Sequence[Decimal]]
    ) -> Iterator[tuple[str, str]] | None:
        """Yield each question of which something else is said from `begin` on, and the sentence."""
        rest = plain[begin:].strip().encode("utf-8", "replace")
        count = 0
        for _ in self._named.finditer(rest):
            count += 1
            if count > MOST:
                return None
        return self._otherwise(plain, begin, numbers) if count else iter(())

    def _otherwise(
        self, plain: str, begin: int, numbers: Mapping[str, Sequence[Decimal]]
    ) -> Iterator[tuple[str, str]]:
        for sentence in _STOPS.split(plain[begin:]):
            if len(sentence) > _LONGEST or _SUPPOSED.search(sentence):
                continue
            for match in self._number.finditer(sentence):
                question = self._known[folded(match["name"] or match["of"])]
                number = Decimal(match["number"] or match["first"])
                at = match.end() if match["name"] else match.end("first")
                if question in self._options or _COUNTED.match(sentence, at):
                    continue
                if any(number != read for read in numbers.get(question, ())):
                    yield question, match[0]
            yield from self._other_options(sentence, numbers)

    def _other_options(
        self, sentence: str, numbers: Mapping[str, Sequence[Decimal]]
    ) -> Iterator[tuple[str, str]]:
        for question, pattern in self._said_of.items():
            for match in pattern.finditer(sentence):
                if self._known[folded(match["name"])] != question:
                    continue
                place = self._options[question].places[folded(match["option"])] + 1
                if any(place != read for read in numbers.get(question, ())):
                    yield question, match[0]


_STOPS = regex(r"[。!?;\n]+|(?<!\b[0-9])\.(?=\s|$)")
_LINK = (
    r"[\])\"' ]{0,3}(?:(?:の?(?:評価値?|点数|数値|得点|スコア|値|採点)|については|に関しては|は|が|を|も|、?(?:やはり|やっぱり)|=|:|→|->|約"
    r"|(?:is|was|gets?|got|at|an?|as|to|should|would|could|be|really|actually|rather|deserves?|earns?|scores?|rating|rated|of)\b)"
    r" {0,2}){0,5}(?:(?:not )?[0-9.]{1,6} *点?,? *(?:では?なく|じゃなく|というより|but|→|->)[、,]? *)?[\[(\"']{0,2}"
)
"""Between a name and its number."""
_IS = r"[\])\"' ]{0,3}(?:(?:は|が|=|:|→|->|(?:is|was|as|to|should be|would be|be)\b) {0,2}){0,2}[\[(\"']{0,2}"
"""Between a name and its option."""
_FOR = r" {0,2}(?:点|points?|pts?)? {0,2}(?:for|to|on|in) (?:the )?[\"'\[(]?"
_SUPPOSED = regex(
    r"(?<!か)もし|仮に|なら|であれば|れば|たら|とすれば|平均|前回|前作|次作|他作|換算|(?:5|10)点満点|段階|合計|総計|以前|最初|当初|印象|初読|他の|ほかの|別の|読者|批評|人物|主人公|作者|著者|友人"
    r"|先生|例え|たとえ|例として|例:|\b(?:if|would have|could have|average|others?|another|readers?|critics?|people|initial(?:ly)?"
    r"|at first|before|characters?|authors?|examples?|previous(?:ly)?|for instance|someone|friends?|total|sum|combined|both|scale)\b",
    re.IGNORECASE,
)
"""What makes a sentence speak of something else."""
_COUNTED = regex(
    r" *点? *(?:くらい|ぐらい|程度|ほど|以上|以下|未満|超|台|前後|代|位|つ|個|人|名|回|年|歳|才|章|話|行|ページ|頁|冊|分|秒|時|日|か月|ヶ月|世紀|段階|満点"
    r"|番|割|倍|種|箇所|差|\. *[^\s]|\) *[^\s、。,.;]|[-~/+±]|から|まで|より|を(?:超|下回|上回)|に(?:届|満|近|及|比べ))|\.[0-9]|,[0-9]{3}| *out of"
    r"| +(?!(?:and|for|because|but|while|points?|pts|due|since|as|with|on|in|rather|instead|not|is|would|might|could|may)\b)[a-z]"
)
"""Behind a number that is no value: of something counted, a limit, a range, another scale."""
