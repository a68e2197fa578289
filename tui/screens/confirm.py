"""Asks before a command is left for a runner: what will happen, and what stays billable."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from runner import called
from runner.core.model import Batch
from runner.core.states import AT_PROVIDER, BatchState
from runner.core.summary import shown_state
from runner.storage.commands import Command, CommandVerb, answered, leave
from tui.cells import age, clean, money
from tui.frame import Line, Piece
from tui.language import heard, later, term, tr
from tui.liveness import Liveness, liveness
from tui.model import Job
from tui.views.view import Wanted

if TYPE_CHECKING:
    from textual.app import App

    from tui.desk import Desk

LOOK_SECONDS = 0.5
_BEFORE_ORDER = (BatchState.PACKED, BatchState.STAGING, BatchState.STAGED)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the user."""

    title: str
    lines: tuple[Piece, ...]
    """A sentence each."""
    choices: tuple[str, ...] = ()
    """The provider's batches that it could be."""
    possible: bool = True
    """Whether there is anything to say yes to."""


def question(wanted: Wanted, life: Liveness, now: float) -> Question:
    """Put what is wanted into words, from what the ledger says."""
    job = wanted.job
    batch = next((b for b in job.batches if b.key == wanted.batch), None)
    if wanted.verb not in (CommandVerb.STOP, CommandVerb.RETRY) and batch is None:
        title = tr("{what} {batch}?", what=tr(_NAMES[wanted.verb]), batch=wanted.batch)
        return Question(
            title,
            (
                (
                    tr("{name} has no batch {batch} any more.", name=job.name, batch=wanted.batch),
                    "bad",
                ),
            ),
            possible=False,
        )
    named = "" if batch is None else f" {batch.key}"
    what = tr(_NAMES[wanted.verb])
    title = tr("{what}{batch}  ({job})?", what=what, batch=named, job=job.name)
    lines = list(_ASK[wanted.verb](wanted, batch, life))
    possible = not any(style == "bad" for _, style in lines)
    if job.emulated:
        lines.append((tr("REHEARSAL: nothing is really billed."), "warn"))
    lines += [
        (tr("The same was asked {time} ago, and waits.", time=age(now - command["at"])), "warn")
        for command in job.commands
        if command["verb"] == wanted.verb and command.get("batch") == wanted.batch
    ]
    if possible and not life.at_work:
        lines.append((tr(_WAITS, command=called.command()), "warn"))
    choices = batch.candidates if batch and wanted.verb is CommandVerb.ADOPT else ()
    return Question(title, tuple(lines), choices, possible)


_WAITS = later(
    "No runner is at work: this waits until one is started with the same command as before "
    "({command} …)."
)
_NAMES = {
    CommandVerb.STOP: later("Stop the runner"),
    CommandVerb.CANCEL: later("Cancel"),
    CommandVerb.RETRY: later("Ask failed requests again"),
    CommandVerb.RESUBMIT: later("Ask again what is left of"),
    CommandVerb.ADOPT: later("Adopt"),
    CommandVerb.ABANDON: later("Give up"),
}


def _stop(wanted: Wanted, _batch: Batch | None, life: Liveness) -> Iterator[Piece]:
    if not life.at_work:
        yield tr("No runner is at work on this job: there is nothing to stop."), "bad"
        return
    there = [b for b in wanted.job.batches if b.state in AT_PROVIDER]
    if there:
        count = sum(b.count for b in there)
        yield (
            tr(
                "1 batch with {count:,} requests go on at the provider, and are billed."
                if len(there) == 1
                else "{batches:,} batches with {count:,} requests go on at the provider, and are "
                "billed.",
                batches=len(there),
                count=count,
            ),
            "",
        )
    else:
        yield tr("Nothing is at the provider."), ""
    yield tr("Nothing is lost; nothing is fetched until you run the same command again."), ""


def _cancel(_wanted: Wanted, batch: Batch | None, _life: Liveness) -> Iterator[Piece]:
    assert batch is not None
    if batch.state in _BEFORE_ORDER:
        yield (
            tr(
                "It is {state}, and was never ordered: nothing is billed for it.",
                state=term("state", batch.state),
            ),
            "",
        )
        yield tr("Its {count:,} requests wait until you ask for them again.", count=batch.count), ""
        return
    if batch.state is BatchState.SUBMITTING:
        yield (
            tr("Whether it was ordered cannot be told yet: it is cancelled when that is known."),
            "warn",
        )
        yield (
            tr(
                "What it has answered by then is kept and billed, {most}.",
                most=_at_most(batch.reserved_usd),
            ),
            "",
        )
        return
    if batch.state not in (BatchState.RUNNING, BatchState.CANCELLING):
        yield (
            tr(
                "It is {state}: there is nothing to cancel any more.",
                state=term("state", batch.state),
            ),
            "bad",
        )
        return
    yield from _cancel_running(batch)


