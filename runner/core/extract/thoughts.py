"""What a model said to itself, by the marks of its template: every family's, in one place.

A model answers in a template of its own: marks say where it thinks, where its answer begins, whose
turn it is and where all of it ends. Services take them off, and sometimes do not. What they show
to be no answer is blanked out, the marks with it, so that every character keeps its place.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final, NamedTuple

from runner.core.extract.names import linear
from runner.core.extract.regex import regex

MOST_MARKS: Final = 4_000
"""An answer with more marks than this shows nothing at all."""


class Shown(NamedTuple):
    """What is left of an answer."""

    text: str
    """Of the same length, what is no answer blanked out."""
    last: int = 0
    """Where the part begins that follows a thought, if the answer had begun before it."""
    strange: str | None = None
    """An unknown mark of a template: what it means for the rest is unknown, too."""


class _Role(Enum):
    """What a mark says of the text behind it."""

    THINKS = auto()
    THOUGHT = auto()
    """A thought ends. Without a beginning, all before it was one."""
    ANSWERS = auto()
    """The answer begins: all before it was none."""
    NOT_OURS = auto()
    """Another's turn: the question sent back, or one that the model made up."""
    OURS = auto()
    ENDS = auto()
    """The model had ended: what follows was not its answer."""
    SILENT = auto()
    """Says nothing that matters here."""
    MESSAGE = auto()
    """Ends a thought that was a message of its own, else says nothing."""
    LEAVES = auto()
    """Ends a thought of its own family, else says nothing."""
    NESTS = auto()
    """Inside a thought of its own family: one more end belongs to what begins here."""
    STRANGE = auto()


class _Mark(NamedTuple):
    role: _Role
    family: str = ""
    """Which marks end what this one begins."""
    reads_on: bool = False
    """Whether the word behind it says what it is."""
    where: str = ""
    """line, start, end, tail, or unopened: counts there only; else it is text."""


def hide_thoughts(text: str, ours: frozenset[str] = frozenset()) -> Shown:
    """Blank out what is no answer, keeping the length.

    Args:
        text: of a model.
        ours: what questions are called; a tag of that name is no mark.
    """
    for sign in _SIGNS:
        if sign in text:
            break
    else:
        return Shown(text)
    marks = list(_marks(text, ours))
    if len(marks) > MOST_MARKS:
        return Shown(" " * len(text))
    return _Walk(text, marks).shown() if marks else Shown(text)


