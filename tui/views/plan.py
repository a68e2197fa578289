"""Plan: what is asked, in how many batches, for how much, and how near that comes to a limit."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from runner.cli.phrases import due_line
from runner.core.custom_id import BEFORE_TRIAL
from runner.core.definition import factor_names
from runner.core.model import Batch
from runner.storage.paths import request_path
from tui.cells import Glyphs, age, clean, fit, money, pad, share
from tui.conditions import Conditions, is_bundled, level_of, level_words
from tui.frame import Line, Piece
from tui.language import heard, later, term, tr
from tui.model import Job, Snapshot
from tui.rows import Cell, Col, ListRows, titled
from tui.rowtable import RowTable
from tui.views.view import View

Facts = Mapping[str, Any]

SUM = "sum"
COLUMNS = (
    Col("job", 14, grow=1),
    Col("batches", 7, "right"),
    Col("requests", 9, "right"),
    Col("tokens in", 9, "right", rank=1),
    Col("MB", 6, "right", rank=2),
    Col("estimate", 17, "right"),
    Col("nearest limit", 20),
)
_FACTS = {
    "provider": "provider",
    "model": "model",
    "rehearsal": "rehearsal",
    "batches": "batches",
    "requests to send": "to_send",
    "input tokens": "input_tokens",
    "bytes": "bytes",
    "cost_usd_low": "cost_usd_low",
    "cost_usd_high": "cost_usd_high",
    "prices": "prices",
}
"""Columns of the CSV file, each with the plan's word for it."""
_LIMIT = {"nearest limit": "name", "its value": "value", "its limit": "limit"}
"""The same for the limit that is nearest."""
HEAD = ("job", *_FACTS, *_LIMIT)
_LONGEST_LINE = 64 << 20
MOST_NAMED = 100
"""Levels of a factor that are named; the others are counted."""
MOST_READ = 1_000
"""Entries of a section of the definition that are shown."""
_MORE = "..."
PLURALS = {"persona": "personas", "text": "texts"}
_NAME_WIDTH = 12
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Planned:
    """A job's plan, and where it is known from."""

    name: str
    facts: Facts
    told: bool = True
    """Whether a runner wrote it; False: put together from what an older ledger has."""


def planned(job: Job) -> Planned:
    """Return a job's plan, or what an older ledger knows instead."""
    if job.plan is not None:
        return Planned(job.name, job.plan)
    reserve = [b.reserved_usd for b in job.batches]
    return Planned(
        job.name,
        {
            "provider": job.provider,
            "model": job.model,
            "rehearsal": job.emulated,
            "factors": list(_older_factors(job)),
            "total": int(job.summary.get("total", 0)),
            "to_send": sum(batch.count for batch in job.batches),
            "batches": len(job.batches),
            "bytes": sum(batch.bytes for batch in job.batches),
            "input_tokens": sum(batch.input_tokens for batch in job.batches),
            "reserved_usd": None if None in reserve else float(sum(filter(None, reserve))),
        },
        told=False,
    )


def _older_factors(job: Job) -> Iterator[Facts]:
    """Yield what a definition says of the factors; of a large one the first levels."""
    rows = job.definition.get("conditions")
    rows = rows if isinstance(rows, Mapping) else {}
    for name in factor_names(job.definition) if rows else ():
        ids = dict.fromkeys(row.get(name) for row in rows.values())
        some = [level_of(job.definition, name, id_).label for id_ in islice(ids, MOST_NAMED)]
        yield {"name": PLURALS.get(name, name), "count": len(ids), "values": some}
    warm = dict.fromkeys(str(row.get("temperature")) for row in rows.values())
    yield {"name": "temperatures", "count": len(warm), "values": list(warm)}
    total = int(job.summary.get("total", 0))
    if rows and not total % len(rows):
        yield {"name": "trials", "count": total // len(rows), "values": []}


# -- words


def short(number: float) -> str:
    """Return a large number in few cells, as 62k or 1.30M."""
    if number < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1e3:,.0f}k" if number < 999_500 else f"{number / 1e6:,.2f}M"


def estimate(low: float | None, high: float | None) -> str:
    """Return what it may cost; `$?` when unknown."""
    if low is None or high is None:
        return money(None)
    return money(low) if low == high else f"{money(low)}-{money(high)}"


