"""Before anything is sent: what a run would do, what it may cost, and what speaks against it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from runner.batches.requests import RequestFiles
from runner.config.deadline import read
from runner.config.permitted import check_parameters, note_on_addresses, one_seed
from runner.config.schema import EMULATOR
from runner.core.cost import Estimate, Price, Weight, dollars, estimate
from runner.core.deadline import Deadline, in_force
from runner.core.definition import renamed
from runner.core.errors import ConfigError
from runner.core.expand import calculated_temperature, combinations, may_be_held
from runner.core.lifetime import has_ended
from runner.core.lifetime import note as ending_note
from runner.core.lifetime import refusal as ended
from runner.core.model import Batch, Span
from runner.core.near_misses import near_misses
from runner.core.outline import first_variant, nameable
from runner.core.pack import SizedSpan, is_enough, too_few
from runner.core.plan import committed, is_past
from runner.core.prompt import ASKED, placeholders
from runner.core.request_states import RequestStates
from runner.core.spans import together
from runner.core.states import FINAL_STATES
from runner.core.summary import cost_of
from runner.run.admission import Admission, Rounds
from runner.run.clock import SystemClock
from runner.run.folder import definition_in
from runner.run.preview import Due, Preview, facts_of
from runner.run.run import Run
from runner.storage.mounts import shared_disk
from runner.storage.reader import LedgerReader, exists


def enter_budget(run: Run) -> None:
    """Let the jobs that share a budget know what earlier runs of this one have committed."""
    folder = run.folder(sending=False)
    batches: tuple[Batch, ...] = ()
    if exists(folder):
        with closing(LedgerReader(folder)) as reader:
            batches = reader.batches()
    run.shared_budget.enter(folder, run.connection.account, batches)


def ready(run: Run, before: Iterable[Span] = (), *, sending: bool) -> Preview | None:
    """Find out whether a run can start, and what it would send; nothing is sent or written.

    Args:
        run: which.
        before: requests that are sent by then, by other jobs that share the folder.
        sending: whether it sends anything.

    Raises:
        RunnerError: it cannot; says what to do about it.
    """
    if not run.emulated:
        run.connection.live()
    if not sending:
        return None
    _check_model(run)
    found = preview(run, before)
    _check_price(run, found)
    return found


def preview(run: Run, before: Iterable[Span] = ()) -> Preview:
    """Return what a run would do; opens no socket and writes no file.

    Args:
        run: which.
        before: requests that are sent by then, by other jobs that share the folder.

    Raises:
        ConfigError: a parameter that would make the table say what was not sent.
        LedgerOfAnotherExperiment: prompts, texts or parameters changed.
    """
    check_parameters(run.settings, run.connection.provider_class)
    folder = run.folder(sending=True)
    begun = _begun(run, folder)
    request_states, known, admission = begun.request_states, begun.batches, begun.admission
    counts = request_states.counts()
    request_states.depart(before)
    request_files = run.request_files(folder, run.connection.offline())
    deadline = _deadline(run, begun)
    is_late = deadline is not None and is_past(deadline.at, run.now())
    packed, short = _packed(run, request_files, request_states, is_late=is_late)
    sizes = [batch.size for batch in packed]
    requests, size, tokens = (
        (sum(column) for column in zip(*sizes, strict=True)) if sizes else _NOTHING
    )
    weights = _weights_of(packed)
    later = _later(run, request_files, request_states, admission.rounds)
    left = weights + later + _weights_of(short)
    due = None
    if deadline is not None:
        more_usd = _beside_batches(run, request_files, left, begun.in_flight)
        due = Due(deadline=deadline, is_past=is_late, more_usd=more_usd)
    price = run.prices.realtime if is_late else run.price
    likely = _estimate(run, price, weights)
    return Preview(
        folder=folder,
        committed_usd=committed(known),
        cost=cost_of(known),
        counts=counts,
        conditions=len(run.conditions),
        batches=len(packed),
        to_send=requests,
        bytes=size,
        input_tokens=tokens,
        estimate=likely,
        price=price,
        largest=max(sizes, default=_NOTHING),
        warnings=(
            *warnings(run),
            *_over_the_budget(run, known, likely, due),
            *_short(run, admission, request_states, sum(batch.size[0] for batch in short)),
        ),
        pilot=admission.standing,
        until=admission.facts().get("until"),
        at_most=_at_most(run, request_states, price, weights, later),
        spans=together([batch.spans for batch in packed]),
        due=due,
    )


_NOTHING = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What earlier runs have left."""

    request_states: RequestStates
    admission: Admission
    batches: tuple[Batch, ...] = ()
    in_flight: Sequence[Sequence[Span]] = ()
    """What is in batches that are not over."""
    deadline: Deadline | None = None


