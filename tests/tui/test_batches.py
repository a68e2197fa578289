"""The Batches: what a researcher sees of them, worst first, and what the keys ask for."""

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from textual.pilot import Pilot

from runner.core.errors import LedgerError
from runner.core.states import BatchState as S
from runner.storage.commands import CommandVerb, leave
from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.made import NOW
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled
from tests.tui.test_attention import ALIVE, DEAD, REFUSED, UNKNOWN, batch, job
from tests.variants import first
from tui.batchrows import (
    BatchLine,
    can,
    cells,
    columns,
    grouped,
    named_by,
    ordered,
    parse,
    state_cell,
    sum_cells,
    watched,
)
from tui.cells import UNICODE
from tui.model import Snapshot
from tui.rowtable import RowTable
from tui.source import events
from tui.textlines import TextLines
from tui.views.batches import BatchesView, csv_row, event_lines, pane_lines
from tui.views.view import OpenAnswers, Wanted


def line(one, life=ALIVE, of=None, command=None) -> BatchLine:
    return BatchLine(of or job(one), one, life, (), command)


def view_text(app) -> str:
    region = app.screen.query_one("#Batches").region
    return "\n".join(screen_text(app).split("\n")[region.y : region.bottom]) + "\n"


def driven(outputs: Path, script, *keys: str, size=WIDE, experiment="literary"):
    async def run(pilot: Pilot[None]):
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)
        return await script(pilot)

    return drive(dashboard(outputs, experiment, view="Batches"), run, size)


def showing(outputs: Path, *keys: str, size=WIDE, experiment="literary", words="") -> str:
    async def script(pilot):
        if words:
            assert pilot.app.screen.query_one(BatchesView).set_filter(words) is None
            await settled(pilot)
        return view_text(pilot.app)

    return str(driven(outputs, script, *keys, size=size, experiment=experiment))


# -- screens


@pytest.mark.parametrize("size", first(1, [WIDE, SMALL], one=True), ids=["120x36", "80x24"])
def test_a_sweep_under_way(outputs, screen, size):
    assert showing(outputs, size=size) == screen


def test_one_finished_job_has_no_column_for_its_name(outputs, screen):
    assert showing(outputs, experiment="done") == screen


def test_sums_by_provider_and_the_batch_nobody_can_tell(outputs, screen):
    assert showing(outputs, "o", "j", "j", size=(160, 40)) == screen


def test_a_runner_that_is_gone_leaves_states_as_last_seen(tmp_path, screen):
    made.job(tmp_path, "gone", "openai", "gpt-4o-mini", made.MIDDLE["openai"][1], beat_age=900)
    assert showing(tmp_path, experiment="gone") == screen


@pytest.mark.parametrize("size", first(1, [(40, 10), (60, 16), (100, 24), (200, 60)], one=True))
def test_any_size_shows_the_worst_batch_first(outputs, size):
    seen = showing(outputs, size=size).splitlines()
    first = next(row[:7] for row in seen if " b000" in row[:7])
    assert first == "✗ b0004"


def test_short_screens_say_fewer_sentences_and_how_many_are_left_out(outputs):
    small, wide = showing(outputs, size=SMALL), showing(outputs, size=WIDE)
    assert "5 more: ! shows only these" in small
    assert "more: !" not in wide
    assert "has 3 of 40 answers invalid (7.5 %)" in wide


def test_only_what_needs_attention(outputs):
    seen = showing(outputs, "exclamation_mark")
    assert "7 of 14 batches" in seen
    assert "✓" not in seen
    assert "14 batches" in showing(outputs, "exclamation_mark", "exclamation_mark")


def test_filter_words_narrow_the_batches(outputs):
    seen = showing(outputs, words="provider:openai state:running,staged")
    assert "3 of 14 batches" in seen
    assert "nothing fits" in showing(outputs, words="state:unknown provider:openai")


def test_an_order_that_was_left_for_the_runner_is_seen_until_it_is_taken(tmp_path):
    folder = made.job(tmp_path, "one", "openai", "gpt-4o-mini", made.MIDDLE["openai"][1])
    leave(folder, CommandVerb.CANCEL, NOW - 12, batch="b0004")
    leave(folder, CommandVerb.STOP, NOW - 5)
    seen = showing(tmp_path, experiment="one")
    assert "cancel? 12s" in seen
    assert "stop? 5s" in seen
    assert "running? " not in seen


