"""A run that is about to start: its plan first, then its runner as a process of its own."""

from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Button

from runner.cli.exits import USER_MISTAKE, WORK_REMAINS
from runner.core.errors import ConfigError, RunnerError
from tui.cells import clean, money
from tui.desk import Desk
from tui.frame import Banner, Keys, Line, Piece, StatusLine
from tui.language import heard, tr
from tui.launch import FINE, Launch, Started, command, planned, start
from tui.rowtable import RowTable
from tui.views.plan import Planned, PlanView
from tui.views.view import OpenExperiment

LOOK_SECONDS = 0.25
MOST_WARNINGS = 3


class Step(Enum):
    """How far the start has come."""

    PLANNING = "planning"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    """It has taken its ledger, and was shown."""
    ENDED = "ended"


class PlanScreen(Screen[None]):
    """What would be run; Enter runs it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start", id="start_run", tooltip="Start the runner, as planned here"),
        Binding("o", "look", "Open", id="open_run", tooltip="Show the experiment"),
        Binding(
            "question_mark",
            "app.help",
            "Help",
            id="help",
            key_display="?",
            tooltip="Show the keys of this screen",
        ),
        Binding(
            "q,ctrl+c",
            "app.quit",
            "Quit",
            id="quit",
            key_display="q",
            tooltip="Leave; a runner goes on",
        ),
    ]

    def __init__(self, desk: Desk, words: tuple[str, ...]) -> None:
        """Plan a run.

        Args:
            desk: what every screen needs.
            words: for the runner, as they were typed.
        """
        super().__init__()
        self._desk = desk
        self._words = words
        self._step = Step.PLANNING
        self._launch: Launch | None = None
        self._started: Started | None = None

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(id="body"):
            yield StatusLine()
            yield Banner()
            yield PlanView(self._desk.glyphs, id="Plan")
            with Horizontal(id="start"):
                yield Button(tr("Start"), id="start-button", disabled=True, compact=True)
                yield Line(id="start-said")
        yield Keys(show_command_palette=False)

    def on_mount(self) -> None:
        """Ask the runner for its plan."""
        self.query_one(StatusLine).set_lines([(command(self._words), "strong")])
        self._say([(tr("asking the runner what it would do; nothing is sent"), "dim")])
        self._ask()
        self.set_interval(LOOK_SECONDS, self._look)

    @work(thread=True, exclusive=True, group="plan")
    def _ask(self) -> None:
        try:
            launch = planned(self._words)
        except RunnerError as error:
            code = USER_MISTAKE if isinstance(error, ConfigError) else WORK_REMAINS
            line = Text(f"error: {clean(str(error))}")
            self.app.call_from_thread(self.app.exit, None, code, line)
            return
        self.app.call_from_thread(self._take, launch)

    def _take(self, launch: Launch) -> None:
        self._launch = launch
        self._desk.outputs = launch.experiments[0].parent
        plans = list(_named(launch))
        view = self.query_one(PlanView)
        view.show_plans(plans, self._desk.clock())
        view.focus_table()
        warnings = list(launch.warnings)
        if len(warnings) > MOST_WARNINGS:
            more = len(warnings) - MOST_WARNINGS + 1
            warnings = [
                *warnings[: MOST_WARNINGS - 1],
                tr("and {more} more: action=plan has all", more=more),
            ]
        self.query_one(Banner).set_sentences([(heard(line), "warn") for line in warnings])
        try:
            held = launch.held()
        except RunnerError as error:
            self._warn(tr("{error}.", error=error))
            self._go(Step.ENDED, [(tr("nothing can be started"), "bad")])
            return
        if held is not None:
            self._warn(
                tr(
                    "A runner is at work on it already (pid {pid} on {host}); o shows it.",
                    pid=held.pid,
                    host=held.host,
                ),
                "warn",
            )
            self._go(Step.ENDED, [(tr("not started: a runner is at work"), "warn")])
        else:
            self._go(Step.READY, _offer(launch))

    # -- what is said

    def _say(self, pieces: list[Piece]) -> None:
        self.query_one("#start-said", Line).set_lines(pieces)

    def _warn(self, sentence: str, style: str = "bad") -> None:
        self.query_one(Banner).set_sentences([(sentence, style)])

    def _go(self, step: Step, pieces: list[Piece]) -> None:
        self._step = step
        self._say(pieces)
        self.query_one("#start-button", Button).disabled = step is not Step.READY
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what is possible now."""
        if action == "start":
            return self._step is Step.READY
        if action == "look":
            return self._launch is not None and any(f.is_dir() for f in self._launch.folders)
        return True

    # -- starting

    @on(Button.Pressed, "#start-button")
    @on(RowTable.Opened)
    def _on_wanted(self) -> None:
        if self._step is Step.READY:
            self.action_start()

    def action_start(self) -> None:
        """Start the runner; once."""
        if self._step is not Step.READY or self._launch is None:
            return
        self._go(Step.STARTING, [("starting", "warn")])
        try:
            self._started = start(self._launch)
        except RunnerError as error:
            self._warn(tr("{error}.", error=error))
            self._go(Step.ENDED, [(tr("nothing was started"), "bad")])
            return
        self._say(
            [(tr("starting; what the runner says goes to {log}", log=self._started.log), "warn")]
        )

    def action_look(self) -> None:
        """Show the experiment as it is."""
        if self._launch is not None:
            self._show(next(f for f in self._launch.folders if f.is_dir()))

    def _look(self) -> None:
        """See how the runner that was started is doing."""
        started = self._started
        if started is None or self._step not in (Step.STARTING, Step.RUNNING):
            return
        if self._step is Step.STARTING and (folder := started.folder()) is not None:
            self._go(
                Step.RUNNING,
                [(tr("running; what the runner says is in {log}", log=started.log), "good")],
            )
            self._show(folder)
            return  # its end is said over the experiment, once that is on the screen
        code = started.exit_code
        if code is None:
            return
        with suppress(NoMatches):  # the dashboard is being left
            self._ended(started, code)

    def _ended(self, started: Started, code: int) -> None:
        fine = code in FINE
        left = tr("the runner has left with exit code {code}", code=code)
        if fine:
            self._go(
                Step.ENDED,
                [(tr("{left}; what it said is in {log}", left=left, log=started.log), "")],
            )
            return
        said = tr(
            "The runner ended with exit code {code}; what it said is in {log}",
            code=code,
            log=started.log,
        )
        words = started.last_words()[-3:]
        self.query_one(Banner).set_sentences([(line, "bad") for line in (said, *words)])
        if self.app.screen is not self:
            self.app.notify(
                clean(
                    tr("{said}: {words}", said=said, words=words[-1] if words else tr("nothing"))
                ),
                severity="error",
                timeout=60,
                markup=False,
            )
        self._go(
            Step.READY, [(tr("{left}; when that is mended, s starts it again", left=left), "bad")]
        )

    def _show(self, folder: Path) -> None:
        self.post_message(OpenExperiment(folder.parent, "Batches"))


def _named(launch: Launch) -> Iterator[Planned]:
    """Yield the plans under their folders' names; jobs of a sweep can share a folder."""
    seen: dict[str, int] = {}
    for plan in launch.plans:
        name = Path(str(plan["folder"])).name
        seen[name] = seen.get(name, 0) + 1
        yield Planned(f"{name} ({seen[name]})" if seen[name] > 1 else name, plan)


def _offer(launch: Launch) -> list[Piece]:
    """Say what Enter does, and what that may cost."""
    paid = [plan for plan in launch.plans if not plan["rehearsal"]]
    high = [plan["cost_usd_high"] for plan in paid]
    pieces: list[Piece] = [(tr("Enter or s starts it: "), "strong"), (launch.command, "")]
    if not paid:
        pieces.insert(0, (tr("REHEARSAL, nothing is paid. "), "warn"))
    elif any(plan["to_send"] for plan in paid):
        most = None if None in high else sum(high)
        pieces.insert(0, (tr("This is paid for, at most {most}. ", most=money(most)), "warn"))
    return pieces