def _begun(run: Run, folder: Path) -> _Begun:
    """Read what earlier runs have left in a folder."""
    if not exists(folder):
        states = run.request_states()
        return _Begun(request_states=states, admission=run.admission(states, folder))
    with closing(LedgerReader(folder)) as reader:
        states, batches = run.standing(reader), reader.batches()
        admission = run.admission(states, folder)
        if admission:  # what would go next
            there = {batch.key: reader.members(batch.key) for batch in batches}
            admission.look(states, batches, there)
        is_open = (b for b in batches if not b.realtime and b.state not in FINAL_STATES)
        return _Begun(
            request_states=states,
            admission=admission,
            batches=batches,
            in_flight=[reader.members(batch.key) for batch in is_open],
            deadline=reader.deadline(),
        )


def _later(
    run: Run, files: RequestFiles, states: RequestStates, rounds: Rounds | None
) -> Counter[Weight]:
    """Return what a stopping rule may still add."""
    rule = run.settings.experiment.stopping
    found = Counter[Weight]()
    if rule is None or rounds is None:
        return found
    variant = run.settings.retry.variant(again=False)
    for stem, row in states.rows.items():
        if 0 < row.wanted < rule.most and not rounds.is_over(stem):
            found[files.weight(stem, files.tokens(stem, variant) or 0)] += rule.most - row.wanted
    return found


def _packed(
    run: Run, files: RequestFiles, states: RequestStates, *, is_late: bool
) -> tuple[list["_Packed"], list["_Packed"]]:
    """Return the batches that would be sent, and those of too few requests, which are not.

    Args:
        run: which.
        files: packs.
        states: how every request stands.
        is_late: whether everything is asked one by one.
    """
    limits, first = run.settings.limits, run.settings.realtime or is_late
    again = first or run.settings.config.retry.mode == "realtime"
    kinds = (None,) if first == again or limits.min_requests is None else (True, False)
    packed: list[_Packed] = []
    short: list[_Packed] = []
    for kind in kinds:
        realtime = again if kind else first
        for batch in files.batches(states.pending(again=kind)):
            is_sent = realtime or is_enough(batch, limits)
            (packed if is_sent else short).append(_looked_at(batch, files))
    return packed, short


def _short(run: Run, admission: Admission, states: RequestStates, short: int) -> Iterator[str]:
    """Say what is too few for a batch, now or later."""
    limits, again = run.settings.limits, run.settings.config.retry.mode
    if limits.min_requests is None or run.settings.realtime:
        return
    if short:
        yield too_few(short, limits)
    pilot = admission.pilot
    if pilot is not None and not pilot.standing.passed:
        going = sum(len(span) for span in admission.pending(states, again=False))
        if 0 < going < limits.min_requests:
            yield f"pilot: {too_few(going, limits)}, or with pilot.at_least={limits.min_requests}"
    if again != "realtime":
        yield (
            f"what is to be asked again waits until it is {limits.min_requests:,} requests, which the "
            "provider wants in a batch at least, and stays open if it is fewer in the end; "
            "retry.mode=realtime asks it one by one, at full price"
        )


def _at_most(
    run: Run,
    states: RequestStates,
    price: Price | None,
    now: Counter[Weight],
    later: Counter[Weight],
) -> tuple[int, Decimal | None]:
    """Return how many requests a stopping rule may come to, and what it may still cost."""
    if run.settings.experiment.stopping is None:
        return 0, None
    return states.counts().total + later.total(), _estimate(run, price, now + later).high


@dataclass(frozen=True, slots=True)
class _Packed:
    """What is to be known of a batch before it is sent."""

    size: tuple[int, int, int]
    """Requests, bytes, input tokens."""
    weights: Mapping[Weight, int]
    spans: Sequence[Span]


def _weights_of(batches: Iterable[_Packed]) -> Counter[Weight]:
    found = Counter[Weight]()
    for batch in batches:
        found.update(batch.weights)
    return found


def _looked_at(batch: Sequence[SizedSpan], files: RequestFiles) -> _Packed:
    requests, size, tokens = _NOTHING
    for sized in batch:
        count = len(sized.span)
        requests += count
        size += sized.line_bytes * count
        tokens += sized.tokens * count
    return _Packed((requests, size, tokens), files.weights(batch), files.compact(batch))


def _estimate(run: Run, price: Price | None, weights: Mapping[Weight, int]) -> Estimate:
    expected = run.settings.experiment.model.expected_output_tokens
    return estimate(price, weights.items(), expected)


