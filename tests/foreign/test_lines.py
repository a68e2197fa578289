"""Whatever a server writes under our custom_ids is read, said, or blamed on whom it concerns."""

import shlex

import pytest

from runner.__main__ import main
from tests.foreign.lines import ACCOUNT, ERRORS, NOWHERE, ONE_BY_ONE, READ
from tests.foreign.server import (
    NOT_FOUND,
    Ask,
    Json,
    Reply,
    Scenario,
    completion,
    json_reply,
    no,
    ok,
)
from tests.variants import first

FOUR = [1, 1, 1, 1]


def hint(ran, bench):
    """Run the command that the run printed as its next step."""
    words = shlex.split(ran.line(r"^next ").split(": python -m runner ", 1)[1])
    return bench, main(words)


@pytest.mark.parametrize("what", first(4, READ))
def test_an_answer_is_read_where_a_service_puts_it(bench, what):
    here = bench(READ[what])
    ran = here.run()
    assert (ran.code, here.bill) == (0, FOUR), ran.out
    assert here.answers["Q1_value"].to_list() == [80] * 4


@pytest.mark.parametrize("where", first(2, NOWHERE))
def test_text_in_an_unknown_place_is_said_and_not_asked_again(bench, where):
    here = bench(NOWHERE[where])
    ran = here.run()
    assert (ran.code, here.bill) == (3, FOUR), ran.out
    assert f"its text stands in {where}" in ran.line("results cannot be read") or where in ran.out
    again = here.run()
    assert (again.code, here.bill) == (3, FOUR), again.out


@pytest.mark.parametrize("words", first(2, ACCOUNT))
def test_what_no_request_deserves_stops_the_run_once_and_leaves_them_pending(bench, words):
    here = bench(ACCOUNT[words])
    ran = here.run()
    assert (ran.code, here.bill) == (3, FOUR), ran.out
    assert "refused, whatever they ask" in ran.line(words)
    assert "open 4" in ran.line("^total")
    here.server.scenario = Scenario()
    _, code = hint(ran, here)
    assert (code, here.bill) == (0, [2] * 4)


def failing(what: str, *numbers: int) -> Scenario:
    """These requests fail when they are first asked."""

    def answer(ask: Ask) -> tuple[str, Json]:
        fails = ask.times == 1 and ask.number in numbers
        return ERRORS[what].answer(ask) if fails else ("output", ok(ask.custom_id))

    return Scenario(answer=answer)


@pytest.mark.parametrize("what", first(2, ERRORS))
def test_a_failure_of_any_form_ends_and_is_asked_again(bench, what):
    here = bench(failing(what, 1, 2, 3))
    ran = here.run()
    assert (ran.code, here.bill) == (0, [1, 2, 2, 2]), ran.out
    assert "another batch" not in ran.out


@pytest.mark.parametrize("what", first(1, ERRORS))
def test_one_failure_for_all_stops_the_run_and_the_same_command_asks_again(bench, what):
    here = bench(failing(what, 0, 1, 2, 3))
    ran = here.run()
    assert (ran.code, here.bill) == (3, FOUR), ran.out
    assert "nothing more is sent for now" in ran.line(
        "all 4 requests came back with the same error"
    )
    assert "open 4" in ran.line("^total")
    _, code = hint(ran, here)
    assert (code, here.bill) == (0, [2] * 4)


def test_requests_refused_by_mistake_are_asked_again_by_the_printed_command(bench):
    def answer(ask: Ask) -> tuple[str, Json]:
        if ask.number < 2 and ask.times == 1:
            return "error", no(ask.custom_id, 400, None, f"We could not parse it ({ask.number}).")
        return "output", ok(ask.custom_id)

    here = bench(Scenario(answer=answer))
    ran = here.run()
    assert (ran.code, here.bill) == (3, FOUR), ran.out
    _, code = hint(ran, here)
    assert (code, here.bill) == (0, [2, 2, 1, 1])
    assert here.answers["Q1_value"].to_list() == [80] * 4


@pytest.mark.parametrize("what", first(1, ONE_BY_ONE))
def test_realtime_stops_where_the_account_ends_and_goes_on_later(bench, what):
    here = bench(Scenario(chat=ONE_BY_ONE[what]))
    more = ("provider.mode=realtime", "provider.realtime.concurrency=1")
    ran = here.run(*more)
    assert (ran.code, here.server.chats) == (3, 3), ran.out
    assert "open 2" in ran.line("^total")
    here.server.scenario = Scenario()
    assert here.run(*more).code == 0
    assert here.answers["Q1_value"].to_list() == [80] * 4


def test_a_limit_inside_a_200_is_waited_for(bench):
    def chat(_: Json, times: int) -> Json:
        return {"error": {"message": "slow down", "code": 429}} if times == 0 else completion()

    here = bench(Scenario(chat=chat))
    ran = here.run("provider.mode=realtime", "provider.realtime.concurrency=1")
    assert (ran.code, here.server.chats) == (0, 5), ran.out


@pytest.mark.parametrize(
    "page",
    first(
        1,
        [Reply(404, b"<html>404</html>", "text/html"), Reply(302, b""), json_reply({"x": 1}, 403)],
    ),
    ids=["a page", "a redirect", "somebody's JSON"],
)
def test_a_refused_order_that_is_not_the_service_s_word_is_looked_for(bench, page):
    here = bench(Scenario(batch=lambda shown, polls, nth: page if not polls else shown))
    ran = here.run()
    assert (ran.code, here.bill) == (0, FOUR), ran.out


def test_a_batch_is_known_by_its_labels_where_a_gateway_renames_its_input(bench):
    def batch(shown: Json, polls: int, _: int) -> Json | Reply:
        return shown | {"input_file_id": "gateway;x"} if polls else Reply(502, b"Bad gateway")

    here = bench(
        Scenario(batch=batch, listed=lambda shown: bool(shown.update(input_file_id="g;x")) or True)
    )
    ran = here.run()
    assert (ran.code, here.bill) == (0, FOUR), ran.out


def test_a_batch_that_is_gone_is_asked_about_and_not_ordered_again(bench):
    here = bench(
        Scenario(
            batch=lambda shown, polls, nth: json_reply(NOT_FOUND, 404) if 0 < polls < 3 else shown
        )
    )
    ran = here.run()
    assert (ran.code, here.bill) == (0, FOUR), ran.out
