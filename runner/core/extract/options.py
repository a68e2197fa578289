"""Reads which option a place names - or says why that is unsure.

It reads as `NumberGrammar` does, and gives the number of the option, from 1. Only an option that
stands there by its name, with nothing before it, is taken: "not positive", "positive or neutral" and
a word that merely begins like one are none.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from runner.core.extract.brackets import double_brackets, reason_above
from runner.core.extract.names import folded
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Entry, Value
from runner.core.extract.regex import regex
from runner.core.model import Cause, Option, Question

LONGEST_REMARK = 2_000
"""Characters behind an option in its line; a longer line says nothing that could be trusted."""


class OptionNames:
    """Finds options by what an answer may call them."""

    def __init__(self, options: Sequence[Option]) -> None:
        """Compile the names; `config` has seen to it that no two are alike."""
        self.places = {
            name: place for place, names in enumerate(names_in(options)) for name in names
        }
        """Of each option, from 0, by folded name."""
        longest_first = sorted(self.places, key=len, reverse=True)
        self.pattern = "|".join(map(_written, longest_first))
        """A regular expression for any of them, the longest first."""
        self._any = regex(rf"(?<![\w'’])(?:{self.pattern})(?!\w)", re.IGNORECASE)
        self._said = regex("|".join(map(_in_a_sentence, longest_first)), re.IGNORECASE)

    def listed(self, text: str) -> list[int]:
        """Return the options that a tidied text names, in its order."""
        return [self.places[folded(match[0])] for match in self._any.finditer(text)]

    def within(self, text: str) -> set[int]:
        """Return the same, each once."""
        return set(self.listed(text))

    def said_in(self, text: str) -> set[int]:
        """Return the options that a tidied sentence speaks of.

        Japanese has no blanks, so that a name may stand between kana; and a short name, as no or 3,
        counts only where it stands as an answer does: alone, or as what something is.
        """
        found = (match[match.lastindex or 0] for match in self._said.finditer(text))
        return {self.places[folded(name)] for name in found}

    def without(self, text: str) -> str:
        """Return a text without them."""
        return self._any.sub("", text)


class OptionGrammar:
    """Reads one option of one question from the rest of a line."""

    takes_figures = False
    """Whether a bare number of JSON is a value."""

    def __init__(self, question: Question) -> None:
        """Compile the names of the options."""
        self._names = OptionNames(question.options)
        self._count = len(question.options)
        self._longer = {name: self._completing(name) for name in self._names.places}
        """What beside a name would make another option of it, as in "agree, strongly"."""
        names = self._names.pattern
        self._first = regex(
            rf"[ \[(\"'“‘「]*(?P<name>{names})(?![\w'’-])(?P<rest>[ \])\"'”’」]*)", re.IGNORECASE
        )

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read from `begin` to the end of the line; any other option named there is a competitor."""
        value = self._read(plain, begin, end)
        value.end = end
        return value

    def is_unfilled(self, written: str) -> bool:
        """Tell whether a text is what the form has in the place of an answer."""
        return not written.strip(_BLANKS) or self._is_list(written)

    def others_in(self, text: str, number: Decimal) -> bool:
        """Tell whether a tidied text names another option than this one."""
        return bool(self._names.within(text) - {int(number) - 1})

    def said_in(self, sentence: str) -> set[Decimal]:
        """Return the options that a tidied sentence speaks of, as `read` gives them."""
        return {Decimal(place + 1) for place in self._names.said_in(sentence)}

    def names_of(self, number: Decimal) -> list[str]:
        """Return what an option is called."""
        return [name for name, place in self._names.places.items() if place == int(number) - 1]

    def of_names(self, names: set[str]) -> set[Decimal]:
        """Return which of its options have one of some names."""
        places = self._names.places
        return {Decimal(places[name] + 1) for name in names if name in places}

    def end_of(self, plain: str, begin: int, end: int) -> int:
        """Return where what it may take ends: with its line."""
        return line_end_of(plain, begin, end)

    def goes_on(self, below: str, number: Decimal) -> bool:
        """Tell whether the first line below an option takes it back, or makes another one of it."""
        near = folded(tidy(below))[:_NEAR]
        longer = {part for name in self.names_of(number) for part in self._longer[name]}
        says = near.lstrip(" -*•・([")
        return any(map(says.startswith, longer)) or bool(
            HEDGE.search(near[:_SHORT]) or OR.match(says)
        )

    def _completing(self, name: str) -> frozenset[str]:
        place = self._names.places[name]
        others = (other for other, whose in self._names.places.items() if whose != place)
        return frozenset(
            part for other in others if name in other for part in other.replace(name, " ").split()
        )

    def _read(self, plain: str, begin: int, end: int) -> Value:
        text = plain[begin:end]
        start = begin + len(text) - len(text.lstrip())
        span = (start, start + len(text.strip()))
        if self.is_unfilled(text):
            return Value(None, Cause.MISSING, (begin, begin), end)
        match = self._first.match(plain, begin, end)
        if match is None:
            several = len(self._names.within(text)) > 1
            return Value(None, Cause.AMBIGUOUS if several else Cause.NOT_AN_OPTION, span, end)
        number = Decimal(self._names.places[folded(match["name"])] + 1)
        rest = plain[match.end() : end]
        near = folded(rest[:_NEAR])
        longer = any(part in near for part in self._longer[folded(match["name"])])
        if len(rest) > LONGEST_REMARK or longer or self.others_in(rest, number):
            return Value(None, Cause.AMBIGUOUS, span, end)
        if rest.strip() and not _REMARK.match(rest) and not match["rest"].strip():
            return Value(None, Cause.NOT_AN_OPTION, span, end)
        if HEDGE.search(rest[:_NEAR]) or OR.match(rest) or _DENIED_AT_ONCE.match(rest):
            return Value(None, Cause.AMBIGUOUS, span, end)
        return Value(number, None, match.span("name"), match.end())

    def _is_list(self, text: str) -> bool:
        """Tell whether a text names every option, as the form does that was not filled in."""
        is_whole = len(self._names.within(text)) == self._count > 1
        return is_whole and not re.search(r"\w{2}", self._names.without(text))