class _Walk:
    """Goes through the marks of one text, first to last."""

    def __init__(self, text: str, marks: list[tuple[int, int, _Mark]]) -> None:
        self._text = text
        self._marks = marks
        self._kept: list[tuple[int, int]] = []
        self._at = 0
        self._hidden: str | None = None
        """The family of what is hidden just now."""
        self._last = 0
        self._inside = 0
        """How many thoughts of that family are one inside the other."""
        self._began = 0
        """Where the thought begins that is hidden just now."""
        self._said = False
        self._answered = False
        self._strange: list[tuple[int, int]] = []
        self._tags = sum(m.role is _Role.ANSWERS and m.family == _TAG for _, _, m in marks)

    def shown(self) -> Shown:
        text = self._text
        for start, end, mark in self._marks:
            if mark.role is _Role.STRANGE:
                self._strange.append((start, end))
            elif self._takes(start, mark):
                self._at = end
                self._began = end if self._began < 0 else self._began
                if self._said and self._hidden is None and mark.role in _GOES_ON:
                    self._last = end
        if self._hidden is None:
            self._keep(len(text))
        parts: list[str] = []
        at = 0
        for begin, end in self._kept:
            parts += (" " * (begin - at), text[begin:end])
            at = end
        visible = "".join(parts) + " " * (len(text) - at)
        strange = (text[a:b] for a, b in self._strange if visible[a:b] == text[a:b])
        return Shown(visible, self._last, next(strange, None))

    def _keep(self, end: int) -> None:
        if self._at < end:
            self._kept.append((self._at, end))
            self._said = self._said or not self._text[self._at : end].isspace()

    def _forget(self) -> None:
        self._kept, self._said, self._hidden, self._last = [], False, None, 0

    def _takes(self, start: int, mark: _Mark) -> bool:
        """Do what a mark says; tell whether what is shown or hidden goes on behind it."""
        role, family, hidden = mark.role, mark.family, self._hidden
        if role is _Role.LEAVES and hidden == family == _FENCE and self._is_silent(start):
            role = _Role.NESTS  # a draft with a fence of its own: nothing was thought yet
        if role is _Role.NESTS:
            self._inside += hidden == family
            return hidden == family
        if role in (_Role.THOUGHT, _Role.LEAVES, _Role.MESSAGE) and hidden == family:
            self._inside -= 1
            self._hidden = family if self._inside > 0 else None
        elif role is _Role.THINKS and hidden == family != _CONTROL:
            # One that is only spoken of stands in a sentence.
            self._inside += start == self._at or _stands(self._text, start, start, "line")
        elif role is _Role.LEAVES:
            return False
        elif role is _Role.THOUGHT and hidden in (None, _TURN):
            self._forget()
        elif role is _Role.ANSWERS and hidden in (None, _TURN, family):
            self._answer(start, mark, hidden)
        elif role is _Role.OURS and hidden in (_TURN, _CONTROL):
            self._hidden = None
        elif hidden is None:
            self._keep(start)
            if role is _Role.THINKS:
                self._hidden, self._inside, self._began = family, 1, -1
            elif role is _Role.NOT_OURS or (role is _Role.ENDS and self._said):
                self._hidden = _TURN
        else:
            return False
        return True

    def _is_silent(self, start: int) -> bool:
        """Tell whether a thought has only just begun."""
        return (
            self._inside == 1
            and self._at == self._began
            and not self._text[self._at : start].strip()
        )

    def _answer(self, start: int, mark: _Mark, hidden: str | None) -> None:
        """Begin the answer; of two, and of tags round each number, all is kept."""
        if self._answered or (mark.family == _TAG and self._tags > 1):
            if hidden is None:
                self._keep(start)
        else:
            self._forget()
        self._hidden = None
        self._answered = True


