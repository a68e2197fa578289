"""`action=import`: an existing table in the study's columns, checked row by row, nothing invented."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from runner import __version__
from runner.core.definition import define_questions
from runner.core.errors import ConfigError
from runner.core.expand import BUNDLED_FACTORS
from runner.core.model import Experiment, Question
from runner.storage.files import part_of, settle, write_durably
from runner.tables.export import guarded
from runner.tables.formats import REHEARSAL, STUDY
from runner.tables.items import NUMBER, folded, no_numbers
from runner.tables.sheets import Faults, content_of, decoded, excerpt, placed, rows

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "–"})
"""What stands for a missing value, in small letters."""
FOLDER = "imported"
WHOLE = re.compile(r"[0-9]+(\.0*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was taken in."""

    folder: Path
    rows: int
    values: int
    missing: int
    encoding: str
    sha256: str
    models: tuple[str, ...]


def import_table(path: Path, experiment: Experiment, outputs: Path) -> Imported:
    """Check a table and store it as a run of its own, beside those that were asked.

    Args:
        path: a CSV file with the study's columns.
        experiment: says the name, the questions and their ranges, and what personas and texts are
            called; the file may name them by id or by name.
        outputs: the folder of all experiments.

    Raises:
        ConfigError: every problem of the file with its row; nothing was written.
    """
    content = content_of(path)
    _check_fits(path, experiment)
    digest = sha256(content).hexdigest()
    folder = outputs / experiment.name / FOLDER
    _check_free(folder, digest)
    text, encoding = decoded(content, f"input={path}")
    table = _Table(path, experiment)
    rows = list(table.rows(text))
    table.raise_any()
    frame = pl.DataFrame(rows, schema=table.schema(), orient="row")
    if frame["rehearsal"].n_unique() > 1:
        raise ConfigError(
            f"input={path}: rows of rehearsals (developer {REHEARSAL}…) stand beside others: split "
            "the file. Nothing was imported"
        )
    manifest = _manifest(experiment, table)
    manifest["imported"] = {
        "file": path.name,
        "sha256": digest,
        "encoding": encoding,
        "rows": frame.height,
    }
    manifest["experiment"] |= {
        "id": f"imported-{digest[:12]}",
        "emulated": bool(frame["rehearsal"][0]),
    }
    _store(folder, content, frame, manifest)
    keys = list(experiment.questions.questions)
    values = sum(int(frame[f"{q.id}_value"].count()) for q in keys)
    models = frame.select("provider", "model").unique().sort("provider", "model")
    return Imported(
        folder=folder,
        rows=frame.height,
        values=values,
        missing=frame.height * len(keys) - values,
        encoding=encoding,
        sha256=digest,
        models=tuple(f"{model} ({provider})" for provider, model in models.iter_rows()),
    )


def _check_fits(path: Path, experiment: Experiment) -> None:
    """Refuse an experiment that the study's columns have no place for."""
    if set(experiment.factors) != BUNDLED_FACTORS:
        raise ConfigError(
            f"input={path}: a table in the study's columns has the factors persona and text, and the "
            f"experiment {experiment.name} has {' and '.join(experiment.factors) or 'none'}: import it "
            "as an experiment of its own, with another experiment=… and name=…"
        )
    asked = {"questions": define_questions(experiment.questions)}
    if others := no_numbers(asked, f"the experiment {experiment.name}"):
        raise ConfigError(
            f"input={path}: a table in the study's columns holds numbers, and {others}: import it as "
            "an experiment of its own, with another experiment=… and name=…"
        )


def _check_free(folder: Path, digest: str) -> None:
    """Refuse to replace another table, or to mix one with what was asked here."""
    if (folder / "manifest.json").exists():
        known = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if known["imported"]["sha256"] != digest:
            raise ConfigError(
                f"{folder}: holds another table already ({known['imported']['file']}): choose "
                "another name=…"
            )
    elif folder.exists():
        raise ConfigError(f"{folder}: exists already; choose another name=…")


