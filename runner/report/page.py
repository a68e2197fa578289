"""The report as one HTML page: nothing from elsewhere, every text escaped, and readable without its script."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from html import escape, unescape
from importlib.resources import files
from typing import Any

import polars as pl

from runner.report.figures.inline import FAMILY, inline
from runner.report.figures.sheet import Drawn
from runner.report.fonts import EAST_ASIAN, font_face
from runner.report.words import Words, visible

ROWS_SHOWN = 200
"""A longer table is shown in part; the whole of it is in its file."""

MANY_COLUMNS = 12
"""A table of more is set smaller, so that it fits a window of 1,280 pixels."""

POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'sha256-{digest}'"
)
"""What a browser may load for the page, and run: only what stands in it, and no script but ours."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element; children and attributes that are no Markup are escaped."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
        for key, value in attributes.items()
    )
    if name in ("meta", "img", "br"):
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{_joined(children)}</{name}>")


def _joined(children: Iterable[str]) -> str:
    return "".join(c if isinstance(c, Markup) else escape(visible(c)) for c in children)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the report."""

    name: str
    """Of its file, without ending."""
    title: str
    frame: pl.DataFrame
    headers: dict[str, str]
    """What each column is called on the page."""
    codes: dict[str, Callable[[str], str]]
    """How the codes of a column are put into words."""
    notes: tuple[str, ...] = ()
    open: bool = True
    unknown: dict[str, str] = field(default_factory=dict)
    """What nothing means in some columns; elsewhere it means that a number is not defined."""
    opens: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What a cell of a column shows when it is opened, by row; an empty text: nothing."""


Part = Drawn | Table | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, and what stands under it, in order."""

    anchor: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page."""

    title: str
    banners: tuple[tuple[str, str], ...]
    """Class (alarm or note) and text."""
    tiles: tuple[tuple[str, str], ...]
    """Figure and label."""
    sentences: tuple[tuple[str, str], ...]
    """What it all comes to, in some sentences, each with the anchor of its section."""
    sections: tuple[Section, ...]
    mark: str
    """What stands before every heading; empty, or REHEARSAL."""
    figure_files: tuple[str, ...]
    """Their endings."""
    table_files: tuple[str, ...]
    """Theirs."""


def html(page: Page, words: Words, pictures: Mapping[str, bytes]) -> str:
    """Return the page, with the glyphs in it that a reader's machine may lack.

    Args:
        page: what stands on it.
        words: in which language.
        pictures: the SVG of each figure, by its name.
    """
    body = _body(page, words, pictures)
    digest = b64encode(sha256(_part("page.js").encode()).digest()).decode()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY.format(digest=digest)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", page.mark + page.title),
        Markup(f"<style>{_fonts(page.title + body)}\n{_part('page.css')}</style>"),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang=words.language) + "\n"


def _fonts(text: str) -> str:
    """Return the fonts of the page: what a reader's machine may lack, and what stands in figures.

    The first comes after every known Japanese font, and is used only where there is none.
    """
    in_figures = {c for said in _SAID.findall(text) for c in unescape(said)}
    lacking = {c for c in text if ord(c) >= EAST_ASIAN}
    needed = (("Embedded", lacking), (FAMILY, in_figures))  # a font without a glyph is none
    return "\n".join(font_face(name, sorted(some)) for name, some in needed if some)


_SAID = re.compile(r"<text [^>]*>([^<]*)</text>")


@cache
def _part(name: str) -> str:
    """Return what a file beside this one holds."""
    return files("runner.report").joinpath(name).read_text("utf-8")


def _body(page: Page, words: Words, pictures: Mapping[str, bytes]) -> Markup:
    contents = tag(
        "nav",
        tag("strong", words("contents")),
        *(tag("a", section.title, href=f"#{section.anchor}") for section in page.sections),
        aria_label=words("contents"),
    )
    first = (*_banners(page), _tiles(page), _sentences(page))
    return tag(
        "body",
        tag("a", words("skip"), href="#main", class_="skip"),
        tag("header", _heading("h1", page.mark, page.title), *first),
        contents,
        tag(
            "main",
            *(_section(section, page, words, pictures) for section in page.sections),
            id="main",
        ),
        Markup(f"<script>{_part('page.js')}</script>"),
    )


def _heading(level: str, mark: str, text: str) -> Markup:
    return tag(level, *([tag("span", mark, class_="mark")] if mark else []), text)


def _banners(page: Page) -> Iterable[Markup]:
    return (tag("p", text, class_=f"banner {kind}") for kind, text in page.banners)


def _tiles(page: Page) -> Markup:
    return tag(
        "dl",
        *(tag("div", tag("dt", label), tag("dd", figure)) for figure, label in page.tiles),
        class_="tiles",
    )


def _sentences(page: Page) -> Markup:
    titles = {section.anchor: section.title for section in page.sections}
    return tag(
        "ul",
        *(
            tag("li", text, " ", tag("a", titles[anchor], href=f"#{anchor}"))
            for text, anchor in page.sentences
        ),
        class_="sentences",
    )


