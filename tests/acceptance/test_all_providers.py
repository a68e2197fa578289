"""Every provider's real client, from the command line to the table, against the emulator."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
import pytest

from tests.acceptance.conftest import SMALL, Desk
from tests.variants import always

PROVIDERS: dict[str, list[str]] = {
    "openai": ["provider=openai"],
    "openai, its Responses API": [
        *("provider=openai", "provider.model=gpt-5.5-pro", "temperatures=null"),
    ],
    "azure": ["provider=azure"],
    "zai": ["provider=zai"],
    "anthropic": ["provider=anthropic"],
    "gemini": ["provider=gemini"],
    "gemini over bigquery": [
        *("provider=gemini", "provider.source=bigquery", "provider.sink=bigquery"),
    ],
    "gemini_api": ["provider=gemini_api"],
    "bedrock": ["provider=bedrock", "provider.limits.min_requests=null"],
    "groq": ["provider=groq"],
    "kluster": ["provider=kluster"],
    "openrouter": ["provider=openrouter"],
    "mistral": ["provider=mistral"],
    "xai": ["provider=xai"],
    "together": ["provider=together"],
    "compatible": ["provider=compatible", "provider.mode=batch"],
    "compatible, one by one": ["provider=compatible", "provider.mode=realtime"],
    "anthropic, one by one": ["provider=anthropic", "provider.mode=realtime"],
    "gemini, one by one": ["provider=gemini", "provider.mode=realtime"],
}
FAULTS: dict[str, list[str]] = {
    "none": ["faults=none"],
    # What is lost on the way back is billed, and stands in no table.
    "rough": ["faults=rough", "faults.missing_lines=0"],
}
WITHOUT_FAULTS = ("openai", "compatible, one by one")
"""A batch, and one by one: what goes well elsewhere is shown by the rough runs, where most goes well."""
ALWAYS = ("gemini", "openrouter", "compatible, one by one")
PAIRS = [(p, f) for p in PROVIDERS for f in FAULTS if f == "rough" or p in WITHOUT_FAULTS]
HOW = ["service=emulated", "provider.limits.requests=5"]
HURRY = ["poll.first_seconds=0.05", "poll.max_seconds=0.4", "poll.max_retry_after_seconds=0.5"]
AT_ONCE = 4
_TAG = re.compile(r"^c[0-9a-f]{8}-")


@dataclass
class Ended:
    """A run that has ended, and the emulator's bill."""

    desk: Desk
    run: subprocess.CompletedProcess[str]
    bill: dict

    @property
    def cell(self) -> str:
        (folder,) = (self.desk.folder / "outputs" / "literary").iterdir()
        return f"literary/{folder.name}"


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ended]]]:
    """Start all runs that were asked for, a few at a time: they wait more than they work."""

    def go(desk: Desk, provider: str, faults: str) -> Ended:
        run = desk.process(*PROVIDERS[provider], *FAULTS[faults], *HOW, *HURRY, *SMALL)
        assert (desk.folder / "outputs").exists(), run.stderr
        over = Ended(desk, run, {})
        over.bill = desk.bill(over.cell)
        return over

    cases = [
        item.callspec.params
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    wanted = {f"{c['provider']} {c['faults']}": c for c in cases if "faults" in c}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(go, Desk(tmp_path_factory.mktemp("desk")), **params)
            for name, params in wanted.items()
        }


@pytest.mark.parametrize(
    ("provider", "faults"), always([pair for pair in PAIRS if pair[0] in ALWAYS], PAIRS)
)
def test_every_request_is_answered_and_billed_once_an_attempt(
    runs: dict[str, Future[Ended]], provider: str, faults: str
) -> None:
    over = runs[f"{provider} {faults}"].result()
    assert over.run.returncode == 0, over.run.stdout + over.run.stderr
    answers, attempts = over.desk.answers(over.cell), over.desk.attempts(over.cell)
    assert answers.height == 12
    assert answers["custom_id"].n_unique() == 12
    assert set(answers["status"]) <= {"success", "retry_success"}
    assert set(answers["rehearsal"]) == {True}
    for question in ("Q1", "Q2", "Q3", "Q4"):
        assert answers[f"{question}_value"].is_between(0, 100).all()
    answered = attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))
    if "one by one" in provider:
        assert over.bill["chats_billed"] == answered.height
        assert over.bill["batches"] == 0
        return
    assert billed(over.bill) == Counter(answered["custom_id"])
    assert over.bill["chats_billed"] == 0
    assert over.bill["unbilled_batches"] == 0
    assert attempts["remote_batch"].n_unique() > 1


@pytest.mark.long
@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_study_of_labels_is_answered_and_billed_once_an_attempt(desk: Desk, kind: str) -> None:
    words = [*PROVIDERS[kind], *FAULTS["rough"], *HOW, *HURRY]
    run = desk.process("experiment=labels", "trials=1", *words)
    (folder,) = (desk.folder / "outputs" / "labels").iterdir()
    cell = f"labels/{folder.name}"
    answers, attempts = desk.answers(cell), desk.attempts(cell)
    assert run.returncode in (0, 3), run.stderr
    assert answers.height == answers["custom_id"].n_unique() > 5
    assert answers.filter(pl.col("status") == "open").is_empty()
    ended = answers.filter(pl.col("status").is_in(["success", "retry_success"]))
    assert ended["sentiment_value"].null_count() == 0
    answered = attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))
    if "one by one" in kind:
        assert desk.bill(cell)["chats_billed"] == answered.height
        return
    assert billed(desk.bill(cell)) == Counter(answered["custom_id"])


@pytest.mark.parametrize(("provider", "faults"), [("openrouter", "rough"), ("groq", "rough")])
def test_who_answered_for_a_gateway_is_in_the_tables_and_no_other_table_has_the_column(
    runs: dict[str, Future[Ended]], provider: str, faults: str
) -> None:
    over = runs[f"{provider} {faults}"].result()
    for table in (over.desk.answers(over.cell), over.desk.attempts(over.cell)):
        assert "charged_usd" not in table.columns  # a batch is charged as a whole
        told = set(table["served_by"].drop_nulls()) if "served_by" in table.columns else None
        assert told == ({"Emulated"} if provider == "openrouter" else None)
    assert "bill differs" not in over.run.stdout


def billed(bill: dict) -> Counter[str]:
    """Return how often each request was paid for, whatever tag it went under."""
    paid: Counter[str] = Counter()
    for custom_id, times in bill["billed"].items():
        paid[_TAG.sub("", custom_id)] += times
    return paid