def places(regex: Any, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a linear pattern fits, in characters."""
    data = text.encode("utf-8", "replace")
    if len(data) == len(text):
        yield from (match.span() for match in regex.finditer(data))
        return
    at = begin = 0
    for match in regex.finditer(data):
        start, end = match.span()
        begin += len(data[at:start].decode())
        at = start
        yield begin, begin + len(data[start:end].decode())


def _marks(text: str, ours: frozenset[str]) -> "list[tuple[int, int, _Mark]]":
    found: list[tuple[int, int, _Mark]] = []
    if begins := _BARE.match(text):
        found.append((0, begins.end(), _Mark(_Role.THINKS, _CONTROL)))
    struck = text.find("<s>", 1)
    number = 0
    for start, end in places(_ANY, text):
        number += 1
        if number > MOST_MARKS:
            return [(0, 0, _Mark(_Role.SILENT))] * (MOST_MARKS + 1)
        mark = _known(text[start:end])
        if mark is None or (ours and _is_ours(text[start:end], mark, ours)):
            continue
        if mark.family == _DETAILS and _IS_SHOWN.match(text, end):
            continue
        if mark.where == "unopened":
            if 0 <= struck < start:
                continue
        elif mark.where == "line" and found and found[-1][1] == start:
            pass
        elif mark.where and not _stands(text, start, end, mark.where):
            if mark.where != "tail":
                continue
            mark = _Mark(_Role.STRANGE)
        if mark.reads_on:
            word = _WORD.match(text, end)
            said, stop = (word[1].lower(), word.end()) if word else ("", end)
            found.append((start, stop, _spoken(mark, said)))
        else:
            found.append((start, end, mark))
    return found


def _is_ours(written: str, mark: _Mark, ours: frozenset[str]) -> bool:
    """Tell whether a tag is named as a question is, or says one, as <answer id="Q1"> does."""
    if _name(written) in ours:
        return True
    said = _QUOTED.findall(written) if mark.family == _TAG else ()
    return any(name.lower() in ours for name in said)


def _stands(text: str, start: int, end: int, where: str) -> bool:
    if where == "line":
        return not text[text.rfind("\n", 0, start) + 1 : start].strip()
    if where == "start":
        return start < _FAR and not text[:start].strip()
    rest = text[end : end + _FAR].lstrip()
    return not rest or (where == "end" and rest[0] == "<")


@lru_cache(maxsize=4096)
def _known(written: str) -> _Mark | None:
    """Return what a mark says; None for text that only looks like one."""
    first, inner = written[0], written[1:-1]
    if first in "`~ \t":
        word = written.strip("`~ \t").lower()
        if not word:
            return _Mark(_Role.LEAVES, _FENCE)
        return _Mark(_Role.THINKS if _THINKING.search(word) else _Role.NESTS, _FENCE)
    if first == "◁":
        name = inner.strip().lower()
        return _thought(name, "◁") if _THINKING.search(name) else _Mark(_Role.STRANGE)
    if first == "[":
        return _control(inner) if inner[0] == "|" else _bracketed(inner)
    if written in ("<!--", "-->"):
        return _Mark(_Role.THINKS if first == "<" else _Role.LEAVES, _COMMENT)
    if first == "&":
        inner = written.removeprefix("&lt;").removesuffix("&gt;")
    if first in "<＜&":
        if first == "＜" and not inner.isascii():
            return None  # a heading, as ＜理由＞
        if inner[0] in _BARS or inner[-1] in _BARS:
            return _control(inner)
        return _tag(inner)
    return _stripped(written)


def _stripped(written: str) -> _Mark | None:
    """Harmony's headers without their marks, run together: assistantfinal."""
    if not written.islower():
        return None
    if written[-6:] in ("final", " final"):
        return _Mark(_Role.LEAVES, _CONTROL)
    final = written.endswith("final")
    return _Mark(_Role.ANSWERS if final else _Role.THINKS, _CONTROL)


def _bracketed(inner: str) -> _Mark | None:
    name = inner.removeprefix("/")
    closes = name != inner
    if not name.isupper():
        return None
    low = name.strip().lower()
    if low.startswith("unused") or low in _BRACKETED_ENDS:
        return _Mark(_Role.ENDS, where="" if "_" in low else "end")
    if low == "inst":
        return _Mark(_Role.OURS if closes else _Role.NOT_OURS)
    if _THINKING.search(low):
        return _thought(low, "[", closes=closes)
    if low in _BRACKETED_FINAL:
        return _Mark(_BRACKETED_FINAL[low], _TAG)
    if low in _ANSWERS:
        return _Mark(
            _Role.SILENT if closes else _Role.ANSWERS, _TAG, where="" if closes else "line"
        )
    if closes:
        return _Mark(_Role.STRANGE)
    return _Mark(_Role.STRANGE, where="line" if "_" in low else "start") if len(low) > 3 else None


def _tag(inner: str) -> _Mark | None:
    tag = _TAG_INSIDE.fullmatch(inner)
    if tag is None:
        return None
    closes, name = bool(tag[1]), tag[2].lower()
    if name == "details":
        return _Mark(_Role.LEAVES if closes else _Role.THINKS, _DETAILS)
    if known := _TAGS.get(("/" if closes else "") + name):
        return known
    if _RESERVED.fullmatch(name):
        return _Mark(_Role.STRANGE)
    if _THINKING.search(name):
        alone = inner.rstrip().endswith("/") and not closes
        return _Mark(_Role.SILENT) if alone else _thought(name, "<", closes=closes)
    if name.partition(":")[0] in _ANSWERS:
        return _Mark(
            _Role.SILENT if closes else _Role.ANSWERS, _TAG, where="" if closes else "line"
        )
    return _Mark(_Role.STRANGE) if ":" in name else None


def _control(inner: str) -> _Mark:
    """Marks between bars, as <|im_end|>, <|channel>, <turn|> and <｜User｜>."""
    closes_only = inner[0] not in _BARS
    name = inner.strip("|｜").strip().lower().replace("▁", "_").replace(" ", "_")
    name = name.removesuffix("_token")
    if name == "channel" and closes_only:
        return _Mark(_Role.THOUGHT, _CONTROL)
    if known := _CONTROLS.get(name):
        return known
    if name in _HEADERS and not closes_only:
        return _Mark(_Role.OURS, reads_on=True)
    if name in _HEADERS or name in _ENDINGS:
        return _Mark(_Role.ENDS)
    closes = closes_only or name.startswith(_CLOSING) or name.endswith("_end")
    if _THINKING.search(name):
        return _Mark(_Role.THOUGHT if closes else _Role.THINKS, _CONTROL)
    who = name.removesuffix("_start").removesuffix("_end")
    if who in _OURS:
        return _Mark(_Role.ENDS if closes else _Role.OURS)
    if who in _OTHERS:
        return _Mark(_Role.SILENT if closes else _Role.NOT_OURS)
    if _ANSWERING.search(name):
        return _Mark(_Role.SILENT if closes else _Role.ANSWERS, _CONTROL)
    return _Mark(_Role.SILENT, where="tail") if closes else _Mark(_Role.STRANGE)


def _spoken(mark: _Mark, word: str) -> _Mark:
    """Return what a header says, by the word in it: whose turn, or which channel."""
    if word in ("final", "answer", "response"):
        return _Mark(_Role.ANSWERS, _CONTROL)
    if mark.role is _Role.SILENT:
        return mark
    if mark.role is _Role.THINKS or _THINKING.search(word):
        return _Mark(_Role.THINKS, _CONTROL)
    return _Mark(_Role.OURS if word in _OURS or not word else _Role.NOT_OURS)


def _thought(name: str, kind: str, *, closes: bool | None = None) -> _Mark:
    closes = name.startswith(_CLOSING) if closes is None else closes
    stem = _THINKING.search(name)
    family = "think" if "think" in name or "thought" in name else stem[0] if stem else name
    return _Mark(_Role.THOUGHT if closes else _Role.THINKS, kind + family)


def _name(written: str) -> str:
    return written.strip("<>[]＜＞/ ").lower()


_GOES_ON: Final = (_Role.THOUGHT, _Role.LEAVES, _Role.MESSAGE, _Role.ANSWERS, _Role.OURS)
_BARS: Final = "|｜"
_TAG: Final = "tag"
_CONTROL: Final = "control"
_TURN: Final = "turn"
_FENCE: Final = "fence"
_DETAILS: Final = "details"
_COMMENT: Final = "comment"
_FAR: Final = 200
_SIGNS: Final = (
    "<",
    "＜",
    "&lt;",
    "◁",
    "[",
    "```",
    "~~~",
    "assistant",
    "analysis",
    "commentary",
    "thought",
)
_ANY: Final = linear(
    r"(?m)<!--|-->|<[^<>]{1,120}>|＜[^＜＞<>]{1,120}＞|&lt;[^&<>]{1,120}&gt;|◁[^◁▷]{1,40}▷"
    r"|\[/?[a-z][a-z0-9_ ]{2,40}\]|\[\|[^\[\]|]{1,40}\|\]"
    r"|assistant(?:final|analysis|commentary)|assistant +final\b|^final$|^[ \t]*(?:`{3,}|~{3,})[ \t]*[a-z_-]{0,40}",
    capture=False,
)
_IS_SHOWN: Final = regex(
    r"\s*<summary[^<>]*>(?![^<]{0,80}(?:思考|検討|下書|推論|過程|think|thought|reason|draft|process))"
    r"[^<]{0,80}(?:回答|解答|評価|採点|数値|結果|理由|answer|rating|score|result|response|Q\d)",
    re.IGNORECASE,
)
"""What folds an answer, not a thought."""
_BARE: Final = regex(
    r"\s*(?:assistant)?(?:analysis|commentary|thought)(?=[^a-z ,.:;)'-]|\Z| +[^a-z (&])"
)
"""Harmony's and Gemma's first header without its marks."""
_QUOTED: Final = regex(r"[\"']([^\"']{1,40})[\"']")
_WORD: Final = regex(r"[ \t]*([a-z_]+|[A-Z][a-z]+|[A-Z]+)")
_TAG_INSIDE: Final = regex(r"\s*(/?)\s*([^\W\d][\w:.▁-]*)(?:\s[^<>]*)?/?\s*")
_THINKING: Final = regex(
    r"think|thought|reasoning|analy[sz]|reflect|scratch|draft|monolog|deliberat|brainstorm|contempl"
    r"|ponder|musing|rumina|cogit|introspect|inner_prefix|inner_suffix|chain_of|process"
    r"|(?:^|[_:./-])(?:cot|plan|planning|inner|internal|hidden|private|critique|workings?|steps?)"
    r"(?:[_:./0-9-]|$)"
    r"|思考|下書き|下書|草案|草稿|検討|推論|熟考|内省|考察|独白|試案|仮回答"
)
"""What a mark is called that begins or ends a thought."""
_ANSWERS: Final = {
    *("answer", "final_answer", "finalanswer", "final", "response", "final_response", "output"),
    *("solution", "result", "conclusion", "回答", "最終回答", "解答"),
}
_ANSWERING: Final = regex(r"(?:^|_)(?:response|answer|solution|final|reply|output|text|content)$")
_CLOSING: Final = ("/", "end", "close", "stop", "finish", "eo", "inner_suffix")
_ENDINGS: Final = {
    *("im_end", "eot_id", "eom_id", "eot", "eom", "eos", "eod", "endoftext", "end_of_text"),
    *("end_of_turn", "endofturn", "end_turn", "end_of_sentence", "end_of_document", "return", "/s"),
}
_BRACKETED_ENDS: Final = {"eos", "eot", "eod", "end", "done", "stop"}
_BRACKETED_FINAL: Final = {  # Apriel
    "begin final response": _Role.ANSWERS,
    "end final response": _Role.ENDS,
}
_HEADERS: Final = {
    "im_start",
    "start",
    "start_header_id",
    "header_start",
    "start_of_role",
    "turn",
    "role",
    "begin",
}
"""Marks before the word that says whose turn it is."""
_OURS: Final = {"assistant", "model", "bot", "gpt", "ai", "agent", "chatbot"}
_OTHERS: Final = {
    "user",
    "human",
    "system",
    "developer",
    "tool",
    "observation",
    "function",
    "ipython",
}
_SILENT: Final = _Mark(_Role.SILENT)
_CONTROLS: Final = {
    **dict.fromkeys(("message", "call", "pad", "bos", "begin_of_text"), _SILENT),
    **dict.fromkeys(
        ("begin_of_sentence", "startoftext", "start_of_text", "end_header_id"), _SILENT
    ),
    **dict.fromkeys(("header_end", "end_of_role", "start_of_turn", "im_middle", "im_sep"), _SILENT),
    **dict.fromkeys(("begin_of_box", "end_of_box", "box_start", "box_end"), _SILENT),
    "channel": _Mark(_Role.THINKS, _CONTROL, reads_on=True),
    "constrain": _Mark(_Role.SILENT, reads_on=True),
    "end": _Mark(_Role.MESSAGE, _CONTROL),
}
_TAGS: Final = {
    "unused94": _Mark(_Role.THINKS, _CONTROL),  # Gemma
    "unused95": _Mark(_Role.THOUGHT, _CONTROL),
    "start_of_turn": _Mark(_Role.OURS, reads_on=True),
    **dict.fromkeys(
        ("end_of_turn", "eos", "eod", "eot", "eoa", "eom", "endoftext", "im_end"), _Mark(_Role.ENDS)
    ),
    **dict.fromkeys(("bos", "pad"), _SILENT),
    "s": _Mark(_Role.SILENT, where="start"),
    "/s": _Mark(_Role.ENDS, where="unopened"),
    "role": _Mark(_Role.OURS, reads_on=True),  # Ling
    "/role": _SILENT,
    "longcat_assistant": _Mark(_Role.OURS),
    "longcat_user": _Mark(_Role.NOT_OURS),
    "longcat_s": _Mark(_Role.SILENT),
    "/longcat_s": _Mark(_Role.ENDS),
    "special_12": _Mark(_Role.ENDS),  # Nemotron
}
_RESERVED: Final = regex(r"(?:unused|special|extra_id|reserved|extra)[_0-9]+.*")
