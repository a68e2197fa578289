"""What stands above every view: the runner's state, what is wrong, the views, and the counters."""

from collections.abc import Iterable

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Footer, Static
from textual.widgets._footer import FooterKey

from tui.cells import Glyphs, age, bar, clean, money
from tui.language import heard, later, tr
from tui.liveness import Life, Liveness
from tui.model import Health, Job, Snapshot, Totals

Piece = tuple[str, str]
"""A text and its style: good, warn, bad, dim, strong or none at all."""

_STYLES = {
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "bold $text-error",
    "dim": "$foreground 70%",
    "strong": "bold",
    "match": "bold reverse",
    "": "",
}


def styled(pieces: Iterable[Piece]) -> Content:
    """Return pieces as something to draw; no text is ever taken for markup or a control sequence."""
    return Content.assemble(*((clean(text), _STYLES[style]) for text, style in pieces))


def paragraphs(lines: Iterable[Iterable[Piece]]) -> Content:
    """Return lines of pieces as something to draw."""
    return Content("\n").join([styled(line) for line in lines])


class Line(Widget):
    """One or more lines of pieces, drawn for the width there is."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        """Start blank."""
        super().__init__(id=id, classes=classes)
        self._lines: list[list[Piece]] = []

    def set_lines(self, *lines: list[Piece]) -> None:
        """Draw these, if they are others than before."""
        if list(lines) != self._lines:
            self._lines = list(lines)
            self.refresh()

    @property
    def text(self) -> str:
        """Return what stands there."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def render(self) -> Content:
        """Draw."""
        return paragraphs(self._lines)


class Keys(Footer):
    """The keys that can be pressed now."""

    def compose(self) -> ComposeResult:
        """Return them, in the language that is spoken."""
        for key in super().compose():
            if isinstance(key, FooterKey):
                key.description = tr(key.description)
                key.tooltip = tr(str(key.tooltip or "")) or None
            yield key


class StatusLine(Line):
    """Which experiment this is, and how its runner is."""


class TabLine(Line):
    """The views there are."""


class TotalsLine(Widget):
    """A bar and the counters; drawn anew when the width changes."""

    def __init__(self) -> None:
        """Start blank."""
        super().__init__(classes="-two")
        self._totals = Totals()
        self._glyphs: Glyphs | None = None

    def set_totals(self, totals: Totals, glyphs: Glyphs) -> None:
        """Draw these."""
        if (totals, glyphs) != (self._totals, self._glyphs):
            self._totals, self._glyphs = totals, glyphs
            self.refresh()

    def render(self) -> Content:
        """Draw."""
        if self._glyphs is None:
            return Content("")
        return paragraphs(totals_lines(self._totals, self.size.width, self._glyphs))


class Banner(Static):
    """What is wrong with runner or ledger; not there while all is well."""

    def set_sentences(self, sentences: list[tuple[str, str]]) -> None:
        """Show sentences with their style, warn or bad."""
        bad = any(style == "bad" for _, style in sentences)
        self.set_class(bad, "-bad")
        self.set_class(bool(sentences) and not bad, "-warn")
        self.text = "\n".join(text for text, _ in sentences)
        self.update(Content("\n").join([Content(clean(text)) for text, _ in sentences]))

    text = ""


def unknown_cost(totals: Totals) -> str:
    """Say how many attempts have an unknown cost."""
    if not totals.cost_unknown_usd > 0:
        return tr("cost unknown for {count:,} answers", count=totals.cost_unknown)
    return tr(
        "cost unknown for {count:,} answers, up to {most} stays reserved",
        count=totals.cost_unknown,
        most=money(totals.cost_unknown_usd),
    )


def totals_lines(totals: Totals, width: int, glyphs: Glyphs) -> list[list[Piece]]:
    """Return the bar with count and cost, and the counters below it."""
    count = f"{totals.done:,}/{totals.total:,}"
    cost = money(totals.cost_usd, known=totals.cost_known)
    if totals.budget_usd is None:
        right = tr("  {count}  {cost} spent", count=count, cost=cost)
    else:
        budget = money(totals.budget_usd)
        right = tr("  {count}  {cost} spent of {budget}", count=count, cost=cost, budget=budget)
    parts = [
        (totals.success, "good"),
        (totals.retry_success, "warn"),
        (totals.failed, "bad"),
    ]
    line = [*bar(parts, totals.total, max(width - cell_len(right), 8), glyphs), (right, "strong")]
    counters: list[Piece] = [
        (tr("success {success:,}", success=totals.success), "good"),
        (
            tr("  retry_success {retry_success:,}", retry_success=totals.retry_success),
            "warn" if totals.retry_success else "dim",
        ),
        (tr("  failed {failed:,}", failed=totals.failed), "bad" if totals.failed else "dim"),
        (tr("  open {open:,}", open=totals.open), ""),
        (
            tr(
                "  tries: {asked_again:,} unreadable, {lost:,} lost",
                asked_again=totals.asked_again,
                lost=totals.lost,
            ),
            "dim",
        ),
    ]
    if totals.cost_unknown:
        counters.append((f"  {unknown_cost(totals)}", "warn"))
    if totals.committed_usd > totals.cost_usd:
        counters.append(
            (
                tr("  {committed_usd} with what runs", committed_usd=money(totals.committed_usd)),
                "dim",
            )
        )
    if totals.difference:
        counters.insert(
            0,
            (
                tr(
                    "! {done:,} counted of {total:,}: they do not add up  ",
                    done=totals.done + totals.open,
                    total=totals.total,
                ),
                "bad",
            ),
        )
    return [line, counters]


