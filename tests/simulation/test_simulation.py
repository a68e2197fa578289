"""A run's whole life, simulated from a seed: whatever goes wrong, paid once, lost nothing.

Nine seeds here; the soak lives two thousand: python -m pytest -m soak tests/simulation.
"""

import pytest

from runner.core import transition
from runner.core.ends import End
from runner.core.errors import ProviderBusy
from runner.core.twins import Made
from runner.providers import _file_batch
from tests.simulation import simulation
from tests.simulation.simulation import Broken, simulate

SEEDS = {"openai": range(1, 3), "anthropic": range(1, 3), "groq": range(1, 2)}
SOAK = {
    "openai": range(1, 401),
    "anthropic": range(1, 401),
    "groq": range(1, 201),
    "gemini_api": range(1, 101),
    "openrouter": range(1, 201),
    "mistral": range(1, 201),
    "xai": range(1, 201),
    "together": range(1, 201),
    "bedrock": range(1, 201),
}
MUTANT_SEEDS = [16, *range(1, 16), *range(17, 41)]
"""The one that finds the mutant which is hardest to find comes first."""


def every(seeds: dict[str, range]) -> list[tuple[str, int]]:
    return [(provider, seed) for provider, some in seeds.items() for seed in some]


@pytest.mark.parametrize(("provider", "seed"), every(SEEDS))
def test_whatever_goes_wrong_every_request_is_paid_once_and_every_answer_is_in_the_table(
    provider, seed
):
    simulate(provider, seed)


@pytest.mark.soak
@pytest.mark.parametrize(("provider", "seed"), every(SOAK))
def test_two_thousand_lives(provider, seed):
    simulate(provider, seed)


# --- the simulation has teeth: it finds what earlier tools of this kind got wrong ---------------


def sends_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a reply that never came for a "not now"."""
    failed = transition._failed

    def mutated(batch, verb, error, *rest):
        return failed(batch, verb, ProviderBusy(str(error)), *rest)

    monkeypatch.setattr(transition, "_failed", mutated)


def believes_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither wait for the list, nor take the input away."""
    monkeypatch.setattr("runner.core.transition.absence_is_proved", lambda *_, **__: True)


def believes_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what a result file does not hold for lost, at once."""
    monkeypatch.setattr("runner.batches.downloads.judge", lambda *_: End.WHOLE)


def does_not_look_at_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe files that came twice the same way over the settle time, whatever was counted."""

    def mutated(batch, found):
        return End.WHOLE if found.lines >= batch.count else End.UNPROVEN

    monkeypatch.setattr("runner.batches.downloads.judge", mutated)


def tells_of_one_batch_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one batch of an order, and say nothing of the others."""
    made = _file_batch._made

    def mutated(batch, alive):
        return Made(made(batch, alive).remote)

    monkeypatch.setattr(_file_batch, "_made", mutated)


def first_broken(provider: str) -> Broken | None:
    for seed in MUTANT_SEEDS:
        try:
            simulate(provider, seed)
        except Broken as broken:
            return broken
    return None


@pytest.mark.parametrize(
    "mutate",
    [
        sends_again_at_once,
        # The others take longer until a life finds them out.
        pytest.param(believes_every_file, marks=pytest.mark.soak),
        pytest.param(tells_of_one_batch_only, marks=pytest.mark.soak),
        pytest.param(believes_the_first_look, marks=pytest.mark.soak),
        pytest.param(does_not_look_at_counts, marks=pytest.mark.soak),
    ],
)
def test_a_runner_that_pays_twice_is_found_out(mutate, monkeypatch):
    mutate(monkeypatch)
    monkeypatch.setattr(simulation, "LIVES", 60)
    broken = first_broken("openai")
    assert broken is not None
    assert "python -m tests.simulation openai" in str(broken)
