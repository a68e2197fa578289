"""methods.md: what a paper says of how the answers were collected, from what the runs recorded."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from runner.core.definition import levels_in
from runner.core.model import ItemKind, Order
from runner.report.data import Data, ReportedRun
from runner.report.figures.style import ENDINGS
from runner.report.front import rehearsal
from runner.report.levels import MANY_LEVELS
from runner.report.numbers import confounded
from runner.report.page import counts
from runner.report.parts import Parts, trials
from runner.report.rules import rules
from runner.report.table_files import markdown
from runner.report.words import Words
from runner.tables.items import items_in, shown_options
from runner.tables.runs import ATTEMPTS, Kind


def methods(data: Data, words: Words, computed: Sequence[str] = ()) -> str:
    """Return a draft of a methods section, as Markdown; what is not recorded is left out, or called unknown.

    Args:
        data: of the report.
        words: in which language.
        computed: the sections of the report whose method is named, too.
    """
    asked = data.asked
    parts = Parts(asked, words)
    lines = [f"# {words('p.title')}", "", words("p.draft")]
    if (rehearsed := rehearsal(data, words)) is not None:
        lines += ["", f"**{rehearsed}**"]
    for run in asked.runs:
        said = [_ended(markdown(line), words) for line in _sentences(run, asked, parts, words)]
        lines += [
            "",
            f"## {markdown(run.name)}",
            "",
            ("" if words.language == "ja" else " ").join(said),
        ]
    lines += [
        "",
        f"## {words('p.all')}",
        "",
        markdown(words("m.missing", what=words(f"m.as_{data.kind}"))),
    ]
    for name in computed:
        lines += ["", f"## {words(f's.{name}')}", "", markdown(words(f"m.{name}"))]
    lines += ["", f"## {words('p.wording')}"]
    shown: dict[str, list[str]] = {}
    for run in asked.runs:
        shown.setdefault("\n".join(_wording(run, asked, words)), []).append(run.name)
    for wording, names in shown.items():
        lines += ["", markdown(words("p.asked_in", runs=counts(names, words))), wording]
    return "\n".join(lines) + "\n"


def _ended(sentence: str, words: Words) -> str:
    return sentence if sentence.endswith((".", "。")) else sentence + words("p.stop")


def _sentences(run: ReportedRun, data: Data, parts: Parts, words: Words) -> Iterator[str]:
    """Yield what is known of one run."""
    of_run = pl.col("run").cast(pl.String) == run.name
    if run.stored.kind is Kind.REHEARSAL:
        yield words("p.rehearsal", model=run.model)
    if run.stored.imported:
        yield words("p.imported")
    readings = data.readings.filter(of_run)
    statuses = data.statuses.filter(of_run)
    requests = int(statuses["requests"].sum())
    asked = "p.imported_rows" if run.stored.imported else "p.asked"
    yield words(asked, model=run.model, provider=run.provider, count=f"{requests:,}")
    yield from _returned(data.returned.filter(of_run), words)
    yield from _design(readings, data.factors, words)
    yield from _temperature(readings, data.factors, run, words)
    yield from _sent(run.stored.definition, words)
    yield from _seeds(run, words)
    yield from _ends(statuses, words)
    missing = parts.missing.filter(of_run)
    yield parts.missing_of(missing, data.kind)
    yield from rules([run], words)
    if _has_no_rule(run):
        yield words("p.no_rule")
    yield from _costs(data.usage.filter(of_run).row(0, named=True), words)
    yield from _software(run.stored.manifest, words)


def _has_no_rule(run: ReportedRun) -> bool:
    summary = run.stored.summary
    return bool(summary) and "until" not in summary and not run.stored.manifest.get("rounds")


def _returned(returned: pl.DataFrame, words: Words) -> Iterator[str]:
    named = returned.filter(pl.col("model_returned").is_not_null())
    if named.height:
        shown = [f"{name} ({n:,})" for name, n in named.select("model_returned", "answers").rows()]
        yield words("p.returned", models=counts(shown, words))
    else:
        yield words("p.not_returned")
    first, last = returned["first"].min(), returned["last"].max()
    if isinstance(first, datetime) and isinstance(last, datetime):
        yield words("p.dates", first=f"{first:%Y-%m-%d}", last=f"{last:%Y-%m-%d}")


def _design(readings: pl.DataFrame, factors: Sequence[str], words: Words) -> Iterator[str]:
    there = [name for name in factors if readings[name].count()]
    if not readings.height:
        return
    levels = [
        words("p.levels", factor=words.factor(f), count=f"{readings[f].drop_nulls().n_unique():,}")
        for f in there
    ]
    yield words(
        "p.conditions",
        count=f"{readings['cell'].n_unique():,}",
        levels=f" ({counts(levels, words)})" if levels else "",
        trials=trials(readings),
    )


def _temperature(
    readings: pl.DataFrame, factors: Sequence[str], run: ReportedRun, words: Words
) -> Iterator[str]:
    column = readings["temperature"]
    sent = [f"{value:g}" for value in column.drop_nulls().unique().sort()]
    if sent:
        key = "p.temperatures_some" if column.null_count() else "p.temperatures"
        key = "p.imported_temperatures" if run.stored.imported else key
        yield words(key, values=counts(sent, words))
        if stands_for := confounded(readings, factors):
            yield words("p.calculated", factors=words.factors(stands_for))
    elif column.len() and not run.stored.imported:
        yield words("p.no_temperature")


def _sent(definition: Mapping[str, Any], words: Words) -> Iterator[str]:
    """Yield the settings of every request, and those that differ by levels."""
    model = definition.get("model")
    groups = {"": model} if model else {}
    for levels, said in {**groups, **definition.get("sent", {})}.items():
        settings = {"max_output_tokens": said.get("max_output_tokens")} | dict(said["parameters"])
        shown = [f"{key}={value}" for key, value in settings.items() if value is not None]
        if shown:
            where = f" ({levels})" if levels else ""
            yield words("p.settings", where=where, settings=counts(shown, words))


def _seeds(run: ReportedRun, words: Words) -> Iterator[str]:
    definition, config = run.stored.definition, run.stored.manifest.get("config") or {}
    shuffle = definition.get("shuffle") or {}
    for what in ("items", "options"):
        if (order := shuffle.get(what, Order.FIXED)) != Order.FIXED:
            yield words(f"p.shuffled_{what}", order=order, seed=shuffle["seed"])
    for key, said in (definition.get("design") or {}).items():
        if key.startswith("between."):
            yield words("p.between", factor=key.removeprefix("between."), said=said)
    for name, factor in (config.get("factors") or {}).items():
        if isinstance(factor, Mapping) and isinstance(sample := factor.get("sample"), Mapping):
            shown = [f"{key}={value}" for key, value in sample.items() if value is not None]
            yield words("p.sample", factor=name, sample=counts(shown, words))


def _ends(statuses: pl.DataFrame, words: Words) -> Iterator[str]:
    ends = dict(statuses.select("status", "requests").iter_rows())
    shown = [
        words(f"p.{status}", count=f"{count:,}")
        for status in ENDINGS
        if (count := ends.get(status, 0)) and status != "imported"
    ]
    if shown:
        yield words("p.ends", ends=counts(shown, words))
    if not statuses["attempts"].null_count() and not statuses["lost"].null_count():
        answers, lost = (int(statuses[name].sum()) for name in ("attempts", "lost"))
        yield words("p.attempts", answers=f"{answers:,}", lost=f"{lost:,}")


def _costs(usage: Mapping[str, Any], words: Words) -> Iterator[str]:
    if usage["attempts"] is None:
        return
    if usage["input_tokens"] is not None and usage["output_tokens"] is not None:
        into, out = (f"{usage[f'{side}_tokens']:,}" for side in ("input", "output"))
        yield words("p.tokens", input=into, output=out)
    cost = usage["cost_usd"]
    yield words("p.cost_unknown") if cost is None else words("p.cost", cost=f"{cost:,.4f}")


def _software(manifest: Mapping[str, Any], words: Words) -> Iterator[str]:
    versions = {"Chorus": manifest.get("chorus"), "Python": manifest.get("python")}
    shown = [f"{n} {v}" for n, v in {**versions, **manifest.get("packages", {})}.items() if v]
    if shown:
        yield words("p.software", versions=counts(shown, words))


def _wording(run: ReportedRun, data: Data, words: Words) -> Iterator[str]:
    """Yield the lines that show what was asked: the templates, as they were before anything was filled in."""
    definition = run.stored.definition
    design, prompt = definition.get("design") or {}, definition.get("prompt") or {}
    own = {
        key: text for key, text in design.items() if re.match(r"messages\[\d+]\.(?!images)", key)
    }
    for name, text in (own or {v: prompt[v] for v in _variants(run) if v in prompt}).items():
        yield from ("", words("p.template", name=markdown(name)), "", *_fenced(text))
    yield ""
    asked = items_in(definition)
    for key, row in definition["questions"].items():
        item = asked[key]
        name = f"{key} {row['label']}" if row["label"] != key else key
        said = [name, *([item.ask] if item.ask else [])]
        if item.options:
            said.append(shown_options(item.options))
        elif item.kind is ItemKind.NUMBER:
            said.append(words("p.bounds", low=row["minimum"], high=row["maximum"]))
        yield f"- {markdown(' | '.join(said))}"
    yield from _levels(run, data, words)
    for key, persona in (definition.get("personas") or {}).items():
        title = markdown(f"{_called(data, run, 'persona', key)} ({key})")
        yield from ("", words("p.persona", name=title), "", *_fenced(persona.get("system", "")))


def _called(data: Data, run: ReportedRun, factor: str, id_: str) -> str:
    return data.levels.get(factor, {}).get((run.stored.experiment, id_), id_)


def _levels(run: ReportedRun, data: Data, words: Words) -> Iterator[str]:
    """Yield the levels of each factor that has few, with the text of those that the configuration spells out."""
    found: dict[str, list[tuple[str, str]]] = {}
    for factor, id_, _, _ in levels_in(run.stored.definition):
        if factor != "persona":
            found.setdefault(factor, []).append((id_, _called(data, run, factor, id_)))
    config = (run.stored.manifest.get("config") or {}).get("factors") or {}
    for factor, levels in found.items():
        if len(levels) > MANY_LEVELS:
            continue
        spelt = config.get(factor)
        spelt = spelt.get("levels") if isinstance(spelt, Mapping) else None
        yield from ("", words("p.levels_of", factor=markdown(words.factor(factor))), "")
        for id_, name in levels:
            text = spelt.get(id_) if isinstance(spelt, Mapping) else None
            said = [id_, *([name] if name != id_ else [])]
            said += [" ".join(text.split())] if isinstance(text, str) else []
            yield f"- {markdown(' | '.join(said))}"


def _variants(run: ReportedRun) -> list[str]:
    """Return which templates were sent, the first one first."""
    first = (run.stored.definition.get("prompt") or {}).get("first", "plain")
    path = run.stored.folder / ATTEMPTS
    if run.stored.imported or not path.exists():
        return [first]
    sent = pl.scan_parquet(path, glob=False).select("prompt_variant").unique().collect()
    found = [str(v) for v in sent["prompt_variant"].drop_nulls().sort()]
    return sorted(found, key=lambda variant: variant != first)


def _fenced(text: str) -> tuple[str, str, str]:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text", text.rstrip("\n"), fence