def names_in(options: Sequence[Option]) -> list[list[str]]:
    """Return what an answer may call each option, folded: what is shown of it, its aliases, its id.

    An id that is not shown is none where it is a word of another option's names: 1 of "1 day".
    """
    shown = [[plainly(name) for name in (option.shown, *option.aliases)] for option in options]
    found = []
    for place, option in enumerate(options):
        id_ = plainly(option.id)
        others = (name for n, names in enumerate(shown) if n != place for name in names)
        is_part = any(re.search(rf"(?<!\w){re.escape(id_)}(?!\w)", name) for name in others)
        found.append(list(dict.fromkeys([*shown[place], *([] if is_part else [id_])])))
    return found


def _written(name: str) -> str:
    """Return a regular expression for a name, however many blanks are in it."""
    return " +".join(map(re.escape, name.split()))


def _in_a_sentence(name: str) -> str:
    """Return a regular expression for a name where a sentence speaks of the option."""
    written = f"({_written(name)})"
    if _KANA_ONLY.fullmatch(name):
        return rf"(?:(?<!\w)|(?<=[はがを])){written}(?=です|だ|と|に[しす]|\W|$)"
    if _JAPANESE.search(name):
        return rf"(?<![一-龯々ァ-ヴー非不無]){written}(?![一-龯々ァ-ヴー])"
    if len(name) > _SHORTEST:
        return rf"(?<![\w'’]){written}(?!\w)"
    return rf"(?:^ *|[:=→>\"'“(\[{{] *|\b(?:is|be|was|to|an?|say|choose|option|answer) +){written}(?= *(?:[.,;!)\]}}\"'”]|$))"


def plainly(name: str) -> str:
    """Return a name as it is compared: tidied, in small letters, without brackets and quotes."""
    return folded(tidy(name).strip(" []()\"'"))


