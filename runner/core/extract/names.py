"""What questions, values and reasons are called in answers, and what a key or a cell calls by name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import re2

from runner.core.errors import ConfigError
from runner.core.extract.normalize import tidy
from runner.core.model import Question, QuestionSet

LONGEST_KEY = 200
"""Characters; a longer key or cell is no name."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key of JSON or a cell of a table names."""

    questions: tuple[str, ...]
    """Ids; two when id and label contradict each other."""
    part: str | None
    """value or reason, if it says which."""


class Names:
    """The names of one question set; ids, labels, and the words for a value and a reason."""

    def __init__(self, questions: QuestionSet) -> None:
        """Collect them.

        Raises:
            ConfigError: when one is empty or two questions cannot be told apart.
        """
        items = questions.questions
        self._sign = "[-+]?" if any(q.minimum < 0 for q in items) else ""
        self.ids = _told_apart("id", ((q, q.id) for q in items))
        self.labels = _told_apart("label", ((q, x) for q in items for x in (q.label, *q.aliases)))
        self.ids |= {
            name: question
            for known, question in self.ids.items()
            for name in _other_writings(known)
            if name not in self.ids and name not in self.labels
        }
        self.words = {
            "value_word": _words("value_words", questions.value_words),
            "reason_word": _words("reason_words", questions.reason_words),
        }
        name = "".join(rf"(?:(?P<{what}>{{{what}}}){_GAP})?" for what in ("id", "label"))
        part = rf"(?:の? *(?:(?P<value>{{value_word}})|(?P<reason>{{reason_word}}))s?{_GAP})?"
        first = (
            rf"(?:(?:(?P<value0>{{value_word}})|(?P<reason0>{{reason_word}}))s?(?: for)?{_GAP})?"
        )
        scale = rf"(?:[0-9]+ *[-~/] *[0-9]+{_GAP})?"
        self._key = linear(self.filled(f"{_GAP}{first}{name}{part}{scale}", capture=False))
        self._groups = tuple(self._key.groupindex.items())
        self._meanings: dict[str, Meaning | None] = {}
        self._in_head = {
            part: linear(self.filled(f"{{{part}_word}}", capture=False))
            for part in ("reason", "value")
        }

    def filled(self, regex: str, *, capture: bool = True) -> str:
        """Let `{id}`, `{label}`, `{sign}` and the words stand for what they may be."""
        regex = regex.replace("{sign}", self._sign)
        for what, names in (("id", self.ids), ("label", self.labels), *self.words.items()):
            choices = any_of(names)
            group = f"(?P<{what}>" if capture and what in ("id", "label") else "(?:"
            regex = regex.replace("{" + what + "}", f"{group}{choices or _NOTHING})")
        return regex

    def meaning(self, key: str) -> Meaning | None:
        """Return what a tidied key names; None when it names nothing of ours."""
        if len(key) > LONGEST_KEY:
            return None
        if key not in self._meanings:
            if len(self._meanings) > _REMEMBERED:
                self._meanings.clear()
            self._meanings[key] = self._meaning(key)
        return self._meanings[key]

    def part_of_head(self, cell: str) -> str | None:
        """Return whether the head of a column announces reasons, values or neither."""
        if len(cell) > LONGEST_KEY:
            return None
        encoded = cell.encode("utf-8", "replace")
        return next((part for part, rx in self._in_head.items() if rx.search(encoded)), None)

    def _meaning(self, key: str) -> Meaning | None:
        match = self._key.fullmatch(key.encode("utf-8", "replace"))
        if match is None:
            return None
        said = {
            name: match[index].decode() for name, index in self._groups if match[index] is not None
        }
        questions = [
            known.get(folded(said[what]))
            for what, known in (("id", self.ids), ("label", self.labels))
            if what in said
        ]
        part = next((p for p in ("value", "reason") if p in said or f"{p}0" in said), None)
        if None in questions or not (questions or part):
            return None
        return Meaning(tuple(q for q in dict.fromkeys(questions) if q is not None), part)


def linear(source: str, *, capture: bool = True) -> "re2._Regexp":
    """Compile for an engine that never backtracks: its time grows with the text, whatever it says.

    Raises:
        re2.error: naming the part that it cannot take.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = not capture
    options.never_nl = True
    options.max_mem = _MOST_MEMORY
    return re2.compile(source, options)


def folded(written: str) -> str:
    """Return a tidied name as it is looked up: small letters, one blank for many."""
    return " ".join(written.lower().split())


_MOST_MEMORY = 64 << 20
"""Bytes that one compiled pattern may take; in fewer, a large one runs ten times slower."""
_GAP = r'[ .:()\[\]"、/・-]*'
_REMEMBERED = 4096
_NOTHING = r"[^\x00-\x{10FFFF}]"


def any_of(names: Iterable[str], ends: Callable[[str], str] = lambda _: "") -> str:
    """Return a regular expression for one of some names, the longest first.

    Args:
        names: tidied; an empty text is returned where there are none.
        ends: what has to stand behind a name.
    """
    return "|".join(
        f"{_literal(name)}{ends(name)}" for name in sorted(names, key=len, reverse=True)
    )


def name_ends(name: str) -> str:
    """Return what keeps a name from being the beginning of a longer one."""
    if name[-1].isdigit():
        return "(?![0-9])"
    return "(?![a-z])" if name[-1].isascii() else ""


def _literal(name: str) -> str:
    """Return a regular expression for a name, in which a blank may be any number of them."""
    return " +".join(re.sub(r"([^\w\s])", r"\\\1", part) for part in name.split())


def _told_apart(what: str, names: Iterable[tuple[Question, str]]) -> dict[str, str]:
    """Map each tidied name to its question's id."""
    found: dict[str, str] = {}
    for question, written in names:
        name = folded(tidy(written))
        if not name:
            raise ConfigError(f"question.items: {question.id} has an empty {what}")
        if found.get(name, question.id) != question.id or (what == "id" and name in found):
            raise ConfigError(
                f"question.items: {found[name]} and {question.id} have the same {what}; "
                "answers to them could not be told apart"
            )
        found[name] = question.id
    return found


def _other_writings(name: str) -> Iterator[str]:
    """Yield what answers make of an id like q1."""
    number = name.removeprefix("q")
    if name.startswith("q") and number.isdecimal():
        before = ("q ", "a", "問", "問 ", "質問", "質問 ", "設問", "question ", "item ", "answer ")
        yield from (f"{word}{number}" for word in before)


def _words(key: str, words: Sequence[str]) -> Mapping[str, str]:
    """Return the tidied words, each standing for itself."""
    found = {folded(tidy(word)): word for word in words}
    if "" in found:
        raise ConfigError(f"question.{key}: an empty word")
    return found
