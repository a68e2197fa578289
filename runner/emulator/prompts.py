"""What a prompt asks for, found only in the text the service receives."""

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from runner.emulator.phrases import ENGLISH, JAPANESE, Phrases
from runner.emulator.slots import BRACKETS, Slot, slot_of

_SLOT = re.compile(
    r"^[ \t\u3000\-*・●#>]*(?P<label>[^\s()（）:：*][^()（）:：\n]{0,60}?)[ \t]*"
    r"[(（](?P<word>[^()（）\n]{1,16})[)）][ \t]*[:：][ \t*]*(?P<slot>.*)$",
    re.MULTILINE,
)
_NUMBER_WORD = re.compile(
    r"数値|数字|点数|得点|評価値|スコア|number|score|value|rating|回答|answer", re.IGNORECASE
)
_REASON_WORD = re.compile(r"理由|説明|根拠|reason|why|explanation", re.IGNORECASE)
_ORDINAL = re.compile(
    r"^\s*(?:(?:[QＱ問]?\s*\d+|設問\d+)\s*[.．:：、)]?\s*|[A-Za-z0-9_-]{1,40}[.:] +(?=\S))"
)
_SCHEMA = re.compile(r"^(?P<name>[^:\n]+?)(?::.*)?\nJSON Schema: (?P<schema>\{.*\})$", re.MULTILINE)
_KANA = re.compile(r"[ぁ-んァ-ヶ]")
_TITLE = re.compile(r"『([^『』\n]{1,24})』")
_ROLE = re.compile(r"あなたは(.{1,60}?)(?:です|だ。|である|として)")
_PERSONAS = (  # who answers: how far the mean moves, how wide the answers spread
    (re.compile(r"ロボット|機械|AI|人工知能|robot", re.IGNORECASE), -32, 5),
    (re.compile(r"詩人|poet", re.IGNORECASE), 16, 20),
    (re.compile(r"感情豊か|芸術家|役者"), 12, 16),
    (re.compile(r"研究者|評論家|教授|scholar", re.IGNORECASE), -6, 9),
    (re.compile(r"子供|子ども|小学生|child", re.IGNORECASE), 9, 17),
    (re.compile(r"学生|高校生|student", re.IGNORECASE), 4, 13),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the form: how it is written, its scale, and its usual answer."""

    label: str
    name: str
    number_word: str
    reason_word: str
    """Empty: no reason is asked for."""
    low: float
    high: float
    mean: float
    options: tuple[str, ...] = ()
    """What may be answered in words; then low to high are their numbers, or how many of them."""
    kind: str = "one"
    """one, several, order, words or object: what is answered."""
    schema: Any = None
    """Of an object."""

    def said(self, number: float) -> str:
        """Return a number as it is answered."""
        return self.options[int(number) - 1] if 0 < number <= len(self.options) else str(number)

    @property
    def is_one(self) -> bool:
        """Tell whether it is answered with one number or one option."""
        return self.kind == "one"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the answers need to know of a prompt."""

    questions: tuple[Question, ...]
    has_form: bool
    is_object: bool
    """Whether the answer has to be an object of JSON."""
    spread: float
    phrases: Phrases
    subjects: tuple[str, ...]
    work: str
    is_enhanced: bool
    tokens: int


_GENERIC = tuple(
    Question(f"Q{n}. {name}", name, "数値", "理由", 0, 100, 50.0)
    for n, name in enumerate(("面白さ", "驚き", "悲しみ", "怒り"), 1)
)


@lru_cache(maxsize=512)
def read_prompt(system: str, user: str, schema: str | None = None) -> Prompt:
    """Find the form, the persona and the title; without a form, four generic questions.

    A schema goes before a form.
    """
    text = f"{system}\n{user}"
    shift, spread = _persona(text)
    described = _described(schema, text, shift) if schema else ()
    found = described or _questions(text, shift)
    title = _TITLE.search(text)
    words = [question.number_word for question in found]
    phrases = ENGLISH if words and all(word.isascii() for word in words) else JAPANESE
    if described:
        phrases = JAPANESE if _KANA.search(text) else ENGLISH
    work = f"『{title[1]}』" if title else phrases.work
    return Prompt(
        questions=found or _GENERIC,
        has_form=bool(found),
        is_object=bool(described),
        spread=float(spread),
        phrases=phrases,
        subjects=tuple(subject.format(work=work) for subject in phrases.subjects),
        work=work,
        is_enhanced="重要" in text,
        tokens=8 + int(len(text) * 0.8),
    )


def _persona(text: str) -> tuple[int, int]:
    role = _ROLE.search(text)
    where = role[1] if role else text[:80]
    for pattern, shift, spread in _PERSONAS:
        if pattern.search(where):
            return shift, spread
    return 0, 12


def _questions(text: str, shift: int) -> tuple[Question, ...]:
    numbers: dict[str, tuple[str, Slot]] = {}
    reasons: dict[str, str] = {}
    slots = list(_SLOT.finditer(text))
    unfilled = [slot for slot in slots if BRACKETS.match(slot["slot"].strip())]
    for slot in unfilled or slots:  # an example of an answer is no form
        label, word = slot["label"], slot["word"]
        if _REASON_WORD.search(word):
            reasons.setdefault(label, word)
        elif _NUMBER_WORD.search(word):
            asked = slot_of(slot["slot"].strip())
            if asked.kind == "object":
                asked = replace(asked, schema=_schema_of(label, text))
            numbers.setdefault(label, (word, asked))
    story = blake2b(_SLOT.sub("", text).encode(), digest_size=8).hexdigest()
    return tuple(
        _question(label, word, reasons.get(label, ""), slot, shift, story)
        for label, (word, slot) in numbers.items()
    )


def _schema_of(label: str, text: str) -> Any:
    """Return the schema that a prompt shows for a question; one that allows any object without it."""
    found = {match["name"]: match["schema"] for match in _SCHEMA.finditer(text)}
    own = next((said for name, said in found.items() if label.startswith(name)), None)
    said = own or next(iter(found.values()), "{}")
    try:
        return json.loads(said)
    except ValueError:
        return {}


def _described(schema: str, text: str, shift: int) -> tuple[Question, ...]:
    """Return the questions of a schema: each property that has a number, and perhaps a text."""
    story = blake2b(text.encode(), digest_size=8).hexdigest()
    found = []
    for label, inside in json.loads(schema).get("properties", {}).items():
        kinds = {
            str(part.get("type")).lower(): name
            for name, part in inside.get("properties", {}).items()
        }
        choice, options = _chosen(inside.get("properties", {}))
        value = kinds.get("integer") or kinds.get("number") or choice or _first(inside)
        if value is None:
            return ()
        part = inside["properties"][value]
        said = part.get("description", "")
        slot = slot_of(f"[{said.partition(': ')[2]}]")
        why = next((n for n, p in inside["properties"].items() if n != value), "")
        if str(part.get("type")).lower() == "object":
            slot = Slot("object", schema=part)
        elif options and str(part.get("type")).lower() != "array":
            slot = Slot("one", 1, len(options), options)
        question = _question(label, value, why, slot, shift, story)
        found.append(replace(question, name=said.partition(":")[0] or label))
    return tuple(found)


def _first(inside: dict[str, Any]) -> str | None:
    return next(iter(inside.get("properties", {})), None)


def _chosen(properties: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Return the property that is one of some words, and the words."""
    for name, part in properties.items():
        if part.get("enum"):
            return name, tuple(map(str, part["enum"]))
    return None, ()


def _question(label: str, word: str, reason: str, slot: Slot, shift: int, story: str) -> Question:
    low, high = slot.low, slot.high
    if slot.kind == "one" and slot.options:
        low, high = 1, len(slot.options)
    name = _ORDINAL.sub("", label) or label
    usual = 25 + blake2b(f"{story}{name}".encode(), digest_size=1).digest()[0] % 50
    percent = min(95, max(3, usual + shift))
    mean = low + (high - low) * percent / 100
    return Question(
        label, name, word, reason, low, high, mean, slot.options, slot.kind, slot.schema
    )
