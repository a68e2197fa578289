"""The Batches: worst first, with what needs attention, and what can be done about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.worker import get_current_worker

from runner.core.errors import LedgerError
from runner.core.model import Batch
from runner.core.states import FINAL_STATES, BatchState
from runner.core.summary import cost_of, days_left, shown_state
from runner.core.twins import costly
from runner.storage.commands import CommandVerb
from tui.batchrows import (
    BEFORE_ORDER,
    GROUPS,
    ORDERS,
    BatchLine,
    Test,
    Watched,
    can,
    cells,
    columns,
    grouped,
    hint,
    named_by,
    ordered,
    parse,
    state_cell,
    sum_cells,
    watched,
)
from tui.cells import Glyphs, age, days, money, pad
from tui.frame import Line, Piece
from tui.language import heard, term, tr
from tui.model import Job, Snapshot
from tui.rows import Cell, Col, ListRows
from tui.rowtable import RowTable
from tui.source import events
from tui.textlines import TextLines
from tui.views.view import RETRY_FAILED, STOP_RUNNER, OpenAnswers, View, Wanted

MOST_EVENTS = 6
MOST_SENTENCES, MOST_WHEN_SHORT, MOST_WHEN_FLAT = 8, 3, 1
_TALL, _FLAT, _LEAST = 22, 10, 7
"""Lines of the view from which on there is room for so many sentences, or for any."""
_LABEL = 11
_VERBS = {
    "cancel": CommandVerb.CANCEL,
    "resubmit": CommandVerb.RESUBMIT,
    "retry": CommandVerb.RETRY,
    "stop": CommandVerb.STOP,
    "adopt": CommandVerb.ADOPT,
    "abandon": CommandVerb.ABANDON,
}
_OF_JOB = (CommandVerb.RETRY, CommandVerb.STOP)
_GROUP = "="
"""Begins the key of a row that adds up a group; no job's folder has such a name."""

Events = Sequence[Mapping[str, Any]]

_BINDINGS: list[BindingType] = [
    Binding("c", "ask('cancel')", "Cancel", id="cancel_batch", tooltip="cancel this batch"),
    Binding(
        "u",
        "ask('resubmit')",
        "Resubmit",
        id="resubmit_batch",
        tooltip="ask again what this cancelled batch left",
    ),
    RETRY_FAILED,
    Binding(
        "a",
        "ask('adopt')",
        "Adopt",
        id="adopt_batch",
        tooltip="say which of the provider's batches this one is",
    ),
    Binding(
        "b",
        "ask('abandon')",
        "Give up",
        id="abandon_batch",
        tooltip="never fetch this batch; its requests are asked again",
    ),
    STOP_RUNNER,
    Binding(
        "s",
        "sort",
        "Sort",
        id="sort_batches",
        show=False,
        tooltip="worst first, oldest first, by provider, costliest first",
    ),
    Binding(
        "o",
        "group",
        "Group",
        id="group_batches",
        show=False,
        tooltip="sums by provider, by model, or none",
    ),
    Binding(
        "y",
        "copy",
        "Copy id",
        id="copy_remote",
        show=False,
        tooltip="copy the provider's id of this batch",
    ),
]