# -- what the keys do


def messages(outputs: Path, *keys: str, size=WIDE) -> list:
    heard: list = []

    async def script(pilot):
        return heard

    app = dashboard(outputs, "literary", view="Batches")
    post = BatchesView.post_message

    def listen(self, message):
        if isinstance(message, Wanted | OpenAnswers):
            heard.append(message)
            return True
        return post(self, message)

    async def run(pilot):
        pilot.app.screen.query_one(BatchesView).post_message = listen.__get__(
            pilot.app.screen.query_one(BatchesView)
        )
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        return await script(pilot)

    drive(app, run, size)
    return heard


@pytest.mark.parametrize(
    ("keys", "verb", "of", "key"),
    first(
        2,
        [
            ("j j j c", CommandVerb.CANCEL, "openai_gpt-4o-mini", "b0004"),
            ("j j a", CommandVerb.ADOPT, "anthropic_claude-haiku-4-5", "b0003"),
            ("j j b", CommandVerb.ABANDON, "anthropic_claude-haiku-4-5", "b0003"),
            ("j b", CommandVerb.ABANDON, "openai_gpt-4o-mini", "b0003"),
            ("j S", CommandVerb.STOP, "openai_gpt-4o-mini", None),
        ],
    ),
)
def test_a_key_asks_for_the_batch_under_the_cursor(outputs, keys, verb, of, key):
    (heard,) = messages(outputs, *keys.split())
    assert (heard.verb, heard.job.name, heard.batch) == (verb, of, key)


@pytest.mark.parametrize(
    "keys", first(1, ["c", "u", "r", "a", "b", "G c", "j j j a", "j c", "o g c", "o g S"])
)
def test_a_key_that_makes_no_sense_does_nothing(outputs, keys):
    assert messages(outputs, *keys.split()) == []


@pytest.mark.long
def test_enter_opens_the_answers_of_a_batch_or_of_a_group(outputs):
    (batch_,) = messages(outputs, "j", "enter")
    assert batch_.words == "job:openai_gpt-4o-mini batch:b0003"
    (group,) = messages(outputs, "o", "g", "enter")
    assert group.words.startswith("provider:")


def test_the_footer_offers_only_what_is_possible(outputs):
    async def script(pilot):
        return screen_text(pilot.app).rstrip().splitlines()[-1]

    dropped, unknown = driven(outputs, script), driven(outputs, script, "j", "j")
    assert "Cancel" not in dropped
    assert "Give up" not in dropped
    assert "Adopt" in unknown
    assert "Give up" in unknown


def test_the_cursor_stays_on_its_batch_when_the_order_changes(outputs):
    async def script(pilot):
        table = pilot.app.screen.query_one("#batches", RowTable)
        seen = [table.key]
        for key in ("s", "s", "s", "s", "o", "o", "o"):
            await pilot.press(key)
            await settled(pilot)
            seen.append(table.key)
        return seen

    assert set(driven(outputs, script, "j")) == {"openai_gpt-4o-mini/b0003"}


def test_the_remote_id_is_copied(outputs):
    async def script(pilot):
        return pilot.app.clipboard

    assert driven(outputs, script, "j", "y").startswith("batch_")


def test_a_batch_that_changes_is_drawn_in_its_place(tmp_path):
    folder = made.job(tmp_path, "one", "openai", "gpt-4o-mini", made.MIDDLE["openai"][1])

    async def script(pilot):
        view = pilot.app.screen.query_one(BatchesView)
        before = view_text(pilot.app)
        with Ledger.open(folder) as ledger:
            one = next(b for b in ledger.batches() if b.key == "b0004")
            ledger.record(replace(one, completed=39), summary={})
        pilot.app.screen._take(pilot.app.screen._source.read(NOW)[0])
        await settled(pilot)
        return before, view_text(pilot.app), view.query_one("#batches", RowTable).key

    before, after, key = driven(tmp_path, script, "j", experiment="one")
    assert "31/40" in before
    assert "39/40" in after
    assert key.endswith("/b0004")


