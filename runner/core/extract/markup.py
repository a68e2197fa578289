"""What wraps numbers and lines and says nothing of its own: tags, LaTeX, boxes to tick, tabs.

It becomes blanks, line ends and bars, so that the patterns see what a reader sees; every character
keeps its place.
"""

import re
from collections.abc import Iterator, Sequence

from runner.core.extract.names import Names
from runner.core.extract.normalize import blanks, tidy
from runner.core.extract.number import UNSEEN
from runner.core.extract.options import OptionNames
from runner.core.extract.regex import regex
from runner.core.model import Option

MOST_SIGNS = 4_000
"""A text with more tags, commands or boxes than this is left as it is."""


class Markup:
    """Takes markup out of the copies of a text."""

    def __init__(self, names: Names, options: Sequence[Option] = ()) -> None:
        """Keep what tags may be called, and of which options one alone may be ticked."""
        self._names = names
        of_choices = f"|(?:{OptionNames(options).pattern}) *" if options else ""
        self._box = regex(_BOX.format(of_choices=of_choices), re.IGNORECASE)
        words = sorted(names.words["value_word"], key=len, reverse=True)
        self._bracketed = regex(
            rf"(?m)^([ >-]{{0,8}})\[( *(?:{'|'.join(map(re.escape, words))}) *)\](?=[ \[]*[0-9])",
            re.IGNORECASE,
        )

    def bare(self, visible: str, plain: str) -> tuple[str, str]:
        """Return both copies without markup, each of the same length as before."""
        if "\\n" in visible and "\n" not in visible.strip():  # line ends that were escaped
            visible, plain = visible.replace("\\n", " \n"), plain.replace("\\n", " \n")
        if _few(visible, "<") and ">" in visible:
            visible, plain = self._without_tags(visible, plain)
        if _few(visible, "&") and ";" in visible:
            plain = _ENTITY.sub(blanks, plain)
        if _few(visible, "\\"):
            plain = _without_latex(plain)
        if _few(plain, "$"):
            plain = _MATHS.sub(_inside, plain)
        if _few(visible, "\t"):
            plain = _with_bars(visible, plain)
        if _few(plain, "[") or any(box in plain for box in _BOXES):
            plain = _ticked(self._box, self._bracketed.sub(r"\1 \2:", plain))
        return visible, _joined(visible, plain)

    def _without_tags(self, visible: str, plain: str) -> tuple[str, str]:
        visible, plain = _replaced(visible, plain, _html(visible))
        return _replaced(visible, plain, self._elements(visible))

    def _elements(self, visible: str) -> Iterator[tuple[int, int, str, str]]:
        """Turn the elements of XML into lines: <Q1>80</Q1> is Q1: 80."""
        tags = list(_TAG.finditer(visible))
        for number, tag in enumerate(tags):
            closing, name, attributes = tag[1], tag[2], tag[3]
            meaning = self._names.meaning(tidy(name))
            ours, begin, end = name, *tag.span()
            if closing:
                if meaning is not None or name.lower() in _CONTAINERS:
                    yield begin, end, _line(end - begin), _line(end - begin)
                continue
            part = meaning.part if meaning else None
            named = bool(meaning and meaning.questions)
            fields: list[str] = []
            for attribute in _ATTRIBUTE.finditer(attributes):
                key, said = self._names.meaning(tidy(attribute[1])), attribute[2]
                of_ours = self._names.meaning(tidy(said))
                if not named and of_ours is not None and of_ours.questions:
                    named, ours = True, f"{said} {name}" if part else said
                elif key is not None and key.part:
                    fields.append(f"{attribute[1]}:{said}")
            if meaning is None and not named and name.lower() not in _CONTAINERS:
                continue
            after = tags[number + 1] if number + 1 < len(tags) else None
            is_leaf = after is not None and after[1] == "/" and after[2] == name
            head = ""
            if named or (part and is_leaf):
                head = "\n".join([f"{tidy(ours)}:", *map(tidy, fields)])
            size = end - begin
            if fields and len(head) + 1 < size:
                head += "\n"  # what the element holds is no part of its value
            if len(head) >= size:
                head = ""
            yield begin, end, _line(size), "\n" + head.rjust(size - 1)


def _few(text: str, sign: str) -> bool:
    return sign in text and text.count(sign) <= MOST_SIGNS


def _line(size: int) -> str:
    return "\n" + " " * (size - 1)


def _inside(match: re.Match[str]) -> str:
    """Leave what a pair of marks holds, and blanks in their place."""
    begin, end = match.span(1)
    return " " * (begin - match.start()) + match[1] + " " * (match.end() - end)