class BatchesView(View):
    """The batches of the jobs in scope."""

    ages = narrows = True
    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    class Told(Message):
        """The events of a batch were read, or could not be."""

        def __init__(self, key: str, batch: Batch, found: Events | str) -> None:
            """Carry them."""
            super().__init__()
            self.key, self.batch, self.found = key, batch, found

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without batches."""
        super().__init__(glyphs, id=id)
        self._order = 0
        self._group: int | None = None
        self._test: Test = lambda _: True
        self._named: str | None = ""
        self._all = Watched((), (), ())
        self._shown: dict[str, BatchLine] = {}
        self._events: tuple[str, Batch, Events | str] | None = None
        self._asked_events: tuple[str, Batch] | None = None
        self._possible: frozenset[str] = frozenset()
        self._beside: list[list[Piece]] = []

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="batches-head", classes="line")
        with Horizontal():
            yield RowTable([Col("", 1)], empty=tr("nothing was packed yet"), id="batches")
            yield TextLines(id="batch-pane", classes="pane")
        yield Line(id="attention", classes="foot")

    def on_resize(self) -> None:
        """Say as many sentences as there is room for."""
        self._draw_attention()
        self._draw_pane()

    # -- drawing

    def draw(self, snapshot: Snapshot) -> None:
        """Draw what differs."""
        self._all = watched(snapshot, self.now, self.desk.host)
        named = named_by(snapshot.jobs)
        table = self.query_one(RowTable)
        if named != self._named:
            self._named = named
            table.set_columns(columns(named))
        self._fill(table)
        self._draw_head(snapshot)
        self._draw_attention()
        self._draw_pane()
        self._offer()

    def _fill(self, table: RowTable) -> None:
        chosen = [
            line
            for line in self._all.lines
            if self._test(line) and (line.notices or not self._problems)
        ]
        self._shown = {line.key: line for line in ordered(chosen, self._order)}
        table.empty = tr("nothing fits") if self._all.lines else tr("nothing was packed yet")
        table.show_rows(ListRows(self._rows()))

    def _rows(self) -> Iterator[tuple[str, Sequence[Cell]]]:
        if self._group is None:
            groups = [("", list(self._shown.values()))]
        else:
            groups = grouped(list(self._shown.values()), self._group)
        for name, lines in groups:
            if name:
                yield _GROUP + name, sum_cells(name, lines, self.glyphs, named=self._named)
            for line in lines:
                yield line.key, cells(line, self.now, self.glyphs, named=self._named)

    def _draw_head(self, snapshot: Snapshot) -> None:
        whole, shown = len(self._all.lines), len(self._shown)
        count = tr("{whole:,} batches", whole=whole) if whole != 1 else tr("1 batch")
        pieces: list[Piece] = [
            (
                count if shown == whole else tr("{shown:,} of {count}", shown=shown, count=count),
                "strong",
            )
        ]
        pieces.append((f"  {tr(ORDERS[self._order][0])}", "dim"))
        if self._group is not None:
            pieces.append((tr(", sums by {group}", group=tr(GROUPS[self._group][0])), "dim"))
        if self._problems:
            pieces.append(
                (tr("  {warning} only what needs attention", warning=self.glyphs.warning), "warn")
            )
        if self.words:
            pieces.append((f"  {self.words}", ""))
        several = len(snapshot.jobs) > 1
        pieces += [
            (
                f"  {term('verb', command['verb'])}? {age(self.now - command['at'])}"
                + (f" {job.name}" if several else ""),
                "warn",
            )
            for job in snapshot.jobs
            for command in job.commands
            if command.get("batch") is None
        ]
        self.query_one("#batches-head", Line).set_lines(pieces)

    def _draw_attention(self) -> None:
        height, notices = self.size.height, self._all.notices
        most = MOST_SENTENCES if height >= _TALL else MOST_WHEN_SHORT
        most = MOST_WHEN_FLAT if height < _FLAT else most
        shown = notices if len(notices) <= most else notices[: most - 1]
        names = {line.job.name: self._called(line.job) for line in self._all.lines}
        lines: list[list[Piece]] = [
            [
                (
                    f"{notice.sign(self.glyphs)} {names.get(notice.job, notice.job)}"
                    + notice.sentence,
                    notice.style,
                )
            ]
            for notice in shown
        ]
        if more := len(notices) - len(shown):
            lines.append(
                [
                    (
                        tr(
                            "{warning} {more} more: ! shows only these",
                            warning=self.glyphs.warning,
                            more=more,
                        ),
                        "warn",
                    )
                ]
            )
        if not notices and self._all.lines:
            lines.append([(tr("{good} nothing needs attention", good=self.glyphs.good), "good")])
        lines = lines if height >= _LEAST else []
        foot = self.query_one("#attention", Line)
        foot.set_lines(*lines)
        foot.styles.height = len(lines) + 1
        foot.display = bool(lines)

    def _called(self, job: Job) -> str:
        """Return what a sentence begins with, so that it is clear which job is meant."""
        return {None: "", "model": f"{job.model} "}.get(self._named, f"{job.name} ")

    # -- the batch under the cursor

    @property
    def line(self) -> BatchLine | None:
        """Return the batch under the cursor; None on a row of sums."""
        key = self.query_one(RowTable).key
        return None if key is None else self._shown.get(key)

    @on(RowTable.Moved)
    def _on_moved(self) -> None:
        self._draw_pane(top=True)
        self._offer()

    def _draw_pane(self, *, top: bool = False) -> None:
        pane, line = self.query_one("#batch-pane", TextLines), self.line
        if line is None or not pane.display:
            self._set_pane([], top=True)
            return
        asked = (line.key, line.batch)
        if self._asked_events is None or self._asked_events != asked:
            self._asked_events = asked
            self._read_events(line)
        told = self._events
        found = told[2] if told is not None and told[0] == line.key else None
        self._set_pane(pane_lines(line, found, self.now, self.glyphs), top=top)

    def _set_pane(self, lines: list[list[Piece]], *, top: bool) -> None:
        if lines != self._beside:
            self._beside = lines
            self.query_one("#batch-pane", TextLines).set_lines(lines, top=top)

    @work(thread=True, exclusive=True, group="events")
    def _read_events(self, line: BatchLine) -> None:
        worker = get_current_worker()
        found: Events | str
        try:
            found = events(line.job.folder, line.batch.key, MOST_EVENTS)
        except (LedgerError, ValueError, OSError) as error:
            found = tr("its events cannot be read now ({error})", error=error)
        if not worker.is_cancelled:
            self.post_message(self.Told(line.key, line.batch, found))

    def on_batches_view_told(self, message: Told) -> None:
        """Draw them beside their batch."""
        self._events = (message.key, message.batch, message.found)
        self._draw_pane()

    # -- choosing

    def filter_hint(self) -> str:
        """Return what can be typed as a filter, in a line."""
        return hint()

    def set_filter(self, words: str) -> str | None:
        """Show only what fits the words."""
        found = parse(words)
        if isinstance(found, str):
            return found
        self._test, self.words = found, words.strip()
        self.redraw()
        return None

    def action_sort(self) -> None:
        """Take the next order."""
        self._order = (self._order + 1) % len(ORDERS)
        self.redraw()

    def action_group(self) -> None:
        """Take the next grouping."""
        following = 0 if self._group is None else self._group + 1
        self._group = following if following < len(GROUPS) else None
        self.redraw()

    # -- doing

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        message.stop()
        line = self._shown.get(message.key)
        if line is not None:
            several = self._named is not None
            job = f"job:{line.job.name} " if several else ""
            self.post_message(OpenAnswers(f"{job}batch:{line.batch.key}"))
        elif self._group is not None:
            name = message.key.removeprefix(_GROUP)
            self.post_message(OpenAnswers(f"{GROUPS[self._group][0]}:{name}"))

    def _offer(self) -> None:
        """Draw the keys anew when others are possible; the footer is slow to draw."""
        possible = frozenset(name for name in _VERBS if self._can(name))
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def _can(self, name: str) -> bool:
        line = self.line
        return line is not None and can(line, _VERBS[name])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is possible."""
        if action == "ask":
            return self._can(str(parameters[0]))
        if action == "copy":
            return self.line is not None and self.line.batch.remote is not None
        return True

    def action_ask(self, name: str) -> None:
        """Want something of the runner; the user is asked first."""
        line, verb = self.line, _VERBS[name]
        if line is not None and can(line, verb):
            batch = None if verb in _OF_JOB else line.batch.key
            self.post_message(Wanted(verb, line.job, batch=batch))

    def action_copy(self) -> None:
        """Copy the provider's id."""
        line = self.line
        if line is not None and line.batch.remote is not None:
            self.app.copy_to_clipboard(line.batch.remote)
            self.notify(tr("{remote} copied", remote=line.batch.remote), markup=False)

    def csv_rows(self) -> list[list[str]]:
        """Return what is shown."""
        lines = list(self._shown.values())
        return [list(_CSV), *(csv_row(line) for line in lines)] if lines else []


