"""A figure inside the page: matplotlib's SVG with its text as text, made small, its names its own."""

import re
from html import escape

FAMILY = "Figures"
"""The font of figures on the page, which holds the characters that stand in them."""

_APART = re.compile(r"<metadata>.*?</metadata>|<style .*?</style>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_IDLE = re.compile(r' xmlns(?::xlink)?="[^"]*"| version="[^"]*"| transform="rotate\(-?0 [^"]*"')
_GROUP_ID = re.compile(r'^<g id="[^"]*"')
_LONG = re.compile(r"(\d\.\d\d)\d+")
_SPACE = re.compile(r"\s+")
_EMPTY = re.compile(r"<g/>|<g></g>|<defs/>|<defs></defs>")


def inline(svg: bytes, name: str, title: str) -> str:
    """Return a figure as an element of a page.

    Args:
        svg: as matplotlib makes it with `svg.fonttype: none`.
        name: of the figure; what its parts are called begins with it, as no other figure's do.
        title: what it is called to those who do not see it.
    """
    text = svg.decode()
    text = _APART.sub("", text[text.index("<svg ") :])
    text = _TAG.sub(lambda found: _small(found[0], name), text)
    text = _EMPTY.sub("", re.sub(r">\s+<", "><", text))
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1).strip()


def _small(tag: str, name: str) -> str:
    """Return a tag with two digits behind each point, in points of 1/72 inch."""
    tag = _IDLE.sub("", _GROUP_ID.sub("<g", tag))
    if "id=" in tag or "url(" in tag or "href=" in tag:
        tag = _named(tag, name)
    if tag.startswith("<image"):  # its pixels are text, too
        return tag
    return _SPACE.sub(" ", _LONG.sub(r"\1", tag)).replace("'IPAexGothic'", FAMILY)


def _named(tag: str, name: str) -> str:
    """Return a tag with the name of its figure before its own, and before what it refers to."""
    for begin in (' id="', "url(#", 'href="#'):
        tag = tag.replace(begin, f"{begin}{name}-")
    return tag.replace("xlink:href", "href")