def _cancel_running(batch: Batch) -> Iterator[Piece]:
    if batch.completed is None:
        yield (
            tr(
                "How many of its {count:,} answers are in is not known: no progress was reported.",
                count=batch.count,
            ),
            "",
        )
        yield (
            tr(
                "What is finished is kept and billed, {most}; the rest is given up.",
                most=_at_most(batch.reserved_usd),
            ),
            "",
        )
        return
    done = min(batch.completed, batch.count)
    rest = batch.count - done
    yield (
        tr(
            "{done:,} of {count:,} answers are in; what is finished is kept and billed, the "
            "other {rest:,} are given up.",
            done=done,
            count=batch.count,
            rest=rest,
        ),
        "",
    )
    yield tr("The provider may finish, and bill, a few more before it stops."), "dim"


def _retry(wanted: Wanted, _batch: Batch | None, _life: Liveness) -> Iterator[Piece]:
    count = len(wanted.requests) or int(wanted.job.summary.get("failed", 0))
    if not count:
        yield tr("No request of this job has failed: there is nothing to ask again."), "bad"
        return
    if count > 1:
        which = later(
            "{count:,} failed requests are asked once more; what is answered is not touched."
        )
    elif wanted.requests:
        which = later("{request} is asked once more; what is answered is not touched.")
    else:
        which = later("1 failed request is asked once more; what is answered is not touched.")
    yield tr(which, count=count, request=next(iter(wanted.requests), "")), ""
    yield _cost(wanted.job, count), ""


def _resubmit(wanted: Wanted, batch: Batch | None, _life: Liveness) -> Iterator[Piece]:
    assert batch is not None
    read = sum(batch.tally.get(name, 0) for name in ("valid", "invalid", "refused"))
    count = batch.count - read
    if count <= 0:
        yield (
            tr("All {count:,} requests of it were answered: nothing is left.", count=batch.count),
            "bad",
        )
        return
    yield (
        tr(
            "Up to {count:,} requests that it left are asked again, in a batch of their own.",
            count=count,
        ),
        "",
    )
    yield tr("What was answered meanwhile is not asked again."), "dim"
    yield _cost(wanted.job, count), ""


def _adopt(_wanted: Wanted, batch: Batch | None, _life: Liveness) -> Iterator[Piece]:
    assert batch is not None
    if batch.state is not BatchState.SUBMITTING or not batch.candidates:
        yield (
            tr(
                "It is {state}, and no batch at the provider could be it.",
                state=term("state", shown_state(batch)),
            ),
            "bad",
        )
        return
    yield tr("Choose which batch at the provider it is. Its results have yet to prove it:"), ""
    yield tr("answers with other custom_ids are never taken. Nothing new is ordered or billed."), ""


def _abandon(_wanted: Wanted, batch: Batch | None, _life: Liveness) -> Iterator[Piece]:
    assert batch is not None
    if batch.state not in (*AT_PROVIDER, BatchState.ENDED):
        yield (
            tr(
                "It is {state}: nothing at the provider is to be given up.",
                state=term("state", batch.state),
            ),
            "bad",
        )
        return
    if batch.found:
        left = batch.count - batch.found
        what = tr(
            "The {found:,} answered here stay; the other {left:,} are asked again",
            found=batch.found,
            left=left,
        )
    else:
        what = tr(
            "Its answers are never fetched; its {count:,} requests are asked again",
            count=batch.count,
        )
    yield tr("{what}, and paid again.", what=what), ""
    yield (
        tr(
            "What the provider may bill for it, {most}, stays in the budget.",
            most=_at_most(batch.reserved_usd),
        ),
        "warn",
    )


_ASK = {
    CommandVerb.STOP: _stop,
    CommandVerb.CANCEL: _cancel,
    CommandVerb.RETRY: _retry,
    CommandVerb.RESUBMIT: _resubmit,
    CommandVerb.ADOPT: _adopt,
    CommandVerb.ABANDON: _abandon,
}


def _at_most(usd: Decimal | None) -> str:
    return tr("an unknown amount") if usd is None else tr("at most {usd}", usd=money(usd))


