"""Drafts under a heading of their own: what stands there is no answer, and may speak against one.

Unlike the marks of a template, a heading is prose: what it says is believed where it takes a value
away, never where it would decide between two.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from runner.core.extract.names import linear
from runner.core.extract.normalize import tidy
from runner.core.extract.regex import regex
from runner.core.extract.thoughts import hide_thoughts, places

MOST_HEADINGS: Final = 200
LONGEST: Final = 100_000
"""Characters; a longer answer with drafts in it says nothing that could be trusted."""


class Part(NamedTuple):
    """The part of an answer that answers."""

    visible: str
    """As long as the answer, all else blanked out."""
    plain: str
    """The same, tidied."""
    others: tuple[tuple[str, str], ...] = ()
    """Drafts, in the same form: where one says otherwise, what holds is unknown."""
    strange: str | None = None
    """Why nothing of it can be trusted: an unknown mark."""


def answer_part(
    text: str, ours: frozenset[str], is_asked: Callable[[str, int, int], bool] | None = None
) -> Part:
    """Return the part of an answer that answers.

    Args:
        text: the answer.
        ours: what questions are called; nothing of that name is a mark or a heading.
        is_asked: tells whether what stands in a place of a tidied answer, a draft by its heading,
            is part of a text that was asked for.
    """
    shown = hide_thoughts(text, ours)
    visible, plain = shown.text, tidy(shown.text)
    if shown.strange is not None:
        return Part(visible, plain, strange=shown.strange)
    if (
        not shown.last
        and "<" not in visible
        and not _HEADING.search(plain.encode("utf-8", "replace"))
    ):
        return Part(visible, plain)
    drafts = [
        draft
        for draft in (*_drafts(visible, plain, ours), *_blocks(visible, ours))
        if not (draft.is_text and is_asked and is_asked(plain, draft.begin, draft.end))
    ]
    if shown.last:
        drafts.append(_Draft(shown.last, len(visible), hidden=False))
    if not drafts:
        return Part(visible, plain)
    if len(visible) > LONGEST or len(drafts) > MOST_DRAFTS:
        return Part(visible, plain, strange=visible[drafts[0].begin :][:_SHOWN])
    others = [(d.begin, d.end) for d in drafts if d.heard]
    hidden = [(d.begin, d.end) for d in drafts if d.hidden]
    return Part(
        _without(visible, hidden),
        _without(plain, hidden),
        tuple((_only(visible, *place), _only(plain, *place)) for place in others),
    )


MOST_DRAFTS: Final = 8
_SHOWN: Final = 40


def _only(text: str, begin: int, end: int) -> str:
    return " " * begin + text[begin:end] + " " * (len(text) - end)


def _without(text: str, hidden: list[tuple[int, int]]) -> str:
    for begin, end in hidden:
        text = text[:begin] + " " * (end - begin) + text[end:]
    return text


class _Draft(NamedTuple):
    begin: int
    end: int
    hidden: bool = True
    """Whether it is no part of the answer; its final part is one."""
    heard: bool = True
    """Whether it may speak against the answer."""
    is_text: bool = False
    """Whether it may be part of a text: its heading speaks of no thought."""


def _drafts(visible: str, plain: str, ours: frozenset[str]) -> list[_Draft]:
    """Return the drafts of an answer, and its final part, if headings name them."""
    found: list[_Draft] = []
    open_: _Head | None = None
    heads = [head for head in _heads(visible, plain) if head.word not in ours]
    for number, head in enumerate(heads):
        if head.kind == "closed":
            found.append(_Draft(open_.begin if open_ else 0, head.end, heard=False))
            open_ = None
        elif open_ is None:
            if head.kind == "draft" or (
                head.kind == "maybe" and _may_be_draft(head, heads[number + 1 :], plain)
            ):
                open_ = head
            elif head.kind == "final":
                found.append(_Draft(head.end, len(visible), hidden=False))
        elif head.kind in ("final", "answer") or (
            head.kind == "styled" and head.style and head.style == open_.style
        ):
            is_text = not _THOUGHT.search(open_.word)
            found.append(_Draft(open_.begin, head.end, heard=not open_.said, is_text=is_text))
            open_ = None
    if open_ is not None:
        is_text = not _THOUGHT.search(open_.word)
        found.append(_Draft(open_.begin, len(visible), is_text=is_text))
    return found


def _blocks(visible: str, ours: frozenset[str]) -> Iterator[_Draft]:
    """Yield what stands over some lines in a tag that is none of HTML, and none for an answer."""
    until = 0
    for number, (begin, end) in enumerate(places(_OPENING, visible)):
        name = visible[begin:end].strip(" \t<").split(maxsplit=1)[0].rstrip("/>").lower()
        if begin < until or name in ours or _ANSWERING.search(name):
            continue
        if number == MOST_HEADINGS:
            return
        closing = _closing(visible, name, end)
        if "\n" in visible[begin:closing]:
            until = closing
            yield _Draft(begin, closing)


def _closing(visible: str, name: str, at: int) -> int:
    """Return where a tag is closed; the end when it is not."""
    found = regex(rf"</\s*{re.escape(name)}\s*>", re.IGNORECASE).search(visible, at)
    return found.end() if found else len(visible)


class _Head(NamedTuple):
    begin: int
    end: int
    kind: str
    """draft, maybe (a heading of drafts and of other things), final, answer, styled (the same,
    where it is written as the draft's heading is), or closed."""
    style: str
    word: str
    said: bool
    """Whether it is no heading, but what a family of models says."""


def _heads(visible: str, plain: str) -> Iterator[_Head]:
    for number, (begin, end) in enumerate(places(_HEADING, plain)):
        if number == MOST_HEADINGS:
            return
        line = plain[begin:end]
        data = line.encode("utf-8", "replace")
        kind = next(kind for kind, regex in _KINDS if regex.search(data))
        style = "".join(sign for sign in visible[begin:end].strip()[:3] if sign in "#*【[_")
        word = line.strip(" []():0123456789.").lower()
        yield _Head(begin, end, kind, style, word, word.startswith("here") and "process" in word)


def _may_be_draft(head: _Head, later: list[_Head], plain: str) -> bool:
    """Tell whether a heading like "Reasoning", or "Analysis", is that of a draft.

    That of a reason stands below a value. An analysis may be the answer, unless one follows.
    """
    if any(h.kind == "final" for h in later):
        return True
    before = plain[: head.begin]
    return head.word not in _OFTEN_ANSWERS and not any(sign.isdigit() for sign in before)


_THOUGHT: Final = regex(
    r"think|thought|scratch|monologue|brainstorm|deliberat|reasoning|working|internal|hidden|private"
    r"|process|思考|独白|熟考|内省|思案|推論|スクラッチ|考え|心の"
)
"""In a heading: what stands below it was never meant to be read."""
_OPENING: Final = linear(r"(?m)^[ \t>]*<[a-z][a-z0-9_.-]*(?: [^<>]{0,100})?>", capture=False)
_ANSWERING: Final = regex(
    r"^(?!pre_|before_)(?:.*(?:answer|rating|evaluat|assess|scor|result|respon|output|survey|question|item|value"
    r"|reason|number|point|label|explan|justif|comment).*|q[0-9]*|form|format|review|report|root|xml|data|document"
    r"|content|message|assistant|summary|conclusion|solution|final|poem|quote|title|author|text"
    r"|tool_calls?|function_calls?|invoke|parameters?|arguments?|p|div|span|ul|ol|li|table|thead|tbody|tfoot|tr|td|th|b|i|u|s|em|strong|h[1-6]|br|hr|pre|code|kbd|blockquote"
    r"|section|article|main|body|html|head|header|footer|nav|aside|dl|dt|dd|details|center|font|small|big|sup|sub"
    r"|mark|a|img|fieldset|legend|ruby|rt|rb|rp|q|cite|figure|figcaption|caption|col|colgroup|style|script|meta)$"
)
_NOTHING: Final = r"[^\x00-\x{10FFFF}]"
_BEFORE: Final = r"(?:[ \[\](){}<>*=~+■□▪◆◇●○◎・•▼▽▶★☆※|-]|</?[a-z][^<>]{0,30}>|[0-9]{1,2}[.)]|(?:step|phase|part|ステップ|手順|段階) *[0-9]{1,2} *[:.)]?|\p{So})*"
_BEHIND: Final = r"(?:[ \])}>:.。*=~|…■◆●-]|</?[a-z][^<>]{0,30}>|[(\[][^()\[\]]{0,30}[)\]])*$"
_DRAFT: Final = (
    r"(?:(?:以下(?:は|が|に)?|まずは?|これは|私の|仮の|最初の|内部|内的|心の中の|段階的な)*"
    r"(?:思考(?:過程|プロセス|の過程|の流れ|ステップ|メモ|ログ|内容|段階|中)?|下書き|下書|草案|草稿|素案|たたき台|試案"
    r"|仮(?:の)?(?:回答|評価|採点|スコア|案)|(?:最初|初期|初め)の(?:案|回答|評価|印象)|初案|第[一1]案|初稿|第[一1]稿|ドラフト"
    r"|検討(?:過程|プロセス|メモ|内容|中|段階)?|推論(?:過程|プロセス)|熟考|内省|独白|思案|作業メモ|(?:評価|採点|分析|判断)(?:過程|プロセス)"
    r"|考え(?:方|中|を整理)|スクラッチパッド|ブレインストーミング)"
    r"|(?:(?:my|the|an?|here(?:'s| is| are)|this is|internal|initial|first|rough|preliminary|step[- ]by[- ]step) +)*"
    r"(?:(?:thought|thinking|reasoning|evaluation|scoring|rating) +(?:process|steps?)|thinking(?: +(?:out loud|aloud))?|thought"
    r"|chains? *(?:-| ) *of *(?:-| ) *thoughts?|drafts?(?: +(?:answers?|response|scores?|ratings?))?|drafting|scratch *pad"
    r"|(?:inner|internal) +monologue|brainstorm(?:ing)?|deliberation|first pass|let'?s think(?: step by step)?"
    r"|(?:preliminary|initial|tentative|provisional) +(?:answers?|scores?|ratings?|assessment|thoughts?|impressions?)"
    r"|working(?:s| out| notes?)|think|(?:internal|hidden|private|initial) +(?:reasoning|analysis|thoughts?|notes?)))"
    r"(?: *(?:開始|ここから|start|begins?)|です|は?(?:以下|次)の(?:通り|とおり)(?:です)?|を(?:以下に|次に)?(?:示|記|書き|述べ|作成)[しすま]+す?)?"
)
_MAYBE: Final = (
    r"(?:(?:my |the |some )?(?:reasoning|thoughts?|(?:self[- ])?reflections?|planning|plan|notes?|analysis|considerations?)"
    r"|(?:私の|自分の|内部の)?(?:推論|考え|メモ|分析|考察))"
)
_OFTEN_ANSWERS: Final = ("analysis", "the analysis", "my analysis", "分析", "考察")
_FINAL: Final = (
    r"(?:(?:私の|以下が|見直した|修正した|以上を踏まえた)*(?:最終(?:的な?)? *(?:回答|解答|答え|評価値?|スコア|採点|結果|判断|案|版|数値|点数|得点|決定|稿)?"
    r"|清書|確定(?:回答|版|値|スコア)?|正式な?回答|本回答)"
    r"|(?:here is |here are |here's )?(?:my |the )?final(?: +(?:answers?|responses?|ratings?|scores?|output|version|evaluation|results?|decision))?)"
    r"(?:は?(?:以下|次)の(?:通り|とおり|ように)?(?:です|なります)?)?"
)
_ANSWER: Final = r"(?:(?:実際の|改めて|以下)?(?:回答|解答|答え)|結論|(?:here is |here's )?(?:my |the )?(?:actual |real )?(?:answers?|responses?|output|conclusion))"
_STYLED: Final = (
    r"(?:評価|評価結果|採点|採点結果|スコア|結果|ratings?|scores?|evaluation|results?|assessment)"
)
_INLINE: Final = r"[ \])>]*:"
"""What makes a heading of the beginning of a line."""
_SAID: Final = r"(?:here is|here's) my (?:thought|thinking|reasoning) process *:?"
_SAID_FINAL: Final = r"(?:here is|here's) my (?:final )?(?:response|answer) *:?"
_CLOSED: Final = (
    rf"\[ */ *(?:{_DRAFT}|{_MAYBE}) *\]|\[ *(?:{_DRAFT}|{_MAYBE}) *(?:終了|終わり|おわり|ここまで|ends?) *\]"
    r"|\.{3} ?done thinking\.?"
)
_HEADING: Final = linear(
    rf"(?m)^{_BEFORE}(?:(?:{_DRAFT}[0-9]*|{_MAYBE}|{_FINAL}|{_ANSWER}|{_STYLED}){_BEHIND}"
    rf"|(?:{_DRAFT}[0-9]*|{_FINAL}){_INLINE})|{_CLOSED}|{_SAID}|{_SAID_FINAL}",
    capture=False,
)
_KINDS: Final = tuple(
    (kind, linear(f"^(?:{_BEFORE}{words}(?:{_BEHIND}|{_INLINE})|{said})", capture=False))
    for kind, words, said in (
        ("closed", _NOTHING, _CLOSED),
        ("draft", _DRAFT + "[0-9]*", _SAID),
        ("final", _FINAL, _SAID_FINAL),
        ("maybe", _MAYBE, _MAYBE + "$"),
        ("answer", _ANSWER, _ANSWER + "$"),
        ("styled", _STYLED, _STYLED + "$"),
    )
)
