"""`action=patterns`: what each pattern found, with examples, and the answers that none matched."""

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from runner.batches.attempts import NO_PATTERN
from runner.batches.offline import Example, Tally
from runner.core.model import QuestionSet

_LEFT, _RIGHT = "⟦", "⟧"


def print_matches(total: Tally, questions: QuestionSet) -> None:
    """Show, per question and pattern, count, share and examples with the match marked."""
    bold = ("\x1b[1;7m", "\x1b[0m") if sys.stdout.isatty() else (_LEFT, _RIGHT)
    for question in questions.questions:
        counts = total.patterns.get(question.id, Counter())
        print(f"{question.id} {question.label}: {total.answers:,} answers")
        known = [p.name for p in questions.value_patterns]
        others = [name for name in counts if name not in {*known, NO_PATTERN}]
        for pattern in (*known, *others, NO_PATTERN):
            count = counts.get(pattern, 0)
            if not count:
                continue
            print(f"  {pattern:<14} {count:>9,}  {count / max(1, total.answers):>6.1%}")
            for example in total.examples.get((question.id, pattern), []):
                print(f"      {_marked(example, bold)}")
        for example in total.unmatched.get(question.id, []):
            print(f"      {printable(example.custom_id)}: {printable(example.before)}")


def matches_facts(total: Tally, questions: QuestionSet) -> Mapping[str, Any]:
    """Return the same as JSON has it."""
    return {
        "answers": total.answers,
        "questions": {
            q.id: {
                "patterns": {
                    name: {
                        "count": count,
                        "share": count / max(1, total.answers),
                        "examples": [
                            {"custom_id": e.custom_id, "before": e.before, "match": e.match,
                             "after": e.after}
                            for e in total.examples.get((q.id, name), [])
                        ],
                    }
                    for name, count in total.patterns.get(q.id, Counter()).items()
                    if name != NO_PATTERN
                },
                "unmatched": {
                    "count": total.patterns.get(q.id, Counter())[NO_PATTERN],
                    "examples": [
                        {"custom_id": e.custom_id, "answer": e.before}
                        for e in total.unmatched.get(q.id, [])
                    ],
                },
            }
            for q in questions.questions
        },
        "bad_lines": [{"line": number, "why": why} for number, why in total.bad],
        "bad_lines_total": total.bad_lines,
    }  # fmt: skip


def printable(text: str) -> str:
    """Return a text that can do nothing to a terminal: what controls it is replaced."""
    return text.translate(_CONTROLS)


def _marked(example: Example, marks: tuple[str, str]) -> str:
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
