"""Chorus from Python and notebooks: what the command line does, with values in and out.

    from runner import answers, plan, report, run

    plan(experiment="labels", trials=3).cost_usd_high
    run(experiment="labels", trials=3)
    answers("labels").group_by("model").len().collect()
    report("labels").page

`plan` and `run` take what a command line takes, as words or as keywords, which may be mixed:
`run(["provider.model=gpt-6-sol"], trials=3, personas=["p1", "p3"])`. Nothing is printed unless
`progress=True`. A mistake raises what the command line would have said, from `runner.core.errors`.
"""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from runner.cli import actions, sweep
from runner.cli.phrases import title
from runner.cli.plan import facts as facts_of
from runner.cli.screen import screen
from runner.cli.signals import take_over
from runner.cli.sweep_jobs import Fleet, SweepJob, checked, notes, over_budget, previewed
from runner.cli.sweep_table import Row, row_of
from runner.config.checks import LANGUAGES
from runner.config.compose import compose
from runner.config.problems import did_you_mean
from runner.config.settings import Settings
from runner.core.errors import ConfigError
from runner.run import preflight
from runner.run.run import Run

if TYPE_CHECKING:
    import polars as pl

    from runner.report import ReportFiles

_DRIVEN = ("run", "retry", "collect", "cancel")
"""What `run` does, as `action=` names it."""
_FLAGS = ("-m", "--multirun", "--config-dir", "-cd")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What one job would do: one experiment with one provider and model."""

    name: str
    """What only this job of a sweep was told, as `provider=groq`; empty for a single one."""
    experiment: str
    provider: str
    model: str
    folder: Path
    rehearsal: bool
    conditions: int
    total: int
    """Requests of the whole experiment, answered ones included."""
    to_send: int
    """Requests that would be sent now."""
    batches: int
    bytes: int
    input_tokens: int
    """Estimated."""
    cost_usd_low: float | None
    """US dollars; None where the model's price is not known."""
    cost_usd_high: float | None
    notes: tuple[str, ...]
    """What should be known before anything is sent."""
    facts: Mapping[str, Any]
    """All that `action=plan --json` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent and what it may cost; nothing was sent, no file was written."""

    jobs: tuple[JobPlan, ...]
    """One, or those of a sweep."""
    refused: Mapping[str, str]
    """The jobs of a sweep that cannot start, by name, and why."""
    over_budget: str | None
    """Why all jobs together may cost more than `budget.max_usd`; None where they may not."""

    @property
    def to_send(self) -> int:
        """Requests that would be sent now, over all jobs."""
        return sum(job.to_send for job in self.jobs)

    @property
    def cost_usd_low(self) -> float | None:
        """US dollars over all jobs; None where the price of one is not known."""
        return _sum(job.cost_usd_low for job in self.jobs)

    @property
    def cost_usd_high(self) -> float | None:
        """US dollars over all jobs; None where the price of one is not known."""
        return _sum(job.cost_usd_high for job in self.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How one job ended."""

    name: str
    """What only this job of a sweep was told; empty for a single one."""
    state: str
    """done, some failed, open, held, refused, interrupted, not started, ended early, …"""
    folder: Path | None
    """Where its tables stand; None for a job that was refused before it had one."""
    rehearsal: bool
    total: int
    """Requests: success + retry_success + failed + open."""
    success: int
    retry_success: int
    failed: int
    open: int
    cost_usd: float | None
    """US dollars at batch prices (of a rehearsal: what it would have cost); None where it is not known."""
    why: str | None
    """What is to be known of how it ended; None when there is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run, or a sweep, ended."""

    jobs: tuple[JobResult, ...]
    """One, or those of a sweep."""
    notes: tuple[str, ...]
    """What was to be known before anything was sent."""

    @property
    def is_done(self) -> bool:
        """Whether every request of every job is answered; else calling `run` again goes on."""
        return all(job.state == "done" for job in self.jobs)

    @property
    def cost_usd(self) -> float | None:
        """US dollars over all jobs; None where it is not known of one."""
        return _sum({job.folder: job.cost_usd for job in self.jobs}.values())

    def answers(self) -> "pl.LazyFrame":
        """Return the answers of these jobs, as `runner.answers` does.

        Raises:
            ConfigError: there is no table yet.
        """
        folders = dict.fromkeys(job.folder for job in self.jobs if job.folder is not None)
        if not folders:
            raise ConfigError(f"no job has begun: {'; '.join(job.why or '' for job in self.jobs)}")
        outputs = next(iter(folders)).parent.parent
        names = [f"{folder.parent.name}/{folder.name}" for folder in folders]
        return answers(*names, outputs=outputs, rehearsals=True)


def plan(overrides: Sequence[str] = (), /, **settings: Any) -> Plan:
    """Return what would be sent and what it may cost; opens no socket and writes no file.

    Args:
        overrides: words of a command line, as `["provider=openai", "trials=3"]`; with `-m` or
            `panel=` in them a sweep.
        settings: the same as keywords: `trials=3`, `temperatures=[0.1, 0.7]`, `temperatures=None`,
            `**{"provider.model": "gpt-6-sol"}`.

    Raises:
        ConfigError: a mistake in the settings or the files.
        LedgerOfAnotherExperiment: prompts, texts or parameters changed under the same name.
    """
    composed = _composed(overrides, settings, "action=plan")
    if len(composed) == 1:
        run_ = Run(composed[0])
        return Plan(
            jobs=(_job_plan("", facts_of(run_, preflight.preview(run_))),),
            refused=dict(composed[0].refused),
            over_budget=None,
        )
    actions.check_alike(composed)
    jobs = previewed(composed)
    refused = {job.name: str(job.trouble) for job in jobs if job.trouble is not None}
    return Plan(
        jobs=tuple(
            _job_plan(job.name, facts_of(job.run, job.preview))
            for job in jobs
            if job.preview is not None
        ),
        refused=refused | {name: why for job in jobs for name, why in job.run.settings.refused},
        over_budget=over_budget(jobs),
    )


def run(overrides: Sequence[str] = (), /, *, progress: bool = False, **settings: Any) -> Outcome:
    """Run an experiment, or go on with it: what the command line does, money included.

    Called again, it sends nothing twice: what was sent is collected, what is missing is asked.
    Interrupted once (Ctrl-C, or a notebook's stop), it ends cleanly and raises KeyboardInterrupt,
    while batches go on at the provider; interrupted twice, it leaves at once, and is still safe.

    Args:
        overrides: as of `plan`; `action=retry`, `action=collect` and `action=cancel` may be among
            them, and `wait=false`.
        progress: show it while it goes on, in a notebook and on a terminal in place.
        settings: the same as keywords, as of `plan`.

    Raises:
        ConfigError: a mistake; nothing was sent.
        LedgerInUse: another runner is at work on this experiment.
        LedgerOfAnotherExperiment: prompts, texts or parameters changed under the same name.
        RunnerError: any other trouble of a single run; nothing was lost, calling again goes on. Of
            a sweep's jobs it stands in `why`.
        KeyboardInterrupt: it was interrupted.
    """
    composed = _composed(overrides, settings)
    config = composed[0].config
    if config.action not in _DRIVEN:
        raise ConfigError(f"action={config.action}: run takes {', '.join(_DRIVEN)} only")
    if composed[0].launcher is not None:
        raise ConfigError("hydra/launcher: jobs on other machines are started by the command line")
    actions.check_alike(composed)
    fleet = Fleet()
    with _interruptible(fleet) as was_interrupted:
        drive = _one if len(composed) == 1 else _several
        rows, said = drive(composed, fleet, was_interrupted, progress=progress)
        if was_interrupted():
            raise KeyboardInterrupt
    return Outcome(jobs=tuple(map(_job_result, rows)), notes=said)


def answers(
    *over: str, outputs: str | Path = "outputs", rehearsals: bool = False
) -> "pl.LazyFrame":
    """Return the answers of runs as one typed frame; nothing is read before `collect()`.

    Args:
        over: experiments (`"literary"`) or single runs (`"literary/openai_gpt-6-luna"`); none: all.
        outputs: the folder of all experiments.
        rehearsals: take them in also where there are live answers.

    Returns:
        A row a request, of every run below the other; `run` names the run, the other columns are
        those of answers.parquet: factors as text, values as numbers, times in UTC, costs in US
        dollars, tokens as whole numbers. A column that a run does not have is null there.

    Raises:
        ConfigError: no such run, or no table yet.
    """
    import polars as pl

    from runner.tables.runs import ALL, ANSWERS, selected

    found = selected(Path(outputs), over or (ALL,), rehearsals=rehearsals)
    frames = [
        pl.scan_parquet(one.folder / ANSWERS, glob=False).select(
            pl.lit(one.name).alias("run"), pl.all()
        )
        for one in found.runs
    ]
    return pl.concat(frames, how="diagonal_relaxed")


def report(
    *over: str,
    outputs: str | Path = "outputs",
    folder: str | Path | None = None,
    lang: str = "en",
    rehearsals: bool = False,
) -> "ReportFiles":
    """Write the report over runs: an offline page with figures and tables.

    Args:
        over: as of `answers`; none: all.
        outputs: the folder of all experiments.
        folder: where to; None: `report/` in the experiment's folder, or of several in `outputs`.
        lang: ja or en.
        rehearsals: take them in also where there are live answers.

    Returns:
        The paths of the page, its figures and tables, and how many requests and values are in it.

    Raises:
        ConfigError: no such run, or no table yet.
    """
    from runner.report import write_report
    from runner.tables.runs import ALL, selected

    if lang not in LANGUAGES:
        raise ConfigError(f"lang={lang}: {did_you_mean(lang, LANGUAGES)}")
    home = Path(outputs)
    experiments = {name.partition("/")[0] for name in over}
    if len(experiments) == 1:
        home /= experiments.pop()
    found = selected(Path(outputs), over or (ALL,), rehearsals=rehearsals)
    return write_report(found, Path(folder) if folder else home / "report", language=lang)


def _composed(overrides: Sequence[str], settings: Mapping[str, Any], *more: str) -> list[Settings]:
    """Return the checked settings of every job."""
    if isinstance(overrides, str):
        raise ConfigError(f"{overrides!r}: overrides are a list of words, as ['trials=3']")
    for word in overrides:
        if word.startswith("-") and word.partition("=")[0] not in _FLAGS:
            raise ConfigError(f"{word}: only a command line takes that")
    words = [f"{name}={_typed(value)}" for name, value in settings.items()]
    return compose([*overrides, *words, *more])


def _typed(value: object) -> str:
    """Return a value as it is typed on a command line.

    Raises:
        ConfigError: it has no such form.
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str() | Path():
            return _quoted(str(value))
        case Mapping():
            pairs = (f"{_typed(key)}: {_typed(one)}" for key, one in value.items())
            return "{" + ", ".join(pairs) + "}"
        case Sequence():
            return f"[{','.join(map(_typed, value))}]"
    raise ConfigError(f"{value!r}: settings are text, numbers, truths, None, lists and dicts")


_PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z][\w.-]*", re.ASCII | re.IGNORECASE)


def _quoted(text: str) -> str:
    """Return text in Hydra's grammar, where a backslash counts only before a quote."""
    if _PLAIN.fullmatch(text):
        return text
    twice = re.sub(r"(\\+)(?='|$)", lambda found: found[1] * 2, text)
    escaped = twice.replace("'", "\\'")
    return f"'{escaped}'"


@contextmanager
def _interruptible(fleet: Fleet) -> Iterator[Callable[[], bool]]:
    """Let an interrupt stop engines cleanly, and the second one leave at once.

    Yields:
        A question: was it interrupted?
    """
    hits = 0

    def hit(number: int, frame: FrameType | None) -> None:
        nonlocal hits
        hits += 1
        if hits > 1:
            signal.default_int_handler(number, frame)
        fleet.stop(leaving=True)

    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield lambda: False
        return
    before = take_over(hit, signal.SIGINT)
    try:
        yield lambda: hits > 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _one(
    composed: Sequence[Settings],
    fleet: Fleet,
    was_interrupted: Callable[[], bool],
    *,
    progress: bool,
) -> tuple[list[Row], tuple[str, ...]]:
    """Drive a single run; return its row and its notes."""
    purpose = actions.purpose_of(composed[0].config)
    found = Run(composed[0])
    job = SweepJob("", found.placed((), sending=purpose.sends))
    shown = screen(title(job.run), json=not progress)
    with actions.driven(job.run, purpose, shown, fleet.add, was_interrupted) as job.result:
        job.folder = job.result.folder
    return [row_of(job, interrupted=was_interrupted())], preflight.warnings(found)


def _several(
    composed: Sequence[Settings],
    fleet: Fleet,
    was_interrupted: Callable[[], bool],
    *,
    progress: bool,
) -> tuple[list[Row], tuple[str, ...]]:
    """Drive the jobs of a sweep; return their rows and their notes."""
    purpose = actions.purpose_of(composed[0].config)
    jobs = checked(composed, sending=purpose.sends)
    silent = not progress
    with sweep.driven(jobs, purpose, fleet, was_interrupted, silent=silent) as rows:
        return rows, tuple(notes(jobs))


def _job_plan(name: str, facts: Mapping[str, Any]) -> JobPlan:
    return JobPlan(
        name=name,
        experiment=facts["experiment"],
        provider=facts["provider"],
        model=facts["model"],
        folder=Path(facts["folder"]),
        rehearsal=facts["rehearsal"],
        conditions=facts["conditions"],
        total=facts["total"],
        to_send=facts["to_send"],
        batches=facts["batches"],
        bytes=facts["bytes"],
        input_tokens=facts["input_tokens"],
        cost_usd_low=facts["cost_usd_low"],
        cost_usd_high=facts["cost_usd_high"],
        notes=tuple(facts["notes"]),
        facts=facts,
    )


def _job_result(row: Row) -> JobResult:
    cost, folder = row["cost_usd"], row["folder"]
    return JobResult(
        name=row["job"],
        state=row["state"],
        folder=None if folder is None else Path(folder),
        rehearsal=row["rehearsal"],
        total=row["total"] or 0,
        success=row["success"] or 0,
        retry_success=row["retry_success"] or 0,
        failed=row["failed"] or 0,
        open=row["open"] or 0,
        cost_usd=None if cost is None else float(cost),
        why=row["why"],
    )


def _sum(parts: Iterator[float | None] | Any) -> float | None:
    known = list(parts)
    return None if None in known else float(sum(known))