def _deadline(run: Run, begun: _Begun) -> Deadline | None:
    """Return the deadline that holds; None: there is none.

    Raises:
        ConfigError: it is not in the future.
    """
    if run.settings.realtime:  # nothing is waited for
        return None
    said = run.settings.config.deadline
    return in_force(begun.deadline, said, lambda words: read(words, run.began))


def _over_the_budget(
    run: Run, known: Sequence[Batch], likely: Estimate, due: Due | None
) -> Iterator[str]:
    """Say that the budget may end what is asked after the deadline."""
    if due is None or due.more_usd is None or likely.high is None or run.emulated:
        return
    most = committed(tuple(known)) + likely.high + (0 if due.is_past else due.more_usd)
    budget = run.settings.config.budget.max_usd
    if most > Decimal(repr(budget)):
        yield (
            f"deadline: with what is asked one by one it may come to {dollars(most)}, more than "
            f"budget.max_usd={budget:g}: what that does not allow is cancelled and stays open"
        )


def _beside_batches(
    run: Run,
    files: RequestFiles,
    pending: Mapping[Weight, int],
    in_flight: Iterable[Sequence[Span]],
) -> Decimal | None:
    """Return the most that asking all that is open one by one costs beside asking it in batches."""
    weights = Counter(pending)
    for span in chain.from_iterable(in_flight):
        tokens = files.tokens(span.stem, span.variant)
        if tokens is not None:  # else it is no longer in the configuration
            weights[files.weight(span.stem, tokens)] += len(span)
    singly, batched = (
        _estimate(run, run.prices.at(realtime=way), weights).high for way in (True, False)
    )
    return None if singly is None or batched is None else max(singly - batched, Decimal(0))


def plan_facts(run: Run, found: Preview) -> dict[str, Any]:
    """Return what a run would do as JSON-ready facts, for other programs and the dashboard."""
    now = SystemClock().now()
    return facts_of(run.settings, run.conditions, found, emulated=run.emulated, now=now)


def check_before_sending(run: Run) -> Preview:
    """Refuse a run whose next round may cost more than the budget; nothing was sent yet.

    Raises:
        ConfigError: over the budget, an unknown price, a model that has ended, or a request too
            large for any batch.
    """
    _check_model(run)
    found = preview(run)
    _check_price(run, found)
    if run.emulated or found.price is None:
        return found
    budget = run.settings.config.budget
    spent = found.committed_usd + run.shared_budget.of_others(found.folder)
    low, high = found.estimate.low or Decimal(0), found.estimate.high or Decimal(0)
    if found.to_send and spent + high > Decimal(repr(budget.max_usd)):
        raise ConfigError(
            f"budget: {found.to_send:,} requests may cost {dollars(low)} to {dollars(high)}, with "
            f"{dollars(spent)} spent or reserved: more than budget.max_usd={budget.max_usd:g}; "
            "ask for less, or allow more with budget.max_usd=…"
        )
    return found


def _check_model(run: Run) -> None:
    """Refuse to send anything to a model that its provider does not answer with any more.

    Raises:
        ConfigError: it has ended; a rehearsal of it is no matter.
    """
    ending, provider = run.settings.capability.ending, run.settings.config.provider
    if ending is not None and not run.emulated and has_ended(ending, run.now()):
        where = f"provider/{provider.name}.yaml"
        raise ConfigError(ended(provider.model, ending, where))


def _check_price(run: Run, found: Preview) -> None:
    """Refuse a price that is not known, unless the user said that it does not matter."""
    is_known = found.price is not None and (found.due is None or run.prices.realtime is not None)
    if run.emulated or is_known or run.settings.config.budget.allow_unknown:
        return
    raise ConfigError(
        f"budget: the price of {run.settings.experiment.model.name} is not known, so "
        "budget.max_usd cannot be held; send all the same with budget.allow_unknown=true"
    )


def warnings(run: Run) -> tuple[str, ...]:
    """Return what a user should know before anything is sent."""
    return tuple(_warnings(run))


