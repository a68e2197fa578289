"""Answer text -> a judged reading of every question: the one way in for everything that reads answers."""

from dataclasses import replace
from functools import lru_cache

from runner.core.custom_id import item_of
from runner.core.extract import bare
from runner.core.extract.extractor import Extractor
from runner.core.extract.fast_path import FastPath
from runner.core.extract.validate import is_no, judge
from runner.core.finish import STOP, normal
from runner.core.model import QuestionSet, Reading
from runner.core.prompt import alone

VERSION = 7
"""Raised with every change by which an answer may be read otherwise under the same patterns."""


def version(questions: QuestionSet) -> int | list[int]:
    """Return which reader reads such answers; sets of one question have a reader of their own."""
    is_alone = questions.each or len(questions.questions) == 1
    return [VERSION, bare.VERSION] if is_alone else VERSION


class Reader:
    """Reads answers to one question set; an answer has the same reading whatever was read before."""

    def __init__(self, questions: QuestionSet) -> None:
        """Compile the patterns.

        Raises:
            ConfigError: names the pattern or question that cannot be used.
        """
        self._alone = {
            one.questions[0].id: Reader(replace(one, each=False))
            for one in (alone(questions) if questions.each else ())
        }
        self._questions = questions
        self._extractor = Extractor(questions)
        self._fast_path = FastPath(questions, self.by_patterns, self._extractor)
        self._read_again = lru_cache(_MOST_SHORT)(self._read)

    def read(self, text: str, finish_reason: str | None = "stop") -> dict[str, Reading]:
        """Return a reading for every question, by question id; never raises.

        Short answers, as labels without reasons, come a thousand times each: they are known again,
        and theirs must not be changed.
        """
        if len(text) <= _SHORT:
            return self._read_again(text, finish_reason)
        return self._read(text, finish_reason)

    def _read(self, text: str, finish_reason: str | None) -> dict[str, Reading]:
        if finish_reason not in _WHOLE and normal(finish_reason) != STOP:
            return self.by_patterns(text, finish_reason)
        known = self._fast_path.read(text)
        if known is not None and not self._may_refuse(known):
            return known
        readings = self.by_patterns(text, finish_reason)
        self._fast_path.learn(text, readings)
        return readings

    def read_of(self, custom_id: str, text: str, finish_reason: str | None) -> dict[str, Reading]:
        """Return the same for a request, which may have asked one question alone.

        The others then have no value, no cause, and the pattern `NOT_ASKED`. An answer under a name
        that is not of this program is read for all questions.
        """
        one = self._alone.get(item_of(custom_id) or "") if self._alone else None
        if one is None:
            return self.read(text, finish_reason)
        read = one.read(text, finish_reason)
        return {q.id: read.get(q.id, _NOT_ASKED) for q in self._questions.questions}

    def _may_refuse(self, readings: dict[str, Reading]) -> bool:
        """Tell whether a lowest value may stand there for want of an answer: that takes a look."""
        return any(
            is_no(self._questions, question, reading.value, reading.reason)
            for question, reading in zip(self._questions.questions, readings.values(), strict=True)
        )

    def by_patterns(self, text: str, finish_reason: str | None = "stop") -> dict[str, Reading]:
        """Return the same, without the short cut for answers that are the form as asked."""
        found = self._extractor.extract(text)
        return judge(self._questions, found, text=text, finish_reason=finish_reason)


_SHORT = 160
"""Characters; most answers with a reason are longer, and no two of them are alike."""
_MOST_SHORT = 4096
NOT_ASKED = "not_asked"
"""Stands for the pattern of a question that a request did not ask."""
_NOT_ASKED = Reading(None, None, NOT_ASKED, None)
_WHOLE = (None, STOP)
"""How most models stop that have said all; None: how it stopped is unknown."""