# -- the pane; pure


def pane_lines(
    line: BatchLine, told: Events | str | None, now: float, glyphs: Glyphs
) -> list[list[Piece]]:
    """Return all that is known of a batch."""
    batch = line.batch
    lines: list[list[Piece]] = [
        [(batch.key, "strong"), (f"  {line.job.provider} {line.job.model}", "")]
    ]
    lines += [
        [(f"{notice.sign(glyphs)} {notice.sentence}", notice.style)] for notice in line.notices
    ]
    if line.command is not None:
        since = age(now - line.command["at"])
        lines.append(
            [
                (
                    tr(
                        "{verb} was asked {since} ago, and waits",
                        verb=term("verb", line.command["verb"]),
                        since=since,
                    ),
                    "warn",
                )
            ]
        )
    lines.append([])
    lines += [
        [
            (f"{pad(label, _LABEL - 1)} ", "dim"),
            *(value if isinstance(value, list) else [(value, "")]),
        ]
        for label, value in _facts(line, now, glyphs)
    ]
    lines.append([])
    lines += event_lines(told, now)
    return lines


def _facts(line: BatchLine, now: float, glyphs: Glyphs) -> Iterator[tuple[str, str | list[Piece]]]:
    batch = line.batch
    text, style = _split(state_cell(line, now)) if line.command is None else _state(line)
    yield tr("state"), [(text, style), *_as_last_seen(line)]
    yield tr("provider"), batch.remote_state or glyphs.none
    yield tr("remote id"), str(batch.remote or glyphs.none)
    yield from ((tr("not it"), name) for name in batch.dead)
    yield from ((tr("may be"), name) for name in batch.candidates)
    yield from (
        (tr("twin"), f"{name} ({term('fate', fate)})") for name, fate in batch.twins.items()
    )
    if batch.realtime:
        yield tr("way"), tr("one by one, now")
    sent = (
        tr("not sent") if batch.sent_at is None else tr("{time} ago", time=age(now - batch.sent_at))
    )
    yield (
        tr("sent"),
        sent + (tr(", input made {send} times", send=batch.send) if batch.send > 1 else ""),
    )
    if batch.polled_at is not None:
        yield (
            tr("polled"),
            tr("{time} ago, {polls:,} times", time=age(now - batch.polled_at), polls=batch.polls),
        )
    if batch.tries:
        yield tr("no reply"), tr("{tries:,} tries in a row failed", tries=batch.tries)
    if batch.looks:
        yield tr("looked for"), tr("{looks:,} times, not found", looks=batch.looks)
    yield from _times(line, now)
    yield from _counts(batch, glyphs)
    yield from _money(batch, glyphs)
    if batch.error:
        yield tr("error"), [(batch.error, "bad")]