def _warnings(run: Run) -> Iterator[str]:
    settings = run.settings
    yield from _clamped_temperatures(run)
    yield from _unasked(run)
    yield from _nearly_named(run)
    yield from _renamed(run)
    provider = settings.config.provider
    if not settings.listed:
        yield (
            f"provider/{provider.name}.yaml does not list {provider.model}: it is taken to honour "
            "a temperature; if it does not, say temperatures=null"
        )
    said = one_seed(settings), note_on_addresses(settings, run.connection.provider_class)
    yield from (note for note in said if note is not None)
    yield from settings.capability.notes
    if ends := _ending_note(run):
        yield ends
    if run.price is None:
        yield f"the price of {settings.experiment.model.name} is not known: cost unknown"
    else:
        yield from run.price.notes
        if run.caches:
            yield from _of_cache(run.price)
    yield from _images(run)
    days = provider.limits.results_days
    if days is not None and days <= _SOON and provider.mode == "batch" and not run.emulated:
        yield (
            f"{provider.name} keeps results for {24 * days} hours: what is not collected by then "
            "(this command again, or action=collect) is paid for and gone"
        )
    if kind := shared_disk(Path(settings.config.outputs)):
        yield (
            f"{settings.config.outputs} is on a disk that other machines may share ({kind}): "
            "ledgers there keep a rollback journal and a lease instead of WAL"
        )


def _of_cache(price: Price) -> Iterator[str]:
    """Say what a cache may save, and what it may cost: not every request finds its prompt there."""
    read, dearest = price.cache_read_usd, price.most_input_usd
    if read is not None and dearest is not None:
        shown = [f"${usd * 1_000_000:f}" for usd in (price.input_usd, dearest, read)]
        yield (
            "prompts are put into the service's cache: a million tokens of input cost {}, written "
            "{}, read from it {}; it saves only where trials find their prompt there, and the high "
            "end takes all as written".format(*(usd.rstrip("0").rstrip(".") for usd in shown))
        )


_SOON = 2
"""Days within which somebody who left the machine on a Friday is not back."""


def _images(run: Run) -> Iterator[str]:
    """Say how pictures are counted, since the vendors' formulas are not all published."""
    images = run.settings.experiment.images.values()
    if not images:
        return
    most = max(image.tokens for image in images)
    each = "each" if len({image.tokens for image in images}) == 1 else "each at most"
    yield (
        f"pictures: {len(images):,}, counted as {most:,} tokens {each}: an estimate, on the high side "
        "where the vendor has not published how it counts; the budget reserves as much"
    )
    if elsewhere := sum(not image.kind for image in images):
        yield (
            f"pictures at addresses: {elsewhere:,}; what stands there is not looked at, and may change "
            "between one request and the next: files beside the experiment are pinned by their content"
        )


def _unasked(run: Run) -> Iterator[str]:
    """Say where no message shows the form by which answers are found."""
    messages = run.settings.experiment.messages
    named = {name for message in messages for name in placeholders(message.content)}
    if messages and not named & set(ASKED):
        yield (
            "no message names {items}, {questions}, {form} or {object}: what is asked, and in which "
            "form, stands in none of them, so that answers may be unreadable"
        )


def _nearly_named(run: Run) -> Iterator[str]:
    """Say what stands in braces and is sent as it is, though it is nearly something to fill in."""
    experiment = run.settings.experiment
    texts = [(f"messages[{n}]", m.content) for n, m in enumerate(experiment.messages)]
    if not texts:
        first = first_variant(experiment)
        texts = [(f"question.{first}", experiment.questions.templates[first])]
    names = nameable(experiment)
    for where, text in texts:
        for written, name in near_misses(text, names):
            yield (
                f"{where}: {written} is sent as it stands there; to fill something in, "
                f"write {{{name}}}"
            )


def _renamed(run: Run) -> Iterator[str]:
    """Say which levels are asked again only because their ids are others than they were."""
    folder = run.folder(sending=False)
    if not exists(folder):
        return
    found = list(renamed(definition_in(folder), run.definition))
    for factor, id_, before in found[:_TOLD]:
        yield (
            f"{factor} {id_!r} is asked the same as {before!r} was, which is no longer there: its answers "
            "are asked for and paid again; with the old id they would be taken as they are"
        )
    if len(found) > _TOLD:
        yield f"and {len(found) - _TOLD:,} more levels are asked again under another id"


_TOLD = 3
"""Levels of a kind that are told one by one."""


def _clamped_temperatures(run: Run) -> Iterator[str]:
    experiment = run.settings.experiment
    if not experiment.calculated or not may_be_held(experiment):
        return
    for levels in combinations(experiment):
        clamped, was_clamped = calculated_temperature(experiment, levels)
        if was_clamped:
            named = " with ".join(
                f"{name} {level}" for name, level in zip(experiment.factors, levels, strict=True)
            )
            yield (
                f"temperature of {named} is clamped to {clamped}, "
                f"the range of {experiment.model.name}"
            )


def _ending_note(run: Run) -> str | None:
    """Say that the model ends soon, or has; a rehearsal's pretended service has no end."""
    provider = run.settings.config.provider
    if provider.name == EMULATOR:
        return None
    ending = run.settings.capability.ending
    return ending_note(provider.model, ending, run.now(), emulated=run.emulated)