@dataclass(frozen=True, slots=True)
class _Factor:
    """What requests are made of: how many there are, and what they are called."""

    name: str
    counts: tuple[int, ...]
    """The fewest and the most, where jobs differ; the same one in all of them: one."""
    values: tuple[str, ...]
    everywhere: bool = True
    """Whether all jobs have it."""

    @property
    def many(self) -> str:
        """Return how many, in few cells."""
        return "-".join(f"{count:,}" for count in dict.fromkeys((self.counts[0], self.counts[-1])))


def _factors_in(plans: Sequence[Planned]) -> list[_Factor]:
    """Return the factors of some jobs, and what the jobs themselves differ by."""
    found: list[_Factor] = []
    for name in dict.fromkeys(str(f["name"]) for p in plans for f in p.facts.get("factors", ())):
        said = [f for p in plans for f in p.facts["factors"] if f["name"] == name]
        counts = tuple(sorted({int(f["count"]) for f in said}))
        values = tuple(dict.fromkeys(str(v) for f in said for v in f["values"]))
        found.append(_Factor(name, counts, values, len(said) == len(plans)))
    if len(plans) > 1:
        models = tuple(dict.fromkeys(str(p.facts.get("model")) for p in plans))
        jobs = len({str(p.facts.get("folder", p.name)) for p in plans})
        found.append(_Factor("models" if len(models) == jobs else "jobs", (jobs,), models))
    return found


def multiplied(factors: Sequence[_Factor], total: int) -> list[_Factor]:
    """Return the factors whose product is the number of requests; none, where no product is.

    Temperatures that each persona has of its own make no request more.
    """
    for some in (factors, [one for one in factors if one.name != _TEMPERATURES]):
        known = all(one.everywhere and len(one.counts) == 1 for one in some)
        if some and known and prod(one.counts[0] for one in some) == total:
            return list(some)
    return []


_TEMPERATURES = "temperatures"


def factor_lines(plans: Sequence[Planned], width: int, glyphs: Glyphs) -> list[list[Piece]]:
    """Return a line a factor, then the requests they make, as a product where it is one."""
    factors = _factors_in(plans)
    names = [one.name for one in factors]
    sizes = [cell_len(_counted(name)) for name in names]
    wide = min(max(_NAME_WIDTH, *sizes), _LONGEST_NAME) if names else _NAME_WIDTH
    product = multiplied(factors, _in_folders(plans, "total"))
    lines: list[list[Piece]] = []
    for one in factors:
        many = "" if product and one not in product else one.many
        sign = f"{glyphs.times} " if one in product[1:] else ""
        head = f"{fit(clean(_counted(one.name)), wide, more=glyphs.more)} {sign + many:>7}"
        room = max(width - cell_len(head) - 3, 10)
        values = map(heard, one.values) if one.name == _TEMPERATURES else one.values
        text = fit(clean(f" {glyphs.dot} ".join(values)), room, more=glyphs.more)
        lines.append([(head, "strong"), (f"   {text.rstrip()}", "")])
    lines.append([(f"{'':<{wide}} {glyphs.rule * 7}", "dim")])
    if factors and not product:
        lines += _combined(plans, wide, glyphs)
    lines.append(_requests(plans, wide))
    return lines


def _counted(name: str) -> str:
    """Return what is counted, as `temperatures`; a study's own factors are called as they are."""
    return term("counted", name)


