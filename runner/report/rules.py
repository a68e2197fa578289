"""What the report says of rules by which requests were sent: a pilot, and how many trials there are."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runner.report.page import counts
from runner.report.words import Words

if TYPE_CHECKING:
    from runner.report.data import ReportedRun

MOST_NAMED = 12


def rules(runs: "Iterable[ReportedRun]", words: Words) -> Iterator[str]:
    """Yield a paragraph for each pilot and each stopping rule; most runs have neither."""
    for run in runs:
        summary, manifest = run.stored.summary, run.stored.manifest
        if "pilot" in summary:
            yield words(f"m.pilot_{summary['pilot']['state']}", run=run.name, **summary["pilot"])
        elif "pilot" in manifest["experiment"]:
            yield words("m.pilot_set_aside", run=run.name)
        until = summary.get("until")
        if until is not None:
            yield _until(run.name, until, words)
        for rule in _others(until, manifest.get("rounds", ())):
            yield words(
                "m.until_before",
                run=run.name,
                item=rule["of"],
                least=f"{rule['min']:,}",
                most=f"{rule['max']:,}",
                width=f"{rule['half_width']:g}",
            )


def _until(run: str, until: Mapping[str, Any], words: Words) -> str:
    names = until["conditions_at_max"]
    listed = counts(names, words, MOST_NAMED, until["at_max"])
    return words(
        "m.until",
        run=run,
        what=words("m.until_share" if until["is_choice"] else "m.until_mean", item=until["of"]),
        named=f" ({listed})" if names else "",
        least=f"{until['min']:,}",
        most=f"{until['max']:,}",
        width=f"{until['half_width']:g}",
        **{key: f"{until[key]:,}" for key in ("reached", "constant", "at_max", "open")},
    )


def _others(
    until: Mapping[str, Any] | None, rounds: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the rules that earlier rounds were granted by, each once."""
    keys = ("min", "max", "half_width", "of")
    told = [] if until is None else [tuple(until[key] for key in keys)]
    for made in rounds:
        rule = made["rule"]
        said = tuple(rule[key] for key in keys)
        if said not in told:
            told.append(said)
            yield rule
