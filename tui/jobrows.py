"""Jobs and experiments as rows: how they stand in one word, and their counters; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui.attention import Notice, attention
from tui.cells import Glyphs, age, bar, money
from tui.language import heard, term, tr
from tui.liveness import Life, Liveness, liveness
from tui.model import Health, Job, Snapshot, Totals, totals
from tui.rows import Cell, Col

BAR = 12


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job, or an experiment, stands."""

    word: str
    style: str
    """bad, warn, good, dim, or none at all while all goes well."""


_LEDGER = {
    Health.MISSING: Standing("missing", "bad"),
    Health.EMPTY: Standing("no run yet", "dim"),
    Health.LOCKED: Standing("locked", "warn"),
    Health.NEWER: Standing("newer format", "bad"),
    Health.DAMAGED: Standing("damaged", "bad"),
}
_LIVES = {
    Life.LATE: Standing("late", "warn"),
    Life.STOPPED: Standing("suspended", "bad"),
    Life.DEAD: Standing("dead", "bad"),
    Life.NEVER: Standing("not started", "dim"),
}
_STYLES = ("bad", "warn", "", "dim", "good")


def standing(job: Job, life: Liveness) -> Standing:
    """Say in a word how a job stands."""
    if job.health is not Health.OK:
        return _LEDGER[job.health]
    if life.life in _LIVES:
        return _LIVES[life.life]
    if job.summary.get("halted"):
        return Standing("halted", "bad")
    if life.life is Life.ALIVE:
        held = job.summary.get("held")
        return Standing("held", "warn") if held else Standing("running", "")
    if job.summary.get("open", 0):
        return Standing("work remains", "warn")
    return Standing("finished", "warn" if job.summary.get("failed") else "good")


def worst(standings: Iterable[Standing]) -> Standing:
    """Return the one that has to be looked at first."""
    return min(standings, key=lambda one: _STYLES.index(one.style), default=_LEDGER[Health.EMPTY])


def sign(found: Standing, glyphs: Glyphs) -> Cell:
    """Return how something stands, as one sign."""
    signs = {
        "bad": glyphs.bad,
        "warn": glyphs.warning,
        "good": glyphs.good,
        "dim": glyphs.dot,
        "": glyphs.alive,
    }
    return signs[found.style], found.style or "good"


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job, and what is known around it."""

    job: Job
    life: Liveness
    notices: tuple[Notice, ...]

    @property
    def standing(self) -> Standing:
        """Say how it stands."""
        return standing(self.job, self.life)

    @property
    def totals(self) -> Totals:
        """Return its counters."""
        return totals((self.job,))

    @property
    def needs_attention(self) -> bool:
        """Tell whether there is anything to look at."""
        return bool(self.notices) or self.standing.style in ("bad", "warn")


def job_lines(snapshot: Snapshot, now: float, host: str) -> list[JobLine]:
    """Return the jobs, worst first."""
    lives = [liveness(job, now, host) for job in snapshot.jobs]
    notices = attention(snapshot.jobs, now, lives)
    lines = [
        JobLine(job, life, tuple(notice for notice in notices if notice.job == job.name))
        for job, life in zip(snapshot.jobs, lives, strict=True)
    ]
    return sorted(lines, key=_badness)


def _badness(line: JobLine) -> tuple[int, int, int, str]:
    bad = sum(1 for notice in line.notices if notice.style == "bad")
    style = "bad" if bad else line.standing.style
    return _STYLES.index(style), -bad, -len(line.notices), line.job.name


# -- cells


COLUMNS = (
    Col("", 1),
    Col("job", 18, grow=2),
    Col("provider", 9, rank=10),
    Col("model", 18, rank=9, grow=1),
    Col("state", 12),
    Col("seen", 6, "right", rank=3),
    Col("", BAR, rank=4),
    Col("done/total", 13, "right"),
    Col("success", 9, "right", rank=7),
    Col("retry", 6, "right", rank=8),
    Col("failed", 6, "right"),
    Col("open", 9, "right", rank=8),
    Col("$", 8, "right", rank=1),
    Col("!", 3, "right"),
    Col("next", 5, "right", rank=2),
)


def job_cells(line: JobLine, now: float, glyphs: Glyphs) -> list[Cell]:
    """Return a job's row."""
    job, found, notices = line.job, line.standing, line.notices
    mark = sign(found, glyphs)
    if notices and (notices[0].style == "bad" or found.style not in ("bad", "warn")):
        mark = (notices[0].sign(glyphs), notices[0].style)
    wait = job.summary.get("next_at")
    return [
        mark,
        job.name,
        (job.provider, "" if job.known else "dim"),
        (job.model, "" if job.known else "dim"),
        (term("standing", found.word), found.style),
        beat_cell(line.life.beat_age, glyphs),
        *counter_cells(line.totals, glyphs, known=job.known),
        (str(len(notices)), notices[0].style) if notices else ("0", "dim"),
        (glyphs.none, "dim")
        if wait is None or not line.life.at_work
        else (age(wait - now) if wait - now >= 1 else tr("now")),
    ]