def _replaced(
    visible: str, plain: str, edits: Iterator[tuple[int, int, str, str]]
) -> tuple[str, str]:
    shown: list[str] = []
    tidied: list[str] = []
    at = 0
    for begin, end, one, two in edits:
        shown += (visible[at:begin], one)
        tidied += (plain[at:begin], two)
        at = end
    return "".join((*shown, visible[at:])), "".join((*tidied, plain[at:]))


def _html(visible: str) -> Iterator[tuple[int, int, str, str]]:
    """Turn tags of HTML into blanks, line ends, and bars between the cells of a row."""
    in_row = in_table = False
    last = 0
    for tag in _TAG.finditer(visible):
        name, size = tag[2].lower(), len(tag[0])
        begin, end = tag.span()
        if in_row or in_table:
            for newline in _NEWLINE.finditer(visible, last, begin):
                yield newline.start(), newline.end(), " ", " "
        last = end
        if name in ("td", "th"):
            cell = " " * size if tag[1] else "|" + " " * (size - 1)
            yield begin, end, " " * size, cell
        elif name == "tr":
            in_row = not tag[1]
            between = " " * size if tag[1] and in_table else _line(size)
            yield begin, end, between, between
        elif name in ("thead", "tbody", "tfoot"):
            yield begin, end, " " * size, " " * size
        elif name == "table":
            in_table = not tag[1]
            yield begin, end, _line(size), _line(size)
        elif name == "br" and _in_a_cell(visible, begin):
            yield begin, end, " " * size, " " * size
        elif name in _BLOCKS:
            yield begin, end, _line(size), _line(size)
        elif name in _INLINE:
            # Reasons keep their emphasis; the patterns do not see it.
            yield begin, end, tag[0], " " * size


def _in_a_cell(visible: str, at: int) -> bool:
    begin = visible.rfind("\n", 0, at) + 1
    return visible[begin:at].lstrip(" >")[:1] == "|"


def _without_latex(plain: str) -> str:
    plain = _ITEM.sub(blanks, plain)
    if "\\begin" in plain:
        plain = _TABULAR.sub(_rows_of_latex, plain)
    for _ in range(_DEEPEST):
        plain, changed = _COMMAND.subn(_inside, plain)
        if not changed:
            break
    plain = _MATHS_IN_BRACKETS.sub(_inside, plain)
    return _PERCENT.sub(" %", plain)


def _rows_of_latex(match: re.Match[str]) -> str:
    body = _LATEX_RULE.sub(blanks, match[0])
    body = _ROW_END.sub("  ", body).replace("\\\\", " \n")
    return body.replace("\\&", "  ").replace("&", "|")


def _with_bars(visible: str, plain: str) -> str:
    """Put bars for the tabs of two or more lines that have as many of them."""
    lines: list[tuple[int, int]] = []
    signs: list[str] | None = None
    at = 0
    while at < len(visible):
        tab = visible.find("\t", at)
        if tab < 0:
            break
        begin = visible.rfind("\n", 0, tab) + 1
        end = visible.find("\n", tab)
        end = len(visible) if end < 0 else end
        lines.append((begin, end))
        at = end + 1
    for number, (begin, end) in enumerate(lines):
        tabs = _tabs(visible, begin, end)
        beside = [
            other
            for other in (number - 1, number + 1)
            if 0 <= other < len(lines)
            and (lines[other][1] + 1 == begin or end + 1 == lines[other][0])
        ]
        if not tabs or not any(len(_tabs(visible, *lines[o])) == len(tabs) for o in beside):
            continue
        signs = list(plain) if signs is None else signs
        for tab in tabs:
            signs[tab] = "|"
    return plain if signs is None else "".join(signs)


def _tabs(visible: str, begin: int, end: int) -> list[int]:
    """Return where the tabs between cells stand; none where one only follows a colon."""
    first = begin + len(visible[begin:end]) - len(visible[begin:end].lstrip())
    found = [at for at in range(first, end) if visible[at] == "\t"]
    head = visible[first : found[0]].rstrip() if found else ""
    return [] if head[-1:] in (":", "：", "=", "") else found