def test_the_pane_tells_what_happened_to_the_batch(outputs):
    async def script(pilot):
        return pilot.app.screen.query_one("#batch-pane", TextLines).text

    seen = driven(outputs, script, "j", "j", "j", "j")
    assert "no reply   6 tries in a row failed" in seen
    assert "error      HTTP 503: overloaded" in seen
    assert seen.splitlines()[-1].split() == ["3h00", "ago", "packed"]


def test_a_ledger_without_batches_says_so(tmp_path):
    made.job(tmp_path, "fresh", "openai", "gpt-4o-mini", ())
    assert "nothing was packed yet" in showing(tmp_path, experiment="fresh")


def test_a_damaged_ledger_keeps_the_view_alive(tmp_path):
    folder = made.job(tmp_path, "one", "openai", "gpt-4o-mini", made.MIDDLE["openai"][1])
    (folder / "cache.db").write_bytes(b"not a database" * 100)
    seen = showing(tmp_path, experiment="one")
    assert "nothing was packed yet" in seen


# -- pure


def test_the_worst_comes_first_then_what_goes_on_then_what_is_over():
    batches = (
        batch(S.COLLECTED, "b0001"),
        batch(S.COLLECTED, "b0002", tally={"valid": 50, "invalid": 50}),
        batch(S.PACKED, "b0003"),
        batch(S.RUNNING, "b0004"),
        replace(UNKNOWN, key="b0005"),
        replace(REFUSED, key="b0006"),
        batch(S.CANCELLING, "b0007"),
    )
    snapshot = Snapshot(experiment="x", at=NOW, jobs=(job(*batches),))
    lines = watched(snapshot, NOW, "elsewhere").lines
    worst = [one.batch.key for one in ordered(lines, 0)]
    assert worst == ["b0006", "b0005", "b0007", "b0004", "b0003", "b0002", "b0001"]
    assert {one.batch.key for one in ordered(lines, 2)} == set(worst)


def test_groups_add_up_and_say_what_is_not_known():
    cheap = batch(S.COLLECTED, cost_usd=Decimal("0.10"))
    free = batch(S.COLLECTED, "b0002", cost_usd=None)
    silent = batch(S.RUNNING, "b0003", completed=None)
    lines = [line(one, of=job(cheap, free, silent)) for one in (cheap, free, silent)]
    ((name, rows),) = grouped(lines, 0)
    row = [
        text if isinstance(text, str) else text[0]
        for text in sum_cells(name, rows, UNICODE, named=None)
    ]
    assert row == ["", "openai", "3 batches", "", "200+/300", "200", "0", "", "", "", "$?"]
    assert len(row) == len(columns(None))
    assert len(sum_cells(name, rows, UNICODE, named="job")) == len(columns("job"))
    assert len(cells(lines[0], NOW, UNICODE, named="job")) == len(columns("job"))


def test_models_name_the_jobs_unless_two_have_the_same():
    one, two = job(provider="openai"), job(provider="groq")
    assert named_by((one,)) is None
    assert named_by((one, two)) == "job"  # both ask "m"
    other = replace(two, experiment={"definition": {"model": {"provider": "groq", "name": "n"}}})
    assert named_by((one, other)) == "model"


def cell_texts(one: BatchLine) -> list[str]:
    row = cells(one, NOW, UNICODE, named=None)
    return [cell if isinstance(cell, str) else cell[0] for cell in row]


def test_what_is_not_known_is_never_a_zero():
    running = cell_texts(line(batch(completed=None)))
    assert running[4:8] == ["—/100", "—", "—", "1h00"]
    assert running[-1] == "—"  # what it may cost is no cost yet
    assert cell_texts(line(batch(S.COLLECTED, cost_usd=None)))[-1] == "$?"
    assert cell_texts(line(batch(S.PACKED)))[4] == "0/100"