def _cost(job: Job, count: int) -> str:
    """Say what some requests may cost: the most that any request of the job was reserved for."""
    each = [b.reserved_usd / b.count for b in job.batches if b.reserved_usd is not None and b.count]
    if not each or any(b.reserved_usd is None for b in job.batches):
        return tr("What that may cost is not known: there is no price for this model.")
    return tr("That may cost at most {most}.", most=money(max(each) * count))


class ConfirmScreen(ModalScreen[None]):
    """Asks; Yes leaves the command for the runner."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="yes", tooltip="Leave this for the runner to do"),
        Binding("n,escape", "no", "No", id="no", tooltip="Leave everything as it is"),
        Binding(
            "left,right",
            "other",
            "Other",
            id="other_button",
            show=False,
            tooltip="Go to the other button",
        ),
    ]

    def __init__(self, desk: "Desk", wanted: Wanted) -> None:
        """Ask about what is wanted."""
        super().__init__()
        self._desk = desk
        self._wanted = wanted
        now = desk.clock()
        self._question = question(wanted, liveness(wanted.job, now, desk.host), now)

    def compose(self) -> ComposeResult:
        """Lay out."""
        asked = self._question
        with Vertical(classes="dialog"):
            yield Line(id="confirm-title")
            yield Line(id="confirm-lines")
            if asked.choices:
                yield OptionList(
                    *(
                        Option(Content(clean(name)), id=f"c{n}")
                        for n, name in enumerate(asked.choices)
                    )
                )
            with Horizontal(id="confirm-buttons"):
                yield Button(tr("No (n)"), id="no", compact=True)
                if asked.possible:
                    yield Button(tr("Yes (y)"), id="yes", compact=True)

    def on_mount(self) -> None:
        """Show it, with No under the finger."""
        asked = self._question
        self.query_one("#confirm-title", Line).set_lines([(asked.title, "strong")])
        self.query_one("#confirm-lines", Line).set_lines(
            [], *([piece] for piece in asked.lines), []
        )
        if asked.choices:
            self.query_one(OptionList).highlighted = 0 if len(asked.choices) == 1 else None
        self.query_one("#no", Button).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer Yes only where there is something to do."""
        return self._question.possible if action == "yes" else True

    @on(Button.Pressed)
    def _on_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self.action_yes()
        else:
            self.action_no()

    @on(OptionList.OptionSelected)
    def _on_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.query_one("#yes", Button).focus()

    def action_other(self) -> None:
        """Go to the other button."""
        self.focus_next(Button)

    def action_no(self) -> None:
        """Leave everything as it is."""
        self.dismiss()

    def action_yes(self) -> None:
        """Leave the command, and tell when it was answered."""
        wanted, remote = self._wanted, self._remote()
        if self._question.choices and remote is None:
            self.notify(tr("choose one of the provider's batches first"), severity="warning")
            self.query_one(OptionList).focus()
            return
        app, desk, folder = self.app, self._desk, wanted.job.folder
        self.dismiss()
        try:
            command = leave(
                folder,
                wanted.verb,
                desk.clock(),
                batch=wanted.batch,
                remote=remote,
                requests=wanted.requests,
            )
        except OSError as error:
            app.notify(
                clean(
                    tr(
                        "nothing was asked: {folder}/commands cannot be written ({strerror})",
                        folder=folder,
                        strerror=error.strerror,
                    )
                ),
                severity="error",
                timeout=20,
                markup=False,
            )
            return
        app.notify(tr("asked for: {command}", command=_said(command)), markup=False)
        follow_up(app, folder, command)

    def _remote(self) -> str | None:
        choices = self._question.choices
        if not choices:
            return None
        place = self.query_one(OptionList).highlighted
        return None if place is None else choices[place]


def follow_up(app: "App[Any]", folder: Path, command: Command) -> None:
    """Tell what became of a command as soon as the runner has said so."""

    def look() -> None:
        told = answered(folder, command["id"])
        if told is None:
            return
        timer.stop()
        applied = bool(told.get("applied"))
        app.notify(
            clean(
                tr(
                    "{command}: {detail}" if applied else "{command}: not done - {detail}",
                    command=_said(command),
                    detail=heard(str(told.get("detail", ""))),
                )
            ),
            severity="information" if applied else "warning",
            timeout=10 if applied else 20,
            markup=False,
        )

    timer = app.set_interval(LOOK_SECONDS, look)


def _said(command: Command) -> str:
    verb = term("verb", command["verb"])
    return " ".join(str(word) for word in (verb, command.get("batch")) if word)