def _split(cell: Cell) -> Piece:
    return cell if isinstance(cell, tuple) else (cell, "")


def _state(line: BatchLine) -> Piece:
    return term("state", shown_state(line.batch)), ""


def _as_last_seen(line: BatchLine) -> list[Piece]:
    """Say that a state is not known to be so any more."""
    return [] if line.over or line.life.at_work else [(tr(" as last seen"), "dim")]


def _times(line: BatchLine, now: float) -> Iterator[tuple[str, str | list[Piece]]]:
    batch = line.batch
    if line.over:
        if batch.ended_at is not None and batch.accepted_at is not None:
            yield tr("took"), age(batch.ended_at - batch.accepted_at)
        if batch.abandoned_at is not None:
            yield tr("given up"), tr("{time} ago", time=age(now - batch.abandoned_at))
        return
    if not line.life.at_work:
        yield tr("next look"), tr("none: no runner is at work")
    elif batch.next_at:
        wait = batch.next_at - now
        yield tr("next look"), tr("in {wait}", wait=age(wait)) if wait >= 1 else tr("now")
    if batch.expires_at is not None and batch.state is not BatchState.ENDED:
        left = batch.expires_at - now
        yield (
            tr("time limit"),
            tr("in {left}", left=age(left))
            if left > 0
            else [(tr("over since {left}", left=age(-left)), "bad")],
        )
    left_days = days_left(batch, now)
    if left_days is not None:
        style = "bad" if left_days < 2 else ""
        kept = (
            tr("kept for {time} more", time=days(left_days))
            if left_days > 0
            else tr("not kept any more")
        )
        yield tr("results"), [(kept, style)]
    elif batch.kept_until is not None:
        yield (
            tr("results"),
            tr("kept for {time}", time=days((batch.kept_until - now) / 86400)),
        )


