"""Asking one by one looks at the budget between two requests."""

import json
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.cost import Price
from runner.core.errors import ProviderSilent
from runner.core.states import Outcome
from runner.providers._chat import read_line
from runner.run import realtime
from runner.run.realtime import Allowance, Conversation, Pacer
from tests.unit.test_results import answer, raw

PRICE = Price(input_usd=Decimal("0.01"), output_usd=Decimal("0.01"), source="test")
MOST = Decimal(2)


def cost(dollars: str) -> dict[str, object]:
    """What a reply says that it took, in tokens of a cent."""
    tokens = int(Decimal(dollars) * 100)
    return {"usage": {"prompt_tokens": 50, "completion_tokens": tokens - 50}}


def name_in(line: bytes) -> str:
    return json.loads(line)["custom_id"]


class Told:
    """Answers in order; what is asked is kept."""

    def __init__(self, *replies: dict[str, object] | Exception) -> None:
        self.replies, self.asked = list(replies), list[str]()
        self.lock = threading.Lock()

    def __call__(self, line: bytes) -> bytes:
        with self.lock:
            self.asked.append(name_in(line))
            said = self.replies.pop(0)
        if isinstance(said, Exception):
            raise said
        return raw(answer(name_in(line), **said)) + b"\n"


def conversation(
    folder: Path,
    ask: Callable[[bytes], bytes],
    room: Callable[[], Decimal | None],
    *,
    count: int = 4,
    price: Price | None = PRICE,
    turns: threading.Semaphore | None = None,
) -> Conversation:
    requests = folder / "requests.jsonl"
    requests.write_text("".join(f'{{"custom_id": "p1_t1_n0{n}"}}\n' for n in range(1, count + 1)))
    return Conversation(
        answers=folder / "raw" / "b0001.output.jsonl",
        requests=requests,
        ask=ask,
        keep=lambda: None,
        pacer=Pacer(None, 0.0, 0.0, 0.0),
        turns=turns or threading.Semaphore(4),
        stopping=lambda: False,
        allowance=Allowance(price=price, most=lambda: [(MOST, count)], room=room, decode=read_line),
    )


def ended(talk: Conversation, at_once: int = 1):
    talk.start(at_once)
    try:
        while (progress := talk.look()).event != "end":
            pass
        return progress
    finally:
        talk.join()


@pytest.mark.parametrize("at_once", [1, 4])
def test_replies_that_cost_less_than_they_might_leave_room_for_all(tmp_path, at_once):
    ask = Told(*[cost("1")] * 4)
    progress = ended(conversation(tmp_path, ask, lambda: Decimal(5)), at_once)
    assert (progress.state, progress.completed) == ("completed", 4)
    assert progress.bound_usd == 4


def test_replies_that_cost_more_than_was_thought_end_the_asking(tmp_path):
    ask = Told(*[cost("3")] * 4)
    progress = ended(conversation(tmp_path, ask, lambda: Decimal(8)))
    assert ask.asked == ["p1_t1_n01", "p1_t1_n02", "p1_t1_n03"]
    assert (progress.state, progress.rest, progress.failed) == ("held", Outcome.CANCELLED, 0)
    assert progress.bound_usd == 9
    for part in ("budget: the next request may cost $2.0000", "$9.0000 of $8.0000", "stays open"):
        assert part in progress.message


def test_what_others_take_meanwhile_is_seen(tmp_path):
    rooms = iter([Decimal(8), Decimal(8), Decimal(3), Decimal(3)])
    ask = Told(*[cost("1")] * 4)
    progress = ended(conversation(tmp_path, ask, lambda: next(rooms)))
    assert (len(ask.asked), progress.state) == (2, "held")


@pytest.mark.parametrize("lost", [ProviderSilent("500"), {"usage": None}])
def test_what_is_not_known_keeps_the_most_it_may_cost(tmp_path, lost):
    ask = Told(lost, cost("1"), cost("1"), cost("1"))
    progress = ended(conversation(tmp_path, ask, lambda: Decimal(6)))
    assert len(ask.asked) == 4
    assert progress.bound_usd == MOST + 3


def test_what_earlier_runs_asked_is_counted_again(tmp_path):
    silent = Told(cost("1"), ProviderSilent("500"), cost("1"), cost("1"))
    first = conversation(tmp_path, silent, lambda: Decimal(4))
    progress = ended(first)
    assert progress.bound_usd == 1 + MOST  # the second may be billed: no third one fits
    assert silent.asked == ["p1_t1_n01", "p1_t1_n02"]
    (tmp_path / "raw" / "b0001.output.jsonl").rename(
        tmp_path / "raw" / "b0001.output.jsonl.journal"
    )  # as if it had been killed before it ended
    ask = Told(cost("1"), cost("1"))
    again = conversation(tmp_path, ask, lambda: Decimal(6))
    assert again.look().bound_usd == 1 + MOST + 2 * MOST
    progress = ended(again)
    assert ask.asked == ["p1_t1_n03", "p1_t1_n04"]
    assert progress.bound_usd == 1 + MOST + 2


def test_without_a_price_all_is_asked(tmp_path):
    ask = Told(*[cost("3")] * 4)
    progress = ended(conversation(tmp_path, ask, lambda: Decimal(0), price=None))
    assert (progress.completed, progress.bound_usd) == (4, None)


def test_no_request_goes_out_while_an_answer_before_it_is_not_on_disk(tmp_path, monkeypatch):
    """Two conversations share one turn: a kill may lose one answer, and no more."""
    lock, unwritten, most = threading.Lock(), [0], [0]
    append = realtime.append

    def slow(handle: int, line: bytes) -> None:
        if line.startswith(b"{"):
            time.sleep(0.02)
        append(handle, line)
        if line.startswith(b"{"):
            with lock:
                unwritten[0] -= 1

    def ask(line: bytes) -> bytes:
        with lock:
            unwritten[0] += 1
            most[0] = max(most[0], unwritten[0])
        return raw(answer(name_in(line), **cost("1"))) + b"\n"

    monkeypatch.setattr(realtime, "append", slow)
    turns, talks = threading.Semaphore(1), []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        talks.append(conversation(tmp_path / name, ask, lambda: None, turns=turns))
    for talk in talks:
        talk.start(2)
    for talk in talks:
        while talk.look().event != "end":
            pass
        talk.join()
    assert most == [1]