def _section(section: Section, page: Page, words: Words, pictures: Mapping[str, bytes]) -> Markup:
    inner = []
    for part in section.parts:
        if isinstance(part, Drawn):
            inner.append(_figure(part, page, words, pictures[part.name]))
        elif isinstance(part, Table):
            inner.append(_table(part, page, words))
        else:
            inner.append(tag("p", part))
    summary = tag("summary", _heading("h2", page.mark, section.title))
    return tag("section", tag("details", summary, *inner, open="open"), id=section.anchor)


def _figure(figure: Drawn, page: Page, words: Words, svg: bytes) -> Markup:
    named = counts([f"figures/{figure.name}.{ending}" for ending in page.figure_files], words)
    files = words("figure_file", files=named)
    return tag(
        "figure",
        Markup(inline(svg, figure.name, figure.title)),
        tag("figcaption", tag("b", figure.title), f" {figure.caption} ", tag("small", files)),
    )


def _table(table: Table, page: Page, words: Words) -> Markup:
    frame = table.frame.head(ROWS_SHOWN)
    kinds = {name: _is_number(kind) for name, kind in frame.schema.items()}
    head = tag(
        "tr",
        *(
            tag("th", table.headers.get(name, name), scope="col", class_=_align(kinds[name]))
            for name in frame.columns
        ),
    )
    rows = []
    before: tuple[Any, ...] = ()
    for number, row in enumerate(frame.iter_rows()):
        cells = [
            tag("td", _shown(value, name, table, number), class_=_align(kinds[name]))
            for name, value in zip(frame.columns, row, strict=True)
        ]
        new = row[:1] != before[:1]
        rows.append(tag("tr", *cells, class_="new" if new else "same"))
        before = row
    files = [f"tables/{table.name}.{ending}" for ending in page.table_files]
    more = []
    if table.frame.height > ROWS_SHOWN:
        of_rows = {"shown": f"{ROWS_SHOWN:,}", "count": f"{table.frame.height:,}"}
        more = [tag("p", words("rows_more", file=files[0], **of_rows), class_="note")]
    shown = tag(
        "table",
        tag("thead", head),
        tag("tbody", *rows),
        class_="data wide" if frame.width > MANY_COLUMNS else "data",
    )
    content = (
        tag("div", shown, class_="scroll", role="region", tabindex="0", aria_label=table.title),
        *more,
        *(tag("p", note, class_="note") for note in table.notes),
        tag("p", words("table_file", file=counts(files, words)), class_="note file"),
    )
    summary = tag("summary", _heading("h3", page.mark, table.title))
    return tag("details", summary, *content, **({"open": "open"} if table.open else {}))


def _shown(value: Any, name: str, table: Table, row: int) -> str:
    """Return a cell, one that can be opened where there is something in it."""
    text, behind = cell(value, name, table), table.opens.get(name)
    if behind is None or not behind[row]:
        return text
    return tag("details", tag("summary", text), behind[row], class_="cell")


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_numeric()


def _align(number: bool) -> str:
    return "number" if number else "text"


DECIMALS = {
    "kappa": 2,
    "diversity": 2,
    "skewness": 2,
    "kurtosis": 2,
    "icc": 2,
    "icc_low": 2,
    "icc_high": 2,
    "pearson": 2,
    "spearman": 2,
    "cost_usd": 4,
    "difference": 2,
    "d": 2,
    "delta": 2,
    "p": 4,
    "p_holm": 4,
    "value": 2,
    "kappa_linear": 2,
    "kappa_quadratic": 2,
    "reml": 3,
    "anova": 3,
}
CORRELATION = ("pearson", "low", "high", "spearman")
_FINER = {"pearson", "difference", "statistic"}
"""Columns whose intervals have two digits behind the point."""


def cell(value: Any, name: str, table: Table) -> str:
    """Return a cell as it is shown; – for what is not defined or not known."""
    if value is None:
        return table.unknown.get(name, "–")
    if name in table.codes:
        return table.codes[name](str(value))
    if isinstance(value, float):
        if name == "temperature":
            return f"{value:g}"
        if name in ("median", "min", "max"):
            return f"{value:,.10g}"
        places = DECIMALS.get(name, 1)
        if name in CORRELATION and _FINER & set(table.frame.columns):
            places = 2
        return f"{round(value, places) + 0.0:,.{places}f}"  # -0.001 is 0.00
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def counts(
    parts: Sequence[str], words: Words, most: int | None = None, of: int | None = None
) -> str:
    """Return several phrases as one.

    Args:
        parts: the phrases.
        words: in which language.
        most: how many are named; of the others it is said how many there are. None: all.
        of: how many there are, where the phrases are only some of them.
    """
    listed = words("list_comma").join(parts[:most])
    more = 0 if most is None else (len(parts) if of is None else of) - most
    return f"{listed} {words('and_more', count=more)}" if more > 0 else listed