class _Table:
    """One file while it is being checked."""

    def __init__(self, path: Path, experiment: Experiment) -> None:
        self._experiment = experiment
        self._questions = experiment.questions.questions
        self._faults = Faults(f"input={path}")
        self._seen: dict[tuple[Any, ...], int] = {}
        self.personas: dict[str, str] = {}
        """Name by id, of those that the file names."""
        self.texts: dict[str, str] = {}
        self._persona_ids = ids_by_name(called(experiment, "persona", "name"))
        self._text_ids = ids_by_name(called(experiment, "text", "title"))

    def schema(self) -> dict[str, Any]:
        readings: dict[str, Any] = {}
        for question in self._questions:
            kind = pl.Int64 if question.integer else pl.Float64
            readings |= {f"{question.id}_value": kind}
            readings |= {f"{question.id}_{p}": pl.String for p in ("reason", "pattern", "cause")}
        return {**_HEAD, **readings, **_TAIL}

    def rows(self, text: str) -> Iterator[list[Any]]:
        """Yield the rows as they are stored; what is wrong is noted and left out."""
        for number, cells in rows(text, self._faults, self._columns):
            if (row := self._row(number, cells)) is not None:
                yield row

    def raise_any(self) -> None:
        self._faults.raise_any("Nothing was imported")

    def _wrong(self, row: int, what: str, fault: str) -> None:
        self._faults.of_row(row, what, fault)

    def _columns(self, header: Sequence[str]) -> dict[str, int] | None:
        """Return where each column stands."""
        wanted = [
            *STUDY,
            *(f"{q.id}value" for q in self._questions),
            *(f"{q.id}reason" for q in self._questions),
        ]
        return placed(header, wanted, self._faults)

    def _row(self, number: int, cells: Mapping[str, str]) -> list[Any] | None:
        before = self._faults.count
        for name in ("text", "developer", "model", "persona"):
            if not cells[name].strip():
                self._wrong(number, f"{name} is empty", f"no {name}")
        temperature = self._temperature(number, cells["temperature"])
        trial = self._trial(number, cells["trial"])
        timestamp = cells["timestamp"].strip() or None
        at = self._time(number, timestamp)
        readings: list[Any] = []
        for question in self._questions:
            value = self._value(number, question, cells[f"{question.id}value"])
            reason = cells[f"{question.id}reason"]
            readings += [value, reason if reason.strip() else None, None, None]
        developer = cells["developer"].strip()
        rehearsal = developer.startswith(REHEARSAL)
        provider, model = developer.removeprefix(REHEARSAL), cells["model"].strip()
        persona = _known(cells["persona"].strip(), self._persona_ids, self.personas)
        text = _known(cells["text"].strip(), self._text_ids, self.texts)
        key = (developer, model, persona, text, temperature, trial)
        if trial is not None and (first := self._seen.setdefault(key, number)) != number:
            repeated = f"{model}, {persona}, {text}, temperature {temperature}, trial {trial}"
            self._wrong(number, f"repeats row {first}: {repeated}", "repeated")
        if self._faults.count > before:
            return None
        return [
            *(self._experiment.name, provider, model, rehearsal),
            *(persona, self.personas[persona], text, self.texts[text], None, temperature, trial),
            *(None, number, timestamp, "imported", None, None),
            *readings,
            *(None, at),
        ]

    def _temperature(self, number: int, cell: str) -> float | None:
        if cell.strip().lower() in MISSING:
            return None
        if NUMBER.fullmatch(cell.strip()) is None or not 0 <= float(cell) <= 5:
            self._wrong(
                number, f"temperature {excerpt(cell)}: allowed: 0 to 5, or empty", "temperature"
            )
            return None
        return float(cell)

    def _trial(self, number: int, cell: str) -> int | None:
        if WHOLE.fullmatch(cell.strip()) is None or not 1 <= float(cell) < 1e9:
            self._wrong(number, f"trial {excerpt(cell)}: allowed: a whole number from 1", "trial")
            return None
        return int(float(cell))

    def _value(self, number: int, question: Question, cell: str) -> float | int | None:
        """Return a value as it stands there; 80.0 is the 80 that other programs write so."""
        plain = cell.strip()
        if plain.lower() in MISSING:
            return None
        where = f"{question.id}value {excerpt(cell)}"
        allowed = f"allowed: {question.minimum} to {question.maximum}, or empty when it is missing"
        try:
            value = Decimal(plain) if NUMBER.fullmatch(plain) else None
        except InvalidOperation:
            value = None
        if value is None or not question.minimum <= value <= question.maximum:
            self._wrong(number, f"{where}: {allowed}", question.id)
            return None
        if question.integer and value != int(value):
            self._wrong(
                number, f"{where}: {question.id} takes whole numbers only", f"{question.id} whole"
            )
            return None
        return int(value) if question.integer else float(value)

    def _time(self, number: int, text: str | None) -> datetime | None:
        """Return a time whose zone is known; one without a zone is kept as it was written."""
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(_padded(text))
            return found.astimezone(UTC) if found.tzinfo else None
        except (ValueError, OverflowError):
            said = f"timestamp {excerpt(text)}: allowed: as 2025-03-01 12:30:00, or 2025/3/1 9:05"
            self._wrong(number, said, "timestamp")
            return None


