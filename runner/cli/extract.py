"""`action=extract`, `patterns` and `sample`: what today's patterns read, what each finds, and a sheet to check it."""

import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.batches.attempts import NO_PATTERN
from runner.cli.exits import DONE, WORK_REMAINS
from runner.cli.output import labelled, print_json
from runner.cli.phrases import plural
from runner.cli.summary import finish
from runner.core.model import QuestionSet
from runner.run import maintenance
from runner.run.run import Run

if TYPE_CHECKING:
    from runner.batches.offline import Example, Tally
    from runner.run.extract import Comparison

SHOWN = 20
"""Changed values, and lines that could not be read, of which more are only counted."""


def extract(run: Run, command: str, *, as_json: bool) -> int:
    """Read answers with today's patterns; what is stored changes only with apply=true.

    Args:
        run: the run.
        command: the command line, as the user can type it again.
        as_json: print JSON; of a file, a line an answer.

    Returns:
        The exit code.
    """
    config = run.settings.config
    if config.input is not None:
        output = sys.stdout.buffer if as_json else None
        total = maintenance.read_file(run, Path(config.input), output)
        if not as_json:
            _print_tally(total)
        print_bad_lines(total)
        return WORK_REMAINS if total.bad_lines else DONE
    found = maintenance.compare(run)
    if as_json:
        print_json(_comparison_facts(found))
    else:
        apply = "" if config.apply else f"{command} apply=true"
        _print_comparison(found, folder=run.folder(sending=False), apply=apply)
    if not config.apply:
        return DONE
    result = maintenance.reread(run)
    return DONE if as_json else finish(run, result, command, interrupted=False, as_json=False)


def patterns(run: Run, *, as_json: bool) -> int:
    """Show what each of today's patterns finds; return the exit code."""
    source = run.settings.config.input
    total = (
        maintenance.read_parts(run)
        if source is None
        else maintenance.read_file(run, Path(source), examples=True)
    )
    questions = run.settings.experiment.questions
    if as_json:
        print_json(_matches_facts(total, questions))
    else:
        _print_matches(total, questions)
    print_bad_lines(total)
    return WORK_REMAINS if total.bad_lines else DONE


def sample(run: Run, command: str, *, as_json: bool) -> int:
    """Draw readings for somebody to check, and print where they stand.

    Args:
        run: whose answers.
        command: the command line, as the user can type it again.
        as_json: print JSON.

    Returns:
        The exit code.
    """
    from runner.run.sample import sample as drawn

    found = drawn(run)
    if as_json:
        print_json(asdict(found))
        return DONE
    strata = plural(found.strata, "stratum", "strata")
    print(
        f"{found.drawn:,} of {found.readings:,} readings, from {strata} (pattern, with a value or none)"
    )
    print(labelled("sheet", found.sheet))
    print(labelled("then", "write ok, wrong or missing into its column verdict; save it as CSV"))
    print(labelled("next", report_line(command)))
    return DONE


def report_line(command: str) -> str:
    """Return the command line that reports what a sheet was drawn from."""
    return re.sub(r" sample\.\w+=\S+", "", command.replace("action=sample", "action=report"))


def print_bad_lines(total: "Tally") -> None:
    """Name the lines that could not be read."""
    if not total.bad_lines:
        return
    print(f"! {total.bad_lines:,} of {total.lines:,} lines could not be read:", file=sys.stderr)
    for number, why in total.bad[:SHOWN]:
        print(f"!   line {number:,}: {why}", file=sys.stderr)
    if total.bad_lines > SHOWN:
        print(f"!   and {total.bad_lines - SHOWN:,} more", file=sys.stderr)


def _print_comparison(found: "Comparison", *, folder: Path, apply: str) -> None:
    """Say what would change.

    Args:
        found: the comparison.
        folder: the run's.
        apply: what to type to have it written; empty when it is written.
    """
    print(f"read again: {found.answers:,} answers in {folder}")
    print(f"  valid answers  {_arrow(found.valid)}")
    for title, group in (("pattern", found.patterns), ("cause", found.causes)):
        for question, counts in group.items():
            for name, pair in sorted(counts.items()):
                if pair[0] != pair[1]:
                    print(f"  {question} {title} {name:<14} {_arrow(pair)}")
    print(f"  values changed {found.values:,}, reasons changed {found.reasons:,}")
    for change in found.changes[:SHOWN]:
        old = _seen(change.old, change.old_cause, change.old_pattern)
        new = _seen(change.new, change.new_cause, change.new_pattern)
        print(f"    {change.custom_id}  {change.question}  {old} → {new}")
    if found.values > SHOWN:
        print(f"    and {found.values - SHOWN:,} more (--json shows them)")
    if found.is_empty:
        print("nothing changed: the tables are what today's patterns read")
    elif apply:
        print(f"nothing was written; to write it: {apply}")


