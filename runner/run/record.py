"""What a ledger keeps of its experiment: what was asked, and how answers were read."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from runner.core.definition import fingerprint, merged, varied_in
from runner.core.errors import ConfigError
from runner.core.extract import reader
from runner.core.model import ItemKind, QuestionSet
from runner.run.run import Run
from runner.storage.ledger import Ledger
from runner.storage.reader import exists


@contextmanager
def opened(run: Run, folder: Path, *, create: bool) -> Iterator[Ledger]:
    """Hold a run's ledger, with its record brought up to date.

    Args:
        run: whose.
        folder: where.
        create: whether it may be made, and its record changed.

    Raises:
        ConfigError: there is no run, and none is to be made.
        LedgerError: it cannot be had.
    """
    if not create:
        refuse_nothing(folder)
    shared = run.settings.config.ledger.shared
    if exists(folder) or not create:
        ledger = Ledger.open(folder, shared=shared)
    else:
        ledger = Ledger.create(folder, new_record(run), shared=shared)
    with ledger:
        old = ledger.experiment()
        grown = {**old, "definition": merged(old["definition"], run.definition)}
        if old["patterns"] == patterns_of(run.settings.experiment.questions):
            grown |= how_read(run)  # an older version did not keep all of it
        if run.varied:
            grown["varied"] = {**varied_in(old), **run.varied}
        grown |= how_sent(run)
        grown |= how_called(run, old)
        if not create:
            pass
        elif grown != old:
            ledger.rewrite_experiment(grown)
        else:
            ledger.take(grown)
        yield ledger


def refuse_nothing(folder: Path) -> None:
    """Refuse a folder that is not there: nothing was run, and nothing is lost.

    Raises:
        ConfigError: it is not there.
    """
    if not folder.exists():
        raise ConfigError(f"{folder}: no run yet: run it first, or go where its outputs are")


def new_record(run: Run) -> dict[str, Any]:
    """Return the record of a run that begins now."""
    return {
        "id": fingerprint(run.definition) + f"-{random.SystemRandom().getrandbits(32):08x}",
        "name": run.settings.experiment.name,
        "created_at": time.time(),
        "emulated": run.emulated,
        **how_read(run),
        **({"varied": dict(run.varied)} if run.varied else {}),
        **how_sent(run),
        **how_called(run, {}),
        "definition": run.definition,
    }


def how_sent(run: Run) -> dict[str, Any]:
    """Return what the record keeps of a pilot, also when it is set aside later; most have none."""
    pilot = run.settings.pilot
    if pilot is None:
        return {}
    share, valid = float(pilot.share), float(pilot.valid)
    return {"pilot": {"share": share, "at_least": pilot.at_least, "valid": valid}}


def how_called(run: Run, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels for reports, with those of an older record; they are never compared."""
    labels = {**(old.get("labels") or {}), **run.settings.labels}
    return {"labels": labels} if labels else {}


def how_read(run: Run) -> dict[str, Any]:
    """Return what the record keeps of how answers are read, for what shows them."""
    questions = run.settings.experiment.questions
    said = json.dumps(asdict(questions), default=float)  # a bound may be a Decimal
    return {"patterns": patterns_of(questions), "question_set": json.loads(said)}


def patterns_of(questions: QuestionSet) -> str:
    """Return a hash of everything that decides how an answer is read."""
    rules = asdict(questions)
    for wording in ("name", "form", "form_value", "templates", "slots"):
        del rules[wording]
    if not rules["each"]:
        del rules["each"]
    for question in rules["questions"]:
        for wording in ("ask", "anchors", "asks_reason", "scale", "is_reversed", "expected"):
            del question[wording]
        if question["kind"] in _WITHOUT_MORE:
            for more in ("kind", "at_least", "at_most", "schema"):
                del question[more]
        if question["is_required"]:
            del question["is_required"]
    rules["reader"] = reader.version(questions)
    return sha256(json.dumps(rules, sort_keys=True, default=float).encode()).hexdigest()[:16]


_WITHOUT_MORE = (ItemKind.NUMBER, ItemKind.CHOICE)
"""Kinds of which older versions kept all there is; ledgers of those stay as they were read."""


def check_patterns(run: Run, ledger: Ledger) -> None:
    """Refuse to go on with patterns, or a reader, that the stored answers were not read with.

    Raises:
        ConfigError: they changed.
    """
    questions = run.settings.experiment.questions
    if ledger.experiment()["patterns"] == patterns_of(questions):
        return
    raise ConfigError(
        f"the patterns in question/{questions.name}.yaml, or this "
        f"program's reader, changed since the answers in {ledger.directory} were read: "
        "read them again first, free of charge, "
        "with action=export, and look at the counts before you go on "
        "(action=extract shows what changes, and writes nothing)"
    )
