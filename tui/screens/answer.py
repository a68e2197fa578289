"""One answer: what was asked, every attempt, and the raw text with the numbers that were read marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import get_current_worker

from runner.core.states import Outcome
from runner.storage.commands import CommandVerb
from tui.answers import Places
from tui.cells import Glyphs, money
from tui.conditions import level_words
from tui.frame import Keys, Line, Piece
from tui.language import term, tr
from tui.reading import (
    MOST_SHOWN,
    Attempt,
    Marks,
    OneAnswer,
    Sent,
    Value,
    cause_words,
    marked,
    marks,
    outcome_word,
    prompt_of,
    read_one,
    shown_value,
)
from tui.textlines import TextLines
from tui.views.view import Wanted

STATE_STYLE = {"success": "good", "retry_success": "warn", "failed": "bad", "open": ""}
OUTCOME_STYLE = {"valid": "good", "invalid": "bad", "refused": "bad", "errored": "warn"}


@dataclass(frozen=True, slots=True)
class Looked:
    """One attempt of one answer, as far as it was read from disk."""

    answer: OneAnswer
    number: int
    marks: Marks
    prompt: Sent | str | None = None

    @property
    def attempt(self) -> Attempt:
        """Return the attempt that is shown."""
        return self.answer.attempts[self.number]


def look(answer: OneAnswer, number: int, *, prompt: bool = False) -> Looked:
    """Read what the marks need, and the prompt if it is wanted; to be called in a thread."""
    attempt = answer.attempts[number]
    told = prompt_of(answer.job, attempt.batch, answer.custom_id) if prompt else None
    return Looked(answer, number, marks(answer.job, attempt, answer.custom_id), told)


def head_lines(looked: Looked, glyphs: Glyphs, *, reasons: bool = False) -> Iterator[list[Piece]]:
    """Yield all factors, then what was read of each question."""
    answer, job = looked.answer, looked.answer.job.job
    condition = answer.condition
    heat = glyphs.none if condition.temperature is None else f"{condition.temperature:g}"
    gap = f" {glyphs.dot} "
    rehearsal: list[Piece] = [(tr("  REHEARSAL"), "warn")] if job.emulated else []
    yield [
        (term("status", answer.state), STATE_STYLE[answer.state] or "strong"),
        (f"{gap}{job.provider}{gap}{job.model}", ""),
        *rehearsal,
    ]
    levels = level_words(condition.levels)
    yield [
        (
            gap.join(
                [
                    *levels,
                    tr("temperature {heat}", heat=heat),
                    tr("trial {trial}", trial=answer.trial),
                ]
            ),
            "",
        )
    ]
    for note in answer.notes:
        yield [(f"{glyphs.warning} {note}", "warn")]
    attempt = looked.attempt
    if not attempt.answered:
        lost = attempt.outcome in _OUTCOMES
        word = outcome_word(attempt.outcome)
        if lost:
            yield [(tr("no answer here: {outcome}", outcome=word), "warn")]
        else:
            waits = tr("no answer yet: {batch} is {state}", batch=attempt.batch, state=word)
            yield [(waits, "warn")]
        return
    for question in answer.job.questions:
        value = attempt.values.get(question.id, Value())
        written = looked.marks.written.get(question.id, ())
        shown = glyphs.none if value.value is None else shown_value(value.value)
        line: list[Piece] = [
            (f"{question.title}  ", ""),
            (shown, "bad" if value.cause and value.value is None else "strong"),
            (f"  {value.pattern or 'none'}", "dim"),
        ]
        if value.cause:
            words = cause_words(value.cause, question, written)
            line.append((tr("  {cause}: {words}", cause=value.cause, words=words), "bad"))
        if reasons and value.reason:
            line.append((f"  {' '.join(value.reason.split())}", "dim"))
        yield line


_OUTCOMES = {outcome.value for outcome in Outcome}


def attempt_lines(looked: Looked, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield a line an attempt; the one that is shown has a sign, and the one that counts a word."""
    several = len(looked.answer.attempts) > 1
    for number, attempt in enumerate(looked.answer.attempts):
        here = several and number == looked.number
        line: list[Piece] = [
            (
                tr(
                    "{running} attempt {number}  {batch}  ",
                    running=glyphs.running if here else " ",
                    number=number + 1,
                    batch=attempt.batch,
                ),
                "",
            ),
            (outcome_word(attempt.outcome), OUTCOME_STYLE.get(attempt.outcome, "")),
        ]
        line.append((_facts(attempt), "dim"))
        if several and attempt.counts:
            line.append((tr("  counts"), "strong"))
        yield line
        if error := attempt.facts.get("error"):
            yield [(f"    {error}", "bad")]


