"""The jobs of a sweep: their names, their folders, what stands in their way, and what they may cost."""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.phrases import NO_RUN, REHEARSAL
from runner.config.settings import Settings
from runner.config.varied import agreed, varied
from runner.core.cost import dollars
from runner.core.definition import variants
from runner.core.errors import ConfigError, IllegalTransition, RunnerError
from runner.core.identity import replaced
from runner.core.model import JsonObject, Span
from runner.core.plan import Purpose
from runner.run import assemble, preflight
from runner.run.assemble import Result
from runner.run.budget import SharedBudget
from runner.run.engine import Engine
from runner.run.notify import Messenger, names_of
from runner.run.preview import Preview
from runner.run.run import Run
from runner.storage.reader import exists

if TYPE_CHECKING:
    from runner.cli.sweep_screen import Watched

LONGEST_NAME = 60


class Fleet:
    """The engines of all jobs, to be stopped together."""

    def __init__(self) -> None:
        """Start without any."""
        self.stopping = False
        self._leaving = False
        self._engines: list[Engine] = []

    def add(self, engine: Engine) -> None:
        """Take an engine that is about to run."""
        self._engines.append(engine)
        if self.stopping:
            engine.stop(leaving=self._leaving)

    def stop(self, *, leaving: bool = False) -> None:
        """Stop them all, as `Engine.stop`; takes no lock, since a signal handler calls it."""
        self.stopping = True
        self._leaving = leaving
        for engine in self._engines:
            engine.stop(leaving=leaving)


class SweepJob:
    """One job of a sweep, and what became of it."""

    def __init__(self, name: str, run: Run) -> None:
        """Start without a folder.

        Args:
            name: what the command line says of this job and not of all.
            run: what it drives.
        """
        self.name = name
        self.run = run
        self.folder: Path | None = None
        """None while it is not known, since it was refused."""
        self.preview: Preview | None = None
        self.result: Result | None = None
        self.trouble: RunnerError | OSError | None = None
        """Why it did not start, or ended early."""
        self.crash: str | None = None
        """The traceback of a fault of ours."""
        self.watched: Watched | None = None

    @property
    def has_begun(self) -> bool:
        """Tell whether its engine ever ran."""
        return self.watched is not None and self.watched.snapshot is not None

    @property
    def most_usd(self) -> Decimal:
        """The most that what it would send now may cost; 0 where unknown."""
        return (self.preview and self.preview.estimate.high) or Decimal(0)

    @property
    def spans(self) -> Sequence[Span]:
        """What it would send now."""
        return self.preview.spans if self.preview else ()

    def take_place(self, of_others: Collection[Path], *, sending: bool) -> None:
        """Choose the folder, or note why there is none."""
        with self.noting_trouble():
            self.run = self.run.placed(of_others, sending=sending)
            self.folder = self.run.folder(sending=sending)

    def check(self, before: Iterable[Span], *, sending: bool) -> None:
        """Find out whether it can start, and what it would send.

        Args:
            before: what jobs that share its folder send before it.
            sending: whether anything is to be sent.
        """
        assert self.folder is not None
        with self.noting_trouble():
            if not sending and not exists(self.folder):
                raise ConfigError(f"{self.folder}: {NO_RUN}")
            self.preview = preflight.ready(self.run, before, sending=sending)

    def look_ahead(self, before: Iterable[Span]) -> None:
        """Find out what it would send, also where it could not start."""
        with self.noting_trouble():
            self.preview = preflight.preview(self.run, before)

    def enter(self) -> None:
        """Count what it has spent and reserved, also when it cannot start now."""
        if self.folder is None:
            return
        with self.noting_trouble():
            if self.trouble is None:
                preflight.enter_budget(self.run)
            else:
                self.run.shared_budget.look_into(self.folder)

    def drive(
        self, purpose: Purpose, watched: "Watched", fleet: Fleet, messages: Messenger
    ) -> None:
        """Run it to its end, whatever that is; raises nothing.

        Args:
            purpose: what this run is for.
            watched: shows it.
            fleet: stops its engine.
            messages: tells when it needs somebody.
        """
        self.watched = watched
        try:
            watching = messages.watching(watched, self.run, sending=purpose.sends)
            self.result = assemble.drive(self.run, purpose, watching, fleet.add)
        except IllegalTransition:
            self.crash = traceback.format_exc()
        except (RunnerError, OSError) as error:
            self.trouble = error
        except Exception:  # noqa: BLE001 - a fault of ours must not stop the other jobs; it is shown
            self.crash = traceback.format_exc()
        watched.end(self.state(interrupted=fleet.stopping))

    def state(self, *, interrupted: bool) -> str:
        """Say in a word or two how it ended."""
        if self.crash is not None:
            return "our fault"
        if self.trouble is not None:
            return "ended early" if self.has_begun else "not started"
        if self.result is None:
            return "not started"
        snapshot = self.result.snapshot
        if not snapshot.counts.open:
            return "some failed" if snapshot.counts.failed else "done"
        if snapshot.pilot is not None and snapshot.pilot.failed:
            return "pilot failed"
        if snapshot.halted:
            return "refused"
        if interrupted:
            return "interrupted"
        return "held" if snapshot.held else "open"

    def why(self, facts: Mapping[str, Any]) -> str | None:
        """Say what is to be known of how it ended; None when there is nothing.

        Args:
            facts: its summary, as the ledger keeps it.
        """
        asked = self.run.settings.config.provider.model
        found = (
            self.trouble,
            facts.get("halted"),
            facts.get("held"),
            self.crash and self.crash.strip().splitlines()[-1],
            replaced(asked, facts.get("models_returned") or {}),
            "; ".join(facts.get("twins") or ()),
            "; ".join(facts.get("charged") or ()),
        )
        return next((str(reason) for reason in found if reason), None)

    @contextmanager
    def noting_trouble(self) -> Iterator[None]:
        """Keep an error as what stands in this job's way, and let the others go on."""
        try:
            yield
        except RunnerError as error:
            self.trouble = self.trouble or error