def _counts(batch: Batch, glyphs: Glyphs) -> Iterator[tuple[str, str | list[Piece]]]:
    yield tr("requests"), f"{batch.count:,}"
    if batch.state not in (*BEFORE_ORDER, *FINAL_STATES):
        if batch.completed is not None:
            failed = tr(", {failed:,} failed", failed=batch.failed) if batch.failed else ""
            yield (
                tr("done"),
                tr(
                    "{completed:,} of {count:,}{failed}",
                    completed=batch.completed,
                    count=batch.count,
                    failed=failed,
                ),
            )
        elif batch.polled_at is not None:
            yield tr("done"), [(tr("no progress reported"), "dim")]
    if batch.tally:
        missed = sum(count for name, count in batch.tally.items() if name != "valid")
        counted = [
            f"{term('outcome', name)} {count:,}"
            for name, count in sorted(batch.tally.items())
            if count
        ]
        yield tr("outcomes"), [(tr(", ").join(counted), "warn" if missed else "")]
        if (total := sum(batch.tally.values())) != batch.count:
            yield (
                "",
                [(tr("! {total:,} counted of {count:,}", total=total, count=batch.count), "bad")],
            )
    for question, causes in sorted(batch.causes.items()):
        told = tr(", ").join(
            f"{term('cause', cause)} {count:,}" for cause, count in sorted(causes.items()) if count
        )
        yield tr("{question} invalid", question=question), told or glyphs.none
    odd = [
        tr("{count:,} {name}", count=count, name=term("notice", name))
        for name, count in sorted(batch.notices.items())
        if count
    ]
    if odd:
        yield tr("not used"), tr("{odd} result lines", odd=tr(", ").join(odd))


def _money(batch: Batch, glyphs: Glyphs) -> Iterator[tuple[str, str | list[Piece]]]:
    used = batch.usage
    if used.input_tokens or used.output_tokens:
        yield (
            tr("tokens"),
            tr(
                "{input_tokens:,} in, {output_tokens:,} out",
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
            ),
        )
    elif batch.state not in FINAL_STATES:
        yield tr("tokens"), tr("about {input_tokens:,} in", input_tokens=batch.input_tokens)
    most = glyphs.none if batch.reserved_usd is None else money(batch.reserved_usd)
    if batch.state is BatchState.COLLECTED and (batch.cost_unknown or costly(batch)):
        yield tr("cost"), [(heard(str(cost_of([batch]))), "warn")]
    elif batch.state is BatchState.COLLECTED:
        yield (
            tr("cost"),
            tr("{cost_usd}, {most} was reserved", cost_usd=money(batch.cost_usd), most=most),
        )
    elif batch.reserved_usd is None:
        yield tr("cost"), tr("unknown: there is no price for this model")
    elif batch.state is not BatchState.DROPPED or batch.abandoned_at is not None:
        yield tr("cost"), tr("at most {most}", most=most)


def event_lines(told: Events | str | None, now: float) -> list[list[Piece]]:
    """Return what happened to a batch, the latest first."""
    if told is None:
        return [[(tr("reading its events"), "dim")]]
    if isinstance(told, str):
        return [[(told, "warn")]]
    lines: list[list[Piece]] = [[(tr("what happened"), "strong")]] if told else []
    for event in told:
        at = event.get("at")
        since = "" if at is None else tr("{time} ago", time=age(now - at))
        said = event.get("remote_state")
        words = term("event", f"{event.get('event')}") + (f" ({said})" if said else "")
        lines.append(
            [
                (f"{' ' * (10 - cell_len(since))}{since}  ", "dim"),
                (words, "warn" if event.get("error") else ""),
            ]
        )
    return lines


_COUNTED = (
    *("valid", "invalid", "refused", "denied", "unreadable"),
    *("errored", "expired", "cancelled", "missing"),
)
_CSV = (
    *("job", "provider", "model", "batch", "state", "provider_state"),
    *("remote", "requests", "completed"),
    *_COUNTED,
    *("sent_at", "input_tokens", "output_tokens", "cost_usd", "reserved_usd", "error"),
)


def csv_row(line: BatchLine) -> list[str]:
    """Return a batch as texts; what is missing is empty."""
    batch, job = line.batch, line.job
    read = batch.state is BatchState.COLLECTED
    cells: list[object] = [
        *(job.name, job.provider, job.model, batch.key, shown_state(batch), batch.remote_state),
        *(batch.remote, batch.count, batch.completed),
        *(batch.tally.get(name, 0) if read else None for name in _COUNTED),
        None if batch.sent_at is None else f"{batch.sent_at:.0f}",
        *((batch.usage.input_tokens, batch.usage.output_tokens) if read else (None, None)),
        *(batch.cost_usd, batch.reserved_usd, batch.error),
    ]
    return ["" if cell is None else str(cell) for cell in cells]