def _arrow(pair: tuple[int, int]) -> str:
    return f"{pair[0]:,}" if pair[0] == pair[1] else f"{pair[0]:,} → {pair[1]:,}"


def _seen(value: Any, cause: str | None, pattern: str | None) -> str:
    return f"{cause if value is None else value} ({pattern or NO_PATTERN})"


def _comparison_facts(found: "Comparison") -> Mapping[str, Any]:
    return {
        "answers": found.answers,
        "valid": list(found.valid),
        "patterns": found.patterns,
        "causes": found.causes,
        "values_changed": found.values,
        "reasons_changed": found.reasons,
        "changes": [asdict(change) for change in found.changes],
    }


def _print_tally(total: "Tally") -> None:
    """Say what the answers of a file hold."""
    print(
        f"read {total.answers:,} answers: {total.valid:,} valid, "
        f"{total.answers - total.valid:,} invalid"
    )
    if total.not_answered:
        print(f"  {total.not_answered:,} requests were not answered")
    for title, group in (("pattern", total.patterns), ("cause", total.causes)):
        for question, counts in group.items():
            for name, count in counts.most_common():
                print(f"  {question} {title} {name:<14} {count:,}")


def _print_matches(total: "Tally", questions: QuestionSet) -> None:
    """Show, per question and pattern, count, share and examples with the match marked."""
    marks = ("\x1b[1;7m", "\x1b[0m") if sys.stdout.isatty() else ("⟦", "⟧")
    for question in questions.questions:
        counts = total.patterns.get(question.id, Counter())
        answers = _asked(total, question.id)
        print(f"{question.id} {question.label}: {answers:,} answers")
        known = [p.name for p in questions.value_patterns]
        others = [name for name in counts if name not in {*known, NO_PATTERN}]
        for pattern in (*known, *others, NO_PATTERN):
            if count := counts.get(pattern, 0):
                print(f"  {pattern:<14} {count:>9,}  {_share(count, answers):>6.1%}")
                for example in total.examples.get((question.id, pattern), []):
                    print(f"      {_marked(example, marks)}")
        for example in total.unmatched.get(question.id, []):
            print(f"      {printable(example.custom_id)}: {printable(example.before)}")


def _asked(total: "Tally", question: str) -> int:
    """Return how many answers there are to a question; with ask: each, not all are."""
    return sum(total.patterns.get(question, Counter()).values())


def _share(count: int, answers: int) -> float:
    return count / max(1, answers)


def _matches_facts(total: "Tally", questions: QuestionSet) -> Mapping[str, Any]:
    """Return the same as JSON has it."""
    return {
        "answers": total.answers,
        "questions": {q.id: _question_facts(total, q.id) for q in questions.questions},
        "bad_lines": [{"line": number, "why": why} for number, why in total.bad],
        "bad_lines_total": total.bad_lines,
    }


def _question_facts(total: "Tally", question: str) -> Mapping[str, Any]:
    counts = total.patterns.get(question, Counter())
    unmatched = total.unmatched.get(question, [])
    return {
        "patterns": {
            name: {
                "count": count,
                "share": _share(count, _asked(total, question)),
                "examples": [asdict(e) for e in total.examples.get((question, name), [])],
            }
            for name, count in counts.items()
            if name != NO_PATTERN
        },
        "unmatched": {
            "count": counts[NO_PATTERN],
            "examples": [{"custom_id": e.custom_id, "answer": e.before} for e in unmatched],
        },
    }


def printable(text: str) -> str:
    """Return a text that can do nothing to a terminal: what controls it is replaced."""
    return text.translate(_CONTROLS)


def _marked(example: "Example", marks: tuple[str, str]) -> str:
    before, match, after = map(printable, (example.before, example.match, example.after))
    return f"{printable(example.custom_id)}  …{before}{marks[0]}{match or ' '}{marks[1]}{after}…"


_CONTROLS = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x0A: "⏎",
    0x7F: "␡",
    **dict.fromkeys(
        (
            *range(0x80, 0xA0),
            *range(0x202A, 0x202F),
            *range(0x2066, 0x206A),
            *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
            *range(0xD800, 0xE000),
        ),
        "\ufffd",
    ),
}