_JAPANESE = regex("[ぁ-んァ-ヴ一-龯]")
_KANA_ONLY = regex("[ぁ-んー]+")
_SHORTEST = 3
_BLANK_LINE = regex(r"\n *(?=\n)")
_BLANKS = " []()\"'.。_-"
_NEAR = 60
_SHORT = 20
_REMARK = regex(
    r" *(?:[,:](?![0-9])|\.(?!\w)|[;!。、，；：(\[|—–]|- |->|because\b|since\b|です|だ(?:[。 ]|$))",
    re.IGNORECASE,
)
"""What may follow an option: a stop, or what begins a remark; not what makes 3.7 of a 3."""
HEDGE = regex(
    r"^ *\?|\bexample\)|\b(?:maybe|perhaps|possibly|not sure|unsure|not certain|either|hard to say|not really"
    r"|placeholder|dummy|is wrong|just kidding"
    r"|cannot|can't|impossible|other hand|toss[- ]up|close call|it depends|to some extent)\b"
    r"|かもしれ|または|あるいは|もしくは|わからない|分からない|ではな|じゃな|とは言え|とはいえ"
    r"|に近い|どちらとも|言えな|答えられ|できません|場合による",
    re.IGNORECASE,
)
"""Near behind an option: it may be another one."""
_DENIED_AT_ONCE = regex(
    r"[\W_]*(?:(?:no|not|nope|never|none|false|wrong|(?:the )?opposite|0)\b|いいえ|いや|いえ|やはり|やっぱり|訂正|違|×)",
    re.IGNORECASE,
)
"""Directly behind it: what takes it back."""
OR = regex(r"[ ,.;:()\[\]—–/-]*(?:or|if|unless|but|almost|nearly|ish)\b", re.IGNORECASE)
"""The same, directly behind it."""


class Named(Protocol):
    """Reads what names an option, or several."""

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read from one place to another."""

    def others_in(self, text: str, number: Decimal) -> bool:
        """Tell whether a text names options that were not read."""

    def end_of(self, plain: str, begin: int, end: int) -> int:
        """Return where what it may take ends."""


def line_end_of(plain: str, begin: int, end: int) -> int:
    """Return where a line ends."""
    at = plain.find("\n", begin, end)
    return end if at < 0 else at


def block_end(plain: str, begin: int, end: int) -> int:
    """Return where the lines end that stand together: the first one with anything in it, and on."""
    text = plain[begin:end]
    first = len(text) - len(text.lstrip(" \n"))
    blank = _BLANK_LINE.search(text, first)
    return begin + blank.start() if blank else end


class WholeOption:
    """Reads an answer to the one question of a set that is nothing but options, or begins with them."""

    def __init__(self, question: str, grammar: "Named", value_words: Sequence[str]) -> None:
        """Compile what may announce the option, as in "Answer: yes"."""
        self._question = question
        self._grammar = grammar
        words = "|".join(map(re.escape, sorted(value_words, key=len, reverse=True))) or "(?!)"
        self._lead = regex(rf"(?:(?:my|the|final) )*(?:{words}) *[:=は] *", re.IGNORECASE)

    def read(self, visible: str, plain: str) -> list[Entry]:
        """Return an entry for an answer whose first line is an option alone, or names several.

        What stands below is its reason: it names no other option. An option in double brackets
        at the end of a line comes before that, and what stands above it is its reason.
        """
        if marked := self._marked(visible, plain):
            return marked
        text = plain.strip(" \n`")
        begin = plain.find(text)
        line_end = line_end_of(plain, begin, len(plain))
        lead = self._lead.match(plain, begin, line_end)
        line_end = self._grammar.end_of(plain, begin, len(plain))
        value = self._grammar.read(plain, lead.end() if lead else begin, line_end)
        if value.number is None:
            return [Entry(self._question, value=value)] if value.cause is Cause.AMBIGUOUS else []
        if self._names_another(plain[line_end:], value):
            value.number, value.cause = None, Cause.AMBIGUOUS
        return [Entry(self._question, value=value)]

    def _marked(self, visible: str, plain: str) -> list[Entry]:
        """Read the option in double brackets."""
        places = double_brackets(plain)
        values = [self._grammar.read(plain, *place) for place in places]
        known = [value for value in values if value.number is not None]
        if not known:
            return []
        last = known[-1]
        numbers = {value.number for value in values}
        if len(numbers) > 1 or self._names_another(plain[places[-1][1] :], last):
            last.number, last.cause = None, Cause.AMBIGUOUS
        return [Entry(self._question, value=last), *reason_above(self._question, visible, places)]

    def _names_another(self, text: str, value: Value) -> bool:
        return value.number is not None and self._grammar.others_in(text, value.number)