_WORD = {
    Life.ALIVE: (later("alive"), "good"),
    Life.LATE: (later("late"), "warn"),
    Life.STOPPED: (later("suspended"), "bad"),
    Life.DEAD: (later("dead"), "bad"),
    Life.LEFT: (later("ended early"), "warn"),
    Life.FINISHED: (later("finished"), "good"),
    Life.NEVER: (later("never started"), "dim"),
}


def runner_pieces(lives: list[Liveness], glyphs: Glyphs) -> list[Piece]:
    """Say how the runner, or the runners, are."""
    if not lives:
        return [(tr("no runner"), "dim")]
    worst = max(lives, key=lambda one: list(_WORST).index(one.life))
    word, style = _WORD[worst.life]
    sign = {"good": glyphs.alive, "bad": glyphs.bad, "warn": glyphs.warning, "dim": glyphs.dot}[
        style
    ]
    if worst.life is Life.FINISHED:
        sign = glyphs.good
    beat = "" if worst.beat_age is None else tr(" {time} ago", time=age(worst.beat_age))
    pieces: list[Piece] = [
        (tr("{sign} runner {word}{beat}", sign=sign, word=tr(word), beat=beat), style)
    ]
    if len({one.life for one in lives}) > 1:
        alike = sum(1 for one in lives if one.life is worst.life)
        pieces.append((tr(" ({alike} of {lives})", alike=alike, lives=len(lives)), style))
    return pieces


_WORST = (Life.FINISHED, Life.NEVER, Life.ALIVE, Life.LEFT, Life.LATE, Life.STOPPED, Life.DEAD)


def status_pieces(
    snapshot: Snapshot, scope: tuple[Job, ...], lives: list[Liveness], now: float, glyphs: Glyphs
) -> list[Piece]:
    """Return the first line of the screen."""
    pieces: list[Piece] = [(snapshot.experiment, "strong")]
    if len(scope) == 1:
        job = scope[0]
        pieces.append((f" {job.name}", ""))
    else:
        pieces.append((tr(" {count} jobs", count=len(scope)), ""))
    known = [job for job in scope if job.known]
    if known and all(job.emulated for job in known):
        pieces.append((tr("  REHEARSAL"), "warn"))
    elif any(job.emulated for job in known):
        pieces.append((tr("  REHEARSALS AMONG THEM"), "warn"))
    pieces += [("  ", ""), *runner_pieces(lives, glyphs)]
    stale = [
        job.good_at for job in scope if job.health is not Health.OK and job.good_at is not None
    ]
    if stale:
        pieces.append((tr("  data {time} old", time=age(now - min(stale))), "bad"))
    return pieces


def trouble_sentences(
    snapshot: Snapshot, scope: tuple[Job, ...], lives: list[Liveness], now: float
) -> list[tuple[str, str]]:
    """Return what is wrong with ledgers and runners, a sentence each, at most three."""
    found: list[tuple[str, str]] = []
    if snapshot.trouble:
        found.append((heard(snapshot.trouble), "warn"))
    for job in scope:
        if job.trouble is None:
            continue
        style = "warn" if job.health in (Health.LOCKED, Health.EMPTY) else "bad"
        since = ""
        if job.good_at is not None and job.health is not Health.NEWER:
            since = tr(" What is shown is {time} old.", time=age(now - job.good_at))
        found.append((tr("{trouble}.{since}", trouble=heard(job.trouble), since=since), style))
    several = len(scope) > 1
    for job, life in zip(scope, lives, strict=True):
        if life.sentence is not None:
            found.append(
                (
                    (tr("{name}: ", name=job.name) if several else "") + life.sentence,
                    life.life.style,
                )
            )
    held_up = [(heard(text), style) for job in scope for text, style in job.held_up]
    found += sorted(held_up, key=lambda pair: pair[1] != "bad")
    if len(found) > _MOST:
        more = len(found) - _MOST + 1
        found = [*found[: _MOST - 1], (tr("and {more} more: see the Batches", more=more), "warn")]
    return found


_MOST = 3


def tab_pieces(names: list[tuple[str, str]], current: str) -> list[Piece]:
    """Return the views, the current one marked."""
    return [(f" {key} {tr(name)} ", "match" if name == current else "") for key, name in names]
