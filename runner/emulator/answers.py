"""Seeded pretend answers to the form found in a prompt, some of them malformed."""

from dataclasses import dataclass
from typing import Any

import orjson

from runner.emulator.dice import Dice
from runner.emulator.made_json import instance
from runner.emulator.pictures import NO_PICTURES, Pictures
from runner.emulator.prompts import Prompt, Question, read_prompt

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request, in no vendor's words."""

    model: str
    custom_id: str
    system: str
    user: str
    temperature: float
    max_tokens: int | None
    reasons_first: bool
    schema: str | None = None
    """As JSON: what the answer has to be, where the request says so."""
    pictures: Pictures = NO_PICTURES


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, in no vendor's words; `finish` is stop, length or content_filter."""

    content: str | None
    refusal: str | None
    finish: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to fill in the form that a tolerant reader should read right."""

    number: str = "{label}({word}): {value}"
    reason: str = "{label}({word}): {value}"
    newline: str = "\n"
    gap: str = "\n"
    full_width: bool = False
    has_preamble: bool = False


_OTHER_OPTION = 0.4
"""How often any option may be answered, the usual one or another."""
_NO_OPTION = "none"
_ONLY_NUMBERS = ("点", "/{high}")
"""What stands behind a number and behind no word."""
PLAIN = Layout()
LAYOUTS = (
    Layout(
        number="{label}（{word}）：{value}",
        reason="{label}（{word}）：{value}",
        full_width=True,
    ),
    Layout(number="**{label}({word}):** {value}", reason="**{label}({word}):** {value}"),
    Layout(number="**{label}({word}): {value}**", reason="**{label}({word}):** {value}"),
    Layout(newline="\r\n", gap="\r\n"),
    Layout(number="{label}({word}): {value}点"),
    Layout(number="{label}({word}): {value}/{high}"),
    Layout(number="{label}({word}): [{value}]"),
    Layout(number="- {label}({word}): {value}", reason="- {label}({word}): {value}"),
    Layout(gap="\n\n"),
    Layout(has_preamble=True, gap="\n\n"),
)
MALFORMATIONS = (
    "question_missing",
    "too_high",
    "negative",
    "not_a_number",
    "range",
    "unfilled",
    "decimal",
    "reason_missing",
    "prose",
    "refusal_text",
    "cut_short",
    "asked_twice",
    "empty",
    "refusal",
    "content_filter",
)
_IN_SCHEMA = ("too_high", "negative", "reason_missing", "cut_short", "refusal", "content_filter")
"""What can be wrong with an answer that keeps to a schema: bounds are told there, not enforced."""
_NO_VALUE = ("too_high", "negative", "not_a_number", "range", "decimal")
"""What is wrong with a number or an option; lists and words are only left out."""
_FORMLESS = ("refusal_text", "cut_short", "empty", "refusal", "content_filter")


def answer(
    seed: int, asked: ChatRequest, nth: int, malformed: float, malformed_enhanced: float
) -> Reply:
    """Answer for the n-th time; the same for ever for this seed, model, custom_id and prompt."""
    prompt = read_prompt(asked.system, asked.user, asked.schema)
    dice = Dice(seed, f"answer\x1f{asked.model}\x1f{asked.custom_id}\x1f{nth}")
    share = malformed_enhanced if prompt.is_enhanced else malformed
    flaw = None
    if dice.share() < share:
        flaws: tuple[str, ...] = MALFORMATIONS if prompt.has_form else _FORMLESS
        if prompt.is_object:
            flaws = _IN_SCHEMA
        flaw = flaws[dice.roll(len(flaws))]
    content = _content(prompt, asked.temperature, dice, flaw)
    if flaw == "refusal":
        return _reply(prompt, asked, None, _one(prompt.phrases.refusals, dice), "stop")
    if flaw == "content_filter":
        return _reply(prompt, asked, "", None, "content_filter")
    if flaw == "cut_short":
        short = content[: len(content) * (20 + dice.roll(60)) // 100]
        return _reply(prompt, asked, short, None, "length")
    return _reply(prompt, asked, content, None, "stop")


def _reply(
    prompt: Prompt, asked: ChatRequest, content: str | None, refusal: str | None, finish: str
) -> Reply:
    reasoning = 64 if asked.reasons_first else 0
    cap = asked.max_tokens
    said = content or refusal or ""
    tokens = 1 + int(len(said) * 0.85)
    if cap is not None and content and reasoning + tokens > cap:
        reasoning = min(reasoning, cap)
        tokens = cap - reasoning
        content, finish = content[: int(tokens / 0.85)], "length"
    asked_tokens = prompt.tokens + asked.pictures.tokens
    return Reply(content, refusal, finish, asked_tokens, reasoning + tokens, reasoning)


def _content(prompt: Prompt, temperature: float, dice: Dice, flaw: str | None) -> str:
    if flaw == "empty":
        return ""
    if flaw == "refusal_text":
        return _one(prompt.phrases.refusals, dice)
    if flaw == "prose" or not prompt.has_form:
        name = prompt.questions[dice.roll(len(prompt.questions))].name
        return "".join(prompt.phrases.prose).format(work=prompt.work, name=name)
    numbers = [
        _number(question, prompt.spread, temperature, dice) if question.is_one else 0
        for question in prompt.questions
    ]
    reasons = [
        _reason(question, number, prompt, dice)
        for question, number in zip(prompt.questions, numbers, strict=True)
    ]
    others = {q.label: _other(q, prompt, dice) for q in prompt.questions if not q.is_one}
    if prompt.is_object:
        return _object(prompt.questions, numbers, reasons, others, dice, flaw)
    values = [
        q.said(number) if q.is_one else _written(q, others[q.label])
        for q, number in zip(prompt.questions, numbers, strict=True)
    ]
    if flaw is not None:
        return _flawed(prompt, values, reasons, dice, flaw)
    layout = PLAIN if dice.share() < 0.7 else LAYOUTS[dice.roll(len(LAYOUTS))]
    text = _lay_out(layout, prompt.questions, values, reasons)
    return _one(prompt.phrases.preambles, dice) + "\n\n" + text if layout.has_preamble else text


def _one(sentences: tuple[str, ...], dice: Dice) -> str:
    return sentences[dice.roll(len(sentences))]


def _object(
    questions: tuple[Question, ...],
    numbers: list[float],
    reasons: list[str],
    others: dict[str, Any],
    dice: Dice,
    flaw: str | None,
) -> str:
    """Write the answer as the JSON object that the schema describes."""
    where = dice.roll(len(questions))
    low, high = questions[where].low, questions[where].high
    if not questions[where].is_one:
        flaw = None
    if flaw == "too_high":
        numbers[where] = high + (high - low) // 2
    elif flaw == "negative":
        numbers[where] = low - 10
    elif flaw == "reason_missing":
        reasons[where] = ""
    parts = {
        question.label: {
            question.number_word: others[question.label]
            if not question.is_one
            else question.said(number)
            if question.options
            else number
        }
        | ({question.reason_word: reason} if question.reason_word else {})
        for question, number, reason in zip(questions, numbers, reasons, strict=True)
    }
    return orjson.dumps(parts).decode()


def _other(question: Question, prompt: Prompt, dice: Dice) -> Any:
    """Return what is answered that is no single value, as JSON would have it."""
    if question.kind == "several":
        count = int(question.low) + dice.roll(int(question.high - question.low) + 1)
        return _drawn(question.options, dice)[:count]
    if question.kind == "order":
        return _drawn(question.options, dice)
    if question.kind == "object":
        return instance(question.schema, prompt.subjects, dice)
    return _reason(question, 0, prompt, dice)


def _drawn(options: tuple[str, ...], dice: Dice) -> list[str]:
    left = list(options)
    return [left.pop(dice.roll(len(left))) for _ in options]


def _written(question: Question, value: Any) -> str:
    """Return the same as a line of the form has it."""
    if question.kind == "object":
        return orjson.dumps(value).decode()
    return value if isinstance(value, str) else ", ".join(value) or _NO_OPTION


def _number(question: Question, spread: float, temperature: float, dice: Dice) -> float:
    if question.options and dice.share() < _OTHER_OPTION:
        return question.low + dice.roll(len(question.options))
    width = spread * (0.25 + 0.75 * temperature) * (question.high - question.low) / 100
    number = round(question.mean + width * dice.bell())
    if dice.roll(10) < 7 and question.high - question.low >= 50:
        number = 5 * round(number / 5)
    return min(question.high, max(question.low, number))


def _reason(question: Question, number: float, prompt: Prompt, dice: Dice) -> str:
    part = (number - question.low) / (question.high - question.low)
    phrases = prompt.phrases
    verdicts = phrases.verdicts["high" if part >= 0.6 else "low" if part <= 0.3 else "middle"]
    subject = prompt.subjects[dice.roll(len(prompt.subjects))]
    text = subject + verdicts[dice.roll(len(verdicts))].format(name=question.name)
    if dice.roll(4) == 0:
        text += _one(phrases.afterthoughts, dice)
    if dice.roll(1000) == 0:
        # Legal raw in JSON, and the end of a line to str.splitlines().
        text = text.replace("、", "、\u2028", 1)
    return text


def _lay_out(
    layout: Layout, questions: tuple[Question, ...], values: list[str], reasons: list[str]
) -> str:
    blocks = []
    for question, given, reason in zip(questions, values, reasons, strict=True):
        is_wide = layout.full_width and question.is_one
        value = given.translate(_FULL_WIDTH) if is_wide else given
        is_word = (bool(question.options) or not question.is_one) and layout.number.endswith(
            _ONLY_NUMBERS
        )
        number_line = (PLAIN if is_word else layout).number.format(
            label=question.label, word=question.number_word, value=value, high=question.high
        )
        reason_line = layout.reason.format(
            label=question.label, word=question.reason_word, value=reason
        )
        asked = question.reason_word
        blocks.append(f"{number_line}{layout.newline}{reason_line}" if asked else number_line)
    return layout.gap.join(blocks)


def _wrong(question: Question, value: str, no_number: str) -> dict[str, str]:
    """Return what may stand in the place of a value, by what is wrong with it."""
    low, high = question.low, question.high
    if not question.is_one:
        return dict.fromkeys(_NO_VALUE, no_number) | {"unfilled": ""}
    if question.options:
        other = _another(question, value)
        return {
            "too_high": f"{value} / {other}",
            "negative": f"not {value}",
            "not_a_number": no_number,
            "range": f"{value} or {other}",
            "unfilled": f"[{' / '.join(question.options)}]",
            "decimal": f"{value}?",
        }
    third = (high - low) // 3
    return {
        "too_high": str(high + (high - low) // 2),
        "negative": str(low - 10),
        "not_a_number": no_number,
        "range": f"{low + third}-{high - third}",
        "unfilled": f"[{low}-{high}]",
        "decimal": f"{max(low, int(float(value)) - 1)}.5",
    }


def _another(question: Question, value: str) -> str:
    """Return another answer than this one."""
    if not question.is_one:
        return value
    if question.options:
        return next(option for option in question.options if option != value)
    number = int(float(value))
    return str(number - 5 if number - 5 >= question.low else number + 5)


def _flawed(prompt: Prompt, values: list[str], reasons: list[str], dice: Dice, flaw: str) -> str:
    questions = prompt.questions
    where = dice.roll(len(questions))
    question = questions[where]
    wrong = _wrong(question, values[where], prompt.phrases.no_number)
    if flaw in wrong:
        values[where] = wrong[flaw]
    elif flaw == "reason_missing":
        reasons[where] = ""
    text = _lay_out(PLAIN, questions, values, reasons)
    if flaw == "question_missing":
        kept = [at for at in range(len(questions)) if at != where]
        return _lay_out(
            PLAIN,
            tuple(questions[at] for at in kept),
            [values[at] for at in kept],
            [reasons[at] for at in kept],
        )
    if flaw == "asked_twice":
        other = _another(question, values[where])
        return text + "\n" + _lay_out(PLAIN, (question,), [other], [reasons[where]])
    return text
