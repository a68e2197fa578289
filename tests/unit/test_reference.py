"""docs/reference.md: every setting, with what it may be, its default and what it does.

The settings are made from the schema and from the comments in conf/. Made anew with
`python -m tests.unit.test_reference`, when one of them has changed.
"""

import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import omegaconf
import yaml

from runner.cli.help import GROUPS
from runner.config import options
from runner.config.checks import CHOICES
from runner.config.editor_schema import comments
from runner.config.factors import DESIGN_KEYS, FACTOR_KEYS, SAMPLE_KEYS
from runner.config.items import KINDS
from runner.config.schema import (
    Config,
    ProviderConfig,
    TrialsConfig,
)
from runner.config.shipped import SHIPPED
from runner.config.typed import Label, Trials, Words, inner, without_none
from runner.core.model import PatternKind

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference.md"
BEGIN = "<!-- settings: made by python -m tests.unit.test_reference -->\n"
END = "<!-- end -->\n"
SECTIONS = {
    "": "A run",
    "trials": "As many trials as it takes",
    "pilot": "A pilot",
    "prompt": "The wording",
    "shuffle": "Orders",
    "retry": "Asking again",
    "budget": "Money",
    "ledger": "The ledger",
    "report": "The report",
    "export": "Exports",
    "sample": "A sample to check",
    "factors": "Factors",
    "design": "The design",
    "messages": "Messages",
    "items": "Items",
    "question": "A question set",
    "persona": "A persona",
    "text": "A text",
    "provider": "A provider",
    "service": "A service",
    "poll": "Looking after batches",
    "faults": "The emulator's faults",
}
FILES = {
    "factors": "`*` stands for a factor's name.",
    "items": "`*` stands for an item's id. The items of `conf/question/*.yaml` have the same settings.",
    "question": "In `conf/question/*.yaml`.",
    "persona": "In `conf/persona/*.yaml`; `*` is the file's name.",
    "text": "In `conf/text/*.yaml`; `*` is the file's name.",
    "provider": "In `conf/provider/*.yaml`, whose comments say more of each provider, and which may have other defaults.",
    "service": "In `conf/service/*.yaml`.",
    "poll": "In `conf/service/*.yaml`.",
    "faults": "In `conf/faults/*.yaml`; shares are from 0 to 1. Only for rehearsals.",
}
SAID = {
    "name": "what the experiment is called, and its folder below `outputs`",
    "action": "what is done: see [Actions](#actions)",
    "input": "import: the table to take in, a CSV with the study's columns; extract, patterns: answers to read instead of a run's, JSONL of {custom_id, answer}",
    "data": "another file for a factor's table: `data.review=other.csv`",
    "outputs": "the folder of all experiments",
    "trials.min": "how often each condition is asked at least",
    "trials.max": "and at most",
    "trials.until.half_width": "how precise is enough: half of the 95 % interval",
    "trials.until.of": "the item that has to be so precise",
    "trials.until.per": "what is looked at by itself: each condition",
    "shuffle.seed": "another one gives other orders",
    "report.bootstrap": "of no use any more: intervals are computed, not drawn; saved commands still work",
    "report.seed": "of no use any more, as `report.bootstrap`",
    "export.rehearsals": "true: rehearsals beside live answers",
    "factors.*.file": "a table whose rows are the levels: csv, tsv, jsonl, parquet or xlsx, beside the experiment's file",
    "factors.*.from": "another experiment, whose answers are the levels",
    "factors.*.id": "the column that names a row; left out: a row is named after what is sent of it",
    "factors.*.where": "an SQL expression over the columns: which rows",
    "factors.*.sample.rows": "how many rows are drawn; a larger number only adds",
    "factors.*.sample.seed": "another one draws others",
    "factors.*.sample.by": "a column: as many of each of its values",
    "factors.*.keep": "columns that go into the results; left out: those of at most 40 characters that are not sent",
    "factors.*.missing": "by column, what stands for an empty cell; without it one that is needed is refused",
    "factors.*.levels": "words, which are their own ids; or ids with a text, or with fields",
    "factors.*.select": "ids: only these levels",
    "factors.*.sends": "the setting of the request that the levels are, as `reasoning` or `parameters.top_p`",
    "design.cross": "the factors that are crossed; left out: all that are not paired",
    "design.with": "factors that go along with another one, level by level, as `{tone: wording}`",
    "design.only": "a table with the conditions themselves, a row each; stands alone",
    "design.between": "factors of which each combination of the others gets one level",
    "design.seed": "of `between`: another one assigns otherwise",
    "messages": "turns that are sent; left out: the question set's wordings",
    "messages.*.role": "system, user or assistant; the last one is the user's",
    "messages.*.content": "the text; `{factor}`, `{factor.field}` and `{items}` are filled in",
    "messages.*.images": "pictures before the text: files beside the experiment's, or addresses",
    "items.*.label": "what the question is called, in the form and in answers; by language, as `{ja: 面白さ, en: Interest}`, that of `question.lang` is sent and read, and a report shows that of its own",
    "items.*.ask": "the question itself",
    "items.*.kind": "what an answer is",
    "items.*.options": "of a choice, choices or rank: ids, or ids with labels or aliases",
    "items.*.at_least": "of choices: how many at least; null: 1",
    "items.*.at_most": "of choices: how many at most; null: all",
    "items.*.schema": "of JSON: a JSON Schema, or a file that holds it",
    "items.*.anchors": "of a number: what some values mean, as `{1: never, 7: always}`",
    "items.*.minimum": "of a number: the smallest",
    "items.*.maximum": "of a number: the largest",
    "items.*.integer": "of a number: only whole ones",
    "items.*.required": "false: an answer without it is not asked again",
    "items.*.scale": "the scale that the item belongs to: its mean is a column",
    "items.*.reverse": "true: the item counts turned round in its scale",
    "items.*.expect": "an attention check: the right answer",
    "items.*.reason": "whether a reason is asked for; null: of numbers and choices",
    "items.*.reason_required": "false: an answer without its reason counts",
    "items.*.aliases": "what an answer may call it beside its label; only read, never sent",
    "question.name": "what the question set is called",
    "question.items": "the questions, in their order; see Items",
    "question.form": "the lines to fill in for a question with a reason",
    "question.form_value": "the same for a question without one",
    "question.plain": "the wording",
    "question.enhanced": "the stricter wording",
    "question.plain_json": "the wording for `answer: json`",
    "question.enhanced_json": "the stricter wording for `answer: json`",
    "question.value_patterns": "how values are found; the first pattern that finds its place decides",
    "question.reason_patterns": "how reasons are found; rows as those of values",
    "question.end_patterns": "where an answer is over; rows as those of values",
    "question.refusal_patterns": "how a refusal is told; rows as those of values",
    "question.value_patterns.*.name": "what the tables and `action=patterns` call it",
    "question.value_patterns.*.regex": "what it matches (RE2)",
    "question.value_patterns.*.kind": "where it looks, or a reader of the program's own",
    "question.value_words": "what a value is called in answers",
    "question.reason_words": "what a reason is called in answers",
    "question.slots": "what the form shows for several options, an order, a text or JSON",
    "question.kanji_numbers": "true: 八十 is read, too",
    "question.lang": "ja or en: which of several labels is sent and read",
    "question.answer": "json: the answer is a JSON object, by a schema where the model takes one",
    "persona.*.name": "what tables and reports call the persona",
    "persona.*.label": "what a report calls it instead; or by language, as `{en: A poet}`",
    "persona.*.system": "the system prompt",
    "text.*.title": "the title",
    "text.*.label": "what a report calls it instead; or by language",
    "text.*.author": "the author",
    "text.*.temperature_modifier": "added to the persona's temperature",
    "text.*.year": "of birth and death, or of the text; for people",
    "provider._target_": "the class that speaks to the service",
    "provider.name": "what tables and folders call it",
    "provider.model": "the model that is asked",
    "provider.trust": "your word that prompts and keys may go where a folder from elsewhere says: `[host,VARIABLE]`",
    "provider.headers": "headers of your own, each from the variable that it names, as `{x-portkey-virtual-key: PORTKEY_KEY}`",
    "provider.dialect": "how structured output and reasoning are asked for, where the class leaves that open",
    "provider.temperature_min": "the lowest temperature it takes",
    "provider.temperature_max": "the highest temperature it takes",
    "provider.realtime.concurrency": "how many are asked one by one at once",
    "provider.realtime.requests_per_minute": "how many in a minute at most",
    "provider.models": "rows that say what each model accepts; the first that matches counts; a model without one is asked with a warning",
    "provider.models.*.match": "a model's name, or a pattern of names",
    "provider.models.*.endpoint": "chat or responses: by which API it is asked",
    "provider.models.*.ends.date": "from this day on it is not asked",
    "provider.models.*.ends.source": "who says so",
    "provider.models.*.ends.successor": "what to ask instead",
    "provider.models.*.sampling": "honoured, rejected or ignored: what becomes of a temperature",
    "provider.models.*.honoured_when.reasoning": "a temperature is honoured with this much reasoning alone",
    "provider.models.*.reasoning.how": "how reasoning is told, where the class knows several ways",
    "provider.models.*.reasoning.levels": "how much it can be told to reason",
    "provider.models.*.reasoning.default": "what it does when it is told nothing",
    "provider.models.*.system_role": "as `provider.system_role`",
    "provider.models.*.max_tokens": "as `provider.max_tokens`",
    "provider.models.*.structured_output": "true: it answers by a JSON schema",
    "provider.models.*.images": "as `provider.images`",
    "provider.models.*.temperature_max": "as `provider.temperature_max`",
    "provider.models.*.parameters": "as `provider.parameters`, for this model",
    "provider.limits.requests": "how many requests a batch may have",
    "provider.limits.bytes": "how large its file may be",
    "provider.limits.batches_in_flight": "how many batches at once; null: as many as there are",
    "provider.limits.min_requests": "how few requests a batch may have",
    "provider.price.batch_discount": "what a batch takes off the list price, where no batch price is known",
    "provider.price.per_million.*.input": "of a model or pattern of names: US dollars for a million tokens in",
    "provider.price.per_million.*.output": "and out",
    "provider.price.per_million.*.source": "who says so",
    "provider.price.per_million.*.checked": "when it was looked up",
    "provider.base_url": "another address; null: what a variable like `OPENAI_BASE_URL` says, else the service's own",
    "provider.completion_window": "how long a batch may take, as 24h or 7d, where the service leaves that open",
    "provider.bucket": "where requests and results are",
    "provider.storage_url": "another address for the bucket's service; null: its own",
    "provider.only": "who is to answer, as `[anthropic]`, without fallback; `[any]`: whichever is cheapest that day. Has to be said; part of what is asked",
    "provider.slurm.partition": "the queue",
    "provider.slurm.account": "who pays",
    "provider.slurm.qos": "the quality of service",
    "provider.slurm.constraint": "features that a node has to have",
    "provider.slurm.gres": "other resources, as `gpu:a100:1`",
    "provider.slurm.timeout_min": "how long a job may take, in minutes",
    "provider.slurm.gpus_per_node": "GPUs",
    "provider.slurm.cpus_per_task": "processors",
    "provider.slurm.mem_gb": "memory, in gigabytes",
    "service.emulated": "true: a rehearsal; the emulator stands for the service",
    "faults.seed": "another one, and others are struck",
    "faults.validating_seconds": "how long a batch is looked through",
    "faults.in_progress_seconds": "how long it is at work",
    "faults.finalizing_seconds": "how long it gathers its results",
    "faults.malformed": "answers that cannot be read",
    "faults.malformed_enhanced": "the same, to the stricter wording",
    "faults.http_429": "calls that are told to wait",
    "faults.http_500": "calls that fail",
    "faults.lost_create_reply": "orders that arrive, and whose reply does not",
    "faults.failed_create_reply": "orders that do not arrive, and whose reply is an error",
    "faults.late_list_seconds": "how late a list shows a new batch",
    "faults.shuffle": "true: result lines in any order",
    "faults.missing_lines": "result lines that are not there",
    "faults.duplicate_lines": "result lines that are there twice",
    "faults.unknown_lines": "result lines of somebody else",
    "faults.failed_lines": "requests that end with an error",
    "faults.half_expired": "batches of which half expires",
    "faults.token_limit": "batches that find the queue full",
    "faults.truncated_downloads": "downloads that are cut",
    "faults.enqueued_token_limit": "how many tokens may wait at once",
    "faults.all_failed": "true: each request ends with an error",
}
"""What no comment in conf/ says, or says at greater length than a table has room for."""
FIRST = ("openai", "groq", "gemini", "bedrock", "vllm")
"""Provider files whose comments are taken before those of others."""


