"""One run: what is asked of which service, and the folder where it is kept."""

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from runner.batches.requests import RequestFiles
from runner.batches.results import ResultReader
from runner.config.options import told
from runner.config.prices import prices_of
from runner.config.settings import Settings
from runner.core.cost import Price, PriceList
from runner.core.definition import define
from runner.core.entries import Entries
from runner.core.expand import Conditions, checked_conditions
from runner.core.level_table import are_many
from runner.core.model import BatchKey, JsonObject, Stem
from runner.core.numbered import Numbered
from runner.core.request_states import RequestStates
from runner.core.stopping import granted
from runner.providers.base import Provider
from runner.run.admission import Admission, PilotGate, Rounds
from runner.run.budget import SharedBudget
from runner.run.clock import SystemClock
from runner.run.connection import NO_RUN, Connection
from runner.run.folder import locate
from runner.storage.ledger import Ledger
from runner.storage.reader import LedgerReader


class Run:
    """One experiment with one provider and model; it does nothing by itself.

    `preflight` says what it would do, `drive` does it, `maintenance` looks after what is there.
    """

    def __init__(
        self,
        settings: Settings,
        shared_budget: SharedBudget | None = None,
        place: Path | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Check what can be checked without touching anything.

        Args:
            settings: what to run.
            shared_budget: shared with the other jobs of a sweep, which pay from the same budget.
            place: the folder, where it is chosen already.
            now: the time by which a model has ended, in seconds since the epoch.

        Raises:
            ConfigError: ids that collide, a target that is no provider.
        """
        self.settings = settings
        self.shared_budget = shared_budget or SharedBudget()
        self.connection = Connection(settings)
        self.now = now
        self.began = now()
        """What a deadline is counted from."""
        self.variant: str | None = None
        """Names the folder where other jobs of the sweep ask the same model something else."""
        self.varied: Mapping[str, JsonObject] = {}
        """What it was told otherwise than other jobs of its sweep, by column."""
        self.emulator_address: str | None = None
        """Where an emulator shows this run's world; None: it starts its own."""
        self._place = place
        tag = self.connection.tag(NO_RUN)
        self.conditions: Conditions = checked_conditions(settings.experiment, len(tag))

    @cached_property
    def definition(self) -> dict[str, Any]:
        """What makes this experiment the same experiment."""
        return define(self.settings.experiment, self.conditions)

    def as_variant(self, variant: str | None) -> Self:
        """Return this run as one of several that ask the same model different things."""
        return self._but(variant=variant)

    def varying(self, varied: Mapping[str, JsonObject]) -> Self:
        """Return this run as one of a sweep that was told some settings otherwise than others."""
        return self._but(varied=varied)

    def placed(self, taken: Collection[Path], *, sending: bool) -> Self:
        """Return this run with its folder chosen once and for all.

        Args:
            taken: folders of other definitions.
            sending: whether something may be sent; then a folder that does not fit is refused.

        Raises:
            LedgerOfAnotherExperiment: prompts, texts or parameters changed; names them.
        """
        return self._but(_place=self._located(taken, sending=sending))

    def emulated_at(self, address: str | None) -> Self:
        """Return this run with an emulator that is there already."""
        return self._but(emulator_address=address)

    def _but(self, **changes: Any) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other

    @property
    def emulated(self) -> bool:
        """Tell whether this is a rehearsal."""
        return self.settings.config.service.emulated

    def folder(self, *, sending: bool) -> Path:
        """Return the folder of this definition: the first that fits, or a new one.

        Args:
            sending: whether something may be sent; then a folder that does not fit is refused.

        Raises:
            LedgerOfAnotherExperiment: prompts, texts or parameters changed; names them.
        """
        return self._place or self._located(frozenset(), sending=sending)

    def _located(self, taken: Collection[Path], *, sending: bool) -> Path:
        return locate(
            self.settings.folder,
            self.variant,
            lambda: self.definition,
            taken,
            fork=self.settings.config.fork,
            sending=sending,
        )

    @property
    def caches(self) -> bool:
        """Whether requests ask for their prompts to be put into the service's cache."""
        experiment = self.settings.experiment
        models = [experiment.model, *(sent.model for sent in experiment.sent.values())]
        return any("cache_control" in repr(model.parameters) for model in models)

    @cached_property
    def prices(self) -> PriceList:
        """What a token costs."""
        provider = self.settings.config.provider
        now = SystemClock().now()
        tier = told(provider).tier
        return prices_of(provider.model, provider.price, caches=self.caches, tier=tier, now=now)

    @property
    def price(self) -> Price | None:
        """What a token of the first round costs; None when that is not known."""
        return self.prices.at(realtime=self.settings.realtime)

    def request_states(self) -> RequestStates:
        """Return how every request stands before anything was sent."""
        experiment, retry = self.settings.experiment, self.settings.retry
        return RequestStates.of(self.conditions, experiment.trials, retry, self.names)

    @property
    def names(self) -> Numbered | None:
        """The names of the conditions, where they are many: then requests are told by numbers."""
        return self.conditions.names if are_many(len(self.conditions)) else None

    def admission(
        self,
        request_states: RequestStates,
        folder: Path,
        grant: Callable[[Mapping[Stem, int], Mapping[str, Any]], None] = lambda *_: None,
    ) -> Admission:
        """Return what says which requests may be packed, as they stand.

        Args:
            request_states: how every request stands.
            folder: of the run.
            grant: writes down what a stopping rule grants.
        """
        experiment, pilot = self.settings.experiment, self.settings.pilot
        gate = rounds = None
        if pilot is None and experiment.stopping is None:
            return Admission()
        stems = [c.stem for c in self.conditions if c.stem in request_states.rows]
        if pilot is not None and stems:
            gate = PilotGate(pilot, stems, experiment.trials, request_states)
        if (rule := experiment.stopping) is not None:

            def values(
                batches: Sequence[BatchKey], due: Collection[Stem]
            ) -> Mapping[Stem, list[Any]]:
                from runner.tables.condition_values import values_of

                return values_of(folder, batches, experiment.questions, rule.item, due)

            rounds = Rounds(rule, stems, values, grant)
        return Admission(gate, rounds)

    def take_up_rounds(
        self, request_states: RequestStates, ledger: Ledger | LedgerReader
    ) -> RequestStates:
        """Give each condition the trials that a stopping rule has granted by now."""
        rule = self.settings.experiment.stopping
        if rule is not None:
            stems = [c.stem for c in self.conditions if c.stem in request_states.rows]
            trials = granted(rule, stems, ledger.granted(), request_states)
            for stem, wanted in trials.items():
                if wanted != request_states.rows[stem].wanted:
                    request_states.want(stem, wanted)
        return request_states

    def known_to(self, ledger: Ledger) -> RequestStates:
        """Return how the requests that a ledger's record knows stand before anything was sent.

        Others were added to the configuration since: what only looks after a run leaves them alone.
        """
        known = self._taken_up(ledger)
        if known == self.definition["conditions"]:
            return self.request_states()
        conditions = [c for c in self.conditions if c.stem in known]
        return RequestStates.of(conditions, self.settings.experiment.trials, self.settings.retry)

    def _taken_up(self, ledger: Ledger | LedgerReader) -> Mapping[str, Any]:
        """Return the conditions of a ledger: this run's, where they are many and the same."""
        record = ledger.experiment()
        ours: Mapping[str, Any] = self.definition["conditions"]
        theirs: Mapping[str, Any] = record["definition"]["conditions"]
        if not isinstance(ours, Entries) or not isinstance(theirs, Entries) or theirs != ours:
            return theirs
        ours.told = theirs.told
        ledger.take({**record, "definition": {**record["definition"], "conditions": ours}})
        return ours

    def standing(self, ledger: Ledger | LedgerReader) -> RequestStates:
        """Return how every request stands, by the batches of a ledger; of a held one, as it knows them."""
        if isinstance(ledger, Ledger):
            request_states = self.known_to(ledger)
        else:
            self._taken_up(ledger)
            request_states = self.request_states()
        for batch in ledger.batches():
            members, outcomes = ledger.members(batch.key), ledger.outcomes(batch.key)
            request_states.replay(batch.state, members, outcomes)
        return self.take_up_rounds(request_states, ledger)

    def request_files(
        self, folder: Path, provider: Provider, experiment_id: str = NO_RUN
    ) -> RequestFiles:
        """Return what packs requests and writes them, in a folder."""
        experiment, limits = self.settings.experiment, self.settings.limits
        translators = {
            key: self.connection.offline(experiment_id, sent.model)
            for key, sent in experiment.sent.items()
        }
        return RequestFiles(
            *(folder, experiment, self.conditions, provider, limits),
            translators=translators,
            names=self.names,
        )

    def result_reader(
        self,
        folder: Path,
        provider: Provider,
        request_files: RequestFiles,
        experiment_id: str = NO_RUN,
    ) -> ResultReader:
        """Return what reads result files and writes what it read below a folder."""
        return ResultReader(
            folder,
            self.settings.experiment.questions,
            provider.decode,
            self.prices,
            request_files.proof,
            decoder=self.connection.decoder(experiment_id).decode,
            highest=request_files.highest,
            proof_varies=bool(self.settings.experiment.shuffle),
        )

    def reader(self, ledger: Ledger) -> Callable[[Path], ResultReader]:
        """Return what makes a reader of this run's result files, for a folder to write below."""
        experiment_id = ledger.experiment()["id"]
        provider = self.connection.offline(experiment_id)
        request_files = self.request_files(ledger.directory, provider, experiment_id)
        made = self.result_reader(ledger.directory, provider, request_files, experiment_id)
        return made.below