def checked(settings: Sequence[Settings], *, sending: bool) -> list[SweepJob]:
    """Return the jobs, each with what stands in its way; nothing is sent yet.

    Raises:
        ConfigError: the budget is too small for all jobs together.
    """
    jobs = prepared(settings, sending=sending)
    _look_in_turn(jobs, lambda job, before: job.check(before, sending=sending))
    if over := over_budget(jobs):
        raise ConfigError(over)
    return jobs


def previewed(settings: Sequence[Settings]) -> list[SweepJob]:
    """Return the jobs, each with what it would send, also where it could not start."""
    jobs = prepared(settings, sending=True)
    _look_in_turn(jobs, SweepJob.look_ahead)
    return jobs


def _look_in_turn(
    jobs: Sequence[SweepJob], look: Callable[[SweepJob, Iterable[Span]], None]
) -> None:
    """Look at each job after those that share its folder and send before it; then count them all."""
    before: defaultdict[Path | None, list[Span]] = defaultdict(list)
    for job in jobs:
        if job.trouble is None:
            look(job, before[job.folder])
            before[job.folder] += job.spans
    for job in jobs:
        job.enter()


def prepared(settings: Sequence[Settings], *, sending: bool) -> list[SweepJob]:
    """Return the jobs with a folder each; live ones pay from one budget, rehearsals from none.

    Raises:
        ConfigError: ids that collide, a provider that does not exist.
    """
    budgets = {True: SharedBudget(), False: SharedBudget()}
    jobs = [
        SweepJob(name, Run(one, budgets[one.config.service.emulated]))
        for name, one in zip(_names(settings), settings, strict=True)
    ]
    alike: defaultdict[Path, list[SweepJob]] = defaultdict(list)
    for job in jobs:
        alike[job.run.settings.folder].append(job)
    for siblings in alike.values():
        _give_folders(siblings, sending=sending)
    _tell_apart(jobs, varied(settings))
    return jobs