_STAMP = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:([ T])(\d{1,2})(:.*))?", re.ASCII)


def _padded(text: str) -> str:
    """Return a time as ISO 8601 writes it; spreadsheets leave out the zeros, as in 2025/5/1 9:05."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return text
    year, month, day, blank, hour, rest = found.groups()
    date = f"{year}-{month:0>2}-{day:0>2}"
    return f"{date}{blank}{hour:0>2}{rest}" if blank else date


_HEAD: dict[str, Any] = {
    "experiment": pl.String,
    "provider": pl.String,
    "model": pl.String,
    "rehearsal": pl.Boolean,
    "persona": pl.String,
    "persona_name": pl.String,
    "text": pl.String,
    "title": pl.String,
    "author": pl.String,
    "temperature": pl.Float64,
    "trial": pl.Int64,
    "custom_id": pl.String,
    "source_row": pl.Int64,
    "source_timestamp": pl.String,
    "status": pl.String,
    "attempts": pl.Int64,
    "lost": pl.Int64,
}
_TIME = pl.Datetime("us", "UTC")
_TAIL: dict[str, Any] = {"model_returned": pl.String, "answered_at": _TIME}
_EMPTY: dict[str, Any] = {
    **dict.fromkeys(("remote_batch", "batch", "prompt_variant"), pl.String),
    **dict.fromkeys(("outcome", "finish_reason", "request_id"), pl.String),
    **dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens"), pl.Int64),
    **dict.fromkeys(("cache_write_tokens", "cache_write_1h_tokens"), pl.Int64),
    "cost_usd": pl.Float64,
    "error": pl.String,
    **dict.fromkeys(("submitted_at", "completed_at"), _TIME),
    "raw_answer": pl.String,
}
"""What an imported table does not say."""


def ids_by_name(names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return id and name by everything that a table may call it: its id, or its name if no other has it."""
    often = Counter(map(folded, names.values()))
    known = {folded(name): (key, name) for key, name in names.items() if often[folded(name)] == 1}
    return known | {folded(key): (key, name) for key, name in names.items()}


def called(experiment: Experiment, factor: str, name: str) -> dict[str, str]:
    """Return what the levels of a factor are called, by id."""
    levels = experiment.factors[factor].levels if factor in experiment.factors else {}
    return {id_: level.fields.get(name, id_) for id_, level in levels.items()}


def _known(written: str, ids: Mapping[str, tuple[str, str]], named: dict[str, str]) -> str:
    """Return the id that a written name stands for, or the name itself; and remember the name."""
    key, name = ids.get(folded(written), (written, written))
    named.setdefault(key, name)
    return key


def _manifest(experiment: Experiment, table: _Table) -> dict[str, Any]:
    """Return what is known of the experiment: the questions as they are configured, and names."""
    return {
        "chorus": __version__,
        "experiment": {
            "name": experiment.name,
            "definition": {
                "questions": {
                    q.id: {
                        "label": q.label,
                        "minimum": q.minimum,
                        "maximum": q.maximum,
                        "integer": q.integer,
                        "reason_required": q.reason_required,
                    }
                    for q in experiment.questions.questions
                },
                "personas": {key: {"name": name} for key, name in table.personas.items()},
                "texts": {key: {"title": name} for key, name in table.texts.items()},
            },
        },
    }


def _store(folder: Path, content: bytes, frame: pl.DataFrame, manifest: dict[str, Any]) -> None:
    """Write the tables; the manifest comes last, so that a folder with one is whole."""
    whole = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in _EMPTY.items())
    write_durably(folder / "source.csv", [content])
    part = part_of(folder / "answers")
    guarded(whole).sink_csv(part, include_bom=True)
    settle(part, folder / "answers.csv")
    part_of(folder / "answers")
    whole.write_parquet(part, compression="zstd")
    settle(part, folder / "answers.parquet")
    text = json.dumps(manifest, ensure_ascii=False, indent=2)
    write_durably(folder / "manifest.json", [text.encode() + b"\n"])