def _combined(plans: Sequence[Planned], wide: int, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield how the requests of each job come about, where that is not one product for all."""
    told = {str(plan.facts.get("folder", plan.name)): plan for plan in plans}
    for plan in list(told.values())[:MOST_SUMS]:
        conditions, trials = plan.facts.get("conditions"), plan.facts.get("trials")
        if conditions and trials and conditions * trials == plan.facts.get("total"):
            name = f"   {plan.name}" if len(told) > 1 else ""
            said = tr(
                "   {conditions:,} conditions {times} {trials:,} trials{name}",
                conditions=conditions,
                times=glyphs.times,
                trials=trials,
                name=clean(name),
            )
            yield [(f"{'':<{wide}} {conditions * trials:>7,}", ""), (said, "")]
    if len(told) > MOST_SUMS:
        more = tr("{count:,} more jobs", count=len(told) - MOST_SUMS)
        yield [(f"{'':<{wide}} {glyphs.more:>7}   {more}", "dim")]


MOST_SUMS = 4
"""Jobs whose requests are said one by one."""


def _requests(plans: Sequence[Planned], wide: int) -> list[Piece]:
    """Return how many requests there are, and how they stand."""
    total, success, again, failed = (
        _in_folders(plans, key) for key in ("total", "success", "retry_success", "failed")
    )
    to_send = sum(int(p.facts.get("to_send", 0)) for p in plans)
    requests: list[Piece] = [(f"{pad(tr('requests'), wide)} {total:>7,}", "strong")]
    if all(p.told for p in plans):
        requests += [
            (tr("   already answered {count:,}", count=success + again), ""),
            (tr("   failed {failed:,}", failed=failed), "bad") if failed else ("", ""),
            (tr("   to send {to_send:,}", to_send=to_send), "strong"),
        ]
        pilots = [int(p.facts["pilot"]["requests"]) for p in plans if "pilot" in p.facts]
        if pilots:
            requests.append((tr("   {pilots:,} of them first, as a pilot", pilots=sum(pilots)), ""))
        if any("until" in p.facts for p in plans):
            most = _in_folders(plans, "total_at_most", "total")
            requests.append((tr("   at most {most:,}, by a stopping rule", most=most), ""))
    return requests


def _in_folders(plans: Sequence[Planned], key: str, instead: str = "") -> int:
    """Add up a counter, or another where there is none; jobs that share a folder share its requests."""
    most: dict[str, int] = {}
    for plan in plans:
        folder = str(plan.facts.get("folder", plan.name))
        most[folder] = max(
            most.get(folder, 0), int(plan.facts.get(key, plan.facts.get(instead, 0)))
        )
    return sum(most.values())


def nearest(facts: Facts) -> str:
    """Return how near the plan comes to a limit of the provider."""
    limits = facts.get("limits") or []
    if not limits:
        return ""
    first = limits[0]
    name = str(first["name"])
    return tr(
        "{value}% of {name}",
        value=share(int(first["value"]), int(first["limit"])) or "?",
        name=tr(_SHORT.get(name, name)),
    )


_SHORT = {
    "requests in a batch": later("requests"),
    "bytes in a batch": later("bytes"),
    "input tokens of a batch, of what may wait there": later("queued tokens"),
    "batches, of what may wait there": later("queued batches"),
}
"""Short words for a column; the line below the table has them in full."""


def rows(plans: Sequence[Planned], glyphs: Glyphs) -> Iterator[tuple[str, list[Cell]]]:
    """Yield a row a job, then their sum."""
    for plan in plans:
        facts = plan.facts
        told = plan.told
        yield (
            plan.name,
            [
                plan.name,
                f"{facts['batches']:,}",
                f"{facts['to_send']:,}",
                short(facts["input_tokens"]),
                f"{facts['bytes'] / 1e6:,.1f}",
                estimate(facts["cost_usd_low"], facts["cost_usd_high"]) if told else glyphs.none,
                (nearest(facts) or tr("no limit is known")) if told else glyphs.none,
            ],
        )
    if len(plans) > 1:
        yield SUM, [(cell, "strong") for cell in _sum_cells(plans, glyphs)]


def _sum_cells(plans: Sequence[Planned], glyphs: Glyphs) -> list[str]:
    batches, requests, tokens, size = (
        sum(plan.facts[key] for plan in plans)
        for key in ("batches", "to_send", "input_tokens", "bytes")
    )
    told = all(plan.told for plan in plans)
    low, high = (_added(plans, key) for key in ("cost_usd_low", "cost_usd_high"))
    return [
        tr("{count:,} jobs", count=len(plans)),
        f"{batches:,}",
        f"{requests:,}",
        short(tokens),
        f"{size / 1e6:,.1f}",
        estimate(low, high) if told else glyphs.none,
        "",
    ]


def _added(plans: Sequence[Planned], key: str) -> float | None:
    values = [plan.facts.get(key) for plan in plans]
    return None if None in values else float(sum(v for v in values if v is not None))


def about(plan: Planned, now: float, glyphs: Glyphs) -> list[list[Piece]]:
    """Return what else is known of one job's plan; what is most in the way first."""
    facts = plan.facts
    lines: list[list[Piece]] = [
        [(f"{glyphs.warning} {heard(n)}", "warn")] for n in facts.get("notes", ())
    ]
    if not plan.told:
        reserve = money(facts["reserved_usd"])
        return [
            [(tr("An older version ran this: it wrote no estimate, limits or prices."), "warn")],
            [
                (
                    tr(
                        "batches, requests and tokens are what was packed; at most {reserve} in all",
                        reserve=reserve,
                    ),
                    "",
                )
            ],
        ]
    rehearsal = tr("  REHEARSAL") if facts.get("rehearsal") else ""
    lines.append([(tr("planned  {when}", when=_when(facts, now)), ""), (rehearsal, "warn")])
    if prices := facts.get("prices"):
        lines.append([(tr("prices   {prices}", prices=heard(str(prices))), "")])
    else:
        lines.append([(tr("prices   unknown, never taken for 0"), "warn")])
    lines += [[(said, "")] for said in (_budget(facts), _limits(facts, glyphs), _way(facts))]
    if due := facts.get("deadline"):
        lines.append([(tr("deadline {due}", due=heard(due_line(due, now))), "")])
    return lines


def _budget(facts: Facts) -> str:
    if facts.get("rehearsal"):
        return tr("budget   a rehearsal: nothing is paid; the estimate is what it would cost")
    spent = tr(
        "{committed_usd} spent or reserved when this was planned",
        committed_usd=money(facts.get("committed_usd")),
    )
    budget = facts.get("budget_usd")
    if budget is None:
        return tr("budget   none was written; {spent}", spent=spent)
    return tr("budget   {budget}, {spent}", budget=money(budget), spent=spent)


def _limits(facts: Facts, glyphs: Glyphs) -> str:
    limits = f"  {glyphs.dot}  ".join(
        tr(
            "{value:,} of {limit:,} {name}",
            value=limit["value"],
            limit=limit["limit"],
            name=heard(limit["name"]),
        )
        for limit in facts.get("limits", ())
    )
    return tr("limits   {limits}", limits=limits or tr("none is known"))


def _way(facts: Facts) -> str:
    retry = facts.get("retry") or {}
    again = tr(
        "; asked at most {max_attempts} times, lost at most {max_lost}",
        max_attempts=retry.get("max_attempts"),
        max_lost=retry.get("max_lost"),
    )
    way = heard(str(facts.get("way", "?")))
    return tr("way      {way}{again}", way=way, again=again if retry else "")


def about_all(plans: Sequence[Planned]) -> list[list[Piece]]:
    """Return what holds for all jobs together."""
    budgets = [p.facts["budget_usd"] for p in plans if p.facts.get("budget_usd") is not None]
    if not budgets:
        return []
    return [[(tr("budget   {budget} for all jobs together", budget=money(max(budgets))), "")]]


def _when(facts: Facts, now: float) -> str:
    gone = now - float(facts["at"]) if "at" in facts else None
    return tr("at an unknown time") if gone is None else tr("{time} ago", time=age(gone))


class PlanView(View):
    """What is asked, and what it may cost."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "e",
            "prompt",
            "Example prompt",
            id="example_prompt",
            tooltip="Show the first request of this job, as it is sent",
        ),
        Binding(
            "d",
            "definition",
            "Definition",
            id="definition",
            tooltip="Show what identifies this job, as YAML",
        ),
    ]

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without a plan."""
        super().__init__(glyphs, id=id)
        self._plans: list[Planned] = []
        self._jobs: dict[str, Job] = {}

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="factors")
        yield RowTable(titled(COLUMNS), empty=tr("no plan yet"))
        yield Line(id="about-plan", classes="foot")

    def draw(self, snapshot: Snapshot) -> None:
        """Draw."""
        self._jobs = {job.name: job for job in snapshot.known}
        self.show_plans([planned(job) for job in snapshot.known], self.now)

    def show_plans(self, plans: list[Planned], now: float) -> None:
        """Draw plans, also of jobs that are not there yet."""
        self._plans, self.now = plans, now
        self._draw_factors()
        self.query_one(RowTable).set_rows(ListRows(rows(plans, self.glyphs)))
        self._draw_about()

    def on_resize(self) -> None:
        """Fit the factors to the width."""
        self._draw_factors()

    def _draw_factors(self) -> None:
        lines = factor_lines(self._plans, self.size.width - 2, self.glyphs) if self._plans else []
        self._fill("#factors", lines)

    @on(RowTable.Moved)
    def _on_moved(self, message: RowTable.Moved) -> None:
        message.stop()
        self._draw_about()
        self.refresh_bindings()

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        if self._jobs:  # else the run has not begun, and Enter is the screen's
            message.stop()
            self.action_definition()

    def _draw_about(self) -> None:
        plan = self._current()
        lines = about(plan, self.now, self.glyphs) if plan else about_all(self._plans)
        self._fill("#about-plan", lines)

    def _fill(self, place: str, lines: list[list[Piece]]) -> None:
        line = self.query_one(place, Line)
        line.set_lines(*lines)
        line.refresh(layout=True)

    def _current(self) -> Planned | None:
        key = self.query_one(RowTable).key
        return next((plan for plan in self._plans if plan.name == key), None)

    def _job(self) -> Job | None:
        """Return the job under the cursor; the first one on the sum."""
        plan = self._current() or (self._plans[0] if self._plans else None)
        return None if plan is None else self._jobs.get(plan.name)

    def csv_rows(self) -> list[list[str]]:
        """Return a row a job."""
        return [list(HEAD), *(_csv_row(plan) for plan in self._plans)] if self._plans else []

    # -- what is looked at in full

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what there is."""
        if action in ("prompt", "definition") and self.is_mounted:
            job = self._job()
            return job is not None and (action == "definition" or bool(job.batches))
        return True

    def action_definition(self) -> None:
        """Show what identifies the job."""
        import yaml

        from tui.screens.text import TextScreen, plain_lines

        job = self._job()
        if job is None:
            return
        text = yaml.dump(
            shortened(job.definition),
            Dumper=_blocks(),
            allow_unicode=True,
            sort_keys=False,
            width=1000,
        )
        self.app.push_screen(
            TextScreen(tr("definition of {name}", name=job.name), plain_lines(text))
        )

    def action_prompt(self) -> None:
        """Show the first request as it was packed."""
        job = self._job()
        if job is not None and job.batches:
            self._read_prompt(job, job.batches[0])

    @work(thread=True, exclusive=True, group="prompt")
    def _read_prompt(self, job: Job, batch: Batch) -> None:
        from tui.screens.text import TextScreen

        path = request_path(job.folder, batch.key)
        title = tr("first request of {key}, {name}", key=batch.key, name=job.name)
        screen = TextScreen(title, first_prompt(path, job, self.glyphs))
        self.app.call_from_thread(self.app.push_screen, screen)


@cache
def _blocks() -> Any:
    """Return a writer of YAML that keeps the lines of a text."""
    import yaml

    class Blocks(yaml.SafeDumper):  # type: ignore[misc]
        """Writes a text of several lines as a block."""

    def block(dumper: Any, text: str) -> Any:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Blocks.add_representer(str, block)
    return Blocks


def shortened(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition to be read: of a very long section the beginning, and how much is left out."""
    return {
        name: {
            **dict(islice(said.items(), MOST_READ)),
            _MORE: tr("{count:,} more", count=len(said) - MOST_READ),
        }
        if isinstance(said, Mapping) and len(said) > MOST_READ
        else said
        for name, said in definition.items()
    }


