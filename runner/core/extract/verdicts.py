"""Reads options of which each is said to be chosen or not: boxes to tick, yes and no, true and false."""

import re
from collections.abc import Sequence

from runner.core.extract.loose_json import Node
from runner.core.extract.names import folded
from runner.core.extract.options import OptionNames, plainly
from runner.core.extract.regex import regex
from runner.core.model import Cause


class VerdictReader:
    """Reads them for one question."""

    def __init__(self, names: OptionNames, count: int) -> None:
        """Compile the names of so many options."""
        self._places = names.places
        self._count = count
        self._one = regex(rf"{_BOX}(?P<name>{names.pattern})(?![\w'’-]){_VERDICT}", re.IGNORECASE)

    def read(self, plain: str, begin: int, end: int) -> list[int] | Cause | None:
        """Return the options that a text chooses, by place; None where it does not say it of each."""
        found: list[tuple[int, bool]] = []
        signs: set[str] = set()
        at = begin
        while match := self._one.match(plain, at, end):
            box, verdict = match["on"] or match["off"], match["yes"] or match["no"]
            if (box is None) == (verdict is None):
                return None
            is_chosen = bool(match["on"] or match["yes"])
            found.append((self._places[folded(match["name"])], is_chosen))
            signs.add("".join(box.split()).lower() if box else "")
            at = match.end()
        if plain[at:end].strip(" \n.。])"):
            return None
        is_empty = not any(is_chosen for _, is_chosen in found)
        if is_empty and (signs != {""} or len(found) == 1):  # boxes that were not filled in
            return None
        return self._chosen(found) if any(signs <= pair for pair in _PAIRS) else None

    def of_object(self, node: Node) -> list[int] | Cause | None:
        """Return the same of an object of JSON whose keys are options."""
        found: list[tuple[int, bool]] = []
        for key, inner in node.items or ():
            place, is_chosen = self._places.get(plainly(key)), _MEANS.get(inner.text.lower())
            if place is None or is_chosen is None or inner.kind not in ("word", "string"):
                return None
            found.append((place, is_chosen))
        return self._chosen(found) if found else None

    def _chosen(self, verdicts: Sequence[tuple[int, bool]]) -> list[int] | Cause:
        """Return what is chosen; where some are not, of every option something has to be said."""
        places = {place for place, _ in verdicts}
        chosen = [place for place, is_chosen in verdicts if is_chosen]
        is_whole = len(chosen) == len(verdicts) or len(places) == self._count
        return chosen if is_whole and len(places) == len(verdicts) else Cause.AMBIGUOUS


_BOX = (
    r"[ \n]*+(?:[-•・●○◦▪] +)?(?:[0-9]{1,2}[.)] *)?"
    r"(?:(?P<on>\[ *[x✓✔] *\]|\( *x *\)|[☑✅✓✔])|(?P<off>\[ {0,3}\]|\( {0,3}\)|[☐□⬜]))?[ \"']*+"
)
_VERDICT = (
    r"[ \])\"'”’」]*(?:(?:[:=]|-(?= )) *[\"'(\[]?(?:(?P<yes>yes|true|はい)|(?P<no>no|false|いいえ))(?!\w)"
    r"[\"')\]]?)?[,;、.]?(?=[ \n]|$)"
)
_EMPTY = ("☐", "□", "⬜", "[]")
_PAIRS = (
    frozenset([""]),
    frozenset(["[x]", "[]"]),
    frozenset(["(x)", "()"]),
    *(frozenset([ticked, "[]"]) for ticked in ("[✓]", "[✔]")),
    *(frozenset([ticked, empty]) for ticked in "☑✅✓✔" for empty in _EMPTY),
)
"""What a box that is ticked looks like, and one that is not; a cross may stand for bad words of it."""
_MEANS = {"true": True, "false": False, "yes": True, "no": False}
