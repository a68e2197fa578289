"""The Jobs of an experiment: a row each, worst first, and their sum."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from runner.storage.commands import CommandVerb
from tui.cells import Glyphs
from tui.frame import Line
from tui.jobrows import COLUMNS, JobLine, job_cells, job_lines, job_sentences, sum_cells
from tui.language import explained, term, tr
from tui.model import Snapshot
from tui.rows import ListRows, titled
from tui.rowtable import RowTable
from tui.views.view import RETRY_FAILED, STOP_RUNNER, OpenJob, View, Wanted

MOST_SENTENCES, MOST_WHEN_SHORT = 6, 3
_TALL = 22
_SUM = "="
"""The key of the last row; no job's folder has such a name."""
KEYS = ("job", "provider", "model", "state")

Test = Callable[[JobLine], bool]


def parse(words: str) -> Test | str:
    """Return what has to hold of a job, or what is wrong with the words."""
    wanted: list[tuple[str, str]] = []
    for token in words.lower().split():
        key, colon, rest = token.partition(":")
        if colon and key not in KEYS:
            return tr("{key}: is no filter word; there are {keys}", key=key, keys=", ".join(KEYS))
        if colon and not rest:
            return tr("{key}: needs a value, as {key}:WORD", key=key)
        wanted.append((key, rest) if colon else ("", token))

    def fits(line: JobLine) -> bool:
        job = line.job
        shown = term("standing", line.standing.word)
        texts = dict(
            zip(KEYS, (job.name, job.provider, job.model, line.standing.word), strict=True)
        )
        return all(
            word in texts[key].lower()
            if key
            else any(word in text.lower() for text in (*texts.values(), shown))
            for key, word in wanted
        )

    return fits


class JobsView(View):
    """The jobs in scope."""

    ages = narrows = True
    BINDINGS: ClassVar[list[BindingType]] = [
        RETRY_FAILED,
        STOP_RUNNER,
    ]

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without jobs."""
        super().__init__(glyphs, id=id)
        self._lines: dict[str, JobLine] = {}
        self._test: Test = lambda _: True
        self._possible: tuple[bool, bool] = (False, False)

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield RowTable(titled(COLUMNS), empty=tr("nothing fits"), id="jobs")
        yield Line(id="about-job", classes="foot")

    def on_resize(self) -> None:
        """Say as many sentences as there is room for."""
        self._draw_about()

    def draw(self, snapshot: Snapshot) -> None:
        """Draw what differs."""
        lines = job_lines(snapshot, self.now, self.desk.host)
        self._lines = {
            line.job.name: line
            for line in lines
            if self._test(line) and (line.needs_attention or not self._problems)
        }
        rows = [
            (name, job_cells(line, self.now, self.glyphs)) for name, line in self._lines.items()
        ]
        if len(rows) > 1:
            rows.append((_SUM, sum_cells(list(self._lines.values()), self.glyphs)))
        self.query_one(RowTable).show_rows(ListRows(rows))
        self._draw_about()
        self._offer()

    @property
    def line(self) -> JobLine | None:
        """Return the job under the cursor; None on the sum."""
        return self._lines.get(self.query_one(RowTable).key or "")

    def _draw_about(self) -> None:
        line, foot = self.line, self.query_one("#about-job", Line)
        most = MOST_SENTENCES if self.size.height >= _TALL else MOST_WHEN_SHORT
        said = [] if line is None else job_sentences(line)
        shown = said if len(said) <= most else said[: most - 1]
        signs = {"bad": self.glyphs.bad, "warn": self.glyphs.warning}
        pieces = [[(f"{signs.get(style, self.glyphs.dot)} {text}", style)] for text, style in shown]
        if len(said) > len(shown):
            more = tr(
                "{warning} {more} more: Enter shows them",
                warning=self.glyphs.warning,
                more=len(said) - len(shown),
            )
            pieces.append([(more, "warn")])
        if line is not None and not said:
            pieces.append([(tr("{good} nothing needs attention", good=self.glyphs.good), "good")])
        foot.set_lines(*pieces)
        foot.styles.height = len(pieces) + 1
        foot.display = bool(pieces)

    # -- choosing

    def filter_hint(self) -> str:
        """Return what can be typed as a filter, in a line."""
        return "  ".join([tr("part of a name"), *(explained(key, f"{key}:WORD") for key in KEYS)])

    def set_filter(self, words: str) -> str | None:
        """Show only what fits the words."""
        found = parse(words)
        if isinstance(found, str):
            return found
        self._test, self.words = found, words.strip()
        self.redraw()
        return None

    # -- doing

    @on(RowTable.Moved)
    def _on_moved(self) -> None:
        self._draw_about()
        self._offer()

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        message.stop()
        if message.key in self._lines:
            self.post_message(OpenJob(message.key))

    def _can(self, name: str) -> bool:
        line = self.line
        if line is None:
            return False
        return line.life.at_work if name == "stop" else bool(line.job.summary.get("failed"))

    def _offer(self) -> None:
        possible = (self._can("stop"), self._can("retry"))
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is possible."""
        return self._can(str(parameters[0])) if action == "ask" else True

    def action_ask(self, name: str) -> None:
        """Want something of the runner; the user is asked first."""
        line = self.line
        if line is not None and self._can(name):
            verb = CommandVerb.STOP if name == "stop" else CommandVerb.RETRY
            self.post_message(Wanted(verb, line.job))

    def csv_rows(self) -> list[list[str]]:
        """Return what is shown."""
        if not self._lines:
            return []
        head = ["job", "provider", "model", "rehearsal", "state", "total", "success"]
        rows = [[*head, "retry_success", "failed", "open", "cost_usd", "attention"]]
        for line in self._lines.values():
            job, found = line.job, line.totals
            cost = str(found.cost_usd) if found.cost_known and job.known else ""
            counted = (found.total, found.success, found.retry_success, found.failed, found.open)
            rows.append(
                [
                    *(job.name, job.provider, job.model, str(job.emulated).lower()),
                    line.standing.word,
                    *(str(number) if job.known else "" for number in counted),
                    cost,
                    str(len(line.notices)),
                ]
            )
        return rows