def _level_lines(job: Job, custom_id: str, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield the levels that a request asks about, where its name does not say them."""
    from tui.reading import tag_of

    definition = job.definition
    stem = custom_id.removeprefix(tag_of(job.experiment)).rpartition(BEFORE_TRIAL)[0]
    if stem in definition.get("conditions", ()) and not is_bundled(factor_names(definition)):
        levels = Conditions(definition, [stem])[0].levels
        yield [(f" {glyphs.dot} ".join(level_words(levels)), "")]


def first_prompt(path: Path, job: Job, glyphs: Glyphs) -> list[list[Piece]]:
    """Return the first request of a file for reading, or why there is none to show."""
    from tui.reading import pictures_of, sent
    from tui.screens.text import plain_lines

    try:
        with path.open("rb") as source:
            line = json.loads(source.readline(_LONGEST_LINE))
    except OSError as error:
        return [
            [(tr("{path} cannot be read ({strerror})", path=path, strerror=error.strerror), "bad")]
        ]
    except ValueError:
        return [[(tr("{path}: its first line is not the request it should be", path=path), "bad")]]
    if not isinstance(line, dict):
        return [[(tr("{path}: its first line is not the request it should be", path=path), "bad")]]
    found = sent(line, pictures_of(job.experiment))
    id_ = str(line.get("custom_id", ""))
    lines: list[list[Piece]] = [[(id_, "strong")], *_level_lines(job, id_, glyphs)]
    lines += [[(f"{key}: {value}", "dim")] for key, value in found.rest.items()]
    for role, text in found.parts:
        lines += [[], [(role, "strong")], *plain_lines(text)]
    return lines


def _csv_row(plan: Planned) -> list[str]:
    facts = plan.facts
    limit = (facts.get("limits") or [{}])[0]
    cells = [plan.name, *map(facts.get, _FACTS.values()), *map(limit.get, _LIMIT.values())]
    return ["" if cell is None else str(cell) for cell in cells]