def test_a_state_at_the_provider_is_as_last_seen_without_a_runner():
    assert state_cell(line(batch()), NOW) == ("running", "")
    assert state_cell(line(batch(), DEAD), NOW) == ("running?", "")
    assert state_cell(line(batch(S.PACKED), DEAD), NOW) == ("packed", "")
    assert state_cell(line(batch(S.COLLECTED), DEAD), NOW)[0] == "collected"
    assert cell_texts(line(batch(), DEAD))[8] == "—"  # nobody will look


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ("", True),
        ("state:running", True),
        ("state:run,staged", True),
        ("state:in_progress", True),  # the provider's own word
        ("state:collected", False),
        ("provider:open", True),
        ("provider:groq", False),
        ("batch:b0001 model:m", True),
        ("job:openai BATCH_1", True),
        ("503", False),
    ],
)
def test_filter_words(words, fits):
    test = parse(words)
    assert not isinstance(test, str)
    assert test(line(batch())) is fits


@pytest.mark.parametrize("words", ["persona:p1", "state:", "x:y z"])
def test_a_filter_word_that_means_nothing_is_told(words):
    wrong = parse(words)
    assert isinstance(wrong, str)
    assert words.partition(":")[0] in wrong


POSSIBLE = {
    S.PACKED: "cancel",
    S.STAGING: "cancel",
    S.STAGED: "cancel",
    S.SUBMITTING: "cancel abandon",
    S.RUNNING: "cancel abandon",
    S.CANCELLING: "abandon",
    S.ENDED: "abandon",
    S.COLLECTED: "",
    S.DROPPED: "resubmit",
}


@pytest.mark.parametrize("state", S)
def test_only_what_is_possible_is_offered(state):
    verbs = {verb for verb in CommandVerb if can(line(batch(state)), verb)} - {CommandVerb.STOP}
    assert {verb.value for verb in verbs} == set(POSSIBLE[state].split())


def test_what_is_offered_follows_from_the_job_too():
    assert can(line(batch()), CommandVerb.STOP)
    assert not can(line(batch(), DEAD), CommandVerb.STOP)
    assert can(line(batch(), of=job(batch(), failed=3)), CommandVerb.RETRY)
    assert can(line(UNKNOWN), CommandVerb.ADOPT)
    assert not can(line(replace(UNKNOWN, realtime=True)), CommandVerb.ADOPT)
    assert not can(line(batch(realtime=True)), CommandVerb.ABANDON)
    assert not can(line(REFUSED), CommandVerb.RESUBMIT)
    half = batch(S.COLLECTED, tally={"valid": 60, "cancelled": 40})
    assert can(line(half), CommandVerb.RESUBMIT)


def test_counts_that_miss_the_size_of_the_batch_are_told():
    wrong = batch(S.COLLECTED, tally={"valid": 90})
    text = "".join(t for row in pane_lines(line(wrong), [], NOW, UNICODE) for t, _ in row)
    assert "! 90 counted of 100" in text


def test_events_that_cannot_be_read_are_told():
    assert event_lines("its events cannot be read now (locked)", NOW)[0][0][1] == "warn"
    assert event_lines([], NOW) == []


def test_a_row_of_the_csv_leaves_what_is_missing_empty():
    row = csv_row(line(batch(completed=None)))
    assert row[:4] == ["openai", "openai", "m", "b0001"]
    assert row[8:16] == [""] * 8


def test_the_events_of_a_batch_are_read_from_the_end(outputs):
    folder = outputs / "literary" / "openai_gpt-4o-mini"
    found = events(folder, "b0001", 5)
    assert [event["event"] for event in found] == ["collect", "packed"]
    assert [event["event"] for event in events(folder, "b0001", 1)] == ["collect"]
    assert events(folder, "b9999", 5) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 40])
def test_every_count_of_events_is_found(tmp_path, count):
    folder = made.job(tmp_path, "one", "openai", "gpt-4o-mini", ())
    one = batch(S.PACKED)
    with Ledger.open(folder) as ledger:
        for number in range(count):
            ledger.record(one, summary={}, event={"batch": "b0001", "event": str(number)})
    assert [event["event"] for event in events(folder, "b0001", 99)] == [
        str(number) for number in reversed(range(count))
    ]


def test_events_of_a_ledger_that_is_gone_are_an_error_of_ours(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(LedgerError):
        events(tmp_path, "b0001", 5)