def _tell_apart(jobs: Sequence[SweepJob], told: Sequence[Mapping[str, JsonObject]]) -> None:
    """Let each job know in what it differs from others, where that is true of its whole folder."""
    of_folder: defaultdict[Path | None, list[Mapping[str, JsonObject]]] = defaultdict(list)
    for job, cells in zip(jobs, told, strict=True):
        of_folder[job.folder].append(cells)
    for job in jobs:
        job.run = job.run.varying(agreed(of_folder[job.folder]))


def _give_folders(siblings: Sequence[SweepJob], *, sending: bool) -> None:
    """Give jobs of one provider and model their folders: one a definition, in whatever order."""
    names = variants([job.run.definition for job in siblings]) or [""] * len(siblings)
    taken: dict[Path, str] = {}
    for variant, job in sorted(zip(names, siblings, strict=True), key=lambda pair: pair[0]):
        job.run = job.run.as_variant(variant or None)
        of_others = {folder for folder, other in taken.items() if other != variant}
        job.take_place(of_others, sending=sending)
        if job.folder is not None:
            taken[job.folder] = variant


def _names(settings: Sequence[Settings]) -> list[str]:
    """Name jobs by what only some of them were told; by number where that is the same."""
    told = Counter(word for one in settings for word in dict.fromkeys(one.overrides))
    names = [
        _cut(" ".join(word for word in one.overrides if told[word] < len(settings)))
        for one in settings
    ]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        f"{name} #{number}".strip() if name in twice else name
        for number, name in enumerate(names, start=1)
    ]


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def told(jobs: Iterable[SweepJob], *, sending: bool) -> list[str]:
    """Return the variables that hold the addresses of messages, of all jobs that can start."""
    runs = [job.run for job in jobs if job.trouble is None]
    return list(dict.fromkeys(name for run in runs for name in names_of(run, sending=sending)))


def over_budget(jobs: Iterable[SweepJob]) -> str | None:
    """Say why the jobs may cost more than there is, all of them together; None when they may not."""
    paying = [job for job in jobs if job.preview is not None and not job.run.emulated]
    sending = [job for job in paying if job.preview and job.preview.to_send]
    if not sending:
        return None
    budget = min(job.run.settings.config.budget.max_usd for job in sending)
    spent = sending[0].run.shared_budget.total
    high = sum((job.most_usd for job in sending), Decimal(0))
    if spent + high <= Decimal(repr(budget)):
        return None
    requests = sum(job.preview.to_send for job in sending if job.preview)
    dearest = max(sending, key=lambda job: job.most_usd)
    return (
        f"budget: the {requests:,} requests of {len(sending)} jobs may cost up to "
        f"{dollars(high)} in all (the dearest, {dearest.name}: {dollars(dearest.most_usd)}), with "
        f"{dollars(spent)} spent or reserved: more than "
        f"budget.max_usd={budget:g}, which all jobs share; nothing was sent: ask for less, or allow "
        "more with budget.max_usd=…"
    )


def notes(jobs: Sequence[SweepJob]) -> list[str]:
    """Return what a user should know before anything is sent, each once."""
    found = [note for job in jobs for note in preflight.warnings(job.run)]
    found += [
        f"{len(sharing)} jobs share {folder}: they run one after another, and their "
        "counters are the folder's"
        for folder, sharing in by_folder(jobs).items()
        if len(sharing) > 1
    ]
    return list(dict.fromkeys(found))


def by_folder(jobs: Iterable[SweepJob]) -> dict[Path, list[SweepJob]]:
    """Return the jobs that can start, by the folder that they share."""
    found: defaultdict[Path, list[SweepJob]] = defaultdict(list)
    for job in jobs:
        if job.folder is not None and job.trouble is None:
            found[job.folder].append(job)
    return dict(found)


def title(jobs: Sequence[SweepJob]) -> str:
    """Return what stands above all that is said of a sweep."""
    names = dict.fromkeys(job.run.settings.experiment.name for job in jobs)
    rehearsals = sum(1 for job in jobs if job.run.emulated)
    text = f"{', '.join(names)}  sweep of {len(jobs)} jobs"
    if rehearsals == len(jobs):
        return f"{text}  {REHEARSAL}"
    return f"{text}  {rehearsals} of them a {REHEARSAL}" if rehearsals else text