def _ticked(box_of: re.Pattern[str], plain: str) -> str:
    """Leave of the boxes on lines of their own only what is ticked, if it is one."""
    boxes = list(box_of.finditer(plain))
    if not boxes or len(boxes) > MOST_SIGNS:
        return plain
    parts: list[str] = []
    at = 0
    groups: list[list[re.Match[str]]] = []
    for box in boxes:
        if groups and not plain[groups[-1][-1].end() : box.start()].strip():
            groups[-1].append(box)
        else:
            groups.append([box])
    for group in groups:
        ticked = [box for box in group if box["ticked"]]
        for box in group:
            begin, end = box.span()
            parts.append(plain[at:begin])
            stop = box.start("rest")
            if len(ticked) != 1 and not box["rest"][:1].isdigit():
                parts.append(plain[begin:end])
            elif len(ticked) != 1:
                parts.append("?" * (stop - begin) + plain[stop:end])
            elif box["ticked"]:
                parts.append(" " * (stop - begin) + plain[stop:end])
            else:
                parts.append(" " * (end - begin))
            at = end
    return "".join((*parts, plain[at:]))


def _joined(visible: str, plain: str) -> str:
    """Put one sign for what cannot be seen between two digits."""
    if not any(sign in visible for sign in _INVISIBLE):
        return plain
    signs = list(plain)
    for match in _SPLIT.finditer(visible):
        signs[match.start() : match.end()] = UNSEEN * len(match[0])
    return "".join(signs)


_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\xad"
_SPLIT = regex(rf"(?<=[0-9０-９])[{_INVISIBLE}]{{1,4}}(?=[0-9０-９])")
_NEWLINE = regex("\n")
_TAG = regex(r"<(/?)([^\s<>/!?=\"'|]{1,40})((?:\s[^<>\n]{0,200})?)/?>")
_ATTRIBUTE = regex(r"([^\s=\"']{1,40})=[\"']([^\"'<>\n]{1,200})[\"']")
_INLINE = frozenset(
    [
        "a",
        "b",
        "big",
        "code",
        "del",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "u",
        "var",
    ]
) - {"del", "s", "q"}
_BLOCKS = frozenset(
    [
        "article",
        "blockquote",
        "body",
        "br",
        "caption",
        "dd",
        "div",
        "dl",
        "dt",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "ul",
    ]
)
_CONTAINERS = frozenset(
    [
        "answers",
        "response",
        "responses",
        "output",
        "outputs",
        "result",
        "results",
        "item",
        "items",
        "question",
        "questions",
        "entry",
        "entries",
        "evaluation",
        "evaluations",
        "ratings",
        "scores",
        "assessment",
        "review",
        "root",
        "data",
        "list",
        "name",
        "label",
        "title",
        "id",
        "row",
        "record",
    ]
)
_ENTITY = regex(r"&(?:nbsp|ensp|emsp|thinsp|zwnj|zwj|#160|#xa0|#x200b|#8203);", re.IGNORECASE)
_DEEPEST = 3
_COMMAND = regex(
    r"\\(?:boxed|fbox|framebox|text[a-z]{0,6}|math[a-z]{2,4}|emph|underline|bm) *"
    r"\{([^{}\\\n]{0,60})\}"
)
_FIGURE = r" *[0-9][0-9 ./%]{0,14}(?:点|points?)? *"
_MATHS = regex(rf"\$\$?({_FIGURE}|-{_FIGURE}|\+{_FIGURE}| *[A-Z] *)\$\$?")
_MATHS_IN_BRACKETS = regex(rf"\\[(\[]({_FIGURE}|-{_FIGURE}|\+{_FIGURE}| *[A-Z] *)\\[)\]]")
_ITEM = regex(r"\\item(?![a-z])", re.IGNORECASE)
_PERCENT = regex(r"\\%")
_TABULAR = regex(
    r"\\begin *\{(?:tabular|array|longtable|tabularx)[^}\n]{0,3}\}.{0,20000}?(?:\\end *\{[a-z]{4,12}|\Z)",
    re.DOTALL,
)
_ROW_END = regex(r"\\\\(?=[ ]*(?:\n|\Z))")
_LATEX_RULE = regex(
    r"\\begin *\{[a-z]{4,12}[^}\n]{0,3}\}(?:\{[^}\n]{0,30}\}|\[[^\]\n]{0,10}\])*"
    r"|\\(?:(?:hline|toprule|midrule|bottomrule|cline *\{[^}\n]{0,10}\})[ ]*\n?|end *\{[a-z]{4,12})"
)
_BOXES = ("☑", "☐", "☒", "□", "■", "✅", "✓", "✔", "⬜")
_BOX = (
    r"(?m)^[ >*+-]{{0,12}}(?:(?P<ticked>\[ {{0,2}}[xX✓✔] {{0,2}}\]|☑|✅|☒|■|✓|✔)|\[ {{1,3}}\]|☐|□|⬜) *"
    r"(?P<rest>[0-9][^\n]{{0,40}}{of_choices})$"
)