def sum_cells(lines: Sequence[JobLine], glyphs: Glyphs) -> list[Cell]:
    """Return the row that adds up all jobs."""
    known = [line.job for line in lines if line.job.known]
    found = totals(tuple(known))
    count = sum(len(line.notices) for line in lines)
    unknown = len(lines) - len(known)
    said = tr("{count} not counted", count=unknown) if unknown else ""
    return [
        "",
        (tr("{count:,} jobs", count=len(lines)), "strong"),
        "",
        "",
        (said, "bad"),
        "",
        *counter_cells(found, glyphs, known=bool(known)),
        (f"{count:,}", "strong"),
        "",
    ]


def counter_cells(found: Totals, glyphs: Glyphs, *, known: bool = True) -> list[Cell]:
    """Return a bar, done/total, success, retry_success, failed, open and money."""
    if not known or not found.total:
        none: Cell = (glyphs.none, "dim")
        return [none] * 7
    return [
        progress(found, glyphs),
        done_cell(found, glyphs),
        f"{found.success:,}",
        (f"{found.retry_success:,}", "" if found.retry_success else "dim"),
        (f"{found.failed:,}", "bad" if found.failed else "dim"),
        f"{found.open:,}",
        money(found.cost_usd, known=found.cost_known),
    ]


def progress(found: Totals, glyphs: Glyphs) -> Cell:
    """Return how far something is, as a bar; full only when nothing is open."""
    pieces = bar([(found.done, "good")], found.total, BAR, glyphs)
    return "".join(text for text, _ in pieces), "bad" if found.failed else "good"


def done_cell(found: Totals, glyphs: Glyphs) -> Cell:
    """Return done and total, marked where the counters do not add up."""
    text = f"{found.done:,}/{found.total:,}"
    return (f"{glyphs.warning} {text}", "bad") if found.difference else text


def beat_cell(beat_age: float | None, glyphs: Glyphs) -> Cell:
    """Return how long ago a runner was last heard of."""
    return (glyphs.none, "dim") if beat_age is None else age(beat_age)


def job_sentences(line: JobLine) -> list[tuple[str, str]]:
    """Return all there is to say about a job, with its style."""
    job = line.job
    found: list[tuple[str, str]] = []
    if job.trouble is not None:
        found.append((heard(job.trouble), standing(job, line.life).style))
    if line.life.sentence is not None:
        found.append((line.life.sentence, line.life.life.style))
    notices = ((notice.sentence, notice.style) for notice in line.notices)
    held_up = ((heard(text), style) for text, style in job.held_up)
    return [*found, *held_up, *notices]


# -- experiments


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One experiment in the list of all."""

    name: str
    jobs: tuple[Job, ...]
    lives: tuple[Liveness, ...]
    trouble: str | None = None

    @property
    def standing(self) -> Standing:
        """Say how it stands: as its worst job does."""
        return worst(map(standing, self.jobs, self.lives))

    @property
    def beat_age(self) -> float | None:
        """Return how long ago any of its runners was last heard of."""
        return min(
            (life.beat_age for life in self.lives if life.beat_age is not None), default=None
        )

    @property
    def rehearsal(self) -> str:
        """Say whether it is one."""
        told = {job.emulated for job in self.jobs if job.known}
        return {frozenset({True}): "REHEARSAL", frozenset({True, False}): "mixed"}.get(
            frozenset(told), ""
        )

    @property
    def sentences(self) -> list[tuple[str, str]]:
        """Return what is wrong with it."""
        several = len(self.jobs) > 1
        found = [] if self.trouble is None else [(heard(self.trouble), "warn")]
        for job, life in zip(self.jobs, self.lives, strict=True):
            name = tr("{name}: ", name=job.name) if several else ""
            found += [(name + text, style) for text, style in job_sentences(JobLine(job, life, ()))]
        return sorted(found, key=lambda pair: _STYLES.index(pair[1]))


def experiment_lines(snapshots: Iterable[Snapshot], now: float, host: str) -> list[ExperimentLine]:
    """Return experiments, those that need attention first, then the most recent."""
    lines = [
        ExperimentLine(
            snapshot.experiment,
            snapshot.jobs,
            tuple(liveness(job, now, host) for job in snapshot.jobs),
            snapshot.trouble,
        )
        for snapshot in snapshots
    ]
    return sorted(lines, key=_order)


def _order(line: ExperimentLine) -> tuple[int, float, str]:
    beat = line.beat_age
    return _STYLES.index(line.standing.style), float("inf") if beat is None else beat, line.name


EXPERIMENT_COLUMNS = (
    Col("", 1),
    Col("experiment", 14, grow=1),
    Col("jobs", 4, "right", rank=3),
    Col("state", 12),
    Col("seen", 6, "right"),
    Col("", BAR, rank=4),
    Col("done/total", 17, "right"),
    Col("failed", 6, "right", rank=2),
    Col("$", 8, "right"),
    Col("", 9),
)


def experiment_cells(line: ExperimentLine, glyphs: Glyphs) -> list[Cell]:
    """Return an experiment's row."""
    found = line.standing
    known = tuple(job for job in line.jobs if job.known)
    done, counted, _, _, failed, _, cost = counter_cells(totals(known), glyphs, known=bool(known))
    return [
        sign(found, glyphs),
        (line.name, "strong"),
        f"{len(line.jobs):,}",
        (term("standing", found.word), found.style),
        beat_cell(line.beat_age, glyphs),
        done,
        counted,
        failed,
        cost,
        (term("rehearsal", line.rehearsal), "warn"),
    ]