def _facts(attempt: Attempt) -> str:
    facts = attempt.facts
    told = [
        str(facts[name])
        for name in ("prompt_variant", "finish_reason", "model_returned")
        if facts.get(name) is not None
    ]
    if facts.get("input_tokens") is not None or facts.get("output_tokens") is not None:
        tokens = (facts.get("input_tokens"), facts.get("output_tokens"))
        counted = ("?" if n is None else f"{n:,}" for n in tokens)
        told.append(tr("{counted} tokens", counted=" + ".join(counted)))
    if facts.get("cost_usd") is not None:
        told.append(money(float(facts["cost_usd"])))
    if facts.get("request_id"):
        told.append(str(facts["request_id"]))
    return "".join(f"  {part}" for part in told)


def raw_lines(looked: Looked, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield the raw answer with what was read marked; of a very long one, the beginning."""
    attempt, found = looked.attempt, looked.marks
    if found.note:
        yield [(f"{glyphs.warning} {found.note}", "warn")]
    if attempt.raw is None:
        yield [(tr("no raw answer"), "dim")]
        return
    if not attempt.raw:
        yield [(tr("the raw answer is empty"), "dim")]
        return
    yield from marked(attempt.raw[:MOST_SHOWN], _inside(found.spans))
    if len(attempt.raw) > MOST_SHOWN:
        where = (
            tr("attempts/{name}, row {row}", name=attempt.path.name, row=attempt.row)
            if attempt.path
            else "attempts/"
        )
        yield [_capped(len(attempt.raw), where, glyphs)]


def _capped(size: int, where: str, glyphs: Glyphs) -> Piece:
    return (
        tr(
            "{warning} the first {shown:,} of {size:,} characters; the whole is in {where}",
            warning=glyphs.warning,
            shown=MOST_SHOWN,
            size=size,
            where=where,
        ),
        "warn",
    )


def _inside(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((a, min(b, MOST_SHOWN)) for a, b in spans if a < MOST_SHOWN)


def prompt_lines(looked: Looked, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield the prompt as it was sent."""
    told = looked.prompt
    if told is None:
        return
    if isinstance(told, str):
        yield [(f"{glyphs.warning} {told}", "warn")]
        return
    for role, text in told.parts:
        yield [(f"{glyphs.rule * 2} {role}", "strong")]
        yield from marked(text[:MOST_SHOWN], ())
        if len(text) > MOST_SHOWN:
            yield [_capped(len(text), f"requests/{looked.attempt.batch}.jsonl", glyphs)]
    if told.rest:
        rest = ", ".join(f"{name}={value}" for name, value in told.rest.items())
        yield [(rest, "dim")]


def all_lines(looked: Looked, glyphs: Glyphs, *, prompt: bool) -> Iterator[list[Piece]]:
    """Yield everything, from the factors to the raw answer."""
    yield from head_lines(looked, glyphs, reasons=True)
    yield []
    if prompt:
        yield [
            (
                tr(
                    "{rule} the prompt, as it was sent in {batch}",
                    rule=glyphs.rule * 2,
                    batch=looked.attempt.batch,
                ),
                "dim",
            )
        ]
        yield from prompt_lines(looked, glyphs)
    else:
        yield [(tr("{rule} the prompt is folded: t shows it", rule=glyphs.rule * 2), "dim")]
    yield []
    yield from attempt_lines(looked, glyphs)
    yield []
    name = (
        tr("attempt {number}, ", number=looked.number + 1)
        if len(looked.answer.attempts) > 1
        else ""
    )
    yield [(tr("{rule} {attempt}raw answer", rule=glyphs.rule * 2, attempt=name), "dim")]
    yield from raw_lines(looked, glyphs)


class AnswerScreen(Screen[str]):
    """One answer; n and p go on to the next as they were listed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back", key_display="esc", tooltip="to the list"),
        Binding("n", "step(1)", "Next", id="next_answer", tooltip="the next answer of the list"),
        Binding("p", "step(-1)", "Previous", id="previous_answer", tooltip="the one before"),
        Binding(
            "tab", "attempt", "Attempt", id="next_attempt", priority=True, tooltip="another attempt"
        ),
        Binding("t", "prompt", "Prompt", id="show_prompt", tooltip="what was sent"),
        Binding("y", "copy", "Copy", id="copy_answer", tooltip="copy the raw answer"),
        Binding(
            "r", "again", "Ask again", id="ask_again", tooltip="ask a failed request once more"
        ),
        Binding("question_mark", "app.help", "Help", id="help", key_display="?", show=False),
        Binding("q,ctrl+c", "app.quit", "Quit", id="quit", key_display="q", show=False),
    ]

    class Read(Message):
        """An answer was read from disk."""

        def __init__(self, looked: Looked) -> None:
            """Carry it."""
            super().__init__()
            self.looked = looked

    def __init__(self, glyphs: Glyphs, places: Places, index: int, asker: Widget) -> None:
        """Show one of a list.

        Args:
            glyphs: to draw with.
            places: the list.
            index: which.
            asker: who passes on what the user wants of a runner.
        """
        super().__init__()
        self._asker = asker
        self._glyphs = glyphs
        self._places = places
        self._index = index
        self._looked: Looked | None = None
        self._prompt = False

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="answer-title")
        yield TextLines(id="answer-text")
        yield Keys(show_command_palette=False)

    def on_mount(self) -> None:
        """Read."""
        self.query_one(TextLines).focus()
        self._open(None)

    @property
    def key(self) -> str:
        """Return which answer is shown."""
        return self._places.key(self._index)

    def _open(self, number: int | None) -> None:
        self._title()
        self._read(self._index, number, prompt=self._prompt)

    def _title(self) -> None:
        one, row = self._places.at(self._index)
        several = f"{one.name}/" if len(self._places.answers.jobs) > 1 else ""
        self.query_one("#answer-title", Line).set_lines(
            [
                (f"{several}{one.table['custom_id'][row]}", "strong"),
                (
                    tr(
                        "  {number:,} of {count:,}", number=self._index + 1, count=len(self._places)
                    ),
                    "dim",
                ),
            ]
        )

    @work(thread=True, exclusive=True, group="answer")
    def _read(self, index: int, number: int | None, *, prompt: bool) -> None:
        worker = get_current_worker()
        answer = read_one(*self._places.at(index))
        looked = look(answer, answer.first_shown if number is None else number, prompt=prompt)
        if not worker.is_cancelled:
            self.post_message(self.Read(looked))

    def on_answer_screen_read(self, message: Read) -> None:
        """Draw what was read."""
        same = self._looked is not None and self._looked.answer.key == message.looked.answer.key
        self._looked = message.looked
        lines = all_lines(message.looked, self._glyphs, prompt=self._prompt)
        self.query_one(TextLines).set_lines(lines, top=not same)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is possible."""
        looked = self._looked
        if action == "attempt":
            return looked is not None and len(looked.answer.attempts) > 1
        if action == "copy":
            return looked is not None and looked.attempt.answered
        if action == "again":
            return looked is not None and looked.answer.state == "failed"
        if action == "step" and parameters:
            return 0 <= self._index + int(str(parameters[0])) < len(self._places)
        return True

    def action_back(self) -> None:
        """Go back to the list, to the answer that was shown last."""
        self.dismiss(self.key)

    def action_step(self, by: int) -> None:
        """Show another answer of the list."""
        self._index = max(0, min(self._index + by, len(self._places) - 1))
        self._open(None)
        self.refresh_bindings()

    def action_attempt(self) -> None:
        """Show another attempt."""
        if self._looked is not None:
            self._open((self._looked.number + 1) % len(self._looked.answer.attempts))

    def action_prompt(self) -> None:
        """Fold or unfold the prompt."""
        self._prompt = not self._prompt
        self._open(None if self._looked is None else self._looked.number)

    def action_copy(self) -> None:
        """Copy the raw answer."""
        if self._looked is not None and self._looked.attempt.raw is not None:
            self.app.copy_to_clipboard(self._looked.attempt.raw)
            self.notify(
                tr("{count:,} characters copied", count=len(self._looked.attempt.raw)), markup=False
            )

    def action_again(self) -> None:
        """Ask the runner to ask this one again."""
        if self._looked is not None:
            answer = self._looked.answer
            self._asker.post_message(
                Wanted(CommandVerb.RETRY, answer.job.job, requests=(answer.custom_id,))
            )