@dataclass(frozen=True)
class Setting:
    path: str
    type: str
    default: str
    says: str


def settings() -> Iterator[Setting]:
    """Yield every setting there is, in the schema's order."""
    options.learn(SHIPPED)
    for path, kind, default in _leaves(Config, ""):
        yield Setting(path, _words(path, kind), _default(path, default), _says(path))


def _leaves(kind: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the settings below a dataclass: path, type and default."""
    listed = {field.name: field for field in fields(kind)}
    own = options.types() if kind is ProviderConfig else {}
    for name in (*listed, *own):
        where = f"{path}.{name}".lstrip(".")
        default = _declared(listed[name]) if name in listed else None
        yield from _below(where, inner(kind, name), default)


def _below(where: str, kind: Any, default: Any) -> Iterator[tuple[str, Any, Any]]:
    bare, _ = without_none(kind)
    if where in ALIKE:
        yield where, kind, default
    elif where == "factors":
        keys = [key for key in FACTOR_KEYS if key != "sample"]
        keys += [f"sample.{key}" for key in SAMPLE_KEYS]
        yield from ((f"factors.*.{key}", Any, None) for key in keys)
    elif where == "design":
        yield from ((f"design.{key}", Any, None) for key in DESIGN_KEYS)
    elif bare is Trials:
        yield where, kind, default
        yield from _leaves(TrialsConfig, where)
    elif isinstance(bare, type) and is_dataclass(bare):
        yield from _leaves(bare, where)
    elif get_args(bare) and is_dataclass(get_args(bare)[-1]):
        if where in ("messages", "provider.models", "question.value_patterns"):
            yield where, kind, default
        yield from _leaves(get_args(bare)[-1], f"{where}.*")
    else:
        yield where, kind, default


ALIKE = (
    "question.items",
    "question.reason_patterns",
    "question.end_patterns",
    "question.refusal_patterns",
)
"""Settings whose keys stand in the table once, elsewhere."""


def _declared(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    made = field.default_factory() if field.default_factory is not MISSING else None
    return None if is_dataclass(made) else made


def _words(path: str, kind: Any) -> str:
    """Return what a setting may be."""
    bare, optional = without_none(kind)
    if path.endswith("items.*.kind"):
        found = ", ".join(KINDS)
    elif path in CHOICES:
        found = ", ".join(str(word) for word in CHOICES[path])
    elif path.endswith("_patterns.*.kind"):
        found = ", ".join(PatternKind)
    elif get_origin(bare) in (list, dict):
        found = "list" if get_origin(bare) is list else "mapping"
    else:
        found = TYPES.get(bare, "")
    return f"{found}, null" if optional and found else found


TYPES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "true, false",
    str: "text",
    Words: "a word or several",
    Label: "text, or by language",
    Trials: "whole number, or a rule",
}


def _default(path: str, declared: Any) -> str:
    found: Any = _config()
    for part in path.split("."):
        found = found.get(part, declared) if isinstance(found, dict) else declared
        if found is declared:
            break
    if found in (omegaconf.MISSING, "") or (isinstance(found, list | dict) and found):
        return ""
    if found is None:
        unknown = "*" in path or path.startswith("design.")
        return "" if unknown or _only(path) else "null"
    return f"`{str(found).lower() if isinstance(found, bool) else found}`"


@cache
def _config() -> dict[str, Any]:
    return yaml.safe_load((SHIPPED / "config.yaml").read_text(encoding="utf-8"))


@cache
def _comments() -> dict[str, str]:
    """Return what the comments in conf/ say, by setting; the first file that says something counts."""
    sources = [("", SHIPPED / "config.yaml"), ("", SHIPPED / "service" / "live.yaml")]
    others = sorted(path.stem for path in (SHIPPED / "provider").glob("*.yaml"))
    names = dict.fromkeys((*FIRST, *others))
    sources += [("provider.", SHIPPED / "provider" / f"{name}.yaml") for name in names]
    sources.append(("persona.*.", SHIPPED / "persona" / "p1.yaml"))
    sources.append(("text.*.", SHIPPED / "text" / "t1.yaml"))
    found: dict[str, str] = {}
    for prefix, path in sources:
        for key, said in comments(path.read_text(encoding="utf-8")):
            found.setdefault(f"{prefix}{key}", said)
    return found


def _says(path: str) -> str:
    said = SAID.get(path) or _comments().get(path, "")
    only = _only(path)
    return f"{only}: {said}" if only and said else said


def _only(path: str) -> str:
    """Return which providers alone can be told a setting."""
    name = path.split(".")[1] if path.startswith("provider.") else ""
    if name not in options.types():
        return ""
    line = re.compile(rf"^{name}:", re.MULTILINE)
    files = sorted((SHIPPED / "provider").glob("*.yaml"))
    return ", ".join(f.stem for f in files if line.search(f.read_text(encoding="utf-8")))


def page() -> str:
    """Return the settings as the page has them."""
    parts = [_choices()]
    rows: dict[str, list[str]] = {name: [] for name in SECTIONS}
    for one in settings():
        head, dot, _ = one.path.partition(".")
        line = _row(f"`{one.path}`", one.type, one.default, one.says)
        rows[head if dot or head == "messages" else ""].append(line)
    for name, title in SECTIONS.items():
        note = f"{FILES[name]}\n\n" if name in FILES else ""
        head = "| setting | may be | default | |\n|---|---|---|---|\n"
        parts.append(f"### {title}\n\n{note}{head}{''.join(rows[name])}")
    return "\n".join([*parts, _dashboard()])


def _row(*cells: str) -> str:
    """Return a line of a table."""
    plain = (cell.replace("|", "\\|").replace("<", "\\<") for cell in cells)
    return re.sub(r" {2,}", " ", f"| {' | '.join(plain)} |") + "\n"


def _choices() -> str:
    lines = ["### Choices", "", "| word | chooses a file of `conf/` |", "|---|---|"]
    for group in GROUPS:
        names = sorted(path.stem for path in (SHIPPED / group).glob("*.yaml"))
        lines.append(f"| `{group}=` | {', '.join(names)} |")
    return "\n".join([*lines, ""])


def _dashboard() -> str:
    path = SHIPPED / "tui" / "default.yaml"
    said = dict(comments(path.read_text(encoding="utf-8")))
    lines = ["### The dashboard's settings", "", "In a file like `conf/tui/default.yaml`.", ""]
    lines += ["| setting | default | |", "|---|---|---|", ""]
    text = "\n".join(lines)
    for name, default in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        shown = "{}" if default == {} else default
        text += _row(f"`{name}`", f"`{shown}`", said[name])
    return text


def test_the_reference_is_what_the_schema_and_the_comments_say() -> None:
    text = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)[1].split(END, 1)[0]
    assert text == page(), "write it anew: python -m tests.unit.test_reference"


def test_every_setting_says_what_it_does() -> None:
    found = list(settings())
    assert [one.path for one in found if not one.says] == []
    assert set(SAID) - {one.path for one in found} == set()
    assert [
        one.path for one in found if one.path.partition(".")[0] not in SECTIONS and "." in one.path
    ] == []
    assert len(found) == len({one.path for one in found})


def test_every_variable_of_the_environment_is_in_the_reference() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names: set[str] = set()
    for path in (*(ROOT / "runner").rglob("*.py"), *(ROOT / "tui").rglob("*.py")):
        names.update(re.findall(r"\bCHORUS_[A-Z]+\b", path.read_text(encoding="utf-8")))
    assert sorted(name for name in names if f"`{name}" not in text) == []


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    PAGE.write_text(before + BEGIN + page() + END + rest.split(END, 1)[1], encoding="utf-8")
