"""What asking one by one has cost, and may still cost: never less than what was billed."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from runner.core.bill import Bill
from runner.core.cost import Price
from runner.core.model import Reply, ReplyKind, Usage

PRICE = Price(input_usd=Decimal(1), output_usd=Decimal(10), source="test")
MOST = PRICE.highest(100, 50)


def reply(kind: ReplyKind = ReplyKind.ANSWER, *, output: int | None = None) -> Reply:
    usage = None if output is None else Usage(input_tokens=100, output_tokens=output)
    return Reply(custom_id="p1_t1_n01", kind=kind, text="x", usage=usage)


def test_a_request_on_its_way_counts_as_the_most_and_then_as_what_it_cost():
    bill = Bill(price=PRICE, rest=2 * MOST, room=lambda: 2 * MOST)
    bill.ask(MOST)
    assert (bill.used, bill.most, bill.fits(MOST)) == (MOST, 2 * MOST, True)
    bill.settle(MOST, reply(output=5))
    assert (bill.used, bill.most) == (Decimal(150), 150 + MOST)


def test_what_costs_more_than_was_thought_leaves_no_room():
    bill = Bill(price=PRICE, rest=2 * MOST, room=lambda: 2 * MOST)
    bill.ask(MOST)
    bill.settle(MOST, reply(output=1000))
    assert bill.used == 10_100
    assert not bill.fits(MOST)


def test_the_room_is_looked_at_each_time():
    rooms = [MOST, MOST - 1]
    bill = Bill(price=PRICE, room=lambda: rooms.pop(0))
    assert [bill.fits(MOST), bill.fits(MOST)] == [True, False]


def test_a_refusal_costs_nothing_and_a_no_gives_the_money_back():
    bill = Bill(price=PRICE, rest=2 * MOST)
    bill.ask(MOST)
    bill.take_back(MOST)
    assert (bill.used, bill.rest) == (0, 2 * MOST)
    bill.ask(MOST)
    bill.settle(MOST, reply(ReplyKind.REFUSED))
    assert (bill.used, bill.most) == (0, MOST)


def test_without_a_price_nothing_is_counted_and_everything_fits():
    bill = Bill(price=None, room=lambda: Decimal(0))
    assert bill.fits(MOST)
    assert bill.most is None


REPLIES = st.lists(
    st.none()
    | st.builds(
        reply,
        st.sampled_from([ReplyKind.ANSWER, ReplyKind.UNREADABLE]),
        output=st.none() | st.integers(1, 50),
    )
)


@given(REPLIES, st.integers(0, 10))
def test_what_is_used_is_never_below_what_was_billed(replies, left):
    """Whoever does not say what a reply took may have billed the most."""
    bill = Bill(price=PRICE, rest=MOST * (len(replies) + left))
    billed = Decimal(0)
    for one in replies:
        bill.ask(MOST)
        assert bill.used >= billed + MOST
        told = None if one is None else one.usage
        billed += MOST if told is None else PRICE.of(told)
        bill.settle(MOST, one)
        assert bill.used >= billed
    assert bill.used == billed
    assert bill.most == billed + left * MOST


def test_a_request_that_was_not_foreseen_leaves_no_debt_in_what_is_still_to_come():
    bill = Bill(price=PRICE, rest=MOST - 1)
    bill.ask(MOST)
    assert (bill.rest, bill.most) == (0, MOST)
